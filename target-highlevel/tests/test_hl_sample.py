"""A sample first: loaded, read back, then gone on from or undone; and the check before going live."""

from __future__ import annotations

import csv
import json
from typing import TYPE_CHECKING

import pytest
from hl_loading import Loader, tap_lines
from hl_undoing import changed

from sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PATIENTS, SAMPLE = 6, 2


@pytest.fixture
def clinic(tmp_path: Path) -> Iterator[Loader]:
    """A clinic of six patients, an empty HighLevel beside it, and a loader."""
    options = {"burst_limit": 100_000, "search_lag": 0.2}
    with Sandbox(seed=1, patients=PATIENTS, cliniko={"requests_per_minute": 0}, highlevel=options) as sandbox:
        yield Loader(sandbox, tmp_path)


def tap(clinic: Loader, monkeypatch: pytest.MonkeyPatch, sample: int | None = None) -> list[str]:
    """Run the real tap, on a sample or on everything."""
    if sample is None:
        monkeypatch.delenv("TAP_CLINIKO_SAMPLE_PATIENTS", raising=False)
    else:
        monkeypatch.setenv("TAP_CLINIKO_SAMPLE_PATIENTS", str(sample))
    return tap_lines(clinic.sandbox, clinic.folder)


def crosswalk(clinic: Loader) -> dict[tuple[str, str], str]:
    """Return what the newest report says is where."""
    newest = max((clinic.folder / "reports").glob("*/crosswalk.csv"))
    with newest.open(encoding="utf-8") as file:
        return {(row["object"], row["source"]): row["highlevel_id"] for row in csv.DictReader(file)}


def go_live(clinic: Loader, *arguments: str, **more: str) -> tuple[int, str]:
    """Return the exit code of the check and its line."""
    done = clinic.tool("go-live", *arguments, **more)
    return done.returncode, done.stderr.strip().splitlines()[-1]


def test_the_full_load_goes_on_from_the_sample(clinic: Loader, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two patients with all that is theirs come first, verified; the rest follows, nothing twice."""
    accepted = {"ACCEPT_REJECTS": "true"}
    assert go_live(clinic)[0] == 5
    sample = tap(clinic, monkeypatch, SAMPLE)
    assert clinic.load(sample, **accepted).code == 0
    state = clinic.sandbox.highlevel.state
    patients = {name for name in state.sources()["contacts"] if name.startswith("patients/")}
    assert len(patients) == SAMPLE
    brought = crosswalk(clinic)
    assert {object_ for object_, _ in brought} > {"contact", "appointment", "relation"}
    verified = clinic.load(sample, MODE="verify", **accepted)
    assert verified.code == 0, verified.log[-2000:]
    assert verified.report["sample"] == {"patients": SAMPLE}
    assert "in this sample of 2 patients" in verified.report["verdict"]["sentence"]
    assert "everything of this sample" in verified.log.rstrip().splitlines()[-1]
    code, line = go_live(clinic, **accepted)
    assert code == 5
    assert "no load of everything" in line
    assert "nothing was read back in full" in line

    rest = tap(clinic, monkeypatch)
    full = clinic.load(rest, **accepted)
    assert full.code == 0, full.log[-2000:]
    assert {key: crosswalk(clinic)[key] for key in brought} == brought
    assert state.doubles() == {}
    patients = {name for name in state.sources()["contacts"] if name.startswith("patients/")}
    assert len(patients) > SAMPLE
    contacts = [
        row for row in full.report["objects"] if row["object"] == "contact" and row["resource"] == "patients"
    ]
    assert [row["created"] for row in contacts] == [len(patients) - SAMPLE]

    code, line = go_live(clinic, **accepted)
    assert code == 5
    assert "nothing was read back in full" in line
    whole = clinic.load(rest, MODE="verify")
    assert (whole.code, whole.report["sample"]) == (0, None)
    code, line = go_live(clinic, **accepted)
    assert (code, "the clinic can go live" in line) == (0, True), line
    assert clinic.tool("report", "--since", "2026-01-01", **accepted).returncode == 0
    summed = next((clinic.folder / "reports").glob("*--*/report.json"))
    assert json.loads(summed.read_text(encoding="utf-8"))["go_live"]["agrees"]
    code, line = go_live(clinic, "--within", "0", **accepted)
    assert code == 5
    assert "hours ago" in line
    assert clinic.load(changed(rest, "patients", "city", "Elsewhere"), **accepted).code == 0
    code, line = go_live(clinic, **accepted)
    assert code == 5
    assert "has written since the newest verification" in line


def test_a_sample_can_be_undone(clinic: Loader, monkeypatch: pytest.MonkeyPatch) -> None:
    """After the sample was looked at, one command takes all of it out again; the check says so too."""
    sample = tap(clinic, monkeypatch, SAMPLE)
    state = clinic.sandbox.highlevel.state
    before = state.dump(schema=False)
    clinic.load(sample)
    assert clinic.load(sample, MODE="verify").code == 0
    undone = clinic.tool("rollback", "--yes")
    assert undone.returncode == 0, undone.stderr[-2000:]
    assert state.dump(schema=False) == before
    code, line = go_live(clinic)
    assert code == 5
    assert "no load of everything" in line
