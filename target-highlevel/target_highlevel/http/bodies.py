"""Reads an answer's body inside a total time and a total size, however it is packed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import requests

if TYPE_CHECKING:
    from collections.abc import Iterator

    from target_highlevel.http.deadline import Deadline

_PIECE = 1 << 16


class TooSlow(requests.RequestException):
    """The exchange took longer than it may in all."""


class TooLarge(requests.RequestException):
    """The body, unpacked, is larger than any answer of HighLevel's can be."""


def pieces(
    response: requests.Response, deadline: Deadline, *, most: int, slowest: float | None = None
) -> Iterator[bytes]:
    """Yield a body, unpacked piece by piece, so that a small packed body cannot fill the memory.

    Args:
        response: an answer that was asked for as a stream.
        deadline: when all of it must have come.
        most: how many bytes it may hold.
        slowest: bytes a second that count as progress and so extend the deadline; by default nothing does.

    Raises:
        TooSlow: time was up before the end.
        TooLarge: it holds more.
        requests.RequestException: the connection failed, or the body is cut or badly packed.
    """
    left = most
    try:
        for piece in response.iter_content(_PIECE):
            left -= len(piece)
            if left < 0:
                raise TooLarge
            if slowest:
                deadline.extend(len(piece) / slowest)
            yield piece
    except requests.RequestException:
        if deadline.passed:
            raise TooSlow from None
        raise
    if deadline.passed:  # a body without a length ends where its connection does
        raise TooSlow


def whole(response: requests.Response, deadline: Deadline, *, most: int) -> bytes:
    """Return a body, under the same conditions."""
    return b"".join(pieces(response, deadline, most=most))
