"""What of a record is written, where a write that was cut off may have arrived or not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hl_ledgers import Desk, contact

from target_highlevel.descriptor import FieldSpec, StreamSpec
from target_highlevel.engine.changes import Changes
from target_highlevel.fields import mark
from target_highlevel.ledger.rows import Outcome

if TYPE_CHECKING:
    from target_highlevel.ledger.rows import Row

SPEC = StreamSpec("hl_a", "contact", "contact", fields={name: FieldSpec(name) for name in ("name", "city")})
OLD: dict[str, Any] = {"name": "Ada", "city": "Bath"}
SALT = b"salt"


def cut_off(desk: Desk, *attempts: dict[str, Any]) -> tuple[Row, Changes]:
    """Return a record that holds the old values, and whose later writes were begun and never settled."""
    desk.take(contact(1))
    row, changes = desk.row("contact:patients/1"), Changes(desk.work, SALT, "never")
    desk.work.intend(row, "create", "contacts", fields=OLD)
    written = {name: mark(SPEC.field(name), value, SALT) for name, value in OLD.items()}
    desk.work.settle(row, Outcome.CREATED, hl_id="hl-1", written=written)
    desk.next_run()
    desk.take(contact(1, fields={"name": "other"}))
    for values in attempts:
        marks = changes.marks(SPEC, values)
        row = desk.row("contact:patients/1")
        desk.work.intend(row, "update", "contacts", fields=values, marks=marks)
        desk.next_run()
    return desk.row("contact:patients/1"), Changes(desk.work, SALT, "never")


def test_what_was_begun_is_looked_at_though_nothing_has_changed(desk: Desk) -> None:
    """Cliniko says again what it had said before: whether HighLevel does nobody knows."""
    row, changes = cut_off(desk)
    assert changes.of(row, SPEC, OLD) == {}
    row, changes = cut_off(desk, {"city": "York"})
    assert changes.of(row, SPEC, OLD) == {"city": "Bath"}
    row, changes = cut_off(desk, {"city": None})
    assert changes.of(row, SPEC, OLD) == {"city": "Bath"}


@pytest.mark.parametrize(
    ("there", "conflicts"),
    [("Bath", set()), ("York", set()), ("Hull", set()), (None, set()), ("Leeds", {"city"})],
)
def test_what_we_may_have_put_there_is_no_persons(there: str | None, conflicts: set[str], desk: Desk) -> None:
    """Of whichever attempt it is; what none of them sent, a person has entered."""
    row, changes = cut_off(desk, {"city": "York"}, {"city": None}, {"city": "Hull"})
    found = changes.conflicts(row, SPEC, changes.of(row, SPEC, OLD), {**OLD, "city": there})
    assert found == conflicts


def test_the_trail_and_the_ledger_hold_no_value(desk: Desk) -> None:
    """Only what tells whether a value is that one."""
    row, _ = cut_off(desk, {"city": "York"})
    assert "York" not in str(row.intent)
    assert row.begun.keys() == {"city"}
    desk.work.settle(row, Outcome.UPDATED, hl_id="hl-1", written={})
    assert desk.row("contact:patients/1").begun == {}
