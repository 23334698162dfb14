"""The same contacts written by this target, by the plainest SDK target, by a script and by another engine; no limit on any."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from measuring import ROOT, UNLIMITED, Loader, clinic
from plain_target import LOCATION, TOKEN, URL

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sandbox import Sandbox

#: What of reverse ETL can do this work: rows of a table to a REST API, in an environment of its own.
DRT = "drt-core==0.9.1"
_PLAIN = [sys.executable, str(ROOT / "scripts" / "plain_target.py")]
_SYNC = """\
name: contacts
model: select * from read_csv('{rows}')
destination:
  type: rest_api
  url: {url}/contacts/
  method: POST
  headers:
    Content-Type: application/json
    Version: "2021-07-28"
    Authorization: Bearer {token}
  body_template: |
    {{"locationId": "{location}", "firstName": "{{{{ row.firstName }}}}", "lastName": "{{{{ row.lastName }}}}",
     "tags": ["patient"]}}
sync:
  mode: full
  batch_size: 1000
  rate_limit:
    requests_per_second: 100000
  on_error: fail
"""


def write_contacts(number: int, latency: float) -> dict[str, float]:
    """Return how many seconds each writer takes for so many new contacts at this latency; a process each, start and all."""
    lines = _lines(number)
    return {name: _measured(write, lines, number, latency) for name, write in WRITERS.items()}


def _lines(number: int) -> list[str]:
    described = {"object": "contact"}
    standard = {
        name: {"type": ["string", "null"], "x-highlevel": {"field": "standard", "name": name}}
        for name in ("firstName", "lastName")
    }
    properties = {
        "source_id": {"type": "string"},
        **standard,
        "tags": {"type": ["array", "null"], "items": {"type": "string"}, "x-highlevel": {"field": "tags"}},
    }
    schema = {"type": "object", "properties": properties, "x-highlevel": described}
    first = {"type": "SCHEMA", "stream": "people", "schema": schema, "key_properties": ["source_id"]}
    records = [
        {
            "type": "RECORD",
            "stream": "people",
            "record": {
                "source_id": f"people/{each}",
                "firstName": f"Ann{each}",
                "lastName": "Elm",
                "tags": ["patient"],
            },
        }
        for each in range(number)
    ]
    return [json.dumps(message) for message in (first, *records)]


def _measured(
    write: Callable[[Sandbox, Path, list[str]], None], lines: list[str], number: int, latency: float
) -> float:
    with (
        tempfile.TemporaryDirectory() as folder,
        clinic(1, search_lag=0.2, burst_limit=UNLIMITED, daily_limit=UNLIMITED) as sandbox,
    ):
        sandbox.highlevel.control.latency = latency
        began = time.monotonic()
        write(sandbox, Path(folder), lines)
        seconds = time.monotonic() - began
        made = len(sandbox.highlevel.state.contacts)
        if made < number:
            sys.exit(f"only {made} of {number} contacts were made: it measures nothing")
        return seconds


def _ours(sandbox: Sandbox, folder: Path, lines: list[str]) -> None:
    loaded = Loader(sandbox, folder).load(lines, REQUESTS_PER_10S=str(UNLIMITED))
    if loaded.code:
        sys.exit(f"the load ended with {loaded.code}: {loaded.log[-2000:]}")


def _plain(*arguments: str) -> Callable[[Sandbox, Path, list[str]], None]:
    def write(sandbox: Sandbox, _folder: Path, lines: list[str]) -> None:
        text = "".join(f"{line}\n" for line in lines)
        _run([*_PLAIN, *arguments], {}, text, sandbox)

    return write


def _drt(sandbox: Sandbox, folder: Path, lines: list[str]) -> None:
    with (folder / "rows.csv").open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(["firstName", "lastName"])
        records = [json.loads(line)["record"] for line in lines[1:]]
        table.writerows([each["firstName"], each["lastName"]] for each in records)
    side = sandbox.highlevel
    (folder / "syncs").mkdir()
    sync = _SYNC.format(
        rows=folder / "rows.csv", url=side.url, token=side.access_token, location=side.location_id
    )
    (folder / "syncs" / "contacts.yml").write_text(sync, encoding="utf-8")
    (folder / "drt_project.yml").write_text('name: bench\nversion: "0.1"\nprofile: local\n', encoding="utf-8")
    (folder / ".drt").mkdir()
    (folder / ".drt" / "profiles.yml").write_text(
        "local:\n  type: duckdb\n  database: ':memory:'\n", encoding="utf-8"
    )
    command = [
        str(ROOT / ".venv" / "bin" / "uv"),
        "tool",
        "run",
        "--quiet",
        "--with",
        "duckdb",
        "--from",
        DRT,
        "drt",
        "run",
    ]
    _run(
        command,
        {"HOME": str(folder), "UV_CACHE_DIR": str(Path.home() / ".cache" / "uv")},
        "",
        sandbox,
        cwd=folder,
    )


def _run(
    command: list[str], more: Mapping[str, str], text: str, sandbox: Sandbox, cwd: Path | None = None
) -> None:
    side = sandbox.highlevel
    env = {**os.environ, URL: side.url, TOKEN: side.access_token, LOCATION: side.location_id, **more}
    done = subprocess.run(command, input=text, env=env, cwd=cwd, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{command}: {(done.stdout + done.stderr)[-2000:]}")


WRITERS: dict[str, Callable[[Sandbox, Path, list[str]], None]] = {
    "target-highlevel": _ours,
    "a bare SDK target": _plain("--config", "ENV"),
    DRT: _drt,
    "a one-at-a-time script": _plain("script"),
}
