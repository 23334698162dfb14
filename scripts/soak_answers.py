"""The long check of the unknowns: the whole job in a HighLevel of every answer, and in random ones of many answers at once."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

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
    done = {
        what: _all(found, what, realities, deadline)
        for what, realities in (("single answers", _single()), ("random combinations", _random(options)))
    }
    found.facts = {
        "a load, a delta, a verification after each, both undone": "four records of people, and one of each other thing",
        **{what: f"{number} of {_planned(what, options)}" for what, number in done.items()},
        "first seed of the combinations": str(options.seed),
        "came to another end": str(len(found.wrong)),
    }
    return found


def _single() -> Iterator[dict[str, str]]:
    for name, item in REGISTER.items():
        yield from ({name: answer} for answer in item.answers if answer != item.default)


def _random(options: argparse.Namespace) -> Iterator[dict[str, str]]:
    for seed in range(options.seed, options.seed + options.combinations):
        yield combination(seed)


def _planned(what: str, options: argparse.Namespace) -> int:
    return options.combinations if what == "random combinations" else len(list(_single()))


def _all(found: Findings, what: str, realities: Iterator[dict[str, str]], deadline: float) -> int:
    number = 0
    for number, reality in enumerate(realities, start=1):
        if time.monotonic() > deadline:
            return number - 1
        began = time.monotonic()
        told = (
            ", ".join(f"{name}={answer}" for name, answer in reality.items())
            if len(reality) == 1
            else str(number)
        )
        try:
            _whole_job(reality)
        except (AssertionError, OSError, LookupError) as error:
            found.wrong.append(f"{what} {told}: {str(error)[:_LONGEST_TOLD]}")
            print(f"wrong: {what} {told}: {str(error)[:3000]}", flush=True)
        print(f"{what} {told}: {time.monotonic() - began:.1f} s", flush=True)
    return number


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
