"""Notes on contacts: treatment notes, and communications when the clinic wants them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cliniko_to_highlevel.errors import Filter
from cliniko_to_highlevel.formats import joined, local_time, utf16_length
from cliniko_to_highlevel.left_out import left_out, marked
from cliniko_to_highlevel.markup import harmless, readable
from cliniko_to_highlevel.note_text import LONGEST_BODY, pictures_in, sections_text, split
from cliniko_to_highlevel.people import hidden_at
from cliniko_to_highlevel.streams import BOOLEAN, Output, Stream, plain

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cliniko_to_highlevel.reference import Reference
    from cliniko_to_highlevel.row import Row

NOTES = Stream(
    name="hl_notes",
    kind="note",
    description="Notes on patients' contacts.",
    steering=("contact", "split_count", "priority"),
    properties={
        "title": plain("Original date and title."),
        "body": plain(
            "Plain text; it begins with the original date and the author, and ends with the marker."
        ),
        "owner": plain("The author, as a reference to a user."),
        "pinned": plain("Whether it is pinned in Cliniko; null: it is not.", BOOLEAN),
    },
)

#: Codes of Cliniko's API.
_CHANNELS = {1: "SMS", 2: "Email", 3: "Phone call", 4: "Other"}
_DIRECTIONS = {1: "Sent", 2: "Received"}
_TITLE_ROOM = 200


@dataclass(frozen=True, slots=True)
class Note:
    """A note before it is written: what it says, and about whom."""

    contact: str
    title: str
    state: str | None
    author: str | None
    facts: dict[str, str | None]
    text: str
    owner: str | None
    #: When it was written, if not when its record was made.
    written: str | None = None
    pinned: bool = False


def from_treatment_note(row: Row, reference: Reference) -> Iterator[Output]:
    """Yield a treatment note, in several notes when it is too long for one."""
    patient = row.linked("patient_id", "patients")
    reason = _left_out(row, patient, reference, moved=reference.mapping.moves["treatment_notes"])
    if reason and reason is not Filter.HIDDEN:
        yield Output(NOTES.name, marked(NOTES.blank(row.source_id), reason))
        return
    state = _state(row)
    facts = {
        "Practitioner": reference.practitioner_label(row),
        "State": state,
        "Finalised": reference.format_time(row.instant("finalized_at")),
        "Archived": reference.format_time(hidden_at(row)),
        "Pinned": reference.format_time(row.instant("pinned_at")),
        "Pictures": _pictures(row),
        "Booking": joined(", ", row.linked("booking_id", "bookings"), row.linked("attendee_id", "attendees")),
    }
    note = Note(
        contact=patient or "",
        title=row.text("title") or "Treatment note",
        state=None if state == "Final" else f"[{state}]",
        author=row.text("author_name") or reference.practitioner_label(row),
        facts=facts,
        text=sections_text(row.part("content")),
        owner=row.linked("practitioner_id", "practitioners"),
        pinned=row.instant("pinned_at") is not None,
    )
    yield from pieces(note, row, reference, reason)


def from_communication(row: Row, reference: Reference) -> Iterator[Output]:
    """Yield an e-mail, a message or a memo as a note; nothing is ever sent by it."""
    patient = row.linked("patient_id", "patients")
    moves = reference.mapping.moves
    reason = _left_out(row, patient, reference, moved=moves["communications"])
    if not reason and row.flag("confidential") and not moves["confidential_communications"]:
        reason = Filter.CONFIDENTIAL
    if reason and reason is not Filter.HIDDEN:
        yield Output(NOTES.name, marked(NOTES.blank(row.source_id), reason))
        return
    note = Note(
        contact=patient or "",
        title=_communication_title(row),
        state=None,
        author=None,
        facts=_communication_facts(row, reference),
        text=readable(row.text("content")) or "",
        owner=None,
    )
    yield from pieces(note, row, reference, reason)


def _communication_facts(row: Row, reference: Reference) -> dict[str, str | None]:
    return {
        "Channel": joined(", ", _channel(row), _direction(row)),
        "Category": row.text("category") or row.text("category_code"),
        "From": row.text("from"),
        "To": row.text("to"),
        "Confidential": "yes" if row.flag("confidential") else None,
        "About": _about(row),
        "Archived": reference.format_time(hidden_at(row)),
        "Subject": row.text("content_subject"),
    }


def _communication_title(row: Row) -> str:
    what = joined(" ", _channel(row), (_direction(row) or "").lower()) or "Communication"
    return joined(": ", what, row.text("content_subject") or row.text("category")) or what


def _channel(row: Row) -> str | None:
    return row.text("type") or _CHANNELS.get(row.whole("type_code") or 0)


def _direction(row: Row) -> str | None:
    return row.text("direction_description") or _DIRECTIONS.get(row.whole("direction_code") or 0)


def _left_out(row: Row, patient: str | None, reference: Reference, *, moved: bool) -> Filter | None:
    if not moved:
        return Filter.SWITCHED_OFF
    return left_out(row, patient, reference, oldest="oldest_note", at=row.instant("created_at"))


def _state(row: Row) -> str:
    draft = bool(row.flag("draft"))
    if hidden_at(row):
        return "Archived draft" if draft else "Archived"
    return "Draft" if draft else "Final"


def _pictures(row: Row) -> str | None:
    count = pictures_in(row.part("content"))
    return f"{count} (in Cliniko only)" if count else None


def _about(row: Row) -> str | None:
    links = {
        "booking": "bookings",
        "attendee": "attendees",
        "invoice": "invoices",
        "letter": "letters",
        "payment": "payments",
    }
    return joined(", ", *(row.linked(f"{name}_id", resource) for name, resource in links.items()))


def pieces(note: Note, row: Row, reference: Reference, reason: Filter | None) -> Iterator[Output]:
    """Yield the note, or its numbered pieces. Each begins with the date and the author, and ends with its marker.

    Each says the ``reason`` for which it is left out, if there is one.
    """
    written = note.written or row.instant("created_at")
    date = f"{reference.format_time(written)}, {written}" if written else None
    head = _lines({"Date": date, "Author": note.author and harmless(note.author)})
    longest_frame = "\n".join((*head, "Part: 9999/9999", "", "", f"cliniko:{row.source_id}#9999"))
    title = harmless(note.title)[:_TITLE_ROOM]
    full_title = {"Title": note.title if len(title) == _TITLE_ROOM else None}
    whole = harmless("\n".join((*_lines(full_title | note.facts), "", note.text))).strip()
    parts = split(whole, max(LONGEST_BODY - utf16_length(longest_frame), LONGEST_BODY // 2))
    for number, piece in enumerate(parts, start=1):
        source_id = row.source_id if number == 1 else f"{row.source_id}#{number}"
        count = f"{number}/{len(parts)}" if len(parts) > 1 else None
        day = local_time(written, reference.clinic_zone)[:10] if written else None
        record = {
            **NOTES.blank(source_id),
            "contact": note.contact,
            "title": joined(" ", day, title, note.state, count and f"({count})"),
            "body": _framed([*head, *_lines({"Part": count})], piece, source_id),
            "priority": f"{written or '9999'} {number:04}",
            "pinned": note.pinned or None,
            "owner": note.owner and f"user:{note.owner}",
            **({"split_count": len(parts)} if number == 1 else {}),
        }
        yield Output(NOTES.name, marked(record, reason))


def _framed(head: list[str], text: str, source_id: str) -> str:
    """Return a text behind its head lines, with the marker as its last line."""
    return "\n".join(("\n".join((*head, text)).strip(), "", f"cliniko:{source_id}"))


def _lines(facts: dict[str, str | None]) -> list[str]:
    return [f"{name}: {fact}" for name, fact in facts.items() if fact]
