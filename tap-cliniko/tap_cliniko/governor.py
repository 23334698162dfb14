"""The request budget: Cliniko answers 200 requests a minute and user, from however many threads."""

from __future__ import annotations

import threading
import time
from collections import deque
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Governor:
    """Keeps any window of sixty seconds within the budget, as the server counts it.

    A request is counted from the moment it is let go until sixty seconds after its answer. The server saw it
    somewhere in between, so two requests that the server sees less than a window apart are never more than
    the budget here either, however long the network took. The price is one latency per window.
    """

    def __init__(
        self,
        limit: int,
        *,
        window: float = 60.0,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Start with the whole budget free."""
        self.limit = limit
        self.window = window
        self.sent = 0
        self._clock = clock
        self._sleep = sleep
        self._lock = threading.Lock()
        self._answered: deque[float] = deque()
        self._in_flight = 0
        self._closed_until = 0.0

    @contextmanager
    def slot(self) -> Iterator[None]:
        """Wait for a place in the budget and hold it while the request is under way."""
        while wait := self._take():
            self._sleep(wait)
        try:
            yield
        finally:
            with self._lock:
                self._in_flight -= 1
                self._answered.append(self._clock())

    def pause(self, seconds: float) -> None:
        """Send nothing for some seconds: the server said that the budget is spent."""
        with self._lock:
            self._closed_until = max(self._closed_until, self._clock() + seconds)

    def _take(self) -> float:
        """Take a place and answer 0, or answer how long to wait before asking again."""
        with self._lock:
            now = self._clock()
            while self._answered and self._answered[0] <= now - self.window:
                self._answered.popleft()
            if now < self._closed_until:
                return self._closed_until - now
            if len(self._answered) + self._in_flight < self.limit:
                self._in_flight += 1
                self.sent += 1
                return 0.0
            if not self._answered:  # every place is held by a request that is still under way
                return 0.05
            return max(self._answered[0] + self.window - now, 0.001)
