"""Make a whole clinic, the same for the same seed, size and day."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from sandbox.clinic.around import add_contacts, add_surroundings
from sandbox.clinic.builder import Builder
from sandbox.clinic.hours import add_hours
from sandbox.clinic.money import add_invoices
from sandbox.clinic.names import FIRST_NAMES, LAST_NAMES
from sandbox.clinic.notes import add_note_templates, add_notes
from sandbox.clinic.papers import add_files, add_forms, add_messages
from sandbox.clinic.patients import add_patients
from sandbox.clinic.setup import set_up
from sandbox.clinic.visits import add_visits

if TYPE_CHECKING:
    from datetime import datetime

    from sandbox.cliniko.account import Account


def build_clinic(seed: int, patients: int, now: datetime | None = None) -> Account:
    """Return an account with that many patients; from forty on every awkward case is among them.

    `now` is the day the clinic lives in, by default today: appointments lie before and after it.
    """
    build = Builder(seed, now)
    clinic = set_up(build)
    add_contacts(build, clinic)
    add_note_templates(build, clinic)
    rows = add_patients(build, clinic, patients)
    whole = [row for row in rows if "merged_at" not in row]
    visits = add_visits(build, clinic, whole)
    add_notes(build, clinic, visits)
    add_invoices(build, clinic, visits)
    add_surroundings(build, clinic, whole, visits)
    add_files(build, clinic, whole)
    add_forms(build, clinic, visits)
    add_messages(build, visits)
    add_hours(build, clinic)
    return build.account


def fill_patients(account: Account, count: int, *, first_created: datetime, seed: int = 0) -> None:
    """Add plain patients, one a minute, for tests of lists with very many rows."""
    for number in range(count):
        created = first_created + timedelta(minutes=number)
        moment = created.strftime("%Y-%m-%dT%H:%M:%SZ")
        account.insert(
            "patients",
            {
                "created_at": moment,
                "first_name": FIRST_NAMES[(number + seed) % len(FIRST_NAMES)],
                "last_name": LAST_NAMES[number // len(FIRST_NAMES) % len(LAST_NAMES)],
                "email": f"bulk.{number}@example.org",
            },
        )
