"""What is said of where both sides stand is true: on last lines, before going live, in the handover; from the ledger alone."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from hl_report_ledger import CONTACTS, ReportedLedger, handed_over, ledger_at

from target_highlevel.commands.records import runs_since
from target_highlevel.endings import complete, retried
from target_highlevel.errors import SettingsError
from target_highlevel.ledger.audit import head
from target_highlevel.ledger.counts import undone_records
from target_highlevel.ledger.money import Amount, MoneyRow
from target_highlevel.ledger.repair import TO_BE_REPAIRED, Repair
from target_highlevel.ledger.scratch import COPIED_AT
from target_highlevel.report import money, run_report
from target_highlevel.report.agreement import agreement
from target_highlevel.report.content import RunFacts, gather
from target_highlevel.report.moments import clinic_zone, moment
from target_highlevel.report.tables import write_table
from target_highlevel.report.verdict import verdict
from target_highlevel.report.window import window_content

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def reported(tmp_path: Path) -> Iterator[ReportedLedger]:
    """A ledger after a load of two patients, which has ended."""
    opened = ledger_at(tmp_path)
    reported = ReportedLedger(opened)
    reported.begin()
    for number in (1, 2):
        reported.receive(CONTACTS, f"patients/{number}")
    reported.write()
    ended(reported)
    yield reported
    opened.close()


def ended(reported: ReportedLedger, code: int = 0, **report: Any) -> str:
    """End the run that is under way; return its id."""
    reported.ledger.end_run(reported.run, code, {"report": report} if report else {})
    return reported.run


def verified(
    reported: ReportedLedger, code: int = 0, money: dict[str, Any] | None = None, **totals: int
) -> str:
    """Have a verification of everything find this."""
    reported.begin("verify")
    return ended(reported, code, verification={"totals": totals}, money=money)


def against(reported: ReportedLedger, *, accepted: bool = False) -> tuple[str, ...]:
    """Return what speaks against going live."""
    return agreement(reported.ledger, within_hours=24, accept_rejects=accepted).reasons


def test_what_was_found_missing_is_never_called_complete(reported: ReportedLedger) -> None:
    """Marked for repair, it comes with a full read only: the line, the page, go-live and the handover all say so."""
    verification = verified(reported, 5, missing=1)
    repair = Repair(reported.ledger, verification)
    row = repair.known("contact:patients/2")
    assert row is not None
    repair.bring_again(row)
    run = reported.begin()
    told = gather(reported.ledger, run, RunFacts(), 0)
    assert told["undone"] == undone_records(reported.ledger) == 1
    assert "found missing, is not back" in told["verdict"]["sentence"]
    assert "record brought by an undone run or found missing" in [item["what"] for item in told["to_do"]]
    assert "1 record brought by an undone run or found missing is loaded again only by" in complete(undone=1)
    ended(reported)
    verified(reported)
    [reason] = against(reported)
    assert "--full-refresh" in reason
    known = [item["id"] for item in reported.ledger.runs()]
    content = window_content(handed_over(reported.ledger, known))
    counts = {item["section"]: item["count"] for item in content["handover"]["sections"]}
    assert (counts["undone"], counts["left_out"]) == (1, 0)
    assert content["verdict"]["tone"] == "attention"


@pytest.mark.parametrize(("reason", "count"), [(TO_BE_REPAIRED, 1), ("too_old", 0)])
def test_a_sum_that_was_found_missing_is_not_explained(reason: str, count: int) -> None:
    """Of an invoice that was left out it is known why it is on one side only; of one that vanished it is not."""
    row = MoneyRow("custom_objects.cliniko_invoice", "invoices/1", "filtered", reason, Amount(None), None)
    told = money.content(money.summed([row]))
    assert told is not None
    assert (told["differing"]["count"], told["agrees"]) == (count, not count)


def test_a_sum_of_what_waits_for_somebody_left_out_is_left_out() -> None:
    """The closing table counts it as left out; the sums, too, say why it is not there, and not that it waits."""
    item = "custom_objects.cliniko_invoice_line_item"
    row = MoneyRow(item, "invoice_items/1", "held", "deleted_left_out", Amount(None), None)
    told = money.content(money.summed([row]))
    assert told is not None
    [explained] = told["explained"]
    assert (explained["outcome"], explained["reason"]) == ("filtered", "deleted_left_out")
    assert "left behind" in explained["meaning"] or "leaves such records behind" in explained["meaning"]


def test_what_wrote_after_a_verification_is_told_whatever_the_clock_says(reported: ReportedLedger) -> None:
    """The clock of the machine was ahead and is right again: the run that came later has an id that sorts first."""
    verified(reported)
    assert against(reported) == ()
    reported.ledger.now = lambda: datetime(2026, 11, 22, 9, tzinfo=UTC)
    late = reported.begin()
    assert late < reported.ledger.runs()[0]["id"]
    reported.receive(CONTACTS, "patients/3")
    reported.write()
    ended(reported)
    assert f"run {late} has written since the newest verification" in " ".join(against(reported))


_GO = "the clinic can go live, if nothing was changed in Cliniko since then."


def test_both_sides_agree_as_of_what_was_read(reported: ReportedLedger) -> None:
    """A run leaves the newest changes to the next one: the moment is the last that it read, not that of its beginning."""
    reported.begin()
    reported.ledger.end_run(reported.run, 0, {"read_until": "2026-11-22T09:58:00Z"})
    verified(reported)
    found = agreement(reported.ledger, within_hours=24, accept_rejects=False)
    assert found.sentence == f"Both sides agree as of 22 November 2026, 09:58 UTC: {_GO}"


def test_moments_and_sums_are_written_for_people(reported: ReportedLedger) -> None:
    """The line, and the report of all runs, have the clinic's zone and thousands apart, as every other page has."""
    total = {"label": "Invoice records", "currency": "AUD", "cliniko": "15006.53", "highlevel": "15006.53"}
    verified(reported, money={"agrees": True, "totals": [total | {"difference": "0.00"}]})
    at = reported.ledger.runs()[0]["started_at"]
    found = agreement(reported.ledger, within_hours=24, accept_rejects=False)
    assert found.sentence == f"Both sides agree as of {moment(at)}: {_GO}"
    assert found.money == ["Invoice records: AUD 15,006.53 in Cliniko, the same in HighLevel"]
    reported.begin("plan")
    ended(reported, plan={"account": {"time_zone": "Australia/Perth"}})
    reported.begin("plan")
    ended(reported, 1, plan=None)  # it did not come as far
    found = agreement(reported.ledger, within_hours=24, accept_rejects=False)
    assert found.sentence == f"Both sides agree as of {moment(at, 'Australia/Perth')}: {_GO}"
    assert clinic_zone(reported.ledger) == "Australia/Perth"


