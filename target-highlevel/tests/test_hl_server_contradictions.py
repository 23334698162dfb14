"""A server that contradicts itself: what was there a moment ago is gone, a field or a definition is missing."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from importlib.metadata import EntryPoint
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest
from hl_ledgers import USERS
from hl_loading import fault, rejects, settings_of
from hl_mapped import person, record, schemas

from target_highlevel.descriptor import Incoming, stream_spec
from target_highlevel.engine.engine import Engine
from target_highlevel.engine.session import Session
from target_highlevel.errors import Interrupted, SettingsError
from target_highlevel.objects.contact import encode
from target_highlevel.preflight.admission import mapping_text

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from hl_loading import Loader

HEAD = schemas("contacts", "patients", "treatment_notes", "individual_appointments")
ADA = person("patients/1", "Ada", "Lovelace", email="ada@example.org")
BO = person("patients/2", "Bo", "Diddley")
KILLED = -9


def note(patient: str = "patients/1", said: str = "said") -> str:
    """Return the RECORD line of the one note."""
    return record("hl_notes", "treatment_notes/7", contact=patient, body=f"{said}\ncliniko:treatment_notes/7")


# What people do meanwhile


def test_a_note_that_moves_after_somebody_deleted_it(highlevel: Callable[..., Loader]) -> None:
    """There is nothing to take the marker off: it is made on the other patient, once."""
    loader = highlevel()
    state = loader.sandbox.highlevel.state
    assert loader.load([*HEAD, ADA, BO, note()]).code == 0
    (made,) = state.notes
    state.damage.delete_note(made)
    assert loader.load([*HEAD, ADA, BO, note("patients/2")]).code == 0
    (found,) = state.notes.values()
    assert found["contactId"] == state.sources()["contacts"]["patients/2"][0]


def test_a_link_no_longer_wanted_before_anybody_could_look_for_it(highlevel: Callable[..., Loader]) -> None:
    """Killed when it was sent, and gone in Cliniko before the next run comes to it: it is found, and taken away."""
    loader = highlevel()
    doctor = [{"association": "cliniko_referring_doctor", "to": "contact:contacts/1"}]
    lines = [*HEAD, person("contacts/1", "Doc", "Tor")]
    referred = person("patients/1", "Ada", "Lovelace", relations=doctor)
    assert loader.load([*lines, referred], CRASH_AT="after_send/relation").code == KILLED
    assert len(loader.sandbox.highlevel.state.relations) == 1
    gone = [*lines, person("patients/1", "Ada", "Lovelace", relations=[])]
    # what comes in is there then, and nothing can be asked
    assert loader.load(gone, REQUESTS_PER_DAY="1").code == 75
    assert loader.load([]).code == 0
    assert not loader.sandbox.highlevel.state.relations


def test_a_contact_that_is_gone_when_its_note_is_looked_for(highlevel: Callable[..., Loader]) -> None:
    """The answer to the note was lost, and its contact deleted before anybody could look: the note is refused by name."""
    loader = highlevel()
    fault(loader, "POST", "/notes$", "drop_after")
    fault(loader, "GET", "/notes$", "status", status=404, body={"message": "Contact not found"})
    assert loader.load([*HEAD, ADA, note()]).code == 4
    assert rejects(loader) == {("treatment_notes/7", "not_found")}


def test_an_event_that_is_gone_while_the_list_is_read(highlevel: Callable[..., Loader]) -> None:
    """A list without texts has each event read; one that somebody deletes in between is nobody's."""
    loader = highlevel(shapes=["events_without_text"])
    visit = record(
        "hl_appointments", "individual_appointments/7", contact="patients/1", title="Visit",
        body="Visit\ncliniko:individual_appointments/7", status="arrived", starts_at="2024-05-01T10:00:00Z",
        ends_at="2024-05-01T11:00:00Z",
    )  # fmt: skip
    settings = {"APPOINTMENTS_AS": "calendar_event"}
    assert loader.load([*HEAD, ADA, visit], **settings).code == 0
    (loader.folder / "ledger.db").unlink()
    missing = {"status": 404, "body": {"message": "Event not found"}}
    fault(loader, "GET", "^/calendars/events/appointments/", "status", nth=1, **missing)
    again = loader.load([*HEAD, ADA, visit], **settings)
    assert again.code == 0, again.log[-2000:]
    assert again.report["totals"]["created"] == 1  # as far as anybody can see, it is not there


# What a server says


