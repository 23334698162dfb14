"""The engine: takes mapped records into the ledger and has workers write what is ready, parents first."""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from target_highlevel.engine.absence import MaybeThere
from target_highlevel.engine.progress import Progress
from target_highlevel.engine.queue import Queue
from target_highlevel.errors import (
    CredentialsRefused,
    DayBudgetSpent,
    HighLevelError,
    Interrupted,
    NotOffered,
    Refused,
    Unavailable,
    Unknown,
)
from target_highlevel.ledger.rows import DIARY, Status
from target_highlevel.objects.diary import left_out_by
from target_highlevel.reasons import NOT_OFFERED
from target_highlevel.texts import counted

if TYPE_CHECKING:
    from collections.abc import Mapping

    from target_highlevel.descriptor import Incoming, StreamSpec
    from target_highlevel.engine.session import Session
    from target_highlevel.engine.state import Checkpoint
    from target_highlevel.ledger.rows import Row
    from target_highlevel.settings import Settings

logger = logging.getLogger(__name__)

#: Enough to fill the burst budget at one second and a half of latency.
WORKERS = 16
_CHUNK = 500
_TICK = 0.5
#: After so many failures one after another it is asked whether HighLevel answers at all…
_FAILURES_TO_ASK_AFTER = 5
#: … and after so many the run ends all the same.
_MOST_FAILURES_IN_A_ROW = 50
_FIRST_REJECTED = 50
#: What a clinic can do without: where HighLevel does not let it be made, all else is.
_OPTIONAL = frozenset({*DIARY, "opportunity"})
#: At the end of a run it is decided so often anew who keeps a shared address.
_MOST_SHARED_OUT = 5


