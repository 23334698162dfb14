"""The long checks of many short courses: kills, two writers, restored ledgers, clocks that jump, damage, people at work.

Each course is a small clinic in a sandbox of its own, with something of every kind and little of it; the target is a fork of
a process that has everything imported, so that a course costs seconds. Its number is its seed: a course that went wrong can be
run again alone.
"""

from __future__ import annotations

import json
import random
import re
import shutil
import signal
import sqlite3
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from findings import Findings
from hl_damage import Vandal, read_crosswalk, read_differences
from hl_loading import (
    REFERENCE,
    Clinic,
    Loaded,
    Loader,
    ReadyProcess,
    a_sandbox,
    after_state,
    ready_process,
    tap_lines,
    thin_out,
)
from hl_people import People
from hl_snapshots import put
from hl_undoing import differing, dump

from sandbox.cliniko.changes import random_change
from target_highlevel.crashpoints import CRASH_POINTS

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable
    from concurrent.futures import Future

    from measuring import Sandbox

COMPLETE, KILLED, REFUSED, DIFFERS = (0, 4), -9, 2, 5
OVERWRITE = ("cliniko_wins", "fill_empty", "never")
#: Records of these lists may come later than the rest, and hang on nothing that would then be missing.
_LATER = frozenset(
    {"treatment_notes", "individual_appointments", "patient_attachments", "recalls", "patient_forms"}
)
#: What is changed from one reading to the next.
_CHANGED = {
    "patients": "city",
    "treatment_notes": "title",
    "invoices": "notes",
    "individual_appointments": "notes",
}
_CONSENT = ("accepted_email_marketing", "accepted_sms_marketing")
_READINGS = 4
#: Up to the year of a bookmark: each reading passes later ones than the one before.
_KEY_VALUE = re.compile(r'("replication_key_value":\s*")\d{4}')
_HOUR = 3600
_POLL = 0.005
_TOLD = 20
#: One course of so many begins in a sub-account without definitions.
_EMPTY = 4
_KILLS = 4
#: Seconds from the request at which a load is to be killed until it is.
_JITTER = 0.05
#: Kinds of damage that are to have been done.
_KINDS = 60


class Story:
    """A clinic as it is read again and again: records come, change, and patients change their minds about marketing."""

    def __init__(self, lines: list[str], chance: random.Random) -> None:
        """Decide when each record comes and what of it changes."""
        self._readings: list[list[str]] = [[] for _ in range(_READINGS)]
        for line in lines:
            message = json.loads(line)
            first = chance.randrange(_READINGS) if message.get("stream") in _LATER else 0
            changing = message["type"] == "RECORD" and _happens(chance, 0.5)
            for number in range(_READINGS):
                if message["type"] != "RECORD":
                    self._readings[number].append(_KEY_VALUE.sub(rf"\g<1>{2030 + number}", line))
                elif number >= first:
                    if changing:
                        _change(message, number, chance)
                    self._readings[number].append(json.dumps(message))

    def whole(self, number: int) -> list[str]:
        """Return everything, as it is at one reading; the last one stays."""
        return self._readings[min(number, _READINGS - 1)]

    def since(self, before_: int, number: int, state: str) -> list[str]:
        """Return what a tap says that goes on from the state in which an earlier reading ended."""
        before = set(self.whole(before_))
        kept = [
            line
            for line in self.whole(number)
            if line not in before or '"RECORD"' not in line[:40] or json.loads(line)["stream"] in REFERENCE
        ]
        return [json.dumps({"type": "STATE", "value": json.loads(state)}), *kept]


def _happens(chance: random.Random, probability: float) -> bool:
    return chance.random() < probability


def _change(message: dict[str, Any], number: int, chance: random.Random) -> None:
    record, name = message["record"], _CHANGED.get(message["stream"])
    if name is not None:
        message["record"] = record = {**record, name: f"Reading {number}"}
    if message["stream"] == "patients":
        record.update({consent: chance.choice((True, False, None)) for consent in _CONSENT})


