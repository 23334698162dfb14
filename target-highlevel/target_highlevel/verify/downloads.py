"""Reading uploaded files back: streamed, inside the request budget, and only their hash is kept."""

from __future__ import annotations

import hashlib
import tempfile
import threading
import zipfile
import zlib
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin

import requests

from target_highlevel.http.addresses import is_confidential, is_same_origin, proxies_for
from target_highlevel.http.allowed_paths import DATA_VERSION
from target_highlevel.http.bodies import pieces
from target_highlevel.http.deadline import Deadlines
from target_highlevel.http.governor import retry_after
from target_highlevel.http.transport import BearerToken, NoToken, departure, open_session

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import BinaryIO

    from target_highlevel.http.governor import Governor, Slot
    from target_highlevel.http.tokens import TokenProvider

_ATTEMPTS = 5
_MOST_REDIRECTS = 4
_TIMEOUT = (10.0, 60.0)
_PIECE = 1 << 20
#: HighLevel takes files of 50 MB; a larger document is none of ours.
_MOST_BYTES = 100 << 20
#: Of the file inside an archive: a picture that packs well may be large, and no archive of ours holds more.
_MOST_UNPACKED = 4 << 30
_SECONDS = 60.0
#: Bytes a second at which a document is still worth waiting for.
_SLOWEST = 32 * 1024
_IN_MEMORY = 4 << 20
_GONE = frozenset({400, 404, 410})
#: Stands for the status of a page that asks people to log in, which answers 200.
_LOGIN_PAGE = -1
_REFUSED = frozenset({401, 403, _LOGIN_PAGE})
_WHY = {0: "no_answer", 401: "login_wanted", 403: "login_wanted", _LOGIN_PAGE: "login_wanted"}
#: After so many unreadable documents in a row the next ones are asked for once.
_MOST_IN_A_ROW = 20
_TOO_MANY = 429
#: What ``zipfile`` raises for bytes that are no archive, or one cut, encrypted or packed in a way it does not know.
_UNREADABLE_ARCHIVE = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError)


class DocumentUnreadable(Exception):  # noqa: N818 - a finding, not a failure of the program
    """A document could not be read back; ``reason`` is one of ``report.wording.UNREADABLE``."""

    def __init__(self, reason: str) -> None:
        """Keep the reason."""
        super().__init__(reason)
        self.reason = reason


class Downloads:
    """Fetches documents by the address HighLevel gives for them. Threads may share it."""

    def __init__(
        self,
        api_url: str,
        tokens: TokenProvider,
        governor: Governor,
        *,
        stop_event: threading.Event | None = None,
        sleep: Callable[[float], Any] | None = None,
        seconds: float = _SECONDS,
    ) -> None:
        """Open a session; the token is only ever sent to the API's own host.

        Args:
            api_url: where HighLevel is
            tokens: the sub-account's token
            governor: the sub-account's budget
            stop_event: when set, documents under way are given up after a period of grace
            sleep: waits between attempts; by default the event's own `wait`
            seconds: what a document may take in all, beside the time that its bytes need
        """
        self._api_url = api_url
        self._tokens = tokens
        self._governor = governor
        stop = stop_event or threading.Event()
        self._sleep = sleep or stop.wait
        self._seconds = seconds
        self._deadlines = Deadlines(stop)
        self._session = open_session()
        self._in_a_row = 0

    def close(self) -> None:
        """Close the connections."""
        self._session.close()
        self._deadlines.close()

    def sha256(self, url: str, *, zipped: bool) -> str | None:
        """Return the hash of a document, of the one file inside it if it was zipped; None when it is gone.

        Raises:
            DocumentUnreadable: it could not be read.
        """
        found = self._sha256(url, zipped=zipped)
        self._in_a_row = 0
        return found

    def _sha256(self, url: str, *, zipped: bool) -> str | None:
        if not is_confidential(url):
            raise DocumentUnreadable("not_confidential")  # noqa: EM101 - named by its reason
        attempts = _ATTEMPTS if self._in_a_row < _MOST_IN_A_ROW else 1
        with tempfile.SpooledTemporaryFile(_IN_MEMORY) as file:
            for attempt in range(1, attempts + 1):
                file.seek(0)
                file.truncate()
                status = self._fetch(url, file)  # type: ignore[arg-type]
                if status == requests.codes.ok:
                    return _hash_inside(file) if zipped else _hash(file)  # type: ignore[arg-type]
                if status in _GONE:
                    return None
                if status in _REFUSED:
                    break
                if attempt < attempts:
                    self._sleep(0.25 * 2**attempt)
        self._in_a_row += 1
        raise DocumentUnreadable(_WHY.get(status, "server_error"))

    def _fetch(self, url: str, file: BinaryIO) -> int:
        """Read a document into a file, following redirects; return the last status, 0 when there was none."""
        for _ in range(_MOST_REDIRECTS):
            if not is_confidential(url):
                return 0  # anybody on the way could read the document
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
            try:
                url = urljoin(url, target)
            except ValueError:  # it leads to no address
                break
        return 0

    def _read(self, url: str, file: BinaryIO, slot: Slot) -> tuple[int, str | None]:
        ours = is_same_origin(url, self._api_url)
        auth = BearerToken(self._tokens.token()) if ours else NoToken()
        with (
            self._deadlines.exchange(self._seconds, self._seconds) as deadline,
            self._session.get(
                url,
                auth=auth,
                headers={"Version": DATA_VERSION} if ours else {},
                stream=True,
                timeout=_TIMEOUT,
                allow_redirects=False,
                proxies=proxies_for(url),
            ) as answer,
        ):
            if ours:
                self._governor.hear(slot, answer.headers)
            if answer.status_code == _TOO_MANY:
                self._governor.hold(retry_after(answer.headers))
            if answer.is_redirect:
                return answer.status_code, answer.headers["Location"]
            if answer.ok:
                if answer.headers.get("Content-Type", "").startswith("text/html"):
                    return _LOGIN_PAGE, None  # no file of ours is a page: it is one to log in on
                file.writelines(pieces(answer, deadline, most=_MOST_BYTES, slowest=_SLOWEST))
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
            left = _MOST_UNPACKED
            for name in names:
                with archive.open(name) as member:
                    while left > 0 and (piece := member.read(_PIECE)):
                        left -= len(piece)
                        digest.update(piece)
            return digest.hexdigest()
    except _UNREADABLE_ARCHIVE:
        return _hash(file)
