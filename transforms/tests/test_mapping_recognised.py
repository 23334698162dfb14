"""The clinic's own fields in a clinic that configured nothing: what is recognised, and what is rather left alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from mapping_runs import mapped

from cliniko_to_highlevel import mapping
from cliniko_to_highlevel.answer_checks import fits

if TYPE_CHECKING:
    from pathlib import Path

NO_INVOICE: dict[str, Any] = {"invoice_default_to": None, "invoice_email": None}


def moved(
    section: str, label: str, value: str, path: str | None = None
) -> tuple[dict[str, Any], dict[str, Any] | None]:
    """Return the profile of a patient with this one answer, and the insurer that it makes."""
    fields = {"sections": [{"name": section, "fields": [{"name": label, "type": "text", "value": value}]}]}
    found = mapped("patients", path, given={"public_settings": None}, custom_fields=fields, **NO_INVOICE)
    profile = next(item for item in found if item["stream"] == "hl_patient_profiles")
    return profile, next((item for item in found if item["stream"] == "hl_insurers"), None)


@pytest.mark.parametrize(
    ("section", "label", "value", "target"),
    [
        ("Funding", "Health Fund", "Example Health", "insurer"),
        ("Funding", "Private health insurance", "AAMI 24", "insurer"),
        ("Funding", "Health fund member number", "00 12", "member_number"),
        ("Funding", "Membership No.", "HBF-991", "member_number"),
        ("Health fund", "Membership", "HBF-991", "member_number"),
        ("Private health", "No.", "HBF-991", "member_number"),
        ("Funding", "Which health fund are you with?", "Example Health", "insurer"),
        ("Funding", "Insurance policy number", "P-1", "policy_number"),
        ("Funding", "Policy", "P-1", "policy_number"),
        ("Funding", "Policy #", "P-1", "policy_number"),
        ("Funding", "NDIS Number", "430000000", "ndis_number"),
        ("Funding", "NDIS participant number", "430000000", "ndis_number"),
        ("Funding", "NDIS", "430000000", "ndis_number"),
        ("Funding", "NDIS #", "430000000", "ndis_number"),
        ("Funding", "NDIS plan start date", "2030-07-01", "ndis_plan_start"),
        ("Funding", "NDIS plan end date", "2031-06-30", "ndis_plan_end"),
        ("NDIS", "Plan review date", "2031-06-30", "ndis_plan_end"),
        ("NDIS details", "Plan start", "2030-07-01", "ndis_plan_start"),
        ("Funding", "Plan manager", "Example Plans", "ndis_plan_manager"),
        ("Funding", "NDIS plan manager number", "Example Plans", "ndis_plan_manager"),
        ("Funding", "Claim number", "C 77", "claim_number"),
        ("Funding", "Claim #", "C 77", "claim_number"),
        ("", "Employer", "Example Ltd", "employer"),
        ("Work", "Name of employer", "Example Ltd", "employer"),
        ("Intake", "Where do you work?", "Example Ltd", "employer"),
        ("Child", "Which school?", "Example Primary", "school"),
        ("Primary insurance", "Subscriber ID", "W 77", "member_number"),
        ("Extended health", "Plan number", "P-1", "policy_number"),
        ("Workers comp", "Carrier", "Example Mutual", "insurer"),
        ("ACC", "ACC45", "AB12345", "claim_number"),
        ("Intake", "Who are you insured with?", "Example Mutual", "insurer"),
        ("Funding", "Name of plan manager", "Example Plans", "ndis_plan_manager"),
        ("Billing", "WCB claim", "C 77", "claim_number"),
        ("Employer details", "Name", "Example Ltd", "employer"),
        ("Child", "Name of cr\u00e8che/school", "Example Primary", "school"),
        ("Child", "High school / college", "Example High", "school"),
    ],
)
def test_usual_labels_are_recognised(section: str, label: str, value: str, target: str) -> None:
    """The shipped patterns know the usual labels."""
    profile, _ = moved(section, label, value)
    assert (profile[target], profile["other_fields"]) == (value, None)


@pytest.mark.parametrize(
    ("section", "label"),
    [
        ("Forms", "Cancellation policy agreed"),
        ("Forms", "Cancellation policy"),
        ("Forms", "Privacy policy signed"),
        ("Funding", "Policy holder name / DOB"),
        ("Funding", "NDIS participant?"),
        ("Funding", "NDIS (Yes / No)"),
        ("Funding", "NDIS plan manager phone number"),
        ("Funding", "Plan manager e-mail"),
        ("Funding", "Support coordinator"),
        ("Funding", "Care plan manager"),
        ("Funding", "Care plan expiry"),
        ("Funding", "EPC plan expiry"),
        ("Funding", "GP Management Plan review"),
        ("NDIS and Medicare", "GP Management Plan review"),
        ("Funding", "Treatment plan review"),
        ("Funding", "Claim notes"),
        ("Funding", "Claim refused"),
        ("Funding", "Health fund membership"),
        ("Funding", "Health fund card number"),
        ("Funding", "Health fund ref"),
        ("Funding", "Health fund expiry"),
        ("Funding", "Insurance contact phone"),
        ("Funding", "Insurer claims email"),
        ("Funding", "Health cover level"),
        ("Funding", "Insurance plan"),
        ("Funding", "Insurance tier"),
        ("Funding", "Insurance deductible"),
        ("Funding", "Insurance limit"),
        ("Funding", "Insurance verified by"),
        ("Funding", "Insurance holder"),
        ("Funding", "Insurance case manager"),
        ("Funding", "Insurance relationship"),
        ("Funding", "Health fund waiting period"),
        ("Funding", "NDIS plan management type"),
        ("Staff", "Staff member? (Yes/No)"),
        ("Family", "Family member contact no"),
        ("Sport", "Gym membership"),
        ("Other", "Treatment goals"),
        ("Other", "Preferred room"),
        ("Work", "Employer phone"),
        ("Work", "Employer aware of injury?"),
        ("Child", "School holidays"),
        ("Insurance", "Group number"),
        ("Insurance", "Authorisation number"),
        ("Insurance", "National insurance number"),
        ("National Insurance", "Number"),
        ("Social insurance", "Number"),
        ("Health Insurance Commission", "Number"),
        ("Provincial health insurance", "ID"),
        ("Insurance", "Scheme name"),
        ("Insurance", "Insured person's employer"),
        ("Child", "Mother's employer"),
        ("Patient", "Occupation and employer"),
        ("Patient", "Employer/school"),
        ("Patient", "School or workplace"),
        ("Patient", "YMCA member ID"),
        ("Patient", "RSL membership number"),
    ],
)
def test_labels_that_only_look_alike_are_kept(section: str, label: str) -> None:
    """What is about something else keeps its label, and makes nobody an insurer."""
    profile, insurer = moved(section, label, "HBF 9 of 2025")
    assert profile["other_fields"] == f"{section} / {label}: HBF 9 of 2025"
    assert insurer is None
    assert not any(profile[target] for target in mapping.FIELD_TARGETS)


@pytest.mark.parametrize(
    ("label", "value"),
    [
        ("Health fund", "2025-01-31"),
        ("Health fund", "31 December 2025"),
        ("Health fund", "0491 570 156"),
        ("Health fund", "AB12345678"),
        ("Health fund", "claims@fund.example"),
        ("Health fund", "Yes"),
        ("Plan manager", "no"),
        ("NDIS number", "Yes"),
        ("Policy number", "not known"),
        ("Member number", "2025-01-31"),
        ("Claim number", "claims@fund2.example"),
        ("NDIS plan end", "soon"),
    ],
)
def test_an_answer_that_cannot_be_right_is_kept_with_its_label(
    label: str, value: str, tmp_path: Path
) -> None:
    """A recognised field takes only what it is for; a field that the clinic named takes what it is given."""
    profile, insurer = moved("Funding", label, value)
    assert profile["other_fields"] == f"Funding / {label}: {value}"
    assert insurer is None
    path = tmp_path / "mapping.yml"
    path.write_text(f"custom_fields: {{named: {{{label}: school}}}}")
    assert not fits("school", value) or value in {"not known", "soon"}
    named, _ = moved("Funding", label, value, str(path))
    assert (named["school"], named["other_fields"]) == (value, None)


def test_no_value_is_lost_where_two_fields_go_to_one_place() -> None:
    """Texts stand one after the other, both insurers are the patient's, and a second date is kept with its label."""
    given = [
        ("Employer", "Example Ltd"),
        ("Name of employer", "Example Inc"),
        ("Health fund", "Bupa"),
        ("Which health fund are you with?", "HCF"),
        ("NDIS plan end date", "2031-06-30"),
        ("NDIS plan review date", "2031-05-31"),
    ]
    fields = [{"name": label, "type": "text", "value": value} for label, value in given]
    sections = {"sections": [{"name": "Intake", "fields": fields}]}
    found = mapped("patients", given={"public_settings": None}, custom_fields=sections, **NO_INVOICE)
    profile = next(item for item in found if item["stream"] == "hl_patient_profiles")
    assert profile["employer"] == "Example Ltd; Example Inc"
    assert profile["insurer"] == "Bupa; HCF"
    insurers = {item["insurer_name"] for item in found if item["stream"] == "hl_insurers"}
    assert insurers == {"Bupa", "HCF"}
    assert profile["ndis_plan_end"] == "2031-06-30"
    assert profile["other_fields"] == "Intake / NDIS plan review date: 2031-05-31"


