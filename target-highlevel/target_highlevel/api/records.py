"""Records of custom objects."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from target_highlevel.api import endpoints
from target_highlevel.api.answers import Item, inside, living, mapping, rows, text
from target_highlevel.api.paging import CURSOR, search_pages
from target_highlevel.api.resource import Resource
from target_highlevel.errors import Refused

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from target_highlevel.api.endpoints import Endpoint

#: How many records a page is asked for, and how many where that is refused: clients of others ask for 20 to 500.
PAGES = (100, 50, 20, 10)
PAGE = PAGES[0]
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

    #: What searches were found to want beside what is asked for, whether they take a cursor without a page number only, and
    #: how many records a page may be asked for (the questions `record_search` and `record_page` of the register).
    _wanted: Mapping[str, Any] = MappingProxyType({})
    _cursor_alone = False
    _page = PAGE

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
            _record(item, endpoint) for item in living(rows(self._search(key, body), endpoint, "records"))
        ]
        ours = [item for item in found if item.properties.get(name) == value]
        if ours or not found:
            return ours
        # whoever answers with others has not looked for the value: then all are looked through
        return [item for page in self.pages(key) for item in page if item.properties.get(name) == value]

    def pages(self, key: str) -> Iterator[list[RecordItem]]:
        """Yield every record of one kind, page by page."""
        endpoint = endpoints.SEARCH_RECORDS
        body = {"locationId": self._location, "pageLimit": PAGE, "query": ""}
        pages = search_pages(
            lambda cursor: self._search(key, {**body, **cursor}),
            endpoint,
            "records",
            numbered=True,
        )
        for page in pages:
            yield [_record(item, endpoint) for item in page]

    def _search(self, key: str, body: Mapping[str, Any]) -> Any:
        """Search; what HighLevel is found to want of such a request is sent from the first time on."""
        while True:
            sent = {**self._wanted, **body, "pageLimit": min(body["pageLimit"], self._page)}
            if self._cursor_alone and sent.get(CURSOR):
                del sent["page"]
            try:
                return self._call(endpoints.SEARCH_RECORDS, key, json=sent)
            except Refused as refused:
                if not self._learn(refused, sent):
                    raise

    def _learn(self, refused: Refused, sent: Mapping[str, Any]) -> bool:
        """Take note of what a search lacked, or had too much of; return whether it is worth asking again.

        The vendor's description demands a page number and a cursor of every page, the first among them, where contacts are
        searched for with either; it says nothing of the longest page.
        """
        named, shorter = set(refused.properties), [size for size in PAGES if size < sent["pageLimit"]]
        if CURSOR in named and CURSOR not in sent:
            self._wanted = {CURSOR: []}
        elif "pageLimit" in named and shorter:
            self._page = min(self._page, shorter[0])
        elif sent.get(CURSOR) and "page" in sent and named <= {"page", CURSOR}:
            self._cursor_alone = True
        else:
            return False
        return True


def _record(item: Item, endpoint: Endpoint) -> RecordItem:
    return RecordItem(text(item, endpoint, "id"), _properties(item, endpoint))


def _properties(item: Item, endpoint: Endpoint) -> Item:
    """Return a record's properties and its owners: one answer calls them ``owner``, another ``owners``.

    They come as ids or as objects that have one, in a list or alone.
    """
    owners = item.get("owners") or item.get("owner") or []
    listed = owners if isinstance(owners, list) else [owners]
    named = [one.get("id") or one.get("_id") if isinstance(one, dict) else one for one in listed]
    named = [one for one in named if isinstance(one, str) and one]
    found = mapping(item.get("properties"), endpoint, "properties")
    # their keys are short, or have that of the object before them
    properties = {name.rpartition(".")[2]: value for name, value in found.items()}
    return {**properties, **({OWNERS: named} if named else {})}


def _owned(owners: Sequence[str] | None) -> dict[str, Any]:
    return {} if owners is None else {"owners": list(owners)}
