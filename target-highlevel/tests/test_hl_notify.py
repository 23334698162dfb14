"""Who is told how a run ended, over real HTTP: one line, no secret in any log, and no harm where it does not arrive."""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import click
import pytest
from click.testing import CliRunner
from typing_extensions import override

from target_highlevel import notify
from target_highlevel.commands.ending import begun, ending
from target_highlevel.configuration import notice_of
from target_highlevel.endings import print_last_line
from target_highlevel.errors import CredentialsRefused, DayBudgetSpent, SettingsError
from target_highlevel.interruption import SignalReceived
from target_highlevel.settings import Settings, json_schema, settings_from
from target_highlevel.target import TargetHighLevel, run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LOCATION = "ve9EPM428h8vShlRW1KT"
GIVEN = {"access_token": "pit-secret", "location_id": LOCATION}
SECRET = "s3cr3t-token"
#: Nothing listens on port 9.
DEAF = f"json://user:{SECRET}@127.0.0.1:9/{SECRET}"


class Service(ThreadingHTTPServer):
    """A service that takes notifications; until `answers` is set it keeps its callers waiting."""

    def __init__(self) -> None:
        """Listen on a free port of loopback."""
        super().__init__(("127.0.0.1", 0), _Handler)
        self.received: list[dict[str, Any]] = []
        self.answers = threading.Event()
        self.answers.set()
        #: What happens when a notification has come.
        self.arrived: Callable[[], object] = lambda: None

    @property
    def url(self) -> str:
        """The address of this service, as Apprise knows it."""
        return f"json://127.0.0.1:{self.server_address[1]}/{SECRET}"


class _Handler(BaseHTTPRequestHandler):
    server: Service

    def do_POST(self) -> None:
        """Take a notification."""
        self.server.received.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.server.arrived()
        self.server.answers.wait(30)
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    @override
    def log_message(self, *_arguments: Any) -> None:
        """Say nothing: the output is looked at."""


