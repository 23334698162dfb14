"""What the records of a sub-account come to on both sides, read from the ledger."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from target_highlevel.ledger.partials import OTHER_SUB_ACCOUNT
from target_highlevel.ledger.rows import Notes, Status
from target_highlevel.ledger.tables import record
from target_highlevel.values import canonical_json

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from target_highlevel.ledger.ledger import Ledger

#: What records come to that are in HighLevel only; a verification's copy of the ledger has this table.
surplus_money = sa.Table(
    "surplus_money",
    sa.MetaData(),
    sa.Column("id", sa.Integer, primary_key=True),
    *(sa.Column(name, sa.String) for name in ("object", "source", "how")),
    sa.Column("money", sa.Text),
)
_AT_ONCE = 1000
_DONE, _READY = Status.DONE.value, Status.READY.value
#: As the mapping of Cliniko's amounts has it.
_LARGEST_EXPONENT = 30
#: Where a record stands that somebody has deleted in HighLevel: what it came to there is not there any more.
_DELETED = (Status.REJECTED.value, "deleted_in_highlevel")
_SUMMED_BY = ("status", "year", "business")


@dataclass(frozen=True)
class Amount:
    """What one record comes to on one side."""

    #: None where the side has none, or it cannot be read.
    amount: Decimal | None
    currency: str = ""
    status: str = ""
    year: str = ""
    business: str = ""


@dataclass(frozen=True)
class MoneyRow:
    """One record on both sides; a side is None where it is not there."""

    object: str
    source_id: str
    status: str
    reason: str
    source: Amount | None
    highlevel: Amount | None
    #: Whether it is in HighLevel, though nobody has kept what it comes to there.
    unknown: bool = False


def money_rows(ledger: Ledger, *, read_back: bool = False) -> Iterator[MoneyRow]:
    """Yield every record of the sub-account that comes to something on either side; invoices before their items.

    Args:
        ledger: the ledger, or the copy of a plan or a verification.
        read_back: of the records that a verification received, what it has read back in place of what was written.
    """
    columns = [
        record.c[each]
        for each in ("ref", "object", "source_id", "status", "reason", "hl_id", "money", "notes")
    ]
    summed = sa.select(record.c.object.distinct()).where(
        record.c.location == ledger.location, record.c.money.is_not(None)
    )
    # one that an earlier version has loaded, and nobody has read since, says nothing of what it comes to
    silent = sa.false() if read_back else record.c.hl_id.is_not(None) & record.c.object.in_(summed)
    told = record.c.money.is_not(None) | record.c.notes.contains('"money"') | silent
    # what is another sub-account's is counted there
    ours = sa.func.coalesce(record.c.reason, "") != OTHER_SUB_ACCOUNT
    wanted = [record.c.location == ledger.location, record.c.stream != "", told, ours]
    if read_back:
        wanted.append(record.c.seen_run.is_not(None))
    query = sa.select(*columns).where(*wanted).order_by(record.c.rank, record.c.object, record.c.ref)
    cliniko = _Side()
    sides = (cliniko, _Side(cliniko))
    kept = "money_read_back" if read_back else "money"  # as Notes has them
    with ledger.transaction() as connection:
        for row in connection.execute(query.execution_options(yield_per=_AT_ONCE)):
            source = sides[0].amount(row.ref, json.loads(row.money) if row.money else None)
            held = json.loads(row.notes).get(kept) if row.notes and row.hl_id else None
            gone = (row.status, row.reason) == _DELETED and not read_back
            highlevel = None if gone else sides[1].amount(row.ref, held)
            unknown = bool(row.hl_id) and highlevel is None and row.status == _DONE and not read_back
            status = _DONE if read_back and row.status == _READY else row.status
            yield MoneyRow(row.object, row.source_id, status, row.reason or "", source, highlevel, unknown)
        if read_back:
            for row in connection.execute(sa.select(surplus_money).order_by(surplus_money.c.id)):
                there = sides[1].amount("", json.loads(row.money))
                yield MoneyRow(row.object, row.source, _DONE, row.how, None, there)


def keep_read_back(
    connection: sa.Connection,
    location: str,
    found: Mapping[str, tuple[Notes, Mapping[str, str]]],
    surplus: Sequence[Mapping[str, Any]],
) -> None:
    """Keep what a verification has read back.

    Args:
        connection: that of the copy.
        location: the sub-account.
        found: ref → the record's notes, and what it comes to in HighLevel.
        surplus: object, source, how and money of records that are there only.
    """
    if found:
        values = [
            {"b_ref": ref, "b_notes": replace(notes, money_read_back=told).json()}
            for ref, (notes, told) in found.items()
        ]
        one = (record.c.location == location) & (record.c.ref == sa.bindparam("b_ref"))
        connection.execute(record.update().where(one).values(notes=sa.bindparam("b_notes")), values)
    if surplus:
        rows = [{**item, "money": canonical_json(item["money"])} for item in surplus]
        connection.execute(surplus_money.insert(), rows)


class _Side:
    """One side: items are summed by status, year and business of their invoice, which comes before them."""

    def __init__(self, other: _Side | None = None) -> None:
        """Ask the other side about an invoice that is not on this one."""
        self.known: dict[str, tuple[str, ...]] = {}
        self._other = other.known if other else {}

    def amount(self, ref: str, told: Mapping[str, Any] | None) -> Amount | None:
        if told is None:
            return None
        of = told.get("of", "")
        by = self.known.get(of) or self._other.get(of)
        if by is None:
            by = tuple(str(told.get(name, "")) for name in _SUMMED_BY)
        if not of:
            self.known[ref] = by
        return Amount(_decimal(told.get("amount")), str(told.get("currency", "")), *by)


def _decimal(text: str | None) -> Decimal | None:
    """Return an amount; none of what is no sum of money, such as *NaN*, which would be every sum it is added to."""
    try:
        number = Decimal(text or "NaN")
    except InvalidOperation:
        return None
    is_sum = number.is_finite() and (not number or abs(number.adjusted()) <= _LARGEST_EXPONENT)
    return number if is_sum else None
