"""OAuth: codes and refresh tokens for access tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sandbox.highlevel.answers import Answer, refuse, refuse_body
from sandbox.highlevel.routes import NO_VERSION, Access, Call, route
from sandbox.highlevel.shapes import Shape, text
from sandbox.highlevel.tokens import ACCESS_SECONDS

if TYPE_CHECKING:
    from sandbox.highlevel.state import State

TOKEN = Shape(
    {
        "client_id": text(filled=True),
        "client_secret": text(filled=True),
        "grant_type": text(choices=("authorization_code", "refresh_token")),
        "code": text(),
        "refresh_token": text(),
        "user_type": text(choices=("Company", "Location")),
        "redirect_uri": text(),
    },
    required=("client_id", "client_secret", "grant_type"),
)
LOCATION_TOKEN = Shape(
    {"companyId": text(filled=True), "locationId": text(filled=True)}, required=("companyId", "locationId")
)


@route("POST", "/oauth/token", "", access=Access.OPEN, version=NO_VERSION, form=True, body=TOKEN)
def token(call: Call) -> dict[str, Any] | Answer:
    """Trade a code or a refresh token for a pair; either works once."""
    body, options = call.body, call.state.options
    if (body["client_id"], body["client_secret"]) != (options.client_id, options.client_secret):
        return _denied("invalid_client", "Client authentication failed")
    if body["grant_type"] == "refresh_token":
        pair = call.state.tokens.refresh(_needed(body, "refresh_token"), call.at)
    else:
        pair = call.state.tokens.exchange_code(_needed(body, "code"), call.at)
    if pair is None:
        return _denied("invalid_grant", f"This {body['grant_type']} is invalid")
    return _granted(call.state, *pair)


def _needed(body: dict[str, Any], name: str) -> str:
    if not body.get(name):
        refuse_body(f"{name} should not be empty")
    return str(body[name])


def _denied(error: str, description: str) -> Answer:
    return Answer(400, {"error": error, "error_description": description})


def _granted(state: State, access: str, refresh: str) -> dict[str, Any]:
    location = state.tokens.tokens[access].location
    return {
        "access_token": access,
        "token_type": "Bearer",
        "expires_in": ACCESS_SECONDS,
        "refresh_token": refresh,
        "scope": " ".join(sorted(state.options.scopes or ())),
        "userType": "Location" if location else "Company",
        "companyId": state.company_id,
        "userId": next(iter(state.main.users)),
        **({"locationId": location} if location else {}),
    }


@route("POST", "/oauth/locationToken", "oauth.write", access=Access.AGENCY, form=True, body=LOCATION_TOKEN)
def location_token(call: Call) -> dict[str, Any]:
    """Make a token of one location out of the agency's OAuth token; a private one does not do."""
    if call.token is None or not call.token.value.startswith("oauth-"):
        refuse(401, "The token is not authorized for this scope.")
    access, _ = call.state.tokens.pair(call.account.id, call.at)
    granted = _granted(call.state, access, "")
    hidden = {"refresh_token", "userType", "companyId"}
    return {name: value for name, value in granted.items() if name not in hidden}
