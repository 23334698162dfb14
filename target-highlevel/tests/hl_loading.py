"""A clinic's lines as the tap emits them, and the real target process that loads them into the sandbox."""

from __future__ import annotations

import atexit
import csv
import json
import os
import socket
import subprocess
import sys
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

BIN = Path(sys.executable).parent
TARGET = [BIN / "target-highlevel"]

#: Streams that the tap reads in full in every run: a resumed run has them again.
REFERENCE = frozenset(
    {
        "public_settings", "users", "practitioners", "businesses", "taxes", "billable_items", "products", "concession_types",
        "appointment_types", "appointment_type_billable_items", "appointment_type_products", "contacts",
        "referral_source_types",
    }
)  # fmt: skip


def a_sandbox(patients: int = 5, **highlevel: Any) -> Sandbox:
    """Return a sandbox without rate limits, whose search lags a little."""
    return Sandbox(
        seed=1,
        patients=patients,
        cliniko={"requests_per_minute": 0},
        highlevel={"burst_limit": 100_000, "search_lag": 0.2, **highlevel},
    )


def tap_lines(sandbox: Sandbox, folder: Path, state: str | None = None) -> list[str]:
    """Return everything the real tap says about the sandbox's clinic, or what it says after a state."""
    env = {
        **os.environ,
        "TAP_CLINIKO_API_KEY": sandbox.cliniko.api_key,
        "TAP_CLINIKO_API_URL": sandbox.cliniko.url,
        "TAP_CLINIKO_CONTACT_EMAIL": "tests@example.org",
        "TAP_CLINIKO_ATTACHMENTS_DIR": str(folder / "attachments"),
        "TAP_CLINIKO_REQUESTS_PER_MINUTE": "100000",
        "TAP_CLINIKO_LAG_SECONDS": "0",
    }
    command: list[str | Path] = [BIN / "tap-cliniko", "--config", "ENV"]
    if state is not None:
        folder.joinpath("state.json").write_text(state, encoding="utf-8")
        command += ["--state", folder / "state.json"]
    done = subprocess.run(
        command,
        env=env,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout.splitlines()


def after_state(lines: Iterable[str], state: str | None) -> list[str]:
    """Return what the tap would say when it is started again from a state: reference data, and all that came after it."""
    lines = list(lines)
    position = -1
    if state is not None:
        wanted = json.loads(state)
        position = max(
            number
            for number, line in enumerate(lines)
            if '"type":"STATE"' in line.replace(" ", "") and json.loads(line)["value"] == wanted
        )
    kept = []
    for number, line in enumerate(lines):
        message = json.loads(line)
        if number > position or message["type"] == "SCHEMA" or message.get("stream") in REFERENCE:
            kept.append(line)
    return kept


class ReadyProcess:
    """A process with everything imported, of which each load and each command is a fork: see ``hl_ready_process``."""

    def __init__(self) -> None:
        """Start it."""
        self._channel, theirs = socket.socketpair()
        program = Path(__file__).with_name("hl_ready_process.py")
        self._process = subprocess.Popen(
            [sys.executable, program, str(theirs.fileno())], pass_fds=[theirs.fileno()]
        )
        theirs.close()
        self._channel.settimeout(300)

    def run(self, command: list[str], environment: Mapping[str, str], streams: list[int]) -> int:
        """Run a command to its end; return its exit code, negative for a signal."""
        socket.send_fds(self._channel, [f"{json.dumps([command, dict(environment)])}\n".encode()], streams)
        return int(self._channel.recv(64))

    def close(self) -> None:
        """End it."""
        self._channel.close()
        self._process.wait()


@cache
def ready_process() -> ReadyProcess:
    """Return the one ready process of this test run."""
    process = ReadyProcess()
    atexit.register(process.close)
    return process


@dataclass
class Loaded:
    """How a target process ended."""

    code: int
    states: list[str]
    log: str
    report: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Clinic:
    """What the tap said of a clinic, and how many of each thing HighLevel holds after an undisturbed load."""

    lines: list[str]
    sources: dict[str, set[str]]
    relations: int
    requests: int
    created: int
    dump: dict[str, Any]


@dataclass
class Loader:
    """Runs target processes against one sandbox with one ledger."""

    sandbox: Sandbox
    folder: Path
    settings: dict[str, str] = field(default_factory=dict)

    def environment(self, more: Mapping[str, str] | None = None) -> dict[str, str]:
        """Return the variables of a target process."""
        highlevel = self.sandbox.highlevel
        settings = {
            "ACCESS_TOKEN": highlevel.access_token,
            "AGENCY_TOKEN": highlevel.agency_token,
            "LOCATION_ID": highlevel.location_id,
            "API_URL": highlevel.url,
            "LEDGER_URL": f"sqlite:///{self.folder}/ledger.db",
            "REPORT_DIR": str(self.folder / "reports"),
            "FALLBACK_OWNER": "frontdesk@example.org",
            "REQUESTS_PER_10S": "20000",
            "REQUESTS_PER_DAY": "10000000",
            "SEARCH_LAG_SECONDS": "0.4",
            **self.settings,
            **(more or {}),
        }
        return {**os.environ, **{f"TARGET_HIGHLEVEL_{name}": value for name, value in settings.items()}}

    def start(
        self, lines: Iterable[str], more: Mapping[str, str] | None = None, stdin: int | None = None
    ) -> subprocess.Popen[str]:
        """Start a target on these lines, or on what will come through a pipe."""
        source = self.folder / "input.singer"
        source.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        with source.open(encoding="utf-8") as given:
            return subprocess.Popen(
                [*TARGET, "--config", "ENV"],
                env=self.environment(more),
                stdin=given if stdin is None else stdin,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )

    def load(self, lines: Iterable[str], **more: str) -> Loaded:
        """Run a target over these lines to its end."""
        code, output, log = self._run(["target-highlevel", "--config", "ENV"], lines, more)
        return Loaded(code, output.splitlines(), log, self.newest_report())

    def _run(self, command: list[str], lines: Iterable[str], more: Mapping[str, str]) -> tuple[int, str, str]:
        """Run a command with these lines as its input; return its exit code and what it said on both channels."""
        source, output, log = (self.folder / f"{name}.singer" for name in ("input", "output", "log"))
        source.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        with source.open("rb") as stdin, output.open("wb") as stdout, log.open("wb") as stderr:
            streams = [stdin.fileno(), stdout.fileno(), stderr.fileno()]
            code = ready_process().run(command, self.environment(more), streams)
        return code, output.read_text(encoding="utf-8"), log.read_text(encoding="utf-8")

    def newest_report(self) -> dict[str, Any]:
        """Return the newest report.json, or nothing."""
        reports = sorted((self.folder / "reports").glob("*/report.json"))
        return json.loads(reports[-1].read_text()) if reports else {}

    def tool(self, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        """Run one of the commands around the load."""
        command = ["highlevel-tools", *arguments]
        return subprocess.CompletedProcess(command, *self._run(command, (), more))


def fault(loader: Loader, method: str, path: str, action: str, **more: Any) -> None:
    """Let requests to a path fail: all of them, or those whose numbers are given as ``nth``."""
    nth = {"nth": more.pop("nth")} if "nth" in more else {}
    match = {"method": method, "path_regex": path, **nth}
    loader.sandbox.highlevel.control.add_fault({"match": match, "action": action, **more})


def rejects(loader: Loader) -> set[tuple[str, str]]:
    """Return (source, reason) of each reject of the newest run."""
    newest = max((loader.folder / "reports").glob("*/rejects.csv"))
    with newest.open(encoding="utf-8-sig", newline="") as file:
        return {(row["source"], row["reason"]) for row in csv.DictReader(file)}


def content(state: Any) -> dict[str, Any]:
    """Return all that HighLevel holds, but for who of a family has the address they share.

    Whose record comes in first decides that where the eldest is not among those at hand: a matter of moments.
    """
    dump: dict[str, Any] = state.dump()
    for contact in dump["contacts"]:
        contact["tags"] = [tag for tag in contact["tags"] if not tag.startswith("shared-")]
        contact.pop("email", None)
        contact.pop("phone", None)
    dump["contacts"].sort(key=lambda contact: json.dumps(contact, sort_keys=True))
    dump["schema"]["tags"] = [tag for tag in dump["schema"]["tags"] if not tag.startswith("shared-")]
    return dump
