"""An agency: clinics with a sandbox each, their databases, and what their Airflow is told of them."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import yaml
from fresh_project import PARTS, PLUGINS
from postgres_server import programs

from many_clinics.clinics import Clinics, read
from many_clinics.databases import sql
from many_clinics.meltano_project import MeltanoProject

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_server import Airflow
    from postgres_server import PostgresServer

    from sandbox import Sandbox

ROOT = Path(__file__).resolve().parents[2]
AIRFLOW = ROOT / ".venv-airflow" / "bin"
ONCE = "0 0 1 1 *"  # no second run comes while somebody looks


class Agency:
    """A worker's project with clinics, their databases and sandboxes.

    Attributes:
        folder: of the project
        sandboxes: of each clinic, by its name
        passwords: of each clinic's role in PostgreSQL
    """

    def __init__(
        self,
        folder: Path,
        server: PostgresServer,
        sandboxes: Mapping[str, Sandbox],
        settings: Mapping[str, Any],
        retries: int = 0,
    ) -> None:
        """Put all of it into an empty folder; the settings are those of all clinics."""
        self.folder, self.server, self.sandboxes = folder, server, sandboxes
        self.passwords = {name: f"secret-of-{name}" for name in sandboxes}
        self.file = folder / "clinics.yml"
        defaults = {
            "schedule": ONCE,
            "retries": retries,
            "retry_minutes": 0,
            "settings": {
                "TAP_CLINIKO_CONTACT_EMAIL": "desk@agency.example",
                "TAP_CLINIKO_LAG_SECONDS": "0",
                "TARGET_HIGHLEVEL_FALLBACK_OWNER": "frontdesk@example.org",
                "TARGET_HIGHLEVEL_ACCEPT_REJECTS": True,
                **settings,
            },
        }
        entries = self._entries()
        content = {"summary": ONCE, "defaults": defaults, "clinics": entries}
        self.file.write_text(yaml.safe_dump(content), encoding="utf-8")
        self._make_project([entry["name"] for entry in entries])
        self._make_databases()

    def _entries(self) -> list[dict[str, Any]]:
        return [self._entry(name) for name in self.sandboxes]

    def _entry(self, name: str) -> dict[str, Any]:
        sandbox = self.sandboxes[name]
        return {
            "name": name,
            "database": f"connection:{name}_database",
            "secrets": {
                "TAP_CLINIKO_API_KEY": f"env:CLINIKO_OF_{name.upper()}",
                "TARGET_HIGHLEVEL_ACCESS_TOKEN": f"variable:{name}_token",
                "TARGET_HIGHLEVEL_AGENCY_TOKEN": f"connection:{name}_agency#password",
            },
            "settings": {
                "TAP_CLINIKO_API_URL": sandbox.cliniko.url,
                "TARGET_HIGHLEVEL_API_URL": sandbox.highlevel.url,
                "TARGET_HIGHLEVEL_LOCATION_ID": sandbox.highlevel.location_id,
            },
        }

    def _token(self, name: str) -> str:
        return self.sandboxes[name].highlevel.access_token

    def _make_project(self, environments: list[str]) -> None:
        content = yaml.safe_load(ROOT.joinpath("meltano.yml").read_text(encoding="utf-8"))
        content["environments"] += [{"name": name} for name in environments]
        self.folder.joinpath("meltano.yml").write_text(yaml.safe_dump(content), encoding="utf-8")
        for name in (*PARTS, ".venv"):
            self.folder.joinpath(name).symlink_to(ROOT / name)
        self.folder.joinpath(".meltano").mkdir()
        for name in PLUGINS:
            self.folder.joinpath(".meltano", name).symlink_to(ROOT / ".meltano" / name)

    def clinics(self) -> Clinics:
        """Read the file as the DAG does."""
        return read(self.file, MeltanoProject.of(self.folder))

    def _make_databases(self) -> None:
        """Do what the guide says: the SQL that `python -m many_clinics databases` prints, then the passwords."""
        bin_ = programs()
        assert bin_ is not None
        address = self.server.url(driver="postgresql")
        psql = [str(bin_ / "psql"), "--quiet", "--no-psqlrc", "--set=ON_ERROR_STOP=1", address]
        for _ in range(2):  # the second time changes nothing
            subprocess.run(
                psql, input=sql(self.clinics().clinics), text=True, check=True, capture_output=True
            )
        with psycopg.connect(address, autocommit=True) as connection:
            for name, password in self.passwords.items():
                connection.execute(f"ALTER ROLE \"clinic_{name}\" PASSWORD '{password}'".encode())

    def url(self, role: str, database: str) -> str:
        """Return the address of a clinic's database, as one clinic's role."""
        where = f"127.0.0.1:{self.server.port}/clinic_{database}"
        return f"postgresql://clinic_{role}:{self.passwords[role]}@{where}"

    def variables(self) -> dict[str, str]:
        """Return what the worker's process environment holds."""
        keys = {f"CLINIKO_OF_{name.upper()}": box.cliniko.api_key for name, box in self.sandboxes.items()}
        return {
            **keys,
            "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "orchestrate"),
            "CLINICS_FILE": str(self.file),
            "CLINICS_PROJECT": str(self.folder),
        }

    def confide(self, airflow: Airflow) -> None:
        """Give Airflow the pools and the secrets."""
        for name, pool in self.clinics().pools().items():
            airflow.ask("POST", "pools", name=name, **pool)
        for name, sandbox in self.sandboxes.items():
            airflow.ask("POST", "variables", key=f"{name}_token", value=self._token(name))
            agency = {"connection_id": f"{name}_agency", "conn_type": "generic"}
            airflow.ask("POST", "connections", **agency, password=sandbox.highlevel.agency_token)
            airflow.ask(
                "POST",
                "connections",
                connection_id=f"{name}_database",
                conn_type="postgres",
                host="127.0.0.1",
                port=self.server.port,
                login=f"clinic_{name}",
                password=self.passwords[name],
                schema=f"clinic_{name}",
            )
