"""What can be read from an API key: its end may name the shard on which the account lives.

The key opens the account with that end and without it (API documentation, "API keys").
"""

from __future__ import annotations

import re

# the rest can hold hyphens too
_SHARD = re.compile(r"-([a-z]{2}\d{1,2})$", re.IGNORECASE)


def shard_of(api_key: str) -> str | None:
    """Return the shard, None for a key from before there were any."""
    found = _SHARD.search(api_key)
    return found.group(1).lower() if found else None


def without_shard(api_key: str) -> str:
    """Return the part that is the same however the key is written."""
    return _SHARD.sub("", api_key)
