"""The normal form of a value: what is left alike when HighLevel keeps it in a form of its own.

It may write an e-mail in small letters, a phone with blanks, a date as a date-time, a text as HTML (highlevel-api.md section 20
asks which). None of that is somebody's change.
"""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING, Any

from target_highlevel.values import day, fingerprint

if TYPE_CHECKING:
    from target_highlevel.descriptor import FieldSpec

#: Tags that an editor puts around a text, with proper attributes only: a clinician's ``<5 mmHg`` or ``<i.v. only>`` is none, and
#: where HighLevel should lose such words, a verification has to see it.
_TAG = re.compile(
    r"</?(?:a|b|br|div|em|h[1-6]|i|li|ol|p|span|strong|u|ul)(?:\s+[a-z-]+\s*=\s*(?:\"[^\"]*\"|'[^']*'))*\s*/?>",
    re.IGNORECASE,
)
_BETWEEN = "~"


def normal_form(declared: FieldSpec, value: Any) -> Any:
    """Return a value as it is in every form in which HighLevel may keep it."""
    if declared.kind == "tags":
        return sorted(str(tag).casefold() for tag in value or ())
    if not isinstance(value, str):
        return value
    if is_email(declared):
        return value.strip().casefold()
    if is_phone(declared):
        return digits(value) or value
    if declared.data_type == "DATE" or declared.api_name == "dateOfBirth":
        return day(value)
    return value.upper() if declared.api_name == "country" else plain_text(value)


def is_email(declared: FieldSpec) -> bool:
    """Return whether a field holds an e-mail address."""
    return declared.api_name == "email" or declared.data_type == "EMAIL"


def is_phone(declared: FieldSpec) -> bool:
    """Return whether a field holds a phone number."""
    return declared.api_name == "phone" or declared.data_type == "PHONE"


def digits(text: str) -> str:
    """Return the digits of a phone number."""
    return re.sub(r"\D", "", text)


def plain_text(text: str) -> str:
    """Return the words of a text, without an editor's tags and whatever white space is between them."""
    return " ".join(html.unescape(_TAG.sub(" ", text)).split())


def mark(declared: FieldSpec, value: Any, salt: bytes) -> str:
    """Return what the ledger keeps of a written value: the hash of it, and that of its normal form where it is another."""
    exact, normal = fingerprint(value, salt), fingerprint(normal_form(declared, value), salt)
    return exact if exact == normal else f"{exact}{_BETWEEN}{normal}"


def is_written(kept: str | None, value: Any, salt: bytes) -> bool:
    """Return whether this very value is the one that a mark was made of."""
    return kept is not None and kept.partition(_BETWEEN)[0] == fingerprint(value, salt)


def holds(kept: str | None, declared: FieldSpec, value: Any, salt: bytes) -> bool:
    """Return whether a value is, in whatever form, the one that a mark was made of."""
    return kept is not None and kept.rpartition(_BETWEEN)[2] == fingerprint(
        normal_form(declared, value), salt
    )
