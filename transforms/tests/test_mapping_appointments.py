"""Appointments and places in groups: their state, what they tell, what they add to the patient's contact."""

from __future__ import annotations

from typing import Any

import pytest
from cliniko_records import FIRST_VISIT, record
from mapping_runs import mapped, one, run

WHEN = "2024-03-10T01:00:00Z"


@pytest.mark.parametrize(
    ("changes", "status", "completed"),
    [
        ({"patient_arrived": False}, "booked", None),
        ({}, "arrived", None),
        ({"patient_arrived": False, "did_not_arrive": True}, "did_not_arrive", None),
        ({"cancelled_at": WHEN}, "cancelled", True),
        ({"archived_at": WHEN}, "removed", True),
        ({"deleted_at": WHEN, "patient_arrived": False}, "removed", True),
    ],
)
def test_an_appointment_has_its_state(changes: dict[str, Any], status: str, completed: bool | None) -> None:  # noqa: FBT001
    """Every state of a booking arrives; what is over for good needs no clock."""
    found = one("individual_appointments", "hl_appointments", **changes)
    assert (found["status"], found["completed"]) == (status, completed)
    assert found["body"].startswith("Status: ")


def test_an_appointment_tells_all_about_itself() -> None:
    """The text names type, practitioner, place, local time, services, case and notes."""
    found = one("individual_appointments", "hl_appointments", cancelled_at=WHEN)
    assert found["title"] == "Cancelled: Standard with Orla Featherstone"
    assert (found["contact"], found["owner"]) == ("patients/7", "user:practitioners/9")
    assert (found["starts_at"], found["ends_at"]) == (FIRST_VISIT, "2024-03-11T04:00:00Z")
    assert found["body"].split("\n") == [
        "Status: Cancelled",
        "Cancelled: 2024-03-10 12:00 (Australia/Melbourne), Sick, Felt unwell",
        "Case: patient_cases/110",
        "Online booking policy accepted: yes",
        "Booked in Cliniko: 2024-03-04 13:30 (Australia/Melbourne)",
        "Notes: Bring scans",
        "Type: Standard",
        "Practitioner: Orla Featherstone",
        "Location: North clinic",
        "When: 2024-03-11 14:15 to 15:00 (Australia/Melbourne)",
        "cliniko:individual_appointments/88",
    ]
    assert found["usual_items"] == "Usual items: Band x 2 (discount 10 %), Standard consultation"


@pytest.mark.parametrize(
    ("changes", "target"),
    [
        ({}, "individual_appointments/88"),
        ({"appointment_id": None}, "attendees/77"),
        ({"archived_at": WHEN}, None),
        ({"appointment_id": None, "attendee_id": None}, None),
    ],
)
def test_what_was_invoiced_stands_in_the_text_of_the_booking(
    changes: dict[str, Any], target: str | None
) -> None:
    """An item tells the booking of its invoice; where that is none, or not in force, it takes back what it told."""
    lines = [
        {"type": "RECORD", "stream": "invoices", "record": record("invoices", **changes)},
        {"type": "RECORD", "stream": "invoice_items", "record": record("invoice_items")},
    ]
    (told,) = [
        line["record"]
        for line in run(lines)
        if line["type"] == "RECORD" and line["stream"] == "hl_appointments"
    ]
    text = (
        {"order": told["items"]["order"], "text": "Invoiced: Standard consultation · 90.00"}
        if target
        else None
    )
    assert (told["contributor"], told.get("items")) == ("invoice_items/170", text)
    assert told["source_id"] == (target or "invoice_items/170")
    assert told.get("filtered") == (None if target else "no_booking")
    assert not [
        line for line in run(lines[1:]) if line["type"] == "RECORD" and line["stream"] == "hl_appointments"
    ]


def test_a_booking_adds_to_the_patients_contact() -> None:
    """Type, location and owner of a booking are a partial record of the patient's contact."""
    found = one("individual_appointments", "hl_contacts")
    assert found == {
        "stream": "hl_contacts",
        "source_id": "patients/7",
        "contributor": "individual_appointments/88",
        "cliniko_appointment_type": ["Standard"],
        "cliniko_location": ["North clinic"],
        "businesses": ["30"],
        "owner": {"at": FIRST_VISIT, "ref": "user:practitioners/9"},
        "visit": {"at": FIRST_VISIT, "day": "2024-03-11", "state": "arrived", "type": "Standard"},
    }


@pytest.mark.parametrize("resource", ["individual_appointments", "attendees"])
def test_a_cancelled_booking_takes_back_what_it_added(resource: str) -> None:
    """A cancelled or removed booking says nothing about the patient any longer."""
    for changes in ({"cancelled_at": WHEN}, {"archived_at": WHEN}):
        found = one(resource, "hl_contacts", **changes)
        assert (found["cliniko_appointment_type"], found["cliniko_location"], found["owner"]) == (
            None,
            None,
            None,
        )


def test_a_place_in_a_group_joins_the_groups_facts() -> None:
    """An attendance waits for its group, and gives way to the individual appointment of the same booking."""
    found = one("attendees", "hl_appointments")
    assert found["joins"] == ["group_appointments/100"]
    assert found["skip_if_exists"] == ["appointment:individual_appointments/100"]
    assert (found["contributor"], found["contact"], found["status"]) == (None, "patients/7", "arrived")
    shared = one("group_appointments", "hl_appointments")
    assert shared["source_id"] == shared["contributor"] == "group_appointments/100"
    assert shared["shared_body"].startswith("Group booking: group_appointments/100\nType: Standard\n")
    assert "status" not in shared


def test_a_place_marked_as_not_arrived_is_over_by_the_clock_only() -> None:
    """On a class to come the mark is no reason to tick it off."""
    found = one("attendees", "hl_appointments", arrived=False)
    assert (found["status"], found["completed"]) == ("did_not_arrive", None)


@pytest.mark.parametrize("hidden", ["archived_at", "deleted_at"])
def test_a_group_that_was_archived_takes_its_places_with_it(hidden: str) -> None:
    """Cliniko may keep the attendance of an archived group as it was: it is removed all the same, and says so."""
    shared = one("group_appointments", "hl_appointments", **{hidden: WHEN})
    assert (shared["status"], shared["completed"], shared["archived"]) == ("removed", True, True)
    assert shared["title_prefix"] == "Removed"
    attendance, contact = mapped("attendees", given={"group_appointments": {hidden: WHEN}})
    assert (attendance["status"], attendance["completed"]) == ("removed", True)
    assert attendance["body"].startswith("Status: Removed from Cliniko's calendar\n")
    assert contact["contributor"] == "attendees/77"
    assert not any(contact[name] for name in ("cliniko_appointment_type", "cliniko_location", "owner"))


def test_an_attendance_of_a_group_not_read_adds_nothing() -> None:
    """Without its group an attendance leaves the contact as it is; cancelled, it takes back what it added."""
    assert [item["stream"] for item in mapped("attendees", booking_id="1")] == ["hl_appointments"]
    assert [item["stream"] for item in mapped("attendees", booking_id="1", cancelled_at=WHEN)] == [
        "hl_appointments",
        "hl_contacts",
    ]


def test_bookings_without_a_patient_are_counted() -> None:
    """A booking that belongs to nobody is left out, with its reason."""
    assert one("individual_appointments", "hl_appointments", patient_id=None)["filtered"] == "no_patient"
    assert one("attendees", "hl_appointments", patient_id=None)["filtered"] == "no_patient"
    assert one("attendees", "hl_appointments", booking_id=None)["filtered"] == "no_booking"
