"""Which clinics the console shows, and what each is given."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest
from console_server import ENVIRONMENT, serving
from filelock import FileLock

from migration_console.clinics import ClinicsError, clinics_of
from migration_console.commands import COMMANDS
from migration_console.project import VARIABLES
from migration_console.runner import ENDED, JOB, LOCK, LOG

if TYPE_CHECKING:
    from pathlib import Path

CLINICS = """
defaults:
  settings: {TARGET_HIGHLEVEL_ACCEPT_REJECTS: true}
clinics:
- name: north
  database: env:NORTH_DATABASE
  secrets: {TAP_CLINIKO_API_KEY: env:NORTH_KEY, TARGET_HIGHLEVEL_ACCESS_TOKEN: variable:north_token}
  settings: {TARGET_HIGHLEVEL_LOCATION_ID: north-location}
- name: south
  environment: coast
  database: env:SOUTH_DATABASE
"""


def written(root: Path, text: str) -> Path:
    """Return a folder with this file of clinics."""
    root.joinpath("orchestrate").mkdir()
    root.joinpath("orchestrate/clinics.yml").write_text(text, encoding="utf-8")
    return root


def test_each_clinic_has_its_own_settings_and_secrets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the file, and of the references those to this process's environment; what is there for one clinic reaches no other."""
    monkeypatch.setenv("NORTH_KEY", "key-of-north")
    monkeypatch.setenv("NORTH_DATABASE", "postgres://north@db/north")
    monkeypatch.setenv("SOUTH_DATABASE", "postgresql+psycopg://south@db/south")
    monkeypatch.setenv("TARGET_HIGHLEVEL_ACCESS_TOKEN", "token-of-somebody")
    tmp_path.joinpath(".env").write_text("TAP_CLINIKO_API_KEY=key-of-somebody\n", encoding="utf-8")
    found, _ = clinics_of(written(tmp_path, CLINICS), "live")
    assert list(found) == ["north", "coast"]
    north, coast = (clinic.project for clinic in found.values())
    assert north.variables["TAP_CLINIKO_API_KEY"] == "key-of-north"
    assert north.variables["TARGET_HIGHLEVEL_ACCEPT_REJECTS"] == "true"
    assert north.location == "north-location"
    assert (
        north.ledger_url == north.variables["MELTANO_DATABASE_URI"] == "postgresql+psycopg://north@db/north"
    )
    assert not north.is_set("TARGET_HIGHLEVEL_ACCESS_TOKEN")
    assert not coast.is_set("TAP_CLINIKO_API_KEY")
    assert coast.ledger_url == "postgresql+psycopg://south@db/south"
    assert coast.variables["PATH"] == os.environ["PATH"]


@pytest.mark.parametrize("environment", ["live", "sandbox"])
def test_without_a_clinic_in_the_file_it_is_the_projects_own(tmp_path: Path, environment: str) -> None:
    """As the file is shipped; the sandbox is never one of several."""
    text = CLINICS if environment == "sandbox" else "clinics: []"
    found, problems = clinics_of(written(tmp_path, text), environment)
    assert (list(found), problems) == ([environment], ())


@pytest.mark.parametrize(
    "text", ["clinics: 3", "", "[1]", "clinics: [}", "defaults: [1]\nclinics: []", "clinics: []\nclinics: []"]
)
def test_a_file_that_is_none_is_told(tmp_path: Path, text: str) -> None:
    """In one sentence."""
    with pytest.raises(ClinicsError, match="has no list `clinics`"):
        clinics_of(written(tmp_path, text), "live")


@pytest.mark.parametrize(
    ("database", "said"),
    [
        ("connection:north", "only Airflow can follow connection: references; write env:NAME"),
        ("variable:north", "only Airflow can follow variable: references; write env:NAME"),
        ("postgresql://north:s3cret@db/north", "only Airflow can follow what stands there; write env:NAME"),
        ("env:NORTH_DATABASE", "set the variable NORTH_DATABASE to its address (postgresql+psycopg://…)"),
    ],
)
def test_a_clinic_whose_database_is_not_known_is_refused(tmp_path: Path, database: str, said: str) -> None:
    """It would begin a new ledger, and load everything again; all of them are told at once, and no secret is."""
    path = written(tmp_path, CLINICS.replace("env:NORTH_DATABASE", database))
    with pytest.raises(ClinicsError) as error:
        clinics_of(path, "live")
    assert f"clinic north: its database: {said}" in str(error.value)
    assert "clinic south: its database: set the variable SOUTH_DATABASE" in str(error.value)
    assert "s3cret" not in str(error.value)


