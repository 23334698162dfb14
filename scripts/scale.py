"""Simulate a thousand clinics on some machines, from what one clinic was measured to cost.

`python scripts/scale.py` reads docs/scale.json and writes the tables of docs/scale.md. A discrete-event simulation: runs come,
wait for a slot, share the processors while they run, and end. Nothing in it is random.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fleet import EveryFewMinutes, Fleet, Once, Work
from measuring import ROOT, put_section

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

PAGE = ROOT / "docs" / "scale.md"
CLINICS = 1000
#: Share of the clinics -> patients of each.
SIZES = {0.5: 1_500, 0.35: 4_000, 0.15: 10_000}
#: Requests to HighLevel that a day's work of a practice causes, for each of its patients.
CHANGES = 0.15
#: Requests a second of one sub-account, at the share of the budget that docs/benchmarks.md measures; requests of a day.
PACE, DAY_BUDGET = 9.6, 200_000
CLINIKO_PACE = 200 / 60
#: Processor seconds of an Airflow task beside its command: start of the process, imports, the DAG of one clinic (measured once).
TASK = 1.6
#: Slots for steps at a time, on every processor core.
SLOTS = 8
#: Tasks of a clinic's DAG.
STEPS = 6
DAY, HOUR, MINUTE = 86_400.0, 3_600.0, 60.0


@dataclass(frozen=True)
class Costs:
    """What was measured of one clinic, for any number of patients and requests."""

    steps: Mapping[str, Mapping[str, Mapping[str, float]]]

    def of(self, step: str, cost: str, patients: float) -> float:
        """Return what a step costs a clinic of so many patients."""
        split = self.steps[step][cost]
        return split["base"] + split["patient"] * patients

    def command(self, step: str, patients: int) -> Work:
        """Return the work of a step that goes over all patients, with the task around it."""
        processor = self.of(step, "processor_seconds", patients) + TASK
        reads = self.of(step, "cliniko_requests", patients) / CLINIKO_PACE
        writes = self.of(step, "highlevel_requests", patients) / PACE
        return Work(processor, max(processor, reads, writes))

    def delta(self, patients: int, requests: float) -> Work:
        """Return the work of a run that begins, brings a number of changes, and reports."""
        begin = self.steps["begin"]["processor_seconds"]["base"] + TASK
        each = (
            self.steps["load"]["processor_seconds"]["patient"]
            / self.steps["load"]["highlevel_requests"]["patient"]
        )
        processor = self.of("delta", "processor_seconds", patients) + TASK + requests * each
        report = TASK
        return Work(begin + processor + report, begin + max(processor, requests / PACE) + report)


def patients() -> list[int]:
    """Return the size of every clinic, mixed."""
    sizes = [size for share, size in SIZES.items() for _ in range(round(share * CLINICS))]
    return [sizes[number * 617 % len(sizes)] for number in range(len(sizes))]


def night(costs: Costs, cores: int) -> tuple[float, float, int]:
    """Return when the last of all clinics has its delta if all come at once, the processors' use, and the runs at a time."""
    fleet = Fleet(cores, cores * SLOTS)
    ends: list[float] = []
    for size in patients():
        fleet.put(0.0, Once(costs.delta(size, size * CHANGES), ends.append))
    fleet.go()
    return max(ends), fleet.busy / (fleet.now * cores), fleet.most


