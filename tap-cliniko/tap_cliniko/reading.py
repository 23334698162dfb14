"""Reads a list completely while its rows change: by id, never by page number.

A page number is an offset into a query that runs anew for each page, so one change shifts rows past the
reader. Here every request asks for the rows *after the greatest id read so far*, sorted by id. A row that
changes, leaves or is deleted shifts nothing.

The id space of a long list is split into stretches that are read at the same time, which hides the latency:
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
class Stretch:
    """A stretch of the id space that is still to be read: ids greater than `after`, and at most `upto`."""

    after: int = 0
    upto: int | None = None

    def filters(self) -> tuple[str, ...]:
        """Ask for the rows of the stretch only."""
        upper = () if self.upto is None else (f"id:<={self.upto}",)
        # without anything read yet the filter would only cost the server an index look-up
        return (*((f"id:>{self.after}",) if self.after else ()), *upper)

    def dump(self) -> list[str | None]:
        """Write the stretch into the state; ids as text, they exceed what some JSON readers keep exactly."""
        return [str(self.after), None if self.upto is None else str(self.upto)]

    @classmethod
    def load(cls, saved: list[str | None]) -> Stretch:
        """Read a stretch from the state."""
        after, upto = saved
        return cls(int(after or 0), None if upto is None else int(upto))


@dataclass(frozen=True, slots=True)
class Chunk:
    """Rows of one answer in ascending id; `stretch.after` is to follow as they are passed on."""

    rows: list[Row]
    stretch: Stretch


@dataclass(slots=True, eq=False)
class _Lane:
    """One stretch being read: `cursor` runs ahead of what was passed on."""

    stretch: Stretch
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
        lanes: how many stretches are read at the same time.
        inside: tells whether a row belongs to what was asked for, to notice an ignored filter.
        notice: is told about oddities.
    """

    client: ClinikoClient
    path: str
    key: str
    lanes: int = 1
    inside: Callable[[Row], bool] | None = None
    notice: Callable[[str], None] | None = None
    sortable: bool = True

    def chunks(self, filters: tuple[str, ...], stretches: list[Stretch]) -> Iterator[Chunk]:
        """Read the stretches to their ends; each leaves the list when all of it was passed on."""
        while stretches:
            stretch = stretches[0]
            if self.sortable:
                yield from self._first_then_all(filters, stretches)
            else:
                yield from self._cut_to_pages(filters, stretch)
                stretches.remove(stretch)

    # ------------------------------------------------------------------ sorted by id

    def _first_then_all(self, filters: tuple[str, ...], stretches: list[Stretch]) -> Iterator[Chunk]:
        """Read the first page; most lists end there. Prove that sorting works before relying on it."""
        stretch = stretches[0]
        page = self._first_page(filters, stretch)
        if page is None:
            return
        if page.more and not self._sorts_by_id(filters, stretch):
            return
        yield from self._pass_on(page, stretch)
        if not page.more:
            stretches.remove(stretch)
            return
        if len(stretches) == 1 and stretch.upto is None and (page.total or 0) > _WORTH_SPLITTING:
            stretch.upto = self._greatest_id(filters)
            # whatever is newer than the greatest id of now
            stretches.append(Stretch(stretch.upto))
        lanes = [_Lane(each, each.after) for each in stretches]
        lanes[0].left = None if page.total is None else page.total - len(page.rows)
        yield from self._read_lanes(filters, lanes, stretches)

    def _first_page(self, filters: tuple[str, ...], stretch: Stretch) -> Page | None:
        try:
            return self._fetch(filters, stretch)
        except ContractChanged:
            # either the sort or a filter is refused: without the sort the answer tells which
            self.client.page(self.path, self.key, Query((*filters, *stretch.filters()), size=1))
            self._not_sortable()
            return None

    def _sorts_by_id(self, filters: tuple[str, ...], stretch: Stretch) -> bool:
        """Ask for the greatest ids: if they do not come in descending order, the sort was ignored."""
        query = Query((*filters, *stretch.filters()), sort="id:desc", size=_MANY)
        ids = [_id_of(row) for row in self.client.page(self.path, self.key, query).rows]
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
        return _id_of(rows[0]) if rows else 0

    def _read_lanes(
        self, filters: tuple[str, ...], lanes: list[_Lane], stretches: list[Stretch]
    ) -> Iterator[Chunk]:
        """Keep one request under way in each lane, and pass pages on as they arrive."""
        while lanes:
            self._start(filters, lanes, stretches)
            arrived, _ = wait([lane.page for lane in lanes if lane.page], return_when=FIRST_COMPLETED)
            lane = next(lane for lane in lanes if lane.page in arrived)
            page = lane.page.result()  # type: ignore[union-attr]
            lane.page = None
            rows = self._in_order(page, Stretch(lane.cursor, lane.stretch.upto))
            lane.cursor = _id_of(rows[-1]) if rows else lane.cursor
            lane.left = None if page.total is None else page.total - len(rows)
            if page.more:
                self._start(filters, lanes, stretches)
            else:
                lanes.remove(lane)
            yield Chunk(rows, lane.stretch)
            if not page.more:
                stretches.remove(lane.stretch)

    def _start(self, filters: tuple[str, ...], lanes: list[_Lane], stretches: list[Stretch]) -> None:
        busy = sum(lane.page is not None for lane in lanes)
        for lane in list(lanes):
            if lane.page is not None or busy >= self.lanes:
                continue
            if len(lanes) < self.lanes:
                self._split(lane, lanes, stretches)
            lane.page = _BACKGROUND.run(self._fetch, filters, Stretch(lane.cursor, lane.stretch.upto))
            busy += 1
        if busy < self.lanes and any(lane.page is None for lane in lanes):
            self._start(filters, lanes, stretches)

    def _split(self, lane: _Lane, lanes: list[_Lane], stretches: list[Stretch]) -> None:
        """Give half of what a lane has left to a lane of its own, when that is much."""
        upto = lane.stretch.upto
        if upto is None or (lane.left or 0) < _WORTH_SPLITTING:
            return
        middle = (lane.cursor + upto) // 2
        if not lane.cursor < middle < upto:
            return
        half = Stretch(middle, upto)
        lane.stretch.upto = middle
        stretches.append(half)
        lanes.append(_Lane(half, middle, left=(lane.left or 0) // 2))

    def _fetch(self, filters: tuple[str, ...], stretch: Stretch) -> Page:
        return self._ask(Query((*filters, *stretch.filters()), sort="id:asc"))

    def _ask(self, query: Query) -> Page:
        """Ask again when no row comes although there are some: one may just have gone, but not each time."""
        for _ in range(_TRIES):
            page = self.client.page(self.path, self.key, query)
            if page.rows or not page.more:
                break
        return page

    def _pass_on(self, page: Page, stretch: Stretch) -> Iterator[Chunk]:
        rows = self._in_order(page, stretch)
        if rows:
            yield Chunk(rows, stretch)
            stretch.after = _id_of(rows[-1])

    # ------------------------------------------------------------------ in pieces

    def _cut_to_pages(self, filters: tuple[str, ...], stretch: Stretch) -> Iterator[Chunk]:
        """Cut the stretch by id until each piece is one page, lowest ids first."""
        pieces = [Stretch(stretch.after, stretch.upto)]
        while pieces:
            piece = pieces.pop()
            page = self._ask(Query((*filters, *piece.filters())))
            if not page.more:
                yield from self._pass_on(page, stretch)
                stretch.after = max(stretch.after, piece.upto or 0)
                continue
            self._check_not_empty(page)
            pivot = _pivot(page.rows, piece)
            pieces += [Stretch(pivot, piece.upto), Stretch(piece.after, pivot)]

    # ------------------------------------------------------------------ guards

    def _in_order(self, page: Page, stretch: Stretch) -> list[Row]:
        """Return the rows in ascending id, and stop if the id filter was not honoured."""
        self._check_not_empty(page)
        rows = sorted(page.rows, key=_id_of)
        ids = [_id_of(row) for row in rows]
        # a list that fits on one page needs no order, whatever the server made of the sort
        if self.sortable and page.more and ids != [_id_of(row) for row in page.rows]:
            msg = f"{self.path}: rows do not come sorted by id although the list can be; the API has changed"
            raise ContractChanged(msg)
        upto = stretch.upto
        if ids and (
            ids[0] <= stretch.after or (upto is not None and ids[-1] > upto) or len(set(ids)) < len(ids)
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


def _id_of(row: Row) -> int:
    return int(row["id"])


def _pivot(rows: list[Row], piece: Stretch) -> int:
    """Choose where to cut: behind the page when its rows look like the lowest ids, else in its middle."""
    given = [_id_of(row) for row in rows]
    ids = sorted(given)
    pivot = ids[-1] if given == ids and ids[-1] != piece.upto else ids[(len(ids) - 1) // 2]
    if not piece.after < pivot or pivot == piece.upto:
        msg = "a list cannot be cut by id; the filter on id is not honoured"
        raise ContractChanged(msg)
    return pivot
