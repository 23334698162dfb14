"""The file of clinics: which there are, when each runs, and where its secrets are."""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any
from zoneinfo import available_timezones

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue, TypeAdapter, ValidationError

from many_clinics.entries import loaded, why
from many_clinics.meltano_project import TRUE, as_text
from many_clinics.references import reference
from many_clinics.schedule import schedule

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from many_clinics.meltano_project import MeltanoProject

FILE = "clinics.yml"
LOCATION, LOCATIONS = "TARGET_HIGHLEVEL_LOCATION_ID", "TARGET_HIGHLEVEL_LOCATIONS"
API_KEY = "TAP_CLINIKO_API_KEY"
MAPPING = "TARGET_HIGHLEVEL_MAPPING"
_SHIPPED_MAPPING = "transforms/mapping.yml"
#: Where the console makes the mapping file of a clinic that names none, called as its environment.
_OWN_MAPPINGS = "mappings"
_SHARED_MAPPING = f"clinic {{}}: another clinic has the same {MAPPING}, and a choice for one changes both; give each its own"
_WITHOUT_MAPPING = (
    f"clinic {{}}: takes the shipped {_SHIPPED_MAPPING}; for choices of its own copy that file, and name the copy under settings."
    f"{MAPPING}"
)


#: What names a clinic, and the Cliniko user of several: parts of the names of DAGs and pools.
_PATTERNS = {"name": r"[a-z][a-z0-9-]{0,39}", "user": r"[a-z0-9-]{1,40}"}
#: By what entries of one Cliniko user are told: `name`, `user` or `key`, and which.
Mark = tuple[str, str]


def _timezone(text: str) -> str:
    if text not in available_timezones():
        msg = "not a time zone; write one such as Australia/Sydney"
        raise ValueError(msg)
    return text


Reference = Annotated[str, AfterValidator(reference)]
Schedule = Annotated[str, AfterValidator(schedule)]
TimeZone = Annotated[str, AfterValidator(_timezone)]


