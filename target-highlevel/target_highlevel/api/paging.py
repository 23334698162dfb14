"""Paging through HighLevel's searches and lists to their end: a page may be shorter than was asked for.

How long a page may be is known of contacts only (docs/api-facts.md, Limits), so a short page is no sign of the end. Where the
answer counts the rows, the count says so; where it does not, an empty page does, at the price of one more request.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from target_highlevel.api.answers import not_understood, rows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from target_highlevel.api.answers import Item
    from target_highlevel.api.endpoints import Endpoint

LIST_PAGE = 100
#: Page numbers end here, and search engines of this kind stop counting here too: such a total is not believed.
_MOST_COUNTED = 10_000
_CURSOR = "searchAfter"


def search_pages(
    call: Callable[[Mapping[str, Any]], Any],
    endpoint: Endpoint,
    envelope: str,
    *,
    numbered: bool = False,
) -> Iterator[list[Item]]:
    """Yield the pages of a search, by the cursor that each row carries: page numbers end at 10,000 rows.

    Args:
        call: makes the request, given what its body says of the page.
        endpoint: for errors.
        envelope: where the rows are in an answer.
        numbered: whether a page number is required beside the cursor.

    Raises:
        AnswerNotUnderstood: an answer is no page, or its last row has no cursor.
    """
    cursor: dict[str, Any] = {"page": 1}
    seen = 0
    while True:
        answer = call(cursor)
        page = rows(answer, endpoint, envelope)
        if page:
            yield page
        seen += len(page)
        if not page or _is_all(answer, seen):
            return
        if not page[-1].get(_CURSOR):
            raise not_understood(endpoint, _CURSOR)
        cursor = {_CURSOR: page[-1][_CURSOR], **({"page": 1} if numbered else {})}


def list_pages(
    call: Callable[[Mapping[str, Any]], Any], endpoint: Endpoint, envelope: str
) -> Iterator[list[Item]]:
    """Yield the pages of a list that is paged by how many to skip; it comes in an envelope, or bare.

    Args:
        call: makes the request, given the part of its query that says which page.
        endpoint: for errors.
        envelope: where the rows are in an answer that is not bare.

    Raises:
        AnswerNotUnderstood: an answer is no page.
    """
    seen = 0
    while True:
        answer = call({"skip": seen, "limit": LIST_PAGE})
        page = rows({envelope: answer} if isinstance(answer, list) else answer, endpoint, envelope)
        if page:
            yield page
        seen += len(page)
        if not page or _is_all(answer, seen):
            return


def _is_all(answer: Any, seen: int) -> bool:
    total = answer.get("total") if isinstance(answer, dict) else None
    return isinstance(total, int) and total != _MOST_COUNTED and seen >= total
