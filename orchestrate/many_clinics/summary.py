"""All clinics at a glance: what each did last, and who needs somebody."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from many_clinics.outcome import DIFFERENCES, REJECTS, SPENT, UNREADABLE
from many_clinics.steps import VERIFY

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

NEVER, COMPLETE, NEEDS, WAITS, FAILED = (
    "not run yet",
    "complete",
    "needs you",
    "waits for the next day",
    "failed",
)
#: What a verification of an earlier run still asks for: deltas since then do not put it right.
_STANDS = {
    DIFFERENCES: "the newest verification found differences, and none has come after it that found none: its report lists them",
    UNREADABLE: "the newest verification could not read everything back, and none has come after it that could",
}
_ORDER = (FAILED, NEEDS, NEVER, WAITS, COMPLETE)
#: How it is said of more than one clinic, where that differs.
_OF_SEVERAL = {NEEDS: "need you", WAITS: "wait for the next day"}
_STATES = {0: COMPLETE, REJECTS: NEEDS, DIFFERENCES: NEEDS, UNREADABLE: NEEDS, SPENT: WAITS}


def report(
    steps: Sequence[str], outcomes: Iterable[Mapping[str, Any] | None], at: str, checked: int = 0
) -> dict[str, Any]:
    """Sum up a run of one clinic.

    Args:
        steps: those that were due.
        outcomes: of the steps that ended, in their order, as `Outcome.as_dict` gives them.
        at: the present moment, as text.
        checked: how the newest verification had ended when the run began.
    """
    ended = [outcome for outcome in outcomes if outcome]
    known = [] if any(outcome["step"] == VERIFY for outcome in ended) else _standing(checked)
    worst = max(reversed([*known, *ended]), key=lambda outcome: _rank(outcome["code"]), default=None)
    missing = [step for step in steps if step not in {outcome["step"] for outcome in ended}]
    if missing and (worst is None or _STATES.get(worst["code"]) in {COMPLETE, NEEDS}):
        line = (
            f"{missing[0]} ended without a word: stopped after its time, or killed; the task's log says more"
        )
        worst = {"step": missing[0], "code": 1, "line": line}
    if worst is None or (not steps and worst["code"] == 0):
        worst = {
            "step": "begin",
            "code": SPENT,
            "line": "the day's requests are spent: waits for the next day",
        }
    return {
        "state": _STATES.get(worst["code"], FAILED),
        **{name: worst[name] for name in ("step", "code", "line")},
        "at": at,
        "totals": {outcome["step"]: outcome["totals"] for outcome in ended},
    }


def _standing(checked: int) -> list[dict[str, Any]]:
    return [{"step": VERIFY, "code": checked, "line": _STANDS[checked]}] if checked in _STANDS else []


def _rank(code: int) -> int:
    return -_ORDER.index(_STATES.get(code, FAILED))


def counted(number: int, what: str) -> str:
    """Return a number with what it counts, in the singular or the plural."""
    return f"{number} {what}{'' if number == 1 else 's'}"


def table(reports: Mapping[str, Mapping[str, Any] | None], problems: Sequence[str]) -> str:
    """Return the summary as a table in Markdown: what needs somebody first.

    Args:
        reports: clinic -> its newest report, None when it has never run.
        problems: what is wrong in the file of clinics.
    """
    rows = [
        (item["state"], name, item["step"], str(item["code"]), item["at"], item["line"])
        if item
        else (NEVER, name, "", "", "", "its DAG is paused, or its pool is not there: `airflow pools import`")
        for name, item in reports.items()
    ]
    rows.sort(key=lambda row: (_ORDER.index(row[0]), row[1]))
    count = ", ".join(
        f"{number} {_OF_SEVERAL.get(state, state) if number > 1 else state}"
        for state in _ORDER
        if (number := sum(row[0] == state for row in rows))
    )
    lines = [f"{counted(len(rows), 'clinic')}: {count or 'none'}", ""]
    if problems:
        lines += [
            "Not in the file of clinics as they should be:",
            "",
            *(f"- {item}" for item in problems),
            "",
        ]
    lines += [
        "| clinic | state | step | code | at (UTC) | last line |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    lines += [f"| {name} | {state} | {' | '.join(rest)} |" for state, name, *rest in rows]
    return "\n".join(lines)
