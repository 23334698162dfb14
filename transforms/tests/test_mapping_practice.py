"""What a practice works with: diary, alerts, forms, owners, names of records, and what the clinic leaves behind."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from cliniko_records import record
from mapping_runs import mapped, one, run

from cliniko_to_highlevel.formats import told_date

if TYPE_CHECKING:
    from pathlib import Path

WHEN = "2024-03-10T01:00:00Z"


@pytest.mark.parametrize(
    ("changes", "prefix"),
    [
        ({"cancelled_at": WHEN}, "Cancelled"),
        ({"did_not_arrive": True}, "No-show"),
        ({"archived_at": WHEN}, "Removed"),
        ({}, None),
    ],
)
def test_a_title_tells_what_has_become_of_a_booking(changes: dict[str, Any], prefix: str | None) -> None:
    """In a list of tasks the state is read before type and practitioner."""
    found = one("individual_appointments", "hl_appointments", **changes)
    assert found["title"] == f"{prefix + ': ' if prefix else ''}Standard with Orla Featherstone"
    changes = {"arrived": False} if "did_not_arrive" in changes else changes
    assert one("attendees", "hl_appointments", **changes)["title_prefix"] == prefix


def test_the_marker_comes_last() -> None:
    """A reader begins with what is said; in a group's text the marker stands behind what the group says."""
    for resource, stream in (("individual_appointments", "hl_appointments"), ("treatment_notes", "hl_notes")):
        found = one(resource, stream)
        assert found["body"].splitlines()[-1] == f"cliniko:{found['source_id']}"
        assert found["body"].count("cliniko:") == 1
    place = one("attendees", "hl_appointments")
    assert (place["marker"], "cliniko:" in place["body"]) == ("cliniko:attendees/77", False)
    file = one("patient_attachments", "hl_files")
    assert file["file_name"] == "Referral letter - referral 2024-03-11 cliniko:patient_attachments/190.pdf"


def test_notes_come_in_the_order_in_which_they_were_written() -> None:
    """HighLevel dates a note by the moment of the call: the earlier one and the first part go first."""
    long = {
        "sections": [{"name": "S", "questions": [{"name": "Q", "type": "text", "answer": "word " * 2500}]}]
    }
    parts = [item["priority"] for item in mapped("treatment_notes", content=long)]
    later = one("treatment_notes", "hl_notes", id="1", created_at="2024-03-12T00:00:00Z")["priority"]
    assert len(parts) == 3
    assert parts == sorted(parts)
    assert parts[-1] < later
    assert one("treatment_notes", "hl_notes", pinned_at=WHEN)["pinned"] is True


def test_a_completed_form_is_a_note() -> None:
    """Questions and answers stand in it, in their order; it is from the day on which the patient finished it."""
    note = one("patient_forms", "hl_notes")
    assert note["title"] == "2024-03-04 Form: New client intake"
    assert note["contact"] == "patients/7"
    lines = note["body"].splitlines()
    assert lines[0] == "Date: 2024-03-04 12:00 (Australia/Melbourne), 2024-03-04T01:00:02Z"
    assert lines[lines.index("## About you") :] == [
        "## About you",
        "Full name: Ms Juniper",
        "Phone: 0491 570 156 Mobile",
        "Injuries: Knee",
        "Anything else?: No",
        "I agree: signed (signatures/196)",
        "",
        "cliniko:patient_forms/195",
    ]
    assert one("patient_forms", "hl_notes", completed_at=None)["filtered"] == "not_completed"


