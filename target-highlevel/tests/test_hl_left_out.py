"""What `move:` of the mapping leaves behind is counted with its reason, holds nothing up, and comes when it is wanted."""

from __future__ import annotations

import json
import random
import time
from collections import Counter
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from hl_loading import Loader, a_sandbox, tap_lines

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sandbox.cliniko.account import Account

OLDEST = "oldest_visit: 2025-06-01, oldest_note: 2025-06-01, oldest_invoice: 2025-06-01"


@pytest.fixture
def started(tmp_path: Path) -> Iterator[Loader]:
    """A clinic of a dozen patients, some of them archived."""
    with a_sandbox(12) as sandbox:
        account = sandbox.cliniko.account
        for patient in list(account.tables["patients"])[:3]:
            account.update(
                "patients", patient, {"archived_at": "2026-01-05T00:00:00Z"}, bump=False
            )  # long ago
        yield Loader(sandbox, tmp_path, {"MAPPING": str(tmp_path / "mapping.yml")})


def change(account: Account, chance: random.Random) -> None:
    """Change some rows of every kind, those of archived patients among them."""
    for resource, name in (
        ("individual_appointments", "notes"),
        ("attendees", "notes"),
        ("treatment_notes", "title"),
        ("invoices", "notes"),
        ("invoice_items", "name"),
        ("medical_alerts", "name"),
        ("patient_attachments", "description"),
        ("patient_cases", "notes"),
    ):
        for key in chance.sample(list(account.tables[resource]), min(8, len(account.tables[resource]))):
            account.update(resource, key, {name: f"Edited {chance.randrange(10**6)}"})


def reasons(loader: Loader) -> Counter[str]:
    """Return for how many records of the newest run each reason of leaving out was given."""
    found: Counter[str] = Counter()
    for row in loader.newest_report()["filtered"]:
        found[row["reason"]] += row["count"]
    return found


def settled(loader: Loader, lines: list[str], **more: str) -> Any:
    """Load lines; make sure that the counts close and that nothing is held."""
    loaded = loader.load(lines, ACCEPT_REJECTS="true", **more)
    assert loaded.code == 0, loaded.log[-2000:]
    assert loaded.report["closes_to_zero"]
    assert loaded.report["held"] == [], json.dumps(loaded.report["held"])
    return loaded


def loads(loader: Loader, move: str, *why: str) -> None:
    """Plan, load, change rows of all kinds and load that, verify."""
    (loader.folder / "mapping.yml").write_text(f"move: {{{move}}}")
    lines = tap_lines(loader.sandbox, loader.folder)
    settled(loader, lines, MODE="plan")
    planned = reasons(loader)
    loaded = settled(loader, lines)
    assert reasons(loader) == planned
    assert set(why) <= set(planned)
    change(loader.sandbox.cliniko.account, random.Random(1))  # noqa: S311 - repeatable
    time.sleep(1.1)  # the tap reads up to the second before this one
    loaded = settled(loader, tap_lines(loader.sandbox, loader.folder, loaded.states[-1]))
    (loader.folder / "state.json").write_text(loaded.states[-1], encoding="utf-8")
    settled(loader, tap_lines(loader.sandbox, loader.folder), MODE="verify", SHOW_VALUES="true")
    assert not loader.sandbox.highlevel.state.doubles()


@pytest.mark.soak
def test_what_is_old_deleted_or_switched_off_is_counted(started: Loader) -> None:
    """In the plan, the load, a delta that changes rows of what was left behind, and a verification."""
    move = f"deleted_records: false, files: false, {OLDEST}"
    loads(started, move, "deleted_left_out", "too_old", "type_not_migrated")


def test_an_archived_patient_stays_behind_with_all_that_is_theirs(started: Loader) -> None:
    """Until Cliniko takes one out of the archive: then the next delta brings all of it, as any other load would have."""
    loads(started, "archived_patients: false", "archived_left_out")
    state = (started.folder / "state.json").read_text(encoding="utf-8")
    account, archived = started.sandbox.cliniko.account, started.sandbox.cliniko.account.tables["patients"]
    back = [row["id"] for row in archived.rows() if row.get("archived_at") and not row.get("merged_at")]
    for patient in back:
        account.unarchive("patients", patient)
    time.sleep(1.1)
    settled(started, tap_lines(started.sandbox, started.folder, state))
    there = started.sandbox.highlevel.state.sources()["contacts"]
    assert {f"patients/{patient}" for patient in back} <= set(there)
    verified = settled(started, tap_lines(started.sandbox, started.folder), MODE="verify", SHOW_VALUES="true")
    assert verified.report["verification"]["missing"] == 0


def test_what_is_archived_after_it_was_loaded_is_closed(started: Loader) -> None:
    """Left out it would stay as it was in HighLevel: an open task, a note in force, an invoice to be paid, a patient in care."""
    (started.folder / "mapping.yml").write_text("move: {deleted_records: false, archived_patients: false}")
    account, state = started.sandbox.cliniko.account, started.sandbox.highlevel.state
    loaded = settled(started, tap_lines(started.sandbox, started.folder))
    archived: dict[str, str] = {}
    for resource in ("individual_appointments", "treatment_notes", "invoices", "patients"):
        archived[resource] = next(
            key for key in account.tables[resource] if f"{resource}/{key}" in said(state)
        )
        account.archive(resource, archived[resource])
    time.sleep(1.1)
    settled(started, tap_lines(started.sandbox, started.folder, loaded.states[-1]))
    visit, note, invoice, patient = (said(state)[f"{resource}/{key}"] for resource, key in archived.items())
    assert (visit["completed"], visit["title"].partition(": ")[0]) == (True, "Removed")
    assert "[Archived" in note["title"]
    assert invoice["properties"]["record_state"] == "archived"
    assert "archived" in patient["tags"]
    settled(started, tap_lines(started.sandbox, started.folder), MODE="verify", SHOW_VALUES="true")


def test_what_has_lost_its_patient_says_nothing_of_one_any_more(started: Loader) -> None:
    """An invoice that is nobody's counts in nobody's sums, though it does not say whose it was."""
    account, state = started.sandbox.cliniko.account, started.sandbox.highlevel.state
    (started.folder / "mapping.yml").write_text("{}")
    loaded = settled(started, tap_lines(started.sandbox, started.folder))
    invoice = next(
        row
        for row in account.tables["invoices"].rows()
        if not row.get("archived_at") and not row.get("deleted_at") and Decimal(str(row["total_amount"]))
    )

    whose = f"patients/{invoice['patient_id']}"

    def total() -> Decimal:
        contact = said(state)[whose]
        return Decimal(str(contact["customFields"]["contact.cliniko_invoiced_total"]))

    before = total()
    account.update("invoices", invoice["id"], {"patient_id": None})
    time.sleep(1.1)
    settled(started, tap_lines(started.sandbox, started.folder, loaded.states[-1]))
    assert total() == before - Decimal(str(invoice["total_amount"]))


def said(state: Any) -> dict[str, dict[str, Any]]:
    """Return every contact, task, note and invoice in HighLevel by the record of Cliniko that it stands for."""
    there = state.dump()
    found = {item["customFields"]["contact.source_system_id"]: item for item in there["contacts"]}
    hanging = [item for contact in there["contacts"] for item in (*contact["tasks"], *contact["notes"])]
    found |= {item["body"].rpartition("cliniko:")[2].strip(): item for item in hanging}
    return found | {
        item["properties"].get("source_system_id"): item
        for item in there["records"]
        if "invoice_number" in item["properties"]
    }
