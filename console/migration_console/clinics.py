"""Which clinics the console shows: the project's own, or those of `orchestrate/clinics.yml`."""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from ruamel.yaml import YAML
from ruamel.yaml.constructor import ConstructorError, DuplicateKeyError, SafeConstructor
from ruamel.yaml.error import YAMLError
from ruamel.yaml.nodes import SequenceNode

from migration_console.console import Clinic
from migration_console.project import MAPPING, SHIPPED_MAPPING, Project

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

_FILE = "orchestrate/clinics.yml"
_OF_ONE_CLINIC = ("TAP_CLINIKO_", "TARGET_HIGHLEVEL_", "MELTANO_")
_POSTGRES = "postgresql+psycopg"
#: What can stand in the address of a page as it is, and what already stands there for something else.
_NAME = re.compile(r"\w[\w.-]*")
_PAGES = frozenset({"static", "lock", "locked"})


class ClinicsError(Exception):
    """The file of clinics cannot be used; the text says why."""


class _Constructor(SafeConstructor):
    """Reads a date as the text that it is in an environment."""


_Constructor.add_constructor("tag:yaml.org,2002:timestamp", _Constructor.construct_yaml_str)


@dataclass(frozen=True)
class _Entry:
    """One clinic of the file.

    Attributes:
        where: how a problem names it
        problem: what is wrong with it, without any value that may be secret; empty where nothing is
        project: the clinic, as far as it can be told
    """

    where: str
    problem: str = ""
    project: Project | None = None


def clinics_of(root: Path, environment: str) -> tuple[dict[str, Clinic], tuple[str, ...]]:
    """Return the clinics by the name of their environment, and what is wrong with the entries that are left out.

    Raises:
        ClinicsError: the file of clinics is not as documented, or none of its entries can be used.
    """
    path = root / _FILE
    entries: list[_Entry] = []
    if path.is_file() and environment != "sandbox":
        entries = _each_by_itself(list(_entries(root, path)))
    problems = tuple(f"{_FILE}: {entry.where}: {entry.problem}" for entry in entries if entry.problem)
    good = [entry.project for entry in entries if entry.project and not entry.problem]
    if problems and not good:
        raise ClinicsError("; ".join(problems))
    # also of those that are left out: they may run elsewhere, and take what is decided here
    used = Counter(entry.project.mapping.resolve() for entry in entries if entry.project)
    projects = good or [Project.of(root, environment)]
    told = (replace(project, shares_mapping=used[project.mapping.resolve()] > 1) for project in projects)
    return {project.environment: Clinic(project) for project in told}, problems


def _entries(root: Path, path: Path) -> Iterator[_Entry]:
    """Yield each entry of the file; one that is wrong spoils no other.

    Raises:
        ClinicsError: the file is not as documented.
    """
    yaml = YAML(typ="safe", pure=True)
    yaml.Constructor = _Constructor
    try:
        document = yaml.compose(path.read_text(encoding="utf-8"))
        parts = {name.value: node for name, node in document.value}
        nodes = parts["clinics"]
        defaults = (
            yaml.constructor.construct_document(parts["defaults"]) if "defaults" in parts else None
        ) or {}
    except (YAMLError, KeyError, TypeError, ValueError, AttributeError) as error:
        msg = f"{_FILE} has no list `clinics` of entries with a name ({type(error).__name__})"
        raise ClinicsError(msg) from None
    is_doubled = len(parts) < len(document.value)
    if is_doubled or not isinstance(nodes, SequenceNode) or not _are_mappings(defaults):
        msg = f"{_FILE} has no list `clinics` of entries with a name and one mapping `defaults`, each once"
        raise ClinicsError(msg)
    for number, node in enumerate(nodes.value, 1):
        try:
            yield _entry(root, defaults, yaml.constructor.construct_document(node), number)
        except DuplicateKeyError as error:
            line = error.problem_mark.line + 1
            yield _Entry(f"clinic {number}", f"a name stands in line {line} a second time")
        except (ConstructorError, ValueError) as error:
            yield _Entry(f"clinic {number}", f"cannot be read ({type(error).__name__})")


