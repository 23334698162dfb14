"""The target's settings: declared once, and checked all together before anything is sent.

What ``--about``, the README, meltano.yml and the Hub file say of them follows from here or is tested against it.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self, get_args, get_origin

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PrivateAttr,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
)

from target_highlevel import pasted
from target_highlevel.described_streams import DescribedStream
from target_highlevel.errors import SettingsError
from target_highlevel.http.client import checked_address
from target_highlevel.notify import UnusableUrl, checked_urls

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pydantic.fields import FieldInfo

OAUTH = ("oauth_file", "oauth_client_id", "oauth_client_secret")
DEFAULT_API_URL = "https://services.leadconnectorhq.com"
#: What HighLevel itself allows (docs/api-facts.md, Limits); a sandbox may be asked more.
_PER_10_SECONDS, _PER_DAY = 100, 200_000
#: Beyond what any server allows, and within what can be counted with.
_MOST_REQUESTS = 1_000_000_000
#: A run waits so long before it looks for a record whose answer was lost.
_LONGEST_LAG = 3600
#: A path. What has ``:/`` in it is an address, and would be taken for the name of a folder.
_NO_ADDRESS = r"^([^:]|:[^/])*:?$"
_TOKEN = re.compile(r"[\x21-\x7e]+")
_TYPES: dict[Any, str] = {
    str: "string",
    SecretStr: "string",
    Literal: "string",
    int: "integer",
    float: "number",
    bool: "boolean",
    dict: "object",
}
#: JSON schema's kinds of values as a person calls them.
WORDS = {
    "string": "a text",
    "boolean": "true or false",
    "integer": "a whole number",
    "number": "a number",
    "object": "an object in JSON",
}


def _no_boolean(value: Any) -> Any:
    """Refuse true and false where a number is wanted; pydantic would read them as 1 and 0."""
    if isinstance(value, bool):
        message = "a boolean is no number"
        raise ValueError(message)  # noqa: TRY004 - pydantic reports ValueError only
    return value


def _from_json(value: Any) -> Any:
    return json.loads(value) if isinstance(value, str) else value


def _token(value: SecretStr) -> SecretStr:
    bare = pasted.token(value.get_secret_value())
    if not _TOKEN.fullmatch(bare):
        message = "must be a token as HighLevel shows it: copy it again, it is one word without spaces"
        raise _Explained(message)
    return SecretStr(bare)


def _notify_urls(value: Any) -> tuple[SecretStr, ...]:
    try:
        return checked_urls(value)
    except UnusableUrl as error:
        raise _Explained(str(error)) from None


Count = Annotated[int, BeforeValidator(_no_boolean)]
Seconds = Annotated[float, BeforeValidator(_no_boolean)]
Token = Annotated[SecretStr, AfterValidator(_token)]
Location = Annotated[
    str, BeforeValidator(lambda value: pasted.location(value) if isinstance(value, str) else value)
]
Streams = Annotated[dict[str, DescribedStream], BeforeValidator(_from_json)]
Locations = Annotated[dict[str, Location], BeforeValidator(_from_json)]
Tokens = Annotated[dict[Location, Token], BeforeValidator(_from_json)]
NotifyUrls = Annotated[tuple[SecretStr, ...], BeforeValidator(_notify_urls)]

_AS_IN_THE_ADDRESS = "the id in the address of the sub-account's pages: …/v2/location/<id>/dashboard"


class Settings(BaseModel):
    """The settings of one run, checked. Names are those of meltano.yml."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    access_token: Token | None = Field(
        None,
        title="Access token",
        description="Private integration token of the HighLevel sub-account. Not needed with an OAuth app.",
    )
    oauth_file: str | None = Field(
        None,
        title="OAuth token file",
        description="File that holds the app's access and refresh token, as HighLevel's token endpoint answered;"
        " kept up to date and readable by its owner only. Instead of access_token.",
    )
    oauth_client_id: str | None = Field(
        None,
        title="OAuth client id",
        description="Client id of the marketplace app that oauth_file belongs to.",
    )
    oauth_client_secret: SecretStr | None = Field(
        None,
        title="OAuth client secret",
        description="Client secret of that app.",
    )
    agency_token: Token | None = Field(
        None,
        title="Agency token",
        description="Private integration token of the agency; needed only to create custom objects that are missing, and not"
        " beside the tokens of an app that the agency has installed.",
    )
    location_id: Location = Field(
        title="Location",
        description="Id of the HighLevel sub-account (its location id) that receives the records.",
        json_schema_extra={"expected": _AS_IN_THE_ADDRESS},
    )
    api_url: str = Field(
        DEFAULT_API_URL,
        title="API address",
        description="Base address of the HighLevel API.",
    )
    mode: Literal["load", "plan", "verify"] = Field(
        "load",
        title="Mode",
        description="load writes; plan predicts and writes nothing; verify reads everything back and compares.",
    )
    ledger_url: str = Field(
        "sqlite:///data/ledger.db",
        title="Ledger",
        description="SQLAlchemy URL of the ledger, which knows every record that was written: SQLite or PostgreSQL.",
        json_schema_extra={"secret": True},
    )
    take_over: bool = Field(
        False,  # noqa: FBT003 - the default
        title="Take over",
        description="Go on with this ledger in a sub-account that another ledger has written to;"
        " what it holds is found first.",
    )
    fallback_owner: str | None = Field(
        None,
        title="Fallback owner",
        description="E-mail of the HighLevel user who owns the patients that have no practitioner with a user.",
    )
    appointments_as: Literal["task", "calendar_event", "mixed"] = Field(
        "task",
        title="Appointments as",
        description="Whether an appointment becomes a task or a calendar event; mixed: past ones tasks, coming ones events."
        " Neither notifies anybody; changing this later does not convert what was already created.",
    )
    calendar_id: str | None = Field(
        None,
        title="Calendar",
        description="Calendar for all calendar events; by default one per appointment type, created when missing.",
    )
    pipeline: str | None = Field(
        None,
        title="Pipeline",
        description="Name or id of a pipeline: each patient with visits gets one opportunity there, its stage named as the"
        " appointment type of the next visit, else of the latest. By default none.",
    )
    calendars_open: bool = Field(
        False,  # noqa: FBT003 - the default
        title="Calendars open",
        description="Let calendars of appointment types that Cliniko offers online take bookings; else all are closed.",
    )
    overwrite: Literal["cliniko_wins", "fill_empty", "never"] = Field(
        "cliniko_wins",
        title="Overwrite",
        description="What becomes of a value somebody changed in HighLevel when it changes in Cliniko too.",
    )
    accept_rejects: bool = Field(
        False,  # noqa: FBT003 - the default
        title="Accept rejects",
        description="End with 0 instead of 4 when records were rejected. A verification then also accepts what people changed.",
    )
    require_approved_plan: bool = Field(
        False,  # noqa: FBT003 - the default
        title="Require an approved plan",
        description="Refuse to load until the plan of this mapping was approved.",
    )
    requests_per_10s: Count = Field(
        _PER_10_SECONDS,
        ge=1,
        le=_MOST_REQUESTS,
        title="Requests per 10 seconds",
        description="Burst budget of the sub-account (25 for a sandbox account).",
    )
    requests_per_day: Count = Field(
        _PER_DAY,
        ge=1,
        le=_MOST_REQUESTS,
        title="Requests per day",
        description="Daily budget of the sub-account (10,000 for a sandbox account)."
        " What is left over waits in the ledger for the next run.",
    )
    search_lag_seconds: Seconds = Field(
        10,
        ge=0,
        le=_LONGEST_LAG,
        allow_inf_nan=False,
        title="Search lag",
        description="Seconds a new record may take to appear in HighLevel's search.",
    )
    report_dir: str = Field(
        "data/reports",
        title="Report folder",
        description="Folder on this machine that receives one folder per run, with its report.",
        pattern=_NO_ADDRESS,
        json_schema_extra={"expected": "a folder on this machine, no address such as s3://…"},
    )
    show_values: bool = Field(
        False,  # noqa: FBT003 - the default
        title="Show values",
        description="Show the compared values instead of their kind in the reports of plan and verify, and names in the report"
        " of several runs; for a sample, also write a sheet of every field to be signed. Such reports hold personal data.",
    )
    app_url: str = Field(
        "https://app.gohighlevel.com",
        title="Web app",
        description="Address of HighLevel's web app, for the links in the report of several runs: the agency's own domain, if it"
        " has one.",
        pattern=r"^https://[^\s?#]+$",
        json_schema_extra={"expected": "an address that begins with https://"},
    )
    locations: Locations = Field(
        default_factory=dict,
        title="Locations",
        description="Cliniko business id to the id of the sub-account that this business has of its own;"
        " all else goes to the main one.",
        json_schema_extra={"expected": "an object in JSON: business id to location id, both texts"},
    )
    access_tokens: Tokens = Field(
        default_factory=dict,
        title="Access tokens",
        description="Sub-account id to its private integration token, for the sub-accounts beside the main one"
        " that locations names.",
        json_schema_extra={"expected": "an object in JSON: location id to token, both texts"},
    )
    streams: Streams = Field(
        default_factory=dict,
        title="Streams",
        description="Streams of other taps, by name: the object each fills, its id, and which property goes into which field.",
        json_schema_extra={"expected": "an object in JSON: stream to its description"},
    )
    unknown_streams: Literal["refuse", "ignore"] = Field(
        "refuse",
        title="Unknown streams",
        description="What becomes of a stream that neither a mapping nor its own schema describes:"
        " the run is refused before anything is written, or its records are left out and counted.",
    )
    notify_urls: NotifyUrls = Field(
        default_factory=tuple,
        title="Notification URLs",
        description="Apprise URLs (e-mail, chat, push), separated by commas or blanks, or a list in JSON:"
        " each is sent one line when a run or a command ends, without personal data.",
    )
    mapping: str | None = Field(
        None,
        title="Mapping",
        description="Path of the mapping file the clinic confirmed; by default the one shipped with the mapper.",
    )

    _main_location: str | None = PrivateAttr(None)

    @property
    def main_location(self) -> str:
        """Return the id of the main sub-account, which takes what no other does."""
        return self._main_location or self.location_id

    def sub_accounts(self) -> tuple[Self, ...]:
        """Return the settings for each sub-account of a run: the main one, then those that businesses have of their own."""
        return (
            self,
            *(self._for(location, token) for location, token in self.tokens_beside().items()),
        )

    def tokens_beside(self) -> dict[str, SecretStr | None]:
        """Return the token of each sub-account beside the main one; none where it is not set."""
        others = (location for location in self.locations.values() if location != self.location_id)
        return {location: self.access_tokens.get(location) for location in others}

    def _for(self, location: str, token: SecretStr | None) -> Self:
        """Return the settings of a sub-account beside the main one; without a token of its own it has one by the app."""
        only_main = dict.fromkeys(("calendar_id", *(OAUTH if token else ())))
        copy = self.model_copy(update={"location_id": location, "access_token": token, **only_main})
        copy._main_location = self.location_id  # noqa: SLF001 - of our own kind
        return copy

    def __repr__(self) -> str:
        """Name the sub-account only: the rest may hold secrets."""
        return f"Settings(location_id={self.location_id!r}, mode={self.mode!r})"

    __str__ = __repr__

    @field_validator("api_url", mode="after")
    @classmethod
    def _is_confidential(cls, value: str) -> str:
        try:
            return checked_address(value)
        except SettingsError as error:
            raise _Explained(error.hint.removeprefix("the setting api_url ")) from None

    @field_validator("fallback_owner", mode="after")
    @classmethod
    def _is_an_address(cls, value: str | None) -> str | None:
        return pasted.email(value) if value else None

    @field_validator("requests_per_10s", "requests_per_day", mode="after")
    @classmethod
    def _within_the_limit(cls, value: int, info: ValidationInfo) -> int:
        """Allow more than HighLevel does only to some other server."""
        most = _PER_10_SECONDS if info.field_name == "requests_per_10s" else _PER_DAY
        if value > most and info.data.get("api_url", DEFAULT_API_URL) == DEFAULT_API_URL:
            message = f"must be at most {most}, which is what HighLevel allows"
            raise _Explained(message)
        return value

    @classmethod
    def read(cls, config: Mapping[str, Any]) -> Self:
        """Return checked settings.

        Raises:
            SettingsError: with every problem at once, each naming its variable and never a value.
        """
        given = cleaned(config)
        missing = [f"set {variable(name)}" for name in _needed(given) if not given.get(name)]
        try:
            settings = cls.model_validate(given)
        except ValidationError as error:
            found = error.errors(include_url=False, include_input=False)
            wrong = [_problem(each) for each in found if each["type"] != "missing" or len(each["loc"]) > 1]
            raise SettingsError("; ".join(dict.fromkeys([*missing, *wrong]))) from None
        missing += [
            f"{variable('access_tokens')} has no token for sub-account {location}, which {variable('locations')} names"
            for location, token in settings.tokens_beside().items()
            if token is None and not settings.oauth_file
        ]
        if missing:
            raise SettingsError("; ".join(missing))
        return settings


