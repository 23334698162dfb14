"""What a run did, counted from the ledger."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from itertools import groupby
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from target_highlevel.ledger.partials import LEFT_OUT_ALONG
from target_highlevel.ledger.repair import TO_BE_COMPARED
from target_highlevel.ledger.rows import Notes, Outcome, Status
from target_highlevel.ledger.scratch import COPIED_AT
from target_highlevel.ledger.tables import audit, record, run
from target_highlevel.ledger.unplaced import UNDONE, unplaced
from target_highlevel.payload import Payload
from target_highlevel.withheld import tags

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from target_highlevel.ledger.ledger import Ledger


#: Behind the source id of a further part of a long text: ``treatment_notes/5#2``.
PART = "#"
FURTHER_PART = (record.c.object == "note") & record.c.source_id.contains(PART)
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


def _mine(ledger: Ledger, run: str | None) -> sa.ColumnElement[bool]:
    """Return the records a run answers for: those it received, and those earlier runs left open; without a run all."""
    here = (record.c.location == ledger.location) & (record.c.stream != "")
    if run is None:
        return here
    open_ = record.c.status.in_([Status.HELD.value, Status.READY.value, Status.REJECTED.value])
    return here & ((record.c.seen_run == run) | open_)


def _add(count: ObjectCount, status: str, reason: str | None, did: str | None, number: int) -> None:
    column = _standing(status, reason) or (did or Outcome.UNCHANGED.value)
    if hasattr(count, column):
        setattr(count, column, getattr(count, column) + number)
    if status in _STATUS:
        count.reasons.setdefault(column, Counter())[_code(reason, column)] += number


def _standing(status: str, reason: str | None) -> str | None:
    """Return under which heading an unwritten record counts; what waits for a patient who is left out waits for nobody."""
    return "filtered" if reason in LEFT_OUT_ALONG else _STATUS.get(status)


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
        yield from connection.execute(query).tuples()


def remarks(ledger: Ledger, run: str | None) -> dict[str, Any]:
    """Return what the report must mention of records of a run, by record and field.

    A withheld address and a value that HighLevel did not take whole are listed as long as that is so; a conflict by the run
    that met it. Without a run, of every record.
    """
    notes_of = ("withheld", "shortened", "conflicts")
    told = sa.or_(*(record.c.notes.contains(f'"{name}"') for name in notes_of))  # most notes say none of it
    query = (
        sa.select(record.c.outcome_run, record.c.source_id, record.c.notes)
        .where(
            record.c.location == ledger.location, told, sa.true() if run is None else record.c.seen_run == run
        )
        .order_by(record.c.object, record.c.source_id)
    )
    withheld: list[dict[str, Any]] = []
    not_taken: list[dict[str, Any]] = []
    conflicts: list[dict[str, Any]] = []
    with ledger.transaction() as connection:
        for settled_in, source_id, notes in connection.execute(query):
            said = Notes.from_json(notes)
            for name, why in said.withheld.items():
                told_of = withheld if tags({name: why}) else not_taken
                because = why if tags({name: why}) else "left_out"
                told_of.append({"source": source_id, "field": name, "because": because})
            not_taken += [{"source": source_id, "field": name, "because": "cut"} for name in said.shortened]
            met = said.conflicts if run in {None, settled_in} else ()
            conflicts += [{"source": source_id, "field": name} for name in met]
    return {"withheld": withheld, "not_taken": not_taken, "conflicts": conflicts}


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


def unsettled_records(ledger: Ledger, run: str | None) -> Iterator[Unsettled]:
    """Yield every record of a run, or of all, that is held, rejected or filtered, in the order of source ids."""
    yield from _unsettled(ledger, run, _STATUS)
    with ledger.transaction() as connection:
        for item in unplaced(connection, ledger.location, run):
            outcome = str(_standing(item.status, item.reason))
            reason = _code(item.reason, outcome)
            yield Unsettled(outcome, reason, "", item.object, item.resource, item.source_id)


def rejected_records(ledger: Ledger, run: str | None) -> Iterator[Unsettled]:
    """Yield those of them that are rejected: an index leads to these, whatever the size of the clinic."""
    rejected = _unsettled(ledger, run, [Status.REJECTED.value])
    return (item for item in rejected if item.outcome == "rejected")


def _unsettled(ledger: Ledger, run: str | None, statuses: Iterable[str]) -> Iterator[Unsettled]:
    columns = [
        record.c[name] for name in ("status", "reason", "reason_field", "object", "resource", "source_id")
    ]
    payload = sa.case((record.c.status == Status.REJECTED.value, record.c.payload), else_=None)
    query = (
        sa.select(*columns, payload.label("payload"))
        .where(_mine(ledger, run), record.c.status.in_(list(statuses)))
        .order_by(record.c.source_id, record.c.object)
        .execution_options(yield_per=_AT_ONCE)
    )
    with ledger.transaction() as connection:
        for row in connection.execute(query):
            outcome = str(_standing(row.status, row.reason))
            reason = _code(row.reason, outcome)
            contact = Payload.from_json(row.payload or "{}").contact or ""
            named = (row.reason_field or "", row.object, row.resource, row.source_id)
            yield Unsettled(outcome, reason, *named, contact)


def practitioners(ledger: Ledger) -> list[tuple[str, str | None, str]]:
    """Return (source id, id of the matching HighLevel user or None, reason why there is none) of every practitioner."""
    return _practitioners(ledger, sa.true())


#: Why a practitioner has no user and needs none.
_HAS_LEFT = "inactive"


def practitioners_without_user(ledger: Ledger) -> list[tuple[str, str]]:
    """Return (source id, reason) of every practitioner at work whom no HighLevel user matches, but for those who were refused."""
    return [(source_id, reason) for source_id, reason in _contacts_instead(ledger) if reason != _HAS_LEFT]


def practitioners_left(ledger: Ledger) -> list[tuple[str, str]]:
    """Return (source id, reason) of every practitioner who has left the clinic, and needs no user."""
    return [(source_id, reason) for source_id, reason in _contacts_instead(ledger) if reason == _HAS_LEFT]


def _contacts_instead(ledger: Ledger) -> list[tuple[str, str]]:
    taken = record.c.status != Status.REJECTED.value
    return [(source_id, reason) for source_id, user, reason in _practitioners(ledger, taken) if user is None]


def _practitioners(ledger: Ledger, which: sa.ColumnElement[bool]) -> list[tuple[str, str | None, str]]:
    query = (
        sa.select(record.c.source_id, record.c.hl_id, record.c.reason)
        .where(record.c.location == ledger.location, record.c.object == "user", which)
        .order_by(record.c.source_id)
    )
    with ledger.transaction() as connection:
        return [(row.source_id, row.hl_id, row.reason or "no_user") for row in connection.execute(query)]


def unmapped_records(ledger: Ledger) -> int:
    """Return how many refused records `retry` can never send: the mapping could make nothing of them."""
    nothing = (record.c.status == Status.REJECTED.value) & record.c.payload.is_(None)
    query = sa.select(sa.func.count()).select_from(record).where(_mine(ledger, None), nothing)
    with ledger.transaction() as connection:
        return connection.execute(query).scalar_one()


def undone_records(ledger: Ledger) -> int:
    """Return how many records a rollback took out of HighLevel, or were missed there, and have not been read again since.

    A long note is one record of Cliniko's, and comes again as one, however many notes it takes.
    """
    return _left_out_for(ledger, UNDONE)


def records_to_compare(ledger: Ledger) -> int:
    """Return how many records a ledger from a backup has not compared with HighLevel yet."""
    return _left_out_for(ledger, {TO_BE_COMPARED})


def _left_out_for(ledger: Ledger, reasons: Collection[str]) -> int:
    waits = (record.c.status == Status.FILTERED.value) & record.c.reason.in_(sorted(reasons)) & ~FURTHER_PART
    query = sa.select(sa.func.count()).where(
        record.c.location == ledger.location, record.c.stream != "", waits
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


def writes(ledger: Ledger, run: str, *, whole: bool = False) -> Counter[tuple[str, str, str]]:
    """Return how many records of each (object, resource) a run created, updated, removed or found gone.

    The trail only grows, so this is true of a run long ago and of one that was killed. Counted ``whole``, the further parts of
    a long text belong to its first: a part that is new is a change of it.
    """
    return _writes(ledger, audit.c.run == run, whole=whole).get(run, Counter())


def writes_since(
    ledger: Ledger, number: int, *, whole: bool = False
) -> dict[str, Counter[tuple[str, str, str]]]:
    """Return the same of every run that has written anything, from this number on."""
    later = sa.select(run.c.id).where(run.c.location == ledger.location, run.c.number >= number)
    return _writes(ledger, audit.c.run.in_(later), whole=whole)


def _writes(
    ledger: Ledger, chosen: sa.ColumnElement[bool], *, whole: bool
) -> dict[str, Counter[tuple[str, str, str]]]:
    same = (record.c.location == audit.c.location) & (
        record.c.ref == audit.c.object + ":" + audit.c.source_id
    )
    query = (
        sa.select(audit.c.run, audit.c.object, audit.c.source_id, audit.c.status, record.c.resource)
        .outerjoin(record, same)
        .where(audit.c.location == ledger.location, chosen, audit.c.status.in_(list(_WRITES)))
        .order_by(audit.c.run, audit.c.seq)
        .execution_options(yield_per=_AT_ONCE)
    )
    found: dict[str, Counter[tuple[str, str, str]]] = {}
    with ledger.transaction() as connection:
        for of, entries in groupby(connection.execute(query), key=lambda entry: entry.run):
            did: dict[tuple[str, str], tuple[str, str]] = {}
            for _, object_, written, status, resource in entries:
                source_id = written.partition(PART)[0] if whole and object_ == "note" else written
                if source_id != written:
                    named = resource or source_id.partition("/")[0]
                    did.setdefault((object_, source_id), (named, Outcome.UPDATED.value))
                elif did.get((object_, source_id), ("", ""))[1] != Outcome.CREATED.value:
                    did[object_, source_id] = (resource or source_id.partition("/")[0], _WRITES[status])
            found[of] = Counter(
                (object_, resource, status) for (object_, _), (resource, status) in did.items()
            )
    return found


def wrote_since(ledger: Ledger, verification: Mapping[str, Any]) -> list[str]:
    """Return the runs that have written since a verification looked at the ledger, the one that wrote last at the end.

    A run may have gone on beside it: what counts is how far the audit trail went when the verification copied the ledger. One
    of an earlier version has not noted that; of it only the runs are known that began later.
    """
    copied_at = verification["facts"].get(COPIED_AT)
    later = sa.select(run.c.id).where(
        run.c.location == ledger.location, run.c.number > verification["number"]
    )
    since = audit.c.run.in_(later) if copied_at is None else audit.c.seq > copied_at
    query = (
        sa.select(audit.c.run)
        .where(audit.c.location == ledger.location, since, audit.c.status.in_(list(_WRITES)))
        .order_by(audit.c.seq.desc())
    )
    with ledger.transaction() as connection:
        return list(dict.fromkeys(connection.execute(query).scalars()))[::-1]


#: What the trail calls a write -> what it counts as; a rollback *restores* what a run had updated.
_WRITES = {
    "created": "created",
    "updated": "updated",
    "restored": "updated",
    "removed": "removed",
    "removed_with_its_record": "removed",
    "gone_already": "gone",
}
