"""Does work beside the main thread, in a few threads that never keep the process alive."""

from __future__ import annotations

from concurrent.futures import Future
from queue import SimpleQueue
from threading import Thread
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


class Background:
    """Threads that wait for work; the standard pool would let an interrupted run wait for its answers.

    Args:
        most: so many threads at most; they start when they are first needed.
    """

    def __init__(self, most: int) -> None:
        """Start nothing yet."""
        self._most = most
        self._threads: list[Thread] = []
        self._work: SimpleQueue[Callable[[], None]] = SimpleQueue()

    def run(self, work: Callable[..., T], *args: Any) -> Future[T]:
        """Have some work done; its result or its error is in the answer."""
        future: Future[T] = Future()

        def do() -> None:
            try:
                future.set_result(work(*args))
            except BaseException as error:  # noqa: BLE001 - raised again where the result is taken
                future.set_exception(error)

        self._work.put(do)
        if len(self._threads) < self._most:
            self._threads.append(Thread(target=self._keep_working, daemon=True))
            self._threads[-1].start()
        return future

    def _keep_working(self) -> None:
        while True:
            self._work.get()()
