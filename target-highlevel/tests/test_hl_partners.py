"""Cliniko account, ledger and sub-account belong together, and one run at a time joins them, wherever it was started."""

from __future__ import annotations

import copy
import csv
import json
import shutil
import sqlite3
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest
import sqlalchemy as sa
from hl_ledgers import CONTACTS, LOCATION, PROFILES, Desk, contact, note, profile
from hl_loading import Loader
from hl_mapped import person, record, schemas

from target_highlevel.api.custom_values import CustomValue, CustomValues
from target_highlevel.connection import sub_account_tokens
from target_highlevel.errors import CredentialsRefused, SettingsError, Unavailable, Unknown
from target_highlevel.http.client import HighLevelClient
from target_highlevel.http.governor import LONGEST_HOLD, Governor, Limits
from target_highlevel.ledger.identity import Identity
from target_highlevel.ledger.ledger import Ledger
from target_highlevel.ledger.recovery import Recovery
from target_highlevel.ledger.rows import Notes, Outcome, Status
from target_highlevel.ledger.undo import Undo, writing_runs
from target_highlevel.partners.mark import LEASE, MARK, mark_from
from target_highlevel.partners.partners import BEAT, TERM, Ourselves, Partners
from target_highlevel.preflight.continuity import is_ahead
from target_highlevel.rollback.pool import do_all
from target_highlevel.settings import settings_from

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from sandbox import Sandbox
    from target_highlevel.engine.session import Session

    Start = Callable[..., Loader]

KILLED, WRONG = -9, 2
HEAD = schemas("patients", "treatment_notes")
ADA, BOB, CY = (
    person(f"patients/{number}", first, "King") for number, first in enumerate(("Ada", "Bob", "Cy"), 1)
)


def origin(account: str) -> list[str]:
    """Return the schemas as a tap of this Cliniko account sends them."""
    lines = []
    for line in HEAD:
        message = json.loads(line)
        message["schema"]["x-cliniko"] = {"origin": "tap-cliniko", "account": account}
        lines.append(json.dumps(message))
    return lines


def state(bookmarks: Mapping[str, Any]) -> str:
    """Return a STATE line."""
    return json.dumps({"type": "STATE", "value": {"bookmarks": bookmarks}})


def since(moment: str) -> str:
    """Return the state from which a tap goes on."""
    return state({"patients": {"replication_key_value": moment}})


SINCE, USERS = (
    {stream: {"replication_key_value": "2026-01-02T00:00:00Z"}} for stream in ("patients", "users")
)


def values(sandbox: Sandbox) -> dict[str, Any]:
    """Return the marks and leases of the sub-account, by name."""
    rows = sandbox.highlevel.state.custom_values.values()
    return {row["name"]: mark_from(row["value"]) for row in rows}


def back_up(loader: Loader, kept: Path) -> None:
    """Make a copy of the ledger."""
    with (
        closing(sqlite3.connect(loader.folder / "ledger.db")) as source,
        closing(sqlite3.connect(kept)) as copy,
    ):
        source.backup(copy)


@contextmanager
def other_place(loader: Loader, *, copied: bool) -> Iterator[Loader]:
    """Give another folder, as on another machine, with a copy of the ledger or without one."""
    folder = loader.folder / "elsewhere"
    folder.mkdir()
    if copied:
        back_up(loader, folder / "ledger.db")
    yield Loader(loader.sandbox, folder)


def restored(loader: Loader, kept: Path) -> None:
    """Put the ledger of a backup in the place of the present one."""
    for name in ("ledger.db-wal", "ledger.db-shm"):
        (loader.folder / name).unlink(missing_ok=True)
    shutil.copy(kept, loader.folder / "ledger.db")


# Whole loads


def test_a_ledger_from_a_backup_finds_again_what_was_written_since(highlevel: Start) -> None:
    """Nobody is created twice, in a full read or from bookmarks; what was undone since is brought again by a full read."""
    loader = highlevel()
    state = loader.sandbox.highlevel.state
    assert loader.load([*HEAD, ADA, since("2026-01-01T00:00:00Z")]).code == 0
    kept = loader.folder / "kept.db"
    back_up(loader, kept)
    assert loader.load([since("2026-01-01T00:00:00Z"), *HEAD, BOB, since("2026-01-02T00:00:00Z")]).code == 0

    restored(loader, kept)
    note = record(
        "hl_notes", "treatment_notes/7", contact="patients/2", title="T", body="cliniko:treatment_notes/7"
    )
    changed = person("patients/2", "Bob", "Queen")
    done = loader.load([since("2026-01-02T00:00:00Z"), *HEAD, note, changed])
    assert done.code == 0, done.log[-2000:]
    assert "highlevel.finds_again" in done.log
    assert sorted(one["lastName"] for one in state.contacts.values()) == ["King", "Queen"]
    assert len(state.notes) == 1

    restored(loader, kept)
    assert loader.load([*HEAD, ADA, changed, note, CY]).code == 0
    assert len(state.contacts) == 3
    assert state.doubles() == {}
    requests = len(loader.sandbox.highlevel.control.requests)
    assert loader.load([*HEAD, ADA, changed, note, CY]).code == 0
    assert (
        len(loader.sandbox.highlevel.control.requests) == requests
    )  # a healthy full read finds nothing again

    back_up(loader, kept)
    assert loader.tool("rollback", "--yes").returncode == 0
    restored(loader, kept)
    moved = person("patients/1", "Ada", "Prince")
    again = [*HEAD, moved, changed, note, CY]
    assert loader.load(again).code == 0
    assert "highlevel.gone" in loader.load(again).log or len(state.contacts) == 3
    assert state.doubles() == {}


