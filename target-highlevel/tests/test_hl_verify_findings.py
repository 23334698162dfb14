"""What a verification finds of people's work, of what HighLevel does by itself, and of what it does not show."""

from __future__ import annotations

import csv
import hashlib
from typing import TYPE_CHECKING, Any

import pytest
from hl_loading import fault
from hl_mapped import person, record, schemas
from test_hl_identity import contacts

from sandbox.highlevel.relations import add_relation

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from hl_loading import Loaded, Loader

HEAD = schemas("patients", "treatment_notes", "patient_attachments")


def note(number: int, patient: int, text: str = "Better.") -> str:
    """Return the RECORD line of a note."""
    source = f"treatment_notes/{number}"
    body = f"Date: 17 Jun 2024\n\n{text}\nfor {patient}\ncliniko:{source}"
    return record("hl_notes", source, contact=f"patients/{patient}", title="Note", body=body)


def found(loader: Loader) -> dict[tuple[str, str], tuple[str, str]]:
    """Return kind and reason of everything that the newest verification lists and is not the same."""
    newest = max((loader.folder / "reports").glob("*/differences.csv"))
    with newest.open(encoding="utf-8-sig", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["kind"] != "normalised"]
    return {(row["source"], row["field"]): (row["kind"], row["how"]) for row in rows}


def verify(loader: Loader, lines: list[str], code: int, **more: str) -> Loaded:
    """Verify, and return how it went."""
    done = loader.load(lines, MODE="verify", **more)
    assert done.code == code, (found(loader), done.log[-2000:])
    return done


def test_what_people_entered_is_counted_apart_and_what_they_never_would_as_a_difference(
    highlevel: Callable[..., Loader],
) -> None:
    """Names in small letters and a country of HighLevel's own are none of it, and a new surname still arrives."""
    loader = highlevel(shapes=["lowercase_names"], country_fill="US", search_lag=0.0)
    never = {"OVERWRITE": "never"}
    people = [person("patients/1", "Ada", "Lovelace", city="Leeds"), person("patients/2", "Bo", "King")]
    lines = [*HEAD, *people, note(1, 1), note(2, 2)]
    assert loader.load(lines, **never).code == 0
    verify(loader, lines, 0, **never)
    changed = [*HEAD, person("patients/1", "Ada", "King", city="Leeds"), people[1], note(1, 1), note(2, 2)]
    assert loader.load(changed, **never).code == 0
    one, state = contacts(loader)["patients/1"], loader.sandbox.highlevel.state
    assert one["lastName"] == "King"

    state.damage.edit_contact(one["id"], city="York")
    done = verify(loader, changed, 5, **never)
    assert found(loader) == {("patients/1", "city"): ("kept", "kept_on_purpose")}
    assert "1 field with what people entered, which `overwrite` leaves standing" in done.log
    verify(loader, changed, 0, **never, ACCEPT_REJECTS="true")
    going = loader.tool("go-live")
    assert "1 record with what people entered" in going.stderr

    first, second = state.notes.values()
    bodies = first["body"], second["body"]
    state.damage.edit("notes", first["id"], body=bodies[1])
    state.damage.edit("notes", second["id"], body=bodies[0].replace("\n", " "))
    verify(loader, changed, 5, **never, ACCEPT_REJECTS="true")
    different = ("different", "")
    assert found(loader) == {
        ("patients/1", "city"): ("kept", "kept_on_purpose"),
        ("treatment_notes/1", "body"): different,
        ("treatment_notes/2", "body"): different,
    }


def test_what_somebody_deleted_by_hand_is_missing_and_a_repair_brings_it_back(
    highlevel: Callable[..., Loader],
) -> None:
    """Also when a load has been refused meanwhile, because it could not change what was gone."""
    loader = highlevel()
    people = [person("patients/1", "Ada", "Lovelace"), person("patients/2", "Bo", "King")]
    assert loader.load([*HEAD, *people, note(1, 1)]).code == 0
    state = loader.sandbox.highlevel.state
    state.damage.delete("notes", next(iter(state.notes)))
    lines = [*HEAD, *people, note(1, 1, "Worse.")]
    assert loader.load(lines).code == 4
    verify(loader, lines, 5)
    assert found(loader) == {("treatment_notes/1", ""): ("missing", "")}
    table = max((loader.folder / "reports").glob("*/differences.csv"))
    whole = table.read_text(encoding="utf-8")
    table.write_text(whole.splitlines(keepends=True)[0], encoding="utf-8")
    assert "nothing to repair" in loader.tool("repair", "--yes").stderr  # its line was taken out
    table.write_text(whole, encoding="utf-8")
    assert "writes only what is empty" in loader.tool("repair", "--values", OVERWRITE="never").stderr
    assert loader.tool("repair", "--yes").returncode == 0
    assert loader.load(lines).code == 0
    # a surplus note of ours where none should be is found too, and a copy of one; the copy that says the same goes
    (kept,) = state.notes.values()
    two = contacts(loader)["patients/2"]["id"]
    state.damage.double("notes", kept["id"])
    odd = state.damage.double("notes", kept["id"])
    body = kept["body"].replace("notes/1", "notes/9")
    state.damage.edit("notes", odd["id"], body=body)
    verify(loader, lines, 5)
    assert found(loader) == {
        ("treatment_notes/1", ""): ("extra", "doubled"),
        ("treatment_notes/9", ""): ("extra", "unknown"),
    }
    shown = loader.tool("repair")
    assert f"{kept['id']} is kept, the ledger leads to it" in shown.stdout
    assert len(state.notes) == 3
    assert loader.tool("repair", "--yes").returncode == 0
    assert set(state.notes) == {kept["id"], odd["id"]}
    assert two in state.contacts


