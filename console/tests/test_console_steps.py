"""The state of every step follows from what the runs have left."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest

from migration_console.reports import Report, length, newest_of, rows
from migration_console.steps import Facts, State, Step, Way, current, following, steps
from target_highlevel.exit_codes import ENDED_EARLY, ENDS, end_of
from target_highlevel.report.verdict import ending


def a_report(order: int, mode: str, **content: Any) -> Report:
    """A report of a run; those of a higher order came later."""
    described: dict[str, Any] = {
        "mode": mode,
        "started_at": f"2026-11-29T0{order}:00:00Z",
        "ended_at": f"2026-11-29T0{order}:10:00Z",
        "exit_code": 0,
        "sample": None,
        "plan": {"blockers": []} if mode == "plan" else None,
        "ended_early": False,
        "totals": {"created": 1, "updated": 0},
    }
    described |= content
    said = ending(described["exit_code"], ended_early=described["ended_early"])
    return Report(said | described, Path(f"2026112{order}"))


def after(*reports: Report, **facts: Any) -> dict[str, Step]:
    """Return every step as it stands after these runs, oldest first."""
    given: dict[str, Any] = {
        "missing": 0,
        "probed": False,
        "reports": tuple(reversed(reports)),
        "running": frozenset(),
        "mapping_changed": "2026-11-29T00:30:00Z",
        "approved": False,
    }
    return {step.key: step for step in steps(Facts(**(given | facts)))}


BOTH = frozenset({"Cliniko", "HighLevel"})


def test_the_beginning() -> None:
    """Without settings the first step needs somebody; with them the keys are tried; then the probe comes next."""
    assert after(missing=2)["connect"].state is State.NEEDS_YOU
    untried, half, tried = (
        list(after(accepted=frozenset(services)).values()) for services in ((), ("Cliniko",), BOTH)
    )
    assert untried[0].state is State.NOT_STARTED
    assert current(untried).key == current(half).key == "connect"
    assert (half[0].state, half[0].why) == (State.BEGUN, "The key of HighLevel has not been tried yet.")
    assert tried[0].state is State.DONE
    assert current(tried).key == "probe"
    assert after(PLAN)["connect"].state is State.DONE  # it has asked both services


PLAN = a_report(1, "plan")
LOAD = a_report(2, "load")
CHECK = a_report(3, "verify")
PREVIEW = a_report(2, "plan", sample={"patients": 5})
SAMPLE = a_report(2, "load", sample={"patients": 5})
#: What the same load did in two other sub-accounts.
BESIDE, EMPTY = (
    Report(LOAD.content | {"totals": {"created": created, "updated": 0}}, Path(f"{LOAD.id}-{created}"))
    for created in (1, 0)
)


def undo(order: int, of: Report, **content: Any) -> Report:
    """A report of a run that has undone another one."""
    return a_report(order, "rollback", rollback={"undoes": of.id}, **content)


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
        ([LOAD, undo(3, LOAD)], {}, "load", State.NOT_STARTED),
        ([LOAD, a_report(3, "load"), undo(4, LOAD)], {}, "load", State.OUT_OF_DATE),
        ([LOAD, BESIDE, undo(3, LOAD)], {}, "load", State.NEEDS_YOU),
        ([LOAD, BESIDE, undo(3, LOAD), undo(4, BESIDE)], {}, "load", State.NOT_STARTED),
        ([LOAD, BESIDE, undo(3, LOAD), undo(4, BESIDE, exit_code=1)], {}, "load", State.NEEDS_YOU),
        ([LOAD, EMPTY, undo(3, LOAD)], {}, "load", State.NOT_STARTED),
        ([LOAD, a_report(3, "rollback", exit_code=None)], {}, "load", State.NEEDS_YOU),
        ([a_report(2, "load", sample={"patients": 5})], {}, "load", State.NOT_STARTED),
        ([PREVIEW], {}, "sample", State.BEGUN),
        ([PREVIEW], {"signed": True}, "sample", State.BEGUN),
        ([SAMPLE], {}, "sample", State.DONE),
        ([SAMPLE, undo(3, SAMPLE)], {}, "sample", State.NOT_STARTED),
        ([SAMPLE, undo(3, SAMPLE, exit_code=1)], {}, "sample", State.DONE),
        ([SAMPLE], {"mapping_changed": "2026-11-29T02:30:00Z"}, "sample", State.OUT_OF_DATE),
        ([PLAN], {}, "map", State.DONE),
        ([PLAN], {"undecided": 1}, "map", State.NEEDS_YOU),
        ([PLAN], {"mapping_changed": "2026-11-29T01:30:00Z"}, "map", State.DONE),
        ([PLAN], {}, "families", State.DONE),
        ([PLAN], {"unseen": True}, "families", State.NEEDS_YOU),
        ([PLAN, LOAD, CHECK], {}, "runs", State.NOT_STARTED),
        ([PLAN, LOAD, CHECK], {"handed_over": "2026-11-29T03:10:00Z"}, "runs", State.DONE),
        (
            [PLAN, LOAD, a_report(5, "load")],
            {"handed_over": "2026-11-29T03:10:00Z"},
            "runs",
            State.OUT_OF_DATE,
        ),
        ([LOAD, undo(4, LOAD)], {"handed_over": "2026-11-29T03:10:00Z"}, "runs", State.OUT_OF_DATE),
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
    assert after(*reports, **facts)[step].state is state


#: The runs whose ends are told, by the steps that tell them.
ENDING: dict[str, dict[str, Any]] = {
    "plan": {"mode": "plan"},
    "sample": {"mode": "load", "sample": {"patients": 5}},
    "load": {"mode": "load"},
    "check": {"mode": "verify"},
    "undo": {"mode": "rollback"},
}
#: Codes with which each is done.
FINE = {"plan": {0, 4}, "sample": {0, 4}, "load": {0}, "check": {0}, "undo": {0}}


@pytest.mark.parametrize("code", [None, *ENDS])
@pytest.mark.parametrize("step", ENDING)
def test_what_is_said_of_a_run_is_what_its_report_says(step: str, code: int | None) -> None:
    """Whatever the exit code; only a run that has come to its end is done."""
    found = after(a_report(2, **ENDING[step], exit_code=code))[step]
    assert found.state is (State.DONE if code in FINE[step] else State.NEEDS_YOU)
    assert found.why == ("" if code == 0 else end_of(code).meaning)


@pytest.mark.parametrize(
    ("reports", "step", "why"),
    [
        ([LOAD, a_report(3, "verify", exit_code=6)], "check", ENDS[6].meaning),
        ([a_report(2, "load", ended_early=True)], "load", ENDED_EARLY.meaning),
        ([a_report(2, "load", ended_early=True, exit_code=1)], "load", ENDED_EARLY.meaning),
        ([a_report(2, "load", exit_code=75), a_report(3, "retry", exit_code=143)], "load", ENDS[143].meaning),
        ([LOAD, undo(3, LOAD, exit_code=143)], "load", ENDS[143].meaning),
        ([LOAD, undo(3, LOAD)], "load", "The last load was undone."),
        ([a_report(1, "plan", plan=None, exit_code=3)], "plan", ENDS[3].meaning),
        ([a_report(1, "plan", plan=None, exit_code=3)], "map", "The plan lists the clinic's own fields."),
        ([a_report(1, "plan", plan=None, exit_code=3)], "families", "The plan finds them."),
        ([a_report(1, "plan", plan=None, exit_code=3)], "approve", ""),
    ],
)
def test_why_a_step_stands_as_it_does(reports: list[Report], step: str, why: str) -> None:
    """Each row: what has happened, and what a step says after it; none of these is done."""
    found = after(*reports)[step]
    assert found.why == why
    assert found.state in {State.NEEDS_YOU, State.NOT_STARTED}


def test_of_a_run_in_several_sub_accounts_the_one_that_needs_most_is_shown() -> None:
    """As the last line of the run has it: differences before what could not be read, a setting before a spent day."""
    for codes, worst in (((6, 5), 5), ((75, 2), 2), ((0, 4), 4), ((143, None), None)):
        runs = [
            Report(a_report(3, "verify", exit_code=code).content, Path(f"20261123-{place}"))
            for place, code in enumerate(codes)
        ]
        newest = newest_of(runs, ["verify"])
        assert newest is not None
        assert newest.exit_code == worst


def test_a_table_with_a_whole_note_in_it_is_shown(tmp_path: Path) -> None:
    """Where values are shown, a cell may be longer than Python's csv takes by itself."""
    csv.field_size_limit(131_072)
    path = tmp_path / "differences.csv"
    path.write_text(f"source,value\npatients/1,{'note ' * 40_000}\n")
    assert length(path) == 1
    csv.field_size_limit(131_072)
    assert rows(path, 0, 10, ["source"], {}) == [{"source": "patients/1"}]


