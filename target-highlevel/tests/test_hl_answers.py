"""What HighLevel may answer in place of what is described: other envelopes, other pages, other words for one refusal."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

import pytest
from hl_http_server import HighLevelServer, Reply

from target_highlevel.api import paging
from target_highlevel.api.answers import AnswerNotUnderstood
from target_highlevel.api.contacts import custom_values
from target_highlevel.api.live import LiveHighLevel
from target_highlevel.errors import DuplicateContact, NotFound, Refused
from target_highlevel.http.classify import Answer, Sent, judge
from target_highlevel.http.client import HighLevelClient
from target_highlevel.http.governor import Governor, Limits
from target_highlevel.http.tokens import PrivateToken
from target_highlevel.objects.base import Rejected
from target_highlevel.objects.file import entries, listed_files, source_id
from target_highlevel.withheld import untold

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from hl_http_server import Seen


#: All that there is in a search.
ROWS = [{"id": f"r{number}", "searchAfter": [number]} for number in range(7)]


@pytest.fixture(scope="module")
def service() -> Iterator[tuple[HighLevelServer, LiveHighLevel]]:
    """A server whose answers are scripted, and HighLevel there."""
    server = HighLevelServer()
    client = HighLevelClient(
        server.url, PrivateToken("token"), Governor(Limits(requests=100_000)), sleep=lambda _: False
    )
    yield server, LiveHighLevel(client, "location")
    client.close()
    server.stop()


def says(server: HighLevelServer, answer: Callable[[Seen], Any]) -> None:
    """Let the server answer with this JSON."""
    server.respond = lambda seen: Reply(body=json.dumps(answer(seen)).encode())


@pytest.mark.parametrize(
    "wrapped",
    [lambda name, item: {name: item}, lambda _, item: item, lambda _, item: {"data": item, "success": True}],
    ids=["named", "bare", "data"],
)
@pytest.mark.parametrize("named", [{"id": "x7"}, {"_id": "x7"}, {"id": 77}], ids=str)
def test_one_thing_in_whatever_envelope(
    wrapped: Any, named: dict[str, Any], service: tuple[HighLevelServer, LiveHighLevel]
) -> None:
    """Its id is known, be it a number or the database's own; a switch of it may be a word."""
    server, highlevel = service
    expected = str(next(iter(named.values())))
    made: dict[str, Callable[[], Any]] = {
        "note": lambda: highlevel.notes.create("c", {}),
        "appointment": lambda: highlevel.events.create("c", {}),
        "record": lambda: highlevel.records.create("custom_objects.x", {}),
        "relation": lambda: highlevel.relations.create("a", "b", "c"),
        "association": lambda: highlevel.definitions.create_association("k", ("a", "b"), ("c", "d")),
        "folder": lambda: highlevel.definitions.create_folder("k", "n"),
        "calendar": lambda: highlevel.calendars.create({}),
        "contact": lambda: highlevel.contacts.create({})["id"],
    }
    for name, call in made.items():
        says(server, lambda _, name=name: wrapped(name, named))  # type: ignore[misc]
        assert call() == expected, name
    says(server, lambda _: wrapped("task", {**named, "completed": "false"}))
    assert highlevel.tasks.get("c", "t")["completed"] is False
    said = {**named, "properties": {"custom_objects.x.name": "n", "short": 1}, "owner": "u"}
    says(server, lambda _: wrapped("record", said))
    assert highlevel.records.get("custom_objects.x", "r") == {"name": "n", "short": 1, "_owners": ["u"]}
    for owners in ({"id": "u"}, [{"id": "u"}], ["u"]):
        says(server, lambda _, owners=owners: {**said, "owner": owners})  # type: ignore[misc]
        assert highlevel.records.get("custom_objects.x", "r")["_owners"] == ["u"]


