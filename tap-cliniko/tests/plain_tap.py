"""A tap as everybody would write it with the SDK, for comparison: `python plain_tap.py --config FILE`."""

from __future__ import annotations

from typing import Any

from singer_sdk import RESTStream, Tap
from singer_sdk import typing as th

from tap_cliniko.resources import BY_NAME

STREAM = "medical_alerts"


class PlainStream(RESTStream[str]):
    """What everybody would write: pages by number, following the next link."""

    name = STREAM
    path = f"/{STREAM}"
    records_jsonpath = f"$.{STREAM}[*]"
    next_page_token_jsonpath = "$.links.next"
    primary_keys = ("id",)
    schema = BY_NAME[STREAM].schema()

    @property
    def url_base(self) -> str:
        """Return where the account is."""
        return str(self.config["api_url"])

    @property
    def http_headers(self) -> dict[str, str]:
        """Carry the key."""
        return {"Authorization": str(self.config["authorization"])}

    def get_url_params(self, _context: Any, next_page_token: str | None) -> dict[str, Any] | str:
        """Ask for the next page."""
        return next_page_token.partition("?")[2] if next_page_token else {"per_page": 100, "sort": "id"}


class PlainTap(Tap):
    """A tap with that one stream."""

    name = "tap-plain"
    config_jsonschema = th.PropertiesList(
        th.Property("api_url", th.StringType, required=True),
        th.Property("authorization", th.StringType, required=True),
    ).to_dict()

    def discover_streams(self) -> list[PlainStream]:
        """Return the stream."""
        return [PlainStream(self)]


if __name__ == "__main__":
    PlainTap.cli()
