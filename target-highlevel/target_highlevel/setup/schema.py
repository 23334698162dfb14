"""Makes the sub-account's schema fit the streams: verifies what is there and creates what is missing, never deletes."""

from __future__ import annotations

import itertools
import logging
import threading
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from target_highlevel.api.definitions import Field, MadeField, slug
from target_highlevel.errors import CredentialsRefused, HighLevelError, Refused, SettingsError, Unknown
from target_highlevel.fields import kind_of
from target_highlevel.setup.file_field import first_taken, widen
from target_highlevel.setup.lists import most_added, most_taken
from target_highlevel.texts import counted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from target_highlevel.api.protocol import HighLevel
    from target_highlevel.descriptor import Association, FieldSpec, StreamSpec
    from target_highlevel.setup.catalogue import Catalogue

logger = logging.getLogger(__name__)

#: HighLevel's limit per sub-account on every plan (docs/api-facts.md, Limits).
MOST_OBJECTS = 10
_CHOICES = {"SINGLE_OPTIONS", "MULTIPLE_OPTIONS", "CHECKBOX", "RADIO"}
_TYPES = _CHOICES | {"DATE", "FILE_UPLOAD", "LARGE_TEXT", "MONETORY", "NUMERICAL", "PHONE", "TEXT"}
#: Types that take the values of another: all of these are written as a text.
_TAKES = {
    "TEXT": {"LARGE_TEXT", "DATE"},
    "LARGE_TEXT": {"TEXT", "DATE"},
    "RADIO": {"SINGLE_OPTIONS"},
    "SINGLE_OPTIONS": {"RADIO"},
    "CHECKBOX": {"MULTIPLE_OPTIONS"},
    "MULTIPLE_OPTIONS": {"CHECKBOX"},
}
#: The folder of an object that has none.
_FOLDER = "Cliniko"
_ONE_FILE = (
    "contact.{} exists in HighLevel and takes one file only; let it take several, or rename or remove it"
)
#: Fields made at the same time: one after the other they would cost a minute or two of a fresh sub-account's first load.
_AT_ONCE = 10


_Made = TypeVar("_Made")


class _Unclear(Exception):  # noqa: N818 - no error yet: it is looked into
    """A definition may have been made or not."""


class _Maker(Protocol):
    def __call__(self, declared: FieldSpec, /, *, hasty: bool) -> None: ...


