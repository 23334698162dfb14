"""The HTTP client against a server that does as the test says, over real connections."""

from __future__ import annotations

import json
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from decimal import Decimal
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest
import requests

from tap_cliniko import client as client_module
from tap_cliniko.client import ClinikoClient, Query, RetryPolicy, _waits, base_url
from tap_cliniko.download import Download
from tap_cliniko.errors import (
    ContractChanged,
    CredentialsRefused,
    NotFound,
    RoleRefused,
    SettingsError,
    TapClinikoError,
    TryAgain,
    Unavailable,
)
from tap_cliniko.governor import Governor
from tap_cliniko.reading import IdRange, ListReader

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

KEY = "MS0xLXNlY3JldA-au4"
GOOD = {"patients": [{"id": "7", "first_name": "Nobody's business"}], "total_entries": 1, "links": {}}


@dataclass
class Answer:
    """What the server says to one request; `body` None closes the connection without a word, `plain` adds no length."""

    status: int = 200
    body: bytes | None = field(default_factory=lambda: json.dumps(GOOD).encode())
    headers: dict[str, str] = field(default_factory=dict)
    content_type: str = "application/json"
    promised: int | None = None
    plain: bool = False


@dataclass
class Script:
    """Answers in order, the last one for ever, and the requests that came."""

    answers: list[Answer]
    seen: list[Any] = field(default_factory=list)
    url: str = ""

    def next(self) -> Answer:
        """Take the next answer."""
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


@contextmanager
def serving(*answers: Answer) -> Iterator[Script]:
    """Serve the answers on a free port."""
    script = Script(list(answers))

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            script.seen.append((self.path, dict(self.headers)))
            answer = script.next()
            if answer.body is None:
                self.close_connection = True
                return
            self.send_response_only(answer.status)
            self.send_header("Content-Type", answer.content_type)
            if not answer.plain:
                self.send_header("Content-Length", str(answer.promised or len(answer.body)))
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(answer.body)
            self.close_connection = answer.plain or answer.promised is not None

        def log_message(self, *_args: object) -> None:
            """Stay quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    script.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield script
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def client_of(script: Script, *, tries: int = 4, naps: list[float] | None = None) -> Iterator[ClinikoClient]:
    """Make a client that retries without waiting; its governor's naps are noted instead of slept."""
    noted = naps if naps is not None else []
    now = [0.0]

    def nap(seconds: float) -> None:
        noted.append(seconds)
        now[0] += seconds

    governor = Governor(1000, clock=lambda: now[0], sleep=nap)
    retry_policy = RetryPolicy(tries=tries, limited_tries=3, base=0.0)
    client = ClinikoClient(
        f"{script.url}/v1", KEY, "data@example.org", governor=governor, retry_policy=retry_policy
    )
    try:
        yield client
    finally:
        client.close()


def read_patients(client: ClinikoClient) -> Any:
    """Ask for one page of patients."""
    return client.page("/patients", "patients", Query(("id:>5", "archived_at:*"), sort="id:asc"))


PASSING = {
    "502 with HTML": Answer(502, b"<html>Bad gateway for Nobody's business</html>", content_type="text/html"),
    "500": Answer(500, b'{"message": "Nobody\'s business"}'),
    "503 that asks to wait": Answer(503, b"{}", {"Retry-After": "0"}),
    "408": Answer(408, b"{}"),
    "403 of the network in HTML": Answer(
        403, b"<html>denied</html>", content_type="text/html; charset=utf-8"
    ),
    "HTML that claims success": Answer(200, b"<html>hello</html>", content_type="text/html"),
    "JSON cut off by a proxy": Answer(200, json.dumps(GOOD).encode()[:20]),
    "connection lost in the body": Answer(200, b'{"patients": [', promised=5000),
    "connection closed without an answer": Answer(body=None),
    "429 without any header": Answer(429, b"{}"),
}


@pytest.mark.parametrize("failure", PASSING.values(), ids=PASSING.keys())
def test_a_passing_failure_is_repeated(failure: Answer) -> None:
    """Whatever passes by itself is asked again, and the page arrives."""
    with serving(failure, failure, Answer()) as script, client_of(script) as client:
        assert read_patients(client).rows == GOOD["patients"]
        assert len(script.seen) == 3


@pytest.mark.parametrize("failure", PASSING.values(), ids=PASSING.keys())
def test_retries_end(failure: Answer) -> None:
    """A failure that stays ends the run with a text that says what to do and quotes nothing."""
    with serving(failure) as script, client_of(script) as client:
        with pytest.raises(Unavailable, match="Run again later") as caught:
            read_patients(client)
        assert 3 <= len(script.seen) <= 5
        assert "business" not in str(caught.value)


