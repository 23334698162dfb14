"""What the ledger makes of what it receives; every test runs on SQLite and on PostgreSQL."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hl_ledgers import PROFILES, calendar, contact, given, note, part, profile

from target_highlevel.descriptor import Incoming, StreamSpec
from target_highlevel.ledger.departures import Departures
from target_highlevel.ledger.recovery import let_go
from target_highlevel.ledger.repair import Repair
from target_highlevel.ledger.tables import record
from target_highlevel.ledger.transitions import RECEIVED
from target_highlevel.payload import Payload

if TYPE_CHECKING:
    from hl_ledgers import Desk

RELATION = "relation:of|custom_objects.profile:patients/1|contact:patients/1"


def test_a_new_record_is_ready(desk: Desk) -> None:
    """What was never seen is to be written, with its content kept until then."""
    desk.take(contact(1))
    assert desk.claimed() == ["contact:patients/1"]
    assert desk.row(contact(1)).fields == {"name": "Patient 1"}


def test_an_unchanged_record_is_left_alone(desk: Desk) -> None:
    """What comes again as it was is only seen: no new version, nothing to write."""
    desk.take(contact(1))
    desk.write_all()
    before = desk.row(contact(1))
    desk.next_run()
    desk.take(contact(1))
    assert desk.claimed() == []
    assert desk.row(contact(1)) == before
    assert desk.numbers("select seen_run from record") == [(desk.run,)]


def test_a_changed_record_is_ready_again(desk: Desk) -> None:
    """What comes with other content is to be written, under the id it has."""
    desk.take(contact(1))
    desk.write_all()
    desk.take(contact(1, fields={"name": "Other"}))
    row = desk.row(contact(1))
    assert (row.status, row.hl_id) == ("ready", "hl-contact:patients/1")
    assert row.fields == {"name": "Other"}


def test_the_last_of_several_in_one_chunk_counts(desk: Desk) -> None:
    """A chunk may hold a record twice; what came last is wanted."""
    desk.take(contact(1), contact(1, fields={"name": "Later"}))
    assert desk.row(contact(1)).fields == {"name": "Later"}


def test_a_child_waits_for_its_parent(desk: Desk) -> None:
    """A note is held until the contact it hangs on is in HighLevel, then it is released."""
    desk.take(note(7, 1))
    assert desk.status(note(7, 1)) == ("held", "waits_for:contact:patients/1")
    desk.take(contact(1))
    assert desk.claimed() == ["contact:patients/1"]
    desk.write(contact(1))
    assert desk.claimed() == ["note:treatment_notes/7"]
    assert desk.status(note(7, 1)) == ("ready", None)


def test_a_parent_in_the_same_chunk_is_still_waited_for(desk: Desk) -> None:
    """Parent and child of one chunk are written one after the other, whatever their order."""
    desk.take(note(7, 1), contact(1))
    assert desk.write_all() == ["contact:patients/1", "note:treatment_notes/7"]


def test_a_joining_record_waits_for_what_it_joins(desk: Desk) -> None:
    """A record that takes fields from a key is held until somebody contributed to that key."""
    joining = contact(1, joins=("family/9",))
    desk.take(joining)
    assert desk.status(joining) == ("held", "waits_for:join:contact:family/9")
    desk.take(replace(contact(0, fields={"tags": ["vip"]}, part="cases/1"), source_id="family/9"))
    assert desk.claimed() == ["contact:patients/1"]
    assert given(desk, joining) == [("cases/1", {"tags": ["vip"]})]


def test_a_join_that_is_there_already_holds_nobody(desk: Desk) -> None:
    """What was contributed before is found when the record comes."""
    desk.take(replace(contact(0, fields={"tags": ["vip"]}, part="cases/1"), source_id="family/9"))
    desk.take(contact(1, joins=("family/9",)))
    assert desk.claimed() == ["contact:patients/1"]


@pytest.mark.parametrize("first", ["the record", "the other"])
def test_a_record_does_not_stand_beside_the_one_that_excludes_it(first: str, desk: Desk) -> None:
    """An attendee's row is left out where its appointment is there, whichever of the two comes first."""
    other, spare = contact(1), note(7, 1, unless=("contact:patients/1",))
    for item in (spare, other) if first == "the record" else (other, spare):
        desk.take(item)
    assert desk.status(spare) == ("filtered", "beside_another")
    assert desk.write_all() == ["contact:patients/1"]


