"""What each Cliniko record becomes: one behaviour per test."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

import pytest
from cliniko_records import record
from mapping_runs import mapped, one

from cliniko_to_highlevel.core import MessageMapper

WHEN = "2024-03-10T01:00:00Z"
INSURER = "custom_objects.cliniko_insurance_provider"


def contact(**changes: Any) -> dict[str, Any]:
    """Return the contact of the sample patient with these changes."""
    return one("patients", "hl_contacts", **changes)


def profile(**changes: Any) -> dict[str, Any]:
    """Return the profile of the sample patient with these changes."""
    return one("patients", "hl_patient_profiles", **changes)


def answers(**values: str) -> dict[str, Any]:
    """Return custom fields with these values by label."""
    fields = [
        {"name": name.replace("_", " "), "type": "text", "value": value} for name, value in values.items()
    ]
    return {"sections": [{"name": "Funding", "fields": fields}]}


def test_a_patient_becomes_a_contact() -> None:
    """Name, address, phone in E.164 with the mobile first, birth date, tags and identity arrive."""
    found = contact(address_2="Level 2\nSuite 9", address_3="c/o Sample")
    assert {
        name: found[name] for name in ("firstName", "lastName", "phone", "address1", "country", "gender")
    } == {
        "firstName": "Juniper",
        "lastName": "Quillfeather",
        "phone": "+61491570156",
        "address1": "12 Example Lane, Level 2, Suite 9, c/o Sample",
        "country": "AU",
        "gender": "female",
    }
    assert found["cliniko_preferred_name"] == "June"
    assert found["cliniko_phone_numbers"] == "Home: (03) 5550 0101\nMobile: 0491 570 156"
    assert found["tags"] == ["patient"]
    assert found["priority"] == found["dateOfBirth"] == "1987-09-14"
    assert found["source_system_id"] == found["source_id"] == "patients/7"
    assert "owner" not in found


def test_what_highlevel_would_refuse_is_kept_as_text() -> None:
    """An invalid address or number stays out of the standard fields, and is kept in ours."""
    found = contact(
        email="not an address", patient_phone_numbers=[{"number": "ask Edda", "phone_type": "Mobile"}]
    )
    assert (found["email"], found["cliniko_email"]) == (None, "not an address")
    assert (found["phone"], found["cliniko_phone"]) == (None, "ask Edda")


def test_a_fax_is_no_telephone() -> None:
    """A fax number is listed only."""
    found = contact(patient_phone_numbers=[{"number": "(03) 5550 0101", "phone_type": "Fax"}])
    assert (found["phone"], found["cliniko_phone"]) == (None, None)
    assert found["cliniko_phone_numbers"] == "Fax: (03) 5550 0101"


@pytest.mark.parametrize(("consent", "disturb"), [(False, True), (True, False), (None, None)])
def test_consent_becomes_do_not_disturb(consent: bool | None, disturb: bool | None) -> None:  # noqa: FBT001
    """An explicit no is do-not-disturb for that channel, a yes is not, and unknown changes nothing."""
    found = contact(accepted_email_marketing=consent, accepted_sms_marketing=None)
    assert (found["dnd_email"], found["dnd_sms"]) == (disturb, None)
    assert contact(accepted_email_marketing=None, accepted_sms_marketing=consent)["dnd_sms"] is disturb


def test_archived_patients_are_tagged() -> None:
    """An archived patient is loaded, tagged, and his profile says since when."""
    assert contact(archived_at=WHEN)["tags"] == ["patient", "archived"]
    found = profile(archived_at=WHEN)
    assert (found["record_state"], found["hidden_at"]) == ("Archived", "2024-03-10")


def test_a_patient_merged_away_is_only_counted() -> None:
    """Of a patient merged into another one nothing is written."""
    found = mapped("patients", merged_at=WHEN, merged_with_patient_id="8", archived_at=WHEN)
    assert [(item["stream"], item["filtered"]) for item in found] == [
        ("hl_contacts", "merged"),
        ("hl_patient_profiles", "merged"),
        ("hl_opportunities", "merged"),
    ]


@pytest.mark.parametrize(
    ("changes", "refs"),
    [
        ({"invoice_default_to": None, "invoice_email": None}, ["insurers/example-health"]),
        (
            {
                "custom_fields": None,
                "invoice_default_to": "EXAMPLE health fund\n1 Plaza",
                "invoice_email": None,
            },
            ["contacts/55"],
        ),
        (
            {
                "custom_fields": None,
                "invoice_default_to": None,
                "invoice_email": "pa@example.org; Claims@Fund.example",
            },
            ["contacts/55"],
        ),
        ({"custom_fields": None, "invoice_default_to": "Parent of Greta", "invoice_email": None}, []),
        (
            {"custom_fields": None, "invoice_default_to": "Sample Mutual Ltd", "invoice_email": None},
            [f"insurers/{sha256(b'sample-mutual-ltd').hexdigest()[:16]}"],
        ),
        ({}, ["insurers/example-health", "contacts/55"]),
    ],
)
def test_insurers_are_found_in_all_three_places(changes: dict[str, Any], refs: list[str]) -> None:
    """Custom fields, payer contacts by name or e-mail, and insurer-like invoice names give relations."""
    relations = contact(referring_doctor_id=None, **changes)["relations"]
    assert relations == [{"association": "cliniko_insurer", "to": f"{INSURER}:{ref}"} for ref in refs]


@pytest.mark.parametrize(
    ("name", "insurer"),
    [
        ("India Quill", False),
        ("Mr Sandiaz", False),
        ("Fatou Ndiaye", False),
        ("Physicare Pty Ltd", False),
        ("Mutualis Smith", False),
        ("NDIS", True),
        ("NDIA (agency)", True),
        ("icare NSW", True),
        ("Insurances of Sample", True),
        ("Sample Assurance", True),
        ("Sample Health Funds", True),
        ("Krankenversicherung Muster", True),
        ("例の保険", True),
    ],
)
def test_an_insurer_is_known_by_whole_words(name: str, insurer: bool) -> None:  # noqa: FBT001
    """A person whose name holds the letters of an insurer's word is none."""
    changes: dict[str, Any] = {"custom_fields": None, "invoice_default_to": name, "invoice_email": None}
    assert any(item["stream"] == "hl_insurers" for item in mapped("patients", **changes)) is insurer


