"""Partial records: what other records contribute to a record, kept per contributor."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from target_highlevel.ledger.bulk import FOLLOWS, batches, release
from target_highlevel.ledger.rows import Status
from target_highlevel.ledger.tables import contribution, joined, record
from target_highlevel.ledger.transitions import CHANGED
from target_highlevel.values import canonical_json, record_json

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from target_highlevel.descriptor import Incoming

#: Contributor under whose name stands what a main record itself says of folded fields: it is needed again when only a
#: contribution changes.
OWN = ""
#: Before the ref of a contact in the table of joins: the record has the owner of that contact.
OWNER_OF = "owner of "
#: Why a patient of another location is left out; a booking here brings the patient back.
OTHER_SUB_ACCOUNT = "other_sub_account"
#: Why a patient without visits has no opportunity yet; a visit brings it.
NO_VISIT = "no_visit"
#: Why patients and invoices are left out, and with them what waits for them.
LEFT_OUT_ALONG = (OTHER_SUB_ACCOUNT, "archived_left_out", "deleted_left_out", "too_old")

# Asked of every contribution that comes, most of them unchanged: statements that are built once.
_KEYS: sa.BindParameter[Any] = sa.bindparam("b_keys", expanding=True)
_SAID_BY = sa.select(contribution.c.target, contribution.c.part, contribution.c.fields).where(
    contribution.c.location == sa.bindparam("b_location"), contribution.c.part.in_(_KEYS)
)
_REJECTED = (record.c.status == Status.REJECTED.value) & record.c.payload.is_(None) & record.c.hl_id.is_(None)


class Partials:
    """Takes contributions in, inside the caller's transaction."""

    def __init__(self, location: str, run: str) -> None:
        """Work on the rows of this sub-account for one run."""
        self._location = location
        self._run = run
        self._here = record.c.location == location
        #: Refs of what could not be mapped, once they are asked for: they are few, and contributions many.
        self._rejects: set[str] | None = None

    def take(self, connection: sa.Connection, parts: Sequence[Incoming], seq: int) -> None:
        """Store contributions and requeue the records concerned under this sequence number."""
        self._forget_rejects(connection, {f"{item.spec.object}:{item.part}" for item in parts})
        gone = {str(item.part) for item in parts if item.filtered}
        given = [item for item in parts if not item.filtered]
        known = self._said_by(connection, {str(item.part) for item in parts})
        moved = self._withdraw(connection, gone, given, known)
        here = self._location
        rows = []
        changed: set[str] = set()
        for item in given:
            fields = record_json(item.fields)
            if known.get((item.ref, str(item.part))) != fields:
                changed.add(item.ref)
                rows.append({"location": here, "target": item.ref, "part": item.part, "fields": fields})
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
            self._touch(connection, changed | moved, seq)

    def note_rejects(self, refs: Iterable[str]) -> None:
        """Take note of records that came and could not be mapped."""
        if self._rejects is not None:
            self._rejects.update(refs)

    def keep_own(self, connection: sa.Connection, mains: Sequence[Incoming]) -> None:
        """Keep what main records say of folded fields; one that is left out adds to what it said before, if that is known."""
        left_out = {item.ref for item in mains if item.spec.folded and item.filtered}
        before = {ref: json.loads(text) for ref, text in self._known_own(connection, left_out).items()}
        folding = [
            item
            for item in mains
            if item.spec.folded
            and not item.rejected
            and item.resolved is None
            and (not item.filtered or item.ref in before)
        ]
        for some in batches({item.ref for item in folding}):
            connection.execute(contribution.delete().where(self._own, contribution.c.target.in_(some)))
        rows = []
        for item in folding:
            names = {declared.name for declared in item.spec.folded} & item.fields.keys()
            said = {**before.get(item.ref, {}), **{name: item.fields[name] for name in names}}
            rows.append(
                {"location": self._location, "target": item.ref, "part": OWN, "fields": canonical_json(said)}
            )
        if rows:
            connection.execute(contribution.insert(), rows)

    @property
    def _own(self) -> sa.ColumnElement[bool]:
        return (contribution.c.location == self._location) & (contribution.c.part == OWN)

    def _known_own(self, connection: sa.Connection, targets: set[str]) -> dict[str, str]:
        """Return what the main records among these said of folded fields."""
        found: dict[str, str] = {}
        for some in batches(targets):
            query = sa.select(contribution.c.target, contribution.c.fields).where(
                self._own, contribution.c.target.in_(some)
            )
            found.update({row.target: row.fields for row in connection.execute(query)})
        return found

    def _forget_rejects(self, connection: sa.Connection, contributors: set[str]) -> None:
        """A contributor that could not be mapped stood in the list of rejects under its own name; now it could be."""
        if not contributors:
            return
        if self._rejects is None:
            known = sa.select(record.c.ref).where(self._here, _REJECTED)
            self._rejects = set(connection.execute(known).scalars())
        for some in batches(contributors & self._rejects):
            connection.execute(record.delete().where(self._here, _REJECTED, record.c.ref.in_(some)))

    def _said_by(self, connection: sa.Connection, parts: set[str]) -> dict[tuple[str, str], str]:
        """Return what these contributors have contributed so far, by target and contributor."""
        found: dict[tuple[str, str], str] = {}
        for some in batches(parts):
            rows = connection.execute(_SAID_BY, {"b_location": self._location, "b_keys": some}).all()
            found.update({(target, part): fields for target, part, fields in rows})
        return found

    def _withdraw(
        self,
        connection: sa.Connection,
        gone: set[str],
        given: Sequence[Incoming],
        known: dict[tuple[str, str], str],
    ) -> set[str]:
        """Withdraw what contributors have contributed that are gone, or that now contribute to another record.

        An appointment moved to another patient no longer says anything of the first one.
        """
        now = {(str(item.part), item.spec.object): item.source_id for item in given}
        touched: set[str] = set()
        for target, part in list(known):
            object_, _, source_id = target.partition(":")
            if part in gone or now.get((part, object_), source_id) != source_id:
                one = (contribution.c.target == target) & (contribution.c.part == part)
                connection.execute(
                    contribution.delete().where(contribution.c.location == self._location, one)
                )
                del known[target, part]
                touched.add(target)
        return touched

    def _touch(self, connection: sa.Connection, targets: set[str], seq: int) -> None:
        """Requeue every record that folds these keys, and release those that waited for them."""
        refs = set(targets)
        for some in batches(targets):
            query = sa.select(joined.c.child).where(
                joined.c.location == self._location,
                joined.c.target.in_([*some, *(f"{FOLLOWS}{target}" for target in some)]),
            )
            refs.update(connection.execute(query).scalars())
        for some in batches(refs):
            # A record found in HighLevel (lost ledger) has no digest until it is received: by then all partials are here.
            again = CHANGED.update(
                self._here,
                record.c.ref.in_(some),
                (record.c.status == Status.DONE.value)
                | (
                    (record.c.status == Status.FILTERED.value)
                    & record.c.reason.in_([OTHER_SUB_ACCOUNT, NO_VISIT])
                ),
                record.c.digest.is_not(None),
            )
            connection.execute(again.values(version=record.c.version + 1, seq=seq, seen_run=self._run))
            pending = record.update().where(
                self._here,
                record.c.ref.in_(some),
                record.c.status.in_([Status.READY.value, Status.HELD.value]),
            )
            connection.execute(pending.values(version=record.c.version + 1))
        release(connection, self._location, {f"join:{target}" for target in targets})
