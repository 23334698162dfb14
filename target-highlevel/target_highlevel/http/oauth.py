"""OAuth tokens, whose refresh token works once: the new pair is on disk before anybody uses it.

The file is locked while a pair is exchanged, so that two processes cannot both spend the same refresh token;
the lock dies with its process. A lost answer is asked for again at once: HighLevel gives the same pair to two
exchanges within 30 seconds.
"""

from __future__ import annotations

import json
import os
import re
import threading
import time
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import requests
from filelock import FileLock, Timeout

from target_highlevel.errors import CredentialsRefused, Interrupted, SettingsError, Unavailable
from target_highlevel.http.addresses import proxies_for
from target_highlevel.http.allowed_paths import DATA_VERSION
from target_highlevel.http.bodies import decode, whole
from target_highlevel.http.deadline import Deadlines
from target_highlevel.http.tokens import is_token
from target_highlevel.http.transport import NoToken, open_session

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

_TOKEN, _LOCATION_TOKEN = "/oauth/token", "/oauth/locationToken"
_ROUTE = f"POST {_TOKEN}"
_NONE_NOW = "no new token could be had; run again later"
_USED_UP = "the refresh token is used up or revoked; install the app again"
_WRONG_APP = (
    "the app's id or secret is not accepted; correct TARGET_HIGHLEVEL_OAUTH_CLIENT_ID"
    " and TARGET_HIGHLEVEL_OAUTH_CLIENT_SECRET"
)
_AS_ANSWERED = "store HighLevel's answer in it as it came, or install the app again and store its pair"
_UNAUTHORISED = 401
_ATTEMPTS = 3
_PAUSE = 2.0
#: Three attempts fit into the 30 seconds in which the same refresh token is answered alike.
_TIMEOUT = (5.0, 6.0)
_MOST_BYTES = 1 << 20
#: Seconds after which another process that exchanges the same pair must have come to an end.
_LONGEST_EXCHANGE = 60.0
_EARLY = 120.0
_USUAL_LIFETIME, _LONGEST_LIFETIME = 86_400.0, 3e9
_REFUSALS = frozenset({400, 401, 403, 422})
_OF_ONE, _OF_AGENCY = "Location", "Company"


@dataclass(frozen=True, slots=True, repr=False)
class TokenPair:
    """An access token, the refresh token that buys the next pair, when the first of them ends, and whom they are for.

    A pair of an agency, where the app was installed for several sub-accounts at once, names the company.
    """

    access_token: str
    refresh_token: str
    expires_at: float
    user_type: str = _OF_ONE
    company_id: str = ""


@dataclass(frozen=True, slots=True, repr=False)
class OAuthApp:
    """The marketplace app the tokens were issued to."""

    client_id: str
    client_secret: str


