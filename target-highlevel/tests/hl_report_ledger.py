"""A real ledger in which records ended in every possible way, for the tests of the report."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from target_highlevel.descriptor import FieldSpec, StreamSpec, incoming
from target_highlevel.ledger.intake import Intake
from target_highlevel.ledger.ledger import Ledger
from target_highlevel.ledger.rows import NO_NOTES, Notes, Outcome
from target_highlevel.ledger.work import Work
from target_highlevel.report.handover import Handover
from target_highlevel.report.readback import read_back
from target_highlevel.report.undone import undone
from target_highlevel.rollback.result import Spared
from target_highlevel.settings import settings_from

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from target_highlevel.ledger.rows import Row

LOCATION = "loc_clinic"
#: Stands for everything personal a record carries; no file of a report may hold it.
PERSONAL = "Wilhelmina Featherstonehaugh"

CONTACTS, PROFILES, NOTES, FILES, USERS = (
    StreamSpec(stream, kind, object_)
    for stream, kind, object_ in (
        ("hl_contacts", "contact", "contact"),
        ("hl_patient_profiles", "custom_object", "custom_objects.cliniko_patient_profile"),
        ("hl_notes", "note", "note"),
        ("hl_files", "file", "file"),
        ("hl_users", "user", "user"),
    )
)


NAME = FieldSpec("name")


class Clock:
    """A clock that moves a second with every look."""

    def __init__(self) -> None:
        self.moment = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        """Return the next second."""
        self.moment += timedelta(seconds=1)
        return self.moment


class ReportedLedger:
    """A ledger, and one run that is under way in it."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger

    def begin(self, mode: str = "load") -> str:
        """Begin a run."""
        return self.resume(self.ledger.begin_run(mode))

    def resume(self, run: str) -> str:
        """Work for a run that was begun."""
        self.run = run
        self.work = Work(self.ledger, run)
        self.intake = Intake(self.ledger, run)
        return run

    def receive(self, spec: StreamSpec, source_id: str, **steering: Any) -> None:
        """Take one mapped record in, with a field that holds personal data."""
        described = StreamSpec(spec.stream, spec.kind, spec.object, fields={"name": NAME})
        record = {"source_id": source_id, "name": PERSONAL, **steering}
        self.intake.take([incoming(described, record)])

    def practitioner(self, source_id: str, user: str | None, reason: str | None = None) -> None:
        """Take a practitioner in who was looked for among the users of HighLevel."""
        item = incoming(USERS, {"source_id": source_id})
        self.intake.take([replace(item, resolved=(user, reason))])

    def write(self, outcome: Outcome = Outcome.CREATED, notes: Notes = NO_NOTES) -> None:
        """Write everything that is ready."""
        while rows := self.work.claim(100, ()):
            for row in rows:
                self.settle(row, outcome, notes)

    def settle(self, row: Row, outcome: Outcome, notes: Notes = NO_NOTES) -> None:
        """Write one record."""
        self.work.intend(row, "create", "things", fields=["name"])
        hl_id = row.hl_id or f"hl-{row.source_id.replace('/', '-')}"
        self.work.settle(row, outcome, hl_id=hl_id, written={"name": "hash"}, notes=notes)

    def reject(self, reason: str, field: str | None = None) -> None:
        """Have HighLevel refuse everything that is ready."""
        for row in self.work.claim(100, ()):
            self.work.intend(row, "create", "things")
            self.work.reject(row, reason, field)


def ledger_at(folder: Path) -> Ledger:
    """Open a ledger whose clock starts at the same moment in every test."""
    return Ledger(f"sqlite:///{folder / 'ledger.db'}", LOCATION, now=Clock())


def a_clinic(reported: ReportedLedger) -> None:
    """Load a clinic in which something of everything happens."""
    for number in range(1, 21):
        reported.receive(CONTACTS, f"patients/{number}")
        reported.receive(PROFILES, f"patients/{number}")
    reported.write()
    reported.receive(CONTACTS, "patients/21")
    reported.write(notes=Notes(withheld={"email": "another_record"}, tags=("shared-email",)))
    reported.receive(CONTACTS, "contacts/7")
    reported.write(Outcome.UPDATED, notes=Notes(conflicts=("phone",)))
    for number in range(1, 8):
        reported.receive(FILES, f"patient_attachments/{number}", contact="patients/1")
    reported.reject("file_too_large", "file_size")
    reported.receive(CONTACTS, "patients/22", rejected={"reason": "invalid_date", "field": "date_of_birth"})
    reported.receive(NOTES, "treatment_notes/1", contact="patients/1")
    reported.write()
    reported.receive(NOTES, "treatment_notes/2", contact="patients/22")
    reported.receive(CONTACTS, "patients/23", filtered="merged")
    reported.practitioner("practitioners/1", "user-1")
    reported.practitioner("practitioners/2", None, "no_user")
    reported.practitioner("practitioners/3", None, "inactive")


def handed_over(ledger: Ledger, runs: Sequence[str], folder: str = ".", **settings: Any) -> Handover:
    """Return the handover of these runs."""
    needed = {"access_token": "token", "location_id": LOCATION, "report_dir": folder}
    return Handover(ledger, settings_from({**needed, **settings}), runs)


def a_verification(first: list[dict[str, str]], **counts: int) -> dict[str, Any]:
    """Return what the report says after twenty patients were read back; the rest of them is equal."""
    names = ("normalised", "different", "missing", "filtered", "held", "rejected")
    outcomes = {name: counts.get(name, 0) for name in names}
    row = {
        "object": "contact",
        "resource": "patients",
        "source": 20,
        "equal": 20 - sum(outcomes.values()),
        **outcomes,
        "extra": counts.get("extra", 0),
        "difference": 0,
    }
    kinds = ("equal", "normalised", "different", "missing", "extra")
    told = {
        "fields_compared": 100,
        **{kind: row[kind] for kind in kinds},
        "normalised_because": [{"how": "letter_case", "meaning": "upper and lower case", "fields": 3}],
        "extra_because": {"doubled": row["extra"]} if row["extra"] else {},
        "objects": [row],
        "closes_to_zero": True,
        "records": 20,
        "requests": 4,
        "requests_per_record": 0.2,
        "seconds": 0.4,
    }
    return read_back(told, first)


def a_rollback(reported: ReportedLedger, run: str, *, left: int = 0, spared: int = 0) -> dict[str, Any]:
    """Return what the report says after a rollback of a run that left something, or spared it."""
    facts = {
        "undoes": run,
        "removed": 7,
        "restored": 1,
        "linked_again": 0,
        "gone_already": 0,
        "read_back": True,
        "created_left": left,
        "fields_differing": 0,
        "spared": spared,
        "left_behind": {"fields": ["contact.a"], "objects": [], "associations": [], "tags": ["patient"]},
    }
    ends = "contact:patients/1|custom_objects.cliniko_invoice:invoices/2"
    kept = [
        Spared("contact", f"patients/{number}", f"id{number}", "changed", ("city",))
        for number in range(spared)
    ]
    kept[-1:] = [Spared("relation", f"cliniko_invoice_contact|{ends}", "r", "its_record_is_spared")][:spared]
    there = [("contact", f"there{number}", "") for number in range(left)]
    return undone(reported.ledger, reported.run, facts, kept, there)
