"""One run of the target: a part for each sub-account, fed together from one source, side by side."""

from __future__ import annotations

import logging
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from target_highlevel import telemetry
from target_highlevel.descriptor import incoming
from target_highlevel.endings import (
    Ended,
    complete,
    exit_code,
    left_out_words,
    public_message,
    shut_down,
)
from target_highlevel.engine.engine import Engine
from target_highlevel.engine.session import Session
from target_highlevel.engine.state import StateOutput
from target_highlevel.errors import Interrupted, SourceEnded
from target_highlevel.exit_codes import COMPLETE, ENDED_EARLY, REJECTS, end_of
from target_highlevel.interruption import SignalReceived
from target_highlevel.ledger.ledger import utc_now
from target_highlevel.plan.prediction import Prediction
from target_highlevel.plan.quality import Quality
from target_highlevel.plan.sizes import NoteSizes
from target_highlevel.report.run_report import RunReport
from target_highlevel.report.sheet import Sheet
from target_highlevel.source import Source
from target_highlevel.unexpected import known, known_of_ending
from target_highlevel.verify.comparison import HOWS
from target_highlevel.verify.verification import Verification

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from datetime import datetime

    from target_highlevel.descriptor import Incoming, StreamSpec
    from target_highlevel.engine.state import Checkpoint
    from target_highlevel.ledger.ledger import Ledger
    from target_highlevel.ledger.rows import Notes, Row
    from target_highlevel.opentelemetry_export import Export
    from target_highlevel.settings import Settings

logger = logging.getLogger(__name__)
_TICK = 0.2


