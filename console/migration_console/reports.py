"""What the runs say of themselves: the report.json files of a project, newest first."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from typing import TYPE_CHECKING, Any

from target_highlevel.exit_codes import WORST_FIRST
from target_highlevel.report.tables import read_table
from target_highlevel.report.verdict import ending

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from pathlib import Path

RUN_ID = re.compile(r"\d{8}T\d{6}\.\d{6}Z-[0-9a-f]{6}")
#: A report of several runs lies in a folder that is named for the first and the last of them.
_SEVERAL = re.compile(f"{RUN_ID.pattern}--{RUN_ID.pattern}")
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
    def undoes(self) -> str:
        """Return the id of the run that it has undone, wholly or not; empty where it undoes none."""
        return str((self.content.get("rollback") or {}).get("undoes", ""))

    @property
    def wrote(self) -> int:
        """Return how many records it has created or changed."""
        return sum(self.content["totals"][name] for name in ("created", "updated"))

    @property
    def may_be_undone(self) -> bool:
        """Return whether there may be something to undo: of a run that has not ended the counts are not known."""
        return self.wrote > 0 or self.exit_code is None

    @property
    def files(self) -> list[str]:
        """Return the names of the files beside it."""
        return [name for name in FILES if (self.folder / name).is_file()]


class Reports:
    """All reports of a clinic: those below its folder, each read once while it stays the same, and what its ledger tells beside.

    Attributes:
        elsewhere: runs that the ledger knows; of those without a report here it tells how they ended
    """

    def __init__(self, folder: Path, sub_accounts: Collection[str] = ()) -> None:
        """Read from this folder what is of these sub-accounts; of all of them where none is named."""
        self._folder = folder
        self._sub_accounts = frozenset(sub_accounts)
        self._known: dict[str, tuple[int, Report]] = {}
        self.elsewhere: Iterable[Mapping[str, Any]] = ()

    def all(self) -> list[Report]:
        """Return the reports of the clinic's single runs, the newest first."""
        found = {item.id: item for item in self.here()}
        for run in self.elsewhere:
            found.setdefault(run["id"], _of_ledger(run, self._folder / run["id"]))
        return sorted(found.values(), key=lambda item: item.id, reverse=True)

    def here(self) -> list[Report]:
        """Return those of them that lie in the folder, the newest first."""
        found = (self.find(path.parent.name) for path in self._folder.glob("*/report.json"))
        ours = (item for item in found if item is not None and self._is_ours(item))
        return sorted(ours, key=lambda item: item.id, reverse=True)

    def of_several(self) -> list[Report]:
        """Return the reports of several runs together, the newest first."""
        found = (self.open(path.parent.name) for path in self._folder.glob("*--*/report.json"))
        ours = [item for item in found if item is not None and self._is_ours(item)]
        return sorted(ours, key=lambda item: item.id.partition("--")[2], reverse=True)

    def _is_ours(self, report: Report) -> bool:
        return not (report.location and self._sub_accounts) or report.location in self._sub_accounts

    def find(self, run: str) -> Report | None:
        """Return the report of a run that lies in the folder; none if there is none."""
        found = self.open(run) if RUN_ID.fullmatch(run) else None
        return found if found and found.content.get("kind") == "run" else None

    def open(self, name: str) -> Report | None:
        """Return the report in a folder of this name, of one run or of several; none if there is none."""
        if not (RUN_ID.fullmatch(name) or _SEVERAL.fullmatch(name)):
            return None
        path = self._folder / name / "report.json"
        try:
            changed = path.stat().st_mtime_ns
            known = self._known.get(name)
            if known is None or known[0] != changed:
                content = json.loads(path.read_text(encoding="utf-8"))
                known = self._known[name] = (changed, Report(content, path.parent))
        except (FileNotFoundError, NotADirectoryError, json.JSONDecodeError):
            return None
        return known[1]

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


_COUNTS = ("source", "created", "updated", "unchanged", "filtered", "held", "rejected")
_NOT_ENDED = "It has not ended: it goes on, or it was killed."


def _of_ledger(run: Mapping[str, Any], folder: Path) -> Report:
    """Return what the ledger tells of a run whose report lies elsewhere, or was never written; old ones are kept in parts."""
    kept = run["facts"].get("report", {})
    said = ending(run["exit_code"], ended_early=bool(kept.get("ended_early")))
    if not run["ended_at"]:
        said = {**said, "exit_meaning": _NOT_ENDED}
    bare = {
        "kind": "run",
        "mode": run["mode"],
        "location_id": run["location"],
        "started_at": run["started_at"],
        "ended_at": run["ended_at"] or "",
        "exit_code": run["exit_code"],
        **said,
        "ended_early": False,
        "sample": None,
        "error": "",
        "shows_values": False,
        "verdict": {"tone": "attention", "sentence": said["exit_meaning"]},
        "totals": dict.fromkeys(_COUNTS, 0),
        **dict.fromkeys(("objects", "rejects", "to_do"), ()),
        **dict.fromkeys(("plan", "verification", "differences", "rollback"), None),
    }
    return Report({**bare, **kept}, folder)


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


def length(path: Path) -> int:
    """Return how many rows a table of a report has; none where there is no such table."""
    try:
        return _length(path, path.stat().st_mtime_ns)
    except FileNotFoundError:
        return 0


@lru_cache(maxsize=256)
def _length(path: Path, _changed: int) -> int:
    return sum(1 for _ in read_table(path, ()))


def rows(
    path: Path, start: int, number: int | None, columns: Sequence[str], without: Mapping[str, Collection[str]]
) -> list[dict[str, str]]:
    """Return some rows of a table of a report, however a spreadsheet has saved it; none where there is no such table.

    Args:
        path: the table
        start: how many rows come before
        number: how many to return at most; none for all
        columns: what is shown of them, as far as the table has it
        without: columns, and values with which a row is passed over as if it were not there

    Raises:
        ValueError: a column of `without` is missing; the text says which.
    """
    try:
        table = read_table(path, tuple(without), columns)
        found = (row for row in table if not any(row[name] in values for name, values in without.items()))
        shown = islice(found, start, None if number is None else start + number)
        return [{name: row[name] for name in columns if name in row} for row in shown]
    except FileNotFoundError:
        return []
