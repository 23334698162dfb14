"""What a ledger knows of its partners: who it is, whose records it holds, and how far it has come with each sub-account.

Facts, per sub-account: ``account:<location>`` is the id of the Cliniko account, ``claimed:<location>`` the counter that this
ledger gave to the last run that claimed the sub-account, ``passed:<location>`` the last bookmark of each stream in a STATE that
it let pass; ``passed_of_sample:<location>`` is the same of samples, which tell nothing of all the others.
``marked:<location>`` is ``yes`` once the sub-account has kept a mark of the ledger, ``no`` since it takes none.
``origin:<location>`` tells where the ledger lay when it claimed last, and ``lost:<location>`` how many of its creates had no
record any more when it was looked at last.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from target_highlevel.ledger import audit
from target_highlevel.ledger.tables import run as runs
from target_highlevel.values import canonical, canonical_json

if TYPE_CHECKING:
    from collections.abc import Mapping

    from target_highlevel.ledger.ledger import Ledger


class Identity:
    """Reads and keeps these facts for one sub-account."""

    def __init__(self, ledger: Ledger) -> None:
        """Work on the ledger's own sub-account."""
        self._ledger = ledger
        self._location = ledger.location
        self._lost: int | None = None

    @property
    def account(self) -> str | None:
        """Return the id of the Cliniko account whose records the ledger holds, if a tap has named it."""
        return self._ledger.fact(f"account:{self._location}")

    def keep_account(self, account: str) -> None:
        """Keep the id of the Cliniko account."""
        self._ledger.remember(f"account:{self._location}", account)

    @property
    def counter(self) -> int:
        """Return the counter of the last run that claimed the sub-account with this ledger; 0 when none has."""
        return int(self._ledger.fact(f"claimed:{self._location}") or 0)

    @property
    def is_put_back(self) -> bool:
        """Return whether the ledger that was in this place before had come further: this is a backup, or a rescued one."""
        counter, entry = self._ledger.lock.come
        return counter > self.counter or not self._has(entry) or self.has_lost()

    def _has(self, entry: int) -> bool:
        """Return whether this entry is in the audit trail; another one has its number where a backup was put back and used."""
        with self._ledger.transaction() as connection:
            return not entry or audit.is_about(connection, entry, self._location)

    def has_lost(self) -> bool:
        """Return whether records have gone from the ledger that it has created: its trail tells of them still.

        Whoever rescues a damaged database (``.recover``), or tidies one by hand, keeps some of the rows only.
        """
        fact = self._ledger.fact(f"lost:{self._location}")
        known, lost = int(fact or 0), self._count_lost()
        if lost < known:  # they were found again since, and may be lost once more
            self._keep_lost()
        return fact is not None and lost > known

    def _keep_lost(self) -> None:
        self._ledger.remember(f"lost:{self._location}", str(self._count_lost()))

    def _count_lost(self) -> int:
        """Return how many creates have no record any more; counted once, for it reads the whole trail."""
        if self._lost is None:
            with self._ledger.transaction() as connection:
                self._lost = audit.creates_without_record(connection, self._location)
        return self._lost

    @property
    def is_elsewhere(self) -> bool:
        """Return whether the ledger lay elsewhere when it claimed last: what it has written there since, a copy does not know."""
        claimed = self._ledger.fact(f"origin:{self._location}")
        return claimed is not None and claimed != self._origin()

    def _origin(self) -> str:
        with self._ledger.transaction() as connection:
            return self._ledger.lock.origin(connection)

    def keep_come(self) -> None:
        """Keep how far the ledger has come, and what has gone from it; after it was found to be from a backup, too."""
        self._keep_lost()
        self._ledger.lock.begin(self.counter)

    @property
    def has_marked(self) -> bool:
        """Return whether the last run that claimed the sub-account with this ledger could put its mark there."""
        return self._ledger.fact(f"marked:{self._location}") == "yes"

    def keep_marked(self, *, marked: bool) -> None:
        """Keep whether the sub-account takes a mark."""
        if marked != self.has_marked:
            self._ledger.remember(f"marked:{self._location}", "yes" if marked else "no")

    @property
    def entries(self) -> int:
        """Return how many entries the audit trail has."""
        with self._ledger.transaction() as connection:
            return audit.head(connection)[0]

    def claim(self, run: str, least: int) -> int:
        """Give a run the next counter, which is at least this; return it. Its number in the ledger is never lower."""
        with self._ledger.transaction() as connection:
            counter = max(self.counter + 1, self._ledger.run_number(run), least)
            self._ledger.remember(f"claimed:{self._location}", str(counter))
            self._ledger.remember(f"origin:{self._location}", self._origin())
            connection.execute(runs.update().where(runs.c.id == run).values(number=counter))
        self.keep_come()
        return counter

    def passed(self, bookmarks: Mapping[str, Any]) -> dict[str, Any] | None:
        """Return how far each stream was let pass when it was read as for these bookmarks; None where nobody has kept it."""
        text = self._ledger.fact(self._passed_by(bookmarks))
        return dict(json.loads(text)) if text else None

    def keep_passed(self, bookmarks: Mapping[str, Any]) -> None:
        """Keep the bookmarks of a STATE that is about to be passed on: a full read that breaks off has passed few streams."""
        known = {**(self.passed(bookmarks) or {}), **bookmarks}
        self._ledger.remember(self._passed_by(bookmarks), canonical_json(canonical(known)))

    def forget_passed(self, bookmarks: Mapping[str, Any]) -> None:
        """Keep that nothing was let pass so far."""
        self._ledger.remember(self._passed_by(bookmarks), "{}")

    def _passed_by(self, bookmarks: Mapping[str, Any]) -> str:
        return f"{'passed_of_sample' if is_of_a_sample(bookmarks) else 'passed'}:{self._location}"


def is_of_a_sample(bookmarks: Mapping[str, Any]) -> bool:
    """Return whether a source has chosen the patients it reads."""
    return any(isinstance(each, dict) and "sample" in each for each in bookmarks.values())
