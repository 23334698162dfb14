"""``repair``: has the next full read bring back what the newest verification missed; with ``--yes``."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import click

from target_highlevel.commands.doubles import Doubles
from target_highlevel.commands.ending import ending
from target_highlevel.commands.records import opened
from target_highlevel.errors import SettingsError
from target_highlevel.exit_codes import DIFFERENCES, VERIFIED
from target_highlevel.ledger.counts import wrote_since
from target_highlevel.ledger.repair import Repair
from target_highlevel.report.differences import Kind
from target_highlevel.report.tables import read_table
from target_highlevel.report.wording import object_name
from target_highlevel.texts import counted

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from target_highlevel.ledger.ledger import Ledger
    from target_highlevel.ledger.rows import Row
    from target_highlevel.settings import Settings

_VERIFY = "`meltano run tap-cliniko target-highlevel-verify`"
#: Values that HighLevel holds and Cliniko does not (a person's, say) are mended with ``--values`` as well.
_MENDED = frozenset({Kind.MISSING.value, Kind.DIFFERENT.value, Kind.EXTRA.value, Kind.KEPT.value})
#: So many rows that are not understood are named.
_MOST_NAMED = 20


@dataclass
class Finds:
    """What a verification found that can be mended: records that are gone, and fields with other values."""

    gone: dict[str, Row] = field(default_factory=dict)
    other: dict[str, tuple[Row, set[str]]] = field(default_factory=dict)
    #: (ref, HighLevel id) of second copies.
    doubles: list[tuple[str, str]] = field(default_factory=list)
    #: Rows of the table, counted from its header as 1, that say nothing which is understood here.
    unknown: list[int] = field(default_factory=list)


@click.command()
@click.option(
    "--values",
    is_flag=True,
    help="Cliniko's values too, where HighLevel holds others: what people changed there is written over.",
)
@click.option("--yes", is_flag=True, help="Act; without it nothing is changed.")
def repair(values: bool, yes: bool) -> None:  # noqa: FBT001 - the flags of a command
    """Show what the newest verification found missing; with --yes, have the next full read restore it."""
    ending(lambda settings: _repair(settings, values=values, act=yes))


def _repair(settings: Settings, *, values: bool, act: bool) -> tuple[int, str]:
    with opened(settings, exclusive=act) as ledger:
        run = _verification(ledger)
        if run is None:
            return 0, "there is nothing to repair: the newest verification found no differences"
        work = Repair(ledger, run)
        finds = _finds(work, Path(settings.report_dir) / run / "differences.csv")
        _print(finds)
        marked = len(finds.gone) + (len(finds.other) if values else 0)
        for row in finds.gone.values() if act else ():
            work.bring_again(row)
        for row, names in finds.other.values() if act and values else ():
            work.write_again(row, names)
    going, staying = _doubles(settings, run, finds, act=act) if finds.doubles else (0, 0)
    also = f" and {'removed' if act else 'removes'} {_copies(going)}" if going else ""
    rest = f"; {_copies(staying)} left to a person, as listed" if staying else ""
    rest += _not_understood(finds.unknown)
    if values and settings.overwrite != "cliniko_wins":
        rest += (
            f"; with overwrite {settings.overwrite} the load writes only what is empty in HighLevel: TARGET_HIGHLEVEL_OVERWRITE="
            "cliniko_wins has it write over what people changed, too"
        )
    if not act:
        flags = f"{' --values' if values else ''} --yes"
        return 0, f"nothing was changed; `repair{flags}` marks {counted(marked, 'record')}{also}{rest}"
    if marked:
        again = "run `meltano run --full-refresh tap-cliniko target-highlevel`, then verify again"
        return 0, f"marked {counted(marked, 'record')}{also}; {again}{rest}"
    if going:
        return 0, f"removed {_copies(going)}; verify again{rest}"
    return 0, f"there is nothing to repair{rest}"


def _not_understood(rows: Sequence[int]) -> str:
    """Return what the last line says of rows that mark nothing because somebody has changed how they are written."""
    if not rows:
        return ""
    shown = ", ".join(str(number) for number in rows[:_MOST_NAMED])
    more = f" and {len(rows) - _MOST_NAMED:,} more" if len(rows) > _MOST_NAMED else ""
    which = (
        "1 row of differences.csv marks" if len(rows) == 1 else f"{len(rows):,} rows of differences.csv mark"
    )
    return f"; {which} nothing, naming no record that the ledger knows: {shown}{more} (the header is row 1)"


def _copies(number: int) -> str:
    return f"{number:,} second cop{'y' if number == 1 else 'ies'}"


def _doubles(settings: Settings, run: str, finds: Finds, *, act: bool) -> tuple[int, int]:
    """Show which copies are kept and why; with ``act`` remove those that say the same. Return how many go and stay."""
    doubles = Doubles(settings, run)
    code = 1
    try:
        click.echo("\nIn HighLevel more than once:")
        judged = doubles.judged(finds.doubles)
        if act:
            doubles.claim()
        for double in judged:
            if act and not double.stays:
                doubles.remove(double)
            click.echo(f"  {object_name(double.row.object)} {double.line()}")
        code = 0
    finally:
        doubles.close(code)
    staying = sum(bool(double.stays) for double in judged)
    return len(judged) - staying, staying


def _verification(ledger: Ledger) -> str | None:
    """Return the newest verification, or None where it found no differences; nothing may have been written since.

    Raises:
        SettingsError: there is nothing to go by.
    """
    verified = [item for item in ledger.runs() if item["mode"] == "verify" and item["exit_code"] in VERIFIED]
    if not verified:
        msg = f"nothing has been verified yet: {_VERIFY} looks"
        raise SettingsError(msg)
    if verified[-1]["exit_code"] != DIFFERENCES:
        return None
    newest = str(verified[-1]["id"])
    since = wrote_since(ledger, verified[-1])
    if since:
        msg = f"run {since[-1]} has written since the verification {newest}: {_VERIFY} looks again"
        raise SettingsError(msg)
    return newest


def _finds(work: Repair, table: Path) -> Finds:
    """Read what was found from the report, so that a line a person has taken out of it is left alone."""
    finds = Finds()
    try:
        lines = read_table(table, ("source", "object", "field", "kind", "highlevel_value", "how"))
        for number, line in enumerate(lines, 2):
            if not _take(finds, work, line):
                finds.unknown.append(number)
    except OSError as error:
        msg = f"report_dir: differences.csv of the verification cannot be read ({type(error).__name__})"
        raise SettingsError(msg) from None
    except ValueError as error:
        msg = f"report_dir: differences.csv of the verification is not as it was written: {error}"
        raise SettingsError(msg) from None
    return finds


def _take(finds: Finds, work: Repair, line: Mapping[str, str]) -> bool:
    """Take in what a row says; return whether it is one of a verification's, about a record that the ledger knows."""
    ref, name, kind = f"{line['object']}:{line['source']}", line["field"], line["kind"]
    is_double = kind == Kind.EXTRA.value and line["how"] == "doubled"
    if not is_double and (kind not in _MENDED or (not name and kind != Kind.MISSING.value)):
        return kind in set(Kind)
    row = work.row(ref)
    # no cell of ours has a line break: where one has, other rows are in it
    swallowed = any("\n" in value for value in line.values())
    if row is None or swallowed:
        return False
    if is_double:
        finds.doubles.append((ref, line["highlevel_value"]))
    elif row.hl_id is None or (name and row.object == "file"):
        pass  # it comes with the next load anyway; what is behind a file cannot be written over
    elif name:
        finds.other.setdefault(ref, (row, set()))[1].add(name)
    else:
        finds.gone[ref] = row
    return True


def _print(finds: Finds) -> None:
    counts: defaultdict[str, list[int]] = defaultdict(lambda: [0, 0])
    for row in finds.gone.values():
        counts[row.object][0] += 1
    for row, _ in finds.other.values():
        counts[row.object][1] += 1
    click.echo(f"{'':<30} {'missing':>8} {'other values':>13}")
    for object_, (gone, other) in sorted(counts.items()):
        click.echo(f"{object_name(object_):<30} {gone:>8} {other:>13}")
    click.echo(
        "\nWhat is missing is made again by the next full read, after a check whether it is there after all."
    )
    click.echo("Other values stay as they are without --values: most are people's work in HighLevel.")
    click.echo("A file with other bytes is put right by deleting it in HighLevel and verifying again.")
    click.echo("A line taken out of differences.csv is left alone.")
