"""The steps of a migration and the state of each: a pure function of what the runs have left."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from migration_console.reports import WRITING_MODES, newest_of
from target_highlevel.exit_codes import COMPLETE, LOADED, REJECTS, UNREADABLE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from migration_console.reports import Report


class State(StrEnum):
    """Where a step is."""

    NOT_STARTED = "not started"
    BEGUN = "begun"
    RUNNING = "running"
    NEEDS_YOU = "needs you"
    DONE = "done"
    OUT_OF_DATE = "out of date"


@dataclass(frozen=True)
class Step:
    """One step as the frame shows it.

    Attributes:
        key: the name of its page
        title: how it is called
        state: where it is
        why: why it is there, where that needs a word
        may_stay: whether the work can go on although it needs somebody: for refused records, or what could not be read
    """

    key: str
    title: str
    state: State
    why: str = ""
    may_stay: bool = False


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What the states follow from.

    Attributes:
        missing: how many required variables are not set
        accepted: the services that have accepted their keys when these were tried
        probed: whether the sub-account was ever probed
        reports: all reports, the newest first
        running: keys of the commands that run now
        mapping_changed: when the mapping file was last changed, in UTC
        approved: whether the newest plan is approved
        failed: keys of the commands whose newest job failed, and left no report that says how
        asked: whether anybody has ever asked whether both sides agree
        agrees: what the answer was; none when something was written or compared since
        ticked: whether somebody has ticked all that a person has to see to before the clinic goes live
        undecided: how many of the clinic's own fields a person has to decide about
        unseen: whether there are shared addresses or possible duplicates that nobody has looked at yet
        signed: whether somebody has signed the newest preview
        handed_over: up to which moment the newest handover tells; empty when there is none
    """

    missing: int
    probed: bool
    reports: tuple[Report, ...]
    running: frozenset[str]
    mapping_changed: str
    approved: bool
    failed: frozenset[str] = frozenset()
    asked: bool = False
    agrees: bool | None = None
    ticked: bool = False
    accepted: frozenset[str] = frozenset()
    signed: bool = False
    undecided: int = 0
    unseen: bool = False
    handed_over: str = ""


#: Steps in the order of the work, and the commands that make one "running".
STEPS = (
    ("connect", "Connect", frozenset({"probe-cliniko", "try-highlevel"})),
    ("probe", "Probe", frozenset({"probe-highlevel"})),
    ("plan", "Plan", frozenset({"plan"})),
    ("map", "Map", frozenset[str]()),
    ("families", "Families and duplicates", frozenset[str]()),
    ("approve", "Approve", frozenset({"approve"})),
    ("sample", "Sample", frozenset({"preview", "sample"})),
    ("load", "Load", frozenset({"load", "retry", "full-refresh"})),
    ("check", "Check", frozenset({"verify", "repair"})),
    ("go-live", "Go live", frozenset({"go-live"})),
    ("runs", "Runs and handover", frozenset({"handover", "rebuild-reference"})),
    ("undo", "Undo", frozenset({"undo", "undo-plan"})),
)


def steps(facts: Facts) -> list[Step]:
    """Return every step with its state and, where that needs a word, why."""
    return [_step(key, title, commands, facts) for key, title, commands in STEPS]


#: Whoever goes on may leave these out.
_OPTIONAL = frozenset({"probe", "sample"})
_WAITING = frozenset({State.NEEDS_YOU, State.OUT_OF_DATE})
#: What was begun is not there yet, as what was not started.
_NOT_THERE = frozenset({State.NOT_STARTED, State.BEGUN})
#: Services whose keys are tried.
SERVICES = ("Cliniko", "HighLevel")


@dataclass(frozen=True)
class Way:
    """Where a page leads to.

    Attributes:
        first: an earlier step that is to be done before; none when there is none
        after: the step that comes after the page; none after the last
        is_here: whether what comes next is something on the page itself
    """

    first: Step | None
    after: Step | None
    is_here: bool


def _in_turn(all_steps: Sequence[Step]) -> list[Step]:
    """Return the steps in the order in which to do them: whatever is decided changes the plan, so that is made anew last."""
    plan = next(step for step in all_steps if step.key == "plan")
    if plan.state is not State.OUT_OF_DATE:
        return list(all_steps)
    turned = [step for step in all_steps if step is not plan]
    turned.insert(next(n for n, step in enumerate(turned) if step.key == "approve"), plan)
    return turned


def current(all_steps: Sequence[Step]) -> Step:
    """Return the step to go on with: the one that runs, else one that needs somebody, else the first that is not done."""
    turned = [step for step in _in_turn(all_steps) if step.key != "undo"]
    for wanted in ({State.RUNNING}, _WAITING, _NOT_THERE):
        found = next((step for step in turned if step.state in wanted), None)
        if found is not None:
            return found
    return turned[-1]


