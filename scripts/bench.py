"""Measure the load and the tap against the sandbox with the product's real limits. For `make bench`.

Prints a table; ends with 1 if a figure is not what it should be; ``--write`` puts it into docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

from measuring import ROOT, UNLIMITED, Loader, clinic, machine, tap_lines, teach, watch
from rich.console import Console
from rich.table import Table
from tap_speed import compare, with_alerts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox import Sandbox

PAGE = ROOT / "docs" / "benchmarks.md"
LIMIT, WINDOW = 100, 10.0
ROWS = 20_000
LATENCIES = (0.3, 1.0)
LEAST_USED = 0.95
LEAST_RATE = 5_000
MEGABYTE, MOST_MEGABYTES = 1_000_000, 200
TOO_MANY = "429"
CREATED = 201
_PER_PATIENT = 29  # records that the clinic holds for each patient
#: Loading one patient's records takes some thirty requests: a hundred patients make the 3,000 of the promise.
FEW_PATIENTS, ENOUGH_PATIENTS = 24, 100
#: Requests that make fields, objects and associations: all other writes are records.
SET_UP = re.compile(r"(?i).*/custom-?fields.*|/objects/(\{\w+\})?|/associations/")

#: What the model needs at least for one new record of each kind: its own request and those of its relations.
NEEDED = {"patient": 3, "appointment": 1, "note": 1, "invoice": 2, "item": 2, "service": 1, "file": 1}
OBJECT = "custom_objects.cliniko_"
#: Kind -> (objects that make it up, keys of the relations it wants).
MADE_OF = {
    "patient": ([f"{OBJECT}patient_profile", "contacts"], ["cliniko_profile_contact"]),
    "appointment": (["tasks"], []),
    "note": (["notes"], []),
    "invoice": ([f"{OBJECT}invoice"], ["cliniko_invoice_contact"]),
    "item": ([f"{OBJECT}invoice_line_item"], ["cliniko_invoice_items"]),
    "service": ([f"{OBJECT}service"], []),
    "file": (["files"], []),
}

console = Console(width=None if sys.stdout.isatty() else 110)


@dataclass(frozen=True)
class Figure:
    """One line of the table; ``good`` is None where nothing was promised."""

    what: str
    measured: str
    promised: str = ""
    good: bool | None = None

    def cells(self) -> tuple[str, str, str, str]:
        """Return the line as text."""
        return self.what, self.measured, self.promised, {True: "yes", False: "NO", None: ""}[self.good]


def budget(options: argparse.Namespace) -> Iterator[Figure]:
    """Load a clinic at HighLevel's real pace and see how much of its budget is used."""
    patients = options.patients or ENOUGH_PATIENTS
    for latency in LATENCIES:
        with tempfile.TemporaryDirectory() as name, clinic(patients, search_lag=0.2) as sandbox:
            folder = Path(name)
            lines = tap_lines(sandbox, folder)
            sandbox.highlevel.control.latency = latency
            process = Loader(sandbox, folder).start(lines, {"REQUESTS_PER_10S": str(LIMIT)})
            _, log = process.communicate()
            _whole(process.returncode, log)
            stats = sandbox.highlevel.control.stats()
            used, number = _used(sandbox)
            at = f"at {latency * 1000:.0f} ms"
            promise = f"at least {LEAST_USED:.0%}"
            yield Figure(f"budget used {at}, {number:,} requests", f"{used:.1%}", promise, used >= LEAST_USED)
            greatest = stats["greatest_window"]
            yield Figure(
                f"greatest number in any 10 s {at}", str(greatest), f"at most {LIMIT}", greatest <= LIMIT
            )
            refused = stats["by_status"].get(TOO_MANY, 0)
            yield Figure(f"answers 429 {at}", str(refused), "0", refused == 0)


def _used(sandbox: Sandbox) -> tuple[float, int]:
    """Return the share of the budget used between the first and the last record written, and the requests."""
    seen = sandbox.highlevel.control.requests
    written = [item.at for item in seen if item.write and not SET_UP.fullmatch(item.route or item.path)]
    first, last = min(written), max(written)
    number = sum(first <= item.at <= last for item in seen)
    return (number - 1) / ((last - first) * LIMIT / WINDOW), number


