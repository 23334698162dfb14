"""The state of every step follows from what the runs have left."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from migration_console.reports import Report
from migration_console.steps import Facts, State, current, steps


def a_report(order: int, mode: str, **content: Any) -> Report:
    """A report of a run; those of a higher order came later."""
    described = {
        "mode": mode,
        "started_at": f"2026-11-29T0{order}:00:00Z",
        "exit_code": 0,
        "sample": None,
        "plan": {"blockers": []} if mode == "plan" else None,
    }
    return Report(described | content, Path(f"2026112{order}"))


def states(*reports: Report, **facts: Any) -> dict[str, State]:
    """Return the state of every step after these runs, oldest first."""
    given: dict[str, Any] = {
        "missing": 0,
        "probed": "",
        "reports": tuple(reversed(reports)),
        "running": frozenset(),
        "mapping_changed": "2026-11-29T00:30:00Z",
        "approved": False,
    }
    return {step.key: step.state for step in steps(Facts(**(given | facts)))}


def test_the_beginning() -> None:
    """Without settings the first step needs somebody; with them the probe comes next."""
    assert states(missing=2)["connect"] is State.NEEDS_YOU
    found = steps(
        Facts(missing=0, probed="", reports=(), running=frozenset(), mapping_changed="", approved=False)
    )
    assert found[0].state is State.DONE
    assert current(found).key == "probe"


PLAN = a_report(1, "plan")
LOAD = a_report(2, "load")
CHECK = a_report(3, "verify")


@pytest.mark.parametrize(
    ("reports", "facts", "step", "state"),
    [
        ([PLAN], {}, "plan", State.DONE),
        ([PLAN], {}, "approve", State.NEEDS_YOU),
        ([PLAN], {"approved": True}, "approve", State.DONE),
        ([PLAN], {"approved": True, "mapping_changed": "2026-11-29T01:30:00Z"}, "approve", State.OUT_OF_DATE),
        ([PLAN], {"mapping_changed": "2026-11-29T01:30:00Z"}, "plan", State.OUT_OF_DATE),
        ([a_report(1, "plan", plan={"blockers": ["no token"]})], {}, "plan", State.NEEDS_YOU),
        ([a_report(1, "plan", sample={"patients": 5})], {}, "plan", State.NOT_STARTED),
        ([LOAD], {}, "load", State.DONE),
        ([a_report(2, "load", exit_code=4)], {}, "load", State.NEEDS_YOU),
        ([a_report(2, "load", exit_code=75)], {}, "load", State.NEEDS_YOU),
        ([LOAD, a_report(3, "rollback")], {}, "load", State.NOT_STARTED),
        ([a_report(2, "load", sample={"patients": 5})], {}, "load", State.NOT_STARTED),
        ([a_report(2, "load", sample={"patients": 5})], {}, "sample", State.DONE),
        ([LOAD, CHECK], {}, "check", State.DONE),
        ([CHECK, a_report(4, "load")], {}, "check", State.OUT_OF_DATE),
        ([LOAD, a_report(3, "verify", exit_code=5)], {}, "check", State.NEEDS_YOU),
        ([LOAD, CHECK], {}, "go-live", State.NEEDS_YOU),
        ([LOAD], {}, "go-live", State.NOT_STARTED),
        ([], {"running": frozenset({"load"})}, "load", State.RUNNING),
        ([LOAD], {"failed": frozenset({"load"})}, "load", State.NEEDS_YOU),
    ],
)
def test_states(reports: list[Report], facts: dict[str, Any], step: str, state: State) -> None:
    """Each row: what has happened, and how a step stands after it."""
    assert states(*reports, **facts)[step] is state
