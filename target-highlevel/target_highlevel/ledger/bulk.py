"""Reading and writing many rows of the ledger in few statements."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from target_highlevel.ledger.rows import Row, Status, row_from
from target_highlevel.ledger.tables import contribution, dependency, exclusion, record

if TYPE_CHECKING:
    from collections.abc import Iterable

#: SQLite takes at most some ten thousand variables in a statement; stay far below.
_MOST_VARIABLES = 500
#: Reason of a record that is left out because another one stands for the same person.
BESIDE = "beside_another"


class Bulk:
    """Many rows of one sub-account at once, inside the caller's transaction."""

    def __init__(self, location: str) -> None:
        """Work on the rows of this sub-account."""
        self.location = location
        self._here = record.c.location == location

    def rows(self, connection: sa.Connection, refs: Iterable[str]) -> dict[str, Row]:
        """Return these records, as far as the ledger knows them."""
        found: dict[str, Row] = {}
        for some in batches(refs):
            query = sa.select(record).where(self._here, record.c.ref.in_(some))
            found.update({row["ref"]: row_from(row) for row in connection.execute(query).mappings()})
        return found

    def digests(self, connection: sa.Connection, refs: Iterable[str]) -> dict[str, str | None]:
        """Return the digest of each of these records that the ledger knows."""
        found: dict[str, str | None] = {}
        for some in batches(refs):
            query = sa.select(record.c.ref, record.c.digest).where(self._here, record.c.ref.in_(some))
            found.update({row.ref: row.digest for row in connection.execute(query)})
        return found

    def states(self, connection: sa.Connection, refs: set[str]) -> dict[str, tuple[str, str | None]]:
        """Return (status, HighLevel id) of each of these records that the ledger knows."""
        found: dict[str, tuple[str, str | None]] = {}
        for some in batches(refs):
            query = sa.select(record.c.ref, record.c.status, record.c.hl_id).where(
                self._here, record.c.ref.in_(some)
            )
            found.update({row.ref: (row.status, row.hl_id) for row in connection.execute(query)})
        return found

    def contributed(self, connection: sa.Connection, targets: set[str]) -> set[str]:
        """Return which of these keys somebody contributes to."""
        found: set[str] = set()
        for some in batches(targets):
            query = sa.select(contribution.c.target).where(
                contribution.c.location == self.location, contribution.c.target.in_(some)
            )
            found.update(connection.execute(query).scalars())
        return found

    def excluded(self, connection: sa.Connection, arriving: set[str]) -> None:
        """Filter records that waited and now turn out to stand beside another one."""
        for some in batches(arriving):
            query = sa.select(exclusion.c.child).where(
                exclusion.c.location == self.location, exclusion.c.other.in_(some)
            )
            children = list(connection.execute(query).scalars())
            for few in batches(children):
                connection.execute(
                    record.update()
                    .where(self._here, record.c.ref.in_(few), record.c.status == Status.HELD.value)
                    .values(status=Status.FILTERED.value, reason=BESIDE, version=record.c.version + 1)
                )

    def admit(self, connection: sa.Connection, gone: Iterable[str], run: str) -> None:
        """Make ready what stood back for one of these, which stands there no longer."""
        for some in batches(gone):
            back = sa.select(exclusion.c.child).where(
                exclusion.c.location == self.location, exclusion.c.other.in_(some)
            )
            stood_back = (
                self._here,
                record.c.ref.in_(back),
                record.c.status == Status.FILTERED.value,
                record.c.reason == BESIDE,
                record.c.payload.is_not(None),
            )
            values = {"status": Status.READY.value, "reason": None, "version": record.c.version + 1}
            connection.execute(record.update().where(*stood_back).values(seen_run=run, **values))

    def upsert(self, connection: sa.Connection, records: list[dict[str, Any]]) -> None:
        """Insert these rows, or update those that are there with the columns given."""
        known = self.states(connection, {row["ref"] for row in records})
        changes: dict[tuple[str, ...], list[dict[str, Any]]] = {}
        fresh = {}
        for row in records:
            if row["ref"] in known:
                changes.setdefault(tuple(row), []).append({f"b_{name}": value for name, value in row.items()})
            else:
                fresh[row["ref"]] = row
        for names, rows in changes.items():
            values: dict[str, Any] = {
                name: sa.bindparam(f"b_{name}") for name in names if name not in {"location", "ref"}
            }
            key = (record.c.location == sa.bindparam("b_location")) & (record.c.ref == sa.bindparam("b_ref"))
            connection.execute(record.update().where(key).values(**values), rows)
        if fresh:
            connection.execute(record.insert(), [_complete(row) for row in fresh.values()])


_WAITS = (dependency.c.location == sa.bindparam("b_location")) & dependency.c.parent.in_(
    sa.bindparam("b_parents", expanding=True)
)
_WAITING = sa.select(dependency.c.child).where(_WAITS).distinct()
_WAITED = dependency.delete().where(_WAITS)
_STILL = sa.select(dependency.c.child).where(
    dependency.c.location == record.c.location, dependency.c.child == record.c.ref
)
_RELEASE = (
    record.update()
    .where(
        record.c.location == sa.bindparam("b_location"),
        record.c.ref.in_(sa.bindparam("b_children", expanding=True)),
        record.c.status == Status.HELD.value,
        ~_STILL.exists(),
    )
    .values(status=Status.READY.value, reason=None)
)


def release(connection: sa.Connection, location: str, parents: Iterable[str]) -> None:
    """Make ready whatever waited for these parents and waits for nothing else."""
    for some in batches(parents):
        waiting = {"b_location": location, "b_parents": some}
        children = list(connection.execute(_WAITING, waiting).scalars())
        if children:
            connection.execute(_WAITED, waiting)
        for few in batches(children):
            connection.execute(_RELEASE, {"b_location": location, "b_children": few})


def look_again(connection: sa.Connection, location: str, ref: str, run: str) -> None:
    """Make ready again whatever names this practitioner as a possible owner: another user stands for it now, or none."""
    named = sa.select(contribution.c.target).where(
        contribution.c.location == location, contribution.c.fields.contains(f'"{ref}"', autoescape=True)
    )
    here = (record.c.location == location) & record.c.ref.in_(named)
    # one that is being written has looked up the user already: with another version it stays ready
    connection.execute(
        record.update()
        .where(here, record.c.status == Status.READY.value)
        .values(version=record.c.version + 1)
    )
    values = {"status": Status.READY.value, "version": record.c.version + 1, "seen_run": run}
    connection.execute(record.update().where(here, record.c.status == Status.DONE.value).values(values))


def batches(values: Iterable[str]) -> Iterable[list[str]]:
    """Yield the values in sorted portions that fit into one statement."""
    ordered = sorted(values)
    for start in range(0, len(ordered), _MOST_VARIABLES):
        yield ordered[start : start + _MOST_VARIABLES]


def _complete(row: dict[str, Any]) -> dict[str, Any]:
    return {"origin": None, "listed": "", "hl_id": None, **row}
