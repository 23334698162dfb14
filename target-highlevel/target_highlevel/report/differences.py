"""Differences between Cliniko and HighLevel, field by field: counted, sampled, written with values masked."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from target_highlevel.report.tables import PLAIN, WITH_MARK, write_table
from target_highlevel.report.wording import object_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

COLUMNS = ("source", "object", "field", "kind", "source_value", "highlevel_value", "how")
_MOST_SAMPLES = 3
_MOST_FIRST = 20


class Kind(StrEnum):
    """How two values of a field compare."""

    EQUAL = "equal"
    NORMALISED = "normalised"
    #: Another value that a person entered and the setting ``overwrite`` leaves standing.
    KEPT = "kept"
    #: HighLevel did not show it, so that nobody knows.
    UNREADABLE = "unreadable"
    DIFFERENT = "different"
    MISSING = "missing"
    EXTRA = "extra"


_ALIKE = frozenset({Kind.EQUAL, Kind.NORMALISED, Kind.UNREADABLE})


@dataclass(frozen=True)
class Difference:
    """One field of one record, compared.

    Without a field it is the record itself that is missing or extra; the value of an extra one is its
    HighLevel id.
    """

    source: str
    object: str
    field: str
    kind: Kind
    source_value: Any = None
    highlevel_value: Any = None
    #: Why a value counts as the same, or why a record is extra.
    how: str = ""


@dataclass
class _Field:
    counts: Counter[str] = field(default_factory=Counter)
    samples: list[dict[str, str]] = field(default_factory=list)


class DifferenceTable:
    """Writes ``differences.csv`` while the comparison goes on, and sums up what went by."""

    def __init__(self, *, show_values: bool = False) -> None:
        """Mask values unless they are to be shown."""
        self._shown = _plain if show_values else masked
        self._encoding = WITH_MARK if show_values else PLAIN
        self._fields: dict[tuple[str, str], _Field] = {}
        #: The first of what is not the same, in the order in which it was found.
        self.first: list[dict[str, str]] = []

    def write(self, path: Path, found: Iterable[Difference]) -> None:
        """Write every field that is not equal; equal ones are only counted."""
        write_table(path, COLUMNS, self._rows(found), self._encoding)

    def _rows(self, found: Iterable[Difference]) -> Iterator[tuple[str, ...]]:
        for item in found:
            shown = self._shown if item.field else _plain  # of a whole record there is its id at most
            values = (shown(item.source_value), shown(item.highlevel_value))
            self._count(item, *values)
            if item.kind is not Kind.EQUAL:
                yield (item.source, item.object, item.field, item.kind.value, *values, item.how)

    def _count(self, item: Difference, source_value: str, highlevel_value: str) -> None:
        seen = self._fields.setdefault((item.object, item.field), _Field())
        seen.counts[item.kind.value] += 1
        if item.kind is Kind.EQUAL:
            return
        values = {"source_value": source_value, "highlevel_value": highlevel_value, "how": item.how}
        sample = {"source": item.source, "kind": item.kind.value, **values}
        if len(seen.samples) < _MOST_SAMPLES:
            seen.samples.append(sample)
        if item.kind not in _ALIKE and len(self.first) < _MOST_FIRST:
            named = {"object": item.object, "label": object_name(item.object).capitalize()}
            self.first.append({**named, "field": item.field, **sample})

    def summary(self) -> list[dict[str, Any]]:
        """Return for each field how many values compare in which way, with a few samples."""
        return [
            {
                "object": object_,
                "label": object_name(object_).capitalize(),
                "field": name,
                "counts": {kind.value: seen.counts[kind.value] for kind in Kind},
                "samples": seen.samples,
            }
            for (object_, name), seen in sorted(self._fields.items())
        ]


_SHAPES = (
    ("date", re.compile(r"\d{4}-\d{2}-\d{2}([T ].*)?")),
    ("e-mail", re.compile(r"[^@\s]+@[^@\s]+")),
    ("phone", re.compile(r"\+?[\d ()-]{8,}")),
    ("number", re.compile(r"-?\d+([.,]\d+)?")),
)


def masked(value: Any) -> str:
    """Return the kind of a value only: its length alone could tell *male* from *female*."""
    if value is None or value in ("", [], {}):
        return "(empty)"
    if isinstance(value, bool):
        return "(yes or no)"
    if isinstance(value, (int, float)):
        return "(number)"
    if isinstance(value, (list, tuple, dict)):
        return "(list)"
    return next((f"({name})" for name, shape in _SHAPES if shape.fullmatch(str(value))), "(text)")


def _plain(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, (list, tuple)):
        return "; ".join(str(item) for item in value)
    return str(value)
