"""How a stream goes through time: closed windows of updated_at, each read in one or more passes.

A window that ends in the past can only shrink: a row that changes again leaves it, and a later window has it.
So whatever happens while a window is read, nothing that was in it is lost, and the bookmark is the window's
end.

The passes of a window:
- `needed`: rows referenced by changed rows of another list, changed or not;
- `changed`: rows whose updated_at lies in it;
- `archived_at`, `cancelled_at`, `deleted_at`: rows hidden since its start, because nothing promises that
  hiding a row moves its updated_at;
- `closed_at`: invoices settled since its start, because nothing promises that a payment moves their updated_at;
- `following`: rows that belong to changed rows of another list, changed or not;
- `merged`: rows of patients merged since its start, because nothing promises that rows which moved to the
  surviving patient show it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tap_cliniko import timestamps
from tap_cliniko.reading import IdRange
from tap_cliniko.resources import Shape

if TYPE_CHECKING:
    from collections.abc import Callable

    from tap_cliniko.resources import Resource

CHANGED = "changed"
MERGED = "merged"
NEEDED = "needed"
FOLLOWING = "following"
#: Passes that are not told by a moment of the rows themselves.
BY_ID = frozenset({FOLLOWING, MERGED, NEEDED})


@dataclass(slots=True)
class Window:
    """A window under way; what the state keeps of it lets the next run go on inside.

    Attributes:
        start: first moment of the window, None for everything so far.
        end: first moment after the window.
        passes: what is still to be read, the pass under way first.
        scope: which of the pass's filter sets is under way.
        ranges: what is left of the id space in it.
    """

    start: str | None
    end: str
    passes: list[str]
    scope: int = 0
    ranges: list[IdRange] = field(default_factory=lambda: [IdRange()])

    def dump(self) -> dict[str, Any]:
        """Write the window into the state."""
        return {
            "start": self.start,
            "end": self.end,
            "passes": list(self.passes),
            "scope": self.scope,
            "ranges": [each.dump() for each in self.ranges],
        }

    @classmethod
    def load(cls, saved: dict[str, Any]) -> Window:
        """Read a window from the state."""
        # tap-cliniko 0.1.0 called them stretches
        ranges = [
            IdRange.load(each) for each in (saved["ranges"] if "ranges" in saved else saved["stretches"])
        ]
        return cls(saved["start"], saved["end"], list(saved["passes"]), int(saved["scope"]), ranges)

    def next_scope(self) -> None:
        """Begin with the pass's next filter set."""
        self.scope += 1
        self.ranges = [IdRange()]

    def next_pass(self) -> None:
        """Begin with the next pass."""
        self.passes.pop(0)
        self.scope = 0
        self.ranges = [IdRange()]


def passes_of(resource: Resource, start: str | None) -> list[str]:
    """Name the passes of a window: without a start the first pass has read the hidden rows too."""
    if start is None:
        return [CHANGED]
    of_patients = resource.shape is Shape.ROWS and bool(resource.by_patient or resource.moved_by)
    moves = of_patients and resource.name != "patients"
    return [
        *([NEEDED] if resource.needed_by else []),
        CHANGED,
        *resource.reveal,
        *resource.moves_alone,
        *([FOLLOWING] if resource.follows else []),
        *([MERGED] if moves else []),
    ]


def linked_lists(resource: Resource) -> list[str]:
    """Name the lists whose changes bring rows of this one along, though these have not changed."""
    links = [link[0] for link in (resource.needed_by, resource.follows) if link]
    return [*links, *(["patients"] if MERGED in passes_of(resource, "") else [])]


def filters_of(resource: Resource, window: Window) -> tuple[str, ...]:
    """Write the filters of the pass under way; hidden rows are always brought back."""
    current = window.passes[0]
    revealing = tuple(f"{column}:*" for column in resource.reveal if column != current)
    if current in BY_ID:
        return revealing
    if current != CHANGED:
        return (*revealing, f"{current}:>={window.start}")
    lower = (f"updated_at:>={window.start}",) if window.start else ()
    return (*revealing, *lower, f"updated_at:<{window.end}")


def in_window(window: Window) -> Callable[[dict[str, Any]], bool]:
    """Return a predicate: does a row belong to the current pass?"""
    column = "updated_at" if window.passes[0] == CHANGED else window.passes[0]
    start, end = window.start or "", window.end if column == "updated_at" else "~"

    def lies_inside(row: dict[str, Any]) -> bool:
        moment = moment_of(row.get(column))
        # of a moment that cannot be read nobody can say that the filter was ignored
        return start <= moment < end or not (is_readable(moment) or moment == "")

    return lies_inside


def moment_of(value: Any) -> str:
    """Read a moment of a row, however exactly and in whatever offset it is written.

    What cannot be read stays as it is: it still tells whether the row has changed.
    """
    text = "" if value is None else str(value)
    try:
        return text if is_readable(text) else timestamps.normal(text)
    except ValueError:
        return text


def is_readable(moment: str) -> bool:
    """Return whether ``moment_of`` could read a moment, which can be compared with others then."""
    return timestamps.USUAL.fullmatch(moment) is not None
