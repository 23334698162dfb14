"""The HTTP client: reads lists, rows and files of one Cliniko account, and knows nothing of Singer."""

from __future__ import annotations

import json
import logging
import math
import re
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from decimal import Decimal
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote, urljoin, urlsplit

import backoff
import msgspec
import requests
from typing_extensions import override
from urllib3.exceptions import HTTPError

from tap_cliniko.api_key import shard_of
from tap_cliniko.deadline import LONGEST_EXCHANGE, Deadline, WatchedAdapter
from tap_cliniko.errors import (
    ContractChanged,
    CredentialsRefused,
    NotFound,
    RoleRefused,
    SettingsError,
    TryAgain,
    Unavailable,
)
from tap_cliniko.governor import Governor

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Mapping

Row = dict[str, Any]
T = TypeVar("T")

# its lines hold whole addresses: filters, and the signature that opens a file
logging.getLogger("urllib3").setLevel(logging.ERROR)

PAGE_SIZE = 100
"""The most rows Cliniko puts on a page."""

_CONNECT, _READ = 10.0, 60.0
_LONGEST_PAUSE = 61.0
_BLOCK = 1 << 18
_OK = 200
_DATE_PRECISION = 2.0
#: Fewer seconds than that are no moment of today, but a time from now on.
_NO_MOMENT = 1e9
_SECONDS = re.compile(r"\d{1,15}(\.\d+)?", re.ASCII)
_FEW_DIGITS = re.compile(r"\d{1,15}", re.ASCII)
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
#: Decimals must not pass through a float.
_DECODER = msgspec.json.Decoder(float_hook=Decimal)


def base_url(api_key: str, api_url: str | None = None) -> str:
    """Return where the account lives: the setting, or the shard named at the end of the key.

    Keys made before shards existed have no suffix and live on au1 (API documentation, "API keys").
    """
    return api_url or f"https://api.{shard_of(api_key) or 'au1'}.cliniko.com/v1"


def _parsed(content: bytes) -> Any:
    """Parse an answer; whatever the quick parser refuses, the standard one may still take.

    Raises:
        ValueError: it is no JSON.
    """
    try:
        try:
            return _DECODER.decode(content)
        except msgspec.DecodeError:  # half a surrogate pair, for one
            return json.loads(content, parse_float=Decimal)
    except RecursionError as error:  # deeper than anything that is meant
        raise ValueError(str(error)) from None


@dataclass(frozen=True, slots=True)
class Page:
    """One answer of a list.

    `total` is how many rows the filters match, when Cliniko says so; `more` whether there is a further page.
    """

    rows: list[Row]
    total: int | None
    more: bool


@dataclass(frozen=True, slots=True)
class Query:
    """What to ask a list for: filters such as `id:>5`, and the column to sort by."""

    filters: tuple[str, ...] = ()
    sort: str | None = None
    size: int = PAGE_SIZE
    page: int = 1

    def encode(self) -> str:
        """Write the query string, with `%` and brackets escaped as Cliniko wants them."""
        parts = [f"q%5B%5D={quote(each, safe=':*,')}" for each in self.filters]
        parts += [f"sort={quote(self.sort, safe=':,')}"] if self.sort else []
        parts += [f"page={self.page}"] if self.page > 1 else []
        return "&".join([*parts, f"per_page={self.size}"])

    def named_filters(self) -> str:
        """Name the filtered fields without their values."""
        return ", ".join(sorted({each.partition(":")[0] for each in self.filters})) or "none"


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often and how long a failing request is repeated; 429 has a count of its own."""

    tries: int = 6
    limited_tries: int = 12
    base: float = 1.0
    longest: float = 30.0


@dataclass(frozen=True, slots=True)
class Bounds:
    """What no answer may exceed, however it comes.

    Attributes:
        seconds: how long an answer may take, and a file until its first byte.
        size: how many bytes an answer may have, unpacked.
        block_seconds: how long a block of a file may take, which makes some 4 KB a second.
        file_size: how many bytes a file may have, unless Cliniko says that it is large.
    """

    seconds: float = LONGEST_EXCHANGE
    size: int = 256 * 1024**2
    block_seconds: float = 60.0
    file_size: int = 4 * 1024**3


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer of the API, read to its end."""

    status_code: int
    headers: Mapping[str, str]
    content: bytes


