"""Appointments as calendar events: always silent, always past every slot check."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, ClassVar

from target_highlevel.assumptions import question
from target_highlevel.errors import NotFound
from target_highlevel.fields import is_written
from target_highlevel.marker import marked
from target_highlevel.objects.on_contact import OnContact, text_of, title_of, whole_seconds

if TYPE_CHECKING:
    from collections.abc import Mapping

    from target_highlevel.api.activities import Activities
    from target_highlevel.descriptor import StreamSpec
    from target_highlevel.ledger.rows import Row
    from target_highlevel.objects.base import ObjectContext, Updated

#: Cliniko's state of an appointment and HighLevel's (docs/api-facts.md, Appointments).
STATUSES = {
    "booked": "confirmed",
    "arrived": "showed",
    "did_not_arrive": "noshow",
    "cancelled": "cancelled",
    "removed": "invalid",
}
_OPEN = frozenset({"new", "confirmed"})
#: Fields that a task does not have: every event has at least one of them.
EVENT_ONLY = ("calendar", "starts_at", "status")
#: Name of the calendar of all bookings that no calendar of their type can take.
OTHER_CALENDAR = "Other bookings of Cliniko"
#: Stands for a calendar that should be there and is not, where none may be made: no event can be in it.
MISSING_CALENDAR = "missing"


def is_event(written: Mapping[str, Any]) -> bool:
    """Return whether an appointment of which these fields were written is an event."""
    return not written.keys().isdisjoint(EVENT_ONLY)


class Event(OnContact):
    """An appointment as a calendar event."""

    length = question("event_length")
    spare = frozenset({"title", "user"})
    marked_field = "description"
    api = "events"
    names: ClassVar[Mapping[str, str]] = {
        "title": "title",
        "body": "description",
        "starts_at": "startTime",
        "ends_at": "endTime",
        "status": "appointmentStatus",
        "user": "assignedUserId",
        "calendar": "calendarId",
    }

    def __init__(self, ctx: ObjectContext, *, makes_calendars: bool = True) -> None:
        """Create each missing calendar once, whichever worker meets it first; a verification and an undo create none."""
        super().__init__(ctx)
        self._makes_calendars = makes_calendars
        self._calendars = threading.Lock()

    @property
    def activities(self) -> Activities:
        """Return events."""
        return self.ctx.highlevel.events

    def prepare(self, row: Row, spec: StreamSpec, fields: Mapping[str, Any]) -> dict[str, Any]:
        """Return the event's fields with the calendar as its id; one that is missing is made."""
        calendar, user = self._place(row, fields, self.user(fields.get("owner")))
        wanted = {
            "title": title_of(fields),
            "body": text_of(row, fields),
            "starts_at": fields.get("starts_at"),
            "ends_at": fields.get("ends_at"),
            "status": self._status(fields),
            "user": user,
            "calendar": calendar,
        }
        return {name: value for name, value in wanted.items() if value is not None}

    def _status(self, fields: Mapping[str, Any]) -> str:
        return STATUSES.get(str(fields.get("status")), "confirmed")

    def _place(self, row: Row, fields: Mapping[str, Any], user: str | None) -> tuple[str, str | None]:
        """Return the calendar of an event and whose it is.

        It is that of its type, unless the team is without the user: an event in somebody else's name would take that person's
        time. Then it goes into one that is closed and has everybody. One that was made stays where it is when a team changes.
        A record that names no calendar gets one by the name of its type.
        """
        catalogue = self.ctx.catalogue
        if self.ctx.settings.calendar_id:
            return self.ctx.settings.calendar_id, catalogue.of_team(self.ctx.settings.calendar_id, user)
        name = str(fields.get("appointment_type") or OTHER_CALENDAR)
        if fields.get("calendar"):
            found, name = self.ctx.work.hl_id(str(fields["calendar"])), OTHER_CALENDAR
            was_there = found and is_written(row.written.get("calendar"), found, self.ctx.salt)
            if found and (was_there or (user in catalogue.team(found) and not self._is_in_other(row))):
                return found, user
        with self._calendars:
            calendar = catalogue.calendar(name, make=self._makes_calendars) or MISSING_CALENDAR
        return calendar, catalogue.of_team(calendar, user)

    def _is_in_other(self, row: Row) -> bool:
        with self._calendars:
            other = self.ctx.catalogue.calendar(OTHER_CALENDAR, make=False) if row.written else None
        return other is not None and is_written(row.written.get("calendar"), other, self.ctx.salt)

    def read(self, row: Row, spec: StreamSpec) -> dict[str, Any]:
        """Return the event's fields, which do not depend on its contact."""
        return self.decode(self.activities.get(str(row.parent_id), str(row.hl_id)))

    def decode(self, item: Mapping[str, Any]) -> dict[str, Any]:
        """Return an event in our shape."""
        fields = super().decode(item)
        return {**fields, **{name: whole_seconds(fields[name]) for name in ("starts_at", "ends_at")}}

    def update(
        self, row: Row, spec: StreamSpec, changes: Mapping[str, Any], current: Mapping[str, Any]
    ) -> Updated:
        """Write the changed fields, whatever contact the event is of."""
        return self._write(str(row.parent_id), row, spec, changes)

    def closed(self, there: Mapping[str, Any]) -> dict[str, Any]:
        """Cancel an event that is still to come about, silently; whoever came or stayed away did so."""
        return {"status": "cancelled"} if there.get("status") in _OPEN else {}

    def source_id(self, item: Mapping[str, Any]) -> str | None:
        """Return the marker; a contact's list shows the text as ``notes``, as ``description`` or not at all: then it is read."""
        if item.get("description") is None and item.get("notes") is None:
            try:
                item = self.activities.get("", str(item["id"]))
            except NotFound:
                return None
        return marked(item.get("description")) or marked(item.get("notes"))