class SchemaSetup:
    """Creates fields, options, objects and associations that a stream describes."""

    def __init__(
        self, highlevel: HighLevel, catalogue: Catalogue, *, agency: bool, blockers: list[str] | None = None
    ) -> None:
        """Work on one sub-account; ``agency`` says whether custom objects can be created.

        With ``blockers``, what would stop a load is put there instead of being raised.
        """
        self._blockers = blockers
        self._definitions = highlevel.definitions
        self._catalogue = catalogue
        self._agency = agency
        self._done: dict[str, StreamSpec] = {}
        self._associations: dict[str, Association] = {}
        self._growing = threading.Lock()
        #: Held while a custom object is made: their number is limited, so whoever makes one looks at all of them.
        self._making_objects = threading.Lock()
        self._searchable: dict[str, list[str]] = {}
        #: Where the first of our fields of contacts stands, and where each does: they are made in no particular order.
        self._positions: dict[str, int] = {}
        #: Options that this run has sent, by their field: a list may still show the field without them.
        self._sent: defaultdict[tuple[str, str], dict[str, str]] = defaultdict(dict)
        self.created: list[str] = []
        #: Options added to fields that were there, by the field's name.
        self.extended: dict[str, list[str]] = {}

    def obstacles(self, specs: Iterable[StreamSpec], *, first: bool) -> list[str]:
        """Return why these streams cannot have their objects and fields; asked before anything is written.

        Before the first load all objects that are there are looked at; later those that loads have used are known already.
        """
        specs = list(specs)
        for key in {spec.object for spec in specs if first and spec.kind == "custom_object"}:
            if key in self._catalogue.object_keys and key not in self._catalogue.object_fields:
                self._catalogue.read_object(key)
        return [
            *self._missing_objects(specs),
            *self._fields_of_other_types(specs),
            *self._fields_of_one_file(specs),
        ]

    def _fields_of_one_file(self, specs: Iterable[StreamSpec]) -> list[str]:
        """Name the contact fields for files that take a single one: what a second does to the first is not known."""
        fields = {
            name: self._catalogue.contact_fields.get(name) for spec in specs for name in [spec.file_field]
        }
        return [
            _ONE_FILE.format(name)
            for name, field in fields.items()
            if field is not None and field.most_files == 1
        ]

    def _fields_of_other_types(self, specs: Iterable[StreamSpec]) -> list[str]:
        """Name the fields that are there and cannot take the values: somebody made them by hand, or an earlier version did."""
        catalogue = self._catalogue
        found = []
        for spec in specs:
            there = (
                catalogue.contact_fields
                if spec.kind == "contact"
                else catalogue.object_fields.get(spec.object, {})
            )
            found += [
                f"{spec.object}.{declared.name} exists in HighLevel, and what it says of its options there is not understood;"
                " rename or remove that field"
                for declared in defined_fields(spec)
                if declared.name in there and not there[declared.name].is_readable
            ]
            found += [
                f"{spec.object}.{declared.name} exists in HighLevel with type {there[declared.name].data_type}, not"
                f" {declared.data_type}; rename or remove that field"
                for declared in defined_fields(spec)
                if declared.name in there and not _takes(there[declared.name].data_type, declared.data_type)
            ]
        return list(dict.fromkeys(found))

    def _missing_objects(self, specs: Iterable[StreamSpec]) -> list[str]:
        """Return why objects cannot be created."""
        needed = {spec.object: spec for spec in specs if spec.kind == "custom_object"}
        missing = [spec for key, spec in needed.items() if key not in self._catalogue.object_keys]
        if not missing:
            return []
        own = [key for key in self._catalogue.object_keys if key.startswith("custom_objects.")]
        problems = []
        if not self._agency:
            named = ", ".join(
                f"{spec.singular!r} (key {spec.object.partition('.')[2]!r})" for spec in missing
            )
            problems.append(
                f"custom objects are missing: set TARGET_HIGHLEVEL_AGENCY_TOKEN, or create by hand: {named}"
            )
        if len(own) + len(missing) > MOST_OBJECTS:
            problems.append(
                f"{counted(len(missing), 'custom object', 'is', 'are')} missing and cannot be created: the sub-account has"
                f" {len(own)} of {MOST_OBJECTS} already; remove one that is not needed"
            )
        return problems

    def ensure(self, spec: StreamSpec) -> None:
        """Make everything of a stream that can be made before its records; a second call with the same spec costs nothing."""
        if self._done.get(spec.stream) == spec:
            return
        if spec.kind == "contact":
            self._contact_fields(spec)
        if spec.kind == "custom_object":
            self._object(spec)
        self._done[spec.stream] = spec

    def ensure_missing(self, specs: Iterable[StreamSpec]) -> None:
        """Make at once what a fresh sub-account lacks of all these streams: one by one, each would hold up the writers."""
        specs = list(specs)
        lacking = [spec for spec in specs if self.is_missing(spec)]
        if not lacking:
            return
        associations = [association for spec in specs for association in spec.associations]
        by_object: defaultdict[str, list[StreamSpec]] = defaultdict(list)
        for spec in lacking:
            by_object[spec.object].append(spec)
        # alone: where the agency's token is refused, nothing else has been made
        for spec in [spec for spec in lacking if spec.kind == "custom_object"][:1]:
            self._make_object(spec)
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            list(pool.map(self._ensure_in_turn, by_object.values()))
            list(pool.map(self._associate, filter(self._linkable, associations)))

    def _ensure_in_turn(self, specs: Iterable[StreamSpec]) -> None:
        """Make what streams of one object need: at the same time, two of them could make the same field twice."""
        for spec in specs:
            self.ensure(spec)

    def _linkable(self, association: Association) -> bool:
        """Return whether both kinds of objects are there: another tap may declare the second later."""
        return {association.first, association.second} <= {"contact", *self._catalogue.object_keys}

    def is_missing(self, spec: StreamSpec) -> bool:
        """Return whether the object of a stream, or any of its fields on contacts, is not there; costs no request."""
        if spec.kind == "custom_object":
            return spec.object not in self._catalogue.object_keys
        return spec.kind == "contact" and any(
            declared.name not in self._catalogue.contact_fields for declared in _custom(spec)
        )

    def associate(self, spec: StreamSpec) -> None:
        """Make the associations of a stream; both of their objects must be there.

        Of the labels an association may continue under, only those that are there already are counted in; more are made when
        one is full.
        """
        for association in spec.associations:
            self._associate(association)

    def _associate(self, association: Association) -> None:
        first, *more = association.labels()
        if first[0] not in self._catalogue.associations:
            self._association(association, first)
        there = [label[0] for label in more if label[0] in self._catalogue.associations]
        self._catalogue.overflow[association.key] = [association.key, *there]
        self._associations[association.key] = association

    def label(self, key: str, number: int) -> str | None:
        """Return the id of the n-th label of an association, making it when there are fewer; None beyond HighLevel's limit."""
        with self._growing:
            association, used = self._associations[key], self._catalogue.overflow[key]
            if number < len(used):
                return self._catalogue.associations[used[number]]
            following = next((label for label in association.labels() if label[0] not in used), None)
            if following is None:
                return None
            self._association(association, following)
            used.append(following[0])
            return self._catalogue.associations[following[0]]

    def _together(
        self, groups: Iterable[Iterable[FieldSpec]], make: _Maker, read: Callable[[], None]
    ) -> None:
        """Make groups of fields at once, those of a group in turn; what ended unclear is looked at when all others are done."""

        def attempt(group: Iterable[FieldSpec]) -> list[FieldSpec]:
            left = []
            for declared in group:
                try:
                    make(declared, hasty=True)
                except _Unclear:
                    left.append(declared)
            return left

        with ThreadPoolExecutor(_AT_ONCE) as pool:
            unclear = [declared for left in pool.map(attempt, groups) for declared in left]
        if unclear:
            read()
        for declared in unclear:
            make(declared, hasty=False)

    def _write(
        self,
        what: str,
        request: Callable[[], _Made],
        again: Callable[[], _Made | None],
        *,
        hasty: bool = False,
    ) -> _Made:
        """Create one definition; after an unclear answer check whether it is there before anything is sent again.

        In haste nobody looks: reading the list while others are being made could lose one of them.
        """
        try:
            made = request()
        except Unknown:
            if hasty:
                raise _Unclear from None
            made = again() or request()
        except Refused as refused:
            if hasty and refused.maybe_created:
                raise _Unclear from None
            found = again() if refused.maybe_created else None
            if not found:
                raise
            made = found
        self.created.append(what)
        done = "created" if self._blockers is None else "planned"
        logger.info("highlevel.schema_%s what=%s", done, what)
        return made

    # Contacts

    def _contact_fields(self, spec: StreamSpec) -> None:
        self._check_types(spec)
        first = self._position_of_first(spec)
        self._positions = {declared.name: number for number, declared in enumerate(spec.custom, first)}
        alone = ([declared] for declared in _custom(spec))
        self._together(alone, self._contact_field, self._catalogue.read_contact_fields)

    def _check_types(self, spec: StreamSpec) -> None:
        for problem in self._fields_of_other_types([spec]):  # of a stream that nobody expected
            self._block(problem)

    def _position_of_first(self, spec: StreamSpec) -> int:
        """Return where a stream's fields begin: so that those there stand right, or else behind whatever the clinic has."""
        there = self._catalogue.contact_fields
        for number, declared in enumerate(spec.custom):
            if declared.name in there and there[declared.name].position > number:
                return there[declared.name].position - number
        return max((known.position for known in there.values()), default=0) + 1

    def _contact_field(self, declared: FieldSpec, *, hasty: bool) -> None:
        known = self._catalogue.contact_fields.get(declared.name)
        if known is None:
            self._create_contact_field(declared, hasty=hasty)
            return
        if any(option not in known.options for option in declared.options):
            self._extend_contact_field(declared)

    def _create_contact_field(self, declared: FieldSpec, *, hasty: bool) -> None:
        if slug(declared.label) != declared.name:
            msg = (
                f"contact field {declared.name}: its label makes the key {slug(declared.label)} in HighLevel"
            )
            raise SettingsError(msg)
        position = self._positions[declared.name]
        create = partial(
            self._definitions.create_contact_field, declared.label, declared.data_type, position=position
        )
        made: list[MadeField] = []

        def write(**more: Any) -> None:
            made[:] = [
                self._write(
                    f"contact.{declared.name}",
                    lambda: create(**more),
                    lambda: self._contact_field_there(declared.name),
                    hasty=hasty,
                )
            ]

        taken: Sequence[str] = ()
        most_files = refused = None
        if declared.data_type in _CHOICES:
            taken = most_taken(declared.options, lambda options: write(options=list(options)))
        elif declared.data_type == "FILE_UPLOAD":
            most_files, refused = first_taken(
                declared.name, lambda number: write(isMultipleFile=True, maxNumberOfFiles=number)
            )
        else:
            write()
        (field,) = made
        if field.name != declared.name:
            msg = f"HighLevel named the field contact.{declared.name} otherwise; a removed field may still hold the key"
            raise SettingsError(msg)
        options = {option: option for option in taken}
        self._sent["contact", declared.name].update(options)
        # HighLevel may make it for fewer files than were asked for, and say so in its answer only
        most_files = min(filter(None, (most_files, field.most_files)), default=None)
        made_field = Field(field.id, declared.data_type, options, most_files=most_files)
        self._catalogue.contact_fields[declared.name] = made_field
        self._grow_contact_field(declared, made_field)
        if refused:
            widen(self._definitions, made_field, declared.label, refused)
        if most_files == 1:
            self._block(_ONE_FILE.format(declared.name))

    def _contact_field_there(self, name: str) -> MadeField | None:
        self._catalogue.read_contact_fields()
        known = self._catalogue.contact_fields.get(name)
        return MadeField(known.id, name, known.most_files) if known else None

    def _extend_contact_field(self, declared: FieldSpec) -> None:
        """Options are replaced as a whole, so send those that are there as well: as they are now, not as they were hours ago."""
        self._catalogue.read_contact_fields()
        known = self._catalogue.contact_fields[declared.name]
        sent = self._sent["contact", declared.name]
        known.options = {**known.options, **sent}
        more = self._grow_contact_field(declared, known)
        self._note_extended("contact", declared, more)

    def _grow_contact_field(self, declared: FieldSpec, known: Field) -> list[str]:
        """Give a field as many of the options that it lacks as HighLevel takes; return these."""
        more = most_added(
            [option for option in declared.options if option not in known.options],
            lambda options: self._definitions.update_contact_field(
                known.id, known.name or declared.label, [*known.options, *options]
            ),
        )
        self._take_for_its_own("contact", declared, {option: option for option in more}, known)
        return list(more)

    def _take_for_its_own(
        self, owner: str, declared: FieldSpec, options: dict[str, str], known: Field
    ) -> None:
        """Take options that a field has now for its own, however long a list shows it without them."""
        self._sent[owner, declared.name].update(options)
        known.options.update(options)

    def _note_extended(self, owner: str, declared: FieldSpec, options: list[str]) -> None:
        if options:
            self.extended.setdefault(f"{owner}.{declared.name}", []).extend(options)

    # Custom objects

    def _make_object(self, spec: StreamSpec) -> None:
        with self._making_objects:
            if spec.object not in self._catalogue.object_keys:
                self._create_object(spec)

    def _object(self, spec: StreamSpec) -> None:
        self._make_object(spec)
        if spec.object not in self._catalogue.object_fields:
            self._catalogue.read_object(spec.object)
        self._check_types(spec)
        known = self._catalogue.object_fields[spec.object]
        by_folder: defaultdict[str, list[FieldSpec]] = defaultdict(list)
        for declared in defined_fields(spec):
            by_folder[declared.folder].append(declared)
        # HighLevel shows folders, and the fields of each, as they were made
        for folder, fields in by_folder.items():
            if any(declared.name not in known for declared in fields):
                self._folder(spec.object, folder)
        self._together(
            by_folder.values(),
            partial(self._object_field, spec),
            partial(self._catalogue.read_object, spec.object),
        )
        self._make_searchable(spec)

    def _create_object(self, spec: StreamSpec) -> None:
        if not self._agency:
            msg = (
                f"custom object {spec.object} is missing: set TARGET_HIGHLEVEL_AGENCY_TOKEN, or create it by hand"
                f" (label {spec.singular!r}, key {spec.object.partition('.')[2]!r})"
            )
            self._block(msg)
        own = {key for key in self._catalogue.object_keys if key.startswith("custom_objects.")}
        if len(own) >= MOST_OBJECTS:
            msg = f"custom object {spec.object} cannot be created: the sub-account has {len(own)} of {MOST_OBJECTS} already"
            self._block(msg)
        primary = spec.fields[spec.primary]
        self._write(
            spec.object, lambda: self._request_object(spec, primary), lambda: self._object_there(spec.object)
        )
        self._catalogue.object_keys.add(spec.object)

    def _request_object(self, spec: StreamSpec, primary: FieldSpec) -> bool:
        self._definitions.create_object(
            spec.object,
            (spec.singular, spec.plural),
            spec.description,
            (f"{spec.object}.{spec.primary}", primary.label),
        )
        return True

    def _object_there(self, key: str) -> bool:
        self._catalogue.read_objects()
        return key in self._catalogue.object_keys

    def _block(self, problem: str) -> None:
        if self._blockers is None:
            raise SettingsError(problem)
        self._blockers.append(problem)

    def _object_field(self, spec: StreamSpec, declared: FieldSpec, *, hasty: bool) -> None:
        known = self._catalogue.object_fields[spec.object].get(declared.name)
        if known is None:
            self._create_object_field(spec, declared, hasty=hasty)
            return
        if any(option not in known.options for option in declared.options):
            self._extend_object_field(spec.object, declared)

    def _create_object_field(self, spec: StreamSpec, declared: FieldSpec, *, hasty: bool) -> None:
        folder = self._folder(spec.object, declared.folder)
        fields = self._catalogue.object_fields[spec.object]
        keys = _option_keys(declared.options)

        def write(options: dict[str, str] | None) -> None:
            fields[declared.name] = self._write(
                f"{spec.object}.{declared.name}",
                lambda: self._definitions.create_object_field(
                    spec.object, folder, declared.name, declared.label, declared.data_type, options
                ),
                lambda: self._object_field_there(spec.object, declared.name),
                hasty=hasty,
            )

        if declared.data_type in _CHOICES:
            taken = most_taken(
                declared.options, lambda options: write({option: keys[option] for option in options})
            )
            self._sent[spec.object, declared.name].update({option: keys[option] for option in taken})
            known = fields[declared.name]
            known.options.update(self._sent[spec.object, declared.name])
            self._grow_object_field(spec.object, declared, known)
        else:
            write(None)

    def _object_field_there(self, key: str, name: str) -> Field | None:
        self._catalogue.read_object(key)
        return self._catalogue.object_fields[key].get(name)

    def _folder(self, key: str, name: str) -> str:
        """Return the folder of that name, made if it is missing; without a name the first that the object has.

        A folder only says where fields are shown: where none can be made, they stand in one that is there.
        """
        found, label = self._known_folder(key, name), name or _FOLDER
        if found is None:
            try:
                found = self._write(
                    f"folder {label} of {key}",
                    lambda: self._definitions.create_folder(key, label),
                    lambda: self._folder_there(key, name),
                )
            except (CredentialsRefused, Refused, Unknown) as error:
                found = self._any_folder(key, error)
            self._catalogue.folders[key][label] = found
        return found

    def _any_folder(self, key: str, error: HighLevelError) -> str:
        found = self._known_folder(key, "")
        if found is None:
            raise error
        logger.warning("highlevel.folder_not_made object=%s code=%s", key, error.code)
        return found

    def _known_folder(self, key: str, name: str) -> str | None:
        folders = self._catalogue.folders.setdefault(key, {})
        return folders.get(name) if name else next(iter(folders.values()), None)

    def _folder_there(self, key: str, name: str) -> str | None:
        self._catalogue.read_object(key)
        return self._known_folder(key, name)

    def _extend_object_field(self, key: str, declared: FieldSpec) -> None:
        """As of contacts: what is there now is sent again, with the name that the clinic has given the field."""
        self._catalogue.read_object(key)
        known = self._catalogue.object_fields[key][declared.name]
        known.options = {**known.options, **self._sent[key, declared.name]}
        self._note_extended(key, declared, self._grow_object_field(key, declared, known))

    def _grow_object_field(self, key: str, declared: FieldSpec, known: Field) -> list[str]:
        """As of contacts; each option has a key of its own."""
        missing = [option for option in declared.options if option not in known.options]
        keys = _option_keys(missing, known.options.values())
        more = most_added(
            missing,
            lambda options: self._definitions.update_object_field(
                known.id,
                known.name or declared.label,
                {**known.options, **{option: keys[option] for option in options}},
                in_forms=known.in_forms,
            ),
        )
        self._take_for_its_own(key, declared, {option: keys[option] for option in more}, known)
        return list(more)

    def _make_searchable(self, spec: StreamSpec) -> None:
        """The list is replaced as a whole, so it is set only on objects this run has made, and once."""
        names = [f"{spec.object}.{name}" for name in spec.searchable]
        with self._making_objects:
            if names and spec.object in self.created and self._searchable.get(spec.object) != names:
                self._definitions.set_searchable(spec.object, names)
                self._searchable[spec.object] = names

    # Associations

    def _association(self, association: Association, label: tuple[str, str, str]) -> None:
        key, first_label, second_label = label
        self._catalogue.associations[key] = self._write(
            f"association {key}",
            lambda: self._definitions.create_association(
                key, (association.first, first_label), (association.second, second_label)
            ),
            lambda: self._association_there(key),
        )

    def _association_there(self, key: str) -> str | None:
        self._catalogue.read_associations()
        return self._catalogue.associations.get(key)


