"""Killed at any moment, the next run goes on where the last state says."""

from __future__ import annotations

import contextlib
import io
import json
import random
import subprocess
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from tap_runs import (
    Said,
    Warehouse,
    account_rows,
    client_for,
    config_for,
    differences,
    listed_resources,
    run_tap,
)

from sandbox import Sandbox
from tap_cliniko.reading import IdRange, ListReader
from tap_cliniko.resources import RESOURCES
from tap_cliniko.tap import TapCliniko

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

KILLS = 5
#: Lists whose changed rows others follow: how often they are read again depends on where a kill strikes (see the next test).
FOLLOWED = {each.follows[0] for each in RESOURCES if each.follows}


@pytest.fixture(scope="module")
def clinic() -> Iterator[Sandbox]:
    """A clinic with lists of several pages, whose answers take a little time."""
    with Sandbox(seed=11, patients=150, cliniko={"requests_per_minute": 0}) as sandbox:
        sandbox.cliniko.control.latency = 0.01
        yield sandbox


def start(
    config: Path, state: dict[str, Any], folder: Path, number: int
) -> tuple[subprocess.Popen[bytes], Path]:
    """Start the tap as a process of its own."""
    out, saved = folder / f"out{number}.jsonl", folder / f"state{number}.json"
    saved.write_text(json.dumps(state))
    command = [sys.executable, "-m", "tap_cliniko", "--config", str(config), "--state", str(saved)]
    with out.open("wb") as stdout, (folder / "err.txt").open("wb") as stderr:
        return subprocess.Popen(command, stdout=stdout, stderr=stderr), out


@pytest.mark.soak
def test_killed_again_and_again_it_ends_where_a_whole_run_ends(clinic: Sandbox, tmp_path: Path) -> None:
    """Kills at random moments lose no row, and a window that was begun is not begun again."""
    killed = kill_again_and_again(clinic, tmp_path, KILLS, seed=7)
    assert killed.begun_again == []
    assert killed.differences == []
    assert killed.runs > KILLS


@dataclass
class Killed:
    """What is left after a chain of kills: streams that began again, rows that are not as in the account."""

    runs: int = 0
    begun_again: list[str] = field(default_factory=list)
    differences: list[str] = field(default_factory=list)


def kill_again_and_again(clinic: Sandbox, folder: Path, kills: int, seed: int) -> Killed:
    """Kill the tap at random moments and start it again from its last state, until it ends by itself."""
    rng = random.Random(seed)  # noqa: S311 - repeatable, no secret
    config = folder / "config.json"
    config.write_text(json.dumps(config_for(clinic, folder)))
    state: dict[str, Any] = {}
    warehouse, killed, left = Warehouse(), Killed(), kills
    while True:
        process, out = start(config, state, folder, killed.runs)
        left -= killed_after(process, rng.uniform(1.0, 2.0)) if left else 0
        process.wait()
        said = Said.from_text(out.read_text())
        killed.begun_again += sorted(set(begun_again(state, said)) - FOLLOWED)
        warehouse.load(said)
        state, killed.runs = said.state or state, killed.runs + 1
        if process.returncode == 0:
            if not left:
                break
            state = {}  # it was quicker than the clock: let it be killed on another way through
    killed.differences = differences(clinic, warehouse)
    return killed


def killed_after(process: subprocess.Popen[bytes], seconds: float) -> bool:
    """Kill a process unless it ends before; return whether it had to be killed."""
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        return True
    return False


def begun_again(state: dict[str, Any], said: Said) -> list[str]:
    """Name the streams that passed on rows which the state had left behind."""
    windows = {
        name: each["window"]["ranges"]
        for name, each in state.get("bookmarks", {}).items()
        if "window" in each
    }
    return [name for name, ranges in windows.items() if not goes_on(ranges, said.records(name))]


def goes_on(ranges: list[list[str | None]], records: list[dict[str, Any]]) -> bool:
    """Tell whether what was left came before anything else.

    The run opens its own window after that, and reads what other lists need of this one once more.
    """
    left = [IdRange.load(each) for each in ranges]
    # signatures go by the forms they are on
    read = [int(each.get("patient_form_id") or each["id"]) for each in records]
    was_left = [any(n > s.after and (s.upto is None or n <= s.upto) for s in left) for n in read]
    first = [at for at, n in enumerate(read) if was_left[at] and n not in read[:at]]
    return all(was_left[: first[-1] if first else 0])


