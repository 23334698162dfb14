"""A ledger of hundreds of thousands of rows: nothing that happens once per record may read it from end to end."""

from __future__ import annotations

import re
import sys
import threading
from collections import Counter
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from hl_ledgers import Desk, contact, note, part, practitioner, profile

from target_highlevel.descriptor import Incoming
from target_highlevel.ledger.counts import writes, writes_since
from target_highlevel.ledger.rows import Outcome
from target_highlevel.values import record_json

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

#: What SQLite says of a step that is led by no more than the sub-account, or by how far a record has come.
WIDE = re.compile(r"SCAN (?!CONSTANT)|\(location=\?\)|\(location=\? AND status=\?\)")
#: Those that do not belong to a record: the next records to write, the oldest, how many there are; the end of the trail; and
#: who names a practitioner for whom another user stands now.
NOT_OF_A_RECORD = re.compile(
    r"^SELECT (min|count)\(|ORDER BY record\.rank|ORDER BY audit\.seq DESC|contribution\.fields LIKE"
    r"|record\.payload LIKE",
    re.MULTILINE,
)


@contextmanager
def noted(statements: dict[str, Any]) -> Iterator[None]:
    """Keep each statement that an engine executes in this thread, with values for it: another test's may still be at work."""
    here = threading.get_ident()

    def note_it(
        _connection: Any, _cursor: Any, statement: str, values: Any, _context: Any, many: Any
    ) -> None:
        if threading.get_ident() == here:
            statements[statement] = values[0] if many else values

    sa.event.listen(sa.Engine, "before_cursor_execute", note_it)
    try:
        yield
    finally:
        sa.event.remove(sa.Engine, "before_cursor_execute", note_it)


def work(desk: Desk) -> None:
    """Let records of every kind come in, wait for each other, change, be written, fail and go."""
    person, insured = contact(1), profile(2, joins=("insurers/1",))
    booking = contact(7, unless=(person.ref,))
    desk.take(note(3, 1), profile(1), insured, booking, practitioner(9, "u9"))
    desk.take(person, contact(2), part(1, "appointments/4", fields={"tags": ["a"]}))
    desk.write_all()
    desk.take(replace(person, fields={"name": "New"}), part(1, "appointments/4", filtered="cancelled"))
    desk.take(profile(1, related=False), replace(note(3, 1), filtered="deleted"), contact(8))
    desk.take(practitioner(9, None))
    rows = desk.work.claim(10, ())
    desk.work.reject(desk.row(contact(8)), "refused", "name")
    desk.work.hold(rows[-1], "server_error")
    for row in (desk.row(person), desk.row(insured)):
        desk.work.contributions(row)
        desk.work.shared(row)
        desk.work.claim_id(row, "other", ours=True)
        desk.work.mark_listed(row, "note")
        desk.work.settle(row, Outcome.UPDATED, hl_id=row.hl_id, written={})
        desk.work.set_aside(row, "elsewhere")
        desk.work.drop(row, "no_longer_wanted")
    desk.work.low_water()
    desk.work.waiting()


def test_no_step_of_a_record_reads_the_whole_ledger(tmp_path: Path) -> None:
    """SQLite finds what a statement is about by the name of a record, not among all that wait or all there are."""
    desk, statements = Desk.open(f"sqlite:///{tmp_path}/ledger.db"), dict[str, Any]()
    with noted(statements):
        work(desk)
    wide = []
    with desk.ledger.transaction() as connection:
        for statement, values in statements.items():
            if not statement.startswith(("SELECT", "UPDATE", "DELETE")) or NOT_OF_A_RECORD.search(statement):
                continue
            plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", tuple(values)).all()
            wide += [(row.detail, statement) for row in plan if WIDE.search(row.detail)]
    desk.ledger.close()
    assert len(statements) > 40
    assert wide == []


def test_what_a_run_wrote_is_found_by_the_run(tmp_path: Path) -> None:
    """The trail of a year has millions of entries: each run's are found by it, and their records by name."""
    desk, statements = Desk.open(f"sqlite:///{tmp_path}/ledger.db"), dict[str, Any]()
    desk.take(contact(1), contact(2))
    desk.write(contact(1))
    first = desk.run
    desk.next_run()
    desk.write(contact(2))
    with noted(statements):
        one, since = writes(desk.ledger, first), writes_since(desk.ledger, 1)
    assert one == since[first] == since[desk.run] == {("contact", "patients", "created"): 1}
    plans = []
    with desk.ledger.transaction() as connection:
        for statement, values in statements.items():
            plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", tuple(values)).all()
            plans.append(" / ".join(row.detail for row in plan))
    desk.ledger.close()
    assert [plan for plan in plans if "audit_run (location=? AND run=?)" not in plan] == []
    assert [plan for plan in plans if "(location=? AND ref=?)" not in plan] == []


def test_what_comes_as_it_was_is_asked_for_and_seen_and_no_more(tmp_path: Path) -> None:
    """A chunk of unchanged records takes four statements, and each is spelled once, for its digest.

    What others say of the same patients is not read again.
    """
    desk, statements = Desk.open(f"sqlite:///{tmp_path}/ledger.db"), dict[str, Any]()
    money = {"amount": "5"}
    chunk = [replace(contact(1), money=money), contact(2), part(1, "appointments/4", fields={"tags": ["a"]})]
    desk.take(*chunk, *(part(1, f"appointments/{number}", fields={"tags": ["b"]}) for number in range(5, 50)))
    calls = Counter[object]()
    sys.setprofile(lambda frame, event, _: calls.update([frame.f_code] if event == "call" else ()))
    try:
        with noted(statements):
            desk.take(*chunk)
    finally:
        sys.setprofile(None)
    assert calls[record_json.__code__] == len(chunk)
    assert calls[Incoming.payload.__code__] == 0
    said, known, *seen = statements
    assert known.split()[0] == "SELECT"
    assert "contribution.part IN (?)" in said
    assert [statement.split()[:2] for statement in seen] == [["UPDATE", "record"]] * 2
    desk.ledger.close()
