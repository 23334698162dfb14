"""What is due for a clinic, what the end of a step means, and what the summary makes of it."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from many_clinics import guard, summary
from many_clinics.clinics import Clinic
from many_clinics.commands import Commands
from many_clinics.outcome import Next, last_word, what_next
from many_clinics.references import SecretMissingError, parts, resolve
from many_clinics.running import Running, lock, prepare, variables
from many_clinics.steps import checked, due, rests_until

NOW = datetime(2026, 11, 29, 2, tzinfo=UTC)
WEEK = timedelta(days=7)
CLINIC = Clinic(
    name="north",
    environment="north",
    schedule="0 2 * * *",
    database="env:DATABASE",
    secrets={"TAP_CLINIKO_API_KEY": "variable:key"},
    settings={"TARGET_HIGHLEVEL_ACCEPT_REJECTS": True, "TARGET_HIGHLEVEL_LOCATIONS": {"1": "x"}},
)


def run(
    mode: str,
    code: int | None,
    began: datetime,
    lasted: timedelta = timedelta(hours=5),
    location: str = "main",
) -> dict[str, Any]:
    """Return a run as the ledger lists it."""
    ended = None if code is None else f"{began + lasted:%Y-%m-%dT%H:%M:%SZ}"
    return {
        "id": "",
        "location": location,
        "mode": mode,
        "started_at": f"{began:%Y-%m-%dT%H:%M:%SZ}",
        "ended_at": ended,
        "exit_code": code,
    }


YESTERDAY = NOW - timedelta(days=1)


def beside(mode: str, code: int | None) -> dict[str, Any]:
    """Return what the run of yesterday did in another sub-account, which the ledger lists after the first."""
    return run(mode, code, YESTERDAY, location="north")


PLAN, LOAD = run("plan", 0, YESTERDAY), run("load", 0, YESTERDAY)


@pytest.mark.parametrize(
    ("runs", "steps"),
    [
        ([], ("plan", "load", "verify")),
        ([run("plan", 3, YESTERDAY)], ("plan", "load", "verify")),
        ([PLAN], ("load", "verify")),
        ([PLAN, run("load", 75, YESTERDAY)], ("load", "verify")),
        ([PLAN, run("load", None, YESTERDAY)], ("load", "verify")),
        ([PLAN, LOAD], ("delta", "verify")),
        ([PLAN, LOAD, run("verify", 1, YESTERDAY)], ("delta", "verify")),
        ([PLAN, LOAD, run("verify", 5, YESTERDAY)], ("delta",)),
        ([PLAN, run("load", 4, YESTERDAY), run("verify", 0, YESTERDAY)], ("delta",)),
        (
            [PLAN, LOAD, run("verify", 0, NOW - timedelta(days=8)), run("load", 1, YESTERDAY)],
            ("delta", "verify"),
        ),
        ([LOAD, beside("load", 75)], ("load", "verify")),
        ([run("load", 1, YESTERDAY), beside("load", 0)], ("load", "verify")),
        ([LOAD, run("verify", 0, YESTERDAY), beside("load", 0)], ("delta", "verify")),
        ([LOAD, run("verify", 0, YESTERDAY), beside("load", 0), beside("verify", 6)], ("delta",)),
    ],
)
def test_what_is_due(runs: list[dict[str, Any]], steps: tuple[str, ...]) -> None:
    """A clinic is planned, loaded and verified; from then on it gets its deltas, and a verification now and then."""
    assert due(runs, NOW, verify_every=WEEK, needs_approval=False) == steps


def test_a_plan_that_must_be_approved_ends_the_first_run() -> None:
    """Then the load is tried, and says itself whether the plan was approved."""
    assert due([], NOW, verify_every=WEEK, needs_approval=True) == ("plan",)
    assert due([PLAN], NOW, verify_every=WEEK, needs_approval=True) == ("load", "verify")


def test_who_has_spent_the_day_waits_for_the_next() -> None:
    """Until midnight in UTC; and when HighLevel's day has not turned by then, for an hour at a time."""
    began = datetime(2026, 11, 28, 10, tzinfo=UTC)
    spent = run("load", 75, began)
    assert rests_until([PLAN, spent], began + timedelta(hours=6)) == datetime(2026, 11, 29, tzinfo=UTC)
    assert rests_until([PLAN, spent], datetime(2026, 11, 29, tzinfo=UTC)) is None
    too_early = run("load", 75, datetime(2026, 11, 29, 0, 5, tzinfo=UTC), timedelta(minutes=1))
    assert rests_until([spent, too_early], NOW - timedelta(hours=1)) == NOW - timedelta(minutes=54)
    assert rests_until([spent, too_early], NOW) is None
    assert rests_until([PLAN, LOAD], NOW) is None
    assert rests_until([], NOW) is None


