"""The page of a report: repeatable to the byte, nothing to fetch, nothing to run, fit for a screen reader."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from hl_report_ledger import ReportedLedger, a_clinic, handed_over, ledger_at

from target_highlevel.report.content import RunFacts, gather
from target_highlevel.report.differences import Difference, DifferenceTable, Kind
from target_highlevel.report.moments import moment
from target_highlevel.report.page import bars, duration, run_page, window_page
from target_highlevel.report.window import window_content
from target_highlevel.report.wording import OUTCOMES, remark

if TYPE_CHECKING:
    from pathlib import Path

VOID = {"meta", "link", "br", "rect", "circle"}


class Page(HTMLParser):
    """Reads a page and remembers its elements; fails where they do not nest."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self._open: list[str] = []
        self.feed(text)
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Remember an element."""
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """Check that the innermost element ends first."""
        if tag not in VOID:
            assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        """Remember the text."""
        self.text += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        """Return the attributes of every element of a kind."""
        return [attributes for name, attributes in self.elements if name == tag]


@pytest.fixture(scope="module")
def contents(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """Content of a run in which something of everything happens, and of a window of runs."""
    folder = tmp_path_factory.mktemp("page")
    ledger = ledger_at(folder)
    reported = ReportedLedger(ledger)
    reported.begin()
    a_clinic(reported)
    differences = DifferenceTable()
    found = Difference("patients/1", "contact", "city", Kind.DIFFERENT, "<b>", "&")
    differences.write(folder / "differences.csv", [found])
    facts = RunFacts(requests=1234, schema_created=["custom_objects.<script>"])
    run = gather(ledger, reported.run, facts, 4, error="<img src=x>", differences=differences.summary())
    window = window_content(handed_over(ledger, [reported.run]))
    ledger.close()
    return {"run": run, "window": window}


def test_the_same_content_gives_the_same_bytes(contents: dict[str, dict[str, Any]]) -> None:
    """Nothing of the moment, the machine or the order of a set gets into a page."""
    assert run_page(contents["run"]) == run_page(dict(reversed(contents["run"].items())))


def test_nothing_is_fetched_and_nothing_runs(contents: dict[str, dict[str, Any]]) -> None:
    """No script, no image, no font, no style from elsewhere; links stay on the page."""
    for page in (Page(run_page(contents["run"])), Page(window_page(contents["window"]))):
        tags = {tag for tag, _ in page.elements}
        assert not tags & {"script", "img", "iframe", "object", "embed", "form", "video", "audio", "base"}
        links = {
            str(link["href"]).partition("/v2/")[0]
            for link in page.all("a")
            if not str(link["href"]).startswith("#")
        }
        assert links <= {"https://app.gohighlevel.com"}  # followed by a person only
        assert [link["href"] for link in page.all("link")] == ["data:,"]
        assert not any(name.startswith("on") for _, attributes in page.elements for name in attributes)


def test_values_are_escaped(contents: dict[str, dict[str, Any]]) -> None:
    """What comes from outside is text, never markup."""
    text = run_page(contents["run"])
    assert "<img src=x>" not in text
    assert "&lt;img src=x&gt;" in text
    assert "custom_objects.&lt;script&gt;" in text


def test_a_page_that_shows_values_says_so(contents: dict[str, dict[str, Any]]) -> None:
    """With patients' data on it, a page warns at its top and claims nothing else at its foot; without, it may be passed on."""
    masked, shown = (run_page({**contents["run"], "shows_values": shows}) for shows in (False, True))
    assert "it holds no personal data" in masked
    assert "shows patients" not in masked
    assert "no personal data" not in shown
    assert shown.index("This report shows patients' data") < shown.index("<h1>")


def test_a_screen_reader_finds_its_way(contents: dict[str, dict[str, Any]]) -> None:
    """Language, landmarks, one main heading, headings in order, captions, scopes, a text for every chart."""
    for page in (Page(run_page(contents["run"])), Page(window_page(contents["window"]))):
        assert page.all("html")[0]["lang"] == "en"
        assert len(page.all("h1")) == len(page.all("main")) == len(page.all("header")) == 1
        assert len(page.all("caption")) == len(page.all("table"))
        assert all(cell.get("scope") in {"col", "row"} for cell in page.all("th"))
        assert all(chart.get("aria-label") for chart in page.all("svg") if chart.get("role") == "img")
        levels = [int(tag[1]) for tag, _ in page.elements if tag in {"h1", "h2", "h3"}]
        assert all(after - before <= 1 for before, after in pairwise(levels))


