"""Notes whose title and pin HighLevel does not show, does not keep or refuses: nobody is thought to have emptied them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hl_loading import rejects
from hl_mapped import person, record, schemas
from hl_undoing import differing, dump, loads, spared, undo

if TYPE_CHECKING:
    from conftest import StartHighLevel

HEAD = schemas("patients", "treatment_notes")
BOTH = [person("patients/1", "Ada", "Lovelace"), person("patients/2", "Ada", "King")]


def note(patient: int, **more: Any) -> str:
    """Return the RECORD line of a pinned note."""
    body = "text\ncliniko:treatment_notes/7"
    own = {"contact": f"patients/{patient}", "title": "Note", "pinned": True, "body": body}
    return record("hl_notes", "treatment_notes/7", **{**own, **more})


def test_title_and_pin_that_are_not_shown(highlevel: StartHighLevel) -> None:
    """Nobody has measured it. A new title is no conflict, a note that moves is taken back, and each run is undone."""
    loader = highlevel()
    loader.settings["OVERWRITE"] = "never"
    state = loader.sandbox.highlevel.state
    state.options.shapes = frozenset({"notes_without_extras"})
    empty = dump(loader)
    loads(loader, [*HEAD, *BOTH, note(2)])
    loads(loader, [*HEAD, *BOTH, note(2, title="Another")])
    (there,) = state.notes.values()
    assert (there["title"], there["pinned"]) == ("Another", True)
    loads(loader, [*HEAD, *BOTH, note(2, title="Another")], MODE="verify")
    before = dump(loader)
    loads(loader, [*HEAD, *BOTH, note(1, title="Another")])
    loads(loader, [*HEAD, *BOTH, note(1, title="Another")], MODE="verify")
    assert rejects(loader) == set()
    undo(loader)
    assert differing(before, dump(loader)) == []
    for _ in range(2):
        undo(loader)
        assert spared(loader) == {}
    assert differing(empty, dump(loader)) == []


@pytest.mark.parametrize(("answer", "found"), [("drop", 5), ("refuse", 0)])
def test_title_and_pin_that_are_not_kept(answer: str, found: int, highlevel: StartHighLevel) -> None:
    """Nobody has measured it: what HighLevel did with them is no person's change, and the undo takes everything."""
    loader = highlevel(note_extras=answer)
    empty, lines = dump(loader), [*HEAD, *BOTH, note(1)]
    loads(loader, lines)
    assert loader.load(lines, MODE="verify").code == found
    undo(loader)
    assert spared(loader) == {}
    assert differing(empty, dump(loader)) == []


@pytest.mark.parametrize(
    ("edit", "stays"),
    [
        ({"title": "", "pinned": False}, False),
        ({"title": "Call back"}, True),
        ({"title": "", "body": "A word of the practitioner's\ncliniko:treatment_notes/7"}, True),
    ],
)
def test_only_an_emptied_title_costs_a_note_nothing(
    edit: dict[str, Any], *, stays: bool, highlevel: StartHighLevel
) -> None:
    """It looks like one that HighLevel did not keep, and nothing that a person wrote is lost with it."""
    loader = highlevel()
    loads(loader, [*HEAD, *BOTH, note(1)])
    state = loader.sandbox.highlevel.state
    (hl_id,) = state.notes
    state.damage.edit("notes", hl_id, **edit)
    undo(loader)
    assert bool(state.notes) == stays
    assert (("note", "treatment_notes/7") in spared(loader)) == stays


def test_a_pin_that_comes_later_is_no_conflict(highlevel: StartHighLevel) -> None:
    """A note that never was pinned is read back as one that is not: nobody has said so."""
    loader = highlevel()
    loader.settings["OVERWRITE"] = "never"
    loads(loader, [*HEAD, *BOTH, note(1, pinned=None)])
    loads(loader, [*HEAD, *BOTH, note(1)])
    (there,) = loader.sandbox.highlevel.state.notes.values()
    assert there["pinned"] is True
    loads(loader, [*HEAD, *BOTH, note(1)], MODE="verify")
