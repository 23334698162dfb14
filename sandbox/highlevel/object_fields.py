"""Properties of custom objects and their folders under `/custom-fields/`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sandbox.highlevel.answers import refuse, refuse_body, refuse_request
from sandbox.highlevel.naming import iso
from sandbox.highlevel.objects import (
    add_field,
    add_folder,
    checked_key,
    custom_object,
    fields_of,
    object_row,
    short_key,
)
from sandbox.highlevel.routes import Call, route
from sandbox.highlevel.shapes import Shape, boolean, list_of, number, text

if TYPE_CHECKING:
    from sandbox.highlevel.search_index import Document

READ, WRITE = "locations/customFields.readonly", "locations/customFields.write"
DATA_TYPES = (
    "TEXT",
    "LARGE_TEXT",
    "NUMERICAL",
    "PHONE",
    "MONETORY",
    "CHECKBOX",
    "SINGLE_OPTIONS",
    "MULTIPLE_OPTIONS",
    "DATE",
    "TEXTBOX_LIST",
    "FILE_UPLOAD",
    "RADIO",
)
CHOICES = frozenset({"CHECKBOX", "SINGLE_OPTIONS", "MULTIPLE_OPTIONS", "RADIO"})
FORMATS = (".pdf", ".docx", ".doc", ".jpg", ".jpeg", ".png", ".gif", ".csv", ".xlsx", ".xls", "all")
_OPTION = Shape(
    {"key": text(filled=True), "label": text(filled=True), "url": text()}, required=("key", "label")
).nested()
_SHARED = {
    "locationId": text(filled=True),
    "name": text(filled=True),
    "description": text(),
    "placeholder": text(),
    "showInForms": boolean(),
    "options": list_of(_OPTION),
    "acceptedFormats": text(choices=FORMATS),
    "maxFileLimit": number(least=1),
}
NEW_FIELD = Shape(
    {
        **_SHARED,
        "dataType": text(choices=DATA_TYPES),
        "fieldKey": text(filled=True),
        "objectKey": text(filled=True),
        "parentId": text(filled=True),
        "allowCustomOption": boolean(),
    },
    required=("locationId", "objectKey", "fieldKey", "parentId", "dataType", "showInForms"),
)
CHANGED_FIELD = Shape(_SHARED, required=("locationId", "showInForms"))
NEW_FOLDER = Shape(
    {"objectKey": text(filled=True), "name": text(filled=True), "locationId": text(filled=True)},
    required=("objectKey", "name", "locationId"),
)
_COPIED = ("name", "description", "placeholder", "showInForms", "options", "acceptedFormats", "maxFileLimit")


@route("GET", "/custom-fields/object-key/{objectKey}", READ, query=("locationId",))
def list_fields(call: Call) -> dict[str, Any]:
    """List the properties and the folders of a custom object, or of companies, as they are now."""
    account = call.account
    row = object_row(account, call.path["objectKey"])
    key = row["key"]
    if row["standard"] and key != "business":
        refuse(404, f"Custom Object ({key}) not found")
    folders = [account.folders[identity] for identity in account.children_of("folders", key)]
    return {"fields": fields_of(account, key), "folders": folders}


@route("POST", "/custom-fields/", WRITE, status=201, body=NEW_FIELD)
def create_field(call: Call) -> dict[str, Any]:
    """Add a property to a custom object, inside one of its folders."""
    account, body = call.account, call.body
    object_key = custom_object(account, body["objectKey"])["key"]
    key = f"{object_key}.{checked_key(short_key(body['fieldKey'], object_key), 'fieldKey')}"
    if any(field["fieldKey"] == key for field in fields_of(account, object_key)):
        refuse_request(f"Custom field with key {key} already exists")
    if account.folders.get(body["parentId"], {}).get("objectKey") != object_key:
        refuse_request(f"Folder {body['parentId']} not found")
    if body.get("allowCustomOption") and body["dataType"] != "RADIO":
        refuse_body("allowCustomOption is only allowed for RADIO")
    _check_options(body["dataType"], body.get("options"), missing_is_wrong=True)
    copied = {
        name: body[name] for name in (*_COPIED, "dataType", "parentId", "allowCustomOption") if name in body
    }
    named = {"name": key.rpartition(".")[2], **copied, "fieldKey": key}
    return {"field": add_field(account, object_key, named, call.at)}


def _check_options(kind: str, options: list[dict[str, str]] | None, *, missing_is_wrong: bool) -> None:
    if kind not in CHOICES:
        if options:
            refuse_body(f"options are not allowed for {kind}")
        return
    if not options and (missing_is_wrong or options is not None):
        refuse_body("options should not be empty")
    for part in ("key", "label"):
        values = [option[part] for option in options or ()]
        if len(set(values)) != len(values):
            refuse_body(f"options must have unique {part}s")


@route("PUT", "/custom-fields/{id}", WRITE, body=CHANGED_FIELD)
def change_field(call: Call) -> dict[str, Any]:
    """Change a property; a list of options replaces the former one, key and type stay."""
    account, body = call.account, call.body
    before = _wanted(call)
    _check_options(before["dataType"], body.get("options"), missing_is_wrong=False)
    after = {**before, **{name: body[name] for name in _COPIED if name in body}, "dateUpdated": iso(call.at)}
    account.object_fields[before["id"]] = after
    account.updated["object_fields"] += 1
    return {"field": after}


def _wanted(call: Call) -> Document:
    field = call.account.object_fields.get(call.path["id"])
    if field is None:
        refuse(404, f"Custom field with id {call.path['id']} not found")
    return field


@route("POST", "/custom-fields/folder", WRITE, status=201, body=NEW_FOLDER)
def create_folder(call: Call) -> dict[str, Any]:
    """Make a folder of properties."""
    key = custom_object(call.account, call.body["objectKey"])["key"]
    return _shown_folder(add_folder(call.account, key, call.body["name"], call.at))


def _shown_folder(row: Document) -> dict[str, Any]:
    return {name: row[name] for name in ("id", "objectKey", "locationId", "name")}
