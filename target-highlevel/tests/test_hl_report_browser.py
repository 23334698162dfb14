"""The report in a real browser: nothing fetched, nothing to complain about, nothing wider than the screen."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
import threading
from dataclasses import dataclass
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from hl_loading import Loader
from hl_report_ledger import (
    CONTACTS,
    NOTES,
    ReportedLedger,
    a_clinic,
    a_rollback,
    a_verification,
    handed_over,
    ledger_at,
)

from sandbox import Sandbox
from target_highlevel.report.content import RunFacts, gather
from target_highlevel.report.differences import Difference, DifferenceTable, Kind
from target_highlevel.report.page import run_page, window_page
from target_highlevel.report.window import window_content

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from hl_loading import Clinic

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)

pytestmark = [
    pytest.mark.browser,
    pytest.mark.xdist_group("browser"),
    pytest.mark.skipif(
        CHROMIUM is None, reason="no Chromium here: the report was not looked at in a browser"
    ),
]

#: Page -> how its first sentence begins.
PAGES = {
    "run.html": "Almost",
    "window.html": "Not all of it yet",
    "verification.html": "Not quite",
    "rollback.html": "Not wholly undone",
    "stopped.html": "Not finished",
    "plan.html": "Nothing was written, and one thing would stop the load, in this sample",
}
WIDTHS = (1280, 768, 390, 320)

#: A page of ours that opens a report in frames of several widths, and writes down what it measures there.
_MEASURE = """<!doctype html><body><script>
const measure = (frame, width) => {
  const inside = frame.contentDocument, root = inside.documentElement;
  const all = [...inside.querySelectorAll('main *')];
  const shown = all.filter(e => !e.closest('.vh, .stack thead'));
  const wide = shown.filter(e => e.getBoundingClientRect().right > width + 1);
  return {
    width: root.clientWidth, content: root.scrollWidth, wide: wide.map(e => e.tagName + '.' + e.className),
    fetched: frame.contentWindow.performance.getEntriesByType('resource').map(e => e.name),
    heading: inside.querySelector('h1').innerText,
    smallest: Math.min(...all.map(e => parseFloat(getComputedStyle(e).fontSize))),
    answered: inside.querySelector('.numbers').getBoundingClientRect().bottom,
  };
};
for (const width of WIDTHS) {
  const frame = document.createElement('iframe');
  frame.style = `width:${width}px;height:900px;border:0`;
  frame.onload = () => {
    const told = document.createElement('pre');
    told.textContent = JSON.stringify(measure(frame, width));
    document.body.append(told);
  };
  frame.src = 'PAGE';
  document.body.append(frame);
}
</script>"""


class Site(ThreadingHTTPServer):
    """Serves the pages on loopback and remembers every path that was asked for."""

    def __init__(self, folder: Path) -> None:
        self.asked: list[str] = []
        super().__init__(("127.0.0.1", 0), partial(_Handler, directory=str(folder)))

    @property
    def url(self) -> str:
        """Return the address of the folder."""
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Write nothing on standard error."""

    def do_GET(self) -> None:
        self.server.asked.append(urlsplit(self.path).path)  # type: ignore[attr-defined]
        super().do_GET()


