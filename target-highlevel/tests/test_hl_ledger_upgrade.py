"""A ledger that the released version 0.1.0 has written is opened, understood and gone on with."""

from __future__ import annotations

import json
import shutil
import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hl_ledgers import LOCATION, Desk, contact, note
from hl_mapped import person, record, schemas
from postgres_server import programs, running_postgres

from target_highlevel.errors import SettingsError
from target_highlevel.ledger.audit import broken_links
from target_highlevel.ledger.ledger import Ledger
from target_highlevel.ledger.undo import Undo, writing_runs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from hl_loading import Loader

    from sandbox.both import HighLevelSide

#: Two runs of 0.1.0 on a clock that was ten hours ahead in the first; the second was killed between intent and outcome.
RELEASED = Path(__file__).with_name("data") / "ledger-0.1.0.sql"
#: The SCHEMA messages of contacts and notes in that version, which its ledger keeps.
DESCRIBED = Path(__file__).with_name("data") / "schemas-0.1.0.json"


@pytest.fixture
def upgraded(tmp_path: Path) -> Iterator[Desk]:
    """A run of this version with that ledger."""
    with closing(sqlite3.connect(tmp_path / "ledger.db")) as connection:
        connection.executescript(RELEASED.read_text(encoding="utf-8"))
    desk = Desk.open(f"sqlite:///{tmp_path}/ledger.db")
    yield desk
    desk.ledger.close()


def test_its_records_stand_where_they_stood(upgraded: Desk) -> None:
    """What was written, held, rejected or begun is so still, and what was unchanged then is unchanged now."""
    assert upgraded.status("contact:patients/1") == ("done", None)
    assert upgraded.status("contact:patients/3") == ("rejected", "invalid_date")
    assert upgraded.status("note:treatment_notes/8") == ("held", "waits_for:contact:patients/9")
    assert upgraded.row("contact:patients/4").intent
    assert upgraded.row("contact:patients/2").hl_id == "hl-contact:patients/2"
    assert upgraded.work.resume() == 3
    assert upgraded.write_all() == ["contact:patients/2", "contact:patients/4", "note:treatment_notes/7"]
    upgraded.take(contact(1, fields={"name": "Other 1"}), note(7, 1, fields={"body": "New"}, pieces=3))
    assert upgraded.claimed() == []
    upgraded.take(contact(9))
    upgraded.write("contact:patients/9")
    assert upgraded.claimed() == ["note:treatment_notes/8"]


def test_its_runs_are_in_the_order_in_which_they_were_begun(upgraded: Desk) -> None:
    """The newest that wrote is the second one, whatever its clock said; the trail of both is whole."""
    first, second = writing_runs(upgraded.ledger)
    assert second < first
    assert Undo(upgraded.ledger, upgraded.run, first).rewritten() == {
        "contact:patients/1",
        "note:treatment_notes/7",
    }
    assert Undo(upgraded.ledger, upgraded.run, second).before("contact:patients/1").fields == {
        "name": "Patient 1"
    }
    assert upgraded.ledger.run_number(upgraded.run) == 3
    with upgraded.ledger.transaction() as connection:
        assert list(broken_links(connection)) == []


@pytest.mark.parametrize(
    ("route", "api"),
    [
        ("/contacts/{id}/tasks", "tasks"),
        ("/calendars/events/appointments/{id}", "events"),
        ("/contacts/", ""),
    ],
)
def test_a_write_that_was_begun_is_looked_for_where_it_was_sent(route: str, api: str, tmp_path: Path) -> None:
    """An intent names the part of the API instead of a route."""
    with closing(sqlite3.connect(tmp_path / "ledger.db")) as connection:
        connection.executescript(RELEASED.read_text(encoding="utf-8"))
        intent = json.dumps({"action": "create", "run": "r", "method": "POST", "route": route})
        connection.execute("update record set intent = ? where ref = 'contact:patients/4'", [intent])
        connection.commit()
    desk = Desk.open(f"sqlite:///{tmp_path}/ledger.db")
    assert desk.row("contact:patients/4").intent == {"action": "create", "run": "r", "api": api}
    desk.ledger.close()


def test_a_step_that_was_cut_off_is_made_from_its_beginning(tmp_path: Path) -> None:
    """SQLite takes back what a step had changed already: a column without its index would stay so."""
    path = tmp_path / "ledger.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(RELEASED.read_text(encoding="utf-8"))
        connection.execute("create index record_clock on record (seq)")
    with pytest.raises(SettingsError):
        Ledger(f"sqlite:///{path}", LOCATION)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("drop index record_clock")
    Ledger(f"sqlite:///{path}", LOCATION).close()
    with closing(sqlite3.connect(path)) as connection:
        columns = connection.execute("select name from pragma_index_info('record_clock')").fetchall()
    assert columns == [("location",), ("changes_at",)]


