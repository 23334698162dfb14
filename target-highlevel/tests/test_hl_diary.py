"""The diary: past appointments as tasks and coming ones as events, whatever time and settings do afterwards."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hl_mapped import person, record, schemas
from hl_undoing import undo

if TYPE_CHECKING:
    from collections.abc import Callable

    from hl_loading import Loader

HEAD = schemas("patients", "individual_appointments", "group_appointments", "attendees")
ADA = person("patients/1", "Ada", "Lovelace")
GROUP = "group_appointments/5"
KILLED = -9


#: By how many seconds the clock of a later run is ahead: past the bookings of the next hour.
HOURS_LATER = "7200"


def stamp(**ahead: float) -> str:
    """Return a moment so far ahead of now, as Cliniko writes it."""
    return f"{datetime.now(UTC) + timedelta(**ahead):%Y-%m-%dT%H:%M:%SZ}"


def visit(number: int, starts_at: str, **more: Any) -> str:
    """Return a booking of Ada's for an hour."""
    source = f"individual_appointments/{number}"
    own = {
        "title": "Visit",
        "status": "booked",
        "body": f"Physio\ncliniko:{source}",
        "appointment_type": "Physio",
    }
    times = {"contact": "patients/1", "starts_at": starts_at, "ends_at": _later(starts_at)}
    return record("hl_appointments", source, **{**own, **times, **more})


def place(number: int, starts_at: str, group: str = GROUP) -> list[str]:
    """Return a group booking and Ada's place in it, whose times come with the group."""
    source = f"attendees/{number}"
    shared = {"title": "Class", "starts_at": starts_at, "ends_at": _later(starts_at)}
    own = {"contact": "patients/1", "joins": [group], "status": "booked", "marker": f"cliniko:{source}"}
    return [
        record("hl_appointments", group, contributor=group, **shared),
        record("hl_appointments", source, **own, body="Booked"),
    ]


def _later(starts_at: str) -> str:
    return f"{datetime.fromisoformat(starts_at) + timedelta(hours=1):%Y-%m-%dT%H:%M:%SZ}"


def diary(loader: Loader) -> tuple[set[str], set[str]]:
    """Return the source ids of the tasks and those of the events."""
    found = loader.sandbox.highlevel.state.sources()
    return set(found.get("tasks", ())), set(found.get("appointments", ()))


PAST, COMING = "2024-05-01T01:00:00Z", "2090-05-01T01:00:00Z"
LINES = [
    *HEAD,
    ADA,
    visit(1, PAST),
    visit(2, COMING),
    visit(3, COMING, status="cancelled", completed=True),
    *place(7, PAST, "group_appointments/4"),
    *place(8, COMING),
]
TASKS = {"individual_appointments/1", "attendees/7"}
EVENTS = {"individual_appointments/2", "individual_appointments/3", "attendees/8"}


@pytest.fixture
def mixed(highlevel: Callable[..., Loader]) -> Loader:
    """A sub-account with Ada's diary, mixed."""
    loader = highlevel()
    loader.settings["APPOINTMENTS_AS"] = "mixed"
    ended = loader.load(LINES)
    assert ended.code == 0, ended.log[-2000:]
    return loader


def test_past_ones_are_tasks_and_coming_ones_events(mixed: Loader) -> None:
    """Places in groups too, whose times come with the group; a second load asks nothing, and verification finds all of it."""
    assert diary(mixed) == (TASKS, EVENTS)
    state, control = mixed.sandbox.highlevel.state, mixed.sandbox.highlevel.control
    assert not control.violations
    assert {event["appointmentStatus"] for event in state.appointments.values()} == {"confirmed", "cancelled"}
    before = control.stats()["requests"]
    assert mixed.load(LINES).code == 0
    assert control.stats()["requests"] == before
    assert mixed.load(LINES, MODE="verify").code == 0, mixed.newest_report()["verification"]
    gone = next(iter(state.appointments))
    state.damage.delete("appointments", gone)
    assert mixed.load(LINES, MODE="verify").code == 5
    assert mixed.newest_report()["verification"]["missing"] == 1


def test_time_and_settings_make_nothing_anew(highlevel: Callable[..., Loader]) -> None:
    """A coming booking that is over by the next run, and changed, stays the event it is; with another setting as well."""
    loader = highlevel()
    starts = stamp(hours=1)
    assert loader.load([*HEAD, ADA, visit(1, PAST), visit(2, starts)], APPOINTMENTS_AS="mixed").code == 0
    assert diary(loader) == ({"individual_appointments/1"}, {"individual_appointments/2"})
    loader.settings["CLOCK_AHEAD"] = HOURS_LATER
    arrived = [*HEAD, ADA, visit(1, PAST, title="Seen"), visit(2, starts, status="arrived")]
    state = loader.sandbox.highlevel.state
    for number, setting in enumerate(("mixed", "task", "calendar_event")):
        lines = [line.replace("Physio\\n", f"Physio {number}\\n") for line in arrived]
        assert loader.load(lines, APPOINTMENTS_AS=setting).code == 0
        assert diary(loader) == ({"individual_appointments/1"}, {"individual_appointments/2"})
        assert not state.doubles()
        assert loader.load(lines, APPOINTMENTS_AS=setting, MODE="verify").code == 0
    (event,) = state.appointments.values()
    (task,) = state.tasks.values()
    assert (event["appointmentStatus"], task["title"]) == ("showed", "Seen")
    assert "Physio 2" in event["description"]


