"""Rollback of what a run wrote over: each value is there again, unless a person has touched it since."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hl_mapped import person, record, schemas
from hl_undoing import differing, dump, loads, spared, undo

if TYPE_CHECKING:
    from collections.abc import Callable

    from hl_loading import Loader

    Start = Callable[..., Loader]

HEAD = schemas("patients", "billable_items")

pytestmark = pytest.mark.timeout(120)


def test_a_tag_that_the_run_took_off_is_there_again(highlevel: Start) -> None:
    """A patient archived before the run is not archived any more by it."""
    loader = highlevel()
    loads(loader, [*HEAD, person("patients/1", "Ada", "Lovelace", tags=["patient", "archived"])])
    before = dump(loader)
    loads(loader, [*HEAD, person("patients/1", "Ada", "Lovelace", tags=["patient"])])
    undo(loader)
    assert differing(before, dump(loader)) == []
    assert spared(loader) == {}


def test_addresses_that_were_passed_on_go_back(highlevel: Start) -> None:
    """Each patient has the address of the one before, the last one's has a new patient with a profile: all as it was."""
    loader = highlevel()

    def patients(first: int) -> list[str]:
        return [
            person(f"patients/{n}", f"Patient{n}", "King", email=f"a{n + first}@example.org")
            for n in range(5)
        ]

    loads(loader, [*HEAD, *patients(1)])
    before = dump(loader)
    new = person("patients/9", "New", "King", email="a5@example.org")
    profile = record(
        "hl_patient_profiles", "patients/9", source_system_id="patients/9", patient_name="New King",
        relations=[{"association": "cliniko_profile_contact", "to": "contact:patients/9"}],
    )  # fmt: skip
    loads(loader, [*HEAD, *patients(0), new, profile])
    undo(loader)
    assert differing(before, dump(loader)) == []
    assert spared(loader) == {}
