"""Relations: labelled links between two records, of contacts or of custom objects."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from target_highlevel.api import endpoints
from target_highlevel.api.answers import inside, text
from target_highlevel.api.paging import list_pages
from target_highlevel.api.resource import Resource
from target_highlevel.errors import NotFound

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from target_highlevel.api.endpoints import Endpoint


@dataclass(frozen=True, slots=True)
class RelationItem:
    """A link under an association's label, from the first record to the second."""

    id: str
    association_id: str
    first: str
    second: str


class Relations(Resource):
    """The links of a sub-account."""

    def create(self, association_id: str, first: str, second: str) -> str:
        """Link two records, named by their ids, and return the id of the link.

        Raises:
            Refused: ``duplicate_relation`` if they are linked so already, ``limit_reached`` if the label is full for one of them.
        """
        endpoint = endpoints.CREATE_RELATION
        body = {
            "locationId": self._location,
            "associationId": association_id,
            "firstRecordId": first,
            "secondRecordId": second,
        }
        return text(inside(self._call(endpoint, json=body), endpoint, "relation"), endpoint, "id")

    def listed(self, record_id: str) -> Iterator[RelationItem]:
        """Yield every relation of a contact or a record, under whichever label and from either end.

        One that is not there has none: what HighLevel answers for it is not known.
        """
        endpoint = endpoints.LIST_RELATIONS
        pages = list_pages(
            lambda page: self._call(endpoint, record_id, params={"locationId": self._location, **page}),
            endpoint,
            "relations",
        )
        with suppress(NotFound):
            for page in pages:
                yield from (_relation(item, endpoint) for item in page)

    def delete(self, relation_id: str) -> None:
        """Delete a link.

        Raises:
            NotFound: it is gone already.
        """
        self._call(endpoints.DELETE_RELATION, relation_id, params={"locationId": self._location})


def _relation(item: Mapping[str, Any], endpoint: Endpoint) -> RelationItem:
    names = ("id", "associationId", "firstRecordId", "secondRecordId")
    return RelationItem(*(text(item, endpoint, name) for name in names))