@pytest.mark.parametrize("is_new", [True, False])
def test_several_open_it_at_once(ledger_url: str, *, is_new: bool) -> None:
    """Runs of several sub-accounts, or the console beside a run: one makes the schema, the others find it made."""
    if not is_new:
        desk = Desk.open(ledger_url)
        with desk.ledger.transaction() as connection:
            connection.exec_driver_sql("delete from migration where number >= 4")
        desk.ledger.close()
    number = 6
    together = threading.Barrier(number)

    def opened(place: int) -> str:
        together.wait()
        ledger = Ledger(ledger_url, f"place{place}")
        ledger.close()
        return ledger.identity

    with ThreadPoolExecutor(number) as pool:
        assert len(set(pool.map(opened, range(number)))) == 1


@pytest.mark.skipif(
    programs(sorting=True) is None, reason="no PostgreSQL here sorts by the rules of a language"
)
@pytest.mark.parametrize("made_by", ["this version", "an earlier one"])
def test_what_comes_last_does_so_in_every_database(made_by: str) -> None:
    """By the rules of English "~" comes before a date; the ledger of an earlier version sorted so, and does no longer."""
    with running_postgres("en-US") as server:
        desk = Desk.open(server.url())
        last, first = contact(1), contact(2, priority="2026-01-01")
        desk.take(last, first)
        if made_by == "an earlier one":
            with desk.ledger.transaction() as connection:
                for change in (
                    'alter table record alter priority type varchar collate "default"',
                    "delete from migration where number >= 8",
                ):
                    connection.exec_driver_sql(change)
            assert desk.claimed() == [last.ref, first.ref]
            desk.next_run()
        assert desk.claimed() == [first.ref, last.ref]
        desk.ledger.close()


def test_a_whole_run_goes_on_where_that_version_stopped(highlevel: Callable[..., Loader]) -> None:
    """Nothing that it has made is made again: not what it never heard the answer to either; then there is nothing to do."""
    loader = highlevel(empty=True)
    side = loader.sandbox.highlevel
    described_then = json.loads(DESCRIBED.read_text(encoding="utf-8"))
    message = {"type": "SCHEMA", "key_properties": ["source_id"]}
    there = [json.dumps(message | each) for each in described_then.values()]
    people = [person(f"patients/{number}", "Patient", str(number)) for number in (1, 2, 4)]
    assert loader.load([*there, *people, written(7, 1)]).code == 0
    before = ids(side)
    side.state.main.custom_values.clear()  # that version left no mark
    side.state.contacts[before["contacts", "patients/1"]]["tags"] += [
        "shared-email",
        "x",
    ]  # its ledger says so
    shutil.rmtree(loader.folder / "reports")
    text = RELEASED.read_text(encoding="utf-8").replace("'place1'", f"'{side.location_id}'")
    for old, (kind, source) in {
        "hl-1": ("contacts", "patients/1"),
        "hl-contact:patients/2": ("contacts", "patients/2"),
        "hl-note:treatment_notes/7": ("notes", "treatment_notes/7"),
    }.items():
        text = text.replace(f"'{old}'", f"'{before[kind, source]}'")
    for path in loader.folder.glob("ledger.db*"):
        path.unlink()
    with closing(sqlite3.connect(loader.folder / "ledger.db")) as connection:
        connection.executescript(text)
        rows = [(f"schema:{name}", json.dumps(message)) for name, message in described_then.items()]
        connection.executemany("insert into fact values (?, ?)", rows)
        connection.commit()
    lines = [
        *schemas("patients", "treatment_notes"),
        *people,
        record("hl_contacts", "patients/1", contributor="appointments/5", tags=["x"]),
        *(person(f"patients/{number}", "Patient", str(number)) for number in (3, 9)),
        *(written(number, patient) for number, patient in ((7, 1), (8, 9))),
    ]
    loaded = loader.load(lines)
    assert loaded.code == 0, loaded.log[-3000:]
    assert side.state.doubles() == {}
    after = ids(side)
    assert {name: after[name] for name in before} == before
    assert after.keys() - before.keys() == {
        ("contacts", "patients/3"),
        ("contacts", "patients/9"),
        ("notes", "treatment_notes/8"),
    }
    writes = side.control.stats()["writes"]
    assert loader.load(lines).report["totals"]["unchanged"] == 7
    assert loader.load(lines, MODE="verify").code == 0
    assert side.control.stats()["writes"] == writes


def written(number: int, patient: int) -> str:
    """Return the RECORD line of a note of a patient."""
    marker = f"cliniko:treatment_notes/{number}"
    return record(
        "hl_notes",
        f"treatment_notes/{number}",
        contact=f"patients/{patient}",
        body=f"Note {number}\n{marker}",
    )


def ids(side: HighLevelSide) -> dict[tuple[str, str], str]:
    """Return the id of each thing in HighLevel by its kind and its source."""
    return {
        (kind, source): identity
        for kind, found in side.state.sources().items()
        for source, (identity,) in found.items()
    }
