"""How far a load is, in each sub-account of the run."""

from __future__ import annotations

import json
import re
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from console_server import a_job, serving
from filelock import FileLock
from hl_ledgers import Desk, contact

from migration_console.commands import COMMANDS
from migration_console.jobs import Job
from migration_console.live import Account, Kind, Live, Pace, Watcher
from migration_console.project import Project
from migration_console.runner import LOCK, LOG

if TYPE_CHECKING:
    from pathlib import Path


def watched(watcher: Watcher, job: Job | None) -> Live:
    """Return the first look that has seen something."""
    end = time.monotonic() + 60
    while not (live := watcher.look(job)).accounts:
        assert time.monotonic() < end
        time.sleep(0.01)
    return live


def load(began: float, folder: Path, command: str = "load") -> Job:
    """Return a load that was started then and goes on."""
    return Job("", COMMANDS[command], "", began, "running", None, None, folder, None)


def test_every_sub_account_of_a_run_is_shown(tmp_path: Path) -> None:
    """Each with its own counts, reasons and requests; the day's budget is that of the one that used most."""
    url = f"sqlite:///{tmp_path}/ledger.db"
    variables = {
        "TARGET_HIGHLEVEL_LEDGER_URL": url,
        "TARGET_HIGHLEVEL_LOCATION_ID": "main",
        "TARGET_HIGHLEVEL_LOCATIONS": json.dumps({"7": "north", "8": "main"}),
    }
    project = Project(tmp_path, "live", variables)
    assert project.sub_accounts == ("main", "north")
    for location, numbers, spent in (("main", (1, 2, 3), 5), ("north", (4, 5), 9)):
        desk = Desk.open(url, location)
        desk.take(*(contact(number) for number in numbers))
        desk.ledger.spend(f"{desk.ledger.now():%Y-%m-%dT%H}", spent)
        desk.work.reject(desk.row(f"contact:patients/{numbers[0]}"), "address_required")
        desk.ledger.close()
    said = "highlevel.progress done=1 total=3 rate=1.0/s time_left=2 min front_desk="
    (tmp_path / LOG).write_text(f"{said}3 min\n{said}can_work\nother\n", encoding="utf-8")
    live = watched(Watcher(project), load(time.time() - 60, tmp_path))
    assert live.front_desk == "can_work"
    assert [(account.location, account.total, account.spent_today) for account in live.accounts] == [
        ("main", 3, 5),
        ("north", 2, 9),
    ]
    assert [kind.refused for account in live.accounts for kind in account.kinds] == [1, 1]
    (refused,) = live.accounts[0].refused
    assert refused.count == 1
    assert refused.next_step
    assert live.most_spent == 9
    of_an_earlier_run = watched(Watcher(project), load(time.time() + 60, tmp_path))
    assert all(not account.kinds for account in of_an_earlier_run.accounts)


def test_the_pace_is_that_of_late() -> None:
    """What a load finds unchanged is settled at once, and would promise the end of the rest far too early."""
    pace = Pace("job")
    assert pace.at(0.0, 745) == 0.0
    assert pace.at(2.0, 760) == 0.0
    assert pace.at(10.0, 845) == 10.0
    assert [pace.at(moment, 845) for moment in (40.0, 60.0)] == [0.0, 0.0]
    kind = Kind("Notes", total=1000, done=845, held=100, refused=5)
    assert Account("main", (kind,), rate=10.0).seconds_left == 15.0
    assert Account("main", (kind,), rate=0.0).seconds_left is None


@pytest.fixture
def clinic(tmp_path: Path) -> Project:
    """A clinic whose ledger knows a load of two records, and after it a verification."""
    url = f"sqlite:///{tmp_path}/ledger.db"
    variables = {"TARGET_HIGHLEVEL_LEDGER_URL": url, "TARGET_HIGHLEVEL_LOCATION_ID": "main"}
    desk = Desk.open(url, "main")
    desk.take(contact(1), contact(2))
    desk.ledger.end_run(desk.ledger.begin_run("verify"), 0, {})
    desk.ledger.close()
    return Project(tmp_path, "live", variables)


def test_the_run_that_is_shown_is_the_jobs_own(clinic: Project, tmp_path: Path) -> None:
    """Not the newest of the ledger, whatever that is."""
    (account,) = watched(Watcher(clinic), load(time.time() - 60, tmp_path)).accounts
    assert account.total == 2
    retry = watched(Watcher(clinic), load(time.time() - 60, tmp_path, "retry"))
    assert retry.accounts[0].kinds == ()
    assert not retry.reads


def test_numbers_of_one_job_are_not_shown_for_the_next(clinic: Project, tmp_path: Path) -> None:
    """Until the ledger was looked into for that one."""
    watcher = Watcher(clinic)
    assert watched(watcher, load(time.time() - 60, tmp_path)).accounts[0].total == 2
    later = replace(load(time.time() + 60, tmp_path), id="another")
    assert watcher.look(later).accounts[0].total == 0
    assert watched(watcher, later).accounts[0].total == 0


def test_there_is_one_look_at_a_time(clinic: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where one takes longer than the time between two."""
    watcher, began, ends = Watcher(clinic), [], threading.Event()

    def slow(job: Job | None) -> Live:
        began.append(job)
        ends.wait(10)
        return Live()

    monkeypatch.setattr(watcher, "_now", slow)
    monkeypatch.setattr("migration_console.live._EVERY", -1.0)
    for _ in range(3):
        watcher.look(None)
    ends.set()
    assert len(began) == 1


def test_numbers_that_cannot_be_read_are_unknown(clinic: Project, tmp_path: Path) -> None:
    """Not those of before."""
    watcher = Watcher(clinic)
    assert watched(watcher, None).is_known
    for file in tmp_path.glob("ledger.db*"):
        file.unlink()
    (tmp_path / "ledger.db").write_text("no database", encoding="utf-8")
    deadline = time.monotonic() + 10
    while (seen := watcher.look(load(time.time(), tmp_path))).is_known:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert seen.most_spent is None


def test_without_a_ledger_nothing_is_known(tmp_path: Path) -> None:
    """And none is made by looking."""
    variables = {"TARGET_HIGHLEVEL_LOCATION_ID": "main", "TARGET_HIGHLEVEL_LOCATIONS": "["}
    assert Watcher(Project(tmp_path, "live", variables)).look(None).most_spent is None
    assert not list(tmp_path.rglob("ledger.db"))


@pytest.mark.parametrize(
    ("command", "page", "sentence", "progress"),
    [
        ("plan", "plan", "The plan is being made.", False),
        ("preview", "sample", "The preview is being made.", False),
        ("sample", "sample", "The sample is being loaded.", True),
        ("load", "load", "The load is running.", True),
        ("verify", "check", "Both sides are being compared.", False),
        ("probe-highlevel", "probe", "The sub-account is being measured.", False),
    ],
)
def test_a_page_says_what_runs(
    tmp_path: Path, command: str, page: str, sentence: str, *, progress: bool
) -> None:
    """And nothing else: neither that something is missing, nor what an earlier run has found."""
    folder = a_job(tmp_path, command, "2026-11-29T06:04:13Z", None)
    with FileLock(folder / LOCK), serving(tmp_path) as browser:
        shown = browser.enter().get(page).text
    assert re.findall(r"<h1>(.*?)</h1>", shown) == [sentence]
    assert ('<div data-live="progress">' in shown) is progress
