"""Clinics in a real Airflow on a real PostgreSQL; run by `make orchestrate-test`.

Three have a sandbox each, and one of them is refused by HighLevel. Of a fourth one the database is not where the file says. The
process that loads one of them is killed as the first contact is about to be made.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import threading
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from agency import AIRFLOW, Agency
from airflow_server import running_airflow
from fresh_project import RAISED, quick_sandbox
from postgres_server import programs, running_postgres

from many_clinics.running import lock

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_server import Airflow

    from sandbox.control import Request

NAMES = ("north", "south", "west")
REFUSED = "west"
UNKNOWN = "east"
KILLED = "south"

pytestmark = [
    pytest.mark.airflow,
    pytest.mark.timeout(1800),
    pytest.mark.skipif(
        not AIRFLOW.exists(), reason="Airflow is not installed: make orchestrate-test installs it"
    ),
    pytest.mark.skipif(programs() is None, reason="no PostgreSQL here, and none can be installed"),
]


class Troubled(Agency):
    """Clinics of which one is refused by HighLevel, and another one whose database is not where the file says."""

    def _entries(self) -> list[dict[str, Any]]:
        entry = self._entry(REFUSED)
        entry["settings"]["TARGET_HIGHLEVEL_LOCATION_ID"] = "another"
        database = f"connection:{UNKNOWN}_database"
        return [
            *super()._entries(),
            {**entry, "name": UNKNOWN, "database": database, "cliniko_user": UNKNOWN},
        ]

    def _token(self, name: str) -> str:
        return "revoked" if name == REFUSED else super()._token(name)


class Killing:
    """Kills the task that loads a clinic, as the kernel does when memory runs out: it has no time to end what it started."""

    def __init__(self, agency: Agency) -> None:
        """Wait for the first contact; of several that come together, one."""
        self._lock = str(
            lock(next(item for item in agency.clinics().clinics if item.name == KILLED), agency.folder)
        )
        self._first = threading.Lock()
        self._group = ""
        agency.sandboxes[KILLED].highlevel.control.before_request(self._before)

    def _before(self, _number: int, request: Request) -> None:
        is_one = (request.method, request.path) == ("POST", "/contacts/")
        if is_one and self._first.acquire(blocking=False):
            (guard,) = (words for words in processes() if self._lock in words)
            (self._group,) = (words[0] for words in processes() if words[1] == guard[0])
            os.kill(int(guard[1]), signal.SIGKILL)

    def left(self) -> list[list[str]]:
        """Return what still lives of that load."""
        assert self._group
        return [words for words in processes() if words[2] == self._group and words[3][0] != "Z"]


def processes() -> list[list[str]]:
    """Return id, parent, group, state and command of every process."""
    listed = subprocess.check_output(["ps", "-ww", "-eo", "pid=,ppid=,pgid=,stat=,args="], text=True)
    return [line.split() for line in listed.splitlines()]


class Story:
    """What happened: each clinic's first run, the summary, and a second run of one clinic on a worker that is new to it."""

    def __init__(self, agency: Agency, airflow: Airflow) -> None:
        """Run it."""
        self.agency = agency
        agency.confide(airflow)
        killing = Killing(agency)
        dags = {f"clinic_{name}" for name in (*NAMES, UNKNOWN)}
        airflow.wait_for_dags({*dags, "clinics_summary"})
        runs = {dag: airflow.begin(dag) for dag in sorted(dags)}
        self.states = airflow.wait_for(runs, 900)
        self.left = killing.left()
        self.tasks = {dag: airflow.tasks(dag, run) for dag, run in runs.items()}
        self.writes = {
            name: box.highlevel.control.stats()["writes"] for name, box in agency.sandboxes.items()
        }
        summary = {"clinics_summary": airflow.begin("clinics_summary")}
        self.states |= airflow.wait_for(summary, 300)
        self.summary = agency.folder.joinpath("data/clinics/summary.md").read_text(encoding="utf-8")
        shutil.rmtree(agency.folder / "data" / "north")  # another worker has none of it
        again = {"clinic_north": airflow.again("clinic_north")}
        self.moved = airflow.wait_for(again, 300)["clinic_north"]
        self.moved_tasks = airflow.tasks("clinic_north", again["clinic_north"])
        self.moved_writes = (
            agency.sandboxes["north"].highlevel.control.stats()["writes"] - self.writes["north"]
        )
        self.logs = airflow.logs()


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    """The one run of Airflow that all tests look at."""
    folder = tmp_path_factory.mktemp("agency")
    with ExitStack() as stack:
        server = stack.enter_context(running_postgres())
        sandboxes = {
            name: stack.enter_context(quick_sandbox(5, seed=number)) for number, name in enumerate(NAMES, 1)
        }
        agency = Troubled(folder, server, sandboxes, RAISED, retries=1)
        home = tmp_path_factory.mktemp("airflow")
        database = server.url(server.new_database(), driver="postgresql+psycopg2")
        yield Story(agency, stack.enter_context(running_airflow(AIRFLOW, home, database, agency.variables())))


