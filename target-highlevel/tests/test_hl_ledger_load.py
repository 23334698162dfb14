"""A whole load ends the same, whichever database the ledger is in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hl_loading import after_state

if TYPE_CHECKING:
    from collections.abc import Callable

    from hl_loading import Clinic, Loader
    from postgres_server import PostgresServer


def test_a_load_with_its_ledger_in_postgresql(
    small_clinic: Clinic, highlevel: Callable[..., Loader], postgres: PostgresServer
) -> None:
    """Killed once and resumed, then run again unchanged: what is in HighLevel is what SQLite's ledger leads to."""
    loader = highlevel()
    loader.settings["LEDGER_URL"] = postgres.url(postgres.new_database())
    killed = loader.load(small_clinic.lines, CRASH_AT="after_send/contact:4")
    assert killed.code == -9, killed.log[-2000:]
    resumed = loader.load(after_state(small_clinic.lines, killed.states[-1] if killed.states else None))
    assert resumed.code in {0, 4}, resumed.log[-2000:]
    assert resumed.report["closes_to_zero"]
    state = loader.sandbox.highlevel.state
    assert state.doubles() == {}
    assert {kind: set(found) for kind, found in state.sources().items()} == small_clinic.sources
    assert len(state.relations) == small_clinic.relations
    loader.sandbox.highlevel.control.reset_log()
    again = loader.load(small_clinic.lines)
    assert again.code == resumed.code, again.log[-2000:]
    assert loader.sandbox.highlevel.control.stats()["requests"] == 0
    assert again.report["totals"]["created"] == again.report["totals"]["updated"] == 0
