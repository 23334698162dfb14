"""What an invoice and its items come to, straight from Cliniko's row: the target sums it up beside what HighLevel holds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cliniko_to_highlevel.errors import RecordError

if TYPE_CHECKING:
    from collections.abc import Callable

    from cliniko_to_highlevel.reference import Reference
    from cliniko_to_highlevel.row import Row

#: Codes of Cliniko's API.
STATUSES = {10: "Open", 20: "Paid", 30: "Closed", 40: "Open credit"}
#: Currencies of the countries in which Cliniko is used most: its API tells the sign of the currency only.
_CURRENCIES = {
    "AU": "AUD", "NZ": "NZD", "GB": "GBP", "CA": "CAD", "US": "USD", "ZA": "ZAR", "SG": "SGD", "HK": "HKD",
    "CH": "CHF", "DK": "DKK", "NO": "NOK", "SE": "SEK", "AE": "AED", "IN": "INR", "MY": "MYR",
}  # fmt: skip
_EURO = frozenset(
    {
        "AT", "BE", "CY", "DE", "EE", "ES", "FI", "FR", "GR", "HR", "IE", "IT", "LT", "LU", "LV", "MT", "NL", "PT",
        "SI", "SK",
    }
)  # fmt: skip


def of_invoice(row: Row, reference: Reference) -> dict[str, Any]:
    """Return the total of an invoice and what it is summed by; what cannot be read is missing, never wrong."""
    return _told(
        amount=lambda: row.amount("total_amount"),
        status=lambda: named_code(row, "status", STATUSES),
        year=lambda: (row.date("issue_date") or "")[:4],
        business=lambda: reference.location_label(row),
        currency=lambda: currency(reference.account_country),
    )


def of_item(row: Row, reference: Reference) -> dict[str, Any]:
    """Return the price of a line with tax, and the invoice by whose status, year and location it is summed."""
    return _told(
        amount=lambda: row.amount("total_including_tax"),
        of=lambda: _invoice(row),
        currency=lambda: currency(reference.account_country),
    )


def currency(country: str | None) -> str | None:
    """Return the currency of a country, as far as it is known."""
    return "EUR" if country in _EURO else _CURRENCIES.get(country or "")


def named_code(row: Row, field: str, names: dict[int, str]) -> str | None:
    """Return a code's name; of a code that is newer than this mapping, Cliniko's own description of it."""
    code = row.whole(field)
    return names.get(code or 0) or row.text(f"{field}_description") or (None if code is None else str(code))


def _invoice(row: Row) -> str | None:
    invoice = row.linked("invoice_id", "invoices")
    return f"custom_objects.cliniko_invoice:{invoice}" if invoice else None


def _told(**values: Callable[[], str | None]) -> dict[str, Any]:
    told = {}
    for name, read in values.items():
        try:
            told[name] = read()
        except RecordError:  # the record is rejected for it; its other figures count all the same
            continue
    return {name: value for name, value in told.items() if value}
