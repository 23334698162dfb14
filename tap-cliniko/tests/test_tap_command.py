"""The command as a user meets it: exit codes, one clear line, nothing private."""

from __future__ import annotations

import gzip
import json
import os
import signal
import stat
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tap_runs import Said, config_for, run_tap

from sandbox import Sandbox
from tap_cliniko import documentation, errors, settings
from tap_cliniko.resources import RESOURCES
from tap_cliniko.tap import TapCliniko

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

PACKAGE = Path(__file__).parents[1]


def tap(*arguments: str, variables: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run the command in an environment without settings but these."""
    command = [sys.executable, "-m", "tap_cliniko", *arguments]
    environment = {"PATH": os.environ["PATH"], **(variables or {})}
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False)


def tap_with(config: dict[str, Any], folder: Path) -> subprocess.CompletedProcess[str]:
    """Run the command with a configuration file."""
    path = folder / "config.json"
    path.write_text(json.dumps(config))
    return tap("--config", str(path))


def last_line(done: subprocess.CompletedProcess[str]) -> str:
    """Return what the user reads last; a traceback anywhere fails."""
    assert "Traceback" not in done.stderr
    return done.stderr.splitlines()[-1]


def test_without_settings_it_names_the_variables() -> None:
    """Exit 2, and the line says what to set."""
    done = tap()
    assert done.returncode == 2
    assert last_line(done) == "tap-cliniko: set TAP_CLINIKO_API_KEY and TAP_CLINIKO_CONTACT_EMAIL (exit 2)"
    assert done.stdout == ""


def test_every_wrong_setting_is_named_at_once_and_none_is_shown(tmp_path: Path) -> None:
    """All problems in one line, by name; values stay out of it."""
    config = {
        "api_key": "very-secret-au1",
        "contact_email": "nobody",
        "start_date": "yesterday",
        "requests_per_minute": 0,
        "download_attachments": "maybe",
        "api_kee": "other-secret",
    }
    done = tap_with(config, tmp_path)
    assert done.returncode == 2
    for name in ("CONTACT_EMAIL", "START_DATE", "REQUESTS_PER_MINUTE", "DOWNLOAD_ATTACHMENTS"):
        assert f"TAP_CLINIKO_{name}" in last_line(done)
    assert "no such setting: api_kee" in last_line(done)
    assert not any(value in done.stderr for value in ("very-secret", "other-secret", "yesterday", "maybe"))


def test_no_more_requests_than_cliniko_allows(tmp_path: Path) -> None:
    """A server of one's own may be asked more often; Cliniko itself may not."""
    config = {"api_key": "k-au1", "contact_email": "a@b.example", "requests_per_minute": 500}
    done = tap_with(config, tmp_path)
    assert done.returncode == 2
    assert "TAP_CLINIKO_REQUESTS_PER_MINUTE) must be at most 200" in last_line(done)


@pytest.mark.parametrize("largest", [0, -1, "0.0", "nan", "inf"])
def test_a_limit_of_nothing_is_no_limit_to_set(largest: Any, tmp_path: Path) -> None:
    """0 is neither "no limit" nor "no file": whoever wants no files says so with download_attachments."""
    config = {"api_key": "k-au1", "contact_email": "a@b.example", "attachments_max_megabytes": largest}
    done = tap_with(config, tmp_path)
    assert done.returncode == 2
    assert "TAP_CLINIKO_ATTACHMENTS_MAX_MEGABYTES) must be a number above 0" in last_line(done)


def test_a_variable_that_is_no_number_is_named() -> None:
    """The environment is text; what does not parse is reported like any other wrong setting."""
    variables = {
        "TAP_CLINIKO_API_KEY": "k",
        "TAP_CLINIKO_CONTACT_EMAIL": "a@b.example",
        "TAP_CLINIKO_LAG_SECONDS": "x1",
    }
    done = tap(variables=variables)
    assert done.returncode == 2
    assert "TAP_CLINIKO_LAG_SECONDS" in last_line(done)
    assert "x1" not in last_line(done)


def test_a_file_may_give_its_values_as_text_and_what_is_made_is_the_owners(
    quiet_clinic: Sandbox, tmp_path: Path
) -> None:
    """As Meltano writes settings without a kind; no folder on the way to the files is open to others."""
    config = config_for(quiet_clinic, tmp_path) | {
        "attachments_dir": str(tmp_path / "data" / "live" / "attachments"),
        "attachments_max_megabytes": "0.5",
        "requests_per_minute": "100000",
    }
    done = tap_with(config, tmp_path)
    assert done.returncode == 0, last_line(done)
    folders = [tmp_path / "data", tmp_path / "data" / "live", tmp_path / "data" / "live" / "attachments"]
    assert [stat.S_IMODE(folder.stat().st_mode) for folder in folders] == [0o700] * 3


def test_the_last_state_says_whether_everything_was_read(tmp_path: Path) -> None:
    """A target sees that its input ends, and cannot tell a failure from the end; each state tells it."""
    with Sandbox(seed=1, patients=3, cliniko={"requests_per_minute": 0}) as sandbox:
        config = config_for(sandbox, tmp_path)
        whole = run_tap(config, {"bookmarks": {}, "complete": True}, ["taxes", "patients"])
        told = [each["value"]["complete"] for each in whole.messages if each["type"] == "STATE"]
        assert told[-1] is True
        assert set(told[:-1]) == {False}
        assert whole.state["from_start"] is True
        assert whole.state["read_until"] == whole.state["bookmarks"]["patients"]["replication_key_value"]
        later = [
            run_tap(config, whole.state, ["taxes", "patients"]),
            run_tap({**config, "start_date": "2026-01-01"}, None, ["taxes", "patients"]),
        ]
        assert [each.state["from_start"] for each in later] == [False, False]
        refused = {"action": "status", "status": 403, "match": {"path_regex": "/patients$", "nth": 2}}
        sandbox.cliniko.control.add_fault(refused)
        done = tap_with(config, tmp_path)
    assert done.returncode == 3, done.stderr
    said = Said.from_text(done.stdout)
    assert "taxes" in said.streams()
    assert said.state["complete"] is False


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("api_key", "abc\N{EN DASH}uk1"),
        ("api_key", "abc uk1"),
        ("api_key", " "),
        ("contact_email", "daten@bücher.example"),
        ("contact_email", "a@b.example and c@d.example"),
        ("api_url", "https://["),
        ("api_url", "https://localhost:99999/v1"),
        ("api_url", "https:///v1"),
    ],
)
def test_what_no_request_can_carry_is_a_wrong_setting(
    name: str, value: str, quiet_clinic: Sandbox, tmp_path: Path
) -> None:
    """It is known before anything is sent, named, and not shown."""
    with pytest.raises(errors.SettingsError, match=settings.variable(name)) as caught:
        run_tap({**config_for(quiet_clinic, tmp_path), name: value}, None, ["taxes"])
    assert value == " " or value not in str(caught.value)


