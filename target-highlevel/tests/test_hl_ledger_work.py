"""What the ledger hands out and takes back; every test runs on SQLite and on PostgreSQL."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from hl_ledgers import LOCATION, Desk, contact, note, part, practitioner, profile

from target_highlevel.ledger.budget import LedgerDayCounter
from target_highlevel.ledger.ledger import Ledger
from target_highlevel.ledger.rows import NO_NOTES, Notes, Outcome
from target_highlevel.ledger.scratch import scratch_copy
from target_highlevel.ledger.work import KNOWN

if TYPE_CHECKING:
    from target_highlevel.ledger.rows import Row


def begun(desk: Desk, ref: str) -> Row:
    """Return a record whose write was begun."""
    row = desk.row(ref)
    desk.work.intend(row, "create", "contacts", fields=row.fields)
    return row


def settled(desk: Desk, row: Row, outcome: Outcome = Outcome.CREATED) -> None:
    """Say that a record was written."""
    desk.work.settle(row, outcome, hl_id="hl-1", written={"name": "hash"})


def test_parents_are_handed_out_first_then_by_priority_and_reception(desk: Desk) -> None:
    """Contacts come before objects; within a kind the earlier date, then what came first."""
    desk.take(profile(1, related=False))
    for number, priority in ((1, None), (2, "2026-02-01"), (3, "2026-01-01"), (4, None)):
        desk.take(contact(number, priority=priority))
    assert desk.claimed() == [
        *(f"contact:patients/{number}" for number in (3, 2, 1, 4)),
        "custom_objects.profile:patients/1",
    ]


def test_nobody_gets_what_another_worker_holds(desk: Desk) -> None:
    """Records in work are not handed out twice, and do not take the places of others."""
    desk.take(contact(1), contact(2), contact(3))
    first = [row.ref for row in desk.work.claim(2, ())]
    assert [row.ref for row in desk.work.claim(2, first)] == [
        ref for ref in (f"contact:patients/{number}" for number in (1, 2, 3)) if ref not in first
    ]


@pytest.mark.parametrize(
    ("kept", "notes"),
    [
        (None, NO_NOTES),
        ("{}", NO_NOTES),
        ('{"dnd":["dnd_email"],"rebuilt":true}', Notes(dnd=("dnd_email",), rebuilt=True)),
        ('{"tags":["a","b"],"withheld":{"phone":"unknown"}}', Notes({"phone": "unknown"}, tags=("a", "b"))),
        ('{"money":{}}', Notes(money={})),
        ('{"linked_before":"x","was_on":"hl-1"}', Notes(was_on="hl-1")),
    ],
)
def test_notes_are_read_as_every_version_wrote_them(kept: str | None, notes: Notes) -> None:
    """What is not noted is not kept, and a note that nobody takes any more is dropped."""
    assert Notes.from_json(kept) == notes
    assert Notes.from_json(notes.json()) == notes
    assert (notes.json() or "{}") == (kept or "{}").replace('"linked_before":"x",', "")


def test_an_intent_is_durable_before_the_write(desk: Desk) -> None:
    """What was begun is known after a restart, with where it was sent and without any value."""
    desk.take(contact(1))
    begun(desk, "contact:patients/1")
    desk.next_run()
    intent = desk.row("contact:patients/1").intent
    assert intent is not None
    assert (intent["action"], intent["api"]) == ("create", "contacts")
    assert "Patient 1" not in str(intent)


def test_a_settled_record_keeps_hashes_and_no_content(desk: Desk) -> None:
    """After the write the ledger has the id, a hash per field and the outcome; the content is gone."""
    desk.take(contact(1))
    settled(desk, begun(desk, "contact:patients/1"))
    row = desk.row("contact:patients/1")
    assert (row.status, row.hl_id, row.written) == ("done", "hl-1", {"name": "hash"})
    assert (row.outcome, row.created_run) == ("created", desk.run)
    assert (row.payload, row.intent) == (None, None)


def test_a_record_changed_while_it_was_written_stays_ready(desk: Desk) -> None:
    """The outcome of an older version does not settle a newer one."""
    desk.take(contact(1))
    row = begun(desk, "contact:patients/1")
    desk.take(contact(1, fields={"name": "Newer"}))
    settled(desk, row)
    now = desk.row("contact:patients/1")
    assert (now.status, now.hl_id, now.fields) == ("ready", "hl-1", {"name": "Newer"})


def test_another_user_for_a_practitioner_has_patients_looked_at_again(desk: Desk) -> None:
    """Also a patient who is being written just then, for the user that stood for the practitioner before."""
    mine = {"owner": {"ref": "user:practitioners/9", "at": "2026-01-01"}}
    desk.take(practitioner(9, "ada"))
    desk.take(*(contact(number) for number in (1, 2, 3)))
    desk.take(*(part(number, f"appointments/{number}", fields=mine) for number in (1, 2)))
    desk.write("contact:patients/1")
    underway = begun(desk, "contact:patients/2")
    desk.write("contact:patients/3")
    desk.take(practitioner(9, "bo"))
    settled(desk, underway)
    ready = {number: desk.status(f"contact:patients/{number}")[0] for number in (1, 2, 3)}
    assert ready == {1: "ready", 2: "ready", 3: "done"}


def test_a_record_created_and_updated_in_one_run_counts_as_created(desk: Desk) -> None:
    """A part that comes late does not turn a new record into an updated one."""
    desk.take(contact(1))
    settled(desk, begun(desk, "contact:patients/1"))
    desk.take(part(1, "appointments/1", fields={"tags": ["x"]}))
    settled(desk, desk.row("contact:patients/1"), Outcome.UPDATED)
    assert desk.row("contact:patients/1").outcome == "created"


def test_a_record_updated_and_found_as_it_should_be_in_one_run_counts_as_updated(desk: Desk) -> None:
    """A part that changes nothing does not take the update back."""
    desk.take(contact(1))
    settled(desk, begun(desk, "contact:patients/1"))
    desk.next_run()
    desk.take(contact(1, fields={"name": "New"}))
    settled(desk, desk.row("contact:patients/1"), Outcome.UPDATED)
    desk.take(part(1, "appointments/1", fields={"tags": ["x"]}))
    settled(desk, desk.row("contact:patients/1"), Outcome.UNCHANGED)
    assert desk.row("contact:patients/1").outcome == "updated"


def test_a_rejected_record_waits_with_its_content(desk: Desk) -> None:
    """A refused record keeps what is needed to try again, and the code and field it was refused for."""
    desk.take(contact(1), note(7, 1))
    desk.work.reject(begun(desk, "contact:patients/1"), "invalid_email", "email")
    assert desk.status("contact:patients/1") == ("rejected", "invalid_email")
    assert desk.claimed() == []
    assert desk.row("contact:patients/1").fields == {"name": "Patient 1"}
    assert desk.status("note:treatment_notes/7")[0] == "held"


def test_replayed_rejects_release_their_children(desk: Desk) -> None:
    """When a rejected parent gets through after all, what waited for it follows."""
    desk.take(contact(1), note(7, 1))
    desk.work.reject(begun(desk, "contact:patients/1"), "invalid_email", "email")
    desk.next_run()
    assert desk.work.replay() == 1
    assert desk.write_all() == ["contact:patients/1", "note:treatment_notes/7"]


def test_an_unclear_write_keeps_its_intent(desk: Desk) -> None:
    """When nobody knows whether a write happened, the next run finds the intent and looks first."""
    desk.take(contact(1))
    row = begun(desk, "contact:patients/1")
    desk.work.hold(row, "server_error")
    assert desk.status("contact:patients/1") == ("held", "server_error")
    desk.next_run()
    assert desk.work.resume() == 1
    assert desk.row("contact:patients/1").intent is not None


@pytest.mark.parametrize(
    ("reason", "resumed"), [("day_budget_spent", 1), ("server_error", 1), ("interrupted", 1), ("waits", 0)]
)
def test_only_passing_reasons_are_resumed(reason: str, resumed: int, desk: Desk) -> None:
    """The next run takes up what was put off for a reason that passes, and nothing that waits for a parent."""
    desk.take(contact(1))
    assert desk.work.hold_rest(reason) == 1
    desk.next_run()
    assert desk.work.resume() == resumed
    assert desk.work.waiting() == resumed


def test_the_low_water_is_the_oldest_reception_to_be_written(desk: Desk) -> None:
    """It rises only when that record is settled, held or rejected; without one there is none."""
    assert desk.work.low_water() is None
    desk.take(contact(1))
    first = desk.intake.seq
    desk.take(contact(2))
    assert desk.work.low_water() == first
    desk.write("contact:patients/2")
    assert desk.work.low_water() == first
    desk.work.hold(desk.row("contact:patients/1"), "server_error")
    assert desk.work.low_water() is None


def test_a_later_reception_has_a_higher_number_also_after_a_restart(desk: Desk) -> None:
    """Bookmarks compare receptions, so their numbers never start again below what waits."""
    desk.take(contact(1))
    before = desk.intake.seq
    desk.next_run()
    desk.take(contact(2))
    assert desk.intake.seq > before


def test_two_records_never_share_an_id(desk: Desk) -> None:
    """An id that one record has cannot be taken for another: two patients never become one contact."""
    desk.take(contact(1), contact(2))
    first, second = desk.row("contact:patients/1"), desk.row("contact:patients/2")
    assert desk.work.claim_id(first, "hl-1", ours=True)
    assert desk.work.claim_id(first, "hl-1", ours=True)
    assert not desk.work.claim_id(second, "hl-1", ours=True)
    assert desk.work.hl_id("contact:patients/2") is None
    assert desk.work.holder("contact", "hl-1") == "patients/1"


def test_a_link_that_two_rows_name_is_made_by_one_of_them(desk: Desk) -> None:
    """The answer to one's create is lost and the other finds the link there: the first has made it, and nobody else has."""
    desk.take(contact(1), contact(2), profile(1), profile(2))
    refs = desk.numbers("SELECT ref FROM record WHERE object = 'relation' ORDER BY ref")
    first, second = (desk.row(ref) for (ref,) in refs)
    desk.work.intend(first, "create", "relations", fields={})
    desk.work.settle(second, Outcome.UNCHANGED, hl_id="link-1", written={})
    assert desk.work.claim_id(first, "link-1", ours=True)
    assert desk.row(first.ref).created_run == desk.run
    assert not desk.work.claim_id(second, "link-1", ours=True)


