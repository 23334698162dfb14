"""Contacts: patients, Cliniko's contacts and practitioners without a user; what bookings add to patients."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cliniko_to_highlevel.emails import emails
from cliniko_to_highlevel.errors import Filter
from cliniko_to_highlevel.formats import joined
from cliniko_to_highlevel.insurers import INSURERS, covers
from cliniko_to_highlevel.people import Address, address, given_names, hidden_at, is_name
from cliniko_to_highlevel.phones import Phones
from cliniko_to_highlevel.reference_types import PAYER_TYPE, contact_name
from cliniko_to_highlevel.streams import (
    BOOLEAN,
    OWNER,
    STRINGS,
    Association,
    Output,
    Property,
    Stream,
    custom,
    routing,
    standard,
)
from cliniko_to_highlevel.visits import VISIT_FIELDS, visit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cliniko_to_highlevel.custom_fields import Answers
    from cliniko_to_highlevel.mapping import ClinicMapping
    from cliniko_to_highlevel.reference import Reference
    from cliniko_to_highlevel.reference_types import Booking
    from cliniko_to_highlevel.row import Row

DOCTOR_TYPE = 1
#: The source of a contact of whom Cliniko does not say how they came to the clinic.
NO_SOURCE = "Cliniko"

CONTACTS = Stream(
    name="hl_contacts",
    kind="contact",
    description="One contact for each patient, doctor, payer, other contact and practitioner without a user.",
    steering=("contributor", "skip_if_exists", "relations", "priority"),
    file_field="cliniko_files",
    associations=(
        Association(
            "cliniko_insurer", "contact", "Insured patient", INSURERS.key, "Insurance provider", overflow=10
        ),
        Association(
            "cliniko_referring_doctor",
            "contact",
            "Referred patient",
            "contact",
            "Referring doctor",
            overflow=4,
        ),
    ),
    properties={
        "firstName": standard("firstName", "First name; of a company, its name."),
        "lastName": standard("lastName", "Last name."),
        "email": standard("email", "First valid e-mail address."),
        "phone": standard("phone", "First valid phone number, mobiles first, in E.164."),
        "dateOfBirth": standard("dateOfBirth", "Date of birth."),
        "address1": standard(
            "address1", "Street lines, joined, with the country where it has no known code."
        ),
        "city": standard("city", "City or suburb."),
        "state": standard("state", "State or region."),
        "postalCode": standard("postalCode", "Postcode."),
        "country": standard("country", "Country, ISO 3166 alpha-2."),
        "gender": standard(
            "gender", "male or female; HighLevel takes it only when a contact is created.", create_only=True
        ),
        "companyName": standard("companyName", "Company of a contact.", create_only=True),
        "source": standard("source", "The patient's referral source, else Cliniko.", fold="only"),
        "tags": Property(
            {"type": ["array", "null"], "items": {"type": "string"}},
            "Tags.",
            {"field": "tags", "fold": "union"},
        ),
        "dnd_email": Property(
            BOOLEAN,
            "Do not disturb by e-mail; where Cliniko does not say, HighLevel's setting stays.",
            {"field": "dnd", "channel": "Email"},
        ),
        "dnd_sms": Property(
            BOOLEAN,
            "Do not disturb by SMS; where Cliniko does not say, HighLevel's setting stays.",
            {"field": "dnd", "channel": "SMS"},
        ),
        "owner": Property(
            OWNER,
            "User of the practitioner of the next booking, else of the latest.",
            {"field": "owner", "fold": "owner"},
        ),
        "businesses": routing(
            "Businesses where the patient has anything, which decide the sub-accounts; of others than patients null."
        ),
        "archived": Property(
            BOOLEAN, "Whether it is archived in Cliniko.", {"field": "standing", "name": "archived"}
        ),
        "keeps": Property(
            STRINGS,
            "Shared e-mails and phones that somebody has decided to be this one's.",
            {"field": "standing", "name": "keeps"},
        ),
        "guardians": Property(
            STRINGS,
            "Contacts of the patient's parents.",
            {"field": "standing", "name": "guardians", "fold": "union"},
        ),
        "cliniko_medical_alerts": custom(
            "Cliniko medical alerts", "One line for each alert in force.", kind="LARGE_TEXT", fold="lines"
        ),
        **VISIT_FIELDS,
        "cliniko_appointment_type": custom(
            "Cliniko appointment type",
            "Every type of appointment the patient has had.",
            kind="MULTIPLE_OPTIONS",
            fold="union",
            options=(),
        ),
        "cliniko_location": custom(
            "Cliniko location",
            "Every location where the patient has had appointments.",
            kind="MULTIPLE_OPTIONS",
            fold="union",
            options=(),
        ),
        "cliniko_email": custom(
            "Cliniko email", "E-mail as typed in Cliniko, even when another contact has it."
        ),
        "cliniko_phone": custom(
            "Cliniko phone", "Phone, even when another contact has it or it is not valid."
        ),
        "cliniko_phone_numbers": custom(
            "Cliniko phone numbers", "Every number as typed, with its kind.", kind="LARGE_TEXT"
        ),
        "cliniko_title": custom("Cliniko title", "Form of address."),
        "cliniko_preferred_name": custom("Cliniko preferred name", "Preferred first name."),
        "cliniko_occupation": custom("Cliniko occupation", "Occupation; of a practitioner the designation."),
        "cliniko_company": custom(
            "Cliniko company", "Company of a contact; kept up to date, unlike the standard field."
        ),
        "cliniko_provider_number": custom("Cliniko provider number", "Provider number of a doctor."),
        "cliniko_doctor_type": custom("Cliniko doctor type", "General practitioner or specialist."),
        "cliniko_contact_notes": custom(
            "Cliniko contact notes", "Notes on a contact; a practitioner's description.", kind="LARGE_TEXT"
        ),
        "cliniko_archived_at": custom(
            "Cliniko archived at", "Day on which it was archived or deleted in Cliniko.", kind="DATE"
        ),
        "cliniko_created_at": custom(
            "Cliniko created at", "Day on which it was created in Cliniko.", kind="DATE"
        ),
        "source_system_id": custom("Source System ID", "Identity in Cliniko."),
        "cliniko_files": custom("Cliniko files", "Takes the patient's attachments.", kind="FILE_UPLOAD"),
    },
)


def from_patient(row: Row, answers: Answers, reference: Reference) -> Iterator[Output]:
    """Yield a patient's contact; one merged away or left out is only counted, and tagged if it is there already."""
    record = CONTACTS.blank(row.source_id)
    mapping, hidden = reference.mapping, hidden_at(row)
    if is_merged(row):
        tags = mapping.tag("patient", "merged")  # for one that was loaded before it was merged
        yield Output(CONTACTS.name, {**record, "filtered": Filter.MERGED.value, "tags": tags})
        return
    archived = {"archived": hidden is not None, "cliniko_archived_at": reference.local_date(hidden)}
    if row.source_id in reference.left_out_patients:
        tags = mapping.tag("patient", "archived")  # likewise for one that was archived since
        yield Output(CONTACTS.name, {**record, **archived, "filtered": Filter.ARCHIVED.value, "tags": tags})
        return
    record |= _address_fields(row, "patient_phone_numbers", reference) | archived
    first, last = given_names(row)
    record |= {
        "priority": row.date("date_of_birth"),
        "businesses": [],
        "firstName": first,
        "lastName": last,
        "dateOfBirth": row.date("date_of_birth"),
        "gender": _gender(row),
        "tags": [
            *mapping.tag("patient", *(["archived"] if hidden else [])),
            *_address_tags(record, mapping),
        ],
        "dnd_email": _dnd(
            row,
            "accepted_email_marketing",
            switched_on=mapping.consent["no_to_email_marketing_means_do_not_disturb"],
        ),
        "dnd_sms": _dnd(
            row,
            "accepted_sms_marketing",
            switched_on=mapping.consent["no_to_sms_marketing_means_do_not_disturb"],
        ),
        "cliniko_title": row.text("title"),
        "cliniko_preferred_name": row.name("preferred_first_name"),
        "cliniko_occupation": row.text("occupation"),
        "relations": _relations(row, answers, reference),
        **answers.contact,
    }
    yield Output(CONTACTS.name, record)


