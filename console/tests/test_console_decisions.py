"""Decisions by forms: who keeps an address, owners, insurers, what is moved, and who signs."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest
from console_server import MAPPING, Browser, a_patient, a_report, serving

from migration_console.commands import COMMANDS
from migration_console.console import Clinic
from migration_console.decisions import decide
from migration_console.project import Project
from migration_console.requests import Options, Refused
from migration_console.steps import State

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PLAN, SAMPLE = "20261129T060413.889482Z-73d4b5", "20261129T070413.889482Z-73d4b5"
FAMILIES = [
    {"field": "email", "keeper": "patients/1", "source": "patients/2", "because": "guardian"},
    {"field": "email", "keeper": "patients/1", "source": "contacts/3", "because": "elder"},
    {"field": "phone", "keeper": "patients/1", "source": "patients/2", "because": "guardian"},
]
FIELD = {"name": "Fund", "section": "", "label": "Fund", "type": "text", "target": "insurer", "decided_by": "recognised",
         "confidence": "high", "filled": 3, "answers": ["Aaaa Aaa"]}  # fmt: skip


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Browser]:
    """A browser inside, before a clinic with a plan and a preview."""
    account: dict[str, Any] = {
        "custom_fields": [FIELD],
        "appointment_types": [],
        "insurers": {"named_by_fields": ["Bupa AU", "Gym"]},
        "rows": {"patients": 6},
    }
    practitioners = [{"source": "practitioners/12", "match": "contact", "user": None, "because": "no_user"}]
    plan = {
        "blockers": [],
        "approval": {"digest": "0" * 64},
        "account": account,
        "owners": {"practitioners": practitioners},
        "shared_addresses": {"email": {"addresses": 1, "people": 3}},
        "families": FAMILIES,
    }
    a_report(tmp_path, PLAN, mode="plan", plan=plan)
    with serving(tmp_path) as served:
        yield served.enter()


def said(browser: Browser) -> str:
    """Return the mapping file."""
    return browser.clinic.project.mapping.read_text(encoding="utf-8")


def test_who_keeps_an_address_is_decided_and_taken_back(browser: Browser) -> None:
    """One of those who share it; somebody else's turn takes it from the first; the rest of the file stays."""
    email = {"address:1": "email", "sharers:1": "patients/1 patients/2 contacts/3"}
    phone = {"address:2": "phone", "sharers:2": "patients/1 patients/2"}
    form = {**email, **phone, "next": "families"}
    answer = browser.post("decide/families", {**form, "keeper:1": "patients/2", "keeper:2": "patients/2"})
    assert answer.headers["location"] == "/sandbox/families"
    assert "Saved: 2 shared e-mails or phones. " in browser.get("families").text
    assert said(browser) == f"{MAPPING}keeps:\n  patients/2: [email, phone]\n"
    page = browser.get("families").text
    assert page.count("<option selected>patients/2</option>") == 2
    browser.post("decide/families", {**form, "keeper:1": "contacts/3", "keeper:2": "patients/2"})
    assert browser.clinic.mapping.keeps() == {"patients/2": ["phone"], "contacts/3": ["email"]}
    browser.post("decide/families", {**email, "keeper:1": ""})
    assert browser.clinic.mapping.keeps() == {"patients/2": ["phone"]}
    browser.post("decide/families", {**email, "keeper:1": ""})  # nothing new: nothing to take back
    for _ in range(3):
        assert browser.post("decide/undo", {"next": "families"}).status_code == 303
    assert said(browser) == MAPPING
    assert not browser.clinic.mapping.can_undo()


