"""Paging through HighLevel's searches and lists to their end: a page may be shorter than was asked for.

How long a page may be is known of contacts only (highlevel-api.md section 6), so a short page is no sign of the end. Where the
answer counts the rows, the count says so; where it does not, an empty page does, at the price of one more request.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from target_highlevel.errors import NotFound

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from target_highlevel.client.client import Requests

CONTACT_PAGE = 500
RECORD_PAGE = 100
_LIST_PAGE = 100
#: Page numbers end here, and search engines of this kind stop counting here too: such a total is not believed.
_MOST_COUNTED = 10_000


def contact_pages(
    client: Requests, location: str, filters: Sequence[Any] = ()
) -> Iterator[list[dict[str, Any]]]:
    """Yield the contacts that pass these filters, without any all of them, up to 500 at a time."""
    body = {"locationId": location, "pageLimit": CONTACT_PAGE}
    if filters:
        body["filters"] = filters
    return _pages(client, "/contacts/search", "/contacts/search", body, "contacts")


def record_pages(client: Requests, location: str, key: str) -> Iterator[list[dict[str, Any]]]:
    """Yield every record of a custom object, up to 100 at a time."""
    body = {"locationId": location, "pageLimit": RECORD_PAGE, "query": ""}
    return _pages(client, f"/objects/{key}/records/search", "/objects/{key}/records/search", body, "records")


def relation_pages(client: Requests, location: str, record: str) -> Iterator[list[dict[str, Any]]]:
    """Yield every relation of a contact or a record, under whichever label, up to 100 at a time.

    One that is not there has none: what HighLevel answers for it is not known.
    """
    path, route = f"/associations/relations/{record}", "/associations/relations/{recordId}"
    with suppress(NotFound):
        yield from list_pages(client, path, route, {"locationId": location}, "relations")


def list_pages(
    client: Requests, path: str, route: str, params: Mapping[str, Any], envelope: str
) -> Iterator[list[dict[str, Any]]]:
    """Yield the pages of a list that is paged by how many to skip; it comes in an envelope, or bare."""
    seen = 0
    while True:
        paged = {**params, "skip": seen, "limit": _LIST_PAGE}
        answer = client.request("GET", path, route=route, params=paged)
        page = answer if isinstance(answer, list) else answer[envelope]
        if page:
            yield page
        seen += len(page)
        if not page or _is_all(answer, seen):
            return


def _pages(
    client: Requests, path: str, route: str, body: Mapping[str, Any], envelope: str
) -> Iterator[list[dict[str, Any]]]:
    """Page by the cursor that each row carries: page numbers end at 10,000 rows."""
    cursor: dict[str, Any] = {"page": 1}
    seen = 0
    while True:
        answer = client.request("POST", path, route=route, json={**body, **cursor})
        page = answer[envelope]
        if page:
            yield page
        seen += len(page)
        if not page or _is_all(answer, seen):
            return
        cursor = {"searchAfter": page[-1]["searchAfter"]}
        if envelope == "records":
            cursor["page"] = 1  # required even beside the cursor


def _is_all(answer: Any, seen: int) -> bool:
    total = answer.get("total") if isinstance(answer, dict) else None
    return isinstance(total, int) and total != _MOST_COUNTED and seen >= total
