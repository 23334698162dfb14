"""The settings as people give them: pasted, quoted, wrong in several places; and what is said of them."""

from __future__ import annotations

import logging
from decimal import Decimal
from typing import Any

import pytest

from target_highlevel.configuration import configuration, settings_from_environment
from target_highlevel.errors import SettingsError
from target_highlevel.settings import Settings, json_schema, settings_from, variable

GIVEN: dict[str, Any] = {"access_token": "pit-secret", "location_id": "ve9EPM428h8vShlRW1KT"}
DECLARED = {**json_schema()["properties"], "stream_maps": {"type": ["object", "null"]}}


def problems(**more: Any) -> list[str]:
    """Return what is said against these settings."""
    with pytest.raises(SettingsError) as caught:
        configuration({**GIVEN, **more}, DECLARED, environment=False)
    assert caught.value.exit_code == 2
    return caught.value.hint.split("; ")


def test_what_is_not_given_has_its_default() -> None:
    """Token and location are enough."""
    settings = settings_from(GIVEN)
    defaults = {name: item["default"] for name, item in DECLARED.items() if item.get("default") is not None}
    del defaults["load_method"]
    assert {name: getattr(settings, name) for name in defaults} == defaults
    assert settings.locations == {}


@pytest.mark.parametrize(
    "typed",
    [
        "ve9EPM428h8vShlRW1KT",
        " ve9EPM428h8vShlRW1KT\r\n",
        '"ve9EPM428h8vShlRW1KT"',
        "' ve9EPM428h8vShlRW1KT '",
        "\u201cve9EPM428h8vShlRW1KT\u201d",
        "\ufeffve9EPM428h8vShlRW1KT\u200b",
        "https://app.gohighlevel.com/v2/location/ve9EPM428h8vShlRW1KT/dashboard",
        "https://app.gohighlevel.com/v2/location/ve9EPM428h8vShlRW1KT",
        "https://crm.an-agency.com/location/ve9EPM428h8vShlRW1KT/contacts/smart_list/All?x=1",
        "app.gohighlevel.com/v2/location/ve9EPM428h8vShlRW1KT/settings/company#top",
        "HTTPS://APP.GOHIGHLEVEL.COM/V2/LOCATION/ve9EPM428h8vShlRW1KT/dashboard",
        "https://app.gohighlevel.com/v2/location/%20ve9EPM428h8vShlRW1KT%20/",
        "<ve9EPM428h8vShlRW1KT>",
        "\u00abve9EPM428h8vShlRW1KT\u00bb",
        "'ve9EPM428h8vShlRW1KT",
        "ve9EPM428h8vShlRW1KT,",
        '"locationId": "ve9EPM428h8vShlRW1KT",',
        "TARGET_HIGHLEVEL_LOCATION_ID=ve9EPM428h8vShlRW1KT",
    ],
)
def test_a_location_is_read_as_it_is_pasted(typed: str) -> None:
    """Blanks, quotes and invisible marks go; of a page's address the id stays."""
    settings = settings_from({**GIVEN, "location_id": typed, "locations": {"7": typed}})
    assert settings.location_id == settings.locations["7"] == "ve9EPM428h8vShlRW1KT"


@pytest.mark.parametrize("typed", ["Main Street Clinic", "https://app.gohighlevel.com/", "a/b", "ve9;drop"])
def test_what_is_no_location_is_refused_by_name(typed: str) -> None:
    """The value itself is not repeated."""
    (problem,) = problems(location_id=typed)
    assert problem.startswith("TARGET_HIGHLEVEL_LOCATION_ID must be the id in the address")
    assert typed not in problem


@pytest.mark.parametrize(
    "typed",
    [
        "pit-secret",
        ' "pit-secret" ',
        "Bearer pit-secret",
        "Authorization: Bearer pit-secret\r\n",
        "pit-secret;",
        "TARGET_HIGHLEVEL_ACCESS_TOKEN='pit-secret'",
    ],
)
def test_a_token_is_read_as_it_is_pasted(typed: str) -> None:
    """With its header, in quotes, with the end of its line."""
    token = settings_from({**GIVEN, "access_token": typed}).access_token
    assert token is not None
    assert token.get_secret_value() == "pit-secret"


@pytest.mark.parametrize(
    ("name", "typed", "value"),
    [
        ("accept_rejects", "yes", True),
        ("accept_rejects", " FALSE\r", False),
        ("requests_per_10s", " 25 ", 25),
        ("requests_per_10s", '"25"', 25),
        ("search_lag_seconds", "0.5", 0.5),
        ("search_lag_seconds", Decimal("0.5"), 0.5),
        ("fallback_owner", "mailto:desk@example.org", "desk@example.org"),
        ("fallback_owner", "Front Desk <desk@example.org>", "desk@example.org"),
        ("locations", '{"1": "a", "2": "b"}', {"1": "a", "2": "b"}),
        ("api_url", "https://services.leadconnectorhq.com/ ", "https://services.leadconnectorhq.com"),
        ("calendar_id", "", None),
        ("mode", None, "load"),
    ],
)
def test_a_text_becomes_what_its_setting_is(name: str, typed: Any, value: Any) -> None:
    """Meltano and the environment give texts."""
    tokens = {"a": "pit-a", "b": "pit-b"}
    config = configuration({**GIVEN, "access_tokens": tokens, name: typed}, DECLARED, environment=False)
    assert getattr(settings_from(config), name) == value


