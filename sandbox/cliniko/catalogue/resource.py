"""How one resource of the Cliniko API is declared."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


class FilterClass(StrEnum):
    """The kind of a filterable field; it decides which operators are allowed."""

    DATE_TIME = "date_time"
    DATE = "date"
    INT64 = "int64"
    INTEGER = "integer"
    STRING = "string"
    BOOLEAN = "boolean"
    ARRAY = "array"


class Area(StrEnum):
    """What a role is or is not allowed to see."""

    PATIENTS = "patients"
    CALENDAR = "calendar"
    CASES = "cases"
    SETUP = "setup"
    PRODUCTS = "products"
    FINANCE = "finance"
    MEDICAL = "medical"
    NOTES = "notes"
    FORMS = "forms"
    FILES = "files"
    FILE_CONTENT = "file_content"
    MESSAGES = "messages"
    USERS = "users"
    SETTINGS = "settings"


_FRONT_DESK = frozenset({Area.PATIENTS, Area.CALENDAR, Area.SETUP})
_RECEPTION = _FRONT_DESK | {Area.PRODUCTS, Area.FINANCE, Area.MESSAGES, Area.FILES, Area.CASES, Area.FORMS}
_PRACTICE = _RECEPTION | {Area.MEDICAL, Area.NOTES, Area.FILE_CONTENT}

ALLOWED: Mapping[str, frozenset[Area]] = {
    "scheduler": _FRONT_DESK,
    "receptionist": _RECEPTION,
    "practitioner": _PRACTICE,
    "power receptionist": _RECEPTION | {Area.SETTINGS},
    "bookkeeper": frozenset({Area.PATIENTS, Area.SETUP, Area.PRODUCTS, Area.FINANCE}),
    "administrator": frozenset(Area),
}
"""What each role reads, after Cliniko's help pages on user roles as far as they say."""


@dataclass(frozen=True)
class Resource:
    """A table of the account and the list that serves it.

    `columns` are the plain fields besides id and timestamps, `links` the single relations (stored in the
    column `<name>_id`), `collections` the links to lists, `hidden` the columns whose rows a list leaves out
    unless a filter names the column.
    """

    name: str
    area: Area
    columns: str = ""
    links: Mapping[str, str] = field(default_factory=dict)
    collections: Mapping[str, str] = field(default_factory=dict)
    filters: Mapping[str, FilterClass] = field(default_factory=dict)
    hidden: tuple[str, ...] = ()

    @cached_property
    def plain(self) -> tuple[str, ...]:
        """The plain fields of a record, id and timestamps included."""
        return ("id", *self.columns.split(), "created_at", "updated_at")

    @cached_property
    def stored(self) -> frozenset[str]:
        """Every column a row may have."""
        return frozenset(self.plain) | {f"{link}_id" for link in self.links}

    @cached_property
    def sortable(self) -> frozenset[str]:
        """The columns a list can be sorted by."""
        return self.stored - {"content", "custom_fields", "pronouns", "repeat_rule", "availabilities"}


def filters(**classes: str) -> dict[str, FilterClass]:
    """Declare the filterable fields by their class: `filters(int64="id patient_id")`."""
    return {name: FilterClass(kind) for kind, names in classes.items() for name in names.split()}
