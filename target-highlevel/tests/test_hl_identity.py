"""Who is who: no two people are ever merged, nobody is doubled, and what was there before is treated with care."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import requests
from hl_loading import rejects
from hl_mapped import person, record, schemas, state

if TYPE_CHECKING:
    from collections.abc import Callable

    from hl_loading import Loaded, Loader

HEAD = schemas("patients", "treatment_notes")
PHONE = "+61255500101"


def born(date: str) -> dict[str, str]:
    """Return a date of birth, which also says who comes first."""
    return {"dateOfBirth": date, "priority": date}


FAMILY = [
    person("patients/2", "Milo", "Larkspur", email="fam@example.org", phone=PHONE, **born("2015-02-01")),
    person("patients/1", "Petra", "Larkspur", email="Fam@example.org", phone=PHONE, **born("1980-05-01")),
    person("patients/3", "Petra", "Larkspur", email="other@example.org", phone=PHONE, **born("1980-05-01")),
    person("patients/4", "Petra", "Larkspur", **born("1980-05-01")),
]  # fmt: skip


def contacts(loader: Loader) -> dict[str, dict[str, Any]]:
    """Return the contact of each source id."""
    found = loader.sandbox.highlevel.state
    return {source: found.contacts[ids[0]] for source, ids in found.sources()["contacts"].items()}


def loads(loader: Loader, *lines: str, **settings: str) -> Loaded:
    """Load these lines and see that nothing is doubled."""
    loaded = loader.load([*HEAD, *lines, state("end")], **settings)
    assert loaded.code in {0, 4}, loaded.log[-2000:]
    assert loader.sandbox.highlevel.state.doubles() == {}
    return loaded


@pytest.mark.parametrize(
    "options",
    [{}, {"match_first": "phone"}, {"duplicate_meta": False}, {"allow_duplicates": True}],
    ids=lambda value: next(iter(value), "email_first"),
)
def test_a_family_with_one_address(options: dict[str, Any], highlevel: Callable[..., Loader]) -> None:
    """Four people, twins by name and birth date among them, stay four; the eldest keeps e-mail and phone."""
    loader = highlevel(**options)
    loaded = loads(loader, *FAMILY)
    found = contacts(loader)
    assert set(found) == {"patients/1", "patients/2", "patients/3", "patients/4"}
    assert {source: contact["firstName"] for source, contact in found.items()}["patients/2"] == "Milo"
    eldest, child = found["patients/1"], found["patients/2"]
    assert eldest["email"] == "Fam@example.org"
    assert eldest["phone"] == "+61255500101"
    if options.get("allow_duplicates"):
        assert child["email"] == "fam@example.org"
        return
    assert not child.get("email")
    assert not child.get("phone")
    assert {"shared-email", "shared-phone"} <= set(child["tags"])
    assert found["patients/3"]["email"] == "other@example.org"
    assert "shared-phone" in found["patients/3"]["tags"]
    withheld = {(row["source"], row["field"]) for row in loaded.report["withheld"]["records"]}
    assert ("patients/2", "email") in withheld
    assert "highlevel.preflight location=reachable duplicates=refused users=" in loaded.log
    assert "highlevel.workflows found=1 published advice=Pause every workflow" in loaded.log
    before = loader.sandbox.highlevel.control.stats()["requests"]
    loads(loader, *FAMILY)
    assert loader.sandbox.highlevel.control.stats()["requests"] == before


@pytest.mark.parametrize("meta", [True, False])
def test_people_who_were_there_before(meta: bool, highlevel: Callable[..., Loader]) -> None:  # noqa: FBT001 - a parameter
    """A contact is taken over only when whole name and birth date agree; everybody else gets one beside it."""
    loader = highlevel(duplicate_meta=meta)
    side = loader.sandbox.highlevel
    there: list[dict[str, Any]] = [
        {
            "firstName": "Ada",
            "lastName": "Lovelace",
            "dateOfBirth": "1980-12-10",
            "email": "ada@example.org",
            "tags": ["vip"],
        },
        {
            "firstName": "Ada",
            "lastName": "Lovelace",
            "dateOfBirth": "1999-01-01",
            "email": "ada2@example.org",
        },
        {"firstName": "Ada", "lastName": "Lovelace", "email": "ada3@example.org"},
        {"firstName": "Front", "lastName": "Desk", "email": "desk@example.org"},
    ]
    ids = [put(loader, **fields) for fields in there]
    loads(
        loader,
        person("patients/1", "ADA", " Lovelace", dateOfBirth="1980-12-10", email="ada@example.org"),
        person("patients/2", "Ada", "Lovelace", dateOfBirth="1980-12-10", email="ada2@example.org"),
        person("patients/3", "Ada", "Lovelace", dateOfBirth="1980-12-10", email="ada3@example.org"),
        person("patients/4", "Bo", "Diddley", dateOfBirth="1928-12-30", email="desk@example.org"),
    )
    found = contacts(loader)
    assert found["patients/1"]["id"] == ids[0]
    assert "vip" in found["patients/1"]["tags"]
    assert not {found[f"patients/{n}"]["id"] for n in (2, 3, 4)} & set(ids)
    for identity in ids[1:]:
        assert side.state.contacts[identity]["email"]
    assert len(side.state.contacts) == 7


def put(loader: Loader, **fields: Any) -> str:
    """Put a contact into HighLevel as somebody would by hand."""
    side = loader.sandbox.highlevel
    answer = requests.post(
        f"{side.url}/contacts/",
        json={"locationId": side.location_id, **fields},
        headers={"Authorization": f"Bearer {side.access_token}", "Version": "2021-07-28"},
        timeout=10,
    )
    assert answer.status_code == 201, answer.text
    return str(answer.json()["contact"]["id"])


def test_addresses_that_change_and_people_who_vanish(highlevel: Callable[..., Loader]) -> None:
    """A new address that is somebody's is withheld; a contact deleted or doubled by hand is reported, not guessed at."""
    loader = highlevel()
    side = loader.sandbox.highlevel
    people = [
        person("patients/1", "Ada", "Lovelace", email="ada@example.org"),
        person("patients/2", "Bo", "Diddley", email="bo@example.org", dateOfBirth="1950-01-01"),
        person("patients/3", "Cy", "Twombly", email="cy@example.org"),
        person("patients/4", "Di", "Prima", email="di@example.org"),
        person("patients/5", "Ed", "Wood", email="ed@example.org"),
    ]
    loads(loader, *people)
    found = contacts(loader)
    side.state.damage.edit_contact(found["patients/4"]["id"], additionalEmails=["second@example.org"])
    side.state.damage.delete("contacts", found["patients/3"]["id"])
    changed = loads(
        loader,
        person("patients/1", "Ada", "King", email="bo@example.org"),
        person("patients/3", "Cyrus", "Twombly", email="cy@example.org"),
        person("patients/5", "Ed", "Wood", email="second@example.org"),
    )
    found = contacts(loader)
    assert found["patients/1"]["lastName"] == "King"
    assert "email" not in found["patients/1"]  # the old one is his no longer, the new one is somebody else's
    assert {"patient", "shared-email"} <= set(found["patients/1"]["tags"])
    assert "email" not in found["patients/5"]
    assert "patients/3" not in found
    assert changed.code == 4
    assert ("patients/3", "deleted_in_highlevel") in rejects(loader)
    side.state.damage.double_contact(found["patients/2"]["id"])
    again = loader.load([*HEAD, person("patients/2", "Bob", "Diddley", email="bo@example.org")])
    assert again.code in {0, 4}
    assert side.state.contacts[found["patients/2"]["id"]]["firstName"] == "Bob"


