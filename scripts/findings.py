"""What a long check found, as lines for the terminal and for docs/soak.md."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime

from measuring import machine


@dataclass
class Findings:
    """What a check found: facts to print, and what is wrong."""

    title: str
    facts: dict[str, str] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)

    def expect(self, fact: object, otherwise: str) -> None:
        """Note what is wrong."""
        if not fact:
            self.wrong.append(otherwise)

    def text(self) -> list[str]:
        """Return the lines for the page."""
        today = f"{datetime.now(UTC):%Y-%m-%d}"
        table = [f"Measured {today} ({machine()}).", "", "| what | found |", "| --- | --- |"]
        table += [f"| {name} | {value} |" for name, value in self.facts.items()]
        return [*table, f"| result | {'; '.join(self.wrong) or 'as it must be'} |"]
