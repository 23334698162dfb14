"""Streams of any tap that the target's own settings describe, so that they can be loaded without a mapper.

A description names what a stream fills (contacts, or a custom object) and which property goes into which field.
The record's identity is the stream and the value of its key, ``people/17``.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from target_highlevel.descriptor import is_steering
from target_highlevel.errors import SettingsError
from target_highlevel.values import decimal_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

#: Fields of a contact by HighLevel's names.
STANDARD = frozenset(
    {
        "firstName", "lastName", "email", "phone", "dateOfBirth", "address1", "city", "state", "postalCode", "country",
        "gender", "companyName", "website", "source", "timezone",
    }
)  # fmt: skip
_CREATE_ONLY = frozenset({"gender", "companyName"})
_DATES = frozenset({"dateOfBirth"})
#: HighLevel makes a field's key of its label: of these characters it is known how.
_LABEL = re.compile(r"[A-Za-z][A-Za-z0-9 ]*")
_CUSTOM_OBJECT = re.compile(r"custom_objects\.[a-z][a-z0-9_]*")
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_TEXT = {"type": ["string", "null"]}
_IDENTITY = "source_system_id"
#: What every contact has beside the fields that are described.
_OF_CONTACTS = {
    "tags": {"type": ["array", "null"], "x-highlevel": {"field": "tags"}},
    "owner": {"type": ["object", "null"], "x-highlevel": {"field": "owner"}},
}


class CustomField(BaseModel):
    """A custom field that a property fills; it is made if it is missing."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    label: str = Field(min_length=1)
    type: Literal["TEXT", "LARGE_TEXT", "NUMERICAL", "MONETORY", "DATE"] = "TEXT"