def requests_per_record(options: argparse.Namespace) -> Iterator[Figure]:
    """Count what a new record of each kind costs, and what an unchanged one does."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        fast = {"burst_limit": UNLIMITED, "daily_limit": UNLIMITED}
        with clinic(options.patients or FEW_PATIENTS, search_lag=0.2, **fast) as sandbox:
            lines = tap_lines(sandbox, folder)
            loader = Loader(sandbox, folder)
            loaded = loader.load(lines)
            _whole(loaded.code, loaded.log)
            seen = sandbox.highlevel.control.requests
            yield from _costs(sandbox)
            extra = sum(item.status != CREATED for item in seen)
            yield Figure(
                "other requests of that load", f"{extra} of {len(seen):,} (set-up, duplicates refused)"
            )
            sandbox.highlevel.control.reset_log()
            loaded = loader.load(lines)
            _whole(loaded.code, loaded.log)
            again = len(sandbox.highlevel.control.requests)
            yield Figure("requests of an unchanged run", str(again), "0", again == 0)


def _whole(code: int, log: str) -> None:
    """A load that failed measures nothing."""
    if code not in {0, 4}:
        sys.exit(f"the load ended with {code}: {log[-2000:]}")


def _costs(sandbox: Sandbox) -> Iterator[Figure]:
    """Divide the requests that made the records of each kind by how many there are."""
    state = sandbox.highlevel.state
    sources = state.sources()
    tried = _attempts(sandbox)
    for kind, (objects, relations) in MADE_OF.items():
        main = sources.get(objects[0], {})
        cost = sum(tried[name] / max(1, len(sources.get(name, {}))) for name in objects)
        wanted = {item["id"]: item for item in state.associations.values() if item["key"] in relations}
        related = sum(item["associationId"] in wanted for item in state.relations.values())
        cost += related / max(1, len(main))
        good = cost <= NEEDED[kind]
        yield Figure(f"requests per new {kind} ({len(main)})", f"{cost:.2f}", str(NEEDED[kind]), good)


def _attempts(sandbox: Sandbox) -> dict[str, int]:
    """Return how many requests created something of each kind."""
    state = sandbox.highlevel.state
    paths = [(item.path, item.status) for item in sandbox.highlevel.control.requests if item.method == "POST"]
    ends = {"contacts": "/contacts/", "notes": "/notes", "tasks": "/tasks", "files": "/upload-custom-files"}
    tried = {
        kind: sum(status in {200, CREATED} and path.endswith(end) for path, status in paths)
        for kind, end in ends.items()
    }
    for kind in state.sources():
        if kind.startswith(OBJECT):
            tried[kind] = sum(path.endswith(f"/{kind}/records") for path, _ in paths)
    return tried


def unchanged(options: argparse.Namespace) -> Iterator[Figure]:
    """Run over records that HighLevel has already, as they are."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path = folder / "lines"
        with clinic(options.records // _PER_PATIENT + 1) as sandbox:
            lines = tap_lines(sandbox, folder)
        path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        records = sum('"RECORD"' in line[:40] for line in lines)
        with clinic(1) as sandbox:
            loader = Loader(sandbox, folder)
            teach(lines, f"sqlite:///{folder}/ledger.db", sandbox.highlevel.location_id)
            peaks = [watch(loader, path) for _ in range(2)]
            requests = len(sandbox.highlevel.control.requests)
        fastest = min(peaks, key=lambda peak: peak.seconds)
        rate = records / fastest.seconds
        promise = f"at least {LEAST_RATE:,}/s"
        what = f"unchanged records of Cliniko, {records:,} with start and report"
        yield Figure(what, f"{rate:,.0f}/s", promise, rate >= LEAST_RATE)
        yield Figure("the same by processor time", f"{records / fastest.processor:,.0f}/s")
        yield Figure("requests for them", str(requests), "0", requests == 0)
        held = fastest.memory / MEGABYTE
        yield Figure(
            "memory held at most", f"{held:.0f} MB", f"under {MOST_MEGABYTES} MB", held < MOST_MEGABYTES
        )


def tap(_options: argparse.Namespace) -> Iterator[Figure]:
    """Read the same rows with this tap and with the plainest one the SDK allows, no limit on either."""
    with with_alerts(ROWS, requests_per_minute=0) as sandbox, tempfile.TemporaryDirectory() as folder:
        ours, theirs = compare(sandbox, Path(folder), ROWS)
    yield Figure(f"tap-cliniko, {ROWS:,} rows, limiter off", f"{ROWS / ours.seconds:,.0f} rows/s")
    ratio = theirs.seconds / ours.seconds
    yield Figure("against a plain SDK tap", f"{ratio:.2f} times as fast", "at least 1", ratio >= 1)
    yield Figure("the same by processor time", f"{theirs.processor / ours.processor:.2f} times")


PARTS = {"requests": requests_per_record, "unchanged": unchanged, "tap": tap, "budget": budget}


def page(figures: list[Figure]) -> str:
    """Return the page of the documentation."""
    how = (
        "Measured by `make bench` against the sandbox of this repository, which sets HighLevel's real limits "
        "(100 requests in any 10 s); the target is the real process. Everything, sandbox included, ran on one "
        f"machine: {machine()}, {datetime.now(timezone.utc):%Y-%m-%d}."
    )
    lines = [
        "# Benchmarks",
        "",
        how,
        "",
        "| what | measured | promised | kept |",
        "| --- | --- | --- | --- |",
        *("| " + " | ".join(figure.cells()) + " |" for figure in figures),
    ]
    return "\n".join(lines) + "\n"


def main() -> int:
    """Measure all parts, or those asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], help="by default all")
    parser.add_argument("--patients", type=int, help="of the clinic that is loaded")
    parser.add_argument("--records", type=int, default=60_000, help="of the unchanged run")
    parser.add_argument("--write", action="store_true", help="put the table into docs/benchmarks.md")
    options = parser.parse_args()
    figures = []
    for name in options.parts or PARTS:
        for figure in PARTS[name](options):
            console.print(*figure.cells(), sep="  ", style=None if figure.good is not False else "red")
            figures.append(figure)
    table = Table("what", "measured", "promised", "kept", title=f"Benchmarks ({machine()})")
    for figure in figures:
        table.add_row(*figure.cells())
    console.print(table)
    if options.write:
        PAGE.write_text(page(figures), encoding="utf-8")
    return int(any(figure.good is False for figure in figures))


if __name__ == "__main__":
    sys.exit(main())
