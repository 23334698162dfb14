"""The way of one record into HighLevel: find out, intend, write, settle. The whole write protocol, top to bottom."""

from __future__ import annotations

import time
from contextlib import contextmanager, suppress
from dataclasses import replace
from itertools import count, takewhile
from typing import TYPE_CHECKING, Any

from target_highlevel.api.answers import AnswerNotUnderstood
from target_highlevel.crashpoints import reach
from target_highlevel.desired import Desired
from target_highlevel.engine.absence import IN_FLIGHT_SECONDS, Absence
from target_highlevel.engine.changes import Changes, not_done, switched_on
from target_highlevel.engine.sending import Sending
from target_highlevel.errors import DayBudgetSpent, Interrupted, NotFound, Refused, Unknown
from target_highlevel.fields import is_empty, kind_of, mark
from target_highlevel.http.error_messages import UNEXPLAINED
from target_highlevel.ledger.repair import LOOK_FIRST
from target_highlevel.ledger.rows import NO_NOTES, Outcome
from target_highlevel.ledger.undo import REMOVALS
from target_highlevel.marker import is_part, part_id
from target_highlevel.objects.base import MOVED, SHORTER, Created, Existing, Rejected
from target_highlevel.objects.diary import BY_SETTINGS
from target_highlevel.objects.refused_fields import names_nothing, spared
from target_highlevel.reasons import reason_for
from target_highlevel.withheld import REFUSED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from collections.abc import Set as AbstractSet
    from datetime import datetime

    from target_highlevel.descriptor import StreamSpec
    from target_highlevel.ledger.rows import Notes, Row
    from target_highlevel.ledger.work import Work
    from target_highlevel.objects.base import ObjectKind, Updated

    #: (contributor, fields) of every partial record that folds into one.
    Contributions = list[tuple[str, dict[str, Any]]]
    Anew = Callable[[Row, StreamSpec, ObjectKind, Contributions], tuple[ObjectKind, str] | None]

#: A create whose outcome stayed unclear is looked for and tried again so often before it is put off to the next run.
_MOST_CREATES = 3


