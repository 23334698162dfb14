"""What the guides tell people to type works, and answers what they say it answers."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from console_blocks import Command, commands, missing_lines
from fresh_project import PRIVATE_PREFIXES, FreshProject, quick_sandbox

from sandbox import Sandbox
from scripts import gen_objects, gen_patients

if TYPE_CHECKING:
    from collections.abc import Iterator

DOCS = Path(__file__).resolve().parent.parent / "docs"
#: The made-up clinic is another one every day, and the guide shows what is in a sample of this one.
THAT_DAY = datetime(2026, 11, 20, 10, tzinfo=UTC)
#: Patients that the guide's clinic chose to look at.
TWO_PATIENTS = "1234,5678"
SHOWN_CODE = re.compile(r"\(exit (\d+)\)$")


@pytest.mark.timeout(900)
@pytest.mark.xdist_group("guides")
def test_the_migration_guide_moves_a_clinic_and_takes_it_back(tmp_path: Path) -> None:
    """Plan, approve, sample, verify, load, delta, verify, go live, report, undo: each as documented, in one go."""
    with quick_sandbox(12, THAT_DAY) as sandbox:
        project = FreshProject(tmp_path, sandbox)
        for command in steps(sandbox):
            typed(project, command)
        nothing_is_left(sandbox)


@pytest.mark.soak
@pytest.mark.xdist_group("guides")
def test_the_migration_guide_at_the_size_of_a_clinic(tmp_path: Path) -> None:
    """The same commands move three hundred patients at the services' real limits, and take them back."""
    with Sandbox(seed=1, patients=300) as sandbox:
        project = FreshProject(tmp_path, sandbox, limits={})
        project.patience = 6 * 3600
        for command in steps(sandbox):
            outcome = project.type(command.line)
            assert not outcome.returncode or fails(command), f"$ {command.line}\n{outcome.stdout[-3000:]}"
        nothing_is_left(sandbox)


def steps(sandbox: Sandbox) -> Iterator[Command]:
    """Yield the commands of the migration guide; what happens at the clinic meanwhile has happened then."""
    for command in commands(DOCS / "migration.md"):
        for event in command.meanwhile:
            happen(event, sandbox)
        known = sandbox.cliniko.account.tables["patients"].rows()
        yield replace(
            command, line=command.line.replace(TWO_PATIENTS, ",".join(row["id"] for row in known[2:4]))
        )


def nothing_is_left(sandbox: Sandbox) -> None:
    """See that all was taken back, and that no rule of HighLevel was broken on the way."""
    assert sandbox.highlevel.state.dump(schema=False) == {"contacts": [], "records": [], "relations": []}
    assert sandbox.highlevel.control.stats()["violations"] == []


@pytest.mark.timeout(300)
@pytest.mark.xdist_group("guides")
@pytest.mark.parametrize("page", ["scheduling.md", "warehouse.md"])
def test_the_shorter_guides_are_true(page: str, tmp_path: Path) -> None:
    """What the other guides show happens in a fresh folder."""
    with quick_sandbox(2) as sandbox:
        project = FreshProject(tmp_path, sandbox)
        shown = list(commands(DOCS / page))
        assert shown
        for command in shown:
            typed(project, command)


def typed(project: FreshProject, command: Command) -> None:
    """Type a command and hold its end and its output against the guide."""
    outcome = project.type(command.line)
    assert bool(outcome.returncode) == fails(command), f"$ {command.line}\n{outcome.stdout[-3000:]}"
    missing = missing_lines(command.output, outcome.stdout)
    assert missing == [], f"$ {command.line}\n{outcome.stdout[-6000:]}"


def fails(command: Command) -> bool:
    """Return whether the guide shows that the command does not end with 0."""
    shown = [found[1] for line in command.output if (found := SHOWN_CODE.search(line))]
    return any(code != "0" for code in shown)