@pytest.mark.parametrize(
    "answer",
    [{"notes": [{"_id": 5}]}, [{"id": "5"}], {"data": [{"id": 5}]}, {"notes": None}, {"notes": []}],
    ids=str,
)
def test_a_list_in_whatever_envelope(answer: Any, service: tuple[HighLevelServer, LiveHighLevel]) -> None:
    """Null is an empty one; an answer without any list is not."""
    server, highlevel = service
    says(server, lambda _: answer)
    found = [item["id"] for item in highlevel.notes.listed("c")]
    assert found == ([] if isinstance(answer, dict) and not answer.get("notes", 1) else ["5"])
    says(server, lambda _: {"traceId": "t"})
    with pytest.raises(AnswerNotUnderstood):
        highlevel.notes.listed("c")


@pytest.mark.parametrize(
    "word", [{"deleted": True}, {"isDeleted": "true"}, {"deletedAt": "2024-01-01T00:00:00Z"}], ids=str
)
def test_what_was_deleted_may_still_be_shown(
    word: dict[str, Any], service: tuple[HighLevelServer, LiveHighLevel]
) -> None:
    """It is not there."""
    server, highlevel = service
    says(server, lambda _: {"contact": {"id": "c", **word}})
    with pytest.raises(NotFound):
        highlevel.contacts.get("c")
    says(server, lambda _: {"contact": None, "traceId": "t"})
    with pytest.raises(NotFound):
        highlevel.contacts.get("c")
    says(server, lambda _: {"notes": [{"id": "n", **word}, {"id": "m", "deleted": False}]})
    assert [item["id"] for item in highlevel.notes.listed("c")] == ["m"]
    gone = [{**row, **word} for row in ROWS[:3]]
    says(server, lambda seen: {"contacts": gone if "page" in seen.json else ROWS[3:]})
    assert [len(page) for page in highlevel.contacts.pages()] == [len(ROWS[3:])]
    says(server, lambda _: {"contacts": [], "total": 0})
    assert not list(highlevel.contacts.pages())


SIGNS = [{"id": f"s{number}", "contactId": f"c{number}"} for number in range(3)]


@pytest.mark.parametrize(
    ("told", "is_whole"),
    [
        ({"total": 3}, True),
        ({"meta": {"total": 3}}, True),
        ({"totalCount": "3"}, True),
        ({"total": 700}, False),
        ({"totalCount": 4}, False),
        ({"meta": {"total": 30}}, False),
        ({}, False),
    ],
    ids=str,
)
def test_a_page_of_signs_is_all_of_them_only_where_it_says_so(
    told: dict[str, Any], *, is_whole: bool, service: tuple[HighLevelServer, LiveHighLevel]
) -> None:
    """How long a page may be nobody says: a short one may leave out a contact that somebody works with."""
    server, highlevel = service
    says(server, lambda _: {"conversations": SIGNS, **told})
    found = highlevel.engagement.listed("conversation")
    assert (found is not None) is is_whole
    says(server, lambda _: {"conversations": []})
    assert highlevel.engagement.listed("conversation") == []
    says(server, lambda _: {"conversations": [], "total": 3})
    assert highlevel.engagement.listed("conversation") is None


def test_signs_of_one_contact_that_its_page_leaves_out(
    service: tuple[HighLevelServer, LiveHighLevel],
) -> None:
    """Of one contact a page without a count is taken for all; one that counts more is not."""
    server, highlevel = service
    says(server, lambda _: {"conversations": SIGNS[:1]})
    assert [sign.id for sign in highlevel.engagement.listed("conversation", "c0") or ()] == ["s0"]
    says(server, lambda _: {"conversations": SIGNS[:1], "total": 2})
    assert highlevel.engagement.listed("conversation", "c0") is None


@pytest.mark.parametrize(
    ("shown", "tags", "channel", "values"),
    [
        ({"tags": [{"name": "a"}, {"name": "b"}]}, ["a", "b"], None, {}),
        ({"tags": "a, b", "dndSettings": []}, ["a", "b"], None, {}),
        ({"tags": None, "dndSettings": {"SMS": "Permanent"}}, [], "permanent", {}),
        ({"dndSettings": {"SMS": {"status": "ACTIVE"}, "FB": None}}, None, "active", {}),
        ({"dndSettings": {"SMS": True, "FB": False}}, None, "active", {}),
        ({"dndSettings": {"SMS": {"status": None}}}, None, "inactive", {}),
        ({"dndSettings": {"SMS": {"status": "unsubscribed"}}}, None, "permanent", {}),
        ({"customFields": {"f": 1}}, None, None, {"f": 1}),
        ({"customFields": [{"_id": "f", "fieldValueString": "x"}, {"id": "g"}]}, None, None, {"f": "x"}),
    ],
    ids=str,
)
def test_parts_of_a_contact_in_other_shapes(
    shown: Any, tags: Any, channel: Any, values: Any, service: tuple[HighLevelServer, LiveHighLevel]
) -> None:
    """Readers get one shape."""
    server, highlevel = service
    says(server, lambda _: {"contact": {"id": "c", **shown}})
    contact = highlevel.contacts.get("c")
    assert contact.get("tags") == tags
    assert ((contact.get("dndSettings") or {}).get("SMS") or {}).get("status") == channel
    assert custom_values(contact) == values


