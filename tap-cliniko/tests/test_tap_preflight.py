"""What the key may read is known, and said, before anything is read."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytest
from tap_runs import account_rows, client_for, config_for, run_tap

from sandbox import Sandbox
from tap_cliniko.errors import ContractChanged, CredentialsRefused, RoleRefused
from tap_cliniko.preflight import Outcome, Preflight, access_table
from tap_cliniko.resources import BY_NAME, RESOURCES

if TYPE_CHECKING:
    from pathlib import Path

CLINICAL = ("treatment_notes", "medical_alerts")


def preflight_as(role: str) -> tuple[str, dict[str, Outcome]]:
    """Check every stream with the key of a role."""
    with Sandbox(seed=2, patients=10, cliniko={"requests_per_minute": 0, "role": role}) as sandbox:
        client = client_for(sandbox)
        preflight = Preflight(client)
        found = preflight.check(RESOURCES)
        client.close()
        return preflight.role, {name: each.outcome for name, each in found.items()}


def test_an_administrator_sees_everything() -> None:
    """Nothing is hidden or refused; only what the account does not have is absent."""
    role, found = preflight_as("administrator")
    assert role == "administrator"
    assert {name for name, outcome in found.items() if outcome is not Outcome.FULL} == {
        "recalls",
        "recall_types",
    }
    assert found["recalls"] is Outcome.ABSENT


def test_a_practitioner_is_told_that_drafts_of_others_may_be_missing() -> None:
    """Notes come, but not as everything there is; alerts are complete."""
    _, found = preflight_as("practitioner")
    assert found["treatment_notes"] is Outcome.HIDDEN
    assert found["medical_alerts"] is Outcome.FULL


@pytest.mark.parametrize("role", ["scheduler", "receptionist", "power receptionist", "bookkeeper"])
def test_other_roles_are_refused_clinical_records(role: str) -> None:
    """Roles without medical information are told so, stream by stream."""
    seen_as, found = preflight_as(role)
    assert seen_as == role
    assert not any(found[name].readable and found[name] is Outcome.FULL for name in CLINICAL)
    assert found["users"] is not Outcome.FULL


def test_a_refused_stream_stops_the_run_before_anything_is_read(tmp_path: Path) -> None:
    """The text names the streams, the role that is needed and the setting that goes on without them."""
    with Sandbox(seed=2, patients=10, cliniko={"requests_per_minute": 0, "role": "receptionist"}) as sandbox:
        with pytest.raises(RoleRefused) as caught:
            run_tap(config_for(sandbox, tmp_path), None, ["patients", "treatment_notes"])
        text = str(caught.value)
        assert "treatment_notes needs administrator. " in text
        assert "TAP_CLINIKO_SKIP_REFUSED_STREAMS" in text
        assert caught.value.exit_code == 3
        # the key's owner and one row of each selected stream, nothing more
        assert [each.path for each in sandbox.cliniko.control.requests] == [
            "/v1/user",
            "/v1/patients",
            "/v1/treatment_notes",
        ]


def test_a_role_that_is_refused_is_not_named_as_the_one_needed(tmp_path: Path) -> None:
    """Where the API refuses what Cliniko's help pages promise the role, the text names the administrator."""
    with Sandbox(seed=2, patients=10, cliniko={"requests_per_minute": 0, "role": "receptionist"}) as sandbox:
        with pytest.raises(RoleRefused) as caught:
            run_tap(config_for(sandbox, tmp_path), None, ["treatment_note_templates"])
        assert "treatment_note_templates needs administrator." in str(caught.value)


