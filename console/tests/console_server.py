"""A console on a folder that looks like a project, served over real HTTP."""

from __future__ import annotations

import json
import socket
import threading
import time
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any

import requests
import uvicorn

from migration_console.app import Console
from migration_console.console import Clinic
from migration_console.project import Project
from migration_console.runner import ENDED, JOB, LOG
from migration_console.security import Guard
from target_highlevel.report.verdict import ending

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

ENVIRONMENT = "sandbox"
MAPPING = """# What the clinic confirms.
custom_fields:
  # Named one by one.
  named: {}
  recognise: []   # patterns
"""


class Browser:
    """A client of the console that keeps cookies."""

    def __init__(self, guard: Guard, clinic: Clinic) -> None:
        """Begin outside; `enter` opens the link."""
        self.guard = guard
        self.clinic = clinic
        self.base = f"http://127.0.0.1:{guard.port}"
        self.session = requests.Session()

    def enter(self) -> Browser:
        """Open the link that the console printed."""
        assert self.session.get(self.guard.link, timeout=10).status_code == 200
        return self

    @property
    def csrf(self) -> str:
        """Return what forms of this session carry."""
        return self.guard.csrf(self.session.cookies[self.guard.cookie])

    def get(self, path: str, **options: Any) -> requests.Response:
        """Read a page of the clinic; the server closes the connection of one that failed, so nothing else is to follow."""
        answer = self.session.get(f"{self.base}/{ENVIRONMENT}/{path}", timeout=10, **options)
        assert answer.status_code != 500, path
        return answer

    def post(self, path: str, fields: Mapping[str, str], **options: Any) -> requests.Response:
        """Send a form of the clinic, with its token and what its page has seen unless it has them."""
        held = self.clinic.mapping if path.startswith("decide/") else self.clinic.signatures
        given = {"csrf": self.csrf, "seen": held.version, **fields} if self.session.cookies else dict(fields)
        return self.session.post(
            f"{self.base}/{ENVIRONMENT}/{path}", data=given, timeout=10, allow_redirects=False, **options
        )


def a_patient(value: str) -> dict[str, Any]:
    """Return a patient of a sheet of whom everything says this."""
    field = {"name": "city", "label": value, "cliniko": [{"field": value, "value": value}], "rule": value,
             "kind": "planned", "how": value, "wanted": value, "highlevel": value}  # fmt: skip
    block = {"ref": "contact:patients/7", "object": "contact", "kind": value, "source": value, "title": value,
             "outcome": "", "fields": [field]}  # fmt: skip
    missing = {"source": value, "kind": value, "meaning": value, "next_step": value}
    unused = {"list": value, "why": value, "fields": [value]}
    return {
        "patient": "patients/7",
        "name": value,
        "blocks": [block],
        "missing": [missing],
        "unused": [unused],
    }


@contextmanager
def serving(root: Path, *others: str, problems: Sequence[str] = (), **variables: str) -> Iterator[Browser]:
    """Serve a project of this folder, and other clinics; whoever is yielded has not opened the link yet."""
    (root / "mapping.yml").write_text(MAPPING, encoding="utf-8")
    given = {"TARGET_HIGHLEVEL_MAPPING": str(root / "mapping.yml"), **variables}
    clinic = Clinic(Project.of(root, ENVIRONMENT, given))
    listening = socket.socket(proto=socket.IPPROTO_TCP)
    listening.bind(("127.0.0.1", 0))
    guard = Guard(listening.getsockname()[1])
    beside = {name: Clinic(Project(root, name, given, one_of_many=True)) for name in others}
    application = Console({ENVIRONMENT: clinic, **beside}, guard, problems).application()
    server = uvicorn.Server(
        uvicorn.Config(application, log_level="critical", access_log=False, timeout_graceful_shutdown=1)
    )
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    try:
        while not server.started:
            time.sleep(0.01)
        yield Browser(guard, clinic)
    finally:
        server.should_exit = True
        thread.join()


def a_job(root: Path, command: str, began: str, code: int | None = 0, **more: Any) -> Path:
    """Write a job as it is left when it has ended; return its folder.

    Args:
        root: folder of the project
        command: its key
        began: when, as reports write it; it takes a second
        code: exit code of Meltano; none when it was killed
        more: what else is in its description, and as `said` what it said
    """
    moment = datetime.fromisoformat(began)
    identity = f"{moment:%Y%m%dT%H%M%S}-{command.encode().hex()[:8]:0>8}"
    folder = root / "data" / ENVIRONMENT / "console" / "jobs" / identity
    folder.mkdir(parents=True)
    (folder / LOG).write_text(more.pop("said", ""), encoding="utf-8")
    described = {
        "command": command,
        "line": "",
        "started": moment.timestamp(),
        "writes": False,
    }
    (folder / JOB).write_text(json.dumps(described | more), encoding="utf-8")
    if code is not None:
        ended = {"code": code, "why": "", "at": moment.timestamp() + 1}
        (folder / ENDED).write_text(json.dumps(ended), encoding="utf-8")
    return folder


def a_report(root: Path, run: str, **content: Any) -> Path:
    """Write a report as a run leaves it; return its folder."""
    folder = root / "data" / ENVIRONMENT / "reports" / run
    folder.mkdir(parents=True)
    totals = dict.fromkeys(("source", "created", "updated", "unchanged", "filtered", "held", "rejected"), 0)
    moment = f"{run[:4]}-{run[4:6]}-{run[6:8]}T{run[9:11]}:{run[11:13]}:{run[13:15]}Z"
    described: dict[str, Any] = {
        "kind": "run",
        "run_id": run,
        "mode": "load",
        "started_at": moment,
        "ended_at": moment,
        "ended_early": False,
        **ending(content.get("exit_code", 0)),
        "exit_code": 0,
        "sample": None,
        "error": "",
        "shows_values": False,
        "objects": [],
        "totals": totals,
        "rejects": [],
        "differences": None,
        "verification": None,
        "plan": None,
        "verdict": {"tone": "good", "sentence": "Everything is in HighLevel."},
        "to_do": [],
    }
    (folder / "report.json").write_text(json.dumps(described | content), encoding="utf-8")
    (folder / "report.html").write_text("<!doctype html><title>Report</title>", encoding="utf-8")
    return folder
