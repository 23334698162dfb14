"""Recalls: notes to call a patient back, which some accounts serve though no document names them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cliniko_to_highlevel.contacts import CONTACTS, from_nobody
from cliniko_to_highlevel.errors import Filter
from cliniko_to_highlevel.formats import at_hour, joined
from cliniko_to_highlevel.left_out import left_out, marked
from cliniko_to_highlevel.markup import harmless
from cliniko_to_highlevel.people import hidden_at
from cliniko_to_highlevel.streams import BOOLEAN, OF_CONTACT, Output, Stream, plain
from cliniko_to_highlevel.visits import recall

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cliniko_to_highlevel.reference import Reference
    from cliniko_to_highlevel.row import Row

#: A task has a moment. In the afternoon the clinic's day and that of UTC are one, wherever Cliniko is used.
_DUE_HOUR = 15

RECALLS = Stream(
    name="hl_recalls",
    kind="appointment",
    always_task=True,
    description="One task for each recall, due on its day and open as long as Cliniko lists the recall.",
    steering=("contact", "owner_of"),
    when_gone={"completed": True},
    properties={
        "title": plain("Recall, and its kind."),
        "body": plain("Kind, day and when it was noted; the last line is the marker."),
        "starts_at": plain("When it is due: in the afternoon of its day at the clinic, UTC."),
        "owner": OF_CONTACT,
        "completed": plain("Whether it is archived in Cliniko.", BOOLEAN),
    },
)


def from_recall(row: Row, reference: Reference) -> Iterator[Output]:
    """Yield a recall, and what it adds to its patient's contact; one that is archived adds nothing any more."""
    patient, day = row.linked("patient_id", "patients"), row.date("recall_at")
    hidden = hidden_at(row)
    reason = left_out(row, patient, reference, oldest=None, at=None)
    record = RECALLS.blank(row.source_id)
    if not patient:
        yield from_nobody(row)
        yield Output(RECALLS.name, marked(record, Filter.NO_PATIENT))
        return
    counts = day if not reason and not hidden else None
    told = {"source_id": patient, "contributor": row.source_id, "recall": recall(counts, reference)}
    yield Output(CONTACTS.name, told)
    kind = reference.recall_types.get(row.reference("recall_type_id") or "")
    noted = reference.format_time(row.instant("created_at"))
    facts = {"Kind": kind, "Due": day, "Noted in Cliniko": noted}
    lines = [f"{name}: {text}" for name, text in facts.items() if text]
    record |= {
        "contact": patient,
        "owner_of": CONTACTS.ref(patient),
        "title": harmless(joined(": ", "Recall", kind) or ""),
        "body": harmless("\n".join((*lines, f"cliniko:{row.source_id}"))),
        "starts_at": day and at_hour(day, _DUE_HOUR, reference.clinic_zone),
        "completed": hidden is not None,
    }
    yield Output(RECALLS.name, marked(record, reason))
