"""Routes that HighLevel may not offer: only what needs one of them stays out, and is listed; a required one ends a load."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from hl_http_server import HighLevelServer, Reply
from hl_loading import fault, rejects
from hl_mapped import person, record, schemas

from target_highlevel.api.live import LiveHighLevel
from target_highlevel.errors import CredentialsRefused, NotOffered, Refused, Unavailable
from target_highlevel.http import Governor, HighLevelClient, Limits, PrivateToken
from target_highlevel.rollback.engagement import Engagement
from target_highlevel.setup.offered import Offered

if TYPE_CHECKING:
    from collections.abc import Callable

    from hl_loading import Loader

NO: dict[str, dict[str, Any]] = {
    "403": {"action": "status", "status": 403, "body": {"statusCode": 403, "message": "Forbidden resource"}},
    "404": {"action": "status", "status": 404, "body": {"statusCode": 404, "message": "Not found"}},
    "no_route": {"action": "status", "status": 404, "body": {"message": "Cannot GET /anything"}},
    "405": {"action": "status", "status": 405, "body": {"message": "Method Not Allowed"}},
    "422": {"action": "status", "status": 422, "body": {"message": ["locationId should not be empty"]}},
    "501": {"action": "status", "status": 501, "body": {"message": "Not Implemented"}},
    "{}": {"action": "status", "status": 200, "body": {}},
}
TYPE, HOURS, AWAY = "appointment_types/5", "practitioner_appointment_types/9#5", "unavailable_blocks/7"
VISIT, CARD = "individual_appointments/2", "patients/1"
PIPELINE = "Clinic"


def lines() -> list[str]:
    """Return one patient with something of everything that a clinic can do without."""
    week = {"open_hours": "1 09:00-13:00", "common_hours": "1 09:00-13:00", "time_zone": "Australia/Sydney"}
    names = ("patients", "practitioners", "individual_appointments", "appointment_types")
    return [
        *schemas(*names, "unavailable_blocks", "treatment_notes"),
        record("hl_users", "practitioners/9", email="orla.featherstone@clinic.example.com", active=True),
        record(
            "hl_calendars", TYPE, name="Physio", minutes=45, seats=1, bookable=True, notice_hours=2,
            team=["user:practitioners/9"], schedules=[f"schedule:{HOURS}"], **week,
        ),
        record(
            "hl_schedules", HOURS, name="Physio: Orla", owner="user:practitioners/9", calendar=f"calendar:{TYPE}",
            needs=[f"calendar:{TYPE}"], time_zone="Australia/Sydney", hours="1 09:00-13:00",
        ),
        record(
            "hl_absences", AWAY, title="Leave", owner="user:practitioners/9",
            starts_at="2031-05-01T01:00:00Z", ends_at="2031-05-02T01:00:00Z",
        ),
        person("patients/1", "Ada", "Lovelace"),
        record("hl_opportunities", CARD, contact=CARD, follows=f"contact:{CARD}", name="Ada Lovelace"),
        record(
            "hl_contacts", CARD, contributor=VISIT,
            visit={"at": "2090-05-01T01:00:00Z", "day": "2090-05-01", "state": "booked", "type": "Physio"},
        ),
        record(
            "hl_appointments", VISIT, contact="patients/1", title="Visit", status="booked", body=f"cliniko:{VISIT}",
            owner="user:practitioners/9",
            starts_at="2090-05-01T01:00:00Z", ends_at="2090-05-01T02:00:00Z", calendar=f"calendar:{TYPE}",
            after=[f"calendar:{TYPE}"],
        ),
        record(
            "hl_notes", "treatment_notes/8", contact="patients/1", title="Seen",
            body="Well\ncliniko:treatment_notes/8",
        ),
    ]  # fmt: skip


@dataclass(frozen=True)
class Route:
    """A request that HighLevel does not offer, and the records that need it."""

    method: str
    path: str
    needed_by: frozenset[str]
    #: Records that wait for one of those.
    held: frozenset[str] = frozenset()


#: What stands in the diary, and cards: where a route is missing that makes or lists them, the others go in.
ROUTES = {
    "hours of users, listed": Route("GET", "/calendars/schedules/search", frozenset({HOURS})),
    "hours of users, made": Route("POST", "/calendars/schedules$", frozenset({HOURS})),
    "blocked slots, listed": Route("GET", "/calendars/blocked-slots", frozenset({AWAY})),
    "blocked slots, made": Route("POST", "/calendars/events/block-slots", frozenset({AWAY})),
    "calendars, listed": Route("GET", "/calendars/$", frozenset({TYPE, VISIT}), held=frozenset({HOURS})),
    "calendars, made": Route("POST", "/calendars/$", frozenset({TYPE, VISIT}), held=frozenset({HOURS})),
    "pipelines": Route("GET", "/opportunities/pipelines", frozenset({CARD})),
    "opportunities, made": Route("POST", "/opportunities/$", frozenset({CARD})),
    "workflows": Route("GET", "/workflows/", frozenset()),
    "marks": Route("GET", "/customValues", frozenset()),
    "folders": Route("POST", "/custom-fields/folder", frozenset()),
}
#: Where a success says nothing, or the server only failed to do it, a create may have been carried out: it is looked for again.
MAY_BE_THERE = {"501", "{}"}


@pytest.fixture
def practice(highlevel: Callable[..., Loader]) -> Loader:
    """A sub-account in which coming appointments are events, and which has a pipeline."""
    loader = highlevel()
    loader.settings |= {"APPOINTMENTS_AS": "mixed", "PIPELINE": PIPELINE}
    loader.sandbox.highlevel.state.staff.add_pipeline(PIPELINE, ["Physio"])
    return loader


def cases() -> list[Any]:
    """Return every route with every way to miss it; one of each route is tried at once, the others in the soak run."""
    found = []
    for turn, (name, route) in enumerate(ROUTES.items()):
        ways = [way for way in NO if not (route.method == "POST" and way in MAY_BE_THERE)]
        usual = ways[turn % len(ways)]
        found += [
            pytest.param(name, way, marks=[] if way == usual else pytest.mark.soak, id=f"{name}-{way}")
            for way in ways
        ]
    return found


def counts(report: dict[str, Any], what: str) -> int:
    """Return how many records ended so."""
    return sum(each[what] for each in report["objects"])


@pytest.mark.parametrize(("name", "way"), cases())
def test_only_what_needs_a_route_stays_out(name: str, way: str, practice: Loader) -> None:
    """It is listed with its reason; everything else is there, and a second load makes nothing twice."""
    route, how = ROUTES[name], dict(NO[way])
    fault(practice, route.method, route.path, how.pop("action"), **how)
    ended = practice.load(lines())
    assert ended.code == (4 if route.needed_by else 0), ended.log[-2000:]
    assert {source for source, _ in rejects(practice)} == route.needed_by
    assert counts(ended.report, "held") == len(route.held)
    state = practice.sandbox.highlevel.state
    there = {"calendars": TYPE, "schedules": HOURS, "block_slots": AWAY, "appointments": VISIT}
    missing = route.needed_by | route.held
    assert [len(getattr(state, each)) for each in there] == [
        source not in missing for source in there.values()
    ]
    assert (len(state.contacts), len(state.notes)) == (1, 1)
    assert len(state.opportunities) == (CARD not in missing)
    again = practice.load(lines())
    assert again.code in {0, 4}, again.log[-2000:]
    assert not state.doubles()
    assert (len(state.contacts), len(state.notes)) == (1, 1)


@pytest.mark.parametrize(
    ("path", "way"),
    [("/users/", "405"), ("/objects/$", "{}"), ("/customFields$", "405"), ("/associations/$", "{}")],
)
def test_a_required_route_ends_the_load_before_the_first_write(path: str, way: str, practice: Loader) -> None:
    """The last line names the route, and no record has gone in."""
    how = dict(NO[way])
    fault(practice, "GET", path, how.pop("action"), **how)
    ended = practice.load(lines())
    assert ended.code == 1, ended.log[-2000:]
    assert path.rstrip("$") in ended.log.splitlines()[-1]
    assert not practice.sandbox.highlevel.state.contacts


def test_a_part_that_keeps_failing_is_asked_once_a_run() -> None:
    """Each of a hundred records would wait for it; what failed may pass, what was refused does not by itself."""
    asked = []

    def ask(error: Exception) -> None:
        asked.append(error)
        raise error

    offered = Offered(dict)
    for part, error, definite in (
        ("schedule", Unavailable(status=500), False),
        ("calendar", Unavailable(status=501), True),
        ("blocked_slot", Refused(status=405), True),
    ):
        for _ in range(3):
            with pytest.raises(NotOffered) as told, offered.asked(part):
                ask(error)
            assert told.value.is_definite is definite
    assert len(asked) == 3


def test_what_concerns_all_is_no_missing_part() -> None:
    """A token without a scope is a person's to mend; where nothing is answered at all, nothing is left out."""

    def down() -> None:
        raise Unavailable(status=500)

    scope = CredentialsRefused(status=401, missing="scope calendars.readonly")
    for location, error in ((lambda: None, scope), (down, Unavailable(status=500))):
        with pytest.raises(type(error)), Offered(location).asked("calendar"):
            raise error


