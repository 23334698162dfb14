"""Rollback of what a run wrote over: each value is there again, unless a person has touched it since."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import time
from contextlib import closing, suppress
from typing import TYPE_CHECKING, Any

import pytest
from hl_loading import fault
from hl_mapped import person, record, schemas, state
from hl_undoing import differing, dump, loads, spared, undo

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from hl_loading import Loader

    Start = Callable[..., Loader]

HEAD = schemas("patients", "billable_items")


def test_a_tag_that_the_run_took_off_is_there_again(highlevel: Start) -> None:
    """A patient archived before the run is not archived any more by it."""
    loader = highlevel()
    loads(loader, [*HEAD, person("patients/1", "Ada", "Lovelace", tags=["patient", "archived"])])
    before = dump(loader)
    loads(loader, [*HEAD, person("patients/1", "Ada", "Lovelace", tags=["patient"])])
    undo(loader)
    assert differing(before, dump(loader)) == []
    assert spared(loader) == {}


def test_addresses_that_were_passed_on_go_back(highlevel: Start) -> None:
    """Each patient has the address of the one before, the last one's has a new patient with a profile: all as it was."""
    loader = highlevel()

    def patients(first: int) -> list[str]:
        return [
            person(f"patients/{n}", f"Patient{n}", "King", email=f"a{n + first}@example.org")
            for n in range(5)
        ]

    loads(loader, [*HEAD, *patients(1)])
    before = dump(loader)
    new = person("patients/9", "New", "King", email="a5@example.org")
    profile = record(
        "hl_patient_profiles", "patients/9", source_system_id="patients/9", patient_name="New King",
        relations=[{"association": "cliniko_profile_contact", "to": "contact:patients/9"}],
    )  # fmt: skip
    loads(loader, [*HEAD, *patients(0), new, profile])
    undo(loader)
    assert differing(before, dump(loader)) == []
    assert spared(loader) == {}


def test_a_file_whose_key_highlevel_did_not_tell_is_found_by_its_name(
    highlevel: Start, tmp_path: Path
) -> None:
    """The answer to the upload did not show it, so the ledger has no key of it: it is taken off the contact all the same."""
    loader = highlevel()
    path = tmp_path / "letter.pdf"
    path.write_bytes(b"pdf")
    own = {"contact": "patients/1", "file_path": str(path), "file_size": 3, "file_sha256": "a"}
    named = {**own, "file_name": "cliniko:patient_attachments/6 letter.pdf"}
    head = [*schemas("patients", "patient_attachments"), person("patients/1", "Ada", "Lovelace")]
    loads(loader, head)
    loads(loader, [*head, record("hl_files", "patient_attachments/6", **named)])
    assert _files(loader) == 1
    with closing(sqlite3.connect(loader.folder / "ledger.db")) as ledger, ledger:
        ledger.execute("update record set hl_id = parent_id || '/' || source_id where object = 'file'")
    undo(loader)
    assert _files(loader) == 0


def _files(loader: Loader) -> int:
    """Return how many files are in the fields of contacts."""
    contacts = loader.sandbox.highlevel.state.contacts.values()
    values = [value for one in contacts for value in one["customFields"].values()]
    return sum(len(value) for value in values if isinstance(value, dict))


def test_changed_tasks_are_put_back_as_tasks(highlevel: Start) -> None:
    """Whatever new appointments would be made as by then."""
    loader = highlevel()
    head = [*schemas("patients", "individual_appointments"), person("patients/1", "Ada", "Lovelace")]
    own = {
        "contact": "patients/1",
        "body": "cliniko:individual_appointments/7",
        "starts_at": "2090-05-01T01:00:00Z",
    }
    for title in ("Visit", "Another visit"):
        visit = record("hl_appointments", "individual_appointments/7", **own, title=title)
        loads(loader, [*head, visit])
    undone = loader.tool("rollback", "--yes", APPOINTMENTS_AS="calendar_event")
    assert undone.returncode == 0, undone.stderr
    (task,) = loader.sandbox.highlevel.state.tasks.values()
    assert task["title"] == "Visit"


