"""The commands that work on the ledger alone: what they say, what they change, how they end."""

from __future__ import annotations

import json
import sqlite3
from typing import TYPE_CHECKING

import pytest

from target_highlevel.errors import SettingsError
from target_highlevel.ledger.ledger import Ledger
from target_highlevel.preflight import admission
from target_highlevel.settings import settings_from

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from hl_loading import Clinic, Loader

    from target_highlevel.settings import Settings

    Start = Callable[..., Loader]


def test_runs_reports_and_the_audit_trail(highlevel: Start, small_clinic: Clinic) -> None:
    """Runs are listed, a report is written again as it was, several are summed up, and a changed entry is found."""
    loader = highlevel()
    small_clinic.restore(loader)
    first = loader.newest_report()
    run, budget = first["run_id"], first["budget"]
    assert (
        budget["spent_in_24_hours"] == budget["requests"]
    )  # what was counted ahead and not sent is no part of it
    page = loader.folder / "reports" / run / "report.json"
    page.unlink()
    listed = loader.tool("runs")
    assert (listed.returncode, run in listed.stdout) == (0, True)
    assert listed.stderr.endswith("target-highlevel: 1 run (exit 0)\n")
    heads, row = listed.stdout.splitlines()[:2]
    assert heads.index("mode") == row.index("load")
    assert loader.tool("report", "--run", run).returncode == 0
    assert json.loads(page.read_text())["totals"] == first["totals"]
    window = loader.tool("report", "--since", run[:4])
    assert window.returncode == 2  # neither a run nor a day
    window = loader.tool("report", "--since", run)
    assert window.returncode == 0, window.stderr
    assert loader.tool("report", "--since", f"{run[:4]}-01-01").returncode == 0
    assert loader.tool("report", "--run", "none").returncode == 2
    assert loader.tool("verify-audit").returncode == 0
    with sqlite3.connect(loader.folder / "ledger.db") as ledger:
        ledger.execute("update audit set hl_id = 'forged' where seq = 7")
    broken = loader.tool("verify-audit")
    assert (broken.returncode, broken.stdout.split()) == (1, ["7"])


def test_a_table_that_is_the_same_in_the_next_report_is_kept_once(
    highlevel: Start, small_clinic: Clinic
) -> None:
    """Of a large clinic that runs every few minutes the crosswalk would fill the disk. Written again, it is one's own again."""
    loader = highlevel()
    small_clinic.restore(loader)
    loader.load(small_clinic.lines)
    first, second = sorted((loader.folder / "reports").glob("*/crosswalk.csv"))
    assert first.samefile(second)
    with sqlite3.connect(loader.folder / "ledger.db") as ledger:
        ledger.execute("update record set hl_id = 'other' where object = 'contact'")
    before = first.read_text()
    assert loader.tool("report", "--run", first.parent.name).returncode == 0
    assert first.samefile(second)  # of an earlier run it says what it said then
    assert loader.tool("report", "--run", second.parent.name).returncode == 0
    assert not first.samefile(second)
    assert (first.read_text(), "other" in second.read_text()) == (before, True)


def test_runs_for_programs(highlevel: Start) -> None:
    """One object a line; of each mode and code only the newest, where so many were asked for."""
    loader = highlevel()
    ledger = Ledger(f"sqlite:///{loader.folder}/ledger.db", loader.sandbox.highlevel.location_id)
    ended = [("load", 1), ("load", 0), ("verify", 0), ("load", 0), ("load", 75), ("load", 0)]
    for mode, code in ended:
        ledger.end_run(ledger.begin_run(mode), code, {})
    ledger.close()

    def listed(*options: str) -> list[tuple[str, int]]:
        found = [json.loads(line) for line in loader.tool("runs", "--json", *options).stdout.splitlines()]
        return [(run["mode"], run["exit_code"]) for run in found]

    assert listed() == ended
    assert listed("--newest", "1") == [("load", 1), ("verify", 0), ("load", 75), ("load", 0)]
    assert listed("--newest", "2") == [("load", 1), ("verify", 0), ("load", 0), ("load", 75), ("load", 0)]


def test_purge_removes_personal_data_and_says_what_it_costs(highlevel: Start, small_clinic: Clinic) -> None:
    """Shown first; afterwards no text of a patient is in the ledger's files, and no load takes it for whole."""
    loader = highlevel()
    small_clinic.restore(loader)
    files = [loader.folder / "ledger.db", loader.folder / "ledger.db-wal"]
    alert = _a_contributed_text(loader)
    shown = loader.tool("purge")
    assert (shown.returncode, _holds(files, alert)) == (0, True)
    assert "needs a new ledger" in shown.stdout
    assert loader.tool("purge", "--yes").returncode == 0
    assert not _holds(files, alert)
    refused = loader.load(small_clinic.lines)
    assert refused.code == 2
    assert "purged" in refused.log
    assert loader.tool("retry").returncode == 2
    assert loader.tool("rollback", "--yes").returncode == 2  # who has changed what cannot be told any more