FINAL = {
    401: (CredentialsRefused, "TAP_CLINIKO_API_KEY", 3),
    403: (RoleRefused, "role", 3),
    404: (NotFound, "/patients", 1),
    400: (ContractChanged, "archived_at, id; sort: id:asc", 1),
    422: (ContractChanged, "refuses", 1),
    301: (SettingsError, "TAP_CLINIKO_API_URL", 2),
}


@pytest.mark.parametrize("status", FINAL)
def test_a_final_answer_is_not_repeated(status: int) -> None:
    """What will not pass ends at once, names what to do, and quotes neither body nor key."""
    kind, text, code = FINAL[status]
    body = b'{"message": "Nobody\'s business is not filterable"}'
    answer = Answer(status, body, {"Location": "http://elsewhere.example.org/"})
    with serving(answer) as script, client_of(script) as client:
        with pytest.raises(TapClinikoError) as caught:
            read_patients(client)
        assert type(caught.value) is kind
        assert text in str(caught.value)
        assert caught.value.exit_code == code
        assert len(script.seen) == 1
        assert "business" not in str(caught.value)
        assert KEY not in str(caught.value)


def test_a_refusal_without_a_body_is_no_page_of_the_network() -> None:
    """A 403 that says nothing means the role, even where the server calls nothing HTML."""
    empty = Answer(403, b"", content_type="text/html; charset=utf-8")
    with serving(empty) as script, client_of(script) as client:
        with pytest.raises(RoleRefused):
            read_patients(client)
        assert len(script.seen) == 1


def test_the_reset_header_says_how_long_to_wait() -> None:
    """After a 429 nothing is sent before the moment that X-RateLimit-Reset names."""
    naps: list[float] = []
    reset = Answer(429, b"{}", {"X-RateLimit-Reset": "1000000020", "Date": "Sun, 09 Sep 2001 01:46:40 GMT"})
    with serving(reset, Answer()) as script, client_of(script, naps=naps) as client:
        read_patients(client)
        # the server's own clock says 1000000000, so twenty seconds and half a one for the missing fraction
        assert sum(naps) == pytest.approx(20.5, abs=0.1)


def test_neither_a_slow_nor_a_wrong_answer_moves_the_clock_for_good() -> None:
    """A run that ended too early would read nothing, one that ended in the future would pass over changes."""

    def dated(seconds: int) -> Answer:
        return Answer(headers={"Date": formatdate(time.time() + seconds, usegmt=True)})

    with serving(dated(30), dated(-5)) as script, client_of(script) as client:
        ahead = []
        read_patients(client)
        ahead.append(client.now() - time.time())
        slow = client_module.Answer(200, {"Date": formatdate(time.time() - 5, usegmt=True)}, b"")
        client._note_clock(slow, sent=time.time() - 40)
        ahead.append(client.now() - time.time())
        read_patients(client)
        ahead.append(client.now() - time.time())
    assert ahead == pytest.approx([30, 30, -4], abs=2)


@pytest.mark.parametrize("stamp", ["", "now", "Sun, 39 Sep 2001 01:46:40 GMT"])
def test_a_date_that_is_none_says_nothing(stamp: str) -> None:
    """A proxy's nonsense in a header ends no run, and moves no clock."""
    with serving(Answer(headers={"Date": stamp})) as script, client_of(script) as client:
        assert read_patients(client).total == 1
        assert client.skew == 0.0


def test_a_reset_in_the_far_future_is_not_believed() -> None:
    """The window is a minute, so no pause is longer."""
    naps: list[float] = []
    reset = Answer(429, b"{}", {"X-RateLimit-Reset": "9999999999"})
    with serving(reset, Answer()) as script, client_of(script, naps=naps) as client:
        read_patients(client)
        assert sum(naps) == pytest.approx(61.0, abs=0.1)


def test_retry_after_is_honoured_when_there_is_no_reset() -> None:
    """Clients in the field have met Retry-After."""
    naps: list[float] = []
    with (
        serving(Answer(429, b"{}", {"Retry-After": "9"}), Answer()) as script,
        client_of(script, naps=naps) as client,
    ):
        read_patients(client)
        assert sum(naps) == pytest.approx(9.0, abs=0.1)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"X-RateLimit-Reset": "30"}, 30.5),
        ({"X-RateLimit-Reset": "0"}, 5.0),
        ({"X-RateLimit-Reset": "1577836800"}, 5.0),
        ({"X-RateLimit-Reset": "9" * 5000}, 5.0),
        ({"X-RateLimit-Reset": "\xb2"}, 5.0),
        ({"X-RateLimit-Reset": "soon", "Retry-After": "7"}, 7.0),
        ({"Retry-After": "1.5"}, 1.5),
        ({"Retry-After": "\xb2"}, 5.0),
        ({"Retry-After": formatdate(4e9, usegmt=True)}, 61.0),
        ({"Retry-After": "Wed, 21 Oct 99999999999 07:28:00 GMT"}, 5.0),
    ],
    ids=range(10),
)
def test_the_pause_is_read_as_it_is_spelled(headers: dict[str, str], seconds: float) -> None:
    """A moment or a time from now on; what is neither, or long past, says nothing and ends nothing."""
    naps: list[float] = []
    with serving(Answer(429, b"{}", headers), Answer()) as script, client_of(script, naps=naps) as client:
        read_patients(client)
    assert sum(naps) == pytest.approx(seconds, abs=0.1)


