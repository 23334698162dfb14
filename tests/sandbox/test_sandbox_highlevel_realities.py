"""What HighLevel may be: every switch of the sandbox shows the reality it stands for, over real HTTP."""

from __future__ import annotations

import re
import time
from typing import Any
from uuid import UUID

import pytest
import requests
from highlevel_server import HighLevelServer


def upload(highlevel: HighLevelServer, contact: str, field: str, *names: str) -> list[int]:
    """Send files one by one and return the statuses."""
    path = f"/forms/upload-custom-files?contactId={contact}&locationId={highlevel.location}"
    return [
        highlevel.send(
            "POST", path, files=[(f"{field}_{UUID(int=number)}", (name, name.encode(), "application/pdf"))]
        ).status_code
        for number, name in enumerate(names)
    ]


def files_of(highlevel: HighLevelServer, contact: str) -> dict[str, str]:
    """Return the addresses of a contact's files by their names."""
    fields = highlevel.call("GET", f"/contacts/{contact}")["contact"]["customFields"]
    return {entry["meta"]["originalname"]: entry["url"] for row in fields for entry in row["value"].values()}


@pytest.mark.parametrize(
    ("over", "statuses", "kept"),
    [
        ("refuse", [200, 400], ["a.pdf"]),
        ("replace", [200, 200], ["b.pdf"]),
        ("drop", [200, 200], ["a.pdf"]),
    ],
)
def test_a_field_that_takes_one_file(over: str, statuses: list[int], kept: list[str]) -> None:
    """It may be there already, made by hand; a second file is refused, or one of the two is lost in silence."""
    with HighLevelServer(file_over_limit=over) as highlevel:
        order = {"do": "add_contact_field", "id": "Cliniko files", "kind": "FILE_UPLOAD"}
        field = highlevel.state.mutate(order)["id"]
        listed = highlevel.call("GET", f"/locations/{highlevel.location}/customFields")["customFields"]
        assert [(row["id"], row["isMultiFileAllowed"]) for row in listed] == [(field, False)]
        contact = highlevel.contact(firstName="Ada")["id"]
        assert upload(highlevel, contact, field, "a.pdf", "b.pdf") == statuses
        assert list(files_of(highlevel, contact)) == kept


def test_one_address_is_refused_however_well_formed() -> None:
    """Only that of one patient; without it the contact can be made."""
    with HighLevelServer(refused_addresses=["ada@", "+6125550"]) as highlevel:
        body = {"locationId": highlevel.location, "firstName": "Ada", "email": "ada@example.org"}
        refused = highlevel.call("POST", "/contacts/", body, status=422)
        assert refused["message"] == ["email must be an email"]
        phone = {"locationId": highlevel.location, "phone": "+61255501234"}
        assert "phone" in highlevel.call("POST", "/contacts/", phone, status=422)["message"][0]
        made = highlevel.contact(firstName="Ada", email="ben@example.org")
        highlevel.call("PUT", f"/contacts/{made['id']}", {"email": "ada@example.org"}, status=422)
        assert len(highlevel.state.contacts) == 1


@pytest.mark.parametrize("status", [400, 403, 405])
def test_a_firewall_answers_a_page_some_times(status: int) -> None:
    """HTML instead of JSON, so many times, and nothing is done."""
    with HighLevelServer() as highlevel:
        page = {"match": {"method": "POST"}, "action": "html", "status": status, "times": 2}
        highlevel.control.add_fault(page)
        for _ in range(2):
            answer = highlevel.send("POST", "/contacts/", json={"locationId": highlevel.location})
            assert (answer.status_code, answer.headers["Content-Type"]) == (status, "text/html")
        assert highlevel.state.contacts == {}
        highlevel.contact(firstName="Ada")


def one_document(highlevel: HighLevelServer) -> str:
    """Upload a file and return its address."""
    contact = highlevel.contact(firstName="Ada")["id"]
    field = highlevel.field("Cliniko files", "FILE_UPLOAD", isMultipleFile=True, maxNumberOfFiles=5)
    assert upload(highlevel, contact, field, "a.pdf") == [200]
    return files_of(highlevel, contact)["a.pdf"]


