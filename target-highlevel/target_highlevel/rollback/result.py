"""What a rollback did and what it left alone, gathered from all its threads."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from target_highlevel.ledger.rows import Row
    from target_highlevel.ledger.undo import Before


@dataclass(frozen=True, slots=True)
class Spared:
    """A record that stays as it is, wholly or in some fields, and why."""

    object: str
    source_id: str
    hl_id: str
    reason: str
    fields: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Restored:
    """A record that was put back: its values before, and the fields left alone."""

    row: Row
    before: Before
    left: tuple[str, ...]

    @property
    def put_back(self) -> dict[str, Any]:
        """Return the fields that hold again what they did."""
        return {name: value for name, value in self.before.fields.items() if name not in self.left}


@dataclass
class Result:
    """Filled by many threads."""

    spared: dict[str, Spared] = field(default_factory=dict)
    #: refs of records the run created that stay
    kept: set[str] = field(default_factory=set)
    restored: dict[str, Restored] = field(default_factory=dict)
    #: refs of records that were put back and of which the ledger knows again all it did
    settled: set[str] = field(default_factory=set)
    tags: set[str] = field(default_factory=set)
    #: relations that link again what they did, by ref
    linked: dict[str, Row] = field(default_factory=dict)
    _mutex: threading.Lock = field(default_factory=threading.Lock)

    def keep(self, row: Row, reason: str, fields: Iterable[str] = ()) -> None:
        """Note that a record the run created stays."""
        with self._mutex:
            self.kept.add(row.ref)
        self.spare(row, reason, fields)

    def spare(self, row: Row, reason: str, fields: Iterable[str] = ()) -> None:
        """Note that a record is left alone."""
        with self._mutex:
            self.spared[row.ref] = Spared(row.object, row.source_id, row.hl_id or "", reason, tuple(fields))

    def doubt(self, unproven: Spared) -> None:
        """Note that something could not be read back, unless it is listed already."""
        with self._mutex:
            self.spared.setdefault(f"{unproven.object}:{unproven.source_id}", unproven)

    def restore(self, row: Row, before: Before, left: Iterable[str]) -> None:
        """Note that a record was put back: what an earlier try could not put back is no longer spared."""
        with self._mutex:
            self.spared.pop(row.ref, None)
            self.restored[row.ref] = Restored(row, before, tuple(left))

    def link(self, row: Row) -> None:
        """Note that a relation links again what it did."""
        self.settle(row)
        with self._mutex:
            self.linked[row.ref] = row

    def settle(self, row: Row) -> None:
        """Note that of a record nothing from before is needed any more."""
        with self._mutex:
            self.settled.add(row.ref)

    def leave_tags(self, names: Iterable[str]) -> None:
        """Note tags that stay in the sub-account's list."""
        with self._mutex:
            self.tags |= set(names)
