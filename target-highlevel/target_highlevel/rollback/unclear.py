"""Creates and removals that the run was cut off in: whether they did happen, and what they wrote."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from target_highlevel.errors import NotFound
from target_highlevel.fields import is_empty
from target_highlevel.ledger.rows import Notes, Row
from target_highlevel.ledger.undo import REMOVALS
from target_highlevel.objects.base import Rejected

if TYPE_CHECKING:
    from target_highlevel.descriptor import StreamSpec
    from target_highlevel.engine.session import Session
    from target_highlevel.ledger.undo import Undo
    from target_highlevel.objects.base import ObjectKind
    from target_highlevel.rollback.act import Hand
    from target_highlevel.rollback.result import Result
    from target_highlevel.rollback.setbacks import Setbacks
    from target_highlevel.rollback.touched import Marks


class Unclear:
    """Finds out about one create at a time; any number of threads may share it."""

    def __init__(
        self, session: Session, undo: Undo, hand: Hand, marks: Marks, result: Result, setbacks: Setbacks
    ) -> None:
        """Work for one rollback."""
        self._session = session
        self._result = result
        self._setbacks = setbacks
        self._undo = undo
        self._hand = hand
        self._marks = marks

    def clear_up(self, row: Row) -> None:
        """Find out whether a create or a removal happened; if so the record is one of the run's like any other.

        One of which that cannot be told stays unclear: the next rollback, or load, asks again.
        """
        with self._setbacks.met(partial(self._result.spare, row)):
            self._clear_up(row)

    def _clear_up(self, row: Row) -> None:
        spec = self._session.specs[row.stream]
        kind = self._session.kinds.of(row, spec)
        if row.intent is not None and row.intent["action"] in REMOVALS:
            if not self._is_there(row, spec, kind):
                self._undo.went(row)
            return
        if kind.on_contact:
            row.parent_id = row.parent_id or (
                self._undo.hl_id(f"contact:{row.contact}") if row.contact else None
            )
        found = self._find(row, spec, kind)
        if found is None:
            self._undo.disown(row)
            return
        row.hl_id = found
        wanted = self._hand.wanted(row, spec, kind)
        written = {
            name: self._marks.of(row, name, value) for name, value in wanted.items() if not is_empty(value)
        }
        notes = Notes()
        if row.object == "contact":
            notes = kind.reconstruct_notes(spec, wanted, kind.read(row, spec))
        self._undo.own(row, found, written, notes)

    def _is_there(self, row: Row, spec: StreamSpec, kind: ObjectKind) -> bool:
        link = row.notes.link
        if link:  # it cannot be read by its id
            return self._session.kinds.relation.find_link(link) is not None
        return bool(kind.before_removal(row, spec))

    def _find(self, row: Row, spec: StreamSpec, kind: ObjectKind) -> str | None:
        """Ask the witness; the search index is given time to know."""
        if kind.search_is_eventual:
            self._session.stop.wait(self._session.search_lag)
        try:
            return kind.find(row, spec)
        except (NotFound, Rejected):  # what it would hang on is not there, so it is not there
            return None