def test_a_written_record_stays_beside_the_one_that_comes_later(desk: Desk) -> None:
    """What is in HighLevel already is not forgotten because something excludes it later."""
    spare = contact(2, unless=("contact:patients/1",))
    desk.take(spare)
    desk.write_all()
    desk.take(contact(1))
    assert desk.status(spare) == ("done", None)


@pytest.mark.parametrize(
    "settled", [{"filtered": "appointments_are_tasks"}, {"rejected": {"reason": "mapping_error"}}]
)
def test_nobody_waits_for_what_is_left_out_after_all(settled: dict[str, Any], desk: Desk) -> None:
    """A booking waits for a calendar that a run did not get to; the next one receives it as one that nobody makes."""
    booking = note(7, 1, after=(calendar(5).ref,))
    desk.take(contact(1), calendar(5))
    desk.take(booking)
    desk.write(contact(1))
    assert desk.status(booking) == ("held", "waits_for:contact:patients/1")
    desk.next_run()
    desk.take(calendar(5, **settled))
    assert desk.status(booking) == ("ready", None)


@pytest.mark.parametrize("end", ["left out", "written"])
def test_a_wait_that_was_never_ended_is_ended_by_the_next_run(end: str, desk: Desk) -> None:
    """In a ledger of an earlier version something may wait for a record that is settled; a pending one is waited for."""
    first, second = (note(number, 1, after=(calendar(number).ref,)) for number in (7, 8))
    desk.take(contact(1), calendar(7), calendar(8), first, second)
    desk.write(contact(1))
    status = {"left out": "filtered", "written": "done"}[end]
    with desk.ledger.transaction() as connection:
        settled = record.update().where(record.c.ref == calendar(7).ref).values(status=status)
        connection.execute(settled, execution_options=RECEIVED.options)
    desk.next_run()
    desk.work.resume()
    assert desk.status(first) == ("ready", None)
    assert desk.status(second)[0] == "held"


def test_a_part_before_its_record_is_folded_at_creation(desk: Desk) -> None:
    """What an appointment says of a patient waits in the ledger for the patient."""
    desk.take(part(1, "appointments/5", fields={"tags": ["new"]}))
    assert desk.claimed() == []
    desk.take(contact(1))
    assert given(desk, contact(1)) == [("appointments/5", {"tags": ["new"]})]


def test_a_part_after_its_record_has_it_written_again(desk: Desk) -> None:
    """A contribution that comes later makes the record ready; the same contribution again does not."""
    desk.take(contact(1))
    desk.write_all()
    desk.take(part(1, "appointments/5", fields={"tags": ["new"]}))
    assert desk.write_all() == ["contact:patients/1"]
    desk.take(part(1, "appointments/5", fields={"tags": ["new"]}))
    assert desk.claimed() == []
    desk.take(part(1, "appointments/5", fields={"tags": ["regular"]}))
    assert desk.claimed() == ["contact:patients/1"]


def test_a_part_changes_the_version_of_a_record_that_is_about_to_be_written(desk: Desk) -> None:
    """A contribution that arrives while the record is being written leaves it ready for a second time."""
    desk.take(contact(1))
    row = desk.row(contact(1))
    desk.take(part(1, "appointments/5", fields={"tags": ["new"]}))
    desk.write_all()
    assert desk.row(contact(1)).version > row.version


def test_a_withdrawn_contributor_takes_back_what_it_gave(desk: Desk) -> None:
    """A cancelled appointment no longer says anything of its patient."""
    desk.take(contact(1), part(1, "appointments/5", fields={"tags": ["new"]}))
    desk.write_all()
    desk.take(part(1, "appointments/5", fields={}, filtered="cancelled"))
    assert desk.claimed() == ["contact:patients/1"]
    assert given(desk, contact(1)) == []


def test_a_contributor_that_names_nobody_takes_back_what_it_gave(desk: Desk) -> None:
    """An appointment that has lost its patient does not say whose it was."""
    desk.take(contact(1), part(1, "appointments/5", fields={"tags": ["new"]}))
    desk.write_all()
    desk.take(part(5, "appointments/5", fields={}, filtered="no_patient"))
    assert desk.claimed() == ["contact:patients/1"]
    assert given(desk, contact(1)) == []


