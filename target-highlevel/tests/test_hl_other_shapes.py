"""Answers in shapes that HighLevel's description leaves open: nothing is doubled, nothing stops, nothing is called different."""

from __future__ import annotations

import csv
import hashlib
from typing import TYPE_CHECKING, Any

import pytest
from hl_loading import fault
from hl_mapped import person, record, schemas

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from hl_loading import Loaded, Loader

HEAD = [
    line.replace('"options": []', '"options": ["Physio", "Pilates, group", "Review"]')
    for line in schemas(
        "contacts",
        "patients",
        "invoices",
        "individual_appointments",
        "treatment_notes",
        "patient_attachments",
    )
]


def loads(loader: Loader, *lines: str, **settings: str) -> Loaded:
    """Load these lines to a good end."""
    loaded = loader.load([*HEAD, *lines], **settings)
    assert loaded.code == 0, loaded.log[-2000:]
    assert loader.sandbox.highlevel.state.doubles() == {}
    return loaded


def counts(loader: Loader) -> dict[str, int]:
    """Return how many of each thing there are."""
    state = loader.sandbox.highlevel.state
    kinds = ("contacts", "records", "relations", "notes", "tasks", "appointments", "files")
    return {kind: len(getattr(state, kind)) for kind in kinds}


def loads_again(loader: Loader, *lines: str, **settings: str) -> Loaded:
    """Load the same lines into a ledger that knows nothing, and see that nothing is made twice."""
    before = counts(loader)
    (loader.folder / "ledger.db").unlink(missing_ok=True)
    again = loads(loader, *lines, **settings)
    assert again.report["totals"]["created"] == 0
    assert counts(loader) == before
    return again


def profile(source_id: str, **fields: Any) -> str:
    """Return the RECORD line of a patient's profile."""
    own = {"source_system_id": source_id, "patient_name": f"Name of {source_id}"}
    return record("hl_patient_profiles", source_id, **{**own, **fields})


def verifies(loader: Loader, *lines: str, **settings: str) -> Loaded:
    """See that a verification finds everything, and as it should be."""
    verified = loader.load([*HEAD, *lines], MODE="verify", **settings)
    assert verified.code == 0, verified.log[-2000:]
    return verified


def everything(folder: Path) -> list[str]:
    """Return a patient with one of each thing, and values that HighLevel might show in another form."""
    (folder / "scan.pdf").write_bytes(b"pdf")
    visit, note, file = "individual_appointments/7", "treatment_notes/8", "patient_attachments/9"
    hang: dict[str, Any] = {"contact": "patients/1"}
    return [
        person("contacts/1", "Doc", "McTor"),
        person(
            "patients/1", "Ada", "van Loon", email="Ada@Example.org", phone="+61255500101",
            dateOfBirth="1980-05-01", country="AU", dnd_email=True,
            cliniko_appointment_type=["Physio", "Pilates, group"],
            relations=[{"association": "cliniko_referring_doctor", "to": "contact:contacts/1"}],
        ),
        record(
            "hl_invoices", "invoices/1", source_system_id="invoices/1", invoice_name="Invoice 1", issue_date="2024-02-29",
            invoice_status="Paid", total_amount="90.5", notes="Tom & Co",
        ),
        record(
            "hl_appointments", visit, **hang, title="Visit", body=f"1 < 2 & 3\n\ncliniko:{visit}", status="arrived",
            starts_at="2024-05-01T10:00:00Z", ends_at="2024-05-01T11:00:00Z", appointment_type="Physio",
        ),
        record("hl_notes", note, **hang, title="Tom & Co", body=f"a < b & c\n  said\ncliniko:{note}"),
        record(
            "hl_files", file, **hang, file_name=f"cliniko:{file} 2024-06-17 scan.pdf", file_size=3,
            file_path=str(folder / "scan.pdf"), file_sha256=hashlib.sha256(b"pdf").hexdigest(),
        ),
    ]  # fmt: skip


# A lost ledger


def test_a_lost_ledger_waits_until_the_search_knows_what_was_written(
    highlevel: Callable[..., Loader],
) -> None:
    """What an earlier ledger wrote a moment ago is not in the index yet, and would all be made again.

    The wait comes once, before the first page; a first load into an empty sub-account has nothing to wait for.
    """
    loader = highlevel(empty=True)
    control = loader.sandbox.highlevel.control
    lines = [person("patients/1", "Ada", "Lovelace"), profile("patients/1")]
    loads(loader, *lines, SEARCH_LAG_SECONDS="600")
    control.reset_log()
    loads_again(loader, *lines, SEARCH_LAG_SECONDS="1")
    asked = control.requests
    (first, *later) = [number for number, request in enumerate(asked) if request.path.endswith("/search")]
    assert asked[first].at - asked[first - 1].at >= 1
    assert later
    assert asked[later[-1]].at - asked[first].at < 1


@pytest.mark.parametrize("shapes", [(), ("no_total",), ("no_total", "bare_lists")], ids=len)
def test_pages_that_are_shorter_than_was_asked_for(shapes: Any, highlevel: Callable[..., Loader]) -> None:
    """How long a page may be nobody says: what comes after a short one is not lost, and so not made again."""
    loader = highlevel(largest_page=2, shapes=shapes)
    related = [{"association": "cliniko_referring_doctor", "to": "contact:contacts/1"}]
    people = [person(f"patients/{n}", "Ada", f"L{n}", relations=related) for n in range(1, 4)]
    lines = [person("contacts/1", "Doc", "Tor"), *people, *(profile(f"patients/{n}") for n in range(1, 4))]
    loads(loader, *lines)
    loads_again(loader, *lines)
    verifies(loader, *lines)


