"""What the clinic offers and what it charges."""

# ruff: noqa: RUF001 - the clinic writes with every character there is

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sandbox.clinic.settings import OPENED_DAYS_AGO
from sandbox.cliniko.account import timestamp

if TYPE_CHECKING:
    from sandbox.clinic.builder import Builder
    from sandbox.clinic.setup import Clinic

TYPES = (
    # name, minutes, places, category, archived, telehealth
    ("Initial consultation", 45, 1, "Physiotherapy", False, False),
    ("Standard consultation", 30, 1, "Physiotherapy", False, False),
    ("Long consultation – NDIS", 60, 1, "NDIS", False, False),
    ("Telehealth ☎ review", 20, 1, None, False, True),
    ("Pilates class", 60, 6, "Classes", False, False),
    ("Hydrotherapy (old)", 40, 1, "Classes", True, False),
)
ITEMS = (
    # name, code, type, price, taxed, archived
    ("Initial consultation", "PHY-1", "Service", "120.00", True, False),
    ("Standard consultation", "PHY-2", "Service", "88.5", True, False),
    ("NDIS assessment, 60 min", "15_055_0128_1_3", "Service", "193.99", False, False),
    ("Pilates class", "PIL", "Service", "33.3333", True, False),
    ("Report writing", None, "Other", "0.0", False, False),
    ("Report writing", None, "Other", "75.005", False, False),
    ("Shockwave (withdrawn)", "SW", "Service", "60.00", True, True),
)
PRODUCTS = (
    ("Foam roller", "FR-30", "34.95", "12", False),
    ("Kinesiology tape – blau/青", None, "12.5", "-3", False),
    ("Wrist brace (discontinued)", "WB", "49.00", "0", True),
)


def add_price_list(build: Builder, clinic: Clinic) -> None:
    """Add taxes, billable items, products with their stock, and concessions."""
    early = build.days_ago(OPENED_DAYS_AGO - 3)
    gst = build.add("taxes", early, name="GST", rate="10.0", amount="10.0")["id"]
    build.add("taxes", early, name="GST free", rate="0.0", amount="0.0")
    build.add("taxes", early, name="Levy", rate="12.345", amount="12.345")
    for name, code, kind, price, taxed, archived in ITEMS:
        values: dict[str, Any] = {"name": name, "item_code": code, "item_type": kind, "price": price}
        row = build.add(
            "billable_items",
            early,
            **values,
            tax_id=gst if taxed else None,
            archived_at=timestamp(build.days_ago(300)) if archived else None,
        )
        clinic.items.append({"id": row["id"], "code": code, "name": name, "price": price, "taxed": taxed})
    _products(build, clinic, gst)
    _concessions(build, clinic)


def _products(build: Builder, clinic: Clinic, gst: str) -> None:
    early = build.days_ago(OPENED_DAYS_AGO - 3)
    supplier = build.add("product_suppliers", early, name="Example Supplies & Söhne")["id"]
    build.add("product_suppliers", early, name="Unused supplier")
    for name, code, price, level, archived in PRODUCTS:
        row = build.add(
            "products",
            early,
            name=name,
            item_code=code,
            cost_price="5.00",
            price_ex_tax=price,
            price_including_tax=price,
            stock_level=level,
            product_supplier_id=supplier,
            product_supplier_name="Example Supplies & Söhne",
            tax_id=gst,
            archived_at=timestamp(build.days_ago(200)) if archived else None,
        )
        clinic.products.append({"id": row["id"], "code": code, "name": name, "price": price, "taxed": True})
        _stock(build, clinic, row["id"], archived=archived)


def _concessions(build: Builder, clinic: Clinic) -> None:
    early = build.days_ago(OPENED_DAYS_AGO - 3)
    for name in ("Pensioner", "Student", "Withdrawn"):
        archived_at = timestamp(build.days_ago(100)) if name == "Withdrawn" else None
        row = build.add("concession_types", early, name=name, archived_at=archived_at)
        clinic.concessions.append(row["id"])
        for item in clinic.items[:2]:
            build.add(
                "concession_prices",
                early,
                billable_item_id=item["id"],
                concession_type_id=row["id"],
                price="70.00" if name == "Pensioner" else None,
            )


def _stock(build: Builder, clinic: Clinic, product: str, *, archived: bool) -> None:
    for kind, quantity in (("Stock Purchase", "15.0"), ("Item Sold", "-1.0"), ("Out of Date", "-0.5")):
        build.add(
            "stock_adjustments",
            build.days_ago(500),
            product_id=product,
            user_id=clinic.users[0],
            adjustment_type=kind,
            quantity=quantity,
            comment="Counted by hand",
            archived_at=timestamp(build.days_ago(90)) if archived and kind == "Out of Date" else None,
        )


def add_types(build: Builder, clinic: Clinic) -> None:
    """Add the appointment types with what they charge by default."""
    early = build.days_ago(OPENED_DAYS_AGO - 4)
    for number, (name, minutes, places, category, archived, telehealth) in enumerate(TYPES):
        item = clinic.items[number % 4]
        row = build.add(
            "appointment_types",
            early,
            name=name,
            duration_in_minutes=minutes,
            max_attendees=places,
            category=category,
            color=f"#0{number}8{number}f{number}",
            description=f"<p>{name}</p>" if number % 2 else None,
            appointment_confirmation_template_ids=[str(9000 + number)],
            appointment_reminder_template_ids=[str(9100 + number), "9199"],
            appointment_follow_up_template_ids=[],
            deposit_price="20.00" if number == 0 else None,
            online_bookings_lead_time_hours=24,
            online_payments_enabled=number == 0,
            online_payments_mode="deposit_required" if number == 0 else None,
            show_in_online_bookings=not archived,
            telehealth_enabled=telehealth,
            add_deposit_to_account_credit=False,
            billable_item_id=item["id"],
            archived_at=timestamp(build.days_ago(250)) if archived else None,
        )
        if places > 1:
            clinic.group_type = row["id"]
        else:
            clinic.types.append({"id": row["id"], "minutes": minutes, "item": item, "archived": archived})
        build.add(
            "appointment_type_billable_items",
            early,
            appointment_type_id=row["id"],
            billable_item_id=item["id"],
            quantity="1.0",
            is_monetary_discount=False,
            discount_percentage="0.0",
        )
        if number == 1:
            build.add(
                "appointment_type_products",
                early,
                appointment_type_id=row["id"],
                product_id=clinic.products[0]["id"],
                quantity="1.0",
                is_monetary_discount=True,
                discounted_amount="2.50",
            )
    for name in ("Return visit", "Yearly check"):
        clinic.recall_types.append(build.add("recall_types", early, name=name)["id"])


def add_services(build: Builder, clinic: Clinic) -> None:
    """Say who offers what where; the archived type is offered by nobody."""
    offered = [one["id"] for one in clinic.types if not one["archived"]] + [clinic.group_type]
    tables = build.account.tables
    for number, business in enumerate(clinic.businesses):
        who = [one for index, one in enumerate(clinic.practitioners) if index % 3 != number or index == 0]
        for kind in offered:
            build.account.services.append(
                {"business_id": business, "appointment_type_id": kind, "practitioner_ids": who}
            )
        tables["businesses"].update(business, {"appointment_type_ids": offered})
    for practitioner in clinic.practitioners:
        tables["practitioners"].update(practitioner, {"default_appointment_type_id": clinic.types[0]["id"]})
