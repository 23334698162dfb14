"""A slice of patients that shows what the whole holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tap_runs import Said, account_rows, config_for, run_tap

from sandbox import Sandbox
from tap_cliniko.bookmarks import is_of_sample
from tap_cliniko.errors import SettingsError
from tap_cliniko.resources import BY_NAME

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SIZE = 25
OF_PATIENTS = (
    "individual_appointments",
    "attendees",
    "medical_alerts",
    "patient_cases",
    "treatment_notes",
    "invoices",
    "communications",
    "patient_attachments",
    "patient_forms",
    "referral_sources",
)


@pytest.fixture(scope="module")
def clinic() -> Iterator[Sandbox]:
    """A clinic with several times as many patients as the sample."""
    with Sandbox(seed=9, patients=150, cliniko={"requests_per_minute": 0}) as sandbox:
        yield sandbox


@pytest.fixture(scope="module")
def sampled(clinic: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Said:
    """The run of a sample."""
    return run_tap(config_for(clinic, tmp_path_factory.mktemp("sample"), sample_patients=SIZE))


def chosen(said: Said) -> set[str]:
    """Name the patients of a sample."""
    return {each["id"] for each in said.records("patients")}


def test_the_sample_has_the_size_asked_for(sampled: Said) -> None:
    """So many patients and no more, each once."""
    assert len(sampled.records("patients")) == len(chosen(sampled)) == SIZE


def test_every_schema_says_that_it_is_a_sample(clinic: Sandbox, sampled: Said, tmp_path: Path) -> None:
    """Whoever takes the records can know that they are not all; a full run says nothing of the kind."""
    schemas = [each["schema"] for each in sampled.messages if each["type"] == "SCHEMA"]
    assert {each.get("x-sample") for each in schemas} == {True}
    whole = run_tap(config_for(clinic, tmp_path), streams=["taxes"])
    assert ["x-sample" in each["schema"] for each in whole.messages if each["type"] == "SCHEMA"] == [False]


def test_everything_that_hangs_on_the_patients_comes_along(clinic: Sandbox, sampled: Said) -> None:
    """Each stream holds exactly the rows of the chosen patients."""
    for name in OF_PATIENTS:
        there = {
            key[0]
            for key, row in account_rows(clinic, BY_NAME[name]).items()
            if row["patient_id"] in chosen(sampled)
        }
        assert {each["id"] for each in sampled.records(name)} == there, name


def test_group_bookings_and_invoice_lines_are_found(clinic: Sandbox, sampled: Said) -> None:
    """What names no patient is found through what does."""
    bookings = {each["booking_id"] for each in sampled.records("attendees")}
    groups = {key[0] for key in account_rows(clinic, BY_NAME["group_appointments"])}
    assert {each["id"] for each in sampled.records("group_appointments")} == bookings & groups
    invoices = {each["id"] for each in sampled.records("invoices")}
    lines = account_rows(clinic, BY_NAME["invoice_items"])
    assert {each["id"] for each in sampled.records("invoice_items")} == {
        key[0] for key, row in lines.items() if row["invoice_id"] in invoices
    }


def test_no_tie_leads_out_of_the_sample(sampled: Said) -> None:
    """A relationship is only told when both patients are there."""
    for each in sampled.records("relationships"):
        assert {each["patient_id"], each["related_patient_id"]} <= chosen(sampled)


def test_reference_data_is_whole(clinic: Sandbox, sampled: Said) -> None:
    """Names can be looked up as in a full run."""
    for name in ("users", "practitioners", "businesses", "appointment_types", "contacts", "billable_items"):
        assert len(sampled.records(name)) == len(account_rows(clinic, BY_NAME[name])), name


def test_the_sample_spans_what_makes_patients_different(clinic: Sandbox, sampled: Said) -> None:
    """Every appointment type in use, every invoice state, archived patients and patients without e-mail."""
    types = {
        row["appointment_type_id"]
        for row in account_rows(clinic, BY_NAME["individual_appointments"]).values()
    }
    assert {each["appointment_type_id"] for each in sampled.records("individual_appointments")} == types
    states = {row["status"] for row in account_rows(clinic, BY_NAME["invoices"]).values()}
    assert {each["status"] for each in sampled.records("invoices")} == states
    patients = sampled.records("patients")
    assert any(each["archived_at"] for each in patients)
    assert any(not each["email"] for each in patients)
    assert any(each["custom_fields"] for each in patients)


def test_the_same_account_gives_the_same_sample(clinic: Sandbox, sampled: Said, tmp_path: Path) -> None:
    """A second run chooses the same patients."""
    again = run_tap(config_for(clinic, tmp_path, sample_patients=SIZE), None, ["patients"])
    assert chosen(again) == chosen(sampled)


def test_a_delta_of_the_sample_keeps_its_patients(clinic: Sandbox, sampled: Said, tmp_path: Path) -> None:
    """The state holds who was chosen, so that a delta brings changes of these and of nobody else."""
    account = clinic.cliniko.account
    inside = min(chosen(sampled))
    outside = next(ident for ident in account.tables["patients"] if ident not in chosen(sampled))
    # a little in the past: inside the overlap of the delta, which only begins when the next second has come
    changed = sampled.state["bookmarks"]["patients"]["replication_key_value"]
    for ident in (inside, outside):
        account.update("patients", ident, {"notes": "changed", "updated_at": changed})
    clinic.cliniko.control.advance(1)
    later = run_tap(config_for(clinic, tmp_path, sample_patients=SIZE), sampled.state, ["patients"])
    assert chosen(later) == {inside}
    assert set(later.state["bookmarks"]["patients"]["sample"]) == chosen(sampled)


def test_a_merge_of_others_is_none_of_the_samples_business(
    clinic: Sandbox, sampled: Said, tmp_path: Path
) -> None:
    """A delta brings no records of patients outside, also when they were merged."""
    account = clinic.cliniko.account
    owners = dict.fromkeys(row["patient_id"] for row in account.tables["attendees"].rows())
    loser, survivor = [ident for ident in owners if ident not in chosen(sampled)][:2]
    account.merge(loser, survivor)
    clinic.cliniko.control.advance(1)
    later = run_tap(config_for(clinic, tmp_path, sample_patients=SIZE), sampled.state)
    for name in OF_PATIENTS:
        assert {each["patient_id"] for each in later.records(name)} <= chosen(sampled), name


def test_an_account_without_some_lists_gives_no_more_than_the_sample(clinic: Sandbox, tmp_path: Path) -> None:
    """What is only found below each patient is asked for below the chosen ones."""
    absent = {
        "match": {"path_regex": r"^/v1/(referral_sources|relationships)$"},
        "action": "status",
        "status": 404,
    }
    clinic.cliniko.control.add_fault(absent)
    streams = ("patients", "referral_sources")
    said = run_tap(config_for(clinic, tmp_path, sample_patients=SIZE), None, streams)
    clinic.cliniko.control.clear_faults()
    there = account_rows(clinic, BY_NAME["referral_sources"]).values()
    assert {each["id"] for each in said.records("referral_sources")} == {
        each["id"] for each in there if each["patient_id"] in chosen(said)
    }


def test_a_sample_and_the_whole_clinic_share_no_state(clinic: Sandbox, sampled: Said, tmp_path: Path) -> None:
    """Either would take the other's bookmarks for its own, and leave out in silence what is older."""
    whole = run_tap(config_for(clinic, tmp_path), None, ["medical_alerts"])
    with pytest.raises(SettingsError, match="state of its own"):
        run_tap(config_for(clinic, tmp_path), sampled.state, ["patients"])
    with pytest.raises(SettingsError, match="state of its own"):
        run_tap(config_for(clinic, tmp_path, sample_patients=SIZE), whole.state, ["patients"])


