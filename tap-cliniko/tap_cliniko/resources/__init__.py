"""Every resource of the API that becomes a stream, in the order in which they are read."""

from __future__ import annotations

from tap_cliniko.resources import account, billing, diary, people, records_of_care
from tap_cliniko.resources.resource import TOMBSTONE, Resource, Role, Shape

RESOURCES: tuple[Resource, ...] = (
    # reference data first: a target can look names up from the first patient on
    account.PUBLIC_SETTINGS,
    people.USERS,
    people.PRACTITIONERS,
    account.BUSINESSES,
    billing.TAXES,
    billing.BILLABLE_ITEMS,
    billing.PRODUCTS,
    billing.CONCESSION_TYPES,
    diary.APPOINTMENT_TYPES,
    diary.APPOINTMENT_TYPE_BILLABLE_ITEMS,
    diary.APPOINTMENT_TYPE_PRODUCTS,
    people.CONTACTS,
    people.REFERRAL_SOURCE_TYPES,
    # facts about patients before the patients: a target can create each patient with one request
    diary.GROUP_APPOINTMENTS,
    diary.INDIVIDUAL_APPOINTMENTS,
    diary.ATTENDEES,
    people.REFERRAL_SOURCES,
    records_of_care.MEDICAL_ALERTS,
    people.PATIENT_CASES,
    people.PATIENTS,
    # what hangs on patients
    people.RELATIONSHIPS,
    records_of_care.TREATMENT_NOTES,
    billing.INVOICES,
    billing.INVOICE_ITEMS,
    records_of_care.COMMUNICATIONS,
    records_of_care.PATIENT_ATTACHMENTS,
    # everything else
    records_of_care.PATIENT_FORMS,
    records_of_care.SIGNATURES,
    records_of_care.PATIENT_FORM_TEMPLATES,
    records_of_care.TREATMENT_NOTE_TEMPLATES,
    people.PRACTITIONER_REFERENCE_NUMBERS,
    diary.PRACTITIONER_APPOINTMENT_TYPES,
    diary.SERVICES,
    diary.DAILY_AVAILABILITIES,
    diary.AVAILABILITY_BLOCKS,
    diary.UNAVAILABLE_BLOCK_TYPES,
    diary.UNAVAILABLE_BLOCKS,
    billing.CONCESSION_PRICES,
    billing.PRODUCT_SUPPLIERS,
    billing.STOCK_ADJUSTMENTS,
    account.SETTINGS,
    account.RECALL_TYPES,
    account.RECALLS,
)

BY_NAME: dict[str, Resource] = {resource.name: resource for resource in RESOURCES}

__all__ = ["BY_NAME", "RESOURCES", "TOMBSTONE", "Resource", "Role", "Shape"]
