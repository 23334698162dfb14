"""What becomes of a job that cannot start, or whose runner is killed, and what a page says when the disk is full."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import psutil
import pytest
from console_server import ENVIRONMENT, a_job, serving

from migration_console.jobs import Jobs
from migration_console.project import Project
from migration_console.reports import Reports
from migration_console.runner import ENDED, GROUP, JOB

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def jobs(tmp_path: Path) -> Jobs:
    """The jobs of a project."""
    project = Project(tmp_path, ENVIRONMENT, {})
    return Jobs(project, Reports(project.reports))


@pytest.fixture
def worker() -> Iterator[subprocess.Popen[bytes]]:
    """A process that goes on in a group of its own."""
    process = subprocess.Popen(["sleep", "60"], start_new_session=True)
    yield process
    process.kill()
    process.wait()


BEGAN = "2026-11-29T08:00:00Z"


def ran(folder: Path, program: str) -> int:
    """Run the job of a folder to its end, with another program."""
    described = json.loads((folder / JOB).read_text(encoding="utf-8"))
    described |= {"arguments": [program], "root": str(folder)}
    (folder / JOB).write_text(json.dumps(described), encoding="utf-8")
    command = [sys.executable, "-m", "migration_console.runner", str(folder)]
    return subprocess.run(command, check=False).returncode


@pytest.mark.process
def test_what_cannot_be_started_says_why(tmp_path: Path, jobs: Jobs) -> None:
    """It was not killed: there is no such program."""
    folder = a_job(tmp_path, "plan", BEGAN, None)
    assert ran(folder, "/nowhere/meltano") == 127
    (job,) = jobs.all()
    assert (job.state, job.code) == ("failed", 127)
    assert "/nowhere/meltano cannot be started (No such file or directory)" in job.said


@pytest.mark.process
def test_a_job_goes_on_without_its_runner(
    tmp_path: Path, jobs: Jobs, worker: subprocess.Popen[bytes]
) -> None:
    """It is running, keeps others from writing, and can be stopped; then it was killed."""
    folder = a_job(tmp_path, "load", BEGAN, None, writes=True)
    kept = {"group": worker.pid, "began": psutil.Process(worker.pid).create_time()}
    (folder / GROUP).write_text(json.dumps(kept), encoding="utf-8")
    (job,) = jobs.all()
    assert job.is_running
    assert jobs.writing() == job
    jobs.stop(job)
    deadline = time.monotonic() + 10
    while psutil.Process(worker.pid).status() != psutil.STATUS_ZOMBIE:  # ended, and nobody has asked how
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert [item.state for item in jobs.all()] == ["killed"]
    jobs.stop(job)


@pytest.mark.process
def test_the_number_of_a_group_may_be_somebody_elses(
    tmp_path: Path, jobs: Jobs, worker: subprocess.Popen[bytes]
) -> None:
    """After the machine was started anew: that process is left alone."""
    folder = a_job(tmp_path, "load", BEGAN, None, writes=True)
    (folder / GROUP).write_text(json.dumps({"group": worker.pid, "began": 1.0}), encoding="utf-8")
    (job,) = jobs.all()
    assert job.state == "killed"
    jobs.stop(job)
    assert worker.poll() is None


@pytest.mark.process
def test_the_runner_keeps_which_processes_work(tmp_path: Path) -> None:
    """For whoever stops the job when it is not there any more."""
    folder = a_job(tmp_path, "plan", BEGAN, None)
    assert ran(folder, "true") == 0
    assert json.loads((folder / ENDED).read_text(encoding="utf-8"))["code"] == 0
    assert json.loads((folder / GROUP).read_text(encoding="utf-8"))["group"] > 1


def test_a_folder_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    """On a page, with what to do: a full disk is nothing that the console could mend."""
    with serving(tmp_path) as served:
        browser = served.enter()
        in_the_way = tmp_path / "data" / ENVIRONMENT / "console"
        in_the_way.parent.mkdir(parents=True, exist_ok=True)
        in_the_way.write_text("", encoding="utf-8")
        answer = browser.post("sign", {"what": "go-live/points", "who": "Kim", "looked": "yes"})
        assert answer.status_code == 500
        assert str(in_the_way) in answer.text
        assert "make room on the disk" in answer.text
