"""Calendars, hours and absences read back by their lists: few requests for all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from target_highlevel.objects.inventory import Inventory
from target_highlevel.verify.reading import Unreadable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from target_highlevel.descriptor import StreamSpec
    from target_highlevel.engine.session import Session
    from target_highlevel.ledger.rows import Row
    from target_highlevel.objects.diary import Standing as Kind
    from target_highlevel.verify.expected import Expected
    from target_highlevel.verify.findings import Findings
    from target_highlevel.verify.reading import Reader


class Standing:
    """Compares what stands in the diary and carries our marker."""

    def __init__(self, session: Session, expected: Expected, findings: Findings, reader: Reader) -> None:
        """Read through the session's client."""
        self._session = session
        self._expected = expected
        self._findings = findings
        self._reader = reader

    def verify(self, spec: StreamSpec) -> None:
        """Compare everything of one kind; nothing is asked where nothing of it is in HighLevel or should be."""
        kind = self._session.kinds.diary[spec.kind]
        waiting = [
            row for row in self._expected.records.unverified(spec.object) if not self._left_out(row, kind)
        ]
        if not waiting and not self._session.kinds.in_calendars:
            return
        inventory = Inventory(self._session.kinds)
        found = self._reader.read(
            lambda: {each.hl_id: each.item for page in inventory.pages(spec.object) for each in page}
        )
        if found is None or isinstance(found, Unreadable):
            for row in waiting:
                self._findings.unreadable(row, found.reason if found else "no_answer")
        else:
            self._all(waiting, found, spec, kind)
        self._findings.flush()

    def _left_out(self, row: Row, kind: Kind) -> bool:
        if row.hl_id is not None or kind.left_out(row, row.fields) is None:
            return False
        self._findings.outcome(row, "filtered")
        return True

    def _all(
        self, waiting: list[Row], found: dict[str, Mapping[str, Any]], spec: StreamSpec, kind: Kind
    ) -> None:
        for row in waiting:
            item = found.pop(str(row.hl_id), None)
            if item is None:
                self._findings.missing(row)
            elif (results := self._expected.compare(row, kind.decode(item))) is not None:
                self._findings.compared(row, results)
        for hl_id, item in found.items():
            source = str(kind.source_id(item))
            if how := _why_too_much(self._expected.records.by_source(spec.object, source), hl_id):
                self._findings.surplus(spec.object, source, hl_id, how)


def _why_too_much(known: Row | None, hl_id: str) -> str | None:
    """Return why something of ours should not be there; what this reading did not bring is nobody's error."""
    if known is None or known.hl_id != hl_id:
        return "doubled" if known and known.hl_id else "unknown"
    return "no_longer_wanted" if known.content.absent else None
