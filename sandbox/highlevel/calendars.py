"""Calendars: their team, whether they are active, and how long a slot is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sandbox.highlevel.answers import refuse, refuse_body
from sandbox.highlevel.naming import key_from_name
from sandbox.highlevel.routes import CALENDAR_VERSION, Call, route
from sandbox.highlevel.shapes import Shape, anything, boolean, list_of, number, text

if TYPE_CHECKING:
    from sandbox.highlevel.account import Account
    from sandbox.highlevel.search_index import Document

READ, WRITE = "calendars.readonly", "calendars.write"
TYPES = ("round_robin", "event", "class_booking", "collective", "service_booking", "personal")
# A personal calendar has one member, an event calendar none; the others are shared by a team.
TEAM_TYPES = frozenset({"round_robin", "collective", "service_booking"})
_MEMBER = Shape(
    {
        "userId": text(filled=True),
        "priority": number(),
        "meetingLocationType": text(),
        "meetingLocation": text(),
        "isPrimary": boolean(),
        "locationConfigurations": anything(),
    },
    required=("userId",),
).nested()
_TEXTS = (
    "groupId",
    "description",
    "slug",
    "widgetSlug",
    "widgetType",
    "eventTitle",
    "eventColor",
    "meetingLocation",
    "slotDurationUnit",
    "slotIntervalUnit",
    "preBufferUnit",
    "allowBookingAfterUnit",
    "allowBookingForUnit",
    "formId",
    "alertEmail",
    "notes",
    "pixelId",
    "formSubmitType",
    "formSubmitRedirectURL",
    "formSubmitThanksMessage",
    "guestType",
    "consentLabel",
    "calendarCoverImage",
    "eventType",
)
_NUMBERS = (
    "slotDuration",
    "slotInterval",
    "slotBuffer",
    "preBuffer",
    "appoinmentPerSlot",
    "appoinmentPerDay",
    "allowBookingAfter",
    "allowBookingFor",
    "availabilityType",
)
_FLAGS = (
    "isActive",
    "enableRecurring",
    "stickyContact",
    "isLivePaymentMode",
    "autoConfirm",
    "shouldSendAlertEmailsToAssignedMember",
    "googleInvitationEmails",
    "allowReschedule",
    "allowCancellation",
    "shouldAssignContactToTeamMember",
    "shouldSkipAssigningContactForExisting",
)
_OTHERS = (
    "notifications",
    "locationConfigurations",
    "openHours",
    "recurring",
    "availabilities",
    "lookBusyConfig",
)
_CHANGE = {
    "name": text(filled=True),
    "teamMembers": list_of(_MEMBER),
    **dict.fromkeys(_TEXTS, text()),
    **dict.fromkeys(_NUMBERS, number()),
    **dict.fromkeys(_FLAGS, boolean()),
    **dict.fromkeys(_OTHERS, anything()),
}
NEW_CALENDAR = Shape(
    {
        **_CHANGE,
        "locationId": text(filled=True),
        "calendarType": text(choices=TYPES),
        # The description leaves this unit out of the changes.
        "slotBufferUnit": text(),
    },
    required=("name", "locationId"),
)
CHANGED_CALENDAR = Shape(_CHANGE)


def calendar_row(account: Account, identity: str) -> Document:
    """Return a calendar."""
    row = account.calendars.get(identity)
    if row is None:
        refuse(account.options.missing_status, f"Calendar with id {identity} not found")
    return row


def _check_team(account: Account, row: Document) -> None:
    members = row.get("teamMembers", [])
    if any(account.user(member["userId"]) is None for member in members):
        refuse_body("teamMembers must be users of the location")
    if row["calendarType"] in TEAM_TYPES and not members:
        refuse_body(f"teamMembers should not be empty for {row['calendarType']}")


@route(
    "GET",
    "/calendars/",
    READ,
    version=CALENDAR_VERSION,
    query=("locationId",),
    optional_query=("groupId", "showDrafted"),
)
def list_calendars(call: Call) -> dict[str, Any]:
    """List the calendars of the location."""
    return {"calendars": list(call.account.calendars.values())}


@route("POST", "/calendars/", WRITE, version=CALENDAR_VERSION, body=NEW_CALENDAR)
def create_calendar(call: Call) -> dict[str, Any]:
    """Make a calendar; it is active unless the body says otherwise."""
    account = call.account
    identity = account.next_id("calendar")
    row = {
        "id": identity,
        "calendarType": "event",
        "isActive": True,
        "slotDuration": 30,
        "slotDurationUnit": "mins",
        "slug": key_from_name(call.body["name"]),
        "teamMembers": [],
        **call.body,
    }
    _check_team(account, row)
    account.calendars[identity] = row
    account.created["calendars"] += 1
    return {"calendar": dict(row)}


@route("PUT", "/calendars/{calendarId}", WRITE, version=CALENDAR_VERSION, body=CHANGED_CALENDAR)
def change_calendar(call: Call) -> dict[str, Any]:
    """Change a calendar; a list of members replaces the former one."""
    after = {**calendar_row(call.account, call.path["calendarId"]), **call.body}
    _check_team(call.account, after)
    call.account.calendars[after["id"]] = after
    call.account.updated["calendars"] += 1
    return {"calendar": dict(after)}


@route("DELETE", "/calendars/{calendarId}", WRITE, version=CALENDAR_VERSION)
def delete_calendar(call: Call) -> dict[str, Any]:
    """Delete a calendar."""
    del call.account.calendars[calendar_row(call.account, call.path["calendarId"])["id"]]
    call.account.deleted["calendars"] += 1
    return {"success": True}