def _entry(root: Path, defaults: Mapping[str, Any], entry: Any, number: int) -> _Entry:
    if not isinstance(entry, dict) or not entry.get("name"):
        return _Entry(f"clinic {number}", "has no name; write `name:` and the rest below it")
    where = f"clinic {entry['name']}"
    if not _are_mappings(entry):
        return _Entry(where, "`settings` and `secrets` are names with a value each")
    project = _project(root, defaults, entry)
    return _Entry(where, _database_problem(entry, project) or _name_problem(project.environment), project)


def _are_mappings(side: Any) -> bool:
    """Return whether `settings` and `secrets` of an entry, or of the defaults, can be joined."""
    return isinstance(side, dict) and all(
        isinstance(side.get(part) or {}, dict) for part in ("settings", "secrets")
    )


def _each_by_itself(entries: list[_Entry]) -> list[_Entry]:
    """Find those that have one environment: nobody can tell whose folder and pages it is, so none of them is shown."""
    counted = Counter(entry.project.environment for entry in entries if entry.project)
    return [
        replace(
            entry,
            problem=f"another clinic has the environment {entry.project.environment}; each needs one of its own",
        )
        if entry.project and counted[entry.project.environment] > 1 and not entry.problem
        else entry
        for entry in entries
    ]


def _name_problem(environment: str) -> str:
    """Return why a clinic cannot have pages of its own; empty where it can."""
    if _NAME.fullmatch(environment) and environment not in _PAGES:
        return ""
    return (
        f"the environment {environment} cannot be part of an address; give it another, of letters and digits"
    )


def _project(root: Path, defaults: Mapping[str, Any], entry: Mapping[str, Any]) -> Project:
    """Open one clinic of the file: with its settings, and of its secrets those that this process's environment holds.

    What is set here or in .env for one clinic must not reach another.
    """
    name = str(entry.get("environment") or entry["name"])
    parts = [{part: side.get(part) or {} for part in ("settings", "secrets")} for side in (defaults, entry)]
    settings, secrets = ({**parts[0][part], **parts[1][part]} for part in ("settings", "secrets"))
    database = _address(_secret(str(entry.get("database"))))
    # the file that a secret names is the clinic's, also where only Airflow can follow it: none is made beside it
    unknown = {MAPPING: SHIPPED_MAPPING} if MAPPING in secrets else {}
    variables = {
        **unknown,
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


def _database_problem(entry: Mapping[str, Any], project: Project) -> str:
    """Return what to set where a clinic's database is not known here; empty where it is.

    Without it the commands would make a new ledger in a file, and load everything once more.
    """
    if not entry.get("database"):
        return "has no database; write `database: env:NAME`"
    reference = str(entry["database"])
    place, _, name = reference.partition(":")
    if place != "env":
        told = f"{place}: references" if place in {"variable", "connection"} else "what stands there"
        return (
            f"its database: only Airflow can follow {told}; write env:NAME, and set the variable NAME to the database's address"
            f" ({_POSTGRES}://…) where the console is started"
        )
    if not _secret(reference):
        return f"its database: set the variable {name} to its address ({_POSTGRES}://…)"
    if not _names_server(project.ledger_url):
        return f"its database: the address in the variable {name} names no server ({_POSTGRES}://user:password@server/database)"
    return ""


def _names_server(address: str) -> bool:
    """Return whether a database is where the address says; one of no server is wherever this machine finds one."""
    scheme, _, rest = address.partition("://")
    before, _, parameters = rest.rpartition("@")[2].partition("?")
    is_named = before and before[0] not in ":/"
    return not scheme.startswith("postgres") or bool(is_named or "host" in parse_qs(parameters))


def _address(database: str) -> str:
    """Return the address of a database with the driver that the project installs, as a scheduled run has it."""
    scheme, separator, rest = database.partition("://")
    return f"{_POSTGRES}://{rest}" if separator and scheme in {"postgres", "postgresql"} else database


def _secret(reference: str) -> str:
    """Return what a reference stands for; only Airflow can follow those to its variables and connections."""
    place, _, name = reference.partition(":")
    return os.environ.get(name, "") if place == "env" else ""
