"""highlevel-tools: what a user runs around the load. Settings come from the same variables as the target's."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import click

from target_highlevel.commands.ending import begun, ending
from target_highlevel.commands.go_live import go_live
from target_highlevel.commands.probe import probe
from target_highlevel.commands.records import approve, purge, report, runs, verify_audit
from target_highlevel.commands.repair import repair
from target_highlevel.commands.rollback import rollback
from target_highlevel.endings import (
    exit_code,
    ignore_signals,
    public_message,
    retried,
    shut_down,
)
from target_highlevel.engine.engine import Engine
from target_highlevel.engine.session import Session
from target_highlevel.exit_codes import COMPLETE, REJECTS
from target_highlevel.interruption import STEP, SignalReceived
from target_highlevel.report.run_report import RunReport

if TYPE_CHECKING:
    from types import FrameType

    from target_highlevel.settings import Settings


@click.group(context_settings={"help_option_names": ["--help"]})
def main() -> None:
    """Work on what target-highlevel has loaded: undo it, try rejects again, report."""
    os.umask(0o077)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _stopped)


def _stopped(signum: int, _frame: FrameType | None) -> None:
    STEP.interrupt(signum)


@main.command()
def retry() -> None:
    """Send the rejected records again, as they were received."""
    ending(_retry)


def _retry(settings: Settings) -> tuple[int, str]:
    session = Session(settings, mode="retry")
    begun(session.run)
    engine = Engine(session)
    error: BaseException | None = None
    sent = 0
    try:
        sent = session.work.replay()
        engine.start()
        engine.finish()
    except (SignalReceived, Exception) as caught:  # noqa: BLE001 - reported below with its exit code
        error = caught
    return _close(session, engine, error, sent)


def _close(session: Session, engine: Engine, error: BaseException | None, sent: int) -> tuple[int, str]:
    """Finish what is in flight and write the report; raise what ended the run early."""
    ignore_signals()
    error = shut_down(session, engine, error)
    report = RunReport(session)
    refused, held = report.rejected, report.held
    code = exit_code(error) or (REJECTS if refused and not session.settings.accept_rejects else COMPLETE)
    line = retried(
        code, sent=sent, refused=refused, held=held, unmapped=report.unmapped, undone=report.undone
    )
    report.write(code, error=public_message(error))
    session.close(code, report.facts)
    if error is not None:
        raise error
    return code, line


for command in (approve, go_live, probe, purge, repair, report, rollback, runs, verify_audit):
    main.add_command(command)
