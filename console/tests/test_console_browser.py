"""The whole migration of a clinic by clicks alone, in a real browser, with the console killed in the middle of the load."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
from axe_core_python.sync_playwright import Axe
from console_blocks import commands, missing_lines
from console_server import a_patient, a_report, serving
from fresh_project import PRIVATE_PREFIXES, ROOT, FreshProject, quick_sandbox
from playwright.sync_api import ConsoleMessage, Page, Route, expect, sync_playwright
from playwright.sync_api import Error as PlaywrightError

from migration_console.steps import STEPS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from console_server import Browser

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
PATIENCE = 240.0
PAGES = [key for key, _, _ in STEPS]
TITLES = {title: key for key, title, _ in STEPS}
GUIDE = ROOT / "docs" / "console.md"

pytestmark = [
    pytest.mark.browser,
    pytest.mark.xdist_group("browser"),
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here: the console was not tried in a browser"),
]


@pytest.fixture
def page() -> Iterator[Page]:
    """A page of a real browser, in which nothing may complain."""
    with sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        opened = browser.new_page(viewport={"width": 1280, "height": 900})
        complaints: list[str] = []
        opened.on("console", lambda said: _take(said, complaints))
        yield opened
        opened.goto("about:blank")  # a page that listens would complain when its console ends first
        browser.close()
        assert complaints == []


def _take(said: ConsoleMessage, complaints: list[str]) -> None:
    """Keep what the browser complains of, but for a connection cut by a navigation, and pages refused on purpose."""
    refused = "status of 401" in said.text or said.location["url"].endswith("/nothing")
    if said.type == "error" and "net::ERR_" not in said.text and not refused:
        complaints.append(said.text)


CHOICES = ("map", "go-live")
#: Buttons that keep something, and how the page that follows begins to say what.
SAVING = {"Save": "Saved: ", "Take the proposals of this page": "Saved: ", "Sign": "Signed by Kim Lee."}
#: A step of the guide's first page: where, and what to press there.
STEP = re.compile(r"\*\*(.+?)\*\*|\*(.+?)\*")


def guide() -> Iterator[tuple[str, str]]:
    """Yield (page, button) of every click on the guide's first page."""
    first = GUIDE.read_text(encoding="utf-8").partition("\n## On one page")[2].partition("\n## ")[0]
    for line in re.findall(r"^\d+\. (.+(?:\n {4}.+)*)", first, re.MULTILINE):
        page = ""
        for button, told in STEP.findall(line):
            page = page or TITLES[told]
            if button:
                yield page, button


class Consultant:
    """Whoever moves the clinic by the guide's first page: opens pages, fills in what a form asks, presses buttons, waits."""

    def __init__(self, page: Page, link: str, clinic: str) -> None:
        """Open the console with the link that it printed."""
        self.page = page
        self.clinic = clinic
        self.base = f"{link.partition('/?')[0]}/{clinic}"
        page.goto(link)

    def press(self, step: str, button: str) -> None:
        """Press a button on the page of a step and see the page that follows."""
        if urlsplit(self.page.url).path != f"/{self.clinic}/{step}":
            self.page.goto(f"{self.base}/{step}")
        if step in CHOICES and button == "Save":
            self.choose(step)
        found = self.page.get_by_role("button", name=button, exact=True).first
        form = self.page.locator("form", has=found)
        for name, text in (("who", "Kim Lee"), ("typed", self.clinic), ("patients", "1")):
            asked = form.locator(f"input[name={name}]")
            if asked.count():
                asked.fill(text)
        with self.page.expect_navigation():
            found.click()
        assert self.page.locator(".primary").count() <= 1
        if button in SAVING:
            said = self.page.locator(".said[role=status]")
            expect(said).to_contain_text(SAVING[button])
            expect(said).to_be_focused()

    def choose(self, step: str) -> None:
        """Decide something before saving."""
        if step == "map":
            self.page.locator("select[name='place:1']").select_option("keep")
        else:
            self.page.get_by_label("A person has looked").check()

    def wait(self) -> None:
        """Wait until the page says that nothing runs any more."""
        expect(self.page.locator(".job")).to_have_text("", timeout=PATIENCE * 1000)

    def sees(self, step: str, sentence: str) -> None:
        """See a page's first sentence."""
        self.page.goto(f"{self.base}/{step}")
        expect(self.page.locator("h1").first).to_contain_text(sentence)


