"""target-highlevel as a Singer target: messages in, states out, an exit code that tells the truth."""

from __future__ import annotations

import _thread
import copy
import gc
import os
import re
import sys
from contextlib import contextmanager
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any, ClassVar, cast

from singer_sdk.helpers.capabilities import PluginCapabilities
from singer_sdk.mapper import SameRecordTransform
from singer_sdk.sinks import RecordSink
from singer_sdk.target_base import Target
from typing_extensions import override

from target_highlevel import batches
from target_highlevel.configuration import configuration, notice_of
from target_highlevel.endings import (
    Ended,
    exit_code,
    ignore_signals,
    print_last_line,
    together,
)
from target_highlevel.errors import HighLevelError, Interrupted, SettingsError
from target_highlevel.interruption import STEP, SignalReceived
from target_highlevel.preflight.admission import refuse_unknown_businesses
from target_highlevel.reader import BrokenInput, MessageReader, MissingSchema
from target_highlevel.run import Run
from target_highlevel.settings import json_schema, settings_from
from target_highlevel.source_streams import SourceStreams
from target_highlevel.unexpected import known, known_of_ending
from target_highlevel.values import date_time

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from types import FrameType

    from target_highlevel.descriptor import StreamSpec

_MAPPERS = "target_highlevel.mappers"
_MAPS = "TARGET_HIGHLEVEL_STREAM_MAPS"
#: What may be repeated of a state: another tap's may hold anything, and a last line must hold nobody's data.
_STREAM_NAME = re.compile(r"[a-z_]+")
#: Objects that come to be before the collector looks for circles among them: a chunk of records holds many, and no circle.
_MANY_OBJECTS = 50_000


class HighLevelSink(RecordSink):
    """One stream: hands its records to the engine."""

    @override
    def __init__(self, target: Target, stream_name: str, schema: dict[str, Any], key_properties: Any) -> None:
        super().__init__(target, stream_name, schema, key_properties)
        self._accept = target.accept  # type: ignore[attr-defined]

    @override
    def get_validator(self) -> None:
        """Validate in the engine, where a failure rejects one record instead of ending the run."""

    @property
    @override
    def key_properties(self) -> list[str]:
        return []  # the SDK would end the run on a record without its key; the engine rejects it

    @override
    def process_record(self, record: dict[str, Any], context: dict[str, Any]) -> None:
        self._accept(self.stream_name, record)

    @override
    def clean_up(self) -> None:
        """Log no count: the report has all of them, and the SDK's counter is passed by."""


