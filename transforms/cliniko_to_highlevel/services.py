"""Services: what a clinic sells, billable items and products."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cliniko_to_highlevel.people import RECORD_STATES, hidden_at, record_state
from cliniko_to_highlevel.streams import Output, Stream, custom

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cliniko_to_highlevel.reference import Reference
    from cliniko_to_highlevel.row import Row

SERVICES = Stream(
    name="hl_services",
    kind="custom_object",
    key="custom_objects.cliniko_service",
    labels=("Cliniko service", "Cliniko services"),
    description="Billable items and products with their prices.",
    primary="service_name",
    searchable=("service_name", "source_system_id"),
    properties={
        "service_name": custom("Service name", "Name of the item or product."),
        "source_system_id": custom("Source System ID", "Identity in Cliniko."),
        "service_kind": custom(
            "Kind", "Kind of item.", kind="SINGLE_OPTIONS", options=("Service", "Product", "Other")
        ),
        "item_code": custom("Item code", "Code on invoices."),
        "price": custom(
            "Price", "Price before tax of a product; list price of a billable item.", kind="MONETORY"
        ),
        "price_including_tax": custom("Price including tax", "Price of a product with tax.", kind="MONETORY"),
        "cost_price": custom("Cost price", "What the clinic pays for a product.", kind="MONETORY"),
        "tax_name": custom("Tax", "Name of the tax."),
        "tax_rate": custom("Tax rate", "Rate in percent.", kind="NUMERICAL"),
        "stock_level": custom("Stock level", "Stock of a product when it was last read.", kind="NUMERICAL"),
        "supplier": custom("Supplier", "Supplier of a product."),
        "serial_number": custom("Serial number", "Serial number of a product."),
        "notes": custom("Notes", "Notes on a product.", kind="LARGE_TEXT"),
        "record_state": custom(
            "Record state", "State in Cliniko.", kind="SINGLE_OPTIONS", options=RECORD_STATES
        ),
        "hidden_at": custom("Archived at", "Day on which it was archived in Cliniko.", kind="DATE"),
        "created_in_cliniko": custom(
            "Created in Cliniko", "Day on which it was created in Cliniko.", kind="DATE"
        ),
    },
)


def from_billable_item(row: Row, reference: Reference) -> Iterator[Output]:
    """Yield the service that a billable item is."""
    record = _shared(row, reference)
    record |= {"service_kind": row.text("item_type"), "price": row.amount("price")}
    yield Output(SERVICES.name, record)


def from_product(row: Row, reference: Reference) -> Iterator[Output]:
    """Yield the service that a product is."""
    record = _shared(row, reference)
    supplier = row.linked("product_supplier_id", "product_suppliers")
    record |= {
        "service_kind": "Product",
        "price": row.amount("price_ex_tax"),
        "price_including_tax": row.amount("price_including_tax"),
        "cost_price": row.amount("cost_price"),
        "stock_level": row.amount("stock_level"),
        "supplier": row.text("product_supplier_name") or supplier,
        "serial_number": row.text("serial_number"),
        "notes": row.text("notes"),
    }
    yield Output(SERVICES.name, record)


def _shared(row: Row, reference: Reference) -> dict[str, str | None]:
    tax_id = row.reference("tax_id")
    tax = reference.taxes.get(tax_id or "")
    return {
        **SERVICES.blank(row.source_id),
        "service_name": row.text("name") or row.source_id,
        "source_system_id": row.source_id,
        "item_code": row.text("item_code"),
        "tax_name": tax.name if tax else row.linked("tax_id", "taxes"),
        "tax_rate": tax.rate if tax else None,
        "record_state": record_state(row),
        "hidden_at": reference.local_date(hidden_at(row)),
        "created_in_cliniko": reference.local_date(row.instant("created_at")),
    }
