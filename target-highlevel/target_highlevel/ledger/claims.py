"""E-mails and phones that several contacts want: who wants which, who keeps it, and what has to be written when that changes."""

from __future__ import annotations

import json
from collections import defaultdict
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from target_highlevel.ledger.bulk import batches, release
from target_highlevel.ledger.relations import LAST
from target_highlevel.ledger.rows import Claim, Status
from target_highlevel.ledger.tables import claim, contribution, dependency, record
from target_highlevel.ledger.transitions import CHANGED
from target_highlevel.sharing import Decision, Sharer, keeper
from target_highlevel.texts import digits
from target_highlevel.values import canonical_json, fingerprint

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
    from datetime import date

    from target_highlevel.descriptor import Incoming, StreamSpec
    from target_highlevel.ledger.ledger import Ledger
    from target_highlevel.ledger.rows import Row

#: What a contact with a new address waits for: only when everybody has come it is known who shares it.
EVERYBODY = "everybody"
#: Standard fields by which HighLevel tells duplicates → the channel that each is for.
ADDRESSES = {"email": "Email", "phone": "SMS"}
#: Why a record was refused that somebody has deleted in HighLevel.
_DELETED = "deleted_in_highlevel"
#: Reason of who keeps an address that others want too.
_KEPT = "kept"
#: Sorts behind everybody else: whoever takes an address comes after those who give it up.
_AFTER_ALL = LAST * 2

_ONE_REF = (claim.c.location == sa.bindparam("b_location")) & (claim.c.ref == sa.bindparam("b_ref"))
_ONE = _ONE_REF & (claim.c.field == sa.bindparam("b_field"))
_OF = sa.select(claim).where(_ONE_REF)
_SET_HELD = claim.update().where(_ONE).values(held=sa.bindparam("b_held"))


