"""The audit trail shows every change made to it; schema, copies and addresses of the ledger."""

from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa
from hl_ledgers import LOCATION, Desk, contact, note, part

from target_highlevel.errors import SettingsError
from target_highlevel.ledger import migrations, old_reports
from target_highlevel.ledger.audit import broken_links
from target_highlevel.ledger.ledger import Ledger
from target_highlevel.ledger.migrations import migrate
from target_highlevel.ledger.scratch import COPIED_AT, scratch_copy
from target_highlevel.ledger.tables import metadata
from target_highlevel.report.content import audit_check

if TYPE_CHECKING:
    from pathlib import Path

NEWEST = len(migrations.STEPS)


def broken(desk: Desk) -> list[int]:
    """Return the entries at which the trail does not hold."""
    with desk.ledger.transaction() as connection:
        return list(broken_links(connection))


def change(desk: Desk, statement: str) -> None:
    """Change the ledger behind its back."""
    with desk.ledger.transaction() as connection:
        connection.execute(sa.text(statement))


@pytest.fixture
def trail(desk: Desk) -> Desk:
    """A ledger with eight entries: intent and outcome of four writes, of two runs."""
    desk.take(contact(1), contact(2))
    desk.write_all()
    desk.next_run()
    desk.take(contact(3), contact(4))
    desk.write_all()
    return desk


def test_an_honest_trail_holds_over_runs(trail: Desk) -> None:
    """Every write has its intent and its outcome, in order, and each entry follows from the one before."""
    assert broken(trail) == []
    assert trail.numbers("select seq, event from audit order by seq") == [
        (number, "intent" if number % 2 else "outcome") for number in range(1, 9)
    ]


def test_two_sub_accounts_write_one_trail(ledger_url: str) -> None:
    """Runs against two sub-accounts with one ledger, at the same time: neither is stopped, and the trail holds."""
    desks = [Desk.open(ledger_url, location) for location in ("place1", "place2")]
    people = [contact(number) for number in range(20)]
    for desk in desks:
        desk.take(*people)
    with ThreadPoolExecutor() as pool:
        written = list(pool.map(Desk.write_all, desks))
    assert [len(refs) for refs in written] == [20, 20]
    assert broken(desks[0]) == []
    assert desks[0].numbers("select location, count(*) from audit group by 1 order by 1") == [
        ("place1", 40),
        ("place2", 40),
    ]
    for desk in desks:
        desk.ledger.close()


def test_the_trail_names_fields_and_never_values(trail: Desk) -> None:
    """What was written can be told by name; no value of a patient is in the trail."""
    assert trail.numbers("select distinct fields from audit where event = 'intent'") == [('["name"]',)]
    assert "Patient" not in str(trail.numbers("select * from audit"))


@pytest.mark.parametrize(
    "statement",
    [
        "update audit set source_id = 'patients/9' where seq = 3",
        "update audit set hl_id = 'other' where seq = 4",
        "update audit set at = '2020-01-01T00:00:00.000000Z' where seq = 5",
        "update audit set hash = 'f' where seq = 4",
        "delete from audit where seq = 3",
        "delete from audit where seq = 1",
        "update audit set seq = seq + 1000 where seq = 5",
        (
            "insert into audit select 9, at, location, run, event, action, object, source_id, hl_id, method, api,"
            " status, fields, prev, hash from audit where seq = 8"
        ),
    ],
)
def test_tampering_shows(statement: str, trail: Desk) -> None:
    """A changed, removed, moved or added entry breaks the chain."""
    change(trail, statement)
    assert broken(trail)


@pytest.fixture
def checked(desk: Desk) -> Desk:
    """The same ledger, in which the first run has noted, when it ended, that its four entries are whole."""
    desk.take(contact(1), contact(2))
    desk.write_all()
    desk.ledger.end_run(desk.run, 0, {"report": {"audit": audit_check(desk.ledger)}})
    desk.next_run()
    desk.take(contact(3), contact(4))
    desk.write_all()
    return desk