@pytest.mark.parametrize(
    "text",
    ["none", "N/A", "-", "🙂", "Self", "Self-paid", "Selfpay", "Pay as you go", "Not covered", "No private health insurance",
     "D.V.A.", "I don't have one", "Nil private (self funded)", "Gold hospital and extras", "Dept. of Veterans' Affairs",
     "None at the moment", "Family cover", "see card", "Same as husband", "will bring card", "can't remember", "on file",
     "not Bupa", "Ex-Bupa", "no longer with HCF", "Bupa (cancelled)", "was Bupa now HCF"],
)  # fmt: skip
def test_no_insurer_is_no_insurer(text: str) -> None:
    """What people type when there is no insurer makes none; the text is kept."""
    changes = {"custom_fields": answers(Health_fund=text), "invoice_default_to": None, "invoice_email": None}
    assert not [item for item in mapped("patients", **changes) if item["stream"] == "hl_insurers"]
    assert profile(**changes)["insurer"] == text


@pytest.mark.parametrize(
    "text", ["One Health Fund", "Family Health Insurance", "The Hospital Fund", "You Insured"]
)
def test_a_name_of_common_words_is_an_insurer(text: str) -> None:
    """Words that names are made of do not say that there is no insurer."""
    found = one("patients", "hl_insurers", custom_fields=answers(Health_fund=text), invoice_default_to=None)
    assert found["insurer_name"] == text


def test_dots_are_a_part_of_an_insurers_identity() -> None:
    """A load of an earlier version knows it by them: without, a delta would make it a second time."""
    typed = answers(Insurer="A.B.C Mutual")
    found = one("patients", "hl_insurers", custom_fields=typed, invoice_default_to=None)
    assert found["source_id"] == f"insurers/{sha256(b'a-b-c-mutual').hexdigest()[:16]}"


def test_spellings_of_an_insurer_are_one() -> None:
    """Spellings that the mapping lists, and case or blanks, give one insurer with one name."""
    for text in ("medibank", "MEDIBANK  private"):
        found = one("patients", "hl_insurers", custom_fields=answers(Insurer=text), invoice_default_to=None)
        assert (found["source_id"], found["insurer_name"]) == (
            "insurers/medibank-private",
            "Medibank Private",
        )


