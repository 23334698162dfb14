"""The synthetic clinic: always the same, of a real clinic's proportions, with every awkward case."""

from __future__ import annotations

import json
import re
from collections import Counter
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from cliniko_server import NOW

from sandbox.clinic import build_clinic
from sandbox.cliniko.account import timestamp

if TYPE_CHECKING:
    from sandbox.cliniko.account import Account
    from sandbox.cliniko.table import Row

SEEDS = (1, 2, 3)
HUGE = 50 * 1024 * 1024
RESERVED = (".example.org", ".example.com", ".example.net", "@example.org", "@example.com", "@example.net")


@pytest.fixture(scope="module", params=SEEDS)
def clinic(request: pytest.FixtureRequest) -> Account:
    """The smallest clinic that must hold every case, from several seeds."""
    return build_clinic(request.param, 40, NOW)


def rows(clinic: Account, resource: str) -> list[Row]:
    """Return all rows of a resource."""
    return clinic.tables[resource].rows()


def states(found: list[Row], *columns: str) -> set[tuple[bool, ...]]:
    """Return which combinations of filled columns there are."""
    return {tuple(column in row for column in columns) for row in found}


def everything(clinic: Account) -> str:
    """Write the whole account down."""
    tables = {name: table.rows() for name, table in clinic.tables.items()}
    files = {identity: content.sha256() for identity, content in clinic.files.items() if content.size < HUGE}
    return json.dumps([tables, clinic.services, clinic.settings, clinic.api_keys, files], sort_keys=True)


def test_a_seed_makes_one_clinic() -> None:
    """The same seed, size and day make the same account; another seed makes another."""
    assert everything(build_clinic(5, 45, NOW)) == everything(build_clinic(5, 45, NOW))
    assert everything(build_clinic(5, 45, NOW)) != everything(build_clinic(6, 45, NOW))


def test_the_proportions_are_those_of_a_clinic() -> None:
    """Per patient about six visits, five notes, four invoices, and half a file."""
    clinic = build_clinic(1, 600, NOW)
    counts = {name: len(table) / 600 for name, table in clinic.tables.items()}
    assert len(clinic.tables["patients"]) == 600
    assert 5 < counts["attendees"] < 7
    assert 3.5 < counts["treatment_notes"] < 5.5
    assert 3 < counts["invoices"] < 5
    assert 1.3 < counts["invoice_items"] / counts["invoices"] < 1.7
    assert 0.45 < counts["patient_attachments"] < 0.55


def test_every_resource_has_rows(clinic: Account) -> None:
    """No list is empty."""
    assert [name for name, table in clinic.tables.items() if not len(table)] == []


def test_relations_point_at_rows(clinic: Account) -> None:
    """Every link resolves, but for letters, which the API does not serve."""
    bookings = ("individual_appointments", "group_appointments", "unavailable_blocks")
    special = {"bookings": bookings, "referrers": ("patients", "contacts")}
    for table in clinic.tables.values():
        for name, target in table.resource.links.items():
            for row in table.rows():
                identity = row.get(f"{name}_id")
                if identity is not None and target not in {"letters", "payments"}:
                    held = any(identity in clinic.tables[one] for one in special.get(target, (target,)))
                    assert held, f"{table.resource.name}/{row['id']}.{name}"


def test_times_are_whole_and_in_order(clinic: Account) -> None:
    """Timestamps are whole seconds in UTC; nothing was made or changed after now."""
    now = timestamp(NOW)
    for table in clinic.tables.values():
        for row in table.rows():
            assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", row["updated_at"])
            assert row["created_at"] <= row["updated_at"] <= now


