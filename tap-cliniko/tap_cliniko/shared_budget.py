"""One budget for all processes of a machine that use the same key, one after another or at the same time.

Cliniko counts the requests of the last minute, whoever sent them. So the places of the budget lie in a small
file of the system's folder for temporary files: first the moment until which nothing may be sent, then for
each place the moment at which it is free again, each a double on the machine's monotonic clock. A place is
taken for as long as a request can last and a window more; its answer shortens that. A process that dies
gives its place back in this way too.

The file can be lost or full of nonsense at any time: then a process keeps to its own count, as if alone.
"""

from __future__ import annotations

import errno
import hashlib
import logging
import os
import struct
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from filelock import FileLock

from tap_cliniko.api_key import without_shard
from tap_cliniko.deadline import LONGEST_EXCHANGE

if TYPE_CHECKING:
    from collections.abc import Iterator

logger = logging.getLogger("tap-cliniko")

GRANTED = 200
"""The requests a minute that Cliniko answers one user (API documentation, "Rate limiting")."""

_LONGEST_REQUEST = LONGEST_EXCHANGE + 5.0  # and a little
_LONGEST_CLOSURE = 62.0
_LONGEST_TURN = 60.0  # another process waits so long for the file, and its idea of now is as old by then
_MOMENT = struct.Struct("<d")
_MOST_PLACES = 1000


@dataclass(frozen=True, slots=True)
class Place:
    """A place that is taken: its number in the file, and until when."""

    number: int
    until: float


UNSHARED = Place(-1, 0.0)
"""What a process holds that counts for itself only."""


class SharedBudget:
    """The places of one key's budget, in a file that only its owner can read and that is named by a hash."""

    def __init__(self, path: Path, limit: int, window: float = 60.0) -> None:
        """Name the file; it is opened for each request, so that nobody minds when it is removed."""
        self.path = path
        self.limit = limit
        self.window = window
        self._alone = False

    @classmethod
    def of(cls, base: str, api_key: str, limit: int) -> SharedBudget:
        """Find the budget of a key at an account."""
        seed = f"{urlsplit(base).netloc.lower()}\n{without_shard(api_key)}"
        name = hashlib.sha256(seed.encode()).hexdigest()[:32]
        return cls(Path(tempfile.gettempdir(), f"tap-cliniko-{name}.budget"), limit)

    def take(self, now: float) -> Place | float:
        """Take a place, or return how long to wait before asking again."""
        with self._going_alone_on_failure():
            if not self._alone:
                with self._opened() as file:
                    return self._place(file, now)
        return UNSHARED

    def answered(self, place: Place, now: float) -> None:
        """Free the place a window after the answer; if somebody else holds it by now, note it elsewhere."""
        if self._alone or place is UNSHARED:
            return
        with self._going_alone_on_failure(), self._opened() as file:
            _, *places = self._read(file, now)
            mine = place.number < len(places) and places[place.number] == place.until
            _write(file, (place.number if mine else _first_free(places, now)) + 1, now + self.window)

    def close_until(self, moment: float, now: float) -> None:
        """Hold every process back: the server said that the budget is spent."""
        if not self._alone:
            with self._going_alone_on_failure(), self._opened() as file:
                _write(file, 0, max(self._read(file, now)[0], moment))

    def _place(self, file: int, now: float) -> Place | float:
        closed, *places = self._read(file, now)
        if closed > now:
            return closed - now
        taken = sorted(until for until in places if until > now)
        if len(taken) >= self.limit:
            # what is still under way is not free before a whole window is over
            return min(taken[len(taken) - self.limit] - now, self.window)
        place = Place(_first_free(places, now), now + self.window + _LONGEST_REQUEST)
        _write(file, place.number + 1, place.until)
        return place

    def _read(self, file: int, now: float) -> list[float]:
        """Read the moments; one that nobody can have written, or from before a restart, counts as past.

        Whoever wrote a moment may have looked at the clock later than we did, before waiting for the file.
        """
        content = os.pread(file, (_MOST_PLACES + 1) * _MOMENT.size, 0)
        whole = len(content) // _MOMENT.size * _MOMENT.size
        closed, *places = [each for (each,) in _MOMENT.iter_unpack(content[:whole])] or [0.0]
        latest = now + self.window + _LONGEST_REQUEST + _LONGEST_TURN
        return [
            closed if closed <= now + _LONGEST_CLOSURE + _LONGEST_TURN else 0.0,
            *(until if until <= latest else 0.0 for until in places),
        ]

    @contextmanager
    def _opened(self) -> Iterator[int]:
        """Open the file for one process at a time."""
        with FileLock(f"{self.path}.lock", timeout=_LONGEST_TURN, mode=0o600, thread_local=False):
            file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            try:
                if os.fstat(file).st_uid != os.geteuid():  # anybody can put a file there, to hold us back
                    raise PermissionError(errno.EPERM, "it is another user's")
                yield file
            finally:
                os.close(file)

    @contextmanager
    def _going_alone_on_failure(self) -> Iterator[None]:
        """Keep to this process's own count, and say so, when the file cannot be used."""
        try:
            yield
        except OSError as error:
            self._alone = True
            logger.warning(
                "the request budget is not shared with other runs: %s: %s",
                self.path,
                error.strerror or type(error).__name__,
            )


def _first_free(places: list[float], now: float) -> int:
    return next((number for number, until in enumerate(places) if not until > now), len(places))


def _write(file: int, number: int, moment: float) -> None:
    os.pwrite(file, _MOMENT.pack(moment), number * _MOMENT.size)
