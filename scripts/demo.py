"""Show the whole job: a synthetic clinic moves out of a local Cliniko into a local HighLevel.

Started by `make demo`. Both APIs are real HTTP servers on loopback (`python -m sandbox`); everything else is
what a clinic would run. Ends with 0 only if every step did and every record is accounted for.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import requests
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from target_highlevel.report.wording import OUTCOMES, label, meaning, object_name, source_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ROOT = Path(__file__).resolve().parent.parent
DATA = ROOT / "data" / "sandbox"
LOGS = DATA / "logs"
MELTANO = Path(sys.executable).parent / "meltano"
# Whatever is set for a real clinic must not reach the demo, nor the demo the clinic.
PRIVATE_PREFIXES = ("TAP_CLINIKO", "TARGET_HIGHLEVEL", "MELTANO_")
#: Columns of the report, each with the word that its page has for it.
COLUMNS = {"source": "looked at", **OUTCOMES}
LINES_OF_A_FAILURE = 25
STOP_SECONDS = 10

console = Console(width=None if sys.stdout.isatty() else 130)


class DemoError(Exception):
    """A step did not do what it should; the text says which and where to look."""


@dataclass(frozen=True)
class Api:
    """One of the two servers of the sandbox: the API of the product and the controls beside it."""

    url: str
    access: Mapping[str, Any]

    def control(self, command: str, *, changes: Any = None) -> Any:
        """Ask the server what it saw, or, with `changes`, change its data as the clinic's staff would."""
        address = requests.compat.urljoin(self.url, f"/_sandbox/{command}")
        answer = requests.request("GET" if changes is None else "POST", address, json=changes, timeout=30)
        answer.raise_for_status()
        return answer.json()


@dataclass
class Demo:
    """What the steps share, and what they have seen so far."""

    cliniko: Api
    highlevel: Api
    environment: dict[str, str]
    reports: set[Path] = field(default_factory=set)
    failures: list[str] = field(default_factory=list)
    #: What a run was -> the folder of its report.
    pages: dict[str, str] = field(default_factory=dict)

    def expect(self, fact: object, otherwise: str) -> None:
        """Go on in any case, but let the demo fail at its end if this is not so."""
        if not fact:
            self.failures.append(otherwise)

    def meltano_run(self, *blocks: str) -> dict[str, Any]:
        """Run a pipeline and return its report."""
        self.pipeline(*blocks)
        return self.newest_report(blocks)

    def pipeline(self, *blocks: str) -> None:
        """Run Meltano; its log goes into a file, its newest line to the terminal."""
        log = LOGS / f"{time.strftime('%H%M%S')}-{blocks[-1]}.log"
        # The empty .env keeps the credentials of a real clinic out.
        command = [MELTANO, f"--env-file={os.devnull}", "--environment=sandbox", "run", *blocks]
        console.print(f"\n[bold]$ meltano --environment=sandbox run {' '.join(blocks)}[/bold]")
        began = time.monotonic()
        started = _started(command, self.environment, stderr=subprocess.STDOUT)
        with log.open("w", encoding="utf-8") as written, started as process:
            _follow(process, written, began)
            process.wait()
        if process.returncode:
            tail = log.read_text(encoding="utf-8").splitlines()[-LINES_OF_A_FAILURE:]
            message = "\n".join([*tail, f"meltano ended with {process.returncode}; the whole log: {log}"])
            raise DemoError(message)
        console.print(f"  {time.monotonic() - began:.0f} s")

    def newest_report(self, blocks: tuple[str, ...]) -> dict[str, Any]:
        """Return the report that the last pipeline wrote, with its folder under `folder`."""
        new = set((DATA / "reports").glob("*/report.json")) - self.reports
        if len(new) != 1:
            message = f"{' '.join(blocks)} wrote {len(new)} reports below {DATA / 'reports'}, not one"
            raise DemoError(message)
        self.reports |= new
        path = new.pop()
        report: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return {**report, "folder": str(path.parent)}

    def writes(self) -> int:
        """Return how many writing requests HighLevel has answered so far."""
        return int(self.highlevel.control("stats")["writes"])


def _follow(process: subprocess.Popen[str], written: Any, began: float) -> None:
    """Copy what Meltano says into the log and show its newest line while it runs."""
    with console.status("starting") as status:
        for line in process.stdout or ():
            written.write(line)
            newest = escape(line.strip()[: max(20, console.width - 20)])
            status.update(f"{time.monotonic() - began:4.0f} s  {newest}")


