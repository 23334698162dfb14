"""How fast the tap reads, and that it never exceeds the budget; for `soak.py` and `bench.py`."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import psutil
from plain_tap import STREAM
from requests.auth import _basic_auth_str
from tap_runs import config_for

from sandbox import Sandbox
from tap_cliniko.resources import BY_NAME


def with_alerts(number: int, **options: Any) -> Sandbox:
    """Make a clinic with a long list."""
    sandbox = Sandbox(seed=2, patients=10, cliniko=options)
    for index in range(number):
        sandbox.cliniko.account.insert(STREAM, {"name": f"Alert {index}", "patient_id": "1"})
    sandbox.cliniko.control.advance(
        1
    )  # a run reads up to the last whole second; the last rows were made in this one
    return sandbox


@dataclass(frozen=True)
class Budget:
    """How a long read at the real limit went."""

    requests: int
    minutes: float
    refused: int
    greatest: int
    peak: int

    @property
    def used(self) -> float:
        """Return the share of the budget of 200 requests a minute."""
        return self.requests / self.minutes / 200


def read_at_the_limit(folder: Path, rows: int) -> Budget:
    """Read a list at 300 ms a request, with Cliniko's real limit, as a process of its own."""
    with with_alerts(rows) as sandbox:
        sandbox.cliniko.control.latency = 0.3
        for name, content in (
            ("config", config_for(sandbox, folder, requests_per_minute=200)),
            ("catalog", only(STREAM)),
        ):
            (folder / f"{name}.json").write_text(json.dumps(content))
        command = [sys.executable, "-m", "tap_cliniko", "--config", str(folder / "config.json")]
        command += ["--catalog", str(folder / "catalog.json")]
        began = time.monotonic()
        quiet = subprocess.DEVNULL
        with (folder / "out").open("wb") as out:
            process = subprocess.Popen(command, stdout=out, stderr=quiet)
            peak = watch(process)
        minutes = (time.monotonic() - began) / 60
        stats = sandbox.cliniko.control.stats()
    read = sum(b'"RECORD"' in line[:40] for line in (folder / "out").open("rb"))
    assert process.returncode == 0
    assert read >= rows, f"read {read} of {rows} rows"
    refused = stats["requests"] - stats["by_status"].get("200", 0)
    return Budget(stats["requests"], minutes, refused, stats["greatest_window"], peak)


def watch(process: subprocess.Popen[bytes]) -> int:
    """Return the most memory a process ever held."""
    peak, seen = 0, psutil.Process(process.pid)
    while process.poll() is None:
        with contextlib.suppress(psutil.NoSuchProcess):
            peak = max(peak, seen.memory_info().rss)
        time.sleep(0.25)
    return peak


def only(name: str) -> dict[str, Any]:
    """Write a catalog in which one stream is selected."""
    resource = BY_NAME[name]
    metadata = [{"breadcrumb": [], "metadata": {"selected": True, "inclusion": "available"}}]
    schema = resource.schema()
    entry = {"tap_stream_id": name, "stream": name, "schema": schema, "key_properties": ["id"]}
    return {"streams": [{**entry, "replication_key": "updated_at", "metadata": metadata}]}


@dataclass(frozen=True)
class Effort:
    """What a run took: seconds, and seconds of processor time."""

    seconds: float
    processor: float


def compare(sandbox: Sandbox, folder: Path, rows: int, times: int = 5) -> tuple[Effort, Effort]:
    """Read the same rows with this tap and a plain one in turn, several times; return the median effort of each.

    Each is a process of its own that writes into a file.
    """
    key = _basic_auth_str(sandbox.cliniko.api_key, "")
    configs = {
        "tap_cliniko": config_for(sandbox, folder),
        "plain_tap": {"api_url": sandbox.cliniko.url, "authorization": key},
    }
    efforts: dict[str, list[Effort]] = {name: [] for name in configs}
    (folder / "catalog.json").write_text(json.dumps(only(STREAM)))
    for name in [*configs] * times:
        (folder / "config.json").write_text(json.dumps(configs[name]))
        efforts[name].append(effort_of(name, folder))
        read = sum(b'"RECORD"' in line[:40] for line in (folder / "out").open("rb"))
        assert read >= rows, f"{name} read {read} of {rows} rows"
    return median_of(efforts["tap_cliniko"]), median_of(efforts["plain_tap"])


def effort_of(module: str, folder: Path) -> Effort:
    """Run a tap to its good end."""
    command = [sys.executable, "-m", module]
    for name in ("config", "catalog"):
        command += [f"--{name}", str(folder / f"{name}.json")]
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(Path(__file__).parent)}
    began, before = time.monotonic(), os.times()
    with (folder / "out").open("wb") as stdout:
        subprocess.run(command, env=environment, stdout=stdout, stderr=subprocess.DEVNULL, check=True)
    after = os.times()
    used = after.children_user + after.children_system - before.children_user - before.children_system
    return Effort(time.monotonic() - began, used)


def median_of(efforts: list[Effort]) -> Effort:
    """Return the medians."""
    return Effort(median(each.seconds for each in efforts), median(each.processor for each in efforts))
