"""Runs a command that ends with whoever started it: `python guard.py LOCK COMMAND...`.

Airflow's task may be killed at any moment, by the kernel when memory runs out for one. Nobody could then end the Meltano that it
had started: it would go on, and its next try would meet it. So this process stands between the two. Whoever started it holds
the other end of its standard input, which the kernel closes with that process, however it ends.

As long as the command or anything that it has started lives, LOCK is locked. This file imports nothing of ours: it is started
for each command, by its path.
"""

from __future__ import annotations

import fcntl
import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

#: A run that is told to stop finishes what is in flight; the target promises to end within 30 s.
STOP_SECONDS = 60
#: For so long LOCK is waited for: whoever started this has waited before, and the command says itself who is in its way.
_LOCK_SECONDS = 1.0
_STDIN = 0


def main() -> int:
    """Run the command to its end, or to that of whoever started this; return its code."""
    lock, *command = sys.argv[1:]
    heard, said = os.pipe()
    os.set_blocking(said, False)
    signal.set_wakeup_fd(said)
    for number in (signal.SIGCHLD, signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: None)  # it is heard through the pipe
    with Path(lock).open("wb") as held:
        deadline = time.monotonic() + _LOCK_SECONDS
        while not _is_taken(held.fileno()) and time.monotonic() < deadline:
            if _is_told_to_end(heard, 0.05):
                return 128 + signal.SIGTERM
        child = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True)  # noqa: S603
        while child.poll() is None:
            if _is_told_to_end(heard):
                break
        _end(child)
    # as a shell says it; a process cannot end as its child was ended
    return child.returncode if child.returncode >= 0 else 128 - child.returncode


def _is_taken(lock: int) -> bool:
    """Lock a file; return whether nobody else has it."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_told_to_end(heard: int, seconds: float | None = None) -> bool:
    """Wait for a signal, or for the end of whoever started this; return whether the command is to end."""
    ready, _, _ = select.select([_STDIN, heard], [], [], seconds)
    return _STDIN in ready or (heard in ready and bool({*os.read(heard, 64)} - {signal.SIGCHLD}))


def _end(child: subprocess.Popen[bytes]) -> None:
    """Leave no process behind: also none that a killed Meltano has started."""
    if _tell_all(child.pid, signal.SIGTERM) and not _gone_within(child, STOP_SECONDS):
        _tell_all(child.pid, signal.SIGKILL)
    child.wait()


def _gone_within(child: subprocess.Popen[bytes], seconds: float) -> bool:
    """Wait for the command and all that it has started; return whether they have ended."""
    deadline = time.monotonic() + seconds
    while child.poll() is None or (_tell_all(child.pid, 0) and _lives(child.pid)):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def _tell_all(group: int, signum: int) -> bool:
    """Send a signal to all of a group of processes; return whether anybody was there."""
    try:
        os.killpg(group, signum)
    except (ProcessLookupError, PermissionError):  # macOS: only one that has ended and was not waited for
        return False
    return True


def _lives(group: int) -> bool:
    """Return whether one of a group of processes lives: where no init waits for orphans, those that have ended stay listed."""
    found = [_state_and_group(path) for path in Path("/proc").glob("[0-9]*/stat")]
    return not found or any(state != "Z" for state, its in found if its == str(group))


def _state_and_group(path: Path) -> tuple[str, str]:
    try:
        state, _, group = path.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[:3]
    except (OSError, ValueError):  # it has ended meanwhile
        return "Z", ""
    return state, group


if __name__ == "__main__":
    sys.exit(main())
