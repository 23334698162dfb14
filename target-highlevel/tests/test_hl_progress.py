"""How long a load takes: days that HighLevel's budget takes are part of it."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from hl_ledgers import LOCATION, Desk, contact, note, profile

from target_highlevel.engine.progress import Progress, in_words, seconds_left
from target_highlevel.ledger.budget import Day, LedgerDayCounter
from target_highlevel.ledger.ledger import Ledger

if TYPE_CHECKING:
    from pathlib import Path

RATE, PER_DAY, HOUR, A_DAY = 9.8, 200_000, 3600, 86_400


def lasts(records: int) -> float:
    """Return how many seconds a load lasts that is begun at midnight, by counting each second of it."""
    second, written = 0.0, 0.0
    while written < records:
        day = int(second // A_DAY)
        room = PER_DAY * (day + 1)
        if written >= room:
            second = (day + 1) * A_DAY
        written, second = written + min(RATE * 60, room - written, records - written), second + 60
    return second


@pytest.mark.parametrize("spent", [0, 90_000, 200_000, 320_000])
def test_the_time_left_is_right_within_a_tenth_all_along_a_long_load(spent: int) -> None:
    """335,000 requests need a second day: whenever it is asked, what is said differs little from what it takes."""
    now, whole = lasts(spent), lasts(335_000)
    day = Day(PER_DAY, PER_DAY * (1 + int(now // A_DAY)) - spent, A_DAY - now % A_DAY)
    said = seconds_left(335_000 - spent, RATE, day)
    assert said == pytest.approx(whole - now, rel=0.1)


def test_a_day_is_what_was_not_spent_in_the_last_24_hours(tmp_path: Path) -> None:
    """What is spent comes back 24 hours after its hour has ended."""
    moment = datetime(2026, 11, 22, 10, 30, tzinfo=UTC)
    ledger = Ledger(f"sqlite:///{tmp_path}/ledger.db", LOCATION, now=lambda: moment)
    counter = LedgerDayCounter(ledger)
    assert counter.day(100) == Day(100, 100, 0)
    counter.add(30)
    moment += timedelta(hours=2)
    counter.add(20)
    assert counter.day(100) == Day(100, 50, 22.5 * HOUR)
    moment += timedelta(hours=23)
    assert counter.day(100).left == 80
    ledger.close()


def test_nobody_waits_for_what_may_never_come(desk: Desk) -> None:
    """What waits for a record that is to be written is still to be done; what waits for one that nobody knows is not."""
    desk.take(contact(1), note(1, 1), profile(1), note(2, 9))
    assert desk.work.ahead() == (1, 4)
    desk.write("contact:patients/1")
    assert desk.work.ahead() == (0, 3)


class AtHand:
    """What progress needs of a queue."""

    front_desk_can_work = False


def test_it_is_said_how_long_until_the_front_desk_can_work(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    """Of what is first, and of all; in minutes or in hours."""
    caplog.set_level(logging.INFO)
    moment = 0.0
    queue = AtHand()
    progress = Progress(desk.work, queue, lambda: Day(1000, 1000, 0), lambda: moment)  # type: ignore[arg-type]
    desk.take(*(contact(number) for number in range(1, 7)), *(note(number, number) for number in range(1, 7)))
    progress.show()
    assert not caplog.messages
    moment = 60
    progress.show()
    desk.write("contact:patients/1")
    moment = 120
    progress.show()
    queue.front_desk_can_work = True
    moment = 180
    progress.show()
    assert caplog.messages == [
        "highlevel.progress done=0 total=12 rate=0.0/s time_left=unknown front_desk=unknown",
        "highlevel.progress done=1 total=12 rate=0.0/s time_left=22 min front_desk=10 min",
        "highlevel.progress done=1 total=12 rate=0.0/s time_left=33 min front_desk=can_work",
    ]
    assert in_words(6000) == "1.7 h"
