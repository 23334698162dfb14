"""Which clinics the console shows: the project's own, or those of `orchestrate/clinics.yml`."""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from migration_console.console import Clinic
from migration_console.project import Project

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_FILE = "orchestrate/clinics.yml"
_OF_ONE_CLINIC = ("TAP_CLINIKO_", "TARGET_HIGHLEVEL_", "MELTANO_")
_POSTGRES = "postgresql+psycopg"
#: What can stand in the address of a page as it is, and what already stands there for something else.
_NAME = re.compile(r"\w[\w.-]*")
_PAGES = frozenset({"static", "lock", "locked"})


class ClinicsError(Exception):
    """The file of clinics cannot be used; the text says why."""


def clinics_of(root: Path, environment: str) -> dict[str, Clinic]:
    """Return the clinics by the name of their environment.

    Raises:
        ClinicsError: the file of clinics is not as documented, two clinics are called the same, or a clinic's database is not
            known.
    """
    path = root / _FILE
    clinics = {environment: Project.of(root, environment)}
    named: list[Project] = []
    if path.is_file() and environment != "sandbox":
        try:
            content = YAML(typ="safe").load(path.read_text(encoding="utf-8")) or {}
            defaults = content.get("defaults") or {}
            without = [_without_database(item) for item in content["clinics"]]
            if any(without):
                raise ClinicsError("; ".join(filter(None, without)))
            named = [_project(root, defaults, item) for item in content["clinics"]]
        except (YAMLError, KeyError, TypeError, AttributeError) as error:
            msg = f"{_FILE} has no list `clinics` of entries with a name ({type(error).__name__})"
            raise ClinicsError(msg) from None
        _expect_names(Counter(project.environment for project in named))
        clinics = {project.environment: project for project in named} or clinics
    used = Counter(project.mapping.resolve() for project in clinics.values())
    clinics = {
        name: replace(project, shares_mapping=used[project.mapping.resolve()] > 1)
        for name, project in clinics.items()
    }
    return {name: Clinic(project) for name, project in clinics.items()}


def _expect_names(counted: Mapping[str, int]) -> None:
    """See that each clinic has a folder and pages of its own.

    Raises:
        ClinicsError: it has not.
    """
    for name, clinics in counted.items():
        if clinics > 1:
            msg = f"{_FILE}: {clinics} clinics have the environment {name}; each needs one of its own"
            raise ClinicsError(msg)
        if not _NAME.fullmatch(name) or name in _PAGES:
            msg = f"{_FILE}: the environment {name} cannot be part of an address; give it another, of letters and digits"
            raise ClinicsError(msg)


def _project(root: Path, defaults: Mapping[str, Any], entry: Mapping[str, Any]) -> Project:
    """Open one clinic of the file: with its settings, and of its secrets those that this process's environment holds.

    What is set here or in .env for one clinic must not reach another.
    """
    name = str(entry.get("environment") or entry["name"])
    parts = [{part: side.get(part) or {} for part in ("settings", "secrets")} for side in (defaults, entry)]
    settings, secrets = ({**parts[0][part], **parts[1][part]} for part in ("settings", "secrets"))
    database = _address(_secret(str(entry["database"])))
    variables = {
        **{key: value for key, value in os.environ.items() if not key.startswith(_OF_ONE_CLINIC)},
        **{
            key: value if isinstance(value, str) else json.dumps(value)
            for key, value in settings.items()
            if value not in (None, "")
        },
        **{key: value for key, where in secrets.items() if (value := _secret(str(where)))},
        **dict.fromkeys(("TARGET_HIGHLEVEL_LEDGER_URL", "MELTANO_DATABASE_URI"), database),
    }
    return Project(root, name, variables, one_of_many=True)


def _without_database(entry: Mapping[str, Any]) -> str:
    """Return what to set where a clinic's database is not known here; empty where it is.

    Without it the commands would make a new ledger in a file, and load everything once more.
    """
    reference = str(entry["database"])
    place, _, name = reference.partition(":")
    whose = f"{_FILE}: the database of clinic {entry['name']}"
    if place != "env":
        told = f"{place}: references" if place in {"variable", "connection"} else "what stands there"
        return (
            f"{whose}: only Airflow can follow {told}; write env:NAME, and set the variable NAME to the database's address"
            f" ({_POSTGRES}://…) where the console is started"
        )
    return "" if _secret(reference) else f"{whose}: set the variable {name} to its address ({_POSTGRES}://…)"


def _address(database: str) -> str:
    """Return the address of a database with the driver that the project installs, as a scheduled run has it."""
    scheme, separator, rest = database.partition("://")
    return f"{_POSTGRES}://{rest}" if separator and scheme in {"postgres", "postgresql"} else database


def _secret(reference: str) -> str:
    """Return what a reference stands for; only Airflow can follow those to its variables and connections."""
    place, _, name = reference.partition(":")
    return os.environ.get(name, "") if place == "env" else ""
