"""Patient profiles: everything Cliniko knows of a patient that a contact has no place for."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from cliniko_to_highlevel.clinic_fields import OTHER_FIELDS
from cliniko_to_highlevel.contacts import CONTACTS, is_merged, named
from cliniko_to_highlevel.errors import Filter
from cliniko_to_highlevel.formats import joined
from cliniko_to_highlevel.insurers import covers
from cliniko_to_highlevel.mapping_checks import DATE_TARGETS, FIELD_TARGETS
from cliniko_to_highlevel.markup import readable
from cliniko_to_highlevel.people import STATE_OF_RECORD, YES_NO, given_names, hidden_at, record_state, yes_no
from cliniko_to_highlevel.streams import OF_CONTACT, Association, Output, Stream, custom

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cliniko_to_highlevel.custom_fields import Answers
    from cliniko_to_highlevel.reference import Reference
    from cliniko_to_highlevel.row import Row
    from cliniko_to_highlevel.streams import Property

#: The five forms of a pronoun set, in the order people write them.
_PRONOUNS = ("nominative", "accusative", "pronominal_possessive", "predicative_possessive", "reflexive")

#: Fields of the profile that are a text of the patient: property -> (Cliniko field, label, type).
_TEXTS = {
    "title": ("title", "Title", "TEXT"),
    "preferred_first_name": ("preferred_first_name", "Preferred first name", "TEXT"),
    "sex": ("sex", "Sex", "TEXT"),
    "gender": ("gender", "Gender", "TEXT"),
    "gender_identity": ("gender_identity", "Gender identity", "TEXT"),
    "occupation": ("occupation", "Occupation", "TEXT"),
    "emergency_contact": ("emergency_contact", "Emergency contact", "TEXT"),
    "medicare": ("medicare", "Medicare number", "TEXT"),
    "medicare_reference_number": ("medicare_reference_number", "Medicare reference number", "TEXT"),
    "dva_card_number": ("dva_card_number", "DVA card number", "TEXT"),
    "old_reference_id": ("old_reference_id", "Old reference id", "TEXT"),
    "time_zone": ("time_zone", "Time zone", "TEXT"),
    "reminder_type": ("reminder_type", "Reminder type", "TEXT"),
    "invoice_default_to": ("invoice_default_to", "Invoice to", "LARGE_TEXT"),
    "invoice_email": ("invoice_email", "Invoice email", "TEXT"),
    "invoice_extra_information": ("invoice_extra_information", "Invoice extra information", "LARGE_TEXT"),
    "appointment_notes": ("appointment_notes", "Appointment notes", "LARGE_TEXT"),
    "notes": ("notes", "Notes", "LARGE_TEXT"),
    "referral_text": ("referral_source", "Referral source (old text)", "TEXT"),
}

#: Yes, no or unknown.
_CONSENTS = {
    "accepted_privacy_policy": "Accepted privacy policy",
    "accepted_email_marketing": "Accepted email marketing",
    "accepted_sms_marketing": "Accepted SMS marketing",
    "receives_confirmation_emails": "Receives confirmation emails",
    "receives_cancellation_emails": "Receives cancellation emails",
}

#: What the clinic's own fields may fill, with the labels of the profile's fields.
_TARGET_LABELS = {
    "insurer": "Insurer",
    "member_number": "Member number",
    "policy_number": "Policy number",
    "claim_number": "Claim number",
    "ndis_number": "NDIS number",
    "ndis_plan_start": "NDIS plan start",
    "ndis_plan_end": "NDIS plan end",
    "ndis_plan_manager": "NDIS plan manager",
    "employer": "Employer",
    "school": "School",
}

#: The folders in which people find the fields, in their order; what is in none of these is in the last one.
_FOLDERS = {
    "Identity": (
        "patient_name", "title", "preferred_first_name", "pronouns", "sex", "gender", "gender_identity", "occupation", "employer",
        "school", "emergency_contact",
    ),
    "Insurance": (
        "insurer", "insurance_providers", "member_number", "policy_number", "claim_number", "medicare",
        "medicare_reference_number", "dva_card_number", "concession", "invoice_default_to", "invoice_email",
        "invoice_extra_information",
    ),
    "NDIS": ("ndis_number", "ndis_plan_start", "ndis_plan_end", "ndis_plan_manager"),
    "Clinical": (
        "medical_alerts", "cases", "appointment_notes", "notes", "referring_doctor", "referral_source", "referrer",
        "referral_notes", "referral_text",
    ),
}  # fmt: skip


def _in_folders(properties: dict[str, Property]) -> dict[str, Property]:
    """Return the properties in the order of the folders, each of a field with the name of its folder."""
    places = {name: folder for folder, names in _FOLDERS.items() for name in names}
    found = {
        name: properties[name] for name in [*places, *(name for name in properties if name not in places)]
    }
    return {
        name: replace(item, highlevel={**item.highlevel, "folder": places.get(name, OTHER_FIELDS)})
        if item.highlevel and item.highlevel["field"] == "custom"
        else item
        for name, item in found.items()
    }


PROFILES = Stream(
    name="hl_patient_profiles",
    kind="custom_object",
    key="custom_objects.cliniko_patient_profile",
    labels=("Patient profile", "Patient profiles"),
    description="Everything Cliniko knows of a patient that a contact has no place for.",
    primary="patient_name",
    searchable=("patient_name", "source_system_id"),
    steering=("contributor", "relations", "owner_of"),
    associations=(
        Association(
            "cliniko_profile_contact",
            "contact",
            "Patient",
            "custom_objects.cliniko_patient_profile",
            "Profile",
        ),
    ),
    properties=_in_folders(
        {
            "patient_name": custom("Patient name", "First and last name."),
            "owner": OF_CONTACT,
            "source_system_id": custom("Source System ID", "Identity in Cliniko."),
            **{
                name: custom(label, f"Patient field {field}.", kind=kind)
                for name, (field, label, kind) in _TEXTS.items()
            },
            "pronouns": custom("Pronouns", "All five forms."),
            "concession": custom("Concession", "Concession type."),
            "referring_doctor": custom("Referring doctor", "Name and identity of the referring doctor."),
            **{
                name: custom(label, f"Consent: patient field {name}.", kind="SINGLE_OPTIONS", options=YES_NO)
                for name, label in _CONSENTS.items()
            },
            **{
                name: custom(
                    _TARGET_LABELS[name],
                    "From the clinic's own fields, by the mapping.",
                    kind="DATE" if name in DATE_TARGETS else "TEXT",
                )
                for name in FIELD_TARGETS
            },
            "insurance_providers": custom(
                "Insurance providers", "Names and identities of the related insurers.", kind="LARGE_TEXT"
            ),
            "other_fields": custom(
                "Other Cliniko fields",
                "Answers to the clinic's own fields that no field of their own can hold, labelled.",
                kind="LARGE_TEXT",
            ),
            **STATE_OF_RECORD,
            "medical_alerts": custom(
                "Medical alerts", "One line for each alert in force.", kind="LARGE_TEXT", fold="lines"
            ),
            "cases": custom("Cases", "One entry for each case.", kind="LARGE_TEXT", fold="lines"),
            "referral_source": custom("Referral source", "How the patient came to the clinic.", fold="only"),
            "referrer": custom("Referrer", "Who referred the patient.", fold="only"),
            "referral_notes": custom(
                "Referral notes", "Notes on the referral.", kind="LARGE_TEXT", fold="only"
            ),
        }
    ),
)


def from_patient(row: Row, answers: Answers, reference: Reference) -> Iterator[Output]:
    """Yield a patient's profile; of one merged away nothing is written."""
    record = PROFILES.blank(row.source_id)
    if is_merged(row):
        yield Output(PROFILES.name, {**record, "filtered": Filter.MERGED.value})
        return
    state = {"record_state": record_state(row), "hidden_at": reference.local_date(hidden_at(row))}
    if (
        row.source_id in reference.left_out_patients
    ):  # what it is now, for one that was archived after it was loaded
        yield Output(PROFILES.name, {**record, **state, "filtered": Filter.ARCHIVED.value})
        return
    record |= {name: readable(row.text(field)) for name, (field, _, _) in _TEXTS.items()}
    record |= {name: yes_no(row.flag(name)) for name in _CONSENTS}
    record |= {name: joined("; ", *dict.fromkeys(answers.targets.get(name, ()))) for name in FIELD_TARGETS}
    record |= {name: next(iter(answers.targets.get(name, ())), None) for name in DATE_TARGETS}
    record |= {
        "relations": [{"association": "cliniko_profile_contact", "to": CONTACTS.ref(row.source_id)}],
        "owner_of": CONTACTS.ref(row.source_id),
        "patient_name": joined(" ", *given_names(row)),
        "source_system_id": row.source_id,
        "pronouns": _pronouns(row),
        "concession": _concession(row, reference),
        "referring_doctor": named(reference, row.reference("referring_doctor_id")),
        "insurance_providers": _insurers(row, answers, reference),
        "other_fields": joined("\n", *answers.kept),
        "created_in_cliniko": reference.local_date(row.instant("created_at")),
        **state,
        **answers.profile,
    }
    yield Output(PROFILES.name, record)


