"""What a verification may ask HighLevel: everything that only reads, and nothing else."""

from __future__ import annotations

from collections import deque
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeVar

from target_highlevel.client.routes import only_reads

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterable, Iterator
    from concurrent.futures import Future

    from target_highlevel.client.client import HighLevelClient

_Item = TypeVar("_Item")
_Found = TypeVar("_Found")

#: Enough to use the burst budget up at half a second of latency.
_READERS = 8
_AHEAD = 32


class ReadingClient:
    """Takes the place of the client and lets reads through only."""

    def __init__(self, client: HighLevelClient) -> None:
        """Read through this client."""
        self._client = client

    def request(self, method: str, path: str, *, route: str = "", json: Any = None, **more: Any) -> Any:
        """Make a request that reads.

        Raises:
            PermissionError: the request would write; nothing was sent.
        """
        if only_reads(method, path):
            return self._client.request(method, path, route=route, json=json, **more)
        message = f"a verification writes nothing, and {method} {route} would"
        raise PermissionError(message)

    def close(self) -> None:
        """Close the client underneath."""
        self._client.close()


def in_parallel(
    read: Callable[[_Item], _Found], items: Iterable[_Item], stop: threading.Event
) -> Iterator[tuple[_Item, _Found]]:
    """Yield each item with what was read of it, in order; only so many are read ahead.

    Args:
        read: reads one; called from several threads.
        items: what to read.
        stop: set when an exception ends the reading, so that waiting requests are given up.
    """
    waiting: deque[tuple[_Item, Future[_Found]]] = deque()
    with ThreadPoolExecutor(_READERS, thread_name_prefix="reader") as pool:
        try:
            for item in items:
                waiting.append((item, pool.submit(read, item)))
                if len(waiting) >= _AHEAD:
                    yield _first(waiting)
            while waiting:
                yield _first(waiting)
        except BaseException:
            stop.set()
            for _, future in waiting:
                future.cancel()
            raise


def _first(waiting: deque[tuple[_Item, Future[_Found]]]) -> tuple[_Item, _Found]:
    item, future = waiting.popleft()
    return item, future.result()
