"""What a load does when it was cut off in the middle of a move, or when HighLevel fails or refuses without a reason."""

from __future__ import annotations

import csv
import json
import sqlite3
import subprocess
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
from hl_mapped import person, record, schemas

if TYPE_CHECKING:
    from collections.abc import Callable

    from hl_loading import Loader

HEAD = schemas("patients", "treatment_notes")
CREATES = r"^/contacts/$"
KILLED = -9


def a_note(contact: str) -> str:
    """Return the RECORD line of the one note, on this contact."""
    body = "text\ncliniko:treatment_notes/7"
    return record("hl_notes", "treatment_notes/7", contact=contact, title="Note", body=body)


@pytest.mark.parametrize(
    "point", ["before_intent", "after_intent", "after_send", "after_response", "after_crosswalk"]
)
def test_killed_while_a_note_moves_to_another_patient(point: str, highlevel: Callable[..., Loader]) -> None:
    """However far it had come, in the end the note is on the survivor once, and the copy left behind has lost its marker."""
    loader = highlevel()
    people = [person("patients/1", "Ada", "Lovelace"), person("patients/2", "Ada", "King")]
    assert loader.load([*HEAD, *people, a_note("patients/2")]).code == 0
    moved = [*HEAD, *people, a_note("patients/1")]
    assert loader.load(moved, CRASH_AT=f"{point}/note").code == KILLED
    assert loader.load(moved).code == 0
    state = loader.sandbox.highlevel.state
    found = {source: ids[0] for source, ids in state.sources()["contacts"].items()}
    bodies = {note["contactId"]: note["body"] for note in state.notes.values()}
    assert state.doubles() == {}
    assert len(state.notes) == 2
    assert "cliniko:treatment_notes/7" in bodies[found["patients/1"]]
    assert "cliniko:" not in bodies[found["patients/2"]]
    before = len(loader.sandbox.highlevel.control.requests)
    assert loader.load(moved).code == 0
    assert len(loader.sandbox.highlevel.control.requests) == before


def test_a_record_on_which_highlevel_keeps_failing(highlevel: Callable[..., Loader]) -> None:
    """It waits in the ledger for the next run, which needs nobody to say it again; the run says so and ends with 1."""
    loader = highlevel()
    control = loader.sandbox.highlevel.control
    control.add_fault({"match": {"method": "POST", "path_regex": CREATES}, "action": "status", "status": 500})
    ended = loader.load([*HEAD, person("patients/1", "Ada", "Lovelace")])
    assert ended.code == 1
    assert "not written yet: 1 record, because" in ended.log.rstrip().splitlines()[-1]
    assert ended.report["totals"]["held"] == 1
    control.clear_faults()
    assert loader.load([]).code == 0
    assert set(loader.sandbox.highlevel.state.sources()["contacts"]) == {"patients/1"}
    assert loader.sandbox.highlevel.state.doubles() == {}


@pytest.mark.parametrize("fields", [{}, {"email": "ada@example.org", "phone": "+61255500101"}])
def test_a_duplicate_that_no_address_explains(
    fields: dict[str, Any], highlevel: Callable[..., Loader]
) -> None:
    """Refused as a duplicate whatever is left out, a person is rejected: never merged into whomever HighLevel means."""
    loader = highlevel()
    said = {"statusCode": 400, "message": "This location does not allow duplicated contacts."}
    fault = {
        "match": {"method": "POST", "path_regex": CREATES},
        "action": "status",
        "status": 400,
        "body": said,
    }
    loader.sandbox.highlevel.control.add_fault(fault)
    assert (
        loader.load([*HEAD, person("patients/1", "Ada", "Lovelace", **fields), a_note("patients/1")]).code
        == 4
    )
    with max((loader.folder / "reports").glob("*/rejects.csv")).open() as file:
        assert [(row["source"], row["reason"]) for row in csv.DictReader(file)] == [
            ("patients/1", "duplicate_contact")
        ]
    assert not loader.sandbox.highlevel.state.contacts
    loader.sandbox.highlevel.control.clear_faults()
    assert loader.tool("retry").returncode == 0
    assert set(loader.sandbox.highlevel.state.sources()["contacts"]) == {"patients/1"}
    assert len(loader.sandbox.highlevel.state.notes) == 1


