"""The values of a contact's custom fields: written by the option's text, kept by the field's id."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from sandbox.highlevel.answers import limit_texts, refuse_body, refuse_request
from sandbox.highlevel.shapes import ISO_TIME, Shape, anything, text

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox.highlevel.account import Account
    from sandbox.highlevel.search_index import Document

CUSTOM_FIELD_ITEM = Shape(
    {"id": text(filled=True), "key": text(), "field_value": anything()}, required=("id", "field_value")
)
SINGLE_CHOICE = frozenset({"SINGLE_OPTIONS", "RADIO"})
SEVERAL_CHOICES = frozenset({"MULTIPLE_OPTIONS", "CHECKBOX"})
CHOICES = SINGLE_CHOICE | SEVERAL_CHOICES
NUMBERS = frozenset({"NUMERICAL", "MONETORY"})
TEXTS = frozenset({"TEXT", "LARGE_TEXT", "PHONE", "EMAIL"})
DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
# Which empty values leave a field as it is, by which ones clear it.
_IGNORED: dict[str, tuple[Any, ...]] = {"both": (), "null": ("",), "text": (None,)}


def merged_custom_fields(
    account: Account, before: dict[str, Any], items: list[dict[str, Any]]
) -> dict[str, Any]:
    """Return the custom fields of a contact after `items` were written; an empty value clears its field."""
    after = dict(before)
    for item in items:
        definition = account.contact_fields.get(item["id"])
        if definition is None:
            if account.options.unknown_field == "ignore":
                continue
            refuse_request(f"customFields: no custom field with id {item['id']}")
        if definition["dataType"] == "FILE_UPLOAD" and account.options.file_lists != "write":
            if account.options.file_lists == "ignore":
                continue
            refuse_body(f"customFields: {definition['fieldKey']} of type FILE_UPLOAD cannot be written")
        if item["field_value"] in _IGNORED[account.options.empty_clears]:
            continue
        limit = account.options.length_of(definition["dataType"])
        called = f"customFields: {definition['fieldKey']}"
        limit_texts(item, {"field_value": limit}, beyond=account.options.longer_texts, called=called)
        value = _accepted(account, definition, item["field_value"])
        if value in (None, "", [], {}):
            after.pop(item["id"], None)
        else:
            after[item["id"]] = value
    return after


def _accepted(account: Account, definition: Document, value: Any) -> Any:
    """Return the value to keep, or refuse it."""
    if value in (None, "", [], {}):
        return None
    kind = definition["dataType"]
    if kind in CHOICES:
        return _chosen(account, definition, value)
    if not _CHECKS.get(kind, _never)(value):
        refuse_body(f"customFields: {definition['fieldKey']} of type {kind} does not take this value")
    if kind == "FILE_UPLOAD" and not all(_uploaded(account, entry) for entry in value.values()):
        refuse_request(f"customFields: {definition['fieldKey']} names a file that was not uploaded")
    return value


def _chosen(account: Account, definition: Document, value: Any) -> Any:
    several = definition["dataType"] in SEVERAL_CHOICES
    chosen = value if isinstance(value, list) else [value]
    if several != isinstance(value, list) or not all(isinstance(one, str) for one in chosen):
        wanted = "an array of option texts" if several else "an option text"
        refuse_body(f"customFields: {definition['fieldKey']} must be {wanted}")
    known = [one for one in chosen if one in definition["picklistOptions"]]
    if len(known) < len(chosen) and account.options.wrong_option == "refuse":
        refuse_body(f"customFields: {definition['fieldKey']} has no such option")
    if several:
        return known
    return known[0] if known else None


def _uploaded(account: Account, entry: Any) -> bool:
    return isinstance(entry, dict) and entry.get("documentId") in account.files


def _is_date(value: Any) -> bool:
    return isinstance(value, str) and bool(DATE.fullmatch(value) or ISO_TIME.fullmatch(value))


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_mapping(value: Any) -> bool:
    return isinstance(value, dict)


def _never(_value: Any) -> bool:
    return False


_CHECKS: dict[str, Callable[[Any], bool]] = {
    **dict.fromkeys(TEXTS, _is_text),
    **dict.fromkeys(NUMBERS, _is_number),
    "DATE": _is_date,
    "TEXTBOX_LIST": _is_mapping,
    "FILE_UPLOAD": _is_mapping,
}
