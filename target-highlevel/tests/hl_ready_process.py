"""A target that has imported everything and waits: each load is a fork of it, without the second of start-up.

Started by ``hl_loading`` with one end of a socket; a request is the environment as JSON in one line, with three descriptors for
standard input, output and error; the answer is the exit code, negative for a signal.
"""

from __future__ import annotations

import json
import os
import socket
import sys

from target_highlevel import target


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
            become_target(json.loads(text), streams)
        for stream in streams:
            os.close(stream)
        _, status = os.waitpid(child, 0)
        channel.sendall(f"{os.waitstatus_to_exitcode(status)}\n".encode())


def become_target(environment: dict[str, str], streams: list[int]) -> None:
    """Be the command ``target-highlevel --config ENV``; does not return."""
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = ["target-highlevel", "--config", "ENV"]
    target.main()


if __name__ == "__main__":
    serve(socket.socket(fileno=int(sys.argv[1])))
