"""The long check of many clinics in one Airflow; for `soak.py`. `make orchestrate-setup` installs Airflow."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from agency import AIRFLOW, Agency
from airflow_server import running_airflow
from findings import Findings
from postgres_server import running_postgres

from sandbox import Sandbox

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Sequence

    from sandbox.control import Control

CLINICS = 25
LATENCY = 0.3
#: Of the largest clinic alone: the slowest of all together may take this many times as long.
MOST_TIMES = 1.2
#: Patients of the smallest clinic, as a share of the largest.
SMALLEST = 0.05
#: Sessions of PostgreSQL for each step that runs (docs/scale.md), and for ten more, which Airflow itself takes.
SESSIONS = 3
_PATIENCE = 3 * 3600.0
_ENDED = re.compile(r'(?<=")\w+ ended with \d+: [^"]*|DagBag import timeout|Too many failed heartbeats')


class Together:
    """What the first runs of some clinics came to, all begun at once: plan, load and verification.

    Attributes:
        seconds: of each clinic's run
        ended: how many runs ended in each way
        answers: by status, of both APIs
        most: requests of a sub-account within ten seconds
        wrong: rules of an API that were broken, and records that were made twice
        failed: why steps failed, in their words or in Airflow's
    """

    def __init__(self, sizes: Sequence[int], keep: Path | None = None) -> None:
        """Run clinics of so many patients, each with the APIs' own limits; keep Airflow's logs where a run failed."""
        with ExitStack() as stack:
            folder, home = (Path(stack.enter_context(tempfile.TemporaryDirectory())) for _ in range(2))
            server = stack.enter_context(running_postgres(max_connections=SESSIONS * (len(sizes) + 10)))
            boxes = {
                f"c{number}": stack.enter_context(Sandbox(seed=number, patients=size))
                for number, size in enumerate(sizes)
            }
            controls = [side.control for box in boxes.values() for side in (box.cliniko, box.highlevel)]
            for control in controls:
                control.latency = LATENCY
            agency = Agency(folder, server, boxes, {})
            database = server.url(server.new_database(), driver="postgresql+psycopg2")
            variables = {
                **agency.variables(),
                "AIRFLOW__CORE__PARALLELISM": str(len(sizes) + 1),
                "AIRFLOW__CORE__DAGBAG_IMPORT_TIMEOUT": "300",  # steps that begin at once read the DAG file at once
            }
            airflow = stack.enter_context(running_airflow(AIRFLOW, home, database, variables))
            agency.confide(airflow)
            dags = [f"clinic_{name}" for name in boxes]
            airflow.wait_for_dags(set(dags))
            runs = {dag: airflow.begin(dag) for dag in dags}
            self.ended = Counter(airflow.wait_for(runs, _PATIENCE).values())
            self.seconds = [airflow.seconds(dag, run) for dag, run in runs.items()]
            self.answers = sum(map(_answers, controls), Counter())
            self.most = max(box.highlevel.control.window.greatest for box in boxes.values())
            doubles = sum(len(box.highlevel.state.doubles()) for box in boxes.values())
            if keep and set(self.ended) != {"success"}:
                shutil.copytree(home, keep / f"airflow-{len(sizes)}", dirs_exist_ok=True)
            self.failed = sorted(set(_ENDED.findall(airflow.logs())))
            self.wrong = doubles + sum(len(control.violations) for control in controls)


def _answers(control: Control) -> Counter[str]:
    return Counter(control.stats()["by_status"])


def clinics(options: argparse.Namespace) -> Findings:
    """Run clinics of many sizes in one Airflow: the largest must hardly notice the others."""
    found = Findings(f"{CLINICS} clinics in one Airflow")
    factor = SMALLEST ** (1 / (CLINICS - 1))
    sizes = [round(options.largest * factor**number) for number in range(CLINICS)]
    alone, all_of_them = Together(sizes[:1], options.keep), Together(sizes, options.keep)
    ratio = max(all_of_them.seconds) / alone.seconds[0]
    good = sum(number for status, number in all_of_them.answers.items() if status.startswith("2"))
    found.facts = {
        "clinics": f"{CLINICS}, of {sizes[-1]} to {sizes[0]} patients, {sum(sizes)} in all; each is planned, loaded and verified",
        "latency of both APIs": f"{LATENCY * 1000:.0f} ms",
        "the largest alone": f"{alone.seconds[0]:.0f} s",
        "all at once, the slowest": f"{max(all_of_them.seconds):.0f} s, {ratio:.2f} times as long",
        "all at once, the quickest": f"{min(all_of_them.seconds):.0f} s",
        "runs": ", ".join(f"{number} {how}" for how, number in sorted(all_of_them.ended.items())),
        "requests": f"{all_of_them.answers.total():,}, {good:,} answered with 2xx",
        "answers 429": str(all_of_them.answers["429"]),
        "most requests of a sub-account within ten seconds": str(all_of_them.most),
    }
    found.expect(ratio <= MOST_TIMES, f"the slowest took more than {MOST_TIMES} times as long as alone")
    found.expect(all_of_them.ended == {"success": CLINICS}, f"not every run succeeded: {all_of_them.failed}")
    found.expect(all_of_them.answers["429"] == 0, "an API was asked too often")
    found.expect(all_of_them.wrong == 0, "a rule of an API was broken, or a record was made twice")
    return found


CHECKS: dict[str, Callable[[argparse.Namespace], Findings]] = {"clinics": clinics}