@contextmanager
def _started(
    command: list[Any], environment: Mapping[str, str], stderr: int | None = None
) -> Iterator[subprocess.Popen[str]]:
    """Start a process whose output can be read, and leave none behind however the block ends."""
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env=dict(environment),
        stdout=subprocess.PIPE,
        stderr=stderr,
        text=True,
        encoding="utf-8",
        errors="replace",
    )
    try:
        yield process
    finally:
        _end(process)


def _end(process: subprocess.Popen[str]) -> None:
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdout:
        process.stdout.close()


@contextmanager
def sandbox(patients: int, seed: int) -> Iterator[dict[str, Any]]:
    """Run the two servers as a process of their own and yield what it says about them."""
    command = [sys.executable, "-m", "sandbox", "--seed", str(seed), "--patients", str(patients)]
    command += ["--cliniko-port", "0", "--highlevel-port", "0"]
    with _started(command, os.environ) as process:
        line = process.stdout.readline() if process.stdout else ""
        if not line:
            message = "the sandbox did not start; see what it said above"
            raise DemoError(message)
        yield json.loads(line)


def sandbox_environment(addresses: Mapping[str, Any]) -> dict[str, str]:
    """Return the variables that the plugins need, and nothing that belongs to a real clinic."""
    cliniko, highlevel = addresses["cliniko"], addresses["highlevel"]
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(PRIVATE_PREFIXES)}
    return inherited | {
        "MELTANO_DATABASE_URI": f"sqlite:///{DATA / 'meltano.db'}",  # bookmarks go with the rest of a demo
        "MELTANO_SEND_ANONYMOUS_USAGE_STATS": "false",
        "NO_COLOR": "1",
        "TAP_CLINIKO_API_URL": cliniko["url"],
        "TAP_CLINIKO_API_KEY": cliniko["api_key"],
        "TAP_CLINIKO_CONTACT_EMAIL": "demo@example.org",
        "TAP_CLINIKO_LAG_SECONDS": "0",  # the changes of the demo are to be seen at once
        "TARGET_HIGHLEVEL_API_URL": highlevel["url"],
        "TARGET_HIGHLEVEL_ACCESS_TOKEN": highlevel["access_token"],
        "TARGET_HIGHLEVEL_AGENCY_TOKEN": highlevel["agency_token"],
        "TARGET_HIGHLEVEL_LOCATION_ID": highlevel["location_id"],
        "TARGET_HIGHLEVEL_FALLBACK_OWNER": highlevel["users"][-1]["email"],
        "TARGET_HIGHLEVEL_ACCEPT_REJECTS": "true",  # the clinic has some on purpose; they are listed below
    }


def _change_the_clinic(cliniko: Api) -> None:
    """Do what a morning at the practice does to the records."""
    tables = cliniko.control("dump")
    moving, leaving = _current(tables["patients"])[:2]
    called_off = _current(tables["individual_appointments"])[0]
    changes = [
        {"op": "update", "resource": "patients", "id": moving, "values": {"city": "Newtown"}},
        {"op": "archive", "resource": "patients", "id": leaving},
        {"op": "cancel", "resource": "individual_appointments", "id": called_off},
    ]
    console.print("\nIn Cliniko one patient moves house, another leaves, and an appointment is cancelled.")
    cliniko.control("mutate", changes=changes)


