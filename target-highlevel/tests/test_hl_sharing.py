"""Who keeps a shared address: each rule by itself, and the order in which they are asked."""

from __future__ import annotations

import random
from datetime import date
from typing import Any

import pytest

from target_highlevel.sharing import Sharer, keeper

TODAY = date(2026, 11, 29)


def sharer(number: int, *parents: int, **facts: Any) -> Sharer:
    """Return one of those who share an address."""
    return Sharer(
        f"contact:patients/{number}",
        guardians=frozenset(f"contact:patients/{parent}" for parent in parents),
        **facts,
    )


@pytest.mark.parametrize(
    ("first", "other", "reason"),
    [
        (sharer(2, chosen=True, archived=True, born="2020-01-01"), sharer(1, 2), "chosen"),
        (sharer(2, born="2020-01-01", archived=True), sharer(1, gone=True), "in_use"),
        (sharer(2, archived=True, unreachable=True), sharer(1, 2, born="1950-01-01"), "guardian"),
        (sharer(2, archived=True), sharer(1, born="2008-11-30"), "adult"),
        (sharer(2, archived=True, born="2008-11-29"), sharer(1, born="2008-11-30"), "adult"),
        (sharer(2, unreachable=True), sharer(1, archived=True, born="1950-01-01"), "active"),
        (sharer(2), sharer(1, unreachable=True, born="1950-01-01"), "reachable"),
        (sharer(2, born="1950-01-01"), sharer(1, born="1950-01-02"), "elder"),
        (sharer(2, born="1950-01-01"), sharer(1), "elder"),
        (sharer(9), sharer(10), "older_record"),
    ],
)
def test_one_reason_decides(first: Sharer, other: Sharer, reason: str) -> None:
    """Whichever comes first, and with others who come after both."""
    for people in ([first, other], [other, first]):
        assert keeper(people, TODAY) == (first.ref, {other.ref: reason})


def test_the_order_of_records_decides_nothing() -> None:
    """Nor does a circle of parents keep anybody from having it."""
    people = [sharer(1, 2), sharer(2, 3), sharer(3, 1), sharer(4, 1, born="1950-01-01"), sharer(5, 7, 5)]
    answers = set()
    for seed in range(20):
        random.Random(seed).shuffle(people)  # noqa: S311 - repeatable
        answers.add(keeper(people, TODAY)[0])
    assert answers == {"contact:patients/5"}
    assert keeper(people[:1], TODAY) == (people[0].ref, {})
    circle = [sharer(1, 2), sharer(2, 1, born="1950-01-01")]
    assert keeper(circle, TODAY) == ("contact:patients/2", {"contact:patients/1": "elder"})
