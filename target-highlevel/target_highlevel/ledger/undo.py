"""What a run did, as the ledger knows it, and the durable steps of taking it back."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from target_highlevel.ledger.bulk import batches
from target_highlevel.ledger.departures import DEPART
from target_highlevel.ledger.rows import Notes, Row, Status, row_from
from target_highlevel.ledger.tables import audit, before_image, claim, dependency, record
from target_highlevel.ledger.tables import run as runs
from target_highlevel.ledger.transitions import RESTORED, TAKEN_BACK
from target_highlevel.ledger.work import FORGOTTEN, KNOWN, NOT_DONE, REJECTED_FOR, Work
from target_highlevel.values import canonical_json

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from target_highlevel.ledger.ledger import Ledger

WRITING_MODES = ("load", "retry")
#: What a record becomes in the ledger when it is taken back: as if it had never been received.
#: Why a record that an undone run had brought is not in HighLevel.
ROLLED_BACK = "rolled_back"
_CARRIER = "was_on"
_BATCH = 1000
#: Actions of a load that take something out of HighLevel.
REMOVALS = ("remove", DEPART)
#: Name of the fact that a run was undone to the end.
DONE = "rolled_back:"
_FORGOTTEN: dict[str, Any] = {
    **FORGOTTEN,
    "reason": ROLLED_BACK,
    "notes": None,
    "intent": None,
    "created_run": None,
    "listed": "",
}


@dataclass(frozen=True, slots=True)
class Trace:
    """A record in HighLevel as the crosswalk knows it: enough to plan by, small enough to hold all of them."""

    ref: str
    object: str
    hl_id: str
    parent_id: str | None
    origin: str | None
    #: The run that created it, or found it there already.
    owner: str | None

    @property
    def ends(self) -> tuple[str, ...]:
        """Return the refs of both ends of a relation that was derived from a record; others do not tell their ends."""
        return tuple(self.ref.partition(":")[2].split("|")[1:])


@dataclass(frozen=True, slots=True)
class Before:
    """What a record was before a run: its fields in HighLevel, and what the ledger knew of it (nothing, of an old version's)."""

    fields: dict[str, Any]
    known: dict[str, Any]

    def elsewhere(self, replaced: Mapping[str, str]) -> Before:
        """Return the same with the ids of records that were removed and made again since as they are now."""
        now = {
            name: replaced.get(value, value) if isinstance(value, str) else value
            for name, value in self.fields.items()
        }
        return replace(self, fields=now)


class Undo(Work):
    """The ledger's side of a rollback: ``undone`` is the run that is taken back, ``run`` the one that does it."""

    def __init__(self, ledger: Ledger, run: str, undone: str) -> None:
        """Take back one run."""
        super().__init__(ledger, run)
        self.undone = undone

    # What the run did

    def created(self) -> list[Trace]:
        """Return every record the run created that is still taken to be in HighLevel."""
        return self._traces(record.c.created_run == self.undone)

    def updated(self) -> list[str]:
        """Return the refs of the records the run changed; one that it had made itself was not there before."""
        query = sa.select(before_image.c.ref, before_image.c.fields).where(
            self._images, before_image.c.run == self.undone
        )
        with self._ledger.transaction() as connection:
            found = connection.execute(query.order_by(before_image.c.ref)).all()
        return [
            ref for ref, text in found if json.loads(text).get(KNOWN, {}).get("created_run") != self.undone
        ]

    def taken_away(self) -> list[str]:
        """Return the refs of the records, links apart, that the run took out of HighLevel and that are not there."""
        removed = self._removals()
        return [
            ref
            for ref in self.updated()
            if ref in removed and not ref.startswith("relation:") and self.hl_id(ref) is None
        ]

    def replaced(self) -> dict[str, str]:
        """Return, by the ids they had before the run, the ids of the records that it removed and that were made again."""
        removed = self._removals()
        pairs = (
            (self.before(ref).known.get("hl_id"), self.hl_id(ref)) for ref in self.updated() if ref in removed
        )
        return {before: now for before, now in pairs if before and now and before != now}

    def _removals(self) -> set[str]:
        return {ref for ref, _, _ in self._done("remove", "intent", DEPART)}

    def purged(self) -> list[str]:
        """Return the refs of records the run set out to change or to remove and whose before-image is no longer there."""
        images = sa.select(before_image.c.ref).where(self._images, before_image.c.run == self.undone)
        with self._ledger.transaction() as connection:
            kept = set(connection.execute(images).scalars())
        made = {f"{object_}:{source_id}" for (object_, _), source_id in self.ever_created().items()}
        changed = [ref for ref, _, _ in self._done("update", "intent", *REMOVALS) if ref not in made]
        left = [ref for ref, _, _ in self._done("leave", "intent")]  # which are made anew elsewhere
        return [ref for ref in dict.fromkeys([*changed, *left]) if ref not in kept]

    def before(self, ref: str) -> Before:
        """Return what a record was before the run first changed it."""
        query = sa.select(before_image.c.fields).where(self._image(ref))
        with self._ledger.transaction() as connection:
            kept = dict(json.loads(connection.execute(query).scalar() or "{}"))
        return Before(known=kept.pop(KNOWN, {}), fields=kept)

    def rewritten(self) -> set[str]:
        """Return the refs of records that a later run changed or made anew, and that was not taken back."""
        later = runs.c.number > self._ledger.run_number(self.undone)
        changed = (
            sa.select(before_image.c.run, before_image.c.ref)
            .join(runs, runs.c.id == before_image.c.run)
            .where(self._written_over, later)
        )
        images = sa.select(before_image.c.ref).where(self._images, before_image.c.run == self.undone)
        made = (
            sa.select(record.c.created_run, record.c.ref)
            .join(runs, runs.c.id == record.c.created_run)
            .where(self._here, later, record.c.ref.in_(images))
        )
        with self._ledger.transaction() as connection:
            found = [*connection.execute(changed), *connection.execute(made)]
        taken_back = {run for run in {run for run, _ in found} if rolled_back(self._ledger, run)}
        return {ref for run, ref in found if run not in taken_back}

    def unclear(self) -> list[Row]:
        """Return the records whose create or removal the run began and did not see the end of, or left unsettled."""
        mine = record.c.created_run == self.undone
        rows = self._rows(record.c.intent.is_not(None) | (mine & record.c.written.is_(None)))
        return [row for row in rows if self._is_unclear(row)]

    def _is_unclear(self, row: Row) -> bool:
        if row.created_here and row.created_run == self.undone:
            return True
        if row.intent is None or row.intent["run"] != self.undone:
            return False
        return row.intent["action"] == "create" or (
            row.intent["action"] in REMOVALS and row.hl_id is not None
        )

    def relations(self) -> list[Trace]:
        """Return every relation that is in HighLevel, whichever run made it."""
        return self._traces(record.c.object == "relation")

    def hanging(self) -> set[str]:
        """Return the HighLevel ids of all notes, appointments and files that are ours, whichever run made them.

        Among them are those that a run left behind, on the patient that had them before.
        """
        here = {trace.hl_id for trace in self._traces(record.c.parent_id.is_not(None))}
        return here | {hl_id for _, hl_id, _, _ in self._left_behind()}

    def ids(self, object_: str) -> set[str]:
        """Return the HighLevel ids of all records of a kind that are ours, whichever run made them."""
        return {trace.hl_id for trace in self._traces(record.c.object == object_)}

    def touches(self) -> dict[str, list[tuple[str, str]]]:
        """Return when we have written each contact, or what hangs on it, as the audit trail says: from intent to outcome.

        One map of all contacts: to look a contact up, the whole trail would be read.
        """
        ref = audit.c.object + ":" + audit.c.source_id
        contact = sa.case((record.c.object == "contact", record.c.hl_id), else_=record.c.parent_id)
        query = (
            sa.select(contact, record.c.ref, audit.c.event, audit.c.at)
            .join(record, (record.c.location == audit.c.location) & (record.c.ref == ref))
            .where(self._here, contact.is_not(None))
            .order_by(audit.c.seq)
        )
        found: defaultdict[str, list[tuple[str, str]]] = defaultdict(list)
        begun: dict[str, tuple[str, str]] = {}
        with self._ledger.transaction() as connection:
            for hl_id, ref_, event, at in connection.execute(query).yield_per(_BATCH):
                _, since = begun.pop(ref_, (hl_id, at))
                if event == "intent":
                    begun[ref_] = hl_id, at
                else:
                    found[hl_id].append((since, at))
        for hl_id, at in begun.values():
            found[hl_id].append((at, at))
        return dict(found)

    def copies_left(self) -> list[str]:
        """Return the refs of records of which the run left a copy behind."""
        mine = set(self.updated())
        return [
            ref for ref in dict.fromkeys(ref for ref, _, _ in self._done("leave", "intent")) if ref in mine
        ]

    def left_since(self) -> list[tuple[str, str]]:
        """Return (ref, HighLevel id) of copies that the run had made and a later run left behind."""
        return [
            (ref, hl_id)
            for ref, hl_id, created_run, run in self._left_behind()
            if created_run == self.undone != run
        ]

    def _left_behind(self) -> list[tuple[str, str, str | None, str]]:
        """Return (ref, HighLevel id, run that made it, run that left it) of every copy that a record has beside its own."""
        own = (record.c.location == before_image.c.location) & (record.c.ref == before_image.c.ref)
        query = (
            sa.select(before_image.c.ref, before_image.c.fields, record.c.hl_id, before_image.c.run)
            .join(record, own)
            .where(self._written_over, record.c.object.in_(["note", "appointment", "file", "opportunity"]))
        )
        with self._ledger.transaction() as connection:
            found = [
                (ref, json.loads(text).get(KNOWN, {}), now, run)
                for ref, text, now, run in connection.execute(query)
            ]
        return [
            (ref, known["hl_id"], known["created_run"], run)
            for ref, known, now, run in found
            if known.get("hl_id") not in {None, now}
        ]

    def carriers(self) -> set[str]:
        """Return the HighLevel ids of the contacts that carry something of the run, or did before it was taken back."""
        removed = self._here & (record.c.reason == ROLLED_BACK) & record.c.notes.is_not(None)
        with self._ledger.transaction() as connection:
            notes = connection.execute(sa.select(record.c.notes).where(removed)).scalars()
            before = {Notes.from_json(text).was_on for text in notes}
        here = {trace.parent_id for trace in self.created()}
        return {str(hl_id) for hl_id in before | here if hl_id}

    def files_of_others(self) -> set[tuple[str | None, str]]:
        """Return (contact, key) of every file in HighLevel that another run has put there: one that moves keeps its key."""
        files = self._traces(record.c.object == "file")
        return {(trace.parent_id, trace.hl_id) for trace in files if trace.owner != self.undone}

    def contacts(self) -> dict[str, str]:
        """Return the ref of every contact that is in HighLevel, by its id there."""
        return {trace.hl_id: trace.ref for trace in self._traces(record.c.object == "contact")}

    def ref_of(self, object_: str, hl_id: str) -> str | None:
        """Return the ref of a record by its id in HighLevel, if it is there."""
        query = sa.select(record.c.ref).where(self._here, record.c.object == object_, record.c.hl_id == hl_id)
        with self._ledger.transaction() as connection:
            return connection.execute(query.limit(1)).scalar()

    def number(self, object_: str) -> int:
        """Return how many records of a kind are in HighLevel, whichever run made them."""
        query = sa.select(sa.func.count()).where(
            self._here, record.c.object == object_, record.c.hl_id.is_not(None)
        )
        with self._ledger.transaction() as connection:
            return int(connection.execute(query).scalar_one())

    def trace(self, ref: str) -> Trace | None:
        """Return one record, if it is in HighLevel."""
        return next(iter(self._traces(record.c.ref == ref)), None)

    def adopted(self) -> set[str]:
        """Return the refs of records the run took over: it set out to create them and found them there."""
        return {ref for ref, _, _ in self._done("create", "intent")}

    def ever_created(self) -> dict[tuple[str, str], str]:
        """Return (object, HighLevel id) → source id of all the run created, from the audit trail, which forgets nothing."""
        return {
            (ref.partition(":")[0], str(hl_id)): ref.partition(":")[2]
            for ref, hl_id, status in self._done("create", "outcome", "update")
            if hl_id and status == "created"
        }

    def _done(self, action: str, event: str, *actions: str) -> list[tuple[str, str | None, str | None]]:
        query = (
            sa.select(audit.c.object, audit.c.source_id, audit.c.hl_id, audit.c.status)
            .where(
                audit.c.location == self._ledger.location,
                audit.c.run == self.undone,
                audit.c.event == event,
                audit.c.action.in_([action, *actions]),
            )
            .order_by(audit.c.seq)
        )
        with self._ledger.transaction() as connection:
            return [
                (f"{row.object}:{row.source_id}", row.hl_id, row.status) for row in connection.execute(query)
            ]

    @property
    def _images(self) -> sa.ColumnElement[bool]:
        return before_image.c.location == self._ledger.location

    @property
    def _written_over(self) -> sa.ColumnElement[bool]:
        """What runs changed: what one was refused in all was kept as well, before it was sent."""
        return self._images & before_image.c.run.in_(_wrote(self._ledger))

    def _image(self, ref: str) -> sa.ColumnElement[bool]:
        return self._images & (before_image.c.run == self.undone) & (before_image.c.ref == ref)

    def _rows(self, *conditions: sa.ColumnElement[bool]) -> list[Row]:
        query = sa.select(record).where(self._here, *conditions).order_by(record.c.rank, record.c.ref)
        with self._ledger.transaction() as connection:
            rows = [row_from(found) for found in connection.execute(query).mappings()]
            self.add_claims(rows)
        return rows

    def _traces(self, *conditions: sa.ColumnElement[bool]) -> list[Trace]:
        owner = sa.func.coalesce(record.c.created_run, record.c.outcome_run)
        columns = (record.c.ref, record.c.object, record.c.hl_id, record.c.parent_id, record.c.origin, owner)
        query = (
            sa.select(*columns)
            .where(self._here, record.c.hl_id.is_not(None), *conditions)
            .order_by(record.c.ref)
        )
        with self._ledger.transaction() as connection:
            return [Trace(*found) for found in connection.execute(query)]

    # Taking it back

    def own(self, row: Row, hl_id: str, written: Mapping[str, str], notes: Notes) -> None:
        """Record that a create whose end nobody saw did happen, and what it wrote."""
        known = {
            "written": canonical_json(dict(written)),
            "notes": notes.json(),
        }
        with self._ledger.transaction() as connection:
            where = {"hl_id": hl_id, "parent_id": row.parent_id, "created_run": self.undone, "intent": None}
            self._set(connection, row.ref, **where, **known)
            row.hl_id = hl_id
            # by the run that is undone, not by this one
            self._audit(connection, row, "outcome", "found_created")
        row.intent = None

    def went(self, row: Row) -> None:
        """Record that a removal whose end nobody saw did happen."""
        with self._ledger.transaction() as connection:
            self._audit(connection, row, "outcome", "removed")
            self._set(connection, row.ref, intent=None, hl_id=None)

    def disown(self, row: Row) -> None:
        """Record that a create whose end nobody saw did not happen; an id that was only taken over is not ours either."""
        with self._ledger.transaction() as connection:
            self._set(connection, row.ref, intent=None, hl_id=None)
            self._audit(connection, row, "outcome", "not_created")

    def removed(self, row: Row, along: Iterable[Row] = (), *, status: str = "removed") -> None:
        """Record that a record is gone from HighLevel, and what went with it; a second record of one link is no second link."""
        with self._ledger.transaction() as connection:
            self._gone(connection, row, status)
            hl_id = row.hl_id
            for other in along:
                self._gone(
                    connection, other, "the_same_link" if other.hl_id == hl_id else "removed_with_its_record"
                )

    def _gone(self, connection: sa.Connection, row: Row, status: str) -> None:
        intent = row.intent or {"action": "remove", "api": ""}
        self._audit(connection, replace(row, intent=intent), "outcome", status)
        crumb = Notes(was_on=row.parent_id).json()
        self._move(connection, row.ref, TAKEN_BACK, **{**_FORGOTTEN, "notes": crumb})
        self._derive_again(connection, [row.origin])

    def restored(
        self,
        row: Row,
        fields: Iterable[str],
        written: Mapping[str, str] | None = None,
        *,
        in_full: bool = True,
    ) -> None:
        """Record that fields of a record hold again what they held before the run, and what of it then counts as written.

        So a load that comes before this rollback has ended compares with what is there. Of what could not be put back in full
        the rest is tried again.
        """
        known: dict[str, Any] = {"intent": None} if in_full else {}
        if written is not None:
            known |= {"written": canonical_json(dict(written)), "digest": None}
        with self._ledger.transaction() as connection:
            self._audit(connection, row, "outcome", "restored", sorted(fields))
            self._set(connection, row.ref, **known)

    def file_restored(self, row: Row, earlier: str | None) -> None:
        """Record that the file a run had added beside an earlier one is gone, and that the earlier one counts again."""
        with self._ledger.transaction() as connection:
            self._audit(connection, row, "outcome", "restored", ["file_name"])
            self._set(connection, row.ref, hl_id=earlier, intent=None, digest=None)
            connection.execute(before_image.update().where(self._image(row.ref)).values(fields="{}"))

    def linked(self, row: Row, hl_id: str, before: Before) -> None:
        """Record that a relation links again what it linked before the run, and belongs to the run it belonged to."""
        with self._ledger.transaction() as connection:
            found = Notes.of(before.known.get("notes")).found
            row.hl_id, row.notes = hl_id, Notes(link=before.fields, found=found)
            self._audit(connection, row, "outcome", "created")
            known = {**before.known, "hl_id": hl_id, "notes": row.notes.content()}
            self._move(connection, row.ref, RESTORED, **_as_known(known))
            self._derive_again(connection, [row.origin])

    def returned(self, row: Row, before: Before, hl_id: str | None = None) -> None:
        """Record that a copy that was left behind, or one that was made as it was, stands for its record again."""
        known = {**before.known, "hl_id": hl_id or before.known["hl_id"]}
        with self._ledger.transaction() as connection:
            self._audit(connection, row, "outcome", "restored", sorted(before.fields))
            self._move(connection, row.ref, RESTORED, **_as_known(known))

    def finish(
        self,
        restored: Mapping[str, Mapping[str, str] | None],
        settled: Iterable[str],
        spared: Collection[str],
    ) -> None:
        """Have the ledger forget what the run brought: the next full read finds everything as before the run.

        Args:
            restored: ref of each record that was put back → hashes of what it is now taken to hold, None when it is ours no more
            settled: refs of records that were put back and of which the ledger knows all it did before the run
            spared: refs of records that stay as the run left them
        """
        unclear = {
            row.ref for row in self.unclear()
        }  # HighLevel could not tell: whoever writes it next looks first
        with self._ledger.transaction() as connection:
            for ref, written in restored.items():
                if written is None:
                    self._move(connection, ref, TAKEN_BACK, **_FORGOTTEN)
                else:
                    self._set(
                        connection, ref, written=canonical_json(dict(written)), digest=None, intent=None
                    )
                if written is None or ref not in spared:  # what was left alone can be tried again
                    connection.execute(before_image.delete().where(self._image(ref)))
            for ref in settled:
                connection.execute(before_image.delete().where(self._image(ref)))
            for ref in spared:
                self._set(connection, ref, digest=None)
            for some in batches(set(spared) - unclear):
                there = self._here & record.c.hl_id.is_not(None) & record.c.ref.in_(some)
                connection.execute(record.update().where(there).values(intent=None))
            removed = self._here & (record.c.reason == ROLLED_BACK)
            connection.execute(record.update().where(removed).values(notes=None))
            said_again = self._said_again()
            origins = sa.select(record.c.origin).where(said_again, record.c.origin.is_not(None))
            self._derive_again(connection, connection.execute(origins).scalars().all())
            connection.execute(TAKEN_BACK.update(said_again).values(**_FORGOTTEN))
            self._forget_pending(connection)
            mine = claim.c.location == self._ledger.location
            connection.execute(claim.update().where(mine).values(held=None))  # who has what now is not known

    def retag(self, notes: Mapping[str, Notes]) -> None:
        """Take note of which tags of a contact are ours now: ref → notes."""
        with self._ledger.transaction() as connection:
            for ref, kept in notes.items():
                self._set(connection, ref, notes=kept.json())

    def _said_again(self) -> sa.ColumnElement[bool]:
        """The run's records of links that a record of another run had made: this one is forgotten, the link stays with that."""
        other = record.alias()
        same = (other.c.location == record.c.location) & (other.c.object == record.c.object)
        makers = sa.select(other.c.ref).where(
            same, other.c.hl_id == record.c.hl_id, other.c.created_run.is_not(None)
        )
        mine = (record.c.object == "relation") & (record.c.outcome_run == self.undone)
        return self._here & mine & record.c.created_run.is_(None) & makers.exists()

    def _forget_pending(self, connection: sa.Connection) -> None:
        """What the run received and did not write is received again by the next full read.

        One whose create may have happened is not forgotten: it would be created again without a look.
        """
        pending = [Status.READY.value, Status.HELD.value, Status.REJECTED.value]
        maybe_made = record.c.hl_id.is_(None) & record.c.intent.is_not(None)
        mine = (
            self._here
            & (record.c.seen_run == self.undone)
            & record.c.status.in_(pending)
            & sa.not_(maybe_made)
        )
        waiting = sa.select(record.c.ref).where(mine)
        connection.execute(
            dependency.delete().where(
                dependency.c.location == self._ledger.location, dependency.c.child.in_(waiting)
            )
        )
        origins = sa.select(record.c.origin).where(mine, record.c.origin.is_not(None)).distinct()
        self._derive_again(connection, connection.execute(origins).scalars().all())
        connection.execute(TAKEN_BACK.update(mine, record.c.hl_id.is_(None)).values(**_FORGOTTEN))
        known = RESTORED.update(mine, record.c.hl_id.is_not(None))
        connection.execute(known.values(payload=None, digest=None, reason=None))


def _as_known(known: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of a row that is in HighLevel as it was when a before-image was taken."""
    told = {name: known.get(name) for name in ("hl_id", "parent_id", "created_run", "outcome", "outcome_run")}
    texts = {name: canonical_json(known[name]) if known.get(name) else None for name in ("written", "notes")}
    nothing = dict.fromkeys(("reason", "payload", "digest", "intent"))
    return {**told, **texts, **nothing}


def rolled_back(ledger: Ledger, run: str) -> bool:
    """Return whether a run was undone to the end."""
    return ledger.fact(f"{DONE}{run}") is not None


def writing_runs(ledger: Ledger) -> list[str]:
    """Return the runs that wrote to HighLevel, or may have, oldest first."""
    loads = runs.c.mode.in_(WRITING_MODES)
    query = (
        sa.select(runs.c.id)
        .where(runs.c.location == ledger.location, loads, runs.c.id.in_(_wrote(ledger)))
        .order_by(runs.c.number)
    )
    with ledger.transaction() as connection:
        return list(connection.execute(query).scalars())


def _wrote(ledger: Ledger) -> sa.Select[tuple[str]]:
    """Select the runs that wrote or may have: of an intent that was not refused and has no outcome, nobody knows."""
    writes = sa.case(
        (audit.c.event == "intent", 1),
        (audit.c.status.in_(NOT_DONE), -1),
        (audit.c.status.startswith(REJECTED_FOR), 0),
        else_=1,
    )
    here = audit.c.location == ledger.location
    return sa.select(audit.c.run).where(here).group_by(audit.c.run).having(sa.func.sum(writes) > 0)