def test_a_dropped_record_is_forgotten(desk: Desk) -> None:
    """What is no longer wanted loses its id and counts as filtered."""
    desk.take(contact(1))
    desk.write("contact:patients/1")
    desk.work.drop(desk.row("contact:patients/1"), "no_longer_wanted")
    row = desk.row("contact:patients/1")
    assert (row.status, row.hl_id, row.reason) == ("filtered", None, "no_longer_wanted")


def test_an_absent_record_stays_absent_when_it_comes_again(desk: Desk) -> None:
    """A relation that Cliniko removed is taken away once; the same news in the next run is nothing to do."""
    gone = contact(1, absent=True)
    desk.take(gone)
    desk.work.drop(desk.row(gone), "no_longer_wanted")
    desk.next_run()
    desk.take(gone)
    assert desk.claimed() == []
    desk.take(contact(1))
    assert desk.claimed() == ["contact:patients/1"]


def test_what_was_found_in_highlevel_is_adopted_once(desk: Desk) -> None:
    """A rebuilt crosswalk gives ids to records that have none, and takes none from those that do."""
    desk.take(contact(1), contact(2), note(7, 3))
    desk.write("contact:patients/1")
    found = [
        {
            "ref": f"contact:patients/{number}",
            "object": "contact",
            "source_id": f"patients/{number}",
            "resource": "patients",
            "stream": "hl_contacts",
            "rank": 1,
            "hl_id": f"found-{number}",
            "written": {"name": "hash"},
        }
        for number in (1, 2, 3)
    ]
    desk.work.adopt(found)
    assert desk.row("contact:patients/1").hl_id == "hl-contact:patients/1"
    assert desk.row("contact:patients/2").hl_id == "found-2"
    assert desk.row("contact:patients/3").hl_id == "found-3"
    assert "note:treatment_notes/7" in desk.claimed()


