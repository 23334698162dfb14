"""How a run ends: its exit code, its last line, and what is done before the report is written, whatever ended it."""

from __future__ import annotations

import signal
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from target_highlevel.errors import DayBudgetSpent, HighLevelError
from target_highlevel.exit_codes import COMPLETE, FAILED, WORST_FIRST, end_of
from target_highlevel.interruption import STEP, SignalReceived
from target_highlevel.ledger.partials import LEFT_OUT_ALONG
from target_highlevel.texts import counted

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from target_highlevel.engine.engine import Engine
    from target_highlevel.engine.session import Session
    from target_highlevel.notify import Notice


def exit_code(error: BaseException | None) -> int:
    """Return the exit code that an error stands for; 0 without one."""
    if error is None:
        return COMPLETE
    if isinstance(error, SignalReceived):
        return 128 + error.signum
    return error.exit_code if isinstance(error, HighLevelError) else FAILED


def public_message(error: BaseException | None) -> str:
    """Return what may be said of an error anywhere: the text of one of ours, else only its kind."""
    if error is None or isinstance(error, SignalReceived):
        return ""
    return str(error) if isinstance(error, HighLevelError) else type(error).__name__


@dataclass(frozen=True)
class Ended:
    """How a run ended, in one sub-account or as a whole.

    Attributes:
        code: the exit code
        error: what ended it early
        line: what happened and what to do next, where the exit code alone does not tell
        location: the sub-account's id
        run: the run's id
    """

    code: int
    error: BaseException | None = None
    line: str = ""
    location: str = ""
    run: str = ""


def together(parts: Sequence[Ended]) -> Ended:
    """Return how a run ended that worked on several sub-accounts: as the worst of them did; what is alike is said once."""
    if len(parts) == 1:
        return parts[0]
    ordered = sorted(parts, key=lambda part: WORST_FIRST.index(part.code) if part.code in WORST_FIRST else 0)
    worst = ordered[0]
    alike: dict[str, list[str]] = {}
    for part in ordered:
        alike.setdefault(_said(part.code, part.error, part.line), []).append(part.location)
    if len(alike) == 1:
        line = f"{next(iter(alike))} (in each of {len(parts)} sub-accounts)"
    else:
        line = "; ".join(
            f"sub-account{'s' if len(where) > 1 else ''} {', '.join(where)}: {said}"
            for said, where in alike.items()
        )
    return Ended(worst.code, worst.error, line, parts[0].location, parts[0].run)


#: What happened to a source, and what to do next, where the target itself has done its part.
NOTHING_CAME = "the tap sent nothing; if it failed, its last line says why"
MAPPED_ANEW = (
    "the mapping has changed since everything was read: `meltano run --full-refresh {tap} target-highlevel` updates the"
    " remaining records"
)
BEGUN_IN_THE_MIDDLE = (
    "this ledger does not cover earlier runs (was an older ledger lost?) or what is older than TAP_CLINIKO_START_DATE: run once,"
    " without that setting, with `meltano run --full-refresh tap-cliniko target-highlevel`"
)


_UNMAPPED_ONLY = (
    "see rejects.csv in the report; or leave those records behind with TARGET_HIGHLEVEL_ACCEPT_REJECTS=true"
)


def undone_words(number: int) -> str:
    """Return what is said of records that were in HighLevel and come again only by a full read."""
    which = f"{counted(number, 'record')} brought by an undone run or found missing"
    again = "loaded again only by `meltano run --full-refresh tap-cliniko target-highlevel`"
    return f"{which} {'is' if number == 1 else 'are'} {again}"


def to_compare_words(number: int) -> str:
    """Return what is said of records of which a ledger from a backup does not know what became of them."""
    which = f"{counted(number, 'record')} that this ledger, which is from a backup, has not compared with HighLevel yet"
    again = "looked at only by `meltano run --full-refresh tap-cliniko target-highlevel`"
    return f"{which} {'is' if number == 1 else 'are'} {again}"


def tap_of(*, sample: bool) -> str:
    """Return the name under which Meltano knows the tap of a sample, or of everything."""
    return "tap-cliniko-sample" if sample else "tap-cliniko"


