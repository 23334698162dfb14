"""A row that shows later than its updated_at says is not lost: windows overlap for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tap_runs import config_for, run_tap

from sandbox import Sandbox
from tap_cliniko.resources import BY_NAME
from tap_cliniko.windows import CHANGED, Window, filters_of, in_window

if TYPE_CHECKING:
    from pathlib import Path

LATE = 60


@pytest.mark.parametrize("overlap", [LATE + 30, 0])
def test_what_was_committed_late_comes_with_the_next_run(overlap: int, tmp_path: Path) -> None:
    """A change that nobody could see yet when the window over it was read: the next one begins before it ended."""
    options = {"requests_per_minute": 0, "late_seconds": LATE}
    with Sandbox(seed=2, patients=5, cliniko=options) as clinic:
        config = config_for(clinic, tmp_path, overlap_seconds=overlap)
        patient = clinic.cliniko.account.tables["patients"].rows()[0]["id"]
        clinic.cliniko.account.update("patients", patient, {"notes": "moved house"})
        clinic.cliniko.control.advance(LATE / 2)
        first = run_tap(config, None, ["patients"])
        assert "moved house" not in {each["notes"] for each in first.records("patients")}
        clinic.cliniko.control.advance(LATE)
        then = run_tap(config, first.state, ["patients"])
        assert ("moved house" in {each["notes"] for each in then.records("patients")}) is (overlap > LATE)


def test_a_window_holds_its_first_second_and_not_its_end() -> None:
    """Windows meet without a gap: what lies on the edge is in the later one, whole seconds being all there is."""
    window = Window("2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z", [CHANGED])
    filters = filters_of(BY_NAME["taxes"], window)
    assert filters == ("updated_at:>=2026-01-01T00:00:00Z", "updated_at:<2026-01-02T00:00:00Z")
    inside = in_window(window)
    assert inside({"updated_at": window.start})
    assert not inside({"updated_at": window.end})
