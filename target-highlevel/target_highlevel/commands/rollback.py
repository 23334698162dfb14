"""``rollback``: shows how a run would be undone; with ``--yes``, undoes it."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import click

from target_highlevel.commands.ending import begun, ending
from target_highlevel.commands.records import opened, with_run
from target_highlevel.endings import exit_code, ignore_signals, public_message
from target_highlevel.engine.session import Session
from target_highlevel.errors import SettingsError
from target_highlevel.exit_codes import COMPLETE, FAILED
from target_highlevel.interruption import SignalReceived
from target_highlevel.ledger.ledger import begun_together
from target_highlevel.ledger.undo import Undo, rolled_back
from target_highlevel.report.run_report import RunReport
from target_highlevel.report.tables import write_table
from target_highlevel.report.undone import done_by
from target_highlevel.report.undone import undone as undone_content
from target_highlevel.report.wording import meaning, object_name, record_name
from target_highlevel.rollback.plan import plan_of
from target_highlevel.rollback.rollback import Rollback, run_to_undo
from target_highlevel.texts import counted

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from target_highlevel.rollback.plan import Plan
    from target_highlevel.rollback.proof import Proof
    from target_highlevel.settings import Settings

_AGAIN = "the next load needs `--full-refresh`: the ledger has forgotten what this run brought"

_SIGNS = {
    "opportunity": "opportunities",
    "conversation": "conversations",
    "form": "forms",
    "payment": "payments",
    "order": "orders",
    "invoice": "invoices",
}


@click.command()
@click.option("--run", "run", metavar="ID", help="The run to undo; by default the newest that wrote.")
@click.option("--yes", is_flag=True, help="Act; without it nothing is changed.")
def rollback(run: str | None, yes: bool) -> None:  # noqa: FBT001 - the flag of a command
    """Show how a run would be undone; with --yes, undo it."""
    work = _act if yes else _show
    ending(lambda settings: work(settings, run), among=with_run(run) if run else _of_the_newest)


def _of_the_newest(settings: Settings) -> Sequence[Settings]:
    """Return the sub-accounts that the newest run wrote to: what one run did in several is undone in all of them."""
    accounts = settings.sub_accounts()
    if len(accounts) == 1:
        return accounts
    with opened(
        settings
    ) as ledger:  # every run of several has a part in the main one, also where it wrote nothing
        order = [begun_together(run["id"]) for run in ledger.runs()]
    wrote = {each.location_id: begun_together(run) for each in accounts if (run := _newest(each))}
    newest = max(wrote.values(), key=lambda run: order.index(run) if run in order else -1, default=None)
    return [each for each in accounts if newest and wrote.get(each.location_id) == newest] or accounts


def _newest(settings: Settings) -> str | None:
    with opened(settings) as ledger, suppress(SettingsError):
        return run_to_undo(ledger, None)
    return None


def _show(settings: Settings, run: str | None) -> tuple[int, str]:
    with opened(settings) as ledger:
        undone = run_to_undo(ledger, run)
        again = " (undone before; what was spared is tried again)" if rolled_back(ledger, undone) else ""
        click.echo(f"Undoing run {undone}{again} would:\n")
        _print_plan(plan_of(Undo(ledger, "", undone)))
    return 0, f"nothing was changed; `rollback --run {undone} --yes` undoes the run"


def _print_plan(plan: Plan) -> None:
    click.echo(f"  {'records':<42} {'remove':>8} {'restore':>8} {'link again':>11}")
    for name, counts in plan.counts.items():
        click.echo(
            f"  {object_name(name):<42} {counts['remove']:>8} {counts['restore']:>8} {counts['link_again']:>11}"
        )
    click.echo("\nEach record is read first; what a person has touched since is left alone and listed.")
    if plan.rewritten:
        click.echo(
            f"Left alone for sure: {counted(len(plan.rewritten), 'record')} that a later run has written."
        )


def _act(settings: Settings, run: str | None) -> tuple[int, str]:
    with opened(settings) as ledger:
        undone = run_to_undo(ledger, run)  # what undoes nothing begins no run
    session = Session(settings, mode="rollback")
    begun(session.run)
    undoing = Rollback(session, undone)
    click.echo(f"Undoing run {undone}.")
    proof: Proof | None = None
    error: BaseException | None = None
    try:
        proof = undoing.act()
    except (SignalReceived, Exception) as caught:  # noqa: BLE001 - whatever ended it, there is a report
        error = caught
    ignore_signals()
    code = exit_code(error) or (COMPLETE if proof and proof.holds else FAILED)
    facts = {"undoes": undone, **done_by(session.ledger, session.run), **_facts(undoing, proof)}
    if proof is not None:
        _print_result(undoing, proof, facts)
    session.close(code, {**facts, **_write_report(session, undoing, proof, facts, error)})
    if error is not None:
        raise error
    if not code:
        spared = len(undoing.result.spared)
        but = (
            f", except {counted(spared, 'record')} left alone (see spared.csv in the report)"
            if spared
            else ""
        )
        if undoing.unseen:
            but += f"; the token may not see {_unseen(undoing)}: contacts with any activity since were left alone"
        return code, f"run {undone} is undone{but}; {_AGAIN}"
    return (
        code,
        f"run {undone} is not wholly undone: see left.csv in the report, then run the same command again",
    )


def _unseen(undoing: Rollback) -> str:
    """Return which signs of people's work could not be asked for: *conversations, payments*."""
    return ", ".join(sorted(_SIGNS[kind] for kind in undoing.unseen))