@pytest.mark.parametrize("codes", [(75, 0), (0, 75), (75, 75)])
def test_a_clinic_waits_as_long_as_one_of_its_sub_accounts(codes: tuple[int, int]) -> None:
    """Whichever of them the ledger lists last."""
    began = datetime(2026, 11, 28, 10, tzinfo=UTC)
    runs = [
        run("load", code, began, location=place) for place, code in zip(("main", "north"), codes, strict=True)
    ]
    assert rests_until(runs, began + timedelta(hours=6)) == datetime(2026, 11, 29, tzinfo=UTC)
    assert rests_until(runs, datetime(2026, 11, 29, tzinfo=UTC)) is None


@pytest.mark.parametrize(
    ("runs", "code"),
    [
        ([], 0),
        ([LOAD], 0),
        ([run("verify", 5, YESTERDAY)], 5),
        ([run("verify", 5, YESTERDAY), run("load", 0, NOW)], 5),
        ([run("verify", 5, YESTERDAY), run("verify", 1, NOW)], 5),
        ([run("verify", 5, YESTERDAY), run("verify", 0, NOW)], 0),
        ([run("verify", 6, YESTERDAY), beside("verify", 5)], 5),
        ([run("verify", 0, YESTERDAY), beside("verify", 6)], 6),
    ],
)
def test_how_the_newest_verification_ended(runs: list[dict[str, Any]], code: int) -> None:
    """Of each sub-account; one that failed has said nothing."""
    assert checked(runs) == code


@pytest.mark.parametrize(
    ("steps", "outcomes", "state", "step"),
    [
        (["delta"], [("delta", 0)], summary.NEEDS, "verify"),
        (["delta"], [("delta", 4)], summary.NEEDS, "delta"),
        (["delta"], [("delta", 1)], summary.FAILED, "delta"),
        ([], [], summary.NEEDS, "verify"),
        (["delta", "verify"], [("delta", 0), ("verify", 0)], summary.COMPLETE, "verify"),
        (["delta", "verify"], [("delta", 0)], summary.FAILED, "verify"),
    ],
)
def test_differences_stand_until_a_verification_finds_none(
    steps: list[str], outcomes: list[tuple[str, int]], state: str, step: str
) -> None:
    """A delta that ended well has put nothing right."""
    found = summary.report(steps, [ended("begin", 0), *(ended(*item) for item in outcomes)], "now", 5)
    assert (found["state"], found["step"]) == (state, step)


@pytest.mark.parametrize(
    ("code", "then"),
    [
        *((code, Next.GO_ON) for code in (0, 4, 6)),
        *((code, Next.GIVE_UP) for code in (2, 3, 5)),
        *((code, Next.TRY_AGAIN) for code in (1, 130, 143, 137)),
        (75, Next.NEXT_DAY),
    ],
)
def test_what_a_code_means(code: int, then: Next) -> None:
    """As docs/exit-codes.md has it."""
    assert what_next(code) is then


TARGET = "2026-11-29T13:00:38Z [info     ] target-highlevel target-highlevel: {} (exit {})"
TAP = "2026-11-29T13:00:38Z [info     ] tap-cliniko  tap-cliniko: {} (exit {})"
PARTING = "2026-11-29T13:00:38Z [info     ] meltano      Run completed"


