"""Killed at any seam and started again: nothing lost, nothing doubled, no bookmark ahead of the data."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from hl_loading import after_state
from hl_mapped import person, schemas, state

from target_highlevel.crashpoints import CRASH_POINTS

if TYPE_CHECKING:
    from collections.abc import Callable

    from hl_loading import Clinic, Loader

KINDS = (
    "contact",
    "custom_objects.cliniko_insurance_provider",
    "custom_objects.cliniko_invoice",
    "custom_objects.cliniko_invoice_line_item",
    "custom_objects.cliniko_patient_profile",
    "custom_objects.cliniko_service",
    "relation",
    "appointment",
    "note",
    "file",
)
SEAMS = [point for point in CRASH_POINTS if not point.endswith("_state")]
KILLED = -9


def assert_whole(loader: Loader, clinic: Clinic) -> None:
    """Everything an undisturbed load leaves is there, once."""
    state = loader.sandbox.highlevel.state
    assert state.doubles() == {}
    assert {kind: set(found) for kind, found in state.sources().items()} == clinic.sources
    assert len(state.relations) == clinic.relations
    assert loader.sandbox.highlevel.control.stats()["violations"] == []


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("point", SEAMS)
def test_killed_at_a_seam_and_resumed(
    point: str, kind: str, tiny_clinic: Clinic, highlevel: Callable[..., Loader]
) -> None:
    """A load killed at a seam of one kind of object and resumed from its bookmarks ends as if nothing had happened."""
    loader = highlevel()
    killed = loader.load(tiny_clinic.lines, CRASH_AT=f"{point}/{kind}")
    assert killed.code == KILLED, killed.log[-2000:]
    state = killed.states[-1] if killed.states else None
    resumed = loader.load(after_state(tiny_clinic.lines, state))
    assert resumed.code in {0, 4}, resumed.log[-2000:]
    assert_whole(loader, tiny_clinic)
    assert resumed.report["closes_to_zero"]


@pytest.mark.parametrize("point", ["before_state", "after_state"])
def test_killed_around_a_bookmark_and_resumed(
    point: str, tiny_clinic: Clinic, highlevel: Callable[..., Loader]
) -> None:
    """A load killed before or after it passes a bookmark on resumes from what was printed and ends whole."""
    loader = highlevel()
    state = None
    for time in (1, 2, 3):
        loaded = loader.load(after_state(tiny_clinic.lines, state), CRASH_AT=f"{point}:{time}")
        state = loaded.states[-1] if loaded.states else state
    assert loader.load(after_state(tiny_clinic.lines, state)).code in {0, 4}
    assert_whole(loader, tiny_clinic)


def test_a_point_that_is_not_reached_kills_nobody(highlevel: Callable[..., Loader]) -> None:
    """The second create is waited for, and there is one."""
    loader = highlevel()
    lines = [*schemas("patients"), person("patients/1", "Ada", "Lovelace")]
    assert loader.load(lines, CRASH_AT="after_send/contact:2").code == 0


def test_no_bookmark_passes_a_record_that_is_still_to_be_written(highlevel: Callable[..., Loader]) -> None:
    """Killed when the record before a STATE was begun and not done, a load has not passed the STATE on; the next one does."""
    loader = highlevel()
    lines = [*schemas("patients"), person("patients/1", "Ada", "Lovelace"), state("passed")]
    killed = loader.load(lines, CRASH_AT="after_intent/contact")
    assert killed.code == KILLED
    assert killed.states == []
    assert [json.loads(line) for line in loader.load(lines).states] == [{"mark": "passed"}]
    assert set(loader.sandbox.highlevel.state.sources()["contacts"]) == {"patients/1"}


def test_a_lost_ledger_is_rebuilt_from_highlevel(
    small_clinic: Clinic, highlevel: Callable[..., Loader]
) -> None:
    """With an empty ledger a second load creates nothing: every record is found again by its id or marker."""
    loader = highlevel()
    loader.load(small_clinic.lines)
    (loader.folder / "ledger.db").rename(loader.folder / "lost.db")
    loader.sandbox.highlevel.control.reset_log()
    again = loader.load(small_clinic.lines)
    assert again.code in {0, 4}, again.log[-2000:]
    links = [item for item in loader.sandbox.highlevel.control.requests if "/relations" in item.path]
    assert not [item for item in links if item.write]  # they are looked up, not tried
    assert len(links) < small_clinic.relations
    assert_whole(loader, small_clinic)
    assert again.report["totals"]["created"] == 0, again.report["objects"]
