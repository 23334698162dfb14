"""One opportunity of each patient, its stage named as the type of the visit: moved, never doubled, undone by a rollback."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hl_loading import fault, rejects
from hl_mapped import person, record, schemas
from hl_undoing import undo

from sandbox.cliniko.account import timestamp

if TYPE_CHECKING:
    from hl_loading import Clinic, Loader

    from conftest import StartHighLevel

HEAD = schemas("patients")
NOW = datetime.now(UTC)
STAGES = ("Massage", "Physio", "Review")


def patient(number: int) -> list[str]:
    """Return a patient's contact and opportunity, as the mapping gives them."""
    source = f"patients/{number}"
    follows = {"contact": source, "follows": f"contact:{source}", "name": f"Ada Quill{number}"}
    return [person(source, "Ada", f"Quill{number}"), record("hl_opportunities", source, **follows)]


def booking(number: int, of: int, kind: str | None, days: int) -> str:
    """Return what a booking so many days from now says of its patient; without a type it was cancelled."""
    at = NOW + timedelta(days=days)
    visit = {"at": timestamp(at), "day": f"{at:%Y-%m-%d}", "state": "booked", "type": kind}
    said = {"visit": visit} if kind else {}
    return record("hl_contacts", f"patients/{of}", contributor=f"individual_appointments/{number}", **said)


FIRST = [
    *HEAD,
    *patient(1),
    *patient(2),
    *patient(3),
    booking(1, 1, "Physio", -9),
    booking(2, 1, "Massage", 3),
    booking(3, 1, "Review", 30),
    booking(4, 2, "Physio", -9),
    booking(5, 2, "Review", -3),
]


@pytest.fixture
def loader(highlevel: StartHighLevel) -> Loader:
    """A sub-account with a pipeline beside another one."""
    started = highlevel()
    started.settings["PIPELINE"] = "clinic "
    started.sandbox.highlevel.state.staff.add_pipeline("Sales", ("New", "Won"))
    started.sandbox.highlevel.state.staff.add_pipeline("Clinic", STAGES)
    return started


def stages(loader: Loader) -> dict[str, str]:
    """Return the stage of every opportunity by its name; two of one name would be one too many."""
    state = loader.sandbox.highlevel.state
    names = {stage["id"]: stage["name"] for item in state.pipelines.values() for stage in item["stages"]}
    found = [(row["name"], names[row["pipelineStageId"]]) for row in state.opportunities.values()]
    assert len(dict(found)) == len(found)
    return dict(found)


def with_types(*names: str) -> list[str]:
    """Return the schemas of the mapping with these appointment types, and a new patient."""
    found = []
    for line in HEAD:
        message = json.loads(line)
        if message["stream"] == "hl_contacts":
            message["schema"]["properties"]["cliniko_appointment_type"]["x-highlevel"]["options"] = list(
                names
            )
        found.append(json.dumps(message))
    return [*found, *patient(5)]


def loads(loader: Loader, *lines: str, code: int = 0, **more: str) -> dict[str, Any]:
    """Load lines, see that the load ends so, and return its report."""
    loaded = loader.load(lines, **more)
    assert loaded.code == code, loaded.log[-2000:]
    return loaded.report


def test_the_stage_is_the_type_of_the_visit(loader: Loader) -> None:
    """Of the next, else of the latest; it moves with it, stays where no visit is left, and costs nothing when nothing changed."""
    loads(loader, *FIRST)
    assert stages(loader) == {"Ada Quill1": "Massage", "Ada Quill2": "Review"}
    control = loader.sandbox.highlevel.control
    control.reset_log()
    loads(loader, *FIRST)
    assert control.stats()["requests"] == 0
    loads(loader, *FIRST, MODE="verify")
    changes = [
        booking(2, 1, None, 3),
        booking(4, 2, None, -9),
        booking(5, 2, None, -3),
        booking(6, 3, "Physio", 1),
    ]
    loads(loader, *HEAD, *changes)
    assert stages(loader) == {"Ada Quill1": "Review", "Ada Quill2": "Review", "Ada Quill3": "Physio"}
    now = [
        *HEAD,
        *patient(1),
        *patient(3),
        *FIRST[-5:-3],
        booking(3, 1, "Review", 30),
        *changes[:1],
        changes[3],
    ]
    loads(loader, *now, MODE="verify")
    assert {row["status"] for row in loader.sandbox.highlevel.state.opportunities.values()} == {"open"}


def test_a_lost_answer_doubles_nothing(loader: Loader) -> None:
    """What a create has made whose answer was lost is found by its contact and taken for ours."""
    fault(loader, "POST", "^/opportunities/", "drop_after", nth=1)
    loads(loader, *FIRST)
    assert stages(loader) == {"Ada Quill1": "Massage", "Ada Quill2": "Review"}
    undo(loader)
    assert not loader.sandbox.highlevel.state.opportunities