@pytest.mark.parametrize(
    ("lines", "returned", "expected"),
    [
        ([TARGET.format("complete", 0), PARTING], 0, (0, "complete")),
        ([TARGET.format("the day is spent", 75), PARTING], 1, (75, "the day is spent")),
        ([TAP.format("refused", 3), TARGET.format("the tap ended early", 1), PARTING], 1, (3, "refused")),
        ([TARGET.format("complete", 0), PARTING], 1, (1, "Meltano failed after the target had ended")),
        ([PARTING], 1, (1, "no last line: Meltano's log says why")),
        ([PARTING], 0, (1, "no last line: Meltano's log says why")),
        ([], -15, (-15, "no last line: Meltano's log says why")),
    ],
)
def test_the_true_code_is_in_the_last_line(
    lines: list[str], returned: int, expected: tuple[int, str]
) -> None:
    """Meltano itself only knows 0, 1 and 143; whoever was refused says so first."""
    assert last_word(lines, returned) == expected


def ended(step: str, code: int, line: str = "") -> dict[str, Any]:
    """Return how a step ended."""
    return {"step": step, "code": code, "line": line or f"{step} {code}", "totals": {}}


@pytest.mark.parametrize(
    ("steps", "outcomes", "state", "step"),
    [
        (["delta"], [ended("begin", 0), ended("delta", 0)], summary.COMPLETE, "delta"),
        (["delta"], [ended("begin", 0), ended("delta", 4)], summary.NEEDS, "delta"),
        (["load", "verify"], [ended("begin", 0), ended("load", 75), None], summary.WAITS, "load"),
        (["plan", "load"], [ended("begin", 0), ended("plan", 3), None], summary.FAILED, "plan"),
        (
            ["load", "verify"],
            [ended("begin", 0), ended("load", 4), ended("verify", 0)],
            summary.NEEDS,
            "load",
        ),
        (["load", "verify"], [ended("begin", 0), None, None], summary.FAILED, "load"),
        ([], [ended("begin", 0)], summary.WAITS, "begin"),
        (["begin"], [ended("begin", 2)], summary.FAILED, "begin"),
        (["begin"], [None], summary.FAILED, "begin"),
    ],
)
def test_how_a_clinic_is(
    steps: list[str], outcomes: list[dict[str, Any] | None], state: str, step: str
) -> None:
    """The worst step decides; one that said nothing was stopped or killed."""
    found = summary.report(steps, outcomes, "now")
    assert (found["state"], found["step"]) == (state, step)


def test_the_summary_begins_with_who_needs_somebody() -> None:
    """Then come those that have never run, those that wait, and the rest."""
    reports = {
        "a": summary.report(["delta"], [ended("delta", 0)], "now"),
        "b": None,
        "c": summary.report(["delta"], [ended("delta", 75)], "now"),
        "d": summary.report(["delta"], [ended("delta", 1)], "now"),
    }
    text = summary.table(reports, ["clinic e: schedule: not a schedule"])
    assert text.startswith("4 clinics: 1 failed, 1 not run yet, 1 waits for the next day, 1 complete\n")
    assert "- clinic e: schedule: not a schedule\n" in text
    assert [line[2] for line in text.splitlines() if line.startswith("| ")][2:] == ["d", "b", "c", "a"]


def test_the_summary_counts_in_english() -> None:
    """One clinic needs somebody, two need somebody."""
    one = summary.report(["delta"], [ended("delta", 4)], "now")
    assert summary.table({"a": one}, []).startswith("1 clinic: 1 needs you\n")
    spent = summary.report(["delta"], [ended("delta", 75)], "now")
    text = summary.table({"a": one, "b": one, "c": spent, "d": spent}, [])
    assert text.startswith("4 clinics: 2 need you, 2 wait for the next day\n")


