"""The probe: what it reports of a sub-account is what the sub-account is, and nothing of it stays."""

from __future__ import annotations

import json
import random
import signal
import subprocess
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

import pytest
from hl_http_server import HighLevelServer, Reply
from hl_loading import BIN, Loader, rejects
from hl_realities import first_lines, head
from hl_undoing import differing, dump

from sandbox.highlevel.realities import answers_in, options_of
from target_highlevel.api import endpoints
from target_highlevel.api.resource import Unparsed
from target_highlevel.assumptions import REGISTER, Measurement
from target_highlevel.assumptions.known import keep, known
from target_highlevel.commands.probe import ended
from target_highlevel.errors import CredentialsRefused, HighLevelError, Unavailable
from target_highlevel.exit_codes import BUDGET_SPENT
from target_highlevel.http import Governor, HighLevelClient, Limits, PrivateToken
from target_highlevel.ledger.ledger import Ledger, utc_now
from target_highlevel.probe import links, texts
from target_highlevel.probe.asking import Asker
from target_highlevel.probe.belongings import NAME, Belongings, Leftovers
from target_highlevel.probe.documents import Documents
from target_highlevel.probe.own import Found, Own
from target_highlevel.probe.probe import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from hl_http_server import Seen

    from sandbox.control import Request

    #: Makes one who asks a sub-account that answers so.
    Asking = Callable[[Callable[[Seen], Reply]], Asker]

MEASURED = [name for name, item in REGISTER.items() if item.measured]
MOST_REQUESTS = 150
LENGTHS = {name for name in MEASURED if REGISTER[name].unit == "characters"}
#: Measured without any contact.
WITHOUT_CONTACT = {
    "contact_without_address",
    "users_list",
    "list_shape",
    "custom_values",
    "options_per_field",
    "record_search",
    "record_page",
    "envelopes",
    "id_names",
}
TABLES = (
    "contacts", "contact_fields", "notes", "tasks", "calendars", "appointments", "block_slots", "associations", "relations",
    "custom_values", "tags", "objects", "records",
)  # fmt: skip


def reality(seed: int) -> dict[str, str]:
    """Return an answer to every question that a probe measures; only one of ten wants an address."""
    chance = random.Random(seed)  # noqa: S311 - nothing secret
    answers = {name: chance.choice(list(REGISTER[name].answers)) for name in MEASURED}
    answers["search_lag"] = chance.choice(("0", "1"))
    answers["contact_without_address"] = "refused" if seed == 3 else "accepted"
    return answers


def measurable(answers: dict[str, str]) -> set[str]:
    """Return the questions that can be answered in such a reality."""
    if answers["contact_without_address"] == "refused":
        return WITHOUT_CONTACT
    names = set(MEASURED)
    if answers["appointment_user"] == "required":
        names -= {"past_appointments", "event_texts", "event_length", "missing_event"}
    if {answers[name] for name in names & LENGTHS} == {"unlimited"}:
        names.discard("longer_texts")
    if answers["missing_thing"] == "400":
        names.discard("missing_event")
    if answers["users_list"] == "gone":  # nobody to put into a team
        names.discard("calendar_hours")
    return names


def put_record(loader: Loader) -> None:
    """Let the sub-account have a custom object with one record, both of the clinic's own."""
    account, key = loader.sandbox.highlevel.state, "custom_objects.pet"
    row = {
        "id": "object-of-the-clinic",
        "standard": False,
        "key": key,
        "primaryDisplayProperty": f"{key}.name",
    }
    account.objects[key] = {**account.objects["contact"], **row}
    record = {"id": "record-of-the-clinic", "objectKey": key, "properties": {}, "owner": [], "followers": []}
    account.put_record({**record, "source": "", **account.stamp(0.0)}, 0.0)


def contents(loader: Loader) -> dict[str, Any]:
    """Return everything in the sub-account that a probe may make."""
    state = loader.sandbox.highlevel.state
    return {name: dict(getattr(state, name)) for name in TABLES}


