"""Reading and writing many rows of the ledger in few statements."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from target_highlevel.ledger.rows import DIARY, Row, Status, row_from
from target_highlevel.ledger.tables import contribution, dependency, exclusion, joined, record
from target_highlevel.ledger.transitions import ADMITTED, CHANGED, RECEIVED, RELEASED, STOOD_BACK

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from target_highlevel.ledger.ledger import Ledger

#: SQLite takes at most some ten thousand variables in a statement; stay far below.
_MOST_VARIABLES = 500
#: Reason of a record that is left out because another one stands for the same person.
BESIDE = "beside_another"
#: What stands before a ref that is waited for until it is settled, one way or another.
AFTER = "after:"
#: Before the ref of a contact in the table of joins: the record is looked at again whenever something else is said of them.
FOLLOWS = "follows "
#: Kinds of objects whose records name themselves the practitioner whose user they have.
_OWNED = ("appointment", "note")

# What is asked and said of every record that comes, most of them unchanged: statements that are built once.
_HERE = record.c.location == sa.bindparam("b_location")
_KEYS: sa.BindParameter[Any] = sa.bindparam("b_keys", expanding=True)
_KNOWN = sa.select(record.c.ref, record.c.digest, record.c.money).where(_HERE, record.c.ref.in_(_KEYS))
# With the relations that a record wants. Two statements: with an OR, SQLite would scan the whole ledger.
_SEEN = tuple(
    record.update().where(_HERE, key.in_(_KEYS)).values(seen_run=sa.bindparam("b_run"))
    for key in (record.c.ref, record.c.origin)
)


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

    def known(
        self, connection: sa.Connection, refs: Iterable[str]
    ) -> dict[str, tuple[str | None, str | None]]:
        """Return the digest of each of these records that the ledger knows, and what it comes to."""
        found: dict[str, tuple[str | None, str | None]] = {}
        for some in batches(refs):
            rows = connection.execute(_KNOWN, {"b_location": self.location, "b_keys": some}).all()
            found.update({ref: (digest, money) for ref, digest, money in rows})
        return found

    def see(self, connection: sa.Connection, refs: Iterable[str], run: str) -> None:
        """Note that a run has seen these records."""
        for some in batches(refs):
            for seen in _SEEN:
                connection.execute(seen, {"b_location": self.location, "b_keys": some, "b_run": run})

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
        """Return which of these keys have contributions."""
        found: set[str] = set()
        for some in batches(targets):
            query = sa.select(contribution.c.target).where(
                contribution.c.location == self.location, contribution.c.target.in_(some)
            )
            found.update(connection.execute(query).scalars())
        return found

    def excluded(self, connection: sa.Connection, arriving: set[str]) -> None:
        """Filter held records that turn out to duplicate one that has arrived."""
        for some in batches(arriving):
            query = sa.select(exclusion.c.child).where(
                exclusion.c.location == self.location, exclusion.c.other.in_(some)
            )
            children = list(connection.execute(query).scalars())
            for few in batches(children):
                waiting = STOOD_BACK.update(self._here, record.c.ref.in_(few))
                connection.execute(waiting.values(reason=BESIDE, version=record.c.version + 1))

    def readmit(self, connection: sa.Connection, gone: Iterable[str], run: str) -> None:
        """Requeue records that stood back for one of these, which are gone."""
        for some in batches(gone):
            back = sa.select(exclusion.c.child).where(
                exclusion.c.location == self.location, exclusion.c.other.in_(some)
            )
            stood_back = ADMITTED.update(
                self._here,
                record.c.ref.in_(back),
                record.c.reason == BESIDE,
                record.c.payload.is_not(None),
            )
            values = {"reason": None, "version": record.c.version + 1, "seen_run": run}
            connection.execute(stood_back.values(values))

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
            connection.execute(
                record.update().where(key).values(**values), rows, execution_options=RECEIVED.options
            )
        if fresh:
            rows = [_complete(row) for row in fresh.values()]
            connection.execute(record.insert(), rows, execution_options=RECEIVED.options)


_WAITS = (dependency.c.location == sa.bindparam("b_location")) & dependency.c.parent.in_(
    sa.bindparam("b_parents", expanding=True)
)
_WAITING = sa.select(dependency.c.child).where(_WAITS).distinct()
_WAITED = dependency.delete().where(_WAITS)
_STILL = sa.select(dependency.c.child).where(
    dependency.c.location == record.c.location, dependency.c.child == record.c.ref
)
_RELEASE = RELEASED.update(
    record.c.location == sa.bindparam("b_location"),
    record.c.ref.in_(sa.bindparam("b_children", expanding=True)),
    ~_STILL.exists(),
).values(reason=None)


def release(connection: sa.Connection, location: str, parents: Iterable[str]) -> None:
    """Release the records that waited for these parents and for nothing else."""
    for some in batches(parents):
        waiting = {"b_location": location, "b_parents": some}
        children = list(connection.execute(_WAITING, waiting).scalars())
        if children:
            connection.execute(_WAITED, waiting)
        for few in batches(children):
            connection.execute(_RELEASE, {"b_location": location, "b_children": few})


def requeue_diary(connection: sa.Connection, location: str, ref: str, run: str) -> None:
    """Requeue the entries of the diary that name this record, which has come or gone."""
    naming = (
        (record.c.location == location)
        & record.c.object.in_(DIARY)
        & record.c.payload.contains(f'"{ref}"', autoescape=True)
    )
    # one that is being written may have looked it up already: with another version it stays ready
    being_written = record.c.status == Status.READY.value
    connection.execute(record.update().where(naming, being_written).values(version=record.c.version + 1))
    again = {"version": record.c.version + 1, "reason": None, "seen_run": run}
    connection.execute(CHANGED.update(naming).values(again))


def requeue_naming(connection: sa.Connection, location: str, ref: str, run: str) -> None:
    """Requeue every record that names this practitioner as a possible owner: its user has changed or is gone."""
    requeue_diary(connection, location, ref, run)
    quoted = f'"{ref}"'
    said = (contribution.c.location == location) & contribution.c.fields.contains(quoted, autoescape=True)
    named = sa.select(contribution.c.target).where(said)
    following = sa.select(sa.literal(FOLLOWS) + contribution.c.target).where(said)
    joining = sa.select(joined.c.child).where(
        joined.c.location == location, joined.c.target.in_(named.union_all(following))
    )
    own = sa.select(record.c.ref).where(
        record.c.location == location,
        record.c.object.in_(_OWNED),
        record.c.payload.contains(quoted, autoescape=True) | record.c.notes.contains(quoted, autoescape=True),
    )
    requeue_written(connection, location, sa.union_all(named, joining, own), run)


def requeue_written(connection: sa.Connection, location: str, refs: sa.SelectBase, run: str) -> None:
    """Requeue written records whose sources have changed."""
    here = (record.c.location == location) & record.c.ref.in_(refs)
    # one that is being written has looked up the user already: with another version it stays ready
    connection.execute(
        record.update()
        .where(here, record.c.status == Status.READY.value)
        .values(version=record.c.version + 1)
    )
    written = CHANGED.update(here, record.c.status == Status.DONE.value)
    connection.execute(written.values(version=record.c.version + 1, seen_run=run))


def batches(values: Iterable[str]) -> Iterable[list[str]]:
    """Yield the values in sorted portions that fit into one statement."""
    ordered = sorted(values)
    for start in range(0, len(ordered), _MOST_VARIABLES):
        yield ordered[start : start + _MOST_VARIABLES]


def portions(ledger: Ledger, query: sa.Select[Any], key: sa.ColumnElement[Any]) -> Iterator[sa.RowMapping]:
    """Yield what a query finds in the order of a key that is unique; the ledger is free between two portions."""
    query, last = query.order_by(key).limit(_MOST_VARIABLES), 0 if isinstance(key.type, sa.Integer) else ""
    while True:
        with ledger.transaction() as connection:
            found = connection.execute(query.where(key > last)).mappings().all()
        yield from found
        if len(found) < _MOST_VARIABLES:
            return
        last = found[-1][key.name]


def _complete(row: dict[str, Any]) -> dict[str, Any]:
    return {"origin": None, "listed": "", "hl_id": None, "money": None, **row}
