"""Changes to the account while it is read."""

from __future__ import annotations

import random
from typing import Any

import pytest
import requests
from cliniko_server import ClinikoServer

from sandbox.cliniko.changes import random_change

PLENTY = 300


def first(server: ClinikoServer, resource: str, *filters: str) -> dict[str, Any]:
    """Return the first visible record of a list."""
    return server.rows(resource, *filters)[0]


def test_a_change_moves_updated_at() -> None:
    """An update is in the window of now and shows its new values."""
    with ClinikoServer() as server:
        patient = first(server, "patients")
        server.account.update("patients", patient["id"], {"email": "new@example.org", "notes": None})
        (changed,) = server.rows("patients", "email:=new@example.org")
        assert changed["id"] == patient["id"]
        assert changed["updated_at"] > patient["updated_at"]
        assert (changed["notes"], changed["created_at"]) == (None, patient["created_at"])


@pytest.mark.parametrize("bumps", [True, False])
def test_hiding_moves_updated_at_or_not(*, bumps: bool) -> None:
    """Whether archiving, cancelling and deleting bump updated_at is unknown, so a switch decides."""
    with ClinikoServer(hiding_bumps_updated_at=bumps) as server:
        account = server.account
        alert = first(server, "medical_alerts")
        assert (account.archive("medical_alerts", alert["id"])["updated_at"] > alert["updated_at"]) is bumps
        visit = first(server, "individual_appointments")
        assert (
            account.cancel("individual_appointments", visit["id"])["updated_at"] > visit["updated_at"]
        ) is bumps
        assert server.get(f"medical_alerts/{alert['id']}").status_code == 404


def test_cancelling_an_appointment_cancels_its_attendee() -> None:
    """Both carry the reason; taking the cancellation back clears both."""
    with ClinikoServer() as server:
        visit = first(server, "individual_appointments")
        server.account.cancel("individual_appointments", visit["id"], reason=30, note="Felt unwell")
        (attendee,) = server.rows(
            "attendees", f"booking_id:={visit['id']}", "cancelled_at:?", "archived_at:*"
        )
        assert (attendee["cancellation_reason"], attendee["cancellation_reason_description"]) == (30, "Sick")
        server.account.uncancel("individual_appointments", visit["id"])
        assert server.get(f"individual_appointments/{visit['id']}").json()["cancellation_note"] is None


@pytest.mark.parametrize("bumps", [True, False])
def test_a_merge_archives_the_loser_and_moves_its_children(*, bumps: bool) -> None:
    """The survivor has everything afterwards; whether the children's updated_at moves is a switch."""
    with ClinikoServer(merging_bumps_children=bumps) as server:
        note = first(server, "treatment_notes")
        loser = server.account.tables["treatment_notes"][note["id"]]["patient_id"]
        survivor = next(one["id"] for one in server.rows("patients") if one["id"] != loser)
        server.account.merge(loser, survivor)
        merged = server.get(f"patients/{loser}", "archived_at:*").json()
        assert merged["archived_at"] == merged["merged_at"] == merged["updated_at"]
        assert (
            merged["merged_with_patient"]["links"]["self"].partition("?")[0].endswith(f"/patients/{survivor}")
        )
        for resource in ("treatment_notes", "attendees", "invoices", "individual_appointments"):
            hidden = [f"{column}:*" for column in ("archived_at", "deleted_at")]
            assert server.rows(resource, f"patient_id:={loser}", *hidden) == []
        moved = server.get(f"treatment_notes/{note['id']}").json()
        assert (moved["updated_at"] > note["updated_at"]) is bumps
        groups = server.rows("group_appointments", f"patient_ids:~{loser}", "archived_at:*", "deleted_at:*")
        assert groups == []


def test_a_hard_delete_leaves_no_trace() -> None:
    """A deleted patient takes along what hangs on it; no filter brings anything back."""
    with ClinikoServer() as server:
        note = first(server, "treatment_notes")
        patient = server.account.tables["treatment_notes"][note["id"]]["patient_id"]
        server.account.delete("patients", patient)
        assert server.get(f"patients/{patient}", "archived_at:*").status_code == 404
        for resource in ("treatment_notes", "attendees", "invoices", "medical_alerts"):
            everything = ("archived_at:*", "deleted_at:*")
            assert server.rows(resource, f"patient_id:={patient}", *everything) == []


def test_another_process_changes_the_account_over_http() -> None:
    """`/_sandbox/mutate` takes one change or several, and refuses what it does not know."""
    with ClinikoServer() as server:
        url = f"{server.origin}/_sandbox/mutate"
        patient = first(server, "patients")["id"]
        changes = [
            {"op": "update", "resource": "patients", "id": patient, "values": {"notes": "hello"}},
            {"op": "insert", "resource": "medical_alerts", "values": {"name": "New", "patient_id": patient}},
            {"op": "archive", "resource": "patients", "id": patient},
        ]
        made = requests.post(url, json=changes, timeout=10).json()
        assert [row.get("notes") for row in made] == ["hello", None, "hello"]
        assert first(server, "medical_alerts", f"id:={made[1]['id']}")["name"] == "New"
        unknown = {"op": "update", "resource": "patients", "id": patient, "values": {"nonsense": 1}}
        answer = requests.post(url, json=unknown, timeout=10)
        assert answer.status_code == 400
        assert "nonsense" in answer.json()["message"]
        assert (
            requests.post(
                url, json={"op": "explode", "resource": "patients", "id": "1"}, timeout=10
            ).status_code
            == 400
        )
        dump = requests.get(f"{server.origin}/_sandbox/dump", timeout=10).json()
        assert dump["patients"][patient]["notes"] == "hello"


def test_chance_makes_every_kind_of_change_and_repeats_itself() -> None:
    """The same seed changes the same clinic in the same way, and keeps it readable."""
    histories = []
    for _ in range(2):
        with ClinikoServer() as server:
            rng = random.Random(7)  # noqa: S311 - repeatable chance
            account = server.account
            account.clock = lambda: 1_790_000_000.0
            histories.append([random_change(account, rng) for _ in range(PLENTY)])
            for resource in ("patients", "attendees", "invoices", "group_appointments"):
                assert {one["id"] for one in server.every(resource)} == set(account.tables[resource])
    assert histories[0] == histories[1]
    kinds = {change["op"] for change in histories[0]}
    assert kinds == {"update", "archive", "unarchive", "cancel", "uncancel", "merge", "insert", "delete"}


def test_paging_by_number_loses_rows_that_keyset_reading_keeps() -> None:
    """A row changed between two pages sorted by updated_at shifts another one away, unseen."""
    with ClinikoServer(unstable_ties=False) as server:
        account = server.account
        expected = set(account.tables["attendees"])
        reveal = ("archived_at:*", "cancelled_at:*", "deleted_at:*")
        rng = random.Random(1)  # noqa: S311 - repeatable chance

        def touch(n: int, _request: object) -> None:
            identity = rng.choice(seen) if seen else None
            if identity and n:
                account.update("attendees", identity, {"notes": f"{n}"})

        seen: list[str] = []
        server.control.before_request(touch)
        page = 1
        while rows := server.rows("attendees", *reveal, sort="updated_at", per_page=20, page=page):
            seen += [one["id"] for one in rows]
            page += 1
        assert expected - set(seen)
        kept: list[str] = []
        while rows := server.rows(
            "attendees", *reveal, f"id:>{kept[-1] if kept else 0}", sort="id", per_page=20
        ):
            kept += [one["id"] for one in rows]
        assert set(kept) == expected
