"""One contact with all that hangs on it, or one record of a custom object, taken back as far as nobody has touched it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from target_highlevel.errors import NotFound
from target_highlevel.objects.contact_values import custom_values, decode
from target_highlevel.objects.event import Event
from target_highlevel.objects.file import source_id as file_source_id
from target_highlevel.objects.file import unseen
from target_highlevel.objects.on_contact import Task
from target_highlevel.rollback.touched import contact_changes, empty

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from target_highlevel.engine.session import Session
    from target_highlevel.ledger.rows import Row
    from target_highlevel.ledger.undo import Trace, Undo
    from target_highlevel.objects.base import ObjectKind
    from target_highlevel.rollback.act import Hand
    from target_highlevel.rollback.plan import Plan, Unit
    from target_highlevel.rollback.result import Result
    from target_highlevel.rollback.touched import Marks

    Items = Mapping[str, Mapping[str, dict[str, Any]]]


class UnitWorker:
    """Takes units back; any number of threads may share it, each with its own unit."""

    def __init__(
        self, session: Session, undo: Undo, hand: Hand, marks: Marks, plan: Plan, result: Result
    ) -> None:
        """Work for one rollback."""
        self._session = session
        self._undo = undo
        self._hand = hand
        self._marks = marks
        self._plan = plan
        self._result = result
        self._refused: list[Unit] = []
        self._events = session.settings.appointments_as == "calendar_event"
        around = session.kinds["note"].around
        self._lists: dict[str, Any] = {
            "note": session.kinds["note"],
            "appointment": session.kinds["appointment"],
            "task" if self._events else "event": Task(around) if self._events else Event(around),
        }

    def take_back(self, unit: Unit, shown: Mapping[str, Any] | None = None) -> None:
        """Take one unit back; of a record, the search may have shown the properties already."""
        if unit.object == "contact":
            self._contact(unit)
            return
        row = self._undo.row(str(unit.ref))
        if row is None or row.hl_id is None:
            return
        if shown is None or self._differing(row, shown):
            self._record(unit, row)
        elif reason := self._needed(row):
            self._result.keep(row, reason)
        else:
            self._remove(row, self._session.kinds["custom_object"])

    def refused(self) -> list[Unit]:
        """Return, once, the contacts that could not be given a value of theirs: another contact may have had the address."""
        found, self._refused = self._refused, []
        return found

    def _pending(self, row: Row) -> Mapping[str, Any]:
        spec = self._session.specs[row.stream]
        kind = self._session.kinds[row.object if row.object in self._session.kinds else spec.kind]
        return self._hand.pending(row, spec, kind)

    # Records of custom objects

    def _differing(self, row: Row, properties: Mapping[str, Any]) -> list[str]:
        """Return what is not as it was left, and the clinic's own properties that somebody has filled in since."""
        spec = self._session.specs[row.stream]
        kind: Any = self._session.kinds["custom_object"]
        theirs = {name for name, value in properties.items() if name not in spec.fields and not empty(value)}
        return sorted(
            {*self._marks.differing(row, kind.decode(spec, properties), self._pending(row)), *theirs}
        )

    def _record(self, unit: Unit, row: Row) -> None:
        kind: Any = self._session.kinds["custom_object"]
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
        reason = "changed" if differing else self._needed(row)
        if reason:
            self._result.keep(row, reason, differing)
        else:
            self._remove(row, kind)

    def _gone(self, unit: Unit, row: Row | None) -> None:
        """Somebody deleted the record: nothing is left to remove or to put back."""
        children = self._rows(unit.children)
        for child in children:
            if child.ref in unit.updated_children:
                self._result.spare(child, "deleted_by_somebody")
        along = [child for child in children if child.ref not in unit.updated_children]
        if unit.created and row is not None:
            self._hand.gone(row, along)
            self._result.remove(1 + len(along))
            return
        if unit.updated and row is not None:
            self._result.spare(row, "deleted_by_somebody")
        for child in along:
            self._hand.gone(child)
            self._result.remove()

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
        along = list(along)
        self._hand.remove(row, kind, along)
        self._result.remove(1 + len(along))

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
        client = self._session.client
        try:
            contact = client.request("GET", f"/contacts/{unit.hl_id}", route="/contacts/{id}")["contact"]
        except NotFound:
            self._gone(unit, row)
            return
        items = self._items(unit, contact)
        children, standing = self._children(unit, items)
        if unit.created and row is not None:
            reason, fields = self._reason(row, contact, items, children, standing=standing)
            if reason is None:
                self._remove_contact(row, children, items)
                return
            self._result.keep(row, reason, fields)
        for child in children:
            self._remove(child, self._session.kinds[child.object])
        if unit.updated and row is not None:
            spec = self._session.specs[row.stream]
            current = decode(spec, contact, self._session.catalogue())
            if self._restore(row, self._session.kinds["contact"], current):
                self._refused.append(unit)

    def _items(self, unit: Unit, contact: Mapping[str, Any]) -> Items:
        """Return what hangs on the contact, by kind and id.

        That is everything if the contact may go, else the lists in which the run put something.
        """
        wanted = (
            set(self._lists) if unit.created else {trace.object for trace in unit.children} & set(self._lists)
        )
        found = {
            name: {str(item["id"]): item for item in self._lists[name].listed(unit.hl_id)}
            for name in sorted(wanted)
        }
        found["file"] = files_of(contact)
        if unit.created:
            relation: Any = self._session.kinds["relation"]
            found["relation"] = {str(item["id"]): item for item in relation.all_of(unit.hl_id)}
        return found

    def _children(self, unit: Unit, items: Items) -> tuple[list[Row], bool]:
        """Return what may be removed from the contact, and whether something of ours stays on it."""
        removable, standing = [], False
        for row in self._rows(unit.children):
            if row.object == "file":
                row.hl_id = _key_of(row, items["file"])
            there = items[row.object].get(str(row.hl_id))
            if row.object == "file" and row.ref in unit.updated_children:
                self._restore_file(row, items["file"])
                standing = True
            elif there is None:
                self._absent(row, updated=row.ref in unit.updated_children)
            elif row.ref in unit.updated_children:
                self._restore(row, self._session.kinds[row.object], self._current(row, there))
                standing = True
            elif reason := self._child_kept(row, there):
                self._result.keep(row, *reason)
                standing = True
            else:
                removable.append(row)
        return removable, standing

    def _absent(self, row: Row, *, updated: bool) -> None:
        """Somebody deleted it, or it went in an earlier attempt whose end the ledger did not see."""
        if updated:
            self._result.spare(row, "deleted_by_somebody")
            return
        self._hand.gone(row)
        self._result.remove()

    def _restore_file(self, row: Row, files: Mapping[str, Mapping[str, Any]]) -> None:
        """Take away the file that was added under the same id, so that the earlier one counts again."""
        self._result.settle(row)
        if not self._undo.before(row.ref).fields:
            return  # done before a kill
        kind = self._session.kinds["file"]
        if row.hl_id in files:
            self._undo.intend(row, "restore", kind.update_method, kind.remove_route, fields=["file_name"])
            kind.remove(row)
        same = (
            key for key, item in files.items() if key != row.hl_id and file_source_id(item) == row.source_id
        )
        self._undo.file_restored(row, next(same, None))

    def _child_kept(self, row: Row, there: Mapping[str, Any]) -> tuple[str, list[str]] | None:
        if row.ref in self._plan.rewritten:
            return "written_by_a_later_run", []
        if row.object == "file":
            return None  # a file cannot be changed, only taken away
        differing = self._marks.differing(row, self._current(row, there), self._pending(row))
        return ("changed", differing) if differing else None

    def _current(self, row: Row, item: Mapping[str, Any]) -> dict[str, Any]:
        kind: Any = self._session.kinds[row.object]
        if self._events and row.object == "appointment":
            # a contact's list shows events in another form
            return dict(kind.read(row, self._session.specs[row.stream]))
        return dict(kind.decode(item))

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
        return self._needed(row), []

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

    def _remove_contact(self, row: Row, children: Iterable[Row], items: Items) -> None:
        """Delete the contact; HighLevel deletes what hangs on it.

        Calendar events we delete ourselves all the same, for they also show in calendars.
        """
        along = []
        for child in children:
            if child.object == "appointment" and self._events:
                self._remove(child, self._session.kinds["appointment"])
            else:
                along.append(child)
        for hl_id in items["relation"]:
            along += self._rows(self._plan.known_relations[hl_id])
        self._result.leave_tags(row.notes.get("tags", ()))
        self._remove(row, self._session.kinds["contact"], along)


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
        if isinstance(value, dict):
            found.update(
                {key: entry for key, entry in value.items() if isinstance(entry, dict) and "meta" in entry}
            )
    return found
