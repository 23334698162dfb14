"""How far a running load is, read from the ledger without getting in its way: each sub-account of the run for itself."""

from __future__ import annotations

import re
import threading
import time
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from target_highlevel.ledger.budget import LedgerDayCounter
from target_highlevel.ledger.counts import ObjectCount, object_counts
from target_highlevel.ledger.ledger import Ledger
from target_highlevel.report.wording import label, meaning, reading_order

if TYPE_CHECKING:
    from collections.abc import Sequence

    from migration_console.jobs import Job
    from migration_console.project import Project

_EVERY = 2.0
#: Over how many seconds the pace is measured: what needs no request is settled at once, and says nothing of the rest.
_PACE_OF = 30.0
_PACE_FROM = 5.0
_FRONT_DESK = re.compile(r"highlevel\.progress .* front_desk=(can_work|[\d.]+ \w+)")
#: Modes of the runs whose progress is told.
_SETTLING = frozenset({"load", "retry"})
#: A command may begin several runs, of which one settles records.
_LOOKED_BACK = 5
#: How long the first look may keep a page waiting; a large ledger takes longer to count, and the next second shows it.
_FIRST_LOOK = 0.1


@dataclass(frozen=True)
class Kind:
    """How far one kind of record is."""

    name: str
    total: int
    done: int
    held: int
    refused: int


@dataclass(frozen=True)
class Refusal:
    """Why some records were refused, and what to do."""

    meaning: str
    next_step: str
    count: int


@dataclass(frozen=True)
class Account:
    """A moment of a run in one sub-account.

    Attributes:
        location: its id
        kinds: the kinds of records, those of patients first
        refused: the reasons of refused records, the most frequent first
        spent_today: requests of the last 24 hours
        rate: records settled in a second, of late; 0 until that is known
    """

    location: str
    kinds: tuple[Kind, ...] = ()
    refused: tuple[Refusal, ...] = ()
    spent_today: int = 0
    rate: float = 0.0

    @property
    def total(self) -> int:
        """Return how many records have been received."""
        return sum(kind.total for kind in self.kinds)

    @property
    def done(self) -> int:
        """Return how many of them are settled."""
        return sum(kind.done for kind in self.kinds)

    @property
    def seconds_left(self) -> float | None:
        """Return how long the rest takes at this rate; none while that is not known."""
        left = sum(kind.total - kind.done - kind.refused for kind in self.kinds)
        return left / self.rate if self.rate else None


@dataclass(frozen=True)
class Live:
    """A moment of a run.

    Attributes:
        accounts: each of its sub-accounts, the main one first
        front_desk: `can_work`, or how long until it can, as the run says; empty before it has said
        job: id of the job it is of; empty when none ran
        reads: whether that job reads Cliniko
        is_known: whether the ledger could be read
    """

    accounts: tuple[Account, ...] = ()
    front_desk: str = ""
    job: str = ""
    reads: bool = True
    is_known: bool = True

    @property
    def most_spent(self) -> int | None:
        """Return the requests of the last 24 hours of the sub-account that has made most; none when nothing is known."""
        return max((account.spent_today for account in self.accounts), default=None)


@dataclass
class Pace:
    """How many records of a run have been settled at the newest looks."""

    job: str
    seen: list[tuple[float, int]] = field(default_factory=list)

    def at(self, moment: float, done: int) -> float:
        """Take a look; return the records settled in a second of late, 0 until enough time is between two looks."""
        self.seen = [(then, number) for then, number in self.seen if moment - then <= _PACE_OF]
        self.seen.append((moment, done))
        began, before = self.seen[0]
        took = moment - began
        return max(0, done - before) / took if took >= _PACE_FROM else 0.0


