"""Notes, tasks, calendars, appointments and files of the emulated HighLevel."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest
from highlevel_server import HighLevelServer

if TYPE_CHECKING:
    from collections.abc import Iterator

FIRST_UUID, SECOND_UUID = (str(UUID(int=number)) for number in (1, 2))


@pytest.fixture
def highlevel() -> Iterator[HighLevelServer]:
    """A server without lag and with a limit that no test reaches."""
    with HighLevelServer() as server:
        yield server


def a_calendar(highlevel: HighLevelServer, **details: Any) -> str:
    """Make a calendar and return its id."""
    body = {"locationId": highlevel.location, "name": "Initial", **details}
    return str(highlevel.call("POST", "/calendars/", body, status=200)["calendar"]["id"])


def a_visit(highlevel: HighLevelServer, calendar: str, contact: str, **details: Any) -> dict[str, Any]:
    """Return the body of a visit long ago, as a migration writes it."""
    return {
        "locationId": highlevel.location,
        "calendarId": calendar,
        "contactId": contact,
        "startTime": "2015-03-02T09:00:00+11:00",
        "endTime": "2015-03-02T09:45:00+11:00",
        "appointmentStatus": "showed",
        "description": "cliniko:individual_appointments/8",
        "ignoreDateRange": True,
        "ignoreFreeSlotValidation": True,
        "toNotify": False,
        **details,
    }


def upload(highlevel: HighLevelServer, contact: str, *parts: tuple[str, tuple[str, bytes, str]]) -> Any:
    """Send files and return the whole response."""
    path = f"/forms/upload-custom-files?contactId={contact}&locationId={highlevel.location}"
    return highlevel.send("POST", path, files=list(parts))


def test_notes_belong_to_their_contact(highlevel: HighLevelServer) -> None:
    """Create, list, change and delete; the date is the moment of the call and cannot be given."""
    contact, other = (highlevel.contact(firstName=name)["id"] for name in ("Ada", "Ben"))
    author = next(iter(highlevel.state.users))
    path = f"/contacts/{contact}/notes"
    note = highlevel.call("POST", path, {"body": "x" * 5000, "title": "2015", "userId": author}, status=201)[
        "note"
    ]
    assert (note["title"], note["userId"], note["dateAdded"]) == ("2015", author, "2026-05-28T20:26:40.000Z")
    highlevel.call("POST", path, {"body": "x" * 5001}, status=422)
    highlevel.call("POST", path, {"body": "x", "dateAdded": "2015-01-01"}, status=422)
    highlevel.call("POST", path, {"body": "x", "userId": "nobody"}, status=422)
    highlevel.call("PUT", f"{path}/{note['id']}", {"body": "short"}, status=200)
    assert [row["body"] for row in highlevel.call("GET", path)["notes"]] == ["short"]
    highlevel.call("GET", f"/contacts/{other}/notes/{note['id']}", status=404)
    highlevel.call("DELETE", f"{path}/{note['id']}")
    assert highlevel.call("GET", path)["notes"] == []


def test_tasks_are_found_by_their_contact(highlevel: HighLevelServer) -> None:
    """A task takes a past due date; those of others are not in the list."""
    contact, other = (highlevel.contact(firstName=name)["id"] for name in ("Ada", "Ben"))
    task = {
        "title": "Visit",
        "dueDate": "2015-03-02T09:00:00Z",
        "completed": True,
        "body": "cliniko:attendees/7",
    }
    made = highlevel.call("POST", f"/contacts/{contact}/tasks", task, status=201)["task"]
    highlevel.call(
        "POST", f"/contacts/{other}/tasks", {**task, "body": "else", "completed": False}, status=201
    )
    highlevel.call("POST", f"/contacts/{contact}/tasks", {"title": "Visit", "completed": True}, status=422)
    listed = highlevel.call("GET", f"/contacts/{contact}/tasks")["tasks"]
    assert [row["id"] for row in listed] == [made["id"]]


def test_an_old_visit_is_taken_with_both_flags(highlevel: HighLevelServer) -> None:
    """Create answers 200 without an envelope, delete 201; the marker is read from the contact's list."""
    calendar, contact = a_calendar(highlevel), highlevel.contact(firstName="Ada")["id"]
    body = a_visit(highlevel, calendar, contact)
    made = highlevel.call("POST", "/calendars/events/appointments", body, status=200)
    assert (made["appointmentStatus"], made["contactId"]) == ("showed", contact)
    assert "description" not in made
    (event,) = highlevel.call("GET", f"/contacts/{contact}/appointments")["events"]
    assert event["notes"] == "cliniko:individual_appointments/8"
    path = f"/calendars/events/appointments/{made['id']}"
    highlevel.call("PUT", path, {"appointmentStatus": "noshow", "toNotify": False}, status=200)
    assert highlevel.call("GET", path)["event"]["appointmentStatus"] == "noshow"
    highlevel.call("PUT", path, {"contactId": contact, "toNotify": False}, status=422)
    window = f"&calendarId={calendar}&startTime=1425160000000&endTime=1425260000000"
    listed = highlevel.call("GET", f"/calendars/events?locationId={highlevel.location}{window}")
    assert [row["id"] for row in listed["events"]] == [made["id"]]
    assert highlevel.call("DELETE", f"/calendars/events/{made['id']}", {}, status=201)["succeeded"] is True
    assert highlevel.call("GET", f"/contacts/{contact}/appointments")["events"] == []
    assert not highlevel.violations


