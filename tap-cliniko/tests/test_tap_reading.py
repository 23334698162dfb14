"""Lists are read completely, however the server sorts, and whatever is in them."""

from __future__ import annotations

import random
from itertools import islice
from typing import TYPE_CHECKING, Any

import pytest
from tap_runs import account_rows, client_for, config_for, listed_resources, run_tap

from sandbox import Sandbox
from tap_cliniko.errors import ContractChanged
from tap_cliniko.reading import IdRange, ListReader
from tap_cliniko.resources import BY_NAME
from tap_cliniko.windows import CHANGED, Window, in_window, passes_of

if TYPE_CHECKING:
    from pathlib import Path

MOMENT = "2024-05-05T05:05:05Z"


def with_patients(number: int, **options: Any) -> Sandbox:
    """Make a clinic into which so many patients were imported within one second."""
    sandbox = Sandbox(seed=2, patients=20, cliniko={"requests_per_minute": 0, **options})
    rng = random.Random(number)  # noqa: S311 - repeatable, no secret
    for index in range(number):
        values = {
            "first_name": "Imported",
            "last_name": f"Patient {index}",
            "created_at": MOMENT,
            "updated_at": MOMENT,
        }
        # a tenth has the small ids of old accounts
        ident = {"id": str(rng.randrange(10**7, 10**8))} if index % 10 == 0 else {}
        sandbox.cliniko.account.insert("patients", {**values, **ident})
    return sandbox


def ids_read(sandbox: Sandbox, filters: tuple[str, ...] = ("archived_at:*",), **options: Any) -> list[int]:
    """Read all patients through a reader."""
    client = client_for(sandbox)
    reader = ListReader(client, "/patients", "patients", **options)
    found = [int(row["id"]) for chunk in reader.chunks(filters, [IdRange()]) for row in chunk.rows]
    client.close()
    return found


def ids_there(sandbox: Sandbox) -> list[int]:
    """List the account's own patients."""
    return sorted(int(ident) for ident in sandbox.cliniko.account.tables["patients"])


@pytest.mark.parametrize("sorting", ["accept", "refuse", "ignore"])
def test_hundreds_of_rows_in_one_second_are_read_once_each(sorting: str) -> None:
    """Ties longer than a page are no obstacle, whether sorting by id is accepted, refused or ignored."""
    with with_patients(730, sort_by_id=sorting) as sandbox:
        assert sorted(ids_read(sandbox, readers=3)) == ids_there(sandbox)


@pytest.mark.parametrize("readers", [1, 2, 5])
def test_ranges_read_side_by_side_hold_every_row_once(readers: int) -> None:
    """Splitting the id space loses nothing and repeats nothing, with ids of both generations."""
    with with_patients(2500) as sandbox:
        assert sorted(ids_read(sandbox, readers=readers)) == ids_there(sandbox)


def test_several_requests_are_under_way_on_a_long_list() -> None:
    """One connection cannot use the budget at real latencies; three can."""
    with with_patients(2500) as sandbox:
        sandbox.cliniko.control.latency = 0.03
        ids_read(sandbox, readers=3)
        assert sandbox.cliniko.control.stats()["greatest_in_flight"] == 3


@pytest.mark.parametrize("sorting", ["refuse", "ignore"])
def test_a_whole_run_without_sorting_loses_nothing(sorting: str, tmp_path: Path) -> None:
    """Every stream survives an API that cannot sort by id."""
    with Sandbox(seed=4, patients=80, cliniko={"requests_per_minute": 0, "sort_by_id": sorting}) as sandbox:
        said = run_tap(config_for(sandbox, tmp_path, download_attachments=False))
        for resource in listed_resources():
            ids = [record["id"] for record in said.records(resource.name)]
            assert sorted(ids) == sorted(key[0] for key in account_rows(sandbox, resource)), resource.name


def test_odd_answers_pass_through(tmp_path: Path) -> None:
    """Unknown fields arrive as they are, and rows from a stale cache stop nothing."""
    options = {"requests_per_minute": 0, "extra_fields": True, "stale_seconds": 60.0, "recalls": True}
    with Sandbox(seed=4, patients=20, cliniko=options) as sandbox:
        said = run_tap(
            config_for(sandbox, tmp_path), None, ["patients", "individual_appointments", "recalls"]
        )
        record = said.records("patients")[0]
        assert record["sandbox_unknown_text"] == "unknown"
        assert record["sandbox_unknown_tree"] == {"list": [1, None, {"deep": True}]}
        assert len(said.records("recalls")) == len(sandbox.cliniko.account.tables["recalls"])


