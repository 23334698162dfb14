"""Who gets into the console, and what a page of another origin, a guessed path or a hostile value can do there."""

from __future__ import annotations

import asyncio
import json
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest
import requests
from console_server import Browser, a_patient, a_report, serving

from migration_console.app import Console
from migration_console.security import IDLE_SECONDS, Guard

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from starlette.types import Message

RUN = "20261129T060413.889482Z-73d4b5"
HOSTILE = "<img src=x onerror=alert(1)>"


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Browser]:
    """A browser before a console with one report."""
    a_report(tmp_path, RUN)
    with serving(tmp_path) as served:
        yield served


def test_nobody_without_the_link_gets_in(browser: Browser) -> None:
    """Every page is refused without a session, and a wrong token opens none."""
    for path in ("plan", "events", f"reports/{RUN}/report.json", "jobs/20261129T060413-00000000"):
        assert browser.get(path).status_code == 401, path
    assert browser.post("start/load", {"csrf": "0"}).status_code == 401
    assert browser.session.get(f"{browser.base}/?token=wrong", timeout=10).status_code == 401
    assert not browser.session.cookies


def test_the_link_opens_a_session_that_scripts_cannot_read(browser: Browser) -> None:
    """The token leaves the address; the cookie is for this site and for HTTP only."""
    answer = browser.session.get(browser.guard.link, allow_redirects=False, timeout=10)
    assert answer.status_code == 303
    assert answer.headers["location"] == "/"
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    page = browser.enter().get("plan")
    assert page.status_code == 200
    assert page.headers["cache-control"] == "no-store"
    assert "unsafe" not in page.headers["content-security-policy"]
    assert browser.guard.token not in page.text


def test_two_browsers_have_sessions_of_their_own(browser: Browser) -> None:
    """A form of one browser is of no use to the other."""
    first, second = browser.enter(), Browser(browser.guard, browser.clinic).enter()
    assert first.csrf != second.csrf
    assert (
        second.post("decide/map", {"csrf": first.csrf, "field:1": "A", "place:1": "keep"}).status_code == 403
    )
    assert second.post("decide/map", {"field:1": "A", "place:1": "keep"}).status_code == 303


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1:1", "localhost.evil.example", ""])
def test_foreign_host(browser: Browser, host: str) -> None:
    """A name that somebody has pointed at this machine is refused, session or not."""
    browser.enter()
    assert browser.get("plan", headers={"Host": host}).status_code == 400


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1:1", "http://[x"])
def test_foreign_origin(browser: Browser, origin: str) -> None:
    """A page of another site can neither read nor send."""
    browser.enter()
    assert browser.get("plan", headers={"Origin": origin}).status_code == 403
    assert (
        browser.post(
            "decide/map", {"field:1": "A", "place:1": "keep"}, headers={"Origin": origin}
        ).status_code
        == 403
    )
    assert browser.clinic.mapping.named() == {}


@pytest.mark.parametrize("token", ["", "0" * 64])
def test_a_form_needs_the_token_of_its_session(browser: Browser, token: str) -> None:
    """Nothing is changed and nothing is started without it."""
    browser.enter()
    assert browser.post("decide/map", {"csrf": token, "field:1": "A", "place:1": "keep"}).status_code == 403
    assert browser.post("start/load", {"csrf": token}).status_code == 403
    assert browser.clinic.jobs.all() == []


@pytest.mark.parametrize(
    "path",
    [
        "reports/../../etc/passwd",
        "reports/..%2f..%2fmapping.yml/report.json",
        f"reports/{RUN}/..%2freport.json",
        f"reports/{RUN}/../../../mapping.yml",
        f"reports/{RUN}/ledger.db",
        f"reports/{RUN}%00/report.json",
        "jobs/..%2f..%2fledger.db",
        "nothing",
    ],
)
def test_paths_out_of_the_reports(browser: Browser, path: str) -> None:
    """Only the documented files of a run can be read."""
    browser.enter()
    prepared = requests.Request("GET", f"{browser.base}/sandbox/x", cookies=browser.session.cookies).prepare()
    prepared.url = f"{browser.base}/sandbox/{path}"  # as it stands: requests would tidy it
    answer = browser.session.send(prepared, timeout=10)
    assert answer.status_code in {303, 404}
    assert "custom_fields" not in answer.text
    assert "root:" not in answer.text


