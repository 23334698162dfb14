"""What HighLevel should hold of a record, computed in one way for load, verification and rollback."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from target_highlevel.fields import kind_of
from target_highlevel.folds import FOLDS
from target_highlevel.ledger.partials import OWN
from target_highlevel.withheld import tags

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from target_highlevel.descriptor import FieldSpec, StreamSpec
    from target_highlevel.ledger.rows import Row
    from target_highlevel.objects.base import ObjectKind

    #: (contributor, fields) of partial records, in the order of the contributors.
    Contributions = Sequence[tuple[str, Mapping[str, Any]]]


def fold(
    spec: StreamSpec, main: Mapping[str, Any], contributions: Contributions, now: str, resource: str = ""
) -> dict[str, Any]:
    """Return the fields of a record.

    Args:
        spec: says how each field is folded.
        main: fields of the main record; empty when only a contribution changed.
        contributions: (contributor, fields), in the order of the contributors; what the main record itself said last of folded
            fields stands under ``OWN``.
        now: the present moment, as ``2026-11-22T10:00:00Z``; decides which appointment is the next.
        resource: what the record is in the source, such as ``patients``: some fields are of one resource only.
    """
    given: defaultdict[str, list[Any]] = defaultdict(list)
    for part, fields in contributions:
        for name, value in fields.items() if part != OWN else ():
            given[name].append(value)
    known = next((fields for part, fields in contributions if part == OWN), None)
    result = {name: value for name, value in main.items() if not spec.field(name).fold}
    for name in given.keys() & spec.fields.keys():
        if not spec.fields[name].fold:
            result[name] = given[name][-1]
    for declared in spec.folded:
        own = main.get(declared.name, (known or {}).get(declared.name))
        values = [*([] if own is None else [own]), *given[declared.input]]
        wanted_empty = resource in declared.always_of if declared.always_of else known is not None
        # who says nothing of businesses belongs everywhere; who has none, which is said, does not
        if values or (wanted_empty and not kind_of(declared).routes):
            result[declared.name] = FOLDS[declared.fold or "only"].combine(values, now)
    if (
        known is None and not main
    ):  # a ledger of an earlier version does not know which tags the main record wants
        return {name: value for name, value in result.items() if not kind_of(spec.field(name)).shared}
    return result


@dataclass(frozen=True)
class Desired:
    """A record with what others contribute to it, as its ledger has received them."""

    row: Row
    spec: StreamSpec
    contributions: Contributions
    #: The moment of which this is said.
    now: str
    #: The folded fields, as the mapping names and spells them.
    fields: Mapping[str, Any]

    @classmethod
    def of(cls, row: Row, spec: StreamSpec, contributions: Contributions, now: str) -> Desired:
        """Fold a record with its contributions at this moment, given as ``2026-11-22T10:00:00Z``."""
        resource = row.source_id.partition("/")[0]
        fields = {**fold(spec, row.fields, contributions, now, resource), **_addresses(row)}
        for name in (name for name in fields if row.gives_up and kind_of(spec.field(name)).shared):
            fields[name] = sorted({*(fields[name] or ()), *tags(row.gives_up)})
        return cls(row, spec, contributions, now, fields)

    def values(self, kind: ObjectKind) -> dict[str, Any]:
        """Return what HighLevel should hold, as its kind would read it, of those fields that this reception is about.

        Raises:
            Rejected: it cannot be written as it is.
        """
        return self.concerned(kind.fit(self.row, self.spec, kind.prepare(self.row, self.spec, self.fields)))

    def concerned(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return those of a record's values that this reception is about."""
        alone = self.row.payload is None  # only what others contribute has changed
        if self.row.is_whole:
            return dict(values)
        # what is left out, but there already, learns why
        folded = {declared.name for declared in self.spec.folded if alone or declared.name in self.fields}
        names = folded | self.row.fields.keys() | _addresses(self.row).keys()
        return {name: value for name, value in values.items() if name in names}

    # The clock

    def next_change(self) -> str | None:
        """Return the moment from which on the record should be another, though nobody says anything new of it."""
        coming = (moment for moment in self._moments() if moment > self.now)
        return next((moment for moment in coming if self._at(moment).fields != self.fields), None)

    def earlier(self, since: str) -> Iterator[Desired]:
        """Yield what HighLevel should have held at each time from a moment to now, going by what contributors say now."""
        yield from (self._at(moment) for moment in [since, *self._moments()] if since <= moment <= self.now)

    def is_clocked(self, name: str) -> bool:
        """Return whether another value of a field may be due when time has passed."""
        return is_clocked(self.spec.field(name))

    def _at(self, moment: str) -> Desired:
        return Desired.of(self.row, self.spec, self.contributions, moment)

    def _moments(self) -> list[str]:
        """Return when what contributors speak of begins, in order."""
        names = {declared.input for declared in self.spec.folded if is_clocked(declared)}
        dated = (fields[name] for _, fields in self.contributions for name in names & fields.keys())
        return sorted({str(value["at"]) for value in dated if value.get("at")})


def _addresses(row: Row) -> dict[str, str | None]:
    """Return the addresses of a contact of which is said who keeps them: none where that is somebody else."""
    taken: dict[str, str | None] = dict.fromkeys(row.gives_up)
    if row.payload is None:
        kept = {name: claim.value for name, claim in row.claims.items() if claim.value and claim.key}
        return {**kept, **taken}
    return taken


def is_clocked(declared: FieldSpec) -> bool:
    """Return whether a folded field changes by time alone."""
    return bool(declared.fold) and FOLDS[str(declared.fold)].clocked
