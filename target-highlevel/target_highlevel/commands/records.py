"""``runs``, ``report``, ``verify-audit``, ``approve`` and ``purge``: what works on the ledger alone, without HighLevel."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from datetime import date
from typing import TYPE_CHECKING, Any

import click

from target_highlevel.api.read_only import ReadOnlyHighLevel
from target_highlevel.commands.ending import ending
from target_highlevel.connection import connect
from target_highlevel.errors import SettingsError
from target_highlevel.ledger.audit import broken_links
from target_highlevel.ledger.ledger import Ledger, begun_together
from target_highlevel.ledger.purge import Purge
from target_highlevel.ledger.scratch import sweep
from target_highlevel.ledger.undo import rolled_back
from target_highlevel.preflight import admission
from target_highlevel.report.run_report import write_again
from target_highlevel.report.window import write_window
from target_highlevel.texts import counted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from target_highlevel.settings import Settings


_OF_A_RUN = ("id", "location", "mode", "started_at", "ended_at", "exit_code")


@contextmanager
def opened(settings: Settings, *, exclusive: bool = False) -> Iterator[Ledger]:
    """Open the ledger for a sub-account; without ``exclusive`` also while a run goes on."""
    ledger = Ledger(settings.ledger_url, settings.location_id, exclusive=exclusive)
    try:
        yield ledger
    finally:
        ledger.close()


def with_run(run: str | None) -> Callable[[Settings], Sequence[Settings]]:
    """Return what chooses the sub-account that a run was about; all of them where no run is named, or none knows it."""

    def choose(settings: Settings) -> Sequence[Settings]:
        accounts = settings.sub_accounts()
        return [each for each in accounts if run is not None and _knows(each, run)] or accounts

    return choose


def _knows(settings: Settings, run: str) -> bool:
    with opened(settings) as ledger:
        return ledger.knows(run)


@click.command()
@click.option("--json", "as_json", is_flag=True, help="For programs: one object a line.")
@click.option("--newest", type=int, metavar="N", help="Of each mode and exit code only the newest N.")
def runs(*, as_json: bool, newest: int | None) -> None:
    """List the runs against each sub-account."""
    ending(lambda settings: _runs(settings, as_json=as_json, newest=newest), heading=not as_json)


def _runs(settings: Settings, *, as_json: bool, newest: int | None) -> tuple[int, str]:
    with opened(settings) as ledger:
        listed = ledger.runs() if newest is None else ledger.newest_of_each(newest)
        if as_json:
            for run in listed:
                click.echo(json.dumps({name: run[name] for name in _OF_A_RUN}))
            return 0, counted(len(listed), "run")
        rows = [
            ("run", "mode", "started", "ended", "exit", "remarks"),
            *(_listed(ledger, run) for run in listed),
        ]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        for row in rows:
            click.echo("  ".join(map(str.ljust, row, widths)).rstrip())
    return 0, counted(len(listed), "run")


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
    ending(lambda settings: _report(settings, run, since), among=with_run(run), heading=False)


def _report(settings: Settings, run: str | None, since: str | None) -> tuple[int, str]:
    with opened(settings) as ledger:
        if since is not None:
            chosen = runs_since(ledger, since)
            if not chosen:
                return 0, f"no run of this sub-account since {since}: there is nothing to report"
            names = contact_names(ledger, settings) if settings.show_values else None
            folder = write_window(ledger, chosen, settings, names)
        else:
            folder = write_again(
                ledger, _one([item["id"] for item in ledger.runs()], run), settings.report_dir
            )
    click.echo(str(folder))
    return 0, f"report written to {folder}"


def runs_since(ledger: Ledger, since: str) -> list[str]:
    """Return the runs of a sub-account from one on, in their order, or from a day on.

    A run may have had its part here, or none: then from the moment on at which it began in another sub-account.

    Raises:
        SettingsError: there is no such run, nor any from that day on.
    """
    runs, began = ledger.runs(), ledger.began_at(since)
    part = [item["number"] for item in runs if begun_together(item["id"]) == begun_together(since)]
    if began and part:
        return [item["id"] for item in runs if item["number"] >= part[0]]
    chosen = [item["id"] for item in runs if item["started_at"] >= (began or since)]
    if began is None and not (_is_day(since) and chosen):
        msg = f"--since {since}: no run of that id and none from that day on; `runs` lists them"
        raise SettingsError(msg)
    return chosen


def _is_day(text: str) -> bool:
    """Return whether a text begins with a day as runs have it: as a text, ``1-12-2026`` would come before all of them."""
    try:
        return date.fromisoformat(text[:10]).isoformat() == text[:10]
    except ValueError:
        return False


def _one(known: list[str], wanted: str | None) -> str:
    if not known or (wanted is not None and wanted not in known):
        msg = "there is no such run; `runs` lists them" if known else "there is no run yet"
        raise SettingsError(msg)
    return wanted or known[-1]


@click.command("verify-audit")
def verify_audit() -> None:
    """Check the chain of the audit trail: any entry changed, removed or put in later breaks it."""
    ending(_verify_audit, among=lambda settings: (settings,))  # a ledger has one trail, whoever writes in it


def _verify_audit(settings: Settings) -> tuple[int, str]:
    with opened(settings) as ledger, ledger.transaction() as connection:
        broken = list(broken_links(connection))
    if not broken:
        return 0, "the audit trail is whole: no entry was changed, removed or put in later"
    for number in broken:
        click.echo(str(number))
    entries = "1 entry" if len(broken) == 1 else f"{len(broken):,} entries"
    return 1, f"the audit trail is broken at {entries}, listed on standard output; the first is {broken[0]}"


@click.command()
@click.option(
    "--run", "run", metavar="ID", help="The run of the plan that is meant: if another has come since, say so."
)
def approve(run: str | None) -> None:
    """Confirm the newest plan."""
    ending(lambda settings: _approve(settings, run), heading=False)


def _approve(settings: Settings, run: str | None) -> tuple[int, str]:
    with opened(settings) as ledger:
        plan = admission.approve(ledger, settings, run)
    account = f"Cliniko account {plan['account']}" if plan.get("account") else "the Cliniko account"
    return 0, (
        f"the plan of {plan['at']} (run {plan['run']}) from {account} to sub-account {ledger.location} is approved; the load may"
        " start"
    )


@click.command()
@click.option(
    "--before", metavar="RUN", help="Only what is older than this run and not needed for the next delta."
)
@click.option("--yes", is_flag=True, help="Act; without it nothing is changed.")
def purge(before: str | None, yes: bool) -> None:  # noqa: FBT001 - the flag of a command
    """Remove personal data from the ledger; without --yes only say what would go."""
    ending(lambda settings: _purge(settings, before, act=yes), among=with_run(before))


def _purge(settings: Settings, before: str | None, *, act: bool) -> tuple[int, str]:
    with opened(settings, exclusive=True) as ledger:
        if before is not None:
            _one([item["id"] for item in ledger.runs()], before)
        removal = Purge(ledger, before)
        found = removal.count()
        click.echo(f"Payloads of records         {found.payloads}")
        click.echo(f"Contributions to records    {found.contributions}")
        click.echo(f"Values from before updates  {found.before_images}")
        click.echo(f"{_STAYS if before is None else _STAYS_BEFORE}\n")
        click.echo(_CONSEQUENCES if before is None else _CONSEQUENCES_BEFORE.format(run=before))
        if not act:
            return 0, "nothing was changed; `purge --yes` removes it"
        is_gone = removal.act(for_good=before is None)
        sweep()
    return (0, "personal data is removed from the ledger") if is_gone else (1, _STILL_IN_THE_FILE)


_STILL_IN_THE_FILE = (
    "personal data is removed from the ledger, but could still be read from its file, which could not be written anew: another"
    " program reads it, or the disk has no room for a second one of its size; see to it, then run `purge --yes` again"
)
_STAYS = (
    "What stays: ids, counts, the audit trail (names of fields, never values). Hashes and their key go too."
)
_STAYS_BEFORE = "What stays: ids, hashes, counts, the audit trail (names of fields, never values)."
_CONSEQUENCES = """Afterwards:
  - no run can be rolled back any more: what somebody has changed since cannot be told;
  - rejected records cannot be sent again by `retry`;
  - no load runs with this ledger: the next one needs a new ledger and --full-refresh, and rebuilds the crosswalk
    from HighLevel."""
_CONSEQUENCES_BEFORE = """Afterwards:
  - updates made before run {run} cannot be rolled back any more (creates still can);
  - loads and deltas go on as before."""


def contact_names(ledger: Ledger, settings: Settings) -> dict[str, str]:
    """Return the name of every contact by its HighLevel id; a request reads 500 of them.

    Raises:
        HighLevelError: of the kind that says what to do.
    """
    governor, client = connect(settings, ledger, threading.Event())
    try:
        pages = ReadOnlyHighLevel(client, settings.location_id).contacts.pages()
        people = [(str(item["id"]), item) for page in pages for item in page]
    finally:
        governor.close()
        client.close()
    return {
        identity: " ".join(
            str(item.get(f"{name}Raw") or item.get(name) or "") for name in ("firstName", "lastName")
        ).strip()
        for identity, item in people
    }