@pytest.mark.parametrize("lost", ["object = 'note'", "source_id = 'patients/2'", "1"])
def test_a_ledger_that_has_lost_records_creates_none_of_them_again(highlevel: Start, lost: str) -> None:
    """Some of its rows, or all of them: they are found again first, once, in a full read or from bookmarks."""
    loader = highlevel()
    state = loader.sandbox.highlevel.state
    note = record(
        "hl_notes", "treatment_notes/7", contact="patients/2", title="T", body="cliniko:treatment_notes/7"
    )
    whole = [*HEAD, ADA, BOB, note, since("2026-01-01T00:00:00Z")]
    assert loader.load(whole).code == 0
    for lines in (whole, [since("2026-01-01T00:00:00Z"), *HEAD, note, BOB]):
        with closing(sqlite3.connect(loader.folder / "ledger.db")) as ledger, ledger:
            ledger.execute(f"delete from record where {lost}")  # noqa: S608 - our own words
        done = loader.load(lines)
        assert done.code == 0, done.log[-2000:]
        assert "highlevel.finds_again" in done.log
        assert (len(state.contacts), len(state.notes), state.doubles()) == (2, 1, {})
        assert loader.load(whole).code == 0  # everything is known again
        assert "highlevel.finds_again" not in loader.load(whole).log


def test_what_a_ledger_from_a_backup_has_not_compared_is_not_called_missing(highlevel: Start) -> None:
    """What hangs on people waits for a full read, and was there all the time: last line, report and go-live say so."""
    loader = highlevel()
    seen = record(
        "hl_notes", "treatment_notes/7", contact="patients/1", title="T", body="cliniko:treatment_notes/7"
    )
    assert loader.load([*HEAD, ADA, seen, since("2026-01-01T00:00:00Z")]).code == 0
    kept = loader.folder / "kept.db"
    back_up(loader, kept)
    assert loader.load([since("2026-01-01T00:00:00Z"), *HEAD, BOB, since("2026-01-02T00:00:00Z")]).code == 0
    restored(loader, kept)
    delta = loader.load([since("2026-01-02T00:00:00Z"), *HEAD, CY])
    assert delta.code == 0, delta.log[-2000:]
    line = delta.log.rstrip().splitlines()[-1]
    assert "1 record that this ledger, which is from a backup, has not compared with HighLevel yet" in line
    assert "brought by an undone run or found missing" not in delta.log
    assert (delta.report["to_compare"], delta.report["undone"]) == (1, 0)
    assert "has not compared with HighLevel yet" in loader.tool("go-live").stderr
    whole = loader.load([state({}), *HEAD, ADA, seen, BOB, CY])
    assert "everything is in HighLevel" in whole.log.rstrip().splitlines()[-1]
    assert whole.report["to_compare"] == 0
    assert len(loader.sandbox.highlevel.state.notes) == 1


def test_what_was_undone_since_the_backup_is_brought_again(highlevel: Start) -> None:
    """By a full read, and by nothing less: until one has come to its end no load says that everything is there."""
    loader = highlevel()
    state = loader.sandbox.highlevel.state
    note = record(
        "hl_notes", "treatment_notes/7", contact="patients/2", title="T", body="cliniko:treatment_notes/7"
    )
    link = [{"association": "cliniko_referring_doctor", "to": "contact:contacts/1"}]
    referred = [person(f"patients/{number}", "Di", f"Elm {number}", relations=link) for number in range(4, 9)]
    head = [*HEAD, *schemas("contacts"), person("contacts/1", "Doc", "Tor")]
    everything = [*head, ADA, BOB, note, *referred]
    assert loader.load(everything).code == 0
    kept = loader.folder / "kept.db"
    back_up(loader, kept)
    assert loader.tool("rollback", "--yes").returncode == 0
    restored(loader, kept)
    assert loader.load(everything, CRASH_AT="after_send/contact").code == KILLED
    later = loader.load([since("2026-01-01T00:00:00Z"), *HEAD, CY, since("2026-01-02T00:00:00Z")])
    assert later.code == 0
    assert "does not cover earlier runs" in later.log.splitlines()[-1]
    done = loader.load([json.dumps({"type": "STATE", "value": {}}), *everything, CY])
    assert done.code == 0, done.log[-2000:]
    assert "everything is in HighLevel" in done.log.splitlines()[-1]
    assert (len(state.contacts), len(state.notes), len(state.relations)) == (9, 1, 5)
    assert state.doubles() == {}
    back_up(loader, kept)
    assert loader.load([*HEAD, BOB, CY, person("patients/9", "El", "Ash")]).code == 0
    restored(loader, kept)
    loader.sandbox.highlevel.control.reset_log()
    assert loader.load([*everything, CY]).code == 0
    assert len(state.relations) == 5
    asked = [each for each in loader.sandbox.highlevel.control.requests if "/relations/" in each.path]
    assert 0 < len(asked) <= len(referred) + 1  # each record's links are listed once


def test_a_load_without_anything_to_write_helps_a_command_that_was_refused(highlevel: Start) -> None:
    """A ledger from a backup undoes nothing before it was compared; the advice to load first works when nothing has changed."""
    loader = highlevel()
    assert loader.load([*HEAD, ADA]).code == 0
    kept = loader.folder / "kept.db"
    back_up(loader, kept)
    assert loader.load([*HEAD, ADA, BOB]).code == 0
    restored(loader, kept)
    refused = loader.tool("rollback", "--yes")
    assert refused.returncode == WRONG, refused.stdout
    assert "run `meltano run --full-refresh tap-cliniko target-highlevel` first" in refused.stderr
    loaded = loader.load([*HEAD, ADA])
    assert "highlevel.finds_again" in loaded.log
    undone = loader.tool("rollback", "--yes")
    assert undone.returncode == 0, undone.stdout + undone.stderr


def undone(loader: Loader) -> list[tuple[str, str, str]]:
    """Undo every run, the last one first; return (source, reason, fields) of what the first load had made and was left alone."""
    while (done := loader.tool("rollback", "--yes")).returncode == 0:
        newest = max((loader.folder / "reports").glob("*/spared.csv"))
    assert "there is no run to undo" in done.stderr, done.stderr
    with newest.open(encoding="utf-8-sig", newline="") as file:
        return [(row["source"], row["reason"], row["fields"]) for row in csv.DictReader(file)]


