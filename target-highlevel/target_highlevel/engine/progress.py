"""How far the load is, on standard error: done, to do, rate, time left. No personal data, nothing on standard output."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from target_highlevel.ledger.work import Work

logger = logging.getLogger(__name__)
_EVERY = 10.0


class Progress:
    """Says every ten seconds what has been settled since the start and what is left."""

    def __init__(self, work: Work, clock: Callable[[], float] = time.monotonic) -> None:
        """Start the clock."""
        self._work = work
        self._clock = clock
        self._began = self._said = clock()

    def show(self) -> None:
        """Log a line when it is time for one."""
        now = self._clock()
        if now - self._said < _EVERY:
            return
        self._said = now
        left, done = self._work.waiting(), self._work.settled
        rate = done / (now - self._began)
        remaining = f"{left / rate / 60:.0f} min" if rate else "unknown"
        logger.info(
            "highlevel.progress done=%d total=%d rate=%.1f/s time_left=%s", done, done + left, rate, remaining
        )
