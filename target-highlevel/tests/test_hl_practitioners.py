"""Practitioners who get a login after the first load."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hl_mapped import person, record, schemas

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest
    from hl_loading import Clinic, Loader


def owners(state: Any) -> dict[str, str]:
    """Return the user in charge of each contact."""
    return {contact["id"]: contact["assignedTo"] for contact in state.contacts.values()}


def test_a_login_made_later_takes_over_the_patients(
    small_clinic: Clinic, highlevel: Callable[..., Loader]
) -> None:
    """Once something is written again, a practitioner who has a user by now becomes the owner of the patients."""
    loader = highlevel(users=[])
    loader.load(small_clinic.lines)
    state = loader.sandbox.highlevel.state
    desk = {contact["assignedTo"] for contact in state.contacts.values()}
    assert len(desk) == 1

    with_users = highlevel()
    for user in with_users.sandbox.highlevel.state.users.values():
        state.users.setdefault(user["id"], {**user, "locationIds": [loader.sandbox.highlevel.location_id]})
    changed = [
        line.replace('"first_name":"', '"first_name":"Dr ', 1) if '"stream":"contacts"' in line else line
        for line in small_clinic.lines
    ]
    again = loader.load(changed)
    assert again.code == 0, again.log[-2000:]
    owners = {contact["assignedTo"] for contact in state.contacts.values()}
    assert owners - desk
    assert state.doubles() == {}


def test_the_patients_of_one_who_left_go_to_the_fallback_owner(
    small_clinic: Clinic, highlevel: Callable[..., Loader]
) -> None:
    """A practitioner who was matched and then leaves owns nobody any more; coming back, everybody again."""
    loader = highlevel()
    small_clinic.restore(loader)
    state = loader.sandbox.highlevel.state
    before = owners(state)
    desk = next(user["id"] for user in state.users.values() if user["email"] == "frontdesk@example.org")
    assert set(before.values()) - {desk}

    left = [line.replace('"active":true', '"active":false') for line in small_clinic.lines]
    assert left != small_clinic.lines
    gone = loader.load(left)
    assert gone.code == 0, gone.log[-2000:]
    assert gone.report["closes_to_zero"]
    assert {owner for identity, owner in owners(state).items() if identity in before} == {desk}

    back = loader.load(small_clinic.lines)
    assert back.code == 0, back.log[-2000:]
    assert {identity: owner for identity, owner in owners(state).items() if identity in before} == before


def test_a_key_that_may_not_read_users_takes_nobody_away(
    small_clinic: Clinic, highlevel: Callable[..., Loader]
) -> None:
    """A later run without Cliniko's users leaves every owner, and makes no contact of a practitioner who has a user."""
    loader = highlevel()
    small_clinic.restore(loader)
    state = loader.sandbox.highlevel.state
    before = owners(state)
    fewer = [line for line in small_clinic.lines if '"type":"RECORD","stream":"users"' not in line]
    assert len(fewer) < len(small_clinic.lines)
    again = loader.load(fewer)
    assert again.code == 0, again.log[-2000:]
    assert owners(state) == before


HEAD = schemas(
    "practitioners",
    "patients",
    "individual_appointments",
    "group_appointments",
    "attendees",
    "treatment_notes",
)


def doctor(number: int, name: str) -> str:
    """Return a practitioner with this address."""
    return record("hl_users", f"practitioners/{number}", email=f"{name}@clinic.example.com", active=True)


def work_of(number: int) -> list[str]:
    """Return a visit, a class with a place in it and a note of one practitioner's, all of one patient's."""
    owner, patient = f"user:practitioners/{number}", f"patients/{number}"
    visit, group, place, note = (
        f"{resource}/{number}"
        for resource in ("individual_appointments", "group_appointments", "attendees", "treatment_notes")
    )
    times = {"starts_at": "2024-05-01T10:00:00Z", "ends_at": "2024-05-01T11:00:00Z", "owner": owner}
    return [
        person(patient, "Ada", f"Loon {number}"),
        record("hl_appointments", visit, contact=patient, title="Visit", body=f"cliniko:{visit}", **times),
        record("hl_appointments", group, contributor=group, title="Class", **times),
        record(
            "hl_appointments", place, contact=patient, joins=[group], status="booked", body="Booked",
            marker=f"cliniko:{place}",
        ),
        record("hl_notes", note, contact=patient, title="Note", body=f"cliniko:{note}", owner=owner),
    ]  # fmt: skip


