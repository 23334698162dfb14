"""What a test may ask the emulated servers, and how it makes them fail."""

from __future__ import annotations

import json
import socket
import time
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

import pytest
import requests

from sandbox.control import Control, SlidingWindow
from sandbox.gate import Gate
from sandbox.server import LoopbackServer

if TYPE_CHECKING:
    from collections.abc import Iterator, MutableMapping


class Counted:
    """A tiny app that counts its work."""

    def __init__(self) -> None:
        self.works = 0

    async def __call__(self, _scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        """Answer with the number of works done so far."""
        self.works += 1
        await receive()
        body = json.dumps({"works": self.works, "padding": "x" * 100}).encode()
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})


class Served:
    """The app behind its gate, on a port."""

    def __init__(self) -> None:
        self.app = Counted()
        self.control = Control("counted", window_seconds=10, record_contents=True)
        self.server = LoopbackServer(Gate(self.app, self.control))
        self.server.start()

    def get(self, path: str = "/things") -> requests.Response:
        """Ask the server."""
        return requests.get(self.server.origin + path, timeout=10)


@pytest.fixture
def served() -> Iterator[Served]:
    """Serve the app for one test."""
    served = Served()
    yield served
    served.server.stop()


def test_the_log_numbers_requests_and_leaves_control_calls_out(served: Served) -> None:
    """Every API request is in the log with its order, path, query and status; /_sandbox is not."""
    served.get("/things?a=1")
    served.get("/others")
    log = served.get("/_sandbox/requests").json()
    assert [(entry["n"], entry["path"], entry["query"], entry["status"]) for entry in log] == [
        (1, "/things", "a=1", 200),
        (2, "/others", "", 200),
    ]
    assert log[0]["at"] == pytest.approx(time.time(), abs=10)
    stats = served.get("/_sandbox/stats").json()
    assert (stats["requests"], stats["writes"], stats["greatest_window"]) == (2, 0, 2)


def test_answers_carry_the_servers_time(served: Served) -> None:
    """A client that goes by the server's clock follows when a test moves it; a fault may still lie about it."""

    def told() -> float:
        return parsedate_to_datetime(served.get().headers["Date"]).timestamp()

    assert told() == pytest.approx(time.time(), abs=10)
    served.control.advance(3600)
    assert told() == pytest.approx(time.time() + 3600, abs=10)
    lie = {
        "action": "status",
        "status": 503,
        "headers": {"Date": "Sun, 09 Sep 2001 01:46:40 GMT"},
        "times": 1,
    }
    served.control.add_fault(lie)
    assert told() == 1_000_000_000


def test_contents_are_logged_only_on_request(served: Served) -> None:
    """Bodies and headers are kept when the server records contents."""
    requests.post(served.server.origin + "/things", json={"a": 1}, headers={"Version": "v"}, timeout=10)
    entry = served.control.requests[0]
    assert json.loads(entry.body or b"") == {"a": 1}
    assert (entry.headers or {})["version"] == "v"
    assert "body" not in served.get("/_sandbox/requests").json()[0]


@pytest.mark.parametrize(
    ("rule", "works"),
    [({"action": "drop_before"}, 0), ({"action": "drop_after"}, 1), ({"action": "cut"}, 1)],
    ids=["drop_before", "drop_after", "cut"],
)
def test_a_lost_answer_breaks_the_connection(served: Served, rule: dict[str, Any], works: int) -> None:
    """A dropped request fails at the client, whether its work was done or not; the next one is answered."""
    served.control.add_fault({**rule, "times": 1})
    with pytest.raises((requests.ConnectionError, requests.exceptions.ChunkedEncodingError)):
        served.get()
    assert served.app.works == works
    assert served.get().json()["works"] == works + 1


def test_a_request_cut_off_in_its_body_is_none(served: Served) -> None:
    """A client killed while it sends has asked for nothing: the app is not given the half that arrived."""
    head = b"POST /things HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n"
    with socket.create_connection((served.server.host, served.server.port), timeout=10) as client:
        client.sendall(head + b"half of it")
        client.shutdown(socket.SHUT_WR)
        assert client.recv(1) == b""
    assert served.get().json()["works"] == 1
    assert [entry.method for entry in served.control.requests] == ["GET"]


