"""Which streams each Cliniko resource becomes, and which resources are left out on purpose."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cliniko_to_highlevel import (
    alerts,
    appointments,
    contacts,
    diary,
    files,
    forms,
    insurers,
    invoices,
    notes,
    opportunities,
    profiles,
    recalls,
    relationships,
    services,
    users,
)
from cliniko_to_highlevel.formats import folded
from cliniko_to_highlevel.mapping_checks import CONTACT_FIELD, PROFILE_FIELD
from cliniko_to_highlevel.people import hidden_at
from cliniko_to_highlevel.reference import Reference
from cliniko_to_highlevel.row import Row
from cliniko_to_highlevel.streams import Output

if TYPE_CHECKING:
    from cliniko_to_highlevel.streams import Stream

Maker = Callable[[Row, Reference], Iterator[Output]]

STREAMS: dict[str, Stream] = {
    stream.name: stream
    for stream in (
        users.USERS,
        diary.CALENDARS,
        diary.SCHEDULES,
        diary.ABSENCES,
        contacts.CONTACTS,
        insurers.INSURERS,
        services.SERVICES,
        profiles.PROFILES,
        relationships.RELATIONSHIPS,
        appointments.APPOINTMENTS,
        notes.NOTES,
        alerts.ALERT_NOTES,
        recalls.RECALLS,
        opportunities.OPPORTUNITIES,
        invoices.INVOICES,
        invoices.INVOICE_ITEMS,
        files.FILES,
    )
}

#: Which stream holds the clinic's own fields of each place …
OWN_STREAMS = {CONTACT_FIELD: contacts.CONTACTS.name, PROFILE_FIELD: profiles.PROFILES.name}
#: … and the names and labels there that they must not have.
TAKEN = {
    CONTACT_FIELD: frozenset(contacts.CONTACTS.properties),
    PROFILE_FIELD: frozenset(
        folded((item.highlevel or {}).get("label", name))
        for name, item in profiles.PROFILES.properties.items()
    ),
}


@dataclass(frozen=True, slots=True)
class Route:
    """What becomes of a resource: the functions that map it, and the streams they write to."""

    makers: tuple[Maker, ...]
    streams: tuple[str, ...]
    #: Streams on which a record that cannot be mapped is rejected, so that their counts still close.
    rejected_on: tuple[str, ...]


def _patient(row: Row, reference: Reference) -> Iterator[Output]:
    answers = reference.fields.read(row)
    if hidden_at(row) and not reference.mapping.moves["archived_patients"]:
        reference.left_out_patients.add(row.source_id)
    else:
        reference.left_out_patients.discard(row.source_id)
    if contacts.is_merged(row):
        reference.survivors[row.source_id] = row.linked("merged_with_patient_id", "patients")
    else:
        reference.survivors.pop(row.source_id, None)
    if row.source_id not in reference.survivors and row.source_id not in reference.left_out_patients:
        yield from insurers.from_patient(row, answers, reference)
    yield from contacts.from_patient(row, answers, reference)
    yield from profiles.from_patient(row, answers, reference)
    yield from opportunities.from_patient(row, reference)


def _contact(row: Row, reference: Reference) -> Iterator[Output]:
    yield from contacts.from_contact(row, reference)
    yield from insurers.from_payer(row, reference)


def _practitioner(row: Row, reference: Reference) -> Iterator[Output]:
    yield from users.from_practitioner(row, reference)
    yield from contacts.from_practitioner(row, reference)


def _group(row: Row, reference: Reference) -> Iterator[Output]:
    yield from appointments.from_group(row, reference)
    yield from diary.from_group(row, reference)


def _route(maker: Maker, *streams: str, rejected_on: tuple[str, ...] = ()) -> Route:
    return Route((maker,), streams, rejected_on or streams[:1])


#: Reference records that become nothing of their own: names and options are taken from them.
_NAMES_ONLY = Route((), (), ("hl_contacts",))

ROUTES: dict[str, Route] = {
    "public_settings": _NAMES_ONLY,
    "users": _NAMES_ONLY,
    "businesses": _NAMES_ONLY,
    "taxes": _NAMES_ONLY,
    "concession_types": _NAMES_ONLY,
    "daily_availabilities": _NAMES_ONLY,
    "services": _NAMES_ONLY,
    "unavailable_block_types": _NAMES_ONLY,
    "appointment_types": _route(diary.from_appointment_type, "hl_calendars", "hl_schedules"),
    "unavailable_blocks": _route(diary.from_absence, "hl_absences"),
    "appointment_type_billable_items": _NAMES_ONLY,
    "appointment_type_products": _NAMES_ONLY,
    "referral_source_types": _NAMES_ONLY,
    "practitioners": _route(
        _practitioner, "hl_users", "hl_contacts", rejected_on=("hl_users", "hl_contacts")
    ),
    "contacts": _route(_contact, "hl_contacts", "hl_insurers"),
    "billable_items": _route(services.from_billable_item, "hl_services"),
    "products": _route(services.from_product, "hl_services"),
    "group_appointments": _route(_group, "hl_appointments", "hl_absences"),
    "individual_appointments": _route(appointments.from_individual, "hl_appointments", "hl_contacts"),
    "attendees": _route(appointments.from_attendee, "hl_appointments", "hl_contacts"),
    "referral_sources": _route(profiles.from_referral_source, "hl_patient_profiles", "hl_contacts"),
    "medical_alerts": _route(
        alerts.from_alert, "hl_patient_profiles", "hl_contacts", "hl_medical_alert_notes"
    ),
    "patient_cases": _route(profiles.from_case, "hl_patient_profiles"),
    "patients": _route(
        _patient,
        "hl_contacts",
        "hl_patient_profiles",
        "hl_insurers",
        "hl_opportunities",
        rejected_on=("hl_contacts", "hl_patient_profiles"),
    ),
    "relationships": _route(relationships.from_relationship, "hl_relationships", "hl_contacts"),
    "treatment_notes": _route(notes.from_treatment_note, "hl_notes"),
    "invoices": _route(invoices.from_invoice, "hl_invoices", "hl_contacts"),
    "recall_types": _NAMES_ONLY,
    "recalls": _route(recalls.from_recall, "hl_recalls", "hl_contacts"),
    "invoice_items": _route(invoices.from_invoice_item, "hl_invoice_items", "hl_appointments"),
    "patient_forms": _route(forms.from_form, "hl_notes", "hl_contacts"),
    "signatures": _route(forms.from_signature, "hl_files"),
    "communications": _route(notes.from_communication, "hl_notes"),
    "patient_attachments": _route(files.from_attachment, "hl_files"),
}

#: Resources that tell of people and of whose parents they are: when they have come, it is known who shares an address.
PEOPLE = frozenset({"practitioners", "contacts", "patients", "relationships"})

#: Resources of Cliniko that become nothing in HighLevel, and why.
IGNORED: dict[str, str] = {
    "available_times": "computed by Cliniko for online booking, not stored",
    "availability_blocks": "extra hours of single days: HighLevel offers none of them, so it never offers too much",
    "bookings": "the same records as individual and group appointments",
    "concession_prices": "prices for concessions; each invoice item has the price that was charged",
    "patient_form_templates": "blank forms; HighLevel's form builder cannot be filled by its API",
    "practitioner_appointment_types": "the list services says the same, by location",
    "practitioner_reference_numbers": "provider numbers per location; HighLevel users have no field for them",
    "product_suppliers": "the supplier's name is on each product",
    "settings": "settings of Cliniko itself",
    "stock_adjustments": "stock keeping; HighLevel has none, and the product has the resulting stock",
    "treatment_note_templates": "blank notes; each note carries its own questions",
    "user": "the owner of the API key",
}
