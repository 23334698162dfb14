"""What a run did, counted from the ledger."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from target_highlevel.ledger.rows import Outcome, Status
from target_highlevel.ledger.tables import record

if TYPE_CHECKING:
    from collections.abc import Iterator

    from target_highlevel.ledger.ledger import Ledger


@dataclass
class ObjectCount:
    """One row of the closing table: a kind of object and the source resource it came from."""

    object: str
    resource: str
    source: int = 0
    created: int = 0
    updated: int = 0
    unchanged: int = 0
    filtered: int = 0
    held: int = 0
    rejected: int = 0
    reasons: dict[str, Counter[str]] = field(default_factory=dict)

    @property
    def difference(self) -> int:
        """Return what is not accounted for; it must be zero."""
        settled = self.created + self.updated + self.unchanged + self.filtered
        return self.source - settled - self.held - self.rejected


_STATUS = {
    Status.READY.value: "held",
    Status.HELD.value: "held",
    Status.REJECTED.value: "rejected",
    Status.FILTERED.value: "filtered",
}


def object_counts(ledger: Ledger, run: str) -> list[ObjectCount]:
    """Return the closing table of a run: what it received, and what earlier runs left over.

    ``source`` is counted apart from the outcomes, so that the equation can fail.
    """
    here = (record.c.location == ledger.location) & (record.c.stream != "")
    open_ = record.c.status.in_([Status.HELD.value, Status.READY.value, Status.REJECTED.value])
    mine = here & ((record.c.seen_run == run) | open_)
    counts: dict[tuple[str, str], ObjectCount] = {}
    with ledger.transaction() as connection:
        totals = (
            sa.select(record.c.object, record.c.resource, sa.func.count())
            .where(mine)
            .group_by(record.c.object, record.c.resource)
        )
        for object_, resource, number in connection.execute(totals):
            counts[object_, resource] = ObjectCount(object_, resource, source=number)
        columns = [record.c.object, record.c.resource, record.c.status, record.c.reason]
        outcome = sa.case((record.c.outcome_run == run, record.c.outcome), else_=Outcome.UNCHANGED.value)
        query = sa.select(*columns, outcome, sa.func.count()).where(mine).group_by(*columns, outcome)
        for object_, resource, status, reason, did, number in connection.execute(query):
            _add(counts[object_, resource], status, reason, did, number)
    return sorted(counts.values(), key=lambda item: (item.object, item.resource))


def _add(count: ObjectCount, status: str, reason: str | None, did: str | None, number: int) -> None:
    column = _STATUS.get(status) or (did or Outcome.UNCHANGED.value)
    if hasattr(count, column):
        setattr(count, column, getattr(count, column) + number)
    if status in _STATUS:
        code = str(reason or "to_be_written").partition(":")[0]
        count.reasons.setdefault(column, Counter())[code] += number


def rejected_records(ledger: Ledger) -> Iterator[tuple[str, str, str, str]]:
    """Yield (object, source id, reason, field) of every rejected record."""
    query = (
        sa.select(record.c.object, record.c.source_id, record.c.reason, record.c.reason_field)
        .where(record.c.location == ledger.location, record.c.status == Status.REJECTED.value)
        .order_by(record.c.object, record.c.source_id)
    )
    with ledger.transaction() as connection:
        for object_, source_id, reason, name in connection.execute(query).all():
            yield object_, source_id, reason or "refused", name or ""


def crosswalk(ledger: Ledger) -> Iterator[tuple[str, str, str, str]]:
    """Yield (source id, object, HighLevel id, status) of every record that is in HighLevel."""
    query = (
        sa.select(record.c.source_id, record.c.object, record.c.hl_id, record.c.status)
        .where(record.c.location == ledger.location, record.c.hl_id.is_not(None))
        .order_by(record.c.object, record.c.source_id)
    )
    with ledger.transaction() as connection:
        yield from (tuple(row) for row in connection.execute(query).all())


def remarks(ledger: Ledger, run: str) -> dict[str, Any]:
    """Return what the report must mention of records of a run: withheld addresses and conflicts, by record and field."""
    query = (
        sa.select(record.c.object, record.c.source_id, record.c.notes)
        .where(record.c.location == ledger.location, record.c.seen_run == run, record.c.notes.is_not(None))
        .order_by(record.c.object, record.c.source_id)
    )
    withheld, conflicts = [], []
    with ledger.transaction() as connection:
        for _, source_id, notes in connection.execute(query):
            said = json.loads(notes)
            withheld += [{"source": source_id, "field": name, "because": why} for name, why in said.get("withheld", {}).items()]
            conflicts += [{"source": source_id, "field": name} for name in said.get("conflicts", ())]
    return {"withheld": withheld, "conflicts": conflicts}
