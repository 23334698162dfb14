"""Who keeps each e-mail and phone that several people share, and why: ids and reasons only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from target_highlevel.report.tables import write_table

if TYPE_CHECKING:
    from pathlib import Path

    from target_highlevel.ledger.claims import Claims

FAMILIES = "families.csv"
_COLUMNS = ("field", "keeper", "source", "because")


class Families:
    """What was decided of the shared addresses, as a load would go by it."""

    def __init__(self, claims: Claims) -> None:
        """Take what was decided when everybody had come."""
        self.shared = claims.shared()
        self._rows = [
            {"field": decision.field, "keeper": decision.keeper, "source": source, "because": reason}
            for decision in claims.decisions()
            for source, reason in sorted(decision.others.items())
        ]

    def content(self) -> list[dict[str, Any]]:
        """Return one entry for each person who gives an address up."""
        return self._rows

    def write(self, folder: Path) -> None:
        """Write the same as a table."""
        write_table(folder / FAMILIES, _COLUMNS, ([row[name] for name in _COLUMNS] for row in self._rows))
