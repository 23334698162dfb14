"""The commands that the console has started: found again after a restart, one writing job at a time."""

from __future__ import annotations

import json
import os
import re
import secrets
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import psutil
from filelock import FileLock, Timeout

from migration_console.commands import COMMANDS
from migration_console.reports import newest_of
from migration_console.runner import ENDED, GROUP, JOB, LOCK, LOG, REFUSED

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from migration_console.commands import Command
    from migration_console.project import Project
    from migration_console.reports import Reports

JOB_ID = re.compile(r"\d{8}T\d{6}-[0-9a-f]{8}")
_TAIL_BYTES = 64_000
_STARTING_SECONDS = 10.0
#: Within which two looks at when a process began may differ, when the clock is set.
_SAME_SECONDS = 10.0
#: The last line of a command of ours, with or without what Meltano puts before it.
_LOGGED = re.compile(r"\d{4}-\d\d-\d\dT\S+ \[")
_LAST_LINE = re.compile(
    r"^.*?\b(?:target-highlevel|tap-cliniko|console): (.+?)(?: \(exit \d+\))?$", re.MULTILINE
)


class Busy(Exception):  # noqa: N818 - says what is the case, not that something went wrong
    """Another job is writing."""


@dataclass(frozen=True)
class Job:
    """One start of a command.

    Attributes:
        id: its name, which is the name of its folder
        command: what was started
        line: the same as somebody would type it
        started: when, as seconds since 1970
        state: `running`, `done`, `failed`, `killed`, or `refused` when another one was writing
        code: exit code of Meltano, which is 0 or 1 whatever the target says
        ended: when it ended
        report: id of the run whose report it left
    """

    id: str
    command: Command
    line: str
    started: float
    state: str
    code: int | None
    ended: float | None
    folder: Path
    report: str | None

    @property
    def is_running(self) -> bool:
        """Return whether it goes on."""
        return self.state == "running"

    @property
    def began(self) -> datetime:
        """Return when it was started."""
        return datetime.fromtimestamp(self.started, tz=UTC)

    @property
    def at(self) -> str:
        """Return the same as reports write it."""
        return _moment(self.started)

    def output(self) -> str:
        """Return the end of what it said; a clinic's commands say nothing personal."""
        try:
            with (self.folder / LOG).open("rb") as file:
                file.seek(0, os.SEEK_END)
                file.seek(max(0, file.tell() - _TAIL_BYTES))
                return file.read().decode(errors="replace")
        except FileNotFoundError:
            return ""

    @property
    def told(self) -> str:
        """Return what a command told a person, without the log lines of Meltano around it."""
        lines = (line for line in self.output().splitlines() if not _LOGGED.match(line))
        return "\n".join(lines).strip()

    @property
    def said(self) -> str:
        """Return the line in which a command of ours says at its end what happened and what to do next; empty without one."""
        found = _LAST_LINE.findall(self.output())
        return found[-1] if found else ""