@pytest.mark.parametrize("option", ["config", "state", "catalog"])
@pytest.mark.parametrize("text", ["{not json", "[1]", None], ids=["no JSON", "no object", "no file"])
def test_a_file_that_cannot_be_used_is_named(option: str, text: str | None, tmp_path: Path) -> None:
    """Each file of the command line that is absent or no JSON object ends with 2."""
    path = tmp_path / "given"
    if text is not None:
        path.write_text(text)
    done = tap(f"--{option}", str(path), variables={"TAP_CLINIKO_API_KEY": "a-au1"})
    assert done.returncode == 2
    assert option in last_line(done)


@pytest.mark.parametrize(
    ("catalog", "said"),
    [
        ({"streams": 5}, "--catalog"),
        ({"streams": [5]}, "--catalog"),
        ({"streams": [{"stream": "patients"}]}, "--catalog"),
        ({"streams": []}, "no stream is selected"),
        (
            {
                "streams": [
                    {
                        "tap_stream_id": "patients",
                        "metadata": [{"breadcrumb": [], "metadata": {"selected": False}}],
                    }
                ]
            },
            "no stream is selected",
        ),
    ],
    ids=["a number", "numbers", "no id", "no streams", "none selected"],
)
def test_a_catalog_that_selects_nothing_is_no_complete_run(
    catalog: dict[str, Any], said: str, quiet_clinic: Sandbox, tmp_path: Path
) -> None:
    """To read nothing is no success, and what is no catalog ends as any other wrong file does."""
    config, given = tmp_path / "config.json", tmp_path / "catalog.json"
    config.write_text(json.dumps(config_for(quiet_clinic, tmp_path)))
    given.write_text(json.dumps(catalog))
    done = tap("--config", str(config), "--catalog", str(given))
    assert done.returncode == 2
    assert said in last_line(done)
    assert '"complete":true' not in done.stdout.replace(" ", "")


