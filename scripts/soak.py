"""The long checks of the load: kills, a lost ledger, memory; others: `soak_courses.py`, `soak_tap.py`, `soak_answers.py`.

    python scripts/soak.py kills --kills 200
    python scripts/soak.py rebuild first-things --patients 10000
    python scripts/soak.py memory --records 20000 200000
    python scripts/soak.py writers restores clocks damage people --courses 200
    python scripts/soak.py drift tap-kills tap-budget
    python scripts/soak.py answers --combinations 100

Each prints what it found and ends with 1 if that is not what it should be; ``--write`` puts it into docs/soak.md.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import soak_answers
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

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox import Sandbox

PAGE = ROOT / "docs" / "soak.md"
COMPLETE = (0, 4)
KILLED = -9
KILLS_PER_LOAD = 4
_POLL = 0.005
_JITTER = 0.05
#: Of one load of the smaller size: `memory` at ten times the records may use this much of it.
MOST_GROWTH = 1.2
MOST_MEMORY = 200_000_000
MEGABYTE = 1_000_000
_PER_PATIENT = 27  # records that a clinic has at least for each patient

console = Console(width=None if sys.stdout.isatty() else 110)


# Kills


@dataclass(frozen=True)
class Whole:
    """What an undisturbed load leaves."""

    sources: dict[str, set[str]]
    relations: int
    requests: int


def kills(options: argparse.Namespace) -> Findings:
    """SIGKILL loads at random moments of all of their way, start them again, and compare what they leave in the end."""
    found = Findings("Loads killed at random moments")
    chance = random.Random(options.seed)  # noqa: S311 - moments that can be repeated, no secret
    done, loads, moments = 0, 0, Counter[str]()
    with tempfile.TemporaryDirectory() as attachments:
        lines, whole = _undisturbed(options.patients, Path(attachments))
        while done < options.kills:
            with tempfile.TemporaryDirectory() as folder, clinic(options.patients, **FASTER) as sandbox:
                loader = Loader(sandbox, Path(folder))
                delays = [chance.random() for _ in range(min(KILLS_PER_LOAD, options.kills - done))]
                struck, wrong = _killed_load(loader, lines, whole, delays)
            moments.update(struck)
            done, loads = moments.total(), loads + 1
            found.wrong += [f"load {loads}: {text}" for text in wrong]
            console.print(f"{done} kills, {loads} loads, {len(found.wrong)} wrong")
    found.facts = {
        "clinic": f"{options.patients} patients, {sum(len(ids) for ids in whole.sources.values())} things in HighLevel",
        "kills (SIGKILL)": f"{done} in {loads} loads, seed {options.seed}",
        "moments": ", ".join(f"{number} {name}" for name, number in sorted(moments.items())),
        "lost or doubled": str(len(found.wrong)),
    }
    return found


def _undisturbed(patients: int, folder: Path) -> tuple[list[str], Whole]:
    with clinic(patients, **FASTER) as sandbox:
        lines = tap_lines(sandbox, folder)
        Loader(sandbox, folder).load(lines)
        return lines, Whole(*_left(sandbox), len(sandbox.highlevel.control.requests))


def _left(sandbox: Sandbox) -> tuple[dict[str, set[str]], int]:
    state = sandbox.highlevel.state
    return {kind: set(ids) for kind, ids in state.sources().items()}, len(state.relations)


def _killed_load(
    loader: Loader, lines: list[str], whole: Whole, delays: list[float]
) -> tuple[list[str], list[str]]:
    """Kill one load after each of these delays, then let it end; return when the kills struck and what is wrong then."""
    state: str | None = None
    struck = []
    for number, delay in enumerate(delays):
        seen = loader.sandbox.highlevel.control.requests
        ahead = max(0, whole.requests - len(seen)) / (
            len(delays) - number + 1
        )  # each kill has its share of the way
        moment = len(seen) + int(2 * ahead * delay)
        process = loader.start(after_state(lines, state))
        while process.poll() is None and len(seen) < moment:
            time.sleep(_POLL)
        time.sleep(delay * _JITTER)
        process.kill()
        output, _log = process.communicate()
        state = output.splitlines()[-1] if output.strip() else state
        if process.returncode == KILLED:
            struck.append(_quarter(len(seen), whole.requests))
    ended = loader.load(after_state(lines, state))
    return struck, _wrong(loader, ended.code, ended.report, whole)


def _quarter(seen: int, whole: int) -> str:
    """Return how far a load had come, by the requests HighLevel had seen."""
    return f"in quarter {min(4, 1 + 4 * seen // whole)}" if seen else "before the first request"


def _wrong(loader: Loader, code: int, report: dict[str, Any], whole: Whole) -> list[str]:
    sandbox = loader.sandbox
    sources, relations = _left(sandbox)
    checks = {
        f"exit {code}": code in COMPLETE,
        f"doubled {sandbox.highlevel.state.doubles()}": not sandbox.highlevel.state.doubles(),
        "something lost or too many": sources == whole.sources,
        f"{relations} relations, not {whole.relations}": relations == whole.relations,
        "a rule of the API was broken": not sandbox.highlevel.control.stats()["violations"],
        "the report does not close": report.get("closes_to_zero"),
    }
    return [text for text, good in checks.items() if not good]


# Rebuild


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
    "kills": kills,
    "rebuild": rebuild,
    "memory": memory,
    **soak_courses.CHECKS,
    **soak_order.CHECKS,
    **soak_tap.CHECKS,
    **soak_answers.CHECKS,
}


def main() -> int:
    """Run some checks or all."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("checks", nargs="+", choices=[*CHECKS, "all"])
    parser.add_argument("--write", action="store_true", help="put the result into docs/soak.md")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--patients", type=int, help="of the clinic: 12 for kills, 10,000 for rebuild")
    parser.add_argument("--records", type=int, nargs="+", default=[20_000, 200_000])
    parser.add_argument("--courses", type=int, help="300 for drift, 200 for the others")
    parser.add_argument(
        "--minutes", type=float, default=float("inf"), help="the most that courses and answers may take"
    )
    parser.add_argument("--keep", type=Path, help="where the folders of courses are kept that went wrong")
    parser.add_argument("--combinations", type=int, default=100, help="of random answers, for answers")
    parser.add_argument("--tap-kills", type=int, default=50)
    parser.add_argument("--rows", type=int, default=100_000, help="for tap-budget")
    options = parser.parse_args()
    patients, courses = options.patients, options.courses
    failed = False
    for name in CHECKS if "all" in options.checks else options.checks:
        options.courses = courses or (300 if name == "drift" else 200)
        options.patients = patients or (12 if name == "kills" else 10_000)
        found = CHECKS[name](options)
        failed |= bool(found.wrong)
        console.print(f"\n[bold]{found.title}[/bold]", *found.text(), sep="\n", markup=True)
        if options.write:
            put_section(PAGE, found.title, found.text())
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
