"""Finds patients that were merged into another one, whose records have moved to the survivor."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tap_cliniko.reading import ListReader, Stretch
from tap_cliniko.records import linked_id

if TYPE_CHECKING:
    from tap_cliniko.client import ClinikoClient


class Merges:
    """Answers which patients took part in a merge since some moment; asks Cliniko once for each moment."""

    def __init__(self, client: ClinikoClient) -> None:
        """Ask nothing yet."""
        self._client = client
        self._found: dict[str, list[str]] = {}

    def since(self, moment: str) -> list[str]:
        """Name both sides of each merge: the archived duplicate and the survivor.

        A merge cannot be filtered for; it archives the duplicate, and that can.
        """
        if moment not in self._found:
            reader = ListReader(self._client, "/patients", "patients")
            filters = (f"archived_at:>={moment}",)
            rows = (row for chunk in reader.chunks(filters, [Stretch()]) for row in chunk.rows)
            sides = (
                (str(row["id"]), linked_id(row.get("merged_with_patient"))) for row in rows if row.get("merged_at")
            )
            self._found[moment] = sorted({each for pair in sides for each in pair if each}, key=int)
        return self._found[moment]
