"""Which rows a list request gets, in which order, and what is remembered between its pages."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from zlib import crc32

from sandbox.cliniko.account import timestamp
from sandbox.cliniko.catalogue import BOOKINGS, RESOURCES, FilterClass
from sandbox.cliniko.filters import BadRequestError, Condition, parse_condition

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from sandbox.cliniko.account import Account
    from sandbox.cliniko.filters import Test
    from sandbox.cliniko.options import ClinikoOptions
    from sandbox.cliniko.table import Row

    Sort = tuple[tuple[str, bool], ...]

REMEMBERED_SELECTIONS = 8
DEFAULT_SORT: Sort = (("created_at", False),)
_BOOKING_FILTERS = {
    **{
        name: kind
        for booking in BOOKINGS
        for name, kind in RESOURCES[booking].filters.items()
        if name not in {"patient_id", "unavailable_block_type_id"}
    },
    "email_reminder_sent": FilterClass.BOOLEAN,
    "sms_reminder_sent": FilterClass.BOOLEAN,
    "invoice_status": FilterClass.INTEGER,
    "treatment_note_status": FilterClass.INTEGER,
}


@dataclass(frozen=True)
class Listing:
    """One request for a list, read from its query.

    `only` restricts the rows further (nested and legacy lists); its `scope` names that restriction.
    """

    resource: str
    conditions: tuple[Condition, ...]
    sort: Sort
    page: int = 1
    per_page: int = 50
    scope: str = ""
    only: Test | None = None
    hidden: tuple[str, ...] = ()


def filters_of(resource: str) -> Mapping[str, FilterClass]:
    """Return the filterable fields of a list."""
    return _BOOKING_FILTERS if resource == "bookings" else RESOURCES[resource].filters


def hidden_of(resource: str) -> tuple[str, ...]:
    """Return the columns whose rows a list leaves out."""
    if resource == "bookings":
        return ("archived_at", "cancelled_at", "deleted_at")
    return RESOURCES[resource].hidden


def parse_sort(resource: str, sort: str | None, order: str | None, options: ClinikoOptions) -> Sort:
    """Read `sort=a,b:desc` and the deprecated `order=`."""
    if not sort:
        return (("created_at", order == "desc"),)
    names = BOOKINGS if resource == "bookings" else (resource,)
    columns = frozenset().union(*(RESOURCES[name].sortable for name in names))
    keys: list[tuple[str, bool]] = []
    for part in sort.split(","):
        column, colon, direction = part.partition(":")
        if column not in columns or (colon and direction not in {"asc", "desc"}):
            message = "Sort parameter must be a valid column name"
            raise BadRequestError(message)
        if column == "id" and options.sort_by_id == "refuse":
            message = "Sort parameter must be a valid column name"
            raise BadRequestError(message)
        if column != "id" or options.sort_by_id == "accept":
            keys.append((column, direction == "desc" or (not colon and order == "desc")))
    return tuple(keys) or DEFAULT_SORT


def parse_conditions(
    resource: str, texts: Iterable[str], only: frozenset[str] | None
) -> tuple[Condition, ...]:
    """Read the `q[]` filters; `only` narrows the fields that may be filtered."""
    classes = filters_of(resource)
    if only is not None:
        classes = {name: kind for name, kind in classes.items() if name in only}
    return tuple(parse_condition(resource, classes, text) for text in texts)


@dataclass(frozen=True)
class _Matching:
    """Rows that match, in the order of their ids, with the ids as numbers beside them."""

    numbers: Sequence[int]
    rows: Sequence[Row]


class Selections:
    """Finds the rows of list requests; a selection is remembered until a row of its table changes."""

    def __init__(self, account: Account, *, unstable_ties: bool, late_seconds: float = 0.0) -> None:
        """Read from this account; what was written less than `late_seconds` ago does not show yet."""
        self._late_seconds = late_seconds
        self._account = account
        self._unstable_ties = unstable_ties
        self._remembered: OrderedDict[Any, tuple[Any, _Matching]] = OrderedDict()

    def page(self, listing: Listing) -> tuple[int, list[Row]]:
        """Return how many rows match and those of the page asked for."""
        bounds = [condition for condition in listing.conditions if condition.id_bound]
        matching = self._matching(listing)
        low, high = _bounds(matching.numbers, bounds)
        start = (listing.page - 1) * listing.per_page
        if listing.sort == (("id", False),):
            first = low + start
            return high - low, list(matching.rows[first : min(first + listing.per_page, high)])
        ordered = self._sorted(listing, matching, low, high)
        return high - low, list(ordered[start : start + listing.per_page])

    def _matching(self, listing: Listing) -> _Matching:
        tests = [condition for condition in listing.conditions if not condition.id_bound]
        key = (
            "matching",
            listing.resource,
            listing.scope,
            listing.hidden,
            tuple(test.text for test in tests),
        )
        return self._remember(key, listing, lambda: self._select(listing, tests))

    def _sorted(self, listing: Listing, matching: _Matching, low: int, high: int) -> Sequence[Row]:
        texts = tuple(condition.text for condition in listing.conditions)
        key = ("sorted", listing.resource, listing.scope, listing.hidden, texts, listing.sort)

        def make() -> _Matching:
            rows = list(matching.rows[low:high])
            if self._unstable_ties:
                seed = self._version(listing.resource)
                rows.sort(key=lambda row: crc32(f"{row['id']} {seed}".encode()))
            for column, descending in reversed(listing.sort):
                rows.sort(key=lambda row: _sort_key(column, row), reverse=descending)
            return _Matching((), rows)

        return self._remember(key, listing, make).rows

    def _remember(self, key: Any, listing: Listing, make: Any) -> _Matching:
        version = self._version(listing.resource)
        if self._late_seconds:
            latest: _Matching = make()
            return latest
        if listing.scope or (kept := self._remembered.get(key)) is None or kept[0] != version:
            made: _Matching = make()
            if not listing.scope:
                self._remembered[key] = (version, made)
                if len(self._remembered) > REMEMBERED_SELECTIONS:
                    self._remembered.popitem(last=False)
            return made
        self._remembered.move_to_end(key)
        return kept[1]

    def _select(self, listing: Listing, tests: Sequence[Condition]) -> _Matching:
        named = {condition.field for condition in listing.conditions}
        hidden = [column for column in listing.hidden if column not in named]
        rows = self._rows(listing.resource)
        if hidden:
            rows = [row for row in rows if not any(column in row for column in hidden)]
        if listing.only is not None:
            rows = [row for row in rows if listing.only(row)]
        for condition in tests:
            rows = [row for row in rows if condition.test(row)]
        return _Matching([int(row["id"]) for row in rows], rows)

    def _rows(self, resource: str) -> list[Row]:
        if resource != "bookings":
            rows = self._account.tables[resource].rows()
            if not self._late_seconds:
                return rows
            return [seen for row in rows if (seen := self._as_seen(resource, row)) is not None]
        united = [row for kind in BOOKINGS for row in self._account.tables[kind].rows()]
        return sorted(united, key=lambda row: int(row["id"]))

    def _as_seen(self, resource: str, row: Row) -> Row | None:
        """Return a row as it was before a change that does not show yet, None for one that was not there then."""
        shown_until = self._account.clock() - self._late_seconds
        changed, before = self._account.former.get((resource, row["id"]), (0.0, row))
        if changed > shown_until:
            return before
        return None if row["created_at"] > timestamp(shown_until) else row

    def _version(self, resource: str) -> int:
        kinds = BOOKINGS if resource == "bookings" else (resource,)
        return sum(self._account.tables[kind].version for kind in kinds)


def _bounds(numbers: Sequence[int], bounds: Sequence[Condition]) -> tuple[int, int]:
    low, high = 0, len(numbers)
    for bound in bounds:
        if bound.operator == ">":
            low = max(low, bisect_right(numbers, bound.value))
        elif bound.operator == ">=":
            low = max(low, bisect_left(numbers, bound.value))
        elif bound.operator == "<":
            high = min(high, bisect_left(numbers, bound.value))
        else:
            high = min(high, bisect_right(numbers, bound.value))
    return low, max(low, high)


def _sort_key(column: str, row: Row) -> tuple[bool, Any]:
    value = row.get(column)
    if value is not None and (column == "id" or column.endswith("_id")):
        return (False, int(value))
    return (value is None, "" if value is None else str(value).casefold())
