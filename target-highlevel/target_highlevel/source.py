"""What the source of a run has said of itself: the same for every sub-account."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Source:
    """Facts of one reading; each becomes known while it goes on."""

    #: Whether anything came at all.
    came: bool = False
    #: Whether it was asked for a sample only.
    sample: bool = False
    #: Whether it ended before it had read everything.
    ended_early: bool = False
    #: Whether it read only what has changed since an earlier run of it.
    changes_only: bool = False
    #: Up to which moment it read: what changed later comes with the next run. None where it did not say.
    read_until: str | None = None
    #: Streams of which it has left out what its key may not read.
    withheld: tuple[str, ...] = ()
