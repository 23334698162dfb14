"""Every way a run can end before it is complete: one clear line, the documented exit code, nothing written."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING

import pytest
from hl_loading import TARGET
from hl_mapped import person, record, schemas

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from hl_loading import Clinic, Loaded, Loader

PEOPLE = [*schemas("patients"), person("patients/1", "Ada", "Lovelace")]


def last_line(log: str) -> str:
    """Return the line with which a run ended."""
    return log.rstrip().splitlines()[-1]


def assert_ended(loaded: Loaded, loader: Loader, code: int, *words: str) -> None:
    """One line says what happened, nobody sees a traceback, and nothing was written."""
    assert loaded.code == code, loaded.log[-2000:]
    lines = [line for line in loaded.log.splitlines() if line.startswith("target-highlevel: ")]
    assert lines == [last_line(loaded.log)]
    assert lines[0].endswith(f"(exit {code})")
    for word in words:
        assert word in lines[0]
    assert "Traceback" not in loaded.log
    assert loader.sandbox.highlevel.control.stats()["writes"] == 0


@pytest.mark.parametrize(
    ("settings", "code", "words"),
    [
        ({"ACCESS_TOKEN": "pit-nobody"}, 3, ["token", "sub-account"]),
        ({"LOCATION_ID": "nowhere0000000000000"}, 3, ["location_id"]),
        ({"API_URL": "http://127.0.0.1:9"}, 1, ["api_url"]),
        ({"API_URL": "http://services.leadconnectorhq.com", "MODE": "x"}, 2, ["API_URL", "https://", "MODE"]),
        (
            {"ACCESS_TOKEN": "", "LOCATION_ID": ""},
            2,
            ["TARGET_HIGHLEVEL_ACCESS_TOKEN", "TARGET_HIGHLEVEL_LOCATION_ID"],
        ),
        ({"STREAM_MAPS": "hl_notes"}, 2, ["TARGET_HIGHLEVEL_STREAM_MAPS"]),
        ({"REPORT_DIR": "/proc/nowhere"}, 2, ["report_dir"]),
        ({"FALLBACK_OWNER": "nobody@example.org"}, 2, ["TARGET_HIGHLEVEL_FALLBACK_OWNER"]),
        ({"LEDGER_URL": "sqlite:////proc/nowhere/ledger.db"}, 2, ["ledger_url"]),
        ({"MAPPING": "/nowhere/mapping.yml"}, 2, ["mapping"]),
    ],
    ids=lambda value: next(iter(value)).lower() if isinstance(value, dict) else None,
)
def test_a_wrong_setting_ends_with_its_code(
    settings: dict[str, str], code: int, words: list[str], highlevel: Callable[..., Loader]
) -> None:
    """Wrong token, location, address, setting: one line that names it, the documented code, nothing written."""
    loader = highlevel()
    assert_ended(loader.load(PEOPLE, **settings), loader, code, *words)


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"overwrites": "never"}, "overwrites"),
        ({"calendar_id": 7}, "TARGET_HIGHLEVEL_CALENDAR_ID"),
    ],
)
def test_a_wrong_setting_of_a_file_is_named(
    changes: dict[str, object], word: str, highlevel: Callable[..., Loader], tmp_path: Path
) -> None:
    """What is misspelt or of the wrong kind in the configuration file is an error, not a default in silence."""
    side = highlevel().sandbox.highlevel
    settings = {"access_token": side.access_token, "location_id": side.location_id, **changes}
    done = configured(tmp_path, json.dumps(settings))
    assert done.returncode == 2
    assert word in last_line(done.stderr)
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("lag", ["0.5", 2.5])
def test_a_file_may_give_its_values_as_text(
    lag: object, highlevel: Callable[..., Loader], tmp_path: Path
) -> None:
    """Meltano writes the value of a setting without a kind as text; a fraction may be a number as well."""
    side = highlevel().sandbox.highlevel
    settings = {"access_token": side.access_token, "location_id": side.location_id, "api_url": side.url}
    asked = {"search_lag_seconds": lag, "requests_per_day": "1000", "accept_rejects": "false"}
    done = configured(tmp_path, json.dumps(settings | asked))
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("text", ["", "{", "[1]"])
def test_a_file_that_is_no_configuration(text: str, tmp_path: Path) -> None:
    """One line says that it is the file, with the code of a wrong setting."""
    done = configured(tmp_path, text)
    assert done.returncode == 2
    assert "--config" in last_line(done.stderr)
    assert last_line(done.stderr).endswith("(exit 2)")
    assert "Traceback" not in done.stderr


def configured(folder: Path, text: str) -> subprocess.CompletedProcess[str]:
    """Run the target on nothing, with a configuration file that holds this text."""
    config = folder / "config.json"
    config.write_text(text, encoding="utf-8")
    return subprocess.run(
        [*TARGET, "--config", str(config)],
        input="",
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
    )


def test_without_a_file_the_variables_are_the_configuration(highlevel: Callable[..., Loader]) -> None:
    """As with the tap, `--config ENV` need not be typed."""
    loader = highlevel()
    done = subprocess.run(
        TARGET, env=loader.environment(), input="", capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("scope", ["users.readonly", "contacts.write"])
def test_a_missing_scope_is_named(scope: str, highlevel: Callable[..., Loader]) -> None:
    """A token without a scope ends with 3 and the scope's name, before any record is written."""
    loader = highlevel(scopes=sorted(ALL_SCOPES - {scope}))
    loaded = loader.load(PEOPLE)
    assert loaded.code == 3
    assert scope in last_line(loaded.log)
    assert not loader.sandbox.highlevel.state.contacts


