"""Appointments: slots, teams, and the flag that keeps the automations from writing to patients."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sandbox.highlevel.answers import limit_texts, refuse, refuse_body, refuse_request
from sandbox.highlevel.block_slots import asked_span
from sandbox.highlevel.calendars import calendar_row
from sandbox.highlevel.contacts import wanted
from sandbox.highlevel.naming import epoch_ms, iso
from sandbox.highlevel.routes import CALENDAR_VERSION, Call, route
from sandbox.highlevel.shapes import Shape, boolean, moment, text

if TYPE_CHECKING:
    from sandbox.highlevel.account import Account
    from sandbox.highlevel.search_index import Document

READ, WRITE = "calendars/events.readonly", "calendars/events.write"
STATUSES = ("new", "confirmed", "cancelled", "showed", "noshow", "invalid")
PLACES = ("custom", "zoom", "gmeet", "phone", "address", "ms_teams", "google")
FREE = frozenset({"cancelled", "noshow", "invalid"})
_FLAGS = ("overrideLocationConfig", "ignoreDateRange", "toNotify", "ignoreFreeSlotValidation")
_CHANGE = {
    **dict.fromkeys(
        ("title", "meetingLocationId", "assignedUserId", "description", "address", "rrule"), text()
    ),
    **dict.fromkeys(_FLAGS, boolean()),
    "meetingLocationType": text(choices=PLACES),
    "appointmentStatus": text(choices=STATUSES),
    "calendarId": text(filled=True),
    "startTime": moment(offset=True),
    "endTime": moment(offset=True),
}
NEW_APPOINTMENT = Shape(
    {**_CHANGE, "locationId": text(filled=True), "contactId": text(filled=True)},
    required=("calendarId", "locationId", "contactId", "startTime"),
)
CHANGED_APPOINTMENT = Shape(_CHANGE)
EMPTY = Shape({})
_CREATED = (
    "id",
    "calendarId",
    "locationId",
    "contactId",
    "startTime",
    "endTime",
    "title",
    "meetingLocationType",
    "appointmentStatus",
    "assignedUserId",
    "address",
    "isRecurring",
    "rrule",
)


def _answer(row: Document) -> Document:
    """Return an appointment as create and change show it: no description, no times of its own."""
    return {name: row[name] for name in _CREATED if name in row}


def _event(row: Document) -> Document:
    """Return an appointment as the readers show it."""
    hidden = {*_FLAGS, "meetingLocationId", "meetingLocationType"}
    event = {name: value for name, value in row.items() if name not in hidden}
    event["notes"] = row.get("description", "")
    return {"assignedUserId": "", "groupId": "", "users": [], "assignedResources": [], **event}


def _limit_texts(call: Call) -> None:
    options = call.state.options
    limits = {"description": options.description_limit, "title": options.line_limit}
    limit_texts(call.body, limits, beyond=options.longer_texts)


def _watch_notification(call: Call, what: str) -> None:
    if call.body.get("toNotify") is not False:
        call.violation("notification", f"{what} without toNotify: false")


def _check_member(calendar: Document, body: Document, *, needed: bool) -> None:
    team = {member["userId"] for member in calendar.get("teamMembers", ())}
    user = body.get("assignedUserId")
    if (team or needed) and not user:
        refuse_body("A team member needs to be selected. assignedUserId is missing")
    if user and user not in team:
        refuse_body("The user id not part of calendar team")


def _check_slot(call: Call, row: Document, flags: Document) -> None:
    """Refuse a time in the past and a time that is taken, unless the flags say not to look."""
    start, end = epoch_ms(row["startTime"]), epoch_ms(row["endTime"])
    never = call.state.options.past_appointments == "refuse" and start < call.at * 1000
    if flags.get("ignoreFreeSlotValidation") and not never:
        return
    past = start < call.at * 1000 and (never or not flags.get("ignoreDateRange"))
    if past or any(_clashes(other, row, start, end) for other in _others(call.account, row)):
        refuse_request("The slot you have selected is no longer available.")


def _others(account: Account, row: Document) -> list[Document]:
    identities = account.children_of("calendar_appointments", row["calendarId"])
    return [
        account.appointments[one] for one in identities if one in account.appointments and one != row["id"]
    ]


def _clashes(other: Document, row: Document, start: int, end: int) -> bool:
    if other["appointmentStatus"] in FREE or other.get("assignedUserId") != row.get("assignedUserId"):
        return False
    return epoch_ms(other["startTime"]) < end and epoch_ms(other["endTime"]) > start


def _check_times(row: Document) -> None:
    if epoch_ms(row["endTime"]) <= epoch_ms(row["startTime"]):
        refuse_body("endTime must be after startTime")


@route("POST", "/calendars/events/appointments", WRITE, version=CALENDAR_VERSION, body=NEW_APPOINTMENT)
def create_appointment(call: Call) -> dict[str, Any]:
    """Make an appointment; without `toNotify: false` automations would write to the patient: a violation."""
    account, body = call.account, call.body
    _watch_notification(call, "appointment created")
    calendar = calendar_row(account, body["calendarId"])
    if not calendar["isActive"]:
        refuse_request("Calendar is not active")
    if body["contactId"] not in account.contacts:
        refuse_request(f"Contact with id {body['contactId']} not found")
    if body.get("rrule") and not body.get("ignoreFreeSlotValidation"):
        refuse_request("rrule needs ignoreFreeSlotValidation")
    _check_member(calendar, body, needed=call.state.options.appointment_needs_user)
    _limit_texts(call)
    end = iso(epoch_ms(body["startTime"]) / 1000 + 60 * calendar["slotDuration"])
    row = {
        "id": account.next_id("appointment"),
        "title": calendar["name"],
        "appointmentStatus": "confirmed",
        "isRecurring": bool(body.get("rrule")),
        "endTime": end,
        **body,
        **account.stamp(call.at),
    }
    _check_times(row)
    _check_slot(call, row, body)
    account.appointments[row["id"]] = row
    account.add_child("appointments", row["contactId"], row["id"])
    account.add_child("calendar_appointments", row["calendarId"], row["id"])
    account.created["appointments"] += 1
    return _answer(row)


@route(
    "PUT",
    "/calendars/events/appointments/{eventId}",
    WRITE,
    version=CALENDAR_VERSION,
    body=CHANGED_APPOINTMENT,
)
def change_appointment(call: Call) -> dict[str, Any]:
    """Change an appointment; absent fields stay, the contact cannot change."""
    account, body = call.account, call.body
    before = _wanted(call)
    _watch_notification(call, f"appointment {before['id']} changed")
    _limit_texts(call)
    after = {**before, **body, "dateUpdated": iso(call.at)}
    _check_member(
        calendar_row(account, after["calendarId"]), after, needed=call.state.options.appointment_needs_user
    )
    _check_times(after)
    if {"startTime", "endTime", "calendarId"} & set(body):
        _check_slot(call, after, body)
    account.appointments[after["id"]] = after
    if after["calendarId"] != before["calendarId"]:
        account.drop_child("calendar_appointments", before["calendarId"], after["id"])
        account.add_child("calendar_appointments", after["calendarId"], after["id"])
    account.updated["appointments"] += 1
    return _answer(after)


@route("GET", "/calendars/events/appointments/{eventId}", READ, version=CALENDAR_VERSION)
def read_appointment(call: Call) -> dict[str, Any]:
    """Return one appointment."""
    return {"event": _event(_wanted(call))}


def remove_appointment(account: Account, identity: str) -> None:
    """Remove an appointment from the table and its indexes."""
    row = account.appointments.pop(identity)
    account.drop_child("appointments", row["contactId"], identity)
    account.drop_child("calendar_appointments", row["calendarId"], identity)


@route("DELETE", "/calendars/events/{eventId}", WRITE, version=CALENDAR_VERSION, status=201, body=EMPTY)
def delete_appointment(call: Call) -> dict[str, Any]:
    """Delete an appointment or a blocked slot; the body is an empty object and the answer a 201."""
    account = call.account
    if account.block_slots.pop(call.path["eventId"], None) is not None:
        account.deleted["block_slots"] += 1
        return {"succeeded": True}
    remove_appointment(account, _wanted(call)["id"])
    account.deleted["appointments"] += 1
    return {"succeeded": True}


def _wanted(call: Call) -> Document:
    row = call.account.appointments.get(call.path["eventId"])
    if row is None:
        if call.state.options.missing_event == "invalid_id":
            refuse_request("The event id is invalid")
        refuse(call.state.options.missing_status, f"Event with id {call.path['eventId']} not found")
    return row


@route(
    "GET",
    "/calendars/events",
    READ,
    version=CALENDAR_VERSION,
    query=("locationId", "startTime", "endTime"),
    optional_query=("userId", "calendarId", "groupId"),
)
def list_events(call: Call) -> dict[str, Any]:
    """List the appointments of a calendar or a user between two moments in milliseconds."""
    query = call.query
    if not {"userId", "calendarId", "groupId"} & set(query):
        refuse_body("Either of userId, groupId or calendarId is required")
    first, last = asked_span(call)
    rows = list(call.account.appointments.values())
    if "calendarId" in query:
        rows = [call.account.appointments[one] for one in _of_calendar(call.account, query["calendarId"])]
    chosen = [row for row in rows if query.get("userId") in {None, row.get("assignedUserId")}]
    return {"events": [_event(row) for row in chosen if first <= epoch_ms(row["startTime"]) <= last]}


def _of_calendar(account: Account, identity: str) -> list[str]:
    return [
        one for one in account.children_of("calendar_appointments", identity) if one in account.appointments
    ]


@route("GET", "/contacts/{contactId}/appointments", "contacts.readonly")
def list_of_contact(call: Call) -> dict[str, Any]:
    """List the appointments of a contact."""
    account = call.account
    rows = [account.appointments[one] for one in account.children_of("appointments", wanted(call)["id"])]
    events = [{**_event(row), "status": "booked"} for row in rows]
    return {"events": [{name: one[name] for name in one if name != "isRecurring"} for one in events]}
