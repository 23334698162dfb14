"""Who of a family keeps the address they share, from the first load on and through every change."""

from __future__ import annotations

import csv
import json
import random
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from hl_families import answer, change, gather
from hl_loading import Loader, a_sandbox, fault, tap_lines
from hl_mapped import person, record, schemas, state
from test_hl_identity import contacts, loads

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sandbox import Sandbox

FAMILY = {"email": "fam@example.org"}
CHILD = person("patients/1", "Bo", "Larkspur", **FAMILY, dateOfBirth="2015-02-01")
PARENT = person("patients/2", "Ada", "Larkspur", **FAMILY)
OLDER = person("patients/3", "Cy", "Larkspur", **FAMILY, dateOfBirth="1950-01-01")


def tie(child: str, *guardians: str) -> str:
    """Return what a relationship tells of a child's contact."""
    refs = [f"contact:{guardian}" for guardian in guardians]
    return record(
        "hl_contacts", child, contributor=f"relationships/{child.rpartition('/')[2]}", guardians=refs
    )


def with_email(loader: Loader) -> list[str]:
    """Return whose contact has an e-mail, after seeing that all others say why not."""
    found = contacts(loader)
    without = {source for source, contact in found.items() if not contact.get("email")}
    assert {source for source, contact in found.items() if "shared-email" in contact["tags"]} == without
    return sorted(set(found) - without)


def writes(loader: Loader) -> list[tuple[str, str]]:
    """Return method and kind of every write of a contact since the log was cleared."""
    asked = loader.sandbox.highlevel.control.requests
    return [(item.method, item.path) for item in asked if item.method != "GET" and item.path.startswith("/contacts/")
            and not item.path.endswith("/search")]  # fmt: skip


def assert_as_answered(sandbox: Sandbox, report: dict[str, Any]) -> set[tuple[str, str]]:
    """Compare who has which address in HighLevel with what Cliniko's tables say; return who gave one up and is not listed."""
    wanted = answer(sandbox.cliniko.account, datetime.now(UTC).date())
    state_ = sandbox.highlevel.state
    assert state_.doubles() == {}
    missing = set()
    for source, (identity,) in state_.sources()["contacts"].items():
        if not source.startswith("patients/"):
            continue
        contact = state_.contacts[identity]
        for field in ("email", "phone"):
            keeper = wanted.get((field, source))
            assert bool(contact.get(field)) == (keeper == source), (source, field, keeper)
            gave_up = keeper not in {None, source}
            assert (f"shared-{field}" in contact["tags"]) == gave_up, (source, field, contact["tags"])
            missing |= {(source, field)} if gave_up else set()
    told = {(item["source"], item["field"]) for item in report["withheld"]["records"]}
    told = {item for item in told if item[0].startswith("patients/")}
    assert told <= missing
    return missing - told


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.soak) for seed in range(1, 12))])
def test_every_change_moves_an_address_to_whose_it_is(seed: int, tmp_path: Path) -> None:
    """One request creates each contact; after every delta all is as an independent answer has it, and verified."""
    rng = random.Random(seed)  # noqa: S311 - repeatable
    with a_sandbox(14) as sandbox:
        gather(sandbox.cliniko.account, rng)
        time.sleep(1.1)  # the tap reads up to the second that is over
        loader = Loader(sandbox, tmp_path)
        loaded = loader.load(tap_lines(sandbox, tmp_path))
        assert loaded.code in {0, 4}, loaded.log[-2000:]
        made = [
            item
            for item in sandbox.highlevel.control.requests
            if item.path == "/contacts/" and item.method == "POST"
        ]
        assert len(made) == len(sandbox.highlevel.state.contacts)
        assert assert_as_answered(sandbox, loaded.report) == set()
        last = loaded.states[-1]
        for _ in range(6):
            for _ in range(rng.randint(1, 6)):
                change(sandbox.cliniko.account, rng)
            time.sleep(1.1)
            loaded = loader.load(tap_lines(sandbox, tmp_path, last))
            assert loaded.code in {0, 4}, loaded.log[-2000:]
            last = loaded.states[-1]
            assert_as_answered(sandbox, loaded.report)
        verified = loader.load(tap_lines(sandbox, tmp_path), MODE="verify")
        assert verified.code == 0, verified.log[-1000:]


def test_who_comes_last_may_be_whose_it_is(highlevel: Callable[..., Loader]) -> None:
    """All are made with one request each, whatever the order in which they came, and nothing else is written."""
    loader = highlevel()
    loader.sandbox.highlevel.control.reset_log()
    loads(loader, CHILD, OLDER, tie("patients/1", "patients/2"), tie("patients/3", "patients/2"), PARENT)
    assert [method for method, path in writes(loader) if path == "/contacts/"] == ["POST"] * 3
    assert with_email(loader) == ["patients/2"]


