"""Tokens, versions, bodies, limits: what every request to the emulated HighLevel passes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from highlevel_server import HighLevelServer

if TYPE_CHECKING:
    from collections.abc import Iterator

RATE_HEADERS = (
    "X-RateLimit-Limit-Daily",
    "X-RateLimit-Daily-Remaining",
    "X-RateLimit-Interval-Milliseconds",
    "X-RateLimit-Max",
    "X-RateLimit-Remaining",
)


@pytest.fixture
def highlevel() -> Iterator[HighLevelServer]:
    """A server without lag and with a limit that no test reaches."""
    with HighLevelServer() as server:
        yield server


def test_a_wrong_token_is_refused_with_401(highlevel: HighLevelServer) -> None:
    """A token nobody made opens nothing."""
    body = highlevel.call("GET", "/contacts/x", token="nonsense", status=401)
    assert (body["message"], body["error"]) == ("Invalid JWT", "Unauthorized")


def test_a_missing_scope_is_refused_with_401() -> None:
    """A token without the endpoint's scope is told so."""
    with HighLevelServer(scopes=["contacts.readonly"]) as highlevel:
        body = highlevel.call("POST", "/contacts/", {"locationId": highlevel.location}, status=401)
        assert body["message"] == "The token is not authorized for this scope."
        highlevel.call("GET", "/contacts/x", status=404)


def test_another_location_is_refused_with_403() -> None:
    """A sub-account token opens its own location only."""
    with HighLevelServer(extra_locations=1) as highlevel:
        other = next(key for key in highlevel.state.accounts if key != highlevel.location)
        for path in (f"/locations/{other}", f"/users/?locationId={other}"):
            body = highlevel.call("GET", path, status=403)
            assert body["message"] == "The token does not have access to this location."
        highlevel.call("POST", "/contacts/", {"locationId": other}, status=403)


@pytest.mark.parametrize("version", [None, "2021-04-15", "v3"])
def test_a_wrong_version_is_refused(highlevel: HighLevelServer, version: str | None) -> None:
    """Contacts answer to 2021-07-28 alone."""
    highlevel.call("GET", "/contacts/x", version=version, status=401)


def test_calendars_have_a_version_of_their_own(highlevel: HighLevelServer) -> None:
    """Calendars answer to 2021-04-15 alone."""
    path = f"/calendars/?locationId={highlevel.location}"
    assert highlevel.call("GET", path)["calendars"] == []
    highlevel.call("GET", path, version="2021-07-28", status=401)


def test_a_body_that_is_not_declared_as_json_is_refused(highlevel: HighLevelServer) -> None:
    """JSON without its Content-Type answers 415."""
    answer = highlevel.send("POST", "/contacts/", data='{"locationId": "x"}')
    assert answer.status_code == 415


def test_unknown_properties_are_listed_in_an_array(highlevel: HighLevelServer) -> None:
    """A 422 names every property that should not exist and every one that is missing."""
    body = highlevel.call("POST", "/contacts/", {"additionalEmails": [], "fields": 1}, status=422)
    assert body["message"] == [
        "property additionalEmails should not exist",
        "property fields should not exist",
        "locationId should not be empty",
    ]
    assert body["error"] == "Unprocessable Entity"
    assert body["traceId"]


def test_unknown_query_parameters_are_refused(highlevel: HighLevelServer) -> None:
    """The list of contact fields takes no locationId in its query."""
    path = f"/locations/{highlevel.location}/customFields?locationId={highlevel.location}"
    body = highlevel.call("GET", path, status=422)
    assert body["message"] == ["property locationId should not exist"]


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/contacts", "unknown_endpoint"),
        ("/conversations/messages", "message"),
        ("/contacts/a/workflow/b", "workflow"),
        ("/invoices/1/send", "invoice"),
    ],
)
def test_endpoints_a_migration_has_no_business_with_are_violations(
    highlevel: HighLevelServer, path: str, kind: str
) -> None:
    """A path without its slash, a message, a workflow: 404, and the test hears of it."""
    highlevel.call("POST", path, {}, status=404)
    assert highlevel.violations == [kind]


def test_every_answer_carries_the_five_headers(highlevel: HighLevelServer) -> None:
    """Success and refusal alike say what is left."""
    for path in ("/contacts/x", f"/locations/{highlevel.location}"):
        assert all(name in highlevel.send("GET", path).headers for name in RATE_HEADERS)


def test_the_burst_limit_slides() -> None:
    """Request 11 in ten seconds is refused, and admitted when the first one is ten seconds old."""
    with HighLevelServer(burst_limit=10) as highlevel:
        path = f"/locations/{highlevel.location}"
        for number in range(10):
            highlevel.clock.at += 0.1
            assert highlevel.send("GET", path).headers["X-RateLimit-Remaining"] == str(9 - number)
        refused = highlevel.send("GET", path)
        assert refused.status_code == 429
        assert "Retry-After" not in refused.headers
        highlevel.clock.at += 9.2
        highlevel.call("GET", path)
        assert highlevel.control.window.greatest == 11


def test_the_daily_limit_ends_at_midnight() -> None:
    """A spent day answers 429 with zero left until the UTC date changes."""
    with HighLevelServer(daily_limit=3, retry_after="seconds") as highlevel:
        path = f"/locations/{highlevel.location}"
        for _ in range(3):
            highlevel.call("GET", path)
        refused = highlevel.send("GET", path)
        assert (refused.status_code, refused.headers["X-RateLimit-Daily-Remaining"]) == (429, "0")
        assert int(refused.headers["Retry-After"]) > 60
        highlevel.control.advance(86_400)
        highlevel.call("GET", path)


def test_a_refresh_token_works_once() -> None:
    """The same refresh token gives the same pair for 30 s and nothing after."""
    with HighLevelServer() as highlevel:
        code = highlevel.state.tokens.issue_code(highlevel.location)
        client = {"client_id": "sandbox-client", "client_secret": "sandbox-client-secret"}
        first = highlevel.send(
            "POST", "/oauth/token", data={**client, "grant_type": "authorization_code", "code": code}
        ).json()
        form = {**client, "grant_type": "refresh_token", "refresh_token": first["refresh_token"]}
        second = highlevel.send("POST", "/oauth/token", data=form).json()
        assert (
            highlevel.send("POST", "/oauth/token", data=form).json()["access_token"] == second["access_token"]
        )
        highlevel.clock.at += 31
        refused = highlevel.send("POST", "/oauth/token", data=form)
        assert (refused.status_code, refused.json()["error"]) == (400, "invalid_grant")
        highlevel.call("GET", f"/locations/{highlevel.location}", token=second["access_token"])
        highlevel.clock.at += 90_000
        highlevel.call("GET", f"/locations/{highlevel.location}", token=second["access_token"], status=401)
