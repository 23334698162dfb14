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
#: What phonenumbers calls a number's country when it has to stand in the number itself.
_NO_COUNTRY = "ZZ"
#: Fewer prove nothing about two forms of a number.
_FEWEST_DIGITS = 5
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
def e164(number: str, normalized: str | None, decided: str | None, countries: tuple[str, ...]) -> str | None:
    """Return a number in E.164, or None when it is valid nowhere.

    A number typed without a country is one in the country that the clinic decided on; else the one that Cliniko
    made of it with what it knows of the patient (its normalised form is E.164 without the plus sign); else one in
    the first of the countries where it is valid. Two numbers typed into one field give the first.
    """
    typed = tuple(dict.fromkeys((number, *(piece for piece in _BETWEEN.split(number) if piece))))
    known = f"+{normalized.lstrip('+')}" if normalized else None
    tries = [(text, decided or _NO_COUNTRY) for text in typed]
    if known and any(_is_of(known, text) for text in typed):
        tries.append((known, _NO_COUNTRY))
    tries += [(text, country) for text in typed for country in countries]
    if known:
        tries.append((known, _NO_COUNTRY))
    return next((valid for text, country in tries if (valid := _valid(text, country))), None)


def _is_of(known: str, typed: str) -> bool:
    """Return whether Cliniko's form is of the number as it was typed: it ends with the same digits, but for zeros in front."""
    digits = "".join(char for char in typed if char.isdecimal()).lstrip("0")
    return len(digits) >= _FEWEST_DIGITS and known.endswith(digits)


def _valid(text: str, country: str) -> str | None:
    try:
        number = phonenumbers.parse(text, country)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_valid_number(number):
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def phones(row: Row, field: str, decided: str | None, countries: Sequence[str | None]) -> Phones:
    """Return a person's numbers; those without a country are of the decided one, else of the others, in their order."""
    known = tuple(dict.fromkeys(country for country in countries if country))
    numbers = [number for part in row.parts(field) if (number := _typed(part))]
    usable = sorted((number for number in numbers if number.kind in _PREFERENCE), key=_preference)
    valid = (e164(number.text, number.normalized, decided, known) for number in usable)
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
