"""The target's settings: declared once, checked all together before anything is sent."""

from __future__ import annotations

import json
import math
import os
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from singer_sdk import typing as th

from target_highlevel.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

OAUTH = ("oauth_file", "oauth_client_id", "oauth_client_secret")
#: Words for yes and no, as Meltano and the tap take them.
_TRUTH = {
    **dict.fromkeys(("1", "true", "yes", "on"), True),
    **dict.fromkeys(("0", "false", "no", "off"), False),
}
#: JSON schema's kinds of values, as Python has them and as a person calls them.
_KINDS: dict[str, tuple[type | tuple[type, ...], str]] = {
    "string": (str, "a text"),
    "boolean": (bool, "true or false"),
    "integer": (int, "a whole number"),
    "number": ((int, float), "a number"),
    "object": (dict, "an object in JSON"),
    "array": (list, "a list in JSON"),
}
_LEAST = {"requests_per_10s": 1, "requests_per_day": 1, "search_lag_seconds": 0}
#: What HighLevel itself allows (highlevel-api.md section 4); a sandbox may be asked more.
_MOST = {"requests_per_10s": 100, "requests_per_day": 200_000}
DEFAULT_API_URL = "https://services.leadconnectorhq.com"

SCHEMA = th.PropertiesList(
    th.Property(
        "access_token",
        th.StringType,
        secret=True,
        title="Access token",
        description="Private integration token of the HighLevel sub-account. Not needed with an OAuth app.",
    ),
    th.Property(
        "oauth_file",
        th.StringType,
        title="OAuth token file",
        description="File that holds the app's access and refresh token, as HighLevel's token endpoint answered;"
        " kept up to date and readable by its owner only. Instead of access_token.",
    ),
    th.Property(
        "oauth_client_id",
        th.StringType,
        title="OAuth client id",
        description="Client id of the marketplace app that oauth_file belongs to.",
    ),
    th.Property(
        "oauth_client_secret",
        th.StringType,
        secret=True,
        title="OAuth client secret",
        description="Client secret of that app.",
    ),
    th.Property(
        "agency_token",
        th.StringType,
        secret=True,
        title="Agency token",
        description="Private integration token of the agency; needed only to create custom objects that are missing.",
    ),
    th.Property(
        "location_id",
        th.StringType,
        title="Location",
        description="Id of the HighLevel sub-account (its location id) that receives the records.",
    ),
    th.Property(
        "api_url",
        th.StringType,
        default=DEFAULT_API_URL,
        title="API address",
        description="Base address of the HighLevel API.",
    ),
    th.Property(
        "mode",
        th.StringType,
        default="load",
        allowed_values=["load", "plan", "verify"],
        title="Mode",
        description="load writes; plan predicts and writes nothing; verify reads everything back and compares.",
    ),
    th.Property(
        "ledger_url",
        th.StringType,
        secret=True,
        default="sqlite:///data/ledger.db",
        title="Ledger",
        description="SQLAlchemy URL of the ledger, which knows every record that was written: SQLite or PostgreSQL.",
    ),
    th.Property(
        "fallback_owner",
        th.StringType,
        title="Fallback owner",
        description="E-mail of the HighLevel user who owns the patients that have no practitioner with a user.",
    ),
    th.Property(
        "appointments_as",
        th.StringType,
        default="task",
        allowed_values=["task", "calendar_event"],
        title="Appointments as",
        description="Whether an appointment becomes a task or a calendar event. Neither notifies anybody.",
    ),
    th.Property(
        "calendar_id",
        th.StringType,
        title="Calendar",
        description="Calendar for all calendar events; by default one per appointment type, created when missing.",
    ),
    th.Property(
        "overwrite",
        th.StringType,
        default="cliniko_wins",
        allowed_values=["cliniko_wins", "fill_empty", "never"],
        title="Overwrite",
        description="What becomes of a value somebody changed in HighLevel when it changes in Cliniko too.",
    ),
    th.Property(
        "accept_rejects",
        th.BooleanType,
        default=False,
        title="Accept rejects",
        description="End with 0 instead of 4 when records were rejected.",
    ),
    th.Property(
        "require_approved_plan",
        th.BooleanType,
        default=False,
        title="Require an approved plan",
        description="Refuse to load until the plan of this mapping was approved.",
    ),
    th.Property(
        "requests_per_10s",
        th.IntegerType,
        default=100,
        title="Requests per 10 seconds",
        description="Burst budget of the sub-account (25 for a sandbox account).",
    ),
    th.Property(
        "requests_per_day",
        th.IntegerType,
        default=200_000,
        title="Requests per day",
        description="Daily budget of the sub-account (10,000 for a sandbox account)."
        " What is left over waits in the ledger for the next run.",
    ),
    th.Property(
        "search_lag_seconds",
        th.NumberType,
        default=10,
        title="Search lag",
        description="Seconds a new record may take to appear in HighLevel's search.",
    ),
    th.Property(
        "report_dir",
        th.StringType,
        default="data/reports",
        title="Report folder",
        description="Folder that receives one folder per run, with its report.",
    ),
    th.Property(
        "show_values",
        th.BooleanType,
        default=False,
        title="Show values",
        description="Write into the reports of plan and verify the compared values instead of their kind:"
        " such a report holds personal data.",
    ),
    th.Property(
        "locations",
        th.ObjectType(additional_properties=th.StringType),
        title="Locations",
        description="Cliniko business id to sub-account id, for clinics that run their locations apart.",
    ),
    th.Property(
        "mapping",
        th.StringType,
        title="Mapping",
        description="Path of the mapping file the clinic confirmed; by default the one shipped with the mapper.",
    ),
    th.Property(
        "load_method",
        th.StringType,
        default="upsert",
        allowed_values=["upsert"],
        title="Load method",
        description="Always upsert: a record is created once and updated afterwards.",
    ),
)


