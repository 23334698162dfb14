"""Invoices and their items. Cliniko's API gives no payments and balances, only an invoice's status."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cliniko_to_highlevel.contacts import CONTACTS
from cliniko_to_highlevel.people import RECORD_STATES, YES_NO, hidden_at, record_state, yes_no
from cliniko_to_highlevel.streams import Association, Output, Stream, custom

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cliniko_to_highlevel.reference import Reference
    from cliniko_to_highlevel.row import Row

#: Codes of Cliniko's API.
_STATUSES = {10: "Open", 20: "Paid", 30: "Closed", 40: "Open credit"}
_CALCULATIONS = {1: "Legacy", 2: "Tax exclusive", 3: "Tax inclusive"}

INVOICES = Stream(
    name="hl_invoices",
    kind="custom_object",
    key="custom_objects.cliniko_invoice",
    labels=("Cliniko invoice", "Cliniko invoices"),
    description="Invoices as Cliniko wrote them, related to the patient: nothing is sent or charged.",
    primary="invoice_number",
    searchable=("invoice_number", "source_system_id"),
    steering=("relations",),
    associations=(
        Association(
            "cliniko_invoice_contact",
            "contact",
            "Patient",
            "custom_objects.cliniko_invoice",
            "Invoice",
            overflow=10,
        ),
    ),
    properties={
        "invoice_number": custom("Invoice number", "The number printed on the invoice."),
        "source_system_id": custom("Source System ID", "Identity in Cliniko."),
        "issue_date": custom("Issue date", "Date of issue.", kind="DATE"),
        "invoice_status": custom(
            "Status", "Status in Cliniko.", kind="SINGLE_OPTIONS", options=tuple(_STATUSES.values())
        ),
        "total_amount": custom("Total", "Total with tax.", kind="MONETORY"),
        "net_amount": custom("Net amount", "Total before tax.", kind="MONETORY"),
        "tax_amount": custom("Tax amount", "Tax in the total.", kind="MONETORY"),
        "discounted_amount": custom("Discount", "Discount in the total.", kind="MONETORY"),
        "calculation": custom(
            "Tax calculation",
            "How tax was worked out.",
            kind="SINGLE_OPTIONS",
            options=tuple(_CALCULATIONS.values()),
        ),
        "invoice_to": custom("Invoice to", "Name and address on the invoice.", kind="LARGE_TEXT"),
        "extra_information": custom(
            "Extra patient information", "Printed below the address.", kind="LARGE_TEXT"
        ),
        "notes": custom("Notes", "Notes on the invoice.", kind="LARGE_TEXT"),
        "practitioner": custom("Practitioner", "Name of the practitioner."),
        "practitioner_id": custom("Practitioner ID", "Identity of the practitioner in Cliniko."),
        "location": custom("Location", "Name of the location."),
        "appointment_id": custom("Appointment ID", "Identity of the individual appointment in Cliniko."),
        "attendee_id": custom("Attendance ID", "Identity of the attendance in Cliniko."),
        "original_invoice_id": custom("Original invoice ID", "The invoice that this one reverses."),
        "closed_at": custom("Closed at", "When it was settled, UTC."),
        "record_state": custom(
            "Record state", "State in Cliniko.", kind="SINGLE_OPTIONS", options=RECORD_STATES
        ),
        "hidden_at": custom("Archived at", "When it was archived or deleted in Cliniko, UTC."),
        "created_in_cliniko": custom("Created in Cliniko", "When it was created in Cliniko, UTC."),
    },
)

INVOICE_ITEMS = Stream(
    name="hl_invoice_items",
    kind="custom_object",
    key="custom_objects.cliniko_invoice_line_item",
    labels=("Cliniko invoice item", "Cliniko invoice items"),
    description="Lines of invoices, related to their invoice.",
    primary="item_name",
    searchable=("item_name", "source_system_id"),
    steering=("relations",),
    associations=(
        Association(
            "cliniko_invoice_items",
            INVOICES.key,
            "Invoice",
            "custom_objects.cliniko_invoice_line_item",
            "Invoice item",
        ),
    ),
    properties={
        "item_name": custom("Item name", "Text of the line."),
        "source_system_id": custom("Source System ID", "Identity in Cliniko."),
        "item_code": custom("Item code", "Code of the line."),
        "quantity": custom("Quantity", "How many.", kind="NUMERICAL"),
        "unit_price": custom("Unit price", "Price of one.", kind="MONETORY"),
        "net_price": custom("Net price", "Price of the line before tax.", kind="MONETORY"),
        "tax_name": custom("Tax", "Name of the tax."),
        "tax_rate": custom("Tax rate", "Rate in percent.", kind="NUMERICAL"),
        "total_including_tax": custom("Total including tax", "Price of the line with tax.", kind="MONETORY"),
        "discounted_amount": custom("Discount", "Discount as an amount.", kind="MONETORY"),
        "discount_percentage": custom("Discount percentage", "Discount in percent.", kind="NUMERICAL"),
        "discount_is_amount": custom(
            "Discount given as amount",
            "Whether the discount was given as an amount.",
            kind="SINGLE_OPTIONS",
            options=YES_NO,
        ),
        "concession": custom("Concession", "Concession under which it was sold."),
        "service_id": custom("Service ID", "Identity of the billable item or product in Cliniko."),
        "service_name": custom("Service name", "Name of the billable item or product."),
        "invoice_id": custom("Invoice ID", "Identity of the invoice in Cliniko."),
        "record_state": custom(
            "Record state", "State in Cliniko.", kind="SINGLE_OPTIONS", options=RECORD_STATES
        ),
        "hidden_at": custom("Archived at", "When it was archived or deleted in Cliniko, UTC."),
        "created_in_cliniko": custom("Created in Cliniko", "When it was created in Cliniko, UTC."),
    },
)


def from_invoice(row: Row, reference: Reference) -> Iterator[Output]:
    """Yield an invoice, related to its patient."""
    patient = row.linked("patient_id", "patients")
    related = [{"association": "cliniko_invoice_contact", "to": CONTACTS.ref(patient)}] if patient else []
    yield Output(
        INVOICES.name,
        {
            **INVOICES.blank(row.source_id),
            "relations": related,
            "invoice_number": row.text("number") or row.source_id,
            "source_system_id": row.source_id,
            "issue_date": row.date("issue_date"),
            "invoice_status": _named_code(row, "status", _STATUSES),
            "total_amount": row.amount("total_amount"),
            "net_amount": row.amount("net_amount"),
            "tax_amount": row.amount("tax_amount"),
            "discounted_amount": row.amount("discounted_amount"),
            "calculation": _named_code(row, "calculation_method", _CALCULATIONS),
            "invoice_to": row.text("invoice_to"),
            "extra_information": row.text("patient_extra_information"),
            "notes": row.text("notes"),
            "practitioner": reference.practitioner_told(row),
            "practitioner_id": row.linked("practitioner_id", "practitioners"),
            "location": reference.location_told(row),
            "appointment_id": row.linked("appointment_id", "individual_appointments"),
            "attendee_id": row.linked("attendee_id", "attendees"),
            "original_invoice_id": row.linked("original_invoice_id", "invoices"),
            "closed_at": row.instant("closed_at"),
            "record_state": record_state(row),
            "hidden_at": hidden_at(row),
            "created_in_cliniko": row.instant("created_at"),
        },
    )


def from_invoice_item(row: Row, reference: Reference) -> Iterator[Output]:
    """Yield a line of an invoice, related to the invoice."""
    invoice = row.linked("invoice_id", "invoices")
    service = row.linked("billable_item_id", "billable_items") or row.linked("product_id", "products")
    related = [{"association": "cliniko_invoice_items", "to": INVOICES.ref(invoice)}] if invoice else []
    yield Output(
        INVOICE_ITEMS.name,
        {
            **INVOICE_ITEMS.blank(row.source_id),
            "relations": related,
            "item_name": row.text("name") or row.text("code") or row.source_id,
            "source_system_id": row.source_id,
            "item_code": row.text("code"),
            "quantity": row.amount("quantity"),
            "unit_price": row.amount("unit_price"),
            "net_price": row.amount("net_price"),
            "tax_name": row.text("tax_name"),
            "tax_rate": row.amount("tax_rate"),
            "total_including_tax": row.amount("total_including_tax"),
            "discounted_amount": row.amount("discounted_amount"),
            "discount_percentage": row.amount("discount_percentage"),
            "discount_is_amount": yes_no(row.flag("is_monetary_discount")),
            "concession": row.text("concession_type_name"),
            "service_id": service,
            "service_name": reference.services.get(service or ""),
            "invoice_id": invoice,
            "record_state": record_state(row),
            "hidden_at": hidden_at(row),
            "created_in_cliniko": row.instant("created_at"),
        },
    )


def _named_code(row: Row, field: str, names: dict[int, str]) -> str | None:
    """Return a code's name; of a code that is newer than this mapping, Cliniko's own description of it."""
    code = row.whole(field)
    return names.get(code or 0) or row.text(f"{field}_description") or (None if code is None else str(code))
