"""Invoices and their items, reversals, zero and negative amounts, and many decimals."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING, Any

from sandbox.clinic.builder import day, falls
from sandbox.cliniko.account import timestamp

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sandbox.clinic.builder import Builder
    from sandbox.clinic.setup import Clinic
    from sandbox.clinic.visits import Visit

SHARE_OF_VISITS = 0.8
FIRST_NUMBER = 1001
OPEN, PAID, CLOSED, OPEN_CREDIT = 10, 20, 30, 40
STATUSES = {OPEN: "Open", PAID: "Paid", CLOSED: "Closed", OPEN_CREDIT: "Open credit"}
FIRST_IN_TURN = 12
_IN_TURN = (PAID, OPEN, CLOSED, OPEN_CREDIT)
_WEIGHTS = (15, 75, 6, 4)
_METHODS = {1: "Legacy", 2: "Tax exclusive", 3: "Tax inclusive"}


@dataclass(frozen=True)
class Line:
    """What one item of an invoice says."""

    values: dict[str, Any]
    net: Decimal
    total: Decimal
    discount: Decimal


@dataclass(frozen=True)
class Bill:
    """What one invoice is about."""

    visit: Visit
    nth: int
    number: int
    status: int
    created: datetime
    original: str | None = None


def add_invoices(build: Builder, clinic: Clinic, visits: Sequence[Visit]) -> None:
    """Invoice most of the past visits; some invoices are reversed by another."""
    past = [
        visit for visit in visits if visit.starts < build.now and visit.state not in {"archived", "deleted"}
    ]
    number = FIRST_NUMBER
    for nth, visit in enumerate(visit for visit in past if build.chance(SHARE_OF_VISITS)):
        status = _IN_TURN[nth % 4] if nth < FIRST_IN_TURN else _status(build)
        lines = _lines(build, clinic, visit, nth)
        created = visit.starts + timedelta(minutes=50)
        invoice = _invoice(build, Bill(visit, nth, number, status, created), lines)
        number += 1
        if falls(nth, 5, 30):  # one in thirty is reversed
            negative = [_reversed(line) for line in lines]
            later = created + timedelta(days=1)
            _invoice(build, Bill(visit, nth, number, CLOSED, later, original=invoice), negative)
            number += 1


def _status(build: Builder) -> int:
    return int(build.rng.choices((OPEN, PAID, CLOSED, OPEN_CREDIT), _WEIGHTS)[0])


def _lines(build: Builder, clinic: Clinic, visit: Visit, nth: int) -> list[Line]:
    count = build.rng.choices((1, 2, 3), (60, 30, 10))[0]
    lines = [_line(visit.item, "1.0", Decimal(0), product=False)]
    for extra in range(count - 1):
        source = build.pick(clinic.products if extra == 0 else clinic.items)
        quantity = build.pick(("1.0", "2.0", "0.25", "1.333"))
        discount = build.pick((Decimal(0), Decimal(10), Decimal("33.333")))
        lines.append(_line(source, quantity, discount, product=extra == 0))
    if falls(nth, 2, 20):  # one in twenty is free of charge
        return [_line({**visit.item, "price": "0.00"}, "1.0", Decimal(0), product=False)]
    if falls(nth, 3, 20):  # one in twenty is a correction below zero
        return [_line({**visit.item, "price": "-45.4545"}, "1.0", Decimal(0), product=False)]
    return lines


def _line(source: dict[str, Any], quantity: str, discount: Decimal, *, product: bool) -> Line:
    """Work an item out as Cliniko does: the discount off the price before tax, tax on top."""
    unit, count = Decimal(source["price"]), Decimal(quantity)
    rate = Decimal(10 if source["taxed"] else 0)
    full = unit * count
    off = full * discount / 100
    net = full - off
    total = (net * (1 + rate / 100)).quantize(Decimal("0.01"), ROUND_HALF_UP)
    values = {
        "name": source["name"],
        "code": source["code"],
        "billable_item_id": None if product else source["id"],
        "product_id": source["id"] if product else None,
        "unit_price": source["price"],
        "quantity": quantity,
        "discount_percentage": str(discount),
        "discounted_amount": f"{off.normalize():f}",
        "is_monetary_discount": False,
        "net_price": f"{net.normalize():f}",
        "tax_name": "GST" if rate else None,
        "tax_rate": str(rate),
        "tax_amount": str(rate),
        "total_including_tax": float(total),
        "concession_type_name": None,
    }
    return Line(values, net, total, off)


def _reversed(line: Line) -> Line:
    values = {
        **line.values,
        "quantity": f"-{line.values['quantity']}",
        "net_price": f"{(-line.net).normalize():f}",
        "discounted_amount": f"{(-line.discount).normalize():f}",
        "total_including_tax": float(-line.total),
    }
    return Line(values, -line.net, -line.total, -line.discount)


def _invoice(build: Builder, bill: Bill, lines: Sequence[Line]) -> str:
    visit, nth, status, created = bill.visit, bill.nth, bill.status, bill.created
    net = sum((line.net for line in lines), Decimal(0))
    total = sum((line.total for line in lines), Decimal(0))
    hidden = _hidden(build, nth)
    method = 1 + nth % 3
    patient = build.account.tables["patients"][visit.patient]
    row = build.add(
        "invoices",
        created,
        number=bill.number,
        patient_id=visit.patient,
        attendee_id=visit.attendee,
        appointment_id=None if visit.group else visit.booking,
        practitioner_id=visit.practitioner if nth % 9 else None,
        business_id=visit.business,
        original_invoice_id=bill.original,
        issue_date=day(created),
        status=status,
        status_description=STATUSES[status],
        closed_at=timestamp(min(created, build.now)) if status in {PAID, CLOSED} else None,
        calculation_method=method,
        calculation_method_description=_METHODS[method],
        invoice_to=patient.get("invoice_default_to"),
        patient_extra_information=patient.get("invoice_extra_information"),
        net_amount=f"{net.normalize():f}",
        tax_amount=f"{(total - net).normalize():f}",
        total_amount=f"{total:f}",
        discounted_amount=f"{sum((line.discount for line in lines), Decimal(0)).normalize():f}",
        notes="Paid by the fund\nthank you" if falls(nth, 0, 10) else None,
        online_payment_url=f"https://clinic.example.com/pay/{build.token()}" if status == OPEN else None,
        **hidden,
    )
    for line in lines:
        build.add("invoice_items", created, invoice_id=row["id"], **line.values, **hidden)
    _mirror(build, bill)
    return str(row["id"])


def _hidden(build: Builder, nth: int) -> dict[str, str]:
    at = timestamp(build.days_ago(9))
    if falls(nth, 7, 40):  # one in forty is archived
        return {"archived_at": at}
    return {"archived_at": at, "deleted_at": at} if falls(nth, 9, 40) else {}  # one is deleted


def _mirror(build: Builder, bill: Bill) -> None:
    """Copy the state of an invoice to the appointment and the attendee; a reversal leaves it."""
    if bill.original is None:
        tables = build.account.tables
        tables["attendees"].update(bill.visit.attendee, {"invoice_status": bill.status})
        if not bill.visit.group:
            tables["individual_appointments"].update(bill.visit.booking, {"invoice_status": bill.status})
