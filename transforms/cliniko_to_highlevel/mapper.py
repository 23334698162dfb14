"""The mapping as a Singer mapper, for use as a stage of its own between the tap and the target."""

from __future__ import annotations

import sys
import traceback
from typing import TYPE_CHECKING, Any, NoReturn

import singer_sdk.singerlib as singer
from singer_sdk import typing as th
from singer_sdk.mapper_base import InlineMapper
from typing_extensions import override

from cliniko_to_highlevel.core import MessageMapper
from cliniko_to_highlevel.errors import MappingError

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Exit code for wrong settings, the same as the target's.
WRONG_SETTINGS = 2
_READS_CONFIG = "from_cli_args"  # of the SDK


class ClinikoToHighLevel(InlineMapper):
    """Turns the streams of tap-cliniko into those target-highlevel takes; streams of other taps pass unchanged."""

    name = "cliniko-to-highlevel-mapper"
    package_name = "cliniko-to-highlevel"
    config_jsonschema = th.PropertiesList(
        th.Property(
            "mapping",
            th.StringType,
            title="Mapping file",
            description="Path of the clinic's mapping.yml. Default: the one that comes with the package.",
        ),
    ).to_dict()

    def __init__(self, **options: Any) -> None:
        """Read the mapping before the first message."""
        super().__init__(**options)
        self._core = MessageMapper(self.config.get("mapping") or None)

    @override
    def map_schema_message(self, message_dict: dict[str, Any]) -> Iterator[singer.Message]:
        if self._core.handles(message_dict["stream"], message_dict["schema"]):
            return map(_message, self._core.schema(message_dict))
        return iter((singer.SchemaMessage.from_dict(message_dict),))

    @override
    def map_record_message(self, message_dict: dict[str, Any]) -> Iterator[singer.Message]:
        if self._core.handles(message_dict["stream"]):
            return map(_message, self._core.record(message_dict))
        return iter((singer.RecordMessage.from_dict(message_dict),))

    @override
    def map_state_message(self, message_dict: dict[str, Any]) -> Iterator[singer.Message]:
        yield singer.StateMessage.from_dict(message_dict)

    @override
    def map_activate_version_message(self, message_dict: dict[str, Any]) -> Iterator[singer.Message]:
        """Drop the versions of Cliniko's streams: the target never deletes what a full read did not bring."""
        if not self._core.handles(message_dict["stream"]):
            yield singer.ActivateVersionMessage.from_dict(message_dict)


def _message(mapped: dict[str, Any]) -> singer.Message:
    if mapped["type"] == "SCHEMA":
        return singer.SchemaMessage(mapped["stream"], mapped["schema"], mapped["key_properties"])
    return singer.RecordMessage(mapped["stream"], mapped["record"])


def main() -> None:
    """Run the mapper; wrong settings end with one line that says what to do."""
    try:
        ClinikoToHighLevel.cli()
    except MappingError as error:
        _refuse(str(error))
    except (OSError, TypeError, ValueError) as error:
        if not any(frame.name == _READS_CONFIG for frame in traceback.extract_tb(error.__traceback__)):
            raise
        _refuse(
            f"the file given with --config cannot be read, or holds no JSON object ({type(error).__name__})"
        )


def _refuse(problem: str) -> NoReturn:
    sys.stderr.write(f"cliniko-to-highlevel-mapper: {problem}\n")
    sys.exit(WRONG_SETTINGS)
