"""The diary: a calendar for each appointment type, the hours of who offers it, and when practitioners are away."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from cliniko_to_highlevel.errors import Filter
from cliniko_to_highlevel.markup import readable
from cliniko_to_highlevel.people import hidden_at
from cliniko_to_highlevel.streams import BOOLEAN, INTEGER, STRINGS, Output, Stream, plain, routing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cliniko_to_highlevel.reference import Reference
    from cliniko_to_highlevel.reference_types import Hours
    from cliniko_to_highlevel.row import Row

Week = dict[int, list[tuple[str, str]]]

_PLACES = routing("Businesses it belongs to: decides the sub-account.")

CALENDARS = Stream(
    name="hl_calendars",
    kind="calendar",
    description="One calendar for each appointment type. It takes no bookings until it is opened.",
    properties={
        "name": plain("Name of the appointment type."),
        "body": plain("Text shown when booking; the marker is below it."),
        "minutes": plain("Length of an appointment.", INTEGER),
        "seats": plain("Places; more than one makes it a class.", INTEGER),
        "color": plain("Colour in the diary."),
        "address": plain("Where it takes place, if that is one place."),
        "team": plain("Practitioners who can be booked for it, as references to users.", STRINGS),
        "schedules": plain("Hours that must be there before it takes bookings, as references.", STRINGS),
        "open_hours": plain("When anybody of the team can be booked, one line a day: 1 09:00-13:00."),
        "common_hours": plain("When everybody of the team can be booked."),
        "time_zone": plain("Time zone of the hours."),
        "bookable": plain("Whether Cliniko offers it online, and HighLevel may once it is opened.", BOOLEAN),
        "notice_hours": plain("Notice needed for an online booking.", INTEGER),
        "businesses": _PLACES,
    },
)

SCHEDULES = Stream(
    name="hl_schedules",
    kind="schedule",
    description="When a practitioner can be booked for an appointment type.",
    steering=("absent", "needs"),
    properties={
        "name": plain("Type and practitioner; the marker is behind them."),
        "owner": plain("The practitioner, as a reference to a user."),
        "calendar": plain("The calendar, as a reference."),
        "time_zone": plain("Time zone of the hours."),
        "hours": plain("One line a day: 1 09:00-13:00 14:00-17:30. Monday is 1, Sunday 7."),
        "businesses": _PLACES,
    },
)

ABSENCES = Stream(
    name="hl_absences",
    kind="blocked_slot",
    description="When a practitioner is away or has a group booking, wherever that is. What is over is left out.",
    steering=("absent",),
    properties={
        "title": plain(
            "Kind of absence, or type of the group; the marker is behind it. Why somebody is away stays in Cliniko."
        ),
        "starts_at": plain("Start, UTC."),
        "ends_at": plain("End, UTC."),
        "owner": plain("The practitioner, as a reference to a user."),
    },
)


def from_appointment_type(row: Row, reference: Reference) -> Iterator[Output]:
    """Yield the calendar of a type and the hours of all who offer it; of all others that they have none.

    Hours and offers were read before. A class has no hours: Cliniko offers places in those that are planned, HighLevel would
    offer a new one at any time. Hours in another time zone than most of the type's are left out: a schedule has one.
    """
    type_id = row.reference("id") or ""
    hours = {} if _is_closed(row) else _bookable_hours(type_id, reference)
    zone = _most_used_zone(hours)
    offered = {who: [item for item in own if item.time_zone == zone] for who, own in hours.items()}
    offered = {who: own for who, own in offered.items() if own}
    name = row.text("name") or row.source_id
    places = sorted({place for place, kind in reference.teams if kind == type_id})
    addresses = {text for place in places if (text := reference.addresses.get(place))}
    yield Output(
        CALENDARS.name,
        {
            **CALENDARS.blank(row.source_id),
            "filtered": Filter.ARCHIVED_TYPE.value if hidden_at(row) else None,
            "name": name,
            "body": readable(row.text("description")),
            "minutes": row.whole("duration_in_minutes"),
            "seats": row.whole("max_attendees"),
            "color": row.text("color"),
            "address": next(iter(addresses)) if len(addresses) == 1 else None,
            "team": [f"user:practitioners/{who}" for who in sorted(offered, key=int)],
            "schedules": [SCHEDULES.ref(_schedule(who, type_id)) for who in sorted(offered, key=int)],
            "open_hours": _lines(_by_day([item for own in offered.values() for item in own])),
            "common_hours": _lines(_common([_by_day(own) for own in offered.values()])),
            "time_zone": zone,
            "bookable": bool(offered),
            "notice_hours": row.whole("online_bookings_lead_time_hours"),
            "businesses": places,
        },
    )
    for who in sorted(reference.practitioners, key=int):
        yield Output(SCHEDULES.name, _hours_of(who, type_id, name, offered.get(who, []), reference))


def _is_closed(row: Row) -> bool:
    hidden = hidden_at(row) is not None or row.flag("show_in_online_bookings") is False
    return hidden or (row.whole("max_attendees") or 1) > 1


def _bookable_hours(type_id: str, reference: Reference) -> dict[str, list[Hours]]:
    """Return, for each practitioner, the hours at the locations where they offer the type online."""
    found: defaultdict[str, list[Hours]] = defaultdict(list)
    for (place, kind), team in reference.teams.items():
        if kind == type_id and place not in reference.offline:
            for who in team - reference.offline_practitioners:
                found[who] += reference.hours.get((who, place), ())
    return found


def _most_used_zone(hours: dict[str, list[Hours]]) -> str | None:
    zones = [item.time_zone for own in hours.values() for item in own if item.time_zone]
    return max(sorted(set(zones)), key=zones.count, default=None)


def _schedule(practitioner: str, type_id: str) -> str:
    return f"practitioner_appointment_types/{practitioner}#{type_id}"


def _hours_of(
    practitioner: str, type_id: str, name: str, hours: list[Hours], reference: Reference
) -> dict[str, Any]:
    source_id = _schedule(practitioner, type_id)
    if not hours:
        return {**SCHEDULES.blank(source_id), "absent": True}
    calendar = CALENDARS.ref(f"appointment_types/{type_id}")
    return {
        **SCHEDULES.blank(source_id),
        "needs": [calendar],
        "name": f"{name}: {reference.practitioner(practitioner) or practitioner}",
        "owner": f"user:practitioners/{practitioner}",
        "calendar": calendar,
        "time_zone": hours[0].time_zone,
        "hours": _lines(_by_day(hours)),
        "businesses": sorted({item.business_id for item in hours}),
    }


def _by_day(hours: list[Hours]) -> Week:
    """Return the spans of each day; those that touch or overlap are one."""
    days: defaultdict[int, list[tuple[str, str]]] = defaultdict(list)
    for item in sorted(hours, key=lambda each: each[:3]):
        own = days[item.day]
        if own and item.starts <= own[-1][1]:
            own[-1] = (own[-1][0], max(own[-1][1], item.ends))
        else:
            own.append((item.starts, item.ends))
    return days


def _common(weeks: list[Week]) -> Week:
    """Return what all weeks have in common."""
    common, *others = weeks or [{}]
    for other in others:
        common = {
            day: [
                (max(a, c), min(b, d))
                for a, b in spans
                for c, d in other.get(day, ())
                if max(a, c) < min(b, d)
            ]
            for day, spans in common.items()
        }
    return {day: spans for day, spans in common.items() if spans}


def _lines(week: Week) -> str | None:
    lines = (f"{day} {' '.join(f'{a}-{b}' for a, b in week[day])}" for day in sorted(week))
    return "\n".join(lines) or None


def from_absence(row: Row, reference: Reference) -> Iterator[Output]:
    """Yield an absence, or, of one that was archived or deleted, that there is none."""
    yield _blocked(
        row, reference.absence_types.get(row.reference("unavailable_block_type_id") or "") or "Away"
    )


def from_group(row: Row, reference: Reference) -> Iterator[Output]:
    """Yield the time of a group booking as an absence: it takes the practitioner's time before anybody has a place in it."""
    yield _blocked(row, reference.appointment_type(row.reference("appointment_type_id")) or "Group booking")


def _blocked(row: Row, title: str) -> Output:
    record = ABSENCES.blank(row.source_id)
    if hidden_at(row):
        return Output(ABSENCES.name, {**record, "absent": True})
    owner = row.linked("practitioner_id", "practitioners")
    return Output(
        ABSENCES.name,
        {
            **record,
            "title": title,
            "starts_at": row.instant("starts_at"),
            "ends_at": row.instant("ends_at"),
            "owner": owner and f"user:{owner}",
        },
    )