class Engine:
    """Everything between a mapped record and HighLevel. The target feeds it from one thread."""

    def __init__(self, session: Session) -> None:
        """Prepare; ``start`` begins to write."""
        self._session = session
        self._buffer: list[Incoming] = []
        self._state: Checkpoint | None = None  # the newest that came after something in the buffer
        self._mutex = threading.Lock()
        self._wake = threading.Condition()
        self._queue = Queue(session)
        self._failure: BaseException | None = None
        self._failures_in_a_row = 0
        self._put_off_number = 0
        #: Refusals for want of leave, by the kind of object, and the kinds of which something was written.
        self._never_allowed: list[tuple[str, CredentialsRefused]] = []
        self._written: set[str] = set()
        self._undecided_number = 0
        #: Contacts of which a note was put off.
        self._without_a_note: set[str | None] = set()
        self._unclear: set[str] = set()
        self._shared_out = 0
        self._settled = 0
        self._rejected_first = 0
        self._stop = session.stop
        self._threads: list[threading.Thread] = []
        self.progress = Progress(session.work, self._queue, session.day)

    def start(self) -> None:
        """Begin, once, to write what earlier runs left and what comes in; a verification takes it in and writes nothing."""
        if self._threads or self._session.mode == "verify":
            return
        self._session.begin()
        self._session.work.resume()
        names = [f"writer-{number}" for number in range(WORKERS)]
        self._threads = [threading.Thread(target=self._write_all, name=name, daemon=True) for name in names]
        self._threads.append(threading.Thread(target=self._tick_all, name="ticker", daemon=True))
        for thread in self._threads:
            thread.start()

    # Fed by the target

    def declare(self, message: Mapping[str, Any]) -> StreamSpec | None:
        """Take the SCHEMA of a mapped stream; records of it may follow."""
        self.flush()
        waited_for = not self._session.everybody_came
        spec = self._session.declare(message)
        if waited_for and self._session.everybody_came:
            self._share_out()
        return spec

    def submit(self, item: Incoming) -> None:
        """Take a mapped record; opportunities only where there is a pipeline for them."""
        self.check()
        if item.spec.kind == "opportunity" and not self._session.settings.pipeline:
            return
        if item.spec.kind == "user":
            item = self._resolved(item)
        if item.spec.kind in DIARY:
            item = in_use(item, self._session.settings)
        parts = self._session.division.parts(item) if item.spec.kind == "note" else [item]
        with self._mutex:
            self._buffer += parts
            full = len(self._buffer) >= _CHUNK
        if full:
            self.flush()

    def _resolved(self, item: Incoming) -> Incoming:
        try:
            return self._session.directory.resolve(item)
        except Interrupted:  # the workers have ended meanwhile, and why they did is what counts
            if self._failure is not None:
                raise self._failure from None
            raise

    def checkpoint(self, state: Checkpoint) -> None:
        """Take a STATE: it is passed on when everything before it is settled."""
        self.check()
        with self._mutex:
            if self._buffer:
                self._state = state
            else:
                self._session.states.checkpoint(self._session.intake.seq, state)

    def flush(self) -> None:
        """Make what came in durable."""
        with self._mutex:
            chunk, state = self._buffer, self._state
            if chunk:
                # if this fails, the buffer keeps everything and no state passes
                self._session.intake.take(chunk)
            self._buffer, self._state = [], None
            if state is not None:
                self._session.states.checkpoint(self._session.intake.seq, state)
        if chunk:
            self._wake_writers()

    def _share_out(self) -> bool:
        """Have written what follows from who keeps a shared address."""
        found = self._session.share_out()
        if found:
            self._wake_writers()
        return found

    def _wake_writers(self) -> None:
        with self._wake:
            self._queue.look = True
            self._wake.notify_all()

    @property
    def failure(self) -> BaseException | None:
        """What ended the workers, if anything did."""
        return self._failure

    def check(self) -> None:
        """Raise what ended the workers, if anything did.

        A spent day is no reason to stop reading: the rest goes into the ledger, and the next run begins with it.
        """
        if self._failure is not None and not isinstance(self._failure, DayBudgetSpent):
            raise self._failure

    def finish(self) -> None:
        """Wait until everything that can be written is written; raise what ended the run early.

        What only the clock has changed comes last: most of it the source has said something new of.
        """
        self.flush()
        self._share_out()
        if self._threads:
            self._session.work.take_up_due()
            self._wake_writers()
        with self._wake:
            self._queue.ending = True
            self._wake.notify_all()
        for thread in self._threads:
            while thread.is_alive():
                thread.join(_TICK)  # a join without end would not let a signal through
        self._session.states.release()
        if self._failure is not None:
            raise self._failure
        for error in self._refused_for_good():
            raise error
        if self._put_off_number or self._undecided_number:
            raise Unavailable(self._why_records_wait())

    def _why_records_wait(self) -> str:
        reasons = {
            "HighLevel kept failing": self._put_off_number,
            "the search does not tell yet whether a lost answer created them": self._undecided_number,
        }
        waiting = [f"{counted(number, 'record')}, because {why}" for why, number in reasons.items() if number]
        return f"not written yet: {'; '.join(waiting)}; nothing is lost, run again"

    def stop(self) -> None:
        """Stop taking up records; what is in flight is finished."""
        self._stop.set()
        with self._wake:
            self._wake.notify_all()
        for thread in self._threads:
            thread.join()

    # Workers

    def _write_all(self) -> None:
        while (row := self._next_or_end()) is not None:
            try:
                self._write(row)
            except BaseException as error:  # noqa: BLE001 - the thread must not die unseen; the main thread raises it
                self._end(error)
            finally:
                with self._wake:
                    self._queue.done(row)
                    self._wake.notify_all()

    def _next_or_end(self) -> Row | None:
        try:
            return self._next()
        except BaseException as error:  # noqa: BLE001 - as above: the ledger may fail
            self._end(error)
            return None

    def _next(self) -> Row | None:
        """Return the next record to write, waiting for one; None when there will be none."""
        with self._wake:
            while not self._stop.is_set():
                row = self._queue.take()
                if row is not None:
                    return row
                if self._queue.ending and self._queue.is_idle and not self._look_once_more():
                    return None
                self._wake.wait(_TICK)
        return None

    def _look_once_more(self) -> bool:
        """Take up, when all else is done, what may have been created; return whether there is anything."""
        refs, self._unclear = self._unclear, set()
        if refs:
            self._session.writer.absence.at_the_end = True
            self._session.work.take_up(refs)
            self._queue.look = True
            return True
        # somebody may have been refused, or belong elsewhere, and cannot keep an address
        self._shared_out += 1
        return self._shared_out <= _MOST_SHARED_OUT and self._share_out()

    def _write(self, row: Row) -> None:
        if self._would_overtake(row):
            self._hold(row)
            return
        try:
            self._session.write(row)
        except HighLevelError as error:
            self._failed(row, error)
        else:
            self._failures_in_a_row = 0
            self._note_written(row)
            self._count(row)

    def _failed(self, row: Row, error: HighLevelError) -> None:
        """Reject a record, put it off, or end the run with it: whichever the error is about."""
        missing = self._missing_part(row, error)
        if missing is not None:
            self._leave_out(row, missing)
        elif isinstance(error, MaybeThere):
            self._put_off_to_the_end(row, error)
        elif self._may_pass(row, error):
            self._put_off(row, error)
        else:
            self._end(error)

    def _may_pass(self, row: Row, error: HighLevelError) -> bool:
        """Return whether an error is one record's trouble, of which a later try may be rid."""
        if not self._session.is_prepared(row):  # without fields and objects nothing can be written
            return False
        if isinstance(error, CredentialsRefused):
            return self._is_about(row, error)
        return isinstance(error, (Unavailable, Unknown))

    def _missing_part(self, row: Row, error: HighLevelError) -> NotOffered | None:
        """Return the part of HighLevel that a record needs and that is not offered; None if the error is about something else."""
        if isinstance(error, NotOffered):
            return error
        refused = isinstance(error, CredentialsRefused) and error.missing == "token"
        if row.object in _OPTIONAL and refused and not self._session.refuses_all():
            return NotOffered(error)
        return None

    def _leave_out(self, row: Row, error: NotOffered) -> None:
        """Go on without a record that HighLevel has no part for; where that may pass, the next run tries it again."""
        logger.warning("highlevel.left_out record=%s %s", row.ref, error)
        if error.is_definite:
            self._session.work.reject(row, NOT_OFFERED)
        else:
            self._hold(row)

    def _note_written(self, row: Row) -> None:
        """Note the kind of a record that is in HighLevel now: one that was rejected or left out shows no leave to write."""
        if row.object not in self._written:
            after = self._session.work.row(row.ref)
            if after is not None and after.status == Status.DONE and after.hl_id is not None:
                self._written.add(row.object)

    def _is_about(self, row: Row, error: CredentialsRefused) -> bool:
        """Return whether a refusal may be about one record: it names no scope, and the token still does for the sub-account.

        What was never allowed may be refused of all: some records later it is taken for that, and the run ends with it.
        """
        if error.missing != "token" or self._session.refuses_all():
            return False
        if not error.allowed_before:
            self._never_allowed.append((row.object, error))
        return len(self._refused_for_good()) < _FAILURES_TO_ASK_AFTER

    def _refused_for_good(self) -> list[CredentialsRefused]:
        """Return the refusals of kinds of which nothing was written: one at the same time may have been let in."""
        return [error for kind, error in self._never_allowed if kind not in self._written]

    def _put_off_to_the_end(self, row: Row, error: MaybeThere) -> None:
        """Look again when all else is done: by then the search may have caught up."""
        self._session.work.hold(row, "server_error")
        if self._session.writer.absence.at_the_end:
            self._undecided_number += 1
            logger.warning("highlevel.put_off record=%s %s", row.ref, error)
            return
        with self._wake:
            self._unclear.add(row.ref)

    def _put_off(self, row: Row, error: HighLevelError) -> None:
        """Try the record again in the next run; end this one where it is not the records' trouble."""
        self._hold(row)
        self._failures_in_a_row += 1
        logger.warning("highlevel.put_off record=%s %s", row.ref, error)
        too_many = self._failures_in_a_row >= _MOST_FAILURES_IN_A_ROW and row.object not in _OPTIONAL
        if too_many or self._is_down():
            self._end(error)

    def _hold(self, row: Row) -> None:
        """Have the next run try a record again, and what must not come before it.

        One that an earlier run has tried as well holds nothing up any more: it may fail for good.
        """
        self._session.work.hold(row, "server_error")
        self._put_off_number += 1
        tried_before = row.intent is not None and row.intent["run"] != self._session.run
        if row.object == "note" and row.hl_id is None and not tried_before:
            self._without_a_note.add(row.contact)

    def _would_overtake(self, row: Row) -> bool:
        """Return whether a note of the same contact was put off: HighLevel dates each by the call, so this one comes later."""
        return row.object == "note" and row.hl_id is None and row.contact in self._without_a_note

    def _is_down(self) -> bool:
        """Ask after a row of failures whether HighLevel answers at all: a firewall may dislike what some records hold."""
        return self._failures_in_a_row % _FAILURES_TO_ASK_AFTER == 0 and self._session.refuses_all()

    def _count(self, row: Row) -> None:
        """Stop a run in which nothing but rejects comes out: it is the mapping or the account, not the records."""
        if row.object in _OPTIONAL:
            return
        self._settled += 1
        if self._settled > _FIRST_REJECTED or self._rejected_first < 0:
            return
        after = self._session.work.row(row.ref)
        if after is None or after.status != Status.REJECTED:
            self._rejected_first = -1
            return
        self._rejected_first += 1
        if self._rejected_first >= _FIRST_REJECTED:
            hint = f"the first {_FIRST_REJECTED} records were all rejected; see rejects.csv, fix the cause, then retry"
            self._end(Refused(hint))

    def _end(self, error: BaseException) -> None:
        if self._failure is None:
            self._failure = error
        self._stop.set()

    def _tick_all(self) -> None:
        """Keep bookmarks, progress and half-full chunks moving while the tap is slow; how often does not depend on its speed."""
        due = time.monotonic() + _TICK
        while not self._stop.is_set():
            with self._wake:
                self._wake.wait(_TICK)
                done = self._queue.ending and not self._queue
            if not done and time.monotonic() < due:
                continue
            due = time.monotonic() + _TICK
            try:
                self.flush()
                self._session.partners.check()
                self._session.states.release()
                self.progress.show()
                self._wake_writers()
                done = done and self._session.work.waiting() == 0
            except BaseException as error:  # noqa: BLE001 - as above
                self._end(error)
            if done:
                return


def in_use(item: Incoming, settings: Settings) -> Incoming:
    """Return a record of the diary as the settings want it; what is there already stays when a setting leaves it out."""
    if item.absent or item.filtered or item.rejected:
        return item
    if reason := left_out_by(settings, item.spec.kind):
        return replace(item, filtered=reason, fields={})
    if item.spec.kind != "calendar":
        return item
    return replace(
        item, fields={**item.fields, "open": settings.calendars_open and bool(item.fields.get("bookable"))}
    )
