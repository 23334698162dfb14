"""The budget of the day: what we counted ourselves, and what HighLevel's headers say is left."""

from __future__ import annotations

import math
import time
from collections import deque
from typing import TYPE_CHECKING, Protocol

from target_highlevel.errors import DayBudgetSpent

if TYPE_CHECKING:
    from collections.abc import Callable

_HOUR = 3600.0
_DAY = 24 * _HOUR
_BLOCK = 50
#: Seconds within which nobody believes in two new days, unless the headers were seen to begin anew: headers that count nothing
#: would announce one with every answer.
_SHORTEST_DAY = 20 * _HOUR


class DayCounter(Protocol):
    """Remembers how many requests were made; kept by the ledger, so that the next run goes on counting."""

    def spent(self) -> int:
        """Requests of the last 24 hours, without those of a day of HighLevel's that is known to be over."""
        ...

    def add(self, requests: int) -> None:
        """Count requests before they are made (a negative number takes unused ones back), durably."""
        ...

    def start_day(self, *, after: float) -> bool:
        """Forget what was counted: HighLevel seems to have begun a new day.

        Return whether it was done: not if the last time was less than so many seconds ago.
        """
        ...


class InMemoryDayCounter:
    """Counts by the hour over 24 hours: safe whenever HighLevel's day begins; nobody documents it."""

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        """Start at nought."""
        self._now = now
        self._hours: deque[tuple[float, int]] = deque()
        self._began = -math.inf

    def spent(self) -> int:
        """Requests of the last 24 hours."""
        while self._hours and self._hours[0][0] + _HOUR + _DAY <= self._now():
            self._hours.popleft()
        return sum(count for _, count in self._hours)

    def add(self, requests: int) -> None:
        """Count them in the present hour."""
        hour = self._now() // _HOUR * _HOUR
        if self._hours and self._hours[-1][0] == hour:
            requests += self._hours.pop()[1]
        self._hours.append((hour, requests))

    def start_day(self, *, after: float) -> bool:
        """Forget what was counted."""
        if self._now() - self._began < after:
            return False
        self._began = self._now()
        self._hours.clear()
        return True


class DayBudget:
    """Lets requests through until the day is spent. Not thread-safe: the governor calls it under its lock.

    The last thousandth of the day is kept back for asking whether a new day has begun: only the first request
    of a run may use it. So a run started too early ends at once, and no request is made beyond the budget.
    """

    def __init__(self, per_day: int, counter: DayCounter) -> None:
        """Count against `per_day`, or against what HighLevel allows if that is less."""
        self._per_day = per_day
        self._reserve = max(1, per_day // 1000)
        self._counter = counter
        self._bought = 0
        self._spent = 0
        self._first = True
        self._server_left: int | None = None
        self._newest = 0
        self._old_day = 0
        self._used = 0
        self._doubted = False

    def take(self) -> None:
        """Count one request that is about to be made.

        Raises:
            DayBudgetSpent: it would be one too many.
        """
        reserve = 0 if self._first else self._reserve
        if self._server_left is not None and self._server_left <= reserve:
            raise self.spent()
        if not self._bought:
            self._buy(reserve)
        self._first = False
        self._bought -= 1
        if self._server_left is not None:
            self._server_left -= 1

    def unsent(self) -> None:
        """A request that was let through has never left."""
        self._bought += 1

    def give_back(self) -> None:
        """Return what was counted ahead and not used."""
        self._counter.add(-self._bought)
        self._bought = 0

    def hear(self, number: int, latest: int, underway: int, remaining: int, limit: int | None) -> None:
        """Take in the daily headers of an answer.

        Args:
            number: which request of ours it answers
            latest: the number of the latest request let through
            underway: requests let through and not answered, any of which may be missing from `remaining`
            remaining: what HighLevel says is left of the day
            limit: what it says the day holds
        """
        if number <= max(self._newest, self._old_day):
            return  # overtaken by a later request's answer, or from before the day turned
        self._newest = number
        if limit is not None:
            self._reserve = max(1, min(self._per_day, limit) // 1000)
        self._server_left = remaining - underway
        ours = self._spent - self._bought - underway - (latest - number)
        if limit is None or remaining > limit:
            return
        # half again: answers that overtake each other let the number go up and down by a few
        surely, self._used = limit - remaining < self._used / 2, limit - remaining
        # Half, as HighLevel may leave out some of ours, such as those it answered with 429.
        if self._used < ours / 2 and (surely or not self._doubted):
            self._turn_day(latest, underway, surely=surely)

    def spent(self) -> DayBudgetSpent:
        """The error that ends the run."""
        return DayBudgetSpent("the day's requests are spent; run again when HighLevel's day has turned")

    def _buy(self, reserve: int) -> None:
        """Count a block durably before it is used: a killed run then has counted too many, never too few."""
        room = self._per_day - reserve - self._counter.spent()
        if room <= 0:
            raise self.spent()
        self._bought = 1 if self._first else min(_BLOCK, room)
        self._counter.add(self._bought)
        self._spent = self._counter.spent()

    def _turn_day(self, latest: int, underway: int, *, surely: bool) -> None:
        """HighLevel has counted far fewer requests than we made: its day is a new one."""
        self._doubted = not self._counter.start_day(after=0.0 if surely else _SHORTEST_DAY)
        if self._doubted:
            return
        self._old_day = latest
        self._counter.add(self._bought + underway + 1)
        self._spent = self._counter.spent()
