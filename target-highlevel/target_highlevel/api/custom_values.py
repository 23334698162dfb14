"""Custom values: texts that a location keeps under a name, shown to its users in the settings."""

from __future__ import annotations

from dataclasses import dataclass

from target_highlevel.api import endpoints
from target_highlevel.api.answers import inside, living, rows, text
from target_highlevel.api.resource import Resource


@dataclass(frozen=True, slots=True)
class CustomValue:
    """A text under a name."""

    id: str
    name: str
    value: str


class CustomValues(Resource):
    """The custom values of a sub-account."""

    def listed(self) -> list[CustomValue]:
        """Return all of them; the list is not paged."""
        endpoint = endpoints.LIST_CUSTOM_VALUES
        found = rows(self._call(endpoint, self._location, holding="customValues"), endpoint, "customValues")
        return [
            CustomValue(text(item, endpoint, "id"), str(item.get("name", "")), str(item.get("value", "")))
            for item in living(found)
        ]

    def create(self, name: str, value: str) -> str:
        """Create a custom value and return its id.

        Raises:
            Refused: there is one of this name, if HighLevel minds.
        """
        endpoint = endpoints.CREATE_CUSTOM_VALUE
        answer = self._call(endpoint, self._location, json={"name": name, "value": value})
        return text(inside(answer, endpoint, "customValue"), endpoint, "id")

    def change(self, identity: str, name: str, value: str) -> None:
        """Give a custom value another value."""
        endpoint = endpoints.UPDATE_CUSTOM_VALUE
        self._call(endpoint, self._location, identity, json={"name": name, "value": value})

    def delete(self, identity: str) -> None:
        """Delete a custom value."""
        self._call(endpoints.DELETE_CUSTOM_VALUE, self._location, identity)
