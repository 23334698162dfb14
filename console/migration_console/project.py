"""Where one clinic's project is: its folder, its Meltano environment, what is set, and what its runs have left."""

from __future__ import annotations

import json
import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dotenv import dotenv_values

if TYPE_CHECKING:
    from collections.abc import Mapping


MAPPING = "TARGET_HIGHLEVEL_MAPPING"
#: What the mapping is where a clinic names none: the same for every clinic of the folder, and part of the program.
SHIPPED_MAPPING = "transforms/mapping.yml"
#: Where one of several clinics has its own, named as its environment; what Airflow starts looks there, too.
OWN_MAPPINGS = "mappings"


@dataclass(frozen=True)
class Variable:
    """A setting that a migration needs.

    Attributes:
        name: the variable of the process environment or of .env
        line: the line to add when it is missing
        why: what it is for and where to find it
        required: whether nothing works without it
    """

    name: str
    line: str
    why: str
    required: bool = True


VARIABLES = (
    Variable(
        "TAP_CLINIKO_API_KEY",
        "TAP_CLINIKO_API_KEY=…",
        "Cliniko: My info, Manage API keys; of a user who may see everything.",
    ),
    Variable(
        "TAP_CLINIKO_CONTACT_EMAIL",
        "TAP_CLINIKO_CONTACT_EMAIL=you@example.com",
        "Where Cliniko can reach whoever runs the migration; Cliniko asks every program for it.",
    ),
    Variable(
        "TARGET_HIGHLEVEL_ACCESS_TOKEN",
        "TARGET_HIGHLEVEL_ACCESS_TOKEN=…",
        "HighLevel: the sub-account's Settings, Private integrations.",
    ),
    Variable(
        "TARGET_HIGHLEVEL_LOCATION_ID",
        "TARGET_HIGHLEVEL_LOCATION_ID=…",
        "The id of the sub-account, from the address of its pages.",
    ),
    Variable(
        "TARGET_HIGHLEVEL_AGENCY_TOKEN",
        "TARGET_HIGHLEVEL_AGENCY_TOKEN=…",
        "Only for the first load, which creates the custom objects.",
        required=False,
    ),
    Variable(
        "TARGET_HIGHLEVEL_FALLBACK_OWNER",
        "TARGET_HIGHLEVEL_FALLBACK_OWNER=reception@example.com",
        "E-mail of the HighLevel user who owns the patients without a matching practitioner.",
    ),
    Variable(
        MAPPING,
        f"{MAPPING}=mapping.yml",
        f"The mapping file in which Map writes; by default {SHIPPED_MAPPING}, or a copy: cp {SHIPPED_MAPPING} mapping.yml",
        required=False,
    ),
)