def test_an_address_refused_without_a_word_whose_it_is(highlevel: Callable[..., Loader]) -> None:
    """A change that is refused as a duplicate, again without the address: the record is refused, and nothing is merged."""
    loader = highlevel()
    assert loader.load([*HEAD, ADA, BO]).code == 0
    said = {"statusCode": 400, "message": "This location does not allow duplicated contacts."}
    fault(loader, "PUT", "^/contacts/", "status", status=400, body=said)
    assert loader.load([*HEAD, person("patients/2", "Bo", "Diddley", city="Newtown")]).code == 4
    assert rejects(loader) == {("patients/2", "duplicate_contact")}


def test_a_contact_without_a_tag(highlevel: Callable[..., Loader]) -> None:
    """It is made as it is."""
    loader = highlevel()
    assert loader.load([*HEAD, person("patients/1", "Ada", "Lovelace", tags=[])]).code == 0
    (made,) = loader.sandbox.highlevel.state.contacts.values()
    assert made["tags"] == []


def test_an_undo_where_the_field_of_identity_is_gone(highlevel: Callable[..., Loader]) -> None:
    """Somebody deleted the field: what was begun cannot be looked for, and nothing of ours is there to find."""
    loader = highlevel()
    state = loader.sandbox.highlevel.state
    assert loader.load([*HEAD, ADA], CRASH_AT="after_intent/contact").code == KILLED
    (field,) = (key for key, one in state.contact_fields.items() if "source_system_id" in one["fieldKey"])
    del state.contact_fields[field]
    assert loader.tool("rollback", "--yes").returncode == 0
    assert not state.contacts


def test_files_that_an_older_ledger_took_for_a_value(highlevel: Callable[..., Loader]) -> None:
    """The patient's files are not taken away because no value comes for their field."""
    loader = highlevel()
    assert loader.load([*HEAD, ADA]).code == 0
    with closing(sqlite3.connect(loader.folder / "ledger.db")) as ledger, ledger:
        (written,) = ledger.execute("select written from record where ref = 'contact:patients/1'").fetchone()
        known = json.dumps({**json.loads(written), "cliniko_files": "0"})
        ledger.execute("update record set written = ? where ref = 'contact:patients/1'", (known,))
    state = loader.sandbox.highlevel.state
    (field,) = (key for key, one in state.contact_fields.items() if one["dataType"] == "FILE_UPLOAD")
    (contact,) = state.contacts
    state.damage.edit_contact(contact, customFields={field: {"a file": {"meta": {}}}})
    assert loader.load([*HEAD, person("patients/1", "Ada", "Byron", email="ada@example.org")]).code == 0
    assert state.contacts[contact]["lastName"] == "Byron"
    assert field in state.contacts[contact]["customFields"]


# What is decided without a request


def test_a_value_of_a_field_that_is_declared_no_longer() -> None:
    """What an older mapping had is not written back, nor is what only says where a record belongs."""
    declared = next(json.loads(line) for line in HEAD if json.loads(line)["stream"] == "hl_contacts")
    spec = stream_spec(declared)
    assert spec is not None
    (routing,) = (name for name, one in spec.fields.items() if one.kind == "routing")
    values = {"firstName": "Ada", "dropped": "x", routing: ["businesses/1"]}
    assert encode(spec, values, SimpleNamespace()) == {"firstName": "Ada"}  # type: ignore[arg-type]


def test_the_file_of_a_mapper_that_has_none_of_its_own(tmp_path: Path) -> None:
    """An approval counts for the text of the file that was named, if any was."""
    other = EntryPoint("other", "collections:OrderedDict", "target_highlevel.mappers")
    (tmp_path / "mapping.yml").write_text("as decided", encoding="utf-8")
    assert mapping_text(other, str(tmp_path / "mapping.yml")) == "as decided"
    assert mapping_text(other, None) == ""
    for name, why in {"gone.yml": "No such file", "latin.yml": "not UTF-8"}.items():
        (tmp_path / "latin.yml").write_bytes(b"M\xfcller")
        with pytest.raises(SettingsError, match=f"{name}: .*{why}"):
            mapping_text(other, str(tmp_path / name))


def test_an_interruption_is_not_what_ended_a_run(highlevel: Callable[..., Loader]) -> None:
    """A practitioner is looked up while the writers have just ended: what ended them is said, unless nothing did."""
    loader = highlevel()
    session = Session(settings_of(loader))
    engine = Engine(session)
    doctor = Incoming(USERS, "practitioners/1", {"email": "doc@example.org"})
    session.stop.set()
    with pytest.raises(Interrupted):
        engine.submit(doctor)
    engine._failure = SettingsError("the true reason")
    with pytest.raises(SettingsError, match="the true reason"):
        engine._resolved(doctor)
    session.close(1, {})
