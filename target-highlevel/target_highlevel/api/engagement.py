"""What shows that somebody works with a contact: opportunities, conversations, forms, payments, orders, invoices. Only read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from target_highlevel.api import endpoints
from target_highlevel.api.answers import Item, living, mapping, not_understood, rows
from target_highlevel.api.paging import total_of
from target_highlevel.api.resource import Resource

if TYPE_CHECKING:
    from collections.abc import Mapping

    from target_highlevel.api.endpoints import Endpoint

_MOST = 100


@dataclass(frozen=True, slots=True)
class _List:
    endpoint: Endpoint
    envelope: str
    #: What a list of the whole sub-account is asked with, by the id of the sub-account; and what names one contact.
    location: tuple[str, ...]
    contact: str
    more: tuple[tuple[str, Any], ...] = ()


_LIMIT, _WHOSE = ("limit", _MOST), ("altType", "location")
_LISTS = {
    "opportunity": _List(
        endpoints.SEARCH_OPPORTUNITIES, "opportunities", ("location_id",), "contact_id", (_LIMIT,)
    ),
    "conversation": _List(
        endpoints.SEARCH_CONVERSATIONS, "conversations", ("locationId",), "contactId", (_LIMIT,)
    ),
    "form": _List(endpoints.LIST_SUBMISSIONS, "submissions", ("locationId",), "q", (_LIMIT,)),
    "payment": _List(endpoints.LIST_TRANSACTIONS, "data", ("altId",), "contactId", (_LIMIT, _WHOSE)),
    "order": _List(endpoints.LIST_ORDERS, "data", ("altId",), "contactId", (_LIMIT,)),
    "invoice": _List(
        endpoints.LIST_INVOICES, "invoices", ("altId",), "contactId", (_LIMIT, ("offset", 0), _WHOSE)
    ),
}


@dataclass(frozen=True, slots=True)
class Sign:
    """Something of somebody's work: its id, and the contact it is about."""

    id: str
    contact: str


class Engagement(Resource):
    """Asks for signs of people's work, each kind on its own: a token may see some and not others."""

    kinds = tuple(_LISTS)

    def listed(self, kind: str, contact_id: str | None = None) -> list[Sign] | None:
        """Return the signs of a kind, of one contact or of all; None when there may be more than one page of them.

        How many rows a page has at most is not documented, so only a count in the answer shows that it has all. A contact has so
        few that without a count the page is taken for all.

        Raises:
            CredentialsRefused: the token may not see them.
        """
        wanted = _LISTS[kind]
        params = dict.fromkeys(wanted.location, self._location) | dict(wanted.more)
        if contact_id is not None:
            params[wanted.contact] = contact_id
        answer = self._call(wanted.endpoint, params=params)
        found = living(rows(answer, wanted.endpoint, wanted.envelope))
        expected = len(found) if contact_id is not None or not found else None
        if (total_of(answer) or expected) != len(found):
            return None
        # what an invoice of a contact is answered with need not name the contact again
        return [_sign(item, wanted.endpoint, contact_id) for item in found]


def _sign(item: Item, endpoint: Endpoint, asked_for: str | None) -> Sign:
    identity = str(item.get("id") or item.get("_id") or "")
    contact = item.get("contactId") or _details(item, endpoint).get("id") or asked_for
    if not contact:
        raise not_understood(endpoint, "contactId")
    return Sign(identity, str(contact))


def _details(item: Item, endpoint: Endpoint) -> Mapping[str, Any]:
    return mapping(item.get("contactDetails") or item.get("contact") or {}, endpoint, "contactDetails")
