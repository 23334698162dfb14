"""The governor: even pace, no window too full at the server, the day's budget. Time is simulated."""

from __future__ import annotations

import bisect
import heapq
import threading
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from target_highlevel.errors import DayBudgetSpent, Interrupted
from target_highlevel.http import Governor, InMemoryDayCounter, Limits

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Simulation:
    """A clock that runs what is due while somebody waits: departures, answers."""

    def __init__(self) -> None:
        self.now = 1000.0
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._count = 0

    def clock(self) -> float:
        """The present moment."""
        return self.now

    def wait(self, seconds: float) -> bool:
        """Let time pass."""
        self.run_until(self.now + max(seconds, 1e-6))
        return False

    def after(self, seconds: float, action: Callable[[], None]) -> None:
        """Do something later."""
        self._count += 1
        heapq.heappush(self._due, (self.now + seconds, self._count, action))

    def run_until(self, moment: float) -> None:
        """Do what is due until then."""
        while self._due and self._due[0][0] <= moment:
            self.now, _, action = heapq.heappop(self._due)
            action()
        self.now = max(self.now, moment)


class Server:
    """Counts arrivals in a sliding window, ours and other programs', and answers with the rate headers."""

    def __init__(self, limit: int = 100, *, foreign_every: float | None = None) -> None:
        self.limit = limit
        self.arrivals: list[float] = []
        self.foreign_every = foreign_every

    def greatest_window(self, seconds: float = 10.0) -> int:
        """The most of our arrivals in any window."""
        ours = sorted(self.arrivals)
        return max(bisect.bisect_left(ours, first + seconds) - index for index, first in enumerate(ours))

    def arrive(self, now: float) -> dict[str, str]:
        """Take a request in; the headers of its answer."""
        self.arrivals.append(now)
        used = sum(1 for moment in self.arrivals[-200:] if moment > now - 10)
        used += int(10 / self.foreign_every) if self.foreign_every else 0
        return {
            "X-RateLimit-Max": str(self.limit),
            "X-RateLimit-Remaining": str(max(0, self.limit - used)),
            "X-RateLimit-Interval-Milliseconds": "10000",
        }


def send(
    simulation: Simulation, governor: Governor, server: Server, delays: tuple[float, float, float]
) -> None:
    """Let one request through; it leaves, arrives and is answered after these delays."""
    lateness, transit, latency = delays
    manager = governor.slot()
    slot = manager.__enter__()
    told: dict[str, str] = {}

    def leave() -> None:
        slot.leaving()
        slot.left()
        simulation.after(transit, arrive)

    def arrive() -> None:
        told.update(server.arrive(simulation.now))
        simulation.after(latency, answer)

    def answer() -> None:
        manager.__exit__(None, None, None)
        governor.hear(slot, told)

    simulation.after(lateness, leave)


def a_governor(simulation: Simulation, limits: Limits | None = None, **kwargs: Any) -> Governor:
    """A governor on simulated time."""
    return Governor(limits, clock=simulation.clock, wait=simulation.wait, **kwargs)


@pytest.mark.parametrize("latency", [0.05, 0.3, 1.0])
def test_nearly_all_of_the_limit_is_used_whatever_the_latency(latency: float) -> None:
    """At any latency at least 95 % of the burst limit is used and no window at the server is too full."""
    simulation, server = Simulation(), Server()
    governor = a_governor(simulation)
    began = simulation.now
    for _ in range(1500):
        send(simulation, governor, server, (0.002, 0.05, latency))
    assert 1500 / (simulation.now - began) >= 9.5
    assert server.greatest_window() <= 100


@settings(max_examples=25, deadline=None)
@given(
    delays=st.lists(
        st.tuples(
            st.one_of(st.floats(0, 0.05), st.floats(0, 3)),
            st.floats(0, 0.2),
            st.one_of(st.just(0.3), st.floats(0, 2)),
        ),
        min_size=60,
        max_size=160,
    ),
    limit=st.integers(3, 30),
)
def test_no_window_at_the_server_is_too_full_however_late_the_threads(
    delays: list[tuple[float, float, float]], limit: int
) -> None:
    """Threads that are put aside for seconds between leave and socket do not overfill a window."""
    simulation, server = Simulation(), Server(limit)
    governor = a_governor(simulation, Limits(requests=limit))
    for delay in delays:
        send(simulation, governor, server, delay)
    simulation.run_until(simulation.now + 10)
    assert server.greatest_window() <= limit


def test_the_limit_of_a_sandbox_account_is_kept() -> None:
    """25 requests per 10 s by setting."""
    simulation, server = Simulation(), Server(25)
    governor = a_governor(simulation, Limits(requests=25))
    for _ in range(200):
        send(simulation, governor, server, (0.0, 0.0, 0.2))
    simulation.run_until(simulation.now + 10)
    assert 20 <= server.greatest_window() <= 25
    assert governor.statistics().greatest_window <= 25