class TargetHighLevel(Target):
    """Loads mapped streams into a HighLevel sub-account; source streams are mapped by the installed mapper first."""

    name = "target-highlevel"
    config_jsonschema: ClassVar[dict[str, Any]] = json_schema()
    default_sink_class = HighLevelSink
    message_reader_class = MessageReader
    capabilities: ClassVar[list[Any]] = [
        PluginCapabilities.ABOUT,
        PluginCapabilities.STREAM_MAPS,
        PluginCapabilities.STRUCTURED_LOGGING,
    ]

    @override
    def __init__(self, **arguments: Any) -> None:
        self._signal = 0
        #: What the newest state says of its run: whether it came to its end, whether it read more than what has changed, and
        #: what it may not read.
        self._source: dict[str, Any] = {}
        super().__init__(**arguments)
        self.settings = settings_from(self.config)
        self._core = _mapper(self.settings.mapping)
        self._streams = SourceStreams(
            self._core, self.settings.streams, ignore_unknown=self.settings.unknown_streams == "ignore"
        )
        self._specs: dict[str, StreamSpec] = {}
        self._as_is: dict[str | None, bool] = {}
        self._expected = False
        self._survey: Any = None
        self.running: Run | None = None

    def begin(self) -> Run:
        """Open the ledger; nothing is written yet."""
        if self.running is None:
            if self.settings.mode == "plan" and hasattr(self._core, "survey"):
                self._survey = self._core.survey()
            shows = self.settings.show_values and hasattr(self._core, "tracer")
            self.running = Run(self.settings, self._survey, self._core.tracer() if shows else None)
        return self.running

    def accept(self, stream: str, record: dict[str, Any]) -> None:
        """Take a record of a sink."""
        spec = self._specs.get(stream)
        if spec is not None:
            self.begin().accept(spec, record)

    # Messages

    @override
    def _process_schema_message(self, message_dict: dict[str, Any]) -> None:
        with STEP:
            self.begin().source.came = True
            self._assert_objects(message_dict, "schema")
            self._check_account(message_dict)
            messages = list(self._streams.schema(message_dict))
            if self.settings.mode == "load" and hasattr(self._core, "places"):
                refuse_unknown_businesses(self.settings, self._core.places())
            self._check_map_is_used(message_dict["stream"], messages)
            for message in messages:
                self._declare(message)

    def _check_account(self, schema_message: Mapping[str, Any]) -> None:
        """Make sure that the Cliniko account a tap names belongs to ledger and sub-account."""
        origin = schema_message["schema"].get("x-cliniko")
        self.begin().check_account(origin.get("account") if isinstance(origin, dict) else None)

    def _assert_objects(self, message: dict[str, Any], content: str) -> None:
        """Make sure that a message names a stream, and holds what it is about."""
        self._assert_line_requires(message, requires={"stream", content})
        if not isinstance(message["stream"], str) or not isinstance(message[content], dict):
            raise BrokenInput(
                cast("MessageReader", self.message_reader).hint(f"has no {content} of a stream")
            )

    def _check_map_is_used(self, stream: str, messages: Iterable[Mapping[str, Any]]) -> None:
        """Refuse a stream map that would change nothing: the mapping stands before it, and its streams have other names."""
        names = [str(message["stream"]) for message in messages]
        if stream in (self.config.get("stream_maps") or {}) and stream not in names:
            msg = f"{_MAPS}: the stream {stream} is mapped first: name what it becomes ({', '.join(names)})"
            raise SettingsError(msg)

    def _declare(self, message: dict[str, Any]) -> None:
        stream = str(message["stream"])
        self._as_is.pop(stream, None)
        with self._maps(stream):
            super()._process_schema_message(message)
        self._expect(stream)
        spec = self.begin().declare(message)
        if spec is None:
            return
        others = {each.stream_alias for each in self.mapper.stream_maps[stream]} - {stream}
        if others:
            msg = f"{_MAPS}: the stream {stream} cannot be renamed ({', '.join(sorted(others))}): nobody would know what it is"
            raise SettingsError(msg)
        self._specs[stream] = spec

    @contextmanager
    def _maps(self, stream: str) -> Iterator[None]:
        """Take what fails while a stream map is set up or applied for a wrong setting."""
        try:
            yield
        except HighLevelError:
            raise
        except Exception as error:
            if stream not in (self.config.get("stream_maps") or {}):
                raise
            msg = f"{_MAPS}: the map of the stream {stream} cannot be applied ({type(error).__name__})"
            raise SettingsError(msg) from None

    @override
    def _process_record_message(self, message_dict: dict[str, Any]) -> None:
        with STEP:
            self._assert_objects(message_dict, "record")
            if self._survey is not None and self._core.handles(message_dict["stream"]):
                self._survey.see(message_dict)
            if self._core is not None and self._core.handles(message_dict["stream"]):
                self.begin().see(message_dict)
            for message in self._streams.record(message_dict):
                if message["type"] == "SCHEMA":
                    self._declare(message)
                elif self._is_passed_as_is(message["stream"]):
                    self.accept(message["stream"], message["record"])
                else:
                    self._change_and_accept(message)

    def _change_and_accept(self, message: dict[str, Any]) -> None:
        """Let the stream maps of the settings change a record; one that they drop is counted."""
        stream = message["stream"]
        if stream not in self.mapper.stream_maps:
            self._assert_sink_exists(stream)
        for stream_map in self.mapper.stream_maps[stream]:
            with self._maps(stream):
                record = stream_map.transform(dict(message["record"]))
            if record is None:
                self._streams.left_out[stream] += 1
            else:
                self.accept(stream, record)

    @override
    def _process_batch_message(self, message_dict: dict[str, Any]) -> None:
        self._assert_line_requires(message_dict, requires={"stream", "encoding", "manifest"})
        for record in batches.records(message_dict):
            self._process_record_message(
                {"type": "RECORD", "stream": message_dict["stream"], "record": record}
            )

    def _expect(self, stream: str | None) -> None:
        """Tell the run of all streams of the mapper when the first comes, from whichever mapper."""
        if self._expected or not hasattr(self._core, "declared"):
            return
        declared = list(self._core.declared())
        if stream in {item["stream"] for item in declared}:
            self._expected = True
            self.begin().expect(declared)

    @override
    def _assert_sink_exists(self, stream_name: str) -> None:
        if not self.sink_exists(stream_name):
            reader = cast("MessageReader", self.message_reader)
            raise MissingSchema(reader.hint(f"is a record of {stream_name}, whose SCHEMA has not come"))

    def _is_passed_as_is(self, stream: str | None) -> bool:
        """Return whether no stream map changes this stream: the SDK's steps per record would do nothing then."""
        if stream not in self._as_is:
            maps = self.mapper.stream_maps.get(stream or "", ())
            self._as_is[stream] = len(maps) == 1 and type(maps[0]) is SameRecordTransform
        return self._as_is[stream]

    @override
    def _process_state_message(self, message_dict: dict[str, Any]) -> None:
        self._assert_line_requires(message_dict, requires={"value"})
        with STEP:
            state, running = message_dict["value"], self.begin()
            first, running.source.came = not running.source.came, True
            if isinstance(state, dict):
                self._source = state
            running.checkpoint(state, first=first)

    @override
    def _process_activate_version_message(self, message_dict: dict[str, Any]) -> None:
        """Nothing is ever deleted because a source sent a new version of a table."""

    @override
    def process_endofpipe(self) -> None:
        running = self.begin()
        source = running.source
        source.ended_early = not source.came or self._source.get("complete") is False
        source.changes_only = self._source.get("from_start") is False
        until = self._source.get("read_until")
        source.read_until = until if isinstance(until, str) and date_time(until) else None
        withheld = self._source.get("withheld")
        named = map(str, withheld) if isinstance(withheld, list) else ()
        source.withheld = tuple(filter(_STREAM_NAME.fullmatch, named))
        running.finish()
        super().process_endofpipe()

    @override
    def _handle_termination(self, signum: int, frame: FrameType | None) -> None:
        """Stop taking input; the SDK would drain and exit with 0, which an orchestrator takes for success."""
        self._signal = signum
        if STEP.is_under_way and self.running is not None:
            # A request that the message at hand waits for must not keep us. In a thread of its own, which asks for nothing that
            # the main thread may hold at this moment.
            _thread.start_new_thread(self.running.stop, ())
        STEP.interrupt(signum)

    @classmethod
    @override
    def invoke(  # type: ignore[override]
        cls,
        *,
        about: bool = False,
        about_format: str | None = None,
        config: Any = None,
        file_input: Any = None,
    ) -> None:
        if about:
            cls.print_about(about_format)
            return
        os.umask(0o077)
        sys.exit(run(cls, config, file_input))

    # Ending

    def end(self, error: BaseException | None) -> Ended:
        """Finish what is in flight and write the reports, whatever ended the run."""
        if self._signal and isinstance(error, Interrupted):
            error = SignalReceived(self._signal)
        if self.running is None:
            error = known(error, self.settings)
            return Ended(exit_code(error), error)
        return together(self.running.end(error, self._streams.left_out))


