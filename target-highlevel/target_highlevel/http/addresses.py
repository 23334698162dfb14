"""Where a token may travel: over TLS, or to this machine itself; and only to the place it belongs to."""

from __future__ import annotations

import ipaddress
from typing import Any
from urllib.parse import urlsplit

_PORTS = {"http": 80, "https": 443}
#: ``None`` wins over what the environment names.
_NO_PROXIES = {"http": None, "https": None, "all": None}


def origin(url: str) -> tuple[str, str, int]:
    """Return scheme, host and port of an address.

    Raises:
        ValueError: it is no address of the web.
    """
    parts = urlsplit(url)
    if parts.scheme not in _PORTS or not parts.hostname:
        message = "no address of the web"
        raise ValueError(message)
    return parts.scheme, parts.hostname, parts.port or _PORTS[parts.scheme]


def is_loopback(url: str) -> bool:
    """Return whether an address is this machine's own; false for what is no address."""
    try:
        _, host, _ = origin(url)
    except ValueError:
        return False
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def proxies_for(url: str) -> dict[str, Any]:
    """Return the proxies to name in a request: none for this machine's own addresses, as a proxy would be another machine."""
    return dict(_NO_PROXIES) if is_loopback(url) else {}


def is_confidential(url: str) -> bool:
    """Return whether nobody on the way can read what is sent there; false for what is no address."""
    try:
        scheme, _, _ = origin(url)
    except ValueError:
        return False
    return scheme == "https" or is_loopback(url)


def is_same_origin(url: str, other: str) -> bool:
    """Return whether what belongs to one address may be sent to the other; false for what is no address."""
    try:
        return origin(url) == origin(other)
    except ValueError:
        return False
