"""Runs one job apart from the console, so that it goes on when the console or the browser is closed.

Started by `migration_console.jobs` as `python -m migration_console.runner FOLDER`. Its locks die with it, so whoever
opens the folder later can tell a running job from one that was killed.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
from filelock import FileLock, Timeout

if TYPE_CHECKING:
    from collections.abc import Mapping

JOB, LOG, ENDED, LOCK = "job.json", "output.log", "ended.json", "running.lock"
#: Which processes do the work: they go on when this one is killed.
GROUP = "group.json"
#: What a shell ends with where there is no such program.
_NO_SUCH_PROGRAM = 127
#: Held by the one job that may write.
WRITING_LOCK = "writing.lock"
REFUSED = "another job is writing"
#: A console that looks whether the job runs holds its lock for a moment.
_LOOK_SECONDS = 10


def main() -> int:
    """Run the job described in a folder; what it says goes into the folder, and so does how it ended."""
    folder = Path(sys.argv[1])
    os.umask(0o077)
    job = json.loads((folder / JOB).read_text(encoding="utf-8"))
    with FileLock(folder / LOCK, timeout=_LOOK_SECONDS):
        if not job["writes"]:
            return _run(folder, job)
        try:
            with FileLock(folder.parent / WRITING_LOCK, timeout=0):
                return _run(folder, job)
        except Timeout:
            _end(folder, None, REFUSED)
            return 1


def _run(folder: Path, job: dict[str, object]) -> int:
    arguments = [str(item) for item in job["arguments"]]  # type: ignore[attr-defined]
    with (folder / LOG).open("ab") as log:
        try:
            process = subprocess.Popen(  # noqa: S603 - the arguments are of the console's own table
                arguments,
                cwd=str(job["root"]),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except OSError as error:
            what = f"{error.filename} cannot be started ({error.strerror})"
            why = f"console: {what}: is `make setup` done, and the folder still there?"
            log.write(f"{why}\n".encode())
            _end(folder, _NO_SUCH_PROGRAM, "")
            return _NO_SUCH_PROGRAM
        group = {"group": process.pid, "began": psutil.Process(process.pid).create_time()}
        _write(folder / GROUP, group)

        def stop(_number: int, _frame: object) -> None:
            os.killpg(process.pid, signal.SIGTERM)

        signal.signal(signal.SIGTERM, stop)
        signal.signal(signal.SIGINT, stop)
        try:
            code = process.wait()
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
    _end(folder, code, "")
    return code


def _end(folder: Path, code: int | None, why: str) -> None:
    _write(folder / ENDED, {"code": code, "why": why, "at": time.time()})


def _write(path: Path, content: Mapping[str, object]) -> None:
    unfinished = path.with_suffix(".json.new")
    unfinished.write_text(json.dumps(content), encoding="utf-8")
    unfinished.replace(path)


if __name__ == "__main__":
    sys.exit(main())