def test_ids_are_of_both_generations_and_ascend_with_creation(clinic: Account) -> None:
    """Old rows have short ids, new rows long ones; by id they stand in the order of creation."""
    for name in ("patients", "attendees", "treatment_notes", "invoices"):
        found = rows(clinic, name)
        lengths = {len(row["id"]) for row in found}
        assert min(lengths) <= 8, name
        assert max(lengths) >= 18, name
        long = [row["created_at"] for row in found if len(row["id"]) > 8]
        assert long == sorted(long)
    taken = Counter(
        row["id"]
        for kind in ("individual_appointments", "group_appointments", "unavailable_blocks")
        for row in rows(clinic, kind)
    )
    assert max(taken.values()) == 1


def test_many_rows_were_changed_in_the_same_second(clinic: Account) -> None:
    """A bulk edit left ties of updated_at."""
    ties = Counter(row["updated_at"] for row in rows(clinic, "attendees"))
    assert ties.most_common(1)[0][1] > 20


def test_people_are_invented(clinic: Account) -> None:
    """E-mail addresses lie in reserved domains, but for one that is no address at all."""
    for name in ("patients", "contacts", "users"):
        for row in rows(clinic, name):
            email = row.get("email") or "nobody@example.org"
            assert email.casefold().endswith(RESERVED) or email == "not an address"


def test_families_share_what_identifies_nobody(clinic: Account) -> None:
    """Patients share e-mail and telephone, one of them, or have neither."""
    people = rows(clinic, "patients")
    emails = Counter((row.get("email") or "").casefold() for row in people)
    phones = Counter(
        one["normalized_number"] for row in people for one in row.get("patient_phone_numbers") or []
    )
    assert emails["larkspur.family@example.org"] == 3
    assert phones["61491570156"] >= 2
    assert emails["household@example.net"] == 2
    assert phones["61255500199"] == 2
    neither = [row for row in people if not row.get("email") and not row.get("patient_phone_numbers")]
    assert len(neither) >= 2
    twins = Counter((row["first_name"], row["last_name"], row.get("date_of_birth")) for row in people)
    assert twins["Alex", "Winterbourne", "1980-02-29"] == 2


def test_names_use_every_script(clinic: Account) -> None:
    """Names run right to left, combine marks, and hold pictures and what looks like markup."""
    text = "".join(
        f"{row['first_name']}{row['last_name']}{row.get('occupation')}" for row in rows(clinic, "patients")
    )
    for sample in (
        "ليلى",
        "נועה",
        "小明",
        "さくら",
        "Людмила",
        "Ελένη",
        "आरती",
        "สมหญิง",
        "\u0308",
        "🐝",
        "<script>",
    ):
        assert sample in text


def test_phones_are_written_as_people_write_them(clinic: Account) -> None:
    """National formats of several countries, letters, extensions and what is no number."""
    written = [
        one["number"] for row in rows(clinic, "patients") for one in row.get("patient_phone_numbers") or []
    ]
    for sample in (
        "0491 570 CALL (ask for Edda)",
        "020 7946 0123",
        "(202) 555-0143 ext. 5",
        "030/23125-012",
        "n/a",
    ):
        assert sample in written


def test_patients_are_live_archived_and_merged(clinic: Account) -> None:
    """Merged ones are archived and name a survivor, which may be merged itself; they keep no children."""
    people = {row["id"]: row for row in rows(clinic, "patients")}
    assert states(list(people.values()), "archived_at", "merged_at") == {
        (False, False),
        (True, False),
        (True, True),
    }
    merged = [row for row in people.values() if "merged_at" in row]
    assert any("merged_at" in people[row["merged_with_patient_id"]] for row in merged)
    assert not {row["patient_id"] for row in rows(clinic, "attendees")} & {row["id"] for row in merged}


