"""Moments as people read them, wherever they read them: in the clinic's zone where it is known, and naming it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import tzinfo

    from target_highlevel.ledger.ledger import Ledger


def moment(at: str | datetime, zone: str | None = None) -> str:
    """Return a moment as people write it: ``22 November 2026, 10:05 UTC``.

    Args:
        at: the moment, in UTC unless it says otherwise.
        zone: the name of the clinic's time zone; UTC where it is not known.
    """
    parsed = at if isinstance(at, datetime) else datetime.fromisoformat(at)
    if parsed.tzinfo is None:
        parsed = parsed.replace(tzinfo=UTC)
    local = parsed.astimezone(_zone(zone))
    return f"{local.day} {local:%B %Y, %H:%M} {local.tzname()}"


def _zone(name: str | None) -> tzinfo:
    try:
        return ZoneInfo(name) if name else UTC
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return UTC


def clinic_zone(ledger: Ledger) -> str | None:
    """Return the clinic's time zone, as the newest plan that has found one says; none where no plan has."""
    plans = (run["facts"].get("report", {}).get("plan") for run in reversed(ledger.newest_of_each(1)))
    return next((found for found in map(zone_of, plans) if found), None)


def zone_of(plan: Mapping[str, Any] | None) -> str | None:
    """Return the clinic's time zone, as a plan has found it."""
    return ((plan or {}).get("account") or {}).get("time_zone")
