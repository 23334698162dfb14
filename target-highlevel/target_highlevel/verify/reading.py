"""Reading for a verification: many things at once, and what cannot be read keeps nothing else from being compared."""

from __future__ import annotations

from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from target_highlevel.api.answers import AnswerNotUnderstood
from target_highlevel.errors import HighLevelError, NotFound, Refused, Unavailable, Unknown

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterable, Iterator
    from concurrent.futures import Future

    from target_highlevel.engine.session import Session
    from target_highlevel.verify.findings import Findings

_Item = TypeVar("_Item")
_Found = TypeVar("_Found")

#: Enough to use the burst budget up at half a second of latency.
_READERS = 8
_AHEAD = 32


@dataclass(frozen=True)
class Unreadable:
    """Stands for what HighLevel did not show; the reason is one of ``report.wording.UNREADABLE``."""

    reason: str


class Reader:
    """Reads one thing at a time, so that what cannot be read keeps nothing else from being compared. Threads may share it."""

    def __init__(self, session: Session) -> None:
        """Read for one verification."""
        self._session = session

    def read(self, ask: Callable[[], _Found]) -> _Found | Unreadable | None:
        """Return what a question is answered with, None when the thing is not there.

        Raises:
            Unavailable: it is the service that is down.
            CredentialsRefused: the token may not ask at all.
        """
        try:
            return ask()
        except NotFound:
            return None
        except (Refused, Unavailable, Unknown) as error:
            self.check_service()
            return Unreadable(_reason(error))

    def pages(self, pages: Iterable[_Found], object_: str, findings: Findings) -> Iterator[_Found]:
        """Yield the pages of a search; one that cannot be read ends it, and each record is then read by its id.

        Raises:
            HighLevelError: it is the service that is down, or the token that may not ask.
        """
        ask = iter(pages)
        while (page := self.read(lambda: next(ask, None))) is not None:
            if isinstance(page, Unreadable):
                findings.unreadable_list(object_, page.reason)
                return
            yield page

    def check_service(self) -> None:
        """Ask for the sub-account itself: where that is answered, it is not the service that is down.

        Raises:
            HighLevelError: of the kind that says what to do.
        """
        self._session.highlevel.account.location()


def _reason(error: HighLevelError) -> str:
    if isinstance(error, AnswerNotUnderstood):
        return "unexpected_answer"
    if error.status is None:
        return "no_answer"
    return "server_error" if isinstance(error, (Unavailable, Unknown)) else "refused"


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
