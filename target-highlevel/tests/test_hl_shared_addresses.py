"""An address that a family shares, as time goes by: who has it, what tells of it, and what undoing a run makes of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hl_mapped import person, schemas
from hl_undoing import spared
from test_hl_identity import contacts, loads

if TYPE_CHECKING:
    from collections.abc import Callable

    from hl_loading import Loader

PARENT = person("patients/1", "Ada", "Larkspur", email="fam@example.org")
CHILD = person("patients/2", "Bo", "Larkspur", email="fam@example.org")


def family(highlevel: Callable[..., Loader]) -> Loader:
    """Return a loader behind which a child stands without the address that its parent has."""
    loader = highlevel()
    loads(loader, PARENT, CHILD)
    found = contacts(loader)["patients/2"]
    assert "email" not in found
    assert "shared-email" in found["tags"]
    return loader


def test_other_tags_do_not_hide_that_an_address_is_shared(highlevel: Callable[..., Loader]) -> None:
    """A child archived in Cliniko is still the one without the family's address."""
    loader = family(highlevel)
    tags = ["patient", "archived"]
    loads(loader, person("patients/2", "Bo", "Larkspur", email="fam@example.org", tags=tags))
    assert set(contacts(loader)["patients/2"]["tags"]) == {*tags, "shared-email"}


def test_a_child_gets_an_address_of_its_own(highlevel: Callable[..., Loader]) -> None:
    """Then nothing is withheld any more, no tag says so, and nobody is taken to have changed the contact by hand."""
    loader = family(highlevel)
    before = loader.sandbox.highlevel.state.dump(schema=False)
    loaded = loads(loader, PARENT, person("patients/2", "Bo", "Larkspur", email="bo@example.org"))
    found = contacts(loader)["patients/2"]
    assert found["email"] == "bo@example.org"
    assert found["tags"] == ["patient"]
    assert loaded.report["withheld"]["records"] == []
    both: list[Any] = [before["contacts"], []]  # the second run undone, then the first
    for expected in both:
        assert loader.tool("rollback", "--yes").returncode == 0
        assert spared(loader) == {}
        assert loader.sandbox.highlevel.state.dump(schema=False)["contacts"] == expected


def test_an_address_typed_in_by_hand_is_a_persons_edit(highlevel: Callable[..., Loader]) -> None:
    """What stands where an address was withheld is somebody's, and is not written over in silence."""
    loader = family(highlevel)
    child = contacts(loader)["patients/2"]["id"]
    loader.sandbox.highlevel.state.damage.edit_contact(child, email="byhand@example.org")
    new = person("patients/2", "Bo", "Larkspur", email="new@example.org")
    changed = loads(loader, new, OVERWRITE="never")
    assert contacts(loader)["patients/2"]["email"] == "byhand@example.org"
    assert changed.report["conflicts"]["records"] == [{"source": "patients/2", "field": "email"}]


def test_undoing_a_run_that_took_an_address_away(highlevel: Callable[..., Loader]) -> None:
    """A new address was somebody's, so the old one went and a tag came: undone, all is as before, and nothing is spared."""
    loader = highlevel()
    other = person("patients/2", "Bo", "Diddley", email="bo@example.org", dateOfBirth="1950-01-01")
    loads(loader, PARENT, other)
    before = loader.sandbox.highlevel.state.dump(schema=False)
    loads(loader, person("patients/1", "Ada", "Larkspur", email="bo@example.org"), other)
    assert set(contacts(loader)["patients/1"]["tags"]) == {"patient", "shared-email"}
    assert loader.tool("rollback", "--yes").returncode == 0
    assert spared(loader) == {}
    assert loader.sandbox.highlevel.state.dump(schema=False) == before


def test_undoing_a_run_in_which_a_shared_address_became_a_refused_one(
    highlevel: Callable[..., Loader],
) -> None:
    """The tag of before tells why the address is missing again: the first load finds the contact as it left it."""
    loader = highlevel(refused_addresses=["bad@"])
    loads(loader, PARENT, CHILD)
    assert "shared-email" in contacts(loader)["patients/2"]["tags"]
    loads(loader, PARENT, person("patients/2", "Bo", "Larkspur", email="bad@example.org"))
    assert "invalid-email" in contacts(loader)["patients/2"]["tags"]
    for _ in range(2):
        undone = loader.tool("rollback", "--yes")
        assert undone.returncode == 0, undone.stderr
        assert spared(loader) == {}
    assert loader.sandbox.highlevel.state.dump(schema=False)["contacts"] == []


def test_a_lost_ledger_asks_nothing_again(highlevel: Callable[..., Loader]) -> None:
    """The tag tells that the address was left out: it would be refused again, and nothing has changed."""
    loader = family(highlevel)
    (loader.folder / "ledger.db").unlink()
    loader.sandbox.highlevel.control.reset_log()
    loaded = loads(loader, PARENT, CHILD)
    asked = loader.sandbox.highlevel.control.requests
    assert not [item for item in asked if item.method == "PUT" and item.path.startswith("/contacts/")]
    assert loaded.report["totals"]["updated"] == 0


def test_an_address_that_highlevel_refuses_never_costs_the_patient(highlevel: Callable[..., Loader]) -> None:
    """The contact comes without it, tagged and listed; changed in Cliniko, it is tried again; undone, all is as before."""
    loader = highlevel(refused_addresses=["ada@", "101"])
    ada: dict[str, Any] = {"email": "ada@example.org", "phone": "+61255500101"}
    first = loads(loader, person("patients/1", "Ada", "Larkspur", **ada))
    found = contacts(loader)["patients/1"]
    assert not {"email", "phone"} & set(found)
    assert set(found["tags"]) == {"patient", "invalid-email", "invalid-phone"}
    assert [item["because"] for item in first.report["withheld"]["records"]] == ["refused", "refused"]
    verified = loader.load(
        [*schemas("patients"), person("patients/1", "Ada", "Larkspur", **ada)], MODE="verify"
    )
    assert verified.code == 0, verified.log[-1000:]
    before = loader.sandbox.highlevel.state.dump(schema=False)
    loads(loader, person("patients/1", "Ada", "Larkspur", **{**ada, "email": "al@example.org"}))
    found = contacts(loader)["patients/1"]
    assert (found["email"], set(found["tags"])) == ("al@example.org", {"patient", "invalid-phone"})
    loads(loader, person("patients/1", "Ada", "Larkspur", **{**ada, "email": "ada@example.com"}))
    assert "email" not in contacts(loader)["patients/1"]
    for _ in range(2):
        undone = loader.tool("rollback", "--yes")
        assert undone.returncode == 0, undone.stderr
    assert loader.sandbox.highlevel.state.dump(schema=False)["contacts"] == before["contacts"]