@pytest.mark.parametrize("way", ["full", "delta"])
def test_after_somebody_deleted_the_mark_an_undo_knows_what_is_ours(way: str, highlevel: Start) -> None:
    """What the refusal advises helps at once; tags that we gave are no person's, and the city that a person changed is."""
    loader = highlevel()
    there = loader.sandbox.highlevel.state
    ada, bob = (person(f"patients/{n}", "A", "King", city="Leeds", tags=["patient"]) for n in (1, 2))
    noted = record(
        "hl_notes", "treatment_notes/7", contact="patients/1", title="T", body="cliniko:treatment_notes/7"
    )
    whole = [state({}), *HEAD, ada, bob, *([noted] if way == "full" else []), since("2026-01-01T00:00:00Z")]
    assert loader.load(whole).code == 0
    there.custom_values.clear()
    assert loader.load(whole).code == 0  # it writes nothing, and no mark
    there.damage.edit_contact(there.sources()["contacts"]["patients/2"][0], city="York")
    refused = loader.tool("rollback", "--yes")
    assert refused.returncode == WRONG
    assert "run `meltano run --full-refresh tap-cliniko target-highlevel` first" in refused.stderr
    found = loader.load(whole if way == "full" else [since("2026-01-01T00:00:00Z"), *HEAD])
    assert "highlevel.finds_again" in found.log
    if way == "full":
        assert "everything is in HighLevel" in found.log.rstrip().splitlines()[-1]
    assert undone(loader) == [("patients/2", "changed", "city")]
    assert [one["city"] for one in there.contacts.values()] == ["York"]
    assert not there.notes


@pytest.mark.parametrize("changed", [False, True])
def test_without_a_mark_a_full_read_leaves_the_undo_what_is_ours(*, changed: bool, highlevel: Start) -> None:
    """It finds everything again before it writes: the tags that we gave are ours as before, and a person's city is not."""
    loader = highlevel(scopes=NO_MARK)
    there = loader.sandbox.highlevel.state
    ada = person("patients/1", "Ada", "King", city="Leeds", tags=["patient"])
    assert loader.load([state({}), *HEAD, ada]).code == 0
    if changed:
        there.damage.edit_contact(next(iter(there.contacts)), city="York")
    assert "highlevel.finds_again" in loader.load([state({}), *HEAD, ada, BOB]).log
    assert undone(loader) == ([("patients/1", "changed", "city")] if changed else [])
    assert len(there.contacts) == changed


def test_another_ledger_is_refused_until_it_takes_over(highlevel: Start) -> None:
    """Two machines with a ledger each: the second one changes nothing; after it took over, the first one is refused."""
    loader = highlevel()
    state = loader.sandbox.highlevel.state
    assert loader.load([*origin("1"), ADA]).code == 0
    with other_place(loader, copied=False) as other:
        before = state.dump()
        refused = other.load([*origin("1"), ADA, BOB])
        assert (refused.code, state.dump()) == (WRONG, before)
        assert "TARGET_HIGHLEVEL_TAKE_OVER" in refused.log
        taken = other.load([*origin("1"), ADA, BOB], TAKE_OVER="true")
        assert taken.code == 0, taken.log[-2000:]
        assert other.load([*origin("1"), ADA, BOB, CY]).code == 0
    assert len(state.contacts) == 3
    assert loader.load([*origin("1"), ADA, person("patients/2", "Bob", "Queen")]).code == WRONG


def test_the_key_of_another_clinic_changes_nothing(highlevel: Start) -> None:
    """In the same folder the ledger knows; with a new ledger the sub-account does, whatever the setting to take over says."""
    loader = highlevel()
    state = loader.sandbox.highlevel.state
    assert loader.load([*origin("1"), ADA]).code == 0
    before = state.dump()
    for lines in ([*origin("2"), BOB], [since("2026-01-01T00:00:00Z"), *origin("2"), BOB]):
        refused = loader.load(lines)
        assert refused.code == WRONG
        assert "TAP_CLINIKO_API_KEY" in refused.log
    assert loader.load([*origin("2"), BOB], MODE="plan").code == WRONG
    with other_place(loader, copied=False) as other:
        refused = other.load([*origin("2"), BOB], TAKE_OVER="true")
        assert refused.code == WRONG
        assert "sub-account" in refused.log
    assert state.dump() == before
    assert loader.load([*origin("1"), ADA, BOB]).code == 0
    assert len(state.contacts) == 2


@pytest.mark.parametrize("point", ["before_lease", "after_lease", "after_crosswalk", "after_mark"])
def test_killed_at_the_seams_of_a_lease(point: str, highlevel: Start) -> None:
    """The same ledger starts again at once; a copy of it elsewhere is refused while the lease lasts."""
    loader = highlevel()
    state = loader.sandbox.highlevel.state
    assert loader.load([*HEAD, ADA], CRASH_AT=point).code == KILLED
    with other_place(loader, copied=True) as other:
        before = state.dump()
        if point in {"after_lease", "after_crosswalk"}:
            refused = other.load([*HEAD, ADA, BOB])
            assert (refused.code, state.dump()) == (WRONG, before)
            assert "another machine or folder" in refused.log
    done = loader.load([*HEAD, ADA, BOB])
    assert done.code == 0, done.log[-2000:]
    assert state.doubles() == {}
    assert len(state.contacts) == 2
    assert set(values(loader.sandbox)) == {MARK}


_AREAS = (
    "contacts", "locations", "locations/customFields", "objects/schema", "objects/record", "associations",
    "associations/relation", "users", "forms",
)  # fmt: skip
#: All that a token needs, but the custom values.
NO_MARK = frozenset(f"{area}.{way}" for area in _AREAS for way in ("readonly", "write"))
READ_ONLY = NO_MARK | {"locations/customValues.readonly"}