def test_a_signature_is_a_file_of_the_patient() -> None:
    """Its record tells whose it is: a run that comes back to it alone, as after a kill, does not read its form again."""
    file = one("signatures", "hl_files")
    assert (file["contact"], file["file_size"], file["mime_type"]) == ("patients/7", 8, "image/png")
    assert file["file_name"] == "Signature on New client intake 2024-03-04 cliniko:signatures/196.png"
    assert file["file_content"] == "iVBORw0KGgo="
    form = record("signatures")["patient_form"]
    for changes, reason in (({"patient_id": None}, "no_patient"), ({"completed_at": None}, "not_completed")):
        assert one("signatures", "hl_files", patient_form={**form, **changes})["filtered"] == reason
    assert one("signatures", "hl_files", patient_form=None)["filtered"] == "no_patient"
    broken = one("signatures", "hl_files", image="data:image/png;base64,?")
    assert broken["rejected"] == {"reason": "invalid_text", "field": "image"}


def test_alerts_stand_where_clinicians_look() -> None:
    """On the contact, on the profile, and in one pinned note for all of a patient's alerts."""
    lines = [
        {
            "type": "RECORD",
            "stream": "medical_alerts",
            "record": record("medical_alerts", id=number, name=name),
        }
        for number, name in (("1", "Latex"), ("2", "Pacemaker <b>left</b>"))
    ]
    made = [item for item in run(lines) if item["type"] == "RECORD"]
    notes = [item["record"] for item in made if item["stream"] == "hl_medical_alert_notes"]
    assert [note["contributor"] for note in notes] == [
        None,
        "patients/7",
        "medical_alerts/1",
        "medical_alerts/2",
    ]
    assert (notes[0]["contact"], notes[0]["title"], notes[0]["pinned"]) == (
        "patients/7",
        "Medical alerts",
        True,
    )
    assert notes[1]["body"] == {"order": "~", "text": "cliniko:patients/7"}
    assert [note["body"]["text"] for note in notes[2:]] == ["Latex", "Pacemaker left"]
    contacts = [item["record"] for item in made if item["stream"] == "hl_contacts"]
    assert [item["cliniko_medical_alerts"]["text"] for item in contacts] == ["Latex", "Pacemaker left"]
    over = mapped("medical_alerts", archived_at=WHEN)
    # nor even nothing: what is taken back and said anew at once would be looked at anew in every run
    assert {item["stream"]: item["filtered"] for item in over} == dict.fromkeys(
        ("hl_patient_profiles", "hl_contacts", "hl_medical_alert_notes"), "not_in_force"
    )
    assert [item.get("medical_alerts", item.get("cliniko_medical_alerts")) for item in over] == [None] * 3


@pytest.mark.parametrize(
    ("resource", "changes", "name"),
    [
        ("contacts", {"first_name": ".", "last_name": None, "company_name": "Bupa"}, "Bupa"),
        (
            "contacts",
            {
                "first_name": "-",
                "last_name": ".",
                "preferred_name": None,
                "company_name": "Bupa",
                "type_code": 1,
            },
            "Bupa",
        ),
        (
            "contacts",
            {"first_name": ".", "last_name": None, "company_name": ".", "preferred_name": "Fin"},
            "Fin",
        ),
        ("practitioners", {"first_name": ".", "last_name": ".", "display_name": "Orla"}, "Orla"),
        ("practitioners", {"first_name": ".", "last_name": None, "display_name": "-", "label": "O."}, "O."),
    ],
)
def test_a_dot_is_nobodys_name(resource: str, changes: dict[str, Any], name: str) -> None:
    """Where a form insists on a name people type a dot: then it is the company, or what somebody is known as."""
    found = one(resource, "hl_contacts", **changes)
    assert (found["firstName"], found["lastName"]) == (name, None)


def test_the_source_of_a_contact_is_the_referral() -> None:
    """It says how the patient came to the clinic, which reports in HighLevel are made by."""
    assert one("referral_sources", "hl_contacts")["source"] == "Poster: Station"
    for silent in ({"archived_at": WHEN}, {"referral_source_type_id": None, "subcategory": None}):
        assert one("referral_sources", "hl_contacts", **silent)["source"] is None  # another one may say more
    assert one("patients", "hl_contacts")["source"] == "Cliniko"


