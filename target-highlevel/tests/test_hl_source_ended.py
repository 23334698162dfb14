"""A tap that fails before it has read everything: nobody is told that all is well."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from hl_loading import after_state, settings_of

from target_highlevel.commands.records import opened

if TYPE_CHECKING:
    from collections.abc import Callable

    from hl_loading import Clinic, Loader


def last_line(log: str) -> str:
    """Return the line with which a run ended."""
    return log.rstrip().splitlines()[-1]


def until_it_failed(lines: list[str]) -> list[str]:
    """Return what the tap has said when it fails after the first patient."""
    first = next(
        number
        for number, line in enumerate(lines)
        if (message := json.loads(line))["type"] == "RECORD" and message["stream"] == "patients"
    )
    return lines[: first + 1]


def test_a_load_of_half_a_clinic_is_not_called_complete(
    small_clinic: Clinic, highlevel: Callable[..., Loader]
) -> None:
    """What came is written; code, line, report and the check before going live say that more is to come."""
    loader = highlevel()
    half = loader.load(until_it_failed(small_clinic.lines))
    assert half.code == 1, half.log[-2000:]
    assert loader.sandbox.highlevel.state.contacts
    assert "the tap stopped before it had read everything" in last_line(half.log)
    assert "complete" not in last_line(half.log)
    assert half.report["ended_early"] is True
    assert half.report["verdict"]["sentence"].startswith("Not finished yet")
    assert "tap stopped" in half.report["exit_meaning"]
    told = loader.tool("go-live")
    assert told.returncode == 5
    assert "no load of everything" in told.stderr

    whole = loader.load(small_clinic.lines)
    assert "complete" in last_line(whole.log)
    assert whole.report["ended_early"] is False
    assert "no load of everything" not in loader.tool("go-live").stderr


@pytest.mark.parametrize("said", ["half", "nothing"])
@pytest.mark.parametrize("mode", ["plan", "verify"])
def test_half_a_clinic_is_neither_planned_nor_verified(
    mode: str, said: str, small_clinic: Clinic, highlevel: Callable[..., Loader]
) -> None:
    """Both fail and say why: a plan of it could be approved, and a verification would find that nothing differs."""
    loader = highlevel()
    small_clinic.restore(loader)
    lines = until_it_failed(small_clinic.lines) if said == "half" else []
    ended = loader.load(lines, MODE=mode)
    assert ended.code == 1
    assert "the tap stopped before it had read everything" in last_line(ended.log)
    assert ended.report["verdict"]["tone"] == "bad"
    assert "nothing was read back in full" in loader.tool("go-live").stderr
    assert loader.tool("approve").returncode == 2


def test_a_verification_of_changes_only_says_so_and_is_not_counted(
    small_clinic: Clinic, highlevel: Callable[..., Loader]
) -> None:
    """The tap went on from its bookmarks: what it read agrees, and of the rest nothing is known."""
    loader = highlevel()
    small_clinic.restore(loader)
    last = json.loads(small_clinic.lines[-1])
    assert last["value"]["from_start"] is True
    last["value"]["from_start"] = False
    lines = [line for line in small_clinic.lines if json.loads(line)["type"] == "SCHEMA"]
    checked = loader.load([*lines, json.dumps(last)], MODE="verify")
    assert checked.code == 0, checked.log[-2000:]
    assert "the rest was not looked at" in last_line(checked.log)
    assert "the rest was not looked at" in checked.report["verdict"]["sentence"]
    assert "nothing was read back in full" in loader.tool("go-live").stderr
    assert loader.load([*lines, json.dumps(last)]).code == 0
    with opened(settings_of(loader)) as ledger:
        assert ledger.runs()[-1]["facts"]["read_until"] == last["value"]["read_until"]
    assert loader.load(small_clinic.lines, MODE="verify").report["changes_only"] is False
    assert "nothing was read back in full" not in loader.tool("go-live").stderr


def test_what_is_older_than_the_start_date_is_told_until_it_was_read(
    tiny_clinic: Clinic, highlevel: Callable[..., Loader]
) -> None:
    """The tap had no bookmarks and a start_date: nobody has read what is older, in whichever later run."""
    loader = highlevel()
    since = [line.replace('"from_start":true', '"from_start":false') for line in tiny_clinic.lines]
    assert since != tiny_clinic.lines
    first = loader.load(since)
    delta = loader.load(after_state(since, first.states[-1]))
    for run in (first, delta, loader.load(since)):
        assert "what is older than TAP_CLINIKO_START_DATE" in last_line(run.log)
    assert "complete: everything is in HighLevel" in last_line(loader.load(tiny_clinic.lines).log)


def test_what_the_key_may_not_read_is_told(tiny_clinic: Clinic, highlevel: Callable[..., Loader]) -> None:
    """A load and a verification end well without it, and say that it was not looked at."""
    loader = highlevel()
    tiny_clinic.restore(loader)
    last = json.loads(tiny_clinic.lines[-1])
    last["value"]["withheld"] = ["medical_alerts", "ada@example.org", "treatment_notes"]
    for mode in ("load", "verify"):
        ended = loader.load([*tiny_clinic.lines[:-1], json.dumps(last)], MODE=mode)
        assert ended.code == 0, ended.log[-2000:]
        assert "(skip_refused_streams): medical_alerts, treatment_notes" in last_line(ended.log)
        assert "ada@" not in ended.log  # another tap means something else by it


def test_rejects_of_half_a_clinic(small_clinic: Clinic, highlevel: Callable[..., Loader]) -> None:
    """What was refused is listed; the line says why the run is not complete."""
    loader = highlevel()
    lines = until_it_failed(small_clinic.lines)
    patient = json.loads(lines[-1])
    patient["record"]["date_of_birth"] = "no date"
    ended = loader.load([*lines[:-1], json.dumps(patient)])
    assert ended.code == 1, ended.log[-2000:]
    assert ended.report["totals"]["rejected"] > 0
    assert "the tap stopped before it had read everything" in last_line(ended.log)


def test_a_source_that_says_nothing_of_its_end(
    small_clinic: Clinic, highlevel: Callable[..., Loader]
) -> None:
    """Other taps' states tell nothing: what they send is taken as all there is."""
    loader = highlevel()
    lines = [line for line in small_clinic.lines if json.loads(line)["type"] != "STATE"]
    assert loader.load(lines).report["ended_early"] is False
    assert loader.load(lines, MODE="verify").code in {0, 5}