@pytest.mark.parametrize(
    ("command", "fields"),
    [
        ("undo", {"run": RUN, "typed": "other"}),
        ("undo", {"run": "--help", "typed": "sandbox"}),
        ("undo-plan", {"run": "../../x"}),
        ("sample", {"ids": "1;rm -rf"}),
        ("sample", {"patients": "-1"}),
        ("full-refresh", {}),
        ("handover", {"run": "20260101T000000.000000Z-000000"}),
        ("rm", {}),
    ],
)
def test_nothing_undocumented_can_be_started(browser: Browser, command: str, fields: dict[str, str]) -> None:
    """A run that is none, a clinic's name mistyped, options that are none: refused with a sentence."""
    browser.enter()
    assert browser.post(f"start/{command}", fields).status_code in {400, 404}
    assert browser.clinic.jobs.all() == []


def test_values_are_text(tmp_path: Path) -> None:
    """What a clinic typed into Cliniko is shown as it is, never run."""
    fields = [
        {
            "section": HOSTILE,
            "label": HOSTILE,
            "target": HOSTILE,
            "until_confirmed": f"{HOSTILE}2",
            "decided_by": HOSTILE,
            "confidence": "none",
            "filled": 1,
            "answers": [HOSTILE],
            "type": HOSTILE,
        }
    ]
    made = {"name": HOSTILE, "source": "insurers/1", "patients": 1, "because": HOSTILE, "confidence": HOSTILE}
    plan = {
        "blockers": [HOSTILE],
        "approval": {"digest": HOSTILE},
        "cost": {"requests": 1, "hours": 1.0, "days": 0.1, "requests_per_day": 200_000},
        "account": {
            "custom_fields": fields,
            "appointment_types": [{"name": HOSTILE, "appointments": 1}],
            "insurers": {"named_by_fields": [HOSTILE], "made": [made]},
        },
        "owners": {
            "practitioners": [
                {"source": HOSTILE, "user": None, "because": HOSTILE, "match": "", "suggested": HOSTILE}
            ]
        },
        "shared_addresses": {HOSTILE: {"addresses": 1, "people": 2}},
        "families": [dict.fromkeys(("field", "keeper", "source", "because"), HOSTILE)],
    }
    verdict = {"tone": "bad", "sentence": HOSTILE}
    todo = [{"count": 1, "what": HOSTILE, "next_step": HOSTILE, "section": HOSTILE}]
    folder = a_report(tmp_path, RUN, mode="plan", plan=plan, verdict=verdict, error=HOSTILE, to_do=todo)
    (folder / "duplicates.csv").write_text(f'first,second\n"{HOSTILE}",2\n', encoding="utf-8")
    sample = a_report(
        tmp_path, f"{RUN[:-1]}6", mode="plan", sample={"patients": 1}, plan=plan, shows_values=True
    )
    (sample / "sheet.json").write_text(json.dumps({"patients": [a_patient(HOSTILE)]}), encoding="utf-8")
    with serving(tmp_path) as served:
        served.enter()
        pages = ("plan", "map", "approve", "families", "runs", "sample", "load")
        answers = {page: served.get(page) for page in pages}
        answers["preview"] = served.post("preview", {"patient": "0"})
        assert HOSTILE.replace("<", "&lt;").replace(">", "&gt;") in answers["preview"].text
        for page, answer in answers.items():
            assert answer.status_code == 200, page
            assert "<img" not in answer.text, page
            assert "onerror" not in answer.text or "&lt;img" in answer.text
        chosen = served.post("decide/map", {"field:1": HOSTILE, "place:1": "keep"})
        assert chosen.status_code == 303
        assert "<img" not in served.get("map").text


def test_a_locked_console_shows_nothing_and_is_opened_with_the_token(browser: Browser) -> None:
    """Locked, no page of the session can be seen again, by any way back; the token or the link opens a new one."""
    browser.enter()
    assert browser.session.post(f"{browser.base}/lock", data={"csrf": "0"}, timeout=10).status_code == 403
    locked = browser.session.post(f"{browser.base}/lock", data={"csrf": browser.csrf}, timeout=10)
    assert locked.url.endswith("/locked")
    assert "The console is locked." in locked.text
    assert "Token" in browser.get("plan").text
    assert browser.get("plan").status_code == 401
    for wrong in ("", "x", browser.guard.token[:-1]):
        answer = browser.session.post(f"{browser.base}/locked", data={"token": wrong}, timeout=10)
        assert answer.status_code == 401
        assert browser.get("plan").status_code == 401
    for right in (browser.guard.token, f" {browser.guard.link} "):
        entered = browser.session.post(f"{browser.base}/locked", data={"token": right}, timeout=10)
        assert entered.status_code == 200
        assert browser.get("plan").status_code == 200
    foreign = {"Origin": "https://evil.example"}
    token = {"token": browser.guard.token}
    assert (
        browser.session.post(f"{browser.base}/locked", data=token, headers=foreign, timeout=10).status_code
        == 403
    )