class Jobs:
    """The jobs of one project."""

    def __init__(self, project: Project, reports: Reports) -> None:
        """Look into the project's folder of jobs, and among these reports for theirs."""
        self._project = project
        self._reports = reports
        self._ended: dict[str, Job] = {}  # what has ended changes no more
        self._started: list[subprocess.Popen[bytes]] = []

    def start(
        self, command: Command, *, options: Sequence[str] = (), variables: Mapping[str, str] | None = None
    ) -> Job:
        """Start a command apart from the console.

        Args:
            command: one of the documented commands
            options: what is put behind it, already checked
            variables: settings of this start alone

        Raises:
            Busy: it writes, and another one is writing.
        """
        if command.writes and self.writing() is not None:
            raise Busy
        project = self._project
        project.jobs.mkdir(parents=True, exist_ok=True, mode=0o700)
        identity = f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{secrets.token_hex(4)}"
        folder = project.jobs / identity
        folder.mkdir(mode=0o700)
        extra = dict(variables or {})
        described = {
            "command": command.key,
            "arguments": [
                str(project.meltano),
                *(["--env-file", os.devnull] if project.is_sandbox or project.one_of_many else []),
                f"--environment={project.environment}",
                *command.arguments,
                *options,
            ],
            "root": str(project.root),
            "line": command.line(project.environment, tuple(options), extra),
            "writes": command.writes,
            "started": time.time(),
        }
        (folder / JOB).write_text(json.dumps(described), encoding="utf-8")
        ours = {"MELTANO_SYS_DIR_ROOT": str(project.own_meltano())} if project.one_of_many else os.environ
        environment = {**ours, **project.job_variables, **command.environment, **extra, "NO_COLOR": "1"}
        process = subprocess.Popen(  # noqa: S603 - our own module
            [sys.executable, "-m", "migration_console.runner", str(folder)],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        self._started = [item for item in self._started if item.poll() is None] + [process]
        found = self.find(identity)
        assert found is not None  # noqa: S101 - its folder was made above
        return found

    def all(self) -> list[Job]:
        """Return all jobs, the newest first."""
        try:
            names = sorted((item.name for item in self._project.jobs.iterdir()), reverse=True)
        except FileNotFoundError:
            return []
        return [job for name in names if (job := self.find(name)) is not None]

    def find(self, identity: str) -> Job | None:
        """Return a job by its id; none if there is no such job."""
        if not JOB_ID.fullmatch(identity):
            return None
        if identity in self._ended:
            return self._ended[identity]
        folder = self._project.jobs / identity
        described = _json(folder / JOB)
        command = COMMANDS.get(described.get("command", ""))
        if command is None:
            return None
        ended = _json(folder / ENDED)
        job = Job(
            id=identity,
            command=command,
            line=described["line"],
            started=described["started"],
            state=_state(folder, command, described["started"], ended),
            code=ended.get("code"),
            ended=ended.get("at"),
            folder=folder,
            report=self._report(command, described["started"], ended.get("at") or _last_said(folder)),
        )
        if ended:
            self._ended[identity] = job
        return job

    def running(self) -> list[Job]:
        """Return the jobs that go on."""
        return [job for job in self.all() if job.is_running]

    def writing(self) -> Job | None:
        """Return the job that may be writing now."""
        return next((job for job in self.running() if job.command.writes), None)

    def newest(self, *keys: str) -> Job | None:
        """Return the newest job of these commands."""
        return next((job for job in self.all() if job.command.key in keys), None)

    def stop(self, job: Job) -> None:
        """Ask a job to finish what is in flight and end; started again, it resumes where it left off."""
        runners = _processes(job.folder)
        group = _group(job.folder)
        with suppress(ProcessLookupError):  # it has just ended
            for process in runners:
                os.kill(process, signal.SIGTERM)
            if group and not runners:
                os.killpg(group, signal.SIGTERM)

    def _report(self, command: Command, began: float, ended: float) -> str | None:
        """Return the report of what a job has run: of its kind, begun and ended while the job went on."""
        if command.mode is None:
            return None
        since, until = _moment(began), _moment(ended)
        while_it_ran = (
            item for item in self._reports.here() if item.started >= since and item.ended <= until
        )
        found = newest_of(while_it_ran, (command.mode,), sample=command.sample)
        return found.id if found else None


def _state(folder: Path, command: Command, started: float, ended: dict[str, Any]) -> str:
    if ended:
        if ended["why"] == REFUSED:
            return "refused"
        return "done" if ended["code"] in command.fine else "failed"
    if _is_held(folder / LOCK) or _group(folder):
        return "running"
    if not (folder / LOG).exists() and time.time() - started < _STARTING_SECONDS:
        return "running"
    # between the two looks it may have ended
    again = _json(folder / ENDED)
    return _state(folder, command, started, again) if again else "killed"


def _is_held(path: Path) -> bool:
    lock = FileLock(path, timeout=0)
    try:
        with lock:
            return False
    except Timeout:
        return True


def _group(folder: Path) -> int | None:
    """Return the process group that does a job's work; none when it has ended, and its number may be somebody else's."""
    kept = _json(folder / GROUP)
    try:
        os.killpg(kept["group"], 0)  # quick, and nearly always the answer
    except (KeyError, ProcessLookupError, PermissionError):
        return None
    group = int(kept["group"])
    members = [
        item for item in psutil.process_iter(["status", "create_time"]) if _group_of(item.pid) == group
    ]
    others = (
        abs(item.info["create_time"] - kept["began"]) > _SAME_SECONDS for item in members if item.pid == group
    )
    if any(others) or all(item.info["status"] == psutil.STATUS_ZOMBIE for item in members):
        return None
    return group


def _group_of(process: int) -> int | None:
    try:
        return os.getpgid(process)
    except ProcessLookupError:
        return None


def _processes(folder: Path) -> list[int]:
    """Return the runners of a folder, by what they were started with."""
    wanted = ["migration_console.runner", str(folder)]
    found = []
    for process in psutil.process_iter(["cmdline"]):
        words = process.info["cmdline"] or []
        if words[-2:] == wanted:
            found.append(process.pid)
    return found


def _last_said(folder: Path) -> float:
    """Return when a job said something last: one that was killed has written no report afterwards."""
    try:
        return (folder / LOG).stat().st_mtime
    except FileNotFoundError:
        return 0.0


def _moment(seconds: float) -> str:
    """Return a moment as reports write it."""
    return f"{datetime.fromtimestamp(seconds, tz=UTC):%Y-%m-%dT%H:%M:%SZ}"


def _json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, json.JSONDecodeError):
        return {}
    return found if isinstance(found, dict) else {}
