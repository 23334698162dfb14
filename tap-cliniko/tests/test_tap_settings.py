"""Settings are declared once, forgive what people paste, and name every problem at once without a value."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from tap_cliniko.client import base_url
from tap_cliniko.errors import SettingsError
from tap_cliniko.settings import Settings, json_schema
from tap_cliniko.tap import TapCliniko

GIVEN = {"api_key": "abc-uk1", "contact_email": "a@b.example"}


def read(**more: Any) -> Settings:
    """Check a configuration as the tap does."""
    return TapCliniko.settings_from({**GIVEN, **more})


def refused(**more: Any) -> str:
    """Return how a configuration is refused."""
    with pytest.raises(SettingsError) as caught:
        read(**more)
    return str(caught.value)


@pytest.mark.parametrize("around", [" {}\n", '"{}"', "'{}'\r", "\ufeff{}", "\u201c{}\u201d", "\u200b{}\xa0"])
def test_what_comes_along_with_a_copy_is_taken_off(around: str) -> None:
    """Blanks, quotes, line ends of Windows and marks no eye sees; at the end of a key they would hide the shard."""
    settings = read(api_key=around.format("abc-uk1"), contact_email=around.format("a@b.example"))
    assert base_url(settings.api_key.get_secret_value()) == "https://api.uk1.cliniko.com/v1"
    assert settings.contact_email == "a@b.example"


@pytest.mark.parametrize("pasted", ["mailto:a@b.example", "Jane Citizen <a@b.example>"])
def test_an_address_may_come_as_a_link_or_with_a_name(pasted: str) -> None:
    """What an e-mail program copies holds the address."""
    assert read(contact_email=pasted).contact_email == "a@b.example"


@pytest.mark.parametrize(
    ("pasted", "base"),
    [
        ("https://api.au2.cliniko.com/v1/", "https://api.au2.cliniko.com/v1"),
        ("api.au2.cliniko.com", "https://api.au2.cliniko.com/v1"),
        ("https://sample-street.au2.cliniko.com/patients/17?tab=notes", "https://api.au2.cliniko.com/v1"),
        ("http://127.0.0.1:8000/v1/", "http://127.0.0.1:8000/v1"),
        (None, None),
    ],
)
def test_any_page_of_cliniko_names_the_api(pasted: str | None, base: str | None) -> None:
    """The shard is in every address; other servers are taken as they are given."""
    assert read(api_url=pasted).api_url == base


def test_the_key_does_not_travel_in_the_clear() -> None:
    """An address without TLS is refused unless it is this machine; one with a password would be shown in messages."""
    assert "https" in refused(api_url="http://cliniko.example.org/v1")
    assert "an address such as" in refused(api_url="https://cliniko example.org/v1")
    with_password = refused(api_url="https://someone:hush@cliniko.example.org/v1")
    assert "password" in with_password
    assert "hush" not in with_password


@pytest.mark.parametrize(
    "pasted", ["1234,5678", " 5678; 1234 ", "[1234, 5678]", [1234, "5678"], "patients/5678 patients/1234"]
)
def test_ids_may_be_given_in_several_ways(pasted: Any) -> None:
    """Also as the addresses of the patients' pages; each id counts once."""
    assert read(sample_ids=pasted).sample_ids == ("1234", "5678")
    page = "https://x.au2.cliniko.com/patients"
    assert read(sample_ids=f"{page}/1234, {page}/5678?tab=1,1234").sample_ids == ("1234", "5678")


@pytest.mark.parametrize("pasted", ["Jane", "12 34a", ["1", "x"], 17])
def test_what_is_no_id_is_refused(pasted: Any) -> None:
    """Neither is a name guessed at."""
    assert "TAP_CLINIKO_SAMPLE_IDS) must be ids of patients" in refused(sample_ids=pasted)


def test_what_is_empty_is_not_set() -> None:
    """An empty line in a `.env` is no value."""
    settings = read(start_date="", sample_ids=" ", lag_seconds="", api_url='""')
    assert settings == read()
    assert not settings.sampled


def test_a_start_that_is_still_to_come_is_refused() -> None:
    """Nothing would be read, and the run would look complete."""
    assert "TAP_CLINIKO_START_DATE" in refused(start_date="2999-01-01")
    assert read(start_date="2024-01-31").start_date == "2024-01-31T00:00:00Z"


