"""Rollback of moves: the copy that was left with the first patient says again what it did, and goes with the run that made it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hl_loading import rejects
from hl_mapped import person, record, schemas
from hl_undoing import differing, dump, loads, spared, undo

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from hl_loading import Loader

    Start = Callable[..., Loader]

HEAD = schemas("patients", "treatment_notes", "individual_appointments", "patient_attachments")
BOTH = [person("patients/1", "Ada", "Lovelace"), person("patients/2", "Ada", "King")]


def note(source_id: str, patient: str, **more: Any) -> str:
    """Return a note on a patient's contact."""
    body = f"text\ncliniko:{source_id}"
    return record("hl_notes", source_id, contact=f"patients/{patient}", title="Note", body=body, **more)


def visit(patient: str) -> str:
    """Return an appointment that is still to come."""
    source_id = "individual_appointments/7"
    return record(
        "hl_appointments", source_id, contact=f"patients/{patient}", title="Visit", body=f"cliniko:{source_id}",
        status="booked", starts_at="2090-05-01T01:00:00Z", ends_at="2090-05-01T02:00:00Z",
    )  # fmt: skip


def file(patient: str, path: Path) -> str:
    """Return a file of a patient's."""
    own = {"file_path": str(path), "file_size": 3, "file_sha256": "a"}
    name = "cliniko:patient_attachments/6 letter.pdf"
    return record("hl_files", "patient_attachments/6", contact=f"patients/{patient}", file_name=name, **own)


@pytest.mark.parametrize("point", ["", "after_response/note:2", "after_send/appointment"])
def test_what_was_given_to_another_patient_goes_back(point: str, highlevel: Start, tmp_path: Path) -> None:
    """A note, an open appointment, a file, the end of a text that became shorter; the run may have been killed, the undo is."""
    loader = highlevel()
    path = tmp_path / "letter.pdf"
    path.write_bytes(b"pdf")
    empty = dump(loader)
    pieces = [note("treatment_notes/9", "2", split_count=2), note("treatment_notes/9#2", "2")]
    loads(loader, [*HEAD, *BOTH, note("treatment_notes/7", "2"), visit("2"), file("2", path), *pieces])
    before = dump(loader)
    moved = [
        note("treatment_notes/7", "1"),
        visit("1"),
        file("1", path),
        note("treatment_notes/9", "1", split_count=1),
        note(
            "treatment_notes/8", "2"
        ),  # so that what is on the first patient's contact is looked at in the end
    ]
    assert loader.load([*HEAD, *BOTH, *moved], CRASH_AT=point).code == (-9 if point else 0)
    assert loader.tool("rollback", "--yes", CRASH_AT="after_response").returncode == -9
    undo(loader)
    assert differing(before, dump(loader)) == []
    assert spared(loader) == {}
    undo(loader)
    assert differing(empty, dump(loader)) == []


def test_a_note_as_long_as_notes_can_be_moves_too(highlevel: Start) -> None:
    """There is no room to say why on the copy that stays, so its title says it alone; an undo brings the whole text back."""
    loader = highlevel()
    body = "x" * (5000 - len("\ncliniko:treatment_notes/7")) + "\ncliniko:treatment_notes/7"

    def long_note(patient: str) -> str:
        return record("hl_notes", "treatment_notes/7", contact=f"patients/{patient}", title="Note", body=body)

    loads(loader, [*HEAD, *BOTH, long_note("2")])
    before = dump(loader)
    loads(loader, [*HEAD, *BOTH, long_note("1")])
    bodies = sorted(note["body"][-40:] for note in loader.sandbox.highlevel.state.notes.values())
    assert [text.endswith("cliniko:treatment_notes/7") for text in bodies].count(True) == 1
    undo(loader)
    assert differing(before, dump(loader)) == []


def test_an_old_copy_that_somebody_has_worked_on_stays(highlevel: Start) -> None:
    """Its text is a person's now: it is left, listed, and keeps its contact when the run before is undone as well."""
    loader = highlevel()
    loads(loader, [*HEAD, *BOTH, note("treatment_notes/7", "2")])
    state = loader.sandbox.highlevel.state
    (old,) = state.notes
    loads(loader, [*HEAD, *BOTH, note("treatment_notes/7", "1")])
    state.damage.edit("notes", old, body="Rang, no answer")
    undo(loader)
    ((_, row),) = spared(loader).items()
    assert (row["highlevel_id"], row["reason"]) == (old, "changed")
    undo(loader)
    assert list(state.notes) == [old]
    assert {row["reason"] for row in spared(loader).values()} == {"changed", "carries_a_spared_record"}


def test_the_first_run_alone_leaves_what_the_second_moved(highlevel: Start) -> None:
    """Both copies and their patients stay and are listed; the rollback ends, and after the second run's both can go."""
    loader = highlevel()
    loads(loader, [*HEAD, *BOTH, note("treatment_notes/7", "2")])
    first = loader.newest_report()["run_id"]
    loads(loader, [*HEAD, *BOTH, note("treatment_notes/7", "1")])
    done = loader.tool("rollback", "--yes", "--run", first)
    assert done.returncode == 0, done.stdout
    reasons = {row["reason"] for row in spared(loader).values()}
    assert reasons == {"written_by_a_later_run", "carries_records_of_another_run"}
    undo(loader)
    assert loader.tool("rollback", "--yes", "--run", first).returncode == 0
    assert spared(loader) == {}
    assert not loader.sandbox.highlevel.state.contacts


@pytest.mark.parametrize("way", ["refuse", "ignore"])
def test_a_file_stays_where_lists_of_files_cannot_be_written(
    way: str, highlevel: Start, tmp_path: Path
) -> None:
    """One that is another patient's now is refused until somebody takes it off; an undo lists what it has to leave."""
    loader = highlevel()
    loader.sandbox.highlevel.state.mutate({"do": "set_option", "id": "file_lists", "value": way})
    path = tmp_path / "letter.pdf"
    path.write_bytes(b"pdf")
    loads(loader, [*HEAD, *BOTH])
    loads(loader, [*HEAD, *BOTH, file("2", path)])
    assert loader.load([*HEAD, *BOTH, file("1", path)]).code == 4
    assert rejects(loader) == {("patient_attachments/6", "file_stays")}
    undo(loader)
    assert spared(loader) == {}
    undo(loader)
    assert [(key, row["reason"]) for key, row in spared(loader).items()] == [
        (("file", "patient_attachments/6"), "file_stays")
    ]
