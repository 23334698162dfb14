"""What pages show of long tables, and of figures that a report has too."""

from __future__ import annotations

import json
import os
import re
from typing import TYPE_CHECKING

import pytest
from console_server import ENVIRONMENT, Browser, a_job, a_patient, a_report, serving

from migration_console.formats import percent
from migration_console.steps import State

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TOTALS = ("source", "created", "updated", "unchanged", "filtered", "held", "rejected")
CHECK, LATER = "20261129T060413.889482Z-73d4b5", "20261129T080413.889482Z-73d4b5"
COUNTS = {
    "equal": 9,
    "normalised": 300,
    "kept": 0,
    "unreadable": 0,
    "different": 120,
    "missing": 1,
    "extra": 0,
}


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Browser]:
    """A browser inside, before a clinic with more differences than fit on a page, among values that count as the same."""
    found = [{"object": "contact", "label": "Contacts", "field": "city", "counts": COUNTS}]
    folder = a_report(tmp_path, CHECK, mode="verify", exit_code=5, differences=found, shows_values=True)
    kinds = ["normalised"] * 200 + ["different"] * 120 + ["normalised"] * 100 + ["missing"]
    rows = "".join(f"patients/{n},contact,city,{kind},Paris,,\n" for n, kind in enumerate(kinds))
    head = "source,object,field,kind,source_value,highlevel_value,how\n"
    (folder / "differences.csv").write_text(f"\ufeff{head}{rows}", encoding="utf-8")
    with serving(tmp_path) as served:
        yield served.enter()


def listed(page: str) -> list[str]:
    """Return the kinds of the differences that a page lists one by one."""
    return re.findall(r">(normalised|different|missing)</td>", page)


def test_a_value_that_counts_as_the_same_is_no_difference(browser: Browser) -> None:
    """Neither among the rows nor in their number, which is the report's: the table beside it lists how it was normalised."""
    first, last = browser.get("check").text, browser.get("check?page=1").text
    assert "All 121 differences, one by one" in first
    assert "Page 2 of 2" in last
    assert listed(first) == ["different"] * 100
    assert listed(last) == ["different"] * 20 + ["missing"]
    assert "Bring back what is missing" in first


def test_where_all_agree_nothing_is_offered_to_be_brought_back(tmp_path: Path, browser: Browser) -> None:
    """Although the table lists how values were normalised."""
    agreeing = [{"object": "contact", "label": "Contacts", "field": "city",
                 "counts": {**COUNTS, "different": 0, "missing": 0}}]  # fmt: skip
    folder = a_report(tmp_path, LATER, mode="verify", differences=agreeing, verification={})
    (folder / "differences.csv").write_text("source,kind\npatients/1,normalised\n", encoding="utf-8")
    page = browser.get("check").text
    assert "No field differs in what was compared." in page
    assert "one by one" not in page
    assert "Bring back what is missing" not in page


def test_the_columns_of_the_differences_are_named(browser: Browser) -> None:
    """Of values only when they are shown."""
    hidden, shown = browser.get("check").text, browser.get("check?values=shown").text
    for page, names in ((hidden, 4), (shown, 7)):
        table = page.partition('aria-label="Differences one by one"')[2].partition("</table>")[0]
        assert table.count('<th scope="col">') == names
    assert "Paris" not in hidden
    assert "Paris" in shown


@pytest.mark.parametrize(
    ("encoding", "head"),
    [
        ("utf-8", "sep=;\nsource;object;field;kind;source_value"),
        ("cp1252", "Kind;source;object;field;source_value"),
    ],
)
def test_differences_are_shown_as_a_spreadsheet_has_saved_them(
    tmp_path: Path, browser: Browser, encoding: str, head: str
) -> None:
    """People take lines out of the table before a repair; a short line is one whose last cells are empty."""
    names = head.rpartition("\n")[2].lower().split(";")
    cells = [{"source": f"patients/{n}", "kind": "different", "source_value": "Zoë"} for n in range(3)]
    lines = [head, *(";".join(row.get(name, "") for name in names) for row in cells), "different;x"]
    path = tmp_path / "data" / ENVIRONMENT / "reports" / CHECK / "differences.csv"
    path.write_bytes("\r\n".join(lines).encode(encoding))
    page = browser.get("check?values=shown").text
    assert listed(page)[:3] == ["different"] * 3
    assert page.count(">Zoë</td>") == 3


