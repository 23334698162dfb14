"""Finds patients that were merged into another one, whose records have moved to the survivor."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

from tap_cliniko.client import Query
from tap_cliniko.errors import RoleRefused
from tap_cliniko.filters import filters_by
from tap_cliniko.reading import IdRange, ListReader
from tap_cliniko.records import linked_id

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_cliniko.client import ClinikoClient, Row
    from tap_cliniko.known_ids import KnownIds


class Merges:
    """Knows which patients took part in a merge since some moment; asks Cliniko once for each moment.

    Attributes:
        known: remembers the patients met on the way, if deletions are looked for: a patient nobody knows of
            would make up for one who is gone when the two are counted.
    """

    def __init__(self, client: ClinikoClient) -> None:
        """Ask nothing yet."""
        self.known: KnownIds | None = None
        self._client = client
        self._found: dict[str, set[tuple[str, str]]] = {}
        self._gone: dict[str, set[str]] = {}

    def since(self, moment: str) -> list[str]:
        """Name both sides of each merge: the archived duplicate and the survivor."""
        return sorted({each for pair in self._since(moment) for each in pair if each}, key=int)

    def into(self, gone: set[str], moment: str) -> set[str]:
        """Name the duplicates whose survivor is gone, at one remove or more.

        No merge tells any more where their records are. A survivor who came and went between two runs is not among
        those known to be gone; that Cliniko no longer has them tells it.
        """
        gone = gone | self._gone_survivors(moment)
        found: set[str] = set()
        while more := {one for one, other in self._since(moment) if other in gone | found} - found:
            found |= more
        return found

    def _gone_survivors(self, moment: str) -> set[str]:
        if moment not in self._gone:
            pairs = self._since(moment)
            named = {other for _, other in pairs if other} - {one for one, _ in pairs}
            there: set[str] = set()
            for filters in filters_by("id:=", sorted(named, key=int)):
                page = self._client.page("/patients", "patients", Query(("archived_at:*", *filters)))
                there.update(str(row["id"]) for row in page.rows)
            self._gone[moment] = named - there
        return self._gone[moment]

    def _since(self, moment: str) -> set[tuple[str, str]]:
        """Return each merge as the archived duplicate and the survivor.

        A merge cannot be filtered for. It archives the duplicate; if somebody has brought that back to life
        since, the duplicate has changed.
        """
        if moment not in self._found:
            archived = self._pairs(f"archived_at:>={moment}")
            changed = self._pairs("archived_at:*", f"updated_at:>={moment}")
            self._found[moment] = {(one, other or "") for one, other in chain(archived, changed)}
        return self._found[moment]

    def _pairs(self, *filters: str) -> Iterator[tuple[str, str | None]]:
        reader = ListReader(self._client, "/patients", "patients")
        try:
            for chunk in reader.chunks(filters, [IdRange()]):
                if self.known is not None:
                    self.known.add("patients", ((int(row["id"]), ()) for row in chunk.rows))
                    self.known.note_merges(merged(chunk.rows))
                for row in chunk.rows:
                    if row.get("merged_at"):
                        yield str(row["id"]), linked_id(row.get("merged_with_patient"))
        except RoleRefused:
            return  # a role that sees no patients cannot follow their records; the preflight has said so


def merged(rows: list[Row]) -> Iterator[tuple[int, int]]:
    """Yield the duplicates among some patients, each with its survivor."""
    for row in rows:
        survivor = linked_id(row.get("merged_with_patient"))
        if survivor is not None:
            yield int(row["id"]), int(survivor)