def from_contact(row: Row, reference: Reference) -> Iterator[Output]:
    """Yield the contact of a doctor, payer or other contact."""
    mapping = reference.mapping
    kind = {DOCTOR_TYPE: "doctor", PAYER_TYPE: "payer"}.get(row.whole("type_code") or 0, "other_contact")
    hidden = hidden_at(row)
    first, last = _names(row, contact_name(row))
    company = row.name("company_name")
    record = CONTACTS.blank(row.source_id)
    record |= _address_fields(row, "phone_numbers", reference)
    record |= {
        "firstName": first,
        "lastName": last,
        "companyName": company,
        "tags": [*mapping.tag(kind, *(["archived"] if hidden else [])), *_address_tags(record, mapping)],
        "archived": hidden is not None,
        "cliniko_title": row.text("title"),
        "cliniko_preferred_name": row.name("preferred_name"),
        "cliniko_occupation": row.text("occupation"),
        "cliniko_company": company,
        "cliniko_provider_number": row.text("provider_number"),
        "cliniko_doctor_type": (row.text("doctor_type") or "").replace("_", " ").capitalize() or None,
        "cliniko_contact_notes": row.text("notes"),
        "cliniko_archived_at": reference.local_date(hidden),
    }
    yield Output(CONTACTS.name, record)


