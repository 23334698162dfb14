"""What every kind of object has in common, and the surroundings it works in."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from datetime import datetime

    from target_highlevel.client.client import Requests
    from target_highlevel.descriptor import StreamSpec
    from target_highlevel.ledger.rows import Row
    from target_highlevel.ledger.work import Work
    from target_highlevel.settings import Settings
    from target_highlevel.setup.catalogue import Catalogue
    from target_highlevel.setup.schema import SchemaSetup


@dataclass
class Surroundings:
    """What a kind of object needs to do its work."""

    client: Requests
    catalogue: Catalogue
    schema: SchemaSetup
    work: Work
    settings: Settings
    now: Callable[[], datetime]

    @property
    def location(self) -> str:
        """Return the id of the sub-account."""
        return self.settings.location_id


@dataclass(frozen=True)
class Created:
    """What a create gave: the id, and what the report must say of it."""

    hl_id: str
    parent_id: str | None = None
    notes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Existing:
    """The record is in HighLevel already: it is to be updated instead."""

    hl_id: str
    notes: Mapping[str, Any] = field(default_factory=dict)


#: What stands on things that stay behind without their marker.
MOVED = "Moved to another patient in Cliniko"
SHORTER = "No longer part of the note in Cliniko"


class Rejected(Exception):  # noqa: N818 - a verdict on a record, not a failure of the program
    """This record cannot be written as it is; ``reason`` is one of the documented codes."""

    def __init__(self, reason: str, field: str | None = None) -> None:
        """Keep the code and, where one is to blame, the field."""
        super().__init__(reason)
        self.reason = reason
        self.field = field


class ObjectKind(ABC):
    """One kind of object: what is wanted of a record, and the requests that bring it there."""

    #: The witness of an unclear create is the search index, which lags behind writes.
    witness_lags = False
    #: Records of this kind hang on a contact, whose own lists are the witness.
    on_contact = False
    create_method = "POST"
    create_route = ""
    update_method = "PUT"
    update_route = ""
    remove_route = ""

    def __init__(self, around: Surroundings) -> None:
        """Work in these surroundings."""
        self.around = around

    @abstractmethod
    def prepare(self, row: Row, spec: StreamSpec, fields: Mapping[str, Any]) -> dict[str, Any]:
        """Return the wanted fields as ``read`` would return them: names of our own, canonical values, references resolved."""

    @abstractmethod
    def create(self, row: Row, spec: StreamSpec, wanted: Mapping[str, Any]) -> Created | Existing:
        """Create the record."""

    @abstractmethod
    def read(self, row: Row, spec: StreamSpec) -> dict[str, Any]:
        """Return what HighLevel holds, in the shape of ``prepare``."""

    @abstractmethod
    def update(
        self, row: Row, spec: StreamSpec, changes: Mapping[str, Any], current: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        """Write these fields only; return notes for the report."""

    def put_back(
        self, row: Row, spec: StreamSpec, before: Mapping[str, Any], current: Mapping[str, Any]
    ) -> None:
        """Write the values of before again, or none of them (rollback)."""
        self.update(row, spec, before, current)

    @abstractmethod
    def find(self, row: Row, spec: StreamSpec) -> str | None:
        """Return the id of the record if HighLevel holds it: asked after an unclear create."""

    @abstractmethod
    def remove(self, row: Row) -> None:
        """Delete the record (rollback, and relations no longer wanted)."""

    def recall(
        self, spec: StreamSpec, wanted: Mapping[str, Any], current: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Return the notes that a create would have given whose answer was lost; by default none."""
        return {}

    def along(self, spec: StreamSpec, names: Iterable[str]) -> set[str]:
        """Return the fields that an update of these may have to change as well; by default none."""
        return set()

    def farewell(self, source_id: str, there: Mapping[str, Any], why: str) -> dict[str, Any]:
        """Return what to write on a record that no longer stands for one of Cliniko's; by default it stays as it is."""
        return {}

    def parent_id(self, row: Row) -> str:
        """Return the HighLevel id of the contact the record hangs on."""
        found = row.parent_id or (self.around.work.hl_id(f"contact:{row.contact}") if row.contact else None)
        if not found:
            raise Rejected("no_contact", "contact")
        return found

    def user(self, ref: str | None) -> str | None:
        """Return the HighLevel user of a practitioner, else the fallback owner."""
        matched = self.around.work.hl_id(ref) if ref else None
        return matched or self.around.catalogue.fallback_owner


def marker(source_id: str) -> str:
    """Return the text by which a task, note, appointment or file says which Cliniko record it is."""
    return f"cliniko:{source_id}"


_MARKER = re.compile(r"cliniko:([a-z_]+/\d+(?:#\d+)?)(?![\w/])")


def marked(text: str | None) -> str | None:
    """Return the source id that a text carries, if any."""
    found = _MARKER.search(text or "")
    return found.group(1) if found else None


def present(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields that have a value."""
    return {name: value for name, value in fields.items() if value is not None and value not in ("", [])}
