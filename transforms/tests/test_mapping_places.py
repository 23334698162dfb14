"""Locations and their time: what they are called, and whose clock a text shows."""

from __future__ import annotations

from typing import Any

import pytest
from cliniko_records import record
from mapping_runs import REFERENCE, one

from cliniko_to_highlevel.core import MessageMapper

WHEN = "2024-03-10T01:00:00Z"
CLINIC = "2024-03-10 12:00 (Australia/Melbourne)"


def with_businesses(*businesses: dict[str, Any]) -> MessageMapper:
    """Return a mapping that knows the sample clinic, with these locations in place of its own."""
    mapper = MessageMapper()
    for name in REFERENCE:
        if name != "businesses":
            list(mapper.record({"type": "RECORD", "stream": name, "record": record(name)}))
    for changes in businesses:
        list(
            mapper.record(
                {"type": "RECORD", "stream": "businesses", "record": record("businesses", **changes)}
            )
        )
    return mapper


@pytest.mark.parametrize(
    ("businesses", "options"),
    [
        (({}, {"id": "31", "display_name": "South"}), ["North clinic (North)", "North clinic (South)"]),
        (({}, {"id": "31"}), ["North clinic (North) (30)", "North clinic (North) (31)"]),
        (
            (
                {},
                {"id": "31", "display_name": "South"},
                {"id": "32", "business_name": "North clinic (South)"},
            ),
            ["North clinic (North)", "North clinic (South) (31)", "North clinic (South) (32)"],
        ),
    ],
)
def test_locations_of_one_name_are_told_apart(
    businesses: tuple[dict[str, Any], ...], options: list[str]
) -> None:
    """Two locations are two options, whatever they are called."""
    mapper = with_businesses(*businesses)
    visit = record("individual_appointments", business_id="31")
    lines = list(mapper.record({"type": "RECORD", "stream": "individual_appointments", "record": visit}))
    declared = lines[-2]["schema"]["properties"]["cliniko_location"]["x-highlevel"]["options"]
    assert declared == options
    assert lines[-1]["record"]["cliniko_location"] == [options[1]]


def test_the_clinics_time_is_that_of_its_first_location_with_a_zone() -> None:
    """A first location without one does not make it UTC."""
    mapper = with_businesses(
        {"id": "30", "time_zone_identifier": None},
        {"id": "200", "time_zone_identifier": "Australia/Perth"},
        {"id": "31", "time_zone_identifier": "Australia/Brisbane"},
    )
    note = record("treatment_notes")
    (line,) = (
        item
        for item in mapper.record({"type": "RECORD", "stream": "treatment_notes", "record": note})
        if item["type"] == "RECORD"
    )
    assert line["record"]["body"].startswith(
        "Date: 2024-03-11 14:20 (Australia/Brisbane), 2024-03-11T04:20:00Z\n"
    )


@pytest.mark.parametrize(
    ("resource", "stream", "changes", "told"),
    [
        ("individual_appointments", "hl_appointments", {"cancelled_at": WHEN}, f"Cancelled: {CLINIC}, Sick"),
        ("individual_appointments", "hl_appointments", {"archived_at": WHEN}, f"Removed: {CLINIC}"),
        ("attendees", "hl_appointments", {"created_at": WHEN}, f"Booked in Cliniko: {CLINIC}"),
        ("treatment_notes", "hl_notes", {"finalized_at": WHEN}, f"Finalised: {CLINIC}"),
        ("treatment_notes", "hl_notes", {"archived_at": WHEN}, f"Archived: {CLINIC}"),
        ("treatment_notes", "hl_notes", {"pinned_at": WHEN}, f"Pinned: {CLINIC}"),
    ],
)
def test_times_in_texts_are_local(resource: str, stream: str, changes: dict[str, Any], told: str) -> None:
    """Who reads a text reads the clinic's own time, with the zone."""
    assert f"\n{told}" in one(resource, stream, **changes)["body"]


def test_a_place_in_a_group_has_the_time_of_the_groups_location() -> None:
    """Not that of the clinic's first one."""
    mapper = with_businesses(
        {"id": "1", "time_zone_identifier": "Australia/Perth"},
        {"id": "30", "time_zone_identifier": "Australia/Brisbane"},
    )
    place = record("attendees", created_at=WHEN)
    lines = list(mapper.record({"type": "RECORD", "stream": "attendees", "record": place}))
    body = next(
        line["record"]["body"] for line in lines if line["stream"] == "hl_appointments" and "record" in line
    )
    assert "Booked in Cliniko: 2024-03-10 11:00 (Australia/Brisbane)" in body


@pytest.mark.parametrize(
    ("resource", "field", "label"),
    [("individual_appointments", "body", "Notes"), ("group_appointments", "shared_body", "Group notes")],
)
def test_notes_on_appointments_are_read_as_rich_text(resource: str, field: str, label: str) -> None:
    """Tags go, what was typed stays."""
    found = one(resource, "hl_appointments", notes="<p>Bring <b>scans</b></p>")
    assert f"\n{label}: Bring scans" in found[field]
    found = one(resource, "hl_appointments", notes="HR <a target\nof 100")
    assert f"\n{label}: HR < a target\nof 100" in found[field]
