"""Bodies as HighLevel takes and gives them; an answer's is read inside a total time and a total size, however it is packed."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import requests
import simplejson

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


def encode(payload: Any) -> bytes:
    """JSON in UTF-8; a Decimal is written as the number it is, digit by digit, as money must be.

    Half a surrogate pair, left over where a text was cut in the middle of an emoji, becomes a question mark:
    UTF-8 cannot hold it.

    Raises:
        ValueError: a number is not finite.
    """
    text = simplejson.dumps(
        payload, use_decimal=True, ensure_ascii=False, allow_nan=False, separators=(",", ":")
    )
    return str(text).encode("utf-8", "replace")


def decode(content: bytes) -> Any:
    """The parsed body; numbers with a fraction come back as Decimals, and what is no number (``NaN``) as null.

    Raises:
        ValueError: it is not JSON, or only the beginning of some, or deeper than anything that is meant.
    """
    try:
        return json.loads(content, parse_float=Decimal, parse_constant=lambda _: None)
    except RecursionError as error:
        raise ValueError(str(error)) from None