def test_without_the_scope_who_was_deleted_comes_again_with_their_history(highlevel: Start) -> None:
    """The full read that finds out says what is still missing, and the next one brings it."""
    loader = highlevel(scopes=NO_MARK)
    related = [{"association": "cliniko_profile_contact", "to": "contact:patients/1"}]
    history = [
        record("hl_patient_profiles", "patients/1", patient_name="Ada King", relations=related),
        record("hl_notes", "treatment_notes/1", contact="patients/1", body="Knee"),
    ]
    assert loader.load([*HEAD, ADA, *history]).code == 0
    state = loader.sandbox.highlevel.state
    assert (len(state.contacts), len(state.notes), len(state.relations)) == (1, 1, 1)
    state.damage.delete("contacts", next(iter(state.contacts)))
    found = loader.load([*HEAD, ADA, *history, BOB])
    assert "3 records brought by an undone run or found missing" in found.log
    assert loader.load([*HEAD, ADA, *history, BOB]).code == 0
    assert (len(state.contacts), len(state.notes), len(state.relations)) == (2, 1, 1)


@pytest.mark.parametrize("scopes", [NO_MARK, READ_ONLY], ids=["none", "read only"])
def test_without_the_scope_a_full_read_finds_everything_again(
    scopes: frozenset[str], highlevel: Start
) -> None:
    """It says so; a ledger from a backup creates nobody twice, and a state that is ahead of it is refused."""
    loader = highlevel(scopes=scopes)
    first = loader.load([*HEAD, ADA, since("2026-01-01T00:00:00Z")])
    assert first.code == 0, first.log[-2000:]
    assert "highlevel.no_mark" in first.log
    assert "sub-account that cannot keep a mark" in {item["what"] for item in first.report["to_do"]}
    kept = loader.folder / "kept.db"
    back_up(loader, kept)
    assert loader.load([*HEAD, ADA, BOB, since("2026-01-02T00:00:00Z")]).code == 0
    restored(loader, kept)
    for path in loader.folder.glob("ledger.db.*.runs"):  # on another machine
        path.unlink()
    ahead = loader.load([since("2026-01-02T00:00:00Z"), *HEAD, CY])
    assert ahead.code == WRONG
    assert "--full-refresh" in ahead.log
    assert loader.load([*HEAD, ADA, BOB, CY]).code == 0
    assert loader.sandbox.highlevel.state.doubles() == {}
    assert len(loader.sandbox.highlevel.state.contacts) == 3


@pytest.mark.parametrize("scopes", [NO_MARK, READ_ONLY], ids=["none", "read only"])
def test_without_the_scope_a_delta_and_an_undo_go_by_the_ledger(
    scopes: frozenset[str], highlevel: Start
) -> None:
    """A mark that could never be written is not missed: no run of this ledger takes it for a backup."""
    loader = highlevel(scopes=scopes)
    assert loader.load([state({}), *HEAD, ADA, since("2026-01-01T00:00:00Z")]).code == 0
    for day, bob in enumerate((BOB, person("patients/2", "Bob", "Queen")), 1):
        states = [since(f"2026-01-0{day + number}T00:00:00Z") for number in (0, 1)]
        delta = loader.load([states[0], *HEAD, bob, states[1]])
        assert "everything is in HighLevel" in delta.log.splitlines()[-1]
        assert "highlevel.finds_again" not in delta.log
    for _ in range(3):
        undone = loader.tool("rollback", "--yes")
        assert undone.returncode == 0, undone.stderr
    assert not loader.sandbox.highlevel.state.contacts


# The protocol, against the sandbox, without a process


def client_of(sandbox: Any) -> HighLevelClient:
    """Return a client of a sandbox's HighLevel."""
    settings = settings_from(
        {"location_id": sandbox.location_id, "access_token": sandbox.access_token, "api_url": sandbox.url}
    )
    governor = Governor(Limits(requests=20_000, per_day=100_000))
    return HighLevelClient(settings.api_url, sub_account_tokens(settings), governor, sleep=lambda _: False)


@pytest.fixture
def partner(highlevel: Start, desks: list[Desk]) -> Iterator[Callable[..., Partners]]:
    """Return a function that makes a partner of a sandbox, which ends before the ledgers are closed."""
    assert desks
    sandbox = highlevel().sandbox.highlevel
    client = client_of(sandbox)
    made: list[Partners] = []

    def make(desk: Desk, **more: Any) -> Partners:
        ourselves = Ourselves(desk.run, "the ledger", "here", sandbox.location_id)
        own = {name: more.pop(name) for name in ("ledger", "place", "take_over") if name in more}
        store = more.pop("store", None) or CustomValues(client, sandbox.location_id)
        pauses = {"wait": lambda _: None, "beat": 60.0, **more}
        made.append(Partners(store, Identity(desk.ledger), replace(ourselves, **own), **pauses))
        return made[-1]

    make.sandbox = sandbox  # type: ignore[attr-defined]
    yield make
    for one in made:
        one.release()
    client.close()


class Lax(CustomValues):
    """Custom values of a HighLevel that takes a second one of the same name."""

    number = 0

    def create(self, name: str, value: str) -> str:
        """Create a value under a name that nobody has, which is listed as the one wanted."""
        Lax.number += 1
        return super().create(f"{name} {Lax.number}", value)

    def listed(self) -> list[CustomValue]:
        """List them under the wanted names."""
        return [replace(item, name=item.name.rstrip(" 0123456789")) for item in super().listed()]


@pytest.fixture
def desks(tmp_path: Path) -> Iterator[list[Desk]]:
    """Ledgers of some machines."""
    opened = [Desk.open(f"sqlite:///{tmp_path}/{number}.db") for number in range(6)]
    yield opened
    for desk in opened:
        desk.ledger.close()


