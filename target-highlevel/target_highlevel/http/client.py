"""One request to HighLevel, repeated as far as is safe: an answer, or an error that says what to do."""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import backoff
import requests

from target_highlevel.errors import Findings, Interrupted, Refused, SettingsError
from target_highlevel.http.addresses import is_confidential, origin, proxies_for
from target_highlevel.http.allowed_paths import area_of, may_be_repeated, only_reads
from target_highlevel.http.bodies import TooLarge, TooSlow, encode, whole
from target_highlevel.http.classify import Answer, Outcome, Sent, judge
from target_highlevel.http.deadline import GRACE, Deadlines
from target_highlevel.http.error_messages import property_names
from target_highlevel.http.governor import retry_after
from target_highlevel.http.spans import request_span
from target_highlevel.http.transport import BearerToken, departure, open_session
from target_highlevel.http.uploads import MultipartFile, Upload

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from target_highlevel.http.governor import Governor
    from target_highlevel.http.tokens import TokenProvider

logger = logging.getLogger(__name__)

_ATTEMPTS = 7
#: How often a read is attempted whose answer, a success, is in doubt.
_READINGS = 3
#: Bytes a second at which an upload is still worth waiting for.
_SLOWEST_UPLOAD = 64 * 1024
#: What the system's send buffer may still hold when the last byte of an upload was handed over.
_BUFFERED_SECONDS = 60.0
_HEADERS = {"Accept": "application/json", "User-Agent": "target-highlevel"}
_JSON = {"Content-Type": "application/json"}


@dataclass(frozen=True, slots=True)
class Bounds:
    """How long one exchange may take in all, and how large an answer may be."""

    connecting: float = 10.0
    """Seconds until there is a connection."""
    silence: float = 60.0
    """Seconds until the next bytes."""
    seconds: float = 60.0
    """For sending a request without a file, and again for the whole of its answer."""
    repeating: float = 180.0
    """After so many seconds a failing request is not attempted again."""
    most_bytes: int = 32 << 20
    """Of an unpacked answer; a page of 500 contacts with long texts holds a few megabytes."""
    grace: float = GRACE
    """For an exchange under way when the run is asked to stop."""


@dataclass(frozen=True, slots=True)
class _Call:
    """A request as it will be sent, at every attempt alike."""

    method: str
    path: str
    params: Mapping[str, Any] | None
    body: bytes | None
    upload: Upload | None
    headers: dict[str, str]
    tokens: TokenProvider
    sent: Sent


