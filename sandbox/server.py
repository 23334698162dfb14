"""Run ASGI apps on loopback ports, each in a thread of its own."""

from __future__ import annotations

import socket
import threading
from typing import TYPE_CHECKING

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

if TYPE_CHECKING:
    from sandbox.gate import App

START_TIMEOUT_SECONDS = 20.0
STOP_TIMEOUT_SECONDS = 10.0
KEEP_ALIVE_SECONDS = 120
BACKLOG = 512


class _Protocol(HttpToolsProtocol):
    """Shows the transport to the app, so that a fault can drop the connection without any answer."""

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["sandbox.transport"] = self.transport  # type: ignore[typeddict-unknown-key]


class _Server(uvicorn.Server):
    """Tells when it listens."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = threading.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        self.listening.set()


class LoopbackServer:
    """An ASGI app on a loopback port; port 0 takes a free one, known as soon as the object exists."""

    def __init__(self, app: App, *, host: str = "127.0.0.1", port: int = 0) -> None:
        """Bind the port; `start()` serves on it."""
        # asyncio switches Nagle's algorithm off only for sockets that name TCP, and so saves 40 ms an answer.
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._socket.bind((host, port))
        self.host = host
        self.port: int = self._socket.getsockname()[1]
        config = uvicorn.Config(
            app,
            http=_Protocol,
            ws="none",
            loop="asyncio",
            lifespan="off",
            access_log=False,
            log_level="error",
            server_header=False,
            date_header=False,  # the gate writes it, by the clock that a test can move
            backlog=BACKLOG,
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=1,
        )
        self._server = _Server(config)
        self._thread = threading.Thread(
            target=self._server.run,
            kwargs={"sockets": [self._socket]},
            name=f"sandbox:{self.port}",
            daemon=True,
        )

    @property
    def origin(self) -> str:
        """The address of the server, without a path."""
        return f"http://{self.host}:{self.port}"

    def start(self) -> None:
        """Serve until `stop()`; returns as soon as requests are accepted."""
        self._thread.start()
        if not self._server.listening.wait(START_TIMEOUT_SECONDS):
            message = f"the server on port {self.port} did not start within {START_TIMEOUT_SECONDS} s"
            raise RuntimeError(message)

    def stop(self) -> None:
        """Stop serving; requests under way get a second to end."""
        self._server.should_exit = True
        if self._thread.is_alive():
            self._thread.join(STOP_TIMEOUT_SECONDS)
        self._socket.close()
