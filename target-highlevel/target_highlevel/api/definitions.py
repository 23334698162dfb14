"""Definitions: custom fields of contacts, custom objects with their fields and folders, associations."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from target_highlevel.api import endpoints
from target_highlevel.api.answers import (
    AnswerNotUnderstood,
    Item,
    inside,
    is_deleted,
    mapping,
    not_understood,
    rows,
    text,
)
from target_highlevel.api.paging import list_pages
from target_highlevel.api.resource import Resource
from target_highlevel.values import switched

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from target_highlevel.api.endpoints import Endpoint


@dataclass(frozen=True)
class MadeField:
    """A custom field of contacts that was made: HighLevel makes its name of the label."""

    id: str
    name: str
    #: How many files it takes, as far as the answer tells.
    most_files: int | None = None


@dataclass
class Field:
    """A field of a contact or of a custom object; ``options`` maps label to what a write must send, ``ids`` id to label.

    Its name, and whether forms show it, are the clinic's to change: they are kept for the requests that have to repeat them.
    """

    id: str
    data_type: str
    options: dict[str, str] = field(default_factory=dict)
    name: str | None = None
    in_forms: bool = False
    position: int = 0
    #: How many files it takes; None where nobody says, and of other types.
    most_files: int | None = None
    ids: dict[str, str] = field(default_factory=dict)
    #: Whether what HighLevel says of its options was understood.
    is_readable: bool = True

    @property
    def labels(self) -> dict[str, str]:
        """Return the label of each option by every text that may name it in a read."""
        made = {slug(label): label for label in self.options}
        keys = {key: label for label, key in self.options.items()}
        return {**made, **self.ids, **keys, **{label: label for label in self.options}}


@dataclass(frozen=True, slots=True)
class ObjectFields:
    """The fields of a custom object by name, and the ids of its folders by theirs."""

    fields: dict[str, Field]
    folders: dict[str, str]


def slug(label: str) -> str:
    """Return the key HighLevel makes of a label: lower case, anything else an underscore."""
    return re.sub(r"[^a-z0-9]+", "_", label.lower()).strip("_")


class Definitions(Resource):
    """What records can hold and how they can be linked. Whatever is replaced as a whole has to be sent as a whole."""

    # Contacts

    def contact_fields(self) -> dict[str, Field]:
        """Return the custom fields of contacts by name, which is their key without ``contact.``.

        One whose key has more to it than its label makes, because a removed field holds that, goes by what its label makes.
        """
        endpoint = endpoints.LIST_CONTACT_FIELDS
        answer = self._call(endpoint, self._location, params={"model": "contact"}, holding="customFields")
        listed = list(
            self._usable(
                rows(answer, endpoint, "customFields"), endpoint, lambda item: _named(item, endpoint)
            )
        )
        keyed = {key: item for key, item in listed if isinstance(item.get("fieldKey"), str)}
        found = {key: _contact_field(item, endpoint) for key, item in {**dict(listed), **keyed}.items()}
        names = {key: _name_of(key, item.name) for key, item in found.items()}
        return {key if names[key] in found else names[key]: item for key, item in found.items()}

    def create_contact_field(self, label: str, data_type: str, **more: Any) -> MadeField:
        """Create a custom field of contacts and return what became of it.

        Args:
            label: its name.
            data_type: e.g. ``TEXT``.
            more: its ``position``; ``options`` of a choice; ``isMultipleFile`` and ``maxNumberOfFiles`` of a file field.
        """
        endpoint = endpoints.CREATE_CONTACT_FIELD
        body = {"name": label, "dataType": data_type, "model": "contact", **more}
        made = inside(self._call(endpoint, self._location, json=body), endpoint, "customField")
        name = _name_of(text(made, endpoint, "fieldKey").partition(".")[2], label)
        return MadeField(text(made, endpoint, "id"), name, _most_files({"dataType": data_type, **made}))

    def update_contact_field(self, field_id: str, name: str, options: Sequence[str]) -> None:
        """Replace the options of a custom field of contacts; the name has to be repeated."""
        body = {"name": name, "options": options}
        self._call(endpoints.UPDATE_CONTACT_FIELD, self._location, field_id, json=body)

    def resize_file_field(self, field_id: str, name: str, most_files: int) -> int | None:
        """Let a contact's field take so many files, and return how many it takes now, where the answer says it."""
        endpoint = endpoints.UPDATE_CONTACT_FIELD
        body = {"name": name, "isMultipleFile": True, "maxNumberOfFiles": most_files}
        answer = self._call(endpoint, self._location, field_id, json=body)
        try:
            return _most_files({"dataType": "FILE_UPLOAD", **inside(answer, endpoint, "customField")})
        except AnswerNotUnderstood:
            return None

    # Custom objects

    def objects(self) -> set[str]:
        """Return the keys of all kinds of objects, those of the system among them; the list may lag behind writes."""
        endpoint = endpoints.LIST_OBJECTS
        answer = self._call(endpoint, params={"locationId": self._location}, holding="objects")
        listed = rows(answer, endpoint, "objects")
        return set(self._usable(listed, endpoint, lambda item: text(item, endpoint, "key")))

    def create_object(
        self, key: str, labels: tuple[str, str], description: str, primary: tuple[str, str]
    ) -> None:
        """Create a custom object; it takes an agency's token.

        Args:
            key: e.g. ``custom_objects.cliniko_profile``.
            labels: singular and plural.
            description: what it is for.
            primary: key and label of the property that names a record.
        """
        body = {
            "labels": {"singular": labels[0], "plural": labels[1]},
            "key": key,
            "description": description,
            "locationId": self._location,
            "primaryDisplayPropertyDetails": {
                "key": primary[0],
                "name": primary[1],
                "dataType": "TEXT",
            },
        }
        self._call(endpoints.CREATE_OBJECT, json=body, agency=True)

    def set_searchable(self, key: str, properties: Sequence[str]) -> None:
        """Replace the list of properties that a search in a custom object looks at."""
        body = {"locationId": self._location, "searchableProperties": properties}
        self._call(endpoints.UPDATE_OBJECT, key, json=body)

    def object_fields(self, key: str) -> ObjectFields:
        """Return the fields of a custom object."""
        endpoint = endpoints.LIST_OBJECT_FIELDS
        params = {"locationId": self._location}
        answer = mapping(self._call(endpoint, key, params=params, holding="fields"), endpoint, "fields")
        listed = list(
            self._usable(rows(answer, endpoint, "fields"), endpoint, lambda item: _named(item, endpoint))
        )
        keyed = {key: item for key, item in listed if isinstance(item.get("fieldKey"), str)}
        fields = {
            key.rpartition(".")[2]: _object_field(item, endpoint)
            for key, item in {**dict(listed), **keyed}.items()
        }
        folders: dict[str, str] = {}
        for item in rows({"folders": answer.get("folders") or []}, endpoint, "folders"):
            if (identity := item.get("id") or item.get("_id")) and not is_deleted(item):
                folders.setdefault(str(item.get("name")), str(identity))
        return ObjectFields(fields, folders)

    def create_object_field(
        self, key: str, folder: str, name: str, label: str, data_type: str, options: Mapping[str, str] | None
    ) -> Field:
        """Create a field of a custom object, hidden in forms, and return it.

        Args:
            key: the object's.
            folder: the id of the folder it goes into.
            name: the last part of the field's key.
            label: what people see.
            data_type: e.g. ``TEXT``.
            options: of a choice, label to key.
        """
        endpoint = endpoints.CREATE_OBJECT_FIELD
        body: dict[str, Any] = {
            "locationId": self._location,
            "objectKey": key,
            "parentId": folder,
            "fieldKey": f"{key}.{name}",
            "name": label,
            "dataType": data_type,
            "showInForms": False,
        }
        if options is not None:
            body["options"] = [{"key": option, "label": text_} for text_, option in options.items()]
        return _object_field(inside(self._call(endpoint, json=body), endpoint, "field"), endpoint)

    def update_object_field(
        self, field_id: str, name: str, options: Mapping[str, str], *, in_forms: bool
    ) -> None:
        """Replace the options (label to key) of a field of a custom object; all else has to be repeated."""
        body = {
            "locationId": self._location,
            "showInForms": in_forms,
            "name": name,
            "options": [{"key": key, "label": label} for label, key in options.items()],
        }
        self._call(endpoints.UPDATE_OBJECT_FIELD, field_id, json=body)

    def create_folder(self, key: str, name: str) -> str:
        """Create a folder for fields of a custom object and return its id."""
        endpoint = endpoints.CREATE_FOLDER
        body = {"objectKey": key, "name": name, "locationId": self._location}
        return text(inside(self._call(endpoint, json=body), endpoint, "folder"), endpoint, "id")

    # Associations

    def associations(self) -> dict[str, str]:
        """Return the id of every association by its key."""
        endpoint = endpoints.LIST_ASSOCIATIONS
        items = (item for page in self._association_pages() for item in page)
        return dict(
            self._usable(
                items, endpoint, lambda item: (text(item, endpoint, "key"), text(item, endpoint, "id"))
            )
        )

    def _association_pages(self) -> Iterator[list[Item]]:
        endpoint = endpoints.LIST_ASSOCIATIONS
        return list_pages(
            lambda page: self._call(
                endpoint, params={"locationId": self._location, **page}, holding="associations"
            ),
            endpoint,
            "associations",
        )

    def create_association(self, key: str, first: tuple[str, str], second: tuple[str, str]) -> str:
        """Create an association between two kinds of objects and return its id.

        Args:
            key: its key.
            first: key of the first kind of object, and the label under which the second shows it.
            second: the same of the second.
        """
        endpoint = endpoints.CREATE_ASSOCIATION
        body = {
            "locationId": self._location,
            "key": key,
            "firstObjectKey": first[0],
            "firstObjectLabel": first[1],
            "secondObjectKey": second[0],
            "secondObjectLabel": second[1],
        }
        return text(inside(self._call(endpoint, json=body), endpoint, "association"), endpoint, "id")


