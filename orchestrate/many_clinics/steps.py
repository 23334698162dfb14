"""What is to be done for a clinic now, by what its ledger tells of the runs so far."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from many_clinics.outcome import DIFFERENCES, REJECTS, SPENT, UNREADABLE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    #: `id`, `mode`, `started_at`, `ended_at` and `exit_code` of a run, as `target-highlevel:runs --json` lists it.
    Run = Mapping[str, Any]

PLAN, LOAD, DELTA, VERIFY = "plan", "load", "delta", "verify"
#: A run that ended sooner than this has only found that the day has not turned yet.
_AT_ONCE = timedelta(minutes=10)


def due(
    runs: Sequence[Run], now: datetime, *, verify_every: timedelta, needs_approval: bool
) -> tuple[str, ...]:
    """Return the steps that are due, in their order.

    A clinic is planned, loaded (over as many days as its size takes) and verified; from then on it gets the delta, and a
    verification now and then. Where a plan must be approved, the first run ends with the plan.
    """
    loads = [run for run in runs if run["mode"] == LOAD]
    if not any(run["exit_code"] in {0, REJECTS} for run in loads):
        if not loads and not any(run["mode"] == PLAN and run["exit_code"] == 0 for run in runs):
            return (PLAN,) if needs_approval else (PLAN, LOAD, VERIFY)
        return (LOAD, VERIFY)
    verified = [
        _moment(run["ended_at"])
        for run in runs
        if run["mode"] == VERIFY and run["exit_code"] in {0, DIFFERENCES, UNREADABLE}
    ]
    if not verified or now - max(verified) >= verify_every:
        return (DELTA, VERIFY)
    return (DELTA,)


def rests_until(runs: Sequence[Run], now: datetime) -> datetime | None:
    """Return until when a clinic waits because its day's requests are spent; None when it need not.

    That is the next day (UTC). When HighLevel's day, whose beginning is not documented, has not turned by then, the
    run ends at once with the same code and is tried every hour.
    """
    ended = [run for run in runs if run["ended_at"]]
    if not ended or ended[-1]["exit_code"] != SPENT:
        return None
    began, end = _moment(ended[-1]["started_at"]), _moment(ended[-1]["ended_at"])
    tomorrow = end.replace(hour=0, minute=0, second=0) + timedelta(days=1)
    earlier = len(ended) > 1 and ended[-2]["exit_code"] == SPENT
    until = end + timedelta(hours=1) if earlier and end - began < _AT_ONCE else tomorrow
    return until if now < until else None


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)
