"""A signal ends a run between two steps, never inside one: what the main thread has begun in the ledger it brings to an end.

Python runs the handler of a signal wherever the main thread happens to be. An exception raised while a transaction begins or ends
would leave the connection inside it, and nothing that is written afterwards would last.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import TracebackType


class SignalReceived(BaseException):
    """A signal asked us to stop; raised while reading, so that a slow tap cannot keep us."""

    def __init__(self, signum: int) -> None:
        """Keep the signal's number."""
        super().__init__(signum)
        self.signum = signum


class _Step:
    """What the main thread does as a whole; steps may be inside each other. In any other thread it is nothing."""

    def __init__(self) -> None:
        self._depth = 0
        self._signal = 0

    def __enter__(self) -> None:
        if threading.current_thread() is threading.main_thread():
            self._depth += 1

    def __exit__(
        self, _type: type[BaseException] | None, error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        if threading.current_thread() is threading.main_thread():
            self._depth -= 1
            if self._signal and not self._depth and error is None:
                raise self._taken()

    def _taken(self) -> SignalReceived:
        taken, self._signal = SignalReceived(self._signal), 0
        return taken

    @property
    def is_under_way(self) -> bool:
        """Whether the main thread is inside a step."""
        return self._depth > 0

    def interrupt(self, signum: int) -> None:
        """Take a signal: at the end of the step, or at once where there is none.

        Raises:
            SignalReceived: there is none.
        """
        self._signal = signum
        if not self._depth:
            raise self._taken()

    def forget(self) -> None:
        """Take no signal any more that came before: the run is ending anyhow."""
        self._signal = 0


#: The steps of this process.
STEP = _Step()
