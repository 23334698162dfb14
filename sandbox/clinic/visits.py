"""Appointments, classes and who came to them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from sandbox.clinic.builder import YEARS, falls
from sandbox.cliniko.account import CANCELLATION_REASONS, timestamp

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sandbox.clinic.builder import Builder
    from sandbox.clinic.setup import Clinic
    from sandbox.cliniko.table import Row

LEAST_VISITS, MOST_VISITS = 2, 8
FUTURE_DAYS = 60
FUTURE_SHARE = 0.12
CLASS_PLACES = 6
PATIENTS_PER_CLASS = 5
CLASSES_IN_A_ROUND = 25
SERIES = 3
EMPTY_CLASS = 5
PAST_STATES = ("arrived", "arrived", "arrived", "missed", "cancelled", "archived", "unmarked", "deleted")
FUTURE_STATES = ("booked", "booked", "cancelled", "archived")
_PAST_WEIGHTS = (72, 3, 3, 6, 7, 2, 6, 1)
_FUTURE_WEIGHTS = (70, 18, 9, 3)


@dataclass(frozen=True)
class Visit:
    """One patient's place in one booking, as notes, invoices and messages refer to it."""

    patient: str
    booking: str
    attendee: str
    practitioner: str
    business: str
    starts: datetime
    state: str
    item: dict[str, Any]
    group: bool = False


def add_visits(build: Builder, clinic: Clinic, patients: Sequence[Row]) -> list[Visit]:
    """Add every patient's appointments and the clinic's classes."""
    visits: list[Visit] = []
    for number, patient in enumerate(patients):
        count = build.rng.randint(LEAST_VISITS, MOST_VISITS)
        visits += [_appointment(build, clinic, patient, number, nth) for nth in range(count)]
    visits += _classes(build, clinic, patients)
    _note_latest_bookings(build, visits)
    return visits


def _moment(build: Builder, patient: Row, number: int, nth: int) -> datetime:
    """Pick when an appointment starts: on the half hour, and every third first one to come."""
    registered = _time(patient["created_at"])
    future = build.chance(FUTURE_SHARE) or (nth == 0 and falls(number, 0, 3))
    first = build.now + timedelta(days=1) if future else registered
    last = build.now + timedelta(days=FUTURE_DAYS) if future else build.now - timedelta(days=1)
    day = build.between(first, max(first, last))
    return day.replace(hour=build.rng.randrange(24), minute=build.pick((0, 30)), second=0)


def _state(build: Builder, starts: datetime, number: int, nth: int) -> str:
    """Pick a state; the last appointments of the first patients go through all of them."""
    past = starts < build.now
    states, weights = (PAST_STATES, _PAST_WEIGHTS) if past else (FUTURE_STATES, _FUTURE_WEIGHTS)
    if nth == 1 and number < 5 * len(states):
        return states[number % len(states)]
    return str(build.rng.choices(states, weights)[0])


def _appointment(build: Builder, clinic: Clinic, patient: Row, number: int, nth: int) -> Visit:
    starts = _moment(build, patient, number, nth)
    state = _state(build, starts, number, nth)
    kind = build.pick(clinic.types)
    created = max(
        _time(patient["created_at"]), min(starts, build.now) - timedelta(days=build.rng.randrange(1, 30))
    )
    changed = build.between(created, max(created, min(starts, build.now - timedelta(hours=2))))
    practitioner, business = build.pick(clinic.practitioners), build.pick(clinic.businesses)
    shared = {"notes": "Bring the referral" if build.chance(0.1) else None, **_hidden(build, state, changed)}
    row = build.add(
        "individual_appointments",
        created,
        patient_id=patient["id"],
        patient_name=patient["label"],
        appointment_type_id=kind["id"],
        business_id=business,
        practitioner_id=practitioner,
        starts_at=timestamp(starts),
        ends_at=timestamp(starts + timedelta(minutes=kind["minutes"])),
        did_not_arrive=state == "missed",
        patient_arrived=state == "arrived",
        email_reminder_sent=starts < build.now,
        sms_reminder_sent=False,
        has_patient_appointment_notes=bool(patient.get("appointment_notes")),
        online_booking_policy_accepted=True if build.chance(0.3) else None,
        booking_ip_address="192.0.2.17" if build.chance(0.3) else None,
        telehealth_url=f"https://clinic.example.com/telehealth/{build.token()}",
        repeat_rule=None,
        **shared,
    )
    attendee = _attendee(build, patient, row, state, shared)
    return Visit(
        patient["id"], row["id"], attendee, practitioner, business, starts, state, kind["item"], group=False
    )


