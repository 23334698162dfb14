"""How a mapped stream describes itself: its properties, and in ``x-highlevel`` what they become."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from cliniko_to_highlevel.reference import Reference
    from cliniko_to_highlevel.row import Row

JsonSchema = dict[str, Any]


class Output(NamedTuple):
    """One record for one mapped stream."""

    stream: str
    record: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Property:
    """One property of a mapped record: its JSON type, and what it becomes in HighLevel (nothing: plain)."""

    json: JsonSchema
    description: str
    highlevel: JsonSchema | None = None

    @property
    def is_pick_list(self) -> bool:
        """Return whether the property's values are options that must be declared."""
        return bool(self.highlevel) and "options" in (self.highlevel or {})

    def schema(self, options: Sequence[str] | None = None) -> JsonSchema:
        """Return the property's JSON schema, with the options known by now."""
        schema = {**self.json, "description": self.description}
        if self.highlevel is not None:
            schema["x-highlevel"] = dict(self.highlevel)
            if options is not None:
                schema["x-highlevel"]["options"] = list(options)
        return schema


STRING: JsonSchema = {"type": ["string", "null"]}
BOOLEAN: JsonSchema = {"type": ["boolean", "null"]}
INTEGER: JsonSchema = {"type": ["integer", "null"]}
STRINGS: JsonSchema = {"type": ["array", "null"], "items": {"type": "string"}}
LINE: JsonSchema = {
    "type": ["object", "null"],
    "properties": {"order": {"type": "string"}, "text": {"type": "string"}},
    "required": ["order", "text"],
}
OWNER: JsonSchema = {
    "type": ["object", "null"],
    "properties": {"at": {"type": "string"}, "ref": {"type": "string"}},
    "required": ["at", "ref"],
}

#: Who owns a record of a custom object: whoever owns the contact that ``owner_of`` names.
OF_CONTACT = Property(OWNER, "The owner of the patient's contact.", {"field": "owner", "fold": "owner"})

#: Properties that steer the load; the target's README explains each.
STEERING: dict[str, Property] = {
    "source_id": Property({"type": "string"}, "Identity: Cliniko resource and id."),
    "contributor": Property(STRING, "Null for a main record, else the contributor of a partial one."),
    "joins": Property(STRINGS, "Further identities whose partial records belong to this record."),
    "skip_if_exists": Property(STRINGS, "The record is left out when one of these exists."),
    "needs": Property(STRINGS, "References to records that must be in HighLevel before this one."),
    "after": Property(
        STRINGS, "References to records that are written first, if they are to be written at all."
    ),
    "filtered": Property(STRING, "Why nothing is written for this record."),
    "rejected": Property(
        {
            "type": ["object", "null"],
            "properties": {"reason": {"type": "string"}, "field": {"type": "string"}},
            "required": ["reason", "field"],
        },
        "Why the record cannot be mapped, and the Cliniko field at fault.",
    ),
    "absent": Property(BOOLEAN, "The record must not exist any longer."),
    "relations": Property(
        {
            "type": ["array", "null"],
            "items": {
                "type": "object",
                "properties": {"association": {"type": "string"}, "to": {"type": "string"}},
                "required": ["association", "to"],
            },
        },
        "Every relation the record shall have.",
    ),
    "contact": Property(STRING, "Identity of the contact the record hangs on."),
    "follows": Property(STRING, "Ref of the contact whose visits and owner are folded into the record, too."),
    "owner_of": Property(STRING, "Ref of the contact whose owner the record has."),
    "split_count": Property({"type": ["integer", "null"]}, "Into how many records a long text was split."),
    "priority": Property(STRING, "Lower comes first inside the stream."),
    "money": Property(
        {"type": ["object", "null"], "additionalProperties": {"type": "string"}},
        "What the source says it comes to: amount, currency, and what it is summed by.",
    ),
}


def plain(description: str, json: JsonSchema | None = None) -> Property:
    """Declare a property that the target reads by name."""
    return Property(json or STRING, description)


def routing(description: str) -> Property:
    """Declare the businesses that a record belongs to, which decide the sub-accounts: none of them is the main one's."""
    return Property(STRINGS, description, {"field": "routing", "fold": "union"})


def standard(name: str, description: str, *, create_only: bool = False, fold: str | None = None) -> Property:
    """Declare a standard field of the contact, by the name the HighLevel API uses."""
    highlevel: JsonSchema = {"field": "standard", "name": name}
    if fold:
        highlevel["fold"] = fold
    if create_only:
        highlevel["create_only"] = True
    return Property(STRING, description, highlevel)


