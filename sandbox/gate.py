"""The ASGI wrapper around every emulated API: logs, delays and breaks requests, answers /_sandbox.

Inside a request the emulated app finds its log entry as `scope["sandbox.request"]`; `sandbox.server` puts
the connection there as `scope["sandbox.transport"]`.
"""

from __future__ import annotations

import asyncio
import json
import zlib
from email.utils import formatdate
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from sandbox.control import Request
from sandbox.faults import Action

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, MutableMapping

    from sandbox.control import Control
    from sandbox.faults import FaultRule

    Scope = MutableMapping[str, Any]
    Message = MutableMapping[str, Any]
    Receive = Callable[[], Awaitable[Message]]
    Send = Callable[[Message], Awaitable[None]]
    App = Callable[[Scope, Receive, Send], Awaitable[None]]

STREAMS = frozenset({Action.DRIP, Action.FLOOD, Action.GZIP_BOMB})
PIECE = 1024 * 1024
CONTROL_PREFIX = "/_sandbox/"
HTML_PAGE = b"<html><head><title>Error</title></head><body><h1>The service is unavailable</h1></body></html>"


class Gate:
    """Wraps `app` so that `control` sees and may break every request."""

    def __init__(self, app: App, control: Control) -> None:
        """Take the emulated API and the control object that belongs to it."""
        self.app = app
        self.control = control

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            return
        body = await _read(receive)
        if body is None:
            return
        send = self._dated(send)
        if scope["path"].startswith(CONTROL_PREFIX):
            await _answer_json(send, *control_answer(self.control, scope, body))
            return
        request = self._logged(scope, body)
        scope["sandbox.request"] = request
        await self._serve(scope, _replay(body, receive), send, request)

    def _dated(self, send: Send) -> Send:
        """Stamp answers with the server's idea of the time, unless a fault has them say another."""

        async def dated(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = list(message.get("headers", ()))
                if all(name != b"date" for name, _ in headers):
                    headers.append((b"date", formatdate(self.control.now(), usegmt=True).encode()))
                message = {**message, "headers": headers}
            await send(message)

        return dated

    def _logged(self, scope: Scope, body: bytes) -> Request:
        client = scope.get("client") or ("", 0)
        request = Request(
            n=0,
            at=self.control.now(),
            method=scope["method"],
            path=scope["path"],
            query=scope["query_string"].decode("latin-1"),
            source_ip=client[0],
            write=scope["method"] not in {"GET", "HEAD", "OPTIONS"},
        )
        if self.control.record_contents:
            request.headers = {
                key.decode("latin-1"): value.decode("latin-1") for key, value in scope["headers"]
            }
            request.body = body
        self.control.arrived(request)
        return request

    async def _serve(self, scope: Scope, receive: Receive, send: Send, request: Request) -> None:
        fault = self.control.fault_for(request)
        request.fault = fault.action.value if fault else None
        if fault and fault.action in STREAMS:
            await self._streamed(fault, scope, receive, send, request)
            return
        if delay := self.control.latency + (fault.delay if fault else 0.0):
            await asyncio.sleep(delay)
        if fault is None or fault.action is Action.SLOW:
            await self._pass(scope, receive, send, request)
            return
        status, headers, body = await self._broken(fault, scope, receive)
        self.control.answered(request, status)
        if status is None:
            scope["sandbox.transport"].abort()
        elif fault.action is Action.CUT:
            await _answer(send, status, headers, body[: len(body) // 2], length=len(body))
            scope["sandbox.transport"].close()
        else:
            await _answer(send, status, headers, body, length=len(body))
            return
        await _gone(receive)

    async def _streamed(
        self, fault: FaultRule, scope: Scope, receive: Receive, send: Send, request: Request
    ) -> None:
        """Send an answer that never seems to end, until it ends or the client has gone."""
        status, headers, body = 200, [(b"content-type", b"application/json")], b""
        if fault.action is Action.DRIP:
            status, headers, body = await _capture(self.app, scope, receive)
        if fault.action is Action.GZIP_BOMB:
            headers = [*headers, (b"content-encoding", b"gzip")]
        self.control.answered(request, status)
        await send({"type": "http.response.start", "status": status, "headers": headers})
        gone = asyncio.create_task(_gone(receive))
        try:
            for piece in _pieces(fault, body):
                await send({"type": "http.response.body", "body": piece, "more_body": True})
                await asyncio.wait([gone], timeout=fault.delay if fault.action is Action.DRIP else 0)
                if gone.done():
                    return
            await send({"type": "http.response.body", "body": b""})
        finally:
            gone.cancel()

    async def _pass(self, scope: Scope, receive: Receive, send: Send, request: Request) -> None:
        status: int | None = None
        noted = False

        async def watched(message: Message) -> None:
            """Note the end before the client can see it, so that a test finds it in the log at once."""
            nonlocal status, noted
            status = message.get("status", status)
            if message["type"] == "http.response.body" and not message.get("more_body") and not noted:
                noted = True
                self.control.answered(request, status)
            await send(message)

        try:
            await self.app(scope, receive, watched)
        finally:
            if not noted:
                self.control.answered(request, status)

    async def _broken(
        self, fault: FaultRule, scope: Scope, receive: Receive
    ) -> tuple[int | None, list[tuple[bytes, bytes]], bytes]:
        """Return the answer that a failing request gets; no status means a dropped connection."""
        extra = [(key.lower().encode(), value.encode()) for key, value in fault.headers.items()]
        if fault.action is Action.DROP_BEFORE:
            return None, [], b""
        if fault.action is Action.HTML:
            return fault.status, [(b"content-type", b"text/html"), *extra], HTML_PAGE
        answer = json.dumps(fault.body if fault.body is not None else {"message": "sandbox fault"}).encode()
        if fault.action is Action.STATUS:
            return fault.status, [(b"content-type", b"application/json"), *extra], answer
        status, headers, body = await _capture(self.app, scope, receive)
        if fault.action is Action.DROP_AFTER:
            return None, [], b""
        if fault.action is Action.STATUS_AFTER_WORK:
            return fault.status, [(b"content-type", b"application/json"), *extra], answer
        half = body[: len(body) // 2] if fault.action is Action.TRUNCATE else body
        return status, [*headers, *extra], half


def control_answer(control: Control, scope: Scope, body: bytes) -> tuple[int, Any]:
    """Answer a request to /_sandbox/…; these are not API requests and not logged."""
    command = (scope["method"], scope["path"][len(CONTROL_PREFIX) :])
    try:
        handler = _COMMANDS[command]
    except KeyError:
        return 404, {"message": f"no such control: {' '.join(command)}"}
    try:
        given = json.loads(body) if body else {}
        return 200, handler(control, given, parse_qs(scope["query_string"].decode()))
    except (ValueError, KeyError, LookupError) as error:
        return 400, {"message": f"{type(error).__name__}: {error}"}


def _requests(control: Control, _given: Any, query: dict[str, list[str]]) -> Any:
    """List the log; `?bodies=1` adds the bodies when the server records contents, `?after=N` skips."""
    after = int(query.get("after", ["0"])[0])
    entries = control.requests[after:]
    if "bodies" not in query:
        return [entry.summary() for entry in entries]
    return [{**entry.summary(), "body": (entry.body or b"").decode("utf-8", "replace")} for entry in entries]


def _add_faults(control: Control, given: Any, _query: Any) -> Any:
    rules = given if isinstance(given, list) else [given]
    return {"added": [control.add_fault(rule).action.value for rule in rules]}


def _clear_faults(control: Control, _given: Any, _query: Any) -> Any:
    control.clear_faults()
    return {}


def _set_latency(control: Control, given: Any, _query: Any) -> Any:
    control.latency = float(given["seconds"])
    return {"seconds": control.latency}


def _advance_clock(control: Control, given: Any, _query: Any) -> Any:
    control.advance(float(given["advance"]))
    return {"now": control.now()}


def _reset_log(control: Control, _given: Any, _query: Any) -> Any:
    control.reset_log()
    return {}


def _dump(control: Control, _given: Any, _query: Any) -> Any:
    if control.dump is None:
        message = "this server has nothing to dump"
        raise LookupError(message)
    return control.dump()


def _mutate(control: Control, given: Any, _query: Any) -> Any:
    if control.mutate is None:
        message = "this server's data cannot be changed from outside"
        raise LookupError(message)
    changes = given if isinstance(given, list) else [given]
    return [control.mutate(change) for change in changes]


_COMMANDS: dict[tuple[str, str], Callable[[Control, Any, dict[str, list[str]]], Any]] = {
    ("GET", "requests"): _requests,
    ("GET", "stats"): lambda control, _given, _query: control.stats(),
    ("POST", "faults"): _add_faults,
    ("DELETE", "faults"): _clear_faults,
    ("POST", "latency"): _set_latency,
    ("POST", "clock"): _advance_clock,
    ("POST", "reset-log"): _reset_log,
    ("GET", "dump"): _dump,
    ("POST", "mutate"): _mutate,
}


def _pieces(fault: FaultRule, body: bytes) -> Iterator[bytes]:
    """Cut a body into bytes, or make one of the ordered size without ever holding it."""
    if fault.action is Action.DRIP:
        yield from (body[place : place + 1] for place in range(len(body)))
        return
    packer = (
        zlib.compressobj(9, zlib.DEFLATED, zlib.MAX_WBITS | 16) if fault.action is Action.GZIP_BOMB else None
    )
    blank = b" " * PIECE
    for start in range(0, fault.size, PIECE):
        piece = blank[: fault.size - start]
        if packer is None:
            yield piece
        elif packed := packer.compress(piece):
            yield packed
    if packer is not None:
        yield packer.flush()


async def _read(receive: Receive) -> bytes | None:
    """Return the body; None if the client went before it had sent all of it, which no server takes for a request."""
    parts: list[bytes] = []
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        parts.append(message.get("body", b""))
        if not message.get("more_body"):
            return b"".join(parts)


def _replay(body: bytes, receive: Receive) -> Receive:
    """Give the body, already read, to the app; afterwards wait for the client to go."""
    given = False

    async def replay() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay


async def _capture(app: App, scope: Scope, receive: Receive) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
    status, headers, parts = 500, [], []

    async def keep(message: Message) -> None:
        nonlocal status, headers
        if message["type"] == "http.response.start":
            status = message["status"]
            headers = [pair for pair in message.get("headers", []) if pair[0].lower() != b"content-length"]
        else:
            parts.append(message.get("body", b""))

    await app(scope, receive, keep)
    return status, headers, b"".join(parts)


async def _gone(receive: Receive) -> None:
    """Wait until a connection that we closed is lost, so that no end of the answer is missed."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def _answer(
    send: Send, status: int, headers: list[tuple[bytes, bytes]], body: bytes, *, length: int
) -> None:
    framed = [*headers, (b"content-length", str(length).encode())]
    await send({"type": "http.response.start", "status": status, "headers": framed})
    await send({"type": "http.response.body", "body": body, "more_body": len(body) < length})


async def _answer_json(send: Send, status: int, value: Any) -> None:
    body = json.dumps(value).encode()
    await _answer(send, status, [(b"content-type", b"application/json")], body, length=len(body))
