"""The bytes of attachments: fetched once, whole, without the key, and never silently missing."""

from __future__ import annotations

import hashlib
import io
import json
import os
import stat
import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import fsspec  # type: ignore[import-untyped]
import pytest
from tap_runs import Said, client_for, config_for, run_tap

from sandbox import Sandbox
from tap_cliniko.attachments import AttachmentStore, Status
from tap_cliniko.client import RetryPolicy
from tap_cliniko.errors import RoleRefused, Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_cliniko.client import ClinikoClient

NAME = "patient_attachments"


@pytest.fixture
def clinic() -> Iterator[Sandbox]:
    """A clinic whose file requests can be looked at."""
    with Sandbox(seed=6, patients=40, cliniko={"requests_per_minute": 0}, record_contents=True) as sandbox:
        yield sandbox


@pytest.fixture
def client(clinic: Sandbox) -> Iterator[ClinikoClient]:
    """A client that never waits."""
    made = client_for(clinic)
    yield made
    made.close()


def fetched(clinic: Sandbox, folder: Path, state: dict[str, Any] | None = None, **more: Any) -> Any:
    """Run the stream of attachments alone."""
    return run_tap(config_for(clinic, folder, **more), state, [NAME])


def ready_record(clinic: Sandbox, at_least: int = 100) -> dict[str, Any]:
    """Return an attachment with some bytes."""
    rows = clinic.cliniko.account.tables[NAME].rows()
    return next(
        dict(row) for row in rows if row.get("processing_completed") and (row.get("size") or 0) >= at_least
    )


def ready_records(clinic: Sandbox) -> list[dict[str, Any]]:
    """Answer all attachments whose bytes are there."""
    return [
        dict(row) for row in clinic.cliniko.account.tables[NAME].rows() if row.get("processing_completed")
    ]


def test_every_file_is_there_with_its_checksum(clinic: Sandbox, tmp_path: Path) -> None:
    """What the record says about the file is what lies on the disk, readable by its owner only."""
    records = fetched(clinic, tmp_path).records(NAME)
    done = [each for each in records if each["file_status"] == "downloaded"]
    assert len(done) > 10
    for each in done:
        path = Path(each["file_path"])
        content = path.read_bytes()
        assert len(content) == each["file_size"] == each["size"]
        assert hashlib.sha256(content).hexdigest() == each["file_sha256"]
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert path.name.split(".")[0] == each["id"]
    assert stat.S_IMODE((tmp_path / "attachments").stat().st_mode) == 0o700
    assert not list((tmp_path / "attachments").glob("*.part"))


def test_files_are_fetched_without_the_key(clinic: Sandbox, tmp_path: Path) -> None:
    """The host of the files never sees a credential."""
    fetched(clinic, tmp_path)
    asked = clinic.cliniko.files_control.requests
    assert asked
    assert not any("authorization" in {name.lower() for name in each.headers or {}} for each in asked)


def test_a_file_that_is_there_is_not_fetched_again(clinic: Sandbox, tmp_path: Path) -> None:
    """A second full read costs no request for a file, and says the same."""
    first = fetched(clinic, tmp_path).records(NAME)
    clinic.cliniko.files_control.reset_log()
    second = fetched(clinic, tmp_path).records(NAME)
    again = [each for each in clinic.cliniko.files_control.requests if each.status == 200]
    assert [each["file_sha256"] for each in second] == [each["file_sha256"] for each in first]
    assert again == []


def test_a_file_not_ready_is_asked_for_in_the_next_run(clinic: Sandbox, tmp_path: Path) -> None:
    """An attachment that was still being processed arrives with the next delta, even if nothing shows."""
    account = clinic.cliniko.account
    ident = ready_record(clinic)["id"]
    account.update(NAME, ident, {"processing_completed": False}, bump=False)
    first = fetched(clinic, tmp_path)
    before = next(each for each in first.records(NAME) if each["id"] == ident)
    account.update(NAME, ident, {"processing_completed": True}, bump=False)
    second = fetched(clinic, tmp_path, first.state)
    after = next(each for each in second.records(NAME) if each["id"] == ident)

    assert before["file_status"] == "not_ready"
    assert before["file_path"] is None
    assert ident in first.state["bookmarks"][NAME]["pending"]
    assert after["file_status"] == "downloaded"
    assert ident not in second.state["bookmarks"][NAME]["pending"]