@pytest.mark.parametrize(
    ("served", "bare", "token", "version"),
    [
        ("token", 401, b"a.pdf", b"a.pdf"),
        ("open", b"a.pdf", b"a.pdf", b"a.pdf"),
        ("version", 401, 401, b"a.pdf"),
        ("other_host", b"a.pdf", b"a.pdf", b"a.pdf"),
    ],
)
def test_documents_are_served_in_several_ways(served: str, bare: Any, token: Any, version: Any) -> None:
    """To nobody in particular, to a token, to a token beside a version, or by another host."""
    with HighLevelServer(documents=served) as highlevel:
        url = one_document(highlevel)
        authorized = {"Authorization": f"Bearer {highlevel.state.access_token}"}
        for expected, headers in (
            (bare, {}),
            (token, authorized),
            (version, {**authorized, "Version": "2021-07-28"}),
        ):
            answer = requests.get(url, headers=headers, timeout=10)
            assert (answer.content if isinstance(expected, bytes) else answer.status_code) == expected
        assert url.startswith(highlevel.server.origin) == (served != "other_host")
        assert ("token_elsewhere" in highlevel.violations) == (served == "other_host")


def test_documents_may_want_a_login_and_single_ones_fail_for_ever() -> None:
    """A page instead of the bytes with a 200; or a status that one document always answers."""
    with HighLevelServer(documents="login") as highlevel:
        url = one_document(highlevel)
        answer = requests.get(url, headers={"Authorization": "x"}, timeout=10)
        assert (answer.status_code, answer.headers["Content-Type"]) == (200, "text/html")
        for status in (401, 403, 500):
            highlevel.state.options.documents = "open"
            highlevel.state.options.document_failures = {"a.pdf": status}
            assert requests.get(url, timeout=10).status_code == status


def test_countries_are_filled_in_or_left_out() -> None:
    """A new contact gets one of HighLevel's choosing, another country stays; one that is not listed is lost."""
    with HighLevelServer(country_fill="US", unlisted_country="blank") as highlevel:
        assert highlevel.contact(firstName="Ada")["country"] == "US"
        assert highlevel.contact(firstName="Ben", country="AU")["country"] == "AU"
        assert (
            "country"
            not in highlevel.call(
                "PUT", f"/contacts/{highlevel.contact(firstName='Cy')['id']}", {"country": "Atlantis"}
            )["contact"]
        )


def test_a_deleted_user_is_listed_and_owns_nothing() -> None:
    """The list carries `deleted`; as an owner such a user is refused, or taken where a switch says so."""
    users = [{"email": "gone@example.org", "first_name": "Gone", "last_name": "Away", "deleted": True}]
    with HighLevelServer(users=users) as highlevel:
        listed = highlevel.call("GET", f"/users/?locationId={highlevel.location}")["users"]
        (gone,) = [user["id"] for user in listed if user["deleted"]]
        body = {"locationId": highlevel.location, "assignedTo": gone}
        highlevel.call("POST", "/contacts/", body, status=422)
        highlevel.state.options.assign_deleted_user = "accept"
        highlevel.call("POST", "/contacts/", body, status=201)


def test_names_come_back_in_lower_case() -> None:
    """Beside them as they were written, in every answer that shows a contact."""
    with HighLevelServer(shapes={"lowercase_names"}) as highlevel:
        made = highlevel.contact(firstName="Ada", lastName="McDonald")
        (found,) = highlevel.search()["contacts"]
        for shown in (made, found, highlevel.call("GET", f"/contacts/{made['id']}")["contact"]):
            assert [shown[name] for name in ("firstName", "firstNameRaw", "lastName", "lastNameRaw")] == [
                "ada",
                "Ada",
                "mcdonald",
                "McDonald",
            ]


