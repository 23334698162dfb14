"""How far the load is, on standard error: done, to do, rate, time left. No personal data, nothing on standard output."""

from __future__ import annotations

import logging
import time
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from target_highlevel.engine.queue import Queue
    from target_highlevel.ledger.budget import Day
    from target_highlevel.ledger.work import Work

logger = logging.getLogger(__name__)
_EVERY = 10.0
#: The rate is that of so many of the latest lines: a load begins slowly, and a busy HighLevel may be slow for a while.
_LINES = 60
_MINUTE, _HOUR, _DAY = 60, 3600, 86_400
_MOST_MINUTES = 90


class Progress:
    """Says every ten seconds what has been settled since the start and what is left, as far as it has been received."""

    def __init__(
        self, work: Work, queue: Queue, day: Callable[[], Day], clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Start the clock.

        Args:
            work: counts the records.
            queue: knows whether the front desk can work.
            day: tells what is left of the day's requests.
            clock: seconds.
        """
        self._work = work
        self._queue = queue
        self._day = day
        self._clock = clock
        self._said = clock()
        self._points = deque([(self._said, 0)], maxlen=_LINES)

    def show(self) -> None:
        """Log a line when it is time for one."""
        now = self._clock()
        if now - self._said < _EVERY:
            return
        self._said = now
        done = self._work.settled
        self._points.append((now, done))
        then, before = self._points[0]
        rate = (done - before) / (now - then)
        first, left = self._work.ahead()
        logger.info(
            "highlevel.progress done=%d total=%d rate=%.1f/s time_left=%s front_desk=%s",
            done,
            done + left,
            rate,
            in_words(seconds_left(left, rate, self._day())),
            "can_work"
            if self._queue.front_desk_can_work
            else in_words(seconds_left(first, rate, self._day())),
        )


def seconds_left(records: int, rate: float, day: Day) -> float | None:
    """Return how long it takes to write so many records, a request for each, if each day is begun as soon as it can be.

    Args:
        records: how many.
        rate: records a second.
        day: what is left of today's requests, and when there are new ones.
    """
    if not rate:
        return None
    if records <= day.left:
        return records / rate
    days, rest = divmod(records - day.left - 1, day.requests)
    return day.seconds + days * _DAY + (rest + 1) / rate


def in_words(seconds: float | None) -> str:
    """Return a time in minutes, or hours where that is many."""
    if seconds is None:
        return "unknown"
    minutes = seconds / _MINUTE
    return f"{minutes:.0f} min" if minutes < _MOST_MINUTES else f"{seconds / _HOUR:.1f} h"