def test_a_frequent_run_begins_where_the_run_before_found_the_rest_whole(checked: Desk) -> None:
    """Of eight entries it looks at five, one of them for its hash; the run after it goes on from there."""
    found = audit_check(checked.ledger, whole=False)
    assert found == {**audit_check(checked.ledger), "since": 4, "whole_at": found["whole_at"]}
    checked.ledger.end_run(checked.run, 0, {"report": {"audit": found}})
    assert audit_check(checked.ledger, whole=False) == {**found, "since": 8}


@pytest.mark.parametrize("hours", [21, -1])
def test_once_a_day_it_looks_at_all_of_them(hours: int, checked: Desk) -> None:
    """So it does after a clock that was ahead."""
    now = checked.ledger.now() + timedelta(hours=hours)
    checked.ledger.now = lambda: now
    assert audit_check(checked.ledger, whole=False) == audit_check(checked.ledger)


@pytest.mark.parametrize(
    ("statement", "shows"),
    [
        ("update audit set hl_id = 'other' where seq = 2", False),
        ("update audit set hl_id = 'other' where seq = 4", True),
        ("update audit set hash = 'f' where seq = 4", True),
        ("update audit set source_id = 'patients/9' where seq = 5", True),
        ("delete from audit where seq = 5", True),
        ("delete from audit where seq = 4", True),
        ("delete from audit where seq >= 4", True),
        ("delete from audit", True),
    ],
)
def test_tampering_with_the_newest_entries_shows_at_once(
    statement: str, *, shows: bool, checked: Desk
) -> None:
    """What is older shows when all are looked at next, and from then on in every run."""
    change(checked, statement)
    assert audit_check(checked.ledger, whole=False)["intact"] is not shows
    found = audit_check(checked.ledger)
    assert not found["intact"]
    checked.ledger.end_run(checked.run, 0, {"report": {"audit": found}})
    again = audit_check(checked.ledger, whole=False)
    assert {**again, "whole_at": found["whole_at"]} == found


def test_a_new_ledger_has_every_step(desk: Desk) -> None:
    """An empty database gets the whole schema, each step noted."""
    steps = desk.numbers("select number from migration order by number")
    assert steps == [(number,) for number in range(1, NEWEST + 1)]
    engine = sa.create_engine(desk.url)
    assert set(metadata.tables) <= set(sa.inspect(engine).get_table_names())
    engine.dispose()


def test_opening_an_existing_ledger_changes_nothing(desk: Desk) -> None:
    """A ledger of this version is opened as it is, with its salt and its records."""
    desk.take(contact(1))
    salt = desk.ledger.salt
    desk.next_run()
    assert desk.ledger.salt == salt
    assert desk.claimed() == ["contact:patients/1"]
    assert desk.numbers("select count(*) from migration") == [(NEWEST,)]


