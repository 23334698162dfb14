"""Several processes of a machine share one window: together they never exceed it, and the dead hold nobody up."""

from __future__ import annotations

import logging
import os
import stat
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING

import pytest

from target_highlevel.errors import Interrupted
from target_highlevel.http.governor import Governor, Limits
from target_highlevel.http.shared_window import UNSHARED, Place, SharedWindow

if TYPE_CHECKING:
    from pathlib import Path

LIMITS = Limits(requests=10, seconds=0.5, transit=0.05)
API = "https://services.leadconnectorhq.com"


def window(path: Path, limit: int = 3, *, pid: int | None = None) -> SharedWindow:
    """Return the window as one process sees it: each object is a process here, unless it is given another's id."""
    made = SharedWindow(path / "w", limit, 10.0)
    if pid is not None:
        made._pid = pid
    return made


def took(place: Place | float) -> Place:
    """A place that was there to be taken."""
    assert isinstance(place, Place)
    return place


@pytest.fixture
def dead() -> int:
    """The id of a process that is gone."""
    done = subprocess.Popen([sys.executable, "-c", ""])
    done.wait()
    return done.pid


def test_governors_together_never_exceed_the_window(tmp_path: Path) -> None:
    """Three runs with four threads each, all as fast as they can: in no half second are there more than ten."""
    departures: list[float] = []
    stop = threading.Event()

    def run(governor: Governor) -> None:
        while not stop.is_set():
            try:
                with governor.slot() as slot:
                    slot.leaving()
                    departures.append(time.monotonic())
                    slot.left()
            except Interrupted:
                return

    threads = []
    for _ in range(3):
        shared = SharedWindow(tmp_path / "w", LIMITS.requests, LIMITS.seconds, LIMITS.transit)
        governor = Governor(LIMITS, shared=shared, stop_event=stop)
        threads += [threading.Thread(target=run, args=(governor,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    time.sleep(2)
    stop.set()
    for thread in threads:
        thread.join()
    departures.sort()
    widest = max(sum(one <= other < one + LIMITS.seconds for other in departures) for one in departures)
    assert widest <= LIMITS.requests
    assert len(departures) > 2 * LIMITS.requests


def test_a_place_is_free_one_window_after_its_request_has_left(tmp_path: Path) -> None:
    """Whoever asks is told when; a request under way keeps its place."""
    one, other = window(tmp_path), window(tmp_path)
    places = [took(each.take(100.0)) for each in (one, other, one)]
    assert other.take(150.0) == pytest.approx(1.02)  # nobody knows when: ask again soon
    places[0] = one.free_at(places[0], 160.2, 150.0)
    assert other.take(158.0) == pytest.approx(1.02)
    assert other.take(159.9) == pytest.approx(0.3)
    assert took(other.take(160.3)).number == places[0].number


def test_an_answer_that_comes_late_takes_nobodys_place_away(tmp_path: Path) -> None:
    """By then the place may be another process's."""
    one, other = window(tmp_path, 1), window(tmp_path, 1)
    left = one.free_at(took(one.take(100.0)), 110.2, 100.0)
    theirs = took(other.take(111.0))
    assert theirs.number == left.number
    one.free_at(left, 110.2, 112.0)
    assert isinstance(one.take(112.0), float)


def test_what_never_left_is_free_at_once(tmp_path: Path) -> None:
    """HighLevel has not seen it."""
    one, other = window(tmp_path, 1), window(tmp_path, 1)
    one.free_at(took(one.take(100.0)), 100.0, 100.0)
    took(other.take(100.0))


def test_a_dead_process_frees_its_places(tmp_path: Path, dead: int) -> None:
    """Within a window after that is noticed: what it had under way may just have arrived."""
    killed, other = window(tmp_path, 1, pid=dead), window(tmp_path, 1)
    took(killed.take(100.0))
    assert isinstance(other.take(130.0), float)
    assert isinstance(other.take(140.0), float)
    took(other.take(140.3))


def test_a_refusal_holds_every_process_back(tmp_path: Path) -> None:
    """After a 429 of one of them."""
    one, other = window(tmp_path), window(tmp_path)
    one.close_until(107.0, 100.0)
    assert other.take(102.0) == pytest.approx(5.0)
    took(other.take(107.1))


@pytest.mark.parametrize("content", [b"", b"x", b"\xff" * 5000, bytes(100)])
def test_nonsense_in_the_file_counts_as_nothing(content: bytes, tmp_path: Path) -> None:
    """Also moments of before a restart, which lie far ahead."""
    (tmp_path / "w").write_bytes(content)
    ahead = window(tmp_path)
    took(ahead.take(1_000_000.0))
    for _ in range(3):
        took(window(tmp_path).take(5.0))
    assert isinstance(window(tmp_path).take(5.0), float)


def test_without_its_file_a_process_goes_on_alone(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """And says so, once."""
    (tmp_path / "w").mkdir()
    alone = window(tmp_path, 1)
    with caplog.at_level(logging.WARNING):
        assert alone.take(1.0) is alone.take(1.0) is UNSHARED
    assert len(caplog.records) == 1
    assert alone.taken_by_others(1.0) == 0


def test_each_sub_account_of_each_server_has_a_window_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a private folder, under a name that tells nothing; a sandbox without a limit has none."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    limits = Limits()
    made = [
        SharedWindow.of(*each, limits)
        for each in ((API, "one"), (f"{API}:443/", "one"), (API, "two"), ("http://127.0.0.1:8", "one"))
    ]
    paths = [each.path for each in made if each is not None]
    assert paths[0] == paths[1]
    assert len(set(paths)) == 3
    assert "one" not in paths[0].name
    assert made[0] is not None
    took(made[0].take(1.0))
    assert stat.S_IMODE(paths[0].stat().st_mode) == 0o600
    assert stat.S_IMODE(paths[0].parent.stat().st_mode) == 0o700
    assert SharedWindow.of(API, "one", Limits(requests=20_000)) is None


def test_our_own_processes_are_no_strangers(tmp_path: Path) -> None:
    """What HighLevel counts beyond our own requests is used by others; another run of ours is not taken for one."""
    one, other = window(tmp_path, 100), window(tmp_path, 100, pid=os.getppid())
    for _ in range(30):
        took(other.take(100.0))
    assert one.taken_by_others(100.0) == 30
    governor = Governor(Limits(transit=0.0), shared=one, clock=lambda: 100.0, wait=lambda _: False)
    with governor.slot() as slot:
        slot.leaving()
        headers = {"X-RateLimit-Max": "100", "X-RateLimit-Remaining": "69"}
        governor.hear(slot, headers)
        assert governor._allowed(100.0) == 100
        governor.hear(slot, headers | {"X-RateLimit-Remaining": "40"})
        assert governor._allowed(100.0) == 71
