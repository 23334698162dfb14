"""Answers in shapes that HighLevel's description leaves open: nothing is doubled, nothing stops, nothing is called different."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hl_mapped import person, record, schemas

if TYPE_CHECKING:
    from collections.abc import Callable

    from hl_loading import Loaded, Loader

HEAD = schemas("patients", "treatment_notes", "individual_appointments", "patient_attachments", "contacts")


def loads(loader: Loader, *lines: str, **settings: str) -> Loaded:
    """Load these lines to a good end."""
    loaded = loader.load([*HEAD, *lines], **settings)
    assert loaded.code == 0, loaded.log[-2000:]
    assert loader.sandbox.highlevel.state.doubles() == {}
    return loaded


def counts(loader: Loader) -> dict[str, int]:
    """Return how many of each thing there are."""
    state = loader.sandbox.highlevel.state
    kinds = ("contacts", "records", "relations", "notes", "tasks", "appointments", "files")
    return {kind: len(getattr(state, kind)) for kind in kinds}


def loads_again(loader: Loader, *lines: str, **settings: str) -> Loaded:
    """Load the same lines into a ledger that knows nothing, and see that nothing is made twice."""
    before = counts(loader)
    (loader.folder / "ledger.db").unlink()
    again = loads(loader, *lines, **settings)
    assert again.report["totals"]["created"] == 0
    assert counts(loader) == before
    return again


def profile(source_id: str, **fields: Any) -> str:
    """Return the RECORD line of a patient's profile."""
    own = {"source_system_id": source_id, "patient_name": f"Name of {source_id}"}
    return record("hl_patient_profiles", source_id, **{**own, **fields})


def verifies(loader: Loader, *lines: str) -> Loaded:
    """See that a verification finds everything, and as it should be."""
    verified = loader.load([*HEAD, *lines], MODE="verify")
    assert verified.code == 0, verified.log[-2000:]
    return verified


# A lost ledger


def test_a_lost_ledger_waits_until_the_search_knows_what_was_written(
    highlevel: Callable[..., Loader],
) -> None:
    """What an earlier ledger wrote a moment ago is not in the index yet, and would all be made again.

    The wait comes once, before the first page; a first load into an empty sub-account has nothing to wait for.
    """
    loader = highlevel()
    control = loader.sandbox.highlevel.control
    lines = [person("patients/1", "Ada", "Lovelace"), profile("patients/1")]
    loads(loader, *lines, SEARCH_LAG_SECONDS="60")
    control.reset_log()
    loads_again(loader, *lines, SEARCH_LAG_SECONDS="1")
    asked = control.requests
    (first, *later) = [number for number, request in enumerate(asked) if request.path.endswith("/search")]
    assert asked[first].at - asked[first - 1].at >= 1
    assert later
    assert asked[later[-1]].at - asked[first].at < 1


@pytest.mark.parametrize("shapes", [(), ("no_total",), ("no_total", "bare_lists")], ids=len)
def test_pages_that_are_shorter_than_was_asked_for(shapes: Any, highlevel: Callable[..., Loader]) -> None:
    """How long a page may be nobody says: what comes after a short one is not lost, and so not made again."""
    loader = highlevel(largest_page=2, shapes=shapes)
    related = [{"association": "cliniko_referring_doctor", "to": "contact:contacts/1"}]
    people = [person(f"patients/{n}", "Ada", f"L{n}", relations=related) for n in range(1, 4)]
    lines = [person("contacts/1", "Doc", "Tor"), *people, *(profile(f"patients/{n}") for n in range(1, 4))]
    loads(loader, *lines)
    loads_again(loader, *lines)
    verifies(loader, *lines)