def test_a_fact_that_comes_later_changes_nothing_else(highlevel: Callable[..., Loader]) -> None:
    """A partial alone adds its option and, withdrawn, takes it back; what a person wrote meanwhile is not looked at."""
    loader = highlevel()
    state = loader.sandbox.highlevel.state
    assert loader.load([*HEAD, person("patients/1", "Ada", "Lovelace", city="Leeds")]).code == 0
    contact = next(iter(state.contacts))
    state.damage.edit_contact(contact, city="York")

    def part(**fields: Any) -> str:
        return record("hl_contacts", "patients/1", contributor="individual_appointments/5", **fields)

    head = [line.replace('"options": []', '"options": ["Physio"]') for line in HEAD]
    assert loader.load([*head, part(cliniko_appointment_type=["Physio"])]).code == 0
    assert "Physio" in str(state.contacts[contact]["customFields"])
    assert loader.load([*head, part(filtered="cancelled")]).code == 0
    assert "Physio" not in str(state.contacts[contact]["customFields"])
    assert state.contacts[contact]["city"] == "York"


def test_a_fact_that_could_not_be_mapped_and_now_can(highlevel: Callable[..., Loader]) -> None:
    """A case that was rejected under its own name is no reject any more when it adds its line to the profile."""
    loader = highlevel()
    profile = {"source_system_id": "patients/1", "patient_name": "Ada Lovelace"}
    head = [*schemas("patients", "patient_cases"), person("patients/1", "Ada", "Lovelace")]
    bad = {"rejected": {"reason": "invalid_date", "field": "issue_date"}}
    stream, case = "hl_patient_profiles", "patient_cases/5"
    first = [record(stream, "patients/1", **profile), record(stream, case, **bad)]
    assert loader.load([*head, *first]).code == 4
    text = {"order": "2024", "text": "Knee"}
    assert loader.load([*head, record(stream, "patients/1", contributor=case, cases=text)]).code == 0
    (there,) = loader.sandbox.highlevel.state.records.values()
    assert there["properties"]["cases"] == "Knee"


def test_half_an_emoji_and_a_nul_end_no_run(highlevel: Callable[..., Loader]) -> None:
    """No database could keep them: they are taken out, and everybody arrives."""
    loader = highlevel()
    odd = [
        person("patients/1", "A\x00da", "Lovelace\ud83d"),
        person("patients/2", "Bo \U0001f600", "Diddley"),
    ]
    assert loader.load([*HEAD, *odd]).code == 0
    names = {contact["firstName"]: contact["lastName"] for contact in contacts(loader)}
    assert names == {"Ada": "Lovelace?", "Bo \U0001f600": "Diddley"}


def contacts(loader: Loader) -> list[dict[str, Any]]:
    """Return every contact."""
    return list(loader.sandbox.highlevel.state.contacts.values())


OWN = {"source_system_id": "patients/1", "patient_name": "Ada Lovelace"}
CLINIC = [*schemas("patients", "medical_alerts"), person("patients/1", "Ada", "Lovelace")]


def profile(**fields: Any) -> str:
    """Return the RECORD line of the one profile."""
    return record("hl_patient_profiles", "patients/1", **{**OWN, **fields})


def alert(number: int, text: str) -> str:
    """Return what a medical alert says of the one patient."""
    told = {"order": str(number), "text": text}
    return record(
        "hl_patient_profiles", "patients/1", contributor=f"medical_alerts/{number}", medical_alerts=told
    )