class Writer:
    """Writes one record at a time; any number of threads may share it."""

    def __init__(  # noqa: PLR0913 - what only some runs have is named
        self,
        work: Work,
        *,
        salt: bytes,
        overwrite: str,
        search_lag: float,
        now: Callable[[], datetime],
        sleep: Callable[[float], Any] = time.sleep,
        on_update: Callable[[Row, Mapping[str, Any], Mapping[str, Any]], None] | None = None,
        money: Callable[[StreamSpec, Mapping[str, Any]], dict[str, str]] | None = None,
        keeps_related: bool = False,
        anew: Anew = lambda *_: None,
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
            money: says what these values of a record come to.
            keeps_related: whether the content of what hangs on other records is kept: it may leave with them, and come back.
            anew: says of what hangs on a contact whether it has to be made anew as something else, and what its copy is told.
        """
        self._anew = anew
        self._money = money
        self._keeps_related = keeps_related
        #: Told of every record that is in HighLevel as wanted: its values, and what the report must say of it.
        self.on_settled: Callable[[Row, Mapping[str, Any], Notes], None] | None = None
        self._on_update = on_update
        self._work = work
        self._salt = salt
        self._overwrite = overwrite
        self._changes = Changes(work, salt, overwrite)
        self._search_lag = search_lag
        self._now = now
        self._sleep = sleep
        self._began = time.monotonic()
        self.absence = Absence(search_lag, sleep)
        #: Creates of this run that HighLevel has answered with a success nobody understands.
        self._not_understood: dict[str, AnswerNotUnderstood] = {}

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
        if row.content.absent:
            if row.hl_id is None and row.intent and row.fields:
                self.adopt_found(row, spec, kind)
            self._remove(row, spec, kind)
            return
        self._notice_removal(row, spec, kind)
        now = f"{self._now():%Y-%m-%dT%H:%M:%SZ}"
        desired = Desired.of(row, spec, contributions, now)
        row.changes_at = desired.next_change()
        if self._is_without_place(row, spec, kind, desired.fields):
            return
        wanted = desired.values(kind)
        if row.hl_id is None and row.intent:
            found = self.adopt_found(row, spec, kind)
            if found and row.object == "relation":  # its ends are all it says
                outcome = Outcome.CREATED if row.created_here else Outcome.UNCHANGED
                self._settle(row, spec, outcome, row.hl_id, wanted, parent_id=None, notes=row.notes)
                return
        # first: once the record is settled, nobody knows of the pieces any more
        self._retire_extra_parts(row, spec, kind)
        if row.hl_id is None and row.content.filtered:
            self._work.leave_out(row, row.content.filtered)
        elif row.hl_id is None:
            self._create(row, spec, kind, wanted)
        elif kind.on_contact and (turned := self._anew(row, spec, kind, contributions)):
            other, why = turned
            self._make_anew(row, spec, kind, why, other, desired.values(other))
        elif kind.on_contact and self._moved(row):
            self._make_anew(row, spec, kind, MOVED, kind, wanted)
        else:
            self._update(row, spec, kind, wanted)

    def _notice_removal(self, row: Row, spec: StreamSpec, kind: ObjectKind) -> None:
        """Take note of a removal that was cut off, if it took effect: the record is wanted again, or was to be made anew."""
        action = row.intent["action"] if row.intent else None
        if row.hl_id is None or action not in (*REMOVALS, *(["update"] if kind.is_made_anew else [])):
            return
        self._give_time(row, kind)
        if not kind.is_there(row, spec):
            self._work.went(row)

    def _is_without_place(
        self, row: Row, spec: StreamSpec, kind: ObjectKind, fields: Mapping[str, Any]
    ) -> bool:
        """Leave a record out that has no place here as things are, and remove it if it is there; return whether it is so."""
        reason = kind.left_out(row, fields)
        if row.hl_id is None and row.intent and (reason or kind.not_yet(fields)):
            self.adopt_found(row, spec, kind)
        if row.hl_id and reason:
            self._remove(row, spec, kind, reason)
            return True
        reason = None if row.hl_id else reason or kind.not_yet(fields)
        if reason:
            self._work.set_aside(row, reason, until_received=reason in BY_SETTINGS)
        return reason is not None

    # Create

    def _create(self, row: Row, spec: StreamSpec, kind: ObjectKind, wanted: dict[str, Any]) -> None:
        if (
            row.ref in self._not_understood
        ):  # not found at the end of the run either; a later one may send it again
            raise self._not_understood[row.ref]
        made = self._created(row, spec, kind, wanted)
        if isinstance(made, Existing):
            self._adopt(row, spec, kind, wanted, made)
            return
        reach("after_response", row.object)
        notes = replace(made.notes, dnd=switched_on(row, spec, wanted))
        self._settle(row, spec, Outcome.CREATED, made.hl_id, wanted, parent_id=made.parent_id, notes=notes)
        if kind.search_is_eventual:
            self.absence.created(row, spec)
        reach("after_crosswalk", row.object)

    def _created(
        self, row: Row, spec: StreamSpec, kind: ObjectKind, wanted: dict[str, Any]
    ) -> Created | Existing:
        """Create, and after every unclear answer find out what happened before anything is sent again.

        A field that HighLevel refuses, and that the record can do without, is left out of the next attempt; a text that it
        finds too long is cut, in what is wanted as well.
        """
        sending = Sending(row, spec, kind, wanted)
        for number in count():
            reach("before_intent", row.object)
            self._work.intend(row, "create", kind.api, fields=wanted)
            reach("after_intent", row.object)
            try:
                made = self._sent(row, spec, kind, sending.fields, first=number == 0)
            except Unknown as unknown:
                last: Unknown | Refused = unknown
                unclear = True
            except Refused as refused:
                last = refused
                # a property that the clinic has made unique, such as our id: what has it may be ours, of an answer that was lost
                unclear = refused.maybe_created or refused.code == "already_exists"
            else:
                reach("after_send", row.object)
                return _with_withheld(made, sending.withheld)
            again = isinstance(last, Refused) and sending.heeds(last)
            found = self._found_after(row, spec, kind, last, again=again) if unclear else None
            if found:
                return Existing(found)
            if isinstance(last, Refused) and not (unclear and kind.search_is_eventual):
                self._work.refused(row)
            if (
                not again
                # a success that nobody understands is looked for, in later runs too, before anything is sent again
                and (
                    isinstance(last, (Refused, AnswerNotUnderstood))
                    or number - sending.refusals + 1 >= _MOST_CREATES
                )
            ):
                break
        if isinstance(last, Refused) and not unclear:
            self._work.answered(row, first=number == 0)
        raise sending.verdict or last if isinstance(last, Refused) else last

    def _sent(
        self, row: Row, spec: StreamSpec, kind: ObjectKind, fields: Mapping[str, Any], *, first: bool
    ) -> Created | Existing:
        """Send a create; one that never left is known not to have happened.

        Kinds whose search lags send nothing after the request that creates; others look afterwards, and are found at once.
        """
        try:
            return kind.create(row, spec, fields)
        except AnswerNotUnderstood as error:
            self._not_understood[row.ref] = error
            raise
        except Rejected:
            self._work.refused(row)
            raise
        except (DayBudgetSpent, Interrupted):
            if kind.search_is_eventual and first:
                self._work.not_sent(row)
            raise

    def _found_after(
        self, row: Row, spec: StreamSpec, kind: ObjectKind, last: Unknown | Refused, *, again: bool
    ) -> str | None:
        """Return the id of what a create has made whose outcome is unclear; None when it may be sent again.

        A refusal that gives no reason is no proof that nothing was made: where less is to be sent ``again``, it has to be proven.
        """
        refused = isinstance(last, Refused)
        self.absence.lost(row, refused=refused)
        if found := self._find(row, spec, kind):
            return found
        unproven = not refused or (again and last.code in UNEXPLAINED)
        return self._prove(row, spec, kind) if unproven else None

    def _find(self, row: Row, spec: StreamSpec, kind: ObjectKind) -> str | None:
        """Ask the witness when it has had time to know."""
        self._give_time(row, kind)
        return _look(row, spec, kind)

    def _give_time(self, row: Row, kind: ObjectKind) -> None:
        """Wait until what was sent can be seen: the search index lags, and a server may still be at work."""
        assert row.intent is not None  # noqa: S101 - who asks what became of a write has intended it
        lag = self._search_lag if kind.search_is_eventual else min(self._search_lag, IN_FLIGHT_SECONDS)
        # when the intent was noted says nothing: the request may have waited for the budget for minutes before it left
        sent_here = row.intent["run"] == self._work.run and row.intent["action"] != LOOK_FIRST
        since = 0.0 if sent_here else time.monotonic() - self._began
        if since < lag:
            self._sleep(lag - since)

    def _prove(self, row: Row, spec: StreamSpec, kind: ObjectKind) -> str | None:
        """Make sure that a record which was not found is not there, as far as its search lags; return its id if it is."""
        if not kind.search_is_eventual:
            return None
        return self.absence.prove(row, spec, kind, lambda: _look(row, spec, kind))

    def adopt_found(self, row: Row, spec: StreamSpec, kind: ObjectKind) -> bool:
        """An earlier run was cut off between intent and outcome: see whether its write arrived.

        Or a repair wants to know whether the record is there again: then it is not our write that was found.
        """
        found = self._find(row, spec, kind)
        ours = row.intent is not None and row.intent["action"] != LOOK_FIRST
        if not found and ours:
            found = self._prove(row, spec, kind)
        parent = kind.parent_id(row) if found and kind.on_contact else None
        return bool(found) and self._work.claim_id(row, str(found), ours=ours, parent_id=parent)

    def _adopt(
        self, row: Row, spec: StreamSpec, kind: ObjectKind, wanted: Mapping[str, Any], existing: Existing
    ) -> None:
        """The record is there already: ours from a lost answer, or somebody's that is the same person beyond doubt."""
        if row.object == "relation":
            # two rows of Cliniko may say the same of the same two people, each from its side
            ours = existing.ours and self._work.claim_id(row, existing.hl_id, ours=True)
            outcome = Outcome.CREATED if ours else Outcome.UNCHANGED
            self._settle(row, spec, outcome, existing.hl_id, wanted, parent_id=None, notes=NO_NOTES)
            return
        if not self._work.claim_id(row, existing.hl_id, ours=existing.ours):
            raise Rejected("duplicate_contact")  # noqa: EM101 - a reject is named by its code
        self._update(row, spec, kind, wanted)

    # Update

    def _update(self, row: Row, spec: StreamSpec, kind: ObjectKind, wanted: Mapping[str, Any]) -> None:
        """Write the fields that changed in Cliniko, and only those; nothing is read when nothing changed."""
        untold = self._changes.unseen(row, spec)
        row.notes = replace(row.notes, dnd=tuple(sorted({*row.notes.dnd, *self._changes.closing(row, spec)})))
        wanted = {name: value for name, value in wanted.items() if name not in untold}
        changes = self._changes.of(row, spec, wanted)
        notes = replace(row.notes, conflicts=tuple(sorted(self._changes.kept(row, changes))))
        written = False
        if changes:
            written, notes = self._apply_changes(row, spec, kind, wanted, changes, notes)
        outcome = Outcome.UPDATED if written else Outcome.UNCHANGED
        if row.created_here and (changes or row.intent):
            outcome = Outcome.CREATED
        parent = kind.parent_id(row) if kind.on_contact else None
        notes = replace(notes, withheld={**notes.withheld, **row.gives_up})
        self._settle(row, spec, outcome, row.hl_id, wanted, parent_id=parent, notes=notes, stays=untold)
        reach("after_crosswalk", row.object)

    def _apply_changes(
        self,
        row: Row,
        spec: StreamSpec,
        kind: ObjectKind,
        wanted: dict[str, Any],
        changes: dict[str, Any],
        notes: Notes,
    ) -> tuple[bool, Notes]:
        """Write the changed fields that are not in conflict; return whether there were any, and what a later run must know."""
        current = kind.read(row, spec)
        if row.created_here or row.notes.rebuilt:
            recalled = kind.reconstruct_notes(spec, wanted, current)
            notes = notes.recalled(recalled)
            if row.created_here:
                notes = replace(notes, dnd=switched_on(row, spec, current))
            row.notes = notes
            changes = not_done(spec, changes, current, recalled.withheld)
        if row.begun_tags:
            there = _tags_in(spec, current)
            notes = replace(notes, tags=tuple(sorted({*notes.tags, *row.begun_tags} & there)))
            row.notes = notes
        notes = replace(
            notes, dnd=switched_on(row, spec, {name: current.get(name) for name in row.notes.dnd})
        )
        differing = {
            name: value
            for name, value in changes.items()
            if not kind_of(spec.field(name)).is_done(value, current.get(name))
        }
        conflicts = {
            name
            for name in self._changes.conflicts(row, spec, differing, current)
            if not kind.is_highlevels_own(row, spec, name, current.get(name))
        }
        writing = {
            name: value
            for name, value in differing.items()
            if self._changes.may_write(name, current, conflicts)
        }
        notes = replace(notes, conflicts=tuple(sorted({*notes.conflicts, *conflicts})))
        if not writing:
            return False, notes
        before = {name: current.get(name) for name in {*writing, *kind.co_written_fields(spec, writing)}}
        if self._on_update:
            self._on_update(row, before, writing)
        told = self._updated(row, spec, kind, wanted, writing, current, before)
        reach("after_response", row.object)
        row.cleared = {name for name in writing if not is_empty(current.get(name))}
        row.hl_id = told.hl_id or row.hl_id
        return True, replace(told.noted(notes), dnd=switched_on(row, spec, writing))

    def _updated(
        self,
        row: Row,
        spec: StreamSpec,
        kind: ObjectKind,
        wanted: dict[str, Any],
        writing: dict[str, Any],
        current: Mapping[str, Any],
        before: Mapping[str, Any],
    ) -> Updated:
        """Update; a text that HighLevel finds too long is cut, in what is wanted as well.

        Where a refusal names no field, less is sent, as long as anything is: what is left out stays as it is there.
        """
        groups = iter(spared(spec, writing) if kind.grows_leaner else ())
        left_out: set[str] = set()
        while True:
            reach("before_intent", row.object)
            marks = self._changes.marks(spec, writing)
            tags = _tags_in(spec, writing)
            self._work.intend(row, "update", kind.api, fields=writing, before=before, marks=marks, tags=tags)
            reach("after_intent", row.object)
            try:
                with self._noting_refusal(row, kind):
                    return _leaving(kind.update(row, spec, writing, current), row, left_out)
            except Refused as refused:
                if kind.learn(refused, spec, writing):
                    writing.update(kind.fit(row, spec, writing))
                    wanted.update(kind.fit(row, spec, wanted))
                    continue
                names = next((names for names in groups if names & set(writing)), set())
                if (
                    not names  # the same would be sent again, and again
                    or not names_nothing(refused, kind.named_by(refused, spec, writing))
                    or not set(writing) - names
                ):
                    raise
                left_out |= names & set(writing)
                for name in left_out & set(writing):
                    del writing[name]

    @contextmanager
    def _noting_refusal(self, row: Row, kind: ObjectKind) -> Iterator[None]:
        """Note that an update was refused; of one that removes the record first, nobody knows how far it came."""
        try:
            yield
        except (Refused, Rejected):
            if not kind.is_made_anew:
                self._work.refused(row)
            raise

    # Move

    def _moved(self, row: Row) -> bool:
        """Whether Cliniko has given the record to another patient, as it does when two are merged."""
        new = self._work.hl_id(f"contact:{row.contact}") if row.contact else None
        return bool(new and row.parent_id and new != row.parent_id)

    def _make_anew(
        self,
        row: Row,
        spec: StreamSpec,
        kind: ObjectKind,
        why: str,
        other: ObjectKind,
        wanted: dict[str, Any],
    ) -> None:
        """HighLevel cannot move what hangs on a contact, nor turn it into something else: say so on the copy, then make another.

        In this order a kill in between leaves no two things with one marker: the old one has lost it already.
        """
        self._detach(row, spec, kind, why)
        self._work.detach(row)
        self._create(row, spec, other, wanted)

    def _retire_extra_parts(self, row: Row, spec: StreamSpec, kind: ObjectKind) -> None:
        """Detach the parts that a text no longer needs, because it has become shorter, or is divided otherwise."""
        number = row.content.pieces
        while number and (piece := self._work.row(f"{row.ref}#{number + 1}")):
            number += 1
            for part in [*self._extra_parts(piece), piece]:
                self._retire(part, spec, kind)
        for part in self._extra_parts(row):
            self._retire(part, spec, kind)

    def _extra_parts(self, row: Row) -> list[Row]:
        """Return the parts that were made of a note, or of a piece of one, beyond those that it has now."""
        if row.object != "note" or row.hl_id is None or is_part(row.source_id):
            return []
        numbers = count((row.content.parts or 1) + 1)
        found = (self._work.row(f"{row.object}:{part_id(row.source_id, number)}") for number in numbers)
        return list(takewhile(lambda part: part is not None, found))  # type: ignore[arg-type]

    def _retire(self, row: Row, spec: StreamSpec, kind: ObjectKind) -> None:
        if row.hl_id:
            self._detach(row, spec, kind, SHORTER)
        self._work.drop(row, "no_longer_wanted")

    def _detach(self, row: Row, spec: StreamSpec, kind: ObjectKind, why: str) -> None:
        """Write on a copy that stays behind why it does, unless somebody has deleted it."""
        there: Mapping[str, Any] = {}
        with suppress(NotFound):
            there = kind.read(row, spec)
        said = kind.detached_text(row.source_id, there, why)
        before = {name: there.get(name) for name in said}
        marks = self._changes.marks(spec, said)
        self._work.intend(row, "leave", kind.api, fields=said, before=before, marks=marks)
        reach("after_intent", row.object)
        if said:
            with suppress(NotFound):
                kind.update(row, spec, said, there)
        reach("after_response", row.object)

    # Remove

    def _remove(self, row: Row, spec: StreamSpec, kind: ObjectKind, reason: str = "no_longer_wanted") -> None:
        before = kind.before_removal(row, spec) if row.hl_id else None
        if row.hl_id and not self._work.shared(row):
            reach("before_intent", row.object)
            self._work.intend(row, "remove", kind.api, before=before)
            reach("after_intent", row.object)
            with suppress(NotFound):
                kind.remove(row)
            reach("after_response", row.object)
        self._work.drop(row, reason, before=before)

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
        notes: Notes,
        stays: AbstractSet[str] = frozenset(),
    ) -> None:
        self._not_understood.pop(row.ref, None)
        if row.object == "relation" and wanted:  # HighLevel does not tell it: one day it is the before-image
            notes = replace(notes, link=wanted)
        if row.object == "note" and row.is_whole:
            notes = replace(notes, author=row.fields.get("owner"))
        # of what this reception is not about, it is as it was
        shortened = (set(notes.shortened) - set(wanted)) | (row.shortened & set(wanted))
        money = self._comes_to(row, spec, wanted, notes)
        if not row.is_whole:
            stays = {*row.written, *notes.otherwise}
        notes = replace(
            notes,
            rebuilt=False,
            found_again=row.created_run is None
            and (row.notes.found_again or row.notes.rebuilt or notes.rebuilt),
            otherwise={name: kept for name, kept in notes.otherwise.items() if name in stays - set(wanted)},
            shortened=tuple(sorted(shortened)),
            money=money,
        )
        if self.on_settled:
            self.on_settled(row, wanted, notes)
        written = {
            name: mark(spec.field(name), value, self._salt)
            for name, value in wanted.items()
            if not is_empty(value)
        }
        written = {
            **{name: mark for name, mark in row.written.items() if name in stays - set(wanted)},
            **written,
        }
        related = self._keeps_related and spec.kind == "custom_object" and row.content.relations
        owners = [item.name for item in spec.folded if kind_of(item).of_record]
        self._work.settle(
            row,
            outcome,
            hl_id=hl_id,
            written=written,
            parent_id=parent_id,
            notes=notes,
            # a text of several pieces is made anew when one of them changes, from all that the record itself says
            keep_payload=bool(row.content.joins or related or spec.is_composed),
            # somebody may have put the new one there before us
            owner_changed=row.object == "contact"
            and outcome is not Outcome.CREATED
            and any(written.get(name) != row.written.get(name) for name in owners),
        )

    def _comes_to(
        self, row: Row, spec: StreamSpec, wanted: Mapping[str, Any], notes: Notes
    ) -> Mapping[str, str] | None:
        """Return what the record now comes to in HighLevel: a refused field is not there, a person's value is as it was."""
        kept = self._overwrite != "cliniko_wins" and set(notes.conflicts) & set(spec.money.values())
        if not spec.money or row.object != spec.object or self._money is None or not row.is_whole or kept:
            return notes.money or None
        return self._money(
            spec, {name: value for name, value in wanted.items() if name not in notes.withheld}
        )


