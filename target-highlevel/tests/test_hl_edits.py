"""What people change in HighLevel: respected as the clinic chose, counted, listed, and never read back for nothing."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hl_loading import rejects
from hl_mapped import person, record, schemas, state
from test_hl_identity import contacts, loads, note

if TYPE_CHECKING:
    from collections.abc import Callable

    from hl_loading import Loader


@pytest.mark.parametrize("overwrite", ["cliniko_wins", "fill_empty", "never"])
def test_a_field_changed_on_both_sides(overwrite: str, highlevel: Callable[..., Loader]) -> None:
    """Cliniko's value, the person's, or Cliniko's only where the person left nothing; a conflict each time."""
    loader = highlevel()
    damage = loader.sandbox.highlevel.state.damage
    loads(
        loader,
        person(
            "patients/1", "Ada", "Lovelace", city="Leeds", postalCode="1000", dnd_email=True, dnd_sms=False
        ),
        person("patients/2", "Bo", "Diddley"),
    )
    found = contacts(loader)
    one, two = found["patients/1"], found["patients/2"]
    assert one["dndSettings"]["Email"]["status"] == "active"
    assert one["dndSettings"].get("SMS", {}).get("status") != "active"
    damage.edit_contact(
        one["id"], city="York", postalCode=None, tags=[*one["tags"], "vip"], address1="By hand 1",
        dndSettings={**one["dndSettings"], "SMS": {"status": "active"}},
    )  # fmt: skip
    requests = loader.sandbox.highlevel.control.stats()["requests"]
    changed = loads(
        loader,
        person(
            "patients/1", "Adele", "Lovelace", city="Bath", postalCode="2000", tags=["patient", "archived"],
            dnd_email=True, dnd_sms=False,
        ),
        person("patients/2", "Bo", "Diddley"),
        OVERWRITE=overwrite,
    )  # fmt: skip
    # six to know the sub-account, four to see whether the fields of its objects are still there, five to claim and release it,
    # one to read the contact, one to write it; nothing for the unchanged one
    assert loader.sandbox.highlevel.control.stats()["requests"] - requests <= 17
    now = loader.sandbox.highlevel.state.contacts[one["id"]]
    assert now["firstName"] == "Adele"
    assert now["city"] == ("Bath" if overwrite == "cliniko_wins" else "York")
    assert now.get("postalCode") == (None if overwrite == "never" else "2000")
    assert now["address1"] == "By hand 1"
    assert set(now["tags"]) == {"patient", "archived", "vip"}
    assert now["dndSettings"]["SMS"]["status"] == "active"
    listed = {(item["source"], item["field"]) for item in changed.report["conflicts"]["records"]}
    assert listed == {("patients/1", "city"), ("patients/1", "postalCode")}
    assert loader.sandbox.highlevel.state.contacts[two["id"]] == two


def test_a_conflict_is_listed_once(highlevel: Callable[..., Loader]) -> None:
    """The run that met it lists it; later ones, in which nothing stood against Cliniko, do not."""
    loader = highlevel()
    loads(loader, person("patients/1", "Ada", "Lovelace", city="Leeds"))
    loader.sandbox.highlevel.state.damage.edit_contact(contacts(loader)["patients/1"]["id"], city="York")
    met = loads(loader, person("patients/1", "Ada", "Lovelace", city="Bath"))
    assert met.report["conflicts"]["records"] == [{"source": "patients/1", "field": "city"}]
    for name in ("Ada", "Adele"):
        later = loads(loader, person("patients/1", name, "Lovelace", city="Bath"))
        assert later.report["conflicts"]["records"] == []


def test_consent_given_again(highlevel: Callable[..., Loader]) -> None:
    """Do-not-disturb is taken off again only where we had put it on."""
    loader = highlevel()
    loads(loader, person("patients/1", "Ada", "Lovelace", dnd_email=True, dnd_sms=True))
    loads(loader, person("patients/1", "Ada", "Lovelace", dnd_email=False))
    settings = contacts(loader)["patients/1"]["dndSettings"]
    assert settings["Email"]["status"] == "inactive"
    assert settings["SMS"]["status"] == "active"