@dataclass
class Course:
    """One course: a sub-account, a place to run in, and what was done."""

    number: int
    folder: Path
    sandbox: Sandbox
    lines: list[str]
    done: Counter[str] = field(default_factory=Counter)
    closed: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Tell the story of the clinic."""
        self.chance = random.Random(self.number)  # noqa: S311 - a course that can be repeated, no secret
        self.story = Story(self.lines, self.chance)
        self.state = self.sandbox.highlevel.state
        self.loader = self.place("here")
        if self.number % 2:  # its threads take turns after every few steps
            self.loader.settings["SWITCH_INTERVAL"] = "0.000001"

    @property
    def is_empty(self) -> bool:
        """Whether its sub-account has nothing to begin with; in most there are the definitions that a load makes."""
        return self.number % _EMPTY == 0

    def place(self, name: str) -> Loader:
        """Return somebody who loads from a folder of that name."""
        folder = self.folder / name
        folder.mkdir()
        return Loader(self.sandbox, folder)

    def close_a_channel(self) -> None:
        """Let a patient text STOP."""
        patients = sorted(hl_id for hl_id in self.state.contacts if hl_id not in self.closed)
        if patients:
            contact = self.chance.choice(patients)
            self.closed[contact] = self.chance.choice(("SMS", "Email"))
            self.state.staff.close_channel(contact, self.closed[contact])

    def crash(self) -> dict[str, str]:
        """Return settings with which a run is killed at a seam."""
        point, number = self.chance.choice(CRASH_POINTS), self.chance.randrange(1, 60)
        return {"CRASH_AT": f"{point}:{number}"}

    def reaches(self, requests: int, running: Future[Loaded]) -> None:
        """Wait until HighLevel has seen so many more requests, or the run has ended."""
        seen = self.sandbox.highlevel.control.requests
        wanted = len(seen) + requests
        while len(seen) < wanted and not running.done():
            time.sleep(_POLL)

    def sources(self) -> dict[str, set[str]]:
        """Return the source ids that are there, by kind of object."""
        return {kind: set(ids) for kind, ids in self.state.sources().items()}

    def wrong(self, clinic: Clinic, ended: Loaded, *, whole: bool = True) -> list[str]:
        """Return what is not as it must be; ``whole`` if all of the clinic's first state is to be there, and no more links."""
        there = self.sources()
        missing = {kind: sorted(ids - there.get(kind, set()))[:3] for kind, ids in clinic.sources.items()}
        doubled = {kind: ids for kind, ids in self.state.doubles().items() if whole or kind != "files"}
        opened = [
            contact
            for contact, channel in self.closed.items()
            if self.state.contacts[contact]["dndSettings"][channel]["status"] != "permanent"
        ]
        checks = {
            f"exit {ended.code}: {ended.log.splitlines()[-1:]}": ended.code in COMPLETE,
            f"lost { ({kind: ids for kind, ids in missing.items() if ids}) }": not whole
            or not any(missing.values()),
            f"doubled {doubled}": not doubled,
            f"{len(self.state.relations)} links, not {clinic.relations}": not whole
            or len(self.state.relations) == clinic.relations,
            f"channels opened {opened}": not opened,
        }
        return [text for text, good in checks.items() if not good]


def _courses(
    title: str,
    options: argparse.Namespace,
    run: Callable[[Course, Clinic], list[str]],
    patients: int = 3,
    most: int | None = 3,
) -> Findings:
    """Run courses until their number or the minutes are reached, in clinics with at most so many rows of each list."""
    found, done, number = Findings(title), Counter[str](), 0
    began = time.monotonic()
    wanted = options.courses
    with tempfile.TemporaryDirectory() as folder:
        clinic = Clinic(patients, Path(folder) / "clinic", most)
        for number in range(wanted):
            if time.monotonic() - began > 60 * options.minutes:
                break
            course_folder = Path(folder) / f"{number}"
            course_folder.mkdir()
            with a_sandbox(patients) as sandbox:
                if most is not None:
                    thin_out(sandbox, most)
                course = Course(options.seed + number, course_folder, sandbox, clinic.lines)
                if not course.is_empty:
                    put(sandbox, clinic.schema)
                wrong = run(course, clinic)
            done.update(course.done)
            found.wrong += [f"course {course.number}: {text}" for text in wrong]
            if wrong and options.keep:
                shutil.copytree(course_folder, Path(options.keep) / f"{course.number}", dirs_exist_ok=True)
            shutil.rmtree(course_folder)
            if wrong or (number + 1) % _TOLD == 0:
                print(
                    f"{title}: {number + 1} courses, {len(found.wrong)} wrong", *wrong, sep="\n  ", flush=True
                )
        else:
            number += 1
    last = options.seed + number - 1
    found.facts = {
        "courses": f"{number}, seeds {options.seed} to {last}"
        + ("" if number == wanted else f", of {wanted}"),
        **{what: str(count) for what, count in sorted(done.items())},
        "wrong": str(len(found.wrong)),
        "took": f"{(time.monotonic() - began) / 60:.0f} min",
    }
    return found


