"""Our marker: the words by which a task, note, appointment or file says which record of Cliniko it is.

It counts in its own place only: alone in the last line of a text, last in the name of a file before its ending. Somebody's own
note that quotes one of ours has it elsewhere, and is never taken for ours.

Earlier versions put it first. There it still counts where what followed it then follows it now.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from target_highlevel.texts import lines_of, utf16_length

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_MARKER = re.compile(r"cliniko:([a-z_]+/\d+(?:#\d+)?)")
#: What followed the marker in texts of earlier versions: the first of the facts, with its name.
_FACT = re.compile(r"(?:Date|Author|Part|Title|Status|Type|Cancelled|Removed|Case): ")
#: In a file's name, with a server's replacement for odd signs: last before the ending, or first as earlier versions had it.
_FILE = r"cliniko[^0-9A-Za-z]+(patient_attachments|signatures)[^0-9A-Za-z]+(\d+)"
_FILE_ENDS = re.compile(rf"(?:^|[^0-9A-Za-z]){_FILE}(?:\.\w+)*$")
_FILE_BEGINS = re.compile(rf"^{_FILE}(?![0-9A-Za-z])")
#: What a server leaves that cuts a name at its last slash: the id, then what came after it.
_FILE_CUT = re.compile(r"^(\d+) \d{4}-\d\d-\d\d(?: |\.)|^(\d{5,})(?:\.\w{1,5}){0,3}$")

#: What a text says that had to be cut, and how long it must be to say so.
_CUT = "[Cut here: HighLevel takes no longer text.]"
_WITH_WORDS = 400


def marker(source_id: str) -> str:
    """Return the marker of a record."""
    return f"cliniko:{source_id}"


def marked(text: str | None) -> str | None:
    """Return the source id that a text carries in the marker's own place, if any."""
    lines = lines_of(text or "")
    if not lines:
        return None
    found = _MARKER.fullmatch(lines[-1])
    if found is None and len(lines) > 1 and _FACT.match(lines[1]):
        found = _MARKER.fullmatch(lines[0])
    return found.group(1) if found else None


_TITLE = re.compile(r".*\bcliniko:([a-z_]+/\d+(?:#\d+)?)", re.DOTALL)


def titled(source_id: str, title: str | None) -> str:
    """Return a title with the marker behind it, for what has no text."""
    return " ".join(filter(None, (title, marker(source_id))))


def marked_title(title: str | None) -> str | None:
    """Return the source id that a title ends in, if any."""
    found = _TITLE.fullmatch(title or "")
    return found.group(1) if found else None


def with_marker(source_id: str, text: str | None, *more: str | None) -> str:
    """Return the parts of a text in lines of their own, and below them the marker, at whichever end of the first part it was."""
    ours = marker(source_id)
    lines = str(text or "").split("\n")
    if lines[0].strip() == ours:
        del lines[0]
    if lines and lines[-1].strip() == ours:
        del lines[-1]
    parts = ("\n".join(lines), *more, ours)
    return "\n".join(part for part in parts if part)


#: By so much the numbers of a mapper's pieces of one note are apart, where each of them is divided again.
_APART = 10_000


def part_id(source_id: str, number: int) -> str:
    """Return the id of a further part of a note, or of a piece that a mapper has made of one: ``#10002`` of the first piece."""
    note, _, piece = source_id.partition("#")
    return f"{note}#{int(piece or 1) * _APART + number}"


def is_part(source_id: str) -> bool:
    """Return whether an id is one of a further part."""
    piece = source_id.partition("#")[2]
    return piece.isdecimal() and int(piece) >= _APART


def without_last_marker(source_id: str, text: str) -> str:
    """Return a text of ours without the marker below it."""
    above, _, last = text.rstrip().rpartition("\n")
    return above.rstrip() if last.strip() == marker(source_id) else text


def in_its_place(text: Any) -> Any:
    """Return a text of ours with its marker last, where an earlier version has put it first; anything else as it is."""
    found = marked(text) if isinstance(text, str) else None
    return with_marker(found, text) if found and text.split("\n", 1)[0].strip() == marker(found) else text


def without_marker(text: str, instead: str) -> str:
    """Return a text of ours with something else in the place of its marker."""
    found = marked(text)
    head, _, tail = text.rpartition(marker(found)) if found else (text, "", "")
    return f"{head}{instead}{tail}" if found else text


def cut(text: str, longest: int) -> str:
    """Return the beginning of a text, with its marker where it carries one: as many UTF-16 units as it may have at most.

    Where there is room it says that it was cut.
    """
    found = marked(text)
    end = f"\n{marker(found)}" if found else ""
    end = f"\u2026\n{_CUT}{end}" if longest > _WITH_WORDS else f"\u2026{end}"
    room = longest - utf16_length(end)
    return text.encode("utf-16-le")[: 2 * max(room, 0)].decode("utf-16-le", "ignore").rstrip() + end


def originals(items: Iterable[tuple[str | None, Mapping[str, Any]]]) -> dict[str, Mapping[str, Any]]:
    """Return, for each source id, the item that bears its marker; of several the oldest, for a copy is made later."""
    found: dict[str, Mapping[str, Any]] = {}
    for source_id, item in items:
        if source_id and (source_id not in found or _made(item) < _made(found[source_id])):
            found[source_id] = item
    return found


def _made(item: Mapping[str, Any]) -> str:
    return str(item.get("dateAdded") or "")


def attachment_of(name: str) -> str | None:
    """Return the attachment or signature that a file's name says it is: by the marker, or by what a server has left of it.

    A number alone does not do: ``12 month review.pdf`` is somebody's own.
    """
    found = _FILE_ENDS.search(name) or _FILE_BEGINS.search(name)
    if found is not None:
        return f"{found.group(1)}/{found.group(2)}"
    cut = _FILE_CUT.match(name)
    return f"patient_attachments/{cut.group(cut.lastindex or 1)}" if cut else None
