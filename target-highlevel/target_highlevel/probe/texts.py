"""Measures notes and tasks: their texts, titles, order and limits, and what answers for one that is gone."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from target_highlevel.api import endpoints
from target_highlevel.assumptions import assumption
from target_highlevel.objects.on_contact import EXTRAS
from target_highlevel.texts import lines_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from target_highlevel.api.endpoints import Endpoint
    from target_highlevel.probe.asking import Said
    from target_highlevel.probe.own import Own

MARKUP = "a <b>bold</b> word, and b < c"
TITLE = "Probe of the migration"
LONG_AGO = "2010-01-04T09:00:00Z"
#: A text so long that whatever takes it takes any.
_LONGEST = assumption("note_length").tried
#: Lengths at which limits usually are.
_LENGTHS = (250, 500, 1_000, 2_000, 4_000, 5_000, 8_000, 10_000, 16_000, 20_000)


def measure(own: Own) -> None:
    """Measure what hangs on the probe's contact and needs no calendar."""
    first = _first_note(own)
    _order_and_limit(own, first)
    _task_limit(own)
    _field_limit(own)


def _first_note(own: Own) -> str:
    """Make the note with everything and read it back; return its id, empty without one."""
    body = {"body": MARKUP, "title": TITLE, "pinned": True}
    said = own.ask(endpoints.CREATE_NOTE, own.contact, json=body)
    if said.refused:  # and without what it can do without?
        refusal, said = said, own.ask(endpoints.CREATE_NOTE, own.contact, json={"body": MARKUP})
        if said.ok:
            own.found.answer("note_extras", "refused", refusal.told())
    identity = said.identity("note")
    shown = own.ask(endpoints.GET_NOTE, own.contact, identity).part("note") if identity else {}
    if not shown:
        for name in ("text_markup", "note_extras"):
            own.found.unknown(name, f"{said.told()}; no note to read back")
        return identity
    text = str(shown.get("body"))
    if text == MARKUP:
        own.found.answer("text_markup", "as_written", "read back as it was written")
    elif text.startswith("<p"):
        own.found.answer("text_markup", "paragraphs", "read back inside paragraphs")
    elif "<b>" not in text and "bold" in text:
        own.found.answer("text_markup", "stripped", "read back without what stood in angle brackets")
    else:
        own.found.unknown("text_markup", "read back in a form of its own")
    if "note_extras" in own.found.measurements:
        return identity
    kept = shown.get("title") == TITLE and shown.get("pinned") is True
    if not EXTRAS & shown.keys():
        own.found.answer("note_extras", "unseen", "neither title nor pin is read back")
        return identity
    told = f"title {_kept(shown.get('title') == TITLE)}, pin {_kept(shown.get('pinned') is True)}"
    own.found.answer("note_extras", "kept" if kept else "dropped", told)
    return identity


def _kept(yes: bool) -> str:  # noqa: FBT001 - a yes or a no in words
    return "kept" if yes else "lost"


def _order_and_limit(own: Own, first: str) -> None:
    made: list[str] = []

    def note(text: str) -> Said:
        said = own.ask(endpoints.CREATE_NOTE, own.contact, json={"body": text})
        made.append(said.identity("note"))
        return said

    limit(own, "note_length", note, lambda: _read(own, endpoints.GET_NOTE, "note", made[-1]))
    if not any(made):
        note("Another.")
    second = next(filter(None, reversed(made)), "")
    listed = own.ask(endpoints.LIST_NOTES, own.contact)
    order = [row.get("id") for row in listed.rows("notes")]
    if first in order and second in order:
        oldest_first = order.index(first) < order.index(second)
        answer = "oldest_first" if oldest_first else "newest_first"
        own.found.answer("note_order", answer, f"of {len(order)} notes")
    else:
        own.found.unknown("note_order", f"{listed.told()}; not both notes are in the list")
    _missing(own, second)


def _missing(own: Own, note: str) -> None:
    gone = own.ask(endpoints.DELETE_NOTE, own.contact, note) if note else None
    if gone is None or not gone.ok:
        own.found.unknown("missing_thing", "no note could be deleted")
        return
    said = own.ask(endpoints.GET_NOTE, own.contact, note)
    if said.status:
        own.found.answer("missing_thing", str(said.status), said.told())
    else:
        own.found.unknown("missing_thing", "a deleted note is still read")


