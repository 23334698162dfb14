"""Checks the settings that every SDK tap has: what would change a stream beyond recognition is refused.

A target that knows the streams by name, as target-highlevel does, takes no patient from a stream that was renamed,
filtered, given other keys or flattened, and passes its bookmarks on all the same. So that is left to the target's own
settings, which every SDK target has.
"""

from __future__ import annotations

import json
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from fsspec.core import url_to_fs  # type: ignore[import-untyped]
from jsonschema import Draft7Validator
from pydantic import TypeAdapter, ValidationError
from singer_sdk.helpers.capabilities import PluginCapabilities, TapCapabilities

from tap_cliniko.resources import BY_NAME
from tap_cliniko.settings import variable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

#: All that the SDK offers but flattening.
CAPABILITIES: list[Any] = [
    TapCapabilities.CATALOG,
    TapCapabilities.STATE,
    TapCapabilities.DISCOVER,
    TapCapabilities.ACTIVATE_VERSION,
    PluginCapabilities.ABOUT,
    PluginCapabilities.STREAM_MAPS,
    PluginCapabilities.BATCH,
    PluginCapabilities.STRUCTURED_LOGGING,
]
FLATTENING = "flattening_enabled"

_ENCODERS = {"jsonl": None, "parquet": "pyarrow"}
_OFF = (None, False, "", "false", "False", "0")
_UNKNOWN_STREAMS = "not supported, a target would not know the streams any more"
_KINDS: dict[str, TypeAdapter[Any]] = {"boolean": TypeAdapter(bool), "integer": TypeAdapter(int)}


def parsed(given: Mapping[str, Any], schemas: Mapping[str, Any]) -> dict[str, Any]:
    """Make of a text, which is all that an environment variable can hold, what the SDK expects."""
    return {
        name: _parsed(schemas[name]["type"][0], value)
        if isinstance(value, str) and name in schemas
        else value
        for name, value in given.items()
    }


def _parsed(kind: str, text: str) -> Any:
    try:
        return _KINDS[kind].validate_python(text) if kind in _KINDS else json.loads(text)
    except (ValidationError, ValueError):
        return text


def problems(config: Mapping[str, Any], schemas: Mapping[str, Any]) -> list[str]:
    """Name what is wrong with the SDK's settings in a configuration.

    Args:
        config: the configuration, parsed.
        schemas: the JSON schemas of the SDK's settings by their names.
    """
    found = []
    if config.get(FLATTENING) not in _OFF:
        found.append(
            f"{FLATTENING} ({variable(FLATTENING)}): {_UNKNOWN_STREAMS}; set flattening_enabled of the target"
        )
    for name, schema in schemas.items():
        value = config.get(name)
        if value is None:
            continue
        if not Draft7Validator(schema).is_valid(value):
            found.append(f"{name} ({variable(name)}) is not valid; see tap-cliniko --about")
        elif name == "stream_maps":
            found += _changed_streams(value)
        elif name == "batch_config" and value:
            found += _unusable_batches(value)
    return found


def _changed_streams(maps: Mapping[str, Any]) -> list[str]:
    """Name the maps that rename, drop, copy or filter a stream, or touch its key."""
    changed: list[str] = []
    for stream, each in maps.items():
        if isinstance(each, dict):
            keys = BY_NAME[stream].keys if stream in BY_NAME else ("id",)
            changed += [f"{stream}.{name}" for name in each if name.startswith("__") or name in keys]
        else:
            changed.append(stream)
    if not changed:
        return []
    named = f"stream_maps ({variable('stream_maps')}): {', '.join(changed)}"
    advice = "set stream_maps of the target, deselect the stream (select), or name patients with sample_ids"
    return [f"{named}: {_UNKNOWN_STREAMS}; {advice}"]


def _unusable_batches(config: Mapping[str, Any]) -> Iterator[str]:
    name = f"batch_config ({variable('batch_config')})"
    encoding, storage, size = (config.get(each) for each in ("encoding", "storage", "batch_size"))
    kind = encoding.get("format") if isinstance(encoding, dict) else None
    if kind not in _ENCODERS:
        yield f"{name} must name one of the encodings {', '.join(_ENCODERS)}"
    elif (needed := _ENCODERS[str(kind)]) and not find_spec(needed):
        yield f"{name}: this encoding needs the package {needed}, which is not installed"
    if size is not None and (isinstance(size, bool) or not isinstance(size, int) or size < 1):
        yield f"{name} must have a batch_size of at least 1"
    root = storage.get("root") if isinstance(storage, dict) else None
    if not isinstance(storage, dict) or not isinstance(root, str) or not root:
        yield f"{name} must name the folder of the files as storage.root"
    elif reason := _no_storage(root, storage.get("params")):
        yield f"{name}: storage.root cannot be used ({reason})"


def _no_storage(root: str, options: Mapping[str, Any] | None) -> str | None:
    """Make the folder where the files are to go, and say why if it cannot be."""
    try:
        files, path = url_to_fs(root, **(options or {}))
        files.makedirs(path, exist_ok=True)
    except (ImportError, OSError, TypeError, ValueError) as error:
        return getattr(error, "strerror", None) or type(error).__name__
    return None
