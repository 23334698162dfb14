"""A whole clinic moved by `meltano run`; both sides compared by somebody who knows nothing of the mapping."""

from __future__ import annotations

import hashlib
import io
import re
import zipfile
from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest
from fresh_project import FreshProject, quick_sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from subprocess import CompletedProcess

    from sandbox import Sandbox

PATIENTS = 32  # the least that has archived and merged ones
LOAD = "meltano run tap-cliniko target-highlevel"
LOAD_WITH_MAPPER = "meltano run tap-cliniko cliniko-to-highlevel target-highlevel"
ACCEPTED = {"TARGET_HIGHLEVEL_ACCEPT_REJECTS": "true"}  # the clinic has files that HighLevel refuses

pytestmark = [pytest.mark.timeout(600), pytest.mark.xdist_group("migration")]


@dataclass
class Migration:
    """A clinic after its first load: both sides, the report, and what HighLevel held then."""

    sandbox: Sandbox
    project: FreshProject
    outcome: CompletedProcess[str]
    report: dict[str, Any]
    held: dict[str, Any]

    def rows(self, resource: str) -> list[dict[str, Any]]:
        """Return what Cliniko has of a resource."""
        return list(self.sandbox.cliniko.account.tables[resource].rows())

    def contacts(self) -> dict[str, list[dict[str, Any]]]:
        """Return the contacts of HighLevel by the Cliniko id they carry."""
        found: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for contact in self.held["contacts"]:
            found[contact["customFields"].get("contact.source_system_id")].append(contact)
        return found

    def hanging(self, kind: str) -> dict[str, tuple[str, dict[str, Any]]]:
        """Return notes or tasks by their marker, each with the Cliniko id of its contact."""
        found = {}
        for contact in self.held["contacts"]:
            for row in contact[kind]:
                marker = row["body"].rpartition("\n")[2].removeprefix("cliniko:")
                assert marker not in found, f"{marker} is there twice"
                found[marker] = (contact["customFields"]["contact.source_system_id"], row)
        return found

    def records(self, object_key: str) -> dict[str, dict[str, Any]]:
        """Return the properties of an object's records by their Cliniko id."""
        chosen = [
            row["properties"]
            for row in self.held["records"]
            if row["object"] == f"custom_objects.{object_key}"
        ]
        found = {properties["source_system_id"]: properties for properties in chosen}
        assert len(found) == len(chosen), f"{object_key}: a record is there twice"
        return found


@pytest.fixture(scope="module")
def migration(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Migration]:
    """Move the clinic once, in the Meltano environment `sandbox`."""
    with quick_sandbox(PATIENTS) as sandbox:
        project = FreshProject(tmp_path_factory.mktemp("project"), sandbox, environment="sandbox")
        outcome = project.type(LOAD, **ACCEPTED)
        assert outcome.returncode == 0, outcome.stdout[-3000:]
        yield Migration(sandbox, project, outcome, project.new_report(), sandbox.highlevel.state.dump())


def patients_to_move(migration: Migration) -> dict[str, dict[str, Any]]:
    """Return the patients that Cliniko still has as themselves."""
    return {f"patients/{row['id']}": row for row in migration.rows("patients") if "merged_at" not in row}


def test_every_patient_is_one_contact_and_nobody_is_merged(migration: Migration) -> None:
    """One contact for each patient who was not merged away in Cliniko, with the birth date of that very patient."""
    contacts, patients = migration.contacts(), patients_to_move(migration)
    assert 0 < len(patients) < PATIENTS
    found = {source for source in contacts if str(source).startswith("patients/")}
    assert found == set(patients)
    assert {source: len(same) for source, same in contacts.items() if len(same) != 1} == {}
    born = {source: contacts[source][0].get("dateOfBirth") for source in patients}
    assert born == {source: row.get("date_of_birth") or None for source, row in patients.items()}
    profiles = migration.records("cliniko_patient_profile")
    assert set(profiles) == set(patients)


def test_everybody_has_an_owner(migration: Migration) -> None:
    """No patient's contact is left without a user in charge."""
    contacts = migration.contacts()
    assert [source for source in patients_to_move(migration) if not contacts[source][0]["assignedTo"]] == []


def test_who_said_no_is_not_disturbed(migration: Migration) -> None:
    """Do-not-disturb stands for exactly the channels that a patient has refused."""
    contacts = migration.contacts()
    columns = {"Email": "accepted_email_marketing", "SMS": "accepted_sms_marketing"}
    expected = {
        source: {channel for channel, column in columns.items() if row.get(column) is False}
        for source, row in patients_to_move(migration).items()
    }
    assert any(expected.values())
    actual = {source: set(contacts[source][0]["dndSettings"]) for source in expected}
    assert actual == expected