@pytest.fixture
def service() -> Iterator[Service]:
    """Return a service that listens."""
    with Service() as listening:
        thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield listening
        listening.answers.set()
        listening.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def _only_what_a_test_sets(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in [name for name in os.environ if name.startswith("TARGET_HIGHLEVEL_")]:
        monkeypatch.delenv(name)
    disabled = logging.root.manager.disable
    yield
    logging.disable(disabled)


def notice(urls: str, **more: str) -> notify.Notice:
    """Return the notice of a run with these addresses."""
    found = notice_of({**GIVEN, "notify_urls": urls, **more}, environment=False, run="20261129T080000Z")
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("code", "error", "line", "begins", "kind"),
    [
        (0, None, "", "finished: verify", "success"),
        (4, None, "", "needs you: verify", "warning"),
        (5, None, "2 differences", "needs you: verify", "warning"),
        (75, DayBudgetSpent(), "", "day's budget spent: verify", "info"),
        (3, CredentialsRefused("token is dead"), "", "failed: verify", "failure"),
        (1, ValueError("Ada Lovelace"), "", "failed: verify", "failure"),
        (143, SignalReceived(15), "", "interrupted: verify", "warning"),
    ],
)
def test_each_end_is_told_in_the_words_of_the_last_line(
    code: int,
    error: BaseException | None,
    line: str,
    begins: str,
    kind: str,
    service: Service,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """One line: what it means, mode, sub-account, run, and the sentence on standard error."""
    print_last_line(code, error, line, notice(service.url, mode="verify"))
    last = capsys.readouterr().err.removeprefix("target-highlevel: ").rstrip("\n")
    (received,) = service.received
    assert received["message"] == f"{begins} ({LOCATION}, run 20261129T080000Z): {last}"
    assert last.endswith(f"(exit {code})")
    assert received["type"] == kind
    told = json.dumps(received)
    assert not any(word in told for word in (SECRET, "pit-secret", "Ada", "\\n"))


def test_whom_it_does_not_reach_is_logged_without_the_url(
    service: Service, caplog: pytest.LogCaptureFixture
) -> None:
    """The others are told all the same; at no level does a library log an address."""
    caplog.set_level(logging.DEBUG)
    for name in ("apprise", "urllib3", "urllib3.connectionpool"):
        caplog.set_level(logging.DEBUG, name)
    print_last_line(0, None, "", notice(f"{DEAF}, {service.url}"))
    assert len(service.received) == 1
    assert caplog.messages == ["notify_urls: notification 1 of 2 could not be sent"]
    logging.getLogger("urllib3").debug("logging goes on")
    assert caplog.messages[1:] == ["logging goes on"]


def test_a_service_that_does_not_answer_is_not_waited_for(
    service: Service, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The end is delayed for a while only; what goes on in the background is kept from logging details."""
    caplog.set_level(logging.DEBUG)
    monkeypatch.setattr(notify, "PATIENCE", 0.5)
    service.answers.clear()
    print_last_line(0, None, "", notice(service.url))
    assert caplog.messages == ["notify_urls: notification 1 of 1 took too long"]
    under_way = [thread for thread in threading.enumerate() if thread.name == "notification"]
    assert [thread.daemon for thread in under_way] == [True]
    service.answers.set()
    under_way[0].join(10)
    assert len(caplog.messages) == 1


@pytest.mark.parametrize(
    ("typed", "urls"),
    [
        ("json://a, json://b json://c\njson://d,json://e,", ["a", "b", "c", "d", "e"]),
        ('["json://a", "json://b"]', ["a", "b"]),
        (["json://a"], ["a"]),
        (" 'json://a' ", ["a"]),
        ("json://a/?+X-To=b,c", ["a/?+X-To=b,c"]),
        ("", []),
        ("[]", []),
    ],
)
def test_urls_are_read_as_people_write_them(typed: Any, urls: list[str]) -> None:
    """Commas, blanks, ends of lines or JSON; a comma inside an address stays."""
    settings = settings_from({**GIVEN, "notify_urls": typed})
    assert [url.get_secret_value() for url in settings.notify_urls] == [f"json://{url}" for url in urls]
    assert "json://" not in f"{settings!r} {settings.notify_urls!r}"


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (f"nonsense-{SECRET}", "must hold Apprise URLs: see"),
        (f"json://a, bogus://{SECRET}", "number 2 of 2"),
        (f"json://a {SECRET}", "number 2 of 2"),
        (f"tgram://{SECRET}", "must hold Apprise URLs: see"),
        (f'["json://{SECRET}"', "as a list in JSON"),
        (f'["{SECRET}", 7]', "as a list in JSON"),
        ({"url": SECRET}, "as a list in JSON"),
    ],
)
def test_what_is_no_url_is_a_wrong_setting(typed: Any, said: str, caplog: pytest.LogCaptureFixture) -> None:
    """The variable is named, and which of several; the value is neither shown nor logged."""
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.DEBUG, "apprise")
    with pytest.raises(SettingsError) as caught:
        settings_from({**GIVEN, "notify_urls": typed})
    assert caught.value.hint.startswith("TARGET_HIGHLEVEL_NOTIFY_URLS must hold")
    assert said in caught.value.hint
    assert SECRET not in caught.value.hint
    assert not caplog.messages
    assert notice_of({**GIVEN, "notify_urls": typed}, environment=False) is None


def test_the_setting_is_a_secret() -> None:
    """Meltano and `--about` keep it to themselves; nobody is told unless it is set."""
    described = json_schema()["properties"]["notify_urls"]
    assert described["type"] == ["string", "null"]
    assert described["secret"]
    assert "default" not in described
    assert Settings.read(GIVEN).notify_urls == ()
    assert notice_of(GIVEN, environment=False) is None


def test_a_run_with_wrong_settings_is_told_too(
    service: Service, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody looks at a nightly log; what stands in the other settings is not sent."""
    ignored: list[None] = []
    monkeypatch.setattr("target_highlevel.target.ignore_signals", lambda: ignored.append(None))
    monkeypatch.setenv("TARGET_HIGHLEVEL_NOTIFY_URLS", service.url)
    monkeypatch.setenv("TARGET_HIGHLEVEL_MODE", "pit-secret")
    monkeypatch.setenv("TARGET_HIGHLEVEL_LOCATION_ID", "pit secret")
    assert run(TargetHighLevel, SimpleNamespace(config={}, parse_env=True), None) == 2
    last = capsys.readouterr().err.splitlines()[-1].removeprefix("target-highlevel: ")
    assert [item["message"] for item in service.received] == [f"failed: run (no sub-account): {last}"]
    assert "pit" not in last.replace("TARGET_HIGHLEVEL", "")


def test_a_command_is_told_by_its_name_and_its_run(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands end at one place; a notification that fails changes nothing of the exit code."""

    @click.command("rollback")
    def command() -> None:
        def work(_settings: Settings) -> tuple[int, str]:
            begun("20261129T090000Z")
            return 0, "run 1 is undone"

        ending(work)

    for name, value in GIVEN.items():
        monkeypatch.setenv(f"TARGET_HIGHLEVEL_{name.upper()}", value)
    monkeypatch.setenv("TARGET_HIGHLEVEL_NOTIFY_URLS", f'["{service.url}", "{DEAF}"]')
    result = CliRunner().invoke(command)
    assert result.exit_code == 0
    assert result.stderr.endswith("target-highlevel: run 1 is undone (exit 0)\n")
    assert [item["message"] for item in service.received] == [
        f"finished: rollback ({LOCATION}, run 20261129T090000Z): run 1 is undone (exit 0)"
    ]


def test_a_command_stopped_while_it_notifies_says_its_line(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command itself has come to its end: its exit code stands."""

    def stop(signum: int, _frame: object) -> None:
        raise SignalReceived(signum)

    for name, value in GIVEN.items():
        monkeypatch.setenv(f"TARGET_HIGHLEVEL_{name.upper()}", value)
    monkeypatch.setenv("TARGET_HIGHLEVEL_NOTIFY_URLS", service.url)
    service.answers.clear()
    service.arrived = lambda: os.kill(os.getpid(), signal.SIGUSR1)
    before = signal.signal(signal.SIGUSR1, stop)
    try:
        result = CliRunner().invoke(click.command("runs")(lambda: ending(lambda _: (0, "3 runs"))))
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert (result.exit_code, result.stderr) == (0, "target-highlevel: 3 runs (exit 0)\n")
    assert logging.root.manager.disable == logging.INFO


def test_apprise_is_loaded_only_when_somebody_is_to_be_told() -> None:
    """It takes seconds to load."""
    program = "import sys, target_highlevel.target, target_highlevel.cli; sys.exit('apprise' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
