"""What is said and kept after runs: the audit trail's end, purged ledgers, tables of plans, the check before going live."""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import shutil
import sqlite3
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hl_mapped import person, record, schemas

from cliniko_to_highlevel import mapping_file
from target_highlevel.ledger import scratch
from target_highlevel.preflight import admission
from target_highlevel.preflight.admission import mapper_digest, mapping_digest
from target_highlevel.settings import settings_from

if TYPE_CHECKING:
    from collections.abc import Callable

    from hl_loading import Loader

HEAD = schemas("patients", "treatment_notes", "individual_appointments", "patient_attachments")
ADA = person("patients/1", "Ada", "Lovelace")
BODY = "Diagnosis\ncliniko:treatment_notes/7"
NOTE = record("hl_notes", "treatment_notes/7", contact="patients/1", title="Note", body=BODY)


def sampled(lines: list[str]) -> list[str]:
    """Return schemas that say that only a sample is read."""
    messages = [json.loads(line) for line in lines]
    for message in messages:
        message["schema"]["x-highlevel"]["sample"] = True
    return [json.dumps(message) for message in messages]


def test_a_trail_that_is_cut_short_is_noticed(highlevel: Callable[..., Loader]) -> None:
    """The chain itself would not break: what the run noted of its head when it ended does not fit any more."""
    loader = highlevel()
    first = loader.load([*HEAD, ADA])
    audit = first.report["audit"]
    assert loader.tool("verify-audit").returncode == 0
    with sqlite3.connect(loader.folder / "ledger.db") as ledger:
        assert ledger.execute("select hash from audit order by seq desc").fetchone() == (audit["head"],)
        ledger.execute("delete from audit where seq = ?", (audit["entries"],))
    cut = loader.tool("verify-audit")
    assert (cut.returncode, cut.stdout.split()) == (1, [str(audit["entries"])])
    with sqlite3.connect(loader.folder / "ledger.db") as ledger:
        ledger.execute("delete from audit")
    assert loader.tool("verify-audit").returncode == 1


def test_purge_keeps_what_a_booking_may_bring_back(highlevel: Callable[..., Loader]) -> None:
    """A patient of another location is left out, the ledger is purged, and a booking here brings the whole patient."""
    loader = highlevel(extra_locations=1)
    state = loader.sandbox.highlevel.state
    here, elsewhere = state.accounts
    places = {
        "LOCATIONS": json.dumps({"1": elsewhere, "2": here}),
        "ACCESS_TOKENS": json.dumps({elsewhere: state.location_tokens[elsewhere].value}),
    }

    def booking(business: str) -> str:
        return record(
            "hl_contacts",
            "patients/1",
            contributor=f"individual_appointments/{business}",
            businesses=[business],
        )

    assert loader.load([*HEAD, booking("1"), ADA], **places).code == 0
    assert not state.contacts
    later = loader.load([*HEAD, person("patients/2", "Bob", "King")], **places).report["run_id"]
    purged = loader.tool("purge", "--before", later, "--yes", **places)
    assert purged.returncode == 0, purged.stdout + purged.stderr
    assert loader.load([*HEAD, booking("2")], **places).code == 0
    names = {contact.get("firstName") for contact in state.contacts.values()}
    assert names == {"Ada", "Bob"}


def test_no_date_of_birth_stays_when_a_patient_is_written(highlevel: Callable[..., Loader]) -> None:
    """It decides who comes first and keeps a shared address; afterwards nobody needs it, and purge need not take it away."""
    loader = highlevel()
    born = "1815-12-10"
    assert (
        loader.load([*HEAD, person("patients/1", "Ada", "Lovelace", priority=born, dateOfBirth=born)]).code
        == 0
    )
    with sqlite3.connect(loader.folder / "ledger.db") as ledger:
        assert born not in "".join(ledger.iterdump())


def test_the_tables_of_a_plan_stay_when_its_report_is_written_again(
    highlevel: Callable[..., Loader],
) -> None:
    """A plan works on a copy of the ledger: what it would refuse is known nowhere else any more."""
    loader = highlevel()
    bad = record("hl_contacts", "patients/9", rejected={"reason": "mapping_error", "field": "x"})
    plan = loader.load([*HEAD, ADA, bad], MODE="plan")
    table = loader.folder / "reports" / plan.report["run_id"] / "rejects.csv"
    assert "patients/9" in table.read_text()
    assert loader.tool("report").returncode == 0
    assert "patients/9" in table.read_text()


