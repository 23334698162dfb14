"""Rows deleted for good are told of, once it is certain, and until somebody has heard it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from tap_runs import Said, Warehouse, client_for, config_for, run_tap

from sandbox import Sandbox
from tap_cliniko.bookmarks import told_of
from tap_cliniko.deletions import DeletionFinder
from tap_cliniko.errors import SettingsError
from tap_cliniko.known_ids import KnownIds
from tap_cliniko.resources import BY_NAME, TOMBSTONE
from tap_cliniko.timestamps import from_epoch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture
def clinic() -> Iterator[Sandbox]:
    """A clinic with lists of several pages."""
    with Sandbox(seed=8, patients=120, cliniko={"requests_per_minute": 0}) as sandbox:
        yield sandbox


def tombstones(said: Said, stream: str) -> list[str]:
    """Name the rows that a run says are gone."""
    return [each["id"] for each in said.records(stream) if each.get(TOMBSTONE)]


def read(clinic: Sandbox, folder: Path, state: Any = None, *streams: str) -> Said:
    """Run with deletions looked for."""
    return run_tap(config_for(clinic, folder, detect_deletions=True), state, streams)


def test_a_hard_delete_becomes_a_tombstone(clinic: Sandbox, tmp_path: Path) -> None:
    """The record holds the key and the moment, nothing else; rows that are left have none."""
    first = read(clinic, tmp_path, None, "invoice_items", "taxes")
    account = clinic.cliniko.account
    gone = [list(account.tables["invoice_items"])[place] for place in (3, 200, -1)]
    tax = next(iter(account.tables["taxes"]))
    for ident in gone:
        account.delete("invoice_items", ident)
    account.delete("taxes", tax)
    second = read(clinic, tmp_path, first.state, "invoice_items", "taxes")

    assert sorted(tombstones(second, "invoice_items")) == sorted(gone)
    assert tombstones(second, "taxes") == [tax]
    record = next(each for each in second.records("taxes") if each.get(TOMBSTONE))
    assert set(record) == {"id", TOMBSTONE}
    assert tombstones(first, "invoice_items") == []


def test_looking_for_deletions_is_cheap(clinic: Sandbox, tmp_path: Path) -> None:
    """Without any deletion it costs one request for a list, however long."""
    first = read(clinic, tmp_path, None, "invoice_items")
    clinic.cliniko.control.reset_log()
    read(clinic, tmp_path, first.state, "invoice_items")
    counts = [each for each in clinic.cliniko.control.requests if "id:%3C%3D" in each.query]
    assert len(counts) == 1


def test_a_tombstone_is_told_again_until_a_state_covers_it(clinic: Sandbox, tmp_path: Path) -> None:
    """A run whose state got lost did not tell; one whose state was kept did."""
    first = read(clinic, tmp_path, None, "medical_alerts")
    ident = next(iter(clinic.cliniko.account.tables["medical_alerts"]))
    clinic.cliniko.account.delete("medical_alerts", ident)
    lost = read(clinic, tmp_path, first.state, "medical_alerts")
    again = read(clinic, tmp_path, first.state, "medical_alerts")
    after = read(clinic, tmp_path, again.state, "medical_alerts")
    assert tombstones(lost, "medical_alerts") == tombstones(again, "medical_alerts") == [ident]
    assert tombstones(after, "medical_alerts") == []


def test_two_destinations_are_both_told(clinic: Sandbox, tmp_path: Path) -> None:
    """What one destination has settled long ago is still told to the other, which has a state of its own."""
    first = read(clinic, tmp_path, None, "medical_alerts", "taxes").state
    other = first
    account = clinic.cliniko.account
    gone = {name: next(iter(account.tables[name])) for name in ("medical_alerts", "taxes")}
    for name, ident in gone.items():
        account.delete(name, ident)
    for _ in range(3):
        first = read(clinic, tmp_path, first, "medical_alerts", "taxes").state
    late = read(clinic, tmp_path, other, "medical_alerts", "taxes")
    assert {name: tombstones(late, name) for name in gone} == {name: [ident] for name, ident in gone.items()}
    assert tombstones(read(clinic, tmp_path, late.state, "taxes"), "taxes") == []


def test_a_deletion_after_the_file_was_lost_is_told(clinic: Sandbox, tmp_path: Path) -> None:
    """Deletions are numbered anew in a new file; a state with numbers of the old one hides none of them."""
    state = read(clinic, tmp_path, None, "taxes").state
    account = clinic.cliniko.account
    account.delete("taxes", next(iter(account.tables["taxes"])))
    state = read(clinic, tmp_path, state, "taxes").state
    for part in tmp_path.glob("known_ids.db*"):
        part.unlink()
    state = read(clinic, tmp_path, state, "taxes").state
    ident = next(iter(account.tables["taxes"]))
    account.delete("taxes", ident)
    assert tombstones(read(clinic, tmp_path, state, "taxes"), "taxes") == [ident]


@pytest.mark.parametrize("why", ["off at first", "off in between", "file lost", "start date"])
def test_rows_nobody_remembered_when_they_were_read(clinic: Sandbox, tmp_path: Path, why: str) -> None:
    """The next run that looks for deletions goes through the list once; a deletion after that is told, and looking is cheap."""
    config = config_for(clinic, tmp_path, detect_deletions=True)
    if why == "start date":
        config["start_date"] = from_epoch(clinic.cliniko.control.now())
    state = run_tap({**config, "detect_deletions": why != "off at first"}, None, ["invoice_items"]).state
    if why == "file lost":
        (tmp_path / "known_ids.db").unlink()
    ident = list(clinic.cliniko.account.tables["invoice_items"])[150]
    if why == "off in between":
        ident = clinic.cliniko.account.insert("invoice_items", {"name": "Tape"})["id"]
        clinic.cliniko.control.advance(1)
        state = run_tap({**config, "detect_deletions": False}, state, ["invoice_items"]).state
        config["overlap_seconds"] = 0
        clinic.cliniko.control.advance(1)
    state = run_tap(config, state, ["invoice_items"]).state
    clinic.cliniko.account.delete("invoice_items", ident)
    third = run_tap(config, state, ["invoice_items"])
    assert tombstones(third, "invoice_items") == [ident]
    clinic.cliniko.control.reset_log()
    run_tap(config, third.state, ["invoice_items"])
    assert len([each for each in clinic.cliniko.control.requests if "id:%3C%3D" in each.query]) == 1


def test_hidden_rows_are_not_taken_for_deleted(clinic: Sandbox, tmp_path: Path) -> None:
    """Archived and cancelled rows come as rows with their moment."""
    first = read(clinic, tmp_path, None, "patients", "individual_appointments")
    account = clinic.cliniko.account
    patient, booking = (
        next(iter(account.tables["patients"])),
        next(iter(account.tables["individual_appointments"])),
    )
    account.archive("patients", patient)
    account.cancel("individual_appointments", booking)
    second = read(clinic, tmp_path, first.state, "patients", "individual_appointments")
    assert tombstones(second, "patients") == tombstones(second, "individual_appointments") == []
    # the run ends at the last whole second, so what was hidden just now may come with the next one
    clinic.cliniko.control.advance(1)
    third = read(clinic, tmp_path, second.state, "patients")
    hidden = [
        each for each in (*second.records("patients"), *third.records("patients")) if each["id"] == patient
    ]
    assert hidden[-1]["archived_at"]


def test_everything_gone_at_once_is_not_believed(clinic: Sandbox, tmp_path: Path) -> None:
    """An empty source deletes nothing: the key lost a permission, not the clinic its records."""
    first = read(clinic, tmp_path, None, "invoice_items")
    table = clinic.cliniko.account.tables["invoice_items"]
    for ident in list(table):
        table.remove(ident)
    assert tombstones(read(clinic, tmp_path, first.state, "invoice_items"), "invoice_items") == []


def test_children_of_merged_patients_are_read_again(clinic: Sandbox, tmp_path: Path) -> None:
    """What moves to the surviving patient shows no change of its own, and still arrives."""
    streams = ("individual_appointments", "attendees", "patients", "invoices", "treatment_notes")
    config = config_for(clinic, tmp_path)
    first = run_tap(config, None, streams)
    account = clinic.cliniko.account
    owners = [row["patient_id"] for row in account.tables["invoices"].rows()]
    loser, survivor = owners[0], next(each for each in owners if each != owners[0])
    account.merge(loser, survivor)
    clinic.cliniko.control.advance(1)  # within the same second there is nothing new to read yet
    second = run_tap(config, first.state, streams)
    for stream in streams[:2] + streams[3:]:
        moved = {row["id"] for row in account.tables[stream].rows() if row["patient_id"] == survivor}
        assert moved <= {each["id"] for each in second.records(stream) if each["patient_id"] == survivor}, (
            stream
        )
        assert not any(each["patient_id"] == loser for each in second.records(stream)), stream


def test_signatures_follow_the_forms_of_a_merged_patient(clinic: Sandbox, tmp_path: Path) -> None:
    """Below a form that a merge has moved its signature is read again: it becomes the survivor's too."""
    first = read(clinic, tmp_path, None, "patients", "patient_forms", "signatures")
    form = next(each for each in first.records("patient_forms") if each["signature_ids"])
    account = clinic.cliniko.account
    survivor = next(each for each in account.tables["patients"] if each != form["patient_id"])
    account.merge(form["patient_id"], survivor)
    clinic.cliniko.control.advance(1)  # within the same second there is nothing new to read yet
    second = read(clinic, tmp_path, first.state, "patients", "patient_forms", "signatures")
    assert set(form["signature_ids"]) <= {each["id"] for each in second.records("signatures")}