def test_purge_before_a_run_leaves_deltas_possible(highlevel: Start, small_clinic: Clinic) -> None:
    """Housekeeping between deltas: the next load finds nothing changed."""
    loader = highlevel()
    small_clinic.restore(loader)
    run = loader.newest_report()["run_id"]
    assert loader.tool("purge", "--before", "none", "--yes").returncode == 2
    assert loader.tool("purge", "--before", run, "--yes").returncode == 0
    again = loader.load(small_clinic.lines)
    assert again.code in {0, 4}
    assert (again.report["totals"]["created"], again.report["totals"]["updated"]) == (0, 0)


@pytest.mark.parametrize("text", [None, b"owners:\n  M\xfcller: a@example.org\n"], ids=["gone", "cp1252"])
@pytest.mark.parametrize("command", ["approve", "retry"])
def test_a_mapping_that_cannot_be_read_is_a_wrong_setting(
    command: str, text: bytes | None, highlevel: Start
) -> None:
    """It was saved otherwise, or deleted, after the plan: what to mend is said, and nothing is sent to the maintainers."""
    loader = highlevel()
    admission.remember_plan(_settings(loader), "20261122T110000Z-abcdef", [], sample=False)
    mapping = loader.folder / "mapping.yml"
    if text is not None:
        mapping.write_bytes(text)
    done = loader.tool(command, MAPPING=str(mapping), REQUIRE_APPROVED_PLAN="true")
    assert done.returncode == 2, done.stderr
    assert f"{mapping}: the mapping cannot be read" in done.stderr
    assert not list((loader.folder / "reports").glob("**/error*"))


def test_nothing_is_loaded_before_the_plan_is_approved(highlevel: Start, small_clinic: Clinic) -> None:
    """With require_approved_plan a load refuses until the plan of this very mapping, without blockers, is approved."""
    loader = highlevel()
    settings = _settings(loader)
    needed = {"REQUIRE_APPROVED_PLAN": "true"}
    assert loader.tool("approve").returncode == 2  # there is no plan
    blockers = ["no user owns three practitioners' patients"]
    admission.remember_plan(settings, "20261122T100000Z-abcdef", blockers, sample=False)
    blocked = loader.tool("approve")
    assert (blocked.returncode, "three practitioners" in blocked.stderr) == (2, True)
    admission.remember_plan(settings, "20261122T103000Z-abcdef", [], sample=True)
    sampled = loader.tool("approve")
    assert (sampled.returncode, "of a sample" in sampled.stderr) == (2, True)
    admission.remember_plan(settings, "20261122T110000Z-abcdef", [], sample=False)
    admission.remember_plan(settings, "20261122T113000Z-abcdef", [], sample=True)  # a preview on the way
    assert loader.tool("approve", OVERWRITE="never").returncode == 2  # not the mapping that was planned
    assert loader.load(small_clinic.lines, **needed).code == 2
    assert loader.sandbox.highlevel.state.contacts == {}
    assert loader.tool("approve").returncode == 0
    assert loader.load(small_clinic.lines, OVERWRITE="never", **needed).code == 2
    assert loader.load(small_clinic.lines, **needed).code in {0, 4}


def test_the_plan_that_was_looked_at_is_approved_and_no_other(tmp_path: Path) -> None:
    """Another may have come meanwhile; the parts of one run in several sub-accounts are one plan."""
    folder = tmp_path.as_posix()
    needed = {"access_token": "t", "location_id": "l", "ledger_url": f"sqlite:///{folder}/ledger.db"}
    settings = settings_from(needed)
    shown, newer = "20261122T100000.000000Z-abcdef", "20261122T110000.000000Z-abcdef"
    for run in (shown, newer):
        admission.remember_plan(settings, run, [], sample=False)
    ledger = Ledger(settings.ledger_url, settings.location_id, exclusive=False)
    try:
        with pytest.raises(SettingsError, match=f"not that of run {shown}.*{newer}.*look at it"):
            admission.approve(ledger, settings, shown)
        assert ledger.fact("approved:l") is None
        assert admission.approve(ledger, settings, newer.replace("abcdef", "fedcba"))["run"] == newer
        assert ledger.fact("approved:l")
    finally:
        ledger.close()


def _settings(loader: Loader) -> Settings:
    start = "TARGET_HIGHLEVEL_"
    wanted = ("ACCESS_TOKEN", "LOCATION_ID", "LEDGER_URL", "FALLBACK_OWNER")
    return settings_from({name.lower(): loader.environment()[f"{start}{name}"] for name in wanted})


def _a_contributed_text(loader: Loader) -> bytes:
    with sqlite3.connect(loader.folder / "ledger.db") as ledger:
        texts = [json.loads(row[0]) for row in ledger.execute("select fields from contribution")]
    lines = [
        value["text"]
        for fields in texts
        for value in fields.values()
        if isinstance(value, dict) and value.get("text")
    ]
    return str(max(lines, key=len)).splitlines()[0].encode()


def _holds(files: list[Path], text: bytes) -> bool:
    return any(text in file.read_bytes() for file in files if file.exists())
