"""What a run did, counted from the ledger."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from target_highlevel.ledger.partials import OTHER_SUB_ACCOUNT
from target_highlevel.ledger.rows import Outcome, Status
from target_highlevel.ledger.tables import audit, record
from target_highlevel.ledger.undo import ROLLED_BACK
from target_highlevel.ledger.unplaced import unplaced

if TYPE_CHECKING:
    from collections.abc import Iterator

    from target_highlevel.ledger.ledger import Ledger


#: Rows in memory at once, of tables that have one for every record of the clinic.
_AT_ONCE = 1000


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
    mine = _mine(ledger, run)
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
        _add_unplaced(counts, connection, ledger.location, run)
    return sorted(counts.values(), key=lambda item: (item.object, item.resource))


def _add_unplaced(
    counts: dict[tuple[str, str], ObjectCount], connection: sa.Connection, location: str, run: str | None
) -> None:
    """Count what was contributed to records that are not in HighLevel beside the records themselves."""
    for item in unplaced(connection, location, run):
        count = counts.setdefault((item.object, item.resource), ObjectCount(item.object, item.resource))
        count.source += 1
        _add(count, item.status, item.reason, None, 1)


def _mine(ledger: Ledger, run: str) -> sa.ColumnElement[bool]:
    """Return the records a run answers for: those it received, and those earlier runs left open."""
    here = (record.c.location == ledger.location) & (record.c.stream != "")
    open_ = record.c.status.in_([Status.HELD.value, Status.READY.value, Status.REJECTED.value])
    return here & ((record.c.seen_run == run) | open_)


def _add(count: ObjectCount, status: str, reason: str | None, did: str | None, number: int) -> None:
    column = _standing(status, reason) or (did or Outcome.UNCHANGED.value)
    if hasattr(count, column):
        setattr(count, column, getattr(count, column) + number)
    if status in _STATUS:
        count.reasons.setdefault(column, Counter())[_code(reason, column)] += number


def _standing(status: str, reason: str | None) -> str | None:
    """Return under which heading an unwritten record counts; what waits for a patient of another sub-account waits for nobody."""
    return "filtered" if reason == OTHER_SUB_ACCOUNT else _STATUS.get(status)


def _code(reason: str | None, column: str) -> str:
    """Return a reason without what it is about: ``waits_for`` of ``waits_for:contact:patients/1``."""
    missing = "refused" if column == "rejected" else "to_be_written"
    return str(reason or missing).partition(":")[0]


def crosswalk(ledger: Ledger) -> Iterator[tuple[str, str, str, str]]:
    """Yield (source id, object, HighLevel id, status) of every record that is in HighLevel."""
    query = (
        sa.select(record.c.source_id, record.c.object, record.c.hl_id, record.c.status)
        .where(record.c.location == ledger.location, record.c.hl_id.is_not(None))
        .order_by(record.c.object, record.c.source_id)
        .execution_options(yield_per=_AT_ONCE)
    )
    with ledger.transaction() as connection:
        yield from (tuple(row) for row in connection.execute(query))


def remarks(ledger: Ledger, run: str) -> dict[str, Any]:
    """Return what the report must mention of records of a run: withheld addresses and conflicts, by record and field.

    A withheld address is listed as long as it is; a conflict by the run that met it.
    """
    told = record.c.notes.contains('"withheld"') | record.c.notes.contains(
        '"conflicts"'
    )  # most notes say neither
    query = (
        sa.select(record.c.outcome_run, record.c.source_id, record.c.notes)
        .where(record.c.location == ledger.location, record.c.seen_run == run, told)
        .order_by(record.c.object, record.c.source_id)
    )
    withheld, conflicts = [], []
    with ledger.transaction() as connection:
        for settled_in, source_id, notes in connection.execute(query):
            said = json.loads(notes)
            withheld += [
                {"source": source_id, "field": name, "because": why}
                for name, why in said.get("withheld", {}).items()
            ]
            met = said.get("conflicts", ()) if settled_in == run else ()
            conflicts += [{"source": source_id, "field": name} for name in met]
    return {"withheld": withheld, "conflicts": conflicts}


@dataclass(frozen=True)
class Unsettled:
    """A record that did not go into HighLevel in a run, and why."""

    outcome: str
    reason: str
    field: str
    object: str
    resource: str
    source_id: str
    #: Source id of the contact it hangs on, of a refused one.
    contact: str = ""


def unsettled_records(ledger: Ledger, run: str) -> Iterator[Unsettled]:
    """Yield every record of a run that is held, rejected or filtered, in the order of source ids."""
    columns = [
        record.c[name] for name in ("status", "reason", "reason_field", "object", "resource", "source_id")
    ]
    payload = sa.case((record.c.status == Status.REJECTED.value, record.c.payload), else_=None)
    query = (
        sa.select(*columns, payload.label("payload"))
        .where(_mine(ledger, run), record.c.status.in_(list(_STATUS)))
        .order_by(record.c.source_id, record.c.object)
        .execution_options(yield_per=_AT_ONCE)
    )
    with ledger.transaction() as connection:
        for row in connection.execute(query):
            outcome = str(_standing(row.status, row.reason))
            reason = _code(row.reason, outcome)
            contact = (json.loads(row.payload or "{}") or {}).get("contact") or ""
            named = (row.reason_field or "", row.object, row.resource, row.source_id)
            yield Unsettled(outcome, reason, *named, contact)
        for item in unplaced(connection, ledger.location, run):
            outcome = str(_standing(item.status, item.reason))
            reason = _code(item.reason, outcome)
            yield Unsettled(outcome, reason, "", item.object, item.resource, item.source_id)


def practitioners_without_user(ledger: Ledger) -> Iterator[tuple[str, str]]:
    """Yield (source id, reason) of every practitioner whom no HighLevel user stands for."""
    query = (
        sa.select(record.c.source_id, record.c.reason)
        .where(record.c.location == ledger.location, record.c.object == "user", record.c.hl_id.is_(None))
        .order_by(record.c.source_id)
    )
    with ledger.transaction() as connection:
        yield from ((source_id, reason or "no_user") for source_id, reason in connection.execute(query).all())


def undone_records(ledger: Ledger) -> int:
    """Return how many records a rollback has taken out of HighLevel that have not been read from the source again."""
    undone = (record.c.status == Status.FILTERED.value) & (record.c.reason == ROLLED_BACK)
    query = sa.select(sa.func.count()).where(
        record.c.location == ledger.location, record.c.stream != "", undone
    )
    with ledger.transaction() as connection:
        return int(connection.execute(query).scalar_one())


def standing_records(ledger: Ledger) -> list[ObjectCount]:
    """Return where every record of the sub-account stands at present: what is done counts as unchanged."""
    columns = [record.c.object, record.c.resource, record.c.status, record.c.reason]
    query = (
        sa.select(*columns, sa.func.count())
        .where(record.c.location == ledger.location, record.c.stream != "")
        .group_by(*columns)
    )
    counts: dict[tuple[str, str], ObjectCount] = {}
    with ledger.transaction() as connection:
        for object_, resource, status, reason, number in connection.execute(query):
            count = counts.setdefault((object_, resource), ObjectCount(object_, resource))
            count.source += number
            _add(count, status, reason, None, number)
        _add_unplaced(counts, connection, ledger.location, None)
    return sorted(counts.values(), key=lambda item: (item.object, item.resource))


def writes(ledger: Ledger, run: str) -> Counter[tuple[str, str, str]]:
    """Return how many records of each (object, resource) a run created, updated, removed or found gone.

    The trail only grows, so this is true of a run long ago and of one that was killed.
    """
    same = (record.c.location == audit.c.location) & (record.c.object == audit.c.object)
    query = (
        sa.select(audit.c.object, audit.c.source_id, audit.c.status, record.c.resource)
        .outerjoin(record, same & (record.c.source_id == audit.c.source_id))
        .where(audit.c.location == ledger.location, audit.c.run == run, audit.c.status.in_(list(_WRITES)))
        .order_by(audit.c.seq)
    )
    did: dict[tuple[str, str], tuple[str, str]] = {}
    with ledger.transaction() as connection:
        for object_, source_id, status, resource in connection.execute(query):
            if did.get((object_, source_id), ("", ""))[1] != Outcome.CREATED.value:
                did[object_, source_id] = (resource or source_id.partition("/")[0], _WRITES[status])
    return Counter((object_, resource, status) for (object_, _), (resource, status) in did.items())


#: What the trail calls a write -> what it counts as; a rollback *restores* what a run had updated.
_WRITES = {
    "created": "created",
    "updated": "updated",
    "restored": "updated",
    "removed": "removed",
    "removed_with_its_record": "removed",
    "gone_already": "gone",
}
