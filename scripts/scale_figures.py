"""Measure what one clinic costs: each step by processor time, memory, requests and room in the database.

`python scripts/scale_figures.py` writes docs/scale.json, from which `scale.py` simulates a thousand clinics. Ledger and
Meltano's tables are in a PostgreSQL, as they are on Airflow; waiting for budgets is left out, so that what remains is work.
"""

from __future__ import annotations

import json
import resource
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from measuring import ROOT, machine  # it makes the tests' helpers importable: first

import psycopg  # isort: skip
from fresh_project import FreshProject, quick_sandbox  # isort: skip
from postgres_server import PostgresServer, running_postgres  # isort: skip

if TYPE_CHECKING:
    from sandbox import Sandbox

FIGURES = ROOT / "docs" / "scale.json"
#: Two sizes tell apart what a step costs at any rate and what every patient adds.
SIZES = (10, 70)
#: The made-up clinic has some on purpose.
_ACCEPTED = {"TARGET_HIGHLEVEL_ACCEPT_REJECTS": "true"}
#: Of the whole database, and of what a run leaves in it in which nothing had changed (the newest load).
_ROOM = """select pg_database_size(current_database()),
    (select length(facts) from run where mode = 'load' order by number desc limit 1)"""
STEPS = {
    "plan": "run tap-cliniko target-highlevel-plan",
    "load": "run tap-cliniko target-highlevel",
    "delta": "run tap-cliniko target-highlevel",
    "verify": "run tap-cliniko target-highlevel-verify",
    "begin": "invoke target-highlevel:runs --json",
}


@dataclass
class Connections:
    """Counts the sessions of a database while a step runs."""

    server: PostgresServer
    database: str
    most: int = 0

    def watch(self, ended: threading.Event) -> None:
        """Look four times a second until the step has ended."""
        with psycopg.connect(self.server.url(driver="postgresql"), autocommit=True) as connection:
            query = "select count(*) from pg_stat_activity where datname = %s"
            while not ended.wait(0.25):
                found = connection.execute(query, (self.database,)).fetchone()
                self.most = max(self.most, found[0] if found else 0)


def _requests(sandbox: Sandbox) -> tuple[int, int]:
    return tuple(side.control.stats()["requests"] for side in (sandbox.cliniko, sandbox.highlevel))


def _step(project: FreshProject, sandbox: Sandbox, command: str, database: Connections) -> dict[str, Any]:
    url = database.server.url(database.database)
    before, used = _requests(sandbox), resource.getrusage(resource.RUSAGE_CHILDREN)
    ended = threading.Event()
    watching = threading.Thread(target=database.watch, args=(ended,))
    watching.start()
    variables = {"MELTANO_DATABASE_URI": url, "TARGET_HIGHLEVEL_LEDGER_URL": url, **_ACCEPTED}
    done = project.type(f"meltano {command}", **variables)
    ended.set()
    watching.join()
    if done.returncode:
        raise RuntimeError(done.stdout[-2000:])
    after, spent = _requests(sandbox), resource.getrusage(resource.RUSAGE_CHILDREN)
    return {
        "processor_seconds": spent.ru_utime + spent.ru_stime - used.ru_utime - used.ru_stime,
        "cliniko_requests": after[0] - before[0],
        "highlevel_requests": after[1] - before[1],
    }


def _clinic(patients: int, server: PostgresServer) -> dict[str, Any]:
    database = Connections(server, server.new_database())
    with quick_sandbox(patients) as sandbox, tempfile.TemporaryDirectory() as folder:
        project = FreshProject(Path(folder), sandbox)
        project.patience = 1200.0
        steps = {name: _step(project, sandbox, command, database) for name, command in STEPS.items()}
        newest = sorted(Path(folder).glob("data/live/reports/*"))[list(STEPS).index("delta")]
        files = [path.stat() for path in newest.iterdir()]
        on_disk = sum(
            file.st_size for file in files if file.st_nlink == 1
        )  # the others are also an older report's
    with psycopg.connect(server.url(database.database, driver="postgresql")) as connection:
        size, in_ledger = connection.execute(_ROOM).fetchone() or (0, 0)
    return {
        "steps": steps,
        "bytes": size,
        "connections": database.most,
        "quiet_run": {"ledger": in_ledger, "reports": on_disk},
    }


def measured() -> dict[str, Any]:
    """Return what a step costs at any rate, and what each patient adds."""
    with running_postgres() as server:
        small, large = (_clinic(patients, server) for patients in SIZES)
    patients = SIZES[1] - SIZES[0]

    def split(few: float, many: float) -> dict[str, float]:
        each = max(0.0, (many - few) / patients)
        return {"base": round(max(0.0, few - each * SIZES[0]), 2), "patient": round(each, 4)}

    steps = {
        step: {name: split(small["steps"][step][name], large["steps"][step][name]) for name in costs}
        for step, costs in small["steps"].items()
    }
    return {
        "machine": machine(),
        "date": time.strftime("%Y-%m-%d"),
        "sizes": SIZES,
        "steps": steps,
        "bytes": split(small["bytes"], large["bytes"]),
        "bytes_of_a_quiet_run": small["quiet_run"],
        "connections": max(small["connections"], large["connections"]),
        "megabytes_of_a_step": round(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024),
    }


if __name__ == "__main__":
    FIGURES.write_text(json.dumps(measured(), indent=2) + "\n", encoding="utf-8")
