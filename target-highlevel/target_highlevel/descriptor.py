"""What a mapped stream says about itself: the target's only knowledge of what it loads.

The producer (a mapper, or any tap that emits this shape) describes each stream in its SCHEMA message, in ``x-highlevel`` keys.
The input contract is written down in the target's README.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from target_highlevel.errors import SettingsError
from target_highlevel.values import canonical

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

#: Properties of a mapped record that steer the load; every other property is a field of the destination.
STEERING = frozenset(
    {
        "source_id",
        "part",
        "joins",
        "unless",
        "filtered",
        "rejected",
        "absent",
        "relations",
        "contact",
        "priority",
        "pieces",
    }
)

#: Order in which kinds of objects are written: parents before what hangs on them.
RANKS = {"user": 0, "contact": 1, "custom_object": 2, "relation": 3, "appointment": 4, "note": 5, "file": 6}


@dataclass(frozen=True)
class FieldSpec:
    """How one property of a mapped record is written to HighLevel."""

    name: str
    kind: str = "plain"
    api_name: str = ""
    data_type: str = "TEXT"
    label: str = ""
    options: tuple[str, ...] = ()
    fold: str | None = None
    channel: str = ""
    create_only: bool = False


@dataclass(frozen=True)
class Association:
    """A labelled link between two kinds of objects; ``overflow`` labels may be used when one is full."""

    key: str
    first: str
    first_label: str
    second: str
    second_label: str
    overflow: int = 1

    def labels(self) -> Iterator[tuple[str, str, str]]:
        """Yield (key, first label, second label) of the association and of those it may continue under."""
        yield self.key, self.first_label, self.second_label
        for number in range(2, self.overflow + 1):
            yield f"{self.key}_{number}", f"{self.first_label} {number}", f"{self.second_label} {number}"


@dataclass(frozen=True)
class StreamSpec:
    """One mapped stream: the object it fills, its fields and its associations."""

    stream: str
    kind: str
    object: str
    singular: str = ""
    plural: str = ""
    description: str = ""
    primary: str = ""
    searchable: tuple[str, ...] = ()
    file_field: str = ""
    fields: Mapping[str, FieldSpec] = field(default_factory=dict)
    associations: tuple[Association, ...] = ()

    @property
    def rank(self) -> int:
        """Return the place of this kind of object in the order of writing."""
        return RANKS[self.kind]

    @property
    def folded(self) -> tuple[FieldSpec, ...]:
        """Return the fields whose value is put together from partial records."""
        return tuple(item for item in self.fields.values() if item.fold)

    def field(self, name: str) -> FieldSpec:
        """Return a field as it is declared; what a kind of object adds of itself is plain text."""
        return self.fields.get(name) or FieldSpec(name)

    def association(self, key: str) -> Association | None:
        """Return the association of that key, if the stream declares it."""
        return next((item for item in self.associations if item.key == key), None)


def stream_spec(message: Mapping[str, Any]) -> StreamSpec | None:
    """Return the description inside a SCHEMA message, or None when the stream does not describe itself.

    Raises:
        SettingsError: the description names a kind of object the target does not know.
    """
    described = message["schema"].get("x-highlevel")
    if not described:
        return None
    stream, kind = message["stream"], described.get("object")
    if kind not in RANKS:
        msg = f"stream {stream}: x-highlevel.object is {kind!r}; it must be one of {', '.join(RANKS)}"
        raise SettingsError(msg)
    labels = described.get("labels", {})
    return StreamSpec(
        stream=stream,
        kind=kind,
        object=described["key"] if kind == "custom_object" else kind,
        singular=labels.get("singular", ""),
        plural=labels.get("plural", ""),
        description=described.get("description", ""),
        primary=described.get("primary", ""),
        searchable=tuple(described.get("searchable", ())),
        file_field=described.get("file_field", ""),
        fields={
            name: _field_spec(name, declared.get("x-highlevel") or {})
            for name, declared in message["schema"]["properties"].items()
            if name not in STEERING and not name.startswith("_sdc_")
        },
        associations=tuple(_association(item) for item in described.get("associations", ())),
    )


def _field_spec(name: str, described: Mapping[str, Any]) -> FieldSpec:
    return FieldSpec(
        name=name,
        kind=described.get("field", "plain"),
        api_name=described.get("name", name),
        data_type=described.get("dataType", "TEXT"),
        label=described.get("label", name),
        options=tuple(described.get("options") or ()),
        fold=described.get("fold"),
        channel=described.get("channel", ""),
        create_only=bool(described.get("create_only")) or described.get("name") == "gender",
    )


def _association(described: Mapping[str, Any]) -> Association:
    return Association(
        key=described["key"],
        first=described["first"],
        first_label=described["first_label"],
        second=described["second"],
        second_label=described["second_label"],
        overflow=int(described.get("overflow", 1)),
    )


@dataclass(frozen=True)
class Incoming:
    """One mapped record, split into what steers the load and what is written."""

    spec: StreamSpec
    source_id: str
    fields: Mapping[str, Any]
    part: str | None = None
    joins: tuple[str, ...] = ()
    unless: tuple[str, ...] = ()
    filtered: str | None = None
    rejected: Mapping[str, str] | None = None
    absent: bool = False
    relations: tuple[tuple[str, str], ...] = ()
    contact: str | None = None
    priority: str | None = None
    #: Into how many records one long text was split; this is the first, the others end in ``#2``, ``#3``…
    pieces: int | None = None
    #: (HighLevel id, reason why there is none): set when the target has matched the record with what is there already.
    resolved: tuple[str | None, str | None] | None = None

    @property
    def ref(self) -> str:
        """Return the identity of the destination record: ``<object>:<source id>``."""
        return f"{self.spec.object}:{self.source_id}"

    @property
    def resource(self) -> str:
        """Return the source resource, the part of the source id before the slash."""
        return self.source_id.partition("/")[0]

    def payload(self) -> dict[str, Any]:
        """Return what the ledger keeps until the record is written."""
        return {
            "fields": dict(self.fields),
            "joins": list(self.joins),
            "relations": [list(item) for item in self.relations],
            "contact": self.contact,
            "absent": self.absent,
            "only_these": self.filtered or False,
            **({"pieces": self.pieces} if self.pieces else {}),
        }

    def digest_source(self) -> Any:
        """Return everything that makes two receptions of the record equal or not."""
        return [self.payload(), list(self.unless), self.filtered, dict(self.rejected or {}), self.spec.stream]


def incoming(spec: StreamSpec, record: Mapping[str, Any]) -> Incoming:
    """Return a mapped record in the engine's shape; numbers become canonical so that both hosts of a mapper agree."""
    try:
        return _incoming(spec, record)
    except (AttributeError, KeyError, TypeError, ValueError):  # the texts of these errors may hold values
        # of a partial record its contributor is at fault, not the record it belongs to
        identity = str(record.get("part") or record.get("source_id") or f"{spec.stream}/?")
        return Incoming(spec, identity, {}, rejected={"reason": "invalid_record", "field": "source_id"})


def _incoming(spec: StreamSpec, record: Mapping[str, Any]) -> Incoming:
    if not isinstance(record["source_id"], str) or not record["source_id"]:
        raise TypeError
    if record.get("absent") and spec.kind != "relation":
        # a load deletes links only: whatever else is gone in Cliniko stays, or is undone by a rollback
        return Incoming(
            spec, record["source_id"], {}, rejected={"reason": "invalid_record", "field": "absent"}
        )
    return Incoming(
        spec=spec,
        source_id=record["source_id"],
        fields={
            name: canonical(value)
            for name, value in record.items()
            if name not in STEERING and name in spec.fields and value is not None
        },
        part=record.get("part"),
        joins=tuple(record.get("joins") or ()),
        unless=tuple(record.get("unless") or ()),
        filtered=record.get("filtered"),
        rejected=record.get("rejected"),
        absent=bool(record.get("absent")),
        relations=tuple((item["association"], item["to"]) for item in record.get("relations") or ()),
        contact=record.get("contact"),
        priority=record.get("priority"),
        pieces=record.get("pieces"),
    )
