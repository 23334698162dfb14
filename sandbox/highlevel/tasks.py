"""Tasks of a contact, and the location's search over all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sandbox.highlevel.answers import limit_texts, refuse, refuse_body
from sandbox.highlevel.contacts import wanted
from sandbox.highlevel.routes import Call, route
from sandbox.highlevel.shapes import Shape, boolean, moment, text

if TYPE_CHECKING:
    from sandbox.highlevel.search_index import Document

READ, WRITE = "contacts.readonly", "contacts.write"
_CHANGE = {
    "title": text(filled=True),
    "body": text(),
    "dueDate": moment(),
    "completed": boolean(),
    "assignedTo": text(),
}
NEW_TASK = Shape(_CHANGE, required=("title", "dueDate", "completed"))
CHANGED_TASK = Shape(_CHANGE)


def _check_owner(call: Call) -> None:
    owner = call.body.get("assignedTo")
    if owner and call.account.assignable(owner) is None:
        refuse_body("assignedTo must be a user of the location")
    options = call.state.options
    limits = {"body": options.task_limit, "title": options.line_limit}
    limit_texts(call.body, limits, beyond=options.longer_texts)


@route("POST", "/contacts/{contactId}/tasks", WRITE, status=201, body=NEW_TASK)
def create_task(call: Call) -> dict[str, Any]:
    """Put a task on a contact."""
    contact = wanted(call)
    _check_owner(call)
    account = call.account
    task = {"id": account.next_id("task"), "contactId": contact["id"], **call.body}
    account.tasks[task["id"]] = task
    account.add_child("tasks", contact["id"], task["id"])
    account.created["tasks"] += 1
    return {"task": dict(task)}


@route("GET", "/contacts/{contactId}/tasks", READ)
def list_tasks(call: Call) -> dict[str, Any]:
    """List every task of a contact; there is no paging."""
    account = call.account
    return {"tasks": [account.tasks[one] for one in account.children_of("tasks", wanted(call)["id"])]}


@route("GET", "/contacts/{contactId}/tasks/{taskId}", READ)
def read_task(call: Call) -> dict[str, Any]:
    """Return one task."""
    return {"task": dict(_wanted_task(call))}


@route("PUT", "/contacts/{contactId}/tasks/{taskId}", WRITE, body=CHANGED_TASK)
def change_task(call: Call) -> dict[str, Any]:
    """Change a task; absent fields stay."""
    before = _wanted_task(call)
    _check_owner(call)
    return _stored(call, {**before, **call.body})


def _stored(call: Call, task: Document) -> dict[str, Any]:
    call.account.tasks[task["id"]] = task
    call.account.updated["tasks"] += 1
    return {"task": dict(task)}


@route("DELETE", "/contacts/{contactId}/tasks/{taskId}", WRITE)
def delete_task(call: Call) -> dict[str, Any]:
    """Delete a task."""
    task = _wanted_task(call)
    del call.account.tasks[task["id"]]
    call.account.drop_child("tasks", task["contactId"], task["id"])
    call.account.deleted["tasks"] += 1
    return {"succeded": True}


def _wanted_task(call: Call) -> Document:
    task = call.account.tasks.get(call.path["taskId"])
    if task is None or task["contactId"] != call.path["contactId"]:
        refuse(call.state.options.missing_status, f"Task with id {call.path['taskId']} not found")
    return task