@pytest.mark.parametrize("key", ["9", "practitioners/9", "Orla@Clinic.example"])
def test_the_mapping_names_the_user_of_a_practitioner(key: str, tmp_path: Path) -> None:
    """By the practitioner's id or e-mail in Cliniko, where the address in HighLevel is another one."""
    path = tmp_path / "mapping.yml"
    path.write_text(f'owners: {{"{key}": dr.orla@practice.example}}')
    assert one("practitioners", "hl_users", str(path))["email"] == "dr.orla@practice.example"
    assert one("practitioners", "hl_users")["email"] == "orla@clinic.example"


def test_an_invoice_says_what_it_is() -> None:
    """In a list of records the name is all that is seen."""
    invoice = one("invoices", "hl_invoices", number=61, issue_date="2017-12-13", total_amount="332.450")
    assert invoice["invoice_name"] == "Invoice 61 · 13 Dec 2017 · 332.45"
    assert invoice["invoice_number"] == "61"
    bare = one("invoices", "hl_invoices", number=None, issue_date=None, total_amount=None)
    assert bare["invoice_name"] == f"Invoice {bare['source_id'].partition('/')[2]}"


def test_moments_are_dates_in_the_clinics_zone() -> None:
    """HighLevel has fields for dates and none for moments; late in the day UTC is on another one."""
    late = "2024-03-10T23:30:00Z"
    assert one("patients", "hl_contacts", created_at=late)["cliniko_created_at"] == "2024-03-11"
    assert one("invoices", "hl_invoices", closed_at=late)["closed_at"] == "2024-03-11"
    assert one("patients", "hl_patient_profiles", archived_at=late)["hidden_at"] == "2024-03-11"


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("2031-06-30", "2031-06-30"),
        ("30/6/2031", "2031-06-30"),
        ("3.4.2031", "2031-04-03"),
        ("30th June 2031", "2031-06-30"),
        ("Jun 30, 2031", "2031-06-30"),
        ("Monday, 30 June 2031", "2031-06-30"),
        ("Mon 30-Jun-2031.", "2031-06-30"),
        ("2031/6/30", "2031-06-30"),
        ("\uff13\uff10\uff0f\uff10\uff16\uff0f2031", "2031-06-30"),
        ("30\u201306\u20132031\u200b", "2031-06-30"),
        ("\u0663\u0660/\u0660\u0666/\u0662\u0660\u0663\u0661", "2031-06-30"),
        ("30 Marine 2031", None),
        ("30/06/0031", None),
        ("2031/06-30", None),
        ("30/6/31", None),
        ("31/6/2031", None),
        ("soon", None),
        ("June 2031", None),
    ],
)
def test_a_typed_date_is_read_or_left(typed: str, expected: str | None) -> None:
    """A date that is not whole, or none, is no date."""
    assert told_date(typed) == expected


def test_the_month_comes_first_where_people_write_it_so() -> None:
    """In the United States."""
    assert told_date("3/4/2031", month_first=True) == "2031-03-04"


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("3/4/2031", None),
        ("4/4/2031", "2031-04-04"),
        ("30/4/2031", "2031-04-30"),
        ("4/30/2031", "2031-04-30"),
    ],
)
def test_a_date_that_could_be_two_is_none_where_people_write_both(typed: str, expected: str | None) -> None:
    """In Canada."""
    assert told_date(typed, month_first=None) == expected


MOVE = "move: {oldest_visit: 2024-03-12, oldest_note: 2024-03-12, oldest_invoice: 2024-03-12, deleted_records: false}"


