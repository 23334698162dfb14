"""Ledgers of both kinds, and mapped records for them that are as small as can be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from target_highlevel.descriptor import Association, FieldSpec, Incoming, StreamSpec
from target_highlevel.ledger.intake import Intake
from target_highlevel.ledger.ledger import Ledger
from target_highlevel.ledger.partials import OWN
from target_highlevel.ledger.rows import Outcome, Row
from target_highlevel.ledger.work import Work

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from postgres_server import PostgresServer

LOCATION = "place1"

CONTACTS = StreamSpec(
    stream="hl_contacts",
    kind="contact",
    object="contact",
    fields={
        "name": FieldSpec("name"),
        "tags": FieldSpec("tags", fold="union"),
        "owner": FieldSpec("owner", fold="owner"),
    },
)
PROFILES = StreamSpec(
    stream="hl_profiles",
    kind="custom_object",
    object="custom_objects.profile",
    fields={"name": FieldSpec("name"), "alerts": FieldSpec("alerts", fold="lines")},
    associations=(Association("of", "custom_objects.profile", "Profile", "contact", "Contact"),),
)
NOTES = StreamSpec(stream="hl_notes", kind="note", object="note", fields={"body": FieldSpec("body")})
CALENDARS = StreamSpec(
    stream="hl_calendars", kind="calendar", object="calendar", fields={"name": FieldSpec("name")}
)
USERS = StreamSpec(stream="hl_users", kind="user", object="user", fields={"email": FieldSpec("email")})
SPECS = {spec.stream: spec for spec in (CONTACTS, PROFILES, NOTES)}


def contact(number: int, **more: Any) -> Incoming:
    """Return the mapped record of a patient."""
    fields = more.pop("fields", {"name": f"Patient {number}"})
    return Incoming(spec=CONTACTS, source_id=f"patients/{number}", fields=fields, **more)


def note(number: int, patient: int, **more: Any) -> Incoming:
    """Return the mapped record of a note on a patient's contact."""
    fields = more.pop("fields", {"body": f"Note {number}"})
    key = f"treatment_notes/{number}"
    return Incoming(spec=NOTES, source_id=key, fields=fields, contact=f"patients/{patient}", **more)


def profile(number: int, *, related: bool = True, **more: Any) -> Incoming:
    """Return the mapped record of a patient's profile, by default related to the patient's contact."""
    relations = (("of", f"contact:patients/{number}"),) if related else ()
    fields = more.pop("fields", {"name": f"Profile {number}"})
    return Incoming(spec=PROFILES, source_id=f"patients/{number}", fields=fields, relations=relations, **more)


def calendar(number: int, **more: Any) -> Incoming:
    """Return the mapped record of an appointment type."""
    fields = more.pop("fields", {"name": f"Type {number}"})
    return Incoming(spec=CALENDARS, source_id=f"appointment_types/{number}", fields=fields, **more)


def practitioner(number: int, user: str | None) -> Incoming:
    """Return the record of a practitioner whom this HighLevel user stands for, or nobody."""
    fields = {"email": f"{user}@example.org"}
    return Incoming(
        spec=USERS,
        source_id=f"practitioners/{number}",
        fields=fields,
        resolved=(user, None if user else "no_user"),
    )


def part(number: int, contributor: str, **more: Any) -> Incoming:
    """Return what another record (an appointment) says about a patient."""
    return contact(number, part=contributor, **more)


def given(desk: Desk, item: Incoming) -> list[tuple[str, dict[str, Any]]]:
    """Return what others contribute to a record."""
    return [(part, fields) for part, fields in desk.work.contributions(desk.row(item)) if part != OWN]


def address(backend: str, folder: Path, postgres: PostgresServer | None) -> str:
    """Return the address of an empty ledger."""
    if backend == "sqlite":
        return f"sqlite:///{folder}/ledger.db"
    assert postgres is not None
    return postgres.url(postgres.new_database())


@dataclass
class Desk:
    """A ledger with its two users: one takes records in, the other works them off."""

    url: str
    ledger: Ledger
    run: str
    intake: Intake
    work: Work

    @classmethod
    def open(cls, url: str, location: str = LOCATION) -> Desk:
        """Begin a run."""
        return cls.begun(url, Ledger(url, location))

    @classmethod
    def begun(cls, url: str, ledger: Ledger) -> Desk:
        """Begin a run with an open ledger."""
        run = ledger.begin_run("load")
        return cls(url, ledger, run, Intake(ledger, run), Work(ledger, run))

    def next_run(self) -> None:
        """End this run and begin another one with the same ledger."""
        self.ledger.close()
        new = Desk.open(self.url, self.ledger.location)
        self.ledger, self.run, self.intake, self.work = new.ledger, new.run, new.intake, new.work

    def take(self, *items: Incoming) -> None:
        """Take records in, in one chunk."""
        self.intake.take(items)

    def row(self, item: Incoming | str) -> Row:
        """Return a record that must be there."""
        found = self.work.row(item if isinstance(item, str) else item.ref)
        assert found is not None
        return found

    def status(self, item: Incoming | str) -> tuple[str, str | None]:
        """Return where a record stands, and why."""
        row = self.row(item)
        return row.status, row.reason

    def claimed(self) -> list[str]:
        """Return what could be written now, in this order."""
        return [row.ref for row in self.work.claim(1000, ())]

    def write(self, item: Incoming | str) -> Row:
        """Bring a record into HighLevel, as far as the ledger is concerned."""
        row = self.row(item)
        action = "update" if row.hl_id else "create"
        self.work.intend(row, action, "things", fields=row.fields)
        outcome = Outcome.UPDATED if row.hl_id else Outcome.CREATED
        self.work.settle(
            row, outcome, hl_id=row.hl_id or f"hl-{row.ref}", written=dict.fromkeys(row.fields, "hash")
        )
        return self.row(row.ref)

    def write_all(self) -> list[str]:
        """Write whatever is ready, until nothing is; return what was written, in this order."""
        return list(self._written())

    def _written(self) -> Iterator[str]:
        while rows := self.work.claim(1, ()):
            self.write(rows[0].ref)
            yield rows[0].ref

    def numbers(self, query: str, **values: Any) -> Sequence[Any]:
        """Look into the tables."""
        with self.ledger.transaction() as connection:
            return [tuple(row) for row in connection.execute(sa.text(query), values)]