def test_who_may_come_back_at_once_gives_the_service_time_all_the_same() -> None:
    """Else a service that restarts would have used up every try before it is back."""
    waits = _waits(RetryPolicy(tries=4, base=1.0))
    next(waits)
    failures = [TryAgain("down", wait=told) for told in (0.0, 0.0, 10.0)]
    assert [waits.send(failure) for failure in failures] == [1.0, 2.0, 10.0]


@pytest.mark.parametrize("target", ["http://[bad", "/\xff\xfe", "https://" + "a" * 64 + ".example/"])
def test_a_redirect_that_leads_nowhere_is_one_like_any_other(target: str) -> None:
    """Nobody looks where it leads."""
    with serving(Answer(302, b"", {"Location": target})) as script, client_of(script) as client:
        with pytest.raises(SettingsError):
            read_patients(client)
        with (
            suppress(Unavailable, requests.RequestException),
            client.file(client.location("/patient_attachments/1/content")),
        ):
            pass


@pytest.mark.parametrize("deep", [b"[" * 200_000, b'{"a":' * 200_000], ids=["lists", "objects"])
def test_an_answer_deeper_than_can_be_read_is_asked_for_again(deep: bytes) -> None:
    """It fails like one that is cut off."""
    with serving(Answer(body=deep), Answer()) as script, client_of(script) as client:
        assert read_patients(client).total == 1


@pytest.mark.parametrize("links", [["next"], "next", None, 7, {"next": None}])
def test_links_of_another_shape_name_no_next_page(links: Any) -> None:
    """What counts is how many rows there are, which may come as a text."""
    body = json.dumps({"patients": [{"id": "7"}], "total_entries": "1", "links": links}).encode()
    with serving(Answer(body=body)) as script, client_of(script) as client:
        page = read_patients(client)
    assert (page.total, page.more) == (1, False)


@pytest.mark.parametrize("total", [True, -1, "many", 1.5, None, "9" * 5000])
def test_what_is_no_number_of_rows_counts_none(total: Any) -> None:
    """Then a page that is not full is the last one."""
    body = json.dumps({"patients": [{"id": "7"}], "total_entries": total}).encode()
    with serving(Answer(body=body)) as script, client_of(script) as client:
        page = read_patients(client)
    assert (page.total, page.more) == (None, False)


@pytest.mark.parametrize("row", [{}, {"id": None}, {"id": "seven"}, {"id": [7]}])
def test_a_row_without_an_id_is_a_changed_contract(row: dict[str, Any]) -> None:
    """Nobody could tell where to go on; the run ends with a line that says so."""
    body = json.dumps({"patients": [row], "total_entries": 1}).encode()
    with serving(Answer(body=body)) as script, client_of(script) as client:
        reader = ListReader(client, "/patients", "patients")
        with pytest.raises(ContractChanged, match=r"^/patients: a row comes without an id"):
            list(reader.chunks((), [IdRange()]))


TO_FILE = Answer(302, b"", {"Location": "/file"})
WHOLE = Answer(200, b"0123456789", content_type="application/pdf")


@pytest.mark.parametrize(
    "other",
    [
        Answer(206, b"0123456789", {"Content-Range": "bytes 0-9/10"}),
        Answer(206, b"6789", {"Content-Range": "bytes 6-9/10"}),
        Answer(416, b"", {"Content-Range": "bytes */3"}),
    ],
    ids=["from the start", "further on", "shorter"],
)
def test_bytes_from_elsewhere_are_not_put_behind_half_a_file(tmp_path: Path, other: Answer) -> None:
    """The file store answers for another part, or another file, than the one begun: it is fetched anew."""
    part = tmp_path / "12.part"
    part.write_bytes(b"abcd")
    with serving(TO_FILE, other, TO_FILE, WHOLE) as script, client_of(script) as client:
        Download(client, "12", part, largest=None, stated=10).run()
    assert part.read_bytes() == b"0123456789"


