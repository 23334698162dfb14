"""What Meltano makes of meltano.yml, .env and the environment: a real variable wins."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent
MELTANO = Path(sys.executable).with_name("meltano")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder with our meltano.yml and a .env, away from whatever is set in the repository's own."""
    shutil.copy(ROOT / "meltano.yml", tmp_path)
    tmp_path.joinpath(".env").write_text(
        "TARGET_HIGHLEVEL_LOCATION_ID=from-dotenv\nTARGET_HIGHLEVEL_OVERWRITE=never\n", encoding="utf-8"
    )
    return tmp_path


def configuration(project: Path, plugin: str, environment: str, **variables: str) -> dict[str, Any]:
    """Return the settings that Meltano would hand to a plugin."""
    inherited = {
        name: value for name, value in os.environ.items() if not name.startswith(("TAP_", "TARGET_"))
    }
    command = [str(MELTANO), "--log-level=error", f"--environment={environment}", "config", "print", plugin]
    outcome = subprocess.run(
        command, cwd=project, env=inherited | variables, capture_output=True, text=True, check=False
    )
    assert outcome.returncode == 0, outcome.stderr
    printed: dict[str, Any] = json.loads(outcome.stdout)
    return printed


@pytest.mark.parametrize("environment", ["live", "sandbox"])
def test_a_real_variable_wins_over_dotenv_and_defaults(project: Path, environment: str) -> None:
    """The environment first, then .env, then the defaults of meltano.yml, in either Meltano environment."""
    given = configuration(
        project,
        "target-highlevel",
        environment,
        TARGET_HIGHLEVEL_LOCATION_ID="from-environment",
        TARGET_HIGHLEVEL_MODE="plan",
    )
    assert given["location_id"] == "from-environment"
    assert given["mode"] == "plan"
    assert given["overwrite"] == "never"
    assert given["report_dir"] == str(project / "data" / environment / "reports")


@pytest.mark.parametrize(
    ("plugin", "setting"),
    [("target-highlevel", "search_lag_seconds"), ("tap-cliniko", "attachments_max_megabytes")],
)
def test_a_number_may_have_a_fraction(project: Path, plugin: str, setting: str) -> None:
    """What the plugin takes, Meltano hands over; its own kind for whole numbers would end with a traceback."""
    variable = f"{plugin.replace('-', '_')}_{setting}".upper()
    assert configuration(project, plugin, "live", **{variable: "0.5"})[setting] == "0.5"


@pytest.mark.parametrize("mode", ["plan", "verify"])
def test_no_variable_makes_a_plan_or_a_verification_write(project: Path, mode: str) -> None:
    """The loaders that must not write keep their mode, and take the rest from the target's variables."""
    given = configuration(
        project,
        f"target-highlevel-{mode}",
        "live",
        TARGET_HIGHLEVEL_MODE="load",
        TARGET_HIGHLEVEL_CALENDAR_ID="from-environment",
    )
    assert given["mode"] == mode
    assert given["calendar_id"] == "from-environment"
    assert given["location_id"] == "from-dotenv"


def test_the_sample_has_a_size_that_a_variable_can_change(project: Path) -> None:
    """100 patients unless said otherwise; the plain tap reads all."""
    assert configuration(project, "tap-cliniko-sample", "live")["sample_patients"] == 100
    changed = configuration(project, "tap-cliniko-sample", "live", TAP_CLINIKO_SAMPLE_PATIENTS="7")
    assert changed["sample_patients"] == 7
    assert configuration(project, "tap-cliniko", "live").get("sample_patients") is None
