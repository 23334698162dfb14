"""What the parts of the API have in common: the sub-account they work in and the way their requests go."""

from __future__ import annotations

import logging
from functools import partial
from itertools import filterfalse
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from target_highlevel.api.answers import AnswerNotUnderstood, is_deleted, is_doubtful

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from target_highlevel.api.answers import Item
    from target_highlevel.api.endpoints import Endpoint
    from target_highlevel.http.uploads import Upload

logger = logging.getLogger(__name__)

_Read = TypeVar("_Read")


class Transport(Protocol):
    """Whatever carries requests out: ``HighLevelClient``, or a stand-in that lets reads through only."""

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
        """Do one request and return the parsed answer; ``HighLevelClient.request`` says with which arguments."""


class Resource:
    """One part of the API, for one sub-account. Threads may share it."""

    def __init__(self, transport: Transport, location: str) -> None:
        """Send requests this way, for the sub-account of this id."""
        self._transport = transport
        self._location = location
        #: How many rows of each list were left out, because they lack what every row of it should have.
        self.odd: dict[str, int] = {}

    def _usable(
        self, items: Iterable[Item], endpoint: Endpoint, read: Callable[[Item], _Read]
    ) -> Iterator[_Read]:
        """Yield what is read of each row that was not deleted; one that cannot be read stops nobody, and is counted."""
        odd = 0
        for item in filterfalse(is_deleted, items):
            try:
                yield read(item)
            except AnswerNotUnderstood:
                odd += 1
        if odd and self.odd.get(endpoint.template) != odd:
            logger.warning("highlevel.rows_left_out list=%s rows=%d", endpoint.template, odd)
        self.odd[endpoint.template] = odd

    def _call(
        self,
        endpoint: Endpoint,
        *ids: str,
        json: Any = None,
        params: Mapping[str, Any] | None = None,
        files: Upload | None = None,
        agency: bool = False,
        holding: str = "",
    ) -> Any:
        """Call an endpoint with these ids in its path and return the parsed answer.

        A read on which the whole run hangs names the envelope ``holding`` what it asks for: without that it is asked again.
        """
        return self._transport.request(
            endpoint.method,
            endpoint.path(*ids),
            route=endpoint.template,
            json=json,
            params=params,
            files=files,
            agency=agency,
            doubtful=partial(is_doubtful, envelope=holding) if holding else None,
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
