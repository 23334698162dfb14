"""What a clinic calls patients back by: visits, recalls and sums on the contact, exact after every delta and as time passes."""

from __future__ import annotations

import csv
import random
import time
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest
from hl_loading import Loader, tap_lines
from hl_mapped import person, record, schemas
from hl_practice import PIPELINE, Practice, bookings, gone
from hl_undoing import changed

from sandbox import Sandbox
from sandbox.cliniko.account import timestamp
from sandbox.cliniko.changes import apply_change, random_change

if TYPE_CHECKING:
    from pathlib import Path

    from hl_loading import Clinic

    from conftest import StartHighLevel
    from sandbox.cliniko.account import Account

DAY = 86_400
FIELDS = (
    "first_visit",
    "last_visit",
    "next_visit",
    "next_recall",
    "visits",
    "no_shows",
    "invoiced_total",
    "open_total",
)
#: (seed, patients, rounds, changes in each): few for every day, many for `make soak`.
CLINICS = [
    (3, 25, 3, 60),
    *(pytest.param(seed, 25, 3, 60, marks=pytest.mark.soak) for seed in range(200, 220)),
    pytest.param(
        300, 300, 50, 20, marks=[pytest.mark.soak, pytest.mark.timeout(7200)], id="300 patients, 50 deltas"
    ),
]


# What Cliniko's tables say, computed without any code of the product


def expected(account: Account, now: str) -> dict[str, dict[str, Any]]:
    """Return the fields of every patient."""
    found: defaultdict[str, dict[str, list[Any]]] = defaultdict(lambda: defaultdict(list))
    for patient, booking, state in bookings(account):
        zone = ZoneInfo(account.tables["businesses"][booking["business_id"]]["time_zone_identifier"])
        day = datetime.fromisoformat(booking["starts_at"]).astimezone(zone).date().isoformat()
        past = booking["starts_at"] <= now
        missed = state == "missed" or (state == "not_come" and past)
        kind = "no_shows" if missed else "took_place" if state == "came" or past else "coming"
        found[patient][kind].append((booking["starts_at"], day))
    today = datetime.fromisoformat(now).astimezone(clinic_zone(account)).date().isoformat()
    for row in account.tables["recalls"].rows():
        if row["recall_at"] >= today and not gone(row):
            found[row["patient_id"]]["recalls"].append(row["recall_at"])
    for row in account.tables["invoices"].rows():
        if row.get("patient_id") and not gone(row):
            amount = Decimal(row["total_amount"])
            found[row["patient_id"]]["invoiced"].append(amount)
            found[row["patient_id"]]["open"].append(amount if row["status"] == 10 else 0)
    return {row["id"]: fields(found[row["id"]]) for row in account.tables["patients"].rows()}


def clinic_zone(account: Account) -> ZoneInfo:
    """Return the zone of the first location."""
    return ZoneInfo(
        min(account.tables["businesses"].rows(), key=lambda row: int(row["id"]))["time_zone_identifier"]
    )


def fields(said: dict[str, list[Any]]) -> dict[str, Any]:
    """Return the fields of one patient."""
    days = sorted(day for _, day in said["took_place"])
    values = (
        days[0] if days else None,
        days[-1] if days else None,
        min(said["coming"])[1] if said["coming"] else None,
        min(said["recalls"], default=None),
        Decimal(len(days)),
        Decimal(len(said["no_shows"])),
        sum(said["invoiced"], Decimal(0)),
        sum(said["open"], Decimal(0)),
    )
    return dict(zip(FIELDS, values, strict=True))


def held(state: Any) -> dict[str, dict[str, Any]]:
    """Return the fields of every patient's contact in HighLevel, by the patient's id."""
    found = {}
    for contact in state.dump()["contacts"]:
        custom = contact["customFields"]
        resource, _, number = custom["contact.source_system_id"].partition("/")
        values = {name: custom.get(f"contact.cliniko_{name}") for name in FIELDS}
        if resource == "patients":
            counts = {name: Decimal(str(values[name])) for name in FIELDS[4:]}
            found[number] = {**{name: value or None for name, value in values.items()}, **counts}
        else:
            assert set(values.values()) <= {None, ""}, resource
    return found


def recall_tasks(state: Any) -> dict[str, tuple[str, str]]:
    """Return (patient, day it is due at the clinic) of the open tasks that stand for recalls, by the recall's id."""
    found = {}
    for contact in state.dump()["contacts"]:
        source = contact["customFields"]["contact.source_system_id"]
        for task in contact["tasks"]:
            marker = task["body"].rpartition("\n")[2]
            if marker.startswith("cliniko:recalls/") and not task["completed"]:
                due = datetime.fromisoformat(task["dueDate"])
                found[marker.partition("/")[2]] = (source, due.date().isoformat())
    return found


