"""A process that has imported tap and target and waits: each run of one is a fork of it, without the second of start-up.

Started by ``hl_loading`` with one end of a socket; a request is the command line and the environment as JSON in one line, with
three descriptors for standard input, output and error; the answer is the exit code, negative for a signal.
"""

from __future__ import annotations

import datetime as dt
import gc
import json
import os
import signal
import socket
import sys
import tempfile
import time
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING

import hl_transitions
from hl_loading import Loader, a_sandbox, tap_environment

from tap_cliniko.__main__ import main as tap
from target_highlevel import cli, target
from target_highlevel.report.page import environment

if TYPE_CHECKING:
    from collections.abc import Callable

_OWN = ("TAP_CLINIKO_", "TARGET_HIGHLEVEL_", "OTEL_")


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


def prepare(*, rehearsing: bool) -> None:
    """Do once what every process would do anew: read the mapping, compile the templates of the report.

    What is there then is kept out of the way of the collector, which would go through it in every fork.
    """
    hl_transitions.watch()
    for mapper in entry_points(group="target_highlevel.mappers"):
        mapper.load()(None)
    for name in environment().list_templates():
        environment().get_template(name)
    if rehearsing:
        rehearse()
    gc.collect()
    gc.freeze()


def rehearse() -> None:
    """Read a clinic, load it and verify it in this process: what is compiled or kept on the way need not be in its forks."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    outside, hook, mask = dict(os.environ), sys.excepthook, os.umask(0o077)
    streams = [os.dup(number) for number in range(3)]
    for name in outside:
        if name.startswith(_OWN):  # of the test that happens to come first
            del os.environ[name]
    with a_sandbox(1) as sandbox, tempfile.TemporaryDirectory() as name:
        folder, loader = Path(name), Loader(sandbox, Path(name))
        load = ["target-highlevel", "--config", "ENV"]
        perform(
            ["tap-cliniko", "--config", "ENV"], tap_environment(sandbox, folder), folder, "nothing", "lines"
        )
        perform(load, loader.environment(), folder, "lines", "states")
        perform(load, loader.environment({"MODE": "verify"}), folder, "lines", "nothing")
    take(streams)
    os.umask(mask)
    sys.excepthook = hook
    os.environ.clear()
    os.environ.update(outside)
    for number, handler in handlers.items():
        signal.signal(number, handler)


def perform(command: list[str], environment: dict[str, str], folder: Path, given: str, output: str) -> None:
    """Run a command in this process, from one file of a folder into another."""
    folder.joinpath(given).touch()
    files = [folder / given, folder / output, folder / "log"]
    flags = os.O_RDONLY, os.O_WRONLY | os.O_CREAT, os.O_WRONLY | os.O_CREAT
    try:
        become(command, environment, [os.open(*each) for each in zip(files, flags, strict=True)])
    except SystemExit as end:
        sys.stdout.flush()
        if end.code not in {None, 0, 4}:
            raise RuntimeError(folder.joinpath("log").read_text(encoding="utf-8")[-2000:]) from end


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


def take(streams: list[int]) -> None:
    """Have these descriptors as standard input, output and error."""
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)


def become(command: list[str], environment: dict[str, str], streams: list[int]) -> None:
    """Be the command ``tap-cliniko``, ``target-highlevel`` or ``highlevel-tools``; ends as it does."""
    take(streams)
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
    channel = socket.socket(fileno=int(sys.argv[1]))
    prepare(rehearsing="rehearse" in sys.argv)
    serve(channel)
