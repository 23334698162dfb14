"""The probe measures what an account is like, by reading, and the tap lives with every answer."""

from __future__ import annotations

import ast
import json
import stat
from pathlib import Path
from typing import Any

import pytest
from tap_runs import Warehouse, client_for, config_for, differences, run_tap

from sandbox import Sandbox
from tap_cliniko import tools
from tap_cliniko.assumptions import REGISTER, Assumption
from tap_cliniko.probe import Probe
from tap_cliniko.settings import variable

#: How the sandbox plays an answer; what is not named is as the sandbox is by itself.
PLAYED: dict[tuple[str, str], dict[str, Any]] = {
    ("sort_by_id", "refused"): {"sort_by_id": "refuse"},
    ("sort_by_id", "ignored"): {"sort_by_id": "ignore"},
    ("hiding_moves_updated_at", "stays"): {"hiding_bumps_updated_at": False},
    ("unhiding_moves_updated_at", "stays"): {"unhiding_bumps_updated_at": False},
    ("paying_moves_updated_at", "stays"): {"paying_bumps_updated_at": False},
    ("merge_moves_rows", "moves"): {"merging_bumps_children": True},
    ("recalls", "served"): {"recalls": True},
    ("inactive_practitioners", "absent"): {"inactive_practitioners": False},
    ("invoice_detail", "more"): {"invoice_detail": True},
    ("total_entries", "missing"): {"total_entries": False},
    ("public_account_id", "missing"): {"public_account_id": False},
    ("timestamps", "fractions"): {"fractional_seconds": True},
    ("late_rows", "late"): {"late_seconds": 60},
}
BY_ITSELF = {
    "sort_by_id": "accepted",
    "hiding_moves_updated_at": "moves",
    "unhiding_moves_updated_at": "moves",
    "paying_moves_updated_at": "moves",
    "merge_moves_rows": "stays",
    "recalls": "absent",
    "inactive_practitioners": "served",
    "invoice_detail": "same",
    "total_entries": "given",
    "public_account_id": "given",
    "timestamps": "seconds",
    "late_rows": "at_once",
}


def measured(clinic: Sandbox) -> dict[str, str | None]:
    """Probe an account."""
    client = client_for(clinic)
    try:
        return {each.question: each.answer for each in Probe(client).measure()}
    finally:
        client.close()


def test_the_tap_asks_the_register_or_meets_every_answer_alike() -> None:
    """A question that no module takes from the register says that all its answers are met alike, and no other does."""
    texts = [path.read_text(encoding="utf-8") for path in Path(tools.__file__).parent.rglob("*.py")]
    nodes = [node for text in texts for node in ast.walk(ast.parse(text)) if isinstance(node, ast.ImportFrom)]
    taken = {each.name for node in nodes if node.module == "tap_cliniko.assumptions" for each in node.names}
    assert taken & set(map(str.upper, REGISTER)) == {
        name.upper() for name, each in REGISTER.items() if not each.alike
    }


def test_the_sandbox_can_play_every_answer() -> None:
    """Each answer of the register is what the sandbox does by itself, or has a switch."""
    every = {(name, answer) for name, each in REGISTER.items() for answer in each.answers}
    assert every == set(PLAYED) | set(BY_ITSELF.items())


def test_a_declaration_that_contradicts_itself_is_none() -> None:
    """The default is one of the answers, and a question is measured or has a reason why not."""
    with pytest.raises(ValueError, match="contradicts itself"):
        Assumption(name="x", question="?", source="-", answers={"a": "-"}, default="b", measured="-")
    with pytest.raises(ValueError, match="contradicts itself"):
        Assumption(name="x", question="?", source="-", answers={"a": "-"}, default="a")


@pytest.mark.parametrize("played", list(PLAYED), ids="=".join)
def test_the_probe_tells_what_is_so_and_nothing_is_lost(played: tuple[str, str], tmp_path: Path) -> None:
    """Under each answer the probe measures it and nothing else, and what the tap reads is what the account holds."""
    options = {"requests_per_minute": 0, **PLAYED[played]}
    with Sandbox(seed=7, patients=12, cliniko=options) as clinic:
        expected = {**BY_ITSELF, played[0]: played[1]}
        assert measured(clinic) == {name: expected[name] for name, each in REGISTER.items() if each.measured}
        assert len(clinic.cliniko.control.requests) < 60
        assert {each.method for each in clinic.cliniko.control.requests} == {"GET"}
        said, warehouse = run_tap(config_for(clinic, tmp_path)), Warehouse()
        warehouse.load(said)
        lost = differences(clinic, warehouse) if played[0] != "inactive_practitioners" else []
        assert lost == []


def test_the_command_writes_what_was_measured(
    quiet_clinic: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Question, answer and evidence, for the owner's eyes; names of patients are not among the evidence."""
    for name, value in config_for(quiet_clinic, tmp_path).items():
        monkeypatch.setenv(variable(name), str(value))
    tools.main(["probe", "--output-dir", str(tmp_path)])
    path = tmp_path / "tap-cliniko" / "probe.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    written = json.loads(path.read_text())
    assert [each["question"] for each in written] == [
        name for name, each in REGISTER.items() if each.measured
    ]
    assert all(each["answer"] in REGISTER[each["question"]].answers for each in written)
    told = capsys.readouterr().out
    for row in quiet_clinic.cliniko.account.tables["patients"].rows():
        assert not row["last_name"] or row["last_name"] not in told + path.read_text()
