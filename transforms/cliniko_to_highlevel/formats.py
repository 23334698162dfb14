"""One spelling for each kind of value: text, decimals, dates, date-times, names as identities."""

from __future__ import annotations

import re
import unicodedata
from datetime import date, datetime, timezone
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

#: Control characters and lone surrogates: no service stores them, and some cut the text off at them.
_UNSTORABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
_LINE_ENDS = re.compile("\r\n?|[\x0b\x0c\x85\u2028\u2029]")
_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", re.ASCII)
#: What validators of web services take: no dot at an end or beside another one, 64 characters, plain letters in the domain.
_EMAIL = re.compile(
    r"(?=[^@]{1,64}@)[^\s@<>()\[\],;:\"\\.]+(?:\.[^\s@<>()\[\],;:\"\\.]+)*"
    r"@(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+(?:[A-Za-z]{2,63}|xn--[A-Za-z0-9-]{2,59})"
)
_WORD_KINDS = frozenset("LMN")
#: Far beyond any amount of money, and small enough to be written out without an exponent.
_LARGEST_EXPONENT = 30


def clean_text(value: str) -> str | None:
    """Return a text without control characters, with plain line ends; None when nothing is left."""
    if not value.isprintable():
        value = _UNSTORABLE.sub("", _LINE_ENDS.sub("\n", value))
    return value.strip() or None


def decimal_text(value: Any) -> str:
    """Return a number as text, exact, without exponent and without trailing zeros: ``81.818``, ``90``.

    Raises:
        ValueError: the value is no finite number of a sensible size.
    """
    try:
        number = Decimal(str(value).strip())
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite() or (number and abs(number.adjusted()) > _LARGEST_EXPONENT):
        msg = "not a number"
        raise ValueError(msg)
    text = format(number, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def date_text(value: str) -> str:
    """Return a date as ``YYYY-MM-DD``; of a date-time, its date.

    Raises:
        ValueError: the value is no date.
    """
    return date.fromisoformat(value.strip()[:10]).isoformat()


def instant_text(value: str) -> str:
    """Return a date-time in UTC as ``YYYY-MM-DDTHH:MM:SSZ``.

    Raises:
        ValueError: the value is no date-time.
    """
    if _INSTANT.fullmatch(value):
        datetime.fromisoformat(value[:-1])
        return value
    return _written(_moment(value.strip()))


def _moment(value: str) -> datetime:
    if value[-1:] in {"Z", "z"}:
        value = f"{value[:-1]}+00:00"
    moment = datetime.fromisoformat(value)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=timezone.utc)
    try:
        return moment.astimezone(timezone.utc)
    except OverflowError as error:
        raise ValueError(str(error)) from None


def _written(moment: datetime) -> str:
    return moment.replace(microsecond=0, tzinfo=None).isoformat() + "Z"


@lru_cache(maxsize=256)
def zone(name: str | None) -> ZoneInfo | None:
    """Return the time zone of that IANA name, or None when there is no such zone."""
    if not name:
        return None
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


def local_time(instant: str, zone_name: str | None) -> str:
    """Return an instant as a clinic reads it: ``2024-03-11 14:15`` in its zone, else in UTC."""
    moment = datetime.fromisoformat(instant[:-1]).replace(tzinfo=timezone.utc)
    local = zone(zone_name)
    try:
        return moment.astimezone(local or timezone.utc).isoformat(sep=" ")[:16]
    except OverflowError:
        return moment.isoformat(sep=" ")[:16]


@lru_cache(maxsize=65536)
def slug(name: str) -> str:
    """Return a name as an identity: case, punctuation and width do not matter, letters of every script stay.

    Marks are kept with letters, because in many scripts (Devanagari, Thai) they are the vowels.
    """
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())
    spaced = "".join(char if unicodedata.category(char)[0] in _WORD_KINDS else " " for char in folded)
    return "-".join(spaced.split())


def folded(name: str) -> str:
    """Return a label as people compare it: neither case nor blanks make a difference."""
    return " ".join(name.casefold().split())


def emails(value: str | None) -> list[str]:
    """Return the valid e-mail addresses of a text: an invalid one would make HighLevel refuse the contact."""
    return [
        piece
        for piece in re.split(r"[\s,;<>]+", value or "")
        if piece.isprintable() and _EMAIL.fullmatch(piece)
    ]


def joined(separator: str, *pieces: str | None) -> str | None:
    """Return the pieces that are there, joined; None when there is none."""
    return separator.join(piece for piece in pieces if piece) or None


def utf16_length(text: str) -> int:
    """Return the length HighLevel counts: characters outside the basic plane (most emoji) count twice."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2