def test_a_ledger_of_an_older_version_is_brought_up_to_date(
    ledger_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A step added later is done once, on a ledger full of records, and they stay."""
    desk = Desk.open(ledger_url)
    desk.take(contact(1))
    desk.ledger.close()

    def added(connection: sa.Connection) -> None:
        connection.execute(sa.text("alter table record add column colour varchar default 'blue'"))

    monkeypatch.setattr(migrations, "STEPS", (*migrations.STEPS, added))
    for _ in range(2):
        desk = Desk.open(ledger_url)
        assert desk.numbers("select ref, colour from record") == [("contact:patients/1", "blue")]
        assert desk.numbers("select max(number) from migration") == [(NEWEST + 1,)]
        desk.ledger.close()


def test_a_step_that_fails_is_not_noted(ledger_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A step that breaks off is undone and done again the next time."""

    def broken_off(connection: sa.Connection) -> None:
        connection.execute(sa.text("create table half (x integer)"))
        raise KeyboardInterrupt

    engine = sa.create_engine(ledger_url)
    monkeypatch.setattr(migrations, "STEPS", (*migrations.STEPS, broken_off))
    with pytest.raises(KeyboardInterrupt):
        migrate(engine)
    with engine.connect() as connection:
        assert connection.execute(sa.text("select max(number) from migration")).scalar() == NEWEST
    engine.dispose()


@pytest.mark.parametrize("table", ["audit", "record", "before_image"])
def test_a_ledger_that_has_lost_a_table_is_refused(table: str, desk: Desk) -> None:
    """It is not made anew behind anybody's back: what was in it is missing, and the line says what to do."""
    change(desk, f"drop table {table}")
    desk.ledger.close()
    with pytest.raises(SettingsError, match=f"has no {table} any more; restore a copy"):
        Ledger(desk.url, LOCATION)


def test_a_newer_ledger_is_refused(desk: Desk) -> None:
    """A ledger that a newer version wrote is left alone, and the line says what to do."""
    change(desk, f"insert into migration values ({NEWEST + 1})")  # noqa: S608 - a number of ours
    desk.ledger.close()
    with pytest.raises(SettingsError, match="use a newer target-highlevel"):
        Ledger(desk.url, LOCATION)
    engine = sa.create_engine(desk.url)
    with engine.begin() as connection:
        connection.execute(sa.text(f"delete from migration where number > {NEWEST}"))  # noqa: S608 - a number of ours
    engine.dispose()
    desk.ledger = Ledger(desk.url, LOCATION)  # the refusal left no lock behind


def test_a_copy_is_the_ledger_and_changes_nothing_in_it(desk: Desk) -> None:
    """What a plan does on its copy leaves the ledger as it was; the copy knows all that waits."""
    desk.take(contact(1), contact(2), note(7, 1), part(1, "appointments/1", fields={"tags": ["x"]}))
    desk.write("contact:patients/2")
    desk.ledger.close()
    copy, folder = scratch_copy(desk.url, LOCATION)
    scratch = Desk(desk.url, copy, "plan", desk.intake, type(desk.work)(copy, "plan"))
    assert copy.salt == desk.ledger.salt
    assert scratch.write_all() == ["contact:patients/1", "note:treatment_notes/7"]
    copy.close()
    folder.cleanup()
    desk.ledger = Ledger(desk.url, LOCATION)
    desk.work = type(desk.work)(desk.ledger, "after")
    assert desk.claimed() == ["contact:patients/1"]
    assert desk.status("note:treatment_notes/7")[0] == "held"


def test_a_copy_is_of_one_moment(desk: Desk) -> None:
    """A load beside it writes a patient while tables are copied: what waited for the patient does not wait for ever."""
    desk.take(contact(1), note(7, 1))

    def meanwhile(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        if "FROM dependency" in statement and not desk.row(contact(1)).hl_id:
            desk.write(contact(1))

    sa.event.listen(sa.Engine, "before_cursor_execute", meanwhile)
    try:
        copy, folder = scratch_copy(desk.url, LOCATION)
    finally:
        sa.event.remove(sa.Engine, "before_cursor_execute", meanwhile)
    assert desk.claimed() == ["note:treatment_notes/7"]
    scratch = Desk(desk.url, copy, "plan", desk.intake, type(desk.work)(copy, "plan"))
    assert scratch.write_all() == ["contact:patients/1", "note:treatment_notes/7"]
    copy.close()
    folder.cleanup()


def test_what_is_spent_on_a_copy_is_counted_at_once(desk: Desk) -> None:
    """A plan that is killed has told the ledger what it has sent, and knows what others have sent meanwhile."""
    copy, folder = scratch_copy(desk.url, LOCATION)
    copy.spend("2026-11-22T10", 50)
    assert desk.ledger.spent_since("2026-11-22T10") == 50
    desk.ledger.spend("2026-11-22T10", 5)
    assert copy.spent_since("2026-11-22T10") == 55
    copy.close()
    folder.cleanup()
    assert desk.ledger.spent_since("2026-11-22T10") == 55


def test_a_copy_of_the_crosswalk_knows_only_what_is_there(desk: Desk) -> None:
    """A verification begins with what is in HighLevel, and with no idea of what it should be."""
    desk.take(contact(1), contact(2))
    desk.write("contact:patients/2")
    desk.ledger.close()
    copy, folder = scratch_copy(desk.url, LOCATION, crosswalk_only=True)
    with copy.transaction() as connection:
        rows = connection.execute(sa.text("select ref, status, digest from record")).all()
    assert [tuple(row) for row in rows] == [("contact:patients/2", "done", None)]
    assert copy.fact(COPIED_AT) == "2"  # begun and written: whatever comes later was not looked at
    copy.close()
    folder.cleanup()
    desk.ledger = Ledger(desk.url, LOCATION)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("no url at all", "not a SQLAlchemy URL"),
        ("mysql://root@127.0.0.1/ledger", "SQLite or PostgreSQL"),
        ("postgresql+psycopg://somebody:secret@127.0.0.1:9/ledger", "cannot be opened"),
        ("postgres://somebody:secret@127.0.0.1:9/ledger", "cannot be opened"),
        ("sqlite://", "a ledger in memory ends with its run"),
        ("sqlite:///:memory:", "a ledger in memory ends with its run"),
        ("postgresql+pg8000://somebody:secret@127.0.0.1:9/ledger", "install target-highlevel"),
        ("sqlite:////proc/nowhere/ledger.db", "cannot be written"),
    ],
)
def test_an_address_that_leads_nowhere_is_a_wrong_setting(url: str, said: str) -> None:
    """Each way to get the address wrong ends with one line that names the setting and no secret."""
    with pytest.raises(SettingsError, match=said) as caught:
        Ledger(url, LOCATION)
    assert str(caught.value).startswith("ledger_url: ")
    assert "secret" not in str(caught.value)


