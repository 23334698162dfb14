"""The report of a verification and of a rollback: what it says first, its tables, its schema."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hl_report_ledger import ReportedLedger, a_clinic, a_rollback, a_verification, ledger_at
from jsonschema import Draft202012Validator

from target_highlevel.ledger.tables import audit
from target_highlevel.report.content import RunFacts, gather
from target_highlevel.report.differences import Difference, DifferenceTable, Kind
from target_highlevel.report.page import run_page

if TYPE_CHECKING:
    from collections.abc import Iterator

SCHEMA = Path(__file__).resolve().parents[2] / "docs" / "report.schema.json"


@pytest.fixture
def reported(tmp_path: Path) -> Iterator[ReportedLedger]:
    """A clinic that was loaded, and a second run that has begun."""
    ledger = ledger_at(tmp_path)
    found = ReportedLedger(ledger)
    found.begin()
    a_clinic(found)
    found.begin("rollback")
    yield found
    ledger.close()


def verified(reported: ReportedLedger, folder: Path, **counts: int) -> dict[str, Any]:
    """Return the content of a verification's report in which so many records are not simply equal."""
    table = DifferenceTable()
    found = [
        Difference("patients/1", "contact", "city", Kind.DIFFERENT, "Bern", "Basel"),
        Difference("patients/2", "contact", "", Kind.EXTRA, None, "hlid123", "doubled"),
    ]
    table.write(folder / "differences.csv", found if counts.get("different") else [])
    said = a_verification(table.first, **counts)
    return gather(
        reported.ledger, reported.run, RunFacts(), 5, differences=table.summary(), verification=said
    )


def undone(reported: ReportedLedger, **counts: int) -> dict[str, Any]:
    """Return the content of a rollback's report."""
    said = a_rollback(reported, reported.ledger.runs()[0]["id"], **counts)
    code = 1 if counts.get("left") else 0
    return gather(reported.ledger, reported.run, RunFacts(), code, rollback=said)


@pytest.mark.parametrize(
    ("counts", "tone", "sentence"),
    [
        ({}, "good", "Yes: HighLevel holds what Cliniko holds."),
        ({"normalised": 3}, "good", "Yes: HighLevel holds what Cliniko holds."),
        ({"rejected": 1}, "attention", "Yes: all that went in agrees with Cliniko; 1 record was refused."),
        ({"rejected": 2, "held": 1}, "attention",
         "Yes: all that went in agrees with Cliniko; 2 records were refused, 1 is waiting."),
        ({"different": 1}, "attention", "Not quite: 1 record differs in HighLevel."),
        ({"different": 2, "missing": 1, "extra": 4}, "attention",
         "Not quite: 2 records differ, 1 is missing and 4 are extra in HighLevel."),
    ],
)  # fmt: skip
def test_a_verification_says_first_whether_both_sides_agree(
    reported: ReportedLedger, tmp_path: Path, counts: dict[str, int], tone: str, sentence: str
) -> None:
    """The sentence counts records, and what is the same in another spelling counts as the same."""
    content = verified(reported, tmp_path, **counts)
    assert content["verdict"] == {"tone": tone, "sentence": sentence}


@pytest.mark.parametrize(
    ("counts", "tone", "sentence"),
    [
        ({}, "good", "Undone: HighLevel is as it was before the run."),
        ({"spared": 1}, "attention", "Undone, and 1 record was left alone on purpose."),
        ({"left": 2}, "bad", "Not wholly undone: 2 records of the run are still there."),
    ],
)
def test_a_rollback_says_first_whether_the_run_is_undone(
    reported: ReportedLedger, counts: dict[str, int], tone: str, sentence: str
) -> None:
    """What was loaded and is undone asks nobody for anything; what is left does."""
    content = undone(reported, **counts)
    assert content["verdict"] == {"tone": tone, "sentence": sentence}
    *tasks, again = content["to_do"]
    assert len(tasks) == len(counts)
    assert "--full-refresh" in again["next_step"]


def test_both_obey_the_published_schema(reported: ReportedLedger, tmp_path: Path) -> None:
    """A program that reads report.json finds the verification and the rollback as promised."""
    validator = Draft202012Validator(json.loads(SCHEMA.read_text(encoding="utf-8")))
    for content in (
        verified(reported, tmp_path, different=1, extra=1),
        verified(reported, tmp_path),
        undone(reported, left=2, spared=3),
    ):
        assert [error.message for error in validator.iter_errors(json.loads(json.dumps(content)))] == []


def test_the_page_of_a_verification_shows_each_difference(reported: ReportedLedger, tmp_path: Path) -> None:
    """Counts by kind of record, the first differences masked, an extra record by its id, the cost."""
    page = run_page(verified(reported, tmp_path, different=1, extra=1, normalised=3))
    told = [int(value) for value in re.findall(r"<dd>(\d+)</dd>", page[: page.index("</header>")])]
    assert told == [19, 1, 1]
    left = run_page(verified(reported, tmp_path, filtered=2, held=1, rejected=3))
    told = [int(value) for value in re.findall(r"<dd>(\d+)</dd>", left[: left.index("</header>")])]
    assert told == [14, 0, 0, 2, 1, 3]  # every record that was looked at is in one of them
    assert "Patients → contacts" in page
    assert "(text), but another" in page
    assert "Bern" not in page
    assert "is there again: <code>hlid123</code>" in page
    assert "Upper and lower case" in page
    assert "4 requests, all of them reads: 0.2 for each of 20 records" in page


def test_the_page_of_a_rollback_lists_what_stays_by_reason(reported: ReportedLedger) -> None:
    """What was undone, the proof, and each record that was left alone under its reason."""
    with reported.ledger.transaction() as connection:
        made = audit.update().where(audit.c.status == "created", audit.c.object == "note")
        connection.execute(made.values(run=reported.run, status="removed_with_its_record"))
    content = undone(reported, left=1, spared=3)
    notes = [row for row in content["rollback"]["objects"] if row["object"] == "note"]
    assert [row["removed"] for row in notes] == [1]
    reasons = [(group["reason"], group["count"]) for group in content["rollback"]["spared_because"]]
    assert reasons == [("changed", 2), ("its_record_is_spared", 1)]
    page = run_page(content)
    (told,) = re.findall(r"<dt>.*removed, restored or linked again.*</dt><dd>(\d+)</dd>", page)
    assert told == "1"  # the sum of the table, whose last row says it again
    assert re.search(r">All</th><td [^>]*>1</td>", page)
    for said in (
        "Somebody changed it since.",
        "patients/1 - invoices/2",
        "there0",
        "Left alone on purpose: 3",
    ):
        assert said in page
