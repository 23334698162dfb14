"""Rollback of links: what a run removed or pointed elsewhere links again what it did, and is undone with the run that made it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hl_loading import fault
from hl_mapped import person, record, schemas
from hl_undoing import differing, dump, loads, spared, undo

from sandbox.highlevel.relations import add_relation

if TYPE_CHECKING:
    from collections.abc import Callable

    from hl_loading import Loader

    Start = Callable[..., Loader]

HEAD = schemas("patients", "contacts", "relationships", "treatment_notes")
DOCTORS = [person("contacts/1", "Doc", "One"), person("contacts/2", "Doc", "Two")]
BOTH = [person("patients/1", "Ada", "Lovelace"), person("patients/2", "Bob", "King")]


def referred(doctor: str, patient: int = 1) -> str:
    """Return a patient whom this doctor has referred, or nobody."""
    link = {"association": "cliniko_referring_doctor", "to": f"contact:contacts/{doctor}"}
    return person(f"patients/{patient}", "Ada", f"Lovelace {patient}", relations=[link] if doctor else [])


def family(number: int, first: str, second: str, **more: Any) -> str:
    """Return a relationship between two patients."""
    ends = {"first": f"contact:patients/{first}", "second": f"contact:patients/{second}"}
    return record(
        "hl_relationships", f"relationships/{number}", association="cliniko_sibling", **ends, **more
    )


def test_another_doctor_and_back_again_undone_run_after_run(highlevel: Start) -> None:
    """A link that was made again belongs to the run that had made it first, and goes with that."""
    loader = highlevel()
    states = [dump(loader)]
    for doctor in ("1", "2", "1"):
        loads(loader, [*HEAD, *DOCTORS, referred(doctor)])
        states.append(dump(loader))
    for before in reversed(states[:-1]):
        undo(loader)
        assert differing(before, dump(loader)) == []
        assert spared(loader) == {}


_REFUSED = {"body": {"message": ["Request failed"]}}


@pytest.mark.parametrize(
    ("action", "more"),
    [
        ("status_after_work", {"status": 422, **_REFUSED}),
        ("status_after_work", {"status": 500, **_REFUSED}),
        ("drop_after", {}),
    ],
)
def test_a_link_that_is_refused_and_made_all_the_same(
    action: str, more: dict[str, Any], highlevel: Start
) -> None:
    """An undo that links again what a run had parted knows that link, and the next undo takes it away."""
    loader = highlevel()
    empty = dump(loader)
    loads(loader, [*HEAD, *DOCTORS, referred("1")])
    before = dump(loader)
    loads(loader, [*HEAD, *DOCTORS, referred("")])
    fault(loader, "POST", "^/associations/relations$", action, times=1, **more)
    for content in (before, empty):
        undo(loader)
        assert spared(loader) == {}
        assert differing(content, dump(loader)) == []


@pytest.mark.parametrize("again", ["refuse", "same"])
@pytest.mark.parametrize("doctor", ["", "2"])
def test_a_link_that_somebody_made_again_stays(doctor: str, again: str, highlevel: Start) -> None:
    """The run had parted two contacts and a person has linked them again: no undo takes that link, or its contacts, for ours."""
    loader = highlevel(relation_again=again)
    loads(loader, [*HEAD, *DOCTORS, referred("1")])
    state = loader.sandbox.highlevel.state
    (link,) = state.relations.values()
    loads(loader, [*HEAD, *DOCTORS, referred(doctor)])
    association = state.associations[link["associationId"]]
    theirs = add_relation(state.main, association, link["firstRecordId"], link["secondRecordId"])
    for _ in range(2):
        undo(loader)
        assert {row["reason"] for row in spared(loader).values()} == {"somebody_added_relation"}
        assert list(state.relations) == [theirs["id"]]
    assert set(state.contacts) == {link["firstRecordId"], link["secondRecordId"]}


@pytest.mark.parametrize("again", ["refuse", "same"])
def test_a_link_that_somebody_made_before_us_stays(again: str, highlevel: Start) -> None:
    """A person has linked two contacts of ours, and then Cliniko says the same: no undo takes that link away."""
    loader = highlevel(relation_again=again)
    loads(loader, [*HEAD, *DOCTORS, referred("2")])
    state = loader.sandbox.highlevel.state
    (link,) = state.relations.values()
    doctor = next(one["id"] for one in state.contacts.values() if one["lastName"] == "One")
    association = state.associations[link["associationId"]]
    theirs = add_relation(state.main, association, link["firstRecordId"], doctor)
    loads(loader, [*HEAD, *DOCTORS, referred("1")])
    for _ in range(2):
        undo(loader)
        assert theirs["id"] in state.relations
    assert {theirs["firstRecordId"], theirs["secondRecordId"]} <= set(state.contacts)


@pytest.mark.parametrize("again", ["refuse", "same"])
@pytest.mark.parametrize("in_order", [True, False])
def test_a_relationship_given_to_whom_somebody_has_linked(
    in_order: bool,  # noqa: FBT001 - a parameter of the test
    again: str,
    highlevel: Start,
) -> None:
    """The run pointed a relationship at a patient with whom a person has linked the first one: their link stays."""
    loader = highlevel(relation_again=again)
    third = person("patients/3", "Cy", "King")
    loads(loader, [*HEAD, *BOTH, third, family(1, "1", "2")])
    before, first = dump(loader), next((loader.folder / "reports").iterdir()).name
    state = loader.sandbox.highlevel.state
    (link,) = state.relations.values()
    other = next(one["id"] for one in state.contacts.values() if one["firstName"] == "Cy")
    association = state.associations[link["associationId"]]
    theirs = add_relation(state.main, association, link["firstRecordId"], other)
    loads(loader, [*HEAD, *BOTH, third, family(1, "1", "3")])
    if in_order:
        undo(loader)
        assert len(differing(before, dump(loader))) == 1, "only their link is new"
    assert loader.tool("rollback", "--yes", "--run", first).returncode == 0
    assert theirs["id"] in state.relations
    assert {theirs["firstRecordId"], other} <= set(state.contacts)


def test_a_relationship_given_to_whom_another_one_has_linked(highlevel: Start) -> None:
    """A link that was made for another relationship is ours: it goes when neither says it any more."""
    loader = highlevel()
    third = person("patients/3", "Cy", "King")
    people = [*HEAD, *BOTH, third]
    loads(loader, [*people, family(1, "1", "2"), family(2, "1", "3")])
    loads(loader, [*people, family(1, "1", "3"), family(2, "1", "3")])
    loads(loader, [*people, family(1, "1", "3"), family(2, "1", "3", absent=True)])
    loads(loader, [*people, family(1, "1", "2"), family(2, "1", "3", absent=True)])
    (link,) = dump(loader)["relations"]
    assert link["second"] == "patients/2"


def test_a_delta_of_links_undone_and_loaded_again(highlevel: Start) -> None:
    """Links that a delta added, changed and removed are undone; the next full read brings those of now, and nothing else."""
    loader = highlevel()
    loads(loader, [*HEAD, *DOCTORS, referred("1", 1), referred("1", 2), referred("", 3)])
    before = dump(loader)
    delta = [*HEAD, *DOCTORS, referred("2", 1), referred("", 2), referred("2", 3)]
    loads(loader, delta)
    after = dump(loader)
    assert len(differing(before, after)) == 4
    undo(loader)
    assert differing(before, dump(loader)) == []
    loads(loader, delta)
    assert differing(after, dump(loader)) == []
    verified = loader.load(delta, MODE="verify")
    assert verified.code == 0, verified.log[-2000:]


def test_a_link_whose_end_somebody_deleted_is_not_made_again(highlevel: Start) -> None:
    """The doctor of before is gone: the link is listed, the rest is undone, and so is the run before."""
    loader = highlevel()
    loads(loader, [*HEAD, *DOCTORS, referred("1")])
    loads(loader, [*HEAD, *DOCTORS, referred("2")])
    state = loader.sandbox.highlevel.state
    gone = next(one["id"] for one in state.contacts.values() if one["lastName"] == "One")
    state.damage.delete("contacts", gone)
    undo(loader)
    ((_, row),) = spared(loader).items()
    assert (row["reason"], row["highlevel_id"]) == ("cannot_be_linked_again", "")
    assert not state.relations
    undo(loader)
    assert not state.contacts


def test_a_relationship_said_twice_and_given_up_undone_run_after_run(highlevel: Start) -> None:
    """Two rows of Cliniko say the same, the second in a later run; then both are gone: each run is undone for itself."""
    loader = highlevel()
    states = [dump(loader)]
    said = [family(1, "1", "2"), family(2, "1", "2")]
    given_up = [family(1, "1", "2", absent=True), family(2, "1", "2", absent=True)]
    note = record(
        "hl_notes", "treatment_notes/7", contact="patients/2", title="T", body="cliniko:treatment_notes/7"
    )
    for lines in (said[:1], [*said, note], [*given_up, note]):
        loads(loader, [*HEAD, *BOTH, *lines])
        states.append(dump(loader))
    assert [len(one["relations"]) for one in states] == [0, 1, 1, 0]
    for before in reversed(states[:-1]):
        undo(loader)
        assert differing(before, dump(loader)) == []
        assert spared(loader) == {}


@pytest.mark.parametrize("point", ["", "after_response/relation"])
def test_a_relationship_that_the_run_gave_to_another_patient(point: str, highlevel: Start) -> None:
    """As after a merge in Cliniko; the run made that patient as well, and may have been killed while it linked them."""
    loader = highlevel()
    loads(loader, [*HEAD, *BOTH, family(1, "1", "2")])
    before = dump(loader)
    third = person("patients/3", "Cy", "King")
    changed = [*HEAD, *BOTH, third, family(1, "1", "3")]
    assert loader.load(changed, CRASH_AT=point).code == (-9 if point else 0)
    killed = loader.tool("rollback", "--yes", CRASH_AT="after_intent")
    assert killed.returncode == -9
    undo(loader)
    assert differing(before, dump(loader)) == []
    assert spared(loader) == {}
