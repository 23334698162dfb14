"""What could be lost without anybody noticing, and is kept: long texts, odd answers, names that are not known."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from cliniko_records import RECORDS
from mapping_runs import mapped, one

from cliniko_to_highlevel.not_moved import NOT_MOVED, NOT_OF_USERS

WHEN = "2024-03-10T01:00:00Z"
UNSHOWN = "(answer of a kind that cannot be shown)"
FILE = "cliniko:patient_attachments/190.pdf"


@pytest.mark.parametrize(
    ("name", "code", "street"),
    [
        ("Australia", "AU", "12 Example Lane"),
        ("NZ", "NZ", "12 Example Lane"),
        ("UK", "GB", "12 Example Lane"),
        ("Philippines", None, "12 Example Lane, Philippines"),
        ("Deutschland", None, "12 Example Lane, Deutschland"),
        ("XX", None, "12 Example Lane, XX"),
        ("SA", None, "12 Example Lane, SA"),
        ("CA", None, "12 Example Lane, CA"),
        ("No", None, "12 Example Lane, No"),
        ("na", None, "12 Example Lane, na"),
        ("NT", None, "12 Example Lane, NT"),
        ("U.K.", "GB", "12 Example Lane"),
        ("nz", "NZ", "12 Example Lane"),
        ("Republic of Ireland", "IE", "12 Example Lane"),
        (None, None, "12 Example Lane"),
    ],
)
def test_a_country_is_known_by_its_code_or_stays_in_the_address(
    name: str | None, code: str | None, street: str
) -> None:
    """Cliniko's old field holds a name; one that no code is known for is written behind the street."""
    found = one("patients", "hl_contacts", country=name, country_code=None)
    assert (found["country"], found["address1"]) == (code, street)


@pytest.mark.parametrize("country", ["-", "."])
def test_a_country_without_a_letter_is_none(country: str) -> None:
    """A dash typed where a form insists is no part of the street."""
    assert one("patients", "hl_contacts", country=country, country_code=None)["address1"] == "12 Example Lane"


def test_the_signs_of_an_address_are_read_as_those_of_names() -> None:
    """Imports from other systems leave them as HTML writes them."""
    found = one(
        "patients",
        "hl_contacts",
        address_1="3 O&#39;Connor St &amp; Main Rd",
        city="L&#39;Aquila",
        country="C&ocirc;te d&#39;Ivoire",
        country_code=None,
    )
    assert found["address1"] == "3 O'Connor St & Main Rd, C\u00f4te d'Ivoire"
    assert found["city"] == "L'Aquila"


@pytest.mark.parametrize("country", ["CA", "DE", "NO"])
def test_a_country_of_two_meanings_is_the_accounts(country: str) -> None:
    """Where the clinic is in Canada, CA is Canada, and not California."""
    account = {"account": {"id": "1", "country_code": country}}
    found = one(
        "patients",
        "hl_contacts",
        given={"public_settings": account},
        country=country.lower(),
        country_code=None,
    )
    assert (found["country"], found["address1"]) == (country, "12 Example Lane")


@pytest.mark.parametrize(
    "account", [{"country_code": "UK"}, {"country": "United Kingdom", "country_code": None}]
)
def test_the_accounts_country_is_read_like_a_patients(account: dict[str, Any]) -> None:
    """Numbers without a country are read in it, whether Cliniko gives its code or its name."""
    numbers = [{"number": "07400 123456", "phone_type": "Mobile"}]
    found = one(
        "patients",
        "hl_contacts",
        given={"public_settings": {"account": {"id": "1", **account}}},
        patient_phone_numbers=numbers,
        country=None,
        country_code=None,
    )
    assert found["phone"] == "+447400123456"


def test_an_insurers_unknown_country_stays_in_the_address() -> None:
    """It stands at the end, as countries do."""
    found = one("contacts", "hl_insurers", country="Deutschland", country_code=None)
    assert found["address"].endswith("\nDeutschland")


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"description": "x" * 100}, f"{'x' * 100} - referral 2024-03-11 {FILE}"),
        ({"description": "Knee", "archived_at": WHEN}, f"Knee - referral 2024-03-11 [archived] {FILE}"),
        ({"description": "referral"}, f"referral 2024-03-11 {FILE}"),
        ({"description": "referral.pdf"}, f"referral 2024-03-11 {FILE}"),
        ({"description": "Knee\u202egpj.x"}, f"Kneegpj.x - referral 2024-03-11 {FILE}"),
    ],
)
def test_a_file_keeps_its_description_and_state_in_its_name(changes: dict[str, Any], name: str) -> None:
    """The name is the only place for them; an archived attachment does not arrive as a live one."""
    assert one("patient_attachments", "hl_files", **changes)["file_name"] == name


def test_the_longest_file_name_fits_every_file_system() -> None:
    """A description of 255 characters fills the name, and leaves the name some of it."""
    found = one(
        "patient_attachments",
        "hl_files",
        id="9" * 20,
        description="d" * 255,
        filename=f"{'f' * 200}.pdf",
        archived_at=WHEN,
    )
    name = found["file_name"]
    assert len(f"{name}.jpeg.zip") == 255
    assert name.count("d") > 60
    assert name.endswith(f" - {'f' * 60} 2024-03-11 [archived] cliniko:patient_attachments/{'9' * 20}.pdf")


