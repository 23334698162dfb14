"""First things first: a first load writes in the order in which a practice needs it."""

from __future__ import annotations

import re
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hl_ledgers import CONTACTS, Desk, contact, note, part, profile
from hl_loading import fault
from hl_mapped import person, record, schemas

from target_highlevel.descriptor import FieldSpec, Incoming, StreamSpec, stream_spec
from target_highlevel.engine.queue import Queue
from target_highlevel.errors import SettingsError
from target_highlevel.http.governor import Governor, Limits
from target_highlevel.source import Source

if TYPE_CHECKING:
    from collections.abc import Callable

    from hl_loading import Loader

    from target_highlevel.ledger.rows import Row

PATIENTS, COMING, ALERTS = 60, 18, 6
MOST_TIMES = 1.1
NOW = datetime.now(UTC)
MARKER = re.compile(r"cliniko:(\S+)")

BOOKINGS = StreamSpec(
    stream="hl_appointments",
    kind="appointment",
    object="appointment",
    fields={"starts_at": FieldSpec("starts_at")},
)
RECALLS = StreamSpec(**{**BOOKINGS.__dict__, "stream": "hl_recalls", "always_task": True})
ALERT_NOTES = StreamSpec(stream="hl_alerts", kind="note", object="note", turn="with_people")
INVOICES = StreamSpec(
    stream="hl_invoices", kind="custom_object", object="custom_objects.invoice", turn="history"
)


def at(days: float) -> str:
    """Return a moment so many days from now."""
    return f"{NOW + timedelta(days=days):%Y-%m-%dT%H:%M:%SZ}"


def booking(number: int, patient: int, days: float, spec: StreamSpec = BOOKINGS) -> Incoming:
    """Return a booking of a patient."""
    fields = {"starts_at": at(days)}
    return Incoming(spec, f"appointments/{number}", fields, contact=f"patients/{patient}")


def visit(patient: int, number: int, days: float) -> Incoming:
    """Return what a booking says of its patient."""
    told = {"visit": {"at": at(days), "day": at(days)[:10], "state": "booked", "type": None}}
    return part(patient, f"appointments/{number}", fields=told)


def test_the_front_desk_comes_first_then_one_contact_after_the_other(desk: Desk) -> None:
    """Whatever came first: people and alerts, bookings to come, profiles, then who comes soon, then who came of late."""
    desk.take(Incoming(INVOICES, "invoices/1", {}, owner_of="contact:patients/1"), profile(1, related=False))
    desk.take(visit(1, 11, -300), booking(11, 1, -300), visit(2, 12, -20), booking(12, 2, -20))
    desk.take(visit(3, 13, 9), booking(13, 3, 9), visit(4, 14, 2), booking(14, 4, 2), visit(4, 15, -9))
    desk.take(booking(15, 4, -9), booking(16, 5, 30, RECALLS), note(1, 1), note(2, 1, priority="2020"))
    desk.take(note(5, 5), note(4, 4), note(3, 3), note(23, 2), visit(2, 17, -10), booking(17, 2, -10))
    desk.take(Incoming(ALERT_NOTES, "patients/5", {}, contact="patients/5"))
    desk.take(Incoming(INVOICES, "items/2", {}, relations=(("of", "custom_objects.invoice:invoices/3"),)))
    desk.take(Incoming(INVOICES, "invoices/3", {}, owner_of="contact:patients/4"))
    desk.take(Incoming(INVOICES, "items/3", {}, relations=(("of", "custom_objects.invoice:invoices/3"),)))
    desk.take(*(contact(number) for number in (1, 2, 3, 4, 5)))
    written = [ref.partition(":")[2] if ref[:4] != "note" else ref for ref in desk.write_all()]
    assert written == [
        *(f"patients/{number}" for number in (1, 2, 3, 4, 5)),
        "note:patients/5",
        "appointments/14",
        "appointments/13",
        "patients/1",
        *("note:treatment_notes/4", "invoices/3", "items/3", "appointments/15"),
        "note:treatment_notes/3",
        *("note:treatment_notes/23", "appointments/12", "appointments/17"),
        *("note:treatment_notes/2", "note:treatment_notes/1", "appointments/11"),
        "invoices/1",  # when it came nobody knew of a visit
        *("note:treatment_notes/5", "appointments/16"),
        "items/2",  # when it came nobody knew whose it is
    ]


