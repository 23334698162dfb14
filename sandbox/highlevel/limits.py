"""The burst limit and the daily limit of one location or agency, and the headers that tell of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from sandbox.control import SlidingWindow

if TYPE_CHECKING:
    from sandbox.highlevel.options import Options


def _day(at: float, zone: str) -> str:
    return datetime.fromtimestamp(at, tz=ZoneInfo(zone)).date().isoformat()


@dataclass(slots=True)
class Bucket:
    """Counts the requests of one location or agency; refused ones do not use the allowance up."""

    options: Options
    window: SlidingWindow = field(default_factory=lambda: SlidingWindow(10.0))
    arrivals: SlidingWindow = field(default_factory=lambda: SlidingWindow(10.0))
    day: str = ""
    used_today: int = 0
    greatest_day: int = 0
    refused: int = 0

    def admit(self, at: float) -> bool:
        """Count a request at its arrival and say whether it is within both limits."""
        self.window.seconds = self.arrivals.seconds = self.options.burst_seconds
        self.arrivals.add(at)
        self._turn_day(at)
        if self.used_today >= self.options.daily_limit or self.window.count(at) >= self.options.burst_limit:
            self.refused += 1
            return False
        self.window.add(at)
        self.used_today += 1
        self.greatest_day = max(self.greatest_day, self.used_today)
        return True

    def headers(self, at: float) -> dict[str, str]:
        """Return the five headers that every answer carries."""
        self._turn_day(at)
        options = self.options
        return {
            "X-RateLimit-Limit-Daily": str(options.daily_limit),
            "X-RateLimit-Daily-Remaining": str(max(0, options.daily_limit - self.used_today)),
            "X-RateLimit-Interval-Milliseconds": str(int(options.burst_seconds * 1000)),
            "X-RateLimit-Max": str(options.burst_limit),
            "X-RateLimit-Remaining": str(max(0, options.burst_limit - self.window.count(at))),
        }

    def retry_after(self, at: float) -> dict[str, str]:
        """Return the header that says when to come back, in the form that the options ask for."""
        if self.options.retry_after == "none":
            return {}
        free = self._free_at(at)
        if self.options.retry_after == "date":
            when = datetime.fromtimestamp(free, tz=UTC) + timedelta(seconds=1)
            return {"Retry-After": format_datetime(when, usegmt=True)}
        return {"Retry-After": str(max(1, int(free - at) + 1))}

    def _free_at(self, at: float) -> float:
        if self.used_today < self.options.daily_limit:
            return self.window.free_at(at)
        zone = ZoneInfo(self.options.day_zone)
        today = datetime.fromtimestamp(at, tz=zone).replace(hour=0, minute=0, second=0, microsecond=0)
        return (today + timedelta(days=1)).timestamp()

    def _turn_day(self, at: float) -> None:
        today = _day(at, self.options.day_zone)
        if today != self.day:
            self.day, self.used_today = today, 0
