"""What changes while a load is at it: stale intents, edits by people, two sub-accounts at once, a connection that is cut."""

from __future__ import annotations

import json
import secrets
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
import sqlalchemy as sa
from hl_ledgers import LOCATION, Desk, address, contact, given, part
from hl_loading import TARGET
from hl_mapped import person, record, schemas

from sandbox.highlevel.realities import options_of
from target_highlevel.assumptions import REGISTER
from target_highlevel.engine.engine import Engine
from target_highlevel.engine.state import StateGate
from target_highlevel.errors import LedgerLost, Unavailable
from target_highlevel.ledger.budget import Day
from target_highlevel.ledger.identity import Identity
from target_highlevel.ledger.intake import Intake
from target_highlevel.ledger.ledger import Ledger, _engine
from target_highlevel.ledger.migrations import migrate
from target_highlevel.ledger.tables import record as record_table
from target_highlevel.ledger.transitions import RECEIVED
from target_highlevel.ledger.work import Work

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from hl_loading import Loader
    from postgres_server import PostgresServer

HEAD = schemas("patients", "practitioners", "individual_appointments")
ADA = person("patients/1", "Ada", "Lovelace")
BO = person("patients/2", "Bo", "Diddley")


def contacts(loader: Loader) -> dict[str, dict[str, Any]]:
    """Return the contacts by the Cliniko record they stand for."""
    state = loader.sandbox.highlevel.state
    return {
        source: state.contacts[ids[0]]
        for source, ids in state.sources()["contacts"].items()
        if ids[0] in state.contacts
    }


def until(condition: Callable[[], Any], seconds: int = 60) -> None:
    """Wait until something is true."""
    for _ in range(seconds * 10):
        if condition():
            return
        time.sleep(0.1)
    raise AssertionError