def test_a_lower_limit_told_by_the_server_is_kept() -> None:
    """If the headers allow less than the setting, the headers count."""
    simulation, server = Simulation(), Server(25)
    governor = a_governor(simulation)
    for _ in range(150):
        send(simulation, governor, server, (0.0, 0.0, 0.01))
    assert Server.greatest_window(server) <= 26  # one may go before the first answer is heard


def test_other_programs_leave_us_the_rest() -> None:
    """What others use of the budget is left to them: together nobody exceeds it."""
    simulation, server = Simulation(), Server(foreign_every=0.25)  # 40 per window
    governor = a_governor(simulation)
    for _ in range(100):
        send(simulation, governor, server, (0.0, 0.02, 0.1))
    server.arrivals.clear()
    for _ in range(400):
        send(simulation, governor, server, (0.0, 0.02, 0.1))
    assert 45 <= server.greatest_window() <= 63


def test_a_slow_answer_is_not_taken_for_other_programs() -> None:
    """What an answer counted when it was made is compared with what we had sent then, not with now."""
    simulation, server = Simulation(), Server()
    governor = a_governor(simulation)
    for _ in range(50):
        send(simulation, governor, server, (0.0, 0.0, 0.0))
    simulation.run_until(1009.8)
    send(simulation, governor, server, (0.0, 0.0, 2.0))
    simulation.run_until(1012.0)
    for _ in range(50):
        send(simulation, governor, server, (0.0, 0.0, 0.0))
    assert simulation.now - 1012.0 < 5.5


def test_after_too_many_requests_nothing_goes_for_the_time_told() -> None:
    """A 429 holds everybody, for the seconds told (90 at most) or else for one window, and is counted."""
    simulation = Simulation()
    governor = a_governor(simulation)
    governor.hold(3.0)
    with governor.slot():
        assert simulation.now >= 1003.0
    began = simulation.now
    governor.hold()
    with governor.slot():
        assert simulation.now >= began + 10.0
    began = simulation.now
    governor.hold(86400.0)
    with governor.slot():
        assert began + 90.0 <= simulation.now < began + 91.0
    assert governor.statistics().too_many_requests == 3
    assert governor.statistics().waited_seconds >= 103.0


def test_whoever_waits_wakes_at_once_when_the_run_is_stopped() -> None:
    """Setting the stop event ends every wait with `Interrupted`."""
    stop = threading.Event()
    governor = Governor(stop_event=stop)
    governor.hold(3600)
    ended: list[type[Exception]] = []

    def waiting() -> None:
        try:
            with governor.slot():
                pass
        except Interrupted as error:
            ended.append(type(error))

    threads = [threading.Thread(target=waiting) for _ in range(5)]
    for thread in threads:
        thread.start()
    stop.set()
    for thread in threads:
        thread.join(timeout=10)
    assert ended == [Interrupted] * 5


def test_a_request_that_never_left_takes_no_place() -> None:
    """Failed connections use up neither the window nor the day."""
    simulation, counter = Simulation(), InMemoryDayCounter()
    governor = a_governor(simulation, Limits(requests=10, per_day=100), day=counter)
    began = simulation.now
    for _ in range(30):
        with governor.slot():
            pass
    governor.close()
    assert simulation.now - began < 32
    assert counter.spent() == 0


# The day


@pytest.fixture
def simulation() -> Simulation:
    """Fresh simulated time."""
    return Simulation()


@pytest.fixture
def counter() -> InMemoryDayCounter:
    """What the ledger would keep from run to run."""
    return InMemoryDayCounter(lambda: 1_000_000.0)


def requests_until_spent(governor: Governor, headers: Callable[[int], dict[str, str]] | None = None) -> int:
    """Send until the day is spent; how many went."""
    sent = 0
    for number in _numbers():
        try:
            with governor.slot() as slot:
                slot.leaving()
                slot.left()
        except DayBudgetSpent:
            break
        sent = number
        governor.hear(slot, headers(number) if headers else {})
    governor.close()
    return sent


def _numbers() -> Iterator[int]:
    yield from range(1, 10_000)


def daily(remaining: int, limit: int = 1000) -> dict[str, str]:
    """The two daily headers."""
    return {"X-RateLimit-Daily-Remaining": str(remaining), "X-RateLimit-Limit-Daily": str(limit)}


FAST = Limits(requests=1000, seconds=0.1, per_day=1000)


def test_the_day_ends_before_its_last_request(simulation: Simulation, counter: InMemoryDayCounter) -> None:
    """One thousandth of the day is kept back, and the count survives the run."""
    assert requests_until_spent(a_governor(simulation, FAST, day=counter)) == 999
    assert counter.spent() == 999


