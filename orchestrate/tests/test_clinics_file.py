"""What the file of clinics may say, and how it is told what is wrong with it."""

from __future__ import annotations

import json
import re
import subprocess
from dataclasses import replace
from itertools import permutations
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
import yaml
from postgres_server import programs, running_postgres

from many_clinics.clinics import Clinics, made_mapping, read
from many_clinics.databases import sql
from many_clinics.meltano_project import MeltanoProject
from many_clinics.schedule import schedule

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT = Path(__file__).resolve().parents[2]
PROJECT = MeltanoProject.of(ROOT)
KNOWN = replace(PROJECT, environments=frozenset({"north", "south", "west"}))
PASTED = "MS0xLXRoaXMtaXMtYS1rZXk-au1"


def clinic(name: str = "north", **changes: Any) -> dict[str, Any]:
    """Return an entry that is as it should be, with changes."""
    return {
        "name": name,
        "schedule": "0 2 * * *",
        "database": f"connection:{name}_database",
        "secrets": {
            "TAP_CLINIKO_API_KEY": f"variable:{name}_key",
            "TARGET_HIGHLEVEL_ACCESS_TOKEN": f"connection:{name}_highlevel#password",
        },
        "settings": {
            "TAP_CLINIKO_CONTACT_EMAIL": "moves@agency.example",
            "TARGET_HIGHLEVEL_LOCATION_ID": f"location of {name}",
        },
        **changes,
    }


def with_setting(name: str, value: Any) -> dict[str, Any]:
    """Return an entry with one setting more."""
    entry = clinic()
    return {**entry, "settings": {**entry["settings"], name: value}}


def written(folder: Path, *clinics: Mapping[str, Any], **more: Any) -> Clinics:
    """Write a file and read it."""
    path = folder / "clinics.yml"
    path.write_text(yaml.safe_dump({"clinics": [*clinics], **more}), encoding="utf-8")
    return read(path, KNOWN)


def test_what_is_given_is_what_is_read(tmp_path: Path) -> None:
    """An entry over the defaults; the environment has the clinic's name unless it says otherwise."""
    found = written(
        tmp_path,
        clinic(),
        clinic("old", environment="south"),
        defaults={"retries": 5, "settings": {"TAP_CLINIKO_REQUESTS_PER_MINUTE": 100}},
    )
    assert found.problems == ()
    north, old = found.clinics
    assert (north.environment, old.environment, north.retries) == ("north", "south", 5)
    assert north.settings["TAP_CLINIKO_REQUESTS_PER_MINUTE"] == 100
    assert north.sub_accounts == {"location of north"}


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        (clinic(name="North Clinic"), "name: "),
        (clinic(name="east"), "environment: meltano.yml has none"),
        (clinic(schedule="every night"), "schedule: not a schedule"),
        (clinic(schedule="0 25 * * *"), "schedule: not a schedule"),
        (clinic(schedule="0 2 31 2 *"), "schedule: not a schedule; no month has such a day"),
        (clinic(schedule="0 2 31 4-6/2,9,11 *"), "schedule: not a schedule; no month has such a day"),
        (with_setting("TARGET_HIGHLEVEL_LOCATION_ID", None), "needs TARGET_HIGHLEVEL_ACCESS_TOKEN and"),
        (with_setting("TARGET_HIGHLEVEL_LOCATION_ID", ""), "needs TARGET_HIGHLEVEL_ACCESS_TOKEN and"),
        (None, "clinic 1: not an entry"),
        ("south", "clinic 1: not an entry"),
        (clinic(timezone="Sydney"), "timezone: not a time zone"),
        (clinic(database=f"postgresql://north:{PASTED}@db/north"), "database: not a reference"),
        (clinic(secrets={"TAP_CLINIKO_API_KEY": PASTED}), "secrets.TAP_CLINIKO_API_KEY: not a reference"),
        (clinic(secrets={"TAP_CLINIKO_API_KEY": "variable:key#password"}), "not a reference"),
        (clinic(secrets={}), "needs TAP_CLINIKO_API_KEY and TAP_CLINIKO_CONTACT_EMAIL"),
        (clinic(pasword="x"), "pasword: Extra inputs"),
        (clinic(retries=-1), "retries: "),
        (clinic(timeout_hours=48), "timeout_hours: "),
        (clinic(retry_minutes=float("inf")), "retry_minutes: "),
        (clinic(verify_every_days=1e9), "verify_every_days: "),
        (with_setting("TARGET_HIGHLEVEL_LOCATIONS", PASTED), "LOCATIONS: not sub-accounts by the id"),
        (with_setting("TARGET_HIGHLEVEL_LOCATIONS", [PASTED]), "LOCATIONS: not sub-accounts by the id"),
        (with_setting("TARGET_HIGHLEVEL_LOCATIONS", '{"1": ["a"]}'), "LOCATIONS: not sub-accounts by the id"),
        (with_setting("TAP_CLINIKO_API_KEY", PASTED), "settings.TAP_CLINIKO_API_KEY: is a secret"),
        (with_setting("TAP_CLINIKO_API_KEE", PASTED), "TAP_CLINIKO_API_KEE: not a setting"),
        (
            with_setting("TARGET_HIGHLEVEL_OVERWRITE", PASTED),
            "OVERWRITE: write one of cliniko_wins, fill_empty, never",
        ),
        (with_setting("TARGET_HIGHLEVEL_TAKE_OVER", PASTED), "TAKE_OVER: write true or false"),
        (
            with_setting("TAP_CLINIKO_REQUESTS_PER_MINUTE", PASTED),
            "REQUESTS_PER_MINUTE: write a whole number",
        ),
        (with_setting("TAP_CLINIKO_REQUESTS_PER_MINUTE", 1.5), "REQUESTS_PER_MINUTE: write a whole number"),
        (with_setting("TARGET_HIGHLEVEL_MODE", "verify"), "TARGET_HIGHLEVEL_MODE: not a setting"),
        (with_setting("TARGET_HIGHLEVEL_LEDGER_URL", PASTED), "TARGET_HIGHLEVEL_LEDGER_URL: "),
    ],
)
def test_what_is_wrong_is_told_without_the_value(tmp_path: Path, entry: dict[str, Any], said: str) -> None:
    """A secret that was pasted in the wrong place is not repeated; the other clinics run."""
    found = written(tmp_path, entry, clinic("south"), summary="0 6 * * *")
    assert found.summary == "0 6 * * *"
    assert any(said in problem for problem in found.problems), found.problems
    assert not any(PASTED in problem for problem in found.problems)
    assert [item.name for item in found.clinics] == ["south"]


