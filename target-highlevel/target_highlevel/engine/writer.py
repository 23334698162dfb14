"""The way of one record into HighLevel: find out, intend, write, settle. The whole write protocol, top to bottom."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from target_highlevel.crashpoints import reach
from target_highlevel.engine.fold import asked, fold
from target_highlevel.engine.reasons import reason_for
from target_highlevel.errors import NotFound, Refused, Unknown
from target_highlevel.ledger.partials import OTHER_SUB_ACCOUNT
from target_highlevel.ledger.repair import LOOK_FIRST
from target_highlevel.ledger.rows import Outcome
from target_highlevel.normal import holds, is_written, mark, normal_form
from target_highlevel.objects.base import MOVED, SHORTER, Created, Existing, Rejected

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from collections.abc import Set as AbstractSet
    from datetime import datetime

    from target_highlevel.descriptor import StreamSpec
    from target_highlevel.ledger.rows import Row
    from target_highlevel.ledger.work import Work
    from target_highlevel.objects.base import ObjectKind

    #: (contributor, fields) of every partial record that folds into one.
    Contributions = list[tuple[str, dict[str, Any]]]

#: A create whose outcome stayed unclear is looked for and tried again so often before it is put off to the next run.
_MOST_CREATES = 3
#: Seconds after which a request without an answer has surely been carried out, if it ever will be.
_AT_WORK = 3.0


class Writer:
    """Writes one record at a time; any number of threads may share it."""

    def __init__(
        self,
        work: Work,
        *,
        salt: bytes,
        overwrite: str,
        search_lag: float,
        now: Callable[[], datetime],
        sleep: Callable[[float], Any] = time.sleep,
        on_update: Callable[[Row, Mapping[str, Any], Mapping[str, Any]], None] | None = None,
        locations: Mapping[str, str] | None = None,
    ) -> None:
        """Write for one run.

        Args:
            work: where intents and outcomes are made durable.
            salt: key of the hashes of what was written.
            overwrite: what becomes of a value somebody changed in HighLevel.
            search_lag: seconds a new record may take to appear in HighLevel's search.
            now: the clock.
            sleep: waits for some seconds.
            on_update: told of every update: the record, the values before and the values written.
            locations: sub-account of each location that has one of its own.
        """
        self._locations = locations or {}
        self._on_update = on_update
        self._work = work
        self._salt = salt
        self._overwrite = overwrite
        self._search_lag = search_lag
        self._now = now
        self._sleep = sleep
        self._began = time.monotonic()

    def write(self, row: Row, spec: StreamSpec, kind: ObjectKind, contributions: Contributions) -> None:
        """Bring one record into HighLevel as wanted, or reject it; everything else is raised for the run to end or go on."""
        try:
            self._write(row, spec, kind, contributions)
        except Rejected as rejected:
            self._work.reject(row, rejected.reason, rejected.field)
        except NotFound:
            self._work.reject(row, "deleted_in_highlevel" if row.hl_id else "not_found")
        except Refused as refused:
            self._work.reject(row, reason_for(refused.code), next(iter(refused.properties), None))

    def _write(self, row: Row, spec: StreamSpec, kind: ObjectKind, contributions: Contributions) -> None:
        if (row.payload or {}).get("absent"):
            if row.hl_id is None and row.intent and row.fields:
                self._adopt_found(row, spec, kind)
            self._remove(row, kind)
            return
        now = f"{self._now():%Y-%m-%dT%H:%M:%SZ}"
        fields = fold(spec, row.fields, contributions, now)
        if row.hl_id is None and self._elsewhere(spec, fields):
            self._work.set_aside(row, OTHER_SUB_ACCOUNT)
            return
        wanted = asked(row, spec, kind.prepare(row, spec, fields))
        if row.hl_id is None and row.intent:
            found = self._adopt_found(row, spec, kind)
            if found and row.object == "relation":  # its ends are all it says
                outcome = Outcome.CREATED if row.created_here else Outcome.UNCHANGED
                self._settle(row, spec, outcome, row.hl_id, wanted, parent_id=None, notes=row.notes)
                return
        # first: once the record is settled, nobody knows of the pieces any more
        self._shorten(row, spec, kind)
        if row.hl_id is None and (row.payload or {}).get("only_these"):
            self._work.leave_out(row, str((row.payload or {})["only_these"]))
        elif row.hl_id is None:
            self._create(row, spec, kind, wanted)
        elif kind.on_contact and self._moved(row):
            self._move(row, spec, kind, wanted)
        else:
            self._update(row, spec, kind, wanted)

    def _untold(self, row: Row, spec: StreamSpec) -> set[str]:
        """Return the fields that other records contribute to, if what they said of this one is not known: it was here before."""
        if self._work.knows_all or row.created_run:
            return set()
        return {item.name for item in spec.folded}

    def _elsewhere(self, spec: StreamSpec, fields: Mapping[str, Any]) -> bool:
        """Whether the record belongs to locations that have sub-accounts of their own, and this is none of them.

        A record of no location, or of one without a sub-account of its own, belongs everywhere: better twice than nowhere.
        """
        names = [name for name, declared in spec.fields.items() if declared.kind == "routing"]
        places = {
            self._locations[item]
            for name in names
            for item in fields.get(name) or ()
            if item in self._locations
        }
        return bool(places) and self._work.location not in places

    # Create

    def _create(self, row: Row, spec: StreamSpec, kind: ObjectKind, wanted: Mapping[str, Any]) -> None:
        made = self._created(row, spec, kind, wanted)
        if isinstance(made, Existing):
            self._take_over(row, spec, kind, wanted, made)
            return
        reach("after_response", row.object)
        notes = {**made.notes, **_switched_on(row, spec, wanted)}
        self._settle(row, spec, Outcome.CREATED, made.hl_id, wanted, parent_id=made.parent_id, notes=notes)
        reach("after_crosswalk", row.object)

    def _created(
        self, row: Row, spec: StreamSpec, kind: ObjectKind, wanted: Mapping[str, Any]
    ) -> Created | Existing:
        """Create, and after every unclear answer find out what happened before anything is sent again."""
        for number in range(_MOST_CREATES):
            reach("before_intent", row.object)
            self._work.intend(row, "create", kind.create_method, kind.create_route, fields=wanted)
            reach("after_intent", row.object)
            try:
                made = kind.create(row, spec, wanted)
            except Unknown as unknown:
                last: Unknown | Refused = unknown
            except Refused as refused:
                # a property that the clinic has made unique, such as our id: what has it may be ours, of an answer that was lost
                if not refused.maybe_created and refused.code != "already_exists":
                    self._work.answered(row, first=number == 0)
                    raise
                last = refused
            else:
                reach("after_send", row.object)
                return made
            found = self._find(row, spec, kind)
            if found:
                return Existing(found)
            if isinstance(last, Refused):
                raise last
        raise last

    def _find(self, row: Row, spec: StreamSpec, kind: ObjectKind) -> str | None:
        """Ask the witness when it has had time to know: the search index lags, and a server may still be at work."""
        assert row.intent is not None  # noqa: S101 - who asks what became of a write has intended it
        lag = self._search_lag if kind.witness_lags else min(self._search_lag, _AT_WORK)
        # when the intent was noted says nothing: the request may have waited for the budget for minutes before it left
        since = time.monotonic() - self._began if row.intent["run"] != self._work.run else 0.0
        if since < lag:
            self._sleep(lag - since)
        try:
            return kind.find(row, spec)
        except NotFound:  # what it would hang on is gone
            raise
        except Refused as refused:  # says nothing of the record: it must not be sent again on that
            hint = "the look whether it is there was refused; run again"
            raise Unknown(
                hint, route=refused.route, status=refused.status, findings=refused.findings
            ) from None

    def _adopt_found(self, row: Row, spec: StreamSpec, kind: ObjectKind) -> bool:
        """An earlier run was cut off between intent and outcome: see whether its write arrived.

        Or a repair wants to know whether the record is there again: then it is not our write that was found.
        """
        found = self._find(row, spec, kind)
        ours = row.intent is not None and row.intent["action"] != LOOK_FIRST
        return bool(found) and self._work.claim_id(row, str(found), ours=ours)

    def _take_over(
        self, row: Row, spec: StreamSpec, kind: ObjectKind, wanted: Mapping[str, Any], existing: Existing
    ) -> None:
        """The record is there already: ours from a lost answer, or somebody's that is the same person beyond doubt."""
        if row.object == "relation":
            # two rows of Cliniko may say the same of the same two people, each from its side
            ours = not existing.notes.get("linked_before") and self._work.claim_id(
                row, existing.hl_id, ours=True
            )
            outcome = Outcome.CREATED if ours else Outcome.UNCHANGED
            self._settle(row, spec, outcome, existing.hl_id, wanted, parent_id=None, notes={})
            return
        ours = existing.notes.get("adopted") != "same_person"
        if not self._work.claim_id(row, existing.hl_id, ours=ours):
            raise Rejected("duplicate_contact")  # noqa: EM101 - a reject is named by its code
        self._update(row, spec, kind, wanted)

    # Update

    def _update(self, row: Row, spec: StreamSpec, kind: ObjectKind, wanted: Mapping[str, Any]) -> None:
        """Write the fields that changed in Cliniko, and only those; nothing is read when nothing changed."""
        untold = self._untold(row, spec)
        wanted = {name: value for name, value in wanted.items() if name not in untold}
        changes = self._changes(row, spec, wanted)
        notes = {**row.notes, "conflicts": sorted(self._standing(row, changes))}
        written = self._bring(row, spec, kind, wanted, changes, notes) if changes else False
        outcome = Outcome.UPDATED if written else Outcome.UNCHANGED
        if row.created_here and (changes or row.intent):
            outcome = Outcome.CREATED
        parent = kind.parent_id(row) if kind.on_contact else None
        self._settle(row, spec, outcome, row.hl_id, wanted, parent_id=parent, notes=notes, stays=untold)
        reach("after_crosswalk", row.object)

    def _bring(
        self,
        row: Row,
        spec: StreamSpec,
        kind: ObjectKind,
        wanted: Mapping[str, Any],
        changes: dict[str, Any],
        notes: dict[str, Any],
    ) -> bool:
        """Compare the changes with what is in HighLevel, write those that nobody stands in the way of; return whether any was.

        What is to be remembered of it is put into the notes.
        """
        current = kind.read(row, spec)
        if row.created_here or row.notes.get("rebuilt"):
            recalled = kind.recall(spec, wanted, current)
            notes.update(recalled)
            if row.created_here:
                notes.update(_switched_on(row, spec, current))
            row.notes = dict(notes)
            changes = _not_done(spec, changes, current, recalled.get("withheld", {}))
        differing = {name: value for name, value in changes.items() if not _same(current.get(name), value)}
        conflicts = self._conflicts(row, spec, differing, current)
        writing = {
            name: value for name, value in differing.items() if self._may_write(name, current, conflicts)
        }
        notes["conflicts"] = sorted({*notes["conflicts"], *conflicts})
        if not writing:
            return False
        before = {name: current.get(name) for name in {*writing, *kind.along(spec, writing)}}
        if self._on_update:
            self._on_update(row, before, writing)
        reach("before_intent", row.object)
        self._work.intend(row, "update", kind.update_method, kind.update_route, fields=writing, before=before)
        reach("after_intent", row.object)
        told = dict(kind.update(row, spec, writing, current))
        reach("after_response", row.object)
        row.hl_id = told.pop("hl_id", row.hl_id)
        notes.update({**told, **_switched_on(row, spec, writing)})
        return True

    def _changes(self, row: Row, spec: StreamSpec, wanted: Mapping[str, Any]) -> dict[str, Any]:
        """Return the fields whose wanted value is not the one last written, and None for those no longer wanted."""
        changes = {
            name: value
            for name, value in wanted.items()
            if not is_written(row.written.get(name), value, self._salt)
        }
        if row.payload is not None and not row.payload.get("only_these") and not row.notes.get("rebuilt"):
            gone = set(row.written) - set(wanted) - self._untold(row, spec)
            changes.update({name: None for name in gone if name in spec.fields})
        for name in [name for name, value in changes.items() if _empty(value) and name not in row.written]:
            del changes[name]
        return {name: value for name, value in changes.items() if _may_change(spec, row, name, value)}

    def _conflicts(
        self, row: Row, spec: StreamSpec, changes: Mapping[str, Any], current: Mapping[str, Any]
    ) -> set[str]:
        """Return the fields somebody changed in HighLevel since we wrote them (or had filled before we came).

        A patient's *no* is never a conflict: do-not-disturb is switched on whatever stands there.
        """
        withheld = row.notes.get("withheld", {})
        found = set()
        for name, value in changes.items():
            there = current.get(name)
            if name == "tags" or row.created_here or row.object == "relation":
                continue  # tags are only added to; a relation has no values
            if name in withheld and _empty(there):
                continue  # it never was written
            if _empty(there) and name not in row.written:
                continue
            if name in spec.fields and spec.fields[name].kind == "dnd":
                continue
            declared = spec.field(name)
            if normal_form(declared, there) == normal_form(declared, value):
                continue  # only its form is another
            if row.notes.get("rebuilt") or not holds(row.written.get(name), declared, there, self._salt):
                found.add(name)  # of a rebuilt record nobody knows who wrote what
        return found

    def _standing(self, row: Row, changes: Mapping[str, Any]) -> set[str]:
        """Return the fields that were left to a person before and are not looked at now; where Cliniko wins none is."""
        left = () if self._overwrite == "cliniko_wins" else row.notes.get("conflicts", ())
        return set(left) - set(changes)

    def _may_write(self, name: str, current: Mapping[str, Any], conflicts: set[str]) -> bool:
        if name not in conflicts or self._overwrite == "cliniko_wins":
            return True
        return self._overwrite == "fill_empty" and _empty(current.get(name))

    # Move

    def _moved(self, row: Row) -> bool:
        """Cliniko has given the record to another patient, as it does when two are merged."""
        new = self._work.hl_id(f"contact:{row.contact}") if row.contact else None
        return bool(new and row.parent_id and new != row.parent_id)

    def _move(self, row: Row, spec: StreamSpec, kind: ObjectKind, wanted: Mapping[str, Any]) -> None:
        """HighLevel cannot move what hangs on a contact: say so on the copy that stays, then make it anew on the other one.

        In this order a kill in between leaves no two things with one marker: the old one has lost it already.
        """
        self._leave(row, spec, kind, MOVED)
        self._work.left(row)
        self._create(row, spec, kind, wanted)

    def _shorten(self, row: Row, spec: StreamSpec, kind: ObjectKind) -> None:
        """A text may take fewer pieces than it did: those it no longer has lose their marker and say so."""
        number = (row.payload or {}).get("pieces")
        while number and (piece := self._work.row(f"{row.ref}#{number + 1}")):
            number += 1
            if piece.hl_id:
                self._leave(piece, spec, kind, SHORTER)
            self._work.drop(piece, "no_longer_wanted")

    def _leave(self, row: Row, spec: StreamSpec, kind: ObjectKind, why: str) -> None:
        """Say on a record that stays behind why it does; one that somebody has deleted there is nothing to say on."""
        there: Mapping[str, Any] = {}
        with suppress(NotFound):
            there = kind.read(row, spec)
        said = kind.farewell(row.source_id, there, why)
        before = {name: there.get(name) for name in said}
        self._work.intend(row, "leave", kind.update_method, kind.update_route, fields=said, before=before)
        if said:
            with suppress(NotFound):
                kind.update(row, spec, said, there)

    # Remove

    def _remove(self, row: Row, kind: ObjectKind) -> None:
        before = row.notes.get("link", {}) if row.hl_id else None
        if row.hl_id and not self._work.shared(row):
            self._work.intend(row, "remove", "DELETE", kind.remove_route, before=before)
            kind.remove(row)
        self._work.drop(row, "no_longer_wanted", before=before)

    # Settle

    def _settle(
        self,
        row: Row,
        spec: StreamSpec,
        outcome: Outcome,
        hl_id: str | None,
        wanted: Mapping[str, Any],
        *,
        parent_id: str | None,
        notes: Mapping[str, Any],
        stays: AbstractSet[str] = frozenset(),
    ) -> None:
        notes = {name: value for name, value in notes.items() if name != "rebuilt" and value}
        if row.object == "relation" and wanted:  # HighLevel does not tell it: one day it is the before-image
            notes["link"] = dict(wanted)
        written = {
            name: mark(spec.field(name), value, self._salt)
            for name, value in wanted.items()
            if not _empty(value)
        }
        if row.payload is None or row.payload.get("only_these"):
            stays = set(row.written)
        written = {
            **{name: mark for name, mark in row.written.items() if name in stays - set(wanted)},
            **written,
        }
        keep = bool((row.payload or {}).get("joins"))
        self._work.settle(
            row, outcome, hl_id=hl_id, written=written, parent_id=parent_id, notes=notes, keep_payload=keep
        )


