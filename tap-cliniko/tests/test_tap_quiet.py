"""A run in which nothing has changed asks each list once, and reads only where an answer cannot be had."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from tap_runs import Said, client_for, config_for, run_tap

from sandbox import Sandbox
from tap_cliniko.changes import ChangeCheck, Remembered
from tap_cliniko.preflight import Preflight
from tap_cliniko.resources import BY_NAME, RESOURCES, Resource, Shape
from tap_cliniko.timestamps import from_epoch

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MOST_REQUESTS = 40


@pytest.fixture(scope="module")
def clinic() -> Iterator[Sandbox]:
    """A clinic that serves recalls too."""
    with Sandbox(seed=6, patients=40, cliniko={"requests_per_minute": 0, "recalls": True}) as sandbox:
        yield sandbox


@pytest.fixture(scope="module")
def first(clinic: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Said:
    """The run that reads everything."""
    return run_tap(config_for(clinic, tmp_path_factory.mktemp("first")))


def delta(clinic: Sandbox, folder: Path, state: dict[str, Any], **more: Any) -> tuple[Said, list[str]]:
    """Run once more; return what was said, and the paths that were asked for."""
    before = len(clinic.cliniko.control.requests)
    said = run_tap(config_for(clinic, folder, **more), state)
    return said, [each.path for each in clinic.cliniko.control.requests[before:]]


def read(said: Said) -> set[str]:
    """Name the streams of which records came."""
    return {each["stream"] for each in said.messages if each["type"] == "RECORD"}


def test_a_run_without_changes_costs_little(clinic: Sandbox, first: Said, tmp_path: Path) -> None:
    """At most 40 requests, hardly a list more than once; bookmarks stay, and the run is complete."""
    said, asked = delta(clinic, tmp_path, first.state)
    assert len(asked) <= MOST_REQUESTS
    again = [path for path in set(asked) if asked.count(path) > 1]
    # invoices are asked for payments, too, and a file that was not ready is asked for in the next run
    assert sorted(again) == ["/v1/invoices", "/v1/patient_attachments"]
    assert read(said) == {"public_settings", "settings", "patient_attachments"}
    pending = {name: each.pop("pending", None) for name, each in said.state["bookmarks"].items()}
    assert list(filter(None, pending.values())), "the file is still not ready"
    assert all(
        first.state["bookmarks"][name].items() >= each.items()
        for name, each in said.state["bookmarks"].items()
    )
    assert said.state["complete"] is True
    assert said.streams() == [each.name for each in RESOURCES]


def check(clinic: Sandbox, state: dict[str, Any]) -> bool:
    """Ask the lists as a run does."""
    client = client_for(clinic)
    try:
        access = Preflight(client).check(RESOURCES)
        end = from_epoch(client.now() + 5)
        return ChangeCheck(client, access, state["bookmarks"], end, overlap=300).nothing_changed()
    finally:
        client.close()


def asked_for_changes() -> list[Resource]:
    """Return the lists whose rows a change can be made to."""
    listed = [each for each in RESOURCES if each.shape is Shape.ROWS and not each.rarely_changes]
    return [*listed, BY_NAME["recalls"]]


def test_a_change_in_any_list_is_seen(clinic: Sandbox, first: Said) -> None:
    """Whichever list it is: a row changes, and the answer is another one; it is taken back, and all is as before."""
    account = clinic.cliniko.account
    assert check(clinic, first.state)
    for resource in asked_for_changes():
        row = next(each for each in account.tables[resource.name].rows() if "archived_at" not in each)
        before = row["updated_at"]
        account.update(resource.name, row["id"], {})
        assert not check(clinic, first.state), resource.name
        account.update(resource.name, row["id"], {"updated_at": before}, bump=False)
    assert check(clinic, first.state)


def test_a_row_that_left_a_small_list_is_seen(tmp_path: Path) -> None:
    """Taxes are deleted without a trace: their number tells; so does what is not ready, cut off or not complete."""
    with Sandbox(seed=6, patients=40, cliniko={"requests_per_minute": 0}) as clinic:
        state = run_tap(config_for(clinic, tmp_path)).state
        for name, left in (
            ("patients", {"window": {}}),
            ("patient_attachments", {"pending": {each: {"failed": 1, "at": ""} for each in "1234"}}),
        ):
            bookmarks = {**state["bookmarks"], name: {**state["bookmarks"][name], **left}}
            assert not check(clinic, {"bookmarks": bookmarks})
        clinic.cliniko.control.advance(
            1
        )  # within the second in which the last run ended there is nothing to read
        _, asked = delta(clinic, tmp_path, {**state, "complete": False})
        assert len(asked) > MOST_REQUESTS
        taxes = clinic.cliniko.account.tables["taxes"]
        taxes.remove(taxes.rows()[0]["id"])
        said, _ = delta(clinic, tmp_path, state)
        assert "taxes" in read(said)


@pytest.mark.parametrize("name", ["product_suppliers", "stock_adjustments", "recall_types", "signatures"])
def test_a_stream_that_was_never_read_is_read(clinic: Sandbox, first: Said, name: str) -> None:
    """Selected only now, it holds no change that anybody has seen; nobody asks its list, so the state has to tell."""
    bookmarks = {each: kept for each, kept in first.state["bookmarks"].items() if each != name}
    assert check(clinic, first.state)
    assert not check(clinic, {"bookmarks": bookmarks})


def test_what_was_read_a_moment_ago_is_no_change(tmp_path: Path) -> None:
    """The overlap shows it once more, and the run knows it again; a day later all is read whatever the lists say."""
    with Sandbox(seed=6, patients=40, cliniko={"requests_per_minute": 0}) as clinic:
        state = run_tap(config_for(clinic, tmp_path)).state
        row = clinic.cliniko.account.tables["patients"].rows()[0]
        clinic.cliniko.account.update("patients", row["id"], {"notes": "called"})
        clinic.cliniko.control.advance(2)
        changed, asked = delta(clinic, tmp_path, state)
        assert row["id"] in {each["id"] for each in changed.records("patients")}
        assert sum(path == "/v1/users" for path in asked) == 1, "the permissions were known"
        clinic.cliniko.control.advance(2)
        quiet, asked = delta(clinic, tmp_path, changed.state)
        assert "patients" not in read(quiet)
        assert len(asked) <= MOST_REQUESTS
        clinic.cliniko.control.advance(86400)
        daily, asked = delta(clinic, tmp_path, quiet.state)
        assert "users" in read(daily)
        assert sum(path == "/v1/users" for path in asked) == 2, "checked, and read"


def test_where_hiding_leaves_no_trace_every_list_is_read(tmp_path: Path) -> None:
    """The rows that were hidden before have told it; an archived patient comes with the next run."""
    options = {"requests_per_minute": 0, "hiding_bumps_updated_at": False}
    with Sandbox(seed=6, patients=40, cliniko=options) as clinic:
        state = run_tap(config_for(clinic, tmp_path)).state
        assert state["remembered"]["hidden_silently"] is True
        patients = clinic.cliniko.account.tables["patients"].rows()
        gone = next(row["id"] for row in patients if "archived_at" not in row)
        clinic.cliniko.account.archive("patients", gone)
        clinic.cliniko.control.advance(2)
        said, _ = delta(clinic, tmp_path, state)
        assert gone in {each["id"] for each in said.records("patients")}


@pytest.mark.parametrize("saved", [None, "all", {}, {"reader": 5}, {**Remembered().dump(), "more": 1}])
def test_what_another_version_remembered_is_forgotten(saved: Any) -> None:
    """Nothing is known then, so the run checks the permissions and reads."""
    known = Remembered.load(saved)
    assert known == Remembered()
    assert not known.permissions_known("", [BY_NAME["taxes"]], 0)
    assert known.hiding() == "stays"
    assert Remembered.load(Remembered(reader="administrator 1", hidden=True).dump()).hiding() == "moves"


def test_every_stream_is_declared_to_be_asked_or_not() -> None:
    """What a quiet run does not ask for is little, and named here."""
    left_out = {each.name for each in RESOURCES if each.rarely_changes}
    assert left_out == {
        "concession_types",
        "concession_prices",
        "product_suppliers",
        "stock_adjustments",
        "recall_types",
        "practitioner_reference_numbers",
        "practitioner_appointment_types",
    }
    assert left_out <= set(BY_NAME)


@pytest.mark.parametrize("odd", [{"wait_list": "full"}, {"taxes": "half"}, {"taxes": "full, above"}])
def test_what_another_version_remembered_is_found_out_again(odd: dict[str, str]) -> None:
    """A stream or an outcome that this version does not know ends no run: the permissions are checked once more."""
    known = Remembered(reader="administrator 1", access={"taxes": "full", **odd})
    assert Remembered.load(known.dump()) == Remembered(reader="administrator 1")
    good = Remembered(
        reader="administrator 1", access={"taxes": "full", "signatures": "hidden by role, below"}
    )
    assert Remembered.load(good.dump()) == good


def test_a_payment_that_shows_nowhere_else_is_seen(tmp_path: Path) -> None:
    """It settles an invoice whose updated_at stands still: the run is not quiet, and the invoice comes."""
    options = {"requests_per_minute": 0, "paying_bumps_updated_at": False}
    with Sandbox(seed=6, patients=40, cliniko=options) as clinic:
        state = run_tap(config_for(clinic, tmp_path)).state
        rows = clinic.cliniko.account.tables["invoices"].rows()
        paid = next(row["id"] for row in rows if not row.get("closed_at"))
        clinic.cliniko.control.advance(3600)
        clinic.cliniko.account.pay(paid)
        clinic.cliniko.control.advance(2)
        said, _ = delta(clinic, tmp_path, state)
    assert [each["id"] for each in said.records("invoices") if each["status_description"] == "Paid"] == [paid]
