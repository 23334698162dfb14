"""Taking mapped records into the ledger, a chunk in one transaction: what changed, what waits, what is new."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from target_highlevel.ledger.rows import Row, Status, row_from
from target_highlevel.ledger.tables import contribution, dependency, exclusion, joined, record
from target_highlevel.values import canonical_json, fingerprint

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from target_highlevel.descriptor import Incoming
    from target_highlevel.ledger.ledger import Ledger

#: SQLite takes at most some ten thousand variables in a statement; stay far below.
_MOST_VARIABLES = 500
#: Why a patient of another location is left out; a booking here brings the patient back.
OTHER_SUB_ACCOUNT = "other_sub_account"
_LAST = "~"  # sorts behind every date


@dataclass
class _Chunk:
    """What one transaction is about to write."""

    seen: list[str] = field(default_factory=list)
    records: list[dict[str, Any]] = field(default_factory=list)
    dependencies: list[tuple[str, str]] = field(default_factory=list)
    exclusions: list[tuple[str, str]] = field(default_factory=list)
    joins: list[tuple[str, str]] = field(default_factory=list)
    cleared: list[str] = field(default_factory=list)


class Intake:
    """Takes chunks of mapped records in; the only writer of what is wanted."""

    def __init__(self, ledger: Ledger, run: str, *, wait_for_relations: bool = False) -> None:
        """Go on counting where the ledger stands, so that a later reception always has a higher number.

        With ``wait_for_relations`` a record waits for all it is related to: where patients are spread over sub-accounts, an
        invoice must not arrive in one that does not get its patient.
        """
        self._wait_for_relations = wait_for_relations
        self._ledger = ledger
        self._run = run
        self._here = record.c.location == ledger.location
        with ledger.transaction() as connection:
            self.seq: int = connection.execute(sa.select(sa.func.max(record.c.seq)).where(self._here)).scalar() or 0

    def take(self, chunk: Sequence[Incoming]) -> None:
        """Make a chunk durable: afterwards every record of it is unchanged, ready, held, filtered or rejected."""
        mains = {item.ref: item for item in chunk if item.part is None}
        parts = {(item.ref, item.part): item for item in chunk if item.part is not None}
        with self._ledger.transaction() as connection:
            self._contribute(connection, list(parts.values()))
            self._mains(connection, mains)

    # Partial records

    def _contribute(self, connection: sa.Connection, parts: Sequence[Incoming]) -> None:
        gone = {str(item.part) for item in parts if item.filtered}
        given = [item for item in parts if not item.filtered]
        moved = self._withdraw(connection, gone, given)
        known = self._known_contributions(connection, {item.ref for item in given})
        changed = [item for item in given if known.get((item.ref, str(item.part))) != canonical_json(dict(item.fields))]
        here = self._ledger.location
        rows = [
            {"location": here, "target": item.ref, "part": item.part, "fields": canonical_json(dict(item.fields))}
            for item in changed
        ]
        if rows:
            keys = [{"t": row["target"], "p": row["part"], "l": here} for row in rows]
            before = contribution.delete().where(
                contribution.c.location == sa.bindparam("l"),
                contribution.c.target == sa.bindparam("t"),
                contribution.c.part == sa.bindparam("p"),
            )
            connection.execute(before, keys)
            connection.execute(contribution.insert(), rows)
        if rows or moved:
            self._touch(connection, {item.ref for item in changed} | moved)

    def _withdraw(self, connection: sa.Connection, gone: set[str], given: Sequence[Incoming]) -> set[str]:
        """Take back what contributors that are gone gave, and what others gave to another record of the kind before.

        An appointment moved to another patient no longer says anything of the first one.
        """
        now = {(str(item.part), item.spec.object): item.source_id for item in given}
        parts = gone | {part for part, _ in now}
        touched: set[str] = set()
        for some in _batches(parts):
            mine = (contribution.c.location == self._ledger.location) & contribution.c.part.in_(some)
            for target, part in connection.execute(sa.select(contribution.c.target, contribution.c.part).where(mine)).all():
                object_, _, source_id = target.partition(":")
                if part in gone or now.get((part, object_), source_id) != source_id:
                    one = (contribution.c.target == target) & (contribution.c.part == part)
                    connection.execute(contribution.delete().where(contribution.c.location == self._ledger.location, one))
                    touched.add(target)
        return touched

    def _known_contributions(self, connection: sa.Connection, targets: set[str]) -> dict[tuple[str, str], str]:
        found: dict[tuple[str, str], str] = {}
        for some in _batches(targets):
            query = sa.select(contribution).where(
                contribution.c.location == self._ledger.location, contribution.c.target.in_(some)
            )
            found.update({(row.target, row.part): row.fields for row in connection.execute(query)})
        return found

    def _touch(self, connection: sa.Connection, targets: set[str]) -> None:
        """Have every record that folds these keys written again, and release those that waited for them."""
        refs = set(targets)
        for some in _batches(targets):
            query = sa.select(joined.c.child).where(joined.c.location == self._ledger.location, joined.c.target.in_(some))
            refs.update(connection.execute(query).scalars())
        self.seq += 1
        for some in _batches(refs):
            # A record found in HighLevel (lost ledger) has no digest until it is received: by then all partials are here.
            again = record.update().where(
                self._here,
                record.c.ref.in_(some),
                (record.c.status == Status.DONE.value) | (record.c.reason == OTHER_SUB_ACCOUNT),
                record.c.digest.is_not(None),
            )
            connection.execute(
                again.values(status=Status.READY.value, version=record.c.version + 1, seq=self.seq, seen_run=self._run)
            )
            pending = record.update().where(
                self._here, record.c.ref.in_(some), record.c.status.in_([Status.READY.value, Status.HELD.value])
            )
            connection.execute(pending.values(version=record.c.version + 1))
        release(connection, self._ledger.location, {f"join:{target}" for target in targets})

    # Main records

    def _mains(self, connection: sa.Connection, mains: dict[str, Incoming]) -> None:
        digests = self._digests(connection, mains)
        chunk = _Chunk()
        changed: dict[str, str] = {}
        for ref, item in mains.items():
            digest = fingerprint(item.digest_source(), self._ledger.salt)
            if digests.get(ref) == digest:
                chunk.seen.append(ref)
            else:
                changed[ref] = digest
        if changed:
            existing = self._rows(connection, changed)
            fresh = [(mains[ref], existing.get(ref), digest) for ref, digest in changed.items()]
            self._changed(connection, fresh, mains, chunk)
        self._write(connection, chunk)

    def _changed(
        self,
        connection: sa.Connection,
        fresh: Sequence[tuple[Incoming, Row | None, str]],
        mains: dict[str, Incoming],
        chunk: _Chunk,
    ) -> None:
        items = [item for item, _, _ in fresh]
        states = self._states(connection, {ref for item in items for ref in [*self._needs(item), *item.unless]})
        arriving = {ref for ref, item in mains.items() if _stands(item)}
        contributed = self._contributed(connection, {target for item in items for target in _join_targets(item)})
        wanted: dict[str, dict[str, tuple[str, str]]] = {}
        for item, row, digest in fresh:
            self.seq += 1
            waits = [ref for ref in self._needs(item) if not states.get(ref, (None, ""))[1]]
            waits += [f"join:{target}" for target in _join_targets(item) if target not in contributed]
            beside = any(ref in arriving or states.get(ref, ("", None))[0] in _STANDING for ref in item.unless)
            status, reason = _status(item, row, waits=waits, beside=beside)
            chunk.records.append(self._record(item, row, digest, status, reason))
            chunk.cleared.append(item.ref)
            if status == Status.HELD:
                chunk.dependencies += [(item.ref, ref) for ref in waits]
            chunk.exclusions += [(item.ref, ref) for ref in item.unless]
            chunk.joins += [(item.ref, target) for target in _join_targets(item)]
            if status in {Status.READY, Status.HELD} and item.spec.associations and item.spec.kind != "relation":
                wanted[item.ref] = dict(_relations(item))
        self._excluded(connection, arriving)
        self._relate(connection, wanted, {item.ref: item for item in items}, chunk)

    def _needs(self, item: Incoming) -> list[str]:
        related = [ref for _, ref in item.relations] if self._wait_for_relations else []
        return [*_needs(item), *related]

    def _record(
        self, item: Incoming, row: Row | None, digest: str, status: Status, reason: tuple[str | None, str | None]
    ) -> dict[str, Any]:
        known = {"hl_id": item.resolved[0]} if item.resolved else {}
        return {
            **known,
            "location": self._ledger.location,
            "ref": item.ref,
            "object": item.spec.object,
            "source_id": item.source_id,
            "resource": item.resource,
            "stream": item.spec.stream,
            "status": status.value,
            "reason": reason[0],
            "reason_field": reason[1],
            "payload": None if item.resolved or item.rejected else canonical_json(item.payload()),
            "digest": digest,
            "version": (row.version if row else 0) + 1,
            "seq": self.seq,
            "rank": item.spec.rank,
            "priority": item.priority or _LAST,
            "seen_run": self._run,
        }

    def _relate(
        self,
        connection: sa.Connection,
        wanted: dict[str, dict[str, tuple[str, str]]],
        items: dict[str, Incoming],
        chunk: _Chunk,
    ) -> None:
        """Derive the relation records that the mains want, and have those that are no longer wanted removed."""
        known: dict[str, Row] = {}
        for some in _batches(wanted):
            query = sa.select(record).where(self._here, record.c.origin.in_(some))
            known.update({row["ref"]: row_from(row) for row in connection.execute(query).mappings()})
        states = self._states(connection, {end for ends in wanted.values() for pair in ends.values() for end in pair})
        for origin, ends in wanted.items():
            for ref, pair in ends.items():
                if ref not in known or (known[ref].payload or {}).get("absent") or known[ref].status == Status.FILTERED:
                    waits = [end for end in pair if not states.get(end, (None, ""))[1]]
                    self._relation(items[origin], ref, pair, known.get(ref), waits, chunk)
        for ref, row in known.items():
            if row.origin and ref not in wanted[row.origin] and row.status != Status.FILTERED:
                chunk.records.append(self._unrelate(row))
                chunk.cleared.append(ref)

    def _relation(
        self, item: Incoming, ref: str, pair: tuple[str, str], row: Row | None, waits: list[str], chunk: _Chunk
    ) -> None:
        self.seq += 1
        source_id = ref.partition(":")[2]
        fields = {"association": source_id.partition("|")[0], "first": pair[0], "second": pair[1]}
        chunk.records.append(
            {
                "location": self._ledger.location,
                "ref": ref,
                "object": "relation",
                "source_id": source_id,
                "resource": item.resource,
                "stream": item.spec.stream,
                "origin": item.ref,
                "status": (Status.HELD if waits else Status.READY).value,
                "reason": f"waits_for:{waits[0]}" if waits else None,
                "reason_field": None,
                "payload": canonical_json({"fields": fields}),
                "digest": None,
                "version": (row.version if row else 0) + 1,
                "seq": self.seq,
                "rank": 3,
                "priority": item.priority or _LAST,
                "seen_run": self._run,
            }
        )
        chunk.cleared.append(ref)
        chunk.dependencies += [(ref, wait) for wait in waits]

    def _unrelate(self, row: Row) -> dict[str, Any]:
        self.seq += 1
        gone = row.hl_id is None
        return {
            "location": self._ledger.location,
            "ref": row.ref,
            "status": (Status.FILTERED if gone else Status.READY).value,
            "reason": "no_longer_wanted" if gone else None,
            "payload": canonical_json({"fields": {}, "absent": True}),
            "version": row.version + 1,
            "seq": self.seq,
            "seen_run": self._run,
        }

    # Reading and writing in bulk

    def _rows(self, connection: sa.Connection, refs: Iterable[str]) -> dict[str, Row]:
        found: dict[str, Row] = {}
        for some in _batches(refs):
            query = sa.select(record).where(self._here, record.c.ref.in_(some))
            found.update({row["ref"]: row_from(row) for row in connection.execute(query).mappings()})
        return found

    def _digests(self, connection: sa.Connection, refs: Iterable[str]) -> dict[str, str | None]:
        found: dict[str, str | None] = {}
        for some in _batches(refs):
            query = sa.select(record.c.ref, record.c.digest).where(self._here, record.c.ref.in_(some))
            found.update({row.ref: row.digest for row in connection.execute(query)})
        return found

    def _states(self, connection: sa.Connection, refs: set[str]) -> dict[str, tuple[str, str | None]]:
        """Return (status, HighLevel id) of each of these records that the ledger knows."""
        found: dict[str, tuple[str, str | None]] = {}
        for some in _batches(refs):
            query = sa.select(record.c.ref, record.c.status, record.c.hl_id).where(self._here, record.c.ref.in_(some))
            found.update({row.ref: (row.status, row.hl_id) for row in connection.execute(query)})
        return found

    def _contributed(self, connection: sa.Connection, targets: set[str]) -> set[str]:
        found: set[str] = set()
        for some in _batches(targets):
            query = sa.select(contribution.c.target).where(
                contribution.c.location == self._ledger.location, contribution.c.target.in_(some)
            )
            found.update(connection.execute(query).scalars())
        return found

    def _excluded(self, connection: sa.Connection, arriving: set[str]) -> None:
        """Filter records that waited and now turn out to stand beside another one."""
        for some in _batches(arriving):
            query = sa.select(exclusion.c.child).where(
                exclusion.c.location == self._ledger.location, exclusion.c.other.in_(some)
            )
            children = list(connection.execute(query).scalars())
            for few in _batches(children):
                connection.execute(
                    record.update()
                    .where(self._here, record.c.ref.in_(few), record.c.status == Status.HELD.value)
                    .values(status=Status.FILTERED.value, reason="beside_another", version=record.c.version + 1)
                )

    def _write(self, connection: sa.Connection, chunk: _Chunk) -> None:
        for some in _batches(chunk.seen):
            # With the relations that a record wants. Two statements: with an OR, SQLite would scan the whole ledger.
            for column in (record.c.ref, record.c.origin):
                connection.execute(record.update().where(self._here, column.in_(some)).values(seen_run=self._run))
        self._upsert(connection, chunk.records)
        here = self._ledger.location
        for table in (dependency, exclusion, joined):
            for some in _batches(chunk.cleared):
                connection.execute(table.delete().where(table.c.location == here, table.c.child.in_(some)))
        for table, column, pairs in (
            (dependency, "parent", chunk.dependencies),
            (exclusion, "other", chunk.exclusions),
            (joined, "target", chunk.joins),
        ):
            if pairs:
                rows = [{"location": here, "child": child, column: other} for child, other in dict.fromkeys(pairs)]
                connection.execute(table.insert(), rows)

    def _upsert(self, connection: sa.Connection, records: list[dict[str, Any]]) -> None:
        known = self._states(connection, {row["ref"] for row in records})
        changes: dict[tuple[str, ...], list[dict[str, Any]]] = {}
        fresh = {}
        for row in records:
            if row["ref"] in known:
                changes.setdefault(tuple(row), []).append({f"b_{name}": value for name, value in row.items()})
            else:
                fresh[row["ref"]] = row
        for names, rows in changes.items():
            values = {name: sa.bindparam(f"b_{name}") for name in names if name not in {"location", "ref"}}
            key = (record.c.location == sa.bindparam("b_location")) & (record.c.ref == sa.bindparam("b_ref"))
            connection.execute(record.update().where(key).values(**values), rows)
        if fresh:
            connection.execute(record.insert(), [_complete(row) for row in fresh.values()])


#: Statuses in which another record counts as standing there.
_STANDING = {Status.READY.value, Status.HELD.value, Status.DONE.value}


def release(connection: sa.Connection, location: str, parents: Iterable[str]) -> None:
    """Make ready whatever waited for these parents and waits for nothing else."""
    for some in _batches(parents):
        waiting = (dependency.c.location == location) & dependency.c.parent.in_(some)
        children = list(connection.execute(sa.select(dependency.c.child).where(waiting).distinct()).scalars())
        connection.execute(dependency.delete().where(waiting))
        still = sa.select(dependency.c.child).where(dependency.c.location == location, dependency.c.child == record.c.ref)
        for few in _batches(children):
            connection.execute(
                record.update()
                .where(
                    record.c.location == location,
                    record.c.ref.in_(few),
                    record.c.status == Status.HELD.value,
                    ~still.exists(),
                )
                .values(status=Status.READY.value, reason=None)
            )


def _complete(row: dict[str, Any]) -> dict[str, Any]:
    return {"origin": None, "listed": "", "hl_id": None, **row}


def _status(
    item: Incoming, row: Row | None, *, waits: list[str], beside: bool
) -> tuple[Status, tuple[str | None, str | None]]:
    written = row is not None and row.hl_id is not None
    if item.resolved is not None:
        return (Status.DONE if item.resolved[0] else Status.FILTERED), (item.resolved[1], None)
    if item.rejected:
        return Status.REJECTED, (item.rejected.get("reason", "mapping_error"), item.rejected.get("field"))
    if item.filtered and not (written and item.fields):
        return Status.FILTERED, (item.filtered, None)
    if beside and not written:
        return Status.FILTERED, ("beside_another", None)
    if waits:
        return Status.HELD, (f"waits_for:{waits[0]}", None)
    return Status.READY, (None, None)


def _stands(item: Incoming) -> bool:
    if item.resolved is not None:
        return item.resolved[0] is not None
    return not item.filtered and not item.rejected


def _needs(item: Incoming) -> list[str]:
    """Return the refs that must be in HighLevel before this record can be sent."""
    needs = [f"contact:{item.contact}"] if item.contact else []
    if item.spec.kind == "relation":
        needs += [item.fields[end] for end in ("first", "second") if item.fields.get(end)]
    return needs


def _join_targets(item: Incoming) -> list[str]:
    return [f"{item.spec.object}:{key}" for key in item.joins]


def _relations(item: Incoming) -> Iterable[tuple[str, tuple[str, str]]]:
    """Yield (ref of the relation record, (first, second)) for each wanted relation, ends in the association's order."""
    for key, other in item.relations:
        association = item.spec.association(key)
        if association is None:
            continue
        pair = (item.ref, other) if association.first == item.spec.object else (other, item.ref)
        yield f"relation:{key}|{pair[0]}|{pair[1]}", pair


def _batches(values: Iterable[str]) -> Iterable[list[str]]:
    ordered = sorted(values)
    for start in range(0, len(ordered), _MOST_VARIABLES):
        yield ordered[start : start + _MOST_VARIABLES]