class OAuthTokens:
    """Keeps the pair in a file only its owner can read, and exchanges it when it has ended or was refused."""

    def __init__(
        self,
        path: Path,
        app: OAuthApp,
        base_url: str,
        *,
        now: Callable[[], float] = time.time,
        stop_event: threading.Event | None = None,
        sleep: Callable[[float], object] | None = None,
    ) -> None:
        """Read nothing yet; `path` must hold a pair by the time the first request is made.

        Args:
            path: the file of the pair
            app: the app it was issued to
            base_url: where HighLevel is
            now: seconds since the epoch
            stop_event: when set, no further attempt is made
            sleep: waits between attempts; by default the event's own `wait`
        """
        self._path = path
        self._app = app
        self._proxies = proxies_for(base_url)
        self._base_url = base_url.rstrip("/")
        self._now = now
        self._stop = stop_event or threading.Event()
        self._sleep = sleep or self._stop.wait
        self._session = open_session()
        self._thread_lock = threading.Lock()
        self._pair: TokenPair | None = None

    def __repr__(self) -> str:
        """Name the file, never what is in it."""
        return f"OAuthTokens({self._path.name})"

    @property
    def company(self) -> str:
        """The agency that the pair is for; empty where it is for one sub-account.

        Raises:
            SettingsError: the file cannot be read.
        """
        pair = self.held
        return pair.company_id if pair.user_type == _OF_AGENCY else ""

    @property
    def held(self) -> TokenPair:
        """The newest pair that is known, whether it has expired or not.

        Raises:
            SettingsError: the file cannot be read.
        """
        with self._thread_lock:
            pair = self._pair = self._pair or self._read()
            return pair

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
        lock = FileLock(
            self._path.with_name(f"{self._path.name}.lock"), timeout=_LONGEST_EXCHANGE, mode=0o600
        )
        try:
            with lock:
                pair = self._pair = self._read()
                if pair.access_token == refused:
                    pair = self._exchange(pair)
                    self.store(pair)
                return pair
        except Timeout:
            pass
        message = "another process keeps the OAuth token file locked; run again when it has ended"
        raise Unavailable(message, route=_ROUTE)

    def _read(self) -> TokenPair:
        try:
            fields = _underscored(json.loads(self._path.read_bytes()))  # of any UTF: some editors write a BOM
            return TokenPair(
                fields["access_token"],
                fields["refresh_token"],
                float(fields.get("expires_at", 0)),
                fields.get("user_type") or _OF_ONE,
                fields.get("company_id") or "",
            )
        except OSError:
            wrong = "is absent or not readable; install the app again and store its pair"
        except json.JSONDecodeError as error:
            wrong = f"holds no JSON (see line {error.lineno}, column {error.colno}); {_AS_ANSWERED}"
        except UnicodeDecodeError:
            wrong = f"is not in UTF-8; {_AS_ANSWERED}"
        except (ValueError, TypeError, KeyError, AttributeError):
            wrong = f"holds no pair of an access token and a refresh token; {_AS_ANSWERED}"
        message = f"the OAuth token file {wrong}"
        raise SettingsError(message)

    def _exchange(self, pair: TokenPair) -> TokenPair:
        for _ in self.attempts(_ROUTE):
            status, told = self.post(_TOKEN, self._form(pair), {})
            if status in _REFUSALS:
                message = _WRONG_APP if _is_about_the_app(told) else _USED_UP
                raise CredentialsRefused(message, route=_ROUTE, status=status, missing="token")
            if is_token(told.get("access_token")):
                return self._next(pair, told)
        raise Unavailable(_NONE_NOW, route=_ROUTE)

    def attempts(self, route: str) -> Iterator[int]:
        """Count the attempts to have a token, with a pause between them.

        Raises:
            Interrupted: the run was stopped.
        """
        for attempt in range(_ATTEMPTS):
            if attempt:
                self._sleep(_PAUSE)
            if self._stop.is_set():
                message = "stopped before a new token was had"
                raise Interrupted(message, route=route)
            yield attempt

    def _form(self, pair: TokenPair) -> dict[str, str]:
        return {
            "client_id": self._app.client_id,
            "client_secret": self._app.client_secret,
            "grant_type": "refresh_token",
            "refresh_token": pair.refresh_token,
            "user_type": pair.user_type,
        }

    def _next(self, pair: TokenPair, told: Mapping[str, Any]) -> TokenPair:
        # whoever names no other refresh token lets the old one be used again
        again = told.get("refresh_token")
        return replace(
            pair,
            access_token=told["access_token"],
            refresh_token=again if is_token(again) else pair.refresh_token,
            expires_at=self._now() + _lifetime(told),
        )

    def post(
        self, path: str, form: Mapping[str, str], headers: Mapping[str, str]
    ) -> tuple[int | None, dict[str, Any]]:
        """Ask for a token once: the status, none if no whole answer came, and what the answer says."""
        deadlines = Deadlines(self._stop, grace=0.0)
        try:
            with (
                deadlines.exchange(sum(_TIMEOUT), _TIMEOUT[1]) as deadline,
                self._session.post(
                    f"{self._base_url}{path}",
                    data=form,
                    headers={"Accept": "application/json", **headers},
                    auth=NoToken(),
                    timeout=_TIMEOUT,
                    allow_redirects=False,
                    stream=True,
                    proxies=self._proxies,
                ) as answer,
            ):
                content = whole(answer, deadline, most=_MOST_BYTES)
        except (requests.RequestException, ValueError):
            return None, {}
        finally:
            deadlines.close()
        try:
            told = decode(content)
        except ValueError:
            return None if answer.ok else answer.status_code, {}
        return answer.status_code, _underscored(told) if isinstance(told, dict) else {}


