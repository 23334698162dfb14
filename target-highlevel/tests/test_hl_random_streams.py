"""Whatever comes in, in whatever order, and however it ends: a STATE that was printed never runs ahead of what is settled."""

from __future__ import annotations

import io
import json
import random
from collections import defaultdict
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest
from hl_ledgers import Desk
from hl_mapped import person, record, schemas, state
from hypothesis import HealthCheck, given, settings
from test_hl_ledger_counts import RUNS, do

from target_highlevel.engine.state import StateGate, StateOutput
from target_highlevel.ledger.identity import Identity
from target_highlevel.ledger.ledger import Ledger
from target_highlevel.ledger.rows import Status
from target_highlevel.ledger.work import Work

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from hl_loading import Loader

    from target_highlevel.descriptor import Incoming

#: In `make soak` there are ten thousand streams.
STREAMS = 10_000 if settings().max_examples > 1000 else 12
PLACES = count(1)
HEAD = schemas("patients", "treatment_notes", "individual_appointments")
CRASHES = (
    "before_intent",
    "after_intent/contact",
    "after_send",
    "after_response",
    "after_crosswalk",
    "before_state",
)


class Watched:
    """A run of a desk whose printed STATEs are compared with what it had received."""

    def __init__(self, desk: Desk, spoken_of: defaultdict[str, set[str]]) -> None:
        """Begin a run; it is known from those before of which records each contributor has spoken."""
        self._desk = desk
        self._printed = io.StringIO()
        output = StateOutput(self._printed)
        self._gate = StateGate(desk.work, Identity(desk.ledger), output)
        self._output = output
        self._received: list[set[str]] = []
        self._touched: list[set[str]] = []
        self._spoken_of = spoken_of
        desk.work.resume()

    def take(self, chunk: list[Incoming]) -> None:
        """Receive a chunk, and a STATE behind it."""
        self._desk.take(*chunk)
        self._received.append({item.ref for item in chunk if not item.part})
        touched = {item.ref for item in chunk}
        for item in chunk:
            if item.part:  # who contributes to another record now is missed by the one before
                touched |= self._spoken_of[item.part]
                self._spoken_of[item.part].add(item.ref)
        self._touched.append(touched)
        checkpoint = self._output.came({"n": len(self._received)})
        self._gate.checkpoint(self._desk.intake.seq, checkpoint)

    def release(self) -> None:
        """Let through what may pass; of all that came before a STATE that is printed now nothing is still to be written.

        What was held then is in the ledger, and may be written later. What something was said of since is read again from
        that STATE.
        """
        before = len(self._printed.getvalue())
        self._gate.release()
        if len(self._printed.getvalue()) == before:
            return
        lines = self._printed.getvalue().splitlines()
        passed = json.loads(lines[-1])["n"]
        later = set[str]().union(*self._touched[passed:])
        for ref in set[str]().union(*self._received[:passed]) - later:
            assert self._desk.row(ref).status != Status.READY, (ref, passed)
        assert lines == sorted(set(lines), key=lambda line: json.loads(line)["n"])


@pytest.fixture(scope="module")
def shared_ledger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ledger]:
    """A ledger in which each example has a sub-account of its own: to open one costs more than an example."""
    ledger = Ledger(f"sqlite:///{tmp_path_factory.mktemp('shared')}/ledger.db", "place0")
    yield ledger
    ledger.close()


