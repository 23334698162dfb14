"""What a verification keeps beside its scratch copy of the ledger: which records to compare, and what was found of each.

Everything is read and written a page at a time, so that memory stays flat however large the clinic is.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

import sqlalchemy as sa

from target_highlevel.ledger.bulk import portions
from target_highlevel.ledger.money import keep_read_back, surplus_money
from target_highlevel.ledger.partials import OTHER_SUB_ACCOUNT
from target_highlevel.ledger.rows import Row, Status, row_from
from target_highlevel.ledger.scratch import earlier
from target_highlevel.ledger.tables import contribution, record
from target_highlevel.ledger.transitions import COPIED

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from target_highlevel.ledger.ledger import Ledger
    from target_highlevel.ledger.rows import Notes

_BATCH = 500
#: Why a record was refused that somebody has deleted in HighLevel.
DELETED = "deleted_in_highlevel"
_tables = sa.MetaData()

#: The outcome of each record that was compared.
verified = sa.Table(
    "verified", _tables, sa.Column("ref", sa.String, primary_key=True), sa.Column("outcome", sa.String)
)
#: Every field, and every record, that is not simply equal.
finding = sa.Table(
    "finding",
    _tables,
    sa.Column("id", sa.Integer, primary_key=True),
    *(sa.Column(name, sa.String) for name in ("source", "object", "field", "kind", "how")),
    *(sa.Column(name, sa.Text) for name in ("wanted", "there")),
)
#: Files that are where they should be and whose bytes are still to be read.
to_download = sa.Table(
    "to_download", _tables, sa.Column("ref", sa.String, primary_key=True), sa.Column("url", sa.String)
)


class Found(NamedTuple):
    """One finding as it was kept: a field, or with an empty field name a whole record."""

    source: str
    object: str
    field: str
    kind: str
    how: str
    wanted: Any
    there: Any


class Comparison:
    """The records of the account as the scratch copy has them, and the outcome of comparing each."""

    def __init__(self, ledger: Ledger) -> None:
        """Add the tables of a verification to a scratch copy."""
        self._ledger = ledger
        self._here = record.c.location == ledger.location
        with ledger.transaction() as connection:
            _tables.create_all(connection)
            surplus_money.create(connection, checkfirst=True)

    def begin(self, run: str) -> None:
        """Separate what was received from what only the crosswalk knows, and set apart what the load could not write."""
        with self._ledger.transaction() as connection:
            connection.execute(
                sa.text("CREATE INDEX IF NOT EXISTS record_parent ON record (location, object, parent_id)")
            )
            connection.execute(
                sa.text("CREATE INDEX IF NOT EXISTS record_source ON record (location, object, source_id)")
            )
            connection.execute(
                record.update().where(self._here, record.c.digest.is_(None)).values(seen_run=None)
            )
            self._mark_relations(connection, run)
            gone = sa.select(record.c.ref, sa.literal("filtered")).where(
                self._here, _to_compare(), record.c.payload.contains('"absent":true')
            )
            connection.execute(verified.insert().from_select(["ref", "outcome"], gone))
            not_there = sa.not_(self._is_compared_all_the_same())
            put_off = self._put_off().where(not_there)
            connection.execute(verified.insert().from_select(["ref", "outcome"], put_off))

    def waiting(self) -> dict[str, str]:
        """Return, of the records that are in HighLevel and of which a change was put off or refused, which of the two it was.

        What HighLevel holds of them is compared all the same: it should be what was written last.
        """
        with self._ledger.transaction() as connection:
            found = connection.execute(self._put_off().where(self._is_compared_all_the_same()))
            return {row[0]: row[1] for row in found}

    def _is_compared_all_the_same(self) -> sa.ColumnElement[bool]:
        """Links and files say nothing of what was written last; what belongs elsewhere is not looked at here."""
        has_fields = record.c.object.not_in(["relation", "file"])
        elsewhere = sa.func.coalesce(earlier.c.reason, "") == OTHER_SUB_ACCOUNT
        return record.c.hl_id.is_not(None) & has_fields & sa.not_(elsewhere)

    def _mark_relations(self, connection: sa.Connection, run: str) -> None:
        """Count the relations of received records as received, and compare those that the load has written too.

        Of a record of another sub-account, too: the load counts them as left out, so that both look at as many.
        """
        origin = record.alias()
        came = sa.select(origin.c.ref).where(
            origin.c.location == self._ledger.location,
            origin.c.digest.is_not(None),
            origin.c.status.in_([Status.READY.value, Status.HELD.value]),
        )
        unwanted = record.c.payload.contains('"absent":true') | (record.c.status == Status.FILTERED.value)
        wanted = sa.func.coalesce(unwanted, sa.false()).is_(sa.false())
        connection.execute(
            record.update().where(self._here, record.c.origin.in_(came), wanted).values(seen_run=run)
        )
        elsewhere = sa.select(origin.c.ref).where(
            origin.c.location == self._ledger.location,
            origin.c.status == Status.FILTERED.value,
            origin.c.reason == OTHER_SUB_ACCOUNT,
            origin.c.seen_run.is_not(None),
        )
        along = (record.c.status == Status.HELD.value) & (record.c.reason == OTHER_SUB_ACCOUNT)
        connection.execute(
            record.update().where(self._here, along, record.c.origin.in_(elsewhere)).values(seen_run=run)
        )
        again = (
            record.c.origin.is_not(None)
            & record.c.seen_run.is_not(None)
            & (record.c.status == Status.DONE.value)
        )
        ready = record.update().where(self._here, again).values(status=Status.READY.value)
        connection.execute(ready, execution_options=COPIED.options)

    def _put_off(self) -> sa.Select[tuple[str, str]]:
        outcome = sa.case(
            (earlier.c.reason == OTHER_SUB_ACCOUNT, "filtered"),
            (earlier.c.status == Status.REJECTED.value, "rejected"),
            else_="held",
        )
        return (
            sa.select(record.c.ref, outcome)
            .join(earlier, earlier.c.ref == record.c.ref)
            .where(self._here, _to_compare(), record.c.ref.not_in(sa.select(verified.c.ref)))
            # somebody deleted it by hand: it is missing, and a repair brings it back
            .where(sa.func.coalesce(earlier.c.reason, "") != DELETED)
        )

    # Looking records up

    def by_id(self, object_: str, hl_ids: Sequence[str]) -> dict[str, Row]:
        """Return the records of the crosswalk that have these HighLevel ids, by that id."""
        return {
            str(row.hl_id): row for row in self._rows(record.c.object == object_, record.c.hl_id.in_(hl_ids))
        }

    def by_source(self, object_: str, source_id: str) -> Row | None:
        """Return the record of this identity, if the account or the crosswalk has it."""
        return next(iter(self._rows(record.c.object == object_, record.c.source_id == source_id)), None)

    def of_parent(self, object_: str, parent_id: str) -> list[Row]:
        """Return the records of a kind on a contact, named by its HighLevel id."""
        return self._rows(record.c.object == object_, record.c.parent_id == parent_id)

    def _rows(self, *conditions: sa.ColumnElement[bool]) -> list[Row]:
        with self._ledger.transaction() as connection:
            found = connection.execute(sa.select(record).where(self._here, *conditions)).mappings().all()
        return [row_from(row) for row in found]

    def status_of(self, object_: str, hl_id: str) -> str | None:
        """Return the status of the record that has this HighLevel id, or None when the crosswalk has none."""
        query = sa.select(record.c.status).where(
            self._here, record.c.object == object_, record.c.hl_id == hl_id
        )
        with self._ledger.transaction() as connection:
            return connection.execute(query).scalars().first()

    def unverified(self, object_: str, *, without_parent: bool = False) -> Iterator[Row]:
        """Yield every record of a kind that should be in HighLevel and has no outcome yet.

        Args:
            object_: kind of object.
            without_parent: only those for which no contact is known.
        """
        conditions = [self._here, _to_compare(), verified.c.ref.is_(None), record.c.object == object_]
        if without_parent:
            conditions.append(record.c.parent_id.is_(None))
        query = (
            sa.select(record)
            .select_from(record.outerjoin(verified, verified.c.ref == record.c.ref))
            .where(*conditions)
        )
        yield from map(row_from, portions(self._ledger, query, record.c.ref))

    def contacts(self, object_: str) -> Iterator[str]:
        """Yield the HighLevel id of every received contact, and of every other that should carry something of this kind.

        A contact that should carry nothing is looked at too: something with our marker may be there all the same.
        """
        here = record.c.location == self._ledger.location
        carrying = sa.select(record.c.parent_id.label("contact")).where(
            here, record.c.object == object_, _to_compare()
        )
        received = sa.select(record.c.hl_id.label("contact")).where(
            here, record.c.object == "contact", record.c.seen_run.is_not(None)
        )
        both = sa.union(carrying, received).subquery()
        found = portions(self._ledger, sa.select(both.c.contact), both.c.contact)
        yield from (str(row["contact"]) for row in found)

    def values(self, object_: str, name: str) -> set[str]:
        """Return every value that a field with several values has in the received records of a kind."""
        query = sa.select(record.c.payload).where(
            self._here, record.c.object == object_, record.c.payload.is_not(None)
        )
        found: set[str] = set()
        with self._ledger.transaction() as connection:
            for text in connection.execute(query).scalars().yield_per(_BATCH):
                found.update(json.loads(text).get("fields", {}).get(name) or ())
            given = sa.select(contribution.c.fields).where(
                contribution.c.location == self._ledger.location,
                contribution.c.target.startswith(f"{object_}:"),
                contribution.c.fields.contains(f'"{name}"'),
            )
            for text in connection.execute(given).scalars().yield_per(_BATCH):
                found.update(json.loads(text).get(name) or ())
        return found

    def set_parent(self, ref: str, parent_id: str) -> None:
        """Note the contact that a record which was never written would be on."""
        with self._ledger.transaction() as connection:
            connection.execute(
                record.update().where(self._here, record.c.ref == ref).values(parent_id=parent_id)
            )

    # Outcomes

    def reject(self, ref: str, reason: str, field: str | None) -> None:
        """Keep that a record cannot be written as it is."""
        self.put_off(ref, Status.REJECTED, reason, field)

    def put_off(self, ref: str, status: Status, reason: str, field: str | None = None) -> None:
        """Keep why a record is not in HighLevel."""
        with self._ledger.transaction() as connection:
            connection.execute(earlier.delete().where(earlier.c.ref == ref))
            values = {"ref": ref, "status": status.value, "reason": reason, "reason_field": field}
            connection.execute(earlier.insert().values(**values))

    def outcomes(self, refs: Sequence[str]) -> dict[str, str]:
        """Return the outcome of each of these records that has one."""
        found: dict[str, str] = {}
        with self._ledger.transaction() as connection:
            for start in range(0, len(refs), _BATCH):
                query = sa.select(verified).where(verified.c.ref.in_(refs[start : start + _BATCH]))
                found.update({row.ref: row.outcome for row in connection.execute(query)})
        return found

    def keep(self, findings: Sequence[Found], outcomes: Mapping[str, str]) -> None:
        """Make findings, and the outcomes of records (which replace earlier ones), durable in the copy."""
        with self._ledger.transaction() as connection:
            if findings:
                connection.execute(finding.insert(), [_as_text(item) for item in findings])
            if outcomes:
                known = [{"r": ref} for ref in outcomes]
                connection.execute(verified.delete().where(verified.c.ref == sa.bindparam("r")), known)
                rows = [{"ref": ref, "outcome": outcome} for ref, outcome in outcomes.items()]
                connection.execute(verified.insert(), rows)

    def keep_money(
        self,
        found: Mapping[str, tuple[Notes, Mapping[str, str]]],
        surplus: Sequence[Mapping[str, Any]],
    ) -> None:
        """Make what records come to in HighLevel durable in the copy: see ``ledger.money``."""
        with self._ledger.transaction() as connection:
            keep_read_back(connection, self._ledger.location, found, surplus)

    def findings(self) -> Iterator[Found]:
        """Yield all findings in the order in which they were kept."""
        for row in portions(self._ledger, sa.select(finding), finding.c.id):
            known = {name: row[name] for name in ("source", "object", "field", "kind", "how")}
            yield Found(**known, wanted=json.loads(row["wanted"]), there=json.loads(row["there"]))

    def received(self) -> list[tuple[str, str, int]]:
        """Return (object, resource, number) of all records that were received, counted apart from their outcomes."""
        columns = [record.c.object, record.c.resource]
        query = sa.select(*columns, sa.func.count()).where(self._received()).group_by(*columns)
        with self._ledger.transaction() as connection:
            return [(row[0], row[1], row[2]) for row in connection.execute(query)]

    def counts(self) -> list[tuple[str, str, str, int]]:
        """Return (object, resource, outcome, number) of the received records; one without an outcome is *unaccounted*."""
        status = sa.case(
            (record.c.status == Status.FILTERED.value, "filtered"),
            (record.c.status == Status.REJECTED.value, "rejected"),
            (record.c.status == Status.HELD.value, "held"),
            (record.c.object == "user", "equal"),
            else_="unaccounted",
        )
        outcome = sa.func.coalesce(verified.c.outcome, status)
        columns = [record.c.object, record.c.resource, outcome]
        query = (
            sa.select(*columns, sa.func.count())
            .select_from(record.outerjoin(verified, verified.c.ref == record.c.ref))
            .where(self._received())
            .group_by(*columns)
        )
        with self._ledger.transaction() as connection:
            return [(row[0], row[1], row[2], row[3]) for row in connection.execute(query)]

    def _received(self) -> sa.ColumnElement[bool]:
        return self._here & record.c.seen_run.is_not(None)

    # Files whose bytes are to be read

    def keep_downloads(self, urls: Mapping[str, str]) -> None:
        """Keep where the bytes of these files are: ref → address."""
        if urls:
            with self._ledger.transaction() as connection:
                connection.execute(
                    to_download.insert(), [{"ref": ref, "url": url} for ref, url in urls.items()]
                )

    def downloads(self) -> Iterator[tuple[Row, str]]:
        """Yield every file whose bytes are to be read, with its address."""
        query = (
            sa.select(record, to_download.c.url.label("url"))
            .join(to_download, to_download.c.ref == record.c.ref)
            .where(self._here)
        )
        found = portions(self._ledger, query, record.c.ref)
        yield from ((row_from(item), str(item["url"])) for item in found)

    # The end

    def settle(self, run: str) -> None:
        """Leave the copy as the report reads it: what is in HighLevel is unchanged, the rest held, rejected or filtered."""
        with self._ledger.transaction() as connection:
            mine = self._received()
            connection.execute(record.update().where(mine).values(seen_run=run))
            for name in ("status", "reason", "reason_field"):
                value = sa.select(earlier.c[name]).where(earlier.c.ref == record.c.ref).scalar_subquery()
                put_off = sa.exists().where(earlier.c.ref == record.c.ref) & (
                    record.c.status != Status.FILTERED.value
                )
                as_before = record.update().where(mine, put_off).values({name: value})
                connection.execute(as_before, execution_options=COPIED.options)
            left_out = sa.select(verified.c.ref).where(verified.c.outcome == "filtered")
            gone = record.c.ref.in_(left_out) & (sa.func.coalesce(record.c.reason, "") != OTHER_SUB_ACCOUNT)
            unwanted = {"status": Status.FILTERED.value, "reason": "no_longer_wanted"}
            found = mine & (record.c.status == Status.READY.value) & record.c.hl_id.is_not(None)
            rest = self._here & record.c.seen_run.is_(None) & (record.c.status != Status.DONE.value)
            done = {"status": Status.DONE.value}
            for which, values in ((mine & gone, unwanted), (found, done), (rest, done)):
                changed = record.update().where(which).values(values)
                connection.execute(changed, execution_options=COPIED.options)


def _to_compare() -> sa.ColumnElement[bool]:
    return record.c.seen_run.is_not(None) & (record.c.status == Status.READY.value)


def _as_text(item: Found) -> dict[str, Any]:
    values = {name: json.dumps(getattr(item, name), default=str) for name in ("wanted", "there")}
    return {**item._asdict(), **values}