def by_day(costs: Costs, cores: int, every: float) -> tuple[float, float, float]:
    """Return how far behind a clinic is (median, 95 of 100), and the processors' use, when all run every few minutes."""
    fleet = Fleet(cores, cores * SLOTS)
    clinics = []
    for number, size in enumerate(patients()):
        work = costs.delta(size, size * CHANGES * every / (10 * HOUR))  # a practice works ten hours
        clinics.append(EveryFewMinutes(fleet, work, number * every / CLINICS, every))
        clinics[-1].came = clinics[-1].offset
        fleet.put(clinics[-1].offset, clinics[-1])
    fleet.go(4 * HOUR)
    late = sorted(each for clinic in clinics for each in clinic.late[1:])
    return late[len(late) // 2], late[len(late) * 95 // 100], fleet.busy / (fleet.now * cores)


def first_loads(costs: Costs, cores: int, a_day: int) -> tuple[float, int, float]:
    """Return days until a clinic of the largest size is loaded, runs at a time and use, when so many clinics come a day."""
    fleet, days = Fleet(cores, cores * SLOTS), 20
    took: list[float] = []
    for day in range(days):
        for number, size in enumerate(patients()[:a_day]):
            _come(fleet, costs, size, day * DAY + number * MINUTE, took)
    fleet.go()
    return max(took) / DAY, fleet.most, fleet.busy / (days * DAY * cores)


def _come(fleet: Fleet, costs: Costs, size: int, came: float, took: list[float]) -> None:
    """Plan a clinic, load it in as many days as its requests take, verify it."""
    left = costs.of("load", "highlevel_requests", size)
    whole = costs.command("load", size)

    def go_on(now: float) -> None:
        nonlocal left
        if left <= 0:
            fleet.put(now, Once(costs.command("verify", size), lambda end: took.append(end - came)))
            return
        part = min(left, DAY_BUDGET)
        share = part / costs.of("load", "highlevel_requests", size)
        left -= part
        spent = left > 0
        work = Work(whole.processor * share, whole.lasts * share)
        tomorrow = (now // DAY + 1) * DAY
        fleet.put(now, Once(work, (lambda end: go_on(max(end, tomorrow))) if spent else go_on))

    fleet.put(came, Once(costs.command("plan", size), go_on))


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> list[str]:
    """Return a table in Markdown."""
    head = list(head)
    return [f"| {' | '.join(cells)} |" for cells in (head, ["---"] * len(head), *rows)]


def _minutes(seconds: float) -> str:
    return f"{seconds / MINUTE:.0f} min" if seconds >= MINUTE else f"{seconds:.0f} s"


def sections(figures: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return title -> text of everything that is computed."""
    costs = Costs(figures["steps"])
    measured = table(
        ("step", "processor", "of Cliniko", "of HighLevel"),
        (
            (
                step,
                f"{split['processor_seconds']['base']:.1f} s + {1000 * split['processor_seconds']['patient']:.0f} ms a patient",
                f"{split['cliniko_requests']['base']:.0f} + {split['cliniko_requests']['patient']:.2f} a patient",
                f"{split['highlevel_requests']['base']:.0f} + {split['highlevel_requests']['patient']:.2f} a patient",
            )
            for step, split in figures["steps"].items()
        ),
    )
    room = figures["bytes"]
    large = (
        f"Database of a clinic: {room['base'] / 1e6:.0f} MB + {room['patient'] / 1e3:.0f} kB a patient. Sessions of PostgreSQL"
        f" while a step runs: {figures['connections']}. Largest process: {figures['megabytes_of_a_step']} MB, of three in a step."
        f" Measured {figures['date']} ({figures['machine']}), by clinics of {' and '.join(map(str, figures['sizes']))} patients."
    )
    measured += ["", large]
    nights = [(cores, *night(costs, cores)) for cores in (2, 4, 8, 16, 32, 64)]
    days = [(cores, *by_day(costs, cores, 5 * MINUTE)) for cores in (16, 32, 48, 64)]
    halves = [(cores, *by_day(costs, cores, 30 * MINUTE)) for cores in (4, 8, 16, 32)]
    loads = [(n, cores, *first_loads(costs, cores, n)) for n, cores in ((5, 2), (20, 2), (20, 4), (50, 8))]
    every = [("5 min", *row) for row in days] + [("30 min", *row) for row in halves]
    return {
        "What one clinic costs": measured,
        "All clinics in one night": table(
            ("cores", "all have their delta after", "processors used", "steps at a time"),
            ((str(n), _minutes(end), f"{use:.0%}", str(most)) for n, end, use, most in nights),
        ),
        "All clinics through the day": table(
            ("every", "cores", "behind, median", "behind, 95 of 100", "processors used"),
            ((each, str(n), _minutes(mid), _minutes(far), f"{use:.0%}") for each, n, mid, far, use in every),
        ),
        "First loads": table(
            ("new clinics a day", "cores", "slowest is live after", "steps at a time", "processors used"),
            (
                (str(n), str(cores), f"{took:.1f} days", str(most), f"{use:.0%}")
                for n, cores, took, most, use in loads
            ),
        ),
        "What breaks first": _limits(costs, figures),
    }


def _limits(costs: Costs, figures: Mapping[str, Any]) -> list[str]:
    """Set what a thousand clinics take against what there is."""
    sizes = patients()
    nightly = sum(costs.delta(size, size * CHANGES).processor for size in sizes)
    quiet = sum(costs.delta(size, 0).processor for size in sizes)
    room = sum(figures["bytes"]["base"] + figures["bytes"]["patient"] * size for size in sizes)
    sessions = figures["connections"]
    runs_a_year, quiet_run = 365 * DAY / (5 * MINUTE), figures["bytes_of_a_quiet_run"]
    kept = ", ".join(
        f"{runs_a_year * quiet_run[where] / 1e9:.1f} GB a year in its {where}" for where in quiet_run
    )
    rows_a_day = CLINICS * DAY / (5 * MINUTE) * STEPS
    asked = figures["steps"]["delta"]["cliniko_requests"]["base"]
    rows = (
        (
            "processor, one run a night",
            f"{nightly / HOUR:.1f} core hours a night",
            "cores, for as long as the night is",
        ),
        ("processor, every five minutes", f"{quiet / (5 * MINUTE):.0f} cores all day", "cores"),
        (
            "reports of one clinic, every five minutes",
            kept,
            "the disk; `report --run` writes a folder again that was removed",
        ),
        (
            "sessions of PostgreSQL",
            f"{sessions} for each step that runs",
            f"100 by default: {100 // sessions} steps at a time",
        ),
        (
            "memory",
            f"{3 * figures['megabytes_of_a_step']} MB for each step that runs",
            f"{SLOTS} steps: {3 * SLOTS * figures['megabytes_of_a_step'] / 1000:.1f} GB for each core",
        ),
        ("room in PostgreSQL", f"{room / 1e9:.0f} GB, right after their first loads", "the disk"),
        (
            "Airflow's own rows, every five minutes",
            f"{rows_a_day / 1e6:.1f} million tasks a day",
            "`airflow db clean`",
        ),
        ("Cliniko, every five minutes", f"{asked / 5:.0f} requests a minute of a user", "200"),
        ("HighLevel, a nothing-changed run", "0 requests", "200,000 a day"),
    )
    return table(("what", "1,000 clinics take", "there is"), rows)


def main() -> None:
    """Write the page's tables."""
    figures = json.loads((ROOT / "docs" / "scale.json").read_text(encoding="utf-8"))
    for title, text in sections(figures).items():
        put_section(PAGE, title, text)


if __name__ == "__main__":
    main()
