"""The requests of a rollback: remove what a run created, put back what it changed, each with its intent and its outcome."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from target_highlevel.crashpoints import reach
from target_highlevel.desired import Desired
from target_highlevel.errors import NotFound, Refused
from target_highlevel.fields import kind_of, same
from target_highlevel.objects.base import Rejected
from target_highlevel.rollback.touched import Marks, our_tags, tags_before
from target_highlevel.withheld import possible_tags

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from target_highlevel.descriptor import StreamSpec
    from target_highlevel.ledger.rows import Row
    from target_highlevel.ledger.undo import Before, Undo
    from target_highlevel.objects.base import ObjectKind

#: Why something stays of which HighLevel has said, when it was to be deleted, that it is not there.
STILL_THERE = "still_there"


class Hand:
    """Does one step at a time; any number of threads may share it."""

    def __init__(
        self, undo: Undo, marks: Marks, specs: Mapping[str, StreamSpec], now: Callable[[], str]
    ) -> None:
        """Work for one rollback."""
        self._undo = undo
        self._marks = marks
        self._specs = specs
        self._now = now

    def remove(self, row: Row, kind: ObjectKind, along: Iterable[Row] = ()) -> None:
        """Delete a record; one that is gone already is what we wanted.

        Raises:
            Rejected: HighLevel does not let it be taken away, or says that it is not there and shows it all the same.
        """
        reach("before_intent", row.object)
        self._undo.intend(row, "remove", kind.api)
        reach("after_intent", row.object)
        try:
            status = self._remove(row, kind)
        except Rejected:
            self._undo.restored(row, ())  # it stays, and nothing of it is open
            raise
        reach("after_response", row.object)
        self._undo.removed(row, along, status=status)
        reach("after_crosswalk", row.object)

    def _remove(self, row: Row, kind: ObjectKind) -> str:
        """Return what became of a record; that it is gone is believed when it cannot be read either."""
        try:
            kind.remove(row)
        except NotFound:
            if kind.is_there(row, self._specs[row.stream]):
                raise Rejected(STILL_THERE) from None
            return "removed_with_its_record" if row.object == "relation" else "gone_already"
        return "removed"

    def gone(self, row: Row, *, is_proven: bool = True) -> None:
        """Take note that somebody has deleted a record before us, or that nobody can tell any more whether it is there."""
        self._undo.removed(row, status="gone_already" if is_proven else "out_of_sight")

    def restore(
        self,
        row: Row,
        spec: StreamSpec,
        kind: ObjectKind,
        before: Before,
        current: Mapping[str, Any],
    ) -> tuple[list[str], list[str]]:
        """Put fields back as they were before the run.

        Return those that no longer held what we wrote and were left alone, and those that HighLevel refused.
        """
        changes, left = self._changes(row, spec, kind, before, current)
        refused: list[str] = []
        if changes:
            reach("before_intent", row.object)
            self._undo.intend(row, "restore", kind.api, fields=changes)
            reach("after_intent", row.object)
            refused = self._put_back(row, spec, kind, changes, current)
            reach("after_response", row.object)
            done = {name: value for name, value in changes.items() if name not in refused}
            self._undo.restored(row, done, self._marks.after(row, done, before), in_full=not refused)
            reach("after_crosswalk", row.object)
        return sorted(left), sorted(refused)

    def _put_back(
        self,
        row: Row,
        spec: StreamSpec,
        kind: ObjectKind,
        changes: Mapping[str, Any],
        current: Mapping[str, Any],
    ) -> list[str]:
        """Write the old values; return those refused: an old address that another contact has now stays with that contact."""
        row.notes = replace(row.notes, tags=tuple(sorted(our_tags(row))))
        try:
            kind.restore(row, spec, changes, current)
        except (Rejected, Refused) as refused:
            name = refused.field if isinstance(refused, Rejected) else next(iter(refused.properties), None)
            if name in changes:  # HighLevel will not have this one: put the others back
                others = {key: value for key, value in changes.items() if key != name}
                return [str(name), *(self._put_back(row, spec, kind, others, current) if others else [])]
            return list(changes)
        return []

    def _changes(
        self,
        row: Row,
        spec: StreamSpec,
        kind: ObjectKind,
        before: Before,
        current: Mapping[str, Any],
    ) -> tuple[dict[str, Any], list[str]]:
        """Return what to write, and the fields that hold neither the old value nor ours."""
        pending = self.pending(row, spec, kind)
        ours = self._ours(row, pending)
        _own_pending_tags(row, spec, before.fields, current, pending)
        changes, left = {}, []
        for name, old in before.fields.items():
            if name.startswith("_"):  # none of our fields
                continue
            there = current.get(name)
            kind_of_field = kind_of(spec.field(name))
            if kind_of_field.shared:
                mine = tags_before(row, spec, before, name)
                if kind_of_field.merge(mine, there, our_tags(row)) != sorted(there or ()):
                    changes[name] = sorted(mine)
            elif same(there, old):
                continue
            elif ours(name, there):
                changes[name] = old
            elif not kind_of_field.equal(old, there):  # put back already, and spelled as HighLevel does
                left.append(name)
        return changes, left

    def wanted(self, row: Row, spec: StreamSpec, kind: ObjectKind) -> Mapping[str, Any]:
        """Return what a write that was cut off was about to write."""
        try:
            return Desired.of(row, spec, self._undo.contributions(row), self._now()).values(kind)
        except Rejected:
            return {}

    def pending(self, row: Row, spec: StreamSpec, kind: ObjectKind) -> Mapping[str, Any]:
        """Return what an update that was cut off may have written; a field that is no longer wanted it was about to clear.

        What was received and never sent is nobody's write: who has entered the same is a person.
        """
        if not row.may_be_there:
            return {}
        return {**dict.fromkeys(row.written if row.is_whole else ()), **self.wanted(row, spec, kind)}

    def _ours(self, row: Row, pending: Mapping[str, Any]) -> Callable[[str, Any], bool]:
        """Tell whether a value is what the run wrote; of an update whose end nobody saw, what it was about to write."""
        return lambda name, there: self._marks.holds(row, name, there, pending)


def _own_pending_tags(
    row: Row,
    spec: StreamSpec,
    before: Mapping[str, Any],
    current: Mapping[str, Any],
    pending: Mapping[str, Any],
) -> None:
    """Count the tags of an update whose end nobody saw among ours, with those that tell of an address it had to leave out."""
    for name in (name for name in pending if kind_of(spec.field(name)).shared):
        told = possible_tags(spec.fields) & set(current.get(name) or ())
        known = set(before.get(name) or ())
        tags = our_tags(row) | set(pending[name] or ()) | (told - known)
        row.notes = replace(row.notes, tags=tuple(sorted(tags)))
