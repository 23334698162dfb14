"""One contact with all that hangs on it, or one record of a custom object, taken back as far as nobody has touched it."""

from __future__ import annotations

from contextlib import suppress
from enum import Enum
from functools import partial
from typing import TYPE_CHECKING, Any

from target_highlevel.api.contacts import custom_values
from target_highlevel.errors import NotFound
from target_highlevel.fields import is_off
from target_highlevel.ledger.rows import DIARY
from target_highlevel.objects.base import Rejected
from target_highlevel.objects.contact import decode
from target_highlevel.objects.file import listed_files, unseen
from target_highlevel.objects.file import source_id as file_source_id
from target_highlevel.rollback.engagement import Engagement
from target_highlevel.rollback.result import Spared
from target_highlevel.rollback.touched import contact_changes

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from target_highlevel.engine.session import Session
    from target_highlevel.ledger.rows import Row
    from target_highlevel.ledger.undo import Trace, Undo
    from target_highlevel.objects.base import ObjectKind
    from target_highlevel.objects.on_contact import OnContact
    from target_highlevel.rollback.act import Hand
    from target_highlevel.rollback.plan import Plan, Unit
    from target_highlevel.rollback.result import Result
    from target_highlevel.rollback.setbacks import Setbacks
    from target_highlevel.rollback.touched import Marks

    Items = Mapping[str, Mapping[str, dict[str, Any]]]


class _Fate(Enum):
    """What becomes of something on a contact."""

    STAYS, GOES, GONE = range(3)


