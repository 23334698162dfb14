"""The day's requests run out in the middle: the rest waits in the ledger, and the next day needs nobody to say it again."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from hl_loading import after_state, content

if TYPE_CHECKING:
    from collections.abc import Callable

    from hl_loading import Clinic, Loader

A_DAY = 86_400


def test_a_day_that_is_too_short(small_clinic: Clinic, highlevel: Callable[..., Loader]) -> None:
    """Exit 75 with the input read to its end and the last bookmark passed on; an empty input then finishes the job."""
    loader = highlevel(daily_limit=230, burst_limit=100, burst_seconds=10.0)
    side = loader.sandbox.highlevel
    spent = loader.load(small_clinic.lines, REQUESTS_PER_10S="100")
    assert spent.code == 75, spent.log[-2000:]
    last = spent.log.rstrip().splitlines()[-1]
    assert "run again" in last
    states = [
        json.loads(line)["value"] for line in small_clinic.lines if '"type":"STATE"' in line.replace(" ", "")
    ]
    assert json.loads(spent.states[-1]) == states[-1]
    assert spent.report["totals"]["held"] > 0
    assert spent.report["closes_to_zero"]

    too_early = loader.load([])
    assert too_early.code == 75
    assert side.state.bucket(side.location_id).greatest_day <= 230
    assert side.state.bucket(side.location_id).refused == 0

    side.control.advance(A_DAY)
    side.state.options.daily_limit = 200_000
    rest = loader.load([], REQUESTS_PER_10S="100")
    assert rest.code == 0, rest.log[-2000:]
    assert side.state.doubles() == {}
    assert content(side.state) == small_clinic.dump
    stats = side.control.stats()
    assert stats["greatest_window"] <= 100
    assert "429" not in stats["by_status"]

    before = stats["requests"]
    unchanged = loader.load(after_state(small_clinic.lines, None))
    assert unchanged.code == 0
    assert side.control.stats()["requests"] == before