@pytest.mark.parametrize("what", ["changed", "deleted"])
def test_a_booking_follows_its_places(clinic: Sandbox, tmp_path: Path, what: str) -> None:
    """Who has a place shows in the group's own row, whose updated_at need not move with it."""
    first = read(clinic, tmp_path, None, "group_appointments", "attendees")
    account = clinic.cliniko.account
    groups = account.tables["group_appointments"]
    place = next(row for row in account.tables["attendees"].rows() if row["booking_id"] in groups)
    group, patient = place["booking_id"], place["patient_id"]
    if what == "deleted":
        account.delete("attendees", place["id"])
    else:
        other = next(
            ident for ident in account.tables["patients"] if ident not in groups[group]["patient_ids"]
        )
        account.update("attendees", place["id"], {"patient_id": other})
        left = [each for each in groups[group]["patient_ids"] if each != patient]
        account.update("group_appointments", group, {"patient_ids": [*left, other]}, bump=False)
    clinic.cliniko.control.advance(1)  # within the same second there is nothing new to read yet
    second = read(clinic, tmp_path, first.state, "group_appointments", "attendees")
    record = [each for each in second.records("group_appointments") if each["id"] == group][-1]
    assert patient not in record["patient_ids"]
    assert record["patient_ids"] == groups[group]["patient_ids"]


