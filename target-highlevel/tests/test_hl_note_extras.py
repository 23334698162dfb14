"""Notes whose title and pin HighLevel takes and does not show: they are written, and nobody is thought to have emptied them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

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
