"""Canonical values: one spelling of each value, so that hashing and comparing mean the same everywhere."""

from __future__ import annotations

import hashlib
import json
import re
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable

#: A date in figures, the year first or last.
_YEAR_FIRST = re.compile(r"(\d{4})[-/._](\d\d?)[-/._](\d\d?)(?!\d)", re.ASCII)
_YEAR_LAST = re.compile(r"(\d\d?)[-/._](\d\d?)[-/._](\d{4})(?!\d)", re.ASCII)
#: A number of milliseconds that comes as a text.
_MILLISECONDS = re.compile(r"-?\d{9,14}", re.ASCII)
#: Midnight of a day, anywhere but in the Pacific's last hour, falls into the day before it in UTC only after this hour.
_MIDNIGHT_AHEAD = timedelta(hours=10)
#: Stands between the fingerprints of a value and of its normal form, in what the ledger keeps of it.
BETWEEN = "~"
_DATE_TIME = re.compile(
    r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d)(:\d\d)?(?:\.\d+)?(?:(Z)|([+-]\d\d):?(\d\d)?)?", re.ASCII
)


def canonical(value: Any) -> Any:
    """Return the value with numbers as canonical decimal strings or integers and containers made plain.

    A number with a decimal point is a ``Decimal`` if it came through JSON and in-process a ``float``: both give the same text.
    One without is an ``int`` in either case and stays one, as the digests of all ledgers have it; a field that holds a number
    makes a text of it (``fields.kinds.Number``).
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
    """Return the moment that a number of milliseconds since 1970 names, or a text of its figures; none for anything else."""
    if isinstance(value, str) and _MILLISECONDS.fullmatch(value):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, (int, float, Decimal)):
        return None
    try:
        return _EPOCH + timedelta(milliseconds=int(value))
    except OverflowError:
        return None


def day(value: Any) -> Any:
    """Return the date that a date-time, a number of milliseconds or a date names; anything else as it is.

    A date kept as a moment is midnight somewhere: shown in UTC, that of a place ahead of it is in the evening before. Of
    figures with the year last, the month comes first, as HighLevel takes them, unless it cannot be one.
    """
    text = str(value).strip()
    moment = from_epoch(value) or date_time(text)
    if moment is not None and moment.tzinfo is not None and not moment.utcoffset():
        ahead = moment - moment.replace(hour=0, minute=0, second=0, microsecond=0) > _MIDNIGHT_AHEAD
        return (moment.date() + timedelta(days=ahead)).isoformat()
    days = days_of(text)
    return days[0] if days else value


def days_of(text: str) -> list[str]:
    """Return the dates, likeliest first, that figures may name; none for anything else."""
    found = _YEAR_FIRST.match(text)
    if found:
        orders = [found.groups()]
    elif found := _YEAR_LAST.match(text):
        first, second, year = found.groups()
        orders = [(year, first, second), (year, second, first)]
    else:
        return []
    days = []
    for order in orders:
        with suppress(ValueError):
            days.append(date(*map(int, order)).isoformat())
    return days


def amount_text(value: Any) -> str:
    """Return a number, or the amount of a sum with its currency, as canonical text; what is none as it is.

    Signs of currencies and signs between thousands are no part of it.
    """
    value = bare_amount(value)
    for text in (value, _NO_FIGURE.sub("", str(value)[:_LONGEST_SUM])):
        with suppress(ValueError):
            return decimal_text(text)
    return str(value)


def bare_amount(value: Any) -> Any:
    """Return the amount of a sum that comes with its currency, whatever it is; any other value as it is."""
    return value.get("value", value.get("amount")) if isinstance(value, dict) else value


_LONGEST_SUM = 40
_NO_FIGURE = re.compile(r"^[^\d-]+|,(?=\d{3}(?!\d))|[^\d]+$")


def switched(value: Any) -> bool:
    """Return whether a switch is on, also where it comes as a word or as a number."""
    return value.strip().casefold() in {"true", "yes", "1"} if isinstance(value, str) else bool(value)


_BETWEEN_OPTIONS = re.compile(r"\s*[,;]\s*")


def listed_options(value: Any, known: Iterable[str]) -> list[Any]:
    """Return the options of a pick-list with several: an array, a single one, or a text that joins them by commas or semicolons.

    An option may have such signs itself: it is the longest one that is known.
    """
    if not isinstance(value, str):
        return value if isinstance(value, list) else [value]
    whole = {", ".join(_BETWEEN_OPTIONS.split(name)): name for name in known}
    parts, found = _BETWEEN_OPTIONS.split(value), []
    while parts:
        longest = (size for size in range(len(parts), 1, -1) if ", ".join(parts[:size]) in whole)
        size = next(longest, 1)
        joined = ", ".join(parts[:size])
        found.append(whole.get(joined, joined))
        parts = parts[size:]
    return found


# What is written so came as JSON itself, so nothing in it can hold itself.
_to_json = json.JSONEncoder(
    ensure_ascii=False, sort_keys=True, separators=(",", ":"), check_circular=False
).encode


def canonical_json(value: Any) -> str:
    """Return the one JSON spelling of a canonical value."""
    return _to_json(value)


_quickly = msgspec.json.Encoder(order="sorted").encode


def record_json(value: Any) -> str:
    """Return the same spelling of what is in a record that came; it has no floats, which would be spelled otherwise."""
    try:
        return _quickly(value).decode()
    except (TypeError, UnicodeEncodeError):  # half an emoji
        return canonical_json(value)


def fingerprint(value: Any, salt: bytes) -> str:
    """Return a keyed hash of a value: it tells equal from changed and gives nothing else away."""
    return keyed_hash(canonical_json(value), salt)


def same_value(one: str | None, other: str | None) -> bool:
    """Return whether what was kept of two values is of one, in whatever spelling."""
    if one is None or other is None:
        return one is other
    return not set(one.split(BETWEEN)).isdisjoint(other.split(BETWEEN))


def keyed_hash(text: str, salt: bytes) -> str:
    """Return the fingerprint of a value that is spelled out already."""
    return hashlib.blake2b(text.encode(), key=salt, digest_size=12).hexdigest()
