"""Reading the probe's one document in several ways; the token goes to the API's own host only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import requests

from target_highlevel.http.allowed_paths import DATA_VERSION
from target_highlevel.http.transport import BearerToken, NoToken, departure, open_session

if TYPE_CHECKING:
    from target_highlevel.http.governor import Governor
    from target_highlevel.http.tokens import TokenProvider

_SECONDS = (10, 30)
_MOST_BYTES = 1 << 16


@dataclass(frozen=True, slots=True)
class Got:
    """What came: a status, 0 without an answer, and the first bytes."""

    status: int
    content: bytes = b""
    media_type: str = ""

    def told(self) -> str:
        """Return in words what came."""
        return f"{self.status} {self.media_type}".strip() if self.status else "no answer"


class Documents:
    """Reads documents within the sub-account's budget."""

    def __init__(self, api_url: str, tokens: TokenProvider, governor: Governor) -> None:
        """Open a session."""
        self._host = urlsplit(api_url).netloc
        self._tokens = tokens
        self._governor = governor
        self._session = open_session()
        self.requests = 0

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    def is_ours(self, url: str) -> bool:
        """Return whether the API's own host has a document: only there the token may go."""
        return urlsplit(url).netloc == self._host

    def read(self, url: str, *, token: bool = False, version: bool = False) -> Got:
        """Read a document, without following a redirect."""
        auth = BearerToken(self._tokens.token()) if token and self.is_ours(url) else NoToken()
        headers = {"Version": DATA_VERSION} if version else {}
        self.requests += 1
        with self._governor.slot() as slot:
            watch = departure.set(slot)
            try:
                with self._session.get(
                    url, auth=auth, headers=headers, stream=True, timeout=_SECONDS, allow_redirects=False
                ) as answer:
                    content = answer.raw.read(_MOST_BYTES, decode_content=True)
                    media_type = answer.headers.get("Content-Type", "").partition(";")[0]
                    return Got(answer.status_code, content, media_type)
            except (requests.RequestException, OSError):
                return Got(0)
            finally:
                departure.reset(watch)
