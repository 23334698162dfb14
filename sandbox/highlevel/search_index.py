"""A search that lags behind the writes: it finds copies of the documents as they were some seconds ago."""

from __future__ import annotations

import json
from bisect import bisect_left, bisect_right, insort
from collections import OrderedDict, deque
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    Document = dict[str, Any]
    Rank = tuple[Any, str]
    Test = Callable[[Document], bool]

REMEMBERED_RESULTS = 8


class SearchIndex:
    """The searchable copy of one kind of document.

    Documents are never changed in place, so a copy is a reference. `keys` names the (field, value) pairs by
    which a document is found without looking at all of them.
    """

    def __init__(self, keys: Callable[[Document], Iterable[tuple[str, str]]]) -> None:
        """Start empty."""
        self._keys = keys
        self._pending: deque[tuple[float, str, Document | None]] = deque()
        self._ranks: list[Rank] = []
        self._by_key: dict[tuple[str, str], set[str]] = {}
        self._results: OrderedDict[str, list[Rank]] = OrderedDict()
        self.documents: dict[str, Document] = {}

    def note(self, identity: str, document: Document | None, *, visible_at: float) -> None:
        """Take a write that the search shows from `visible_at` on; None is a deletion."""
        self._pending.append((visible_at, identity, document))

    def settle(self, at: float) -> None:
        """Make the writes visible whose time has come."""
        while self._pending and self._pending[0][0] <= at:
            _, identity, document = self._pending.popleft()
            self._withdraw(identity)
            if document is not None:
                self._publish(identity, document)
            self._results.clear()

    def found_by(self, field: str, value: str) -> set[str]:
        """Return the ids of the documents that carry this key."""
        return self._by_key.get((field, value), set())

    def ranked(
        self,
        name: Any,
        test: Test | None,
        candidates: set[str] | None,
        order: Callable[[Document], Any] | None,
    ) -> list[Rank]:
        """Return (sort value, id) of every hit, ascending; `name` identifies the question for the memory."""
        if test is None and order is None:
            return self._ranks
        remembered = json.dumps(name, sort_keys=True)
        if remembered in self._results:
            self._results.move_to_end(remembered)
            return self._results[remembered]
        hits = self._hits(test, candidates, order)
        self._results[remembered] = hits
        if len(self._results) > REMEMBERED_RESULTS:
            self._results.popitem(last=False)
        return hits

    def _hits(
        self, test: Test | None, candidates: set[str] | None, order: Callable[[Document], Any] | None
    ) -> list[Rank]:
        documents = self.documents
        pool = (
            documents
            if candidates is None
            else [identity for identity in candidates if identity in documents]
        )
        rank = order or _added
        hits = [
            (rank(documents[identity]), identity)
            for identity in pool
            if test is None or test(documents[identity])
        ]
        hits.sort()
        return hits

    def _publish(self, identity: str, document: Document) -> None:
        self.documents[identity] = document
        insort(self._ranks, (_added(document), identity))
        for key in self._keys(document):
            self._by_key.setdefault(key, set()).add(identity)

    def _withdraw(self, identity: str) -> None:
        document = self.documents.pop(identity, None)
        if document is None:
            return
        del self._ranks[bisect_left(self._ranks, (_added(document), identity))]
        for key in self._keys(document):
            holders = self._by_key.get(key)
            if holders is not None:
                holders.discard(identity)
                if not holders:
                    del self._by_key[key]


def _added(document: Document) -> Any:
    return document["dateAdded"]


def page_of(ranks: list[Rank], *, descending: bool, page: int, limit: int) -> list[Rank]:
    """Cut page number `page`, counted from 1, out of an ascending list."""
    start = (page - 1) * limit
    if not descending:
        return ranks[start : start + limit]
    end = len(ranks) - start
    return ranks[max(0, end - limit) : max(0, end)][::-1]


def after(ranks: list[Rank], last: Rank, *, descending: bool, limit: int) -> list[Rank]:
    """Cut the rows that follow `last` out of an ascending list."""
    if not descending:
        start = bisect_right(ranks, last)
        return ranks[start : start + limit]
    end = bisect_left(ranks, last)
    return ranks[max(0, end - limit) : end][::-1]
