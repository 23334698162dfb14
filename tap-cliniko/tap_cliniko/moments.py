"""Points in time as Cliniko writes them: UTC, whole seconds, ending in Z. As text they sort by time."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

_FORMAT = "%Y-%m-%dT%H:%M:%SZ"


def from_epoch(seconds: float) -> str:
    """Write an epoch time, rounded down to the second."""
    return datetime.fromtimestamp(int(seconds), tz=timezone.utc).strftime(_FORMAT)


def normal(text: str) -> str:
    """Write any ISO 8601 date or time as a UTC moment; without an offset it counts as UTC."""
    parsed = datetime.fromisoformat(text.replace("Z", "+00:00"))
    aware = parsed if parsed.tzinfo else parsed.replace(tzinfo=timezone.utc)
    return aware.astimezone(timezone.utc).strftime(_FORMAT)


def earlier(moment: str, seconds: float) -> str:
    """Answer the moment some seconds before."""
    parsed = datetime.strptime(moment, _FORMAT).replace(tzinfo=timezone.utc)
    return (parsed - timedelta(seconds=seconds)).strftime(_FORMAT)
