"""One thing has one figure: whatever page, table, line or report tells it, at any step of a migration."""

from __future__ import annotations

import csv
import json
import re
from collections import Counter
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hl_loading import Loader, a_sandbox

from sandbox.highlevel.damage import Damage
from target_highlevel.plan.quality import DUPLICATE, NO_USER, SHARED, SURVEYED

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hl_loading import Clinic

# One migration for all.
pytestmark = pytest.mark.xdist_group("figures")
SERVICE = "custom_objects.cliniko_service"
TAGS = {"shared-email", "shared-phone", "invalid-email", "invalid-phone"}


@dataclass
class Told:
    """What one run, or several together, have said: content, page, tables and the lines on the screen."""

    folder: Path
    said: str = ""
    content: dict[str, Any] = field(default_factory=dict)
    page: str = ""

    def __post_init__(self) -> None:
        self.content = json.loads((self.folder / "report.json").read_text(encoding="utf-8"))
        self.page = (self.folder / "report.html").read_text(encoding="utf-8")

    def rows(self, table: str) -> list[dict[str, str]]:
        """Return the rows of a table beside the report."""
        with (self.folder / table).open(encoding="utf-8-sig", newline="") as file:
            return list(csv.DictReader(file))

    @property
    def to_do(self) -> dict[str, int]:
        """Return what needs a person: of each thing how many there are."""
        return {item["what"]: item["count"] for item in self.content["to_do"]}

    def heading(self, section: str) -> int:
        """Return the number in the heading of a section of the page; 0 where it has none."""
        found = re.search(rf'<h2 id="{section}">[^<]*: ([\d,]+)</h2>', self.page)
        return int(found[1].replace(",", "")) if found else 0

    def by_kind(self, *names: str) -> dict[tuple[str, str], tuple[int, ...]]:
        """Return these counts of each kind of record."""
        return {
            (row["object"], row["resource"]): tuple(row[name] for name in names)
            for row in self.content["objects"]
        }


class Course:
    """A clinic with every trouble: planned, loaded, read back, handed over, undone after people have worked with it."""

    def __init__(self, clinic: Clinic, loader: Loader) -> None:
        self.loader = loader
        self.plan = self._run(clinic, "plan")
        clinic.restore(loader)
        [self.load] = [Told(path) for path in self._folders() if path != self.plan.folder]
        self.verification = self._run(clinic, "verify")
        self.handover = self._together()
        self.go_live = loader.tool("go-live")
        self.tagged = Counter(
            tag
            for contact in loader.sandbox.highlevel.state.contacts.values()
            for tag in contact["tags"]
            if tag in TAGS
        )
        run = self.load.content["run_id"]
        self.announced = loader.tool("rollback", "--run", run).stdout
        state = loader.sandbox.highlevel.state
        damage = Damage(state.main, loader.sandbox.highlevel.control)
        service = next(key for key, item in state.records.items() if item["objectKey"] == SERVICE)
        damage.edit_record(service, service_name="As somebody wants it")
        damage.delete("tasks", next(iter(state.tasks)))
        known = {*self._folders()}
        said = loader.tool("rollback", "--run", run, "--yes")
        [self.undo] = [Told(path, said.stdout + said.stderr) for path in {*self._folders()} - known]
        self.afterwards = self._together()
        self.go_live_afterwards = loader.tool("go-live")

    def _folders(self) -> list[Path]:
        return sorted(path.parent for path in (self.loader.folder / "reports").glob("*/report.json"))

    def _run(self, clinic: Clinic, mode: str) -> Told:
        loaded = self.loader.load(clinic.lines, MODE=mode)
        return Told(self.loader.folder / "reports" / loaded.report["run_id"], loaded.log)

    def _together(self) -> Told:
        done = self.loader.tool("report", "--since", "2026-01-01")
        return Told(Path(done.stdout.strip()), done.stderr)


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory, clinic: Clinic) -> Iterator[Course]:
    """The migration of the whole clinic, from the plan to its undoing."""
    with a_sandbox(clinic.patients) as sandbox:
        yield Course(clinic, Loader(sandbox, tmp_path_factory.mktemp("course")))


def sections(told: Told) -> dict[str, int]:
    """Return how much each section of a handover counts; the table beside it names as much."""
    found = {item["section"]: item for item in told.content["handover"]["sections"]}
    listed = Counter(row["section"] for row in told.rows("handover.csv"))
    assert listed == {item["title"]: item["count"] for item in found.values() if item["count"]}
    for name, item in found.items():
        assert told.heading(name) == item["count"] == sum(group["count"] for group in item["groups"])
        assert all(group["count"] == sum(group["kinds"].values()) for group in item["groups"])
    return {name: item["count"] for name, item in found.items()}