def test_what_is_complete_is_not_fetched_again(tmp_path: Path) -> None:
    """A run was killed between the last byte and the note that the file is there."""
    part = tmp_path / "12.part"
    part.write_bytes(b"0123456789")
    answer = Answer(416, b"", {"Content-Range": "bytes */10"})
    with serving(TO_FILE, answer) as script, client_of(script) as client:
        assert Download(client, "12", part, largest=None, stated=10).run()[1] == 10
    assert len(script.seen) == 2


def test_a_range_that_nobody_asked_for_is_no_file(tmp_path: Path) -> None:
    """There is nothing yet that could be complete."""
    with serving(TO_FILE, Answer(416, b""), TO_FILE, WHOLE) as script, client_of(script) as client:
        assert Download(client, "12", tmp_path / "12.part", largest=None, stated=10).run()[1] == 10


@pytest.mark.parametrize("length", ["ten", "10, 10", "\xb2"])
def test_a_length_that_is_none_is_not_compared(tmp_path: Path, length: str) -> None:
    """The bytes are what counts."""
    answer = Answer(200, b"0123456789", {"Content-Length": length}, plain=True)
    with serving(TO_FILE, answer) as script, client_of(script) as client:
        assert Download(client, "12", tmp_path / "12.part", largest=None, stated=10).run()[1] == 10


def test_every_request_names_its_sender_and_carries_the_key() -> None:
    """Cliniko wants a name with a contact e-mail, JSON, and the key as the user of Basic authentication."""
    with serving(Answer()) as script, client_of(script) as client:
        read_patients(client)
    path, headers = script.seen[0]
    assert path == "/v1/patients?q%5B%5D=id:%3E5&q%5B%5D=archived_at:*&sort=id:asc&per_page=100"
    assert headers["User-Agent"] == "tap-cliniko (data@example.org)"
    assert headers["Accept"] == "application/json"
    assert headers["Authorization"].startswith("Basic ")


def test_the_next_link_is_never_followed() -> None:
    """A foreign `next` only says that there is more; nobody sends the key there."""
    with serving(Answer()) as foreign:
        answer = {**GOOD, "total_entries": 2, "links": {"next": f"{foreign.url}/v1/patients?page=2"}}
        with serving(Answer(body=json.dumps(answer).encode())) as script, client_of(script) as client:
            assert read_patients(client).more
        assert foreign.seen == []


def test_a_file_is_fetched_without_the_key(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The redirect's target gets no credential, not even one from ~/.netrc."""
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login somebody password something\n")
    (tmp_path / ".netrc").chmod(0o600)
    monkeypatch.setenv("HOME", str(tmp_path))
    with serving(Answer(body=b"bytes")) as store:
        see_other = Answer(303, b"", {"Location": f"{store.url}/file?signature=1"})
        with serving(see_other) as script, client_of(script) as client:
            address = client.location("/patient_attachments/1/content")
            with client.file(address) as (_, blocks):
                assert b"".join(blocks) == b"bytes"
        assert "Authorization" not in store.seen[0][1]
        assert "Authorization" in script.seen[0][1]


def test_decimals_do_not_pass_through_a_float() -> None:
    """A number with a fraction arrives with the digits it was written with."""
    body = b'{"patients": [{"id": "1", "amount": 81.810000000000000000001}], "total_entries": 1}'
    with serving(Answer(body=body)) as script, client_of(script) as client:
        assert read_patients(client).rows[0]["amount"] == Decimal("81.810000000000000000001")


def test_an_answer_of_another_shape_is_a_changed_contract() -> None:
    """A list under another name is not taken for an empty one."""
    people = Answer(body=b'{"people": []}')
    with (
        serving(people) as script,
        client_of(script) as client,
        pytest.raises(ContractChanged, match="patients"),
    ):
        read_patients(client)


@pytest.mark.parametrize(
    ("key", "host"),
    [
        ("abc-au4", "api.au4.cliniko.com"),
        ("a-b-c-UK2", "api.uk2.cliniko.com"),
        ("MS0xLWFiYw", "api.au1.cliniko.com"),
        ("abc-def", "api.au1.cliniko.com"),
        ("abc-ca1-x", "api.au1.cliniko.com"),
    ],
)
def test_the_shard_is_the_end_of_the_key(key: str, host: str) -> None:
    """Only a suffix that looks like a shard is one; older keys have none."""
    assert base_url(key) == f"https://{host}/v1"


def test_the_client_shows_no_key() -> None:
    """Printing the client shows where it goes, not how it gets in."""
    assert KEY not in repr(ClinikoClient("https://api.au4.cliniko.com/v1", KEY, "data@example.org"))
