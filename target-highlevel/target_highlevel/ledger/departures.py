"""Records that leave a sub-account because they belong to another one of the clinic's now."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

from target_highlevel.ledger.bulk import portions
from target_highlevel.ledger.partials import OTHER_SUB_ACCOUNT
from target_highlevel.ledger.rows import Outcome, Row, Status, row_from
from target_highlevel.ledger.tables import dependency, record
from target_highlevel.ledger.transitions import DEPARTED, WAITS
from target_highlevel.ledger.work import Work
from target_highlevel.payload import Payload

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

#: What is forgotten of a record that is here no more; what it is to hold is kept, for the day on which it comes back.
_GONE = dict.fromkeys(("hl_id", "parent_id", "written", "notes", "created_run", "intent"))
#: Action of the requests by which a record leaves.
DEPART = "depart"
#: What stands between the ends in the ref of a relation, and the sign that sorts next.
_BETWEEN, _BEHIND = "|", "}"


class Departures(Work):
    """The ledger's side of a departure."""

    def links(self, row: Row, associations: Iterable[str]) -> list[Row]:
        """Return the relations of a record: those derived from it, and those of these associations, whose first end it is."""
        wanted = (record.c.object == "relation") & (record.c.status != Status.FILTERED.value)
        found: dict[str, Row] = {}
        with self._ledger.transaction() as connection:
            ends = [record.c.origin == row.ref]
            for key in associations:
                begins = f"relation:{key}|{row.ref}"
                # found by the key of the table, which sorts by bytes
                ends.append((record.c.ref > f"{begins}{_BETWEEN}") & (record.c.ref < f"{begins}{_BEHIND}"))
            for end in ends:  # one statement each: with an OR, SQLite would scan the whole ledger
                query = sa.select(record).where(self._here, wanted, end)
                found |= {each["ref"]: row_from(each) for each in connection.execute(query).mappings()}
        return list(found.values())

    def departed(self, row: Row, waits_for: str | None) -> None:
        """Record that a record has left; one that followed another waits for its return."""
        with self._ledger.transaction() as connection:
            self._audit(connection, row, "outcome", Outcome.REMOVED.value)
            self._set(connection, row.ref, **_GONE, reason=OTHER_SUB_ACCOUNT)
            if row.object == "relation":
                ends = dict(zip(("association", "first", "second"), row.source_id.split("|"), strict=True))
                row.payload = Payload(fields=ends)
                self._set(connection, row.ref, payload=row.payload.json())
            if (
                row.payload is None
            ):  # written before the clinic was divided: it has to be read anew to come back
                self._set(connection, row.ref, digest=None)
            waits = [waits_for] if waits_for and row.payload else []
            self._finish(connection, row, WAITS if waits else DEPARTED, keep_payload=True)
            self._wait(connection, row, waits)

    def waits(self, row: Row) -> bool:
        """Hold a record that is related to something that is not here; return whether it is."""
        with self._ledger.transaction() as connection:
            # there is nothing to be written, and nothing to be looked for
            if row.content.absent and not row.intent:
                return False
            ends = [row.fields[end] for end in ("first", "second") if row.object == "relation" and row.fields]
            related = {*ends, *(ref for _, ref in row.content.relations)} if not row.content.absent else set()
            missing = sorted(ref for ref in related if not self.hl_id(ref))
            if missing:
                self._set(connection, row.ref, reason=f"waits_for:{missing[0]}")
                self._finish(connection, row, WAITS, keep_payload=True)
                self._wait(connection, row, missing)
        return bool(missing)

    def gone_before(self, row: Row) -> str | None:
        """Return what a record is related to and that has left for another sub-account, if it has."""
        related = (self.row(ref) for _, ref in row.content.relations)
        return next((each.ref for each in related if each and each.reason == OTHER_SUB_ACCOUNT), None)

    def _wait(self, connection: sa.Connection, row: Row, parents: Sequence[str]) -> None:
        mine = (dependency.c.location == self.location) & (dependency.c.child == row.ref)
        connection.execute(dependency.delete().where(mine))
        if parents:
            rows = [{"location": self.location, "child": row.ref, "parent": parent} for parent in parents]
            connection.execute(dependency.insert(), rows)

    def ready(self) -> Iterator[Row]:
        """Yield every record that is ready to be written, links apart."""
        ready = sa.select(record).where(
            self._here, record.c.status == Status.READY.value, record.c.object != "relation"
        )
        yield from map(row_from, portions(self._ledger, ready, record.c.ref))
