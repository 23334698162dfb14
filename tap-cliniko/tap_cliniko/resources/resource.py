"""What the tap has to know about one resource of the API."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from tap_cliniko.fields import Kind

if TYPE_CHECKING:
    from tap_cliniko.fields import Field

TOMBSTONE = "_sdc_deleted_at"
"""Set on the record that says a row is gone for good (setting detect_deletions, and lists with their ids in the state)."""


class Shape(StrEnum):
    """How a resource is delivered."""

    ROWS = "rows"
    """A list of rows with ids: read by id, in windows of updated_at unless it is read in full."""

    OBJECT = "object"
    """One object for the whole account."""

    PAGES = "pages"
    """A list whose rows have no id and cannot be filtered: read page by page."""

    UNDER_PARENT = "under_parent"
    """Rows that are only found below the rows of another resource."""


class Role(StrEnum):
    """The roles a Cliniko user can have."""

    ADMINISTRATOR = "administrator"
    BOOKKEEPER = "bookkeeper"
    POWER_RECEPTIONIST = "power receptionist"
    PRACTITIONER = "practitioner"
    RECEPTIONIST = "receptionist"
    SCHEDULER = "scheduler"


# Who sees what, from Cliniko's help pages on roles. Only a preflight hint: the API's answer decides.
EVERYONE = frozenset(Role)
DIARY = EVERYONE - {Role.BOOKKEEPER}
FINANCE = EVERYONE - {Role.SCHEDULER}
MESSAGES = DIARY - {Role.SCHEDULER}
CLINICAL = frozenset({Role.PRACTITIONER, Role.ADMINISTRATOR})
OWNER = frozenset({Role.ADMINISTRATOR})


@dataclass(frozen=True, slots=True)
class Resource:
    """The declaration of one stream.

    Attributes:
        name: the stream's name, and the path and envelope key unless these are given.
        title: what one row is, in a few words.
        fields: every known field; unknown ones pass through.
        keys: the primary key.
        shape: how it is delivered.
        in_full: read completely in every run (reference data, and tables whose deletions leave no trace).
        reveal: timestamps whose `:*` filter brings hidden rows back into the list.
        moves_alone: further moments that may change without a move of updated_at.
        by_patient: filter that finds the rows of given patients, such as `patient_id:=`.
        moved_by: filters that find rows a merge of patients may have moved, by default `by_patient`;
            an empty one stands for the whole list.
        needed_by: (another list, its link): rows referenced by changed rows of the other list are read with them,
            changed or not, because a mapping needs the two in one run.
        shows: whether its rows tell what those of the list that needs them say, such as the patients of a class.
        follows: (another list, filter): rows that the filter finds for changed rows of the other list are read
            again with them, because a mapping joins the two.
        path: where the list is.
        also: further lists of the same rows.
        below: (parent resource, path with `{id}`) for rows found below a parent, or as the
            fallback of an account where the list of its own is absent.
        readers: roles that see the rows in full.
        optional: an absent endpoint is no error.
        ids_in_state: the state holds the ids of a short list that is read by pages, so that a row that is gone is noticed.
        rarely_changes: not asked for changes by a run that asks before it reads; one a day reads it all the same.
    """

    name: str
    title: str
    fields: tuple[Field, ...]
    keys: tuple[str, ...] = ("id",)
    shape: Shape = Shape.ROWS
    in_full: bool = False
    reveal: tuple[str, ...] = ()
    moves_alone: tuple[str, ...] = ()
    by_patient: str | None = None
    moved_by: tuple[str, ...] = ()
    needed_by: tuple[str, str] | None = None
    shows: bool = False
    follows: tuple[str, str] | None = None
    path: str = ""
    also: tuple[str, ...] = ()
    below: tuple[str, str] | None = None
    readers: frozenset[Role] = EVERYONE
    optional: bool = False
    rarely_changes: bool = False
    ids_in_state: bool = False

    @property
    def url_path(self) -> str:
        """The path of the list or object under the API's base."""
        return self.path or f"/{self.name}"

    def schema(self) -> dict[str, Any]:
        """Describe the stream's records as JSON Schema."""
        properties: dict[str, Any] = {}
        for field in self.fields:
            properties[field.name] = field.schema()
            if field.kind is Kind.LINK:
                properties.setdefault(field.id_name, field.id_schema())
        for key in self.keys:
            properties[key] = {**properties[key], "type": "string"}
        if self.shape is Shape.ROWS or self.ids_in_state:
            properties[TOMBSTONE] = {
                "type": ["string", "null"],
                "format": "date-time",
                "description": "When the tap found the row gone; such a record has only this and the key.",
            }
        return {
            "type": "object",
            "properties": properties,
            "required": list(self.keys),
            "description": self.title,
        }