class Clinic(BaseModel):
    """One clinic of the file.

    Attributes:
        name: in names of DAGs, pools and the summary
        environment: the Meltano environment, and the folder below `data/`; the name by default
        schedule: when it runs, as for cron
        timezone: of the schedule
        database: where the URL of its PostgreSQL database is, which holds its ledger and Meltano's system database
        secrets: variable of a plugin -> where its value is
        settings: variable of a plugin -> its value; nothing secret
        cliniko_user: clinics that name the same one, or the same API key, never run at the same time
        verify_every_days: how long after a verification the next one is due
        timeout_hours: after which a plan, load, delta or verification is stopped; the next run resumes
        retries: how often a step is tried again that failed for a reason that may pass
        retry_minutes: before the first of them; the pause doubles each time
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, Field(pattern=f"^{_PATTERNS['name']}$")]
    environment: str
    schedule: Schedule
    timezone: TimeZone = "UTC"
    database: Reference
    secrets: dict[str, Reference] = {}
    settings: dict[str, JsonValue] = {}
    cliniko_user: Annotated[str, Field(pattern=f"^{_PATTERNS['user']}$")] | None = None
    verify_every_days: Annotated[float, Field(gt=0, le=3650)] = 7
    timeout_hours: Annotated[float, Field(gt=0, le=24)] = 20
    retries: Annotated[int, Field(ge=0, le=10)] = 3
    retry_minutes: Annotated[float, Field(ge=0, le=1440)] = 10

    @property
    def dag_id(self) -> str:
        """Return the name of its DAG."""
        return f"clinic_{self.name}"

    @property
    def sub_accounts(self) -> set[str]:
        """Return the sub-accounts it writes to, by id, or by reference where the id is kept as a secret."""
        main = self.settings.get(LOCATION) or self.secrets.get(LOCATION)
        others = (self.locations or {}).values()
        return {str(item) for item in (main, self.secrets.get(LOCATIONS), *others) if item}

    @property
    def locations(self) -> dict[str, Any] | None:
        """Return the sub-accounts of single businesses, by the business's id; None where the setting is no such thing.

        It may stand in the file as it stands in an environment: as JSON in a text.
        """
        given: Any = self.settings.get(LOCATIONS) or {}
        if isinstance(given, str):
            try:
                given = json.loads(given)
            except ValueError:
                return None
        is_one = isinstance(given, dict) and all(isinstance(item, str | int) for item in given.values())
        return given if is_one else None

    @property
    def needs_approval(self) -> bool:
        """Return whether nothing is loaded before somebody approved the plan."""
        return str(self.settings.get("TARGET_HIGHLEVEL_REQUIRE_APPROVED_PLAN", "")).lower() in TRUE


@dataclass(frozen=True)
class Clinics:
    """What the file holds.

    Attributes:
        clinics: those that can run
        problems: what is wrong with the others, or with the file, in sentences without any value
        summary: when the summary of all is written, as for cron
        advice: what those that can run had better have
        marks: by what each entry is known, also one that cannot run now: which pools there are must not change when it can
    """

    clinics: tuple[Clinic, ...]
    problems: tuple[str, ...]
    summary: str = "0 7 * * *"
    advice: tuple[str, ...] = ()
    marks: tuple[frozenset[Mark], ...] = ()

    def pool(self, clinic: Clinic) -> str:
        """Return the pool in which a clinic's steps run, one at a time.

        A task can be in one pool only. A sub-account belongs to one clinic (`problems` sees to that), so the pool of the
        Cliniko user is also that of every sub-account its clinics write to.
        """
        together = self._together["name", clinic.name]
        users = [mark for kind, mark in together if kind == "user"]
        return f"cliniko_{min(users or (mark for kind, mark in together if kind == 'name'))}"

    @cached_property
    def _together(self) -> dict[Mark, frozenset[Mark]]:
        """All marks of one Cliniko user for each of them, in whatever order the file has its entries.

        Two that have nothing in common are of one user where a third shares a key with the one and a name with the other.
        """
        found: dict[Mark, frozenset[Mark]] = {}
        for marks in (*self.marks, *map(_marks, self.clinics)):
            same = marks.union(*(found.get(mark, ()) for mark in marks))
            found |= dict.fromkeys(same, same)
        return found

    def pools(self) -> dict[str, dict[str, Any]]:
        """Return all pools, as `airflow pools import` reads them."""
        return {
            name: {"slots": 1, "description": "one run at a time", "include_deferred": False}
            for name in sorted({self.pool(clinic) for clinic in self.clinics})
        }


def _marks(clinic: Clinic) -> frozenset[Mark]:
    """Return by what a clinic is known, and what another of the same Cliniko user has in common with it."""
    return _marks_of(clinic.model_dump(include={"name", "cliniko_user", "secrets"}))


def _marks_of(entry: Mapping[str, Any]) -> frozenset[Mark]:
    """Return the same of an entry that may be wrong elsewhere: as far as it can be told."""
    secrets = entry.get("secrets")
    key = secrets.get(API_KEY) if isinstance(secrets, dict) else None
    known = {"name": entry.get("name"), "user": entry.get("cliniko_user"), "key": key}
    return frozenset(
        (kind, mark)
        for kind, mark in known.items()
        if isinstance(mark, str) and re.fullmatch(_PATTERNS.get(kind, ".+"), mark)
    )


class _File(BaseModel):
    """The outermost level of the file; what is wrong in here may concern every clinic."""

    model_config = ConfigDict(extra="forbid")

    summary: Any = Clinics.summary
    defaults: dict[str, Any] = {}
    clinics: list[Any]


def read(path: Path, project: MeltanoProject) -> Clinics:
    """Read the file and check all of it: a clinic that is described wrongly stops no other, and every problem is told."""
    try:
        content, twice = loaded(path.read_text(encoding="utf-8"))
        file = _File.model_validate(content or {})
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        return Clinics((), (f"{path.name}: {why(error)}",))
    except ValidationError as error:
        return Clinics((), tuple(_told(path.name, error)))
    good, problems, marks = [], [], []
    summary = file.summary
    try:
        TypeAdapter(Schedule).validate_python(summary)
    except ValidationError as error:
        problems += _told("summary", error)
        summary = Clinics.summary
    for number, entry in enumerate(file.clinics, 1):
        if not isinstance(entry, dict):
            problems.append(f"clinic {number}: not an entry; write `name:` and the rest below it")
            continue
        where = f"clinic {entry.get('name') or number}"
        whole = _with_defaults(file.defaults, entry)
        marks.append(_marks_of(whole))
        if number in twice:
            problems.append(f"{where}: {twice[number]}")
            continue
        try:
            clinic = Clinic.model_validate(whole)
        except ValidationError as error:
            problems += _told(where, error)
            continue
        found = [f"{where}: {problem}" for problem in _problems(clinic, project)]
        problems += found
        if not found:
            good.append(clinic)
    shared = dict(_shared(good))
    problems += shared.values()
    clinics = tuple(item for item in good if item.name not in shared)
    advice = tuple(_advice(clinics, project.root))
    return Clinics(clinics, tuple(problems), summary, advice, tuple(marks))


def _with_defaults(defaults: Mapping[str, Any], entry: Mapping[str, Any]) -> dict[str, Any]:
    """Return an entry over the defaults; `secrets` and `settings` are joined name by name, and an empty setting is none."""
    both = {**defaults, **entry}
    for name in ("secrets", "settings"):
        parts = [side[name] for side in (defaults, entry) if name in side]
        if parts and all(isinstance(part, dict) for part in parts):
            both[name] = {key: value for part in parts for key, value in part.items()}
    if isinstance(both.get("settings"), dict):
        both["settings"] = {key: value for key, value in both["settings"].items() if value not in (None, "")}
    both.setdefault("environment", both.get("name"))
    return both


def _told(where: str, error: ValidationError) -> list[str]:
    """Say what is wrong without repeating what was written: it may be a secret in the wrong place."""
    return [
        ": ".join(
            filter(None, (where, ".".join(map(str, item["loc"])), item["msg"].removeprefix("Value error, ")))
        )
        for item in error.errors(include_url=False, include_input=False, include_context=False)
    ]


def _problems(clinic: Clinic, project: MeltanoProject) -> Iterator[str]:
    """Check what one clinic names against the project."""
    if clinic.environment not in project.environments:
        yield f"environment: meltano.yml has none of this name; add it: meltano environment add {clinic.environment}"
    for name, value in clinic.settings.items():
        if name in project.sensitive:
            yield f"settings.{name}: is a secret; name where it is under `secrets`"
        elif name in project.forms and not project.forms[name].fits(as_text(value)):
            yield f"settings.{name}: write {project.forms[name].words}"
    for name in clinic.settings.keys() & clinic.secrets.keys():
        yield f"{name}: stands under `settings` and under `secrets` (here or in the defaults): keep one of them"
    if clinic.locations is None:
        yield f"settings.{LOCATIONS}: not sub-accounts by the id of their business; write them as in YAML, or as JSON"
    for name in {*clinic.settings, *clinic.secrets} - project.variables:
        yield f"{name}: not a setting of tap-cliniko or target-highlevel, or one that is decided by the step"
    given = {*clinic.settings, *clinic.secrets}
    for groups in project.required:
        if not any(set(group) <= given for group in groups):
            yield f"needs {' or '.join(' and '.join(group) for group in groups)}"


def made_mapping(clinic: Clinic, root: Path) -> dict[str, str]:
    """Return the setting of the mapping file that the console has made for a clinic; empty without one, or if it names one."""
    path = root / _OWN_MAPPINGS / f"{clinic.environment}.yml"
    is_ours = MAPPING not in {*clinic.settings, *clinic.secrets} and path.is_file()
    return {MAPPING: str(path)} if is_ours else {}


def _mapping(clinic: Clinic, root: Path) -> str:
    """Return the mapping file of a clinic alone; empty where it takes the shipped one, as everybody may."""
    if MAPPING in clinic.secrets:
        return clinic.secrets[MAPPING]
    named = {**made_mapping(clinic, root), **clinic.settings}.get(MAPPING)
    path = os.path.normpath(root / str(named or _SHIPPED_MAPPING))
    return "" if path == os.path.normpath(root / _SHIPPED_MAPPING) else path


def _advice(clinics: Iterable[Clinic], root: Path) -> Iterator[str]:
    """Yield what is better done about mapping files: a choice in one that several clinics take changes all of them."""
    mappings = [(clinic.name, _mapping(clinic, root)) for clinic in clinics]
    used = Counter(path for _, path in mappings)
    for name, path in mappings:
        if not path:
            yield _WITHOUT_MAPPING.format(name)
        elif used[path] > 1:
            yield _SHARED_MAPPING.format(name)


def _shared(clinics: list[Clinic]) -> Iterator[tuple[str, str]]:
    """Yield name and problem of every clinic that shares what only one may have."""
    counted = Counter(part for clinic in clinics for part in _own(clinic))
    for clinic in clinics:
        twice = sorted({what for what, value in _own(clinic) if counted[what, value] > 1})
        if twice:
            yield clinic.name, f"clinic {clinic.name}: another clinic has the same {' and '.join(twice)}"


def _own(clinic: Clinic) -> set[tuple[str, str]]:
    """Return what must belong to one clinic alone, each with its kind."""
    return {
        ("name", clinic.name),
        ("environment", clinic.environment),
        ("database", clinic.database),
        *(("sub-account", identity) for identity in clinic.sub_accounts),
    }