def test_without_the_flags_the_slot_is_checked(highlevel: HighLevelServer) -> None:
    """The past and taken times are refused."""
    calendar, contact = a_calendar(highlevel), highlevel.contact(firstName="Ada")["id"]
    checked = {"ignoreDateRange": False, "ignoreFreeSlotValidation": False}
    past = a_visit(highlevel, calendar, contact, **checked)
    refused = highlevel.call("POST", "/calendars/events/appointments", past, status=400)
    assert refused["message"] == "The slot you have selected is no longer available."
    times = {"startTime": "2030-03-04T09:00:00Z", "endTime": "2030-03-04T09:30:00Z"}
    coming = a_visit(highlevel, calendar, contact, **checked, **{**times, "appointmentStatus": "confirmed"})
    highlevel.call("POST", "/calendars/events/appointments", coming, status=200)
    highlevel.call("POST", "/calendars/events/appointments", coming, status=400)
    highlevel.call(
        "POST", "/calendars/events/appointments", {**coming, "ignoreFreeSlotValidation": True}, status=200
    )


@pytest.mark.parametrize("flag", [{}, {"toNotify": True}])
def test_an_appointment_that_would_notify_is_a_violation(
    highlevel: HighLevelServer, flag: dict[str, bool]
) -> None:
    """Only `toNotify: false` keeps the automations quiet, on creation and on change."""
    calendar, contact = a_calendar(highlevel), highlevel.contact(firstName="Ada")["id"]
    body = {
        name: value for name, value in a_visit(highlevel, calendar, contact).items() if name != "toNotify"
    }
    made = highlevel.call("POST", "/calendars/events/appointments", {**body, **flag}, status=200)
    highlevel.call("PUT", f"/calendars/events/appointments/{made['id']}", {"title": "x", **flag})
    assert highlevel.violations == ["notification", "notification"]


def test_a_team_calendar_wants_one_of_its_members() -> None:
    """Without a member, or with a stranger, the appointment is refused; so is an inactive calendar."""
    with HighLevelServer(users=[{"email": "pia@example.org", "first_name": "Pia"}]) as highlevel:
        member, stranger = highlevel.state.users
        contact = highlevel.contact(firstName="Ada")["id"]
        calendar = a_calendar(highlevel, calendarType="round_robin", teamMembers=[{"userId": member}])
        path = "/calendars/events/appointments"
        highlevel.call("POST", path, a_visit(highlevel, calendar, contact), status=422)
        highlevel.call(
            "POST", path, a_visit(highlevel, calendar, contact, assignedUserId=stranger), status=422
        )
        highlevel.call("POST", path, a_visit(highlevel, calendar, contact, assignedUserId=member), status=200)
        asleep = a_calendar(highlevel, isActive=False)
        highlevel.call("POST", path, a_visit(highlevel, asleep, contact), status=400)


