"""What a probe has found so far: an answer with its evidence, or why there is none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from target_highlevel.assumptions import Measurement, assumption

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime


class Found:
    """Collects answers; each question is answered once."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        """Date the answers by this clock."""
        self._now = now
        self.measurements: dict[str, Measurement] = {}
        self.unanswered: dict[str, str] = {}

    def answer(self, name: str, answer: str, evidence: str) -> None:
        """Keep an answer of the register; another one is evidence that the register lacks it."""
        if not assumption(name).allows(answer):
            self.unknown(name, f"an answer the register does not know: {evidence}")
            return
        at = self._now().isoformat(timespec="seconds")
        self.measurements[name] = Measurement(name, answer, evidence, at)
        self.unanswered.pop(name, None)

    def unknown(self, name: str, why: str) -> None:
        """Keep why a question has no answer."""
        assumption(name)
        if name not in self.measurements:
            self.unanswered[name] = why
