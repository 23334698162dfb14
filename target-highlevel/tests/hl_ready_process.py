"""A target that has imported everything and waits: each load and each command is a fork of it, without the second of start-up.

Started by ``hl_loading`` with one end of a socket; a request is the command line and the environment as JSON in one line, with
three descriptors for standard input, output and error; the answer is the exit code, negative for a signal.
"""

from __future__ import annotations

import json
import os
import socket
import sys
from importlib.metadata import entry_points

from target_highlevel import cli, target
from target_highlevel.report.page import environment


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
    for mapper in entry_points(group="target_highlevel.mappers"):
        mapper.load()
    for name in environment().list_templates():
        environment().get_template(name)


def become(command: list[str], environment: dict[str, str], streams: list[int]) -> None:
    """Be the command ``target-highlevel`` or ``highlevel-tools``; does not return."""
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = command
    if command[0] == "target-highlevel":
        target.main()
    else:
        cli.main()
    sys.exit()


if __name__ == "__main__":
    prepare()
    serve(socket.socket(fileno=int(sys.argv[1])))
