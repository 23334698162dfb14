"""Appointments: individual ones, and each patient's place in a group booking."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cliniko_to_highlevel import contacts
from cliniko_to_highlevel.diary import CALENDARS
from cliniko_to_highlevel.errors import Filter
from cliniko_to_highlevel.formats import joined, local_time
from cliniko_to_highlevel.left_out import left_out, marked
from cliniko_to_highlevel.markup import harmless, readable
from cliniko_to_highlevel.people import businesses, hidden_at
from cliniko_to_highlevel.reference_types import booking_of
from cliniko_to_highlevel.streams import BOOLEAN, LINE, Output, Property, Stream, plain, routing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cliniko_to_highlevel.reference import Reference
    from cliniko_to_highlevel.row import Row

APPOINTMENTS = Stream(
    name="hl_appointments",
    kind="appointment",
    description="One appointment or task for each patient of each booking.",
    steering=("contributor", "joins", "skip_if_exists", "contact", "after"),
    properties={
        "title": plain("Appointment type and practitioner, behind what has become of it."),
        "title_prefix": plain(
            "Of a place in a group booking what stands before the title, which is the group's: Cancelled, No-show, Removed."
        ),
        "body": plain("Status and notes; of an individual appointment all facts, and the marker at the end."),
        "shared_body": plain("Facts of a group booking, the same for every patient."),
        "items": Property(
            LINE, "What was invoiced for it, one line for each item.", {"field": "plain", "fold": "lines"}
        ),
        "usual_items": plain("What its type usually contains; shown while nothing was invoiced."),
        "marker": plain("What ends the text of a place in a group booking."),
        "starts_at": plain("Start, UTC."),
        "ends_at": plain("End, UTC."),
        "status": plain("booked, arrived, did_not_arrive, cancelled or removed."),
        "completed": plain("Whether nothing is left to be done; null: decided by the clock.", BOOLEAN),
        "owner": plain("The practitioner, as a reference to a user."),
        "appointment_type": plain("Name of the appointment type."),
        "calendar": plain("Calendar of the appointment type, as a reference."),
        "location": plain("Name of the location."),
        "archived": plain("Whether it was archived or deleted in Cliniko.", BOOLEAN),
        "businesses": routing("Business of the booking, which decides the sub-account."),
    },
)

_STATUS_TEXTS = {
    "booked": "Booked",
    "arrived": "Arrived",
    "did_not_arrive": "Did not arrive",
    "cancelled": "Cancelled",
    "removed": "Removed from Cliniko's calendar",
}
_TITLE_PREFIXES = {"cancelled": "Cancelled", "did_not_arrive": "No-show", "removed": "Removed"}
#: Over for good, whatever the clock says. Not arrived is not among them: Cliniko's "arrived: no" is read off the API, not
#: documented, and on a class to come it must not tick the visit off.
_FINISHED = frozenset({"cancelled", "removed"})
#: Codes of Cliniko's API, for records without the description.
_CANCELLATIONS = {
    10: "Feeling better",
    20: "Condition worse",
    30: "Sick",
    31: "COVID-19 related",
    40: "Away",
    50: "Other",
    60: "Work",
}


def from_individual(row: Row, reference: Reference) -> Iterator[Output]:
    """Yield an individual appointment, and what it adds to the patient's contact."""
    patient = row.linked("patient_id", "patients") or ""
    reason = left_out(row, patient, reference, oldest="oldest_visit", at=row.instant("starts_at"))
    if reason and reason is not Filter.HIDDEN:
        yield Output(APPOINTMENTS.name, marked(APPOINTMENTS.blank(row.source_id), reason))
        yield contacts.from_booking(row, patient, None, reference) if patient else contacts.from_nobody(row)
        return
    status = _status(
        row,
        removed=hidden_at(row) is not None,
        arrived=row.flag("patient_arrived"),
        missed=row.flag("did_not_arrive"),
    )
    body = "\n".join(
        (
            *_own_lines(row, status, reference, row.reference("business_id")),
            *_shared_lines(row, reference),
            f"cliniko:{row.source_id}",
        )
    )
    record = (
        APPOINTMENTS.blank(row.source_id) | _shared_facts(row, reference) | _own_facts(row, patient, status)
    )
    title = joined(": ", _TITLE_PREFIXES.get(status), str(record["title"]))
    after = _calendar(row.reference("appointment_type_id"))
    record |= {"title": title, "body": harmless(body), "after": after}
    yield Output(APPOINTMENTS.name, marked(record, reason))
    booking = booking_of(row) if _counts(status) and not reason else None
    business = None if reason else row.reference("business_id")
    yield contacts.from_booking(row, patient, booking, reference, status, business)