@pytest.mark.parametrize(
    ("part", "fields"),
    [
        ("families", {"address:1": "email", "sharers:1": "patients/1 patients/2", "keeper:1": "contacts/3"}),
        ("families", {"address:1": "email", "sharers:1": "patients/1 patients/9", "keeper:1": "patients/9"}),
        ("families", {"address:1": "fax", "sharers:1": "patients/1", "keeper:1": "patients/1"}),
        ("families", {"address:1": "email", "sharers:1": "", "keeper:1": ""}),
        ("map", {"practitioner:1": "12", "email:1": "nobody"}),
        ("map", {"practitioner:1": "x: y", "email:1": "orla@clinic.example"}),
        ("map", {"moves": "yes", "oldest_visit": "yesterday"}),
        ("map", {"insurer:1": "Gym", "same_as:1": "Bupa", "none:1": "yes"}),
        ("map", {"insurer:1": "", "none:1": "yes"}),
        ("map", {"field:1": "Fund", "place:1": "somewhere"}),
        ("map", {"field:1": "Fund", "place:1": "keep", "practitioner:1": "12", "email:1": "nobody"}),
        ("everything", {}),
    ],
)
def test_what_cannot_be_decided_is_refused(browser: Browser, part: str, fields: dict[str, str]) -> None:
    """With a sentence, and nothing is written."""
    answer = browser.post(f"decide/{part}", fields)
    assert answer.status_code in {400, 404}
    assert "<h1>" in answer.text
    assert said(browser) == MAPPING


def test_owners_insurers_and_what_is_moved(browser: Browser) -> None:
    """Each is written where the mapping has it, shown as chosen, and taken back by an empty one or by undo."""
    moved = {name: "yes" for name, value in browser.clinic.mapping.part("move").items() if value is True}
    browser.post("decide/map", {"practitioner:1": "12", "email:1": "orla@clinic.example"})
    browser.post("decide/map", {"moves": "yes", **moved, "files": "no", "oldest_visit": "2019-07-01"})
    assert "move:\n  files: false\n  oldest_visit:" in said(browser)
    browser.post("decide/map", {"insurer:1": "Gym", "none:1": "yes"})
    browser.post("decide/map", {"insurer:1": "Bupa AU", "same_as:1": "Bupa"})
    mapping = browser.clinic.mapping
    assert mapping.part("owners") == {"12": "orla@clinic.example"}
    assert mapping.part("move")["files"] is False
    assert mapping.part("move")["treatment_notes"] is True
    assert mapping.part("move")["oldest_visit"] == "2019-07-01"
    insurers = mapping.part("insurers")
    assert insurers["not_an_insurer"][-1] == "Gym"
    assert "self funded" in insurers["not_an_insurer"]
    assert insurers["spellings"]["Bupa"] == ["Bupa Australia", "Bupa AU"]
    assert insurers["spellings"]["HCF"]
    page = browser.get("map").text
    for shown in (
        'value="orla@clinic.example"',
        'value="2019-07-01"',
        ">no insurer</td>",
        ">Bupa</td>",
    ):
        assert shown in page
    assert "<code>Aaaa Aaa</code>" in page
    assert "50 %" in page
    browser.post("decide/map", {"practitioner:1": "12", "email:1": ""})
    browser.post("decide/map", {"moves": "yes", **moved, "files": "no"})
    assert mapping.part("owners") == {}
    assert mapping.part("move")["oldest_visit"] is None
    while mapping.can_undo():
        browser.post("decide/undo", {})
    assert said(browser) == MAPPING


def test_the_proposals_of_a_page_are_taken_at_once(browser: Browser) -> None:
    """Of the fields that are not decided; a choice made before stays."""
    form = {"field:1": "Fund", "proposed:1": "insurer", "place:1": "", "field:2": "School", "proposed:2": "school",
            "place:2": "ignore"}  # fmt: skip
    assert 'name="proposed:1" value="insurer"' in browser.get("map").text
    browser.post("decide/map", {**form, "take": "proposals"})
    assert browser.clinic.mapping.named() == {"Fund": "insurer", "School": "ignore"}


def test_a_form_of_a_long_table_leads_back_to_its_part(browser: Browser) -> None:
    """Somebody goes through a hundred pages of fields by *Save*; an address elsewhere leads nowhere."""
    page = browser.get("map?show=needs+a+decision&page=0").text
    form = dict(re.findall(r'name="(show|page)" value="([^"]*)"', page))
    answer = browser.post("decide/map", {**form, "page": "37", "next": "map"})
    assert answer.headers["location"] == "/sandbox/map?show=needs+a+decision&page=37"
    answer = browser.post("decide/families", {"family": "//evil.example", "next": "families"})
    assert answer.headers["location"] == "/sandbox/families?family=%2F%2Fevil.example"
    assert browser.get("families?family=%2F%2Fevil.example").status_code == 200


