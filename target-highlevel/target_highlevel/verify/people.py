"""Contacts read back a page of 500 at a time, and the files in their field."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from target_highlevel.objects.contact import IDENTITY, decode
from target_highlevel.objects.file import is_packed, items, name_of, source_id
from target_highlevel.objects.inventory import Inventory, Listed
from target_highlevel.report.differences import Kind
from target_highlevel.verify.comparison import DIFFERING, Compared
from target_highlevel.verify.downloads import DocumentUnreadable
from target_highlevel.verify.reading import Unreadable, in_parallel

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from target_highlevel.descriptor import StreamSpec
    from target_highlevel.engine.session import Session
    from target_highlevel.ledger.rows import Row
    from target_highlevel.setup.catalogue import Catalogue
    from target_highlevel.verify.downloads import Downloads
    from target_highlevel.verify.expected import Expected
    from target_highlevel.verify.findings import Findings
    from target_highlevel.verify.reading import Reader


class People:
    """Compares contacts and their files."""

    def __init__(
        self,
        session: Session,
        expected: Expected,
        findings: Findings,
        downloads: Downloads,
        reader: Reader,
    ) -> None:
        """Read through the session's client."""
        self._reader = reader
        self._session = session
        self._expected = expected
        self._findings = findings
        self._downloads = downloads
        self._catalogue = session.catalogue()

    def verify(self, spec: StreamSpec, file_spec: StreamSpec | None) -> None:
        """Compare every contact; what the search shows otherwise is read again: it lags."""
        pages = Inventory(self._session.kinds).pages(spec.object)
        for page in self._reader.pages(pages, spec.object, self._findings):
            self._page(page, spec, file_spec)
            self._findings.flush()
        self._again(spec, file_spec)

    def _page(self, page: Sequence[Listed], spec: StreamSpec, file_spec: StreamSpec | None) -> None:
        known = self._expected.records.by_id(spec.object, [found.hl_id for found in page])
        wanted = {row.ref for row in self._expected.wanted_here(known.values())}
        for found in page:
            row = known.get(found.hl_id)
            if row is None:
                self._stranger(found.hl_id, spec)
            elif row.ref in wanted:
                self._contact(row, found.item, spec, file_spec, final=False)
            else:  # of the contact nothing is wanted, or it was refused; its files may be there all the same
                self._take(_Files(self._expected, found.item, self._catalogue, file_spec, merged=True))

    def _stranger(self, hl_id: str, spec: StreamSpec) -> None:
        """A contact with one of our ids that the crosswalk does not lead to: a second one, or nobody's."""
        contact = self._read(hl_id)
        if contact is None or isinstance(contact, Unreadable):
            return
        source = decode(spec, contact, self._catalogue).get(IDENTITY)
        if source:
            how = "doubled" if self._expected.records.by_source(spec.object, source) else "unknown"
            self._findings.surplus(spec.object, source, hl_id, how)

    def _again(self, spec: StreamSpec, file_spec: StreamSpec | None) -> None:
        """Read by id what the search did not show as it should be."""

        def read(row: Row) -> Mapping[str, Any] | Unreadable | None:
            return self._read(row.hl_id) if row.hl_id else None

        rows = self._expected.records.unverified(spec.object)
        for row, contact in in_parallel(read, rows, self._session.stop):
            if contact is None:
                self._findings.missing(row)
            elif isinstance(contact, Unreadable):
                self._unreadable(row, contact.reason, file_spec)
            else:
                self._contact(row, contact, spec, file_spec, final=True)
        self._findings.flush()

    def _unreadable(self, row: Row, reason: str, file_spec: StreamSpec | None) -> None:
        """A contact that cannot be read shows none of its files either."""
        self._findings.unreadable(row, reason)
        files = self._expected.records.of_parent(file_spec.object, str(row.hl_id)) if file_spec else []
        for file in self._expected.wanted_here(files):
            self._findings.unreadable(file, reason)

    def _read(self, hl_id: str) -> Mapping[str, Any] | Unreadable | None:
        return self._reader.read(lambda: self._session.highlevel.contacts.get(hl_id))

    def _contact(
        self,
        row: Row,
        contact: Mapping[str, Any],
        spec: StreamSpec,
        file_spec: StreamSpec | None,
        *,
        final: bool,
    ) -> None:
        """Compare a contact and its files; unless it is final, a difference is left to the second reading."""
        results = self._expected.compare(row, decode(spec, contact, self._catalogue))
        if results is None:
            return
        # merged away in Cliniko: its files stay where they are, too
        merged = bool(row.content.filtered)
        files = _Files(self._expected, contact, self._catalogue, file_spec, merged=merged)
        if final or (files.complete and not any(item.kind in DIFFERING for item in results)):
            self._findings.compared(row, results)
            self._take(files)

    def _take(self, files: _Files) -> None:
        for source, key in files.extra:
            self._findings.surplus("file", source, key, files.why_extra(source))
        for row, _ in files.found:
            self._findings.compared(row, files.results[row.ref])
        self._expected.records.keep_downloads(
            {row.ref: str(item.get("url") or "") for row, item in files.found}
        )

    def verify_bytes(self) -> None:
        """Download every file that is where it should be and compare its bytes with Cliniko's."""

        def read(place: tuple[Row, str]) -> str | Unreadable | None:
            row, url = place
            if not url:
                return None
            try:
                return self._downloads.sha256(url, zipped=is_packed(row.fields))
            except DocumentUnreadable as unreadable:
                if unreadable.reason in {"no_answer", "server_error"}:
                    self._reader.check_service()
                return Unreadable(unreadable.reason)

        for (row, _), there in in_parallel(read, self._expected.records.downloads(), self._session.stop):
            if isinstance(there, Unreadable):
                self._findings.unreadable(row, there.reason, "file_sha256")
                continue
            wanted = row.fields.get("file_sha256")
            kind = Kind.EQUAL if there == wanted else (Kind.DIFFERENT if there else Kind.MISSING)
            self._findings.compared(row, [Compared("file_sha256", kind, "", wanted, there)])
        self._findings.flush()


