"""Reads the headers that speak about the budget."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


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
            maximum=_number(headers, "X-RateLimit-Max"),
            remaining=_number(headers, "X-RateLimit-Remaining"),
            interval_milliseconds=_number(headers, "X-RateLimit-Interval-Milliseconds"),
            daily_limit=_number(headers, "X-RateLimit-Limit-Daily"),
            daily_remaining=_number(headers, "X-RateLimit-Daily-Remaining"),
        )

    def seconds(self, default: float) -> float:
        """Length of the window they speak of."""
        return self.interval_milliseconds / 1000 if self.interval_milliseconds else default

    def limit_for(self, seconds: float) -> int:
        """How many requests in a window of so many seconds they allow."""
        return max(1, int((self.maximum or 0) * seconds / self.seconds(seconds)))


def retry_after(headers: Mapping[str, str], now: Callable[[], float] = time.time) -> float | None:
    """Seconds to wait as `Retry-After` says, in seconds or as a date; none if it says neither."""
    value = headers.get("Retry-After", "").strip()
    if value.isdecimal():
        return float(value)
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, moment.timestamp() - now())


def _number(headers: Mapping[str, str], name: str) -> int | None:
    value = headers.get(name, "").strip()
    return int(value) if value.isdecimal() else None
