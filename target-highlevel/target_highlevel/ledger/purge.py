"""Removing personal data from the ledger: what was wanted, what others contributed, what there was before."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import sqlalchemy as sa

from target_highlevel.ledger.bulk import BESIDE
from target_highlevel.ledger.partials import NO_VISIT, OTHER_SUB_ACCOUNT
from target_highlevel.ledger.relations import LAST
from target_highlevel.ledger.rows import DIARY, Status
from target_highlevel.ledger.tables import before_image, claim, contribution, record, run

if TYPE_CHECKING:
    from target_highlevel.ledger.ledger import Ledger


@dataclass(frozen=True, slots=True)
class Holdings:
    """How many entries of each kind hold personal data."""

    payloads: int
    contributions: int
    before_images: int


class Purge:
    """Counts and removes; ``before`` a run only what later deltas do not need."""

    def __init__(self, ledger: Ledger, before: str | None = None) -> None:
        """Look at all of it, or at what is older than a run."""
        self._ledger = ledger
        payloads = (record.c.location == ledger.location) & record.c.payload.is_not(None)
        images = before_image.c.location == ledger.location
        self._all = before is None
        if before is None:
            self._payloads, self._images = payloads, images
            self._contributions = contribution.c.location == ledger.location
        else:
            earlier = sa.select(run.c.id).where(
                run.c.location == ledger.location, run.c.number < ledger.run_number(before)
            )
            self._payloads = payloads & _read_anew() & record.c.seen_run.in_(earlier)
            self._images = images & before_image.c.run.in_(earlier)
            self._contributions = sa.false()

    def count(self) -> Holdings:
        """Return how much there is to remove."""
        with self._ledger.transaction() as connection:
            numbers = [
                connection.execute(
                    sa.select(sa.func.count()).select_from(table).where(condition)
                ).scalar_one()
                for table, condition in (
                    (record, self._payloads),
                    (contribution, self._contributions),
                    (before_image, self._images),
                )
            ]
        return Holdings(*numbers)

    def act(self, *, for_good: bool) -> bool:
        """Remove it in one step; return whether the file of the ledger holds none of it any more either.

        A ledger purged for good takes no further load.
        """
        with self._ledger.transaction() as connection:
            connection.execute(record.update().where(self._payloads).values(payload=None))
            connection.execute(contribution.delete().where(self._contributions))
            connection.execute(before_image.delete().where(self._images))
            # written records have none any more; a ledger of an earlier version may still hold dates of birth there
            here = record.c.location == self._ledger.location
            connection.execute(record.update().where(here, record.c.payload.is_(None)).values(priority=LAST))
            if self._all:  # without contributions nobody can say what time brings
                connection.execute(record.update().where(here).values(changes_at=None))
            if for_good:
                self._forget_hashes(connection)
                self._ledger.remember(f"purged:{self._ledger.location}", f"{self._ledger.now():%Y-%m-%d}")
        return self._ledger.compact()

    def _forget_hashes(self, connection: sa.Connection) -> None:
        """Remove what a value could be guessed by: hashes of what was written, begun or wanted, their key, and contacts' tags.

        A date of birth has some 40,000 values: whoever has a hash of it and the key finds it in a second.
        """
        here = record.c.location == self._ledger.location
        forgotten = dict.fromkeys(("digest", "written", "notes", "money", "intent"))
        connection.execute(record.update().where(here).values(**forgotten))
        connection.execute(claim.delete().where(claim.c.location == self._ledger.location))
        hashed = record.c.digest.is_not(None) | record.c.written.is_not(None)
        others = sa.select(record.c.ref).where(~here, hashed).limit(1)
        if connection.execute(others).first() is None:  # else they need the key until they are purged too
            self._ledger.forget_salt()


def _read_anew() -> sa.ColumnElement[bool]:
    """Return the records that come only by being read again: those that the mapping leaves out.

    Whatever else has its content has it because it may be written once more without being read: a record that is done and
    joins others' facts or follows its patient, an entry of the diary, a record left out for now.
    """
    for_now = sa.func.coalesce(record.c.reason, "").in_([BESIDE, OTHER_SUB_ACCOUNT, NO_VISIT])
    return (record.c.status == Status.FILTERED.value) & ~for_now & record.c.object.not_in(DIARY)


def purged_on(ledger: Ledger) -> str | None:
    """Return the day on which a ledger was purged for good, if it was."""
    return ledger.fact(f"purged:{ledger.location}")
