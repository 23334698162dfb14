"""What a verification missed in HighLevel comes back, once, and what people did there is not written over unasked."""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING

import pytest
from hl_damage import Vandal, read_crosswalk, read_differences

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from hl_loading import Clinic, Loaded, Loader


def newest(loader: Loader) -> Path:
    """Return the folder of the newest report."""
    return max((loader.folder / "reports").iterdir())


def verify(loader: Loader, lines: list[str]) -> Loaded:
    """Compare both sides once the search has caught up."""
    time.sleep(loader.sandbox.highlevel.state.options.search_lag)
    return loader.load(lines, MODE="verify")


@pytest.fixture
def damaged(highlevel: Callable[..., Loader], small_clinic: Clinic) -> tuple[Loader, Vandal]:
    """A clinic in HighLevel, and somebody who can do damage there."""
    loader = highlevel()
    small_clinic.restore(loader)
    return loader, Vandal(loader.sandbox, read_crosswalk(newest(loader)), random.Random(5))  # noqa: S311 - damage


def test_everything_comes_back_when_it_is_asked_for(
    damaged: tuple[Loader, Vandal], small_clinic: Clinic
) -> None:
    """Deleted contacts, notes, tasks, records, links and files are made again, other values written back; nothing twice."""
    loader, vandal = damaged
    ways = (
        vandal.change_contact, vandal.change_record, vandal.change_note, vandal.change_task, vandal.flip_task,
        vandal.delete_note, vandal.delete_task, vandal.delete_record, vandal.remove_relation, vandal.remove_file,
        vandal.delete_contact,
    )  # fmt: skip
    assert None not in [way() for way in ways]
    assert verify(loader, small_clinic.lines).code == 5
    assert loader.load(small_clinic.lines).report["totals"]["created"] == 0  # a load alone mends nothing
    assert verify(loader, small_clinic.lines).code == 5

    shown = loader.tool("repair", "--values")
    assert shown.returncode == 0, shown.stderr
    assert "nothing was changed" in shown.stderr
    assert "that the ledger knows" not in shown.stderr
    assert loader.tool("repair", "--values", "--yes").returncode == 0
    mended = loader.load(small_clinic.lines)
    assert mended.code == 0, mended.log[-2000:]
    assert mended.report["closes_to_zero"]
    assert mended.report["conflicts"]["count"] > 0  # what was written over is told
    again = verify(loader, small_clinic.lines)
    assert again.code == 0, read_differences(newest(loader))
    assert loader.sandbox.highlevel.state.doubles() == {}
    nothing = loader.tool("repair")
    assert (nothing.returncode, "found no differences" in nothing.stderr) == (0, True)
    control = loader.sandbox.highlevel.control
    control.reset_log()
    assert loader.load(small_clinic.lines).code == 0
    assert not any(request.write for request in control.requests)


def test_what_people_changed_stays_and_what_they_took_out_of_the_list(
    damaged: tuple[Loader, Vandal], small_clinic: Clinic
) -> None:
    """Without --values only what is missing comes back, but for the lines that somebody has taken out of the table."""
    loader, vandal = damaged
    state = loader.sandbox.highlevel.state
    notes = sorted(state.notes)[:3]
    bodies = [state.notes[one]["body"] for one in notes]
    for one in notes[:2]:
        state.damage.delete("notes", one)
    vandal.damage.edit("notes", notes[2], body=f"{bodies[2]}\nand more")
    assert verify(loader, small_clinic.lines).code == 5
    table = newest(loader) / "differences.csv"
    left_out = vandal.crosswalk[notes[0]][0][1]
    lines = table.read_text(encoding="utf-8").splitlines(keepends=True)
    table.write_text("".join(line for line in lines if not line.startswith(f"{left_out},")), encoding="utf-8")
    marked = loader.tool("repair", "--yes")
    assert "marked 1 record;" in marked.stderr
    assert loader.load(small_clinic.lines).code == 0
    there = [note["body"] for note in state.notes.values()]
    assert [there.count(body) for body in bodies] == [0, 1, 0]
    assert there.count(f"{bodies[2]}\nand more") == 1