@pytest.mark.parametrize(
    "told",
    ["searchAfter should not be empty", "pageLimit must not be greater than 50"],
    ids=["cursor", "page"],
)
def test_a_search_that_wants_more_of_its_request_gets_it(told: str, highlevel: Callable[..., Loader]) -> None:
    """The description demands a cursor of the first page of records too, and does not say how long a page may be."""
    loader = highlevel()
    lines = [person("patients/1", "Ada", "Lovelace"), profile("patients/1")]
    loads(loader, *lines)
    body = {"statusCode": 422, "message": [told], "error": "Unprocessable Entity"}
    fault(loader, "POST", "/records/search", "status", nth=1, status=422, body=body)
    loads_again(loader, *lines)
    verifies(loader, *lines)


@pytest.mark.parametrize(
    ("options", "settings"),
    [
        ({"shapes": ["field_value", "plain_file_names"]}, {}),
        ({"shapes": ["events_without_text", "bare_lists"]}, {"APPOINTMENTS_AS": "calendar_event"}),
        (
            {
                "shapes": ["option_texts", "option_objects"],
                "users_by_search": True,
                "strict_relations": True,
                "missing_status": 400,
            },
            {},
        ),
        (
            {
                "shapes": [
                    "lowercase_emails",
                    "lowercase_countries",
                    "spaced_phones",
                    "rich_texts",
                    "date_times",
                ]
            },
            {},
        ),
        ({"shapes": ["epoch_dates", "joined_options"]}, {}),
    ],
    ids=[
        "what carries our id",
        "events and lists",
        "options, users and what is not found",
        "spellings and texts",
        "dates and lists of options",
    ],
)
def test_the_same_things_in_another_shape(
    options: dict[str, Any], settings: dict[str, str], highlevel: Callable[..., Loader], tmp_path: Path
) -> None:
    """They are what they should be, can be taken back, and are known again without a ledger."""
    loader = highlevel(**options)
    empty, lines = counts(loader), everything(tmp_path)
    loads(loader, *lines, **settings)
    verifies(loader, *lines, **settings)
    undone = loader.tool("rollback", "--yes", **settings)
    assert undone.returncode == 0, undone.stderr[-2000:]
    assert counts(loader) == {**empty, "files": counts(loader)["files"]}
    loads(loader, *lines, **settings)
    loads_again(loader, *lines, **settings)
    verifies(loader, *lines, **settings)


def test_contacts_that_do_not_show_their_id_stop_the_load(highlevel: Callable[..., Loader]) -> None:
    """The search has contacts with our field, and none of them shows it: better no load than everybody twice."""
    loader = highlevel()
    loads(loader, person("patients/1", "Ada", "Lovelace"))
    (loader.folder / "ledger.db").unlink()
    loader.sandbox.highlevel.state.options.shapes = frozenset({"unreadable_fields"})
    stopped = loader.load(
        [*HEAD, person("patients/1", "Ada", "Lovelace"), person("patients/2", "Bo", "Diddley")]
    )
    assert stopped.code == 1
    assert "do not show it" in stopped.log.rstrip().splitlines()[-1]
    assert counts(loader)["contacts"] == 1


def test_somebody_who_may_not_be_without_an_address(highlevel: Callable[..., Loader]) -> None:
    """Refused for want of an address, a child that has none of its own is named with what can be done about it."""
    loader = highlevel(require_address=True)
    parent = person("patients/1", "Ada", "Larkspur", email="fam@example.org")
    child = person("patients/2", "Bo", "Larkspur", email="fam@example.org")
    assert loader.load([*HEAD, parent, child, person("patients/3", "Cy", "Larkspur")]).code == 4
    with max((loader.folder / "reports").glob("*/rejects.csv")).open() as file:
        rejects = {row["source"]: row["reason"] for row in csv.DictReader(file)}
    assert rejects == {"patients/2": "address_required", "patients/3": "address_required"}


def test_another_spelling_is_nobodys_change(highlevel: Callable[..., Loader]) -> None:
    """What HighLevel writes in its own way is no edit of the clinic's: with ``never``, Cliniko's change still goes in."""
    loader = highlevel(shapes=["lowercase_emails", "lowercase_countries", "spaced_phones"])
    first = {"email": "Ada@Example.org", "phone": "+61255500101", "country": "AU"}
    loads(loader, person("patients/1", "Ada", "Larkspur", **first))
    changed = {"email": "Ada@Example.com", "phone": "+61255500102", "country": "NZ"}
    again = loads(loader, person("patients/1", "Ada", "Larkspur", **changed), OVERWRITE="never")
    assert again.report["totals"]["updated"] == 1
    (there,) = loader.sandbox.highlevel.state.contacts.values()
    assert {name: there[name] for name in changed} == changed


def test_white_space_that_changes_in_cliniko_is_written(highlevel: Callable[..., Loader]) -> None:
    """It is nobody's change in HighLevel, but one of the clinician's in Cliniko: a paragraph more is a paragraph more."""
    loader = highlevel()

    def note(text: str) -> str:
        body = f"{text}\ncliniko:treatment_notes/8"
        return record("hl_notes", "treatment_notes/8", contact="patients/1", title="Note", body=body)

    loads(loader, person("patients/1", "Ada", "Larkspur"), note("one two"))
    loads(loader, person("patients/1", "Ada", "Larkspur"), note("one\n\ntwo"))
    (there,) = loader.sandbox.highlevel.state.notes.values()
    assert there["body"].startswith("one\n\ntwo")
