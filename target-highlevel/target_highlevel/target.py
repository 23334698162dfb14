"""target-highlevel as a Singer target: messages in, states out, an exit code that tells the truth."""

from __future__ import annotations

import copy
import logging
import os
import sys
from contextlib import contextmanager
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any, ClassVar, cast

from singer_sdk.helpers.capabilities import PluginCapabilities
from singer_sdk.mapper import SameRecordTransform
from singer_sdk.target_base import Target
from typing_extensions import override

from target_highlevel.descriptor import incoming
from target_highlevel.endings import (
    ENDED_EARLY,
    Stopped,
    complete,
    exit_code,
    ignore_signals,
    say,
    told,
    wind_up,
)
from target_highlevel.engine.engine import Engine
from target_highlevel.engine.session import Session
from target_highlevel.errors import HighLevelError, SettingsError, SourceEnded
from target_highlevel.plan.addresses import SharedAddresses
from target_highlevel.plan.prediction import Prediction
from target_highlevel.reader import MessageReader, MissingSchema
from target_highlevel.report.run_report import RunReport
from target_highlevel.settings import SCHEMA, configuration, settings_from
from target_highlevel.sinks import HighLevelSink
from target_highlevel.verify.verification import Verification

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

    from target_highlevel.descriptor import StreamSpec

logger = logging.getLogger(__name__)

_MAPPERS = "target_highlevel.mappers"


