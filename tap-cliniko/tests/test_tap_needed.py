"""Rows read with changed rows of another list: groups with their new attendees, attendees with their changed group."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from tap_runs import Said, config_for, run_tap

from sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

STREAMS = ("group_appointments", "attendees", "patients")


@pytest.fixture
def clinic() -> Iterator[Sandbox]:
    """A clinic with group bookings, none of which changes any more."""
    with Sandbox(seed=3, patients=30, cliniko={"requests_per_minute": 0}) as sandbox:
        yield sandbox


def taken_later(clinic: Sandbox) -> tuple[str, str]:
    """Give a patient a place in a group that is there already; return the group and the place."""
    account = clinic.cliniko.account
    group = next(row for row in account.tables["group_appointments"].rows() if "deleted_at" not in row)
    patient = next(row["id"] for row in account.tables["patients"].rows() if "merged_at" not in row)
    place = account.insert("attendees", {"patient_id": patient, "booking_id": group["id"]})
    return group["id"], str(place["id"])


def next_second(clinic: Sandbox) -> None:
    """Let the second end: a run reads up to the last whole one."""
    clinic.cliniko.control.advance(1)


def ids(said: Said, stream: str) -> set[str]:
    """Return the ids of the records of a stream."""
    return {each["id"] for each in said.records(stream)}


def test_the_group_of_a_new_attendee_comes_along(clinic: Sandbox, tmp_path: Path) -> None:
    """A delta has the group that somebody joined, although the group has not changed, and no other; it costs one request more."""
    config: dict[str, Any] = config_for(clinic, tmp_path, overlap_seconds=0)
    first = run_tap(config, streams=STREAMS)
    next_second(clinic)
    before = len(clinic.cliniko.control.requests)
    quiet = run_tap(
        config, {**first.state, "complete": False}, STREAMS
    )  # after which it does not ask before it reads
    usual = len(clinic.cliniko.control.requests) - before
    assert ids(quiet, "group_appointments") == set()
    next_second(clinic)
    group, place = taken_later(clinic)
    next_second(clinic)
    before = len(clinic.cliniko.control.requests)
    delta = run_tap(config, quiet.state, STREAMS)
    assert place in ids(delta, "attendees")
    assert ids(delta, "group_appointments") == {group}
    asked_before = len(STREAMS)
    assert len(clinic.cliniko.control.requests) - before <= usual + 1 + asked_before


def moved(clinic: Sandbox) -> tuple[str, set[str]]:
    """Move a group booking to another time; return the group and the places in it."""
    account = clinic.cliniko.account
    group = next(row["id"] for row in account.tables["group_appointments"].rows() if "deleted_at" not in row)
    account.update("group_appointments", group, {"starts_at": "2031-02-03T04:05:06Z"})
    attendees = account.tables["attendees"].rows()
    return group, {str(row["id"]) for row in attendees if row.get("booking_id") == group}


def test_the_attendees_of_a_changed_group_come_along(clinic: Sandbox, tmp_path: Path) -> None:
    """A delta has the places in a group that moved, although they have not changed themselves, and no others."""
    config: dict[str, Any] = config_for(clinic, tmp_path, overlap_seconds=0)
    first = run_tap(config, streams=STREAMS)
    next_second(clinic)
    group, places = moved(clinic)
    next_second(clinic)
    delta = run_tap(config, first.state, STREAMS)
    assert ids(delta, "group_appointments") == {group}
    assert ids(delta, "attendees") == places != set()


def test_the_attendees_follow_although_the_run_was_cut_off_after_the_groups(
    clinic: Sandbox, tmp_path: Path
) -> None:
    """The groups' bookmark is past the change, the attendees' is not: their own says since when to look."""
    config: dict[str, Any] = config_for(clinic, tmp_path, overlap_seconds=0)
    first = run_tap(config, streams=STREAMS)
    next_second(clinic)
    _group, places = moved(clinic)
    next_second(clinic)
    groups_only = run_tap(config, first.state, ("group_appointments",))
    next_second(clinic)
    rest = run_tap(config, groups_only.state, STREAMS)
    assert ids(rest, "group_appointments") == set()
    assert ids(rest, "attendees") == places


def test_the_attendees_follow_groups_that_were_left_out_for_a_while(clinic: Sandbox, tmp_path: Path) -> None:
    """The attendees' bookmark is past the change, the groups' is not: then theirs says since when to look."""
    config: dict[str, Any] = config_for(clinic, tmp_path, overlap_seconds=0)
    first = run_tap(config, streams=STREAMS)
    next_second(clinic)
    group, places = moved(clinic)
    next_second(clinic)
    without = run_tap(config, first.state, ("attendees",))
    next_second(clinic)
    again = run_tap(config, without.state, STREAMS)
    assert ids(again, "group_appointments") == {group}
    assert ids(again, "attendees") == places


def test_all_attendees_follow_groups_that_are_read_for_the_first_time(
    clinic: Sandbox, tmp_path: Path
) -> None:
    """What the groups say of their patients was never passed on: every place comes again."""
    config: dict[str, Any] = config_for(clinic, tmp_path, overlap_seconds=0)
    first = run_tap(config, streams=("attendees",))
    next_second(clinic)
    assert ids(run_tap(config, first.state, STREAMS), "attendees") == ids(first, "attendees")


def test_an_interrupted_first_reading_has_the_groups_again(clinic: Sandbox, tmp_path: Path) -> None:
    """The run was cut off among the attendees: the next one brings the rest of them, and every group they may be in."""
    config: dict[str, Any] = config_for(clinic, tmp_path, overlap_seconds=0)
    first = run_tap(config, streams=STREAMS)
    state = first.state
    state["bookmarks"]["attendees"] = {}
    next_second(clinic)
    rest = run_tap(config, state, STREAMS)
    assert ids(rest, "attendees") == ids(first, "attendees")
    assert ids(rest, "group_appointments") == ids(first, "group_appointments")


@pytest.mark.parametrize("selected", [("group_appointments", "attendees"), ("group_appointments",)])
def test_groups_that_were_left_out_for_a_while_catch_up(
    clinic: Sandbox, tmp_path: Path, selected: tuple[str, ...]
) -> None:
    """Attendees were read meanwhile, or never are: the group whose places have changed comes all the same."""
    config: dict[str, Any] = config_for(clinic, tmp_path, overlap_seconds=0)
    first = run_tap(config, streams=selected)
    next_second(clinic)
    group, _place = taken_later(clinic)
    next_second(clinic)
    without = run_tap(config, first.state, selected[1:]) if selected[1:] else first
    next_second(clinic)
    again = run_tap(config, without.state, selected)
    assert ids(again, "group_appointments") == {group}


def test_groups_whose_places_may_not_be_read_are_not_read_each_time(clinic: Sandbox, tmp_path: Path) -> None:
    """Without the attendees nothing tells which groups have changed with them; that is no reason to read all."""
    refused = {"match": {"path_regex": r"^/v1/attendees$"}, "action": "status", "status": 403}
    clinic.cliniko.control.add_fault(refused)
    config: dict[str, Any] = config_for(
        clinic, tmp_path, overlap_seconds=0, skip_refused_streams=True, detect_deletions=True
    )
    state, groups = None, []
    for _ in range(3):
        said = run_tap(config, state, STREAMS)
        state = said.state
        groups.append(len(ids(said, "group_appointments")))
        next_second(clinic)
    assert groups[0] > 0
    assert groups[1:] == [0, 0]
