"""The report of one run: JSON, one page and tables, written when the run ends and again on demand."""

from __future__ import annotations

import contextlib
import filecmp
import json
import os
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import UndefinedError

from target_highlevel.errors import SettingsError
from target_highlevel.ledger.counts import (
    crosswalk,
    object_counts,
    records_to_compare,
    rejected_records,
    undone_records,
    unmapped_records,
    unsettled_records,
)
from target_highlevel.ledger.money import money_rows
from target_highlevel.report import money
from target_highlevel.report.content import RunFacts, gather
from target_highlevel.report.differences import DifferenceTable
from target_highlevel.report.page import run_page, sheet_page
from target_highlevel.report.readback import read_back
from target_highlevel.report.tables import write_table
from target_highlevel.report.wording import meaning

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from target_highlevel.descriptor import StreamSpec
    from target_highlevel.engine.session import Session
    from target_highlevel.ledger.counts import ObjectCount
    from target_highlevel.ledger.ledger import Ledger
    from target_highlevel.report.differences import Difference
    from target_highlevel.report.sheet import Sheet

#: Lists of records are kept in the ledger only so long; the rest of a report is kept whole.
_MOST_KEPT = 50
#: Those lists, which stand in the ledger; of a conflict that was decided only the report tells.
_SHORTENED = ("withheld", "not_taken")
#: Runs that worked on a copy of the ledger, which is gone: their tables cannot be made again, and are left as they are.
_ON_A_COPY = frozenset({"plan", "verify"})
#: How many reports before this one may have no such table, as those of plans.
_LOOKED_BACK = 5
_REJECTS = ("source", "object", "reason", "field", "what_to_do", "contact")
_CONTENT = "report.json"
_REJECTS_TABLE, _CROSSWALK_TABLE = "rejects.csv", "crosswalk.csv"
_CROSSWALK = ("source", "object", "highlevel_id", "status")


