"""Measure the load and the tap against the sandbox with the product's real limits. For `make bench`.

Prints a table; ends with 1 if a figure is not what it should be; ``--write`` puts it into docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from bench_writers import write_contacts
from measuring import (
    FASTER,
    ROOT,
    UNLIMITED,
    Loader,
    ReadyProcess,
    asked_of_records,
    clinic,
    labelled_fields,
    machine,
    seeded_duplicates,
    tap_lines,
    watch,
)
from pages_speed import slowest_answers
from rich.console import Console
from rich.table import Table
from tap_speed import compare, with_alerts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox import Sandbox

PAGE = ROOT / "docs" / "benchmarks.md"
LIMIT, WINDOW = 100, 10.0
ROWS = 100_000
LATENCIES = (0.1, 0.3, 1.0)
LEAST_USED = 0.96
LEAST_RATE = 10_000
MOST_TIMES = 1.15
MOST_GROWTH = 1.2
CLINICS = 3
#: Contacts that each writer creates, a few first: the difference is what they take without the start of a process.
FEW_CONTACTS, CONTACTS = 100, 1_100
TIMES_A_PLAIN_TAP = 1.5
MOST_MILLISECONDS, TAKEN_IN = 200, 30
#: Seconds that the load of the records of the unchanged run may take, its limiter off.
MOST_TIME = 3600
MEGABYTE, MOST_MEGABYTES = 1_000_000, 200
TOO_MANY = "429"
MOST_PATIENTS, ENTERED_TWICE, MOST_SECONDS = 10_000, 500, 10
LEAST_PRECISION, LEAST_RECALL, LEAST_FOUND = 0.99, 0.85, 0.95
CREATED = 201
_PER_PATIENT = 29  # records that the clinic holds for each patient
#: Loading one patient's records takes some thirty requests: a hundred patients make the 3,000 of the promise.
FEW_PATIENTS, ENOUGH_PATIENTS = 24, 100
#: Requests that make fields, objects, associations and the mark of the run: all other writes are records.
SET_UP = re.compile(r"(?i).*/custom-?(fields|values).*|/objects/(\{\w+\})?|/associations/")

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


def sub_accounts(options: argparse.Namespace) -> Iterator[Figure]:
    """Load three sub-accounts in one run, and one alone, at HighLevel's pace; compare the busiest's time per request."""
    patients = options.patients or FEW_PATIENTS
    pace: dict[int, float] = {}
    # of twice the patients the busiest of three gets about as much as one alone does
    for number, people in ((1, patients), (3, 2 * patients)):
        with (
            tempfile.TemporaryDirectory() as name,
            clinic(people, search_lag=0.2, extra_locations=number - 1) as sandbox,
        ):
            folder, state = Path(name), sandbox.highlevel.state
            lines = tap_lines(sandbox, folder)
            businesses, places = list(sandbox.cliniko.account.tables["businesses"]), list(state.accounts)
            own = dict(zip(businesses[1:], places[1:], strict=False))
            tokens = {place: state.location_tokens[place].value for place in places[1:]}
            settings = {"LOCATIONS": json.dumps(own), "ACCESS_TOKENS": json.dumps(tokens)}
            began = time.monotonic()
            process = Loader(sandbox, folder).start(lines, {**settings, "REQUESTS_PER_10S": str(LIMIT)})
            _, log = process.communicate()
            seconds = time.monotonic() - began
            _whole(process.returncode, log)
            busiest = max(state.bucket(place).used_today for place in places)
            pace[number] = seconds / busiest
            what = "one sub-account" if number == 1 else f"{number} sub-accounts in one run, the busiest"
            yield Figure(f"load of {what}, {busiest:,} requests", f"{seconds:.0f} s")
    ratio = pace[3] / pace[1]
    promise = f"at most {MOST_TIMES} times"
    yield Figure(
        "time of three, for as many requests each", f"{ratio:.2f} times", promise, ratio <= MOST_TIMES
    )


def clinics(options: argparse.Namespace) -> Iterator[Figure]:
    """Load one clinic alone, then several at once as their own runs: none may hold another up."""
    patients = options.patients or FEW_PATIENTS
    times = [_together(number, patients) for number in (1, CLINICS)]
    yield Figure(f"load of one clinic of {patients} patients", f"{times[0]:.0f} s")
    ratio = times[1] / times[0]
    promise = f"at most {MOST_TIMES} times"
    yield Figure(
        f"{CLINICS} of them at once, the slowest", f"{ratio:.2f} times", promise, ratio <= MOST_TIMES
    )


def _together(number: int, patients: int) -> float:
    """Return how long the slowest of so many loads takes that begin together, each of its own clinic."""
    with ExitStack() as stack:
        loads = []
        for _ in range(number):
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            sandbox = stack.enter_context(clinic(patients, search_lag=0.2))
            lines = tap_lines(sandbox, folder)
            sandbox.highlevel.control.latency = 0.3
            loads.append((Loader(sandbox, folder), lines))
        began = time.monotonic()
        processes = [loader.start(lines, {"REQUESTS_PER_10S": str(LIMIT)}) for loader, lines in loads]
        with ThreadPoolExecutor(number) as readers:
            logs = list(readers.map(lambda process: process.communicate()[1], processes))
        seconds = time.monotonic() - began
        for process, log in zip(processes, logs, strict=True):
            _whole(process.returncode, log)
        return seconds


def writers(_options: argparse.Namespace) -> Iterator[Figure]:
    """Create the same contacts with this target and with others, no limit on any, at two latencies."""
    for latency in (0.0, 0.3):
        few, many = (write_contacts(number, latency) for number in (FEW_CONTACTS, CONTACTS))
        for name, seconds in many.items():
            rate = (CONTACTS - FEW_CONTACTS) / (seconds - few[name])
            yield Figure(f"contacts created at {latency * 1000:.0f} ms by {name}", f"{rate:,.0f}/s")


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
            again = asked_of_records(sandbox, 0)
            yield Figure("requests for a record in a second, full read", str(again), "0", again == 0)


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
        with clinic(options.records // _PER_PATIENT + 1, **FASTER) as sandbox:
            lines = tap_lines(sandbox, folder)
            path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
            records = sum('"RECORD"' in line[:40] for line in lines)
            loader = Loader(sandbox, folder, process=ReadyProcess(MOST_TIME))
            loaded = loader.load(lines)
            _whole(loaded.code, loaded.log)
            before = len(sandbox.highlevel.control.requests)
            peaks = [watch(loader, path) for _ in range(2)]
            requests = asked_of_records(sandbox, before)
            nothing = folder / "nothing"
            nothing.write_text(
                "".join(f"{line}\n" for line in lines if '"RECORD"' not in line[:40]), encoding="utf-8"
            )
            idle = min(watch(loader, nothing).processor for _ in range(2))
            tenth = folder / "tenth"
            tenth.write_text("".join(_tenth(lines)), encoding="utf-8")
            smaller = watch(loader, tenth)
        fastest = min(peaks, key=lambda peak: peak.seconds)
        rate = records / fastest.seconds
        promise = f"at least {LEAST_RATE:,}/s"
        what = f"unchanged records of Cliniko, {records:,} with start and report"
        yield Figure(what, f"{rate:,.0f}/s")
        rate = records / (min(peak.processor for peak in peaks) - idle)
        what = f"by processor time, beside the {idle:.1f} s of start and report"
        yield Figure(what, f"{rate:,.0f}/s", promise, rate >= LEAST_RATE)
        yield Figure("requests for a record among them", str(requests), "0", requests == 0)
        held = fastest.memory / MEGABYTE
        yield Figure(
            "memory held at most", f"{held:.0f} MB", f"under {MOST_MEGABYTES} MB", held < MOST_MEGABYTES
        )
        growth = fastest.memory / smaller.memory
        promise = f"at most {MOST_GROWTH} times"
        yield Figure("against a tenth of the records", f"{growth:.2f} times", promise, growth <= MOST_GROWTH)


def _tenth(lines: list[str]) -> Iterator[str]:
    """Yield all messages but nine of ten records."""
    number = 0
    for line in lines:
        number += '"RECORD"' in line[:40]
        if '"RECORD"' not in line[:40] or number % 10 == 0:
            yield f"{line}\n"


def tap(_options: argparse.Namespace) -> Iterator[Figure]:
    """Read the same rows with this tap and with the plainest one the SDK allows, no limit on either."""
    with with_alerts(ROWS, requests_per_minute=0) as sandbox, tempfile.TemporaryDirectory() as folder:
        ours, theirs = compare(sandbox, Path(folder), ROWS)
    yield Figure(f"tap-cliniko, {ROWS:,} rows, limiter off", f"{ROWS / ours.seconds:,.0f} rows/s")
    ratio = theirs.seconds / ours.seconds
    yield Figure(
        "against a plain SDK tap", f"{ratio:.2f} times as fast", "at least 1.5", ratio >= TIMES_A_PLAIN_TAP
    )
    processor = theirs.processor / ours.processor
    yield Figure(
        "the same by processor time", f"{processor:.2f} times", "at least 1.5", processor >= TIMES_A_PLAIN_TAP
    )


def proposal(_options: argparse.Namespace) -> Iterator[Figure]:
    """Judge labelled fields of invented clinics, and count how often *high* is right and how many fields have it rightly."""
    kept = labelled_fields.proposed(labelled_fields.HELD_OUT)
    everything = (*(item for name in labelled_fields.SEEN for item in labelled_fields.proposed(name)), *kept)
    for what, found in (
        ("labelled fields", everything),
        ("fields held out while the rules were built", kept),
        ("fields written after the rules", labelled_fields.proposed(labelled_fields.AFTER_THE_RULES)),
    ):
        told = labelled_fields.score(found)
        named = f"{told.fields:,} {what}"
        precision, recall = f"at least {LEAST_PRECISION:.0%}", f"at least {LEAST_RECALL:.0%}"
        yield Figure(
            f"high is right, of {named}",
            f"{told.precision:.1%}",
            precision,
            told.precision >= LEAST_PRECISION,
        )
        clear = f"the {told.fields - told.unclear:,} clear ones"
        yield Figure(f"rightly high, of {clear}", f"{told.recall:.1%}", recall, told.recall >= LEAST_RECALL)
        places = told.recall_of_places
        yield Figure("the same of those with a fixed place", f"{places:.1%}", recall, places >= LEAST_RECALL)


def duplicates(_options: argparse.Namespace) -> Iterator[Figure]:
    """Look for patients that were entered twice among those of a large clinic."""
    began = time.monotonic()
    told = seeded_duplicates.measure(MOST_PATIENTS, ENTERED_TWICE, seed=1)
    seconds = time.monotonic() - began
    promise = f"at least {LEAST_FOUND:.0%}"
    what = f"{ENTERED_TWICE} of {MOST_PATIENTS:,} patients entered twice"
    yield Figure(f"found of {what}", f"{told.recall:.1%}", promise, told.recall >= LEAST_FOUND)
    yield Figure("pairs named that are such", f"{told.precision:.1%}")
    yield Figure("time for it", f"{seconds:.1f} s", f"under {MOST_SECONDS} s", seconds < MOST_SECONDS)


def console_pages(options: argparse.Namespace) -> Iterator[Figure]:
    """Open every page of the console while a load goes on, with all of the clinic in the ledger."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with clinic(options.records // _PER_PATIENT + 1) as sandbox:
            loader = Loader(sandbox, folder)
            process = loader.start(tap_lines(sandbox, folder), {"REQUESTS_PER_10S": str(LIMIT)})
            ledger = f"sqlite:///{folder}/ledger.db"
            variables = {
                "TARGET_HIGHLEVEL_LEDGER_URL": ledger,
                "TARGET_HIGHLEVEL_LOCATION_ID": sandbox.highlevel.location_id,
            }
            time.sleep(TAKEN_IN)
            slowest, known = slowest_answers(folder, variables)
            running = process.poll() is None
            process.kill()
            process.communicate()
        if not running:
            sys.exit("the load ended before the pages were measured: give it more records")
        page, seconds = max(slowest.items(), key=lambda item: item[1])
        what = f"slowest page of the console ({page}) while a load is running, ledger of {known:,} records"
        promise = f"at most {MOST_MILLISECONDS} ms"
        yield Figure(what, f"{seconds * 1000:.0f} ms", promise, seconds * 1000 <= MOST_MILLISECONDS)


PARTS = {
    "proposal": proposal,
    "duplicates": duplicates,
    "requests": requests_per_record,
    "unchanged": unchanged,
    "tap": tap,
    "budget": budget,
    "sub-accounts": sub_accounts,
    "clinics": clinics,
    "writers": writers,
    "console": console_pages,
}


def page(figures: list[Figure]) -> str:
    """Return the page of the documentation."""
    how = (
        "Measured by `make bench` against the sandbox of this repository, which sets HighLevel's real limits "
        "(100 requests in any 10 s); the target is the real process. Everything, sandbox included, ran on one "
        f"machine: {machine()}, {datetime.now(UTC):%Y-%m-%d}."
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
    parser.add_argument("--records", type=int, default=20_000, help="of the unchanged run")
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
