"""The audit trail: every write and its outcome, chained by hashes so that a later change shows."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from target_highlevel.ledger.tables import audit
from target_highlevel.values import canonical_json

if TYPE_CHECKING:
    from collections.abc import Iterator

_CHAINED = (
    "seq", "at", "location", "run", "event", "action", "object", "source_id", "hl_id", "method", "route", "status", "fields",
)  # fmt: skip
_START = "0" * 64


class AuditTrail:
    """Appends entries inside the caller's transaction; the newest hash is kept in memory, for a single writer."""

    def __init__(self) -> None:
        """Know nothing yet of where the trail stands."""
        self._seq = -1
        self._hash = _START

    def forget(self) -> None:
        """Read anew where the trail stands before the next entry: what was appended was undone."""
        self._seq = -1

    def _resume(self, connection: sa.Connection) -> None:
        last = connection.execute(
            sa.select(audit.c.seq, audit.c.hash).order_by(audit.c.seq.desc()).limit(1)
        ).first()
        self._seq, self._hash = (last.seq, last.hash) if last else (0, _START)

    def append(self, connection: sa.Connection, entry: dict[str, Any]) -> None:
        """Write one entry: ``entry`` has every chained column but ``seq``."""
        if self._seq < 0:
            self._resume(connection)
        row = {**entry, "seq": self._seq + 1, "prev": self._hash}
        row["hash"] = _link(self._hash, row)
        connection.execute(audit.insert().values(row))
        self._seq, self._hash = row["seq"], row["hash"]


def _link(previous: str, row: dict[str, Any]) -> str:
    return hashlib.sha256((previous + canonical_json([row[name] for name in _CHAINED])).encode()).hexdigest()


def broken_links(connection: sa.Connection) -> Iterator[int]:
    """Yield the number of each entry that was changed, removed before, or put in later."""
    previous, expected = _START, 1
    for row in connection.execute(sa.select(audit).order_by(audit.c.seq)).mappings():
        if row["prev"] != previous or row["seq"] != expected or _link(previous, dict(row)) != row["hash"]:
            yield row["seq"]
        previous, expected = row["hash"], row["seq"] + 1