def test_a_long_title_is_cut_and_its_state_is_not() -> None:
    """Title and state are both read from the note: a draft stays one, and the whole title is in the text."""
    title = "Review " * 40
    note = one("treatment_notes", "hl_notes", title=title, draft=True)
    assert note["title"].endswith(" Revi [Draft]")
    assert f"\nTitle: {title.strip()}\n" in note["body"]
    assert "\nTitle: " not in one("treatment_notes", "hl_notes")["body"]


@pytest.mark.parametrize(
    ("question", "told"),
    [
        ({"type": "checkboxes", "answers": [{"value": None, "selected": True}]}, f"Q: {UNSHOWN}"),
        ({"type": "text", "answers": None, "answer": "here"}, "Q: here"),
        ({"type": "text", "answers": [], "answer": "here"}, "Q: here"),
        ({"type": "scale", "answer": 7}, "Q: 7"),
        ({"type": "full_name", "answer": {}}, None),
        ({"type": "phone", "answer": []}, None),
        ({"type": "phone", "answer": [{}, {"number": None}]}, None),
        ({"type": "address", "answer": {"line": None, "city": ""}}, None),
        ({"type": "text", "answer": {}, "answers": {}, "other": []}, None),
        ({"type": "scale", "answer": [Decimal("7.5"), "eight", None, True]}, "Q: 7.5, eight, Yes"),
        ({"type": "phone", "answer": ["none", {"number": "1", "kind": "Home"}]}, "Q: none, 1 Home"),
        (
            {"type": "address", "answer": {"line": "1 High St", "place": {"city": "Perth"}}},
            "Q: 1 High St Perth",
        ),
        ({"type": "scale", "answer": [0.5, False, 0, [1, [2]], {"a": [{"b": 3}]}]}, "Q: 0.5, No, 0, 1, 2, 3"),
        ({"type": "scale", "answer": Decimal("1e99")}, "Q: 1E+99"),
        ({"type": "checkboxes", "answers": [{"value": ["a", 1.5], "selected": True}]}, "Q: a, 1.5"),
        ({"type": "radiobuttons", "other": {"value": {"a": True}, "selected": True}}, "Q: Yes"),
        ({"type": "scale", "position": 7}, f"Q: {UNSHOWN}"),
        ({"type": "signature", "required": True, "signature_id": "12"}, "Q: signed (signatures/12)"),
        ({"type": "scale", "required": True, "position": None}, None),
        ({"type": "text"}, None),
        ({"type": "checkboxes", "answers": [{"value": "Stairs"}]}, None),
    ],
)
def test_an_answer_that_cannot_be_shown_says_so(question: dict[str, Any], told: str | None) -> None:
    """An answer is never left out without a word; a question without one is."""
    content = {"sections": [{"name": "S", "questions": [{"name": "Q", **question}]}]}
    body = one("treatment_notes", "hl_notes", content=content)["body"]
    text = body.removesuffix("\n\ncliniko:treatment_notes/150")
    assert text.endswith(f"## S\n{told}" if told else "## S")


@pytest.mark.parametrize(
    ("resource", "stream", "field"),
    [
        ("individual_appointments", "hl_appointments", "body"),
        ("group_appointments", "hl_appointments", "shared_body"),
    ],
)
def test_what_has_no_name_is_told_by_its_identity(resource: str, stream: str, field: str) -> None:
    """Without its reference record an appointment still says which type, practitioner and place it had."""
    unknown = {"appointment_types": None, "practitioners": None, "businesses": None}
    appointment = one(resource, stream, given=unknown)
    told = appointment[field].split("\n")
    assert {"Type: appointment_types/20", "Practitioner: practitioners/9", "Location: businesses/30"} <= set(
        told
    )
    assert (appointment["title"], appointment["appointment_type"]) == ("Appointment", None)


def test_an_identity_is_no_option() -> None:
    """What has no name is not offered for choice on contacts."""
    found = one(
        "individual_appointments", "hl_contacts", given={"appointment_types": None, "businesses": None}
    )
    assert (found["cliniko_appointment_type"], found["cliniko_location"]) == (None, None)


def test_invoices_notes_and_referrals_tell_identities_too() -> None:
    """A name that is not known is no blank."""
    invoice = one("invoices", "hl_invoices", given={"practitioners": None, "businesses": None})
    assert (invoice["practitioner"], invoice["location"]) == ("practitioners/9", "businesses/30")
    note = one("treatment_notes", "hl_notes", given={"practitioners": None}, author_name=None)
    assert "\nAuthor: practitioners/9\nPractitioner: practitioners/9\n" in note["body"]
    referral = one("referral_sources", "hl_patient_profiles", given={"referral_source_types": None})
    assert referral["referral_source"] == "referral_source_types/90: Station"


@pytest.mark.parametrize(
    ("resource", "field"), [(name, field) for name, fields in NOT_OF_USERS.items() for field in fields]
)
def test_what_a_matched_practitioner_loses_is_listed(resource: str, field: str) -> None:
    """The field changes the contact, which a matched practitioner has not, and nothing of the user."""
    others: dict[str, Any] = {"phone_numbers": [], "created_at": WHEN}
    changed = {field: others.get(field, "Changed")}
    before = mapped("practitioners")
    after = (
        mapped("practitioners", **changed)
        if resource == "practitioners"
        else mapped("practitioners", given={resource: changed})
    )
    assert after[0] == before[0]
    assert after[1] != before[1]
    assert before[1]["skip_if_exists"] == ["user:practitioners/9"]
    assert field in RECORDS[resource]
    assert field not in NOT_MOVED[resource]
