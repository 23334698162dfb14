"""How the status of a record may change. Every statement that sets a status names one of these transitions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from target_highlevel.ledger.rows import Status
from target_highlevel.ledger.tables import record

if TYPE_CHECKING:
    import sqlalchemy as sa

#: Name of the execution option by which a statement says which transition it makes.
OPTION = "transition"


ANY = frozenset(Status)


@dataclass(frozen=True, slots=True)
class Transition:
    """One reason why a status changes."""

    name: str
    before: frozenset[Status]
    after: frozenset[Status]
    #: When it happens, for docs/architecture.md.
    when: str
    #: Whether it may also put a record into the ledger.
    adds: bool = False

    @property
    def options(self) -> dict[str, str]:
        """Return the execution options of a statement that makes this transition."""
        return {OPTION: self.name}

    @property
    def status(self) -> Status:
        """Return the status it leads to, where that is the only one."""
        (status,) = self.after
        return status

    def update(self, *where: sa.ColumnElement[bool]) -> sa.Update:
        """Return the statement that makes this transition of every such record that is in a status it starts from."""
        changed = record.update().where(*where).values(status=self.status.value)
        if self.before != ANY:
            starts = sorted(status.value for status in self.before)
            changed = changed.where(
                record.c.status.in_(starts) if starts[1:] else record.c.status == starts[0]
            )
        return changed.execution_options(**self.options)


def _from(*before: Status) -> frozenset[Status]:
    return frozenset(before)


_READY, _HELD, _DONE, _FILTERED, _REJECTED = (
    _from(status) for status in (Status.READY, Status.HELD, Status.DONE, Status.FILTERED, Status.REJECTED)
)

RECEIVED = Transition("received", ANY, ANY, "the source sent it, new or changed", adds=True)
FOUND = Transition(
    "found", frozenset(), _DONE, "found in HighLevel by its id, before it was received", adds=True
)
RELEASED = Transition("released", _HELD, _READY, "what it waited for is there")
RETRIED = Transition("retried", _HELD, _READY, "it was put off for a passing reason")
STOOD_BACK = Transition("stood back", _HELD, _FILTERED, "another record stands for the same")
ADMITTED = Transition("admitted", _FILTERED, _READY, "the record it stood back for is gone")
CHANGED = Transition(
    "changed", _DONE | _FILTERED, _READY, "what it is made of is another, or its time has come"
)
SETTLED = Transition("settled", _READY | _HELD, _DONE, "HighLevel holds what is wanted")
REJECTED = Transition("rejected", _READY | _HELD, _REJECTED, "HighLevel or the mapping refused it")
REPLAYED = Transition("replayed", _REJECTED, _READY, "`retry`")
PUT_OFF = Transition("put off", _READY, _HELD, "it cannot be written now, or nobody knows whether it was")
LEFT_OUT = Transition("left out", ANY, _FILTERED, "it is not wanted, or no longer")
DEPARTED = Transition("departed", ANY, _FILTERED, "it belongs to another sub-account now")
WAITS = Transition("waits", ANY, _HELD, "what it is related to is in another sub-account")
MATCHED = Transition("matched", ANY, _DONE, "a practitioner has a user")
UNMATCHED = Transition("unmatched", ANY, _FILTERED, "a practitioner's user is gone")
MISSED = Transition("missed", ANY, _FILTERED, "it is no longer in HighLevel: to be made again")
TAKEN_BACK = Transition("taken back", ANY, _FILTERED, "`rollback` removed it")
RESTORED = Transition("restored", ANY, _DONE, "`rollback` gave it back what it was")
COPIED = Transition("copied", ANY, ANY, "in the working copy of a plan or a verification only", adds=True)

#: Every way in which a status may change, in the order of the documentation.
TRANSITIONS = (
    RECEIVED, FOUND, RELEASED, RETRIED, STOOD_BACK, ADMITTED, CHANGED, SETTLED, REJECTED, REPLAYED, PUT_OFF, LEFT_OUT,
    DEPARTED, WAITS, MATCHED, UNMATCHED, MISSED, TAKEN_BACK, RESTORED, COPIED,
)  # fmt: skip