def test_a_link_of_one_who_should_have_none_is_too_much(highlevel: Callable[..., Loader]) -> None:
    """A doctor who has referred nobody is asked as well."""
    loader = highlevel()
    lines = [
        *schemas("contacts", "patients"),
        person("contacts/1", "Doc", "Tor"),
        person("patients/1", "Ada", "King"),
    ]
    assert loader.load(lines).code == 0
    verify(loader, lines, 0)
    state = loader.sandbox.highlevel.state
    label = next(item for item in state.associations.values() if item["key"] == "cliniko_referring_doctor")
    ids = {source: each["id"] for source, each in contacts(loader).items()}
    add_relation(state.main, label, ids["contacts/1"], ids["patients/1"])
    done = verify(loader, lines, 5)
    (too_much,) = done.report["verification"]["extra_because"]
    assert (too_much["how"], too_much["records"]) == ("unknown", 1)


def test_a_record_whose_change_was_refused_is_compared_with_what_was_written_last(
    highlevel: Callable[..., Loader],
) -> None:
    """What waits is said to wait, and is no difference; what somebody has changed beside it is one, and so is a lost note."""
    loader = highlevel(search_lag=0.0)  # what somebody changes shows at once
    before = person("patients/1", "Ada", "Lovelace", city="Leeds", dnd_email=False)
    assert loader.load([*HEAD, before, note(1, 1)]).code == 0
    fault(loader, "PUT", "^/contacts/", "status", status=400)
    after = person("patients/1", "Ada", "King", city="York", dnd_email=True, tags=["patient", "archived"])
    lines = [*HEAD, after, note(1, 1, "Worse.")]
    assert loader.load(lines).code == 4
    done = verify(loader, lines, 0)
    assert found(loader) == {}
    said = done.report["verification"]
    assert "change_waits" in {item["how"] for item in said["normalised_because"]}
    outcomes = {item["object"]: item["rejected"] for item in said["objects"] if item["rejected"]}
    assert outcomes == {"contact": 1, "note": 1}
    assert said["closes_to_zero"]
    state = loader.sandbox.highlevel.state
    (contact,) = state.contacts
    state.damage.edit_contact(contact, city="Bath")
    state.damage.delete("notes", next(iter(state.notes)))
    verify(loader, lines, 5)
    assert found(loader) == {
        ("patients/1", "city"): ("different", ""),
        ("treatment_notes/1", ""): ("missing", ""),
    }


@pytest.mark.parametrize(("form", "table"), [("task", "tasks"), ("calendar_event", "appointments")])
def test_a_booking_that_somebody_deleted_by_hand_comes_back(
    form: str, table: str, highlevel: Callable[..., Loader]
) -> None:
    """Changed in Cliniko since: HighLevel says of an event only that its id is invalid, and of a task that it is not there."""
    loader = highlevel(missing_event="invalid_id") if form == "calendar_event" else highlevel()
    settings = {"APPOINTMENTS_AS": form}

    def clinic(title: str) -> list[str]:
        visit = record(
            "hl_appointments", "individual_appointments/7", contact="patients/1", title=title, status="booked",
            body="cliniko:individual_appointments/7", starts_at="2090-01-01T09:00:00Z", ends_at="2090-01-01T10:00:00Z",
        )  # fmt: skip
        return [*schemas("patients", "individual_appointments"), person("patients/1", "Ada", "King"), visit]

    assert loader.load(clinic("Visit"), **settings).code == 0
    state = loader.sandbox.highlevel.state
    state.damage.delete(table, next(iter(getattr(state, table))))
    assert loader.load(clinic("Long visit"), **settings).code == 4
    verify(loader, clinic("Long visit"), 5, **settings)
    assert found(loader) == {("individual_appointments/7", ""): ("missing", "")}
    assert loader.tool("repair", "--yes", **settings).returncode == 0
    assert loader.load(clinic("Long visit"), **settings).code == 0
    (there,) = getattr(state, table).values()
    assert there["title"] == "Long visit"


def test_what_cannot_be_read_back_is_listed_and_the_rest_compared(
    highlevel: Callable[..., Loader], tmp_path: Path
) -> None:
    """A document that answers 500 or 403 for ever ends nothing; only a difference is one."""
    loader = highlevel()
    lines = [*HEAD, person("patients/1", "Ada", "Lovelace")]
    for number, name in enumerate(("one", "two", "three"), start=1):
        path = tmp_path / f"{name}.pdf"
        path.write_bytes(b"%PDF-" + name.encode())
        source = f"patient_attachments/{number}"
        own: dict[str, Any] = {
            "contact": "patients/1",
            "file_path": str(path),
            "file_size": path.stat().st_size,
            "file_sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        }
        lines.append(record("hl_files", source, **own, file_name=f"cliniko:{source} {name}.pdf"))
    assert loader.load(lines).code == 0
    state = loader.sandbox.highlevel.state
    state.options.document_failures = {"one.pdf": 500, "two.pdf": 403}
    done = verify(loader, lines, 6)
    unreadable = {
        ("patient_attachments/1", "file_sha256"): ("unreadable", "server_error"),
        ("patient_attachments/2", "file_sha256"): ("unreadable", "login_wanted"),
    }
    assert found(loader) == unreadable
    assert "2 could not be read back" in done.log
    three = next(key for key, item in state.files.items() if "three" in item["name"])
    state.damage.replace_file(three, b"other")
    verify(loader, lines, 5)
    assert found(loader) == {**unreadable, ("patient_attachments/3", "file_sha256"): ("different", "")}
