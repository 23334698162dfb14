"""Measures appointments and blocked slots, in a calendar of the probe's own, years ago and silently."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from target_highlevel.api import endpoints
from target_highlevel.api.activities import EVENT
from target_highlevel.api.diary import looked_at
from target_highlevel.errors import Refused
from target_highlevel.objects.diary import wants_calendar
from target_highlevel.probe.belongings import MARK, NAME
from target_highlevel.probe.texts import LONG_AGO, limit

if TYPE_CHECKING:
    from target_highlevel.probe.asking import Said
    from target_highlevel.probe.own import Own

_UNTIL = "2010-01-04T09:30:00Z"
_FAR_AHEAD = ("2040-01-02T09:00:00Z", "2040-01-02T09:30:00Z")
_QUESTIONS = (
    "past_appointments",
    "appointment_user",
    "event_texts",
    "event_length",
    "missing_event",
    "blocked_slots",
    "listed_span",
)
_SILENT = {"ignoreDateRange": True, "ignoreFreeSlotValidation": True, "toNotify": False}


#: An hour of every day in which no user works who has the usual hours.
_BEFORE_DAWN = {
    "daysOfTheWeek": list(range(7)),
    "hours": [{"openHour": 3, "openMinute": 0, "closeHour": 4, "closeMinute": 0}],
}
_DAY = 86_400_000
_NOBODY = "nobody"


def measure(own: Own) -> None:
    """Make the calendar and measure what is in it, and what one with a team offers."""
    _hours(own)
    body = _calendar(own) | {"calendarType": "event"}
    said = own.ask(endpoints.CREATE_CALENDAR, json=body)
    calendar = said.identity("calendar")
    if not calendar:
        for name in _QUESTIONS:
            own.found.unknown(name, f"no calendar could be made: {said.told()}")
        return
    _blocked(own, calendar)
    _span(own, calendar)
    event = _appointment(own, calendar)
    if event:
        _texts(own, event)
        limit(
            own, "event_length", lambda text: _described(own, event, text), lambda: _description(own, event)
        )
        _missing(own, event)
    else:
        for name in ("event_texts", "event_length", "missing_event"):
            own.found.unknown(name, "no appointment could be made")


def _calendar(own: Own) -> dict[str, Any]:
    return {
        "locationId": own.asker.location,
        "name": NAME,
        "isActive": True,
        "notifications": [],
        "shouldSendAlertEmailsToAssignedMember": False,
        "googleInvitationEmails": False,
    }


def _hours(own: Own) -> None:
    """See whether a calendar offers an hour before dawn, when it is open and its one user is not at work."""
    users = own.ask(endpoints.LIST_USERS, params={"locationId": own.asker.location}).rows("users")
    if not users:
        own.found.unknown("calendar_hours", "no user is listed who could be in a team")
        return
    team = {"calendarType": "round_robin", "teamMembers": [{"userId": users[0].get("id")}]}
    made = own.ask(endpoints.CREATE_CALENDAR, json={**_calendar(own), **team, "openHours": [_BEFORE_DAWN]})
    identity = made.identity("calendar")
    if not identity:
        own.found.unknown("calendar_hours", f"no calendar could be made: {made.told()}")
        return
    now = int(time.time() * 1000)
    span = {"startDate": str(now + _DAY), "endDate": str(now + 8 * _DAY)}
    said = own.ask(endpoints.FREE_SLOTS, identity, params=span)
    own.ask(endpoints.DELETE_CALENDAR, identity)
    if not isinstance(said.body, dict):
        own.found.unknown("calendar_hours", said.told())
        return
    days = (day.get("slots") for day in said.body.values() if isinstance(day, dict))
    number = sum(len(slots) for slots in days if isinstance(slots, list))
    answer = "calendar" if number else "schedules"
    own.found.answer("calendar_hours", answer, f"{number} slots were offered while nobody works")


def _book(own: Own, calendar: str, start: str, end: str) -> Said:
    body = {
        "locationId": own.asker.location,
        "calendarId": calendar,
        "contactId": own.contact,
        "startTime": start,
        "endTime": end,
        "title": NAME,
        "description": MARK,
        "appointmentStatus": "cancelled",
        **_SILENT,
    }
    return own.ask(endpoints.CREATE_EVENT, json=body)


def _appointment(own: Own, calendar: str) -> str:
    """Book years ago, and far ahead where that is refused; return the id of what was booked, empty without."""
    past = _book(own, calendar, LONG_AGO, _UNTIL)
    if past.ok:
        own.found.answer("past_appointments", "accepted", "one of 2010 was made")
        own.found.answer("appointment_user", "optional", "it was made without a user")
        return past.identity("appointment")
    ahead = _book(own, calendar, *_FAR_AHEAD)
    if ahead.ok:
        own.found.answer("past_appointments", "refused", f"of 2010: {past.told()}; of 2040: accepted")
        own.found.answer("appointment_user", "optional", "one was made without a user")
        return ahead.identity("appointment")
    both = f"of 2010: {past.told()}; of 2040: {ahead.told()}"
    own.found.unknown("past_appointments", both)
    if past.refused and ahead.refused:
        own.found.answer("appointment_user", "required", f"without a user, {both}")
    else:
        own.found.unknown("appointment_user", both)
    return ""


def _texts(own: Own, event: str) -> None:
    listed = own.ask(endpoints.LIST_EVENTS, own.contact)
    row = next((row for row in listed.rows("events") if row.get("id") == event), None)
    if row is None:
        own.found.unknown("event_texts", f"{listed.told()}; the appointment is not in the list")
        return
    shown = any(MARK in str(row.get(name)) for name in ("notes", "description"))
    answer, told = ("listed", "the description") if shown else ("hidden", "no description")
    own.found.answer("event_texts", answer, f"the list showed {told}")


def _described(own: Own, event: str, text: str) -> Said:
    return own.ask(endpoints.UPDATE_EVENT, event, json={"description": text, **_SILENT})


def _description(own: Own, event: str) -> Any:
    said = own.ask(endpoints.GET_EVENT, event)
    shown = next(filter(None, map(said.part, EVENT)), said.body if isinstance(said.body, dict) else {})
    return shown.get("description") or shown.get("notes")


def _missing(own: Own, event: str) -> None:
    gone = own.ask(endpoints.DELETE_EVENT, event, json={})
    if not gone.ok:
        own.found.unknown("missing_event", f"the appointment could not be deleted: {gone.told()}")
        return
    said = own.ask(endpoints.GET_EVENT, event)
    others = own.found.measurements.get("missing_thing")
    if not said.status:
        own.found.unknown("missing_event", "a deleted appointment is still read")
    elif others is None or others.answer == "400" == str(said.status):
        own.found.unknown("missing_event", f"{said.told()}, as for anything else that is not there")
    elif str(said.status) == others.answer:
        own.found.answer("missing_event", "like_others", said.told())
    else:
        own.found.answer("missing_event", "invalid_id", said.told())


def _blocked(own: Own, calendar: str) -> None:
    body = {
        "locationId": own.asker.location,
        "calendarId": calendar,
        "title": NAME,
        "startTime": LONG_AGO,
        "endTime": _UNTIL,
    }
    said = own.ask(endpoints.CREATE_BLOCK_SLOT, json=body)
    slot = said.identity("event")
    if slot:
        own.ask(endpoints.DELETE_EVENT, slot, json={})
    if slot and _only_calendars(own):
        own.found.answer(
            "blocked_slots", "calendars_only", "a calendar was blocked; for a user one is demanded"
        )
    elif slot:
        own.found.answer("blocked_slots", "accepted", "an hour of 2010 was blocked")
    elif said.refused:
        own.found.answer("blocked_slots", "refused", said.told())
    else:
        own.found.unknown("blocked_slots", f"{said.told()}, without an id")


def _only_calendars(own: Own) -> bool:
    """See whether a block of a user is refused for want of a calendar; nobody's, and it ends before it begins."""
    backwards = {"title": NAME, "startTime": _UNTIL, "endTime": LONG_AGO}
    said = own.ask(
        endpoints.CREATE_BLOCK_SLOT,
        json={"locationId": own.asker.location, "assignedUserId": _NOBODY, **backwards},
    )
    if slot := said.identity("event"):  # whoever takes anything
        own.ask(endpoints.DELETE_EVENT, slot, json={})
    return isinstance(said.error, Refused) and wants_calendar(said.error)


def _span(own: Own, calendar: str) -> None:
    begins, ends = looked_at()
    params = {"locationId": own.asker.location, "calendarId": calendar}
    said = own.ask(
        endpoints.LIST_BLOCKED_SLOTS, params={**params, "startTime": str(begins), "endTime": str(ends)}
    )
    if said.ok:
        own.found.answer("listed_span", "any", "twelve years were listed")
    elif said.refused:
        own.found.answer("listed_span", "short", said.told())
    else:
        own.found.unknown("listed_span", said.told())