def test_a_status_fault_does_no_work_and_one_after_work_does(served: Served) -> None:
    """The two kinds of wrong status differ in what the server did before it answered."""
    served.control.add_fault({"action": "status", "status": 503, "headers": {"Retry-After": "3"}, "times": 1})
    refused = served.get()
    assert (refused.status_code, refused.headers["retry-after"], served.app.works) == (503, "3", 0)
    served.control.clear_faults()
    served.control.add_fault({"action": "status_after_work", "status": 502, "times": 1})
    assert (served.get().status_code, served.app.works) == (502, 1)


def test_truncated_and_html_bodies_do_not_parse(served: Served) -> None:
    """Half a JSON body and an HTML page arrive in full, and are not JSON."""
    served.control.add_fault({"action": "truncate", "times": 1})
    served.control.add_fault({"action": "html", "status": 502, "match": {"nth": 2}})
    halved, page = served.get(), served.get()
    assert halved.status_code == 200
    with pytest.raises(requests.JSONDecodeError):
        halved.json()
    assert (page.status_code, page.headers["content-type"]) == (502, "text/html")


def test_faults_choose_their_requests(served: Served) -> None:
    """A rule strikes the nth request that fits its method and path, or every so many."""
    rule = {"match": {"method": "GET", "path_regex": "^/a", "nth": [2]}, "action": "status", "status": 500}
    requests.post(served.server.origin + "/_sandbox/faults", json=rule, timeout=10).raise_for_status()
    assert [served.get(path).status_code for path in ("/a", "/b", "/a", "/a")] == [200, 200, 500, 200]
    requests.delete(served.server.origin + "/_sandbox/faults", timeout=10).raise_for_status()
    served.control.add_fault({"match": {"every": 2}, "action": "status", "status": 500})
    assert [served.get().status_code for _ in range(4)] == [200, 500, 200, 500]


def test_a_rule_with_a_misspelt_key_is_refused(served: Served) -> None:
    """A fault that would silently never strike is an error."""
    answer = requests.post(
        served.server.origin + "/_sandbox/faults", json={"action": "status", "when": 1}, timeout=10
    )
    assert answer.status_code == 400
    assert "when" in answer.json()["message"]


def test_a_broken_control_call_is_refused(served: Served) -> None:
    """What is no JSON, lacks a value, or names no control answers with a message."""
    url = f"{served.server.origin}/_sandbox"
    assert requests.post(f"{url}/latency", data=b"{", timeout=10).status_code == 400
    assert "seconds" in requests.post(f"{url}/latency", json={}, timeout=10).json()["message"]
    assert requests.get(f"{url}/nonsense", timeout=10).status_code == 404
    assert requests.get(f"{url}/dump", timeout=10).status_code == 400


def test_a_hook_runs_before_the_work_of_each_request(served: Served) -> None:
    """A test can change data between two requests, and stop doing so."""
    seen: list[tuple[int, str, int]] = []
    forget = served.control.before_request(
        lambda n, request: seen.append((n, request.path, served.app.works))
    )
    served.get("/one")
    served.get("/two")
    forget()
    served.get("/three")
    assert seen == [(1, "/one", 0), (2, "/two", 1)]


def test_the_clock_moves_on_request(served: Served) -> None:
    """Advancing the clock moves the server's now and empties its windows."""
    served.get()
    before = served.control.now()
    requests.post(
        served.server.origin + "/_sandbox/clock", json={"advance": 3600}, timeout=10
    ).raise_for_status()
    served.get()
    assert served.control.now() - before >= 3600
    assert served.control.window.greatest == 1


def test_latency_slows_every_answer(served: Served) -> None:
    """Each answer waits for the latency that was set."""
    requests.post(
        served.server.origin + "/_sandbox/latency", json={"seconds": 0.05}, timeout=10
    ).raise_for_status()
    served.get()
    assert (served.control.requests[0].took or 0) >= 0.05


def test_a_sliding_window_counts_its_own_seconds_only() -> None:
    """An event leaves the window exactly one window length after it came."""
    window = SlidingWindow(10)
    assert [window.add(at) for at in (0, 5, 9.9, 10, 15.1)] == [1, 2, 3, 3, 3]
    assert (window.greatest, window.free_at(15.1)) == (3, 19.9)