def test_differences_without_their_kind_are_not_shown_as_if_there_were_none(
    tmp_path: Path, browser: Browser
) -> None:
    """The page says what is missing, and can still be used."""
    path = tmp_path / "data" / ENVIRONMENT / "reports" / CHECK / "differences.csv"
    path.write_text("source,field\npatients/1,city\n", encoding="utf-8")
    page = browser.get("check").text
    assert "is not as it was written: there is no column kind." in page
    assert "Compare again" in page


@pytest.mark.parametrize(
    ("patients", "proposed", "taken", "remains"),
    [
        (40, 10, 10, "10 of 40 patients in Cliniko were in the sample; the other 30 come with Load."),
        (3, 1, 3, "Every patient of the clinic was in the sample: Load finds only what has changed since."),
        (5_000, 100, 100, "the other 4,900 come with Load."),
    ],
)
def test_a_sample_leaves_something_to_load(
    tmp_path: Path, patients: int, proposed: int, taken: int, remains: str
) -> None:
    """The number that the page proposes fits the clinic; afterwards it says how many are left."""
    plan = {"blockers": [], "account": {"rows": {"patients": patients}}}
    a_report(tmp_path, CHECK, mode="plan", plan=plan)
    with serving(tmp_path) as browser:
        page = browser.enter().get("sample").text
        for form, most in (("preview", min(20, proposed)), ("sample", proposed)):
            asked = page.partition(f"start/{form}")[2].partition("</form>")[0]
            assert f'max="10000" value="{most}"' in asked
        assert f"{patients:,} patients are in Cliniko" in page
        a_report(tmp_path, LATER, sample={"patients": taken})
        assert remains in browser.get("sample").text


def test_what_was_undone_is_not_shown_as_loaded(tmp_path: Path) -> None:
    """Neither the sample nor the load is said to be in HighLevel any more; everything is to be read anew."""
    sample, load, *undos = (f"20261129T1{hour}0000.000000Z-73d4b5" for hour in range(4))
    totals = {**dict.fromkeys(TOTALS, 0), "created": 1}
    a_report(tmp_path, sample, sample={"patients": 1}, totals=totals)
    a_report(tmp_path, load, totals=totals)
    for run, of in zip(undos, (load, sample), strict=True):
        a_report(tmp_path, run, mode="rollback", rollback={"undoes": of})
    with serving(tmp_path) as browser:
        browser.enter()
        for key in ("sample", "load"):
            assert "Everything is in HighLevel." not in browser.get(key).text.partition("</h1>")[0]
        page = browser.get("load").text
        assert "Nothing of the newest load is left." in page


def test_a_page_says_once_what_was_saved(browser: Browser) -> None:
    """To the browser that has saved it; nothing of it stands in an address."""
    answer = browser.post(
        "sign", {"what": "go-live/points", "who": "Kim Lee", "looked": "yes", "next": "go-live"}
    )
    assert answer.headers["location"] == "/sandbox/go-live"
    said = '<p class="said" role="status" tabindex="-1" autofocus>Saved: 1 of 5 points are ticked.</p>'
    assert said in browser.get("go-live").text
    assert 'class="said"' not in browser.get("go-live").text


def test_the_handover_is_done_until_something_is_written(tmp_path: Path) -> None:
    """A run leaves a report, which is no handover; a handover tells up to the end of its last run."""
    a_report(tmp_path, CHECK)
    with serving(tmp_path, TARGET_HIGHLEVEL_LOCATION_ID="main") as browser:

        def state() -> State:
            return next(step.state for step in browser.clinic.steps() if step.key == "runs")

        assert state() is State.NOT_STARTED
        told = {"from": "2026-11-29T06:04:13Z", "to": "2026-11-29T06:04:13Z", "location_id": "main"}
        a_report(tmp_path, f"{CHECK}--{CHECK}", kind="several", **told)
        assert state() is State.DONE
        a_report(tmp_path, LATER)
        assert state() is State.OUT_OF_DATE


