"""Which clinics the console shows: the project's own, or those of `orchestrate/clinics.yml`."""

from __future__ import annotations

import json
import os
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


class ClinicsError(Exception):
    """The file of clinics cannot be used; the text says why."""


def clinics_of(root: Path, environment: str) -> dict[str, Clinic]:
    """Return the clinics by the name of their environment.

    Raises:
        ClinicsError: the file of clinics is not as documented.
    """
    path = root / _FILE
    clinics = {environment: Project.of(root, environment)}
    if path.is_file() and environment != "sandbox":
        try:
            content = YAML(typ="safe").load(path.read_text(encoding="utf-8")) or {}
            defaults = content.get("defaults") or {}
            named = [_project(root, defaults, item) for item in content["clinics"]]
        except (YAMLError, KeyError, TypeError, AttributeError) as error:
            msg = f"{_FILE} has no list `clinics` of entries with a name ({type(error).__name__})"
            raise ClinicsError(msg) from None
        clinics = {project.environment: project for project in named} or clinics
    return {name: Clinic(project) for name, project in clinics.items()}


def _project(root: Path, defaults: Mapping[str, Any], entry: Mapping[str, Any]) -> Project:
    """Open one clinic of the file: with its settings, and of its secrets those that this process's environment holds.

    What is set here or in .env for one clinic must not reach another.
    """
    name = str(entry.get("environment") or entry["name"])
    parts = [{part: side.get(part) or {} for part in ("settings", "secrets")} for side in (defaults, entry)]
    settings, secrets = ({**parts[0][part], **parts[1][part]} for part in ("settings", "secrets"))
    secrets |= dict.fromkeys(("TARGET_HIGHLEVEL_LEDGER_URL", "MELTANO_DATABASE_URI"), entry["database"])
    variables = {
        **{key: value for key, value in os.environ.items() if not key.startswith(_OF_ONE_CLINIC)},
        **{key: value if isinstance(value, str) else json.dumps(value) for key, value in settings.items()},
        **{key: value for key, where in secrets.items() if (value := _secret(str(where)))},
    }
    return Project(root, name, variables, one_of_many=True)


def _secret(reference: str) -> str:
    """Return what a reference stands for; only Airflow can follow those to its variables and connections."""
    place, _, name = reference.partition(":")
    return os.environ.get(name, "") if place == "env" else ""
