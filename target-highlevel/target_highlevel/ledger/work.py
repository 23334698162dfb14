"""The write log: which records to write next, an intent before each request and an outcome after it, both durable."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from target_highlevel.descriptor import FRONT_DESK, Rank
from target_highlevel.ledger import audit
from target_highlevel.ledger.bulk import (
    AFTER,
    Bulk,
    batches,
    release,
    requeue_diary,
    requeue_naming,
    requeue_written,
)
from target_highlevel.ledger.claims import EVERYBODY
from target_highlevel.ledger.lookup import ONE, Lookup
from target_highlevel.ledger.partials import OWNER_OF
from target_highlevel.ledger.relations import LAST
from target_highlevel.ledger.rows import DIARY, NO_NOTES, OTHERS_SAY, Notes, Outcome, Row, Status, row_from
from target_highlevel.ledger.tables import before_image, contribution, dependency, exclusion, joined, record
from target_highlevel.ledger.transitions import (
    CHANGED,
    FOUND,
    LEFT_OUT,
    MATCHED,
    PUT_OFF,
    REJECTED,
    REPLAYED,
    RETRIED,
    SETTLED,
    UNMATCHED,
    Transition,
)
from target_highlevel.ledger.turns import Turns
from target_highlevel.payload import Payload
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
    "reason_field": None,
    "payload": None,
    "digest": None,
    "written": None,
}

#: Name in a before-image of what the ledger knew of the record; all others are its fields in HighLevel.
KNOWN = "_known"

#: What the trail says of an attempt that did nothing, and begins with where a record was rejected.
NOT_DONE = (_REFUSED, _NOT_SENT) = ("refused", "not_sent")
REJECTED_FOR = "rejected:"
#: Actions that bring HighLevel what is wanted of a record.
_SENDING = ("create", "update")
_PENDING = (Status.READY.value, Status.HELD.value)
_SET = record.update().where(ONE)
_SET_UNCHANGED = record.update().where(ONE, record.c.version == sa.bindparam("b_version"))

#: A record that was found in HighLevel and has not been received from the source yet.
_ADOPTED = {"status": FOUND.status.value, "version": 0, "seq": 0, "priority": "~", "listed": ""}


class Work(Lookup):
    """Hands out ready records and takes back what was done with them."""

    def __init__(self, ledger: Ledger, run: str) -> None:
        """Work for one run."""
        super().__init__(ledger, run)
        self.settled = 0
        self._turns = Turns(ledger)

    # What is there to do

    def resume(self) -> int:
        """Requeue what an earlier run put off for a passing reason; return how many records are ready."""
        with self._ledger.transaction() as connection:
            put_off = RETRIED.update(self._here, record.c.reason.in_(PASSING))
            connection.execute(put_off.values(reason=None))
            self._release_settled(connection)
            connection.execute(
                record.update()
                .where(self._here, record.c.status == Status.READY.value)
                .values(seen_run=self.run)
            )
            return self._count(connection, Status.READY)

    def _release_settled(self, connection: sa.Connection) -> None:
        """Release what waits for the end of a record that is settled, which an earlier version did not say each time."""
        of = sa.func.substr(dependency.c.parent, len(AFTER) + 1)
        coming = sa.select(record.c.ref).where(
            record.c.location == dependency.c.location, record.c.ref == of, record.c.status.in_(_PENDING)
        )
        settled = sa.select(dependency.c.parent.distinct()).where(
            dependency.c.location == self.location,
            dependency.c.parent.startswith(AFTER),
            ~coming.exists(),
        )
        release(connection, self.location, connection.execute(settled).scalars())

    def take_up_due(self) -> None:
        """Requeue records whose values are due to change with time: a patient's next visit has begun, say."""
        due = (
            self._here,
            record.c.changes_at <= f"{self._ledger.now():%Y-%m-%dT%H:%M:%SZ}",
            record.c.status == Status.DONE.value,
            # what was taken back by a rollback waits until it is received again
            record.c.digest.is_not(None),
        )
        with self._ledger.transaction() as connection:
            again = CHANGED.update(*due).values(version=record.c.version + 1, seen_run=self.run)
            connection.execute(again)

    def waiting(self) -> int:
        """Return how many records are ready to be written."""
        with self._ledger.transaction() as connection:
            return self._count(connection, Status.READY)

    def ahead(self) -> tuple[int, int]:
        """Return how many records are still to be written before the front desk can work, and how many in all.

        With those that wait for a record that is to be written; not with those whose record may never come.
        """
        first = sa.func.coalesce(sa.func.sum(sa.case((record.c.rank <= FRONT_DESK, 1), else_=0)), 0)
        pending = record.c.status.in_(_PENDING)
        query = sa.select(first, sa.func.count()).where(self._here, pending)
        parent = record.alias()
        coming = (
            sa.select(parent.c.ref)
            .where(parent.c.location == dependency.c.location, parent.c.ref == dependency.c.parent)
            .where(parent.c.status.in_(_PENDING))
        )
        on_records = ~dependency.c.parent.startswith(AFTER) & (dependency.c.parent != EVERYBODY)
        stuck = sa.select(sa.func.count(dependency.c.child.distinct())).where(
            dependency.c.location == self.location, on_records, ~coming.exists()
        )
        with self._ledger.transaction() as connection:
            ready = self._count(connection, Status.READY)
            number, every = connection.execute(query).one()
            left = max(ready, every - connection.execute(stuck).scalar_one())
        return min(int(number), left), left

    def standing(self) -> dict[str, int]:
        """Return how many records are ready, held and rejected."""
        with self._ledger.transaction() as connection:
            statuses = (Status.READY, Status.HELD, Status.REJECTED)
            return {status.value: self._count(connection, status) for status in statuses}

    def _count(self, connection: sa.Connection, status: Status) -> int:
        query = (
            sa.select(sa.func.count()).select_from(record).where(self._here, record.c.status == status.value)
        )
        return int(connection.execute(query).scalar_one())

    def claim(self, limit: int, busy: Iterable[str], *, last: int = Rank.HISTORY) -> list[Row]:
        """Return the next ready records that no worker holds, in the order of writing, up to the last rank."""
        busy = set(busy)
        query = (
            sa.select(record)
            .where(self._here, record.c.status == Status.READY.value, record.c.rank <= last)
            .order_by(record.c.rank, record.c.priority, record.c.seq)
            .limit(limit + len(busy))
        )
        with self._ledger.transaction() as connection:
            rows = connection.execute(query).mappings().all()
            found = [row_from(row) for row in rows if row["ref"] not in busy][:limit]
            self.add_claims(found)
        return found

    def low_water(self) -> int | None:
        """Return the sequence number of the oldest reception still to be written, or None."""
        query = sa.select(sa.func.min(record.c.seq)).where(self._here, record.c.status == Status.READY.value)
        with self._ledger.transaction() as connection:
            return connection.execute(query).scalar()

    # The write protocol

    def intend(
        self,
        row: Row,
        action: str,
        api: str,
        *,
        fields: Iterable[str] = (),
        before: Any = None,
        marks: Mapping[str, str] | None = None,
        tags: Iterable[str] = (),
    ) -> None:
        """Record that a write is about to be attempted, with the before-image that a rollback needs.

        Which version of the record may be there, which values of its fields (their ``marks``) and which ``tags``, is known until
        somebody has seen the end of it, whatever is tried in between.
        """
        begun = row.begun
        for name, mark in (marks or {}).items():
            begun[name] = sorted({*begun.get(name, ()), mark})
        begun_tags = sorted({*row.begun_tags, *tags})
        row.intent = {
            "action": action,
            "run": self.run,
            "at": self._stamp(),
            "api": api,
            "sent": row.version if action in _SENDING else (row.intent or {}).get("sent"),
            **({"begun": begun} if begun else {}),
            **({"tags": begun_tags} if begun_tags else {}),
        }
        with self._ledger.transaction() as connection:
            self._set(connection, row.ref, intent=json.dumps(row.intent))
            if before is not None:
                self._keep_before(connection, row, before)
            entry = self._audit(connection, row, "intent", None, sorted(fields))
        self._ledger.lock.keep(entry)

    def answered(self, row: Row, *, first: bool) -> None:
        """Note that HighLevel refused a create: nothing exists, unless an earlier attempt went unanswered."""
        assert row.intent is not None  # noqa: S101 - what is refused has been intended
        row.intent["answered"] = first

    def refused(self, row: Row) -> None:
        """Note in the trail that HighLevel refused what was intended: nothing was done, and there may be another attempt."""
        with self._ledger.transaction() as connection:
            self._audit(connection, row, "outcome", _REFUSED)

    def not_sent(self, row: Row) -> None:
        """Withdraw an intent whose request was never sent: there is nothing to look for."""
        with self._ledger.transaction() as connection:
            self._audit(connection, row, "outcome", _NOT_SENT)
            row.intent = None
            self._set(connection, row.ref, intent=None)

    def claim_id(self, row: Row, hl_id: str, *, ours: bool, parent_id: str | None = None) -> bool:
        """Claim a HighLevel record for this one, unless another of ours has it: two patients never share a contact.

        Two rows of Cliniko may name the same link, which belongs to both and is made by one of them.

        With ``ours`` we have made it ourselves, which is remembered even if the run ends before the record is settled.
        """
        with self._ledger.transaction() as connection:
            query = sa.select(record.c.ref).where(
                self._here, record.c.object == row.object, record.c.hl_id == hl_id
            )
            if row.object == "relation":
                query = query.where(record.c.created_run.is_not(None))
            owner = connection.execute(query.limit(1)).scalar()
            if owner not in {None, row.ref}:
                return False
            told = {"created_run": self.run if ours else None, "parent_id": parent_id}
            self._set(
                connection, row.ref, hl_id=hl_id, **{name: value for name, value in told.items() if value}
            )
        row.hl_id, row.created_here = hl_id, ours
        row.parent_id = parent_id or row.parent_id
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
        notes: Notes = NO_NOTES,
        keep_payload: bool = False,
        owner_changed: bool = False,
    ) -> None:
        """Record that HighLevel holds the record as wanted, and release what waited for it.

        What has the owner of a contact is looked at again when that is another now.
        """
        with self._ledger.transaction() as connection:
            values: dict[str, Any] = {
                "hl_id": hl_id,
                "written": canonical_json(dict(written)),
                "notes": notes.json(),
                "intent": None,
                "changes_at": row.changes_at,
                **self._outcome(row, outcome),
            }
            if parent_id is not None:
                values["parent_id"] = parent_id
            if outcome is Outcome.CREATED:
                values["created_run"] = self.run
                values["listed"] = ALL_LISTED  # nothing of ours can hang on what we have just made
            elif notes.found:
                values["created_run"] = None  # no run's to take away
            self._set(connection, row.ref, **values)
            self._finish(connection, row, SETTLED, keep_payload=keep_payload)
            row.hl_id = hl_id
            self._audit(connection, row, "outcome", outcome.value)
            self.claims.settled(connection, row, notes.withheld)
            if row.object == "contact":
                self._turns.decide(connection, row.ref)
            release(connection, self._ledger.location, [row.ref])
            if owner_changed:
                owned = sa.select(joined.c.child).where(
                    joined.c.location == self.location, joined.c.target == f"{OWNER_OF}{row.ref}"
                )
                requeue_written(connection, self.location, owned, self.run)

    def drop(self, row: Row, reason: str, *, before: Mapping[str, Any] | None = None) -> None:
        """Record that a record is not wanted in HighLevel, or that we have removed it."""
        with self._ledger.transaction() as connection:
            if before is not None:
                self._keep_before(connection, row, before)
            self._audit(connection, row, "outcome", Outcome.REMOVED.value)
            # Received again as it was, an absent record stays absent; anything else that comes again is wanted again.
            digest = row.digest if row.content.absent else None
            self._set(
                connection, row.ref, hl_id=None, intent=None, written=None, digest=digest, reason=reason
            )
            self._finish(connection, row, LEFT_OUT)

    def leave_out(self, row: Row, reason: str) -> None:
        """Record that a record is not wanted, and that its interrupted write never took effect."""
        with self._ledger.transaction() as connection:
            self._set(connection, row.ref, intent=None, reason=reason)
            self._finish(connection, row, LEFT_OUT)

    def detach(self, row: Row) -> None:
        """Detach a record from its copy in HighLevel, so that it is created again."""
        with self._ledger.transaction() as connection:
            self._audit(connection, row, "outcome", "left")
            self._set(connection, row.ref, **_DETACHED, intent=None)
        row.intent = None
        _forget_copy(row)

    def went(self, row: Row) -> None:
        """Record that a write that was cut off has removed a record; if it was an update, another may have been made before."""
        with self._ledger.transaction() as connection:
            self._audit(connection, row, "outcome", Outcome.REMOVED.value)
            if row.intent and row.intent["action"] != "update":
                row.intent = None
            self._set(connection, row.ref, **_DETACHED, intent=json.dumps(row.intent) if row.intent else None)
        _forget_copy(row)

    def set_aside(self, row: Row, reason: str, *, until_received: bool = False) -> None:
        """Leave a record out for now and keep its content; one whose reason may be gone is decided anew when it is received."""
        digest = None if until_received else row.digest
        with self._ledger.transaction() as connection:
            self._set(connection, row.ref, intent=None, reason=reason, digest=digest)
            self._finish(connection, row, LEFT_OUT, keep_payload=True)

    def pass_on(self, reason: str) -> None:
        """Give the same reason to everything that waits, directly or not, for records that were set aside.

        So too what one of these would have stood for: the attendance of an individual appointment, say.
        """
        other = record.alias()
        left_out = [
            sa.exists().where(
                table.c.location == record.c.location,
                table.c.child == record.c.ref,
                other.c.location == table.c.location,
                other.c.ref == ref,
                other.c.reason == reason,
            )
            for table, ref in ((dependency, dependency.c.parent), (exclusion, exclusion.c.other))
        ]
        held = record.update().where(
            self._here,
            record.c.status == Status.HELD.value,
            record.c.reason != reason,
            sa.or_(*left_out),
        )
        with self._ledger.transaction() as connection:
            while connection.execute(held.values(reason=reason)).rowcount:
                pass

    def reject(self, row: Row, reason: str, field: str | None = None) -> None:
        """Reject a record and keep its payload for `retry`."""
        with self._ledger.transaction() as connection:
            self._audit(connection, row, "outcome", f"{REJECTED_FOR}{reason}")
            self._set(connection, row.ref, reason=reason, reason_field=field)
            if row.payload is None and row.hl_id:
                self._set(connection, row.ref, payload=OTHERS_SAY)
            if row.hl_id or not row.intent or row.intent.get("answered"):
                self._set(connection, row.ref, intent=None)  # else a create may have happened all the same
            self._finish(connection, row, REJECTED, keep_payload=True)

    def hold(self, row: Row, reason: str) -> None:
        """Postpone a record; its intent stays open while the outcome of the write is unknown."""
        with self._ledger.transaction() as connection:
            one = PUT_OFF.update(self._here, record.c.ref == row.ref)
            connection.execute(one.values(reason=reason))

    def hold_rest(self, reason: str) -> int:
        """Postpone everything that is still to be written; return how many records that is."""
        with self._ledger.transaction() as connection:
            return connection.execute(PUT_OFF.update(self._here).values(reason=reason)).rowcount

    def take_up(self, refs: Iterable[str]) -> None:
        """Requeue what this run has postponed."""
        with self._ledger.transaction() as connection:
            for some in batches(refs):
                connection.execute(RETRIED.update(self._here, record.c.ref.in_(some)).values(reason=None))

    def came_or_went(self, ref: str) -> None:
        """Requeue the entries of the diary that name this record."""
        with self._ledger.transaction() as connection:
            requeue_diary(connection, self.location, ref, self.run)

    def replay(self) -> int:
        """Requeue every rejected record as it was received; return how many."""
        with self._ledger.transaction() as connection:
            rejected = REPLAYED.update(self._here, record.c.payload.is_not(None))
            values = {"reason": None, "reason_field": None, "seen_run": self.run}
            return connection.execute(rejected.values(values)).rowcount

    def adopt(self, found: Iterable[Mapping[str, Any]]) -> None:
        """Add records found in HighLevel to the crosswalk; those it already has are left alone."""
        with self._ledger.transaction() as connection:
            for values in found:
                self._adopt(connection, values)
                release(connection, self._ledger.location, [values["ref"]])

    def _adopt(self, connection: sa.Connection, values: Mapping[str, Any]) -> None:
        one = (self._here, record.c.ref == values["ref"])
        known = connection.execute(sa.select(record).where(*one)).mappings().first()
        written = canonical_json(values["written"])
        notes = values.get("notes", NO_NOTES).json()
        if known is None:
            row = {**values, "written": written, "notes": notes, "location": self._ledger.location}
            added = record.insert().values(**row, **_ADOPTED)
            connection.execute(added, execution_options=FOUND.options)
        elif known["hl_id"] is None:
            more = {
                "hl_id": values["hl_id"],
                "parent_id": values.get("parent_id"),
                "written": written,
                "notes": notes,
            }
            self._set(connection, values["ref"], **more)
            if known["status"] == Status.FILTERED.value and row_from(known).fields:
                # left out before it was known to be there, of which something is to be said
                again = CHANGED.update(*one)
                connection.execute(again.values(version=record.c.version + 1, reason=None, seen_run=self.run))

    def adopt_former(self, link: Mapping[str, Any]) -> None:
        """Add a link that was found in HighLevel and is wanted no longer, to be removed; one that is known is left alone."""
        one = (self._here, record.c.ref == link["ref"])
        with self._ledger.transaction() as connection:
            known = connection.execute(sa.select(record.c.hl_id, record.c.status).where(*one)).first()
            if known is not None and (known.hl_id is not None or known.status != Status.FILTERED.value):
                return
            if known is None:
                self._adopt(connection, link)
            again = {
                "hl_id": link["hl_id"],
                "notes": link["notes"].json(),
                "payload": Payload(absent=True).json(),
                "version": record.c.version + 1,
                "reason": None,
                "intent": None,
                "seen_run": self.run,
            }
            connection.execute(CHANGED.update(*one).values(again))

    def match(self, ref: str, hl_id: str) -> None:
        """Match a practitioner with a user and requeue the contacts that name the practitioner as owner."""
        with self._ledger.transaction() as connection:
            self._move(connection, ref, MATCHED, hl_id=hl_id, reason=None)
            requeue_naming(connection, self._ledger.location, ref, self.run)

    def unmatch(self, users: Collection[str]) -> list[str]:
        """Unmatch the practitioners whose user is not among these; return their refs."""
        with self._ledger.transaction() as connection:
            query = sa.select(record.c.ref).where(
                self._here,
                record.c.object == "user",
                record.c.hl_id.is_not(None),
                record.c.hl_id.not_in(users),
            )
            gone = list(connection.execute(query).scalars())
            for ref in gone:
                self._move(connection, ref, UNMATCHED, hl_id=None, reason="no_user", digest=None)
                requeue_naming(connection, self._ledger.location, ref, self.run)
            Bulk(self._ledger.location).readmit(connection, gone, self.run)
        return gone

    def reset_digests(self) -> None:
        """Forget all digests and contributions, so that whatever is received next counts as new."""
        with self._ledger.transaction() as connection:
            connection.execute(record.update().where(self._here).values(digest=None))
            connection.execute(contribution.delete().where(contribution.c.location == self._ledger.location))

    def mark_listed(self, row: Row, kind: str) -> None:
        """Record that this kind of activity has been listed for a contact."""
        with self._ledger.transaction() as connection:
            self._set(connection, row.ref, listed=f"{row.listed} {kind}".strip())

    # Inside

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
        self, connection: sa.Connection, row: Row, made: Transition, *, keep_payload: bool = False
    ) -> None:
        """Set the status, unless the record changed while it was being written: then it stays ready."""
        self.settled += 1
        values: dict[str, Any] = {"status": made.status.value}
        if made is SETTLED:
            values["reason"] = None
        if not keep_payload and row.object not in DIARY:
            values |= {"payload": None, "priority": LAST}  # what decided its turn may be a date of birth
        one = {**self._one(row.ref), "b_version": row.version}
        connection.execute(_SET_UNCHANGED, {**one, **values}, execution_options=made.options)
        release(connection, self._ledger.location, [f"{AFTER}{row.ref}"])

    def _set(self, connection: sa.Connection, ref: str, **values: Any) -> None:
        connection.execute(_SET, {**self._one(ref), **values})

    def _move(self, connection: sa.Connection, ref: str, made: Transition, **values: Any) -> None:
        """Set the status and these values unconditionally."""
        values["status"] = made.status.value
        connection.execute(_SET, {**self._one(ref), **values}, execution_options=made.options)

    def _derive_again(self, connection: sa.Connection, origins: Iterable[str | None]) -> None:
        """Have the links of these records derived anew when they are next received, even if they come unchanged.

        A link is derived from the record that wants it, and only when that record differs from its digest: whoever takes a link
        out of the ledger, or puts back an earlier one, has to reset the digest too.
        """
        for some in batches(set(filter(None, origins))):
            connection.execute(record.update().where(self._here, record.c.ref.in_(some)).values(digest=None))

    def _keep_before(self, connection: sa.Connection, row: Row, fields: Mapping[str, Any]) -> None:
        """Keep the before-image of a record; a second update in the same run only adds fields."""
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
    ) -> int:
        """Append an intent or an outcome to the audit trail and return its number; where no write was needed there is none."""
        intent = row.intent
        if intent is None:
            return 0
        return audit.append(
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
                "method": "",
                "api": intent["api"],
                "status": status,
                "fields": canonical_json(list(fields)),
            },
        )


#: What is forgotten of a record that is created again.
_DETACHED: dict[str, Any] = dict.fromkeys(("hl_id", "parent_id", "written", "notes", "created_run"))


def _forget_copy(row: Row) -> None:
    row.hl_id = row.parent_id = row.created_run = None
    row.written, row.notes = {}, NO_NOTES


def _known(row: Row) -> dict[str, Any]:
    """Return the state of a record that a rollback restores."""
    return {
        "hl_id": row.hl_id,
        "parent_id": row.parent_id,
        "created_run": row.created_run,
        "outcome": row.outcome,
        "outcome_run": row.outcome_run,
        "written": row.written,
        "notes": row.notes.content(),
    }
