"""Several runs together: what a migration and its deltas did in all, and where things stand now."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from target_highlevel.ledger.counts import records_to_compare, undone_records, writes_since
from target_highlevel.ledger.handover import clinic_counts
from target_highlevel.report import money
from target_highlevel.report.agreement import agreement
from target_highlevel.report.content import audit_check, cannot_move, earlier, in_order
from target_highlevel.report.handover import COLUMNS, TABLE, Handover
from target_highlevel.report.moments import clinic_zone
from target_highlevel.report.page import window_page
from target_highlevel.report.run_report import private, write_content, write_tables
from target_highlevel.report.tables import PLAIN, WITH_MARK, write_table
from target_highlevel.report.verdict import window_verdict
from target_highlevel.report.wording import label

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from target_highlevel.ledger.ledger import Ledger
    from target_highlevel.settings import Settings

_A_DAY = 24.0
_DID = ("created", "updated", "removed")


def write_window(
    ledger: Ledger, run_ids: Sequence[str], settings: Settings, names: Mapping[str, str] | None = None
) -> Path:
    """Write one report of several runs into a folder named for the first and the last of them.

    Args:
        ledger: the ledger of the sub-account.
        run_ids: the runs.
        settings: where to, and what was decided.
        names: name of each contact by its HighLevel id, where values are shown.
    """
    ordered = [item["id"] for item in ledger.runs() if item["id"] in set(run_ids)]
    folder = private(Path(settings.report_dir) / f"{ordered[0]}--{ordered[-1]}")
    handover = Handover(ledger, settings, ordered, names or {})
    content = window_content(handover)
    write_content(folder, content, window_page(content))
    write_tables(folder, ledger, ordered[-1])
    shown = names is not None
    write_table(folder / TABLE, COLUMNS, handover.rows(), WITH_MARK if shown else PLAIN)
    write_table(folder / "money.csv", money.COLUMNS, money.table(handover.sums, show_values=shown))
    return folder


def window_content(handover: Handover) -> dict[str, Any]:
    """Return the sums of several runs, as the audit trail has them, and all that is to be said of where things stand."""
    ledger, settings = handover.ledger, handover.settings
    run_ids = set(handover.run_ids)
    runs = [item for item in ledger.runs() if item["id"] in run_ids]
    written, whole = (writes_since(ledger, runs[0]["number"], whole=whole) for whole in (False, True))
    did = [whole.get(item["id"], Counter()) for item in runs]
    standing = in_order(_standing(item, did) for item in clinic_counts(ledger))
    rows = [_run(item, written.get(item["id"], Counter())) for item in runs]  # as in its own report
    found = agreement(ledger, within_hours=_A_DAY, accept_rejects=settings.accept_rejects)
    content = {
        "kind": "window",
        "location_id": ledger.location,
        "time_zone": clinic_zone(ledger),
        "shows_values": bool(handover.names),
        "from": runs[0]["started_at"],
        "to": runs[-1]["ended_at"] or runs[-1]["started_at"],
        "runs": rows,
        "objects": standing,
        "totals": {name: sum(row[name] for row in rows) for name in (*_DID, "requests", "too_many_requests")},
        "standing": {
            name: sum(row[name] for row in standing)
            for name in ("known", "in_highlevel", "filtered", "held", "rejected")
        },
        "undone": undone_records(ledger),
        "to_compare": records_to_compare(ledger),
        "money": money.content(handover.sums, show_values=bool(handover.names)),
        "handover": handover.content(),
        "cannot_move": cannot_move(ledger),
        "audit": audit_check(ledger),
        "rejects_accepted": settings.accept_rejects,
        "go_live": {
            "agrees": found.agrees,
            "sentence": found.sentence,
            "read_back": found.money,
            "loaded": _loaded(found.load),
        },
    }
    return {**content, "verdict": window_verdict(content)}


def _loaded(load: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Return the newest load of everything that came to its end, and what it knew to be missing."""
    if load is None:
        return None
    report = load["facts"].get("report", {})
    known = {name: bool(report.get(name)) for name in ("begun_in_the_middle", "mapped_anew")}
    return {"run": load["id"], **known}


def _standing(item: Any, did: Any) -> dict[str, Any]:
    totals = {name: sum(found[item.object, item.resource, name] for found in did) for name in _DID}
    return {
        "label": label(item.object, item.resource),
        "object": item.object,
        "resource": item.resource,
        **totals,
        "known": item.source,
        "in_highlevel": item.unchanged,
        "filtered": item.filtered,
        "held": item.held,
        "rejected": item.rejected,
    }


def _run(run: Mapping[str, Any], did: Counter[tuple[str, str, str]]) -> dict[str, Any]:
    sums: Counter[str] = Counter()
    for (_, _, status), count in did.items():
        sums[status] += count
    report = run["facts"].get("report", {})
    budget = report.get("budget", {})
    spent = {name: budget.get(name, 0) for name in ("requests", "too_many_requests")}
    return {
        **earlier(run),
        **{name: sums[name] for name in _DID},
        **spent,
        **{name: bool(report.get(name)) for name in ("sample", "ended_early")},
        "closes_to_zero": report.get("closes_to_zero"),
    }
