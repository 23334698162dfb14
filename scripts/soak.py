"""The long checks of the load: a ledger lost or moved, memory; others in the `soak_*.py` beside it.

    python scripts/soak.py rebuild moved first-things --patients 10000
    python scripts/soak.py memory --records 20000 200000
    python scripts/soak.py kills restores writers people clocks damage --courses 200
    python scripts/soak.py drift tap-kills tap-budget
    python scripts/soak.py clinics --largest 200
    python scripts/soak.py answers --no-single --seed 1 --combinations 100

Each prints what it found and ends with 1 if that is not what it should be; ``--write`` puts it into docs/soak.md.
"""

from __future__ import annotations

import argparse
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import soak_answers
import soak_clinics
import soak_courses
import soak_order
import soak_tap
from findings import Findings
from measuring import (
    FASTER,
    ROOT,
    Loader,
    after_state,
    asked_of_records,
    clinic,
    put_section,
    tap_lines,
    watch,
)
from rich.console import Console

from target_highlevel.partners.partners import TERM

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from sandbox import Sandbox

PAGE = ROOT / "docs" / "soak.md"
COMPLETE = (0, 4)
#: Of one load of the smaller size: `memory` at ten times the records may use this much of it.
MOST_GROWTH = 1.2
MOST_MEMORY = 200_000_000
MEGABYTE = 1_000_000
_SIGNALS = (signal.SIGKILL, signal.SIGTERM)
_PER_PATIENT = 27  # records that a clinic has at least for each patient

console = Console(width=None if sys.stdout.isatty() else 110)


# Rebuild


def _left(sandbox: Sandbox) -> tuple[dict[str, set[str]], int]:
    state = sandbox.highlevel.state
    return {kind: set(ids) for kind, ids in state.sources().items()}, len(state.relations)


def rebuild(options: argparse.Namespace) -> Findings:
    """Lose the ledger after a whole load; the next run must find everything again and create nothing."""
    found = Findings("Crosswalk rebuilt from HighLevel alone")
    with tempfile.TemporaryDirectory() as name, clinic(options.patients, **FASTER) as sandbox:
        folder = Path(name)
        lines = folder / "lines"
        lines.write_text("".join(f"{line}\n" for line in tap_lines(sandbox, folder)), encoding="utf-8")
        loader = Loader(sandbox, folder)
        first = watch(loader, lines)
        before = _left(sandbox)
        for path in folder.glob("ledger.db*"):
            path.unlink()
        sandbox.highlevel.control.reset_log()
        second = watch(loader, lines)
        report = loader.newest_report()
        stats = sandbox.highlevel.control.stats()
        found.facts = {
            "clinic": f"{options.patients} patients, {sum(len(ids) for ids in before[0].values())} things",
            "first load": f"{first.seconds:.0f} s, exit {first.code}",
            "second load, with an empty ledger": f"{second.seconds:.0f} s, exit {second.code}",
            "requests to find everything again": f"{stats['requests']}",
            "created by it": str(report["totals"]["created"]),
            "memory at most": f"{second.memory / MEGABYTE:.0f} MB",
        }
        found.expect(report["totals"]["created"] == 0, "the second load created records")
        found.expect(_left(sandbox) == before, "HighLevel holds something else than before")
        found.expect(not sandbox.highlevel.state.doubles(), "something is there twice")
        found.expect({first.code, second.code} <= set(COMPLETE), "a load did not end well")
    return found


# Moved


def moved(options: argparse.Namespace) -> Findings:
    """Kill the load of a whole clinic again and again, each time to go on on another machine with a copy of the ledger."""
    found = Findings("A whole clinic, killed and moved to another machine on the way")
    with tempfile.TemporaryDirectory() as name, clinic(options.patients, **FASTER) as sandbox:
        place = Path(name) / "0"
        place.mkdir()
        lines = tap_lines(sandbox, place)
        records = sum('"RECORD"' in line[:40] for line in lines)
        seen, state = sandbox.highlevel.control.requests, None
        began = time.monotonic()
        for move in range(options.moves):
            loader, number = Loader(sandbox, place), len(seen) + records // options.moves
            state = _until(number, loader, after_state(lines, state), seen, _SIGNALS[move % 2]) or state
            place = Path(shutil.copytree(place, Path(name) / str(move + 1)))
        whole = Loader(sandbox, place, {"TAKE_OVER": "true"})
        code = watch(whole, _written(place, after_state(lines, state))).code
        took, requests = time.monotonic() - began, len(seen)
        again = watch(whole, _written(place, lines))
        report, left = whole.newest_report(), _left(sandbox)
        nothing = watch(whole, _written(place, _of_nothing_changed(lines)))
        found.facts = {
            "clinic": f"{options.patients} patients, {sum(map(len, left[0].values()))} things, {left[1]} links",
            "killed and moved": f"{options.moves} times",
            "requests": f"{requests}, in {took:.0f} s",
            "requests for a record of a whole reading afterwards": str(asked_of_records(sandbox, requests)),
            "memory at most": f"{again.memory / MEGABYTE:.0f} MB",
            "a run with nothing to do": f"{nothing.processor:.1f} s of processor time",
        }
        found.expect(
            {code, again.code} <= set(COMPLETE), f"the last loads ended with {code} and {again.code}"
        )
        found.expect(asked_of_records(sandbox, requests) == 0, "the load had not written everything")
        found.expect(report["closes_to_zero"], "the report does not close")
        found.expect(not sandbox.highlevel.state.doubles(), "something is there twice")
        found.expect(not sandbox.highlevel.control.violations, "a rule of the API was broken")
    return found


