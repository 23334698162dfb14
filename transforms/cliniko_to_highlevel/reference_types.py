"""Reference records as the mapping keeps them: what each is reduced to, and how it is read."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from cliniko_to_highlevel.formats import joined
from cliniko_to_highlevel.people import hidden_at, is_name

if TYPE_CHECKING:
    from cliniko_to_highlevel.row import Row

PAYER_TYPE = 2
_SUNDAY = 7
_CLOCK = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)(?::\d\d)?$")


class Practitioner(NamedTuple):
    """A practitioner's name, and the user that has the e-mail address."""

    name: str | None
    user_id: str | None


class Business(NamedTuple):
    """A location of the clinic."""

    name: str
    detail: str | None
    time_zone: str | None


class Payer(NamedTuple):
    """A contact that pays for patients."""

    source_id: str
    archived: bool
    order: int


class Booking(NamedTuple):
    """When, with whom, of what type and where a booking is; ``removed`` when it is archived or deleted."""

    starts_at: str | None
    practitioner_id: str | None
    appointment_type_id: str | None
    business_id: str | None
    removed: bool


class Hours(NamedTuple):
    """A stretch of a weekday in which a practitioner works: local clock times, Monday is 1, Sunday 7."""

    day: int
    starts: str
    ends: str
    time_zone: str | None
    business_id: str | None


class Tax(NamedTuple):
    """A tax's name and rate in percent."""

    name: str | None
    rate: str | None


class Offer(NamedTuple):
    """A service that belongs to an appointment type, with its quantity and discount as a reader sees them."""

    service: str
    terms: str | None


def booking_of(row: Row) -> Booking:
    """Return what an individual or group appointment is, whoever comes to it."""
    return Booking(
        row.instant("starts_at"),
        row.reference("practitioner_id"),
        row.reference("appointment_type_id"),
        row.reference("business_id"),
        hidden_at(row) is not None,
    )


def hours_of(row: Row, time_zone: str | None) -> list[Hours]:
    """Return when a practitioner works on one weekday; a time that is no clock time is left out: nobody can be booked then."""
    day = row.whole("day_of_week")
    if day is None or not 0 <= day <= _SUNDAY:
        return []
    found = []
    for span in row.parts("availabilities"):
        starts, ends = (_clock(span.text(name)) for name in ("starts_at", "ends_at"))
        if ends == "00:00":  # midnight ends the day
            ends = "23:59"
        if starts and ends and starts < ends:
            found.append(Hours(day or _SUNDAY, starts, ends, time_zone, row.reference("business_id")))
    return found


def _clock(text: str | None) -> str | None:
    found = _CLOCK.match(text or "")
    return f"{int(found.group(1)):02}:{found.group(2)}" if found else None


def practitioner_name(row: Row) -> str | None:
    """Return the name patients know a practitioner by."""
    return (
        row.text("display_name")
        or joined(" ", row.text("title"), row.text("first_name"), row.text("last_name"))
        or row.text("label")
    )


def contact_name(row: Row) -> str:
    """Return a contact's name: of a payer its company's, of a person his own, else the preferred one; a title alone is none."""
    title, preferred = row.text("title"), row.name("preferred_name")
    person = joined(" ", row.name("first_name"), row.name("last_name"))
    person = joined(" ", title, person) if is_name(person) else preferred
    company = row.name("company_name")
    names = (company, person) if row.whole("type_code") == PAYER_TYPE else (person, company)
    return next(filter(is_name, names), None) or joined(" ", title, row.source_id) or row.source_id


def terms_of(row: Row) -> str | None:
    """Return with what quantity and discount an appointment type offers a service."""
    quantity, amount, share = (
        row.amount("quantity"),
        row.amount("discounted_amount"),
        row.amount("discount_percentage"),
    )
    discount = None
    if row.flag("is_monetary_discount") is not False and amount not in {None, "0"}:
        discount = f"(discount {amount})"
    elif share not in {None, "0"}:
        discount = f"(discount {share} %)"
    return joined(" ", f"x {quantity}" if quantity not in {None, "1"} else None, discount)
