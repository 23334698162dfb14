"""A clinic's lines as the tap emits them, and the real target process that loads them into the sandbox."""

from __future__ import annotations

import atexit
import csv
import json
import os
import pickle
import shutil
import signal
import socket
import subprocess
import sys
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import hl_snapshots
import psutil
from filelock import FileLock

from sandbox import Sandbox
from target_highlevel.settings import settings_from

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from target_highlevel.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
TARGET = [BIN / "target-highlevel"]

#: Streams that the tap reads again in a resumed run: those in full in every run, and groups, of whom it reads again the
#: attendances (an archived group overrides the state of every place in it).
REFERENCE = frozenset(
    {
        "public_settings", "businesses", "users", "practitioners", "taxes", "billable_items", "products", "concession_types",
        "daily_availabilities", "services", "unavailable_block_types", "appointment_types", "appointment_type_billable_items",
        "appointment_type_products", "contacts",
        "referral_source_types", "recall_types", "group_appointments",
    }
)  # fmt: skip

_PEOPLE = frozenset({"patients", "practitioners", "users", "businesses", "contacts", "appointment_types"})


def a_sandbox(patients: int = 5, **highlevel: Any) -> Sandbox:
    """Return a sandbox without rate limits, whose search lags a little."""
    return Sandbox(
        seed=1,
        patients=patients,
        cliniko={"requests_per_minute": 0},
        highlevel={"burst_limit": 100_000, "search_lag": 0.2, **highlevel},
    )


def thin_out(sandbox: Sandbox, most: int) -> None:
    """Leave so many rows of each list of the clinic but for the people: something of every kind, and little of it."""
    account = sandbox.cliniko.account
    for name, table in account.tables.items():
        for row in table.rows()[most:] if name not in _PEOPLE else ():
            if row["id"] in table:  # it may have gone with what it belonged to
                account.delete(name, row["id"])
    del account.services[most:]


def tap_lines(sandbox: Sandbox, folder: Path, state: str | None = None, **more: str) -> list[str]:
    """Return everything the real tap says about the sandbox's clinic, or what it says after a state."""
    env = {**tap_environment(sandbox, folder), **more}
    command = ["tap-cliniko", "--config", "ENV"]
    if state is not None:
        folder.joinpath("state.json").write_text(state, encoding="utf-8")
        command += ["--state", str(folder / "state.json")]
    output, log = folder / "tap.singer", folder / "tap.log"
    with Path(os.devnull).open("rb") as stdin, output.open("wb") as stdout, log.open("wb") as stderr:
        code = ready_process().run(command, env, [stdin.fileno(), stdout.fileno(), stderr.fileno()])
    assert code == 0, log.read_text(encoding="utf-8")[-2000:]
    return output.read_text(encoding="utf-8").splitlines()


def tap_environment(sandbox: Sandbox, folder: Path) -> dict[str, str]:
    """Return the variables of a tap that reads the sandbox's clinic."""
    return {
        **os.environ,
        "TAP_CLINIKO_API_KEY": sandbox.cliniko.api_key,
        "TAP_CLINIKO_API_URL": sandbox.cliniko.url,
        "TAP_CLINIKO_CONTACT_EMAIL": "tests@example.org",
        "TAP_CLINIKO_ATTACHMENTS_DIR": str(folder / "attachments"),
        "TAP_CLINIKO_REQUESTS_PER_MINUTE": "100000",
        "TAP_CLINIKO_LAG_SECONDS": "0",
    }


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

    #: Whether it reads, loads and verifies a clinic before it waits: worth its seconds where hundreds of runs follow.
    rehearses: ClassVar[bool] = False

    def __init__(self, seconds: float = 300) -> None:
        """Start it; a command that takes longer than this is an error."""
        self._channel, theirs = socket.socketpair()
        program = Path(__file__).with_name("hl_ready_process.py")
        paths = os.pathsep.join(str(each) for each in (ROOT, *sys.path) if each)
        self._process = subprocess.Popen(
            [sys.executable, program, str(theirs.fileno()), *["rehearse"] * self.rehearses],
            pass_fds=[theirs.fileno()],
            env={**os.environ, "PYTHONPATH": paths},
        )
        theirs.close()
        self._channel.settimeout(seconds)

    def run(self, command: list[str], environment: Mapping[str, str], streams: list[int]) -> int:
        """Run a command to its end; return its exit code, negative for a signal."""
        try:
            socket.send_fds(
                self._channel, [f"{json.dumps([command, dict(environment)])}\n".encode()], streams
            )
            return int(self._channel.recv(64))
        except BaseException:
            ready_process.cache_clear()  # an answer that comes later is not the next command's
            raise

    def kill(self, number: signal.Signals = signal.SIGKILL) -> None:
        """Kill the command that runs, if one does, or send it another signal."""
        for child in psutil.Process(self._process.pid).children():
            child.send_signal(number)

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


