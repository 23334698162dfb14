"""What is said of where both sides stand is true: on last lines, before going live, in the handover; from the ledger alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hl_report_ledger import CONTACTS, ReportedLedger, handed_over, ledger_at

from target_highlevel.endings import complete
from target_highlevel.ledger.counts import undone_records
from target_highlevel.ledger.money import Amount, MoneyRow
from target_highlevel.ledger.repair import TO_BE_REPAIRED, Repair
from target_highlevel.report import money
from target_highlevel.report.agreement import agreement
from target_highlevel.report.content import RunFacts, gather
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
    assert "record taken out by a rollback or found missing" in [item["what"] for item in told["to_do"]]
    assert "1 record taken out by a rollback or found missing is loaded again only by" in complete(undone=1)
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