@pytest.mark.parametrize("answer", [{}, [], None, "ok", {"traceId": "t"}], ids=str)
def test_a_read_of_another_shape_is_asked_for_again(
    answer: Any, service: tuple[HighLevelServer, LiveHighLevel]
) -> None:
    """What all else hangs on does not end a run because of one answer; and nothing is made a second time because of one."""
    server, highlevel = service
    one = {"id": "i", "key": "k", "fieldKey": "contact.k", "name": "N", "dataType": "TEXT", "value": "v"}
    reads = {
        "location": highlevel.account.location,
        "users": lambda: highlevel.account.users("company"),
        "customFields": highlevel.definitions.contact_fields,
        "objects": highlevel.definitions.objects,
        "fields": lambda: highlevel.definitions.object_fields("custom_objects.k").fields,
        "associations": highlevel.definitions.associations,
        "pipelines": highlevel.opportunities.pipelines,
        "customValues": highlevel.custom_values.listed,
    }
    for envelope, read in reads.items():
        held = one if envelope == "location" else [one]
        answers = iter([answer, answer, *[{envelope: held}] * 2])
        says(server, lambda _, answers=answers: next(answers))  # type: ignore[misc]
        assert len(read()) > 0, envelope


def test_users_in_other_shapes(service: tuple[HighLevelServer, LiveHighLevel]) -> None:
    """A word that says no is no; somebody without an e-mail is nobody's owner."""
    server, highlevel = service
    says(
        server,
        lambda _: {
            "users": [
                {"id": "a", "email": " Ann@Example.org ", "deleted": "false"},
                {"id": "b", "email": "bob@example.org", "deleted": "true"},
                {"id": "c", "email": "cy@example.org", "isDeleted": True},
                {"id": "d", "email": None, "permissions": {"assignedDataOnly": "true"}},
            ]
        },
    )
    found = [(user.id, user.email, user.assigned_only) for user in highlevel.account.users("")]
    assert found == [("a", "ann@example.org", None), ("d", "", True)]


def _page(body: dict[str, Any], size: int) -> list[dict[str, Any]]:
    start = body["searchAfter"][0] + 1 if "searchAfter" in body else (body["page"] - 1) * size
    return ROWS[start : start + size]


def _bare(row: dict[str, Any]) -> dict[str, Any]:
    return {"id": row["id"]}


#: How a search may page: given the body of a request, what comes.
PAGING: dict[str, Callable[[dict[str, Any]], Any]] = {
    "short": lambda body: {"contacts": _page(body, 3)},
    "counted": lambda body: {"contacts": _page(body, 3), "total": "7"},
    "counted beside": lambda body: {"contacts": _page(body, 3), "meta": {"total": 7}},
    "counted as none": lambda body: {"contacts": _page(body, 3), "total": 0},
    "last page for ever": lambda body: {"contacts": _page(body, 3) or ROWS[-1:]},
    "all at once": lambda _: {"contacts": ROWS},
    "no cursor": lambda body: {"contacts": [_bare(row) for row in _page(body, 3)]},
    "cursor ignored": lambda body: {"contacts": _page({"page": body.get("page", 1)}, 3)},
    "cursor in circles": lambda body: {
        "contacts": _page(body, 3) if body.get("searchAfter") != [5] else ROWS[:3]
    },
}


