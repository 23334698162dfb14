"""Schedules: the hours in which a user can be booked, by weekday or by date, and for which calendars."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sandbox.highlevel.answers import refuse, refuse_body
from sandbox.highlevel.calendars import calendar_row
from sandbox.highlevel.naming import iso
from sandbox.highlevel.routes import CALENDAR_VERSION, Call, route
from sandbox.highlevel.shapes import Shape, list_of, text

if TYPE_CHECKING:
    from sandbox.highlevel.search_index import Document

READ, WRITE = "calendars.readonly", "calendars.write"
WEEKDAYS = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")
MOST_PER_PAGE = 500
_INTERVAL = Shape({"from": text(filled=True), "to": text(filled=True)}, required=("from", "to")).nested()
_RULE = Shape(
    {
        "type": text(choices=("wday", "date")),
        "intervals": list_of(_INTERVAL),
        "date": text(filled=True),
        "day": text(choices=WEEKDAYS),
    },
    required=("type", "intervals"),
).nested()
_CHANGE = {"name": text(filled=True), "rules": list_of(_RULE), "timezone": text(filled=True)}
NEW_SCHEDULE = Shape(
    {
        **_CHANGE,
        "locationId": text(filled=True),
        "userId": text(filled=True),
        "calendarIds": list_of(text(filled=True)),
    },
    required=("timezone", "locationId", "name", "userId"),
)
CHANGED_SCHEDULE = Shape(_CHANGE)


def _wanted(call: Call) -> Document:
    row = call.account.schedules.get(call.path["id"])
    if row is None:
        refuse(call.state.options.missing_status, f"Schedule with id {call.path['id']} not found")
    return row


def _check_rules(row: Document) -> None:
    for rule in row.get("rules", ()):
        names = ("day", "date") if rule["type"] == "wday" else ("date", "day")
        if names[0] not in rule or names[1] in rule:
            refuse_body(f"a rule of type {rule['type']} needs {names[0]} and takes no {names[1]}")


@route(
    "GET",
    "/calendars/schedules/search",
    READ,
    version=CALENDAR_VERSION,
    query=("locationId", "userId"),
    optional_query=("calendarId", "skip", "limit"),
)
def search_schedules(call: Call) -> dict[str, Any]:
    """List the schedules of a user."""
    query = call.query
    rows = [
        row
        for row in call.account.schedules.values()
        if row["userId"] == query["userId"]
        and ("calendarId" not in query or query["calendarId"] in row["calendarIds"])
    ]
    skip, limit = query.get("skip", "0"), query.get("limit", "50")
    if not (skip.isdigit() and limit.isdigit() and 0 < int(limit) <= MOST_PER_PAGE):
        refuse_body(f"limit must be between 1 and {MOST_PER_PAGE}")
    return {"schedules": rows[int(skip) : int(skip) + int(limit)]}


@route("POST", "/calendars/schedules", WRITE, version=CALENDAR_VERSION, status=201, body=NEW_SCHEDULE)
def create_schedule(call: Call) -> dict[str, Any]:
    """Make a schedule."""
    account, body = call.account, call.body
    if account.user(body["userId"]) is None:
        refuse_body("userId must be a user of the location")
    for calendar in body.get("calendarIds", ()):
        calendar_row(account, calendar)
    _check_rules(body)
    row = {"id": account.next_id("schedule"), "rules": [], "calendarIds": [], "deleted": False, **body}
    row |= account.stamp(call.at)
    account.schedules[row["id"]] = row
    account.created["schedules"] += 1
    return {"schedule": row}


@route("PUT", "/calendars/schedules/{id}", WRITE, version=CALENDAR_VERSION, body=CHANGED_SCHEDULE)
def change_schedule(call: Call) -> dict[str, Any]:
    """Change a schedule; rules are replaced as a whole."""
    _check_rules(call.body)
    return {"schedule": _stored(call, {**_wanted(call), **call.body})}


def _stored(call: Call, row: Document) -> Document:
    after = {**row, "dateUpdated": iso(call.at)}
    call.account.schedules[after["id"]] = after
    call.account.updated["schedules"] += 1
    return after


@route("DELETE", "/calendars/schedules/{id}", WRITE, version=CALENDAR_VERSION)
def delete_schedule(call: Call) -> dict[str, Any]:
    """Delete a schedule."""
    del call.account.schedules[_wanted(call)["id"]]
    call.account.deleted["schedules"] += 1
    return {"success": True}