@pytest.mark.parametrize(
    ("resource", "object_key", "columns"),
    [
        ("invoices", "cliniko_invoice", ("total_amount", "net_amount", "tax_amount", "discounted_amount")),
        (
            "invoice_items",
            "cliniko_invoice_line_item",
            ("unit_price", "quantity", "net_price", "total_including_tax", "discounted_amount", "tax_rate"),
        ),
    ],
)
def test_amounts_are_equal(
    migration: Migration, resource: str, object_key: str, columns: tuple[str, ...]
) -> None:
    """Each amount is the same decimal number on both sides."""
    records = migration.records(object_key)
    rows = {f"{resource}/{row['id']}": row for row in migration.rows(resource)}
    assert set(records) == set(rows)
    differing = {
        (source, column): (row.get(column), records[source].get(column))
        for source, row in rows.items()
        for column in columns
        if decimal(row.get(column)) != decimal(records[source].get(column))
    }
    assert differing == {}


def decimal(value: Any) -> Decimal | None:
    """Return an amount as a number, out of HighLevel's wrapping of money where it has one."""
    bare = value.get("value") if isinstance(value, dict) else value
    return None if bare in (None, "") else Decimal(str(bare))


def test_every_appointment_has_its_status_and_times(migration: Migration) -> None:
    """One task for each booking of a patient: due when it starts, with the local time and what became of it."""
    tasks, businesses = migration.hanging("tasks"), migration.sandbox.cliniko.account.tables["businesses"]
    expected = bookings(migration)
    assert set(tasks) == set(expected)
    for source, (patient, booking, status) in expected.items():
        contact, task = tasks[source]
        zone = ZoneInfo(businesses[booking["business_id"]]["time_zone_identifier"])
        starts, ends = (datetime.fromisoformat(booking[at]) for at in ("starts_at", "ends_at"))
        lines = dict(line.partition(": ")[::2] for line in task["body"].splitlines())
        assert contact == f"patients/{patient}", source
        assert task["dueDate"] == booking["starts_at"], source
        assert lines["Status"] == status, source
        assert lines["When"].startswith(f"{starts.astimezone(zone):%Y-%m-%d %H:%M} to "), source
        assert f"{ends.astimezone(zone):%H:%M} (" in lines["When"], source


def bookings(migration: Migration) -> dict[str, tuple[str, dict[str, Any], str]]:
    """Return each patient's place in each booking: whose it is, the booking, and its status in words."""
    found = {
        f"individual_appointments/{row['id']}": (
            row["patient_id"],
            row,
            status_of(row, row.get("patient_arrived")),
        )
        for row in migration.rows("individual_appointments")
        if row.get("patient_id")
    }
    groups = {row["id"]: row for row in migration.rows("group_appointments")}
    for row in migration.rows("attendees"):
        group = groups.get(row["booking_id"])
        if group and row.get("patient_id"):
            told = {
                **row,
                "did_not_arrive": row.get("arrived") is False,
                "archived_at": row.get("archived_at") or group.get("archived_at") or group.get("deleted_at"),
            }
            status = status_of(told, row.get("arrived"))
            found[f"attendees/{row['id']}"] = (row["patient_id"], group, status)
    return found


def status_of(row: dict[str, Any], arrived: Any) -> str:
    """Say what became of a booking, as a person reading Cliniko would."""
    if row.get("cancelled_at"):
        return "Cancelled"
    if row.get("archived_at") or row.get("deleted_at"):
        return "Removed from Cliniko's calendar"
    if row.get("did_not_arrive"):
        return "Did not arrive"
    return "Arrived" if arrived else "Booked"


def test_notes_keep_their_date_and_author(migration: Migration) -> None:
    """Each treatment note is on its patient's contact, once, and says when it was written and by whom."""
    notes = migration.hanging("notes")
    rows = {
        f"treatment_notes/{row['id']}": row
        for row in migration.rows("treatment_notes")
        if row.get("patient_id")
    }
    written = {source for source in notes if source.startswith("treatment_notes/")}
    assert {source for source in written if "#" not in source} == set(rows)
    for source, row in rows.items():
        contact, note = notes[source]
        lines = dict(line.partition(": ")[::2] for line in note["body"].splitlines()[:4])
        assert contact == f"patients/{row['patient_id']}", source
        assert lines["Date"].endswith(row["created_at"]), source
        if row.get("author_name"):
            assert lines["Author"] == row["author_name"], source


def test_attachments_are_the_same_bytes(migration: Migration) -> None:
    """Each file has the checksum it has in Cliniko, inside its archive if HighLevel does not take its type."""
    state, originals = migration.sandbox.highlevel.state, migration.sandbox.cliniko.account.files
    uploaded = {f"patient_attachments/{source}": content for source, content in uploads(state)}
    expected = {f"patient_attachments/{number}": file for number, file in originals.items()}
    refused = (
        set(migration.project.folder.glob("data/sandbox/reports/*/rejects.csv"))
        .pop()
        .read_text(encoding="utf-8")
    )
    rejected = {source for source in expected if f"{source}," in refused}
    assert set(uploaded) == set(expected) - rejected
    for source, content in uploaded.items():
        original = b"".join(expected[source].chunks())
        assert hashlib.sha256(content).digest() == hashlib.sha256(original).digest(), source


