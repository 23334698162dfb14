"""Records of custom objects: identity is the property ``source_system_id``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from target_highlevel.api.records import OWNERS
from target_highlevel.errors import Findings, NotFound, Refused
from target_highlevel.fields import ObjectProperty, is_empty, kind_of, own_currency
from target_highlevel.objects.base import Created, Existing, ObjectKind, present
from target_highlevel.objects.refused_fields import refused_field

if TYPE_CHECKING:
    from collections.abc import Mapping

    from target_highlevel.api.records import Records
    from target_highlevel.descriptor import FieldSpec, StreamSpec
    from target_highlevel.ledger.rows import Row
    from target_highlevel.objects.base import Updated


#: Name, among the values before a removal, of the properties that are none of ours.
_THEIRS = "_theirs"


class CustomObject(ObjectKind):
    """A record of one of the clinic's custom objects: profile, invoice, line item, service, insurance provider."""

    search_is_eventual = True
    api = "records"
    grows_leaner = True

    @property
    def _records(self) -> Records:
        return self.ctx.highlevel.records

    def prepare(self, row: Row, spec: StreamSpec, fields: Mapping[str, Any]) -> dict[str, Any]:
        """Return the wanted properties; lists sorted, so that their order never counts as a change."""
        keeps_owners = self.ctx.catalogue.known.answer("record_owners") == "kept"
        return {
            name: kind_of(declared).wanted(fields.get(name), self.user)
            for name, declared in _written(spec)
            if (fields.get(name) is not None or declared.fold)
            and (keeps_owners or not kind_of(declared).of_record)
        }

    def create(self, row: Row, spec: StreamSpec, wanted: Mapping[str, Any]) -> Created | Existing:
        """Create the record with all its properties, and its owner, in one request."""
        fields = present(wanted)
        return Created(self._records.create(spec.object, self._encoded(spec, fields), _owners(spec, fields)))

    def refused_field(self, refused: Refused, spec: StreamSpec, fields: Mapping[str, Any]) -> str | None:
        """Return the property, or the owner, that a refusal is about, if the record can do without it.

        A text that can be cut is not left out, nor a list of which an option alone is too much.
        """
        if self.too_long(refused, spec, fields) or self.lacks_options(refused, spec, fields):
            return None
        owner = next((name for name in fields if kind_of(spec.field(name)).of_record), None)
        return owner if "owners" in refused.properties else refused_field(refused, spec, fields)

    def read(self, row: Row, spec: StreamSpec) -> dict[str, Any]:
        """Return the record's properties."""
        return self.decode(spec, self.properties(row, spec))

    def properties(self, row: Row, spec: StreamSpec) -> dict[str, Any]:
        """Return the record's properties as the API has them, those of others among them."""
        return self._records.get(spec.object, str(row.hl_id))

    def decode(self, spec: StreamSpec, properties: Mapping[str, Any]) -> dict[str, Any]:
        """Return properties of the API in our shape."""
        owner = next(iter(properties.get(OWNERS) or ()), None)
        return {
            name: owner
            if kind_of(declared).of_record
            else kind_of(declared).decode(properties.get(name), self._place(spec, name))
            for name, declared in _written(spec)
        }

    def before_removal(self, row: Row, spec: StreamSpec) -> dict[str, Any]:
        """Return the properties, those of the clinic's own among them."""
        try:
            properties = self.properties(row, spec)
        except NotFound:
            return {}
        theirs = self.of_others(spec, properties)
        return {**self.decode(spec, properties), **({_THEIRS: theirs} if theirs else {})}

    def of_others(self, spec: StreamSpec, properties: Mapping[str, Any]) -> dict[str, Any]:
        """Return the properties that are none of ours and that somebody has filled in."""
        ours = {OWNERS, *spec.fields}
        return {name: value for name, value in properties.items() if name not in ours and not is_empty(value)}

    def make_again(self, row: Row, spec: StreamSpec, before: Mapping[str, Any]) -> Created | Existing:
        """Make a record again with all that was in it."""
        fields = present({name: value for name, value in before.items() if name != _THEIRS})
        properties = {**self._encoded(spec, fields), **before.get(_THEIRS, {})}
        return Created(self._records.create(spec.object, properties, _owners(spec, fields)))

    def update(
        self, row: Row, spec: StreamSpec, changes: Mapping[str, Any], current: Mapping[str, Any]
    ) -> Updated:
        """Write the changed properties; a list is changed by what to add and what to remove.

        A property that HighLevel refuses is left as it is there, and noted.
        """
        return self.leaving_out(spec, changes, lambda left: self._write_changes(row, spec, left, current))

    def _write_changes(
        self, row: Row, spec: StreamSpec, changes: Mapping[str, Any], current: Mapping[str, Any]
    ) -> None:
        properties = {
            name: kind_of(spec.fields[name]).change(value, current.get(name), self._place(spec, name))
            for name, value in changes.items()
            if not kind_of(spec.fields[name]).of_record
        }
        self._records.update(spec.object, str(row.hl_id), properties, _owners(spec, changes))

    def find(self, row: Row, spec: StreamSpec) -> str | None:
        """Search for the record that carries our id."""
        found = self._records.with_value(spec.object, "source_system_id", row.source_id)
        return found[0].id if found else None

    def remove(self, row: Row) -> None:
        """Delete the record."""
        self._records.delete(row.object, str(row.hl_id))

    def _encoded(self, spec: StreamSpec, fields: Mapping[str, Any]) -> dict[str, Any]:
        return {
            name: kind_of(spec.fields[name]).encode(value, self._place(spec, name))
            for name, value in fields.items()
            if not kind_of(spec.fields[name]).of_record
        }

    def _place(self, spec: StreamSpec, name: str) -> ObjectProperty:
        return ObjectProperty(
            lambda: self.ctx.catalogue.object_field(spec.object, name),
            lambda: Refused(findings=Findings("invalid_choice", properties=(name,))),
            own_currency(self.ctx.catalogue.settings),
        )


def _written(spec: StreamSpec) -> list[tuple[str, FieldSpec]]:
    """Return the fields that stand in the record; what says where a record belongs does not."""
    return [(name, declared) for name, declared in spec.fields.items() if kind_of(declared).written]


def _owners(spec: StreamSpec, fields: Mapping[str, Any]) -> list[str] | None:
    """Return who is to own a record; None when that is not to be said."""
    named = [value for name, value in fields.items() if kind_of(spec.field(name)).of_record]
    return [value for value in named if value] if named else None
