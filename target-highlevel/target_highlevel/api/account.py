"""The sub-account itself: its settings, users and automations."""

from __future__ import annotations

from dataclasses import dataclass

from target_highlevel.api import endpoints
from target_highlevel.api.answers import Item, inside, rows, text
from target_highlevel.api.paging import list_pages
from target_highlevel.api.resource import Resource
from target_highlevel.errors import NotFound, Refused
from target_highlevel.values import switched

_PUBLISHED = "published"


@dataclass(frozen=True, slots=True)
class User:
    """A login of the sub-account; the e-mail is in lower case, and empty where none is shown, as the name is.

    `assigned_only` says whether they see only the contacts that are assigned to them; None where HighLevel does not say.
    """

    id: str
    email: str
    name: str = ""
    assigned_only: bool | None = None


class Account(Resource):
    """What a sub-account is, beside its records and definitions."""

    def location(self) -> Item:
        """Return the sub-account's own settings."""
        answer = self._call(endpoints.GET_LOCATION, self._location, holding="location")
        return inside(answer, endpoints.GET_LOCATION, "location")

    def users(self, company_id: str) -> list[User]:
        """Return the users; who was deleted is none.

        Their list is deprecated (docs/api-facts.md, Users): where it is gone, they are searched.
        """
        endpoint = endpoints.LIST_USERS
        params = {"locationId": self._location}
        try:
            found = rows(self._call(endpoint, params=params, holding="users"), endpoint, "users")
        except Refused as refused:
            if not isinstance(refused, NotFound) and refused.code != "no_such_route":
                raise
            endpoint = endpoints.SEARCH_USERS
            params["companyId"] = company_id
            pages = list_pages(
                lambda page: self._call(endpoint, params={**params, **page}, holding="users"),
                endpoint,
                "users",
            )
            found = [user for page in pages for user in page]
        return list(self._usable(found, endpoint, lambda item: _user(item, text(item, endpoint, "id"))))

    def published_workflows(self) -> int:
        """Return how many automations are published."""
        endpoint = endpoints.LIST_WORKFLOWS
        found = rows(self._call(endpoint, params={"locationId": self._location}), endpoint, "workflows")
        return sum(str(item.get("status")).casefold() == _PUBLISHED for item in found)


def _user(item: Item, identity: str) -> User:
    permissions = item.get("permissions")
    only = permissions.get("assignedDataOnly") if isinstance(permissions, dict) else None
    return User(
        identity,
        email=str(item.get("email") or "").strip().casefold(),
        name=str(item.get("name") or ""),
        assigned_only=None if only is None else switched(only),
    )
