"""One request window for all processes of a machine that use the same sub-account, at the same time or in turn.

HighLevel counts the requests of a sub-account, whoever sends them: a load, a verification and a command may run
at once. So the places of the window lie in a small file that only its owner can read: first the moment until
which nothing may be sent, then for each place the moment at which it is free again and the process that holds
it. Moments are those of the machine's monotonic clock. A request under way keeps its place without end, unless
its process is gone: then it is free one window after that was noticed.

The file can be lost or full of nonsense at any time; where it cannot be used, a process keeps to its own count.
"""

from __future__ import annotations

import hashlib
import logging
import os
import socket
import struct
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout
from platformdirs import user_cache_path

from target_highlevel.http.addresses import origin

if TYPE_CHECKING:
    from collections.abc import Iterator

    from target_highlevel.http.governor import Limits

logger = logging.getLogger(__name__)

#: More than that only a sandbox is asked for, whose window nobody has to keep.
MOST_PLACES = 1000
#: How long a request may be under way at most, a large file on a slow line included.
_LONGEST_REQUEST = 1800.0
_LONGEST_CLOSURE = 300.0
#: A process reads the clock and then waits for the file: another may have written a later moment meanwhile.
_SLACK = 60.0
_LOCK_SECONDS = 5.0
_HEADER = struct.Struct("<d")
_ENTRY = struct.Struct("<dq")


@dataclass(frozen=True, slots=True)
class Place:
    """A place that this process holds: its number in the file, and until when."""

    number: int
    until: float


#: What a process holds that counts for itself only.
UNSHARED = Place(-1, 0.0)


@dataclass(frozen=True, slots=True)
class _Entry:
    until: float
    pid: int


class SharedWindow:
    """The places of one sub-account's window. Threads may share it; so may processes, each with an object of its own."""

    def __init__(self, path: Path, limit: int, seconds: float, transit: float = 0.2) -> None:
        """Name the file, which is opened for each request, so that nobody minds when it is removed.

        Args:
            path: the file
            limit: how many places this process allows to be taken
            seconds: length of the window
            transit: by how many seconds the way to HighLevel may vary
        """
        self.path = path
        self.limit = limit
        self._window = seconds + transit
        self._pid = os.getpid()
        self._lock = FileLock(f"{path}.lock", timeout=_LOCK_SECONDS, mode=0o600, poll_interval=0.002)
        self._alone = False

    @classmethod
    def of(cls, api_url: str, location: str, limits: Limits) -> SharedWindow | None:
        """Return the window of a sub-account on this machine; None where it has too many places to be kept."""
        if limits.requests > MOST_PLACES:
            return None
        seed = "\n".join((socket.gethostname(), *map(str, origin(api_url)), location))
        name = hashlib.sha256(seed.encode()).hexdigest()[:32]
        return cls(_folder() / f"{name}.window", limits.requests, limits.seconds, limits.transit)

    def take(self, now: float) -> Place | float:
        """Take a place, or return how many seconds to wait before asking again."""
        with self._going_alone_on_failure():
            if not self._alone:
                with self._opened() as file:
                    return self._place(file, now)
        return UNSHARED

    def free_at(self, place: Place, moment: float, now: float) -> Place:
        """Say that a place is free sooner than was noted: the request has left, was answered, or never left.

        Once that moment has passed the place may be somebody else's; then there is nothing left to say.
        """
        if not self._alone and place is not UNSHARED:
            with self._going_alone_on_failure(), self._opened() as file:
                _, entries = self._read(file, now)
                if entries[place.number : place.number + 1] == [_Entry(place.until, self._pid)]:
                    _write(file, place.number, _Entry(moment, self._pid))
                    return Place(place.number, moment)
        return place

    def close_until(self, moment: float, now: float) -> None:
        """Hold every process back: HighLevel said that the budget is spent."""
        if not self._alone:
            with self._going_alone_on_failure(), self._opened() as file:
                closed, _ = self._read(file, now)
                os.pwrite(file, _HEADER.pack(max(closed, moment)), 0)

    def taken_by_others(self, now: float) -> int:
        """Return how many places other processes of this machine hold."""
        with self._going_alone_on_failure():
            if not self._alone:
                with self._opened() as file:
                    _, entries = self._read(file, now)
                return sum(entry.until > now and entry.pid != self._pid for entry in entries)
        return 0

    def _place(self, file: int, now: float) -> Place | float:
        closed, entries = self._read(file, now)
        if closed > now:
            return closed - now
        taken = sorted(entry.until for entry in entries if entry.until > now)
        if len(taken) >= self.limit:
            # what is still under way is free one window after it has left at the earliest: ask again before
            return min(taken[len(taken) - self.limit] - now, self._window / 10)
        free = next((number for number, entry in enumerate(entries) if entry.until <= now), len(entries))
        place = Place(free, now + _LONGEST_REQUEST)
        _write(file, place.number, _Entry(place.until, self._pid))
        return place

    def _read(self, file: int, now: float) -> tuple[float, list[_Entry]]:
        """Read all moments; one that nobody can have written, or from before a restart, counts as past."""
        content = os.pread(file, _HEADER.size + MOST_PLACES * _ENTRY.size, 0)
        if len(content) < _HEADER.size:
            return 0.0, []
        (closed,) = _HEADER.unpack_from(content)
        whole = (len(content) - _HEADER.size) // _ENTRY.size * _ENTRY.size
        found = _ENTRY.iter_unpack(content[_HEADER.size : _HEADER.size + whole])
        entries = [
            self._known(file, number, _Entry(until, pid), now) for number, (until, pid) in enumerate(found)
        ]
        return (closed if closed <= now + _LONGEST_CLOSURE + _SLACK else 0.0), entries

    def _known(self, file: int, number: int, entry: _Entry, now: float) -> _Entry:
        if not entry.until <= now + _LONGEST_REQUEST + _SLACK:  # nor is `nan`
            return _Entry(0.0, 0)
        if entry.until > now + self._window and not _is_alive(entry.pid):
            entry = _Entry(now + self._window, entry.pid)
            _write(file, number, entry)
        return entry

    @contextmanager
    def _opened(self) -> Iterator[int]:
        """Open the file for one process at a time."""
        with self._lock:
            file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            try:
                yield file
            finally:
                os.close(file)

    @contextmanager
    def _going_alone_on_failure(self) -> Iterator[None]:
        """Keep to this process's own count, and say so, when the file cannot be used."""
        try:
            yield
        except (OSError, Timeout) as error:
            self._alone = True
            logger.warning(
                "highlevel.budget_not_shared file=%s error=%s: other runs on this machine are not seen",
                self.path,
                getattr(error, "strerror", None) or type(error).__name__,
            )


def _folder() -> Path:
    """Return a folder of this user's own; without a home, one in the folder for temporary files."""
    try:
        folder = user_cache_path("target-highlevel")
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if os.access(folder, os.W_OK):
            return folder
    except (OSError, RuntimeError):
        pass
    folder = Path(tempfile.gettempdir(), f"target-highlevel-{os.getuid()}")
    folder.mkdir(exist_ok=True, mode=0o700)
    return folder


def _is_alive(pid: int) -> bool:
    if pid <= 0:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return True


def _write(file: int, number: int, entry: _Entry) -> None:
    os.pwrite(file, _ENTRY.pack(entry.until, entry.pid), _HEADER.size + number * _ENTRY.size)