def from_practitioner(row: Row, reference: Reference) -> Iterator[Output]:
    """Yield the contact of a practitioner; the target leaves it out when a HighLevel user matches him."""
    user = reference.users.get(row.reference("user_id") or "")
    active = row.flag("active") is not False
    record = CONTACTS.blank(row.source_id)
    record |= _person(user, Address(), phones_of(user, reference), row, reference)
    known_as = (name for name in (row.text("display_name"), row.text("label")) if is_name(name))
    first, last = _names(row, next(known_as, row.source_id))
    record |= {
        "skip_if_exists": [f"user:{row.source_id}"],
        "firstName": first,
        "lastName": last,
        "tags": [
            *reference.mapping.tag("practitioner", *([] if active else ["inactive_practitioner"])),
            *_address_tags(record, reference.mapping),
        ],
        "archived": not active,
        "cliniko_title": row.text("title"),
        "cliniko_preferred_name": row.text("display_name"),
        "cliniko_occupation": row.text("designation"),
        "cliniko_contact_notes": row.text("description"),
    }
    yield Output(CONTACTS.name, record)


def _names(row: Row, otherwise: str | None) -> tuple[str | None, str | None]:
    """Return first and last name; where none of them is a name, but a dot that a form insisted on, something else."""
    first, last = row.name("first_name"), row.name("last_name")
    return (first, last) if is_name(first) or is_name(last) else (otherwise, None)


def from_booking(
    row: Row,
    patient: str,
    booking: Booking | None,
    reference: Reference,
    state: str = "booked",
    business: str | None = None,
) -> Output:
    """Return what a booking adds to its patient's contact; without one, what it added is taken back.

    A cancelled booking adds nothing but its business: it is a task or event of the patient there all the same.
    """
    names = ("cliniko_appointment_type", "cliniko_location", "owner", "visit")
    facts: dict[str, Any] = dict.fromkeys(names)
    if booking:
        kind = reference.appointment_type(booking.appointment_type_id)
        location = reference.location(booking.business_id)
        facts = {
            "cliniko_appointment_type": [kind] if kind else None,
            "cliniko_location": [location] if location else None,
            "owner": _owner(booking),
            "visit": visit(booking, state, reference),
        }
    facts["businesses"] = [business] if business else None
    return Output(CONTACTS.name, {"source_id": patient, "contributor": row.source_id, **facts})


def from_nobody(row: Row) -> Output:
    """Return what takes back all that a record gave to a contact, whoever that was: it has no patient any more."""
    record = {"source_id": row.source_id, "contributor": row.source_id}
    return Output(CONTACTS.name, {**record, "filtered": Filter.NO_PATIENT.value})


