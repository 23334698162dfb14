"""A total time for every exchange, whichever part of it is slow: sending, headers, or a body that drips.

Socket time-outs bound the silence between two bytes only, so a server that sends one byte now and then would
keep a thread for ever. One thread watches all exchanges and shuts the connection of one that is overdue; the
thread that waits for it then reads the end of the stream. The same happens, after a period of grace, to what
is still under way once the run was asked to stop.
"""

from __future__ import annotations

import socket
import threading
import time
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_TICK = 0.1
#: Seconds that an exchange under way may still take after the run was asked to stop.
GRACE = 15.0


class Deadline:
    """When one exchange must be over. The connection says which socket it uses and when the request has left."""

    def __init__(self, sending: float, answering: float, clock: Callable[[], float]) -> None:
        """Allow so many seconds for sending, and from the moment the last byte has left so many for the answer."""
        self._clock = clock
        self._answering = answering
        self._until = clock() + sending
        self._socket: Any = None
        self._lock = threading.Lock()
        self.passed = False

    def watch(self, connection: Any) -> None:
        """Name the socket to shut when time is up."""
        with self._lock:
            self._socket = connection
        if self.passed:
            self.cut()

    def sent(self) -> None:
        """The last byte of the request has left: the answer's own time begins."""
        self._until = self._clock() + self._answering

    def extend(self, seconds: float) -> None:
        """Allow more time, because a large body is making progress."""
        self._until += seconds

    def is_over(self) -> bool:
        """Return whether time is up."""
        return self._clock() > self._until

    def cut(self) -> None:
        """Shut the connection, so that whoever waits for it sees the end of the stream."""
        self.passed = True
        with self._lock, suppress(OSError):
            if self._socket is not None:
                # a TLS socket's own shutdown would put it back to plain text under its reader
                plain = self._socket if isinstance(self._socket, socket.socket) else self._socket.socket
                socket.socket.shutdown(plain, socket.SHUT_RDWR)


class Deadlines:
    """Watches the exchanges of one client; any number of threads may have one each."""

    def __init__(
        self,
        stop: threading.Event | None = None,
        *,
        grace: float = GRACE,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Watch nothing yet; the thread starts with the first exchange.

        Args:
            stop: set when the run was asked to stop.
            grace: seconds that an exchange under way may still take then.
            clock: monotonic seconds.
        """
        self._stop = stop or threading.Event()
        self._grace = grace
        self._clock = clock
        self._lock = threading.Lock()
        self._open: set[Deadline] = set()
        self._closed = threading.Event()
        self._watchman: threading.Thread | None = None

    @contextmanager
    def exchange(self, sending: float, answering: float) -> Iterator[Deadline]:
        """Bound what this thread exchanges inside the block."""
        deadline = Deadline(sending, answering, self._clock)
        with self._lock:
            self._open.add(deadline)
            if self._watchman is None:
                self._watchman = threading.Thread(target=self._watch, name="deadlines", daemon=True)
                self._watchman.start()
        token = current.set(deadline)
        try:
            yield deadline
        finally:
            current.reset(token)
            with self._lock:
                self._open.discard(deadline)

    def close(self) -> None:
        """End the watching thread."""
        self._closed.set()
        if self._watchman is not None:
            self._watchman.join()

    def _watch(self) -> None:
        stopped_at: float | None = None
        while not self._closed.wait(_TICK):
            if self._stop.is_set() and stopped_at is None:
                stopped_at = self._clock()
            no_more = stopped_at is not None and self._clock() - stopped_at >= self._grace
            with self._lock:
                overdue = [each for each in self._open if not each.passed and (no_more or each.is_over())]
                for deadline in overdue:
                    deadline.cut()


current: ContextVar[Deadline | None] = ContextVar("current", default=None)
"""The deadline of this thread's exchange."""
