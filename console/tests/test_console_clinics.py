"""Which clinics the console shows, and what each is given."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest
from filelock import FileLock

from migration_console.clinics import ClinicsError, clinics_of
from migration_console.commands import COMMANDS
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
    found = clinics_of(written(tmp_path, CLINICS), "live")
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
    assert list(clinics_of(written(tmp_path, text), environment)) == [environment]


@pytest.mark.parametrize("text", ["clinics: 3", "clinics: [{}]", "[1]", "clinics: [}"])
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
    assert f"the database of clinic north: {said}" in str(error.value)
    assert "the database of clinic south: set the variable SOUTH_DATABASE" in str(error.value)
    assert "s3cret" not in str(error.value)


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["live", "live"], "2 clinics have the environment live"),
        (["north", "locked"], "the environment locked cannot be part of an address"),
        (["north", "so/uth"], "the environment so/uth cannot be part of an address"),
    ],
)
def test_every_clinic_has_pages_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, names: list[str], said: str
) -> None:
    """One that is called as another is would be missing, and would take its folder."""
    monkeypatch.setenv("A_DATABASE", "postgresql+psycopg://clinic@db/clinic")
    entries = "".join(
        f"- {{name: {place}, environment: {name}, database: env:A_DATABASE}}\n"
        for place, name in enumerate(names)
    )
    with pytest.raises(ClinicsError, match=said):
        clinics_of(written(tmp_path, f"clinics:\n{entries}"), "live")


def test_nothing_is_decided_in_a_mapping_of_several_clinics(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is decided for one would be decided for the other; the shipped one, in which nothing is decided, they may share."""
    for name in ("NORTH_DATABASE", "SOUTH_DATABASE"):
        monkeypatch.setenv(name, "postgresql+psycopg://clinic@db/clinic")
    written(tmp_path, CLINICS)
    assert not any(clinic.project.has_own_mapping for clinic in clinics_of(tmp_path, "live").values())
    path = tmp_path / "orchestrate/clinics.yml"
    shared = CLINICS.replace("settings: {TARGET", "settings: {TARGET_HIGHLEVEL_MAPPING: ./all.yml, TARGET", 1)
    path.write_text(shared, encoding="utf-8")
    assert not any(clinic.project.has_own_mapping for clinic in clinics_of(tmp_path, "live").values())
    own = shared.replace("./all.yml", "north.yml")
    own += "  settings: {TARGET_HIGHLEVEL_MAPPING: coast.yml}\n"
    path.write_text(own, encoding="utf-8")
    assert all(clinic.project.has_own_mapping for clinic in clinics_of(tmp_path, "live").values())


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
    found = clinics_of(written(tmp_path, CLINICS), "live")
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