@pytest.mark.parametrize(
    ("entries", "said"),
    [
        (
            ["{name: a, environment: live}", "{name: b, environment: live}"],
            ["another clinic has the environment live"] * 2,
        ),
        (
            ["{name: a, environment: locked}"],
            ["clinic a: the environment locked cannot be part of an address"],
        ),
        (
            ["{name: a, environment: so/uth}"],
            ["clinic a: the environment so/uth cannot be part of an address"],
        ),
        (["{name: a, database: env:NO_DATABASE}"], ["clinic a: its database: set the variable NO_DATABASE"]),
        (
            ["{name: a, database: env:HERE}"],
            ["clinic a: its database: the address in the variable HERE names no server"],
        ),
        (["{name: a, database: }"], ["clinic a: has no database"]),
        (
            ["{name: a, secrets: [env:KEY]}"],
            ["clinic a: `settings` and `secrets` are names with a value each"],
        ),
        (["{name: a, name: s3cret}"], ["clinic 1: a name stands in line 2 a second time"]),
        (["{name: a, settings: {A: !!int s3cret}}"], ["clinic 1: cannot be read (ValueError)"]),
        (["{}", "3"], ["clinic 1: has no name", "clinic 2: has no name"]),
    ],
)
def test_an_entry_that_is_wrong_is_left_out_and_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, entries: list[str], said: list[str]
) -> None:
    """The others are shown; of those with one environment none is, as nobody can tell whose folder it is."""
    monkeypatch.setenv("A_DATABASE", "postgresql+psycopg://clinic@db/clinic")
    monkeypatch.setenv("HERE", "postgresql:///s3cret")
    given = [
        entry if "database" in entry or "name" not in entry else f"{entry[:-1]}, database: env:A_DATABASE}}"
        for entry in entries
    ]
    lines = "".join(
        f"- {entry}\n"
        for entry in [*given, "{name: north, database: env:A_DATABASE, settings: {A: 2026-11-29}}"]
    )
    found, problems = clinics_of(written(tmp_path, f"clinics:\n{lines}"), "live")
    assert list(found) == ["north"]
    assert found["north"].project.variables["A"] == "2026-11-29"  # a date is what was written
    assert len(problems) == len(said)
    assert all(sentence in problem for sentence, problem in zip(said, problems, strict=True))
    assert "s3cret" not in str(problems)
    only = lines.rpartition("- ")[0]
    (tmp_path / "orchestrate/clinics.yml").write_text(f"clinics:\n{only}", encoding="utf-8")
    with pytest.raises(ClinicsError):  # the project's own clinic does not stand in for those of the file
        clinics_of(tmp_path, "live")


def test_the_first_page_says_who_is_left_out_and_why(tmp_path: Path) -> None:
    """Also where one clinic only is left, whose pages would be the first otherwise."""
    with serving(tmp_path, problems=["clinic south: has <no> database"]) as browser:
        browser.enter()
        page = browser.session.get(browser.base, timeout=10).text
        assert "clinic south: has &lt;no&gt; database" in page
        assert f'href="/{ENVIRONMENT}/' in page
        assert "All clinics" in browser.get("runs").text


def test_the_first_page_says_of_which_clinic_nothing_has_begun(tmp_path: Path) -> None:
    """Beside *Next: Connect* there is more to do than nothing."""
    a_probe = tmp_path / "data/begun/reports/probe-1"
    a_probe.mkdir(parents=True)
    a_probe.joinpath("probe.json").write_text(json.dumps({"answers": [{}]}), encoding="utf-8")
    needed = dict.fromkeys((item.name for item in VARIABLES if item.required), "set")
    with serving(tmp_path, "begun", **needed) as browser:
        browser.enter()
        page = browser.session.get(browser.base, timeout=10).text
        told = re.findall(r'data-name="What needs a person">(.*?)</td>', page)
        assert told == ["Nobody has begun yet.", "Nothing."]