class Watcher:
    """Looks at a project's ledger at most every two seconds, however many browsers ask, and keeps none of them waiting."""

    def __init__(self, project: Project) -> None:
        """Watch this project."""
        self._project = project
        self._mutex = threading.Lock()
        self._looked = threading.Event()
        self._at = 0.0
        self._is_looking = False
        self._seen = Live()
        self._paces: dict[str, Pace] = {}  # of the job of the newest look, by sub-account

    def look(self, job: Job | None) -> Live:
        """Return how far it was at the newest look, and look again if that is some time ago or of another job."""
        of = job.id if job else ""
        with self._mutex:
            is_old = time.monotonic() - self._at > _EVERY or not self._at or self._seen.job != of
            # a large ledger takes longer than the time between two looks
            is_time = is_old and not self._is_looking
            self._is_looking = self._is_looking or is_time
        if is_time:
            threading.Thread(target=self._look, args=(job,), daemon=True).start()
        self._looked.wait(_FIRST_LOOK)
        seen = self._seen
        return seen if seen.job == of else _without_counts(seen)

    def _look(self, job: Job | None) -> None:
        try:
            seen = self._now(job)
        except Exception:  # noqa: BLE001 - whatever it is, the numbers of the look before are not those of now
            seen = Live(job=job.id if job else "", is_known=False)
        with self._mutex:
            self._seen, self._at, self._is_looking = seen, time.monotonic(), False
        self._looked.set()

    def _now(self, job: Job | None) -> Live:
        project = self._project
        locations = project.sub_accounts if project.has_ledger else ()
        accounts = tuple(
            self._paced(_account(project.ledger_url, location, job), job) for location in locations
        )
        reads = job is None or job.command.mode != "retry"
        return Live(accounts, _front_desk(job), job.id if job else "", reads)

    def _paced(self, account: Account, job: Job | None) -> Account:
        """Return a sub-account with its pace; one look is made at a time."""
        of = job.id if job else ""
        pace = self._paces.get(account.location)
        if pace is None or pace.job != of:
            pace = self._paces[account.location] = Pace(of)
        return replace(account, rate=pace.at(time.monotonic(), account.done))


def _front_desk(job: Job | None) -> str:
    said = _FRONT_DESK.findall(job.output()) if job is not None and job.command.mode == "load" else []
    return str(said[-1]) if said else ""


def _without_counts(live: Live) -> Live:
    """Return what holds whichever job runs."""
    accounts = tuple(Account(item.location, spent_today=item.spent_today) for item in live.accounts)
    return Live(accounts, is_known=live.is_known)


def _account(url: str, location: str, job: Job | None) -> Account:
    ledger = Ledger(url, location, exclusive=False)
    try:
        spent = LedgerDayCounter(ledger).spent()
        run = _run_of(ledger, job) if job is not None else None
        if run is None:
            return Account(location, spent_today=spent)
        counts = object_counts(ledger, run["id"])
    finally:
        ledger.close()
    counts.sort(key=lambda item: reading_order(item.object, item.resource))
    return Account(location, tuple(map(_kind, counts)), _refusals(counts), spent)


def _run_of(ledger: Ledger, job: Job) -> dict[str, Any] | None:
    """Return the run that a job has begun, if it is one that settles records."""
    if job.command.mode not in _SETTLING:
        return None
    newest = reversed(ledger.runs(newest=_LOOKED_BACK))
    return next(
        (run for run in newest if run["mode"] == job.command.mode and run["started_at"] >= job.at), None
    )


def _kind(item: ObjectCount) -> Kind:
    done = item.created + item.updated + item.unchanged + item.filtered
    return Kind(label(item.object, item.resource), item.source, done, item.held, item.rejected)


def _refusals(counts: Sequence[ObjectCount]) -> tuple[Refusal, ...]:
    reasons: Counter[str] = Counter()
    for item in counts:
        reasons.update(item.reasons.get("rejected", {}))
    told = ((meaning("rejected", code.partition(":")[0]), number) for code, number in reasons.most_common())
    return tuple(Refusal(said.says, said.next_step, number) for said, number in told)
