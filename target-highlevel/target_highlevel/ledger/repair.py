"""Marking what a verification found, so that the next full read brings it into HighLevel again."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

from target_highlevel.ledger.tables import record
from target_highlevel.ledger.transitions import MISSED
from target_highlevel.ledger.work import FORGOTTEN, Work
from target_highlevel.values import canonical_json, fingerprint

if TYPE_CHECKING:
    from collections.abc import Iterable

    from target_highlevel.ledger.ledger import Ledger
    from target_highlevel.ledger.rows import Row

#: Why a record is left out that was missed in HighLevel: the next full read makes it again.
TO_BE_REPAIRED = "to_be_repaired"
#: Why a record is left out of which a ledger from a backup does not know whether it is still there: a full read compares it.
TO_BE_COMPARED = "to_be_compared"
#: Action of an intent that was no write: the record is looked for, and nothing of it is taken to be ours.
LOOK_FIRST = "look"


class Repair(Work):
    """Marks records in the ledger; nothing is sent."""

    def __init__(self, ledger: Ledger, verification: str) -> None:
        """Mark what this verification found."""
        super().__init__(ledger, verification)

    def known(self, ref: str) -> Row | None:
        """Return a record of the crosswalk; any other comes with the next load anyway."""
        row = self.row(ref)
        return row if row is not None and row.hl_id is not None else None

    def carries(self, contact: str) -> bool:
        """Return whether the ledger leads to anything on a contact, by the contact's HighLevel id."""
        query = record.select().where(self._here, record.c.parent_id == contact, record.c.hl_id.is_not(None))
        with self._ledger.transaction() as connection:
            return connection.execute(query.limit(1)).first() is not None

    def bring_again(self, row: Row) -> None:
        """Have the next full read create a missing record again.

        With an open intent the load looks for it first: somebody may have taken it out of HighLevel's bin meanwhile, and what
        it says then is theirs.
        """
        intent = {"action": LOOK_FIRST, "run": self.run, "at": self._stamp(), "api": ""}
        notes = replace(row.notes, rebuilt=True).json()
        with self._ledger.transaction() as connection:
            known = {"reason": TO_BE_REPAIRED, "notes": notes, "intent": json.dumps(intent)}
            self._move(connection, row.ref, MISSED, **FORGOTTEN, **known)
            self._derive_again(connection, [row.origin])
            if row.object == "calendar":
                # the one that is made has another id, and what was in this one goes into it
                inside = record.c.written.contains(fingerprint(row.hl_id, self._ledger.salt))
                connection.execute(record.update().where(self._here, inside).values(digest=None))

    def removing(self, copy: Row, api: str) -> None:
        """Note in the audit trail that a second copy of a record is about to be deleted; of the record nothing changes."""
        with self._ledger.transaction() as connection:
            self._audit(connection, replace(copy, intent=_remove(api)), "intent", None)

    def removed_copy(self, copy: Row, api: str, status: str) -> None:
        """Note that it is gone."""
        with self._ledger.transaction() as connection:
            self._audit(connection, replace(copy, intent=_remove(api)), "outcome", status)

    def write_again(self, row: Row, fields: Iterable[str]) -> None:
        """Have the next full read compare these fields with HighLevel and write them, as the setting ``overwrite`` wants."""
        written = {name: mark for name, mark in row.written.items() if name not in set(fields)}
        with self._ledger.transaction() as connection:
            self._set(connection, row.ref, written=canonical_json(written), digest=None)


def _remove(api: str) -> dict[str, str]:
    return {"action": "remove", "api": api}
