"""What a mapped stream says about itself: the target's only knowledge of what it loads.

The producer (a mapper, or any tap that emits this shape) describes each stream in its SCHEMA message, in ``x-highlevel`` keys.
The input contract is written down in the target's README.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from target_highlevel.errors import SettingsError
from target_highlevel.payload import Payload, content
from target_highlevel.values import canonical, keyed_hash, record_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

#: Properties of a mapped record that steer the load; every other property is a field of the destination.
STEERING = frozenset(
    {
        "source_id",
        "contributor",
        "joins",
        "skip_if_exists",
        "needs",
        "after",
        "filtered",
        "rejected",
        "absent",
        "relations",
        "contact",
        "owner_of",
        "follows",
        "priority",
        "split_count",
        "money",
    }
)
#: Former names of three of them, under which a mapper of an earlier release, or a record kept for a retry, still comes.
_FORMER = {"contributor": "part", "skip_if_exists": "unless", "split_count": "pieces"}
_STEERING = STEERING | frozenset(_FORMER.values())
#: What the names begin with of what a tap says of a record itself.
_OF_THE_TAP = "_sdc_"

#: Of a record that a tap says is deleted in its source.
_DELETED = "deleted_in_source"


class Rank:
    """Order of writing: what a practice needs first, parents before what hangs on them, then contact by contact."""

    DEFINITIONS = 0
    PEOPLE = 1
    WITH_PEOPLE = 2
    COMING = 3
    OBJECTS = 4
    LINKS = 5
    HISTORY = 6


#: With what is up to here in HighLevel, the front desk can work.
FRONT_DESK = Rank.COMING

#: When each kind of object is written, unless its stream says otherwise; appointments to come are earlier.
RANKS = {
    "user": Rank.DEFINITIONS,
    "calendar": Rank.DEFINITIONS,
    "schedule": Rank.PEOPLE,
    "contact": Rank.PEOPLE,
    "relation": Rank.WITH_PEOPLE,
    "blocked_slot": Rank.COMING,
    "custom_object": Rank.OBJECTS,
    "appointment": Rank.HISTORY,
    "note": Rank.HISTORY,
    "file": Rank.HISTORY,
    "opportunity": Rank.HISTORY,
}
#: What a stream may say of that itself.
_TURNS = {"with_people": Rank.WITH_PEOPLE, "history": Rank.HISTORY}
#: Kinds of which a load removes what is gone in Cliniko; of any other it stays, or is undone by a rollback.
MAY_GO = frozenset({"relation", "schedule", "blocked_slot"})


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
    #: Name of the property whose values are folded, where that is another one.
    of: str = ""
    #: The resource whose records have the field even when nobody contributes to it: a patient without a visit has had 0.
    always_of: tuple[str, ...] = ()
    channel: str = ""
    create_only: bool = False
    #: Of a custom object: the folder in which people find it; empty: the object's first one.
    folder: str = ""

    @property
    def is_custom(self) -> bool:
        """Return whether the sub-account must have a definition of it: HighLevel has no such field by itself."""
        return self.kind == "custom"

    @property
    def input(self) -> str:
        """Return the name of the property whose values are folded."""
        return self.of or self.name


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
    #: Of appointments: these are tasks, whatever appointments become.
    always_task: bool = False
    #: When its records are written, where that is not as of others of the kind: ``with_people`` or ``history``.
    turn: str = ""
    fields: Mapping[str, FieldSpec] = field(default_factory=dict)
    associations: tuple[Association, ...] = ()
    #: Which properties hold what a record comes to and by what it is summed; empty where a record comes to nothing.
    money: Mapping[str, str] = field(default_factory=dict)

    @property
    def rank(self) -> int:
        """Return the place of this stream in the order of writing."""
        return _TURNS[self.turn] if self.turn else RANKS[self.kind]

    @property
    def folded(self) -> tuple[FieldSpec, ...]:
        """Return the fields whose value is put together from partial records."""
        return tuple(item for item in self.fields.values() if item.fold)

    @property
    def is_composed(self) -> bool:
        """Return whether others contribute to the text of an appointment: what was invoiced for it."""
        return self.kind == "appointment" and any(item.kind == "plain" for item in self.folded)

    def field(self, name: str) -> FieldSpec:
        """Return a field as it is declared; what a kind of object adds of itself is plain text."""
        return self.fields.get(name) or FieldSpec(name)

    @property
    def custom(self) -> tuple[FieldSpec, ...]:
        """Return the fields that the sub-account must have a definition of."""
        return tuple(item for item in self.fields.values() if item.is_custom)

    @property
    def by_api_name(self) -> dict[str, str]:
        """Return our name of each standard field of a contact, by HighLevel's."""
        return {item.api_name: item.name for item in self.fields.values() if item.kind == "standard"}

    @property
    def standing(self) -> dict[str, str]:
        """Return our name of each field that tells who keeps a shared address: ``archived``, ``guardians``, ``keeps``."""
        return {item.api_name: item.name for item in self.fields.values() if item.kind == "standing"}

    def association(self, key: str) -> Association | None:
        """Return the association of that key, if the stream declares it."""
        return next((item for item in self.associations if item.key == key), None)