def uploads(state: Any) -> Iterator[tuple[str, bytes]]:
    """Yield the Cliniko number and the bytes of every file in HighLevel."""
    for identity, file in state.files.items():
        content = state.file_bytes(identity)
        match = re.search(r"patient_attachments/(\d+)", file["name"])
        if match is None:  # a signature, which is no attachment in Cliniko
            continue
        if re.search(r"/\d+\.\w+\.zip$", file["name"]):
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                content = archive.read(archive.namelist()[0])
        yield match[1], content


def test_every_record_is_accounted_for(migration: Migration) -> None:
    """The report closes: what Cliniko has is created, left out on purpose or rejected, and nothing waits."""
    assert migration.report["closes_to_zero"]
    assert migration.report["totals"]["held"] == 0
    assert migration.report["totals"]["created"] > PATIENTS
    assert migration.sandbox.highlevel.state.doubles() == {}


def test_a_second_run_writes_nothing(migration: Migration) -> None:
    """When nothing has changed, HighLevel is not written to, and holds what it held."""
    highlevel = migration.sandbox.highlevel
    before = highlevel.control.stats()["writes"]
    outcome = migration.project.type(LOAD, **ACCEPTED)
    assert outcome.returncode == 0, outcome.stdout[-3000:]
    assert highlevel.control.stats()["writes"] == before
    assert highlevel.state.dump() == migration.held


def test_nothing_was_sent_to_anybody(migration: Migration) -> None:
    """Neither service saw a broken rule: no message, no notification, no limit exceeded."""
    assert migration.sandbox.highlevel.control.stats()["violations"] == []
    assert migration.sandbox.cliniko.control.stats()["violations"] == []
    assert migration.sandbox.cliniko.files_control.stats()["violations"] == []


def test_the_mapper_as_a_stage_of_its_own_gives_the_same(migration: Migration, tmp_path: Path) -> None:
    """With the mapper named between tap and target, another sub-account ends up equal in everything."""
    with quick_sandbox(PATIENTS) as other:
        outcome = FreshProject(tmp_path, other, environment="sandbox").type(LOAD_WITH_MAPPER, **ACCEPTED)
        assert outcome.returncode == 0, outcome.stdout[-3000:]
        there = other.highlevel.state.dump()
        for kind in ("records", "relations", "schema"):
            assert there[kind] == migration.held[kind], kind
        pair = [by_source(content["contacts"]) for content in (there, migration.held)]
        differing = {
            source for source in {**pair[0], **pair[1]} if pair[0].get(source) != pair[1].get(source)
        }
        assert differing == set()


def by_source(contacts: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return contacts by their Cliniko id, but for who of several got an address that HighLevel gives only once."""
    found = {}
    for contact in contacts:
        given = {name: value for name, value in contact.items() if name not in {"email", "phone"}}
        given["tags"] = [tag for tag in contact["tags"] if not tag.startswith("shared-")]
        found[contact["customFields"]["contact.source_system_id"]] = given
    return found


def test_a_place_taken_later_in_a_group_counts_for_its_patient(migration: Migration) -> None:
    """The delta brings a new attendee of a group that has not changed: type and location reach the contact."""
    account, state = migration.sandbox.cliniko.account, migration.sandbox.highlevel.state
    fields = {
        item["fieldKey"]: key for key, item in state.contact_fields.items()
    }  # the contact's own, by their keys

    def has(patient: str, kind: str, place: str) -> tuple[bool, bool]:
        contact = next(
            one
            for one in state.contacts.values()
            if one["customFields"].get(fields["contact.source_system_id"]) == f"patients/{patient}"
        )
        types, places = (
            contact["customFields"].get(fields[f"contact.cliniko_{name}"]) or ()
            for name in ("appointment_type", "location")
        )
        return kind in types, place in places

    names = {row["id"]: row["name"] for row in migration.rows("appointment_types")}
    places = {row["id"]: row["business_name"] for row in migration.rows("businesses")}
    group, patient = next(
        (row, patient["id"])
        for row in migration.rows("group_appointments")
        if "deleted_at" not in row and "archived_at" not in row
        for patient in migration.rows("patients")
        if "merged_at" not in patient
        and not has(patient["id"], names[row["appointment_type_id"]], places[row["business_id"]])[0]
    )
    account.insert("attendees", {"patient_id": patient, "booking_id": group["id"]})
    outcome = migration.project.type(LOAD, **ACCEPTED)
    assert outcome.returncode == 0, outcome.stdout[-3000:]
    assert has(patient, names[group["appointment_type_id"]], places[group["business_id"]]) == (True, True)
    assert state.doubles() == {}
