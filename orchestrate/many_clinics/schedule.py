"""Whether a text is a schedule that cron, and so Airflow, understands."""

from __future__ import annotations

import re

_PRESETS = frozenset({"@hourly", "@daily", "@weekly", "@monthly"})
#: The least and greatest value of minute, hour, day of the month, month and day of the week.
_BOUNDS = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7))
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
        return text
    msg = "not a schedule; write five fields as for cron, in numbers ('0 2 * * *'), or @hourly, @daily, @weekly, @monthly"
    raise ValueError(msg)


def _is_field(text: str, least: int, greatest: int) -> bool:
    parts = [_PART.fullmatch(part) for part in text.split(",")]
    return all(
        part is not None
        and all(least <= int(number) <= greatest for number in part.group(1, 2) if number)
        and int(part[1] or least) <= int(part[2] or greatest)
        and part[3] != "0"
        for part in parts
    )