def test_a_lost_ledger_finds_them_again(loader: Loader) -> None:
    """Each by its contact: none is made anew."""
    loads(loader, *FIRST)
    (loader.folder / "ledger.db").rename(loader.folder / "lost.db")
    report = loads(loader, *FIRST)
    assert report["totals"]["created"] == 0
    assert stages(loader) == {"Ada Quill1": "Massage", "Ada Quill2": "Review"}


def test_a_rollback_puts_stages_back(loader: Loader) -> None:
    """A delta's move is undone; its opportunity goes; one that somebody moved since stays."""
    loads(loader, *FIRST)
    loads(loader, *HEAD, booking(2, 1, None, 3), booking(5, 2, None, -3), booking(6, 3, "Physio", 1))
    state = loader.sandbox.highlevel.state
    assert stages(loader) == {"Ada Quill1": "Review", "Ada Quill2": "Physio", "Ada Quill3": "Physio"}
    moved = next(row for row in state.opportunities.values() if row["name"] == "Ada Quill2")
    moved["pipelineStageId"] = next(
        stage["id"]
        for item in state.pipelines.values()
        for stage in item["stages"]
        if stage["name"] == "Massage"
    )
    undo(loader)
    assert stages(loader) == {"Ada Quill1": "Massage", "Ada Quill2": "Massage"}


def lacking(planned: dict[str, Any]) -> list[str]:
    """Return what a plan says of the pipeline."""
    return [each["found"] for each in planned["plan"]["settings_to_check"] if each["setting"] == "pipeline"]


def test_what_the_pipeline_lacks_is_named(loader: Loader) -> None:
    """By the plan; a load rejects what needs a stage that is not there, and leaves somebody's own opportunity alone."""
    loads(loader, *HEAD, person("patients/2", "Ada", "Quill2"))
    state = loader.sandbox.highlevel.state
    pipeline = next(key for key, item in state.pipelines.items() if item["name"] == "Clinic")
    theirs = state.staff.add_opportunity(next(iter(state.contacts)), pipelineId=pipeline, name="Theirs")
    loads(loader, *FIRST, booking(7, 1, "Yoga", 1), code=4)
    assert rejects(loader) == {("patients/1", "unknown_stage"), ("patients/2", "opportunity_there")}
    assert list(state.opportunities) == [theirs["id"]]
    planned = loads(loader, *with_types("Physio", "Yoga"), MODE="plan")
    assert not planned["plan"]["blockers"]
    assert lacking(planned) == ["the pipeline lacks the stages Yoga"]
    loads(loader, *HEAD, *patient(4), booking(8, 4, "Physio", 1), code=2, PIPELINE="Yoga studio")


def test_a_verification_compares_ours_and_no_card_of_the_staffs(loader: Loader) -> None:
    """Ours is read by its id where the search does not show it; one that people opened beside it, or alone, is theirs."""
    loads(loader, *FIRST)
    state = loader.sandbox.highlevel.state
    pipeline = next(key for key, item in state.pipelines.items() if item["name"] == "Clinic")
    (ours, other) = state.opportunities
    state.main.opportunities_visible_at[ours] = float("inf")
    for contact in state.contacts:
        state.staff.add_opportunity(contact, pipelineId=pipeline, name="Theirs")
    loads(loader, *FIRST, MODE="verify")
    state.damage.edit("opportunities", ours, name="Renamed")
    del state.opportunities[other]
    said = loads(loader, *FIRST, MODE="verify", code=5)["verification"]
    assert (said["different"], said["missing"], said["extra"]) == (1, 1, 0)


def test_without_the_setting_there_is_none(loader: Loader) -> None:
    """Nobody asked for opportunities: none is made, and none is counted."""
    del loader.settings["PIPELINE"]
    report = loads(loader, *FIRST)
    assert not loader.sandbox.highlevel.state.opportunities
    assert "opportunity" not in str(report["objects"])


@pytest.mark.soak
def test_of_a_whole_clinic(small_clinic: Clinic, highlevel: StartHighLevel) -> None:
    """The plan names every type as a missing stage; a load gives each patient with visits one opportunity, an undo takes all."""
    loader = highlevel()
    loader.settings["PIPELINE"] = "Clinic"
    staff, state = loader.sandbox.highlevel.state.staff, loader.sandbox.highlevel.state
    pipeline = staff.add_pipeline("Clinic", ("New",))
    types = [row["name"] for row in loader.sandbox.cliniko.account.tables["appointment_types"].rows()]
    planned = loads(loader, *small_clinic.lines, MODE="plan", ACCEPT_REJECTS="true")
    assert lacking(planned) == [f"the pipeline lacks the stages {', '.join(sorted(set(types)))}"]
    del state.pipelines[pipeline["id"]]
    staff.add_pipeline("Clinic", tuple(dict.fromkeys(types)))
    planned = loads(loader, *small_clinic.lines, MODE="plan", ACCEPT_REJECTS="true")
    assert lacking(planned) == []
    loads(loader, *small_clinic.lines, ACCEPT_REJECTS="true")
    contacts = [row["contactId"] for row in state.opportunities.values()]
    assert contacts
    assert len(contacts) == len(set(contacts))
    undo(loader)
    assert not state.opportunities
    assert not state.contacts
