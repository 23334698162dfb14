"""What hangs on a contact: notes, tasks and calendar events."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from target_highlevel.api import endpoints
from target_highlevel.api.answers import Item, identified, inside, living, rows, text
from target_highlevel.api.resource import Resource
from target_highlevel.values import switched

if TYPE_CHECKING:
    from collections.abc import Mapping

    from target_highlevel.api.endpoints import Endpoint

#: Without these three an event of years ago is refused, or its patient is told about it (docs/api-facts.md, Appointments).
_SILENT = {"ignoreDateRange": True, "ignoreFreeSlotValidation": True, "toNotify": False}
#: What is on or off about a note or a task.
_SWITCHES = ("completed", "pinned")
#: What an answer may call an event.
EVENT = ("appointment", "event")


@dataclass(frozen=True, slots=True)
class ActivityEndpoints:
    """What is called to do what with one kind of thing."""

    listed: Endpoint
    create: Endpoint
    get: Endpoint
    update: Endpoint
    delete: Endpoint


class Activities(Resource):
    """One kind of thing that hangs on a contact. An item is the API's own object, with at least a text as its ``id``."""

    endpoints: ClassVar[ActivityEndpoints]

    @abstractmethod
    def listed(self, contact_id: str) -> list[Item]:
        """Return all of this kind that hang on a contact; the list does not lag behind writes.

        Raises:
            NotFound: the contact is not there.
        """

    @abstractmethod
    def create(self, contact_id: str, fields: Mapping[str, Any]) -> str:
        """Create one and return its id."""

    @abstractmethod
    def get(self, contact_id: str, item_id: str) -> Item:
        """Return one.

        Raises:
            NotFound: it, or the contact, is not there.
        """

    @abstractmethod
    def update(self, contact_id: str, item_id: str, fields: Mapping[str, Any]) -> None:
        """Write these fields."""

    @abstractmethod
    def delete(self, contact_id: str, item_id: str) -> None:
        """Delete one."""


class _UnderContact(Activities):
    """Notes and tasks differ in nothing but their names."""

    _envelope: ClassVar[str]

    def listed(self, contact_id: str) -> list[Item]:
        answer = self._call(self.endpoints.listed, contact_id)
        found = rows(answer, self.endpoints.listed, f"{self._envelope}s")
        return [_read(item, self.endpoints.listed) for item in living(found)]

    def create(self, contact_id: str, fields: Mapping[str, Any]) -> str:
        answer = self._call(self.endpoints.create, contact_id, json=fields)
        return text(inside(answer, self.endpoints.create, self._envelope), self.endpoints.create, "id")

    def get(self, contact_id: str, item_id: str) -> Item:
        answer = self._call(self.endpoints.get, contact_id, item_id)
        return _read(inside(answer, self.endpoints.get, self._envelope), self.endpoints.get)

    def update(self, contact_id: str, item_id: str, fields: Mapping[str, Any]) -> None:
        self._call(self.endpoints.update, contact_id, item_id, json=fields)

    def delete(self, contact_id: str, item_id: str) -> None:
        self._call(self.endpoints.delete, contact_id, item_id)


def _read(item: Any, endpoint: Endpoint) -> Item:
    """Return a note or a task; its switches may come as words."""
    found = identified(item, endpoint)
    return {**found, **{name: switched(found[name]) for name in _SWITCHES if found.get(name) is not None}}


class Notes(_UnderContact):
    """Notes of contacts."""

    _envelope = "note"
    endpoints = ActivityEndpoints(
        endpoints.LIST_NOTES,
        endpoints.CREATE_NOTE,
        endpoints.GET_NOTE,
        endpoints.UPDATE_NOTE,
        endpoints.DELETE_NOTE,
    )


class Tasks(_UnderContact):
    """Tasks of contacts."""

    _envelope = "task"
    endpoints = ActivityEndpoints(
        endpoints.LIST_TASKS,
        endpoints.CREATE_TASK,
        endpoints.GET_TASK,
        endpoints.UPDATE_TASK,
        endpoints.DELETE_TASK,
    )


class Events(Activities):
    """Appointments in calendars: written past every slot check, and without telling the patient."""

    endpoints = ActivityEndpoints(
        endpoints.LIST_EVENTS,
        endpoints.CREATE_EVENT,
        endpoints.GET_EVENT,
        endpoints.UPDATE_EVENT,
        endpoints.DELETE_EVENT,
    )

    def listed(self, contact_id: str) -> list[Item]:
        """Return the appointments of a contact, which show less here than when they are read one by one."""
        answer = self._call(self.endpoints.listed, contact_id)
        found = rows(answer, self.endpoints.listed, "events")
        return [identified(item, self.endpoints.listed) for item in living(found)]

    def create(self, contact_id: str, fields: Mapping[str, Any]) -> str:
        """Create an event and return its id."""
        body = {"locationId": self._location, "contactId": contact_id, **fields, **_SILENT}
        answer = self._call(self.endpoints.create, json=body)
        return text(inside(answer, self.endpoints.create, *EVENT), self.endpoints.create, "id")

    def get(self, contact_id: str, item_id: str) -> Item:
        """Return an event; the contact does not matter."""
        answer = self._call(self.endpoints.get, item_id)
        return identified(inside(answer, self.endpoints.get, *EVENT), self.endpoints.get)

    def update(self, contact_id: str, item_id: str, fields: Mapping[str, Any]) -> None:
        """Write these fields; the contact does not matter."""
        self._call(self.endpoints.update, item_id, json={**fields, **_SILENT})

    def delete(self, contact_id: str, item_id: str) -> None:
        """Delete an event; the call wants an empty body, and the contact does not matter."""
        self._call(self.endpoints.delete, item_id, json={})
