"""People who were in HighLevel before the migration: strangers, known patients, and sharers of an e-mail."""

from __future__ import annotations

import random
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from sandbox.highlevel.contacts import new_contact

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sandbox.highlevel.account import Account
    from sandbox.highlevel.search_index import Document

    Person = Mapping[str, Any]

FIRST_NAMES = ("Agnes", "Bruno", "Celia", "Dmitri", "Esme", "Farid", "Greta", "Hugo", "Ines", "Jonas")
LAST_NAMES = ("Alder", "Birch", "Cedar", "Dogwood", "Elm", "Fir", "Gum", "Hazel", "Ironbark", "Juniper")
TAGS = ("newsletter", "lead magnet", "facebook", "walk-in")
YOUNGEST = date(2004, 1, 1)


class Population:
    """Puts contacts into a location as if they had always been there: no request, no lag, no count.

    Args:
        account: the location.
        at: when they were entered.
        seed: makes the strangers.
    """

    def __init__(self, account: Account, at: float, seed: int) -> None:
        """Take the location."""
        self._account = account
        self._at = at
        self._random = random.Random(seed)

    def fill(
        self, count: int, patients: Sequence[Person] = (), *, same_person: int = 20, shared_email: int = 10
    ) -> list[str]:
        """Add `count` people and return their ids.

        The first `same_person` are patients by name and birth date, the next `shared_email` are other people
        who use a patient's address; both as far as `patients` (`first_name`, `last_name`, `date_of_birth`,
        `email`, `phone`) reach. The rest are strangers.
        """
        known = [one for one in patients if one.get("date_of_birth") and one.get("last_name")][:same_person]
        taken = {one["email"].lower() for one in known if one.get("email")}
        addressed = [one for one in patients if one.get("email") and one["email"].lower() not in taken]
        people = [self._known(number, one) for number, one in enumerate(known)]
        people += [self._sharer(one) for one in addressed[:shared_email]]
        people = people[:count]
        people += [self._stranger(number) for number in range(len(people), count)]
        return [self._add(person) for person in people]

    def _known(self, number: int, person: Person) -> Document:
        """Return a patient as a receptionist entered them, every second time with the e-mail address."""
        fields = {
            "firstName": person["first_name"],
            "lastName": person["last_name"],
            "dateOfBirth": str(person["date_of_birth"])[:10],
            "tags": [self._random.choice(TAGS)],
        }
        if number % 2 and person.get("email"):
            fields["email"] = person["email"]
        return fields

    def _sharer(self, person: Person) -> Document:
        return {**self._stranger_name(), "email": person["email"], "tags": ["family"]}

    def _stranger(self, number: int) -> Document:
        name = self._stranger_name()
        born = YOUNGEST - timedelta(days=self._random.randrange(60 * 365))
        address = f"{name['firstName']}.{name['lastName']}.{number}@example.net".lower()
        return {
            **name,
            "email": address,
            "phone": f"+6125550{number:04d}",
            "dateOfBirth": born.isoformat(),
            "city": self._random.choice(("Ballarat", "Cairns", "Hobart")),
            "country": "AU",
            "source": "website",
            "tags": self._random.sample(TAGS, self._random.randrange(3)),
            "dndSettings": {"Email": {"status": "active"}} if number % 7 == 0 else {},
        }

    def _stranger_name(self) -> dict[str, str]:
        return {"firstName": self._random.choice(FIRST_NAMES), "lastName": self._random.choice(LAST_NAMES)}

    def _add(self, fields: Document) -> str:
        account = self._account
        contact = new_contact(account, {key: value for key, value in fields.items() if value}, self._at)
        emails = account.email_holders.get(contact.get("email", "").lower())
        if emails and not account.options.allow_duplicates:
            contact.pop("email")
        account.put_contact(contact, self._at, lag=0)
        self._furnish(contact["id"])
        return str(contact["id"])

    def _furnish(self, contact: str) -> None:
        """Give every third one a note and every fifth a task, so that there is something to leave alone."""
        account = self._account
        if self._random.randrange(3) == 0:
            self._hang("notes", "note", contact, {"body": "Called about opening hours", "pinned": False})
        if self._random.randrange(5) == 0:
            owner = next(iter(account.users))
            task = {"title": "Call back", "dueDate": "2026-01-15T09:00:00Z", "completed": False}
            self._hang("tasks", "task", contact, {**task, "assignedTo": owner})

    def _hang(self, table: str, kind: str, contact: str, fields: Document) -> None:
        account = self._account
        row = {"id": account.next_id(kind), "contactId": contact, **fields}
        rows: dict[str, Document] = getattr(account, table)
        rows[row["id"]] = (
            {**row, "dateAdded": account.stamp(self._at)["dateAdded"]} if kind == "note" else row
        )
        account.add_child(table, contact, row["id"])
