"""The handover lists every loss of a migration once, with a reason and a way to it; nothing of our own doing counts as one."""

from __future__ import annotations

import csv
import json
import re
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest
from hl_loading import Loader, a_sandbox
from hl_report_ledger import (
    CONTACTS,
    FILES,
    NOTES,
    PERSONAL,
    USERS,
    ReportedLedger,
    a_clinic,
    handed_over,
    ledger_at,
)

from target_highlevel.descriptor import StreamSpec
from target_highlevel.ledger.counts import standing_records
from target_highlevel.ledger.repair import Repair
from target_highlevel.ledger.rows import Notes
from target_highlevel.report.handover import COLUMNS
from target_highlevel.report.page import window_page
from target_highlevel.report.window import window_content, write_window

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hl_loading import Clinic

SCHEMA = Path(__file__).resolve().parents[2] / "docs" / "report.schema.json"
#: Lists whose every row a clinic expects to find again.
MISSED = (
    "patients", "contacts", "individual_appointments", "treatment_notes", "patient_forms", "patient_attachments",
    "communications", "invoices", "invoice_items", "billable_items", "products",
)  # fmt: skip
APPOINTMENTS = StreamSpec("hl_appointments", "appointment", "appointment")


@pytest.fixture
def reported(tmp_path: Path) -> Iterator[ReportedLedger]:
    """A ledger after a load in which something of everything happens, and doings of our own beside it."""
    opened = ledger_at(tmp_path)
    reported = ReportedLedger(opened)
    reported.begin()
    a_clinic(reported)
    reported.receive(CONTACTS, "patients/30")
    reported.write(notes=Notes(tags=("invalid-email",)))
    for number in (1, 2, 3):
        appointment = f"individual_appointments/{number}"
        reported.receive(APPOINTMENTS, appointment, contact="patients/1")
        reported.write()
        unless = [f"appointment:{appointment}"]
        reported.receive(APPOINTMENTS, f"attendees/{number}", contact="patients/1", skip_if_exists=unless)
    yield reported
    opened.close()


def listed(folder: Path) -> list[dict[str, str]]:
    """Return what the table names."""
    with (folder / "handover.csv").open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def test_every_loss_is_listed_once(reported: ReportedLedger, tmp_path: Path) -> None:
    """Refused, waiting, left out, withheld, unusable, in conflict, without a user: all named, attendances not."""
    settings = handed_over(reported.ledger, (), str(tmp_path / "reports")).settings
    folder = write_window(reported.ledger, [reported.run], settings)
    rows = listed(folder)
    assert tuple(rows[0]) == COLUMNS
    found = Counter((row["source"], row["field"], row["reason"]) for row in rows)
    files = {(f"patient_attachments/{number}", "file_size", "file_too_large"): 1 for number in range(1, 8)}
    assert found == {
        **files,
        ("patients/22", "date_of_birth", "invalid_date"): 1,
        ("treatment_notes/2", "", "waits_for"): 1,
        ("patients/23", "", "merged"): 1,
        ("patients/21", "email", "another_record"): 1,
        ("patients/30", "email", "refused"): 1,
        ("contacts/7", "phone", "conflict"): 1,
        ("practitioners/2", "", "no_user"): 1,
        ("practitioners/3", "", "inactive"): 1,
    }
    assert all(row["meaning"] and row["what_to_do"] for row in rows)
    text = (folder / "handover.csv").read_text(encoding="utf-8")
    assert not any(word in text for word in PERSONAL.split())


def test_a_clinic_s_own_counts(reported: ReportedLedger) -> None:
    """Attendances that are their appointments, and users that nobody has, are no records left out; a long note is one."""
    for part in ("treatment_notes/50#2", "treatment_notes/50", "treatment_notes/50#3"):
        reported.receive(NOTES, part, contact="patients/1")
        reported.write()
    for part in ("treatment_notes/51", "treatment_notes/51#2"):
        reported.receive(NOTES, part, contact="patients/1", filtered="deleted_left_out")
    content = window_content(handed_over(reported.ledger, [reported.run]))
    jsonschema.validate(content, json.loads(SCHEMA.read_text(encoding="utf-8")))
    beside = sum(item.filtered for item in standing_records(reported.ledger) if item.resource == "attendees")
    assert beside == 3
    assert "attendees" not in {row["resource"] for row in content["objects"]}
    assert (
        content["standing"]["filtered"] == 2
    )  # the patient who was merged in Cliniko, and the long note left out
    assert all(
        row["known"] == row["in_highlevel"] + row["filtered"] + row["held"] + row["rejected"]
        for row in content["objects"]
    )
    notes = next(row for row in content["objects"] if row["resource"] == "treatment_notes")
    assert (notes["created"], notes["updated"], notes["in_highlevel"]) == (
        2,
        0,
        2,
    )  # that of the clinic, and the long one
    cannot_move = {item["code"]: item["concerns"] for item in content["cannot_move"]}
    assert cannot_move["authors"] == notes["known"] - notes["filtered"]
    left_out = next(item for item in content["handover"]["sections"] if item["section"] == "left_out")
    assert left_out["count"] == 2
    page = window_page(content)
    assert "beside" not in page
    assert content["audit"]["head"] in page
    assert "For the clinic" in page