@pytest.mark.parametrize(
    ("known", "words"),
    [
        ({"mapped_anew": True}, "the mapping has changed since everything was read"),
        ({"begun_in_the_middle": True}, "this ledger does not cover earlier runs"),
    ],
)
def test_a_full_read_that_a_later_load_found_due_speaks_against_going_live(
    reported: ReportedLedger, known: dict[str, bool], words: str
) -> None:
    """Nothing was written, and yet the verification compared with what another mapping wanted; one that comes later decides."""
    verified(reported)
    run = reported.begin()
    ended(reported, **known)
    [reason] = against(reported)
    assert words in reason
    assert "--full-refresh" in reason
    content = window_content(handed_over(reported.ledger, [run]))
    assert "can go live" not in content["go_live"]["sentence"]
    assert "A full read is due" in content["verdict"]["sentence"]
    verified(reported)
    assert against(reported) == ()


def test_one_record_is_told_as_one(reported: ReportedLedger) -> None:
    """In the singular: what was refused, what people entered, what could not be read."""
    reported.begin()
    reported.receive(CONTACTS, "patients/9", rejected={"reason": "invalid_date", "field": "date_of_birth"})
    ended(reported, 4)
    verified(reported, 5, kept=1, unreadable=1)
    told = " ".join(against(reported))
    assert "1 record was refused: fix it and run" in told
    assert told.count("look at it, then set") == 2
    assert "them" not in told


def test_what_was_written_beside_a_verification_is_told(reported: ReportedLedger) -> None:
    """A verification gets its number when it ends; a delta began before, and wrote what the verification did not look for."""
    delta = reported.begin()
    copied_at = entries(reported)
    reported.receive(CONTACTS, "patients/3")
    reported.write()
    ended(reported)
    verification = reported.begin("verify")
    reported.ledger.end_run(
        verification, 0, {"report": {"verification": {"totals": {}}}, COPIED_AT: copied_at}
    )
    assert f"run {delta} has written since the newest verification" in " ".join(against(reported))
    again = reported.begin("verify")
    whole = {"report": {"verification": {"totals": {}}}, COPIED_AT: entries(reported)}
    reported.ledger.end_run(again, 0, whole)
    assert against(reported) == ()


