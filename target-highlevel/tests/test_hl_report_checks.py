"""The report of a verification and of a rollback: what it says first, its tables, its schema."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hl_report_ledger import CONTACTS, ReportedLedger, a_clinic, a_rollback, a_verification, ledger_at
from jsonschema import Draft202012Validator

from target_highlevel.ledger.rows import NO_NOTES
from target_highlevel.ledger.tables import audit
from target_highlevel.ledger.undo import Undo
from target_highlevel.report.content import RunFacts, gather
from target_highlevel.report.differences import Difference, DifferenceTable, Kind
from target_highlevel.report.page import run_page
from target_highlevel.report.undone import done_by
from target_highlevel.rollback.act import Hand
from target_highlevel.rollback.touched import Marks

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


def test_every_value_stands_under_its_own_heading(reported: ReportedLedger, tmp_path: Path) -> None:
    """What people changed and what could not be read have columns and numbers of their own, and the numbers add up."""
    table = DifferenceTable()
    found = [
        Difference("patients/1", "contact", "city", Kind.KEPT, "Bern", "Basel"),
        Difference("patients/2", "contact", "city", Kind.DIFFERENT, "Bern", "Basel"),
        Difference("patients/3", "contact", "phone", Kind.KEPT, "1", "2"),
        Difference("patients/4", "file", "file_sha256", Kind.UNREADABLE, "1", None, "refused"),
        Difference("patients/4", "contact", "email", Kind.EQUAL),
    ]
    table.write(tmp_path / "differences.csv", found)
    said = a_verification(table.first, different=1)
    said |= {"fields_compared": 5, "equal": 1, "normalised": 0, "kept": 2, "unreadable": 1}
    page = run_page(
        gather(reported.ledger, reported.run, RunFacts(), 5, differences=table.summary(), verification=said)
    )
    differing, agreeing = re.findall(r"<caption[^>]*>For each field .*?</table>", page, re.DOTALL)
    for each in (differing, agreeing):
        heads, *rows = (re.findall(r"<t[hd] ", row) for row in re.findall(r"<tr .*?</tr>", each))
        assert {len(row) for row in rows} == {len(heads)}
    city = re.search(r"<code>city</code></th>(.*?)</tr>", differing)
    assert city is not None
    assert re.findall(r'data-name="([^"]+)">(\d+)<', city[1]) == [
        ("equal", "0"), ("normalised", "0"), ("changed by people", "1"), ("not readable", "0"), ("different", "1"),
        ("missing", "0"), ("extra", "0"),
    ]  # fmt: skip
    assert "<code>phone</code>" in differing  # what a person changed is a difference, wherever it may stay
    assert "not readable" not in agreeing
    told = "1 equal, 0 normalised, 2 changed by people, 1 not readable, 1 different, 0 missing and 0 extra."
    assert f"5 values were compared: {told}" in page


def test_what_could_not_be_read_and_what_was_accepted_is_not_called_the_same(
    reported: ReportedLedger,
) -> None:
    """A list that was not read is no record that could be counted; what people entered stays another value once accepted."""
    cases: list[tuple[int, bool, dict[str, int], dict[str, int], str, str, list[str]]] = [
        (6, False, {"unreadable": 1, "unreadable_lists": 1}, {}, "attention",
         "As far as HighLevel shows it, all agrees with Cliniko; 1 list of records could not be read back.",
         ["list of records that could not be read back"]),
        (5, False, {"unreadable": 1, "different": 1}, {"different": 1}, "attention",
         "Not quite: 1 record differs in HighLevel.",
         ["record with other values than Cliniko"]),
        (6, False, {"unreadable": 3, "unreadable_lists": 2}, {"unreadable": 1}, "attention",
         "As far as HighLevel shows it, all agrees with Cliniko; 1 record and 2 lists of records could not be read back.",
         ["record that could not be read back", "lists of records that could not be read back"]),
        (6, True, {"unreadable": 1}, {"unreadable": 1, "kept": 1}, "attention",
         ("As far as HighLevel shows it, all else agrees with Cliniko; 1 record holds what people entered, 1 record could not"
          " be read back."),
         ["record that could not be read back"]),
        (0, True, {"kept": 3}, {"kept": 2}, "good",
         "Yes: all else agrees with Cliniko; 2 records hold what people entered, which this migration is set to accept.", []),
        (0, True, {"kept": 3}, {"kept": 1, "rejected": 1}, "good",
         ("Yes: all else agrees with Cliniko; 1 record holds what people entered, 1 record was refused,"
          " which this migration is set to accept."),
         []),
        (5, False, {"kept": 3}, {"kept": 1}, "attention",
         "Not quite: 1 record holds what people entered, as the setting overwrite allows.",
         ["record with what people entered"]),
    ]  # fmt: skip
    for code, accepted, values, records, tone, sentence, tasks in cases:
        said = a_verification([])
        said |= values
        said["totals"] |= records
        told = gather(
            reported.ledger, reported.run, RunFacts(accept_rejects=accepted), code, verification=said
        )
        assert told["verdict"] == {"tone": tone, "sentence": sentence}
        assert [
            item["what"] for item in told["to_do"] if item["section"] in {"differences", "unreadable"}
        ] == tasks


def test_what_a_killed_run_had_created_is_counted_as_removed(reported: ReportedLedger) -> None:
    """A rollback that finds it and takes it out again has linked nothing: the report says of it once what became of it."""
    undone_run, rollback = reported.ledger.runs()[0]["id"], reported.run
    reported.resume(undone_run)
    reported.receive(CONTACTS, "patients/90")
    [row] = reported.work.claim(1, ())
    reported.work.intend(row, "create", "contacts")
    reported.resume(rollback)
    undo = Undo(reported.ledger, rollback, undone_run)
    [unclear] = [each for each in undo.unclear() if each.source_id == "patients/90"]
    undo.own(unclear, "hl-90", {}, NO_NOTES)
    undo.removed(unclear)
    assert done_by(reported.ledger, rollback) == {
        "removed": 1, "restored": 0, "linked_again": 0, "gone_already": 0,
    }  # fmt: skip


def test_what_nobody_can_tell_any_more_is_left_alone_and_not_gone(reported: ReportedLedger) -> None:
    """It is listed among what was left alone; counted as gone as well, it would be two."""
    undone_run, rollback = reported.ledger.runs()[0]["id"], reported.run
    undo = Undo(reported.ledger, rollback, undone_run)
    hand = Hand(undo, Marks(reported.ledger.salt, {}), {}, lambda: "")
    first, second = (undo.row(f"contact:patients/{number}") for number in (1, 2))
    assert first is not None
    assert second is not None
    hand.gone(first)
    hand.gone(second, is_proven=False)
    assert done_by(reported.ledger, rollback)["gone_already"] == 1