class HighLevelClient:
    """Speaks HTTP with HighLevel. Threads may share it; it knows nothing of records or of Singer."""

    def __init__(
        self,
        base_url: str,
        tokens: TokenProvider,
        governor: Governor,
        *,
        agency_tokens: TokenProvider | None = None,
        bounds: Bounds | None = None,
        session_factory: Callable[[], requests.Session] = open_session,
        stop_event: threading.Event | None = None,
        sleep: Callable[[float], bool] | None = None,
    ) -> None:
        """Open a session.

        Args:
            base_url: where HighLevel is
            tokens: the sub-account's token
            governor: the sub-account's budget
            agency_tokens: the agency's token, for the few calls that need one
            bounds: how long an exchange may take in all, and how large its answer may be
            session_factory: makes the HTTP session
            stop_event: when set, nothing is sent or repeated any more
            sleep: sleeps for some seconds, true if woken to stop; by default the event's own `wait`

        Raises:
            SettingsError: the address is none.
        """
        self._base_url = checked_address(base_url)
        self._proxies = proxies_for(base_url)
        self._tokens = tokens
        self._agency_tokens = agency_tokens
        self._governor = governor
        self._session = session_factory()
        self._stop = stop_event or threading.Event()
        self._bounds = bounds or Bounds()
        #: What HighLevel has done for this client: methods with their routes.
        self._allowed: set[tuple[str, str]] = set()
        self._counting = threading.Lock()
        #: How many requests were sent again after a failure that passes.
        self.repeated = 0
        self._deadlines = Deadlines(self._stop, grace=self._bounds.grace)
        self._sleep = sleep or self._stop.wait
        # urllib3 logs addresses with their query, which may hold an e-mail or a phone number: every one at DEBUG, and as a
        # warning where headers are cut or a connection is opened again.
        logging.getLogger("urllib3").setLevel(logging.ERROR)

    def request(  # noqa: PLR0913 - what only some requests have is named
        self,
        method: str,
        path: str,
        *,
        route: str = "",
        json: Any = None,
        params: Mapping[str, Any] | None = None,
        files: Upload | None = None,
        version: str | None = None,
        agency: bool = False,
        doubtful: Callable[[Any], bool] | None = None,
    ) -> Any:
        """Do one request and return the parsed answer.

        Args:
            method: GET, POST, PUT or DELETE
            path: below the base address, ids filled in
            route: the path as a template, for errors and logs, e.g. `POST /contacts/{id}/notes`
            json: the body; Decimals become exact numbers
            params: the query
            files: a file to upload instead of a JSON body
            version: the API version, if another than the area's own
            agency: use the agency's token
            doubtful: of a read, says whether its answer is worth asking again; the last answer is returned in any case

        Raises:
            HighLevelError: of the kind that says what to do.
        """
        area = area_of(path, method)
        route = route or f"{method} {area.scope}"
        sent = Sent(
            method=method,
            route=route,
            names=frozenset(property_names(json)) | frozenset(params or ()),
            scope=area.scope_for(reads=only_reads(method, path)),
            repeatable=may_be_repeated(method, path),
            path=path,
            agency=agency,
            heard_before=bool(self._allowed),
            allowed_before=(method, route) in self._allowed,
        )
        headers = _HEADERS | {"Version": version or area.version}
        body = None if json is None else encode(json)
        tokens = self._provider(agency=agency)
        return self._carry_out(_Call(method, path, params, body, files, headers, tokens, sent), doubtful)

    def close(self) -> None:
        """Close the connections."""
        self._session.close()
        self._deadlines.close()

    def _carry_out(self, call: _Call, doubtful: Callable[[Any], bool] | None) -> Any:
        """Attempt it until there is an answer, or an error that another attempt would not mend."""
        waits = _waits()
        refreshed = False
        began = time.monotonic()
        for attempt in range(1, _ATTEMPTS + 1):
            answer, token = self._attempt(call, attempt)
            outcome = judge(answer, call.sent)
            if outcome.error is None:
                self._allowed.add((call.method, call.sent.route))
                if attempt < _READINGS and doubtful and doubtful(outcome.value):
                    logger.warning("highlevel.answer_doubted route=%s attempt=%d", call.sent.route, attempt)
                    self._pause(answer, outcome, next(waits), attempt)
                    continue
                return outcome.value
            _log(call, outcome, attempt)
            in_time = outcome.too_many or time.monotonic() - began < self._bounds.repeating
            if attempt < _ATTEMPTS and outcome.passing and in_time:
                self._pause(answer, outcome, next(waits), attempt)
            elif attempt < _ATTEMPTS and outcome.token_refused and not refreshed:
                refreshed = call.tokens.refresh(token)
                if not refreshed:
                    raise outcome.error
            else:
                raise outcome.error
        raise AssertionError  # the last attempt has returned or raised

    @property
    def has_agency(self) -> bool:
        """Whether there is a token for calls that need the agency's."""
        return self._agency_tokens is not None

    def _provider(self, *, agency: bool) -> TokenProvider:
        if not agency:
            return self._tokens
        if self._agency_tokens is None:
            message = "this call needs an agency token; set agency_token"
            raise SettingsError(message)
        return self._agency_tokens

    def _attempt(self, call: _Call, attempt: int) -> tuple[Answer, str]:
        """Send it once; what came back, and the token it went with."""
        token = call.tokens.token()
        with self._governor.slot() as slot:
            watch = departure.set(slot)
            try:
                with request_span(call.method, call.sent.route, attempt) as answered:
                    answer = self._send(call, token)
                    answered(answer.status)
            finally:
                departure.reset(watch)
        answer = replace(answer, was_sent=slot.sending)
        if not call.sent.agency:  # an agency has a budget of its own
            self._governor.hear(slot, answer.headers)
        return answer, token

    def _send(self, call: _Call, token: str) -> Answer:
        """The exchange itself. What requests raises is dropped: its texts hold the address with the query."""
        try:
            if call.upload is None:
                return self._exchange(call, token, call.body, _JSON if call.body else {})
            with _opened(call) as body:
                return self._exchange(call, token, body, {"Content-Type": body.content_type})
        except requests.RequestException as error:
            return Answer(failure=type(error).__name__)

    def _exchange(self, call: _Call, token: str, body: Any, headers: dict[str, str]) -> Answer:
        sending = answering = self._bounds.seconds
        if call.upload is not None:
            sending, answering = sending + len(body) / _SLOWEST_UPLOAD, answering + _BUFFERED_SECONDS
        with self._deadlines.exchange(sending, answering) as deadline:
            try:
                response = self._session.request(
                    call.method,
                    self._base_url + call.path,
                    params=call.params,
                    data=body,
                    headers=call.headers | headers,
                    auth=BearerToken(token),
                    timeout=(self._bounds.connecting, self._bounds.silence),
                    allow_redirects=False,
                    stream=True,
                    proxies=self._proxies,
                )
            except requests.RequestException:
                if deadline.passed:
                    raise TooSlow from None
                raise
            with response:
                try:
                    content = whole(response, deadline, most=self._bounds.most_bytes)
                except TooLarge:
                    # the status and the headers are known, and tell more than that the body is nonsense
                    return Answer(response.status_code, response.headers, failure=TooLarge.__name__)
                return Answer(status=response.status_code, headers=response.headers, content=content)

    def _pause(self, answer: Answer, outcome: Outcome, seconds: float, attempt: int) -> None:
        """Wait before the next attempt; after a 429 everybody waits, as the budget is everybody's."""
        with self._counting:
            self.repeated += 1
        if outcome.too_many:
            self._governor.hold(retry_after(answer.headers), attempt)
        elif self._sleep(seconds):
            message = "stopped before the request was repeated"
            raise Interrupted(message, route=outcome.error.route if outcome.error else "")