def test_a_lost_ledger_and_bookmarks_that_are_still_there(highlevel: Callable[..., Loader]) -> None:
    """What has changed goes in, nothing is made twice, and what is not known any more stays until all is read anew."""
    loader = highlevel()
    delta = starts_from({"patients": {"replication_key_value": "2026"}})
    assert (
        loader.load([starts_from({}), *CLINIC, alert(5, "Penicillin"), profile(occupation="Poet")]).code == 0
    )
    (loader.folder / "ledger.db").unlink()

    changed = loader.load([delta, *CLINIC, profile(occupation="Countess")])
    assert changed.code == 0, changed.log[-2000:]
    assert "--full-refresh" in changed.log.rstrip().splitlines()[-1]
    assert "complete: everything" not in changed.log
    assert "full read due" in [item["what"] for item in changed.report["to_do"]]
    assert changed.report["totals"]["created"] == 0
    assert shown(loader) == ("Penicillin", "Countess")
    # one who knows of one alert only does not say that it is the only one
    assert loader.load([delta, *CLINIC, alert(6, "Latex"), profile(occupation="Analyst")]).code == 0
    assert shown(loader) == ("Penicillin", "Analyst")

    whole = [
        starts_from({}),
        *CLINIC,
        alert(5, "Penicillin"),
        alert(6, "Latex"),
        profile(occupation="Analyst"),
    ]
    # broken off before the alerts, it goes on from bookmarks that are older than it: still not all is known
    half = json.dumps({"type": "STATE", "value": {"bookmarks": {}, "complete": False}})
    assert loader.load([half, *CLINIC]).code == 1
    assert loader.load([delta, *CLINIC, profile(occupation="Author")]).code == 0
    assert shown(loader) == ("Penicillin", "Author")
    assert loader.load(whole).code == 0
    assert shown(loader) == ("Penicillin\nLatex", "Analyst")
    after = loader.load([delta, *CLINIC, alert(7, "Pollen")])
    assert after.code == 0
    assert "full read due" not in [item["what"] for item in after.report["to_do"]]
    assert "complete: everything" in after.log
    assert shown(loader) == ("Penicillin\nLatex\nPollen", "Analyst")


def test_a_fact_about_somebody_who_is_not_there_is_counted(highlevel: Callable[..., Loader]) -> None:
    """An alert of a patient who never came waits and is listed; when the patient comes, it goes in and is listed no more."""
    loader = highlevel()
    head = schemas("patients", "medical_alerts")
    first = loader.load([*head, alert(5, "Penicillin")])
    assert first.code == 0, first.log[-2000:]
    (row,) = first.report["objects"]
    assert (row["label"], row["source"], row["held"]) == ("Medical alerts → patient profiles", 1, 1)
    assert [(item["reason"], item["examples"]) for item in first.report["held"]] == [
        ("waits_for", ["medical_alerts/5"])
    ]
    assert "1 waiting record" in first.log.rstrip().splitlines()[-1]
    assert "1 record waits" in loader.tool("go-live").stderr

    second = loader.load([*CLINIC, profile()])
    assert second.report["totals"]["held"] == 0
    assert shown(loader)[0] == "Penicillin"


def test_a_fact_about_somebody_who_is_left_out_is_left_out_with_the_same_reason(
    highlevel: Callable[..., Loader],
) -> None:
    """A merged patient's alert, and a group booking in which nobody has a place, are named where they end."""
    loader = highlevel()
    merged = record("hl_patient_profiles", "patients/1", filtered="merged")
    group = record(
        "hl_appointments", "group_appointments/7", contributor="group_appointments/7", title="Pilates"
    )
    lines = [*schemas("patients", "medical_alerts", "group_appointments"), merged, alert(5, "Latex"), group]
    ended = loader.load(lines)
    assert ended.code == 0, ended.log[-2000:]
    filtered = {item["reason"]: item["examples"] for item in ended.report["filtered"]}
    assert filtered == {
        "merged": ["patients/1", "medical_alerts/5"],
        "joined_by_none": ["group_appointments/7"],
    }
    assert ended.report["closes_to_zero"] is True


@pytest.mark.parametrize("said", [{"patients": {"sample": ["1"]}, "users": {}}, ["odd"], None])
def test_a_state_from_which_nothing_goes_on(said: Any, highlevel: Callable[..., Loader]) -> None:
    """A sample's choice of patients and what is no bookmark at all keep no load from beginning."""
    loader = highlevel()
    assert loader.load([starts_from(said), *CLINIC]).code == 0
    assert len(loader.sandbox.highlevel.state.contacts) == 1