def test_a_clinic_is_given_its_own_secrets_and_no_others(tmp_path: Path) -> None:
    """Not what Airflow itself is told, nor what the worker's environment holds for other clinics."""
    worker = {
        "PATH": "/bin",
        "AIRFLOW__CORE__FERNET_KEY": "f",
        "SOUTH_KEY": "s",
        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318",
        "DATABASE": "postgres://n@h/n",
    }
    lookups = {"env": worker.get, "variable": {"key": "k"}.get}
    own = variables(CLINIC, tmp_path, lookups, worker)
    assert own["MELTANO_DATABASE_URI"] == own["TARGET_HIGHLEVEL_LEDGER_URL"] == "postgresql+psycopg://n@h/n"
    assert own["TAP_CLINIKO_API_KEY"] == "k"
    assert own["OTEL_EXPORTER_OTLP_ENDPOINT"] == "http://collector:4318"
    assert own["TARGET_HIGHLEVEL_ACCEPT_REJECTS"] == "true"
    assert own["TARGET_HIGHLEVEL_LOCATIONS"] == '{"1": "x"}'
    assert not {"f", "s"} & set(own.values())
    (tmp_path / "mappings").mkdir()
    made = tmp_path / "mappings" / f"{CLINIC.environment}.yml"
    made.touch()
    assert variables(CLINIC, tmp_path, lookups, worker) == {**own, "TARGET_HIGHLEVEL_MAPPING": str(made)}
    with pytest.raises(SecretMissingError, match="variable:key is not there"):
        variables(CLINIC, tmp_path, {**lookups, "variable": {"key": ""}.get}, worker)


def test_references_lead_to_their_place() -> None:
    """A connection has an address and a password."""
    lookups = {"connection": {"north": "address"}.get, "connection#password": {"north": "word"}.get}
    assert resolve("connection:north", lookups) == "address"
    assert resolve("connection:north#password", lookups) == "word"


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("postgres://n:w%40rd@h:1/n?sslmode=require", "n:w%40rd@h:1/n?sslmode=require"),
        ("postgresql+psycopg2://n:w/o#r?d@h/n\n", "n:w/o#r?d@h/n"),
        ("zebra", None),
        ("sqlite:////data/ledger.db", None),
        ("mysql://n:zebra@h/n", None),
        ("postgresql://n:w@zebra@h/n", None),
        ("postgresql://n:w@[::1]:5433/n", "n:w@[::1]:5433/n"),
        ("postgresql://n:w@/n?host=/run/postgresql", "n:w@/n?host=/run/postgresql"),
        ("postgresql:///zebra", None),
        ("postgres://n:zebra@/n?host=", None),
        ("postgresql://n:zebra@:5432/n", None),
        ("postgresql://", None),
    ],
)
def test_a_database_is_one_of_a_server_that_is_named(tmp_path: Path, text: str, address: str | None) -> None:
    """Else clinics met in whatever database the worker finds by itself; and what is wrong is not repeated."""
    lookups = {"env": {"DATABASE": text}.get, "variable": {"key": "k"}.get}
    if address:
        own = variables(CLINIC, tmp_path, lookups, {})
        assert own["TARGET_HIGHLEVEL_LEDGER_URL"] == f"postgresql+psycopg://{address}"
        return
    with pytest.raises(SecretMissingError, match="env:DATABASE") as caught:
        variables(CLINIC, tmp_path, lookups, {})
    assert "zebra" not in str(caught.value)


@pytest.mark.parametrize(
    ("secret", "inside"),
    [
        ("key", set()),
        ("postgresql+psycopg://n:w%40rd@h/n", {"w%40rd", "w@rd"}),
        ('{"a": "one", "b": "two"}', {"one", "two"}),
        ("mailtos://u:word@h?to=d, slack://t", {"word"}),
        ('["mailtos://u:word@h"]', {"word", "mailtos://u:word@h"}),
        ("http://[u:word@h", set()),
        ("5", set()),
    ],
)
def test_what_is_secret_in_a_secret(secret: str, inside: set[str]) -> None:
    """Each part is masked in Airflow's logs, wherever it stands alone."""
    assert set(parts(secret)) == {secret, *inside}


def test_each_clinic_has_a_system_folder_of_its_own(tmp_path: Path) -> None:
    """With the plugins linked into it, and without what a killed run left of its secrets."""
    tmp_path.joinpath(".meltano", "loaders").mkdir(parents=True)
    left = tmp_path / "data/north/meltano/run/target-highlevel/target.config.json"
    left.parent.mkdir(parents=True)
    left.write_text("{}", encoding="utf-8")
    prepare(CLINIC, tmp_path)
    prepare(CLINIC, tmp_path)
    assert not left.exists()
    assert (tmp_path / "data/north/meltano/loaders").resolve() == tmp_path / ".meltano/loaders"
    assert (tmp_path / "data/north").stat().st_mode & 0o777 == 0o700
    moved = tmp_path.rename(tmp_path.with_name(f"{tmp_path.name}-moved"))
    prepare(CLINIC, moved)
    assert (moved / "data/north/meltano/loaders").resolve() == moved / ".meltano/loaders"