def test_a_login_made_later_takes_over_tasks_and_notes(highlevel: Callable[..., Loader]) -> None:
    """Also where the practitioner is named by the record itself, or by the class it is a place in; others cost nothing."""
    loader = highlevel()
    state = loader.sandbox.highlevel.state
    (orla,) = [user for user in state.users.values() if user["email"].startswith("orla")]
    del state.users[orla["id"]]
    people = [doctor(9, "orla.featherstone"), doctor(8, "nobody")]
    assert loader.load([*HEAD, *people, *work_of(9), *work_of(8)]).code == 0
    assert orla["id"] not in {task["assignedTo"] for task in state.tasks.values()}
    state.users[orla["id"]] = orla
    before = len(loader.sandbox.highlevel.control.requests)
    assert loader.load([*HEAD, *people, person("patients/1", "Bo", "Diddley")]).code == 0
    hers = [
        thing["body"].partition("cliniko:")[2]
        for things, user in ((state.tasks, "assignedTo"), (state.notes, "userId"))
        for thing in things.values()
        if thing.get(user) == orla["id"]
    ]
    assert sorted(hers) == ["attendees/9", "individual_appointments/9", "treatment_notes/9"]
    sent = loader.sandbox.highlevel.control.requests[before:]
    written = [each.path for each in sent if each.method == "PUT" and "/contacts/" in each.path]
    assert len(written) == len(hers), written
    assert loader.load([*HEAD, *people, *work_of(9), *work_of(8)], MODE="verify").code == 0


def test_what_has_the_owner_of_a_contact_follows_one_whom_somebody_put_there(
    highlevel: Callable[..., Loader],
) -> None:
    """The front desk names the new owner by hand, and then Cliniko does: the profile has that owner, too."""
    loader = highlevel()
    state = loader.sandbox.highlevel.state
    orla, other = (
        next(user for user in state.users.values() if user["email"].startswith(name))
        for name in ("orla", "frontdesk")
    )
    people = [
        record("hl_users", f"practitioners/{number}", email=user["email"], active=True)
        for number, user in ((9, orla), (8, other))
    ]

    def visit(practitioner: int) -> str:
        owner = {"at": "2031-01-01T00:00:00Z", "ref": f"user:practitioners/{practitioner}"}
        return record("hl_contacts", "patients/1", contributor="individual_appointments/1", owner=owner)

    profile = record(
        "hl_patient_profiles", "patients/1", source_system_id="patients/1", patient_name="Ada Loon",
        owner_of="contact:patients/1",
        relations=[{"association": "cliniko_profile_contact", "to": "contact:patients/1"}],
    )  # fmt: skip
    lines = [*HEAD, *people, person("patients/1", "Ada", "Loon"), profile]
    assert loader.load([*lines, visit(9)]).code == 0
    (contact,), (held,) = state.contacts.values(), state.records.values()
    assert (contact["assignedTo"], held["owner"]) == (orla["id"], [orla["id"]])
    state.damage.edit("contacts", contact["id"], assignedTo=other["id"])
    assert loader.load([*lines, visit(8)]).code == 0
    (held,) = state.records.values()
    assert held["owner"] == [other["id"]]


def test_the_fallback_owner_stands_in_for_a_user_who_is_refused(
    highlevel: Callable[..., Loader], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Listed like any other, and nothing can be theirs: the patient goes in all the same, and a verification tells."""
    loader = highlevel()
    state = loader.sandbox.highlevel.state
    orla, desk = (
        next(user for user in state.users.values() if user["email"].startswith(name))
        for name in ("orla", "frontdesk")
    )
    monkeypatch.setattr(
        type(state.main), "assignable", lambda account, who: account.user(who) if who != orla["id"] else None
    )
    doctor = record("hl_users", "practitioners/9", email=orla["email"], active=True)
    owner = {"at": "2031-01-01T00:00:00Z", "ref": "user:practitioners/9"}
    ada = person("patients/1", "Ada", "Loon", owner=owner)
    ended = loader.load([*HEAD, doctor, ada])
    assert ended.code == 0, ended.log[-2000:]
    (contact,) = state.contacts.values()
    assert contact["assignedTo"] == desk["id"]
    assert loader.load([*HEAD, doctor, ada], MODE="verify").code == 5
    married = person("patients/1", "Ada", "King", owner=owner)
    assert loader.load([*HEAD, doctor, married]).code == 0
    (contact,) = state.contacts.values()
    assert (contact["lastName"], contact["assignedTo"]) == ("King", desk["id"])
