"""The tap with four targets that are not ours, each run by Meltano as an analyst would."""

from __future__ import annotations

import csv
import json
import subprocess
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
import requests
from fresh_project import FreshProject, quick_sandbox
from postgres_server import running_postgres
from psycopg import sql

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox import Sandbox

PATIENTS = 12
SCHEMA = "cliniko"
UNDOCUMENTED = {"recalls", "recall_types"}  # this account does not serve them
NAME = "Ørsted-例"
VALUES = ("last_name", "custom_fields", "patient_phone_numbers")
ROOT = Path(__file__).resolve().parent.parent
Row = dict[str, Any]

pytestmark = [pytest.mark.timeout(600), pytest.mark.xdist_group("warehouse")]


@dataclass
class Analyst:
    """A project and the clinic it reads."""

    project: FreshProject
    sandbox: Sandbox

    @property
    def warehouse(self) -> Path:
        """The folder of the targets that write files."""
        return self.project.folder / "data" / "sandbox" / "warehouse"

    def load(self, target: str, **variables: str) -> None:
        """Run the tap into a target."""
        outcome = self.project.type(f"meltano run tap-cliniko {target}", **variables)
        assert outcome.returncode == 0, outcome.stdout[-3000:]

    def counts(self) -> dict[str, int]:
        """Count what the account holds, hidden rows included, without asking the tap."""
        account = self.sandbox.cliniko.account
        tables = {name: len(list(table.rows())) for name, table in account.tables.items()}
        held = {name: count for name, count in tables.items() if name not in UNDOCUMENTED}
        practitioners = [row["id"] for row in account.tables["practitioners"].rows()]
        offered = sum(self._total(f"/practitioners/{each}/appointment_types") for each in practitioners)
        alone = {"settings": 1, "public_settings": 1, "services": self._total("/services")}
        return {**held, **alone, "practitioner_appointment_types": offered}

    def _total(self, path: str) -> int:
        side = self.sandbox.cliniko
        agent = {"User-Agent": "warehouse (tests@example.org)"}
        answer = requests.get(side.url + path, auth=(side.api_key, ""), headers=agent, timeout=10)
        return int(answer.json()["total_entries"])

    def patients(self) -> dict[str, Row]:
        """Return of each patient a text with letters of its own, an object and a list."""
        rows = self.sandbox.cliniko.account.tables["patients"].rows()
        return {str(row["id"]): {name: row.get(name) or None for name in VALUES} for row in rows}

    def rename_one(self) -> None:
        """Give one patient another name."""
        account = self.sandbox.cliniko.account
        patient = next(row for row in account.tables["patients"].rows() if row["last_name"] != NAME)
        account.update("patients", patient["id"], {"last_name": NAME})


@pytest.fixture(scope="module")
def analyst(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Analyst]:
    """A small clinic and a project of its own, in the Meltano environment `sandbox`."""
    with quick_sandbox(PATIENTS) as sandbox:
        yield Analyst(FreshProject(tmp_path_factory.mktemp("project"), sandbox, "sandbox"), sandbox)


def compare(analyst: Analyst, counts: dict[str, int], patients: dict[str, Row]) -> None:
    """As many rows as the account has of each stream; a patient's text, object and list as Cliniko has them."""
    expected = analyst.counts()
    assert sum(expected.values()) > 400
    assert {name: counts.get(name, 0) for name in expected} == expected
    assert patients == analyst.patients()


def parsed(row: Row) -> Row:
    """Turn the nested values of a patient from JSON text; what is empty is null."""
    nested = {name: json.loads(row[name]) if row[name] else None for name in VALUES[1:]}
    return {"last_name": row["last_name"] or None, **{name: value or None for name, value in nested.items()}}


def test_json_lines(analyst: Analyst) -> None:
    """One line a record; nested values are nested."""
    analyst.load("target-jsonl")
    rows = {
        path.stem: [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        for path in analyst.warehouse.glob("*.jsonl")
    }
    patients = {row["id"]: {name: row.get(name) or None for name in VALUES} for row in rows["patients"]}
    compare(analyst, {name: len(found) for name, found in rows.items()}, patients)


@pytest.mark.soak
def test_csv(analyst: Analyst) -> None:
    """One line a record; nested values are JSON in a cell."""
    analyst.load("target-csv")
    rows: dict[str, list[Row]] = {}
    for path in analyst.warehouse.glob("*.csv"):
        with path.open(encoding="utf-8", newline="") as lines:
            rows[path.stem.partition("-")[0]] = list(csv.DictReader(lines))
    compare(
        analyst,
        {name: len(found) for name, found in rows.items()},
        {row["id"]: parsed(row) for row in rows["patients"]},
    )


def test_postgresql(analyst: Analyst) -> None:
    """A row each in PostgreSQL, nested values as jsonb; a second run changes rows and adds none."""
    with running_postgres() as server:
        database = server.new_database()
        variables = {"TARGET_POSTGRES_SQLALCHEMY_URL": server.url(database)}
        for _ in range(2):
            analyst.load("target-postgres", **variables)
            with psycopg.connect(server.url(database, driver="postgresql")) as connection:
                compare(analyst, *read_postgresql(connection))
            analyst.rename_one()


def read_postgresql(connection: psycopg.Connection[Any]) -> tuple[dict[str, int], dict[str, Row]]:
    """Count the rows of every table, and read the patients."""
    tables = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = %s", [SCHEMA]).fetchall()
    counts: Counter[str] = Counter()
    for (table,) in tables:
        query = sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(SCHEMA, table))
        counts.update({table: connection.execute(query).fetchall()[0][0]})
    query = sql.SQL("SELECT id, {} FROM {}").format(
        sql.SQL(", ").join(map(sql.Identifier, VALUES)), sql.Identifier(SCHEMA, "patients")
    )
    rows = connection.execute(query).fetchall()
    return counts, {
        row[0]: dict(zip(VALUES, (value or None for value in row[1:]), strict=True)) for row in rows
    }


@pytest.mark.soak
def test_duckdb(analyst: Analyst) -> None:
    """A row each in DuckDB, nested values as JSON; a second run changes rows and adds none."""
    for _ in range(2):
        analyst.load("target-duckdb")
        counts, patients = read_duckdb(analyst.project.folder / "data" / "clinic-sandbox.duckdb")
        compare(analyst, counts, {row["id"]: parsed(row) for row in patients})
        analyst.rename_one()


def read_duckdb(database: Path) -> tuple[dict[str, int], list[Row]]:
    """Count the rows and read the patients with the target's own DuckDB, which the file was written by."""
    python = ROOT / ".meltano" / "loaders" / "target-duckdb" / "venv" / "bin" / "python"
    outcome = subprocess.run(
        [python, "-c", _READ_DUCKDB, database, SCHEMA, *VALUES], capture_output=True, text=True, check=True
    )
    answer = json.loads(outcome.stdout)
    return answer["counts"], answer["patients"]


_READ_DUCKDB = """
import duckdb, json, sys
path, schema, *columns = sys.argv[1:]
database = duckdb.connect(path, read_only=True)
tables = database.sql(f"select table_name from information_schema.tables where table_schema = '{schema}'")
found = [name for (name,) in tables.fetchall()]
counts = {name: database.sql(f'select count(*) from {schema}."{name}"').fetchone()[0] for name in found}
names = ["id", *columns]
rows = database.sql(f"select {', '.join(names)} from {schema}.patients").fetchall()
print(json.dumps({"counts": counts, "patients": [dict(zip(names, row)) for row in rows]}))
"""