def test_the_next_run_may_ask_once_whether_the_day_has_turned(
    simulation: Simulation, counter: InMemoryDayCounter
) -> None:
    """The request kept back is for asking; no run ever goes beyond the budget."""
    requests_until_spent(a_governor(simulation, FAST, day=counter))
    same_day = a_governor(simulation, FAST, day=counter)
    assert requests_until_spent(same_day, lambda _: daily(0)) == 1
    assert requests_until_spent(a_governor(simulation, FAST, day=counter)) == 0
    assert counter.spent() == 1000


def test_a_new_day_is_recognised_by_the_headers(simulation: Simulation, counter: InMemoryDayCounter) -> None:
    """When HighLevel has counted far less than we made, its day is a new one and the budget full again."""
    requests_until_spent(a_governor(simulation, FAST, day=counter))
    next_day = a_governor(simulation, FAST, day=counter)
    assert requests_until_spent(next_day, lambda number: daily(1000 - number)) == 999
    assert counter.spent() == 999


def test_the_day_may_turn_in_the_middle_of_a_run(simulation: Simulation, counter: InMemoryDayCounter) -> None:
    """At the turn the count begins anew, without a stop."""
    governor = a_governor(simulation, FAST, day=counter)

    def remaining(number: int) -> dict[str, str]:
        return daily(1000 - number) if number <= 700 else daily(1000 - (number - 700))

    assert requests_until_spent(governor, remaining) == 700 + 999


@pytest.mark.parametrize("headers", [daily(199_999, 200_000), daily(1000), daily(1000, 0), daily(0, 0)])
def test_headers_that_count_nothing_do_not_open_the_day_again(
    simulation: Simulation, counter: InMemoryDayCounter, headers: dict[str, str]
) -> None:
    """They would say after each answer that the day is a new one, and our own count never came to its end."""
    sent = [
        requests_until_spent(a_governor(simulation, FAST, day=counter), lambda _: headers) for _ in range(3)
    ]
    assert sum(sent) <= 1010


def test_answers_that_overtake_each_other_begin_no_day(
    simulation: Simulation, counter: InMemoryDayCounter
) -> None:
    """Headers that count little and go up and down by one look like many days that begin."""
    sent = requests_until_spent(
        a_governor(simulation, FAST, day=counter), lambda number: daily(995 - number % 2)
    )
    assert sent <= 1010


def test_the_day_may_turn_in_two_runs_on_one_day(simulation: Simulation, counter: InMemoryDayCounter) -> None:
    """The first noticed the turn late, and the second saw the next one: the headers count from more to less."""
    assert counter.start_day(after=0.0)
    governor = a_governor(simulation, FAST, day=counter)

    def remaining(number: int) -> dict[str, str]:
        return daily(1000 - number) if number <= 700 else daily(1000 - (number - 700))

    assert requests_until_spent(governor, remaining) == 700 + 999


def test_what_others_use_of_the_day_counts(simulation: Simulation) -> None:
    """The headers end the day earlier than our own count would."""
    governor = a_governor(simulation, FAST)
    assert requests_until_spent(governor, lambda number: daily(max(0, 500 - 2 * number))) == 250


def test_requests_under_way_are_taken_off_what_is_left(simulation: Simulation) -> None:
    """An answer may be older than requests already on their way; they are not spent twice."""
    governor = a_governor(simulation, FAST)
    managers = [governor.slot() for _ in range(4)]
    slots = [manager.__enter__() for manager in managers]
    managers[0].__exit__(None, None, None)
    governor.hear(slots[0], daily(5))
    with governor.slot():  # 5 left, 3 on their way, 1 kept back: one may go
        pass
    with pytest.raises(DayBudgetSpent), governor.slot():
        pass


def test_an_overtaken_answer_says_nothing_about_what_is_left(simulation: Simulation) -> None:
    """An answer from before the day turned may come after one of the new day."""
    governor = a_governor(simulation, FAST)
    with governor.slot() as old, governor.slot() as new:
        pass
    governor.hear(new, daily(999))
    governor.hear(old, daily(0))
    with governor.slot():
        pass


def test_a_killed_run_has_counted_too_many_never_too_few(
    simulation: Simulation, counter: InMemoryDayCounter
) -> None:
    """Requests are counted before they are made, by the block."""
    governor = a_governor(simulation, FAST, day=counter)
    for made in range(1, 120):
        with governor.slot() as slot:
            slot.leaving()
        assert made <= counter.spent() <= made + 50


def test_the_count_forgets_after_a_day() -> None:
    """Without any header, requests count for 24 hours and no longer than 25."""
    now = [7200.0]
    counter = InMemoryDayCounter(lambda: now[0])
    counter.add(10)
    now[0] += 24 * 3600 - 1
    counter.add(5)
    assert counter.spent() == 15
    now[0] += 3601
    assert counter.spent() == 5
