"""Second copies in HighLevel have a way out: those go of which nothing is lost, and that nobody has touched."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest
from hl_undoing import dump

from sandbox.highlevel.relations import add_relation

if TYPE_CHECKING:
    from collections.abc import Callable

    from hl_loading import Clinic, Loader


@pytest.fixture
def loaded(highlevel: Callable[..., Loader], small_clinic: Clinic) -> Loader:
    """A clinic of five patients in HighLevel."""
    loader = highlevel()
    small_clinic.restore(loader)
    return loader


def patients(loader: Loader) -> list[str]:
    """Return the contacts of patients who have notes."""
    account = loader.sandbox.highlevel.state.main
    found = account_sources(loader)
    return [hl_id for hl_id in found if account.children_of("notes", hl_id)]


def account_sources(loader: Loader) -> list[str]:
    """Return the contacts of all patients."""
    sources = loader.sandbox.highlevel.state.sources()["contacts"]
    return [ids[0] for source, ids in sorted(sources.items()) if source.startswith("patients/")]


def make_again(loader: Loader, contact: str) -> str:
    """Make a patient a second time as a load would that knows nothing of the first: all that hangs on it, profile and links."""
    state = loader.sandbox.highlevel.state
    account, damage = state.main, state.damage
    copy = str(damage.double_contact(contact)["id"])
    for table in ("notes", "tasks"):
        for child in account.children_of(table, contact):
            twin = damage.double(table, child)["id"]
            account.drop_child(table, contact, twin)
            damage.edit(table, twin, contactId=copy)
            account.add_child(table, copy, twin)
    for hl_id in account.children_of("relations", contact):
        relation = state.relations[hl_id]
        ends = [relation["firstRecordId"], relation["secondRecordId"]]
        profile = next((end for end in ends if _is_profile(state.records.get(end))), None)
        twins = {contact: copy} | ({profile: damage.double_record(profile)["id"]} if profile else {})
        label = state.associations[relation["associationId"]]
        add_relation(account, label, *(twins.get(end, end) for end in ends))
    return copy


def _is_profile(record: dict[str, Any] | None) -> bool:
    return bool(record) and str(record["objectKey"]).endswith("patient_profile")  # type: ignore[index]


def verify(loader: Loader, clinic: Clinic, code: int) -> None:
    """Compare both sides once the search has caught up."""
    time.sleep(loader.sandbox.highlevel.state.options.search_lag)
    done = loader.load(clinic.lines, MODE="verify")
    assert done.code == code, done.log[-2000:]


def test_a_whole_patient_who_is_there_twice(loaded: Loader, small_clinic: Clinic) -> None:
    """Shown which is kept and why; no contact is deleted but by a person, and what hung on it can go then."""
    before = dump(loaded)
    copies = [make_again(loaded, contact) for contact in patients(loaded)[:2]]
    doubled = dump(loaded)
    assert doubled != before
    verify(loaded, small_clinic, 5)
    kept = loaded.tool("repair", "--yes")
    assert kept.returncode == 0, kept.stdout + kept.stderr
    assert kept.stdout.count("is kept, the ledger leads to it") == 4
    assert kept.stdout.count("so delete it in HighLevel") == 2
    assert "nothing to repair; 4 second copies left to a person" in kept.stderr
    assert dump(loaded) == doubled
    for copy in copies:
        loaded.sandbox.highlevel.state.damage.delete("contacts", copy)
    verify(loaded, small_clinic, 5)
    shown = loaded.tool("repair")
    assert "removes 2 second copies" in shown.stderr
    removed = loaded.tool("repair", "--yes")
    assert removed.returncode == 0, removed.stdout + removed.stderr
    assert dump(loaded) == before
    verify(loaded, small_clinic, 0)


def test_a_copy_that_somebody_has_touched_stays(loaded: Loader, small_clinic: Clinic) -> None:
    """A message, a note by hand, a note rewritten, a STOP, a link, an edited profile: each copy stays, with its profile."""
    state = loaded.sandbox.highlevel.state
    account, damage = state.main, state.damage
    wrote, noted, rewrote, stopped, *rest = account_sources(loaded)
    copies = {contact: make_again(loaded, contact) for contact in (wrote, noted, stopped, *rest)}
    state.staff.add_conversation(copies[wrote])
    state.notes["by-hand"] = {
        "id": "by-hand",
        "contactId": copies[noted],
        "title": "Rang",
        "body": "No answer",
    }
    account.add_child("notes", copies[noted], "by-hand")
    state.staff.close_channel(copies[stopped])
    for contact in rest:
        (profile,) = (
            end
            for hl_id in account.children_of("relations", copies[contact])
            for end in (state.relations[hl_id]["firstRecordId"], state.relations[hl_id]["secondRecordId"])
            if _is_profile(state.records.get(end))
        )
        damage.edit_record(profile, occupation="Changed by hand")
    (note, *_) = account.children_of("notes", rewrote) or account.children_of("notes", patients(loaded)[0])
    again = damage.double("notes", note)
    damage.edit("notes", again["id"], body=f"A word more\n{again['body']}")
    before = dump(loaded)
    verify(loaded, small_clinic, 5)
    kept = loaded.tool("repair", "--yes")
    assert kept.returncode == 0, kept.stdout + kept.stderr
    assert dump(loaded) == before
    for reason in (
        "the contact has a conversation", "somebody has added a note to it", "its dnd_sms differs",
        "its occupation differs", "its body differs", "it is linked with a second copy that stays",
    ):  # fmt: skip
        assert f"stays, {reason}" in kept.stdout


def test_files_that_are_there_twice(loaded: Loader, small_clinic: Clinic) -> None:
    """One with the same bytes is taken off the contact, one with others stays."""
    state = loaded.sandbox.highlevel.state
    before = dump(loaded)
    one, other = sorted(state.files.values(), key=lambda file: file["id"])[:2]
    field = one["fieldId"]
    entries = state.contacts[one["contactId"]]["customFields"][field]
    entry = next(each for each in entries.values() if each["documentId"] == one["id"])
    state.damage.edit_contact(one["contactId"], customFields={field: {**entries, "again": entry}})
    verify(loaded, small_clinic, 5)
    removed = loaded.tool("repair", "--yes")
    assert "removed 1 second copy" in removed.stderr
    assert dump(loaded) == before
    elsewhere = {**entry, "url": entry["url"].replace(one["id"], other["id"])}
    state.damage.edit_contact(one["contactId"], customFields={field: {**entries, "again": elsewhere}})
    verify(loaded, small_clinic, 5)
    kept = loaded.tool("repair", "--yes")
    assert "are not the same" in kept.stdout
    assert "again" in state.contacts[one["contactId"]]["customFields"][field]
