"""Trouble with one record stops no other, and is asked for again until it has come."""

from __future__ import annotations

import resource
import signal
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from tap_runs import config_for, run_tap

from sandbox import Sandbox
from tap_cliniko.client import RetryPolicy
from tap_cliniko.errors import ContractChanged, NotFound, StorageFailed, Unavailable
from tap_cliniko.known_ids import KnownIds
from tap_cliniko.timestamps import from_epoch
from tap_cliniko.trouble import OUTAGE, Patience, Pending

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SIGNATURES = "signatures"


@pytest.fixture
def clinic(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    """A clinic whose forms are signed."""
    monkeypatch.setattr("tap_cliniko.client.RetryPolicy", partial(RetryPolicy, base=0.001))
    with Sandbox(seed=6, patients=40, cliniko={"requests_per_minute": 0}) as sandbox:
        yield sandbox


@pytest.mark.parametrize("status", [400, 401, 403, 422, 500])
def test_one_signature_that_fails_stops_no_other(
    clinic: Sandbox, tmp_path: Path, caplog: pytest.LogCaptureFixture, status: int
) -> None:
    """The others come, the log names the form, and the next run asks again though nothing has changed."""
    signed = next(iter(clinic.cliniko.account.tables[SIGNATURES]))
    path = f"/signatures/{signed}$"
    clinic.cliniko.control.add_fault({"action": "status", "status": status, "match": {"path_regex": path}})
    config = config_for(clinic, tmp_path)
    first = run_tap(config, None, [SIGNATURES])
    clinic.cliniko.control.clear_faults()
    clinic.cliniko.control.advance(1000)
    second = run_tap(config, first.state, [SIGNATURES])

    everybody = set(clinic.cliniko.account.tables[SIGNATURES])
    assert everybody - {each["id"] for each in first.records(SIGNATURES)} == {signed}
    assert first.state["complete"]
    assert "signatures: patient_forms/" in caplog.text
    assert signed in {each["id"] for each in second.records(SIGNATURES)}
    assert second.state["bookmarks"][SIGNATURES]["pending"] == {}


def test_one_patient_whose_referral_fails_stops_no_other(clinic: Sandbox, tmp_path: Path) -> None:
    """Where an account has no list of referrals, each is asked for below its patient."""
    patient = next(iter(clinic.cliniko.account.tables["referral_sources"].rows()))["patient_id"]
    for path, status in (("/referral_sources$", 404), (f"/patients/{patient}/referral_source$", 422)):
        rule = {"action": "status", "status": status, "match": {"path_regex": path}}
        clinic.cliniko.control.add_fault(rule)
    said = run_tap(config_for(clinic, tmp_path), None, ["referral_sources"])
    missing = {row["patient_id"] for row in clinic.cliniko.account.tables["referral_sources"].rows()} - {
        each["patient_id"] for each in said.records("referral_sources")
    }
    assert (missing, said.state["complete"]) == ({patient}, True)
    assert list(said.state["bookmarks"]["referral_sources"]["pending"]) == [patient]


def test_several_new_failures_in_a_row_are_an_outage() -> None:
    """What failed before, or does not exist, tells nothing of the service; a success begins the count anew."""
    patience, error = Patience(), Unavailable("down")
    for _ in range(OUTAGE * 2):
        patience.failed("x/1", error, before=True)
        patience.failed("x/1", NotFound("gone"), before=False)
    for _ in range(OUTAGE - 1):
        patience.failed("x/1", error, before=False)
    patience.succeeded()
    for _ in range(OUTAGE - 1):
        patience.failed("x/1", ContractChanged("odd"), before=False)
    with pytest.raises(Unavailable):
        patience.failed("x/1", error, before=False)


def test_while_the_file_store_is_down_old_files_are_not_all_tried(
    clinic: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each attempt takes its time: after so many in a row that fail again, the others wait for the next run."""
    monkeypatch.setattr("tap_cliniko.trouble._WORN_OUT", 8)
    files = list(clinic.cliniko.account.tables["patient_attachments"].rows())
    ready = [row["id"] for row in files if row.get("processing_completed")]
    assert len(ready) > 8
    state = run_tap(
        config_for(clinic, tmp_path, download_attachments=False), None, ["patient_attachments"]
    ).state
    state["bookmarks"]["patient_attachments"]["pending"] = {each: {"failed": 1, "at": ""} for each in ready}
    clinic.cliniko.control.advance(1000)
    clinic.cliniko.files_control.add_fault({"action": "status", "status": 403})
    said = run_tap(config_for(clinic, tmp_path), state, ["patient_attachments"])
    kept = said.state["bookmarks"]["patient_attachments"]["pending"]
    assert set(kept) == set(ready)
    assert sum(each["failed"] > 1 for each in kept.values()) == 8


def test_what_never_comes_is_asked_for_ever_more_rarely() -> None:
    """In the next run at first, then after an hour, two, four, and in the end once a week."""
    bookmark: dict[str, Any] = {}
    hours = []
    now = 0
    for _ in range(12):
        Pending(bookmark, from_epoch(now * 3600)).failed("7")
        waited = 0
        while not Pending(bookmark, from_epoch((now + waited) * 3600)).due():
            waited += 1
        hours.append(waited)
        now += waited
    assert hours == [0, 1, 2, 4, 8, 16, 32, 64, 128, 168, 168, 168]


def test_the_pending_files_of_an_earlier_version_are_asked_for() -> None:
    """A list of ids becomes what this version keeps."""
    bookmark: dict[str, Any] = {"pending_files": ["7", "8"]}
    pending = Pending(bookmark, from_epoch(0))
    assert pending.due() == ["7", "8"]
    pending.settle("8")
    pending.failed("7")
    assert list(bookmark) == ["pending"]
    assert bookmark["pending"]["7"]["failed"] == 1


@pytest.mark.parametrize("bytes_left", [0, 100])
def test_a_full_disk_is_told_in_plain_words(clinic: Sandbox, tmp_path: Path, bytes_left: int) -> None:
    """Setting, folder, reason and what to do; the next run goes on with the file that was cut off."""
    config = config_for(clinic, tmp_path)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    limit_signal = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (bytes_left, before[1]))
    try:
        with pytest.raises(
            StorageFailed, match=r"attachments_dir \(TAP_CLINIKO_ATTACHMENTS_DIR\): .*run again"
        ):
            run_tap(config, None, ["patient_attachments"])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, limit_signal)
    said = run_tap(config, None, ["patient_attachments"])
    assert "downloaded" in {each["file_status"] for each in said.records("patient_attachments")}


def test_a_full_disk_under_the_file_of_ids_is_told_in_plain_words(tmp_path: Path) -> None:
    """SQLite says that the disk is full; the line says which file that is."""
    known = KnownIds(str(tmp_path / "ids.db"))
    known._database.execute("PRAGMA max_page_count = 10")
    with pytest.raises(StorageFailed, match=r"known_ids_path .*ids.db cannot be written to: .*full"):
        known.add("patients", ((ident, ()) for ident in range(10_000)))
    assert known.count("patients", 0, 10_000) == 0
    known.close()
