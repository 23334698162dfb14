"""What a run did, gathered from the ledger: the content of ``report.json`` and of the page made from it."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from target_highlevel.ledger import counts
from target_highlevel.ledger.audit import broken_links, head, newest_check
from target_highlevel.ledger.handover import further_parts
from target_highlevel.ledger.rows import Status
from target_highlevel.report.limits import LIMITS
from target_highlevel.report.moments import clinic_zone, zone_of
from target_highlevel.report.outcome import undoing
from target_highlevel.report.tasks import things_to_do
from target_highlevel.report.verdict import ending, verdict
from target_highlevel.report.wording import NOT_TAKEN, OUTCOMES, WITHHELD, label, meaning, reading_order

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from target_highlevel.ledger.counts import ObjectCount, Unsettled
    from target_highlevel.ledger.ledger import Ledger
    from target_highlevel.report.limits import Limit

COLUMNS = ("source", *OUTCOMES)
#: Facts of a run that are figures of its requests.
_FIGURES = frozenset(
    {"requests", "greatest_window", "waited_seconds", "too_many_requests", "window_limit", "day_limit"}
)
_MOST_EXAMPLES = 5
_MOST_RUNS = 10
_MOMENT = "%Y-%m-%dT%H:%M:%SZ"
_TRAIL_IS_CHECKED_EVERY = timedelta(hours=20)


@dataclass
class RunFacts:
    """What a run knows of itself and the ledger does not: its use of the budget, what it made, how its source ended."""

    requests: int = 0
    greatest_window: int = 0
    waited_seconds: float = 0.0
    too_many_requests: int = 0
    window_limit: int = 100
    day_limit: int = 200_000
    schema_created: list[str] = field(default_factory=list)
    ended_early: bool = False
    changes_only: bool = False
    begun_in_the_middle: bool = False
    mapped_anew: bool = False
    unmarked: bool = False
    #: Whether compared values are to be written out, which makes a report of plan or verify hold personal data.
    show_values: bool = False
    #: Whether what is refused was looked at and is left behind on purpose.
    accept_rejects: bool = False
    #: Records that settings of the target leave out, by stream.
    left_out: dict[str, int] = field(default_factory=dict)


def gather(  # noqa: PLR0913 - what only some runs have is named
    ledger: Ledger,
    run_id: str,
    facts: RunFacts,
    exit_code: int | None,
    *,
    counted: Iterable[ObjectCount] | None = None,
    error: str = "",
    sample: bool = False,
    differences: list[dict[str, Any]] | None = None,
    plan: dict[str, Any] | None = None,
    verification: dict[str, Any] | None = None,
    rollback: dict[str, Any] | None = None,
    money: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Return the content of a run's report; records by resource and id, without personal data unless it was asked for."""
    run = ledger.run_of(run_id)
    told = run["mode"] != "verify" or verification is not None  # half a read-back says nothing of any record
    counted = counts.object_counts(ledger, run_id) if counted is None else counted
    rows = in_order(_row(item) for item in counted) if told else []
    groups = grouped(counts.unsettled_records(ledger, run_id) if told else ())
    content: dict[str, Any] = {
        "kind": "run",
        "run_id": run_id,
        "mode": run["mode"],
        "location_id": run["location"],
        **_time(run, ledger.now()),
        "time_zone": zone_of(plan) or clinic_zone(ledger),
        "sample": {"patients": _patients(rows)} if sample else None,
        "exit_code": exit_code,
        **(
            undoing(exit_code, rollback)
            if rollback and rollback["read_back"]
            else ending(exit_code, ended_early=facts.ended_early and run["mode"] == "load")
        ),
        "shows_values": facts.show_values and differences is not None,
        "ended_early": facts.ended_early,
        "changes_only": facts.changes_only,
        "begun_in_the_middle": facts.begun_in_the_middle,
        "mapped_anew": facts.mapped_anew,
        "unmarked": facts.unmarked,
        "undone": counts.undone_records(ledger),
        "to_compare": counts.records_to_compare(ledger),
        "error": error,
        "objects": rows,
        "totals": {name: sum(row[name] for row in rows) for name in COLUMNS},
        "closes_to_zero": all(row["difference"] == 0 for row in rows),
        "rejects": groups["rejected"],
        "rejects_accepted": facts.accept_rejects,
        "held": groups["held"],
        "filtered": groups["filtered"],
        "left_out": dict(sorted(facts.left_out.items())),
        **_remarks(ledger, run_id),
        "practitioners_without_user": _practitioners(counts.practitioners_without_user(ledger)),
        "practitioners_left": _practitioners(counts.practitioners_left(ledger)),
        "differences": differences,
        "cannot_move": cannot_move(ledger),
        "budget": _budget(facts, ledger),
        "schema_created": list(facts.schema_created),
        "audit": audit_check(ledger, whole=not (facts.changes_only and run["mode"] == "load")),
        "plan": plan,
        "verification": verification,
        "rollback": rollback,
        "money": money,
        "runs": [earlier(item) for item in ledger.runs(_MOST_RUNS) if item["id"] != run_id],
    }
    return {**content, "verdict": verdict(content), "to_do": things_to_do(content)}


def _practitioners(found: Iterable[tuple[str, str]]) -> list[dict[str, str]]:
    return [{"source": source, "because": because} for source, because in found]


def _patients(rows: Iterable[Mapping[str, Any]]) -> int:
    return sum(row["source"] for row in rows if (row["object"], row["resource"]) == ("contact", "patients"))


