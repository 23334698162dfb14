"""Paging through HighLevel's searches and lists to their end: a page may be shorter than was asked for.

How long a page may be is known of contacts only (docs/api-facts.md, Limits), so a short page is no sign of the end. Where the
answer counts the rows, the count says so; where it does not, a page that is empty or brings nothing new does, at the price of one
more request.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from target_highlevel.api.answers import living, not_understood, rows, text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from target_highlevel.api.answers import Item
    from target_highlevel.api.endpoints import Endpoint

LIST_PAGE = 100
#: Page numbers end here, and search engines of this kind stop counting here too: such a total is not believed.
_MOST_COUNTED = 10_000
CURSOR = "searchAfter"


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
        AnswerNotUnderstood: an answer is no page, or fewer rows come than are counted.
    """
    seen: set[str] = set()
    cursor: dict[str, Any] = {"page": 1}
    counted: list[int | None] = []
    pages, by_number = 0, False
    while True:
        answer = call(cursor)
        page = rows(answer, endpoint, envelope)
        new = _new(page, seen, endpoint)
        if shown := living(new):
            yield shown
        pages += bool(new)
        counted.append(total_of(answer))
        if len(seen) == counted[-1]:
            return
        if not page or (not new and by_number):
            _expect_all(counted, len(seen), endpoint, most=_MOST_COUNTED if by_number else None)
            return
        after = page[-1].get(CURSOR)
        # where there is no cursor, or it leads in circles, the number of the page may say more
        by_number = by_number or not (new and after)
        cursor = {"page": pages + 1} if by_number else {CURSOR: after, **({"page": 1} if numbered else {})}


def list_pages(
    call: Callable[[Mapping[str, Any]], Any], endpoint: Endpoint, envelope: str
) -> Iterator[list[Item]]:
    """Yield the pages of a list that is paged by how many to skip; it comes in an envelope, or bare.

    Args:
        call: makes the request, given the part of its query that says which page; a list may count its pages otherwise.
        endpoint: for errors.
        envelope: where the rows are in an answer that is not bare.

    Raises:
        AnswerNotUnderstood: an answer is no page, or fewer rows come than are counted.
    """
    seen: set[str] = set()
    counted: list[int | None] = []
    while True:
        answer = call({"skip": len(seen), "limit": LIST_PAGE})
        page = rows(answer, endpoint, envelope)
        new = _new(page, seen, endpoint)
        if shown := living(new):
            yield shown
        counted.append(total_of(answer))
        if len(seen) == counted[-1]:
            return
        if not new:
            _expect_all(counted, len(seen), endpoint)
            return


def _new(page: Iterable[Item], seen: set[str], endpoint: Endpoint) -> list[Item]:
    """Return the rows that no page has had before, and note them as seen."""
    new = {identity: row for row in page if (identity := text(row, endpoint, "id")) not in seen}
    seen.update(new)
    return list(new.values())


def _expect_all(
    counted: Iterable[int | None], seen: int, endpoint: Endpoint, *, most: int | None = None
) -> None:
    """Make sure that a list which brings nothing new has brought all that it counts.

    Args:
        counted: how many rows each page said there are; others may have added or deleted some meanwhile.
        seen: how many rows have come.
        endpoint: for errors.
        most: how many can come this way at all, if that is limited.

    Raises:
        AnswerNotUnderstood: it counts more, or there may be more than can come this way.
    """
    fewest = min(filter(None, counted), default=0)
    if seen < fewest or (most is not None and seen >= most):
        raise not_understood(endpoint, CURSOR)


def total_of(answer: Any) -> int | None:
    """Return how many rows a list says it has, beside them or in a part of its own; None where that is not to be believed."""
    if not isinstance(answer, dict):
        return None
    meta = answer.get("meta")
    told = answer.get("total") or answer.get("totalCount")
    told = told or (meta.get("total") if isinstance(meta, dict) else None)
    total = int(told) if isinstance(told, (int, str)) and str(told).isdecimal() else None
    return None if total == _MOST_COUNTED else total
