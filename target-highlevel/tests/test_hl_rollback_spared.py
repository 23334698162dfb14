"""What a person touched since stays as it is, with all it needs, and is listed with the reason."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hl_mapped import person, record, schemas
from hl_undoing import differing, dump, move_in, spared

from sandbox.highlevel.relations import add_relation

if TYPE_CHECKING:
    from collections.abc import Callable

    from hl_loading import Clinic, Loader

    Start = Callable[..., Loader]


def test_what_a_person_touched_stays_and_is_listed(highlevel: Start, small_clinic: Clinic) -> None:
    """A contact changed, a note rewritten, a task done, an invoice corrected: these stay, the untouched rest goes."""
    loader = highlevel()
    small_clinic.restore(loader)
    state, damage = loader.sandbox.highlevel.state, loader.sandbox.highlevel.state.damage
    patients = _patients(loader)
    note = next(iter(state.notes.values()))
    task = next(item for item in state.tasks.values() if item["contactId"] != note["contactId"])
    invoice = next(
        item for item in state.records.values() if item["objectKey"] == "custom_objects.cliniko_invoice"
    )
    person = next(hl_id for hl_id in patients if hl_id not in {note["contactId"], task["contactId"]})
    damage.edit_contact(person, city="Moved")
    damage.edit("notes", note["id"], body=f"{note['body']}\nA word of the practitioner's")
    damage.edit("tasks", task["id"], title="Call back")
    damage.edit_record(invoice["id"], invoice_number="corrected")
    done = loader.tool("rollback", "--yes")
    assert done.returncode == 0, done.stderr
    listed = spared(loader)
    assert listed["contact", patients[person]]["fields"] == "city"
    reasons = {(object_, row["reason"]) for (object_, _), row in listed.items()}
    assert {
        ("note", "changed"),
        ("appointment", "changed"),
        ("custom_objects.cliniko_invoice", "changed"),
    } <= reasons
    assert ("contact", "carries_a_spared_record") in reasons
    assert {note["id"]} == set(state.notes)
    assert {task["id"]} == set(state.tasks)
    objects = [item["objectKey"] for item in state.records.values()]
    assert objects.count("custom_objects.cliniko_invoice") == 1
    assert not {"custom_objects.cliniko_invoice_line_item", "custom_objects.cliniko_service"} & set(objects)
    assert all(
        end in state.contacts or end in state.records
        for item in state.relations.values()
        for end in _ends(item)
    )
    assert f"left alone                          {len(listed)}" in done.stdout


def test_contacts_somebody_works_with_are_not_deleted(highlevel: Start, small_clinic: Clinic) -> None:
    """A note, a relation, a tag or a web address added by hand is reason enough, and each is named."""
    loader = highlevel()
    small_clinic.restore(loader)
    patients = _patients(loader)
    noted, tagged, linked, visited, other = list(patients)[:5]
    _add_note(loader, noted)
    state = loader.sandbox.highlevel.state
    state.damage.edit_contact(tagged, tags=[*state.contacts[tagged]["tags"], "vip"])
    state.damage.edit_contact(visited, website="https://example.org")
    _link(loader, linked, other)
    assert loader.tool("rollback", "--yes").returncode == 0
    reasons = {
        source: row["reason"] for (object_, source), row in spared(loader).items() if object_ == "contact"
    }
    assert {hl_id: reasons[patients[hl_id]] for hl_id in patients} == {
        noted: "somebody_added_note",
        tagged: "changed",
        linked: "somebody_added_relation",
        visited: "changed",
        other: "somebody_added_relation",
    }
    assert set(patients) <= set(state.contacts)
    assert [item["title"] for item in state.notes.values()] == ["Mine"]


def test_a_field_changed_since_is_not_put_back(highlevel: Start, small_clinic: Clinic) -> None:
    """Of an adopted contact the fields that still hold our values are put back, the others left as the person wants them."""
    loader = highlevel()
    before = move_in(loader, 10)
    state = loader.sandbox.highlevel.state
    there = set(state.contacts)
    loader.load(small_clinic.lines)
    adopted = next(hl_id for hl_id in _patients(loader) if hl_id in there)
    source = _patients(loader)[adopted]
    state.damage.edit_contact(adopted, city="Chosen by hand", tags=[*state.contacts[adopted]["tags"], "vip"])
    assert loader.tool("rollback", "--yes").returncode == 0
    assert spared(loader)["contact", source]["fields"] == "city"
    assert state.contacts[adopted]["city"] == "Chosen by hand"
    assert "vip" in state.contacts[adopted]["tags"]
    assert "patient" not in state.contacts[adopted]["tags"]
    assert len(differing(before, dump(loader))) == 2  # that contact, before and after


def test_what_somebody_deleted_already_is_no_hindrance(highlevel: Start, small_clinic: Clinic) -> None:
    """A contact, a record and a note deleted by hand before the rollback: nothing is left, nothing is spared.

    What hung on the contact is listed: it might have been merged with another one, and its notes moved there.
    """
    loader = highlevel()
    empty = dump(loader)
    small_clinic.restore(loader)
    state = loader.sandbox.highlevel.state
    gone = next(iter(_patients(loader)))
    lost = {
        item["id"]
        for table in (state.notes, state.tasks)
        for item in table.values()
        if item["contactId"] == gone
    }
    lost |= {file["id"] for file in state.files.values() if file["contactId"] == gone}
    state.damage.delete("contacts", gone)
    state.damage.delete("records", next(iter(state.records)))
    state.damage.delete("notes", next(iter(state.notes)))
    done = loader.tool("rollback", "--yes")
    assert done.returncode == 0, done.stderr
    assert len(spared(loader)) == len(lost)
    assert {row["reason"] for row in spared(loader).values()} == {"contact_gone"}
    assert differing(empty, dump(loader)) == []


def test_what_was_moved_by_a_merge_is_taken_back_where_it_can_be_read(highlevel: Start) -> None:
    """Staff merged the contact into theirs, and HighLevel moved what hung on it: the event goes, the note is listed."""
    loader = highlevel()
    visit = record(
        "hl_appointments", "individual_appointments/7", contact="patients/1", title="Visit", status="booked",
        body="cliniko:individual_appointments/7",
        starts_at="2090-10-01T15:30:00Z", ends_at="2090-10-01T16:30:00Z",
    )  # fmt: skip
    note = record("hl_notes", "treatment_notes/8", contact="patients/1", body="cliniko:treatment_notes/8")
    head = schemas("patients", "individual_appointments", "treatment_notes")
    settings = {"APPOINTMENTS_AS": "calendar_event"}
    assert loader.load([*head, person("patients/1", "Ada", "Lovelace"), visit, note], **settings).code == 0
    state = loader.sandbox.highlevel.state
    (contact,) = state.contacts
    state.contacts["theirs"] = {**state.contacts[contact], "id": "theirs"}
    for kind in ("notes", "appointments"):
        ((identity, item),) = getattr(state, kind).items()
        getattr(state, kind)[identity] = {**item, "contactId": "theirs"}
        state.main.drop_child(kind, contact, identity)
        state.main.add_child(kind, "theirs", identity)
    state.damage.delete("contacts", contact)
    assert loader.tool("rollback", "--yes", **settings).returncode == 0
    assert {key: row["reason"] for key, row in spared(loader).items()} == {
        ("note", "treatment_notes/8"): "contact_gone"
    }
    assert not state.appointments
    assert set(state.contacts) == {"theirs"}


@pytest.mark.parametrize("number", [3, 30])  # read one by one, or by pages
def test_a_property_of_the_clinics_own_is_reason_enough(number: int, highlevel: Start) -> None:
    """A field that the clinic added to one of our objects and somebody filled in keeps that record, and no other."""
    loader = highlevel()
    names = [f"billable_items/{n}" for n in range(number)]
    services = [record("hl_services", name, service_name=name, source_system_id=name) for name in names]
    assert loader.load([*schemas("billable_items"), *services]).code == 0
    state = loader.sandbox.highlevel.state
    touched = max(state.records)
    state.damage.edit_record(touched, colour="red")
    assert loader.tool("rollback", "--yes").returncode == 0
    assert list(state.records) == [touched]
    ((_, row),) = spared(loader).items()
    assert (row["reason"], row["fields"]) == ("changed", "colour")


@pytest.mark.parametrize("number", [2, 30])  # read one by one, or by pages
def test_a_record_that_somebody_linked_stays(number: int, highlevel: Start) -> None:
    """The link would go with it; a record that only we have linked is removed with all the others."""
    loader = highlevel()
    related = [{"association": "cliniko_profile_contact", "to": "contact:patients/1"}]
    names = [f"patients/{n}" for n in range(number)]
    profiles = [
        record("hl_patient_profiles", name, source_system_id=name, patient_name=name, relations=related)
        for name in names
    ]
    assert loader.load([*schemas("patients"), person("patients/1", "Ada", "Lovelace"), *profiles]).code == 0
    state = loader.sandbox.highlevel.state
    linked = max(state.records)
    (contact,) = state.contacts
    state.contacts["theirs"] = {**state.contacts[contact], "id": "theirs"}
    link = next(item for item in state.relations.values() if linked in _ends(item))
    association = state.associations[link["associationId"]]
    ends = ["theirs" if end == contact else end for end in _ends(link)]
    add_relation(state.main, association, *ends)
    assert loader.tool("rollback", "--yes").returncode == 0
    reasons = {row["reason"] for (object_, _), row in spared(loader).items() if "." in object_}
    assert reasons == {"somebody_added_relation"}
    assert set(state.records) == {linked}


def test_an_event_shown_in_the_clinics_own_zone_is_untouched(highlevel: Start) -> None:
    """HighLevel may show the moment we wrote in another zone, across the change of the clocks: it is the same moment."""
    loader = highlevel()
    body = "cliniko:individual_appointments/7"
    visit = record(
        "hl_appointments", "individual_appointments/7", contact="patients/1", title="Visit", body=body, status="booked",
        starts_at="2090-10-01T15:30:00Z", ends_at="2090-10-01T16:30:00Z",
    )  # fmt: skip
    lines = [*schemas("patients", "individual_appointments"), person("patients/1", "Ada", "Lovelace"), visit]
    settings = {"APPOINTMENTS_AS": "calendar_event"}
    assert loader.load(lines, **settings).code == 0
    state = loader.sandbox.highlevel.state
    (event,) = state.appointments
    shown = {"startTime": "2090-10-02T01:30:00.000+10:00", "endTime": "2090-10-02T03:30:00+1100"}
    state.damage.edit("appointments", event, **shown)
    assert loader.tool("rollback", "--yes", **settings).returncode == 0
    assert spared(loader) == {}
    assert not state.appointments
    assert not state.contacts


def test_a_contact_that_somebody_works_with_is_spared_and_links_that_outlive_it_are_removed(
    highlevel: Start,
) -> None:
    """An opportunity, a conversation, a form, a payment, an order, an invoice: each alone is reason enough.

    So it is where a page shows fewer of them than there are.
    """
    loader = highlevel(relations_outlive=True, largest_page=1)
    doctor = record(
        "hl_contacts", "contacts/1", lastName="House", source_system_id="contacts/1", tags=["contact"]
    )
    link = {"association": "cliniko_referring_doctor", "to": "contact:contacts/1"}
    referred = person("patients/8", "Ada", "Lovelace 8", relations=[link])
    people = [person(f"patients/{number}", "Ada", f"Lovelace {number}") for number in range(1, 8)]
    loaded = loader.load([*schemas("patients", "contacts"), doctor, *people, referred])
    assert loaded.code == 0, loaded.log[-2000:]
    state = loader.sandbox.highlevel.state
    assert len(state.relations) == 1
    *found, stopped = list(_patients(loader))[:7]
    engaged = dict(
        zip(("opportunity", "conversation", "form", "payment", "order", "invoice"), found, strict=True)
    )
    state.staff.add_opportunity(engaged["opportunity"])
    state.staff.add_conversation(engaged["conversation"])
    state.staff.add_submission(engaged["form"])
    state.staff.add_payment(engaged["payment"])
    state.staff.add_order(engaged["order"])
    state.staff.add_invoice(engaged["invoice"])
    for add in (state.staff.add_conversation, state.staff.add_payment):
        add(engaged["opportunity"])  # the newest, and the only ones that a page shows
    state.staff.close_channel(stopped)
    done = loader.tool("rollback", "--yes")
    assert done.returncode == 0, done.stdout + done.stderr
    listed = {row["highlevel_id"]: row["reason"] for row in spared(loader).values()}
    assert listed == {
        **{hl_id: f"engaged_{kind}" for kind, hl_id in engaged.items()},
        stopped: "changed",
    }
    assert set(state.contacts) == {*engaged.values(), stopped}
    assert state.contacts[stopped]["dndSettings"]["SMS"]["status"] == "permanent"
    assert state.relations == {}


def test_without_the_scopes_a_contact_with_any_activity_is_spared_and_the_line_says_so(
    highlevel: Start,
) -> None:
    """Nobody knows what happened on it; another, on which nothing did, is removed.

    What happened before our own last write counts as well: that hides it from the date of the last change only.
    """
    loader = highlevel(closed={"/opportunities/": 403, "/conversations/": 401, "/payments/": 403})
    people = [person(f"patients/{number}", "Ada", f"Lovelace {number}") for number in (1, 2, 3)]
    loader.load([*schemas("patients"), *people])
    state = loader.sandbox.highlevel.state
    ids = {source: hl_id for hl_id, source in _patients(loader).items()}
    active, wrote = ids["patients/1"], ids["patients/3"]
    later, earlier = "2099-01-01T00:00:00.000Z", "2025-01-01T00:00:00.000Z"
    state.contacts[active] = {**state.contacts[active], "dateUpdated": later}
    state.contacts[wrote] = {**state.contacts[wrote], "lastActivity": earlier}
    done = loader.tool("rollback", "--yes")
    assert done.returncode == 0, done.stdout + done.stderr
    assert {key: row["reason"] for key, row in spared(loader).items()} == {
        ("contact", "patients/1"): "activity_since",
        ("contact", "patients/3"): "activity_since",
    }
    assert set(state.contacts) == {active, wrote}
    assert "the token may not see conversations, opportunities, orders, payments" in done.stderr


def _patients(loader: Loader) -> dict[str, str]:
    """Return the source id of each patient's contact by its HighLevel id."""
    found = loader.sandbox.highlevel.state.sources()["contacts"]
    return {ids[0]: source for source, ids in sorted(found.items()) if source.startswith("patients/")}


def _ends(relation: dict[str, Any]) -> tuple[str, str]:
    return relation["firstRecordId"], relation["secondRecordId"]


def _add_note(loader: Loader, person: str) -> None:
    """Put a note on a contact as somebody would by hand."""
    state = loader.sandbox.highlevel.state
    own = next(iter(state.notes.values()))
    copy = {**own, "id": "written-by-hand", "contactId": person, "title": "Mine", "body": "Rang, no answer"}
    state.notes[copy["id"]] = copy
    state.main.add_child("notes", person, copy["id"])


def _link(loader: Loader, first: str, second: str) -> None:
    """Relate two contacts as somebody would by hand."""
    state = loader.sandbox.highlevel.state
    association = next(
        item
        for item in state.associations.values()
        if {item["firstObjectKey"], item["secondObjectKey"]} == {"contact"}
        and (item["id"], first, second) not in state.relation_pairs
    )
    add_relation(state.main, association, first, second)