def happen(event: str, sandbox: Sandbox) -> None:
    """Do to the clinic's records what its people do between two commands of the migration guide."""
    assert event == "a patient moves house, another leaves, an appointment is cancelled"
    tables, change = sandbox.cliniko.account.tables, sandbox.cliniko.control.mutate
    assert change
    moving, leaving = (row["id"] for row in tables["patients"].rows()[:2])
    booked = next(row["id"] for row in tables["individual_appointments"].rows() if "cancelled_at" not in row)
    change({"op": "update", "resource": "patients", "id": moving, "values": {"city": "Newtown"}})
    change({"op": "archive", "resource": "patients", "id": leaving})
    change({"op": "cancel", "resource": "individual_appointments", "id": booked})


def test_a_guide_that_is_not_true_is_found() -> None:
    """A line that the output does not have, or has too early, is missing; dates and widths do not matter."""
    output = "2026-11-22T18:15:30.42Z [info     ] target-highlevel   waited  3 s\nfirst\nsecond 12\n"
    assert missing_lines(["… target-highlevel waited … s", "second 12"], output) == []
    assert missing_lines(["second 12", "first"], output) == ["first"]
    assert missing_lines(["second 1"], output) == ["second 1"]


def test_the_objects_to_make_by_hand_are_those_of_the_mapping() -> None:
    """The checklist names every object, field and link as the mapping declares them."""
    page = gen_objects.PAGE.read_text(encoding="utf-8")
    assert gen_objects.updated(page) == page


@pytest.mark.parametrize(
    ("exit_codes", "printed"),
    [([], 1), ([0], 0), ([0, 75], 75), ([75, None], 1)],
    ids=["no report", "complete", "the newest counts", "killed"],
)
def test_a_scheduler_learns_the_true_code(exit_codes: list[int | None], printed: int, tmp_path: Path) -> None:
    """The code of the newest report since the run began is printed; none is a failure."""
    begun = tmp_path / "begun"
    begun.touch()
    for number, code in enumerate(exit_codes):
        folder = tmp_path / f"2026112{number}T020000Z-aaaaaa"
        folder.mkdir()
        folder.joinpath("report.json").write_text(
            f'{{"exit_code": {"null" if code is None else code}}}', encoding="utf-8"
        )
    script = DOCS.parent / "scripts" / "exit_code.py"
    said = subprocess.check_output([sys.executable, script, begun, "--reports", tmp_path], text=True)
    assert int(said) == printed


def test_the_worst_of_several_sub_accounts_counts(tmp_path: Path) -> None:
    """One run's reports lie in folders whose names begin alike."""
    begun = tmp_path / "begun"
    begun.touch()
    for name, code in (("20261120T020000Z-a", 2), ("20261121T020000Z-a", 3), ("20261121T020000Z-b", 0)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "report.json").write_text(f'{{"exit_code": {code}}}', encoding="utf-8")
    script = DOCS.parent / "scripts" / "exit_code.py"
    said = subprocess.check_output([sys.executable, script, begun, "--reports", tmp_path], text=True)
    assert int(said) == 3


TAP = "2026-11-29T13:00:38Z [info     ] tap-cliniko  tap-cliniko: {} (exit {})"
TARGET = "2026-11-29T13:00:38Z [info     ] target-highlevel target-highlevel: {} (exit {})"
IN_JSON = '{{"event": "target-highlevel: {} (exit {})", "name": "target-highlevel"}}'
IN_COLOUR = "\x1b[2m2026-11-29\x1b[0m target-highlevel \x1b[1mtarget-highlevel: {} (exit {})\x1b[0m"
COMPLETE, EARLY, REFUSED, SPENT = (
    ("complete", 0),
    ("the tap ended early", 1),
    ("renew the key", 3),
    ("tomorrow", 75),
)