@dataclass(frozen=True)
class Project:
    """One clinic: a folder with a meltano.yml, and an environment of it.

    Attributes:
        root: the folder
        environment: the Meltano environment; `sandbox` is one that nobody's patients are in
        variables: the process environment of this clinic, over what its .env file says
        one_of_many: whether the folder is that of other clinics too: then its .env is nobody's
        shares_mapping: whether another clinic takes the same mapping file
    """

    root: Path
    environment: str
    variables: Mapping[str, str]
    one_of_many: bool = False
    shares_mapping: bool = False

    @classmethod
    def of(cls, root: Path, environment: str, variables: Mapping[str, str] | None = None) -> Project:
        """Open a project; real environment variables win over those of the .env file, as for Meltano."""
        given = dict(os.environ if variables is None else variables)
        written = {name: value for name, value in dotenv_values(root / ".env").items() if value}
        if environment == "sandbox":
            written = {}  # the sandbox is never given a real clinic's credentials
        return cls(root, environment, written | given)

    @property
    def is_sandbox(self) -> bool:
        """Return whether both services are made up."""
        return self.environment == "sandbox"

    @property
    def data(self) -> Path:
        """Return the folder of what the runs leave."""
        return self.root / "data" / self.environment

    @property
    def reports(self) -> Path:
        """Return the folder of the reports, one folder a run."""
        return Path(self.variables.get("TARGET_HIGHLEVEL_REPORT_DIR") or self.data / "reports")

    @property
    def jobs(self) -> Path:
        """Return the folder in which the console keeps what it has started."""
        return self.data / "console" / "jobs"

    @property
    def ledger_url(self) -> str:
        """Return the SQLAlchemy address of the ledger."""
        return self.variables.get("TARGET_HIGHLEVEL_LEDGER_URL") or f"sqlite:///{self.data / 'ledger.db'}"

    @property
    def has_ledger(self) -> bool:
        """Return whether there is a ledger to look into; a look must make none."""
        file = self.ledger_url.partition("sqlite:///")[2]
        return not file or Path(file).exists()

    @property
    def location(self) -> str:
        """Return the id of the sub-account, empty when none is set."""
        return self.variables.get("TARGET_HIGHLEVEL_LOCATION_ID", "").strip()

    @property
    def sub_accounts(self) -> tuple[str, ...]:
        """Return the ids of all sub-accounts that a run feeds, the main one first; a wrong setting is the run's to tell."""
        try:
            beside = json.loads(self.variables.get("TARGET_HIGHLEVEL_LOCATIONS") or "{}")
        except json.JSONDecodeError:
            beside = {}
        others = map(str, beside.values()) if isinstance(beside, dict) else ()
        return tuple(dict.fromkeys(filter(None, (self.location, *others))))

    @property
    def names_mapping(self) -> bool:
        """Return whether the settings say which mapping file the clinic takes; those of several clinics need not."""
        return self.is_set(MAPPING) or not self.one_of_many

    @property
    def mapping(self) -> Path:
        """Return the mapping file in which the clinic decides; of several clinics it may not have been made yet."""
        if self.names_mapping:
            return self.root / (self.variables.get(MAPPING, "").strip() or SHIPPED_MAPPING)
        return self.root / OWN_MAPPINGS / f"{self.environment}.yml"

    @property
    def first_mapping(self) -> Path:
        """Return what that file begins as: until then the runs take it."""
        return self.mapping if self.names_mapping else self.root / SHIPPED_MAPPING

    @property
    def job_variables(self) -> Mapping[str, str]:
        """Return what a job is given: the settings, and the mapping file that was made for one of several clinics."""
        is_made = not self.names_mapping and self.mapping.is_file()
        return {**self.variables, MAPPING: str(self.mapping)} if is_made else self.variables

    @property
    def has_own_mapping(self) -> bool:
        """Return whether that file is this clinic's alone: what is decided in another one is decided for others too.

        The shipped one is that of the only clinic of a project.
        """
        is_shipped = self.mapping.resolve() == (self.root / SHIPPED_MAPPING).resolve()
        return not self.shares_mapping and not (self.one_of_many and is_shipped)

    @property
    def mapping_to_name(self) -> str:
        """Return what gives one of several clinics a mapping file of its own, in the words of a terminal."""
        own = f"{OWN_MAPPINGS}/{self.environment}.yml"
        return (
            f"mkdir -p mappings; cp {SHIPPED_MAPPING} {own}, then {MAPPING}: {self.root / own} under `settings` of the"
            " clinic in orchestrate/clinics.yml"
        )

    @property
    def meltano(self) -> Path:
        """Return Meltano's program: the project's own, else the one beside this interpreter, else the first on the path."""
        beside = (self.root / ".venv" / "bin" / "meltano", Path(sys.executable).parent / "meltano")
        found = next((path for path in beside if path.exists()), None)
        return found or Path(shutil.which("meltano", path=self.variables.get("PATH")) or "meltano")

    def own_meltano(self) -> Path:
        """Make Meltano's system folder of this clinic alone, with the project's plugins linked into it.

        Meltano keeps state, catalog and settings of a run there under the same names for every environment.
        """
        folder = self.jobs.parent / "meltano"
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        for plugins in ("extractors", "loaders", "mappers", "utilities"):
            link = folder / plugins
            if not link.is_symlink():
                link.symlink_to(self.root / ".meltano" / plugins, target_is_directory=True)
        return folder

    def is_set(self, name: str) -> bool:
        """Return whether a variable has a value; which one is nobody's business."""
        return bool(self.variables.get(name, "").strip())

    def missing(self) -> list[Variable]:
        """Return the variables without which nothing works."""
        return [item for item in VARIABLES if item.required and not self.is_set(item.name)]