def test_a_variable_is_a_setting_or_a_secret(tmp_path: Path) -> None:
    """One that is both, if only by the defaults, would have two values: two clinics could write into one sub-account."""
    found = written(
        tmp_path,
        clinic(),
        clinic("south"),
        defaults={"secrets": {"TARGET_HIGHLEVEL_LOCATION_ID": "env:LOCATION"}},
    )
    assert found.clinics == ()
    assert len(found.problems) == 2
    assert all("LOCATION_ID: stands under `settings` and under `secrets`" in item for item in found.problems)


def as_text(folder: Path, text: str) -> Clinics:
    """Write a file as it is and read it."""
    path = folder / "clinics.yml"
    path.write_text(text, encoding="utf-8")
    return read(path, KNOWN)


def test_a_forgotten_hyphen_loses_no_clinic_without_a_word(tmp_path: Path) -> None:
    """YAML takes two entries for one then, and of each name the last; the other clinics run."""
    text = yaml.safe_dump({"clinics": [clinic("west"), clinic(), clinic("south")]}, sort_keys=False)
    assert len(as_text(tmp_path, text).clinics) == 3
    found = as_text(tmp_path, text.replace("- name: south", "  name: south"))
    assert [item.name for item in found.clinics] == ["west"]
    (line,) = (number for number, line in enumerate(text.splitlines(), 1) if line.endswith("name: south"))
    assert [f"line {line}: `name` stands here a second time" in item for item in found.problems] == [True]
    twice = as_text(tmp_path, f"{text}clinics: []\n")
    assert twice.clinics == ()
    assert "`clinics` stands here a second time" in twice.problems[0]


def test_a_name_stands_once_where_entries_share_what_is_in_an_anchor(tmp_path: Path) -> None:
    """An entry may have other values than those it takes over."""
    text = yaml.safe_dump({"clinics": [clinic(), clinic("south")]}, sort_keys=False)
    text = text.replace("- name: north", "- &north\n  name: north")
    text = text.replace("- name: south", "- <<: *north\n  name: south")
    found = as_text(tmp_path, text)
    assert [item.name for item in found.clinics] == ["north", "south"], found.problems


