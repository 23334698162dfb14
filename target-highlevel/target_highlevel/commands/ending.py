"""How a command ends: an exit code, and one line on standard error that says what happened and what to do next."""

from __future__ import annotations

import signal
import sys
from typing import TYPE_CHECKING

import click

from target_highlevel.configuration import notice_of, settings_from_environment
from target_highlevel.endings import Ended, exit_code, print_last_line, together
from target_highlevel.errors import SettingsError
from target_highlevel.interruption import SignalReceived
from target_highlevel.settings import Settings
from target_highlevel.unexpected import known

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    #: What a command does in one sub-account; it returns its exit code, with a line of its own where the target's does not fit.
    Work = Callable[[Settings], int | tuple[int, str]]
    #: Which of the sub-accounts a command is about.
    Choice = Callable[[Settings], Sequence[Settings]]

_RUN = "target_highlevel.run"
_SIGNALS = (signal.SIGTERM, signal.SIGINT)


def ending(work: Work, *, among: Choice = Settings.sub_accounts, heading: bool = True) -> None:
    """Run a command to its end, in one sub-account after the other.

    Args:
        work: what it does in one.
        among: which sub-accounts it is about; by default all of the settings.
        heading: whether each is named above what the command shows of it, where there are several.
    """
    try:
        ended = together(list(_ended(work, among, heading=heading)))
    except (SignalReceived, Exception) as caught:  # noqa: BLE001 - every end gets its exit code and its line
        error = known(caught, _settings())
        ended = Ended(exit_code(error), error)
    _tell(ended)
    sys.exit(ended.code)


def _ended(work: Work, among: Choice, *, heading: bool) -> Iterator[Ended]:
    accounts = among(settings_from_environment())
    handlers = {number: signal.getsignal(number) for number in _SIGNALS}
    for number, settings in enumerate(accounts):
        if heading and len(accounts) > 1:
            click.echo(f"{'' if number == 0 else chr(10)}Sub-account {settings.location_id}\n")
        error: BaseException | None = None
        line = ""
        try:
            told = work(settings)
            code, line = told if isinstance(told, tuple) else (told, "")
        except (SignalReceived, Exception) as caught:  # noqa: BLE001 - every end gets its exit code and its line
            error = known(caught, settings)
            code = exit_code(error)
        yield Ended(code, error, line, settings.location_id)
        if isinstance(error, SignalReceived):
            return
        for each, handler in handlers.items():  # what writes a report ignores signals meanwhile
            signal.signal(each, handler)


def begun(run: str) -> None:
    """Keep the id of the run that a command has begun: a notification of its end names it."""
    context = click.get_current_context(silent=True)
    if context is not None:
        context.meta[_RUN] = run


def _tell(ended: Ended) -> None:
    context = click.get_current_context(silent=True)
    command = (context.info_name if context else None) or "command"
    run = context.meta.get(_RUN, "") if context else ""
    notice = notice_of({}, environment=True, run=run, command=command)
    try:
        print_last_line(ended.code, ended.error, ended.line, notice)
    except (
        SignalReceived
    ):  # while somebody was being notified: the work is done, and its line is still to be said
        print_last_line(ended.code, ended.error, ended.line)


def _settings() -> Settings | None:
    """Return the settings, as far as they can be read: they name where the ledger and the reports are."""
    try:
        return settings_from_environment()
    except SettingsError:
        return None