@pytest.mark.parametrize(
    ("typed", "named"),
    [
        ("Bupa (hospital)", ["Bupa"]),
        ("HCF - extras only", ["HCF"]),
        ("Private: Bupa", ["Bupa"]),
        ("Private (Bupa)", ["Bupa"]),
        ("Yes - Bupa", ["Bupa"]),
        ("Bupa / HCF", ["Bupa", "HCF"]),
        ("bupa and medibank", ["Bupa", "Medibank Private"]),
        ("Bupa & Co", ["Bupa"]),
        ("Nurses & Midwives Health", ["Nurses & Midwives Health"]),
        ("Blue Cross (Pacific)", ["Blue Cross"]),
        ("Medibank Private 12345678", ["Medibank Private"]),
        ("medibank private health cover", ["Medibank Private"]),
        ("Bupa\nMembership AB12", ["Bupa"]),
        ("Medibank / Jane Citizen 0491570156", ["Medibank Private"]),
        ("HCF (Mum's policy)", ["HCF"]),
        ("HCF 12345678", ["HCF"]),
        ("my husband's Bupa", ["Bupa"]),
        ("through HCF", ["HCF"]),
        ("Bupa cancelled, now HCF", ["HCF"]),
        ("Bupa (previously HCF)", ["Bupa"]),
        ("Medibank Private - no longer with NIB", ["Medibank Private"]),
        ("Nurses & Midwives Health, used to be with HCF and NIB", ["Nurses & Midwives Health"]),
        ("Bupa (formerly)", []),
        ("Bupa, cancelled", []),
        ("previously HCF and NIB", []),
        ("ex HCF, formerly NIB, now Bupa", ["Bupa"]),
        ("Left Bank Mutual", ["Left Bank Mutual"]),
        ("Odd Fellow Fund 1234 5678", []),
        ("Odd Fellow Fund\n12 Example Lane", []),
        ("Odd Fellow Fund 1901", ["Odd Fellow Fund 1901"]),
        ("Fund A", ["Fund A"]),
        ("B.U.P.A.", ["Bupa"]),
        ("B.U.P.A. 123", ["Bupa"]),
        ("Private (B.U.P.A.)", ["Bupa"]),
        ("A.B.C Mutual", ["A B C Mutual"]),
        ("Teachers\u00b4 Mutual", ["Teachers' Mutual"]),
        ("Teachers\u2032 Mutual", ["Teachers' Mutual"]),
        ("Self funded (cash)", []),
        ("as above", []),
        ("pending", []),
        ("no thanks", []),
        ("doesn\u2019t have one", []),
        ("NULL", []),
        ("TBD", []),
        ("nil PHI", []),
        ("will check", []),
        ("keine", []),
        ("\u7121", []),
        ("One Health", ["One Health"]),
        ("health.com.au", ["health.com.au"]),
    ],
)
def test_known_insurers_are_told_from_kinds_of_cover_beside_them(typed: str, named: list[str]) -> None:
    """A known one is named without what stands beside it, which may be about the patient; any other text is one name, or none."""
    found = mapped(
        "patients", custom_fields=answers(Insurer=typed), invoice_default_to=None, invoice_email=None
    )
    assert [item["insurer_name"] for item in found if item["stream"] == "hl_insurers"] == named
    assert profile(custom_fields=answers(Insurer=typed))["insurer"] == typed


def test_an_insurer_with_a_very_long_name_can_be_searched_for() -> None:
    """HighLevel's search takes 75 characters: longer identities are cut, and names that begin alike stay apart."""
    names = [f"{'The Very Long Established Mutual ' * 4}{place}" for place in ("North", "South", "NORTH")]
    found = [
        one("patients", "hl_insurers", custom_fields=answers(Insurer=name), invoice_default_to=None)
        for name in names
    ]
    north, south, again = (item["source_id"] for item in found)
    assert north == again != south
    assert max(len(north), len(south)) <= 75
    assert found[0]["source_system_id"] == north
    assert found[1]["insurer_name"].endswith("South")