def _print_result(undoing: Rollback, proof: Proof, did: Mapping[str, Any]) -> None:
    result = undoing.result
    gone = f" Gone already: {did['gone_already']:,}." if did["gone_already"] else ""
    click.echo(
        f"\nRemoved {did['removed']:,}, restored {did['restored']:,}, linked again {did['linked_again']:,}.{gone}"
    )
    click.echo("Read back:")
    click.echo(f"  created and still there             {len(proof.left)}")
    click.echo(f"  fields not as before the run        {len(proof.differing)}")
    click.echo(f"  left alone                          {len(result.spared)}")
    for item in sorted(result.spared.values(), key=lambda one: (one.object, one.source_id))[:20]:
        names = f" ({', '.join(item.fields)})" if item.fields else ""
        said = meaning("spared", item.reason).says
        click.echo(f"    {object_name(item.object)} {record_name(item.source_id)}: {said}{names}")
    left = undoing.left_behind()
    click.echo("Left in the sub-account on purpose:")
    for name, found in left.items():
        click.echo(f"  {name}: {', '.join(found) or 'none'}")


def _facts(undoing: Rollback, proof: Proof | None) -> dict[str, Any]:
    """Return what a rollback left and proved; one that stopped before its end has read nothing back."""
    return {
        "read_back": proof is not None,
        "created_left": len(proof.left) if proof else 0,
        "fields_differing": len(proof.differing) if proof else 0,
        "spared": len(undoing.result.spared),
        "left_behind": undoing.left_behind() if proof else None,
    }


def _write_report(
    session: Session,
    undoing: Rollback,
    proof: Proof | None,
    facts: dict[str, Any],
    error: BaseException | None,
) -> dict[str, Any]:
    """Write the run's report and the lists beside it; return what the ledger keeps of the report."""
    report = RunReport(session)
    spared = sorted(undoing.result.spared.values(), key=lambda item: (item.object, item.source_id))
    left = _left(proof) if proof else []
    code = exit_code(error) or (COMPLETE if proof and proof.holds else FAILED)
    content = undone_content(session.ledger, session.run, facts, spared, left)
    folder = report.write(code, error=public_message(error), rollback=content)
    rows = ((item.source_id, item.object, item.hl_id, item.reason, " ".join(item.fields)) for item in spared)
    write_table(folder / "spared.csv", ("source", "object", "highlevel_id", "reason", "fields"), rows)
    write_table(folder / "left.csv", ("record", "highlevel_id", "field"), left)
    text = json.dumps({"run_id": session.run, **facts}, indent=2)
    (folder / "rollback.json").write_text(f"{text}\n", encoding="utf-8")
    click.echo(f"Report: {folder}")
    return report.facts


def _left(proof: Proof) -> list[tuple[str, str, str]]:
    return [
        *((object_, hl_id, "") for object_, hl_id in proof.left),
        *((ref, "", name) for ref, name in proof.differing),
    ]