class ClinikoClient:
    """Reads one account with one key; safe to share between threads.

    Args:
        base: the account's base URL with `/v1`.
        api_key: the key; it is sent to the base's host only.
        contact_email: who Cliniko writes to when this client misbehaves (mandatory in the User-Agent).
        governor: the request budget, shared by everything in the process.
        retry_policy: how failures are retried.
        bounds: what no answer may exceed.
    """

    def __init__(
        self,
        base: str,
        api_key: str,
        contact_email: str,
        *,
        governor: Governor | None = None,
        retry_policy: RetryPolicy | None = None,
        bounds: Bounds | None = None,
    ) -> None:
        """Prepare one session for the API and one, without any credential, for files."""
        self.base = base
        self.governor = governor or Governor(200)
        self.retry_policy = retry_policy or RetryPolicy()
        self.bounds = bounds or Bounds()
        self.skew = 0.0
        self._ahead = -math.inf
        self._auth = requests.auth.HTTPBasicAuth(api_key, "")
        self._agent = f"tap-cliniko ({contact_email})"
        self._idle: list[requests.Session] = []
        self._files = _anonymous_session(self._agent)

    def __repr__(self) -> str:
        """Name the account's host and nothing else."""
        return f"<ClinikoClient {urlsplit(self.base).netloc}>"

    # ------------------------------------------------------------------ reading

    def page(self, path: str, key: str, query: Query) -> Page:
        """Read one page of a list."""
        answer = self._json(path, query)
        rows = answer.get(key) if isinstance(answer, dict) else None
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            msg = f"{path}: the answer holds no list of rows named {key}; the API has changed"
            raise ContractChanged(msg)
        total, links = _count(answer.get("total_entries")), answer.get("links")
        # the next page is never fetched by this URL, so it does not matter which host it names
        named = isinstance(links, dict) and bool(links.get("next"))
        if total is None:
            # some lists give no total (API documentation, patient forms): a full page may have a successor
            return Page(rows, None, named or len(rows) >= query.size)
        return Page(rows, total, named or (query.page == 1 and total > len(rows)))

    def object(self, path: str, query: Query | None = None) -> Row:
        """Read one object."""
        answer = self._json(path, query)
        if not isinstance(answer, dict):
            msg = f"{path}: expected one object; the API has changed"
            raise ContractChanged(msg)
        return answer

    def location(self, path: str) -> str:
        """Ask where the bytes of a file are; the address is short-lived and needs no credential."""

        def attempt() -> str:
            response = self._send(path, None)
            target = response.headers.get("Location")
            if response.status_code in _REDIRECTS and target:
                return self._checked(target, path)
            if response.status_code in _REDIRECTS or response.status_code == _OK:
                msg = f"{path}: expected a redirect to the file, got {response.status_code}"
                raise ContractChanged(msg)
            raise self._failure(response, path, None)

        return self._with_retries(attempt)

    def _checked(self, target: str, path: str) -> str:
        """Accept a file's address unless it is none, or would carry the file in the clear where the API does not."""
        try:
            address = urljoin(self.base, target)
            scheme = urlsplit(address).scheme
        except ValueError:
            msg = f"{path}: the redirect leads to no address"
            raise TryAgain(msg) from None
        if scheme in {urlsplit(self.base).scheme, "https"}:
            return address
        msg = f"{path}: the file lies at an address without TLS; the API has changed"
        raise ContractChanged(msg)

    @contextmanager
    def file(self, address: str, start: int = 0) -> Iterator[tuple[requests.Response, Iterator[bytes]]]:
        """Open a file's bytes from `start` on, without the credential; the caller checks the answer's status."""
        # the bytes as they are stored: no compression on the way
        headers = {"Accept-Encoding": "identity", **({"Range": f"bytes={start}-"} if start else {})}
        deadline = Deadline()
        with deadline.within(self.bounds.seconds):
            response = self._files.get(
                address, headers=headers, stream=True, timeout=(_CONNECT, _READ), allow_redirects=False
            )
        with response:
            yield response, self._blocks(response, deadline)

    def _blocks(self, response: requests.Response, deadline: Deadline) -> Iterator[bytes]:
        pieces, block = response.iter_content(_BLOCK), bytearray()
        while True:
            with deadline.within(self.bounds.block_seconds):
                # a chunked answer comes in whatever pieces the server likes
                while len(block) < _BLOCK and (piece := next(pieces, None)) is not None:
                    block += piece
            if block:
                yield bytes(block)
            if deadline.passed:
                msg = "the file comes too slowly"
                raise TryAgain(msg)
            if len(block) < _BLOCK:
                return
            block.clear()

    def close(self) -> None:
        """Close every idle connection."""
        while self._idle:
            self._idle.pop().close()
        self._files.close()

    def now(self) -> float:
        """Return the server's idea of the epoch time, as far as its Date headers told it."""
        return time.time() + self.skew

    # ------------------------------------------------------------------ one request

    def _json(self, path: str, query: Query | None) -> Any:
        def attempt() -> Any:
            response = self._send(path, query)
            if response.status_code != _OK:
                raise self._failure(response, path, query)
            try:
                return _parsed(response.content)
            except ValueError:
                msg = f"{path}: the answer is cut off or no JSON"
                raise TryAgain(msg) from None

        return self._with_retries(attempt)

    def _send(self, path: str, query: Query | None) -> Answer:
        url, deadline = f"{self.base}{path}", Deadline()
        try:
            with self.governor.slot(), self._session() as session:
                sent = time.time()
                with (
                    deadline.within(self.bounds.seconds),
                    session.get(
                        f"{url}?{query.encode()}" if query else url,
                        auth=self._auth,
                        timeout=(_CONNECT, _READ),
                        allow_redirects=False,
                        stream=True,
                    ) as response,
                ):
                    answer = Answer(response.status_code, response.headers, self._content(response, path))
        except requests.RequestException as error:
            # the error's own text can hold the address with its filters
            if not deadline.passed:
                msg = f"{path}: {type(error).__name__} while waiting for {urlsplit(self.base).netloc}"
                raise TryAgain(msg) from None
        if deadline.passed:
            msg = f"{path}: the answer took more than {self.bounds.seconds:.0f} s"
            raise TryAgain(msg)
        self._note_clock(answer, sent)
        return answer

    def _content(self, response: requests.Response, path: str) -> bytes:
        content = bytearray()
        for block in response.iter_content(_BLOCK):
            content += block
            if len(content) > self.bounds.size:
                msg = f"{path}: the answer has more than {self.bounds.size} bytes"
                raise TryAgain(msg)
        return bytes(content)

    @contextmanager
    def _session(self) -> Iterator[requests.Session]:
        """Lend a session to one thread at a time: requests does not promise that sessions may be shared."""
        try:
            session = self._idle.pop()
        except IndexError:
            session = _anonymous_session(self._agent)
            session.headers["Accept"] = "application/json"
        yield session
        self._idle.append(session)

    def _note_clock(self, response: Answer, sent: float) -> None:
        """Learn how far the server's clock is ahead of ours.

        The server stamped its answer between our sending and receiving it, so each answer bounds the clock difference on both
        sides; keep the estimate within those bounds. So neither an answer that was long on its way nor one that was wrong for
        once moves the clock for good; a clock that is too far ahead would end a window in the future.
        """
        with suppress(ValueError, OverflowError):  # a stamp that is none says nothing
            written = parsedate_to_datetime(response.headers.get("Date", "")).timestamp()
            self._ahead = min(max(self._ahead, written - time.time()), written + 1 - sent)
            # the header is in whole seconds, and may be a second old
            self.skew = 0.0 if -_DATE_PRECISION < self._ahead <= 0 else self._ahead

    def _failure(self, response: Answer, path: str, query: Query | None) -> Exception:
        status = response.status_code
        # the API's own 403 can be empty, whatever type it claims (redguava/cliniko-api, issues 112 and 233)
        html = "html" in response.headers.get("Content-Type", "").lower() and bool(response.content.strip())
        if status == 429:  # noqa: PLR2004
            wait = self._pause_named(response)
            self.governor.pause(wait)
            return TryAgain(f"{path}: request budget spent", wait=wait, limited=True)
        # a 403 in HTML comes from the content delivery network; the API's own 403 means the role
        if status >= 500 or status in {408, 425} or (status == 403 and html):  # noqa: PLR2004
            return TryAgain(f"{path}: Cliniko answered {status}", wait=self._retry_after(response))
        if status in _REDIRECTS:
            return SettingsError(
                f"{path}: Cliniko redirects elsewhere ({status}), and the key must not follow; "
                "set api_url (TAP_CLINIKO_API_URL) to the account's own address"
            )
        return _refusal(status, path, query)

    def _pause_named(self, response: Answer) -> float:
        """Read how long to wait: X-RateLimit-Reset first, Retry-After if present, else a few seconds."""
        reset = _number(response.headers.get("X-RateLimit-Reset", ""))
        if reset:
            left = reset if reset < _NO_MOMENT else reset - self.now()
            # half a second more, because the header is in whole seconds
            if left >= -_DATE_PRECISION:
                return min(max(left, 0.0) + 0.5, _LONGEST_PAUSE)
        return self._retry_after(response) or 5.0

    def _retry_after(self, response: Answer) -> float | None:
        """Read Retry-After, in seconds or as a date; Cliniko documents no such header, clients in the field have met it."""
        value = response.headers.get("Retry-After", "")
        seconds = _number(value)
        with suppress(ValueError, OverflowError):  # what is no date either says nothing
            if seconds is None:
                seconds = max(parsedate_to_datetime(value).timestamp() - self.now(), 0.0)
        return None if seconds is None else min(seconds, _LONGEST_PAUSE)

    # ------------------------------------------------------------------ retrying

    def _with_retries(self, attempt: Callable[[], T]) -> T:
        repeated = backoff.on_exception(
            _waits, TryAgain, retry_policy=self.retry_policy, jitter=None, logger=None
        )(attempt)
        try:
            return repeated()
        except TryAgain as error:
            msg = f"{error}; gave up after several tries. Run again later: the next run goes on from here"
            raise Unavailable(msg) from None


