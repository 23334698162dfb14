"""The request budget, on a clock that the test turns."""

from __future__ import annotations

import threading
from bisect import bisect_right
from typing import TYPE_CHECKING

import pytest

from tap_cliniko.governor import Governor

if TYPE_CHECKING:
    from collections.abc import Callable


class Clock:
    """A clock that only moves when somebody sleeps."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        """Tell the time."""
        return self.now

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds


def arrivals(limit: int, requests: int, latency: Callable[[int], float]) -> list[float]:
    """Send requests one after another and note when the server sees each: at the end of its latency."""
    clock, seen = Clock(), []
    governor = Governor(limit, clock=clock, sleep=clock.sleep)
    for number in range(requests):
        with governor.slot():
            clock.sleep(latency(number))
            seen.append(clock.now)
    return seen


def most_in_a_minute(times: list[float]) -> int:
    """Count the greatest number of events in any sixty seconds."""
    return max(bisect_right(times, start + 59.999999) - index for index, start in enumerate(times))


@pytest.mark.parametrize("latency", [0.0, 0.05, 0.25])
def test_no_minute_holds_more_than_the_budget(latency: float) -> None:
    """However fast requests come, any sixty seconds hold at most the budget."""
    assert most_in_a_minute(arrivals(200, 1500, lambda _: latency)) == 200


def test_uneven_latency_does_not_squeeze_two_windows_together() -> None:
    """Requests that were slow to arrive are still sixty seconds old before their place is free."""
    assert most_in_a_minute(arrivals(200, 1500, lambda n: 2.0 if n % 200 == 0 else 0.01)) <= 200


def test_nearly_all_of_the_budget_is_used() -> None:
    """At a latency that one connection can afford, at least 95 % of the budget is used."""
    times = arrivals(200, 2000, lambda _: 0.1)
    minutes = (times[-1] - times[0]) / 60
    assert 2000 / (minutes + 1) >= 0.95 * 200


def test_a_pause_holds_everybody_back() -> None:
    """After the server said that the budget is spent, nothing goes out until it is over."""
    clock = Clock()
    governor = Governor(5, clock=clock, sleep=clock.sleep)
    governor.pause(7.5)
    with governor.slot():
        assert clock.now == pytest.approx(1007.5)


def test_threads_share_one_budget() -> None:
    """Many threads together let no more requests go than the budget, and count every one."""
    governor = Governor(10, window=0.3)
    seen: list[float] = []
    lock = threading.Lock()

    def work() -> None:
        for _ in range(5):
            with governor.slot(), lock:
                seen.append(governor._clock())

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    seen.sort()
    assert governor.sent == 40
    assert max(bisect_right(seen, start + 0.29) - index for index, start in enumerate(seen)) <= 10


def test_a_long_wait_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    """A minute without a word looks like a standstill; several threads that wait are one wait."""
    clock = Clock()
    governor = Governor(1, clock=clock, sleep=clock.sleep)
    with caplog.at_level("INFO", "tap-cliniko"):
        for _ in range(3):
            with governor.slot():
                pass
        governor._say(30.0)
    assert [each for each in caplog.messages if "waiting" in each] == [
        "waiting 60 s: the request budget of the last minute is used up"
    ] * 2 + ["waiting 30 s: the request budget of the last minute is used up"]