class Running:
    """A target that is fed line by line."""

    def __init__(self, loader: Loader) -> None:
        """Start it."""
        self._process = subprocess.Popen(
            [*TARGET, "--config", "ENV"],
            env=loader.environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def say(self, *lines: str) -> None:
        """Give it lines."""
        assert self._process.stdin is not None
        self._process.stdin.write("".join(f"{line}\n" for line in lines))
        self._process.stdin.flush()

    def end(self) -> tuple[int, str]:
        """Let it end; return its exit code and its log."""
        _, log = self._process.communicate(timeout=120)
        return self._process.returncode, log


def test_an_intent_older_than_its_request(highlevel: Callable[..., Loader]) -> None:
    """The request waited for the budget long after its intent was noted: the next run waits for the search all the same."""
    loader = highlevel(search_lag=3.0)
    loader.settings["SEARCH_LAG_SECONDS"] = "4"
    fault = {"match": {"method": "POST", "path_regex": r"^/contacts/$", "nth": 1}, "action": "status"}
    loader.sandbox.highlevel.control.add_fault({**fault, "status": 429, "headers": {"Retry-After": "5"}})
    assert loader.load([*HEAD, ADA], CRASH_AT="after_send").code == -9
    assert loader.load([*HEAD, ADA]).code == 0
    assert loader.sandbox.highlevel.state.doubles() == {}


def test_a_unique_id_refuses_our_own_record(highlevel: Callable[..., Loader]) -> None:
    """The answer was lost and the search is slower than we think: what has our id is looked for again and is ours."""
    name = "custom_objects.cliniko_patient_profile"
    loader = highlevel(search_lag=3.0, unique_fields=[f"{name}.source_system_id"])
    match = {"method": "POST", "path_regex": r"/objects/.*/records$", "nth": 1}
    loader.sandbox.highlevel.control.add_fault({"match": match, "action": "drop_after"})
    fields = {"source_system_id": "patients/1", "patient_name": "Ada Lovelace"}
    lines = [*HEAD, ADA, record("hl_patient_profiles", "patients/1", **fields)]
    loader.load(lines)
    time.sleep(3.0)
    loader.tool("retry")
    again = loader.load(lines)
    assert (again.code, again.report["totals"]["rejected"]) == (0, 0)
    assert len(loader.sandbox.highlevel.state.records) == 1


def test_a_refusal_before_the_look_forgets_no_create(highlevel: Callable[..., Loader]) -> None:
    """Killed when the event was sent, then the calendars were refused: `retry` finds the event and makes no second one."""
    loader = highlevel()
    loader.settings["APPOINTMENTS_AS"] = "calendar_event"
    event = record(
        "hl_appointments",
        "individual_appointments/5",
        contact="patients/1",
        title="Physio",
        body="cliniko:individual_appointments/5",
        starts_at="2024-01-01T10:00:00Z",
        ends_at="2024-01-01T11:00:00Z",
        status="booked",
        appointment_type="Physio",
    )
    assert loader.load([*HEAD, ADA, event], CRASH_AT="after_send/appointment").code == -9
    match = {"method": "GET", "path_regex": r"^/calendars/$"}
    loader.sandbox.highlevel.control.add_fault(
        {"match": match, "action": "status", "status": 400, "times": 1}
    )
    assert loader.load([*HEAD, ADA, event]).code == 4
    assert loader.tool("retry").returncode == 0
    assert len(loader.sandbox.highlevel.state.appointments) == 1


@pytest.mark.parametrize("word", REGISTER["closed_words"].answers)
def test_do_not_disturb_that_a_patient_asked_for_stays(word: str, highlevel: Callable[..., Loader]) -> None:
    """A channel that was closed in HighLevel before Cliniko closed it is not opened when Cliniko opens it; ours is."""
    loader = highlevel()
    loader.sandbox.highlevel.state.options.shapes = frozenset(
        options_of({"closed_words": word}).get("shapes", ())
    )
    loader.load([*HEAD, person("patients/1", "Ada", "Lovelace", dnd_sms=True)])
    one = contacts(loader)["patients/1"]
    closed = {**one["dndSettings"], "Email": {"status": "permanent"}}
    loader.sandbox.highlevel.state.damage.edit_contact(one["id"], dndSettings=closed)
    for wanted in (True, False):
        line = person("patients/1", "Ada", "Lovelace", dnd_email=wanted, dnd_sms=wanted)
        assert loader.load([*HEAD, line]).code == 0
    settings = contacts(loader)["patients/1"]["dndSettings"]
    assert (settings["Email"]["status"], settings["SMS"]["status"]) == ("permanent", "inactive")


def test_no_contact_is_deleted_because_a_record_says_it_is_absent(highlevel: Callable[..., Loader]) -> None:
    """Only links are: a mapper that says so of anything else is told."""
    loader = highlevel()
    assert loader.load([*HEAD, ADA]).code == 0
    refused = loader.load([*HEAD, record("hl_contacts", "patients/1", absent=True)])
    assert [item["fields"] for item in refused.report["rejects"]] == [["absent"]]
    assert "patients/1" in contacts(loader)


def test_a_contribution_without_a_moment_takes_nobody_s_place(highlevel: Callable[..., Loader]) -> None:
    """What is no number is no value: it decides nothing, and the patient goes in with the fallback owner."""
    loader = highlevel()
    bad = json.dumps(
        {
            "type": "RECORD",
            "stream": "hl_contacts",
            "record": {
                "source_id": "patients/1",
                "contributor": "individual_appointments/5",
                "owner": {"at": 1},
            },
        }
    ).replace('"at": 1', '"at": NaN')
    ended = loader.load([*HEAD, ADA, bad])
    assert (ended.code, ended.report["rejects"]) == (0, [])
    assert (
        contacts(loader)["patients/1"]["assignedTo"]
        == loader.sandbox.addresses()["highlevel"]["users"][-1]["id"]
    )


def test_merged_away_while_the_create_was_open(highlevel: Callable[..., Loader]) -> None:
    """Killed at the create, then merged into another patient: what is there is tagged."""
    loader = highlevel()
    assert loader.load([*HEAD, ADA], CRASH_AT="after_send").code == -9
    merged = record("hl_contacts", "patients/1", filtered="merged", tags=["patient", "merged"])
    assert loader.load([*HEAD, merged]).code == 0
    (there,) = loader.sandbox.highlevel.state.contacts.values()
    assert set(there["tags"]) == {"patient", "merged"}


def test_merged_away_after_a_create_of_which_nobody_knows(highlevel: Callable[..., Loader]) -> None:
    """No answer: whether it is there only the next run can tell, which finds nothing and does not make it any more."""
    loader = highlevel()
    create = {"method": "POST", "path_regex": r"^/contacts/$"}
    control = loader.sandbox.highlevel.control
    control.add_fault({"match": create, "action": "drop_before", "times": 1})
    lost = loader.load([*HEAD, ADA])
    assert lost.code == 1
    assert "a lost answer created" in lost.log
    merged = record("hl_contacts", "patients/1", filtered="merged", tags=["patient", "merged"])
    ended = loader.load([*HEAD, merged])
    assert (ended.code, len(loader.sandbox.highlevel.state.contacts)) == (0, 0)
    assert [item["reason"] for item in ended.report["filtered"]] == ["merged"]


def test_options_and_names_that_people_change_during_a_load_stay(highlevel: Callable[..., Loader]) -> None:
    """A person adds an option and renames the field while a load runs: the next option we learn takes neither away."""
    loader = highlevel()

    def typed(*options: str) -> list[str]:
        return [line.replace('"options": []', f'"options": {json.dumps(options)}') for line in HEAD]

    def booked(number: int, kind: str) -> str:
        source = f"individual_appointments/{number}"
        return record(
            "hl_contacts", f"patients/{number}", contributor=source, cliniko_appointment_type=[kind]
        )

    def field() -> dict[str, Any]:
        fields = loader.sandbox.highlevel.state.contact_fields.values()
        return next(each for each in fields if each["fieldKey"] == "contact.cliniko_appointment_type")

    target = Running(loader)
    target.say(*typed("Physio"), ADA, booked(1, "Physio"))
    until(lambda: "patients/1" in contacts(loader) if loader.sandbox.highlevel.state.contacts else False)
    before = field()
    by_hand = [*before["picklistOptions"], "By hand"]
    loader.sandbox.highlevel.state.contact_fields[before["id"]] = {
        **before,
        "name": "What for",
        "picklistOptions": by_hand,
    }
    target.say(*typed("Physio", "Massage"), BO, booked(2, "Massage"))
    code, log = target.end()
    assert code == 0, log[-2000:]
    assert (field()["name"], set(field()["picklistOptions"])) == ("What for", {*by_hand, "Massage"})


def test_a_user_who_is_gone_owns_nobody(highlevel: Callable[..., Loader]) -> None:
    """The practitioner's login was deleted in HighLevel: old and new patients go to the fallback owner."""
    loader = highlevel(users=[{"email": "doc@example.org", "first_name": "D", "last_name": "R"}])
    doctor = record("hl_users", "practitioners/9", email="doc@example.org", active=True)
    owner = {"at": "2024-01-01T10:00:00Z", "ref": "user:practitioners/9"}

    def seen(number: int) -> str:
        return record(
            "hl_contacts", f"patients/{number}", contributor=f"individual_appointments/{number}", owner=owner
        )

    assert loader.load([*HEAD, doctor, seen(1), ADA]).code == 0
    users = loader.sandbox.highlevel.state.users
    gone = next(user["id"] for user in users.values() if user["email"] == "doc@example.org")
    assert contacts(loader)["patients/1"]["assignedTo"] == gone
    del users[gone]
    ended = loader.load([*HEAD, doctor, seen(2), BO])
    assert ended.code == 0, ended.log[-2000:]
    fallback = next(user["id"] for user in users.values() if user["email"] == "frontdesk@example.org")
    assert {one["assignedTo"] for one in contacts(loader).values()} == {fallback}
    assert loader.load([*HEAD, doctor, seen(2), BO]).report["totals"]["updated"] == 0


def test_one_contributor_twice_in_a_chunk(desk: Desk) -> None:
    """Read and then found deleted, or read again with another patient: what it said last counts."""
    desk.take(contact(1), contact(2))
    told = part(1, "appointments/5", fields={"tags": ["new"]})
    gone = replace(part(1, "appointments/5", fields={}, filtered="deleted"), source_id="appointments/5")
    desk.take(told, gone)
    assert given(desk, contact(1)) == []
    desk.take(told, part(2, "appointments/5", fields={"tags": ["new"]}))
    assert given(desk, contact(1)) == []
    assert len(given(desk, contact(2))) == 1


LINK = {"association": "knows", "first": "hl-1", "second": "hl-2"}


@pytest.mark.parametrize(
    ("status", "second", "shared"),
    [
        ("done", "contact:patients/2", True),
        ("ready", "contact:patients/2", True),
        ("ready", "contact:patients/3", False),
        ("filtered", "contact:patients/2", False),
    ],
)
def test_a_link_that_another_record_still_wants(status: str, second: str, shared: bool, desk: Desk) -> None:  # noqa: FBT001 - expected
    """It is not removed with one of the two: not even when the other is to be looked at again, unless that one changes too."""
    desk.take(contact(1), contact(2), contact(3))
    fields = {"association": "knows", "first": "contact:patients/1", "second": second}
    rows = [
        ("relation:a", "done", json.dumps({"fields": {}}), json.dumps({"link": LINK})),
        ("relation:b", status, json.dumps({"fields": fields}), None),
    ]
    with desk.ledger.transaction() as connection:
        for number in (1, 2, 3):
            given = {"hl_id": f"hl-{number}", "ref": f"contact:patients/{number}"}
            connection.execute(sa.text("update record set hl_id = :hl_id where ref = :ref"), given)
        for ref, state, payload, notes in rows:
            known = {"ref": ref, "status": state, "payload": payload, "notes": notes, "hl_id": "the link"}
            connection.execute(
                record_table.insert().values(
                    location=LOCATION, object="relation", source_id=ref, resource="", stream="hl_contacts",
                    version=1, seq=1, rank=3, priority="~", listed="", **known,
                ),
                execution_options=RECEIVED.options,
            )  # fmt: skip
    row = desk.work.row("relation:a")
    assert row is not None
    assert desk.work.shared(row) is shared


def test_two_sub_accounts_begin_with_one_salt(ledger_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both find none at the same moment: the ledger keeps one, and both use it."""
    engine = _engine(ledger_url)
    migrate(engine)
    engine.dispose()
    made, gate = secrets.token_hex, threading.Barrier(2, timeout=10)

    def at_once(number: int) -> str:
        gate.wait()
        return made(number)

    monkeypatch.setattr(secrets, "token_hex", at_once)
    with ThreadPoolExecutor(2) as pool:
        ledgers = list(pool.map(lambda place: Ledger(ledger_url, place), ("a", "b")))
    assert ledgers[0].salt == ledgers[1].salt
    for ledger in ledgers:
        ledger.close()


def test_facts_of_two_sub_accounts_at_once(postgres: PostgresServer, tmp_path: Path) -> None:
    """Both declare the same stream at the same moment."""
    url = address("postgresql", tmp_path, postgres)
    ledgers = [Ledger(url, place) for place in ("a", "b")]
    failed: list[BaseException] = []

    def remember(ledger: Ledger) -> None:
        try:
            for number in range(100):
                ledger.remember("schema:hl_contacts", str(number))
        except sa.exc.DBAPIError as error:
            failed.append(error)

    threads = [threading.Thread(target=remember, args=(ledger,)) for ledger in ledgers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for ledger in ledgers:
        ledger.close()
    assert failed == []


def test_a_run_whose_connection_was_cut_writes_no_more(
    highlevel: Callable[..., Loader], postgres: PostgresServer
) -> None:
    """The lock went with it, and another run may have begun: this one ends, says so, and nothing is written without the lock."""
    loader = highlevel()
    loader.settings["LEDGER_URL"] = postgres.url(postgres.new_database())
    target = Running(loader)
    target.say(*HEAD, ADA)
    until(lambda: loader.sandbox.highlevel.state.contacts)
    with psycopg.connect(postgres.url(driver="postgresql"), autocommit=True) as server:
        server.execute("select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory'")
    time.sleep(1.0)
    with suppress(BrokenPipeError):
        target.say(BO)
    code, log = target.end()
    assert code == 1, log[-2000:]
    assert "Exception in thread" not in log
    assert len(loader.sandbox.highlevel.state.contacts) == 1


def test_the_ledger_is_lost_for_good_when_its_connection_was_cut(
    postgres: PostgresServer, tmp_path: Path
) -> None:
    """SQLAlchemy would reconnect: without the lock."""
    ledger = Ledger(address("postgresql", tmp_path, postgres), "place1")
    with psycopg.connect(postgres.url(driver="postgresql"), autocommit=True) as server:
        server.execute("select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory'")
    with pytest.raises(sa.exc.DBAPIError):
        ledger.fact("x")
    with pytest.raises(LedgerLost):
        ledger.fact("x")
    ledger.close()


class Parts:
    """What an engine needs of a session, with a ledger that fails when it is asked for work."""

    mode = "load"
    expected: frozenset[str] = frozenset()

    def __init__(self, url: str) -> None:
        """Open the ledger."""
        self.stop = threading.Event()
        self.ledger = Ledger(url, LOCATION)
        run = self.ledger.begin_run("load")
        self.work: Any = Work(self.ledger, run)
        self.intake = Intake(self.ledger, run)
        self.states = StateGate(self.work, Identity(self.ledger))

    def begin(self) -> None:
        """Earlier runs knew nothing wrongly: there were none."""

    def day(self) -> Day:
        """Nothing is left of the day."""
        return Day(0, 0, 0)

    def places(self, _row: Any) -> frozenset[str]:
        """Nothing is in anybody's way."""
        return frozenset()

    def exclusive_keys(self, _row: Any) -> frozenset[str]:
        """It shares nothing with others."""
        return frozenset()

    def is_prepared(self, _row: Any) -> bool:
        """Fields and objects are there."""
        return True

    def write(self, _row: Any) -> None:
        """HighLevel does not answer."""
        hint = "down"
        raise Unavailable(hint)


def broken(*_: Any, **__: Any) -> Any:
    """Fail as a disk does."""
    message = "disk I/O error"
    raise OSError(message)


@pytest.fixture
def parts(tmp_path: Path) -> Iterator[Parts]:
    """What an engine needs, with a ledger of its own."""
    made = Parts(f"sqlite:///{tmp_path}/ledger.db")
    yield made
    made.ledger.close()


def test_a_ledger_that_fails_when_asked_for_work_ends_the_run(
    parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No writer dies unseen: the run ends with what the ledger said."""
    monkeypatch.setattr(parts.work, "claim", broken)
    engine = Engine(parts)  # type: ignore[arg-type]
    engine.start()

    def feed() -> None:
        engine.submit(contact(1))
        engine.finish()

    with pytest.raises(OSError, match="disk"):
        feed()
    engine.stop()


def test_a_ledger_that_fails_while_a_record_is_put_off_ends_the_run(
    parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A writer is in the midst of another trouble then, and does not die unseen either."""
    monkeypatch.setattr(parts.work, "hold", broken)
    engine = Engine(parts)  # type: ignore[arg-type]
    engine.submit(contact(1))
    engine.flush()
    engine._write_all()  # what each of its threads does
    assert isinstance(engine.failure, OSError)