def test_records_of_a_patient_who_was_merged_and_deleted_in_the_middle_of_a_run(
    clinic: Sandbox, tmp_path: Path
) -> None:
    """The run that finds the patient gone has read the attendees before: the next one reads them again."""
    streams = ("attendees", "patients")
    first = read(clinic, tmp_path, None, *streams)
    account = clinic.cliniko.account
    loser, survivor = list(dict.fromkeys(row["patient_id"] for row in account.tables["attendees"].rows()))[:2]
    done: list[int] = []

    def merge_and_delete(_number: int, request: Any) -> None:
        if request.path == "/v1/attendees" and "id:%3E0" in request.query and not done:
            done.append(1)  # attendees are read, their deletions are being counted; patients come after them
            account.merge(loser, survivor)
            account.delete("patients", loser)

    clinic.cliniko.control.advance(1)
    stop = clinic.cliniko.control.before_request(merge_and_delete)
    second = read(clinic, tmp_path, first.state, *streams)
    stop()
    clinic.cliniko.control.advance(1)
    third = read(clinic, tmp_path, second.state, *streams)
    moved = {row["id"] for row in account.tables["attendees"].rows() if row["patient_id"] == survivor}
    of_survivor = [each["id"] for each in third.records("attendees") if each["patient_id"] == survivor]
    assert done
    assert loser in tombstones(second, "patients")
    assert moved <= {
        *of_survivor,
        *(e["id"] for e in first.records("attendees") if e["patient_id"] == survivor),
    }


@pytest.mark.parametrize("seen", [True, False], ids=["read before", "never read"])
def test_records_merged_twice_when_the_patient_in_between_is_deleted(
    clinic: Sandbox, tmp_path: Path, *, seen: bool
) -> None:
    """The first merge points at somebody who is gone, the second one left no trace: the records are read by their ids."""
    first = read(clinic, tmp_path, None, "patients", "invoices")
    account = clinic.cliniko.account
    owners = list(dict.fromkeys(row["patient_id"] for row in account.tables["invoices"].rows()))
    one, between, last = owners[:3]
    if not seen:
        between = account.insert("patients", {"first_name": "Walk-in", "last_name": "Visitor"})["id"]
    moved = {row["id"] for row in account.tables["invoices"].rows() if row["patient_id"] == one}
    account.merge(one, between)
    account.merge(between, last)
    account.delete("patients", between)
    clinic.cliniko.control.advance(1)
    second = read(clinic, tmp_path, first.state, "patients", "invoices")
    assert moved <= {each["id"] for each in second.records("invoices") if each.get("patient_id") == last}


