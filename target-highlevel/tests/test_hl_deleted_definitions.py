"""Somebody deletes a field, an object or an association in HighLevel: nobody is told that all is there before it is again."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hl_loading import content, settings_of

from target_highlevel.engine.session import Session
from target_highlevel.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable

    from hl_loading import Clinic, Loader


def changed(lines: list[str]) -> list[str]:
    """Return the lines of a clinic whose patients have moved, so that there is something to write."""
    messages = [json.loads(line) for line in lines]
    for message in messages:
        if message["type"] == "RECORD" and message["stream"] == "patients":
            message["record"]["city"] = "Newtown"
    return [json.dumps(message) for message in messages]


def delete_contact_field(state: Any) -> None:
    """Delete the field of occupations, and with it what it holds."""
    account = state.main
    key = next(
        key
        for key, field in account.contact_fields.items()
        if field["fieldKey"].endswith("cliniko_occupation")
    )
    del account.contact_fields[key]
    for contact in account.contacts.values():
        contact["customFields"].pop(key, None)


def delete_object_field(state: Any) -> None:
    """Delete a property of invoices, and with it what it holds."""
    account = state.main
    key, field = next(
        (key, field)
        for key, field in account.object_fields.items()
        if field["fieldKey"].startswith("custom_objects.cliniko_invoice.")
        and field["fieldKey"].endswith(".issue_date")
    )
    del account.object_fields[key]
    account.drop_child("object_fields", field["objectKey"], key)
    for record in account.records.values():
        if record["objectKey"] == field["objectKey"]:
            record["properties"].pop("issue_date", None)


def delete_association(state: Any) -> None:
    """Delete an association, and with it all its relations."""
    account = state.main
    key, found = next(
        (key, each) for key, each in account.associations.items() if each["key"] == "cliniko_profile_contact"
    )
    del account.associations[key]
    for relation in [each for each in account.relations.values() if each["associationId"] == found["id"]]:
        state.damage.remove_relation(relation["id"])


@pytest.mark.parametrize("delete", [delete_contact_field, delete_object_field, delete_association])
def test_what_went_with_a_deleted_definition_comes_back(
    delete: Callable[[Any], None], small_clinic: Clinic, highlevel: Callable[..., Loader]
) -> None:
    """The next load that writes stops and says what to do; a full read then writes everything again."""
    loader = highlevel()
    small_clinic.restore(loader)
    assert loader.load(changed(small_clinic.lines)).code == 0
    whole = content(loader.sandbox.highlevel.state)
    delete(loader.sandbox.highlevel.state)
    stopped = loader.load(small_clinic.lines)
    assert stopped.code == 2, stopped.log[-2000:]
    assert "--full-refresh" in stopped.log
    full = loader.load(changed(small_clinic.lines))
    assert full.code == 0, full.log[-2000:]
    assert content(loader.sandbox.highlevel.state) == whole
    assert loader.load(changed(small_clinic.lines), MODE="verify").code == 0


def test_every_thread_that_is_about_to_write_hears_of_it(
    small_clinic: Clinic, highlevel: Callable[..., Loader]
) -> None:
    """The first to ask has it noted; whoever waited for the definitions meanwhile must not find all in order."""
    loader = highlevel()
    small_clinic.restore(loader)
    assert loader.load(changed(small_clinic.lines)).code == 0
    delete_contact_field(loader.sandbox.highlevel.state)
    session = Session(settings_of(loader, search_lag_seconds=0.1))
    for _ in range(2):
        with pytest.raises(SettingsError, match="cliniko_occupation"):
            session.catalogue()
    session.close(2, {})


def test_only_custom_objects_are_asked_for_properties(
    small_clinic: Clinic, highlevel: Callable[..., Loader]
) -> None:
    """HighLevel lists contacts among its objects, and has no such list of their fields: a later load goes on."""
    loader = highlevel()
    small_clinic.restore(loader)
    later = loader.load(changed(small_clinic.lines))
    assert later.code == 0, later.log[-2000:]
