"""The tap: its settings, and the list of its streams."""

from __future__ import annotations

import io
import json
import os
import sys
from typing import IO, TYPE_CHECKING, Any, cast

from singer_sdk import Tap
from singer_sdk.singerlib import Catalog
from typing_extensions import override

from tap_cliniko import bookmarks, sdk_settings
from tap_cliniko.changes import Remembered
from tap_cliniko.errors import SettingsError, TargetGone
from tap_cliniko.resources import BY_NAME, RESOURCES
from tap_cliniko.run import Run
from tap_cliniko.settings import Settings, from_environment, json_schema
from tap_cliniko.streams import ClinikoStream
from tap_cliniko.writer import MessageWriter

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import FrameType

#: Keys of a state: whether the run that wrote it has come to its end, and whether it read more than what has changed.
COMPLETE, FROM_START = "complete", "from_start"
#: Key of a state: up to which moment the run that wrote it reads; what changed later is left to the next run.
READ_UNTIL = "read_until"
#: Key of a state: the streams of which that run has left out what the key's role may not read.
WITHHELD = "withheld"
REMEMBERED = "remembered"
"""Key of a state: what one run tells the next about the account."""
SIGNALLED = 128
"""What shells add to a signal's number to make an exit code."""


class TapCliniko(Tap):
    """Reads everything a clinic holds in Cliniko, without losing a row while the clinic works."""

    name = "tap-cliniko"
    package_name = "tap-cliniko"
    config_jsonschema = json_schema()
    capabilities = sdk_settings.CAPABILITIES
    message_writer_class = MessageWriter

    _run: Run | None = None
    _settings: Settings | None = None
    _resumes_complete = False

    @override
    def discover_streams(self) -> Sequence[ClinikoStream]:
        return [ClinikoStream(self, resource) for resource in RESOURCES]

    @property
    @override
    def streams(self) -> dict[str, Any]:
        """The streams in the order in which targets need them; the SDK would sort them by name."""
        if self._streams is None:
            loaded = super().streams
            self._streams = {name: loaded[name] for name in BY_NAME if name in loaded}
        return self._streams

    @property
    def settings(self) -> Settings:
        """The settings, checked."""
        if self._settings is None:
            self._settings = self.settings_from(self.config)
        return self._settings

    @property
    def run(self) -> Run:
        """The run, begun when the first stream is read."""
        if self._run is None:
            chosen = [stream for stream in self.streams.values() if stream.selected]
            selected = [stream.resource for stream in chosen]
            begun_anew = [stream.begin_anew() for stream in chosen if stream.wanted_in_full]
            patients = self.streams["patients"].stream_state
            bookmarks.check_sample(dict(self.state), sample=self.settings.sampled)
            remembered = Remembered.load(dict(self.state).get(REMEMBERED))
            reader = remembered.reader
            self._run = Run.begin(self.settings, selected, patients.get("sample"), remembered)
            bookmarks.check_account(dict(self.state), self._run.account)
            self._run.claim_known_ids(self.state)
            if self._resumes_complete and not begun_anew:
                by_name = cast("dict[str, Any]", self.state)["bookmarks"]
                self._run.ask_before_reading(by_name, same_reader=reader == self._run.reader)
            else:
                remembered.read_at = self._run.end
            self._tell(READ_UNTIL, self._run.end)
            if self._run.account is not None:
                self._tell(bookmarks.ACCOUNT, self._run.account)
            if self._run.sample is not None:
                wanted = self.settings.sample_ids, self.settings.sample_patients
                patients |= bookmarks.of_sample(self._run.sample.patients, *wanted)
        return self._run

    def remember(self) -> None:
        """Bring up to date what the state tells the next run about the account."""
        if self._run is not None:
            self._tell(REMEMBERED, self._run.remembered.dump())

    def tell_complete(self) -> None:
        """Mark the last state complete; without it the consumer cannot tell a finished run from a failed one."""
        if self._run is None:
            msg = "no stream is selected; select at least one in the catalog, or give no catalog to read all"
            raise SettingsError(msg)
        self._tell(COMPLETE, True)  # noqa: FBT003 - what is told
        if self._run.withheld:
            self._tell(WITHHELD, sorted(self._run.withheld))
        self.remember()
        self.state_writer.write_state(self.state)

    def _tell(self, key: str, value: Any) -> None:
        cast("dict[str, Any]", self.state)[key] = value

    def _bookmarks(self) -> list[dict[str, Any]]:
        return list(cast("dict[str, Any]", self.state).get("bookmarks", {}).values())

    def close(self) -> None:
        """Close the run's connections and files."""
        if self._run is not None:
            self._run.close()
            self._run = None

    @override
    def load_state(self, state: dict[str, Any]) -> None:
        """Take the state of an earlier run, if it is one."""
        state = bookmarks.checked(state)
        if state.get("bookmarks") and not self._goes_on(state):
            self.logger.info("other patients are wanted than those of the state: reading from the start")
            state = {**state, "bookmarks": {}}
        super().load_state(state)
        begun = any("replication_key_value" in each or "window" in each for each in self._bookmarks())
        self._tell(FROM_START, not begun and not self.config.get("start_date"))
        self._tell(COMPLETE, False)  # noqa: FBT003 - what is told
        cast("dict[str, Any]", self.state).pop(WITHHELD, None)
        if isinstance(account := state.get(bookmarks.ACCOUNT), str):
            self._tell(bookmarks.ACCOUNT, account)
        if REMEMBERED in state:
            self._tell(REMEMBERED, state[REMEMBERED])
        self._resumes_complete = bool(state.get("bookmarks")) and state.get(COMPLETE) is True

    def _goes_on(self, state: dict[str, Any]) -> bool:
        return bookmarks.is_of_sample(state, self.settings.sample_ids, self.settings.sample_patients)

    @override
    def _validate_config(self, *, raise_errors: bool = True) -> list[str]:
        """Report every problem at once, by name: the SDK's own messages show the values."""
        if raise_errors:
            self._settings = self.settings_from(self.config)
        return []

    @override
    def _handle_termination(self, signum: int, frame: FrameType | None) -> None:
        """End with the code of the signal; the state that counts was written before, between two records."""
        sys.exit(SIGNALLED + signum)

    @classmethod
    def settings_from(cls, config: Mapping[str, Any]) -> Settings:
        """Check a configuration, the SDK's own settings included.

        Raises:
            SettingsError: names every setting that is missing, wrong or unknown.
        """
        builtin = cls.builtin_settings()
        found = sdk_settings.problems(sdk_settings.parsed(config, builtin), builtin)
        try:
            read = Settings.read(config, {*builtin, sdk_settings.FLATTENING})
        except SettingsError as error:
            found.insert(0, str(error))
        if found:
            raise SettingsError("; ".join(found))
        return read

    @classmethod
    def builtin_settings(cls) -> dict[str, Any]:
        """Return the schemas of the settings that the SDK itself understands, by their names."""
        cls.append_builtin_config(cls.config_jsonschema)
        own = Settings.model_fields
        return {name: each for name, each in cls.config_jsonschema["properties"].items() if name not in own}

    @classmethod
    def settings_from_environment(cls) -> dict[str, Any]:
        """Read the settings from the process environment, as Meltano gives them to a command."""
        names = [*Settings.model_fields, *cls.builtin_settings(), sdk_settings.FLATTENING]
        return from_environment(os.environ, names)

    @override
    @classmethod
    def invoke(  # type: ignore[override]
        cls,
        *,
        about: bool = False,
        about_format: str | None = None,
        config: Any = None,
        state: IO[str] | None = None,
        catalog: IO[str] | None = None,
    ) -> None:
        """Run the tap; without a configuration file the environment is the configuration."""
        if config is not None:
            given = dict(config.config)
            if config.parse_env or not given:
                given |= cls.settings_from_environment()
            # the SDK's own parsing would show the text of a value that is no number
            config.config, config.parse_env = sdk_settings.parsed(given, cls.builtin_settings()), False
        try:
            super().invoke(
                about=about,
                about_format=about_format,
                config=config,
                state=_checked(state, "state"),
                catalog=_checked(catalog, "catalog"),
            )
        except BrokenPipeError:  # the command line's own way would be to end without a word
            _forget_output()
            msg = "the target stopped reading; its own message says why. State up to there is safe"
            raise TargetGone(msg) from None


def _forget_output() -> None:
    """Let the rest of the output vanish: Python would complain when it ends that nobody takes it."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _checked(file: IO[str] | None, option: str) -> IO[str] | None:
    """Read a file of the command line, which must hold what its option says."""
    if file is None:
        return None
    text = file.read()
    try:
        given = json.loads(text)
        # the SDK reads a catalog without looking at what it holds
        good = isinstance(given, dict) and (option != "catalog" or Catalog.from_dict(given) is not None)
    except (AttributeError, KeyError, TypeError, ValueError):
        good = False
    if not good:
        msg = f"the file given with --{option} holds no Singer {option}, which is a JSON object"
        raise SettingsError(msg)
    return io.StringIO(text)
