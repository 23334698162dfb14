"""What a rollback undid, proved and left alone, made ready for the report."""

from __future__ import annotations

from collections import Counter, defaultdict
from itertools import groupby
from typing import TYPE_CHECKING, Any

from target_highlevel.ledger.counts import writes
from target_highlevel.report.wording import label, meaning, object_name, reading_order, record_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from target_highlevel.ledger.ledger import Ledger
    from target_highlevel.rollback.result import Spared

#: So many records of each list are in the report; the CSV files have them all.
_MOST_LISTED = 50
#: What the trail calls what a rollback does -> the column it is counted in.
_DID = {"removed": "removed", "updated": "restored", "created": "linked_again", "gone": "gone_already"}


def done_by(ledger: Ledger, run_id: str) -> dict[str, int]:
    """Return how many records a rollback has removed, restored, linked again and found gone, as the audit trail has it.

    A link that two records of Cliniko's ask for is one link, and was one when the run made it.
    """
    found: Counter[str] = Counter()
    for (_, _, status), number in writes(ledger, run_id).items():
        found[_DID[status]] += number
    return {name: found[name] for name in _DID.values()}


def undone(
    ledger: Ledger,
    run_id: str,
    facts: Mapping[str, Any],
    spared: Iterable[Spared],
    left: Iterable[tuple[str, str, str]],
) -> dict[str, Any]:
    """Return the rollback's part of ``report.json``.

    Args:
        ledger: of the sub-account.
        run_id: of the rollback.
        facts: the run it undoes, and its counts.
        spared: the records that were left alone.
        left: the rows of ``left.csv``.
    """
    there = list(left)
    return {
        **facts,
        "undoes_run_of": ledger.run_of(facts["undoes"])["started_at"],
        "objects": _objects(ledger, run_id),
        "spared_because": _reasons(spared),
        "left": [dict(zip(("record", "highlevel_id", "field"), row)) for row in there[:_MOST_LISTED]],  # noqa: B905
    }


def _objects(ledger: Ledger, run_id: str) -> list[dict[str, Any]]:
    rows: defaultdict[tuple[str, str], dict[str, int]] = defaultdict(lambda: dict.fromkeys(_DID.values(), 0))
    for (object_, resource, status), number in writes(ledger, run_id).items():
        rows[object_, resource.rpartition(":")[2]][_DID[status]] += number
    return [
        {"label": label(*key), "object": key[0], "resource": key[1], **rows[key]}
        for key in sorted(rows, key=lambda key: reading_order(*key))
    ]


def _reasons(spared: Iterable[Spared]) -> list[dict[str, Any]]:
    """Return the reasons, the most frequent first, each with the records it concerns."""
    ordered = sorted(spared, key=lambda item: (item.reason, item.object, item.source_id))
    groups = [
        _reason(reason, list(found)) for reason, found in groupby(ordered, key=lambda item: item.reason)
    ]
    return sorted(groups, key=lambda group: -group["count"])


def _reason(reason: str, found: list[Spared]) -> dict[str, Any]:
    said = meaning("spared", reason)
    told = {"reason": reason, "meaning": said.says, "next_step": said.next_step}
    return {**told, "count": len(found), "records": [_record(item) for item in found[:_MOST_LISTED]]}


def _record(item: Spared) -> dict[str, Any]:
    return {
        "source": record_name(item.source_id),
        "object": item.object,
        "name": object_name(item.object),
        "highlevel_id": item.hl_id,
        "fields": list(item.fields),
    }
