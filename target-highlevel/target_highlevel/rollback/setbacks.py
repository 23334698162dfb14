"""What becomes of a rollback when HighLevel refuses or cannot serve one thing: that stays, is listed, and the rest goes on."""

from __future__ import annotations

import logging
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from target_highlevel.errors import CredentialsRefused, HighLevelError, Refused, Unavailable, Unknown
from target_highlevel.objects.base import Rejected

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from target_highlevel.engine.session import Session

logger = logging.getLogger(__name__)

#: After so many one after another the rollback ends all the same: it is hardly the records' trouble.
_MOST_IN_A_ROW = 50
#: Why something stays: HighLevel says no to it, or has no answer for it.
REFUSED, NOT_ANSWERED = "not_allowed", "not_answered"


class Setbacks:
    """Tells the trouble of one record from that of the whole service. Threads may share it."""

    def __init__(self, session: Session) -> None:
        """Judge for one rollback."""
        self._session = session
        self._mutex = threading.Lock()
        self._in_a_row = 0

    @contextmanager
    def met(self, leave: Callable[[str], object]) -> Iterator[None]:
        """Do the block; where HighLevel does not let it, have what it is about left alone, for a reason that the report lists.

        Raises:
            HighLevelError: it is the service that is down, or the token that may not do this at all.
        """
        before = self._in_a_row
        try:
            yield
        except Rejected:
            leave(REFUSED)
        except (Refused, Unknown, Unavailable, CredentialsRefused) as error:
            self._check(error)
            logger.warning("highlevel.left_alone %s", error)
            leave(NOT_ANSWERED if isinstance(error, (Unknown, Unavailable)) else REFUSED)
        else:
            if self._in_a_row == before:  # nothing inside the block was met either
                self._in_a_row = 0

    def _check(self, error: HighLevelError) -> None:
        with self._mutex:
            self._in_a_row += 1
            in_a_row = self._in_a_row
        may_not_at_all = isinstance(error, CredentialsRefused) and not error.allowed_before
        if may_not_at_all or in_a_row >= _MOST_IN_A_ROW or self._session.refuses_all():
            raise error