def test_patients_can_be_named(clinic: Sandbox, tmp_path: Path) -> None:
    """Exactly these and what hangs on them, archived ones too; the state belongs to these and no others."""
    # what other tests have changed is older than the overlap, within which a run brings rows once more
    clinic.cliniko.control.advance(3600)
    rows = clinic.cliniko.account.tables["patients"].rows()
    named = [rows[3]["id"], next(row["id"] for row in rows if row.get("archived_at"))]
    config = config_for(clinic, tmp_path, sample_patients=SIZE, sample_ids=",".join(named))
    said = run_tap(config)
    assert chosen(said) == set(named)
    for name in OF_PATIENTS:
        there = {
            key[0] for key, row in account_rows(clinic, BY_NAME[name]).items() if row["patient_id"] in named
        }
        assert {each["id"] for each in said.records(name)} == there
    assert all(each["schema"]["x-sample"] for each in said.messages if each["type"] == "SCHEMA")
    # nothing has changed for these; another one, or the sample by size, begins at its own start
    assert run_tap(config, said.state, ["patients"]).records("patients") == []
    other = run_tap({**config, "sample_ids": rows[4]["id"]}, said.state, ["patients"])
    assert chosen(other) == {rows[4]["id"]}
    assert other.state["from_start"] is True
    by_size = run_tap({**config, "sample_ids": None}, said.state, ["patients"])
    assert len(chosen(by_size)) == SIZE


def test_a_patient_nobody_knows_is_named(clinic: Sandbox, tmp_path: Path) -> None:
    """Before anything is read, with the setting and where an id is found."""
    there = clinic.cliniko.account.tables["patients"].rows()[0]["id"]
    with pytest.raises(SettingsError, match="no patient 5, 6;") as caught:
        run_tap(config_for(clinic, tmp_path, sample_ids=f"6,{there},5"))
    assert "TAP_CLINIKO_SAMPLE_IDS" in str(caught.value)


def test_a_sample_of_another_size_begins_at_its_start(clinic: Sandbox, sampled: Said, tmp_path: Path) -> None:
    """A state of fewer patients does not stand for more of them; a clinic that has no more is read on."""
    more = run_tap(config_for(clinic, tmp_path, sample_patients=SIZE + 3), sampled.state, ["patients"])
    assert len(chosen(more)) == SIZE + 3
    patients = {"sample": ["7", "8"], "sample_size": 500}
    assert is_of_sample({"bookmarks": {"patients": patients}}, None, 500)
    assert not is_of_sample({"bookmarks": {"patients": {"sample": ["7", "8"]}}}, None, 500)