def test_appointments_are_in_every_state(clinic: Account) -> None:
    """Arrived, missed, cancelled, archived, deleted and unmarked; past and to come; alone and in groups."""
    found = rows(clinic, "individual_appointments")
    now = timestamp(NOW)
    past = [row for row in found if row["starts_at"] < now]
    future = [row for row in found if row["starts_at"] >= now]
    assert {(row["patient_arrived"], row["did_not_arrive"]) for row in past} == {
        (True, False),
        (False, True),
        (False, False),
    }
    assert states(past, "cancelled_at") == states(future, "cancelled_at") == {(True,), (False,)}
    assert states(past, "archived_at", "deleted_at") == {(False, False), (True, False), (True, True)}
    groups = rows(clinic, "group_appointments")
    assert states(groups, "archived_at", "deleted_at") == {(False, False), (True, False), (True, True)}
    assert states(groups, "repeated_from_id") == {(True,), (False,)}
    assert any(not row.get("patient_ids") for row in groups)
    assert any(row["starts_at"] > now for row in groups)
    in_groups = [
        row for row in rows(clinic, "attendees") if row["booking_id"] in clinic.tables["group_appointments"]
    ]
    assert {row.get("arrived") for row in in_groups} == {True, False, None}
    assert states(in_groups, "cancelled_at") == {(True,), (False,)}
    for row in groups:
        held = {one["patient_id"] for one in in_groups if one["booking_id"] == row["id"]}
        assert held == set(row.get("patient_ids") or [])


def test_every_appointment_has_its_attendee(clinic: Account) -> None:
    """An individual appointment has exactly one, of the same patient and state."""
    attendees = {row["booking_id"]: row for row in rows(clinic, "attendees")}
    for row in rows(clinic, "individual_appointments"):
        attendee = attendees[row["id"]]
        assert attendee["patient_id"] == row["patient_id"]
        assert attendee.get("cancelled_at") == row.get("cancelled_at")


def test_notes_are_in_every_state_and_hold_every_question(clinic: Account) -> None:
    """Draft, final, archived, deleted; long, marked up, empty; with every type of question."""
    notes = rows(clinic, "treatment_notes")
    assert {(row.get("draft"), "finalized_at" in row) for row in notes} == {(True, False), (False, True)}
    assert states(notes, "archived_at", "deleted_at") == {(False, False), (True, False), (True, True)}
    assert states(notes, "booking_id") == {(True,), (False,)}
    assert any(row.get("content") is None for row in notes)
    questions = [
        question
        for row in notes
        for section in (row.get("content") or {}).get("sections", ())
        for question in section["questions"]
    ]
    assert {question["type"] for question in questions} == {
        "text",
        "paragraph",
        "date",
        "checkboxes",
        "radiobuttons",
        "bodycharts",
    }
    answers = [question.get("answer", "") for question in questions]
    assert max(map(len, answers)) > 5000
    assert any("<script>" in answer for answer in answers)


def test_invoices_are_in_every_state_and_add_up(clinic: Account) -> None:
    """Every status, reversals, amounts of zero, below zero and with many decimals; totals are sums."""
    invoices = rows(clinic, "invoices")
    assert {row["status"] for row in invoices} == {10, 20, 30, 40}
    assert states(invoices, "original_invoice_id") == {(True,), (False,)}
    assert states(invoices, "archived_at", "deleted_at") == {(False, False), (True, False), (True, True)}
    totals = [Decimal(row["total_amount"]) for row in invoices]
    assert min(totals) < 0 < max(totals)
    assert 0 in totals
    assert any(len(row["net_amount"].partition(".")[2]) > 2 for row in invoices)
    items: dict[str, list[Row]] = {}
    for item in rows(clinic, "invoice_items"):
        items.setdefault(item["invoice_id"], []).append(item)
    for row in invoices:
        assert Decimal(row["net_amount"]) + Decimal(row["tax_amount"]) == Decimal(row["total_amount"])
        assert sum(Decimal(item["net_price"]) for item in items[row["id"]]) == Decimal(row["net_amount"])
    assert {("product_id" in item, "billable_item_id" in item) for one in items.values() for item in one} == {
        (True, False),
        (False, True),
    }
    numbers = [row["number"] for row in invoices]
    assert len(numbers) == len(set(numbers))


