"""Records of custom objects read back a page of 100 at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from target_highlevel.objects.contact import IDENTITY
from target_highlevel.objects.inventory import Inventory, Listed
from target_highlevel.verify.comparison import DIFFERING
from target_highlevel.verify.reading import Unreadable, in_parallel

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from target_highlevel.descriptor import StreamSpec
    from target_highlevel.engine.session import Session
    from target_highlevel.ledger.rows import Row
    from target_highlevel.verify.expected import Expected
    from target_highlevel.verify.findings import Findings
    from target_highlevel.verify.reading import Reader


class Records:
    """Compares the records of one custom object after the other."""

    def __init__(self, session: Session, expected: Expected, findings: Findings, reader: Reader) -> None:
        """Read through the session's client."""
        self._reader = reader
        self._session = session
        self._expected = expected
        self._findings = findings
        self._kind = session.kinds.custom_object

    def verify(self, spec: StreamSpec) -> None:
        """Compare every record; what the search shows otherwise is read again: it lags."""
        catalogue = self._session.catalogue()
        if spec.object in catalogue.object_keys:
            catalogue.read_object(spec.object)
            pages = Inventory(self._session.kinds).pages(spec.object)
            for page in self._reader.pages(pages, spec.object, self._findings):
                self._page(page, spec)
                self._findings.flush()
        self._again(spec)

    def _page(self, page: Sequence[Listed], spec: StreamSpec) -> None:
        known = self._expected.records.by_id(spec.object, [found.hl_id for found in page])
        wanted = {row.ref for row in self._expected.wanted_here(known.values())}
        for found in page:
            row = known.get(found.hl_id)
            if row is None and found.source_id:
                self._stranger(found.hl_id, spec)
            elif row is not None and row.ref not in wanted:
                self._money(row, found.item, spec)
            elif row is not None:
                self._record(row, found.item, spec, final=False)

    def _stranger(self, hl_id: str, spec: StreamSpec) -> None:
        """A record with one of our ids that the crosswalk does not lead to: a second one, or nobody's."""
        properties = self._read(hl_id, spec)
        if properties is None or isinstance(properties, Unreadable):
            return
        source = str(properties.get(IDENTITY) or "")
        if source:
            how = "doubled" if self._expected.records.by_source(spec.object, source) else "unknown"
            self._findings.surplus(spec.object, source, hl_id, how)
            if spec.money:
                told = self._session.money(spec, self._kind.decode(spec, properties))
                self._findings.surplus_money(spec.object, source, how, told)

    def _again(self, spec: StreamSpec) -> None:
        def read(row: Row) -> Mapping[str, Any] | Unreadable | None:
            return self._read(row.hl_id, spec) if row.hl_id else None

        rows = self._expected.records.unverified(spec.object)
        for row, properties in in_parallel(read, rows, self._session.stop):
            if properties is None:
                self._findings.missing(row)
            elif isinstance(properties, Unreadable):
                self._findings.unreadable(row, properties.reason)
            else:
                self._record(row, properties, spec, final=True)
        self._findings.flush()

    def _read(self, hl_id: str, spec: StreamSpec) -> Mapping[str, Any] | Unreadable | None:
        return self._reader.read(lambda: self._session.highlevel.records.get(spec.object, hl_id))

    def _record(self, row: Row, properties: Mapping[str, Any], spec: StreamSpec, *, final: bool) -> None:
        self._money(row, properties, spec)
        results = self._expected.compare(row, self._kind.decode(spec, properties))
        if results is not None and (final or not any(item.kind in DIFFERING for item in results)):
            self._findings.compared(row, results)

    def _money(self, row: Row, properties: Mapping[str, Any], spec: StreamSpec) -> None:
        if spec.money:
            self._findings.money(row, self._session.money(spec, self._kind.decode(spec, properties)))