class Part:
    """What a run does in one sub-account."""

    def __init__(
        self,
        settings: Settings,
        states: StateOutput,
        source: Source,
        *,
        beside: Ledger | None = None,
        sheet: Sheet | None = None,
        began: datetime | None = None,
    ) -> None:
        """Open the ledger; nothing is written yet. Of a sample a sheet gets every field of every record."""
        self.settings = settings
        self._sheet = sheet
        self.source = source
        self.session = Session(
            settings, settings.mode, states=states, source=source, beside=beside, began=began
        )
        self.engine = Engine(self.session)
        #: What ended this part before the others.
        self.error: BaseException | None = None
        self._prediction: Prediction | None = None
        self._verification: Verification | None = None
        self._quality: Quality | None = None
        self._note_sizes = NoteSizes()
        self.telemetry: Export | None = None
        if self.session.plan is not None:
            self._quality = Quality(self.session.ledger.now().date())
        if sheet is not None and settings.mode == "plan":
            self.session.writer.on_settled = self._planned

    def _planned(self, row: Row, wanted: Mapping[str, Any], notes: Notes) -> None:
        """Show the sheet what a load would leave of a record; of a whole clinic nothing is kept in memory."""
        if self._sheet is not None and self.source.sample:
            self._sheet.planned(row, wanted, notes)

    def accept(self, item: Incoming, spec: StreamSpec, record: dict[str, Any]) -> None:
        """Take a mapped record."""
        if self._quality is not None:
            self._quality.see(spec, record)
            self._note_sizes.see(spec, record)
        self.engine.start()
        self.engine.submit(self.session.routing.share(item))

    def checkpoint(self, checkpoint: Checkpoint, *, first: bool) -> None:
        """Take a STATE; where the tap goes on from decides of what earlier runs left, too."""
        if first and isinstance(checkpoint.state, dict):
            self.session.resume_from(checkpoint.state)
        self.engine.start()
        self.engine.checkpoint(checkpoint)

    def receive_all(self) -> None:
        """Take note that nothing more comes."""
        self.engine.start()
        self.session.everybody_came = self.session.everybody_came or not self.source.ended_early
        if self.source.ended_early and self.session.mode in {"plan", "verify"}:
            raise SourceEnded(ENDED_EARLY.line)
        self.engine.flush()
        self.session.finish()

    def finish(self, survey: Any) -> None:
        """Wait until all is written that can be; see then what a plan or a verification has to say."""
        self.engine.finish()
        self.session.preflight.keep_definitions()
        # what came is dealt with, but it is not all; where nothing came, the rest of an earlier run was all there was to do
        if self.source.came and self.source.ended_early:
            raise SourceEnded(ENDED_EARLY.line)
        planned = self.session.plan
        if planned and self._quality:
            self._prediction = Prediction(self.session, planned, survey, self._quality, self._note_sizes)
        if self.session.mode == "verify":
            verification = Verification(self.session, self._sheet if self.source.sample else None)
            verification.run()
            self._verification = verification

    def end(self, error: BaseException | None, left_out: Mapping[str, int]) -> Ended:
        """Finish what is in flight and write the report, whatever ended the run."""
        error = self.known(error)
        error = self.known(shut_down(self.session, self.engine, error))
        report = RunReport(self.session, left_out=left_out)
        code = exit_code(error) or self._complete(report)
        report.write(code, error=public_message(error), **self._beside())
        if self._sheet is not None and self.source.sample and self._beside():
            users = {user.id: email for email, user in self.session.catalogue().users.items()}
            report.write_sheet(self._sheet, self.session.specs, users)
        line = ""
        if self._prediction is not None:
            self._prediction.write_files(report.folder)
            line = "" if code else self._prediction.line()
        elif code and error is None and self._verification is not None:
            line = self._verification.line(code)
        elif error is None:
            line = complete(
                code,
                refused=report.rejected,
                held=report.held,
                not_whole=report.not_whole,
                sample=self.source.sample,
                nothing_came=not self.source.came,
                undone=report.undone if self.session.mode == "load" else 0,
                to_compare=report.to_compare if self.session.mode == "load" else 0,
                looked_at_changes=self.session.mode == "verify" and self.source.changes_only,
                begun_in_the_middle=self.session.mode == "load" and self.session.continuity.is_partial,
                mapped_anew=self.session.mode == "load" and self.session.continuity.is_mapped_anew,
            )
        if error is None and (left_out or self.source.withheld):
            line = f"{line or end_of(code).line}{left_out_words(left_out, self.source.withheld)}"
        if self.telemetry is not None:
            self.telemetry.settle(self.session, code)
        self.session.close(code, {**report.facts, "read_until": self.source.read_until})
        return self.ended(code, error, line)

    def ended(self, code: int, error: BaseException | None, line: str) -> Ended:
        """Return how this part ended."""
        return Ended(code, error, line, self.settings.location_id, self.session.run)

    def known(self, error: BaseException | None) -> BaseException | None:
        """Return what may be said of an error anywhere; of one that nobody foresaw a trace is left beside the report."""
        return known(error, self.settings, self._folder)

    def known_of_ending(self, error: Exception, before: BaseException | None) -> BaseException | None:
        """Return the same of what failed while this part ended, and of what had ended it before."""
        return known_of_ending(error, before, self.settings, self._folder)

    @property
    def _folder(self) -> Path:
        return Path(self.settings.report_dir) / self.session.run

    def _beside(self) -> dict[str, Any]:
        """Return what the report of a plan or a verification that came to its end has beside the counts."""
        if self._prediction is not None:
            return {"differences": self._prediction.differences(), "plan": self._prediction.content}
        if self._verification is not None:
            return {
                "differences": self._verification.differences(),
                "verification": self._verification.content,
            }
        return {}

    def _complete(self, report: RunReport) -> int:
        """Return the exit code of a run that went through: a verification minds differences, a load rejects."""
        if self.settings.mode == "plan":
            return COMPLETE  # what it predicts is no failure of the plan
        if self.settings.mode == "verify":
            accepted = self.settings.accept_rejects
            return self._verification.exit_code(accepted=accepted) if self._verification else COMPLETE
        return REJECTS if report.rejected and not self.settings.accept_rejects else COMPLETE


