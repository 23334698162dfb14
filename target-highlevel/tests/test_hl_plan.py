"""A plan predicts what the load then does, exactly, and changes nothing anywhere."""

from __future__ import annotations

import json
import sqlite3
import stat
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hl_loading import after_state
from jsonschema import Draft202012Validator

from target_highlevel.report.tasks import things_to_do

if TYPE_CHECKING:
    from collections.abc import Callable

    from hl_loading import Clinic, Loaded, Loader

OUTCOMES = ("source", "created", "updated", "unchanged", "filtered", "held", "rejected")
SCHEMA = Path(__file__).resolve().parents[2] / "docs" / "report.schema.json"
#: What the plan may be wrong by: requests of two writers that meet by chance.
MOST_WRONG = 0.03


def counts(loaded: Loaded) -> dict[tuple[str, str], dict[str, Any]]:
    """Return the closing table without its words."""
    return {
        (row["object"], row["resource"]): {name: row[name] for name in OUTCOMES} | row["reasons"]
        for row in loaded.report["objects"]
    }


def records_of(lines: list[str], stream: str) -> list[dict[str, Any]]:
    """Return the records of a stream in a tap's output."""
    messages = map(json.loads, lines)
    return [item["record"] for item in messages if item["type"] == "RECORD" and item["stream"] == stream]


def sent(loader: Loader) -> tuple[int, int]:
    """Return how many requests, and how many writes among them, HighLevel has seen."""
    stats = loader.sandbox.highlevel.control.stats()
    return stats["requests"], stats["writes"]


def planned(loader: Loader, lines: list[str], **more: str) -> Loaded:
    """Plan; whatever was there before, nothing is written, and no bookmark moves."""
    before = sent(loader)[1]
    plan = loader.load(lines, MODE="plan", **more)
    assert plan.code == 0, plan.log[-3000:]
    assert plan.states == []
    assert sent(loader)[1] == before
    assert plan.report["mode"] == "plan"
    return plan


def assert_predicted(loader: Loader, lines: list[str], **more: str) -> tuple[Loaded, Loaded]:
    """Plan, load, and hold one against the other."""
    plan = planned(loader, lines, **more)
    before = sent(loader)[0]
    load = loader.load(lines, **more)
    assert load.code in {0, 4}, load.log[-3000:]
    assert counts(plan) == counts(load)
    made, predicted = sent(loader)[0] - before, plan.report["plan"]["cost"]["requests"]
    assert abs(predicted - made) <= MOST_WRONG * made, (predicted, made)
    return plan, load


def records_in(ledger: Path) -> list[tuple[Any, ...]]:
    """Return every record of a ledger as it stands."""
    with closing(sqlite3.connect(ledger)) as connection:
        return connection.execute("SELECT * FROM record ORDER BY ref").fetchall()


def test_a_first_load_is_predicted(small_clinic: Clinic, highlevel: Callable[..., Loader]) -> None:
    """An empty sub-account: every create, every field and object, and the requests they take."""
    loader = highlevel(empty=True)
    plan, load = assert_predicted(loader, small_clinic.lines)
    assert load.report["audit"]["intact"]  # the plan's own trail was thrown away with its copy of the ledger
    items = plan.report["plan"]["schema"]["items"]
    created = sorted(item["name"] for item in items if item["state"] == "create")
    assert created == sorted(load.report["schema_created"])
    found = {item["setting"]: item["found"] for item in plan.report["plan"]["settings_to_check"]}
    assert found["workflows"] == "1 published"
    assert "on one contact only" in found["duplicates"]
    tasks = [item["what"] for item in plan.report["to_do"]]
    assert tasks[:3] == [
        "published workflow: pause before the load",
        "time zone that differs from Cliniko's",
        "decision about duplicate contacts",
    ]
    assert tasks[-1] == "plan to approve, if all is right"
    assert "`meltano invoke target-highlevel:approve`" in plan.report["to_do"][-1]["next_step"]
    assert not [item for item in plan.report["to_do"] if "retry" in item["next_step"]]
    page = (loader.folder / "reports" / plan.report["run_id"] / "report.html").read_text(encoding="utf-8")
    assert "would be refused" in page
    assert "then <code>meltano invoke target-highlevel:retry</code>" not in page
    assert "audit trail" not in page
    assert loader.sandbox.highlevel.control.violations == []
    notes = [row for row in load.report["objects"] if row["object"] == "note"]
    longer = sum(
        row["created"] for row in notes if row["resource"] != "patients"
    )  # theirs is of alerts, and short
    assert plan.report["plan"]["note_sizes"]["notes"] == longer
    assert plan.report["plan"]["downloads"]["files"] > 0
    users = loader.sandbox.highlevel.state.users
    assert len(plan.report["plan"]["note_readers"]["not_known"]) == len(users)
    assert {"users of HighLevel who would read every patient's notes"} < set(tasks)
    plan.report["plan"]["downloads"]["enough"] = False
    assert "disk too small for the attachments" in [item["what"] for item in things_to_do(plan.report)]
    assert plan.report["plan"]["schema"]["objects"] == {"after": 5, "new": 5, "limit": 10}


def test_requests_of_a_larger_clinic_are_predicted(clinic: Clinic, highlevel: Callable[..., Loader]) -> None:
    """Forty patients with every awkward case cost what the plan says."""
    plan = planned(highlevel(empty=True), clinic.lines)
    predicted = plan.report["plan"]["cost"]["requests"]
    assert abs(predicted - clinic.requests) <= MOST_WRONG * clinic.requests


