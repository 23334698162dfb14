"""What is to be done for a clinic now, by what its ledger tells of the runs so far."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from many_clinics.outcome import DIFFERENCES, REJECTS, SPENT, UNREADABLE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    #: `id`, `location`, `mode`, `started_at`, `ended_at` and `exit_code` of a run, as `target-highlevel:runs --json` lists it.
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
    places = _by_sub_account(runs)
    if not places or not all(map(_is_loaded, places)):
        begun = any(run["mode"] == LOAD or (run["mode"] == PLAN and run["exit_code"] == 0) for run in runs)
        if not begun:
            return (PLAN,) if needs_approval else (PLAN, LOAD, VERIFY)
        return (LOAD, VERIFY)
    checks = [_newest_check(place) for place in places]
    if not all(check and now - _moment(check["ended_at"]) < verify_every for check in checks):
        return (DELTA, VERIFY)
    return (DELTA,)


def checked(runs: Sequence[Run]) -> int:
    """Return how the newest verification of each sub-account ended: the code that needs somebody most; 0 without one."""
    checks = filter(None, map(_newest_check, _by_sub_account(runs)))
    codes = {check["exit_code"] for check in checks}
    return next((code for code in (DIFFERENCES, UNREADABLE) if code in codes), 0)


def _by_sub_account(runs: Sequence[Run]) -> list[list[Run]]:
    """Return the runs of each sub-account, oldest first: the ledger lists one after the other."""
    found: dict[str, list[Run]] = {}
    for run in runs:
        found.setdefault(run["location"], []).append(run)
    return list(found.values())


def _is_loaded(runs: Sequence[Run]) -> bool:
    return any(run["mode"] == LOAD and run["exit_code"] in {0, REJECTS} for run in runs)


def _newest_check(runs: Sequence[Run]) -> Run | None:
    """Return the newest verification that has looked at everything."""
    codes = {0, DIFFERENCES, UNREADABLE}
    return next((run for run in reversed(runs) if run["mode"] == VERIFY and run["exit_code"] in codes), None)


def rests_until(runs: Sequence[Run], now: datetime) -> datetime | None:
    """Return until when a clinic waits because its day's requests are spent; None when it need not.

    It waits as long as one of its sub-accounts does: a run is of all of them. That is until the next day (UTC). When HighLevel's
    day, whose beginning is not documented, has not turned by then, the run ends at once with the same code and is tried
    every hour.
    """
    return max(filter(None, (_rests_until(place, now) for place in _by_sub_account(runs))), default=None)


def _rests_until(runs: Sequence[Run], now: datetime) -> datetime | None:
    """Return the same of one sub-account."""
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
