"""Every resource of the API that becomes a stream, in the order in which they are read."""

from __future__ import annotations

from tap_cliniko.resources import account, billing, clinical, people, scheduling
from tap_cliniko.resources.resource import TOMBSTONE, Resource, Role, Shape

RESOURCES: tuple[Resource, ...] = (
    # reference data first: a target can look names up from the first patient on
    account.PUBLIC_SETTINGS,
    account.BUSINESSES,
    people.USERS,
    people.PRACTITIONERS,
    billing.TAXES,
    billing.BILLABLE_ITEMS,
    billing.PRODUCTS,
    billing.CONCESSION_TYPES,
    scheduling.DAILY_AVAILABILITIES,
    scheduling.SERVICES,
    scheduling.UNAVAILABLE_BLOCK_TYPES,
    scheduling.APPOINTMENT_TYPES,
    scheduling.APPOINTMENT_TYPE_BILLABLE_ITEMS,
    scheduling.APPOINTMENT_TYPE_PRODUCTS,
    people.CONTACTS,
    people.REFERRAL_SOURCE_TYPES,
    # facts about patients before the patients: a target can create each patient with one request
    scheduling.GROUP_APPOINTMENTS,
    scheduling.INDIVIDUAL_APPOINTMENTS,
    scheduling.ATTENDEES,
    scheduling.UNAVAILABLE_BLOCKS,
    people.REFERRAL_SOURCES,
    clinical.MEDICAL_ALERTS,
    people.PATIENT_CASES,
    account.RECALL_TYPES,
    account.RECALLS,
    billing.INVOICES,
    billing.INVOICE_ITEMS,
    people.PATIENTS,
    # what hangs on patients
    people.RELATIONSHIPS,
    clinical.TREATMENT_NOTES,
    clinical.COMMUNICATIONS,
    clinical.PATIENT_ATTACHMENTS,
    # everything else
    clinical.PATIENT_FORMS,
    clinical.SIGNATURES,
    clinical.PATIENT_FORM_TEMPLATES,
    clinical.TREATMENT_NOTE_TEMPLATES,
    people.PRACTITIONER_REFERENCE_NUMBERS,
    scheduling.PRACTITIONER_APPOINTMENT_TYPES,
    scheduling.AVAILABILITY_BLOCKS,
    billing.CONCESSION_PRICES,
    billing.PRODUCT_SUPPLIERS,
    billing.STOCK_ADJUSTMENTS,
    account.SETTINGS,
)

BY_NAME: dict[str, Resource] = {resource.name: resource for resource in RESOURCES}

__all__ = ["BY_NAME", "RESOURCES", "TOMBSTONE", "Resource", "Role", "Shape"]
