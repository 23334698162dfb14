"""Paging through HighLevel's lists; its searches end at 10,000 rows unless one goes on by cursor."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from target_highlevel.client.client import Requests

CONTACT_PAGE = 500
RECORD_PAGE = 100
RELATION_PAGE = 100


def contact_pages(
    client: Requests, location: str, filters: Sequence[Any] = ()
) -> Iterator[list[dict[str, Any]]]:
    """Yield the contacts that pass these filters, without any all of them, 500 at a time."""
    body = {"locationId": location, "pageLimit": CONTACT_PAGE}
    if filters:
        body["filters"] = filters
    return _pages(client, "/contacts/search", "/contacts/search", body, "contacts")


def record_pages(client: Requests, location: str, key: str) -> Iterator[list[dict[str, Any]]]:
    """Yield every record of a custom object, 100 at a time."""
    body = {"locationId": location, "pageLimit": RECORD_PAGE, "query": ""}
    return _pages(client, f"/objects/{key}/records/search", "/objects/{key}/records/search", body, "records")


def relation_pages(client: Requests, location: str, record: str) -> Iterator[list[dict[str, Any]]]:
    """Yield every relation of a contact or a record, under whichever label, 100 at a time."""
    skip = 0
    while True:
        page = client.request(
            "GET",
            f"/associations/relations/{record}",
            route="/associations/relations/{recordId}",
            params={"locationId": location, "skip": skip, "limit": RELATION_PAGE},
        )["relations"]
        yield page
        if len(page) < RELATION_PAGE:
            return
        skip += RELATION_PAGE


def _pages(
    client: Requests, path: str, route: str, body: Mapping[str, Any], envelope: str
) -> Iterator[list[dict[str, Any]]]:
    """Page by the cursor that each row carries."""
    cursor: dict[str, Any] = {"page": 1}
    while True:
        page = client.request("POST", path, route=route, json={**body, **cursor})[envelope]
        if page:
            yield page
        if len(page) < body["pageLimit"]:
            return
        cursor = {"searchAfter": page[-1]["searchAfter"]}
        if envelope == "records":
            cursor["page"] = 1  # required even beside the cursor
