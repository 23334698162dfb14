"""No answer may take for ever or be without end, whichever part of it is slow or large."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from sandbox import Sandbox
from tap_cliniko.attachments import AttachmentStore
from tap_cliniko.client import Bounds, ClinikoClient, Query, RetryPolicy
from tap_cliniko.errors import Unavailable
from tap_cliniko.governor import Governor

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BOUNDS = Bounds(seconds=1.0, size=1_000_000, block_seconds=0.3, file_size=1_000_000)
KEY = "MS0xLXNlY3JldA-au4"


@pytest.fixture(scope="module")
def clinic() -> Iterator[Sandbox]:
    """A clinic with some files."""
    with Sandbox(seed=6, patients=10, cliniko={"requests_per_minute": 0}) as sandbox:
        yield sandbox


@pytest.fixture
def client(clinic: Sandbox) -> Iterator[ClinikoClient]:
    """A client with little patience."""
    made = impatient(clinic.cliniko.url, clinic.cliniko.api_key)
    yield made
    made.close()
    clinic.cliniko.control.clear_faults()
    clinic.cliniko.files_control.clear_faults()


def impatient(url: str, key: str) -> ClinikoClient:
    """Make a client that tries twice."""
    policy = RetryPolicy(tries=2, base=0.001)
    return ClinikoClient(
        url, key, "data@example.org", governor=Governor(1000), retry_policy=policy, bounds=BOUNDS
    )


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ({"action": "drip", "delay": 0.2}, "more than 1 s"),
        ({"action": "flood", "size": 3_000_000}, "more than 1000000 bytes"),
        ({"action": "gzip_bomb", "size": 300_000_000}, "more than 1000000 bytes"),
    ],
    ids=lambda each: each["action"] if isinstance(each, dict) else "",
)
def test_an_answer_without_end_is_given_up(
    clinic: Sandbox, client: ClinikoClient, fault: dict[str, Any], said: str
) -> None:
    """It is tried again, and then the run can be run again later; the next answer is read as ever."""
    clinic.cliniko.control.add_fault({**fault, "match": {"path_regex": "/patients$"}})
    began = time.monotonic()
    with pytest.raises(Unavailable, match=said):
        client.page("/patients", "patients", Query())
    assert time.monotonic() - began < 10
    clinic.cliniko.control.clear_faults()
    assert client.page("/patients", "patients", Query()).rows


def test_headers_that_drip_are_given_up() -> None:
    """Not even the status line has an end: each byte comes in time, and none is the last."""
    with dripping() as url:
        client, began = impatient(url, KEY), time.monotonic()
        with pytest.raises(Unavailable, match="more than 1 s"):
            client.object("/user")
        assert time.monotonic() - began < 10
        client.close()


@pytest.mark.parametrize(
    "fault",
    [{"action": "drip", "delay": 0.2}, {"action": "flood", "size": 3_000_000}],
    ids=lambda each: each["action"],
)
def test_a_file_without_end_is_given_up(
    clinic: Sandbox, client: ClinikoClient, tmp_path: Path, fault: dict[str, Any]
) -> None:
    """One that comes a byte at a time, and one with more bytes than any file: neither holds the run or fills the disk."""
    rows = clinic.cliniko.account.tables["patient_attachments"].rows()
    record = next(dict(row) for row in rows if row.get("processing_completed"))
    clinic.cliniko.files_control.add_fault(fault)
    store = AttachmentStore(client, str(tmp_path / "a"))
    with pytest.raises(Unavailable, match="does not deliver"):
        store.fetch({**record, "size": 100})
    assert sum(each.stat().st_size for each in (tmp_path / "a").iterdir()) < 1_000_000


def test_a_folder_that_another_run_holds_is_not_waited_for_without_end(
    clinic: Sandbox,
    client: ClinikoClient,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The log says what the run waits for; in the end it does without the file for now."""
    monkeypatch.setattr("tap_cliniko.attachments._WORTH_SAYING", 0.05)
    monkeypatch.setattr("tap_cliniko.attachments._LONGEST_TURN", 0.1)
    caplog.set_level("INFO")
    rows = clinic.cliniko.account.tables["patient_attachments"].rows()
    record = next(dict(row) for row in rows if row.get("processing_completed"))
    store = AttachmentStore(client, str(tmp_path / "a"))
    with store._turn(), pytest.raises(Unavailable, match="held the attachments folder"):
        AttachmentStore(client, str(tmp_path / "a")).fetch(record)
    assert "waiting for another run" in caplog.text


@contextmanager
def dripping() -> Iterator[str]:
    """Serve a header without end, a byte at a time."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        over = threading.Event()

        def drip(connection: socket.socket) -> None:
            with connection:
                connection.recv(65536)
                connection.sendall(b"HTTP/1.1 200 OK\r\nX: ")
                while not over.wait(0.1):
                    try:
                        connection.sendall(b"x")
                    except OSError:
                        return

        def accept() -> None:
            while not over.is_set():
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                threading.Thread(target=drip, args=(connection,), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.getsockname()[1]}/v1"
        finally:
            over.set()