def probe(loader: Loader) -> tuple[dict[str, str], dict[str, Any]]:
    """Probe; return the answers and the whole file."""
    done = loader.tool("probe", "--yes")
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-2000:]
    path = newest(loader)
    return answers_in(path), json.loads(path.read_text(encoding="utf-8"))


def newest(loader: Loader) -> Path:
    """Return the newest probe.json."""
    return max((loader.folder / "reports").glob("probe-*/probe.json"))


@pytest.mark.parametrize("answer", ["read_only", "refused"])
def test_custom_values_that_may_be_read_and_not_written_are_told_from_closed_ones(
    answer: str, highlevel: Callable[..., Loader]
) -> None:
    """What is refused is the create, in both."""
    assert probe(highlevel(**options_of({"custom_values": answer})))[0]["custom_values"] == answer


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.soak) for seed in range(1, 10))])
def test_a_random_reality_is_reported_as_it_is(seed: int, highlevel: Callable[..., Loader]) -> None:
    """Every answer that can be found out is found out; nothing is left, sent, or sent too often."""
    answers = reality(seed)
    loader = highlevel(**options_of(answers))
    put_record(loader)
    before = contents(loader)
    found, told = probe(loader)
    assert found == {name: answers[name] for name in measurable(answers)}
    assert set(found) | {item["question"] for item in told["open"]} == set(REGISTER)
    assert contents(loader) == before
    control = loader.sandbox.highlevel.control
    assert control.violations == []
    assert told["requests"] == len(control.requests) < MOST_REQUESTS


@pytest.mark.parametrize(
    ("users", "answer"), [("never", "calendars_only"), ("checked", "accepted"), ("unchecked", "accepted")]
)
def test_a_user_who_cannot_be_blocked_is_found_out(
    users: str, answer: str, highlevel: Callable[..., Loader]
) -> None:
    """That a calendar can be blocked says nothing of users, whose time a load blocks; nothing stays of the question."""
    loader = highlevel(blocks_users=users)
    before = contents(loader)
    assert probe(loader)[0]["blocked_slots"] == answer
    assert contents(loader) == before


@pytest.mark.soak
def test_a_sub_account_made_of_its_probe_behaves_alike(
    highlevel: Callable[..., Loader], tmp_path: Path
) -> None:
    """`probe.json` alone configures a sandbox that answers the same, and in which a load ends the same."""
    first = highlevel(**options_of(reality(1)))
    answers, _ = probe(first)
    path, folder = newest(first), tmp_path / "other"
    folder.mkdir()
    second = Loader(highlevel(**options_of(answers_in(path))).sandbox, folder)
    assert probe(second)[0] == answers
    ends = [one.load([*head(), *first_lines(tmp_path)]) for one in (first, second)]
    assert ends[0].code == ends[1].code
    assert rejects(first) == rejects(second)
    assert ends[0].report["not_taken"] == ends[1].report["not_taken"]
    assert differing(dump(first), dump(second)) == []


def test_a_probe_shows_first_what_it_would_do(highlevel: Callable[..., Loader]) -> None:
    """Without --yes nothing is made, and what later runs go by is not touched."""
    loader = highlevel()
    before = contents(loader)
    shown = loader.tool("probe")
    assert shown.returncode == 0, shown.stderr
    assert "Left by an earlier probe: nothing" in shown.stdout
    assert "nothing was measured" in shown.stdout.lower()
    assert contents(loader) == before
    assert not [entry for entry in loader.sandbox.highlevel.control.requests if entry.write]


@dataclass
class Account:
    """A sub-account with a contact, the fields and a calendar of an earlier probe, in which something does not answer."""

    silent: str
    reply: Reply
    forgets: bool = True
    removed: set[str] = field(default_factory=set)
    more: dict[str, dict[str, list[dict[str, str]]]] = field(default_factory=dict)

    def __call__(self, seen: Seen) -> Reply:
        """Answer one request."""
        asked = f"{seen.method} {seen.path}"
        if asked == self.silent:
            return self.reply
        if seen.method == "DELETE":
            self.removed.add(seen.path)
            return Reply(200, {"succeded": True})
        given = {**LISTS, **self.more}.get(asked, {})
        left = {name: self._left(rows) for name, rows in given.items()}
        skipped = int(dict(parse_qsl(seen.query)).get("skip", 0))
        return Reply(200, {name: rows[skipped : skipped + 100] for name, rows in left.items()})

    def _left(self, rows: list[dict[str, str]]) -> list[dict[str, str]]:
        gone = self.removed if self.forgets else ()
        return [row for row in rows if not any(path.endswith(f"/{row['id']}") for path in gone)]


