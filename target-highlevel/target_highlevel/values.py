"""Canonical values: one spelling of each value, so that hashing and comparing mean the same everywhere."""

from __future__ import annotations

import hashlib
import json
import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Container

_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_DATE_TIME = re.compile(
    r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d)(:\d\d)?(?:\.\d+)?(?:(Z)|([+-]\d\d):?(\d\d)?)?", re.ASCII
)


def canonical(value: Any) -> Any:
    """Return the value with numbers as canonical decimal strings or integers and containers made plain.

    A number that came through JSON is a ``Decimal`` and in-process a ``float`` or ``int``: all three give the same result.
    """
    if isinstance(value, dict):
        return {str(key): canonical(item) for key, item in value.items() if item is not None}
    if isinstance(value, (list, tuple)):
        return [canonical(item) for item in value]
    if isinstance(value, (float, Decimal)):
        return decimal_text(value)
    return value


def decimal_text(value: Any) -> str:
    """Return a number as text without exponent and without trailing zeros: ``81.818``, ``90``.

    Raises:
        ValueError: the value is no finite number.
    """
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        msg = "not a number"
        raise ValueError(msg) from None
    if not number.is_finite():
        msg = "not a finite number"
        raise ValueError(msg)
    text = format(number, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text in {"-0", ""} else text


def date_time(text: str) -> datetime | None:
    """Return the date-time a text names, to the second; none for anything else, a bare date too."""
    found = _DATE_TIME.fullmatch(text)
    if found is None:
        return None
    day, minute, second, in_utc, hours, minutes = found.groups()
    zone = f"{hours or '+00'}:{minutes or '00'}" if in_utc or hours else ""
    try:
        # Python versions differ in the spellings they read; all of them read this one.
        return datetime.fromisoformat(f"{day}T{minute}{second or ':00'}{zone}")
    except ValueError:
        return None


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def from_epoch(value: Any) -> datetime | None:
    """Return the moment that a number of milliseconds since 1970 names; none for anything else."""
    if isinstance(value, bool) or not isinstance(value, (int, float, Decimal)):
        return None
    try:
        return _EPOCH + timedelta(milliseconds=int(value))
    except OverflowError:
        return None


def day(value: Any) -> Any:
    """Return the date that a date-time, a number of milliseconds or a date names; anything else as it is."""
    moment = from_epoch(value)
    if moment is not None:
        return moment.date().isoformat()
    found = _DAY.match(str(value))
    return found.group() if found else value


def amount_text(value: Any) -> str:
    """Return a number, or the amount of a sum with its currency, as canonical text."""
    return decimal_text(value["value"] if isinstance(value, dict) else value)


def listed_options(value: Any, known: Container[str]) -> list[Any]:
    """Return the options of a pick-list with several: an array, or a text that joins them by commas.

    An option may have commas itself: it is the longest one that is known.
    """
    if not isinstance(value, str):
        return list(value)
    parts, found = value.split(", "), []
    while parts:
        longest = (size for size in range(len(parts), 1, -1) if ", ".join(parts[:size]) in known)
        size = next(longest, 1)
        found.append(", ".join(parts[:size]))
        parts = parts[size:]
    return found


# What is written so came as JSON itself, so nothing in it can hold itself.
_to_json = json.JSONEncoder(
    ensure_ascii=False, sort_keys=True, separators=(",", ":"), check_circular=False
).encode


def canonical_json(value: Any) -> str:
    """Return the one JSON spelling of a canonical value."""
    return _to_json(value)


def fingerprint(value: Any, salt: bytes) -> str:
    """Return a keyed hash of a value: it tells equal from changed and gives nothing else away."""
    return hashlib.blake2b(canonical_json(value).encode(), key=salt, digest_size=12).hexdigest()
