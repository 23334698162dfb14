"""HighLevel as an object: three implementations of one interface, and what they make of answers nobody has documented."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from hl_http_server import HighLevelServer, Reply
from hl_loading import a_sandbox

from target_highlevel.api.activities import Activities
from target_highlevel.api.answers import AnswerNotUnderstood
from target_highlevel.api.live import LiveHighLevel
from target_highlevel.api.planned import PlannedHighLevel
from target_highlevel.api.protocol import HighLevel
from target_highlevel.api.read_only import ReadOnlyHighLevel
from target_highlevel.api.resource import Resource
from target_highlevel.errors import DuplicateContact, NotFound
from target_highlevel.http.client import HighLevelClient
from target_highlevel.http.governor import Governor, Limits
from target_highlevel.http.tokens import PrivateToken
from target_highlevel.http.uploads import Upload

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sandbox import Sandbox

    Implementation = Callable[..., HighLevel]

#: Changes that return what the answer shows.
SHOWN = {("files", "upload"), ("contacts", "update"), ("definitions", "resize_file_field")}
OBJECT = "custom_objects.cliniko_service"
IDENTITY = "Source System ID"
HOURS = {"name": "Hours", "timezone": "Australia/Sydney", "rules": []}
PARTS = tuple(name for name, item in vars(HighLevel).items() if isinstance(item, property))
IMPLEMENTATIONS: dict[str, Implementation] = {
    "live": LiveHighLevel,
    "planned": lambda client, location: PlannedHighLevel(client, location, []),
    "read_only": ReadOnlyHighLevel,
}


@dataclass
class Clinic:
    """A sub-account with one thing of each kind, and the ids of them."""

    sandbox: Sandbox
    client: HighLevelClient
    field: str
    contact: str
    note: str
    task: str
    event: str
    record: str
    association: str
    relation: str
    calendar: str
    user: str
    schedule: str
    blocked: str
    name: str
    folder: str
    value: str
    pipeline: str
    opportunity: str

    def opened(self, implementation: Implementation) -> HighLevel:
        """Return HighLevel by one of its implementations."""
        return implementation(self.client, self.sandbox.highlevel.location_id)

    def writes(self) -> int:
        """Return how many requests have arrived that were not for reading."""
        return sum(
            request.method != "GET" and not request.path.endswith("/search")
            for request in self.sandbox.highlevel.control.requests
        )


@pytest.fixture(scope="module")
def clinic() -> Iterator[Clinic]:
    """A sub-account, filled by the live implementation."""
    with a_sandbox(1, allow_duplicates=False) as sandbox:
        highlevel = sandbox.highlevel
        client = HighLevelClient(
            highlevel.url,
            PrivateToken(highlevel.access_token),
            Governor(Limits(requests=100)),
            agency_tokens=PrivateToken(highlevel.agency_token),
        )
        yield filled(sandbox, client, LiveHighLevel(client, highlevel.location_id))
        client.close()


def filled(sandbox: Sandbox, client: HighLevelClient, live: HighLevel) -> Clinic:
    """Write one thing of each kind."""
    field = live.definitions.create_contact_field(IDENTITY, "TEXT").id
    live.definitions.create_object(
        OBJECT, ("Service", "Services"), "What is sold", (f"{OBJECT}.name", "Name")
    )
    folder = live.definitions.create_folder(OBJECT, "Cliniko")
    rooms = live.definitions.create_object_field(
        OBJECT, folder, "rooms", "Rooms", "MULTIPLE_OPTIONS", {"A": "a", "B": "b", "C": "c"}
    )
    identity = {"id": field, "field_value": "patients/1"}
    contact = live.contacts.create(
        {"firstName": "Ada", "email": "ada@example.com", "customFields": [identity]}
    )["id"]
    record = live.records.create(OBJECT, {"name": "Physio", "rooms": ["a", "b"]})
    association = live.definitions.create_association(
        "cliniko_uses", ("contact", "Users"), (OBJECT, "Services")
    )
    pipelines = [
        sandbox.highlevel.state.staff.add_pipeline(name, ("Physio",))["id"] for name in ("Clinic", "Other")
    ]
    user = live.account.users("")[0].id
    calendar = live.calendars.create(
        {"name": "Physio", "calendarType": "round_robin", "teamMembers": [{"userId": user}]}
    )
    moment = {"startTime": "2026-01-05T09:00:00Z", "endTime": "2026-01-05T09:30:00Z"}
    return Clinic(
        sandbox,
        client,
        field=field,
        contact=contact,
        note=live.notes.create(contact, {"title": "First", "body": "cliniko:treatment_notes/1"}),
        task=live.tasks.create(
            contact, {"title": "Call", "body": "b", "dueDate": "2026-01-05T09:00:00Z", "completed": False}
        ),
        event=live.events.create(
            contact, {"title": "Visit", "calendarId": calendar, "assignedUserId": user, **moment}
        ),
        record=record,
        association=association,
        relation=live.relations.create(association, contact, record),
        calendar=calendar,
        user=user,
        schedule=live.schedules.create({"userId": user, "calendarIds": [calendar], **HOURS}),
        blocked=live.blocked_slots.create({"title": "Leave", "assignedUserId": user, **moment}),
        name=rooms.id,
        folder=folder,
        value=live.custom_values.create("Cliniko", "Value"),
        pipeline=pipelines[1],
        opportunity=live.opportunities.create(contact, {"name": "Ada", "pipelineId": pipelines[0]}),
    )


def reads(clinic: Clinic) -> dict[tuple[str, str], tuple[Any, ...]]:
    """Return every method that reads, by part and name, with arguments."""
    return {
        ("account", "location"): (),
        ("account", "users"): ("",),
        ("account", "published_workflows"): (),
        ("calendars", "listed"): ([],),
        ("calendars", "get"): (clinic.calendar, []),
        ("calendars", "known"): (),
        ("calendars", "has_events"): (clinic.calendar,),
        ("schedules", "listed"): ([clinic.user],),
        ("schedules", "get"): (clinic.schedule, [clinic.user]),
        ("blocked_slots", "listed"): ([clinic.user],),
        ("blocked_slots", "get"): (clinic.blocked, [clinic.user]),
        ("custom_values", "listed"): (),
        ("contacts", "get"): (clinic.contact,),
        ("contacts", "with_address"): ("email", "ada@example.com"),
        ("contacts", "with_value"): (clinic.field, "patients/1"),
        ("contacts", "pages_with"): (clinic.field,),
        ("contacts", "pages"): (),
        ("records", "get"): (OBJECT, clinic.record),
        ("records", "with_value"): (OBJECT, "name", "Physio"),
        ("records", "pages"): (OBJECT,),
        ("notes", "listed"): (clinic.contact,),
        ("notes", "get"): (clinic.contact, clinic.note),
        ("tasks", "listed"): (clinic.contact,),
        ("tasks", "get"): (clinic.contact, clinic.task),
        ("events", "listed"): (clinic.contact,),
        ("events", "get"): (clinic.contact, clinic.event),
        ("opportunities", "pipelines"): (),
        ("opportunities", "listed"): (clinic.contact,),
        ("opportunities", "get"): (clinic.contact, clinic.opportunity),
        ("relations", "listed"): (clinic.contact,),
        ("engagement", "listed"): ("opportunity", clinic.contact),
        ("definitions", "contact_fields"): (),
        ("definitions", "objects"): (),
        ("definitions", "object_fields"): (OBJECT,),
        ("definitions", "associations"): (),
    }


def creates(clinic: Clinic) -> dict[tuple[str, str], tuple[Any, ...]]:
    """Return every method whose answer says what was made."""
    end = ("contact", "L")
    return {
        ("calendars", "create"): ({"name": "Other", "calendarType": "event"},),
        ("schedules", "create"): ({"userId": clinic.user, "calendarIds": [], **HOURS},),
        ("blocked_slots", "create"): ({"title": "Away", "assignedUserId": clinic.user},),
        ("custom_values", "create"): ("Name", "Value"),
        ("contacts", "create"): ({"firstName": "Bob"},),
        ("records", "create"): (OBJECT, {"name": "Yoga"}),
        ("notes", "create"): (clinic.contact, {"title": "Second", "body": "b"}),
        ("tasks", "create"): (clinic.contact, {"title": "Second"}),
        ("events", "create"): (clinic.contact, {"title": "Second", "calendarId": clinic.calendar}),
        ("opportunities", "create"): (clinic.contact, {"name": "Ada", "pipelineId": clinic.pipeline}),
        ("relations", "create"): (clinic.association, clinic.record, clinic.contact),
        ("definitions", "create_contact_field"): ("Other", "TEXT"),
        ("definitions", "create_object_field"): (OBJECT, clinic.folder, "other", "Other", "TEXT", None),
        ("definitions", "create_folder"): (OBJECT, "Other"),
        ("definitions", "create_association"): ("cliniko_other", end, end),
    }


def changes(clinic: Clinic, path: Path) -> dict[tuple[str, str], tuple[Any, ...]]:
    """Return every method that writes and needs nothing of the answer."""
    return {
        ("calendars", "update"): (clinic.calendar, {"name": "Changed"}),
        ("calendars", "delete"): (clinic.calendar,),
        ("schedules", "update"): (clinic.schedule, {"name": "Changed"}),
        ("schedules", "delete"): (clinic.schedule,),
        ("blocked_slots", "update"): (clinic.blocked, {"title": "Changed"}),
        ("blocked_slots", "delete"): (clinic.blocked,),
        ("custom_values", "change"): (clinic.value, "Name", "Changed"),
        ("custom_values", "delete"): (clinic.value,),
        ("contacts", "update"): (clinic.contact, {"firstName": "Eve"}),
        ("contacts", "delete"): (clinic.contact,),
        ("files", "upload"): (clinic.contact, Upload("f_1", path, "scan.pdf")),
        ("records", "update"): (OBJECT, clinic.record, {"name": "Pilates"}),
        ("records", "delete"): (OBJECT, clinic.record),
        ("notes", "update"): (clinic.contact, clinic.note, {"title": "Changed"}),
        ("notes", "delete"): (clinic.contact, clinic.note),
        ("tasks", "update"): (clinic.contact, clinic.task, {"title": "Changed"}),
        ("tasks", "delete"): (clinic.contact, clinic.task),
        ("events", "update"): (clinic.contact, clinic.event, {"title": "Changed"}),
        ("events", "delete"): (clinic.contact, clinic.event),
        ("opportunities", "update"): (clinic.contact, clinic.opportunity, {"name": "Eve"}),
        ("opportunities", "delete"): (clinic.contact, clinic.opportunity),
        ("relations", "delete"): (clinic.relation,),
        ("definitions", "update_contact_field"): (clinic.field, IDENTITY, ["A"]),
        ("definitions", "resize_file_field"): (clinic.field, IDENTITY, 5),
        ("definitions", "create_object"): ("custom_objects.other", ("O", "Os"), "", ("name", "Name")),
        ("definitions", "set_searchable"): (OBJECT, [f"{OBJECT}.name"]),
        ("definitions", "update_object_field"): (clinic.name, "Rooms", {"A": "a"}),
    }


def call(highlevel: HighLevel, method: tuple[str, str], arguments: tuple[Any, ...]) -> Any:
    """Call a method of a part; read what it pages through to the end."""
    more = {"in_forms": False} if method[1] == "update_object_field" else {}
    found = getattr(getattr(highlevel, method[0]), method[1])(*arguments, **more)
    return list(found) if isinstance(found, Iterator) else found


@pytest.fixture
def scan(tmp_path: Path) -> Path:
    """A file to upload."""
    path = tmp_path / "scan.pdf"
    path.write_bytes(b"%PDF-1.7")
    return path


@pytest.mark.parametrize("name", IMPLEMENTATIONS)
def test_the_tables_of_this_file_name_every_method(name: str, clinic: Clinic, scan: Path) -> None:
    """A method that is added is tried here by all three implementations."""
    highlevel = clinic.opened(IMPLEMENTATIONS[name])
    methods = {
        (part, method)
        for part in PARTS
        for kind in type(getattr(highlevel, part)).__mro__
        if issubclass(kind, Resource)
        for method, item in vars(kind).items()
        if not method.startswith("_") and callable(item) and kind is not Activities
    }
    assert methods == {*reads(clinic), *creates(clinic), *changes(clinic, scan)}


@pytest.mark.parametrize("name", ["planned", "read_only"])
def test_every_implementation_reads_the_same(name: str, clinic: Clinic) -> None:
    """What is in HighLevel is read alike by a load, by a plan and by a verification."""
    live, other = clinic.opened(LiveHighLevel), clinic.opened(IMPLEMENTATIONS[name])
    for method, arguments in reads(clinic).items():
        assert call(other, method, arguments) == call(live, method, arguments), method


@pytest.mark.parametrize("name", IMPLEMENTATIONS)
def test_what_is_not_there_is_not_found(name: str, clinic: Clinic) -> None:
    """It is by one error for all kinds; of relations it has none."""
    highlevel = clinic.opened(IMPLEMENTATIONS[name])
    absent = "A" * 20
    for read in (
        lambda: highlevel.contacts.get(absent),
        lambda: highlevel.records.get(OBJECT, absent),
        lambda: highlevel.notes.get(clinic.contact, absent),
        lambda: highlevel.events.get(clinic.contact, absent),
        lambda: highlevel.tasks.listed(absent),
    ):
        with pytest.raises(NotFound):
            read()
    assert list(highlevel.relations.listed(absent)) == []


def test_a_verification_cannot_write(clinic: Clinic, scan: Path) -> None:
    """Every method that writes raises before anything is sent."""
    highlevel, before = clinic.opened(ReadOnlyHighLevel), clinic.writes()
    for method, arguments in {**creates(clinic), **changes(clinic, scan)}.items():
        with pytest.raises(PermissionError):
            call(highlevel, method, arguments)
    assert clinic.writes() == before


def test_a_plan_answers_every_write_itself(clinic: Clinic, scan: Path) -> None:
    """Nothing but reads is sent, and each write is counted as the request of a load that it stands for."""
    highlevel, before = (
        PlannedHighLevel(clinic.client, clinic.sandbox.highlevel.location_id, []),
        clinic.writes(),
    )
    writes = {**creates(clinic), **changes(clinic, scan)}
    for method, arguments in writes.items():
        made = call(highlevel, method, arguments)
        assert (made is None) == (method in changes(clinic, scan) and method not in SHOWN), method
    assert clinic.writes() == before
    assert sum(highlevel.requests.values()) == len(writes)
    assert highlevel.requests["POST /contacts/{id}/notes"] == 1
    assert highlevel.requests["PUT /objects/{key}/records/{id}"] == 1


def test_a_plan_shows_what_it_would_have_written(clinic: Clinic) -> None:
    """Created things are read back with later changes merged in, lists of options by what comes and what goes."""
    highlevel = clinic.opened(IMPLEMENTATIONS["planned"])
    custom = {"id": clinic.field, "field_value": "patients/2"}
    contact = highlevel.contacts.create({"firstName": "Bob", "customFields": [custom]})["id"]
    highlevel.contacts.update(contact, {"lastName": "Lee"})
    shown = highlevel.contacts.get(contact)
    assert shown["id"] == contact
    assert (shown["firstName"], shown["lastName"]) == ("Bob", "Lee")
    assert shown["customFields"] == [{"id": clinic.field, "value": "patients/2"}]
    record = highlevel.records.create(OBJECT, {"rooms": ["a", "b"]})
    highlevel.records.update(OBJECT, record, {"rooms": {"add": ["c"], "remove": ["a"]}})
    assert highlevel.records.get(OBJECT, record) == {"rooms": ["b", "c"]}
    note = highlevel.notes.create(contact, {"title": "T", "body": "b"})
    highlevel.notes.update(contact, note, {"title": "U"})
    assert highlevel.notes.get(contact, note) == {"id": note, "title": "U", "body": "b"}
    assert highlevel.notes.listed(contact) == []
    relation = highlevel.relations.create(clinic.association, contact, record)
    assert [item.id for item in highlevel.relations.listed(contact)] == [relation]
    highlevel.relations.delete(relation)
    assert list(highlevel.relations.listed(contact)) == []


def test_a_plan_refuses_an_address_that_is_taken(clinic: Clinic) -> None:
    """As HighLevel does: by a contact that is there, and by one that is only planned."""
    highlevel = clinic.opened(IMPLEMENTATIONS["planned"])
    highlevel.account.location()
    with pytest.raises(DuplicateContact) as taken:
        highlevel.contacts.create({"email": "ADA@example.com"})
    assert (taken.value.contact_id, taken.value.matching_field) == (clinic.contact, "email")
    planned = highlevel.contacts.create({"email": "bob@example.com"})["id"]
    with pytest.raises(DuplicateContact) as taken:
        highlevel.contacts.update(clinic.contact, {"email": "bob@example.com"})
    assert taken.value.contact_id == planned


def test_a_user_who_was_deleted_is_none(clinic: Clinic, monkeypatch: pytest.MonkeyPatch) -> None:
    """They may stand in the list; of the others it says who sees only what is assigned to them, or nothing."""
    highlevel = clinic.opened(LiveHighLevel)
    people = list(clinic.sandbox.highlevel.state.users.values())
    gone, narrow, odd = people[:3]
    monkeypatch.setitem(gone, "deleted", "yes")
    monkeypatch.setitem(narrow, "permissions", {"assignedDataOnly": True})
    monkeypatch.setitem(odd, "permissions", None)
    found = {user.id: user.assigned_only for user in highlevel.account.users("")}
    assert found == {user["id"]: None for user in people[1:]} | {narrow["id"]: True}


#: Where the answers of HighLevel have what they are about.
LISTS = (
    *(
        "contacts",
        "records",
        "notes",
        "tasks",
        "events",
        "calendars",
        "users",
        "workflows",
        "customFields",
        "customValues",
    ),
    *("fields", "folders", "objects", "associations", "relations", "opportunities", "pipelines"),
)
ENVELOPES = (
    *(
        "contact",
        "opportunity",
        "record",
        "note",
        "task",
        "appointment",
        "event",
        "calendar",
        "location",
        "customField",
        "customValue",
    ),
    *("field", *LISTS),
)
ODD_VALUES: tuple[Any, ...] = (
    *([], {}, "text", 7, [None], [{}], ["text"], {"id": None}, {"id": True}, [{"id": None}]),
)
#: No one of these names anything that could have been made.
NAMELESS: tuple[Any, ...] = (
    *({}, [], None, 7, "text", [None], [{}], {"id": None}, {"id": ""}, {"id": {}}),
    *(dict.fromkeys(ENVELOPES, value) for value in ODD_VALUES),
)
#: These do, and are odd further in.
ODD_INSIDE: tuple[Any, ...] = tuple(
    {name: [{"id": "x", **more}] if name in LISTS else {"id": "x", **more} for name in ENVELOPES}
    for more in (
        {"customFields": {}, "properties": [], "teamMembers": 7},
        {"customFields": [{}], "properties": 7, "teamMembers": [{}]},
        {"tags": "a", "name": "x", "fieldKey": "a.b", "dataType": "TEXT", "options": 7, "picklistOptions": 7},
        {"dndSettings": [], "name": "x", "fieldKey": "a.b", "dataType": "TEXT", "options": [7], "email": 7},
    )
)


@pytest.fixture(scope="module")
def odd() -> Iterator[tuple[HighLevelServer, LiveHighLevel]]:
    """A server whose answers are scripted, and HighLevel there."""
    server = HighLevelServer()
    token = PrivateToken("token")
    governor = Governor(Limits(requests=100_000))
    client = HighLevelClient(server.url, token, governor, agency_tokens=token, sleep=lambda _: False)
    yield server, LiveHighLevel(client, "location")
    client.close()
    server.stop()


@pytest.mark.parametrize("answer", NAMELESS)
def test_nobody_knows_what_an_odd_answer_to_a_create_means(
    answer: Any, odd: tuple[HighLevelServer, LiveHighLevel], clinic: Clinic
) -> None:
    """One error says so for every kind of thing, and where it was; nothing is taken for made, and nothing for refused."""
    server, highlevel = odd
    server.respond = lambda _: Reply(body=json.dumps(answer).encode())
    for method, arguments in creates(clinic).items():
        with pytest.raises(AnswerNotUnderstood) as told:
            call(highlevel, method, arguments)
        assert told.value.code == "answer_not_understood", method
        assert told.value.route, method


@pytest.mark.parametrize("answer", [*NAMELESS, *ODD_INSIDE])
def test_what_is_read_of_an_odd_answer(
    answer: Any, odd: tuple[HighLevelServer, LiveHighLevel], scan: Path, clinic: Clinic
) -> None:
    """It is as documented, or the same one error; a change needs nothing of its answer."""
    server, highlevel = odd
    server.respond = lambda _: Reply(body=json.dumps(answer).encode())
    for method, arguments in reads(clinic).items():
        with suppress(AnswerNotUnderstood, NotFound):
            call(highlevel, method, arguments)
    for method in (("contacts", "get"), ("records", "get"), ("notes", "get"), ("events", "get")):
        if answer not in ODD_INSIDE:
            with pytest.raises(AnswerNotUnderstood):
                call(highlevel, method, reads(clinic)[method])
    for method, arguments in changes(clinic, scan).items():
        with suppress(AnswerNotUnderstood) if method == ("files", "upload") else nullcontext():
            call(highlevel, method, arguments)


def test_a_planned_field_goes_by_the_name_of_a_made_one(clinic: Clinic) -> None:
    """Else a plan would take it for another field than the one that it asked for."""
    location = clinic.sandbox.highlevel.location_id
    live = LiveHighLevel(clinic.client, location).definitions
    planned = PlannedHighLevel(clinic.client, location, []).definitions
    made = [each.create_contact_field("Cliniko visits", "NUMERICAL").name for each in (live, planned)]
    assert made == ["cliniko_visits"] * 2


def test_definitions_that_lack_something_are_ours_or_nobodys(
    odd: tuple[HighLevelServer, LiveHighLevel],
) -> None:
    """A field goes by its label where it has no key, and takes what it takes where it has no type; the rest is counted."""
    server, highlevel = odd
    listed: list[Any] = [
        {"id": "1", "name": "Cliniko occupation"},
        {
            "id": "2",
            "name": "Hat",
            "fieldKey": "contact.hat",
            "dataType": "RADIO",
            "picklistOptions": [7, None],
        },
        {
            "id": "3",
            "name": "Ring",
            "fieldKey": "contact.ring",
            "dataType": "RADIO",
            "picklistOptions": {"A": 1},
        },
        {"id": "4", "name": "Hat"},
        {"id": "5"},
        {"name": "Nowhere", "fieldKey": "contact.nowhere"},
    ]
    server.respond = lambda _: Reply(body=json.dumps({"customFields": listed}).encode())
    fields = highlevel.definitions.contact_fields()
    assert {name: (item.id, item.data_type) for name, item in fields.items()} == {
        "cliniko_occupation": ("1", ""),
        "hat": ("2", "RADIO"),
        "ring": ("3", "RADIO"),
    }
    assert fields["hat"].options == {"7": "7"}
    assert [name for name, item in fields.items() if not item.is_readable] == ["ring"]
    assert highlevel.definitions.odd["/locations/{id}/customFields"] == 2


@pytest.mark.parametrize(
    ("tags", "read"),
    [
        (["vip", 2024, None, ""], ["vip", "2024"]),
        ([{"id": "t", "name": "vip"}, {}], ["vip"]),
        ("vip, new", ["vip", "new"]),
        (None, []),
        ([{"id": "t"}], None),
        ([["vip"]], None),
    ],
)
def test_tags_are_read_as_they_are_or_not_at_all(
    tags: Any, read: list[str] | None, odd: tuple[HighLevelServer, LiveHighLevel]
) -> None:
    """They are written as a whole: one that was read as something else would take its place."""
    server, highlevel = odd
    server.respond = lambda _: Reply(body=json.dumps({"contact": {"id": "x", "tags": tags}}).encode())
    if read is None:
        with pytest.raises(AnswerNotUnderstood):
            highlevel.contacts.get("x")
    else:
        assert highlevel.contacts.get("x")["tags"] == read