def test_a_missing_event_has_two_words() -> None:
    """404, or the 400 that was once recorded."""
    with HighLevelServer() as highlevel:
        path = "/calendars/events/appointments/gone"
        highlevel.call("GET", path, status=404)
        highlevel.state.options.missing_event = "invalid_id"
        answer = highlevel.call("GET", path, status=400)
        assert answer["message"] == "The event id is invalid"


@pytest.mark.parametrize("body", [{}, [], {"contact": {"id": None}}], ids=str)
@pytest.mark.parametrize("action", ["status", "status_after_work"])
def test_a_success_says_nothing(action: str, body: Any) -> None:
    """A 201 whose body is empty or names no id, whether or not the contact was made."""
    with HighLevelServer() as highlevel:
        highlevel.control.add_fault({"action": action, "status": 201, "body": body, "times": 1})
        assert highlevel.call("POST", "/contacts/", {"locationId": highlevel.location}, status=201) == body
        assert len(highlevel.state.contacts) == (action == "status_after_work")


@pytest.mark.parametrize("outlive", [True, False])
@pytest.mark.parametrize("end", ["contact", "record"])
def test_relations_outlive_their_ends_or_go_with_them(end: str, *, outlive: bool) -> None:
    """Whichever end is deleted, they are still listed, and can be removed."""
    with HighLevelServer(relations_outlive=outlive) as highlevel:
        at, key = highlevel.location, highlevel.custom_object("invoice")
        labels = {"firstObjectLabel": "Patient", "secondObjectLabel": "Invoice"}
        body = {"locationId": at, "key": "a", "firstObjectKey": "contact", "secondObjectKey": key, **labels}
        association = highlevel.call("POST", "/associations/", body)["id"]
        contact, record = highlevel.contact(firstName="Ada")["id"], highlevel.record(key, name="x")
        pair = {
            "locationId": at,
            "associationId": association,
            "firstRecordId": contact,
            "secondRecordId": record,
        }
        highlevel.call("POST", "/associations/relations", pair)
        gone, left = (contact, record) if end == "contact" else (record, contact)
        highlevel.call(
            "DELETE", f"/contacts/{gone}" if end == "contact" else f"/objects/{key}/records/{gone}"
        )
        for one in (gone, left):
            rows = highlevel.call("GET", f"/associations/relations/{one}?locationId={at}&skip=0&limit=10")
            assert len(rows["relations"]) == outlive
        if outlive:
            identity = rows["relations"][0]["id"]
            highlevel.call("DELETE", f"/associations/relations/{identity}?locationId={at}")
            assert highlevel.state.relations == {}


def test_a_relation_made_again_or_the_other_way_round() -> None:
    """By default both are refused; a platform may answer the one that is there, and put the ends right."""
    with HighLevelServer(relation_again="same", swapped_relation="accept") as highlevel:
        at, key = highlevel.location, highlevel.custom_object("invoice")
        labels = {"firstObjectLabel": "Patient", "secondObjectLabel": "Invoice"}
        body = {"locationId": at, "key": "a", "firstObjectKey": "contact", "secondObjectKey": key, **labels}
        pair = {"locationId": at, "associationId": highlevel.call("POST", "/associations/", body)["id"]}
        contact, record = highlevel.contact(firstName="Ada")["id"], highlevel.record(key, name="x")
        made = [
            highlevel.call(
                "POST",
                "/associations/relations",
                {**pair, "firstRecordId": first, "secondRecordId": second},
                status=201,
            )
            for first, second in ((contact, record), (record, contact))
        ]
        assert {row["id"] for row in made} == set(highlevel.state.relations)
        assert {row["firstRecordId"] for row in made} == {contact}
        highlevel.state.options.relation_again = "refuse"
        again = {**pair, "firstRecordId": contact, "secondRecordId": record}
        assert (
            "duplicate relation"
            in highlevel.call("POST", "/associations/relations", again, status=400)["message"]
        )