def _mapper(mapping: str | None) -> Any:
    """Return the installed mapper that turns source streams into mapped ones, or None."""
    entry = min(entry_points(group=_MAPPERS), key=lambda item: item.name, default=None)
    try:
        return entry.load()(mapping) if entry else None
    except ValueError as error:
        msg = f"mapping: {error}"
        raise SettingsError(msg) from None


def _configuration(target_class: type[TargetHighLevel], config: Any) -> dict[str, Any]:
    declared = copy.deepcopy(target_class.config_jsonschema)
    target_class.append_builtin_config(declared)
    return configuration(config.config, declared["properties"], environment=_asks_environment(config))


def _asks_environment(config: Any) -> bool:
    return config.parse_env or not config.config  # without a file nothing else is left to mean


def run(target_class: type[TargetHighLevel], config: Any, file_input: Any) -> int:
    """Load standard input into HighLevel; return the exit code."""
    target: TargetHighLevel | None = None
    error: BaseException | None = None
    gc.freeze()  # what was imported stays
    gc.set_threshold(_MANY_OBJECTS)
    try:
        target = target_class(config=_configuration(target_class, config), validate_config=False)
        target.begin()
        target.listen(file_input)
    except (SignalReceived, Exception) as caught:  # noqa: BLE001 - said below, with its exit code
        error = caught
    ignore_signals()
    try:
        ended = target.end(error) if target else Ended(exit_code(error), known(error))
    except Exception as caught:  # noqa: BLE001 - said below, with its exit code
        ended = Ended(1, known_of_ending(caught, error, target.settings if target else None))
    notice = notice_of(config.config, environment=_asks_environment(config), run=ended.run)
    print_last_line(ended.code, ended.error, ended.line, notice)
    return ended.code


def main() -> None:
    """Run the target."""
    try:
        TargetHighLevel.cli()
    except (OSError, TypeError, ValueError) as error:  # `run` lets nothing through: only --config is left
        told = (
            f"the file given with --config cannot be read, or holds no JSON object ({type(error).__name__})"
        )
        print_last_line(SettingsError.exit_code, SettingsError(told))
        sys.exit(SettingsError.exit_code)
