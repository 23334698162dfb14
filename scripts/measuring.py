"""What `bench.py` and `soak.py` share: a clinic's lines, a ledger that knows them, a watched target."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import platform
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / name) for name in (".", "tests", "target-highlevel/tests", "tap-cliniko/tests")]

import psutil  # noqa: E402
import sqlalchemy as sa  # noqa: E402
from hl_loading import Loader, after_state, tap_lines  # noqa: E402

from cliniko_to_highlevel.core import MessageMapper  # noqa: E402
from sandbox import Sandbox  # noqa: E402
from target_highlevel.descriptor import incoming, stream_spec  # noqa: E402
from target_highlevel.ledger.intake import Intake  # noqa: E402
from target_highlevel.ledger.ledger import Ledger  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from target_highlevel.descriptor import Incoming, StreamSpec

__all__ = [
    "ROOT",
    "Loader",
    "Peak",
    "Sandbox",
    "after_state",
    "clinic",
    "machine",
    "put_section",
    "tap_lines",
    "teach",
    "watch",
]

_CHUNK = 500
_POLL = 0.05
UNLIMITED = 10_000_000


def clinic(patients: int, seed: int = 1, **highlevel: Any) -> Sandbox:
    """Return a sandbox whose Cliniko sets no limit; HighLevel has the product's limits, unless given others."""
    return Sandbox(seed=seed, patients=patients, cliniko={"requests_per_minute": 0}, highlevel=highlevel)


def teach(lines: Iterable[str], url: str, location: str) -> int:
    """Fill a ledger as if these lines had been loaded; return how many records it knows then.

    Really loading hundreds of thousands of records takes hours, and measures how fast HighLevel is emulated.
    """
    ledger = Ledger(url, location)
    intake = Intake(ledger, ledger.begin_run("load"))
    received = _received(lines)
    while chunk := list(itertools.islice(received, _CHUNK)):
        intake.take(chunk)
    with ledger.transaction() as connection:
        connection.execute(sa.text("delete from dependency"))
        settled = "update record set status = 'done', hl_id = 'h' || ref, payload = null, reason = null"
        connection.execute(sa.text(f"{settled} where status in ('ready', 'held')"))
        known = int(connection.execute(sa.text("select count(*) from record")).scalar_one())
    ledger.close()
    return known


def _received(lines: Iterable[str]) -> Iterator[Incoming]:
    mapper, specs = MessageMapper(), dict[str, "StreamSpec"]()
    for line in lines:
        message = json.loads(line)
        if not mapper.handles(str(message.get("stream"))):
            continue
        mapped = mapper.schema(message) if message["type"] == "SCHEMA" else mapper.record(message)
        for each in mapped:
            if each["type"] == "SCHEMA":
                specs[each["stream"]] = _declared(each)
            else:
                yield _resolved(incoming(specs[each["stream"]], each["record"]))


def _declared(message: dict[str, Any]) -> StreamSpec:
    spec = stream_spec(message)
    if spec is None:
        msg = f"the mapper does not describe {message['stream']}"
        raise ValueError(msg)
    return spec


def _resolved(item: Incoming) -> Incoming:
    return replace(item, resolved=("user", None)) if item.spec.kind == "user" and not item.filtered else item


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
