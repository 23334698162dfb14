"""What a sub-account has already, and how much of a definition it takes: nothing is in the way, and nothing is lost."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hl_loading import rejects
from hl_mapped import person, record, schemas

from sandbox.highlevel import contact_fields, contact_values
from sandbox.highlevel.answers import refuse_request

if TYPE_CHECKING:
    from collections.abc import Callable

    from hl_loading import Clinic, Loader

ADA = person("patients/1", "Ada", "Lovelace")
FILES = schemas("patients", "patient_attachments")
ROOMS = [f"Room {number}" for number in range(8)]


def with_rooms(rooms: list[str]) -> list[str]:
    """Return the schemas of patients and their appointments, with these locations to choose from."""
    lines = []
    for message in map(json.loads, schemas("patients")):
        field = message["schema"]["properties"].get("cliniko_location", {})
        if message["stream"] == "hl_contacts":
            field["x-highlevel"]["options"] = rooms
        lines.append(json.dumps(message))
    return lines


def contact_field(loader: Loader, name: str) -> dict[str, Any]:
    """Return a custom field of contacts as HighLevel has it."""
    found: dict[str, Any] = loader.sandbox.highlevel.state.main.contact_field_by_key(f"contact.{name}")
    return found


def scan(number: int) -> str:
    """Return the RECORD line of a file of Ada's."""
    return record(
        "hl_files", f"patient_attachments/{number}", contact="patients/1",
        file_name=f"scan (cliniko patient_attachments-{number}).pdf", file_content="JVBERi0xLjc=",
    )  # fmt: skip


@pytest.mark.parametrize("name", ["Occupation", "Title", "Notes", "Invoice number"])
def test_fields_of_the_clinics_own_are_in_nobodys_way(name: str, highlevel: Callable[..., Loader]) -> None:
    """Whatever type they have: a property of a custom object of the same name is another field."""
    loader = highlevel(empty=True)
    loader.sandbox.highlevel.state.staff.add_contact_field(name, "CHECKBOX", picklistOptions=["A"])
    lines = [*schemas("patients", "invoices"), ADA]
    assert loader.load(lines, MODE="plan").report["plan"]["blockers"] == []
    assert loader.load(lines).code == 0


def test_deleting_a_field_of_the_clinics_own_stops_nothing(highlevel: Callable[..., Loader]) -> None:
    """One that is called as a standard field of ours was never ours."""
    loader = highlevel(empty=True)
    state = loader.sandbox.highlevel.state
    own = state.staff.add_contact_field("Gender", "TEXT")
    assert loader.load([*schemas("patients"), person("patients/1", "Ada", "King", gender="female")]).code == 0
    del state.main.contact_fields[own["id"]]
    later = loader.load([*schemas("patients"), person("patients/1", "Ada", "Lovelace", gender="female")])
    assert later.code == 0, later.log[-2000:]


def test_a_property_of_another_type_is_named_before_the_first_write(highlevel: Callable[..., Loader]) -> None:
    """An object that somebody has made by hand: its sums cannot be texts."""
    loader = highlevel()
    account = loader.sandbox.highlevel.state.main
    (field,) = (
        each
        for each in account.object_fields.values()
        if each["fieldKey"].endswith("cliniko_invoice.total_amount")
    )
    account.object_fields[field["id"]] = {**field, "dataType": "TEXT"}
    before = loader.sandbox.highlevel.control.stats()["writes"]
    ended = loader.load([*schemas("patients", "invoices"), ADA])
    assert ended.code == 2
    assert "custom_objects.cliniko_invoice.total_amount exists in HighLevel with type TEXT" in ended.log
    assert loader.sandbox.highlevel.control.stats()["writes"] == before


def test_nothing_is_made_for_what_stands_elsewhere(highlevel: Callable[..., Loader]) -> None:
    """The owner of an invoice, and the business it is of, are no properties of it."""
    loader = highlevel(empty=True)
    invoice = record("hl_invoices", "invoices/1", source_system_id="invoices/1", invoice_name="Invoice 1")
    assert loader.load([*schemas("patients", "invoices"), ADA, invoice]).code == 0
    made = {
        each["fieldKey"].rpartition(".")[2] for each in loader.sandbox.highlevel.state.object_fields.values()
    }
    assert "total_amount" in made
    assert not made & {"owner", "businesses"}


def test_an_agency_token_that_is_refused_is_found_out_first(
    tiny_clinic: Clinic, highlevel: Callable[..., Loader]
) -> None:
    """No field has been made by then, which no rollback would take away."""
    loader = highlevel(empty=True, agency_scopes=["oauth.write"])
    ended = loader.load(tiny_clinic.lines)
    assert ended.code == 3, ended.log[-2000:]
    assert "agency token" in ended.log.splitlines()[-1]
    assert loader.sandbox.highlevel.state.main.contact_fields == {}


# How much of a definition is taken