class _Explained(ValueError):  # noqa: N818 - never leaves this module
    """A problem whose text says what is allowed, and repeats no value."""


#: What the SDK offers in every target and this one does in one way only.
_OF_THE_SDK = {
    "load_method": {
        "type": ["string", "null"],
        "title": "Load method",
        "default": "upsert",
        "description": "Always upsert: a record is created once and updated afterwards.",
        "enum": ["upsert"],
    }
}


def json_schema() -> dict[str, Any]:
    """Describe the settings as the SDK wants it: the source of ``--about``."""
    described = {name: _described(field) for name, field in Settings.model_fields.items()}
    return {"type": "object", "properties": {**described, **_OF_THE_SDK}}


def settings_from(config: Mapping[str, Any]) -> Settings:
    """Return the target's own settings out of a configuration that may hold the SDK's too.

    Raises:
        SettingsError: with every problem at once.
    """
    return Settings.read({name: value for name, value in config.items() if name in Settings.model_fields})


def cleaned(config: Mapping[str, Any]) -> dict[str, Any]:
    """Take off what comes along when a value is copied, and leave out what is empty then."""
    tidied = {name: pasted.text(value) if isinstance(value, str) else value for name, value in config.items()}
    return {name: value for name, value in tidied.items() if value is not None and value != ""}


