"""Keeps one sub-account inside its request budget: evenly paced, never too many in any window at HighLevel.

What can go wrong is a request that leaves later than it was let through: its thread was not scheduled, its
connection had to be opened, its upload was long. Requests let through evenly then arrive bunched. So a place
in the window is occupied until ten seconds after the request *has left* (plus what transit may vary), or ten
seconds after its answer came, whichever is earlier; while it has not left, it is occupied without end. If
ever more than the limit arrived within ten seconds, the last of them to be let through would have found every
place occupied, and waited. That holds however threads are scheduled; only a packet that the network holds
up by `transit` more than the others escapes it. Other processes of this machine that use the same sub-account
take their places in the same window, see ``shared_window``.
"""

from __future__ import annotations

import math
import re
import threading
import time
from bisect import bisect_right
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from target_highlevel.errors import Interrupted
from target_highlevel.http.day import DayBudget, DayCounter, InMemoryDayCounter
from target_highlevel.http.shared_window import UNSHARED, Place

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from target_highlevel.http.shared_window import SharedWindow

_NOT_YET = math.inf
_POLL = 0.01
#: Windows for which it is remembered when requests were let through: an answer may be that late.
_WINDOWS_KEPT = 16
#: Whatever a 429 says: a mistaken header must not stop a run for hours, nor hold the sign of life back for which another run
#: waits before it takes the sub-account over.
LONGEST_HOLD = 90.0
#: Of a number in a header.
_MOST_DIGITS = 15
_SECONDS = re.compile(r"\d+(\.\d+)?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Limits:
    """What HighLevel allows: 100 requests in any 10 s, 200,000 a day; a sandbox account 25 and 10,000."""

    requests: int = 100
    seconds: float = 10.0
    per_day: int = 200_000
    share: float = 0.966
    """How much of the limit the even pace uses; the rest absorbs threads that are late."""
    transit: float = 0.2
    """By how many seconds the way to HighLevel may vary."""


@dataclass(frozen=True, slots=True)
class Statistics:
    """What the report says about the budget."""

    requests: int
    waited_seconds: float
    greatest_window: int
    too_many_requests: int


class Slot:
    """Leave to send one request. The connection says when it has left."""

    __slots__ = ("_governor", "free_at", "granted_at", "number", "place", "sending")

    def __init__(self, governor: Governor, number: int, granted_at: float, place: Place = UNSHARED) -> None:
        """Occupy a place in the window from now on."""
        self._governor = governor
        self.number = number
        self.place = place
        self.granted_at = granted_at
        self.free_at = _NOT_YET
        self.sending = False

    def leaving(self) -> None:
        """The first byte is about to go: from here on HighLevel may act on it."""
        self.sending = True

    def left(self) -> None:
        """The last byte has gone."""
        self._governor.departed(self)


class Governor:
    """Hands out leave to send, one request at a time. One per sub-account, shared by all threads."""

    def __init__(
        self,
        limits: Limits | None = None,
        *,
        day: DayCounter | None = None,
        shared: SharedWindow | None = None,
        stop_event: threading.Event | None = None,
        clock: Callable[[], float] = time.monotonic,
        wait: Callable[[float], bool] | None = None,
    ) -> None:
        """Set up with an empty window.

        Args:
            limits: what is allowed
            day: where the day's requests are counted
            shared: the window that other processes of this machine take places in too; by default there are none
            stop_event: when set, nobody waits any longer and nothing more is let through
            clock: monotonic seconds
            wait: sleeps for some seconds, true if woken to stop; by default the event's own `wait`
        """
        self._limits = limits or Limits()
        self._day = DayBudget(self._limits.per_day, day or InMemoryDayCounter())
        self._shared = shared
        self._stop = stop_event or threading.Event()
        self._clock = clock
        self._wait = wait or self._stop.wait
        self._turnstile = threading.Lock()  # held by the one thread whose turn is next, while it waits
        self._state = threading.Lock()  # held for moments only
        self._window: list[Slot] = []
        self._granted: list[float] = []  # in order: the clock is read under the lock
        self._underway = 0
        self._number = 0
        self._due = -math.inf
        self._held_until = -math.inf
        self._server_limit = self._limits.requests
        self._others = 0
        self._others_until = -math.inf
        self._waited = 0.0
        self._greatest = 0
        self._too_many = 0

    @contextmanager
    def slot(self) -> Iterator[Slot]:
        """Wait for leave to send one request, and keep the place in the window for as long as needed.

        Raises:
            Interrupted: the run was asked to stop.
            DayBudgetSpent: no request is left today.
        """
        slot = self._take_turn()
        try:
            yield slot
        finally:
            self._answered(slot)

    def departed(self, slot: Slot) -> None:
        """The request has left: its place is free ten seconds after it has surely arrived."""
        with self._state:
            slot.free_at = self._clock() + self._limits.transit + self._limits.seconds
        self._tell_others(slot)

    def hear(self, slot: Slot, headers: Mapping[str, str]) -> None:
        """Take in the rate headers of an answer: other programs may use the same budget."""
        told = RateHeaders.of(headers)
        ours_elsewhere = self._shared.taken_by_others(self._clock()) if self._shared and told.maximum else 0
        with self._state:
            if told.maximum is not None:
                self._server_limit = told.limit_for(self._limits.seconds)
                self._notice_others(slot, told, ours_elsewhere)
            if told.daily_remaining is not None:
                self._day.hear(
                    slot.number, self._number, self._underway, told.daily_remaining, told.daily_limit
                )

    def hold(self, seconds: float | None = None, attempt: int = 1) -> None:
        """HighLevel answered 429: let nothing through for so long, 90 seconds at most; by default for one window.

        Where the same request is refused again after that, what was told was too little: each time for one window more.
        """
        with self._state:
            self._too_many += 1
            windows = attempt if seconds is None else attempt - 1
            pause = min(max(seconds or 0.0, windows * self._limits.seconds), LONGEST_HOLD)
            now = self._clock()
            self._held_until = max(self._held_until, now + pause)
        if self._shared is not None:
            self._shared.close_until(now + pause, now)

    def close(self) -> None:
        """Hand back what was counted ahead of use."""
        with self._state:
            self._day.give_back()

    def statistics(self) -> Statistics:
        """The figures so far."""
        with self._state:
            return Statistics(self._number, round(self._waited, 3), self._greatest, self._too_many)

    def _take_turn(self) -> Slot:
        with self._turnstile:
            began = self._clock()
            while not isinstance(place := self._place_or_pause(), Place):
                self._wait(place)
            try:
                return self._grant(began, place)
            except BaseException:
                if self._shared is not None:
                    self._shared.free_at(place, self._clock(), self._clock())
                raise

    def _place_or_pause(self) -> Place | float:
        """A place in the window that all processes share, or the seconds until there may be one."""
        pause = self._pause()
        if pause > 0:
            return pause
        return self._shared.take(self._clock()) if self._shared is not None else UNSHARED

    def _pause(self) -> float:
        """Seconds until the next request might go; 0 or less: now."""
        if self._stop.is_set():
            message = "stopped before the request was sent"
            raise Interrupted(message)
        with self._state:
            now = self._clock()
            return max(self._due - now, self._held_until - now, self._until_window_has_room(now))

    def _until_window_has_room(self, now: float) -> float:
        self._window = [slot for slot in self._window if slot.free_at > now]
        surplus = len(self._window) - self._allowed(now)
        if surplus < 0:
            return 0.0
        free_at = sorted(slot.free_at for slot in self._window)[surplus]
        return _POLL if free_at == _NOT_YET else free_at - now

    def _grant(self, began: float, place: Place) -> Slot:
        with self._state:
            now = self._clock()
            self._day.take()
            self._number += 1
            self._underway += 1
            slot = Slot(self, self._number, now, place)
            self._window.append(slot)
            self._granted.append(now)
            if len(self._granted) > _WINDOWS_KEPT * self._limits.requests:
                del self._granted[: len(self._granted) // 2]
            self._waited += now - began
            self._greatest = max(self._greatest, self._sent_since(now - self._limits.seconds))
            step = self._limits.seconds / (self._limits.share * self._allowed(now))
            # Up to two steps of lateness are made good, so that oversleeping costs nothing; the window holds.
            self._due = max(self._due, now - 2 * step) + step
            return slot

    def _answered(self, slot: Slot) -> None:
        with self._state:
            self._underway -= 1
            now = self._clock()
            if slot.sending:  # it had arrived by now, whatever the network did
                slot.free_at = min(slot.free_at, now + self._limits.seconds)
            else:  # HighLevel never saw it
                slot.free_at = now
                self._day.unsent()
        self._tell_others(slot)

    def _tell_others(self, slot: Slot) -> None:
        if self._shared is not None:
            slot.place = self._shared.free_at(slot.place, slot.free_at, self._clock())

    def _sent_since(self, moment: float) -> int:
        return len(self._granted) - bisect_right(self._granted, moment)

    def _allowed(self, now: float) -> int:
        """Requests per window that are ours at present."""
        others = self._others if now < self._others_until else 0
        return max(1, min(self._limits.requests, self._server_limit) - others)

    def _notice_others(self, slot: Slot, told: RateHeaders, ours_elsewhere: int) -> None:
        """What is used beyond our own requests is used by others; believed for one window, then seen afresh.

        Those of our own processes are not among them: these keep places in the shared window. Our own are counted
        generously, with those let through while the answer was under way. A difference
        that the pace's margin covers is not noticed: slowing down for nothing costs more than a rare 429.
        """
        if told.maximum is None or told.remaining is None:
            return
        now = self._clock()
        others = (
            told.maximum
            - told.remaining
            - self._sent_since(slot.granted_at - told.seconds(self._limits.seconds))
            - ours_elsewhere
        )
        if others <= self._limits.requests * (1 - self._limits.share):
            return
        if others >= self._others or now >= self._others_until:
            self._others = others
            self._others_until = now + self._limits.seconds


@dataclass(frozen=True, slots=True)
class RateHeaders:
    """The five rate headers; any may be absent."""

    maximum: int | None
    remaining: int | None
    interval_milliseconds: int | None
    daily_limit: int | None
    daily_remaining: int | None

    @classmethod
    def of(cls, headers: Mapping[str, str]) -> RateHeaders:
        """Read them from an answer."""
        return cls(
            # 0 cannot be meant: there was an answer
            maximum=_header_number(headers, "X-RateLimit-Max") or None,
            remaining=_header_number(headers, "X-RateLimit-Remaining"),
            interval_milliseconds=_header_number(headers, "X-RateLimit-Interval-Milliseconds"),
            daily_limit=_header_number(headers, "X-RateLimit-Limit-Daily"),
            daily_remaining=_header_number(headers, "X-RateLimit-Daily-Remaining"),
        )

    def seconds(self, default: float) -> float:
        """Length of the window they speak of."""
        return self.interval_milliseconds / 1000 if self.interval_milliseconds else default

    def limit_for(self, seconds: float) -> int:
        """How many requests in a window of so many seconds they allow."""
        return max(1, int((self.maximum or 0) * seconds / self.seconds(seconds)))


def retry_after(headers: Mapping[str, str], now: Callable[[], float] = time.time) -> float | None:
    """Seconds to wait as `Retry-After` says, in seconds or as a date; none if it says neither.

    A date is one of the server's clock, whose time the answer tells: ours may be another.
    """
    value = headers.get("Retry-After", "").strip()
    if _SECONDS.fullmatch(value):
        return float(value)
    until = _moment(value)
    if until is None:
        return None
    told = _moment(headers.get("Date", ""))
    return max(0.0, until - (now() if told is None else told))


def _moment(text: str) -> float | None:
    """Seconds since the epoch of a date as headers have it; none for anything else."""
    try:
        moment = parsedate_to_datetime(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None


def _header_number(headers: Mapping[str, str], name: str) -> int | None:
    """A number that can be meant; none for anything else, as a mistaken header must not end a run."""
    value = headers.get(name, "").strip()
    return int(value) if value.isdecimal() and len(value) <= _MOST_DIGITS else None
