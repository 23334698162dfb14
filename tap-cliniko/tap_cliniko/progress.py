"""Says on stderr how far a long run is: stream, rows, rate, time left; never what is in the rows."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from tap_cliniko.governor import Governor

logger = logging.getLogger("tap-cliniko")

_EVERY = 5.0


@dataclass(slots=True)
class Progress:
    """Counts rows and speaks every few seconds."""

    governor: Governor
    clock: Callable[[], float] = time.monotonic
    every: float = _EVERY
    _stream: str = ""
    _expected: int | None = None
    _rows: int = 0
    _began: float = 0.0
    _spoke: float = field(default=0.0)

    def start(self, stream: str, expected: int | None) -> None:
        """Begin with a stream of which so many rows are expected."""
        self._stream, self._expected, self._rows = stream, expected, 0
        self._began = self._spoke = self.clock()

    def row(self) -> None:
        """Count a row, and speak when it is time."""
        self._rows += 1
        now = self.clock()
        if now - self._spoke >= self.every:
            self._spoke = now
            logger.info("%s", self.line(now))

    def line(self, now: float) -> str:
        """Describe where the stream is."""
        rate = self._rows / max(now - self._began, 0.001)
        text = f"{self._stream}: {self._rows} rows, {rate:.0f} rows/s, {self.governor.sent} requests"
        if self._expected and self._expected > self._rows and rate:
            left = _duration((self._expected - self._rows) / rate)
            text += f", {self._rows * 100 // self._expected} %, about {left} left"
        return text

    def finish(self) -> None:
        """Say what came of the stream."""
        logger.info(
            "%s: %d rows in %s", self._stream, self._rows, _duration(max(self.clock() - self._began, 0.0))
        )


def _duration(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