# Kills


def kills(options: argparse.Namespace) -> Findings:
    """Kill a load, or tell it to stop, at random moments of all of its way, again and again; compare what it leaves."""
    return _courses("Loads killed or told to stop at random moments", options, _killed)


def _killed(course: Course, clinic: Clinic) -> list[str]:
    loader, chance, state = course.loader, course.chance, None
    seen = course.sandbox.highlevel.control.requests
    whole = clinic.requests if course.is_empty else clinic.created + clinic.relations
    for turn in range(_KILLS):
        share = max(0, whole - len(seen)) / (_KILLS - turn)  # each kill has its share of the way that is left
        with ThreadPoolExecutor(1) as pool:
            running = pool.submit(loader.load, after_state(clinic.lines, state))
            course.reaches(int(1.5 * share * chance.random()), running)
            time.sleep(chance.random() * _JITTER)
            number = chance.choice([signal.SIGKILL, signal.SIGTERM])
            ready_process().kill(number)
            loaded = running.result()
        state = loaded.states[-1] if loaded.states else state
        quarter = f"in quarter {min(4, 1 + 4 * len(seen) // whole)}" if seen else "before the first request"
        course.done[f"{number.name} {quarter}"] += loaded.code in {-number, 128 + number}
    ended = loader.load(after_state(clinic.lines, state))
    checks = {
        "something is there that should not be": course.sources() == clinic.sources,
        "a rule of the API was broken": not course.sandbox.highlevel.control.violations,
        "the report does not close": ended.report.get("closes_to_zero"),
    }
    return [*course.wrong(clinic, ended), *(text for text, good in checks.items() if not good)]


# Two writers


def writers(options: argparse.Namespace) -> Findings:
    """Start two runs into one sub-account, from two places, at random offsets from each other; some are killed."""
    with closing(ReadyProcess()) as second:

        def run(course: Course, clinic: Clinic) -> list[str]:
            return _two_writers(course, clinic, second)

        return _courses("Two writers at random offsets", options, run)


def _two_writers(course: Course, clinic: Clinic, second: ReadyProcess) -> list[str]:
    here, chance = course.loader, course.chance
    if _happens(chance, 0.7):
        here.load(course.story.whole(0))
    other = _second_writer(course)
    other.process = second
    for number in (1, 2):
        if _happens(chance, 0.5):
            course.close_a_channel()
        offset, crash = chance.randrange(150), course.crash() if _happens(chance, 0.2) else {}
        pair = [here, other] if _happens(chance, 0.5) else [other, here]
        with ThreadPoolExecutor(2) as pool:
            begun = pool.submit(pair[0].load, course.story.whole(number), **crash)
            course.reaches(offset, begun)
            after = pool.submit(pair[1].load, course.story.whole(number))
        course.done.update(f"runs with exit {each.result().code}" for each in (begun, after))
    last = course.story.whole(_READINGS)
    ended = here.load(last)
    if (
        ended.code == REFUSED
    ):  # the other one has the sub-account: it goes on there, or is taken over, as the line says
        other.load(last)
        ended = here.load(last, TAKE_OVER="true")
        course.done["taken over"] += 1
    return course.wrong(clinic, ended)


def _second_writer(course: Course) -> Loader:
    """Return somebody in another folder: without a ledger, with a copy of it, or with the same one by another path."""
    other = course.place("there")
    kind = course.chance.choice(
        ("without a ledger", "with a copy of the ledger", "with the ledger by another path")
    )
    course.done[f"second writers {kind}"] += 1
    ledger = course.loader.folder / "ledger.db"
    if kind == "with a copy of the ledger" and ledger.exists():
        _back_up(ledger, other.folder / "ledger.db")
    if kind == "with the ledger by another path":
        link = course.folder / "link"
        link.symlink_to(course.loader.folder, target_is_directory=True)
        other.settings["LEDGER_URL"] = f"sqlite:///{link}/ledger.db"
    return other


def _back_up(ledger: Path, kept: Path) -> None:
    with closing(sqlite3.connect(ledger)) as source, closing(sqlite3.connect(kept)) as copy:
        source.backup(copy)