def from_case(row: Row, reference: Reference) -> Iterator[Output]:
    """Yield what a case adds to the profile; a closed or archived one stays, saying so."""
    yield from _partial(row, {"cases": line_of(row, _case(row, reference))})


def from_referral_source(row: Row, reference: Reference) -> Iterator[Output]:
    """Yield what a referral adds to the profile; an archived one is taken back."""
    live = not hidden_at(row)
    kind = reference.referral_types.get(row.reference("referral_source_type_id") or "") or row.linked(
        "referral_source_type_id", "referral_source_types"
    )
    facts = {
        "referral_source": joined(": ", kind, row.text("subcategory")),
        "referrer": _referrer(row, reference),
        "referral_notes": readable(row.text("notes")),
    }
    yield from _partial(row, {name: text if live else None for name, text in facts.items()})
    patient = row.linked("patient_id", "patients")
    if patient:
        # one that is archived or says nothing gives nothing: of several the last would decide
        kind = reference.referral_types.get(row.reference("referral_source_type_id") or "")
        source = joined(": ", kind, row.text("subcategory")) if live else None
        told = {"source_id": patient, "contributor": row.source_id, "source": source}
        yield Output(CONTACTS.name, told)


def _partial(row: Row, facts: dict[str, Any]) -> Iterator[Output]:
    patient = row.linked("patient_id", "patients")
    if not patient:
        facts = {"filtered": Filter.NO_PATIENT.value}
    yield Output(
        PROFILES.name, {"source_id": patient or row.source_id, "contributor": row.source_id, **facts}
    )


