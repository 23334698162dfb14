"""``rollback``: shows how a run would be undone; with ``--yes``, undoes it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from target_highlevel.commands.ending import ending
from target_highlevel.engine.session import Session
from target_highlevel.ledger.ledger import Ledger
from target_highlevel.ledger.undo import Undo
from target_highlevel.report.run_report import RunReport
from target_highlevel.report.tables import write_table
from target_highlevel.report.undone import undone
from target_highlevel.rollback.plan import plan_of
from target_highlevel.rollback.rollback import Rollback, rolled_back, run_to_undo
from target_highlevel.settings import settings_from_environment
from target_highlevel.target import Stopped, exit_code

if TYPE_CHECKING:
    from target_highlevel.rollback.plan import Plan
    from target_highlevel.rollback.proof import Proof
    from target_highlevel.settings import Settings

_AGAIN = "the next load needs `--full-refresh`: the ledger has forgotten what this run brought"


@click.command()
@click.option("--run", "run", metavar="ID", help="The run to undo; by default the newest that wrote.")
@click.option("--yes", is_flag=True, help="Act; without it nothing is changed.")
def rollback(run: str | None, yes: bool) -> None:  # noqa: FBT001 - the flag of a command
    """Show how a run would be undone; with --yes, undo it."""
    ending(lambda: _act(run) if yes else _show(run))


def _show(run: str | None) -> tuple[int, str]:
    settings = settings_from_environment()
    ledger = Ledger(settings.ledger_url, settings.location_id, exclusive=False)
    try:
        undone = run_to_undo(ledger, run)
        again = " (undone before; what was spared is tried again)" if rolled_back(ledger, undone) else ""
        click.echo(f"Undoing run {undone}{again} would:\n")
        _print_plan(plan_of(Undo(ledger, "", undone)))
    finally:
        ledger.close()
    return 0, f"nothing was changed; `rollback --run {undone} --yes` undoes the run"


def _print_plan(plan: Plan) -> None:
    click.echo(f"  {'object':<42} {'remove':>8} {'restore':>8} {'link again':>11}")
    for name, counts in plan.counts.items():
        click.echo(f"  {name:<42} {counts['remove']:>8} {counts['restore']:>8} {counts['link_again']:>11}")
    click.echo("\nEach record is read first; what a person has touched since is spared and listed.")
    if plan.rewritten:
        click.echo(f"Spared already: {len(plan.rewritten)} records that a later run has written.")


def _act(run: str | None) -> tuple[int, str]:
    settings = settings_from_environment()
    session = Session(settings, mode="rollback")
    facts: dict[str, Any] = {}
    code = 1
    try:
        undoing = Rollback(session, run_to_undo(session.ledger, run))
        facts["undoes"] = undoing.undone
        click.echo(f"Undoing run {undoing.undone}.")
        proof = undoing.act()
        _print_result(undoing, proof)
        code = 0 if proof.holds else 1
        facts |= _facts(undoing, proof)
        facts |= _write_report(session, settings, undoing, proof, code)
    except (Stopped, Exception) as error:
        code = exit_code(error)
        raise
    finally:
        session.close(code, facts)
    if proof.holds:
        return code, f"run {undoing.undone} is undone; {_AGAIN}"
    return (
        code,
        f"run {undoing.undone} is not wholly undone: see left.csv in the report, then run the same command again",
    )


def _print_result(undoing: Rollback, proof: Proof) -> None:
    result = undoing.result
    click.echo(f"\nRemoved {result.removed}, restored {len(result.restored)}, linked again {result.linked}.")
    click.echo("Read back:")
    click.echo(f"  created left                        {len(proof.left)}")
    click.echo(f"  fields differing from before-image  {len(proof.differing)}")
    click.echo(f"  spared                              {len(result.spared)}")
    for item in sorted(result.spared.values(), key=lambda one: (one.object, one.source_id))[:20]:
        names = f" ({', '.join(item.fields)})" if item.fields else ""
        click.echo(f"    {item.object} {item.source_id}: {item.reason}{names}")
    left = undoing.left_behind()
    click.echo("Left in the sub-account on purpose:")
    for name, found in left.items():
        click.echo(f"  {name}: {', '.join(found) or 'none'}")


def _facts(undoing: Rollback, proof: Proof) -> dict[str, Any]:
    result = undoing.result
    return {
        "removed": result.removed,
        "restored": len(result.restored),
        "linked_again": result.linked,
        "created_left": len(proof.left),
        "fields_differing": len(proof.differing),
        "spared": len(result.spared),
        "left_behind": undoing.left_behind(),
    }


def _write_report(
    session: Session, settings: Settings, undoing: Rollback, proof: Proof, code: int
) -> dict[str, Any]:
    """Write the run's report and the lists beside it; return what the ledger keeps of the report."""
    report = RunReport(session)
    spared = sorted(undoing.result.spared.values(), key=lambda item: (item.object, item.source_id))
    left = [(object_, hl_id, "") for object_, hl_id in proof.left]
    left += [(ref, "", name) for ref, name in proof.differing]
    facts = {"undoes": undoing.undone, **_facts(undoing, proof)}
    folder = report.write(code, rollback=undone(session.ledger, session.run, facts, spared, left))
    rows = ((item.source_id, item.object, item.hl_id, item.reason, " ".join(item.fields)) for item in spared)
    write_table(folder / "spared.csv", ("source", "object", "highlevel_id", "reason", "fields"), rows)
    write_table(folder / "left.csv", ("record", "highlevel_id", "field"), left)
    content = {"run_id": session.run, **facts}
    (folder / "rollback.json").write_text(f"{json.dumps(content, indent=2)}\n", encoding="utf-8")
    click.echo(f"Report: {Path(settings.report_dir) / session.run}")
    return report.facts