@settings(
    max_examples=STREAMS,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(runs=RUNS)
def test_a_printed_state_is_behind_everything_that_is_to_be_written(
    runs: list[list[tuple[list[Incoming], list[str]]]], shared_ledger: Ledger
) -> None:
    """For random chunks, outcomes and restarts."""
    place = f"place{next(PLACES)}"
    spoken_of: defaultdict[str, set[str]] = defaultdict(set)
    for steps in runs:
        ledger = shared_ledger.beside(place)
        try:
            desk = Desk.begun("", ledger)
            watched = Watched(desk, spoken_of)
            for chunk, deeds in steps:
                watched.take(chunk)
                for deed in deeds:
                    watched.release()
                    for ready in desk.work.claim(1, ()):
                        do(desk, deed, ready)
                watched.release()
        finally:
            ledger.close()


def lines_of(chance: random.Random) -> list[str]:
    """Return random messages: records of people and of what hangs on them, wrong ones, unknown streams, STATEs, all mixed."""
    lines = list(HEAD)
    for number in range(chance.randrange(4, 16)):
        who = f"patients/{chance.randrange(1, 5)}"
        lines.append(chance.choice(_MESSAGES)(who, chance))
        if chance.random() < 0.4:
            lines.append(state(str(number)))
    return [*lines, state("end")]


def _person(who: str, chance: random.Random) -> str:
    mail = chance.choice([None, "shared@example.org", f"{who.replace('/', '')}@example.org"])
    return person(who, chance.choice(["Ada", "Bo"]), "Elm", email=mail)


def _note(who: str, chance: random.Random) -> str:
    source = f"treatment_notes/{chance.randrange(1, 4)}"
    return record("hl_notes", source, contact=who, title="Note", body=f"{chance.random()}\ncliniko:{source}")


def _visit(who: str, chance: random.Random) -> str:
    source = f"individual_appointments/{chance.randrange(1, 4)}"
    told = {"title": "Visit", "body": f"cliniko:{source}", "starts_at": "2024-05-01T10:00:00Z"}
    return record("hl_appointments", source, contact=who, **told)


def _other(*choices: Any) -> Callable[[str, random.Random], str]:
    return lambda _who, chance: json.dumps(chance.choice(choices))


_MESSAGES: tuple[Callable[[str, random.Random], str], ...] = (
    _person,
    _person,
    _note,
    _visit,
    lambda who, _: record("hl_contacts", who, filtered="merged"),
    lambda who, _: record("hl_contacts", who, rejected={"reason": "invalid_date", "field": "dateOfBirth"}),
    lambda who, _: record("hl_contacts", who, firstName=["no", "text"], tags={"a": 1}),
    lambda _who, _: json.dumps(
        {"type": "RECORD", "stream": "hl_contacts", "record": {"firstName": "Nobody"}}
    ),
    lambda _who, chance: chance.choice(HEAD),
    _other(
        {"type": "SCHEMA", "stream": "deals", "schema": {"properties": {"id": {}}}, "key_properties": ["id"]},
        {"type": "ACTIVATE_VERSION", "stream": "hl_contacts", "version": 1},
    ),
)


def _wrong(loader: Loader, lines: list[str], printed: list[str]) -> set[str]:
    """Return the records before the last printed STATE that are still to be written, and have not come again.

    A contact with an address waits until everybody has come, and what hangs on it waits for it: then the STATE may pass.
    """
    if not printed:
        return set()
    last = json.loads(printed[-1])
    place = max(number for number, line in enumerate(lines) if json.loads(line).get("value") == last)
    before, after = (_sources(part) for part in (lines[:place], lines[place:]))
    waited = {ref for ref, record in before.items() if {"email", "phone"} & record.keys()}
    environment = loader.environment()
    ledger = Ledger(environment["TARGET_HIGHLEVEL_LEDGER_URL"], environment["TARGET_HIGHLEVEL_LOCATION_ID"])
    rows = {ref: Work(ledger, "").row(ref) for ref in before.keys() - after.keys()}
    ledger.close()
    lost = {ref for ref, row in rows.items() if row is None}
    ready = [row for row in rows.values() if row and row.status == Status.READY]
    return lost | {row.ref for row in ready if not {row.ref, f"contact:{row.contact}"} & waited}


def _sources(lines: list[str]) -> dict[str, dict[str, Any]]:
    """Return the records that came, by the ref of what they become."""
    objects = {"hl_contacts": "contact", "hl_notes": "note", "hl_appointments": "appointment"}
    messages = [message for message in map(json.loads, lines) if message["type"] == "RECORD"]
    return {
        f"{objects[message['stream']]}:{message['record']['source_id']}": message["record"]
        for message in messages
        if message["record"].get("source_id")
    }


@pytest.mark.parametrize(
    "seed", [*range(2), *(pytest.param(n, marks=pytest.mark.soak) for n in range(2, 200))]
)
def test_a_random_stream_is_taken_to_its_end(seed: int, highlevel: Callable[..., Loader]) -> None:
    """Killed or cut off somewhere, then run again from what was printed: nothing is lost and nothing is there twice.

    Where the search cannot tell whether a refused contact was made, a run says so, and the next one ends it.
    """
    chance = random.Random(seed)  # noqa: S311 - nothing secret
    loader, lines = highlevel(), lines_of(chance)
    loader.settings["UNKNOWN_STREAMS"] = "ignore"
    given = lines[: chance.randrange(len(HEAD), len(lines))]
    if chance.random() < 0.5:
        first = loader.load([*given, '{"type": "RECORD", "stre'])
    else:
        first = loader.load(given, CRASH_AT=f"{chance.choice(CRASHES)}:{chance.randrange(1, 4)}")
    assert _wrong(loader, given, first.states) == set()
    printed = json.loads(first.states[-1]) if first.states else None
    place = max((n for n, line in enumerate(lines) if json.loads(line).get("value") == printed), default=0)
    rest = [*HEAD, *lines[place:]] if printed else lines
    second = loader.load(rest)
    if second.code == 1 and "run again" in second.log:
        assert _wrong(loader, rest, second.states) == set()
        second = loader.load(rest)
    assert second.code in {0, 4}, second.log[-2000:]
    assert json.loads(second.states[-1]) == {"mark": "end"}
    assert _wrong(loader, lines, second.states) == set()
    assert loader.sandbox.highlevel.state.doubles() == {}