def defined_fields(spec: StreamSpec) -> tuple[FieldSpec, ...]:
    """Return the fields that the sub-account must have a definition of: what says whose a record is stands elsewhere."""
    if spec.kind == "contact":
        return spec.custom
    if spec.kind != "custom_object":
        return ()
    kinds = [kind_of(declared) for declared in spec.fields.values()]
    return tuple(kind.declared for kind in kinds if kind.written and not kind.of_record)


def _takes(there: str, wanted: str) -> bool:
    """Return whether a field takes the values of another type; of a type that nobody knows it is only tried."""
    return there == wanted or there not in _TYPES or wanted in _TAKES.get(there, ())


def _custom(spec: StreamSpec) -> list[FieldSpec]:
    """Return the custom fields of contacts that a stream can have by now.

    HighLevel wants at least one option of a pick list; the mapper declares the field again when it has learnt one.
    """
    return [declared for declared in spec.custom if declared.options or declared.data_type not in _CHOICES]


def _option_keys(labels: Iterable[str], taken: Iterable[str] = ()) -> dict[str, str]:
    """Return a key of its own for each label: two that differ in signs only, or in another script, must not become one."""
    used, keys = set(taken), {}
    for label in labels:
        plain = slug(label)
        numbered = (f"{plain or 'option'}_{number}" for number in itertools.count(2))
        free = (key for key in itertools.chain([plain], numbered) if key and key not in used)
        keys[label] = next(free)
        used.add(keys[label])
    return keys
