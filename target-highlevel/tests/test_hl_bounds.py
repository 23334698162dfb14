"""Whatever a server does with an answer, it neither keeps a thread nor fills the memory."""

from __future__ import annotations

import gzip
import hashlib
import io
import threading
import time
import tracemalloc
import zipfile
from typing import TYPE_CHECKING, Any

import pytest
from hl_http_server import HighLevelServer, Reply

from target_highlevel.errors import HighLevelError, Interrupted, Unavailable, Unknown
from target_highlevel.http import Bounds, Governor, HighLevelClient, Limits, PrivateToken, Upload
from target_highlevel.verify import downloads
from target_highlevel.verify.downloads import DocumentUnreadable, Downloads

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

FAST = Limits(requests=10_000, seconds=0.05)
#: A short total time, and one attempt only.
ONCE = Bounds(seconds=0.3, repeating=0.0, most_bytes=1 << 20, grace=0.2)


@pytest.fixture
def highlevel() -> Iterator[HighLevelServer]:
    """A server whose answers the test scripts."""
    server = HighLevelServer()
    yield server
    server.stop()


@pytest.fixture
def make_client(highlevel: HighLevelServer) -> Iterator[Callable[..., HighLevelClient]]:
    """Makes clients with little patience."""
    made = []

    def make(**more: Any) -> HighLevelClient:
        tokens, governor = PrivateToken("pit-token"), Governor(FAST)
        made.append(HighLevelClient(highlevel.url, tokens, governor, **{"bounds": ONCE, **more}))
        return made[-1]

    yield make
    for client in made:
        client.close()


def bomb(megabytes: int) -> Reply:
    """A small packed body that is large once it is unpacked."""
    packed = gzip.compress(b'"' + bytes(megabytes << 20) + b'"')
    assert len(packed) < megabytes << 12
    return Reply(200, packed, {"Content-Encoding": "gzip"})


DRIPPING_HEADERS = Reply(200, {}, {"X-Long": "x" * 200}, drip=0.02, drip_head=True)
DRIPPING_BODY = Reply(200, b"[" + b" " * 200 + b"]", drip=0.02)
DRIPPING_WITHOUT_END = Reply(200, b"[" + b" " * 200, {"Content-Length": "", "Connection": "close"}, drip=0.02)
ENDLESS = Reply(200, b" " * 65536, {"Content-Length": str(3 << 30)}, endless=True)
ENDLESS_ERROR = Reply(400, b" " * 65536, {"Content-Length": str(3 << 30)}, endless=True)
BOMB = bomb(100)


@pytest.mark.parametrize(
    ("reply", "why"),
    [
        (DRIPPING_HEADERS, "TooSlow"),
        (DRIPPING_BODY, "TooSlow"),
        (DRIPPING_WITHOUT_END, "TooSlow"),
        (ENDLESS, "TooLarge"),
        (ENDLESS_ERROR, "TooLarge"),
        (BOMB, "TooLarge"),
    ],
    ids=["headers drip", "body drips", "body without a length drips", "3 GB", "error of 3 GB", "gzip bomb"],
)
def test_an_answer_that_would_hang_or_swell_is_none(
    reply: Reply, why: str, make_client: Callable[..., HighLevelClient], highlevel: HighLevelServer
) -> None:
    """A read fails and can be repeated, a create stays unknown; neither takes long, nor much memory."""
    highlevel.respond = lambda _: reply
    client = make_client()
    tracemalloc.start()
    began = time.monotonic()
    with pytest.raises(Unavailable) as read:
        client.request("GET", "/contacts/abc")
    with pytest.raises(Unknown) as created:
        client.request("POST", "/contacts/", json={"firstName": "Ada"})
    taken, (_, peak) = time.monotonic() - began, tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert read.value.messages == created.value.messages == (why,)
    assert len(highlevel.seen) == 2
    assert taken < 5
    assert peak < 20 << 20