def test_an_ignored_time_filter_is_noticed() -> None:
    """A whole page of rows outside the window means that the filter does nothing."""
    with with_patients(50) as sandbox, pytest.raises(ContractChanged, match="window"):
        ids_read(sandbox, inside=lambda _row: False)


@pytest.mark.parametrize("stamp", ["2024-05-05T05:05:05.250Z", "2024-05-05T15:05:05+10:00"])
def test_a_moment_may_be_written_another_way(stamp: str) -> None:
    """Fractions of a second and offsets do not make a row stand outside the window it is in."""
    with with_patients(50) as sandbox:
        for ident in list(sandbox.cliniko.account.tables["patients"]):
            sandbox.cliniko.account.update("patients", ident, {"updated_at": stamp})
        resource = BY_NAME["patients"]
        window = Window(MOMENT, "2024-05-05T05:05:06Z", passes_of(resource, MOMENT))
        read = ids_read(sandbox, inside=in_window(window))
        assert read == ids_there(sandbox)
        with pytest.raises(ContractChanged, match="window"):
            ids_read(
                sandbox, inside=in_window(Window("2024-05-05T05:05:06Z", "2024-05-06T00:00:00Z", [CHANGED]))
            )


@pytest.mark.parametrize("sorting", ["accept", "refuse"])
def test_pages_without_rows_do_not_come_for_ever(sorting: str) -> None:
    """A role that is shown none of the rows on a page is told so; the page is not asked for again and again."""
    options = {"role": "practitioner", "hide_rows_by_role": True, "sort_by_id": sorting}
    with Sandbox(seed=8, patients=60, cliniko={"requests_per_minute": 0, **options}) as sandbox:
        account = sandbox.cliniko.account
        notes = list(account.tables["treatment_notes"])
        for ident in notes:
            account.update("treatment_notes", ident, {"draft": True})
        client = client_for(sandbox)
        reader = ListReader(client, "/treatment_notes", "treatment_notes")
        with pytest.raises(ContractChanged, match="without rows"):
            list(islice(reader.chunks((), [IdRange()]), 20))
        client.close()
        assert len(notes) > 100


def test_a_list_that_ignores_ids_is_not_cut_for_ever() -> None:
    """Where the filter on ids does nothing, each piece shows the same page: the list ends with a reason."""
    with with_patients(0) as sandbox:
        client = client_for(sandbox)
        reader = ListReader(client, "/patients", "patients", sortable=False)
        rows = [{"id": str(ident)} for ident in (7, 8, 9)]
        with pytest.raises(ContractChanged, match="cut by id"):
            reader._pivot(rows, IdRange(0, 8))
        client.close()


def test_a_list_below_a_parent_is_read_whole_while_it_changes(tmp_path: Path) -> None:
    """A practitioner gives a type up while the types are read: none of the others is skipped."""
    with Sandbox(seed=2, patients=5, cliniko={"requests_per_minute": 0}) as sandbox:
        account = sandbox.cliniko.account
        who = next(row["id"] for row in account.tables["practitioners"].rows() if row.get("active"))
        where = next(iter(account.tables["businesses"]))
        account.services = [
            {"business_id": where, "appointment_type_id": each["id"], "practitioner_ids": [who]}
            for each in (account.insert("appointment_types", {"name": f"Type {n}"}) for n in range(150))
        ]
        offered = [each["appointment_type_id"] for each in account.services]
        path = f"/v1/practitioners/{who}/appointment_types"
        asked: list[str] = []

        def give_one_up(_number: int, request: Any) -> None:
            asked.extend([request.path] if request.path == path else [])
            if len(asked) == 2 and len(account.services) == len(offered):
                account.services.pop(0)

        sandbox.cliniko.control.before_request(give_one_up)
        said = run_tap(config_for(sandbox, tmp_path), None, ["practitioner_appointment_types"])
    read = [each["appointment_type_id"] for each in said.records("practitioner_appointment_types")]
    assert len(account.services) < len(offered)
    assert sorted(read) == sorted(offered)


def test_archived_types_are_still_offered_by_whom_they_were(tmp_path: Path) -> None:
    """The list below a practitioner hides what is archived, as every other list does."""
    with Sandbox(seed=2, patients=5, cliniko={"requests_per_minute": 0}) as sandbox:
        account = sandbox.cliniko.account
        service = next(each for each in account.services if each["practitioner_ids"])
        pair = (service["practitioner_ids"][0], service["appointment_type_id"])
        account.archive("appointment_types", pair[1])
        said = run_tap(config_for(sandbox, tmp_path), None, ["practitioner_appointment_types"])
    offered = said.records("practitioner_appointment_types")
    assert pair in {(each["practitioner_id"], each["appointment_type_id"]) for each in offered}