def test_an_insurer_is_sent_once_in_a_run() -> None:
    """Two patients with the same insurer give one insurer record."""
    mapper = MessageMapper()
    lines = [
        line
        for number in ("1", "2")
        for line in mapper.record(
            {
                "type": "RECORD",
                "stream": "patients",
                "record": record("patients", id=number, invoice_default_to=None),
            }
        )
    ]
    sent = [
        line["record"]["source_id"] for line in lines if line["stream"] == "hl_insurers" and "record" in line
    ]
    # what was typed, and is no option of a list, stands in no identity: it could be anybody's name
    assert sent == [f"insurers/{sha256(b'example-health').hexdigest()[:16]}"]


@pytest.mark.parametrize(
    ("typed", "shown"),
    [
        ("teachers' MUTUAL", "Teachers' Mutual"),
        ("O\u2019BRIEN  fund", "O'Brien Fund"),
        ("vet's own insurance", "Vet's Own Insurance"),
        ("Smith & Sons Ins.", "Smith & Sons Ins"),
        ("MEDIBANK", "Medibank Private"),
        ("Teachers&#39; Mutual", "Teachers' Mutual"),
        ("Smith &amp; Co", "Smith & Co"),
        ("&lt;b&gt; fund", "Lt B&Gt Fund"),
    ],
)
def test_an_insurers_name_keeps_its_punctuation(typed: str, shown: str) -> None:
    """Signs that belong to a name stay; a spelling that the mapping lists becomes the insurer's one name."""
    found = one("patients", "hl_insurers", custom_fields=answers(Insurer=typed), invoice_default_to=None)
    assert found["insurer_name"] == shown


SPELLINGS = [
    ("Smith & Co Mutual", "SMITH  & co. Mutual", "Smith &amp; Co Mutual"),
    ("Smith Co. Mutual", "smith co mutual", "Smith, Co-Mutual"),
    ("Teachers' Mutual", "TEACHERS\u2019 mutual.", "Teachers&#39; Mutual"),
    ("F\u00f6rde Stra\u00dfe", "FO\u0308RDE STRASSE", "Fo\u0308rde-Strasse"),
]


@pytest.mark.parametrize("spellings", SPELLINGS)
def test_what_an_insurer_is_called_does_not_depend_on_who_is_read_first(spellings: tuple[str, ...]) -> None:
    """All patients share its record: of whom a run reads must not rename it, nor may a profile call it otherwise."""
    told = set()
    for typed in spellings:
        changes = {"custom_fields": answers(Insurer=typed), "invoice_default_to": None, "invoice_email": None}
        found = one("patients", "hl_insurers", **changes)
        told.add((found["source_id"], found["insurer_name"]))
        assert profile(**changes)["insurance_providers"] == f"{found['insurer_name']} ({found['source_id']})"
    assert len(told) == 1


def test_signs_of_html_are_read_in_every_name() -> None:
    """An employer or insurer that an import brought as ``O&#39;Brien`` is O'Brien, whoever names it."""
    typed = "O&#39;Brien &amp; Sons Insurance"
    found = profile(custom_fields=answers(Employer=typed, Insurer=typed))
    assert (found["employer"], found["insurer"]) == ("O'Brien & Sons Insurance",) * 2
    nobody = {"custom_fields": None, "invoice_default_to": None, "invoice_email": None}
    for changes in ({"custom_fields": answers(Insurer=typed)}, {"invoice_default_to": typed}):
        made = mapped("patients", **(nobody | changes))
        assert [item["insurer_name"] for item in made if item["stream"] == "hl_insurers"] == [
            found["insurer"]
        ]


def test_custom_fields_go_where_the_mapping_says_and_none_is_dropped() -> None:
    """Recognised fields fill their own, others stay labelled in one text."""
    found = profile(
        custom_fields=answers(Membership_number="00 12", Policy="P-1", NDIS_plan_end="2031-06-30", Pet="Cat")
    )
    assert (found["member_number"], found["policy_number"], found["ndis_plan_end"]) == (
        "00 12",
        "P-1",
        "2031-06-30",
    )
    assert found["other_fields"] == "Funding / Pet: Cat"


def test_a_second_date_for_one_place_is_kept_with_its_label() -> None:
    """Two fields may ask for the same day; only when they agree is one of them enough."""
    found = profile(custom_fields=answers(NDIS_plan_end="2031-06-30", NDIS_plan_review="1/7/2031"))
    assert (found["ndis_plan_end"], found["other_fields"]) == (
        "2031-06-30",
        "Funding / NDIS plan review: 1/7/2031",
    )
    found = profile(custom_fields=answers(NDIS_plan_end="2031-06-30", NDIS_plan_review="30/6/2031"))
    assert (found["ndis_plan_end"], found["other_fields"]) == ("2031-06-30", None)


