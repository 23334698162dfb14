"""A process that has imported tap and target and waits: each run of one is a fork of it, without the second of start-up.

Started by ``hl_loading`` with one end of a socket; a request is the command line and the environment as JSON in one line, with
three descriptors for standard input, output and error; the answer is the exit code, negative for a signal.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import socket
import sys
import time
from importlib.metadata import entry_points
from typing import TYPE_CHECKING

import hl_transitions

from tap_cliniko.__main__ import main as tap
from target_highlevel import cli, target
from target_highlevel.report.page import environment

if TYPE_CHECKING:
    from collections.abc import Callable


def serve(channel: socket.socket) -> None:
    """Fork one target for each request until the other end is closed."""
    while True:
        text, streams, *_ = socket.recv_fds(channel, 1 << 16, 3)
        while text and not text.endswith(b"\n"):
            text += channel.recv(1 << 16)
        if not text:
            return
        child = os.fork()
        if child == 0:
            channel.close()
            command, environment = json.loads(text)
            become(command, environment, streams)
        for stream in streams:
            os.close(stream)
        _, status = os.waitpid(child, 0)
        channel.sendall(f"{os.waitstatus_to_exitcode(status)}\n".encode())


def prepare() -> None:
    """Do once what every process would do anew: import the mapper, compile the templates of the report."""
    hl_transitions.watch()
    for mapper in entry_points(group="target_highlevel.mappers"):
        mapper.load()
    for name in environment().list_templates():
        environment().get_template(name)


def put_clock(seconds: float) -> None:
    """Let this process's clock be ahead, or behind; how long something takes is measured as before."""
    exact, real = time.time, dt.datetime

    class Kind(type):
        def __instancecheck__(cls, other: object) -> bool:
            return isinstance(other, real)

    class Wrong(dt.datetime, metaclass=Kind):
        @classmethod
        def now(cls, tz: dt.tzinfo | None = None) -> dt.datetime:  # type: ignore[override]
            return real.fromtimestamp(time.time(), tz)

    time.time = lambda: exact() + seconds
    for module in list(sys.modules.values()):
        if getattr(module, "datetime", None) is real:
            module.datetime = Wrong  # type: ignore[attr-defined]


def become(command: list[str], environment: dict[str, str], streams: list[int]) -> None:
    """Be the command ``tap-cliniko``, ``target-highlevel`` or ``highlevel-tools``; does not return."""
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    os.environ.clear()
    os.environ.update(environment)
    if seconds := float(environment.get("TARGET_HIGHLEVEL_CLOCK_AHEAD", 0)):
        put_clock(seconds)
    if interval := environment.get("TARGET_HIGHLEVEL_SWITCH_INTERVAL"):
        sys.setswitchinterval(float(interval))
    sys.argv = command
    commands: dict[str, Callable[[], object]] = {
        "tap-cliniko": tap,
        "target-highlevel": target.main,
        "highlevel-tools": cli.main,
    }
    commands[command[0]]()
    sys.exit()


if __name__ == "__main__":
    prepare()
    serve(socket.socket(fileno=int(sys.argv[1])))
