"""Which streams each Cliniko resource becomes, and which resources are left out on purpose."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cliniko_to_highlevel import (
    appointments,
    contacts,
    files,
    insurers,
    invoices,
    notes,
    profiles,
    relationships,
    services,
    users,
)
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
        contacts.CONTACTS,
        insurers.INSURERS,
        services.SERVICES,
        profiles.PROFILES,
        relationships.RELATIONSHIPS,
        appointments.APPOINTMENTS,
        notes.NOTES,
        invoices.INVOICES,
        invoices.INVOICE_ITEMS,
        files.FILES,
    )
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
    if not contacts.is_merged(row):
        yield from insurers.from_patient(row, answers, reference)
    yield from contacts.from_patient(row, answers, reference)
    yield from profiles.from_patient(row, answers, reference)


def _contact(row: Row, reference: Reference) -> Iterator[Output]:
    yield from contacts.from_contact(row, reference)
    yield from insurers.from_payer(row, reference)


def _practitioner(row: Row, reference: Reference) -> Iterator[Output]:
    yield from users.from_practitioner(row, reference)
    yield from contacts.from_practitioner(row, reference)


def _medical_alert(row: Row, _: Reference) -> Iterator[Output]:
    return profiles.from_medical_alert(row)


def _relationship(row: Row, _: Reference) -> Iterator[Output]:
    return relationships.from_relationship(row)


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
    "appointment_types": _NAMES_ONLY,
    "appointment_type_billable_items": _NAMES_ONLY,
    "appointment_type_products": _NAMES_ONLY,
    "referral_source_types": _NAMES_ONLY,
    "practitioners": _route(
        _practitioner, "hl_users", "hl_contacts", rejected_on=("hl_users", "hl_contacts")
    ),
    "contacts": _route(_contact, "hl_contacts", "hl_insurers"),
    "billable_items": _route(services.from_billable_item, "hl_services"),
    "products": _route(services.from_product, "hl_services"),
    "group_appointments": _route(appointments.from_group, "hl_appointments"),
    "individual_appointments": _route(appointments.from_individual, "hl_appointments", "hl_contacts"),
    "attendees": _route(appointments.from_attendee, "hl_appointments", "hl_contacts"),
    "referral_sources": _route(profiles.from_referral_source, "hl_patient_profiles"),
    "medical_alerts": _route(_medical_alert, "hl_patient_profiles"),
    "patient_cases": _route(profiles.from_case, "hl_patient_profiles"),
    "patients": _route(
        _patient,
        "hl_contacts",
        "hl_patient_profiles",
        "hl_insurers",
        rejected_on=("hl_contacts", "hl_patient_profiles"),
    ),
    "relationships": _route(_relationship, "hl_relationships"),
    "treatment_notes": _route(notes.from_treatment_note, "hl_notes"),
    "invoices": _route(invoices.from_invoice, "hl_invoices"),
    "invoice_items": _route(invoices.from_invoice_item, "hl_invoice_items"),
    "communications": _route(notes.from_communication, "hl_notes"),
    "patient_attachments": _route(files.from_attachment, "hl_files"),
}

#: Resources of Cliniko that become nothing in HighLevel, and why.
IGNORED: dict[str, str] = {
    "available_times": "computed by Cliniko for online booking, not stored",
    "availability_blocks": "opening hours belong to HighLevel's calendars and are set there",
    "bookings": "the same records as individual and group appointments",
    "concession_prices": "prices for concessions; each invoice item has the price that was charged",
    "daily_availabilities": "opening hours belong to HighLevel's calendars and are set there",
    "patient_form_templates": "blank forms; HighLevel's form builder cannot be filled by its API",
    "patient_forms": "HighLevel has no place for filled-in forms; print them to PDF in Cliniko, or keep them in a warehouse",
    "practitioner_appointment_types": "who offers which type: set up in HighLevel's calendars",
    "practitioner_reference_numbers": "provider numbers per location; HighLevel users have no field for them",
    "product_suppliers": "the supplier's name is on each product",
    "recall_types": "not part of Cliniko's documented API",
    "recalls": "not part of Cliniko's documented API",
    "services": "who offers which appointment type where: set up in HighLevel's calendars",
    "settings": "settings of Cliniko itself",
    "signatures": "pictures that belong to patient forms, and stay with them",
    "stock_adjustments": "stock keeping; HighLevel has none, and the product has the resulting stock",
    "treatment_note_templates": "blank notes; each note carries its own questions",
    "unavailable_block_types": "kinds of absences in Cliniko's calendar",
    "unavailable_blocks": "absences of practitioners, not facts about patients",
    "user": "the owner of the API key",
}
