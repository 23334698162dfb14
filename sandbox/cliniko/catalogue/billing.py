"""Invoices and what they charge for."""

from __future__ import annotations

from sandbox.cliniko.catalogue.resource import Area, Resource, filters

RESOURCES = (
    Resource(
        "billable_items",
        area=Area.SETUP,
        columns="archived_at item_code item_type name price",
        links={"tax": "taxes"},
        filters=filters(date_time="archived_at created_at updated_at", int64="id tax_id"),
        hidden=("archived_at",),
    ),
    Resource(
        "products",
        area=Area.PRODUCTS,
        columns=(
            "archived_at cost_price item_code name notes price_ex_tax price_including_tax "
            "product_supplier_id product_supplier_name serial_number stock_level"
        ),
        links={"product_supplier": "product_suppliers", "tax": "taxes"},
        collections={"stock_adjustments": "/stock_adjustments?q[]=product_id:={id}"},
        filters=filters(date_time="archived_at created_at updated_at", int64="id tax_id", string="name"),
        hidden=("archived_at",),
    ),
    Resource(
        "product_suppliers",
        area=Area.PRODUCTS,
        columns="name",
        filters=filters(date_time="created_at updated_at", int64="id", string="name"),
    ),
    Resource(
        "taxes",
        area=Area.SETUP,
        columns="amount name rate",
        filters=filters(date_time="created_at updated_at", int64="id"),
    ),
    Resource(
        "concession_prices",
        area=Area.SETUP,
        columns="price",
        links={"billable_item": "billable_items", "concession_type": "concession_types"},
        filters=filters(int64="billable_item_id concession_type_id id", date_time="created_at updated_at"),
    ),
    Resource(
        "stock_adjustments",
        area=Area.PRODUCTS,
        columns="adjustment_type archived_at comment notes quantity",
        links={"product": "products", "user": "users"},
        filters=filters(date_time="archived_at created_at updated_at", int64="id product_id"),
        hidden=("archived_at",),
    ),
    Resource(
        "invoices",
        area=Area.FINANCE,
        columns=(
            "archived_at calculation_method calculation_method_description closed_at deleted_at "
            "discounted_amount invoice_to issue_date net_amount notes number online_payment_url "
            "patient_extra_information status status_description tax_amount total_amount"
        ),
        links={
            "appointment": "individual_appointments",
            "attendee": "attendees",
            "business": "businesses",
            "original_invoice": "invoices",
            "patient": "patients",
            "practitioner": "practitioners",
            "signature": "signatures",
        },
        collections={
            "invoice_items": "/invoices/{id}/invoice_items",
            "reversed_invoices": "/invoices?q[]=invoice_id:={id}",
        },
        filters=filters(
            int64="appointment_id attendee_id business_id id original_invoice_id patient_id practitioner_id",
            date_time="archived_at closed_at created_at deleted_at updated_at",
            date="issue_date",
            integer="number status",
        ),
        hidden=("archived_at", "deleted_at"),
    ),
    Resource(
        "invoice_items",
        area=Area.FINANCE,
        columns=(
            "archived_at code concession_type_name deleted_at discount_percentage discounted_amount "
            "is_monetary_discount name net_price quantity tax_amount tax_name tax_rate "
            "total_including_tax unit_price"
        ),
        links={"billable_item": "billable_items", "invoice": "invoices", "product": "products"},
        filters=filters(
            date_time="archived_at created_at deleted_at updated_at", int64="id invoice_id source_item_id"
        ),
        hidden=("archived_at", "deleted_at"),
    ),
)