@pytest.mark.parametrize("kind", [CustomValues, Lax])
@pytest.mark.parametrize("attempt", range(3))
def test_of_many_that_start_at_once_at_most_one_goes_on(
    kind: type[CustomValues], attempt: int, partner: Callable[..., Partners], desks: list[Desk]
) -> None:
    """Copies of one ledger in six places, whether or not HighLevel minds two values of one name."""
    sandbox = partner.sandbox  # type: ignore[attr-defined]
    client = client_of(sandbox)
    sides = [
        partner(desk, place=f"{attempt} {number}", store=kind(client, sandbox.location_id))
        for number, desk in enumerate(desks)
    ]

    def claims(one: Partners) -> bool:
        try:
            one.meet()
            one.claim()
        except SettingsError:
            return False
        return True

    with ThreadPoolExecutor(len(sides)) as pool:
        won = list(pool.map(claims, sides))
    assert sum(won) <= 1
    assert kind is Lax or sum(won) == 1


def test_a_lease_is_renewed_and_one_that_expired_is_watched_before_it_is_taken(
    partner: Callable[..., Partners], desks: list[Desk]
) -> None:
    """A clock that is hours ahead takes a live lease for expired: it changes while it is watched, and stands."""
    sandbox = partner.sandbox  # type: ignore[attr-defined]
    alive = partner(desks[0], beat=0.05)
    alive.meet()
    alive.claim()
    ((identity, row),) = sandbox.state.custom_values.items()
    first = row["value"]
    deadline = time.monotonic() + 20
    while sandbox.state.custom_values[identity]["value"] == first and time.monotonic() < deadline:
        time.sleep(0.01)
    assert mark_from(sandbox.state.custom_values[identity]["value"]).until > mark_from(first).until  # type: ignore[union-attr]

    def expire() -> None:
        there = sandbox.state.custom_values[identity]
        old = f"{datetime.now(UTC) - timedelta(hours=10):%Y-%m-%dT%H:%M:%S+00:00}"
        there["value"] = json.dumps({**json.loads(there["value"]), "until": old})

    second = partner(desks[1], place="there", wait=time.sleep, beat=0.5)
    expire()
    second.meet()
    with pytest.raises(SettingsError, match="another machine or folder"):
        second.claim()
    alive._ended.set()
    time.sleep(0.2)
    expire()
    third = partner(desks[2], place="there")
    assert third.meet()
    third.claim()
    with pytest.raises(SettingsError):
        partner(desks[3], place="a third one").meet()


def test_a_run_that_ends_while_it_is_watched_was_alive(
    partner: Callable[..., Partners], desks: list[Desk]
) -> None:
    """By a clock that is ahead its lease had expired: what it has written since is found out by the next run."""
    sandbox = partner.sandbox  # type: ignore[attr-defined]
    alive = partner(desks[0])
    alive.claim()
    ((_, lease),) = sandbox.state.custom_values.items()
    lease["value"] = json.dumps({**json.loads(lease["value"]), "until": "2026-01-01T00:00:00+00:00"})
    second = partner(desks[1], place="there", wait=lambda _: alive.release())
    second.meet()
    with pytest.raises(SettingsError, match="another machine or folder"):
        second.claim()
    assert [row["name"] for row in sandbox.state.custom_values.values()] == [MARK]


