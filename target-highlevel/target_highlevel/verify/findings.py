"""What a verification has found so far, kept beside the scratch ledger so that memory stays flat."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from itertools import chain, repeat
from typing import TYPE_CHECKING, Any

from target_highlevel.exit_codes import COMPLETE, DIFFERENCES, UNREADABLE
from target_highlevel.ledger.comparison import Comparison, Found
from target_highlevel.report.differences import Difference, Kind
from target_highlevel.verify.comparison import DIFFERING, Compared

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from target_highlevel.ledger.ledger import Ledger
    from target_highlevel.ledger.rows import Notes, Row
    from target_highlevel.report.sheet import Sheet

#: Outcomes of a record, the worst last: that is the one that counts.
_WORSE = ("equal", "normalised", "kept", "unreadable", "different", "missing")
_AGREES = frozenset({"equal", "normalised"})
_OUTCOME_OF = {kind: kind.value for kind in (Kind.NORMALISED, Kind.KEPT, Kind.UNREADABLE)}
OUTCOMES = (*_WORSE, "filtered", "held", "rejected")


@dataclass
class ObjectVerified:
    """One row of the closing table of a verification."""

    object: str
    resource: str
    source: int = 0
    extra: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)

    def content(self) -> dict[str, Any]:
        """Return the row for the report; ``difference`` must be zero."""
        counts = {name: self.outcomes[name] for name in OUTCOMES}
        difference = self.source - sum(counts.values())
        return {
            "object": self.object,
            "resource": self.resource,
            "source": self.source,
            **counts,
            "extra": self.extra,
            "difference": difference,
        }


class Findings:
    """Takes results in, a page at a time, and gives them out again for the report."""

    def __init__(self, ledger: Ledger, sheet: Sheet | None = None) -> None:
        """Begin with nothing found; records that the load put off or refused keep that outcome.

        A sheet gets every field as it was compared, equal ones with their values.
        """
        self.records = Comparison(ledger)
        self._sheet = sheet
        self._rows: list[Found] = []
        self._outcomes: dict[str, str] = {}
        self._money: dict[str, tuple[Notes, Mapping[str, str]]] = {}
        self._surplus_money: list[dict[str, Any]] = []
        #: Ref → outcome of records in HighLevel of which the load has put a change off, or refused it.
        self.waiting: Mapping[str, str] = {}
        self.kinds: Counter[str] = Counter()
        #: (kind, how) → number.
        self.hows: Counter[tuple[Kind, str]] = Counter()
        self._equal: Counter[tuple[str, str]] = Counter()
        self._extra: Counter[tuple[str, str]] = Counter()
        #: How many lists could not be read.
        self.unreadable_lists = 0

    # Taking in

    def compared(self, row: Row, results: Iterable[Compared]) -> None:
        """Take the fields of one record in."""
        outcome = "equal"
        results = list(results)
        if self._sheet is not None:
            self._sheet.compared(row, results)
        for item in results:
            self._count(item.kind, item.how)
            if item.kind is Kind.EQUAL:
                self._equal[row.object, item.field] += 1
                continue
            self._note(row.source_id, row.object, item)
            outcome = _worse(outcome, _OUTCOME_OF.get(item.kind, "different"))
        self.outcome(row, self.waiting.get(row.ref, outcome) if outcome in _AGREES else outcome)

    def missing(self, row: Row) -> None:
        """Take in that a record is not in HighLevel."""
        if self._sheet is not None:
            self._sheet.compared(row, [Compared("", Kind.MISSING)])
        self._count(Kind.MISSING)
        self._note(row.source_id, row.object, Compared("", Kind.MISSING))
        self.outcome(row, "missing")

    def unreadable(self, row: Row, reason: str, field: str = "") -> None:
        """Take in that a record, or what is behind one of its fields, could not be read back, and why."""
        self.compared(row, [Compared(field, Kind.UNREADABLE, reason)])

    def unreadable_list(self, object_: str, reason: str) -> None:
        """Take in that a list of HighLevel's could not be read, so that nobody knows what is too much."""
        self.unreadable_lists += 1
        self._count(Kind.UNREADABLE, reason)
        self._note("", object_, Compared("", Kind.UNREADABLE, reason))

    def money(self, row: Row, told: Mapping[str, str]) -> None:
        """Take in what a record comes to in HighLevel."""
        self._money[row.ref] = (row.notes, told)

    def surplus_money(self, object_: str, source_id: str, how: str, told: Mapping[str, str]) -> None:
        """Take in what a record comes to that is in HighLevel only."""
        self._surplus_money.append({"object": object_, "source": source_id, "how": how, "money": dict(told)})

    def surplus(self, object_: str, source_id: str, hl_id: str, how: str, *, resource: str = "") -> None:
        """Take in that HighLevel holds a record of ours that it should not.

        Args:
            object_: kind of object.
            source_id: the Cliniko record it says it is.
            hl_id: its id, so that it can be found.
            how: ``unknown``, ``doubled``, ``misplaced`` or ``no_longer_wanted``.
            resource: Cliniko resource, where the source id does not begin with it.
        """
        self._count(Kind.EXTRA, how)
        self._note(source_id, object_, Compared("", Kind.EXTRA, how, None, hl_id))
        self._extra[object_, resource or source_id.partition("/")[0]] += 1

    def outcome(self, row: Row, outcome: str) -> None:
        """Keep what became of a record; the worst counts when it is looked at twice."""
        self._outcomes[row.ref] = _worse(self._outcomes.get(row.ref, outcome), outcome)

    def _count(self, kind: Kind, how: str = "") -> None:
        self.kinds[kind.value] += 1
        if how:
            self.hows[kind, how] += 1

    def _note(self, source: str, object_: str, item: Compared) -> None:
        self._rows.append(
            Found(source, object_, item.field, item.kind.value, item.how, item.wanted, item.there)
        )

    def flush(self) -> None:
        """Put what was taken in beside the ledger."""
        known = self.records.outcomes(list(self._outcomes))
        worst = {ref: _worse(known.get(ref, outcome), outcome) for ref, outcome in self._outcomes.items()}
        self.records.keep(self._rows, worst)
        self._rows, self._outcomes = [], {}
        self.records.keep_money(self._money, self._surplus_money)
        self._money, self._surplus_money = {}, []

    def known(self, refs: Sequence[str]) -> dict[str, str]:
        """Return what is known already of these records."""
        taken_in = {ref: self._outcomes[ref] for ref in refs if ref in self._outcomes}
        return {**self.records.outcomes(refs), **taken_in}

    # Giving out

    def exit_code(self, *, accepted: bool) -> int:
        """Return 5 when anything differs, 6 when nothing does but part could not be read back, else 0."""
        differs = DIFFERING if accepted else {*DIFFERING, Kind.KEPT}
        if any(self.kinds[kind.value] for kind in differs):
            return DIFFERENCES
        return UNREADABLE if self.kinds[Kind.UNREADABLE.value] else COMPLETE

    def differences(self) -> Iterator[Difference]:
        """Yield everything that was compared; equal fields come without their values."""
        equal = (
            repeat(Difference("", object_, name, Kind.EQUAL), number)
            for (object_, name), number in sorted(self._equal.items())
        )
        unequal = (
            Difference(
                item.source, item.object, item.field, Kind(item.kind), item.wanted, item.there, item.how
            )
            for item in self.records.findings()
        )
        return chain(chain.from_iterable(equal), unequal)

    def objects(self) -> list[ObjectVerified]:
        """Return the closing table: every received record, and what became of it, counted apart."""
        counts = {
            (object_, resource): ObjectVerified(object_, resource, source=number)
            for object_, resource, number in self.records.received()
        }
        for object_, resource, outcome, number in self.records.counts():
            counts[object_, resource].outcomes[outcome] += number
        for (object_, resource), number in self._extra.items():
            counts.setdefault((object_, resource), ObjectVerified(object_, resource)).extra += number
        return sorted(counts.values(), key=lambda item: (item.object, item.resource))


def _worse(one: str, other: str) -> str:
    """Return the worse of two outcomes; one that is decided without looking (held, rejected) stays."""
    if one not in _WORSE:
        return one
    return max(one, other, key=_WORSE.index) if other in _WORSE else other