def following(all_steps: Sequence[Step], key: str) -> Way:
    """Return what a page should lead to.

    Undo comes after no other step, and leads to none: it is there for when somebody wants it.
    """
    turned = [step for step in _in_turn(all_steps) if step.key != "undo"]
    place = next((number for number, step in enumerate(turned) if step.key == key), None)
    if place is None:
        return Way(None, None, is_here=True)
    step, later = turned[place], turned[place + 1 :]
    first = _to_do(turned[:place])
    after = next((item for item in later if item.state is not State.DONE), next(iter(later), None))
    is_here = first is None and step.state is not State.DONE and not step.may_stay
    return Way(first, after, is_here=is_here)


def _to_do(before: Sequence[Step]) -> Step | None:
    """Return the first of these steps that is to be done; what is not started is not needed any more once a later one is."""
    for number, step in enumerate(before):
        is_passed = any(later.state not in _NOT_THERE for later in before[number + 1 :])
        is_missing = step.state in _NOT_THERE and step.key not in _OPTIONAL and not is_passed
        if is_missing or (step.state in _WAITING | {State.RUNNING} and not step.may_stay):
            return step
    return None


def _step(key: str, title: str, commands: frozenset[str], facts: Facts) -> Step:
    if facts.running & commands:
        return Step(key, title, State.RUNNING)
    if facts.failed & commands:
        return Step(key, title, State.NEEDS_YOU, "The last try failed.")
    state, why = _JUDGES[key](facts)
    run = _newest(facts, *_ENDING[key], sample=key == "sample") if key in _ENDING else None
    may_stay = state is State.NEEDS_YOU and run is not None and _may_stay(run)
    return Step(key, title, state, why, may_stay)


#: Modes of the runs whose end may need somebody and still let the work go on.
_ENDING = {"sample": ("load",), "load": ("load", "retry"), "check": ("verify",)}


def _may_stay(run: Report) -> bool:
    return run.exit_code in {REJECTS, UNREADABLE} and not run.content["ended_early"]


def _newest(facts: Facts, *modes: str, sample: bool = False) -> Report | None:
    return newest_of(facts.reports, modes, sample=sample)


def _ended(run: Report, *fine: int) -> tuple[State, str]:
    """Return how a run ended, in the words of its report: done with one of these exit codes, else somebody is needed."""
    if run.exit_code not in fine or run.content["ended_early"]:
        return State.NEEDS_YOU, str(run.content["exit_meaning"])
    return State.DONE, "" if run.exit_code == COMPLETE else str(run.content["exit_meaning"])


def _has_content(plan: Report | None) -> bool:
    """Return whether a plan came to its end: one that did not says nothing of the clinic."""
    return plan is not None and bool(plan.content["plan"])


def _connect(facts: Facts) -> tuple[State, str]:
    if facts.missing:
        return (
            State.NEEDS_YOU,
            f"{facts.missing} settings are missing." if facts.missing > 1 else "A setting is missing.",
        )
    # a run that has come to its end has asked both services
    left = [service for service in SERVICES if service not in facts.accepted]
    if not left or any(item.exit_code in LOADED for item in facts.reports):
        return State.DONE, ""
    if facts.accepted:
        return State.BEGUN, f"The key of {left[0]} has not been tried yet."
    return State.NOT_STARTED, ""


def _probe(facts: Facts) -> tuple[State, str]:
    return (State.DONE, "") if facts.probed else (State.NOT_STARTED, "")


def _plan(facts: Facts) -> tuple[State, str]:
    plan = _newest(facts, "plan")
    if plan is None:
        return State.NOT_STARTED, ""
    if facts.mapping_changed > plan.started:
        return State.OUT_OF_DATE, "The mapping was changed after the plan."
    if plan.content["plan"] and plan.content["plan"]["blockers"]:
        return State.NEEDS_YOU, "Something stands in the way of the load."
    return _ended(plan, *LOADED)


def _map(facts: Facts) -> tuple[State, str]:
    plan = _newest(facts, "plan")
    if plan is None or not _has_content(plan):
        return State.NOT_STARTED, "The plan lists the clinic's own fields."
    if facts.undecided:
        one = facts.undecided == 1
        return (
            State.NEEDS_YOU,
            f"{facts.undecided} field{'' if one else 's'} need{'s' if one else ''} a decision.",
        )
    return State.DONE, ""


