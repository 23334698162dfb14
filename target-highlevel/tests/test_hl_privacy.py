"""A load full of failures about unmistakable people: no word of theirs stands anywhere but in the ledger."""

from __future__ import annotations

import json
import stat
from typing import TYPE_CHECKING, Any

import pytest
from hl_loading import Loader, tap_lines
from hl_undoing import changed

from sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from hl_loading import Clinic

MARK = "Zarathustra"
#: Fields of Cliniko that say something of a person, and what stands in them here; an address must look like one.
PERSONAL = (
    "first_name", "last_name", "preferred_first_name", "preferred_name", "occupation", "address_1", "address_2", "address_3",
    "city",
    "emergency_contact", "notes", "invoice_extra_information", "appointment_notes", "reminder_note", "medicare", "company_name",
    "name", "title", "issue", "author_name", "description",
    "billing_information", "old_reference_id", "dva_card_number", "subject",
)  # fmt: skip
TABLES = (
    "patients", "contacts", "medical_alerts", "patient_cases", "individual_appointments", "group_appointments", "attendees",
    "treatment_notes", "invoices", "referral_sources", "communications", "patient_attachments", "relationships",
)  # fmt: skip
EMAIL = f"{MARK.lower()}@secret-mail.example.org"


def seed(sandbox: Sandbox) -> int:
    """Put the mark into every personal field of the clinic; return how many were filled."""
    number = 0
    for name in TABLES:
        table = sandbox.cliniko.account.tables.get(name)
        for row in table.rows() if table else ():
            for field, value in row.items():
                if field in PERSONAL and isinstance(value, str) and value:
                    row[field] = f"{MARK} {value}"
                    number += 1
                elif field == "email" and value:
                    row[field] = f"{number}{EMAIL}"
                    number += 1
                elif field == "content" and isinstance(value, dict):
                    row[field] = json.loads(json.dumps(value).replace('"answer": "', f'"answer": "{MARK} '))
    return number


@pytest.fixture
def marked(tmp_path: Path) -> Iterator[tuple[Loader, list[str]]]:
    """A clinic of marked people, and what the tap says of it."""
    options = {"burst_limit": 100_000, "search_lag": 0.2}
    with Sandbox(seed=1, patients=8, cliniko={"requests_per_minute": 0}, highlevel=options) as sandbox:
        assert seed(sandbox) > 100
        lines = tap_lines(sandbox, tmp_path)
        assert sum(MARK in line for line in lines) > 40
        yield Loader(sandbox, tmp_path), lines


def fail_often(loader: Loader) -> None:
    """Refuse with the very words that were sent, lose answers, break them."""
    said = {
        "statusCode": 422,
        "message": [f"lastName {MARK} is not valid", f"property {MARK} should not exist"],
    }
    control = loader.sandbox.highlevel.control
    faults: list[dict[str, Any]] = [
        {"match": {"method": "POST", "path_regex": "^/contacts/$", "nth": [4, 9]}, "action": "status",
         "status": 422, "body": said},
        {"match": {"method": "POST", "path_regex": "/records$", "every": 7}, "action": "status", "status": 400, "body": said},
        {"match": {"method": "POST", "path_regex": "/notes$", "every": 4}, "action": "drop_after"},
        {"match": {"method": "POST", "path_regex": "/tasks$", "every": 6}, "action": "truncate"},
        {"match": {"method": "POST", "path_regex": "/tasks$", "every": 11}, "action": "html"},
        {"match": {"method": "POST", "path_regex": "/forms/", "nth": 1}, "action": "status", "status": 413, "body": said},
    ]  # fmt: skip
    for fault in faults:
        control.add_fault(fault)


def test_nobody_is_named_anywhere(marked: tuple[Loader, list[str]]) -> None:
    """Logs at their loudest, states, reports and refusals of a load, a retry and broken input hold no personal word."""
    loader, lines = marked
    fail_often(loader)
    loud = {"LOGLEVEL": "DEBUG"}
    loaded = loader.load(lines, **loud)
    assert loaded.code == 4, loaded.log[-2000:]
    assert loaded.report["totals"]["rejected"] > 3
    retried = loader.tool("retry", **loud)
    person = next(line for line in lines if MARK in line and '"RECORD"' in line)
    broken = loader.load([*lines[:3], person[: len(person) // 2]], **loud)
    assert broken.code == 1
    texts = {
        "log": loaded.log,
        "states": "\n".join(loaded.states),
        "retry": retried.stderr + retried.stdout,
        "broken": broken.log,
        **{
            str(path): path.read_text(encoding="utf-8-sig")
            for path in (loader.folder / "reports").rglob("*")
            if path.is_file()
        },
    }
    assert len(texts) > 8
    for name, text in texts.items():
        found = text.lower().find(MARK.lower())
        assert found < 0, (name, text[max(found - 120, 0) : found + 40])
    side = loader.sandbox.highlevel
    for secret in (side.access_token, side.agency_token):
        assert not [name for name, text in texts.items() if secret in text]
    assert mode(loader.folder / "ledger.db") == 0o600
    assert mode(next((loader.folder / "reports").glob("*"))) == 0o700


def mode(path: Path) -> int:
    """Return who may do what with a file."""
    return stat.S_IMODE(path.stat().st_mode)


def test_values_are_in_a_report_only_where_they_were_asked_for(
    small_clinic: Clinic, highlevel: Callable[..., Loader]
) -> None:
    """Table, page and JSON show them with `show_values`; log and ledger do not hold them, so a report written again neither."""
    loader = highlevel()
    small_clinic.restore(loader)
    moved = changed(small_clinic.lines, "patients", "city", MARK)

    def shown(run: str) -> set[str]:
        folder = loader.folder / "reports" / run
        return {path.name for path in folder.iterdir() if MARK in path.read_text(encoding="utf-8-sig")}

    masked = loader.load(moved, MODE="verify")
    assert (masked.code, shown(masked.report["run_id"])) == (5, set())
    for mode, code in (("plan", 0), ("verify", 5)):
        asked = loader.load(moved, MODE=mode, SHOW_VALUES="true")
        run = asked.report["run_id"]
        assert asked.code == code, asked.log[-2000:]
        assert shown(run) == {"differences.csv", "report.json", "report.html"}
        assert MARK not in asked.log
        assert loader.tool("report", "--run", run, SHOW_VALUES="true").returncode == 0
        assert shown(run) == {"differences.csv"}
        assert asked.report["shows_values"]
        if mode == "plan":
            told = asked.report["plan"]
            people = [
                *told["owners"]["practitioners"],
                *(user for group in told["note_readers"].values() for user in group),
            ]
            mails = {item["email"] for item in people} - {None}
            page = (loader.folder / "reports" / run / "report.html").read_text(encoding="utf-8")
            assert mails
            assert not [mail for mail in mails if mail in page]  # the one that was written again
    assert not [path for path in loader.folder.glob("ledger.db*") if MARK.encode() in path.read_bytes()]