def test_what_was_spared_is_tried_again(highlevel: Start) -> None:
    """Somebody has changed a field, so it is left; when it holds the run's value again, the same command puts it back."""
    loader = highlevel()
    loads(loader, [*HEAD, person("patients/1", "Ada", "Lovelace", city="Here", postalCode="1000")])
    before = dump(loader)
    loads(loader, [*HEAD, person("patients/1", "Ada", "Lovelace", city="There", postalCode="2000")])
    run = loader.newest_report()["run_id"]
    there = loader.sandbox.highlevel.state
    (hl_id,) = there.contacts
    there.damage.edit_contact(hl_id, city="By hand")
    undo(loader)
    assert [row["fields"] for row in spared(loader).values()] == ["city"]
    there.damage.edit_contact(hl_id, city="There")
    assert loader.tool("rollback", "--yes", "--run", run).returncode == 0
    assert differing(before, dump(loader)) == []
    undo(loader)
    assert not there.contacts


def test_a_note_that_one_run_made_and_wrote_again_is_no_copy(highlevel: Start) -> None:
    """Its create was refused and done, so it was found and compared, and written anew; the undo lists no copy of it."""
    loader = highlevel()
    loader.sandbox.highlevel.state.options.shapes = frozenset({"rich_texts"})
    said = {"body": "a < b\n  said\ncliniko:treatment_notes/7", "title": "Tom & Co"}
    note = record("hl_notes", "treatment_notes/7", contact="patients/1", **said)
    refused = {"status": 422, "body": {"message": ["Request failed"]}, "times": 1}
    fault(loader, "POST", "/notes$", "status_after_work", **refused)
    loads(loader, [*schemas("treatment_notes"), *HEAD, person("patients/1", "Ada", "Lovelace"), note])
    undo(loader)
    assert not loader.sandbox.highlevel.state.notes
    assert spared(loader) == {}


def test_a_channel_that_the_undone_run_had_closed_is_not_ours_to_open(highlevel: Start) -> None:
    """The run closed it and was undone; a person closes it; a later yes in Cliniko does not open it."""
    loader = highlevel()
    loads(loader, [*HEAD, person("patients/1", "Ada", "Lovelace")])
    loads(loader, [*HEAD, person("patients/1", "Ada", "Lovelace", dnd_email=True)])
    undo(loader)
    there = loader.sandbox.highlevel.state
    (hl_id,) = there.contacts
    assert there.contacts[hl_id]["dndSettings"]["Email"]["status"] == "inactive"
    there.damage.edit_contact(hl_id, dndSettings={"Email": {"status": "active"}})
    loads(loader, [*HEAD, person("patients/1", "Ada", "Lovelace", dnd_email=False)])
    assert there.contacts[hl_id]["dndSettings"]["Email"]["status"] == "active"


def test_do_not_disturb_and_a_customer_are_a_persons_doing(highlevel: Start) -> None:
    """A contact that somebody silenced, wholly or for one channel, or made a customer is not deleted; one that we silenced is."""
    loader = highlevel()
    touched: dict[str, dict[str, Any]] = {
        "patients/1": {"dnd": True},
        "patients/2": {"dndSettings": {"Call": {"status": "active"}}},
        "patients/3": {"type": "customer"},
    }
    people = [person(source, "Ada", "King") for source in touched]
    loads(loader, [*HEAD, *people, person("patients/4", "Bo", "King", dnd_email=True, dnd_sms=True)])
    there = loader.sandbox.highlevel.state
    made = {source: ids[0] for source, ids in there.sources()["contacts"].items()}
    for source, change in touched.items():
        there.damage.edit_contact(made[source], **change)
    undo(loader)
    assert set(there.contacts) == {made[source] for source in touched}
    fields = {source: row["fields"] for (_, source), row in spared(loader).items()}
    assert fields == {source: next(iter(change)) for source, change in touched.items()}


@pytest.mark.parametrize("edited", ["Lisbon", "", None], ids=["another", "emptied", "had none"])
def test_what_a_person_entered_is_a_persons_again(highlevel: Start, edited: str | None) -> None:
    """A run wrote over it and was undone: undoing the run that made the contact spares it, as if nothing had been between."""
    loader = highlevel()
    city = {} if edited is None else {"city": "Berlin"}
    loads(loader, [*HEAD, person("patients/1", "Ada", "King", **city), person("patients/2", "Bo", "King")])
    there = loader.sandbox.highlevel.state
    hl_id = there.sources()["contacts"]["patients/1"][0]
    there.damage.edit_contact(hl_id, city="Lisbon" if edited is None else edited)
    loads(loader, [*HEAD, person("patients/1", "Ada", "King", city="Madrid")])
    assert there.contacts[hl_id]["city"] == "Madrid"
    undo(loader)
    undo(loader)
    assert set(there.contacts) == {hl_id}
    assert {source: row["fields"] for (_, source), row in spared(loader).items()} == {"patients/1": "city"}


