"""A contact's fields in our shape and in HighLevel's."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from target_highlevel.values import amount_text, day, listed_options

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable, Mapping

    from target_highlevel.descriptor import FieldSpec, StreamSpec
    from target_highlevel.setup.catalogue import Catalogue

#: Fields that the API clears by an empty text, not by null (highlevel-api.md section 6 lists the nullable ones).
_NOT_NULL = {"address1", "city", "state", "postalCode", "country", "source", "website"}
#: What a read may call the value of a custom field.
_VALUES = ("value", "fieldValue", "field_value")
_NUMBERS = {"NUMERICAL", "MONETORY"}
#: What a channel says when do-not-disturb is on for it.
DND_ON = frozenset({"active", "permanent"})
_LISTS = {"MULTIPLE_OPTIONS", "CHECKBOX"}


def prepare(
    spec: StreamSpec, fields: Mapping[str, Any], user: Callable[[str | None], str | None]
) -> dict[str, Any]:
    """Return the wanted fields as ``decode`` would return them."""
    wanted: dict[str, Any] = {}
    for name, declared in spec.fields.items():
        if declared.data_type == "FILE_UPLOAD":
            continue  # filled by the files themselves
        if declared.kind == "routing":
            continue  # says where a record belongs, and is not written
        value = fields.get(name)
        if declared.kind == "owner":
            wanted[name] = user(value)
        elif declared.kind == "tags":
            wanted[name] = sorted({str(tag).lower() for tag in value or ()})
        elif declared.kind == "custom" and declared.data_type in _LISTS:
            wanted[name] = sorted(value or ())
        elif name in fields:
            wanted[name] = value
    return wanted


def encode(
    spec: StreamSpec,
    fields: Mapping[str, Any],
    catalogue: Catalogue,
    *,
    current: Mapping[str, Any] | None = None,
    ours: Iterable[str] = (),
) -> dict[str, Any]:
    """Return the body of a create (``current`` is None) or of an update."""
    body: dict[str, Any] = {}
    custom: list[dict[str, Any]] = []
    channels: dict[str, Any] = {}
    for name, value in fields.items():
        declared = spec.fields.get(name)
        if declared is None:
            continue
        if declared.kind == "standard" and (current is None or not declared.create_only):
            body[declared.api_name] = "" if value is None and declared.api_name in _NOT_NULL else value
        elif declared.kind == "owner":
            body["assignedTo"] = value
        elif declared.kind == "tags":
            body["tags"] = _tags(value, current, ours)
        elif declared.kind == "dnd":
            channels.update(_channel(declared, value, creating=current is None))
        elif declared.kind == "custom":
            custom.append({"id": catalogue.contact_field(name).id, "field_value": _custom(declared, value)})
    if custom:
        body["customFields"] = custom
    if channels:
        body["dndSettings"] = {**((current or {}).get("_dnd") or {}), **channels}
    return body


def _tags(wanted: Iterable[str] | None, current: Mapping[str, Any] | None, ours: Iterable[str]) -> list[str]:
    """Tags are replaced as a whole by the API: keep those of others, drop only ours that are no longer wanted."""
    there = set((current or {}).get("tags") or ())
    return sorted((there - set(ours)) | set(wanted or ()))


def _channel(declared: FieldSpec, value: Any, *, creating: bool) -> dict[str, Any]:
    """Do not disturb is switched on for an explicit no, and off again only where we had switched it on."""
    if value is True:
        return {declared.channel: {"status": "active"}}
    return {} if creating else {declared.channel: {"status": "inactive"}}


def _custom(declared: FieldSpec, value: Any) -> Any:
    if value is None:
        return [] if declared.data_type in _LISTS else ""
    if declared.data_type in _NUMBERS:
        return Decimal(value)
    return value


def custom_values(contact: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of a contact's custom fields by the field's id.

    A read names a value otherwise than a write does, and v3 of the API otherwise again (highlevel-api.md sections 6 and 18).
    """
    return {
        item["id"]: item[name]
        for item in contact.get("customFields") or ()
        if (name := next((name for name in _VALUES if name in item), None))
    }


def decode(spec: StreamSpec, contact: Mapping[str, Any], catalogue: Catalogue) -> dict[str, Any]:
    """Return a contact of the API in our shape; ``_dnd`` keeps the settings of every channel."""
    custom = custom_values(contact)
    dnd = contact.get("dndSettings") or {}
    fields: dict[str, Any] = {"_dnd": dnd}
    for name, declared in spec.fields.items():
        if declared.kind == "standard":
            fields[name] = _standard(declared.api_name, contact.get(declared.api_name))
        elif declared.kind == "owner":
            fields[name] = contact.get("assignedTo")
        elif declared.kind == "tags":
            fields[name] = sorted(contact.get("tags") or ())
        elif declared.kind == "dnd":
            fields[name] = (dnd.get(declared.channel) or {}).get("status") in DND_ON
        elif declared.data_type == "FILE_UPLOAD":
            continue  # its value are the files themselves, each a record of its own
        elif declared.kind == "custom" and name in catalogue.contact_fields:
            field = catalogue.contact_fields[name]
            fields[name] = _read(declared, custom.get(field.id), field.options)
    return fields


def _standard(name: str, value: Any) -> Any:
    return day(value) if name == "dateOfBirth" and value else value or None


def _read(declared: FieldSpec, value: Any, options: Container[str]) -> Any:
    if value in (None, "", []):
        return [] if declared.data_type in _LISTS else None
    if declared.data_type in _LISTS:
        return sorted(listed_options(value, options))
    if declared.data_type in _NUMBERS:
        return amount_text(value)
    return day(value) if declared.data_type == "DATE" else value
