"""The way of a request: endpoint, limits, token, version, scope, location, body, handler."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.requests import Request as HttpRequest
from starlette.routing import Mount

from sandbox.highlevel.answers import Answer, Refusal, refuse, refuse_body, refuse_location, refuse_request
from sandbox.highlevel.other_shapes import reshaped
from sandbox.highlevel.routes import CALENDAR_VERSION, MAIN_VERSION, Access, Call, Route, Router

if TYPE_CHECKING:
    from collections.abc import Iterable

    from starlette.datastructures import FormData
    from starlette.types import Receive, Scope, Send

    from sandbox.highlevel.account import Account
    from sandbox.highlevel.limits import Bucket
    from sandbox.highlevel.state import State
    from sandbox.highlevel.tokens import Token

FORBIDDEN_AREAS = {
    "/conversations": "message",
    "/workflows": "workflow",
    "/campaigns": "campaign",
    "/invoices": "invoice",
}
UNAUTHORIZED = 401
NO_SCOPE = "The token is not authorized for this scope."
# Opportunities and payments have a name of their own for the location.
LOCATION_NAMES = ("locationId", "location_id", "altId")
MOST_FORM_FILES = 20


class Emulator:
    """Answers every request of the API that a migration has business with, and reports the others."""

    def __init__(self, state: State, routes: Iterable[Route]) -> None:
        """Take the data and the table of endpoints."""
        self.state = state
        self.router = Router()
        self.router.add(list(routes))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one HTTP request."""
        if scope["type"] != "http":
            return
        request = HttpRequest(scope, receive)
        log = scope.get("sandbox.request")
        at = log.at if log else self.state.control.now()
        token = self.state.tokens.find(request.headers.get("authorization", ""), at)
        bucket = self.state.bucket(token.bucket if token else "anonymous")
        found = self.router.find(request.method, scope["path"])
        if log:
            log.route = found[0].pattern if found else None
            log.write = found[0].write if found else log.write
            log.account = token.bucket if token else None
        answer = await self._admitted(request, found, token, bucket, at)
        await _send(send, self._framed(answer, bucket, at))

    async def _admitted(
        self,
        request: HttpRequest,
        found: tuple[Route, dict[str, str]] | None,
        token: Token | None,
        bucket: Bucket,
        at: float,
    ) -> Answer:
        if not bucket.admit(at):
            return Answer(
                429, {"statusCode": 429, "message": "Too Many Requests"}, headers=bucket.retry_after(at)
            )
        try:
            if found is None:
                raise self._unknown(request)
            route, path = found
            return await self._served(request, route, self._call(request, path, token, at))
        except Refusal as refusal:
            return refusal.answer()

    def _unknown(self, request: HttpRequest) -> Refusal:
        path = request.scope["path"]
        kind = next(
            (name for area, name in FORBIDDEN_AREAS.items() if path.startswith(area)), "unknown_endpoint"
        )
        if "/campaigns/" in path or "/workflow/" in path:
            kind = "workflow"
        self.state.control.violation(kind, f"{request.method} {path}", request.scope.get("sandbox.request"))
        return Refusal(404, f"Cannot {request.method} {path}")

    def _call(self, request: HttpRequest, path: dict[str, str], token: Token | None, at: float) -> Call:
        return Call(
            state=self.state,
            at=at,
            origin=f"{request.url.scheme}://{request.headers.get('host', 'localhost')}",
            path=path,
            query=dict(request.query_params),
            token=token,
            request=request.scope.get("sandbox.request"),
            version=request.headers.get("version"),
        )

    async def _served(self, request: HttpRequest, route: Route, call: Call) -> Answer:
        path = request.scope["path"]
        for closed, status in self.state.options.closed.items():
            method, _, part = closed.rpartition(" ")
            if part in path and method in {"", request.method}:
                refuse(status, NO_SCOPE if status == UNAUTHORIZED else f"Cannot {request.method} {path}")
        _check_token(route, call.token, self.state)
        _check_version(route, request.headers.get("version"))
        _check_query(route, call.query)
        body, call.form = await _contents(request, route)
        try:
            call.location = self._location(route, call, body)
            _check_body(route, body)
            call.body = body if isinstance(body, dict) else {}
            _cap_page(call)
            made = _made(call)
            result = route.handler(call)
            _hide(call, made)
        finally:
            if call.form is not None:
                await call.form.close()
        if isinstance(result, Answer):
            return result
        shapes = self.state.options.shapes
        shown = reshaped(route.pattern, result, call.location, shapes) if call.location else result
        return Answer(route.status, shown)

    def _location(self, route: Route, call: Call, body: Any) -> Account | None:
        """Return the account that the request is about; the token must open it."""
        if call.token is None:
            return None
        names_location = route.body is None or "locationId" in route.body.properties
        sources = (call.path, call.query, body if names_location and isinstance(body, dict) else {})
        named = {
            source[name] for source in sources for name in LOCATION_NAMES if isinstance(source.get(name), str)
        }
        if call.token.location is not None:
            named.add(call.token.location)
        if len(named) > 1 or named - set(self.state.accounts):
            refuse_location()
        return self.state.accounts[named.pop()] if named else None

    def _framed(self, answer: Answer, bucket: Bucket, at: float) -> Answer:
        """Add what every answer carries: the five headers, and the trace id in a JSON body."""
        body = answer.body
        if isinstance(body, dict):
            body = {**body, "traceId": self.state.ids.trace()}
        return Answer(answer.status, body, answer.media_type, {**answer.headers, **bucket.headers(at)})


