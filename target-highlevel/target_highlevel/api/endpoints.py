"""Every endpoint this target calls, each named once; the table of what is allowed at all is ``http.allowed_paths``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import quote

_PLACE = re.compile(r"\{\w+\}")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A method and a path with places for ids; the template is what errors, logs and the plan's cost show."""

    method: str
    template: str

    def path(self, *ids: str) -> str:
        """Return the path with these ids in its places, in order; what an id has of odd characters is encoded.

        Raises:
            ValueError: there are not as many ids as places.
        """
        found = iter(ids)
        path = _PLACE.sub(lambda _: quote(next(found, ""), safe=""), self.template)
        if len(ids) != len(_PLACE.findall(self.template)):
            message = f"{self} takes {len(_PLACE.findall(self.template))} ids"
            raise ValueError(message)
        return path

    def __str__(self) -> str:
        """The endpoint as reports show it."""
        return f"{self.method} {self.template}"


CREATE_CONTACT = Endpoint("POST", "/contacts/")
GET_CONTACT = Endpoint("GET", "/contacts/{id}")
UPDATE_CONTACT = Endpoint("PUT", "/contacts/{id}")
DELETE_CONTACT = Endpoint("DELETE", "/contacts/{id}")
SEARCH_CONTACTS = Endpoint("POST", "/contacts/search")
SEARCH_DUPLICATE = Endpoint("GET", "/contacts/search/duplicate")
UPLOAD_FILE = Endpoint("POST", "/forms/upload-custom-files")

LIST_NOTES = Endpoint("GET", "/contacts/{id}/notes")
CREATE_NOTE = Endpoint("POST", "/contacts/{id}/notes")
GET_NOTE = Endpoint("GET", "/contacts/{id}/notes/{childId}")
UPDATE_NOTE = Endpoint("PUT", "/contacts/{id}/notes/{childId}")
DELETE_NOTE = Endpoint("DELETE", "/contacts/{id}/notes/{childId}")

LIST_TASKS = Endpoint("GET", "/contacts/{id}/tasks")
CREATE_TASK = Endpoint("POST", "/contacts/{id}/tasks")
GET_TASK = Endpoint("GET", "/contacts/{id}/tasks/{childId}")
UPDATE_TASK = Endpoint("PUT", "/contacts/{id}/tasks/{childId}")
DELETE_TASK = Endpoint("DELETE", "/contacts/{id}/tasks/{childId}")

LIST_EVENTS = Endpoint("GET", "/contacts/{id}/appointments")
CREATE_EVENT = Endpoint("POST", "/calendars/events/appointments")
GET_EVENT = Endpoint("GET", "/calendars/events/appointments/{id}")
UPDATE_EVENT = Endpoint("PUT", "/calendars/events/appointments/{id}")
DELETE_EVENT = Endpoint("DELETE", "/calendars/events/{id}")
CREATE_BLOCK_SLOT = Endpoint("POST", "/calendars/events/block-slots")
UPDATE_BLOCK_SLOT = Endpoint("PUT", "/calendars/events/block-slots/{id}")
LIST_BLOCKED_SLOTS = Endpoint("GET", "/calendars/blocked-slots")
LIST_CALENDAR_EVENTS = Endpoint("GET", "/calendars/events")
LIST_SCHEDULES = Endpoint("GET", "/calendars/schedules/search")
CREATE_SCHEDULE = Endpoint("POST", "/calendars/schedules")
UPDATE_SCHEDULE = Endpoint("PUT", "/calendars/schedules/{id}")
DELETE_SCHEDULE = Endpoint("DELETE", "/calendars/schedules/{id}")
LIST_CALENDARS = Endpoint("GET", "/calendars/")
CREATE_CALENDAR = Endpoint("POST", "/calendars/")
FREE_SLOTS = Endpoint("GET", "/calendars/{id}/free-slots")
UPDATE_CALENDAR = Endpoint("PUT", "/calendars/{id}")
DELETE_CALENDAR = Endpoint("DELETE", "/calendars/{id}")

CREATE_RECORD = Endpoint("POST", "/objects/{key}/records")
GET_RECORD = Endpoint("GET", "/objects/{key}/records/{id}")
UPDATE_RECORD = Endpoint("PUT", "/objects/{key}/records/{id}")
DELETE_RECORD = Endpoint("DELETE", "/objects/{key}/records/{id}")
SEARCH_RECORDS = Endpoint("POST", "/objects/{key}/records/search")

CREATE_RELATION = Endpoint("POST", "/associations/relations")
LIST_RELATIONS = Endpoint("GET", "/associations/relations/{recordId}")
DELETE_RELATION = Endpoint("DELETE", "/associations/relations/{id}")

LIST_CONTACT_FIELDS = Endpoint("GET", "/locations/{id}/customFields")
CREATE_CONTACT_FIELD = Endpoint("POST", "/locations/{id}/customFields")
UPDATE_CONTACT_FIELD = Endpoint("PUT", "/locations/{id}/customFields/{id}")
DELETE_CONTACT_FIELD = Endpoint("DELETE", "/locations/{id}/customFields/{id}")
LIST_OBJECTS = Endpoint("GET", "/objects/")
CREATE_OBJECT = Endpoint("POST", "/objects/")
UPDATE_OBJECT = Endpoint("PUT", "/objects/{key}")
LIST_OBJECT_FIELDS = Endpoint("GET", "/custom-fields/object-key/{key}")
CREATE_OBJECT_FIELD = Endpoint("POST", "/custom-fields/")
UPDATE_OBJECT_FIELD = Endpoint("PUT", "/custom-fields/{id}")
CREATE_FOLDER = Endpoint("POST", "/custom-fields/folder")
LIST_ASSOCIATIONS = Endpoint("GET", "/associations/")
CREATE_ASSOCIATION = Endpoint("POST", "/associations/")
DELETE_ASSOCIATION = Endpoint("DELETE", "/associations/{id}")

GET_LOCATION = Endpoint("GET", "/locations/{id}")
LIST_USERS = Endpoint("GET", "/users/")
SEARCH_USERS = Endpoint("GET", "/users/search")
LIST_CUSTOM_VALUES = Endpoint("GET", "/locations/{locationId}/customValues")
CREATE_CUSTOM_VALUE = Endpoint("POST", "/locations/{locationId}/customValues")
GET_CUSTOM_VALUE = Endpoint("GET", "/locations/{locationId}/customValues/{id}")
UPDATE_CUSTOM_VALUE = Endpoint("PUT", "/locations/{locationId}/customValues/{id}")
DELETE_CUSTOM_VALUE = Endpoint("DELETE", "/locations/{locationId}/customValues/{id}")

LIST_WORKFLOWS = Endpoint("GET", "/workflows/")

LIST_PIPELINES = Endpoint("GET", "/opportunities/pipelines")
CREATE_OPPORTUNITY = Endpoint("POST", "/opportunities/")
GET_OPPORTUNITY = Endpoint("GET", "/opportunities/{id}")
UPDATE_OPPORTUNITY = Endpoint("PUT", "/opportunities/{id}")
DELETE_OPPORTUNITY = Endpoint("DELETE", "/opportunities/{id}")
SEARCH_OPPORTUNITIES = Endpoint("GET", "/opportunities/search")
SEARCH_CONVERSATIONS = Endpoint("GET", "/conversations/search")
LIST_SUBMISSIONS = Endpoint("GET", "/forms/submissions")
LIST_TRANSACTIONS = Endpoint("GET", "/payments/transactions")
LIST_ORDERS = Endpoint("GET", "/payments/orders")
LIST_INVOICES = Endpoint("GET", "/invoices/")
