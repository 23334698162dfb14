"""What the end of a step means: which code it ended with, and what is to happen next."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

FAILED, SETTINGS, REFUSED, REJECTS, DIFFERENCES, UNREADABLE, SPENT = 1, 2, 3, 4, 5, 6, 75


class Next(Enum):
    """What a scheduler does after a step (docs/exit-codes.md)."""

    GO_ON = "go on"
    NEXT_DAY = "go on when the next day's requests are there"
    TRY_AGAIN = "try again in some minutes"
    GIVE_UP = "wait for somebody: trying again would change nothing"


_NEXT = {
    0: Next.GO_ON,
    REJECTS: Next.GO_ON,
    UNREADABLE: Next.GO_ON,
    SPENT: Next.NEXT_DAY,
    SETTINGS: Next.GIVE_UP,
    REFUSED: Next.GIVE_UP,
    DIFFERENCES: Next.GIVE_UP,
}


def what_next(code: int) -> Next:
    """Return what is to happen after this code; whatever is not known to be final is tried again."""
    return _NEXT.get(code, Next.TRY_AGAIN)


@dataclass(frozen=True)
class Outcome:
    """How a step of a clinic ended.

    Attributes:
        step: plan, load, delta, verify, or begin
        code: the exit code, as target-highlevel or tap-cliniko gave it
        line: what the program said last; it holds no personal data
        totals: of the reports of all sub-accounts, by outcome of the records; empty without one
    """

    step: str
    code: int
    line: str
    totals: Mapping[str, int]

    def as_dict(self) -> dict[str, Any]:
        """Return it as what Airflow hands from task to task."""
        return {"step": self.step, "code": self.code, "line": self.line, "totals": dict(self.totals)}


_LAST_LINE = re.compile(r"\b(tap-cliniko|target-highlevel): (.*\S) \(exit (\d+)\)\s*$")


def last_word(lines: Iterable[str], returned: int) -> tuple[int, str]:
    """Return code and last line of a run from what Meltano logged, as `meltano run` itself only knows 0, 1 and 143.

    A tap that was refused says so in its own last line, and the target after it only that nothing more came: the tap's
    goes before.
    """
    said = [found for line in lines if (found := _LAST_LINE.search(line))]
    taps = [found for found in said if found[1] == "tap-cliniko" and found[3] != "0"]
    for found in (*taps[:1], *said[:-2:-1]):
        code = int(found[3])
        # Meltano itself has failed after the target was content: its state may not be written
        return (
            (FAILED, "Meltano failed after the target had ended")
            if returned and not code
            else (code, found[2])
        )
    return returned or FAILED, "no last line: Meltano's log says why"
