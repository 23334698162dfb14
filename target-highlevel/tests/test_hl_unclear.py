"""Creates whose answer was lost, and a run that ends before it has made sense of them: ours stays ours, once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hl_loading import fault
from hl_mapped import person, record, schemas
from hl_undoing import spared

if TYPE_CHECKING:
    from collections.abc import Callable

    from hl_loading import Loader

HEAD = schemas("patients")
ADA = person("patients/1", "Ada", "Lovelace", email="ada@example.org")
CREATES, LOOKS, READS = r"^/contacts/$", r"^/contacts/search$", r"^/contacts/[^/]+$"
KILLED = -9


def test_found_again_and_undone(highlevel: Callable[..., Loader]) -> None:
    """Contacts found after a lost answer are ours with all their tags: undoing the run takes them for untouched."""
    loader = highlevel()
    fault(loader, "POST", CREATES, "drop_after", nth=[1, 3])  # the second is refused: her address is taken
    loaded = loader.load([*HEAD, ADA, person("patients/2", "Bo", "Lovelace", email="ada@example.org")])
    assert loaded.code == 0
    assert loaded.report["totals"]["created"] == 2
    assert loader.tool("rollback", "--yes").returncode == 0
    assert spared(loader) == {}
    assert not loader.sandbox.highlevel.state.contacts


def test_a_run_that_ends_between_finding_and_settling(highlevel: Callable[..., Loader]) -> None:
    """The next run still knows that the contact was made by us: it counts as created, and can be undone."""
    loader = highlevel()
    fault(loader, "POST", CREATES, "drop_after")
    fault(loader, "GET", READS, "status", status=401)
    assert loader.load([*HEAD, ADA]).code == 3
    loader.sandbox.highlevel.control.clear_faults()
    again = loader.load([*HEAD, ADA])
    assert again.code == 0
    assert again.report["totals"]["created"] == 1
    assert loader.tool("rollback", "--yes").returncode == 0
    assert not loader.sandbox.highlevel.state.contacts


@pytest.mark.parametrize(("status", "code"), [(401, 3), (400, 4)])
def test_undoing_a_run_that_ended_there(status: int, code: int, highlevel: Callable[..., Loader]) -> None:
    """What was made is taken away, whether the run ended at the read that came next or only the record was refused."""
    loader = highlevel()
    fault(loader, "POST", CREATES, "drop_after")
    fault(loader, "GET", READS, "status", status=status)
    assert loader.load([*HEAD, ADA]).code == code
    loader.sandbox.highlevel.control.clear_faults()
    assert loader.tool("rollback", "--yes").returncode == 0
    assert not loader.sandbox.highlevel.state.contacts


def test_a_look_that_is_refused_decides_nothing(highlevel: Callable[..., Loader]) -> None:
    """The record waits with its write unclear; it is neither rejected nor sent again before somebody has looked."""
    loader = highlevel()
    fault(loader, "POST", CREATES, "drop_after")
    fault(loader, "POST", LOOKS, "status", status=400)
    ended = loader.load([*HEAD, ADA])
    assert ended.code == 1
    assert ended.report["totals"]["held"] == 1
    loader.sandbox.highlevel.control.clear_faults()
    assert loader.tool("retry").returncode == 0
    assert loader.load([*HEAD, ADA]).code == 0
    assert len(loader.sandbox.highlevel.state.contacts) == 1


@pytest.mark.parametrize(
    ("answer", "others"),
    [({}, [person("patients/2", "Bo", "Byron")]), ({"contact": {"id": None}}, [])],
    ids=["proven absent at once", "proven absent at the end"],
)
def test_a_success_that_nobody_understands(
    answer: dict[str, Any], others: list[str], highlevel: Callable[..., Loader]
) -> None:
    """It is looked for and not sent again by the same run: it may only be late to be found. The others are written."""
    loader = highlevel()
    fault(loader, "POST", CREATES, "status", status=200, body=answer, nth=1)
    ended = loader.load([*HEAD, ADA, *others])
    assert ended.code == 1
    assert (ended.report["totals"]["held"], ended.report["totals"]["created"]) == (1, len(others))
    assert len(posts(loader)) == 1 + len(others)
    assert loader.tool("retry").returncode == 0
    assert len(posts(loader)) == 2 + len(others)
    assert len(loader.sandbox.highlevel.state.contacts) == 1 + len(others)


def posts(loader: Loader) -> list[str]:
    """Return the creates of contacts that have arrived."""
    control = loader.sandbox.highlevel.control
    return [item.path for item in control.requests if (item.method, item.path) == ("POST", "/contacts/")]


@pytest.mark.parametrize(("tags", "stays"), [(["patient"], False), (["patient", "vip"], True)])
def test_undoing_a_run_that_was_killed(
    tags: list[str], *, stays: bool, highlevel: Callable[..., Loader]
) -> None:
    """What was made and never settled goes, unless somebody has put a tag on it meanwhile."""
    loader = highlevel()
    assert loader.load([*HEAD, ADA], CRASH_AT="after_send/contact").code == KILLED
    state = loader.sandbox.highlevel.state
    (contact,) = state.contacts
    state.damage.edit_contact(contact, tags=tags)
    assert loader.tool("rollback", "--yes").returncode == 0
    assert set(spared(loader)) == ({("contact", "patients/1")} if stays else set())
    assert bool(state.contacts) == stays


def test_a_link_that_was_cut_off_and_is_no_longer_wanted(highlevel: Callable[..., Loader]) -> None:
    """It may have been made: it is looked for, and taken away."""
    loader = highlevel()
    lines = [*schemas("contacts", "patients"), person("contacts/1", "Doc", "Tor")]
    doctor = [{"association": "cliniko_referring_doctor", "to": "contact:contacts/1"}]
    referred = person("patients/1", "Ada", "Lovelace", relations=doctor)
    assert loader.load([*lines, referred], CRASH_AT="after_send/relation").code == KILLED
    assert len(loader.sandbox.highlevel.state.relations) == 1
    assert loader.load([*lines, person("patients/1", "Ada", "Lovelace", relations=[])]).code == 0
    assert not loader.sandbox.highlevel.state.relations


def test_a_search_that_lags_more_than_the_settings_say(highlevel: Callable[..., Loader]) -> None:
    """The contact is looked for at the end of the run, by the lag of one that is known to be there: nobody is made twice."""
    loader = highlevel(search_lag=3.0)
    fault(loader, "POST", CREATES, "drop_after", nth=1)
    loaded = loader.load([*HEAD, ADA, person("patients/2", "Bo", "Diddley")], SEARCH_LAG_SECONDS="1")
    assert loaded.code == 0, loaded.log[-2000:]
    assert loaded.report["totals"]["created"] == 2
    assert len(loader.sandbox.highlevel.state.contacts) == 2


def test_nothing_to_compare_the_search_with(highlevel: Callable[..., Loader]) -> None:
    """The only create of a run is not sent again by it; the next run looks for it, and sends it where it is not there."""
    loader = highlevel(search_lag=1.0)
    contacts = loader.sandbox.highlevel.state.contacts
    fault(loader, "POST", CREATES, "drop_before", nth=1)
    put_off = loader.load([*HEAD, ADA])
    assert (put_off.code, put_off.report["totals"]["held"], len(contacts)) == (1, 1, 0)
    assert loader.load([*HEAD, ADA]).code == 0
    assert len(contacts) == 1
    loader.sandbox.highlevel.control.clear_faults()
    fault(loader, "POST", CREATES, "drop_after", nth=1)
    bo = person("patients/2", "Bo", "Diddley")
    loader.sandbox.highlevel.state.options.search_lag = 6.0
    assert loader.load([*HEAD, ADA, bo]).code == 1
    assert loader.load([*HEAD, ADA, bo], SEARCH_LAG_SECONDS="2").code == 0
    assert len(contacts) == 2


@pytest.mark.parametrize(
    "made", [True, pytest.param(False, marks=pytest.mark.soak)], ids=["made", "not made"]
)
@pytest.mark.parametrize("alone", [True, False], ids=["alone", "with others"])
def test_a_refusal_without_a_reason_is_no_proof(
    *, made: bool, alone: bool, highlevel: Callable[..., Loader]
) -> None:
    """It may have made the contact, which the search does not show yet: less is sent only once that is known."""
    loader = highlevel(search_lag=3.0)
    action = "status_after_work" if made else "status"
    body = {"statusCode": 400, "message": "Request failed"}
    fault(loader, "POST", CREATES, action, status=400, body=body, nth=1)
    ids = ["patients/1"] if alone else [f"patients/{number}" for number in range(1, 5)]
    people = [person(one, "Ada", one, email=f"{one[-1]}@example.org") for one in ids]
    loaded = loader.load([*HEAD, *people], SEARCH_LAG_SECONDS="1")
    assert loaded.code == 0, loaded.log[-2000:]
    state = loader.sandbox.highlevel.state
    assert sorted(state.sources()["contacts"]) == ids
    assert len(state.contacts) == len(ids)


def test_a_firewall_that_dislikes_some_records_stops_nobody_else(highlevel: Callable[..., Loader]) -> None:
    """Its pages reject nothing: twelve contacts are put off though HighLevel answers, the rest arrives, and then they do."""
    loader = highlevel()
    fault(loader, "POST", CREATES, "html", status=403)
    people = [person(f"patients/{number}", "Ada", f"Elm {number}") for number in range(12)]
    service = record(
        "hl_services", "billable_items/1", service_name="Massage", source_system_id="billable_items/1"
    )
    blocked = loader.load([*HEAD, *schemas("billable_items"), *people, service])
    assert blocked.code == 1, blocked.log[-2000:]
    assert "12 records, because" in blocked.log.splitlines()[-1]
    assert blocked.report["totals"]["rejected"] == 0
    assert loader.sandbox.highlevel.state.sources()["custom_objects.cliniko_service"]
    loader.sandbox.highlevel.control.clear_faults()
    assert loader.load([*HEAD, *people]).code == 0
    assert len(loader.sandbox.highlevel.state.contacts) == 12


@pytest.mark.parametrize(("refused", "code"), [([2], 1), ([1, 2, 3], 3)])
def test_one_who_is_forbidden_stops_nobody_else(
    refused: list[int], code: int, highlevel: Callable[..., Loader]
) -> None:
    """Whoever is refused waits; what was never allowed is a matter of the token at the end of the run."""
    loader = highlevel()
    fault(loader, "POST", CREATES, "status", status=403, nth=refused)
    people = [person(f"patients/{number}", "Ada", f"Elm {number}") for number in range(3)]
    service = record(
        "hl_services", "billable_items/1", service_name="Massage", source_system_id="billable_items/1"
    )
    ended = loader.load([*HEAD, *schemas("billable_items"), *people, service])
    assert ended.code == code, ended.log[-2000:]
    assert ended.report["totals"]["rejected"] == 0
    assert len(loader.sandbox.highlevel.state.contacts) == 3 - len(refused)
    assert loader.sandbox.highlevel.state.sources()["custom_objects.cliniko_service"]
    loader.sandbox.highlevel.control.clear_faults()
    assert loader.load([*HEAD, *people]).code == 0
    assert len(loader.sandbox.highlevel.state.contacts) == 3