def _tags_in(spec: StreamSpec, values: Mapping[str, Any]) -> set[str]:
    """Return the tags among a record's values."""
    return {tag for name, value in values.items() if kind_of(spec.field(name)).shared for tag in value or ()}


def _with_withheld(made: Created | Existing, withheld: Mapping[str, str]) -> Created | Existing:
    """Note on what was created which fields were refused."""
    if not withheld or isinstance(made, Existing):
        return made
    return replace(made, notes=replace(made.notes, withheld={**made.notes.withheld, **withheld}))


def _leaving(told: Updated, row: Row, left_out: AbstractSet[str]) -> Updated:
    """Note on what was updated which fields it was not given."""
    if not left_out:
        return told
    withheld = row.notes.withheld if told.withheld is None else told.withheld
    return replace(told, withheld={**withheld, **dict.fromkeys(left_out, REFUSED)})


def _look(row: Row, spec: StreamSpec, kind: ObjectKind) -> str | None:
    """Look for a record whose create is unclear."""
    try:
        return kind.find(row, spec)
    except NotFound:  # what it would hang on is gone
        raise
    except Refused as refused:  # says nothing of the record: it must not be sent again on that
        hint = "the check whether it is there was refused; run again"
        raise Unknown(hint, route=refused.route, status=refused.status, findings=refused.findings) from None
