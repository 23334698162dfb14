"""Where the settings come from: configuration files, and over them the environment where it counts."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any, get_args

from target_highlevel import pasted
from target_highlevel.errors import SettingsError
from target_highlevel.notify import Notice, UnusableUrl, checked_urls
from target_highlevel.settings import WORDS, Settings, cleaned, json_schema, settings_from, variable

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

_BYTE_ORDER_MARK = "\N{ZERO WIDTH NO-BREAK SPACE}"


def settings_from_environment() -> Settings:
    """Return the settings of a command: Meltano hands them over as variables, not as a file.

    Raises:
        SettingsError: with every problem at once.
    """
    return settings_from(configuration({}, json_schema()["properties"], environment=True))


def configuration(
    given: Mapping[str, Any], declared: Mapping[str, Any], *, environment: bool
) -> dict[str, Any]:
    """Return what a file gives, and over it what the environment gives where it counts.

    Texts become what their setting is, also in a file: Meltano writes a setting without a kind as text.

    Args:
        given: the values of the configuration files.
        declared: every setting there is, the SDK's too, as JSON schema.
        environment: whether variables count.

    Raises:
        SettingsError: with every problem at once: settings that nobody knows, that are missing or that cannot be right.
    """
    config = _gathered(given, declared, environment=environment)
    unknown = sorted(set(config) - set(declared))
    problems = (
        [f"unknown setting {', '.join(unknown)} (`target-highlevel --about` lists all)"] if unknown else []
    )
    for name in set(config) & set(declared) - set(Settings.model_fields):
        kind = _kind_of_schema(declared[name])
        config[name] = _parsed(kind, config[name])
        allowed = declared[name].get("enum")
        if kind in WORDS and not _is(kind, config[name]):
            problems.append(f"{variable(name)} must be {WORDS[kind]}")
        elif allowed and config[name] not in allowed:
            problems.append(f"{variable(name)} must be one of {', '.join(allowed)}")
    try:
        settings_from(config)
    except SettingsError as error:
        problems.append(error.hint)
    if problems:
        raise SettingsError("; ".join(problems))
    return config


def notice_of(
    given: Mapping[str, Any], *, environment: bool, run: str = "", command: str = ""
) -> Notice | None:
    """Return whom to notify of the end of a run, also where another setting is wrong; None where nobody is to be.

    Args:
        given: the values of the configuration files.
        environment: whether variables count.
        run: the run's id, if one was begun.
        command: the command's name; without it the mode says what ran.
    """
    config = _gathered(given, Settings.model_fields, environment=environment)
    try:
        urls = checked_urls(config["notify_urls"]) if "notify_urls" in config else ()
    except UnusableUrl:
        return None  # the last line says so
    try:
        location = pasted.location(str(config.get("location_id", "")))
    except ValueError:
        location = "no sub-account"
    mode = config.get("mode", "load")
    what = command or (mode if mode in get_args(Settings.model_fields["mode"].annotation) else "run")
    return Notice(urls, what, location, run) if urls else None


def _gathered(given: Mapping[str, Any], declared: Collection[str], *, environment: bool) -> dict[str, Any]:
    """Return what is given, and over it what the environment gives where it counts."""
    config = {**_with_byte_order_mark(declared, given), **given}
    if environment:
        config |= {name: text for name in declared if (text := os.environ.get(variable(name)))}
    return cleaned(config)


def _with_byte_order_mark(declared: Collection[str], given: Mapping[str, Any]) -> dict[str, str]:
    """Return the first setting of a ``.env`` that an editor on Windows wrote: the mark became part of its name."""
    names = {name: os.environ.get(f"{_BYTE_ORDER_MARK}{variable(name)}") for name in declared}
    return {name: text for name, text in names.items() if text and not given.get(name)}


def _kind_of_schema(schema: Mapping[str, Any]) -> str:
    kinds = schema.get("type", "string")
    return kinds if isinstance(kinds, str) else str(kinds[0])


def _parsed(kind: str, value: Any) -> Any:
    """Return a text as what a setting of the SDK is; one that cannot be read stays as it is."""
    if not isinstance(value, str):
        return value
    try:
        if kind == "boolean":
            return {"1": True, "true": True, "0": False, "false": False}.get(value.lower(), value)
        return json.loads(value) if kind in {"integer", "number", "object", "array"} else value
    except ValueError:
        return value


def _is(kind: str, value: Any) -> bool:
    types: dict[str, tuple[type, ...]] = {
        "boolean": (bool,),
        "integer": (int,),
        "number": (int, float),
        "object": (dict,),
    }
    return isinstance(value, types.get(kind, (str,))) and isinstance(value, bool) == (kind == "boolean")
