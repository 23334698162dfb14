"""What people have confirmed in the console: who, what and when. Nothing of any patient."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from migration_console.mapping_file import ChangedSinceError, digest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@dataclass(frozen=True)
class Signature:
    """One confirmation.

    Attributes:
        what: what is confirmed: `plan/RUN`, `sample/RUN` or `go-live/POINT`
        who: as they have written themselves
        at: when, in UTC
    """

    what: str
    who: str
    at: str


class Signatures:
    """The confirmations of one clinic, one a line in a file; the newest of a thing counts."""

    def __init__(self, path: Path) -> None:
        """Keep them in this file."""
        self._path = path
        self._mutex = threading.RLock()  # two browsers may sign at once

    @property
    def version(self) -> str:
        """Return what tells the confirmations of one moment from those of another."""
        return digest(self._text())

    @contextmanager
    def of_version(self, seen: str) -> Iterator[None]:
        """Keep others from signing while a form does that was shown when the confirmations had this version.

        Raises:
            ChangedSinceError: they have another one by now.
        """
        with self._mutex:
            if seen != self.version:
                raise ChangedSinceError
            yield

    def sign(self, what: str, who: str) -> None:
        """Keep that somebody confirms something now."""
        signed = Signature(what, who, f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}")
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with self._mutex:
            text = self._text()
            was_cut = text != "" and not text.endswith("\n")
            with self._path.open("a", encoding="utf-8") as file:
                file.write("\n" * was_cut + f"{json.dumps(asdict(signed), ensure_ascii=False)}\n")

    def all(self) -> dict[str, Signature]:
        """Return the newest signature of everything that was confirmed; one without a name takes it back."""
        signed = filter(None, map(_signature, self._text().split("\n")))
        return {what: item for what, item in {item.what: item for item in signed}.items() if item.who}

    def _text(self) -> str:
        try:
            return self._path.read_text(encoding="utf-8", errors="replace")
        except (FileNotFoundError, NotADirectoryError):
            return ""


def _signature(line: str) -> Signature | None:
    """Return what a line says; none where a kill or a full disk has cut it."""
    try:
        return Signature(**json.loads(line))
    except (ValueError, TypeError):
        return None
