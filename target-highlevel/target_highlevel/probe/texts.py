"""Measures notes and tasks: their texts, titles, order and limits, and what answers for one that is gone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from target_highlevel.api import endpoints

if TYPE_CHECKING:
    from collections.abc import Callable

    from target_highlevel.probe.asking import Said
    from target_highlevel.probe.own import Own

MARKUP = "a <b>bold</b> word, and b < c"
TITLE = "Probe of the migration"
LONG_AGO = "2010-01-04T09:00:00Z"
_LENGTHS = (20_001, 5_001, 5_000, 2_000)


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
    identity = str(said.part("note").get("id") or "")
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
    told = f"title {_kept(shown.get('title') == TITLE)}, pin {_kept(shown.get('pinned') is True)}"
    own.found.answer("note_extras", "kept" if kept else "dropped", told)
    return identity


def _kept(yes: bool) -> str:  # noqa: FBT001 - a yes or a no in words
    return "kept" if yes else "lost"


def _order_and_limit(own: Own, first: str) -> None:
    second = ""

    def note(length: int) -> Said:
        nonlocal second
        said = own.ask(endpoints.CREATE_NOTE, own.contact, json={"body": _text(length)})
        second = str(said.part("note").get("id") or second)
        return said

    _limit(own, "note_length", note)
    if not second:
        note(10)
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
    def task(length: int) -> Said:
        body = {"title": TITLE, "dueDate": LONG_AGO, "completed": True, "body": _text(length)}
        return own.ask(endpoints.CREATE_TASK, own.contact, json=body)

    _limit(own, "task_length", task)


def _field_limit(own: Own) -> None:
    if "long text" not in own.fields:
        own.found.unknown("long_text_length", "no field for long texts could be made")
        return

    def write(length: int) -> Said:
        return own.write(customFields=[own.value("long text", _text(length))])

    _limit(own, "long_text_length", write)


def _limit(own: Own, name: str, write: Callable[[int], Said]) -> None:
    limit(own, name, write)


def limit(own: Own, name: str, write: Callable[[int], Said]) -> None:
    """Find the longest text that is accepted; the register's numbers lie one below those that are tried."""
    refused = ""
    for length in _LENGTHS:
        said = write(length)
        if said.ok:
            longest = {20_001: "unlimited", 5_001: "20000"}.get(length, str(length))
            evidence = f"{refused}{length:,} characters accepted"
            own.found.answer(name, longest, evidence)
            return
        if not said.refused:
            own.found.unknown(name, said.told())
            return
        refused = f"{length:,} characters: {said.told()}; "
    own.found.unknown(name, f"{refused}nothing shorter was tried")


def _text(length: int) -> str:
    return ("What a probe writes. " * (length // 21 + 1))[:length]
