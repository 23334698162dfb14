"""Custom values of a location: named texts that people see under Settings, with no contact behind them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sandbox.highlevel.answers import refuse, refuse_request
from sandbox.highlevel.naming import key_from_name
from sandbox.highlevel.routes import Call, route
from sandbox.highlevel.shapes import Shape, text

if TYPE_CHECKING:
    from sandbox.highlevel.search_index import Document

READ, WRITE = "locations/customValues.readonly", "locations/customValues.write"
VALUE = Shape({"name": text(filled=True), "value": text()}, required=("name", "value"))


def _check_name(call: Call, except_for: str | None = None) -> None:
    """Refuse a name whose key another value has: the key is what templates refer to."""
    key = _field_key(call.body["name"])
    rows = call.account.custom_values.values()
    if any(row["fieldKey"] == key and row["id"] != except_for for row in rows):
        refuse_request(f"Custom value with name {call.body['name']} already exists")


def _field_key(name: str) -> str:
    return f"{{{{ custom_values.{key_from_name(name)} }}}}"


def _wanted(call: Call) -> Document:
    row = call.account.custom_values.get(call.path["id"])
    if row is None:
        refuse(call.state.options.missing_status, f"Custom value with id {call.path['id']} not found")
    return row


@route("GET", "/locations/{locationId}/customValues", READ)
def list_custom_values(call: Call) -> dict[str, Any]:
    """List the custom values of the location."""
    return {"customValues": list(call.account.custom_values.values())}


@route("POST", "/locations/{locationId}/customValues", WRITE, status=201, body=VALUE)
def create_custom_value(call: Call) -> dict[str, Any]:
    """Make a custom value."""
    _check_name(call)
    account, body = call.account, call.body
    row = {
        "id": account.next_id("custom_value"),
        "name": body["name"],
        "fieldKey": _field_key(body["name"]),
        "value": body["value"],
        "locationId": account.id,
    }
    account.custom_values[row["id"]] = row
    account.created["custom_values"] += 1
    return {"customValue": row}


@route("GET", "/locations/{locationId}/customValues/{id}", READ)
def read_custom_value(call: Call) -> dict[str, Any]:
    """Return one custom value."""
    return {"customValue": _wanted(call)}


@route("PUT", "/locations/{locationId}/customValues/{id}", WRITE, body=VALUE)
def change_custom_value(call: Call) -> dict[str, Any]:
    """Change name and value; the key of a value never changes."""
    before = _wanted(call)
    _check_name(call, before["id"])
    after = {**before, "name": call.body["name"], "value": call.body["value"]}
    call.account.custom_values[after["id"]] = after
    call.account.updated["custom_values"] += 1
    return {"customValue": after}


@route("DELETE", "/locations/{locationId}/customValues/{id}", WRITE)
def delete_custom_value(call: Call) -> dict[str, Any]:
    """Delete a custom value."""
    del call.account.custom_values[_wanted(call)["id"]]
    call.account.deleted["custom_values"] += 1
    return {"succeded": True}
