"""Whatever comes in and whatever becomes of it, the closing table closes to zero."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from hl_ledgers import Desk, contact, note, part, profile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from target_highlevel.ledger.counts import object_counts

if TYPE_CHECKING:
    from target_highlevel.descriptor import Incoming
    from target_highlevel.ledger.rows import Row

NUMBERS = st.integers(1, 4)
TEXTS = st.sampled_from(["a", "b"])


def mains(text: str, number: int, kind: str) -> Incoming:
    """Return a record of one kind."""
    if kind == "note":
        return note(number, 1 + number % 4, fields={"body": text})
    if kind == "beside":
        return contact(10 + number, unless=(f"contact:patients/{number}",))
    if kind == "filtered":
        return contact(number, filtered="merged_away", fields={"tags": [text]})
    if kind == "refused":
        return contact(number, fields={}, rejected={"reason": "invalid_date"})
    if kind == "joining":
        return contact(number, joins=("family/1",), fields={"name": text})
    made = profile if kind in {"profile", "alone"} else contact
    return made(number, fields={"name": text}, **({"related": False} if kind == "alone" else {}))


KINDS = ("contact", "note", "beside", "filtered", "refused", "joining", "profile", "alone")
MAINS = st.builds(mains, TEXTS, NUMBERS, st.sampled_from(KINDS))
PARTS = st.builds(
    lambda number, key, text, gone: part(
        number, f"appointments/{key}", fields={"tags": [text]}, filtered="cancelled" if gone else None
    ),
    NUMBERS,
    NUMBERS,
    TEXTS,
    st.booleans(),
)
CHUNKS = st.lists(st.one_of(MAINS, PARTS), min_size=1, max_size=8)
DEEDS = st.lists(st.sampled_from(["write", "reject", "hold", "drop", "unclear"]), max_size=12)
RUNS = st.lists(st.lists(st.tuples(CHUNKS, DEEDS), min_size=1, max_size=3), min_size=1, max_size=3)


def do(desk: Desk, deed: str, row: Row) -> None:
    """Let one thing become of a record."""
    if deed == "write":
        desk.write(row.ref)
    elif deed == "drop":
        desk.work.drop(row, "no_longer_wanted")
    elif deed == "hold":
        desk.work.hold(row, "server_error")
    else:
        desk.work.intend(row, "create", "things")
        if deed == "unclear":
            desk.work.hold(row, "server_error")
        else:
            desk.work.reject(row, "refused")


def assert_closed(desk: Desk) -> None:
    """Each row of the table adds up, and nobody who waits is forgotten or waits for nothing."""
    for count in object_counts(desk.ledger, desk.run):
        assert count.difference == 0, count
        assert min(count.created, count.updated, count.unchanged, count.held, count.rejected) >= 0, count
    idle = """
        select count(*) from record where status = 'held' and reason like 'waits_for:%' and not exists
        (select 1 from dependency where child = ref and dependency.location = record.location)
    """
    assert desk.numbers(idle) == [(0,)]
    assert desk.numbers(
        "select count(*) from record where status in ('ready', 'held') and payload is null and hl_id is null"
    ) == [(0,)]


@settings(
    max_examples=settings().max_examples // 8,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
@given(RUNS)
def test_the_counts_close_to_zero(runs: list[list[tuple[list[Incoming], list[str]]]]) -> None:
    """For random chunks, writes, refusals and restarts, the source is the sum of all outcomes."""
    with tempfile.TemporaryDirectory() as folder:
        desk = Desk.open(f"sqlite:///{Path(folder)}/ledger.db")
        try:
            for steps in runs:
                live(desk, steps)
                desk.next_run()
        finally:
            desk.ledger.close()


def live(desk: Desk, steps: list[tuple[list[Incoming], list[str]]]) -> None:
    """Let one run receive and write, and look at the table after each step."""
    desk.work.resume()
    for chunk, deeds in steps:
        desk.take(*chunk)
        for deed in deeds:
            for ready in desk.work.claim(1, ()):
                do(desk, deed, ready)
        assert_closed(desk)


def test_what_is_contributed_to_nobody_is_counted(desk: Desk) -> None:
    """It waits for the record it belongs to, is left out with it, and is counted no more once it is in it."""
    desk.take(part(1, "alerts/1"), part(2, "alerts/2"), part(3, "alerts/3"), note(3, 3))
    desk.take(part(3, "treatment_notes/3"), contact(2, filtered="merged_away"), contact(3))
    desk.write("contact:patients/3")
    counts = {(item.object, item.resource): item for item in object_counts(desk.ledger, desk.run)}
    alerts = counts["contact", "alerts"]
    assert (alerts.source, alerts.held, alerts.filtered) == (2, 1, 1)
    assert alerts.reasons == {"held": {"waits_for": 1}, "filtered": {"merged_away": 1}}
    assert ("contact", "treatment_notes") not in counts
    desk.next_run()
    (alerts,) = [item for item in object_counts(desk.ledger, desk.run) if item.resource == "alerts"]
    assert (alerts.source, alerts.held, alerts.filtered) == (1, 1, 0)
