"""Creates whose answer was lost, and a run that ends before it has made sense of them: ours stays ours, once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hl_loading import fault
from hl_mapped import person, schemas
from hl_undoing import spared

if TYPE_CHECKING:
    from collections.abc import Callable

    from hl_loading import Loader

HEAD = schemas("patients")
ADA = person("patients/1", "Ada", "Lovelace", email="ada@example.org")
CREATES, LOOKS, READS = r"^/contacts/$", r"^/contacts/search$", r"^/contacts/[^/]+$"
KILLED = -9


def test_found_again_and_undone(highlevel: Callable[..., Loader]) -> None:
    """Contacts found after a lost answer are ours with all their tags: undoing the run takes them for untouched."""
    loader = highlevel()
    fault(loader, "POST", CREATES, "drop_after", nth=[1, 3])  # the second is refused: her address is taken
    loaded = loader.load([*HEAD, ADA, person("patients/2", "Bo", "Lovelace", email="ada@example.org")])
    assert loaded.code == 0
    assert loaded.report["totals"]["created"] == 2
    assert loader.tool("rollback", "--yes").returncode == 0
    assert spared(loader) == {}
    assert not loader.sandbox.highlevel.state.contacts


def test_a_run_that_ends_between_finding_and_settling(highlevel: Callable[..., Loader]) -> None:
    """The next run still knows that the contact was made by us: it counts as created, and can be undone."""
    loader = highlevel()
    fault(loader, "POST", CREATES, "drop_after")
    fault(loader, "GET", READS, "status", status=401)
    assert loader.load([*HEAD, ADA]).code == 3
    loader.sandbox.highlevel.control.clear_faults()
    again = loader.load([*HEAD, ADA])
    assert again.code == 0
    assert again.report["totals"]["created"] == 1
    assert loader.tool("rollback", "--yes").returncode == 0
    assert not loader.sandbox.highlevel.state.contacts


@pytest.mark.parametrize(("status", "code"), [(401, 3), (400, 4)])
def test_undoing_a_run_that_ended_there(status: int, code: int, highlevel: Callable[..., Loader]) -> None:
    """What was made is taken away, whether the run ended at the read that came next or only the record was refused."""
    loader = highlevel()
    fault(loader, "POST", CREATES, "drop_after")
    fault(loader, "GET", READS, "status", status=status)
    assert loader.load([*HEAD, ADA]).code == code
    loader.sandbox.highlevel.control.clear_faults()
    assert loader.tool("rollback", "--yes").returncode == 0
    assert not loader.sandbox.highlevel.state.contacts


def test_a_look_that_is_refused_decides_nothing(highlevel: Callable[..., Loader]) -> None:
    """The record waits with its write unclear; it is neither rejected nor sent again before somebody has looked."""
    loader = highlevel()
    fault(loader, "POST", CREATES, "drop_after")
    fault(loader, "POST", LOOKS, "status", status=400)
    ended = loader.load([*HEAD, ADA])
    assert ended.code == 1
    assert ended.report["totals"]["held"] == 1
    loader.sandbox.highlevel.control.clear_faults()
    assert loader.tool("retry").returncode == 0
    assert loader.load([*HEAD, ADA]).code == 0
    assert len(loader.sandbox.highlevel.state.contacts) == 1


@pytest.mark.parametrize(("tags", "stays"), [(["patient"], False), (["patient", "vip"], True)])
def test_undoing_a_run_that_was_killed(
    tags: list[str], *, stays: bool, highlevel: Callable[..., Loader]
) -> None:
    """What was made and never settled goes, unless somebody has put a tag on it meanwhile."""
    loader = highlevel()
    assert loader.load([*HEAD, ADA], CRASH_AT="after_send/contact").code == KILLED
    state = loader.sandbox.highlevel.state
    (contact,) = state.contacts
    state.damage.edit_contact(contact, tags=tags)
    assert loader.tool("rollback", "--yes").returncode == 0
    assert set(spared(loader)) == ({("contact", "patients/1")} if stays else set())
    assert bool(state.contacts) == stays


def test_a_link_that_was_cut_off_and_is_no_longer_wanted(highlevel: Callable[..., Loader]) -> None:
    """It may have been made: it is looked for, and taken away."""
    loader = highlevel()
    lines = [*schemas("contacts", "patients"), person("contacts/1", "Doc", "Tor")]
    doctor = [{"association": "cliniko_referring_doctor", "to": "contact:contacts/1"}]
    referred = person("patients/1", "Ada", "Lovelace", relations=doctor)
    assert loader.load([*lines, referred], CRASH_AT="after_send/relation").code == KILLED
    assert len(loader.sandbox.highlevel.state.relations) == 1
    assert loader.load([*lines, person("patients/1", "Ada", "Lovelace", relations=[])]).code == 0
    assert not loader.sandbox.highlevel.state.relations