class _Files:
    """The files in our field of one contact, beside those that should be there."""

    def __init__(
        self,
        expected: Expected,
        contact: Mapping[str, Any],
        catalogue: Catalogue,
        spec: StreamSpec | None,
        *,
        merged: bool,
    ) -> None:
        """Match what is there with what should be there; on a contact that was merged away nothing is too much."""
        self.found: list[tuple[Row, Mapping[str, Any]]] = []
        self.results: dict[str, list[Compared]] = {}
        self.extra: list[tuple[str, str]] = []
        self.complete = True
        self._rows: list[Row] = []
        self._contact_id, self._expected = str(contact["id"]), expected
        field = catalogue.contact_fields.get(spec.file_field) if spec else None
        if spec is None or field is None:
            return
        self._rows = expected.records.of_parent(spec.object, contact["id"])
        self._match(dict(items(contact, field.id)), expected)
        if merged:  # what was here stays, but not another patient's
            self.extra = [item for item in self.extra if _belongs_elsewhere(item[0], contact["id"], expected)]
        self.complete = self.complete and not self.extra

    def why_extra(self, source: str) -> str:
        """Return why a file should not be on this contact: it is there twice, is another patient's, or is not known."""
        if any(row.source_id == source for row in self._rows):
            return "doubled"
        return "misplaced" if _belongs_elsewhere(source, self._contact_id, self._expected) else "unknown"

    def _match(self, there: dict[str, dict[str, Any]], expected: Expected) -> None:
        taken = {str(row.hl_id) for row in self._rows if row.hl_id in there}
        for row in expected.wanted_here(self._rows):
            key = row.hl_id if row.hl_id in there else _by_marker(there, row.source_id, taken)
            if key is None:
                self.complete = False
                continue
            taken.add(key)
            self._compare(row, there[key], expected)
        left = [(source_id(item), key) for key, item in there.items() if key not in taken]
        self.extra = [(source, key) for source, key in left if source]

    def _compare(self, row: Row, item: Mapping[str, Any], expected: Expected) -> None:
        named = {"file_name": name_of(item), "file_sha256": row.fields.get("file_sha256")}
        results = expected.compare(row, named)
        if results is not None:  # the bytes are compared when they have been read
            self.results[row.ref] = [result for result in results if result.field == "file_name"]
            self.found.append((row, item))


def _belongs_elsewhere(source: str, contact_id: str, expected: Expected) -> bool:
    row = expected.records.by_source("file", source)
    return row is not None and row.parent_id != contact_id


def _by_marker(there: Mapping[str, Any], wanted: str, taken: set[str]) -> str | None:
    return next((key for key, item in there.items() if key not in taken and source_id(item) == wanted), None)
