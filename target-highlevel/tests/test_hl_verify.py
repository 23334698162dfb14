"""Verification against the sandbox: nothing on an undamaged account, every one of hundreds of damages."""

from __future__ import annotations

import json
import random
import sqlite3
import time
from collections import Counter
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
from hl_damage import Vandal, read_crosswalk, read_differences
from hl_loading import Loader, a_sandbox

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from hl_loading import Clinic


#: Far below one: contacts by 500, records by 100, notes, tasks and relations by the record they hang on.
MOST_REQUESTS_PER_RECORD = 0.3


@pytest.fixture
def loaded(tmp_path: Path, clinic: Clinic) -> Iterator[tuple[Loader, list[str]]]:
    """A clinic of forty patients, loaded, and the lines it was loaded from."""
    with a_sandbox(clinic.patients) as sandbox:
        loader = Loader(sandbox, tmp_path)
        clinic.restore(loader)
        yield loader, clinic.lines


def newest(loader: Loader) -> Path:
    """Return the folder of the newest report."""
    return max((loader.folder / "reports").iterdir())


def verify(loader: Loader, lines: list[str], **more: str) -> tuple[int, dict[str, Any]]:
    """Verify once the search has caught up; return the exit code and what the report says."""
    time.sleep(loader.sandbox.highlevel.state.options.search_lag)
    done = loader.load(lines, MODE="verify", **more)
    assert done.code in {0, 5}, done.log[-3000:]
    assert done.states == []
    said: dict[str, Any] = done.report["verification"]
    return done.code, said


def content(loader: Loader) -> str:
    """Return everything HighLevel holds, comparably."""
    return json.dumps(loader.sandbox.highlevel.state.dump(), sort_keys=True, default=str)


def spent(loader: Loader) -> int:
    """Return the requests that the ledger has counted."""
    with closing(sqlite3.connect(loader.folder / "ledger.db")) as ledger:
        return int(ledger.execute("select sum(requests) from budget").fetchone()[0])


def without(lines: list[str], stream: str, number: int) -> tuple[list[str], str]:
    """Leave the n-th record of a stream out; return the other lines and its id."""
    places = [place for place, line in enumerate(lines) if json.loads(line).get("type") == "RECORD"]
    mine = [place for place in places if json.loads(lines[place])["stream"] == stream]
    left_out = mine[number]
    return [*lines[:left_out], *lines[left_out + 1 :]], str(json.loads(lines[left_out])["record"]["id"])


@pytest.mark.parametrize("seed", [1, *(pytest.param(seed, marks=pytest.mark.soak) for seed in range(2, 12))])
def test_an_undamaged_account_agrees_and_each_of_500_damages_is_found(
    loaded: tuple[Loader, list[str]], seed: int
) -> None:
    """Nothing is reported before the damage, exactly the damaged records after it, and it stays cheap."""
    loader, lines = loaded
    control = loader.sandbox.highlevel.control
    before = content(loader)
    control.reset_log()
    code, said = verify(loader, lines)
    assert (code, said["different"], said["missing"], said["extra"]) == (0, 0, 0, 0), read_differences(
        newest(loader)
    )
    assert said["closes_to_zero"]
    assert said["fields_compared"] == said["equal"] + said["normalised"] > 5 * said["records"]
    assert said["requests"] == len(control.requests) < MOST_REQUESTS_PER_RECORD * said["records"]
    assert not any(request.write for request in control.requests)
    assert content(loader) == before
    rejected = sum(item["rejected"] for item in said["objects"])
    assert rejected == loader.newest_report()["totals"]["rejected"] > 0

    vandal = Vandal(loader.sandbox, read_crosswalk(newest(loader)), random.Random(seed))  # noqa: S311 - damage, not secrets
    vandal.rampage(500)
    assert len(vandal.done) == 500
    assert len({kind.partition(":")[0] for kind in vandal.done}) >= 15, Counter(vandal.done)
    code, said = verify(loader, lines)
    found = read_differences(newest(loader))
    assert vandal.expected - found == set()
    assert found - vandal.expected == set()
    assert code == 5
    assert said["closes_to_zero"]


def test_calendar_events_are_compared_like_tasks(
    highlevel: Callable[..., Loader], small_clinic: Clinic
) -> None:
    """An undamaged account agrees; an event moved, relabelled or deleted, and a calendar renamed, is found."""
    loader = highlevel()
    more = {"APPOINTMENTS_AS": "calendar_event"}
    assert loader.load(small_clinic.lines, **more).code in {0, 4}
    assert verify(loader, small_clinic.lines, **more)[0] == 0
    state = loader.sandbox.highlevel.state
    crosswalk = read_crosswalk(newest(loader))
    number = len(state.calendars)
    renamed = min(
        event["calendarId"] for event in state.appointments.values() if event["calendarId"] in crosswalk
    )
    other = sorted(one for one, event in state.appointments.items() if event["calendarId"] != renamed)
    moved, relabelled, deleted = other[:3]
    state.damage.edit("appointments", moved, startTime="2031-01-01T00:00:00Z")
    state.damage.edit("appointments", relabelled, appointmentStatus="new")
    state.damage.delete("appointments", deleted)
    state.calendars[renamed] = {**state.calendars[renamed], "name": "Renamed"}
    code, said = verify(loader, small_clinic.lines, **more)
    assert (code, said["missing"], len(state.calendars)) == (5, 1, number)
    assert read_differences(newest(loader)) == {
        crosswalk[one][0] for one in (moved, relabelled, deleted, renamed)
    }


def test_a_search_that_lags_gives_no_false_alarm_and_a_verification_leaves_no_trace(
    highlevel: Callable[..., Loader], small_clinic: Clinic
) -> None:
    """What the search does not show yet is read by id; afterwards an unchanged account costs no write."""
    loader = highlevel(search_lag=600.0)
    control = loader.sandbox.highlevel.control
    assert loader.load(small_clinic.lines).code in {0, 4}
    done = loader.load(small_clinic.lines, MODE="verify")
    assert done.code == 0, done.log[-2000:]
    assert spent(loader) == len(control.requests)  # in the day's budget, what it read counts as well
    control.reset_log()
    assert loader.load(small_clinic.lines).code in {0, 4}
    assert not any(request.write for request in control.requests)


def test_what_the_account_has_and_highlevel_has_not_is_missing_and_the_reverse_is_left_alone(
    highlevel: Callable[..., Loader], small_clinic: Clinic
) -> None:
    """A note written since the load is missing; a note that this reading did not bring is nobody's error."""
    loader = highlevel()
    fewer, identity = without(small_clinic.lines, "treatment_notes", 0)
    assert loader.load(fewer).code in {0, 4}
    code, said = verify(loader, small_clinic.lines)
    assert code == 5
    assert (said["missing"], said["different"], said["extra"]) == (1, 0, 0)
    assert read_differences(newest(loader)) == {("note", f"treatment_notes/{identity}")}
    assert verify(loader, without(fewer, "treatment_notes", 0)[0])[0] == 0
