"""Doing many independent things with some threads: the first failure or signal stops the rest."""

from __future__ import annotations

from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from typing import TYPE_CHECKING, TypeVar

from target_highlevel.errors import CredentialsRefused, Interrupted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from concurrent.futures import Future

    from target_highlevel.engine.session import Session

_Item = TypeVar("_Item")
#: As many as the engine's writers.
WORKERS = 16
_AHEAD = 4 * WORKERS
_TICK = 0.5


def do_all(work: Callable[[_Item], None], items: Iterable[_Item], session: Session) -> None:
    """Do the work for each item and return when all is done.

    What the token was refused before anything of the kind was allowed is done once more at the end: by then it has shown whether
    the refusal was about that one thing.

    Raises:
        BaseException: the first that an item ended with, after what was in flight is finished.
        Unavailable: another run may have taken the sub-account over.
    """
    refused: list[_Item] = []

    def under_lease(item: _Item) -> None:
        session.partners.check()
        try:
            work(item)
        except CredentialsRefused as error:
            if error.allowed_before or len(refused) >= WORKERS:
                raise
            refused.append(item)

    pool = ThreadPoolExecutor(WORKERS, thread_name_prefix="rollback")
    under_way: set[Future[None]] = set()
    try:
        for item in items:
            while len(under_way) >= _AHEAD:
                under_way = _settled(under_way)
            under_way.add(pool.submit(under_lease, item))
        while under_way:
            under_way = _settled(under_way)
        for item in refused:
            session.partners.check()
            work(item)
    except BaseException:
        session.stop.set()
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _settled(under_way: set[Future[None]]) -> set[Future[None]]:
    """Wait a little for some to end, so that a signal gets through; raise what one ended with."""
    done, left = wait(under_way, timeout=_TICK, return_when=FIRST_COMPLETED)
    errors = [error for error in (future.exception() for future in done) if error is not None]
    if errors:
        raise next((error for error in errors if not isinstance(error, Interrupted)), errors[0])
    return left
