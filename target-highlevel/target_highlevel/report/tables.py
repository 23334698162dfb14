"""The report's CSV files, made so that a spreadsheet shows what is in them and does nothing else."""

from __future__ import annotations

import csv
import io
import re
from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE
from itertools import islice
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

#: A cell that begins so is run as a formula by a spreadsheet; the full-width forms by some in East Asia.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠")  # noqa: RUF001 - meant
#: Rows that are looked at together.
_AT_ONCE = 1000
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
        remaining = iter(rows)
        while some := list(islice(remaining, _AT_ONCE)):
            text = "".join(f"{','.join(row)}\r\n" for row in some)
            if _is_as_it_is(text, cells=len(some) * len(header), rows=len(some)):
                file.write(text)  # next to all of a large clinic's crosswalk is
            else:
                writer.writerows([cell(value) for value in row] for row in some)


def _is_as_it_is(text: str, *, cells: int, rows: int) -> bool:
    """Return whether joined cells are what a CSV file holds: none of them is quoted, and none is shown otherwise."""
    breaks = text.count("\r") == text.count("\n") == rows
    if not breaks or '"' in text or "\t" in text or text.count(",") != cells - rows:
        return False
    return not any(
        text.startswith(sign) or f",{sign}" in text or f"\n{sign}" in text
        for sign in _FORMULA
        if sign in text
    )


def allow_cells_of(length: int) -> None:
    """Have Python's csv take cells of so many characters: where values are shown, a note may be longer than its own limit."""
    csv.field_size_limit(max(csv.field_size_limit(), length))


def read_table(path: Path, wanted: Sequence[str], also: Sequence[str] = ()) -> Iterator[dict[str, str]]:
    """Yield the rows of a table of ours as any spreadsheet may have saved it.

    A spreadsheet saves in the encoding and with the separator of its country, puts ``sep=;`` on top or leaves blank lines.

    Args:
        path: the table
        wanted: columns that it must have
        also: columns that are read where it has them; those that are named nowhere are left out

    Raises:
        OSError: the file cannot be read.
        ValueError: it has no such columns, or its quotation marks do not pair; the text names the first column or row.
    """
    text = _text(path.read_bytes())
    allow_cells_of(len(text))
    lines = [line for line in re.split(r"\r\n?|\n", text) if line.strip()]
    if lines and lines[0].lower().startswith("sep="):
        del lines[0]
    separators = (",", ";", "\t", "|")
    header = max((next(csv.reader(lines[:1], delimiter=one), []) for one in separators), key=len)
    separator = next(one for one in separators if next(csv.reader(lines[:1], delimiter=one), []) == header)
    # strict: a quotation mark that nothing closes would make one cell of all the rows behind it
    table = _rows(csv.reader(io.StringIO("\n".join(lines)), delimiter=separator, strict=True))
    names = [name.strip().lower() for name in next(table, [])]
    missing = next((name for name in wanted if name not in names), None)
    if missing is not None:
        msg = f"there is no column {missing}"
        raise ValueError(msg)
    kept = [*wanted, *(name for name in also if name in names and name not in wanted)]
    for row in table:
        cells = dict(zip(names, (cell_.strip() for cell_ in row), strict=False))
        if any(cells.values()):
            yield {name: cells.get(name, "") for name in kept}


def _rows(rows: Iterator[list[str]]) -> Iterator[list[str]]:
    number = 0
    try:
        for number, row in enumerate(rows, 1):  # noqa: B007 - named if the next one cannot be read
            yield row
    except csv.Error:
        msg = f"the quotation marks of row {number + 1} do not pair"
        raise ValueError(msg) from None


def _text(content: bytes) -> str:
    if content.startswith((BOM_UTF16_LE, BOM_UTF16_BE)):
        return content.decode("utf-16")
    try:
        return content.removeprefix(BOM_UTF8).decode()
    except UnicodeDecodeError:
        return content.decode("cp1252", errors="replace")
