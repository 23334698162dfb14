"""Count the files of the target that one patient's contact passes between intake and outcome, for docs/architecture.md.

Contacts are loaded into the sandbox by a target in this process. While the ledger takes one in, and while a writer writes it,
every file of the target in which a function is called is noted.
"""

from __future__ import annotations

import contextlib
import io
import os
import sys
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock

import measuring  # noqa: F401 - finds the helpers of the tests
from hl_loading import Loader, a_sandbox
from hl_mapped import person, schemas

import target_highlevel
from target_highlevel import target

if TYPE_CHECKING:
    from types import FrameType

PACKAGE = Path(target_highlevel.__file__).parent
INTAKE, WRITE = ("ledger/intake.py", "take"), ("engine/engine.py", "_write")
MOST = 15
#: The first of them also sets up the run and the sub-account; the one with the fewest files is counted.
PEOPLE = 20


class Way:
    """The files that records passed, noted by a profile hook in every thread."""

    def __init__(self) -> None:
        """Start with none."""
        self.intake: set[str] = set()
        self.writes: list[set[str]] = []
        self._thread = threading.local()

    def note(self, frame: FrameType, event: str, _argument: Any) -> None:
        """Take part as a profile hook."""
        path = Path(frame.f_code.co_filename)
        if event not in {"call", "return"} or not path.is_relative_to(PACKAGE):
            return
        name = path.relative_to(PACKAGE).as_posix()
        call = (name, frame.f_code.co_name)
        if call in {INTAKE, WRITE} and event == "call":
            self._thread.files = set()
        files: set[str] | None = getattr(self._thread, "files", None)
        if files is None:
            return
        files.add(name)
        if call in {INTAKE, WRITE} and event == "return":
            self._thread.files = None
            if call == INTAKE:
                self.intake |= files
            else:
                self.writes.append(files)


def load(loader: Loader, lines: list[str]) -> None:
    """Load lines with a target in this process, from its standard input as ever."""
    source = loader.folder / "lines.singer"
    source.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    kept = os.dup(0)
    with (
        source.open("rb") as given,
        mock.patch.dict(os.environ, loader.environment()),
        mock.patch.object(sys, "argv", ["target-highlevel", "--config", "ENV"]),
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.suppress(SystemExit),
    ):
        os.dup2(given.fileno(), 0)
        with os.fdopen(os.dup(0), encoding="utf-8") as stdin, mock.patch.object(sys, "stdin", stdin):
            target.main()
    os.dup2(kept, 0)


def files_passed() -> list[str]:
    """Return the files that a new contact passes once its run is under way and its sub-account has all definitions."""
    way = Way()
    with tempfile.TemporaryDirectory() as name, a_sandbox(1) as sandbox:
        loader = Loader(sandbox, Path(name))
        people = [person(f"patients/{number}", "Ada", f"Lovelace {number}") for number in range(PEOPLE)]
        threading.setprofile(way.note)
        sys.setprofile(way.note)
        try:
            load(loader, [*schemas("patients"), *people])
        finally:
            sys.setprofile(None)
            threading.setprofile(None)
        if len(sandbox.highlevel.state.contacts) != PEOPLE:
            sys.exit("not all contacts arrived")
    return sorted(way.intake | min(way.writes, key=len))


if __name__ == "__main__":
    passed = files_passed()
    print(*passed, sep="\n")
    print(f"{len(passed)} files; at most {MOST} are wanted")
    sys.exit(len(passed) > MOST)
