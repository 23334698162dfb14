"""Relations read back from one of their ends: one request for each record that has any."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from target_highlevel.ledger.rows import Status, row_from
from target_highlevel.ledger.tables import record
from target_highlevel.report.differences import Kind
from target_highlevel.verify.comparison import Compared
from target_highlevel.verify.reading import in_parallel

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from target_highlevel.descriptor import Association
    from target_highlevel.engine.session import Session
    from target_highlevel.ledger.rows import Row
    from target_highlevel.verify.expected import Expected
    from target_highlevel.verify.findings import Findings

_BATCH = 500
_tables = sa.MetaData()

#: Every relation that should be there, by the ids of its two ends in HighLevel.
link = sa.Table(
    "link",
    _tables,
    sa.Column("ref", sa.String, primary_key=True),
    *(sa.Column(name, sa.String) for name in ("association", "first", "second")),
    sa.Index("link_first", "first"),
    sa.Index("link_second", "second"),
)


class Links:
    """Compares relations."""

    def __init__(self, session: Session, expected: Expected, findings: Findings) -> None:
        """Read through the session's client."""
        self._session = session
        self._expected = expected
        self._findings = findings
        self._kind: Any = session.kinds["relation"]
        self._associations = {
            association.key: association
            for spec in session.specs.values()
            for association in spec.associations
        }
        self._labels = self._known_labels()
        with session.ledger.transaction() as connection:
            _tables.create_all(connection)

    def _known_labels(self) -> dict[str, str]:
        """Return the association of each label's id: one that was full continues under further labels."""
        there = self._session.catalogue().associations
        return {
            there[label[0]]: association.key
            for association in self._associations.values()
            for label in association.labels()
            if label[0] in there
        }

    def verify(self) -> None:
        """Compare every relation."""
        self._collect()
        sides = {key: self._side(association) for key, association in self._associations.items()}
        for hl_id, found in in_parallel(self._listed, self._listers(sides), self._session.stop):
            self._compare(hl_id, found, sides)
            self._findings.flush()
        for row in self._expected.open(record.c.object == "relation"):
            self._findings.missing(row)
        self._findings.flush()

    def _collect(self) -> None:
        """Find out between which two records of HighLevel each relation should be."""
        work = self._session.work
        rows = []
        for row in self._expected.open(record.c.object == "relation"):
            association, first, second = _ends(row)
            ids = work.hl_id(first), work.hl_id(second)
            if all(ids):
                rows.append({"ref": row.ref, "association": association, "first": ids[0], "second": ids[1]})
            if len(rows) >= _BATCH:
                self._keep(rows)
                rows = []
        self._keep(rows)

    def _keep(self, rows: list[dict[str, Any]]) -> None:
        if rows:
            with self._session.ledger.transaction() as connection:
                connection.execute(link.insert(), rows)

    def _side(self, association: Association) -> str:
        """Return the end to read an association from: the contact, read for others too, else the rarer."""
        if "contact" in {association.first, association.second}:
            return "first" if association.first == "contact" else "second"
        query = sa.select(*(sa.func.count(sa.distinct(link.c[side])) for side in ("first", "second")))
        with self._session.ledger.transaction() as connection:
            firsts, seconds = connection.execute(query.where(link.c.association == association.key)).one()
        return "first" if firsts <= seconds else "second"

    def _listers(self, sides: Mapping[str, str]) -> Iterator[str]:
        """Yield every record of HighLevel whose relations are to be listed."""
        ends = []
        for side in ("first", "second"):
            keys = [key for key, chosen in sides.items() if chosen == side]
            ends.append(sa.select(link.c[side].label("lister")).where(link.c.association.in_(keys)))
        listers = sa.union(*ends).subquery()
        last = ""
        while True:
            query = (
                sa.select(listers.c.lister)
                .where(listers.c.lister > last)
                .order_by(listers.c.lister)
                .limit(_BATCH)
            )
            with self._session.ledger.transaction() as connection:
                found = list(connection.execute(query).scalars())
            yield from found
            if len(found) < _BATCH:
                return
            last = found[-1]

    def _listed(self, hl_id: str) -> list[dict[str, Any]]:
        return list(self._kind.all_of(hl_id))

    def _compare(self, hl_id: str, found: list[dict[str, Any]], sides: Mapping[str, str]) -> None:
        wanted = self._wanted(hl_id, sides)
        seen: set[tuple[str, str, str]] = set()
        for item in found:
            key = self._labels.get(item["associationId"])
            if key is None or item[f"{sides[key]}RecordId"] != hl_id:
                continue  # somebody else's label, or a relation that is read from its other end
            pair = (key, item["firstRecordId"], item["secondRecordId"])
            if pair in seen:
                self._extra(item, key, "doubled")
            elif pair in wanted:
                for row in wanted[pair]:
                    self._findings.compared(row, [Compared(key, Kind.EQUAL)])
            else:
                self._unwanted(item, key)
            seen.add(pair)

    def _wanted(self, hl_id: str, sides: Mapping[str, str]) -> dict[tuple[str, str, str], list[Row]]:
        """Return the relations that this record should have; two rows of Cliniko may ask for the same one."""
        query = (
            sa.select(record, link.c.association.label("key"), link.c.first, link.c.second)
            .join(link, link.c.ref == record.c.ref)
            .where(
                (link.c.first == hl_id) | (link.c.second == hl_id),
                record.c.location == self._session.ledger.location,
            )
        )
        found: dict[tuple[str, str, str], list[Row]] = {}
        with self._session.ledger.transaction() as connection:
            for item in connection.execute(query).mappings():
                if item[sides[item["key"]]] == hl_id:
                    found.setdefault((item["key"], item["first"], item["second"]), []).append(row_from(item))
        return found

    def _unwanted(self, item: Mapping[str, Any], key: str) -> None:
        """Decide on a relation under one of our labels that the received records do not ask for."""
        query = sa.select(record.c.status).where(
            record.c.location == self._session.ledger.location,
            record.c.object == "relation",
            record.c.hl_id == item["id"],
        )
        with self._session.ledger.transaction() as connection:
            known = connection.execute(query).scalars().first()
        if known is None:
            self._extra(item, key, "unknown")
        elif known == Status.READY.value:  # the account asked for it once, and does no more
            self._extra(item, key, "no_longer_wanted")

    def _extra(self, item: Mapping[str, Any], key: str, how: str) -> None:
        first = self._name(self._associations[key].first, item["firstRecordId"])
        second = self._name(self._associations[key].second, item["secondRecordId"])
        resource = first.partition(":")[2].partition("/")[0]
        self._findings.surplus("relation", f"{key}|{first}|{second}", str(item["id"]), how, resource=resource)

    def _name(self, object_: str, hl_id: str) -> str:
        return f"{object_}:{self._session.work.holder(object_, hl_id) or hl_id}"


def _ends(row: Row) -> tuple[str, str, str]:
    """Return association, first and second ref; an unchanged relation says them in its identity only."""
    if row.fields:
        return str(row.fields["association"]), str(row.fields["first"]), str(row.fields["second"])
    association, first, second = row.source_id.split("|")
    return association, first, second
