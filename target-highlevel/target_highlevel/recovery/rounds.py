"""Work that many threads need done before any of them can go on: they share it out and wait for one another."""

from __future__ import annotations

import logging
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from target_highlevel.errors import CredentialsRefused, NotFound, Refused, Unavailable, Unknown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

logger = logging.getLogger(__name__)

#: So many contacts may fail for good before it is taken for HighLevel's trouble: what needs the others goes on without them.
MOST_FAILED = 5
_FAILURES = (Refused, Unavailable, Unknown, CredentialsRefused)


class Round:
    """Contacts that are each to be visited once, by any thread, before all threads that need it go on."""

    def __init__(self, contacts: Iterable[str]) -> None:
        """Begin with these contacts."""
        self._left = list(contacts)
        self._in_work = 0
        self._failed = 0
        self._wake = threading.Condition()

    def work_off(self, visit: Callable[[str], object]) -> None:
        """Visit contacts until none is left, and wait until the other threads have done their last ones.

        A contact that is gone has nothing. One that fails for good must not keep all others from going on; what fails for another
        reason, or for too many contacts, is raised, and the contact is visited again by whoever comes next.
        """
        while (contact := self._next()) is not None:
            with self._done(contact):
                visit(contact)

    def _next(self) -> str | None:
        with self._wake:
            self._wake.wait_for(lambda: self._left or not self._in_work)
            if not self._left:
                return None
            self._in_work += 1
            return self._left.pop()

    @contextmanager
    def _done(self, contact: str) -> Iterator[None]:
        try:
            yield
        except NotFound:
            pass
        except _FAILURES as error:
            with self._wake:
                self._failed += 1
                if self._failed > MOST_FAILED:
                    self._left.append(contact)
                    raise
            logger.warning("highlevel.not_listed contact=%s %s", contact, error)
        except BaseException:
            with self._wake:
                self._left.append(contact)
            raise
        finally:
            with self._wake:
                self._in_work -= 1
                self._wake.notify_all()
