"""After a purge nothing of a patient can be read or guessed from the ledger."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from hl_ledgers import LOCATION, NOTES, Desk, contact, note, part

from target_highlevel.descriptor import Incoming, StreamSpec
from target_highlevel.ledger.ledger import Ledger
from target_highlevel.ledger.partials import NO_VISIT, OTHER_SUB_ACCOUNT
from target_highlevel.ledger.purge import Purge, purged_on
from target_highlevel.ledger.rows import Notes, Outcome
from target_highlevel.values import fingerprint

if TYPE_CHECKING:
    from pathlib import Path

BORN = "1984-02-29"


def loaded(desk: Desk) -> None:
    """Bring a patient in, change it, and have something wait, be refused and be contributed."""
    desk.take(
        contact(1, fields={"name": BORN}, priority=BORN),
        contact(2),
        note(8, 9),
        note(7, 1, fields={"body": BORN}),
    )
    desk.take(part(1, "appointments/5", fields={"tags": ["medical-alert"]}))
    row = desk.row("contact:patients/1")
    desk.work.intend(row, "update", "things", before={"name": BORN})
    mark = fingerprint(BORN, desk.ledger.salt)
    desk.work.settle(
        row, Outcome.UPDATED, hl_id="hl-1", written={"name": mark}, notes=Notes(tags=("medical-alert",))
    )
    desk.work.reject(desk.row("note:treatment_notes/7"), "text_too_long")


def test_no_hash_no_key_and_no_text_is_left(tmp_path: Path) -> None:
    """Neither the words nor a hash of them under any key that the file holds; ids stay, and so does who the ledger is."""
    desk = Desk.open(f"sqlite:///{tmp_path}/ledger.db")
    loaded(desk)
    salt, identity = desk.ledger.salt, desk.ledger.identity
    Purge(desk.ledger).act(for_good=True)
    assert desk.numbers("select distinct digest, written, notes, payload from record") == [(None,) * 4]
    assert (
        desk.numbers("select count(*) from before_image")
        == desk.numbers("select count(*) from contribution")
        == [(0,)]
    )
    assert desk.row("contact:patients/1").hl_id == "hl-1"
    desk.ledger.close()
    ledger = Ledger(desk.url, LOCATION)
    assert ledger.salt != salt
    assert ledger.identity == identity
    assert purged_on(ledger)
    ledger.close()
    held = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    for text in (BORN, "medical-alert", salt.hex(), fingerprint(BORN, salt)):
        assert text.encode() not in held


def test_the_key_stays_as_long_as_another_sub_account_needs_it(ledger_url: str) -> None:
    """Its records are known by their hashes; its own purge takes the key."""
    desk, other = Desk.open(ledger_url), Desk.open(ledger_url, "place2")
    loaded(desk)
    loaded(other)
    salt = desk.ledger.salt
    Purge(desk.ledger).act(for_good=True)
    assert desk.ledger.fact("salt") == salt.hex()
    assert other.numbers("select count(*) from record where location = 'place2' and digest is not null") == [
        (4,)
    ]
    Purge(other.ledger).act(for_good=True)
    assert desk.ledger.fact("salt") != salt.hex()
    desk.ledger.close()
    other.ledger.close()


def test_no_hash_of_a_write_that_was_cut_off_stays_beside_its_key(ledger_url: str) -> None:
    """An open intent keeps hashes of what may be there; the key stays with another sub-account that was never purged."""
    desk, other = Desk.open(ledger_url), Desk.open(ledger_url, "place2")
    desk.take(contact(1, fields={"name": BORN}))
    mark = fingerprint(BORN, desk.ledger.salt)
    desk.work.intend(desk.row("contact:patients/1"), "create", "things", marks={"name": mark})
    other.take(contact(1))
    other.write("contact:patients/1")
    other.work.reset_digests()  # what was written is known by the key alone then
    Purge(desk.ledger).act(for_good=True)
    assert desk.ledger.fact("salt") == other.ledger.salt.hex()
    assert desk.row("contact:patients/1").intent is None
    desk.ledger.close()
    other.ledger.close()


def test_a_purge_says_when_the_file_still_holds_what_was_removed(tmp_path: Path) -> None:
    """Whoever is reading the ledger keeps its old pages there; a second purge takes them out."""
    path = tmp_path / "ledger.db"
    desk = Desk.open(f"sqlite:///{path}")
    loaded(desk)
    with desk.ledger.transaction() as connection:
        connection.exec_driver_sql("PRAGMA busy_timeout=0")
    with closing(sqlite3.connect(path)) as reader:
        rows = reader.execute("select ref from record")
        assert rows.fetchone()
        assert not Purge(desk.ledger).act(for_good=True)
        rows.close()
    assert Purge(desk.ledger).act(for_good=True)
    assert not any(BORN.encode() in each.read_bytes() for each in tmp_path.iterdir())
    desk.ledger.close()


BLOCKED = StreamSpec(stream="hl_blocked_slots", kind="blocked_slot", object="blocked_slot", fields={})
OWNER = "user:practitioners/1"


def purged_before_a_later_run(desk: Desk) -> None:
    """Purge whatever is older than the run that begins now."""
    desk.next_run()
    Purge(desk.ledger, before=desk.run).act(for_good=False)


@pytest.mark.parametrize("reason", [NO_VISIT, OTHER_SUB_ACCOUNT])
def test_what_is_left_out_for_now_comes_in_after_a_purge_of_older_runs(ledger_url: str, reason: str) -> None:
    """A first visit, say, brings an opportunity that is not read again: its content must be there."""
    desk = Desk.open(ledger_url)
    desk.take(contact(1))
    desk.work.set_aside(desk.row("contact:patients/1"), reason)
    purged_before_a_later_run(desk)
    desk.take(part(1, "appointments/5", fields={"tags": ["seen"]}))
    assert desk.claimed() == ["contact:patients/1"]
    assert desk.row("contact:patients/1").fields == {"name": "Patient 1"}
    desk.ledger.close()


@pytest.mark.parametrize("is_written", [True, False])
def test_the_diary_follows_a_new_user_after_a_purge_of_older_runs(
    ledger_url: str, *, is_written: bool
) -> None:
    """An absence is found by the practitioner whom its content names, whether somebody's time was blocked yet or not."""
    desk = Desk.open(ledger_url)
    slot = Incoming(spec=BLOCKED, source_id="unavailable_blocks/1", fields={"owner": OWNER})
    desk.take(slot)
    if is_written:
        desk.write(slot)
    else:
        desk.work.set_aside(desk.row(slot), "no_user")
    purged_before_a_later_run(desk)
    desk.work.came_or_went(OWNER)
    assert desk.claimed() == [slot.ref]
    assert desk.row(slot).fields == {"owner": OWNER}
    desk.ledger.close()