def _named(item: Item, endpoint: Endpoint) -> tuple[str, Item]:
    """Return a field behind its name; one without a key goes by what its label makes, as HighLevel makes keys of labels.

    Raises:
        AnswerNotUnderstood: it has no id, or neither key nor label.
    """
    text(item, endpoint, "id")
    key = item.get("fieldKey")
    name = key.partition(".")[2] if isinstance(key, str) else slug(_label(item) or "")
    if not name:
        raise not_understood(endpoint, "fieldKey")
    return name, item


def _contact_field(item: Item, endpoint: Endpoint) -> Field:
    """Return a custom field of contacts as the API describes it; its options are written by their labels."""
    position = item.get("position")
    found = _field(item, endpoint)
    found.options = {label: label for label in found.options}
    found.position = position if isinstance(position, int) else 0
    found.most_files = _most_files(item)
    return found


def _field(item: Mapping[str, Any], endpoint: Endpoint) -> Field:
    """Return a field with its options by their keys; of one whose options nobody understands that is said."""
    identity, data_type = text(item, endpoint, "id"), _data_type(item)
    try:
        options, ids = dict(_options_of(item, endpoint)), _ids(item, endpoint)
    except AnswerNotUnderstood:
        return Field(identity, data_type, name=_label(item), is_readable=False)
    return Field(identity, data_type, options, name=_label(item), ids=ids)