def test_nothing_is_decided_in_a_mapping_of_several_clinics(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is decided for one would be decided for the other; who names none gets one of its own, and not that of another."""
    for name in ("NORTH_DATABASE", "SOUTH_DATABASE"):
        monkeypatch.setenv(name, "postgresql+psycopg://clinic@db/clinic")
    written(tmp_path, CLINICS)
    assert all(clinic.project.has_own_mapping for clinic in clinics_of(tmp_path, "live")[0].values())
    path = tmp_path / "orchestrate/clinics.yml"
    for part, given in (("settings", "mappings/coast.yml"), ("secrets", "variable:north_mapping")):
        defaults, clinics = CLINICS.split("clinics:")
        named = clinics.replace(f"{part}: {{", f"{part}: {{TARGET_HIGHLEVEL_MAPPING: {given}, ", 1)
        path.write_text(f"{defaults}clinics:{named}", encoding="utf-8")
        assert not clinics_of(tmp_path, "live")[0]["north"].project.has_own_mapping
    shared = CLINICS.replace("settings: {TARGET", "settings: {TARGET_HIGHLEVEL_MAPPING: ./all.yml, TARGET", 1)
    path.write_text(shared, encoding="utf-8")
    assert not any(clinic.project.has_own_mapping for clinic in clinics_of(tmp_path, "live")[0].values())
    own = shared.replace("./all.yml", "north.yml")
    own += "  settings: {TARGET_HIGHLEVEL_MAPPING: coast.yml}\n"
    path.write_text(own, encoding="utf-8")
    assert all(clinic.project.has_own_mapping for clinic in clinics_of(tmp_path, "live")[0].values())


def test_a_job_begins_although_somebody_looks_whether_it_runs(tmp_path: Path) -> None:
    """Who looks takes its lock for a moment: as long as that is held, the job waits."""
    described = {"arguments": ["true"], "root": str(tmp_path), "writes": False}
    (tmp_path / JOB).write_text(json.dumps(described), encoding="utf-8")
    with FileLock(tmp_path / LOCK):
        runner = subprocess.Popen([sys.executable, "-m", "migration_console.runner", str(tmp_path)])
        time.sleep(1.5)  # it has started by then
    assert runner.wait(60) == 0
    assert json.loads((tmp_path / ENDED).read_text(encoding="utf-8"))["code"] == 0


@pytest.mark.process
@pytest.mark.filterwarnings(
    "ignore:subprocess .* is still running:ResourceWarning"
)  # jobs outlive the console
def test_clinics_at_the_same_time_share_no_file_of_meltano(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A job is given a system folder of its clinic, with the installed plugins in it, and nothing of .env."""
    monkeypatch.setenv("TAP_CLINIKO_API_KEY", "key-of-somebody")
    for name in ("NORTH_DATABASE", "SOUTH_DATABASE"):
        monkeypatch.setenv(name, "postgresql+psycopg://clinic@db/clinic")
    meltano = tmp_path / ".venv/bin/meltano"
    meltano.parent.mkdir(parents=True)
    meltano.write_text('#!/bin/sh\necho "$@"\nenv\nls "$MELTANO_SYS_DIR_ROOT/loaders"\n', encoding="utf-8")
    meltano.chmod(0o755)
    tmp_path.joinpath(".meltano/loaders/target-highlevel").mkdir(parents=True)
    found, _ = clinics_of(written(tmp_path, CLINICS), "live")
    for name, clinic in found.items():
        started = clinic.jobs.start(COMMANDS["plan"])
        deadline = time.monotonic() + 30
        while (job := clinic.jobs.find(started.id)) is None or job.ended is None:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        said = (clinic.project.jobs / started.id / LOG).read_text(encoding="utf-8")
        assert f"--env-file {os.devnull} --environment={name}" in said
        assert f"MELTANO_SYS_DIR_ROOT={clinic.project.data / 'console/meltano'}" in said
        assert "key-of-somebody" not in said
        assert said.endswith("target-highlevel\n")
