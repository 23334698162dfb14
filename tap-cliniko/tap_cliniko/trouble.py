"""Goes on after trouble with one record: remembers to ask for it again, and tells when it is the service that fails."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tap_cliniko import timestamps
from tap_cliniko.errors import NotFound

if TYPE_CHECKING:
    from collections.abc import Collection

    from tap_cliniko.errors import TapClinikoError

logger = logging.getLogger("tap-cliniko")

OUTAGE = 5
"""So many records in a row that do not come are a failure of the service, no longer of each record."""

_WORN_OUT = 20

PENDING = "pending"
"""In the state of a list: what is to be asked for again, by the id of the row it belongs to."""

_PENDING_FILES = "pending_files"
"""What tap-cliniko 0.1.0 called it, a list of ids."""

_FAILED, _AT = "failed", "at"
_HOUR, _WEEK = 3600, 7 * 86400


@dataclass(frozen=True, slots=True)
class Pending:
    """What did not come and is to be asked for again: in the next run at first, then at growing distances.

    Attributes:
        bookmark: the stream's part of the state, where it is kept.
        end: the run's end, by which the distances are told.
    """

    bookmark: dict[str, Any]
    end: str

    def __contains__(self, ident: str) -> bool:
        """Tell whether an earlier run did not get it either."""
        return ident in self._kept()

    def due(self) -> list[str]:
        """Name what is to be asked for by now."""
        return [
            ident
            for ident, each in self._kept().items()
            if each[_FAILED] <= 1 or each[_AT] <= timestamps.earlier(self.end, _distance(each[_FAILED]))
        ]

    def failed(self, ident: str) -> None:
        """Remember what did not come."""
        kept = self._kept()
        before = kept.get(ident, {_FAILED: 0})
        self.bookmark[PENDING] = kept
        kept[ident] = {_FAILED: before[_FAILED] + 1, _AT: self.end}

    def settle(self, *idents: str) -> None:
        """Forget what has come, or never will."""
        for ident in idents:
            self._kept().pop(ident, None)

    def keep_only(self, idents: Collection[int]) -> None:
        """Forget what belongs to rows that are gone."""
        self.settle(*(each for each in self._kept() if int(each) not in idents))

    def _kept(self) -> dict[str, dict[str, Any]]:
        if _PENDING_FILES in self.bookmark:
            old = self.bookmark.pop(_PENDING_FILES)
            self.bookmark[PENDING] = {str(each): {_FAILED: 0, _AT: ""} for each in old}
        kept: dict[str, dict[str, Any]] = self.bookmark.get(PENDING, {})
        return kept


def _distance(failed: int) -> int:
    """Return how many seconds lie before the next attempt: an hour, twice as many each time, at most a week."""
    return min(_HOUR << min(failed - 2, 10), _WEEK)


class Patience:
    """Takes trouble with single records, until several new ones in a row are trouble with the service."""

    def __init__(self) -> None:
        """Nothing has failed yet."""
        self._new_in_a_row = self._in_a_row = 0

    @property
    def worn_out(self) -> bool:
        """Whether so many have failed, old ones too, that asking for more of the old ones leads nowhere now."""
        return self._in_a_row >= _WORN_OUT

    def succeeded(self) -> None:
        """The service works."""
        self._new_in_a_row = self._in_a_row = 0

    def failed(self, what: str, error: TapClinikoError, *, before: bool) -> None:
        """Warn, unless this makes an outage.

        That a record does not exist, or fails once more, says nothing about the service.

        Raises:
            TapClinikoError: the error itself, when so many new ones in a row have failed.
        """
        self._in_a_row += 1
        self._new_in_a_row += not (before or isinstance(error, NotFound))
        if self._new_in_a_row >= OUTAGE:
            raise error
        logger.warning("%s: does not come; a later run asks again (%s)", what, error)