def test_a_refused_practitioner_is_named_among_the_refused(reported: ReportedLedger) -> None:
    """It is counted there on top of the page; that no user has the e-mail is not known of a record that nobody could read."""
    why = {"reason": "invalid_text", "field": "first_name"}
    reported.receive(USERS, "practitioners/9", rejected=why)
    content = window_content(handed_over(reported.ledger, [reported.run]))
    counts = {item["section"]: item["count"] for item in content["handover"]["sections"]}
    assert counts["refused"] == content["standing"]["rejected"] == 9
    assert (counts["practitioners"], counts["practitioners_left"]) == (1, 1)
    named = [
        row for row in handed_over(reported.ledger, [reported.run]).rows() if row[1] == "practitioners/9"
    ]
    assert [row[5] for row in named] == ["invalid_text"]


def test_what_was_taken_out_is_not_said_to_be_left_out_on_purpose(reported: ReportedLedger) -> None:
    """The numbers on top, the table and the lists say the same of it."""
    before = window_content(handed_over(reported.ledger, [reported.run]))
    verification = reported.begin("verify")
    reported.ledger.end_run(verification, 5, {"report": {"verification": {"totals": {"missing": 2}}}})
    repair = Repair(reported.ledger, verification)
    for number in (1, 2):
        row = repair.known(f"contact:patients/{number}")
        assert row is not None
        repair.bring_again(row)
    content = window_content(handed_over(reported.ledger, [reported.run]))
    counts = {item["section"]: item["count"] for item in content["handover"]["sections"]}
    assert content["standing"]["filtered"] - before["standing"]["filtered"] == counts["undone"] == 2
    page = window_page(content)
    top = dict(re.findall(r"<div><dt>(?:<a [^>]*>)?([^<]*)(?:</a>)?</dt><dd>(\d+)</dd>", page))
    assert top["left out on purpose"] == str(counts["left_out"])
    assert top["undone, or missing"] == "2"
    patients = re.search(r">Patients → contacts</th>(.*?)</tr>", page)
    assert patients is not None
    cells = dict(re.findall(r'data-name="([^"]*)">(\d+)<', patients[1]))
    assert (cells["left out on purpose"], cells["undone, or missing"]) == ("1", "2")
    assert "undone, or missing" not in window_page(before)


def test_a_long_note_of_a_patient_who_is_left_out_counts_once(reported: ReportedLedger) -> None:
    """Its parts wait for a contact that never comes; the counts say as many as the list names."""
    for part in ("treatment_notes/60", "treatment_notes/60#2", "treatment_notes/60#3"):
        reported.receive(NOTES, part, contact="patients/40")
    reported.receive(CONTACTS, "patients/40", filtered="archived_left_out")
    reported.work.pass_on("archived_left_out")
    content = window_content(handed_over(reported.ledger, [reported.run]))
    left_out = next(item for item in content["handover"]["sections"] if item["section"] == "left_out")
    # the patient who was merged in Cliniko, the archived one, and the note
    assert content["standing"]["filtered"] == left_out["count"] == 3


def test_links_and_names(reported: ReportedLedger) -> None:
    """A record leads to its contact in HighLevel; with values its name stands there, else nothing personal does."""
    reported.receive(FILES, "patient_attachments/9", contact="patients/21")
    reported.reject("file_type_refused", "name")
    handover = handed_over(reported.ledger, [reported.run], app_url="https://app.example.com/")
    rows = {row[1]: dict(zip(COLUMNS, row, strict=True)) for row in handover.rows()}
    link = "https://app.example.com/v2/location/loc_clinic/contacts/detail/hl-patients-21"
    assert rows["patient_attachments/9"]["link"] == rows["patients/21"]["link"] == link
    assert rows["patients/22"]["link"] == ""  # it is not in HighLevel
    assert f'href="{link}"' in window_page(window_content(handover))
    handover.names = {"hl-patients-21": "Ada Quill"}
    page = window_page(window_content(handover))
    assert '<span title="patients/21">Ada Quill</span></a> (email)' in page
    assert "<code>patients/21</code>" not in page
    assert "patients' names" in page


