"""Records, relations and calendars that are not as they should be: what a load does with each, and that it says so."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hl_loading import rejects
from hl_mapped import person, record, schemas

if TYPE_CHECKING:
    from collections.abc import Callable

    from hl_loading import Loader

HEAD = schemas("patients", "treatment_notes")
ADA, GRACE = person("patients/1", "Ada", "Lovelace"), person("patients/2", "Grace", "Hopper")
KILLED = -9
CREATES = {"method": "POST", "path_regex": r"^/contacts/$"}


def identity_field(loader: Loader) -> str:
    """Return the id of the custom field that says which Cliniko record a contact is."""
    fields = loader.sandbox.highlevel.state.contact_fields.values()
    return next(str(field["id"]) for field in fields if field["fieldKey"].endswith("source_system_id"))


def test_a_contact_that_stands_for_one_patient_is_never_taken_for_another(
    highlevel: Callable[..., Loader],
) -> None:
    """Somebody wrote the second patient's id into the first one's contact: the second is rejected, not merged into it."""
    loader = highlevel()
    side = loader.sandbox.highlevel
    assert loader.load([*HEAD, ADA]).code == 0
    (contact,) = side.state.contacts
    values = {**side.state.contacts[contact]["customFields"], identity_field(loader): "patients/2"}
    side.state.damage.edit_contact(contact, customFields=values)
    side.control.add_fault({"match": CREATES, "action": "status", "status": 500, "times": 1})
    assert loader.load([*HEAD, GRACE]).code == 4
    assert rejects(loader) == {("patients/2", "duplicate_contact")}
    assert side.state.contacts[contact]["firstName"] == "Ada"
    assert len(side.state.contacts) == 1


def test_an_answer_that_nobody_foresaw(highlevel: Callable[..., Loader]) -> None:
    """It concerns one record only, which is looked for and found; nothing is there twice."""
    loader = highlevel()
    fault = {"match": CREATES, "action": "status_after_work", "status": 201, "body": {"made": True}}
    loader.sandbox.highlevel.control.add_fault({**fault, "times": 1})
    loaded = loader.load([*HEAD, ADA, GRACE])
    assert loaded.code == 0, loaded.log[-2000:]
    assert "Lovelace" not in loaded.log
    state = loader.sandbox.highlevel.state
    assert set(state.sources()["contacts"]) == {"patients/1", "patients/2"}
    assert state.doubles() == {}


def test_a_field_that_highlevel_does_not_let_us_make(highlevel: Callable[..., Loader]) -> None:
    """Without its fields no record can be written: the run stops, everything waits, and a later run writes it."""
    loader = highlevel(empty=True)
    fault = {"method": "POST", "path_regex": r"customFields$|custom-fields/$"}
    refused = {"match": fault, "action": "status", "status": 422, "body": {"message": ["no"]}}
    loader.sandbox.highlevel.control.add_fault(refused)
    stopped = loader.load([*HEAD, ADA])
    assert stopped.code in {1, 2}, stopped.log[-2000:]
    assert not loader.sandbox.highlevel.state.contacts
    loader.sandbox.highlevel.control.clear_faults()
    assert loader.load(HEAD).code == 0
    assert set(loader.sandbox.highlevel.state.sources()["contacts"]) == {"patients/1"}


def test_a_run_that_ends_while_practitioners_are_looked_up(highlevel: Callable[..., Loader]) -> None:
    """What ended it is what the run says, not that the look-up was broken off."""
    loader = highlevel()
    slow = {"match": {"method": "GET"}, "action": "slow", "delay": 2.0, "times": 1}
    loader.sandbox.highlevel.control.add_fault(slow)
    gone = {"match": {"method": "GET"}, "action": "status", "status": 401, "body": {"message": "Invalid JWT"}}
    loader.sandbox.highlevel.control.add_fault(gone)
    # the second head has the first patient taken up while the rest is read
    rest = [person(f"patients/{n}", "Al", "Jo", filtered="archived") for n in range(10, 1500)]
    who = record("hl_users", "practitioners/1", email="frontdesk@example.org", active=True)
    stopped = loader.load([*HEAD, *schemas("practitioners"), ADA, *HEAD, *rest, who])
    assert stopped.code == 3, stopped.log[-2000:]
    assert "Interrupted" not in stopped.log


def test_practitioners_who_left_or_could_not_be_mapped(highlevel: Callable[..., Loader]) -> None:
    """One who left owns nothing, even where there is a user; one the mapper rejected is among the rejects."""
    loader = highlevel()
    mail = next(iter(loader.sandbox.highlevel.state.users.values()))["email"]
    lines = [
        record("hl_users", "practitioners/1", email=mail, active=False),
        record("hl_users", "practitioners/2", email=mail, active=True),
        record("hl_users", "practitioners/3", rejected={"reason": "mapping_error", "field": "email"}),
        person("patients/1", "Ada", "Lovelace", owner={"ref": "user:practitioners/1", "at": "2026-01-01"}),
        person("patients/2", "Grace", "Hopper", owner={"ref": "user:practitioners/2", "at": "2026-01-01"}),
    ]
    loaded = loader.load([*schemas("practitioners"), *HEAD, *lines])
    assert loaded.code == 4, loaded.log[-2000:]
    assert rejects(loader) == {("practitioners/3", "mapping_error")}
    state = loader.sandbox.highlevel.state
    found = {source: state.contacts[ids[0]] for source, ids in state.sources()["contacts"].items()}
    user = next(iter(state.users.values()))
    assert found["patients/2"]["assignedTo"] == user["id"]
    assert found["patients/1"]["assignedTo"] != user["id"]


def test_what_another_record_says_of_fields_that_do_not_add_up(highlevel: Callable[..., Loader]) -> None:
    """The last word counts; a field that no schema has is nobody's."""
    loader = highlevel()
    parts = [
        record(
            "hl_contacts", "patients/1", contributor=f"individual_appointments/{n}", city=city, unheard_of="x"
        )
        for n, city in ((1, "Leeds"), (2, "York"))
    ]
    assert loader.load([*HEAD, ADA, *parts]).code == 0
    (contact,) = loader.sandbox.highlevel.state.contacts.values()
    assert contact["city"] == "York"