def test_a_property_that_a_killed_run_cleared_is_there_again(highlevel: Start) -> None:
    """Killed between the answer and the outcome: that it is empty is the run's doing, nobody else's."""
    loader = highlevel()
    own = {"service_name": "Massage", "source_system_id": "billable_items/1"}
    loads(loader, [*HEAD, record("hl_services", "billable_items/1", **own, item_code="M1")])
    before = dump(loader)
    killed = {"CRASH_AT": "after_response/custom_objects.cliniko_service"}
    assert loader.load([*HEAD, record("hl_services", "billable_items/1", **own)], **killed).code == -9
    undo(loader)
    assert differing(before, dump(loader)) == []
    assert spared(loader) == {}


def test_made_and_changed_by_a_run_that_was_killed(highlevel: Start) -> None:
    """What came late in the same run is on the contact, and its outcome was never noted: nobody touched it, so it goes."""
    loader = highlevel()
    late = record(
        "hl_contacts",
        "patients/1",
        contributor="individual_appointments/1",
        cliniko_location=["Sample Street"],
    )
    with loader.start((), {"CRASH_AT": "after_response/contact:2"}, stdin=subprocess.PIPE) as killed:
        assert killed.stdin is not None
        said = [*_with_location("Sample Street"), person("patients/1", "Ada", "Lovelace"), state("a")]
        killed.stdin.write("".join(f"{line}\n" for line in said))
        killed.stdin.flush()
        _wait_until_written(loader)
        killed.communicate(f"{late}\n{state('b')}\n", timeout=60)
    assert killed.returncode == -9
    undo(loader)
    assert spared(loader) == {}
    assert not loader.sandbox.highlevel.state.contacts


def test_what_was_received_and_never_sent_is_nobodys_write(highlevel: Start) -> None:
    """The front desk has entered what Cliniko says by now, and the run that was to write it came to nothing: it is an edit."""
    loader = highlevel()
    loads(loader, [*HEAD, person("patients/1", "Ada", "Lovelace", city="Here")])
    state = loader.sandbox.highlevel.state
    (contact,) = state.contacts
    state.damage.edit_contact(contact, city="Elsewhere")
    moved = person("patients/1", "Ada", "Lovelace", city="Elsewhere")
    fault(loader, "GET", r"^/contacts/[^/]+$", "status", status=400)
    assert loader.load([*HEAD, moved]).code == 4
    loader.sandbox.highlevel.control.clear_faults()
    undo(loader)
    assert spared(loader)["contact", "patients/1"]["fields"] == "city"
    assert set(state.contacts) == {contact}


def _with_location(name: str) -> Iterator[str]:
    """Yield the schemas with one location that a contact may have."""
    for line in HEAD:
        message = json.loads(line)
        if message["stream"] == "hl_contacts":
            message["schema"]["properties"]["cliniko_location"]["x-highlevel"]["options"] = [name]
        yield json.dumps(message)


def _wait_until_written(loader: Loader) -> None:
    """Wait until a contact is in HighLevel and the ledger knows."""
    with closing(sqlite3.connect(loader.folder / "ledger.db", timeout=10)) as ledger:
        for _ in range(600):
            with suppress(sqlite3.OperationalError):  # it is only being made
                if ledger.execute("select 1 from record where status = 'done'").fetchone():
                    return
            time.sleep(0.05)
    pytest.fail("no contact was written")


def test_after_a_purge_nothing_is_removed(highlevel: Start) -> None:
    """Which records a person has changed cannot be told any more: the rollback says so, and leaves everything as it is."""
    loader = highlevel()
    loads(loader, [*HEAD, person("patients/1", "Ada", "Lovelace", city="Here")])
    both = [person("patients/1", "Ada", "Lovelace", city="Elsewhere"), person("patients/2", "Bo", "King")]
    loads(loader, [*HEAD, *both])
    assert loader.tool("purge", "--yes").returncode == 0
    refused = loader.tool("rollback", "--yes")
    assert refused.returncode == 2
    assert "purged" in refused.stderr
    assert len(loader.sandbox.highlevel.state.contacts) == 2
