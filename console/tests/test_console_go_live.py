"""What the console says of an end: what the commands and their reports say, as long as that holds."""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING, Any

import pytest
from console_server import Browser, a_job, a_report, serving

from migration_console.decisions import POINTS
from migration_console.steps import State
from target_highlevel.exit_codes import ENDS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from migration_console.steps import Step

#: Of runs and jobs, in their order.
LOAD, CHECK, LATER = (f"20261129T0{hour}0000.000000Z-73d4b5" for hour in (6, 7, 9))
ASKED, AGAIN = "2026-11-29T08:00:00Z", "2026-11-29T09:00:00Z"
YES = "Both sides agree as of 2026-11-29T06:00:00Z: the clinic can go live."
SHOWN = "Both sides agree as of 29 November 2026, 06:00 UTC: the clinic can go live."
NO = "Not yet: 1 record waits: run `meltano run tap-cliniko target-highlevel`."

STALE = "Not known: something was written or compared after the newest answer."


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Browser]:
    """A browser inside, before a clinic that was loaded and checked."""
    a_report(tmp_path, LOAD)
    a_report(tmp_path, CHECK, mode="verify")
    with serving(tmp_path) as served:
        yield served.enter()


def headline(browser: Browser) -> str:
    """Return the first sentence of the page on going live."""
    found = re.search(r"<h1>(.*?)</h1>", browser.get("go-live").text)
    assert found
    return found[1]


def step(browser: Browser, key: str) -> Step:
    """Return how a step stands."""
    return next(item for item in browser.clinic.steps() if item.key == key)


def answered(root: Path, code: int, line: str, began: str = ASKED) -> None:
    """Have the command asked whether both sides agree."""
    a_job(
        root, "go-live", began, code, said=f"Waiting records      1\ntarget-highlevel: {line} (exit {code})\n"
    )


def test_before_anybody_has_asked_the_page_says_so(browser: Browser) -> None:
    """A load and a check that ended well are no answer: they may be of another day, or of a part."""
    assert headline(browser) == "Nobody has asked yet whether both sides agree."
    found = step(browser, "go-live")
    assert (found.state, found.why) == (State.NEEDS_YOU, "Ask whether both sides agree.")


def test_yes_is_what_the_command_answered(browser: Browser, tmp_path: Path) -> None:
    """In its own words, with the moment as every page writes one."""
    answered(tmp_path, 0, YES)
    assert headline(browser) == SHOWN
    assert 'class="verdict good"' in browser.get("go-live").text
    assert step(browser, "go-live").why == "Both sides agree; tick what has been done."


def test_the_step_is_done_when_a_person_has_ticked_everything(browser: Browser, tmp_path: Path) -> None:
    """Before, the page would go on asking for something that nobody can give."""
    answered(tmp_path, 0, YES)
    every = dict.fromkeys(POINTS, "yes")
    form = {"what": "go-live/points", "next": "go-live", "who": "Kim Lee"}
    browser.post("sign", {**form, **every, "looked": ""})
    assert step(browser, "go-live").state is State.NEEDS_YOU
    browser.post("sign", {**form, **every})
    assert step(browser, "go-live").state is State.DONE


def test_no_is_an_answer_too(browser: Browser, tmp_path: Path) -> None:
    """Load and check have ended well, and the command still says why it is too early: it has not failed."""
    answered(tmp_path, 5, NO)
    assert headline(browser).startswith("Not yet: 1 record waits: run <a href=")
    assert "The last try failed" not in browser.get("go-live").text
    found = step(browser, "go-live")
    assert (found.state, found.why) == (State.NEEDS_YOU, "The two sides do not agree yet.")


def test_a_question_without_an_answer(browser: Browser, tmp_path: Path) -> None:
    """The command itself has failed."""
    answered(tmp_path, 2, "settings: TARGET_HIGHLEVEL_LOCATION_ID is not set")
    assert headline(browser) == "Not known: there was no answer."
    assert "TARGET_HIGHLEVEL_LOCATION_ID is not set" in browser.get("go-live").text
    assert step(browser, "go-live").why == "The last try failed."


