"""Reads a list completely while its rows change: by id, never by page number.

A page number is an offset into a query that runs anew for each page, so one change shifts rows past the
reader. Here every request asks for the rows *after the greatest id read so far*, sorted by id. A row that
changes, leaves or is deleted shifts nothing.

The id space of a long list is split into ranges that are read at the same time, which hides the latency:
Cliniko's budget allows more requests a minute than one connection can make one after another.

Where sorting by id is refused or ignored, a list is cut by id until every piece fits on one page; a single
page needs no order.
"""

from __future__ import annotations

from concurrent.futures import FIRST_COMPLETED, wait
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tap_cliniko.background import Background
from tap_cliniko.client import PAGE_SIZE, Page, Query
from tap_cliniko.errors import ContractChanged

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from concurrent.futures import Future

    from tap_cliniko.client import ClinikoClient, Row

_WORTH_SPLITTING = 8 * PAGE_SIZE
_MANY = 10
_TRIES = 3
_BACKGROUND = Background(3)


@dataclass(slots=True, eq=False)
class IdRange:
    """A range of ids that is still to be read: ids greater than `after`, and at most `upto`."""

    after: int = 0
    upto: int | None = None

    def filters(self) -> tuple[str, ...]:
        """Ask for the rows of the range only."""
        upper = () if self.upto is None else (f"id:<={self.upto}",)
        # without anything read yet the filter would only cost the server an index look-up
        return (*((f"id:>{self.after}",) if self.after else ()), *upper)

    def dump(self) -> list[str | None]:
        """Write the range into the state; ids as text, they exceed what some JSON readers keep exactly."""
        return [str(self.after), None if self.upto is None else str(self.upto)]

    @classmethod
    def load(cls, saved: list[str | None]) -> IdRange:
        """Read a range from the state."""
        after, upto = saved
        return cls(int(after or 0), None if upto is None else int(upto))


@dataclass(frozen=True, slots=True)
class Chunk:
    """Rows of one answer in ascending id; `id_range.after` is to follow as they are passed on."""

    rows: list[Row]
    id_range: IdRange


@dataclass(slots=True, eq=False)
class _Reader:
    """One range being read: `cursor` runs ahead of what was passed on."""

    id_range: IdRange
    cursor: int
    left: int | None = None
    page: Future[Page] | None = None