def test_a_patient_who_texts_stop_is_not_reached_again() -> None:
    """The channel is closed for good; a write changes nothing of it, or opens it where a switch says so."""
    with HighLevelServer() as highlevel:
        contact = str(highlevel.contact(firstName="Ada")["id"])
        highlevel.state.mutate({"do": "close_channel", "id": contact, "channel": "SMS"})
        opened = {"dndSettings": {"SMS": {"status": "inactive"}, "Email": {"status": "active"}}}
        for behaviour, status in (("keep", "permanent"), ("reopen", "inactive")):
            highlevel.state.options.permanent_dnd = behaviour
            shown = highlevel.call("PUT", f"/contacts/{contact}", opened)["contact"]["dndSettings"]
            assert (shown["SMS"]["status"], shown["Email"]["status"]) == (status, "active")


@pytest.mark.parametrize(
    ("clears", "by_null", "by_text"), [("both", 0, 0), ("null", 0, 1), ("text", 1, 0)], ids=str
)
def test_a_custom_field_is_cleared_by_one_empty_value_or_both(
    clears: str, by_null: int, by_text: int
) -> None:
    """The other one leaves it as it is."""
    with HighLevelServer(empty_clears=clears) as highlevel:
        field = highlevel.field("Fund")
        for empty, left in ((None, by_null), ("", by_text)):
            full = [{"id": field, "field_value": "Bupa"}]
            path = f"/contacts/{highlevel.contact(customFields=full)['id']}"
            highlevel.call("PUT", path, {"customFields": [{"id": field, "field_value": empty}]})
            assert len(highlevel.call("GET", path)["contact"]["customFields"]) == left


def test_longer_texts_may_be_cut() -> None:
    """Whatever is too long is accepted, and only its beginning is there."""
    limits = {"text_limit": 10, "note_limit": 10, "line_limit": 10}
    with HighLevelServer(longer_texts="cut", **limits) as highlevel:
        long = "0123456789x"
        field = highlevel.field("History", "LARGE_TEXT")
        values = [{"id": field, "field_value": long}]
        contact = highlevel.contact(firstName=long, customFields=values)["id"]
        there = highlevel.call("GET", f"/contacts/{contact}")["contact"]
        assert there["firstName"] == there["customFields"][0]["value"] == long[:10]
        note = highlevel.call("POST", f"/contacts/{contact}/notes", {"body": long})["note"]
        assert note["body"] == long[:10]


def test_texts_have_limits_and_loose_what_looks_like_markup() -> None:
    """Each kind of text its own limit; notes come back in another order, without their title."""
    limits = {"text_limit": 10, "task_limit": 10, "description_limit": 10, "options_limit": 2}
    options = {"newest_notes_first": True, "note_extras": "drop", "shapes": {"plain_texts"}}
    with HighLevelServer(**limits, **options) as highlevel:
        at, field = highlevel.location, highlevel.field("History", "LARGE_TEXT")
        long = "x" * 11
        body = {"locationId": at, "customFields": [{"id": field, "field_value": long}]}
        highlevel.call("POST", "/contacts/", body, status=422)
        contact = highlevel.contact(firstName="Ada")["id"]
        task = {"title": "x", "dueDate": "2020-01-01T00:00:00Z", "completed": True, "body": long}
        highlevel.call("POST", f"/contacts/{contact}/tasks", task, status=422)
        calendar = highlevel.call("POST", "/calendars/", {"locationId": at, "name": "c"})["calendar"]["id"]
        visit = {
            "locationId": at,
            "calendarId": calendar,
            "contactId": contact,
            "startTime": "2020-01-01T00:00:00Z",
            "ignoreFreeSlotValidation": True,
            "ignoreDateRange": True,
            "toNotify": False,
        }
        path = "/calendars/events/appointments"
        highlevel.call("POST", path, {**visit, "description": long}, status=422)
        highlevel.state.options.past_appointments = "refuse"
        highlevel.call("POST", path, visit, status=400)
        highlevel.state.options.past_appointments = "accept"
        highlevel.state.options.appointment_needs_user = True
        highlevel.call("POST", path, visit, status=422)
        fields = f"/locations/{at}/customFields"
        choice = {"name": "Fund", "dataType": "RADIO", "model": "contact", "options": ["a", "b", "c"]}
        highlevel.call("POST", fields, choice, status=400)
        for text in ("first", "a <b>second</b>"):
            highlevel.call("POST", f"/contacts/{contact}/notes", {"body": text, "title": "t", "pinned": True})
        notes = highlevel.call("GET", f"/contacts/{contact}/notes")["notes"]
        assert [note["body"] for note in notes] == ["a second", "first"]
        assert not any("title" in note or note["pinned"] for note in notes)