@pytest.mark.parametrize(
    ("method", "path", "more", "status", "said"),
    [
        ("GET", "/static/nothing.css", {}, 404, "Not Found"),
        ("POST", "/static/console.css", {}, 405, "Method Not Allowed"),
        ("PUT", "/locked", {}, 405, "Method Not Allowed"),
        ("POST", "/locked", {"files": {"token": ("a", b"b")}}, 400, "Too many files"),
    ],
)
def test_what_goes_wrong_outside_is_said_in_plain_text(
    browser: Browser, method: str, path: str, more: dict[str, Any], status: int, said: str
) -> None:
    """There is no session that a page could be made for; somebody inside is told the same."""
    for _ in range(2):
        answer = browser.session.request(method, f"{browser.base}{path}", timeout=10, **more)
        assert answer.status_code == status
        assert answer.headers["content-type"].startswith("text/plain")
        assert said in answer.text
        browser.enter()


def test_a_page_that_listens_hears_that_it_is_locked(tmp_path: Path) -> None:
    """The stream of events ends with a word on it, so that the page leaves what it shows."""
    with serving(tmp_path) as served:
        served.enter()
        with served.get("events", stream=True) as events:
            lines = events.iter_lines(decode_unicode=True)
            assert next(line for line in lines if line.startswith("event")) == "event: moment"
            served.guard.close(served.session.cookies[served.guard.cookie])
            assert "event: locked" in list(lines)


def test_many_pages_can_be_open(browser: Browser) -> None:
    """A browser has six connections at most: the pages that listen leave some of them, and are all told how things stand."""
    browser.enter()
    with ExitStack() as open_pages:
        listening = [
            open_pages.enter_context(browser.get("events", stream=True)).iter_lines() for _ in range(3)
        ]
        assert [next(lines) for lines in listening] == [b"event: moment"] * 3
        said = browser.get("events").text  # ends by itself, to be asked for again
        assert said.count("event: moment") == 1
        assert "retry: 1000" in said
        assert "event: locked" not in said


def test_pages_that_are_left_alone_keep_no_session_open() -> None:
    """One that goes by itself finds the console open where another page is used, and leaves it as it is."""
    now = 0.0
    guard = Guard(1, clock=lambda: now)
    session = guard.open_session(guard.token)
    now = IDLE_SECONDS - 1
    application = Console({}, guard).application()
    answers: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request"}

    async def send(message: Message) -> None:
        answers.append(message)

    headers = [(b"host", b"127.0.0.1:1"), (b"cookie", f"{guard.cookie}={session}".encode())]
    scope = {"type": "http", "method": "GET", "path": "/locked", "query_string": b"", "headers": headers}
    asyncio.run(application(scope, receive, send))
    assert answers[0]["status"] == 200
    assert b"The console is open." in answers[1]["body"]
    assert b"elsewhere" not in answers[1]["body"]  # perhaps nobody else is there
    now = IDLE_SECONDS + 1
    assert not guard.is_open(session)


def test_pages_without_a_script_go_when_a_session_may_have_closed(browser: Browser) -> None:
    """A report that holds values, in a tab of its own, would stay for ever."""
    browser.enter()
    answer = browser.get(f"reports/{RUN}/report.html")
    assert answer.headers["refresh"] == f"{IDLE_SECONDS + 5}; url=/locked"


def test_an_idle_session_closes() -> None:
    """A session that nobody uses for half an hour is closed, and listening to events does not count as use."""
    now = 0.0
    guard = Guard(1, clock=lambda: now)
    session = guard.open_session(guard.token)
    now = IDLE_SECONDS - 1
    assert guard.is_open(session, touch=False)
    now = IDLE_SECONDS + 1
    assert not guard.is_open(session)
    session = guard.open_session(guard.token)
    now += IDLE_SECONDS - 1
    assert guard.is_open(session)
    now += IDLE_SECONDS - 1
    assert guard.is_open(session)


def test_a_report_may_run_nothing(browser: Browser) -> None:
    """The page of a report has its own styles and no script at all."""
    policy = browser.enter().get(f"reports/{RUN}/report.html").headers["content-security-policy"]
    assert "sandbox" in policy
    assert "script-src" not in policy
    assert "default-src 'none'" in policy