def _may_change(spec: StreamSpec, row: Row, name: str, value: Any) -> bool:
    """Some fields are set at creation only; do-not-disturb is never switched off unless we had switched it on."""
    declared = spec.fields.get(name)
    if declared is None:
        return True
    if declared.kind == "dnd" and value is not True:
        return value is False and name in row.notes.get("dnd", ())
    return not declared.create_only


def _switched_on(row: Row, spec: StreamSpec, values: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return, as a note, which channels we have closed, now that these values are written: we open no others again."""
    ours = set(row.notes.get("dnd", ()))
    for name, value in values.items():
        if name in spec.fields and spec.fields[name].kind == "dnd":
            (ours.add if value is True else ours.discard)(name)
    return {"dnd": sorted(ours)}


def _not_done(
    spec: StreamSpec, changes: Mapping[str, Any], current: Mapping[str, Any], withheld: Mapping[str, str]
) -> dict[str, Any]:
    """Return the changes without what the create has seen to: an address that would be refused again, tags that are all there."""
    return {
        name: value
        for name, value in changes.items()
        if name not in withheld
        and not (spec.field(name).kind == "tags" and set(value or ()) <= set(current.get(name) or ()))
    }


def _empty(value: Any) -> bool:
    return value is None or value in ("", [])


def _same(there: Any, wanted: Any) -> bool:
    return there == wanted or (_empty(there) and _empty(wanted))