def from_group(row: Row, reference: Reference) -> Iterator[Output]:
    """Yield what the patients of a group booking share; each patient's place in it is an attendance.

    The state of a place is its own, unless the group is archived: then it overrides that of every place.
    """
    hidden = hidden_at(row)
    lines = [
        f"Group booking: {row.source_id}",
        *_shared_lines(row, reference),
        *_lines(
            Archived=reference.format_time(hidden, row.reference("business_id")),
            Places=row.amount("max_attendees"),
        ),
        *_lines(**{"Group notes": readable(row.text("notes"))}),
    ]
    record = {"source_id": row.source_id, "contributor": row.source_id} | _shared_facts(row, reference)
    if hidden:
        record |= {
            "status": "removed",
            "title_prefix": _TITLE_PREFIXES["removed"],
            "completed": True,
            "archived": True,
        }
    yield Output(APPOINTMENTS.name, record | {"shared_body": harmless("\n".join(lines))})


def from_attendee(row: Row, reference: Reference) -> Iterator[Output]:
    """Yield a patient's place in a group booking.

    An individual appointment has an attendance too, which the target leaves out. The tap reads the group of a
    changed attendance with it; from a tap that does not, the attendance adds nothing to the contact.
    """
    patient, booking = row.linked("patient_id", "patients"), row.reference("booking_id")
    record = APPOINTMENTS.blank(row.source_id)
    group = reference.groups.get(booking or "")
    at = group.starts_at if group else None
    reason = left_out(row, patient, reference, oldest="oldest_visit", at=at) if booking else Filter.NO_BOOKING
    if not patient or (reason and reason is not Filter.HIDDEN):
        yield Output(APPOINTMENTS.name, marked(record, reason if patient else Filter.NO_PATIENT))
        if not patient:
            yield contacts.from_nobody(row)
        elif group or not booking:
            yield contacts.from_booking(row, patient, None, reference)
        return
    arrived = row.flag("arrived")
    removed = hidden_at(row) is not None or (group is not None and group.removed)
    status = _status(row, removed=removed, arrived=arrived, missed=arrived is False)
    record |= _own_facts(row, patient, status) | {
        "joins": [f"group_appointments/{booking}"],
        "skip_if_exists": [APPOINTMENTS.ref(f"individual_appointments/{booking}")],
        "body": harmless("\n".join(_own_lines(row, status, reference, group.business_id if group else None))),
        "title_prefix": _TITLE_PREFIXES.get(status),
        "after": _calendar(group.appointment_type_id if group else None),
        "marker": f"cliniko:{row.source_id}",
    }
    yield Output(APPOINTMENTS.name, marked(record, reason))
    if group or not _counts(status):
        # of a class to come "arrived: no" may only say that nobody is there yet (_FINISHED)
        state = "not_arrived" if status == "did_not_arrive" else status
        booking_there = group if _counts(status) and not reason else None
        business = group.business_id if group and not reason else None
        yield contacts.from_booking(row, patient, booking_there, reference, state, business)


