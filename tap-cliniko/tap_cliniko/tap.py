"""The tap: its settings, and the list of its streams."""

from __future__ import annotations

import copy
import io
import json
import os
import sys
from typing import IO, TYPE_CHECKING, Any, cast

from singer_sdk import Tap
from singer_sdk.singerlib import Catalog
from typing_extensions import override

from tap_cliniko import bookmarks, settings
from tap_cliniko.errors import SettingsError, TargetGone
from tap_cliniko.resources import BY_NAME, RESOURCES
from tap_cliniko.run import Run
from tap_cliniko.streams import ClinikoStream

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import FrameType

#: Keys of a state: whether the run that wrote it has come to its end, and whether it read more than what has changed.
COMPLETE, FROM_START = "complete", "from_start"
SIGNALLED = 128
"""What shells add to a signal's number to make an exit code."""


class TapCliniko(Tap):
    """Reads everything a clinic holds in Cliniko, without losing a row while the clinic works."""

    name = "tap-cliniko"
    package_name = "tap-cliniko"
    config_jsonschema = copy.deepcopy(settings.JSON_SCHEMA)

    _run: Run | None = None

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
    def run(self) -> Run:
        """The run, begun when the first stream is read."""
        if self._run is None:
            selected = [stream.resource for stream in self.streams.values() if stream.selected]
            patients = self.streams["patients"].stream_state
            bookmarks.check_sample(dict(self.state), sample=self.config.get("sample_patients") is not None)
            self._run = Run.begin(
                settings.Settings.read(self.config, self.builtin_settings()), selected, patients.get("sample")
            )
            if self._run.sample is not None:
                patients["sample"] = self._run.sample.patients
        return self._run

    def tell_complete(self) -> None:
        """Mark the last state complete; without it the consumer cannot tell a finished run from a failed one."""
        if self._run is None:
            msg = "no stream is selected; select at least one in the catalog, or give no catalog to read all"
            raise SettingsError(msg)
        self._tell(COMPLETE, True)  # noqa: FBT003 - what is told
        self.state_writer.write_state(self.state)

    def _tell(self, key: str, value: bool) -> None:  # noqa: FBT001 - what is told
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
        super().load_state(bookmarks.checked(state))
        begun = any("replication_key_value" in each or "window" in each for each in self._bookmarks())
        self._tell(FROM_START, not begun and not self.config.get("start_date"))
        self._tell(COMPLETE, False)  # noqa: FBT003 - what is told

    @override
    def _validate_config(self, *, raise_errors: bool = True) -> list[str]:
        """Report every problem at once, by name: the SDK's own messages show the values."""
        if not raise_errors:
            return []
        settings.Settings.read(self.config, self.builtin_settings())
        if super()._validate_config(raise_errors=False):
            msg = "a setting of stream_maps, flattening or batch is not valid; see tap-cliniko --about"
            raise SettingsError(msg)
        return []

    @override
    def _handle_termination(self, signum: int, frame: FrameType | None) -> None:
        """End with the code of the signal; the state that counts was written before, between two records."""
        sys.exit(SIGNALLED + signum)

    @classmethod
    def builtin_settings(cls) -> set[str]:
        """Name the settings that the SDK itself understands."""
        cls.append_builtin_config(cls.config_jsonschema)
        return set(cls.config_jsonschema["properties"]) - set(settings.JSON_SCHEMA["properties"])

    @classmethod
    def settings_from_environment(cls) -> dict[str, Any]:
        """Read the settings from the process environment, as Meltano gives them to a command."""
        cls.append_builtin_config(cls.config_jsonschema)
        return settings.from_environment(os.environ, cls.config_jsonschema["properties"])

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
            given = settings.typed(config.config, cls.config_jsonschema["properties"])
            if config.parse_env or not given:
                given |= cls.settings_from_environment()
            # the SDK's own parsing would show the text of a value that is no number
            config.config, config.parse_env = given, False
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
