"""What a verification has found so far, kept beside the scratch ledger so that memory stays flat."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from itertools import chain, repeat
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from target_highlevel.ledger.rows import Status
from target_highlevel.ledger.tables import record
from target_highlevel.report.differences import Difference, Kind
from target_highlevel.verify.comparison import Compared

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from target_highlevel.ledger.ledger import Ledger
    from target_highlevel.ledger.rows import Row

_BATCH = 500
_tables = sa.MetaData()

#: What became of each record that was looked at.
verified = sa.Table(
    "verified", _tables, sa.Column("ref", sa.String, primary_key=True), sa.Column("outcome", sa.String)
)
#: Every field, and every record, that is not simply equal.
finding = sa.Table(
    "finding",
    _tables,
    sa.Column("id", sa.Integer, primary_key=True),
    *(sa.Column(name, sa.String) for name in ("source", "object", "field", "kind", "how")),
    *(sa.Column(name, sa.Text) for name in ("wanted", "there")),
)

#: Outcomes of a record, the worst last: that is the one that counts.
_WORSE = ("equal", "normalised", "different", "missing")
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

    def __init__(self, ledger: Ledger) -> None:
        """Begin with nothing found; records that the load put off or refused keep that outcome."""
        self._ledger = ledger
        self._here = record.c.location == ledger.location
        self._rows: list[dict[str, Any]] = []
        self._outcomes: dict[str, str] = {}
        self.kinds: Counter[str] = Counter()
        self.hows: Counter[str] = Counter()
        self._equal: Counter[tuple[str, str]] = Counter()
        self._extra: Counter[tuple[str, str]] = Counter()
        with ledger.transaction() as connection:
            _tables.create_all(connection)

    # Taking in

    def compared(self, row: Row, results: Iterable[Compared]) -> None:
        """Take the fields of one record in."""
        outcome = "equal"
        for item in results:
            self._count(item.kind, item.how)
            if item.kind is Kind.EQUAL:
                self._equal[row.object, item.field] += 1
                continue
            self._note(row.source_id, row.object, item)
            outcome = _worse(outcome, "normalised" if item.kind is Kind.NORMALISED else "different")
        self.outcome(row, outcome)

    def missing(self, row: Row) -> None:
        """Take in that a record is not in HighLevel."""
        self._count(Kind.MISSING)
        self._note(row.source_id, row.object, Compared("", Kind.MISSING))
        self.outcome(row, "missing")

    def surplus(self, object_: str, source_id: str, hl_id: str, how: str, *, resource: str = "") -> None:
        """Take in that HighLevel holds a record of ours that it should not.

        Args:
            object_: kind of object.
            source_id: the Cliniko record it says it is.
            hl_id: its id, so that it can be found.
            how: ``unknown``, ``doubled`` or ``no_longer_wanted``.
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
            self.hows[how] += 1

    def _note(self, source: str, object_: str, item: Compared) -> None:
        keys = {
            "source": source,
            "object": object_,
            "field": item.field,
            "kind": item.kind.value,
            "how": item.how,
        }
        values = {
            "wanted": json.dumps(item.wanted, default=str),
            "there": json.dumps(item.there, default=str),
        }
        self._rows.append({**keys, **values})

    def flush(self) -> None:
        """Put what was taken in beside the ledger."""
        with self._ledger.transaction() as connection:
            if self._rows:
                connection.execute(finding.insert(), self._rows)
            known = self._known(connection, list(self._outcomes))
            rows = [
                {"r": ref, "o": _worse(known.get(ref, outcome), outcome)}
                for ref, outcome in self._outcomes.items()
            ]
            if rows:
                connection.execute(verified.delete().where(verified.c.ref == sa.bindparam("r")), rows)
                connection.execute(
                    verified.insert(), [{"ref": row["r"], "outcome": row["o"]} for row in rows]
                )
        self._rows, self._outcomes = [], {}

    def known(self, refs: Sequence[str]) -> dict[str, str]:
        """Return what is known already of these records."""
        with self._ledger.transaction() as connection:
            return {
                **self._known(connection, refs),
                **{r: self._outcomes[r] for r in refs if r in self._outcomes},
            }

    def _known(self, connection: sa.Connection, refs: Sequence[str]) -> dict[str, str]:
        found: dict[str, str] = {}
        for start in range(0, len(refs), _BATCH):
            query = sa.select(verified).where(verified.c.ref.in_(refs[start : start + _BATCH]))
            found.update({row.ref: row.outcome for row in connection.execute(query)})
        return found

    # Giving out

    @property
    def failed(self) -> bool:
        """Return whether anything differs."""
        return any(self.kinds[kind.value] for kind in (Kind.DIFFERENT, Kind.MISSING, Kind.EXTRA))

    def differences(self) -> Iterator[Difference]:
        """Yield everything that was compared; equal fields come without their values."""
        equal = (
            repeat(Difference("", object_, name, Kind.EQUAL), number)
            for (object_, name), number in sorted(self._equal.items())
        )
        return chain(chain.from_iterable(equal), self._unequal())

    def _unequal(self) -> Iterator[Difference]:
        query = sa.select(finding).order_by(finding.c.id).limit(_BATCH)
        last = 0
        while True:
            with self._ledger.transaction() as connection:
                rows = connection.execute(query.where(finding.c.id > last)).all()
            for row in rows:
                values = (json.loads(row.wanted), json.loads(row.there))
                yield Difference(row.source, row.object, row.field, Kind(row.kind), *values, row.how)
            if len(rows) < _BATCH:
                return
            last = rows[-1].id

    def objects(self) -> list[ObjectVerified]:
        """Return the closing table: every received record, and what became of it, counted apart."""
        counts: dict[tuple[str, str], ObjectVerified] = {}
        received = self._here & (record.c.seen_run.is_not(None))
        status = sa.case(
            (record.c.status == Status.FILTERED.value, "filtered"),
            (record.c.status == Status.REJECTED.value, "rejected"),
            (record.c.status == Status.HELD.value, "held"),
            (record.c.object == "user", "equal"),
            else_="unaccounted",
        )
        outcome = sa.func.coalesce(verified.c.outcome, status)
        columns = [record.c.object, record.c.resource]
        both = record.outerjoin(verified, verified.c.ref == record.c.ref)
        query = sa.select(*columns, outcome, sa.func.count()).select_from(both)
        with self._ledger.transaction() as connection:
            total = sa.select(*columns, sa.func.count()).where(received).group_by(*columns)
            for object_, resource, number in connection.execute(total):
                counts[object_, resource] = ObjectVerified(object_, resource, source=number)
            for object_, resource, did, number in connection.execute(
                query.where(received).group_by(*columns, outcome)
            ):
                counts[object_, resource].outcomes[did] += number
        for (object_, resource), number in self._extra.items():
            counts.setdefault((object_, resource), ObjectVerified(object_, resource)).extra += number
        return sorted(counts.values(), key=lambda item: (item.object, item.resource))


def _worse(one: str, other: str) -> str:
    """Return the worse of two outcomes; one that is decided without looking (held, rejected) stays."""
    if one not in _WORSE:
        return one
    return max(one, other, key=_WORSE.index) if other in _WORSE else other
