"""Users: people with a login, to be matched and never to be made by a migration."""

from __future__ import annotations

from typing import Any

from sandbox.highlevel.answers import refuse, refuse_body, refuse_request
from sandbox.highlevel.routes import Access, Call, route

READ = "users.readonly"
_SEARCH = (
    "query",
    "skip",
    "limit",
    "locationId",
    "type",
    "role",
    "ids",
    "sort",
    "sortDirection",
    "enabled2waySync",
)


def _people(call: Call) -> list[dict[str, Any]]:
    """List the users whom the token may see."""
    if call.location is not None:
        return list(call.location.users.values())
    return [user for account in call.state.accounts.values() for user in account.users.values()]


def _check_company(call: Call, company: str) -> None:
    if company != call.state.company_id:
        refuse_request(f"Company with id {company} not found")


@route("GET", "/users/", READ, query=("locationId",))
def list_users(call: Call) -> dict[str, Any]:
    """List the users of the location."""
    if call.state.options.users_by_search:
        refuse(404, "Cannot GET /users/")
    return {"users": _people(call)}


@route("GET", "/users/search", READ, access=Access.BOTH, query=("companyId",), optional_query=_SEARCH)
def search_users(call: Call) -> dict[str, Any]:
    """Answer a page of the users whose name, e-mail or phone contains the query."""
    _check_company(call, call.query["companyId"])
    query = call.query.get("query", "").casefold()
    rows = [
        user
        for user in _people(call)
        if query in f"{user['name']} {user['email']} {user['phone']}".casefold()
    ]
    if identities := call.query.get("ids"):
        rows = [user for user in rows if user["id"] in identities.split(",")]
    try:
        skip, limit = int(call.query.get("skip", 0)), int(call.query.get("limit", 25))
    except ValueError:
        refuse_body("skip and limit must be numbers")
    return {"users": rows[skip : skip + limit], "count": len(rows)}
