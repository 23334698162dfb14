"""The probe: what it reports of a sub-account is what the sub-account is, and nothing of it stays."""

from __future__ import annotations

import json
import random
import signal
import subprocess
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from hl_http_server import HighLevelServer, Reply
from hl_loading import BIN, Loader, rejects
from hl_realities import first_lines, head
from hl_undoing import differing, dump

from sandbox.highlevel.realities import answers_in, options_of
from target_highlevel.api import endpoints
from target_highlevel.api.resource import Unparsed
from target_highlevel.assumptions import REGISTER
from target_highlevel.errors import CredentialsRefused, HighLevelError
from target_highlevel.http import Governor, HighLevelClient, Limits, PrivateToken
from target_highlevel.probe.asking import Asker
from target_highlevel.probe.belongings import Belongings, Leftovers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from hl_http_server import Seen

    from sandbox.control import Request

MEASURED = [name for name, item in REGISTER.items() if item.measured]
MOST_REQUESTS = 150
#: Measured without any contact.
WITHOUT_CONTACT = {
    "contact_without_address",
    "users_list",
    "list_shape",
    "custom_values",
    "options_per_field",
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
    if answers["missing_thing"] == "400":
        names.discard("missing_event")
    if answers["users_list"] == "gone":  # nobody to put into a team
        names.discard("calendar_hours")
    return names


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


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.soak) for seed in range(1, 10))])
def test_a_random_reality_is_reported_as_it_is(seed: int, highlevel: Callable[..., Loader]) -> None:
    """Every answer that can be found out is found out; nothing is left, sent, or sent too often."""
    answers = reality(seed)
    loader = highlevel(**options_of(answers))
    before = contents(loader)
    found, told = probe(loader)
    assert found == {name: answers[name] for name in measurable(answers)}
    assert set(found) | {item["question"] for item in told["open"]} == set(REGISTER)
    assert contents(loader) == before
    control = loader.sandbox.highlevel.control
    assert control.violations == []
    assert told["requests"] == len(control.requests) < MOST_REQUESTS


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

    def __call__(self, seen: Seen) -> Reply:
        """Answer one request."""
        asked = f"{seen.method} {seen.path}"
        if asked == self.silent:
            return self.reply
        if seen.method == "DELETE":
            self.removed.add(seen.path)
            return Reply(200, {"succeded": True})
        return Reply(200, {name: self._left(rows) for name, rows in LISTS.get(asked, {}).items()})

    def _left(self, rows: list[dict[str, str]]) -> list[dict[str, str]]:
        gone = self.removed if self.forgets else ()
        return [row for row in rows if not any(path.endswith(f"/{row['id']}") for path in gone)]


FIELDS, SEARCH, CONTACT = (
    "GET /locations/loc/customFields",
    "POST /contacts/search",
    "GET /contacts/contact1",
)
LISTS: dict[str, dict[str, list[dict[str, str]]]] = {
    FIELDS: {"customFields": [{"id": "field1", "fieldKey": "contact.cliniko_migration_probe"}]},
    SEARCH: {"contacts": [{"id": "contact1"}]},
    "GET /calendars/": {"calendars": [{"id": "calendar1", "name": "Cliniko migration probe"}]},
    "GET /associations/": {"associations": []},
    "GET /locations/loc/customValues": {"customValues": []},
}
NO_ANSWERS = [Reply(401, {"message": "x"}), Reply(400, {"message": "x"}), Reply(200, {"message": "x"})]


@pytest.fixture
def asker() -> Iterator[Callable[[Account], Asker]]:
    """Return a function that gives one who asks such a sub-account."""
    server = HighLevelServer()
    governor = Governor(Limits(requests=1000, seconds=0.1))
    client = HighLevelClient(server.url, PrivateToken("secret"), governor, sleep=lambda _: False)

    def of(account: Account) -> Asker:
        server.respond = account
        return Asker(Unparsed(client, "loc"))

    yield of
    client.close()
    server.stop()


def belongings(asker: Asker) -> Belongings:
    """Return what looks for a probe's things, and waits for nothing."""
    return Belongings(asker, lambda _: None)


def test_what_an_earlier_probe_left_is_found_and_removed(
    asker: Callable[[Account], Asker],
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
def test_what_cannot_be_looked_for_is_not_taken_for_removed(
    silent: str, reply: Reply, asker: Callable[[Account], Asker]
) -> None:
    """Neither before a probe nor after it; what is known is removed all the same, the field with the mark is not."""
    account = Account(silent, reply)
    looking = belongings(asker(account))
    with pytest.raises(HighLevelError):
        looking.find()
    with pytest.raises(HighLevelError):
        looking.remove(Leftovers(contacts=["contact1"], fields=looking.look().fields), settle=0)
    assert "/contacts/contact1" in account.removed
    assert "/locations/loc/customFields/field1" not in account.removed


@pytest.mark.parametrize(("status", "answer"), [(404, []), (401, None), (502, None)])
def test_a_contact_is_gone_where_highlevel_says_so(
    status: int, answer: list[str] | None, asker: Callable[[Account], Asker]
) -> None:
    """Not where nobody may ask: the search may go on to show one that was deleted."""
    account = Account(CONTACT, Reply(status, {"message": "x"}), forgets=False)
    looking = belongings(asker(account))
    found = looking.find()
    if answer is None:
        with pytest.raises(HighLevelError):
            looking.remove(found, settle=0)
        assert "/locations/loc/customFields/field1" not in account.removed
    else:
        assert looking.remove(found, settle=0).contacts == ["contact1"]  # shown by the search
        assert "/locations/loc/customFields/field1" in account.removed


def test_what_may_not_be_listed_is_none_of_the_probe_s_until_it_has_made_one(
    asker: Callable[[Account], Asker],
) -> None:
    """A token without the scope of calendars can be probed; one that may only make them leaves something behind."""
    asking = asker(Account("GET /calendars/", Reply(401, {"message": "x"})))
    looking = belongings(asking)
    assert list(looking.find().told()) == ["1 contact", "1 custom field"]
    asking.ask(endpoints.CREATE_CALENDAR, json={})
    with pytest.raises(CredentialsRefused):
        looking.find()


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
    for number in (22, 75, 95, 40):
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
