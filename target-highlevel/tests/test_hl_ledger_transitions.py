"""Every change of a status is one of the table's; `hl_transitions` sees to that in all tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa
from hl_ledgers import Desk, address, contact

from target_highlevel.ledger.tables import record
from target_highlevel.ledger.transitions import ADMITTED, OPTION, SETTLED, TRANSITIONS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """A run with an empty ledger."""
    opened = Desk.open(address("sqlite", tmp_path, None))
    yield opened
    opened.ledger.close()


def test_a_status_that_is_set_by_no_transition_raises(desk: Desk) -> None:
    """A statement has to name its transition."""
    desk.take(contact(1))
    with pytest.raises(sa.exc.IntegrityError, match="forbidden"), desk.ledger.transaction() as connection:
        connection.execute(record.update().values(status="done"))


@pytest.mark.parametrize("status", ["ready", "filtered"])
def test_a_transition_to_another_status_or_from_another_raises(desk: Desk, status: str) -> None:
    """What was read as done is not settled a second time, and settling leads nowhere else."""
    desk.take(contact(1))
    desk.write(contact(1))
    with pytest.raises(sa.exc.IntegrityError, match="forbidden"), desk.ledger.transaction() as connection:
        connection.execute(record.update().values(status=status), execution_options=SETTLED.options)


def test_a_transition_leaves_alone_what_is_in_another_status(desk: Desk) -> None:
    """What is done is not admitted."""
    desk.take(contact(1))
    desk.write(contact(1))
    with desk.ledger.transaction() as connection:
        assert connection.execute(ADMITTED.update()).rowcount == 0
    assert desk.status(contact(1))[0] == "done"


def test_each_transition_has_a_name_of_its_own() -> None:
    """The watch, and the documentation, tell them apart by name."""
    assert len({each.name for each in TRANSITIONS}) == len(TRANSITIONS)
    assert SETTLED.options == {OPTION: "settled"}