def once_at(clinic: Sandbox, path: str, act: Callable[[], object]) -> Callable[[], None]:
    """Do something just before a list is read for the first time; returns what stops waiting for it."""
    left = [act]

    def hook(_number: int, request: Any) -> None:
        if request.path == path and "updated_at" in request.query and left:
            left.pop()()

    return clinic.cliniko.control.before_request(hook)


def test_a_place_that_nobody_read_before_it_was_deleted(clinic: Sandbox, tmp_path: Path) -> None:
    """The group was read with it, the list of attendees without it: the next run reads the groups once more."""
    streams = ("group_appointments", "attendees")
    account = clinic.cliniko.account
    groups = account.tables["group_appointments"]
    place = next(row for row in account.tables["attendees"].rows() if row["booking_id"] in groups)
    stop = once_at(clinic, "/v1/attendees", lambda: account.delete("attendees", place["id"]))
    warehouse = Warehouse()
    warehouse.load(first := read(clinic, tmp_path, None, *streams))
    stop()
    loaded = warehouse.tables["group_appointments"]
    assert place["patient_id"] in loaded[(place["booking_id"],)]["patient_ids"]
    clinic.cliniko.control.advance(1)
    warehouse.load(second := read(clinic, tmp_path, first.state, *streams))
    assert loaded[(place["booking_id"],)]["patient_ids"] == groups[place["booking_id"]]["patient_ids"]
    clinic.cliniko.control.advance(1)
    # from then on nothing goes unnoticed, and the groups are left alone again
    read_again = read(clinic, tmp_path, second.state, *streams).records("group_appointments")
    assert len(read_again) < len(groups)


def test_a_patient_nobody_has_read_yet_does_not_make_up_for_a_deleted_one(
    clinic: Sandbox, tmp_path: Path
) -> None:
    """The two together leave the number of patients as it was; the records of the deleted one are found all the same."""
    streams = ("attendees", "patients")
    account = clinic.cliniko.account
    long_ago = {"first_name": "Walk-in", "last_name": "Visitor", "created_at": "2024-01-01T00:00:00Z"}
    missed = account.insert("patients", long_ago)["id"]
    # changed just before it was read, it has left the window
    stop = once_at(
        clinic,
        "/v1/patients",
        lambda: account.update("patients", missed, {"updated_at": "2090-01-01T00:00:00Z"}),
    )
    first = read(clinic, tmp_path, None, *streams)
    stop()
    account.update("patients", missed, {"notes": "changed"})
    loser, survivor = list(dict.fromkeys(row["patient_id"] for row in account.tables["attendees"].rows()))[:2]
    moved = {row["id"] for row in account.tables["attendees"].rows() if row["patient_id"] == loser}
    account.merge(loser, survivor)
    account.delete("patients", loser)
    clinic.cliniko.control.advance(1)
    second = read(clinic, tmp_path, first.state, *streams)
    assert missed not in {each["id"] for each in first.records("patients")}
    assert moved <= {each["id"] for each in second.records("attendees") if each.get("patient_id") == survivor}


def test_records_that_passed_through_a_deleted_patient_without_being_read_there(
    clinic: Sandbox, tmp_path: Path
) -> None:
    """They were merged on between two requests, and next time only the first merge, long read, tells where they went."""
    streams = ("attendees", "patients")
    config = config_for(clinic, tmp_path, detect_deletions=True, overlap_seconds=0)
    state = run_tap(config, None, streams).state
    account = clinic.cliniko.account
    owners = dict.fromkeys(row["patient_id"] for row in account.tables["attendees"].rows())
    one, between, last = list(owners)[:3]
    moved = {row["id"] for row in account.tables["attendees"].rows() if row["patient_id"] == one}
    account.merge(one, between)
    clinic.cliniko.control.advance(1)
    left = [between]

    def merge_on(_number: int, request: Any) -> None:
        if request.path == "/v1/attendees" and "patient_id" in request.query and left:
            account.merge(left.pop(), last)

    stop = clinic.cliniko.control.before_request(merge_on)
    second = run_tap(config, state, streams)
    stop()
    account.delete("patients", between)
    clinic.cliniko.control.advance(1)
    third = run_tap(config, second.state, streams)
    assert left == []
    read_again = [*second.records("attendees"), *third.records("attendees")]
    assert moved <= {each["id"] for each in read_again if each.get("patient_id") == last}