class Run:
    """The parts of a run. What ends one ends no other; the run ends early when none is left."""

    def __init__(self, settings: Settings, survey: Any = None, tracer: Any = None) -> None:
        """Open every part.

        Args:
            settings: of the run.
            survey: the mapper's count of the account, for a plan.
            tracer: the mapper's, which knows of what each field is made, for the sheet of a sample.

        Raises:
            SettingsError: one of the sub-accounts cannot be worked on; nothing was begun in any.
        """
        self.source = Source()
        self._survey = survey
        self._states = StateOutput()
        self.parts: list[Part] = []
        #: Rows of the source as they came, for the sheets; None where there are none.
        self._rows: list[Mapping[str, Any]] | None = (
            [] if settings.show_values and settings.mode in {"plan", "verify"} else None
        )
        accounts = settings.sub_accounts()
        began = utc_now() if len(accounts) > 1 else None
        try:
            for each in accounts:
                beside = self.parts[0].session.ledger if self.parts and settings.mode == "load" else None
                sheet = None if self._rows is None else Sheet(tracer, HOWS, self._rows)
                self.parts.append(
                    Part(each, self._states, self.source, beside=beside, sheet=sheet, began=began)
                )
        except BaseException as error:
            for part in reversed(self.parts):
                part.session.close(exit_code(error), {})
            raise
        self._telemetry = telemetry.begin([part.session for part in self.parts])
        for part in self.parts:
            part.telemetry = self._telemetry

    @property
    def main(self) -> Part:
        """Return the part of the main sub-account."""
        return self.parts[0]

    @property
    def going(self) -> list[Part]:
        """Return the parts that nothing has ended so far."""
        return [part for part in self.parts if part.error is None]

    def see(self, message: Mapping[str, Any]) -> None:
        """Keep a row of a sample as the source gave it, if its values are to be shown."""
        if self._rows is not None and self.source.sample:
            self._rows.append(message)

    def declare(self, message: Mapping[str, Any]) -> StreamSpec | None:
        """Take the SCHEMA of a mapped stream."""
        specs: list[StreamSpec | None] = []

        def take(part: Part) -> None:
            part.engine.start()
            specs.append(part.engine.declare(message))

        self._each(take)
        return specs[0]

    def expect(self, declared: Iterable[Mapping[str, Any]]) -> None:
        """Take the schemas of all streams that may come."""
        messages = list(declared)
        self._each(lambda part: part.session.expect(messages))

    def check_account(self, account: str | None) -> None:
        """Make sure that the Cliniko account a tap names belongs to every ledger and sub-account."""
        self._each(lambda part: part.session.check_account(account))

    def accept(self, spec: StreamSpec, record: dict[str, Any]) -> None:
        """Take a mapped record."""
        item = incoming(spec, record)
        self._each(lambda part: part.accept(item, spec, record))

    def checkpoint(self, state: Any, *, first: bool) -> None:
        """Take a STATE: it is passed on when everything before it is settled in every sub-account."""
        checkpoint = self._states.came(state)
        self._each(lambda part: part.checkpoint(checkpoint, first=first))

    def finish(self) -> None:
        """Take note that nothing more comes, and wait until every part has done what it can."""
        self._each(lambda part: part.receive_all())
        if len(self.parts) == 1:
            self.main.finish(self._survey)
        else:
            self._side_by_side(lambda part: part.finish(self._survey))
        for part in self.parts:
            if part.error is not None:
                raise part.error

    def stop(self) -> None:
        """Give up whatever a part is waiting for."""
        for part in self.parts:
            part.session.stop.set()

    def end(self, error: BaseException | None, left_out: Mapping[str, int]) -> list[Ended]:
        """Finish what is in flight and write the reports, whatever ended the run."""
        shared = None if error in self._errors() else error
        ended: list[Ended] = []
        for part in reversed(self.parts):  # the ledger of the first is the last to be closed
            mine = _interrupted(part.error, error) or shared
            try:
                ended.append(part.end(mine, left_out))
            except Exception as caught:  # noqa: BLE001 - the other parts have reports to write, too
                ended.append(part.ended(1, part.known_of_ending(caught, mine), ""))
        if self._telemetry is not None:
            self._telemetry.close()
        return ended[::-1]

    def _errors(self) -> list[BaseException | None]:
        return [part.error for part in self.parts if part.error is not None]

    def _each(self, work: Callable[[Part], object]) -> None:
        """Do something in every part that goes on.

        Raises:
            Exception: what ended the last of them.
        """
        is_going = False
        for part in self.parts:
            if part.error is None:
                self._attempt(part, work)
                is_going = is_going or part.error is None
        if not is_going:
            raise self._errors()[-1]  # type: ignore[misc]

    def _attempt(self, part: Part, work: Callable[[Part], object]) -> None:
        try:
            work(part)
        except Exception as error:  # noqa: BLE001 - said at the end, with its exit code
            # where the workers have ended meanwhile, why they did is what counts
            part.error = (part.engine.failure or error) if isinstance(error, Interrupted) else error
            part.session.stop.set()
            if len(self.parts) > 1:
                logger.warning(
                    "highlevel.sub_account_ended location=%s because=%s",
                    part.settings.location_id,
                    public_message(part.known(error)),
                )

    def _side_by_side(self, work: Callable[[Part], object]) -> None:
        """Do something in every part at the same time, each as slow as its own budget; a signal gets through meanwhile."""
        threads = [
            threading.Thread(target=self._attempt, args=(part, work), daemon=True) for part in self.going
        ]
        for thread in threads:
            thread.start()
        try:
            for thread in threads:
                while thread.is_alive():
                    thread.join(_TICK)
        finally:  # a signal: nobody may work on what is about to be closed
            if any(thread.is_alive() for thread in threads):
                self.stop()
            for thread in threads:
                thread.join()


def _interrupted(error: BaseException | None, cause: BaseException | None) -> BaseException | None:
    """Return what ended a part: the signal, where it gave up waiting because of one."""
    return cause if isinstance(cause, SignalReceived) and isinstance(error, Interrupted) else error