@pytest.mark.parametrize("written", ["health  FUND", "funding / health fund"])
def test_a_field_that_a_person_has_named_otherwise_is_decided(tmp_path: Path, written: str) -> None:
    """By its label alone, or in other letters: as a run finds it. A form that leaves it alone adds no line."""
    field = {**FIELD, "section": "Funding", "label": "Health fund", "name": "Funding / Health fund"}
    other = {**FIELD, "section": "Funding", "label": "School", "name": "Funding / School", "target": "school"}
    account = {"custom_fields": [field, other], "appointment_types": []}
    a_report(tmp_path, PLAN, mode="plan", plan={"blockers": [], "account": account})
    with serving(tmp_path) as browser:
        browser.enter()
        by_hand = MAPPING.replace("named: {}", f"named: {{{written}: ignore}}")
        browser.clinic.project.mapping.write_text(by_hand, encoding="utf-8")
        page = browser.get("map?show=decided").text
        assert '<option value="ignore" selected>' in page
        form = dict(
            re.findall(r'name="((?:field|shown|proposed):\d+)" value="([^"]*)"', browser.get("map").text)
        )
        form |= {"place:1": "ignore", "place:2": ""}
        browser.post("decide/map", form)
        assert said(browser) == by_hand
        browser.post("decide/map", {**form, "take": "proposals"})
        assert browser.clinic.mapping.named() == {written: "ignore", "Funding / School": "school"}
        assert browser.post("decide/map", {**form, "place:1": "keep"}).status_code == 303
        assert "keep" in browser.clinic.mapping.named().values()


def test_everything_on_the_page_is_saved_in_one_step(browser: Browser) -> None:
    """The page says how much of what it was, and one step takes all of it back; an error keeps nothing."""
    moved = {name: "yes" for name, value in browser.clinic.mapping.part("move").items() if value is True}
    form = {"field:1": "Fund", "place:1": "keep", "practitioner:1": "12", "email:1": "orla@clinic.example",
            "insurer:1": "Gym", "none:1": "yes", "insurer:2": "Bupa AU", "same_as:2": "Bupa", "moves": "yes",
            **moved, "files": ""}  # fmt: skip
    browser.post("decide/map", {**form, "next": "map"})
    page = browser.get("map").text
    assert "Saved: 1 field, 1 owner, 2 insurers, 1 choice of what is moved." in page
    written = said(browser)
    assert browser.clinic.mapping.named() == {"Fund": "keep"}
    assert all(part in written for part in ("orla@clinic.example", "Gym", "Bupa AU", "files: false"))
    browser.post("decide/undo", {"next": "map"})
    assert "Taken back" in browser.get("map").text
    assert said(browser) == MAPPING
    assert not browser.clinic.mapping.can_undo()
    assert browser.post("decide/map", {**form, "email:1": "nobody"}).status_code == 400
    assert said(browser) == MAPPING


def test_saving_what_is_as_it_was_says_so(browser: Browser) -> None:
    """Nobody is told of a change that was none."""
    browser.post("decide/map", {"field:1": "Fund", "place:1": "", "next": "map"})
    assert "Nothing was changed" in browser.get("map").text


def test_families_are_done_when_somebody_has_looked_at_all_of_them(browser: Browser, tmp_path: Path) -> None:
    """On the last page of them; a plan that finds the same people, whoever keeps what, asks nobody again."""

    def state() -> State:
        return next(step.state for step in browser.clinic.steps() if step.key == "families")

    assert state() is State.NEEDS_YOU
    browser.post("decide/families", {"next": "families"})
    assert state() is State.NEEDS_YOU
    form = dict(re.findall(r'name="(people)" value="(.*?)"', browser.get("families").text))
    browser.post("decide/families", {"next": "families", **form})
    assert state() is State.DONE
    turned = [{**row, "keeper": "patients/2", "source": row["source"].replace("patients/2", "patients/1")}
              for row in FAMILIES]  # fmt: skip
    plan = {"blockers": [], "account": {"custom_fields": []}, "families": turned}
    a_report(tmp_path, "20261129T074413.889482Z-73d4b5", mode="plan", plan=plan)
    assert state() is State.DONE
    plan["families"] = [
        *turned,
        {"field": "email", "keeper": "patients/8", "source": "patients/9", "because": "elder"},
    ]
    a_report(tmp_path, "20261129T075413.889482Z-73d4b5", mode="plan", plan=plan)
    assert state() is State.NEEDS_YOU
    browser.post("decide/families", {"next": "families", **form})  # a page from before shows other people
    assert state() is State.NEEDS_YOU


