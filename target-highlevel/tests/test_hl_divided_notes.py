"""Notes that are longer than HighLevel was measured to take: they come in parts, whole, in order, once."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from hl_loading import rejects
from hl_mapped import person, record, schemas
from hl_realities import measured
from hl_undoing import differing, dump, undo
from hypothesis import given
from hypothesis import strategies as st

from target_highlevel.marker import is_part, part_id, with_marker, without_last_marker
from target_highlevel.texts import pieces_of, utf16_length

if TYPE_CHECKING:
    from collections.abc import Callable

    from hl_loading import Loader

HEAD = schemas("patients", "treatment_notes")
PEOPLE = [person("patients/1", "Ada", "Lovelace"), person("patients/2", "Bo", "Lovelace")]
NOTE = "treatment_notes/8"
LIMIT = 2000
#: Sentences that can be told apart, so that none is lost or comes twice.
SAID = " ".join(f"Sentence {number} of what was said." for number in range(140))


def note(text: str = SAID, of: str = "patients/1", source: str = NOTE, **more: Any) -> str:
    """Return a note as the mapper gives it."""
    body = {"body": f"{text}\n\ncliniko:{source}", "priority": f"2024-05-01T00:00:00Z 000{source[-1]}"}
    return record("hl_notes", source, contact=of, title="Seen", **{**body, **more})


def there(loader: Loader) -> list[str]:
    """Return the texts of the notes that bear our marker, in the order in which they were made."""
    bodies = [each["body"] for each in loader.sandbox.highlevel.state.notes.values()]
    return [body for body in bodies if re.search(r"\ncliniko:\S+$", body)]


def said(bodies: list[str]) -> str:
    """Return what notes say together, without what parts add."""
    plain = (re.sub(r"^\(continued, part \d+ of \d+\)\n|\n+cliniko:\S+$", "", body) for body in bodies)
    return " ".join(plain)


@pytest.fixture
def narrow(highlevel: Callable[..., Loader]) -> Loader:
    """A sub-account in which a note may have 2,000 characters, as a probe has found."""
    loader = highlevel(note_limit=LIMIT)
    measured(loader, {"note_length": str(LIMIT)})
    return loader


def test_a_long_note_comes_whole_and_in_order(narrow: Loader) -> None:
    """No refusal, nothing cut; a second load asks nothing, a verification knows the parts, and an undo removes them."""
    empty = dump(narrow)
    lines = [*HEAD, *PEOPLE, note(), note("Short.", source="treatment_notes/9")]
    first = narrow.load(lines)
    assert first.code == 0, first.log[-2000:]
    assert "not taken whole" not in first.log
    bodies = there(narrow)
    assert len(bodies) == 4
    assert max(map(utf16_length, bodies)) <= LIMIT
    assert said(bodies) == f"{SAID} Short."
    ids = [body.rpartition("cliniko:")[2] for body in bodies]
    assert ids == [NOTE, f"{NOTE}#10002", f"{NOTE}#10003", "treatment_notes/9"]
    control = narrow.sandbox.highlevel.control
    assert {entry.status for entry in control.requests if entry.write} <= {200, 201}
    control.reset_log()
    assert narrow.load(lines).code == 0
    assert not control.requests
    checked = narrow.load(lines, MODE="verify")
    assert checked.code == 0, checked.report["verification"]
    undo(narrow)
    assert differing(empty, dump(narrow)) == []


@pytest.mark.parametrize("moment", ["after_intent", "after_send", "after_response", "after_crosswalk"])
@pytest.mark.parametrize("at", [1, 3])
def test_a_kill_between_the_parts_doubles_none(moment: str, at: int, narrow: Loader) -> None:
    """Whichever part it strikes, the next run makes what is missing, in order."""
    lines = [*HEAD, *PEOPLE, note()]
    assert narrow.load(lines, CRASH_AT=f"{moment}/note:{at}").code < 0
    assert narrow.load(lines).code == 0
    assert said(there(narrow)) == SAID
    assert narrow.load(lines, MODE="verify").code == 0


def test_what_was_written_under_another_limit_stays_as_it_is(narrow: Loader) -> None:
    """A note of old costs no request, whole or in parts; one that changed is divided by what is known now."""
    old, changed = note(), note(SAID, of="patients/2", source="treatment_notes/9")
    lines = [*HEAD, *PEOPLE, old, changed]
    assert narrow.load(lines).code == 0
    before = there(narrow)
    measured(narrow, {"note_length": "1000"})
    narrow.sandbox.highlevel.state.options.note_limit = 1000
    control = narrow.sandbox.highlevel.control
    control.reset_log()
    assert narrow.load(lines).code == 0
    assert not control.requests
    assert there(narrow) == before
    assert narrow.load(lines, MODE="verify").code == 0
    again = note(f"Now: {SAID}", of="patients/2", source="treatment_notes/9")
    lines = [*HEAD, *PEOPLE, old, again]
    assert narrow.load(lines).code == 0
    assert rejects(narrow) == set()
    assert {body for body in before if "treatment_notes/8" in body} <= set(there(narrow))
    ours = [body for body in there(narrow) if re.search(r"treatment_notes/9(#\d+)?$", body)]
    assert max(map(utf16_length, ours)) <= 1000
    assert sorted(re.findall(r"Sentence \d+ ", said(ours))) == sorted(re.findall(r"Sentence \d+ ", SAID))
    assert narrow.load(lines, MODE="verify").code == 0


def test_a_note_that_becomes_shorter_says_so_on_the_parts_it_had(narrow: Loader) -> None:
    """They bear no marker any more, as with the pieces of a mapper."""
    assert narrow.load([*HEAD, *PEOPLE, note()]).code == 0
    assert narrow.load([*HEAD, *PEOPLE, note("Short.")]).code == 0
    assert said(there(narrow)) == "Short."
    titles = [each["title"] for each in narrow.sandbox.highlevel.state.notes.values()]
    assert sorted(title.partition(":")[0] for title in titles) == [
        "No longer part of the note in Cliniko"
    ] * 2 + ["Seen"]
    assert narrow.load([*HEAD, *PEOPLE, note("Short.")], MODE="verify").code == 0


def test_a_note_that_is_another_patients_now_takes_its_parts_along(narrow: Loader) -> None:
    """As when two patients were merged: on the one it was on, nothing bears its markers any more."""
    assert narrow.load([*HEAD, *PEOPLE, note()]).code == 0
    moved = [*HEAD, *PEOPLE, note(of="patients/2")]
    assert narrow.load(moved).code == 0
    assert said(there(narrow)) == SAID
    assert narrow.load(moved, MODE="verify").code == 0


def test_notes_that_were_cut_before_anybody_measured_stay_until_they_change(
    highlevel: Callable[..., Loader],
) -> None:
    """Unchanged they cost no request; changed they come in parts."""
    loader = highlevel(note_limit=LIMIT)
    lines = [*HEAD, *PEOPLE, note()]
    first = loader.load(lines)
    assert "1 value was not taken whole" in first.log
    before = there(loader)
    measured(loader, {"note_length": str(LIMIT)})
    loader.sandbox.highlevel.control.reset_log()
    assert loader.load(lines).code == 0
    assert not loader.sandbox.highlevel.control.requests
    assert there(loader) == before
    assert loader.load(lines, MODE="verify").code == 0
    assert loader.load([*HEAD, *PEOPLE, note(f"Now: {SAID}")]).code == 0
    assert said(there(loader)) == f"Now: {SAID}"


@given(
    st.text(alphabet=st.sampled_from("ab \n\U0001f469\u200d\U0001f4bb\u0301é"), max_size=300),
    st.integers(20, 60),
)
def test_pieces_say_what_the_text_says(text: str, room: int) -> None:
    """All of it, in order, none longer than there is room for."""
    pieces = pieces_of(text, room)
    assert "".join("".join(pieces).split()) == "".join(text.split())
    assert all(utf16_length(piece) <= room for piece in pieces)


def test_ids_of_parts_are_told_from_those_of_a_mappers_pieces() -> None:
    """Parts of pieces too; the marker stands below the text once."""
    assert part_id(NOTE, 2) == f"{NOTE}#10002"
    assert part_id(f"{NOTE}#3", 2) == f"{NOTE}#30002"
    assert [is_part(each) for each in (NOTE, f"{NOTE}#9999", f"{NOTE}#10002")] == [False, False, True]
    assert without_last_marker(NOTE, with_marker(NOTE, "Well")) == "Well"
    assert without_last_marker(NOTE, "Well") == "Well"