def test_a_moved_contributor_leaves_the_first_patient(desk: Desk) -> None:
    """An appointment given to another patient counts for that one only; both are written again."""
    desk.take(contact(1), contact(2), part(1, "appointments/5", fields={"tags": ["new"]}))
    desk.write_all()
    desk.take(part(2, "appointments/5", fields={"tags": ["new"]}))
    assert desk.claimed() == ["contact:patients/1", "contact:patients/2"]
    assert given(desk, contact(1)) == []
    assert given(desk, contact(2)) == [("appointments/5", {"tags": ["new"]})]


def test_a_wanted_relation_becomes_a_record_that_waits_for_both_ends(desk: Desk) -> None:
    """Profile and contact are related as soon as both are in HighLevel."""
    desk.take(profile(1), contact(1))
    assert desk.status(RELATION)[0] == "held"
    assert desk.write_all() == ["contact:patients/1", "custom_objects.profile:patients/1", RELATION]


def test_a_relation_no_longer_wanted_is_taken_away(desk: Desk) -> None:
    """A relation that was written is to be removed; one that never was is forgotten at once."""
    desk.take(profile(1), contact(1), profile(2))
    desk.write_all()
    desk.take(profile(1, related=False), profile(2, related=False))
    assert desk.row(RELATION).payload == Payload(absent=True)
    assert desk.status(RELATION) == ("ready", None)
    assert desk.status(RELATION.replace("/1", "/2")) == ("filtered", "no_longer_wanted")


def test_a_relation_that_must_not_be_there_waits_for_nobody(desk: Desk) -> None:
    """A relationship that ended says so at once: one of the two may never come, as a patient merged into another."""
    family = StreamSpec(stream="hl_relationships", kind="relation", object="relation", fields={})
    ends = {"association": "of", "first": "contact:patients/1", "second": "contact:patients/2"}
    ended = Incoming(spec=family, source_id="relationships/3", fields=ends, absent=True)
    desk.take(contact(2), ended)
    assert desk.status(ended) == ("ready", None)
    assert not Departures(desk.ledger, desk.run).waits(desk.row(ended))
    desk.take(replace(ended, absent=False))
    assert desk.status(ended) == ("held", "waits_for:contact:patients/1")


def test_a_relation_wanted_again_comes_back(desk: Desk) -> None:
    """A relation that was taken away and is wanted once more is written once more."""
    desk.take(profile(1), contact(1))
    desk.write_all()
    desk.take(profile(1, related=False))
    desk.work.drop(desk.row(RELATION), "no_longer_wanted")
    desk.take(profile(1))
    assert RELATION in desk.claimed()


def test_what_a_full_read_does_not_bring_again_is_waited_for_no_longer(desk: Desk) -> None:
    """The source has it no more; of a list of which nothing came nobody knows, nor of what came before it was missed."""
    desk.take(contact(1), contact(2), contact(3), note(7, 1))
    desk.write_all()
    desk.next_run()
    repair = Repair(desk.ledger, desk.run)
    for missed in (contact(1), contact(2), note(7, 1)):
        repair.bring_again(desk.row(missed))
    desk.next_run()
    desk.take(contact(1), contact(3))
    Repair(desk.ledger, desk.run).bring_again(desk.row(contact(3)))
    let_go(desk.ledger, desk.run)
    assert desk.status(contact(1)) == ("ready", None)
    assert desk.status(contact(2)) == ("filtered", "no_longer_wanted")
    assert [desk.status(item) for item in (contact(3), note(7, 1))] == [("filtered", "to_be_repaired")] * 2


def test_a_relation_that_is_made_no_more_is_waited_for_no_longer(desk: Desk) -> None:
    """It is seen with the record it is derived from; as long as that one is to be read anew, the relation may come again."""
    desk.take(profile(1), contact(1))
    desk.write_all()
    desk.next_run()
    desk.take(profile(1))
    Repair(desk.ledger, desk.run).bring_again(desk.row(RELATION))
    let_go(desk.ledger, desk.run)
    assert desk.status(RELATION) == ("filtered", "to_be_repaired")
    desk.take(profile(1, related=False))
    let_go(desk.ledger, desk.run)
    assert desk.status(RELATION) == ("filtered", "no_longer_wanted")


