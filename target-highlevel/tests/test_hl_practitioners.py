"""Practitioners who get a login after the first load."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from hl_loading import Clinic, Loader


def owners(state: Any) -> dict[str, str]:
    """Return the user in charge of each contact."""
    return {contact["id"]: contact["assignedTo"] for contact in state.contacts.values()}


def test_a_login_made_later_takes_over_the_patients(
    small_clinic: Clinic, highlevel: Callable[..., Loader]
) -> None:
    """Once something is written again, a practitioner who has a user by now becomes the owner of the patients."""
    loader = highlevel(users=[])
    loader.load(small_clinic.lines)
    state = loader.sandbox.highlevel.state
    desk = {contact["assignedTo"] for contact in state.contacts.values()}
    assert len(desk) == 1

    with_users = highlevel()
    for user in with_users.sandbox.highlevel.state.users.values():
        state.users.setdefault(user["id"], {**user, "locationIds": [loader.sandbox.highlevel.location_id]})
    changed = [
        line.replace('"first_name":"', '"first_name":"Dr ', 1) if '"stream":"contacts"' in line else line
        for line in small_clinic.lines
    ]
    again = loader.load(changed)
    assert again.code == 0, again.log[-2000:]
    owners = {contact["assignedTo"] for contact in state.contacts.values()}
    assert owners - desk
    assert state.doubles() == {}


def test_the_patients_of_one_who_left_go_to_the_fallback_owner(
    small_clinic: Clinic, highlevel: Callable[..., Loader]
) -> None:
    """A practitioner who was matched and then leaves owns nobody any more; coming back, everybody again."""
    loader = highlevel()
    small_clinic.restore(loader)
    state = loader.sandbox.highlevel.state
    before = owners(state)
    desk = next(user["id"] for user in state.users.values() if user["email"] == "frontdesk@example.org")
    assert set(before.values()) - {desk}

    left = [line.replace('"active":true', '"active":false') for line in small_clinic.lines]
    assert left != small_clinic.lines
    gone = loader.load(left)
    assert gone.code == 0, gone.log[-2000:]
    assert gone.report["closes_to_zero"]
    assert {owner for identity, owner in owners(state).items() if identity in before} == {desk}

    back = loader.load(small_clinic.lines)
    assert back.code == 0, back.log[-2000:]
    assert {identity: owner for identity, owner in owners(state).items() if identity in before} == before


def test_a_key_that_may_not_read_users_takes_nobody_away(
    small_clinic: Clinic, highlevel: Callable[..., Loader]
) -> None:
    """A later run without Cliniko's users leaves every owner, and makes no contact of a practitioner who has a user."""
    loader = highlevel()
    small_clinic.restore(loader)
    state = loader.sandbox.highlevel.state
    before = owners(state)
    fewer = [line for line in small_clinic.lines if '"type":"RECORD","stream":"users"' not in line]
    assert len(fewer) < len(small_clinic.lines)
    again = loader.load(fewer)
    assert again.code == 0, again.log[-2000:]
    assert owners(state) == before