FIELDS, SEARCH, CONTACT, EVENTS = (
    "GET /locations/loc/customFields",
    "POST /contacts/search",
    "GET /contacts/contact1",
    "GET /contacts/contact1/appointments",
)
ASSOCIATIONS = "GET /associations/"
MARK = "/locations/loc/customFields/field1"
LISTS: dict[str, dict[str, list[dict[str, str]]]] = {
    FIELDS: {"customFields": [{"id": "field1", "fieldKey": "contact.cliniko_migration_probe"}]},
    SEARCH: {"contacts": [{"id": "contact1"}]},
    "GET /calendars/": {"calendars": [{"id": "calendar1", "name": "Cliniko migration probe"}]},
    ASSOCIATIONS: {"associations": []},
    EVENTS: {"events": []},
    "GET /calendars/blocked-slots": {"events": []},
    "GET /locations/loc/customValues": {"customValues": []},
}
NO_ANSWERS = [Reply(401, {"message": "x"}), Reply(400, {"message": "x"}), Reply(200, {"message": "x"})]


@pytest.fixture
def asker() -> Iterator[Asking]:
    """Return a function that gives one who asks such a sub-account."""
    server = HighLevelServer()
    governor = Governor(Limits(requests=1000, seconds=0.1))
    client = HighLevelClient(server.url, PrivateToken("secret"), governor, sleep=lambda _: False)

    def of(account: Callable[[Seen], Reply]) -> Asker:
        server.respond = account
        return Asker(Unparsed(client, "loc"))

    yield of
    client.close()
    server.stop()


def belongings(asker: Asker) -> Belongings:
    """Return what looks for a probe's things, and waits for nothing."""
    return Belongings(asker, lambda _: None)


def test_what_an_earlier_probe_left_is_found_and_removed(
    asker: Asking,
) -> None:
    """Where everything answers."""
    account = Account("nothing", Reply())
    looking = belongings(asker(account))
    found = looking.find()
    assert list(found.told()) == ["1 contact", "1 custom field", "1 calendar"]
    assert not looking.remove(found, settle=0)
    assert len(account.removed) == 3


@pytest.mark.parametrize("reply", NO_ANSWERS, ids=["forbidden", "refused", "not understood"])
@pytest.mark.parametrize("silent", [FIELDS, SEARCH])
def test_what_cannot_be_looked_for_is_not_taken_for_removed(silent: str, reply: Reply, asker: Asking) -> None:
    """Neither before a probe nor after it; what is known is removed all the same, the field with the mark is not."""
    account = Account(silent, reply)
    looking = belongings(asker(account))
    with pytest.raises(HighLevelError):
        looking.find()
    left = looking.remove(Leftovers(contacts=["contact1"], fields=looking.look().fields), settle=0)
    assert left.unseen is not None
    assert "/contacts/contact1" in account.removed
    assert MARK not in account.removed


@pytest.mark.parametrize("status", [404, 400, 401])
def test_a_contact_is_gone_where_highlevel_says_so(status: int, asker: Asking) -> None:
    """Not where it is refused, or nobody may ask: the search may go on to show one that was deleted."""
    account = Account(CONTACT, Reply(status, {"message": "x"}), forgets=False)
    looking = belongings(asker(account))
    left = looking.remove(looking.find(), settle=0)
    assert left.contacts == ["contact1"]  # shown by the search
    assert (left.unseen is None) is (status == 404)
    assert (MARK in account.removed) is (status == 404)


