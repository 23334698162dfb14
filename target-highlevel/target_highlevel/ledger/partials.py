"""Partial records: what other records contribute to a record, kept per contributor."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

from target_highlevel.ledger.bulk import batches, release
from target_highlevel.ledger.rows import Status
from target_highlevel.ledger.tables import contribution, joined, record
from target_highlevel.values import canonical_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from target_highlevel.descriptor import Incoming

#: Why a patient of another location is left out; a booking here brings the patient back.
OTHER_SUB_ACCOUNT = "other_sub_account"


class Partials:
    """Takes contributions in, inside the caller's transaction."""

    def __init__(self, location: str, run: str) -> None:
        """Work on the rows of this sub-account for one run."""
        self._location = location
        self._run = run
        self._here = record.c.location == location

    def take(self, connection: sa.Connection, parts: Sequence[Incoming], seq: int) -> None:
        """Keep what contributors give, and have the records concerned written again under this number."""
        self._forget_rejects(connection, {f"{item.spec.object}:{item.part}" for item in parts})
        gone = {str(item.part) for item in parts if item.filtered}
        given = [item for item in parts if not item.filtered]
        moved = self._withdraw(connection, gone, given)
        known = self._known_contributions(connection, {item.ref for item in given})
        changed = [
            item
            for item in given
            if known.get((item.ref, str(item.part))) != canonical_json(dict(item.fields))
        ]
        here = self._location
        rows = [
            {
                "location": here,
                "target": item.ref,
                "part": item.part,
                "fields": canonical_json(dict(item.fields)),
            }
            for item in changed
        ]
        if rows:
            keys = [{"t": row["target"], "p": row["part"], "l": here} for row in rows]
            before = contribution.delete().where(
                contribution.c.location == sa.bindparam("l"),
                contribution.c.target == sa.bindparam("t"),
                contribution.c.part == sa.bindparam("p"),
            )
            connection.execute(before, keys)
            connection.execute(contribution.insert(), rows)
        if rows or moved:
            self._touch(connection, {item.ref for item in changed} | moved, seq)

    def _forget_rejects(self, connection: sa.Connection, contributors: set[str]) -> None:
        """A contributor that could not be mapped stood in the list of rejects under its own name; now it could be."""
        for some in batches(contributors):
            unmapped = (
                (record.c.status == Status.REJECTED.value)
                & record.c.payload.is_(None)
                & record.c.hl_id.is_(None)
            )
            connection.execute(record.delete().where(self._here, record.c.ref.in_(some), unmapped))

    def _withdraw(self, connection: sa.Connection, gone: set[str], given: Sequence[Incoming]) -> set[str]:
        """Take back what contributors that are gone gave, and what others gave to another record of the kind before.

        An appointment moved to another patient no longer says anything of the first one.
        """
        now = {(str(item.part), item.spec.object): item.source_id for item in given}
        parts = gone | {part for part, _ in now}
        touched: set[str] = set()
        for some in batches(parts):
            mine = (contribution.c.location == self._location) & contribution.c.part.in_(some)
            for target, part in connection.execute(
                sa.select(contribution.c.target, contribution.c.part).where(mine)
            ).all():
                object_, _, source_id = target.partition(":")
                if part in gone or now.get((part, object_), source_id) != source_id:
                    one = (contribution.c.target == target) & (contribution.c.part == part)
                    connection.execute(
                        contribution.delete().where(contribution.c.location == self._location, one)
                    )
                    touched.add(target)
        return touched

    def _known_contributions(
        self, connection: sa.Connection, targets: set[str]
    ) -> dict[tuple[str, str], str]:
        found: dict[tuple[str, str], str] = {}
        for some in batches(targets):
            query = sa.select(contribution).where(
                contribution.c.location == self._location, contribution.c.target.in_(some)
            )
            found.update({(row.target, row.part): row.fields for row in connection.execute(query)})
        return found

    def _touch(self, connection: sa.Connection, targets: set[str], seq: int) -> None:
        """Have every record that folds these keys written again, and release those that waited for them."""
        refs = set(targets)
        for some in batches(targets):
            query = sa.select(joined.c.child).where(
                joined.c.location == self._location, joined.c.target.in_(some)
            )
            refs.update(connection.execute(query).scalars())
        for some in batches(refs):
            # A record found in HighLevel (lost ledger) has no digest until it is received: by then all partials are here.
            again = record.update().where(
                self._here,
                record.c.ref.in_(some),
                (record.c.status == Status.DONE.value)
                | ((record.c.status == Status.FILTERED.value) & (record.c.reason == OTHER_SUB_ACCOUNT)),
                record.c.digest.is_not(None),
            )
            connection.execute(
                again.values(
                    status=Status.READY.value, version=record.c.version + 1, seq=seq, seen_run=self._run
                )
            )
            pending = record.update().where(
                self._here,
                record.c.ref.in_(some),
                record.c.status.in_([Status.READY.value, Status.HELD.value]),
            )
            connection.execute(pending.values(version=record.c.version + 1))
        release(connection, self._location, {f"join:{target}" for target in targets})