def entries(reported: ReportedLedger) -> int:
    """Return how long the audit trail is."""
    with reported.ledger.transaction() as connection:
        return head(connection)[0]


def test_a_window_begins_with_the_part_of_a_run_in_each_sub_account(reported: ReportedLedger) -> None:
    """A run has an id in each; where it has none, its moment counts; numbers say what came later, not ids."""
    began = reported.ledger.now()
    here = reported.ledger.begin_run("load", began)
    beside = reported.ledger.beside("loc_beside")
    there = beside.begin_run("load", began)
    reported.ledger.now = beside.now = lambda: datetime(2026, 11, 22, 9, tzinfo=UTC)
    later = reported.ledger.begin_run("load")
    alone = beside.begin_run("load")
    assert runs_since(reported.ledger, there) == runs_since(reported.ledger, here) == [here, later]
    assert runs_since(beside, here) == [there, alone]
    assert runs_since(beside, reported.run) == [there]
    assert runs_since(beside, "2026-11-22T10") == [there]
    for nothing in ("20261122T", "2026-12-24", "1-11-2026", "22-11-2026", "2026-02-30"):
        with pytest.raises(SettingsError, match="no run of that id"):
            runs_since(beside, nothing)
    beside.close()


UNEQUAL = {"agrees": False, "differing": {"count": 1}, "totals": []}


@pytest.mark.parametrize(
    ("code", "totals", "words"),
    [
        (5, {"kept": 1}, ["sums of money differ in 1 record"]),
        (0, {"kept": 1}, ["sums of money differ in 1 record"]),
        (6, {}, ["sums of money differ in 1 record"]),
        (5, {"kept": 1, "different": 1}, ["found differences"]),
    ],
)
def test_a_difference_in_money_is_never_accepted(
    reported: ReportedLedger, code: int, totals: dict[str, int], words: list[str]
) -> None:
    """Leaving what people entered as it is does not make sums agree; where differences are told, theirs are among them."""
    verified(reported, code, UNEQUAL, **totals)
    reasons = against(reported, accepted=True)
    assert [word in reason for word, reason in zip(words, reasons, strict=True)] == [True]


def test_a_list_that_could_not_be_read_is_told(reported: ReportedLedger) -> None:
    """No record is missing from the count, and yet nobody knows what is too much; it may be accepted."""
    verified(reported, 6)
    assert "could not read a list of records back" in against(reported)[0]
    assert against(reported, accepted=True) == ()


def test_the_handover_lists_what_verifications_and_rollbacks_list(
    reported: ReportedLedger, tmp_path: Path
) -> None:
    """Each difference by name, with what to do; what is told elsewhere once only; a table that is gone is not an empty one."""
    reported.begin()
    reported.receive(CONTACTS, "patients/9", rejected={"reason": "invalid_date", "field": "date_of_birth"})
    ended(reported, 4)
    rollback = reported.begin("rollback")
    reported.ledger.end_run(rollback, 0, {"undoes": "another", "spared": 1, "created_left": 0})
    verification = verified(reported, 5, missing=1, kept=1, extra=1, unreadable=1, different=1)
    folder = tmp_path / verification
    found = [
        ("patients/1", "contact", "", "missing", ""),
        ("patients/2", "contact", "city", "different", ""),
        ("patients/2", "contact", "name", "kept", ""),
        ("patients/2", "contact", "email", "normalised", "letter_case"),
        ("patients/3", "contact", "", "extra", "doubled"),
        ("patient_attachments/4", "file", "", "unreadable", "refused"),
        ("patients/9", "contact", "", "missing", ""),
    ]
    folder.mkdir()
    write_table(folder / "differences.csv", ("source", "object", "field", "kind", "how"), found)
    beside = tmp_path / rollback
    beside.mkdir()
    spared = [("patients/1", "contact", "hl-1", "engaged_opportunity", "")]
    write_table(beside / "spared.csv", ("source", "object", "highlevel_id", "reason", "fields"), spared)
    left = [("contact", "hl-77", ""), ("contact:patients/2", "", "city")]
    write_table(beside / "left.csv", ("record", "highlevel_id", "field"), left)

    def listed() -> list[tuple[str, str, str]]:
        known = [item["id"] for item in reported.ledger.runs()]
        entries = list(handed_over(reported.ledger, known, str(tmp_path)).entries())
        assert all(item.meaning and item.next_step for item in entries)
        return [(item.section, item.source, item.field) for item in entries]

    assert sorted(listed()) == [
        ("different", "patients/2", "city"),
        ("extra", "patients/3", ""),
        ("kept", "patients/2", "name"),
        ("left", "hl-77", ""),
        ("left", "patients/2", "city"),
        ("missing", "patients/1", ""),
        ("refused", "patients/9", "date_of_birth"),
        ("spared", "patients/1", ""),
        ("unreadable", "patient_attachments/4", ""),
    ]
    for path in (folder / "differences.csv", beside / "spared.csv", beside / "left.csv"):
        path.unlink()
    gone = {
        name: (name, verification, "") for name in ("missing", "different", "kept", "extra", "unreadable")
    }
    gone["spared"] = ("spared", rollback, "")
    assert set(listed()) == {*gone.values(), ("refused", "patients/9", "date_of_birth")}