def stream_spec(message: Mapping[str, Any]) -> StreamSpec | None:
    """Return the description inside a SCHEMA message, or None when the stream does not describe itself.

    Raises:
        SettingsError: the description is not whole, or names a kind of object the target does not know.
    """
    described = message["schema"].get("x-highlevel")
    if not described:
        return None
    try:
        return _stream_spec(message, described)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        msg = f"stream {message['stream']}: its x-highlevel is not whole ({type(error).__name__}: {error})"
    raise SettingsError(msg)


def _stream_spec(message: Mapping[str, Any], described: Mapping[str, Any]) -> StreamSpec:
    stream, kind = message["stream"], described.get("object")
    if kind not in RANKS:
        msg = f"stream {stream}: x-highlevel.object is {kind!r}; it must be one of {', '.join(RANKS)}"
        raise SettingsError(msg)
    labels, turn = described.get("labels", {}), described.get("turn", "")
    if turn and turn not in _TURNS:
        msg = f"stream {stream}: x-highlevel.turn is {turn!r}; it must be one of {', '.join(_TURNS)}"
        raise SettingsError(msg)
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
        always_task=described.get("as") == "task",
        turn=turn,
        fields={
            name: _field_spec(name, declared.get("x-highlevel") or {})
            for name, declared in message["schema"]["properties"].items()
            if not is_steering(name)
        },
        associations=tuple(_association(item) for item in described.get("associations", ())),
        money=dict(described.get("money") or {}),
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
        of=described.get("of", ""),
        always_of=tuple(described.get("always_of", ())),
        channel=described.get("channel", ""),
        folder=described.get("folder", ""),
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


@dataclass(slots=True)
class Incoming:
    """One mapped record, split into what steers the load and what is written.

    Nobody changes it. It is not frozen, since to make a frozen one takes four times as long, and every record becomes one.
    """

    spec: StreamSpec
    source_id: str
    fields: Mapping[str, Any]
    part: str | None = None
    joins: tuple[str, ...] = ()
    unless: tuple[str, ...] = ()
    #: Records that must be in HighLevel before this one, and those that come first if they come at all.
    needs: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    filtered: str | None = None
    rejected: Mapping[str, str] | None = None
    absent: bool = False
    relations: tuple[tuple[str, str], ...] = ()
    contact: str | None = None
    #: Ref of the contact whose owner the record has.
    owner_of: str | None = None
    #: Ref of the contact whose visits and owner are folded into the record, too.
    follows: str | None = None
    priority: str | None = None
    #: Into how many records one long text was split; this is the first, the others end in ``#2``, ``#3``…
    pieces: int | None = None
    #: Into how many records the target has divided it, of which this is the first; see ``engine.division``.
    parts: int | None = None
    #: (HighLevel id, reason why there is none): set when the target has matched the record with what is there already.
    resolved: tuple[str | None, str | None] | None = None
    #: What the record comes to, as its source says: amount, status, year, business, currency, or ``of``, the ref of the record
    #: by which it is summed. No part of what is written.
    money: Mapping[str, str] | None = None

    @property
    def ref(self) -> str:
        """Return the identity of the destination record: ``<object>:<source id>``."""
        return f"{self.spec.object}:{self.source_id}"

    @property
    def resource(self) -> str:
        """Return the source resource, the part of the source id before the slash."""
        return self.source_id.partition("/")[0]

    def payload(self) -> Payload:
        """Return what the ledger keeps until the record is written."""
        return Payload(
            fields=self.fields,
            joins=self.joins,
            relations=self.relations,
            contact=self.contact,
            absent=self.absent,
            filtered=self.filtered,
            pieces=self.pieces,
            parts=self.parts,
            owner_of=self.owner_of,
        )

    def digest(self, salt: bytes) -> str:
        """Return a keyed hash of everything that makes two receptions of the record equal or not."""
        told = (content(self), self.unless, self.filtered, self.rejected or {}, self.spec.stream)
        return keyed_hash(record_json(told), salt)


