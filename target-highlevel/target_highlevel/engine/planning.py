"""Planning: the load as it would be, with every write answered here instead of by HighLevel.

Reads go through, so that what is there already is seen. The engine, the ledger (a scratch copy) and the rules
are those of the load, therefore the prediction is what the load then does; nothing but searches and GETs ever
leaves.
"""

from __future__ import annotations

import itertools
import threading
from collections import Counter
from typing import TYPE_CHECKING, Any

from target_highlevel.client.paging import contact_pages, relation_pages
from target_highlevel.engine.planned import PlannedRecords, PlannedRelations, is_planned, planned_id
from target_highlevel.errors import CredentialsRefused, DuplicateContact, Findings
from target_highlevel.setup.catalogue import slug

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from target_highlevel.client.client import HighLevelClient

_RELATIONS = "/associations/relations/{recordId}"
_LISTS = (
    "users",
    "customFields",
    "objects",
    "associations",
    "contacts",
    "records",
    "calendars",
    "fields",
    "relations",
)
#: Routes that read single records, or what hangs on one.
_OF_RECORDS = ("/contacts/", "/objects/{key}/records/", "/calendars/events/")
_ENVELOPES = ("contact", "record", "note", "task", "calendar")


class PlanningClient:
    """Takes the place of the client: same calls, no writes."""

    def __init__(self, client: HighLevelClient, location: str, blockers: list[str]) -> None:
        """Read through this client; what it is refused goes to the blockers, and the plan goes on."""
        self._client = client
        self._blockers = blockers
        self._location = location
        self._mutex = threading.RLock()
        self._numbers = itertools.count(1)
        self._primary: dict[str, str] = {}
        self._records = PlannedRecords()
        self._relations = PlannedRelations(self._relations_there)
        self._addresses: dict[tuple[str, str], str] | None = None
        self._allows_duplicates = False
        #: Requests the load would make, by method and route.
        self.requests: Counter[str] = Counter()

    @property
    def reading(self) -> HighLevelClient:
        """Return the client underneath, for what the plan reads and the load does not."""
        return self._client

    def close(self) -> None:
        """Close the client underneath."""
        self._client.close()

    def request(self, method: str, path: str, *, route: str = "", json: Any = None, **more: Any) -> Any:
        """Answer a request of the load: reads from HighLevel, writes from here."""
        with self._mutex:
            self.requests[f"{method} {route}"] += 1
        if method != "GET" and not path.endswith("/search"):
            with self._mutex:
                return self._write(method, path, route, json or {})
        if route == _RELATIONS:
            return self._related(path.rpartition("/")[2], more["params"])
        if is_planned(path) or path.rpartition("/")[2] in self._primary:
            with self._mutex:
                return self._planned(path.rpartition("/")[2])
        return self._there(method, path, route, json, more)

    # Reads

    def _there(
        self, method: str, path: str, route: str, json: Any, more: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Read from HighLevel; a refusal would stop the load, so it is listed and counts as empty.

        Raises:
            CredentialsRefused: what is there of a record may not be read, and it is not known to be empty.
        """
        try:
            answer: dict[str, Any] = self._client.request(method, path, route=route, json=json, **more)
        except CredentialsRefused as refused:
            if refused.missing == "token":  # nothing at all can be read: there is nothing to plan from
                raise
            self._blockers.append(str(refused))
            if method == "GET" and route.startswith(_OF_RECORDS):
                raise
            return {"location": {}, **{name: [] for name in _LISTS}}
        if route == "/locations/{id}":
            settings = answer["location"].get("settings") or {}
            self._allows_duplicates = bool(settings.get("allowDuplicateContact"))
        return answer

    def _related(self, record: str, params: Mapping[str, Any]) -> dict[str, Any]:
        skip = int(params["skip"])
        with self._mutex:
            rows = self._relations.of(record)
        return {"relations": rows[skip : skip + int(params["limit"])], "total": len(rows)}

    def _relations_there(self, record: str) -> list[dict[str, Any]]:
        """Read all relations of a record: the plan's own cost, not the load's."""
        return list(self._rows(relation_pages(self._client, self._location, record)))

    def _rows(self, pages: Iterator[list[dict[str, Any]]]) -> Iterator[dict[str, Any]]:
        """Yield the rows of a list up to where a refusal ends it, which is listed."""
        try:
            for page in pages:
                yield from page
        except CredentialsRefused as refused:
            self._blockers.append(str(refused))

    def _planned(self, key: str) -> dict[str, Any]:
        """Answer a read of something that is only planned: a record, or the fields of an object."""
        field = {
            "fieldKey": f"{key}.{self._primary.get(key, 'name')}",
            "id": self._identity(),
            "dataType": "TEXT",
        }
        definition = {"fields": [field], "folders": [{"id": self._identity()}]}
        return {**definition, **self._records.shown(key)}

    # Writes

    def _write(self, method: str, path: str, route: str, body: Mapping[str, Any]) -> dict[str, Any]:
        identity, there = self._identity(), path.rpartition("/")[2]
        if route in {"/contacts/", "/contacts/{id}"} and method != "DELETE":
            self._claim_addresses(body, identity if method == "POST" else there)
        if route == "/associations/relations":
            self._relations.relate(body, identity)
        if route == "/associations/relations/{id}":
            self._relations.remove(there)
        if route == "/objects/":
            self._primary[body["key"]] = body["primaryDisplayPropertyDetails"]["key"].rpartition(".")[2]
        if method == "POST":
            self._records.create(identity, body)
        elif method == "PUT":
            self._records.change(there, body)
        return _answer(identity, body)

    def _identity(self) -> str:
        return planned_id(next(self._numbers))

    def _claim_addresses(self, body: Mapping[str, Any], contact: str) -> None:
        """Refuse an address that somebody else has, as a sub-account without duplicates does."""
        if self._allows_duplicates:
            return
        if self._addresses is None:
            self._addresses = dict(self._taken_addresses())
        wanted = [(name, str(body[name]).casefold()) for name in ("email", "phone") if body.get(name)]
        for name, value in wanted:
            holder = self._addresses.get((name, value))
            if holder not in {None, contact}:
                raise DuplicateContact(
                    status=400,
                    findings=Findings(code="duplicate_contact", contact_id=holder, matching_field=name),
                )
        self._addresses.update(dict.fromkeys(wanted, contact))

    def _taken_addresses(self) -> Iterator[tuple[tuple[str, str], str]]:
        """Page once through all contacts of the sub-account: the plan's own cost, not the load's."""
        for contact in self._rows(contact_pages(self._client, self._location)):
            yield from _addresses(contact)


def _addresses(contact: Mapping[str, Any]) -> Iterator[tuple[tuple[str, str], str]]:
    for name in ("email", "phone"):
        if contact.get(name):
            yield (name, str(contact[name]).casefold()), contact["id"]
    for email in contact.get("additionalEmails") or ():
        address = email.get("email") if isinstance(email, dict) else email
        yield ("email", str(address).casefold()), contact["id"]


def _answer(identity: str, body: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the load reads of an answer, whichever route it was."""
    made = {"id": identity}
    return {
        **dict.fromkeys(_ENVELOPES, made),
        "id": identity,
        "customField": {"id": identity, "fieldKey": f"contact.{slug(str(body.get('name', '')))}"},
        "field": {"id": identity, "dataType": body.get("dataType"), "options": body.get("options")},
    }