def plan_page(lines: list[str], folder: Path) -> str:
    """Return the page of a real plan: of a sample, beside people who were there, with something that stops the load."""
    sample = [json.loads(line) for line in lines]
    for message in sample:
        if message["type"] == "SCHEMA":
            message["schema"]["x-sample"] = True
    patients = [line["record"] for line in sample if line.get("stream") == "patients" and "record" in line]
    with Sandbox(seed=1, patients=1, highlevel={"burst_limit": 100_000}) as sandbox:
        sandbox.highlevel.state.populate(20, patients, same_person=2, shared_email=1)
        planned = Loader(sandbox, folder).load(
            map(json.dumps, sample), MODE="plan", FALLBACK_OWNER="nobody@example.org"
        )
    assert planned.code == 0, planned.log[-2000:]
    return next(folder.glob("reports/*/report.html")).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def folder(small_clinic: Clinic, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a page of every kind of run, in each of which something of everything happens."""
    folder = tmp_path_factory.mktemp("browser")
    ledger = ledger_at(folder)
    reported = ReportedLedger(ledger)
    earlier = reported.begin()
    reported.receive(CONTACTS, "patients/1234567890123456789")
    reported.write()
    ledger.end_run(earlier, 75, {})
    reported.begin()
    a_clinic(reported)
    reported.receive(NOTES, f"treatment_notes/{'9' * 30}", contact="patients/404")
    differences = DifferenceTable()
    found = Difference("patients/1", "contact", "cliniko_unmapped_custom_fields", Kind.DIFFERENT, "a", "b")
    differences.write(folder / "differences.csv", [found])
    made = ["custom_objects.cliniko_invoice_line_item"]
    facts = RunFacts(requests=123_456, greatest_window=97, schema_created=made)
    content = gather(ledger, reported.run, facts, 4, error="x" * 120, differences=differences.summary())
    (folder / "run.html").write_text(run_page(content), encoding="utf-8")
    window = window_content(handed_over(ledger, [earlier, reported.run]))
    (folder / "window.html").write_text(window_page(window), encoding="utf-8")
    found_too = differences.summary()
    checked = a_verification(differences.first, different=1, extra=2, rejected=1, held=1, filtered=1)
    verification = gather(ledger, reported.run, facts, 5, differences=found_too, verification=checked)
    (folder / "verification.html").write_text(run_page(verification), encoding="utf-8")
    undone = a_rollback(reported, earlier, left=2, spared=9)
    rollback = gather(ledger, reported.run, facts, 1, rollback=undone)
    (folder / "rollback.html").write_text(run_page(rollback), encoding="utf-8")
    stopped = {**a_rollback(reported, earlier, spared=1), "read_back": False, "left_behind": None}
    unfinished = gather(ledger, reported.run, facts, 75, error="x" * 120, rollback=stopped)
    (folder / "stopped.html").write_text(run_page(unfinished), encoding="utf-8")
    plan = plan_page(small_clinic.lines, tmp_path_factory.mktemp("plan"))
    (folder / "plan.html").write_text(plan, encoding="utf-8")
    for page in PAGES:
        measure = _MEASURE.replace("PAGE", page).replace("WIDTHS", str(list(WIDTHS)))
        (folder / f"measure-{page}").write_text(measure, encoding="utf-8")
    ledger.close()
    return folder


@pytest.fixture(scope="module")
def site(folder: Path) -> Iterator[Site]:
    """The folder, served on loopback."""
    server = Site(folder)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def browse(profile: Path, address: str, *options: str) -> subprocess.CompletedProcess[str]:
    """Open an address in a browser of its own that resolves no name, and return what it said."""
    command = [
        str(CHROMIUM),
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
        "--enable-logging=stderr",
        "--hide-scrollbars",
        f"--user-data-dir={profile}",
        *options,
        address,
    ]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)


@dataclass(frozen=True)
class Look:
    """What one look at a page showed: measures by width, what the server was asked, what the browser said."""

    page: str
    measures: dict[int, dict[str, Any]]
    asked: set[str]
    said: str


@pytest.fixture(scope="module", params=PAGES)
def look(request: pytest.FixtureRequest, site: Site, tmp_path_factory: pytest.TempPathFactory) -> Look:
    """A look at a page in frames of several widths."""
    profile = tmp_path_factory.mktemp("profile")
    site.asked.clear()
    answer = browse(profile, f"{site.url}/measure-{request.param}", "--dump-dom", "--window-size=1400,1000")
    written = re.findall(r"<pre>(.*?)</pre>", answer.stdout, re.DOTALL)
    measures = [json.loads(html.unescape(text)) for text in written]
    assert len(measures) == len(WIDTHS), answer.stderr
    asked = set(site.asked) - {f"/measure-{request.param}", "/favicon.ico"}
    return Look(
        request.param,
        {item["width"]: item for item in measures},
        asked - {f"/{request.param}"},
        answer.stderr,
    )


@pytest.mark.parametrize("width", WIDTHS)
def test_nothing_is_wider_than_the_screen(look: Look, width: int) -> None:
    """From a desktop to a small phone, nobody scrolls sideways, and no text is too small to read."""
    found = look.measures[width]
    assert found["heading"].startswith(PAGES[look.page])
    assert (found["content"], found["wide"]) == (width, [])
    assert found["smallest"] >= 12


@pytest.mark.parametrize("width", [1280, 390])
def test_the_first_screen_holds_the_answer(look: Look, width: int) -> None:
    """The sentence and the three numbers are seen without scrolling."""
    assert look.measures[width]["answered"] < 700


def test_the_page_asks_for_nothing_and_complains_of_nothing(look: Look) -> None:
    """The page itself is all that is fetched, and the console stays empty."""
    assert all(found["fetched"] == [] for found in look.measures.values())
    assert look.asked == set()
    assert "CONSOLE" not in look.said


def test_a_complaint_would_be_noticed(site: Site, folder: Path, tmp_path: Path) -> None:
    """The check above can fail: a page that loads a picture is stopped by its own policy, and says so."""
    page = (folder / "run.html").read_text(encoding="utf-8")
    spoilt = page.replace("<main id=", '<img src="http://elsewhere.example/x.png" alt=""><main id=')
    (folder / "spoilt.html").write_text(spoilt, encoding="utf-8")
    answer = browse(tmp_path, f"{site.url}/spoilt.html", "--dump-dom")
    assert "CONSOLE" in answer.stderr
    assert "Content Security Policy" in answer.stderr


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_it_can_be_seen(folder: Path, tmp_path: Path, dark: bool) -> None:  # noqa: FBT001
    """Opened as a file, as a clinic does: a picture comes out in both colour schemes."""
    picture = tmp_path / "report.png"
    options = ["--force-dark-mode"] if dark else []
    browse(tmp_path / "profile", (folder / "run.html").as_uri(), f"--screenshot={picture}", *options)
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert picture.stat().st_size > 20_000


def test_it_prints(folder: Path, tmp_path: Path) -> None:
    """On paper it takes a handful of pages."""
    paper = tmp_path / "report.pdf"
    browse(
        tmp_path / "profile",
        (folder / "run.html").as_uri(),
        f"--print-to-pdf={paper}",
        "--no-pdf-header-footer",
    )
    pages = len(re.findall(rb"/Type\s*/Page\b", paper.read_bytes()))
    assert 2 <= pages <= 10
