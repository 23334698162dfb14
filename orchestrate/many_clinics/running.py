"""Running one command of Meltano for one clinic, with that clinic's secrets and nobody else's."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
import time
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from many_clinics import guard
from many_clinics.clinics import made_mapping
from many_clinics.meltano_project import as_text
from many_clinics.outcome import last_word
from many_clinics.references import SecretMissingError, resolve

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Self

    from many_clinics.clinics import Clinic

#: What a run takes over from the worker: never Airflow's own settings, nor what other clinics' secrets are kept in.
_INHERITED = frozenset({"PATH", "HOME", "USER", "LANG", "LC_ALL", "TZ", "TMPDIR"}) | {
    *("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE"),
    *("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy"),
}
#: Where traces and metrics of all clinics go (docs/observability.md); each names its own sub-account.
_TELEMETRY = "OTEL_"
_POSTGRES = "postgresql+psycopg"
_PLUGINS = ("extractors", "loaders", "mappers", "utilities")
_GUARD = Path(guard.__file__)
_KEPT_LINES = 200


def variables(
    clinic: Clinic,
    project: Path,
    lookups: Mapping[str, Callable[[str], str | None]],
    worker: Mapping[str, str],
) -> dict[str, str]:
    """Return the process environment of a clinic's commands.

    Raises:
        SecretMissingError: a secret is not where the file of clinics says, or the database's address is none.
    """
    database = _sqlalchemy_url(resolve(clinic.database, lookups), clinic.database)
    return {
        **{
            name: value for name, value in worker.items() if name in _INHERITED or name.startswith(_TELEMETRY)
        },
        **made_mapping(clinic, project),
        **{name: as_text(value) for name, value in clinic.settings.items()},
        **{name: resolve(where, lookups) for name, where in clinic.secrets.items()},
        "TARGET_HIGHLEVEL_LEDGER_URL": database,
        "MELTANO_DATABASE_URI": database,
        "MELTANO_ENVIRONMENT": clinic.environment,
        "MELTANO_SYS_DIR_ROOT": str(data(clinic, project) / "meltano"),
        "MELTANO_SEND_ANONYMOUS_USAGE_STATS": "false",
        "NO_COLOR": "1",
    }


def data(clinic: Clinic, project: Path) -> Path:
    """Return the folder of what a clinic's runs leave on this worker."""
    return project / "data" / clinic.environment


def lock(clinic: Clinic, project: Path) -> Path:
    """Return the file that is locked while a command of the clinic runs on this worker."""
    return data(clinic, project) / "meltano" / "running.lock"


def prepare(clinic: Clinic, project: Path) -> None:
    """Make the clinic's own folders on this worker: it may be the first time that the clinic runs here.

    What a killed task has left running is waited for: it has been told to end, and would hold the ledger against this one.

    Meltano keeps settings, catalog and state of a run in files, under names that two runs in one project would share.
    So each clinic has a system folder of its own, into which only the installed plugins are linked.
    """
    folder = data(clinic, project) / "meltano"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    for parent in (folder, folder.parent, folder.parent.parent):
        parent.chmod(0o700)
    _wait_for_others(lock(clinic, project))
    shutil.rmtree(folder / "run", ignore_errors=True)  # of a run that was killed: its settings hold secrets
    for name in _PLUGINS:
        link, installed = folder / name, project / ".meltano" / name
        if link.is_symlink() and link.readlink() != installed:  # the project has been moved since
            link.unlink()
        if not link.is_symlink():
            link.symlink_to(installed, target_is_directory=True)


def _wait_for_others(path: Path) -> None:
    """Return when nobody has locked this file, or some seconds after whoever has should have ended."""
    deadline = time.monotonic() + 1.5 * guard.STOP_SECONDS
    with path.open("wb") as held:
        while time.monotonic() < deadline:
            try:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                time.sleep(0.1)
            else:
                return


def _sqlalchemy_url(text: str, where: str) -> str:
    """Return a PostgreSQL URL with the driver that the project installs; Airflow's connections begin with postgres://.

    Without a server in it, all clinics whose reference is that wrong would meet in the worker's own database. And of a
    password with an @ in it, the second half would be taken for the server, and logged.

    Raises:
        SecretMissingError: it is no such URL.
    """
    scheme, separator, rest = text.strip().partition("://")
    if not separator or scheme.partition("+")[0] not in {"postgres", "postgresql"}:
        msg = f"{where} is not the address of a PostgreSQL database (postgresql://user:password@server/database)"
        raise SecretMissingError(msg)
    if rest.count("@") > 1:
        msg = f"{where} has more than one @; inside the user or the password write %40"
        raise SecretMissingError(msg)
    if not _names_server(rest.rpartition("@")[2]):
        msg = f"{where} names no server: postgresql://user:password@server/database, or ?host= with the folder of its socket"
        raise SecretMissingError(msg)
    return f"{_POSTGRES}://{rest}"


def _names_server(address: str) -> bool:
    """Return whether an address says where its server is: before the database's name, or in a parameter."""
    before, _, parameters = address.partition("?")
    return before.startswith("[") or bool(
        before.partition("/")[0].partition(":")[0] or "host" in parse_qs(parameters)
    )


class AloneError(Exception):
    """The process that started this one has ended, and with it whoever wanted to know how the step goes."""


class Running:
    """A command of Meltano that runs, with everything it has started.

    Between it and this process stands a guard (guard.py), which ends all of it when told to, or when this process is gone. And
    when the one that has started this process is gone, nobody hears any more how the command ends: the step is given up.
    """

    def __init__(
        self, arguments: Sequence[str], environment: Mapping[str, str], project: Path, lock: Path
    ) -> None:
        """Start it; a `.env` in the project's folder, which would be for all clinics, is not read.

        Args:
            arguments: what somebody would type after `meltano`
            environment: its process environment
            project: the project's folder
            lock: a file of the clinic that is locked for as long as anything of this lives
        """
        self._parent = os.getppid()
        meltano = project / ".venv" / "bin" / "meltano"
        self._process = subprocess.Popen(  # noqa: S603 - no argument comes from outside
            [sys.executable, "-I", "-S", _GUARD, lock, meltano, f"--env-file={os.devnull}", *arguments],
            cwd=project,
            env=dict(environment),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,
            umask=0o077,
        )

    def __enter__(self) -> Self:
        """Return it."""
        return self

    def __exit__(self, *_error: object) -> None:
        """Leave no process behind, however the block ended: also none that a killed Meltano has started."""
        self.stop()
        self._process.wait()
        if self._process.stdout:
            self._process.stdout.close()

    @property
    def ended(self) -> bool:
        """Return whether it has ended."""
        return self._process.poll() is not None

    def stop(self) -> None:
        """Tell it to end; it finishes what is in flight."""
        if self._process.stdin:
            self._process.stdin.close()

    def follow(self, tell: Callable[[str], None]) -> tuple[int, str]:
        """Pass on what it says, line by line; return its code and its last word when it has ended.

        Raises:
            AloneError: whoever started this process has ended before.
        """
        lines: deque[str] = deque(maxlen=_KEPT_LINES)
        for line in self._process.stdout or ():  # a line at least every ten seconds
            if os.getppid() != self._parent:
                raise AloneError
            lines.append(line.rstrip("\n"))
            tell(lines[-1])
        return last_word(lines, self._process.wait())
