"""What tells who of a family answers an address: parents, state, and what somebody has decided."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from cliniko_records import record
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


@pytest.mark.parametrize(
    ("merged", "expected"),
    [
        ({"2": "3"}, ("contact:patients/1", "contact:patients/3")),
        ({"2": "3", "3": "4"}, ("contact:patients/1", "contact:patients/4")),
        ({"2": None}, "merged"),
        ({"2": "3", "3": "2"}, "merged"),
        ({"2": "1"}, "merged"),
    ],
)
def test_a_relationship_of_somebody_who_was_merged_away(
    merged: dict[str, str | None], expected: tuple[str, str] | str
) -> None:
    """It is one of whoever that is now; where nobody says who, or both are the same, it is left out and waits for nobody."""
    patients = [_patient(key, merged_at=WHEN, merged_with_patient_id=into) for key, into in merged.items()]
    found = _relation(*patients)
    assert (found["filtered"] or (found["first"], found["second"])) == expected
    gone = _relation(*patients, archived_at=WHEN)
    assert (gone["absent"], gone["second"]) == (True, "contact:patients/2")


def test_a_relationship_of_somebody_who_is_left_behind(tmp_path: Path) -> None:
    """It waits for that patient: Cliniko does not say it again when they are taken out of the archive."""
    path = tmp_path / "mapping.yml"
    path.write_text("move: {archived_patients: false}")
    assert _relation(_patient("2", archived_at=WHEN), mapping=str(path)).get("filtered") is None
    assert _relation(_patient("2", archived_at=WHEN))["filtered"] is None


def _patient(number: str, **changes: Any) -> dict[str, Any]:
    return {"type": "RECORD", "stream": "patients", "record": record("patients", id=number, **changes)}


def _relation(*patients: dict[str, Any], mapping: str | None = None, **changes: Any) -> dict[str, Any]:
    """Return what becomes of a relationship of patients 1 and 2 after these patients have been read."""
    ends = {"patient_id": "1", "related_patient_id": "2", "relation": 40}
    row = {"type": "RECORD", "stream": "relationships", "record": record("relationships", **ends, **changes)}
    names = ("patients", "relationships")
    heads: list[dict[str, Any]] = [{"type": "SCHEMA", "stream": name, "schema": {}} for name in names]
    found = [
        message["record"]
        for message in run([*heads, *patients, row], mapping)
        if message["type"] == "RECORD" and message["stream"] == "hl_relationships"
    ]
    assert len(found) == 1
    return {"filtered": None, **found[0]}


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
