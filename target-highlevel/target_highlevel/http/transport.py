"""The HTTP session: verified TLS, no cookies, no .netrc, and connections that say when a request has left."""

from __future__ import annotations

from contextvars import ContextVar
from http.cookiejar import DefaultCookiePolicy
from typing import TYPE_CHECKING, Any, Protocol

import requests
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase
from typing_extensions import override
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import HTTPError

from target_highlevel.http import deadline

if TYPE_CHECKING:
    import urllib3

_POOL_SIZE = 32


class Departure(Protocol):
    """Who wants to know when a request leaves."""

    def leaving(self) -> None:
        """The first byte is about to go."""
        ...

    def left(self) -> None:
        """The last byte has gone."""
        ...


departure: ContextVar[Departure | None] = ContextVar("departure", default=None)
"""Whom the connections of this thread tell."""


class _Watched:
    """A connection that tells its thread's observers when bytes leave; opening it sends nothing yet.

    The observers are the departure, which keeps the budget, and the deadline, which may have to shut the socket.
    """

    def send(self, data: Any) -> None:
        if self.sock is None:  # type: ignore[attr-defined]
            self.connect()  # type: ignore[attr-defined]
        if until := deadline.current.get():
            until.watch(self.sock)  # type: ignore[attr-defined]
        if watcher := departure.get():
            watcher.leaving()
        super().send(data)  # type: ignore[misc]

    def getresponse(self) -> Any:
        if watcher := departure.get():
            watcher.left()
        if until := deadline.current.get():
            until.sent()
        return super().getresponse()  # type: ignore[misc]


class _HTTP(_Watched, HTTPConnection):
    """Plain, for the local sandbox."""


class _HTTPS(_Watched, HTTPSConnection):
    """Encrypted and verified."""


class _HTTPPool(HTTPConnectionPool):
    ConnectionCls = _HTTP


class _HTTPSPool(HTTPSConnectionPool):
    ConnectionCls = _HTTPS


class _WatchedAdapter(HTTPAdapter):
    """Uses watched connections, and never repeats a request by itself: that is for the client to decide."""

    @override
    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        _watch(self.poolmanager)

    @override
    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> Any:
        return _watch(super().proxy_manager_for(*args, **kwargs))


def _watch(manager: urllib3.PoolManager) -> urllib3.PoolManager:
    manager.pool_classes_by_scheme = {"http": _HTTPPool, "https": _HTTPSPool}
    return manager


class BearerToken(AuthBase):
    """Sets our Authorization header last; with any `auth` set, requests does not look into .netrc."""

    def __init__(self, token: str) -> None:
        """Keep the token for one request."""
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Put it in."""
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request


class NoToken(AuthBase):
    """Sends no Authorization header, and none from .netrc either."""

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Leave the request as it is."""
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


def open_session() -> requests.Session:
    """A session that any number of threads may share: it keeps no cookies, only connections.

    Proxies and certificate bundles named in the environment keep working.
    """
    session = _Session()
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    adapter = _WatchedAdapter(pool_connections=4, pool_maxsize=_POOL_SIZE, max_retries=0)
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    return session
