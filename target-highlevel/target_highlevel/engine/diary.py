"""Which of calendars, hours and absences a run makes, and when calendars take bookings: its settings decide."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from target_highlevel.descriptor import Incoming
    from target_highlevel.settings import Settings

#: Why nothing of the diary is made: appointments are tasks, or all events are in one calendar that is the clinic's own.
ONLY_TASKS, ONE_CALENDAR = "appointments_are_tasks", "in_one_calendar"


def in_use(item: Incoming, settings: Settings) -> Incoming:
    """Return a record of the diary as the settings want it; what is there already stays when a setting leaves it out."""
    if item.absent or item.filtered or item.rejected:
        return item
    if settings.appointments_as == "task":
        return replace(item, filtered=ONLY_TASKS, fields={})
    if settings.calendar_id and item.spec.kind != "blocked_slot":
        return replace(item, filtered=ONE_CALENDAR, fields={})
    if item.spec.kind != "calendar":
        return item
    return replace(
        item, fields={**item.fields, "open": settings.calendars_open and bool(item.fields.get("bookable"))}
    )