class DescribedStream(BaseModel):
    """What one stream of a tap becomes in HighLevel."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    object: str
    """``contact``, or the key of a custom object, ``custom_objects.pet``."""
    id: str | None = None
    """The property with the identity; by default the stream's own key."""
    fields: dict[str, str | CustomField] = Field(min_length=1)
    """Property of the record -> standard field of a contact, or the label of a custom field."""
    tags: tuple[str, ...] = ()
    """Tags of every contact of this stream."""
    label: str = ""
    """Name of one record of a custom object."""
    plural: str = ""
    """Name of several."""

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if self.object != "contact" and not _CUSTOM_OBJECT.fullmatch(self.object):
            message = "object must be contact, or the key of a custom object such as custom_objects.pet"
            raise ValueError(message)
        labels = [each["label"] for each in self._places.values() if "label" in each]
        odd = [label for label in labels if not _LABEL.fullmatch(label)]
        if odd:
            message = f"a label must hold letters, digits and blanks only: {', '.join(odd)}"
            raise ValueError(message)
        keys = {name: _key(each) for name, each in self._places.items()}
        taken = [f"fields.{name} ({key})" for name, key in keys.items() if self._is_taken(key)]
        if taken:
            message = (
                "the key that HighLevel makes of a label steers the load, or is a field that the target fills itself; choose"
                f" another label for {', '.join(taken)}"
            )
            raise ValueError(message)
        names = list(keys.values())
        twice = {name for name in names if names.count(name) > 1}
        if twice:
            message = f"two properties go into one field: {', '.join(sorted(twice))}"
            raise ValueError(message)
        if self.object != "contact" and self.tags:
            message = "tags are for contacts only"
            raise ValueError(message)
        return self

    def _is_taken(self, key: str) -> bool:
        """Return whether a property of that name means something else in what the stream becomes."""
        return is_steering(key) or key == _IDENTITY or (self.object == "contact" and key in _OF_CONTACTS)

    @property
    def _places(self) -> dict[str, dict[str, Any]]:
        """The field that each property goes into, as a stream describes one."""
        return {name: _described(choice, self.object) for name, choice in self.fields.items()}

    def schema_message(self, message: Mapping[str, Any]) -> dict[str, Any]:
        """Return the SCHEMA of the stream as one that describes itself.

        Raises:
            SettingsError: the key is not known, or the stream has not the properties that are named.
        """
        stream = str(message["stream"])
        self._check_key(message)
        properties = message["schema"].get("properties") or {}
        missing = [name for name in (*self.fields, *([self.id] if self.id else [])) if name not in properties]
        if missing:
            msg = f"streams: the tap's stream {stream} has no {', '.join(missing)}; its SCHEMA names what it has"
            raise SettingsError(msg)
        identity = {"field": "custom", "dataType": "TEXT", "label": "Source System ID"}
        return {
            "type": "SCHEMA",
            "stream": stream,
            "key_properties": ["source_id"],
            "schema": {
                "type": "object",
                "properties": {
                    "source_id": {"type": "string"},
                    "rejected": {"type": ["object", "null"]},
                    _IDENTITY: {**_TEXT, "x-highlevel": identity},
                    **{_key(each): {**_TEXT, "x-highlevel": each} for each in self._places.values()},
                    **(_OF_CONTACTS if self.object == "contact" else {}),
                },
                "x-highlevel": self._object(stream),
            },
        }

    def record_message(self, message: Mapping[str, Any], keys: Iterable[str]) -> dict[str, Any]:
        """Return a RECORD of the stream as the target takes it; one without its key is rejected, not refused.

        Args:
            message: the RECORD as it came
            keys: the stream's own key
        """
        stream, given = str(message["stream"]), message["record"]
        key = self.id or next(iter(keys), "")
        identity = _identity(given.get(key))
        record: dict[str, Any] = {"source_id": f"{stream}/{identity or '?'}"}
        if identity is None:
            record["rejected"] = {"reason": "invalid_record", "field": key}
        else:
            record[_IDENTITY] = record["source_id"]
            record |= {_key(each): _value(each, given.get(name)) for name, each in self._places.items()}
            if self.object == "contact":
                record["tags"] = list(self.tags)
            record["_sdc_deleted_at"] = given.get("_sdc_deleted_at")
        return {"type": "RECORD", "stream": stream, "record": record}

    def _check_key(self, message: Mapping[str, Any]) -> None:
        keys = message.get("key_properties") or ()
        if self.id is None and len(keys) != 1:
            msg = f"streams: name the property that identifies a record of {message['stream']} as its id"
            raise SettingsError(msg)

    def _object(self, stream: str) -> dict[str, Any]:
        if self.object == "contact":
            return {"object": "contact", "description": f"Stream {stream}."}
        label = self.label or self.object.partition(".")[2].replace("_", " ").capitalize()
        primary = _key(next(iter(self._places.values())))
        return {
            "object": "custom_object",
            "key": self.object,
            "description": f"Stream {stream}.",
            "labels": {"singular": label, "plural": self.plural or f"{label}s"},
            "primary": primary,
            "searchable": [primary, _IDENTITY],
        }


def _described(choice: str | CustomField, target: str) -> dict[str, Any]:
    if isinstance(choice, CustomField):
        return {"field": "custom", "dataType": choice.type, "label": choice.label}
    if target == "contact" and choice in STANDARD:
        return {"field": "standard", "name": choice, "create_only": choice in _CREATE_ONLY}
    return {"field": "custom", "dataType": "TEXT", "label": choice}


def _key(place: Mapping[str, Any]) -> str:
    """Return the key of a field: of a custom one HighLevel makes it of the label."""
    return str(place.get("name") or re.sub(r" +", "_", str(place["label"]).strip().lower()))


def _value(place: Mapping[str, Any], value: Any) -> str | None:
    text = _text(value)
    is_date = place.get("dataType") == "DATE" or place.get("name") in _DATES
    return text[:10] if text and is_date and _DAY.match(text) else text


def _identity(value: Any) -> str | None:
    """Return a key as text: 17, 17.0 and 1.7E+1 are one number."""
    is_whole = isinstance(value, Decimal) and value.is_finite() and value == value.to_integral_value()
    return decimal_text(value) if is_whole else _text(value)


def _text(value: Any) -> str | None:
    """Return a value of a record as text; nothing for what is empty."""
    if isinstance(value, bool):
        return "Yes" if value else "No"
    if isinstance(value, list | dict):
        return None
    return str(value).strip() or None if value is not None else None
