"""Reading uploaded files back: streamed, inside the request budget, and only their hash is kept."""

from __future__ import annotations

import hashlib
import tempfile
import time
import zipfile
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit

import requests

from target_highlevel.client.headers import retry_after
from target_highlevel.client.transport import BearerToken, NoToken, departure, open_session
from target_highlevel.errors import CredentialsRefused, Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import BinaryIO

    from target_highlevel.client.governor import Governor, Slot
    from target_highlevel.client.tokens import TokenProvider

_ROUTE = "GET /documents/download/{id}"
_ATTEMPTS = 5
_MOST_REDIRECTS = 4
_TIMEOUT = (10.0, 60.0)
_PIECE = 1 << 20
_IN_MEMORY = 4 << 20
_GONE = frozenset({400, 404, 410})
_REFUSED = frozenset({401, 403})
_TOO_MANY = 429


class Downloads:
    """Fetches documents by the address HighLevel gives for them. Threads may share it."""

    def __init__(
        self,
        api_url: str,
        tokens: TokenProvider,
        governor: Governor,
        sleep: Callable[[float], Any] = time.sleep,
    ) -> None:
        """Open a session; the token is only ever sent to the API's own host."""
        self._host = urlsplit(api_url).netloc
        self._tokens = tokens
        self._governor = governor
        self._sleep = sleep
        self._session = open_session()

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    def sha256(self, url: str, *, zipped: bool) -> str | None:
        """Return the hash of a document, of the one file inside it if it was zipped; None when it is gone.

        Raises:
            Unavailable: it could not be read in several attempts.
            CredentialsRefused: the token may not read it.
        """
        with tempfile.SpooledTemporaryFile(_IN_MEMORY) as file:
            for attempt in range(1, _ATTEMPTS + 1):
                file.seek(0)
                file.truncate()
                status = self._fetch(url, file)  # type: ignore[arg-type]
                if status == requests.codes.ok:
                    return _hash_inside(file) if zipped else _hash(file)  # type: ignore[arg-type]
                if status in _GONE:
                    return None
                if status in _REFUSED:
                    hint = "the token may not read uploaded documents; it needs the scope of contacts"
                    raise CredentialsRefused(hint, route=_ROUTE, status=status)
                if attempt < _ATTEMPTS:
                    self._sleep(0.25 * 2**attempt)
        hint = "a document could not be read back; run the verification again"
        raise Unavailable(hint, route=_ROUTE, status=status or None)

    def _fetch(self, url: str, file: BinaryIO) -> int:
        """Read a document into a file, following redirects; return the last status, 0 when there was none."""
        for _ in range(_MOST_REDIRECTS):
            with self._governor.slot() as slot:
                watch = departure.set(slot)
                try:
                    status, target = self._read(url, file, slot)
                except requests.RequestException:
                    return 0
                finally:
                    departure.reset(watch)
            if target is None:
                return status
            url = urljoin(url, target)
        return 0

    def _read(self, url: str, file: BinaryIO, slot: Slot) -> tuple[int, str | None]:
        ours = urlsplit(url).netloc == self._host
        auth = BearerToken(self._tokens.token()) if ours else NoToken()
        with self._session.get(
            url, auth=auth, stream=True, timeout=_TIMEOUT, allow_redirects=False
        ) as answer:
            if ours:
                self._governor.hear(slot, answer.headers)
            if answer.status_code == _TOO_MANY:
                self._governor.hold(retry_after(answer.headers))
            if answer.is_redirect:
                return answer.status_code, answer.headers["Location"]
            if answer.ok:
                file.writelines(answer.iter_content(_PIECE))
            return answer.status_code, None


def _hash(file: BinaryIO) -> str:
    file.seek(0)
    digest = hashlib.sha256()
    while piece := file.read(_PIECE):
        digest.update(piece)
    return digest.hexdigest()


def _hash_inside(file: BinaryIO) -> str:
    """Return the hash of the one file inside an archive; that of the bytes themselves when they are none."""
    file.seek(0)
    try:
        with zipfile.ZipFile(file) as archive:
            names = archive.namelist()
            digest = hashlib.sha256()
            for name in names:
                with archive.open(name) as member:
                    while piece := member.read(_PIECE):
                        digest.update(piece)
            return digest.hexdigest()
    except zipfile.BadZipFile:
        return _hash(file)
