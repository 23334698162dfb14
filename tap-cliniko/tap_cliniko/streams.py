"""The Singer side of a resource: one generic stream, told apart by its declaration."""

from __future__ import annotations

import logging
import sys
import time
from functools import cached_property
from typing import TYPE_CHECKING, Any

from singer_sdk import Stream
from singer_sdk.helpers._util import utc_now
from singer_sdk.helpers.conform import TypeConformanceLevel
from singer_sdk.singerlib import RecordMessage
from singer_sdk.singerlib.catalog import REPLICATION_FULL_TABLE
from typing_extensions import override

from tap_cliniko.errors import TapClinikoError
from tap_cliniko.extraction import Extraction

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from singer_sdk.helpers.types import Context, Record
    from singer_sdk.singerlib import SchemaMessage

    from tap_cliniko.resources import Resource
    from tap_cliniko.tap import TapCliniko

#: Key of a schema whose stream holds no more than a sample.
SAMPLE = "x-sample"
#: Key of a schema that says which tap, and which Cliniko account, the stream comes from.
ORIGIN = "x-cliniko"
_ROWS_PER_STATE = 100
_SECONDS_PER_STATE = 2.0


class ClinikoStream(Stream):
    """One resource of Cliniko.

    The state is written by the windows rather than by the records' replication key: the bookmark is the end
    of the last window that was read completely, and inside a window the ids that are left.
    """

    # rows are normalised once, by their declaration; the SDK's own pass would drop fields it does not know
    TYPE_CONFORMANCE_LEVEL = TypeConformanceLevel.NONE
    # asked after every record; `_write_state_message` decides
    STATE_MSG_FREQUENCY = 1

    def __init__(self, tap: TapCliniko, resource: Resource) -> None:
        """Make a stream out of a declaration."""
        super().__init__(tap, schema=resource.schema(), name=resource.name)
        self.resource = resource
        self.primary_keys = list(resource.keys)
        self.replication_key = None if resource.in_full else "updated_at"
        self._cliniko = tap
        self._extraction: Extraction | None = None
        self._rows_since_state = 0
        self._last_state = 0.0

    @property
    def wanted_in_full(self) -> bool:
        """Whether the catalog asks for all rows of a list that is read by its changes otherwise."""
        return not self.resource.in_full and self.forced_replication_method == REPLICATION_FULL_TABLE

    def begin_anew(self) -> None:
        """Forget how far the list was read."""
        self.logger.info("%s: read from its start: the catalog says %s", self.name, REPLICATION_FULL_TABLE)
        for name in ("window", "replication_key_value"):
            self.stream_state.pop(name, None)

    @override
    def get_records(self, context: Context | None) -> Iterator[Record]:
        run = self._cliniko.run
        if not run.readable(self.resource):
            if not self.resource.optional:
                run.withheld.add(self.name)
            level = logging.INFO if self.resource.optional else logging.WARNING
            self.logger.log(level, "%s: not read (%s)", self.name, run.access[self.name].outcome.value)
            return
        run.progress.start(self.name, run.access[self.name].rows)
        others = (self.resource.needed_by or ())[:1]
        bookmarks = {name: self._cliniko.streams[name].stream_state for name in others}
        self._extraction = Extraction(run, self.resource, self.get_context_state(context), bookmarks)
        try:
            for record in self._extraction.records():
                run.progress.row()
                self._rows_since_state += 1
                yield record
        except TapClinikoError:
            self._write_state_of_failure()
            raise
        finally:
            self._extraction.save()
            self._extraction = None
        run.progress.finish()

    @override
    def _generate_schema_messages(self) -> Generator[SchemaMessage, None, None]:
        """Name the origin in every schema, and mark a sample, which a target must not take for the whole clinic."""
        origin = {"origin": self._cliniko.name}
        if (account := self._cliniko.run.account) is not None:
            origin["account"] = account
        for message in super()._generate_schema_messages():
            message.schema = {**message.schema, ORIGIN: origin}
            if self._cliniko.settings.sampled:
                message.schema[SAMPLE] = True
            yield message

    @cached_property
    def _keeps_every_field(self) -> bool:
        """Whether no field is deselected."""
        return all(self.mask.values())

    @override
    def _generate_record_messages(self, record: Record) -> Generator[RecordMessage, None, None]:
        """Leave out the SDK's walk through every value of a record when no field is deselected."""
        if not self._keeps_every_field:
            yield from super()._generate_record_messages(record)
            return
        for stream_map in self.stream_maps:
            mapped = stream_map.transform(record)
            if mapped is not None:
                yield RecordMessage(stream_map.stream_alias, mapped, time_extracted=utc_now())

    @override
    def _write_state_message(self) -> None:
        """Write the state every hundred records and every few seconds, not after each record."""
        if self._extraction is not None:
            now = time.monotonic()
            if self._rows_since_state < _ROWS_PER_STATE and now - self._last_state < _SECONDS_PER_STATE:
                return
            self._extraction.save()
            self._rows_since_state, self._last_state = 0, now
        self._cliniko.remember()
        self.state_manager.is_flushed = False
        super()._write_state_message()

    def _write_state_of_failure(self) -> None:
        """Tell how far the stream came and what did not come, so that the next run does not end at the same place.

        Everything before is written by then, unless it waits for its batch to be full.
        """
        if self.get_batch_config(self.config) is None:
            self._rows_since_state = _ROWS_PER_STATE
            self._write_state_message()

    @override
    def log(self, message: str, *args: Any, level: int = logging.INFO, **kwargs: Any) -> None:
        """Leave out that a failure is unhandled, as the SDK calls any, where the last line says what to do."""
        if level < logging.ERROR or not isinstance(sys.exc_info()[1], TapClinikoError):
            super().log(message, *args, level=level, **kwargs)

    @override
    def log_sync_costs(self) -> None:
        """Tell that all was read: the SDK asks every stream for this when the last of them has come to its end."""
        super().log_sync_costs()
        self._cliniko.tell_complete()

    @override
    def _increment_stream_state(self, latest_record: Record, *, context: Context | None = None) -> None:
        """Leave the bookmark alone: it follows the windows."""

    @override
    def _write_starting_replication_value(self, context: Context | None) -> None:
        """Keep no second copy of the bookmark in the state."""

    @override
    def get_replication_key_signpost(self, context: Context | None = None) -> Any:
        """Set no signpost: the run's end is one."""
        return None
