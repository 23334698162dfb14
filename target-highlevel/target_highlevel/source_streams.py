"""Which streams a run takes: those that a mapping knows, that the settings describe, or that describe themselves.

Any other is refused before a record of it can be lost, or left out and counted where a setting says so.
"""

from __future__ import annotations

import logging
from collections import Counter
from typing import TYPE_CHECKING, Any

from target_highlevel.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from target_highlevel.described_streams import DescribedStream

logger = logging.getLogger(__name__)

#: What the Singer SDK puts between the names of a flattened property.
_FLATTENED = "__"


class SourceStreams:
    """Turns the messages of a tap into those of streams that describe themselves for HighLevel."""

    def __init__(self, core: Any, described: Mapping[str, DescribedStream], *, ignore_unknown: bool) -> None:
        """Take what the mapper and the settings know.

        Args:
            core: the installed mapper, or None
            described: streams that the settings describe
            ignore_unknown: whether other streams are left out instead of refused
        """
        self._core = core
        self._described = described
        self._ignore_unknown = ignore_unknown
        self._keys: dict[str, tuple[str, ...]] = {}
        self._ignored: set[str] = set()
        #: Records that were not loaded because a setting says so, by stream.
        self.left_out: Counter[str] = Counter()

    def schema(self, message: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """Yield the SCHEMA messages that one becomes; the message has a stream and a schema.

        Raises:
            SettingsError: nobody knows what the stream is in HighLevel, or it is Cliniko's and was changed on the way.
        """
        stream, schema = str(message["stream"]), message["schema"]
        if stream in self._described:
            self._keys[stream] = tuple(message.get("key_properties") or ())
            yield self._described[stream].schema_message(message)
        elif self._core is not None and self._core.handles(stream, schema):
            _refuse_reshaped(message)
            yield from self._mapped(self._core.schema, message)
        elif schema.get("x-highlevel"):
            yield message
        elif self._ignore_unknown:
            self._ignored.add(stream)
            self.left_out[stream] += 0
            logger.warning("highlevel.stream_ignored stream=%s: nothing describes it for HighLevel", stream)
            yield message  # a SCHEMA that is broken ends the run all the same
        else:
            raise SettingsError(_unknown(stream, schema))

    def record(self, message: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """Yield the messages that a RECORD becomes."""
        stream = str(message["stream"])
        if stream in self._ignored:
            self.left_out[stream] += 1
        elif stream in self._keys:
            yield self._described[stream].record_message(message, self._keys[stream])
        elif self._core is not None and self._core.handles(stream):
            yield from self._mapped(self._core.record, message)
        else:
            yield message

    @staticmethod
    def _mapped(
        mapped: Callable[[dict[str, Any]], Iterator[dict[str, Any]]], message: dict[str, Any]
    ) -> Iterator[dict[str, Any]]:
        try:
            yield from mapped(message)
        except (
            ValueError
        ) as error:  # a bad record is rejected by the mapper itself: this is the mapping's fault
            msg = f"mapping: {error}"
            raise SettingsError(msg) from None


def _refuse_reshaped(message: Mapping[str, Any]) -> None:
    """Refuse a stream of Cliniko's whose records the mapping could not read: all of them would be rejected."""
    stream, properties = message["stream"], message["schema"].get("properties") or {}
    flattened = [name for name in properties if _FLATTENED in name.strip("_")]
    if flattened:
        msg = f"the stream {stream} was flattened on the way: set no flattening_enabled for the tap"
        raise SettingsError(msg)
    keys = message.get("key_properties")
    if keys is not None and (not keys or not set(keys) <= set(properties)):
        msg = f"the stream {stream} has lost its key on the way: set no stream_maps for the tap that touch it"
        raise SettingsError(msg)


def _unknown(stream: str, schema: Mapping[str, Any]) -> str:
    told = schema.get("x-cliniko")
    why = (
        "was it renamed by stream_maps of the tap?"
        if isinstance(told, dict)
        else "only tap-cliniko's own streams are mapped as Cliniko's"
    )
    return (
        f"nothing describes the stream {stream} for HighLevel ({why}): describe it in TARGET_HIGHLEVEL_STREAMS, deselect it in"
        " the tap, or leave it out with TARGET_HIGHLEVEL_UNKNOWN_STREAMS=ignore"
    )
