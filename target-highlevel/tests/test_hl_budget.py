"""The day's requests run out in the middle: the rest waits in the ledger, and the next day needs nobody to say it again."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from hl_loading import after_state, content

if TYPE_CHECKING:
    from collections.abc import Callable

    from hl_loading import Clinic, Loader

A_DAY = 86_400
DAYS = 2.3
#: About so many requests a run takes before it writes.
OF_A_RUN = 15


def test_a_load_of_more_than_two_days(small_clinic: Clinic, highlevel: Callable[..., Loader]) -> None:
    """Twice exit 75, with the input read to its end and the last bookmark passed on; an empty input then finishes the job."""
    a_day = int((small_clinic.requests + 3 * OF_A_RUN) / DAYS)
    # the window of ten seconds has room to spare, however busy the machine: the day is the point
    loader = highlevel(daily_limit=a_day, burst_limit=600, burst_seconds=10.0)
    side = loader.sandbox.highlevel
    bucket = side.state.bucket(side.location_id)
    spent = loader.load(small_clinic.lines, REQUESTS_PER_10S="400")
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
    side.control.advance(A_DAY)
    second = loader.load([], REQUESTS_PER_10S="400")
    assert second.code == 75
    assert 0 < second.report["totals"]["held"] < spent.report["totals"]["held"]
    side.control.advance(A_DAY)
    rest = loader.load([], REQUESTS_PER_10S="400")
    assert rest.code == 0, rest.log[-2000:]
    assert 0 < bucket.greatest_day <= a_day
    assert bucket.refused == 0
    assert side.state.doubles() == {}
    assert content(side.state) == small_clinic.dump
    stats = side.control.stats()
    assert "429" not in stats["by_status"]

    side.state.options.daily_limit = 200_000
    before = stats["requests"]
    unchanged = loader.load(after_state(small_clinic.lines, None))
    assert unchanged.code == 0
    assert side.control.stats()["requests"] == before
