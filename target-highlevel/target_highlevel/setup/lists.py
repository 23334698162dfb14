"""How much of a list HighLevel takes, whose limit nobody knows: less is tried, and then more again."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, TypeVar

from target_highlevel.errors import Refused
from target_highlevel.http.error_messages import UNEXPLAINED

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

logger = logging.getLogger(__name__)

#: Refusals that may be about how long a list is; the words of such a one nobody has seen.
ABOUT_SIZE = UNEXPLAINED | {"invalid_length", "invalid_property", "limit_reached", "too_large"}

_Part = TypeVar("_Part")


def most_taken(whole: Sequence[_Part], send: Callable[[Sequence[_Part]], object]) -> Sequence[_Part]:
    """Make something with as much of a list as HighLevel takes, and return what it took: how long it may be is not known.

    Raises:
        Refused: not even one is taken, or the refusal is about something else.
    """
    part = whole
    while part:
        try:
            send(part)
        except Refused as refused:
            number = fewer(refused, 0, len(part))
            if number < 1:
                raise
            part = whole[:number]
        else:
            break
    return part


def most_added(whole: Sequence[_Part], send: Callable[[Sequence[_Part]], object]) -> Sequence[_Part]:
    """Add as much of a list as HighLevel takes, to the last one, and return what it took; it may be nothing.

    Raises:
        Refused: the refusal is about something else.
    """
    taken, refused_at, number = 0, len(whole) + 1, len(whole)
    while number > taken:
        try:
            send(whole[:number])
        except Refused as refused:
            refused_at, number = number, fewer(refused, taken, number)
        else:
            taken, number = number, (number + refused_at) // 2
    return whole[:taken]


def fewer(refused: Refused, taken: int, number: int) -> int:
    """Return how many to try when so many are refused and fewer were taken.

    Raises:
        Refused: it is about something else.
    """
    if refused.code not in ABOUT_SIZE:
        raise refused
    told = [limit for limit in refused.findings.numbers if taken < limit < number]
    less = max(told, default=(taken + number) // 2)
    logger.warning("highlevel.list_shortened from=%d to=%d code=%s", number, less, refused.code)
    return less
