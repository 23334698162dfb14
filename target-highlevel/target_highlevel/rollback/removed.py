"""What the run removed is made again as it was: hours, absences, and what has left for another sub-account of the clinic."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from target_highlevel.crashpoints import reach
from target_highlevel.errors import NotFound, Refused
from target_highlevel.objects.base import Rejected
from target_highlevel.rollback.pool import do_all

if TYPE_CHECKING:
    from collections.abc import Mapping

    from target_highlevel.descriptor import StreamSpec
    from target_highlevel.engine.session import Session
    from target_highlevel.ledger.rows import Row
    from target_highlevel.ledger.undo import Before, Undo
    from target_highlevel.objects.base import ObjectKind
    from target_highlevel.rollback.plan import Plan
    from target_highlevel.rollback.result import Result
    from target_highlevel.rollback.setbacks import Setbacks


class Removed:
    """Makes records again, links apart: ``Links`` puts those back, once both ends are there."""

    def __init__(self, session: Session, undo: Undo, plan: Plan, result: Result, setbacks: Setbacks) -> None:
        """Work for one rollback."""
        self._session = session
        self._setbacks = setbacks
        self._undo = undo
        self._plan = plan
        self._result = result
        self._replaced: Mapping[str, str] = {}

    def bring_back(self) -> None:
        """Make again what the run removed; what was done before a kill is found. Calendars come first: others name them."""
        calendars = [ref for ref in self._plan.taken_away if ref.startswith("calendar:")]
        do_all(self._bring_back, calendars, self._session)
        self._replaced = self._undo.replaced()
        do_all(self._bring_back, sorted({*self._plan.taken_away} - {*calendars}), self._session)

    def _bring_back(self, ref: str) -> None:
        row, before = self._undo.row(ref), self._undo.before(ref)
        if row is None or row.hl_id is not None:
            return
        if ref in self._plan.rewritten:
            self._result.spare(row, "written_by_a_later_run")
        elif not before.fields:
            self._result.spare(row, "deleted_by_somebody")
        else:
            known: dict[str, Any] = {
                name: before.known.get(name) for name in ("hl_id", "parent_id", "written")
            }
            with self._setbacks.met(lambda reason: self._result.spare(row, reason, before.fields)):
                self._make_again(replace(row, **known), before.elsewhere(self._replaced))

    def _make_again(self, row: Row, before: Before) -> None:
        spec = self._session.specs[row.stream]
        kind = self._session.kinds.of(row, spec)
        if row.intent and kind.search_is_eventual:  # an earlier try may have made it
            self._session.stop.wait(self._session.search_lag)
        self._undo.intend(row, "restore", kind.api, fields=before.fields)
        reach("after_intent", row.object)
        try:
            found = kind.find(row, spec)
            if kind.search_is_eventual and found == row.hl_id:  # removed just now: the search shows it still
                found = None
            hl_id = found or self._made(row, spec, kind, before)
        except (NotFound, Rejected, Refused):  # what it hung on is gone, say
            self._result.spare(row, "cannot_be_made_again", before.fields)
            return
        reach("after_response", row.object)
        row.hl_id = hl_id
        self._undo.returned(row, before, hl_id)
        self._result.settle(row)
        self._result.restore(row, before, ())

    def _made(self, row: Row, spec: StreamSpec, kind: ObjectKind, before: Before) -> str:
        """Make a record again and return its id; it may be there although it was refused."""
        try:
            return kind.make_again(row, spec, before.fields).hl_id
        except Refused as refused:
            if not refused.maybe_created:
                raise
            if kind.search_is_eventual:
                self._session.stop.wait(self._session.search_lag)
            found = kind.find(row, spec)
            if found in {None, row.hl_id}:  # the search may show the removed one still
                raise
            return str(found)