def test_what_was_decided_and_what_proves_it(reported: ReportedLedger) -> None:
    """Settings that decide, what the mapping leaves behind and what runs undid; the head of the trail after each run."""
    audit = {"entries": 3, "head": "a" * 64, "intact": True, "broken": []}
    reported.ledger.end_run(reported.run, 4, {"report": {"audit": audit}})
    reported.receive(CONTACTS, "patients/40", filtered="archived_left_out")
    undone = reported.begin("rollback")
    reported.ledger.end_run(undone, 0, {"undoes": reported.run})
    plan = {"run": "20261122T100000.000000Z-abcdef", "at": "2026-11-22T10:05:00Z", "digest": "d"}
    reported.ledger.remember(f"plan:{reported.ledger.location}", json.dumps(plan))
    reported.ledger.remember(f"approved:{reported.ledger.location}", "d")
    known = [item["id"] for item in reported.ledger.runs()]
    content = handed_over(reported.ledger, known, overwrite="never").content()
    decided = {item["what"]: item["decided"] for item in content["decisions"]}
    assert decided["Overwrite (overwrite)"] == "never"
    assert decided["The plan was approved"] == f"plan {plan['run']} of 22 November 2026, 10:05 UTC"
    assert any(what.startswith("Left behind: An archived patient") for what in decided)
    assert f"Run {known[0]} was undone" in decided or f"Run {reported.run} was undone" in decided
    assert [item["head"] for item in content["certificate"]["heads"]] == ["a" * 64]


def test_the_losses_of_a_whole_clinic(tmp_path: Path, clinic: Clinic) -> None:
    """What the sub-account itself shows of withheld and unusable addresses, and every refusal, is in the handover by name."""
    with a_sandbox(clinic.patients) as sandbox:
        loader = Loader(sandbox, tmp_path)
        clinic.restore(loader)
        refused = {row["source"] for row in rejected(loader)}
        done = loader.tool("report", "--since", "2026-01-01", SHOW_VALUES="true")
        assert done.returncode == 0, done.stderr
        folder = Path(done.stdout.strip())
        rows = listed(folder)
        report: dict[str, Any] = json.loads((folder / "report.json").read_text(encoding="utf-8"))
        contacts = {
            str(value): item
            for item in sandbox.highlevel.state.contacts.values()
            for value in item["customFields"].values()
            if isinstance(value, str) and "/" in value and value.split("/")[1].isdecimal()
        }
        there = {
            source.partition("#")[0]
            for found in sandbox.highlevel.state.sources().values()
            for source in found
        }
        told = {
            (source, tag)
            for source, item in contacts.items()
            for tag in item["tags"]
            if tag in {"shared-email", "shared-phone", "invalid-email", "invalid-phone"}
        }
    jsonschema.validate(report, json.loads(SCHEMA.read_text(encoding="utf-8")))
    words = {"E-mails and phones not given to a contact, because another one has them": "shared"}
    words["E-mails and phones that cannot be used"] = "invalid"
    named = {
        (row["source"], f"{words[row['section']]}-{row['field']}") for row in rows if row["section"] in words
    }
    assert named == told
    assert len(told) > 5
    assert {row["source"] for row in rows if row["section"].startswith("Refused")} == refused
    lost = planted(clinic.lines) - there
    assert {source.partition("/")[0] for source in lost} > {"communications", "patient_forms"}
    assert not lost - {row["source"].partition("#")[0] for row in rows}
    assert all(row["meaning"] and row["what_to_do"] for row in rows)
    for row in rows:
        if row["source"] in contacts:
            person = contacts[row["source"]]
            assert (
                row["name"].casefold()
                == f"{person.get('firstName', '')} {person.get('lastName', '')}".strip().casefold()
            )
            assert row["link"].endswith(f"/contacts/detail/{person['id']}")
    assert report["shows_values"]
    assert report["money"]["agrees"]


def planted(lines: list[str]) -> set[str]:
    """Return the source ids of everything that a clinic would miss, from the tap's lines alone.

    A practitioner with a user is that user, and a place in an individual appointment is that appointment.
    """
    rows: dict[str, list[dict[str, Any]]] = {}
    for message in map(json.loads, lines):
        if message["type"] == "RECORD":
            rows.setdefault(message["stream"], []).append(message["record"])
    groups = {row["id"] for row in rows["group_appointments"]}
    attended = {f"attendees/{row['id']}" for row in rows["attendees"] if row["booking_id"] in groups}
    return attended | {f"{stream}/{row['id']}" for stream in MISSED for row in rows[stream]}


def rejected(loader: Loader) -> list[dict[str, str]]:
    """Return what the load's own report lists as refused."""
    newest = max((loader.folder / "reports").glob("*/rejects.csv"))
    with newest.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))