# Restored ledgers


@dataclass(frozen=True)
class _Backup:
    """A copy of a ledger, and what the bookmarks said then."""

    path: Path
    state: str | None
    reading: int


def restores(options: argparse.Namespace) -> Findings:
    """Put ledgers of earlier moments back, some taken in the middle of a run, with and without their bookmarks."""
    return _courses("Ledgers restored at random moments", options, _restored)


def _restored(course: Course, clinic: Clinic) -> list[str]:
    loader, chance, story = course.loader, course.chance, course.story
    backups: list[_Backup] = []
    state, reading = None, 0
    for number in range(_READINGS + 1):
        if _happens(chance, 0.3):
            course.close_a_channel()
        if backups and _happens(chance, 0.6):
            backup = chance.choice(backups)
            _put_back(loader, backup)
            if _happens(chance, 0.5):  # the bookmarks are in the backup too
                state, reading = backup.state, backup.reading
            course.done["ledgers restored"] += 1
        crash = course.crash() if _happens(chance, 0.25) else {}
        goes_on = state is not None and _happens(chance, 0.6)
        lines = story.since(reading, number, str(state)) if goes_on else story.whole(number)
        with ThreadPoolExecutor(1) as pool:
            running = pool.submit(loader.load, lines, **crash)
            if _happens(chance, 0.5):
                course.reaches(chance.randrange(100), running)
                backups += _kept(course, len(backups), state, reading)
            loaded = running.result()
        if loaded.code == REFUSED:  # the line asks for a full read
            loaded = loader.load(story.whole(number))
            course.done["full reads that were asked for"] += 1
        course.done[f"runs with exit {loaded.code}"] += 1
        if loaded.code in COMPLETE and loaded.states:
            state, reading = loaded.states[-1], number
        if _happens(chance, 0.5):
            backups += _kept(course, len(backups), state, reading)
    return course.wrong(clinic, loader.load(story.whole(_READINGS)))


def _kept(course: Course, number: int, state: str | None, reading: int) -> list[_Backup]:
    """Make a backup; of a ledger that is not there yet there is none."""
    path = course.folder / f"kept {number}.db"
    ledger = course.loader.folder / "ledger.db"
    if not ledger.exists():
        return []
    with suppress(sqlite3.OperationalError):
        _back_up(ledger, path)
        return [_Backup(path, state, reading)]
    return []


def _put_back(loader: Loader, backup: _Backup) -> None:
    for name in ("ledger.db-wal", "ledger.db-shm"):
        (loader.folder / name).unlink(missing_ok=True)
    shutil.copy(backup.path, loader.folder / "ledger.db")


# Clocks


def clocks(options: argparse.Namespace) -> Findings:
    """Run tap and target on a clock that is hours or weeks wrong, differently in every run; undo some runs."""
    return _courses("Clocks that jump", options, _on_wrong_clocks)


def _on_wrong_clocks(course: Course, clinic: Clinic) -> list[str]:
    loader, chance = course.loader, course.chance
    account, state, wrong = course.sandbox.cliniko.account, None, []
    for number in range(3):
        if number:
            for _ in range(6):
                random_change(account, chance, without_deletions=True)
            time.sleep(1.1)  # the tap reads up to the second before this one
        if _happens(chance, 0.3):
            course.close_a_channel()
        lines = _read_on_a_wrong_clock(course, state)
        before = dump(loader)
        loaded = loader.load(lines, **_wrong_clock(course))
        course.done[f"runs with exit {loaded.code}"] += 1
        state = loaded.states[-1] if loaded.code in COMPLETE and loaded.states else state
        if number and _happens(chance, 0.4) and _writes(loader):
            undone = loader.tool("rollback", "--yes", **_wrong_clock(course))
            course.done["rollbacks"] += 1
            wrong += [f"rollback {undone.returncode}: {undone.stderr[-300:]}"] * (undone.returncode != 0)
            wrong += [f"not undone: {item}"[:300] for item in differing(before, dump(loader))[:3]]
            state = None  # the line asks for a full read
    lines = _read_on_a_wrong_clock(course, None)
    ended = loader.load(lines)
    time.sleep(course.state.options.search_lag)
    checked = loader.load(lines, MODE="verify")
    wrong += [f"verify {checked.code}: {checked.log.splitlines()[-1:]}"] * (checked.code != 0)
    return [*wrong, *course.wrong(clinic, ended, whole=False)]