@pytest.mark.parametrize("status", [403, 404, 405, 422, 500, 501])
def test_signs_of_work_that_are_not_shown_say_nothing_of_anybody(status: int) -> None:
    """A list of everybody's that is not there is no empty one: a contact that tells of no change is spared."""
    server, token = HighLevelServer(), PrivateToken("token")
    server.respond = lambda seen: Reply(
        status if seen.path == "/conversations/search" else 200, {"message": "Not found", "data": []}
    )
    governor = Governor(Limits(requests=100_000))
    client = HighLevelClient(server.url, token, governor, sleep=lambda _: False)
    session: Any = SimpleNamespace(highlevel=LiveHighLevel(client, "loc"))
    undo: Any = SimpleNamespace(ids=lambda _: set(), touches=dict)
    engagement = Engagement(session, undo)
    assert engagement.reason("contact", {}) == "activity_since"
    assert "conversation" in engagement.unseen
    client.close()
    server.stop()


@pytest.mark.parametrize(("way", "reason"), [("404", "not_found"), ("405", "refused")])
def test_one_contact_whose_notes_are_not_listed_ends_no_load(
    way: str, reason: str, highlevel: Callable[..., Loader]
) -> None:
    """After a lost ledger each contact's notes are looked at first: of one that is gone, only those stay out."""
    loader, head = highlevel(), schemas("patients", "treatment_notes")
    people = [person(f"patients/{number}", "Ada", f"Lovelace {number}") for number in (1, 2)]
    assert loader.load([*head, *people]).code == 0
    (loader.folder / "ledger.db").unlink()
    gone = min(loader.sandbox.highlevel.state.contacts)
    how = dict(NO[way])
    fault(loader, "GET", f"/contacts/{gone}/notes", how.pop("action"), **how)
    notes = [
        record(
            "hl_notes", f"treatment_notes/{number}", contact=f"patients/{number}", title="Seen", body="Well"
        )
        for number in (1, 2)
    ]
    ended = loader.load([*head, *people, *notes], TAKE_OVER="true")
    assert ended.code == 4, ended.log[-2000:]
    assert {told for _, told in rejects(loader)} == {reason}
    assert len(loader.sandbox.highlevel.state.notes) == 1
