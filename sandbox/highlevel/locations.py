"""The location itself: country, time zone, company and the duplicate setting."""

from __future__ import annotations

from typing import Any

from sandbox.highlevel.routes import Access, Call, route
from sandbox.highlevel.shapes import Shape, boolean

_SETTINGS = Shape(
    dict.fromkeys(
        (
            "allowDuplicateContact",
            "allowDuplicateOpportunity",
            "allowFacebookNameMerge",
            "disableContactTimezone",
        ),
        boolean(),
    )
).nested()
_TEXTS = ("name", "phone", "address", "city", "state", "country", "postalCode", "website", "timezone")


def _shown(call: Call) -> dict[str, Any]:
    account, options = call.account, call.state.options
    return {
        "id": account.id,
        "companyId": account.company_id,
        "name": account.name,
        "country": options.country,
        "timezone": options.timezone,
        "email": "clinic@example.org",
        "settings": {
            "allowDuplicateContact": options.allow_duplicates,
            "allowDuplicateOpportunity": options.allow_duplicate_opportunities,
            "allowFacebookNameMerge": False,
            "disableContactTimezone": False,
        },
    }


@route("GET", "/locations/{locationId}", "locations.readonly", access=Access.BOTH)
def read_location(call: Call) -> dict[str, Any]:
    """Return the location with the setting that decides about duplicates."""
    return {"location": _shown(call)}
