"""Planning: the load as it would be, with every write answered here instead of by HighLevel.

Reads go through, so that what is there already is seen. The engine, the ledger (a scratch copy) and the rules are those of the
load, therefore the prediction is what the load then does; nothing but searches and GETs ever leaves.
"""

from __future__ import annotations

import itertools
import threading
from collections import Counter
from typing import TYPE_CHECKING, Any

from target_highlevel.errors import CredentialsRefused, DuplicateContact, Findings, Refused
from target_highlevel.setup.catalogue import slug

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from target_highlevel.client.client import HighLevelClient

_PLANNED = "planned-"
_PAGE = 500
_LISTS = ("users", "customFields", "objects", "associations", "contacts", "records", "calendars", "fields")
_ENVELOPES = ("contact", "record", "note", "task", "calendar")


class PlanningClient:
    """Takes the place of the client: same calls, no writes."""

    def __init__(self, client: HighLevelClient, location: str, blockers: list[str]) -> None:
        """Read through this client; what it is refused goes to the blockers, and the plan goes on without it."""
        self._client = client
        self._blockers = blockers
        self._location = location
        self._mutex = threading.RLock()
        self._numbers = itertools.count(1)
        self._primary: dict[str, str] = {}
        self._relations: dict[tuple[str, str, str], str] = {}
        self._addresses: dict[tuple[str, str], str] | None = None
        self._allows_duplicates = False
        #: Requests the load would make, by method and route.
        self.requests: Counter[str] = Counter()

    def request(self, method: str, path: str, *, route: str = "", json: Any = None, **more: Any) -> Any:
        """Answer a request of the load: reads from HighLevel, writes from here."""
        with self._mutex:
            self.requests[f"{method} {route}"] += 1
        reads = method == "GET" or path.endswith("/search")
        if reads and _PLANNED not in path and path.rpartition("/")[2] not in self._primary:
            answer = self._asked(method, path, route, json, more)
            if route == "/locations/{id}":
                settings = answer["location"].get("settings") or {}
                self._allows_duplicates = bool(settings.get("allowDuplicateContact"))
            return answer
        with self._mutex:
            return self._read(path, route) if reads else self._write(method, path, route, json or {})

    @property
    def reading(self) -> HighLevelClient:
        """Return the client underneath, for what the plan reads and the load does not."""
        return self._client

    def _asked(self, method: str, path: str, route: str, json: Any, more: Mapping[str, Any]) -> dict[str, Any]:
        """Read from HighLevel; a refusal would stop the load, so it is listed, and nothing counts as there."""
        try:
            answer: dict[str, Any] = self._client.request(method, path, route=route, json=json, **more)
        except CredentialsRefused as refused:
            self._blockers.append(str(refused))
            return {"location": {}, **{name: [] for name in _LISTS}}
        return answer

    def close(self) -> None:
        """Close the client underneath."""
        self._client.close()

    def _read(self, path: str, route: str) -> dict[str, Any]:
        """Answer a read of something that is only planned."""
        if route == "/associations/relations/{recordId}":
            record = path.rpartition("/")[2]
            return {"relations": [item for item in self._planned_relations() if record in item.values()]}
        key = path.rpartition("/")[2]
        field = {"fieldKey": f"{key}.{self._primary.get(key, 'name')}", "id": self._identity(), "dataType": "TEXT"}
        return {"fields": [field], "folders": [{"id": self._identity()}], "contact": {"customFields": []}, "records": []}

    def _planned_relations(self) -> Iterator[dict[str, str]]:
        for (association, first, second), identity in self._relations.items():
            yield {"id": identity, "associationId": association, "firstRecordId": first, "secondRecordId": second}

    def _write(self, method: str, path: str, route: str, body: Mapping[str, Any]) -> dict[str, Any]:
        identity = self._identity()
        if route in {"/contacts/", "/contacts/{id}"} and method != "DELETE":
            self._claim_addresses(body, identity if method == "POST" else path.rpartition("/")[2])
        if route == "/associations/relations":
            self._relate(body, identity)
        if route == "/objects/":
            self._primary[body["key"]] = body["primaryDisplayPropertyDetails"]["key"].rpartition(".")[2]
        answer: dict[str, Any] = {name: {"id": identity} for name in _ENVELOPES}
        answer["id"] = identity
        answer["customField"] = {"id": identity, "fieldKey": f"contact.{slug(str(body.get('name', '')))}"}
        answer["field"] = {"id": identity, "dataType": body.get("dataType"), "options": body.get("options")}
        return answer

    def _identity(self) -> str:
        return f"{_PLANNED}{next(self._numbers)}"

    def _relate(self, body: Mapping[str, Any], identity: str) -> None:
        place = (body["associationId"], body["firstRecordId"], body["secondRecordId"])
        if place in self._relations:
            raise Refused(status=400, findings=Findings(code="duplicate_relation"))
        self._relations[place] = identity

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
        self._addresses.update({place: contact for place in wanted})

    def _taken_addresses(self) -> Iterator[tuple[tuple[str, str], str]]:
        """Page once through all contacts of the sub-account: the plan's own cost, not the load's."""
        cursor: dict[str, Any] = {"page": 1}
        while True:
            body = {"locationId": self._location, "pageLimit": _PAGE, **cursor}
            page = self._client.request("POST", "/contacts/search", route="/contacts/search", json=body)["contacts"]
            for contact in page:
                for name in ("email", "phone"):
                    if contact.get(name):
                        yield (name, str(contact[name]).casefold()), contact["id"]
                for email in contact.get("additionalEmails") or ():
                    address = email.get("email") if isinstance(email, dict) else email
                    yield ("email", str(address).casefold()), contact["id"]
            if len(page) < _PAGE:
                return
            cursor = {"searchAfter": page[-1]["searchAfter"]}