def line_of(row: Row, text: str | None) -> dict[str, str] | None:
    """Return a line for a text that several records add to, in the order in which these were made."""
    return {"order": row.instant("created_at") or "", "text": text} if text else None


def _pronouns(row: Row) -> str | None:
    forms = row.part("pronouns")
    return joined("/", *(forms.text(form) for form in _PRONOUNS))


def _concession(row: Row, reference: Reference) -> str | None:
    concession = row.reference("concession_type_id")
    return reference.concessions.get(concession, f"concession_types/{concession}") if concession else None


def _insurers(row: Row, answers: Answers, reference: Reference) -> str | None:
    return joined("\n", *(f"{cover.name} ({cover.source_id})" for cover in covers(row, answers, reference)))


def _referrer(row: Row, reference: Reference) -> str | None:
    referrer = row.reference("referrer_id")
    if not referrer:
        return None
    if (row.text("referrer_type") or "contact").casefold() != "contact":
        return None  # patients are read later than who referred, and a number is no name
    return named(reference, referrer)


def _case(row: Row, reference: Reference) -> str:
    sessions, amount = row.whole("max_sessions"), row.amount("max_invoiceable_amount")
    facts = {
        "referral": row.text("referral_type") or ("Yes" if row.flag("referral") else None),
        "issued": row.date("issue_date"),
        "expires": row.date("expiry_date"),
        "sessions": None if sessions is None else f"{sessions} at most{_counted(row)}",
        "amount": amount and f"{amount} at most",
        "referring doctor": named(reference, row.reference("contact_id")),
        "closed": reference.format_time(row.instant("closed_at")) or ("Yes" if row.flag("closed") else None),
        "archived": reference.format_time(hidden_at(row)),
    }
    told = "; ".join(f"{name}: {text}" for name, text in facts.items() if text)
    headline = f"{row.text('name') or 'Case'} ({row.source_id})"
    return "\n".join(
        text for text in (f"{headline}: {told}" if told else headline, readable(row.text("notes"))) if text
    )


def _counted(row: Row) -> str:
    """Return which visits beside those attended use up the sessions of a case."""
    also = [
        name
        for name, field in (
            ("cancelled", "include_cancelled_attendees"),
            ("not attended", "include_dna_attendees"),
        )
        if row.flag(field)
    ]
    return f", {' and '.join(also)} ones count" if also else ""