def test_the_first_values_of_a_run_are_what_rollback_restores(desk: Desk) -> None:
    """A second update in the same run adds fields to the image before, and replaces none; what the ledger knew is with them."""
    desk.take(contact(1))
    desk.write("contact:patients/1")
    row = desk.row("contact:patients/1")
    desk.work.intend(row, "update", "contacts", before={"name": "old"})
    desk.work.intend(row, "update", "contacts", before={"name": "newer", "city": "old"})
    ((fields,),) = desk.numbers("select fields from before_image where run = :run", run=desk.run)
    kept = json.loads(fields)
    known = kept.pop(KNOWN)
    assert kept == {"name": "old", "city": "old"}
    assert (known["hl_id"], known["created_run"]) == (row.hl_id, desk.run)


def test_a_step_that_fails_leaves_nothing(desk: Desk) -> None:
    """An exception inside a step undoes all of it, the trail included, and the next step goes on from there."""
    desk.take(contact(1))
    row = desk.row("contact:patients/1")

    def fail() -> None:
        with desk.ledger.transaction():
            desk.work.intend(row, "create", "contacts")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert desk.row("contact:patients/1").intent is None
    assert desk.numbers("select count(*) from audit") == [(0,)]
    begun(desk, "contact:patients/1")
    assert desk.numbers("select seq from audit") == [(1,)]