def found_by(plan: Told) -> Counter[str]:
    """Return what the plan has found in the clinic's records, as its table lists it."""
    found = Counter(row["reason"] for row in plan.rows("quality.csv"))
    assert found == plan.content["plan"]["quality"]["findings"]
    return found


def test_practitioners_without_a_user(course: Course) -> None:
    """Those who work there; who has left needs none, and is counted apart, wherever practitioners are told."""
    plan = course.plan.content["plan"]
    because = Counter(item["because"] for item in plan["owners"]["practitioners"])
    without, left = because["no_user"], because["inactive"]
    assert (without, left) == (3, 2)
    assert found_by(course.plan)[NO_USER] == without
    for told in (course.plan, course.load, course.verification):
        content = told.content
        assert len(content["practitioners_without_user"]) == told.heading("practitioners") == without
        assert len(content["practitioners_left"]) == left
        assert told.to_do["practitioners without a user"] == without
        assert {item["code"]: item["concerns"] for item in content["cannot_move"]}["logins"] == without
    for told in (course.handover, course.afterwards):
        counts = sections(told)
        assert (counts["practitioners"], counts["practitioners_left"]) == (without, left)


def test_what_becomes_of_every_record(course: Course) -> None:
    """The load does what the plan has said, the verification looks at the same records, and the handover agrees with both."""
    outcomes = ("source", "created", "updated", "unchanged", "filtered", "held", "rejected")
    assert course.plan.by_kind(*outcomes) == course.load.by_kind(*outcomes)
    apart = ("source", "filtered", "held", "rejected")
    assert course.load.by_kind(*apart) == course.verification.by_kind(*apart)
    totals = course.load.content["totals"]
    checked = course.verification.content["verification"]
    assert {name: checked["totals"][name] for name in apart} == {name: totals[name] for name in apart}
    assert checked["records"] == totals["source"]
    there = totals["created"] + totals["updated"] + totals["unchanged"]
    assert checked["totals"]["equal"] + checked["totals"]["normalised"] == there
    assert len(course.load.rows("crosswalk.csv")) == len(course.handover.rows("crosswalk.csv")) == there
    [loaded] = [run for run in course.handover.content["runs"] if run["mode"] == "load"]
    assert {name: loaded[name] for name in ("created", "updated")} == {
        name: totals[name] for name in ("created", "updated")
    }
    assert loaded["requests"] == course.load.content["budget"]["requests"]
    standing, counts = course.handover.content["standing"], sections(course.handover)
    assert standing["known"] == sum(
        standing[name] for name in ("in_highlevel", "filtered", "held", "rejected")
    )
    assert (counts["refused"], counts["waiting"], counts["left_out"]) == tuple(
        standing[name] for name in ("rejected", "held", "filtered")
    )
    [head] = course.handover.content["handover"]["certificate"]["heads"]
    assert head["entries"] == course.load.content["audit"]["entries"]


def test_what_was_refused(course: Course) -> None:
    """The table, the groups, what needs a person, the last line, before going live and the handover."""
    refused = course.load.content["totals"]["rejected"]
    assert refused > 1
    for told in (course.plan, course.load, course.verification):
        assert told.content["totals"]["rejected"] == len(told.rows("rejects.csv")) == refused
        assert sum(group["count"] for group in told.content["rejects"]) == told.heading("rejects") == refused
    assert course.plan.to_do["records would be refused"] == course.load.to_do["records refused"] == refused
    assert f"except {refused} refused records" in course.verification.said
    assert re.search(rf"Refused records +{refused}\n", course.go_live.stdout)
    assert f"{refused} records were refused" in course.go_live.stderr
    assert sections(course.handover)["refused"] == refused == len(course.handover.rows("rejects.csv"))


def test_addresses(course: Course) -> None:
    """Shared and unusable ones: found by the plan, withheld by the load, tagged in HighLevel and named in the handover."""
    plan, found = course.plan.content["plan"], found_by(course.plan)
    assert len(plan["families"]) == len(course.plan.rows("families.csv"))
    assert len(course.plan.rows("duplicates.csv")) == plan["quality"]["possible_duplicates"] > 0
    assert found[DUPLICATE] > 1
    for name, reason in SHARED.items():
        assert found[reason] == plan["shared_addresses"][name]["people"]
    unusable = plan["account"]["unusable_addresses"]
    assert found[SURVEYED["email_unusable"]] == len(unusable["email"]) == course.tagged["invalid-email"]
    assert found[SURVEYED["phone_unusable"]] == len(unusable["phone"]) == course.tagged["invalid-phone"]
    withheld = course.tagged["shared-email"] + course.tagged["shared-phone"]
    for told in (course.plan, course.load, course.verification):
        assert told.content["withheld"]["count"] == told.heading("withheld") == withheld > 1
    counts = sections(course.handover)
    assert counts["withheld"] == withheld
    assert counts["unusable"] == course.tagged["invalid-email"] + course.tagged["invalid-phone"] > 0


