"""What HighLevel refuses or cannot serve stays and is listed; the rest of the rollback goes on, and another try ends it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hl_loading import fault, settings_of
from hl_mapped import person, record, schemas
from hl_undoing import differing, dump, loads, spared, undo

from target_highlevel.engine.session import Session
from target_highlevel.errors import CredentialsRefused, HighLevelError, Refused
from target_highlevel.rollback.setbacks import Setbacks

if TYPE_CHECKING:
    from collections.abc import Callable

    from hl_loading import Loader

    Start = Callable[..., Loader]


HEAD = schemas("patients", "individual_appointments", "treatment_notes", "billable_items")
VISIT = {
    "title": "Visit",
    "status": "booked",
    "starts_at": "2090-10-01T15:30:00Z",
    "ends_at": "2090-10-01T16:30:00Z",
}


def _note(number: int) -> str:
    source = f"treatment_notes/{number}"
    return record(
        "hl_notes", source, contact=f"patients/{number}", title="Said", body=f"That\ncliniko:{source}"
    )


def _visit(number: int) -> str:
    source = f"individual_appointments/{number}"
    return record(
        "hl_appointments",
        source,
        contact=f"patients/{number}",
        body=f"It\ncliniko:{source}",
        **VISIT,
    )


def test_one_thing_that_cannot_be_taken_away_stops_no_other(highlevel: Start) -> None:
    """A record refused, a list that fails, an event refused, one contact that may not be seen: each stays with its reason."""
    loader = highlevel()
    empty = dump(loader)
    services = [
        record("hl_services", f"billable_items/{n}", service_name="S", source_system_id=f"billable_items/{n}")
        for n in (1, 2)
    ]
    people = [person(f"patients/{n}", "Ada", f"Lovelace {n}") for n in range(1, 6)]
    settings = {"APPOINTMENTS_AS": "calendar_event"}
    more = [_note(1), _note(2), _visit(3), _visit(4)]
    loads(loader, [*HEAD, *services, *people, *more], **settings)
    state = loader.sandbox.highlevel.state
    ids = {source: ids[0] for source, ids in state.sources()["contacts"].items()}
    service = next(
        hl_id
        for hl_id, item in state.records.items()
        if item["properties"]["source_system_id"] == "billable_items/1"
    )
    event = next(
        hl_id for hl_id, item in state.appointments.items() if item["contactId"] == ids["patients/3"]
    )
    fault(loader, "DELETE", f"/records/{service}$", "status", status=400)
    fault(loader, "GET", f"^/contacts/{ids['patients/1']}/notes$", "status", status=200, body={})
    fault(loader, "DELETE", f"/events/{event}$", "status", status=422)
    fault(loader, "GET", f"^/contacts/{ids['patients/5']}$", "status", status=403)
    done = loader.tool("rollback", "--yes", **settings)
    assert done.returncode == 0, done.stdout + done.stderr
    assert {key: row["reason"] for key, row in spared(loader).items()} == {
        ("custom_objects.cliniko_service", "billable_items/1"): "not_allowed",
        ("contact", "patients/1"): "not_answered",
        ("note", "treatment_notes/1"): "not_answered",
        ("appointment", "individual_appointments/3"): "not_allowed",
        ("contact", "patients/3"): "carries_a_spared_record",
        ("contact", "patients/5"): "not_allowed",
    }
    assert set(state.contacts) == {ids[f"patients/{n}"] for n in (1, 3, 5)}
    loader.sandbox.highlevel.control.clear_faults()
    run = loader.newest_report()["rollback"]["undoes"]
    assert loader.tool("rollback", "--yes", "--run", run, **settings).returncode == 0
    assert spared(loader) == {}
    assert differing(empty, dump(loader)) == []


def _profile(number: int, *linked: str) -> str:
    relations = [{"association": "cliniko_profile_contact", "to": each} for each in linked]
    return record("hl_patient_profiles", f"patients/{number}", patient_name="P", relations=relations)


def test_what_highlevel_denies_and_still_shows_is_not_called_gone(highlevel: Start) -> None:
    """A 404 to a DELETE is believed when a read agrees; else the thing is listed, and the next try takes it away."""
    loader = highlevel()
    ada, bob, cy = (person(f"patients/{n}", name, "King") for n, name in enumerate(("Ada", "Bob", "Cy"), 1))
    settings = {"APPOINTMENTS_AS": "calendar_event"}
    loads(loader, [*HEAD, bob, _profile(2)], **settings)
    before = dump(loader)
    linked = [_profile(1, "contact:patients/1"), _profile(2, "contact:patients/2")]
    loads(loader, [*HEAD, ada, bob, cy, *linked, _note(1), _visit(2), _note(3)], **settings)
    fault(loader, "DELETE", "", "status", status=404)
    done = loader.tool("rollback", "--yes", **settings)
    assert done.returncode == 0, done.stdout + done.stderr
    denied, left = "still_there", spared(loader)
    linked_bob = next(key for key in left if key[0] == "relation" and "contact:patients/2" in key[1])
    assert {key: row["reason"] for key, row in left.items() if key[0] != "relation" or key == linked_bob} == {
        ("custom_objects.cliniko_patient_profile", "patients/1"): denied,
        ("contact", "patients/1"): "needed_by_a_spared_record",
        ("contact", "patients/3"): denied,
        ("note", "treatment_notes/1"): denied,
        ("note", "treatment_notes/3"): denied,
        ("appointment", "individual_appointments/2"): denied,
        linked_bob: denied,
    }
    loader.sandbox.highlevel.control.clear_faults()
    run = loader.newest_report()["rollback"]["undoes"]
    assert loader.tool("rollback", "--yes", "--run", run, **settings).returncode == 0
    assert spared(loader) == {}
    assert differing(before, dump(loader)) == []


def test_a_service_that_is_down_ends_it(highlevel: Start) -> None:
    """Then it is no trouble of the records; nor is a token that may not do such a thing at all."""
    loader = highlevel()
    session = Session(settings_of(loader), mode="rollback")
    left: list[str] = []

    def meet(error: HighLevelError) -> None:
        with Setbacks(session).met(left.append):
            raise error

    try:
        meet(Refused(status=400))
        meet(CredentialsRefused(status=403, allowed_before=True))
        with pytest.raises(CredentialsRefused):
            meet(CredentialsRefused(status=403))
        fault(loader, "GET", "^/locations/", "status", status=401)
        with pytest.raises(Refused):
            meet(Refused(status=400))
    finally:
        session.close(1, {})
    assert left == ["not_allowed", "not_allowed"]


def test_a_create_of_which_nobody_can_tell_stays_unclear(highlevel: Start) -> None:
    """The search that would tell is refused: it is listed, and not forgotten, so that nobody is made twice."""
    loader = highlevel()
    killed = loader.load([*HEAD, person("patients/1", "Ada", "Lovelace")], CRASH_AT="after_send/contact")
    assert killed.code == -9
    fault(loader, "POST", "^/contacts/search$", "status", status=400, nth=1)
    undo(loader)
    assert spared(loader)["contact", "patients/1"]["reason"] == "not_allowed"
    loads(loader, [*HEAD, person("patients/1", "Ada", "Lovelace")])
    assert len(loader.sandbox.highlevel.state.contacts) == 1


def test_values_that_highlevel_spells_in_its_own_way_are_put_back(highlevel: Start) -> None:
    """What was entered as 02 5550 0101 is written back and shown in another form: it is as before, and the undo ends."""
    loader = highlevel()
    loads(loader, [*HEAD, person("patients/1", "Ada", "Lovelace", phone="+61255500101")])
    state = loader.sandbox.highlevel.state
    loads(loader, [*HEAD, person("patients/1", "Ada", "Lovelace", phone="+61255500102")])
    loader.sandbox.highlevel.state.options.shapes = frozenset({"spaced_phones"})
    undo(loader)
    assert spared(loader) == {}
    (contact,) = state.contacts.values()
    assert contact["phone"] == "+61255500101"
