"""What a test asks after a migration: which source record became what, and what is there twice."""

from __future__ import annotations

import re
from collections import defaultdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox.highlevel.account import Account
    from sandbox.highlevel.search_index import Document

SOURCE_KEY = "source_system_id"
MARKER = re.compile(r"cliniko:([a-z_]+/\d+(?:#\d+)?)")
FILE_MARKER = re.compile(r"cliniko[:_-]([a-z_]+)[/_-](\d+)")


def source_of_contact(account: Account, contact: Document) -> str | None:
    """Return the source id that a contact carries."""
    field = account.contact_field_by_key(SOURCE_KEY)
    return contact["customFields"].get(field["id"]) if field else None


def source_of_record(record: Document) -> str | None:
    """Return the source id that a record carries."""
    value = record.get("properties", {}).get(SOURCE_KEY)
    return str(value) if value else None


def sources(account: Account) -> dict[str, dict[str, list[str]]]:
    """Return, for every kind of object, the ids that carry each source id.

    Kinds are `contacts`, every custom object's key, `notes`, `tasks`, `appointments`, `calendars`, `schedules`, `block_slots`
    and `files`.
    """
    found: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for kind, source, identity in _pairs(account):
        found[kind][source].append(identity)
    return {kind: dict(by_source) for kind, by_source in found.items()}


def doubles(account: Account) -> dict[str, list[str]]:
    """Return the source ids that more than one object of a kind carries; empty is what a test wants."""
    found = {
        kind: sorted(source for source, identities in by_source.items() if len(identities) > 1)
        for kind, by_source in sources(account).items()
    }
    return {kind: listed for kind, listed in found.items() if listed}


def _pairs(account: Account) -> Iterator[tuple[str, str, str]]:
    field = account.contact_field_by_key(SOURCE_KEY)
    for identity, contact in account.contacts.items():
        source = contact["customFields"].get(field["id"]) if field else None
        if source:
            yield "contacts", source, identity
    for identity, record in account.records.items():
        if source := source_of_record(record):
            yield record["objectKey"], source, identity
    for kind, names in (
        ("notes", ("title", "body")),
        ("tasks", ("title", "body")),
        ("appointments", ("title", "description")),
        ("calendars", ("description",)),
        ("schedules", ("name",)),
        ("block_slots", ("title",)),
    ):
        table: dict[str, Document] = getattr(account, kind)
        for identity, row in table.items():
            texts = " ".join(str(row.get(name, "")) for name in names)
            for source in sorted(set(MARKER.findall(texts))):
                yield kind, source, identity
    for identity, file in account.files.items():
        # the bytes outlive a deleted contact, but nobody finds them there any more
        if file["contactId"] in account.contacts and (match := FILE_MARKER.search(file["name"])):
            yield "files", f"{match[1]}/{match[2]}", identity
