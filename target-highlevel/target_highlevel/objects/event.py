"""Appointments as calendar events: always silent, always past every slot check."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, ClassVar

from target_highlevel.errors import NotFound
from target_highlevel.objects.base import Created, Existing, marked, present
from target_highlevel.objects.on_contact import OnContact, text_of, whole_seconds

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from target_highlevel.descriptor import StreamSpec
    from target_highlevel.ledger.rows import Row
    from target_highlevel.objects.base import Surroundings

#: Cliniko's state of an appointment and HighLevel's (highlevel-api.md section 14).
STATUSES = {
    "booked": "confirmed",
    "arrived": "showed",
    "did_not_arrive": "noshow",
    "cancelled": "cancelled",
    "removed": "invalid",
}
_OPEN = frozenset({"new", "confirmed"})
#: Stands for a calendar that should be there and is not, where none may be made: no event can be in it.
MISSING_CALENDAR = "missing"
#: Without these three an event of years ago is refused, or its patient is told about it.
_SILENT = {"ignoreDateRange": True, "ignoreFreeSlotValidation": True, "toNotify": False}


class Event(OnContact):
    """An appointment as a calendar event."""

    collection = "appointments"
    envelope = "event"
    marked_field = "description"
    create_route = "/calendars/events/appointments"
    update_route = "/calendars/events/appointments/{id}"
    remove_route = "/calendars/events/{id}"
    names: ClassVar[Mapping[str, str]] = {
        "title": "title",
        "body": "description",
        "starts_at": "startTime",
        "ends_at": "endTime",
        "status": "appointmentStatus",
        "user": "assignedUserId",
        "calendar": "calendarId",
    }

    def __init__(self, around: Surroundings, *, makes_calendars: bool = True) -> None:
        """Create each missing calendar once, whichever worker meets it first; a verification and an undo create none."""
        super().__init__(around)
        self._makes_calendars = makes_calendars
        self._calendars = threading.Lock()

    def prepare(self, row: Row, spec: StreamSpec, fields: Mapping[str, Any]) -> dict[str, Any]:
        """Return the event's fields with the calendar as its id; one that is missing is made."""
        calendar = self._calendar(str(fields.get("appointment_type") or "Cliniko"))
        wanted = {
            "title": fields.get("title"),
            "body": text_of(fields),
            "starts_at": fields.get("starts_at"),
            "ends_at": fields.get("ends_at"),
            "status": self._status(fields),
            "user": self.around.catalogue.of_team(calendar, self.user(fields.get("owner"))),
            "calendar": calendar,
        }
        return {name: value for name, value in wanted.items() if value is not None}

    def _status(self, fields: Mapping[str, Any]) -> str:
        return STATUSES.get(str(fields.get("status")), "confirmed")

    def _calendar(self, name: str) -> str:
        if self.around.settings.calendar_id:
            return self.around.settings.calendar_id
        with self._calendars:
            return self.around.catalogue.calendar(name, make=self._makes_calendars) or MISSING_CALENDAR

    def create(self, row: Row, spec: StreamSpec, wanted: Mapping[str, Any]) -> Created | Existing:
        """Create the event silently."""
        parent = self.parent_id(row)
        answer = self.around.client.request(
            "POST",
            "/calendars/events/appointments",
            route=self.create_route,
            json={
                "locationId": self.around.location,
                "contactId": parent,
                **self._body(present(wanted)),
                **_SILENT,
            },
        )
        return Created(answer["id"], parent)

    def read(self, row: Row, spec: StreamSpec) -> dict[str, Any]:
        """Return the event's fields."""
        return self.decode(self._read(str(row.hl_id)))

    def _read(self, hl_id: str) -> Mapping[str, Any]:
        answer: Mapping[str, Any] = self.around.client.request(
            "GET", f"/calendars/events/appointments/{hl_id}", route=self.update_route
        )
        return answer.get("appointment") or answer.get("event") or answer

    def decode(self, item: Mapping[str, Any]) -> dict[str, Any]:
        """Return an event in our shape."""
        fields = super().decode(item)
        return {**fields, **{name: whole_seconds(fields[name]) for name in ("starts_at", "ends_at")}}

    def update(
        self, row: Row, spec: StreamSpec, changes: Mapping[str, Any], current: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        """Write the changed fields silently."""
        self.around.client.request(
            "PUT",
            f"/calendars/events/appointments/{row.hl_id}",
            route=self.update_route,
            json={**self._body(changes), **_SILENT},
        )
        return {}

    def closed(self, there: Mapping[str, Any]) -> dict[str, Any]:
        """Cancel an event that is still to come about, silently; whoever came or stayed away did so."""
        return {"status": "cancelled"} if there.get("status") in _OPEN else {}

    def listed(self, contact_id: str) -> Iterable[dict[str, Any]]:
        """Return every appointment of a contact."""
        answer = self.around.client.request(
            "GET", f"/contacts/{contact_id}/appointments", route="/contacts/{id}/appointments"
        )
        return list(answer["events"])

    def source_id(self, item: Mapping[str, Any]) -> str | None:
        """Return the marker; a contact's list shows the text as ``notes``, as ``description`` or not at all: then it is read."""
        if item.get("description") is None and item.get("notes") is None:
            try:
                item = self._read(str(item["id"]))
            except NotFound:
                return None
        return marked(item.get("description")) or marked(item.get("notes"))

    def remove(self, row: Row) -> None:
        """Delete the event; the call wants an empty body."""
        self.around.client.request(
            "DELETE", f"/calendars/events/{row.hl_id}", route=self.remove_route, json={}
        )
