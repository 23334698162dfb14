"""The day's requests, counted in the ledger by the hour, so that a restart does not forget them."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from target_highlevel.ledger.ledger import Ledger

_HOURS = 24


class LedgerDayCounter:
    """Requests of the last 24 hours: right for whatever moment HighLevel's day begins, which is documented nowhere."""

    def __init__(self, ledger: Ledger) -> None:
        """Count in this ledger."""
        self._ledger = ledger

    def spent(self) -> int:
        """Return the requests of the last 24 hours."""
        oldest = self._ledger.now() - timedelta(hours=_HOURS)
        return self._ledger.spent_since(_hour(oldest))

    def add(self, requests: int) -> None:
        """Count requests in the present hour."""
        self._ledger.spend(_hour(self._ledger.now()), requests)

    def start_day(self) -> None:
        """Forget what was counted: HighLevel has begun a new day."""
        self._ledger.forget_spent()


def _hour(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H}"