def test_an_upload_that_nobody_takes_is_given_up(
    make_client: Callable[..., HighLevelClient],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A server that stops reading holds the thread no longer than the file needs at a slow line's pace."""
    monkeypatch.setattr("target_highlevel.http.client._SLOWEST_UPLOAD", 1 << 40)
    (tmp_path / "scan").write_bytes(bytes(32 << 20))
    deaf = HighLevelServer()
    deaf.stop_reading()
    try:
        client = make_client()
        client._base_url = deaf.url
        began = time.monotonic()
        with pytest.raises(HighLevelError) as caught:
            client.request("POST", "/forms/upload-custom-files", files=Upload("f", tmp_path / "scan", "scan"))
        assert caught.value.messages == ("TooSlow",)
        assert time.monotonic() - began < 5
    finally:
        deaf.stop()


def test_a_stopped_run_waits_for_an_answer_only_so_long(
    make_client: Callable[..., HighLevelClient], highlevel: HighLevelServer
) -> None:
    """What is in flight when the run is asked to stop may end, but not keep the run."""
    stop = threading.Event()
    highlevel.respond = lambda _: Reply(200, {}, delay=3.0)
    client = make_client(stop_event=stop, bounds=Bounds(grace=0.2))
    threading.Timer(0.3, stop.set).start()
    began = time.monotonic()
    with pytest.raises(Interrupted):
        client.request("GET", "/contacts/abc")
    assert time.monotonic() - began < 2


def test_an_answer_in_time_is_read_after_the_stop(
    make_client: Callable[..., HighLevelClient], highlevel: HighLevelServer
) -> None:
    """An outcome that can still be had is had."""
    stop = threading.Event()
    highlevel.reply(Reply(201, {"contact": {"id": "c1"}}, delay=0.5))
    client = make_client(stop_event=stop, bounds=Bounds(grace=5.0))
    threading.Timer(0.1, stop.set).start()
    assert client.request("POST", "/contacts/", json={}) == {"contact": {"id": "c1"}}


# Documents


@pytest.fixture
def documents(highlevel: HighLevelServer) -> Iterator[Callable[..., str | None]]:
    """Reads a document back with little patience."""
    reader = Downloads(
        highlevel.url, PrivateToken("pit-token"), Governor(FAST), sleep=lambda _: None, seconds=0.3
    )
    yield lambda *, zipped=False: reader.sha256(f"{highlevel.url}/documents/1", zipped=zipped)
    reader.close()


@pytest.mark.parametrize("reply", [DRIPPING_BODY, ENDLESS, BOMB], ids=["drips", "3 GB", "gzip bomb"])
def test_a_document_that_would_hang_or_swell_cannot_be_read(
    reply: Reply,
    documents: Callable[..., str | None],
    highlevel: HighLevelServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It is given up after a few attempts, and found unreadable, so that a verification goes on to the next."""
    monkeypatch.setattr(downloads, "_MOST_BYTES", 1 << 20)
    highlevel.respond = lambda _: reply
    with pytest.raises(DocumentUnreadable) as caught:
        documents()
    assert caught.value.reason == "no_answer"
    assert len(highlevel.seen) == 5


def test_a_large_document_that_makes_progress_is_read(
    documents: Callable[..., str | None], highlevel: HighLevelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its bytes extend the time it may take."""
    monkeypatch.setattr("target_highlevel.http.bodies._PIECE", 10)
    monkeypatch.setattr(downloads, "_SLOWEST", 100)
    content = b"x" * 100
    highlevel.respond = lambda _: Reply(200, content, drip=0.005)
    assert documents() == hashlib.sha256(content).hexdigest()


def test_an_archive_that_unpacks_without_end_is_read_to_a_limit(
    documents: Callable[..., str | None], highlevel: HighLevelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is inside is hashed up to more than any file of ours holds."""
    monkeypatch.setattr(downloads, "_MOST_UNPACKED", 1 << 20)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("scan", bytes(8 << 20))
    highlevel.respond = lambda _: Reply(200, packed.getvalue())
    assert documents(zipped=True) == hashlib.sha256(bytes(1 << 20)).hexdigest()