def test_a_file_that_is_no_yaml_is_told_by_the_line(tmp_path: Path) -> None:
    """Nothing of it is repeated."""
    found = as_text(tmp_path, f"summary: 0 7 * * *\nclinics:\n- name: [{PASTED}\n  b: }}\n")
    (told,) = found.problems
    assert told.startswith("clinics.yml: line 4: cannot be read (")
    assert PASTED not in told


def test_a_date_is_the_text_that_it_is_in_an_environment(tmp_path: Path) -> None:
    """It needs no quotation marks."""
    text = yaml.safe_dump({"clinics": [with_setting("TAP_CLINIKO_START_DATE", "D")]}).replace(
        ": D", ": 2024-01-31"
    )
    (found,) = as_text(tmp_path, text).clinics
    assert found.settings["TAP_CLINIKO_START_DATE"] == "2024-01-31"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TARGET_HIGHLEVEL_OVERWRITE", "never"),
        ("TARGET_HIGHLEVEL_TAKE_OVER", False),
        ("TARGET_HIGHLEVEL_TAKE_OVER", "No"),
        ("TAP_CLINIKO_REQUESTS_PER_MINUTE", " 100 "),
        ("TAP_CLINIKO_REQUESTS_PER_MINUTE", 100),
        ("TARGET_HIGHLEVEL_SEARCH_LAG_SECONDS", 0.5),
    ],
)
def test_values_that_meltano_takes(tmp_path: Path, name: str, value: Any) -> None:
    """As in YAML, or as the text that stands in an environment."""
    assert written(tmp_path, with_setting(name, value)).problems == ()


@pytest.mark.parametrize("value", [True, "true", "Yes", "on", 1])
def test_a_plan_needs_approval_however_that_is_written(tmp_path: Path, value: Any) -> None:
    """As Meltano reads it."""
    (found,) = written(tmp_path, with_setting("TARGET_HIGHLEVEL_REQUIRE_APPROVED_PLAN", value)).clinics
    assert found.needs_approval


def test_everything_wrong_is_told_at_once(tmp_path: Path) -> None:
    """In one entry as in all of them."""
    found = written(
        tmp_path,
        clinic(schedule="never", timezone="Nowhere"),
        clinic("south", database="south"),
        clinic("east"),
    )
    assert len(found.problems) == 4
    assert found.clinics == ()


@pytest.mark.parametrize(
    "content", ["", "clinics: 3", "clinics: [1]", "- a", "clinics: [}", "summary: now\nclinics: []"]
)
def test_a_file_that_is_none_runs_nothing(tmp_path: Path, content: str) -> None:
    """It is told, not raised: the DAG of the summary shows it."""
    path = tmp_path / "clinics.yml"
    path.write_text(content, encoding="utf-8")
    found = read(path, KNOWN)
    assert found.clinics == ()
    assert len(found.problems) == 1


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"environment": "north"}, "environment"),
        ({"database": "connection:north_database"}, "database"),
        ({"settings": clinic()["settings"]}, "sub-account"),
        ({"name": "north", "environment": "south"}, "name"),
        (
            {
                "settings": {
                    **clinic("south")["settings"],
                    "TARGET_HIGHLEVEL_LOCATIONS": {"1": "location of north"},
                }
            },
            "sub-account",
        ),
    ],
)
def test_what_belongs_to_one_clinic_is_not_shared(tmp_path: Path, change: dict[str, Any], what: str) -> None:
    """Neither of the two runs, as nobody knows which is meant; a third one does."""
    found = written(tmp_path, clinic(), {**clinic("south"), **change}, clinic("west"))
    assert found.problems
    assert all(f"same {what}" in problem for problem in found.problems)
    assert [item.name for item in found.clinics] == ["west"]


MAPPING = "TARGET_HIGHLEVEL_MAPPING"


