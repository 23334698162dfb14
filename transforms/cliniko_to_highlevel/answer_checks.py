"""Whether an answer can be what a field of the profile is for: a guard for fields recognised by their label only."""

from __future__ import annotations

import re

#: Fields of the profile that hold a name; the others hold a number or a date, which has digits.
_NAMES = frozenset({"insurer", "ndis_plan_manager", "employer", "school"})
_NUMBERS = frozenset({"member_number", "policy_number", "claim_number", "ndis_number"})
_YES_NO = frozenset({"yes", "no", "y", "n", "true", "false"})
_DATE = re.compile(r"\d{4}-\d{1,2}-\d{1,2}|\d{1,2}[/.-]\d{1,2}[/.-]\d{2,4}")
_MONTH = re.compile(r"\b(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\b", re.IGNORECASE)


def fits(target: str, answer: str) -> bool:
    """Return whether an answer can be what the field is for.

    A wrong yes puts a date among the insurers, a wrong no keeps an answer with its label: doubt means no.
    """
    if "@" in answer or answer.strip(" .!").casefold() in _YES_NO:
        return False
    if target in _NAMES:
        return _is_name(answer)
    has_digit = any(char.isdecimal() for char in answer)
    return has_digit and not (target in _NUMBERS and _DATE.fullmatch(answer))


def _is_name(answer: str) -> bool:
    """Return whether an answer is more of a name than a number, a phone number or a date."""
    text = _MONTH.sub("", answer)
    digits, letters = sum(map(str.isdecimal, text)), sum(map(str.isalpha, text))
    return not digits or letters > digits
