"""What each received record should look like in HighLevel: as the load would write it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from target_highlevel.engine.fold import fold
from target_highlevel.ledger.partials import OTHER_SUB_ACCOUNT
from target_highlevel.ledger.rows import Status, row_from
from target_highlevel.ledger.scratch import earlier
from target_highlevel.ledger.tables import record
from target_highlevel.normal import holds
from target_highlevel.objects.base import Rejected
from target_highlevel.verify.comparison import Case, Compared, compare
from target_highlevel.verify.findings import verified

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from target_highlevel.engine.session import Session
    from target_highlevel.ledger.rows import Row
    from target_highlevel.verify.findings import Findings

_BATCH = 500


class Expected:
    """The records of the account as the scratch ledger has them, and how each is compared."""

    def __init__(self, session: Session, findings: Findings) -> None:
        """Take the moment from which appointments are past or to come once, for all records."""
        self._session = session
        self._ledger = session.ledger
        self._findings = findings
        self._here = record.c.location == session.ledger.location
        self._now = f"{session.ledger.now():%Y-%m-%dT%H:%M:%SZ}"

    def begin(self) -> None:
        """Tell what was received from what only the crosswalk knows, and what the load could not write."""
        origin = record.alias()
        with self._ledger.transaction() as connection:
            connection.execute(sa.text("CREATE INDEX record_parent ON record (location, object, parent_id)"))
            connection.execute(sa.text("CREATE INDEX record_source ON record (location, object, source_id)"))
            connection.execute(
                record.update().where(self._here, record.c.digest.is_(None)).values(seen_run=None)
            )
            came = sa.select(origin.c.ref).where(
                origin.c.location == self._ledger.location,
                origin.c.digest.is_not(None),
                origin.c.status.in_([Status.READY.value, Status.HELD.value]),
            )
            unwanted = record.c.payload.contains('"absent":true') | (record.c.status == Status.FILTERED.value)
            connection.execute(
                record.update()
                .where(
                    self._here,
                    record.c.origin.in_(came),
                    sa.func.coalesce(unwanted, sa.false()).is_(sa.false()),
                )
                .values(seen_run=self._session.run)
            )
            again = (
                record.c.origin.is_not(None)
                & record.c.seen_run.is_not(None)
                & (record.c.status == Status.DONE.value)
            )
            connection.execute(record.update().where(self._here, again).values(status=Status.READY.value))
            gone = sa.select(record.c.ref, sa.literal("filtered")).where(
                self._here, _to_compare(), record.c.payload.contains('"absent":true')
            )
            connection.execute(verified.insert().from_select(["ref", "outcome"], gone))
            put_off = sa.case(
                (earlier.c.reason == OTHER_SUB_ACCOUNT, "filtered"),
                (earlier.c.status == Status.REJECTED.value, "rejected"),
                else_="held",
            )
            connection.execute(
                verified.insert().from_select(
                    ["ref", "outcome"],
                    sa.select(record.c.ref, put_off)
                    .join(earlier, earlier.c.ref == record.c.ref)
                    .where(self._here, _to_compare(), record.c.ref.not_in(sa.select(verified.c.ref))),
                )
            )

    # Looking records up

    def by_id(self, object_: str, hl_ids: Sequence[str]) -> dict[str, Row]:
        """Return the records of the crosswalk that have these HighLevel ids."""
        return {
            str(row.hl_id): row for row in self._rows(record.c.object == object_, record.c.hl_id.in_(hl_ids))
        }

    def by_source(self, object_: str, source_id: str) -> Row | None:
        """Return the record of this identity, if the account or the crosswalk has it."""
        return next(iter(self._rows(record.c.object == object_, record.c.source_id == source_id)), None)

    def of_parent(self, object_: str, parent_id: str) -> list[Row]:
        """Return the records that hang on a contact."""
        return self._rows(record.c.object == object_, record.c.parent_id == parent_id)

    def _rows(self, *conditions: sa.ColumnElement[bool]) -> list[Row]:
        with self._ledger.transaction() as connection:
            found = connection.execute(sa.select(record).where(self._here, *conditions)).mappings().all()
        return [row_from(row) for row in found]

    def open(self, *conditions: sa.ColumnElement[bool]) -> Iterator[Row]:
        """Yield every record that should be in HighLevel and that nothing has been said of yet."""
        last = ""
        both = record.outerjoin(verified, verified.c.ref == record.c.ref)
        while True:
            query = (
                sa.select(record)
                .select_from(both)
                .where(self._here, _to_compare(), verified.c.ref.is_(None), record.c.ref > last, *conditions)
                .order_by(record.c.ref)
                .limit(_BATCH)
            )
            with self._ledger.transaction() as connection:
                rows = connection.execute(query).mappings().all()
            yield from (row_from(row) for row in rows)
            if len(rows) < _BATCH:
                return
            last = rows[-1]["ref"]

    def parents(self, object_: str) -> Iterator[str]:
        """Yield the HighLevel id of every contact on which something of this kind should hang."""
        last = ""
        while True:
            query = (
                sa.select(record.c.parent_id)
                .where(self._here, record.c.object == object_, _to_compare(), record.c.parent_id > last)
                .distinct()
                .order_by(record.c.parent_id)
                .limit(_BATCH)
            )
            with self._ledger.transaction() as connection:
                found = list(connection.execute(query).scalars())
            yield from found
            if len(found) < _BATCH:
                return
            last = found[-1]

    def place(self, object_: str) -> None:
        """Give every record that was never written the contact it would hang on."""
        for row in self.open(record.c.object == object_, record.c.parent_id.is_(None)):
            parent = self._session.work.hl_id(f"contact:{row.contact}") if row.contact else None
            if parent:
                with self._ledger.transaction() as connection:
                    connection.execute(
                        record.update().where(self._here, record.c.ref == row.ref).values(parent_id=parent)
                    )

    def wanted_here(self, rows: Iterable[Row]) -> list[Row]:
        """Return those records that were received, should be in HighLevel, and have not been looked at."""
        candidates = [row for row in rows if row.payload is not None and row.status == Status.READY.value]
        known = self._findings.known([row.ref for row in candidates])
        return [row for row in candidates if row.digest and row.ref not in known]

    # Comparing

    def compare(self, row: Row, there: Mapping[str, Any]) -> list[Compared] | None:
        """Compare one record with what HighLevel holds; None when it is one that cannot be written at all."""
        spec = self._session.specs[row.stream]
        kind = self._session.kinds[spec.kind]
        contributions = self._session.work.contributions(row)
        fields = fold(spec, row.fields, contributions, self._now)
        try:
            wanted = kind.prepare(row, spec, fields)
        except Rejected as rejected:
            self.reject(row, rejected.reason, rejected.field)
            return None
        if (row.payload or {}).get("only_these"):  # left out now, but there already: the rest stays as it was
            wanted, there = (
                {name: value for name, value in side.items() if name in row.fields}
                for side in (wanted, there)
            )
        if spec.kind == "note" and "user" not in wanted:  # without an author of ours HighLevel may name any
            there = {name: value for name, value in there.items() if name != "user"}

        def clocked(name: str, value: Any) -> bool:
            if name == "completed":
                return fields.get("completed") is None and value is False
            declared = spec.fields.get(name)
            if declared is None or declared.kind != "owner":
                return False
            given = [part[name] for _, part in contributions if part.get(name)]
            return value in {kind.user(item.get("ref")) for item in given}

        def was_written(name: str, value: Any) -> bool:
            return holds(row.written.get(name), spec.field(name), value, self._ledger.salt)

        case = Case(row, spec, wanted, there, was_written, clocked, self._session.settings.overwrite)
        return list(compare(case))

    def reject(self, row: Row, reason: str, field: str | None) -> None:
        """Keep that a record cannot be written as it is."""
        self._findings.outcome(row, "rejected")
        with self._ledger.transaction() as connection:
            connection.execute(earlier.delete().where(earlier.c.ref == row.ref))
            values = {
                "ref": row.ref,
                "status": Status.REJECTED.value,
                "reason": reason,
                "reason_field": field,
            }
            connection.execute(earlier.insert().values(**values))

    def settle(self) -> None:
        """Leave the ledger as the report reads it: what is there is unchanged, the rest held or rejected."""
        with self._ledger.transaction() as connection:
            mine = (self._here, record.c.seen_run.is_not(None))
            connection.execute(record.update().where(*mine).values(seen_run=self._session.run))
            for name in ("status", "reason", "reason_field"):
                value = sa.select(earlier.c[name]).where(earlier.c.ref == record.c.ref).scalar_subquery()
                put_off = sa.exists().where(earlier.c.ref == record.c.ref) & (
                    record.c.status != Status.FILTERED.value
                )
                connection.execute(record.update().where(*mine, put_off).values({name: value}))
            left_out = sa.select(verified.c.ref).where(verified.c.outcome == "filtered")
            gone = record.c.ref.in_(left_out) & (sa.func.coalesce(record.c.reason, "") != OTHER_SUB_ACCOUNT)
            unwanted = {"status": Status.FILTERED.value, "reason": "no_longer_wanted"}
            connection.execute(record.update().where(*mine, gone).values(unwanted))
            found = record.update().where(
                *mine, record.c.status == Status.READY.value, record.c.hl_id.is_not(None)
            )
            connection.execute(found.values(status=Status.DONE.value))
            connection.execute(
                record.update()
                .where(self._here, record.c.seen_run.is_(None), record.c.status != Status.DONE.value)
                .values(status=Status.DONE.value)
            )


def _to_compare() -> sa.ColumnElement[bool]:
    return record.c.seen_run.is_not(None) & (record.c.status == Status.READY.value)