def complete(  # noqa: PLR0913 - what only some runs have is named
    code: int = COMPLETE,
    *,
    refused: int = 0,
    held: int = 0,
    not_whole: int = 0,
    sample: bool = False,
    nothing_came: bool = False,
    undone: int = 0,
    to_compare: int = 0,
    looked_at_changes: bool = False,
    begun_in_the_middle: bool = False,
    mapped_anew: bool = False,
) -> str:
    """Return the line of a run that came to its end: what is not in HighLevel is named, also where it is accepted.

    Args:
        code: the exit code: complete, with refused records or without
        refused: records that HighLevel or the mapping refused
        held: records that wait for what they belong to
        not_whole: values of which HighLevel has the beginning only, or nothing
        sample: whether the source read a sample only
        nothing_came: whether the source said nothing at all
        undone: records that a rollback took out, or that were found missing
        to_compare: records that a ledger from a backup has not compared with HighLevel yet
        looked_at_changes: whether a verification saw only what has changed
        begun_in_the_middle: whether the ledger does not cover earlier runs, or what is older than the tap's start date
        mapped_anew: whether records that have not changed are as another mapping made them
    """
    waiting = f"{counted(held, 'waiting record')} (held until the record it belongs to is there)"
    caveats = [
        said
        for said, applies in (
            (
                f"{counted(not_whole, 'value', 'was', 'were')} not taken whole by HighLevel (listed in the report)",
                not_whole,
            ),
            ("the other patients were not included", sample and not nothing_came),
            (
                "the rest was not looked at: `meltano run tap-cliniko target-highlevel-verify` looks at everything",
                looked_at_changes,
            ),
            (undone_words(undone), undone),
            (to_compare_words(to_compare), to_compare),
            (MAPPED_ANEW.format(tap=tap_of(sample=sample)), mapped_anew),
            (BEGUN_IN_THE_MIDDLE, begun_in_the_middle),
        )
        if applies
    ]
    if code != COMPLETE:
        first = [NOTHING_CAME] if nothing_came else []
        return "; ".join([*first, end_of(code).line, *([waiting] if held else []), *caveats])
    missing = [f"{counted(refused, 'refused record')} (listed in rejects.csv)"] if refused else []
    missing += [waiting] if held else []
    but = f" except {' and '.join(missing)}" if missing else ""
    if nothing_came:
        return "; ".join([NOTHING_CAME, f"what an earlier run had left is in HighLevel{but}", *caveats])
    what = "everything of this sample" if sample else "everything"
    what = "what has changed lately" if looked_at_changes else what
    what = "what has changed" if undone or to_compare or mapped_anew or begun_in_the_middle else what
    return "; ".join([f"complete: {what}{but} is in HighLevel", *caveats])


def retried(code: int, *, sent: int, refused: int, held: int, unmapped: int = 0, undone: int = 0) -> str:
    """Return the line of a retry: of what it did not send it says only how that comes.

    Args:
        code: the exit code
        sent: records that it sent again
        refused: records that are refused now
        held: records that wait
        unmapped: those of the refused that it can never send, because the mapping could make nothing of them
        undone: records that a rollback took out, or that were found missing
    """
    again = counted(sent, "refused record", "was", "were")
    said = [
        f"complete: {again} sent again",
        f"{counted(refused + held, '', 'is', 'are')} still refused or waiting",
    ]
    if unmapped:
        which = counted(unmapped, "", "was", "were")
        said.append(
            f"of these {which} refused by the mapping and cannot be sent again: corrected in Cliniko, they come with the next"
            " `meltano run tap-cliniko target-highlevel`"
        )
    if code:
        said.append(end_of(code).line.partition(": ")[2] if refused > unmapped else _UNMAPPED_ONLY)
    return "; ".join([*said, *([undone_words(undone)] if undone else [])])


def left_out_words(left_out: Mapping[str, int], withheld: Iterable[str] = ()) -> str:
    """Return what a last line says of the records that settings leave out, and of streams that the tap's key may not read."""
    each = ", ".join(f"{number:,} of {stream}" for stream, number in sorted(left_out.items()))
    said = [f"records left out by unknown_streams or stream_maps: {each}"] if each else []
    if names := ", ".join(withheld):
        said.append(
            f"left out because the role of the Cliniko key may not read them (skip_refused_streams): {names}"
        )
    return "".join(f"; {text}" for text in said)


def print_last_line(
    code: int, error: BaseException | None, line: str = "", notice: Notice | None = None
) -> None:
    """Write the last line of a run on standard error; whoever wants to be notified is told the same just before."""
    said = f"{_said(code, error, line)} (exit {code})"
    if notice is not None:
        notice.send(code, said)
    sys.stderr.write(f"target-highlevel: {said}\n")
    sys.stderr.flush()


def _said(code: int, error: BaseException | None, line: str) -> str:
    return line or (complete() if not code else end_of(code).line.format(error=public_message(error)))


def ignore_signals() -> None:
    """Let nothing cut short what a run does when it ends: the report is written, the ledger closed."""
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, signal.SIG_IGN)
    STEP.forget()


def shut_down(session: Session, engine: Engine, error: BaseException | None) -> BaseException | None:
    """Finish what is in flight, keep the rest, pass on the last bookmark; return what the run ends with.

    Nobody may be listening any more: that is an end of its own, and no reason to write no report.
    """
    engine.stop()
    for reason in LEFT_OUT_ALONG:
        session.work.pass_on(reason)
    if isinstance(error, DayBudgetSpent):
        engine.flush()
        session.work.hold_rest("day_budget_spent")
    try:
        session.states.release()
    except OSError as deaf:
        return error or deaf
    return error
