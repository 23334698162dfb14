"""Every setting of the tap, declared once: validation, `--about`, README, Hub definition and meltano.yml follow."""

from __future__ import annotations

import os
import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any, Self, get_args

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
)

from tap_cliniko import pasted, timestamps
from tap_cliniko.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from pydantic.fields import FieldInfo

_PREFIX = "TAP_CLINIKO_"
_ALLOWED_BY_CLINIKO = 200
"""Requests a minute for each user (API documentation, "Rate limits")."""
_MOST_REQUESTS = 1_000_000_000
"""Beyond what any server allows, and within what can be counted with."""
_A_YEAR = 366 * 86_400
"""Seconds; more make no sense as a lag or an overlap, and could lead to before the first year there is."""
_MOST_MEGABYTES = 1_000_000_000
_NO_ADDRESS = r"^([^:]|:[^/])*:?$"
"""A path. What has `:/` in it is an address, and would be taken for the name of a folder."""
_HEADER_SAFE = re.compile("[!-~]+")
_EMAIL = re.compile(r"[!-~]+@[!-~]+")
_TYPES: dict[Any, str] = {str: "string", int: "integer", float: "number", bool: "boolean"}


def _no_boolean(value: Any) -> Any:
    """Refuse true and false where a number is wanted; pydantic would read them as 1 and 0."""
    if isinstance(value, bool):
        msg = "a boolean is no number"
        raise ValueError(msg)  # noqa: TRY004 - pydantic reports ValueError only
    return value


Count = Annotated[int, BeforeValidator(_no_boolean)]
Number = Annotated[float, BeforeValidator(_no_boolean)]


