"""How quickly the pages answer while a load is running; measured by `make bench`."""

from __future__ import annotations

import json
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from console_server import ENVIRONMENT, serving
from filelock import FileLock

from migration_console.runner import JOB, LOCK
from migration_console.steps import STEPS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

_ROUNDS = 20


@contextmanager
def a_running_load(root: Path) -> Iterator[None]:
    """Let the console see a load that it has started: the load itself is somebody else's."""
    folder = root / "data" / ENVIRONMENT / "console" / "jobs" / "20261129T060413-00000000"
    folder.mkdir(parents=True)
    described = {"command": "load", "line": "", "started": time.time() - 3600, "writes": True, "reports": []}
    (folder / JOB).write_text(json.dumps(described), encoding="utf-8")
    with FileLock(folder / LOCK):
        yield


def slowest_answers(
    root: Path, variables: Mapping[str, str], each_round: float = 0.5
) -> tuple[dict[str, float], int]:
    """Ask for every page again and again while a load goes on.

    Returns the slowest answer of each page in seconds, and how many records the load has received.

    Args:
        root: folder of a project, with a report of a plan.
        variables: where ledger and reports of the load are.
        each_round: seconds between two rounds.
    """
    slowest: dict[str, float] = {}
    with a_running_load(root), serving(root, **variables) as browser:
        browser.enter()
        for _ in range(_ROUNDS):
            for key, _title, _commands in STEPS:
                began = time.perf_counter()
                assert browser.get(key).status_code == 200
                slowest[key] = max(slowest.get(key, 0.0), time.perf_counter() - began)
            time.sleep(each_round)
        (job,) = browser.clinic.jobs.running()
        known = sum(account.total for account in browser.clinic.watcher.look(job).accounts)
    return slowest, known
