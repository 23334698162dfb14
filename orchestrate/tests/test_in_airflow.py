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
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
import yaml
from airflow_server import running_airflow
from fresh_project import PARTS, PLUGINS, RAISED, quick_sandbox
from postgres_server import programs, running_postgres

from many_clinics.clinics import Clinics, read
from many_clinics.databases import sql
from many_clinics.meltano_project import MeltanoProject
from many_clinics.running import lock

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_server import Airflow
    from postgres_server import PostgresServer

    from sandbox import Sandbox
    from sandbox.control import Request

ROOT = Path(__file__).resolve().parents[2]
AIRFLOW = ROOT / ".venv-airflow" / "bin"
NAMES = ("north", "south", "west")
REFUSED = "west"
UNKNOWN = "east"
KILLED = "south"
ONCE = "0 0 1 1 *"  # no second run comes while the test goes on

pytestmark = [
    pytest.mark.airflow,
    pytest.mark.timeout(1800),
    pytest.mark.skipif(
        not AIRFLOW.exists(), reason="Airflow is not installed: make orchestrate-test installs it"
    ),
    pytest.mark.skipif(programs() is None, reason="no PostgreSQL here, and none can be installed"),
]


class Agency:
    """A worker's project with three clinics, their databases and sandboxes, and the Airflow that runs them."""

    def __init__(self, folder: Path, server: PostgresServer, sandboxes: dict[str, Sandbox]) -> None:
        """Put all of it into an empty folder."""
        self.folder, self.server, self.sandboxes = folder, server, sandboxes
        self.passwords = {name: f"secret-of-{name}" for name in NAMES}
        content = yaml.safe_load(ROOT.joinpath("meltano.yml").read_text(encoding="utf-8"))
        content["environments"] += [{"name": name} for name in (*NAMES, UNKNOWN)]
        folder.joinpath("meltano.yml").write_text(yaml.safe_dump(content), encoding="utf-8")
        for name in (*PARTS, ".venv"):
            folder.joinpath(name).symlink_to(ROOT / name)
        for name in PLUGINS:
            folder.joinpath(".meltano").mkdir(exist_ok=True)
            folder.joinpath(".meltano", name).symlink_to(ROOT / ".meltano" / name)
        self.file = folder / "clinics.yml"
        self.file.write_text(yaml.safe_dump(self._clinics()), encoding="utf-8")
        self._make_databases()

    def _clinics(self) -> dict[str, Any]:
        common = {
            **RAISED,
            "TAP_CLINIKO_CONTACT_EMAIL": "desk@agency.example",
            "TAP_CLINIKO_LAG_SECONDS": "0",
        }
        return {
            "summary": ONCE,
            "defaults": {"schedule": ONCE, "retries": 1, "retry_minutes": 0, "settings": common},
            "clinics": [*(self._clinic(name) for name in NAMES), self._unknown()],
        }

    def _clinic(self, name: str) -> dict[str, Any]:
        sandbox = self.sandboxes[name]
        return {
            "name": name,
            "database": f"connection:{name}_database",
            "secrets": {
                "TAP_CLINIKO_API_KEY": f"env:CLINIKO_OF_{name.upper()}",
                "TARGET_HIGHLEVEL_ACCESS_TOKEN": f"variable:{name}_token",
                "TARGET_HIGHLEVEL_AGENCY_TOKEN": f"connection:{name}_agency#password",
            },
            "settings": {
                "TAP_CLINIKO_API_URL": sandbox.cliniko.url,
                "TARGET_HIGHLEVEL_API_URL": sandbox.highlevel.url,
                "TARGET_HIGHLEVEL_LOCATION_ID": sandbox.highlevel.location_id,
                "TARGET_HIGHLEVEL_FALLBACK_OWNER": "frontdesk@example.org",
                "TARGET_HIGHLEVEL_ACCEPT_REJECTS": True,
            },
        }

    def _unknown(self) -> dict[str, Any]:
        entry = self._clinic(REFUSED)
        entry["settings"]["TARGET_HIGHLEVEL_LOCATION_ID"] = "another"
        return {
            **entry,
            "name": UNKNOWN,
            "database": f"connection:{UNKNOWN}_database",
            "cliniko_user": UNKNOWN,
        }

    def clinics(self) -> Clinics:
        """Read the file as the DAG does."""
        return read(self.file, MeltanoProject.of(self.folder))

    def _make_databases(self) -> None:
        """Do what the guide says: the SQL that `python -m many_clinics databases` prints, then the passwords."""
        bin_ = programs()
        assert bin_ is not None
        address = self.server.url(driver="postgresql")
        psql = [str(bin_ / "psql"), "--quiet", "--no-psqlrc", "--set=ON_ERROR_STOP=1", address]
        for _ in range(2):  # the second time changes nothing
            subprocess.run(
                psql, input=sql(self.clinics().clinics), text=True, check=True, capture_output=True
            )
        with psycopg.connect(address, autocommit=True) as connection:
            for name, password in self.passwords.items():
                connection.execute(f"ALTER ROLE \"clinic_{name}\" PASSWORD '{password}'".encode())

    def url(self, role: str, database: str) -> str:
        """Return the address of a clinic's database, as one clinic's role."""
        where = f"127.0.0.1:{self.server.port}/clinic_{database}"
        return f"postgresql://clinic_{role}:{self.passwords[role]}@{where}"

    def variables(self) -> dict[str, str]:
        """Return what the worker's process environment holds."""
        keys = {f"CLINIKO_OF_{name.upper()}": box.cliniko.api_key for name, box in self.sandboxes.items()}
        return {
            **keys,
            "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "orchestrate"),
            "CLINICS_FILE": str(self.file),
            "CLINICS_PROJECT": str(self.folder),
        }

    def confide(self, airflow: Airflow) -> None:
        """Give Airflow the pools and the secrets."""
        for name, pool in self.clinics().pools().items():
            airflow.ask("POST", "pools", name=name, **pool)
        for name, sandbox in self.sandboxes.items():
            token = "revoked" if name == REFUSED else sandbox.highlevel.access_token
            airflow.ask("POST", "variables", key=f"{name}_token", value=token)
            agency = {"connection_id": f"{name}_agency", "conn_type": "generic"}
            airflow.ask("POST", "connections", **agency, password=sandbox.highlevel.agency_token)
            airflow.ask(
                "POST",
                "connections",
                connection_id=f"{name}_database",
                conn_type="postgres",
                host="127.0.0.1",
                port=self.server.port,
                login=f"clinic_{name}",
                password=self.passwords[name],
                schema=f"clinic_{name}",
            )


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
        agency = Agency(folder, server, sandboxes)
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
