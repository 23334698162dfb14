"""When messages of one kind go out, derived from those that went out: pure."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_AT_ONCE = timedelta(minutes=10)
_IN_MINUTES = timedelta(minutes=90)
_IN_HOURS = timedelta(hours=48)
_HOUR, _DAY = 60, 24 * 60
_QUARTER = 15
_LEAST_SHARE = 20
_MOST_WAITS = 3


@dataclass(frozen=True, slots=True)
class Gap:
    """When a message went out and the moment it belongs to, both in the time zone of the place."""

    sent: datetime
    moment: datetime


@dataclass(frozen=True, slots=True)
class Wait:
    """A distance that many messages keep from their moment.

    Attributes:
        minutes: from the moment to the message; negative before it.
        at: the time of day in HH:MM, where the messages keep to that rather than to a number of hours.
        share: how many of a hundred messages do.
    """

    minutes: int
    at: str | None
    share: int

    def words(self, moment: str) -> str:
        """Say it: `1 day before the appointment at 17:00`."""
        if not self.minutes and self.at is None:
            return f"at once after {moment}"
        number, unit = _in_words(abs(self.minutes))
        side = "before" if self.minutes < 0 else "after"
        distance = f"{number:,} {unit}{'' if number == 1 else 's'} {side} {moment}"
        if self.at is None:
            return distance
        return f"{distance if self.minutes else f'on the day of {moment}'}, at {self.at}"


def typical(gaps: Sequence[Gap]) -> list[Wait]:
    """Return the distances that at least a fifth of the messages keep, the earliest first; none when they vary.

    A distance of one message among several is chance.
    """
    if not gaps:
        return []
    by_gap = Counter((_rounded(gap.sent - gap.moment), None) for gap in gaps)
    by_clock = Counter(
        ((gap.sent.date() - gap.moment.date()).days * _DAY, _quarter(gap.sent)) for gap in gaps
    )
    counted: Counter[tuple[int, str | None]] = Counter()
    # a fixed time of day explains the messages better only where more of them agree on it
    counted.update(by_clock if _top(by_clock) > _top(by_gap) else by_gap)
    shares = (
        (distance, number * 100 // len(gaps))
        for distance, number in counted.most_common(_MOST_WAITS)
        if number > 1 or len(gaps) == 1
    )
    return sorted(
        (Wait(minutes, at, share) for (minutes, at), share in shares if share >= _LEAST_SHARE),
        key=lambda wait: (wait.minutes, wait.at or ""),
    )


def _top(counted: Counter[tuple[int, str]] | Counter[tuple[int, None]]) -> int:
    return counted.most_common(1)[0][1]


def _rounded(gap: timedelta) -> int:
    """Round to what people set: five minutes, an hour, a day."""
    if abs(gap) <= _AT_ONCE:
        return 0
    step = 5 if abs(gap) < _IN_MINUTES else _HOUR if abs(gap) < _IN_HOURS else _DAY
    return round(gap.total_seconds() / 60 / step) * step


def _quarter(moment: datetime) -> str:
    minutes = (moment.hour * 60 + moment.minute) // _QUARTER * _QUARTER
    return f"{minutes // 60:02}:{minutes % 60:02}"


def _in_words(minutes: int) -> tuple[int, str]:
    if minutes >= 2 * _DAY or minutes == _DAY:
        return minutes // _DAY, "day"
    return (minutes // _HOUR, "hour") if minutes % _HOUR == 0 else (minutes, "minute")