def test_where_highlevel_keeps_failing_the_mark_stays(asker: Asking) -> None:
    """The probe ends then, and the next one looks again."""
    account = Account(CONTACT, Reply(502, {"message": "x"}), forgets=False)
    looking = belongings(asker(account))
    with pytest.raises(Unavailable):
        looking.remove(looking.find(), settle=0)
    assert MARK not in account.removed


def test_a_contact_whose_appointments_cannot_be_seen_stays(asker: Asking) -> None:
    """Once the probe has made one: it might stay behind without its contact."""
    account = Account(EVENTS, Reply(403, {"message": "x"}))
    asking = asker(account)
    asking.ask(endpoints.CREATE_EVENT, json={})
    looking = belongings(asking)
    left = looking.remove(looking.find(), settle=0)
    assert (left.contacts, left.unseen is None) == (["contact1"], False)
    assert not {"/contacts/contact1", MARK} & account.removed


def test_an_association_is_found_behind_a_hundred_others(asker: Asking) -> None:
    """A page holds so many."""
    others = [{"id": f"other{number}", "key": f"other_{number}"} for number in range(150)]
    ours = {"id": "association1", "key": "cliniko_migration_probe"}
    account = Account("nothing", Reply(), more={ASSOCIATIONS: {"associations": [*others, ours]}})
    assert belongings(asker(account)).find().associations == ["association1"]


def test_what_may_not_be_listed_is_none_of_the_probe_s_until_it_has_made_one(
    asker: Asking,
) -> None:
    """A token without the scope of calendars can be probed; one that may only make them leaves something behind."""
    asking = asker(Account("GET /calendars/", Reply(401, {"message": "x"})))
    looking = belongings(asking)
    assert list(looking.find().told()) == ["1 contact", "1 custom field"]
    asking.ask(endpoints.CREATE_CALENDAR, json={})
    with pytest.raises(CredentialsRefused):
        looking.find()


@pytest.mark.parametrize(
    ("limit", "beyond", "told", "answer"),
    [
        (None, "refused", "", "unlimited"),
        (20_000, "refused", "", "20000"),
        (12_345, "refused", "", "10000"),
        (12_345, "refused", " than 12345", "12345"),
        (5_000, "refused", "", "5000"),
        (100, "refused", "", None),
        (12_345, "cut", "", "12345"),
        (0, "cut", "", None),
    ],
)
def test_a_text_may_be_as_long_as_one_that_came_back(
    limit: int | None, beyond: str, told: str, answer: str | None, asker: Asking
) -> None:
    """Not as long as one that was accepted and cut, nor as the next longer one that was not tried."""
    kept = [""]

    def contact(seen: Seen) -> Reply:
        if seen.method == "GET":
            return Reply(200, {"contact": {"customFields": [{"id": "f", "value": kept[0]}]}})
        text = seen.json["customFields"][0]["field_value"]
        if limit is not None and len(text) > limit and beyond == "refused":
            return Reply(422, {"message": [f"the text must not be longer{told}"]})
        kept[0] = text[:limit]
        return Reply(200, {"contact": {}})

    own = Own(asker(contact), Found(utc_now), lambda _: None, lambda: 0.0, "contact1", {"long text": "f"})
    texts._field_limit(own)
    found = own.found.measurements.get("long_text_length")
    assert (found.answer if found else None) == answer
    beyond_it = own.found.measurements.get("longer_texts")
    assert (beyond_it.answer if beyond_it else None) == (beyond if answer and limit is not None else None)
    assert found or "long_text_length" in own.found.unanswered
    assert own.asker.requests <= 10


@pytest.mark.parametrize(
    "shown",
    [
        {"contact": {"id": "c1", "customFields": [None, "x", {"id": "f", "fieldValue": "kept"}]}},
        {"contact": {"_id": "c1", "customFields": {"f": "kept"}}},
        {"data": {"id": 7, "customFields": [{"id": "f", "value": "kept"}]}},
        {"id": "c1", "customFields": [{"id": "f", "field_value": "kept"}]},
    ],
    ids=["odd entries", "by id", "data", "bare"],
)
def test_a_contact_is_read_in_every_shape_that_a_load_reads(shown: dict[str, Any], asker: Asking) -> None:
    """A probe that stopped at one of them would leave what it has made."""
    own = Own(asker(lambda _: Reply(200, shown)), Found(utc_now), lambda _: None, lambda: 0.0)
    own.fields |= {"": "mark", "text": "f"}
    assert own.make_contact().identity("contact") in {"c1", "7"}
    assert own.field_read("text") == "kept"


