"""Finding again what is in HighLevel: which objects have been read for it, and what of the crosswalk was not found there.

Fact ``rebuilt:<location>:<object>``: ``done`` when every record of an object that carries one of our ids is in the crosswalk,
``again`` when the ledger has turned out to be older than what was written since, and has to be compared with HighLevel once more.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from target_highlevel.ledger.bulk import batches, portions, release
from target_highlevel.ledger.repair import LOOK_FIRST, TO_BE_COMPARED, TO_BE_REPAIRED
from target_highlevel.ledger.rows import Notes, Row, Status, row_from
from target_highlevel.ledger.tables import fact, record
from target_highlevel.ledger.transitions import LEFT_OUT, MISSED
from target_highlevel.ledger.undo import ROLLED_BACK
from target_highlevel.ledger.work import ALL_LISTED, FORGOTTEN
from target_highlevel.values import canonical_json, same_value

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from target_highlevel.ledger.ledger import Ledger

_AGAIN, _DONE = "again", "done"
#: Stands in ``listed`` of a record until it has been found again.
_NOT_FOUND = "?"
_REBUILT = Notes(rebuilt=True).json()
#: What becomes of a record that the next full read has to bring again.
_MISSED: dict[str, Any] = {**FORGOTTEN, "reason": TO_BE_REPAIRED, "notes": _REBUILT}
#: Kinds of records that are found by what they hang on.
_HANGING = ("appointment", "file", "note", "opportunity", "relation")


class Recovery:
    """The ledger's side of finding a crosswalk again."""

    def __init__(self, ledger: Ledger, run: str) -> None:
        """Work for one run."""
        self._ledger = ledger
        self._run = run
        self._here = record.c.location == ledger.location
        self._name = f"rebuilt:{ledger.location}:"
        self._comparing: str | None = None

    def require(self, *, is_behind: bool) -> None:
        """Record durably that the whole crosswalk must be verified against HighLevel, even if this run is killed.

        Where the ledger is behind, whatever comes next is compared, even if it has not changed; and what hangs on others, of
        which there are no lists, is looked for: a run that this ledger knows nothing of may have undone what it knows.
        """
        known = fact.c.name.startswith(self._name, autoescape=True)
        with self._ledger.transaction() as connection:
            connection.execute(fact.update().where(known).values(value=_AGAIN))
            objects = sa.select(record.c.object.distinct()).where(self._here, record.c.hl_id.is_not(None))
            for object_ in connection.execute(objects).scalars().all():
                self._ledger.remember(f"{self._name}{object_}", _AGAIN)
            # what is on a contact may be more than this ledger knows: it is listed before anything is added
            connection.execute(record.update().where(self._here).values(listed=""))
            if is_behind:
                connection.execute(record.update().where(self._here).values(digest=None))
                hanging = (self._here, record.c.object.in_(_HANGING), record.c.status == Status.DONE.value)
                # a link is looked for when it is made, among all of its record, which are listed once
                intent = sa.case((record.c.object == "relation", None), else_=self._look())
                again = {**_MISSED, "reason": TO_BE_COMPARED, "intent": intent}
                connection.execute(MISSED.update(*hanging).values(again))

    def is_done(self, object_: str) -> bool:
        """Return whether the crosswalk of an object is known to be whole."""
        return self._ledger.fact(f"{self._name}{object_}") == _DONE

    def begin(self, object_: str) -> None:
        """Begin to read an object: nothing of its crosswalk has been confirmed yet."""
        if self._ledger.fact(f"{self._name}{object_}") == _AGAIN:
            self._comparing = object_
            known = (self._here, record.c.object == object_, record.c.hl_id.is_not(None))
            with self._ledger.transaction() as connection:
                connection.execute(record.update().where(*known).values(listed=_NOT_FOUND))

    def found(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Update the crosswalk with what was found; who wrote the present values is unknown."""
        with self._ledger.transaction() as connection:
            for row in rows if self._comparing else ():
                one = (self._here, record.c.ref == row["ref"], record.c.listed == _NOT_FOUND)
                known = connection.execute(sa.select(record).where(*one)).mappings().first()
                if known is None:
                    continue
                is_it = known["hl_id"] == row["hl_id"]
                values = {
                    "hl_id": row["hl_id"],
                    "written": canonical_json(row["written"]),
                    "notes": _found_again(row_from(known), row["written"]).json() if is_it else _REBUILT,
                    "listed": "",
                    **({} if is_it else {"created_run": None}),
                }
                connection.execute(record.update().where(*one).values(**values))
                release(connection, self._ledger.location, [row["ref"]])

    def not_found(self, object_: str) -> Iterator[Row]:
        """Yield the records of the crosswalk that were not found in HighLevel."""
        query = sa.select(record).where(self._here, record.c.object == object_, record.c.listed == _NOT_FOUND)
        yield from map(row_from, portions(self._ledger, query, record.c.ref))

    def unlisted(self, kind: str) -> list[str]:
        """Return the source ids of the contacts in HighLevel of which nobody has listed yet what of this kind hangs on them."""
        query = sa.select(record.c.ref, record.c.source_id, record.c.listed).where(
            self._here,
            record.c.object == "contact",
            record.c.hl_id.is_not(None),
            record.c.listed != ALL_LISTED,
        )
        rows = portions(self._ledger, query, record.c.ref)
        return [row["source_id"] for row in rows if not {ALL_LISTED, kind} & set(row["listed"].split())]

    def forget(self, row: Row) -> None:
        """Have a record that has vanished from HighLevel looked for, and created again, when it is next received."""
        gone = {
            **dict.fromkeys(("hl_id", "parent_id", "written", "digest", "created_run")),
            "notes": _REBUILT,
            "intent": self._look(),
            "listed": "",
        }
        one = (self._here, record.c.ref == row.ref)
        update = record.update().where(*one)
        if row.status == Status.DONE:
            update = MISSED.update(*one).values(reason=TO_BE_REPAIRED, payload=None)
        with self._ledger.transaction() as connection:
            connection.execute(update.values(gone))

    def forget_along(self) -> int:
        """Have looked for, and made again, what hung on contacts that have vanished, and links whose ends have; return how many.

        It goes by what is not there, not by what this run has found gone: one that was cut off here does it once more.
        """
        if self._comparing is None:
            return 0
        contact = record.alias()
        carried = sa.exists().where(
            contact.c.location == record.c.location,
            contact.c.object == "contact",
            contact.c.hl_id == record.c.parent_id,
        )
        done = (self._here, record.c.status == Status.DONE.value)
        lost = (*done, record.c.object.in_(_HANGING), record.c.parent_id.is_not(None), ~carried)
        with self._ledger.transaction() as connection:
            missed = MISSED.update(*lost).values(**_MISSED, intent=self._look())
            number = connection.execute(missed).rowcount
            links = self._loose_links(connection, *done)
            for some in batches(links):
                missed = MISSED.update(self._here, record.c.ref.in_(some)).values(**_MISSED, intent=None)
                number += connection.execute(missed).rowcount
            for some in batches(set(filter(None, links.values()))):  # they are derived from these once more
                origins = record.update().where(self._here, record.c.ref.in_(some))
                connection.execute(origins.values(digest=None))
        return number

    def _loose_links(self, connection: sa.Connection, *done: sa.ColumnElement[bool]) -> dict[str, str | None]:
        """Return ref and origin of every link that leads to something which the crosswalk does not have any more."""
        known = sa.select(record.c.hl_id).where(
            self._here, record.c.object != "relation", record.c.hl_id.is_not(None)
        )
        there = set(connection.execute(known).scalars())
        links = sa.select(record.c.ref, record.c.origin, record.c.notes).where(
            *done, record.c.object == "relation"
        )
        found: dict[str, str | None] = {}
        for ref, origin, text in connection.execute(links):
            link = Notes.from_json(text).link
            if not {link[end] for end in ("first", "second") if end in link} <= there:
                found[ref] = origin
        return found

    def _look(self) -> str:
        """Return an intent that has a record looked for before it is created."""
        at = f"{self._ledger.now():%Y-%m-%dT%H:%M:%S.%fZ}"
        return json.dumps({"action": LOOK_FIRST, "run": self._run, "at": at, "api": ""})

    def end(self, object_: str) -> None:
        """Record that the crosswalk of an object is complete."""
        waits = (self._here, record.c.object == object_, record.c.listed == _NOT_FOUND)
        with self._ledger.transaction() as connection:
            connection.execute(record.update().where(*waits).values(listed=""))
            self._ledger.remember(f"{self._name}{object_}", _DONE)
        self._comparing = None


def _found_again(known: Row, found: Mapping[str, str]) -> Notes:
    """Return the notes of a record that is where the ledger knew it: what is ours of it, an undo goes by what was left there."""
    left = known.left
    otherwise = {
        name: left.get(name, "")
        for name in {*left, *found}
        if not same_value(left.get(name), found.get(name))
    }
    return replace(known.notes, rebuilt=True, otherwise=otherwise)


def let_go(ledger: Ledger, run: str) -> None:
    """Wait no longer for what a full read has not brought again: the source has it no more, or makes nothing of it now.

    Of a resource of which nothing came in this run nobody knows: its list may have been refused, or it is another source's.
    What came before it was missed, or the record it is derived from did, comes with the next full read; what is derived is seen
    whenever that record is, so only its digest says whether it was made anew.
    """
    source = record.alias()
    comes_again = sa.exists().where(
        source.c.location == record.c.location, source.c.ref == record.c.origin, source.c.digest.is_(None)
    )
    waited_for = (
        record.c.location == ledger.location,
        record.c.status == Status.FILTERED.value,
        # an undo that was broken off goes on from what its notes say
        record.c.reason.in_([TO_BE_COMPARED, TO_BE_REPAIRED])
        | ((record.c.reason == ROLLED_BACK) & record.c.notes.is_(None)),
        record.c.origin.is_not(None) | (record.c.seen_run != run),
        ~comes_again,
    )
    with ledger.transaction() as connection:
        kinds = connection.execute(
            sa.select(record.c.object, record.c.resource).distinct().where(*waited_for)
        ).all()
        for kind in kinds:
            these = (record.c.object == kind.object, record.c.resource == kind.resource)
            came = sa.select(record.c.ref).where(
                record.c.location == ledger.location, *these, record.c.seen_run == run
            )
            if connection.execute(came.limit(1)).first():
                left = LEFT_OUT.update(*waited_for, *these)
                connection.execute(left.values(reason="no_longer_wanted", intent=None))