class RunReport:
    """What a run did: no names, no addresses, no texts, only resources, ids and counts."""

    def __init__(self, session: Session, left_out: Mapping[str, int] | None = None) -> None:
        """Take the run's own figures while the client is open.

        Args:
            session: the run.
            left_out: records that settings of the target leave out, by stream.
        """
        self._ledger = session.ledger
        self._run = session.run
        self._settings = session.settings
        self._sample = session.source.sample
        self._mode = session.mode
        session.governor.close()  # requests are counted ahead in blocks: what was not sent is no part of the day's
        figures = session.governor.statistics()
        self._figures = RunFacts(
            requests=figures.requests,
            greatest_window=figures.greatest_window,
            waited_seconds=figures.waited_seconds,
            too_many_requests=figures.too_many_requests,
            window_limit=session.settings.requests_per_10s,
            day_limit=session.settings.requests_per_day,
            schema_created=[] if session.mode == "plan" else list(session.schema.created),
            ended_early=session.source.ended_early,
            changes_only=session.source.changes_only,
            begun_in_the_middle=session.continuity.is_partial,
            mapped_anew=session.continuity.is_mapped_anew,
            unmarked=session.partners.has_mark is False,
            show_values=session.settings.show_values,
            accept_rejects=session.settings.accept_rejects,
            left_out=dict(left_out or {}),
        )
        self._content: dict[str, Any] = {}
        #: What the ledger keeps of the run; `write` puts the report into it.
        self.facts: dict[str, Any] = {}

    @cached_property
    def _counts(self) -> list[ObjectCount]:
        return object_counts(self._ledger, self._run)

    @property
    def rejected(self) -> int:
        """Return how many records stand rejected."""
        return sum(item.rejected for item in self._counts)

    @property
    def held(self) -> int:
        """Return how many records wait for something that is not in HighLevel."""
        return sum(item.held for item in self._counts)

    @property
    def not_whole(self) -> int:
        """Return how many values HighLevel has not taken whole, by the report that was written: cut, or left out."""
        return int(self._content["not_taken"]["count"])

    @property
    def unmapped(self) -> int:
        """Return how many of the rejected records the mapping could make nothing of."""
        return unmapped_records(self._ledger)

    @property
    def undone(self) -> int:
        """Return how many records a rollback took out, or were found missing, and have not come again."""
        return undone_records(self._ledger)

    @property
    def to_compare(self) -> int:
        """Return how many records a ledger from a backup has not compared with HighLevel yet."""
        return records_to_compare(self._ledger)

    @property
    def folder(self) -> Path:
        """Return the folder of this run's report."""
        return Path(self._settings.report_dir) / self._run

    def write(
        self,
        exit_code: int,
        *,
        error: str = "",
        differences: Iterable[Difference] | None = None,
        verification: dict[str, Any] | None = None,
        plan: dict[str, Any] | None = None,
        rollback: dict[str, Any] | None = None,
    ) -> Path:
        """Write the report's files; return their folder.

        Args:
            exit_code: how the run ends.
            error: the line that says why it failed; it must hold no personal data.
            differences: what plan or verify compared; written as ``differences.csv`` while they are produced.
            verification: counts of what was read back.
            plan: what a plan has found beside the predicted counts.
            rollback: what was undone, and what was left alone.
        """
        folder = private(self.folder)
        shown = self._settings.show_values
        table = DifferenceTable(show_values=shown)
        if differences is not None:
            table.write(folder / "differences.csv", differences)
        checked = verification is not None
        told = self._mode != "verify" or checked  # half a read-back says nothing of any sum
        sums = money.summed(money_rows(self._ledger, read_back=checked) if told else ())
        content = gather(
            self._ledger,
            self._run,
            self._figures,
            exit_code,
            counted=self._counts,
            error=error,
            sample=self._sample,
            differences=None if differences is None else table.summary(),
            plan=plan,
            verification=verification and read_back(verification, table.first),
            rollback=rollback,
            money=money.content(sums, show_values=shown, read_back=checked),
        )
        self._content = content
        self.facts["report"] = _shortened(_without_values(content) if shown else content)
        write_content(folder, content, run_page(content))
        write_tables(folder, self._ledger, self._run)
        write_table(folder / "money.csv", money.COLUMNS, money.table(sums, show_values=shown))
        return folder

    def write_sheet(self, sheet: Sheet, specs: Mapping[str, StreamSpec], users: Mapping[str, str]) -> None:
        """Write ``sheet.html`` beside the report: every field of every patient, for signing off; and the same as JSON.

        Args:
            sheet: what was seen of the sample.
            specs: the streams, by name.
            users: e-mail of each user, by id.
        """
        patients = sheet.content(specs, users, unsettled_records(self._ledger, self._run))
        page = sheet_page(self._content, patients, traced=sheet.traced)
        text = json.dumps({"traced": sheet.traced, "patients": patients}, ensure_ascii=False)
        for name, written in (("sheet.html", page), ("sheet.json", text)):
            path = self.folder / name
            path.touch(mode=0o600)
            path.write_text(written, encoding="utf-8")


def write_content(folder: Path, content: dict[str, Any], page: str) -> None:
    """Write ``report.json`` and ``report.html``: whoever reads them meanwhile finds the whole of one, or none."""
    text = json.dumps(content, indent=2, ensure_ascii=False)
    for name, written in ((_CONTENT, f"{text}\n"), ("report.html", page)):
        scratch = folder / f"{name}.new"
        scratch.write_text(written, encoding="utf-8")
        scratch.replace(folder / name)


def write_tables(folder: Path, ledger: Ledger, run_id: str) -> None:
    """Write ``rejects.csv`` and ``crosswalk.csv``."""
    write_table(folder / _REJECTS_TABLE, _REJECTS, _rejects(ledger, run_id))
    path = folder / _CROSSWALK_TABLE
    path.unlink(missing_ok=True)  # not to be written into: it may be another report's as well
    write_table(path, _CROSSWALK, crosswalk(ledger))
    _share(path)


def _share(path: Path) -> None:
    """Keep a file once that is the same in the report before: of a large clinic it has tens of megabytes, every five minutes."""
    folder = path.parent
    before = sorted(item for item in folder.parent.iterdir() if item.name < folder.name)[-_LOOKED_BACK:]
    for older in (item / path.name for item in reversed(before)):
        if older.is_file():
            if filecmp.cmp(older, path, shallow=False):
                link = path.with_suffix(".same")
                with contextlib.suppress(OSError):  # some file systems know no links: then each has its own
                    link.hardlink_to(older)
                    link.replace(path)
            return