@dataclass(frozen=True)
class Settings:
    """The checked settings."""

    location_id: str
    access_token: str | None = None
    oauth_file: str | None = None
    oauth_client_id: str | None = None
    oauth_client_secret: str | None = None
    agency_token: str | None = None
    api_url: str = DEFAULT_API_URL
    mode: str = "load"
    ledger_url: str = "sqlite:///data/ledger.db"
    fallback_owner: str | None = None
    appointments_as: str = "task"
    calendar_id: str | None = None
    overwrite: str = "cliniko_wins"
    accept_rejects: bool = False
    require_approved_plan: bool = False
    requests_per_10s: int = 100
    requests_per_day: int = 200_000
    search_lag_seconds: float = 10.0
    report_dir: str = "data/reports"
    show_values: bool = False
    locations: Mapping[str, str] = field(default_factory=dict)
    mapping: str | None = None

    def __repr__(self) -> str:
        """Name the sub-account only: the rest may hold secrets."""
        return f"Settings(location_id={self.location_id!r}, mode={self.mode!r})"


def settings_from(config: Mapping[str, Any]) -> Settings:
    """Return checked settings.

    Raises:
        SettingsError: with every problem at once, each naming its variable.
    """
    needed = (*_credentials(config), "location_id")
    problems = [f"set {variable(name)}" for name in needed if not config.get(name)]
    problems += [f"{variable(name)} must be {wanted}" for name, wanted in _unfit(config)]
    if problems:
        raise SettingsError("; ".join(problems))
    return Settings(
        **{name: config[name] for name in Settings.__dataclass_fields__ if config.get(name) not in (None, "")}
    )


def _credentials(config: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the settings that name who asks: the private token, or all that OAuth takes once a part of it is there."""
    return OAUTH if any(config.get(name) for name in OAUTH) else ("access_token",)


def _unfit(config: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield every setting whose value is of the right kind and yet cannot be right, and what it must be."""
    for name, schema in SCHEMA.to_dict()["properties"].items():
        value = config.get(name)
        if value in (None, ""):
            continue
        if schema.get("enum") and value not in schema["enum"]:
            yield name, f"one of {', '.join(schema['enum'])}"
        if name in _LEAST and not _LEAST[name] <= value < math.inf:  # `nan` is nowhere between them
            yield name, f"at least {_LEAST[name]}"
        elif name in _MOST and value > _MOST[name] and _is_highlevel(config):
            yield name, f"at most {_MOST[name]}, which is what HighLevel allows"
    places = config.get("locations") or {}
    if not all(place and isinstance(place, str) for place in places.values()):
        yield "locations", "an object of texts"


def _is_highlevel(config: Mapping[str, Any]) -> bool:
    return str(config.get("api_url") or DEFAULT_API_URL).rstrip("/") == DEFAULT_API_URL


def variable(name: str) -> str:
    """Return the environment variable of a setting."""
    return f"TARGET_HIGHLEVEL_{name.upper()}"


def settings_from_environment() -> Settings:
    """Return the settings of a command: Meltano hands them over as variables, not as a file.

    Raises:
        SettingsError: with every problem at once.
    """
    return settings_from(configuration({}, SCHEMA.to_dict()["properties"], environment=True))


def configuration(
    given: Mapping[str, Any], declared: Mapping[str, Any], *, environment: bool
) -> dict[str, Any]:
    """Return what a file gives, and over it what the environment gives where it counts.

    Texts become what their setting is, also in a file: Meltano writes a setting without a kind as text.

    Args:
        given: the values of the configuration files.
        declared: every setting there is, as JSON schema.
        environment: whether variables count.

    Raises:
        SettingsError: settings that nobody knows, or whose value is not of their kind.
    """
    unknown = sorted(set(given) - set(declared))
    if unknown:
        msg = f"unknown setting {', '.join(unknown)}; the settings are listed by `target-highlevel --about`"
        raise SettingsError(msg)
    config = dict(given)
    if environment:
        config |= {name: text for name in declared if (text := os.environ.get(variable(name)))}
    config = {name: _read(_kind(declared[name]), value) for name, value in config.items()}
    wrong = [name for name, value in config.items() if not _is(_kind(declared[name]), value)]
    if wrong:
        raise SettingsError(
            "; ".join(f"{variable(name)} must be {_KINDS[_kind(declared[name])][1]}" for name in wrong)
        )
    return config


def _kind(schema: Mapping[str, Any]) -> str:
    """Return what a setting is, as JSON schema calls it."""
    kinds = schema.get("type", "string")
    return kinds if isinstance(kinds, str) else str(kinds[0])


def _read(kind: str, value: Any) -> Any:
    """Return a text as what its setting is; one that cannot be read stays as it is.

    The SDK reads the fractions of a configuration file as ``Decimal``.
    """
    if isinstance(value, Decimal) and kind == "number":
        return float(value)
    if not isinstance(value, str):
        return value
    try:
        if kind == "boolean":
            return _TRUTH.get(value.strip().lower(), value)
        if kind in {"integer", "number"}:
            return int(value) if kind == "integer" else float(value)
        return json.loads(value) if kind in {"object", "array"} else value
    except ValueError:
        return value


def _is(kind: str, value: Any) -> bool:
    """Return whether a value is of this kind, or left out; true and false are no numbers."""
    fits = isinstance(value, _KINDS[kind][0]) and isinstance(value, bool) == (kind == "boolean")
    return fits or value in (None, "")
