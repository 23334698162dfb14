"""What stays of the report of an old load: one every five minutes makes 105,000 a year."""

from __future__ import annotations

import json

import sqlalchemy as sa

from target_highlevel.ledger.tables import run

#: So many of the newest runs keep their reports whole.
WHOLE_REPORTS = 1000
#: What reports of several runs and the check of the audit trail ask for.
_KEPT = (
    *("audit", "begun_in_the_middle", "budget", "changes_only", "closes_to_zero"),
    *("conflicts", "ended_early", "mapped_anew", "sample"),
)


def shorten_old_report(connection: sa.Connection, location: str, ended: str) -> None:
    """Shorten, when a run has ended, the report of the one load that is too far back by now."""
    number = sa.select(run.c.number).where(run.c.id == ended).scalar_subquery()
    old = sa.select(run.c.id, run.c.facts).where(
        run.c.location == location, run.c.mode == "load", run.c.number == number - WHOLE_REPORTS
    )
    for identity, text in connection.execute(old).all():
        facts = json.loads(text or "{}")
        report = facts.get("report", {})
        facts["report"] = {name: report[name] for name in _KEPT if name in report}
        connection.execute(run.update().where(run.c.id == identity).values(facts=json.dumps(facts)))
