"""The token travels over TLS or to this machine only, and only to the place it belongs to."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest
from hl_http_server import HighLevelServer, Reply

from target_highlevel.errors import SettingsError
from target_highlevel.http import Governor, HighLevelClient, PrivateToken
from target_highlevel.http.addresses import is_confidential, is_loopback, is_same_origin
from target_highlevel.verify.downloads import DocumentUnreadable, Downloads

if TYPE_CHECKING:
    from collections.abc import Iterator

API = "https://services.leadconnectorhq.com"


@pytest.fixture
def servers() -> Iterator[tuple[HighLevelServer, HighLevelServer]]:
    """The API, and another host: another port is another place."""
    pair = HighLevelServer(), HighLevelServer()
    yield pair
    for server in pair:
        server.stop()


@pytest.fixture
def downloads(servers: tuple[HighLevelServer, HighLevelServer]) -> Iterator[Downloads]:
    """Reads documents of the first server."""
    reader = Downloads(servers[0].url, PrivateToken("pit-token"), Governor(), sleep=lambda _: None)
    yield reader
    reader.close()


@pytest.mark.parametrize(
    "url",
    [
        "http://services.leadconnectorhq.com",
        "http://sandbox:8000",
        "http://10.0.0.7:8000",
        "http://localhost.example.org",
        "http://127.0.0.1.example.org",
        "HTTP://services.leadconnectorhq.com",
        "http://0.0.0.0:8000",
        "http://[2001:db8::1]",
    ],
)
def test_no_client_speaks_in_the_clear_with_another_machine(url: str) -> None:
    """It is noticed before anything is sent, and names the setting."""
    with pytest.raises(SettingsError, match="api_url") as caught:
        HighLevelClient(url, PrivateToken("pit-token"), Governor())
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    "url", ["http://localhost:8000", "http://127.0.0.1", "http://127.8.9.1:1", "http://[::1]:1", API]
)
def test_tls_and_this_machine_are_confidential(url: str) -> None:
    """The sandbox needs no certificate."""
    assert is_confidential(url)
    assert is_loopback(url) == (url != API)


@pytest.mark.parametrize(
    ("url", "same"),
    [
        (f"{API}/documents/1", True),
        ("https://SERVICES.leadconnectorhq.com:443/documents/1", True),
        ("http://services.leadconnectorhq.com/documents/1", False),
        ("https://services.leadconnectorhq.com:8443/documents/1", False),
        ("https://services.leadconnectorhq.com@example.org/documents/1", False),
        ("https://services.leadconnectorhq.com.example.org/documents/1", False),
        ("/documents/1", False),
        ("https://[half/documents/1", False),
        ("https://services.leadconnectorhq.com:port/", False),
    ],
)
def test_an_origin_is_scheme_host_and_port(url: str, same: bool) -> None:  # noqa: FBT001 - an expectation
    """What only looks alike is another place."""
    assert is_same_origin(url, API) is same


def test_this_machine_is_asked_without_the_environments_proxy(
    servers: tuple[HighLevelServer, HighLevelServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A proxy is another machine: the token would reach it in the clear."""
    api, proxy = servers
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, proxy.url)
    monkeypatch.setenv("NO_PROXY", "")
    monkeypatch.setenv("no_proxy", "")
    client = HighLevelClient(api.url, PrivateToken("pit-token"), Governor())
    client.request("GET", "/contacts/abc")
    client.close()
    assert len(api.seen) == 1
    assert not proxy.seen


def test_a_page_in_place_of_a_document_is_judged_by_its_status_first(
    servers: tuple[HighLevelServer, HighLevelServer], downloads: Downloads
) -> None:
    """A proxy's page of a bad moment is worth another try, and one that says that nothing is there says so."""
    api, _ = servers
    page = {"Content-Type": "text/html"}
    content = b"%PDF-"
    answers = iter([Reply(502, b"<html>", page), Reply(503, b"<html>", page), Reply(200, content)])
    api.respond = lambda _: next(answers)
    url = f"{api.url}/documents/1"
    assert downloads.sha256(url, zipped=False) == hashlib.sha256(content).hexdigest()
    api.respond = lambda _: Reply(404, b"<html>", page)
    assert downloads.sha256(url, zipped=False) is None
    api.respond = lambda _: Reply(200, b"<html>", page)
    with pytest.raises(DocumentUnreadable, match="login_wanted"):
        downloads.sha256(url, zipped=False)


def test_a_document_of_another_host_is_read_without_the_token(
    servers: tuple[HighLevelServer, HighLevelServer], downloads: Downloads
) -> None:
    """Neither an address nor a redirect that leads elsewhere carries it along."""
    api, other = servers
    other.respond = lambda _: Reply(200, b"bytes")
    api.respond = lambda _: Reply(302, headers={"Location": f"{other.url}/signed"})
    wanted = hashlib.sha256(b"bytes").hexdigest()
    assert downloads.sha256(f"{api.url}/documents/1", zipped=False) == wanted
    assert downloads.sha256(f"{other.url}/documents/1", zipped=False) == wanted
    assert [seen.headers.get("Authorization") for seen in api.seen] == ["Bearer pit-token"]
    assert [seen.headers.get("Authorization") for seen in other.seen] == [None, None]


@pytest.mark.parametrize("url", ["http://documents.example.org/1", "ftp://127.0.0.1/1", "", "nonsense"])
def test_a_document_is_never_read_in_the_clear(
    url: str, servers: tuple[HighLevelServer, HighLevelServer], downloads: Downloads
) -> None:
    """Not where its address says so, nor where a redirect does; nothing is sent there at all."""
    with pytest.raises(DocumentUnreadable):
        downloads.sha256(url, zipped=False)
    servers[0].respond = lambda _: Reply(302, headers={"Location": "http://documents.example.org/1"})
    with pytest.raises(DocumentUnreadable):
        downloads.sha256(f"{servers[0].url}/documents/1", zipped=False)