@dataclass
class Loader:
    """Runs target processes against one sandbox with one ledger."""

    sandbox: Sandbox
    folder: Path
    settings: dict[str, str] = field(default_factory=dict)
    #: Of which its processes are forks; by default the one that all share.
    process: ReadyProcess | None = None

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
            code = (self.process or ready_process()).run(command, self.environment(more), streams)
        return code, output.read_text(encoding="utf-8"), log.read_text(encoding="utf-8")

    def newest_report(self) -> dict[str, Any]:
        """Return the newest report.json, or nothing."""
        reports = sorted((self.folder / "reports").glob("*/report.json"))
        return json.loads(reports[-1].read_text()) if reports else {}

    def tool(self, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        """Run one of the commands around the load."""
        command = ["highlevel-tools", *arguments]
        return subprocess.CompletedProcess(command, *self._run(command, (), more))


def settings_of(loader: Loader, **more: Any) -> Settings:
    """Return the settings of a session in this process, on the loader's sub-account and ledger."""
    side = loader.sandbox.highlevel
    given = {
        "access_token": side.access_token,
        "location_id": side.location_id,
        "api_url": side.url,
        "fallback_owner": "frontdesk@example.org",
        "ledger_url": f"sqlite:///{loader.folder}/ledger.db",
        "report_dir": str(loader.folder / "reports"),
    }
    return settings_from({**given, **more})


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
    """Return all that HighLevel holds."""
    dump: dict[str, Any] = state.dump()
    return dump


@dataclass(frozen=True)
class Undisturbed:
    """What HighLevel holds after a load without any trouble."""

    sources: dict[str, set[str]]
    relations: int
    requests: int
    created: int
    dump: dict[str, Any]


class Clinic:
    """What the tap says of a clinic of some patients, and what becomes of it; each is made when it is first asked for."""

    def __init__(self, patients: int, folder: Path, most: int | None = None) -> None:
        """Keep it in a folder that all workers share; with at most so many rows of each list that is not of people."""
        self.patients, self.folder, self.most = patients, folder, most
        folder.mkdir(parents=True, exist_ok=True)

    @cached_property
    def lines(self) -> list[str]:
        """The messages of the tap."""
        self._once("lines.singer", self._read)
        return self.folder.joinpath("lines.singer").read_text(encoding="utf-8").splitlines()

    @cached_property
    def undisturbed(self) -> Undisturbed:
        """What a load of it leaves in HighLevel."""
        self._once("undisturbed.pickle", self._load)
        found: Undisturbed = pickle.loads(self.folder.joinpath("undisturbed.pickle").read_bytes())  # noqa: S301
        return found

    @property
    def sources(self) -> dict[str, set[str]]:
        """The source ids in HighLevel, by kind of object."""
        return self.undisturbed.sources

    @property
    def relations(self) -> int:
        """How many relations there are."""
        return self.undisturbed.relations

    @property
    def requests(self) -> int:
        """How many requests the load took, those for the schema among them."""
        return self.undisturbed.requests

    @property
    def created(self) -> int:
        """How many things the load created."""
        return self.undisturbed.created

    @property
    def dump(self) -> dict[str, Any]:
        """All that HighLevel holds, comparable."""
        return self.undisturbed.dump

    @cached_property
    def schema(self) -> Path:
        """A snapshot of a sub-account that has the schema and nothing else."""
        self._once("undisturbed.pickle", self._load)
        return self.folder / "schema"

    def restore(self, loader: Loader) -> None:
        """Put records, ledger and reports there as a load of this clinic leaves them, without loading it."""
        self._once("undisturbed.pickle", self._load)
        hl_snapshots.put(loader.sandbox, self.folder / "loaded")
        shutil.copytree(self.folder / "run", loader.folder, dirs_exist_ok=True)

    def _once(self, name: str, make: Callable[[], None]) -> None:
        with FileLock(self.folder / f"{name}.lock"):
            if not self.folder.joinpath(name).exists():
                make()

    def _read(self) -> None:
        with a_sandbox(self.patients) as sandbox:
            if self.most is not None:
                thin_out(sandbox, self.most)
            lines = tap_lines(sandbox, self.folder)
        self._write("lines.singer", "".join(f"{line}\n" for line in lines).encode())

    def _load(self) -> None:
        lines, run = self.lines, self.folder / "run"
        run.mkdir()
        with a_sandbox(self.patients) as sandbox:
            loaded = Loader(sandbox, run).load(lines)
            assert loaded.code in {0, 4}, loaded.log[-3000:]
            state = sandbox.highlevel.state
            assert not state.doubles()
            hl_snapshots.take(sandbox, self.folder / "loaded")
            hl_snapshots.take(sandbox, self.folder / "schema", hl_snapshots.SCHEMA)
            found = Undisturbed(
                sources={kind: set(found) for kind, found in state.sources().items()},
                relations=len(state.relations),
                requests=sandbox.highlevel.control.stats()["requests"],
                created=loaded.report["totals"]["created"],
                dump=content(state),
            )
        self._write("undisturbed.pickle", pickle.dumps(found))

    def _write(self, name: str, content: bytes) -> None:
        """Write a file that is there whole or not at all."""
        part = self.folder / f"{name}.part"
        part.write_bytes(content)
        part.rename(self.folder / name)