@pytest.mark.parametrize("value", [True, "many", -1, 1.5])
def test_a_number_is_no_truth_value(value: Any) -> None:
    """Pydantic alone would take true for 1."""
    assert "TAP_CLINIKO_LAG_SECONDS) must be an integer of at least 0" in refused(lag_seconds=value)


@pytest.mark.parametrize(
    "name", ["lag_seconds", "overlap_seconds", "requests_per_minute", "attachments_max_megabytes"]
)
def test_a_number_beyond_all_measure_is_a_wrong_setting(name: str) -> None:
    """It would end the run while it counts with it: there is no moment so long ago."""
    for value in (10**12, "9" * 400):
        assert f"TAP_CLINIKO_{name.upper()}) must be a" in refused(**{name: value})
    assert "and at most 31622400" in refused(lag_seconds=10**12)


@pytest.mark.parametrize("path", ["s3://bucket/known.db", "file:///known.db"])
def test_an_address_is_no_path(path: str) -> None:
    """It would become a folder of that name; only attachments may go anywhere."""
    assert "TAP_CLINIKO_KNOWN_IDS_PATH) must be a file on this machine" in refused(known_ids_path=path)
    assert read(known_ids_path="data/a:b/known.db").known_ids_path == "data/a:b/known.db"


@pytest.mark.parametrize(
    "maps",
    [
        {"patients": {"__alias__": "people"}},
        {"patients": {"__filter__": "active"}},
        {"patients": {"__else__": None, "id": "id"}},
        {"patients": {"id": "str(id)"}},
        {"patients": None},
        {"people": {"__source__": "patients"}},
        {"*": {"__key_properties__": ["email"]}},
        {"__else__": "__NULL__"},
    ],
)
def test_maps_that_change_what_a_stream_is_are_refused(maps: dict[str, Any]) -> None:
    """A target would take no patient from it and pass the bookmarks on; the line names setting and way out."""
    text = refused(stream_maps=maps)
    assert text.startswith("stream_maps (TAP_CLINIKO_STREAM_MAPS): ")
    assert next(iter(maps)) in text


def test_maps_of_fields_are_taken() -> None:
    """To leave a field out, to mask one or to add one."""
    read(
        stream_maps={
            "*": {"notes": "__NULL__"},
            "patients": {"email": "md5(email)", "initial": "first_name[0]"},
        }
    )


@pytest.mark.parametrize(
    "batch",
    [
        {"encoding": {"format": "jsonl"}},
        {"encoding": {"format": "csv"}, "storage": {"root": "file:///tmp"}},
        {"encoding": {"format": "parquet"}, "storage": {"root": "file:///tmp"}},
        {"encoding": {"format": "jsonl"}, "storage": {"root": "file:///dev/null/batches"}},
        {"encoding": {"format": "jsonl"}, "storage": {"root": "nothing://batches"}},
        {"encoding": {"format": "jsonl"}, "storage": {"root": "file:///tmp"}, "batch_size": 0},
        "everything",
    ],
)
def test_batches_that_could_not_be_written_are_refused(batch: Any) -> None:
    """Before anything is read, and named: with a batch size of nothing no row would come at all."""
    assert "batch_config (TAP_CLINIKO_BATCH_CONFIG)" in refused(batch_config=batch)


def test_no_setting_shows_the_key() -> None:
    """Neither as text nor as a value in an error."""
    assert "abc-uk1" not in f"{read()} {read()!r} {refused(lag_seconds='x')}"


def test_meltano_yml_declares_what_the_code_does() -> None:
    """Same names, titles, descriptions, defaults and secrets; Meltano knows only the settings that are declared."""
    project = yaml.safe_load((Path(__file__).parents[2] / "meltano.yml").read_text(encoding="utf-8"))
    (tap,) = (each for each in project["plugins"]["extractors"] if each["name"] == "tap-cliniko")
    declared = {each["name"]: each for each in tap["settings"]}
    for name, each in json_schema()["properties"].items():
        found = declared[name]
        assert found["label"] == each["title"]
        assert found["description"] == each["description"]
        assert bool(found.get("sensitive")) == bool(each.get("secret"))
        if "default" in each:
            assert found["value"] == each["default"]
    assert set(declared) - set(json_schema()["properties"]) == {
        "stream_maps",
        "stream_map_config",
        "flattening_enabled",
        "batch_config",
    }