@pytest.mark.parametrize("answer", PAGING.values(), ids=PAGING)
def test_a_search_ends_and_has_every_row_once(
    answer: Any, service: tuple[HighLevelServer, LiveHighLevel]
) -> None:
    """However the pages come."""
    server, highlevel = service
    says(server, lambda seen: answer(seen.json))
    found = [item["id"] for page in highlevel.contacts.pages() for item in page]
    assert found == [row["id"] for row in ROWS]


@pytest.mark.parametrize("counted", [{"meta": {"total": 7}}, {}], ids=str)
def test_opportunities_of_more_than_a_page(
    counted: dict[str, Any], service: tuple[HighLevelServer, LiveHighLevel]
) -> None:
    """One on the second page is found as well, however few a page holds."""
    server, highlevel = service

    def page(seen: Seen) -> Any:
        return {"opportunities": _page({"page": int(parse_qs(seen.query)["page"][0])}, 3), **counted}

    says(server, page)
    assert [item["id"] for item in highlevel.opportunities.listed("c")] == [row["id"] for row in ROWS]


def test_pages_that_never_come_are_no_end(service: tuple[HighLevelServer, LiveHighLevel]) -> None:
    """Of a search, and of a list: what is counted and not shown must not be taken for absent."""
    server, highlevel = service
    says(server, lambda _: {"contacts": ROWS[:3], "total": 7})
    with pytest.raises(AnswerNotUnderstood):
        list(highlevel.contacts.pages())
    named = [{**row, "key": row["id"]} for row in ROWS]
    says(server, lambda _: {"associations": named[:3], "total": 7})
    with pytest.raises(AnswerNotUnderstood):
        highlevel.definitions.associations()
    says(server, lambda seen: {"associations": named[:3] if "skip=0" in seen.query else [], "total": 7})
    with pytest.raises(AnswerNotUnderstood):
        highlevel.definitions.associations()
    says(server, lambda _: named)
    assert len(highlevel.definitions.associations()) == len(ROWS)


def test_what_others_add_or_delete_meanwhile_is_no_gap(
    service: tuple[HighLevelServer, LiveHighLevel],
) -> None:
    """The first page or the last one may count more than all of them bring."""
    server, highlevel = service
    for totals in ((7, 8), (8, 7)):

        def answer(seen: Seen, totals: tuple[int, int] = totals) -> Any:
            return {"contacts": _page(seen.json, 4), "total": totals["searchAfter" in seen.json]}

        says(server, answer)
        assert sum(len(page) for page in highlevel.contacts.pages()) == len(ROWS)