def keep_checking(partners: Partners) -> None:
    """Check the lease again and again, for 20 seconds at most."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        partners.check()
        time.sleep(0.01)


def test_who_loses_the_lease_writes_no_more(partner: Callable[..., Partners], desks: list[Desk]) -> None:
    """Somebody has taken it for that of a killed run, after this machine had slept, say."""
    sandbox = partner.sandbox  # type: ignore[attr-defined]
    sleeper = partner(desks[0], beat=0.02)
    sleeper.claim()
    sleeper.check()
    run = cast("Session", SimpleNamespace(partners=sleeper, stop=threading.Event()))
    done: list[int] = []
    do_all(done.append, [1], run)
    sandbox.state.custom_values.clear()
    with pytest.raises(Unavailable):
        keep_checking(sleeper)
    with pytest.raises(Unavailable):
        do_all(done.append, [2], run)
    assert done == [1]


def test_a_lease_that_has_expired_is_nobody_s(partner: Callable[..., Partners], desks: list[Desk]) -> None:
    """A renewal that HighLevel does not answer takes longer than the lease holds: meanwhile another run may have begun."""
    sandbox = partner.sandbox  # type: ignore[attr-defined]
    seconds = [0.0]
    run = partner(desks[0], beat=3600.0, clock=lambda: seconds[0])
    run.claim()
    seconds[0] = 119
    run.check()
    seconds[0] = 121
    with pytest.raises(Unavailable):
        run.check()
    before = copy.deepcopy(sandbox.state.custom_values)
    run.release()
    assert sandbox.state.custom_values == before


def test_a_429_holds_no_lease_back_until_it_expires() -> None:
    """A renewal waits as everybody does, for as long as HighLevel may ask for at once."""
    assert LONGEST_HOLD + BEAT < TERM


def test_a_run_that_came_and_went_between_a_look_and_the_claim_is_noticed(
    partner: Callable[..., Partners], desks: list[Desk]
) -> None:
    """A copy of the ledger in another place has written meanwhile what this one does not know."""
    sandbox = partner.sandbox  # type: ignore[attr-defined]
    slow, quick = partner(desks[0]), partner(desks[1], place="there")
    for one in (slow, quick):
        one.meet()
    quick.claim()
    quick.release()
    with pytest.raises(SettingsError, match="another machine or folder"):
        slow.claim()
    assert [row["name"] for row in sandbox.state.custom_values.values()] == [MARK]


def test_a_mark_that_somebody_changed_or_deleted_has_everything_found_again(
    partner: Callable[..., Partners], desks: list[Desk]
) -> None:
    """Nobody can tell any more whether the ledger has fallen behind."""
    sandbox = partner.sandbox  # type: ignore[attr-defined]
    run = partner(desks[0])
    assert not run.meet()
    run.claim()
    run.release()
    assert not partner(desks[0]).meet()
    ((_, row),) = sandbox.state.custom_values.items()
    row["value"] = "please keep"
    assert partner(desks[0]).meet()
    sandbox.state.custom_values.clear()
    assert partner(desks[0]).meet()


def test_a_run_that_was_cut_off_counts_as_far_as_its_last_sign_of_life(
    partner: Callable[..., Partners], desks: list[Desk]
) -> None:
    """A backup taken in the middle of a run has the same counter: the length of the trail tells it from what came later."""
    desk = desks[0]
    run = partner(desk)
    run.claim()
    desk.take(contact(1))
    desk.write("contact:patients/1")
    run.release()
    with desk.ledger.transaction() as connection:
        connection.exec_driver_sql("delete from audit where seq > 1")
    assert partner(desk).meet()


NO_SUCH_ROUTE = {"action": "html", "status": 404}
FORBIDDEN = {"action": "status", "status": 403, "body": {"message": "Forbidden resource"}}
NOTHING = {"action": "status", "status": 200, "body": {}}
BROKEN = {"action": "status", "status": 500}
DEAD_TOKEN = {"action": "status", "status": 401, "body": {"message": "Invalid JWT"}}


def strike(partner: Callable[..., Partners], method: str, how: dict[str, Any]) -> None:
    """Let requests for custom values be answered like this."""
    rule = {"match": {"method": method, "path_regex": "/customValues"}, **how}
    partner.sandbox.control.add_fault(rule)  # type: ignore[attr-defined]


@pytest.mark.parametrize("how", [{"action": "status", "status": 404}, NO_SUCH_ROUTE, FORBIDDEN, NOTHING])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_service_without_custom_values_keeps_no_mark(
    method: str, how: dict[str, Any], partner: Callable[..., Partners], desks: list[Desk]
) -> None:
    """In whatever words it says so: the load goes on without a mark, and the next one too."""
    strike(partner, method, how)
    for _ in range(2):
        run = partner(desks[0])
        run.meet()
        run.claim()
        assert run.has_mark is False


@pytest.mark.parametrize("lost", [{"action": "drop_after"}, BROKEN])
def test_one_lost_answer_about_the_lease_stops_no_run(
    lost: dict[str, Any], partner: Callable[..., Partners], desks: list[Desk]
) -> None:
    """Whether it was carried out or not, the lease is there once, and becomes the mark."""
    strike(partner, "POST", {**lost, "times": 1})
    kept = partner.sandbox.state.custom_values  # type: ignore[attr-defined]
    run = partner(desks[0])
    run.claim()
    assert [row["name"] for row in kept.values()] == [LEASE]
    run.release()
    assert [row["name"] for row in kept.values()] == [MARK]


@pytest.mark.parametrize("how", [BROKEN, DEAD_TOKEN])
def test_a_service_that_is_down_or_refuses_the_token_says_nothing_of_marks(
    how: dict[str, Any], partner: Callable[..., Partners], desks: list[Desk]
) -> None:
    """Without knowing who else writes there nothing is written."""
    strike(partner, "POST", how)
    with pytest.raises((Unknown, CredentialsRefused)):
        partner(desks[0]).claim()


NO_SCOPE = {
    "action": "status",
    "status": 401,
    "body": {"message": "The token is not authorized for this scope."},
}


def test_a_mark_that_may_be_written_no_more_is_missed_once(
    partner: Callable[..., Partners], desks: list[Desk]
) -> None:
    """Somebody deleted it and took the scope from the token: what was written meanwhile is found again by one run."""
    run = partner(desks[0])
    run.claim()
    run.release()
    kept = partner.sandbox.state.custom_values  # type: ignore[attr-defined]
    kept.clear()
    strike(partner, "POST", NO_SCOPE)
    run = partner(desks[0])
    assert run.meet()
    run.claim()
    assert not run.is_marked
    assert not partner(desks[0]).meet()

    partner.sandbox.control.clear_faults()  # type: ignore[attr-defined]
    run = partner(desks[0])
    run.claim()
    run.release()
    assert [row["name"] for row in kept.values()] == [MARK]
    assert not partner(desks[0]).meet()
    kept.clear()
    assert partner(desks[0]).meet()


def test_the_lease_of_a_killed_run_that_may_not_be_removed_ends_no_run(
    partner: Callable[..., Partners], desks: list[Desk]
) -> None:
    """The scope was taken from the token since: it stays, and this run has none of its own."""
    killed = partner(desks[0])
    killed.claim()
    killed._lease = None
    for method in ("POST", "PUT", "DELETE"):
        strike(partner, method, NO_SCOPE)
    for _ in range(2):
        run = partner(desks[0])
        assert not run.meet()
        run.claim()
        assert run.has_mark is False


def test_where_a_mark_was_kept_its_absence_is_not_believed(
    partner: Callable[..., Partners], desks: list[Desk]
) -> None:
    """What has been served before is out of order, not missing."""
    run = partner(desks[0])
    run.claim()
    run.release()
    strike(partner, "GET", FORBIDDEN)
    with pytest.raises(CredentialsRefused):
        partner(desks[0]).meet()


# Without HighLevel


def test_one_ledger_by_two_paths_is_one(tmp_path: Path) -> None:
    """A symbolic link to the ledger, or to its folder, leads to the same lock; a URI that would not is refused."""
    (tmp_path / "data").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "data")
    ledger = Ledger(f"sqlite:///{tmp_path}/data/ledger.db", LOCATION)
    (tmp_path / "other.db").symlink_to(tmp_path / "data" / "ledger.db")
    for path in ("link/ledger.db", "data/../link/ledger.db", "other.db"):
        with pytest.raises(SettingsError, match="another run is writing"):
            Ledger(f"sqlite:///{tmp_path}/{path}", LOCATION)
    with pytest.raises(SettingsError, match="by its path"):
        Ledger(f"sqlite:///file:{tmp_path}/data/ledger.db?uri=true", LOCATION)
    ledger.close()


def test_a_ledger_put_back_from_a_backup_is_known_by_its_place(tmp_path: Path) -> None:
    """Before anything is asked of HighLevel: what was in its place had claimed the sub-account once more."""
    path, kept = tmp_path / "ledger.db", tmp_path / "kept.db"
    for run in ("1", "2"):
        shutil.copy(path, kept) if path.exists() else None
        ledger = Ledger(f"sqlite:///{path}", LOCATION)
        identity = Identity(ledger)
        assert not identity.is_put_back
        identity.claim(Desk.begun("", ledger).run, int(run))
        assert not identity.is_put_back
        ledger.close()
    shutil.copy(kept, path)
    ledger = Ledger(f"sqlite:///{path}", LOCATION)
    assert Identity(ledger).is_put_back
    ledger.close()


def test_a_ledger_that_has_lost_records_is_known_by_its_trail(ledger_url: str) -> None:
    """Rows that a rescue of a damaged database did not bring along were created all the same, and would be once more."""
    desk = Desk.open(ledger_url)
    desk.take(contact(1))
    desk.take(contact(2))
    Identity(desk.ledger).claim(desk.run, 1)
    desk.write(contact(1))
    desk.write(contact(2))
    assert not Identity(desk.ledger).is_put_back
    with desk.ledger.transaction() as connection:
        connection.execute(sa.text("delete from record where source_id = 'patients/2'"))
    assert Identity(desk.ledger).is_put_back
    Identity(desk.ledger).keep_come()  # what it must find again is noted elsewhere
    assert not Identity(desk.ledger).is_put_back
    desk.ledger.close()


@pytest.mark.parametrize("whole_folder", [False, True])
def test_a_copy_made_while_the_run_went_on_that_was_killed_is_known(
    tmp_path: Path, partner: Callable[..., Partners], *, whole_folder: bool
) -> None:
    """Neither its counter nor the lease, renewed now and then, tells it from the ledger that the killed run has left."""
    here, kept, there = (tmp_path / name for name in ("here", "kept", "there"))
    here.mkdir()
    desk = Desk.open(f"sqlite:///{here / 'ledger.db'}")
    desk.take(contact(1))
    killed = partner(desk, beat=3600.0)
    killed.claim()
    shutil.copytree(here, kept)
    desk.work.intend(desk.row(contact(1)), "create", "contacts")
    killed._lease = None  # it stays where it is
    desk.ledger.close()

    goes_on = Desk.open(f"sqlite:///{here / 'ledger.db'}")
    assert not partner(goes_on).meet()  # nothing was put back: it can start again at once
    goes_on.ledger.close()

    if whole_folder:
        shutil.copytree(kept, there)
    else:
        there = here
        shutil.copy(kept / "ledger.db", there)
        shutil.copy(kept / "ledger.db-wal", there)
    copied = Desk.open(f"sqlite:///{there / 'ledger.db'}")
    assert partner(copied).meet()
    Identity(copied.ledger).keep_come()
    assert not Identity(copied.ledger).is_put_back  # what it must find again is noted elsewhere
    copied.ledger.close()


def test_a_copy_is_known_when_another_sub_account_has_used_it_since(tmp_path: Path) -> None:
    """Its audit trail is as long as that of the ledger before, and what stands there is about somebody else."""
    path, kept = tmp_path / "ledger.db", tmp_path / "kept.db"
    first = Desk.open(f"sqlite:///{path}", "first")
    first.take(contact(1))
    Identity(first.ledger).claim(first.run, 1)
    first.ledger.close()
    shutil.copy(path, kept)
    first = Desk.open(f"sqlite:///{path}", "first")
    first.work.intend(first.row(contact(1)), "create", "contacts")
    first.ledger.close()

    shutil.copy(kept, path)
    second = Desk.open(f"sqlite:///{path}", "second")
    second.take(contact(7))
    Identity(second.ledger).claim(second.run, 1)
    second.write(contact(7))
    assert not Identity(second.ledger).is_put_back
    second.ledger.close()
    ledger = Ledger(f"sqlite:///{path}", "first")
    assert Identity(ledger).is_put_back
    ledger.close()


def test_how_far_a_ledger_has_come_is_kept_whichever_thread_is_last(tmp_path: Path) -> None:
    """Two write an entry one after the other, and may note them the other way round."""
    ledger = Ledger(f"sqlite:///{tmp_path / 'ledger.db'}", LOCATION)
    ledger.lock.begin(3)
    for entry in (2, 1):
        ledger.lock.keep(entry)
    assert ledger.lock.come == (3, 2)
    ledger.lock.begin(4)
    assert ledger.lock.come == (4, 0)
    ledger.close()


@pytest.mark.parametrize("is_behind", [True, False])
def test_what_hangs_on_others_is_looked_for_by_a_ledger_that_is_behind(
    *, is_behind: bool, tmp_path: Path
) -> None:
    """A run that it knows nothing of may have undone it: whatever comes next is compared, even if it comes unchanged."""
    desk = Desk.open(f"sqlite:///{tmp_path}/ledger.db")
    desk.take(contact(1), note(7, 1))
    for ref in ("contact:patients/1", "note:treatment_notes/7"):
        desk.write(ref)
    Recovery(desk.ledger, desk.run).require(is_behind=is_behind)
    found = desk.row("note:treatment_notes/7")
    assert (found.hl_id is None, bool(found.intent), found.status == Status.FILTERED) == (is_behind,) * 3
    assert desk.row("contact:patients/1").hl_id
    desk.take(contact(1), note(7, 1))
    assert (desk.row("note:treatment_notes/7").status == Status.READY) == is_behind
    desk.ledger.close()


def test_what_hung_on_somebody_who_is_gone_comes_again_with_them(ledger_url: str) -> None:
    """Notes and links went with a contact that somebody has deleted; the run that finds out is killed halfway."""
    desk = Desk.open(ledger_url)
    clinic = [contact(1), profile(1), note(7, 1), contact(2), profile(2), note(8, 2)]
    desk.take(*clinic)
    for item in clinic:
        row = desk.row(item)
        if row.contact:
            desk.work.claim_id(row, f"hl-{row.ref}", ours=True, parent_id=f"hl-contact:{row.contact}")
        desk.write(item)
    for number in (1, 2):
        ends = {end: f"hl-{kind}:patients/{number}" for end, kind in zip(ENDS, KINDS, strict=True)}
        row = desk.row(link_of(number))
        desk.work.settle(row, Outcome.CREATED, hl_id=f"link {number}", written={}, notes=Notes(link=ends))
    recovery = Recovery(desk.ledger, desk.run)
    recovery.require(is_behind=False)
    recovery.begin("contact")
    recovery.found([{"ref": contact(2).ref, "hl_id": desk.row(contact(2)).hl_id, "written": {}}])
    (gone,) = recovery.not_found("contact")
    recovery.forget(gone)
    desk.next_run()
    recovery = Recovery(desk.ledger, desk.run)
    assert recovery.forget_along() == 0  # nothing is compared yet
    recovery.begin("contact")
    assert recovery.forget_along() == 2
    assert recovery.forget_along() == 0
    recovery.end("contact")
    desk.take(*clinic)
    assert set(desk.write_all()) == {contact(1).ref, profile(1).ref, link_of(1), note(7, 1).ref}
    desk.ledger.close()


KINDS = (PROFILES.object, CONTACTS.object)
ENDS = ("first", "second")


def link_of(number: int) -> str:
    """Return the ref of the link between a patient's profile and contact."""
    return f"relation:of|{profile(number).ref}|{contact(number).ref}"


