"""Whether a record still is as we left it. A rollback removes or puts back nothing that a person has touched since."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from target_highlevel.api.contacts import custom_values
from target_highlevel.fields import holds, is_empty, is_off, kind_of, mark
from target_highlevel.fields.places import DND_ON
from target_highlevel.ledger.rows import Notes
from target_highlevel.withheld import possible_tags
from target_highlevel.withheld import tags as tags_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from target_highlevel.descriptor import StreamSpec
    from target_highlevel.ledger.rows import Row
    from target_highlevel.ledger.undo import Before
    from target_highlevel.setup.catalogue import Catalogue

#: What a person can fill in and this target never writes; what HighLevel fills in by itself (time zone, country) is not
#: among them.
_THEIRS = ("website", "additionalEmails", "additionalPhones", "followers", "businessId")
#: The type of every contact that the API makes; a person may turn it into a customer.
_MADE_AS = "lead"
_NOTHING: Mapping[str, Any] = MappingProxyType({})


class Marks:
    """Compares values with the hashes of what was written last."""

    def __init__(self, salt: bytes, specs: Mapping[str, StreamSpec]) -> None:
        """Use the ledger's key."""
        self._salt = salt
        self._specs = specs

    def of(self, row: Row, name: str, value: Any) -> str:
        """Return what the ledger keeps of a written value."""
        return mark(self._specs[row.stream].field(name), value, self._salt)

    def after(self, row: Row, values: Mapping[str, Any], before: Before) -> dict[str, str]:
        """Return what the ledger is to keep of a record as written, now that these values were put back.

        A value that a person had entered before the run is a person's again: an earlier run that is undone next must see that.
        """
        kept = {name: mark for name, mark in row.written.items() if name not in values}
        marks = {name: self._of_old(row, name, value, before) for name, value in values.items()}
        return kept | {name: mark for name, mark in marks.items() if mark is not None}

    def _of_old(self, row: Row, name: str, value: Any, before: Before) -> str | None:
        known: Mapping[str, str] | None = before.known.get("written")
        if known is not None:  # an old version kept nothing of it
            was = {**known, **Notes.of(before.known.get("notes")).otherwise}.get(name) or None
            if not holds(was, self._specs[row.stream].field(name), value, self._salt):
                return was
        return None if is_empty(value) else self.of(row, name, value)

    def holds(self, row: Row, name: str, there: Any, pending: Mapping[str, Any] = _NOTHING) -> bool:
        """Return whether a field holds what we wrote last, or were about to write; a field we left empty must be empty."""
        declared = self._specs[row.stream].field(name)
        if name in pending and kind_of(declared).equal(pending[name], there):
            return True
        if name in row.notes.withheld:
            return is_off(there)
        if kind_of(declared).of_record and row.object != "contact" and is_empty(there):
            return True  # HighLevel may keep no owner of a record
        if name in row.left:
            return holds(row.left[name], declared, there, self._salt)
        return is_off(there)

    def differing(
        self, row: Row, current: Mapping[str, Any], pending: Mapping[str, Any] = _NOTHING
    ) -> list[str]:
        """Return the fields that do not hold what we wrote last, or what an update that was cut off was about to write."""
        names = {name for name in {*current, *row.left} if not name.startswith("_")}
        return sorted(name for name in names if not self.holds(row, name, current.get(name), pending))


def our_tags(row: Row) -> set[str]:
    """Return the tags we put on a contact, with those that tell of a withheld address."""
    return _tags_in(row.notes)


def ours_ever(row: Row, before: Before) -> set[str]:
    """Return the tags that are ours or were before the run, which may have taken some off."""
    return our_tags(row) | _tags_in(Notes.of(before.known.get("notes")))


def tags_before(row: Row, spec: StreamSpec, before: Before, name: str) -> set[str]:
    """Return which of the tags a contact had before are ours: those we know of, and those that told of a withheld address."""
    told = possible_tags(spec.fields)
    return (ours_ever(row, before) | told) & set(before.fields[name] or ())


def _tags_in(notes: Notes) -> set[str]:
    return {*notes.tags, *tags_of(notes.withheld)}


def contact_changes(
    marks: Marks,
    row: Row,
    spec: StreamSpec,
    current: Mapping[str, Any],
    contact: Mapping[str, Any],
    catalogue: Catalogue,
    pending: Mapping[str, Any],
) -> list[str]:
    """Return what of a contact we created somebody changed: names of fields, ours and others."""
    names = set(marks.differing(row, current, pending))
    kinds = {name: kind_of(declared) for name, declared in spec.fields.items()}
    tags = {name for name, kind in kinds.items() if kind.shared}
    names -= tags | {name for name, kind in kinds.items() if not kind.written}
    if not _tags_are_ours(row, spec, set(contact.get("tags") or ()), pending):
        names |= tags or {"tags"}
    names -= {
        name
        for name, kind in kinds.items()
        if name not in row.left and kind.is_highlevels_own(current.get(name), row.notes, catalogue.settings)
    }
    return sorted(names | set(foreign_fields(spec, contact, catalogue)))


def _tags_are_ours(row: Row, spec: StreamSpec, there: set[str], pending: Mapping[str, Any]) -> bool:
    """Return whether a contact has the tags we gave it, or those an update that was cut off was about to leave on it."""
    told = possible_tags(spec.fields)
    coming = [set(pending[name] or ()) for name in pending if kind_of(spec.field(name)).shared]
    return there == our_tags(row) or any(there - told == tags - told for tags in coming)


def foreign_fields(spec: StreamSpec, contact: Mapping[str, Any], catalogue: Catalogue) -> Iterable[str]:
    """Yield what a person has filled in or switched on that this target never writes."""
    known = {field.id: name for name, field in catalogue.contact_fields.items()}
    for identity, value in custom_values(contact).items():
        name = known.get(identity, "")
        if name not in spec.fields and not is_empty(value):
            yield name or "custom field"
    yield from (name for name in _THEIRS if not is_empty(contact.get(name)))
    if contact.get("type") not in {None, "", _MADE_AS}:
        yield "type"
    if contact.get("dnd") is True:
        yield "dnd"
    ours = {declared.channel for declared in spec.fields.values() if kind_of(declared).is_channel}
    settings = contact.get("dndSettings") or {}
    if any((settings[name] or {}).get("status") in DND_ON for name in set(settings) - ours):
        yield "dndSettings"