def test_undo_comes_after_no_other_step() -> None:
    """Whoever follows the pages to their end gives the handover, and takes nothing back by following on."""
    found = list(after().values())
    assert [step.key for step in found[-3:]] == ["go-live", "runs", "undo"]
    assert following(found, "go-live").after is found[-2]
    assert following(found, "runs").after is None
    assert following(found, "undo") == Way(None, None, is_here=True)


def test_a_load_is_out_of_date_when_another_run_was_undone_after_it() -> None:
    """A sample of everybody, a load that finds nothing to do, the sample undone: nothing is in HighLevel."""
    sample = a_report(2, "load", sample={"patients": 3})
    load = a_report(3, "load", totals={"created": 0, "updated": 0})
    assert after(PLAN, sample, load)["load"].state is State.DONE
    assert after(PLAN, sample, load, undo(4, sample))["load"].state is State.OUT_OF_DATE
    again = a_report(5, "load")
    assert after(PLAN, sample, load, undo(4, sample), again)["load"].state is State.DONE


CHANGED = {"mapping_changed": "2026-11-29T01:30:00Z"}


@pytest.mark.parametrize(
    ("reports", "facts", "page", "leads"),
    [
        ([], {}, "plan", "First: Connect"),
        ([], {"accepted": BOTH}, "connect", "Next: Probe"),
        ([], {"accepted": BOTH}, "probe", "here"),
        ([], {"accepted": BOTH}, "map", "First: Plan"),
        ([], {"accepted": BOTH, "running": frozenset({"plan"})}, "map", "First: Plan"),
        ([PLAN], {"undecided": 2}, "plan", "Next: Map"),
        ([PLAN], {"undecided": 2}, "map", "here"),
        ([PLAN], {"undecided": 2}, "approve", "First: Map"),
        ([PLAN], {**CHANGED, "unseen": True}, "map", "Next: Families and duplicates"),
        ([PLAN], CHANGED, "families", "Next: Plan"),
        ([PLAN], CHANGED, "plan", "here"),
        ([PLAN], {**CHANGED, "approved": True}, "approve", "First: Plan"),
        ([PLAN], {}, "plan", "Next: Approve"),
        ([PLAN], {}, "approve", "here"),
        ([PLAN], {}, "load", "First: Approve"),
        ([PLAN], {"approved": True}, "approve", "Next: Sample"),
        ([PLAN], {"approved": True}, "load", "here"),
        ([PLAN], {"approved": True}, "check", "First: Load"),
        ([PLAN, a_report(2, "load", exit_code=4)], {"approved": True}, "load", "Next: Check"),
        ([PLAN, a_report(2, "load", exit_code=4)], {"approved": True}, "check", "here"),
        ([PLAN, a_report(2, "load", exit_code=75)], {"approved": True}, "check", "First: Load"),
        ([LOAD, a_report(3, "verify", exit_code=5)], {}, "go-live", "First: Check"),
        ([LOAD], {}, "check", "here"),  # planned and approved on another machine
        ([PLAN, LOAD, CHECK], {"approved": True}, "go-live", "here"),
        ([PLAN, LOAD, CHECK], {"approved": True, "agrees": True, "ticked": True}, "go-live", "Next: Runs and handover"),
        ([PLAN, LOAD], {"approved": True}, "undo", "here"),
    ],
)  # fmt: skip
def test_where_the_blue_button_leads(
    reports: list[Report], facts: dict[str, Any], page: str, leads: str
) -> None:
    """Each row: what has happened, and what comes next on a page: something on the page itself, or another step."""
    way = following(list(after(*reports, **facts).values()), page)
    there = f"First: {way.first.title}" if way.first else f"Next: {way.after.title}" if way.after else ""
    assert ("here" if way.is_here else there) == leads


def test_a_changed_mapping_is_planned_once_all_is_decided() -> None:
    """Whoever goes on decides first what is still open: each decision would make the plan out of date again."""
    found = after(PLAN, **CHANGED, unseen=True)
    assert found["plan"].state is State.OUT_OF_DATE
    assert current(list(found.values())).key == "families"
    assert current(list(after(PLAN, **CHANGED).values())).key == "plan"


def test_when_all_is_done_the_handover_stays() -> None:
    """Not the undo, which nobody is led to."""
    done = {"accepted": BOTH, "probed": True, "approved": True, "agrees": True, "ticked": True}
    found = after(PLAN, a_report(2, "load", sample={"patients": 1}), LOAD, CHECK, **done, handed_over="9")
    assert current(list(found.values())).key == "runs"