def _task_limit(own: Own) -> None:
    made = ""

    def task(text: str) -> Said:
        nonlocal made
        body = {"title": TITLE, "dueDate": LONG_AGO, "completed": True, "body": text}
        said = own.ask(endpoints.CREATE_TASK, own.contact, json=body)
        made = said.identity("task")
        return said

    limit(own, "task_length", task, lambda: _read(own, endpoints.GET_TASK, "task", made))


def _read(own: Own, endpoint: Endpoint, envelope: str, identity: str) -> Any:
    """Return the text of a note or a task of the probe's; none where it has no id to be read by."""
    return own.ask(endpoint, own.contact, identity).part(envelope).get("body") if identity else None


def _field_limit(own: Own) -> None:
    if "long text" not in own.fields:
        own.found.unknown("long_text_length", "no field for long texts could be made")
        return
    limit(
        own,
        "long_text_length",
        lambda text: own.write(customFields=[own.value("long text", text)]),
        lambda: own.field_read("long text"),
    )


class _Unclear(Exception):  # noqa: N818 - it is no error
    """What came says nothing of how long a text may be."""


@dataclass
class _Lengths:
    """Tries texts of several lengths, and looks how much of each comes back."""

    write: Callable[[str], Said]
    read: Callable[[], Any]
    #: What was seen, in words.
    seen: list[str] = field(default_factory=list)
    #: Numbers that refusals have named: one may be the limit.
    told: set[int] = field(default_factory=set)
    #: What became of longer texts, as the register calls it.
    beyond: set[str] = field(default_factory=set)

    def kept(self, length: int) -> int:
        """Return how many characters of a text come back; none of one that is refused.

        Raises:
            _Unclear: it was neither refused nor read back.
        """
        text = _text(length)
        said = self.write(text)
        if said.refused:
            self.told |= set(said.error.findings.numbers if said.error else ())
            self.seen.append(f"{length:,} characters: {said.told()}")
            self.beyond.add("refused")
            return 0
        there = " ".join(lines_of(str(self.read() or ""))) if said.ok else ""
        if not there or not text.startswith(there):
            self.seen.append(f"{length:,} characters: {said.told()}, not read back")
            raise _Unclear
        cut = len(there) < length
        self.seen.append(f"{length:,} characters accepted{f', {len(there):,} read back' if cut else ''}")
        self.beyond |= {"cut"} if cut else set()
        return len(there)

    def longest(self) -> int:
        """Return the longest that comes back whole, of those that are likely to be the limit; 0 where all are refused."""
        longest = self.kept(_LONGEST)
        steps = sorted({*_LENGTHS, *(number for number in self.told if number < _LONGEST)})
        low, high = 0, 0 if longest else len(steps)
        while low < high:
            middle = (low + high) // 2
            kept = self.kept(steps[middle])
            longest = max(longest, kept)
            low, high = (middle + 1, high) if kept == steps[middle] else (low, middle)
        return longest


def limit(own: Own, name: str, write: Callable[[str], Said], read: Callable[[], Any]) -> None:
    """Find out how long a text may be.

    Args:
        own: what the probe has made.
        name: the question.
        write: writes a text.
        read: reads back what was written last.
    """
    lengths = _Lengths(write, read)
    try:
        longest = lengths.longest()
    except _Unclear:
        longest = 0
    if longest:
        answer = "unlimited" if longest == _LONGEST else str(longest)
        own.found.answer(name, answer, "; ".join(lengths.seen))
        _say_what_becomes_of_longer(own, lengths)
    else:
        own.found.unknown(name, "; ".join(lengths.seen))


def _say_what_becomes_of_longer(own: Own, lengths: _Lengths) -> None:
    """Answer that for all places: where one cuts, a text can be lost without a word."""
    known = own.found.measurements.get("longer_texts")
    if "cut" in lengths.beyond or (lengths.beyond and known is None):
        answer = "cut" if "cut" in lengths.beyond else "refused"
        own.found.answer("longer_texts", answer, "; ".join(lengths.seen))
    else:
        own.found.unknown("longer_texts", "no text was too long")


def _text(length: int) -> str:
    """Return a text without a blank, of which nothing is lost at its end but by cutting it."""
    return ("What-a-probe-writes." * (length // 20 + 1))[:length]
