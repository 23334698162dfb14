"""The values of a record's properties: one format per data type, options by their key."""

from __future__ import annotations

import re
from datetime import date
from typing import TYPE_CHECKING, Any

from sandbox.highlevel.answers import Refusal, limit_texts, refuse_body

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox.highlevel.options import Options
    from sandbox.highlevel.search_index import Document

SINGLE_CHOICE = frozenset({"SINGLE_OPTIONS", "RADIO"})
SEVERAL_CHOICES = frozenset({"MULTIPLE_OPTIONS", "CHECKBOX"})
PHONE = re.compile(r"\+[1-9]\d{6,14}")
LISTS = SEVERAL_CHOICES | {"FILE_UPLOAD"}
CHANGE_KEYS = frozenset({"add", "remove"})


def merged_properties(
    fields: dict[str, Document], before: dict[str, Any], given: dict[str, Any], options: Options, *, new: bool
) -> dict[str, Any]:
    """Return the properties of a record after a write; null clears, unknown names are refused."""
    if unknown := [name for name in given if name not in fields]:
        messages = [f"property {name} should not exist" for name in unknown]
        raise Refusal(options.unknown_property_status, messages)
    after = dict(before)
    for name in given:
        limits = {name: options.length_of(fields[name]["dataType"])}
        limit_texts(given, limits, beyond=options.longer_texts, called=fields[name]["fieldKey"])
    for name, value in given.items():
        kept = _kept(fields[name], before.get(name), value, new=new)
        if kept in (None, "", []):
            after.pop(name, None)
        else:
            after[name] = kept
    return after


def _kept(field: Document, before: Any, value: Any, *, new: bool) -> Any:
    if value is None:
        return None
    kind = field["dataType"]
    if kind in LISTS and not new:
        return _changed_list(field, before or [], value)
    return _checked(field, value)


def _changed_list(field: Document, before: list[Any], value: Any) -> list[Any]:
    """Apply `{"add": […], "remove": […]}`, the only form that an update of a list takes."""
    name = field["fieldKey"]
    if not isinstance(value, dict) or not value or set(value) - CHANGE_KEYS:
        refuse_body(f"{name} must be an object with add and remove on update")
    add = _checked(field, value.get("add", []))
    remove = _checked(field, value.get("remove", []))
    kept = [entry for entry in before if entry not in remove]
    return kept + [entry for entry in add if entry not in kept]


def _checked(field: Document, value: Any) -> Any:
    kind, name = field["dataType"], field["fieldKey"]
    if kind in SINGLE_CHOICE | SEVERAL_CHOICES:
        return _checked_choice(field, value)
    accepts = _FORMATS[kind]
    if not accepts(value):
        refuse_body(f"{name} of type {kind} does not take this value")
    return value


def _checked_choice(field: Document, value: Any) -> Any:
    keys = {option["key"] for option in field.get("options", ())}
    several = field["dataType"] in SEVERAL_CHOICES
    if several and not (isinstance(value, list) and all(isinstance(one, str) for one in value)):
        refuse_body(f"{field['fieldKey']} must be an array of option keys")
    if any(one not in keys for one in (value if several else [value])):
        refuse_body(f"{field['fieldKey']} has no such option key")
    return value


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _is_money(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and set(value) == {"currency", "value"}
        and value["currency"] == "default"
        and _is_number(value["value"])
    )


def _is_date(value: Any) -> bool:
    if not isinstance(value, str) or not re.fullmatch(r"\d{4}-\d{2}-\d{2}", value):
        return False
    try:
        date.fromisoformat(value)
    except ValueError:
        return False
    return True


def _is_phone(value: Any) -> bool:
    return isinstance(value, str) and bool(PHONE.fullmatch(value))


def _are_files(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(one, dict) and set(one) == {"url"} for one in value)


_FORMATS: dict[str, Callable[[Any], bool]] = {
    "TEXT": _is_text,
    "LARGE_TEXT": _is_text,
    "EMAIL": _is_text,
    "NUMERICAL": _is_number,
    "MONETORY": _is_money,
    "DATE": _is_date,
    "PHONE": _is_phone,
    "FILE_UPLOAD": _are_files,
    "TEXTBOX_LIST": lambda _value: False,
}