def test_page_numbers_that_end_are_no_end(
    service: tuple[HighLevelServer, LiveHighLevel], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where rows carry no cursor, more of them may be there than page numbers reach."""
    monkeypatch.setattr(paging, "_MOST_COUNTED", 6)
    server, highlevel = service
    says(server, lambda seen: {"contacts": [_bare(row) for row in _page(seen.json, 3) if row["id"] != "r6"]})
    with pytest.raises(AnswerNotUnderstood):
        list(highlevel.contacts.pages())


def test_a_count_that_ends_is_no_end(
    service: tuple[HighLevelServer, LiveHighLevel], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A search that counts no further than so many has more rows."""
    monkeypatch.setattr(paging, "_MOST_COUNTED", 6)
    server, highlevel = service
    says(server, lambda seen: {"contacts": _page(seen.json, 3), "total": 6})
    assert [item["id"] for page in highlevel.contacts.pages() for item in page] == [row["id"] for row in ROWS]


def test_nobody_has_an_address(service: tuple[HighLevelServer, LiveHighLevel]) -> None:
    """Whichever way an answer says so; what may be somebody in another shape is not taken for nobody."""
    server, highlevel = service
    nobody: list[Any] = [{}, {"contact": None}, {"contact": {}}, {"traceId": "t"}, {"contacts": []}]
    somebody: list[Any] = [{"contacts": [{"id": "c"}]}, {"contact": {"name": "x"}}, []]
    for answer in nobody:
        says(server, lambda _, answer=answer: answer)  # type: ignore[misc]
        assert highlevel.contacts.with_address("email", "a@example.org") is None
    says(server, lambda _: {"contact": None, "data": {"id": "c"}})
    assert highlevel.contacts.with_address("email", "a@example.org") == "c"
    for answer in somebody:
        says(server, lambda _, answer=answer: answer)  # type: ignore[misc]
        with pytest.raises(AnswerNotUnderstood):
            highlevel.contacts.with_address("email", "a@example.org")


def test_a_search_that_ignores_its_filter_is_no_proof(
    service: tuple[HighLevelServer, LiveHighLevel],
) -> None:
    """Then all are looked through: what is not among the first may still be there."""
    server, highlevel = service
    people = [{**row, "customFields": [{"id": "f", "value": row["id"]}]} for row in ROWS]
    things = [{**row, "properties": {"name": row["id"]}} for row in ROWS]

    def pages(rows: list[dict[str, Any]], name: str) -> Callable[[Seen], Any]:
        ids = {row["id"]: row for row in rows}
        return lambda seen: {name: [ids[row["id"]] for row in _page(seen.json, 4)]}

    says(server, pages(people, "contacts"))
    assert [item["id"] for item in highlevel.contacts.with_value("f", "r6")] == ["r6"]
    assert not highlevel.contacts.with_value("f", "r9")
    says(server, pages(things, "records"))
    assert [item.id for item in highlevel.records.with_value("custom_objects.x", "name", "r6")] == ["r6"]


def refused(status: int, body: Any, method: str = "POST", path: str = "/contacts/") -> Any:
    """Return the error that a refusal of a contact becomes."""
    names = frozenset({"email", "phone", "postalCode", "country"})
    sent = Sent(method, "route", names, "contacts.write", repeatable=method != "POST", path=path)
    return judge(Answer(status, content=json.dumps(body).encode()), sent).error


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (409, {"message": "Contact already exists with this email"}),
        (400, {"message": "A contact with the same phone already exists in this location"}),
        (422, {"message": ["Duplicate contact found"], "data": {"contactId": "c1", "field": "phone"}}),
        (400, {"code": "DUPLICATE_CONTACT", "msg": "duplicate"}),
        (400, {"error": {"message": "This location does not allow duplicated contacts."}}),
        (400, {"message": "Conflict", "error": {"meta": {"contactId": "c1", "matchingField": "email"}}}),
        (400, {"message": "The email address is already in use"}),
        (422, {"message": "rejected: a contact with this email already exists"}),
        (409, {"message": "phone number is invalid: already registered, no such change is possible"}),
    ],
    ids=str,
)
def test_a_duplicate_in_other_words(status: int, body: Any) -> None:
    """Of a contact only: of what hangs on it they mean something else."""
    error = refused(status, body)
    assert isinstance(error, DuplicateContact)
    assert error.contact_id == ("c1" if "c1" in json.dumps(body) else None)
    assert not isinstance(refused(status, body, path="/contacts/c1/notes"), DuplicateContact)


@pytest.mark.parametrize(
    ("body", "name"),
    [
        (
            {
                "message": "x",
                "errors": [{"property": "email", "constraints": {"isEmail": "must be an email"}}],
            },
            "email",
        ),
        ({"message": {"email": ["is not deliverable"]}}, "email"),
        ({"error": "Invalid email address provided"}, "email"),
        ({"message": ["Email domain does not exist"]}, "email"),
        ({"message": "Phone number provided is not valid for the selected country"}, "phone"),
        ({"message": ["phone: INVALID_COUNTRY"]}, "phone"),
        ({"message": "The string supplied is too short to be a phone number"}, "phone"),
        ({"error": "Bad Request", "details": [{"path": "phone", "message": "wrong"}]}, "phone"),
        ({"message": "Postal code is invalid for country AU"}, "postalCode"),
    ],
    ids=str,
)
def test_a_refused_field_in_other_words(body: Any, name: str) -> None:
    """Whichever part of the error says it."""
    error = refused(422, body)
    assert type(error) is Refused
    assert name in error.properties


