"""The long check of the unknowns: the whole job in a HighLevel of every answer, and in random ones of many answers at once."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
from findings import Findings
from hl_loading import Loader, a_sandbox
from hl_realities import combination, main_job

from target_highlevel.assumptions import REGISTER

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator, Mapping

_LONGEST_TOLD = 300


def answers(options: argparse.Namespace) -> Findings:
    """Load, change, verify and undo under each answer that is not the assumed one, then under random ones of all questions."""
    found = Findings("The whole job in every HighLevel")
    deadline = time.monotonic() + 60 * options.minutes
    seeds = range(options.seed, options.seed + options.combinations)
    planned = {
        "single answers": dict(_single()) if options.single else {},
        "random combinations": {f"seed {seed}": combination(seed) for seed in seeds},
    }
    done = {what: _all(found, realities, deadline) for what, realities in planned.items()}
    found.facts = {
        "a load, a delta, a verification after each, both undone": "four records of people, and one of each other thing",
        **{what: f"{number} of {len(planned[what])}" for what, number in done.items()},
        "processor time of each": f"{_processor() / max(1, sum(done.values())):.0f} s",
        "first seed of the combinations": str(options.seed),
        "came to another end": str(len(found.wrong)),
    }
    return found


def _single() -> Iterator[tuple[str, dict[str, str]]]:
    for name, item in REGISTER.items():
        yield from ((f"{name}={answer}", {name: answer}) for answer in item.answers if answer != item.default)


def _processor() -> float:
    """Return the seconds of processor time of this process and of those that it started."""
    own = psutil.Process()
    return sum(sum(one.cpu_times()[:4]) for one in (own, *own.children()))


def _all(found: Findings, realities: Mapping[str, dict[str, str]], deadline: float) -> int:
    """Play them until the time is up; return how many were played."""
    for number, (told, reality) in enumerate(realities.items()):
        if time.monotonic() > deadline:
            return number
        began = time.monotonic()
        try:
            _whole_job(reality)
        except (AssertionError, OSError, LookupError) as error:
            found.wrong.append(f"{told}: {str(error)[:_LONGEST_TOLD]}")
            print(f"wrong: {told}: {str(error)[:3000]}", flush=True)
        print(f"{told}: {time.monotonic() - began:.1f} s", flush=True)
    return len(realities)


def _whole_job(reality: Mapping[str, str]) -> None:
    running = []

    def start(**options: Any) -> Loader:
        sandbox = a_sandbox(**options)
        sandbox.__enter__()
        running.append(sandbox)
        return Loader(sandbox, Path(folder))

    with tempfile.TemporaryDirectory() as folder:
        try:
            main_job(start, Path(folder), reality)
        finally:
            for sandbox in running:
                sandbox.__exit__(None, None, None)


CHECKS: dict[str, Callable[[argparse.Namespace], Findings]] = {"answers": answers}
