"""The content of a report, gathered from a real ledger."""

from __future__ import annotations

import json
import shutil
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa
from hl_report_ledger import (
    CONTACTS,
    FILES,
    LOCATION,
    NOTES,
    PERSONAL,
    ReportedLedger,
    a_clinic,
    handed_over,
    ledger_at,
)
from jsonschema import Draft202012Validator

from target_highlevel.endings import complete
from target_highlevel.engine.session import Session
from target_highlevel.errors import SettingsError
from target_highlevel.exit_codes import ENDED_EARLY, ENDS, KILLED
from target_highlevel.ledger.rows import Notes, Outcome
from target_highlevel.ledger.tables import audit
from target_highlevel.report.content import RunFacts, gather
from target_highlevel.report.page import run_page
from target_highlevel.report.run_report import RunReport, write_again
from target_highlevel.report.window import window_content, write_window
from target_highlevel.report.wording import label
from target_highlevel.settings import settings_from

if TYPE_CHECKING:
    from collections.abc import Iterator

    from target_highlevel.ledger.ledger import Ledger

SCHEMA = Path(__file__).resolve().parents[2] / "docs" / "report.schema.json"


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    """A ledger without any run."""
    opened = ledger_at(tmp_path)
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def clinic(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The file of a ledger after the load of a clinic where something of everything happens, and its run."""
    folder = tmp_path_factory.mktemp("clinic")
    opened = ledger_at(folder)
    reported = ReportedLedger(opened)
    run = reported.begin()
    a_clinic(reported)
    opened.close()
    return folder / "ledger.db", run


@pytest.fixture
def loaded(clinic: tuple[Path, str], tmp_path: Path) -> Iterator[ReportedLedger]:
    """That ledger, copied for one test."""
    file, run = clinic
    copy = tmp_path / "copy"
    copy.mkdir()
    shutil.copy(file, copy)
    opened = ledger_at(copy)
    reported = ReportedLedger(opened)
    reported.resume(run)
    yield reported
    opened.close()


@contextmanager
def opened_session(folder: Path, **more: str) -> Iterator[Session]:
    """Open a session of a real run that has sent nothing."""
    settings = {
        "access_token": "token",
        "location_id": LOCATION,
        "ledger_url": f"sqlite:///{folder / 'run' / 'ledger.db'}",
        "report_dir": str(folder / "reports"),
        "requests_per_10s": 25,
        **more,
    }
    opened = Session(settings_from(settings))
    yield opened
    opened.governor.close()
    opened.client.close()
    opened.ledger.close()


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    """A session of a real run that has sent nothing."""
    with opened_session(tmp_path) as opened:
        yield opened


def in_session(session: Session) -> ReportedLedger:
    """Return the run of a session, to load a clinic into it."""
    reported = ReportedLedger(session.ledger)
    reported.resume(session.run)
    return reported


def content_of(reported: ReportedLedger, exit_code: int | None = 0) -> dict[str, Any]:
    """Return the content of the run's report."""
    return gather(reported.ledger, reported.run, RunFacts(), exit_code)


def row_of(content: dict[str, Any], label: str) -> dict[str, Any]:
    """Return the row of a kind of record."""
    return next(row for row in content["objects"] if row["label"] == label)


def test_every_kind_of_record_closes_to_zero(loaded: ReportedLedger) -> None:
    """Each record of a run is in exactly one outcome, and the sums say so."""
    content = content_of(loaded, 4)
    patients = row_of(content, "Patients → contacts")
    assert patients["source"] == 23
    assert (patients["created"], patients["rejected"], patients["filtered"]) == (21, 1, 1)
    assert row_of(content, "Attachments → files on the contact")["rejected"] == 7
    assert row_of(content, "Treatment notes → notes on the contact")["held"] == 1
    assert content["closes_to_zero"]
    assert content["totals"]["source"] == sum(
        content["totals"][name]
        for name in ("created", "updated", "unchanged", "filtered", "held", "rejected")
    )


def test_a_row_is_called_what_it_is() -> None:
    """A patient's one note is that of their alerts, and a group booking in the diary an absence."""
    assert "medical alerts" in label("note", "patients")
    assert "absences" in label("blocked_slot", "group_appointments")
    assert label("blocked_slot", "unavailable_blocks").startswith("Absences")
    assert label("note", "treatment_notes") == "Treatment notes → notes on the contact"


def test_rejects_are_grouped_by_reason_with_the_next_step(loaded: ReportedLedger) -> None:
    """The most frequent reason comes first, with up to five source ids and what to do."""
    first, second = content_of(loaded, 4)["rejects"]
    assert (first["reason"], first["count"], first["fields"]) == ("file_too_large", 7, ["file_size"])
    assert first["examples"] == [f"patient_attachments/{number}" for number in range(1, 6)]
    assert set(first["contacts"].values()) == {"patients/1"}
    assert "50 MB" in first["meaning"]
    assert (second["reason"], second["examples"]) == ("invalid_date", ["patients/22"])
    assert second["next_step"]


def test_held_and_filtered_records_say_why(loaded: ReportedLedger) -> None:
    """A record that waits, or was left out on purpose, has a reason in plain words."""
    content = content_of(loaded)
    assert [group["reason"] for group in content["held"]] == ["waits_for"]
    reasons = {group["reason"]: group["count"] for group in content["filtered"]}
    assert reasons == {"merged": 1, "no_user": 1, "inactive": 1}


def test_withheld_addresses_conflicts_and_practitioners_are_listed_by_id(loaded: ReportedLedger) -> None:
    """What a person should look at is counted and named by id and field."""
    content = content_of(loaded)
    assert content["withheld"]["count"] == 1
    assert content["withheld"]["records"][0]["source"] == "patients/21"
    assert content["conflicts"] == {"count": 1, "records": [{"source": "contacts/7", "field": "phone"}]}
    assert content["practitioners_without_user"] == [{"source": "practitioners/2", "because": "no_user"}]
    assert content["practitioners_left"] == [{"source": "practitioners/3", "because": "inactive"}]


def test_what_cannot_move_is_counted_where_the_ledger_can_tell(loaded: ReportedLedger) -> None:
    """Each limit says why and what comes closest, and how many records it concerns."""
    for number in range(8, 11):
        loaded.receive(FILES, f"patient_attachments/{number}", contact="patients/1")
    loaded.write()
    content = content_of(loaded)
    limits = {item["code"]: item for item in content["cannot_move"]}
    assert (limits["body_charts"]["concerns"], limits["body_charts"]["among"]) == (2, True)
    assert limits["documents_tab"]["concerns"] == 10
    assert limits["large_files"]["concerns"] == 7
    assert limits["logins"]["concerns"] == 1
    assert limits["claims"]["concerns"] is None
    page = run_page(content)
    assert "(among 2 treatment notes)" in page
    assert "(7 attachments)" in page
    assert "(1 practitioner)" in page
    assert all(item["why"] and item["closest"] for item in limits.values())


@pytest.mark.parametrize(
    ("exit_code", "tone"),
    [
        (0, "attention"),
        (1, "bad"),
        (2, "bad"),
        (3, "bad"),
        (4, "attention"),
        (5, "attention"),
        (75, "attention"),
        (143, "attention"),
        (None, "bad"),
    ],
)
def test_every_end_has_a_sentence_and_a_next_step(
    loaded: ReportedLedger, exit_code: int | None, tone: str
) -> None:
    """The first sentence tells how the run ended, whatever the exit code."""
    content = content_of(loaded, exit_code)
    assert content["verdict"]["tone"] == tone
    assert content["exit_meaning"]
    assert content["next_step"]


def test_a_run_that_stopped_says_how_to_go_on(loaded: ReportedLedger) -> None:
    """What was interrupted, refused or killed never says that nothing is to be done."""
    for code in (1, 2, 3, 75, 143, None):
        content = content_of(loaded, code)
        first = content["to_do"][0]
        assert (first["section"], first["next_step"]) == ("course", content["next_step"])
    assert content_of(loaded, 2)["verdict"]["sentence"].startswith("No: a setting stopped the run.")
    came_to_its_end = [content_of(loaded, code)["to_do"] for code in (0, 4, 5, 6)]
    assert all(task["section"] != "course" for tasks in came_to_its_end for task in tasks)


def test_what_the_clinic_accepted_needs_nobody(loaded: ReportedLedger) -> None:
    """With accept_rejects the page says what the last line says: complete, but for what is left behind."""
    facts = RunFacts(accept_rejects=True)
    content = gather(loaded.ledger, loaded.run, facts, 0)
    assert "wait" in content["verdict"]["sentence"]  # a note of the refused patient
    assert "rejects" not in [item["section"] for item in content["to_do"]]
    with loaded.ledger.transaction() as connection:
        connection.execute(sa.text("DELETE FROM record WHERE status = 'held'"))
    content = gather(loaded.ledger, loaded.run, facts, 0)
    assert content["verdict"] == {
        "tone": "good",
        "sentence": "Yes: everything is in HighLevel except 8 records, which this migration is set to leave behind.",
    }
    page = run_page(content)
    assert "refused, and set to be left behind" in page
    assert "ACCEPT_REJECTS=true" not in page  # nobody is told to set what is set
    loaded.ledger.end_run(loaded.run, 0, {"report": content})
    verification = loaded.begin("verify")
    loaded.ledger.end_run(verification, 0, {})
    window = window_content(handed_over(loaded.ledger, [loaded.run], accept_rejects=True))
    assert window["verdict"] == content["verdict"]


def test_a_run_that_wrote_everything_needs_nobody(ledger: Ledger) -> None:
    """Nothing refused, nothing waiting: the report says yes and asks for nothing."""
    reported = ReportedLedger(ledger)
    reported.begin()
    reported.receive(CONTACTS, "patients/1")
    reported.write()
    content = content_of(reported)
    assert content["verdict"] == {
        "tone": "good",
        "sentence": "Yes: everything that can move is in HighLevel.",
    }
    assert content["to_do"] == []


def test_a_changed_audit_trail_comes_before_everything_else(loaded: ReportedLedger) -> None:
    """Somebody who changes the trail afterwards is found out by the next report."""
    with loaded.ledger.transaction() as connection:
        connection.execute(audit.update().where(audit.c.seq == 3).values(status="updated"))
    content = content_of(loaded)
    assert content["audit"]["broken"] == [3]
    assert content["verdict"]["tone"] == "bad"
    assert content["to_do"][0]["section"] == "audit"


def test_a_lost_record_keeps_the_sums_from_closing(loaded: ReportedLedger) -> None:
    """An outcome nobody knows is not counted anywhere, so the difference shows."""
    with loaded.ledger.transaction() as connection:
        connection.execute(sa.text("UPDATE record SET outcome = 'lost' WHERE ref = 'contact:patients/3'"))
    content = content_of(loaded)
    assert not content["closes_to_zero"]
    assert row_of(content, "Patients → contacts")["difference"] == 1
    assert content["verdict"]["sentence"].startswith("No: the counts do not add up")


def test_report_json_obeys_its_published_schema(loaded: ReportedLedger, session: Session) -> None:
    """What is written is what docs/report.schema.json promises, for a run and for several together."""
    validator = Draft202012Validator(json.loads(SCHEMA.read_text(encoding="utf-8")))
    a_clinic(in_session(session))
    written = json.loads((RunReport(session).write(4) / "report.json").read_text(encoding="utf-8"))
    for content in (
        written,
        content_of(loaded, None),
        window_content(handed_over(loaded.ledger, [loaded.run])),
    ):
        assert [error.message for error in validator.iter_errors(content)] == []


def test_the_report_of_a_run_is_kept_and_can_be_written_again(session: Session, tmp_path: Path) -> None:
    """A later run changes nothing of what the report of an earlier one says."""
    a_clinic(in_session(session))
    report = RunReport(session)
    assert report.rejected == 8
    folder = report.write(4)
    session.ledger.end_run(session.run, 4, report.facts)
    later = ReportedLedger(session.ledger)
    later.begin()
    later.work.replay()
    later.write()
    tables = {name: (folder / name).read_bytes() for name in ("rejects.csv", "crosswalk.csv")}
    assert write_again(session.ledger, session.run, str(folder.parent)) == folder
    assert {name: (folder / name).read_bytes() for name in tables} == tables  # not as things are today
    again = write_again(session.ledger, session.run, str(tmp_path / "again"))
    for name in ("report.json", "report.html"):
        assert (again / name).read_bytes() == (folder / name).read_bytes()


@pytest.mark.parametrize("told_by", ["ledger", "report", "nobody"])
def test_a_long_list_is_not_cut_when_a_report_is_written_again(
    session: Session, tmp_path: Path, told_by: str
) -> None:
    """The ledger keeps its beginning for the report; the whole is still in the records or in the file that would be replaced."""
    reported = in_session(session)
    for number in range(120):
        reported.receive(CONTACTS, f"patients/{number}")
    reported.write(notes=Notes(withheld={"email": "another_record"}, tags=("shared-email",)))
    report = RunReport(session)
    folder = report.write(0)
    session.ledger.end_run(session.run, 0, report.facts)
    before = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    if told_by != "ledger":
        later = ReportedLedger(session.ledger)
        later.begin()
        later.receive(
            CONTACTS, "patients/7"
        )  # which a later run has seen: it is no more among those of the first
    at = tmp_path / "elsewhere" if told_by == "nobody" else folder.parent
    again = write_again(session.ledger, session.run, str(at))
    listed = json.loads((again / "report.json").read_text(encoding="utf-8"))["withheld"]
    page = (again / "report.html").read_text(encoding="utf-8")
    if told_by == "nobody":
        assert (listed["count"], len(listed["records"])) == (120, 50)
        assert "70 more are not listed here" in page
    else:
        assert listed == before["withheld"]
        assert "20 more are in <code>report.json</code>" in page


def test_the_report_of_an_earlier_version_is_written_again_or_left_as_it_is(
    loaded: ReportedLedger, tmp_path: Path
) -> None:
    """What it did not keep as a whole is gathered; where it kept less inside, nothing is made up and nothing is overwritten."""
    content = gather(loaded.ledger, loaded.run, RunFacts(), 4)
    older = {name: value for name, value in content.items() if name not in {"money", "verdict"}}
    loaded.ledger.end_run(loaded.run, 4, {"report": older})
    folder = write_again(loaded.ledger, loaded.run, str(tmp_path))
    assert json.loads((folder / "report.json").read_text(encoding="utf-8")).keys() == content.keys()
    loaded.ledger.end_run(loaded.run, 4, {"report": {**older, "budget": {}}})
    with pytest.raises(SettingsError, match="earlier version"):
        write_again(loaded.ledger, loaded.run, str(tmp_path))
    assert "budget" in (folder / "report.json").read_text(encoding="utf-8")


def test_a_mapping_that_has_changed_is_told_until_everything_was_read(tmp_path: Path) -> None:
    """What has not changed in Cliniko is still as it was mapped before, so the run does not say that everything is there."""
    mapping, goes_on = tmp_path / "mapping.yml", {"bookmarks": {"patients": {"replication_key_value": "x"}}}
    told = []
    courses = [("AU", {}), ("AU", goes_on), ("NZ", goes_on), ("AU", goes_on), ("NZ", {}), ("NZ", goes_on)]
    for country, state in courses:
        mapping.write_text(f"default_country: {country}\n")
        with opened_session(tmp_path, mapping=str(mapping)) as session:
            session.resume_from(state)
            a_clinic(in_session(session))
            report = RunReport(session).write(0)
            content = json.loads((report / "report.json").read_text(encoding="utf-8"))
            told.append(content["mapped_anew"])
            assert ("full read is due" in content["verdict"]["sentence"]) == content["mapped_anew"]
            session.finish()
    assert told == [False, False, True, True, False, False]  # going back to the first mapping mends nothing
    assert "--full-refresh tap-cliniko target" in complete(mapped_anew=True)
    assert "--full-refresh tap-cliniko-sample target" in complete(mapped_anew=True, sample=True)
    assert "everything is" not in complete(mapped_anew=True)


def test_the_mapping_of_a_sample_is_its_own(tmp_path: Path) -> None:
    """A sample that was read anew is as it is mapped now, whatever the rest is; the rest is not, because the sample is."""
    mapping = tmp_path / "mapping.yml"

    def told(country: str, state: dict[str, Any], *, sample: bool) -> tuple[bool, str]:
        mapping.write_text(f"default_country: {country}\n")
        chosen = {"sample": ["1"]} if sample else {}
        goes_on = {"bookmarks": {"patients": {**state, **chosen}}}
        with opened_session(tmp_path, mapping=str(mapping)) as session:
            session.resume_from(goes_on if state or sample else {})
            a_clinic(in_session(session))
            report = RunReport(session).write(0)
            session.finish()
            content = json.loads((report / "report.json").read_text(encoding="utf-8"))
        steps = [task["next_step"] for task in content["to_do"] if "mapping has changed" in task["next_step"]]
        return content["mapped_anew"], "".join(steps)

    later = {"replication_key_value": "x"}
    assert told("AU", {}, sample=True) == (False, "")
    assert "tap-cliniko-sample " in told("NZ", later, sample=True)[1]
    assert told("NZ", {}, sample=True) == (False, "")
    assert told("AU", {}, sample=False) == (False, "")
    assert told("NZ", later, sample=True) == (False, "")
    assert told("AU", later, sample=False) == (False, "")
    assert "tap-cliniko " in told("NZ", later, sample=False)[1]


def test_a_killed_run_gets_a_report_too(loaded: ReportedLedger, tmp_path: Path) -> None:
    """A run that wrote no report itself is reported from the ledger."""
    killed = loaded.run
    loaded.begin()
    folder = write_again(loaded.ledger, killed, str(tmp_path / "reports"))
    content = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    assert content["exit_code"] is None
    assert content["totals"]["created"] > 0


def test_several_runs_add_up(loaded: ReportedLedger, tmp_path: Path) -> None:
    """A window sums what its runs wrote and tells where every record stands now."""
    first = loaded.run
    second = loaded.begin()
    loaded.receive(NOTES, "treatment_notes/1", contact="patients/1", name="changed")
    loaded.write(Outcome.UPDATED)
    loaded.receive(
        CONTACTS, "patients/22", name="mended"
    )  # refused by the mapping: only a new read can mend it
    loaded.work.replay()
    loaded.write()
    loaded.write()
    content = window_content(handed_over(loaded.ledger, [second, first]))
    assert [run["id"] for run in content["runs"]] == [first, second]
    notes = row_of(content, "Treatment notes → notes on the contact")
    assert (notes["created"], notes["updated"], notes["held"]) == (2, 1, 0)
    assert content["standing"]["rejected"] == 0
    settings = handed_over(loaded.ledger, (), str(tmp_path)).settings
    assert (write_window(loaded.ledger, [first, second], settings) / "report.html").exists()


SAMPLE = {"sample": {"patients": 3}}
UNFINISHED = "Not all of it yet: the newest {} did not finish. "
NOT_CHECKED = "What can move was loaded, but nobody can say yet that both sides agree."
UNACCOUNTED = "No: the counts do not add up, so some records are unaccounted for."
VERIFIED: tuple[str, int, dict[str, Any]] = ("verify", 0, {})
FULL_READ_DUE = "What has changed is in HighLevel. A full read is due: "


@pytest.mark.parametrize(
    ("runs", "sentence"),
    [
        ([("load", 0, {}), VERIFIED], "Yes: everything that can move is in HighLevel."),
        ([("load", 4, {}), ("retry", 0, {}), VERIFIED], "Yes: everything that can move is in HighLevel."),
        ([("load", 0, {}), ("load", 0, SAMPLE), VERIFIED], "Yes: everything that can move is in HighLevel."),
        ([("load", 0, {})], NOT_CHECKED),
        ([("load", 0, {}), ("verify", 5, {})], NOT_CHECKED),
        ([("load", 0, {"closes_to_zero": False}), VERIFIED], UNACCOUNTED),
        ([("load", 0, {}), ("verify", 0, {"closes_to_zero": False})], UNACCOUNTED),
        ([("load", 75, {})], UNFINISHED.format("load") + ENDS[75].meaning),
        ([("load", 0, {}), ("load", 143, {})], UNFINISHED.format("load") + ENDS[143].meaning),
        ([("load", 0, {}), ("load", 3, {})], UNFINISHED.format("load") + ENDS[3].meaning),
        ([("load", 0, {}), ("load", None, {})], UNFINISHED.format("load") + KILLED.meaning),
        ([("load", 1, {}), ("load", 0, SAMPLE)], UNFINISHED.format("load") + ENDS[1].meaning),
        ([("load", 75, {}), ("retry", 0, {})], UNFINISHED.format("load") + ENDS[75].meaning),
        ([("load", 0, {}), ("retry", 75, {})], UNFINISHED.format("retry") + ENDS[75].meaning),
        ([("load", 0, {}), ("load", 143, SAMPLE)], UNFINISHED.format("load") + ENDS[143].meaning),
        (
            [("load", 0, {}), ("load", 1, {"ended_early": True})],
            UNFINISHED.format("load") + ENDED_EARLY.meaning,
        ),
        (
            [("load", 0, {}), ("load", 0, {"ended_early": True})],
            UNFINISHED.format("load") + ENDED_EARLY.meaning,
        ),
        ([("load", 0, SAMPLE)], "Not all of it yet: no load of everything has come to its end."),
        ([("plan", 0, {})], "Not all of it yet: no load of everything has come to its end."),
        (
            [("load", 0, {"begun_in_the_middle": True})],
            f"{FULL_READ_DUE}this ledger does not cover earlier runs.",
        ),
        (
            [("load", 0, {}), ("load", 0, {"mapped_anew": True}), ("load", 0, SAMPLE)],
            f"{FULL_READ_DUE}the mapping has changed since everything was read.",
        ),
        (
            [("load", 0, {"mapped_anew": True}), ("load", 0, {}), VERIFIED],
            "Yes: everything that can move is in HighLevel.",
        ),
    ],
)
def test_several_runs_say_yes_only_where_everything_was_loaded(
    runs: list[tuple[str, int | None, dict[str, Any]]], sentence: str, ledger: Ledger
) -> None:
    """Each row: runs by mode, exit code and what their reports say, and what the report of all of them says first."""
    ids = []
    for mode, code, report in runs:
        ids.append(ledger.begin_run(mode))
        if code is not None:
            ledger.end_run(ids[-1], code, {"report": report})
    content = window_content(handed_over(ledger, ids))
    assert content["verdict"]["sentence"] == sentence
    tones = {"Yes": "good", "No:": "bad"}
    assert content["verdict"]["tone"] == tones.get(sentence[:3], "attention")
    validator = Draft202012Validator(json.loads(SCHEMA.read_text(encoding="utf-8")))
    assert [error.message for error in validator.iter_errors(content)] == []


def test_no_file_of_a_report_holds_personal_data(session: Session) -> None:
    """The records carry a name; nothing that is written does."""
    a_clinic(in_session(session))
    folder = RunReport(session).write(4)
    names = sorted(path.name for path in folder.iterdir())
    assert names == ["crosswalk.csv", "money.csv", "rejects.csv", "report.html", "report.json"]
    for path in folder.iterdir():
        assert not any(word in path.read_text(encoding="utf-8") for word in PERSONAL.split())