@pytest.mark.parametrize("status", [400, 409, 422])
def test_a_refusal_that_nobody_understands_may_have_made_something(status: int) -> None:
    """It is looked for before anything is sent again; where the reason is clear, nothing was made."""
    assert refused(status, {"message": "Request failed"}).maybe_created
    assert not refused(status, {"message": "Request failed"}, "PUT", "/contacts/9").maybe_created
    assert refused(400, {"message": "name is too long"}).maybe_created is False


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (410, "This resource is no longer available"),
        (400, "No contact exists with given id"),
        (422, "contactId is invalid"),
        (422, "id must be a mongodb id"),
        (400, "note with id 9 does not exist or was deleted"),
        (404, "Contact not found in this location"),
        (400, ["Location is suspended", "contact with id 9 was not found"]),
        (404, {}),
    ],
    ids=str,
)
def test_what_is_gone_in_other_words(status: int, message: Any) -> None:
    """A read of it says so."""
    assert isinstance(refused(status, {"message": message}, "GET", "/contacts/9"), NotFound)


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (404, "Location not found"),
        (404, "No location exists with the given id"),
        (400, "The token does not exist"),
        (422, "locationId is invalid"),
        (422, ["calendarId must be a mongodb id"]),
    ],
    ids=str,
)
@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_what_is_gone_is_something_else(status: int, message: Any, method: str) -> None:
    """Of what the thing is in, or of what was sent along: then nobody knows that the thing itself is gone."""
    sent = Sent(
        method,
        "r",
        frozenset({"locationId", "calendarId"}),
        "contacts.write",
        repeatable=True,
        path="/contacts/9",
    )
    error = judge(Answer(status, content=json.dumps({"message": message}).encode()), sent).error
    assert type(error) is Refused


def test_files_in_other_shapes() -> None:
    """By their keys or as a list, with what is said of one inside or beside; options of a field are no files."""
    said = {"originalname": "scan%20cliniko-patient_attachments-7.pdf"}
    assert listed_files({"k": {"meta": said}}) == {"k": {"meta": said}}
    assert list(listed_files([{"meta": {**said, "uuid": "u"}}, {"documentId": "d"}])) == ["u", "d"]
    assert not listed_files([{"id": "o", "label": "Physio"}])
    assert not listed_files("text")
    assert list(listed_files([{"meta": {"originalname": "a.pdf"}}])) == ["a.pdf"]
    named = "x (cliniko patient_attachments-7).pdf"
    assert source_id({"documentId": "d", "name": named}) == source_id({"meta": {"originalname": named}})


def test_what_is_no_file_that_we_know_stays_in_its_field() -> None:
    """When the files of a field are written back; what would be lost by that lets the field be."""
    strange = {"k": {"url": "x"}, "l": "text", "m": {"meta": None}}
    assert entries(strange) == strange
    assert entries([{"documentId": "d"}, {"uuid": "u", "url": "x"}]).keys() == {"d", "u"}
    assert not entries(None)
    with pytest.raises(Rejected):
        entries([{"documentId": "d"}, "text"])


def test_what_no_tag_tells_stays_known() -> None:
    """A postal code that was refused is not put down to a person after an undo."""
    assert untold({"email": "refused", "phone": "another_person", "postalCode": "refused"}) == {
        "postalCode": "refused"
    }


@pytest.mark.parametrize("stages", ["x", {"a": 1}, ["a"], [None]], ids=str)
def test_a_pipeline_with_stages_of_another_shape_stops_no_other(
    stages: Any, service: tuple[HighLevelServer, LiveHighLevel]
) -> None:
    """It cannot be used; who needs that very one is told that it is not there."""
    server, highlevel = service
    sound = {"id": "q", "name": "Q", "stages": [{"id": "s", "name": "First"}]}
    says(server, lambda _: {"pipelines": [{"id": "p", "name": "P", "stages": stages}, sound]})
    assert [(one.id, dict(one.stages)) for one in highlevel.opportunities.pipelines()] == [
        ("q", {"First": "s"})
    ]


def test_a_field_may_be_called_a_number(service: tuple[HighLevelServer, LiveHighLevel]) -> None:
    """A clinic's own field must not end every run."""
    server, highlevel = service
    field = {"id": "f", "fieldKey": "contact.7", "dataType": "TEXT", "name": 7}
    says(server, lambda _: {"customFields": [field]})
    assert highlevel.definitions.contact_fields()["7"].name == "7"
