"""Secrets by reference: the file of clinics says where a secret is, and only the process that needs it ever holds it."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

_REFERENCE = re.compile(r"(env|variable|connection):([A-Za-z0-9_.\-/]+)(#password)?")


class SecretMissingError(Exception):
    """A secret is not where the file of clinics says, or not what it has to be; the text names the reference."""


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


def parts(secret: str) -> Iterator[str]:
    """Yield a secret, and each secret within it: a program may name the password of an address, or one token of several."""
    yield secret
    try:
        yield from _texts(json.loads(secret))
    except ValueError:
        for address in re.split(r"[,\s]+", secret):
            yield from _password(address)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
        yield from _password(value)
    elif isinstance(value, list | dict):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _texts(item)


def _password(address: str) -> Iterator[str]:
    """Yield the password of an address, as it stands there and as it is meant."""
    try:
        password = urlsplit(address).password
    except ValueError:
        return
    if password:
        yield from {password, unquote(password)}
