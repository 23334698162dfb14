"""What shows that a person works with a contact, custom values, blocked slots and pipelines of the sandbox."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from highlevel_server import HighLevelServer

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def highlevel() -> Iterator[HighLevelServer]:
    """A server without lag and with a limit that no test reaches."""
    with HighLevelServer() as server:
        yield server


def of(highlevel: HighLevelServer, contact: str) -> dict[str, int]:
    """Count what the readers show of a contact."""
    at = highlevel.location
    money = f"altId={at}&contactId={contact}"
    questions = {
        "opportunities": f"/opportunities/search?location_id={at}&contact_id={contact}",
        "conversations": f"/conversations/search?locationId={at}&contactId={contact}",
        "submissions": f"/forms/submissions?locationId={at}&q={contact}",
        "payments": f"/payments/transactions?{money}&altType=location",
        "orders": f"/payments/orders?{money}",
        "invoices": f"/invoices/?{money}&altType=location&limit=10&offset=0",
    }
    envelope = {"payments": "data", "orders": "data"}
    return {
        name: len(highlevel.call("GET", path)[envelope.get(name, name)]) for name, path in questions.items()
    }


def test_every_sign_of_work_is_found_by_its_contact(highlevel: HighLevelServer) -> None:
    """What staff or the patient did shows at that contact alone, also when another process orders it."""
    worked_with, left_alone = (str(highlevel.contact(firstName=name)["id"]) for name in ("Ada", "Ben"))
    orders = {
        "opportunities": "add_opportunity",
        "conversations": "add_conversation",
        "submissions": "add_submission",
        "payments": "add_payment",
        "orders": "add_order",
        "invoices": "add_invoice",
    }
    for number, verb in enumerate(orders.values(), start=1):
        highlevel.state.mutate({"do": verb, "id": worked_with})
        assert sum(of(highlevel, worked_with).values()) == number
    assert set(of(highlevel, left_alone).values()) == {0}
    assert highlevel.violations == []


def test_looking_at_conversations_is_allowed_and_writing_is_not(highlevel: HighLevelServer) -> None:
    """The messages of a conversation stay a tripwire."""
    body = {"type": "SMS", "contactId": highlevel.contact(firstName="Ada")["id"], "message": "Hello"}
    highlevel.call("POST", "/conversations/messages", body, status=404)
    assert highlevel.violations == ["message"]


def test_a_contact_has_one_opportunity_in_a_pipeline(highlevel: HighLevelServer) -> None:
    """A second one is refused and named, a stage of another pipeline as well; the contact takes its own along."""
    contact = str(highlevel.contact(firstName="Ada")["id"])
    recalls = highlevel.state.staff.add_pipeline("Recalls", ("New", "Booked"))
    sales = highlevel.state.staff.add_pipeline("Sales", ("Lead",))
    body: dict[str, Any] = {
        "locationId": highlevel.location,
        "pipelineId": recalls["id"],
        "name": "Ada",
        "status": "open",
        "contactId": contact,
    }
    made = highlevel.call("POST", "/opportunities/", body, status=201)["opportunity"]
    assert made["pipelineStageId"] == recalls["stages"][0]["id"]
    refused = highlevel.call("POST", "/opportunities/", body, status=400)
    assert (refused["message"], refused["meta"]) == ("OPPORTUNITY_NO_DUPLICATE", {"existingId": made["id"]})
    path = f"/opportunities/{made['id']}"
    highlevel.call("PUT", path, {"pipelineStageId": sales["stages"][0]["id"]}, status=400)
    highlevel.call("PUT", path, {"locationId": highlevel.location}, status=422)
    moved = highlevel.call("PUT", path, {"pipelineStageId": recalls["stages"][1]["id"]})["opportunity"]
    assert moved["pipelineStageId"] == recalls["stages"][1]["id"]
    highlevel.state.mutate({"do": "set_option", "id": "allow_duplicate_opportunities", "value": True})
    highlevel.call("POST", "/opportunities/", body, status=201)
    highlevel.call("DELETE", f"/contacts/{contact}")
    highlevel.call("GET", path, status=404)


def test_the_search_for_opportunities_lags() -> None:
    """One made through the API shows some seconds later."""
    with HighLevelServer(search_lag=3) as highlevel:
        contact = str(highlevel.contact(firstName="Ada")["id"])
        pipeline = highlevel.state.staff.add_pipeline("Recalls", ("New",))
        body = {
            "locationId": highlevel.location,
            "pipelineId": pipeline["id"],
            "name": "Ada",
            "status": "open",
        }
        highlevel.call("POST", "/opportunities/", {**body, "contactId": contact}, status=201)
        assert of(highlevel, contact)["opportunities"] == 0
        highlevel.clock.at += 3
        assert of(highlevel, contact)["opportunities"] == 1


def test_custom_values_have_unique_names_and_scopes_of_their_own() -> None:
    """A text under a name; the same name a second time is refused; another scope does not open them."""
    with HighLevelServer() as highlevel:
        path = f"/locations/{highlevel.location}/customValues"
        made = highlevel.call("POST", path, {"name": "Ledger mark", "value": "a"}, status=201)["customValue"]
        assert made["fieldKey"] == "{{ custom_values.ledger_mark }}"
        highlevel.call("POST", path, {"name": "Ledger mark", "value": "b"}, status=400)
        highlevel.call("PUT", f"{path}/{made['id']}", {"value": "b"}, status=422)
        highlevel.call("PUT", f"{path}/{made['id']}", {"name": "Ledger mark", "value": "b"})
        assert [row["value"] for row in highlevel.call("GET", path)["customValues"]] == ["b"]
        highlevel.call("DELETE", f"{path}/{made['id']}")
        highlevel.call("GET", f"{path}/{made['id']}", status=404)
    with HighLevelServer(scopes={"locations.readonly"}) as highlevel:
        highlevel.call("GET", f"/locations/{highlevel.location}/customValues", status=401)


def test_time_is_blocked_for_a_user_or_a_calendar(highlevel: HighLevelServer) -> None:
    """Exactly one of the two; the reader finds slots that overlap the span, of that user only."""
    at, (user, other) = highlevel.location, (*highlevel.state.users, "nobody")[:2]
    calendar = highlevel.call("POST", "/calendars/", {"locationId": at, "name": "c"})["calendar"]["id"]
    path = "/calendars/events/block-slots"
    span = {"startTime": "2027-01-04T09:00:00Z", "endTime": "2027-01-04T17:00:00Z"}
    slot = {"locationId": at, "assignedUserId": user, "title": "Leave", **span}
    made = highlevel.call("POST", path, slot, status=201)["id"]
    highlevel.call("POST", path, {**slot, "calendarId": calendar}, status=422)
    highlevel.call("POST", path, {"locationId": at, **span}, status=422)
    highlevel.call("POST", path, {**slot, "endTime": span["startTime"]}, status=422)
    highlevel.call("PUT", f"{path}/{made}", {"locationId": at, "calendarId": calendar}, status=201)

    def listed(**query: Any) -> list[str]:
        asked = "&".join(f"{name}={value}" for name, value in query.items())
        window = "startTime=1799053200000&endTime=1799056800000"
        rows = highlevel.call("GET", f"/calendars/blocked-slots?locationId={at}&{window}&{asked}")["events"]
        return [row["id"] for row in rows]

    assert listed(calendarId=calendar) == [made]
    assert listed(userId=user) == listed(userId=other) == []
    highlevel.call("DELETE", f"/calendars/events/{made}", {}, status=201)
    assert listed(calendarId=calendar) == []