def variable(name: str) -> str:
    """Return the environment variable of a setting."""
    return f"TARGET_HIGHLEVEL_{name.upper()}"


def _needed(given: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the settings without which nothing can begin: the token, or all that OAuth takes once a part of it is there."""
    credentials = OAUTH if any(given.get(name) for name in OAUTH) else ("access_token",)
    return (*credentials, "location_id")


def _problem(error: Mapping[str, Any]) -> str:
    """Say what a setting must be; the vendor's text and the value are left out."""
    name = str(error["loc"][0])
    cause = error.get("ctx", {}).get("error")
    if name == "streams" and len(error["loc"]) > 1:  # nothing in there is a secret or about a person
        place = ".".join(str(part) for part in error["loc"][1:])
        return f"{variable(name)}: {place}: {error['msg'].removeprefix('Value error, ')}"
    if error["type"] == "extra_forbidden":
        return f"unknown setting {name}"
    if isinstance(cause, _Explained):
        return f"{variable(name)} {cause}"
    return f"{variable(name)} must be {_expected(Settings.model_fields[name], error)}"


def _expected(field: FieldInfo, error: Mapping[str, Any]) -> str:
    said = _extra(field).get("expected")
    if said is not None:
        return str(said)
    allowed = _choices(field)
    if allowed:
        return f"one of {', '.join(allowed)}"
    if error["type"] == "greater_than_equal":
        return f"at least {error['ctx']['ge']:g}"
    if error["type"] == "less_than_equal":
        return f"at most {error['ctx']['le']}"
    return WORDS[_kind(field)]


def _described(field: FieldInfo) -> dict[str, Any]:
    kind = _kind(field)
    described: dict[str, Any] = {
        "type": [kind, "null"],
        "title": field.title,
        "description": field.description,
    }
    if field.default is not None and not field.is_required() and field.default_factory is None:
        described["default"] = field.default
    if allowed := _choices(field):
        described["enum"] = allowed
    if SecretStr in _parts_of(field.annotation) or _extra(field).get("secret"):
        described |= {"secret": True, "writeOnly": True}
    if kind == "object":
        described |= {"properties": {}, "additionalProperties": True}
    return described


def _kind(field: FieldInfo) -> str:
    return next((_TYPES[part] for part in _parts_of(field.annotation) if part in _TYPES), "string")


def _choices(field: FieldInfo) -> list[str]:
    return list(get_args(field.annotation)) if get_origin(field.annotation) is Literal else []


def _parts_of(annotation: Any) -> Iterator[Any]:
    """Yield the types that an annotation such as ``int | None`` or ``dict[str, str]`` is made of, the outer ones first."""
    yield get_origin(annotation) or annotation
    if get_origin(annotation) is Literal:
        return
    for part in get_args(annotation):
        yield from _parts_of(part)


def _extra(field: FieldInfo) -> dict[str, Any]:
    return dict(field.json_schema_extra) if isinstance(field.json_schema_extra, dict) else {}
