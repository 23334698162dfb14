"""Points in time as Cliniko writes them: UTC, whole seconds, ending in Z. As text they sort by time."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

_FORMAT = "%Y-%m-%dT%H:%M:%SZ"
_ISO = re.compile(
    r"(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d)(:\d\d)?(?:[.,]\d+)?)?(?:\s?(?:Z|UTC|GMT|([+-]\d\d):?(\d\d)?))?",
    re.ASCII,
)
#: The form without separators, which a number of eight digits is not.
_BASIC = re.compile(r"(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)?(?!\d)", re.ASCII)
#: As Cliniko writes it.
USUAL = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", re.ASCII)


def from_epoch(seconds: float) -> str:
    """Write an epoch time, rounded down to the second."""
    return datetime.fromtimestamp(int(seconds), tz=UTC).strftime(_FORMAT)


def normal(text: str) -> str:
    """Write an ISO 8601 date or time as a UTC moment; without an offset it counts as UTC.

    Raises:
        ValueError: the text names no moment.
    """
    plain = text.strip().upper().replace("\u2212", "-")
    if basic := _BASIC.match(plain):
        year, month, date, hour, clock, rest = basic.groups(default="00")
        plain = f"{year}-{month}-{date}T{hour}:{clock}:{rest}{plain[basic.end() :]}"
    found = _ISO.fullmatch(plain)
    if found is None:
        msg = "no ISO 8601 date or time"
        raise ValueError(msg)
    day, minute, second, hours, minutes = found.groups()
    # Python versions differ in the spellings they read; all of them read this one
    written = f"{day}T{minute or '00:00'}{second or ':00'}{hours or '+00'}:{minutes or '00'}"
    try:
        moment = datetime.fromisoformat(written).astimezone(UTC)
    except OverflowError as error:
        raise ValueError(str(error)) from None
    # strftime writes years before 1000 with fewer than four digits
    return f"{moment.replace(tzinfo=None).isoformat()}Z"


def earlier(moment: str, seconds: float) -> str:
    """Return the moment some seconds before."""
    parsed = datetime.strptime(moment, _FORMAT).replace(tzinfo=UTC)
    return (parsed - timedelta(seconds=seconds)).strftime(_FORMAT)