def _status(row: Row, *, removed: bool, arrived: bool | None, missed: bool | None) -> str:
    if row.instant("cancelled_at"):
        return "cancelled"
    if removed:
        return "removed"
    if missed:
        return "did_not_arrive"
    return "arrived" if arrived else "booked"


def _counts(status: str) -> bool:
    """Return whether a booking says something about the patient: a cancelled or removed one does not."""
    return status not in {"cancelled", "removed"}


def _own_facts(row: Row, patient: str, status: str) -> dict[str, object]:
    return {
        "contact": patient,
        "status": status,
        "completed": True if status in _FINISHED else None,
        "archived": hidden_at(row) is not None,
    }


def _shared_facts(row: Row, reference: Reference) -> dict[str, object]:
    type_id = row.reference("appointment_type_id")
    kind = reference.appointment_type(type_id)
    practitioner = reference.practitioner(row.reference("practitioner_id"))
    owner = row.linked("practitioner_id", "practitioners")
    usual = harmless(", ".join(reference.offered(type_id)))
    return {
        "title": harmless(joined(" with ", kind or "Appointment", practitioner) or ""),
        "starts_at": row.instant("starts_at"),
        "ends_at": row.instant("ends_at"),
        "owner": owner and f"user:{owner}",
        "usual_items": joined(" ", "Usual items:", usual) if usual else None,
        "appointment_type": kind,
        "calendar": next(iter(_calendar(type_id)), None),
        "location": reference.location(row.reference("business_id")),
        "businesses": businesses(row),
    }


def _calendar(type_id: str | None) -> list[str]:
    return [CALENDARS.ref(f"appointment_types/{type_id}")] if type_id else []


def _span(row: Row, reference: Reference) -> str | None:
    starts, ends = row.instant("starts_at"), row.instant("ends_at")
    if not starts:
        return None
    zone = reference.zone_of(row.reference("business_id"))
    until = ends and local_time(ends, zone)
    begins = local_time(starts, zone)
    if until and until[:10] == begins[:10]:
        until = until[11:]
    return f"{joined(' to ', begins, until)} ({zone or 'UTC'})"


def _shared_lines(row: Row, reference: Reference) -> list[str]:
    return _lines(
        Type=reference.type_label(row),
        Practitioner=reference.practitioner_label(row),
        Location=reference.location_label(row),
        When=_span(row, reference),
        Repeats=_repetition(row),
        **{"Repeat of": _repeated_from(row)},
    )


def _own_lines(row: Row, status: str, reference: Reference, business_id: str | None) -> list[str]:
    accepted = row.flag("online_booking_policy_accepted")
    facts = {
        "Status": _STATUS_TEXTS[status],
        "Cancelled": _cancellation(row, reference.format_time(row.instant("cancelled_at"), business_id)),
        "Removed": reference.format_time(hidden_at(row), business_id),
        "Case": row.linked("patient_case_id", "patient_cases"),
        "Online booking policy accepted": None if accepted is None else ("yes" if accepted else "no"),
        "Booked in Cliniko": reference.format_time(row.instant("created_at"), business_id),
        "Notes": readable(row.text("notes")),
    }
    return _lines(**facts)


def _lines(**facts: str | None) -> list[str]:
    return [f"{name}: {text}" for name, text in facts.items() if text]


def _cancellation(row: Row, at: str | None) -> str | None:
    if not at:
        return None
    code = row.whole("cancellation_reason")
    reason = (
        row.text("cancellation_reason_description") or _CANCELLATIONS.get(code or 0) or (code and str(code))
    )
    return joined(", ", at, reason or None, row.text("cancellation_note"))


def _repetition(row: Row) -> str | None:
    rule = row.part("repeat_rule")
    kind = rule.text("repeat_type")
    if not kind:
        return None
    every, times = rule.amount("repeating_interval"), rule.amount("number_of_repeats")
    return joined(", ", kind, every and f"every {every}", times and f"{times} times")


def _repeated_from(row: Row) -> str | None:
    return row.linked("repeated_from_id", row.resource)
