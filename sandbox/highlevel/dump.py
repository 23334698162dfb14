"""Everything a client can write, in a form that can be compared: no ids, no times, stable order."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from sandbox.highlevel.oracle import source_of_contact, source_of_record

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sandbox.highlevel.account import Account
    from sandbox.highlevel.search_index import Document

_NOISE = frozenset(
    {"id", "locationId", "contactId", "dateAdded", "dateUpdated", "type", "traceId", "isRecurring"}
)
_FLAGS = frozenset({"toNotify", "ignoreDateRange", "ignoreFreeSlotValidation", "overrideLocationConfig"})


def dump(account: Account, *, schema: bool = True) -> dict[str, Any]:
    """Return the location's content; without `schema` only what is in contacts and records."""
    content = {
        "contacts": _sorted(_contact(account, row) for row in account.contacts.values()),
        "records": _sorted(_record(account, row) for row in account.records.values()),
        "relations": _sorted(_relation(account, row) for row in account.relations.values()),
    }
    return {**content, "schema": _schema(account)} if schema else content


def _sorted(rows: Iterable[Document]) -> list[Document]:
    return sorted(rows, key=lambda row: json.dumps(row, sort_keys=True))


def _contact(account: Account, row: Document) -> Document:
    fields = {
        name: value
        for name, value in row.items()
        if name not in _NOISE and value not in (None, "", [], {}, False)
    }
    fields.pop("customFields", None)
    custom = {
        _field_key(account, identity): _value(account, identity, value)
        for identity, value in row["customFields"].items()
    }
    channels = {name: one for name, one in row.get("dndSettings", {}).items() if one["status"] != "inactive"}
    return {
        **fields,
        "tags": sorted(row["tags"]),
        "assignedTo": _email(account, row.get("assignedTo")),
        "dndSettings": channels,
        "customFields": dict(sorted(custom.items())),
        "notes": _hanging(account, "notes", row["id"]),
        "tasks": _hanging(account, "tasks", row["id"]),
        "appointments": _hanging(account, "appointments", row["id"]),
    }


def _field_key(account: Account, identity: str) -> str:
    field = account.contact_fields.get(identity)
    return str(field["fieldKey"]) if field else f"deleted field {identity}"


def _value(account: Account, identity: str, value: Any) -> Any:
    field = account.contact_fields.get(identity)
    if field is None or field["dataType"] != "FILE_UPLOAD":
        return value
    files = [account.files.get(entry["documentId"], {}) for entry in value.values()]
    return _sorted(
        {name: file.get(name) for name in ("name", "size", "sha256", "mimetype")} for file in files
    )


def _hanging(account: Account, kind: str, contact: str) -> list[Document]:
    table: dict[str, Document] = getattr(account, kind)
    return _sorted(_child(account, table[identity]) for identity in account.children_of(kind, contact))


def _child(account: Account, row: Document) -> Document:
    """Describe a note, a task or an appointment; people and calendars by their names."""
    kept = {
        name: value for name, value in row.items() if name not in _NOISE | _FLAGS and value not in (None, "")
    }
    for name in ("userId", "assignedTo", "assignedUserId"):
        if name in kept:
            kept[name] = _email(account, kept[name])
    if "calendarId" in kept:
        kept["calendarId"] = account.calendars.get(kept["calendarId"], {}).get("name")
    return kept


def _schedule(account: Account, row: Document) -> Document:
    calendars = sorted(str(account.calendars.get(one, {}).get("name")) for one in row["calendarIds"])
    return {**_child(account, row), "calendarIds": calendars}


def _email(account: Account, user: str | None) -> str | None:
    return account.users[user]["email"] if user in account.users else user


def _record(account: Account, row: Document) -> Document:
    return {
        "object": row["objectKey"],
        "properties": dict(sorted(row["properties"].items())),
        "owners": [_email(account, user) for user in row["owner"]],
        "followers": [_email(account, user) for user in row["followers"]],
    }


def _relation(account: Account, row: Document) -> Document:
    association = account.associations.get(row["associationId"], {})
    return {
        "association": association.get("key"),
        "first": _end(account, row["firstObjectKey"], row["firstRecordId"]),
        "second": _end(account, row["secondObjectKey"], row["secondRecordId"]),
    }


def _end(account: Account, object_key: str, identity: str) -> str:
    """Name one end of a relation by what it is: its Cliniko id, else its name."""
    if object_key == "contact":
        contact = account.contacts.get(identity, {})
        names = (contact.get("firstName"), contact.get("lastName"), contact.get("dateOfBirth"))
        source = source_of_contact(account, contact) if contact else None
        return source or " ".join(filter(None, names))
    record = account.records.get(identity, {})
    return source_of_record(record) or json.dumps(record.get("properties", {}), sort_keys=True)


def _schema(account: Account) -> dict[str, Any]:
    noise = {"id", "locationId", "parentId", "dateAdded", "dateUpdated"}

    def bare(row: Document) -> Document:
        return {name: value for name, value in row.items() if name not in noise}

    return {
        "contact_fields": _sorted(bare(row) for row in account.contact_fields.values()),
        "objects": _sorted(bare(row) for row in account.objects.values()),
        "object_fields": _sorted(bare(row) for row in account.object_fields.values()),
        "folders": _sorted(bare(row) for row in account.folders.values()),
        "associations": _sorted(bare(row) for row in account.associations.values()),
        "calendars": _sorted(_child(account, row) for row in account.calendars.values()),
        "schedules": _sorted(_schedule(account, row) for row in account.schedules.values()),
        "block_slots": _sorted(_child(account, row) for row in account.block_slots.values()),
        "tags": sorted(row["name"] for row in account.tags.values()),
    }
