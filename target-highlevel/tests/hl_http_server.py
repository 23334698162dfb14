"""A small stand-in for HighLevel over real HTTP: answers are scripted, and what it saw can be asked."""

from __future__ import annotations

import json
import socket
import struct
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from typing_extensions import override

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass
class Seen:
    """A request as it arrived."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes
    arrived_at: float

    @property
    def json(self) -> Any:
        """The parsed body."""
        return json.loads(self.body)


@dataclass
class Reply:
    """What to answer; `reset` drops the connection instead, `cut` sends only so many bytes of the body.

    `drip` sends the body byte by byte, so many seconds apart, with `drip_head` the head too; `endless` repeats the body until
    nobody listens.
    """

    status: int = 200
    body: Any = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    reset: bool = False
    cut: int | None = None
    delay: float = 0.0
    drip: float = 0.0
    drip_head: bool = False
    endless: bool = False

    @property
    def content(self) -> bytes:
        """The body's bytes."""
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()


class HighLevelServer:
    """Serves until stopped; `script` holds the replies to come, after which every request is answered 200."""

    def __init__(self) -> None:
        self.seen: list[Seen] = []
        self.script: list[Reply] = []
        self.respond: Callable[[Seen], Reply] | None = None
        self._deaf = threading.Event()
        self._lock = threading.Lock()
        self._http = _Server(("127.0.0.1", 0), _handler(self))
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._http.server_address[1]}"

    def reply(self, *replies: Reply) -> None:
        """Answer the next requests so."""
        self.script.extend(replies)

    def stop_reading(self) -> None:
        """Take connections from now on, but not a byte of any body."""
        self._deaf.set()

    def wait_while_deaf(self) -> None:
        """Read on only once the server ends."""
        while self._deaf.wait(0.01) and self._thread.is_alive():
            time.sleep(0.01)

    def take(self, seen: Seen) -> Reply:
        """Note a request and choose its answer."""
        with self._lock:
            self.seen.append(seen)
            if self.script:
                return self.script.pop(0)
        return self.respond(seen) if self.respond else Reply()

    def stop(self) -> None:
        """End the server and its threads."""
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    @override
    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is what many of these tests are about."""


def _handler(server: HighLevelServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def _serve(self) -> None:
            arrived_at = time.monotonic()
            if server._deaf.is_set():
                server.wait_while_deaf()
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            parts = urlsplit(self.path)
            seen = Seen(self.command, parts.path, parts.query, dict(self.headers), body, arrived_at)
            self._answer(server.take(seen))

        def _answer(self, reply: Reply) -> None:
            if reply.delay:
                time.sleep(reply.delay)
            if reply.reset:
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self.close_connection = True
                self.connection.close()
                return
            content = reply.content
            head = {"Content-Type": "application/json", "Content-Length": str(len(content))} | reply.headers
            lines = [f"HTTP/1.1 {reply.status} x", *(f"{name}: {value}" for name, value in head.items())]
            cut = content if reply.cut is None else content[: reply.cut]
            _write(self.wfile, reply, "\r\n".join(lines).encode() + b"\r\n\r\n", cut)
            if reply.cut is not None:
                self.close_connection = True

        do_GET = do_POST = do_PUT = do_DELETE = _serve  # noqa: N815 - the names http.server looks for

        @override
        def log_message(self, format: str, *args: Any) -> None:
            """Keep standard error clean."""

    return Handler


def _write(file: Any, reply: Reply, head: bytes, body: bytes) -> None:
    at_once, slowly = (b"", head + body) if reply.drip_head else (head, body)
    if not reply.drip:
        at_once, slowly = head + body, b""
    file.write(at_once)
    for byte in slowly:
        file.write(bytes([byte]))
        time.sleep(reply.drip)
    while reply.endless:
        file.write(body)
