"""Answers as they come, for whoever wants to know their shape: the probe."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from target_highlevel.api.resource import Resource

if TYPE_CHECKING:
    from collections.abc import Mapping

    from target_highlevel.api.endpoints import Endpoint
    from target_highlevel.http.uploads import Upload


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
