"""Calendars made from appointment types, hours of practitioners, absences: HighLevel offers nothing that Cliniko forbids."""

from __future__ import annotations

import random
import time
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest
import requests
from hl_loading import Loader, fault, rejects, tap_lines
from hl_mapped import person, record, schemas

from sandbox import Sandbox
from sandbox.both import highlevel_users
from sandbox.clinic.build import build_clinic
from sandbox.cliniko.account import timestamp

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from sandbox.cliniko.account import Account

DAYS = 60
Minutes = set[datetime]


def clinic(seed: int) -> Account:
    """Return a clinic whose practitioners work, are away and have bookings at odd times in the days to come."""
    account = build_clinic(seed, 5)
    chance = random.Random(seed)  # noqa: S311 - no secret
    tables = account.tables
    practitioners = [row["id"] for row in tables["practitioners"].rows() if row["active"]]
    for row in tables[
        "daily_availabilities"
    ].rows():  # nearly all work at two places, not all in one time zone
        other = chance.choice(tables["businesses"].rows())["id"]
        zone = chance.choice(("Australia/Melbourne", "Australia/Melbourne", "Australia/Perth"))
        more = {name: row[name] for name in ("practitioner_id", "day_of_week")}
        account.insert(
            "daily_availabilities",
            {
                **more,
                "business_id": other,
                "time_zone_identifier": zone,
                "availabilities": row["availabilities"],
            },
        )
    for row in tables["daily_availabilities"].rows():
        opens, closes = chance.randint(6, 11), chance.randint(13, 20)
        account.update(
            "daily_availabilities",
            row["id"],
            {"availabilities": [{"starts_at": f"{opens:02}:15", "ends_at": f"{closes:02}:45"}]},
        )
    for service in account.services:
        service["practitioner_ids"] = chance.sample(practitioners, len(practitioners) // 2 + 1)
    for row in chance.sample(tables["daily_availabilities"].rows(), 6):
        account.delete("daily_availabilities", row["id"])
    for number in range(25):
        starts = datetime.now(UTC) + timedelta(minutes=chance.randint(-3000, DAYS * 1440))
        made = account.insert(
            "unavailable_blocks",
            {
                "practitioner_id": chance.choice(practitioners),
                "business_id": chance.choice(tables["businesses"].rows())["id"],
                "starts_at": timestamp(starts),
                "ends_at": timestamp(starts + timedelta(minutes=chance.choice((7, 45, 600, 4000)))),
            },
        )
        if number % 5 == 0:
            account.archive("unavailable_blocks", made["id"])
    return account


def forbidden(account: Account, type_id: str, emails: Mapping[str, str]) -> dict[str, Minutes]:
    """Return, for each user, the minutes of the days to come in which Cliniko lets nobody book a type, by its tables."""
    free: dict[str, Minutes] = {}
    now = datetime.now(UTC).replace(second=0, microsecond=0)
    tables = account.tables
    every = {now + timedelta(minutes=number) for number in range(DAYS * 1440)}
    for practitioner in tables["practitioners"].rows():
        user = emails.get(_email(account, practitioner))
        if user is None:
            continue
        minutes: Minutes = set()
        for service in account.services:
            if (
                service["appointment_type_id"] == type_id
                and practitioner["id"] in service["practitioner_ids"]
            ):
                minutes |= _working(account, practitioner["id"], service["business_id"], now)
        for row in _taken(account, practitioner["id"]):
            minutes -= set(_between(_moment(row["starts_at"]), _moment(row["ends_at"])))
        free[user] = free.get(user, set()) | minutes
    return {user: every - minutes for user, minutes in free.items()}


def _email(account: Account, practitioner: Mapping[str, Any]) -> str:
    user = account.tables["users"][practitioner["user_id"]] if practitioner["user_id"] else {}
    return str(user.get("email") or "").casefold()


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _between(first: datetime, last: datetime) -> Iterator[datetime]:
    minute = first.replace(second=0, microsecond=0)
    while minute < last:
        yield minute
        minute += timedelta(minutes=1)


def _working(account: Account, practitioner: str, business: str, now: datetime) -> Minutes:
    found: Minutes = set()
    for row in account.tables["daily_availabilities"].rows():
        if (row["practitioner_id"], row["business_id"]) != (practitioner, business):
            continue
        zone = ZoneInfo(row["time_zone_identifier"])
        for number in range(-1, DAYS + 2):
            day: date = (now + timedelta(days=number)).astimezone(zone).date()
            if day.isoweekday() % 7 == row["day_of_week"] % 7:
                for span in row["availabilities"]:
                    ends = [
                        datetime.fromisoformat(f"{day}T{span[name]}").replace(tzinfo=zone).astimezone(UTC)
                        for name in ("starts_at", "ends_at")
                    ]
                    found |= set(_between(*ends))
    return found


def _taken(account: Account, practitioner: str) -> Iterator[Mapping[str, Any]]:
    tables = account.tables
    for row in (*tables["unavailable_blocks"].rows(), *tables["group_appointments"].rows()):
        if row["practitioner_id"] == practitioner and not row["archived_at"] and not row["deleted_at"]:
            yield row
    for row in tables["individual_appointments"].rows():
        gone = row["archived_at"] or row["deleted_at"] or row["cancelled_at"] or row["did_not_arrive"]
        if row["practitioner_id"] == practitioner and not gone:
            yield row


def offered(sandbox: Sandbox, calendar: str, user: str) -> list[datetime]:
    """Return the slots that HighLevel offers of a user in a calendar, as a booking page would ask for them."""
    side, found = sandbox.highlevel, []
    for first in (0, 30):
        starts = datetime.now(UTC) + timedelta(days=first)
        span = {
            name: str(int(moment.timestamp() * 1000))
            for name, moment in (("startDate", starts), ("endDate", starts + timedelta(days=30)))
        }
        answer = requests.get(
            f"{side.url}/calendars/{calendar}/free-slots",
            params={**span, "userId": user},
            timeout=30,
            headers={"Authorization": f"Bearer {side.access_token}", "Version": "2021-04-15"},
        )
        assert answer.status_code == 200, answer.text
        found += [
            _moment(slot) for day in answer.json().values() if isinstance(day, dict) for slot in day["slots"]
        ]
    return found


@pytest.fixture
def started(tmp_path: Path) -> Iterator[Any]:
    """Return a function that starts a sandbox with a clinic and gives the loader and the tap's lines."""
    running: list[Sandbox] = []

    def start(account: Account, **options: Any) -> Loader:
        sandbox = Sandbox(
            account=account,
            cliniko={"requests_per_minute": 0},
            highlevel={
                "burst_limit": 100_000,
                "search_lag": 0.2,
                "timezone": "Australia/Melbourne",
                "users": highlevel_users(account),
                **options,
            },
        )
        sandbox.__enter__()
        running.append(sandbox)
        return Loader(sandbox, tmp_path, {"APPOINTMENTS_AS": "mixed"})

    yield start
    for sandbox in running:
        sandbox.__exit__(None, None, None)


def differing(loader: Loader) -> list[str]:
    """Return what the newest verification has found."""
    text = max(loader.folder.glob("reports/*/differences.csv")).read_text(encoding="utf-8-sig")
    return [line for line in text.splitlines() if ",equal," not in line]


def stamp(**ahead: float) -> str:
    """Return a moment so far ahead of now."""
    return f"{datetime.now(UTC) + timedelta(**ahead):%Y-%m-%dT%H:%M:%SZ}"


def source(row: Mapping[str, Any]) -> str:
    """Return the appointment type of a calendar."""
    return str(row["description"]).rpartition("/")[2]


def check(loader: Loader) -> int:
    """Assert that nothing is offered that Cliniko forbids; return how many slots are offered."""
    sandbox, state = loader.sandbox, loader.sandbox.highlevel.state
    emails = {user["email"].casefold(): user["id"] for user in state.users.values()}
    number = 0
    for calendar in list(state.calendars.values()):
        if "cliniko:" not in str(calendar.get("description")):
            continue
        no = forbidden(sandbox.cliniko.account, source(calendar), emails)
        for member in calendar["teamMembers"]:
            for start in offered(sandbox, calendar["id"], member["userId"]):
                minutes = set(_between(start, start + timedelta(minutes=calendar["slotDuration"])))
                assert not minutes & no[member["userId"]], (calendar["name"], start)
                number += 1
    return number


@pytest.mark.soak
@pytest.mark.parametrize("seed", [1, 2])
def test_nothing_is_offered_that_cliniko_forbids(seed: int, started: Any, tmp_path: Path) -> None:
    """Over 60 days, at the first opening and after absences, hours and offers have changed; until it is opened, nothing is."""
    account = clinic(seed)
    loader = started(account)
    assert loader.load(tap_lines(loader.sandbox, tmp_path)).code == 0
    assert check(loader) == 0
    for number in range(2):
        ended = loader.load(tap_lines(loader.sandbox, tmp_path), CALENDARS_OPEN="true")
        assert ended.code == 0, ended.log[-2000:]
        assert check(loader) > 100
        verified = loader.load(tap_lines(loader.sandbox, tmp_path), CALENDARS_OPEN="true", MODE="verify")
        assert verified.code == 0, differing(loader)
        if not number:
            _change(account, random.Random(seed))  # noqa: S311 - no secret
            time.sleep(2)  # what changes in the second in which it is read comes with the next reading
    assert not loader.sandbox.highlevel.state.doubles()
    assert not loader.sandbox.highlevel.control.violations


def _change(account: Account, chance: random.Random) -> None:
    """Move, remove, bring back and add absences; let somebody work less, and somebody offer a type no more."""
    blocks = [row for row in account.tables["unavailable_blocks"].rows() if not row["deleted_at"]]
    for row in chance.sample(blocks, 8):
        starts = datetime.now(UTC) + timedelta(minutes=chance.randint(0, DAYS * 1440))
        times = {"starts_at": timestamp(starts), "ends_at": timestamp(starts + timedelta(hours=9))}
        account.update("unavailable_blocks", row["id"], times)
    for row in chance.sample(blocks, 6):
        (account.unarchive if row["archived_at"] else account.archive)("unavailable_blocks", row["id"])
    for row in chance.sample(account.tables["daily_availabilities"].rows(), 3):
        account.delete("daily_availabilities", row["id"])
    for service in account.services[:6]:
        service["practitioner_ids"] = service["practitioner_ids"][1:]


# One calendar, its hours and an absence by hand

HEAD = schemas(
    "patients", "practitioners", "individual_appointments", "appointment_types", "unavailable_blocks"
)
DOCTOR = record("hl_users", "practitioners/9", email="orla.featherstone@clinic.example.com", active=True)
TYPE, HOURS, AWAY = "appointment_types/5", "practitioner_appointment_types/9#5", "unavailable_blocks/7"


def calendar(**more: Any) -> str:
    """Return the calendar of a type that Orla offers on Mondays."""
    own = {
        "name": "Physio",
        "minutes": 45,
        "seats": 1,
        "color": "#112233",
        "bookable": True,
        "notice_hours": 2,
    }
    hours = {"open_hours": "1 09:00-13:00", "common_hours": "1 09:00-13:00", "time_zone": "Australia/Sydney"}
    team = {"team": ["user:practitioners/9"], "schedules": [f"schedule:{HOURS}"]}
    return record("hl_calendars", TYPE, **{**own, **hours, **team, **more})


def hours(**more: Any) -> str:
    """Return Orla's hours in it."""
    own = {"name": "Physio: Orla", "owner": "user:practitioners/9", "calendar": f"calendar:{TYPE}"}
    when = {"needs": [f"calendar:{TYPE}"], "time_zone": "Australia/Sydney", "hours": "1 09:00-13:00"}
    return record("hl_schedules", HOURS, **{**own, **when, **more})


def away(**more: Any) -> str:
    """Return an absence of hers."""
    when = {"starts_at": "2031-05-01T01:00:00Z", "ends_at": "2031-05-02T01:00:00Z"}
    return record("hl_absences", AWAY, **{"title": "Leave", "owner": "user:practitioners/9", **when, **more})


LINES = [*HEAD, DOCTOR, calendar(), hours(), away(), person("patients/1", "Ada", "Lovelace")]


@pytest.fixture
def diary(highlevel: Any) -> Loader:
    """A sub-account of Orla's and the front desk's, before anything is loaded."""
    loader: Loader = highlevel()
    loader.settings["APPOINTMENTS_AS"] = "mixed"
    return loader


def there(loader: Loader) -> tuple[int, int, int]:
    """Return how many calendars, schedules and blocked slots there are."""
    state = loader.sandbox.highlevel.state
    return len(state.calendars), len(state.schedules), len(state.block_slots)


def test_a_calendar_is_what_its_type_is(diary: Loader) -> None:
    """Length, seats, colour, hours and team; closed, until the run after the one that made it is told to open it."""
    assert diary.load(LINES, CALENDARS_OPEN="true").code == 0
    state = diary.sandbox.highlevel.state
    (made,) = state.calendars.values()
    assert (made["slotDuration"], made["appoinmentPerSlot"], made["eventColor"]) == (45, 1, "#112233")
    assert (made["availabilityType"], made["allowBookingAfterUnit"]) == (1, "months")
    assert [state.users[one["userId"]]["email"] for one in made["teamMembers"]] == [
        "orla.featherstone@clinic.example.com"
    ]
    assert diary.load(LINES, CALENDARS_OPEN="true", MODE="verify").code == 0
    assert diary.load(LINES).code == 0
    before = diary.sandbox.highlevel.control.stats()["requests"]
    assert diary.load(LINES).code == 0
    assert diary.sandbox.highlevel.control.stats()["requests"] == before
    assert diary.load(LINES, CALENDARS_OPEN="true").code == 0
    (made,) = state.calendars.values()
    assert (made["availabilityType"], made["allowBookingAfter"], made["allowBookingAfterUnit"]) == (
        0,
        2,
        "hours",
    )
    assert diary.load(LINES, CALENDARS_OPEN="true", MODE="verify").code == 0
    assert diary.load(LINES, MODE="verify").code == 5  # it is open, and should not be


def test_what_cliniko_gave_up_and_highlevel_still_has_is_too_much(diary: Loader) -> None:
    """An absence that was cancelled since the load blocks a day on which patients could come."""
    assert diary.load(LINES).code == 0
    now = [*HEAD, DOCTOR, calendar(), hours(), away(absent=True), person("patients/1", "Ada", "Lovelace")]
    verified = diary.load(now, MODE="verify")
    assert verified.code == 5
    (too_much,) = verified.report["verification"]["extra_because"]
    assert (too_much["how"], too_much["records"]) == ("no_longer_wanted", 1)
    assert diary.load(now).code == 0
    assert diary.load(now, MODE="verify").code == 0


def test_what_is_only_a_task_needs_no_calendar(diary: Loader) -> None:
    """Nothing of the diary is made, nor asked for; in the clinic's own calendar only absences are."""
    assert diary.load(LINES, APPOINTMENTS_AS="task").code == 0
    assert there(diary) == (0, 0, 0)
    assert not [one for one in diary.sandbox.highlevel.control.requests if "/calendars" in one.path]
    report = {row["object"]: row for row in diary.newest_report()["objects"]}
    assert [report[name]["filtered"] for name in ("calendar", "schedule", "blocked_slot")] == [1, 1, 1]


@pytest.mark.parametrize("moment", ["before_intent", "after_intent"])
def test_what_an_earlier_run_left_is_not_made_against_the_settings(moment: str, diary: Loader) -> None:
    """A calendar that was not made before the clinic decided otherwise is never made; decided back, it is."""
    assert diary.load(LINES, CRASH_AT=f"{moment}/calendar").code < 0
    assert diary.load([*HEAD, DOCTOR], APPOINTMENTS_AS="task").code == 0
    assert there(diary)[:2] == (0, 0)  # the absence may have been there before the kill
    assert diary.load(LINES).code == 0
    assert there(diary) == (1, 1, 1)


def test_absences_follow_and_are_undone(diary: Loader) -> None:
    """One that is moved, given up, and taken up again; undoing each run brings back what was before it."""
    state = diary.sandbox.highlevel.state
    assert diary.load(LINES).code == 0
    assert there(diary) == (1, 1, 1)
    moved = [*LINES, away(ends_at="2031-05-03T01:00:00Z")]
    assert diary.load(moved).code == 0
    gone = [*LINES[:-2], record("hl_absences", AWAY, absent=True), record("hl_schedules", HOURS, absent=True)]
    assert diary.load(gone).code == 0
    assert there(diary) == (1, 0, 0)
    assert diary.load(gone, MODE="verify").code == 0
    assert diary.tool("rollback", "--yes").returncode == 0
    assert there(diary) == (1, 1, 1)
    (slot,) = state.block_slots.values()
    assert slot["endTime"] == "2031-05-03T01:00:00Z"
    assert diary.tool("rollback", "--yes").returncode == 0
    (slot,) = state.block_slots.values()
    assert slot["endTime"] == "2031-05-02T01:00:00Z"
    undone = diary.tool("rollback", "--yes")
    assert undone.returncode == 0, undone.stderr
    assert there(diary) == (0, 0, 0)


def test_what_is_made_again_may_be_refused_and_there(diary: Loader) -> None:
    """A rollback looks before it believes that an absence could not be made again."""
    assert diary.load(LINES).code == 0
    assert diary.load([*LINES, away(absent=True)]).code == 0
    refused = {"status": 422, "body": {"message": ["Request failed"]}, "times": 1}
    fault(diary, "POST", "/block-slots$", "status_after_work", **refused)
    assert diary.tool("rollback", "--yes").returncode == 0
    assert there(diary) == (1, 1, 1)
    assert diary.tool("rollback", "--yes").returncode == 0
    assert there(diary) == (0, 0, 0)


@pytest.mark.parametrize("kind", ["calendar", "schedule", "blocked_slot"])
@pytest.mark.parametrize("moment", ["after_intent", "after_send", "after_crosswalk"])
def test_nothing_of_the_diary_is_doubled(moment: str, kind: str, diary: Loader) -> None:
    """A kill at any moment of a create, and then a lost ledger: the marker finds each again."""
    assert diary.load(LINES, CRASH_AT=f"{moment}/{kind}").code < 0
    assert diary.load(LINES).code == 0
    (diary.folder / "ledger.db").unlink()
    ended = diary.load(LINES, TAKE_OVER="true")
    assert ended.code == 0, ended.log[-2000:]
    assert there(diary) == (1, 1, 1)


@pytest.mark.parametrize(
    "gone", [record("hl_schedules", HOURS, absent=True), record("hl_absences", AWAY, absent=True)]
)
def test_what_was_removed_when_the_run_was_killed_is_made_again(gone: str, diary: Loader) -> None:
    """Hours and absences that are given up and taken up again, with a kill after they were removed."""
    assert diary.load(LINES).code == 0
    kind = "schedule" if "schedules" in gone else "blocked_slot"
    assert diary.load([*HEAD, DOCTOR, calendar(), gone], CRASH_AT=f"after_response/{kind}").code < 0
    assert diary.load(LINES).code == 0
    assert there(diary) == (1, 1, 1)


@pytest.mark.parametrize("then", ["the other", "the first again"])
def test_hours_of_another_user_survive_a_kill(then: str, diary: Loader) -> None:
    """They are made anew for another user and the old ones removed; a kill in between leaves neither two nor none."""
    users = {user["email"]: user["id"] for user in diary.sandbox.highlevel.state.users.values()}
    other = record("hl_users", "practitioners/9", email="frontdesk@example.org", active=True)
    assert diary.load(LINES).code == 0
    assert diary.load([*LINES, other], CRASH_AT="after_response/schedule").code < 0
    ended = diary.load([*LINES, other] if then == "the other" else LINES)
    assert ended.code == 0, ended.log[-2000:]
    assert there(diary) == (1, 1, 1)
    (made,) = diary.sandbox.highlevel.state.schedules.values()
    assert (made["userId"] == users["frontdesk@example.org"]) is (then == "the other")


def test_one_that_somebody_works_with_stays(diary: Loader) -> None:
    """A blocked slot that was moved by hand, and a calendar with a booking of the clinic's own, are spared by an undo."""
    assert diary.load(LINES).code == 0
    state = diary.sandbox.highlevel.state
    (slot,) = state.block_slots.values()
    state.damage.edit("block_slots", slot["id"], endTime="2031-06-01T00:00:00Z")
    (made,) = state.calendars
    state.appointments["own"] = {
        "id": "own", "calendarId": made, "contactId": "", "appointmentStatus": "confirmed",
        "startTime": stamp(days=3), "endTime": stamp(days=3, hours=1),
    }  # fmt: skip
    state.add_child("calendar_appointments", made, "own")
    assert diary.load(LINES, MODE="verify").code == 5
    assert diary.tool("rollback", "--yes").returncode == 0
    assert there(diary) == (1, 0, 1)


def test_a_user_who_comes_later_is_blocked_then(diary: Loader) -> None:
    """Without a user there is nobody to block: it is counted, and made by the run that finds the user."""
    state = diary.sandbox.highlevel.state
    (orla,) = [user for user in state.users.values() if user["email"].startswith("orla")]
    del state.users[orla["id"]]
    assert diary.load(LINES).code == 0
    assert there(diary) == (1, 0, 0)
    state.users[orla["id"]] = orla
    assert diary.load([*LINES, person("patients/2", "Bo", "Diddley")]).code == 0
    assert there(diary) == (1, 1, 1)
    (made,) = state.calendars.values()
    assert [one["userId"] for one in made["teamMembers"]] == [orla["id"]]


@pytest.mark.parametrize("reality", [{"closed": {"/block-slots": 403}}, {"blocks_users": "never"}], ids=str)
def test_without_blocked_slots_all_else_arrives(diary: Loader, reality: dict[str, Any]) -> None:
    """Where HighLevel blocks nothing, or nobody, through its API, each absence is listed."""
    for name, value in reality.items():
        setattr(diary.sandbox.highlevel.state.options, name, value)
    assert diary.load(LINES).code == 4
    assert rejects(diary) == {(AWAY, "cannot_be_blocked")}
    assert there(diary) == (1, 1, 0)


def test_slots_are_found_where_no_long_time_is_listed(diary: Loader) -> None:
    """One that lies across the spans that are asked for one after the other is one: compared, found again, and undone."""
    state = diary.sandbox.highlevel.state
    state.options.longest_span = 366
    lines = [*LINES, away(starts_at="2028-05-01T01:00:00Z")]
    assert diary.load(lines).code == 0
    seen = diary.load(lines, MODE="verify")
    assert seen.code == 0, seen.log[-2000:]
    (diary.folder / "ledger.db").unlink()
    assert diary.load(lines, TAKE_OVER="true").code == 0
    assert there(diary) == (1, 1, 1)
    assert diary.load([*lines, away(absent=True), hours(absent=True)]).code == 0
    assert there(diary) == (1, 0, 0)


# Events whose user leaves the team of their calendar

VISIT, OTHER = "individual_appointments/3", "Other bookings of Cliniko"
COLLEAGUE = record("hl_users", "practitioners/8", email="kofi.saltmarsh@clinic.example.com", active=True)
COLLEAGUES = "practitioner_appointment_types/8#5"
LEFT = record("hl_users", "practitioners/9", email="orla.featherstone@clinic.example.com", active=False)
STAYS = ("Physio", "orla.featherstone", "confirmed")


def team(*numbers: int) -> list[str]:
    """Return the calendar and the hours of those of the two who offer its type."""
    source = {9: HOURS, 8: COLLEAGUES}
    refs = {
        "team": [f"user:practitioners/{number}" for number in numbers],
        "schedules": [f"schedule:{source[number]}" for number in numbers],
    }
    when = {"name": "Physio", "calendar": f"calendar:{TYPE}", "needs": [f"calendar:{TYPE}"]}
    week = {"time_zone": "Australia/Sydney", "hours": "1 09:00-13:00"}
    return [
        calendar(**refs),
        *(
            record("hl_schedules", source[number], owner=f"user:practitioners/{number}", **when, **week)
            for number in numbers
        ),
        *(record("hl_schedules", source[number], absent=True) for number in source.keys() - {*numbers}),
    ]


def visit(**more: Any) -> str:
    """Return a booking of Ada's with Orla."""
    own = {"contact": "patients/1", "title": "Visit", "status": "booked", "body": f"cliniko:{VISIT}"}
    times = {"starts_at": "2031-06-02T01:00:00Z", "ends_at": "2031-06-02T02:00:00Z"}
    kind = {"owner": "user:practitioners/9", "calendar": f"calendar:{TYPE}", "after": [f"calendar:{TYPE}"]}
    return record("hl_appointments", VISIT, **{**own, **times, **kind, **more})


def booked(loader: Loader) -> list[tuple[str, str, str]]:
    """Return calendar, user and status of each event."""
    state = loader.sandbox.highlevel.state
    return [
        (
            state.calendars[event["calendarId"]]["name"],
            state.users[event["assignedUserId"]]["email"].partition("@")[0],
            event["appointmentStatus"],
        )
        for event in state.appointments.values()
    ]


@pytest.mark.parametrize(
    ("doctor", "offering", "changed", "events"),
    [
        pytest.param(LEFT, (9, 8), {}, [(OTHER, "frontdesk", "confirmed")], id="she left"),
        pytest.param(
            LEFT,
            (9, 8),
            {"contact": "patients/2"},
            [(OTHER, "orla.featherstone", "cancelled"), (OTHER, "frontdesk", "confirmed")],
            id="she left, and two patients are one",
        ),
        pytest.param(DOCTOR, (8,), {}, [STAYS], id="she offers it no longer"),
        pytest.param(
            DOCTOR,
            (8,),
            {"status": "cancelled"},
            [(OTHER, "orla.featherstone", "cancelled")],
            id="she offers it no longer, and it is cancelled",
        ),
        pytest.param(
            DOCTOR,
            (8,),
            {"contact": "patients/2"},
            [(OTHER, "orla.featherstone", "cancelled"), (OTHER, "orla.featherstone", "confirmed")],
            id="she offers it no longer, and two patients are one",
        ),
    ],
)
def test_a_change_of_who_is_in_no_team_goes_elsewhere(
    doctor: str, offering: tuple[int, ...], changed: dict[str, str], events: list[Any], diary: Loader
) -> None:
    """HighLevel takes no change of an event whose user is not in its calendar's team; undone, all is as it was."""
    people = [person("patients/1", "Ada", "Lovelace"), person("patients/2", "Bo", "Diddley")]
    assert diary.load([*HEAD, DOCTOR, COLLEAGUE, *team(9, 8), *people, visit()]).code == 0
    assert booked(diary) == [STAYS]
    lines = [*HEAD, doctor, COLLEAGUE, *team(*offering), *people, visit(**changed)]
    ended = diary.load(lines)
    assert ended.code == 0, ended.log[-2000:]
    assert booked(diary) == events
    assert diary.load(lines).code == 0  # hours that were taken away come once more
    before = diary.sandbox.highlevel.control.stats()["requests"]
    assert diary.load(lines).code == 0
    assert diary.sandbox.highlevel.control.stats()["requests"] == before
    seen = diary.load(lines, MODE="verify")
    assert seen.code == 0, seen.log[-2000:]
    fault(diary, "PUT", r"^/calendars/[^/]+$", "slow", delay=0.5)  # a booking could overtake its calendar
    undone = diary.tool("rollback", "--yes")
    assert undone.returncode == 0, undone.stdout + undone.stderr
    assert booked(diary) == [STAYS]


@pytest.mark.parametrize("status", [422, 502])
def test_the_calendar_of_other_bookings_may_be_there_although_it_was_refused(
    status: int, diary: Loader
) -> None:
    """It is looked for: the booking goes in, and there is one calendar."""
    fault(
        diary, "POST", "/calendars/$", "status_after_work", status=status, body={"message": "Request failed"}
    )
    people = [DOCTOR, person("patients/1", "Ada", "Lovelace")]
    loaded = diary.load([*HEAD, *people, visit(calendar=None, after=[])])
    assert loaded.code == 0, loaded.log[-2000:]
    assert booked(diary) == [(OTHER, "orla.featherstone", "confirmed")]
    assert [row["name"] for row in diary.sandbox.highlevel.state.calendars.values()] == [OTHER]


def test_what_was_in_a_deleted_calendar_goes_into_the_one_that_is_made_again(diary: Loader) -> None:
    """Bookings and hours follow; nobody would see them in the calendar that somebody has deleted."""
    lines = [*HEAD, DOCTOR, calendar(), hours(), person("patients/1", "Ada", "Lovelace"), visit()]
    assert diary.load(lines).code == 0
    side = diary.sandbox.highlevel
    (deleted,) = side.state.calendars
    headers = {"Authorization": f"Bearer {side.access_token}", "Version": "2021-04-15"}
    assert requests.delete(f"{side.url}/calendars/{deleted}", headers=headers, timeout=30).ok
    assert diary.load(lines, MODE="verify").code == 5
    assert diary.tool("repair", "--yes").returncode == 0
    assert diary.load(lines).code == 0
    (made,) = side.state.calendars
    assert [row["calendarId"] for row in side.state.appointments.values()] == [made]
    assert [row["calendarIds"] for row in side.state.schedules.values()] == [[made]]
    assert diary.load(lines, MODE="verify").code == 0
