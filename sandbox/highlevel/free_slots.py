"""Free slots: what a calendar offers, by its own hours, those of its team, and what takes their time."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from sandbox.highlevel.answers import refuse_body
from sandbox.highlevel.appointments import FREE
from sandbox.highlevel.calendars import READ, calendar_row
from sandbox.highlevel.naming import epoch_ms
from sandbox.highlevel.routes import CALENDAR_VERSION, Call, route
from sandbox.highlevel.schedules import WEEKDAYS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from sandbox.highlevel.account import Account
    from sandbox.highlevel.search_index import Document

    Span = tuple[datetime, datetime]

_MOST_DAYS = 31
_UNITS = {
    "hours": timedelta(hours=1),
    "days": timedelta(days=1),
    "weeks": timedelta(weeks=1),
    "months": timedelta(days=30),
}
#: The hours of a user who has none of their own.
_USUAL = {day: [("09:00", "17:00")] for day in WEEKDAYS[1:6]}
_ONLY_SINGLE_DAYS = 1


@route(
    "GET",
    "/calendars/{calendarId}/free-slots",
    READ,
    version=CALENDAR_VERSION,
    query=("startDate", "endDate"),
    optional_query=("timezone", "userId", "userIds"),
)
def list_free_slots(call: Call) -> dict[str, Any]:
    """List what a calendar offers between two moments in milliseconds, a day at a time."""
    query, calendar = call.query, calendar_row(call.account, call.path["calendarId"])
    if not (query["startDate"].isdigit() and query["endDate"].isdigit()):
        refuse_body("startDate and endDate must be milliseconds")
    first, last = (datetime.fromtimestamp(int(query[name]) / 1000, UTC) for name in ("startDate", "endDate"))
    if last - first > timedelta(days=_MOST_DAYS):
        refuse_body(f"Date range cannot be more than {_MOST_DAYS} days")
    zone = ZoneInfo(query.get("timezone") or call.state.options.timezone)
    found: defaultdict[str, set[str]] = defaultdict(set)
    for start in _offered(call, calendar, first, last):
        local = start.astimezone(zone)
        found[f"{local:%Y-%m-%d}"].add(local.isoformat())
    return {day: {"slots": sorted(found[day])} for day in sorted(found)}


def _offered(call: Call, calendar: Document, first: datetime, last: datetime) -> Iterator[datetime]:
    now = datetime.fromtimestamp(call.at, UTC)
    ahead = calendar.get("allowBookingFor")
    first = max(first, now + _time(calendar, "allowBookingAfter"))
    last = min(last, now + _time(calendar, "allowBookingFor")) if ahead else last
    if not calendar["isActive"] or calendar.get("availabilityType") == _ONLY_SINGLE_DAYS:
        return
    named = [name for key in ("userId", "userIds") for name in (call.query.get(key) or "").split(",") if name]
    for member in calendar["teamMembers"]:
        if not named or member["userId"] in named:
            yield from _of_user(call, calendar, member["userId"], first, last)


def _time(calendar: Document, name: str) -> timedelta:
    return int(calendar.get(name) or 0) * _UNITS[calendar.get(f"{name}Unit") or "days"]


def _of_user(
    call: Call, calendar: Document, user: str, first: datetime, last: datetime
) -> Iterator[datetime]:
    length = timedelta(minutes=calendar["slotDuration"])
    step = timedelta(minutes=calendar.get("slotInterval") or 30)
    taken = list(_taken(call.account, calendar, user))
    for begins, ends in _hours(call, calendar, user, first, last):
        start = begins
        while start + length <= ends:
            if first <= start <= last and not any(a < start + length and start < b for a, b in taken):
                yield start
            start += step


def _hours(call: Call, calendar: Document, user: str, first: datetime, last: datetime) -> Iterator[Span]:
    """Yield when a user can be booked: in their schedules for the calendar, as far as it is open; or whenever it is open."""
    place = ZoneInfo(call.state.options.timezone)
    opened = list(_spans(_open_hours(calendar), place, first, last)) if calendar.get("openHours") else None
    if call.state.options.calendar_hours == "calendar":
        yield from opened or _spans(_USUAL, place, first, last)
        return
    own = [
        one
        for one in call.account.schedules.values()
        if one["userId"] == user and calendar["id"] in one["calendarIds"]
    ]
    hours = [
        span for one in own for span in _spans(_rules(one), ZoneInfo(one["timezone"]), first, last)
    ] or list(_spans(_USUAL, place, first, last))
    for begins, ends in hours:
        for opens, closes in [(begins, ends)] if opened is None else opened:
            if max(begins, opens) < min(ends, closes):
                yield max(begins, opens), min(ends, closes)


def _rules(schedule: Document) -> dict[str, list[tuple[str, str]]]:
    return {
        rule["day"]: [(each["from"], each["to"]) for each in rule["intervals"]]
        for rule in schedule["rules"]
        if rule["type"] == "wday"
    }


def _open_hours(calendar: Document) -> dict[str, list[tuple[str, str]]]:
    found: defaultdict[str, list[tuple[str, str]]] = defaultdict(list)
    for item in calendar["openHours"]:
        for day in item["daysOfTheWeek"]:
            found[WEEKDAYS[day]] += [
                (
                    f"{one['openHour']:02}:{one['openMinute']:02}",
                    f"{one['closeHour']:02}:{one['closeMinute']:02}",
                )
                for one in item["hours"]
            ]
    return found


def _spans(
    week: dict[str, list[tuple[str, str]]], zone: ZoneInfo, first: datetime, last: datetime
) -> Iterator[Span]:
    day = first.astimezone(zone).date() - timedelta(days=1)
    while day <= last.astimezone(zone).date():
        for clocks in week.get(WEEKDAYS[day.isoweekday() % 7], ()):
            begins, ends = (
                datetime.fromisoformat(f"{day}T{clock}").replace(tzinfo=zone).astimezone(UTC)
                for clock in clocks
            )
            yield begins, ends
        day += timedelta(days=1)


def _taken(account: Account, calendar: Document, user: str) -> Iterator[Span]:
    for row in account.block_slots.values():
        if user == row.get("assignedUserId") or calendar["id"] == row.get("calendarId"):
            yield _span(row)
    for row in account.appointments.values():
        if row.get("assignedUserId") == user and row["appointmentStatus"] not in FREE:
            yield _span(row)


def _span(row: Document) -> Span:
    begins, ends = (
        datetime.fromtimestamp(epoch_ms(row[name]) / 1000, UTC) for name in ("startTime", "endTime")
    )
    return begins, ends
