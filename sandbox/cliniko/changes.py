"""Changes to an account told as data, and changes made by chance."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sandbox.clinic.files import FileContent
from sandbox.cliniko.account import timestamp

if TYPE_CHECKING:
    import random
    from collections.abc import Mapping

    from sandbox.cliniko.account import Account

_PLAIN = ("archive", "unarchive", "soft_delete", "uncancel", "delete")
_EDITED = {
    "patients": "notes",
    "individual_appointments": "notes",
    "attendees": "notes",
    "invoices": "notes",
    "treatment_notes": "title",
    "patient_cases": "notes",
    "contacts": "notes",
    "medical_alerts": "name",
    "patient_attachments": "description",
}
_HARD_DELETED = ("patients", "treatment_notes", "taxes", "attendees", "medical_alerts")


def apply_change(account: Account, change: Mapping[str, Any]) -> dict[str, Any]:
    """Make one change and return the row it made or left.

    Shape: `{"op": "update", "resource", "id", "values", "bump"?}`, `{"op": "insert", "resource", "values"}`,
    `{"op": "cancel", "resource", "id", "reason"?, "note"?}`,
    `{"op": "merge", "id": loser, "into": survivor}`,
    `{"op": "process_file", "id", "kind": pdf | png | txt | zip | dcm, "filename"}`,
    `{"op": archive | unarchive | soft_delete | uncancel | delete, "resource", "id"}`.
    """
    operation = change["op"]
    if operation == "insert":
        return dict(account.insert(change["resource"], change["values"]))
    if operation == "merge":
        return dict(account.merge(change["id"], change["into"]))
    if operation == "process_file":
        content = FileContent(change["kind"], int(change["id"]) % 1000)
        return dict(account.process_file(change["id"], content, change["filename"]))
    resource, identity = change["resource"], change["id"]
    if operation == "update":
        return dict(account.update(resource, identity, change["values"], bump=change.get("bump", True)))
    if operation == "cancel":
        reason, note = change.get("reason", 50), change.get("note")
        return dict(account.cancel(resource, identity, reason=reason, note=note))
    if operation in _PLAIN:
        return dict(getattr(account, operation)(resource, identity))
    message = f"unknown change {operation!r}; known are insert, update, cancel, merge and {', '.join(_PLAIN)}"
    raise ValueError(message)


def random_change(account: Account, rng: random.Random, *, without_deletions: bool = False) -> dict[str, Any]:
    """Make one change as a busy clinic would; returns what was done, without the values.

    Args:
        account: the clinic's.
        rng: decides.
        without_deletions: nothing is deleted for good, which Cliniko's lists do not tell of.
    """
    kinds = {_edit: 50, _archive: 12, _cancel: 10, _merge: 3, _insert: 20, _delete: 5}
    if without_deletions:
        del kinds[_delete]
    chosen = rng.choices(list(kinds), weights=list(kinds.values()))[0]
    with account.lock:
        return chosen(account, rng)


def _pick(account: Account, rng: random.Random, resource: str) -> str | None:
    return rng.choice(list(account.tables[resource])) if len(account.tables[resource]) else None


def _edit(account: Account, rng: random.Random) -> dict[str, Any]:
    resource = rng.choice(list(_EDITED))
    if identity := _pick(account, rng, resource):
        account.update(resource, identity, {_EDITED[resource]: f"Edited {rng.randrange(10**6)}"})
    return {"op": "update", "resource": resource, "id": identity}


def _archive(account: Account, rng: random.Random) -> dict[str, Any]:
    resource = rng.choice([name for name in _EDITED if name != "patient_cases"])
    identity = _pick(account, rng, resource)
    if identity and "archived_at" in account.tables[resource][identity]:
        account.unarchive(resource, identity)
        return {"op": "unarchive", "resource": resource, "id": identity}
    if identity:
        account.archive(resource, identity)
    return {"op": "archive", "resource": resource, "id": identity}


def _cancel(account: Account, rng: random.Random) -> dict[str, Any]:
    resource = rng.choice(("individual_appointments", "attendees"))
    identity = _pick(account, rng, resource)
    if identity and resource == "attendees":
        # The API cancels an attendee of a group only; the others are cancelled with their appointment.
        resource, identity = _cancellable(account, identity)
    if identity and "cancelled_at" in account.tables[resource][identity]:
        account.uncancel(resource, identity)
        return {"op": "uncancel", "resource": resource, "id": identity}
    if identity:
        account.cancel(resource, identity, reason=rng.choice((10, 30, 50)))
    return {"op": "cancel", "resource": resource, "id": identity}


def _cancellable(account: Account, attendee: str) -> tuple[str, str | None]:
    booking = account.tables["attendees"][attendee]["booking_id"]
    if booking in account.tables["individual_appointments"]:
        return "individual_appointments", booking
    return "attendees", attendee


def _merge(account: Account, rng: random.Random) -> dict[str, Any]:
    whole = [row["id"] for row in account.tables["patients"].rows() if "merged_at" not in row]
    if len(whole) < 2:  # noqa: PLR2004 - a merge needs two
        return {"op": "merge", "id": None}
    loser, survivor = rng.sample(whole, 2)
    account.merge(loser, survivor)
    return {"op": "merge", "id": loser, "into": survivor}


def _insert(account: Account, rng: random.Random) -> dict[str, Any]:
    patient = _pick(account, rng, "patients")
    business, practitioner = _pick(account, rng, "businesses"), _pick(account, rng, "practitioners")
    kind = _pick(account, rng, "appointment_types")
    what = rng.choice(("patients", "medical_alerts", "individual_appointments"))
    if what == "patients" or patient is None:
        number = rng.randrange(10**6)
        row = account.insert("patients", {"first_name": "Walk-in", "last_name": f"Visitor {number}"})
        return {"op": "insert", "resource": "patients", "id": row["id"]}
    if what == "medical_alerts":
        row = account.insert(
            "medical_alerts", {"name": f"Alert {rng.randrange(10**6)}", "patient_id": patient}
        )
        return {"op": "insert", "resource": what, "id": row["id"]}
    starts = account.clock() + rng.randrange(1, 30) * 86400
    row = account.insert(
        "individual_appointments",
        {
            "patient_id": patient,
            "business_id": business,
            "practitioner_id": practitioner,
            "appointment_type_id": kind,
            "starts_at": timestamp(starts),
            "ends_at": timestamp(starts + 1800),
            "did_not_arrive": False,
            "patient_arrived": False,
        },
    )
    account.insert("attendees", {"patient_id": patient, "booking_id": row["id"]})
    return {"op": "insert", "resource": what, "id": row["id"]}


def _delete(account: Account, rng: random.Random) -> dict[str, Any]:
    resource = rng.choice(_HARD_DELETED)
    if identity := _pick(account, rng, resource):
        account.delete(resource, identity)
    return {"op": "delete", "resource": resource, "id": identity}
