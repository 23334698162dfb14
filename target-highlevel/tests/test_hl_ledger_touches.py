"""When a contact was written, or what hangs on it, and by which run: what a person did is told apart from that."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hl_ledgers import contact, note

from target_highlevel.ledger.undo import Undo, writing_runs

if TYPE_CHECKING:
    from collections.abc import Callable

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


def _refused_twice(desk: Desk) -> None:
    row = desk.row(contact(1))
    for _ in range(2):
        desk.work.intend(row, "update", "contacts", before={"name": "Before"})
        desk.work.refused(row)
    desk.work.reject(row, "invalid_property")


def _lost_then_refused(desk: Desk) -> None:
    row = desk.row(contact(1))
    desk.work.intend(row, "update", "contacts", before={"name": "Before"})
    desk.work.hold(row, "server_error")
    _refused_twice(desk)


def _rejected_of_whatever_came_of_it(desk: Desk) -> None:
    row = desk.row(contact(1))
    desk.work.intend(row, "update", "contacts", before={"name": "Before"})
    desk.work.reject(row, "invalid_property")


def _never_sent(desk: Desk) -> None:
    row = desk.row(contact(1))
    desk.work.intend(row, "update", "contacts")
    desk.work.not_sent(row)


def _cut_off(desk: Desk) -> None:
    desk.work.intend(desk.row(contact(1)), "update", "contacts")


@pytest.mark.parametrize(
    ("did", "may_have_written"),
    [
        (_refused_twice, False),
        (_never_sent, False),
        (_lost_then_refused, True),
        (_rejected_of_whatever_came_of_it, True),
        (_cut_off, True),
    ],
)
def test_a_run_wrote_unless_each_of_its_attempts_was_refused(
    desk: Desk, did: Callable[[Desk], None], *, may_have_written: bool
) -> None:
    """Of an attempt whose end nobody has seen, nobody knows; what was refused keeps no earlier run from being undone."""
    desk.take(contact(1))
    desk.write_all()
    first = desk.run
    desk.next_run()
    desk.take(contact(1, fields={"name": "Another"}))
    did(desk)
    assert writing_runs(desk.ledger) == [first, *([desk.run] if may_have_written else [])]
    if did is _refused_twice:
        assert Undo(desk.ledger, desk.run, first).rewritten() == set()
