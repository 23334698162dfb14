"""Sums of money on both sides: equal to the cent, or every record that keeps them from it is named."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from target_highlevel.ledger.repair import TO_BE_COMPARED, TO_BE_REPAIRED
from target_highlevel.report.wording import missing_from_highlevel, object_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from target_highlevel.ledger.money import MoneyRow

_NONE = Decimal(0)
#: By what records are summed.
BY = ("object", "currency", "business", "year", "status")
COLUMNS = ("source", "object", "kind", "reason", "differs_in", "difference", "cliniko", "highlevel")
_MOST_NAMED = 100


@dataclass
class _Sum:
    records: int = 0
    amount: Decimal = _NONE

    def add(self, amount: Decimal | None) -> None:
        self.records += 1
        self.amount += amount or _NONE


@dataclass(frozen=True)
class Differing:
    """One record that does not come to the same on both sides."""

    source: str
    object: str
    #: ``different``, ``missing`` in HighLevel with its reason, ``extra`` there, or ``unknown``.
    kind: str
    reason: str
    fields: tuple[str, ...]
    cliniko: Decimal | None
    highlevel: Decimal | None
    #: Whether it is on one side only, and it is known why.
    explained: bool = False

    @property
    def difference(self) -> Decimal:
        """Return how much more HighLevel has."""
        return (self.highlevel or _NONE) - (self.cliniko or _NONE)


@dataclass
class Sums:
    """Takes records in one after the other; each side is summed on its own."""

    cliniko: defaultdict[tuple[str, ...], _Sum] = field(default_factory=lambda: defaultdict(_Sum))
    highlevel: defaultdict[tuple[str, ...], _Sum] = field(default_factory=lambda: defaultdict(_Sum))
    #: (object, currency, kind, outcome, reason) → what is on one side only, and why.
    explained: defaultdict[tuple[str, ...], _Sum] = field(default_factory=lambda: defaultdict(_Sum))
    unreadable: Counter[str] = field(default_factory=Counter)
    #: Records in HighLevel of which nobody has kept what they come to: an earlier version has loaded them.
    unknown: Counter[str] = field(default_factory=Counter)
    listed: list[Differing] = field(default_factory=list)

    def take(self, row: MoneyRow) -> None:
        """Take a record in."""
        both = (row.source, row.highlevel)
        for side, amount, other in zip((self.cliniko, self.highlevel), both, both[::-1], strict=True):
            if amount is not None:
                currency = amount.currency or (other.currency if other else "")
                side[row.object, currency, amount.business, amount.year, amount.status].add(amount.amount)
        if row.source is not None and row.source.amount is None:
            self.unreadable[row.object] += 1
        found = _differing(row)
        if found is None:
            return
        self.listed.append(found)
        if row.unknown:
            self.unknown[row.object] += 1
        if found.explained:
            one_side = row.source or row.highlevel
            outcome = missing_from_highlevel(row.status, row.reason)[0]
            key = (row.object, one_side.currency if one_side else "", found.kind, outcome, found.reason)
            self.explained[key].add(one_side.amount if one_side else None)


def summed(rows: Iterable[MoneyRow]) -> Sums:
    """Return the sums of all records."""
    sums = Sums()
    for row in rows:
        sums.take(row)
    return sums


def content(sums: Sums, *, show_values: bool = False, read_back: bool = False) -> dict[str, Any] | None:
    """Return the money part of ``report.json``; None where no record comes to anything.

    An amount of a single record is shown only with values; how much it differs by always is.

    Args:
        sums: both sides.
        show_values: whether the amounts of single records are shown.
        read_back: whether HighLevel's side was read back; else it is what was written, or planned.
    """
    keys = sorted({*sums.cliniko, *sums.highlevel})
    if not keys:
        return None
    open_ = [item for item in sums.listed if not item.explained and item.kind != "unknown"]
    return {
        "read_back": read_back,
        "agrees": not open_ and not sums.unknown,
        "sums": [_both(key, sums) for key in keys],
        "totals": list(_totals(keys, sums)),
        "explained": [_explained(key, found) for key, found in sorted(sums.explained.items())],
        "unreadable": dict(sorted(sums.unreadable.items())),
        "unknown": dict(sorted(sums.unknown.items())),
        "differing": {
            "count": len(open_),
            "records": [_named(item, show_values=show_values) for item in open_[:_MOST_NAMED]],
        },
    }


def sum_line(item: Mapping[str, Any]) -> str:
    """Return a total in a line: *Invoice records: AUD 1,234.50 in Cliniko, the same in HighLevel*."""
    cliniko = f"{item['currency']} {grouped(item['cliniko'])}".strip()
    same = item["cliniko"] == item["highlevel"]
    other = (
        "the same in HighLevel"
        if same
        else f"{grouped(item['highlevel'])} in HighLevel ({grouped(item['difference'])})"
    )
    return f"{item['label']}: {cliniko} in Cliniko, {other}"


def grouped(amount: str) -> str:
    """Return an amount as people read it, with its thousands apart."""
    return f"{Decimal(amount):,}" if amount else ""


def without_values(told: dict[str, Any]) -> dict[str, Any]:
    """Return the content as it is without values."""
    hidden = {"cliniko": None, "highlevel": None}
    named = [
        {**item, **hidden, **({} if item["kind"] == "different" else {"difference": None})}
        for item in told["differing"]["records"]
    ]
    return {**told, "differing": {**told["differing"], "records": named}}


def table(sums: Sums, *, show_values: bool) -> Iterator[tuple[str, ...]]:
    """Yield the rows of ``money.csv``: every record that does not come to the same on both sides."""
    for item in sums.listed:
        named = _named(item, show_values=show_values)
        yield tuple(str(named.get(name) or "") for name in COLUMNS)


def text(amount: Decimal) -> str:
    """Return an amount as text, with two places of decimals at least and no digit lost."""
    places = max(2, -int(amount.normalize().as_tuple().exponent))
    return f"{amount:.{places}f}"


def _differing(row: MoneyRow) -> Differing | None:
    source, there = row.source, row.highlevel
    amounts = (source.amount if source else None, there.amount if there else None)
    known = row.status not in {"done", "ready"}
    code = missing_from_highlevel(row.status, row.reason)[1] if known else row.reason
    if row.unknown:
        return Differing(row.source_id, row.object, "unknown", "not_kept", (), *amounts)
    if source is None:
        return Differing(row.source_id, row.object, "extra", code, (), *amounts, known) if there else None
    if there is None:
        code = missing_from_highlevel(row.status, row.reason)[1]
        explained = row.status != "done" and code not in {
            TO_BE_COMPARED,
            TO_BE_REPAIRED,
        }  # of one that was found missing nobody knows why
        return Differing(row.source_id, row.object, "missing", code, (), *amounts, explained)
    names = ["amount"] if amounts[0] != amounts[1] else []
    names += [
        name for name in ("status", "year", "business") if getattr(source, name) != getattr(there, name)
    ]
    if source.currency and there.currency and source.currency != there.currency:
        names.append("currency")
    return Differing(row.source_id, row.object, "different", code, tuple(names), *amounts) if names else None


def _both(key: tuple[str, ...], sums: Sums) -> dict[str, Any]:
    return {**dict(zip(BY, key, strict=True)), **_sides(sums.cliniko.get(key), sums.highlevel.get(key))}


def _totals(keys: Iterable[tuple[str, ...]], sums: Sums) -> Iterator[dict[str, Any]]:
    """Yield the sums of each kind of record and currency."""
    for object_, currency in dict.fromkeys(key[:2] for key in keys):
        sides = [_Sum(), _Sum()]
        for total, side in zip(sides, (sums.cliniko, sums.highlevel), strict=True):
            for key, found in side.items():
                if key[:2] == (object_, currency):
                    total.records += found.records
                    total.amount += found.amount
        label = object_name(object_).capitalize()
        yield {"object": object_, "label": label, "currency": currency, **_sides(*sides)}


def _sides(source: _Sum | None, highlevel: _Sum | None) -> dict[str, Any]:
    one, other = source or _Sum(), highlevel or _Sum()
    return {
        "cliniko_records": one.records,
        "cliniko": text(one.amount),
        "highlevel_records": other.records,
        "highlevel": text(other.amount),
        "difference": text(other.amount - one.amount),
    }


def _explained(key: tuple[str, ...], found: _Sum) -> dict[str, Any]:
    object_, currency, kind, outcome, code = key
    return {
        "object": object_,
        "label": object_name(object_).capitalize(),
        "currency": currency,
        "kind": kind,
        "outcome": outcome,
        "reason": code,
        "meaning": missing_from_highlevel(outcome, code)[2].says,
        "records": found.records,
        "amount": text(found.amount),
    }


def _named(item: Differing, *, show_values: bool) -> dict[str, Any]:
    shown = (item.cliniko, item.highlevel) if show_values else (None, None)
    whole = (
        item.kind in {"missing", "extra", "unknown"} and not show_values
    )  # the difference would be the amount
    return {
        "source": item.source,
        "object": item.object,
        "label": object_name(item.object).capitalize(),
        "kind": item.kind,
        "reason": item.reason,
        "differs_in": ", ".join(item.fields),
        "difference": None if whole else text(item.difference),
        **{
            name: None if value is None else text(value)
            for name, value in zip(("cliniko", "highlevel"), shown, strict=True)
        },
    }
