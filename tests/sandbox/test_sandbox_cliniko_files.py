"""The bytes of attachments: a redirect to another host that wants no credential."""

from __future__ import annotations

import hashlib
import zipfile
from io import BytesIO
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
import requests
from cliniko_server import ClinikoServer

if TYPE_CHECKING:
    from collections.abc import Iterator

HUGE = 50 * 1024 * 1024


@pytest.fixture(scope="module")
def server() -> Iterator[ClinikoServer]:
    """Serve one clinic with its files."""
    with ClinikoServer() as running:
        yield running


def location(server: ClinikoServer, identity: str) -> str:
    """Ask for the bytes of a file and return where they are."""
    answer = server.get(f"patient_attachments/{identity}/content")
    assert answer.status_code == 303
    return answer.headers["location"]


def file_of(server: ClinikoServer, ending: str) -> str:
    """Return the id of a file by the end of its name."""
    rows = server.account.tables["patient_attachments"].rows()
    return str(next(row["id"] for row in rows if (row.get("filename") or "").endswith(ending)))


def test_every_file_arrives_whole(server: ClinikoServer) -> None:
    """What another host answers has the size of the record and the bytes of the account."""
    for identity, content in server.account.files.items():
        if content.size < HUGE:
            url = location(server, identity)
            assert urlsplit(url).netloc != urlsplit(server.origin).netloc
            answer = requests.get(url, timeout=10)
            record = server.get(f"patient_attachments/{identity}", "archived_at:*").json()
            assert hashlib.sha256(answer.content).hexdigest() == content.sha256()
            assert len(answer.content) == record["size"]
            assert answer.headers["content-type"] == record["content_type"]


def test_a_credential_is_refused_and_noted(server: ClinikoServer) -> None:
    """The other host answers 400 to an Authorization header and to a cookie."""
    url = location(server, file_of(server, ".pdf"))
    before = len(server.files_control.violations)
    assert requests.get(url, auth=(server.key, ""), timeout=10).status_code == 400
    assert requests.get(url, headers={"Cookie": "a=b"}, timeout=10).status_code == 400
    kinds = [one["kind"] for one in server.files_control.violations[before:]]
    assert kinds == ["credential_to_file_host"] * 2


def test_a_url_expires_and_cannot_be_forged(server: ClinikoServer) -> None:
    """A changed URL answers 403, and so does a good one after its time."""
    url = location(server, file_of(server, ".png"))
    assert requests.get(url.replace("Expires=", "Expires=9"), timeout=10).status_code == 403
    assert requests.get(url.partition("?")[0], timeout=10).status_code == 403
    server.control.advance(61)
    assert requests.get(url, timeout=10).status_code == 403
    assert requests.get(location(server, file_of(server, ".png")), timeout=10).status_code == 200


@pytest.mark.parametrize(
    ("asked", "first", "end"), [("bytes=0-9", 0, 10), ("bytes=5-", 5, None), ("bytes=-7", -7, None)]
)
def test_a_part_can_be_fetched(server: ClinikoServer, asked: str, first: int, end: int | None) -> None:
    """A download can be resumed."""
    identity = file_of(server, ".txt")
    content = server.account.files[identity]
    whole = content.read(0, content.size)
    answer = requests.get(location(server, identity), headers={"Range": asked}, timeout=10)
    assert (answer.status_code, answer.content) == (206, whole[first:end])
    beyond = {"Range": f"bytes={content.size}-"}
    assert requests.get(location(server, identity), headers=beyond, timeout=10).status_code == 416


def test_a_huge_file_is_made_while_it_is_sent(server: ClinikoServer) -> None:
    """More than 50 MB come in parts, without lying in memory; any part equals the same part again."""
    identity = file_of(server, "huge.pdf")
    content = server.account.files[identity]
    assert content.size > HUGE
    digest, size = hashlib.sha256(), 0
    with requests.get(location(server, identity), stream=True, timeout=30) as answer:
        for chunk in answer.iter_content(1 << 20):
            digest.update(chunk)
            size += len(chunk)
    assert (size, digest.hexdigest()) == (content.size, content.sha256())
    middle = content.read(30_000_000, 100)
    assert middle == content.read(29_999_950, 200)[50:150]


def test_an_unprocessed_file_has_no_bytes_yet(server: ClinikoServer) -> None:
    """Until it is processed a file has neither name nor size nor content."""
    record = next(one for one in server.every("patient_attachments") if not one["processing_completed"])
    assert (record["filename"], record["size"], record["content"]) == (None, None, None)
    assert server.get(f"patient_attachments/{record['id']}/content").status_code == 404


def test_processing_a_file_makes_it_available() -> None:
    """Once processed, a file is in the window of now, with its name, size and bytes."""
    with ClinikoServer() as server:
        waiting = next(one for one in server.every("patient_attachments") if not one["processing_completed"])
        change = {"op": "process_file", "id": waiting["id"], "kind": "pdf", "filename": "late.pdf"}
        requests.post(f"{server.origin}/_sandbox/mutate", json=change, timeout=10).raise_for_status()
        record = server.get(f"patient_attachments/{waiting['id']}", "archived_at:*").json()
        assert record["updated_at"] > waiting["updated_at"]
        assert len(requests.get(location(server, waiting["id"]), timeout=10).content) == record["size"] > 0


def test_a_receptionist_sees_the_list_only(server: ClinikoServer) -> None:
    """The list of files is readable, the bytes are not."""
    key = server.account.api_key("receptionist")
    identity = file_of(server, ".pdf")
    assert server.get("patient_attachments", key=key).status_code == 200
    assert server.get(f"patient_attachments/{identity}/content", key=key).status_code == 403


def test_documents_are_what_they_say(server: ClinikoServer) -> None:
    """A PDF, a picture, an archive and a scan begin as their kinds do; the archive opens."""
    starts = {".pdf": b"%PDF-1.4", ".png": b"\x89PNG\r\n", ".zip": b"PK\x03\x04", ".exe": b"MZ"}
    for ending, magic in starts.items():
        content = server.account.files[file_of(server, ending)]
        assert content.read(0, len(magic)) == magic
    scan = server.account.files[file_of(server, ".dcm")]
    assert scan.read(128, 4) == b"DICM"
    archive = server.account.files[file_of(server, ".zip")]
    assert zipfile.ZipFile(BytesIO(archive.read(0, archive.size))).testzip() is None


def test_the_file_host_can_fail_too(server: ClinikoServer) -> None:
    """Its own control cuts a download off in the middle."""
    server.files_control.add_fault({"action": "cut", "times": 1})
    url = location(server, file_of(server, ".pdf"))
    with pytest.raises(requests.exceptions.RequestException):
        requests.get(url, timeout=10).raise_for_status()
    server.files_control.clear_faults()
    assert requests.get(url, timeout=10).status_code == 200
