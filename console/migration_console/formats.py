"""How numbers and moments are written on a page."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from markupsafe import Markup, escape

from migration_console.commands import COMMANDS
from migration_console.steps import STEPS
from target_highlevel.report.moments import moment as written
from target_highlevel.report.wording import KEEPS_BECAUSE

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from migration_console.reports import Report

_COLUMNS = re.compile(r"\s{2,}")
_CODE = re.compile(r"`([^`]+)`")
_MOMENT = re.compile(r"\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z")
_SECONDS_PER_MINUTE = 60
_MINUTES_PER_HOUR = 60


def number(value: int | None) -> str:
    """Write a count with its thousands apart."""
    return "unknown" if value is None else f"{value:,}"


def counted(value: int, word: str, plural: str = "") -> str:
    """Write a count and what it counts."""
    return f"{value:,} {word if value == 1 else plural or word + 's'}"


def moment(text: str | datetime, zone: str = "UTC") -> str:
    """Write a moment in the zone of the clinic, as the reports do."""
    return written(text, zone)


def local(text: str, zone: str = "UTC") -> str:
    """Write the moments in what a command says as the pages write theirs."""
    return _MOMENT.sub(lambda found: moment(found[0], zone), text)


def duration(seconds: float) -> str:
    """Write a length of time in the largest fitting unit."""
    if seconds < _SECONDS_PER_MINUTE:
        return f"{seconds:.0f} s"
    minutes = seconds / _SECONDS_PER_MINUTE
    if minutes < _MINUTES_PER_HOUR:
        return f"{minutes:.0f} min"
    return f"{minutes / _MINUTES_PER_HOUR:.1f} h"


def percent(part: int, whole: int) -> int:
    """Return how much of the whole a part is, from 0 to 100, rounded down as in the reports: 100 is all of it."""
    return 0 if whole <= 0 else min(100, 100 * part // whole)


#: The counts of a run, and how they are called where they have happened and where they would.
_COUNTS = (
    ("source", "looked at", "looked at"),
    ("created", "created", "to create"),
    ("updated", "updated", "to update"),
    ("unchanged", "unchanged", "unchanged"),
    ("filtered", "left out", "to leave out"),
    ("held", "waiting", "would wait"),
    ("rejected", "refused", "would be refused"),
)


def counts(report: Report) -> list[tuple[str, str]]:
    """Return the counts of a run, each with its word: a plan has done nothing of what it counts."""
    return [(name, would if report.mode == "plan" else has) for name, has, would in _COUNTS]


def because(reason: str) -> str:
    """Write why somebody keeps an address before somebody else."""
    return KEEPS_BECAUSE.get(reason, reason.replace("_", " "))


def told(text: str, clinic: str) -> Markup:
    """Write what a report says: a command that a page starts as a link to that page, any other code as code."""
    pieces = _CODE.split(text)
    return Markup("").join(
        _button(piece, clinic) if number % 2 else escape(piece) for number, piece in enumerate(pieces)
    )


def _button(code: str, clinic: str) -> Markup:
    for key, _, commands in STEPS:
        for command in COMMANDS.values():
            if command.key in commands and command.line("live") == code:
                return Markup('<a href="/{}/{}">{}</a>').format(clinic, key, command.title)
    return Markup("<code>{}</code>").format(code)


def tabled(text: str) -> list[list[list[str]]]:
    """Return the paragraphs of what a command told: lists of lines, each of its cells; what stands in columns is one."""
    paragraphs: list[list[list[str]]] = []
    for line in text.splitlines():
        cells = _COLUMNS.split(line.strip())
        if cells == [""]:
            continue
        is_row = len(cells) > 1
        if is_row and paragraphs and len(paragraphs[-1][-1]) == len(cells):
            paragraphs[-1].append(cells)
        else:
            paragraphs.append([cells])
    return paragraphs


FILTERS: dict[str, Callable[..., Any]] = {
    "number": number,
    "counted": counted,
    "moment": moment,
    "local": local,
    "duration": duration,
    "percent": percent,
    "counts": counts,
    "because": because,
    "told": told,
    "tabled": tabled,
}