def at_business(row: Row, patient: str | None) -> Iterator[Output]:
    """Yield what brings a patient to the sub-account of the business where a record of theirs was made."""
    business = row.reference("business_id")
    if patient and business:
        yield Output(
            CONTACTS.name, {"source_id": patient, "contributor": row.source_id, "businesses": [business]}
        )


def from_parent(row: Row, child: str, parent: str) -> Output:
    """Return what a relationship tells of a child: who answers for it."""
    guardians = [CONTACTS.ref(f"patients/{parent}")]
    record = {"source_id": f"patients/{child}", "contributor": row.source_id, "guardians": guardians}
    return Output(CONTACTS.name, record)


def from_no_parent(row: Row, patient: str) -> Output:
    """Return what takes back what a relationship told of a child, whoever that was."""
    record = {"source_id": f"patients/{patient}", "contributor": row.source_id}
    return Output(CONTACTS.name, {**record, "filtered": Filter.NO_PARENT.value})


def _owner(booking: Booking) -> dict[str, str] | None:
    if not booking.starts_at or not booking.practitioner_id:
        return None
    return {"at": booking.starts_at, "ref": f"user:practitioners/{booking.practitioner_id}"}


def is_merged(row: Row) -> bool:
    """Return whether a patient was merged into another one in Cliniko."""
    return bool(row.instant("merged_at") or row.reference("merged_with_patient_id"))


def phones_of(user: Row | None, reference: Reference) -> Phones:
    """Return the numbers of a practitioner's user."""
    return reference.phones(user, "phone_numbers") if user else Phones(None, None, None)


def _address_fields(row: Row, phone_field: str, reference: Reference) -> dict[str, Any]:
    place = address(row, reference.account_country)
    return _person(row, place, reference.phones(row, phone_field, place.country), row, reference)


def _person(
    reached: Row | None, place: Address, numbers: Phones, row: Row, reference: Reference
) -> dict[str, Any]:
    email = reached.text("email") if reached else None
    return {
        "email": next(iter(emails(email)), None),
        "keeps": reference.mapping.keeps.get(row.source_id),
        "phone": numbers.e164,
        "address1": place.line,
        "city": place.city,
        "state": place.state,
        "postalCode": place.postal_code,
        "country": place.country,
        "source": NO_SOURCE,
        "source_system_id": row.source_id,
        "cliniko_email": email,
        "cliniko_phone": numbers.shown,
        "cliniko_phone_numbers": numbers.listed,
        "cliniko_created_at": reference.local_date(row.instant("created_at")),
    }


def _address_tags(record: dict[str, Any], mapping: ClinicMapping) -> list[str]:
    """Return the tags of a contact whose e-mail or phone was typed, but cannot be used."""
    return mapping.tag(
        *(
            kind
            for kind, usable, typed in (
                ("invalid_email", "email", "cliniko_email"),
                ("invalid_phone", "phone", "cliniko_phone"),
            )
            if record[typed] and not record[usable]
        )
    )


def _gender(row: Row) -> str | None:
    """Return male or female, the values HighLevel knows; the words themselves are on the profile."""
    said = (row.text("sex") or row.text("gender") or "").casefold()
    return {"m": "male", "male": "male", "f": "female", "female": "female"}.get(said)


def _dnd(row: Row, field: str, *, switched_on: bool) -> bool | None:
    consent = row.flag(field)
    return not consent if switched_on and consent is not None else None


def _relations(row: Row, answers: Answers, reference: Reference) -> list[dict[str, str]]:
    relations = [
        {"association": "cliniko_insurer", "to": INSURERS.ref(cover.source_id)}
        for cover in covers(row, answers, reference)
    ]
    doctor = row.linked("referring_doctor_id", "contacts")
    if doctor:
        relations.append({"association": "cliniko_referring_doctor", "to": CONTACTS.ref(doctor)})
    return relations


def named(reference: Reference, contact_id: str | None) -> str | None:
    """Return a contact's name with its identity, for texts."""
    if not contact_id:
        return None
    return joined(" ", reference.contacts.get(contact_id), f"(contacts/{contact_id})")