@contextmanager
def console(project: FreshProject) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Start the console as the guide says; yield its process and the link that it prints; kill it without a warning."""
    (command,) = commands(GUIDE)
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(PRIVATE_PREFIXES)}
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    process = subprocess.Popen(
        command.line.split(),
        cwd=project.folder,
        env={**inherited, "PATH": path, "NO_COLOR": "1"},
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    said: list[str] = []
    try:
        for line in process.stdout:
            said.append(line)
            if "token=" in line:
                break
        assert missing_lines(command.output[:2], "".join(said)) == []
        yield process, said[-1].split()[-1]
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        process.stdout.close()


@pytest.mark.timeout(900)
def test_a_clinic_moves_by_the_first_page_of_the_guide(page: Page, tmp_path: Path) -> None:
    """Every click of it, in its order, from the keys to the undo; the console is killed in the middle of the load."""
    with quick_sandbox(3) as sandbox:
        project = FreshProject(tmp_path, sandbox)
        mapping = tmp_path / "mapping.yml"
        shutil.copyfile(ROOT / "transforms" / "mapping.yml", mapping)
        with (tmp_path / ".env").open("a", encoding="utf-8") as file:
            file.write(f"TARGET_HIGHLEVEL_MAPPING={mapping}\nTARGET_HIGHLEVEL_ACCEPT_REJECTS=true\n")
        clicks = list(guide())
        begins = clicks.index(("load", "Load everything"))
        with console(project) as (_, link):
            someone = Consultant(page, link, "live")
            for step, button in clicks[:begins]:
                someone.press(step, button)
                assert sandbox.highlevel.access_token not in page.content()
                assert bool(page.locator(".sides").count()) is (button == "Show the patients side by side")
                someone.wait()
            assert ": keep\n" in mapping.read_text()
            before = sandbox.highlevel.control.stats()["writes"]
            someone.press(*clicks[begins])
            end = time.monotonic() + PATIENCE
            while sandbox.highlevel.control.stats()["writes"] == before:
                assert time.monotonic() < end
                time.sleep(0.05)
            page.goto("about:blank")  # it would complain that its console is gone
        with console(project) as (process, link):
            someone = Consultant(page, link, "live")
            someone.page.goto(f"{someone.base}/load")
            someone.wait()
            for step, button in clicks[begins + 1 :]:
                if button == "Show what undoing would do":
                    someone.sees("check", "Yes")
                    someone.sees("go-live", "Both sides agree")
                    assert page.get_by_text("Kim Lee").count()
                    assert not sandbox.highlevel.state.doubles()
                    assert len(sandbox.highlevel.state.contacts) > 2
                someone.press(step, button)
                someone.wait()
            for button in ("Show what undoing would do", "Undo this run"):  # the sample
                someone.press("undo", button)
                someone.wait()
            assert sandbox.highlevel.state.dump(schema=False) == {
                "contacts": [],
                "records": [],
                "relations": [],
            }
            page.goto("about:blank")
            os.killpg(process.pid, signal.SIGINT)
            process.wait(60)
        assert not sandbox.highlevel.control.stats()["violations"]


@pytest.fixture
def shown(tmp_path: Path) -> Iterator[Browser]:
    """A console with a preview, and a long list of fields and of differences."""
    fields = [
        {"section": f"Section {n}", "label": f"Field {n}", "target": "keep", "decided_by": "not recognised",
         "confidence": "none", "filled": n, "type": "text", "answers": ["Aaa 9"]}
        for n in range(10_000)
    ]  # fmt: skip
    account = {
        "custom_fields": fields,
        "appointment_types": [],
        "insurers": {"named_by_fields": ["Fund"]},
        "time_zone": "Australia/Melbourne",
    }
    sharing = [
        {"field": "email", "keeper": f"patients/{n}", "source": f"patients/{n}1", "because": "elder"}
        for n in range(1, 500)
    ]
    practitioners = [{"source": "practitioners/1", "match": "contact", "user": None, "because": "no_user"}]
    plan = {"blockers": [], "account": account, "families": sharing, "owners": {"practitioners": practitioners},
            "shared_addresses": {"email": {"addresses": 499, "people": 998}}, "approval": {"digest": "0" * 64},
            "cost": {"requests": 1, "hours": 1.0, "days": 0.1, "requests_per_day": 200_000}}  # fmt: skip
    a_report(tmp_path, "20261129T060413.889482Z-000001", mode="plan", plan=plan)
    folder = a_report(tmp_path, "20261129T060413.889482Z-000002", mode="plan", plan=plan, sample={"patients": 2},
                      shows_values=True)  # fmt: skip
    people = [a_patient("Milo Quartermaine"), a_patient("Ada Thistlewood")]
    (folder / "sheet.json").write_text(json.dumps({"patients": people}), encoding="utf-8")
    a_report(tmp_path, "20261129T060413.889482Z-000003")
    counts = {"equal": 1, "normalised": 0, "different": 5000, "missing": 0, "extra": 0}
    found = [{"object": "contact", "label": "Contacts", "field": "city", "counts": counts}]
    folder = a_report(
        tmp_path, "20261129T060413.889482Z-000004", mode="verify", exit_code=5, differences=found
    )
    rows = "".join(f"patients/{n},contact,city,different\n" for n in range(5_000))
    (folder / "differences.csv").write_text(f"source,object,field,kind\n{rows}", encoding="utf-8")
    with serving(tmp_path, "north") as browser:
        yield browser


#: What a narrow window would cut off: whatever reaches over its side, or over that of a box that hides or scrolls.
OUTSIDE = """() => [...document.querySelectorAll("body *")].filter((item) => {
  const box = item.getBoundingClientRect();
  const isHidden = !box.width || item.closest(".vh, .skip") || item.closest("pre, .scroll");
  return !isHidden && (box.right > innerWidth + 1 || box.left < -1);
}).map((item) => item.outerHTML.slice(0, 80))"""
#: What is to be touched and has less than 24 px of height or width; a link within a sentence may be as small as its text.
SMALL = """() => [...document.querySelectorAll("a, button, select, summary, input:not([type=hidden])")].filter((item) => {
  const touched = item.type === "checkbox" ? item.closest("label") : item;
  const box = touched.getBoundingClientRect();
  const isInText = item.tagName === "A" && getComputedStyle(item).display === "inline";
  return box.width && !isInText && !item.matches(".skip") && (box.height < 23.9 || box.width < 23.9);
}).map((item) => item.outerHTML.slice(0, 80))"""


def fits_everybody(page: Page, name: str) -> None:
    """See that axe finds nothing on this page, light or dark, and that on a phone nothing is cut off, nor too small to touch."""
    levels = {"runOnly": ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa", "best-practice"]}
    page.set_viewport_size({"width": 1280, "height": 900})
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        violations = Axe().run(page, options=levels)["violations"]
        assert [(name, item["id"], item["nodes"][0]["html"]) for item in violations] == []
    assert page.locator("tbody tr").count() <= 250
    for width in (390, 320):
        page.set_viewport_size({"width": width, "height": 740})
        assert page.evaluate(OUTSIDE) == [], f"{name} is wider than {width} px"
        assert page.evaluate(SMALL) == [], f"{name} has something too small to touch"
    assert page.locator(".primary").count() <= 1


def test_everybody_can_use_each_page(page: Page, shown: Browser) -> None:
    """Axe finds nothing on any page, light or dark; nothing is wider than a phone; long tables are paged."""
    page.goto(shown.guard.link)
    fits_everybody(page, "clinics")
    for key in PAGES:
        page.goto(f"{shown.base}/sandbox/{key}")
        fits_everybody(page, key)
    page.goto(f"{shown.base}/sandbox/nothing", wait_until="commit")
    fits_everybody(page, "refused")


def test_a_locked_browser_shows_nothing(page: Page, shown: Browser) -> None:
    """A preview is on the screen when the session closes: it goes by itself, no way back brings it, the token opens again."""
    page.goto(shown.guard.link)
    page.goto(f"{shown.base}/sandbox/sample")
    page.get_by_role("button", name="Show the patients side by side").click()
    expect(page.locator("h1")).to_contain_text("Milo Quartermaine")
    fits_everybody(page, "preview")
    page.get_by_role("button", name="Next patient").click()
    expect(page.locator("h1")).to_contain_text("Ada Thistlewood")
    (session,) = (item["value"] for item in page.context.cookies())
    shown.guard.close(session)
    expect(page.locator("h1")).to_have_text("The console is locked.", timeout=30_000)
    fits_everybody(page, "locked")
    with suppress(
        PlaywrightError
    ):  # the browser has kept nothing to go back to, and asks for nothing by itself
        page.go_back(wait_until="commit")
    for name in ("Thistlewood", "Quartermaine"):
        expect(page.locator("body")).not_to_contain_text(name)
    page.goto(f"{shown.base}/locked")
    page.get_by_label("Token").fill(shown.guard.link)
    page.get_by_role("button", name="Open").click()
    page.goto(f"{shown.base}/locked")
    expect(page.locator("h1")).to_have_text("The console is open.")
    fits_everybody(page, "open")
    page.get_by_role("link", name="Go on here").click()
    page.get_by_role("button", name="Lock").click()
    expect(page.locator("h1")).to_have_text("The console is locked.")


def test_a_page_opens_beside_many_others(page: Page, shown: Browser) -> None:
    """A browser has six connections at most, and each page listens."""
    assert page.context.browser is not None
    with page.context.browser.new_context() as beside:
        beside.new_page().goto(shown.guard.link)
        for _ in range(7):
            other = beside.new_page()
            other.goto(f"{shown.base}/sandbox/runs")
            expect(other.locator("h1")).to_contain_text("so far")


def test_what_was_sent_is_not_broken_off_by_a_job_that_begins(page: Page, shown: Browser) -> None:
    """The answer to a slow form comes; until one is sent, a page reloads itself when a job has begun or ended."""

    def hold(route: Route) -> None:
        time.sleep(3)  # in which the page is told three times what runs
        route.continue_()

    page.goto(shown.guard.link)
    page.goto(f"{shown.base}/sandbox/sample")
    page.route("**/preview", hold)
    page.evaluate("setTimeout(() => { document.body.dataset.running = 'another' }, 500)")
    page.get_by_role("button", name="Show the patients side by side").click()
    expect(page.locator("h1")).to_contain_text("Milo Quartermaine")
    page.evaluate("document.body.dataset.running = 'another'")
    expect(page.locator("body[data-running='another']")).to_have_count(0, timeout=30_000)