def test_a_mapping_is_better_of_one_clinic(tmp_path: Path) -> None:
    """However its path is written; with a shared one, or none, a clinic runs all the same, and is told."""
    entries = [clinic(name) for name in ("north", "south", "west")]
    paths = ("mappings/a.yml", f"{ROOT}/mappings/../mappings/a.yml", "transforms/mapping.yml")
    for entry, path in zip(entries, paths, strict=True):
        entry["settings"][MAPPING] = path
    found = written(tmp_path, *entries)
    assert [item.name for item in found.clinics] == ["north", "south", "west"]
    assert found.problems == ()
    assert ["same" in item for item in found.advice] == [True, True, False]
    entries[1]["settings"][MAPPING] = "mappings/b.yml"
    assert ["clinic west" in item for item in written(tmp_path, *entries).advice] == [True]
    assert len(written(tmp_path, clinic(), clinic("south")).advice) == 2


def test_the_mapping_file_that_the_console_has_made_is_the_clinics(tmp_path: Path) -> None:
    """It is called as the environment; what the entry itself names counts before it, wherever that stands."""
    (tmp_path / "mappings").mkdir()
    made = tmp_path / "mappings" / "north.yml"
    made.write_text("", encoding="utf-8")
    north, south = written(tmp_path, clinic(), clinic("south")).clinics
    assert made_mapping(north, tmp_path) == {MAPPING: str(made)}
    assert made_mapping(south, tmp_path) == {}
    for part in ("settings", "secrets"):
        named = north.model_copy(update={part: {**getattr(north, part), MAPPING: "env:NORTH_MAPPING"}})
        assert made_mapping(named, tmp_path) == {}


def test_clinics_of_one_cliniko_user_share_a_pool(tmp_path: Path) -> None:
    """By the same key, or by a name that is given to the user; every other clinic has its own."""
    same_key = clinic(
        "south", secrets={**clinic("south")["secrets"], "TAP_CLINIKO_API_KEY": "variable:north_key"}
    )
    found = written(tmp_path, clinic(), same_key, clinic("west"))
    assert [found.pool(item) for item in found.clinics] == ["cliniko_north", "cliniko_north", "cliniko_west"]
    assert {name: pool["slots"] for name, pool in found.pools().items()} == {
        "cliniko_north": 1,
        "cliniko_west": 1,
    }
    found = written(
        tmp_path, clinic(cliniko_user="anna"), clinic("south"), clinic("west", cliniko_user="anna")
    )
    assert [found.pool(item) for item in found.clinics] == ["cliniko_anna", "cliniko_south", "cliniko_anna"]


def with_key(name: str, of: str, **more: Any) -> dict[str, Any]:
    """Return an entry with the key of another clinic."""
    entry = clinic(name, **more)
    return {**entry, "secrets": {**entry["secrets"], "TAP_CLINIKO_API_KEY": f"variable:{of}_key"}}


@pytest.mark.parametrize(
    ("entries", "pools"),
    [
        ([clinic(), with_key("south", "north")], {"cliniko_north"}),
        ([with_key("west", "south"), clinic("south")], {"cliniko_south"}),
        ([clinic(), with_key("south", "north", cliniko_user="anna")], {"cliniko_anna"}),
        (
            [clinic(cliniko_user="anna"), with_key("south", "north", cliniko_user="bea"), clinic("west")],
            {"cliniko_anna", "cliniko_west"},
        ),
        (
            [clinic(), with_key("south", "north", cliniko_user="anna"), clinic("west", cliniko_user="anna")],
            {"cliniko_anna"},
        ),
    ],
)
def test_the_order_of_the_file_decides_of_no_pool(
    tmp_path: Path, entries: list[dict[str, Any]], pools: set[str]
) -> None:
    """Also where clinics share a user by a key, by a name, or through a third one."""
    found = [written(tmp_path, *order) for order in permutations(entries)]
    of_each = [{item.name: each.pool(item) for item in each.clinics} for each in found]
    assert all(each == of_each[0] for each in of_each)
    assert set(of_each[0].values()) == pools
    assert [set(each.pools()) for each in found] == [pools] * len(found)


def test_a_wrong_entry_changes_no_pool(tmp_path: Path) -> None:
    """Neither its own name, when it can run again, nor that of whoever shares its Cliniko user."""
    shared = [clinic(cliniko_user="anna"), with_key("south", "north"), clinic("west", schedule="0 3 * * *")]
    right = written(tmp_path, *shared)
    expected = {item.name: right.pool(item) for item in right.clinics}
    assert expected == {"north": "cliniko_anna", "south": "cliniko_anna", "west": "cliniko_west"}
    for wrong in range(3):
        entries = [{**entry, "schedule": "now"} if at == wrong else entry for at, entry in enumerate(shared)]
        found = written(tmp_path, *entries)
        assert len(found.clinics) == 2
        assert {item.name: found.pool(item) for item in found.clinics}.items() <= expected.items()