def test_the_referring_doctor_is_related() -> None:
    """A patient's referring doctor is a relation between contacts, and a name on the profile."""
    assert {"association": "cliniko_referring_doctor", "to": "contact:contacts/56"} in contact()["relations"]
    assert profile(referring_doctor_id="55")["referring_doctor"] == "Example Health Fund (contacts/55)"


def test_a_practitioner_is_a_user_or_else_a_contact() -> None:
    """A practitioner is matched by his user's e-mail; his contact is left out when that succeeds."""
    user, person = mapped("practitioners")
    assert (user["email"], user["active"], user["filtered"]) == ("orla@clinic.example", True, None)
    assert person["skip_if_exists"] == ["user:practitioners/9"]
    assert (person["tags"], person["phone"]) == (["practitioner"], "+61491570156")


@pytest.mark.parametrize(
    ("changes", "reason", "tags"),
    [
        ({"active": False}, "inactive", ["practitioner", "inactive"]),
        ({"user_id": None}, "no_user", ["practitioner"]),
    ],
)
def test_a_practitioner_who_cannot_be_an_owner_is_counted(
    changes: dict[str, Any], reason: str, tags: list[str]
) -> None:
    """A practitioner who left, or has no user, is no user here and stays a tagged contact."""
    user, person = mapped("practitioners", **changes)
    assert (user["filtered"], person["tags"]) == (reason, tags)


@pytest.mark.parametrize(
    ("code", "tag"), [(0, "contact"), (1, "doctor"), (2, "third-party payer"), (None, "contact")]
)
def test_contacts_are_tagged_by_kind(code: int | None, tag: str) -> None:
    """Doctors, payers and other contacts are told apart; only payers are insurers."""
    found = mapped("contacts", type_code=code)
    assert found[0]["tags"] == [tag]
    assert [item["source_id"] for item in found[1:]] == (["contacts/55"] if code == 2 else [])


def test_an_invoice_keeps_its_amounts_exactly() -> None:
    """Amounts are decimals as text, and the invoice is related to its patient."""
    found = one("invoices", "hl_invoices")
    amounts = ("total_amount", "net_amount", "tax_amount", "discounted_amount")
    assert [found[name] for name in amounts] == ["104.5", "95", "9.5", "0"]
    assert (found["invoice_status"], found["invoice_number"]) == ("Paid", "1042")
    assert found["relations"] == [{"association": "cliniko_invoice_contact", "to": "contact:patients/7"}]


def test_an_invoice_item_is_related_to_its_invoice() -> None:
    """A line has its invoice, its service by id and name, and its tax as a rate."""
    found = one("invoice_items", "hl_invoice_items")
    assert found["relations"] == [
        {"association": "cliniko_invoice_items", "to": "custom_objects.cliniko_invoice:invoices/160"}
    ]
    assert (found["service_id"], found["service_name"]) == ("billable_items/50", "Standard consultation")
    assert (found["net_price"], found["total_including_tax"], found["tax_rate"]) == ("81.818", "90", "10")


@pytest.mark.parametrize(
    ("relation", "expected"),
    [
        (10, ("cliniko_parent_child", "patients/8", "patients/7")),
        (20, ("cliniko_parent_child", "patients/7", "patients/8")),
        (40, ("cliniko_spouse", "patients/7", "patients/8")),
        (None, ("cliniko_other_relation", "patients/7", "patients/8")),
    ],
)
def test_a_relationship_and_its_mirror_are_one_relation(
    relation: int | None, expected: tuple[str, ...]
) -> None:
    """Seen from either patient, a relationship gives the same relation."""
    mirror = {10: 20, 20: 10}.get(relation or 0, relation)
    for changes in (
        {"patient_id": "7", "related_patient_id": "8", "relation": relation},
        {"patient_id": "8", "related_patient_id": "7", "relation": mirror},
    ):
        found = one("relationships", "hl_relationships", **changes)
        association, first, second = expected
        assert (found["association"], found["first"], found["second"]) == (
            association,
            f"contact:{first}",
            f"contact:{second}",
        )
        assert found["absent"] is False
    assert one("relationships", "hl_relationships", archived_at=WHEN)["absent"] is True


