"""Close what a run leaves to other users, and remove the secrets that a killed Meltano left behind.

Meltano hands a plugin its settings, secrets included, in a plain file that it removes when the run ends and
cannot remove when it is killed. See SECURITY.md.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parent.parent
#: Where Meltano keeps what a run needs: the project's own, and of one clinic among many in Airflow and in the console.
RUNS = (".meltano/run", "data/*/meltano/run", "data/*/console/meltano/run")
OWNER_ONLY_FOLDERS = ("data", "data/live", ".meltano")


def close(project: Path) -> None:
    """Let nobody but the owner look into the folders and the credentials."""
    for name in OWNER_ONLY_FOLDERS:
        folder = project / name
        folder.mkdir(mode=0o700, exist_ok=True)
        folder.chmod(0o700)
    for folder in filter(Path.is_dir, (project / "data").iterdir()):  # one for each Meltano environment
        folder.chmod(0o700)
    credentials = project / ".env"
    if credentials.is_file():
        credentials.chmod(0o600)


def meltano_is_running(project: Path) -> bool:
    """Tell whether a Meltano works in this project: it goes there first, wherever it was started."""
    return any(
        _is_meltano(process.info["cmdline"]) and _is_inside(process.info["cwd"], project)
        for process in psutil.process_iter(["cmdline", "cwd"])
    )


def _is_meltano(command: list[str] | None) -> bool:
    return any(Path(part).name == "meltano" for part in (command or [])[:2])


def _is_inside(folder: str | None, project: Path) -> bool:
    # The folder of a process of another user cannot be read: better to leave the files than to break its run.
    return folder is None or Path(folder).is_relative_to(project)


def remove_leftovers(project: Path) -> int:
    """Remove the settings of runs that are no more; returns how many files there were."""
    # A run that still goes on removes its own files, and fails at its end if it does not find them.
    if meltano_is_running(project):
        print(
            "Meltano is running: what an earlier run may have left is removed the next time.", file=sys.stderr
        )
        return 0
    leftovers = [path for run in RUNS for path in project.glob(f"{run}/*/*.config.json")]
    for path in leftovers:
        path.unlink(missing_ok=True)
    return len(leftovers)


def main() -> int:
    """Tidy up one project."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--project", type=Path, default=ROOT, help="folder of the meltano.yml (this repository)"
    )
    project = parser.parse_args().project.resolve()
    close(project)
    removed = remove_leftovers(project)
    if removed:
        print(f"Removed {removed} files with settings that a killed run had left.", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
