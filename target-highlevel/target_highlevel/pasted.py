"""Reads values as people paste them: with blanks and quotes around them, or with the whole address of a page."""

from __future__ import annotations

import re

_QUOTES = {'"': '"', "'": "'", "`": "`", "\N{LEFT DOUBLE QUOTATION MARK}": "\N{RIGHT DOUBLE QUOTATION MARK}"}
_QUOTES["\N{LEFT SINGLE QUOTATION MARK}"] = "\N{RIGHT SINGLE QUOTATION MARK}"
_QUOTES |= {
    "<": ">",
    "\N{LEFT-POINTING DOUBLE ANGLE QUOTATION MARK}": "\N{RIGHT-POINTING DOUBLE ANGLE QUOTATION MARK}",
}
# blanks of every kind, and marks that no eye sees: zero width, joiners, byte order
_AROUND = " \t\r\n\x0c\x0b\xa0\u200b\u200c\u200d\u2060\ufeff"
_ID = re.compile(r"[A-Za-z0-9_-]+")
#: The address of a page of a sub-account, on HighLevel's own host or an agency's.
_PAGE = re.compile(r"\S+?/locations?/(?:%20)*(?P<id>[A-Za-z0-9_-]+)(?:[/?#%]\S*)?", re.IGNORECASE)
#: A line of ``.env``, or of an answer of the API, copied as a whole.
_NAME = re.compile(
    r"(?:export\s+)?[\"']?(?:TARGET_HIGHLEVEL_\w+|location_?id|access_?token)[\"']?\s*[=:]\s*", re.IGNORECASE
)


def text(value: str) -> str:
    """Take blanks, and one pair of quotes, from around a value."""
    bare = value.strip(_AROUND)
    if len(bare) > 1 and _QUOTES.get(bare[0]) == bare[-1]:
        return bare[1:-1].strip(_AROUND)
    return bare


def email(value: str) -> str:
    """Read the address out of a link or of ``Name <address>``."""
    bare = value[value.index("<") + 1 : -1] if value.endswith(">") and "<" in value else value
    return bare.strip().removeprefix("mailto:")


def token(value: str) -> str:
    """Read the token out of the header it was copied with."""
    return re.sub(r"^(authorization:\s*)?bearer\s+", "", _bare(value), flags=re.IGNORECASE)


def _bare(value: str) -> str:
    """Take the name of the setting, and a mark that ended the line or the sentence, from a value that is one word."""
    return text(_NAME.sub("", text(value), count=1).rstrip(",;."))


def location(value: str) -> str:
    """Read the id of a sub-account out of the address of one of its pages.

    Raises:
        ValueError: it is neither an id nor such an address.
    """
    bare = _bare(value).strip("'\"")
    page = _PAGE.fullmatch(bare)
    if page is not None:
        return page["id"]
    if _ID.fullmatch(bare):
        return bare
    message = "neither an id nor the address of a page"
    raise ValueError(message)