@pytest.mark.parametrize("allow_duplicates", [False, pytest.param(True, marks=pytest.mark.soak)])
def test_a_load_beside_people_who_were_there_is_predicted(
    small_clinic: Clinic, highlevel: Callable[..., Loader], *, allow_duplicates: bool
) -> None:
    """Two hundred contacts, patients and sharers of addresses among them, in both regimes of duplicates."""
    loader = highlevel(empty=True, allow_duplicates=allow_duplicates)
    patients = records_of(small_clinic.lines, "patients")
    loader.sandbox.highlevel.state.populate(200, patients, same_person=3, shared_email=2)
    plan, load = assert_predicted(loader, small_clinic.lines)
    assert plan.report["withheld"]["count"] == load.report["withheld"]["count"]
    if (
        not allow_duplicates
    ):  # who has an address that a patient has too is met, and is the same person or is not
        assert plan.report["totals"]["updated"] > 0
        assert plan.report["differences"]
        assert plan.report["withheld"]["count"] > 0


def test_a_delta_is_predicted(small_clinic: Clinic, highlevel: Callable[..., Loader]) -> None:
    """From the bookmarks of a load: changes are updates, field by field, and the ledger stays as it was."""
    loader = highlevel(empty=True)
    first = loader.load(small_clinic.lines)
    delta = [*after_state(small_clinic.lines, first.states[-1]), *changed(small_clinic.lines)]
    before = records_in(loader.folder / "ledger.db")
    plan = planned(loader, delta)
    assert records_in(loader.folder / "ledger.db") == before
    assert counts(plan)["contact", "patients"]["updated"] == 2
    differing = {(item["object"], item["field"]) for item in plan.report["differences"]}
    assert {("contact", "lastName"), ("contact", "city")} <= differing
    assert_predicted(loader, delta)
    assert loader.load(delta).report["totals"]["updated"] == 0


def changed(lines: list[str]) -> list[str]:
    """Return the first patient under another name, and another one in another town."""
    first, second = [item for item in records_of(lines, "patients") if not item.get("archived_at")][:2]
    records = [{**first, "last_name": "Quartermaine"}, {**second, "city": "Oodnadatta"}]
    return [json.dumps({"type": "RECORD", "stream": "patients", "record": item}) for item in records]


def test_a_load_with_a_lost_ledger_is_predicted(
    small_clinic: Clinic, highlevel: Callable[..., Loader]
) -> None:
    """What an earlier ledger had written is found, relations and all that hangs on contacts included."""
    loader = highlevel(empty=True)
    small_clinic.restore(loader)
    for file in loader.folder.glob("ledger.db*"):
        file.unlink()
    plan, _ = assert_predicted(loader, small_clinic.lines, SEARCH_LAG_SECONDS="0", TAKE_OVER="true")
    assert plan.report["totals"]["created"] == 0


def test_differences_are_masked_and_the_files_are_private(
    small_clinic: Clinic, highlevel: Callable[..., Loader]
) -> None:
    """The report obeys its schema, holds no name or address of anybody, and what is beside it neither."""
    loader = highlevel(empty=True)
    patients = records_of(small_clinic.lines, "patients")
    loader.sandbox.highlevel.state.populate(200, patients, same_person=3, shared_email=2)
    plan = planned(loader, small_clinic.lines)
    validator = Draft202012Validator(json.loads(SCHEMA.read_text(encoding="utf-8")))
    assert [error.message for error in validator.iter_errors(plan.report)] == []
    folder = loader.folder / "reports" / plan.report["run_id"]
    names = {file.name for file in folder.iterdir()}
    assert names >= {"report.html", "report.json", "differences.csv", "mapping.proposed.yml"}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    texts = "".join(file.read_text(encoding="utf-8") for file in folder.iterdir()) + plan.log
    people = patients + records_of(small_clinic.lines, "practitioners")
    personal = {item.get(name) for item in people for name in ("last_name", "email", "address_1")}
    assert {text for text in personal if text and len(text) > 3 and text in texts} == set()


def test_a_plan_is_known_to_the_ledger(small_clinic: Clinic, highlevel: Callable[..., Loader]) -> None:
    """Its run is listed, its report written again, its reads counted for the day; no record is kept."""
    loader = highlevel(empty=True)
    plan = planned(loader, small_clinic.lines)
    run = plan.report["run_id"]
    assert records_in(loader.folder / "ledger.db") == []
    listed = loader.tool("runs").stdout
    assert run in listed
    assert " plan " in listed
    page = loader.folder / "reports" / run / "report.html"
    written = page.read_text(encoding="utf-8")
    page.unlink()
    assert loader.tool("report", "--run", run).returncode == 0
    assert page.read_text(encoding="utf-8") == written
    with closing(sqlite3.connect(loader.folder / "ledger.db")) as connection:
        assert connection.execute("SELECT sum(requests) FROM budget").fetchone()[0] == sent(loader)[0]


def test_the_proposed_mapping_is_the_one_that_was_planned(
    small_clinic: Clinic, highlevel: Callable[..., Loader]
) -> None:
    """Confirmed as it stands, the file gives the same plan, with every field named and certain."""
    loader = highlevel(empty=True)
    first = planned(loader, small_clinic.lines)
    proposed = loader.folder / "reports" / first.report["run_id"] / "mapping.proposed.yml"
    again = planned(loader, small_clinic.lines, MAPPING=str(proposed))
    assert counts(first) == counts(again)
    before, after = (item.report["plan"]["account"]["custom_fields"] for item in (first, again))
    assert before
    assert [(item["label"], item["target"], item["filled"]) for item in before] == [
        (item["label"], item["target"], item["filled"]) for item in after
    ]
    assert {item["confidence"] for item in after} == {"certain"}
    assert first.report["plan"]["approval"]["digest"] != again.report["plan"]["approval"]["digest"]