@pytest.mark.parametrize(
    ("more", "named"),
    [
        ({"attachments_dir": "nothing://bucket/files"}, "TAP_CLINIKO_ATTACHMENTS_DIR"),
        ({"attachments_dir": "/dev/null/files"}, "TAP_CLINIKO_ATTACHMENTS_DIR"),
        ({"known_ids_path": "/dev/null/ids.db", "detect_deletions": True}, "TAP_CLINIKO_KNOWN_IDS_PATH"),
        ({"stream_maps": {"patients": {"name": "not an ( expression"}}}, "stream_maps"),
        ({"flattening_enabled": True}, "flattening_enabled (TAP_CLINIKO_FLATTENING_ENABLED)"),
        ({"batch_config": {"encoding": {"format": "jsonl"}}}, "TAP_CLINIKO_BATCH_CONFIG"),
        ({"api_url": "{url}/nowhere"}, "TAP_CLINIKO_API_URL"),
    ],
    ids=["unknown address", "no folder", "no file", "stream map", "flattened", "half a batch", "no API"],
)
def test_a_setting_that_turns_out_wrong_is_named(
    more: dict[str, Any], named: str, quiet_clinic: Sandbox, tmp_path: Path
) -> None:
    """What only the attempt shows ends as any other wrong setting does."""
    if "api_url" in more:
        more = {"api_url": more["api_url"].format(url=quiet_clinic.cliniko.url)}
    done = tap_with(config_for(quiet_clinic, tmp_path, **more), tmp_path)
    assert done.returncode == 2
    assert named in last_line(done)


@pytest.mark.parametrize(
    "bookmark",
    [
        {"replication_key_value": "yesterday"},
        {"replication_key_value": 5},
        {"replication_key_value": "2999-01-01T00:00:00Z"},
        {"window": {"start": None}},
        "all of it",
    ],
    ids=["no moment", "a number", "the future", "half a window", "a text"],
)
def test_a_state_that_would_skip_rows_is_refused(
    bookmark: Any, quiet_clinic: Sandbox, tmp_path: Path
) -> None:
    """A bookmark that is none of this tap's must not look like one that was reached."""
    with pytest.raises(errors.SettingsError, match="patients"):
        run_tap(config_for(quiet_clinic, tmp_path), {"bookmarks": {"patients": bookmark}}, ["patients"])


def test_any_iso_moment_may_be_the_bookmark(quiet_clinic: Sandbox, tmp_path: Path) -> None:
    """Somebody who begins from a date of their own gets what changed since."""
    config = config_for(quiet_clinic, tmp_path)
    state = {"bookmarks": {"patients": {"replication_key_value": "2026-01-01T10:00:00+02:00"}}}
    got = run_tap(config, state, ["patients"]).records("patients")
    assert 0 < len(got) < 40
    assert min(each["updated_at"] for each in got) >= "2026-01-01T07:55:00Z"


def variables_for(clinic: Sandbox, folder: Path) -> dict[str, str]:
    """Write the settings for a clinic as environment variables, as a `.env` that was made on Windows gives them."""
    first = "\ufeff" + settings.variable("api_key")
    return {first: f'"{clinic.cliniko.api_key}"\r'} | {
        settings.variable(name): f"{value}\r"
        for name, value in config_for(clinic, folder).items()
        if name != "api_key"
    }


