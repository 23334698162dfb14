"""Bookmarks: a STATE is passed on only when nothing received before it is still to be written."""

from __future__ import annotations

import json
import sys
import threading
from collections import deque
from typing import TYPE_CHECKING, Any, TextIO

from target_highlevel.crashpoints import reach

if TYPE_CHECKING:
    from target_highlevel.ledger.work import Work


class StateGate:
    """Holds STATE messages back until the ledger says that every record before them is settled.

    It writes all the time and not at the end: what is printed while a signal is handled is lost (singer-meltano.md section 4).
    """

    def __init__(self, work: Work, output: TextIO | None = None, *, silent: bool = False) -> None:
        """Pass states on to standard output; a plan is silent, so that bookmarks stay where they are."""
        self._silent = silent
        self._work = work
        self._output = output
        self._waiting: deque[tuple[int, dict[str, Any]]] = deque()
        self._mutex = threading.Lock()

    def checkpoint(self, seq: int, state: dict[str, Any]) -> None:
        """Remember a state that came after the reception with this number."""
        if self._silent:
            return
        with self._mutex:
            self._waiting.append((seq, state))

    def release(self) -> None:
        """Pass on the newest state that nothing waits before."""
        with self._mutex:
            if not self._waiting:
                return
            low = self._work.low_water()
            newest = None
            while self._waiting and (low is None or self._waiting[0][0] < low):
                newest = self._waiting.popleft()[1]
            if newest is not None:
                reach("before_state")
                output = self._output or sys.stdout
                output.write(f"{json.dumps(newest)}\n")
                output.flush()
                reach("after_state")