def test_workflows_that_may_not_be_read_stop_nothing(highlevel: Callable[..., Loader]) -> None:
    """Without the scope for workflows a load says that it could not look, and loads."""
    loader = highlevel(scopes=sorted(ALL_SCOPES - {"workflows.readonly"}))
    loaded = loader.load(PEOPLE)
    assert loaded.code == 0, loaded.log[-2000:]
    found = next(line for line in loaded.log.splitlines() if "highlevel.workflows" in line)
    assert "not read: the token may not" in found
    assert "workflows.readonly" in found
    assert loader.sandbox.highlevel.state.contacts


ALL_SCOPES = frozenset(
    f"{area}.{right}"
    for area in (
        "contacts", "locations", "locations/customFields", "locations/tags", "objects/schema", "objects/record", "associations",
        "associations/relation", "calendars", "calendars/events", "users", "forms", "workflows",
    )
    for right in ("readonly", "write")
)  # fmt: skip


@pytest.mark.parametrize(
    ("lines", "code", "words"),
    [
        (
            ['{"type": "RECORD", "stream": "hl_contacts", "record": {"firstName": "Zarathustra"'],
            1,
            ["line 1"],
        ),
        (['{"stream": "hl_contacts", "record": {"firstName": "Zarathustra"}}'], 1, ["line 1"]),
        (
            [record("hl_contacts", "patients/1", firstName="Zarathustra")],
            1,
            ["line 1", "hl_contacts", "SCHEMA"],
        ),
        (["[]"], 1, ["line 1"]),
        (['{"type": "SCHEMA", "stream": "hl_contacts"}'], 1, ["line 1"]),
        (['{"type": "GREETING", "text": "Zarathustra"}'], 1, ["line 1"]),
        (
            [
                '{"type":"SCHEMA","stream":"x","schema":{"properties":{},"x-highlevel":{"object":"spaceship"}},"key_properties":[]}',
            ],
            2,
            ["spaceship"],
        ),
    ],
)
def test_input_that_is_no_singer_message(
    lines: list[str], code: int, words: list[str], highlevel: Callable[..., Loader]
) -> None:
    """Half a line, a record before its schema, an unknown message: the line's number is named, never its content."""
    loader = highlevel()
    loaded = loader.load(lines)
    assert_ended(loaded, loader, code, *words)
    assert "Zarathustra" not in loaded.log


def test_a_mapping_that_names_a_custom_field_which_does_not_exist(
    small_clinic: Clinic, highlevel: Callable[..., Loader], tmp_path: Path
) -> None:
    """The run ends with 2, the field is named, nothing is written."""
    loader = highlevel()
    mapping = tmp_path / "mapping.yml"
    mapping.write_text('custom_fields:\n  named:\n    "Shoe size": notes\n')
    assert_ended(loader.load(small_clinic.lines, MAPPING=str(mapping)), loader, 2, "Shoe size")
