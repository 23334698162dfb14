"""What a clinic calls patients back by: visits, recalls and sums of invoices, as fields of the contact.

The mapping has no clock. It says of each booking, recall and invoice what it adds; the target folds that with the present
moment, and again when time alone has changed it: when the next visit has begun.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cliniko_to_highlevel.formats import end_of_day, local_time
from cliniko_to_highlevel.streams import STRING, JsonSchema, Property, custom

if TYPE_CHECKING:
    from cliniko_to_highlevel.reference import Reference
    from cliniko_to_highlevel.reference_types import Booking

#: A patient whom nobody has booked, billed or recalled has these fields too.
_PATIENTS = ("patients",)
#: The moment from which on it is past, and the day at the location as a person reads it.
_DATED = {"at": {"type": "string"}, "day": {"type": "string"}}


def _fact(json: JsonSchema, description: str) -> Property:
    """Declare what a record adds; it is folded into fields and written nowhere itself."""
    return Property(json, description, {"field": "fact"})


def _dated(**more: JsonSchema) -> JsonSchema:
    required = ["at", "day", *more]
    properties = {**_DATED, **more, "type": STRING}
    return {"type": ["object", "null"], "properties": properties, "required": required}


def _folded(label: str, description: str, kind: str, fold: str, of: str) -> Property:
    return custom(label, description, kind=kind, fold=fold, of=of, always_of=_PATIENTS)


VISIT_FIELDS: dict[str, Property] = {
    "visit": _fact(
        _dated(state={"type": "string"}),
        "Of a booking: booked, arrived, did_not_arrive or not_arrived, when, and of what type.",
    ),
    "recall": _fact(_dated(), "Of a recall: its day."),
    "invoiced": _fact(STRING, "Of an invoice: its total."),
    "open": _fact(STRING, "Of an invoice with status Open: its total."),
    "cliniko_first_visit": _folded(
        "Cliniko first visit", "Day of the first visit that took place.", "DATE", "first_visit", "visit"
    ),
    "cliniko_last_visit": _folded(
        "Cliniko last visit", "Day of the latest visit that took place.", "DATE", "last_visit", "visit"
    ),
    "cliniko_next_visit": _folded(
        "Cliniko next visit", "Day of the next visit that is booked.", "DATE", "next", "visit"
    ),
    "cliniko_next_recall": _folded(
        "Cliniko next recall", "Day of the next recall, today or later.", "DATE", "next", "recall"
    ),
    "cliniko_visits": _folded(
        "Cliniko visits", "How many visits took place.", "NUMERICAL", "visits", "visit"
    ),
    "cliniko_no_shows": _folded(
        "Cliniko no-shows", "How many visits the patient missed.", "NUMERICAL", "no_shows", "visit"
    ),
    "cliniko_invoiced_total": _folded(
        "Cliniko invoiced total", "Sum of the patient's invoices.", "MONETORY", "sum", "invoiced"
    ),
    "cliniko_open_total": _folded(
        "Cliniko open total", "Sum of the patient's invoices with status Open.", "MONETORY", "sum", "open"
    ),
}


def visit(booking: Booking, state: str, reference: Reference) -> dict[str, str | None] | None:
    """Return what a booking says of its patient's visits; nothing of one without a time."""
    at = booking.starts_at
    if not at:
        return None
    day = local_time(at, reference.zone_of(booking.business_id))[:10]
    kind = reference.appointment_type(booking.appointment_type_id)
    return {"at": at, "day": day, "state": state, "type": kind}


def recall(day: str | None, reference: Reference) -> dict[str, str] | None:
    """Return what a recall says of its patient; it is to come until the clinic's day is over."""
    return {"at": end_of_day(day, reference.clinic_zone), "day": day} if day else None
