"""Every setting of the tap, declared once: validation, `--about`, README and Hub definition follow."""

from __future__ import annotations

import json
import math
import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from singer_sdk import typing as th

from tap_cliniko import moments
from tap_cliniko.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

_PREFIX = "TAP_CLINIKO_"
# what an HTTP header can carry
_PLAIN = re.compile("[!-~]*")
_TRUTH = {
    "true": True,
    "1": True,
    "yes": True,
    "on": True,
    "false": False,
    "0": False,
    "no": False,
    "off": False,
}

_SETTINGS = th.PropertiesList(
    th.Property(
        "api_key",
        th.StringType,
        required=True,
        secret=True,
        title="API key",
        description=(
            "API key of a Cliniko user (My info, Manage API keys), best an administrator: "
            "the tap sees what that user sees."
        ),
    ),
    th.Property(
        "contact_email",
        th.StringType,
        required=True,
        title="Contact e-mail",
        description="Where Cliniko can reach whoever runs this; sent in the User-Agent, as Cliniko demands.",
    ),
    th.Property(
        "api_url",
        th.StringType,
        title="API URL",
        description="Base URL with /v1. By default it follows from the shard at the end of the key.",
    ),
    th.Property(
        "start_date",
        th.DateTimeType,
        title="Start date",
        description="Read only what changed since, in the first run. By default everything is read.",
    ),
    th.Property(
        "sample_patients",
        th.IntegerType,
        title="Sample of patients",
        description="Read a representative slice of so many patients, with all that hangs on them. Unset: all.",
    ),
    th.Property(
        "download_attachments",
        th.BooleanType,
        default=True,
        title="Download attachments",
        description="Fetch the bytes of patient attachments, one further request each.",
    ),
    th.Property(
        "attachments_dir",
        th.StringType,
        title="Attachments directory",
        description=(
            "Where the bytes go: a local path or any fsspec URL. "
            "By default data/<Meltano environment>/attachments, or data/attachments without one."
        ),
    ),
    th.Property(
        "attachments_max_megabytes",
        th.NumberType,
        title="Largest attachment",
        description="Leave larger files where they are (file_status too_large). Unset: no limit.",
    ),
    th.Property(
        "requests_per_minute",
        th.IntegerType,
        default=200,
        title="Requests per minute",
        description=(
            "The request budget; Cliniko allows 200 per user. "
            "Lower it when another program uses the same Cliniko user."
        ),
    ),
    th.Property(
        "lag_seconds",
        th.IntegerType,
        default=120,
        title="Lag",
        description="How far behind the present a run ends, to leave changes under way to the next one.",
    ),
    th.Property(
        "overlap_seconds",
        th.IntegerType,
        default=300,
        title="Overlap",
        description="How far before its bookmark a run begins again, to catch what was committed late.",
    ),
    th.Property(
        "skip_refused_streams",
        th.BooleanType,
        default=False,
        title="Skip refused streams",
        description="Go on without the streams that the key's role may not read, instead of stopping.",
    ),
    th.Property(
        "include_access_links",
        th.BooleanType,
        default=False,
        title="Include access links",
        description=(
            "Keep URLs that let their holder in without a password (video call, cancellation, form, payment)."
        ),
    ),
    th.Property(
        "detect_deletions",
        th.BooleanType,
        default=False,
        title="Detect deletions",
        description="Find rows deleted for good and emit a record with _sdc_deleted_at for each.",
    ),
    th.Property(
        "known_ids_path",
        th.StringType,
        title="Known ids",
        description=(
            "File in which detect_deletions remembers the ids it has seen. "
            "By default data/<Meltano environment>/known_ids.db, or data/known_ids.db without one."
        ),
    ),
)