def in_order(rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return rows of kinds of records in the order in which a clinic reads them."""
    return sorted(rows, key=lambda row: reading_order(row["object"], row["resource"]))


def _row(item: ObjectCount) -> dict[str, Any]:
    return {
        "label": label(item.object, item.resource),
        "object": item.object,
        "resource": item.resource,
        **{name: getattr(item, name) for name in COLUMNS},
        "difference": item.difference,
        "reasons": {name: dict(sorted(found.items())) for name, found in sorted(item.reasons.items())},
    }


def grouped(records: Iterable[Unsettled]) -> dict[str, list[dict[str, Any]]]:
    """Return for each outcome its reasons, the most frequent first, each with a few source ids."""
    groups: dict[tuple[str, str], dict[str, Any]] = {}
    for item in records:
        key = (item.outcome, item.reason)
        group = groups.setdefault(
            key, {"count": 0, "kinds": Counter(), "fields": set(), "examples": [], "contacts": {}}
        )
        group["count"] += 1
        group["kinds"][label(item.object, item.resource)] += 1
        group["fields"] |= {item.field} - {""}
        if len(group["examples"]) < _MOST_EXAMPLES and item.source_id not in group["examples"]:
            group["examples"].append(item.source_id)
            if item.contact:
                group["contacts"][item.source_id] = item.contact
    found: dict[str, list[dict[str, Any]]] = {"rejected": [], "held": [], "filtered": []}
    for (outcome, reason), group in sorted(groups.items(), key=lambda pair: (-pair[1]["count"], pair[0])):
        said = meaning(outcome, reason)
        more = {
            "kinds": dict(sorted(group["kinds"].items())),
            "fields": sorted(group["fields"])[:_MOST_EXAMPLES],
        }
        told = {"reason": reason, "meaning": said.says, "next_step": said.next_step}
        found[outcome].append(
            {
                **told,
                "count": group["count"],
                **more,
                **{name: group[name] for name in ("examples", "contacts")},
            }
        )
    return found


def _remarks(ledger: Ledger, run_id: str) -> dict[str, Any]:
    said = counts.remarks(ledger, run_id)
    for item in (*said["withheld"], *said["not_taken"]):
        item["meaning"] = {**WITHHELD, **NOT_TAKEN}.get(item["because"], item["because"])
    return {name: {"count": len(records), "records": records} for name, records in said.items()}


def cannot_move(ledger: Ledger) -> list[dict[str, Any]]:
    """Return what the two systems cannot exchange, with the number of records it concerns where that is known."""
    standing = counts.standing_records(ledger)
    parts = further_parts(ledger)
    for item in standing:  # a long note is one to a clinic
        item.source -= parts.get((item.object, item.resource, Status.DONE.value), 0)
    return [_limit(item, standing) for item in LIMITS]


def _limit(limit: Limit, standing: Iterable[ObjectCount]) -> dict[str, Any]:
    told = {name: getattr(limit, name) for name in ("code", "what", "why", "closest", "of", "among")}
    number = sum(_concerned(limit, item) for item in standing) if limit.counted else None
    return {**told, "concerns": number}


def _concerned(limit: Limit, item: ObjectCount) -> int:
    if not {(item.resource, item.object), ("", item.object)} & set(limit.counted):
        return 0
    if limit.because:
        return sum(found[code] for found in item.reasons.values() for code in limit.because)
    return item.source - item.filtered


def _budget(facts: RunFacts, ledger: Ledger) -> dict[str, Any]:
    day_began = ledger.now() - timedelta(hours=24)
    made = {name: value for name, value in asdict(facts).items() if name in _FIGURES}
    return {**made, "spent_in_24_hours": ledger.spent_since(f"{day_began:%Y-%m-%dT%H}")}


def _time(run: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    ended = run["ended_at"] or f"{now:{_MOMENT}}"
    return {"started_at": run["started_at"], "ended_at": ended, "seconds": _seconds(run["started_at"], ended)}


def _seconds(started: str, ended: str) -> int:
    moments = [datetime.strptime(text, _MOMENT).replace(tzinfo=UTC) for text in (started, ended)]
    return max(0, int((moments[1] - moments[0]).total_seconds()))


def earlier(run: Mapping[str, Any]) -> dict[str, Any]:
    """Return a run in a line: when, how long, how it ended."""
    seconds = _seconds(run["started_at"], run["ended_at"]) if run["ended_at"] else None
    names = ("id", "mode", "started_at", "exit_code")
    ended_early = run["mode"] == "load" and bool(run["facts"].get("report", {}).get("ended_early"))
    said = ending(run["exit_code"], ended_early=ended_early)
    return {**{name: run[name] for name in names}, "seconds": seconds, **said}


def audit_check(ledger: Ledger, *, whole: bool = True) -> dict[str, Any]:
    """Return how many entries the audit trail has, and which of them no longer fit the chain.

    Args:
        ledger: the ledger.
        whole: whether to look at every entry; a run every five minutes has no time for that, and begins where the run before
            found the rest whole. Once in 20 hours it looks at all of them.
    """
    now = ledger.now().strftime(_MOMENT)
    too_old = (ledger.now() - _TRAIL_IS_CHECKED_EVERY).strftime(_MOMENT)
    with ledger.transaction() as connection:
        entries, newest = head(connection)
        before = {} if whole else newest_check(connection)
        goes_on = before.get("intact") and before["entries"] and too_old < before.get("whole_at", "") <= now
        since, whole_at = (before["entries"], before["whole_at"]) if goes_on else (1, now)
        broken = list(broken_links(connection, since))
    return {
        "entries": entries,
        "head": newest,
        "since": since,
        "whole_at": whole_at,
        "intact": not broken,
        "broken": broken[:_MOST_EXAMPLES],
    }
