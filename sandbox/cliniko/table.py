"""Rows of the account, kept in the order of their ids."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sandbox.cliniko.catalogue import Resource


class Row(dict[str, Any]):
    """A row; a column that holds nothing is not stored and reads as None."""

    def __missing__(self, key: str) -> None:
        """Read an empty column."""
        return

    def assign(self, values: Mapping[str, Any]) -> None:
        """Set columns; None empties one."""
        for column, value in values.items():
            if value is None:
                self.pop(column, None)
            else:
                self[column] = value


class Table(Mapping[str, Row]):
    """The rows of one resource by id; iterates in ascending order of the ids as numbers.

    `version` grows with every change, so that answers worked out from the rows can be kept until then.
    """

    def __init__(self, resource: Resource) -> None:
        """Start empty."""
        self.resource = resource
        self.version = 0
        self._rows: dict[int, Row] = {}
        self._order: list[int] = []

    def __getitem__(self, identity: str) -> Row:
        """Return a row by its id."""
        try:
            return self._rows[int(identity)]
        except (ValueError, KeyError):
            message = f"no {self.resource.name}/{identity}"
            raise KeyError(message) from None

    def __iter__(self) -> Iterator[str]:
        """Iterate over the ids."""
        return map(str, list(self._order))

    def __len__(self) -> int:
        """Count the rows, hidden ones included."""
        return len(self._order)

    def rows(self) -> list[Row]:
        """Return all rows in the order of their ids."""
        return [self._rows[number] for number in self._order]

    def insert(self, row: Mapping[str, Any]) -> Row:
        """Take a new row; it needs an id of its own and known columns."""
        unknown = row.keys() - self.resource.stored
        if unknown:
            message = f"{self.resource.name} has no column {', '.join(sorted(unknown))}"
            raise ValueError(message)
        number = int(row["id"])
        if number in self._rows:
            message = f"{self.resource.name}/{number} exists already"
            raise ValueError(message)
        kept = Row()
        kept.assign(row)
        self._rows[number] = kept
        if not self._order or number > self._order[-1]:
            self._order.append(number)
        else:
            insort(self._order, number)
        self.version += 1
        return kept

    def update(self, identity: str, values: Mapping[str, Any]) -> Row:
        """Change columns of a row."""
        unknown = values.keys() - self.resource.stored
        if unknown:
            message = f"{self.resource.name} has no column {', '.join(sorted(unknown))}"
            raise ValueError(message)
        row = self[identity]
        row.assign(values)
        self.version += 1
        return row

    def remove(self, identity: str) -> Row:
        """Take a row out for good."""
        row = self[identity]
        number = int(identity)
        del self._rows[number]
        del self._order[bisect_left(self._order, number)]
        self.version += 1
        return row