def test_a_note_that_names_nobody(highlevel: Callable[..., Loader]) -> None:
    """A thing that hangs on a contact is rejected without one, by the name of the field."""
    loader = highlevel()
    line = record("hl_notes", "treatment_notes/7", title="Note", body="cliniko:treatment_notes/7")
    assert loader.load([*HEAD, line]).code == 4
    assert rejects(loader) == {("treatment_notes/7", "no_contact")}


def test_relations_that_lead_nowhere(highlevel: Callable[..., Loader]) -> None:
    """One of a kind that no schema declares is no relation; one whose other end is not there waits for it."""
    loader = highlevel()
    related = [
        {"association": "unheard_of", "to": "contact:patients/1"},
        {"association": "cliniko_referring_doctor", "to": "contact:contacts/9"},
    ]
    loaded = loader.load([*HEAD, person("patients/1", "Ada", "Lovelace", relations=related)])
    assert loaded.code == 0, loaded.log[-2000:]
    assert not loader.sandbox.highlevel.state.relations
    assert loaded.report["totals"]["held"] == 1


@pytest.mark.parametrize("status", [400, 422])
def test_a_relation_that_highlevel_refuses(status: int, highlevel: Callable[..., Loader]) -> None:
    """For a reason that is neither a full label nor that it is there already, it is rejected; both ends are there."""
    loader = highlevel()
    lines = [*schemas("contacts", "patients"), person("contacts/1", "Doc", "Tor")]
    related = [{"association": "cliniko_referring_doctor", "to": "contact:contacts/1"}]
    refused = {"match": {"method": "POST", "path_regex": "^/associations/relations$"}, "action": "status"}
    side = loader.sandbox.highlevel
    side.control.add_fault({**refused, "status": status, "body": {"message": "something else"}})
    loaded = loader.load([*lines, person("patients/1", "Ada", "Lovelace", relations=related)])
    assert loaded.code == 4, loaded.log[-2000:]
    assert len(rejects(loader)) == 1
    assert len(side.state.contacts) == 2
    side.control.clear_faults()
    assert loader.tool("retry").returncode == 0
    assert len(side.state.relations) == 1


def test_every_appointment_in_one_calendar(highlevel: Callable[..., Loader]) -> None:
    """With a calendar named in the settings, all events are in it, and none is made for their types."""
    loader = highlevel()
    side = loader.sandbox.highlevel
    head = schemas("patients", "individual_appointments")
    booked = [
        record(
            "hl_appointments", f"individual_appointments/{n}", contact="patients/1", title="Visit", status="booked",
            body=f"cliniko:individual_appointments/{n}", appointment_type=kind,
            starts_at=f"2090-05-0{n}T01:00:00Z", ends_at=f"2090-05-0{n}T02:00:00Z",
        )
        for n, kind in ((1, "Physio"), (2, "Massage"))
    ]  # fmt: skip
    assert loader.load([*head, ADA, booked[0]], APPOINTMENTS_AS="calendar_event").code == 0
    (calendar,) = side.state.calendars
    settings = {"APPOINTMENTS_AS": "calendar_event", "CALENDAR_ID": calendar}
    assert loader.load([*head, ADA, *booked], **settings).code == 0
    assert set(side.state.calendars) == {calendar}
    assert [event["calendarId"] for event in side.state.appointments.values()] == [calendar, calendar]


