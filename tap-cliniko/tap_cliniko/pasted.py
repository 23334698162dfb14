"""Reads values as people paste them: with blanks and quotes around them, or with more than was asked for."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlsplit

_QUOTES = {'"': '"', "'": "'", "`": "`", "\N{LEFT DOUBLE QUOTATION MARK}": "\N{RIGHT DOUBLE QUOTATION MARK}"}
_QUOTES["\N{LEFT SINGLE QUOTATION MARK}"] = "\N{RIGHT SINGLE QUOTATION MARK}"
# blanks of every kind, and marks that no eye sees: zero width, joiners, byte order
_AROUND = " \t\r\n\x0c\x0b\xa0\u200b\u200c\u200d\u2060\ufeff"
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
_CLINIKO = re.compile(r"(?:[a-z0-9-]+\.)?([a-z]{2}\d{1,2})\.cliniko\.com", re.IGNORECASE)
_ID = re.compile(r"(?:\S*/)?(\d+)(?:[?#]\S*)?", re.ASCII)
_BETWEEN_IDS = re.compile(r"[\s,;]+")


class Explained(ValueError):  # noqa: N818 - the text is the news
    """Says what is wrong in words of its own, without the value."""


def text(value: str) -> str:
    """Take blanks, and one pair of quotes, from around a value."""
    bare = value.strip(_AROUND)
    if len(bare) > 1 and _QUOTES.get(bare[0]) == bare[-1]:
        return bare[1:-1].strip(_AROUND)
    return bare


def email(value: str) -> str:
    """Read the address out of a link or of `Name <address>`."""
    bare = value[value.index("<") + 1 : -1] if value.endswith(">") and "<" in value else value
    return bare.removeprefix("mailto:")


def ids(value: Any) -> Any:
    """Read ids out of a list, or out of a text with commas; an id may be given as the address of its page.

    Raises:
        ValueError: a part of it holds no id.
    """
    parts = _BETWEEN_IDS.split(value.strip("[] ,;")) if isinstance(value, str) else value
    if not isinstance(parts, (list, tuple)):
        return value
    found = [_ID.fullmatch(text(str(each))) for each in parts]
    if not found or None in found:
        msg = "no ids"
        raise ValueError(msg)
    return tuple(sorted({str(int(each.group(1))) for each in found if each}, key=int))


def api_base(value: str) -> str:
    """Return the base URL of the API; the address of any page of Cliniko names it too.

    Raises:
        ValueError: it is no address.
        Explained: it is one to which the key must not be sent.
    """
    address = value if "://" in value else f"https://{value}"
    parts = urlsplit(address)
    if (
        not parts.hostname
        or parts.port == 0
        or parts.scheme not in {"http", "https"}
        or len(value.split()) > 1
    ):
        msg = "no address"
        raise ValueError(msg)
    if parts.username is not None:
        msg = "must not hold a user or a password: it is shown in messages"
        raise Explained(msg)
    if parts.scheme != "https" and parts.hostname not in _LOOPBACK:
        msg = "must begin with https://: the key must not travel in the clear"
        raise Explained(msg)
    if found := _CLINIKO.fullmatch(parts.hostname):
        return f"https://api.{found.group(1).lower()}.cliniko.com/v1"
    return address.partition("?")[0].partition("#")[0].rstrip("/")
