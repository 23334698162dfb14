"""What is to be written next, and what became of it: intent before a request, outcome after, both durable."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from target_highlevel.ledger import audit
from target_highlevel.ledger.bulk import Bulk, look_again, release
from target_highlevel.ledger.relations import LAST
from target_highlevel.ledger.rows import Outcome, Row, Status, row_from
from target_highlevel.ledger.tables import before_image, contribution, dependency, joined, record
from target_highlevel.values import canonical_json

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from target_highlevel.ledger.ledger import Ledger

#: Reasons of held records that the next run simply tries again.
PASSING = ("day_budget_spent", "server_error", "interrupted")


ALL_LISTED = "*"
#: What is forgotten of a record that is not in HighLevel any more; as it was, an unchanged reading would pass it over.
FORGOTTEN: dict[str, Any] = {
    "hl_id": None,
    "parent_id": None,
    "status": Status.FILTERED.value,
    "reason_field": None,
    "payload": None,
    "digest": None,
    "written": None,
}

#: Name in a before-image of what the ledger knew of the record; all others are its fields in HighLevel.
KNOWN = "_known"

# Every write needs these: to build a statement costs more than to run it, so they are built once.
_HERE: sa.BindParameter[str] = sa.bindparam("b_location")
_REF: sa.BindParameter[str] = sa.bindparam("b_ref")
_ONE = (record.c.location == _HERE) & (record.c.ref == _REF)
_ROW = sa.select(record).where(_ONE)
_HL_ID = sa.select(record.c.hl_id).where(_ONE)
_SET = record.update().where(_ONE)
_SET_UNCHANGED = record.update().where(_ONE, record.c.version == sa.bindparam("b_version"))
_JOINED = sa.select(joined.c.target).where(joined.c.location == _HERE, joined.c.child == _REF)
_GIVEN = sa.select(contribution.c.part, contribution.c.fields).where(
    contribution.c.location == _HERE, contribution.c.target.in_(sa.bindparam("b_targets", expanding=True))
)

#: A record that was found in HighLevel and has not been received from the source yet.
_ADOPTED = {"status": Status.DONE.value, "version": 0, "seq": 0, "priority": "~", "listed": ""}


class Work:
    """Hands out ready records and takes back what was done with them."""

    def __init__(self, ledger: Ledger, run: str) -> None:
        """Work for one run."""
        self.settled = 0
        #: Whether everything that contributors have ever said is in the ledger.
        self.knows_all = True
        self._ledger = ledger
        self.location = ledger.location
        self.run = run
        self._here = record.c.location == ledger.location

    # What is there to do

    def resume(self) -> int:
        """Make ready what an earlier run put off for a passing reason; return how many records wait to be written."""
        with self._ledger.transaction() as connection:
            put_off = record.update().where(
                self._here, record.c.status == Status.HELD.value, record.c.reason.in_(PASSING)
            )
            connection.execute(put_off.values(status=Status.READY.value, reason=None))
            connection.execute(
                record.update()
                .where(self._here, record.c.status == Status.READY.value)
                .values(seen_run=self.run)
            )
            return self._count(connection, Status.READY)

    def waiting(self) -> int:
        """Return how many records are ready to be written."""
        with self._ledger.transaction() as connection:
            return self._count(connection, Status.READY)

    def _count(self, connection: sa.Connection, status: Status) -> int:
        query = (
            sa.select(sa.func.count()).select_from(record).where(self._here, record.c.status == status.value)
        )
        return int(connection.execute(query).scalar_one())

    def claim(self, limit: int, busy: Iterable[str]) -> list[Row]:
        """Return the next ready records that no worker holds, parents first."""
        busy = set(busy)
        query = (
            sa.select(record)
            .where(self._here, record.c.status == Status.READY.value)
            .order_by(record.c.rank, record.c.priority, record.c.seq)
            .limit(limit + len(busy))
        )
        with self._ledger.transaction() as connection:
            rows = connection.execute(query).mappings().all()
        return [row_from(row) for row in rows if row["ref"] not in busy][:limit]

    def low_water(self) -> int | None:
        """Return the number of the oldest reception that is still to be written, or None when there is none."""
        query = sa.select(sa.func.min(record.c.seq)).where(self._here, record.c.status == Status.READY.value)
        with self._ledger.transaction() as connection:
            return connection.execute(query).scalar()

    def contributions(self, row: Row) -> list[tuple[str, dict[str, Any]]]:
        """Return (contributor, fields) of every partial that folds into this record."""
        with self._ledger.transaction() as connection:
            # two statements: with an OR, or sorted by the database, every contribution to anybody would be read
            targets = [row.ref, *connection.execute(_JOINED, self._one(row.ref)).scalars()]
            found = connection.execute(_GIVEN, {"b_location": self.location, "b_targets": targets}).all()
        return [(part, json.loads(fields)) for part, fields in sorted(found, key=lambda each: each.part)]

    # Looking things up

    def hl_id(self, ref: str) -> str | None:
        """Return the HighLevel id of a record, if it has one."""
        with self._ledger.transaction() as connection:
            return connection.execute(_HL_ID, self._one(ref)).scalar()

    def row(self, ref: str) -> Row | None:
        """Return a record of the ledger."""
        with self._ledger.transaction() as connection:
            found = connection.execute(_ROW, self._one(ref)).mappings().first()
        return row_from(found) if found else None

    def shared(self, row: Row) -> bool:
        """Return whether another wanted record has the same HighLevel id: a relation that both sides of it named.

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
            other.status == Status.DONE.value or self._wants(other, row.notes.get("link", {}))
            for other in others
        )

    def _wants(self, relation: Row, link: Mapping[str, str]) -> bool:
        """Return whether a relation that is to be written is this link: association and ids of both ends."""
        payload, fields = relation.payload or {}, relation.fields
        if not link or payload.get("absent") or not fields.get("first"):
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

    # The write protocol

    def intend(
        self,
        row: Row,
        action: str,
        method: str,
        route: str,
        *,
        fields: Iterable[str] = (),
        before: Any = None,
    ) -> None:
        """Make durable that a write is about to be tried, with what rollback would need to undo it."""
        row.intent = {
            "action": action,
            "run": self.run,
            "at": self._stamp(),
            "method": method,
            "route": route,
        }
        with self._ledger.transaction() as connection:
            self._set(connection, row.ref, intent=json.dumps(row.intent))
            if before is not None:
                self._keep_before(connection, row, before)
            self._audit(connection, row, "intent", None, sorted(fields))

    def answered(self, row: Row, *, first: bool) -> None:
        """Take note that HighLevel has refused a create: nothing is there, unless an earlier try has had no answer."""
        assert row.intent is not None  # noqa: S101 - what is refused has been intended
        row.intent["answered"] = first

    def claim_id(self, row: Row, hl_id: str, *, ours: bool) -> bool:
        """Take a HighLevel record for this one, unless another of our records has it: two patients never share a contact.

        With ``ours`` we have made it ourselves, which is remembered even if the run ends before the record is settled.
        """
        with self._ledger.transaction() as connection:
            query = sa.select(record.c.ref).where(
                self._here, record.c.object == row.object, record.c.hl_id == hl_id
            )
            owner = connection.execute(query.limit(1)).scalar()
            if owner not in {None, row.ref}:
                return False
            self._set(connection, row.ref, hl_id=hl_id, **({"created_run": self.run} if ours else {}))
        row.hl_id, row.created_here = hl_id, ours
        row.created_run = self.run if ours else row.created_run
        return True

    def settle(
        self,
        row: Row,
        outcome: Outcome,
        *,
        hl_id: str | None,
        written: Mapping[str, str],
        parent_id: str | None = None,
        notes: Mapping[str, Any] | None = None,
        keep_payload: bool = False,
    ) -> None:
        """Make durable that a record is in HighLevel as wanted, and release what waited for it."""
        with self._ledger.transaction() as connection:
            values: dict[str, Any] = {
                "hl_id": hl_id,
                "written": canonical_json(dict(written)),
                "notes": canonical_json(dict(notes)) if notes else None,
                "intent": None,
                **self._outcome(row, outcome),
            }
            if parent_id is not None:
                values["parent_id"] = parent_id
            if outcome is Outcome.CREATED:
                values["created_run"] = self.run
                values["listed"] = ALL_LISTED  # nothing of ours can hang on what we have just made
            self._set(connection, row.ref, **values)
            self._finish(connection, row, Status.DONE, keep_payload=keep_payload)
            row.hl_id = hl_id
            self._audit(connection, row, "outcome", outcome.value)
            release(connection, self._ledger.location, [row.ref])

    def drop(self, row: Row, reason: str, *, before: Mapping[str, Any] | None = None) -> None:
        """Record that a record is not wanted in HighLevel, or no longer there by our own doing."""
        with self._ledger.transaction() as connection:
            if before is not None:
                self._keep_before(connection, row, before)
            self._audit(connection, row, "outcome", Outcome.REMOVED.value)
            # Received again as it was, an absent record stays absent; anything else that comes again is wanted again.
            digest = row.digest if (row.payload or {}).get("absent") else None
            self._set(
                connection, row.ref, hl_id=None, intent=None, written=None, digest=digest, reason=reason
            )
            self._finish(connection, row, Status.FILTERED)

    def leave_out(self, row: Row, reason: str) -> None:
        """Record that a record is not wanted, and that a write of it which was begun had not happened."""
        with self._ledger.transaction() as connection:
            self._set(connection, row.ref, intent=None, reason=reason)
            self._finish(connection, row, Status.FILTERED)

    def left(self, row: Row) -> None:
        """Record that a record's copy in HighLevel no longer stands for it: it is to be made anew, as if it had never been."""
        gone = dict.fromkeys(("hl_id", "parent_id", "written", "notes", "created_run", "intent"))
        with self._ledger.transaction() as connection:
            self._audit(connection, row, "outcome", "left")
            self._set(connection, row.ref, **gone)
        row.hl_id = row.parent_id = row.created_run = row.intent = None
        row.written, row.notes = {}, {}

    def set_aside(self, row: Row, reason: str) -> None:
        """Leave a record out for now, keeping its content."""
        with self._ledger.transaction() as connection:
            self._set(connection, row.ref, reason=reason)
            self._finish(connection, row, Status.FILTERED, keep_payload=True)

    def pass_on(self, reason: str) -> None:
        """Give what waits for records that were set aside the same reason, and what waits for that, and so on."""
        parent = record.alias()
        waiting = (
            sa.select(dependency.c.child)
            .join(
                parent,
                (parent.c.location == dependency.c.location) & (parent.c.ref == dependency.c.parent),
            )
            .where(dependency.c.location == self._ledger.location, parent.c.reason == reason)
        )
        held = record.update().where(
            self._here,
            record.c.status == Status.HELD.value,
            record.c.reason != reason,
            record.c.ref.in_(waiting),
        )
        with self._ledger.transaction() as connection:
            while connection.execute(held.values(reason=reason)).rowcount:
                pass

    def reject(self, row: Row, reason: str, field: str | None = None) -> None:
        """Keep a record that HighLevel or the mapping refused, with its payload, so that it can be replayed."""
        with self._ledger.transaction() as connection:
            self._audit(connection, row, "outcome", f"rejected:{reason}")
            self._set(connection, row.ref, reason=reason, reason_field=field)
            if row.hl_id or not row.intent or row.intent.get("answered"):
                self._set(connection, row.ref, intent=None)  # else a create may have happened all the same
            self._finish(connection, row, Status.REJECTED, keep_payload=True)

    def hold(self, row: Row, reason: str) -> None:
        """Put a record off; its intent stays open when nobody knows whether the write happened."""
        with self._ledger.transaction() as connection:
            connection.execute(
                record.update()
                .where(self._here, record.c.ref == row.ref, record.c.status == Status.READY.value)
                .values(status=Status.HELD.value, reason=reason)
            )

    def hold_rest(self, reason: str) -> int:
        """Put off everything that is still to be written; return how many records that is."""
        with self._ledger.transaction() as connection:
            ready = record.update().where(self._here, record.c.status == Status.READY.value)
            return connection.execute(ready.values(status=Status.HELD.value, reason=reason)).rowcount

    def replay(self) -> int:
        """Make every rejected record ready again as it was received; return how many."""
        with self._ledger.transaction() as connection:
            rejected = record.update().where(
                self._here, record.c.status == Status.REJECTED.value, record.c.payload.is_not(None)
            )
            values = {
                "status": Status.READY.value,
                "reason": None,
                "reason_field": None,
                "seen_run": self.run,
            }
            return connection.execute(rejected.values(**values)).rowcount

    def adopt(self, found: Iterable[Mapping[str, Any]]) -> None:
        """Put records found in HighLevel into the ledger (rebuild of the crosswalk); what it knows already is left alone."""
        with self._ledger.transaction() as connection:
            for values in found:
                known = connection.execute(
                    sa.select(record.c.hl_id).where(self._here, record.c.ref == values["ref"])
                ).first()
                written = canonical_json(values["written"])
                if known is None:
                    notes = canonical_json(values.get("notes", {}))
                    row = {**values, "written": written, "notes": notes, "location": self._ledger.location}
                    connection.execute(record.insert().values(**row, **_ADOPTED))
                elif known.hl_id is None:
                    more = {
                        "hl_id": values["hl_id"],
                        "parent_id": values.get("parent_id"),
                        "written": written,
                    }
                    more["notes"] = canonical_json(values.get("notes", {}))
                    self._set(connection, values["ref"], **more)
                release(connection, self._ledger.location, [values["ref"]])

    def match(self, ref: str, hl_id: str) -> None:
        """Give a practitioner a user, and have the contacts that name the practitioner as their owner looked at again."""
        with self._ledger.transaction() as connection:
            self._set(connection, ref, hl_id=hl_id, status=Status.DONE.value, reason=None)
            look_again(connection, self._ledger.location, ref, self.run)

    def unmatch(self, users: Collection[str]) -> list[str]:
        """Take from practitioners the users that are none of these any more; return the practitioners' refs."""
        with self._ledger.transaction() as connection:
            query = sa.select(record.c.ref).where(
                self._here,
                record.c.object == "user",
                record.c.hl_id.is_not(None),
                record.c.hl_id.not_in(users),
            )
            gone = list(connection.execute(query).scalars())
            for ref in gone:
                self._set(
                    connection, ref, hl_id=None, status=Status.FILTERED.value, reason="no_user", digest=None
                )
                look_again(connection, self._ledger.location, ref, self.run)
            Bulk(self._ledger.location).admit(connection, gone, self.run)
        return gone

    def forget_received(self) -> None:
        """Have every record looked at again when it comes, and everything that contributors say taken as new."""
        with self._ledger.transaction() as connection:
            connection.execute(record.update().where(self._here).values(digest=None))
            connection.execute(contribution.delete().where(contribution.c.location == self._ledger.location))

    def mark_listed(self, row: Row, kind: str) -> None:
        """Record that everything of this kind that hangs on a contact has been read."""
        with self._ledger.transaction() as connection:
            self._set(connection, row.ref, listed=f"{row.listed} {kind}".strip())

    # Inside

    def _one(self, ref: str) -> dict[str, Any]:
        return {"b_location": self.location, "b_ref": ref}

    def _stamp(self) -> str:
        return self._ledger.now().strftime("%Y-%m-%dT%H:%M:%S.%fZ")

    def _outcome(self, row: Row, outcome: Outcome) -> dict[str, Any]:
        """A record created in this run stays *created* when a later partial updates it, or the counts would not close."""
        if row.outcome_run == self.run and row.outcome == Outcome.CREATED.value:
            return {"seen_run": self.run}
        if outcome is Outcome.UNCHANGED and row.outcome_run == self.run:
            return {"seen_run": self.run}
        return {"outcome": outcome.value, "outcome_run": self.run, "seen_run": self.run}

    def _finish(
        self, connection: sa.Connection, row: Row, status: Status, *, keep_payload: bool = False
    ) -> None:
        """Set the status unless the record changed while it was being written: then it stays ready."""
        self.settled += 1
        values: dict[str, Any] = {"status": status.value}
        if status is Status.DONE:
            values["reason"] = None
        if not keep_payload:
            values |= {"payload": None, "priority": LAST}  # what decided its turn may be a date of birth
        connection.execute(_SET_UNCHANGED, {**self._one(row.ref), "b_version": row.version, **values})

    def _set(self, connection: sa.Connection, ref: str, **values: Any) -> None:
        connection.execute(_SET, {**self._one(ref), **values})

    def _keep_before(self, connection: sa.Connection, row: Row, fields: Mapping[str, Any]) -> None:
        """Keep the first values seen in this run, and what the ledger knew; a second update in the same run only adds fields."""
        key = (
            (before_image.c.location == self._ledger.location)
            & (before_image.c.run == self.run)
            & (before_image.c.ref == row.ref)
        )
        known = connection.execute(sa.select(before_image.c.fields).where(key)).scalar()
        merged = {**fields, KNOWN: _known(row), **(json.loads(known) if known else {})}
        connection.execute(before_image.delete().where(key))
        connection.execute(
            before_image.insert().values(
                location=self._ledger.location, run=self.run, ref=row.ref, fields=json.dumps(merged)
            )
        )

    def _audit(
        self, connection: sa.Connection, row: Row, event: str, status: str | None, fields: Iterable[str] = ()
    ) -> None:
        """Note what was begun, or what came of it; of a record that needed no write there is nothing to say."""
        intent = row.intent
        if intent is None:
            return
        audit.append(
            connection,
            {
                "at": self._stamp(),
                "location": self._ledger.location,
                "run": self.run,
                "event": event,
                "action": intent["action"],
                "object": row.object,
                "source_id": row.source_id,
                "hl_id": row.hl_id,
                "method": intent["method"],
                "route": intent["route"],
                "status": status,
                "fields": canonical_json(list(fields)),
            },
        )


def _known(row: Row) -> dict[str, Any]:
    """Return what the ledger knows of a record and a rollback gives back to it."""
    return {
        "hl_id": row.hl_id,
        "parent_id": row.parent_id,
        "created_run": row.created_run,
        "outcome": row.outcome,
        "outcome_run": row.outcome_run,
        "written": row.written,
        "notes": row.notes,
    }
