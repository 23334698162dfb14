"""Links taken back: those the run made are removed, those it removed or pointed elsewhere link again what they did."""

from __future__ import annotations

import threading
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from target_highlevel.engine.absence import IN_FLIGHT_SECONDS
from target_highlevel.errors import NotFound, Refused, Unknown
from target_highlevel.ledger.rows import Status
from target_highlevel.objects.base import Rejected
from target_highlevel.objects.relation import ENDS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from target_highlevel.engine.session import Session
    from target_highlevel.ledger.rows import Row
    from target_highlevel.ledger.undo import Before, Trace, Undo
    from target_highlevel.objects.relation import Relation
    from target_highlevel.rollback.act import Hand
    from target_highlevel.rollback.plan import Plan
    from target_highlevel.rollback.result import Result
    from target_highlevel.rollback.setbacks import Setbacks

#: So many links that are gone with their records show that all are; one may be gone from an earlier attempt.
_ENOUGH = 5
#: Why a link is not made again that is there already and is not ours.
_BY_SOMEBODY = "somebody_added_relation"
_STRIPES = 64


class Links:
    """Takes links back; any number of threads may share it, each with its own link."""

    def __init__(
        self, session: Session, undo: Undo, hand: Hand, plan: Plan, result: Result, setbacks: Setbacks
    ) -> None:
        """Work for one rollback."""
        self._session = session
        self._setbacks = setbacks
        self._undo = undo
        self._hand = hand
        self._plan = plan
        self._result = result
        #: Ids that records had before they were removed and made again → those they have now.
        self._replaced = undo.replaced()
        self._mutex = threading.Lock()
        #: Two records of the source that say the same are not linked again at once: the second finds the link of the first.
        self._stripes = [threading.Lock() for _ in range(_STRIPES)]
        #: Links that are ours, with those made again.
        self._own = set(plan.known_relations)
        #: Whether links outlive their records here, and how many were tried that did not.
        self._outlived, self._gone = False, 0

    @property
    def _kind(self) -> Relation:
        return self._session.kinds.relation

    # What the run made

    def remove(self, traces: list[Trace]) -> None:
        """Delete a link; the one of a record that is gone went with it, the one of a record that stays may stay."""
        rows = [
            row
            for trace in traces
            if (row := self._undo.row(trace.ref)) is not None and row.hl_id is not None
        ]
        # the one that made the link stands for it, as in the load's counts
        rows.sort(key=lambda row: row.created_run is None)
        if rows:
            with self._setbacks.met(partial(self._keep, rows)):
                self._remove(traces, rows)

    def _remove(self, traces: list[Trace], rows: list[Row]) -> None:
        if {trace.owner for trace in traces} != {self._undo.undone}:
            self._keep(rows, "used_by_another_run")
            return
        ends = next((trace.ends for trace in traces if trace.ends), ())
        if any(self._undo.hl_id(end) is None for end in ends):
            self._follow(rows)
        elif set(ends) & self._result.kept:
            self._keep(rows, "its_record_is_spared")
        else:
            try:
                self._hand.remove(rows[0], self._kind, rows[1:])
            except Rejected as rejected:
                self._keep(rows, rejected.reason)

    def _follow(self, rows: list[Row]) -> None:
        """Have a link follow its record.

        Nobody documents whether HighLevel deletes it too: some are tried, and where one is still there all are.
        """
        status = "removed_with_its_record"
        if self._outlived or self._gone < _ENOUGH:
            self._undo.intend(rows[0], "remove", self._kind.api)
            was_there = self._kind.take_away(str(rows[0].hl_id))
            with self._mutex:
                self._outlived, self._gone = self._outlived or was_there, self._gone + (not was_there)
            status = "removed" if was_there else status
        self._undo.removed(rows[0], rows[1:], status=status)

    def _keep(self, rows: list[Row], reason: str) -> None:
        for row in rows:
            self._result.keep(row, reason)

    def remove_left(self, hl_ids: Iterable[str]) -> bool:
        """Delete links of the run that reading back still found, their records being gone; return whether there were any."""
        sources = self._undo.ever_created()
        found = list(hl_ids)
        for hl_id in found:
            row = self._undo.row(f"relation:{sources['relation', hl_id]}")
            with self._setbacks.met(partial(self._stays, row, hl_id)):
                self._kind.take_away(hl_id)
        return bool(found)

    def _stays(self, row: Row | None, hl_id: str, reason: str) -> None:
        if row is not None:
            self._result.spare(replace(row, hl_id=hl_id), reason)

    # What it removed or pointed elsewhere

    def put_back(self, ref: str) -> None:
        """Have a relation link again what it linked before the run. What was done before a kill is done once more: it is there.

        It comes before the records of the run are looked at: what hangs on the new link would else keep them.
        """
        row = self._undo.row(ref)
        if row is not None:
            with self._setbacks.met(partial(self._result.spare, row)):
                self._put_back(row)

    def _put_back(self, row: Row) -> None:
        before = self._undo.before(row.ref).elsewhere(self._replaced)
        if not all(before.fields.get(name) for name in ENDS):
            self._result.spare(row, "cannot_be_linked_again")
        elif self._written_later(row, before):
            self._result.spare(row, "written_by_a_later_run")
        elif row.hl_id and row.status == Status.DONE and row.notes.link == before.fields:
            self._settle(row, row.hl_id, before)
        else:
            self._link(row, before)

    def _written_later(self, row: Row, before: Before) -> bool:
        runs = {self._undo.undone, before.known.get("created_run")}
        made_later = row.hl_id is not None and not row.notes.found and row.created_run not in runs
        return row.ref in self._plan.rewritten or made_later

    def _settle(self, row: Row, hl_id: str, before: Before) -> None:
        self._undo.linked(row, hl_id, before)
        self._result.link(row)

    def _link(self, row: Row, before: Before) -> None:
        self._session.schema.associate(self._session.specs[row.stream])
        instead = self._instead(row, before)
        cut_off = row.intent is not None and row.intent["action"] == "restore"
        self._undo.intend(row, "restore", self._kind.api)
        for hl_id, others in instead.items():
            self._kind.take_away(str(hl_id))
            for other in others:
                self._undo.removed(
                    other, status="removed_with_its_record" if other.created_run else "the_same_link"
                )
        try:
            made = self._linked(before, is_ours=cut_off)
        except (NotFound, Refused, Rejected) as refused:  # an end of it is gone, say, or every label is full
            by_somebody = isinstance(refused, Rejected) and refused.reason == _BY_SOMEBODY
            self._undo.removed(row, status="not_linked")
            self._result.spare(
                replace(row, hl_id=None), _BY_SOMEBODY if by_somebody else "cannot_be_linked_again"
            )
        else:
            self._settle(row, made, before)

    def _linked(self, before: Before, *, is_ours: bool) -> str:
        """Link two records and return the id of the link; one that is there may be of an attempt that was cut off.

        Raises:
            Rejected: a person has linked them since, which no answer to a second link need tell.
        """
        ends = before.fields
        with self._stripes[hash(tuple(ends[name] for name in ENDS)) % _STRIPES]:
            there = self._kind.find_link(ends)
            is_ours = is_ours or there in self._own or there == before.known.get("hl_id")
            if there and not is_ours:
                raise Rejected(_BY_SOMEBODY)
            made = there or self._made(ends)
            self._own.add(made)
        return made

    def _made(self, ends: Mapping[str, Any]) -> str:
        """Make a link that was not there; whatever is answered, it may be there now."""
        try:
            return self._kind.link(ends).hl_id
        except (Refused, Unknown) as error:
            if isinstance(error, Unknown):
                self._session.stop.wait(min(self._session.search_lag, IN_FLIGHT_SECONDS))
            found = self._kind.find_link(ends)
            if not found:
                raise
            return found

    def _instead(self, row: Row, before: Before) -> dict[str, list[Row]]:
        """Return the links that the run made in its place, each with the records of the run that say the same.

        One that a record of another run says as well stays.
        """
        places = {row.hl_id} if row.notes.link != before.fields and not row.notes.found else set()
        if row.intent and row.fields:  # cut off: the new link may be there, and nobody knows its id
            with suppress(NotFound, Refused, Rejected):  # one of its ends is not there, so it is not there
                places.add(self._kind.find(row, self._session.specs[row.stream]))
        found = {}
        for hl_id in filter(None, places):
            others = [trace for trace in self._plan.known_relations.get(hl_id, ()) if trace.ref != row.ref]
            if all(trace.owner == self._undo.undone for trace in others):
                found[hl_id] = [other for trace in others if (other := self._undo.row(trace.ref))]
        return found
