"""What would stop a load is told by the plan, and stops the load before anything is written."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hl_mapped import schemas

if TYPE_CHECKING:
    from collections.abc import Callable

    from hl_loading import Clinic, Loaded, Loader

#: Every scope of the sub-account's token but the one to read users.
_WITHOUT_USERS = frozenset(
    {
        "contacts.readonly", "contacts.write", "locations.readonly", "locations/customFields.readonly",
        "locations/customFields.write", "objects/schema.readonly", "objects/schema.write",
        "objects/record.readonly", "objects/record.write", "associations.readonly", "associations.write",
        "associations/relation.readonly", "associations/relation.write",
    }
)  # fmt: skip


def last_line(loaded: Loaded) -> str:
    """Return the line that says how a run ended."""
    return loaded.log.rstrip().splitlines()[-1]


def writes(loader: Loader) -> int:
    """Return how many writes HighLevel has seen."""
    seen: int = loader.sandbox.highlevel.control.stats()["writes"]
    return seen


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (
            {"AGENCY_TOKEN": ""},
            ["TARGET_HIGHLEVEL_AGENCY_TOKEN", "cliniko_patient_profile", "cliniko_invoice"],
        ),
        ({"FALLBACK_OWNER": "nobody@example.org"}, ["TARGET_HIGHLEVEL_FALLBACK_OWNER", "no user"]),
        (
            {"APPOINTMENTS_AS": "calendar_event", "CALENDAR_ID": "nobody0knows0this000"},
            ["TARGET_HIGHLEVEL_CALENDAR_ID", "no calendar"],
        ),
        (
            {"AGENCY_TOKEN": "", "FALLBACK_OWNER": ""},
            ["TARGET_HIGHLEVEL_AGENCY_TOKEN", "TARGET_HIGHLEVEL_FALLBACK_OWNER"],
        ),
    ],
    ids=["agency token", "unknown fallback", "unknown calendar", "both"],
)
def test_what_would_stop_a_load_is_planned_and_stops_it(
    settings: dict[str, str], words: list[str], small_clinic: Clinic, highlevel: Callable[..., Loader]
) -> None:
    """The plan ends with 0 and names everything; the load ends with 2, names the same and writes nothing."""
    loader = highlevel(empty=True)
    plan = loader.load(small_clinic.lines, MODE="plan", **settings)
    load = loader.load(small_clinic.lines, **settings)
    assert (plan.code, load.code) == (0, 2), plan.log[-2000:] + load.log[-2000:]
    blockers = "; ".join(plan.report["plan"]["blockers"])
    for text in (blockers, last_line(plan), last_line(load)):
        assert [word for word in words if word not in text] == []
    assert plan.report["to_do"][0]["section"] == "blockers"
    assert plan.report["verdict"]["tone"] == "attention"
    assert writes(loader) == 0


def test_a_location_that_cannot_be_reached_is_planned_as_a_blocker(
    small_clinic: Clinic, highlevel: Callable[..., Loader]
) -> None:
    """The account is audited all the same; the load refuses, as with any refused credentials."""
    loader = highlevel(empty=True)
    plan = loader.load(small_clinic.lines, MODE="plan", LOCATION_ID="nowhere0000000000000")
    assert plan.code == 0, plan.log[-2000:]
    assert any("location_id" in item for item in plan.report["plan"]["blockers"])
    assert plan.report["plan"]["account"]["rows"]["patients"] > 0
    assert plan.report["totals"]["created"] > 0
    load = loader.load(small_clinic.lines, LOCATION_ID="nowhere0000000000000")
    assert load.code == 3
    assert writes(loader) == 0


def test_a_token_that_is_not_accepted_ends_the_plan(highlevel: Callable[..., Loader]) -> None:
    """Nothing of the sub-account can be read, so there is nothing to plan from: one line says so, once."""
    loader = highlevel(empty=True)
    plan = loader.load(schemas("patients"), MODE="plan", ACCESS_TOKEN="pit-wrong")
    assert plan.code == 3, plan.log[-2000:]
    assert last_line(plan).count("HTTP 401") == 1
    assert loader.tool("approve").returncode == 2


def test_a_missing_scope_is_planned_as_a_blocker(
    small_clinic: Clinic, highlevel: Callable[..., Loader]
) -> None:
    """A token that may not read users stops a load, and the plan says which scope is missing."""
    loader = highlevel(scopes=_WITHOUT_USERS)
    plan = loader.load(small_clinic.lines, MODE="plan")
    assert plan.code == 0, plan.log[-2000:]
    assert any("users.readonly" in item for item in plan.report["plan"]["blockers"])
    workflows = next(
        item for item in plan.report["plan"]["settings_to_check"] if item["setting"] == "workflows"
    )
    assert "workflows.readonly" in workflows["found"]
    assert writes(loader) == 0


def test_a_full_sub_account_stops_the_load_before_its_first_write(
    small_clinic: Clinic, highlevel: Callable[..., Loader]
) -> None:
    """Where ten custom objects leave no room for ours, nothing is begun."""
    loader = highlevel(object_limit=4)
    for number in range(6):
        create_object(loader, number)
    before = writes(loader)
    plan = loader.load(small_clinic.lines, MODE="plan")
    load = loader.load(small_clinic.lines)
    assert (plan.code, load.code) == (0, 2)
    assert "6 of 10" in last_line(load)
    assert plan.report["plan"]["blockers"]
    assert writes(loader) == before


def create_object(loader: Loader, number: int) -> None:
    """Put a custom object of the clinic's own into the sub-account."""
    account = loader.sandbox.highlevel.state.main
    key = f"custom_objects.own_{number}"
    account.objects[key] = {
        "id": f"own-{number}",
        "key": key,
        "labels": {"singular": "Own", "plural": "Own"},
        "locationId": account.id,
        "primaryDisplayProperty": f"{key}.name",
        "searchableProperties": [],
    }
