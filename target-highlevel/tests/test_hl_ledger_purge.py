"""After a purge nothing of a patient can be read or guessed from the ledger."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hl_ledgers import LOCATION, Desk, contact, note, part

from target_highlevel.ledger.ledger import Ledger
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
