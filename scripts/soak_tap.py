"""The long checks of the tap: a clinic that works while it is read, kills, a long read at the real limit."""

from __future__ import annotations

import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from itertools import repeat
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING

from findings import Findings
from measuring import Sandbox
from tap_speed import read_at_the_limit
from test_tap_drift import Course, course_of
from test_tap_resume import kill_again_and_again

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

_LEAST_USED = 0.95
_MOST_MEMORY = 150_000_000
_MEGABYTE = 1_000_000
_MANY = 20


def drift(options: argparse.Namespace) -> Findings:
    """Change rows at random before every request of a run; after one quiet delta nothing may differ."""
    found = Findings("A clinic that works while it is read")
    rows = changes = different = number = 0
    began = time.monotonic()
    seeds = range(options.seed, options.seed + options.courses)
    deadline = time.time() + 60 * options.minutes
    # A process for each core: a tap and the clinic it reads, in one process, keep one core busy.
    with ProcessPoolExecutor(mp_context=get_context("spawn")) as pool:
        for seed, course in zip(seeds, pool.map(_course, seeds, repeat(deadline)), strict=True):
            if course is None:
                break
            rows, changes = rows + course.rows, changes + course.changes
            different += len(course.differences)
            found.wrong += [f"seed {seed}: {text}" for text in course.differences[:_MANY]]
            number += 1
            if number % _MANY == 0:
                print(f"{number} courses of events, {different} rows differ", flush=True)
    found.facts = {
        "courses of events": f"{number}, seeds {options.seed} to {options.seed + number - 1}; in those of an even "
        "seed hiding a row does not move its updated_at",
        "changes between the requests": f"{changes:,} (5 before each: updates, archivals, cancellations, merges, "
        "inserts, deletions)",
        "rows compared, after the run and one delta": f"{rows:,}",
        "lost, too many or not as in the account": str(different),
        **(
            {"scaled": f"of {options.courses} courses, those of {options.minutes:g} minutes"}
            if number < options.courses
            else {}
        ),
        "took": f"{(time.monotonic() - began) / 60:.0f} min",
    }
    return found


def _course(seed: int, deadline: float) -> Course | None:
    """Run one course of events; none once the time is over."""
    if time.time() > deadline:
        return None
    with tempfile.TemporaryDirectory() as folder:
        return course_of(seed, Path(folder), bumps=seed % 2 == 1)


def tap_kills(options: argparse.Namespace) -> Findings:
    """SIGKILL the tap again and again, each time going on from its last state."""
    found = Findings("The tap killed at random moments")
    with Sandbox(seed=11, patients=150, cliniko={"requests_per_minute": 0}) as sandbox:
        sandbox.cliniko.control.latency = 0.01
        with tempfile.TemporaryDirectory() as folder:
            killed = kill_again_and_again(sandbox, Path(folder), options.tap_kills, options.seed)
    found.facts = {
        "kills (SIGKILL)": f"{options.tap_kills} in {killed.runs} runs, seed {options.seed}",
        "streams that began again": str(len(killed.begun_again)),
        "lost, too many or not as in the account": str(len(killed.differences)),
    }
    found.expect(not killed.begun_again, "a window that was begun was begun again")
    found.wrong += killed.differences[:_MANY]
    return found


def tap_budget(options: argparse.Namespace) -> Findings:
    """Read a long list at 300 ms a request and 200 requests a minute."""
    found = Findings("A long read at Cliniko's real limit")
    with tempfile.TemporaryDirectory() as folder:
        budget = read_at_the_limit(Path(folder), options.rows)
    found.facts = {
        "rows": f"{options.rows:,} at 300 ms a request",
        "requests": f"{budget.requests:,} in {budget.minutes:.1f} min",
        "of 200 a minute, start and end of the process included": f"{budget.used:.1%}",
        "greatest number in any minute": str(budget.greatest),
        "answers other than 200": str(budget.refused),
        "memory at most": f"{budget.peak / _MEGABYTE:.0f} MB",
    }
    found.expect(budget.used >= _LEAST_USED, "less than 95 % of the budget used")
    found.expect(budget.refused == 0, "a request was refused")
    found.expect(budget.peak < _MOST_MEMORY, "more than 150 MB")
    return found


CHECKS: dict[str, Callable[[argparse.Namespace], Findings]] = {
    "drift": drift,
    "tap-kills": tap_kills,
    "tap-budget": tap_budget,
}
