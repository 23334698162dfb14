"""A folder like a fresh clone after `make setup`, with a sandbox's credentials in .env; commands are typed in it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

ROOT = Path(__file__).resolve().parent.parent
PARTS = ("tap-cliniko", "transforms", "target-highlevel", "scripts", "constraints.txt", "logging.yaml")
PLUGINS = ("extractors", "loaders", "mappers", "utilities")
PRIVATE_PREFIXES = ("TAP_CLINIKO", "TARGET_HIGHLEVEL", "MELTANO_")
# Waiting is not the point of most tests.
RAISED = {
    "TAP_CLINIKO_REQUESTS_PER_MINUTE": "100000",
    "TARGET_HIGHLEVEL_REQUESTS_PER_10S": "20000",
    "TARGET_HIGHLEVEL_REQUESTS_PER_DAY": "10000000",
    "TARGET_HIGHLEVEL_SEARCH_LAG_SECONDS": "1",
}


def quick_sandbox(patients: int, now: datetime | None = None, seed: int = 1) -> Sandbox:
    """Return a clinic and an empty sub-account whose limits never make anybody wait.

    Args:
        patients: how many patients the clinic has.
        now: the day the clinic lives in, where it must not be another one every day.
        seed: which clinic and which sub-account.
    """
    return Sandbox(
        seed=seed,
        patients=patients,
        now=now,
        cliniko={"requests_per_minute": 0},
        highlevel={"burst_limit": 100_000, "search_lag": 0.2},
    )


class FreshProject:
    """The project in a folder of its own: nothing of another run is in it, but the plugins are installed."""

    def __init__(
        self,
        folder: Path,
        sandbox: Sandbox,
        environment: str = "live",
        limits: Mapping[str, str] | None = None,
    ) -> None:
        """Put the project into an empty folder; its data go below `data/<environment>`. Limits are raised unless given."""
        self.folder = folder
        self.environment = environment
        self.patience = 240.0  # seconds for one command
        self._seen: set[Path] = set()
        shutil.copy(ROOT / "meltano.yml", folder)
        for name in PARTS:
            folder.joinpath(name).symlink_to(ROOT / name)
        for name in ("data", ".meltano"):
            folder.joinpath(name).mkdir(mode=0o700)
        for name in PLUGINS:
            folder.joinpath(".meltano", name).symlink_to(ROOT / ".meltano" / name)
        chosen = {**settings(sandbox), **(RAISED if limits is None else limits)}
        lines = (f"{name}={value}\n" for name, value in chosen.items())
        folder.joinpath(".env").write_text("".join(lines), encoding="utf-8")

    def type(self, command: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run a command line as a user would; both kinds of output come together."""
        inherited = {
            name: value for name, value in os.environ.items() if not name.startswith(PRIVATE_PREFIXES)
        }
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        chosen = {"PATH": path, "MELTANO_ENVIRONMENT": self.environment, "NO_COLOR": "1"}
        return subprocess.run(
            ["sh", "-c", command],
            cwd=self.folder,
            env={**inherited, **chosen, **variables},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=self.patience,
        )

    def new_report(self) -> dict[str, Any]:
        """Return the one report that was written since this was last asked."""
        found = set(self.folder.glob(f"data/{self.environment}/reports/*/report.json")) - self._seen
        assert len(found) == 1, f"{len(found)} new reports, not one"
        self._seen |= found
        report: dict[str, Any] = json.loads(found.pop().read_text(encoding="utf-8"))
        return report


def settings(sandbox: Sandbox) -> Mapping[str, str]:
    """Return what a clinic would write into .env."""
    return {
        "TAP_CLINIKO_API_URL": sandbox.cliniko.url,
        "TAP_CLINIKO_API_KEY": sandbox.cliniko.api_key,
        "TAP_CLINIKO_CONTACT_EMAIL": "desk@clinic.example",
        "TAP_CLINIKO_LAG_SECONDS": "0",
        "TARGET_HIGHLEVEL_API_URL": sandbox.highlevel.url,
        "TARGET_HIGHLEVEL_ACCESS_TOKEN": sandbox.highlevel.access_token,
        "TARGET_HIGHLEVEL_AGENCY_TOKEN": sandbox.highlevel.agency_token,
        "TARGET_HIGHLEVEL_LOCATION_ID": sandbox.highlevel.location_id,
        "TARGET_HIGHLEVEL_FALLBACK_OWNER": "frontdesk@example.org",
    }