def test_every_conflict_of_a_run_is_in_the_handover(reported: ReportedLedger) -> None:
    """Decided for Cliniko it stands nowhere but in what the ledger keeps of that run's report."""
    conflicts = [{"source": f"patients/{number}", "field": "city"} for number in range(120)]
    lists = {name: {"count": 120, "records": conflicts} for name in ("withheld", "not_taken", "conflicts")}
    reported.begin()
    ended(reported, **run_report._shortened(lists))
    known = [item["id"] for item in reported.ledger.runs()]
    sections = handed_over(reported.ledger, known).content()["sections"]
    assert next(item["count"] for item in sections if item["section"] == "conflicts") == 120


def test_a_standing_reject_silences_nothing_else() -> None:
    """The line of a load with refused records says all that the line of one without says, what matters most first."""
    line = complete(
        4,
        refused=1,
        held=2,
        not_whole=1,
        nothing_came=True,
        undone=3,
        begun_in_the_middle=True,
        mapped_anew=True,
    )
    assert line.startswith("the tap sent nothing")
    words = (
        "rejects.csv",
        "2 waiting records",
        "1 value was not taken whole",
        "3 records brought by an undone run",
        "mapping has changed",
        "older ledger lost",
    )
    assert [word for word in words if word not in line] == []
    assert "the other patients were not included" in complete(4, refused=1, sample=True)
    assert "3 records brought by an undone run" in complete(nothing_came=True, undone=3)


@pytest.mark.parametrize(
    ("refused", "held", "tone"), [(0, 0, "good"), (1, 0, "attention"), (0, 1, "attention")]
)
def test_a_retry_speaks_of_what_it_sent(reported: ReportedLedger, refused: int, held: int, tone: str) -> None:
    """Whatever came before, it sends refused records again; that everything is there is not its to say."""
    run = reported.begin("retry")
    told = gather(reported.ledger, run, RunFacts(), 4 if refused else 0)
    content = {**told, "totals": {**told["totals"], "created": 2, "rejected": refused, "held": held}}
    still = refused + held
    said = f"2 records went in, {still} {'is' if still == 1 else 'are'} still refused or waiting"
    assert verdict(content) == {"tone": tone, "sentence": f"Sent again: {said}."}
    line = retried(content["exit_code"], sent=2, refused=refused, held=held)
    assert line.startswith("complete: 2 refused records were sent again; ")
    assert ("rejects.csv" in line, "everything" in line) == (bool(refused), False)
    mixed = retried(4, sent=2, refused=3, held=0, unmapped=1)
    assert ("of these 1 was refused by the mapping" in mixed, "target-highlevel:retry" in mixed) == (
        True,
        True,
    )


def test_the_plan_of_a_sample_is_no_half_sentence() -> None:
    """That nothing was written is true everywhere, not in the sample only."""
    content = {"closes_to_zero": True, "audit": {"intact": True}, "exit_code": 0, "ended_early": False, "mode": "plan",
               "totals": {}, "rollback": None, "verification": None, "sample": {"patients": 10},
               "plan": {"blockers": []}}  # fmt: skip
    said = "The plan is ready, in this sample of 10 patients. Nothing was written."
    assert verdict(content)["sentence"] == said
