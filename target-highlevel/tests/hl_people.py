"""What people do in a sub-account after a load, done at random, and whether it is still there later."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sandbox.highlevel.relations import add_relation

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

    from sandbox import Sandbox

_FIELDS = ("city", "address1", "postalCode", "companyName", "website", "firstName")
_GONE = "deleted by hand"


@dataclass
class People:
    """Works on contacts, records and what hangs on them, ours or not, and remembers what was done."""

    sandbox: Sandbox
    chance: random.Random
    #: What was done → tells whether it still holds.
    witnesses: dict[str, Callable[[], bool]] = field(default_factory=dict)
    #: What was edited, as it was before.
    _found: dict[str, dict[str, Any]] = field(default_factory=dict)
    _number: int = 0

    def __post_init__(self) -> None:
        """Know what people do."""
        self.state = self.sandbox.highlevel.state
        self.damage = self.state.damage
        self._deeds: tuple[Callable[[], None], ...] = (
            self.edit_contact, self.tag_contact, self.fill_in_own_field, self.close_channel, self.set_dnd,
            self.write_note, self.edit_note, self.make_task, self.edit_task, self.edit_record, self.fill_in_own_property,
            self.add_opportunity, self.add_conversation, self.add_submission, self.add_payment, self.add_order,
            self.add_invoice, self.relate, self.add_person, self.delete_something,
        )  # fmt: skip

    def work(self, number: int) -> list[str]:
        """Do so many things; return what was done."""
        before = len(self.witnesses)
        for _ in range(number):
            self.chance.choice(self._deeds)()
        return list(self.witnesses)[before:]

    def lost(self) -> list[str]:
        """Return what was done and is no longer there."""
        return [what for what, holds in self.witnesses.items() if not holds()]

    # Contacts

    def edit_contact(self) -> None:
        """Change a field."""
        if contact := self._one("contacts"):
            name, value = self.chance.choice(_FIELDS), self._word()
            self.damage.edit_contact(contact, **{name: value})
            self._note(f"{name} of {contact}", lambda: self._contact(contact).get(name) == value)

    def tag_contact(self) -> None:
        """Add a tag."""
        if contact := self._one("contacts"):
            tag = self._word()
            self.damage.edit_contact(contact, tags=[*self._contact(contact).get("tags", ()), tag])
            self._note(f"tag of {contact}", lambda: tag in self._contact(contact).get("tags", ()))

    def fill_in_own_field(self) -> None:
        """Fill in a custom field of the clinic's own."""
        if contact := self._one("contacts"):
            there = self.state.main.contact_field_by_key("favourite_colour")
            own = there or self.state.staff.add_contact_field("Favourite colour", "TEXT")
            value = self._word()
            self.damage.edit_contact(contact, customFields={own["id"]: value})
            self._note(
                f"own field of {contact}",
                lambda: self._contact(contact)["customFields"].get(own["id"]) == value,
            )

    def close_channel(self) -> None:
        """Let a patient text STOP."""
        if contact := self._one("contacts"):
            self.state.staff.close_channel(contact, channel := self.chance.choice(("SMS", "Email")))
            self._note(f"{channel} of {contact}", lambda: self._dnd(contact, channel) == "permanent")

    def set_dnd(self) -> None:
        """Set do-not-disturb by hand."""
        if contact := self._one("contacts"):
            settings = self._contact(contact).get("dndSettings", {})
            if (settings.get("Call") or {}).get("status") != "permanent":
                self.damage.edit_contact(contact, dndSettings={**settings, "Call": {"status": "active"}})
                self._note(f"calls of {contact}", lambda: self._dnd(contact, "Call") == "active")

    def add_person(self) -> None:
        """Enter somebody who is no patient."""
        account, now = self.state.main, self.sandbox.highlevel.control.now()
        row = {"firstName": self._word(), "tags": [], "customFields": {}, **account.stamp(now)}
        identity = account.next_id("contact")
        account.put_contact({**row, "id": identity}, now)
        self._note(
            f"person {identity}", lambda: identity in self.state.contacts
        )  # under whatever name by then

    # What hangs on them

    def write_note(self) -> None:
        """Write a note."""
        self._hang("notes", {"title": "Rang", "body": self._word(), "userId": None, "pinned": False})

    def make_task(self) -> None:
        """Make a task."""
        due = "2027-01-01T00:00:00.000Z"
        self._hang("tasks", {"title": self._word(), "body": "", "dueDate": due, "completed": False})

    def _hang(self, table: str, row: dict[str, Any]) -> None:
        if contact := self._one("contacts"):
            own = {**row, "id": self.state.main.next_id(table.removesuffix("s")), "contactId": contact}
            getattr(self.state, table)[own["id"]] = own
            self.state.main.add_child(table, contact, own["id"])
            self._note(f"{table} {own['id']}", lambda: own["id"] in getattr(self.state, table))

    def edit_note(self) -> None:
        """Add a word to a note."""
        if note := self._one("notes"):
            self._edit("notes", note, body=f"{self._word()}\n{self.state.notes[note]['body']}")

    def edit_task(self) -> None:
        """Tick a task off or rename it."""
        if task := self._one("tasks"):
            done = {"completed": not self.state.tasks[task].get("completed")}
            self._edit("tasks", task, **self.chance.choice((done, {"title": self._word()})))

    def _edit(self, table: str, identity: str, **changes: Any) -> None:
        rows, what = getattr(self.state, table), f"{table} {identity} edited"
        found = self._found.setdefault(identity, dict(rows[identity]))
        self.damage.edit(table, identity, **changes)
        if rows[identity] == found:  # ticked off and on again: nothing to be lost
            self.witnesses.pop(what, None)
            return
        self._note(
            what,
            lambda: (
                identity in rows and all(rows[identity].get(name) == new for name, new in changes.items())
            ),
        )

    # Records

    def edit_record(self) -> None:
        """Change a text of a record."""
        if record := self._one("records"):
            properties = self.state.records[record]["properties"]
            texts = [
                name
                for name, value in properties.items()
                if isinstance(value, str) and name != "source_system_id"
            ]
            if texts:
                self._fill_in(record, self.chance.choice(texts))

    def fill_in_own_property(self) -> None:
        """Fill in a property of the clinic's own."""
        if record := self._one("records"):
            self._fill_in(record, "colour")

    def _fill_in(self, record: str, name: str) -> None:
        value = self._word()
        self.damage.edit_record(record, **{name: value})
        records = self.state.records
        self._note(
            f"{name} of {record}",
            lambda: record in records and records[record]["properties"].get(name) == value,
        )

    def relate(self) -> None:
        """Link two contacts, under any label."""
        labels = [
            row
            for row in self.state.associations.values()
            if {row["firstObjectKey"], row["secondObjectKey"]} == {"contact"}
        ]
        first, second = self._one("contacts"), self._one("contacts")
        if labels and first and second and first != second:
            label = self.chance.choice(labels)
            if (label["id"], first, second) not in self.state.relation_pairs:
                made = add_relation(self.state.main, label, first, second)
                self._note(f"link {made['id']}", lambda: made["id"] in self.state.relations)

    # Whatever shows that somebody works with a contact

    def add_opportunity(self) -> None:
        """Make an opportunity."""
        self._engage("opportunity")

    def add_conversation(self) -> None:
        """Exchange messages."""
        self._engage("conversation")

    def add_submission(self) -> None:
        """Have a form filled in."""
        self._engage("submission")

    def add_payment(self) -> None:
        """Take a payment."""
        self._engage("payment")

    def add_order(self) -> None:
        """Take an order."""
        self._engage("order")

    def add_invoice(self) -> None:
        """Write an invoice."""
        self._engage("invoice")

    def _engage(self, kind: str) -> None:
        if contact := self._one("contacts"):
            getattr(self.state.staff, f"add_{kind}")(contact)
            self._note(f"{kind} of {contact}", lambda: contact in self.state.contacts)

    # Deleting

    def delete_something(self) -> None:
        """Delete a contact, a record or a note: what is said of it elsewhere is said no longer."""
        table = self.chance.choice(("contacts", "records", "notes"))
        if (identity := self._one(table)) and not any(identity in what for what in self.witnesses):
            rows = getattr(self.state, table)
            hanging = {
                child
                for kind in ("notes", "tasks", "relations")
                for child in self.state.main.children_of(kind, identity)
            }
            if not any(child in what for what in self.witnesses for child in hanging):
                self.damage.delete(table, identity)
                self._note(f"{table} {identity} {_GONE}", lambda: identity not in rows)

    # Choosing

    def _one(self, table: str) -> str | None:
        rows = sorted(getattr(self.state, table))
        return self.chance.choice(rows) if rows else None

    def _word(self) -> str:
        self._number += 1
        return f"word {self._number}"

    def _contact(self, identity: str) -> dict[str, Any]:
        return dict(self.state.contacts.get(identity, {"customFields": {}}))

    def _dnd(self, contact: str, channel: str) -> str | None:
        return (self._contact(contact).get("dndSettings", {}).get(channel) or {}).get("status")

    def _note(self, what: str, holds: Callable[[], bool]) -> None:
        """Remember a deed; a later one of the same kind on the same thing takes its place."""
        self.witnesses[what] = holds
