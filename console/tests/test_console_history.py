"""What the ledger knows goes before what happens to lie in the folder of reports."""

from __future__ import annotations

import json
import os
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from console_server import ENVIRONMENT, Browser, a_job, a_report, serving

from migration_console.commands import COMMANDS
from migration_console.history import History
from migration_console.project import Project
from migration_console.requests import Options
from migration_console.runner import LOG
from migration_console.steps import STEPS, State
from target_highlevel.ledger.ledger import Ledger

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from migration_console.steps import Step

MAIN, NORTH = "main-location", "north-location"
ACCOUNTS = {
    "TARGET_HIGHLEVEL_LOCATION_ID": MAIN,
    "TARGET_HIGHLEVEL_LOCATIONS": json.dumps({"7": NORTH}),
}
PLAN, BESIDE, NEWER = (
    "20261129T060413.889482Z-73d4b5",
    "20261129T060413.889482Z-9e01aa",
    "20261129T080413.889482Z-73d4b5",
)


@contextmanager
def ledger_of(root: Path, location: str = MAIN) -> Iterator[Ledger]:
    """Open the clinic's ledger."""
    project = Project(root, ENVIRONMENT, {})
    project.data.mkdir(parents=True, exist_ok=True)
    ledger = Ledger(project.ledger_url, location)
    try:
        yield ledger
    finally:
        ledger.close()


def ran(root: Path, mode: str, code: int | None = 0, location: str = MAIN, **report: Any) -> str:
    """Have the ledger know a run, which no report of the folder tells of; return its id."""
    with ledger_of(root, location) as ledger:
        run = ledger.begin_run(mode)
        if code is not None:
            ledger.end_run(run, code, {"report": report})
    return run


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Browser]:
    """A browser inside, before a clinic with two sub-accounts."""
    with serving(tmp_path, **ACCOUNTS) as served:
        yield served.enter()


def step(browser: Browser, key: str) -> Step:
    """Return how a step stands."""
    return next(item for item in browser.clinic.steps() if item.key == key)


def test_a_plan_is_approved_when_the_ledger_says_so(browser: Browser, tmp_path: Path) -> None:
    """Of that plan, in every sub-account, wherever somebody approved it; whatever jobs and reports say."""
    for run, location in ((PLAN, MAIN), (BESIDE, NORTH)):
        approval = {"digest": f"digest of {location}", "approved": True}
        plan = {"blockers": [], "approval": approval}
        a_report(tmp_path, run, mode="plan", plan=plan, location_id=location)
    a_job(tmp_path, "approve", "2026-11-29T07:00:00Z", line=f"meltano … --run {PLAN}")
    assert step(browser, "approve").state is State.NEEDS_YOU
    for location, is_all in ((MAIN, False), (NORTH, True)):
        with ledger_of(tmp_path) as ledger:
            ledger.remember(f"approved:{location}", f"digest of {location}")
        browser.clinic.look()
        assert browser.clinic.approved is is_all
    plan = {"blockers": [], "approval": {"digest": "another", "approved": False}}
    a_report(tmp_path, NEWER, mode="plan", plan=plan, location_id=MAIN)
    assert not browser.clinic.approved


def test_nobody_has_signed_what_was_not_started(browser: Browser, tmp_path: Path) -> None:
    """When another job is writing, the approval is not begun, and no name stands under it."""
    a_report(
        tmp_path, PLAN, mode="plan", plan={"blockers": [], "approval": {"digest": "0"}}, location_id=MAIN
    )
    running = datetime.now(UTC) + timedelta(seconds=60)
    folder = a_job(tmp_path, "load", f"{running:%Y-%m-%dT%H:%M:%SZ}", None, writes=True)
    (folder / LOG).unlink()  # it is just starting
    answer = browser.post("start/approve", {"what": f"plan/{PLAN}", "who": "Kim Lee"})
    assert answer.status_code == 409
    assert browser.clinic.signatures.all() == {}


def test_reports_of_another_sub_account_are_nobodys_here(browser: Browser, tmp_path: Path) -> None:
    """They lie in the folder since the setting was another one."""
    a_report(tmp_path, PLAN, location_id="of the trial")
    assert step(browser, "load").state is State.NOT_STARTED
    a_report(tmp_path, BESIDE, location_id=NORTH)
    assert step(browser, "load").state is State.DONE
    assert [item.id for item in browser.clinic.reports.all()] == [BESIDE]