def test_the_day_is_counted_by_hour_and_location(desk: Desk) -> None:
    """Requests add up per hour, what was not used is given back, and a new day forgets them."""
    desk.ledger.spend("2026-11-22T10", 5)
    desk.ledger.spend("2026-11-22T10", 4)
    desk.ledger.spend("2026-11-22T11", 3)
    desk.ledger.spend("2026-11-22T11", -1)
    assert desk.ledger.spent_since("2026-11-22T10") == 11
    assert desk.ledger.spent_since("2026-11-22T11") == 2
    assert desk.ledger.forget_spent(timedelta())
    assert desk.ledger.spent_since("2026-11-22T10") == 0


def test_one_day_is_not_begun_twice(desk: Desk) -> None:
    """What headers say that count nothing is believed once, also by the runs that follow and by a plan's working copy."""
    counter, hour = LedgerDayCounter(desk.ledger), 3600.0
    copy, folder = scratch_copy(desk.url, LOCATION)
    try:
        counter.add(5)
        assert counter.start_day(after=hour)
        counter.add(7)
        assert not counter.start_day(after=hour)
        assert not LedgerDayCounter(copy).start_day(after=hour)
        assert counter.spent() == 7
        assert LedgerDayCounter(copy).start_day(after=0.0)
        assert counter.spent() == 0
    finally:
        copy.close()
        folder.cleanup()


def test_nothing_is_lost_when_two_count_at_once(desk: Desk) -> None:
    """A load and a plan beside it count in the same hour, also when it is new to both."""
    beside = Ledger(desk.url, LOCATION, exclusive=False)
    both = threading.Barrier(2)

    def count(ledger: Ledger) -> None:
        for hour in range(20):
            both.wait(10)
            ledger.spend(f"2026-11-22T{hour}", 1)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(count, (desk.ledger, beside)))
    beside.close()
    assert set(desk.ledger.spent_by_hour("2026").values()) == {2}


def test_runs_are_kept_with_their_ends(desk: Desk) -> None:
    """A run that ended has its code and facts; one that was killed has neither."""
    first = desk.run
    desk.ledger.end_run(first, 4, {"requests": 3})
    desk.next_run()
    ended, open_ = desk.ledger.runs()
    assert (ended["id"], ended["exit_code"], ended["facts"]) == (first, 4, {"requests": 3})
    assert (open_["id"], open_["ended_at"], open_["exit_code"]) == (desk.run, None, None)