def test_what_an_undo_would_do_is_a_table(tmp_path: Path) -> None:
    """As the command writes it for a terminal, whose columns would not fit a phone."""
    a_report(tmp_path, CHECK, totals={**dict.fromkeys(TOTALS, 0), "created": 5})
    said = (
        f"2026-11-29T08:00:00.000000Z [info     ] meltano      Environment 'sandbox' is active\n"
        f"Undoing run {CHECK} would:\n\n  records       remove  restore  link again\n"
        "  contacts           3        0           0\n  notes on the contact  2   1   4\n\nEach record is read first.\n"
    )
    a_job(tmp_path, "undo-plan", "2026-11-29T08:00:00Z", said=said, line=f"rollback --run {CHECK}")
    with serving(tmp_path) as browser:
        page = browser.enter().get("undo").text
    assert f"<p>Undoing run {CHECK} would:</p>" in page
    assert "<p>Each record is read first.</p>" in page
    row = page.partition('<th scope="row">Notes on the contact</th>')[2].partition("</tr>")[0]
    assert re.findall(r'data-name="(.*?)">(\d)<', row) == [
        ("Remove", "2"),
        ("Restore", "1"),
        ("Link again", "4"),
    ]


def test_one_difference_is_called_so(tmp_path: Path, browser: Browser) -> None:
    """A sentence for it alone."""
    found = [{"object": "contact", "label": "Contacts", "field": "city",
              "counts": {**COUNTS, "different": 0}}]  # fmt: skip
    a_report(tmp_path, LATER, mode="verify", exit_code=5, differences=found, verification={})
    assert "<summary>1 difference</summary>" in browser.get("check").text


@pytest.mark.parametrize("wanted", ["2", "99", "9" * 5_000, "-1", "x", "²"])
def test_a_page_that_is_none_shows_one_that_is(tmp_path: Path, browser: Browser, wanted: str) -> None:
    """The last one where the number is too high: there may be fewer rows than when the address was kept."""
    told = a_report(tmp_path, LATER, mode="plan", sample={"patients": 1}, shows_values=True)
    (told / "sheet.json").write_text(json.dumps({"patients": [a_patient("Milo")]}), encoding="utf-8")
    assert listed(browser.get(f"check?page={wanted}").text)
    for page in (f"runs?page={wanted}", f"families?page={wanted}&family={wanted}", f"map?page={wanted}"):
        assert browser.get(page).status_code == 200
    assert "Milo" in browser.post("preview", {"patient": wanted}).text


def test_old_figures_are_marked(tmp_path: Path, browser: Browser) -> None:
    """They are of the plan before; what needs a person leads to the report that says more."""
    task = {
        "count": 2,
        "what": "records would be refused",
        "next_step": "Read the reasons.",
        "section": "rejects",
    }
    plan = {"blockers": [], "approval": {"digest": "0" * 64}}
    a_report(tmp_path, LATER, mode="plan", plan=plan, to_do=[task])
    os.utime(tmp_path / "mapping.yml", (0, 0))
    assert f"reports/{LATER}/report.html#rejects" in browser.get("plan").text
    assert "What follows is of the plan of" not in browser.get("plan").text
    browser.clinic.mapping.decide({"Height": "keep"})
    page = browser.get("plan").text
    assert "What follows is of the plan of" in page
    assert "which no longer holds" in page


def test_an_approval_names_what_comes_first(tmp_path: Path, browser: Browser) -> None:
    """Whoever is about to approve a plan is told which step was passed over."""
    os.utime(tmp_path / "mapping.yml", (0, 0))
    a_report(tmp_path, LATER, mode="plan", plan={"blockers": [], "approval": {"digest": "0" * 64}})
    first = '<a href="/sandbox/connect">Connect</a> comes first. 5 settings are missing.'
    assert first in browser.get("approve").text