def test_a_field_that_is_unsure_keeps_the_map_open(tmp_path: Path) -> None:
    """Until somebody chooses its place."""
    unsure = {**FIELD, "confidence": "none", "target": "profile_field"}
    account = {"custom_fields": [FIELD, unsure | {"name": "Odd", "label": "Odd"}], "appointment_types": []}
    a_report(tmp_path, PLAN, mode="plan", plan={"blockers": [], "account": account})
    with serving(tmp_path) as browser:
        page = browser.enter().get("map").text
        assert "of the clinic&#39;s own; 1 field needs a decision." in page
        assert page.count("needs a decision</span>") == 1
        browser.post("decide/map", {"field:1": "Odd", "place:1": "keep", "next": "map"})
        assert next(step.state for step in browser.clinic.steps() if step.key == "map") is State.DONE


def test_a_change_by_hand_is_not_taken_back(browser: Browser) -> None:
    """Undo would lose it."""
    browser.post("decide/map", {"field:1": "Fund", "place:1": "keep"})
    path = browser.clinic.project.mapping
    path.write_text(f"{said(browser)}default_country: NZ\n", encoding="utf-8")
    assert browser.post("decide/undo", {}).status_code == 400
    assert "default_country: NZ" in said(browser)


def test_a_mapping_that_a_person_broke_is_left_alone(browser: Browser) -> None:
    """The pages still open, and a choice says what to do."""
    browser.clinic.project.mapping.write_text("a: [\n", encoding="utf-8")
    assert browser.get("map").status_code == 200
    answer = browser.post("decide/map", {"field:1": "Fund", "place:1": "keep"})
    assert answer.status_code == 400
    assert "correct it by hand" in answer.text
    assert said(browser) == "a: [\n"


def test_the_preview_is_shown_after_a_click_and_signed(browser: Browser, tmp_path: Path) -> None:
    """No page shows a value by itself, no address leads to one; the signature is of one preview."""
    told = a_report(
        tmp_path, SAMPLE, mode="plan", sample={"patients": 2}, shows_values=True, plan={"blockers": []}
    )
    assert "Show the patients" not in browser.get("sample").text
    assert browser.post("preview", {}).status_code == 404
    people = [a_patient("Milo Quartermaine"), a_patient("Ada Thistlewood")]
    (told / "sheet.json").write_text(json.dumps({"patients": people}), encoding="utf-8")
    assert "Milo" not in browser.get("sample").text
    assert "Show the patients" in browser.get("sample").text
    assert browser.get("preview").status_code == 404
    assert browser.get(f"reports/{SAMPLE}/sheet.json").status_code == 404
    for number, name in (("0", "Milo"), ("1", "Ada"), ("7", "Ada"), ("x", "Milo")):
        page = browser.post("preview", {"patient": number})
        assert name in page.text
        assert "Personal data" in page.text
        assert page.headers["cache-control"] == "no-store"
    assert browser.post("sign", {"what": f"sample/{SAMPLE}", "who": " "}).status_code == 400
    assert (
        browser.post("sign", {"what": "sample/20260101T000000.000000Z-000000", "who": "Kim"}).status_code
        == 400
    )
    assert (
        browser.post("sign", {"what": f"sample/{SAMPLE}", "who": "Kim Lee", "next": "sample"}).status_code
        == 303
    )
    assert "Signed by Kim Lee" in browser.get("sample").text
    kept = [path for path in (tmp_path / "data").rglob("*") if path.is_file() and path.name != "sheet.json"]
    assert not [path for path in kept if "Milo" in path.read_text(encoding="utf-8")]


