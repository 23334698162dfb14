"""What records contribute to others that are not in HighLevel: the medical alert of a patient who was left out, say.

Such a contribution is no record of its own. It is counted and listed like one all the same: what is missing is named.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import sqlalchemy as sa

from target_highlevel.ledger.bulk import Bulk
from target_highlevel.ledger.partials import LEFT_OUT_ALONG, OWN
from target_highlevel.ledger.repair import TO_BE_COMPARED, TO_BE_REPAIRED
from target_highlevel.ledger.rows import Status
from target_highlevel.ledger.tables import contribution, joined, record
from target_highlevel.ledger.undo import ROLLED_BACK

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Reasons of records that were in HighLevel and are not any more, until a full read brings them again.
UNDONE = frozenset({ROLLED_BACK, TO_BE_REPAIRED})
#: Reasons of all records that wait for a full read.
AWAITED = UNDONE | {TO_BE_COMPARED}
#: Why what is offered to whoever joins it is nowhere: a group booking in which nobody has a place.
JOINED_BY_NONE = "joined_by_none"
_AT_ONCE = 500


class Unplaced(NamedTuple):
    """What one contributor gives to one kind of object, and why it is not there."""

    status: str
    reason: str
    object: str
    source_id: str

    @property
    def resource(self) -> str:
        """Return the source resource of the contributor."""
        return self.source_id.partition("/")[0]


def unplaced(connection: sa.Connection, location: str, run: str | None = None) -> Iterator[Unplaced]:
    """Yield every contribution that is in no record in HighLevel, of contributors that are no records themselves.

    A record that was taken out again counts itself, as it did while it was there.

    Args:
        connection: the ledger's.
        location: the sub-account.
        run: what belongs to records that were left out on purpose is told only where this run has seen them.
    """
    objects = connection.execute(
        sa.select(record.c.object.distinct()).where(record.c.location == location)
    ).scalars()
    kinds = list(objects)
    for rows in connection.execute(_not_in_highlevel(location, run)).partitions(_AT_ONCE):
        found = [_told(row.target, row.part, row.status, row.reason) for row in rows]
        own = Bulk(location).known(
            connection, {f"{kind}:{item.source_id}" for kind in kinds for item in found}
        )
        records = {ref.partition(":")[2] for ref in own}
        yield from (item for item in found if item.source_id not in records)


def _not_in_highlevel(location: str, run: str | None) -> sa.Select[tuple[str, str, str | None, str | None]]:
    target = record.alias()
    takes_it = (target.c.location == contribution.c.location) & (target.c.ref == contribution.c.target)
    joins_it = (joined.c.location == contribution.c.location) & (joined.c.target == contribution.c.target)
    left_out = target.c.status == Status.FILTERED.value
    seen = sa.true() if run is None else target.c.seen_run == run
    return (
        sa.select(contribution.c.target, contribution.c.part, target.c.status, target.c.reason)
        .select_from(contribution.outerjoin(target, takes_it))
        .where(
            contribution.c.location == location,
            contribution.c.part != OWN,
            target.c.status.is_(None) | (target.c.status != Status.DONE.value),
            target.c.status.is_(None) | ~left_out | seen,
            target.c.status.is_(None)
            | ~left_out
            | sa.func.coalesce(target.c.reason, "").not_in(sorted(AWAITED)),
            ~sa.exists().where(joins_it),
        )
        .order_by(contribution.c.part, contribution.c.target)
        .execution_options(yield_per=_AT_ONCE)
    )


def _told(target: str, part: str, status: str | None, reason: str | None) -> Unplaced:
    object_, _, source_id = target.partition(":")
    if source_id == part:
        return Unplaced(Status.FILTERED.value, JOINED_BY_NONE, object_, part)
    if status == Status.FILTERED.value or reason in LEFT_OUT_ALONG:
        return Unplaced(Status.FILTERED.value, str(reason), object_, part)
    return Unplaced(Status.HELD.value, f"waits_for:{target}", object_, part)