@pytest.mark.parametrize(
    "shown", [{}, {"contact": None}, {"contact": []}, [], "", {"contact": {"customFields": 7}}]
)
def test_a_contact_of_no_shape_shows_nothing(shown: Any, asker: Asking) -> None:
    """The question is left open, and the next one is asked."""
    own = Own(asker(lambda _: Reply(200, shown)), Found(utc_now), lambda _: None, lambda: 0.0)
    own.fields |= {"": "mark", "text": "f"}
    assert (own.make_contact().identity("contact"), own.field_read("text")) == ("", None)


def test_what_has_another_name_for_its_id_is_found_and_removed_too(asker: Asking) -> None:
    """Nothing stays because of how it is shown."""
    fields = [
        {"_id": 9, "fieldKey": "contact.cliniko_migration_probe_text", "name": NAME, "dataType": "TEXT"}
    ]
    calendars = [{"_id": "k1", "name": NAME}]
    shown = {"customFields": fields, "calendars": calendars, "associations": [], "customValues": []}
    found = belongings(asker(lambda _: Reply(200, shown))).find()
    assert (list(found.fields.values()), found.calendars) == (["9"], ["k1"])


BROKEN = [
    Reply(200, b"{}", {"Content-Encoding": "gzip"}),
    Reply(200, b"nothing\r\n", {"Transfer-Encoding": "chunked"}),
    Reply(200, b"0123456789", cut=3),
    Reply(302, b"", {"Location": "http://[bad"}),
    Reply(200, b"a" * 65536, {"Content-Length": str(3 << 30)}, endless=True),
]


@pytest.mark.parametrize("reply", BROKEN, ids=["no gzip", "no chunks", "cut", "to nowhere", "endless"])
def test_a_document_that_cannot_be_read_is_an_answer_too(reply: Reply) -> None:
    """The probe goes on, and removes what it has made."""
    server = HighLevelServer()
    server.respond = lambda _: reply
    documents = Documents(server.url, PrivateToken("secret"), Governor(Limits(requests=1000, seconds=0.1)))
    try:
        assert documents.read(f"{server.url}/documents/1", token=True).content == b""
    finally:
        documents.close()
        server.stop()


def test_the_token_goes_to_the_apis_own_place_only() -> None:
    """Its host in the clear, or behind another port, is another place."""
    documents = Documents("https://api.example", PrivateToken("secret"), Governor())
    ours = ("https://api.example/d", "https://API.example:443/d")
    others = (
        "http://api.example/d",
        "https://api.example:8443/d",
        "https://api.example@other.example/d",
        "http://[bad",
    )
    assert [documents.is_ours(url) for url in (*ours, *others)] == [True] * 2 + [False] * 4
    documents.close()


@pytest.mark.parametrize(
    ("listed", "answer"),
    [
        ({"relations": []}, "removed"),
        ([{"id": "r"}], "kept"),
        ({"message": "x"}, None),
        ({"relations": "x"}, None),
    ],
    ids=str,
)
def test_relations_are_gone_only_where_a_list_says_so(listed: Any, answer: str | None, asker: Asking) -> None:
    """An answer in another shape is no empty list."""

    def answers(seen: Seen) -> Reply:
        if seen.method == "GET":
            return Reply(200, listed)
        return Reply(200, {"id": "a", "contact": {"id": "other"}, "succeded": True})

    own = Own(asker(answers), Found(utc_now), lambda _: None, lambda: 0.0, "contact1", {"": "mark"})
    links.measure(own)
    found = own.found.measurements.get("relations_outlive_ends")
    assert (found.answer if found else None) == answer


class Facts(dict[str, str]):
    """What a ledger remembers."""

    location, fact, remember = "loc", dict.get, dict.__setitem__