@pytest.mark.parametrize("active", [True, False])
def test_a_calendar_of_somebody_else_s_team(active: bool, highlevel: Callable[..., Loader]) -> None:  # noqa: FBT001 - a setting
    """An event of a practitioner who is not in the team is its first member's, with the name in the text; inactive it stops."""
    loader = highlevel()
    state = loader.sandbox.highlevel.state
    head = schemas("patients", "individual_appointments")
    facts = {"starts_at": "2090-05-01T01:00:00Z", "ends_at": "2090-05-01T02:00:00Z", "status": "booked"}
    more = {"title": "Visit with Dr R", "body": "cliniko:individual_appointments/1", **facts}
    visit = record("hl_appointments", "individual_appointments/1", contact="patients/1", **more)
    assert loader.load([*head, ADA, visit], APPOINTMENTS_AS="calendar_event").code == 0
    (calendar,) = state.calendars.values()
    others = [user["id"] for user in state.users.values() if user["email"] != "frontdesk@example.org"]
    team = [{"userId": others[0]}]
    theirs = {**calendar, "id": "theirs", "name": "Theirs", "teamMembers": team, "isActive": active}
    state.calendars["theirs"] = theirs
    second = visit.replace("individual_appointments/1", "individual_appointments/2")
    settings = {"APPOINTMENTS_AS": "calendar_event", "CALENDAR_ID": "theirs"}
    ended = loader.load([*head, ADA, second], **settings)
    if not active:
        assert (ended.code, "not active" in ended.log) == (2, True)
        return
    assert ended.code == 0, ended.log[-2000:]
    users = {event["calendarId"]: event["assignedUserId"] for event in state.appointments.values()}
    assert users["theirs"] == others[0]
    assert loader.load([*head, ADA, second], MODE="verify", **settings).code in {0, 5}
    report = loader.newest_report()["verification"]
    assert report["different"] == 0, report


def with_fields(lines: list[str], stream: str, **declared: dict[str, Any]) -> list[str]:
    """Return these schemas with more fields in one stream."""
    messages = [json.loads(line) for line in lines]
    for message in messages:
        if message["stream"] == stream:
            for name, more in declared.items():
                described = {"field": "custom", "label": name.title(), **more}
                kind = {"type": ["array" if "options" in more else "string", "null"]}
                message["schema"]["properties"][name] = {**kind, "x-highlevel": described}
    return [json.dumps(message) for message in messages]


def test_numbers_dates_and_lists_of_a_contact(highlevel: Callable[..., Loader]) -> None:
    """They are read back as they were written: an unchanged value costs no write beside one that changed, a cleared one goes."""
    loader = highlevel()
    head = with_fields(
        HEAD,
        "hl_contacts",
        weight={"dataType": "NUMERICAL"},
        seen={"dataType": "DATE"},
        likes={"dataType": "MULTIPLE_OPTIONS", "options": ["Tea", "Milk"]},
    )
    full = {"weight": "81.50", "seen": "2026-01-02", "likes": ["Tea", "Milk"]}
    assert loader.load([*head, person("patients/1", "Ada", "Lovelace", **full)]).code == 0
    changed = {**full, "weight": "82", "likes": ["Tea"]}
    loader.sandbox.highlevel.control.reset_log()
    assert loader.load([*head, person("patients/1", "Ada", "Lovelace", **changed)]).code == 0
    control = loader.sandbox.highlevel.control
    written = [entry for entry in control.requests if entry.write and entry.path.startswith("/contacts/")]
    assert len(written) == 1
    assert loader.load([*head, person("patients/1", "Ada", "Lovelace")]).code == 0
    (contact,) = loader.sandbox.highlevel.state.contacts.values()
    names = {
        str(field["id"]): field["name"] for field in loader.sandbox.highlevel.state.contact_fields.values()
    }
    left = {names[key] for key, value in contact["customFields"].items() if value not in (None, "", [])}
    assert not {"Weight", "Seen", "Likes"} & left


