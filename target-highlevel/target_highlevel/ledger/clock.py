"""A clock that was ahead in an earlier run: whatever it decided is decided anew, now that it is known to have been wrong."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import sqlalchemy as sa

from target_highlevel.ledger.rows import Status
from target_highlevel.ledger.tables import record
from target_highlevel.ledger.tables import run as runs

if TYPE_CHECKING:
    from collections.abc import Collection

    from target_highlevel.ledger.ledger import Ledger

#: Name of the fact up to which run, by its number, clocks have been looked at, and what the clock showed then.
_MINDED = "clocks:"
#: Clocks that are set right by less than this have decided nothing else.
_APART = timedelta(minutes=1)


def mind_the_clock(ledger: Ledger, run: str, clocked: Collection[str]) -> None:
    """Have this run write again what depends on the time, and the next full read look at bookings that were over too early.

    A run is looked at once, unless the clock of the run that did so was ahead as well.

    Args:
        ledger: of the sub-account.
        run: the run that begins.
        clocked: streams whose records change by time alone.
    """
    name, number = f"{_MINDED}{ledger.location}", ledger.run_number(run)
    now = ledger.now()
    minded, _, at = (ledger.fact(name) or "0").partition(" ")
    limit = f"{now + _APART:%Y-%m-%dT%H:%M:%S}"
    before = (
        runs.c.location == ledger.location,
        runs.c.number > (0 if at > limit else int(minded)),
        runs.c.number < number,
    )
    here = record.c.location == ledger.location
    with ledger.transaction() as connection:
        ahead = sa.select(runs.c.id).where(*before, runs.c.started_at > limit)
        wrong = list(connection.execute(ahead).scalars())
        if wrong:
            done = (record.c.stream.in_(clocked), record.c.status == Status.DONE.value)
            due = {"changes_at": f"{now:%Y-%m-%dT%H:%M:%SZ}"}
            connection.execute(record.update().where(here, *done).values(**due))
            bookings = (record.c.object == "appointment", record.c.outcome_run.in_(wrong))
            connection.execute(record.update().where(here, *bookings).values(digest=None))
        ledger.remember(name, f"{number - 1} {now:%Y-%m-%dT%H:%M:%S}")  # the next run looks at this one's