def note(source_id: str, contact: str, **fields: Any) -> str:
    """Return the RECORD line of a note."""
    body = f"text\ncliniko:{source_id}"
    return record("hl_notes", source_id, **{"contact": contact, "title": "Note", "body": body, **fields})


def test_two_patients_merged_in_cliniko_after_both_were_loaded(highlevel: Callable[..., Loader]) -> None:
    """The one merged away is tagged and kept; what it had is made anew on the survivor, and the copy says so."""
    loader = highlevel()
    side = loader.sandbox.highlevel
    survivor = person("patients/1", "Ada", "Lovelace", email="ada@example.org")
    loser = person("patients/2", "Ada", "Lovelace", email="ada2@example.org")
    profile = record("hl_patient_profiles", "patients/2", source_system_id="patients/2", name="Ada Lovelace")
    loads(loader, survivor, loser, profile, note("treatment_notes/7", "patients/2"))
    before = contacts(loader)
    merged = record("hl_contacts", "patients/2", filtered="merged", tags=["patient", "merged"])
    loaded = loads(loader, survivor, merged, note("treatment_notes/7", "patients/1"))
    found = contacts(loader)
    assert set(found["patients/2"]["tags"]) == {"patient", "merged"}
    assert {**found["patients/2"], "tags": 0, "dateUpdated": 0} == {
        **before["patients/2"],
        "tags": 0,
        "dateUpdated": 0,
    }
    on = {item["contactId"]: item for item in side.state.notes.values()}
    assert "cliniko:treatment_notes/7" in on[found["patients/1"]["id"]]["body"]
    assert "cliniko:" not in on[found["patients/2"]["id"]]["body"]
    assert loaded.report["closes_to_zero"]
    requests = side.control.stats()["requests"]
    loads(loader, survivor, merged, note("treatment_notes/7", "patients/1"))
    assert side.control.stats()["requests"] == requests