def test_a_contribution_to_a_field_that_is_gone(highlevel: Callable[..., Loader]) -> None:
    """A mapping that no longer has a field forgets what other records said of it."""
    loader = highlevel()
    head = with_fields(HEAD, "hl_contacts", nick={"dataType": "TEXT"})
    part = record("hl_contacts", "patients/1", contributor="individual_appointments/1", nick="Countess")
    assert loader.load([*head, ADA, part]).code == 0
    assert loader.load([*HEAD, person("patients/1", "Ada", "Lovelace", city="Leeds")]).code == 0
    (contact,) = loader.sandbox.highlevel.state.contacts.values()
    assert contact["city"] == "Leeds"


def test_a_value_of_a_custom_object_that_cliniko_no_longer_has(highlevel: Callable[..., Loader]) -> None:
    """It is cleared; the others stay."""
    loader = highlevel()
    head = schemas("billable_items")

    def service(**fields: Any) -> str:
        return record("hl_services", "billable_items/1", source_system_id="billable_items/1", **fields)

    assert loader.load([*head, service(service_name="Visit", item_code="A1")]).code == 0
    (stored,) = loader.sandbox.highlevel.state.records.values()
    assert stored["properties"]["item_code"] == "A1"
    assert loader.load([*head, service(service_name="Visit")]).code == 0
    (stored,) = loader.sandbox.highlevel.state.records.values()
    assert not stored["properties"].get("item_code")
    assert stored["properties"]["service_name"] == "Visit"


def test_half_of_a_note_that_never_arrived_and_is_no_longer_wanted(highlevel: Callable[..., Loader]) -> None:
    """Nothing is said on what is not there."""
    loader = highlevel()

    def piece(number: int, **more: Any) -> str:
        key = "treatment_notes/9" if number == 1 else f"treatment_notes/9#{number}"
        return record(
            "hl_notes", key, contact="patients/1", title="Note", body=f"text\ncliniko:{key}", **more
        )

    assert loader.load([*HEAD, ADA, piece(1, split_count=2)]).code == 0
    refused = {"match": {"method": "POST", "path_regex": "/notes$"}, "action": "status", "status": 422}
    loader.sandbox.highlevel.control.add_fault({**refused, "body": {"message": ["no"]}})
    assert loader.load([*HEAD, piece(2)]).code == 4
    loader.sandbox.highlevel.control.clear_faults()
    assert loader.load([*HEAD, piece(1, split_count=1)]).code == 0
    assert set(loader.sandbox.highlevel.state.sources()["notes"]) == {"treatment_notes/9"}


def test_records_left_out_while_they_wait_for_their_turn(highlevel: Callable[..., Loader]) -> None:
    """What the tap says last counts, also of records that were about to be written."""
    loader = highlevel()
    loader.sandbox.highlevel.control.latency = 0.3
    numbers = range(1, 61)
    wanted = [person(f"patients/{n}", f"P{n}", "Lovelace") for n in numbers]
    left_out = [record("hl_contacts", f"patients/{n}", filtered="archived") for n in numbers]
    loaded = loader.load([*HEAD, *wanted, *HEAD, *left_out])
    assert loaded.code == 0, loaded.log[-2000:]
    assert len(loader.sandbox.highlevel.state.contacts) < len(numbers)
    assert loaded.report["closes_to_zero"]


def an_invoice(items: int) -> list[str]:
    """Return the lines of a patient with one invoice of so many items."""
    invoice = "custom_objects.cliniko_invoice:invoices/1"
    lines = [
        record("hl_invoices", "invoices/1", source_system_id="invoices/1", invoice_name="Invoice 1"),
        *(
            record(
                "hl_invoice_items",
                f"invoice_items/{n}",
                source_system_id=f"invoice_items/{n}",
                item_name=f"Item {n}",
                relations=[{"association": "cliniko_invoice_items", "to": invoice}],
            )
            for n in range(1, items + 1)
        ),
    ]
    return [*schemas("invoices", "invoice_items"), *lines]


def test_a_lost_ledger_and_an_invoice_with_more_items_than_a_page_holds(
    highlevel: Callable[..., Loader],
) -> None:
    """Its links on the second page are found again as well: none is made twice."""
    loader = highlevel()
    lines = an_invoice(104)
    assert loader.load(lines).code == 0
    before = set(loader.sandbox.highlevel.state.relations)
    assert len(before) == 104
    (loader.folder / "ledger.db").unlink()
    assert loader.load(lines).code == 0
    assert set(loader.sandbox.highlevel.state.relations) == before