def custom(
    label: str,
    description: str,
    *,
    kind: str = "TEXT",
    fold: str | None = None,
    of: str = "",
    always_of: Sequence[str] = (),
    options: Sequence[str] | None = None,
    folder: str = "",
) -> Property:
    """Declare a custom field (of the contact) or a property (of a custom object).

    Args:
        label: what a person sees.
        description: what it holds.
        kind: HighLevel's type.
        fold: how it is put together from partial records.
        of: the property of partial records that is folded, where that is another one.
        always_of: the resources whose records have it even when nobody contributes to it.
        options: of a pick-list.
        folder: of a property: the folder in which people find it, where the object has several.
    """
    highlevel: JsonSchema = {"field": "custom", "dataType": kind, "label": label}
    if folder:
        highlevel["folder"] = folder
    if options is not None:
        highlevel["options"] = list(options)
    if fold:
        highlevel["fold"] = fold
    if of:
        highlevel |= {"of": of, "always_of": list(always_of)}
    return Property(_json_type(kind, fold), description, highlevel)


def _json_type(kind: str, fold: str | None) -> JsonSchema:
    if fold == "lines":
        return LINE
    return STRINGS if kind == "MULTIPLE_OPTIONS" else STRING


@dataclass(frozen=True, slots=True)
class Association:
    """A labelled link between two kinds of records; ``overflow`` labels may be used, counting the first."""

    key: str
    first: str
    first_label: str
    second: str
    second_label: str
    overflow: int = 1

    def described(self) -> JsonSchema:
        """Return the association as it stands in the stream's description."""
        return {
            "key": self.key,
            "first": self.first,
            "first_label": self.first_label,
            "second": self.second,
            "second_label": self.second_label,
            "overflow": self.overflow,
        }


@dataclass(frozen=True, slots=True)
class Money:
    """What a record of a stream comes to: as the source says, and in which properties the destination holds it."""

    source: Callable[[Row, Reference], dict[str, Any]]
    #: ``amount``, ``status``, ``date`` and ``business`` -> property; ``of`` -> the property that names the record by which it is
    #: summed, of the object ``of_object``.
    properties: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Stream:
    """One mapped stream."""

    name: str
    kind: str
    description: str
    properties: dict[str, Property]
    steering: tuple[str, ...] = ()
    associations: tuple[Association, ...] = ()
    key: str = ""
    labels: tuple[str, str] = ("", "")
    primary: str = ""
    searchable: tuple[str, ...] = ()
    file_field: str = ""
    money: Money | None = None
    #: Of appointments: these are tasks, whatever appointments become.
    always_task: bool = False
    #: When its records are written, where that is not as of others of the kind: ``with_people`` or ``history``.
    turn: str = ""
    #: What becomes of a record in HighLevel when Cliniko has it no longer; as it is, it stays.
    when_gone: Mapping[str, Any] = field(default_factory=dict)

    @property
    def takes_partials(self) -> bool:
        """Return whether several Cliniko records contribute to one record of this stream."""
        return "contributor" in self.steering

    @property
    def key_properties(self) -> list[str]:
        """Return the Singer key."""
        return ["source_id", "contributor"] if self.takes_partials else ["source_id"]

    @property
    def pick_lists(self) -> dict[str, Property]:
        """Return the properties whose options must be declared before a record uses them."""
        return {name: item for name, item in self.properties.items() if item.is_pick_list}

    def ref(self, source_id: str) -> str:
        """Return how other records refer to a record of this stream."""
        return f"{self.key or self.kind}:{source_id}"

    def blank(self, source_id: str) -> dict[str, Any]:
        """Return a main record that says nothing yet."""
        return (
            {"source_id": source_id, "contributor": None} if self.takes_partials else {"source_id": source_id}
        )

    def schema(
        self, options: Mapping[str, Sequence[str]], more: dict[str, Property] | None = None
    ) -> JsonSchema:
        """Return the stream's JSON schema, with the options known by now and the clinic's own fields."""
        steering = ("source_id", "filtered", "rejected", *self.steering, *(["money"] if self.money else ()))
        return {
            "type": "object",
            "properties": {
                **{name: STEERING[name].schema() for name in steering},
                **{
                    name: item.schema(options.get(name))
                    for name, item in (self.properties | (more or {})).items()
                },
            },
            "required": ["source_id"],
            "x-highlevel": self._described(),
        }

    def _described(self) -> JsonSchema:
        described: JsonSchema = {"object": self.kind, "description": self.description}
        if self.kind == "custom_object":
            described |= {
                "key": self.key,
                "labels": {"singular": self.labels[0], "plural": self.labels[1]},
                "primary": self.primary,
                "searchable": list(self.searchable),
            }
        if self.associations:
            described["associations"] = [item.described() for item in self.associations]
        if self.always_task:
            described["as"] = "task"
        if self.turn:
            described["turn"] = self.turn
        if self.file_field:
            described["file_field"] = self.file_field
        if self.money:
            described["money"] = dict(self.money.properties)
        return described
