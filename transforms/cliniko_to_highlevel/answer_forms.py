"""The forms an answer can have: they tell what a field of the clinic is about, whatever its label says.

An answer may have several: a number of ten digits can be a Medicare number and somebody's membership. Only how many have a form
is ever kept, never an answer.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from cliniko_to_highlevel.emails import emails
from cliniko_to_highlevel.formats import plain_characters, slug, told_date

if TYPE_CHECKING:
    from collections.abc import Callable

    from cliniko_to_highlevel.mapping import ClinicMapping

INSURER, COVER, MANAGED = "known insurers", "kinds of cover", "kinds of plan management"
NDIS, MEDICARE, NHS, DVA = "NDIS numbers", "Medicare numbers", "NHS numbers", "DVA file numbers"
DATE, EMAIL, PHONE = "dates", "e-mail addresses", "phone numbers"
YES_NO, AMOUNT, NUMBER, SHORT = "yes or no", "amounts", "numbers", "small numbers"
WORDS, PROSE, PERSON = "names or words", "long texts", "people with a title"

#: What says that somebody has nothing to say: it speaks neither for nor against anything.
NOTHING = frozenset(
    {"none", "nil", "na", "n-a", "not-applicable", "unknown", "unsure", "not-sure", "tba", "tbc", "dont-know",
     "don-t-know", "other", "not-known"}
)  # fmt: skip
_YES_NO = frozenset({"yes", "no", "y", "n", "true", "false", "maybe", "pending", "declined", "sometimes"})
_MANAGED = re.compile(
    r"(self|plan|agency|ndia|parent|nominee|government)-(fund-)?manage[rd]?|ndia|agency|combination"
)
#: Separators of numbers as people write them.
_BETWEEN = re.compile(r"[\s.\-/]")
_NDIS = re.compile(r"43\d{7}")
_DVA = re.compile(r"[NVQWST](?:[A-Z]{1,3}\d{1,6}|\d{6})[A-Z]?", re.IGNORECASE)
_PHONE = re.compile(r"(?:\+|00?[1-9]|\()[\d\s().\-]{7,18}|\(?\d{3}\)?[\s.\-]\d{3}[\s.\-]\d{4}")
_FEWEST_DIGITS, _MOST_DIGITS = 8, 15
_AMOUNT = re.compile(r"(?:[$£€]|(?:AU|NZ|CA|US)D\s*)\s*[\d.,]+.*|[\d.,]+\s*(?:[$£€]|%)", re.IGNORECASE)
_TITLE = re.compile(r"(?:dr|prof|mr|mrs|ms|miss|assoc\.?\s+prof)\b\.?\s+\w", re.IGNORECASE)
_SMALL = 1_000
_LONG_WORDS = 8


def forms(answer: str, mapping: ClinicMapping) -> frozenset[str]:
    """Return the forms of an answer; none of one that says nothing."""
    text = plain_characters(answer).strip()
    identity = slug(text)
    if not identity or identity in NOTHING:
        return frozenset()
    return frozenset(_told(text, identity, mapping))


def _told(text: str, identity: str, mapping: ClinicMapping) -> set[str]:
    """Return the forms; what is one thing for sure is nothing else beside it."""
    sure: tuple[tuple[str, Callable[[], object]], ...] = (
        (YES_NO, lambda: identity in _YES_NO),
        (MANAGED, lambda: _MANAGED.fullmatch(identity)),
        (COVER, lambda: mapping.names_nobody(text)),
        (INSURER, lambda: identity in mapping.insurer_names),
        (EMAIL, lambda: "@" in text and emails(text)),
        (DATE, lambda: told_date(text) or told_date(text, month_first=True)),
        (AMOUNT, lambda: _AMOUNT.fullmatch(text)),
        (PERSON, lambda: _TITLE.match(text)),
    )
    name = next((name for name, fits in sure if fits()), None)
    if name:
        return {name}
    digits, letters = sum(map(str.isdecimal, text)), sum(map(str.isalpha, text))
    return _numbers(text) if digits and digits >= letters else _words(text, digits)


def _words(text: str, digits: int) -> set[str]:
    words = len(text.split())
    if digits and words == 1:
        return {NUMBER}  # ABCDE12: an identifier all the same
    return {PROSE} if words >= _LONG_WORDS else {WORDS}


def _numbers(text: str) -> set[str]:
    plain = _BETWEEN.sub("", text)
    if plain.isdecimal() and int(plain) < _SMALL and not plain.startswith("00"):
        return {SHORT}
    tests = (
        (NDIS, bool(_NDIS.fullmatch(plain))),
        (MEDICARE, is_medicare(plain)),
        (NHS, is_nhs(plain)),
        (DVA, bool(_DVA.fullmatch(plain))),
        (
            PHONE,
            bool(_PHONE.fullmatch(text)) and _FEWEST_DIGITS <= sum(map(str.isdecimal, text)) <= _MOST_DIGITS,
        ),
    )
    return {NUMBER, *(name for name, told in tests if told)}


def is_medicare(digits: str) -> bool:
    """Return whether this is the number of an Australian Medicare card, by its check digit; a person's digit may follow."""
    if not re.fullmatch(r"[2-6]\d{9}\d?", digits):
        return False
    weights = (1, 3, 7, 9, 1, 3, 7, 9)
    return sum(weight * int(digit) for weight, digit in zip(weights, digits, strict=False)) % 10 == int(
        digits[8]
    )


def is_nhs(digits: str) -> bool:
    """Return whether this is an NHS number of England, by its check digit (modulo 11)."""
    if not re.fullmatch(r"\d{10}", digits):
        return False
    total = sum(weight * int(digit) for weight, digit in zip(range(10, 1, -1), digits, strict=False))
    return (11 - total % 11) % 11 == int(digits[9])
