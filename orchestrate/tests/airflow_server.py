"""A real Airflow for a test: scheduler with its LocalExecutor, DAG processor and API server, on a PostgreSQL database."""

from __future__ import annotations

import os
import secrets
import signal
import socket
import subprocess
import time
from contextlib import ExitStack, contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any

import requests

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

_PARTS = ("api-server", "scheduler", "dag-processor")
#: Behind the sandboxes: an API is no slower because a worker of ours has much to do.
_BEHIND = ("nice", "-n", "5")
_PATIENCE = 300.0
ENDED = frozenset({"success", "failed"})


class Airflow:
    """Airflow's API, as somebody who administrates it uses it."""

    def __init__(self, address: str, home: Path) -> None:
        """Use the server at this address."""
        self.home = home
        self._address = address
        self._token = ""

    def ask(self, method: str, path: str, **body: Any) -> Any:
        """Make one request and return the answer."""
        if not self._token:
            answer = requests.get(f"{self._address}/auth/token", timeout=30)
            answer.raise_for_status()
            self._token = answer.json()["access_token"]
        answer = requests.request(
            method,
            f"{self._address}/api/v2/{path}",
            json=body or None,
            headers={"Authorization": f"Bearer {self._token}"},
            timeout=30,
        )
        answer.raise_for_status()
        return answer.json()

    def wait_for_dags(self, names: set[str]) -> None:
        """Return when Airflow has read the DAG file."""
        deadline = time.monotonic() + _PATIENCE
        while {dag["dag_id"] for dag in self.ask("GET", "dags?limit=100")["dags"]} < names:
            errors = self.ask("GET", "importErrors")["import_errors"]
            assert not errors, errors
            assert time.monotonic() < deadline, "the DAG file was not read"
            time.sleep(1)

    def begin(self, dag: str) -> str:
        """Take a DAG out of its pause, which starts the newest run of its schedule; return the run's id."""
        self.ask("PATCH", f"dags/{dag}", is_paused=False)
        deadline = time.monotonic() + _PATIENCE
        while not (runs := self.ask("GET", f"dags/{dag}/dagRuns")["dag_runs"]):
            assert time.monotonic() < deadline, f"{dag} has not begun"
            time.sleep(1)
        return str(runs[0]["dag_run_id"])

    def again(self, dag: str) -> str:
        """Start a DAG by hand; return the run's id."""
        return str(self.ask("POST", f"dags/{dag}/dagRuns", logical_date=None, conf={})["dag_run_id"])

    def wait_for(self, runs: Mapping[str, str], seconds: float) -> dict[str, str]:
        """Return how the runs of these DAGs ended."""
        deadline = time.monotonic() + seconds
        while True:
            states = {dag: self.ask("GET", f"dags/{dag}/dagRuns/{run}")["state"] for dag, run in runs.items()}
            if set(states.values()) <= ENDED:
                return states
            assert time.monotonic() < deadline, f"still going on: {states}"
            time.sleep(1)

    def seconds(self, dag: str, run: str) -> float:
        """Return how long a run took that has ended."""
        found = self.ask("GET", f"dags/{dag}/dagRuns/{run}")
        began, ended = (datetime.fromisoformat(found[name]) for name in ("start_date", "end_date"))
        return (ended - began).total_seconds()

    def tasks(self, dag: str, run: str) -> dict[str, tuple[str, int]]:
        """Return state and number of tries of every task of a run."""
        listed = self.ask("GET", f"dags/{dag}/dagRuns/{run}/taskInstances")["task_instances"]
        return {task["task_id"].rpartition(".")[2]: (task["state"], task["try_number"]) for task in listed}

    def logs(self) -> str:
        """Return everything that tasks have logged."""
        return "".join(
            path.read_text(encoding="utf-8") for path in sorted(self.home.glob("logs/dag_id=*/**/*.log"))
        )


@contextmanager
def running_airflow(
    programs: Path, home: Path, database: str, variables: Mapping[str, str]
) -> Iterator[Airflow]:
    """Start the parts of an Airflow, and end them in the end.

    Args:
        programs: the folder with the program `airflow`
        home: an empty folder for its settings and logs
        database: address of an empty database
        variables: process environment of its own, with the folder of the DAGs
    """
    port = _free_port()
    address = f"http://127.0.0.1:{port}"
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "MELTANO"))},
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__API__SECRET_KEY": secrets.token_hex(16),
        "AIRFLOW__API__WORKERS": "1",
        "AIRFLOW__API_AUTH__JWT_SECRET": secrets.token_hex(32),
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{address}/execution/",
        "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
        "AIRFLOW__CORE__LOAD_EXAMPLES": "false",
        "AIRFLOW__CORE__PARALLELISM": "4",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "true",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": database,
        **variables,
    }
    airflow = str(programs / "airflow")
    started = []
    with ExitStack() as logs:
        log = logs.enter_context((home / "migrate.log").open("wb"))
        subprocess.run([airflow, "db", "migrate"], env=environment, check=True, stdout=log, stderr=log)
        try:
            for part in _PARTS:
                log = logs.enter_context((home / f"{part}.log").open("wb"))
                started.append(
                    subprocess.Popen(
                        [*_BEHIND, airflow, part],
                        env=environment,
                        stdout=log,
                        stderr=log,
                        start_new_session=True,
                    )
                )
            _wait(address, home)
            yield Airflow(address, home)
        finally:
            _end(started)


def _wait(address: str, home: Path) -> None:
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            if requests.get(f"{address}/api/v2/monitor/health", timeout=5).ok:
                return
        except requests.RequestException:
            pass
        assert time.monotonic() < deadline, (home / "api-server.log").read_text(encoding="utf-8")[-2000:]
        time.sleep(0.5)


def _end(processes: list[subprocess.Popen[bytes]]) -> None:
    for process in processes:
        process.terminate()
    for process in processes:
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
