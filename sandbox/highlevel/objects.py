"""Schemas of custom objects: ten at most, made with an agency token, with a primary property each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sandbox.highlevel.answers import refuse, refuse_body, refuse_request
from sandbox.highlevel.naming import KEY, iso
from sandbox.highlevel.routes import Access, Call, route
from sandbox.highlevel.shapes import Shape, list_of, text

if TYPE_CHECKING:
    from sandbox.highlevel.account import Account
    from sandbox.highlevel.search_index import Document

READ, WRITE = "objects/schema.readonly", "objects/schema.write"
PREFIX = "custom_objects."
_LABELS = Shape(
    {"singular": text(filled=True), "plural": text(filled=True)}, required=("singular", "plural")
).nested()
_PRIMARY = Shape(
    {"key": text(filled=True), "name": text(filled=True), "dataType": text(choices=("TEXT", "NUMERICAL"))},
    required=("key", "name", "dataType"),
).nested()
NEW_OBJECT = Shape(
    {
        "labels": _LABELS,
        "key": text(filled=True),
        "description": text(),
        "locationId": text(filled=True),
        "primaryDisplayPropertyDetails": _PRIMARY,
    },
    required=("labels", "key", "locationId", "primaryDisplayPropertyDetails"),
)
CHANGED_OBJECT = Shape(
    {
        "labels": Shape({"singular": text(), "plural": text()}).nested(),
        "description": text(null=True),
        "locationId": text(filled=True),
        "searchableProperties": list_of(text()),
    },
    required=("locationId", "searchableProperties"),
)
STANDARD = (("contact", "Contact", "Contacts"), ("opportunity", "Opportunity", "Opportunities"))
_COMPANY = ("business", "Company", "Companies")


def standard_objects(account: Account, at: float) -> dict[str, Document]:
    """Return the objects that every location has, by key."""
    rows = {}
    for key, singular, plural in (*STANDARD, _COMPANY):
        rows[key] = {
            "id": account.next_id("object"),
            "standard": True,
            "key": key,
            "labels": {"singular": singular, "plural": plural},
            "description": "",
            "locationId": account.id,
            "primaryDisplayProperty": f"{key}.name",
            "searchableProperties": [],
            "type": "SYSTEM_DEFINED",
            **account.stamp(at),
        }
    return rows


def shown(row: Document) -> Document:
    """Return an object as the API shows it."""
    return dict(row)


def object_row(account: Account, key: str) -> Document:
    """Return an object by its key or its id."""
    row = account.objects.get(key) or next(
        (one for one in account.objects.values() if one["id"] == key), None
    )
    if row is None:
        refuse(404, f"Custom Object ({key}) not found")
    return row


def custom_object(account: Account, key: str) -> Document:
    """Return a custom object by its key."""
    row = object_row(account, key)
    if row["standard"]:
        refuse_request(f"{key} is not a custom object")
    return row


def fields_of(account: Account, key: str) -> list[Document]:
    """List the properties of an object."""
    return [account.object_fields[identity] for identity in account.children_of("object_fields", key)]


def short_key(given: str, object_key: str) -> str:
    """Return a property's key without the object's; the vendor writes `custom_object.` there as well."""
    singular = object_key.replace(PREFIX, "custom_object.", 1)
    for prefix in (f"{object_key}.", f"{singular}."):
        if given.startswith(prefix):
            return given[len(prefix) :]
    return given


def checked_key(key: str, name: str) -> str:
    """Return a key, or refuse it: a lower-case letter, then lower-case letters, digits and underscores."""
    if not KEY.fullmatch(key):
        refuse_body(f"{name} must be lowercase and underscore_separated")
    return key


def add_field(account: Account, object_key: str, field: Document, at: float) -> Document:
    """Store a new property of an object."""
    row = {
        "id": account.next_id("object_field"),
        "locationId": account.id,
        "objectKey": object_key,
        "showInForms": True,
        "placeholder": "",
        "description": "",
        **field,
        **account.stamp(at),
    }
    account.object_fields[row["id"]] = row
    account.add_child("object_fields", object_key, row["id"])
    account.created["object_fields"] += 1
    return row


def add_folder(account: Account, object_key: str, name: str, at: float) -> Document:
    """Store a new folder of properties."""
    row = {
        "id": account.next_id("folder"),
        "objectKey": object_key,
        "locationId": account.id,
        "name": name,
        **account.stamp(at),
    }
    account.folders[row["id"]] = row
    account.add_child("folders", object_key, row["id"])
    return row


@route("GET", "/objects/", READ, query=("locationId",))
def list_objects(call: Call) -> dict[str, Any]:
    """List the standard objects and the custom ones."""
    return {"objects": [shown(row) for row in call.account.objects.values()]}


@route("POST", "/objects/", WRITE, access=Access.AGENCY, status=201, body=NEW_OBJECT)
def create_object(call: Call) -> dict[str, Any]:
    """Make an object with its primary property and a first folder."""
    account, body = call.account, call.body
    name = body["key"]
    key = PREFIX + checked_key(name.removeprefix(PREFIX), "key")
    if key in account.objects:
        refuse_request(f"Custom Object ({key}) already exists")
    if sum(not row["standard"] for row in account.objects.values()) >= call.state.options.object_limit:
        refuse_request("Maximum number of custom objects reached for this location")
    details = body["primaryDisplayPropertyDetails"]
    primary = checked_key(short_key(details["key"], key), "primaryDisplayPropertyDetails.key")
    row = {
        "id": account.next_id("object"),
        "standard": False,
        "key": key,
        "labels": body["labels"],
        "description": body.get("description", ""),
        "locationId": account.id,
        "primaryDisplayProperty": f"{key}.{primary}",
        "searchableProperties": [f"{key}.{primary}"],
        "type": "USER_DEFINED",
        **account.stamp(call.at),
    }
    account.objects[key] = row
    account.created["objects"] += 1
    folder = add_folder(account, key, f"{body['labels']['singular']} Info", call.at)
    field = {
        "name": details["name"],
        "dataType": details["dataType"],
        "fieldKey": f"{key}.{primary}",
        "parentId": folder["id"],
    }
    add_field(account, key, field, call.at)
    return {"object": shown(row)}


@route(
    "GET",
    "/objects/{key}",
    READ,
    query=("locationId",),
    optional_query=("fetchProperties",),
)
def read_object(call: Call) -> dict[str, Any]:
    """Return an object; its list of properties may be some seconds old, and then says so by `cache`."""
    account = call.account
    row = object_row(account, call.path["key"])
    if call.query.get("fetchProperties", "false").lower() != "true":
        return {"object": shown(row), "cache": False, "fields": []}
    seen = account.schema_seen.get(row["key"])
    if seen and call.at - seen[0] < call.state.options.schema_cache:
        return {"object": shown(row), "cache": True, "fields": seen[1]}
    fields = fields_of(account, row["key"])
    account.schema_seen[row["key"]] = (call.at, fields)
    return {"object": shown(row), "cache": False, "fields": fields}


@route("PUT", "/objects/{key}", WRITE, body=CHANGED_OBJECT)
def change_object(call: Call) -> dict[str, Any]:
    """Change labels, description and the whole list of searchable properties."""
    account, body = call.account, call.body
    before = object_row(account, call.path["key"])
    known = {field["fieldKey"] for field in fields_of(account, before["key"])}
    searchable = [
        f"{before['key']}.{short_key(name, before['key'])}" for name in body["searchableProperties"]
    ]
    if strangers := [name for name in searchable if name not in known]:
        refuse_request(f"searchableProperties: unknown {', '.join(strangers)}")
    after = {
        **before,
        "labels": {**before["labels"], **body.get("labels", {})},
        "description": body.get("description") or before["description"],
        "searchableProperties": searchable,
        "dateUpdated": iso(call.at),
    }
    account.objects[before["key"]] = after
    account.updated["objects"] += 1
    return {"object": shown(after)}