def test_a_lost_answer_and_a_doctor_with_more_patients_than_a_page_holds(
    highlevel: Callable[..., Loader],
) -> None:
    """The link that was begun is looked for on the second page as well."""
    loader = highlevel()
    related = [{"association": "cliniko_referring_doctor", "to": "contact:contacts/1"}]
    people = [person(f"patients/{n}", f"P{n}", "Lovelace", relations=related) for n in range(1, 105)]
    lines = [*schemas("contacts", "patients"), person("contacts/1", "Doc", "Tor"), *people]
    assert loader.load(lines, CRASH_AT="after_send/relation:103").code == KILLED
    assert loader.load(lines).code == 0
    assert len(loader.sandbox.highlevel.state.relations) == 104
    assert loader.sandbox.highlevel.state.doubles() == {}


def test_a_link_that_is_said_to_be_there_and_is_not(highlevel: Callable[..., Loader]) -> None:
    """Nobody claims what cannot be found: the link is rejected, and made when HighLevel lets it."""
    loader = highlevel()
    lines = [*schemas("contacts", "patients"), person("contacts/1", "Doc", "Tor")]
    related = [{"association": "cliniko_referring_doctor", "to": "contact:contacts/1"}]
    fault = {"match": {"method": "POST", "path_regex": "^/associations/relations$"}, "action": "status"}
    said = {"statusCode": 400, "message": "Duplicate relation found"}
    side = loader.sandbox.highlevel
    side.control.add_fault({**fault, "status": 400, "body": said})
    assert loader.load([*lines, person("patients/1", "Ada", "Lovelace", relations=related)]).code == 4
    side.control.clear_faults()
    assert loader.tool("retry").returncode == 0
    assert len(side.state.relations) == 1


def test_a_link_whose_other_end_is_to_be_repaired(highlevel: Callable[..., Loader]) -> None:
    """Tried again before the repair it says what it lacks, and tried again after it it is made."""
    loader = highlevel(search_lag=0.0)  # a deletion is known at once
    related = [{"association": "cliniko_referring_doctor", "to": "contact:contacts/1"}]
    lines = [*schemas("contacts", "patients"), person("contacts/1", "Doc", "Tor")]
    lines += [person("patients/1", "Ada", "Lovelace", relations=related)]
    side = loader.sandbox.highlevel
    fault = {"match": {"method": "POST", "path_regex": "^/associations/relations$"}, "action": "status"}
    side.control.add_fault({**fault, "status": 400, "body": {"message": "something else"}})
    assert loader.load(lines).code == 4
    side.control.clear_faults()
    side.state.damage.delete("contacts", side.state.sources()["contacts"]["contacts/1"][0])
    assert loader.load(lines, MODE="verify").code == 5
    assert loader.tool("repair", "--yes").returncode == 0
    assert loader.tool("retry").returncode == 4
    assert {reason for _, reason in rejects(loader)} == {"relation_end_missing"}
    assert loader.load(lines).code == 4  # rejected until it is tried again
    assert loader.tool("retry").returncode == 0
    assert len(side.state.relations) == 1


def links(loader: Loader) -> set[tuple[str, str]]:
    """Return who is linked with whom in HighLevel, by their ids in Cliniko."""
    state = loader.sandbox.highlevel.state
    names = {ids[0]: source for source, ids in state.sources()["contacts"].items()}
    ends = [(item["firstRecordId"], item["secondRecordId"]) for item in state.relations.values()]
    assert len(set(ends)) == len(ends)
    return {(names[first], names[second]) for first, second in ends}


def test_a_relationship_that_changes_its_ends(highlevel: Callable[..., Loader]) -> None:
    """A merge gives it another parent: the old link goes unless the other row still says it, the new one is made."""
    loader = highlevel()
    people = [person(f"patients/{n}", f"P{n}", "Lovelace") for n in (1, 2, 3)]

    def related(number: int, parent: int, child: int) -> str:
        ends = {"first": f"contact:patients/{parent}", "second": f"contact:patients/{child}"}
        return record(
            "hl_relationships", f"relationships/{number}", association="cliniko_parent_child", **ends
        )

    head = [*schemas("patients", "relationships"), *people]
    assert loader.load([*head, related(1, 1, 3), related(2, 1, 3)]).code == 0
    assert links(loader) == {("patients/1", "patients/3")}
    assert loader.load([*head, related(1, 2, 3), related(2, 1, 3)]).code == 0
    assert links(loader) == {("patients/1", "patients/3"), ("patients/2", "patients/3")}
    assert loader.load([*head, related(1, 2, 3), related(2, 2, 3)]).code == 0
    assert links(loader) == {("patients/2", "patients/3")}
    assert loader.load([*head, related(1, 2, 1), related(2, 2, 1)]).code == 0
    assert links(loader) == {("patients/2", "patients/1")}