def a_meltano(folder: Path, script: str) -> Path:
    """Return a project whose Meltano is this script."""
    program = folder / ".venv/bin/meltano"
    program.parent.mkdir(parents=True)
    program.write_text(f"#!{sys.executable}\n{script}", encoding="utf-8")
    program.chmod(0o755)
    return folder


def started(project: Path) -> Running:
    """Start the Meltano of a project."""
    return Running(["run"], {"PATH": os.environ["PATH"]}, project, project / "lock")


@pytest.mark.process
def test_a_command_does_not_outlive_its_step(tmp_path: Path) -> None:
    """Airflow raises in the middle of a step that takes too long; whatever raises, the command ends."""
    project = a_meltano(tmp_path, "import time; print('begun', flush=True); time.sleep(60)")

    def tell(_line: str) -> None:
        raise TimeoutError

    began = time.monotonic()
    with pytest.raises(TimeoutError), started(project) as running:
        running.follow(tell)
    assert running.ended
    assert time.monotonic() - began < 30


def test_a_command_that_is_told_to_stop_ends_with_all_it_started(tmp_path: Path) -> None:
    """The signal reaches the plugins too; nothing is left running."""
    child = (
        "import subprocess, sys; print(subprocess.Popen(['sleep', '60']).pid, flush=True); sys.stdin.read(); "
    )
    project = a_meltano(tmp_path, child + "import time; time.sleep(60)")
    said: list[str] = []
    with started(project) as running:

        def tell(line: str) -> None:
            said.append(line)
            running.stop()

        code, _ = running.follow(tell)
    assert code == 143
    assert_gone(said[0])


def test_a_command_whose_meltano_is_killed_leaves_nothing_running(tmp_path: Path) -> None:
    """A target that went on would hold the ledger, and the next try would be refused (code 2), which nobody tries again."""
    child = "child = subprocess.Popen(['sleep', '60'], stdout=-3, stderr=-3); print(child.pid, flush=True)"
    project = a_meltano(tmp_path, f"import os, subprocess; {child}; os.kill(os.getpid(), 9)")
    said: list[str] = []
    with started(project) as running:
        code, _ = running.follow(said.append)
    assert code == 137
    assert_gone(said[0])


HERE = Path(__file__).parent
PATH = os.pathsep.join(map(str, (HERE.parent, HERE, HERE.parent.parent / "tests")))
TASK = """
import os, sys
from pathlib import Path
from many_clinics.running import Running, lock, prepare
from test_clinic_runs import CLINIC
project = Path(sys.argv[1])
prepare(CLINIC, project)
with Running(["run"], {"PATH": os.environ["PATH"]}, project, lock(CLINIC, project)) as running:
    running.follow(lambda line: print(line, flush=True))
"""
SLOW_TO_END = """
import signal, subprocess, sys, time
from pathlib import Path
def end(*_):
    time.sleep(1)
    Path("ended").touch()
    sys.exit()
signal.signal(signal.SIGTERM, end)
print(subprocess.Popen(["sleep", "60"], stdin=-3, stdout=-3, stderr=-3).pid, flush=True)
time.sleep(60)
"""


TALKS = """
import os, time
print(os.getpid(), flush=True)
while True:
    time.sleep(0.1)
    print("still here", flush=True)
"""
SUPERVISOR = "import subprocess, sys; subprocess.run([sys.executable, '-c', *sys.argv[1:]])"


@pytest.mark.process
def test_a_step_whose_supervisor_is_killed_is_given_up(tmp_path: Path) -> None:
    """Airflow counts it as failed and tries it again; it would go on beside that."""
    project = a_meltano(tmp_path, TALKS)
    with subprocess.Popen(
        [sys.executable, "-c", SUPERVISOR, TASK, project],
        env={**os.environ, "PYTHONPATH": PATH},
        stdout=subprocess.PIPE,
        text=True,
    ) as supervisor:
        assert supervisor.stdout
        child = supervisor.stdout.readline()
        supervisor.kill()
        prepare(CLINIC, project)
        assert_gone(child)


