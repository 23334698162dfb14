"""What only the DAG file does, in Airflow's own environment but without its services; run by `make orchestrate-test`."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
PYTHON = ROOT / ".venv-airflow" / "bin" / "python"

pytestmark = [
    pytest.mark.airflow,
    pytest.mark.skipif(
        not PYTHON.exists(), reason="Airflow is not installed: make orchestrate-test installs it"
    ),
]

REPORTED = """
import json
from types import SimpleNamespace
import clinics_dag

told = SimpleNamespace(extra=None)
left = {
    ("begin", "due"): {"steps": ["load", "verify"], "since": "2026-11-29", "checked": 0},
    ("begin", "outcome"): {"step": "begin", "code": 0, "line": "", "totals": {}},
    ("load", "outcome"): {"step": "load", "code": 3, "line": "credentials refused", "totals": {}},
}
task = SimpleNamespace(xcom_pull=lambda task_ids, key: left.get((task_ids.rpartition(".")[2], key)))
events = type("Events", (), {"__getitem__": lambda self, asset: told})()
clinics_dag.clinic_north.get_task("north.report")._run({"ti": task, "outlet_events": events})
print(json.dumps(told.extra))
"""


def in_airflow(folder: Path, code: str) -> Any:
    """Run a piece of Python beside the DAG file of one clinic; return what it prints last."""
    file = folder / "clinics.yml"
    clinic = {
        "name": "north",
        "environment": "live",
        "schedule": "0 2 * * *",
        "database": "env:NOWHERE",
        "secrets": {"TAP_CLINIKO_API_KEY": "env:NOWHERE", "TARGET_HIGHLEVEL_ACCESS_TOKEN": "env:NOWHERE"},
        "settings": {
            "TAP_CLINIKO_CONTACT_EMAIL": "moves@agency.example",
            "TARGET_HIGHLEVEL_LOCATION_ID": "ve9EPM428h8vShlRW1KT",
        },
    }
    file.write_text(yaml.safe_dump({"clinics": [clinic]}), encoding="utf-8")
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "PYTHON"))},
        "AIRFLOW_HOME": str(folder),
        "CLINICS_FILE": str(file),
        "CLINICS_PROJECT": str(ROOT),
        "PYTHONPATH": str(ROOT / "orchestrate"),
    }
    done = subprocess.run(
        [PYTHON, "-c", code], env=environment, cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


def test_the_summary_is_told_also_where_no_report_can_be_written(tmp_path: Path) -> None:
    """Else it would go on showing how the run before ended: perhaps "complete"."""
    told = in_airflow(tmp_path, REPORTED)
    assert (told["state"], told["step"], told["code"]) == ("failed", "load", 3)
