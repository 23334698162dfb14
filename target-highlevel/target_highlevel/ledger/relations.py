"""Relations: derived from the records that want them, each a record of its own."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from target_highlevel.descriptor import Rank
from target_highlevel.ledger.bulk import batches
from target_highlevel.ledger.rows import Row, Status, row_from
from target_highlevel.ledger.tables import record
from target_highlevel.payload import Payload

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from target_highlevel.descriptor import Incoming
    from target_highlevel.ledger.bulk import Bulk

LAST = "~"  # sorts behind every date


@dataclass
class Chunk:
    """What one transaction is about to write, all under one number."""

    seq: int
    seen: list[str] = field(default_factory=list)
    records: list[dict[str, Any]] = field(default_factory=list)
    dependencies: list[tuple[str, str]] = field(default_factory=list)
    exclusions: list[tuple[str, str]] = field(default_factory=list)
    joins: list[tuple[str, str]] = field(default_factory=list)
    cleared: list[str] = field(default_factory=list)
    #: Records that stood for somebody and do no longer.
    gone: list[str] = field(default_factory=list)
    #: What unchanged records come to of which the ledger does not know it, by their ref.
    money: dict[str, str] = field(default_factory=dict)
    #: Rank and priority of changed records, by their ref.
    turns: dict[str, tuple[int, str]] = field(default_factory=dict)


class Relations:
    """Adds the relation records that main records want to a chunk, and takes back those they no longer want."""

    def __init__(self, bulk: Bulk, run: str) -> None:
        """Work on the rows of one sub-account for one run."""
        self._bulk = bulk
        self._run = run
        self._here = record.c.location == bulk.location

    def derive(self, connection: sa.Connection, items: Sequence[Incoming], chunk: Chunk) -> None:
        """Derive the relation records that the mains want, and have those that are no longer wanted removed."""
        wanted = {item.ref: dict(_relations(item)) for item in items}
        by_ref = {item.ref: item for item in items}
        known: dict[str, Row] = {}
        for some in batches(wanted):
            query = sa.select(record).where(self._here, record.c.origin.in_(some))
            known.update({row["ref"]: row_from(row) for row in connection.execute(query).mappings()})
        states = self._bulk.states(
            connection, {end for ends in wanted.values() for pair in ends.values() for end in pair}
        )
        for origin, ends in wanted.items():
            for ref, pair in ends.items():
                if ref not in known or known[ref].content.absent or known[ref].status == Status.FILTERED:
                    waits = [end for end in pair if not states.get(end, (None, ""))[1]]
                    version = known[ref].version if ref in known else 0
                    chunk.records.append(
                        {
                            **self._relation(by_ref[origin], ref, pair, waits, chunk.turns[origin]),
                            "version": version + 1,
                            "seq": chunk.seq,
                        }
                    )
                    chunk.cleared.append(ref)
                    chunk.dependencies += [(ref, wait) for wait in waits]
        for ref, row in known.items():
            if row.origin and ref not in wanted[row.origin] and row.status != Status.FILTERED:
                chunk.records.append(self._unrelate(row, chunk))
                chunk.cleared.append(ref)

    def _relation(
        self,
        item: Incoming,
        ref: str,
        pair: tuple[str, str],
        waits: Sequence[str],
        turn: tuple[int, str],
    ) -> dict[str, Any]:
        source_id = ref.partition(":")[2]
        fields = {"association": source_id.partition("|")[0], "first": pair[0], "second": pair[1]}
        return {
            "location": self._bulk.location,
            "ref": ref,
            "object": "relation",
            "source_id": source_id,
            "resource": item.resource,
            "stream": item.spec.stream,
            "origin": item.ref,
            "status": (Status.HELD if waits else Status.READY).value,
            "reason": f"waits_for:{waits[0]}" if waits else None,
            "reason_field": None,
            "payload": Payload(fields=fields).json(),
            "digest": None,
            "rank": max(turn[0], Rank.LINKS),
            "priority": turn[1],
            "seen_run": self._run,
        }

    def _unrelate(self, row: Row, chunk: Chunk) -> dict[str, Any]:
        gone = row.hl_id is None and row.intent is None  # one whose create was cut off may be there
        return {
            "location": self._bulk.location,
            "ref": row.ref,
            "status": (Status.FILTERED if gone else Status.READY).value,
            "reason": "no_longer_wanted" if gone else None,
            "payload": Payload(fields=row.fields, absent=True).json(),
            "version": row.version + 1,
            "seq": chunk.seq,
            "seen_run": self._run,
        }


def _relations(item: Incoming) -> Iterable[tuple[str, tuple[str, str]]]:
    """Yield (ref of the relation record, (first, second)) for each wanted relation, ends in the association's order."""
    for key, other in item.relations:
        association = item.spec.association(key)
        if association is None:
            continue
        pair = (item.ref, other) if association.first == item.spec.object else (other, item.ref)
        yield f"relation:{key}|{pair[0]}|{pair[1]}", pair
