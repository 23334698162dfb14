"""What happens behind our back: people edit, delete and double things without any request of ours."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from sandbox.highlevel.appointments import remove_appointment
from sandbox.highlevel.contacts import remove_contact
from sandbox.highlevel.files import store_bytes
from sandbox.highlevel.naming import iso
from sandbox.highlevel.records import remove_record
from sandbox.highlevel.relations import drop_relation

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Container, Mapping

    from sandbox.control import Control
    from sandbox.highlevel.account import Account
    from sandbox.highlevel.search_index import Document


class Damage:
    """Changes the data of a location directly; the search still lags behind, the log stays silent."""

    def __init__(self, account: Account, control: Control) -> None:
        """Take the data and the clock."""
        self._account = account
        self._control = control

    def edit_contact(self, identity: str, **changes: Any) -> Document:
        """Set fields of a contact; None removes one, `customFields` maps ids or keys to values."""
        before = self._account.contacts[identity]
        custom = {self._field_id(name): value for name, value in changes.pop("customFields", {}).items()}
        merged = {**before["customFields"], **custom}
        kept = {name: value for name, value in merged.items() if value is not None}
        changed = {**before, **changes, "customFields": kept, "dateUpdated": self._now()}
        after = {name: value for name, value in changed.items() if value is not None}
        self._account.put_contact(after, self._control.now())
        return after

    def edit_record(self, identity: str, **properties: Any) -> Document:
        """Set properties of a record; None removes one."""
        before = self._account.records[identity]
        merged = {**before["properties"], **properties}
        kept = {name: value for name, value in merged.items() if value is not None}
        after = {**before, "properties": kept, "dateUpdated": self._now()}
        self._account.put_record(after, self._control.now())
        return after

    def edit(self, table: str, identity: str, **changes: Any) -> Document:
        """Set fields of a note, a task or an appointment."""
        rows: dict[str, Document] = getattr(self._account, table)
        rows[identity] = {**rows[identity], **changes}
        return rows[identity]

    def delete(self, table: str, identity: str) -> None:
        """Delete a contact, record, note, task, appointment or relation."""
        if table == "contacts":
            remove_contact(self._account, identity, self._control.now())
        elif table == "records":
            remove_record(self._account, identity, self._control.now())
        elif table == "appointments":
            remove_appointment(self._account, identity)
        elif table == "relations":
            drop_relation(self._account, identity)
        else:
            row = getattr(self._account, table).pop(identity)
            self._account.drop_child(table, row["contactId"], identity)

    def delete_note(self, identity: str) -> None:
        """Delete a note."""
        self.delete("notes", identity)

    def remove_relation(self, identity: str) -> None:
        """Remove a relation."""
        self.delete("relations", identity)

    def replace_file(self, identity: str, content: bytes) -> None:
        """Put other bytes behind a document, as an upload of a new version would."""
        file = self._account.files[identity]
        store_bytes(self._account, identity, [content])
        digest = hashlib.sha256(content).hexdigest()
        self._account.files[identity] = {**file, "sha256": digest, "size": len(content)}
        self._change_file(file, {"size": len(content)})

    def remove_file(self, identity: str) -> None:
        """Take a document off its contact."""
        self._change_file(self._account.files.pop(identity), None)

    def _change_file(self, file: Document, meta: Document | None) -> None:
        """Change what the contact's field says of a document, or take it out."""
        field, contact = file["fieldId"], self._account.contacts[file["contactId"]]
        value = dict(contact["customFields"][field])
        uuid = next(key for key, entry in value.items() if entry["documentId"] == file["id"])
        entry = value.pop(uuid)
        if meta is not None:
            value[uuid] = {**entry, "meta": {**entry["meta"], **meta}}
        self.edit_contact(file["contactId"], customFields={field: value or None})

    def double_record(self, identity: str) -> Document:
        """Make a second record with the same properties."""
        copy = {**self._account.records[identity], "id": self._account.next_id("record"), **self._stamp()}
        self._account.put_record(copy, self._control.now())
        return copy

    def double_contact(self, identity: str) -> Document:
        """Make a second contact with the same fields but without its addresses."""
        original = self._account.contacts[identity]
        kept = {name: value for name, value in original.items() if name not in {"email", "phone"}}
        copy = {**kept, "id": self._account.next_id("contact"), **self._stamp()}
        self._account.put_contact(copy, self._control.now())
        return copy

    def double(self, table: str, identity: str) -> Document:
        """Make a second note, task or appointment beside one."""
        rows: dict[str, Document] = getattr(self._account, table)
        copy = {**rows[identity], "id": self._account.next_id(table.removesuffix("s"))}
        rows[copy["id"]] = copy
        self._account.add_child(table, copy["contactId"], copy["id"])
        return copy

    def apply(self, change: Mapping[str, Any]) -> Any:
        """Do what a JSON object says: `{"do": "edit_contact", "id": "…", …}`."""
        arguments = dict(change)
        name, identity = arguments.pop("do"), arguments.pop("id")
        table = arguments.pop("table", None)
        method: Callable[..., Any] | None = getattr(self, name, None) if name in _METHODS else None
        if method is None:
            message = f"no such change: {name}"
            raise LookupError(message)
        if "content" in arguments:
            arguments["content"] = str(arguments["content"]).encode()
        return method(table, identity, **arguments) if table else method(identity, **arguments)

    def one_at_random(self, chance: random.Random, among: Container[str] | None = None) -> Document:
        """Do one damage of a random kind and say which; `among` spares every row whose id is not in it."""
        targets = {kind: self._targets(kind, among) for kind in _RANDOM}
        kind = chance.choice([name for name, rows in targets.items() if rows])
        table, verb = _RANDOM[kind]
        identity = chance.choice(targets[kind])
        detail = getattr(self, f"_random_{verb}")(table, identity, chance)
        return {"kind": kind, "table": table, "id": identity, **detail}

    def _targets(self, kind: str, among: Container[str] | None) -> list[str]:
        table, verb = _RANDOM[kind]
        rows: dict[str, Document] = getattr(self._account, table)
        chosen = [identity for identity in rows if among is None or identity in among]
        return [one for one in chosen if self._texts(table, one)] if verb == "edit" else chosen

    def _texts(self, table: str, identity: str) -> list[str]:
        """Name the texts of a row that a random edit may change."""
        account = self._account
        row: Document = getattr(account, table)[identity]
        if table == "contacts":
            custom = [key for key in row["customFields"] if _is_text(account.contact_fields.get(key))]
            return [name for name in _EDITED_OF_CONTACT if row.get(name)] + custom
        if table == "records":
            short = {field["fieldKey"]: field for field in account.object_fields.values()}
            names = sorted(row["properties"])
            return [name for name in names if _is_text(short.get(f"{row['objectKey']}.{name}"))]
        return ["description" if table == "appointments" else "body"]

    def _random_edit(self, table: str, identity: str, chance: random.Random) -> Document:
        name = chance.choice(self._texts(table, identity))
        mark = f"changed {chance.randrange(10**6)}"
        if table == "contacts":
            changes = {name: mark} if name in _EDITED_OF_CONTACT else {"customFields": {name: mark}}
            self.edit_contact(identity, **changes)
        elif table == "records":
            self.edit_record(identity, **{name: mark})
        else:
            before = getattr(self._account, table)[identity].get(name, "")
            self.edit(table, identity, **{name: f"{before}\n{mark}"})
        return {"field": name}

    def _random_delete(self, table: str, identity: str, _chance: random.Random) -> Document:
        self.delete(table, identity)
        return {}

    def _random_double(self, table: str, identity: str, _chance: random.Random) -> Document:
        copy = self.double_record(identity) if table == "records" else self.double(table, identity)
        return {"copy": copy["id"]}

    def _random_replace(self, _table: str, identity: str, chance: random.Random) -> Document:
        self.replace_file(identity, chance.randbytes(64))
        return {}

    def _field_id(self, name: str) -> str:
        if name in self._account.contact_fields:
            return name
        field = self._account.contact_field_by_key(name)
        if field is None:
            message = f"no custom field {name}"
            raise LookupError(message)
        return str(field["id"])

    def _now(self) -> str:
        return iso(self._control.now())

    def _stamp(self) -> dict[str, str]:
        return self._account.stamp(self._control.now())


def _is_text(field: Document | None) -> bool:
    return field is not None and field["dataType"] in {"TEXT", "LARGE_TEXT"}


_EDITED_OF_CONTACT = ("firstName", "lastName", "city", "address1")
_METHODS = frozenset(
    {
        "edit_contact",
        "edit_record",
        "edit",
        "delete",
        "delete_note",
        "remove_relation",
        "replace_file",
        "remove_file",
        "double_record",
        "double_contact",
        "double",
    }
)
_RANDOM = {
    "contact changed": ("contacts", "edit"),
    "record changed": ("records", "edit"),
    "note changed": ("notes", "edit"),
    "task changed": ("tasks", "edit"),
    "appointment changed": ("appointments", "edit"),
    "note deleted": ("notes", "delete"),
    "task deleted": ("tasks", "delete"),
    "appointment deleted": ("appointments", "delete"),
    "record deleted": ("records", "delete"),
    "relation removed": ("relations", "delete"),
    "file replaced": ("files", "replace"),
    "record doubled": ("records", "double"),
    "note doubled": ("notes", "double"),
}