def test_a_group_may_name_nobody(clinic: Sandbox, tmp_path: Path) -> None:
    """A null among the patients of a group ends no run."""
    account = clinic.cliniko.account
    group = next(iter(account.tables["group_appointments"]))
    account.update("group_appointments", group, {"patient_ids": [None]}, bump=False)
    said = read(clinic, tmp_path, None, "group_appointments")
    assert [None] in [each["patient_ids"] for each in said.records("group_appointments")]


def test_the_file_of_one_clinic_is_no_other_clinics(clinic: Sandbox, tmp_path: Path) -> None:
    """Two clinics in one project: the second is told to name a file of its own, and the first loses no row."""
    first = read(clinic, tmp_path, None, "medical_alerts")
    with Sandbox(seed=9, patients=10, cliniko={"requests_per_minute": 0}) as other:
        other.cliniko.account.settings["account"]["id"] = "9"
        with pytest.raises(SettingsError, match=r"known_ids_path \(TAP_CLINIKO_KNOWN_IDS_PATH\).*account 9"):
            read(other, tmp_path, None, "medical_alerts")
    again = read(clinic, tmp_path, first.state, "medical_alerts")
    assert tombstones(again, "medical_alerts") == []


@pytest.mark.parametrize(
    ("told", "left"), [(0, [1]), (None, []), (-1, [])], ids=["its own", "another's", "not told"]
)
def test_a_file_of_an_earlier_version_is_claimed(tmp_path: Path, told: int | None, left: list[int]) -> None:
    """Who saw all of it and told all of it takes it over; for anybody else it begins anew, with another number."""
    known = KnownIds(str(tmp_path / "ids.db"))
    known.add("taxes", [(1, ())])
    number = known.number
    assert known.claim("7", told) == "7"
    assert known.ids("taxes", 0, 9) == left
    assert (known.number == number) is bool(left)
    assert known.claim("8", 0) == "7"
    known.close()


def test_a_state_says_what_it_told_of_which_file() -> None:
    """Of another account's, or of another file, it says nothing."""
    state = {"account": "7", "bookmarks": {"taxes": {"deletions": 5}, "patients": {"remembered_in": 3}}}
    assert told_of(state, "7", 3) == 5
    assert told_of(state, "8", 3) is None
    assert told_of(state, "7", 4) is None
    assert told_of({}, "7", 3) is None


def test_that_nearly_all_rows_are_gone_is_not_believed(clinic: Sandbox, tmp_path: Path) -> None:
    """A key that has lost a permission still sees some rows; more than nine in ten do not go at once."""
    known, told = KnownIds(str(tmp_path / "ids.db")), list[str]()
    rows = sorted(int(each) for each in clinic.cliniko.account.tables["medical_alerts"])
    known.add("medical_alerts", ((ident, ()) for ident in [*range(1, 1001), *rows]))
    client = client_for(clinic)
    found = list(DeletionFinder(client, known, told.append).gone(BY_NAME["medical_alerts"], set(rows)))
    client.close()
    known.close()
    assert (found, len(told)) == ([], 1)


@pytest.mark.parametrize("moves", [True, False])
def test_a_row_that_is_hidden_no_longer_is_read_again(tmp_path: Path, moves: bool) -> None:  # noqa: FBT001
    """Unarchived and un-cancelled rows whose updated_at stands still come with the run of the next day, in each destination."""
    options = {"requests_per_minute": 0, "unhiding_bumps_updated_at": moves}
    streams = ("patients", "individual_appointments", "medical_alerts")
    with Sandbox(seed=8, patients=60, cliniko=options) as clinic:
        account = clinic.cliniko.account
        back = {
            "patients": next(
                row["id"] for row in account.tables["patients"].rows() if row.get("archived_at")
            ),
            "individual_appointments": next(
                row["id"]
                for row in account.tables["individual_appointments"].rows()
                if row.get("cancelled_at")
            ),
        }
        first = read(clinic, tmp_path, None, *streams)
        clinic.cliniko.control.advance(86400)
        account.unarchive("patients", back["patients"])
        account.uncancel("individual_appointments", back["individual_appointments"])
        clinic.cliniko.control.advance(2)
        for _destination in ("one", "another"):
            second = read(clinic, tmp_path, first.state, *streams)
            for name, ident in back.items():
                found = [each for each in second.records(name) if each["id"] == ident]
                assert found
                assert not any(found[-1].get(column) for column in BY_NAME[name].reveal)
            assert tombstones(second, "patients") == []
        clinic.cliniko.control.reset_log()
        third = read(clinic, tmp_path, second.state, *streams)
        assert third.records("medical_alerts") == []
        assert not [
            each for each in clinic.cliniko.control.requests if "%3A%3F" in each.query or ":?" in each.query
        ]