def test_a_file_of_which_nothing_is_said_is_tried(clinic: Sandbox, tmp_path: Path) -> None:
    """Old rows may hold nothing where others say that the file was taken in; the file is there all the same."""
    record = ready_record(clinic)
    clinic.cliniko.account.update(NAME, record["id"], {"processing_completed": None}, bump=False)
    found = {each["id"]: each for each in fetched(clinic, tmp_path).records(NAME)}[record["id"]]
    assert found["processing_completed"] is None
    assert (found["file_status"], found["file_size"]) == ("downloaded", record["size"])


def test_half_files_lie_in_no_folder_of_somebody_else(
    client: ClinikoClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Anybody may have made the folder for temporary files first; whoever owns it could exchange what is in it."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    AttachmentStore(client, "memory://clinic")
    me = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: me + 1)
    with pytest.raises(PermissionError):
        AttachmentStore(client, "memory://clinic")


def test_a_file_that_never_came_is_forgotten_with_its_row(clinic: Sandbox, tmp_path: Path) -> None:
    """Nobody asks for ever for a file whose attachment was deleted."""
    account = clinic.cliniko.account
    ident = ready_record(clinic)["id"]
    account.update(NAME, ident, {"processing_completed": False}, bump=False)
    first = fetched(clinic, tmp_path)
    account.delete(NAME, ident)
    second = fetched(clinic, tmp_path, first.state)
    waiting = set(first.state["bookmarks"][NAME]["pending"])
    assert ident in waiting
    assert set(second.state["bookmarks"][NAME]["pending"]) == waiting - {ident}


def test_an_expired_address_is_asked_for_again(
    clinic: Sandbox, client: ClinikoClient, tmp_path: Path
) -> None:
    """The short-lived address may die between the redirect and the fetch."""
    record = ready_record(clinic)
    clinic.cliniko.files_control.add_fault({"action": "status", "status": 403, "times": 1})
    stored = AttachmentStore(client, str(tmp_path / "a")).fetch(record)
    assert stored.status is Status.DOWNLOADED
    assert stored.size == record["size"]


def test_a_cut_file_is_not_taken_for_a_whole_one(
    clinic: Sandbox, client: ClinikoClient, tmp_path: Path
) -> None:
    """A body that ends early is fetched again until it is whole."""
    record = ready_record(clinic)
    clinic.cliniko.files_control.add_fault({"action": "truncate", "times": 1})
    stored = AttachmentStore(client, str(tmp_path / "a")).fetch(record)
    assert stored.size == record["size"]
    assert hashlib.sha256(Path(str(stored.path)).read_bytes()).hexdigest() == stored.sha256


