"""OAuth tokens, whose refresh token works once: the new pair is on disk before anybody uses it.

The file is locked while a pair is exchanged, so that two processes cannot both spend the same refresh token;
the lock dies with its process. A lost answer is asked for again at once: HighLevel gives the same pair to two
exchanges within 30 seconds.
"""

from __future__ import annotations

import fcntl
import json
import os
import threading
import time
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import requests

from target_highlevel.client.transport import NoToken, open_session
from target_highlevel.errors import CredentialsRefused, SettingsError, Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

_ROUTE = "POST /oauth/token"
_ATTEMPTS = 3
_PAUSE = 2.0
#: Three attempts fit into the 30 seconds in which the same refresh token is answered alike.
_TIMEOUT = (5.0, 6.0)
_EARLY = 120.0
_REFUSALS = frozenset({400, 401, 403, 422})


@dataclass(frozen=True, slots=True, repr=False)
class TokenPair:
    """An access token, the refresh token that buys the next pair, and when the first of them ends."""

    access_token: str
    refresh_token: str
    expires_at: float


@dataclass(frozen=True, slots=True, repr=False)
class OAuthApp:
    """The marketplace app the tokens were issued to."""

    client_id: str
    client_secret: str
    user_type: str = "Location"


class OAuthTokens:
    """Keeps the pair in a file only its owner can read, and exchanges it when it has ended or was refused."""

    def __init__(
        self,
        path: Path,
        app: OAuthApp,
        base_url: str,
        *,
        now: Callable[[], float] = time.time,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        """Read nothing yet; `path` must hold a pair by the time the first request is made."""
        self._path = path
        self._app = app
        self._url = f"{base_url.rstrip('/')}/oauth/token"
        self._now = now
        self._sleep = sleep
        self._session = open_session()
        self._thread_lock = threading.Lock()
        self._pair: TokenPair | None = None

    def __repr__(self) -> str:
        """Name the file, never what is in it."""
        return f"OAuthTokens({self._path.name})"

    def token(self) -> str:
        """The access token, exchanged first if it is about to end."""
        with self._thread_lock:
            pair = self._pair = self._pair or self._read()
            if pair.expires_at - _EARLY <= self._now():
                pair = self._exchange_once(pair.access_token)
            return pair.access_token

    def refresh(self, refused: str) -> bool:
        """Exchange the pair, unless somebody has done so since the refused token was taken."""
        with self._thread_lock:
            return self._exchange_once(refused).access_token != refused

    def store(self, pair: TokenPair) -> None:
        """Write a pair so that it survives the next moment: whole, on disk, readable by its owner only."""
        scratch = self._path.with_name(f"{self._path.name}.new")
        scratch.unlink(missing_ok=True)
        descriptor = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(asdict(pair), file)
            file.flush()
            os.fsync(file.fileno())
        scratch.replace(self._path)
        _sync_folder(self._path.parent)
        self._pair = pair

    def _exchange_once(self, refused: str) -> TokenPair:
        with self._locked():
            pair = self._pair = self._read()
            if pair.access_token == refused:
                pair = self._exchange(pair)
                self.store(pair)
            return pair

    @contextmanager
    def _locked(self) -> Iterator[None]:
        descriptor = os.open(self._path.with_name(f"{self._path.name}.lock"), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def _read(self) -> TokenPair:
        try:
            fields = json.loads(self._path.read_text(encoding="utf-8"))
            return TokenPair(
                fields["access_token"], fields["refresh_token"], float(fields.get("expires_at", 0))
            )
        except (OSError, ValueError, TypeError, KeyError):
            pass
        message = "the OAuth token file is absent or not readable; install the app again and store its pair"
        raise SettingsError(message)

    def _exchange(self, pair: TokenPair) -> TokenPair:
        for attempt in range(_ATTEMPTS):
            if attempt:
                self._sleep(_PAUSE)
            status, fields = self._ask(pair.refresh_token)
            if status in _REFUSALS:
                message = "the refresh token is used up or revoked; install the app again"
                raise CredentialsRefused(message, route=_ROUTE, status=status, missing="token")
            if fields is not None:
                return fields
        message = "no new token could be had; run again later"
        raise Unavailable(message, route=_ROUTE)

    def _ask(self, refresh_token: str) -> tuple[int | None, TokenPair | None]:
        """One attempt: its status, and the new pair if there is one."""
        form = {
            "client_id": self._app.client_id,
            "client_secret": self._app.client_secret,
            "grant_type": "refresh_token",
            "refresh_token": refresh_token,
            "user_type": self._app.user_type,
        }
        headers = {"Accept": "application/json"}
        try:
            answer = self._session.post(
                self._url, data=form, headers=headers, auth=NoToken(), timeout=_TIMEOUT, allow_redirects=False
            )
            return answer.status_code, self._pair_of(answer.json()) if answer.ok else None
        except (requests.RequestException, ValueError, KeyError, TypeError):
            return None, None

    def _pair_of(self, fields: dict[str, Any]) -> TokenPair:
        expires_at = self._now() + float(fields["expires_in"])
        return TokenPair(str(fields["access_token"]), str(fields["refresh_token"]), expires_at)


def _sync_folder(folder: Path) -> None:
    """Make the renaming durable too."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
