"""Who may use the console: only the browser that was given the link, only from this machine, only for a while.

The console shows what a clinic's commands say and can start them, so it trusts nothing that a page of another
origin, another user of the machine or a stale browser could send.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from typing import TYPE_CHECKING

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

#: Names under which a browser on this machine reaches the console. DNS rebinding arrives with another one.
LOOPBACK_NAMES = ("127.0.0.1", "localhost", "[::1]")
#: Methods that change nothing.
SAFE_METHODS = frozenset({"GET", "HEAD"})
IDLE_SECONDS = 30 * 60
CSRF_FIELD = "csrf"
#: The page of a closed session.
LOCKED = "/locked"

#: No script, style or image but the console's own; no page may frame it.
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self';"
    " form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
_HEADERS = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "same-origin",  # with `no-referrer` a browser sends forms with the origin "null"
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class Guard:
    """The token of this start of the console, and the sessions that were opened with it."""

    def __init__(self, port: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        """Make a token that nobody can guess."""
        self.port = port
        self.token = secrets.token_urlsafe(32)
        self.cookie = f"console-{port}"  # cookies are shared by all ports of a host
        self._key = secrets.token_bytes(32)
        self._clock = clock
        self._last_seen: dict[str, float] = {}

    @property
    def link(self) -> str:
        """Return the address that opens the console."""
        return f"http://127.0.0.1:{self.port}/?token={self.token}"

    def open_session(self, token: str) -> str | None:
        """Return a new session for the right token, else none."""
        if not hmac.compare_digest(token.encode(), self.token.encode()):
            return None
        session = secrets.token_urlsafe(32)
        self._last_seen[session] = self._clock()
        return session

    def is_open(self, session: str | None, *, touch: bool = True) -> bool:
        """Return whether a session is open; using it keeps it open, leaving it idle closes it.

        Args:
            session: as the browser's cookie says
            touch: whether somebody uses it now; a page that only listens does not
        """
        if session is None or session not in self._last_seen:
            return False
        now = self._clock()
        if now - self._last_seen[session] > IDLE_SECONDS:
            del self._last_seen[session]
            return False
        if touch:
            self._last_seen[session] = now
        return True

    def close(self, session: str) -> None:
        """Close a session: its pages must be asked for anew, with the token."""
        self._last_seen.pop(session, None)

    def csrf(self, session: str) -> str:
        """Return what a form of this session must send along."""
        return hmac.new(self._key, session.encode(), hashlib.sha256).hexdigest()

    def is_csrf(self, session: str, given: str) -> bool:
        """Return whether a form came from a page of this session."""
        return hmac.compare_digest(self.csrf(session).encode(), given.encode())

    def is_own_host(self, host: str) -> bool:
        """Return whether a Host header names this console."""
        return host in {f"{name}:{self.port}" for name in LOOPBACK_NAMES}

    def is_own_origin(self, origin: str) -> bool:
        """Return whether an Origin header names this console."""
        scheme, _, host = origin.partition("://")
        return scheme == "http" and self.is_own_host(host)


def session_of(request: Request) -> str:
    """Return the session of a request that has passed the middleware."""
    session: str = request.state.session
    return session


def is_inside(request: Request) -> bool:
    """Return whether a request has a session: a file that anybody may read and the way in have none."""
    return hasattr(request.state, "session")


class GuardMiddleware:
    """Refuse what does not come from a browser that holds a session, before any page sees it."""

    def __init__(self, app: ASGIApp, guard: Guard) -> None:
        """Protect this application with that guard."""
        self._app = app
        self._guard = guard

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Check one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = _with_headers(send)
        refused = self._refusal(scope)
        if refused is not None:
            await refused(scope, receive, headers)
            return
        await self._app(scope, receive, headers)

    def _refusal(self, scope: Scope) -> HTMLResponse | RedirectResponse | None:
        request = Request(scope)
        foreign = self._foreign(request)
        if foreign is not None or request.url.path.startswith("/static/"):
            return foreign
        token = request.query_params.get("token")
        if token is not None and request.method == "GET" and request.url.path == "/":
            return self._enter(token)
        session = request.cookies.get(self._guard.cookie)
        if request.url.path == LOCKED:
            return self._unlocked(session) if request.method == "GET" else None
        listens = request.url.path.endswith("/events")
        if not self._guard.is_open(session, touch=not listens):
            return locked_page(401)
        scope.setdefault("state", {})["session"] = session
        return None

    def _foreign(self, request: Request) -> HTMLResponse | None:
        """Refuse a request that another site, or another name of this machine, has to do with."""
        if not self._guard.is_own_host(request.headers.get("host", "")):
            return _page(400, "This console answers to its own address only.")
        origin = request.headers.get("origin")
        is_foreign = origin is not None and not self._guard.is_own_origin(origin)
        sends = request.method not in SAFE_METHODS
        if is_foreign or (sends and request.headers.get("sec-fetch-site") == "cross-site"):
            return _page(403, "This request came from another site.")
        return None

    def _unlocked(self, session: str | None) -> HTMLResponse:
        """Answer a page that has been left alone; going on is for a person to say, or pages would keep a session open."""
        if self._guard.is_open(session, touch=False):
            return _page(
                200,
                "The console is open.",
                '<p>No token is needed. <a href="/">Go on here</a></p>',
            )
        return locked_page(200)

    def _enter(self, token: str) -> HTMLResponse | RedirectResponse:
        answer = entered(self._guard, token)
        return answer or locked_page(
            401, "This link belongs to an earlier start of the console; use the newest one."
        )


def entered(guard: Guard, token: str) -> RedirectResponse | None:
    """Return the answer that opens a session and leaves the token out of the address bar; none for a wrong token."""
    session = guard.open_session(token)
    if session is None:
        return None
    answer = RedirectResponse("/", status_code=303)
    answer.set_cookie(guard.cookie, session, httponly=True, samesite="strict", path="/")
    return answer


def locked_page(status: int, sentence: str = "") -> HTMLResponse:
    """Return the page of a closed session, with the way back in."""
    said = f'<p role="alert" class="warning">{sentence}</p>' if sentence else ""
    return _page(
        status,
        "The console is locked.",
        f"{said}<p>Nobody has used it for half an hour, or it was locked or restarted."
        " Whatever is running continues.</p>"
        f'<form method="post" action="{LOCKED}"><p><label>Token <input name="token" type="password" required'
        ' autocomplete="off" autofocus></label> <button class="primary">Open</button></p>'
        '<p class="soft">It is the part after <code>token=</code> in the link that the console printed in the'
        " terminal; you can also paste the whole link.</p></form>",
    )


def _with_headers(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in _HEADERS.items():
                headers[name] = value
            headers.setdefault("Content-Security-Policy", CONTENT_SECURITY_POLICY)
        await send(message)

    return sending


def _page(status: int, sentence: str, more: str = "") -> HTMLResponse:
    page = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Console</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="icon" href="data:,">'
        '<link rel="stylesheet" href="/static/console.css"></head>'
        f'<body><main class="lone"><h1>{sentence}</h1>{more}</main></body></html>'
    )
    return HTMLResponse(page, status_code=status)
