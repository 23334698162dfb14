"""What tells who of a family answers an address: parents, state, and what somebody has decided."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from mapping_runs import one, run

from cliniko_to_highlevel.routes import PEOPLE, ROUTES

if TYPE_CHECKING:
    from pathlib import Path

WHEN = "2024-05-06T07:08:09Z"


@pytest.mark.parametrize(("relation", "child", "parent"), [(10, "1", "2"), (20, "2", "1")])
def test_a_relationship_tells_whose_child_somebody_is(relation: int, child: str, parent: str) -> None:
    """From either side; an archived one, or one of another kind, takes back what it said."""
    ends = {"patient_id": "1", "related_patient_id": "2"}
    said = one("relationships", "hl_contacts", relation=relation, **ends)
    assert (said["source_id"], said["guardians"]) == (f"patients/{child}", [f"contact:patients/{parent}"])
    for gone in ({"relation": relation, "archived_at": WHEN}, {"relation": 40}):
        again = one("relationships", "hl_contacts", **gone, **ends)
        assert (again["contributor"], again["filtered"]) == (said["contributor"], "no_parent")


def test_somebody_may_decide_otherwise(tmp_path: Path) -> None:
    """By the mapping, for each address."""
    path = tmp_path / "mapping.yml"
    patient = one("patients", "hl_contacts")
    path.write_text(f"keeps: {{{patient['source_id']}: email}}")
    decided = one("patients", "hl_contacts", str(path))
    assert (patient["keeps"], decided["keeps"]) == (None, ["email"])
    assert patient["archived"] is False


def test_it_is_said_once_that_all_people_have_come() -> None:
    """With the first list after those that tell of people and of whose parents they are."""
    lines = [{"type": "SCHEMA", "stream": name, "schema": {}} for name in [*PEOPLE, *ROUTES, *ROUTES]]
    complete = [
        number
        for number, line in enumerate(lines)
        if any(each["schema"]["x-highlevel"].get("complete") for each in run(lines[: number + 1]))
    ]
    assert complete[0] == len(PEOPLE)
    said = [each for each in run(lines) if each["schema"]["x-highlevel"].get("complete")]
    assert [each["stream"] for each in said] == ["hl_contacts"]
