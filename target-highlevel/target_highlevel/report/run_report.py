"""The report of one run: gathered from the ledger, written as JSON and CSV."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from target_highlevel.ledger.audit import broken_links
from target_highlevel.ledger.counts import crosswalk, object_counts, rejected_records, remarks

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from target_highlevel.engine.session import Session

_COLUMNS = ("source", "created", "updated", "unchanged", "filtered", "held", "rejected")


class RunReport:
    """What a run did: no names, no addresses, no texts, only resources, ids and counts."""

    def __init__(self, session: Session) -> None:
        """Gather everything now, while the ledger is open."""
        self._session = session
        self._ledger = session.ledger
        self.counts = object_counts(session.ledger, session.run)
        self.rejects = list(rejected_records(session.ledger))
        figures = session.governor.statistics()
        self.facts: dict[str, Any] = {
            "requests": figures.requests,
            "greatest_window": figures.greatest_window,
            "waited_seconds": figures.waited_seconds,
            "too_many_requests": figures.too_many_requests,
            "schema_created": list(session.schema.created),
            "practitioners_without_user": sorted(set(session.directory.unmatched)),
        }

    @property
    def rejected(self) -> int:
        """Return how many records stand rejected."""
        return len(self.rejects)

    @property
    def folder(self) -> Path:
        """Return the folder of this run's report."""
        return Path(self._session.settings.report_dir) / self._session.run

    def content(self, exit_code: int) -> dict[str, Any]:
        """Return the content of ``report.json``."""
        run = next(item for item in self._ledger.runs() if item["id"] == self._session.run)
        with self._ledger.transaction() as connection:
            broken = list(broken_links(connection))
        return {
            "run_id": run["id"],
            "mode": run["mode"],
            "location_id": run["location"],
            "started_at": run["started_at"],
            "ended_at": f"{self._ledger.now():%Y-%m-%dT%H:%M:%SZ}",
            "exit_code": exit_code,
            "objects": [self._row(item) for item in self.counts],
            "totals": {name: sum(getattr(item, name) for item in self.counts) for name in _COLUMNS},
            "closes_to_zero": all(item.difference == 0 for item in self.counts),
            "rejects": self._reject_counts(),
            **remarks(self._ledger, run["id"]),
            **self.facts,
            "audit_trail_intact": not broken,
        }

    def _row(self, item: Any) -> dict[str, Any]:
        row = {"object": item.object, "resource": item.resource}
        row |= {name: getattr(item, name) for name in _COLUMNS}
        return {**row, "difference": item.difference, "reasons": {name: dict(found) for name, found in item.reasons.items()}}

    def _reject_counts(self) -> dict[str, int]:
        counts: dict[str, int] = {}
        for _, _, reason, _ in self.rejects:
            counts[reason] = counts.get(reason, 0) + 1
        return dict(sorted(counts.items()))

    def write(self, exit_code: int) -> Path:
        """Write the report's files; return their folder."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        text = json.dumps(self.content(exit_code), indent=2, sort_keys=False)
        (self.folder / "report.json").write_text(f"{text}\n", encoding="utf-8")
        rejects = ((source_id, object_, reason, name) for object_, source_id, reason, name in self.rejects)
        _table(self.folder / "rejects.csv", ("source", "object", "reason", "field"), rejects)
        _table(
            self.folder / "crosswalk.csv", ("source", "object", "highlevel_id", "status"), crosswalk(self._ledger)
        )
        return self.folder


def _table(path: Path, header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows(rows)