def test_a_reversal_takes_its_original_back(clinic: Account) -> None:
    """Both together come to nothing."""
    for row in rows(clinic, "invoices"):
        if "original_invoice_id" in row:
            original = clinic.tables["invoices"][row["original_invoice_id"]]
            assert Decimal(row["total_amount"]) == -Decimal(original["total_amount"])


def test_files_are_of_every_kind_and_state(clinic: Account) -> None:
    """Documents, pictures, text, archives, scans, a refused type, an empty and a huge one."""
    found = rows(clinic, "patient_attachments")
    assert {row.get("content_type") for row in found} == {
        "application/pdf",
        "image/png",
        "text/plain",
        "application/zip",
        "application/dicom",
        "application/x-msdownload",
        None,
    }
    sizes = [row["size"] for row in found if "size" in row]
    assert (min(sizes), sum(size > HUGE for size in sizes)) == (0, 1)
    assert states(found, "archived_at") == {(True,), (False,)}
    assert {row["processing_completed"] for row in found} == {True, False}
    assert set(clinic.files) == {row["id"] for row in found if row["processing_completed"]}


def test_insurers_stand_in_three_places(clinic: Account) -> None:
    """In custom fields, as contacts that pay, and in where a patient's invoices go; so do NDIS numbers."""
    answers: list[dict[str, Any]] = [
        field
        for row in rows(clinic, "patients")
        for section in (row.get("custom_fields") or {}).get("sections", ())
        for field in section["fields"]
    ]
    funds = [field for field in answers if field["name"] == "Health fund"]
    assert any(option.get("selected") for field in funds for option in field["options"])
    assert any(field["other"].get("value") for field in funds)
    assert any(field.get("value") for field in answers if field["name"] == "NDIS number")
    assert {row["type_code"] for row in rows(clinic, "contacts")} == {0, 1, 2}
    assert any(row.get("invoice_email") for row in rows(clinic, "patients"))
    assert (
        any("NDIS" in row["name"] for row in rows(clinic, "patient_cases"))
        or len(rows(clinic, "patient_cases")) < 8
    )


def test_the_clinic_has_several_places_and_odd_colleagues(clinic: Account) -> None:
    """Open and closed businesses; practitioners inactive, without a user, with a user without e-mail."""
    assert states(rows(clinic, "businesses"), "archived_at") == {(True,), (False,)}
    assert len([row for row in rows(clinic, "businesses") if "archived_at" not in row]) == 3
    people = rows(clinic, "practitioners")
    assert {(row["active"], "user_id" in row) for row in people} == {
        (True, True),
        (True, False),
        (False, True),
        (False, False),
    }
    assert any(not row["email"] for row in rows(clinic, "users"))
    assert {row["role"] for row in rows(clinic, "users")} == {
        "administrator",
        "practitioner",
        "scheduler",
        "receptionist",
        "power receptionist",
        "bookkeeper",
    }


def test_what_hangs_on_patients_is_in_every_state(clinic: Account) -> None:
    """Families both ways, alerts, cases, referrals, messages, forms: live and archived."""
    pairs = {(row["patient_id"], row["related_patient_id"]) for row in rows(clinic, "relationships")}
    assert any((other, one) in pairs for one, other in pairs)
    assert any((other, one) not in pairs for one, other in pairs)
    for resource in (
        "relationships",
        "medical_alerts",
        "patient_cases",
        "referral_sources",
        "communications",
    ):
        assert states(rows(clinic, resource), "archived_at") == {(True,), (False,)}, resource
    assert {row.get("referrer_type") for row in rows(clinic, "referral_sources")} == {
        "Contact",
        "Patient",
        None,
    }
    assert states(rows(clinic, "patient_cases"), "closed_at") == {(True,), (False,)}
    assert {row["type_code"] for row in rows(clinic, "communications")} == {1, 2, 3, 4}
    forms = rows(clinic, "patient_forms")
    assert states(forms, "completed_at", "signatures_id") == {(True, True), (True, False), (False, False)}