class UnitWorker:
    """Takes units back; any number of threads may share it, each with its own unit."""

    def __init__(
        self,
        session: Session,
        undo: Undo,
        hand: Hand,
        marks: Marks,
        plan: Plan,
        result: Result,
        setbacks: Setbacks,
    ) -> None:
        """Work for one rollback."""
        self._session = session
        self._setbacks = setbacks
        self._undo = undo
        self._hand = hand
        self._marks = marks
        self._plan = plan
        self._result = result
        self._engagement = Engagement(session, undo)
        self._refused: list[Unit] = []
        kinds = session.kinds
        self._opportunity = kinds.opportunity
        self._lists: dict[str, OnContact] = {"note": kinds.note, "task": kinds.task, "event": kinds.event}

    def take_back(self, unit: Unit, shown: Mapping[str, Any] | None = None) -> None:
        """Take one unit back; of a record, the search may have shown the properties already."""
        with self._setbacks.met(partial(self._leave, unit)):
            self._take_back(unit, shown)

    def _leave(self, unit: Unit, reason: str) -> None:
        """Have a unit stay with all that hangs on it and was not dealt with."""
        row = self._undo.row(unit.ref) if unit.ref else None
        if row is not None and (unit.created or unit.updated):
            (self._result.keep if unit.created else self._result.spare)(row, reason)
        for child in self._rows(unit.children):
            if child.ref not in self._result.spared and child.ref not in self._result.restored:
                self._stay(unit, child, reason)

    def _stay(self, unit: Unit, child: Row, reason: str) -> None:
        (self._result.spare if child.ref in unit.updated_children else self._result.keep)(child, reason)

    def _take_back(self, unit: Unit, shown: Mapping[str, Any] | None) -> None:
        if unit.object == "contact":
            self._contact(unit)
            return
        row = self._undo.row(str(unit.ref))
        if row is None or row.hl_id is None:
            return
        if row.object in DIARY:
            self._standing(unit, row)
        elif shown is None or self._differing(row, shown):
            self._record(unit, row)
        elif reason := self._needed(row) or self._linked_by_somebody(row):
            self._result.keep(row, reason)
        else:
            self._remove(row, self._session.kinds.custom_object)

    @property
    def unseen(self) -> set[str]:
        """Return the signs of people's work that the token may not see."""
        return self._engagement.unseen

    def refused(self) -> list[Unit]:
        """Return, once, the contacts that could not be given a value of theirs: another contact may have had the address."""
        found, self._refused = self._refused, []
        return found

    def _pending(self, row: Row) -> Mapping[str, Any]:
        return self._hand.pending(row, self._session.specs[row.stream], self._kind(row))

    def _kind(self, row: Row) -> ObjectKind:
        return self._session.kinds.of(row, self._session.specs[row.stream])

    # Records of custom objects

    def _differing(self, row: Row, properties: Mapping[str, Any]) -> list[str]:
        """Return what is not as it was left, and the clinic's own properties that somebody has filled in since."""
        spec = self._session.specs[row.stream]
        kind = self._session.kinds.custom_object
        differing = self._marks.differing(row, kind.decode(spec, properties), self._pending(row))
        return sorted({*differing, *kind.of_others(spec, properties)})

    def _record(self, unit: Unit, row: Row) -> None:
        kind = self._session.kinds.custom_object
        spec = self._session.specs[row.stream]
        try:
            properties = kind.properties(row, spec)
        except NotFound:
            self._gone(unit, row)
            return
        if not unit.created:
            self._restore(row, kind, kind.decode(spec, properties))
            return
        differing = self._differing(row, properties)
        reason = "changed" if differing else self._needed(row) or self._linked_by_somebody(row)
        if reason:
            self._result.keep(row, reason, differing)
        else:
            self._remove(row, kind)

    def _linked_by_somebody(self, row: Row) -> str | None:
        """Return whether a record is linked with something by a link that is none of ours: it would go with the record.

        That takes a request for each record, which no page of the search spares: it shows no links.
        """
        links = {item.id for item in self._session.kinds.relation.all_of(str(row.hl_id))}
        return self._foreign("relation", links - self._plan.known_relations.keys())

    # Calendars, hours and absences

    def _standing(self, unit: Unit, row: Row) -> None:
        kind, spec = self._session.kinds.diary[row.object], self._session.specs[row.stream]
        try:
            current = kind.read(row, spec)
        except NotFound:
            self._gone(unit, row)
            return
        if not unit.created:
            self._restore(row, kind, current)
            return
        ours = {name: value for name, value in current.items() if name in row.left}
        differing = self._marks.differing(row, ours, self._pending(row))
        if differing:
            self._result.keep(row, "changed", differing)
        elif reason := self._needed(row) or kind.in_use(row):
            self._result.keep(row, reason)
        else:
            self._remove(row, kind)

    def _gone(self, unit: Unit, row: Row) -> None:
        """Somebody deleted the record: nothing is left to remove or to put back."""
        if unit.created:
            self._hand.gone(row)
        elif unit.updated:
            self._result.spare(row, "deleted_by_somebody")

    def _needed(self, row: Row) -> str | None:
        """Return why a record must stay that nobody changed: a later run wrote it, or something that stays needs it."""
        if row.ref in self._plan.rewritten:
            return "written_by_a_later_run"
        wanting = self._plan.wanted_by.get(row.ref, ())
        if any(trace.origin in self._result.kept for trace in wanting):
            return "needed_by_a_spared_record"
        if any(trace.owner != self._undo.undone for trace in wanting):
            return "needed_by_another_run"
        return None

    def _remove(self, row: Row, kind: ObjectKind, along: Iterable[Row] = ()) -> None:
        try:
            self._hand.remove(row, kind, along)
        except Rejected as rejected:
            self._result.keep(row, rejected.reason)

    def _remove_children(self, children: Iterable[Row]) -> bool:
        """Remove what hangs on a contact, one by one; return whether all of it is gone."""
        stays = False
        for child in children:
            with self._setbacks.met(partial(self._result.keep, child)):
                self._remove(child, self._kind(child))
            stays = stays or child.ref in self._result.kept
        return not stays

    def _restore(self, row: Row, kind: ObjectKind, current: Mapping[str, Any]) -> bool:
        """Put a record back; return whether HighLevel refused a value."""
        before = self._undo.before(row.ref)
        if row.ref in self._plan.rewritten:
            self._result.spare(row, "written_by_a_later_run", sorted(before.fields))
            return False
        left, refused = self._hand.restore(row, self._session.specs[row.stream], kind, before, current)
        self._result.restore(row, before, [*left, *refused])
        if left:
            self._result.spare(row, "changed", [*left, *refused])
        elif refused:
            self._result.spare(row, "refused", refused)
        return bool(refused)

    def _rows(self, traces: Iterable[Trace]) -> list[Row]:
        found = (self._undo.row(trace.ref) for trace in traces)
        return [row for row in found if row is not None and row.hl_id is not None]

    # Contacts

    def _contact(self, unit: Unit) -> None:
        row = self._undo.row(unit.ref) if unit.ref else None
        try:
            contact = self._session.highlevel.contacts.get(unit.hl_id)
        except NotFound:
            self._contact_gone(unit, row)
            return
        items = self._items(unit, contact)
        children, standing = self._children(unit, items)
        if unit.created and row is not None:
            reason, fields = self._reason(row, contact, items, children, standing=standing)
            if reason is None:
                # they show in calendars as well
                events = [child for child in children if self._list_of(child) == "event"]
                children = [child for child in children if child not in events]
                if not self._remove_children(events):
                    reason = "carries_a_spared_record"
                elif self._remove_contact(row, children):
                    return
            if reason is not None:
                self._result.keep(row, reason, fields)
        self._remove_children(children)
        if unit.updated and row is not None:
            spec = self._session.specs[row.stream]
            current = decode(spec, contact, self._session.catalogue())
            if self._restore(row, self._session.kinds.contact, current):
                self._refused.append(unit)

    def _contact_gone(self, unit: Unit, row: Row | None) -> None:
        """Somebody deleted the contact, or merged it with another one: what hung on it need not have gone with it.

        What can be read without the contact is taken back like anything else. Of the rest nobody can tell, unless it was we who
        deleted the contact, in an attempt that was cut off.
        """
        by_us = row is not None and row.intent is not None and row.intent["action"] == "remove"
        items: dict[str, dict[str, dict[str, Any]]] = {name: {} for name in (*self._lists, "file")}
        items["opportunity"] = self._opportunities(unit)
        children, _ = self._children(unit, items, is_lost=not by_us)
        self._remove_children(children)
        if row is not None:
            self._gone(unit, row)

    def _items(self, unit: Unit, contact: Mapping[str, Any]) -> Items:
        """Return what hangs on the contact, by kind and id.

        That is everything if the contact may go, else the lists in which the run put something.
        """
        needed = {self._list_of(row) for row in self._rows(unit.children)}
        found = {
            name: {str(item["id"]): item for item in kind.listed(unit.hl_id)}
            for name, kind in sorted(self._lists.items())
            if unit.created or name in needed
        }
        found["file"] = files_of(contact)
        found["opportunity"] = self._opportunities(unit)
        if unit.created:
            relations = self._session.kinds.relation.all_of(unit.hl_id)
            found["relation"] = {item.id: {} for item in relations}
        return found

    def _opportunities(self, unit: Unit) -> dict[str, dict[str, Any]]:
        """Return those of the run by their ids: their list is a search, which lags."""
        found = {}
        for row in self._rows(unit.children):
            if row.object == "opportunity":
                with suppress(NotFound):
                    found[str(row.hl_id)] = self._opportunity.activities.get(unit.hl_id, str(row.hl_id))
        return found

    def _children(self, unit: Unit, items: Items, *, is_lost: bool = False) -> tuple[list[Row], bool]:
        """Return what may be removed from the contact, and whether something of ours stays on it.

        Of a contact that is lost, only what can be read without it can be told.
        """
        removable, standing = [], False
        for row in self._rows(unit.children):
            fate = _Fate.STAYS
            with self._setbacks.met(partial(self._stay, unit, row)):
                fate = self._fate(row, items, updated=row.ref in unit.updated_children, is_lost=is_lost)
            standing = standing or fate is _Fate.STAYS
            removable += [row] if fate is _Fate.GOES else []
        return removable, standing

    def _fate(self, row: Row, items: Items, *, updated: bool, is_lost: bool) -> _Fate:
        """Put back what the run changed on the contact, and say what becomes of what it made there."""
        name = self._list_of(row)
        if name == "file":
            row.hl_id = _key_of(row, items["file"])
        needs_contact = name not in {"event", "opportunity"}
        there = items[name].get(str(row.hl_id))
        if there is None and name in self._lists and not (is_lost and needs_contact):
            there = self._by_id(row, self._lists[name])
        if name == "file" and updated and not is_lost:
            self._restore_file(row, items["file"])
        elif there is None:
            self._absent(row, updated=updated, is_proven=not (is_lost and needs_contact))
            return _Fate.GONE
        elif updated:
            self._restore(row, self._kind(row), self._current(row, there))
        elif reason := self._child_kept(row, there):
            self._result.keep(row, *reason)
        else:
            return _Fate.GOES
        return _Fate.STAYS

    def _by_id(self, row: Row, kind: OnContact) -> dict[str, Any] | None:
        """Read what a list does not show before it is called gone: a list may show less than there is."""
        with suppress(NotFound):
            return kind.activities.get(str(row.parent_id), str(row.hl_id))
        return None

    def _absent(self, row: Row, *, updated: bool, is_proven: bool) -> None:
        """Somebody deleted it, or it went in an earlier attempt whose end the ledger did not see."""
        if updated:
            self._result.spare(row, "deleted_by_somebody")
            return
        hl_id = str(row.hl_id)
        self._hand.gone(row, is_proven=is_proven)
        if not is_proven:
            self._result.doubt(Spared(row.object, row.source_id, hl_id, "contact_gone"))

    def _restore_file(self, row: Row, files: Mapping[str, Mapping[str, Any]]) -> None:
        """Take away the file that was added under the same id, so that the earlier one counts again."""
        self._result.settle(row)
        if not self._undo.before(row.ref).fields:
            return  # done before a kill
        kind = self._session.kinds.file
        if row.hl_id in files:
            self._undo.intend(row, "restore", kind.api, fields=["file_name"])
            try:
                kind.remove(row)
            except Rejected as rejected:
                self._undo.restored(row, ())
                self._result.spare(row, rejected.reason)
                return
        same = (
            key for key, item in files.items() if key != row.hl_id and file_source_id(item) == row.source_id
        )
        self._undo.file_restored(row, next(same, None))

    def _child_kept(self, row: Row, there: Mapping[str, Any]) -> tuple[str, list[str]] | None:
        if row.ref in self._plan.rewritten:
            return "written_by_a_later_run", []
        if row.object == "file":
            return None  # a file cannot be changed, only taken away
        current = self._current(row, there)
        unkept = self._kind(row).unkept
        # HighLevel may not show the title of a note, or show it empty: that is nobody's change
        differing = [
            name
            for name in self._marks.differing(row, current, self._pending(row))
            if name in current and not (name in unkept and is_off(current[name]))
        ]
        return ("changed", differing) if differing else None

    def _current(self, row: Row, item: Mapping[str, Any]) -> dict[str, Any]:
        name = self._list_of(row)
        if name == "event":  # a contact's list shows events in another form
            return self._lists[name].read(row, self._session.specs[row.stream])
        return (self._opportunity if name == "opportunity" else self._lists[name]).decode(item)

    def _list_of(self, row: Row) -> str:
        """Return the name of the list of a contact that a record is in."""
        if row.object != "appointment":
            return row.object
        return "event" if self._kind(row) is self._session.kinds.event else "task"

    def _reason(
        self, row: Row, contact: Mapping[str, Any], items: Items, children: Iterable[Row], *, standing: bool
    ) -> tuple[str | None, list[str]]:
        """Return why a contact the run created must stay, and which of its fields are changed."""
        spec, catalogue = self._session.specs[row.stream], self._session.catalogue()
        changed = contact_changes(
            self._marks, row, spec, decode(spec, contact, catalogue), contact, catalogue, self._pending(row)
        )
        if changed:
            return "changed", changed
        if standing:
            return "carries_a_spared_record", []
        removable = {str(child.hl_id) for child in children}
        for name, found in items.items():
            reason = self._foreign(name, set(found) - removable)
            if reason:
                return reason, []
        return self._needed(row) or self._engagement.reason(str(row.hl_id), contact), []

    def _foreign(self, name: str, others: set[str]) -> str | None:
        """Say whose the things on a contact are that this rollback does not remove."""
        relations = self._plan.known_relations
        known = set(relations) if name == "relation" else self._plan.hanging
        if others - known:
            return f"somebody_added_{name}"
        if name == "relation":
            mine = self._undo.undone
            others = {hl_id for hl_id in others if any(trace.owner != mine for trace in relations[hl_id])}
        return "carries_records_of_another_run" if others else None

    def _remove_contact(self, row: Row, along: Iterable[Row]) -> bool:
        """Delete the contact; HighLevel deletes what hangs on it. Whether its relations go too is seen when these are removed.

        Return whether it is gone.
        """
        self._result.leave_tags(row.notes.tags)
        self._remove(row, self._session.kinds.contact, along)
        return row.ref not in self._result.kept


def _key_of(row: Row, files: Mapping[str, Mapping[str, Any]]) -> str | None:
    """Return the key of a file; an upload whose answer did not show it has none in the ledger, and its name tells."""
    if row.hl_id in files or row.parent_id is None or row.hl_id != unseen(row.parent_id, row.source_id):
        return row.hl_id
    named = (key for key, item in files.items() if file_source_id(item) == row.source_id)
    return next(named, row.hl_id)


def files_of(contact: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return every file in any file field of a contact, by key."""
    found: dict[str, dict[str, Any]] = {}
    for value in custom_values(contact).values():
        found.update(listed_files(value))
    return found
