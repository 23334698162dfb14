"""Clinics that run their locations apart: each sub-account gets the patients who were seen there."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from hl_loading import Clinic, Loader


def routed(loader: Loader, place: str) -> str:
    """Send every business of the clinic to one sub-account."""
    return json.dumps(dict.fromkeys(loader.sandbox.cliniko.account.tables["businesses"], place))


def test_a_patient_of_another_location_waits_until_it_is_ours(
    small_clinic: Clinic, highlevel: Callable[..., Loader]
) -> None:
    """Patients seen elsewhere only, and all that hangs on them, stay in the ledger and arrive once a location is ours."""
    loader = highlevel()
    elsewhere = loader.load(small_clinic.lines, LOCATIONS=routed(loader, "elsewhere"))
    assert elsewhere.code == 0, elsewhere.log[-2000:]
    state = loader.sandbox.highlevel.state
    assert not [source for source in state.sources()["contacts"] if source.startswith("patients/")]
    assert not state.notes
    assert not state.tasks
    assert elsewhere.report["closes_to_zero"]

    assert elsewhere.report["totals"]["held"] == 0  # what waits for them waits for nobody

    checked = loader.load(small_clinic.lines, LOCATIONS=routed(loader, "elsewhere"), MODE="verify")
    assert checked.code == 0, checked.log[-2000:]
    assert checked.report["verification"]["closes_to_zero"]
    told = loader.tool("go-live", LOCATIONS=routed(loader, "elsewhere"))
    assert "records wait" not in told.stderr

    (loader.folder / "ledger.db").unlink()
    here = loader.load(small_clinic.lines, LOCATIONS=routed(loader, loader.sandbox.highlevel.location_id))
    assert here.code == 0, here.log[-2000:]
    assert state.doubles() == {}
    assert {kind: set(found) for kind, found in state.sources().items()} == small_clinic.sources