def test_a_run_without_a_report_here_counts(browser: Browser, tmp_path: Path) -> None:
    """As the ledger tells of it: it ran on another machine, or was killed."""
    run = ran(tmp_path, "load", 4)
    found = step(browser, "load")
    assert found.state is State.NEEDS_YOU
    for key, _, _ in STEPS:
        assert browser.get(key).status_code == 200, key
    assert f"target-highlevel:report --run {run}" in browser.get("load").text
    assert f"reports/{run}" not in browser.get("runs").text
    ran(tmp_path, "load", None)
    assert step(browser, "load").why == "It has not ended: it goes on, or it was killed."
    ran(tmp_path, "load")
    assert step(browser, "load").state is State.DONE
    ran(tmp_path, "rollback", None)
    assert step(browser, "load").state is State.NEEDS_YOU
    for key, _, _ in STEPS:
        assert browser.get(key).status_code == 200, key


@pytest.mark.parametrize(
    ("mode", "code", "holds"),
    [("load", 0, False), ("verify", 5, False), ("load", None, False), ("rollback", None, False)],
)
def test_an_answer_ends_with_the_next_run_of_the_ledger(
    browser: Browser, tmp_path: Path, mode: str, code: int | None, *, holds: bool
) -> None:
    """Also where no report of it lies here, and where it has not ended."""
    ran(tmp_path, "load", None)  # killed, and gone over by the next
    ran(tmp_path, "load")
    asked = datetime.now(UTC) + timedelta(seconds=2)
    a_job(tmp_path, "go-live", f"{asked:%Y-%m-%dT%H:%M:%SZ}")
    browser.clinic.look()
    assert browser.clinic.answer is not None
    with ledger_of(tmp_path, NORTH) as ledger:
        run = ledger.begin_run(mode, asked + timedelta(seconds=5))
        if code is not None:
            ledger.end_run(run, code, {})
    browser.clinic.look()
    assert (browser.clinic.answer is not None) is holds


def test_a_page_waits_for_no_run_that_is_writing(tmp_path: Path) -> None:
    """A load takes in many records in one step; whoever only looks neither waits for its end nor holds it up."""
    ran(tmp_path, "plan")
    with ledger_of(tmp_path) as ledger, ledger.transaction():
        ledger.remember("approved:somewhere", "written")
        history = History.of(Project(tmp_path, ENVIRONMENT, ACCOUNTS))
    assert history.is_known
    assert [run["mode"] for run in history.runs] == ["plan"]


def test_a_ledger_that_cannot_be_read_answers_nothing(tmp_path: Path) -> None:
    """The pages open all the same."""
    a_job(tmp_path, "go-live", "2026-11-29T08:00:00Z")
    with serving(tmp_path, **ACCOUNTS, TARGET_HIGHLEVEL_LEDGER_URL="nothing://") as served:
        assert served.enter().get("go-live").status_code == 200
        assert served.clinic.answer is None


BEGAN = "2026-11-29T08:04:13Z"  # it takes a second


@pytest.mark.parametrize(
    ("report", "own"),
    [
        ({}, True),
        ({"mode": "verify"}, False),
        ({"sample": {"patients": 3}}, False),
        ({"started_at": "2026-11-29T08:04:12Z"}, False),
        ({"ended_at": "2026-11-29T08:04:15Z"}, False),
        ({"location_id": "of the trial"}, False),
    ],
)
@pytest.mark.parametrize("code", [0, None])
def test_a_job_shows_the_report_of_its_own_run(
    browser: Browser, tmp_path: Path, report: dict[str, Any], code: int | None, *, own: bool
) -> None:
    """Not that of another one that ran meanwhile, nor of one that ended after it had been killed."""
    a_report(tmp_path, NEWER, **{"location_id": MAIN, **report})
    folder = a_job(tmp_path, "load", BEGAN, code)
    died = datetime.fromisoformat(BEGAN).timestamp() + 1
    os.utime(folder / LOG, times=(died, died))
    (job,) = browser.clinic.jobs.all()
    assert job.report == (NEWER if own else None)


def test_of_a_job_in_several_sub_accounts_the_report_that_needs_most(
    browser: Browser, tmp_path: Path
) -> None:
    """As everywhere."""
    for suffix, location, code in (("73d4b5", MAIN, 0), ("9e01aa", NORTH, 4), ("b00000", MAIN, 0)):
        a_report(tmp_path, f"20261129T080413.889482Z-{suffix}", exit_code=code, location_id=location)
    a_job(tmp_path, "load", BEGAN)
    (job,) = browser.clinic.jobs.all()
    assert job.report == "20261129T080413.889482Z-9e01aa"