class Claims:
    """The addresses that contacts want, inside the caller's transaction unless it says otherwise."""

    def __init__(self, ledger: Ledger, run: str) -> None:
        """Work on the contacts of one sub-account for one run."""
        self._ledger = ledger
        self._run = run
        self._here = claim.c.location == ledger.location

    # What contacts want

    def take(self, connection: sa.Connection, items: Sequence[Incoming]) -> set[str]:
        """Keep what received contacts want; return the refs of those that want an address they do not have yet."""
        items = [item for item in items if item.spec.kind == "contact" and not item.rejected]
        known: dict[tuple[str, str], sa.RowMapping] = {}
        for some in batches({item.ref for item in items}):
            query = sa.select(claim).where(self._here, claim.c.ref.in_(some))
            known.update({(row["ref"], row["field"]): row for row in connection.execute(query).mappings()})
        rows = [
            {**dict(before or self._blank(item, name)), **self._wanted(item, name, channel)}
            for item in items
            for name, channel in _addresses(item.spec)
            if (before := known.get((item.ref, name))) is not None or item.fields.get(name)
        ]
        for some in batches({row["ref"] for row in rows}):
            connection.execute(claim.delete().where(self._here, claim.c.ref.in_(some)))
        if rows:
            connection.execute(claim.insert(), rows)
        return {row["ref"] for row in rows if row["key"] and row["key"] != row["held"]}

    def _blank(self, item: Incoming, name: str) -> dict[str, Any]:
        empty = dict.fromkeys(("key", "value", "keeper", "reason", "held", "met"))
        return {"location": self._ledger.location, "ref": item.ref, "field": name, **empty}

    def _wanted(self, item: Incoming, name: str, channel: str) -> dict[str, Any]:
        """Return what is wanted and what decides; one that stands for nobody any more has what it had, until another wants it."""
        if item.filtered:
            return {"facts": canonical_json({"gone": True})}
        value, standing = item.fields.get(name), item.spec.standing
        closed = [each.name for each in item.spec.fields.values() if each.channel == channel]
        facts = {
            "born": item.fields.get(item.spec.by_api_name.get("dateOfBirth", "")),
            "archived": item.fields.get(standing.get("archived", "")) is True,
            "unreachable": any(item.fields.get(each) is True for each in closed),
            "chosen": name in (item.fields.get(standing.get("keeps", "")) or ()),
        }
        key = fingerprint(_normal(name, value), self._ledger.salt) if value else None
        return {"key": key, "value": value, "facts": canonical_json(facts)}

    def of(self, connection: sa.Connection, ref: str) -> dict[str, Claim]:
        """Return the addresses of a contact, by field."""
        rows = connection.execute(_OF, {"b_location": self._ledger.location, "b_ref": ref})
        return {row.field: _claim(row) for row in rows}

    def of_all(self, connection: sa.Connection, refs: Iterable[str]) -> dict[str, dict[str, Claim]]:
        """Return the addresses of several contacts."""
        found: defaultdict[str, dict[str, Claim]] = defaultdict(dict)
        for some in batches(refs):
            for row in connection.execute(sa.select(claim).where(self._here, claim.c.ref.in_(some))):
                found[row.ref][row.field] = _claim(row)
        return found

    # Who keeps what

    def share_out(
        self,
        today: date,
        *,
        guardians: Collection[str],
        duplicates_allowed: bool,
        everybody_came: bool,
        belongs: Callable[[str], bool],
    ) -> bool:
        """Decide who keeps each shared address, and have written what that changes; return whether there is anything to write.

        Args:
            today: decides who is of age.
            guardians: names of the fields in which other records say whose child somebody is.
            duplicates_allowed: whether the sub-account lets several contacts have one address: then nobody gives any up.
            everybody_came: whether those may go on who waited for it.
            belongs: tells of a contact's ref whether it belongs to this sub-account.
        """
        with self._ledger.transaction() as connection:
            moved: set[str] = set()
            groups = self._groups(connection)
            shared = [row["ref"] for rows in groups.values() for row in rows if len(rows) > 1]
            of_child = self._guardians(connection, shared, guardians)
            for rows in groups.values():
                sharers = [
                    _sharer(row, of_child)
                    for row in rows
                    if row["key"] and _stands(row) and (row["hl_id"] or belongs(row["ref"]))
                ]
                decided = len(sharers) > 1 and not duplicates_allowed
                first, others = keeper(sharers, today) if decided else (None, {})
                moved |= self._decide(connection, rows, first, others)
            self._look_again(connection, moved)
            self._forget_unshared(connection)
            waited = everybody_came and self.waiting(connection)
            if waited:
                self.go_on()
        return bool(moved) or waited

    def go_on(self) -> None:
        """Have written who waited for everybody to have come."""
        with self._ledger.transaction() as connection:
            release(connection, self._ledger.location, [EVERYBODY])

    def waiting(self, connection: sa.Connection) -> bool:
        """Return whether contacts wait for everybody to have come."""
        query = sa.select(dependency.c.child).where(
            dependency.c.location == self._ledger.location, dependency.c.parent == EVERYBODY
        )
        return connection.execute(query.limit(1)).first() is not None

    def _shared_keys(self) -> sa.Select[tuple[str | None]]:
        several = sa.func.count() > 1
        return (
            sa.select(claim.c.key)
            .where(self._here, claim.c.key.is_not(None))
            .group_by(claim.c.key)
            .having(several)
        )

    def _groups(self, connection: sa.Connection) -> dict[str, list[sa.RowMapping]]:
        """Return the claims of each address that several want, and of each that somebody was found to have to give up."""
        query = (
            sa.select(claim, record.c.status, record.c.reason.label("why"), record.c.hl_id)
            .join(record, (record.c.location == claim.c.location) & (record.c.ref == claim.c.ref))
            .where(self._here, claim.c.key.in_(self._shared_keys()) | claim.c.keeper.is_not(None))
        )
        groups: defaultdict[str, list[sa.RowMapping]] = defaultdict(list)
        for row in connection.execute(query).mappings():
            groups[row["key"] or row["ref"]].append(row)
        return groups

    def _guardians(
        self, connection: sa.Connection, refs: Iterable[str], names: Collection[str]
    ) -> dict[str, frozenset[str]]:
        found: defaultdict[str, set[str]] = defaultdict(set)
        told = sa.or_(
            sa.false(), *(contribution.c.fields.contains(f'"{name}"', autoescape=True) for name in names)
        )
        for some in batches(set(refs) if names else ()):
            query = sa.select(contribution.c.target, contribution.c.fields).where(
                contribution.c.location == self._ledger.location, contribution.c.target.in_(some), told
            )
            for target, fields in connection.execute(query):
                found[target].update(*(json.loads(fields).get(name) or () for name in names))
        return {ref: frozenset(them) for ref, them in found.items()}

    def _decide(
        self,
        connection: sa.Connection,
        rows: Sequence[sa.RowMapping],
        first: str | None,
        others: Mapping[str, str],
    ) -> set[str]:
        """Keep who has one address from now on; return the refs of those for whom that is another answer than before."""
        value = next((row["value"] for row in rows if row["value"]), None)
        moved = set()
        for row in rows:
            is_first = row["ref"] == first
            reason = _KEPT if is_first else others.get(row["ref"])
            now = {
                "keeper": first if reason and not is_first else None,
                "reason": reason,
                "value": row["value"] or (value if row["key"] else None),
            }
            if any(row[name] != new for name, new in now.items()):
                one = (claim.c.ref == row["ref"]) & (claim.c.field == row["field"])
                connection.execute(claim.update().where(self._here, one).values(**now))
            if row["keeper"] != now["keeper"]:
                moved.add(row["ref"])
        taken = any(row["held"] == row["key"] for row in rows if row["ref"] != first)
        if moved or taken:
            self._put_last(connection, [first] if first and taken else list(others))
        return moved

    def _put_last(self, connection: sa.Connection, refs: Collection[str]) -> None:
        """Have whoever takes an address written after those who have it now; those who get none after who keeps it.

        For a contact of before may turn up then that has it, and that is one of theirs.
        """
        mine = (record.c.location == self._ledger.location) & record.c.ref.in_(refs)
        connection.execute(record.update().where(mine, _is_open() | _is_there()).values(priority=_AFTER_ALL))

    def _look_again(self, connection: sa.Connection, refs: Iterable[str]) -> None:
        """Have these contacts looked at again, also those that stand for nobody any more."""
        for some in batches(refs):
            mine = (record.c.location == self._ledger.location) & record.c.ref.in_(some)
            again = {"version": record.c.version + 1, "seen_run": self._run}
            connection.execute(record.update().where(mine, _is_open()).values(version=record.c.version + 1))
            connection.execute(CHANGED.update(mine, _is_there()).values(again))

    def _forget_unshared(self, connection: sa.Connection) -> None:
        """Forget the addresses that their owners have and nobody else wants."""
        alone = claim.c.key.not_in(self._shared_keys()) & claim.c.keeper.is_(None)
        mine = self._here & claim.c.value.is_not(None) & alone & (claim.c.held == claim.c.key)
        connection.execute(claim.update().where(mine).values(value=None))

    def _record(self, ref: str) -> sa.ColumnElement[bool]:
        return (record.c.location == self._ledger.location) & (record.c.ref == ref)

    # What was written

    def meet(self, row: Row, name: str, hl_id: str) -> None:
        """Take note of a contact of before that has an address: it may be one of those who give it up."""
        if name in row.claims:
            with self._ledger.transaction() as connection:
                same = self._here & (claim.c.key == row.claims[name].key)
                connection.execute(claim.update().where(same).values(met=hl_id))

    def settled(self, connection: sa.Connection, row: Row, withheld: Collection[str]) -> None:
        """Take note of the addresses that a contact has now, and offer those it gave up to who keeps them."""
        for name, before in row.claims.items():
            now = None if name in withheld else before.key
            if now != before.held:
                one = {"b_location": self._ledger.location, "b_ref": row.ref, "b_field": name}
                connection.execute(_SET_HELD, {**one, "b_held": now})
            free = {before.held, before.key if name in row.cleared else None} - {now, None}
            if free:
                self._offer(connection, row.ref, name, free)

    def _offer(self, connection: sa.Connection, giver: str, name: str, keys: Collection[str | None]) -> None:
        """Have an address that has come free written to whose it is; that it could not be had before counts no more."""
        query = (
            sa.select(record.c.ref, record.c.written)
            .join(claim, (claim.c.location == record.c.location) & (claim.c.ref == record.c.ref))
            .where(self._here, claim.c.field == name, claim.c.key.in_(keys), claim.c.keeper.is_(None))
            .where(claim.c.ref != giver, claim.c.held.is_distinct_from(claim.c.key), _is_open() | _is_there())
        )
        for ref, written in connection.execute(query).all():
            marks = {field: mark for field, mark in json.loads(written or "{}").items() if field != name}
            values = {"written": canonical_json(marks)} if written else {}
            connection.execute(record.update().where(self._record(ref)).values(priority=_AFTER_ALL, **values))
            self._look_again(connection, [ref])

    # What the plan says

    def decisions(self) -> list[Decision]:
        """Return who keeps each shared address, and why each of the others does not."""
        query = sa.select(claim).where(self._here, claim.c.keeper.is_not(None)).order_by(claim.c.ref)
        found: defaultdict[tuple[str, str], dict[str, str]] = defaultdict(dict)
        with self._ledger.transaction() as connection:
            for row in connection.execute(query):
                found[row.field, row.keeper][_source(row.ref)] = row.reason
        return [Decision(field, _source(ref), others) for (field, ref), others in sorted(found.items())]

    def shared(self) -> dict[str, dict[str, int]]:
        """Return for each kind of address how many are shared, and by how many people."""
        query = (
            sa.select(claim.c.field, sa.func.count())
            .where(self._here, claim.c.key.in_(self._shared_keys()))
            .group_by(claim.c.field, claim.c.key)
        )
        found = {name: {"addresses": 0, "people": 0} for name in ADDRESSES}
        with self._ledger.transaction() as connection:
            for name, people in connection.execute(query):
                numbers = found.setdefault(name, {"addresses": 0, "people": 0})
                numbers["addresses"] += 1
                numbers["people"] += people
        return found