def test_what_is_written_keeps_only_what_it_may_need_again(ledger_url: str) -> None:
    """What was kept of a record that is done is for the day on which its sources change; what the mapping leaves out goes."""
    desk = Desk.open(ledger_url)
    desk.take(contact(1), note(7, 1), note(8, 1, filtered="not_requested"))
    desk.write(contact(1))
    row = desk.row("note:treatment_notes/7")
    desk.work.settle(row, Outcome.CREATED, hl_id="hl-7", written={}, keep_payload=True)
    purged_before_a_later_run(desk)
    kept = desk.numbers("select ref from record where payload is not null")
    assert kept == [(f"{NOTES.object}:treatment_notes/7",)]
    desk.ledger.close()


def test_the_hash_of_a_value_depends_on_the_ledger(tmp_path: Path) -> None:
    """Without its key a hash of a birth date could be looked up in a table: no two ledgers have the same."""
    desks = [Desk.open(f"sqlite:///{tmp_path}/{name}.db") for name in ("one", "two")]
    for desk in desks:
        desk.take(contact(1, fields={"name": BORN}))
    one, two = (desk.row("contact:patients/1").digest for desk in desks)
    assert one != two
    assert fingerprint(BORN, desks[0].ledger.salt) != fingerprint(BORN, desks[1].ledger.salt)
    assert fingerprint(BORN, desks[0].ledger.salt) == fingerprint(BORN, desks[0].ledger.salt)
    for desk in desks:
        desk.ledger.close()