def test_a_place_in_a_group_to_come_is_a_booking_to_come(desk: Desk) -> None:
    """The group says when it begins."""
    spec = StreamSpec(**{**BOOKINGS.__dict__, "fields": {"starts_at": FieldSpec("starts_at", fold="only")}})
    for number, days in ((1, -5), (2, 5)):
        desk.take(Incoming(spec, f"groups/{number}", {"starts_at": at(days)}, part=f"groups/{number}"))
    desk.take(contact(1), profile(1, related=False))
    desk.take(
        *(Incoming(spec, f"attendees/{n}", {}, joins=(f"groups/{n}",), contact="patients/1") for n in (1, 2))
    )
    assert [ref.partition(":")[2] for ref in desk.write_all()] == [
        *("patients/1", "attendees/2", "patients/1", "attendees/1")
    ]


def test_only_the_first_records_are_handed_out_as_such(desk: Desk) -> None:
    """A caller that asks for records up to a rank gets no others."""
    desk.take(contact(1), profile(1, related=False))
    first = StreamSpec("hl_contacts", "contact", "contact").rank
    assert [row.ref for row in desk.work.claim(10, (), last=first)] == ["contact:patients/1"]
    desk.write("contact:patients/1")
    assert desk.work.claim(10, (), last=first) == []


def test_a_stream_may_say_when_it_is_written() -> None:
    """And an unknown word for it is refused by name."""
    described: dict[str, Any] = {"object": "note", "turn": "with_people"}
    message = {"stream": "hl_alerts", "schema": {"x-highlevel": described, "properties": {}}}
    spec = stream_spec(message)
    assert spec is not None
    assert spec.rank == ALERT_NOTES.rank
    described["turn"] = "soon"
    with pytest.raises(SettingsError, match=r"hl_alerts.*'soon'.*with_people, history"):
        stream_spec(message)


class Load:
    """What a queue needs of a session."""

    mode = "load"

    def __init__(self, desk: Desk) -> None:
        """Begin before anybody has come."""
        self.work, self.ledger = desk.work, desk.ledger
        self.expected = {"hl_contacts": CONTACTS}
        self.everybody_came = False
        self.source = Source()
        self.governor = Governor(Limits())

    def exclusive_keys(self, _row: Row) -> frozenset[str]:
        """Nothing is in anybody's way."""
        return frozenset()


def refs(queue: Queue) -> list[str]:
    """Take all that the queue hands out now."""
    queue.look = True
    return [row.ref for row in iter(queue.take, None)]


def test_the_rest_waits_for_everybody_once_and_for_what_is_in_work(desk: Desk) -> None:
    """In a first load nothing else is begun before all people have come and are written; later loads need not wait."""
    rest = "custom_objects.profile:patients/1"
    load = Load(desk)
    queue = Queue(load)  # type: ignore[arg-type]
    desk.take(profile(1, related=False))
    assert refs(queue) == []
    desk.take(contact(1))
    assert refs(queue) == ["contact:patients/1"]
    load.everybody_came = True
    assert refs(queue) == []
    queue.done(desk.write("contact:patients/1"))
    assert refs(queue) == [rest]
    assert queue.front_desk_can_work
    queue.done(desk.row(rest))
    assert refs(Queue(Load(desk))) == [rest]  # type: ignore[arg-type]


def test_where_nobody_says_that_all_have_come_nothing_waits(desk: Desk) -> None:
    """Another mapper's streams are written as they come; and at the end of the input everything is."""
    desk.take(profile(1, related=False))
    other, ended = Load(desk), Queue(Load(desk))  # type: ignore[arg-type]
    other.expected.clear()
    ended.ending = True
    for queue in (Queue(other), ended):  # type: ignore[arg-type]
        assert refs(queue) == ["custom_objects.profile:patients/1"]


# A load


def booked(number: int, patient: int, days: float) -> list[str]:
    """Return the lines of a booking and of what it says of its patient."""
    key, starts = f"individual_appointments/{number}", at(days)
    facts = {"title": "Physio", "starts_at": starts, "body": f"Physio\ncliniko:{key}", "businesses": []}
    told = {"at": starts, "day": starts[:10], "state": "booked", "type": "Physio"}
    return [
        record("hl_appointments", key, contact=f"patients/{patient}", **facts),
        record("hl_contacts", f"patients/{patient}", contributor=key, visit=told),
    ]


def written(number: int, patient: int, day: int) -> str:
    """Return the line of a treatment note of that day."""
    key = f"treatment_notes/{number}"
    more = {"contact": f"patients/{patient}", "priority": f"2026-01-{day:02} 0001"}
    return record("hl_notes", key, title="Note", body=f"Well\n\ncliniko:{key}", **more)