def test_a_refused_filter_is_named() -> None:
    """The text says which list and which fields, so that the change of contract can be found."""
    with with_patients(5) as sandbox, pytest.raises(ContractChanged, match=r"/patients.*merged_at"):
        ids_read(sandbox, ("merged_at:?",))


def test_a_signature_that_is_gone_says_nothing_about_the_others(tmp_path: Path) -> None:
    """A form can carry several; the first one not being found is no reason to leave the second."""
    with Sandbox(seed=2, patients=40, cliniko={"requests_per_minute": 0}) as sandbox:
        account = sandbox.cliniko.account
        form = next(row for row in account.tables["patient_forms"].rows() if row.get("signatures_id"))
        other = account.insert("signatures", {"image": "data:image/svg+xml;base64,"})["id"]
        question = {"name": "A second signature", "type": "signature", "signature_id": other}
        account.update(
            "patient_forms", form["id"], {"content": {"sections": [{"questions": [question]}]}}, bump=False
        )
        account.tables["signatures"].remove(form["signatures_id"])
        said = run_tap(config_for(sandbox, tmp_path), None, ["signatures"])
        mine = [each for each in said.records("signatures") if each["patient_form_id"] == form["id"]]
        assert [each["id"] for each in mine] == [other]


def test_signatures_are_read_once_and_a_form_signed_later_brings_its_own(tmp_path: Path) -> None:
    """A delta asks for the signatures of changed forms only; signing a form changes it."""
    with Sandbox(seed=2, patients=40, cliniko={"requests_per_minute": 0}) as sandbox:
        account, config = sandbox.cliniko.account, config_for(sandbox, tmp_path)
        form = next(row["id"] for row in account.tables["patient_forms"].rows() if not row["completed_at"])
        first = run_tap(config, None, ["signatures"])
        signature = account.insert("signatures", {"image": "data:image/svg+xml;base64,"})["id"]
        account.update("patient_forms", form, {"completed_at": account.now(), "signatures_id": signature})
        sandbox.cliniko.control.advance(1)  # a run reads up to the last whole second
        sandbox.cliniko.control.reset_log()
        second = run_tap(config, first.state, ["signatures"])
        asked = [each.path for each in sandbox.cliniko.control.requests if "/signatures/" in each.path]
    assert len(first.records("signatures")) > 2
    (signed,) = second.records("signatures")
    assert (signed["id"], signed["patient_form_id"]) == (signature, form)
    told = account.tables["patient_forms"][form]
    assert {name: told.get(name) for name in signed["patient_form"]} == signed["patient_form"]
    assert asked == [f"/v1/patient_forms/{form}/signatures/{signature}"]
    assert first.state["bookmarks"]["signatures"]["replication_key_value"]


@pytest.mark.parametrize("shifts", [1, 99], ids=["once", "always"])
def test_a_list_without_a_fixed_order_loses_no_row(shifts: int, tmp_path: Path) -> None:
    """Who offers what has no moments and no promised order: a row that comes twice has taken the place of another."""
    with Sandbox(seed=2, patients=5, cliniko={"requests_per_minute": 0}) as sandbox:
        account = sandbox.cliniko.account
        where, left = next(iter(account.tables["businesses"])), [shifts]
        account.services = [
            {"business_id": where, "appointment_type_id": str(n), "practitioner_ids": []} for n in range(150)
        ]

        def shift(_number: int, request: Any) -> None:
            if request.path == "/v1/services" and "page=2" in request.query and left[0]:
                left[0] -= 1
                account.services = [*account.services[75:], *account.services[:75]]

        sandbox.cliniko.control.before_request(shift)
        if shifts == 1:
            read = run_tap(config_for(sandbox, tmp_path), None, ["services"]).records("services")
            assert sorted(int(each["appointment_type_id"]) for each in read) == list(range(150))
        else:
            with pytest.raises(ContractChanged, match="faster than it can be read"):
                run_tap(config_for(sandbox, tmp_path), None, ["services"])


def test_what_has_no_key_is_left_out_with_a_word(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A service of no location fits no table; the settings of an account that does not tell its id still have a key."""
    options = {"requests_per_minute": 0, "public_account_id": False}
    with Sandbox(seed=2, patients=5, cliniko=options) as sandbox:
        account = sandbox.cliniko.account
        account.services.append({"business_id": None, "appointment_type_id": "7", "practitioner_ids": []})
        said = run_tap(config_for(sandbox, tmp_path), None, ["services", "public_settings"])
    assert len(said.records("services")) == len(account.services) - 1
    assert "services: 1 rows without business_id, appointment_type_id are left out" in caplog.text
    assert [each["account_id"] for each in said.records("public_settings")] == ["unknown"]
