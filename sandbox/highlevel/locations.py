"""The location itself: country, time zone, company and the duplicate setting."""

from __future__ import annotations

from typing import Any

from sandbox.highlevel.answers import refuse, refuse_request
from sandbox.highlevel.routes import Access, Call, route
from sandbox.highlevel.shapes import Shape, anything, boolean, text

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
CHANGED_LOCATION = Shape(
    {
        "companyId": text(filled=True),
        "settings": _SETTINGS,
        **dict.fromkeys(_TEXTS, text()),
        **dict.fromkeys(("prospectInfo", "social", "twilio", "mailgun", "snapshot"), anything()),
    },
    required=("companyId",),
)


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


@route("PUT", "/locations/{locationId}", "locations.write", access=Access.AGENCY, body=CHANGED_LOCATION)
def change_location(call: Call) -> dict[str, Any]:
    """Change the duplicate setting; only the agency may."""
    if call.body["companyId"] != call.account.company_id:
        refuse_request("companyId does not own this location")
    allowed = call.body.get("settings", {}).get("allowDuplicateContact")
    if allowed is None:
        refuse(400, "the emulator changes nothing of a location but allowDuplicateContact")
    call.state.options.allow_duplicates = allowed
    return _shown(call)
