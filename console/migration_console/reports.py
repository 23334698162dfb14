"""What the runs say of themselves: the report.json files of a project, newest first."""

from __future__ import annotations

import csv
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from target_highlevel.exit_codes import WORST_FIRST

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from pathlib import Path

RUN_ID = re.compile(r"\d{8}T\d{6}\.\d{6}Z-[0-9a-f]{6}")
#: What a report's folder may hold and the console may serve.
FILES = {
    "report.html": "text/html",
    "sheet.html": "text/html",
    "report.json": "application/json",
    "mapping.proposed.yml": "text/plain",
    "rejects.csv": "text/csv",
    "crosswalk.csv": "text/csv",
    "differences.csv": "text/csv",
    "money.csv": "text/csv",
    "quality.csv": "text/csv",
    "duplicates.csv": "text/csv",
    "families.csv": "text/csv",
    "handover.csv": "text/csv",
    "spared.csv": "text/csv",
    "left.csv": "text/csv",
}
#: Modes that may have written to HighLevel.
WRITING_MODES = frozenset({"load", "retry"})


@dataclass(frozen=True)
class Report:
    """One run's report.

    Attributes:
        content: what report.json holds
        folder: where it lies
    """

    content: dict[str, Any]
    folder: Path

    @property
    def id(self) -> str:
        """Return the run's id."""
        return self.folder.name

    @property
    def mode(self) -> str:
        """Return what kind of run it was."""
        return str(self.content["mode"])

    @property
    def together(self) -> str:
        """Return what the ids of one run's reports in several sub-accounts begin with."""
        return self.id.partition("-")[0]

    @property
    def location(self) -> str:
        """Return the id of the sub-account."""
        return str(self.content.get("location_id", ""))

    @property
    def started(self) -> str:
        """Return when it began, in UTC."""
        return str(self.content["started_at"])

    @property
    def ended(self) -> str:
        """Return when it ended, in UTC."""
        return str(self.content["ended_at"])

    @property
    def exit_code(self) -> int | None:
        """Return how it ended."""
        code: int | None = self.content["exit_code"]
        return code

    @property
    def is_sample(self) -> bool:
        """Return whether it was of some patients only."""
        return bool(self.content["sample"])

    @property
    def files(self) -> list[str]:
        """Return the names of the files beside it."""
        return [name for name in FILES if (self.folder / name).is_file()]


class Reports:
    """All reports below a folder; each file is read once while it stays the same."""

    def __init__(self, folder: Path) -> None:
        """Read from this folder."""
        self._folder = folder
        self._known: dict[str, tuple[int, Report]] = {}

    def all(self) -> list[Report]:
        """Return the reports of single runs, the newest first."""
        found = (self.find(path.parent.name) for path in self._folder.glob("*/report.json"))
        return sorted((item for item in found if item is not None), key=lambda item: item.id, reverse=True)

    def find(self, run: str) -> Report | None:
        """Return the report of a run; none if there is no such run."""
        if not RUN_ID.fullmatch(run):
            return None
        path = self._folder / run / "report.json"
        try:
            changed = path.stat().st_mtime_ns
            known = self._known.get(run)
            if known is None or known[0] != changed:
                content = json.loads(path.read_text(encoding="utf-8"))
                known = self._known[run] = (changed, Report(content, path.parent))
        except (FileNotFoundError, NotADirectoryError, json.JSONDecodeError):
            return None
        return known[1] if known[1].content.get("kind") == "run" else None

    def newest(self, *modes: str, sample: bool | None = None) -> Report | None:
        """Return the newest report of these modes, of a sample or not."""
        return newest_of(self.all(), modes, sample=sample)

    def beside(self, report: Report) -> list[Report]:
        """Return the reports of the same run in other sub-accounts."""
        return [item for item in self.all() if item.together == report.together and item.id != report.id]

    def sheet(self, report: Report) -> dict[str, Any]:
        """Return the sheet of a sample, which is personal; empty where the run was not asked to show values."""
        try:
            found = json.loads((report.folder / "sheet.json").read_text(encoding="utf-8"))
        except (FileNotFoundError, json.JSONDecodeError):
            return {}
        return found if isinstance(found, dict) else {}


def newest_of(
    reports: Iterable[Report], modes: Collection[str], *, sample: bool | None = None
) -> Report | None:
    """Return the newest report of these modes; of one run in several sub-accounts the one that needs most attention.

    Args:
        reports: the newest first
        modes: what kinds of runs
        sample: whether of a sample; none if that does not matter
    """
    fitting = [
        item for item in reports if item.mode in modes and (sample is None or item.is_sample is sample)
    ]
    together = (item for item in fitting if item.together == fitting[0].together)
    return min(together, key=_urgency, default=None)


def _urgency(report: Report) -> int:
    """Return a number for sorting the run first that needs most attention, as its last line does: one that did not end."""
    return WORST_FIRST.index(report.exit_code) if report.exit_code in WORST_FIRST else -1


def rows(path: Path, start: int, number: int) -> tuple[list[dict[str, str]], int]:
    """Return some rows of a table of a report, and how many it has."""
    chosen: list[dict[str, str]] = []
    total = 0
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            for row in csv.DictReader(file):
                if start <= total < start + number:
                    chosen.append(row)
                total += 1
    except FileNotFoundError:
        return [], 0
    return chosen, total