def test_what_is_gone_in_cliniko(highlevel: Callable[..., Loader]) -> None:
    """A record deleted for good stays and is counted; a relation goes, once both sides of it are gone."""
    loader = highlevel()
    lines = [*schemas("relationships"), person("patients/1", "Ada", "L"), person("patients/2", "Bo", "L")]
    ends = [
        {"first": f"contact:patients/{a}", "second": f"contact:patients/{b}"} for a, b in ((1, 2), (1, 2))
    ]
    keys = {item["key"] for line in lines for item in described(line).get("associations", ())}
    key = next(name for name in sorted(keys) if "doctor" not in name and "insurer" not in name)
    related = [record("hl_relationships", f"relationships/{n}", association=key, **ends[0]) for n in (1, 2)]
    loads(loader, *lines, *related, note("treatment_notes/1", "patients/1"))
    relations = loader.sandbox.highlevel.state.relations
    assert len(relations) == 1
    gone = [record("hl_relationships", f"relationships/{n}", absent=True) for n in (1, 2)]
    loads(loader, *lines, gone[0])
    assert len(relations) == 1
    tombs = [
        record("hl_contacts", "patients/2", filtered="deleted_in_cliniko"),
        record("hl_notes", "treatment_notes/1", filtered="deleted_in_cliniko"),
    ]
    loaded = loads(loader, *lines[:-1], gone[1], *tombs)
    assert not relations
    assert set(contacts(loader)) == {"patients/1", "patients/2"}
    assert len(loader.sandbox.highlevel.state.notes) == 1
    assert loaded.report["closes_to_zero"]
    assert loaded.report["totals"]["filtered"] >= 2


def described(line: str) -> dict[str, Any]:
    """Return what a SCHEMA line says of its stream."""
    message = json.loads(line)
    return dict(message["schema"].get("x-highlevel") or {}) if message["type"] == "SCHEMA" else {}


def test_rejects_and_what_waits_for_them(highlevel: Callable[..., Loader]) -> None:
    """A refused parent holds its children; mended, `retry` sends it as it was received and lets them through."""
    loader = highlevel()
    damage = loader.sandbox.highlevel.control
    damage.add_fault(
        {"match": {"method": "POST", "path_regex": r"^/contacts/$", "nth": [*range(1, 9)]}, "action": "status", "status": 400,
         "body": {"statusCode": 400, "message": "Zarathustra cannot be"}}
    )  # fmt: skip
    ended = loader.load(
        [
            *schemas("patients", "treatment_notes"),
            person("patients/1", "Ada", "Lovelace", email="ada@example.org"),
            note("treatment_notes/1", "patients/1"),
            json.dumps({"type": "RECORD", "stream": "hl_notes", "record": {"title": "no identity"}}),
            record(
                "hl_contacts", "patients/3", rejected={"reason": "invalid_date", "field": "date_of_birth"}
            ),
            state("end"),
        ]
    )
    assert ended.code == 4, ended.log[-2000:]
    assert rejects(loader) == {
        ("patients/1", "refused"), ("hl_notes/?", "invalid_record"), ("patients/3", "invalid_date"),
    }  # fmt: skip
    assert ended.report["totals"]["held"] == 1
    assert ended.states
    assert "Zarathustra" not in ended.log
    accepted = loader.load(schemas("patients"), ACCEPT_REJECTS="true")
    assert accepted.code == 0
    assert "except 3 refused records (listed in rejects.csv) and 1 waiting record (held until" in accepted.log
    damage.clear_faults()
    done = loader.tool("retry")
    assert set(contacts(loader)) == {"patients/1"}
    assert len(loader.sandbox.highlevel.state.notes) == 1
    assert done.returncode == 4, done.stderr[-1000:]


def test_a_run_in_which_nothing_is_accepted(highlevel: Callable[..., Loader]) -> None:
    """When the first fifty records are all rejected the run stops: it is the account, not the records."""
    loader = highlevel()
    loader.sandbox.highlevel.control.add_fault(
        {"match": {"method": "POST", "path_regex": r"^/contacts/$"}, "action": "status", "status": 400}
    )
    people = [person(f"patients/{n}", "Ada", f"L{n}") for n in range(1, 120)]
    ended = loader.load([*schemas("patients"), *people])
    assert ended.code == 1
    assert "first 50" in ended.log.rstrip().splitlines()[-1]
    assert loader.sandbox.highlevel.control.stats()["by_route"]["POST /contacts/"] < 80


def test_a_note_on_a_contact_that_somebody_deleted(highlevel: Callable[..., Loader]) -> None:
    """What hangs on a contact that is gone is rejected with the reason; everything else goes on."""
    loader = highlevel()
    loads(loader, person("patients/1", "Ada", "L"), person("patients/2", "Bo", "L"))
    loader.sandbox.highlevel.state.damage.delete("contacts", contacts(loader)["patients/1"]["id"])
    loaded = loads(loader, note("treatment_notes/1", "patients/1"), note("treatment_notes/2", "patients/2"))
    assert loaded.code == 4
    assert {reason for _, reason in rejects(loader)} <= {"not_found", "deleted_in_highlevel"}
    assert len(loader.sandbox.highlevel.state.notes) == 1
