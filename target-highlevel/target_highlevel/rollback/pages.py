"""Records of custom objects judged a page of 100 at a time, as long as the search can be trusted to show what is there.

The search lags behind writes, and nobody says by how much. So one record is removed first, judged by its id: when the search has
lost it, it shows everything that people did before. If it does not within a reasonable time, every record is read by its id.
"""

from __future__ import annotations

from collections import defaultdict
from math import ceil
from typing import TYPE_CHECKING, Any

from target_highlevel.api.records import PAGE
from target_highlevel.rollback.pool import do_all

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from target_highlevel.engine.session import Session
    from target_highlevel.ledger.rows import Row
    from target_highlevel.ledger.undo import Undo
    from target_highlevel.rollback.plan import Unit
    from target_highlevel.rollback.setbacks import Setbacks
    from target_highlevel.rollback.units import UnitWorker

_LOOKS = 6


class Pages:
    """Takes back what a page of the search shows to be as it was left, and returns the rest."""

    def __init__(self, session: Session, undo: Undo, worker: UnitWorker, setbacks: Setbacks) -> None:
        """Work for one rollback."""
        self._session = session
        self._setbacks = setbacks
        self._undo = undo
        self._worker = worker

    def take_back(self, units: Iterable[Unit]) -> list[Unit]:
        """Take records back; return the units that are to be read one by one."""
        rest: list[Unit] = []
        by_object: defaultdict[str, list[Unit]] = defaultdict(list)
        for unit in units:
            if "." in unit.object and unit.created:
                by_object[unit.object].append(unit)
            else:
                rest.append(unit)
        for object_, some in by_object.items():
            rest += self._by_pages(object_, some) if self._pays(object_, len(some)) else some
        return rest

    def _pays(self, object_: str, number: int) -> bool:
        pages = ceil(self._undo.number(object_) / PAGE) + 1
        return number > pages + _LOOKS

    def _by_pages(self, object_: str, units: list[Unit]) -> list[Unit]:
        waiting = {unit.hl_id: unit for unit in units}
        with self._setbacks.met(lambda _: None):  # a search that fails shows nothing of the rest
            if self._is_up_to_date(waiting):
                for page in self._session.highlevel.records.pages(object_):
                    shown = [(waiting.pop(item.id), item.properties) for item in page if item.id in waiting]
                    do_all(self._shown, shown, self._session)
        return list(waiting.values())

    def _is_up_to_date(self, waiting: dict[str, Unit]) -> bool:
        """Take back one record, or a few until one is not spared, and return whether the search has lost it.

        Then it is not behind what came before. What was taken back waits no longer.
        """
        for unit in list(waiting.values())[:_LOOKS]:
            row = self._undo.row(str(unit.ref))
            if row is None or not self._is_shown(row):
                return False  # gone long ago, perhaps: that the search does not show it would prove nothing
            self._worker.take_back(waiting.pop(unit.hl_id))
            if self._undo.hl_id(row.ref) is None:
                return self._has_lost(row)
        return False

    def _has_lost(self, removed: Row) -> bool:
        for _ in range(_LOOKS):
            if not self._is_shown(removed):
                return True
            self._session.stop.wait(self._session.search_lag / 2)
        return False

    def _is_shown(self, row: Row) -> bool:
        kind = self._session.kinds.custom_object
        return kind.find(row, self._session.specs[row.stream]) is not None

    def _shown(self, found: tuple[Unit, Mapping[str, Any]]) -> None:
        unit, properties = found
        self._worker.take_back(unit, properties)
