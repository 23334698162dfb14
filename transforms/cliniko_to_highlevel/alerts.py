"""Medical alerts: in a field and a tag of the contact, on the profile, and in one pinned note of the patient."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cliniko_to_highlevel.contacts import CONTACTS
from cliniko_to_highlevel.errors import Filter
from cliniko_to_highlevel.left_out import left_out
from cliniko_to_highlevel.markup import harmless, readable
from cliniko_to_highlevel.people import hidden_at
from cliniko_to_highlevel.profiles import PROFILES, line_of
from cliniko_to_highlevel.streams import BOOLEAN, LINE, Output, Property, Stream, plain

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cliniko_to_highlevel.reference import Reference
    from cliniko_to_highlevel.row import Row

ALERT_NOTES = Stream(
    name="hl_medical_alert_notes",
    kind="note",
    description="One pinned note for each patient with medical alerts in force.",
    steering=("contributor", "contact"),
    turn="with_people",
    properties={
        "title": plain("Says what it is."),
        "body": Property(
            LINE,
            "One line for each alert in force; the last one is the marker.",
            {"field": "plain", "fold": "lines"},
        ),
        "pinned": plain("Always: an alert is to be seen first.", BOOLEAN),
    },
)

_TITLE = "Medical alerts"
#: Where a line of the note comes: after every moment.
_LAST = "~"


def from_alert(row: Row, reference: Reference) -> Iterator[Output]:
    """Yield what an alert adds to contact, profile and note; an archived one, which warns no more, is taken back."""
    patient = row.linked("patient_id", "patients") or ""
    reason = left_out(row, patient, reference, oldest=None, at=None)
    line = None if reason else line_of(row, None if hidden_at(row) else readable(row.text("name")))
    if not line:
        gone = {"filtered": (reason or Filter.NOT_IN_FORCE).value}
        for stream in (PROFILES, CONTACTS, ALERT_NOTES):
            yield _partial(stream.name, patient or row.source_id, row.source_id, gone)
        return
    yield _partial(PROFILES.name, patient, row.source_id, {"medical_alerts": line})
    tags = reference.mapping.tag("medical_alert")
    yield _partial(CONTACTS.name, patient, row.source_id, {"cliniko_medical_alerts": line, "tags": tags})
    yield Output(
        ALERT_NOTES.name,
        {**ALERT_NOTES.blank(patient), "contact": patient, "title": _TITLE, "pinned": True},
    )
    yield _partial(
        ALERT_NOTES.name, patient, patient, {"body": {"order": _LAST, "text": f"cliniko:{patient}"}}
    )
    yield _partial(
        ALERT_NOTES.name, patient, row.source_id, {"body": {**line, "text": harmless(line["text"])}}
    )


def _partial(stream: str, patient: str, contributor: str, facts: dict[str, Any]) -> Output:
    return Output(stream, {"source_id": patient, "contributor": contributor, **facts})