def test_invoices_go_on_though_the_lines_of_all_of_them_are_still_to_be_read(
    clinic: Sandbox, tmp_path: Path
) -> None:
    """An interruption inside the invoices costs a second reading of them, after what was left of the first."""
    config = config_for(clinic, tmp_path)
    both = ["invoices", "invoice_items"]
    whole = run_tap(config, streams=both)
    under_way = [
        each["value"]
        for each in whole.messages
        if each["type"] == "STATE" and "window" in each["value"].get("bookmarks", {}).get("invoices", {})
    ]
    clinic.cliniko.control.advance(1)
    said = run_tap(config, under_way[1], both)
    assert len(said.records("invoices")) > len(whole.records("invoices"))
    assert begun_again(under_way[1], said) == []
    assert begun_again(under_way[1], whole) != []


def test_a_list_can_be_left_after_any_row(clinic: Sandbox) -> None:
    """Whatever row was the last one passed on, the saved ranges hold exactly the rest."""
    client = client_for(clinic)
    everything = [int(key[0]) for key in account_rows(clinic, resource_named("invoice_items"))]
    for last in range(0, len(everything), 97):
        ranges, read = [IdRange()], []
        reader = ListReader(client, "/invoice_items", "invoice_items", readers=3)
        for ident in rows_one_by_one(reader, ranges):
            read.append(ident)
            if len(read) > last:
                break
        saved = [IdRange.load(each.dump()) for each in ranges]
        read += list(rows_one_by_one(ListReader(client, "/invoice_items", "invoice_items", readers=3), saved))
        # the row on which the reading stopped was passed on, but nobody could note that any more
        assert sorted(set(read)) == sorted(everything)
        assert len(read) <= len(everything) + 1
    client.close()


def rows_one_by_one(reader: ListReader, ranges: list[IdRange]) -> Iterator[int]:
    """Pass rows on as a stream does, noting each after it went out."""
    reveal = ("archived_at:*", "deleted_at:*")
    for chunk in reader.chunks(reveal, ranges):
        for row in chunk.rows:
            yield int(row["id"])
            chunk.id_range.after = int(row["id"])


def resource_named(name: str) -> Any:
    """Find a resource."""
    return next(each for each in listed_resources() if each.name == name)


def test_an_old_unfinished_window_is_finished_before_a_new_one_begins(
    clinic: Sandbox, tmp_path: Path
) -> None:
    """The window of an interrupted run keeps its end; the same run then reads on to its own end."""
    window = {
        "start": None,
        "end": "2020-01-01T00:00:00Z",
        "passes": ["changed"],
        "scope": 0,
        "ranges": [["0", None]],
    }
    state = {"bookmarks": {"patients": {"replication_key": "updated_at", "window": window}}}
    said = run_tap(config_for(clinic, tmp_path), state, ["patients"])
    resource = resource_named("patients")
    assert {(each["id"],) for each in said.records("patients")} == account_rows(clinic, resource).keys()
    assert said.state["bookmarks"]["patients"]["replication_key_value"] > "2026"
    assert "window" not in said.state["bookmarks"]["patients"]


def test_state_comes_often(clinic: Sandbox, tmp_path: Path) -> None:
    """Never are more than a hundred records under way without a state after them."""
    said = run_tap(config_for(clinic, tmp_path), None, ["invoice_items", "attendees"])
    since = 0
    for message in said.messages:
        since = since + 1 if message["type"] == "RECORD" else 0 if message["type"] == "STATE" else since
        assert since <= 100


def test_a_catalog_that_asks_for_the_whole_table_gets_it(quiet_clinic: Sandbox, tmp_path: Path) -> None:
    """FULL_TABLE for a list that is read by its changes: all rows come, whatever the state says."""
    config = config_for(quiet_clinic, tmp_path)
    first = run_tap(config, None, ["medical_alerts"])
    catalog = TapCliniko(config=dict(config)).catalog_dict
    for entry in catalog["streams"]:
        entry["metadata"][0]["metadata"]["selected"] = entry["stream"] == "medical_alerts"
        if entry["stream"] == "medical_alerts":
            entry["replication_method"] = "FULL_TABLE"
    out = io.StringIO()
    tap = TapCliniko(config=dict(config), state=first.state, catalog=catalog)
    with contextlib.redirect_stdout(out):
        tap.sync_all()
    tap.close()
    again = Said.from_text(out.getvalue())
    assert len(again.records("medical_alerts")) == len(first.records("medical_alerts")) > 0
    assert "replication_key_value" in again.state["bookmarks"]["medical_alerts"]
