"""What the load would cost: requests by route, hours at the burst limit, days at the daily limit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from target_highlevel.http.governor import Limits

if TYPE_CHECKING:
    from collections.abc import Mapping

    from target_highlevel.settings import Settings

_HOUR = 3600


def cost(requests: Mapping[str, int], settings: Settings, reads: int) -> dict[str, Any]:
    """Return the cost of the load; ``reads`` is what the plan itself has spent."""
    total = sum(requests.values())
    limits = Limits(requests=settings.requests_per_10s, per_day=settings.requests_per_day)
    pace = limits.requests * limits.share / limits.seconds
    return {
        "requests": total,
        "by_route": [
            {"route": route, "requests": number}
            for route, number in sorted(requests.items(), key=lambda item: (-item[1], item[0]))
        ],
        "hours": round(total / pace / _HOUR, 2),
        "days": round(total / settings.requests_per_day, 2),
        "requests_per_10s": settings.requests_per_10s,
        "share_of_pace": limits.share,
        "requests_per_day": settings.requests_per_day,
        "spent_by_the_plan": reads,
    }
