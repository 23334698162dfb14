"""Blocked slots: time of a user or of a calendar that takes no bookings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sandbox.highlevel.answers import refuse, refuse_body
from sandbox.highlevel.calendars import calendar_row
from sandbox.highlevel.naming import epoch_ms, iso
from sandbox.highlevel.routes import CALENDAR_VERSION, Call, route
from sandbox.highlevel.shapes import Shape, moment, text

if TYPE_CHECKING:
    from sandbox.highlevel.search_index import Document

READ, WRITE = "calendars/events.readonly", "calendars/events.write"
# The description demands a calendar and says beside it that a user takes its place.
BLOCK_SLOT = Shape(
    {
        "title": text(),
        "calendarId": text(filled=True),
        "assignedUserId": text(filled=True),
        "locationId": text(filled=True),
        "startTime": moment(offset=True),
        "endTime": moment(offset=True),
    },
    required=("locationId",),
)
_DAY = 24 * 60 * 60 * 1000
_SHOWN = ("id", "locationId", "title", "startTime", "endTime", "calendarId", "assignedUserId")


def _answer(row: Document) -> Document:
    return {name: row[name] for name in _SHOWN if name in row}


def _check(call: Call, row: Document) -> None:
    users = call.state.options.blocks_users
    if "calendarId" not in row and users == "never":
        refuse_body("calendarId should not be empty", "calendarId must be a string")
    if "calendarId" not in row and users == "unchecked":
        return
    if ("calendarId" in row) == ("assignedUserId" in row):
        refuse_body("Either calendarId or assignedUserId can be set, not both")
    if "calendarId" in row:
        calendar_row(call.account, row["calendarId"])
    elif call.account.user(row["assignedUserId"]) is None:
        refuse_body("assignedUserId must be a user of the location")
    if missing := [name for name in ("startTime", "endTime") if name not in row]:
        refuse_body(*(f"{name} should not be empty" for name in missing))
    if epoch_ms(row["endTime"]) <= epoch_ms(row["startTime"]):
        refuse_body("endTime must be after startTime")


@route("POST", "/calendars/events/block-slots", WRITE, version=CALENDAR_VERSION, status=201, body=BLOCK_SLOT)
def create_block_slot(call: Call) -> dict[str, Any]:
    """Block time of a calendar or of a user."""
    account = call.account
    row = {"title": "Busy", **call.body}
    _check(call, row)
    row = {"id": account.next_id("block_slot"), **row, **account.stamp(call.at)}
    account.block_slots[row["id"]] = row
    account.created["block_slots"] += 1
    return _answer(row)


@route(
    "PUT",
    "/calendars/events/block-slots/{eventId}",
    WRITE,
    version=CALENDAR_VERSION,
    status=201,
    body=BLOCK_SLOT,
)
def change_block_slot(call: Call) -> dict[str, Any]:
    """Change a blocked slot; absent fields stay, whom it blocks changes as a whole."""
    account, before = call.account, call.account.block_slots.get(call.path["eventId"])
    if before is None:
        refuse(call.state.options.missing_status, f"Event with id {call.path['eventId']} not found")
    whom = {"calendarId", "assignedUserId"}
    kept = {key: before[key] for key in before if key not in whom or not whom & set(call.body)}
    after = {**kept, **call.body, "dateUpdated": iso(call.at)}
    _check(call, after)
    account.block_slots[after["id"]] = after
    account.updated["block_slots"] += 1
    return _answer(after)


def asked_span(call: Call) -> tuple[int, int]:
    """Return the moments in milliseconds between which a list is asked for."""
    query, longest = call.query, call.state.options.longest_span
    if not (query["startTime"].isdigit() and query["endTime"].isdigit()):
        refuse_body("startTime and endTime must be milliseconds")
    first, last = int(query["startTime"]), int(query["endTime"])
    if longest is not None and last - first > longest * _DAY:
        refuse_body(f"endTime must be within {longest} days of startTime")
    return first, last


@route(
    "GET",
    "/calendars/blocked-slots",
    READ,
    version=CALENDAR_VERSION,
    query=("locationId", "startTime", "endTime"),
    optional_query=("userId", "calendarId", "groupId"),
)
def list_blocked_slots(call: Call) -> dict[str, Any]:
    """List the blocked slots of a calendar or a user that overlap a span of milliseconds."""
    query = call.query
    if not {"userId", "calendarId", "groupId"} & set(query):
        refuse_body("Either of userId, groupId or calendarId is required")
    first, last = asked_span(call)
    rows = [
        row
        for row in call.account.block_slots.values()
        if epoch_ms(row["startTime"]) <= last
        and epoch_ms(row["endTime"]) >= first
        and query.get("userId") in {None, row.get("assignedUserId")}
        and query.get("calendarId") in {None, row.get("calendarId")}
    ]
    return {"events": [_event(row) for row in rows]}


def _event(row: Document) -> Document:
    """Return a blocked slot as the reader shows it: in the shape of an appointment that nobody has."""
    return {
        "calendarId": "",
        "assignedUserId": "",
        "contactId": "",
        "groupId": "",
        "appointmentStatus": "confirmed",
        "users": [],
        "assignedResources": [],
        **row,
    }
