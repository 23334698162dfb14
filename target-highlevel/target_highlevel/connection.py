"""The client of a sub-account, paced by what its ledger has counted and by what other runs of this machine send."""

from __future__ import annotations

from typing import TYPE_CHECKING

from target_highlevel.credentials import agency_tokens, sub_account_tokens
from target_highlevel.http.client import HighLevelClient
from target_highlevel.http.governor import Governor, Limits
from target_highlevel.http.shared_window import SharedWindow
from target_highlevel.ledger.budget import LedgerDayCounter

if TYPE_CHECKING:
    import threading

    from target_highlevel.ledger.ledger import Ledger
    from target_highlevel.settings import Settings


def connect(settings: Settings, ledger: Ledger, stop: threading.Event) -> tuple[Governor, HighLevelClient]:
    """Return governor and client of a sub-account, both to be closed; nothing is sent yet."""
    limits = Limits(requests=settings.requests_per_10s, per_day=settings.requests_per_day)
    governor = Governor(
        limits,
        day=LedgerDayCounter(ledger),
        shared=SharedWindow.of(settings.api_url, settings.location_id, limits),
        stop_event=stop,
    )
    client = HighLevelClient(
        settings.api_url,
        sub_account_tokens(settings, stop),
        governor,
        agency_tokens=agency_tokens(settings),
        stop_event=stop,
    )
    return governor, client