@dataclass(slots=True)
class ListReader:
    """Reads one list.

    Attributes:
        client: the account.
        path: where the list is.
        key: under which name the answer holds the rows.
        readers: how many ranges are read at the same time.
        inside: tells whether a row belongs to what was asked for, to notice an ignored filter.
        notice: is told about oddities.
    """

    client: ClinikoClient
    path: str
    key: str
    readers: int = 1
    inside: Callable[[Row], bool] | None = None
    notice: Callable[[str], None] | None = None
    sortable: bool = True

    def chunks(self, filters: tuple[str, ...], ranges: list[IdRange]) -> Iterator[Chunk]:
        """Read the ranges to their ends; each leaves the list when all of it was passed on."""
        while ranges:
            id_range = ranges[0]
            if self.sortable:
                yield from self._first_then_all(filters, ranges)
            else:
                yield from self._cut_to_pages(filters, id_range)
                ranges.remove(id_range)

    # ------------------------------------------------------------------ sorted by id

    def _first_then_all(self, filters: tuple[str, ...], ranges: list[IdRange]) -> Iterator[Chunk]:
        """Read the first page; most lists end there. Prove that sorting works before relying on it."""
        id_range = ranges[0]
        page = self._first_page(filters, id_range)
        if page is None:
            return
        if page.more and not self._sorts_by_id(filters, id_range):
            return
        yield from self._pass_on(page, id_range)
        if not page.more:
            ranges.remove(id_range)
            return
        if len(ranges) == 1 and id_range.upto is None and (page.total or 0) > _WORTH_SPLITTING:
            id_range.upto = self._greatest_id(filters)
            # whatever is newer than the greatest id of now
            ranges.append(IdRange(id_range.upto))
        readers = [_Reader(each, each.after) for each in ranges]
        readers[0].left = None if page.total is None else page.total - len(page.rows)
        yield from self._read_side_by_side(filters, readers, ranges)

    def _first_page(self, filters: tuple[str, ...], id_range: IdRange) -> Page | None:
        try:
            return self._fetch(filters, id_range)
        except ContractChanged:
            # either the sort or a filter is refused: without the sort the answer tells which
            self.client.page(self.path, self.key, Query((*filters, *id_range.filters()), size=1))
            self._not_sortable()
            return None

    def _sorts_by_id(self, filters: tuple[str, ...], id_range: IdRange) -> bool:
        """Ask for the greatest ids: if they do not come in descending order, the sort was ignored."""
        query = Query((*filters, *id_range.filters()), sort="id:desc", size=_MANY)
        ids = [self._id_of(row) for row in self.client.page(self.path, self.key, query).rows]
        if ids == sorted(ids, reverse=True):
            return True
        self._not_sortable()
        return False

    def _not_sortable(self) -> None:
        self.sortable = False
        if self.notice:
            self.notice("the list cannot be sorted by id; reading it in pieces that fit on one page")

    def _greatest_id(self, filters: tuple[str, ...]) -> int:
        rows = self.client.page(self.path, self.key, Query(filters, sort="id:desc", size=1)).rows
        return self._id_of(rows[0]) if rows else 0

    def _read_side_by_side(
        self, filters: tuple[str, ...], readers: list[_Reader], ranges: list[IdRange]
    ) -> Iterator[Chunk]:
        """Keep one request under way in each reader, and pass pages on as they arrive."""
        while readers:
            self._start(filters, readers, ranges)
            arrived, _ = wait([reader.page for reader in readers if reader.page], return_when=FIRST_COMPLETED)
            reader = next(reader for reader in readers if reader.page in arrived)
            page = reader.page.result()  # type: ignore[union-attr]
            reader.page = None
            rows = self._in_order(page, IdRange(reader.cursor, reader.id_range.upto))
            reader.cursor = self._id_of(rows[-1]) if rows else reader.cursor
            reader.left = None if page.total is None else page.total - len(rows)
            if page.more:
                self._start(filters, readers, ranges)
            else:
                readers.remove(reader)
            yield Chunk(rows, reader.id_range)
            if not page.more:
                ranges.remove(reader.id_range)

    def _start(self, filters: tuple[str, ...], readers: list[_Reader], ranges: list[IdRange]) -> None:
        busy = sum(reader.page is not None for reader in readers)
        for reader in list(readers):
            if reader.page is not None or busy >= self.readers:
                continue
            if len(readers) < self.readers:
                self._split(reader, readers, ranges)
            reader.page = _BACKGROUND.run(self._fetch, filters, IdRange(reader.cursor, reader.id_range.upto))
            busy += 1
        if busy < self.readers and any(reader.page is None for reader in readers):
            self._start(filters, readers, ranges)

    def _split(self, reader: _Reader, readers: list[_Reader], ranges: list[IdRange]) -> None:
        """Give half of what a reader has left to a reader of its own, when that is much."""
        upto = reader.id_range.upto
        if upto is None or (reader.left or 0) < _WORTH_SPLITTING:
            return
        middle = (reader.cursor + upto) // 2
        if not reader.cursor < middle < upto:
            return
        half = IdRange(middle, upto)
        reader.id_range.upto = middle
        ranges.append(half)
        readers.append(_Reader(half, middle, left=(reader.left or 0) // 2))

    def _fetch(self, filters: tuple[str, ...], id_range: IdRange) -> Page:
        return self._ask(Query((*filters, *id_range.filters()), sort="id:asc"))

    def _ask(self, query: Query) -> Page:
        """Ask again when no row comes although there are some: one may just have gone, but not each time."""
        for _ in range(_TRIES):
            page = self.client.page(self.path, self.key, query)
            if page.rows or not page.more:
                break
        return page

    def _pass_on(self, page: Page, id_range: IdRange) -> Iterator[Chunk]:
        rows = self._in_order(page, id_range)
        if rows:
            yield Chunk(rows, id_range)
            id_range.after = self._id_of(rows[-1])

    # ------------------------------------------------------------------ in pieces

    def _cut_to_pages(self, filters: tuple[str, ...], id_range: IdRange) -> Iterator[Chunk]:
        """Cut the range by id until each piece is one page, lowest ids first."""
        pieces = [IdRange(id_range.after, id_range.upto)]
        while pieces:
            piece = pieces.pop()
            page = self._ask(Query((*filters, *piece.filters())))
            if not page.more:
                yield from self._pass_on(page, id_range)
                id_range.after = max(id_range.after, piece.upto or 0)
                continue
            self._check_not_empty(page)
            pivot = self._pivot(page.rows, piece)
            pieces += [IdRange(pivot, piece.upto), IdRange(piece.after, pivot)]

    # ------------------------------------------------------------------ guards

    def _in_order(self, page: Page, id_range: IdRange) -> list[Row]:
        """Return the rows in ascending id, and stop if the id filter was not honoured."""
        self._check_not_empty(page)
        rows = sorted(page.rows, key=self._id_of)
        ids = [self._id_of(row) for row in rows]
        # a list that fits on one page needs no order, whatever the server made of the sort
        if self.sortable and page.more and ids != [self._id_of(row) for row in page.rows]:
            msg = f"{self.path}: rows do not come sorted by id although the list can be; the API has changed"
            raise ContractChanged(msg)
        upto = id_range.upto
        if ids and (
            ids[0] <= id_range.after or (upto is not None and ids[-1] > upto) or len(set(ids)) < len(ids)
        ):
            msg = f"{self.path}: rows outside the requested ids came back; the filter on id is not honoured"
            raise ContractChanged(msg)
        self._check_inside(rows)
        return rows

    def _check_not_empty(self, page: Page) -> None:
        """The rows after a page are asked for by its last one; without any, the same page would come for ever."""
        if page.more and not page.rows:
            msg = f"{self.path}: a page without rows, although more are said to follow; the key may not see them"
            raise ContractChanged(msg)

    def _check_inside(self, rows: list[Row]) -> None:
        """A stale row outside the window does no harm; a whole page of them means an ignored filter."""
        if self.inside is None:
            return
        outside = sum(not self.inside(row) for row in rows)
        if outside == len(rows) >= _MANY:
            msg = f"{self.path}: no row lies in the requested window; the filter on its time is not honoured"
            raise ContractChanged(msg)

    def _id_of(self, row: Row) -> int:
        try:
            return int(row["id"])
        except (KeyError, TypeError, ValueError):
            msg = f"{self.path}: a row comes without an id that is a number; the API has changed"
            raise ContractChanged(msg) from None

    def _pivot(self, rows: list[Row], piece: IdRange) -> int:
        """Choose where to cut: behind the page when its rows look like the lowest ids, else in its middle."""
        given = [self._id_of(row) for row in rows]
        ids = sorted(given)
        pivot = ids[-1] if given == ids and ids[-1] != piece.upto else ids[(len(ids) - 1) // 2]
        beyond = piece.upto is not None and piece.upto <= pivot
        if not piece.after < pivot or beyond:
            msg = f"{self.path}: the list cannot be cut by id; the filter on id is not honoured"
            raise ContractChanged(msg)
        return pivot
