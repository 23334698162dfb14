"""Contacts read back a page of 500 at a time, and the files in their field."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from target_highlevel.client.paging import contact_pages
from target_highlevel.errors import NotFound
from target_highlevel.ledger.tables import record
from target_highlevel.objects.contact import IDENTITY
from target_highlevel.objects.contact_values import decode
from target_highlevel.objects.file import items, source_id
from target_highlevel.report.differences import Kind
from target_highlevel.verify.comparison import DIFFERING, Compared
from target_highlevel.verify.reading import in_parallel

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from target_highlevel.descriptor import StreamSpec
    from target_highlevel.engine.session import Session
    from target_highlevel.ledger.rows import Row
    from target_highlevel.setup.catalogue import Catalogue
    from target_highlevel.verify.downloads import Downloads
    from target_highlevel.verify.expected import Expected
    from target_highlevel.verify.findings import Findings

_BATCH = 500
_tables = sa.MetaData()
#: Files that are where they should be, and whose bytes are still to be read.
to_download = sa.Table(
    "to_download", _tables, sa.Column("ref", sa.String, primary_key=True), sa.Column("url", sa.String)
)


class People:
    """Compares contacts and their files."""

    def __init__(
        self, session: Session, expected: Expected, findings: Findings, downloads: Downloads
    ) -> None:
        """Read through the session's client."""
        self._session = session
        self._expected = expected
        self._findings = findings
        self._downloads = downloads
        self._catalogue = session.catalogue()
        with session.ledger.transaction() as connection:
            _tables.create_all(connection)

    def verify(self, spec: StreamSpec, file_spec: StreamSpec | None) -> None:
        """Compare every contact; what the search shows otherwise is read again: it lags."""
        field = self._catalogue.contact_fields.get(IDENTITY)
        if field is not None:
            filters = [{"field": f"customFields.{field.id}", "operator": "exists"}]
            for page in contact_pages(self._session.client, self._catalogue.location, filters):
                self._page(page, spec, file_spec)
                self._findings.flush()
        self._again(spec, file_spec)

    def _page(
        self, page: Sequence[Mapping[str, Any]], spec: StreamSpec, file_spec: StreamSpec | None
    ) -> None:
        known = self._expected.by_id(spec.object, [item["id"] for item in page])
        wanted = {row.ref for row in self._expected.wanted_here(known.values())}
        for contact in page:
            row = known.get(contact["id"])
            if row is None:
                self._stranger(contact["id"], spec)
            elif row.ref in wanted:
                self._contact(row, contact, spec, file_spec, final=False)
            else:  # of the contact nothing is wanted, or it was refused; its files may be there all the same
                self._take(_Files(self._expected, contact, self._catalogue, file_spec, merged=True))

    def _stranger(self, hl_id: str, spec: StreamSpec) -> None:
        """A contact with one of our ids that the crosswalk does not lead to: a second one, or nobody's."""
        contact = self._read(hl_id)
        source = decode(spec, contact, self._catalogue).get(IDENTITY) if contact else None
        if source:
            how = "doubled" if self._expected.by_source(spec.object, source) else "unknown"
            self._findings.surplus(spec.object, source, hl_id, how)

    def _again(self, spec: StreamSpec, file_spec: StreamSpec | None) -> None:
        """Read by id what the search did not show as it should be."""

        def read(row: Row) -> Mapping[str, Any] | None:
            return self._read(row.hl_id) if row.hl_id else None

        rows = self._expected.open(record.c.object == spec.object)
        for row, contact in in_parallel(read, rows, self._session.stop):
            if contact is None:
                self._findings.missing(row)
            else:
                self._contact(row, contact, spec, file_spec, final=True)
        self._findings.flush()

    def _read(self, hl_id: str) -> Mapping[str, Any] | None:
        try:
            answer = self._session.client.request("GET", f"/contacts/{hl_id}", route="/contacts/{id}")
        except NotFound:
            return None
        found: Mapping[str, Any] = answer["contact"]
        return found

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
        merged = bool((row.payload or {}).get("only_these"))
        files = _Files(self._expected, contact, self._catalogue, file_spec, merged=merged)
        if final or (files.complete and not any(item.kind in DIFFERING for item in results)):
            self._findings.compared(row, results)
            self._take(files)

    def _take(self, files: _Files) -> None:
        for source, key in files.extra:
            self._findings.surplus("file", source, key, "doubled" if files.known(source) else "unknown")
        found = []
        for row, item in files.found:
            self._findings.compared(row, files.results[row.ref])
            found.append({"ref": row.ref, "url": str(item.get("url") or "")})
        if found:
            with self._session.ledger.transaction() as connection:
                connection.execute(to_download.insert(), found)

    def verify_bytes(self) -> None:
        """Download every file that is where it should be and compare its bytes with Cliniko's."""

        def read(place: tuple[Row, str]) -> str | None:
            row, url = place
            return self._downloads.sha256(url, zipped=bool(row.fields.get("zip"))) if url else None

        for (row, _), there in in_parallel(read, self._places(), self._session.stop):
            wanted = row.fields.get("file_sha256")
            kind = Kind.EQUAL if there == wanted else (Kind.DIFFERENT if there else Kind.MISSING)
            self._findings.compared(row, [Compared("file_sha256", kind, "", wanted, there)])
        self._findings.flush()

    def _places(self) -> Iterator[tuple[Row, str]]:
        last = ""
        while True:
            query = (
                sa.select(to_download)
                .where(to_download.c.ref > last)
                .order_by(to_download.c.ref)
                .limit(_BATCH)
            )
            with self._session.ledger.transaction() as connection:
                found = connection.execute(query).all()
            for ref, url in found:
                row = self._session.work.row(ref)
                if row is not None:
                    yield row, url
            if len(found) < _BATCH:
                return
            last = found[-1].ref


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
        field = catalogue.contact_fields.get(spec.file_field) if spec else None
        if spec is None or field is None:
            return
        self._rows = expected.of_parent(spec.object, contact["id"])
        self._match(dict(items(contact, field.id)), expected)
        if merged:
            self.extra = []
        self.complete = self.complete and not self.extra

    def known(self, source: str) -> bool:
        """Return whether the account or the crosswalk has this file on this contact."""
        return any(row.source_id == source for row in self._rows)

    def _match(self, there: dict[str, dict[str, Any]], expected: Expected) -> None:
        taken = {str(row.hl_id) for row in self._rows if row.hl_id in there}
        for row in expected.wanted_here(self._rows):
            key = row.hl_id if row.hl_id in there else _by_marker(there, row.source_id, taken)
            if key is None:
                self.complete = False
                continue
            taken.add(key)
            self._compare(row, there[key], expected)
        kept = {row.source_id for row in self._rows if row.notes.get("earlier_file_kept")}
        left = [(source_id(item), key) for key, item in there.items() if key not in taken]
        self.extra = [(source, key) for source, key in left if source and source not in kept]

    def _compare(self, row: Row, item: Mapping[str, Any], expected: Expected) -> None:
        named = {"file_name": item["meta"]["originalname"], "file_sha256": row.fields.get("file_sha256")}
        results = expected.compare(row, named)
        if results is not None:  # the bytes are compared when they have been read
            self.results[row.ref] = [result for result in results if result.field == "file_name"]
            self.found.append((row, item))


def _by_marker(there: Mapping[str, Any], wanted: str, taken: set[str]) -> str | None:
    return next((key for key, item in there.items() if key not in taken and source_id(item) == wanted), None)
