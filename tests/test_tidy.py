"""`make tidy`: what a killed run left is gone, what a running one needs is not."""

from __future__ import annotations

import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parent.parent / "scripts" / "tidy.py"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder in which Meltano was killed: it left the settings of a tap, readable by everybody."""
    run = tmp_path / ".meltano" / "run" / "tap-cliniko"
    run.mkdir(parents=True)
    run.joinpath("tap.0190.config.json").write_text('{"api_key": "secret"}', encoding="utf-8")
    run.joinpath("tap.properties.json").write_text("{}", encoding="utf-8")
    tmp_path.joinpath(".env").write_text("TAP_CLINIKO_API_KEY=secret\n", encoding="utf-8")
    return tmp_path


def tidy(project: Path) -> str:
    """Run the script on a project and return what it said."""
    command = [sys.executable, str(SCRIPT), "--project", str(project)]
    outcome = subprocess.run(command, capture_output=True, text=True, check=True)
    return outcome.stderr


def files_with_secrets(project: Path) -> list[Path]:
    """Return the plugin settings that lie about."""
    return list(project.glob(".meltano/run/*/*.config.json"))


def test_settings_of_a_killed_run_are_removed(project: Path) -> None:
    """The files with secrets go; the catalog beside them, which Meltano wants again, stays."""
    assert "Removed 1 files" in tidy(project)
    assert files_with_secrets(project) == []
    assert (project / ".meltano" / "run" / "tap-cliniko" / "tap.properties.json").exists()


@pytest.mark.parametrize("folder", ["data/north/meltano", "data/north/console/meltano"])
def test_settings_of_one_clinic_among_many_are_removed_too(project: Path, folder: str) -> None:
    """Each clinic's runs have a system folder of their own."""
    left = project / folder / "run" / "target-highlevel" / "target.0190.config.json"
    left.parent.mkdir(parents=True)
    left.write_text("{}", encoding="utf-8")
    assert "Removed 2 files" in tidy(project)
    assert not left.exists()


def test_nobody_else_can_read_what_a_run_leaves(project: Path) -> None:
    """Folders get mode 0700, also one that was made before; the credentials 0600."""
    (project / "data" / "sandbox").mkdir(parents=True, mode=0o755)
    tidy(project)
    folders = ("data", "data/live", "data/sandbox", ".meltano")
    modes = {name: stat.S_IMODE((project / name).stat().st_mode) for name in (*folders, ".env")}
    assert modes == {**dict.fromkeys(folders, 0o700), ".env": 0o600}


def test_settings_of_a_run_that_goes_on_are_left(project: Path) -> None:
    """A run fails at its end when its files are gone, so nothing is removed while one works in the folder."""
    sleep = shutil.which("sleep")
    assert sleep
    # A process is Meltano by the name it was started with.
    with subprocess.Popen(["meltano", "60"], executable=sleep, cwd=project) as running:
        try:
            assert "Meltano is running" in tidy(project)
            assert len(files_with_secrets(project)) == 1
        finally:
            running.kill()