def test_refused_streams_are_skipped_when_the_setting_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The rest is read, the table says what is missing, and no bookmark pretends that it was read."""
    options = {"requests_per_minute": 0, "role": "receptionist"}
    with Sandbox(seed=2, patients=10, cliniko=options) as sandbox, caplog.at_level(logging.INFO):
        config = config_for(sandbox, tmp_path, skip_refused_streams=True)
        said = run_tap(config, None, ["patients", "treatment_notes"])
        assert len(said.records("patients")) == len(account_rows(sandbox, BY_NAME["patients"]))
        assert said.records("treatment_notes") == []
        assert "replication_key_value" not in said.state["bookmarks"].get("treatment_notes", {})
        table = caplog.text
        assert "role of the key's owner: receptionist" in table
        assert any("treatment_notes" in line and "refused" in line for line in table.splitlines())


@pytest.mark.parametrize(
    ("stream", "refused"),
    [
        ("signatures", r"/patient_forms/\d+/signatures/"),
        ("practitioner_appointment_types", r"/practitioners/\d+/appointment_types$"),
        ("practitioners", "/practitioners/inactive$"),
    ],
)
def test_a_part_that_is_refused_is_skipped_when_the_setting_says_so(
    stream: str, refused: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """What only the reading shows to be refused stops the run, or is left out with a warning and comes with another key."""
    with Sandbox(seed=2, patients=40, cliniko={"requests_per_minute": 0}) as sandbox:
        config = config_for(sandbox, tmp_path, skip_refused_streams=True, detect_deletions=True)
        before = run_tap(config, None, [stream]).records(stream)
        sandbox.cliniko.control.add_fault(
            {"action": "status", "status": 403, "match": {"path_regex": refused}}
        )
        with pytest.raises(RoleRefused, match="403"):
            run_tap({**config, "skip_refused_streams": False}, None, [stream])
        first = run_tap(config, None, [stream])
        sandbox.cliniko.control.clear_faults()
        config["api_key"] = sandbox.cliniko.account.api_key("practitioner")
        second = run_tap(config, first.state, [stream])
    assert len(first.records(stream)) < len(before) == len(second.records(stream))
    assert not any(each.get("_sdc_deleted_at") for each in first.records(stream))
    assert caplog.text.count("is left out") == 1


def test_rows_that_a_role_did_not_see_come_when_another_key_shows_them(tmp_path: Path) -> None:
    """No bookmark stands past rows that were withheld: with the key of an administrator the list is read from its start."""
    options = {"requests_per_minute": 0, "role": "practitioner", "hide_rows_by_role": True}
    with Sandbox(seed=8, patients=40, cliniko=options) as sandbox:
        config = config_for(sandbox, tmp_path)
        there = set(sandbox.cliniko.account.tables["communications"])
        first = run_tap(config, None, ["communications"])
        again = run_tap(config, first.state, ["communications"])
        config["api_key"] = sandbox.cliniko.account.api_key("administrator")
        second = run_tap(config, again.state, ["communications"])
        third = run_tap(config, second.state, ["communications"])
    assert {each["id"] for each in first.records("communications")} < there
    assert len(again.records("communications")) < len(there) / 2
    assert {each["id"] for each in second.records("communications")} == there
    assert len(third.records("communications")) < len(there) / 2


def test_a_wrong_key_ends_at_the_first_request(tmp_path: Path) -> None:
    """Nothing is tried again with a key that does not open."""
    with Sandbox(seed=2, patients=10, cliniko={"requests_per_minute": 0}) as sandbox:
        with pytest.raises(CredentialsRefused, match="TAP_CLINIKO_API_KEY"):
            run_tap({**config_for(sandbox, tmp_path), "api_key": "wrong-au1"})
        assert len(sandbox.cliniko.control.requests) == 1


def test_the_table_names_streams_and_numbers_only() -> None:
    """Its lines hold a stream, an outcome and a number of rows."""
    with Sandbox(seed=2, patients=10, cliniko={"requests_per_minute": 0}) as sandbox:
        client = client_for(sandbox)
        preflight = Preflight(client)
        lines = access_table(preflight.role, preflight.check([BY_NAME["patients"], BY_NAME["recalls"]]))
        client.close()
    assert lines[2].split() == ["patients", "full", "10"]
    assert lines[3].split()[:2] == ["recalls", "absent"]


def test_lists_that_an_old_account_lacks_are_read_below_each_patient(tmp_path: Path) -> None:
    """Without /referral_sources of its own, each patient is asked for the one below it."""
    with Sandbox(seed=2, patients=12, cliniko={"requests_per_minute": 0}) as sandbox:
        absent = {"match": {"path_regex": r"^/v1/(referral_sources)$"}, "action": "status", "status": 404}
        there = {key[0] for key in account_rows(sandbox, BY_NAME["referral_sources"])}
        sandbox.cliniko.control.add_fault(absent)
        said = run_tap(config_for(sandbox, tmp_path), None, ["referral_sources"])
        assert {each["id"] for each in said.records("referral_sources")} == there


@pytest.mark.parametrize(
    ("stream", "listed"), [("patients", "patients"), ("signatures", "patient_forms")], ids=["list", "parents"]
)
def test_a_list_that_every_account_has_is_not_taken_for_an_empty_one(
    stream: str, listed: str, tmp_path: Path
) -> None:
    """A 404 for a list that is documented ends the run: to go on would call it complete without those rows."""
    with Sandbox(seed=2, patients=10, cliniko={"requests_per_minute": 0}) as sandbox:
        absent = {"match": {"path_regex": f"^/v1/{listed}$"}, "action": "status", "status": 404}
        sandbox.cliniko.control.add_fault(absent)
        with pytest.raises(ContractChanged, match=stream):
            run_tap(config_for(sandbox, tmp_path), None, ["taxes", stream])


def test_what_the_account_does_not_have_or_the_user_leaves_out_is_nothing_missed(tmp_path: Path) -> None:
    """Without recalls, which not every account has, and without what `skip_refused_streams` skips, all was read.

    What was skipped stands in the last state, until another key reads it.
    """
    streams = ["patients", "treatment_notes", "recalls"]
    with Sandbox(seed=2, patients=10, cliniko={"requests_per_minute": 0, "role": "receptionist"}) as sandbox:
        config = config_for(sandbox, tmp_path, skip_refused_streams=True)
        said = run_tap(config, None, streams)
        administrator = sandbox.cliniko.account.api_key("administrator")
        later = run_tap({**config, "api_key": administrator}, said.state, streams)
    assert (said.state["complete"], said.state["withheld"]) == (True, ["treatment_notes"])
    assert later.state["complete"] is True
    assert "withheld" not in later.state


@pytest.mark.parametrize("status", [403, 400])
def test_recalls_come_where_they_are_served_and_stop_no_run(status: int, tmp_path: Path) -> None:
    """No setting asks for them; the list is undocumented, so whatever else it answers is no reason to stop."""
    options = {"requests_per_minute": 0, "recalls": True}
    with Sandbox(seed=2, patients=10, cliniko=options) as sandbox:
        there = len(sandbox.cliniko.account.tables["recalls"])
        assert len(run_tap(config_for(sandbox, tmp_path), None, ["recalls"]).records("recalls")) == there > 0
        refusal = {"match": {"path_regex": "/recalls"}, "action": "status", "status": status}
        sandbox.cliniko.control.add_fault(refusal)
        said = run_tap(config_for(sandbox, tmp_path), None, ["recalls", "taxes"])
    assert said.records("recalls") == []
    assert said.records("taxes")
    assert said.state["complete"] is True


@pytest.mark.parametrize("body", [{"recalls": [{"recall_at": None}]}, {"recalls": [7]}, {"error": "no"}])
def test_recalls_that_fail_while_they_are_read_stop_no_run(body: Any, tmp_path: Path) -> None:
    """What is not as a list of rows should be is left out; the state remembers what was listed before, and no row seems gone."""
    options = {"requests_per_minute": 0, "recalls": True}
    with Sandbox(seed=2, patients=10, cliniko=options) as sandbox:
        config, control = config_for(sandbox, tmp_path), sandbox.cliniko.control
        first = run_tap(config, None, ["recalls", "taxes"])
        control.advance(30)
        odd = {"match": {"path_regex": "/recalls"}, "action": "status", "status": 200, "body": body}
        control.add_fault(odd)
        second = run_tap(config, first.state, ["recalls", "taxes"])
        control.clear_faults()
        third = run_tap(config, second.state, ["recalls", "taxes"])
    assert second.records("recalls") == []
    assert (second.state["complete"], len(second.records("taxes"))) == (True, len(first.records("taxes")))
    assert {each["id"] for each in third.records("recalls")} == {
        each["id"] for each in first.records("recalls")
    }


def test_a_recall_that_shifts_another_past_the_reader_is_no_deletion(tmp_path: Path) -> None:
    """Where the list does not say how many rows it has, one that goes between two pages hides another; that is read again."""
    options = {"requests_per_minute": 0, "recalls": True, "total_entries": False}
    with Sandbox(seed=2, patients=10, cliniko=options) as sandbox:
        config, account = config_for(sandbox, tmp_path), sandbox.cliniko.account
        for _ in range(120):
            account.insert("recalls", {"recall_at": "2030-01-01"})
        first = run_tap(config, None, ["recalls"])
        gone = [first.records("recalls")[0]["id"]]

        def deal_with_one(_number: int, request: Any) -> None:
            if (
                request.path == "/v1/recalls"
                and "page=2" in request.query
                and gone[0] in account.tables["recalls"]
            ):
                account.delete("recalls", gone[0])

        sandbox.cliniko.control.before_request(deal_with_one)
        second = run_tap(config, first.state, ["recalls"])
    assert [each["id"] for each in second.records("recalls") if each.get("_sdc_deleted_at")] == gone


def test_a_recall_that_was_dealt_with_is_noticed(tmp_path: Path) -> None:
    """Cliniko lists it no longer: the state knows that it was listed, and a run that was told so says it once."""
    options = {"requests_per_minute": 0, "recalls": True}
    with Sandbox(seed=2, patients=10, cliniko=options) as sandbox:
        config, account = config_for(sandbox, tmp_path), sandbox.cliniko.account
        first = run_tap(config, None, ["recalls"])
        gone = next(iter(account.tables["recalls"]))
        account.delete("recalls", gone)
        second = run_tap(config, first.state, ["recalls"])
        third = run_tap(config, second.state, ["recalls"])
    told = [each for each in second.records("recalls") if each.get("_sdc_deleted_at")]
    assert [each["id"] for each in told] == [gone]
    assert not any(
        each.get("_sdc_deleted_at") for each in first.records("recalls") + third.records("recalls")
    )