def is_steering(name: str) -> bool:
    """Return whether a property of a mapped record steers the load, and is no field of the destination."""
    return name in _STEERING or name.startswith(_OF_THE_TAP)


def steering(record: Mapping[str, Any], name: str) -> Any:
    """Return a steering property of a mapped record, by its name or its former one."""
    value = record.get(name)
    return record.get(_FORMER[name]) if value is None and name in _FORMER else value


def incoming(spec: StreamSpec, record: Mapping[str, Any]) -> Incoming:
    """Return a mapped record in the engine's shape; numbers become canonical so that both hosts of a mapper agree."""
    try:
        return _incoming(spec, record)
    except (AttributeError, KeyError, TypeError, ValueError):  # the texts of these errors may hold values
        # of a partial record its contributor is at fault, not the record it belongs to
        identity = str(steering(record, "contributor") or record.get("source_id") or f"{spec.stream}/?")
        return Incoming(spec, identity, {}, rejected={"reason": "invalid_record", "field": "source_id"})


def _incoming(spec: StreamSpec, record: Mapping[str, Any]) -> Incoming:
    source_id = record["source_id"]
    if not isinstance(source_id, str) or not source_id:
        raise TypeError
    if record.get("absent") and spec.kind not in MAY_GO:
        return Incoming(spec, source_id, {}, rejected={"reason": "invalid_record", "field": "absent"})
    fields: dict[str, Any] = {}
    steers: dict[str, Any] = {}
    for name, value in record.items():
        if value is None:
            continue
        if name in spec.fields:
            fields[name] = value if type(value) is str else canonical(value)
        elif name in _READ:
            attribute, read = _READ[name]
            steers[attribute] = read(value)
        elif name in _READ_FORMER:
            attribute, read = _READ_FORMER[name]
            steers.setdefault(attribute, read(value))
    item = Incoming(spec, source_id, fields, **steers)
    if record.get("_sdc_deleted_at") and not item.filtered:
        item.filtered = _DELETED
    return item


def _as_it_is(value: Any) -> Any:
    return value


def _texts(value: Any) -> tuple[str, ...]:
    return tuple(value or ())


def _relations(value: Any) -> tuple[tuple[str, str], ...]:
    return tuple((item["association"], item["to"]) for item in value or ())


def _money(value: Any) -> dict[str, str] | None:
    return {name: str(each) for name, each in (value or {}).items()} or None


#: What each steering property becomes: an attribute of the record, and how it is read.
_READ: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "contributor": ("part", _as_it_is),
    "joins": ("joins", _texts),
    "skip_if_exists": ("unless", _texts),
    "needs": ("needs", _texts),
    "after": ("after", _texts),
    "filtered": ("filtered", lambda value: value or None),
    "rejected": ("rejected", _as_it_is),
    "absent": ("absent", bool),
    "relations": ("relations", _relations),
    "contact": ("contact", _as_it_is),
    "owner_of": ("owner_of", _as_it_is),
    "follows": ("follows", _as_it_is),
    "priority": ("priority", _as_it_is),
    "split_count": ("pieces", _as_it_is),
    "money": ("money", _money),
}
#: The like of former names, which say nothing where the present one stands beside them.
_READ_FORMER = {former: _READ[name] for name, former in _FORMER.items()}