@pytest.mark.parametrize("moment", ["after_intent", "after_send", "after_response"])
def test_what_was_begun_as_an_event_is_looked_for_among_events(
    moment: str, highlevel: Callable[..., Loader]
) -> None:
    """The run is killed while it makes the event; by the next run the booking is past, and nothing is doubled."""
    loader = highlevel()
    loader.settings["APPOINTMENTS_AS"] = "mixed"
    lines = [*HEAD, ADA, visit(2, stamp(hours=1))]
    assert loader.load(lines, CRASH_AT=f"{moment}/appointment").code < 0
    assert loader.load(lines, CLOCK_AHEAD=HOURS_LATER).code == 0
    assert diary(loader) == (set(), {"individual_appointments/2"})
    assert not loader.sandbox.highlevel.state.doubles()


def test_a_lost_ledger_finds_tasks_and_events(mixed: Loader) -> None:
    """Both lists of the contact are read before anything is added to it."""
    (mixed.folder / "ledger.db").unlink()
    ended = mixed.load(LINES, TAKE_OVER="true")
    assert ended.code == 0, ended.log[-2000:]
    assert diary(mixed) == (TASKS, EVENTS)
    assert not mixed.sandbox.highlevel.state.doubles()


@pytest.mark.parametrize("setting", ["mixed", "task"])
def test_both_are_undone(setting: str, mixed: Loader) -> None:
    """Whatever the setting says by then."""
    undone = mixed.tool("rollback", "--yes", APPOINTMENTS_AS=setting)
    assert undone.returncode == 0, undone.stderr
    state = mixed.sandbox.highlevel.state
    assert not state.contacts
    assert not state.appointments


@pytest.mark.parametrize(("setting", "events", "tasks"), [("task", 0, 2), ("mixed", 2, 0)])
def test_the_plan_counts_the_bookings_to_come(
    setting: str, events: int, tasks: int, highlevel: Callable[..., Loader]
) -> None:
    """Those that would be tasks only are in no calendar; one that was cancelled does not count."""
    loader = highlevel()
    assert loader.load(LINES, MODE="plan", APPOINTMENTS_AS=setting).code == 0
    plan = loader.newest_report()["plan"]
    assert plan["bookings_to_come"] == {"as_events": events, "as_tasks_only": tasks}


def moved() -> list[str]:
    """Put Ada's past booking and her past place off, and bring the coming ones forward; return the lines that say so."""
    lines = [
        *HEAD,
        ADA,
        visit(1, COMING),
        visit(2, PAST),
        visit(3, COMING, status="cancelled", completed=True),
    ]
    return [*lines, *place(7, COMING, "group_appointments/4"), *place(8, PAST)]


PUT_OFF = {"individual_appointments/1", "individual_appointments/3", "attendees/7"}
BROUGHT_FORWARD = {"individual_appointments/2", "attendees/8"}


def test_one_whose_time_is_changed_is_decided_anew(mixed: Loader) -> None:
    """A past one that is put off is in the calendar, one brought forward is a task; what stays says so, is closed, and undone."""
    before = mixed.sandbox.highlevel.state.dump()
    assert mixed.load(moved()).code == 0
    state = mixed.sandbox.highlevel.state
    assert diary(mixed) == (BROUGHT_FORWARD, PUT_OFF)
    assert not state.doubles()
    assert {task["title"]: task["completed"] for task in state.tasks.values() if "now" in task["title"]} == {
        "In the calendar now: Visit": True,
        "In the calendar now: Class": True,
    }
    told = [event for event in state.appointments.values() if event["title"].startswith("A task now: ")]
    assert {event["appointmentStatus"] for event in told} == {"cancelled"}
    asked = mixed.sandbox.highlevel.control.stats()["requests"]
    assert mixed.load(moved()).code == 0
    assert mixed.sandbox.highlevel.control.stats()["requests"] == asked
    assert mixed.load(moved(), MODE="verify").code == 0, mixed.newest_report()["verification"]
    undo(mixed)
    assert mixed.sandbox.highlevel.state.dump() == before
    assert mixed.load(LINES, MODE="verify").code == 0, mixed.newest_report()["verification"]


@pytest.mark.parametrize("moment", ["before_intent", "after_intent", "after_send", "after_response"])
def test_it_is_never_doubled(moment: str, mixed: Loader) -> None:
    """The run is killed on the way from task to event, or from event to task, time after time."""
    for number in range(1, 5):
        assert mixed.load(moved(), CRASH_AT=f"{moment}/appointment:{number}").code in {KILLED, 0}
    assert mixed.load(moved()).code == 0
    assert diary(mixed) == (BROUGHT_FORWARD, PUT_OFF)
    assert not mixed.sandbox.highlevel.state.doubles()
    assert mixed.load(moved(), MODE="verify").code == 0, mixed.newest_report()["verification"]
