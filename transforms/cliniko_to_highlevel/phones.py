"""Phone numbers: from what a receptionist typed to E.164, the form HighLevel needs."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import phonenumbers

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cliniko_to_highlevel.row import Row

#: Which of several numbers becomes the contact's phone: one that takes text messages first, a fax never.
_PREFERENCE = {"Mobile": 0, "Home": 1, "Work": 2, "Other": 3}
_BETWEEN = re.compile(r"\s*(?:[/;,|]|\bor\b)\s*", re.IGNORECASE)


class _Number(NamedTuple):
    """One number as Cliniko has it."""

    kind: str
    text: str
    normalized: str | None


class Phones(NamedTuple):
    """The numbers of one person: the one for HighLevel, the one to show, and all of them as typed."""

    e164: str | None
    shown: str | None
    listed: str | None


@lru_cache(maxsize=131072)
def e164(number: str, normalized: str | None, countries: tuple[str, ...]) -> str | None:
    """Return a number in E.164, or None when it is valid in none of the countries.

    Two numbers typed into one field give the first. The last try is Cliniko's own normalised form, which is
    the same as E.164 without the plus sign.
    """
    pieces = [piece for piece in _BETWEEN.split(number) if piece]
    tries = [(text, country) for text in dict.fromkeys((number, *pieces)) for country in countries or ("ZZ",)]
    if normalized:
        tries.append((f"+{normalized.lstrip('+')}", "ZZ"))
    return next((valid for text, country in tries if (valid := _valid(text, country))), None)


def _valid(text: str, country: str) -> str | None:
    try:
        number = phonenumbers.parse(text, country)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_valid_number(number):
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def phones(row: Row, field: str, countries: Sequence[str | None]) -> Phones:
    """Return a person's numbers; one without a country is looked up in the given ones, in that order."""
    known = tuple(dict.fromkeys(country for country in countries if country))
    numbers = [number for part in row.parts(field) if (number := _typed(part))]
    usable = sorted((number for number in numbers if number.kind in _PREFERENCE), key=_preference)
    valid = (e164(number.text, number.normalized, known) for number in usable)
    best = next((text for text in valid if text), None)
    return Phones(
        e164=best,
        shown=best or next((number.text for number in usable), None),
        listed="\n".join(f"{number.kind}: {number.text}" for number in numbers) or None,
    )


def _typed(part: Row) -> _Number | None:
    normalized = part.text("normalized_number")
    text = part.text("number") or normalized
    return _Number(part.text("phone_type") or "Other", text, normalized) if text else None


def _preference(number: _Number) -> int:
    return _PREFERENCE[number.kind]
