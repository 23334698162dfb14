"""Contacts that are shared out among writers: each is visited once, and one that fails keeps nobody from going on."""

from __future__ import annotations

import threading

import pytest

from target_highlevel.errors import Interrupted, NotFound, Unavailable
from target_highlevel.recovery.rounds import MOST_FAILED, Round

CONTACTS = [f"patients/{number}" for number in range(40)]


def test_nobody_goes_on_before_the_last_is_visited() -> None:
    """Whoever comes back from it can rely on every contact, also those that another thread has taken."""
    round_ = Round(CONTACTS)
    visited: list[str] = []
    went_on: list[int] = []
    first = threading.Barrier(4)

    def visit(contact: str) -> None:
        if contact in CONTACTS[-4:]:  # each thread has one in work
            first.wait(60)
        visited.append(contact)

    def work() -> None:
        round_.work_off(visit)
        went_on.append(len(visited))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(visited) == sorted(CONTACTS)
    assert went_on == [len(CONTACTS)] * 4


def test_a_contact_that_is_gone_or_fails_for_good_is_passed_over() -> None:
    """It is tried once; the others are visited."""
    tried: list[str] = []

    def visit(contact: str) -> None:
        tried.append(contact)
        if contact == CONTACTS[3]:
            raise NotFound
        if contact in CONTACTS[:2]:
            raise Unavailable

    round_ = Round(CONTACTS)
    round_.work_off(visit)
    round_.work_off(visit)
    assert sorted(tried) == sorted(CONTACTS)


def test_more_than_some_that_fail_are_highlevels_trouble() -> None:
    """Whoever needs them is told, each time, until HighLevel is well again; then every one that is left is visited."""
    round_ = Round(CONTACTS)
    visited: set[str] = set()
    with pytest.raises(Unavailable):
        round_.work_off(_fails)
    with pytest.raises(Unavailable):
        round_.work_off(_fails)
    round_.work_off(visited.add)
    assert len(visited) == len(CONTACTS) - MOST_FAILED


def test_what_ends_the_run_leaves_the_contact_to_be_visited() -> None:
    """No contact counts as visited because somebody has pressed Ctrl-C."""
    round_ = Round(CONTACTS)
    visited: set[str] = set()

    def interrupt(_: str) -> None:
        raise Interrupted

    with pytest.raises(Interrupted):
        round_.work_off(interrupt)
    round_.work_off(visited.add)
    assert visited == set(CONTACTS)


def _fails(_: str) -> None:
    raise Unavailable