class Settings(BaseModel):
    """The settings of one run, checked. Names are those of meltano.yml."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    api_key: SecretStr = Field(
        title="API key",
        description=(
            "API key of a Cliniko user (My info, Manage API keys), best an administrator: "
            "the tap sees what that user sees."
        ),
        json_schema_extra={"expected": "as Cliniko shows it: plain letters, digits and -"},
    )
    contact_email: str = Field(
        title="Contact e-mail",
        description="Where Cliniko can reach whoever runs this; sent in the User-Agent, as Cliniko demands.",
        json_schema_extra={"expected": "an e-mail address in plain letters"},
    )
    api_url: str | None = Field(
        None,
        title="API URL",
        description="Base URL with /v1. By default it follows from the shard at the end of the key.",
        json_schema_extra={"expected": "an address such as https://api.au1.cliniko.com/v1"},
    )
    start_date: str | None = Field(
        None,
        title="Start date",
        description="Read only what changed since, in the first run. By default everything is read.",
        json_schema_extra={
            "format": "date-time",
            "expected": "a date such as 2024-01-31 that is not in the future",
        },
    )
    sample_patients: Count | None = Field(
        None,
        ge=1,
        title="Sample of patients",
        description="Read a representative slice of this many patients, with all that belongs to them. Unset: all.",
    )
    sample_ids: tuple[str, ...] | None = Field(
        None,
        title="Ids of sample patients",
        description=(
            "Read these patients instead, with all that belongs to them: Cliniko's ids, separated by commas, "
            "as in the address of the patient's page."
        ),
        json_schema_extra={"expected": "ids of patients separated by commas, such as 1234,5678"},
    )
    download_attachments: bool = Field(
        True,  # noqa: FBT003 - the default
        title="Download attachments",
        description="Fetch the bytes of patient attachments, one further request each.",
    )
    attachments_dir: str | None = Field(
        None,
        title="Attachments directory",
        description=(
            "Where the bytes go: a local path or any fsspec URL. "
            "By default data/<Meltano environment>/attachments, or data/attachments without one."
        ),
    )
    attachments_max_megabytes: Number | None = Field(
        None,
        gt=0,
        le=_MOST_MEGABYTES,
        allow_inf_nan=False,
        title="Largest attachment",
        description="Leave larger files where they are (file_status too_large). Unset: no limit.",
    )
    requests_per_minute: Count = Field(
        _ALLOWED_BY_CLINIKO,
        ge=1,
        le=_MOST_REQUESTS,
        title="Requests per minute",
        description=(
            "The request budget; Cliniko allows 200 per user. "
            "Lower it when another program uses the same Cliniko user."
        ),
    )
    lag_seconds: Count = Field(
        120,
        ge=0,
        le=_A_YEAR,
        title="Lag",
        description="How far behind the present a run ends, to leave changes under way to the next one.",
    )
    overlap_seconds: Count = Field(
        300,
        ge=0,
        le=_A_YEAR,
        title="Overlap",
        description="How far before its bookmark a run begins again, to catch what was committed late.",
    )
    skip_refused_streams: bool = Field(
        False,  # noqa: FBT003 - the default
        title="Skip refused streams",
        description="Go on without the streams that the key's role may not read, instead of stopping.",
    )
    include_access_links: bool = Field(
        False,  # noqa: FBT003 - the default
        title="Include access links",
        description=(
            "Keep URLs that let their holder in without a password (video call, cancellation, form, payment)."
        ),
    )
    detect_deletions: bool = Field(
        False,  # noqa: FBT003 - the default
        title="Detect deletions",
        description="Find rows deleted for good and emit a record with _sdc_deleted_at for each.",
    )
    known_ids_path: str | None = Field(
        None,
        title="Known ids",
        description=(
            "File in which detect_deletions remembers the ids it has seen, one for each Cliniko account. "
            "By default data/<Meltano environment>/known_ids.db, or data/known_ids.db without one."
        ),
        pattern=_NO_ADDRESS,
        json_schema_extra={"expected": "a file on this machine, no address such as s3://…"},
    )

    @field_validator("api_key", mode="after")
    @classmethod
    def _fits_a_header(cls, value: SecretStr) -> SecretStr:
        return SecretStr(_matching(_HEADER_SAFE, value.get_secret_value()))

    @field_validator("contact_email", mode="before")
    @classmethod
    def _is_an_address(cls, value: Any) -> Any:
        return _matching(_EMAIL, pasted.email(value)) if isinstance(value, str) else value

    @field_validator("api_url", mode="before")
    @classmethod
    def _is_a_base(cls, value: Any) -> Any:
        return pasted.api_base(value) if isinstance(value, str) else value

    @field_validator("start_date", mode="after")
    @classmethod
    def _is_past(cls, value: str | None) -> str | None:
        """Refuse a date to come: nothing would be read, and the run would look complete."""
        if value is None:
            return None
        start = timestamps.normal(value)
        if start > timestamps.from_epoch((datetime.now(UTC) + timedelta(days=1)).timestamp()):
            msg = "in the future"
            raise ValueError(msg)
        return start

    @field_validator("sample_ids", mode="before")
    @classmethod
    def _are_ids(cls, value: Any) -> Any:
        return pasted.ids(value)

    @field_validator("requests_per_minute", mode="after")
    @classmethod
    def _within_the_limit(cls, value: int, info: ValidationInfo) -> int:
        """Allow more than Cliniko does only to some other server."""
        if value > _ALLOWED_BY_CLINIKO and not info.data.get("api_url"):
            msg = f"must be at most {_ALLOWED_BY_CLINIKO}, which is what Cliniko allows"
            raise _Explained(msg)
        return value

    # ------------------------------------------------------------------ reading

    @classmethod
    def read(cls, config: Mapping[str, Any], also: Collection[str] = ()) -> Self:
        """Check a configuration and report every problem at once, without showing a value.

        Args:
            config: the configuration as it came.
            also: names of settings that the framework itself understands.

        Raises:
            SettingsError: names each setting that is missing, wrong or unknown.
        """
        given = {name: value for name, value in cleaned(config).items() if name not in also}
        try:
            return cls.model_validate(given)
        except ValidationError as error:
            raise SettingsError("; ".join(_problems(error))) from None

    @property
    def sampled(self) -> bool:
        """Whether only some patients are read."""
        return self.sample_patients is not None or self.sample_ids is not None

    @property
    def attachments_folder(self) -> str:
        """Where the bytes of attachments go."""
        return self.attachments_dir or _data_path("attachments")

    @property
    def known_ids_file(self) -> str:
        """Where the ids that were seen are remembered."""
        return self.known_ids_path or _data_path("known_ids.db")

    @property
    def largest_file(self) -> int | None:
        """The most bytes that an attachment may have to be fetched."""
        most = self.attachments_max_megabytes
        return None if most is None else int(most * 1_000_000)


class _Explained(ValueError):  # noqa: N818 - never leaves this module
    """A problem whose text tells what is allowed."""


def cleaned(config: Mapping[str, Any]) -> dict[str, Any]:
    """Take off what comes along when a value is copied, and leave out settings that are empty then."""
    tidied = {name: pasted.text(value) if isinstance(value, str) else value for name, value in config.items()}
    return {name: value for name, value in tidied.items() if value is not None and value != ""}


def from_environment(environment: Mapping[str, str], names: Collection[str]) -> dict[str, Any]:
    """Read settings from environment variables.

    A `.env` that an editor on Windows wrote begins with a byte order mark, which then is part of its first name.
    """
    given = {
        name: environment.get(variable(name))
        or environment.get(f"\N{ZERO WIDTH NO-BREAK SPACE}{variable(name)}")
        for name in names
    }
    return {name: text for name, text in given.items() if text}


def variable(name: str) -> str:
    """Name the environment variable of a setting."""
    return f"{_PREFIX}{name.upper()}"


def json_schema() -> dict[str, Any]:
    """Describe the settings as the SDK wants it: the source of `--about` and of the Hub definition."""
    fields = Settings.model_fields
    return {
        "type": "object",
        "properties": {name: _property(field) for name, field in fields.items()},
        "required": [name for name, field in fields.items() if field.is_required()],
    }


def _property(field: FieldInfo) -> dict[str, Any]:
    kind = _kind(field)
    described: dict[str, Any] = {
        "type": [kind] if field.is_required() else [kind, "null"],
        "title": field.title,
        "description": field.description,
    }
    if field.annotation is SecretStr:
        described |= {"secret": True, "writeOnly": True}
    if (form := _extra(field).get("format")) is not None:
        described["format"] = form
    if field.default is not None and not field.is_required():
        described["default"] = field.default
    return described


def _kind(field: FieldInfo) -> str:
    """Name the JSON type; a list is given as text, separated by commas."""
    return next((_TYPES[each] for each in _parts_of(field.annotation) if each in _TYPES), "string")


def _parts_of(annotation: Any) -> Iterator[Any]:
    """Yield the types that an annotation such as `int | None` is made of."""
    yield annotation
    for part in get_args(annotation):
        if isinstance(part, type) or get_args(part):
            yield from _parts_of(part)


def _extra(field: FieldInfo) -> dict[str, Any]:
    extra = field.json_schema_extra
    return dict(extra) if isinstance(extra, dict) else {}


def _problems(error: ValidationError) -> list[str]:
    """Say what is missing, wrong and unknown, each setting by its name and variable."""
    found = {str(each["loc"][0]): each for each in error.errors(include_url=False, include_input=False)}
    missing = [variable(name) for name, each in found.items() if each["type"] == "missing"]
    unknown = sorted(name for name, each in found.items() if each["type"] == "extra_forbidden")
    problems = [f"set {' and '.join(missing)}"] if missing else []
    for name, each in found.items():
        if each["type"] not in {"missing", "extra_forbidden"}:
            cause = each.get("ctx", {}).get("error")
            said = (
                str(cause)
                if isinstance(cause, (_Explained, pasted.Explained))
                else f"must be {_expected(name)}"
            )
            problems.append(f"{name} ({variable(name)}) {said}")
    return [
        *problems,
        *([f"no such setting: {', '.join(unknown)}; see tap-cliniko --about"] if unknown else []),
    ]


def _expected(name: str) -> str:
    field = Settings.model_fields[name]
    if (said := _extra(field).get("expected")) is not None:
        return str(said)
    kind = _kind(field)
    most = _bound(field, "le")
    to = "" if most is None else f" and at most {most}"
    if kind == "number":
        return f"a number above 0{to}"
    lowest = _bound(field, "ge")
    return (
        f"{'an' if kind[0] in 'aio' else 'a'} {kind}{'' if lowest is None else f' of at least {lowest}{to}'}"
    )


def _bound(field: FieldInfo, name: str) -> Any:
    """Return the least or the greatest value that a setting may have."""
    return next((getattr(each, name) for each in field.metadata if hasattr(each, name)), None)


def _matching(pattern: re.Pattern[str], text: str) -> str:
    if not pattern.fullmatch(text):
        msg = "not what is wanted"
        raise ValueError(msg)
    return text


def _data_path(name: str) -> str:
    environment = os.environ.get("MELTANO_ENVIRONMENT")
    root = os.environ.get("MELTANO_PROJECT_ROOT", ".")
    return os.path.join(root, "data", *([environment] if environment else []), name)  # noqa: PTH118 - may be no path
