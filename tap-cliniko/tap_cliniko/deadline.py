"""A total time for every exchange, whichever part of it is slow: headers that drip, or a body that does.

The time-outs of a socket bound the silence between two bytes only, so a server that sends one now and then would hold a run
for ever. When time is up the connection is shut; whoever waits for it then reads the end of the stream.
"""

from __future__ import annotations

import socket
import threading
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from requests.adapters import HTTPAdapter
from typing_extensions import override

if TYPE_CHECKING:
    from collections.abc import Iterator

LONGEST_EXCHANGE = 180.0
"""Seconds that a request may last, from its place in the budget to the last byte of its answer."""

_current: ContextVar[Deadline | None] = ContextVar("current", default=None)


class Deadline:
    """When one exchange must be over; each part of it can be given its own time."""

    def __init__(self) -> None:
        """Watch nothing yet."""
        self.passed = False
        self._socket: Any = None
        self._lock = threading.Lock()

    @contextmanager
    def within(self, seconds: float) -> Iterator[None]:
        """Shut the connection unless the block ends in time; `passed` then tells that it was shut."""
        timer = threading.Timer(seconds, self._cut)
        timer.daemon = True
        token = _current.set(self)
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
            _current.reset(token)

    def watch(self, connection: Any) -> None:
        """Name the socket to shut when time is up."""
        with self._lock:
            self._socket = connection
        if self.passed:
            self._cut()

    def _cut(self) -> None:
        self.passed = True
        with self._lock, suppress(OSError):
            if self._socket is not None:
                # a TLS socket's own shutdown would put it back to plain text under its reader
                plain = self._socket if isinstance(self._socket, socket.socket) else self._socket.socket
                socket.socket.shutdown(plain, socket.SHUT_RDWR)


class _Watched:
    """What a connection does before its answer: it says which socket to shut."""

    sock: Any

    def getresponse(self) -> Any:
        """Wait for the answer's headers."""
        deadline = _current.get()
        if deadline is not None:
            deadline.watch(self.sock)
        return super().getresponse()  # type: ignore[misc]


def _watched(pool: type[Any]) -> type[Any]:
    """Make a kind of connection pool out of one that requests uses."""
    connection = type(f"Watched{pool.ConnectionCls.__name__}", (_Watched, pool.ConnectionCls), {})
    return type(f"Watched{pool.__name__}", (pool,), {"ConnectionCls": connection})


_POOLS = {scheme: _watched(pool) for scheme, pool in HTTPAdapter().poolmanager.pool_classes_by_scheme.items()}


class WatchedAdapter(HTTPAdapter):
    """Connections that a deadline can shut."""

    @override
    def init_poolmanager(self, *args: Any, **more: Any) -> None:
        super().init_poolmanager(*args, **more)
        self.poolmanager.pool_classes_by_scheme = _POOLS

    @override
    def proxy_manager_for(self, *args: Any, **more: Any) -> Any:
        manager = super().proxy_manager_for(*args, **more)
        manager.pool_classes_by_scheme = _POOLS
        return manager
