"""Filters that several readers write alike."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tap_cliniko.resources import Resource

AT_ONCE = 50
"""How many ids one filter names: few enough for the length of an address."""


def filters_by(by: str, ids: list[str]) -> list[tuple[str, ...]]:
    """Write the filters that find the rows of some patients or other rows.

    `=` takes several ids at once, `~` on a list of ids takes one, and no filter at all finds everything.
    """
    if not by:
        return [()]
    if by.endswith("~"):
        return [(f"{by}{each}",) for each in ids]
    chunks = (ids[start : start + AT_ONCE] for start in range(0, len(ids), AT_ONCE))
    return [(f"{by}{','.join(chunk)}",) for chunk in chunks]


def only_hidden(listed: Resource, column: str) -> tuple[str, ...]:
    """Write the filters that show the rows hidden by one column, whatever else hides them."""
    return (f"{column}:?", *(f"{each}:*" for each in listed.reveal if each != column))


def with_archived(listed: Resource) -> tuple[str, ...]:
    """Write the filters that bring hidden rows back into a list."""
    return tuple(f"{column}:*" for column in listed.reveal)
