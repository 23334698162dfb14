"""``repair``: has the next full read bring back what the newest verification missed; with ``--yes``."""

from __future__ import annotations

import csv
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import click

from target_highlevel.commands.ending import ending
from target_highlevel.commands.records import opened
from target_highlevel.errors import SettingsError
from target_highlevel.ledger.counts import writes
from target_highlevel.ledger.repair import Repair
from target_highlevel.report.differences import Kind
from target_highlevel.report.verdict import records
from target_highlevel.report.wording import object_name

if TYPE_CHECKING:
    from target_highlevel.ledger.ledger import Ledger
    from target_highlevel.ledger.rows import Row

_VERIFY = "`meltano run tap-cliniko target-highlevel-verify`"
_FOUND = 5


@dataclass
class Finds:
    """What a verification found that can be mended: records that are gone, and fields with other values."""

    gone: dict[str, Row] = field(default_factory=dict)
    other: dict[str, tuple[Row, set[str]]] = field(default_factory=dict)


@click.command()
@click.option(
    "--values",
    is_flag=True,
    help="Cliniko's values too, where HighLevel holds others: what people changed there is written over.",
)
@click.option("--yes", is_flag=True, help="Act; without it nothing is changed.")
def repair(values: bool, yes: bool) -> None:  # noqa: FBT001 - the flags of a command
    """Have the next full read bring back what the newest verification missed."""
    ending(lambda: _repair(values=values, act=yes))


def _repair(*, values: bool, act: bool) -> tuple[int, str]:
    with opened(exclusive=act) as (ledger, settings):
        run = _verification(ledger)
        work = Repair(ledger, run)
        finds = _finds(work, Path(settings.report_dir) / run / "differences.csv")
        _print(finds)
        marked = len(finds.gone) + (len(finds.other) if values else 0)
        if not act:
            return (
                0,
                f"nothing was changed; `repair{' --values' if values else ''} --yes` marks {records(marked)}",
            )
        for row in finds.gone.values():
            work.bring_again(row)
        for row, names in finds.other.values() if values else ():
            work.write_again(row, names)
    again = "run `meltano run --full-refresh tap-cliniko target-highlevel`, then verify again"
    return 0, f"marked {records(marked)}; {again}" if marked else "there is nothing to repair"


def _verification(ledger: Ledger) -> str:
    """Return the newest verification; it must have found something, and nothing may have been written since.

    Raises:
        SettingsError: there is nothing to go by.
    """
    runs = ledger.runs()
    verified = [item for item in runs if item["mode"] == "verify" and item["exit_code"] in {0, _FOUND}]
    if not verified or verified[-1]["exit_code"] != _FOUND:
        msg = f"no verification has found anything to repair; {_VERIFY} looks"
        raise SettingsError(msg)
    newest = str(verified[-1]["id"])
    since = [item["id"] for item in runs if item["id"] > newest and writes(ledger, item["id"])]
    if since:
        msg = f"run {since[-1]} has written since the verification {newest}: {_VERIFY} looks again"
        raise SettingsError(msg)
    return newest


def _finds(work: Repair, table: Path) -> Finds:
    """Read what was found from the report, so that a line a person has taken out of it is left alone."""
    finds = Finds()
    for ref in work.deleted_by_hand():
        _take(finds, work, ref, "")
    try:
        with table.open(newline="", encoding="utf-8-sig") as file:
            for line in csv.DictReader(file):
                if line["kind"] in {Kind.MISSING.value, Kind.DIFFERENT.value}:
                    _take(finds, work, f"{line['object']}:{line['source']}", line["field"])
    except (OSError, KeyError) as error:
        msg = f"report_dir: differences.csv of the verification cannot be read ({type(error).__name__})"
        raise SettingsError(msg) from None
    return finds


def _take(finds: Finds, work: Repair, ref: str, name: str) -> None:
    row = work.known(ref)
    if row is None or (name and row.object == "file"):  # what is behind a file cannot be written over
        return
    if name:
        finds.other.setdefault(ref, (row, set()))[1].add(name)
    else:
        finds.gone[ref] = row


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
        "\nWhat is missing is made again by the next full read, after a look whether it is there after all."
    )
    click.echo("Other values stay as they are without --values: most are people's work in HighLevel.")
    click.echo("A file with other bytes is put right by deleting it in HighLevel and verifying again.")
    click.echo("A line taken out of differences.csv is left alone.")
