"""What every part of the clinic's making shares: the account, chance, and the calendar."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from sandbox.cliniko.account import Account, timestamp

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sandbox.cliniko.table import Row

YEARS = 7
BULK_EDIT_DAYS_AGO = 150
BULK_EDIT_SHARE = 0.3
#: One day for all clinics of a process, also when midnight passes between two that are compared.
_TODAY = datetime.now(tz=UTC).replace(hour=0, minute=0, second=0, microsecond=0)


class Builder:
    """Adds rows to a new account; everything follows from the seed and from `now`."""

    def __init__(self, seed: int, now: datetime | None) -> None:
        """Start with an empty account; without `now` the clinic is as old as today."""
        self.now = now = now or _TODAY
        self.seed = seed
        self.rng = random.Random(seed)
        self.account = Account()
        self.bulk_edit = now - timedelta(days=BULK_EDIT_DAYS_AGO)

    def add(self, resource: str, created: datetime, **values: Any) -> Row:
        """Insert a row made at `created`; a share of all rows was last touched in one bulk edit."""
        created = min(created, self.now - timedelta(hours=1))
        row = {"created_at": timestamp(created), "updated_at": self._last_touched(created), **values}
        row["id"] = self.account.identities.at(created)
        return self.account.tables[resource].insert(row)

    def _last_touched(self, created: datetime) -> str:
        """Pick updated_at: often the second of a bulk edit, so that many rows tie."""
        draw = self.rng.random()
        if draw < BULK_EDIT_SHARE and created < self.bulk_edit:
            return timestamp(self.bulk_edit)
        if draw > 2 * BULK_EDIT_SHARE:
            return timestamp(created)
        return timestamp(self.between(created, self.now - timedelta(minutes=30)))

    def between(self, first: datetime, last: datetime) -> datetime:
        """Return a moment between two, to the second."""
        span = max(0, int((last - first).total_seconds()))
        return first + timedelta(seconds=self.rng.randrange(span + 1))

    def days_ago(self, days: float) -> datetime:
        """Return the moment that many days before now."""
        return self.now - timedelta(days=days)

    def chance(self, share: float) -> bool:
        """Return true for that share of the calls."""
        return self.rng.random() < share

    def pick(self, choices: Sequence[Any]) -> Any:
        """Return one of the choices."""
        return self.rng.choice(choices)

    def token(self) -> str:
        """Return an invented UUID, the same for the same seed."""
        digits = f"{self.rng.getrandbits(128):032x}"
        return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def day(moment: datetime) -> str:
    """Write a date as the API does."""
    return moment.date().isoformat()


def falls(number: int, place: int, period: int) -> bool:
    """Tell whether a number is the one at this place of every period: a steady share of all numbers."""
    return number % period == place
