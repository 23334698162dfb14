"""What deltas make of HighLevel is what a load of the same clinic into an empty sub-account makes of it."""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING, Any

import pytest
from hl_loading import Loader, a_sandbox, content, tap_lines

from sandbox.cliniko.account import timestamp
from sandbox.cliniko.changes import apply_change, random_change
from target_highlevel.crashpoints import CRASH_POINTS

if TYPE_CHECKING:
    from pathlib import Path

    from sandbox import Sandbox
    from sandbox.cliniko.account import Account

PATIENTS, ROUNDS, CHANGES = 12, 2, 60
DAY = 86_400
#: What hangs on contacts: list, field of the text with the marker, field of the user.
HANGING = (
    ("tasks", "body", ("assignedTo",)),
    ("notes", "body", ("userId",)),
    ("appointments", "description", ("assignedUserId", "calendarId")),
)
SEAMS = [point for point in CRASH_POINTS if not point.endswith("_state")]
#: Few for every day, many for `make soak`.
SEEDS = [5, *(pytest.param(seed, marks=pytest.mark.soak) for seed in (12, *range(100, 140)))]


def edits(account: Account, chance: random.Random) -> list[tuple[str, dict[str, Any]]]:
    """Return changes of what the mapping looks at, one for each way in which clinics change it."""

    def some(resource: str) -> str:
        return chance.choice(list(account.tables[resource]))

    number, starts = chance.randrange(10_000), account.clock() + chance.randrange(-20, 30) * DAY
    phone = [{"number": f"02 5550 {number:04}", "phone_type": "Work"}]
    return [
        ("patients", {"email": f"new{number}@example.org"}),
        ("patients", {"first_name": f"Neu{number}", "date_of_birth": "1980-01-02"}),
        ("patients", {"accepted_email_marketing": chance.choice([True, False])}),
        (
            "patients",
            {"invoice_default_to": chance.choice(["Sample Mutual", "Another Health Insurance", ""])},
        ),
        ("invoices", {"status": 20, "status_description": "Paid", "closed_at": timestamp(account.clock())}),
        ("invoice_items", {"quantity": f"{number % 9 + 1}.0"}),
        ("treatment_notes", {"draft": False, "finalized_at": timestamp(account.clock())}),
        ("individual_appointments", {"starts_at": timestamp(starts), "ends_at": timestamp(starts + 1800)}),
        (
            "individual_appointments",
            {
                "practitioner_id": some("practitioners"),
                "appointment_type_id": some("appointment_types"),
                "business_id": some("businesses"),
            },
        ),
        ("practitioners", {"active": chance.random() < 0.5}),
        ("contacts", {"phone_numbers": phone}),
        ("billable_items", {"price": f"{number / 100:.2f}"}),
    ]


def work(sandbox: Sandbox, chance: random.Random) -> None:
    """Change the clinic in many ways, and let the second end in which it changed last."""
    account = sandbox.cliniko.account
    for _ in range(CHANGES):
        if chance.random() < 0.5:
            random_change(account, chance, without_deletions=True)
            continue
        resource, values = chance.choice(edits(account, chance))
        identity = chance.choice(list(account.tables[resource]))
        apply_change(account, {"op": "update", "resource": resource, "id": identity, "values": values})
    sandbox.cliniko.control.advance(1)


def held(state: Any) -> dict[str, Any]:
    """Return what HighLevel holds, each thing by its identity, but for what it is given once and for all.

    Given once: a note's author, the user in charge of a task or event, the calendar for what fits none, a file's name, and a
    patient's no to a channel, which only a yes takes back.
    """
    dump, found = content(state), {}
    for contact in dump["contacts"]:
        source = contact["customFields"]["contact.source_system_id"]
        for kind, text, once in HANGING:
            for item in contact.pop(kind):
                last = item[text].rpartition("\n")[2]
                if last.startswith("cliniko:"):
                    found[f"{kind} {last}"] = {**item, **dict.fromkeys(once), "contact": source}
        contact["dndSettings"] = None
        files = contact["customFields"].pop("contact.cliniko_files", ())
        contact["files"] = sorted(item["name"].partition("cliniko:")[2] for item in files)
        found[f"contact {source}"] = contact
    for record in dump["records"]:
        found[f"{record['object']} {record['properties']['source_system_id']}"] = record
    for relation in dump["relations"]:
        found[json.dumps(relation, sort_keys=True)] = relation
    return found


@pytest.mark.parametrize("seed", SEEDS)
def test_deltas_end_where_a_full_load_ends(seed: int, tmp_path: Path) -> None:
    """After two rounds of changes everything a fresh load makes is there and equal, and verification agrees."""
    settings = {"APPOINTMENTS_AS": "calendar_event" if seed % 2 else "task"}
    chance = random.Random(seed)  # noqa: S311 - repeatable
    kept, fresh = tmp_path / "kept", tmp_path / "fresh"
    for folder in (kept, fresh):
        folder.mkdir()
    with a_sandbox(PATIENTS, allow_duplicates=True) as sandbox, a_sandbox(1, allow_duplicates=True) as other:
        loader = Loader(sandbox, kept, settings)
        loaded = loader.load(tap_lines(sandbox, kept))
        for _ in range(ROUNDS):
            sandbox.cliniko.control.advance(1)
            work(sandbox, chance)
            crash = f"{chance.choice(SEAMS)}:{chance.randrange(1, 40)}"
            killed = loader.load(tap_lines(sandbox, kept, loaded.states[-1]), CRASH_AT=crash)
            state = (killed.states or loaded.states)[-1]
            loaded = loader.load(tap_lines(sandbox, kept, state))
            assert loaded.code in {0, 4}, loaded.log[-2000:]
            assert loaded.report["closes_to_zero"]
        lines = tap_lines(sandbox, kept)
        verified = loader.load(lines, MODE="verify")
        assert verified.code == 0, verified.log[-2000:]
        assert Loader(other, fresh, settings).load(lines).code in {0, 4}
        here, there = held(sandbox.highlevel.state), held(other.highlevel.state)
        (kept / "ledger.db").rename(kept / "lost.db")
        found = loader.load(lines)
        made = [row for row in found.report["objects"] if row["created"]]
        assert found.report["totals"]["created"] == 0, made
        assert held(sandbox.highlevel.state) == here
    assert any("cliniko:attendees/" in key for key in there)
    assert {key: here.get(key) for key in there} == there
