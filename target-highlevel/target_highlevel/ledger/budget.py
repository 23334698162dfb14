"""The day's requests, counted in the ledger by the hour, so that a restart does not forget them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from target_highlevel.ledger.ledger import Ledger

_HOURS = 24
_FORM = "%Y-%m-%dT%H"


class Day(NamedTuple):
    """What a day has.

    Attributes:
        requests: how many in all.
        left: how many of them are not spent.
        seconds: until the first of those that are spent may be spent again.
    """

    requests: int
    left: int
    seconds: float


class LedgerDayCounter:
    """Requests of the last 24 hours: right for whatever moment HighLevel's day begins, which is documented nowhere."""

    def __init__(self, ledger: Ledger) -> None:
        """Count in this ledger."""
        self._ledger = ledger

    def spent(self) -> int:
        """Return the requests of the last 24 hours."""
        return sum(self._spent().values())

    def day(self, requests: int) -> Day:
        """Return what is left of a day of so many requests."""
        spent = self._spent()
        left = max(0, requests - sum(spent.values()))
        hours = [
            hour for hour, number in spent.items() if number > 0
        ]  # some only give back what was counted too much
        if not hours:
            return Day(requests, left, 0)
        again = datetime.strptime(hours[0], _FORM).replace(tzinfo=UTC) + timedelta(hours=_HOURS + 1)
        return Day(requests, left, (again - self._ledger.now()).total_seconds())

    def _spent(self) -> dict[str, int]:
        return self._ledger.spent_by_hour(_hour(self._ledger.now() - timedelta(hours=_HOURS)))

    def add(self, requests: int) -> None:
        """Count requests in the present hour."""
        self._ledger.spend(_hour(self._ledger.now()), requests)

    def start_day(self, *, after: float) -> bool:
        """Forget what was counted, unless that was done less than so many seconds ago; return whether it was done."""
        return self._ledger.forget_spent(timedelta(seconds=after))


def _hour(moment: datetime) -> str:
    return f"{moment:{_FORM}}"
