"""When each record is written: its rank, and within the last one contact by contact."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from target_highlevel.descriptor import Rank
from target_highlevel.ledger.bulk import batches
from target_highlevel.ledger.partials import OWNER_OF
from target_highlevel.ledger.relations import LAST
from target_highlevel.ledger.tables import contribution, dependency, joined, record

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from target_highlevel.descriptor import Incoming
    from target_highlevel.ledger.ledger import Ledger

#: In which order a contact gets what hangs on it.
_ORDER = {"note": 1, "custom_object": 2, "file": 3, "appointment": 4, "opportunity": 5}
_COMES, _CAME, _NEVER = "0", "1", "2"
_DIGITS = "0123456789"
_NEWEST_FIRST = str.maketrans(_DIGITS, _DIGITS[::-1])
#: Between a contact's place and what is ordered within the contact; no source id has it.
_WITHIN = " / "

_WAITING = (
    sa.select(record.c.ref, record.c.priority)
    .join(dependency, (dependency.c.location == record.c.location) & (dependency.c.child == record.c.ref))
    .where(
        dependency.c.location == sa.bindparam("b_location"),
        dependency.c.parent == sa.bindparam("b_contact"),
        record.c.rank == Rank.HISTORY,
    )
)
_SET = record.update().where(
    record.c.location == sa.bindparam("b_location"), record.c.ref == sa.bindparam("b_ref")
)


class Turns:
    """Decides where in the order of writing records stand, inside the caller's transaction."""

    def __init__(self, ledger: Ledger) -> None:
        """Work on the records of one sub-account."""
        self._ledger = ledger

    def of(self, connection: sa.Connection, items: Sequence[Incoming]) -> dict[str, tuple[int, str]]:
        """Return rank and priority of each of these main records, as far as is known of their contacts.

        A contact whose next visit is sooner comes first; of those without one whose latest visit is later.
        """
        coming = self._coming(connection, items)
        past = [item for item in items if item.ref not in coming and item.spec.rank == Rank.HISTORY]
        contacts = self._contacts(connection, past)
        places = self._places(connection, set(contacts.values()))
        turns: dict[str, tuple[int, str]] = {}
        for item in items:
            rank, within = item.spec.rank, item.priority or LAST
            if item.ref in coming:
                turns[item.ref] = Rank.COMING, coming[item.ref]
            elif rank == Rank.HISTORY:
                place = places.get(contacts.get(item.ref, ""), LAST)
                turns[item.ref] = (
                    rank,
                    f"{place}{_WITHIN}{_ORDER.get(item.spec.kind, _ORDER['custom_object'])} {within}",
                )
            else:
                turns[item.ref] = rank, within
        return turns

    def decide(self, connection: sa.Connection, contact: str) -> None:
        """Give what waits for a contact its place: its visits are known by now."""
        here = {"b_location": self._ledger.location}
        waiting = connection.execute(_WAITING, {**here, "b_contact": contact}).all()
        if not waiting:
            return
        place = self._places(connection, {contact})[contact]
        moved = [
            {**here, "b_ref": ref, "priority": f"{place}{_WITHIN}{within}"}
            for ref, (before, _, within) in ((row.ref, row.priority.partition(_WITHIN)) for row in waiting)
            if within and before != place
        ]
        if moved:
            connection.execute(_SET.values(priority=sa.bindparam("priority")), moved)

    def _coming(self, connection: sa.Connection, items: Iterable[Incoming]) -> dict[str, str]:
        """Return when those of the records begin that are appointments to come."""
        bookings = [item for item in items if item.spec.kind == "appointment" and not item.spec.always_task]
        groups = {f"{item.spec.object}:{key}" for item in bookings for key in item.joins}
        shared = dict(self._said(connection, groups, "starts_at"))
        now = self._now()
        starts = {
            item.ref: item.fields.get("starts_at")
            or max((shared.get(f"{item.spec.object}:{key}", "") for key in item.joins), default="")
            for item in bookings
        }
        return {ref: at for ref, at in starts.items() if at >= now}

    def _contacts(self, connection: sa.Connection, items: Iterable[Incoming]) -> dict[str, str]:
        """Return the ref of the contact that each record hangs on: itself, or by the record that it is related to."""
        found = {
            item.ref: f"contact:{item.contact}" if item.contact else item.owner_of or item.follows
            for item in items
        }
        related = {item.ref: item.relations[0][1] for item in items if item.relations and not found[item.ref]}
        owned: dict[str, str] = {}
        for some in batches(set(related.values())):
            query = sa.select(joined.c.child, joined.c.target).where(
                joined.c.location == self._ledger.location,
                joined.c.child.in_(some),
                joined.c.target.startswith(OWNER_OF, autoescape=True),
            )
            owned.update(
                (child, target.removeprefix(OWNER_OF)) for child, target in connection.execute(query)
            )
        found |= {ref: owned.get(other) for ref, other in related.items()}
        return {ref: contact for ref, contact in found.items() if contact}

    def _places(self, connection: sa.Connection, contacts: set[str]) -> dict[str, str]:
        """Return where each contact stands among all."""
        now = self._now()
        visits: dict[str, list[str]] = {contact: [] for contact in contacts}
        for contact, visit in self._said(connection, contacts, "visit"):
            visits[contact].append(visit["at"])
        return {contact: f"{_place(moments, now)} {contact}" for contact, moments in visits.items()}

    def _said(self, connection: sa.Connection, targets: set[str], name: str) -> Iterable[tuple[str, Any]]:
        """Yield what others say of these records in one field."""
        for some in batches(targets):
            query = sa.select(contribution.c.target, contribution.c.fields).where(
                contribution.c.location == self._ledger.location, contribution.c.target.in_(some)
            )
            for target, text in connection.execute(query):
                value = json.loads(text).get(name)
                if value:
                    yield target, value

    def _now(self) -> str:
        return f"{self._ledger.now():%Y-%m-%dT%H:%M:%SZ}"


def _place(moments: Sequence[str], now: str) -> str:
    """Return where somebody with visits at these moments stands, as a text to sort by."""
    coming = [at for at in moments if at >= now]
    if coming:
        return f"{_COMES} {min(coming)}"
    return f"{_CAME} {max(moments).translate(_NEWEST_FIRST)}" if moments else _NEVER