def test_patients_notes_and_files(course: Course) -> None:
    """What the plan tells of them beside the table of records counts the same records."""
    plan, kinds = course.plan.content["plan"], course.plan.by_kind("source", "created", "filtered")
    account = plan["account"]
    there = kinds["contact", "patients"]
    assert account["rows"]["patients"] == there[0]
    assert account["patients"] == plan["quality"]["patients"] == there[1]
    proposed = (course.plan.folder / "mapping.proposed.yml").read_text(encoding="utf-8")
    told = [
        (int(filled), int(among))
        for filled, among in re.findall(r"filled for (\d+) of (\d+) patients", proposed)
    ]
    filled = [(item["filled"], account["patients"]) for item in account["custom_fields"]]
    assert Counter(told) == Counter(filled)
    notes = sum(kinds["note", name][1] for name in ("treatment_notes", "patient_forms"))
    assert plan["note_sizes"]["notes"] == notes
    whole = {item["code"]: item["concerns"] for item in course.handover.content["cannot_move"]}
    assert plan["downloads"]["files"] == kinds["file", "patient_attachments"][0]
    assert whole["documents_tab"] == plan["downloads"]["files"] - kinds["file", "patient_attachments"][2]
    booked = sum(account["rows"][name] for name in ("individual_appointments", "group_appointments"))
    assert sum(item["appointments"] for item in account["appointment_types"]) == booked
    made = len(account["insurers"]["made"])
    assert made == kinds["custom_objects.cliniko_insurance_provider", "insurers"][1]


def test_sums_of_money(course: Course) -> None:
    """Plan, load, verification, handover and the lines before going live come to the same, of as many records."""
    sums = [told.content["money"]["totals"] for told in (course.plan, course.load, course.verification)]
    assert sums[0] == sums[1] == sums[2] == course.handover.content["money"]["totals"]
    kinds = course.load.by_kind("source")
    for item in sums[0]:
        (records,) = (number for (object_, _), (number,) in kinds.items() if object_ == item["object"])
        assert item["cliniko_records"] == records
        assert (
            f"{item['label']}: {item['currency']} {Decimal(item['cliniko']):,} in Cliniko"
            in course.go_live.stdout
        )
    assert len(course.handover.content["go_live"]["read_back"]) == len(sums[0])


def announced(text: str) -> Counter[str]:
    """Return what a rollback says it would do."""
    found: Counter[str] = Counter()
    for line in re.findall(r"^  .*?((?: +\d+){3})$", text, re.MULTILINE):
        found.update(dict(zip(("remove", "restore", "link_again"), map(int, line.split()), strict=True)))
    return found


def test_an_undo_does_what_it_announces(course: Course) -> None:
    """What it would remove is what the load has created, and becomes what is removed, was gone, or is left alone."""
    would, content = announced(course.announced), course.undo.content["rollback"]
    totals = course.load.content["totals"]
    assert (would["remove"], would["restore"]) == (totals["created"], totals["updated"])
    assert content["gone_already"] == 1
    spared = course.undo.rows("spared.csv")
    assert len(spared) == content["spared"] == course.undo.heading("spared")
    assert {(row["object"], row["reason"]) for row in spared} == {(SERVICE, "changed")}
    assert would["remove"] == content["removed"] + content["gone_already"] + len(spared)
    for name in ("removed", "restored", "linked_again", "gone_already"):
        assert content[name] == sum(row[name] for row in content["objects"])
    told = json.loads((course.undo.folder / "rollback.json").read_text(encoding="utf-8"))
    assert {name: content[name] for name in told if name in content} == {
        name: value for name, value in told.items() if name in content
    }
    assert f"Removed {content['removed']:,}, restored {content['restored']:,}" in course.undo.said
    assert f"except {len(spared)} record left alone" in course.undo.said
    [run] = [item for item in course.afterwards.content["runs"] if item["mode"] == "rollback"]
    assert run["removed"] == content["removed"]
    assert sections(course.afterwards)["spared"] == len(spared)


def test_what_comes_again_only_by_a_full_read(course: Course) -> None:
    """After an undo: the handover's list and table, its first sentence, and what is said before going live."""
    content, counts = course.afterwards.content, sections(course.afterwards)
    undone = content["undone"]
    assert counts["undone"] == undone > 1
    assert content["standing"]["known"] == course.handover.content["standing"]["known"]
    assert f"{undone:,} records brought by an undone run" in content["go_live"]["sentence"]
    assert f"{undone:,} records brought by an undone run" in course.go_live_afterwards.stderr