def test_a_relationship_moves_an_address(highlevel: Callable[..., Loader]) -> None:
    """The one gives it up before the other gets it, each with one request; nobody else's contact is touched."""
    loader = highlevel()
    loads(loader, CHILD, person("patients/2", "Ada", "Larkspur", **FAMILY, dateOfBirth="2013-01-01"))
    assert with_email(loader) == ["patients/2"]
    loader.sandbox.highlevel.control.reset_log()
    loads(loader, tie("patients/2", "patients/1"))
    assert with_email(loader) == ["patients/1"]
    ids = {source: contact["id"] for source, contact in contacts(loader).items()}
    assert writes(loader) == [("PUT", f"/contacts/{ids[source]}") for source in ("patients/2", "patients/1")]
    assert loader.tool("rollback", "--yes").returncode == 0
    assert with_email(loader) == ["patients/2"]


@pytest.mark.parametrize("nth", [1, 2])
def test_an_address_is_never_lost_on_its_way(nth: int, highlevel: Callable[..., Loader]) -> None:
    """Whichever of the two requests fails, the next run has it arrive."""
    loader = highlevel()
    loads(loader, CHILD, person("patients/2", "Ada", "Larkspur", **FAMILY, dateOfBirth="2013-01-01"))
    fault(loader, "PUT", r"^/contacts/[^/]+$", "status", status=422, nth=[nth])
    loader.load([*schemas("patients"), tie("patients/2", "patients/1"), state("moved")])
    loader.sandbox.highlevel.control.clear_faults()
    assert loader.tool("retry").returncode == 0
    assert with_email(loader) == ["patients/1"]


def test_addresses_change_places(highlevel: Callable[..., Loader]) -> None:
    """Two people exchange their e-mails in Cliniko: so they do in HighLevel, and no tag stays behind."""
    loader = highlevel()
    for al, bea in ("ab", "ba"):
        one = person("patients/1", "Al", "Oak", email=f"{al}@example.org")
        loads(loader, one, person("patients/2", "Bea", "Elm", email=f"{bea}@example.org"))
        assert [contacts(loader)[f"patients/{number}"]["email"][0] for number in (1, 2)] == [al, bea]
    assert with_email(loader) == ["patients/1", "patients/2"]


def test_who_is_merged_away_gives_the_address_to_who_is_left(highlevel: Callable[..., Loader]) -> None:
    """Even to one whom every other rule would have given way."""
    loader = highlevel()
    loads(loader, OLDER, CHILD)
    assert with_email(loader) == ["patients/3"]
    loads(loader, record("hl_contacts", "patients/3", filtered="merged", tags=["patient", "merged"]))
    assert with_email(loader) == ["patients/1"]
    assert {"patient", "merged"} <= set(contacts(loader)["patients/3"]["tags"])


def test_the_sub_account_may_come_to_allow_duplicates(highlevel: Callable[..., Loader]) -> None:
    """Then everybody has theirs, and gives it up again when duplicates are refused."""
    loader = highlevel()
    options = loader.sandbox.highlevel.state.options
    loads(loader, CHILD, OLDER)
    for allowed in (True, False):
        options.allow_duplicates = allowed
        loads(loader, person("patients/9", "Di", f"Ash {allowed}", email="di@example.org"))
        kept = [f"patients/{number}" for number in ((1, 3, 9) if allowed else (3, 9))]
        assert with_email(loader) == kept


def test_a_run_that_was_cut_off_decides_nothing(highlevel: Callable[..., Loader]) -> None:
    """While it is not known who else shares an address nobody is made with it; the next run goes on from there."""
    loader = highlevel()
    early = {"type": "STATE", "value": {"complete": False, "mark": "early"}}
    cut = loader.load([*schemas("patients"), CHILD, json.dumps(early)])
    assert cut.code == 1
    assert not loader.sandbox.highlevel.state.contacts
    assert "addresses_undecided" in str(cut.report)
    loads(loader, OLDER)
    assert with_email(loader) == ["patients/3"]


def test_the_plan_says_who_keeps_an_address_and_why(highlevel: Callable[..., Loader]) -> None:
    """By ids only, in the report and as a table; and the load does what it said."""
    loader = highlevel()
    lines = [*schemas("patients"), CHILD, PARENT, OLDER, tie("patients/2", "patients/3"), state("end")]
    plan = loader.load(lines, MODE="plan").report["plan"]
    told = [(item["keeper"], item["source"], item["because"]) for item in plan["families"]]
    assert told == [("patients/3", "patients/1", "adult"), ("patients/3", "patients/2", "guardian")]
    assert plan["shared_addresses"]["email"] == {"addresses": 1, "people": 3}
    table = max((loader.folder / "reports").glob("*/families.csv"))
    with table.open(encoding="utf-8", newline="") as file:
        rows = [(row["keeper"], row["source"], row["because"]) for row in csv.DictReader(file)]
    assert rows == told
    assert "fam@example.org" not in table.read_text(encoding="utf-8")
    loads(loader, *lines[len(schemas("patients")) : -1])
    assert with_email(loader) == ["patients/3"]