def _hidden(build: Builder, state: str, changed: datetime) -> dict[str, Any]:
    at = timestamp(changed)
    if state == "cancelled":
        reason = build.pick(tuple(CANCELLATION_REASONS))
        return {
            "cancelled_at": at,
            "cancellation_reason": reason,
            "cancellation_reason_description": CANCELLATION_REASONS[reason],
            "cancellation_note": "Rang in the morning" if build.chance(0.5) else None,
        }
    if state == "archived":
        return {"archived_at": at}
    return {"archived_at": at, "deleted_at": at} if state == "deleted" else {}


def _attendee(build: Builder, patient: Row, booking: Row, state: str, shared: dict[str, Any]) -> str:
    arrived = {"arrived": True, "missed": False}.get(state)
    row = build.add(
        "attendees",
        _time(booking["created_at"]),
        patient_id=patient["id"],
        booking_id=booking["id"],
        arrived=arrived,
        email_reminder_sent=arrived is not None,
        sms_reminder_sent=False,
        sent_email_reminders_count=1 if arrived is not None else 0,
        sent_sms_reminders_count=0,
        sent_email_follow_ups_count=0,
        sent_sms_follow_ups_count=0,
        cancellation_url=f"https://clinic.example.com/cancel/{build.token()}",
        telehealth_url=f"https://clinic.example.com/telehealth/{build.token()}",
        **shared,
    )
    return str(row["id"])


def _classes(build: Builder, clinic: Clinic, patients: Sequence[Row]) -> list[Visit]:
    """Add the group appointments: a weekly series, single ones, an empty, an archived and a deleted one."""
    visits: list[Visit] = []
    first = ""
    for number in range(max(6, len(patients) // PATIENTS_PER_CLASS)):
        starts = build.between(build.days_ago(YEARS * 150), build.now + timedelta(days=FUTURE_DAYS))
        if falls(number, 1, 6):
            starts = build.now + timedelta(days=1 + number % FUTURE_DAYS)
        starts = starts.replace(minute=0, second=0)
        state = {3: "archived", 4: "deleted"}.get(number % CLASSES_IN_A_ROUND, "held")
        created = min(starts, build.now) - timedelta(days=10)
        series = number % CLASSES_IN_A_ROUND < SERIES
        row = build.add(
            "group_appointments",
            created,
            appointment_type_id=clinic.group_type,
            business_id=build.pick(clinic.businesses),
            practitioner_id=build.pick(clinic.practitioners[:5]),
            starts_at=timestamp(starts),
            ends_at=timestamp(starts + timedelta(hours=1)),
            max_attendees=CLASS_PLACES,
            notes="Mats are in the hall" if falls(number, 0, 4) else None,
            repeat_rule={"repeat_type": "Weekly", "number_of_repeats": 2, "repeating_interval": 1}
            if series
            else None,
            repeated_from_id=first if series and first else None,
            telehealth_url=f"https://clinic.example.com/telehealth/{build.token()}",
            **_hidden(build, state, created),
        )
        first = row["id"] if falls(number, 0, CLASSES_IN_A_ROUND) else first
        empty = falls(number, EMPTY_CLASS, CLASSES_IN_A_ROUND)
        coming = [] if empty else build.rng.sample(list(patients), min(CLASS_PLACES, len(patients)))
        visits += [_place(build, clinic, row, one, place) for place, one in enumerate(coming)]
        row["patient_ids"] = [one["id"] for one in coming]
    return visits


def _place(build: Builder, clinic: Clinic, group: Row, patient: Row, place: int) -> Visit:
    starts = _time(group["starts_at"])
    states = PAST_STATES[2:7] if starts < build.now else FUTURE_STATES
    state = "arrived" if place == 0 and starts < build.now else states[place % len(states)]
    created = _time(group["created_at"])
    attendee = _attendee(build, patient, group, state, _hidden(build, state, created))
    return Visit(
        patient["id"],
        group["id"],
        attendee,
        group["practitioner_id"],
        group["business_id"],
        starts,
        state,
        clinic.items[3],
        group=True,
    )


def _note_latest_bookings(build: Builder, visits: Sequence[Visit]) -> None:
    latest: dict[str, Visit] = {}
    for visit in visits:
        if visit.patient not in latest or latest[visit.patient].starts < visit.starts:
            latest[visit.patient] = visit
    for patient, visit in latest.items():
        build.account.tables["patients"].update(patient, {"latest_booking_id": visit.booking})


def _time(text: str) -> datetime:
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