def test_all_runs_are_counted_on_each_page(tmp_path: Path, browser: Browser) -> None:
    """Not those that the page lists."""
    for number in range(104):
        a_report(tmp_path, f"20261129T070413.{number:06}Z-73d4b5")
    for page in ("runs", "runs?page=1"):
        assert "105 runs so far." in browser.get(page).text


@pytest.mark.parametrize("name", ["Kim Lee", "Kim\u2028Lee", "Zoë\u0085"])
def test_whatever_signs_a_name_has(browser: Browser, name: str) -> None:
    """The pages open, and show who has signed."""
    browser.post("sign", {"what": "go-live/points", "who": name, "looked": "yes"})
    assert browser.clinic.signatures.all()["go-live/looked"].who == name.strip()
    assert browser.get("go-live").status_code == 200


def test_a_line_that_was_cut_loses_no_other(browser: Browser) -> None:
    """By a full disk, or a kill: who has signed before and who signs afterwards is known."""
    browser.post("sign", {"what": "go-live/points", "who": "Kim Lee", "looked": "yes"})
    kept = browser.clinic.project.data / "console" / "signatures.jsonl"
    with kept.open("ab") as file:
        file.write('{"what": "go-live/told", "who": "Zoë'.encode()[:-1])
    assert browser.get("go-live").status_code == 200
    browser.post("sign", {"what": "go-live/points", "who": "Ada", "looked": "yes", "archive": "yes"})
    signed = browser.clinic.signatures.all()
    assert {what: item.who for what, item in signed.items()} == {
        "go-live/looked": "Kim Lee",
        "go-live/archive": "Ada",
    }


def test_what_a_plan_counts_has_not_happened(tmp_path: Path, browser: Browser) -> None:
    """Neither in its figures nor where it is approved or about to be followed; a load has done what it counts."""
    counted = dict.fromkeys(TOTALS, 0) | {"created": 1311, "filtered": 312, "rejected": 3}
    cost = {"requests": 1, "hours": 0, "days": 0.1, "requests_per_day": 200000}
    plan = {"blockers": [], "approval": {"digest": "0" * 64}, "cost": cost}
    a_report(tmp_path, LATER, mode="plan", plan=plan, totals=counted)
    assert "<dt>to create</dt><dd>1,311</dd>" in browser.get("plan").text
    approve = browser.get("approve").text
    assert "1,311 to create, 0 to update, 312 to leave out, 3 that would be refused" in approve
    assert "1,311 records to create, 0 to update" in browser.get("load").text
    a_report(tmp_path, LATER.replace("T08", "T09"), totals=counted)
    assert "<dt>created</dt><dd>1,311</dd>" in browser.get("load").text


def test_a_sample_that_was_loaded_is_not_nothing(tmp_path: Path, browser: Browser) -> None:
    """The page of the load says so until everything was loaded."""
    assert "Nothing has been loaded yet." in browser.get("load").text
    a_report(tmp_path, LATER, sample={"patients": 10})
    page = browser.get("load").text
    assert "Only a sample has been loaded so far." in page
    assert "Nothing has been loaded yet." not in page


def test_a_field_that_needs_no_decision_goes_as_proposed(tmp_path: Path, browser: Browser) -> None:
    """Only what needs a decision is called not decided: else a step is done in which nine fields are not decided."""
    sure = {"name": "Fund", "label": "Fund", "type": "text", "target": "insurer", "decided_by": "recognised",
            "confidence": "high", "filled": 3, "answers": []}  # fmt: skip
    unsure = {**sure, "name": "Old", "label": "Old", "confidence": "none"}
    plan = {"blockers": [], "account": {"custom_fields": [sure, unsure]}}
    a_report(tmp_path, LATER, mode="plan", plan=plan)
    page = browser.get("map").text
    assert page.count('<option value="">as proposed</option>') == 1
    assert page.count('<option value="">not decided</option>') == 1


@pytest.mark.parametrize(
    ("part", "whole", "share"), [(20, 38, 52), (999, 1000, 99), (1000, 1000, 100), (3, 0, 0)]
)
def test_a_share_is_rounded_down(part: int, whole: int, share: int) -> None:
    """As in the reports: 100 % means that nobody is missing."""
    assert percent(part, whole) == share
