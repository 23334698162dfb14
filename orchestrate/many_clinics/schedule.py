"""Whether a text is a schedule that cron, and so Airflow, understands."""

from __future__ import annotations

import re

_PRESETS = frozenset({"@hourly", "@daily", "@weekly", "@monthly"})
#: The least and greatest value of minute, hour, day of the month, month and day of the week.
_BOUNDS = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7))
#: Days of the months that have fewer than 31, in the longest year.
_LONGEST = {2: 29, 4: 30, 6: 30, 9: 30, 11: 30}
_PART = re.compile(r"(?:\*|(\d+)(?:-(\d+))?)(?:/(\d+))?")


def schedule(text: str) -> str:
    """Return a schedule as it is written.

    Raises:
        ValueError: it is none.
    """
    fields = text.split()
    if text in _PRESETS or (
        len(fields) == len(_BOUNDS)
        and all(_is_field(field, *bounds) for field, bounds in zip(fields, _BOUNDS, strict=True))
    ):
        if text not in _PRESETS and not _comes(*fields[2:]):
            msg = "not a schedule; no month has such a day, so it would never run"
            raise ValueError(msg)
        return text
    msg = "not a schedule; write five fields as for cron, in numbers ('0 2 * * *'), or @hourly, @daily, @weekly, @monthly"
    raise ValueError(msg)


def _comes(day: str, month: str, weekday: str) -> bool:
    """Return whether there is such a day; a day of the week that is named comes whatever the day of the month is."""
    if weekday != "*":
        return True
    first = min(_values(day, *_BOUNDS[2]))
    return any(first <= _LONGEST.get(number, 31) for number in _values(month, *_BOUNDS[3]))


def _values(text: str, least: int, greatest: int) -> set[int]:
    """Return the numbers that a field means."""
    found: set[int] = set()
    for part in text.split(","):
        numbers, _, step = part.partition("/")
        first, _, last = numbers.partition("-")
        begin = least if first == "*" else int(first)
        end = int(last) if last else greatest if first == "*" or step else begin
        found |= set(range(begin, end + 1, int(step or 1)))
    return found


def _is_field(text: str, least: int, greatest: int) -> bool:
    parts = [_PART.fullmatch(part) for part in text.split(",")]
    return all(
        part is not None
        and all(least <= int(number) <= greatest for number in part.group(1, 2) if number)
        and int(part[1] or least) <= int(part[2] or greatest)
        and part[3] != "0"
        for part in parts
    )