@pytest.mark.parametrize(
    ("name", "typed", "wanted"),
    [
        ("access_token", "pit one", "must be a token"),
        ("agency_token", "pit-ö", "must be a token"),
        ("api_url", "http://services.leadconnectorhq.com", "must begin with https://"),
        ("api_url", "nonsense", "is not an address"),
        ("mode", "delete", "must be one of load, plan, verify"),
        ("overwrite", "always", "must be one of cliniko_wins, fill_empty, never"),
        ("unknown_streams", "load", "must be one of refuse, ignore"),
        ("requests_per_10s", "many", "must be a whole number"),
        ("requests_per_10s", True, "must be a whole number"),
        ("requests_per_10s", 0, "must be at least 1"),
        ("requests_per_10s", 101, "must be at most 100, which is what HighLevel allows"),
        ("requests_per_day", 200_001, "must be at most 200000"),
        ("search_lag_seconds", "-1", "must be at least 0"),
        ("requests_per_day", "9" * 400, "must be at most 1000000000"),
        ("search_lag_seconds", "1e9", "must be at most 3600"),
        ("api_url", "https://crm example.com", "is not an address"),
        ("search_lag_seconds", "nan", "must be a number"),
        ("search_lag_seconds", "inf", "must be a number"),
        ("accept_rejects", "ja", "must be true or false"),
        ("locations", "[]", "must be an object in JSON"),
        ("locations", "{", "must be an object in JSON"),
        ("locations", {"1": 2}, "must be an object in JSON"),
        ("locations", {"1": "Main Street"}, "must be an object in JSON"),
        ("stream_maps", "hl_notes", "must be an object in JSON"),
        ("report_dir", "s3://bucket/reports", "must be a folder on this machine"),
        ("report_dir", "file:///reports", "must be a folder on this machine"),
    ],
)
def test_a_wrong_value_is_named_by_its_variable(name: str, typed: Any, wanted: str) -> None:
    """With what it must be, and without the value."""
    (problem,) = problems(**{name: typed})
    assert problem.startswith(f"{variable(name)} {wanted}")


def test_all_problems_are_told_at_once() -> None:
    """Nobody has to run ten times to learn of ten of them."""
    told = problems(
        access_token="", location_id=None, mode="x", requests_per_day="y", colour="blue", stream_maps="z"
    )
    assert told == [
        "unknown setting colour (`target-highlevel --about` lists all)",
        "TARGET_HIGHLEVEL_STREAM_MAPS must be an object in JSON",
        "set TARGET_HIGHLEVEL_ACCESS_TOKEN",
        "set TARGET_HIGHLEVEL_LOCATION_ID",
        "TARGET_HIGHLEVEL_MODE must be one of load, plan, verify",
        "TARGET_HIGHLEVEL_REQUESTS_PER_DAY must be a whole number",
    ]


def test_a_part_of_oauth_asks_for_the_rest() -> None:
    """A private token beside it does not count then."""
    assert problems(oauth_file="tokens.json") == [
        "set TARGET_HIGHLEVEL_OAUTH_CLIENT_ID",
        "set TARGET_HIGHLEVEL_OAUTH_CLIENT_SECRET",
    ]


def test_variables_count_and_win(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also the first one of a `.env` that was saved with a byte order mark."""
    monkeypatch.setenv("\ufeffTARGET_HIGHLEVEL_ACCESS_TOKEN", "pit-first\r")
    monkeypatch.setenv("TARGET_HIGHLEVEL_LOCATION_ID", '"there"\r')
    monkeypatch.setenv("TARGET_HIGHLEVEL_MODE", "")
    monkeypatch.setenv("TARGET_HIGHLEVEL_OVERWRITE", "never")
    settings = settings_from_environment()
    assert settings.location_id == "there"
    assert settings.access_token is not None
    assert settings.access_token.get_secret_value() == "pit-first"
    assert (settings.mode, settings.overwrite) == ("load", "never")
    given = configuration({**GIVEN, "overwrite": "fill_empty"}, DECLARED, environment=False)
    assert given["overwrite"] == "fill_empty"
    assert given["access_token"] == "pit-secret"


def test_no_secret_is_ever_shown(caplog: pytest.LogCaptureFixture) -> None:
    """Neither in a repr, nor in an error, nor by way of what caused one."""
    secrets = {
        "access_token": "pit-S3CRET",
        "agency_token": "pit-S3CRET",
        "oauth_file": "tokens.json",
        "oauth_client_id": "app",
        "oauth_client_secret": "S3CRET",
        "ledger_url": "postgresql://u:S3CRET@h/d",
    }
    settings = settings_from({**GIVEN, **secrets})
    logging.getLogger().warning("%r %s", settings, settings)
    with pytest.raises(SettingsError) as caught:
        settings_from({**GIVEN, **secrets, "access_token": "pit S3CRET", "agency_token": 7, "mode": "S3CRET"})
    assert caught.value.__cause__ is None
    shown = f"{caplog.text} {caught.value} {caught.value!r} {settings.model_dump()!s}"
    assert "S3CRET" not in shown.replace(secrets["ledger_url"], "")
    assert "S3CRET" not in caplog.text


def test_every_secret_is_declared_as_one() -> None:
    """Meltano then redacts it."""
    assert {name for name, item in DECLARED.items() if item.get("secret")} == {
        "access_token",
        "access_tokens",
        "agency_token",
        "oauth_client_secret",
        "ledger_url",
        "notify_urls",
    }
    assert set(Settings.model_fields) | {"load_method"} == set(json_schema()["properties"])