@pytest.mark.process
@pytest.mark.parametrize("killed", ["the task", "the guard is told to end"])
def test_a_command_whose_task_is_killed_ends_and_the_next_try_waits_for_that(
    tmp_path: Path, killed: str
) -> None:
    """Nothing that a killed process should have done is done; yet its Meltano ends, and the next does not meet it.

    Where a whole worker is stopped, the guard hears of it before the task has ended.
    """
    project = a_meltano(tmp_path, SLOW_TO_END)
    task = subprocess.Popen(
        [sys.executable, "-c", TASK, project],
        env={**os.environ, "PYTHONPATH": PATH},
        stdout=subprocess.PIPE,
        text=True,
    )
    with task:
        assert task.stdout
        child = task.stdout.readline()
        if killed == "the task":
            task.kill()
        else:
            (guard,) = subprocess.check_output(["pgrep", "-P", str(task.pid)]).split()
            os.kill(int(guard), signal.SIGTERM)
        prepare(CLINIC, project)
        assert project.joinpath("ended").exists()
        assert_gone(child)


@pytest.mark.process
def test_what_never_ends_is_not_waited_for_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The run is tried; it says itself who holds the ledger."""
    monkeypatch.setattr(guard, "STOP_SECONDS", 0.1)
    prepare(CLINIC, tmp_path)
    with lock(CLINIC, tmp_path).open("wb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        prepare(CLINIC, tmp_path)


@pytest.mark.process
def test_a_command_is_tried_beside_what_never_ends(tmp_path: Path) -> None:
    """It would otherwise wait without an end, and nobody could end it."""
    project = a_meltano(tmp_path, "print('tried')")
    with project.joinpath("lock").open("wb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        said: list[str] = []
        with started(project) as running:
            running.follow(said.append)
    assert said == ["tried"]


def assert_gone(process: str) -> None:
    """See that a process has ended, if somebody has still to be told."""
    deadline = time.monotonic() + 5
    look = ["ps", "-o", "stat=", "-p", process]
    while subprocess.run(look, capture_output=True, check=False).stdout.strip()[:1] not in {b"", b"Z"}:
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.process
def test_a_step_counts_the_records_of_all_sub_accounts(tmp_path: Path) -> None:
    """Each has a report of its own; the folder of reports is meant from the project's, as Meltano means it.

    Where other clinics have theirs in it too, runs of those are not counted, nor what is written just now.
    """
    script = """import json, pathlib
def write(folder, text):
    path = pathlib.Path("reports", folder, "report.json")
    path.parent.mkdir(parents=True)
    path.write_text(text)
for number, (kind, location) in enumerate([("run", "x"), ("run", "m"), ("run", "south"), ("window", "x"), ("run", "")]):
    totals = {"created": 10**number}
    write(f"20261129T020000Z-{number}", json.dumps({"kind": kind, "location_id": location, "totals": totals}))
write("20261129T020000Z-5", '{"kind": "run", "loc')
print("target-highlevel: complete (exit 0)")
"""
    environment = {
        "PATH": os.environ["PATH"],
        "TARGET_HIGHLEVEL_REPORT_DIR": "reports",
        "TARGET_HIGHLEVEL_LOCATION_ID": "https://app.gohighlevel.com/v2/location/m/dashboard",
        "TARGET_HIGHLEVEL_LOCATIONS": '{"1": "x"}',
    }
    how = Commands(CLINIC, a_meltano(tmp_path, script), environment, lambda _: None).step("load")
    assert (how.code, how.totals) == (0, {"created": 11})


@pytest.mark.process
def test_all_runs_are_looked_at_however_many_there_are(tmp_path: Path) -> None:
    """A clinic of many sub-accounts lists more than the lines that are kept of a run to find its last one."""
    listed = [{**run("load", 0, YESTERDAY), "location": str(number)} for number in range(300)]
    lines = [*map(json.dumps, listed), "target-highlevel: 300 runs (exit 0)"]
    project = a_meltano(tmp_path, f"print({chr(10).join(lines)!r})")
    how, runs = Commands(CLINIC, project, {"PATH": os.environ["PATH"]}, lambda _: None).runs()
    assert (how.code, how.line) == (0, "300 runs")
    assert runs == listed
