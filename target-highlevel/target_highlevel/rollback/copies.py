"""Copies that a run left behind, because Cliniko gave a record to another patient or made a text shorter: they count again."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from target_highlevel.crashpoints import reach
from target_highlevel.errors import NotFound, Refused
from target_highlevel.fields import kind_of
from target_highlevel.objects.base import STAYS_BEHIND, Rejected

if TYPE_CHECKING:
    from collections.abc import Mapping

    from target_highlevel.engine.session import Session
    from target_highlevel.ledger.rows import Row
    from target_highlevel.ledger.undo import Before, Undo
    from target_highlevel.objects.base import ObjectKind
    from target_highlevel.rollback.plan import Plan
    from target_highlevel.rollback.result import Result
    from target_highlevel.rollback.setbacks import Setbacks


class Copies:
    """Gives copies their text back; any number of threads may share it, each with its own record."""

    def __init__(self, session: Session, undo: Undo, plan: Plan, result: Result, setbacks: Setbacks) -> None:
        """Work for one rollback."""
        self._session = session
        self._setbacks = setbacks
        self._undo = undo
        self._plan = plan
        self._result = result

    def put_back(self, ref: str) -> None:
        """Have a record's old copy stand for it again, once the new one is gone: no two things carry one marker."""
        row, before = self._undo.row(ref), self._undo.before(ref)
        if row is None or before.known.get("hl_id") is None:
            return
        if ref in self._plan.rewritten:
            self._result.spare(row, "written_by_a_later_run")
        elif row.hl_id in {None, before.known["hl_id"]}:
            known = {name: before.known[name] for name in ("hl_id", "parent_id", "written")}
            with self._setbacks.met(lambda reason: self._result.spare(row, reason, before.fields)):
                self._return(replace(row, **known, intent=None), before)

    def _return(self, row: Row, before: Before) -> None:
        reason = self._say_again(row, before) if before.fields else None  # on a file nothing was said
        if reason != "deleted_by_somebody":
            self._undo.returned(row, before)
            reach("after_crosswalk", row.object)
        self._result.settle(row)
        if reason:
            self._result.spare(row, reason, before.fields)
        elif before.fields:
            self._result.restore(row, before, ())

    def _say_again(self, row: Row, before: Before) -> str | None:
        """Give the copy its text back; return why that was not done."""
        spec = self._session.specs[row.stream]
        kind = self._session.kinds.of(row, spec)
        try:
            there = kind.read(row, spec)
        except NotFound:
            return "deleted_by_somebody"
        changes = {
            name: old
            for name, old in before.fields.items()
            if not kind_of(spec.field(name)).equal(old, there.get(name))
        }
        return self._write(row, kind, before, there, changes) if changes else None

    def _write(
        self, row: Row, kind: ObjectKind, before: Before, there: Mapping[str, Any], changes: Mapping[str, Any]
    ) -> str | None:
        spec = self._session.specs[row.stream]
        said = (kind.detached_text(row.source_id, before.fields, why) for why in STAYS_BEHIND)
        if not any(
            all(kind_of(spec.field(name)).equal(value, there.get(name)) for name, value in each.items())
            for each in said
        ):
            return "changed"
        self._undo.intend(row, "restore", kind.api, fields=changes)
        reach("after_intent", row.object)
        try:
            kind.restore(row, spec, changes, there)
        except (Rejected, Refused):
            return "refused"
        reach("after_response", row.object)
        return None
