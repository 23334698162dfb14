"""What can go wrong behind our back, done to the sandbox at random, and what each should be found as."""

from __future__ import annotations

import csv
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sandbox.highlevel.relations import add_relation

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Container
    from pathlib import Path

    from sandbox import Sandbox

Found = tuple[str, str]

_CONTACT_FIELDS = (
    "firstName", "lastName", "address1", "city", "state", "postalCode", "dateOfBirth", "gender", "source",
    "email", "phone",
)  # fmt: skip


def read_crosswalk(report: Path) -> dict[str, list[Found]]:
    """Return which records of ours each HighLevel id stands for, as the report's crosswalk says."""
    found: defaultdict[str, list[Found]] = defaultdict(list)
    with (report / "crosswalk.csv").open(encoding="utf-8-sig", newline="") as file:
        for row in csv.DictReader(file):
            found[row["highlevel_id"]].append((row["object"], row["source"]))
    return dict(found)


def read_differences(report: Path) -> set[Found]:
    """Return (object, source) of everything that a verification called a difference."""
    with (report / "differences.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    return {(row["object"], row["source"]) for row in rows if row["kind"] not in {"equal", "normalised"}}


@dataclass
class Vandal:
    """Damages things that nobody has touched yet, and remembers what a verification must find."""

    sandbox: Sandbox
    crosswalk: dict[str, list[Found]]
    chance: random.Random
    done: list[str] = field(default_factory=list)
    expected: set[Found] = field(default_factory=set)
    _touched: set[str] = field(default_factory=set)
    _added: dict[str, Found] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Know the ways to do damage."""
        self.state = self.sandbox.highlevel.state
        self.damage = self.state.damage
        self._field_keys = {
            key: item["fieldKey"].partition(".")[2] for key, item in self.state.contact_fields.items()
        }

    def rampage(self, number: int) -> None:
        """Do so many different damages, of all kinds about equally often."""
        ways: list[Callable[[], str | None]] = [
            self.change_contact, self.change_record, self.change_note, self.change_task, self.flip_task,
            self.delete_note, self.delete_task, self.delete_record, self.remove_relation, self.add_relation,
            self.replace_file, self.remove_file, self.double_record, self.double_contact, self.double_note,
            self.double_task, self.delete_contact, self.swap_notes, self.join_lines, self.add_note, self.give_tag,
            self.open_channel, self.change_currency, self.move_file, self.change_pin, self.move_task,
        ]  # fmt: skip
        while len(self.done) < number and ways:
            for way in list(ways):
                if len(self.done) < number:
                    did = way()
                    if (
                        did is None or did == "contact deleted"
                    ):  # nothing is left to do it to, or once is enough
                        ways.remove(way)
                    if did is not None:
                        self.done.append(did)

    # Contacts

    def change_contact(self) -> str | None:
        """Change, take from or empty a field of a contact."""
        identity = self._pick("contacts")
        if identity is None:
            return None
        contact = self.state.contacts[identity]
        standard = [name for name in _CONTACT_FIELDS if contact.get(name)]
        custom = [key for key, value in contact["customFields"].items() if not isinstance(value, dict)]
        name = self.chance.choice([*standard, *custom, "tags", "assignedTo"])
        if name in custom:
            self.damage.edit_contact(
                identity, customFields={name: self._other(contact["customFields"][name])}
            )
        elif name == "tags":
            ours = [tag for tag in contact["tags"] if not tag.startswith("vip")]
            if not ours:
                self.damage.edit_contact(identity, firstName="Nobody")
            self.damage.edit_contact(identity, tags=ours[1:])
        elif name == "assignedTo":
            others = [user for user in self.state.users if user != contact.get("assignedTo")]
            self.damage.edit_contact(identity, assignedTo=self.chance.choice(others))
        else:
            self.damage.edit_contact(identity, **{name: self._other(contact[name])})
        self._expect(identity)
        return f"contact changed: {self._field_keys.get(name, name)}"

    def double_contact(self) -> str | None:
        """Make a second contact with the same id of ours."""
        identity = self._pick("contacts")
        if identity is None:
            return None
        files = {
            key: None
            for key, value in self.state.contacts[identity]["customFields"].items()
            if isinstance(value, dict)
        }
        copy = self.damage.double_contact(identity)
        self.damage.edit_contact(copy["id"], customFields=files)
        self._expect(identity)
        return "contact doubled"

    def delete_contact(self) -> str | None:
        """Delete a contact with everything on it."""
        identity = self._pick("contacts")
        if identity is None:
            return None
        for table in ("notes", "tasks", "appointments"):
            for child in self.state.main.children_of(table, identity):
                self._expect(child)
        self._relations_go(identity)
        for file in [file for file in self.state.files.values() if file["contactId"] == identity]:
            self._touched.add(file["id"])
            self._expect(self._file_key(file))
        self.damage.delete("contacts", identity)
        self._expect(identity)
        return "contact deleted"

    def give_tag(self) -> str | None:
        """Give a contact a tag of ours that says of a patient what is not so."""
        identity = self._pick("contacts")
        if identity is None:
            return None
        there = self.state.contacts[identity].get("tags", [])
        ours = sorted(
            {
                tag
                for contact in self.crosswalk
                for tag in self.state.contacts.get(contact, {}).get("tags", ())
            }
        )
        others = [tag for tag in ours if tag not in there]
        if not others:
            return None
        self.damage.edit_contact(identity, tags=[*there, self.chance.choice(others)])
        self._expect(identity)
        return "tag of ours given"

    def open_channel(self) -> str | None:
        """Open a channel to a patient who has said no."""
        closed = {
            identity: channel
            for identity, contact in self.state.contacts.items()
            for channel, setting in (contact.get("dndSettings") or {}).items()
            if (setting or {}).get("status") == "active"
        }
        identity = self._pick("contacts", closed)
        if identity is None:
            return None
        settings = self.state.contacts[identity]["dndSettings"]
        self.damage.edit_contact(
            identity,
            dndSettings={**settings, closed[identity]: {**settings[closed[identity]], "status": "inactive"}},
        )
        self._expect(identity)
        return f"channel opened: {closed[identity]}"

    # Records and relations

    def change_record(self) -> str | None:
        """Change or empty a property of a record."""
        identity = self._pick("records")
        if identity is None:
            return None
        properties = self.state.records[identity]["properties"]
        name = self.chance.choice(sorted(properties))
        self.damage.edit_record(identity, **{name: self._other(properties[name])})
        self._expect(identity)
        return f"record changed: {name}"

    def change_currency(self) -> str | None:
        """Have an amount in another currency."""
        money = {
            identity: name
            for identity, record in self.state.records.items()
            for name, value in record["properties"].items()
            if isinstance(value, dict) and "currency" in value
        }
        identity = self._pick("records", money)
        if identity is None:
            return None
        name = money[identity]
        value = self.state.records[identity]["properties"][name]
        self.damage.edit_record(identity, **{name: {**value, "currency": "EUR"}})
        self._expect(identity)
        return f"currency changed: {name}"

    def delete_record(self) -> str | None:
        """Delete a record with its relations."""
        identity = self._pick("records")
        if identity is None:
            return None
        self._relations_go(identity)
        self.damage.delete("records", identity)
        self._expect(identity)
        return "record deleted"

    def double_record(self) -> str | None:
        """Make a second record with the same id of ours."""
        identity = self._pick("records")
        if identity is None:
            return None
        self.damage.double_record(identity)
        self._expect(identity)
        return "record doubled"

    def remove_relation(self) -> str | None:
        """Remove a relation."""
        identity = self._pick("relations")
        if identity is None:
            return None
        self.damage.remove_relation(identity)
        self._expect(identity)
        return "relation removed"

    def add_relation(self) -> str | None:
        """Relate a patient whose relations are read anyway with an insurer that does not cover it."""
        association = next(row for row in self.state.associations.values() if row["key"] == "cliniko_insurer")
        insurers = [
            row["id"]
            for row in self.state.records.values()
            if row["objectKey"] == association["secondObjectKey"]
        ]
        patients = sorted(
            row["firstRecordId"]
            for row in self.state.relations.values()
            if row["firstObjectKey"] == "contact"
        )
        free = [
            (first, second)
            for first in dict.fromkeys(patients)
            for second in insurers
            if first in self.crosswalk
            and second in self.crosswalk
            and (association["id"], first, second) not in self.state.relation_pairs
            and not self._touched & {first, second}
            and f"{first} {second}" not in self._touched
        ]
        if not free:
            return None
        first, second = self.chance.choice(free)
        self._touched.add(f"{first} {second}")
        ends = "|".join(":".join(self.crosswalk[end][0]) for end in (first, second))
        added = ("relation", f"cliniko_insurer|{ends}")
        relation = add_relation(self.state.main, association, first, second)
        if added in self.expected:  # it had been removed before: now it is mended
            self.expected.discard(added)
        else:
            self.expected.add(added)
            self._added[relation["id"]] = added
        return "relation added"

    def _relations_go(self, identity: str) -> None:
        """Expect that the relations of something deleted are missed, but not those that we had added."""
        for relation in self.state.main.children_of("relations", identity):
            self._expect(relation)
            self.expected.discard(self._added.get(relation, ("", "")))

    # What hangs on contacts

    def change_note(self) -> str | None:
        """Change a note."""
        return self._edit("notes", ("body", "title"))

    def change_task(self) -> str | None:
        """Change a task."""
        return self._edit("tasks", ("body", "title", "dueDate", "assignedTo"))

    def _edit(self, table: str, names: tuple[str, ...]) -> str | None:
        identity = self._pick(table)
        if identity is None:
            return None
        row = getattr(self.state, table)[identity]
        name = self.chance.choice([name for name in names if row.get(name)])
        self.damage.edit(table, identity, **{name: self._other(row[name])})
        self._expect(identity)
        return f"{table} changed: {name}"

    def swap_notes(self) -> str | None:
        """Swap the texts of two notes, each with its marker."""
        one, other = self._pick("notes"), self._pick("notes")
        if one is None or other is None:
            return None
        bodies = [self.state.notes[identity]["body"] for identity in (one, other)]
        for identity, body in zip((other, one), bodies, strict=True):
            self.damage.edit("notes", identity, body=body)
            self._expect(identity)
        return "notes swapped"

    def join_lines(self) -> str | None:
        """Lose the line breaks of a note."""
        several = {
            identity for identity, note in self.state.notes.items() if str(note["body"]).count("\n") > 1
        }
        identity = self._pick("notes", several)
        if identity is None:
            return None
        text, _, marker = self.state.notes[identity]["body"].rpartition("\n")
        self.damage.edit("notes", identity, body=f"{text.replace(chr(10), ' ')}\n{marker}")
        self._expect(identity)
        return "line breaks of a note lost"

    def add_note(self) -> str | None:
        """Make a note with our marker that Cliniko knows nothing of."""
        identity = self._pick("notes")
        if identity is None:
            return None
        source = f"treatment_notes/{10**9 + len(self.done)}"
        copy = self.damage.double("notes", identity)
        self.damage.edit("notes", copy["id"], body=f"Nobody wrote this\ncliniko:{source}")
        self.expected.add(("note", source))
        return "note added that Cliniko does not know"

    def change_pin(self) -> str | None:
        """Take the pin off a note."""
        identity = self._pick(
            "notes", {identity for identity, note in self.state.notes.items() if note.get("pinned")}
        )
        if identity is None:
            return None
        self.damage.edit("notes", identity, pinned=False)
        self._expect(identity)
        return "pin taken off"

    def move_task(self) -> str | None:
        """Put a task on another contact."""
        identity, other = self._pick("tasks"), self._pick("contacts")
        before = self.state.tasks[identity]["contactId"] if identity else None
        if identity is None or other is None or before == other:
            return None
        self.damage.edit("tasks", identity, contactId=other)
        self.state.main.drop_child("tasks", before, identity)
        self.state.main.add_child("tasks", other, identity)
        self._expect(identity)
        return "task moved"

    def flip_task(self) -> str | None:
        """Mark a done task as open, or an open one as done."""
        identity = self._pick("tasks")
        if identity is None:
            return None
        self.damage.edit("tasks", identity, completed=not self.state.tasks[identity]["completed"])
        self._expect(identity)
        return "task flipped"

    def delete_note(self) -> str | None:
        """Delete a note."""
        return self._remove("notes")

    def delete_task(self) -> str | None:
        """Delete a task."""
        return self._remove("tasks")

    def _remove(self, table: str) -> str | None:
        identity = self._pick(table)
        if identity is None:
            return None
        self.damage.delete(table, identity)
        self._expect(identity)
        return f"{table} deleted"

    def double_note(self) -> str | None:
        """Make a second note with the same marker."""
        return self._double("notes")

    def double_task(self) -> str | None:
        """Make a second task with the same marker."""
        return self._double("tasks")

    def _double(self, table: str) -> str | None:
        identity = self._pick(table)
        if identity is None:
            return None
        self.damage.double(table, identity)
        self._expect(identity)
        return f"{table} doubled"

    # Files

    def replace_file(self) -> str | None:
        """Put other bytes behind a file."""
        identity = self._pick_file()
        if identity is None:
            return None
        self._expect(self._file_key(self.state.files[identity]))
        self.damage.replace_file(identity, self.chance.randbytes(64))
        return "file replaced"

    def move_file(self) -> str | None:
        """Put a file into another patient's field."""
        identity, other = self._pick_file(), self._pick("contacts")
        if identity is None or other is None or self.state.files[identity]["contactId"] == other:
            return None
        file = self.state.files[identity]
        field, key = file["fieldId"], self._file_key(file)
        self._expect(key)
        here = dict(self.state.contacts[file["contactId"]]["customFields"][field])
        entry = here.pop(key)
        there = dict(self.state.contacts[other]["customFields"].get(field, {}))
        self.damage.edit_contact(file["contactId"], customFields={field: here or None})
        self.damage.edit_contact(other, customFields={field: {**there, key: entry}})
        self.state.files[identity] = {**file, "contactId": other}
        return "file moved"

    def remove_file(self) -> str | None:
        """Take a file off its contact."""
        identity = self._pick_file()
        if identity is None:
            return None
        self._expect(self._file_key(self.state.files[identity]))
        self.damage.remove_file(identity)
        return "file removed"

    def _pick_file(self) -> str | None:
        free = sorted(set(self.state.files) - self._touched)
        if not free:
            return None
        identity: str = self.chance.choice(free)
        self._touched.add(identity)
        return identity

    def _file_key(self, file: dict[str, Any]) -> str:
        """Return the key under which the contact's field holds a file: the one the ledger knows it by."""
        entries = self.state.contacts[file["contactId"]]["customFields"][file["fieldId"]]
        return next(str(key) for key, entry in entries.items() if entry["documentId"] == file["id"])

    # Choosing

    def _pick(self, table: str, among: Container[str] | None = None) -> str | None:
        """Choose something of ours that is as it was; whom a deletion took along is left in peace as well."""
        free = [
            identity
            for identity in getattr(self.state, table)
            if identity in self.crosswalk
            and identity not in self._touched
            and (among is None or identity in among)
            and self._whole(table, identity)
        ]
        if not free:
            return None
        identity: str = self.chance.choice(sorted(free))
        self._touched.add(identity)
        return identity

    def _whole(self, table: str, identity: str) -> bool:
        return table != "contacts" or not self._hanging(identity) & self._touched

    def _hanging(self, contact: str) -> set[str]:
        main = self.state.main
        found = {
            child
            for table in ("notes", "tasks", "appointments", "relations")
            for child in main.children_of(table, contact)
        }
        return found | {file["id"] for file in self.state.files.values() if file["contactId"] == contact}

    def _expect(self, hl_id: str) -> None:
        self._touched.add(hl_id)
        self.expected.update(self.crosswalk.get(hl_id, ()))

    def _other(self, value: Any) -> Any:
        """Return nothing at all or another value of the same kind."""
        if self.chance.random() < 0.25:
            return None
        if isinstance(value, dict):
            return {**value, "value": float(value["value"]) + 1}
        if isinstance(value, list):
            return value[1:] or None
        if isinstance(value, (int, float)):
            return value + 1
        return f"changed {self.chance.randrange(10**6)}"
