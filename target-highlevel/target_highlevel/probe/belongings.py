"""Everything a probe makes, known by its name alone: so that the next one finds what a killed one left.

The ledger is not needed for it. A contact carries the mark in a custom field that is made before the first contact and
deleted after the last, and a sub-account with that field has leftovers until a search finds none.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from target_highlevel.api import endpoints
from target_highlevel.api.answers import AnswerNotUnderstood, rows
from target_highlevel.errors import Refused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from target_highlevel.api.endpoints import Endpoint
    from target_highlevel.errors import HighLevelError
    from target_highlevel.probe.asking import Asker, Said

NAME = "Cliniko migration probe"
MARK = "of the migration's probe"
ASSOCIATION = "cliniko_migration_probe"
_FIELD_KEY = "contact.cliniko_migration_probe"
#: The field with the mark; the others of the probe are this name and a word.
MARK_FIELD = NAME
_ROWS = 100
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
        fields = self._listed(found, endpoints.LIST_CONTACT_FIELDS, "customFields", at, model="contact")
        found.fields = {
            str(row["fieldKey"]): str(row["id"])
            for row in fields
            if str(row.get("fieldKey")).startswith(_FIELD_KEY)
        }
        calendars = self._listed(
            found, endpoints.LIST_CALENDARS, "calendars", made_by=endpoints.CREATE_CALENDAR, locationId=at
        )
        found.calendars = [str(row["id"]) for row in calendars if row.get("name") == NAME]
        associations = self._listed(
            found,
            endpoints.LIST_ASSOCIATIONS,
            "associations",
            made_by=endpoints.CREATE_ASSOCIATION,
            locationId=at,
            skip=0,
            limit=_ROWS,
        )
        found.associations = [str(row["id"]) for row in associations if row.get("key") == ASSOCIATION]
        values = self._listed(
            found, endpoints.LIST_CUSTOM_VALUES, "customValues", at, made_by=endpoints.CREATE_CUSTOM_VALUE
        )
        found.custom_values = [str(row["id"]) for row in values if row.get("name") == NAME]
        if _FIELD_KEY in found.fields:
            found.contacts, error = self._contacts(found.fields[_FIELD_KEY])
            found.unseen = found.unseen or error
        return found

    def _listed(
        self,
        found: Leftovers,
        endpoint: Endpoint,
        envelope: str,
        *ids: str,
        made_by: Endpoint | None = None,
        **params: Any,
    ) -> list[dict[str, Any]]:
        """Return the rows of a list; note where it did not answer, unless there can be nothing of the probe's in it.

        What a token may not list it may not make either, as far as is known: until it has made one.
        """
        said = self._asker.ask(endpoint, *ids, params=params or None)
        listed, error = _rows(said, endpoint, envelope)
        if error is not None and not (said.refused and made_by and made_by not in self._asker.accepted):
            found.unseen = found.unseen or error
        return listed

    def _contacts(self, mark_field: str) -> tuple[list[str], HighLevelError | None]:
        """Return the contacts that the search shows, or why it does not say."""
        body = {
            "locationId": self._asker.location,
            "pageLimit": _ROWS,
            "page": 1,
            "filters": [{"field": f"customFields.{mark_field}", "operator": "exists"}],
        }
        said = self._asker.ask(endpoints.SEARCH_CONTACTS, json=body)
        shown, error = _rows(said, endpoints.SEARCH_CONTACTS, "contacts")
        return [str(row["id"]) for row in shown if row.get("id")], error

    def remove(self, found: Leftovers, *, settle: float) -> Leftovers:
        """Remove what was found, and what the search shows later; return what is still there then.

        Args:
            found: what is there.
            settle: seconds that the search lags behind at most, as far as is known.

        Raises:
            HighLevelError: what was found is removed, but nobody knows whether it was all.
        """
        ask, at = self._asker.ask, self._asker.location
        for identity in found.custom_values:
            ask(endpoints.DELETE_CUSTOM_VALUE, at, identity)
        for identity in found.contacts:
            self._remove_contact(identity)
        for identity in found.calendars:
            ask(endpoints.DELETE_CALENDAR, identity)
        for identity in found.associations:
            ask(endpoints.DELETE_ASSOCIATION, identity)
        left = self._contacts_left(found, settle) if _FIELD_KEY in found.fields else []
        for key, identity in sorted(found.fields.items(), reverse=True):
            # the mark goes last, and stays as long as there may be somebody to find by it
            if key != _FIELD_KEY or not left:
                ask(endpoints.DELETE_CONTACT_FIELD, at, identity)
        return self.find()

    def _remove_contact(self, identity: str) -> None:
        """Delete a contact after its appointments: whether they go with it is not known."""
        events = self._asker.ask(endpoints.LIST_EVENTS, identity)
        for event in events.rows("events"):
            if event.get("id"):
                self._asker.ask(endpoints.DELETE_EVENT, str(event["id"]), json={})
        self._asker.ask(endpoints.DELETE_CONTACT, identity)

    def _contacts_left(self, found: Leftovers, settle: float) -> list[str]:
        """Delete contacts that the search shows only now; return those that it goes on to show.

        A create whose answer was lost becomes visible late, a deleted contact goes late: both take as long as the lag.
        """
        mark_field, seen, shown = found.fields[_FIELD_KEY], set(found.contacts), list[str]()
        for look in range(_LOOKS):
            self._wait(settle if look == 0 else settle / 2 + 0.5)
            shown, error = self._contacts(mark_field)
            if error is not None:
                raise error
            if not shown:
                return []
            for identity in set(shown) - seen:
                self._remove_contact(identity)
            seen |= set(shown)
        return [identity for identity in shown if self._is_there(identity)]

    def _is_there(self, identity: str) -> bool:
        said = self._asker.ask(endpoints.GET_CONTACT, identity)
        if said.error is not None and not isinstance(said.error, Refused):
            raise said.error
        return said.ok


def _rows(
    said: Said, endpoint: Endpoint, envelope: str
) -> tuple[list[dict[str, Any]], HighLevelError | None]:
    """Return the rows of an answer, or why there are none to be read from it."""
    if said.error is not None:
        return [], said.error
    try:
        return rows(said.body, endpoint, envelope), None
    except AnswerNotUnderstood as error:
        return [], error
