"""Reads a list as a whole, as reference data is read in every run that reads."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any

from tap_cliniko.changes import SEEN, Looks, page_looks
from tap_cliniko.client import Query
from tap_cliniko.errors import ContractChanged, CredentialsRefused, TapClinikoError
from tap_cliniko.filters import with_archived
from tap_cliniko.reading import IdRange
from tap_cliniko.resources import TOMBSTONE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_cliniko.client import Row
    from tap_cliniko.source import Source

_REREADS = 5
LISTED = "listed"
"""In the state of a list: the ids of all its rows."""


@dataclass(slots=True)
class WholeList:
    """One list that is read as a whole.

    Attributes:
        source: the stream.
        seen: the ids that were read.
        nameless: how many rows without a key there are, of which nobody can tell which row they are.
    """

    source: Source
    seen: set[int]
    nameless: int = 0

    def by_pages(self) -> Iterator[Row]:
        """Read a list that cannot be filtered by id; one that nothing promises is done without when it fails."""
        try:
            yield from self._read_by_pages()
        except CredentialsRefused:
            raise
        except TapClinikoError as error:
            if not self.source.resource.optional:
                raise
            self.source.bookmark.pop(SEEN, None)
            self.source.run.notice(
                f"{self.source.resource.name}: left out, the next run reads it again ({error})"
            )

    def _read_by_pages(self) -> Iterator[Row]:
        """Read from the first page again whenever the list changed."""
        before: list[Row] | None = None
        for _ in range(_REREADS):
            records, whole, certain = self._pages()
            if whole and (certain or records == before):
                yield from records
                if self.source.resource.ids_in_state and not self.nameless:
                    yield from self._gone({str(each["id"]) for each in records})
                return
            before = records
        if self.source.resource.optional:
            self.source.run.notice(
                f"{self.source.resource.name}: the list changed while it was read; the next run reads it again"
            )
            self.source.bookmark.pop(SEEN, None)
            yield from records
            return
        msg = f"{self.source.resource.url_path}: the list or its order changes faster than it can be read; run again later"
        raise ContractChanged(msg)

    def _gone(self, listed: set[str]) -> Iterator[Row]:
        """Yield a tombstone for each row that the last reading listed and this one does not."""
        before = self.source.bookmark.get(LISTED, ())
        self.source.bookmark[LISTED] = sorted(listed)
        for ident in sorted(set(before) - listed):
            yield {"id": ident, TOMBSTONE: self.source.run.end}

    def _pages(self) -> tuple[list[Row], bool, bool]:
        """Read page after page; tell whether all seems to be there, and whether that is certain.

        Where the list does not say how many rows it has, one that goes between two pages shifts another past the reader.
        """
        rows: list[Row] = []
        number, totals = 1, set()
        while True:
            page = self.source.run.client.page(
                self.source.resource.url_path, self.source.resource.name, Query(page=number)
            )
            rows += page.rows
            totals.add(page.total)
            if not page.more:
                records = self._with_key(list(map(self.source.normal, rows)))
                self._note_looks(page_looks(rows))
                keys = {tuple(each[name] for name in self.source.resource.keys) for each in records}
                # without a fixed order a row that comes on two pages stands in the place of another
                whole = page.total in {None, len(rows)} and (number == 1 or len(keys) == len(records))
                return records, whole and len(totals) == 1, number == 1 or page.total is not None
            number += 1

    def _with_key(self, records: list[Row]) -> list[Row]:
        """Leave out what no target could tell from another record."""
        keys = self.source.resource.keys
        known = [each for each in records if all(each.get(name) for name in keys)]
        self.nameless = len(records) - len(known)
        if self.nameless:
            self.source.run.notice(
                f"{self.source.resource.name}: {self.nameless} rows without {', '.join(keys)} are left out"
            )
        return known

    def by_id(self) -> Iterator[Row]:
        """Read a list by id, and further lists of the same rows."""
        listed, expand = self.source.listed_and_expansion()
        sample = self.source.run.sample.filters(listed) if self.source.run.sample else None
        looks = Looks()
        for path, scope in product((listed.url_path, *listed.also), [()] if sample is None else sample):
            chunks = self.source.reader(listed, path).chunks((*with_archived(listed), *scope), [IdRange()])
            for chunk in self.source.as_far_as_served(chunks, path) if path in listed.also else chunks:
                fresh = [row for row in chunk.rows if int(row["id"]) not in self.seen]
                self.seen.update(int(row["id"]) for row in fresh)
                self.source.note(listed, fresh)
                looks.add(fresh if path == listed.url_path else ())
                for row in fresh:
                    yield from self.source.in_sample(list(expand(row)))
        if not self.source.withheld:
            self._note_looks(looks.dump(self.source.run.end))

    def _note_looks(self, looks: dict[str, Any] | None) -> None:
        """Keep what the list looked like, for a run that asks before it reads."""
        self.source.bookmark.pop(SEEN, None)
        if self.source.run.sample is None and looks is not None:
            self.source.bookmark[SEEN] = looks
