"""What a plan says of sizes, of room on this machine, and of who would read the clinical notes."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

from target_highlevel.api.account import User
from target_highlevel.descriptor import StreamSpec
from target_highlevel.plan.prediction import note_readers
from target_highlevel.plan.sizes import NoteSizes, downloads

if TYPE_CHECKING:
    from pathlib import Path

NOTES = StreamSpec("hl_notes", "note", "note")


def note(number: int, length: int, **more: Any) -> dict[str, Any]:
    """A mapped note with a text of that length."""
    return {"source_id": f"treatment_notes/{number}", "body": "x" * length, **more}


def test_notes_are_counted_by_their_length() -> None:
    """Of each length, the longest, and the originals that become several; what is left out or refused is none."""
    sizes = NoteSizes()
    for record in (
        note(1, 10),
        note(2, 1_000),
        note(3, 1_001),
        note(4, 4_900, split_count=2),
        {**note(4, 300), "source_id": "treatment_notes/4#2"},
        {**note(7, 60), "body": {"order": "~", "text": "Penicillin"}, "contributor": "medical_alerts/1"},
        note(5, 9, filtered="too_old"),
        note(6, 9, rejected={"reason": "invalid_text"}),
    ):
        sizes.see(NOTES, record)
    sizes.see(StreamSpec("hl_files", "file", "file"), {"source_id": "patient_attachments/1"})
    content = sizes.content()
    assert [(item["up_to"], item["notes"]) for item in content["by_length"]] == [
        (1_000, 2),
        (5_000, 1),
        (20_000, 1),
    ]
    assert (content["notes"], content["longest"], content["characters"]) == (5, 5_200, 7_211)
    assert content["divided"] == 1


def test_everybody_who_is_not_kept_to_their_own_patients_reads_all_notes() -> None:
    """Of whom HighLevel does not say it, nobody knows; e-mails stand there only when they may be shown."""
    logins = [
        User("u1", "ann@example.com", assigned_only=False),
        User("u2", "bob@example.com", assigned_only=True),
        User("u3", ""),
    ]
    assert note_readers(logins) == {
        "everybody": [{"user": "u1", "email": None}],
        "own_patients": [{"user": "u2", "email": None}],
        "not_known": [{"user": "u3", "email": None}],
    }
    shown = note_readers(logins, show_values=True)
    assert [item["email"] for group in shown.values() for item in group] == [
        "ann@example.com",
        "bob@example.com",
        None,
    ]


def test_downloads_are_held_against_the_room_there_is(tmp_path: Path) -> None:
    """The room is that of the disk of the reports, whether their folder is there yet or not."""
    account = {
        "attachments": [{"count": 2, "bytes": 7}, {"count": 1, "bytes": 5}],
        "attachment_bytes_to_download": 5,
    }
    found = downloads(account, str(tmp_path / "not" / "yet"))
    assert found is not None
    free = found.pop("bytes_free")
    assert found == {"files": 3, "bytes": 12, "bytes_to_download": 5, "enough": True}
    too_much = downloads({**account, "attachment_bytes_to_download": free}, str(tmp_path))
    assert too_much is not None
    assert not too_much["enough"]
    assert 0 < free <= shutil.disk_usage(tmp_path).total
    assert downloads(None, str(tmp_path)) is None
