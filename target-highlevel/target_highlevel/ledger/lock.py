"""One run at a time per sub-account, by a lock that dies with its process."""

from __future__ import annotations

import hashlib
import os
import socket
import threading
import time
import uuid
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from filelock import FileLock, Timeout

from target_highlevel.errors import SettingsError

#: PostgreSQL drops the lock of a killed process when it notices the closed connection: give it a moment.
_TRIES = 20
_PAUSE = 0.1

#: How often a second connection looks whether it is given the first one's session.
_LOOKS = 3

_POOLED = (
    "ledger_url: leads through a pooler that shares sessions between transactions; a ledger needs a session of its own."
    " Use the server's own address, or the pooler's in session mode"
)

#: Of two numbers with a blank between them.
_LENGTH = 41

_BUSY = "another run is writing to this sub-account with the same ledger; wait for it to end, then run again"


class LedgerLock:
    """An advisory lock on a file beside a SQLite ledger; the kernel drops it when the process ends, however it ends.

    It lies beside the real file: a symbolic link to a ledger leads to the same lock. So does what tells how far the ledger that
    was last in this place had come, to the entry: one put back from a backup, be it of a moment in the middle of the run that was
    killed, has not come so far.
    """

    def __init__(self, ledger: Path, location: str) -> None:
        """Take the lock.

        Raises:
            SettingsError: another process holds it.
        """
        real = ledger.resolve()
        # a lock may be given back by another thread than the one that took it
        self._lock = FileLock(real.with_name(f"{real.name}.{location}.lock"), timeout=0, thread_local=False)
        try:
            self._lock.acquire()
        except Timeout:
            raise SettingsError(_BUSY) from None
        flags = os.O_RDWR | os.O_CREAT
        self._come = os.open(real.with_name(f"{real.name}.{location}.runs"), flags, 0o600)
        self._counter, self._entry = self.come
        self._mutex = threading.Lock()
        self._is_closed = False

    @property
    def come(self) -> tuple[int, int]:
        """Return how far the ledger in this place had come: the counter of its runs, and the newest entry of its audit trail.

        The entry is the newest one about this sub-account. Zeros when nobody knows.
        """
        try:
            counter, entry, *_ = [*map(int, os.pread(self._come, _LENGTH, 0).split()), 0, 0]
        except ValueError:
            return 0, 0
        return counter, entry

    def begin(self, counter: int) -> None:
        """Keep the counter of a run; its entries are to come."""
        with self._mutex:
            self._counter, self._entry = counter, 0
            self._write()

    def keep(self, entry: int) -> None:
        """Keep the number of an entry; of several threads that write one each, the newest stays."""
        with self._mutex:
            if entry > self._entry:
                self._entry = entry
                self._write()

    def _write(self) -> None:
        """Leave the old or the new when killed: it is one short write of one length."""
        os.pwrite(self._come, f"{self._counter:020d} {self._entry:020d}\n".encode("ascii"), 0)

    def origin(self, _connection: sa.Connection) -> str:
        """Return what a copy of the whole folder does not share: the number of the file beside the ledger."""
        return str(os.fstat(self._come).st_ino)

    def close(self) -> None:
        """Give the lock back."""
        if not self._is_closed:
            self._is_closed = True
            os.close(self._come)
        self._lock.release()


class _NoPlace:
    """A lock of a ledger that is no file: what its server puts back, or what is in memory, has no place beside it."""

    come = (0, 0)

    def begin(self, counter: int) -> None:
        """Keep nothing."""

    def keep(self, entry: int) -> None:
        """Keep nothing."""

    def origin(self, _connection: sa.Connection) -> str:
        """Return the same for all: what is in memory is not copied."""
        return ""


class PostgresLock(_NoPlace):
    """A session-level advisory lock on the ledger's own connection, with which it ends.

    A connection kept for the lock alone would be idle for hours, and whatever closed it would let a second run in.
    """

    def __init__(self, connection: sa.Connection, location: str) -> None:
        """Take the lock.

        Raises:
            SettingsError: another session holds it.
        """
        self._connection = connection
        self._key = int.from_bytes(
            hashlib.blake2b(location.encode(), digest_size=8).digest(), "big", signed=True
        )
        for _ in range(_TRIES):
            if self._taken():
                return
            time.sleep(_PAUSE)
        raise SettingsError(_BUSY)

    def origin(self, connection: sa.Connection) -> str:
        """Return what a database that was put back does not share with the one before: its tables, or the server's timeline."""
        table = connection.execute(sa.text("select to_regclass('audit')::oid")).scalar()
        timeline = None
        with suppress(sa.exc.DBAPIError), connection.begin_nested():  # a hosted server may keep it to itself
            timeline = connection.execute(sa.text("select timeline_id from pg_control_checkpoint()")).scalar()
        return f"{table} {timeline}"

    def _taken(self) -> bool:
        query = sa.text("select pg_try_advisory_lock(:key)")
        with self._connection.begin():  # an open transaction would keep the whole database from being tidied
            return bool(self._connection.execute(query, {"key": self._key}).scalar())

    def close(self) -> None:
        """Do nothing: the lock goes with the connection."""


def check_session(connection: sa.Connection) -> None:
    """See that a connection keeps its session, before a lock is left in one that goes to somebody else.

    A pooler tells its clients made-up process ids. Then a second connection, in a transaction of its own, is given the
    session that the first has just left, or takes its place, unless the pooler keeps sessions for as long as connections.

    Raises:
        SettingsError: a pooler gives the session away between two transactions.
    """
    driver: Any = connection.connection.driver_connection
    session = _session(connection)
    if driver.info.backend_pid == session:
        return
    with connection.engine.connect() as second:
        for _ in range(_LOOKS):
            with second.begin():
                if _session(second, begin=False) == session or _session(connection) != session:
                    raise SettingsError(_POOLED)


def _session(connection: sa.Connection, *, begin: bool = True) -> int:
    """Return the process of the server that works for a connection."""
    with connection.begin() if begin else nullcontext():
        return int(connection.execute(sa.text("select pg_backend_pid()")).scalar() or 0)


class NoLock(_NoPlace):
    """Of a ledger that is only read, or only opened."""

    def close(self) -> None:
        """Do nothing."""


def machine() -> str:
    """Return what tells this machine, and on it this user, from others."""
    try:
        identity = Path("/etc/machine-id").read_text(encoding="ascii").strip()
    except OSError:
        identity = ""
    return f"{identity or uuid.getnode()} {socket.gethostname()} {os.getuid()}"