def test_what_is_too_old_is_counted(tmp_path: Path) -> None:
    """Visits, notes, invoices and their items from before a day are left behind, each with the reason."""
    path = tmp_path / "mapping.yml"
    path.write_text(MOVE)
    old: dict[tuple[str, str], dict[str, Any]] = {
        ("individual_appointments", "hl_appointments"): {},
        ("attendees", "hl_appointments"): {"given": {"group_appointments": {"starts_at": WHEN}}},
        ("treatment_notes", "hl_notes"): {},
        ("patient_forms", "hl_notes"): {},
        ("invoices", "hl_invoices"): {"issue_date": "2024-03-11"},
    }
    for (resource, stream), changes in old.items():
        assert one(resource, stream, str(path), **changes)["filtered"] == "too_old"
    young = {"created_at": "2024-03-12T10:00:00Z", "completed_at": "2024-03-12T10:00:00Z"}
    assert one("treatment_notes", "hl_notes", str(path), **young).get("filtered") is None
    assert one("invoices", "hl_invoices", str(path), issue_date="2024-03-12").get("filtered") is None
    hidden = {"issue_date": "2024-03-12", "archived_at": WHEN}
    assert one("invoices", "hl_invoices", str(path), **hidden)["filtered"] == "deleted_left_out"
    item = one("invoice_items", "hl_invoice_items", str(path))
    assert item["needs"] == [
        related["to"] for related in item["relations"]
    ]  # it waits for its invoice, and with it
    assert one("invoice_items", "hl_invoice_items")["needs"] is None
    assert one("signatures", "hl_files", str(path))["filtered"] == "too_old"


def test_archived_patients_can_be_left_behind(tmp_path: Path) -> None:
    """They are counted; what hangs on them names its patient, and is left behind by the target where that one is."""
    path = tmp_path / "mapping.yml"
    path.write_text("move: {archived_patients: false}")
    lines = [
        {"type": "RECORD", "stream": name, "record": record(name, **changes)}
        for name, changes in (
            ("patients", {"archived_at": WHEN}),
            ("treatment_notes", {}),
            ("individual_appointments", {}),
        )
    ]
    made = [(item["stream"], item["record"]) for item in run(lines, str(path)) if item["type"] == "RECORD"]
    told = [(stream, item.get("filtered")) for stream, item in made if stream != "hl_insurers"]
    assert told == [
        ("hl_contacts", "archived_left_out"),
        ("hl_patient_profiles", "archived_left_out"),
        ("hl_opportunities", "archived_left_out"),
        ("hl_notes", None),
        ("hl_appointments", None),
        ("hl_contacts", None),
    ]
    assert {item["contact"] for stream, item in made if stream in {"hl_notes", "hl_appointments"}} == {
        "patients/7"
    }
    assert one("invoices", "hl_invoices", str(path))["contact"] == "patients/7"


@pytest.mark.parametrize(
    ("resource", "stream", "told"),
    [
        (
            "individual_appointments",
            "hl_appointments",
            {"status": "removed", "completed": True, "title": "Removed: Standard with Orla Featherstone"},
        ),
        (
            "attendees",
            "hl_appointments",
            {"status": "removed", "completed": True, "title_prefix": "Removed"},
        ),
        ("recalls", "hl_recalls", {"completed": True}),
        ("treatment_notes", "hl_notes", {"title": "2024-03-11 Standard consultation [Archived]"}),
        ("patient_forms", "hl_notes", {"title": "2024-03-04 Form: New client intake [Archived]"}),
        ("invoices", "hl_invoices", {"record_state": "Archived", "hidden_at": "2024-03-11"}),
    ],
)
def test_what_is_left_out_says_that_it_is_over(
    resource: str, stream: str, told: dict[str, Any], tmp_path: Path
) -> None:
    """It may have been loaded before it was archived; its contact has nothing of it any more."""
    path = tmp_path / "mapping.yml"
    path.write_text("move: {deleted_records: false}")
    made = mapped(resource, str(path), archived_at="2024-03-11T03:00:00Z")
    (found,) = [item for item in made if item["stream"] == stream]
    assert found["filtered"] == "deleted_left_out"
    assert {**found, **told} == found
    of_contact = [item for item in made if item["stream"] == "hl_contacts"]
    facts = {name for item in of_contact for name, value in item.items() if value is not None}
    assert facts <= {"stream", "source_id", "contributor"}


