"""How a command ends: an exit code, and one line on standard error that says what happened and what to do next."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from target_highlevel.endings import Stopped, exit_code, say

if TYPE_CHECKING:
    from collections.abc import Callable


def ending(work: Callable[[], int | tuple[int, str]]) -> None:
    """Run a command to its end; it returns its exit code, with a line of its own where the target's does not fit."""
    error: BaseException | None = None
    line = ""
    try:
        told = work()
        code, line = told if isinstance(told, tuple) else (told, "")
    except (Stopped, Exception) as caught:  # noqa: BLE001 - every end gets its exit code and its line
        error, code = caught, exit_code(caught)
    say(code, error, line)
    sys.exit(code)
