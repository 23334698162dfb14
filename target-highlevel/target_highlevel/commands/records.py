"""``runs``, ``report``, ``verify-audit``, ``approve`` and ``purge``: what works on the ledger alone, without HighLevel."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from target_highlevel.commands.ending import ending
from target_highlevel.engine import admission
from target_highlevel.errors import SettingsError
from target_highlevel.ledger.audit import broken_links
from target_highlevel.ledger.ledger import Ledger
from target_highlevel.ledger.purge import Purge
from target_highlevel.ledger.scratch import sweep
from target_highlevel.ledger.undo import rolled_back
from target_highlevel.report.run_report import write_again
from target_highlevel.report.window import write_window
from target_highlevel.settings import settings_from_environment

if TYPE_CHECKING:
    from collections.abc import Iterator

    from target_highlevel.settings import Settings


@contextmanager
def opened(*, exclusive: bool = False) -> Iterator[tuple[Ledger, Settings]]:
    """Open the ledger; without ``exclusive`` also while a run goes on."""
    settings = settings_from_environment()
    ledger = Ledger(settings.ledger_url, settings.location_id, exclusive=exclusive)
    try:
        yield ledger, settings
    finally:
        ledger.close()


@click.command()
def runs() -> None:
    """List the runs against this sub-account."""
    ending(_runs)


def _runs() -> tuple[int, str]:
    with opened() as (ledger, _):
        listed = ledger.runs()
        rows = [
            ("run", "mode", "started", "ended", "exit", "remarks"),
            *(_listed(ledger, run) for run in listed),
        ]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        for row in rows:
            click.echo("  ".join(map(str.ljust, row, widths)).rstrip())
    return 0, f"{len(listed)} runs"


def _listed(ledger: Ledger, run: dict[str, Any]) -> tuple[str, ...]:
    code = "" if run["exit_code"] is None else str(run["exit_code"])
    remark = "rolled back" if rolled_back(ledger, run["id"]) else ""
    if run["facts"].get("undoes"):
        remark = f"undid {run['facts']['undoes']}"
    return (run["id"], run["mode"], run["started_at"], run["ended_at"] or "not ended", code, remark)


@click.command()
@click.option("--run", "run", metavar="ID", help="The run to report; by default the newest.")
@click.option(
    "--since", metavar="RUN|DATE", help="Sum up every run from this one, or from this day (2026-11-22), on."
)
def report(run: str | None, since: str | None) -> None:
    """Write the report of a run again, or of several together."""
    ending(lambda: _report(run, since))


def _report(run: str | None, since: str | None) -> tuple[int, str]:
    with opened() as (ledger, settings):
        known = [item["id"] for item in ledger.runs()]
        if since is not None:
            chosen = [
                item["id"] for item in ledger.runs() if item["id"] >= since or item["started_at"] >= since
            ]
            chosen = chosen if since in known or "-" in since[:5] else []
            if not chosen:
                msg = f"--since {since}: no run of that id and none from that day on; `runs` lists them"
                raise SettingsError(msg)
            accepted = settings.accept_rejects
            folder = write_window(ledger, chosen, settings.report_dir, accept_rejects=accepted)
        else:
            folder = write_again(ledger, _one(known, run), settings.report_dir)
    click.echo(str(folder))
    return 0, f"report written to {folder}"


def _one(known: list[str], wanted: str | None) -> str:
    if not known or (wanted is not None and wanted not in known):
        msg = "there is no such run; `runs` lists them" if known else "there is no run yet"
        raise SettingsError(msg)
    return wanted or known[-1]


@click.command("verify-audit")
def verify_audit() -> None:
    """Check the chain of the audit trail: any entry changed, removed or put in later breaks it."""
    ending(_verify_audit)


def _verify_audit() -> tuple[int, str]:
    with opened() as (ledger, _), ledger.transaction() as connection:
        broken = list(broken_links(connection))
    if not broken:
        return 0, "the audit trail is whole: no entry was changed, removed or put in later"
    for number in broken:
        click.echo(str(number))
    return (
        1,
        f"the audit trail is broken at {len(broken)} entries, listed on standard output; the first is {broken[0]}",
    )


@click.command()
def approve() -> None:
    """Confirm the newest plan."""
    ending(_approve)


def _approve() -> tuple[int, str]:
    with opened() as (ledger, settings):
        plan = admission.approve(ledger, settings)
    return 0, f"the plan of {plan['at']} (run {plan['run']}) is approved; the load may start"


@click.command()
@click.option(
    "--before", metavar="RUN", help="Only what is older than this run and not needed for the next delta."
)
@click.option("--yes", is_flag=True, help="Act; without it nothing is changed.")
def purge(before: str | None, yes: bool) -> None:  # noqa: FBT001 - the flag of a command
    """Remove personal data from the ledger; without --yes only say what would go."""
    ending(lambda: _purge(before, act=yes))


def _purge(before: str | None, *, act: bool) -> tuple[int, str]:
    with opened(exclusive=True) as (ledger, _):
        if before is not None:
            _one([item["id"] for item in ledger.runs()], before)
        removal = Purge(ledger, before)
        found = removal.count()
        click.echo(f"Payloads of records         {found.payloads}")
        click.echo(f"Contributions to records    {found.contributions}")
        click.echo(f"Values from before updates  {found.before_images}")
        click.echo("What stays: ids, hashes, counts, the audit trail (names of fields, never values).\n")
        click.echo(_CONSEQUENCES if before is None else _CONSEQUENCES_BEFORE.format(run=before))
        if not act:
            return 0, "nothing was changed; `purge --yes` removes it"
        removal.act(for_good=before is None)
        sweep()
    return 0, "personal data is removed from the ledger"


_CONSEQUENCES = """Afterwards:
  - no update can be rolled back any more (creates still can);
  - rejected records cannot be sent again by `retry`;
  - no load runs with this ledger: the next one needs a new ledger and --full-refresh, and rebuilds the crosswalk
    from HighLevel."""
_CONSEQUENCES_BEFORE = """Afterwards:
  - updates made before run {run} cannot be rolled back any more (creates still can);
  - loads and deltas go on as before."""