def test_a_patient_left_out_says_that_it_is_archived(tmp_path: Path) -> None:
    """For one that was loaded before: nothing else of the person is told."""
    path = tmp_path / "mapping.yml"
    path.write_text("move: {archived_patients: false}")
    contact, profile, _ = mapped("patients", str(path), archived_at="2024-03-11T03:00:00Z")
    left_out = {"source_id": "patients/7", "contributor": None, "filtered": "archived_left_out"}
    day = "2024-03-11"
    assert contact == {
        **left_out,
        "stream": "hl_contacts",
        "tags": ["patient", "archived"],
        "archived": True,
        "cliniko_archived_at": day,
    }
    assert profile == {
        **left_out,
        "stream": "hl_patient_profiles",
        "record_state": "Archived",
        "hidden_at": day,
    }


@pytest.mark.parametrize(
    "resource",
    ["individual_appointments", "attendees", "recalls", "invoices", "patient_forms", "relationships"],
)
def test_what_is_nobodys_takes_back_what_it_gave_to_a_contact(resource: str) -> None:
    """Whoever that was: the record does not say it any more."""
    found = one(resource, "hl_contacts", patient_id=None)
    source = f"{resource}/{record(resource)['id']}"
    assert found == {
        "stream": "hl_contacts",
        "source_id": source,
        "contributor": source,
        "filtered": "no_patient",
    }


def test_an_attendance_without_a_booking_takes_back_what_it_gave() -> None:
    """Its patient is known, and what it had said of a visit holds no longer."""
    found = one("attendees", "hl_contacts", booking_id=None)
    assert (found["source_id"], found["contributor"]) == ("patients/7", "attendees/77")
    assert {value for name, value in found.items() if name not in {"stream", "source_id", "contributor"}} == {
        None
    }


def test_a_recall_is_a_task_of_its_day() -> None:
    """Due in the afternoon of the clinic's day; the contact has the day; one that Cliniko has no longer is done."""
    task = one("recalls", "hl_recalls")
    assert (task["contact"], task["owner_of"], task["completed"]) == (
        "patients/7",
        "contact:patients/7",
        False,
    )
    assert (task["title"], task["starts_at"]) == ("Recall: Six-month review", "2024-09-11T05:00:00Z")
    assert task["body"].splitlines()[::3] == ["Kind: Six-month review", "cliniko:recalls/165"]
    added = one("recalls", "hl_contacts")
    assert added["recall"] == {"at": "2024-09-11T14:00:00Z", "day": "2024-09-11"}
    gone = {"id": "165", "_sdc_deleted_at": WHEN}
    lines = run([{"type": "RECORD", "stream": "recalls", "record": gone}])
    told = [line["record"] for line in lines if line["type"] == "RECORD"]
    assert [item["filtered"] for item in told] == ["deleted_in_cliniko"] * 2
    assert {"completed": True, "source_id": "recalls/165"}.items() <= told[-1].items()


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("move: {oldest_visit: last year}", "move.oldest_visit is no day"),
        ("owners: {9: orla}", "is not read as a name"),
        ('owners: {"9": orla}', "owners.9 must be the e-mail of one HighLevel user"),
        ("owners: [1]", "owners must hold named lines"),
        ("keeps: {patients/7: [fax]}", "keeps.patients/7 must be email, phone or both"),
        ("keeps: {patients/7: []}", "keeps.patients/7 must be email, phone or both"),
        ("keeps: {Milo: email}", "keeps.Milo is no record of Cliniko such as patients/1234"),
    ],
)
def test_a_wrong_setting_says_what_to_write(text: str, problem: str, tmp_path: Path) -> None:
    """Before anything is written."""
    path = tmp_path / "mapping.yml"
    path.write_text(text)
    with pytest.raises(ValueError, match=problem):
        run([], str(path))
