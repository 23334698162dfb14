"""Opportunities of contacts, and the pipelines they stand in."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Any

from target_highlevel.api import endpoints
from target_highlevel.api.activities import Activities, ActivityEndpoints
from target_highlevel.api.answers import Item, identified, inside, rows, text
from target_highlevel.api.paging import LIST_PAGE, list_pages

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Pipeline:
    """A pipeline, and its stages: name → id."""

    id: str
    name: str
    stages: Mapping[str, str]


class Opportunities(Activities):
    """Opportunities of contacts. Their list is a search: it lags behind writes."""

    endpoints = ActivityEndpoints(
        endpoints.SEARCH_OPPORTUNITIES,
        endpoints.CREATE_OPPORTUNITY,
        endpoints.GET_OPPORTUNITY,
        endpoints.UPDATE_OPPORTUNITY,
        endpoints.DELETE_OPPORTUNITY,
    )

    def pipelines(self) -> list[Pipeline]:
        """Return the pipelines of the sub-account."""
        endpoint = endpoints.LIST_PIPELINES
        answer = self._call(endpoint, params={"locationId": self._location}, holding="pipelines")
        found = rows(answer, endpoint, "pipelines")
        return list(self._usable(found, endpoint, self._pipeline))

    def _pipeline(self, item: Item) -> Pipeline:
        endpoint = endpoints.LIST_PIPELINES
        stages = (
            (text(stage, endpoint, "name"), text(stage, endpoint, "id"))
            for stage in rows({"stages": item.get("stages")}, endpoint, "stages")
            if stage.get("name")
        )
        return Pipeline(text(item, endpoint, "id"), text(item, endpoint, "name"), dict(stages))

    def listed(self, contact_id: str) -> list[Item]:
        """Return the opportunities of a contact in every pipeline, as far as the search knows them."""
        endpoint, numbers = self.endpoints.listed, count(1)
        params = {"location_id": self._location, "contact_id": contact_id, "limit": LIST_PAGE}
        pages = list_pages(
            lambda _: self._call(endpoint, params={**params, "page": next(numbers)}),
            endpoint,
            "opportunities",
        )
        return [identified(item, endpoint) for page in pages for item in page]

    def create(self, contact_id: str, fields: Mapping[str, Any]) -> str:
        """Create an open opportunity and return its id."""
        body = {"locationId": self._location, "contactId": contact_id, "status": "open", **fields}
        answer = self._call(self.endpoints.create, json=body)
        return text(inside(answer, self.endpoints.create, "opportunity"), self.endpoints.create, "id")

    def get(self, contact_id: str, item_id: str) -> Item:
        """Return an opportunity; the contact does not matter."""
        answer = self._call(self.endpoints.get, item_id)
        return identified(inside(answer, self.endpoints.get, "opportunity"), self.endpoints.get)

    def update(self, contact_id: str, item_id: str, fields: Mapping[str, Any]) -> None:
        """Write these fields; the contact does not matter."""
        self._call(self.endpoints.update, item_id, json=fields)

    def delete(self, contact_id: str, item_id: str) -> None:
        """Delete an opportunity; the contact does not matter."""
        self._call(self.endpoints.delete, item_id)