def _waits(retry_policy: RetryPolicy) -> Generator[float, TryAgain, None]:
    """Answer each failed attempt with the seconds to wait, and end when retry_policy does.

    After a 429 the governor holds every request back, so nothing is waited here.
    """
    error = yield 0.0
    failures = limited = 0
    while failures < retry_policy.tries - 1 and limited < retry_policy.limited_tries:
        if error.limited:
            limited += 1
            error = yield 0.0
        else:
            # who is told to come back at once, and fails again, gives the service time all the same
            pause = max(error.wait or 0.0, retry_policy.base * 2.0**failures)
            failures += 1
            error = yield min(pause, retry_policy.longest)


def _refusal(status: int, path: str, query: Query | None) -> Exception:
    """Turn a final answer into the error that says what to do."""
    if status == 401:  # noqa: PLR2004
        return CredentialsRefused(
            "Cliniko refuses the API key (401): it is wrong, was revoked or belongs to another shard; "
            "check api_key (TAP_CLINIKO_API_KEY)"
        )
    if status == 403:  # noqa: PLR2004
        return RoleRefused(f"{path}: the role of the API key's owner may not read this (403)")
    if status == 404:  # noqa: PLR2004
        return NotFound(f"{path}: not found (404)")
    filters = query.named_filters() if query else "none"
    sort = query.sort if query and query.sort else "none"
    return ContractChanged(
        f"{path}: Cliniko refuses the request ({status}); filters on: {filters}; sort: {sort}. "
        "The API no longer accepts what its documents promise"
    )