class LocationTokens:
    """The token of one of the sub-accounts for which an agency has installed the app: had for the agency's, kept in memory."""

    def __init__(self, agency: OAuthTokens, location: str, *, now: Callable[[], float] = time.time) -> None:
        """Ask for nothing yet.

        Args:
            agency: the agency's tokens
            location: the sub-account
            now: seconds since the epoch
        """
        self._agency = agency
        self._location = location
        self._now = now
        self._mutex = threading.Lock()
        self._token = ""
        self._expires_at = 0.0
        self._refusal: CredentialsRefused | None = None

    def __repr__(self) -> str:
        """Name the sub-account, never its token."""
        return f"LocationTokens({self._location})"

    def token(self) -> str:
        """The sub-account's token, a new one if the last is about to end."""
        with self._mutex:
            if self._expires_at - _EARLY <= self._now():
                self._renew()
            return self._token

    def refresh(self, refused: str) -> bool:
        """Have a new token, unless somebody has done so since the refused one was taken."""
        with self._mutex:
            if self._token == refused:
                self._renew()
            return self._token != refused

    def _renew(self) -> None:
        if self._refusal is not None:  # whatever else the run asks for, it is not asked again
            raise self._refusal
        form = {"companyId": self._agency.company, "locationId": self._location}
        route = f"POST {_LOCATION_TOKEN}"
        before = self._agency.held.access_token
        for _ in self._agency.attempts(route):
            token = self._agency.token()
            headers = {"Authorization": f"Bearer {token}", "Version": DATA_VERSION}
            status, fields = self._agency.post(_LOCATION_TOKEN, form, headers)
            if is_token(fields.get("access_token")):
                self._token = fields["access_token"]
                self._expires_at = self._now() + _lifetime(fields)
                return
            # a new token that is refused lacks a permission, and so would the next one
            if status == _UNAUTHORISED and token == before and self._agency.refresh(token):
                continue
            if status in _REFUSALS:
                message = f"the app gives no token for sub-account {self._location}; install it there, with the scope oauth.write"
                self._refusal = CredentialsRefused(message, route=route, status=status, missing="token")
                raise self._refusal
        raise Unavailable(_NONE_NOW, route=route)


def _underscored(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return what was told by one spelling of the names: version 3 of the endpoint says ``refreshToken``."""
    return {re.sub("[A-Z]", lambda capital: f"_{capital[0].lower()}", name): fields[name] for name in fields}


def _is_about_the_app(told: Mapping[str, Any]) -> bool:
    """Return whether a refusal is about the app's id or secret, as the error of OAuth or its description says."""
    return any("client" in str(told.get(name)).lower() for name in ("error", "error_description"))


def _lifetime(fields: Mapping[str, Any]) -> float:
    """Seconds until a token ends; where the answer does not say, a day, as a refused token is exchanged anyway."""
    try:
        seconds = float(fields["expires_in"])
    except (KeyError, TypeError, ValueError, OverflowError):
        return _USUAL_LIFETIME
    return seconds if _EARLY < seconds < _LONGEST_LIFETIME else _USUAL_LIFETIME


def _sync_folder(folder: Path) -> None:
    """Make the renaming durable too."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
