"""What the ledger knows of one record."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from target_highlevel.ledger.bulk import FOLLOWS
from target_highlevel.ledger.claims import Claims
from target_highlevel.ledger.partials import OWN, OWNER_OF
from target_highlevel.ledger.rows import Row, Status, row_from
from target_highlevel.ledger.tables import contribution, joined, record

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from target_highlevel.ledger.ledger import Ledger

#: What a record may share with its contact: who owns it, and its visits.
_SHARED = {"owner", "visit"}

# Every write needs these: to build a statement costs more than to run it, so they are built once.
_HERE: sa.BindParameter[str] = sa.bindparam("b_location")
ONE = (record.c.location == _HERE) & (record.c.ref == sa.bindparam("b_ref"))
_ROW = sa.select(record).where(ONE)
_HL_ID = sa.select(record.c.hl_id).where(ONE)
_JOINED = sa.select(joined.c.target).where(
    joined.c.location == _HERE, joined.c.child == sa.bindparam("b_ref")
)
_GIVEN = sa.select(contribution.c.target, contribution.c.part, contribution.c.fields).where(
    contribution.c.location == _HERE, contribution.c.target.in_(sa.bindparam("b_targets", expanding=True))
)


class Lookup:
    """Answers what writers, rollback and verification ask of single records."""

    def __init__(self, ledger: Ledger, run: str) -> None:
        """Look things up for one run."""
        #: Whether everything that contributors have ever said is in the ledger.
        self.knows_all = True
        #: Folded fields, by stream, of which the ledger knows only what came since it was upgraded; a full read brings the rest.
        self.untold: dict[str, set[str]] = {}
        #: Whether this run receives only what has changed since an earlier one.
        self.goes_on = False
        #: Number of the run from which on it is, where it is not all.
        self.knows_since = 0
        self._ledger = ledger
        self.location = ledger.location
        self.run = run
        self._here = record.c.location == ledger.location
        self.claims = Claims(ledger, run)

    def contributions(self, row: Row) -> list[tuple[str, dict[str, Any]]]:
        """Return (contributor, fields) of every partial that folds into this record."""
        with self._ledger.transaction() as connection:
            # two statements: with an OR, or sorted by the database, every contribution to anybody would be read
            joins = connection.execute(_JOINED, self._one(row.ref)).scalars().all()
            shared = {
                target.removeprefix(prefix)
                for target in joins
                for prefix in (OWNER_OF, FOLLOWS)
                if target.startswith(prefix)
            }
            targets = [row.ref, *joins, *shared]
            found = connection.execute(_GIVEN, {"b_location": self.location, "b_targets": targets}).all()
        given = [
            (each.part, _given(each.fields, shared=each.target in shared))
            for each in sorted(found, key=lambda each: each.part)
            if each.part != OWN or each.target == row.ref
        ]
        return [(part, fields) for part, fields in given if fields or part == OWN]

    def knows(self, row: Row) -> bool:
        """Return whether everything that contributors have said of a record is in the ledger."""
        if self.knows_all:
            return True
        return row.created_run is not None and self._ledger.run_number(row.created_run) >= self.knows_since

    def hl_id(self, ref: str) -> str | None:
        """Return the HighLevel id of a record, if it has one."""
        with self._ledger.transaction() as connection:
            return connection.execute(_HL_ID, self._one(ref)).scalar()

    def row(self, ref: str) -> Row | None:
        """Return a record of the ledger."""
        with self._ledger.transaction() as connection:
            found = connection.execute(_ROW, self._one(ref)).mappings().first()
            row = row_from(found) if found else None
            if row is not None and row.object == "contact":
                row.claims = self.claims.of(connection, ref)
        return row

    def add_claims(self, rows: Sequence[Row]) -> None:
        """Add to each contact among the records the addresses it wants and who keeps each."""
        contacts = {row.ref for row in rows if row.object == "contact"}
        with self._ledger.transaction() as connection:
            claims = self.claims.of_all(connection, contacts)
        for row in rows:
            row.claims = claims.get(row.ref, {})

    def waits_for_everybody(self) -> bool:
        """Return whether contacts are held until all who may share an address have arrived."""
        with self._ledger.transaction() as connection:
            return self.claims.waiting(connection)

    def shared(self, row: Row) -> bool:
        """Return whether another wanted record has the same HighLevel id: a relation named from both sides.

        One that is to be written again wants it too, unless its ends have changed as well.
        """
        query = sa.select(record).where(
            self._here,
            record.c.object == row.object,
            record.c.hl_id == row.hl_id,
            record.c.ref != row.ref,
            record.c.status != Status.FILTERED.value,
        )
        with self._ledger.transaction() as connection:
            others = [row_from(found) for found in connection.execute(query).mappings()]
        return any(
            other.status == Status.DONE.value or self._wants(other, row.notes.link) for other in others
        )

    def _wants(self, relation: Row, link: Mapping[str, str]) -> bool:
        """Return whether a pending relation amounts to this link: association and ids of both ends."""
        fields = relation.fields
        if not link or relation.content.absent or not fields.get("first"):
            return False
        ends = {end: self.hl_id(fields[end]) for end in ("first", "second")}
        return link == {"association": fields["association"], **ends}

    def holder(self, object_: str, hl_id: str) -> str | None:
        """Return the source id of our record that has this HighLevel id."""
        query = sa.select(record.c.source_id).where(
            self._here, record.c.object == object_, record.c.hl_id == hl_id
        )
        with self._ledger.transaction() as connection:
            return connection.execute(query.limit(1)).scalar()

    def made_with(self, object_: str, names: Iterable[str]) -> tuple[bool, bool]:
        """Return whether any record of this kind was written with one of these fields, and whether any without."""
        has = sa.or_(sa.false(), *(record.c.written.contains(f'"{name}":') for name in names))
        made = (
            self._here,
            record.c.object == object_,
            record.c.hl_id.is_not(None),
            record.c.written.is_not(None),
        )
        with self._ledger.transaction() as connection:
            found = [
                connection.execute(sa.select(record.c.ref).where(*made, which).limit(1)).first() is not None
                for which in (has, ~has)
            ]
        return found[0], found[1]

    def _one(self, ref: str) -> dict[str, Any]:
        return {"b_location": self.location, "b_ref": ref}


def _given(text: str, *, shared: bool) -> dict[str, Any]:
    """Return the contributed fields; of those given to another record only the shared ones."""
    fields: dict[str, Any] = json.loads(text)
    return {name: value for name, value in fields.items() if name in _SHARED or not shared}