def open_recalls(account: Account) -> dict[str, tuple[str, str]]:
    """Return the same of the recalls that Cliniko lists."""
    rows = account.tables["recalls"].rows()
    return {row["id"]: (f"patients/{row['patient_id']}", row["recall_at"]) for row in rows}


def tagged(state: Any) -> set[str]:
    """Return the ids of the patients whose contact tells of a medical alert."""
    return {
        contact["customFields"]["contact.source_system_id"].partition("/")[2]
        for contact in state.dump()["contacts"]
        if "medical-alert" in contact["tags"]
    }


def with_alerts(account: Account) -> set[str]:
    """Return the ids of the patients with an alert in force."""
    return {row["patient_id"] for row in account.tables["medical_alerts"].rows() if not gone(row)}


def strangely_owned(state: Any) -> list[str]:
    """Return the profiles and invoices whose owner is not that of their contact."""
    owners = {contact["id"]: [contact["assignedTo"]] for contact in state.contacts.values()}
    found = []
    for relation in state.relations.values():
        first, second = relation["firstRecordId"], relation["secondRecordId"]
        record = state.records.get(second)
        kinds = {"custom_objects.cliniko_patient_profile", "custom_objects.cliniko_invoice"}
        if first in owners and record and record["objectKey"] in kinds and record["owner"] != owners[first]:
            found.append(record["properties"]["source_system_id"])
    return found


def writes(sandbox: Sandbox) -> list[str]:
    """Return the paths of all updates of contacts."""
    asked = sandbox.highlevel.control.requests
    return [
        each.path
        for each in asked
        if each.method == "PUT" and each.path.count("/") == 2 and "/contacts/" in each.path
    ]


def edit(account: Account, chance: random.Random) -> None:
    """Make one change of what the fields are made of."""
    now = account.clock()
    starts = now + chance.randrange(-40, 40) * DAY + 7
    moved = {"starts_at": timestamp(starts), "ends_at": timestamp(starts + 1800)}
    patient = chance.choice(list(account.tables["patients"]))
    resource, values = chance.choice(
        [
            ("individual_appointments", moved),
            ("individual_appointments", {"did_not_arrive": True, "patient_arrived": False}),
            ("individual_appointments", {"did_not_arrive": False, "patient_arrived": True}),
            ("individual_appointments", {"patient_id": patient}),
            ("attendees", {"arrived": chance.choice((True, None))}),
            ("group_appointments", moved),
            ("group_appointments", {"archived_at": timestamp(now)}),
            ("invoices", {"status": chance.choice((10, 20))}),
            ("invoices", {"total_amount": f"{chance.randrange(-900, 9000) / 100}"}),
            ("invoices", {"patient_id": patient}),
            ("invoices", {"archived_at": timestamp(now)}),
            ("recalls", {"recall_at": timestamp(starts)[:10]}),
            ("recalls", None),
            ("medical_alerts", {"archived_at": chance.choice((timestamp(now), None))}),
        ]
    )
    if resource == "recalls" and not len(account.tables["recalls"]):
        account.insert("recalls", {"patient_id": patient, "recall_at": timestamp(starts)[:10]})
    identity = chance.choice(list(account.tables[resource]))
    operation = {"op": "update", "values": values} if values else {"op": "delete"}
    apply_change(account, {"resource": resource, "id": identity, **operation})


@pytest.mark.parametrize(("seed", "patients", "rounds", "changes"), CLINICS)
def test_what_a_practice_works_with_is_what_clinikos_tables_say(
    seed: int, patients: int, rounds: int, changes: int, tmp_path: Path
) -> None:
    """After the load, which creates each contact in one request, and after every round of changes by chance."""
    chance = random.Random(seed)  # noqa: S311 - repeatable
    options = {"burst_limit": 100_000, "daily_limit": 10_000_000, "search_lag": 0.2, "allow_duplicates": True}
    cliniko = {"requests_per_minute": 0, "recalls": True}
    with Sandbox(seed=seed, patients=patients, cliniko=cliniko, highlevel=options) as sandbox:
        account, state = sandbox.cliniko.account, sandbox.highlevel.state
        practice = Practice(account, state)
        practice.add_pipeline()
        loader = Loader(sandbox, tmp_path, {"PIPELINE": PIPELINE})

        def compare() -> None:
            now = timestamp(time.time())
            there, wanted = held(state), expected(account, now)
            assert there == {name: wanted[name] for name in there}
            assert recall_tasks(state) == open_recalls(account)
            assert tagged(state) == with_alerts(account) & set(there)
            merged = {
                f"patients/{row['id']}" for row in account.tables["patients"].rows() if "merged_at" in row
            }
            assert set(strangely_owned(state)) <= merged  # of whom only the contact is kept up to date
            practice.check(now)

        loaded = loader.load(tap_lines(sandbox, tmp_path))
        assert loaded.code in {0, 4}, loaded.log[-2000:]
        compare()
        practice.check_order()
        assert writes(sandbox) == []
        for _ in range(rounds):
            sandbox.cliniko.control.advance(1)
            for _ in range(changes):
                if chance.random() < 0.3:
                    random_change(account, chance, without_deletions=True)
                else:
                    edit(account, chance)
            sandbox.cliniko.control.advance(1)
            loaded = loader.load(tap_lines(sandbox, tmp_path, loaded.states[-1]))
            assert loaded.code in {0, 4}, loaded.log[-2000:]
            compare()
        verified = loader.load(tap_lines(sandbox, tmp_path), MODE="verify")
        assert verified.code in {0, 5}, verified.log[-2000:]
        assert [row for row in differences(loader) if row["object"] in {"contact", "opportunity"}] == []


