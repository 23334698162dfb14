"""Tags: on a contact, on many contacts at once, and the location's list of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sandbox.highlevel.answers import refuse
from sandbox.highlevel.contact_body import add_location_tag, cleaned_tags
from sandbox.highlevel.contacts import wanted
from sandbox.highlevel.naming import iso
from sandbox.highlevel.routes import Call, route
from sandbox.highlevel.shapes import Shape, boolean, list_of, text

if TYPE_CHECKING:
    from sandbox.highlevel.search_index import Document

READ, WRITE = "locations/tags.readonly", "locations/tags.write"
TAGS = Shape({"tags": list_of(text(filled=True))}, required=("tags",))
NAME = Shape({"name": text(filled=True)}, required=("name",))
MANY = Shape(
    {
        "contacts": list_of(text()),
        "tags": list_of(text(filled=True)),
        "locationId": text(filled=True),
        "removeAllTags": boolean(),
    },
    required=("contacts", "tags", "locationId"),
)


def _retag(call: Call, contact: Document, tags: list[str]) -> None:
    call.account.put_contact({**contact, "tags": tags, "dateUpdated": iso(call.at)}, call.at)
    call.account.updated["contacts"] += 1


@route("POST", "/contacts/{contactId}/tags", "contacts.write", status=201, body=TAGS)
def add_tags(call: Call) -> dict[str, Any]:
    """Add tags to a contact; the others stay."""
    contact = wanted(call)
    added = [tag for tag in cleaned_tags(call.account, call.body["tags"]) if tag not in contact["tags"]]
    _retag(call, contact, contact["tags"] + added)
    return {"tags": contact["tags"] + added, "tagsAdded": added}


@route("DELETE", "/contacts/{contactId}/tags", "contacts.write", body=TAGS)
def remove_tags(call: Call) -> dict[str, Any]:
    """Take tags off a contact."""
    contact = wanted(call)
    gone = set(cleaned_tags(call.account, call.body["tags"]))
    kept = [tag for tag in contact["tags"] if tag not in gone]
    _retag(call, contact, kept)
    return {"tags": kept, "tagsRemoved": [tag for tag in contact["tags"] if tag in gone]}


@route("POST", "/contacts/bulk/tags/update/{type}", "contacts.write", status=201, body=MANY)
def tag_many(call: Call) -> dict[str, Any]:
    """Add tags to many contacts, or take them off."""
    kind, account = call.path["type"], call.account
    if kind not in {"add", "remove"}:
        refuse(404, f"Cannot POST /contacts/bulk/tags/update/{kind}")
    tags = cleaned_tags(account, call.body["tags"])
    missing = 0
    for identity in call.body["contacts"]:
        contact = account.contacts.get(identity)
        if contact is None:
            missing += 1
            continue
        kept = (
            [tag for tag in contact["tags"] if tag not in tags] if not call.body.get("removeAllTags") else []
        )
        _retag(call, contact, kept + (tags if kind == "add" else []))
    return {"succeded": missing == 0, "errorCount": missing, "responses": []}


@route("GET", "/locations/{locationId}/tags", READ)
def list_tags(call: Call) -> dict[str, Any]:
    """List the location's tags."""
    return {"tags": list(call.account.tags.values())}


@route("POST", "/locations/{locationId}/tags", WRITE, body=NAME)
def create_tag(call: Call) -> dict[str, Any]:
    """Add a tag to the location's list."""
    name = cleaned_name(call)
    known = next((row for row in call.account.tags.values() if row["name"] == name), None)
    return {"tag": known or add_location_tag(call.account, name)}


def cleaned_name(call: Call) -> str:
    """Return the tag of the body as the platform keeps it."""
    name = call.body["name"].strip()
    return str(name.lower() if call.account.options.lowercase_tags else name)


@route("GET", "/locations/{locationId}/tags/{tagId}", READ)
def read_tag(call: Call) -> dict[str, Any]:
    """Return one tag."""
    return {"tag": _wanted_tag(call)}


@route("PUT", "/locations/{locationId}/tags/{tagId}", WRITE, body=NAME)
def rename_tag(call: Call) -> dict[str, Any]:
    """Rename a tag in the location's list."""
    after = {**_wanted_tag(call), "name": cleaned_name(call)}
    call.account.tags[after["id"]] = after
    return {"tag": after}


@route("DELETE", "/locations/{locationId}/tags/{tagId}", WRITE)
def delete_tag(call: Call) -> dict[str, Any]:
    """Delete a tag from the location's list."""
    del call.account.tags[_wanted_tag(call)["id"]]
    call.account.deleted["tags"] += 1
    return {"succeded": True}


def _wanted_tag(call: Call) -> Document:
    tag = call.account.tags.get(call.path["tagId"])
    if tag is None:
        refuse(404, f"Tag {call.path['tagId']} not found")
    return tag
