"""The steps of a clinic as commands of Meltano, the same as somebody would type."""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import TYPE_CHECKING

from many_clinics.clinics import LOCATION, LOCATIONS
from many_clinics.outcome import Outcome
from many_clinics.running import Running, data, lock, prepare
from many_clinics.steps import DELTA, LOAD, PLAN, VERIFY

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from many_clinics.clinics import Clinic
    from many_clinics.steps import Run

#: What an id is made of.
_WORD = re.compile(r"[\w-]+")
_LOAD = ("run", "tap-cliniko", "target-highlevel")
COMMANDS = {
    PLAN: ("run", "tap-cliniko", "target-highlevel-plan"),
    LOAD: _LOAD,
    DELTA: _LOAD,
    VERIFY: ("run", "tap-cliniko", "target-highlevel-verify"),
}


class Commands:
    """What a worker can do for one clinic.

    Attributes:
        running: the command that runs now, to be told to stop
    """

    def __init__(
        self, clinic: Clinic, project: Path, environment: Mapping[str, str], tell: Callable[[str], None]
    ) -> None:
        """Work for a clinic with its variables; `tell` is given every line that a command says."""
        self._clinic, self._project, self._environment, self._tell = clinic, project, environment, tell
        self.running: Running | None = None
        prepare(clinic, project)

    def step(self, name: str) -> Outcome:
        """Run a step to its end."""
        before = self._reports()
        code, word = self._run(*COMMANDS[name])
        totals: Counter[str] = Counter()
        for path in self._reports() - before:  # one for each sub-account
            totals.update(self._totals(path))
        return Outcome(name, code, word, totals)

    def _totals(self, path: Path) -> dict[str, int]:
        """Return the sums of a run of this clinic; nothing of another clinic's where they share a folder, or not written yet."""
        try:
            report = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        own = self._sub_accounts()
        is_own = report.get("kind") == "run" and (not own or report.get("location_id") in own)
        return (report.get("totals") or {}) if is_own else {}

    def _sub_accounts(self) -> set[str]:
        """Return the ids of the clinic's sub-accounts, of which the setting may be the whole address of a page."""
        given = (self._environment.get(name, "") for name in (LOCATION, LOCATIONS))
        return {word for text in given for word in _WORD.findall(text)}

    def runs(self) -> tuple[Outcome, list[Run]]:
        """Return those runs of the clinic's ledger, wherever they ran, that tell what is due; oldest first.

        A clinic that runs every five minutes has a hundred thousand in a year.
        """
        lines: list[str] = []  # with many sub-accounts there are more than a run keeps of what it says
        code, word = self._run("invoke", "target-highlevel:runs", "--json", "--newest", "2", keep=lines)
        listed = [json.loads(line) for line in lines if line.startswith("{")]
        return Outcome("begin", code, word, {}), listed

    def report(self, since: str) -> str:
        """Have one report written of all runs from this one on; return the last line."""
        return self._run("invoke", "target-highlevel:report", "--since", since)[1]

    def stop(self) -> None:
        """Tell the running command to end."""
        if self.running:
            self.running.stop()

    def _run(self, *arguments: str, keep: list[str] | None = None) -> tuple[int, str]:
        """Run a command to its end; every line that it says is added to `keep`."""

        def tell(line: str) -> None:
            self._tell(line)
            if keep is not None:
                keep.append(line)

        locked = lock(self._clinic, self._project)
        with Running(arguments, self._environment, self._project, locked) as self.running:
            return self.running.follow(tell)

    def _reports(self) -> set[Path]:
        chosen = self._environment.get("TARGET_HIGHLEVEL_REPORT_DIR")
        folder = self._project / chosen if chosen else data(self._clinic, self._project) / "reports"
        return set(folder.glob("*/report.json"))