def test_parts_of_the_api_may_be_closed() -> None:
    """To everybody, with a status of their own; or one method of them."""
    closed = {"/customValues": 401, "/block-slots": 403, "POST /customFields": 401}
    with HighLevelServer(closed=closed) as highlevel:
        highlevel.call("GET", f"/locations/{highlevel.location}/customValues", status=401)
        highlevel.call("POST", f"/locations/{highlevel.location}/customFields", {}, status=401)
        highlevel.call("GET", f"/locations/{highlevel.location}/customFields")
        highlevel.call("POST", "/calendars/events/block-slots", {}, status=403)
        highlevel.call("GET", f"/locations/{highlevel.location}")


def test_the_day_begins_anew_at_midnight_of_its_zone() -> None:
    """The allowance is spent in UTC's day and back at Sydney's midnight."""
    with HighLevelServer(daily_limit=1, day_zone="Australia/Sydney") as highlevel:
        path = f"/locations/{highlevel.location}"
        highlevel.clock.at = 1_780_063_199.0  # 2026-05-29 23:59:59 in Sydney
        assert [highlevel.send("GET", path).status_code for _ in range(2)] == [200, 429]
        highlevel.clock.at += 1
        assert highlevel.send("GET", path).status_code == 200


def test_an_answer_drips() -> None:
    """It comes complete, byte by byte; a client that goes ends it."""
    with HighLevelServer() as highlevel:
        highlevel.control.add_fault({"action": "drip", "delay": 0.0001, "times": 1})
        assert highlevel.contact(firstName="Ada")["firstName"] == "Ada"
        highlevel.control.add_fault({"action": "drip", "delay": 600})
        with pytest.raises(requests.ConnectionError):
            requests.get(highlevel.server.origin + "/contacts/x", timeout=0.2).json()
        deadline = time.monotonic() + 10
        while highlevel.control.in_flight and time.monotonic() < deadline:
            time.sleep(0.01)
        assert highlevel.control.in_flight == 0


@pytest.mark.parametrize("action", ["flood", "gzip_bomb"])
def test_an_answer_is_larger_than_any_memory(action: str) -> None:
    """So many bytes arrive; a bomb has them from a thousandth of that on the wire."""
    with HighLevelServer() as highlevel:
        size = 20 * 1024 * 1024
        highlevel.control.add_fault({"action": action, "size": size})
        answer = requests.get(highlevel.server.origin + "/contacts/x", timeout=10, stream=True)
        wire = len(answer.raw.read(decode_content=False))
        assert wire == size if action == "flood" else wire < size / 500
        content = requests.get(highlevel.server.origin + "/contacts/x", timeout=10).content
        assert len(content) == size
        assert re.fullmatch(rb" +", content[:100])


def test_whole_keys_of_a_record_that_only_the_search_still_shows() -> None:
    """A search that lags shows what was deleted, in the other shape as well."""
    with HighLevelServer(search_lag=2, shapes={"whole_property_keys"}) as highlevel:
        key = highlevel.custom_object("invoice")
        record = highlevel.record(key, name="x")
        highlevel.clock.at += 2
        highlevel.call("DELETE", f"/objects/{key}/records/{record}")
        body = {"locationId": highlevel.location, "pageLimit": 3}
        (found,) = highlevel.call("POST", f"/objects/{key}/records/search", body)["records"]
        assert found["properties"] == {f"{key}.name": "x"}
