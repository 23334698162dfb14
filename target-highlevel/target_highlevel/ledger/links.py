"""The links that a verification expects, by the HighLevel ids of their two ends."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

from target_highlevel.ledger.bulk import portions
from target_highlevel.ledger.rows import Row, row_from
from target_highlevel.ledger.tables import record

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from target_highlevel.ledger.ledger import Ledger

    #: (ref of the relation record, association, HighLevel id of its first end, of its second).
    ExpectedLink = tuple[str, str, str, str]

_tables = sa.MetaData()

link = sa.Table(
    "link",
    _tables,
    sa.Column("ref", sa.String, primary_key=True),
    *(sa.Column(name, sa.String) for name in ("association", "first", "second")),
    sa.Index("link_first", "first"),
    sa.Index("link_second", "second"),
)


class ExpectedLinks:
    """Kept beside a scratch copy of the ledger."""

    def __init__(self, ledger: Ledger) -> None:
        """Add the table to a scratch copy."""
        self._ledger = ledger
        with ledger.transaction() as connection:
            _tables.create_all(connection)

    def keep(self, links: Sequence[ExpectedLink]) -> None:
        """Add links."""
        names = ("ref", "association", "first", "second")
        if links:
            with self._ledger.transaction() as connection:
                connection.execute(link.insert(), [dict(zip(names, each, strict=True)) for each in links])

    def rarer_side(self, first: str, second: str) -> str:
        """Return of which kind of object (``first`` or ``second``) there are fewer records: the cheaper end to list by."""
        received = self._received()
        query = sa.select(*(sa.func.count().filter(record.c.object == name) for name in (first, second)))
        with self._ledger.transaction() as connection:
            firsts, seconds = connection.execute(query.where(received)).one()
        return "first" if firsts <= seconds else "second"

    def listers(self, sides: Mapping[str, str], objects: Collection[str]) -> Iterator[str]:
        """Yield the HighLevel id of every record whose links are to be listed.

        One that should have none is listed too: it may have one all the same.

        Args:
            sides: association → the end to list by.
            objects: the kinds of objects at these ends.
        """
        ends = []
        for side in ("first", "second"):
            keys = [key for key, chosen in sides.items() if chosen == side]
            ends.append(sa.select(link.c[side].label("lister")).where(link.c.association.in_(keys)))
        ends.append(sa.select(record.c.hl_id).where(self._received(), record.c.object.in_(objects)))
        listers = sa.union(*ends).subquery()
        found = portions(self._ledger, sa.select(listers.c.lister), listers.c.lister)
        yield from (row["lister"] for row in found)

    def _received(self) -> sa.ColumnElement[bool]:
        here = record.c.location == self._ledger.location
        return here & record.c.seen_run.is_not(None) & record.c.hl_id.is_not(None)

    def of(self, hl_id: str, sides: Mapping[str, str]) -> dict[tuple[str, str, str], list[Row]]:
        """Return the links that this record should have: (association, first, second) → the records that ask for it.

        Two rows of Cliniko may ask for the same link.
        """
        query = (
            sa.select(record, link.c.association.label("key"), link.c.first, link.c.second)
            .join(link, link.c.ref == record.c.ref)
            .where(
                (link.c.first == hl_id) | (link.c.second == hl_id),
                record.c.location == self._ledger.location,
            )
        )
        found: dict[tuple[str, str, str], list[Row]] = {}
        with self._ledger.transaction() as connection:
            for item in connection.execute(query).mappings():
                if item[sides[item["key"]]] == hl_id:
                    found.setdefault((item["key"], item["first"], item["second"]), []).append(row_from(item))
        return found