def _check_token(route: Route, token: Token | None, state: State) -> None:
    if route.access is Access.OPEN:
        return
    if token is None:
        refuse(401, "Invalid JWT")
    kind = Access.LOCATION if token.location else Access.AGENCY
    may = route.access in {Access.BOTH, kind} or (
        route.pattern == "/objects/" and state.options.subaccount_creates_objects
    )
    if not may or (token.scopes is not None and route.scope and route.scope not in token.scopes):
        refuse(UNAUTHORIZED, NO_SCOPE)


def _check_version(route: Route, version: str | None) -> None:
    if not route.version:
        return
    if version is None:
        refuse(401, "version header was not found.")
    if version != route.version:
        known = version in {MAIN_VERSION, CALENDAR_VERSION}
        refuse(401, f"version header is invalid{' for this endpoint' if known else ''}")


def _made(call: Call) -> int:
    """Return how many things were created in the account so far."""
    return sum(call.location.created.values()) if call.location else 0


def _hide(call: Call, before: int) -> None:
    """Refuse every third create that was carried out, if the options say so."""
    made = _made(call)
    if call.state.options.refused_creates == "done" and made > before and made % 3 == 0:
        refuse_body("Request failed")


def _cap_page(call: Call) -> None:
    """Let no page have more rows than the options say, whatever was asked for; nobody is told."""
    most = call.state.options.largest_page
    if most is None:
        return
    if "pageLimit" in call.body:
        call.body = {**call.body, "pageLimit": min(call.body["pageLimit"], most)}
    if call.query.get("limit", "").isdigit():
        call.query["limit"] = str(min(int(call.query["limit"]), most))


def _check_query(route: Route, query: dict[str, str]) -> None:
    allowed = {*route.query, *route.optional_query}
    problems = [f"property {name} should not exist" for name in query if name not in allowed]
    problems += [f"{name} should not be empty" for name in route.query if not query.get(name)]
    if problems:
        refuse_body(*problems)


def _check_body(route: Route, body: Any) -> None:
    if route.body is None:
        return
    if problems := route.body.problems(body):
        refuse_body(*problems)


async def _contents(request: HttpRequest, route: Route) -> tuple[Any, FormData | None]:
    """Read the JSON body, the URL-encoded body or the multipart form of a request."""
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if route.form:
        expected = "multipart/form-data" if route.body is None else "application/x-www-form-urlencoded"
        if media_type != expected:
            refuse(415, f"Content-Type must be {expected}")
        form = await request.form(max_files=MOST_FORM_FILES)
        return {name: value for name, value in form.items() if isinstance(value, str)}, form
    raw = await request.body()
    if not raw:
        return {}, None
    if media_type != "application/json":
        refuse(415, "Content-Type must be application/json")
    try:
        return json.loads(raw), None
    except ValueError:
        refuse_request("Unexpected token in JSON")


async def _send(send: Send, answer: Answer) -> None:
    """Write the answer in one go."""
    content = answer.body
    if isinstance(content, (dict, list)):
        content = json.dumps(content, separators=(",", ":")).encode()
    headers = {"content-type": answer.media_type, "content-length": str(len(content)), **answer.headers}
    await send(
        {
            "type": "http.response.start",
            "status": answer.status,
            "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
        }
    )
    await send({"type": "http.response.body", "body": content})


def application(state: State, routes: Iterable[Route]) -> Starlette:
    """Return the ASGI app."""
    return Starlette(routes=[Mount("/", app=Emulator(state, routes))])