def test_a_file_is_appended_and_read_back_with_the_token(highlevel: HighLevelServer) -> None:
    """Bytes, name and type survive; a second file stands beside the first; strangers do not get it."""
    contact = highlevel.contact(firstName="Ada")["id"]
    field = highlevel.field("Cliniko files", "FILE_UPLOAD", isMultipleFile=True, maxNumberOfFiles=2)
    content = bytes(range(256)) * 5000
    first = upload(
        highlevel, contact, (f"{field}_{FIRST_UUID}", ("cliniko é 漢.pdf", content, "application/pdf"))
    )
    assert first.status_code == 200
    upload(highlevel, contact, (f"{field}_{SECOND_UUID}", ("b.txt", b"b", "text/plain"))).raise_for_status()
    (value,) = highlevel.call("GET", f"/contacts/{contact}")["contact"]["customFields"]
    assert set(value["value"]) == {FIRST_UUID, SECOND_UUID}
    entry = value["value"][FIRST_UUID]
    assert (entry["meta"]["originalname"], entry["meta"]["size"]) == ("cliniko é 漢.pdf", len(content))
    path = entry["url"].removeprefix(highlevel.server.origin)
    assert highlevel.send("GET", path).content == content
    assert highlevel.send("GET", path, token="").status_code == 401
    assert highlevel.state.files[entry["documentId"]]["sha256"] == hashlib.sha256(content).hexdigest()
    third = upload(highlevel, contact, (f"{field}_{FIRST_UUID}", ("c.txt", b"c", "text/plain")))
    assert third.status_code == 400


@pytest.mark.parametrize(
    ("part", "file", "status"),
    [
        ("{field}_{uuid}", "scan.dcm", 400),
        ("{field}_{uuid}", "noextension", 400),
        ("{field}", "a.pdf", 422),
        ("{field}_1", "a.pdf", 422),
        ("unknownfield_{uuid}", "a.pdf", 400),
    ],
)
def test_what_an_upload_may_not_be(highlevel: HighLevelServer, part: str, file: str, status: int) -> None:
    """DICOM, part names of another form and fields that do not exist are refused."""
    contact = highlevel.contact(firstName="Ada")["id"]
    field = highlevel.field("Cliniko files", "FILE_UPLOAD", isMultipleFile=True, maxNumberOfFiles=5)
    answer = upload(highlevel, contact, (part.format(field=field, uuid=FIRST_UUID), (file, b"a", "x/y")))
    assert answer.status_code == status


def test_a_file_over_the_limit_is_refused() -> None:
    """The limit is 50 MB a file, lower here so that the test stays quick."""
    with HighLevelServer(max_file_bytes=10) as highlevel:
        contact = highlevel.contact(firstName="Ada")["id"]
        field = highlevel.field("Cliniko files", "FILE_UPLOAD")
        parts = [(f"{field}_{FIRST_UUID}", ("a.pdf", b"x" * size, "application/pdf")) for size in (10, 11)]
        assert [upload(highlevel, contact, part).status_code for part in parts] == [200, 400]


def test_a_create_that_answers_422_has_created_all_the_same(highlevel: HighLevelServer) -> None:
    """The failure seen in issue 64 can be switched on for any request."""
    rule = {
        "match": {"method": "POST", "path_regex": "^/contacts/$"},
        "action": "status_after_work",
        "status": 422,
    }
    highlevel.control.add_fault(rule)
    highlevel.call("POST", "/contacts/", {"locationId": highlevel.location, "firstName": "Ada"}, status=422)
    assert len(highlevel.state.contacts) == 1
