"""The data of one sub-account: its tables, the indexes over them, and the counts of what was done."""

from __future__ import annotations

import shutil
import tempfile
import weakref
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sandbox.highlevel.filters import fold
from sandbox.highlevel.naming import Ids, iso
from sandbox.highlevel.search_index import SearchIndex

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox.highlevel.options import Options
    from sandbox.highlevel.search_index import Document

    Table = dict[str, Document]

INDEXED_CONTACT_FIELDS = ("email", "phone", "id")
LONGEST_INDEXED_TEXT = 75


@dataclass(eq=False)
class Account:
    """One sub-account. Rows are never changed in place: a change puts a new row into its table."""

    id: str
    name: str
    company_id: str
    options: Options
    ids: Ids
    users: Table = field(default_factory=dict)
    contacts: Table = field(default_factory=dict)
    contact_fields: Table = field(default_factory=dict)
    tags: Table = field(default_factory=dict)
    notes: Table = field(default_factory=dict)
    tasks: Table = field(default_factory=dict)
    calendars: Table = field(default_factory=dict)
    appointments: Table = field(default_factory=dict)
    objects: Table = field(default_factory=dict)
    object_fields: Table = field(default_factory=dict)
    folders: Table = field(default_factory=dict)
    records: Table = field(default_factory=dict)
    associations: Table = field(default_factory=dict)
    relations: Table = field(default_factory=dict)
    files: Table = field(default_factory=dict)
    custom_values: Table = field(default_factory=dict)
    pipelines: Table = field(default_factory=dict)
    opportunities: Table = field(default_factory=dict)
    opportunities_visible_at: dict[str, float] = field(default_factory=dict)
    conversations: Table = field(default_factory=dict)
    submissions: Table = field(default_factory=dict)
    transactions: Table = field(default_factory=dict)
    orders: Table = field(default_factory=dict)
    invoices: Table = field(default_factory=dict)
    block_slots: Table = field(default_factory=dict)
    schedules: Table = field(default_factory=dict)
    created: Counter[str] = field(default_factory=Counter)
    updated: Counter[str] = field(default_factory=Counter)
    deleted: Counter[str] = field(default_factory=Counter)
    deleted_contacts: list[str] = field(default_factory=list)
    email_holders: dict[str, dict[str, None]] = field(default_factory=dict)
    phone_holders: dict[str, dict[str, None]] = field(default_factory=dict)
    children: dict[tuple[str, str], dict[str, None]] = field(default_factory=dict)
    relation_pairs: dict[tuple[str, str, str], str] = field(default_factory=dict)
    relation_counts: Counter[tuple[str, str, int]] = field(default_factory=Counter)
    unique_values: dict[tuple[str, str, str], str] = field(default_factory=dict)
    schema_seen: dict[str, tuple[float, list[Document]]] = field(default_factory=dict)
    contact_search: SearchIndex = field(init=False)
    record_search: dict[str, SearchIndex] = field(default_factory=dict)
    files_folder: Path = field(init=False)

    def __post_init__(self) -> None:
        """Open the search index and the folder of the uploaded files."""
        self.contact_search = SearchIndex(_contact_keys)
        self.files_folder = Path(tempfile.mkdtemp(prefix="sandbox-files-"))
        weakref.finalize(self, shutil.rmtree, self.files_folder, ignore_errors=True)

    def next_id(self, kind: str) -> str:
        """Make an id in the form of its kind."""
        hexadecimal = kind in {"object", "object_field", "folder", "record", "association", "relation"}
        name = f"{self.id}:{kind}"
        return self.ids.hexadecimal(name) if hexadecimal else self.ids.short(name)

    def user(self, identity: Any) -> Document | None:
        """Return a user of this location."""
        return self.users.get(identity) if isinstance(identity, str) else None

    def assignable(self, identity: Any) -> Document | None:
        """Return a user who may own something: one who is not deleted, unless an option takes those as well."""
        user = self.user(identity)
        if user is not None and user["deleted"] and self.options.assign_deleted_user == "refuse":
            return None
        return user

    def add_child(self, kind: str, parent: str, child: str) -> None:
        """Note that a row hangs on another one: a note on its contact."""
        self.children.setdefault((kind, parent), {})[child] = None

    def drop_child(self, kind: str, parent: str, child: str) -> None:
        """Note that a row hangs there no more."""
        self.children.get((kind, parent), {}).pop(child, None)

    def children_of(self, kind: str, parent: str) -> list[str]:
        """List the ids of the rows of a kind that hang on a row, oldest first."""
        return list(self.children.get((kind, parent), ()))

    def put_contact(self, contact: Document, at: float, *, lag: float | None = None) -> None:
        """Store a contact, new or changed; the search shows it later."""
        identity = contact["id"]
        self._unindex(self.contacts.get(identity))
        self.contacts[identity] = contact
        for table, keys in self._addresses(contact):
            for key in keys:
                table.setdefault(key, {})[identity] = None
        wait = self.options.search_lag if lag is None else lag
        self.contact_search.note(identity, contact, visible_at=at + wait)

    def drop_contact(self, identity: str, at: float) -> None:
        """Remove a contact from the table and, later, from the search."""
        self._unindex(self.contacts.pop(identity))
        self.contact_search.note(identity, None, visible_at=at + self.options.search_lag)

    def _unindex(self, contact: Document | None) -> None:
        if contact is None:
            return
        for table, keys in self._addresses(contact):
            for key in keys:
                table.get(key, {}).pop(contact["id"], None)

    def _addresses(self, contact: Document) -> Iterator[tuple[dict[str, dict[str, None]], list[str]]]:
        emails = [contact.get("email"), *contact.get("additionalEmails", ())]
        phones = [contact.get("phone"), *contact.get("additionalPhones", ())]
        yield self.email_holders, [email_key(value) for value in emails if value]
        yield self.phone_holders, [phone_key(value) for value in phones if value]

    def records_index(self, object_key: str) -> SearchIndex:
        """Return the search index of an object's records."""
        return self.record_search.setdefault(object_key, SearchIndex(_record_keys))

    def put_record(self, record: Document, at: float) -> None:
        """Store a record, new or changed; the search shows it later."""
        self.records[record["id"]] = record
        self.records_index(record["objectKey"]).note(
            record["id"], record, visible_at=at + self.options.search_lag
        )

    def drop_record(self, identity: str, at: float) -> None:
        """Remove a record from the table and, later, from the search."""
        record = self.records.pop(identity)
        self.records_index(record["objectKey"]).note(identity, None, visible_at=at + self.options.search_lag)

    def stamp(self, at: float) -> dict[str, str]:
        """Return the two times of a new row."""
        return {"dateAdded": iso(at), "dateUpdated": iso(at)}

    def contact_field_by_key(self, key: str) -> Document | None:
        """Return a contact's custom field by its key, with or without `contact.`."""
        full = key if "." in key else f"contact.{key}"
        return next((entry for entry in self.contact_fields.values() if entry["fieldKey"] == full), None)


def email_key(value: str) -> str:
    """Bring an e-mail address into the form in which duplicates are found."""
    return value.strip().lower()


def phone_key(value: str) -> str:
    """Bring a phone number into the form in which duplicates are found."""
    return "".join(sign for sign in value if sign.isdigit())


def _contact_keys(contact: Document) -> Iterator[tuple[str, str]]:
    for name in INDEXED_CONTACT_FIELDS:
        if contact.get(name):
            yield name, fold(contact[name])
    for identity, value in contact["customFields"].items():
        if isinstance(value, str) and len(value) <= LONGEST_INDEXED_TEXT:
            yield f"customFields.{identity}", fold(value)


def _record_keys(record: Document) -> Iterator[tuple[str, str]]:
    yield "id", fold(record["id"])
    for name, value in record["properties"].items():
        if isinstance(value, str) and len(value) <= LONGEST_INDEXED_TEXT:
            yield f"properties.{name}", fold(value)