def _approve(facts: Facts) -> tuple[State, str]:
    plan = _newest(facts, "plan")
    if plan is None or not _has_content(plan):
        return State.NOT_STARTED, ""
    if facts.approved and facts.mapping_changed > plan.started:
        return State.OUT_OF_DATE, "The mapping was changed after the approval."
    return (
        (State.DONE, "") if facts.approved else (State.NEEDS_YOU, "The clinic has not approved the plan yet.")
    )


def _sample(facts: Facts) -> tuple[State, str]:
    sample = _newest(facts, "load", sample=True)
    if sample is None:
        if _newest(facts, "plan", sample=True) is None:
            return State.NOT_STARTED, ""
        return State.BEGUN, "The preview is signed." if facts.signed else "There is a preview to look at."
    undone = {item.undoes for item in facts.reports if item.mode == "rollback" and item.exit_code == COMPLETE}
    wrote = {part.id for part in _parts(facts, sample) if part.wrote}
    if wrote and wrote <= undone:
        return State.NOT_STARTED, "The sample was undone."
    if facts.mapping_changed > sample.started:
        return State.OUT_OF_DATE, "The mapping was changed after the sample."
    return _ended(sample, *LOADED)


def _families(facts: Facts) -> tuple[State, str]:
    if not _has_content(_newest(facts, "plan")):
        return State.NOT_STARTED, "The plan finds them."
    return (State.NEEDS_YOU, "Nobody has looked at them yet.") if facts.unseen else (State.DONE, "")


def _parts(facts: Facts, run: Report) -> list[Report]:
    """Return the reports of a run, one of each sub-account."""
    return [item for item in facts.reports if item.together == run.together and item.mode == run.mode]


def _undoes(run: Report, parts: Sequence[Report]) -> bool:
    """Return whether a run has undone one of these, or was killed before it could say which."""
    if run.mode != "rollback" or run.undoes:
        return run.undoes in {part.id for part in parts}
    return run.id > parts[0].id


_UNDONE_IN_PART = "The last load was undone in one sub-account, and not in another."


def _load(facts: Facts) -> tuple[State, str]:
    load = _newest(facts, "load", "retry")
    if load is None:
        return State.NOT_STARTED, ""
    parts = _parts(facts, load)
    undoing = [item for item in facts.reports if _undoes(item, parts)]
    if not undoing:
        if any(item.mode == "rollback" and item.id > load.id for item in facts.reports):
            return State.OUT_OF_DATE, "A run was undone after it: read everything once more."
        return _ended(load, COMPLETE)
    undone = {item.undoes for item in undoing if item.exit_code == COMPLETE}
    left = [part for part in parts if part.wrote and part.id not in undone]
    ended, why = _ended(undoing[0], COMPLETE)
    if left or ended is not State.DONE:
        return State.NEEDS_YOU, why or _UNDONE_IN_PART
    return State.NOT_STARTED, "The last load was undone."


def _check(facts: Facts) -> tuple[State, str]:
    checked = _newest(facts, "verify")
    load = _newest(facts, "load", "retry", "rollback")
    if checked is None:
        return State.NOT_STARTED, ""
    if load is not None and load.id > checked.id:
        return State.OUT_OF_DATE, "Something was written after the check."
    return _ended(checked, COMPLETE)


def _go_live(facts: Facts) -> tuple[State, str]:
    if facts.agrees and facts.ticked:
        return State.DONE, ""
    if facts.agrees is not None:
        return (
            State.NEEDS_YOU,
            "Both sides agree; tick what has been done."
            if facts.agrees
            else "The two sides do not agree yet.",
        )
    if facts.asked:
        return State.OUT_OF_DATE, "Something was written or compared after the answer."
    check, _ = _check(facts)
    load, _ = _load(facts)
    is_time = check is State.DONE and load is State.DONE
    return (State.NEEDS_YOU, "Ask whether both sides agree.") if is_time else (State.NOT_STARTED, "")


def _undo(facts: Facts) -> tuple[State, str]:
    undone = _newest(facts, "rollback")
    return _ended(undone, COMPLETE) if undone else (State.NOT_STARTED, "")


def _runs(facts: Facts) -> tuple[State, str]:
    if not facts.handed_over:
        return State.NOT_STARTED, ""
    wrote = (item.ended for item in facts.reports if item.mode in {*WRITING_MODES, "rollback"})
    if max(wrote, default="") > facts.handed_over:
        return State.OUT_OF_DATE, "Something was written after the handover."
    return State.DONE, ""


_JUDGES = {
    "connect": _connect,
    "probe": _probe,
    "plan": _plan,
    "map": _map,
    "approve": _approve,
    "sample": _sample,
    "families": _families,
    "load": _load,
    "check": _check,
    "go-live": _go_live,
    "undo": _undo,
    "runs": _runs,
}
