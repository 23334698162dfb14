"""What tests do with the emulated HighLevel from outside: compare, damage, fill."""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING
from uuid import UUID

import pytest
from highlevel_server import HighLevelServer

if TYPE_CHECKING:
    from collections.abc import Iterator

PATIENTS = [
    {
        "first_name": f"Pat{number}",
        "last_name": "Ient",
        "date_of_birth": f"1990-01-{number + 1:02d}",
        "email": f"pat{number}@example.com",
    }
    for number in range(9)
]


@pytest.fixture
def highlevel() -> Iterator[HighLevelServer]:
    """A server that holds one of everything."""
    with HighLevelServer() as server:
        furnish(server)
        yield server


def furnish(highlevel: HighLevelServer) -> None:
    """Make one of everything, each marked with its source."""
    source = highlevel.field("Source System ID")
    files = highlevel.field("Cliniko files", "FILE_UPLOAD", isMultipleFile=True, maxNumberOfFiles=5)
    key = highlevel.custom_object("invoice", ("source_system_id", "TEXT", []))
    custom = [{"id": source, "field_value": "patients/1"}]
    contact = highlevel.contact(firstName="Ada", customFields=custom)["id"]
    record = highlevel.record(key, name="Invoice", source_system_id="invoices/2")
    labels = {"firstObjectLabel": "Patient", "secondObjectLabel": "Invoice"}
    ends = {"firstObjectKey": "contact", "secondObjectKey": key}
    association = highlevel.call(
        "POST", "/associations/", {"locationId": highlevel.location, "key": "a", **labels, **ends}
    )["id"]
    pair = {"firstRecordId": contact, "secondRecordId": record}
    relation = {"locationId": highlevel.location, "associationId": association, **pair}
    highlevel.call("POST", "/associations/relations", relation)
    highlevel.call("POST", f"/contacts/{contact}/notes", {"body": "cliniko:treatment_notes/3#2"})
    task = {"title": "x", "body": "cliniko:attendees/4", "dueDate": "2020-01-01T00:00:00Z", "completed": True}
    highlevel.call("POST", f"/contacts/{contact}/tasks", task)
    highlevel.call("POST", "/calendars/", {"locationId": highlevel.location, "name": "c"})
    book(highlevel, contact)
    part = (f"{files}_{UUID(int=1)}", ("cliniko_patient_attachments_6 scan.pdf", b"scan", "application/pdf"))
    path = f"/forms/upload-custom-files?contactId={contact}&locationId={highlevel.location}"
    assert highlevel.send("POST", path, files=[part]).status_code == 200


def book(highlevel: HighLevelServer, contact: str) -> None:
    """Make an appointment in the only calendar."""
    visit = {
        "locationId": highlevel.location,
        "calendarId": next(iter(highlevel.state.calendars)),
        "contactId": contact,
        "startTime": "2020-01-01T00:00:00Z",
        "description": "cliniko:individual_appointments/5",
        "ignoreFreeSlotValidation": True,
        "toNotify": False,
    }
    highlevel.call("POST", "/calendars/events/appointments", visit)


def test_every_object_is_found_by_its_source(highlevel: HighLevelServer) -> None:
    """Field, property, text and file name lead back to the source record; nothing is there twice."""
    found = {kind: set(by_source) for kind, by_source in highlevel.state.sources().items()}
    assert found == {
        "contacts": {"patients/1"},
        "custom_objects.invoice": {"invoices/2"},
        "notes": {"treatment_notes/3#2"},
        "tasks": {"attendees/4"},
        "appointments": {"individual_appointments/5"},
        "files": {"patient_attachments/6"},
    }
    assert highlevel.state.doubles() == {}


def test_two_accounts_with_the_same_content_dump_alike() -> None:
    """Ids and times do not show, neither does the order of writing."""
    dumps = []
    for seed in (1, 2):
        with HighLevelServer(seed=seed) as highlevel:
            furnish(highlevel)
            for name in ("B", "C") if seed == 1 else ("C", "B"):
                highlevel.contact(firstName=name)
                highlevel.clock.at += 10
            dumps.append(json.dumps(highlevel.state.dump(), sort_keys=True))
            assert not any(identity in dumps[-1] for identity in highlevel.state.contacts)
    assert dumps[0] == dumps[1]


def test_the_dump_is_served_to_other_processes(highlevel: HighLevelServer) -> None:
    """The control surface answers the same content as the Python method."""
    answer = highlevel.session.get(f"{highlevel.server.origin}/_sandbox/dump", timeout=10).json()
    assert answer == json.loads(json.dumps(highlevel.state.dump()))


