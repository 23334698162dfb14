"""Whether a record that a lagging search does not show is really not there, so that its create may be sent again.

How far the search is behind is a setting, and only a guess: what counts is the lag that is observed. A record that this run has
created itself serves as the witness: once the search shows it, everything that was created before it shows as well.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from target_highlevel.errors import Refused, Unknown

if TYPE_CHECKING:
    from collections.abc import Callable

    from target_highlevel.descriptor import StreamSpec
    from target_highlevel.ledger.rows import Row
    from target_highlevel.objects.base import ObjectKind

#: Seconds after which a request without an answer has surely been carried out, if it ever will be.
IN_FLIGHT_SECONDS = 3.0
#: How many times the lag in the settings is waited for at the end of a run.
_PATIENCE = 6
#: Seconds between two looks for a witness, if the lag in the settings is shorter.
_SHORTEST_PAUSE = 0.2


class MaybeThere(Unknown):
    """A create may have happened, and the search cannot tell yet: look again at the end of the run, and in the next one."""


@dataclass(frozen=True, slots=True)
class _Witness:
    row: Row
    spec: StreamSpec
    created: float


class Absence:
    """Decides for one run; threads may share it."""

    def __init__(self, lag: float, sleep: Callable[[float], Any]) -> None:
        """Take the lag of the settings in seconds, and how to wait."""
        self._lag = lag
        self._patience = max(_PATIENCE * lag, IN_FLIGHT_SECONDS)
        self._sleep = sleep
        self._began = time.monotonic()
        self._first: dict[str, _Witness] = {}
        self._newest: dict[str, _Witness] = {}
        self._lost: dict[str, float] = {}
        #: Those that have an answer, which does not say whether anything was made: nothing of them is under way any more.
        self._refused: set[str] = set()
        self._mutex = threading.Lock()
        #: Whether the run has nothing else left to do, so that there is time to wait.
        self.at_the_end = False

    def created(self, row: Row, spec: StreamSpec) -> None:
        """Take a record that was created just now for a witness."""
        witness = _Witness(row, spec, time.monotonic())
        with self._mutex:
            self._first.setdefault(spec.kind, witness)
            self._newest[spec.kind] = witness

    def lost(self, row: Row, *, refused: bool = False) -> None:
        """Note that the answer to a create was lost just now, or was a refusal that does not say what was done."""
        self._lost[row.ref] = time.monotonic()
        (self._refused.add if refused else self._refused.discard)(row.ref)

    def prove(
        self, row: Row, spec: StreamSpec, kind: ObjectKind, look: Callable[[], str | None]
    ) -> str | None:
        """Return the id of a record whose create is unclear if it turns up; None when it is certainly not there.

        Args:
            row: the record; a look for it has found nothing.
            spec: its stream.
            kind: its kind of object, whose search lags.
            look: looks for it once more.

        Raises:
            MaybeThere: nobody can tell yet.
        """
        since = self._lost.get(row.ref, self._began)
        witness = None
        while True:
            # once good it is kept: a newer one would take longer to show
            if witness is None or witness.created < since:
                witness = self._witness(row, spec)
            end = max(since, witness.created if witness else since) + self._patience
            left = end - time.monotonic()  # before the look, which may itself have to wait for the budget
            wait = self._seconds_until_it_shows(row, witness, kind, since)
            if wait is not None:
                break
            if left <= 0 or not self.at_the_end:
                hint = "it may have been created, and the search does not tell yet; run again"
                raise MaybeThere(hint)
            self._sleep(min(max(self._lag, _SHORTEST_PAUSE), left))
            if found := look():
                return found
        if wait > 0:
            self._sleep(wait)
        return look()

    def _witness(self, row: Row, spec: StreamSpec) -> _Witness | None:
        """Return the witness that tells soonest: for a create of an earlier run, the first that this run has made."""
        with self._mutex:
            witnesses = self._newest if row.ref in self._lost else self._first
            return witnesses.get(spec.kind)

    def _seconds_until_it_shows(
        self, row: Row, witness: _Witness | None, kind: ObjectKind, since: float
    ) -> float | None:
        """Return after how many seconds the search must show a record if it is there; None when that is not known."""
        if witness is None:
            return self._seconds_of_patience(row, since)
        try:
            shows = kind.find(witness.row, witness.spec) == witness.row.hl_id
        except Refused:
            return None
        now = time.monotonic()
        lag = max(now - witness.created, min(self._lag, IN_FLIGHT_SECONDS))
        wait = since + lag - now
        if shows and wait > self._patience:  # one of long before says little of how far the search is behind
            return self._seconds_of_patience(row, since)
        return wait if shows else None

    def _seconds_of_patience(self, row: Row, since: float) -> float | None:
        """Return after how many seconds time alone has to do: at the end of a run, once nothing can be under way any more."""
        may_be_under_way = row.ref in self._lost and row.ref not in self._refused
        if may_be_under_way or not self.at_the_end:
            return None
        return since + self._patience - time.monotonic()
