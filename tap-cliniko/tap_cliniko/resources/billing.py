"""Invoices and what can be billed."""

from __future__ import annotations

from tap_cliniko.fields import (
    ARCHIVABLE,
    REMOVABLE,
    ROW,
    access_link,
    date,
    decimal,
    flag,
    ident,
    link,
    listing,
    moment,
    text,
    whole,
)
from tap_cliniko.resources.resource import FINANCE, Resource

INVOICES = Resource(
    "invoices",
    "An invoice; payments and balances are not served by the API.",
    (
        *REMOVABLE,
        whole("number", "Number printed on it."),
        date("issue_date", "Date printed on it."),
        moment("closed_at", "When it was settled."),
        whole("status", "State: 10 open, 20 paid, 30 closed, 40 open credit."),
        text("status_description", "State in words."),
        whole("calculation_method", "How tax is worked out: 1 legacy, 2 tax exclusive, 3 tax inclusive."),
        text("calculation_method_description", "How tax is worked out, in words."),
        decimal("net_amount", "Amount before tax."),
        decimal("tax_amount", "Tax."),
        decimal("discounted_amount", "Total discount."),
        decimal("total_amount", "Amount to pay."),
        text("invoice_to", "Who it is addressed to."),
        text("patient_extra_information", "Text printed about the patient."),
        text("notes", "Notes printed on it."),
        access_link("online_payment_url", "Where it can be paid."),
        link("appointment", "individual_appointments", "Appointment it is for."),
        link("attendee", "attendees", "Place in a booking it is for."),
        link("business", "businesses", "Location."),
        link("original_invoice", "invoices", "The invoice this one reverses."),
        link("patient", "patients", "The patient."),
        link("practitioner", "practitioners", "Who treated."),
        link("signature", "signatures", "Signature on it."),
        listing("invoice_items", "its lines"),
        listing("reversed_invoices", "the invoices that reverse it"),
    ),
    reveal=("archived_at", "deleted_at"),
    # a payment settles it; payments are rows of their own, which the API does not serve
    moves_alone=("closed_at",),
    by_patient="patient_id:=",
    needed_by=("invoice_items", "invoice"),
    readers=FINANCE,
)

INVOICE_ITEMS = Resource(
    "invoice_items",
    "A line of an invoice.",
    (
        *REMOVABLE,
        text("name", "What was billed."),
        text("code", "Item code."),
        decimal("quantity", "How many."),
        decimal("unit_price", "Price of one, before tax."),
        decimal("discount_percentage", "Discount in percent."),
        decimal("discounted_amount", "Discount as an amount."),
        flag("is_monetary_discount", "Whether the discount is an amount rather than a percentage."),
        decimal("net_price", "Line total before tax."),
        text("tax_name", "Name of the tax."),
        decimal("tax_rate", "Rate of the tax in percent."),
        decimal("tax_amount", "The rate again, under an older name; no amount of money.", deprecated=True),
        decimal("total_including_tax", "Line total with tax."),
        text("concession_type_name", "Concession that set the price."),
        link("billable_item", "billable_items", "The service, if it was one."),
        link("invoice", "invoices", "The invoice."),
        link("product", "products", "The product, if it was one."),
    ),
    reveal=("archived_at", "deleted_at"),
    follows=("invoices", "invoice_id:="),
    readers=FINANCE,
)

BILLABLE_ITEMS = Resource(
    "billable_items",
    "A service the clinic bills.",
    (
        *ARCHIVABLE,
        text("name", "Name."),
        text("item_code", "Item code."),
        text("item_type", "Service, Product or Other."),
        decimal("price", "Price."),
        link("tax", "taxes", "Tax on it."),
    ),
    in_full=True,
    reveal=("archived_at",),
)

PRODUCTS = Resource(
    "products",
    "Something the clinic sells.",
    (
        *ARCHIVABLE,
        text("name", "Name."),
        text("item_code", "Item code."),
        text("serial_number", "Serial number."),
        text("notes", "Notes."),
        decimal("cost_price", "What it costs the clinic."),
        decimal("price_ex_tax", "Price before tax."),
        decimal("price_including_tax", "Price with tax."),
        decimal("stock_level", "How many are in stock, worked out from the adjustments."),
        link("product_supplier", "product_suppliers", "Who supplies it."),
        ident("product_supplier_id", "Id of the supplier."),
        text("product_supplier_name", "Name of the supplier.", deprecated=True),
        link("tax", "taxes", "Tax on it."),
        listing("stock_adjustments", "its stock movements"),
    ),
    in_full=True,
    reveal=("archived_at",),
)

PRODUCT_SUPPLIERS = Resource(
    "product_suppliers",
    "Someone who supplies products.",
    (*ROW, text("name", "Name.")),
    in_full=True,
    rarely_changes=True,
)

STOCK_ADJUSTMENTS = Resource(
    "stock_adjustments",
    "A movement of stock.",
    (
        *ARCHIVABLE,
        text("adjustment_type", "Why the stock moved."),
        decimal("quantity", "By how much; negative when it shrank."),
        text("comment", "Comment."),
        text("notes", "Notes."),
        link("product", "products", "The product."),
        link("user", "users", "Who entered it."),
    ),
    reveal=("archived_at",),
    readers=FINANCE,
    rarely_changes=True,
)

TAXES = Resource(
    "taxes",
    "A tax that can be put on services and products.",
    (
        *ROW,
        text("name", "Name."),
        decimal("rate", "Rate in percent."),
        decimal("amount", "The rate again, under an older name.", deprecated=True),
    ),
    in_full=True,
)

CONCESSION_TYPES = Resource(
    "concession_types",
    "A ground for a lower price.",
    (*ARCHIVABLE, text("name", "Name.")),
    in_full=True,
    reveal=("archived_at",),
    rarely_changes=True,
)

CONCESSION_PRICES = Resource(
    "concession_prices",
    "The price of a service under a concession.",
    (
        *ROW,
        decimal("price", "Price under the concession."),
        link("billable_item", "billable_items", "The service."),
        link("concession_type", "concession_types", "The concession."),
    ),
    in_full=True,
    readers=FINANCE,
    rarely_changes=True,
)
