"""When practitioners work and when they do not."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from sandbox.cliniko.account import timestamp

if TYPE_CHECKING:
    from sandbox.clinic.builder import Builder
    from sandbox.clinic.setup import Clinic

WORKING_DAYS = 5
BLOCKS = 8
LAST_OF_SERIES = 3


def add_hours(build: Builder, clinic: Clinic) -> None:
    """Add the weekly pattern, extra hours, and time away."""
    early = build.days_ago(2000)
    zones = (("Melbourne", "Australia/Melbourne"), ("Perth", "Australia/Perth"), ("UTC", "Etc/UTC"))
    for number, practitioner in enumerate(clinic.practitioners[:5]):
        place = number % len(clinic.businesses)
        for weekday in range(1, WORKING_DAYS + 1):
            build.add(
                "daily_availabilities",
                early,
                practitioner_id=practitioner,
                business_id=clinic.businesses[place],
                day_of_week=weekday,
                availabilities=[
                    {"starts_at": "09:00", "ends_at": "13:00"},
                    {"starts_at": "14:00", "ends_at": "17:30"},
                ],
                time_zone=zones[place][0],
                time_zone_identifier=zones[place][1],
            )
    _extra_hours(build, clinic)
    _time_away(build, clinic)


def _extra_hours(build: Builder, clinic: Clinic) -> None:
    for number in range(3):
        starts = build.now + timedelta(days=7 * number + 2, hours=1)
        build.add(
            "availability_blocks",
            build.days_ago(20),
            practitioner_id=clinic.practitioners[number],
            business_id=clinic.businesses[number],
            starts_at=timestamp(starts),
            ends_at=timestamp(starts + timedelta(hours=3)),
            repeat_rule={"repeat_type": None, "number_of_repeats": None, "repeating_interval": None},
        )


def _time_away(build: Builder, clinic: Clinic) -> None:
    kinds: list[str] = []
    for number, name in enumerate(("Lunch", "Leave 🏖", "Old kind")):
        row = build.add(
            "unavailable_block_types",
            build.days_ago(2500),
            name=name,
            color=f"#{number}f{number}f{number}f",
            duration_in_minutes=30,
            system_controlled=number == 0,
            archived_at=timestamp(build.days_ago(90)) if name == "Old kind" else None,
        )
        kinds.append(row["id"])
    first = ""
    for number in range(BLOCKS):
        created = build.days_ago(60 - number)
        starts = created + timedelta(days=5)
        if number >= BLOCKS // 2:  # the later half is still to come
            starts = build.now + timedelta(days=number, hours=2)
        hidden = {}
        if number >= BLOCKS - 2:
            hidden["archived_at"] = timestamp(created + timedelta(days=1))
        if number == BLOCKS - 1:
            hidden["deleted_at"] = hidden["archived_at"]
        row = build.add(
            "unavailable_blocks",
            created,
            practitioner_id=clinic.practitioners[number % 5],
            business_id=clinic.businesses[number % len(clinic.businesses)],
            unavailable_block_type_id=kinds[number % len(kinds)],
            starts_at=timestamp(starts),
            ends_at=timestamp(starts + timedelta(minutes=30)),
            notes="Dentist" if number == 1 else None,
            repeat_rule={"repeat_type": "Daily", "number_of_repeats": 2, "repeating_interval": 1}
            if number in {2, 3}
            else None,
            repeated_from_id=first if number == LAST_OF_SERIES else None,  # the third repeats the second
            **hidden,
        )
        first = row["id"]