def test_a_field_that_takes_one_file_is_refused(highlevel: Callable[..., Loader]) -> None:
    """Nobody knows what a second file does to the first."""
    loader = highlevel(empty=True)
    loader.sandbox.highlevel.state.staff.add_contact_field("Cliniko files", "FILE_UPLOAD")
    ended = loader.load([*FILES, ADA])
    assert ended.code == 2
    assert "contact.cliniko_files exists in HighLevel and takes one file only" in ended.log
    assert loader.sandbox.highlevel.control.stats()["writes"] == 0


@pytest.mark.parametrize("over", ["replace", "drop", "refuse"])
def test_a_file_too_many_pushes_none_out(over: str, highlevel: Callable[..., Loader]) -> None:
    """Whatever HighLevel would do with it: it is rejected, and goes in when there is room."""
    loader = highlevel(empty=True, file_over_limit=over)
    field = loader.sandbox.highlevel.state.staff.add_contact_field(
        "Cliniko files", "FILE_UPLOAD", isMultiFileAllowed=True, maxFileLimit=2
    )
    ended = loader.load([*FILES, ADA, *(scan(number) for number in (1, 2, 3))])
    assert ended.code == 4, ended.log[-2000:]
    ((_, reason),) = rejects(loader)
    assert reason == "no_room_for_file"
    state = loader.sandbox.highlevel.state
    assert len(state.files) == 2
    state.main.contact_fields[field["id"]] = {**field, "maxFileLimit": 9}
    assert loader.tool("retry").returncode == 0
    assert len(state.files) == 3, state.sources()


@pytest.mark.parametrize("limit", [2, 11, 99])
def test_a_field_for_files_is_made_for_as_many_as_highlevel_takes(
    limit: int, highlevel: Callable[..., Loader]
) -> None:
    """It is made once, for the first number that is taken, and widened to the last that is."""
    loader = highlevel(empty=True, files_limit=limit)
    assert loader.load([*FILES, ADA]).code == 0
    assert contact_field(loader, "cliniko_files")["maxFileLimit"] == limit


def test_a_field_for_files_that_cannot_be_widened_stays_as_it_was_made(
    highlevel: Callable[..., Loader],
) -> None:
    """No number counts that HighLevel has refused: a file too many could push another one out."""
    loader = highlevel(empty=True, files_limit=5)
    refused = {"method": "PUT", "path_regex": "/customFields/"}
    loader.sandbox.highlevel.control.add_fault({"match": refused, "action": "status", "status": 400})
    ended = loader.load([*FILES, ADA, *(scan(number) for number in range(1, 6))])
    assert ended.code == 4, ended.log[-2000:]
    assert contact_field(loader, "cliniko_files")["maxFileLimit"] == 4
    assert {reason for _, reason in rejects(loader)} == {"no_room_for_file"}


def test_a_field_for_one_file_is_not_made(highlevel: Callable[..., Loader]) -> None:
    """It would stop this run and all later ones, until somebody has removed it."""
    loader = highlevel(empty=True, files_limit=1)
    ended = loader.load([*FILES, ADA])
    assert ended.code == 2
    assert "make contact.cliniko_files by hand so that it takes several, or leave files out" in ended.log
    fields = loader.sandbox.highlevel.state.main.contact_fields.values()
    assert "FILE_UPLOAD" not in {field["dataType"] for field in fields}


@pytest.mark.parametrize("before", [0, 2], ids=["at once", "later"])
def test_more_options_than_a_field_takes(before: int, highlevel: Callable[..., Loader]) -> None:
    """As many are made as HighLevel takes; who needs another one goes in without it."""
    loader = highlevel(empty=True, options_limit=5)
    people = [person(f"patients/{n}", "Ada", f"Elm {n}", cliniko_location=[ROOMS[n]]) for n in range(8)]
    if before:
        assert loader.load([*with_rooms(ROOMS[:before]), people[0]]).code == 0
        assert contact_field(loader, "cliniko_location")["picklistOptions"] == ROOMS[:before]
    loaded = loader.load([*with_rooms(ROOMS), *people])
    assert loaded.code == 0, loaded.log[-2000:]
    assert "highlevel.list_shortened" in loaded.log
    assert len(contact_field(loader, "cliniko_location")["picklistOptions"]) == 5
    assert len(loader.sandbox.highlevel.state.contacts) == 8


