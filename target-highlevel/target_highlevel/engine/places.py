"""What becomes of records that belong to another sub-account of the clinic: they are set aside here, or leave."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from target_highlevel.crashpoints import reach
from target_highlevel.desired import Desired
from target_highlevel.errors import NotFound, Refused
from target_highlevel.ledger.departures import DEPART, Departures
from target_highlevel.ledger.partials import OTHER_SUB_ACCOUNT
from target_highlevel.ledger.rows import DIARY, Status
from target_highlevel.objects.base import Rejected
from target_highlevel.reasons import reason_for

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from target_highlevel.descriptor import StreamSpec
    from target_highlevel.engine.writer import Writer
    from target_highlevel.ledger.ledger import Ledger
    from target_highlevel.ledger.rows import Row
    from target_highlevel.objects.kinds import Kinds
    from target_highlevel.routing import Routing


class Places:
    """Keeps one sub-account to its own records."""

    def __init__(
        self,
        routing: Routing,
        ledger: Ledger,
        run: str,
        *,
        kinds: Kinds,
        writer: Writer,
        specs: Mapping[str, StreamSpec],
        prepare: Callable[[Row], object],
        find_again: Callable[[Row], object],
    ) -> None:
        """Work for one run.

        Args:
            routing: the sub-account's choice.
            ledger: the ledger of the sub-account.
            run: the run's id.
            kinds: the kinds of objects.
            writer: finds out what became of a create that was cut off.
            specs: the streams that were declared.
            prepare: reads the definitions, before the first request about a record.
            find_again: looks for what an earlier ledger, which was lost, has written here.
        """
        self._routing = routing
        self._work = Departures(ledger, run)
        self._kinds = kinds
        self._writer = writer
        self._specs = specs
        self._prepare = prepare
        self._find_again = find_again

    def leaves(self, ref: str, now: str) -> bool:
        """See to a record that belongs to other sub-accounts; return whether there is nothing to be written of it here.

        It is set aside with its content, and written when it comes to belong here. One that is here already is deleted with
        what hangs on it; a contact stays, and is kept up to date: no contact is ever deleted. So does a calendar with bookings.
        """
        row = self._work.row(ref) if self._routing.is_divided else None
        if row is None or row.status != Status.READY.value:
            return False
        if row.object == "relation":  # one of its ends may have left since it was received
            return row.hl_id is None and self._work.waits(row)
        if self._is_ours(row, now):
            return self._follows(row)
        if row.hl_id is None and not (row.intent and self._was_made(row)):
            row = self._found_again(row)
        if row.hl_id is None:
            self._work.set_aside(row, OTHER_SUB_ACCOUNT)
            return True
        self._prepare(row)
        if self._stays(row):
            return False
        self._depart(row)
        return True

    def _follows(self, row: Row) -> bool:
        """See to a record that is related to others: it waits for those that are elsewhere, or leaves after them."""
        if row.hl_id is not None or "." not in row.object:
            return False
        row = self._found_again(row)
        if row.hl_id is None:  # what it hangs on may have left since it was received
            return self._work.waits(row)
        gone = self._work.gone_before(row)
        if gone is not None:
            self._prepare(row)
            self._depart(row, gone)
        return gone is not None

    def _depart(self, row: Row, follows: str | None = None) -> None:
        try:
            self._leave(row, follows)
        except Rejected as rejected:
            self._work.reject(row, rejected.reason, rejected.field)
        except Refused as refused:
            self._work.reject(row, reason_for(refused.code))

    def set_all_aside(self, now: str) -> None:
        """Set aside, for a verification, whatever was received, belongs to another sub-account and is not here."""
        for row in self._work.ready() if self._routing.is_divided else ():
            if row.hl_id is None and not self._is_ours(row, now):
                self._work.set_aside(row, OTHER_SUB_ACCOUNT)
        self._work.pass_on(OTHER_SUB_ACCOUNT)

    def _is_ours(self, row: Row, now: str) -> bool:
        spec = self._specs[row.stream]
        return self._routing.takes(spec, Desired.of(row, spec, self._work.contributions(row), now).fields)

    def _stays(self, row: Row) -> bool:
        """Return whether a record stays where it is: people's bookings would go with their calendar."""
        return row.object == "contact" or (
            row.object in DIARY and self._kinds.diary[row.object].in_use(row) is not None
        )

    def _found_again(self, row: Row) -> Row:
        """Return a record as it is known when what an earlier ledger wrote has been looked for."""
        self._find_again(row)
        return self._work.row(row.ref) or row

    def _was_made(self, row: Row) -> bool:
        """Find out whether a create that was cut off has happened."""
        self._prepare(row)
        spec = self._specs[row.stream]
        return self._writer.adopt_found(row, spec, self._kinds.of(row, spec, self._work.contributions(row)))

    def _leave(self, row: Row, follows: str | None = None) -> None:
        """Delete a record, its links and what cannot be without it; links first, for they may outlive what they link."""
        declared = (item for spec in self._specs.values() for item in spec.associations)
        for known in self._work.links(row, {item.key for item in declared if item.first == row.object}):
            other = self._work.row(known.origin) if known.origin not in {None, row.ref} else None
            if other is not None and other.hl_id and other.object != "contact":
                self._leave(other, follows=row.ref)
            link = self._work.row(known.ref)
            if link is None or link.status == Status.FILTERED.value:
                continue
            if link.hl_id or (link.intent and self._was_made(link)):
                self._delete(link, row.ref)
            else:  # about to be made
                self._work.departed(link, row.ref)
        self._delete(row, follows)

    def _delete(self, row: Row, waits_for: str | None) -> None:
        spec = self._specs[row.stream]
        kind = self._kinds.of(row, spec, self._work.contributions(row))
        self._work.intend(row, DEPART, kind.api, before=kind.before_removal(row, spec))
        with suppress(NotFound):
            kind.remove(row)
        reach("after_departure", row.object)
        self._work.departed(row, waits_for)