def _claim(row: sa.Row[Any]) -> Claim:
    return Claim(row.key, row.value, row.keeper, row.held, kept=row.reason == _KEPT, met=row.met)


def _addresses(spec: StreamSpec) -> Iterable[tuple[str, str]]:
    """Yield our name of each address that a stream has, and its channel."""
    named = spec.by_api_name
    yield from ((named[api_name], channel) for api_name, channel in ADDRESSES.items() if api_name in named)


def _normal(name: str, value: Any) -> list[str]:
    """Return an address as HighLevel tells duplicates: no matter how it is written."""
    text = "".join(str(value).split()).casefold()
    return [name, text if "@" in text else digits(text) or text]


def _stands(row: sa.RowMapping) -> bool:
    """Return whether a contact is in HighLevel, or is about to be."""
    if row["status"] == Status.REJECTED.value and row["why"] == _DELETED:
        return False
    return row["hl_id"] is not None or row["status"] in {Status.READY.value, Status.HELD.value}


def _sharer(row: sa.RowMapping, guardians: Mapping[str, frozenset[str]]) -> Sharer:
    return Sharer(row["ref"], guardians=guardians.get(row["ref"], frozenset()), **json.loads(row["facts"]))


def _is_open() -> sa.ColumnElement[bool]:
    return record.c.status.in_([Status.READY.value, Status.HELD.value])


def _is_there() -> sa.ColumnElement[bool]:
    """What is to be written again though nothing else of it has changed; it may stand for nobody any more."""
    left_out = (record.c.status == Status.FILTERED.value) & record.c.hl_id.is_not(None)
    return ((record.c.status == Status.DONE.value) | left_out) & record.c.digest.is_not(None)


def _source(ref: str) -> str:
    return ref.partition(":")[2]
