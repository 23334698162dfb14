"""A clinic with two sub-accounts, and a patient of both whose booking and invoice are of one of them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from hl_mapped import person, record, schemas

if TYPE_CHECKING:
    from hl_loading import Loader

INVOICE, ITEM = "custom_objects.cliniko_invoice", "custom_objects.cliniko_invoice_line_item"
HEAD = schemas("patients", "contacts", "individual_appointments", "invoices", "invoice_items")


def clinic(business: str) -> list[str]:
    """Return the lines of the clinic, with booking and invoice of this business."""
    visit = record(
        "hl_appointments", "individual_appointments/7", contact="patients/1", title="Visit", businesses=[business],
        body="cliniko:individual_appointments/7", starts_at="2026-02-01T09:00:00Z", ends_at="2026-02-01T10:00:00Z",
    )  # fmt: skip
    invoice = record(
        "hl_invoices", "invoices/3", invoice_name="Invoice 3", source_system_id="invoices/3", businesses=[business],
        relations=[{"association": "cliniko_invoice_contact", "to": "contact:patients/1"}],
    )  # fmt: skip
    item = record(
        "hl_invoice_items", "invoice_items/4", item_name="Massage", source_system_id="invoice_items/4",
        relations=[{"association": "cliniko_invoice_items", "to": f"{INVOICE}:invoices/3"}],
    )  # fmt: skip
    return [*HEAD, person("patients/1", "Ada", "King", businesses=["1", "2"]), visit, invoice, item]


def divide(loader: Loader) -> None:
    """Give business 2 the sandbox's other sub-account, and load the clinic while everything is of business 1."""
    state = loader.sandbox.highlevel.state
    other = list(state.accounts)[1]
    loader.settings = {
        "LOCATIONS": json.dumps({"2": other}),
        "ACCESS_TOKENS": json.dumps({other: state.location_tokens[other].value}),
    }
    assert loader.load(clinic("1")).code == 0
