"""Patients' completed forms: a note with questions and answers, and each signature as a file."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from typing import TYPE_CHECKING

from cliniko_to_highlevel.contacts import at_business, from_nobody
from cliniko_to_highlevel.errors import Filter, Reason, RecordError
from cliniko_to_highlevel.files import FILES, attached_name
from cliniko_to_highlevel.formats import joined
from cliniko_to_highlevel.left_out import left_out, marked
from cliniko_to_highlevel.note_text import sections_text
from cliniko_to_highlevel.notes import NOTES, Note, pieces
from cliniko_to_highlevel.people import hidden_at
from cliniko_to_highlevel.row import Row
from cliniko_to_highlevel.streams import Output

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cliniko_to_highlevel.reference import Reference

_IMAGE = re.compile(r"data:([\w.+/-]+)(?:;[\w=-]+)*;base64,(.*)", re.DOTALL)
_EXTENSIONS = {"image/png": ".png", "image/jpeg": ".jpg", "image/gif": ".gif", "image/svg+xml": ".svg"}


def from_form(row: Row, reference: Reference) -> Iterator[Output]:
    """Yield a completed form as a note; one that nobody has filled in yet is counted."""
    patient = row.linked("patient_id", "patients")
    completed = row.instant("completed_at")
    reason = _left_out(row, patient, completed, reference)
    name = _name(row)
    if reason and reason is not Filter.HIDDEN:
        yield Output(NOTES.name, marked(NOTES.blank(row.source_id), reason))
        if not patient:
            yield from_nobody(row)
        return
    facts = {
        "Form": name,
        "Edited by staff": reference.format_time(row.instant("edited_at")),
        "Restricted to the practitioner in Cliniko": "yes"
        if row.flag("restricted_to_practitioner")
        else None,
        "Archived": reference.format_time(hidden_at(row)),
        "Location": reference.location(row.reference("business_id")),
        "Booking": joined(", ", row.linked("booking_id", "bookings"), row.linked("attendee_id", "attendees")),
    }
    note = Note(
        contact=patient or "",
        title=f"Form: {name}",
        state="[Archived]" if hidden_at(row) else None,
        author=None,
        facts=facts,
        text=sections_text(row.part("content")),
        owner=None,
        written=completed,
    )
    yield from pieces(note, row, reference, reason)
    if not reason:
        yield from at_business(row, patient)


def _name(row: Row) -> str:
    return row.text("name") or "Patient form"


def _left_out(row: Row, patient: str | None, completed: str | None, reference: Reference) -> Filter | None:
    if not reference.mapping.moves["patient_forms"]:
        return Filter.SWITCHED_OFF
    if not completed:
        return Filter.NOT_COMPLETED
    return left_out(row, patient, reference, oldest="oldest_note", at=completed)


def from_signature(row: Row, reference: Reference) -> Iterator[Output]:
    """Yield the picture of a signature on a form, of which its record tells, as a file of the patient.

    Raises:
        RecordError: the picture cannot be read.
    """
    record: dict[str, object] = {**FILES.blank(row.source_id)}
    form = Row("patient_forms", row.part("patient_form").values)
    patient = form.linked("patient_id", "patients")
    if not reference.mapping.moves["files"] or not reference.mapping.moves["patient_forms"]:
        yield Output(FILES.name, record | {"filtered": Filter.SWITCHED_OFF.value})
        return
    completed = form.instant("completed_at")
    reason = _left_out(form, patient, completed, reference) if patient else Filter.NO_PATIENT
    if reason:
        yield Output(FILES.name, record | {"filtered": reason.value})
        return
    mime_type, image = _picture(row)
    behind = joined(" ", reference.local_date(row.instant("created_at")), f"cliniko:{row.source_id}") or ""
    record |= {
        "contact": patient,
        "file_content": base64.b64encode(image).decode(),
        "file_name": attached_name(f"Signature on {_name(form)}", behind, _EXTENSIONS.get(mime_type, "")),
        "file_size": len(image),
        "file_sha256": hashlib.sha256(image).hexdigest(),
        "mime_type": mime_type,
        "zip": False,
        "zip_others": reference.mapping.moves["other_file_types"],
    }
    yield Output(FILES.name, record)


def _picture(row: Row) -> tuple[str, bytes]:
    found = _IMAGE.fullmatch((row.text("image") or "").strip())
    try:
        content = base64.b64decode("".join(found.group(2).split()), validate=True) if found else b""
    except binascii.Error:
        content = b""
    if not found or not content:
        raise RecordError(Reason.INVALID_TEXT, "image")
    return found.group(1).lower(), content