def _opened(call: _Call) -> MultipartFile:
    assert call.upload is not None  # noqa: S101 - narrows the type
    try:
        return MultipartFile(call.upload)
    except OSError:
        pass
    hint = "the file to upload cannot be read"
    raise Refused(hint, route=call.sent.route, findings=Findings(code="file_unreadable"))


def _waits() -> Iterator[float]:
    """Growing, jittered pauses: about 0.5, 1, 2 … 30 seconds at most."""
    growing = backoff.expo(base=2, factor=0.5, max_value=30)
    next(growing)  # the generator's first value is for its own decorator
    for longest in growing:
        yield backoff.full_jitter(longest)


def _log(call: _Call, outcome: Outcome, attempt: int) -> None:
    error = outcome.error
    assert error is not None  # noqa: S101 - narrows the type
    logger.log(
        logging.WARNING if outcome.passing else logging.DEBUG,
        "highlevel.request_failed route=%s status=%s code=%s trace=%s attempt=%d",
        call.sent.route,
        error.status,
        error.code,
        error.trace_id,
        attempt,
    )


def checked_address(base_url: str) -> str:
    """Return the address of the API without a slash at its end.

    Raises:
        SettingsError: it is none, or the token would travel to another machine in the clear.
    """
    try:
        parts, _ = urlsplit(base_url), origin(base_url)
    except ValueError:
        parts = None
    if (
        parts is None
        or parts.query
        or parts.fragment
        or parts.username is not None
        or len(base_url.split()) > 1
    ):
        message = "the setting api_url is not an address such as https://services.leadconnectorhq.com"
        raise SettingsError(message)
    if not is_confidential(base_url):
        message = "the setting api_url must begin with https:// (or name this machine): the token may not travel in the clear"
        raise SettingsError(message)
    return base_url.rstrip("/")
