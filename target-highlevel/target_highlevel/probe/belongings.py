"""Everything a probe makes, known by its name alone: so that the next one finds what a killed one left.

The ledger is not needed for it. A contact carries the mark in a custom field that is made before the first contact and
deleted after the last, and a sub-account with that field has leftovers until a search finds none.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from target_highlevel.api import endpoints
from target_highlevel.api.answers import rows, text
from target_highlevel.api.paging import LIST_PAGE, list_pages, search_pages
from target_highlevel.errors import NotFound
from target_highlevel.probe.asking import NO, NO_ANSWER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from target_highlevel.api.answers import Item
    from target_highlevel.api.endpoints import Endpoint
    from target_highlevel.errors import HighLevelError
    from target_highlevel.probe.asking import Asker

NAME = "Cliniko migration probe"
MARK = "of the migration's probe"
ASSOCIATION = "cliniko_migration_probe"
_FIELD_KEY = "contact.cliniko_migration_probe"
#: The field with the mark; the others of the probe are this name and a word.
MARK_FIELD = NAME
#: The day of 2010 on which a probe blocks an hour, in milliseconds.
_WHEN_BLOCKED = {"startTime": "1262563200000", "endTime": "1262649600000"}
#: How often the search is asked for contacts that should no longer be there.
_LOOKS = 6


@dataclass
class Leftovers:
    """What of a probe is in the sub-account."""

    contacts: list[str] = field(default_factory=list)
    fields: dict[str, str] = field(default_factory=dict)
    calendars: list[str] = field(default_factory=list)
    associations: list[str] = field(default_factory=list)
    custom_values: list[str] = field(default_factory=list)
    #: Why some of it could not be looked for: then there may be more.
    unseen: HighLevelError | None = None

    def __bool__(self) -> bool:
        """Whether there is anything."""
        return any((self.contacts, self.fields, self.calendars, self.associations, self.custom_values))

    def told(self) -> Iterator[str]:
        """Yield what is there, by kind and number."""
        for kind, found in (
            ("contact", self.contacts),
            ("custom field", self.fields),
            ("calendar", self.calendars),
            ("association", self.associations),
            ("custom value", self.custom_values),
        ):
            if found:
                yield f"{len(found)} {kind}{'s' if len(found) > 1 else ''}"

    @property
    def nothing(self) -> bool:
        """Whether it is certain that there is nothing."""
        return not self and self.unseen is None


class Belongings:
    """Finds and removes what probes made in a sub-account."""

    def __init__(self, asker: Asker, wait: Callable[[float], Any]) -> None:
        """Ask this way; `wait` waits for so many seconds, or until the command is asked to stop."""
        self._asker = asker
        self._wait = wait

    def find(self) -> Leftovers:
        """Return what of a probe is there, as far as the search knows.

        Raises:
            HighLevelError: a list or the search did not answer: nobody knows what is there.
        """
        found = self.look()
        if found.unseen is not None:
            raise found.unseen
        return found

    def look(self) -> Leftovers:
        """Return the same as far as it can be seen; ``unseen`` of it says whether that is all."""
        at, found = self._asker.location, Leftovers()
        with self._noting(found):
            fields = self._rows(
                endpoints.LIST_CONTACT_FIELDS, "customFields", at, params={"model": "contact"}
            )
            found.fields = {
                str(row["fieldKey"]): text(row, endpoints.LIST_CONTACT_FIELDS, "id")
                for row in fields
                if str(row.get("fieldKey")).startswith(_FIELD_KEY)
            }
        with self._noting(found, made_by=endpoints.CREATE_CALENDAR):
            calendars = self._rows(endpoints.LIST_CALENDARS, "calendars", params={"locationId": at})
            found.calendars = [
                text(row, endpoints.LIST_CALENDARS, "id") for row in calendars if row.get("name") == NAME
            ]
        with self._noting(found, made_by=endpoints.CREATE_ASSOCIATION):
            found.associations = [
                text(row, endpoints.LIST_ASSOCIATIONS, "id")
                for row in self._associations()
                if row.get("key") == ASSOCIATION
            ]
        with self._noting(found, made_by=endpoints.CREATE_CUSTOM_VALUE):
            values = self._rows(endpoints.LIST_CUSTOM_VALUES, "customValues", at)
            found.custom_values = [
                text(row, endpoints.LIST_CUSTOM_VALUES, "id") for row in values if row.get("name") == NAME
            ]
        with self._noting(found):
            found.contacts = self._contacts(found)
        return found

    @contextmanager
    def _noting(self, found: Leftovers, *, made_by: Endpoint | None = None) -> Iterator[None]:
        """Note where a list does not answer, unless there can be nothing of the probe's in it.

        What a token may not list it may not make either, as far as is known: until it has made one.
        """
        try:
            yield
        except NO_ANSWER as error:
            if not (isinstance(error, NO) and made_by and made_by not in self._asker.accepted):
                found.unseen = found.unseen or error

    def _rows(self, endpoint: Endpoint, envelope: str, *ids: str, **more: Any) -> list[Item]:
        return rows(self._asker.ask(endpoint, *ids, **more).given(), endpoint, envelope)

    def _associations(self) -> Iterator[Item]:
        endpoint, at = endpoints.LIST_ASSOCIATIONS, self._asker.location
        for page in list_pages(
            lambda part: self._asker.ask(endpoint, params={"locationId": at, **part}).given(),
            endpoint,
            "associations",
        ):
            yield from page

    def _contacts(self, found: Leftovers) -> list[str]:
        """Return the contacts that the search shows: none where no field is there that marks them."""
        if _FIELD_KEY not in found.fields:
            return []
        endpoint = endpoints.SEARCH_CONTACTS
        body = {
            "locationId": self._asker.location,
            "pageLimit": LIST_PAGE,
            "filters": [{"field": f"customFields.{found.fields[_FIELD_KEY]}", "operator": "exists"}],
        }
        pages = search_pages(
            lambda cursor: self._asker.ask(endpoint, json={**body, **cursor}).given(), endpoint, "contacts"
        )
        return [text(row, endpoint, "id") for page in pages for row in page]

    def remove(self, found: Leftovers, *, settle: float) -> Leftovers:
        """Remove what was found, and what the search shows later; return what is still there, as far as it can be seen.

        Args:
            found: what is there.
            settle: seconds that the search lags behind at most, as far as is known.
        """
        ask, at = self._asker.ask, self._asker.location
        for identity in found.custom_values:
            ask(endpoints.DELETE_CUSTOM_VALUE, at, identity)
        for identity in found.contacts:
            self._remove_contact(found, identity)
        for identity in found.calendars:
            self._remove_calendar(found, identity)
        for identity in found.associations:
            ask(endpoints.DELETE_ASSOCIATION, identity)
        anybody = True
        with self._noting(found):
            anybody = bool(self._contacts_left(found, settle))
        for key, identity in sorted(found.fields.items(), reverse=True):
            # the mark goes last, and stays as long as there may be somebody to find by it
            if key != _FIELD_KEY or not anybody:
                ask(endpoints.DELETE_CONTACT_FIELD, at, identity)
        left = self.look()
        left.unseen = left.unseen or found.unseen
        return left

    def _remove_calendar(self, found: Leftovers, identity: str) -> None:
        """Delete a calendar after what is blocked in it: whether that goes along is not known. Unseen, both stay."""
        endpoint = endpoints.LIST_BLOCKED_SLOTS
        params = {"locationId": self._asker.location, "calendarId": identity, **_WHEN_BLOCKED}
        with self._noting(found):
            said = self._asker.ask(endpoint, params=params)
            if not said.refused or endpoints.CREATE_BLOCK_SLOT in self._asker.accepted:
                for slot in rows(said.given(), endpoint, "events"):
                    if slot.get("id"):
                        self._asker.ask(endpoints.DELETE_EVENT, str(slot["id"]), json={})
            self._asker.ask(endpoints.DELETE_CALENDAR, identity)

    def _remove_contact(self, found: Leftovers, identity: str) -> None:
        """Delete a contact after its appointments: whether they go with it is not known. Where they cannot be seen it stays."""
        with self._noting(found):
            for event in self._events(identity):
                if event.get("id"):
                    self._asker.ask(endpoints.DELETE_EVENT, str(event["id"]), json={})
            self._asker.ask(endpoints.DELETE_CONTACT, identity)

    def _events(self, contact: str) -> list[Item]:
        """Return the appointments of a contact: none of one that is gone, and none where none can have been made."""
        said = self._asker.ask(endpoints.LIST_EVENTS, contact)
        if said.refused and endpoints.CREATE_EVENT not in self._asker.accepted:
            return []
        if said.error is not None and not self._is_there(contact):
            return []
        return rows(said.given(), endpoints.LIST_EVENTS, "events")

    def _contacts_left(self, found: Leftovers, settle: float) -> list[str]:
        """Delete contacts that the search shows only now; return those that it goes on to show.

        A create whose answer was lost becomes visible late, a deleted contact goes late: both take as long as the lag.
        """
        seen, shown = set(found.contacts), list[str]()
        for look in range(_LOOKS if _FIELD_KEY in found.fields else 0):
            self._wait(settle if look == 0 else settle / 2 + 0.5)
            shown = self._contacts(found)
            if not shown:
                return []
            for identity in set(shown) - seen:
                self._remove_contact(found, identity)
            seen |= set(shown)
        return [identity for identity in shown if self._is_there(identity)]

    def _is_there(self, contact: str) -> bool:
        """Return whether a contact is there: the search may go on to show one that was deleted."""
        said = self._asker.ask(endpoints.GET_CONTACT, contact)
        if isinstance(said.error, NotFound):
            return False
        said.given()
        return True