def test_the_handover_is_of_all_runs_since_a_day_and_can_be_opened(browser: Browser, tmp_path: Path) -> None:
    """A run has another id in every sub-account; the day is the same."""
    a_report(tmp_path, PLAN, location_id=MAIN)
    options = Options.of(COMMANDS["handover"], {"run": PLAN}, browser.clinic)
    assert options.arguments == ("--since", "2026-11-29")
    name = f"{PLAN}--{NEWER}"
    more = {"kind": "window", "from": BEGAN, "to": BEGAN, "location_id": NORTH}
    a_report(tmp_path, name, **more)
    page = browser.get("runs").text
    assert f"reports/{name}/report.html" in page
    assert NORTH in page
    assert browser.get(f"reports/{name}/report.html").status_code == 200
    assert browser.get(f"reports/{PLAN}--../report.html").status_code == 404


def test_what_is_undone_is_named_by_its_sub_account(browser: Browser, tmp_path: Path) -> None:
    """A run of several is undone in each of them."""
    for run, location in ((PLAN, MAIN), (BESIDE, NORTH)):
        a_report(tmp_path, run, location_id=location, totals=_WROTE)
    page = browser.get("undo").text
    assert f"sub-account {MAIN}" in page
    assert f"sub-account {NORTH}" in page


_COUNTS = dict.fromkeys(("source", "created", "updated", "unchanged", "filtered", "held", "rejected"), 0)
_WROTE = _COUNTS | {"created": 2}


def test_a_run_that_wrote_nothing_is_not_offered_to_be_undone(browser: Browser, tmp_path: Path) -> None:
    """A load after a sample of everybody finds nothing to do: the sample is what can be taken back."""
    a_report(tmp_path, PLAN, totals=_WROTE, sample={"patients": 3})
    a_report(tmp_path, NEWER)
    page = browser.get("undo").text
    assert f'<option value="{PLAN}" selected>' in page
    assert f'<option value="{NEWER}"' not in page


def test_the_page_stays_at_the_run_whose_undo_was_shown(browser: Browser, tmp_path: Path) -> None:
    """After the job has ended the page is read anew, and its address names no run."""
    for run in (PLAN, NEWER):
        a_report(tmp_path, run, totals=_WROTE)
    assert f'<option value="{NEWER}" selected>' in browser.get("undo").text
    a_job(
        tmp_path,
        "undo-plan",
        "2026-11-29T23:00:00Z",
        said=f"Undoing run {PLAN} would:\n",
        line=f"--run {PLAN}",
    )
    page = browser.get("undo").text
    assert f'<option value="{PLAN}" selected>' in page
    assert "3. Undo it" in page


@pytest.mark.parametrize(
    ("question", "answer", "told"),
    [
        ("task_length", "unlimited", "no limit up to 20,001 characters"),
        ("task_length", "5000", "5,000 characters"),
        ("options_per_field", "unlimited", "no limit up to 250 options"),
        ("options_per_field", "50", "50 options"),
    ],
)
def test_a_probe_tells_no_more_than_it_has_tried(
    browser: Browser, tmp_path: Path, question: str, answer: str, told: str
) -> None:
    """Nobody has tried texts or lists without end."""
    folder = tmp_path / "data" / "sandbox" / "reports" / "probe-20261121T080000.000000Z"
    folder.mkdir(parents=True)
    answers = [{"question": question, "answer": answer, "evidence": "seen"}]
    (folder / "probe.json").write_text(json.dumps({"answers": answers}), encoding="utf-8")
    assert f">{told}</td>" in browser.get("probe").text


def test_what_the_newest_probe_measured_is_shown(browser: Browser, tmp_path: Path) -> None:
    """Each probe leaves a folder beside the reports; one that measured nothing takes no earlier answer away."""
    assert "Nothing has been measured yet." in browser.get("probe").text
    for day, answer in ((1, "old"), (2, "wrapped"), (3, "")):
        folder = tmp_path / "data" / "sandbox" / "reports" / f"probe-2026112{day}T080000.000000Z"
        folder.mkdir(parents=True)
        answers = [{"question": "list_shape", "answer": answer, "evidence": "seen"}] if answer else []
        (folder / "probe.json").write_text(json.dumps({"answers": answers}), encoding="utf-8")
    page = browser.get("probe").text
    assert "This sub-account has been measured." in page
    assert ">wrapped</td>" in page
    assert "Are lists of associations and relations wrapped in an object?" in page
