"""Comparing the bookmarks a tap goes on from with those that were let pass last."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d")


def is_ahead(bookmarks: Mapping[str, Any], passed: Mapping[str, Any] | None) -> bool:
    """Return whether a stream goes on from a later moment than the one that was let pass last.

    Where nothing is known to have passed, nobody can tell. An earlier state does no harm: what it brings again is known.
    """
    if passed is None:
        return False
    known = dict(_moments(passed))
    return any(moment > known.get(path, moment) for path, moment in _moments(bookmarks))


def _moments(value: object, path: str = "") -> Iterator[tuple[str, str]]:
    """Yield (path, moment) of every replication key in a state."""
    if isinstance(value, dict):
        for name, item in value.items():
            yield from _moments(item, f"{path}/{name}")
    elif isinstance(value, str) and path.endswith("/replication_key_value") and _MOMENT.match(value):
        yield path, value