def test_half_a_file_goes_on_where_it_stopped(clinic: Sandbox, client: ClinikoClient, tmp_path: Path) -> None:
    """What an interrupted run has already got is not lost, and the whole is right."""
    record = ready_record(clinic)
    whole = AttachmentStore(client, str(tmp_path / "whole")).fetch(record)
    content = Path(str(whole.path)).read_bytes()
    store = AttachmentStore(client, str(tmp_path / "half"))
    digits = "".join(filter(str.isdigit, str(record["processed_at"])))
    (tmp_path / "half" / f"{Path(str(whole.path)).name}.{digits}.part").write_bytes(
        content[: len(content) // 2]
    )
    stored = store.fetch(record)
    assert Path(str(stored.path)).read_bytes() == content
    assert stored.sha256 == whole.sha256


@pytest.mark.parametrize("status", [403, *(pytest.param(one, marks=pytest.mark.soak) for one in (404, 503))])
def test_a_store_that_fails_ends_the_run(
    clinic: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    """When the file host delivers nothing the run stops, rather than leaving every file out; the next one gets further."""
    monkeypatch.setattr("tap_cliniko.client.RetryPolicy", partial(RetryPolicy, base=0.001))
    clinic.cliniko.files_control.add_fault({"action": "status", "status": status})
    config, out = config_for(clinic, tmp_path), io.StringIO()
    with pytest.raises(Unavailable, match="file store"):
        run_tap(config, None, [NAME], out=out)
    state = Said.from_text(out.getvalue()).state
    failed = list(state["bookmarks"][NAME]["pending"])
    assert len(failed) >= 5
    clinic.cliniko.files_control.clear_faults()
    second = run_tap(config, state, [NAME])
    assert set(failed) <= {each["id"] for each in second.records(NAME)}
    assert "unavailable" not in {each["file_status"] for each in second.records(NAME)}


@pytest.mark.parametrize("where", ["api", "file store"])
def test_a_file_that_cannot_be_delivered_is_left_for_the_next_run(
    where: str,
    clinic: Sandbox,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """One file that Cliniko fails on stops neither the others nor what is read after them."""
    monkeypatch.setattr("tap_cliniko.client.RetryPolicy", partial(RetryPolicy, base=0.001))
    ident = ready_record(clinic)["id"]
    side = clinic.cliniko.control if where == "api" else clinic.cliniko.files_control
    path = f"/patient_attachments/{ident}/content$" if where == "api" else f"/{ident}"
    side.add_fault({"action": "status", "status": 500, "match": {"path_regex": path}})
    config = config_for(clinic, tmp_path)
    first = run_tap(config, None, [NAME, "patient_form_templates"])
    side.clear_faults()
    second = fetched(clinic, tmp_path, first.state)
    status = {each["id"]: each["file_status"] for each in first.records(NAME)}
    assert (status.pop(ident), "downloaded" in status.values()) == ("unavailable", True)
    assert "unavailable" not in status.values()
    assert first.state["complete"]
    assert ident in first.state["bookmarks"][NAME]["pending"]
    assert f"patient_attachments/{ident}: does not come" in caplog.text
    assert {each["id"]: each["file_status"] for each in second.records(NAME)}[ident] == "downloaded"


def test_a_file_that_nobody_can_open_is_said_so(
    clinic: Sandbox, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """One lost file is no reason to stop: its record says that it is unavailable, and the log which one."""
    ident = ready_record(clinic)["id"]
    clinic.cliniko.files_control.add_fault(
        {"action": "status", "status": 404, "match": {"path_regex": f"/{ident}"}}
    )
    record = {each["id"]: each for each in fetched(clinic, tmp_path).records(NAME)}[ident]
    assert (record["file_status"], record["file_path"], record["file_sha256"]) == ("unavailable", None, None)
    assert f"patient_attachments/{ident}: does not come" in caplog.text


@pytest.mark.parametrize(
    "status", [200, 401, *(pytest.param(one, marks=pytest.mark.soak) for one in (400, 403, 404, 422))]
)
def test_whatever_cliniko_answers_for_one_file_the_others_come(
    clinic: Sandbox, tmp_path: Path, status: int
) -> None:
    """A refusal that is about one file stops no other."""
    ident = ready_record(clinic)["id"]
    path = f"/patient_attachments/{ident}/content$"
    clinic.cliniko.control.add_fault({"action": "status", "status": status, "match": {"path_regex": path}})
    said = fetched(clinic, tmp_path)
    found = {each["id"]: each["file_status"] for each in said.records(NAME)}
    assert (found.pop(ident), said.state["complete"]) == ("unavailable", True)
    assert "unavailable" not in found.values()
    assert ident in said.state["bookmarks"][NAME]["pending"]


def test_a_large_file_stays_where_it_is(clinic: Sandbox, tmp_path: Path) -> None:
    """The cap of the settings is kept, whatever the metadata claims."""
    record = ready_record(clinic)
    records = fetched(clinic, tmp_path, attachments_max_megabytes=0.000001).records(NAME)
    assert {each["file_status"] for each in records if (each["size"] or 0) > 1} == {"too_large"}
    client = client_for(clinic)
    store = AttachmentStore(client, str(tmp_path / "b"), largest=10)
    assert store.fetch({**record, "size": 1}).status is Status.TOO_LARGE
    client.close()


def test_files_go_to_any_store(clinic: Sandbox, client: ClinikoClient) -> None:
    """The folder can be any fsspec URL; the record then names a URL."""
    record = ready_record(clinic)
    store = AttachmentStore(client, "memory://clinic/files")
    first = store.fetch(record)
    with fsspec.open(str(first.path), "rb") as file:
        assert hashlib.sha256(file.read()).hexdigest() == first.sha256
    assert str(first.path).startswith("memory://")
    asked = len(clinic.cliniko.files_control.requests)
    assert store.fetch(record) == first
    assert len(clinic.cliniko.files_control.requests) == asked


@pytest.mark.parametrize("written", ['{"sha256"', "{}", "[]", '{"account": null, "size": 1}'])
def test_half_a_note_is_no_note(clinic: Sandbox, client: ClinikoClient, tmp_path: Path, written: str) -> None:
    """A run that died while writing the note, or a note of somebody else, costs one more fetch, nothing else."""
    record = ready_record(clinic)
    store = AttachmentStore(client, str(tmp_path / "a"))
    first = store.fetch(record)
    Path(f"{first.path}.json").write_text(written)
    assert store.fetch(record) == first
    assert json.loads(Path(f"{first.path}.json").read_text())["sha256"] == first.sha256


def test_without_downloads_the_records_still_come(clinic: Sandbox, tmp_path: Path) -> None:
    """The setting leaves the bytes where they are, and says so."""
    records = fetched(clinic, tmp_path, download_attachments=False).records(NAME)
    assert {each["file_status"] for each in records} == {"not_requested"}
    assert clinic.cliniko.files_control.requests == []


def test_a_role_that_sees_only_the_list_stops_the_run(tmp_path: Path) -> None:
    """A receptionist's key lists the files but may not open them: that is never silent."""
    with Sandbox(seed=6, patients=20, cliniko={"requests_per_minute": 0, "role": "receptionist"}) as clinic:
        with pytest.raises(RoleRefused, match="role"):
            fetched(clinic, tmp_path)
        records = fetched(clinic, tmp_path, skip_refused_streams=True).records(NAME)
        assert {each["file_status"] for each in records} <= {"unavailable", "not_ready"}


def test_refused_files_come_when_another_key_may_have_them(tmp_path: Path) -> None:
    """A receptionist sees the list without the files; an administrator's key then gets them all."""
    with Sandbox(seed=6, patients=20, cliniko={"requests_per_minute": 0, "role": "receptionist"}) as clinic:
        first = fetched(clinic, tmp_path, skip_refused_streams=True)
        administrator = clinic.cliniko.account.api_key("administrator")
        second = fetched(clinic, tmp_path, first.state, api_key=administrator)
    ready = {each["id"] for each in first.records(NAME) if each["processing_completed"]}
    assert {each["file_status"] for each in first.records(NAME) if each["id"] in ready} == {"unavailable"}
    assert ready == {each["id"] for each in second.records(NAME) if each["file_status"] == "downloaded"}


def test_two_clinics_in_one_folder_keep_their_files_apart(
    clinic: Sandbox, client: ClinikoClient, tmp_path: Path
) -> None:
    """Ids of two accounts can be the same: neither gets the other's file, nor loses its own."""
    record, folder = ready_record(clinic), str(tmp_path / "a")
    one, other = (AttachmentStore(client, folder, account=account) for account in ("1", "2"))
    first, second = one.fetch(record), other.fetch(record)
    asked = len(clinic.cliniko.files_control.requests)
    assert asked == 2
    assert first.path != second.path
    assert (one.fetch(record), other.fetch(record)) == (first, second)
    assert len(clinic.cliniko.files_control.requests) == asked


def test_a_note_of_an_earlier_version_is_trusted_where_the_size_agrees(
    clinic: Sandbox, client: ClinikoClient, tmp_path: Path
) -> None:
    """It names no account and no stated size: nothing is fetched again, unless Cliniko states another size."""
    record, store = ready_record(clinic), AttachmentStore(client, str(tmp_path / "a"), account="1")
    path = Path(f"{store.fetch(record).path}.json")
    note = json.loads(path.read_text())
    path.write_text(json.dumps({name: note[name] for name in ("sha256", "size", "processed_at")}))
    clinic.cliniko.files_control.reset_log()
    store.fetch(record)
    assert clinic.cliniko.files_control.requests == []
    store.fetch({**record, "size": record["size"] + 1})
    assert clinic.cliniko.files_control.requests