def shown(loader: Loader) -> tuple[str, str]:
    """Return alerts and occupation of the one profile in HighLevel."""
    (found,) = loader.sandbox.highlevel.state.records.values()
    return found["properties"]["medical_alerts"], found["properties"].get("occupation", "")


@pytest.mark.parametrize("records", [[], [profile()]], ids=["no record", "a record"])
def test_bookmarks_and_a_sub_account_without_anything_of_ours(
    records: list[str], highlevel: Callable[..., Loader]
) -> None:
    """Most records would never come: the load is refused before its first write, again and again, until all is read."""
    loader = highlevel(empty=True)
    delta = [
        starts_from({"patients": {"replication_key_value": "2026"}}),
        *CLINIC[: -1 if not records else None],
        *records,
    ]
    before = loader.sandbox.highlevel.state.dump()
    for _ in range(2):
        refused = loader.load(delta)
        assert refused.code == 2, refused.log[-2000:]
        assert "--full-refresh" in refused.log.rstrip().splitlines()[-1]
    planned = loader.load(delta, MODE="plan")
    assert "a load would refuse to start: the tap goes on from bookmarks" in planned.log
    assert loader.sandbox.highlevel.state.dump() == before
    with loader.start((), stdin=subprocess.PIPE) as reading:
        assert reading.stdin is not None
        while runs(loader) < 3:
            time.sleep(0.05)
        # a tap needs a moment, too: what the refused runs left must not be judged before it speaks
        time.sleep(0.5)
        begin = [starts_from({})] if records else []  # not every tap says that it starts anew
        everything = [*begin, *CLINIC, profile(occupation="Poet"), alert(5, "Penicillin")]
        reading.stdin.write("".join(f"{line}\n" for line in everything))
        _, log = reading.communicate()
    assert reading.returncode == 0, log[-2000:]
    assert loader.load(delta).code == 0
    assert shown(loader)[0] == "Penicillin"


def runs(loader: Loader) -> int:
    """Return how many loads the ledger has seen begin."""
    with closing(sqlite3.connect(loader.folder / "ledger.db")) as ledger:
        return int(ledger.execute("select count(*) from run where mode = 'load'").fetchone()[0])


def starts_from(bookmarks: Any) -> str:
    """Return the STATE line that a tap begins with."""
    return json.dumps({"type": "STATE", "value": {"bookmarks": bookmarks}})


def test_a_lost_ledger_and_a_search_that_does_not_know_yet(highlevel: Callable[..., Loader]) -> None:
    """The address leads to the contact that carries our id: it is taken up, and nobody is there twice."""
    loader = highlevel(search_lag=600.0)
    people = [
        person("patients/1", "Ada", "Lovelace", email="ada@example.org"),
        person("patients/2", "Ada", "Lovelace", email="ada@example.org", phone="+61255500101"),
    ]
    assert loader.load([*HEAD, *people]).code == 0
    before = set(loader.sandbox.highlevel.state.contacts)
    (loader.folder / "ledger.db").unlink()
    assert loader.load([*HEAD, *people]).code == 0
    assert set(loader.sandbox.highlevel.state.contacts) == before
    assert loader.sandbox.highlevel.state.doubles() == {}


def test_a_lost_ledger_and_more_relations_than_a_page_holds(highlevel: Callable[..., Loader]) -> None:
    """A doctor's links are found again, also those on the second page; none is made twice."""
    loader = highlevel()
    related = [{"association": "cliniko_referring_doctor", "to": "contact:contacts/1"}]
    people = [person(f"patients/{n}", "Ada", f"L{n}", relations=related) for n in range(1, 106)]
    lines = [*schemas("contacts", "patients"), person("contacts/1", "Doc", "Tor"), *people]
    assert loader.load(lines).code == 0
    relations = set(loader.sandbox.highlevel.state.relations)
    assert len(relations) == len(people)
    (loader.folder / "ledger.db").unlink()
    again = loader.load(lines)
    assert again.code == 0
    assert set(loader.sandbox.highlevel.state.relations) == relations
    assert again.report["totals"]["created"] == 0
