"""One run at a time per sub-account, by a lock that dies with its process."""

from __future__ import annotations

import fcntl
import hashlib
import time
from typing import TYPE_CHECKING

import sqlalchemy as sa

from target_highlevel.errors import SettingsError

if TYPE_CHECKING:
    from pathlib import Path

#: PostgreSQL drops the lock of a killed process when it notices the closed connection: give it a moment.
_TRIES = 20
_PAUSE = 0.1

_BUSY = "another run is writing to this sub-account with the same ledger; wait for it to end, then run again"


class FileLock:
    """An advisory lock on a file beside a SQLite ledger; the kernel drops it when the process ends, however it ends."""

    def __init__(self, path: Path) -> None:
        """Take the lock.

        Raises:
            SettingsError: another process holds it.
        """
        self._file = path.open("a")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._file.close()
            raise SettingsError(_BUSY) from None

    def close(self) -> None:
        """Give the lock back."""
        self._file.close()


class PostgresLock:
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

    def _taken(self) -> bool:
        query = sa.text("select pg_try_advisory_lock(:key)")
        with self._connection.begin():  # an open transaction would keep the whole database from being tidied
            return bool(self._connection.execute(query, {"key": self._key}).scalar())

    def close(self) -> None:
        """Do nothing: the lock goes with the connection."""


class NoLock:
    """The lock of a ledger in memory: nobody else can reach it."""

    def close(self) -> None:
        """Do nothing."""
