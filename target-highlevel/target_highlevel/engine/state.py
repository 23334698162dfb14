"""Bookmarks: a STATE is passed on only when nothing received before it is still to be written, in any sub-account of the run."""

from __future__ import annotations

import sys
import threading
from collections import deque
from typing import TYPE_CHECKING, Any, NamedTuple, TextIO

import simplejson

from target_highlevel.crashpoints import reach

if TYPE_CHECKING:
    from collections.abc import Callable

    from target_highlevel.ledger.identity import Identity
    from target_highlevel.ledger.work import Work


class Checkpoint(NamedTuple):
    """A STATE that came, and how many had come then."""

    number: int
    state: Any


class StateOutput:
    """Passes a STATE on to standard output when the gates of all sub-accounts have let it through.

    It writes all the time and not at the end: what is printed while a signal is handled is lost (docs/api-facts.md).
    """

    def __init__(self, output: TextIO | None = None) -> None:
        """Begin without gates."""
        self._output = output
        self._came = self._passed = 0
        self._waiting: dict[int, Any] = {}
        self._gates: list[int] = []
        self._mutex = threading.Lock()

    def gate(self) -> Callable[[Checkpoint], None]:
        """Add a gate; return what it calls with the newest state that it lets through."""
        with self._mutex:
            self._gates.append(0)
            gate = len(self._gates) - 1
        return lambda checkpoint: self._let_through(gate, checkpoint.number)

    def came(self, state: Any) -> Checkpoint:
        """Take a state that came from the source."""
        with self._mutex:
            self._came += 1
            if self._gates:
                self._waiting[self._came] = state
            return Checkpoint(self._came, state)

    def _let_through(self, gate: int, number: int) -> None:
        with self._mutex:
            self._gates[gate] = number
            through = min(self._gates)
            if through <= self._passed:
                return
            state = self._waiting[through]
            self._waiting = {later: each for later, each in self._waiting.items() if later > through}
            self._passed = through
            reach("before_state")
            output = self._output or sys.stdout
            output.write(f"{simplejson.dumps(state, use_decimal=True)}\n")
            output.flush()
            reach("after_state")


class StateGate:
    """Holds STATE messages back until the ledger says that every record before them is settled in one sub-account."""

    def __init__(
        self, work: Work, identity: Identity, output: StateOutput | None = None, *, silent: bool = False
    ) -> None:
        """Let states through to the output; a plan is silent, so that bookmarks stay where they are."""
        self._identity = identity
        self._work = work
        self._let_through = None if silent else (output or StateOutput()).gate()
        self._waiting: deque[tuple[int, Checkpoint]] = deque()
        self._mutex = threading.Lock()

    def checkpoint(self, seq: int, checkpoint: Checkpoint) -> None:
        """Remember a state that came after the reception with this number."""
        if self._let_through is None:
            return
        with self._mutex:
            self._waiting.append((seq, checkpoint))

    def release(self) -> None:
        """Let the newest state through that nothing waits before."""
        with self._mutex:
            if not self._waiting or self._let_through is None:
                return
            low = self._work.low_water()
            newest = None
            while self._waiting and (low is None or self._waiting[0][0] < low):
                newest = self._waiting.popleft()[1]
            if newest is not None:
                self._keep(newest.state)
                self._let_through(newest)

    def _keep(self, state: Any) -> None:
        """Keep, before anybody else can, up to where the ledger was fed: a later state of another run is told by that."""
        bookmarks = state.get("bookmarks") if isinstance(state, dict) else None
        if isinstance(bookmarks, dict):
            self._identity.keep_passed(bookmarks)