def test_the_order_of_runs_is_that_in_which_they_were_begun(ledger_url: str) -> None:
    """The clock was ten hours ahead at the load: the delta is the newer run all the same, and what it changed is its own."""
    clock = [datetime(2026, 11, 2, 20, tzinfo=UTC)]
    runs = []
    for hour in (20, 10):
        clock[0] = clock[0].replace(hour=hour)
        ledger = Ledger(ledger_url, LOCATION, now=lambda: clock[0])
        desk = Desk.begun(ledger_url, ledger)
        desk.take(contact(1, fields={"name": f"at {hour}"}))
        row = desk.row("contact:patients/1")
        desk.work.intend(row, "update", "things", before={"name": "x"})
        desk.write("contact:patients/1")
        runs.append(desk.run)
        ledger.close()
    ledger = Ledger(ledger_url, LOCATION)
    assert runs == writing_runs(ledger) == [item["id"] for item in ledger.runs()]
    assert runs[1] < runs[0]
    assert Undo(ledger, "", runs[0]).rewritten() == {"contact:patients/1"}
    assert Undo(ledger, "", runs[1]).rewritten() == set()
    ledger.close()


def test_a_state_is_ahead_when_a_stream_is() -> None:
    """So is one that goes on with a stream of which nothing has passed; an earlier state does no harm."""
    passed = {"patients": {"replication_key_value": "2026-01-02T00:00:00Z"}}
    later = {
        "patients": {
            "replication_key_value": "2026-01-03T00:00:00Z",
            "window": {"to": "2027-01-01T00:00:00Z"},
        }
    }
    assert is_ahead(later, passed)
    assert not is_ahead(passed, later)
    assert not is_ahead(later, None)
    assert is_ahead({"users": {"replication_key_value": "2026-01-01T00:00:00Z"}}, passed)
    assert is_ahead(passed, {})
    assert not is_ahead({"users": {}}, passed)


