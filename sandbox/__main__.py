"""Start both emulated systems in the foreground: `python -m sandbox`."""

from __future__ import annotations

import argparse
import errno
import json
import os
import signal
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from sandbox.both import Sandbox
from sandbox.highlevel.realities import answers_in, options_of

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until SIGTERM or SIGINT; print the addresses as one line of JSON."""
    parser = _parser()
    given = parser.parse_args(arguments)
    highlevel = {
        "search_lag": given.search_lag,
        "burst_limit": given.burst_limit,
        "daily_limit": given.daily_limit,
        "allow_duplicates": given.allow_duplicates,
        **(options_of(answers_in(given.probe)) if given.probe else {}),
    }
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    try:
        sandbox = Sandbox(
            seed=given.seed,
            patients=given.patients,
            cliniko={"requests_per_minute": given.cliniko_limit},
            highlevel=highlevel,
            ports=(given.cliniko_port, given.highlevel_port),
        )
    except OSError as error:
        if error.errno not in {errno.EADDRINUSE, errno.EACCES}:
            raise
        ports = " or ".join(str(port) for port in (given.cliniko_port, given.highlevel_port) if port)
        parser.error(f"port {ports} is in use or not for you; take another, or 0 for a free one")
    for side in (sandbox.cliniko, sandbox.highlevel):
        side.control.latency = given.latency
    with sandbox:
        line = json.dumps(sandbox.addresses())
        if given.ready_file:
            _write_whole(given.ready_file, line)
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()
        stopped.wait()
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m sandbox", description=main.__doc__)
    parser.add_argument("--seed", type=int, default=1, help="seed of the synthetic clinic")
    parser.add_argument("--patients", type=int, default=40, help="patients of the clinic")
    parser.add_argument("--cliniko-port", type=int, default=0, help="0 takes a free port")
    parser.add_argument("--highlevel-port", type=int, default=0, help="0 takes a free port")
    parser.add_argument("--latency", type=float, default=0.0, help="seconds every answer waits")
    parser.add_argument("--search-lag", type=float, default=3.0, help="seconds HighLevel's search is behind")
    parser.add_argument("--burst-limit", type=int, default=100, help="HighLevel requests in 10 seconds")
    parser.add_argument("--daily-limit", type=int, default=200_000, help="HighLevel requests a day")
    parser.add_argument(
        "--cliniko-limit", type=int, default=200, help="Cliniko requests a minute; 0: no limit"
    )
    parser.add_argument("--allow-duplicates", action="store_true", help="HighLevel accepts contacts twice")
    parser.add_argument("--probe", type=Path, help="be the HighLevel that this probe.json tells of")
    parser.add_argument("--ready-file", type=Path, help="the line of JSON is written there too")
    return parser


def _write_whole(path: Path, line: str) -> None:
    """Write the file so that a reader never sees half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.partial")
    partial.write_text(f"{line}\n", encoding="utf-8")
    os.replace(partial, path)  # noqa: PTH105 - atomic on every system


if __name__ == "__main__":
    sys.exit(main())