@pytest.mark.parametrize(
    ("log", "returned", "reported", "code", "last"),
    [
        ([TARGET.format(*COMPLETE)], 0, [0], 0, None),
        ([TARGET.format(*SPENT)], 1, [75], 75, "target-highlevel: tomorrow (exit 75)"),
        ([TARGET.format("open the report", 4)], 1, [4], 4, "target-highlevel: open the report (exit 4)"),
        ([TARGET.format("tell it", 2)], 1, [], 2, "target-highlevel: tell it (exit 2)"),
        ([TAP.format(*REFUSED), TARGET.format(*EARLY)], 1, [1], 3, "tap-cliniko: renew the key (exit 3)"),
        ([TAP.format("gone", 1), TARGET.format(*EARLY)], 1, [1], 1, "tap-cliniko: gone (exit 1)"),
        ([TAP.format("gone", 1), TARGET.format(*SPENT)], 1, [75], 1, "tap-cliniko: gone (exit 1)"),
        ([TARGET.format("of south: renew it", 3)], 1, [0, 3], 3, "target-highlevel: of south: renew it (exit 3)"),
        ([TARGET.format(*COMPLETE), "no state written"], 1, [0], 1, "the run failed: .* run the same .* (exit 1)"),
        (["another run is going on"], 1, [], 1, "the run failed: .* run the same .* (exit 1)"),
        (["killed"], 137, [None], 1, "the run failed: .* run the same .* (exit 1)"),
        (["no such program"], 127, [], 1, "the run failed: .* run the same .* (exit 1)"),
        (["told to stop"], 143, [], 143, "the run was told to stop: .* run the same .* (exit 143)"),
        ([IN_JSON.format(*SPENT)], 1, [75], 75, "target-highlevel: tomorrow (exit 75)"),
        ([IN_COLOUR.format(*SPENT)], 1, [75], 75, "target-highlevel: tomorrow (exit 75)"),
    ],
)  # fmt: skip
def test_the_script_for_cron_ends_with_the_worst_code_and_says_what_to_do(
    log: list[str], returned: int, reported: list[int | None], code: int, last: str | None, tmp_path: Path
) -> None:
    """As the page has it, in a project whose Meltano says this, writes these reports, and ends so."""
    page = DOCS.joinpath("scheduling.md").read_text(encoding="utf-8")
    (script,) = re.findall(r"^```sh\n(# nightly\.sh\n.+?)^```$", page, re.MULTILINE | re.DOTALL)
    programs = tmp_path / ".venv" / "bin"
    programs.mkdir(parents=True)
    programs.joinpath("python").symlink_to(sys.executable)
    tmp_path.joinpath("scripts").symlink_to(DOCS.parent / "scripts")
    tmp_path.joinpath("said").write_text("".join(f"{line}\n" for line in log), encoding="utf-8")
    lines = ["#!/bin/sh", "cat said"]
    for number, each in enumerate(reported):
        folder = f"data/live/reports/20261129T130000Z-{number}"
        text = json.dumps({"exit_code": each})
        lines += [f"mkdir -p {folder}", f"echo '{text}' > {folder}/report.json"]
    programs.joinpath("meltano").write_text("\n".join([*lines, f"exit {returned}"]), encoding="utf-8")
    programs.joinpath("meltano").chmod(0o700)
    done = subprocess.run(
        ["sh", "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False, env=without_project()
    )
    assert (done.returncode, done.stderr) == (code, "")
    shown = done.stdout.splitlines()
    assert bool(shown) == (last is not None)
    if last is not None:
        assert re.fullmatch(re.escape(last).replace(r"\.\*", ".*"), shown[-1])


def without_project() -> dict[str, str]:
    """Return the environment without what another project is told."""
    return {name: value for name, value in os.environ.items() if not name.startswith(PRIVATE_PREFIXES)}


@pytest.mark.process
def test_the_six_patients_are_what_the_mapping_makes_of_them() -> None:
    """Whoever changes what a person reads writes the page anew: ``make docs``."""
    page = gen_patients.PAGE.read_text(encoding="utf-8")
    assert gen_patients.updated(page) == page