def _wrong_clock(course: Course) -> dict[str, str]:
    hours = course.chance.choice((0, -10, 10, course.chance.randrange(-700, 700)))
    return {"CLOCK_AHEAD": str(hours * _HOUR)}


def _read_on_a_wrong_clock(course: Course, state: str | None) -> list[str]:
    folder = course.loader.folder / "tap"
    folder.mkdir(exist_ok=True)
    return tap_lines(
        course.sandbox, folder, state, TARGET_HIGHLEVEL_CLOCK_AHEAD=_wrong_clock(course)["CLOCK_AHEAD"]
    )


def _writes(loader: Loader) -> bool:
    totals = loader.newest_report().get("totals", {})
    return bool(totals.get("created") or totals.get("updated"))


# Damage


def damage(options: argparse.Namespace) -> Findings:
    """Damage a clinic at random; a verification must find each damage, and nothing else, whatever `overwrite` says."""
    found = _courses("Damage found by a verification", options, _damaged, patients=5, most=6)
    kinds = sorted(name for name in found.facts if name not in {"courses", "wrong", "took"})
    times = {name: found.facts.pop(name) for name in kinds}
    each = len(times)
    found.facts = {
        **found.facts,
        "damages, each looked for under each of the three settings": str(sum(map(int, times.values()))),
        f"kinds of damage ({each})": ", ".join(f"{name} {number}" for name, number in times.items()),
    }
    found.expect(each >= min(_KINDS, options.courses), f"{each} kinds only")
    return found


def _damaged(course: Course, clinic: Clinic) -> list[str]:
    loader = course.loader
    clinic.restore(loader)
    wrong = []
    clean = loader.load(clinic.lines, MODE="verify", OVERWRITE=OVERWRITE[course.number % len(OVERWRITE)])
    report = _newest(loader)
    if clean.code != 0 or read_differences(report):
        wrong.append(f"undamaged: exit {clean.code}, {read_differences(report)}")
    vandal = Vandal(course.sandbox, read_crosswalk(report), course.chance)
    vandal.rampage(30)
    course.done.update(vandal.done)
    time.sleep(course.state.options.search_lag)
    for overwrite in OVERWRITE:
        checked = loader.load(clinic.lines, MODE="verify", OVERWRITE=overwrite)
        if checked.code not in {0, DIFFERS}:
            return [*wrong, f"{overwrite}: exit {checked.code}: {checked.log.splitlines()[-1:]}"]
        there = read_differences(_newest(loader))
        if checked.code != DIFFERS or there != vandal.expected:
            lost, more = sorted(vandal.expected - there), sorted(there - vandal.expected)
            wrong.append(
                f"{overwrite}: exit {checked.code}, not found {lost}, found {more}; done {vandal.done}"
            )
    return wrong


def _newest(loader: Loader) -> Path:
    return max((loader.folder / "reports").iterdir())


# People at work


def people(options: argparse.Namespace) -> Findings:
    """Undo runs while people work in the sub-account; some rollbacks are killed, and people go on before the next try."""
    return _courses("Rollback with people at work", options, _at_work)


def _at_work(course: Course, _clinic: Clinic) -> list[str]:
    loader, chance = course.loader, course.chance
    loader.load(course.story.whole(0))
    loader.load(course.story.whole(1))
    staff = People(course.sandbox, chance)
    for _ in range(2):
        course.done.update(_deeds(staff.work(chance.randrange(1, 12))))
        if _happens(chance, 0.4):
            killed = loader.tool("rollback", "--yes", **course.crash())
            course.done["rollbacks killed"] += killed.returncode == KILLED
            course.done.update(_deeds(staff.work(chance.randrange(1, 6))))
        undone = loader.tool("rollback", "--yes")
        course.done["rollbacks"] += 1
        if undone.returncode not in {0, REFUSED}:
            return [f"exit {undone.returncode}: {undone.stderr.splitlines()[-1:]}"]
    return [f"lost: {what}" for what in staff.lost()]


def _deeds(done: list[str]) -> Counter[str]:
    return Counter({"things people did": len(done)})


CHECKS: dict[str, Callable[[argparse.Namespace], Findings]] = {
    "kills": kills,
    "restores": restores,
    "writers": writers,
    "people": people,
    "clocks": clocks,
    "damage": damage,
}
