"""Notes that are longer than HighLevel takes come in parts, where it is known how long one may be when they are received.

A part is a record of its own, found again by its own marker. How a note was divided stays as it is until the note itself changes:
a limit that was measured anew makes nobody's old notes new.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

from target_highlevel.assumptions import question
from target_highlevel.fields import is_written
from target_highlevel.marker import cut, part_id, with_marker, without_last_marker
from target_highlevel.objects.on_contact import Note
from target_highlevel.texts import pieces_of, utf16_length

if TYPE_CHECKING:
    from collections.abc import Iterator

    from target_highlevel.assumptions import Known
    from target_highlevel.descriptor import Incoming
    from target_highlevel.ledger.ledger import Ledger
    from target_highlevel.ledger.work import Work

_QUESTION = question("note_length")
_PLACE = f"{Note.api}.body"
#: Below this a part would hold little but its marker: then the text is cut.
_SHORTEST = 200
#: What the later parts begin with, and the room for it and for a marker's number.
_CONTINUED = "(continued, part {number} of {count})"
_ROOM_FOR_IT = 60


class Division:
    """Divides what is received. One thread uses it at a time."""

    def __init__(self, ledger: Ledger, work: Work, known: Known) -> None:
        """Go by what is known of one sub-account, and by how its notes were divided before."""
        self._ledger = ledger
        self._work = work
        self._known = known
        self._fact = f"note_lengths:{ledger.location}"
        self._used: list[int] = json.loads(ledger.fact(self._fact) or "[]")

    def parts(self, item: Incoming) -> list[Incoming]:
        """Return a note as the records that it becomes: itself, if it is not too long."""
        body = item.fields.get("body")
        longest = self._known.longest(_QUESTION, _PLACE)
        lengths = [length for length in {longest, *self._used} if length is not None and length >= _SHORTEST]
        if not isinstance(body, str) or not lengths or utf16_length(body) <= min(lengths):
            return [item]
        chosen = self._chosen(item, body, longest, lengths)
        texts = _texts(item.source_id, body, chosen)
        if len(texts) == 1:
            return [item]
        self._note_used(chosen)
        return list(_divided(item, texts))

    def _chosen(self, item: Incoming, body: str, longest: int | None, lengths: list[int]) -> int | None:
        """Return how long the parts of a note are: as they were written, if it says the same as then."""
        row = self._work.row(item.ref)
        mark = row.written.get("body") if row is not None else None
        if mark is None:
            return longest
        whole = with_marker(item.source_id, body)
        salt = self._ledger.salt
        if any(is_written(mark, text, salt) for text in (whole, *(cut(whole, length) for length in lengths))):
            return None
        for length in lengths:
            if is_written(mark, with_marker(item.source_id, _texts(item.source_id, body, length)[0]), salt):
                return length
        return longest

    def _note_used(self, length: int | None) -> None:
        """Keep a length before the first part of it is received: a later run has to know it."""
        if length is not None and length not in self._used:
            self._used.append(length)
            self._ledger.remember(self._fact, json.dumps(self._used))


def _texts(source_id: str, body: str, longest: int | None) -> list[str]:
    """Return a note's text in parts that fit with their marker, without it; the whole in one where there is no limit."""
    if longest is None or longest < _SHORTEST or utf16_length(body) <= longest:
        return [body]
    frame = utf16_length(with_marker(part_id(source_id, 9999), None)) + _ROOM_FOR_IT
    return pieces_of(without_last_marker(source_id, body), longest - frame)


def _divided(item: Incoming, texts: list[str]) -> Iterator[Incoming]:
    count = len(texts)
    for number, text in enumerate(texts, start=1):
        source_id = item.source_id if number == 1 else part_id(item.source_id, number)
        begun = "" if number == 1 else f"{_CONTINUED.format(number=number, count=count)}\n"
        title = item.fields.get("title")
        fields = {
            **item.fields,
            **({"title": f"{title} [{number}/{count}]"} if title else {}),
            "body": with_marker(source_id, f"{begun}{text}"),
        }
        yield replace(
            item,
            source_id=source_id,
            fields=fields,
            priority=f"{item.priority or ''}.{number:04}" if number > 1 else item.priority,
            pieces=item.pieces if number == 1 else None,
            parts=count if number == 1 else None,
        )
