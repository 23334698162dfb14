"""``probe``: shows what would be asked of this sub-account; with ``--yes``, asks it and keeps the answers."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from target_highlevel.assumptions import REGISTER
from target_highlevel.assumptions.known import keep, known
from target_highlevel.commands.ending import ending
from target_highlevel.commands.records import opened
from target_highlevel.connection import connect, sub_account_tokens
from target_highlevel.ledger.ledger import utc_now
from target_highlevel.probe.probe import MOST_REQUESTS, STEPS, Probe
from target_highlevel.report.run_report import private
from target_highlevel.texts import counted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from target_highlevel.assumptions import Known
    from target_highlevel.ledger.ledger import Ledger
    from target_highlevel.probe.probe import Outcome
    from target_highlevel.settings import Settings


@click.command()
@click.option("--yes", is_flag=True, help="Act; without it nothing is made.")
def probe(yes: bool) -> None:  # noqa: FBT001 - the flag of a command
    """Show what would be asked of this sub-account; with --yes, ask it and keep the answers."""
    ending(_act if yes else _show)


@contextmanager
def _probing(settings: Settings, *, exclusive: bool) -> Iterator[tuple[Probe, Ledger]]:
    """Put a probe together; one that acts keeps every other run out of the sub-account."""
    with opened(settings, exclusive=exclusive) as ledger:
        stop = threading.Event()
        tokens = sub_account_tokens(settings, stop)
        governor, client = connect(settings, ledger, stop)
        measured = known(ledger)
        lag = measured.number("search_lag") if measured.is_measured("search_lag") else None
        lag = max(settings.search_lag_seconds, lag or 0)
        probing = Probe(settings, client, tokens, governor, stop=stop, now=utc_now, search_lag=lag)
        try:
            yield probing, ledger
        finally:
            stop.set()
            probing.close()
            governor.close()
            client.close()


def _show(settings: Settings) -> tuple[int, str]:
    click.echo("A probe would, with fewer than 150 requests:\n")
    for step in STEPS:
        click.echo(f"  - {step}")
    click.echo("\nIt answers these questions, and every later run goes by the answers:\n")
    for item in REGISTER.values():
        if item.measured:
            click.echo(f"  {item.question}")
    with _probing(settings, exclusive=False) as (probing, ledger):
        left = probing.look()
        told = known(ledger).advice(utc_now())
    click.echo(f"\nLeft by an earlier probe: {', '.join(left.told()) or 'nothing'}.")
    if told:
        click.echo(f"{told[0].upper()}{told[1:]}.")
    click.echo(
        "\nPause workflows that start when a contact appears. The documents of the two files cannot be deleted through"
        " the API: they hold one sentence each, and nobody's data."
    )
    return 0, "nothing was made; `probe --yes` does it"


def _act(settings: Settings) -> tuple[int, str]:
    with _probing(settings, exclusive=True) as (probing, ledger):
        try:
            outcome = probing.act()
        finally:  # what was measured before something failed is as good as anything
            keep(ledger, probing.found.measurements.values())
        path = _write(settings, outcome, known(ledger))
    for item in outcome.found.measurements.values():
        click.echo(f"  {item.name:<26} {item.answer:<16} {item.evidence}")
    click.echo(
        f"\nNot found out: {len(outcome.found.unanswered)} (why is in {path}); an earlier answer counts, or the assumed one."
    )
    return ended(outcome, path)


def ended(outcome: Outcome, path: Path) -> tuple[int, str]:
    """Return the exit code of a probe, and its last line."""
    number, left = len(outcome.found.measurements), ", ".join(outcome.left.told())
    measured = f"{counted(number, 'answer')} measured" if number else "nothing was measured"
    if outcome.left.nothing:
        return 0, f"{measured} with {outcome.requests} requests, and nothing of it is left; see {path}"
    but = [
        f"not all that a probe has made could be removed ({left})" if left else "",
        f"whether anything is left is not known ({outcome.left.unseen})" if outcome.left.unseen else "",
    ]
    return 1, f"{measured}; {' and '.join(filter(None, but))}: run `probe --yes` again"


def _write(settings: Settings, outcome: Outcome, in_use: Known) -> Path:
    """Write `probe.json` and return its path."""
    folder = private(Path(settings.report_dir) / f"probe-{utc_now():%Y%m%dT%H%M%S.%fZ}")
    path = folder / "probe.json"
    content: dict[str, Any] = {
        "answers": [item.told() for item in outcome.found.measurements.values()],
        "open": [
            {"question": name, "why": why, "in_use": in_use.answer(name)}
            for name, why in outcome.found.unanswered.items()
        ],
        "requests": outcome.requests,
        "most_requests": MOST_REQUESTS,
        "left_behind": list(outcome.left.told()),
        "looked_everywhere": outcome.left.unseen is None,
    }
    path.write_text(f"{json.dumps(content, indent=2)}\n", encoding="utf-8")
    return path
