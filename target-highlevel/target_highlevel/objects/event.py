"""Appointments as calendar events: always silent, always past every slot check."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, ClassVar

from typing_extensions import override

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
        told = {
            "title": title_of(fields),
            "body": text_of(row, fields),
            "starts_at": fields.get("starts_at"),
            "ends_at": fields.get("ends_at"),
            "status": self._status(fields),
            "user": self.user(fields.get("owner")),
        }
        told = {name: value for name, value in told.items() if value is not None}
        calendar, user = self._place(row, fields, told)
        placed = {**told, "user": user, "calendar": calendar}
        return {name: value for name, value in placed.items() if value is not None}

    def _status(self, fields: Mapping[str, Any]) -> str:
        return STATUSES.get(str(fields.get("status")), "confirmed")

    def _place(self, row: Row, fields: Mapping[str, Any], told: Mapping[str, Any]) -> tuple[str, str | None]:
        """Return the calendar of an event and whose it is.

        It is that of its type, unless the team is without the user: an event in somebody else's name would take that person's
        time. Then it goes into one that is closed and has everybody. A record that names no calendar gets one by the name of its
        type.
        """
        catalogue, user = self.ctx.catalogue, told.get("user")
        if self.ctx.settings.calendar_id:
            return self.ctx.settings.calendar_id, catalogue.of_team(self.ctx.settings.calendar_id, user)
        name = str(fields.get("appointment_type") or OTHER_CALENDAR)
        if fields.get("calendar"):
            found, name = self.ctx.work.hl_id(str(fields["calendar"])), OTHER_CALENDAR
            if found and self._may_be_in(found, row, told):
                return found, user
        with self._calendars:
            calendar = catalogue.calendar(name, make=self._makes_calendars) or MISSING_CALENDAR
        return calendar, catalogue.of_team(calendar, user)

    def _may_be_in(self, calendar: str, row: Row, told: Mapping[str, Any]) -> bool:
        """Return whether an event belongs into the calendar of its type.

        One that was made stays where it is when a team changes, until something of it is to be written: HighLevel takes no change
        of an event whose user is not in the team.
        """
        was_there = is_written(row.written.get("calendar"), calendar, self.ctx.salt)
        if was_there and self._is_as_written(row, told):
            return True
        team = self.ctx.catalogue.team(calendar)
        if was_there and not team:  # nobody knows who is in it
            return True
        return told.get("user") in team and not self._is_in_other(row)

    def _is_as_written(self, row: Row, told: Mapping[str, Any]) -> bool:
        """Return whether an event stays as it was written last, on the contact that it is on."""
        if row.contact and self.ctx.work.hl_id(f"contact:{row.contact}") != row.parent_id:
            return False
        return all(
            name in row.notes.shortened or is_written(row.written.get(name), value, self.ctx.salt)
            for name, value in told.items()
        )

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

    @override
    def detached_text(self, source_id: str, there: Mapping[str, Any], why: str) -> dict[str, Any]:
        """Say it on an event whose user has left the team of its calendar in the closed one: elsewhere HighLevel refuses it."""
        said, catalogue = super().detached_text(source_id, there, why), self.ctx.catalogue
        team = catalogue.team(str(there["calendar"])) if said and there.get("calendar") else ()
        if not team or there.get("user") in team:
            return said
        with self._calendars:
            other = catalogue.calendar(OTHER_CALENDAR, make=self._makes_calendars)
        return {**said, "calendar": other, "user": catalogue.of_team(other, there["user"])} if other else said

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