def test_differences_found_in_a_part_speak_against_going_live(highlevel: Callable[..., Loader]) -> None:
    """Everything agreed once; since then the verification of a sample has found something."""
    loader = highlevel()
    assert loader.load([*HEAD, ADA, NOTE]).code == 0
    assert loader.load([*HEAD, ADA, NOTE], MODE="verify").code == 0
    assert loader.tool("go-live").returncode == 0
    state = loader.sandbox.highlevel.state
    state.damage.delete("notes", next(iter(state.notes)))
    assert loader.load([*sampled(HEAD), ADA, NOTE], MODE="verify").code == 5
    said = loader.tool("go-live")
    assert (said.returncode, "found differences since" in said.stderr) == (5, True)


def test_a_plan_of_a_sample_is_not_approved(highlevel: Callable[..., Loader]) -> None:
    """It says nothing of the rest of the clinic."""
    loader = highlevel()
    assert loader.load([*sampled(HEAD), ADA], MODE="plan").code == 0
    assert loader.tool("approve").returncode == 2


def test_an_approval_counts_for_the_mapping_as_it_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The shipped mapping is edited in place, as a clinic does: that is not what was planned."""
    shipped = tmp_path / "mapping.yml"
    shutil.copy(mapping_file.SHIPPED, shipped)
    monkeypatch.setattr(mapping_file, "SHIPPED", shipped)
    given: dict[str, Any] = {"access_token": "t", "location_id": "l", "ledger_url": "sqlite://"}
    settings = settings_from({**given, "fallback_owner": "desk@example.org"})
    before = mapping_digest(settings)
    shipped.write_text(shipped.read_text().replace("patient: patient", "patient: somebody"))
    assert mapping_digest(settings) != before


def digests(**more: Any) -> tuple[str, str]:
    """Return by what an approval, and by what a full read counts."""
    settings = settings_from({"access_token": "t", "location_id": "l", **more})
    return mapping_digest(settings), mapper_digest(settings)


PETS = {"object": "custom_objects.pet", "fields": {"name": "Name", "weight": "Weight"}}
TURNED = {**PETS, "fields": {"weight": "Weight", "name": "Name"}}


@pytest.mark.parametrize(
    "setting",
    [
        {"pipeline": "Patients"},
        {"calendars_open": True},
        {"unknown_streams": "ignore"},
        {"overwrite": "never"},
    ],
    ids=str,
)
def test_an_approval_counts_for_the_settings_as_they_were(setting: dict[str, Any]) -> None:
    """What is written is another then; what is mapped is not, so nothing has to be read again."""
    approved, read = digests(**setting)
    assert approved != digests()[0]
    assert read == digests()[1]


def test_described_streams_are_part_of_what_is_mapped() -> None:
    """Also the order of fields, of which the first names a record; not the order of streams, nor what is said by default."""
    plain, pets, turned = digests(), digests(streams={"pets": PETS}), digests(streams={"pets": TURNED})
    for one, two in itertools.combinations((plain, pets, turned), 2):
        assert one[0] != two[0]
        assert one[1] != two[1]
    assert digests(streams={"a": PETS, "b": TURNED}) == digests(
        streams={"b": TURNED, "a": {**PETS, "tags": []}}
    )


def test_an_upgrade_asks_for_nothing_where_new_settings_are_at_their_default(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The digests are those that ledgers have kept: neither another approval nor another full read is due."""
    monkeypatch.setattr(admission, "entry_points", lambda **_: ())
    assert digests() == (
        "706234e2e32aab3c6d4dc7fa77e8205d7370d97b0612f3c151456f554973c911",
        "643d5437104296e21d906ecb15b2c96ad278f20cfc4af53b12bb6069bd853726",
    )


