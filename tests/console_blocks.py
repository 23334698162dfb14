"""The commands and outputs that a guide shows: fenced blocks of the language `console`.

A line that begins with `$ ` is a command; what follows up to the next is its output, shortened. In an output
`…` stands for anything inside a line, and on a line of its own for any number of lines. A comment
`<!-- meanwhile: … -->` names something that happens at the clinic before the next command.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ELLIPSIS = "…"
_BLOCK = re.compile(
    r"^```console\n(?P<block>.*?)^```$|^<!-- meanwhile: (?P<event>.+?) -->$", re.DOTALL | re.MULTILINE
)
_STAMP = re.compile(r"^\S+Z \[(\w+) *\] *")


@dataclass
class Command:
    """One command of a guide, what must stand in its output, and what happens at the clinic before it."""

    line: str
    output: list[str] = field(default_factory=list)
    meanwhile: list[str] = field(default_factory=list)


def commands(page: Path) -> Iterator[Command]:
    """Yield the commands of a page from top to bottom."""
    events: list[str] = []
    for match in _BLOCK.finditer(page.read_text(encoding="utf-8")):
        if match["event"]:
            events.append(match["event"])
            continue
        for command in _in_block(match["block"]):
            command.meanwhile, events = events, []
            yield command


def _in_block(block: str) -> Iterator[Command]:
    command: Command | None = None
    for line in block.splitlines():
        if line.startswith("$ "):
            if command is not None:
                yield command
            command = Command(line[2:])
        elif command is not None and line.strip() not in {"", ELLIPSIS}:
            command.output.append(line)
    if command is not None:
        yield command


def missing_lines(shown: list[str], actual: str) -> list[str]:
    """Return the lines of a guide that the real output does not have, or has in another order."""
    rest = [_plain(line) for line in actual.splitlines()]
    missing = []
    for line in shown:
        pattern = _pattern(_plain(line))
        found = next((number for number, real in enumerate(rest) if pattern.fullmatch(real)), None)
        if found is None:
            missing.append(line)
        else:
            rest = rest[found + 1 :]
    return missing


def _plain(line: str) -> str:
    """Leave out Meltano's time and level, and how wide the columns are."""
    return " ".join(_STAMP.sub("", line).split())


def _pattern(line: str) -> re.Pattern[str]:
    return re.compile(".*".join(re.escape(part.strip()) for part in line.split(ELLIPSIS)))