def test_the_clinics_are_planned_loaded_and_verified(story: Story) -> None:
    """The first run of a clinic does all of it; what is not due is skipped."""
    done = dict.fromkeys(("begin", "plan", "load", "verify", "report"), ("success", 1))
    for name in set(NAMES) - {REFUSED}:
        assert story.states[f"clinic_{name}"] == "success"
        states = {task: how for task, how in story.tasks[f"clinic_{name}"].items() if task != "delta"}
        assert states == (done | {"load": ("success", 2)} if name == KILLED else done)
        assert story.tasks[f"clinic_{name}"]["delta"][0] == "skipped"
        assert story.writes[name] > 50


def test_a_load_whose_task_is_killed_leaves_nothing_running_and_is_tried_again(story: Story) -> None:
    """The second try meets neither a process nor a lock of the first, and makes nothing twice."""
    assert story.left == []
    highlevel = story.agency.sandboxes[KILLED].highlevel
    assert highlevel.state.doubles() == {}
    assert highlevel.control.stats()["violations"] == []


def test_the_one_that_is_refused_stops_at_once(story: Story) -> None:
    """A refused token is not tried again, and the run of the clinic has failed."""
    assert story.states[f"clinic_{REFUSED}"] == "failed"
    tasks = story.tasks[f"clinic_{REFUSED}"]
    assert tasks["plan"] == ("failed", 1)
    assert {tasks[name][0] for name in ("load", "verify")} == {"upstream_failed"}
    assert story.writes[REFUSED] == 0


def test_one_without_its_secrets_stops_before_it_begins(story: Story) -> None:
    """Nothing is asked of anybody, and it is not tried again."""
    assert story.states[f"clinic_{UNKNOWN}"] == "failed"
    assert story.tasks[f"clinic_{UNKNOWN}"]["begin"] == ("failed", 1)
    assert story.tasks[f"clinic_{UNKNOWN}"]["report"][0] == "success"


def test_the_summary_says_how_all_are_and_why(story: Story) -> None:
    """What needs somebody comes first, with the code and the program's own words."""
    assert story.states["clinics_summary"] == "success"
    assert story.summary.startswith("4 clinics: 2 failed, 2 complete\n")
    rows = [line for line in story.summary.splitlines() if line.startswith("| ")][2:]
    assert [row.split(" | ")[:4] for row in rows] == [
        ["| east", "failed", "begin", "2"],
        ["| west", "failed", "plan", "3"],
        ["| north", "complete", "verify", "0"],
        ["| south", "complete", "verify", "0"],
    ]
    assert "connection:east_database is not there" in rows[0]
    assert "credentials refused" in rows[1]


def test_a_clinic_goes_on_on_another_worker(story: Story) -> None:
    """Ledger, state and what is due are in the clinic's database: nothing is read or written a second time."""
    assert story.moved == "success"
    assert {name: how[0] for name, how in story.moved_tasks.items()} == {
        "begin": "success",
        "plan": "skipped",
        "load": "skipped",
        "delta": "success",
        "verify": "skipped",
        "report": "success",
    }
    assert story.moved_writes == 0


def test_no_clinic_opens_the_database_of_another(story: Story) -> None:
    """Each has a role of its own, which may connect to its own database only."""
    with psycopg.connect(story.agency.url("north", "north")) as own:
        assert own.execute("select count(*) from record").fetchone() != (0,)
        assert own.execute("select count(*) from state").fetchone() != (0,)
    with pytest.raises(psycopg.OperationalError, match="permission denied"):
        psycopg.connect(story.agency.url("north", "south"))


def test_no_secret_is_logged(story: Story) -> None:
    """Neither by a step nor by Airflow."""
    secrets = [*story.agency.passwords.values()]
    for sandbox in story.agency.sandboxes.values():
        secrets += [sandbox.cliniko.api_key, sandbox.highlevel.access_token, sandbox.highlevel.agency_token]
    assert len(story.logs) > 10_000
    assert [secret for secret in secrets if secret in story.logs] == []
