"""However a run ends, what it leaves is complete: the page, the JSON, the refused records and the crosswalk."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest
from hl_loading import BIN

if TYPE_CHECKING:
    from collections.abc import Callable

    from hl_loading import Clinic, Loader

SCHEMA = Path(__file__).resolve().parents[2] / "docs" / "report.schema.json"
FILES = {"report.html", "report.json", "rejects.csv", "crosswalk.csv"}
MODES = ("load", "plan", "verify", "retry", "rollback")


@pytest.fixture
def loaded(highlevel: Callable[..., Loader], small_clinic: Clinic) -> Loader:
    """A small clinic in HighLevel, with one refused note so that there is something to try again."""
    loader = highlevel()
    small_clinic.restore(loader)
    refusal = {"status": 422, "body": {"message": "no"}}
    rule = {"match": {"method": "PUT", "path_regex": r"/notes/", "nth": [1]}, "action": "status", **refusal}
    loader.sandbox.highlevel.control.add_fault(rule)
    assert loader.load(changed(small_clinic.lines, "A title")).code == 4
    loader.sandbox.highlevel.control.clear_faults()
    return loader


def run(loader: Loader, mode: str, lines: list[str], **more: str) -> tuple[int, str]:
    """Run the target or a command to its end; return its exit code and its last line."""
    if mode in {"retry", "rollback"}:
        done = loader.tool(mode, *(["--yes"] if mode == "rollback" else []), **more)
        return done.returncode, done.stderr.rstrip().splitlines()[-1]
    again = loader.load(lines, MODE=mode, **more)
    return again.code, again.log.rstrip().splitlines()[-1]


def changed(lines: list[str], title: str = "Another title") -> list[str]:
    """Return the lines with another title for every note, so that a load has something to do."""
    found = []
    for line in lines:
        message = json.loads(line)
        if message["type"] == "RECORD" and message["stream"] == "treatment_notes":
            message["record"]["title"] = title
        found.append(json.dumps(message))
    return found


def runs(loader: Loader) -> dict[str, int | None]:
    """Return the exit code of each run that the ledger knows."""
    with closing(sqlite3.connect(loader.folder / "ledger.db")) as ledger:
        return dict(ledger.execute("select id, exit_code from run order by id").fetchall())


def newest(loader: Loader, code: int) -> dict[str, Any]:
    """Return the report of the newest run, which ended with this code; every run has all its files."""
    known = runs(loader)
    for one in known:
        assert {path.name for path in (loader.folder / "reports" / one).iterdir()} >= FILES, one
    last = max(known)
    assert known[last] == code
    report = json.loads((loader.folder / "reports" / last / "report.json").read_text(encoding="utf-8"))
    jsonschema.validate(report, json.loads(SCHEMA.read_text(encoding="utf-8")))
    assert report["exit_code"] == code
    return dict(report)


def test_a_highlevel_that_says_no(loaded: Loader, small_clinic: Clinic) -> None:
    """A dead token in the middle of any kind of run: its report is there and names the cause."""
    lines = changed(small_clinic.lines)
    refusal = {"action": "status", "status": 401, "body": {"statusCode": 401}}
    loaded.sandbox.highlevel.control.add_fault({"match": {"path_regex": "/notes"}, **refusal})
    for mode in MODES:
        ended, line = run(loaded, mode, lines)
        assert ended == 3, (mode, line)
        report = newest(loaded, 3)
        assert report["error"], mode
        assert report["error"] in line
        assert report["verdict"]["tone"] != "good"
    assert report["rollback"]["read_back"] is False
    assert "goes on from there" in report["verdict"]["sentence"]


def test_the_day_is_spent(loaded: Loader, small_clinic: Clinic) -> None:
    """A spent budget ends any kind of run with 75, with a report that says what goes on when."""
    lines = changed(small_clinic.lines)
    for mode in MODES:
        with closing(sqlite3.connect(loaded.folder / "ledger.db")) as ledger:
            spent = int(ledger.execute("select sum(requests) from budget").fetchone()[0])
        ended, line = run(loaded, mode, lines, REQUESTS_PER_DAY=str(spent + 9))
        assert ended == 75, (mode, line)
        report = newest(loaded, 75)
        assert "spent" in report["exit_meaning"]
        assert report["verdict"]["tone"] != "good"


@pytest.mark.parametrize("mode", ["load", "verify", "rollback"])
def test_a_signal_in_the_middle(loaded: Loader, small_clinic: Clinic, mode: str) -> None:
    """A run that is told to stop ends with 143 and leaves its report."""
    control = loaded.sandbox.highlevel.control
    control.add_fault({"match": {"path_regex": "/notes"}, "action": "slow", "delay": 1.0})
    control.reset_log()
    if mode == "rollback":
        command = [str(BIN / "highlevel-tools"), "rollback", "--yes"]
        started = subprocess.Popen(
            command, env=loaded.environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
    else:
        started = loaded.start(changed(small_clinic.lines), {"MODE": mode})
    while not any("/notes" in request.path for request in control.requests):
        assert started.poll() is None
        time.sleep(0.05)
    started.send_signal(signal.SIGTERM)
    _, log = started.communicate(timeout=60)
    assert started.returncode == 143, log[-2000:]
    assert newest(loaded, 143)["exit_meaning"].startswith("The run was interrupted")


def test_nobody_listens_any_more(loaded: Loader, small_clinic: Clinic) -> None:
    """Whoever took the bookmarks has died: the load says so by its code, and its report is written all the same."""
    source = loaded.folder / "deaf.singer"
    source.write_text("".join(f"{line}\n" for line in changed(small_clinic.lines)), encoding="utf-8")
    reading, writing = os.pipe()
    os.close(reading)
    with source.open("rb") as stdin:
        done = subprocess.run(
            [BIN / "target-highlevel", "--config", "ENV"],
            env=loaded.environment(),
            stdin=stdin,
            stdout=writing,
            stderr=subprocess.PIPE,
            check=False,
            timeout=60,
        )
    os.close(writing)
    assert done.returncode == 1
    assert newest(loaded, 1)["error"].startswith("nobody takes the states of this run any more")


def test_a_run_that_settings_stop(loaded: Loader, small_clinic: Clinic) -> None:
    """Wrong settings and refused credentials: either no run began, or it has its report."""
    lines = changed(small_clinic.lines)
    for name, value, code in (
        ("API_URL", "nonsense", 2),
        ("ACCESS_TOKEN", "two\nlines", 2),
        ("FALLBACK_OWNER", "nobody@example.org", 2),
        ("REQUIRE_APPROVED_PLAN", "true", 2),
        ("ACCESS_TOKEN", "pit-nobody", 3),
    ):
        before = runs(loaded)
        assert run(loaded, "load", lines, **{name: value})[0] == code, name
        if runs(loaded) != before:
            newest(loaded, code)


def test_a_rollback_of_a_run_that_never_was_begins_no_run(loaded: Loader) -> None:
    """Its id is wrong: nothing is begun, and the line says how to find the right one."""
    before = runs(loaded)
    done = loaded.tool("rollback", "--yes", "--run", "none")
    assert (done.returncode, runs(loaded)) == (2, before)
    assert "`runs` lists" in done.stderr