def test_a_filtered_record_is_counted_and_not_written(desk: Desk) -> None:
    """What the mapping leaves out stands in the ledger with its reason, and without what it says."""
    desk.take(contact(1, filtered="merged_away", fields={"name": "Ada"}))
    assert desk.status(contact(1)) == ("filtered", "merged_away")
    assert desk.claimed() == []
    assert desk.row(contact(1)).fields == {}


def test_a_filtered_record_that_was_written_before_gets_its_last_fields(desk: Desk) -> None:
    """A patient merged away after the load is tagged: only the fields given with the filter are written."""
    desk.take(contact(1))
    desk.write_all()
    desk.take(contact(1, filtered="merged_away", fields={"tags": ["merged"]}))
    row = desk.row(contact(1))
    assert row.status == "ready"
    assert row.content.filtered == "merged_away"


@pytest.mark.parametrize("later", [False, True])
def test_a_contributor_that_can_be_mapped_again_is_no_reject_any_more(desk: Desk, *, later: bool) -> None:
    """An appointment with a date nobody could read stood in the list of rejects; mended, it says what it has to."""
    said = part(1, "appointments/7", fields={"tags": ["a"]})
    unread = {"reason": "invalid_date", "field": "starts_at"}
    refused = replace(contact(1, fields={}, rejected=unread), source_id="appointments/7")
    desk.take(contact(1), part(2, "appointments/8", fields={"tags": ["b"]}))
    desk.take(refused)
    assert desk.row(refused).status == "rejected"
    if later:
        desk.next_run()
    desk.take(said)
    assert desk.work.row(refused.ref) is None
    assert given(desk, contact(1)) == [("appointments/7", {"tags": ["a"]})]


def test_a_record_the_mapping_refused_is_rejected_and_keeps_nothing(desk: Desk) -> None:
    """A rejection of the mapping has no content to replay; it names code and field."""
    desk.take(contact(1, fields={}, rejected={"reason": "invalid_date", "field": "date_of_birth"}))
    row = desk.row(contact(1))
    assert (row.status, row.reason, row.payload) == ("rejected", "invalid_date", None)
    assert desk.numbers("select reason_field from record") == [("date_of_birth",)]


def test_a_mended_record_is_ready(desk: Desk) -> None:
    """A rejected record that comes again in good shape is written."""
    desk.take(contact(1, fields={}, rejected={"reason": "invalid_date", "field": "date_of_birth"}))
    desk.take(contact(1))
    assert desk.status(contact(1)) == ("ready", None)


def test_a_resolved_record_is_done_without_a_request(desk: Desk) -> None:
    """A practitioner whose user was found is done; one without a user is filtered with the reason."""
    desk.take(contact(1, resolved=("user-1", None)), contact(2, resolved=(None, "no_user")))
    assert desk.status(contact(1)) == ("done", None)
    assert desk.row(contact(1)).hl_id == "user-1"
    assert desk.status(contact(2)) == ("filtered", "no_user")


def test_more_records_than_a_statement_takes(desk: Desk) -> None:
    """A chunk of any size is taken in, and again as unchanged."""
    many = [contact(number) for number in range(1200)] + [profile(number) for number in range(600)]
    desk.take(*many)
    assert desk.numbers("select count(*) from record") == [(2400,)]
    with desk.ledger.transaction() as connection:
        connection.execute(
            record.update().values(status="done", hl_id=record.c.ref), execution_options=RECEIVED.options
        )
    desk.next_run()
    desk.take(*many)
    assert desk.numbers("select count(*) from record where seen_run = :run", run=desk.run) == [(2400,)]
    assert desk.claimed() == []


def test_sub_accounts_share_a_ledger_without_seeing_each_other(desk: Desk) -> None:
    """Two sub-accounts in one ledger each have their own records of the same patients."""
    desk.take(contact(1))
    here = desk.ledger.location
    desk.ledger.close()
    other = type(desk).open(desk.url, "place2")
    assert other.work.row("contact:patients/1") is None
    other.take(contact(1))
    other.write_all()
    other.ledger.close()
    again = type(desk).open(desk.url, here)
    assert again.claimed() == ["contact:patients/1"]
    desk.ledger = again.ledger


def test_streams_without_a_declared_association_make_no_relation(desk: Desk) -> None:
    """A relation whose key nobody declared is passed over."""
    spare = replace(profile(1), spec=replace(PROFILES, associations=()))
    desk.take(spare, contact(1))
    assert desk.write_all() == ["contact:patients/1", "custom_objects.profile:patients/1"]