class TargetHighLevel(Target):
    """Loads mapped streams into a HighLevel sub-account; source streams are mapped by the installed mapper first."""

    name = "target-highlevel"
    config_jsonschema: ClassVar[dict[str, Any]] = SCHEMA.to_dict()
    default_sink_class = HighLevelSink
    message_reader_class = MessageReader
    capabilities: ClassVar[list[Any]] = [
        PluginCapabilities.ABOUT,
        PluginCapabilities.STREAM_MAPS,
        PluginCapabilities.STRUCTURED_LOGGING,
    ]

    @override
    def __init__(self, **arguments: Any) -> None:
        self._critical = False
        self._signal = 0
        self._came = False
        #: What the newest state says of its run: whether it came to its end, and whether it read more than what has changed.
        self._source: dict[str, Any] = {}
        super().__init__(**arguments)
        self.settings = settings_from(self.config)
        self._core = _mapper(self.settings.mapping)
        self._specs: dict[str, StreamSpec] = {}
        self._as_is: dict[str | None, bool] = {}
        self._engine: Engine | None = None
        self.session: Session | None = None
        self._verification: Verification | None = None
        self._survey: Any = None
        self._prediction: Prediction | None = None
        #: The last line of a run whose end the exit code alone does not tell.
        self.line = ""
        self._addresses: SharedAddresses | None = None

    def begin(self) -> Session:
        """Open the ledger; nothing is written yet."""
        if self.session is None:
            self.session = Session(self.settings, self.settings.mode)
            self._engine = Engine(self.session)
            if self.session.plan is not None:
                self._addresses = SharedAddresses(self.session.ledger.salt)
                self._survey = self._core.survey() if hasattr(self._core, "survey") else None
        return self.session

    def open(self) -> Engine:
        """Start to write what earlier runs left and what comes in."""
        self.begin()
        engine = cast("Engine", self._engine)
        engine.start()
        return engine

    def accept(self, stream: str, record: dict[str, Any]) -> None:
        """Take a record of a sink."""
        spec = self._specs.get(stream)
        if spec is not None:
            if self._addresses is not None:
                self._addresses.see(spec, record)
            self.open().submit(incoming(spec, record))

    # Messages

    @override
    def _process_schema_message(self, message_dict: dict[str, Any]) -> None:
        with self._undisturbed():
            self._came = True
            for message in self._mapped(message_dict, "schema"):
                self._declare(message)

    def _declare(self, message: dict[str, Any]) -> None:
        self._as_is.pop(message.get("stream"), None)
        super()._process_schema_message(message)
        self._expect(message.get("stream"))
        spec = self.open().declare(message)
        if spec is None:
            logger.warning(
                "highlevel.stream_ignored stream=%s: its schema has no x-highlevel", message["stream"]
            )
        else:
            self._specs[spec.stream] = spec

    @override
    def _process_record_message(self, message_dict: dict[str, Any]) -> None:
        with self._undisturbed():
            if self._survey is not None and self._core.handles(message_dict.get("stream")):
                self._survey.see(message_dict)
            for message in self._mapped(message_dict, "record"):
                if message["type"] == "SCHEMA":
                    self._declare(message)
                elif "record" in message and self._is_passed_as_is(message.get("stream")):
                    self.accept(message["stream"], message["record"])
                else:
                    super()._process_record_message(message)

    def _expect(self, stream: str | None) -> None:
        """Tell the session of all streams of the mapper when the first comes, from whichever mapper."""
        if self.session is None or self.session.expected or not hasattr(self._core, "declared"):
            return
        declared = list(self._core.declared())
        if stream in {item["stream"] for item in declared}:
            self.session.expect(declared)

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
        with self._undisturbed():
            state = message_dict["value"]
            first, self._came = not self._came, True
            if isinstance(state, dict):
                if first:  # where the tap goes on from decides of what earlier runs left, too
                    self.begin().goes_on_from(state)
                self._source = state
            self.open().checkpoint(state)

    @override
    def _process_activate_version_message(self, message_dict: dict[str, Any]) -> None:
        """Nothing is ever deleted because a source sent a new version of a table."""

    @override
    def process_endofpipe(self) -> None:
        engine = self.open()
        if self.session is not None:
            self.session.ended_early = not self._came or self._source.get("complete") is False
            self.session.changes_only = self._source.get("from_start") is False
            if self.session.ended_early and self.session.mode in {"plan", "verify"}:
                raise SourceEnded(ENDED_EARLY)
            engine.flush()
            self.session.finish()
        engine.finish()
        super().process_endofpipe()
        # what came is dealt with, but it is not all; where nothing came, the rest of an earlier run was all there was to do
        if self.session is not None and self._came and self.session.ended_early:
            raise SourceEnded(ENDED_EARLY)
        if self.session is not None and self.session.plan is not None and self._addresses is not None:
            self._prediction = Prediction(self.session, self.session.plan, self._survey, self._addresses)
        if self.session is not None and self.session.mode == "verify":
            verification = Verification(self.session)
            verification.run()
            self._verification = verification

    def _mapped(self, message: dict[str, Any], action: str) -> Iterator[dict[str, Any]]:
        if self._core is None or not self._core.handles(message.get("stream")):
            yield message
            return
        self._assert_line_requires(message, requires={action})
        mapped: Callable[[dict[str, Any]], Iterator[dict[str, Any]]] = getattr(self._core, action)
        try:
            yield from mapped(message)
        except (
            ValueError
        ) as error:  # a bad record is rejected by the mapper itself: this is the mapping's fault
            msg = f"mapping: {error}"
            raise SettingsError(msg) from None

    @override
    def _handle_termination(self, signum: int, frame: FrameType | None) -> None:
        """Stop taking input; the SDK would drain and exit with 0, which an orchestrator takes for success."""
        self._signal = signum
        if not self._critical:
            raise Stopped(signum)

    @contextmanager
    def _undisturbed(self) -> Iterator[None]:
        """Let a signal wait until a message is taken in whole."""
        self._critical = True
        try:
            yield
        finally:
            self._critical = False
        if self._signal:
            raise Stopped(self._signal)

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

    def end(self, error: BaseException | None) -> tuple[int, BaseException | None]:
        """Finish what is in flight and write the report, whatever ended the run; return the exit code and what it is for."""
        if self.session is None or self._engine is None:
            return exit_code(error), error
        error = wind_up(self.session, self._engine, error)
        report = RunReport(self.session)
        code = exit_code(error) or self._complete(report)
        report.write(code, error=told(error), **self._beside())
        if self._prediction is not None:
            self._prediction.write_mapping(report.folder)
            self.line = "" if code else self._prediction.line()
        elif not code:
            self.line = complete(
                refused=report.rejected,
                held=report.held,
                sample=self.session.sample,
                nothing_came=not self._came,
                undone=report.undone if self.session.mode == "load" else 0,
                looked_at_changes=self.session.mode == "verify" and self.session.changes_only,
                begun_in_the_middle=self.session.mode == "load" and self.session.begun_in_the_middle,
            )
        self.session.close(code, report.facts)
        return code, error

    def _beside(self) -> dict[str, Any]:
        """Return what the report of a plan or a verification that came to its end has beside the counts."""
        if self._prediction is not None:
            return {"differences": self._prediction.differences(), "plan": self._prediction.content}
        if self._verification is not None:
            return {
                "differences": self._verification.differences(),
                "verification": self._verification.content,
            }
        return {}

    def _complete(self, report: RunReport) -> int:
        """Return the exit code of a run that went through: a verification minds differences, a load rejects."""
        if self.settings.mode == "plan":
            return 0  # what it predicts is no failure of the plan
        if self.settings.mode == "verify":
            return 5 if self._verification is not None and self._verification.failed else 0
        return 4 if report.rejected and not self.settings.accept_rejects else 0


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
    asked = config.parse_env or not config.config  # without a file nothing else is left to mean
    return configuration(config.config, declared["properties"], environment=asked)


def run(target_class: type[TargetHighLevel], config: Any, file_input: Any) -> int:
    """Load standard input into HighLevel; return the exit code."""
    target: TargetHighLevel | None = None
    error: BaseException | None = None
    try:
        target = target_class(config=_configuration(target_class, config), validate_config=False)
        target.begin()
        target.listen(file_input)
    except (Stopped, Exception) as caught:
        error = caught
        if not isinstance(caught, (HighLevelError, Stopped)):
            logger.debug("highlevel.failed", exc_info=True)
    ignore_signals()
    try:
        code, error = target.end(error) if target else (exit_code(error), error)
    except Exception as caught:
        error, code = error or caught, 1
        logger.debug("highlevel.failed", exc_info=True)
    say(code, error, target.line if target else "")
    return code


def main() -> None:
    """Run the target."""
    try:
        TargetHighLevel.cli()
    except (OSError, TypeError, ValueError) as error:  # `run` lets nothing through: only --config is left
        told = (
            f"the file given with --config cannot be read, or holds no JSON object ({type(error).__name__})"
        )
        say(SettingsError.exit_code, SettingsError(told))
        sys.exit(SettingsError.exit_code)
