"""The simulation behind docs/scale.md: runs wait for slots and share processors."""

from __future__ import annotations

import pytest

from scripts.fleet import EveryFewMinutes, Fleet, Once, Work


@pytest.mark.parametrize(
    ("cores", "slots", "runs", "ends"),
    [
        (
            1,
            9,
            [Work(10, 10), Work(10, 10)],
            [20, 20],
        ),  # two that need the processor all the time halve each other
        (2, 9, [Work(10, 10), Work(10, 10)], [10, 10]),
        (1, 9, [Work(1, 10)] * 5, [10] * 5),  # waiting takes no processor
        (1, 1, [Work(1, 10)] * 3, [10, 20, 30]),
        (1, 9, [Work(10, 10), Work(5, 10)], [15, 15]),
        (1, 9, [Work(10, 10), Work(2, 4)], [6, 12]),  # 4 at two thirds of the speed, then the rest alone
    ],
)
def test_runs_share_what_there_is(cores: int, slots: int, runs: list[Work], ends: list[float]) -> None:
    """Nobody gets more than its share, and nothing is done twice or never."""
    fleet = Fleet(cores, slots)
    ended: list[float] = []
    for work in runs:
        fleet.put(0.0, Once(work, ended.append))
    fleet.go()
    assert ended == pytest.approx(ends)
    assert fleet.busy == pytest.approx(sum(work.processor for work in runs))


def test_a_clinic_never_overtakes_itself() -> None:
    """A run that takes longer than the pause is followed at the next full one."""
    fleet = Fleet(1, 9)
    clinic = EveryFewMinutes(fleet, Work(1, 400), 0.0, 300.0)
    fleet.put(0.0, clinic)
    fleet.go(2000.0)
    assert clinic.late == [400.0] * 4