def test_chosen_options_go_each_where_it_fits() -> None:
    """Of several answers to one question those that fit go to the field, the others keep the label."""
    fields = {
        "sections": [
            {
                "name": "Funding",
                "fields": [
                    {
                        "name": "Health fund",
                        "type": "checkboxes",
                        "options": [
                            {"name": "Yes", "selected": True},
                            {"name": "Example Health", "selected": True},
                        ],
                    }
                ],
            }
        ]
    }
    found = mapped("patients", custom_fields=fields, **NO_INVOICE)
    profile = next(item for item in found if item["stream"] == "hl_patient_profiles")
    assert (profile["insurer"], profile["other_fields"]) == ("Example Health", "Funding / Health fund: Yes")


def test_an_option_that_is_no_insurer_makes_nobody_one() -> None:
    """The options of a fund field are insurers that invoices may name; its *Yes* is not."""
    definition = {
        "sections": [
            {
                "name": "Funding",
                "fields": [
                    {"name": "Health fund", "token": "t", "options": [{"name": "Yes"}, {"name": "Fund A"}]}
                ],
            }
        ]
    }
    settings = {"public_settings": {"patient_custom_fields_definition": definition}}
    for name, refs in (("Yes", []), ("Fund A", ["insurers/fund-a"])):
        changes = {"custom_fields": None, "invoice_default_to": name, "invoice_email": None}
        found = mapped("patients", given=settings, **changes)
        assert [item["source_id"] for item in found if item["stream"] == "hl_insurers"] == refs
