"""What a verification keeps beside its copy of the ledger."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hl_ledgers import LOCATION, Desk, contact, note, part

from target_highlevel.ledger.comparison import Comparison, Found
from target_highlevel.ledger.intake import Intake
from target_highlevel.ledger.links import ExpectedLinks
from target_highlevel.ledger.scratch import scratch_copy
from target_highlevel.ledger.work import Work

if TYPE_CHECKING:
    from collections.abc import Iterator

OTHER = "place2"


@pytest.fixture
def copy(desk: Desk) -> Iterator[Desk]:
    """The copy for a verification of one of two sub-accounts that hold the same clinic: one note of it was rejected."""
    desk.ledger.close()
    for location in (LOCATION, OTHER):
        desk = Desk.open(desk.url, location)
        desk.take(contact(1), contact(2), note(7, 1), part(1, "appointments/1", fields={"tags": ["x"]}))
        desk.write("contact:patients/1")
        desk.work.reject(desk.row("note:treatment_notes/7"), "text_too_long")
        desk.ledger.close()
    ledger, folder = scratch_copy(desk.url, LOCATION, crosswalk_only=True)
    run = ledger.begin_run("verify")
    yield Desk(desk.url, ledger, run, Intake(ledger, run), Work(ledger, run))
    ledger.close()
    folder.cleanup()


def test_one_of_two_sub_accounts_in_a_ledger_is_compared_alone(copy: Desk) -> None:
    """The same patients stand in the ledger twice; the other sub-account's are not looked at and do not collide."""
    assert copy.numbers("select distinct location from record") == [(LOCATION,)]
    copy.take(contact(1), contact(2), note(7, 1))
    records = Comparison(copy.ledger)
    records.begin(copy.run)
    assert records.outcomes(["contact:patients/2", "note:treatment_notes/7"]) == {
        "contact:patients/2": "held",
        "note:treatment_notes/7": "rejected",
    }
    assert [row.ref for row in records.unverified("contact")] == ["contact:patients/1"]
    records.keep(
        [Found("patients/1", "contact", "", "missing", "", None, None)], {"contact:patients/1": "missing"}
    )
    records.settle(copy.run)
    assert records.received() == [("contact", "patients", 2), ("note", "treatment_notes", 1)]
    assert sorted(records.counts()) == [
        ("contact", "patients", "held", 1),
        ("contact", "patients", "missing", 1),
        ("note", "treatment_notes", "rejected", 1),
    ]


def test_a_verification_knows_which_runs_there_were(copy: Desk) -> None:
    """What is due since the last load, and which calendars are not opened yet, goes by them."""
    *_, loaded = (run["id"] for run in copy.ledger.runs() if run["mode"] == "load")
    assert copy.ledger.since_newest("load") == {loaded, copy.run}
    assert copy.ledger.since_newest("retry") == frozenset()


def test_links_are_listed_by_the_end_that_fewer_records_are(copy: Desk) -> None:
    """Two patients of one doctor: one listing instead of two."""
    links = ExpectedLinks(copy.ledger)
    links.keep([("relation:a", "doctor", "hl-1", "hl-9"), ("relation:b", "doctor", "hl-2", "hl-9")])
    assert list(links.listers({"doctor": "second"}, ())) == ["hl-9"]
    assert list(links.listers({"doctor": "first"}, ())) == ["hl-1", "hl-2"]


def test_who_should_have_no_link_is_listed_too(copy: Desk) -> None:
    """One may be left all the same; whoever did not come this time is not asked."""
    links = ExpectedLinks(copy.ledger)
    assert list(links.listers({}, {"contact"})) == []
    copy.take(contact(1), note(7, 1))
    assert list(links.listers({}, {"contact"})) == ["hl-contact:patients/1"]
    assert links.rarer_side("contact", "custom_objects.profile") == "second"
    assert links.rarer_side("custom_objects.profile", "contact") == "first"
