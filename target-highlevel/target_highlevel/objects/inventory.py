"""What HighLevel holds of ours, as its lists show it: for recovery, for verification and for the proof of a rollback alike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from target_highlevel.api.contacts import custom_values
from target_highlevel.objects.contact import IDENTITY, decode

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from target_highlevel.descriptor import StreamSpec
    from target_highlevel.objects.kinds import Kinds

_HIDDEN = object()


@dataclass(frozen=True)
class Listed:
    """One thing that a list shows."""

    hl_id: str
    #: The Cliniko record whose id it carries; empty where somebody has emptied it, None where the list does not show it.
    source_id: str | None
    #: The contact, the properties of the record, or the item of the diary.
    item: Mapping[str, Any]


class Inventory:
    """Pages through what hangs on nothing: contacts, records of custom objects, the diary. The search lags behind writes.

    What hangs on a contact is in lists of that contact, which its kind reads.
    """

    def __init__(self, kinds: Kinds) -> None:
        """List what these kinds of objects write."""
        self._kinds = kinds
        self._highlevel = kinds.contact.ctx.highlevel
        self._catalogue = kinds.contact.ctx.catalogue

    def pages(self, object_: str) -> Iterator[list[Listed]]:
        """Yield all contacts that have our id, all records of a custom object, or all of a kind in the diary that is ours."""
        if object_ in self._kinds.diary:
            yield [
                Listed(str(item["id"]), source_id, item)
                for source_id, item in self._kinds.diary[object_].ours()
            ]
        elif object_ == "contact":
            yield from self._contacts()
        else:
            for page in self._highlevel.records.pages(object_):
                yield [
                    Listed(each.id, str(each.properties.get(IDENTITY) or ""), each.properties)
                    for each in page
                ]

    def _contacts(self) -> Iterator[list[Listed]]:
        field = self._catalogue.contact_fields.get(IDENTITY)
        if field is None:
            return
        for page in self._highlevel.contacts.pages_with(field.id):
            shown = [(item, custom_values(item).get(field.id, _HIDDEN)) for item in page]
            yield [
                Listed(str(item["id"]), None if value is _HIDDEN else str(value or ""), item)
                for item, value in shown
            ]

    def fields(self, spec: StreamSpec, found: Listed) -> dict[str, Any]:
        """Return what a list shows of a record, in our shape."""
        if spec.object in self._kinds.diary:
            return self._kinds.diary[spec.object].decode(found.item)
        if spec.object == "contact":
            return decode(spec, found.item, self._catalogue)
        return self._kinds.custom_object.decode(spec, found.item)
