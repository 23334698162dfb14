"""What `bench.py` and `soak.py` share: a clinic's lines, a watched target, sections of a page."""

from __future__ import annotations

import contextlib
import os
import platform
import re
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

ROOT = Path(__file__).resolve().parent.parent
_TESTS = (
    "tests",
    "target-highlevel/tests",
    "tap-cliniko/tests",
    "transforms/tests",
    "console/tests",
    "orchestrate/tests",
)
sys.path[:0] = [str(ROOT / name) for name in (".", "orchestrate", *_TESTS)]

import labelled_fields  # noqa: E402
import psutil  # noqa: E402
import seeded_duplicates  # noqa: E402
from hl_loading import Loader, ReadyProcess, after_state, tap_lines  # noqa: E402

from sandbox import Sandbox  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "FASTER",
    "ROOT",
    "Loader",
    "Peak",
    "ReadyProcess",
    "Sandbox",
    "after_state",
    "asked_of_records",
    "clinic",
    "labelled_fields",
    "machine",
    "put_section",
    "seeded_duplicates",
    "tap_lines",
    "watch",
]

ReadyProcess.rehearses = True
_POLL = 0.05
_OF_A_RECORD = re.compile(r"/contacts/|/records|/relations|/events|/opportunities/|upload")
UNLIMITED = 10_000_000
#: Options of a HighLevel for loads whose pace is not the point.
FASTER: dict[str, Any] = {"burst_limit": UNLIMITED, "daily_limit": UNLIMITED, "search_lag": 0.2}


def clinic(patients: int, seed: int = 1, **highlevel: Any) -> Sandbox:
    """Return a sandbox whose Cliniko sets no limit; HighLevel has the product's limits, unless given others."""
    return Sandbox(seed=seed, patients=patients, cliniko={"requests_per_minute": 0}, highlevel=highlevel)


def asked_of_records(sandbox: Sandbox, since: int) -> int:
    """Return how many requests after so many were about a record, and not about definitions or partners."""
    asked = sandbox.highlevel.control.requests[since:]
    return sum(_OF_A_RECORD.search(item.path) is not None for item in asked)


@dataclass(frozen=True)
class Peak:
    """How a watched process went: exit code, seconds, seconds of processor time, most memory, states."""

    code: int
    seconds: float
    processor: float
    memory: int
    output: int


def watch(loader: Loader, lines: Path, **more: str) -> Peak:
    """Run a target over a file of lines and watch it from outside."""
    output = loader.folder / "states"
    began = time.monotonic()
    command = [str(Path(sys.executable).parent / "target-highlevel"), "--config", "ENV"]
    log = loader.folder / "log"
    with lines.open("rb") as stdin, output.open("wb") as stdout, log.open("wb") as stderr:
        process = psutil.Popen(
            command, env=loader.environment(more), stdin=stdin, stdout=stdout, stderr=stderr
        )
        memory, processor = 0, 0.0
        while process.poll() is None:
            with contextlib.suppress(psutil.Error):
                memory = max(memory, process.memory_info().rss)
                processor = sum(process.cpu_times()[:2])
            time.sleep(_POLL)
    states = len(output.read_bytes().splitlines())
    return Peak(process.returncode, time.monotonic() - began, processor, memory, states)


def machine() -> str:
    """Return the machine in words: its cores and its Python."""
    cores = os.cpu_count() or 1
    return f"{cores} cores, {platform.system()} on {platform.machine()}, Python {platform.python_version()}"


def put_section(path: Path, title: str, text: Sequence[str]) -> None:
    """Replace one section of a page, or add it at the end."""
    heading = f"## {title}\n"
    before, _, rest = path.read_text(encoding="utf-8").partition(heading)
    _, mark, after = rest.partition("\n## ")
    body = "\n".join(text).strip("\n")
    kept = f"{before.rstrip()}\n\n{heading}\n{body}\n"
    path.write_text(f"{kept}{mark and chr(10) + '## '}{after}" if mark else kept, encoding="utf-8")