def test_a_file_that_is_no_ledger_is_a_wrong_setting(tmp_path: Path) -> None:
    """Some other file is refused and stays as it is."""
    path = tmp_path / "letter.txt"
    path.write_text("Dear reader, this is no database at all.\n" * 30, encoding="utf-8")
    with pytest.raises(SettingsError, match=r"cannot be opened .*restore the newest backup"):
        Ledger(f"sqlite:///{path}", LOCATION)
    assert path.read_text(encoding="utf-8").startswith("Dear reader")


def test_the_file_is_readable_by_its_owner_only(tmp_path: Path) -> None:
    """The ledger and what SQLite writes beside it hold personal data until it is written."""
    desk = Desk.open(f"sqlite:///{tmp_path}/deep/ledger.db")
    desk.take(contact(1))
    files = list((tmp_path / "deep").glob("ledger.db*"))
    assert {stat.S_IMODE(path.stat().st_mode) & 0o077 for path in files if path.suffix != ".lock"} == {0}
    assert stat.S_IMODE((tmp_path / "deep").stat().st_mode) == 0o700
    desk.ledger.close()


def test_few_runs_are_found_among_many(ledger_url: str) -> None:
    """The newest, those of each kind of end, and one by its id; of this sub-account, and in the order in which they began."""
    ledger, other = Ledger(ledger_url, LOCATION), Ledger(ledger_url, "another")
    ends = [("load", 0), ("load", None), ("verify", 0), ("load", 0), ("load", 75), ("load", 0)]
    ids = []
    for mode, code in ends:
        ids.append(ledger.begin_run(mode))
        other.begin_run(mode)
        if code is not None:
            ledger.end_run(ids[-1], code, {"number": len(ids)})
    assert [item["id"] for item in ledger.runs()] == ids
    assert [item["id"] for item in ledger.runs(2)] == ids[-2:]
    assert [item["id"] for item in ledger.newest_of_each(1)] == [ids[1], ids[2], ids[4], ids[5]]
    assert [item["id"] for item in ledger.newest_of_each(2)] == [*ids[1:]]
    assert ledger.run_of(ids[3])["facts"] == {"number": 4}
    for each in (ledger, other):
        each.close()


def test_old_loads_keep_of_their_reports_what_others_ask_for(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The newest are whole; an older load is shortened to its figures, whatever else is kept of it; a verification is not."""
    monkeypatch.setattr(old_reports, "WHOLE_REPORTS", 2)
    asked_for = {"audit": {"entries": 1, "head": "h"}, "sample": None, "mapped_anew": True}
    report = {"run_id": "x", "objects": [1], **asked_for}
    ids = []
    for mode in ("load", "verify", "load", "load", "load"):
        ids.append(desk.ledger.begin_run(mode))
        desk.ledger.end_run(ids[-1], 0, {"report": report, "undoes": "y"})
    kept = [desk.ledger.run_of(each)["facts"] for each in ids]
    short = {"report": asked_for, "undoes": "y"}
    whole = {"report": report, "undoes": "y"}
    assert kept == [short, whole, short, whole, whole]
