"""What a test asks one emulated server, and what it tells it to do wrong.

One `Control` belongs to each emulated API. The ASGI wrapper in `sandbox.gate` reports every request to it
and asks it for faults; the emulator itself uses `now()` as its only clock, `violation()` for requests that
break a rule of the product, and `SlidingWindow` for rate limits.
"""

from __future__ import annotations

import random
import threading
import time
from collections import Counter, deque
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sandbox.faults import FaultRule

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Clock = Callable[[], float]
    Hook = Callable[[int, "Request"], None]


@dataclass(slots=True)
class Request:
    """One API request as the server saw it; the emulator may set `route`, `write` and `account`."""

    n: int
    at: float
    method: str
    path: str
    query: str
    source_ip: str
    status: int | None = None
    route: str | None = None
    write: bool = False
    account: str | None = None
    took: float | None = None
    fault: str | None = None
    headers: dict[str, str] | None = None
    body: bytes | None = None

    def summary(self) -> dict[str, Any]:
        """Describe the request without its headers and its body."""
        return {
            "n": self.n,
            "at": self.at,
            "method": self.method,
            "path": self.path,
            "query": self.query,
            "status": self.status,
            "route": self.route or self.path,
            "source_ip": self.source_ip,
            "write": self.write,
            "account": self.account,
            "took": self.took,
            "fault": self.fault,
        }


@dataclass(slots=True)
class SlidingWindow:
    """Counts events in the half-open interval (at - seconds, at] and remembers the greatest count."""

    seconds: float
    greatest: int = 0
    times: deque[float] = field(default_factory=deque)

    def count(self, at: float) -> int:
        """Return how many events the window that ends now holds."""
        while self.times and self.times[0] <= at - self.seconds:
            self.times.popleft()
        return len(self.times)

    def add(self, at: float) -> int:
        """Note one event and return how many the window now holds."""
        self.times.append(at)
        held = self.count(at)
        self.greatest = max(self.greatest, held)
        return held

    def free_at(self, at: float) -> float:
        """Return when the oldest event leaves the window."""
        return self.times[0] + self.seconds if self.count(at) else at


class Control:
    """The log, the clock, the faults and the hooks of one emulated server.

    Args:
        name: what the server is called in messages, such as `cliniko`.
        window_seconds: length of the window whose greatest number of requests is measured.
        clock: source of the epoch time; `advance()` adds to it.
        seed: seed of the faults that strike by probability.
        record_contents: keep headers and bodies in the log (tests that check requests need them).
    """

    def __init__(
        self,
        name: str,
        *,
        window_seconds: float = 60.0,
        clock: Clock | None = None,
        seed: int = 0,
        record_contents: bool = False,
    ) -> None:
        """Start with an empty log and no faults."""
        self.name = name
        self.latency = 0.0
        self.record_contents = record_contents
        self.window_seconds = window_seconds
        self.dump: Callable[[], Any] | None = None
        self.mutate: Callable[[Mapping[str, Any]], Any] | None = None
        self._clock: Clock = clock or time.time
        self._offset = 0.0
        self._random = random.Random(seed)
        self._faults: list[FaultRule] = []
        self._hooks: list[Hook] = []
        self._lock = threading.RLock()
        self.reset_log()

    def reset_log(self) -> None:
        """Forget every request and violation; faults, hooks and the clock stay."""
        with self._lock:
            self.requests: list[Request] = []
            self.violations: list[dict[str, Any]] = []
            self.window = SlidingWindow(self.window_seconds)
            self.in_flight = 0
            self.greatest_in_flight = 0
            self._days: Counter[str] = Counter()

    def now(self) -> float:
        """Return the server's idea of the epoch time."""
        return self._clock() + self._offset

    def today(self) -> str:
        """Return the server's idea of the UTC date, YYYY-MM-DD."""
        return datetime.fromtimestamp(self.now(), tz=UTC).date().isoformat()

    def advance(self, seconds: float) -> None:
        """Move the server's clock forward, over midnight for instance."""
        self._offset += seconds

    def before_request(self, hook: Hook) -> Callable[[], None]:
        """Call `hook(n, request)` before the work of every request; the answer unregisters it."""
        self._hooks.append(hook)
        return lambda: self._hooks.remove(hook)

    def add_fault(self, rule: FaultRule | Mapping[str, Any]) -> FaultRule:
        """Switch a failure on; a mapping has the shape `FaultRule.parse` documents."""
        parsed = rule if isinstance(rule, FaultRule) else FaultRule.parse(rule)
        self._faults.append(parsed)
        return parsed

    def clear_faults(self) -> None:
        """Switch every failure off."""
        self._faults.clear()

    def fault_for(self, request: Request) -> FaultRule | None:
        """Return the first failure that strikes this request; every matching rule counts it."""
        struck = [rule for rule in self._faults if rule.strikes(request.method, request.path, self._random)]
        return struck[0] if struck else None

    def violation(self, kind: str, detail: str, request: Request | None = None) -> None:
        """Note that a client broke a rule; `detail` names resources and ids, never payload."""
        self.violations.append({"n": request.n if request else None, "kind": kind, "detail": detail})

    def arrived(self, request: Request) -> None:
        """Number the request, put it into the log and run the hooks."""
        with self._lock:
            request.n = len(self.requests) + 1
            self.requests.append(request)
            self.window.add(request.at)
            self._days[self.today()] += 1
            self.in_flight += 1
            self.greatest_in_flight = max(self.greatest_in_flight, self.in_flight)
        for hook in list(self._hooks):
            hook(request.n, request)

    def answered(self, request: Request, status: int | None) -> None:
        """Note how a request ended; None means that the connection was dropped."""
        request.status = status
        request.took = self.now() - request.at
        self.in_flight = max(0, self.in_flight - 1)

    def stats(self) -> dict[str, Any]:
        """Sum the log up."""
        return {
            "requests": len(self.requests),
            "by_route": dict(Counter(f"{item.method} {item.route or item.path}" for item in self.requests)),
            "by_status": dict(Counter(str(item.status) for item in self.requests)),
            "greatest_window": self.window.greatest,
            "window_seconds": self.window_seconds,
            "greatest_day": max(self._days.values(), default=0),
            "greatest_in_flight": self.greatest_in_flight,
            "writes": sum(item.write for item in self.requests),
            "violations": list(self.violations),
        }