def test_files_of_a_contact_whose_update_was_refused_are_there(
    highlevel: Callable[..., Loader], tmp_path: Path
) -> None:
    """Only the contact's new city was refused: the file on it is not reported missing."""
    loader = highlevel()
    (tmp_path / "scan.pdf").write_bytes(b"pdf")
    scan = record(
        "hl_files",
        "patient_attachments/6",
        contact="patients/1",
        file_name="6 2024-01-01 scan.pdf",
        file_path=str(tmp_path / "scan.pdf"),
        file_size=3,
        file_sha256=hashlib.sha256(b"pdf").hexdigest(),
    )
    assert loader.load([*HEAD, ADA, scan]).code == 0
    body = {"statusCode": 422, "message": "city is invalid", "error": "Unprocessable Entity"}
    match = {"method": "PUT", "path_regex": "^/contacts/"}
    loader.sandbox.highlevel.control.add_fault(
        {"match": match, "action": "status", "status": 422, "body": body}
    )
    moved = person("patients/1", "Ada", "Lovelace", city="Elsewhere")
    assert loader.load([*HEAD, moved, scan]).code == 4
    checked = loader.load([*HEAD, moved, scan], MODE="verify")
    (files,) = [row for row in checked.report["verification"]["objects"] if row["object"] == "file"]
    assert files["missing"] == 0, files


def test_the_copy_of_a_killed_plan_is_removed(
    highlevel: Callable[..., Loader], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """It holds all that the ledger held; purge and the next plan take it away, and leave the copy of one that lives."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    loader = highlevel()
    loader.start([*HEAD, ADA, NOTE], {"MODE": "plan", "CRASH_AT": "after_intent/note"}).communicate()
    theirs = tmp_path / "highlevel-export-2026"
    theirs.mkdir()
    os.utime(theirs, (0, 0))
    (left,) = tmp_path.glob("target-highlevel-scratch-*")
    assert left.stat().st_mode & 0o77 == 0
    living, folder = scratch.scratch_copy(f"sqlite:///{loader.folder}/other.db", "place1")
    assert not left.exists()
    assert scratch.sweep() == 0
    assert Path(folder.name).exists()
    living.close()
    folder.cleanup()
    begun = tmp_path / "target-highlevel-scratch-begun"
    begun.mkdir()
    os.utime(begun, (0, 0))
    assert scratch.sweep() == 0  # without our mark it may be anybody's
    (begun / "TARGET-HIGHLEVEL-SCRATCH").write_text(scratch._MARK[1])
    os.utime(begun)
    assert scratch.sweep() == 0
    os.utime(begun, (0, 0))
    assert scratch.sweep() == 1
    assert theirs.exists()


def test_after_an_undo_a_plain_load_does_not_say_that_all_is_there(highlevel: Callable[..., Loader]) -> None:
    """Nothing comes of its own accord: the line, the page and the check before going live say what brings it back."""
    loader = highlevel()
    assert loader.load([*HEAD, ADA, NOTE]).code == 0
    assert loader.tool("rollback", "--yes").returncode == 0
    assert not loader.sandbox.highlevel.state.contacts
    after = loader.load(HEAD)
    assert after.code == 0, after.log[-2000:]
    assert "--full-refresh" in after.log.rstrip().splitlines()[-1]
    assert "Not all of it" in after.report["verdict"]["sentence"]
    assert "record brought by an undone run or found missing" not in [
        item["what"] for item in after.report["to_do"]
    ]
    assert "records brought by an undone run or found missing" in [
        item["what"] for item in after.report["to_do"]
    ]
    assert "brought by an undone run" in loader.tool("go-live").stderr
    again = loader.load([*HEAD, ADA, NOTE])
    assert (again.report["undone"], again.log.count("--full-refresh")) == (0, 0)


def test_a_retry_says_how_the_rest_comes(highlevel: Callable[..., Loader]) -> None:
    """What the mapping refused it can never send, what was undone only a full read brings: the last line names both."""
    loader = highlevel()
    refused = record(
        "hl_contacts", "patients/9", rejected={"reason": "invalid_date", "field": "date_of_birth"}
    )
    assert loader.load([*HEAD, ADA, refused]).code == 4
    done = loader.tool("retry")
    assert done.returncode == 4
    line = done.stderr.strip().splitlines()[-1]
    assert (
        "1 is still refused or waiting; of these 1 was refused by the mapping and cannot be sent again"
        in line
    )
    assert "`meltano run tap-cliniko target-highlevel`" in line
    assert "target-highlevel:retry" not in line
    assert loader.tool("rollback", "--yes").returncode == 0
    done = loader.tool("retry")
    assert done.returncode == 0, done.stderr[-800:]
    assert "2 records brought by an undone run" in done.stderr.strip().splitlines()[-1]
