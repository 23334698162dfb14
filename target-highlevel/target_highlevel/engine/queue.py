"""Which record a writer takes next: in the order of writing, and never one that is in another's way."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from target_highlevel.descriptor import FRONT_DESK

if TYPE_CHECKING:
    from target_highlevel.engine.session import Session
    from target_highlevel.ledger.rows import Row

logger = logging.getLogger(__name__)

#: So many records more than are waiting already are asked of the ledger at once.
_AT_ONCE = 64
#: Records that wait for another of their contact or family, and are kept at hand.
_MOST_WAITING = 1000
#: What decides who is in the team of a calendar.
_TEAMS = frozenset({"calendar", "schedule"})
#: Name of the fact that all people of a clinic have come once.
_PEOPLE_CAME = "people_came:"


class Queue:
    """Hands out ready records. Not thread-safe: the engine calls it under its lock.

    Before the front desk can work (users, contacts, bookings to come), nothing else is begun: neither while some of that is
    in work, nor in a first load before all people have come.
    """

    def __init__(self, session: Session) -> None:
        """Begin with what earlier runs have left."""
        self._session = session
        self._fact = f"{_PEOPLE_CAME}{session.ledger.location}"
        self._people_came = bool(session.ledger.fact(self._fact))
        self._waiting: list[Row] = []
        self._in_work: dict[str, frozenset[str]] = {}
        self._first_in_work: set[str] = set()
        self._teams_in_work: set[str] = set()
        self._had_first = False
        #: Whether everything that a front desk needs is in HighLevel; from then on the rest goes on beside what comes later.
        self.front_desk_can_work = False
        #: Whether something may have become ready since the ledger was last asked.
        self.look = True
        #: Whether nothing comes any more.
        self.ending = False

    def __bool__(self) -> bool:
        """Return whether records are in work or at hand."""
        return bool(self._in_work or self._waiting)

    @property
    def is_idle(self) -> bool:
        """Whether no record is in work."""
        return not self._in_work

    def take(self) -> Row | None:
        """Return the next record to write, if there is one; it is in work until it is said to be done."""
        row = self._pick()
        if row is None and self.look:  # what is at hand waits for its turn, so look beyond it
            self._waiting = self._claim(min(len(self._waiting), _MOST_WAITING) + _AT_ONCE)
            row = self._pick()
            self.look = row is not None
        return row

    def done(self, row: Row) -> None:
        """Take note that a record is in nobody's way any more."""
        self._in_work.pop(row.ref, None)
        self._first_in_work.discard(row.ref)
        if row.object in _TEAMS:  # the calendar may have to be written now, before what is at hand
            self._teams_in_work.discard(row.ref)
            self._waiting = []
        self.look = True

    def _claim(self, limit: int) -> list[Row]:
        work = self._session.work
        if not self.front_desk_can_work:
            first = work.claim(limit, self._in_work, last=FRONT_DESK)
            self._had_first = self._had_first or bool(first)
            if first or self._first_in_work or not self._may_begin_the_rest():
                return first
            # before anything has come nobody knows what will be first
            self.front_desk_can_work = self._had_first
            if self._had_first and self._session.mode == "load":
                requests = self._session.governor.statistics().requests
                logger.info("highlevel.front_desk can_work=yes requests=%d", requests)
        return work.claim(limit, self._in_work)

    def _may_begin_the_rest(self) -> bool:
        """Return whether all people have come once in the life of a ledger; where nobody will say so there is no waiting."""
        session = self._session
        if self.ending or self._people_came or not session.expected:
            return True
        if not session.everybody_came or session.work.waits_for_everybody():
            return False
        if not session.source.sample:
            session.ledger.remember(self._fact, "yes")
            self._people_came = True
        return True

    def _pick(self) -> Row | None:
        """Take the first record at hand that is in nobody's way.

        An event is written when it is settled who is in the team of its calendar: HighLevel refuses it for anybody else.
        """
        taken = frozenset().union(*self._in_work.values())
        teams_change = bool(self._teams_in_work)
        for number, row in enumerate(self._waiting):
            keys = self._session.exclusive_keys(row)
            too_early = teams_change and row.object == "appointment"
            if row.ref not in self._in_work and not keys & taken and not too_early:
                del self._waiting[number]
                self._in_work[row.ref] = keys
                if row.rank <= FRONT_DESK:
                    self._first_in_work.add(row.ref)
                if row.object in _TEAMS:
                    self._teams_in_work.add(row.ref)
                return row
            teams_change = teams_change or row.object in _TEAMS
            taken |= keys  # nobody overtakes: who gives an address up comes before who takes it
        return None
