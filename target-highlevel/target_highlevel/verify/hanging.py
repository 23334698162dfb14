"""Notes, tasks and events read back by the list of their contact: one request for all that hang on it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from target_highlevel.ledger.rows import Status
from target_highlevel.objects.on_contact import OnContact
from target_highlevel.verify.comparison import DIFFERING
from target_highlevel.verify.reading import Unreadable, in_parallel

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from target_highlevel.descriptor import StreamSpec
    from target_highlevel.engine.session import Session
    from target_highlevel.ledger.rows import Row
    from target_highlevel.verify.expected import Expected
    from target_highlevel.verify.findings import Findings
    from target_highlevel.verify.reading import Reader


class Hanging:
    """Compares what hangs on contacts and carries our marker in its text."""

    def __init__(self, session: Session, expected: Expected, findings: Findings, reader: Reader) -> None:
        """Read through the session's client."""
        self._reader = reader
        self._session = session
        self._expected = expected
        self._findings = findings

    def verify(self, spec: StreamSpec) -> None:
        """Compare everything of one kind, contact by contact; these lists do not lag behind the writes."""
        self._expected.place(spec.object)
        for kind in self._session.kinds.activities(spec.kind):
            self._verify(spec, kind)
        self._rest(spec)
        self._findings.flush()

    def _rest(self, spec: StreamSpec) -> None:
        """Read by id what no list has shown, before it is called missing: the list of opportunities is a search, which lags."""
        rows = self._expected.records.unverified(spec.object)
        wanted = (row for row in rows if not self._expected.is_left_out(row))
        for row, item in in_parallel(self._by_id, wanted, self._session.stop):
            if item is None:
                self._findings.missing(row)
            elif isinstance(item, Unreadable):
                self._findings.unreadable(row, item.reason)
            elif (results := self._expected.compare(row, self._kind(row, spec).decode(item))) is not None:
                self._findings.compared(row, results)

    def _by_id(self, row: Row) -> dict[str, Any] | Unreadable | None:
        """Read one thing; nothing where it is on another contact now."""
        if not (row.hl_id and row.parent_id):
            return None
        activities = self._kind(row, self._session.specs[row.stream]).activities
        found = self._reader.read(lambda: activities.get(str(row.parent_id), str(row.hl_id)))
        is_elsewhere = isinstance(found, dict) and found.get("contactId") not in {None, row.parent_id}
        return None if is_elsewhere else found

    def _kind(self, row: Row, spec: StreamSpec) -> OnContact:
        found = self._session.kinds.of(row, spec, self._session.work.contributions(row))
        assert isinstance(found, OnContact)  # noqa: S101 - nothing else hangs on a contact but files
        return found

    def _verify(self, spec: StreamSpec, kind: OnContact) -> None:
        """Compare what is in one list of each contact: of appointments, its tasks or its events."""

        def listed(contact_id: str) -> list[dict[str, Any]] | Unreadable | None:
            return self._reader.read(lambda: list(kind.listed(contact_id)))

        contacts = self._expected.records.contacts(spec.object)
        for contact_id, items in in_parallel(listed, contacts, self._session.stop):
            if isinstance(items, Unreadable):
                rows = self._expected.records.of_parent(spec.object, contact_id)
                self._unreadable(rows, items.reason, spec, kind)
            else:  # of a contact that is gone, everything on it is
                self._contact(contact_id, items or (), spec, kind)
            self._findings.flush()

    def _unreadable(self, rows: Iterable[Row], reason: str, spec: StreamSpec, kind: OnContact) -> None:
        for row in self._expected.wanted_here(rows):
            if self._session.kinds.of(row, spec, self._session.work.contributions(row)) is kind:
                self._findings.unreadable(row, reason)

    def _contact(
        self, contact_id: str, items: Iterable[Mapping[str, Any]], spec: StreamSpec, kind: OnContact
    ) -> None:
        rows = self._expected.records.of_parent(spec.object, contact_id)
        by_id = {row.hl_id: row for row in rows if row.hl_id}
        wanted = {row.ref for row in self._expected.wanted_here(rows)}
        unread = None
        for item in items:
            row = by_id.get(item["id"]) or self._unmatched(item, spec, kind)
            if isinstance(row, Unreadable):
                unread = row
            elif row is not None and row.ref in wanted:
                self._compare(row, item, spec, kind)
        if unread:  # what was not read may be one that the ledger does not lead to yet
            self._unreadable((row for row in rows if not row.hl_id), unread.reason, spec, kind)

    def _unmatched(
        self, item: Mapping[str, Any], spec: StreamSpec, kind: OnContact
    ) -> Row | Unreadable | None:
        """Return the record that an unknown item is the only copy of; any other of ours is one too many.

        What bears no marker is ours only where the ledger leads to it: anybody may open an opportunity.
        """
        if not kind.is_marked:
            return None
        source = self._reader.read(lambda: kind.source_id(item) or "")
        if isinstance(source, Unreadable):
            return source
        if not source:
            return None
        row = self._expected.records.by_source(spec.object, source)
        if row is not None and row.hl_id is None and row.status == Status.READY.value:
            row.hl_id = str(item["id"])  # written by a load that did not live to note it
            return row
        self._findings.surplus(spec.object, source, str(item["id"]), "doubled" if row else "unknown")
        return None

    def _compare(self, row: Row, item: Mapping[str, Any], spec: StreamSpec, kind: OnContact) -> None:
        results = self._expected.compare(row, kind.decode(item))
        if results is not None and any(found.kind in DIFFERING for found in results):
            # before anything is called a difference: a list may show less than there is
            again = self._reader.read(lambda: kind.read(row, spec))
            if isinstance(again, Unreadable):
                self._findings.unreadable(row, again.reason)
                return
            results = (self._expected.compare(row, again) if again is not None else None) or results
        if results is not None:
            self._findings.compared(row, results)
