"""Ids, keys and times in the vendor's formats, reproducible from the seed."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
KEY = re.compile(r"[a-z][a-z0-9_]*")
_ID_LENGTH = 20


@dataclass(slots=True)
class Ids:
    """Makes ids: the nth id of a kind depends on the seed alone."""

    seed: int
    counts: Counter[str] = field(default_factory=Counter)

    def _digest(self, kind: str) -> bytes:
        self.counts[kind] += 1
        return hashlib.blake2b(
            f"{self.seed}:{kind}:{self.counts[kind]}".encode(), digest_size=_ID_LENGTH
        ).digest()

    def short(self, kind: str) -> str:
        """Return 20 letters and digits, as contacts, fields, notes… have."""
        return "".join(LETTERS[byte % len(LETTERS)] for byte in self._digest(kind))

    def hexadecimal(self, kind: str) -> str:
        """Return 24 hexadecimal digits, as objects, records and relations have."""
        return self._digest(kind).hex()[:24]

    def trace(self) -> str:
        """Return a trace id."""
        digest = self._digest("trace").hex()
        return f"{digest[:8]}-{digest[8:12]}-{digest[12:16]}-{digest[16:20]}-{digest[20:32]}"


def key_from_name(name: str) -> str:
    """Make a key from a label: lower case, anything but letters and digits becomes an underscore."""
    return re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")


def iso(at: float) -> str:
    """Write an epoch time as ISO 8601 in UTC with milliseconds; such texts sort by time."""
    return datetime.fromtimestamp(at, tz=UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def epoch_ms(moment: str) -> int:
    """Read an ISO 8601 date-time as milliseconds since 1970."""
    normal = re.sub(r"([+-]\d{2})(\d{2})$", r"\1:\2", moment.replace("Z", "+00:00"))
    normal = re.sub(r"\.(\d{1,6})", lambda match: "." + match[1].ljust(6, "0"), normal)
    parsed = datetime.fromisoformat(normal)
    aware = parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)
    return round(aware.timestamp() * 1000)
