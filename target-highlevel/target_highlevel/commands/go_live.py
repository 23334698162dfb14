"""``go-live``: says whether both sides agree now."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from target_highlevel.assumptions.known import known
from target_highlevel.commands.ending import ending
from target_highlevel.commands.records import opened
from target_highlevel.exit_codes import COMPLETE, DIFFERENCES, UNREADABLE
from target_highlevel.report.agreement import Agreement, agreement

if TYPE_CHECKING:
    from target_highlevel.settings import Settings


#: What is said of the newest verification, by its exit code.
_READ = {
    COMPLETE: "no differences",
    DIFFERENCES: "differences",
    UNREADABLE: "no differences, but not all was read back",
}


@click.command("go-live")
@click.option(
    "--within",
    "hours",
    metavar="HOURS",
    type=float,
    default=24,
    show_default=True,
    help="How long ago the newest load may have begun.",
)
def go_live(hours: float) -> None:
    """Say whether both sides agree now: newest verification, waiting and refused records, newest load."""
    ending(lambda settings: _go_live(settings, hours))


def _go_live(settings: Settings, hours: float) -> tuple[int, str]:
    with opened(settings) as ledger:
        found = agreement(ledger, within_hours=hours, accept_rejects=settings.accept_rejects)
        advice = known(ledger).advice(ledger.now())
    _print(found, advice)
    # as a verification that found differences: the same question, asked of the ledger
    return (COMPLETE if found.agrees else DIFFERENCES), found.sentence


def _print(found: Agreement, advice: str) -> None:
    load, verification = found.load, found.verification
    ago = f"{load['id']}, {found.hours_since_load:.1f} hours ago" if load else "none"
    click.echo(f"Newest load          {ago}")
    told = f"{verification['id']}, {_READ[verification['exit_code']]}" if verification else "none"
    click.echo(f"Newest verification  {told}")
    click.echo(f"Waiting records      {found.held}")
    click.echo(f"Refused records      {found.rejected}")
    for line in found.money or ["nothing read back"]:
        click.echo(f"Money                {line}")
    click.echo(f"Measured             {advice or 'yes, lately'}")
