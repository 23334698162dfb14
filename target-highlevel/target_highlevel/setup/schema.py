"""Makes the sub-account's schema fit the streams: verifies what is there and creates what is missing, never deletes."""

from __future__ import annotations

import itertools
import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from target_highlevel.errors import Refused, SettingsError, Unknown
from target_highlevel.setup.catalogue import Catalogue, Field, object_field, slug

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from target_highlevel.client.client import Requests
    from target_highlevel.descriptor import Association, FieldSpec, StreamSpec

logger = logging.getLogger(__name__)

#: HighLevel's limit per sub-account on every plan (highlevel-api.md section 10).
MOST_OBJECTS = 10
_CHOICES = {"SINGLE_OPTIONS", "MULTIPLE_OPTIONS", "CHECKBOX", "RADIO"}
_MOST_FILES = 1000
#: Fields made at the same time: one after the other they would cost a minute or two of a fresh sub-account's first load.
_AT_ONCE = 10


class _Unclear(Exception):  # noqa: N818 - no error yet: it is looked into
    """A definition may have been made or not."""


class _Maker(Protocol):
    def __call__(self, declared: FieldSpec, /, *, hasty: bool) -> None: ...


class SchemaSetup:
    """Creates fields, options, objects and associations that a stream describes."""

    def __init__(
        self, client: Requests, catalogue: Catalogue, *, agency: bool, blockers: list[str] | None = None
    ) -> None:
        """Work on one sub-account; ``agency`` says whether custom objects can be created.

        With ``blockers``, what would stop a load is put there instead of being raised.
        """
        self._blockers = blockers
        self._client = client
        self._catalogue = catalogue
        self._agency = agency
        self._done: dict[str, StreamSpec] = {}
        self._associations: dict[str, Association] = {}
        self._growing = threading.Lock()
        self.created: list[str] = []
        #: Options added to fields that were there, by the field's name.
        self.extended: dict[str, list[str]] = {}

    def obstacles(self, specs: Iterable[StreamSpec]) -> list[str]:
        """Return why objects of these streams cannot be created; asked before anything is written."""
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
                f"{len(missing)} custom objects are missing and cannot be created: the sub-account has"
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
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            list(pool.map(self.ensure, lacking))
            list(pool.map(self._associate, filter(self._linkable, associations)))

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

    def _together(self, fields: Iterable[FieldSpec], make: _Maker, read: Callable[[], None]) -> None:
        """Make fields, several at once; those that ended unclear are looked at when all others are done."""

        def attempt(declared: FieldSpec) -> FieldSpec | None:
            try:
                make(declared, hasty=True)
            except _Unclear:
                return declared
            return None

        with ThreadPoolExecutor(_AT_ONCE) as pool:
            unclear = [declared for declared in pool.map(attempt, fields) if declared]
        if unclear:
            read()
        for declared in unclear:
            make(declared, hasty=False)

    def _write(
        self, what: str, request: Callable[[], Any], again: Callable[[], Any], *, hasty: bool = False
    ) -> Any:
        """Create one definition; after an unclear answer look whether it is there before anything is sent again.

        In haste nobody looks: reading the list while others are being made could lose one of them.
        """
        try:
            answer = request()
        except Unknown:
            if hasty:
                raise _Unclear from None
            answer = again() or request()
        except Refused as refused:
            if hasty and refused.maybe_created:
                raise _Unclear from None
            answer = again() if refused.maybe_created else None
            if not answer:
                raise
        self.created.append(what)
        done = "created" if self._blockers is None else "planned"
        logger.info("highlevel.schema_%s what=%s", done, what)
        return answer

    # Contacts

    def _contact_fields(self, spec: StreamSpec) -> None:
        self._together(_custom(spec), self._contact_field, self._read_contact_fields)

    def _contact_field(self, declared: FieldSpec, *, hasty: bool) -> None:
        known = self._catalogue.contact_fields.get(declared.name)
        if known is None:
            self._create_contact_field(declared, hasty=hasty)
            return
        if known.data_type != declared.data_type:
            msg = (
                f"contact.{declared.name} exists in HighLevel with type {known.data_type}, not {declared.data_type};"
                " rename or remove that field"
            )
            raise SettingsError(msg)
        missing = [option for option in declared.options if option not in known.options]
        if missing:
            self._extend_contact_field(declared, known, missing)

    def _create_contact_field(self, declared: FieldSpec, *, hasty: bool) -> None:
        if slug(declared.label) != declared.name:
            msg = (
                f"contact field {declared.name}: its label makes the key {slug(declared.label)} in HighLevel"
            )
            raise SettingsError(msg)
        body: dict[str, Any] = {"name": declared.label, "dataType": declared.data_type, "model": "contact"}
        if declared.data_type in _CHOICES:
            body["options"] = list(declared.options)
        if declared.data_type == "FILE_UPLOAD":
            body |= {"isMultipleFile": True, "maxNumberOfFiles": _MOST_FILES}
        path = f"/locations/{self._catalogue.location}/customFields"
        answer = self._write(
            f"contact.{declared.name}",
            lambda: self._client.request("POST", path, route="/locations/{id}/customFields", json=body),
            lambda: self._contact_field_there(declared.name),
            hasty=hasty,
        )
        made = answer["customField"]
        if made["fieldKey"] != f"contact.{declared.name}":
            msg = f"HighLevel named the field contact.{declared.name} otherwise; a removed field may still hold the key"
            raise SettingsError(msg)
        options = {option: option for option in declared.options}
        self._catalogue.contact_fields[declared.name] = Field(made["id"], declared.data_type, options)

    def _read_contact_fields(self) -> None:
        """Read anew what is there; a list may lag, so what was just made is kept."""
        made = dict(self._catalogue.contact_fields)
        self._catalogue.read_contact_fields()
        self._catalogue.contact_fields = {**made, **self._catalogue.contact_fields}

    def _contact_field_there(self, name: str) -> dict[str, Any] | None:
        self._read_contact_fields()
        known = self._catalogue.contact_fields.get(name)
        return {"customField": {"id": known.id, "fieldKey": f"contact.{name}"}} if known else None

    def _extend_contact_field(self, declared: FieldSpec, known: Field, missing: list[str]) -> None:
        """Options are replaced as a whole, so send those that are there as well: as they are now, not as they were hours ago."""
        self._read_contact_fields()
        known = self._catalogue.contact_fields.get(declared.name, known)
        missing = [option for option in missing if option not in known.options]
        options = [*known.options, *missing]
        path = f"/locations/{self._catalogue.location}/customFields/{known.id}"
        body = {"name": known.name or declared.label, "options": options}
        self._client.request("PUT", path, route="/locations/{id}/customFields/{id}", json=body)
        self.extended.setdefault(f"contact.{declared.name}", []).extend(missing)
        known.options.update({option: option for option in missing})

    # Custom objects

    def _object(self, spec: StreamSpec) -> None:
        if spec.object not in self._catalogue.object_keys:
            self._create_object(spec)
        if spec.object not in self._catalogue.object_fields:
            self._catalogue.read_object(spec.object)
        if any(name not in self._catalogue.object_fields[spec.object] for name in spec.fields):
            self._folder(spec)
        self._together(
            spec.fields.values(),
            partial(self._object_field, spec),
            partial(self._read_object, spec.object),
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
        body = {
            "labels": {"singular": spec.singular, "plural": spec.plural},
            "key": spec.object,
            "description": spec.description,
            "locationId": self._catalogue.location,
            "primaryDisplayPropertyDetails": {
                "key": f"{spec.object}.{spec.primary}",
                "name": primary.label,
                "dataType": "TEXT",
            },
        }
        self._write(
            spec.object,
            lambda: self._client.request("POST", "/objects/", route="/objects/", json=body, agency=True),
            lambda: self._object_there(spec.object),
        )
        self._catalogue.object_keys.add(spec.object)

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
        missing = [option for option in declared.options if option not in known.options]
        if missing:
            self._extend_object_field(spec.object, declared, missing)
            self.extended.setdefault(f"{spec.object}.{declared.name}", []).extend(missing)

    def _create_object_field(self, spec: StreamSpec, declared: FieldSpec, *, hasty: bool) -> None:
        body: dict[str, Any] = {
            "locationId": self._catalogue.location,
            "objectKey": spec.object,
            "parentId": self._folder(spec),
            "fieldKey": f"{spec.object}.{declared.name}",
            "name": declared.label,
            "dataType": declared.data_type,
            "showInForms": False,
        }
        if declared.data_type in _CHOICES:
            keys = _option_keys(declared.options)
            body["options"] = [{"key": key, "label": label} for label, key in keys.items()]
        answer = self._write(
            f"{spec.object}.{declared.name}",
            lambda: self._client.request("POST", "/custom-fields/", route="/custom-fields/", json=body),
            lambda: self._object_field_there(spec.object, declared.name),
            hasty=hasty,
        )
        self._catalogue.object_fields[spec.object][declared.name] = object_field(answer["field"])

    def _read_object(self, key: str) -> None:
        made = dict(self._catalogue.object_fields.get(key, {}))
        self._catalogue.read_object(key)
        self._catalogue.object_fields[key] = {**made, **self._catalogue.object_fields[key]}

    def _object_field_there(self, key: str, name: str) -> dict[str, Any] | None:
        self._read_object(key)
        known = self._catalogue.object_fields[key].get(name)
        if known is None:
            return None
        options = [{"label": label, "key": option} for label, option in known.options.items()]
        return {"field": {"id": known.id, "dataType": known.data_type, "options": options}}

    def _folder(self, spec: StreamSpec) -> str:
        if spec.object not in self._catalogue.folders:
            body = {"objectKey": spec.object, "name": "Cliniko", "locationId": self._catalogue.location}
            answer = self._write(
                f"folder of {spec.object}",
                lambda: self._client.request(
                    "POST", "/custom-fields/folder", route="/custom-fields/folder", json=body
                ),
                lambda: self._folder_there(spec.object),
            )
            self._catalogue.folders[spec.object] = answer["id"]
        return self._catalogue.folders[spec.object]

    def _folder_there(self, key: str) -> dict[str, Any] | None:
        self._catalogue.read_object(key)
        return {"id": self._catalogue.folders[key]} if key in self._catalogue.folders else None

    def _extend_object_field(self, key: str, declared: FieldSpec, missing: list[str]) -> None:
        """As of contacts: what is there now is sent again, with the name that the clinic has given the field."""
        self._read_object(key)
        known = self._catalogue.object_fields[key][declared.name]
        missing = [option for option in missing if option not in known.options]
        known.options.update(_option_keys(missing, known.options.values()))
        body = {
            "locationId": self._catalogue.location,
            "showInForms": known.in_forms,
            "name": known.name or declared.label,
            "options": [{"key": key, "label": label} for label, key in known.options.items()],
        }
        self._client.request("PUT", f"/custom-fields/{known.id}", route="/custom-fields/{id}", json=body)

    def _make_searchable(self, spec: StreamSpec) -> None:
        """The list is replaced as a whole, so it is set only on objects this run has made."""
        if spec.searchable and spec.object in self.created:
            body = {
                "locationId": self._catalogue.location,
                "searchableProperties": [f"{spec.object}.{name}" for name in spec.searchable],
            }
            self._client.request("PUT", f"/objects/{spec.object}", route="/objects/{key}", json=body)

    # Associations

    def _association(self, association: Association, label: tuple[str, str, str]) -> None:
        key, first_label, second_label = label
        body = {
            "locationId": self._catalogue.location,
            "key": key,
            "firstObjectKey": association.first,
            "firstObjectLabel": first_label,
            "secondObjectKey": association.second,
            "secondObjectLabel": second_label,
        }
        answer = self._write(
            f"association {key}",
            lambda: self._client.request("POST", "/associations/", route="/associations/", json=body),
            lambda: self._association_there(key),
        )
        self._catalogue.associations[key] = answer["id"]

    def _association_there(self, key: str) -> dict[str, Any] | None:
        self._catalogue.read_associations()
        return {"id": self._catalogue.associations[key]} if key in self._catalogue.associations else None


def _custom(spec: StreamSpec) -> list[FieldSpec]:
    """Return the custom fields of contacts that a stream can have by now.

    HighLevel wants at least one option of a pick list; the mapper declares the field again when it has learnt one.
    """
    custom = [declared for declared in spec.fields.values() if declared.kind == "custom"]
    return [declared for declared in custom if declared.options or declared.data_type not in _CHOICES]


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
