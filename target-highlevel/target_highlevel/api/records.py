"""Records of custom objects."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from target_highlevel.api import endpoints
from target_highlevel.api.answers import Item, inside, living, mapping, rows, text
from target_highlevel.api.paging import search_pages
from target_highlevel.api.resource import Resource

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from target_highlevel.api.endpoints import Endpoint

PAGE = 100
#: Stands among a record's properties for the users who own it; no property begins with this sign.
OWNERS = "_owners"
#: The most hits of a search by our id: there should be one.
_FEW = 20


@dataclass(frozen=True, slots=True)
class RecordItem:
    """A record of a custom object as HighLevel shows it: options by their keys, properties of others among ours."""

    id: str
    properties: Item


class Records(Resource):
    """Records of custom objects, each kind by its key, e.g. ``custom_objects.cliniko_profile``."""

    def create(self, key: str, properties: Mapping[str, Any], owners: Sequence[str] | None = None) -> str:
        """Create a record and return its id; at most one user may own it."""
        endpoint = endpoints.CREATE_RECORD
        body = {"locationId": self._location, "properties": properties, **_owned(owners)}
        answer = self._call(endpoint, key, json=body)
        return text(inside(answer, endpoint, "record"), endpoint, "id")

    def get(self, key: str, record_id: str) -> Item:
        """Return a record's properties, and ``OWNERS``, by its id, which does not lag behind writes as the search does.

        Raises:
            NotFound: it is not there.
        """
        endpoint = endpoints.GET_RECORD
        answer = self._call(endpoint, key, record_id)
        return _properties(inside(answer, endpoint, "record"), endpoint)

    def update(
        self,
        key: str,
        record_id: str,
        properties: Mapping[str, Any],
        owners: Sequence[str] | None = None,
    ) -> None:
        """Write these properties and, if given, who owns it; a list is changed by ``{"add": [...], "remove": [...]}``."""
        self._call(
            endpoints.UPDATE_RECORD,
            key,
            record_id,
            params={"locationId": self._location},
            json={**({"properties": properties} if properties else {}), **_owned(owners)},
        )

    def delete(self, key: str, record_id: str) -> None:
        """Delete a record."""
        self._call(endpoints.DELETE_RECORD, key, record_id)

    def with_value(self, key: str, name: str, value: str) -> list[RecordItem]:
        """Return the records whose property has exactly this value, as far as the search knows; it lags behind writes."""
        endpoint = endpoints.SEARCH_RECORDS
        body = {
            "locationId": self._location,
            "page": 1,
            "pageLimit": _FEW,
            "query": "",
            "filters": [
                {
                    "group": "AND",
                    "filters": [{"field": f"properties.{name}", "operator": "eq", "value": value}],
                }
            ],
        }
        found = [
            _record(item, endpoint)
            for item in living(rows(self._call(endpoint, key, json=body), endpoint, "records"))
        ]
        ours = [item for item in found if item.properties.get(name) == value]
        if ours or not found:
            return ours
        # whoever answers with others has not looked for the value: then all are looked through
        return [item for page in self.pages(key) for item in page if item.properties.get(name) == value]

    def pages(self, key: str) -> Iterator[list[RecordItem]]:
        """Yield every record of one kind, up to 100 at a time."""
        endpoint = endpoints.SEARCH_RECORDS
        body = {"locationId": self._location, "pageLimit": PAGE, "query": ""}
        pages = search_pages(
            lambda cursor: self._call(endpoint, key, json={**body, **cursor}),
            endpoint,
            "records",
            numbered=True,
        )
        for page in pages:
            yield [_record(item, endpoint) for item in page]


def _record(item: Item, endpoint: Endpoint) -> RecordItem:
    return RecordItem(text(item, endpoint, "id"), _properties(item, endpoint))


def _properties(item: Item, endpoint: Endpoint) -> Item:
    """Return a record's properties and its owners: one answer calls them ``owner``, another ``owners``."""
    owners = item.get("owners") or item.get("owner")
    named = [owners] if isinstance(owners, str) else owners
    found = mapping(item.get("properties"), endpoint, "properties")
    # their keys are short, or have that of the object before them
    properties = {name.rpartition(".")[2]: value for name, value in found.items()}
    return {**properties, **({OWNERS: named} if named else {})}


def _owned(owners: Sequence[str] | None) -> dict[str, Any]:
    return {} if owners is None else {"owners": list(owners)}
