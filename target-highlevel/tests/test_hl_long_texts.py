"""Texts that are longer than HighLevel takes: the record goes in with their beginning, and is listed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hl_mapped import person, record, schemas
from hl_undoing import differing, dump, undo

if TYPE_CHECKING:
    from collections.abc import Callable

    from hl_loading import Loader

LONG = "What was said, at length. " * 250
HEAD = schemas("patients", "treatment_notes", "individual_appointments", "recalls")


def lines(word: str = "", last_name: str = "Name-" * 30) -> list[str]:
    """Return somebody with a long name, a long field of the profile, a long task and a long note."""
    related = [{"association": "cliniko_profile_contact", "to": "contact:patients/1"}]
    alerts = {"source_system_id": "patients/1", "patient_name": "Ada", "medical_alerts": f"{word}{LONG}"}
    visit, note = "individual_appointments/7", "treatment_notes/8"
    booked = {"contact": "patients/1", "title": "Visit", "starts_at": "2024-05-01T10:00:00Z"}
    written = {"contact": "patients/1", "title": "Note", "body": f"{word}{LONG[:4900]}\ncliniko:{note}"}
    return [
        *HEAD,
        person("patients/1", "Ada", last_name),
        record("hl_patient_profiles", "patients/1", **alerts, relations=related),
        record("hl_appointments", visit, **booked, body=f"{word}{LONG}\ncliniko:{visit}"),
        record("hl_notes", note, **written),
    ]


def test_a_text_that_highlevel_cuts_silently_is_a_difference(highlevel: Callable[..., Loader]) -> None:
    """As long as no probe has told how long it may be."""
    loader = highlevel(text_limit=5000, longer_texts="cut")
    assert loader.load(lines()).code == 0
    checked = loader.load(lines(), MODE="verify")
    assert checked.code == 5
    (profiles,) = [
        row for row in checked.report["verification"]["objects"] if row["object"].endswith("patient_profile")
    ]
    assert profiles["different"] == 1, checked.report["verification"]


def test_no_record_is_lost_for_a_long_text(highlevel: Callable[..., Loader]) -> None:
    """Nothing was measured: each first refusal tells how long a text may be; a change, a verification and an undo go by it."""
    loader = highlevel(text_limit=5000, task_limit=3000, note_limit=2000, line_limit=100)
    first = loader.load(lines())
    assert first.code == 0, first.log[-2000:]
    assert "4 values were not taken whole by HighLevel" in first.log
    assert first.report["verdict"] == {
        "tone": "attention",
        "sentence": "Yes: everything that can move is in HighLevel; look at 4 values that HighLevel did not take whole.",
    }
    told = {(item["source"], item["field"], item["because"]) for item in first.report["not_taken"]["records"]}
    assert told == {
        ("patients/1", "lastName", "cut"),
        ("patients/1", "medical_alerts", "cut"),
        ("individual_appointments/7", "body", "cut"),
        ("treatment_notes/8", "body", "cut"),
    }
    state = loader.sandbox.highlevel.state
    (task,), (note,) = state.tasks.values(), state.notes.values()
    assert [round(len(item["body"]), -1) for item in (task, note)] == [3000, 2000]
    assert note["body"].endswith("]\ncliniko:treatment_notes/8")
    before = dump(loader)
    checked = loader.load(lines(), MODE="verify")
    assert checked.code == 0
    assert "4 values were not taken whole by HighLevel" in checked.log
    assert loader.load(lines()).code == 0
    assert dump(loader) == before
    loader.sandbox.highlevel.control.reset_log()
    assert loader.load(lines("Now: ", "Short")).code == 0
    assert {entry.status for entry in loader.sandbox.highlevel.control.requests} <= {200, 201}  # known by now
    assert [item["source"] for item in loader.newest_report()["not_taken"]["records"]].count(
        "patients/1"
    ) == 1
    undo(loader)
    assert differing(before, dump(loader)) == []