def measurement(name: str, answer: str, day: int) -> Measurement:
    """An answer of a day."""
    return Measurement(name, answer, "seen", f"2026-11-{day:02}T00:00:00+00:00")


def test_a_probe_replaces_only_what_it_has_measured() -> None:
    """One that could make no contact says nothing of what the last one has found of contacts."""
    facts = Facts()
    keep(facts, [measurement("clearing", "null", 1), measurement("users_list", "served", 1)])
    known(facts).learn("task.body", 3000)
    keep(facts, [])
    keep(facts, [measurement("users_list", "gone", 2)])
    found = known(facts)
    assert {name: item.answer for name, item in found.measured.items()} == {
        "clearing": "null",
        "users_list": "gone",
    }
    assert found.measured_at() == datetime(2026, 11, 1, tzinfo=UTC)
    assert found.longest("task_length", "task.body") == 3000
    keep(facts, [measurement("task_length", "unlimited", 3)])
    assert known(facts).longest("task_length", "task.body") is None


def test_what_was_measured_before_a_probe_failed_is_kept(highlevel: Callable[..., Loader]) -> None:
    """Here the day's requests are spent on the way."""
    loader = highlevel()
    loader.settings["REQUESTS_PER_DAY"] = "45"
    assert loader.tool("probe", "--yes").returncode == BUDGET_SPENT
    settings = loader.environment()
    ledger = Ledger(settings["TARGET_HIGHLEVEL_LEDGER_URL"], settings["TARGET_HIGHLEVEL_LOCATION_ID"])
    assert {"users_list", "contact_without_address", "clearing"} <= known(ledger).measured.keys()
    ledger.close()


def test_the_last_line_of_a_probe_is_true() -> None:
    """It does not say that anything was measured where nothing was, nor that nothing is left where nobody can tell."""
    some, path = Found(utc_now), Path("probe.json")
    some.answer("users_list", "served", "x")
    ends = [
        ended(Outcome(found, left, 9), path)
        for found, left in (
            (some, Leftovers()),
            (some, Leftovers(contacts=["a"])),
            (Found(utc_now), Leftovers(contacts=["a"])),
            (some, Leftovers(unseen=Unavailable("HighLevel keeps failing"))),
        )
    ]
    assert ends == [
        (0, "1 answer measured with 9 requests, and nothing of it is left; see probe.json"),
        (1, "1 answer measured; not all that a probe has made could be removed (1 contact): run `probe --yes` again"),
        (1, "nothing was measured; not all that a probe has made could be removed (1 contact): run `probe --yes` again"),
        (1, "1 answer measured; whether anything is left is not known (HighLevel keeps failing): run `probe --yes` again"),
    ]  # fmt: skip


def killed_at(loader: Loader, number: int) -> None:
    """Start a probe and kill it while its nth request is being answered."""
    control = loader.sandbox.highlevel.control
    control.reset_log()
    process = subprocess.Popen(
        [BIN / "highlevel-tools", "probe", "--yes"],
        env=loader.environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )

    def kill(place: int, _request: Request) -> None:
        if place == number:
            process.send_signal(signal.SIGKILL)

    forget = control.before_request(kill)
    assert process.wait(60) == -signal.SIGKILL or len(control.requests) < number
    forget()


def test_a_killed_probe_is_cleaned_up_by_the_next(highlevel: Callable[..., Loader]) -> None:
    """One after the other is killed, each at another request; the last one removes what all of them left."""
    loader = highlevel(search_lag=0.3)
    before = contents(loader)
    for number in (22, 75, 57, 95, 40):
        killed_at(loader, number)
    assert contents(loader) != before
    probe(loader)
    assert contents(loader) == before
    assert loader.sandbox.highlevel.control.violations == []


@pytest.mark.soak
@pytest.mark.parametrize("number", range(1, 100))
def test_a_probe_killed_at_any_request(number: int, highlevel: Callable[..., Loader]) -> None:
    """Whatever was under way, the next probe removes it."""
    loader = highlevel(search_lag=0.3)
    before = contents(loader)
    killed_at(loader, number)
    probe(loader)
    assert contents(loader) == before
