"""When a contact was written, or what hangs on it: what a person did is told apart from that."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hl_ledgers import contact, note

from target_highlevel.ledger.undo import Undo

if TYPE_CHECKING:
    from hl_ledgers import Desk


def test_every_write_of_a_contact_and_of_what_hangs_on_it_is_told(desk: Desk) -> None:
    """From intent to outcome; of one that was cut off when it began; of others nothing."""
    desk.take(contact(1), contact(2), note(7, 1))
    for item in (contact(1), contact(2)):
        desk.write(item)
    row = desk.row(note(7, 1))
    desk.work.claim_id(row, "hl-note", ours=True, parent_id="hl-contact:patients/1")
    desk.work.intend(row, "update", "notes")
    audit = desk.numbers("select object, source_id, event, at from audit order by seq")
    at = {(f"{object_}:{source}", event): moment for object_, source, event, moment in audit}
    assert Undo(desk.ledger, desk.run, desk.run).touches() == {
        "hl-contact:patients/1": [
            (at["contact:patients/1", "intent"], at["contact:patients/1", "outcome"]),
            (at["note:treatment_notes/7", "intent"], at["note:treatment_notes/7", "intent"]),
        ],
        "hl-contact:patients/2": [(at["contact:patients/2", "intent"], at["contact:patients/2", "outcome"])],
    }