def first_load() -> list[str]:
    """Return a clinic in the order in which the tap reads: bookings and invoices before the patients, notes after them."""
    patients = range(1, PATIENTS + 1)
    came = [line for number in patients for line in booked(number, number, -number)]
    coming = [line for number in range(1, COMING + 1) for line in booked(1000 + number, 3 * number, number)]
    invoices = [
        record("hl_invoices", f"invoices/{number}", invoice_name=f"Invoice {number}", owner_of=f"contact:patients/{number}",
               source_system_id=f"invoices/{number}", businesses=[])
        for number in patients
    ]  # fmt: skip
    alerts = [
        record("hl_medical_alert_notes", f"patients/{number}", contact=f"patients/{number}", title="Medical alerts",
               body={"order": "1", "text": f"Penicillin\ncliniko:patients/{number}"}, pinned=True)
        for number in range(1, ALERTS + 1)
    ]  # fmt: skip
    people = [
        person(f"patients/{number}", f"Ann{number}", "Elm", email=f"ann{number}@example.org")
        for number in patients
    ]
    notes = [written(10 * number + 9 - day, number, 9 - day) for day in range(1, 5) for number in patients]
    declared = schemas(
        "individual_appointments", "medical_alerts", "invoices", "practitioners", "contacts", "patients"
    )
    complete = schemas("practitioners", "contacts", "patients", "relationships", "treatment_notes")
    return [*declared, *came, *coming, *alerts, *invoices, *people, *complete, *notes]


def test_the_front_desk_can_work_when_little_more_than_its_own_requests_are_spent(
    highlevel: Callable[..., Loader],
) -> None:
    """Contacts, alerts and bookings to come are in before anything else, and each patient's notes stand in their order."""
    loader = highlevel()
    loader.sandbox.highlevel.control.latency = 0.01
    late = {
        "match": {"method": "POST", "path_regex": "/notes$", "nth": ALERTS + 1},
        "action": "slow",
        "delay": 0.5,
    }
    loader.sandbox.highlevel.control.add_fault(late)
    ended = loader.load(first_load())
    assert ended.code == 0, ended.log[-2000:]
    state = loader.sandbox.highlevel.state
    tasks = [MARKER.search(task["body"]) for task in state.tasks.values()]
    numbers = [int(found[1].partition("/")[2]) for found in tasks if found]
    assert len(numbers) == PATIENTS + COMING
    assert set(numbers[:COMING]) == {1000 + number for number in range(1, COMING + 1)}
    routes = [request.route for request in loader.sandbox.highlevel.control.requests]
    starts = routes.index("/contacts/")
    spent = [number for number, route in enumerate(routes) if str(route).endswith("/tasks")][COMING - 1] + 1
    own = starts + PATIENTS + ALERTS + COMING
    assert spent <= MOST_TIMES * own
    assert re.search(r"highlevel\.front_desk can_work=yes requests=\d+", ended.log)
    order = defaultdict(list)
    for each in state.notes.values():
        found = MARKER.search(each["body"])
        assert found
        if found[1].startswith("treatment"):
            order[each["contactId"]].append(int(found[1].partition("/")[2]))
    assert len(order) == PATIENTS
    assert all(numbers == sorted(numbers) for numbers in order.values())


@pytest.mark.parametrize("refused", [[1], [1, 2]], ids=["once", "for good"])
def test_no_note_overtakes_one_that_was_put_off(refused: list[int], highlevel: Callable[..., Loader]) -> None:
    """HighLevel dates a note by the moment of the call: later ones of that contact wait with it, those of others do not.

    One that the next run cannot write either holds up nobody any more.
    """
    loader = highlevel()
    state = loader.sandbox.highlevel.state
    head = schemas("patients", "treatment_notes")
    people = [person(f"patients/{number}", "Ada", f"Loon {number}") for number in (1, 2)]
    assert loader.load([*head, *people]).code == 0
    first = next(key for key, contact in state.contacts.items() if contact["lastName"] == "Loon 1")
    notes = [
        record(
            "hl_notes", f"treatment_notes/{number}", contact=f"patients/{patient}", title="Note",
            body=f"cliniko:treatment_notes/{number}", priority=f"2024-01-0{number}",
        )
        for number, patient in ((1, 1), (2, 1), (3, 2))
    ]  # fmt: skip
    fault(loader, "POST", f"^/contacts/{first}/notes", "status", status=403, nth=refused)
    put_off = loader.load([*head, *notes])
    assert (put_off.code, put_off.report["totals"]["held"]) == (1, 2)
    assert len(state.notes) == 1
    assert loader.load(head).code == (0 if refused == [1] else 1)
    told = [note["body"].partition("cliniko:")[2] for note in state.notes.values()]
    assert told == [f"treatment_notes/{number}" for number in ((3, 1, 2) if refused == [1] else (3, 2))]