def test_a_wrong_hour_of_the_summary_stops_no_clinic(tmp_path: Path) -> None:
    """It is written at the usual one."""
    found = written(tmp_path, clinic(), summary="every morning")
    assert [item.name for item in found.clinics] == ["north"]
    assert found.summary == "0 7 * * *"
    assert found.problems[0].startswith("summary: not a schedule")


@pytest.mark.parametrize(
    "when", ["0 2 29 2 *", "0 2 31 2 1", "0 2 31 */2 *", "0 2 30/1 2-4 *", "0 2 * 2 *", "@monthly"]
)
def test_days_that_come(when: str) -> None:
    """If only in leap years, or on a day of the week."""
    assert schedule(when) == when


LOCATIONS = {"1": "location of north", "2": "another"}


@pytest.mark.parametrize("given", [LOCATIONS, json.dumps(LOCATIONS)])
def test_sub_accounts_of_businesses_may_be_written_as_json(tmp_path: Path, given: Any) -> None:
    """As the same setting stands in an environment: what they belong to is found out all the same."""
    south = clinic("south")
    south["settings"]["TARGET_HIGHLEVEL_LOCATIONS"] = given
    alone = written(tmp_path, south)
    assert alone.problems == ()
    assert alone.clinics[0].sub_accounts == {"location of south", "location of north", "another"}
    both = written(tmp_path, clinic(), south)
    assert both.clinics == ()
    assert all("same sub-account" in problem for problem in both.problems)


def test_a_database_and_a_role_for_each(tmp_path: Path) -> None:
    """In a form that can be fed to psql again when a clinic has come."""
    text = sql(written(tmp_path, clinic(), clinic("south")).clinics)
    assert text.count("CREATE ROLE") == text.count("CREATE DATABASE") == text.count("\\gexec") / 2 == 2
    assert 'REVOKE ALL ON DATABASE "clinic_south" FROM PUBLIC;' in text


@pytest.mark.skipif(programs() is None, reason="no PostgreSQL here, and none can be installed")
def test_databases_can_be_made_on_a_hosted_server(tmp_path: Path) -> None:
    """There the administrator is no superuser; and no clinic's role opens the database of another."""
    bin_ = programs()
    assert bin_ is not None
    text = sql(written(tmp_path, clinic(), clinic("south")).clinics)
    with running_postgres() as server:
        where = f"127.0.0.1:{server.port}"
        with psycopg.connect(server.url(driver="postgresql"), autocommit=True) as owner:
            owner.execute("CREATE ROLE admin LOGIN CREATEROLE CREATEDB PASSWORD 'a'")
        psql = [str(bin_ / "psql"), "--quiet", "--no-psqlrc", "--set=ON_ERROR_STOP=1"]
        for _ in range(2):  # the second time changes nothing
            address = f"postgresql://admin:a@{where}/postgres"
            subprocess.run([*psql, address], input=text, text=True, check=True, capture_output=True)
        with psycopg.connect(server.url(driver="postgresql"), autocommit=True) as owner:
            owner.execute("ALTER ROLE clinic_north PASSWORD 'n'")
        psycopg.connect(f"postgresql://clinic_north:n@{where}/clinic_north").close()
        with pytest.raises(psycopg.OperationalError, match="permission denied"):
            psycopg.connect(f"postgresql://clinic_north:n@{where}/clinic_south")


def test_the_file_as_shipped_and_its_example(tmp_path: Path) -> None:
    """It names no clinic; with the comment signs taken away, it names one."""
    text = ROOT.joinpath("orchestrate/clinics.yml").read_text(encoding="utf-8")
    assert read(ROOT / "orchestrate/clinics.yml", KNOWN) == Clinics((), ())
    example = re.sub(r"^#(?=[- ] *\w)", "", text.partition("clinics: []")[2], flags=re.MULTILINE)
    assert [item.name for item in written(tmp_path, *yaml.safe_load(example)).clinics] == ["north"]