def _luminance(colour: str) -> float:
    channels = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _contrast(one: str, other: str) -> float:
    low, high = sorted((_luminance(one), _luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_colours_can_be_told_from_what_is_behind_them(
    contents: dict[str, dict[str, Any]], scheme: int
) -> None:
    """Text has a contrast of 4.5 to 1, a part of a chart 3 to 1, as WCAG asks, by day and by night."""
    root = re.findall(r":root \{(.*?)\}", run_page(contents["run"]), re.DOTALL)[scheme]
    colours = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", root))
    for text, behind in (("ink", "card"), ("soft", "card"), ("soft", "paper"), ("link", "card")):
        assert _contrast(colours[text], colours[behind]) >= 4.5
    for tone in ("good", "attention", "bad"):
        assert _contrast(colours[tone], colours[f"{tone}-bg"]) >= 4.5
    for outcome in OUTCOMES:
        assert _contrast(colours[outcome], colours["card"]) >= 3


def test_every_link_leads_somewhere(contents: dict[str, dict[str, Any]]) -> None:
    """The list of what needs a person points at the sections that tell more."""
    page = Page(run_page(contents["run"]))
    ids = [str(attributes["id"]) for _, attributes in page.elements if attributes.get("id")]
    assert len(ids) == len(set(ids))
    assert {str(link["href"])[1:] for link in page.all("a")} <= set(ids)
    assert {str(part["aria-labelledby"]) for part in page.all("section")} <= set(ids)


def test_the_page_says_what_a_manager_asks(contents: dict[str, dict[str, Any]]) -> None:
    """Did it work, what needs me, how many: all in words."""
    text = Page(run_page(contents["run"])).text
    assert "Almost: 8 records did not go in and need a person." in text
    assert "Patients → contacts" in text
    assert "Upload it by hand" in text
    assert "body charts" in text


def test_every_record_is_told_on_top(contents: dict[str, dict[str, Any]]) -> None:
    """The numbers on top add up to what was looked at; a delta says that it looked at this time's records only."""
    page = run_page(contents["run"])
    told = [int(value) for value in re.findall(r"<dd>(\d+)</dd>", page[: page.index("</header>")])]
    totals = contents["run"]["totals"]
    assert sum(told) == totals["source"]
    assert f"of {totals['source']} looked at this time" not in page
    assert f"of {totals['source']} looked at this time" in run_page({**contents["run"], "changes_only": True})


def test_practitioners_who_have_left_ask_for_nothing(contents: dict[str, dict[str, Any]]) -> None:
    """The number is that of the list on top; who has left is told beside it."""
    text = Page(run_page(contents["run"])).text
    assert "Practitioners without a user: 1" in text
    assert "1 has left the clinic; nothing to do: practitioners/3." in text


@pytest.mark.parametrize(
    ("resource", "more", "said"),
    [
        ("attendees", {"reasons": {"filtered": {"beside_another": 83}}}, "left out here"),
        ("relationships", {"unchanged": 3, "reasons": {}}, "the other person's side has brought"),
        ("patients", {"unchanged": 3, "reasons": {}}, ""),
    ],
)
def test_a_row_whose_numbers_surprise_is_explained(resource: str, more: dict[str, Any], said: str) -> None:
    """Attendances of individual appointments are no lost group bookings; a tie told twice is one tie."""
    assert said in remark({"resource": resource, **more})


ONE: dict[str, Any] = {
    "blockers": [],
    "settings_to_check": [],
    "approval": {"approved": False, "required": False},
    "bookings_to_come": {"as_events": 0, "as_tasks_only": 1},
    "owners": {"practitioners": [], "fallback_user": None, "fallback_email": None},
    "note_readers": {"everybody": [{"user": "u", "email": None}], "own_patients": [], "not_known": []},
    "note_sizes": {"notes": 1, "characters": 1, "longest": 1, "divided": 1, "by_length": []},
    "account": {
        **dict.fromkeys(("custom_fields", "appointment_types", "locations"), ()),
        "rows": {},
        "insurers": {"payers": ["contacts/1"], "named_by_fields": [], "made": []},
        "attachments": [{"type": "pdf", "count": 1, "bytes": 1, "largest": 1}],
        "pictures_in_notes": 1,
        "unusable_addresses": {"email": [], "phone": []},
    },
    "stages": [],
    "downloads": {"files": 1, "bytes": 1, "bytes_to_download": 1, "bytes_free": 1, "enough": True},
    "shared_addresses": {name: {"addresses": 1, "people": 2} for name in ("email", "phone")},
    "families": [],
    "quality": {"patients": 1, "without_findings": 1, "score": 100, "possible_duplicates": 1, "findings": {}},
    "schema": {"objects": {"after": 1, "limit": 10, "new": 1}, "items": []},
    "cost": {
        **dict.fromkeys(("requests", "spent_by_the_plan"), 1), **dict.fromkeys(("hours", "days"), 0.0),
        "requests_per_10s": 100, "requests_per_day": 200_000, "by_route": [],
    },
}  # fmt: skip
VERBS = {"is", "has", "was", "needs", "waits", "belongs", "pays", "stands", "s"}


def planned(tmp_path: Path, plan: dict[str, Any]) -> str:
    """Return the text of the page of a plan."""
    ledger = ledger_at(tmp_path)
    reported = ReportedLedger(ledger)
    reported.begin("plan")
    text = Page(run_page(gather(ledger, reported.run, RunFacts(), 0, plan=plan))).text
    ledger.close()
    return text


def test_one_is_told_in_the_singular(contents: dict[str, dict[str, Any]], tmp_path: Path) -> None:
    """Of a very small practice every number may be one."""
    audit = {**contents["window"]["audit"], "entries": 1}
    window = {**contents["window"], "audit": audit, "totals": dict.fromkeys(contents["window"]["totals"], 1)}
    told = [planned(tmp_path, ONE), Page(window_page(window)).text]
    assert [
        found for text in told for found in re.findall(r"\b1 ([\w-]+s)\b", text) if found not in VERBS
    ] == []
    assert "1 contact pays for patients" in told[0]
    assert "1 entry" in told[1]


def test_no_share_is_told_of_nobody(tmp_path: Path) -> None:
    """A clinic without patients has no hundred per cent of them in order."""
    nobody = {"patients": 0, "without_findings": 0, "score": 100, "possible_duplicates": 0, "findings": {}}
    text = planned(tmp_path, {**ONE, "quality": nobody})
    assert "No patients were read" in text
    assert "100 %" not in text


def test_a_page_does_not_name_thousands(tmp_path: Path) -> None:
    """Of a large clinic the table beside the page names them all."""
    many = [f"patients/{number}" for number in range(5_000)]
    account = {**ONE["account"], "unusable_addresses": {"email": many[:2], "phone": many}}
    text = planned(tmp_path, {**ONE, "account": account})
    assert "(2): patients/0, patients/1. It stays" in text
    assert "(5,000): patients/0" in text
    assert "patients/99 and others, which quality.csv names" in text
    assert "patients/100" not in text


def test_a_plan_retries_nothing(contents: dict[str, dict[str, Any]]) -> None:
    """What would be refused was never sent: no step of a plan's page is to send it again."""
    planned = {**contents["run"]["rejects"][0], "next_step": "Make room, then `retry`."}
    told = [run_page({**contents["run"], "mode": mode, "rejects": [planned]}) for mode in ("load", "plan")]
    assert ["then <code>retry</code>" in page for page in told] == [True, False]
    assert "Make room, then plan again." in told[1]


def test_a_plan_says_of_nothing_that_it_is_there_already(
    contents: dict[str, dict[str, Any]], tmp_path: Path
) -> None:
    """Nothing was written: practitioners would become contacts. The page names the tables that lie beside it."""
    told = [Page(run_page({**contents["run"], "mode": mode})).text for mode in ("load", "plan")]
    assert [" is in HighLevel as a contact" in text for text in told] == [True, False]
    assert "Each of them would become a contact" in told[1]
    for table in ("quality.csv", "duplicates.csv", "families.csv"):
        assert f", {table}" in planned(tmp_path, ONE)


def test_lists_are_in_the_order_of_their_names(tmp_path: Path) -> None:
    """Of the names that the page shows, not of Cliniko's own."""
    rows = {"billable_items": 1, "businesses": 2, "attendees": 3}
    text = planned(tmp_path, {**ONE, "account": {**ONE["account"], "rows": rows}})
    places = [text.index(f"{name}{rows[key]}") for key, name in (
        ("attendees", "Attendances"), ("businesses", "Locations"), ("billable_items", "Services"),
    )]  # fmt: skip
    assert places == sorted(places)


def test_no_part_of_a_bar_is_too_thin_to_be_seen() -> None:
    """One refused record among a hundred thousand shows, and the parts fill the bar exactly."""
    row = {"created": 100_000, "updated": 0, "unchanged": 3, "filtered": 0, "held": 0, "rejected": 1}
    parts = bars(row)
    assert [name for name, _, _ in parts] == ["created", "unchanged", "rejected"]
    assert min(width for _, _, width in parts) >= 12
    assert sum(width for _, _, width in parts) == 1000
    assert parts[-1][1] + parts[-1][2] == 1000


def test_a_row_of_nothing_has_an_empty_bar() -> None:
    """No record, no part."""
    assert bars(dict.fromkeys(("created", "updated", "unchanged", "filtered", "held", "rejected"), 0)) == []


@pytest.mark.parametrize(
    ("seconds", "text"), [(None, "not known"), (9, "9 s"), (90, "1 min 30 s"), (7260, "2 h 1 min")]
)
def test_lengths_of_time_are_told_in_two_units(seconds: int | None, text: str) -> None:
    """Nobody needs the seconds of a run that took hours."""
    assert duration(seconds) == text


def test_moments_are_written_out() -> None:
    """A date reads the same in every country."""
    assert moment("2026-11-02T09:05:00Z") == "2 November 2026, 09:05 UTC"


@pytest.mark.parametrize("zone", [None, "", "Nowhere/At All", "..", "UTC"])
def test_a_zone_that_nobody_knows_is_utc(zone: str | None) -> None:
    """A page never fails for what Cliniko calls its zone."""
    assert moment("2026-11-30T18:05:18Z", zone) == "30 November 2026, 18:05 UTC"


def test_moments_are_in_the_clinic_s_zone() -> None:
    """The day may be another one there, so the zone is named."""
    assert moment("2026-11-30T18:05:18Z", "Australia/Sydney") == "1 December 2026, 05:05 AEDT"