JSON_SCHEMA: dict[str, Any] = _SETTINGS.to_dict()


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of one run, checked."""

    api_key: str
    contact_email: str
    api_url: str | None
    start: str | None
    sample_patients: int | None
    download_attachments: bool
    attachments_dir: str
    largest_file: int | None
    requests_per_minute: int
    lag: int
    overlap: int
    skip_refused: bool
    access_links: bool
    detect_deletions: bool
    known_ids_path: str

    def __repr__(self) -> str:
        """Show nothing: the key is among them."""
        return "<Settings>"

    @classmethod
    def read(cls, config: Mapping[str, Any], also: Collection[str] = ()) -> Settings:
        """Check the configuration and report every problem at once, without showing a value.

        Args:
            config: the configuration as it came.
            also: names of settings that the framework itself understands.
        """
        problems = [*_missing(config), *_wrong(config), *_unknown(config, also)]
        if problems:
            raise SettingsError("; ".join(problems))
        start, largest = config.get("start_date"), config.get("attachments_max_megabytes")
        return cls(
            # white space comes along when they are copied
            api_key=config["api_key"].strip(),
            contact_email=config["contact_email"].strip(),
            api_url=(config.get("api_url") or "").strip() or None,
            start=moments.normal(start) if start else None,
            sample_patients=config.get("sample_patients"),
            download_attachments=config.get("download_attachments", True),
            attachments_dir=config.get("attachments_dir") or _data_path("attachments"),
            largest_file=int(largest * 1_000_000) if largest is not None else None,
            requests_per_minute=config.get("requests_per_minute", 200),
            lag=config.get("lag_seconds", 120),
            overlap=config.get("overlap_seconds", 300),
            skip_refused=config.get("skip_refused_streams", False),
            access_links=config.get("include_access_links", False),
            detect_deletions=config.get("detect_deletions", False),
            known_ids_path=config.get("known_ids_path") or _data_path("known_ids.db"),
        )


def from_environment(environment: Mapping[str, str], schemas: Mapping[str, Any]) -> dict[str, Any]:
    """Read settings from environment variables; what does not parse stays text, to be reported."""
    given = {name: environment.get(variable(name)) for name in schemas}
    return typed({name: text for name, text in given.items() if text}, schemas)


def typed(given: Mapping[str, Any], schemas: Mapping[str, Any]) -> dict[str, Any]:
    """Make of texts what their setting is, also in a file: Meltano writes a setting without a kind as text."""
    return {
        name: _parsed(schemas[name]["type"][0], value)
        if isinstance(value, str) and name in schemas
        else value
        for name, value in given.items()
    }


def _parsed(kind: str, text: str) -> Any:
    if kind == "boolean":
        return _TRUTH.get(text.strip().lower(), text)
    if kind in {"integer", "number"}:
        try:
            return int(text) if kind == "integer" else float(text)
        except ValueError:
            return text
    if kind in {"object", "array"}:
        try:
            return json.loads(text)
        except ValueError:
            return text
    return text


def variable(name: str) -> str:
    """Name the environment variable of a setting."""
    return f"{_PREFIX}{name.upper()}"


def _data_path(name: str) -> str:
    environment = os.environ.get("MELTANO_ENVIRONMENT")
    root = os.environ.get("MELTANO_PROJECT_ROOT", ".")
    return os.path.join(root, "data", *([environment] if environment else []), name)  # noqa: PTH118 - may be no path


def _missing(config: Mapping[str, Any]) -> list[str]:
    absent = [variable(name) for name in JSON_SCHEMA["required"] if not _text(config, name)]
    return [f"set {' and '.join(absent)}"] if absent else []


def _unknown(config: Mapping[str, Any], also: Collection[str]) -> list[str]:
    strange = sorted(set(config) - set(JSON_SCHEMA["properties"]) - set(also))
    return [f"no such setting: {', '.join(strange)}; see tap-cliniko --about"] if strange else []


_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
}
_MOST_A_MINUTE = 200
_LOWEST = {"sample_patients": 1, "requests_per_minute": 1, "lag_seconds": 0, "overlap_seconds": 0}


def _wrong(config: Mapping[str, Any]) -> list[str]:
    wrong = [
        f"{name} ({variable(name)}) must be {_expected(name)}"
        for name in JSON_SCHEMA["properties"]
        if config.get(name) is not None and not _fits(name, config[name])
    ]
    return [*wrong, *(_unlikely(config) or _too_many(config, wrong))]


def _too_many(config: Mapping[str, Any], wrong: list[str]) -> list[str]:
    """Cliniko itself allows 200 requests a minute for each user (API documentation, "Rate limits")."""
    asked, name = config.get("requests_per_minute"), "requests_per_minute"
    if wrong or config.get("api_url") or not isinstance(asked, int) or asked <= _MOST_A_MINUTE:
        return []
    return [f"{name} ({variable(name)}) must be at most {_MOST_A_MINUTE}, which is what Cliniko allows"]


def _expected(name: str) -> str:
    kind = str(JSON_SCHEMA["properties"][name]["type"][0])
    if kind == "number":
        return "a number above 0"
    lowest = f" of at least {_LOWEST[name]}" if name in _LOWEST else ""
    return f"{'an' if kind[0] in 'aio' else 'a'} {kind}{lowest}"


def _fits(name: str, value: Any) -> bool:
    kind = JSON_SCHEMA["properties"][name]["type"][0]
    if isinstance(value, bool) != (kind == "boolean") or not isinstance(value, _TYPES[kind]):
        return False
    if kind == "number":
        return isinstance(value, (int, float)) and 0 < value < math.inf
    return name not in _LOWEST or (isinstance(value, int) and value >= _LOWEST[name])


def _unlikely(config: Mapping[str, Any]) -> list[str]:
    problems = []
    key, email, start = _text(config, "api_key"), _text(config, "contact_email"), config.get("start_date")
    if not _PLAIN.fullmatch(key):
        problems.append(
            f"api_key ({variable('api_key')}) must be as Cliniko shows it: plain letters, digits and -"
        )
    if email and not ("@" in email and _PLAIN.fullmatch(email)):
        problems.append(
            f"contact_email ({variable('contact_email')}) must be an e-mail address in plain letters"
        )
    if isinstance(start, str) and start and not _is_moment(start):
        problems.append(f"start_date ({variable('start_date')}) must be a date such as 2024-01-31")
    return problems


def _text(config: Mapping[str, Any], name: str) -> str:
    return str(config.get(name) or "").strip()


def _is_moment(text: str) -> bool:
    try:
        moments.normal(text)
    except ValueError:
        return False
    return True
