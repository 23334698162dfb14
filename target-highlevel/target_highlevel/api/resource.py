"""What the parts of the API have in common: the sub-account they work in and the way their requests go."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    from target_highlevel.api.endpoints import Endpoint
    from target_highlevel.http.uploads import Upload


class Transport(Protocol):
    """Whatever carries requests out: ``HighLevelClient``, or a stand-in that lets reads through only."""

    def request(
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
    ) -> Any:
        """Do one request and return the parsed answer; ``HighLevelClient.request`` says with which arguments."""


class Resource:
    """One part of the API, for one sub-account. Threads may share it."""

    def __init__(self, transport: Transport, location: str) -> None:
        """Send requests this way, for the sub-account of this id."""
        self._transport = transport
        self._location = location

    def _call(
        self,
        endpoint: Endpoint,
        *ids: str,
        json: Any = None,
        params: Mapping[str, Any] | None = None,
        files: Upload | None = None,
        agency: bool = False,
    ) -> Any:
        """Call an endpoint with these ids in its path and return the parsed answer."""
        return self._transport.request(
            endpoint.method,
            endpoint.path(*ids),
            route=endpoint.template,
            json=json,
            params=params,
            files=files,
            agency=agency,
        )


class Unparsed(Resource):
    """Calls any endpoint. Everybody else uses the typed parts of `HighLevel`."""

    @property
    def location(self) -> str:
        """The id of the sub-account."""
        return self._location

    def call(
        self,
        endpoint: Endpoint,
        *ids: str,
        json: Any = None,
        params: Mapping[str, Any] | None = None,
        files: Upload | None = None,
    ) -> Any:
        """Call an endpoint and return the parsed answer, whatever is in it."""
        return self._call(endpoint, *ids, json=json, params=params, files=files)
