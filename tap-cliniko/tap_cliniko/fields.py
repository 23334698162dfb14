"""The vocabulary in which resources are declared: one function per kind of field.

Every field is nullable and, apart from the key, none is required: Cliniko leaves out relations that have no
target, old rows lack newer fields, and a deselected field is absent.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

Schema = dict[str, Any]


class Kind(StrEnum):
    """What a field holds, which decides its schema and how its value is normalised."""

    ID = "id"
    IDS = "ids"
    TEXT = "text"
    TEXTS = "texts"
    MOMENT = "moment"
    DATE = "date"
    DECIMAL = "decimal"
    WHOLE = "whole"
    FLAG = "flag"
    OBJECT = "object"
    OBJECTS = "objects"
    LINK = "link"
    LINKS = "links"
    SELF = "self"


_ADDRESS: Schema = {"type": ["object", "null"], "properties": {"self": {"type": ["string", "null"]}}}
_SCHEMAS: dict[Kind, Schema] = {
    Kind.ID: {"type": ["string", "null"]},
    Kind.IDS: {"type": ["array", "null"], "items": {"type": ["string", "null"]}},
    Kind.TEXT: {"type": ["string", "null"]},
    Kind.TEXTS: {"type": ["array", "null"], "items": {"type": ["string", "null"]}},
    Kind.MOMENT: {"type": ["string", "null"], "format": "date-time"},
    Kind.DATE: {"type": ["string", "null"], "format": "date"},
    Kind.DECIMAL: {"type": ["string", "null"]},
    Kind.WHOLE: {"type": ["integer", "null"]},
    Kind.FLAG: {"type": ["boolean", "null"]},
    Kind.OBJECT: {"type": ["object", "null"]},
    Kind.OBJECTS: {"type": ["array", "null"], "items": {"type": ["object", "null"]}},
    # no properties: flattening would name columns after them, which a null has not, and some targets stop
    Kind.LINK: {"type": ["object", "null"]},
    Kind.LINKS: {"type": ["object", "array", "null"]},
    Kind.SELF: _ADDRESS,
}


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a resource.

    `target` names the resource a relation leads to; `bearer` marks a URL that lets its holder in without a
    password; `deprecated` fields still come and are kept.
    """

    name: str
    kind: Kind
    description: str
    target: str | None = None
    bearer: bool = False
    deprecated: bool = False

    @property
    def id_name(self) -> str:
        """The name of the column that carries a relation's id."""
        return f"{self.name}_id"

    def schema(self) -> Schema:
        """Describe the field as JSON Schema."""
        notes = [self.description]
        if self.deprecated:
            notes.append("Deprecated by Cliniko, still delivered.")
        if self.bearer:
            notes.append("An access link: left out unless include_access_links is on.")
        return {**_SCHEMAS[self.kind], "description": " ".join(notes)}

    def id_schema(self) -> Schema:
        """Describe the column made from a relation."""
        return {
            **_SCHEMAS[Kind.ID],
            "description": f"Id behind {self.name} ({self.target or 'not served by the API'}).",
        }


def text(name: str, description: str, *, deprecated: bool = False) -> Field:
    """Declare a text."""
    return Field(name, Kind.TEXT, description, deprecated=deprecated)


def texts(name: str, description: str) -> Field:
    """Declare a list of texts."""
    return Field(name, Kind.TEXTS, description)


def access_link(name: str, description: str) -> Field:
    """Declare a URL that opens something for whoever holds it."""
    return Field(name, Kind.TEXT, description, bearer=True)


def moment(name: str, description: str) -> Field:
    """Declare a point in time, UTC."""
    return Field(name, Kind.MOMENT, description)


def date(name: str, description: str) -> Field:
    """Declare a calendar date."""
    return Field(name, Kind.DATE, description)


def decimal(name: str, description: str, *, deprecated: bool = False) -> Field:
    """Declare an exact decimal, carried as text so that no float ever rounds it."""
    return Field(name, Kind.DECIMAL, f"{description} Decimal as text.", deprecated=deprecated)


def whole(name: str, description: str) -> Field:
    """Declare a whole number or a numeric code."""
    return Field(name, Kind.WHOLE, description)


def flag(name: str, description: str, *, deprecated: bool = False) -> Field:
    """Declare a yes or no, null when nobody said."""
    return Field(name, Kind.FLAG, description, deprecated=deprecated)


def ident(name: str, description: str) -> Field:
    """Declare an id that is delivered as a plain value."""
    return Field(name, Kind.ID, description)


def idents(name: str, description: str) -> Field:
    """Declare a list of ids."""
    return Field(name, Kind.IDS, description)


def tree(name: str, description: str) -> Field:
    """Declare a nested object, passed on as it came."""
    return Field(name, Kind.OBJECT, description)


def trees(name: str, description: str) -> Field:
    """Declare a list of nested objects, passed on as it came."""
    return Field(name, Kind.OBJECTS, description)


def link(name: str, target: str | None, description: str, *, deprecated: bool = False) -> Field:
    """Declare a relation to one row of another resource; it also becomes a `*_id` column."""
    return Field(name, Kind.LINK, description, target=target, deprecated=deprecated)


def listing(name: str, description: str) -> Field:
    """Declare the URL of a list of other rows."""
    return Field(name, Kind.LINKS, f"Where to find {description}.")


def phones(name: str, description: str) -> Field:
    """Declare embedded phone numbers, each with number, normalized_number and phone_type."""
    return Field(name, Kind.OBJECTS, f"{description} Each with number, normalized_number and phone_type.")


ID = ident("id", "Identity of the row, a 64-bit number as text.")
SELF = Field("links", Kind.SELF, "Address of the row itself.")
CREATED = moment("created_at", "When the row was created.")
UPDATED = moment("updated_at", "When the row last changed.")
ARCHIVED = moment("archived_at", "When the row was archived; null while it is in use.")
DELETED = moment("deleted_at", "When the row was removed; older name of being archived.")
CANCELLED = moment("cancelled_at", "When it was cancelled; null while it stands.")

ROW = (ID, CREATED, UPDATED, SELF)
"""What every stored row has."""

ARCHIVABLE = (*ROW, ARCHIVED)
"""A row that can be archived."""

REMOVABLE = (*ARCHIVABLE, DELETED)
"""A row that can be archived and whose older removals carry deleted_at."""