def test_a_patient_goes_in_without_an_option_that_is_refused_without_a_name(
    highlevel: Callable[..., Loader], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One refusal tells it for all: no address is left out, the other options are there, and verification agrees."""
    taken = contact_values._chosen

    def listed(account: Any, definition: dict[str, Any], value: Any) -> Any:
        if not set(value) <= set(definition["picklistOptions"]):
            refuse_request("Invalid options")
        return taken(account, definition, value)

    monkeypatch.setattr(contact_values, "_chosen", listed)
    loader = highlevel(empty=True, options_limit=5)
    chosen = {n: [ROOMS[0], ROOMS[n]] for n in range(1, 8)}
    people = [
        person(f"patients/{n}", "Ada", f"Elm {n}", email=f"ada{n}@example.org", cliniko_location=rooms)
        for n, rooms in chosen.items()
    ]
    lines = [*with_rooms(ROOMS), *people]
    loaded = loader.load(lines)
    assert loaded.code == 0, loaded.log[-2000:]
    field = contact_field(loader, "cliniko_location")
    there = set(field["picklistOptions"])
    state = loader.sandbox.highlevel.state
    found = {item["email"]: item["customFields"][field["id"]] for item in state.contacts.values()}
    assert found == {
        f"ada{n}@example.org": [room for room in rooms if room in there] for n, rooms in chosen.items()
    }
    told = {item["source"] for item in loaded.report["not_taken"]["records"]}
    assert told == {f"patients/{n}" for n, rooms in chosen.items() if not there.issuperset(rooms)}
    refusals = [
        entry
        for entry in loader.sandbox.highlevel.control.requests
        if entry.path == "/contacts/" and entry.status == 400
    ]
    assert 1 <= len(refusals) <= 16, "at most once on each thread"
    assert loader.load(lines, MODE="verify").code == 0
    again = [person("patients/7", "Ada", "Oak", email="ada7@example.org", cliniko_location=chosen[7])]
    assert loader.load([*with_rooms(ROOMS), *again]).code == 0
    assert loader.load([*with_rooms(ROOMS), *people[:-1], *again], MODE="verify").code == 0


def test_an_option_just_made_outlives_a_list_that_lags(highlevel: Callable[..., Loader]) -> None:
    """The list of fields is replaced as a whole: what this run has sent is sent again, whatever the list shows."""
    loader = highlevel(empty=True)
    state = loader.sandbox.highlevel.state
    seen: dict[str, dict[str, Any]] = {}

    def lag(_number: int, request: Any) -> None:
        """Show the options of before to whoever asks for the list."""
        if request.method == "GET" and request.path.endswith("/customFields"):
            for field in state.main.contact_fields.values():
                field["picklistOptions"] = list(
                    seen.get(field["id"], {"options": field["picklistOptions"]})["options"]
                )
        elif "/customFields" in request.path:
            for field in state.main.contact_fields.values():
                seen.setdefault(field["id"], {"options": list(field["picklistOptions"])})

    loader.sandbox.highlevel.control.before_request(lag)
    lines: list[str] = []
    for number in range(1, 4):
        lines += [*with_rooms(ROOMS[:number]), person(f"patients/{number}", "Ada", "Elm")]
    assert loader.load(lines).code == 0
    assert contact_field(loader, "cliniko_location")["picklistOptions"] == ROOMS[:3]


@pytest.mark.parametrize(("most", "code"), [(2, 4), (1, 2)])
def test_a_field_made_for_fewer_files_than_asked_for_loses_none(
    most: int, code: int, highlevel: Callable[..., Loader], monkeypatch: pytest.MonkeyPatch
) -> None:
    """HighLevel takes the number in silence and makes less of it: only its answer says so."""
    made = contact_fields._settings

    def fewer(*given: Any) -> dict[str, Any]:
        settings = made(*given)
        return {**settings, "maxFileLimit": most} if "maxFileLimit" in settings else settings

    monkeypatch.setattr(contact_fields, "_settings", fewer)
    loader = highlevel(empty=True, file_over_limit="replace")
    ended = loader.load([*FILES, ADA, *(scan(number) for number in (1, 2, 3))])
    assert ended.code == code, ended.log[-2000:]
    state = loader.sandbox.highlevel.state
    assert len(state.files) == (2 if code == 4 else 0)
    assert code == 4 or not state.contacts


def test_a_field_of_ours_whose_options_nobody_understands_is_named(highlevel: Callable[..., Loader]) -> None:
    """Made a second time, it would have another key; before the first write a person is told."""
    loader = highlevel()
    contact_field(loader, "cliniko_location")["picklistOptions"] = {"A": "B"}
    ended = loader.load([*with_rooms(ROOMS), ADA])
    assert ended.code == 2, ended.log[-2000:]
    assert "contact.cliniko_location exists in HighLevel, and what it says of its options" in ended.log
    assert not loader.sandbox.highlevel.state.contacts


def test_what_cannot_be_read_of_a_sub_account_is_listed_by_the_plan(highlevel: Callable[..., Loader]) -> None:
    """Somebody's own fields, objects, calendars and people without a key, a name or an id stop nothing."""
    loader = highlevel(empty=True, shapes=["odd_rows"])
    lines = [*FILES, ADA]
    planned = loader.load(lines, MODE="plan").report["plan"]
    assert planned["blockers"] == []
    (told,) = (item for item in planned["settings_to_check"] if item["setting"] == "left_out")
    assert "2 rows of /locations/{id}/customFields" in told["found"]
    ended = loader.load(lines)
    assert ended.code == 0, ended.log[-2000:]
    assert "highlevel.rows_left_out list=/objects/ rows=2" in ended.log