LATER_RUNS: list[dict[str, Any]] = [
    {"mode": "load"},
    {"mode": "load", "sample": {"patients": 3}},
    {"mode": "verify"},
    {"mode": "rollback"},
    {"mode": "load", "started_at": "2026-11-29T07:30:00Z"},
]


@pytest.mark.parametrize("run", LATER_RUNS)
def test_an_answer_holds_until_something_is_written_or_compared(
    run: dict[str, Any], browser: Browser, tmp_path: Path
) -> None:
    """Wherever it was started, also where it was going on when somebody asked; asked again, there is an answer again."""
    answered(tmp_path, 0, YES)
    a_report(tmp_path, LATER, **run)
    assert headline(browser) == STALE
    found = step(browser, "go-live")
    assert (found.state, found.why) == (
        State.OUT_OF_DATE,
        "Something was written or compared after the answer.",
    )
    answered(tmp_path, 5, NO, began="2026-11-29T10:00:00Z")
    assert headline(browser).startswith("Not yet")


@pytest.mark.parametrize(
    ("command", "said"),
    [("load", STALE), ("repair", STALE), ("verify", STALE), ("approve", SHOWN), ("plan", SHOWN)],
)
def test_a_command_that_left_no_report_counts_too(
    command: str, said: str, browser: Browser, tmp_path: Path
) -> None:
    """It was killed, or leaves none: what it wrote nobody has looked at."""
    answered(tmp_path, 0, YES)
    a_job(tmp_path, command, AGAIN, None)
    assert headline(browser) == said


def test_a_plan_after_the_answer_changes_nothing(browser: Browser, tmp_path: Path) -> None:
    """It writes nothing and compares nothing."""
    answered(tmp_path, 0, YES)
    a_report(tmp_path, LATER, mode="plan", plan={"blockers": []})
    assert headline(browser) == SHOWN


@pytest.mark.parametrize("code", [4, 5, 75, 143])
def test_a_job_says_what_its_report_says(code: int, browser: Browser, tmp_path: Path) -> None:
    """Meltano knows 0 and 1 only: a check that found differences has not failed, nor has a load with refused records."""
    a_report(tmp_path, LATER, mode="verify", exit_code=code)
    a_job(tmp_path, "verify", AGAIN, 1)
    found = step(browser, "check")
    assert (found.state, found.why) == (State.NEEDS_YOU, ENDS[code].meaning)
    assert f"took 1 s. {ENDS[code].meaning}" in re.sub(r"\s+", " ", html.unescape(browser.get("check").text))
    assert "Failed." not in browser.get("check").text


@pytest.mark.parametrize(
    ("report", "said"),
    [
        ({"differences": [], "verification": {}}, "No field differs in what was compared."),
        ({"exit_code": 143}, "The comparison did not finish."),
    ],
)
def test_a_check_that_did_not_end_says_nothing_of_any_field(
    report: dict[str, Any], said: str, browser: Browser, tmp_path: Path
) -> None:
    """It may have found nothing because it had not looked yet."""
    a_report(tmp_path, LATER, mode="verify", **report)
    assert said in browser.get("check").text


def test_a_job_that_left_no_report_has_failed(browser: Browser, tmp_path: Path) -> None:
    """Until a later run of its kind says more, wherever that was started."""
    a_job(tmp_path, "verify", AGAIN, 1)
    assert step(browser, "check").why == "The last try failed."
    assert "Failed." in browser.get("check").text
    a_report(tmp_path, "20261129T100000.000000Z-73d4b5", mode="verify")
    assert step(browser, "check").state is State.DONE


def test_a_plan_that_did_not_end_cannot_be_approved(browser: Browser, tmp_path: Path) -> None:
    """Its pages open all the same."""
    a_report(tmp_path, LATER, mode="plan", exit_code=3)
    for page in ("plan", "map", "families", "approve", "load"):
        assert browser.get(page).status_code == 200, page
    assert "There is no plan to approve yet." in browser.get("approve").text
