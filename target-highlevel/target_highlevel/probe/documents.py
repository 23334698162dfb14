"""Reading the probe's one document in several ways; the token goes to the API's own host only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import requests

from target_highlevel.http.addresses import is_same_origin, proxies_for
from target_highlevel.http.allowed_paths import DATA_VERSION
from target_highlevel.http.bodies import TooLarge, whole
from target_highlevel.http.deadline import Deadlines
from target_highlevel.http.transport import BearerToken, NoToken, departure, open_session

if TYPE_CHECKING:
    from requests.auth import AuthBase

    from target_highlevel.http.governor import Governor
    from target_highlevel.http.tokens import TokenProvider

_SECONDS = (10, 30)
_MOST_BYTES = 1 << 16


@dataclass(frozen=True, slots=True)
class Got:
    """What came: a status, 0 without an answer, and the bytes, unless there are far too many."""

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
        self._api_url = api_url
        self._tokens = tokens
        self._governor = governor
        self._session = open_session()
        self._deadlines = Deadlines()
        self.requests = 0

    def close(self) -> None:
        """Close the connections."""
        self._session.close()
        self._deadlines.close()

    def is_ours(self, url: str) -> bool:
        """Return whether the API's own host has a document, reached as safely: only there the token may go."""
        return is_same_origin(url, self._api_url)

    def _read(self, url: str, auth: AuthBase, headers: dict[str, str]) -> Got:
        with (
            self._deadlines.exchange(sum(_SECONDS), _SECONDS[1]) as deadline,
            self._session.get(
                url,
                auth=auth,
                headers=headers,
                stream=True,
                timeout=_SECONDS,
                allow_redirects=False,
                proxies=proxies_for(url),
            ) as answer,
        ):
            try:
                content = whole(answer, deadline, most=_MOST_BYTES)
            except TooLarge:  # it is none of the probe's
                content = b""
            return Got(answer.status_code, content, answer.headers.get("Content-Type", "").partition(";")[0])

    def read(self, url: str, *, token: bool = False, version: bool = False) -> Got:
        """Read a document, without following a redirect."""
        auth = BearerToken(self._tokens.token()) if token and self.is_ours(url) else NoToken()
        headers = {"Version": DATA_VERSION} if version else {}
        self.requests += 1
        with self._governor.slot() as slot:
            watch = departure.set(slot)
            try:
                return self._read(url, auth, headers)
            except requests.RequestException:
                return Got(0)
            finally:
                departure.reset(watch)