def differences(loader: Loader) -> list[dict[str, str]]:
    """Return what the newest verification found."""
    newest = max((loader.folder / "reports").glob("*/differences.csv"))
    with newest.open(encoding="utf-8-sig", newline="") as file:
        return [row for row in csv.DictReader(file) if row["kind"] != "normalised"]


def booking(number: int, patient: int, at: datetime) -> str:
    """Return what a booking says of its patient."""
    visit = {"at": timestamp(at), "day": f"{at:%Y-%m-%d}", "state": "booked"}
    owner = {"at": timestamp(at), "ref": "user:practitioners/1"}
    return record(
        "hl_contacts",
        f"patients/{patient}",
        contributor=f"individual_appointments/{number}",
        visit=visit,
        owner=owner,
    )


def test_that_time_passes_is_a_change(highlevel: StartHighLevel) -> None:
    """A contact whose next visit has begun is brought up to date by the next run with one write; another costs nothing."""
    loader = highlevel()
    now = datetime.now(UTC).replace(microsecond=0)
    soon, later = now + timedelta(hours=1), now + timedelta(days=3)
    people = [person(f"patients/{number}", "Ada", f"Quill{number}") for number in (1, 2)]
    said = [booking(1, 1, soon), booking(2, 1, later), booking(3, 2, later), *people]
    assert loader.load([*schemas("patients"), *said]).code == 0

    def fields() -> dict[str, tuple[Any, ...]]:
        return {
            contact["customFields"]["contact.source_system_id"]: tuple(
                contact["customFields"].get(f"contact.cliniko_{name}")
                for name in ("last_visit", "next_visit", "visits")
            )
            for contact in loader.sandbox.highlevel.state.dump()["contacts"]
        }

    unchanged = (None, f"{later:%Y-%m-%d}", 0)
    assert fields() == {"patients/1": (None, f"{soon:%Y-%m-%d}", 0), "patients/2": unchanged}
    loader.settings["CLOCK_AHEAD"] = "7200"  # by when the first of them is over
    verified = loader.load([*schemas("patients"), *said], MODE="verify")
    assert verified.code == 0, differences(loader)
    control = loader.sandbox.highlevel.control
    control.reset_log()
    assert loader.load(schemas("patients")).code == 0
    assert fields() == {"patients/1": (f"{soon:%Y-%m-%d}", f"{later:%Y-%m-%d}", 1), "patients/2": unchanged}
    assert len(writes(loader.sandbox)) == 1
    control.reset_log()
    assert loader.load(schemas("patients")).code == 0
    assert control.stats()["requests"] == 0


@pytest.mark.parametrize("clocks", [("36000", "0"), ("36000", "39000", "0")])
def test_a_clock_that_was_ahead_decides_nothing_for_good(
    clocks: tuple[str, ...], highlevel: StartHighLevel, tiny_clinic: Clinic
) -> None:
    """A booking in five hours was over for runs whose clocks were ten hours ahead; for the next full read it is to come again."""
    loader = highlevel()
    starts, ends = (f"{datetime.now(UTC) + timedelta(hours=each):%Y-%m-%dT%H:%M:%SZ}" for each in (5, 6))
    lines = changed(tiny_clinic.lines, "individual_appointments", "starts_at", starts)
    lines = changed(lines, "individual_appointments", "ends_at", ends)
    for ahead in clocks:
        loaded = loader.load(lines, CLOCK_AHEAD=ahead)
        assert loaded.code == 0, loaded.log[-2000:]
    time.sleep(loader.sandbox.highlevel.state.options.search_lag)
    assert loader.load(lines, MODE="verify").code == 0
    requests = len(loader.sandbox.highlevel.control.requests)
    assert loader.load(lines).code == 0
    assert len(loader.sandbox.highlevel.control.requests) == requests
