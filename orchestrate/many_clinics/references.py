"""Secrets by reference: the file of clinics says where a secret is, and only the process that needs it ever holds it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_REFERENCE = re.compile(r"(env|variable|connection):([A-Za-z0-9_.\-/]+)(#password)?")


class SecretMissingError(Exception):
    """A secret is not where the file of clinics says; the text names the reference."""


def reference(text: str) -> str:
    """Return a reference as it is written.

    Raises:
        ValueError: it is none. The text may be the secret itself, so it is not repeated.
    """
    found = _REFERENCE.fullmatch(text)
    if not found or (found[3] and found[1] != "connection"):
        msg = "not a reference; write env:NAME, variable:KEY, connection:ID or connection:ID#password, never the value"
        raise ValueError(msg)
    return text


def resolve(text: str, lookups: Mapping[str, Callable[[str], str | None]]) -> str:
    """Return the secret that a reference stands for.

    Args:
        text: a valid reference.
        lookups: `env`, `variable`, `connection` (the URI) and `connection#password`, each with its way to fetch a name.

    Raises:
        SecretMissingError: it is not there, or empty.
    """
    found = _REFERENCE.fullmatch(text)
    assert found is not None, "checked when the file was read"  # noqa: S101
    value = lookups[found[1] + (found[3] or "")](found[2])
    if not value:
        msg = f"{text} is not there, or empty"
        raise SecretMissingError(msg)
    return value
