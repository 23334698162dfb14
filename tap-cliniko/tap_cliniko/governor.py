"""The request budget: Cliniko answers 200 requests a minute and user, from however many threads and runs."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tap_cliniko.shared_budget import UNSHARED, Place

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tap_cliniko.shared_budget import SharedBudget

logger = logging.getLogger("tap-cliniko")

_WORTH_SAYING = 5.0


class Governor:
    """Keeps any window of sixty seconds within the budget, as the server counts it.

    A request is counted from the moment it is let go until sixty seconds after its answer. The server saw it
    somewhere in between, so two requests that the server sees less than a window apart are never more than
    the budget here either, however long the network took. The price is one latency per window.

    With a shared budget, what other processes send with the same key counts as well.
    """

    def __init__(
        self,
        limit: int,
        *,
        window: float = 60.0,
        shared: SharedBudget | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Start with the whole budget free."""
        self.limit = limit
        self.window = window
        self.sent = 0
        self._shared = shared
        self._clock = clock
        self._sleep = sleep
        self._lock = threading.Lock()
        self._answered: deque[float] = deque()
        self._in_flight = 0
        self._closed_until = 0.0
        self._told_until = 0.0

    @contextmanager
    def slot(self) -> Iterator[None]:
        """Wait for a place in the budget and hold it while the request is under way."""
        while not isinstance(taken := self._take(), Place):
            self._say(taken)
            self._sleep(taken)
        try:
            yield
        finally:
            self._release(taken)

    def pause(self, seconds: float) -> None:
        """Send nothing for some seconds: the server said that the budget is spent."""
        with self._lock:
            now = self._clock()
            self._closed_until = max(self._closed_until, now + seconds)
            if self._shared is not None:
                self._shared.close_until(now + seconds, now)

    def _say(self, wait: float) -> None:
        """Tell once of a wait that somebody might take for a standstill."""
        with self._lock:
            until = self._clock() + wait
            if wait < _WORTH_SAYING or until < self._told_until + _WORTH_SAYING:
                return
            self._told_until = until
        logger.info("waiting %.0f s: the request budget of the last minute is used up", wait)

    def _take(self) -> Place | float:
        """Take a place, or return how long to wait before asking again."""
        with self._lock:
            now = self._clock()
            taken = self._own_wait(now) or (UNSHARED if self._shared is None else self._shared.take(now))
            if isinstance(taken, Place):
                self._in_flight += 1
                self.sent += 1
            return taken

    def _own_wait(self, now: float) -> float:
        """Return how long this process has to wait by its own count, 0 if not at all."""
        while self._answered and self._answered[0] <= now - self.window:
            self._answered.popleft()
        if now < self._closed_until:
            return self._closed_until - now
        if len(self._answered) + self._in_flight < self.limit:
            return 0.0
        if not self._answered:  # every place is held by a request that is still under way
            return 0.05
        return max(self._answered[0] + self.window - now, 0.001)

    def _release(self, place: Place) -> None:
        with self._lock:
            now = self._clock()
            self._in_flight -= 1
            self._answered.append(now)
            if self._shared is not None:
                self._shared.answered(place, now)
