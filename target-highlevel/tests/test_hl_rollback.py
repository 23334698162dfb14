"""Rollback of whole runs, over HTTP against the sandbox: afterwards the sub-account is as it was before."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hl_loading import BIN, rejects
from hl_undoing import changed, differing, dump, move_in, spared

if TYPE_CHECKING:
    from collections.abc import Callable

    from hl_loading import Clinic, Loader

    Start = Callable[..., Loader]


def test_a_load_into_a_sub_account_in_use_leaves_no_trace(highlevel: Start, small_clinic: Clinic) -> None:
    """200 people were there, some of them patients whom the load adopted: all is as before, a later load does it all again."""
    loader = highlevel()
    before = move_in(loader)
    loaded = loader.load(small_clinic.lines)
    patients = next(
        item
        for item in loaded.report["objects"]
        if (item["object"], item["resource"]) == ("contact", "patients")
    )
    assert patients["updated"] >= 1
    assert patients["created"] >= 1
    full = dump(loader)
    requests = len(loader.sandbox.highlevel.control.requests)
    shown = loader.tool("rollback")
    assert (shown.returncode, dump(loader)) == (0, full)
    assert len(loader.sandbox.highlevel.control.requests) == requests
    done = loader.tool("rollback", "--yes")
    assert done.returncode == 0, done.stderr
    assert differing(before, dump(loader)) == []
    assert not loader.sandbox.highlevel.control.stats()["violations"]
    assert _proof(done.stdout) == (0, 0, 0)
    assert "--full-refresh" in done.stderr
    assert _told_of_all_runs(loader).startswith("A run was undone")
    again = loader.load(small_clinic.lines)
    assert not _told_of_all_runs(loader).startswith("A run was undone")
    assert again.report["totals"] == loaded.report["totals"]
    assert differing(full, dump(loader)) == []


def _told_of_all_runs(loader: Loader) -> str:
    """Return the sentence on top of the report of all runs together."""
    folder = loader.tool("report", "--since", "2026-01-01").stdout.strip()
    told: dict[str, str] = json.loads(Path(folder, "report.json").read_text(encoding="utf-8"))["verdict"]
    return told["sentence"]


def test_a_rollback_killed_again_and_again_ends_the_same(highlevel: Start, small_clinic: Clinic) -> None:
    """Killed between intent and request, between request and outcome, and after the outcome, then repeated to its end."""
    loader = highlevel()
    before = move_in(loader, 40)
    loader.load(small_clinic.lines)
    for point in ("after_intent:7", "after_response/contact:2", "after_crosswalk:40"):
        assert loader.tool("rollback", "--yes", CRASH_AT=point).returncode == -9, point
    done = loader.tool("rollback", "--yes")
    assert (done.returncode, _proof(done.stdout)) == (0, (0, 0, 0))
    assert differing(before, dump(loader)) == []


@pytest.mark.soak
@pytest.mark.timeout(0)
def test_a_rollback_survives_twenty_kills(highlevel: Start, small_clinic: Clinic) -> None:
    """Killed after any number of requests, four times a rollback and five rollbacks in a row: all is as before, each time."""
    loader = highlevel()
    before = move_in(loader, 200)
    chance = random.Random(20)  # noqa: S311 - moments, not secrets
    kills = 0
    while kills < 20:
        loader.load(small_clinic.lines)
        for _ in range(4):
            kills += _killed_rollback(loader, chance.randrange(1, 250))
        done = loader.tool("rollback", "--yes")
        assert done.returncode in {0, 2}, done.stderr  # 2: the last one had come to its end
        assert differing(before, dump(loader)) == []
        assert loader.sandbox.highlevel.control.stats()["violations"] == []


def _killed_rollback(loader: Loader, requests: int) -> bool:
    """Kill a rollback after so many requests; return whether it was still at work."""
    control = loader.sandbox.highlevel.control
    control.reset_log()
    command = [str(BIN / "highlevel-tools"), "rollback", "--yes"]
    quiet = subprocess.DEVNULL
    started = subprocess.Popen(command, env=loader.environment(), stdout=quiet, stderr=quiet)
    while started.poll() is None and len(control.requests) < requests:
        time.sleep(0.002)
    started.kill()
    return started.wait() == -signal.SIGKILL


@pytest.mark.parametrize(
    "point", ["after_send/contact:4", "after_response/note:2", "after_send/appointment:2"]
)
def test_a_load_that_was_killed_is_undone_as_well(highlevel: Start, small_clinic: Clinic, point: str) -> None:
    """What the load was cut off in is found out about before anything is removed."""
    loader = highlevel()
    before = move_in(loader, 20)
    assert loader.load(small_clinic.lines, CRASH_AT=point).code == -9
    done = loader.tool("rollback", "--yes")
    assert done.returncode == 0, done.stderr
    assert differing(before, dump(loader)) == []


def test_a_delta_is_undone_alone_and_the_load_before_it_after_that(
    highlevel: Start, small_clinic: Clinic
) -> None:
    """The newest run goes first: its updates are put back, then the run before is undone like the first."""
    loader = highlevel()
    empty = dump(loader)
    small_clinic.restore(loader)
    first = dump(loader)
    lines = changed(small_clinic.lines, "patients", "city", "Elsewhere")
    lines = changed(lines, "treatment_notes", "title", "Another title")
    lines = changed(lines, "invoices", "notes", "Another remark")
    delta = loader.load(lines)
    assert delta.report["totals"]["updated"] >= 2
    assert loader.tool("rollback", "--yes").returncode == 0
    assert differing(first, dump(loader)) == []
    unchanged = loader.load(lines)
    assert unchanged.report["totals"]["updated"] == delta.report["totals"]["updated"]
    assert loader.tool("rollback", "--yes").returncode == 0
    assert loader.tool("rollback", "--yes").returncode == 0
    assert differing(empty, dump(loader)) == []
    nothing = loader.tool("rollback", "--yes")
    assert nothing.returncode == 2
    assert "no run to undo" in nothing.stderr


def test_runs_that_were_refused_everything_are_not_what_a_rollback_undoes(
    highlevel: Start, small_clinic: Clinic
) -> None:
    """A load and two retries that HighLevel refused in all: the newest that wrote is the load before them, and it goes whole."""
    loader = highlevel()
    empty = dump(loader)
    small_clinic.restore(loader)
    first = loader.newest_report()["run_id"]
    control = loader.sandbox.highlevel.control
    refusal = {"statusCode": 422, "message": ["body is not acceptable"], "error": "Unprocessable Entity"}
    for path in ("^/contacts/[^/]+$", "/tasks/"):
        matched = {"method": "PUT", "path_regex": path}
        control.add_fault({"match": matched, "action": "status", "status": 422, "body": refusal})
    lines = changed(small_clinic.lines, "patients", "city", "Elsewhere")
    lines = changed(lines, "individual_appointments", "notes", "Another remark")
    assert loader.load(lines).code == 4
    assert {reason for _, reason in rejects(loader)} == {"invalid_property"}
    assert [loader.tool("retry").returncode for _ in range(2)] == [4, 4]
    control.clear_faults()
    done = loader.tool("rollback", "--yes")
    assert done.returncode == 0, done.stderr
    assert f"run {first} is undone" in done.stderr
    assert spared(loader) == {}
    assert differing(empty, dump(loader)) == []


def test_an_older_run_spares_what_a_later_one_wrote(highlevel: Start, small_clinic: Clinic) -> None:
    """Undoing the first run alone keeps the patient that the second has changed, and says so."""
    loader = highlevel()
    small_clinic.restore(loader)
    first = loader.newest_report()["run_id"]
    loader.load(changed(small_clinic.lines, "patients", "city", "Elsewhere"))
    assert loader.tool("rollback", "--yes", "--run", first).returncode == 0
    reasons = {row["reason"] for (object_, _), row in spared(loader).items() if object_ == "contact"}
    assert "written_by_a_later_run" in reasons
    assert any(item.get("city") == "Elsewhere" for item in dump(loader)["contacts"])


def test_the_days_budget_ends_a_rollback_cleanly(highlevel: Start, small_clinic: Clinic) -> None:
    """Exit 75 in the middle; the next day it goes on and ends the same."""
    loader = highlevel()
    before = move_in(loader, 20)
    requests = loader.load(small_clinic.lines).report["budget"]["requests"]
    spent = loader.tool("rollback", "--yes", REQUESTS_PER_DAY=str(requests + 150))
    assert spent.returncode == 75, spent.stderr
    assert differing(before, dump(loader))
    assert loader.tool("rollback", "--yes").returncode == 0
    assert differing(before, dump(loader)) == []


def test_calendar_events_are_undone_as_calendar_events(highlevel: Start, small_clinic: Clinic) -> None:
    """Whatever the setting says by then: it is about what will be made."""
    loader = highlevel()
    before = move_in(loader, 20)
    loader.load(small_clinic.lines, APPOINTMENTS_AS="calendar_event")
    assert loader.tool("rollback", "--yes", APPOINTMENTS_AS="task").returncode == 0
    assert differing(before, dump(loader)) == []


def test_records_are_read_by_the_page(highlevel: Start, small_clinic: Clinic) -> None:
    """Of the records only some are read by their id; one that somebody corrected is among them, and stays."""
    loader = highlevel(search_lag=0.0)  # what the search is behind with is read by id
    small_clinic.restore(loader)
    state, control = loader.sandbox.highlevel.state, loader.sandbox.highlevel.control
    number = len(state.records)
    item = _line_item(loader)
    state.damage.edit_record(item, item_name="corrected")
    control.reset_log()
    assert loader.tool("rollback", "--yes").returncode == 0
    read = [one for one in control.requests if one.method == "GET" and "/records/" in one.path]
    assert len(read) < number / 5
    assert state.records[item]["properties"]["item_name"] == "corrected"
    objects = Counter(one["objectKey"] for one in state.records.values())
    assert (
        objects["custom_objects.cliniko_invoice_line_item"] == objects["custom_objects.cliniko_invoice"] == 1
    )


def test_a_search_that_is_behind_is_not_trusted(highlevel: Start, small_clinic: Clinic) -> None:
    """A record corrected a moment ago, which the search still shows as it was: it stays, and the proof is no false alarm."""
    loader = highlevel()
    small_clinic.restore(loader)
    state = loader.sandbox.highlevel.state
    item = _line_item(loader)
    time.sleep(state.options.search_lag)  # the search knows the load
    state.options.search_lag = 60.0
    state.damage.edit_record(item, item_name="corrected")
    done = loader.tool("rollback", "--yes")
    assert done.returncode == 0, done.stdout
    assert state.records[item]["properties"]["item_name"] == "corrected"


def test_a_record_gone_long_ago_is_no_proof_that_the_search_is_up_to_date(
    highlevel: Start, small_clinic: Clinic
) -> None:
    """All but one were deleted by hand and the search knows; the one that is left was corrected a moment ago, and stays."""
    loader = highlevel()
    small_clinic.restore(loader)
    state = loader.sandbox.highlevel.state
    item = _line_item(loader)
    kind = state.records[item]["objectKey"]
    for other in [one for one, row in state.records.items() if row["objectKey"] == kind and one != item]:
        state.damage.delete("records", other)
    time.sleep(state.options.search_lag)
    state.options.search_lag = 60.0
    state.damage.edit_record(item, item_name="corrected")
    loader.tool("rollback", "--yes")
    assert state.records[item]["properties"]["item_name"] == "corrected"


def _line_item(loader: Loader) -> str:
    """Return the newest line item of an invoice."""
    records: dict[str, dict[str, str]] = loader.sandbox.highlevel.state.records
    return max(
        str(one)
        for one, row in records.items()
        if row["objectKey"] == "custom_objects.cliniko_invoice_line_item"
    )


def _proof(text: str) -> tuple[int, ...]:
    names = ("created and still there", "fields not as before the run", "left alone")
    lines = [line.strip() for line in text.splitlines()]
    return tuple(next(int(line.split()[-1]) for line in lines if line.startswith(name)) for name in names)