def _current(rows: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return the ids of the rows that Cliniko shows by default."""
    hidden = ("archived_at", "cancelled_at", "deleted_at", "merged_with_patient_id")
    return [identity for identity, row in rows.items() if not any(row.get(column) for column in hidden)]


def _show(report: Mapping[str, Any], title: str) -> None:
    """Print what became of the records of each list, and why some of them went no further."""
    table = Table(title=title, title_justify="left", title_style="bold")
    for name in ("in Cliniko", "in HighLevel"):
        table.add_column(name)
    for word in COLUMNS.values():
        table.add_column(word, justify="right")
    for row in report["objects"]:
        table.add_row(
            source_name(row["resource"]),
            object_name(row["object"]),
            *(str(row[name] or "") for name in COLUMNS),
        )
    table.add_section()
    table.add_row("all", "", *(str(report["totals"][name]) for name in COLUMNS))
    console.print(table)
    for row in report["objects"]:
        for outcome, reasons in row["reasons"].items():
            for reason, number in reasons.items():
                what, why = label(row["object"], row["resource"]), meaning(outcome, reason).says
                console.print(f"  {OUTCOMES[outcome]}: {number} of {what}. {why}", highlight=False)


def _load(demo: Demo, title: str) -> int:
    """Run the pipeline once, print what came of it, and return how many writes it took."""
    before = demo.writes()
    report = demo.meltano_run("tap-cliniko", "target-highlevel")
    writes = demo.writes() - before
    _show(report, f"{title}: {writes} writes")
    demo.expect(report["closes_to_zero"], f"{title}: not every record is accounted for")
    demo.pages[title] = report["folder"]
    return writes


def _requests_used(demo: Demo) -> None:
    table = Table(title="Requests", title_justify="left", title_style="bold")
    for name in ("API", "requests", "writes", "most in one window", "refused (429)", "broken rules"):
        table.add_column(name, justify="left" if name == "API" else "right")
    for name, api in (("Cliniko", demo.cliniko), ("HighLevel", demo.highlevel)):
        stats = api.control("stats")
        refused = stats["by_status"].get("429", 0)
        window = f"{stats['greatest_window']} in {stats['window_seconds']:.0f} s"
        cells = [stats["requests"], stats["writes"], window, refused, len(stats["violations"])]
        table.add_row(name, *(str(cell) for cell in cells))
        demo.expect(not refused, f"{name} refused {refused} requests as too many")
        demo.expect(not stats["violations"], f"{name} saw broken rules: {stats['violations'][:5]}")
    console.print(table)


def _steps(demo: Demo) -> None:
    _load(demo, "First run: the whole clinic")
    _change_the_clinic(demo.cliniko)
    demo.expect(_load(demo, "Second run: only what changed"), "the changes in Cliniko did not arrive")
    demo.expect(not _load(demo, "Third run: nothing to do"), "a run without changes wrote something")
    before = demo.writes()
    report = demo.meltano_run("tap-cliniko", "target-highlevel-verify")
    demo.expect(demo.writes() == before, "the verification wrote something")
    demo.expect(report["exit_code"] == 0, f"the verification ended with {report['exit_code']}")
    _show(report, "Verification: everything read back and compared")
    demo.pages["Verification: everything read back and compared"] = report["folder"]
    _requests_used(demo)
    console.print("\nThe reports: open the page in a browser.", highlight=False)
    for title, folder in demo.pages.items():
        console.print(f"  {title}\n    open {folder}/report.html", highlight=False, soft_wrap=True)


def _at_least_two(text: str) -> int:
    """Read the size of the clinic: one patient moves house, another leaves.

    Raises:
        ArgumentTypeError: it is too small, or no number.
    """
    if not text.isdecimal() or int(text) < 2:  # noqa: PLR2004 - as it says
        msg = "at least 2 patients"
        raise argparse.ArgumentTypeError(msg)
    return int(text)


def interrupted(signum: int, _frame: object) -> NoReturn:
    """Leave through every `finally`, so that the servers do not outlive the demo."""
    raise SystemExit(128 + signum)


def main() -> int:
    """Run the demo; 0 if everything arrived and all counts add up."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--patients", type=_at_least_two, default=40, help="size of the clinic (40)")
    parser.add_argument("--seed", type=int, default=1, help="which clinic (1)")
    options = parser.parse_args()
    for signum in (signal.SIGINT, signal.SIGTERM):
        signal.signal(signum, interrupted)
    shutil.rmtree(DATA, ignore_errors=True)
    LOGS.mkdir(parents=True, mode=0o700)
    DATA.chmod(0o700)
    try:
        with sandbox(options.patients, options.seed) as addresses:
            cliniko, highlevel = (
                Api(addresses[name]["url"], addresses[name]) for name in ("cliniko", "highlevel")
            )
            demo = Demo(cliniko, highlevel, sandbox_environment(addresses))
            _steps(demo)
    except (DemoError, requests.RequestException) as error:
        console.print(f"\n[red]The demo failed.[/red] {escape(str(error))}")
        return 1
    for failure in demo.failures:
        console.print(f"[red]Not as it should be:[/red] {escape(failure)}")
    return 1 if demo.failures else 0


if __name__ == "__main__":
    sys.exit(main())
