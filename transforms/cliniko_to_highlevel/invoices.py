"""Invoices and their items. Cliniko's API gives no payments and balances, only an invoice's status."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING

from cliniko_to_highlevel.appointments import APPOINTMENTS
from cliniko_to_highlevel.contacts import CONTACTS, from_nobody
from cliniko_to_highlevel.errors import Filter
from cliniko_to_highlevel.formats import joined
from cliniko_to_highlevel.left_out import left_out, marked
from cliniko_to_highlevel.markup import harmless
from cliniko_to_highlevel.money import STATUSES, named_code, of_invoice, of_item
from cliniko_to_highlevel.people import STATE_OF_RECORD, YES_NO, businesses, hidden_at, record_state, yes_no
from cliniko_to_highlevel.profiles import line_of
from cliniko_to_highlevel.streams import OF_CONTACT, Association, Money, Output, Stream, custom, routing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cliniko_to_highlevel.reference import Reference
    from cliniko_to_highlevel.row import Row

#: Codes of Cliniko's API.
_CALCULATIONS = {1: "Legacy", 2: "Tax exclusive", 3: "Tax inclusive"}

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

INVOICES = Stream(
    name="hl_invoices",
    kind="custom_object",
    key="custom_objects.cliniko_invoice",
    labels=("Cliniko invoice", "Cliniko invoices"),
    description="Invoices as Cliniko wrote them, related to the patient: nothing is sent or charged.",
    turn="history",
    primary="invoice_name",
    money=Money(
        of_invoice,
        {"amount": "total_amount", "status": "invoice_status", "date": "issue_date", "business": "location"},
    ),
    searchable=("invoice_name", "source_system_id"),
    steering=("relations", "owner_of", "contact"),
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
        "invoice_name": custom("Invoice", "Number, date and total: Invoice 61 · 13 Dec 2017 · 332.45."),
        "invoice_number": custom("Invoice number", "The number printed on the invoice."),
        "source_system_id": custom("Source System ID", "Identity in Cliniko."),
        "issue_date": custom("Issue date", "Date of issue.", kind="DATE"),
        "invoice_status": custom(
            "Status", "Status in Cliniko.", kind="SINGLE_OPTIONS", options=tuple(STATUSES.values())
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
        "closed_at": custom("Closed at", "Day on which it was settled.", kind="DATE"),
        **STATE_OF_RECORD,
        "businesses": routing("Business of the invoice, which decides the sub-account."),
        "owner": OF_CONTACT,
    },
)

INVOICE_ITEMS = Stream(
    name="hl_invoice_items",
    kind="custom_object",
    key="custom_objects.cliniko_invoice_line_item",
    labels=("Cliniko invoice item", "Cliniko invoice items"),
    description="Lines of invoices, related to their invoice.",
    turn="history",
    primary="item_name",
    money=Money(
        of_item,
        {"amount": "total_including_tax", "of": "invoice_id", "of_object": "custom_objects.cliniko_invoice"},
    ),
    searchable=("item_name", "source_system_id"),
    steering=("needs", "relations"),
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
        **STATE_OF_RECORD,
    },
)


def from_invoice(row: Row, reference: Reference) -> Iterator[Output]:
    """Yield an invoice, related to its patient."""
    patient = row.linked("patient_id", "patients")
    related = [{"association": "cliniko_invoice_contact", "to": CONTACTS.ref(patient)}] if patient else []
    reason = left_out(row, patient, reference, oldest="oldest_invoice", at=row.date("issue_date"))
    reference.invoiced[row.source_id] = None if reason or hidden_at(row) else _booking(row)
    yield _added_to_contact(row, patient, moves=not reason) if patient else from_nobody(row)
    if reason is Filter.TOO_OLD:
        yield Output(INVOICES.name, marked(INVOICES.blank(row.source_id), reason))
        return
    record = {
        **INVOICES.blank(row.source_id),
        "relations": related,
        "owner_of": patient and CONTACTS.ref(patient),
        # where archived patients are left behind, so are their invoices
        "contact": None if reference.mapping.moves["archived_patients"] else patient,
        "invoice_name": _name(row),
        "invoice_number": row.text("number") or row.source_id,
        "source_system_id": row.source_id,
        "issue_date": row.date("issue_date"),
        "invoice_status": named_code(row, "status", STATUSES),
        "total_amount": row.amount("total_amount"),
        "net_amount": row.amount("net_amount"),
        "tax_amount": row.amount("tax_amount"),
        "discounted_amount": row.amount("discounted_amount"),
        "calculation": named_code(row, "calculation_method", _CALCULATIONS),
        "invoice_to": row.text("invoice_to"),
        "extra_information": row.text("patient_extra_information"),
        "notes": row.text("notes"),
        "practitioner": reference.practitioner_label(row),
        "practitioner_id": row.linked("practitioner_id", "practitioners"),
        "location": reference.location_label(row),
        "appointment_id": row.linked("appointment_id", "individual_appointments"),
        "attendee_id": row.linked("attendee_id", "attendees"),
        "original_invoice_id": row.linked("original_invoice_id", "invoices"),
        "closed_at": reference.local_date(row.instant("closed_at")),
        "record_state": record_state(row),
        "hidden_at": reference.local_date(hidden_at(row)),
        "created_in_cliniko": reference.local_date(row.instant("created_at")),
        "businesses": businesses(row),
    }
    # an invoice to nobody in particular is one all the same
    yield Output(INVOICES.name, marked(record, reason if patient else None))


def _added_to_contact(row: Row, patient: str, *, moves: bool) -> Output:
    """Return what an invoice adds to its patient: sums, unless it is archived, and its business; one left out adds nothing."""
    total = row.amount("total_amount") if moves and not hidden_at(row) else None
    still_open = total if named_code(row, "status", STATUSES) == "Open" else None
    return Output(
        CONTACTS.name,
        {
            "source_id": patient,
            "contributor": row.source_id,
            "invoiced": total,
            "open": still_open,
            "businesses": (businesses(row) or None) if moves else None,
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
            "needs": [item["to"] for item in related] if reference.mapping.leaves_invoices else None,
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
            "hidden_at": reference.local_date(hidden_at(row)),
            "created_in_cliniko": reference.local_date(row.instant("created_at")),
        },
    )
    if invoice in reference.invoiced:  # else nothing of it has changed, and what was said of it still holds
        yield _told_of_booking(row, reference.invoiced[invoice])


def _booking(row: Row) -> str | None:
    """Return the appointment, or the place in a group, that an invoice is for."""
    return row.linked("appointment_id", "individual_appointments") or row.linked("attendee_id", "attendees")


def _told_of_booking(row: Row, booking: str | None) -> Output:
    """Return the line of an item in the text of the appointment that its invoice is for; without one it is taken back."""
    quantity = row.amount("quantity")
    what = joined(" x ", row.text("name") or row.text("code"), quantity if quantity != "1" else None)
    total = row.amount("total_including_tax")
    line = joined(" · ", what and f"Invoiced: {what}", total and f"{Decimal(total):.2f}")
    if not booking or not what or hidden_at(row):
        gone = {"contributor": row.source_id, "filtered": Filter.NO_BOOKING.value}
        return Output(APPOINTMENTS.name, {"source_id": booking or row.source_id, **gone})
    items = line_of(row, harmless(line or ""))
    return Output(APPOINTMENTS.name, {"source_id": booking, "contributor": row.source_id, "items": items})


def _name(row: Row) -> str:
    """Return what a list of invoices shows of each."""
    number, issued, total = row.text("number"), row.date("issue_date"), row.amount("total_amount")
    day = date.fromisoformat(issued) if issued else None
    return (
        joined(
            " · ",
            f"Invoice {number or row.reference('id')}",
            f"{day.day} {_MONTHS[day.month - 1]} {day.year}" if day else None,
            total and f"{Decimal(total):.2f}",
        )
        or row.source_id
    )