def test_every_random_damage_shows_in_the_dump(highlevel: HighLevelServer) -> None:
    """A hundred damages of every kind, each visible and none logged as a request."""
    chance = random.Random(5)  # noqa: S311 - repeatable
    kinds = set()
    for _ in range(100):
        before = highlevel.state.dump()
        requests = len(highlevel.control.requests)
        damage = highlevel.state.damage.one_at_random(chance)
        assert len(highlevel.control.requests) == requests
        kinds.add(damage["kind"])
        assert highlevel.state.dump() != before, damage
        if "deleted" in damage["kind"] or "removed" in damage["kind"]:
            furnish_again(highlevel, damage["table"])
    assert len(kinds) == 13


def furnish_again(highlevel: HighLevelServer, table: str) -> None:
    """Put something back where the last row of a table was deleted."""
    contact = next(iter(highlevel.state.contacts))
    if table == "notes":
        highlevel.call("POST", f"/contacts/{contact}/notes", {"body": "x"})
    elif table == "tasks":
        task = {"title": "x", "dueDate": "2020-01-01T00:00:00Z", "completed": True}
        highlevel.call("POST", f"/contacts/{contact}/tasks", task)
    elif table == "appointments":
        book(highlevel, contact)
    elif table == "records":
        record = highlevel.record("custom_objects.invoice", name="Invoice", source_system_id="invoices/9")
        association = next(iter(highlevel.state.associations))
        ends = {"firstRecordId": contact, "secondRecordId": record}
        body = {"locationId": highlevel.location, "associationId": association, **ends}
        highlevel.call("POST", "/associations/relations", body)


def test_damage_can_be_ordered_over_http(highlevel: HighLevelServer) -> None:
    """Another process changes data by the control surface; a custom field may be named by its key."""
    contact = next(iter(highlevel.state.contacts))
    order = {"do": "edit_contact", "id": contact, "customFields": {"contact.source_system_id": "patients/8"}}
    answer = highlevel.session.post(f"{highlevel.server.origin}/_sandbox/mutate", json=order, timeout=10)
    assert answer.status_code == 200
    assert set(highlevel.state.sources()["contacts"]) == {"patients/8"}


def test_options_and_people_can_be_ordered_over_http(highlevel: HighLevelServer) -> None:
    """Another process turns the duplicate setting on and fills the account."""
    orders = [{"do": "set_option", "id": "allow_duplicates", "value": True}, {"do": "populate", "count": 3}]
    address = f"{highlevel.server.origin}/_sandbox/mutate"
    changed, made = highlevel.session.post(address, json=orders, timeout=10).json()
    assert changed == {"allow_duplicates": True}
    assert set(made) < set(highlevel.state.contacts)
    wrong = highlevel.session.post(address, json={"do": "set_option", "id": "no", "value": 1}, timeout=10)
    assert wrong.status_code == 400


def test_random_damage_can_spare_what_is_not_ours(highlevel: HighLevelServer) -> None:
    """Only the named rows are touched."""
    chance = random.Random(1)  # noqa: S311 - repeatable
    (contact,) = highlevel.state.contacts
    notes = dict(highlevel.state.notes)
    assert {highlevel.state.damage.one_at_random(chance, {contact})["id"] for _ in range(9)} == {contact}
    assert highlevel.state.notes == notes


def test_a_doubled_record_is_found_out(highlevel: HighLevelServer) -> None:
    """The oracle lists a source id that two records carry."""
    record = next(iter(highlevel.state.records))
    highlevel.state.damage.double_record(record)
    assert highlevel.state.doubles() == {"custom_objects.invoice": ["invoices/2"]}


def test_a_replaced_file_has_other_bytes(highlevel: HighLevelServer) -> None:
    """What is downloaded afterwards differs, and the field says the new size."""
    (identity,) = highlevel.state.files
    highlevel.state.damage.replace_file(identity, b"other")
    assert highlevel.state.file_bytes(identity) == b"other"
    assert highlevel.send("GET", f"/documents/download/{identity}").content == b"other"


def test_people_who_were_there_before() -> None:
    """Some are patients by name and birth date, some use a patient's e-mail, the rest are strangers."""
    with HighLevelServer() as highlevel:
        made = highlevel.state.populate(50, PATIENTS, same_person=4, shared_email=3)
        contacts = [highlevel.state.contacts[identity] for identity in made]
        named = {(row.get("firstName"), row.get("dateOfBirth")) for row in contacts}
        assert {(row["first_name"], row["date_of_birth"]) for row in PATIENTS[:4]} <= named
        emails = {row["email"]: row["firstName"] for row in contacts if "email" in row}
        shared = [
            one for one in PATIENTS if one["email"] in emails and emails[one["email"]] != one["first_name"]
        ]
        assert len(shared) == 3
        assert len(made) == len(set(made)) == highlevel.search()["total"] == 50
        assert highlevel.state.created["contacts"] == 0
        again = highlevel.state.dump()
    with HighLevelServer() as highlevel:
        highlevel.state.populate(50, PATIENTS, same_person=4, shared_email=3)
        assert highlevel.state.dump() == again