def test_the_settings_of_the_sdk_are_variables_too(quiet_clinic: Sandbox, tmp_path: Path) -> None:
    """Without a configuration file, stream maps come from the environment as well."""
    more = {
        "TAP_CLINIKO_STREAM_MAPS": '{"patients": {"email": "__NULL__"}}',
        "TAP_CLINIKO_DOWNLOAD_ATTACHMENTS": "no",
    }
    done = tap(variables={**variables_for(quiet_clinic, tmp_path), **more})
    assert done.returncode == 0, done.stderr[-500:]
    said = Said.from_text(done.stdout)
    assert said.records("patients")
    assert all("email" not in each for each in said.records("patients"))
    wrong = tap(variables={**variables_for(quiet_clinic, tmp_path), "TAP_CLINIKO_STREAM_MAPS": "{half"})
    assert wrong.returncode == 2
    assert "stream_maps" in last_line(wrong)


@contextmanager
def begun(clinic: Sandbox, folder: Path) -> Iterator[subprocess.Popen[str]]:
    """A tap that has said its first line."""
    with subprocess.Popen(
        [sys.executable, "-m", "tap_cliniko"],
        env={"PATH": os.environ["PATH"], **variables_for(clinic, folder)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield process


def test_a_target_that_ends_is_said_in_the_last_line(quiet_clinic: Sandbox, tmp_path: Path) -> None:
    """A broken pipe ends with 1 and one line, without a complaint of Python's own."""
    with begun(quiet_clinic, tmp_path) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        log = process.stderr.read()
    assert process.returncode == 1
    assert "the target stopped reading" in log.splitlines()[-1]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_is_said_in_the_last_line(number: int, quiet_clinic: Sandbox, tmp_path: Path) -> None:
    """The code is that of the signal, and the line says that nothing is lost."""
    with begun(quiet_clinic, tmp_path) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.send_signal(number)
        _, log = process.communicate()
    assert process.returncode == 128 + number
    assert "interrupted" in log.splitlines()[-1]


def test_a_refused_key_is_exit_3(quiet_clinic: Sandbox, tmp_path: Path) -> None:
    """The line says that it is the key, and where it is set."""
    done = tap_with({**config_for(quiet_clinic, tmp_path), "api_key": "wrong-key-au1"}, tmp_path)
    assert done.returncode == 3
    assert "TAP_CLINIKO_API_KEY" in last_line(done)
    assert "wrong-key" not in done.stderr + done.stdout
    assert "unhandled" not in done.stderr


def test_an_address_in_the_clear_is_refused(tmp_path: Path) -> None:
    """The key is not sent without TLS."""
    config = {"api_key": "k-au1", "contact_email": "a@b.example", "api_url": "http://cliniko.example.org/v1"}
    done = tap_with(config, tmp_path)
    assert done.returncode == 2
    assert "https" in last_line(done)


def test_a_whole_run_says_nothing_private(tmp_path: Path) -> None:
    """Neither log nor state nor error holds a name, an address, a note or the key."""
    options = {"requests_per_minute": 0}
    with Sandbox(seed=12, patients=40, cliniko=options) as sandbox:
        config = config_for(sandbox, tmp_path, detect_deletions=True)
        path = tmp_path / "config.json"
        path.write_text(json.dumps(config))
        done = tap("--config", str(path), variables={"TAP_CLINIKO_LOGLEVEL": "DEBUG"})
        assert done.returncode == 0, done.stderr[-2000:]
        said = Said.from_text(done.stdout)
        private = {sandbox.cliniko.api_key}
        for row in sandbox.cliniko.account.tables["patients"].rows():
            private |= {row[name] for name in ("last_name", "email", "notes", "address_1") if row[name]}
        told = done.stderr + json.dumps([each for each in said.messages if each["type"] == "STATE"])
        words = {each for each in private if len(each) > 4}
        assert len(words) > 40
        assert [each for each in words if each in told] == []
        assert len(said.records("patients")) == 40
        assert said.streams() == [each.name for each in RESOURCES]


def test_a_failure_nobody_thought_of_shows_no_record() -> None:
    """The last line of defence names the kind of error and the place, not its text."""
    script = (
        "from tap_cliniko import __main__ as m\n"
        "class T:\n"
        "    @staticmethod\n"
        "    def cli(): raise KeyError('Juniper Quillfeather')\n"
        "m.TapCliniko = T\n"
        "m.main()\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "unexpected KeyError" in last_line(done)
    assert "Juniper" not in done.stderr


def test_about_names_every_setting_and_no_secret() -> None:
    """`--about` shows the declaration; a key in the environment stays there."""
    done = tap("--about", "--format", "json", variables={"TAP_CLINIKO_API_KEY": "hidden-key"})
    about = json.loads(done.stdout)
    names = (
        {each["name"] for each in about["settings"]}
        if isinstance(about["settings"], list)
        else set(about["settings"]["properties"])
    )
    assert set(settings.Settings.model_fields) <= names
    assert "hidden-key" not in done.stdout + done.stderr


def test_discovery_needs_no_settings() -> None:
    """The catalog is the same for every account, with keys, methods and descriptions."""
    done = tap("--discover")
    catalog = {each["tap_stream_id"]: each for each in json.loads(done.stdout)["streams"]}
    assert list(catalog) == [each.name for each in RESOURCES]
    assert catalog["patients"]["replication_method"] == "INCREMENTAL"
    assert catalog["users"]["replication_method"] == "FULL_TABLE"
    assert catalog["public_settings"]["key_properties"] == ["account_id"]


def test_readme_and_hub_definition_are_current() -> None:
    """The tables in the documents are those that the code would write."""
    assert documentation.update(PACKAGE, check=True) == []


def test_every_error_says_how_the_run_ends() -> None:
    """Exit codes follow from the kind of error; the documents list them."""
    kinds = [each for each in vars(errors).values() if isinstance(each, type)]
    codes = {each.exit_code for each in kinds if issubclass(each, errors.TapClinikoError)}
    assert codes == {1, 2, 3}
    readme = (PACKAGE / "README.md").read_text()
    assert all(f"| {code} |" in readme for code in (0, 1, 2, 3))


def test_stream_maps_may_change_fields(quiet_clinic: Sandbox, tmp_path: Path) -> None:
    """What the SDK offers on top works with these streams, as long as they stay the streams they are."""
    config = config_for(quiet_clinic, tmp_path, stream_maps={"patients": {"initial": "first_name[0]"}})
    said = run_tap(config, None, ["patients", "taxes"])
    assert all(each["initial"] == each["first_name"][0] for each in said.records("patients"))


def test_batches_hold_every_row(quiet_clinic: Sandbox, tmp_path: Path) -> None:
    """With batch_config the rows go into files, and the state still ends at the run's end."""
    batch = {
        "encoding": {"format": "jsonl", "compression": "gzip"},
        "storage": {"root": f"file://{tmp_path}"},
    }
    said = run_tap(config_for(quiet_clinic, tmp_path, batch_config=batch), None, ["patients"])
    manifests = [each["manifest"] for each in said.messages if each["type"] == "BATCH"]
    files = [Path(name.removeprefix("file://")) for each in manifests for name in each]
    rows = sum(len(gzip.decompress(file.read_bytes()).splitlines()) for file in files)
    assert rows == len(quiet_clinic.cliniko.account.tables["patients"])
    assert "replication_key_value" in said.state["bookmarks"]["patients"]


def test_start_date_leaves_older_rows_out(quiet_clinic: Sandbox, tmp_path: Path) -> None:
    """The first run begins there; hidden rows that were hidden since come too."""
    rows = quiet_clinic.cliniko.account.tables["patients"].rows()
    middle = sorted(row["updated_at"] for row in rows)[len(rows) // 2]
    said = run_tap(config_for(quiet_clinic, tmp_path, start_date=middle), None, ["patients"])
    late = {row["id"] for row in rows if row["updated_at"] >= middle or (row["archived_at"] or "") >= middle}
    assert {each["id"] for each in said.records("patients")} == late


@pytest.mark.parametrize("name", ["tap-cliniko", "tap-cliniko-tools"])
def test_the_commands_are_installed(name: str) -> None:
    """Both scripts are there and explain themselves."""
    path = Path(sys.executable).with_name(name)
    done = subprocess.run([str(path), "--help"], capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert name in done.stdout


def test_the_tap_is_named_for_its_package() -> None:
    """Meltano derives the variables from the name."""
    assert TapCliniko.name == TapCliniko.package_name == "tap-cliniko"