def test_a_practitioner_has_a_name_after_a_click(browser: Browser, tmp_path: Path) -> None:
    """Where the plan was made with values; else the page says where the name is."""
    assert "To see who a number is, make a preview with values" in browser.get("map").text
    named = {
        "source": "practitioners/12",
        "match": "contact",
        "user": None,
        "because": "no_user",
        "name": "Ann Sample",
    }
    a_report(tmp_path, NEWER, mode="plan", plan={"blockers": [], "owners": {"practitioners": [named]}})
    page = browser.get("map").text
    assert '<a href="?values=shown">' in page
    assert "Ann Sample" not in page
    assert "Ann Sample" in browser.get("map?values=shown").text


def test_what_a_person_ticks_before_going_live_is_kept(browser: Browser) -> None:
    """By whom, until it is taken back."""
    points = {"what": "go-live/points", "next": "go-live"}
    browser.post("sign", {**points, "who": "Kim Lee", "looked": "yes", "told": "yes"})
    browser.post("sign", {**points, "who": "Ada", "looked": "yes"})
    signed = browser.clinic.signatures.all()
    assert {what: item.who for what, item in signed.items()} == {"go-live/looked": "Kim Lee"}
    assert "Kim Lee" in browser.get("go-live").text


def seen_on(browser: Browser, page: str) -> str:
    """Return the version that the forms of a page carry."""
    versions = set(re.findall(r'name="seen" value="(\w+)"', browser.get(page).text))
    assert len(versions) == 1
    return str(versions.pop())


@pytest.mark.parametrize(
    ("page", "part", "form"),
    [
        ("map", "map", {"field:1": "Fund", "place:1": ""}),
        ("map", "map", {"practitioner:1": "12", "email:1": ""}),
        ("map", "map", {"moves": "yes", "treatment_notes": "yes"}),
        ("map", "map", {"insurer:1": "Bupa AU", "same_as:1": "Bupa"}),
        (
            "families",
            "families",
            {"address:1": "email", "sharers:1": "patients/1 patients/2", "keeper:1": ""},
        ),
        ("families", "undo", {}),
    ],
)
def test_a_page_from_before_takes_nothing_back(
    browser: Browser, page: str, part: str, form: dict[str, str]
) -> None:
    """What another window has kept since stays, and a page says so."""
    seen = seen_on(browser, page)
    browser.post("decide/map", {"field:1": "Fund", "place:1": "keep"})
    kept = said(browser)
    shown = {"Referer": f"{browser.base}/sandbox/{page}?page=0"}
    answer = browser.post(f"decide/{part}", {**form, "seen": seen}, headers=shown)
    assert answer.status_code == 409
    assert "Somebody has changed this since the page was shown" in answer.text
    assert f'<a href="/sandbox/{page}">Back</a>' in answer.text
    assert said(browser) == kept
    assert browser.post(f"decide/{part}", {**form, "seen": seen_on(browser, page)}).status_code == 303


def test_a_page_from_before_takes_no_tick_of_somebody_else_away(browser: Browser) -> None:
    """Its unticked boxes are not decisions about what was ticked meanwhile."""
    points = {"what": "go-live/points", "next": "go-live"}
    seen = seen_on(browser, "go-live")
    browser.post("sign", {**points, "who": "Kim Lee", "looked": "yes"})
    answer = browser.post("sign", {**points, "who": "Ada", "told": "yes", "seen": seen})
    assert answer.status_code == 409
    assert set(browser.clinic.signatures.all()) == {"go-live/looked"}


def test_nothing_is_decided_in_the_mapping_of_everybody(tmp_path: Path) -> None:
    """Of several clinics in one folder; the answer says how one gets its own. The only clinic of a folder has the shipped one."""
    variables = {"TARGET_HIGHLEVEL_MAPPING": "transforms/mapping.yml"}
    north = Clinic(Project(tmp_path, "north", variables, one_of_many=True))
    for part, form in (("map", {"field:1": "Fund", "place:1": "keep"}), ("undo", {})):
        with pytest.raises(Refused, match=r"cp transforms/mapping.yml mappings/north.yml"):
            decide(north, part, form)
    assert Project(tmp_path, "live", variables).has_own_mapping
    assert Project(tmp_path, "live", {}).has_own_mapping