def _data_type(item: Mapping[str, Any]) -> str:
    """Return the type of a field; one that says none takes what it takes."""
    return str(item.get("dataType") or "")


def _name_of(key: str, label: str | None) -> str:
    """Return what the label of a field makes if the key begins with it, else the key: the clinic has changed the label."""
    made = slug(label or "")
    return made if made and key.startswith(f"{made}_") else key


def _object_field(item: Mapping[str, Any], endpoint: Endpoint) -> Field:
    """Return a field of a custom object as the API describes it; its options are written by key."""
    found = _field(item, endpoint)
    found.in_forms = switched(item.get("showInForms"))
    return found


def _label(item: Mapping[str, Any]) -> str | None:
    """Return the name of a field, which may be a number to whoever wrote it."""
    found = item.get("name")
    return None if found is None else str(found)


def _most_files(item: Mapping[str, Any]) -> int | None:
    """Return how many files a field takes: one, unless it says that it takes several."""
    if item.get("dataType") != "FILE_UPLOAD":
        return None
    several = item.get("isMultiFileAllowed", item.get("isMultipleFile"))
    if several is not None and not switched(several):
        return 1
    most = item.get("maxFileLimit")
    return most if isinstance(most, int) and most > 0 else None


def _options_of(item: Mapping[str, Any], endpoint: Endpoint) -> list[tuple[str, str]]:
    """Return label and key of each option of a field."""
    return [_option(option) for option in _options(item, endpoint)]


def _ids(item: Mapping[str, Any], endpoint: Endpoint) -> dict[str, str]:
    """Return the labels of the options that have ids of their own."""
    found = (option for option in _options(item, endpoint) if isinstance(option, dict) and option.get("id"))
    return {str(option["id"]): _option(option)[0] for option in found}


def _options(item: Mapping[str, Any], endpoint: Endpoint) -> list[Any]:
    """Return the options of a field as they come: as texts or as objects, under one of two names."""
    found = item.get("picklistOptions") or item.get("options") or []
    listed = [one for one in found if one is not None] if isinstance(found, list) else [None]
    if not all(isinstance(one, str | int | float | dict) for one in listed):
        raise not_understood(endpoint, "options")
    return [one if isinstance(one, dict) else str(one) for one in listed]


def _option(option: Any) -> tuple[str, str]:
    """Return label and key of an option; one that comes as its label only has the key that is made of it."""
    if isinstance(option, str):
        return option, slug(option)
    label = str(option.get("label") or option.get("name") or option.get("key"))
    return label, str(option.get("key") or slug(label))