def _number(value: str) -> float | None:
    """Read a number of seconds in a header; None for anything else."""
    return float(value) if _SECONDS.fullmatch(value.strip()) else None


def _count(told: Any) -> int | None:
    """Read how many rows there are, which may come as a text; None for anything else."""
    if isinstance(told, str) and _FEW_DIGITS.fullmatch(told):
        return int(told)
    return told if type(told) is int and told >= 0 else None


def _no_credentials(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Leave a request as it is; without this `requests` would look for passwords in ~/.netrc."""
    return request


class _Session(requests.Session):
    """Whatever goes wrong is a ``RequestException``, and a redirect is an answer like any other."""

    @override
    def get_redirect_target(self, resp: requests.Response) -> str | None:
        """Look at no redirect: that alone would read its whole body, however large, and fail where its address is none."""
        return None

    @override
    def send(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:
        """Send a request.

        Raises:
            requests.RequestException: there was no answer.
        """
        try:
            return super().send(request, **kwargs)
        except HTTPError:  # of a host that no name can have, for one
            raise requests.ConnectionError from None


def _anonymous_session(agent: str) -> requests.Session:
    session = _Session()
    session.headers["User-Agent"] = agent
    session.auth = _no_credentials
    session.mount("https://", WatchedAdapter())
    session.mount("http://", WatchedAdapter())
    return session
