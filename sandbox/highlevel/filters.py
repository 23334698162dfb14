"""The filter grammar of both searches: leaves, groups, operators and their limits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sandbox.highlevel.answers import refuse_body
from sandbox.highlevel.naming import epoch_ms, iso
from sandbox.highlevel.search_index import after, page_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from sandbox.highlevel.options import Options
    from sandbox.highlevel.search_index import Document, Rank, SearchIndex, Test

    Getter = Callable[[Document], Any]

OPERATORS = ("eq", "not_eq", "contains", "not_contains", "exists", "not_exists", "range")
LONGEST_VALUE = 75
DEEPEST_PAGE_ROW = 10_000
SEARCH_AFTER_PARTS = 2
BOUNDS = {
    "gt": lambda value, bound: value > bound,
    "gte": lambda value, bound: value >= bound,
    "lt": lambda value, bound: value < bound,
    "lte": lambda value, bound: value <= bound,
}


@dataclass(frozen=True, slots=True)
class Searchable:
    """A field that can be filtered: how to read it, which operators it takes, whether it is indexed."""

    read: Getter
    operators: Collection[str] = OPERATORS
    indexed: bool = False


@dataclass(frozen=True, slots=True)
class Compiled:
    """A filter ready to run: the test, and the only documents worth testing if an index names them."""

    test: Test
    candidates: set[str] | None = None


class FilterReader:
    """Turns the filters of a body into one test.

    Args:
        index: the index that is searched.
        resolve: finds the field of a filter by its name; None for one that cannot be searched.
    """

    def __init__(self, index: SearchIndex, resolve: Callable[[str], Searchable | None]) -> None:
        """Take the index and the fields of the object."""
        self._index = index
        self._resolve = resolve

    def all_of(self, filters: Any) -> Compiled | None:
        """Compile the list of a body, whose elements are joined by AND."""
        if filters is None or filters == []:
            return None
        return self._group("AND", filters, "filters")

    def _group(self, kind: str, filters: Any, place: str) -> Compiled:
        if not isinstance(filters, list) or not filters:
            refuse_body(f"{place} must be an array with at least 1 element")
        parts = [self._part(item, f"{place}.{position}") for position, item in enumerate(filters)]
        return _both(parts) if kind == "AND" else _either(parts)

    def _part(self, item: Any, place: str) -> Compiled:
        if not isinstance(item, dict):
            refuse_body(f"{place} must be an object")
        allowed = {"group", "filters"} if "group" in item else {"field", "operator", "value"}
        if unknown := sorted(set(item) - allowed):
            refuse_body(*(f"property {place}.{name} should not exist" for name in unknown))
        if "group" not in item:
            return self._leaf(item, place)
        if item["group"] not in {"AND", "OR"}:
            refuse_body(f"{place}.group must be one of the following values: AND, OR")
        return self._group(item["group"], item.get("filters"), f"{place}.filters")

    def _leaf(self, item: dict[str, Any], place: str) -> Compiled:
        name, operator = item.get("field"), item.get("operator")
        if operator not in OPERATORS:
            refuse_body(f"{place}.operator must be one of the following values: {', '.join(OPERATORS)}")
        field = self._resolve(name) if isinstance(name, str) else None
        if field is None:
            refuse_body(f"Invalid field {name} in {place}")
        if operator not in field.operators:
            refuse_body(f"{place}.operator {operator} is not supported for {name}")
        value = _checked(operator, item.get("value"), place)
        test = _leaf_test(field.read, operator, value)
        if operator == "eq" and field.indexed and isinstance(name, str):
            values = value if isinstance(value, list) else [value]
            return Compiled(test, set().union(*(self._index.found_by(name, fold(one)) for one in values)))
        return Compiled(test)


def fold(value: Any) -> str:
    """Bring a value into the form in which the search compares texts."""
    return str(value).casefold()


def _checked(operator: str, value: Any, place: str) -> Any:
    if operator in {"exists", "not_exists"}:
        return None
    if operator == "range":
        if not isinstance(value, dict) or not value or set(value) - set(BOUNDS):
            refuse_body(f"{place}.value must be an object with gt, gte, lt or lte")
        return value
    for single in value if isinstance(value, list) else [value]:
        if single is None or single == "" or isinstance(single, (dict, list)):
            refuse_body(f"{place}.value should not be empty")
        if len(str(single)) > LONGEST_VALUE:
            refuse_body(f"{place}.value must be shorter than or equal to {LONGEST_VALUE} characters")
    return value


def _values(value: Any) -> list[str]:
    if value is None or value in ("", [], {}):
        return []
    return [fold(single) for single in (value if isinstance(value, list) else [value])]


def _leaf_test(read: Getter, operator: str, value: Any) -> Test:
    wanted = {fold(single) for single in (value if isinstance(value, list) else [value])}
    tests: dict[str, Test] = {
        "eq": lambda document: not wanted.isdisjoint(_values(read(document))),
        "not_eq": lambda document: wanted.isdisjoint(_values(read(document))),
        "contains": lambda document: _contains(_values(read(document)), wanted),
        "not_contains": lambda document: not _contains(_values(read(document)), wanted),
        "exists": lambda document: bool(_values(read(document))),
        "not_exists": lambda document: not _values(read(document)),
        "range": lambda document: _within(read(document), value),
    }
    return tests[operator]


def _contains(values: list[str], wanted: set[str]) -> bool:
    return any(part in value for value in values for part in wanted)


def _within(value: Any, bounds: dict[str, Any]) -> bool:
    if value is None:
        return False
    return all(BOUNDS[name](*_comparable(value, bound)) for name, bound in bounds.items())


def _comparable(value: Any, bound: Any) -> tuple[Any, Any]:
    """Bring a stored value and a bound together: numbers, or moments and dates in milliseconds."""
    if isinstance(value, str):
        try:
            return epoch_ms(value), bound if isinstance(bound, (int, float)) else epoch_ms(str(bound))
        except ValueError:
            return value, str(bound)
    return value, float(bound)


def _both(parts: list[Compiled]) -> Compiled:
    known = [part.candidates for part in parts if part.candidates is not None]
    tests = [part.test for part in parts]
    return Compiled(
        lambda document: all(test(document) for test in tests), min(known, key=len) if known else None
    )


def _either(parts: list[Compiled]) -> Compiled:
    tests = [part.test for part in parts]
    candidates: set[str] | None = set()
    for part in parts:
        candidates = None if candidates is None or part.candidates is None else candidates | part.candidates
    return Compiled(lambda document: any(test(document) for test in tests), candidates)


def heeded(options: Options, body: dict[str, Any]) -> dict[str, Any]:
    """Return the body of a search without what the options ignore of it."""
    ignored = {"filters"} if options.search_filters == "ignore" else set()
    return {name: body[name] for name in body if name not in ignored}


def counted(options: Options, total: int) -> int:
    """Return how many rows a search says there are."""
    return total if options.most_counted is None else min(total, options.most_counted)


@dataclass(frozen=True, slots=True)
class Question:
    """A search as the body asks it, and the page that answers it."""

    body: dict[str, Any]
    sortable: dict[str, Getter]
    text_test: Callable[[str], Test]
    page_beside_cursor: bool = False

    def answer(self, index: SearchIndex, reader: FilterReader) -> tuple[list[Rank], int]:
        """Return the (sort value, id) rows of the page and the number of all hits."""
        body = self.body
        page, limit = self._page()
        field, descending = self._sort()
        compiled = reader.all_of(body.get("filters"))
        test = self._test(compiled)
        order = None if field == "dateAdded" else self.sortable[field]
        name = [body.get("filters"), body.get("query"), field]
        ranks = index.ranked(name, test, compiled.candidates if compiled else None, order)
        if last := body.get("searchAfter"):
            return after(ranks, self._last(last, field), descending=descending, limit=limit), len(ranks)
        return page_of(ranks, descending=descending, page=page, limit=limit), len(ranks)

    def _page(self) -> tuple[int, int]:
        page, limit = self.body.get("page"), self.body["pageLimit"]
        if page is not None and self.body.get("searchAfter"):
            if self.page_beside_cursor:  # the cursor decides
                return 1, int(limit)
            refuse_body("page and searchAfter can not be used together")
        if page is not None and page * limit > DEEPEST_PAGE_ROW:
            refuse_body(f"page * pageLimit must not be greater than {DEEPEST_PAGE_ROW}, use searchAfter")
        return int(page or 1), int(limit)

    def _sort(self) -> tuple[str, bool]:
        wanted = self.body.get("sort") or [{"field": "dateAdded", "direction": "desc"}]
        field, direction = wanted[0].get("field"), wanted[0].get("direction", "desc")
        if field not in self.sortable or direction not in {"asc", "desc"}:
            refuse_body(f"sort.0 must name one of {', '.join(self.sortable)} and asc or desc")
        return field, direction == "desc"

    def _test(self, compiled: Compiled | None) -> Test | None:
        query = self.body.get("query")
        if not query:
            return compiled.test if compiled else None
        by_text = self.text_test(query.casefold())
        if compiled is None:
            return by_text
        by_filter = compiled.test
        return lambda document: by_filter(document) and by_text(document)

    def _last(self, last: Any, field: str) -> Rank:
        if not isinstance(last, list) or len(last) != SEARCH_AFTER_PARTS:
            refuse_body("searchAfter must hold the two values of a row")
        value, identity = last
        if field in {"dateAdded", "dateUpdated"}:
            return moment_of(value), str(identity)
        return value, str(identity)


def moment_of(milliseconds: Any) -> str:
    """Turn the first value of a `searchAfter` back into the time it stands for."""
    if isinstance(milliseconds, bool) or not isinstance(milliseconds, (int, float)):
        refuse_body("searchAfter.0 must be a number")
    return iso(milliseconds / 1000)
