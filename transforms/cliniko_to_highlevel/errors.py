"""What can go wrong while mapping: with the clinic's settings, or with one record."""

from __future__ import annotations


class MappingError(Exception):
    """The mapping file cannot be used: the text lists what to change."""


class RecordError(Exception):
    """One record cannot be mapped: it is rejected with this reason, and the others go on."""

    def __init__(self, reason: str, field: str) -> None:
        """Keep the reason's slug and the field's name, never its value."""
        super().__init__(f"{reason} in {field}")
        self.reason = reason
        self.field = field