def test_rows_that_are_not_understood_are_named(damaged: tuple[Loader, Vandal], small_clinic: Clinic) -> None:
    """Somebody's capitals, or a quotation mark that makes one cell of several rows: what marks nothing says so."""
    loader, _ = damaged
    state = loader.sandbox.highlevel.state
    for note in sorted(state.notes)[:3]:
        state.damage.delete("notes", note)
    assert verify(loader, small_clinic.lines).code == 5
    table = newest(loader) / "differences.csv"
    head, *lines = table.read_text(encoding="utf-8").splitlines()
    rows = [line for line in lines if ",missing," in line]
    source, object_, rest = rows[1].split(",", 2)
    table.write_text("\n".join([head, rows[0], f"{source},{object_.upper()},{rest}", rows[2].capitalize()]))
    shown = loader.tool("repair")
    assert "marks 1 record; 2 rows of differences.csv mark nothing" in shown.stderr
    assert "knows: 3, 4 (" in shown.stderr
    table.write_text("\n".join([head, f'{rows[0]}"', *rows[1:]]) + '"')
    shown = loader.tool("repair")
    assert "marks 0 records; 1 row of differences.csv marks nothing" in shown.stderr
    table.write_text("\n".join([head, rows[0], f'"{rows[1]}', rows[2]]))
    shown = loader.tool("repair")
    assert shown.returncode == 2
    assert "the quotation marks of row 3 do not pair" in shown.stderr
    table.write_text("\n".join([f'{head},"remark', *rows]))
    assert loader.tool("repair").returncode == 2


def test_what_somebody_put_back_meanwhile_is_found(
    damaged: tuple[Loader, Vandal], small_clinic: Clinic
) -> None:
    """A note that came out of HighLevel's bin between repair and load is taken as it is, not made a second time."""
    loader, _ = damaged
    state = loader.sandbox.highlevel.state
    account = state.main
    note = min(state.notes)
    kept = dict(state.notes[note])
    state.damage.delete("notes", note)
    assert verify(loader, small_clinic.lines).code == 5
    assert loader.tool("repair", "--yes").returncode == 0
    account.notes[note] = kept
    account.add_child("notes", kept["contactId"], note)
    assert loader.load(small_clinic.lines).code == 0
    assert state.doubles() == {}
    assert state.notes[note]["body"] == kept["body"]
    assert verify(loader, small_clinic.lines).code == 0


def test_what_somebody_changed_in_what_came_back_is_theirs(
    damaged: tuple[Loader, Vandal], small_clinic: Clinic
) -> None:
    """A contact put back with another city keeps it where the setting says so, and is not taken for a contact we made."""
    loader, _ = damaged
    state = loader.sandbox.highlevel.state
    account = state.main
    contact = next(
        identity
        for identity, there in sorted(state.contacts.items())
        if there.get("city") and not account.children_of("notes", identity)
    )
    kept = dict(state.contacts[contact])
    state.damage.delete("contacts", contact)
    assert verify(loader, small_clinic.lines).code == 5
    assert loader.tool("repair", "--yes").returncode == 0
    account.put_contact({**kept, "city": "Elsewhere"}, time.time(), lag=0.0)
    loaded = loader.load(small_clinic.lines, OVERWRITE="never")
    assert loaded.code == 0, loaded.log[-2000:]
    assert state.doubles() == {}
    assert state.contacts[contact]["city"] == "Elsewhere"
    assert loaded.report["conflicts"]["count"] > 0


def test_an_outdated_verification_is_no_ground(damaged: tuple[Loader, Vandal], small_clinic: Clinic) -> None:
    """Without a verification, or when something was written since, nothing is marked, and the line says what to do."""
    loader, vandal = damaged
    nothing = loader.tool("repair", "--yes")
    assert (nothing.returncode, "target-highlevel-verify" in nothing.stderr) == (2, True)
    vandal.delete_note()
    assert verify(loader, small_clinic.lines).code == 5
    assert loader.tool("rollback", "--yes").returncode == 0
    late = loader.tool("repair", "--yes")
    assert (late.returncode, "has written since" in late.stderr) == (2, True)
