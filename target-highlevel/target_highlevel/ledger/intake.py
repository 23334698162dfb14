"""Taking mapped records into the ledger, a chunk in one transaction: what changed, what waits, what is new."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from target_highlevel.ledger.bulk import AFTER, BESIDE, FOLLOWS, Bulk, batches, release, requeue_naming
from target_highlevel.ledger.claims import EVERYBODY, Claims
from target_highlevel.ledger.partials import OWNER_OF, Partials
from target_highlevel.ledger.relations import Chunk, Relations
from target_highlevel.ledger.rows import Row, Status
from target_highlevel.ledger.tables import dependency, exclusion, joined, record
from target_highlevel.ledger.turns import Turns
from target_highlevel.payload import Payload
from target_highlevel.values import canonical_json

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from collections.abc import Set as AbstractSet

    from target_highlevel.descriptor import Incoming
    from target_highlevel.ledger.ledger import Ledger


class Intake:
    """Takes chunks of mapped records in; the only writer of what is wanted."""

    def __init__(self, ledger: Ledger, run: str, *, wait_for_relations: bool = False) -> None:
        """Go on counting where the ledger stands, so that a later reception always has a higher number.

        With ``wait_for_relations`` a record of a custom object waits for all it is related to: where patients are spread over
        sub-accounts, a profile must not arrive in one that does not get its patient, nor an item without its invoice.
        """
        self._wait_for_relations = wait_for_relations
        #: How many of the records taken in changed and wait for another one.
        self.held = 0
        self._ledger = ledger
        self._run = run
        self._here = record.c.location == ledger.location
        self._bulk = Bulk(ledger.location)
        self._partials = Partials(ledger.location, run)
        self._relations = Relations(self._bulk, run)
        self._claims = Claims(ledger, run)
        self._turns = Turns(ledger)
        with ledger.transaction() as connection:
            self.seq: int = (
                connection.execute(sa.select(sa.func.max(record.c.seq)).where(self._here)).scalar() or 0
            )

    def take(self, chunk: Sequence[Incoming]) -> None:
        """Make a chunk durable: afterwards every record of it is unchanged, ready, held, filtered or rejected."""
        mains = {item.ref: item for item in chunk if item.part is None}
        parts = {(item.spec.object, item.part): item for item in chunk if item.part is not None}
        with self._ledger.transaction() as connection:
            self.seq += 1
            self._partials.take(connection, list(parts.values()), self.seq)
            self._mains(connection, mains)

    # Main records

    def _mains(self, connection: sa.Connection, mains: dict[str, Incoming]) -> None:
        known = self._bulk.known(connection, mains)
        chunk = Chunk(self.seq)
        changed: dict[str, str] = {}
        for ref, item in mains.items():
            digest = item.digest(self._ledger.salt)
            before, money = known.get(ref, (None, None))
            if before != digest:
                changed[ref] = digest
                continue
            chunk.seen.append(ref)
            if item.money and money is None:  # a ledger of an earlier version did not keep it
                chunk.money[ref] = canonical_json(item.money)
        if changed:
            existing = self._bulk.rows(connection, changed)
            fresh = [(mains[ref], existing.get(ref), digest) for ref, digest in changed.items()]
            self._changed(connection, fresh, mains, chunk)
            self._partials.keep_own(connection, [item for item, _, _ in fresh])
            self._partials.note_rejects(item.ref for item, _, _ in fresh if item.rejected)
        self._write(connection, chunk)

    def _changed(
        self,
        connection: sa.Connection,
        fresh: Sequence[tuple[Incoming, Row | None, str]],
        mains: dict[str, Incoming],
        chunk: Chunk,
    ) -> None:
        items = [item for item, _, _ in fresh]
        states = self._bulk.states(
            connection, {ref for item in items for ref in [*self._needs(item), *item.unless, *item.after]}
        )
        coming = {item.ref for item in items if _stands(item)}
        arriving = {ref for ref, item in mains.items() if _stands(item)}
        contributed = self._bulk.contributed(
            connection, {target for item in items for target in _join_targets(item)}
        )
        undecided = self._claims.take(connection, items)
        chunk.turns = self._turns.of(connection, items)
        relating: list[Incoming] = []
        for item, row, digest in fresh:
            # what must not be there needs nothing: it would wait for ever for people who never come, such as merged ones
            needs = [] if item.absent and not (row and row.intent) else self._needs(item)
            waits = [ref for ref in needs if not states.get(ref, (None, ""))[1]]
            waits += [f"join:{target}" for target in _join_targets(item) if target not in contributed]
            waits += [EVERYBODY] if item.ref in undecided else []
            waits += [f"{AFTER}{ref}" for ref in item.after if _is_pending(ref, states, coming)]
            beside = any(
                ref in arriving or states.get(ref, ("", None))[0] in _STANDING for ref in item.unless
            )
            status, reason = _status(item, row, waits=waits, beside=beside)
            if item.resolved and row and row.hl_id != item.resolved[0]:
                requeue_naming(connection, self._ledger.location, item.ref, self._run)
                chunk.gone += [] if item.resolved[0] else [item.ref]
            chunk.records.append(self._record(item, row, digest, status, reason, chunk.turns[item.ref]))
            chunk.cleared.append(item.ref)
            if status == Status.HELD:
                self.held += waits != [EVERYBODY]
                chunk.dependencies += [(item.ref, ref) for ref in waits]
            chunk.exclusions += [(item.ref, ref) for ref in item.unless]
            chunk.joins += [(item.ref, target) for target in _join_targets(item)]
            if item.owner_of:
                chunk.joins.append((item.ref, f"{OWNER_OF}{item.owner_of}"))
            if item.follows:
                chunk.joins.append((item.ref, f"{FOLLOWS}{item.follows}"))
            if status in {Status.READY, Status.HELD} and not item.filtered and item.spec.kind != "relation":
                relating.append(item)
        self._bulk.excluded(connection, arriving)
        self._relations.derive(connection, [item for item in relating if item.spec.associations], chunk)

    def _needs(self, item: Incoming) -> list[str]:
        waits = self._wait_for_relations and item.spec.kind == "custom_object"
        return [*_needs(item), *(ref for _, ref in item.relations if waits)]

    def _record(
        self,
        item: Incoming,
        row: Row | None,
        digest: str,
        status: Status,
        reason: tuple[str | None, str | None],
        turn: tuple[int, str],
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
            "payload": None if item.resolved or item.rejected else _kept(item, status).json(),
            "digest": digest,
            "version": (row.version if row else 0) + 1,
            "seq": self.seq,
            "rank": turn[0],
            "priority": turn[1],
            "seen_run": self._run,
            "money": canonical_json(item.money) if item.money else None,
        }

    def _write(self, connection: sa.Connection, chunk: Chunk) -> None:
        self._bulk.see(connection, chunk.seen, self._run)
        if chunk.money:
            unknown = record.update().where(self._here, record.c.ref == sa.bindparam("b_ref"))
            known = [{"b_ref": ref, "b_money": money} for ref, money in chunk.money.items()]
            connection.execute(unknown.values(money=sa.bindparam("b_money")), known)
        self._bulk.upsert(connection, chunk.records)
        self._bulk.readmit(connection, chunk.gone, self._run)
        here = self._ledger.location
        for table, column, pairs in (
            (dependency, "parent", chunk.dependencies),
            (exclusion, "other", chunk.exclusions),
            (joined, "target", chunk.joins),
        ):
            for some in batches(chunk.cleared):
                connection.execute(table.delete().where(table.c.location == here, table.c.child.in_(some)))
            if pairs:
                rows = [
                    {"location": here, "child": child, column: other} for child, other in dict.fromkeys(pairs)
                ]
                connection.execute(table.insert(), rows)
        # nobody writes these, so nobody else would say that they are waited for in vain
        settled = [f"{AFTER}{row['ref']}" for row in chunk.records if row["status"] not in _PENDING]
        release(connection, here, settled)


#: Why a contact is held that wants an address which others may want too.
UNDECIDED = "addresses_undecided"
#: Statuses in which another record counts as standing there.
_STANDING = {Status.READY.value, Status.HELD.value, Status.DONE.value}
_PENDING = {Status.READY.value, Status.HELD.value}


def _status(
    item: Incoming, row: Row | None, *, waits: list[str], beside: bool
) -> tuple[Status, tuple[str | None, str | None]]:
    # of one that was begun nobody knows yet whether it is there
    written = row is not None and (row.hl_id is not None or row.intent is not None)
    if item.resolved is not None:
        return (Status.DONE if item.resolved[0] else Status.FILTERED), (item.resolved[1], None)
    if item.rejected:
        return Status.REJECTED, (item.rejected.get("reason", "mapping_error"), item.rejected.get("field"))
    if item.filtered and not (written and item.fields):
        return Status.FILTERED, (item.filtered, None)
    if beside and not written:
        return Status.FILTERED, (BESIDE, None)
    if waits:
        return Status.HELD, (UNDECIDED if waits[0] == EVERYBODY else f"waits_for:{waits[0]}", None)
    return Status.READY, (None, None)


def _kept(item: Incoming, status: Status) -> Payload:
    """Return what is kept of a record until it is written: of one that is left out nothing but its tags.

    A lost ledger may turn out to have made it; then its tags say that it is left out.
    """
    if not (item.filtered and status == Status.FILTERED):
        return item.payload()
    tags = {
        name: item.fields[name]
        for name, field in item.spec.fields.items()
        if field.kind == "tags" and name in item.fields
    }
    return Payload(contact=item.contact, filtered=item.filtered, fields=tags)


def _stands(item: Incoming) -> bool:
    if item.resolved is not None:
        return item.resolved[0] is not None
    return not item.filtered and not item.rejected


def _needs(item: Incoming) -> list[str]:
    """Return the refs that must be in HighLevel before this record can be sent."""
    needs = [*item.needs, *([f"contact:{item.contact}"] if item.contact else [])]
    if item.spec.kind == "relation":
        needs += [item.fields[end] for end in ("first", "second") if item.fields.get(end)]
    return needs


def _is_pending(ref: str, states: Mapping[str, tuple[str, str | None]], coming: AbstractSet[str]) -> bool:
    """Return whether a record will be written that is not in HighLevel yet."""
    status, hl_id = states.get(ref, ("", None))
    return not hl_id and (ref in coming or status in _PENDING)


def _join_targets(item: Incoming) -> list[str]:
    return [f"{item.spec.object}:{key}" for key in item.joins]
