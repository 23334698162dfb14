"""Machines that run what comes, as a discrete-event simulation; `scale.py` says what comes."""

from __future__ import annotations

import heapq
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True)
class Work:
    """What a run needs: seconds of a processor, and seconds it takes at least however many processors there are."""

    processor: float
    lasts: float


@dataclass(order=True)
class _Event:
    at: float
    order: int
    run: Any = field(compare=False)


class Fleet:
    """Machines that share all runs: a number of processor cores, and of slots for runs at a time.

    While the running ones want more processor than there is, all are slowed down alike. So they end in the order of their
    ends on a clock that runs slower then.
    """

    def __init__(self, cores: int, slots: int) -> None:
        """Begin at the start of a day with nothing to do."""
        self._cores, self._slots = cores, slots
        self.now, self._clock, self._wanted = 0.0, 0.0, 0.0
        self._coming: list[_Event] = []
        self._running: list[_Event] = []
        self._waiting: deque[Any] = deque()
        self._order = 0
        self.most, self.busy = 0, 0.0

    def put(self, at: float, run: Any) -> None:
        """Let a run come at a moment; it has `work`, and is told when it has `ended`."""
        self._order += 1
        heapq.heappush(self._coming, _Event(at, self._order, run))

    def go(self, until: float = float("inf")) -> None:
        """Let time pass until nothing is left to do, or until a moment."""
        while (self._coming or self._running) and self.now < until:
            speed = min(1.0, self._cores / self._wanted) if self._wanted else 1.0
            end = self.now + (self._running[0].at - self._clock) / speed if self._running else float("inf")
            come = self._coming[0].at if self._coming else float("inf")
            self._pass(min(end, come), speed)
            if come <= end:
                self._waiting.append(heapq.heappop(self._coming).run)
            else:
                run = heapq.heappop(self._running).run
                self._wanted = max(0.0, self._wanted - run.work.processor / run.work.lasts)
                run.ended(self.now)
            while self._waiting and len(self._running) < self._slots:
                self._begin(self._waiting.popleft())
            self.most = max(self.most, len(self._running))

    def _pass(self, moment: float, speed: float) -> None:
        self.busy += (moment - self.now) * min(self._wanted, self._cores)
        self._clock += (moment - self.now) * speed
        self.now = moment

    def _begin(self, run: Any) -> None:
        self._wanted += run.work.processor / run.work.lasts
        self._order += 1
        heapq.heappush(self._running, _Event(self._clock + run.work.lasts, self._order, run))


@dataclass
class Once:
    """A run that comes once."""

    work: Work
    then: Callable[[float], None]

    def ended(self, now: float) -> None:
        """Tell when it ended."""
        self.then(now)


@dataclass
class EveryFewMinutes:
    """A clinic whose run comes again at the next full five minutes after it has ended, as Airflow does it."""

    fleet: Fleet
    work: Work
    offset: float
    every: float
    late: list[float] = field(default_factory=list)
    came: float = 0.0

    def ended(self, now: float) -> None:
        """Note how far behind HighLevel was, and come again."""
        self.late.append(now - self.came)
        self.came = self.offset + self.every * ((now - self.offset) // self.every + 1)
        self.fleet.put(self.came, self)
