"""What the page of the reference is made of."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

Row = tuple[str, ...]
Reference = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Table:
    """A table of the document, with a title where the section has several."""

    columns: Row
    rows: Sequence[Row]
    title: str = ""


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the document: what it is, how to rebuild it, and the facts."""

    title: str
    how: str
    tables: list[Table] = field(default_factory=list)