def _until(
    number: int, loader: Loader, lines: list[str], seen: Sequence[object], end: signal.Signals
) -> str | None:
    """Load until so many requests have been seen, and end the process then; return the newest STATE it printed.

    What was killed has left its lease behind: nobody writes from another machine before that has expired.
    """
    path, output = _written(loader.folder, lines), loader.folder / "states"
    with path.open("rb") as stdin, output.open("wb") as stdout, (loader.folder / "log").open("ab") as stderr:
        command = [str(Path(sys.executable).parent / "target-highlevel"), "--config", "ENV"]
        environment = loader.environment({"TAKE_OVER": "true"})
        process = subprocess.Popen(command, env=environment, stdin=stdin, stdout=stdout, stderr=stderr)
        while process.poll() is None and len(seen) < number:
            time.sleep(0.01)
        process.send_signal(end)
        process.wait()
    if end is signal.SIGKILL:
        time.sleep(TERM)
    states = output.read_text(encoding="utf-8").splitlines()
    return states[-1] if states else None


def _written(folder: Path, lines: Iterable[str]) -> Path:
    path = folder / "lines"
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


def _of_nothing_changed(lines: Iterable[str]) -> Iterator[str]:
    """Yield what the tap says of a clinic in which nothing has changed since its last run."""
    for line in lines:
        if '"RECORD"' not in line[:40]:
            yield line.replace('"from_start":true', '"from_start":false')


# Memory


def memory(options: argparse.Namespace) -> Findings:
    """Run over more and more records that did not change: the most memory held must not grow with them."""
    found = Findings("Memory of a run over unchanged records")
    peaks = []
    for records in options.records:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            with clinic(records // _PER_PATIENT, **FASTER) as sandbox:
                loader = Loader(sandbox, folder)
                lines = _first(records, tap_lines(sandbox, folder), folder)
                loader.load(lines.read_text(encoding="utf-8").splitlines())
                before = len(sandbox.highlevel.control.requests)
                peak = watch(loader, lines)
                requests = asked_of_records(sandbox, before)
        peaks.append(peak.memory)
        rate = records / peak.seconds
        found.facts[f"{records:,} records of Cliniko"] = (
            f"{peak.memory / MEGABYTE:.0f} MB, {peak.seconds:.1f} s, {rate:,.0f} records/s"
            f" ({records / peak.processor:,.0f}/s by processor time), {requests} requests of records"
        )
        console.print(found.facts)
        found.expect(peak.code in COMPLETE, f"exit {peak.code}")
        found.expect(requests == 0, "an unchanged record cost a request")
    found.facts["the most against the least"] = f"{max(peaks) / min(peaks):.2f}"
    found.expect(max(peaks) <= MOST_GROWTH * min(peaks), "memory grows with the records")
    found.expect(max(peaks) < MOST_MEMORY, "more than 200 MB")
    return found


def _first(records: int, lines: list[str], folder: Path) -> Path:
    """Keep as many records as asked for of what the tap said of a clinic that has a few more."""
    path = folder / "lines"
    count = 0
    with path.open("w", encoding="utf-8") as file:
        for line in lines:
            count += '"RECORD"' in line[:40]
            if count <= records or '"RECORD"' not in line[:40]:
                file.write(f"{line}\n")
    return path


CHECKS: dict[str, Callable[[argparse.Namespace], Findings]] = {
    "rebuild": rebuild,
    "moved": moved,
    "memory": memory,
    **soak_courses.CHECKS,
    **soak_order.CHECKS,
    **soak_tap.CHECKS,
    **soak_answers.CHECKS,
    **soak_clinics.CHECKS,
}


def main() -> int:
    """Run some checks or all."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("checks", nargs="+", choices=[*CHECKS, "all"])
    parser.add_argument("--write", action="store_true", help="put the result into docs/soak.md")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--patients",
        type=int,
        default=10_000,
        help="of the clinic, for rebuild and moved",
    )
    parser.add_argument("--largest", type=int, default=200, help="patients of the largest, for clinics")
    parser.add_argument("--moves", type=int, default=6, help="how often the load is killed, for moved")
    parser.add_argument("--records", type=int, nargs="+", default=[20_000, 200_000])
    parser.add_argument("--courses", type=int, help="300 for drift, 200 for the others")
    parser.add_argument(
        "--minutes", type=float, default=float("inf"), help="the most that courses and answers may take"
    )
    parser.add_argument(
        "--keep",
        type=Path,
        help="where the folders of courses that went wrong are kept, and Airflow's logs for clinics",
    )
    parser.add_argument("--combinations", type=int, default=100, help="of random answers, for answers")
    parser.add_argument(
        "--no-single", dest="single", action="store_false", help="combinations only, for answers"
    )
    parser.add_argument("--tap-kills", type=int, default=50)
    parser.add_argument("--rows", type=int, default=100_000, help="for tap-budget")
    options = parser.parse_args()
    courses = options.courses
    failed = False
    for name in CHECKS if "all" in options.checks else options.checks:
        options.courses = courses or (300 if name == "drift" else 200)
        found = CHECKS[name](options)
        failed |= bool(found.wrong)
        console.print(f"\n[bold]{found.title}[/bold]", *found.text(), sep="\n", markup=True)
        if options.write:
            put_section(PAGE, found.title, found.text())
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