def test_alerts_cases_and_referrals_add_to_the_profile() -> None:
    """Each is a partial record of the profile; archived alerts and referrals are taken back, cases stay."""
    alert = one("medical_alerts", "hl_patient_profiles")
    assert alert["medical_alerts"] == {"order": "2023-05-16T01:20:00Z", "text": "Latex"}
    assert one("medical_alerts", "hl_patient_profiles", archived_at=WHEN)["filtered"] == "not_in_force"
    case = one("patient_cases", "hl_patient_profiles", archived_at=WHEN)["cases"]["text"]
    assert case == (
        "Knee rehabilitation (patient_cases/110): referral: Yes; issued: 2024-02-20; expires: 2025-02-19; "
        "sessions: 5 at most, not attended ones count; amount: 1500 at most; "
        "referring doctor: Example Health Fund (contacts/55); archived: 2024-03-10 12:00 (Australia/Melbourne)\n"
        "After surgery"
    )
    referral = one("referral_sources", "hl_patient_profiles")
    assert (referral["referral_source"], referral["referrer"]) == (
        "Poster: Station",
        "Example Health Fund (contacts/55)",
    )
    assert one("referral_sources", "hl_patient_profiles", archived_at=WHEN)["referral_source"] is None


def test_an_attachment_tells_its_story_in_its_name() -> None:
    """A file's name has description and name, the original date and, at the end, the marker."""
    found = one("patient_attachments", "hl_files")
    assert found["file_name"] == "Referral letter - referral 2024-03-11 cliniko:patient_attachments/190.pdf"
    assert (found["file_size"], found["zip"], found["contact"]) == (48211, False, "patients/7")


@pytest.mark.parametrize(
    ("changes", "name", "zipped"),
    [
        ({"filename": "scan", "content_type": "image/png"}, "scan.png", False),
        ({"filename": "knee\u202egpj.pdf\u200b", "content_type": None}, "kneegpj.pdf", False),
        ({"filename": "a/b\\c:d.pdf"}, "a_b_c_d.pdf", False),
        ({"filename": "knee.DCM", "content_type": "application/octet-stream"}, "knee.DCM", True),
        ({"filename": "knee", "content_type": "application/dicom"}, "knee.dcm", True),
        ({"filename": "Letter Dr.Smith", "content_type": "application/pdf"}, "Letter Dr.Smith.pdf", False),
        ({"filename": "knee.jfif", "content_type": "image/jpeg"}, "knee.jfif.jpg", False),
        ({"filename": "knee.JPEG", "content_type": "image/jpeg"}, "knee.JPEG", False),
        ({"filename": "notes.pages", "content_type": "application/x-iwork"}, "notes.pages", False),
        ({"filename": None, "content_type": None}, "file", False),
        ({"filename": "例" * 100 + ".pdf"}, "例" * 66 + ".pdf", False),
    ],
)
def test_file_names_are_fit_for_every_system(changes: dict[str, Any], name: str, zipped: bool) -> None:  # noqa: FBT001
    """Names lose what file systems refuse, gain a missing extension, and DICOM is marked for zipping."""
    found = one("patient_attachments", "hl_files", description=None, **changes)
    stem, dot, extension = name.rpartition(".")
    behind = "2024-03-11 cliniko:patient_attachments/190"
    assert found["file_name"] == (f"{stem} {behind}.{extension}" if dot else f"{name} {behind}")
    assert found["zip"] is zipped


@pytest.mark.parametrize(
    ("status", "filtered", "reason"),
    [
        ("not_ready", "not_ready", None),
        ("not_requested", "not_requested", None),
        (None, "not_requested", None),
        ("too_large", None, "file_too_large"),
        ("unavailable", None, "file_unavailable"),
    ],
)
def test_files_without_bytes_are_counted(
    status: str | None, filtered: str | None, reason: str | None
) -> None:
    """An attachment whose bytes the tap has not is left out for now, or rejected, by the tap's reason."""
    found = one("patient_attachments", "hl_files", file_status=status)
    assert found.get("filtered") == filtered
    assert (found.get("rejected") or {}).get("reason") == reason