@pytest.mark.parametrize("form", ["task", "calendar_event"])
def test_what_a_merge_leaves_behind_is_closed(form: str, highlevel: Callable[..., Loader]) -> None:
    """An appointment to come is open on the survivor only; one that was attended stays what it was; nobody is told."""
    loader = highlevel()
    side = loader.sandbox.highlevel
    both = [person("patients/1", "Ada", "Lovelace"), person("patients/2", "Ada", "King")]
    settings = {"APPOINTMENTS_AS": form}
    head = schemas("patients", "individual_appointments")

    def booked(contact: str) -> list[str]:
        rows = [
            ("individual_appointments/7", "2090", "booked"),
            ("individual_appointments/8", "2020", "arrived"),
        ]
        return [
            record(
                "hl_appointments", source_id, contact=contact, title="Visit", body=f"cliniko:{source_id}", status=status,
                starts_at=f"{year}-05-01T01:00:00Z", ends_at=f"{year}-05-01T02:00:00Z",
            )
            for source_id, year, status in rows
        ]  # fmt: skip

    assert loader.load([*head, *both, *booked("patients/2")], **settings).code == 0
    assert loader.load([*head, *both, *booked("patients/1")], **settings).code == 0
    table = side.state.tasks if form == "task" else side.state.appointments
    state_of = "completed" if form == "task" else "appointmentStatus"
    left, kept = (
        {
            item["title"][-5:] + item.get("dueDate", item.get("startTime"))[:4]: item[state_of]
            for item in found
        }
        for found in (
            [item for item in table.values() if item["title"].startswith("Moved")],
            [item for item in table.values() if not item["title"].startswith("Moved")],
        )
    )
    closed, done, open_ = (True, True, False) if form == "task" else ("cancelled", "showed", "confirmed")
    assert left == {"Visit2090": closed, "Visit2020": done}
    assert kept == {"Visit2090": open_, "Visit2020": done}
    assert side.control.stats()["violations"] == []


def test_a_note_that_has_become_shorter(highlevel: Callable[..., Loader]) -> None:
    """The second half of a note that no longer has one says nothing any more."""
    loader = highlevel()
    first = person("patients/1", "Ada", "Lovelace")
    halves = [
        note("treatment_notes/9", "patients/1", split_count=2),
        note("treatment_notes/9#2", "patients/1"),
    ]
    loads(loader, first, *halves)
    notes = loader.sandbox.highlevel.state.notes
    second = next(item["id"] for item in notes.values() if "#2" in item["body"])
    loaded = loads(loader, first, note("treatment_notes/9", "patients/1", split_count=1))
    assert set(loader.sandbox.highlevel.state.sources()["notes"]) == {"treatment_notes/9"}
    assert notes[second]["title"].startswith("No longer part of the note")
    assert notes[second]["body"].startswith("text")
    assert loaded.report["closes_to_zero"]
    loads(loader, first, *halves)
    assert set(loader.sandbox.highlevel.state.sources()["notes"]) == {
        "treatment_notes/9",
        "treatment_notes/9#2",
    }