@pytest.fixture
def north(browser: Browser, tmp_path: Path) -> Clinic:
    """One of several clinics that names no mapping file, with the plan of the browser's clinic."""
    shipped = tmp_path / "transforms/mapping.yml"
    shipped.parent.mkdir()
    shipped.write_text(MAPPING, encoding="utf-8")
    reports = {"TARGET_HIGHLEVEL_REPORT_DIR": str(browser.clinic.project.reports)}
    return Clinic(Project(tmp_path, "north", reports, one_of_many=True))


def test_the_first_choice_makes_the_mapping_file_of_one_of_several_clinics(
    north: Clinic, tmp_path: Path
) -> None:
    """A copy of the shipped one, which stays as it is, and every job takes it from then on; taking back leaves a copy."""
    own = tmp_path / "mappings/north.yml"
    form = {"field:1": "Fund", "place:1": "keep"}
    assert "TARGET_HIGHLEVEL_MAPPING" not in north.project.job_variables
    answer = decide(north, "map", {**form, "seen": north.mapping.version})
    assert answer.endswith(f"The clinic has a mapping file of its own now: {own}.")
    assert own.read_text(encoding="utf-8") == MAPPING.replace("named: {}", 'named:\n    "Fund": keep')
    assert (tmp_path / "transforms/mapping.yml").read_text(encoding="utf-8") == MAPPING
    assert north.project.job_variables["TARGET_HIGHLEVEL_MAPPING"] == str(own)
    assert decide(north, "undo", {"seen": north.mapping.version}).startswith("Taken back")
    assert own.read_text(encoding="utf-8") == MAPPING


def test_whoever_has_looked_at_the_families_needs_no_mapping_file(north: Clinic, tmp_path: Path) -> None:
    """Of one of several clinics: the step is done, and no file is made as nothing was chosen."""
    form = {"address:1": "email", "sharers:1": "patients/1 patients/2 contacts/3", "people": north.families}
    assert "families" in needing(north)
    decide(north, "families", {**form, "seen": north.mapping.version})
    assert "families" not in needing(north)
    assert not (tmp_path / "mappings").exists()


def needing(clinic: Clinic) -> set[str]:
    """Return the steps that need somebody."""
    return {step.key for step in clinic.steps() if step.state is State.NEEDS_YOU}


NEWER = "20261129T080413.889482Z-73d4b5"


def test_the_plan_that_was_shown_is_approved_and_no_other(browser: Browser, tmp_path: Path) -> None:
    """If another has come meanwhile, the form says so: nothing is signed, and nothing is started."""
    assert f'value="plan/{PLAN}"' in browser.get("approve").text
    a_report(tmp_path, NEWER, mode="plan", plan={"blockers": [], "approval": {"digest": "1" * 64}})
    for what in (f"plan/{PLAN}", "plan/", "", "go-live/points"):
        answer = browser.post("start/approve", {"what": what, "who": "Kim Lee", "next": "approve"})
        assert answer.status_code == 409
        assert "Another plan has come since this page was shown." in answer.text
    assert browser.clinic.jobs.all() == []
    assert browser.clinic.signatures.all() == {}
    assert f'value="plan/{NEWER}"' in browser.get("approve").text


def test_the_command_is_told_which_plan_is_meant(browser: Browser) -> None:
    """It looks once more: another may come between the form and the command."""
    options = Options.of(COMMANDS["approve"], {"what": f"plan/{PLAN}"}, browser.clinic)
    assert options.arguments == ("--run", PLAN)


def test_a_plan_is_approved_by_somebody(browser: Browser) -> None:
    """Without a name nothing is started."""
    assert browser.post("start/approve", {"what": f"plan/{PLAN}"}).status_code == 400
    assert browser.clinic.jobs.all() == []
    assert State.NEEDS_YOU in {step.state for step in browser.clinic.steps() if step.key == "approve"}