@pytest.mark.parametrize("passed", [None, {}, {"users": {"replication_key_value": "2026-01-09T00:00:00Z"}}])
def test_a_first_read_that_broke_is_not_gone_on_with_from_a_strange_state(
    passed: dict[str, Any] | None, highlevel: Start
) -> None:
    """Of the stream nothing had passed when the run ended: who is older than the state would never come."""
    loader = highlevel()
    begun = [state({}), *HEAD, ADA, *([] if passed is None else [state(passed)])]
    assert loader.load([*begun, json.dumps({"type": "STATE", "value": {"complete": False}})]).code == 1
    strange = loader.load([state({**(passed or {}), **SINCE}), *HEAD, CY])
    assert strange.code == WRONG, strange.log[-2000:]
    assert "--full-refresh" in strange.log.rstrip().splitlines()[-1]
    assert loader.load([state({}), *HEAD, ADA, BOB, CY, state({**(passed or {}), **SINCE})]).code == 0
    assert len(loader.sandbox.highlevel.state.contacts) == 3


def test_a_full_read_that_broke_goes_on_from_what_passed_before_it(highlevel: Start) -> None:
    """The bookmarks of an earlier run stay good for the streams that it did not come to, and those of no sample count."""
    loader = highlevel()
    of_sample = {"patients": {**SINCE["patients"], "sample": ["1"]}}
    assert loader.load([state({}), *HEAD, ADA, state(of_sample)]).code == 0
    half = json.dumps({"type": "STATE", "value": {"bookmarks": USERS, "complete": False}})
    assert loader.load([state({}), *HEAD, ADA, half]).code == 1
    assert loader.load([state({**USERS, **SINCE}), *HEAD, CY]).code == WRONG
    assert loader.load([state(of_sample), *HEAD, ADA]).code == 0

    assert loader.load([state({}), *HEAD, ADA, BOB, state({**USERS, **SINCE})]).code == 0
    assert loader.load([state({}), *HEAD, ADA, half]).code == 1
    assert loader.load([state({**USERS, **SINCE}), *HEAD, CY]).code == 0
    assert len(loader.sandbox.highlevel.state.contacts) == 3


def test_what_passed_before_anything_was_there_does_not_count(highlevel: Start) -> None:
    """Bookmarks and an empty sub-account are refused; the full read that follows may break off, too."""
    loader = highlevel(empty=True)
    assert loader.load([state(SINCE), *HEAD]).code == WRONG
    half = json.dumps({"type": "STATE", "value": {"bookmarks": USERS, "complete": False}})
    assert loader.load([state({}), *HEAD, ADA, half]).code == 1
    assert loader.load([state({**USERS, **SINCE}), *HEAD, CY]).code == WRONG
