"""The `q[]` filters: what a condition may look like and which rows it keeps."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sandbox.cliniko.catalogue import FilterClass

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sandbox.cliniko.table import Row

    Test = Callable[[Row], bool]

_COMPARISONS = ("=", "!=", ">=", ">", "<=", "<", "?", "!?")
OPERATORS: Mapping[FilterClass, tuple[str, ...]] = {
    FilterClass.DATE_TIME: (">=", ">", "<=", "<", "!?", "?", "*"),
    FilterClass.DATE: _COMPARISONS[:1] + _COMPARISONS[2:],
    FilterClass.INT64: _COMPARISONS,
    FilterClass.INTEGER: _COMPARISONS,
    FilterClass.STRING: ("=", "!=", "~~", "~", "?", "!?"),
    FilterClass.BOOLEAN: ("=", "!="),
    FilterClass.ARRAY: ("~",),
}
_OPERATOR = re.compile(r"!\?|\?|!=|>=|<=|~~|>|<|=|~|\*")
_DATE_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d+)?Z")
_DATE = re.compile(r"[\d*]{4}-[\d*]{2}-[\d*]{2}")
_COLUMNS = {
    ("attendees", "appointment_id"): ("booking_id",),
    ("invoice_items", "source_item_id"): ("billable_item_id", "product_id"),
}


class BadRequestError(Exception):
    """A request that the API answers with 400 and a message."""


@dataclass(frozen=True)
class Condition:
    """One filter of a request."""

    text: str
    field: str
    operator: str
    value: Any
    test: Test

    @property
    def id_bound(self) -> bool:
        """Whether the condition is a bound of the ids, which the order of the rows answers at once."""
        return self.field == "id" and self.operator in {">", ">=", "<", "<="}


def parse_condition(resource: str, classes: Mapping[str, FilterClass], text: str) -> Condition:
    """Read `field:OPvalue` of a list."""
    field, colon, rest = text.partition(":")
    if field not in classes:
        message = f"{field} is not filterable"
        raise BadRequestError(message)
    kind = classes[field]
    found = _OPERATOR.match(rest) if colon else None
    if found is None or found.group() not in OPERATORS[kind]:
        message = f"{field} needs one of the operators {' '.join(OPERATORS[kind])}"
        raise BadRequestError(message)
    operator, raw = found.group(), rest[found.end() :]
    columns = _COLUMNS.get((resource, field), (field,))
    read = _reader(columns)
    if operator in {"?", "!?", "*"}:
        if raw:
            message = f"{field}:{operator} takes no value"
            raise BadRequestError(message)
        return Condition(text, field, operator, None, _presence(operator, read))
    value, test = _BUILDERS[kind](field, operator, raw, read)
    return Condition(text, field, operator, value, test)


def _reader(columns: tuple[str, ...]) -> Callable[[Row], Any]:
    if len(columns) == 1:
        (column,) = columns
        return lambda row: row.get(column)
    return lambda row: next((row[column] for column in columns if column in row), None)


def _presence(operator: str, read: Callable[[Row], Any]) -> Test:
    if operator == "*":
        return lambda _row: True
    if operator == "?":
        return lambda row: read(row) is not None
    return lambda row: read(row) is None


def _compare(operator: str, read: Callable[[Row], Any], value: Any) -> Test:
    """Order a column against a value; an empty column never passes."""
    tests: dict[str, Test] = {
        ">=": lambda row: (held := read(row)) is not None and held >= value,
        ">": lambda row: (held := read(row)) is not None and held > value,
        "<=": lambda row: (held := read(row)) is not None and held <= value,
        "<": lambda row: (held := read(row)) is not None and held < value,
        "=": lambda row: read(row) == value,
        "!=": lambda row: read(row) != value,
    }
    return tests[operator]


def _date_time(field: str, operator: str, raw: str, read: Callable[[Row], Any]) -> tuple[str, Test]:
    found = _DATE_TIME.fullmatch(raw)
    if found is None:
        message = f"Filter value for {field} must be a UTC time such as 2020-01-31T09:30:00Z"
        raise BadRequestError(message)
    fraction = (found.group(2) or "").rstrip("0").rstrip(".")
    if not fraction:
        return raw, _compare(operator, read, f"{found.group(1)}Z")
    value = found.group(1) + fraction
    return value, _compare(operator, lambda row: held[:-1] if (held := read(row)) else None, value)


def _date(field: str, operator: str, raw: str, read: Callable[[Row], Any]) -> tuple[str, Test]:
    if not _DATE.fullmatch(raw) or ("*" in raw and operator != "="):
        message = f"Filter value for {field} must be a date such as 2020-01-31"
        raise BadRequestError(message)
    if "*" not in raw:
        return raw, _compare(operator, read, raw)
    pattern = re.compile(raw.replace("*", r"\d"))
    return raw, lambda row: bool(pattern.fullmatch(read(row) or ""))


def _number(field: str, operator: str, raw: str, read: Callable[[Row], Any]) -> tuple[Any, Test]:
    parts = raw.split(",") if operator == "=" else [raw]
    if not all(re.fullmatch(r"-?\d+", part) for part in parts):
        message = f"Filter value for {field} must be a number"
        raise BadRequestError(message)

    def numeric(row: Row) -> int | None:
        return None if (held := read(row)) is None else int(held)

    if operator == "=":
        wanted = frozenset(map(int, parts))
        return wanted, lambda row: numeric(row) in wanted
    return int(raw), _compare(operator, numeric, int(raw))


def _string(_field: str, operator: str, raw: str, read: Callable[[Row], Any]) -> tuple[str, Test]:
    if operator in {"=", "!="}:
        return raw, _compare(operator, read, raw)
    if operator == "~":
        return raw, lambda row: raw.casefold() in str(read(row) or "").casefold()
    pattern = re.compile(
        "".join(".*" if char == "%" else re.escape(char) for char in raw), re.DOTALL | re.IGNORECASE
    )
    return raw, lambda row: bool(pattern.fullmatch(read(row) or ""))


def _boolean(field: str, operator: str, raw: str, read: Callable[[Row], Any]) -> tuple[bool, Test]:
    if raw not in {"true", "false"}:
        message = f"Filter value for {field} must be true or false"
        raise BadRequestError(message)
    wanted = raw == "true"
    return wanted, lambda row: (bool(read(row)) == wanted) == (operator == "=")


def _array(field: str, _operator: str, raw: str, read: Callable[[Row], Any]) -> tuple[str, Test]:
    if not raw:
        message = f"Filter value for {field} is missing"
        raise BadRequestError(message)
    return raw, lambda row: raw in (read(row) or ())


_BUILDERS: Mapping[FilterClass, Callable[[str, str, str, Callable[[Row], Any]], tuple[Any, Test]]] = {
    FilterClass.DATE_TIME: _date_time,
    FilterClass.DATE: _date,
    FilterClass.INT64: _number,
    FilterClass.INTEGER: _number,
    FilterClass.STRING: _string,
    FilterClass.BOOLEAN: _boolean,
    FilterClass.ARRAY: _array,
}
