"""Workflows: what a migration may only look at, because a published one could write to patients."""

from __future__ import annotations

from typing import Any

from sandbox.highlevel.naming import iso
from sandbox.highlevel.routes import Call, route


@route("GET", "/workflows/", "workflows.readonly", query=("locationId",))
def list_workflows(call: Call) -> dict[str, Any]:
    """Return name and status of every workflow."""
    listed = enumerate(sorted(call.state.options.workflows.items()), start=1)
    stamp = iso(call.at)
    return {
        "workflows": [
            {
                "id": f"workflow-{number}",
                "name": name,
                "status": status,
                "version": 1,
                "createdAt": stamp,
                "updatedAt": stamp,
                "locationId": call.account.id,
            }
            for number, (name, status) in listed
        ]
    }
