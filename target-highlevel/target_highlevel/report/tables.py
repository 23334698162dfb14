"""The report's CSV files, made so that a spreadsheet shows what is in them and does nothing else."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

#: A cell that begins so is run as a formula by a spreadsheet; the full-width forms by some in East Asia.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠")  # noqa: RUF001 - meant
_BREAKS = str.maketrans({"\r": "\\r", "\n": "\\n", "\t": "\\t"})

#: What a spreadsheet needs to read text beyond ASCII as UTF-8. Programs would see the mark as a part of the
#: first column's name, so files of ids and codes, which are ASCII, go without.
WITH_MARK = "utf-8-sig"
PLAIN = "utf-8"


def cell(value: str) -> str:
    """Return a cell that stays on its line and is shown as text, never calculated."""
    shown = value.translate(_BREAKS)
    return f"'{shown}" if value.startswith(_FORMULA) else shown


def write_table(
    path: Path, header: Sequence[str], rows: Iterable[Sequence[str]], encoding: str = PLAIN
) -> None:
    """Write a CSV file as RFC 4180 has it; the file is readable by its owner only."""
    with path.open("w", newline="", encoding=encoding) as file:
        path.chmod(0o600)
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows([cell(value) for value in row] for row in rows)
