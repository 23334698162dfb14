"""Notes of a contact; the date that counts is always the moment of the call."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sandbox.highlevel.answers import limit_texts, refuse, refuse_body
from sandbox.highlevel.contacts import wanted
from sandbox.highlevel.naming import iso
from sandbox.highlevel.routes import Call, route
from sandbox.highlevel.shapes import Shape, boolean, text

if TYPE_CHECKING:
    from sandbox.highlevel.search_index import Document

READ, WRITE = "contacts.readonly", "contacts.write"
_CHANGE = {
    "userId": text(),
    "body": text(filled=True),
    "title": text(),
    "color": text(),
    "pinned": boolean(),
}
NEW_NOTE = Shape(_CHANGE, required=("body",))
CHANGED_NOTE = Shape(_CHANGE)


def _kept(call: Call) -> dict[str, Any]:
    """Return what is kept of a body."""
    kept = ("body", "userId") if call.state.options.note_extras == "drop" else tuple(call.body)
    return {name: value for name, value in call.body.items() if name in kept}


def _check(call: Call) -> None:
    if call.state.options.note_extras == "refuse":
        for name in call.body.keys() - {"body", "userId"}:
            refuse_body(f"property {name} should not exist")
    options = call.state.options
    limits = {"body": options.note_limit, "title": options.line_limit}
    limit_texts(call.body, limits, beyond=options.longer_texts)
    author = call.body.get("userId")
    if author and call.account.user(author) is None:
        refuse_body("userId must be a user of the location")


@route("POST", "/contacts/{contactId}/notes", WRITE, status=201, body=NEW_NOTE)
def create_note(call: Call) -> dict[str, Any]:
    """Put a note on a contact."""
    contact = wanted(call)
    _check(call)
    account = call.account
    note = {
        "id": account.next_id("note"),
        "contactId": contact["id"],
        "dateAdded": iso(call.at),
        "pinned": False,
        **_kept(call),
    }
    account.notes[note["id"]] = note
    account.add_child("notes", contact["id"], note["id"])
    account.created["notes"] += 1
    return {"note": dict(note)}


@route("GET", "/contacts/{contactId}/notes", READ)
def list_notes(call: Call) -> dict[str, Any]:
    """List every note of a contact; there is no paging."""
    account = call.account
    notes = [account.notes[one] for one in account.children_of("notes", wanted(call)["id"])]
    return {"notes": notes[::-1] if call.state.options.newest_notes_first else notes}


@route("GET", "/contacts/{contactId}/notes/{id}", READ)
def read_note(call: Call) -> dict[str, Any]:
    """Return one note."""
    return {"note": dict(_wanted_note(call))}


@route("PUT", "/contacts/{contactId}/notes/{id}", WRITE, body=CHANGED_NOTE)
def change_note(call: Call) -> dict[str, Any]:
    """Change a note; absent fields stay."""
    before = _wanted_note(call)
    _check(call)
    after = {**before, **_kept(call)}
    call.account.notes[after["id"]] = after
    call.account.updated["notes"] += 1
    return {"note": dict(after)}


@route("DELETE", "/contacts/{contactId}/notes/{id}", WRITE)
def delete_note(call: Call) -> dict[str, Any]:
    """Delete a note."""
    note = _wanted_note(call)
    del call.account.notes[note["id"]]
    call.account.drop_child("notes", note["contactId"], note["id"])
    call.account.deleted["notes"] += 1
    return {"succeded": True}


def _wanted_note(call: Call) -> Document:
    note = call.account.notes.get(call.path["id"])
    if note is None or note["contactId"] != call.path["contactId"]:
        refuse(call.state.options.missing_status, f"Note with id {call.path['id']} not found")
    return note