def _rejects(ledger: Ledger, run_id: str) -> Iterator[tuple[str, ...]]:
    for item in rejected_records(ledger, run_id):
        next_step = meaning("rejected", item.reason).next_step
        yield (item.source_id, item.object, item.reason, item.field, next_step, item.contact)


def write_again(ledger: Ledger, run_id: str, report_dir: str) -> Path:
    """Write the report of an earlier run as it ended; of a killed one, as far as the ledger knows.

    Raises:
        SettingsError: an earlier version kept less of it than the page shows.
    """
    run = ledger.run_of(run_id)
    gathered = gather(ledger, run_id, RunFacts(), run["exit_code"])
    kept = run["facts"].get("report", {})
    folder = private(Path(report_dir) / run_id)
    lists = _whole_lists(kept, (gathered, _written(folder)))
    # of an old load there are parts only
    content = {**gathered, **kept, **lists} if "run_id" in kept else gathered
    try:
        page = run_page(content)
    except (KeyError, TypeError, UndefinedError):  # whatever it is, in what an earlier version kept
        if gathered.keys() <= kept.keys():  # kept by this version
            raise
        msg = f"run {run_id} was reported by an earlier version, which kept less than is shown now; {folder} is left as it is"
        raise SettingsError(msg) from None
    write_content(folder, content, page)
    if run["mode"] not in _ON_A_COPY and (_is_newest(ledger, run_id) or not _has_tables(folder)):
        write_tables(folder, ledger, run_id)
    return folder


def _whole_lists(
    kept: Mapping[str, Any], elsewhere: Iterable[Mapping[str, Any]]
) -> dict[str, dict[str, Any]]:
    """Return those lists of which only the beginning is kept, where somebody else still has all of one."""
    short = {name: each for name in _SHORTENED if (each := kept.get(name)) and not _is_whole(each)}
    return {
        name: content[name]
        for content in elsewhere
        for name, each in short.items()
        if name in content and content[name]["count"] == each["count"] and _is_whole(content[name])
    }


def _is_whole(listed: Mapping[str, Any]) -> bool:
    return len(listed["records"]) == int(listed["count"])


def _written(folder: Path) -> dict[str, Any]:
    """Return what is in a report already, or nothing."""
    try:
        return dict(json.loads((folder / _CONTENT).read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return {}


def _is_newest(ledger: Ledger, run_id: str) -> bool:
    return [item["id"] for item in ledger.runs(1)] == [run_id]


def _has_tables(folder: Path) -> bool:
    """Return whether the lists of an earlier run are there: as it left them, which the ledger no longer knows."""
    return all((folder / name).exists() for name in (_REJECTS_TABLE, _CROSSWALK_TABLE))


def private(folder: Path) -> Path:
    """Return a folder that only its owner can open, made if need be.

    Raises:
        SettingsError: it cannot be made, or not be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        msg = f"report_dir: the folder cannot be made ({error.strerror})"
        raise SettingsError(msg) from None
    if not os.access(folder, os.W_OK | os.X_OK):
        msg = f"report_dir: the folder {folder} may not be written by this user"
        raise SettingsError(msg)
    return folder


def _without_values(content: dict[str, Any]) -> dict[str, Any]:
    """Return what the ledger keeps of a report that shows values: what `purge` leaves alone must not hold them."""
    fields, checked, plan = content["differences"], content["verification"], content["plan"]
    return {
        **content,
        "shows_values": False,
        "differences": fields and [{**item, "samples": []} for item in fields],
        "verification": checked and {**checked, "first": []},
        "plan": plan
        and {
            **plan,
            "owners": _without_emails(plan["owners"]),
            "note_readers": _unnamed(plan["note_readers"]),
        },
        "money": content["money"] and money.without_values(content["money"]),
    }


def _without_emails(owners: dict[str, Any]) -> dict[str, Any]:
    listed = [{**item, "email": None} for item in owners["practitioners"]]
    return {**owners, "practitioners": listed, "fallback_email": None}


def _unnamed(readers: dict[str, Any]) -> dict[str, Any]:
    return {group: [{**item, "email": None} for item in users] for group, users in readers.items()}


def _shortened(content: dict[str, Any]) -> dict[str, Any]:
    lists = {name: {**content[name], "records": content[name]["records"][:_MOST_KEPT]} for name in _SHORTENED}
    return {**content, **lists}
