"""One budget for every process with the same key, on a clock that the test turns."""

from __future__ import annotations

import os
import stat
import struct
from typing import TYPE_CHECKING

import pytest
from test_tap_governor import Clock, most_in_a_minute

from tap_cliniko.governor import Governor
from tap_cliniko.shared_budget import SharedBudget

if TYPE_CHECKING:
    from pathlib import Path

KEY = "a-secret-au1"
BASE = "https://api.au1.cliniko.com/v1"


def process(path: Path, clock: Clock, limit: int = 200) -> Governor:
    """What a process begins with: an empty count of its own, and the file."""
    return Governor(limit, shared=SharedBudget(path, limit), clock=clock, sleep=clock.sleep)


def send(governor: Governor, clock: Clock, requests: int, latency: float = 0.1) -> list[float]:
    """Send requests one after another; return when the server saw each."""
    seen = []
    for _ in range(requests):
        with governor.slot():
            clock.sleep(latency)
            seen.append(clock.now)
    return seen


def test_runs_after_one_another_keep_to_one_budget(tmp_path: Path) -> None:
    """A new process goes on in the minute of the one before, instead of beginning with an empty one."""
    clock = Clock()
    seen = [at for _ in range(6) for at in send(process(tmp_path / "b", clock), clock, 130)]
    assert most_in_a_minute(seen) == 200


def test_processes_at_the_same_time_keep_to_one_budget(tmp_path: Path) -> None:
    """Two processes in turn: together they use the budget up and never exceed it."""
    clock = Clock()
    governors = [process(tmp_path / "b", clock), process(tmp_path / "b", clock)]
    seen = [at for number in range(900) for at in send(governors[number % 2], clock, 1, 0.01)]
    assert most_in_a_minute(seen) == 200
    assert seen[-1] - seen[0] < 60 * 900 / 200


def test_a_process_with_a_smaller_budget_counts_what_the_others_sent(tmp_path: Path) -> None:
    """With 150 places and 140 sent by somebody else, ten are left."""
    clock = Clock()
    send(process(tmp_path / "b", clock), clock, 140, 0.0)
    assert send(process(tmp_path / "b", clock, limit=150), clock, 11, 0.0) == [1000.0] * 10 + [1060.0]


def test_a_pause_holds_every_process_back(tmp_path: Path) -> None:
    """When the server tells one process that the budget is spent, the next one waits as well."""
    clock = Clock()
    process(tmp_path / "b", clock).pause(7.5)
    assert send(process(tmp_path / "b", clock), clock, 1, 0.0) == [pytest.approx(1007.5)]


def test_a_process_that_dies_in_a_request_holds_its_place_for_a_while_only(tmp_path: Path) -> None:
    """Its request may have been counted, so the place stays taken, but not for ever."""
    clock, budget = Clock(), SharedBudget(tmp_path / "b", 1)
    budget.take(clock.now)
    assert send(process(tmp_path / "b", clock, 1), clock, 1, 0.0) == [pytest.approx(1245.0)]


def test_an_answer_after_the_place_was_given_away_is_counted_elsewhere(tmp_path: Path) -> None:
    """A request that took longer than any may does not free the place of somebody else."""
    budget = SharedBudget(tmp_path / "b", 2)
    late, other = budget.take(1000.0), budget.take(1250.0)
    assert not isinstance(late, float)
    assert not isinstance(other, float)
    assert late.number == other.number
    budget.answered(late, 1251.0)
    assert budget.take(1252.0) == pytest.approx(59.0)


def test_a_place_taken_while_somebody_waited_for_the_file_is_taken(tmp_path: Path) -> None:
    """Two processes wait for their turn: the first to get it looked at the clock later than the second."""
    first, second = SharedBudget(tmp_path / "b", 1), SharedBudget(tmp_path / "b", 1)
    first.take(1000.5)
    assert second.take(1000.0) == pytest.approx(60.0)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\0",
        b"not a budget" * 999,
        b"\xff" * 4000,
        *(struct.pack("<d", moment) * 300 for moment in (9e9, float("inf"), float("nan"))),
    ],
    ids=["empty", "one byte", "text", "ones", "far ahead", "infinite", "no number"],
)
def test_a_damaged_file_is_as_good_as_none(tmp_path: Path, content: bytes) -> None:
    """Nonsense, or moments from before the machine was started again, hold nobody back; counting goes on."""
    clock, path = Clock(), tmp_path / "b"
    path.write_bytes(content)
    assert send(process(path, clock), clock, 200, 0.0) == [1000.0] * 200
    assert send(process(path, clock), clock, 1, 0.0) == [1060.0]


def test_without_a_usable_file_a_process_keeps_to_its_own_count(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A link, which may be a trap, is not followed: one warning, and the process's own budget holds."""
    target = tmp_path / "elsewhere"
    target.touch()
    (tmp_path / "b").symlink_to(target)
    clock = Clock()
    assert most_in_a_minute(send(process(tmp_path / "b", clock), clock, 500)) == 200
    assert target.read_bytes() == b""
    assert len([each for each in caplog.messages if "not shared" in each]) == 1


def test_removing_the_file_does_not_end_a_run(tmp_path: Path) -> None:
    """Folders of temporary files are emptied now and then."""
    clock, path = Clock(), tmp_path / "b"
    governor = process(path, clock)
    send(governor, clock, 10)
    path.unlink()
    seen = send(governor, clock, 400)
    assert most_in_a_minute(seen) <= 200
    assert path.exists()


def test_the_file_tells_nobody_the_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The key is not in name or content; only the owner reads it; each key, however written, and host has one of its own."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    budget = SharedBudget.of(BASE, KEY, 200)
    budget.take(1000.0)
    assert {each.name for each in tmp_path.iterdir()} <= {budget.path.name, f"{budget.path.name}.lock"}
    assert stat.S_IMODE(budget.path.stat().st_mode) == 0o600
    assert b"secret" not in budget.path.read_bytes() + os.fsencode(budget.path)
    elsewhere = SharedBudget.of(BASE.replace("au1", "uk2"), KEY, 200)
    another = SharedBudget.of(BASE, "b-secret-au1", 200)
    assert len({budget.path, elsewhere.path, another.path}) == 3
    assert SharedBudget.of(BASE, "a-secret", 200).path == budget.path
