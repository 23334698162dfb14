"""What of a record is written when it changes, and what stays because a person, or HighLevel itself, has changed it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from target_highlevel.fields import holds, is_empty, is_off, is_written, kind_of
from target_highlevel.fields import mark as mark_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from target_highlevel.descriptor import StreamSpec
    from target_highlevel.ledger.rows import Row
    from target_highlevel.ledger.work import Work


#: Stands for the mark of a value that is taken away.
EMPTIED = ""


class Changes:
    """Compares what is wanted with what was written last, and with what is there."""

    def __init__(self, work: Work, salt: bytes, overwrite: str) -> None:
        """Compare for one run; ``salt`` is the key of the hashes of what was written."""
        self._work = work
        self._salt = salt
        self._overwrite = overwrite

    def unseen(self, row: Row, spec: StreamSpec) -> set[str]:
        """Return the fields fed by other records, when the ledger has not seen what they say: the record is older than it."""
        if self._work.knows(row):
            return self._work.untold.get(spec.stream, set()) if self._work.goes_on else set()
        return {item.name for item in spec.folded}

    def of(self, row: Row, spec: StreamSpec, wanted: Mapping[str, Any]) -> dict[str, Any]:
        """Return the fields whose wanted value is not the one last written, and None for those no longer wanted."""
        begun = row.begun
        changes = {
            name: value
            for name, value in wanted.items()
            if name in begun or not is_written(row.written.get(name), value, self._salt)
        }
        if row.is_whole:
            gone = ({*row.written, *begun} - set(wanted) - self.unseen(row, spec)) & set(spec.fields)
            # of a rebuilt record nobody knows who wrote what: what is not in a field of ours may be a person's
            changes.update({name: None for name in gone if not row.notes.rebuilt or _is_ours(spec, name)})
        leaving = set(row.gives_up) - set(row.notes.withheld)  # it may be there all the same
        for name in [name for name, value in changes.items() if is_empty(value) and name not in row.written]:
            if name not in leaving and name not in begun:
                del changes[name]
        return {name: value for name, value in changes.items() if _may_change(spec, row, name, value)}

    def conflicts(
        self, row: Row, spec: StreamSpec, changes: Mapping[str, Any], current: Mapping[str, Any]
    ) -> set[str]:
        """Return the fields somebody changed in HighLevel since we wrote them (or had filled before we came).

        A patient's *no* is never a conflict: do-not-disturb is switched on whatever stands there.
        """
        withheld = row.notes.withheld
        found = set()
        for name, value in changes.items():
            there = current.get(name)
            kind = kind_of(spec.field(name))
            if not kind.can_conflict or row.created_here or name not in current:
                continue  # a relation has no values, and HighLevel may not show the title of a note
            if is_off(there) and (name in withheld or name not in row.written):
                continue  # nothing was written, and nothing is there
            if self._was_begun(row, spec, name, there):
                continue
            if kind.equal(value, there):
                continue  # only its spelling is another
            if row.notes.rebuilt or not holds(row.written.get(name), kind.declared, there, self._salt):
                found.add(name)  # of a rebuilt record nobody knows who wrote what
        return found

    def _was_begun(self, row: Row, spec: StreamSpec, name: str, there: Any) -> bool:
        """Return whether a value is there because a write of ours that was cut off had put it there."""
        declared = spec.field(name)
        return any(
            is_empty(there) if mark == EMPTIED else holds(mark, declared, there, self._salt)
            for mark in row.begun.get(name, ())
        )

    def closing(self, row: Row, spec: StreamSpec) -> set[str]:
        """Return the channels that a write of ours which was cut off may have closed."""
        channels = (name for name in row.begun if kind_of(spec.field(name)).is_channel)
        return {name for name in channels if self._was_begun(row, spec, name, there=True)}

    def marks(self, spec: StreamSpec, values: Mapping[str, Any]) -> dict[str, str]:
        """Return what the ledger keeps of values that are about to be written."""
        return {
            name: EMPTIED if is_empty(value) else mark_of(spec.field(name), value, self._salt)
            for name, value in values.items()
        }

    def kept(self, row: Row, changes: Mapping[str, Any]) -> set[str]:
        """Return the conflicts of earlier runs that this write does not look at; there are none where Cliniko wins."""
        left = () if self._overwrite == "cliniko_wins" else row.notes.conflicts
        return set(left) - set(changes)

    def may_write(self, name: str, current: Mapping[str, Any], conflicts: set[str]) -> bool:
        """Return whether a value may be written where it is not the one we wrote last."""
        if name not in conflicts or self._overwrite == "cliniko_wins":
            return True
        return self._overwrite == "fill_empty" and is_empty(current.get(name))


def _is_ours(spec: StreamSpec, name: str) -> bool:
    """Return whether a field is there for Cliniko's values only: a property of an object of ours, a field made for them."""
    declared = spec.field(name)
    return kind_of(declared).written and (spec.kind == "custom_object" or declared.is_custom)


def _may_change(spec: StreamSpec, row: Row, name: str, value: Any) -> bool:
    """Some fields are set at creation only; do-not-disturb is never switched off unless we had switched it on."""
    return name not in spec.fields or kind_of(spec.fields[name]).may_change(value, row.notes)


def switched_on(row: Row, spec: StreamSpec, values: Mapping[str, Any]) -> tuple[str, ...]:
    """Return which channels we have closed, now that these values are written: we open no others again."""
    closed = set(row.notes.dnd)
    for name, value in values.items():
        if name in spec.fields:
            kind_of(spec.fields[name]).track(closed, value)
    return tuple(sorted(closed))


def not_done(
    spec: StreamSpec, changes: Mapping[str, Any], current: Mapping[str, Any], withheld: Mapping[str, str]
) -> dict[str, Any]:
    """Return the changes without what the create has seen to: an address that would be refused again, tags that are all there."""
    return {
        name: value
        for name, value in changes.items()
        if name not in withheld and not kind_of(spec.field(name)).came_with_create(value, current.get(name))
    }
