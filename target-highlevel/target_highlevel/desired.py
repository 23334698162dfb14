"""What HighLevel should hold of a record, computed in one way for load, verification and rollback."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from target_highlevel.fields import kind_of
from target_highlevel.ledger.partials import OWN
from target_highlevel.values import decimal_text
from target_highlevel.withheld import tags

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

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
        fields = {**fold(spec, row.fields, contributions, now, resource), **_addresses(row), **_author(row)}
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
        names |= {"user"} if _author(self.row) else set()
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


def _author(row: Row) -> dict[str, str]:
    """Return the author of a note whose content is not kept: the only thing of it that may be another now is their user."""
    return {"owner": row.notes.author} if row.payload is None and row.notes.author else {}


def is_clocked(declared: FieldSpec) -> bool:
    """Return whether a folded field changes by time alone."""
    return bool(declared.fold) and FOLDS[str(declared.fold)].clocked


#: The values given, and the present moment as ``2026-11-22T10:00:00Z`` → the value of the field.
Combine = Callable[[Sequence[Any], str], Any]


@dataclass(frozen=True)
class Fold:
    """A way to fold; one that is clocked takes dated values, ``{"at": moment, …}``, and looks whether each is past."""

    combine: Combine
    clocked: bool = False


def _union(values: Sequence[Any], _now: str) -> list[str]:
    return sorted({str(item) for value in values for item in (value if isinstance(value, list) else [value])})


def _lines(values: Sequence[Any], _now: str) -> str:
    """Return all texts, each on its own lines, in the order their contributors ask for."""
    ordered = sorted(
        (value if isinstance(value, dict) else {"order": "", "text": value} for value in values),
        key=lambda item: (str(item.get("order") or ""), str(item.get("text") or "")),
    )
    return "\n".join(str(item["text"]) for item in ordered if item.get("text"))


def _only(values: Sequence[Any], _now: str) -> Any:
    return values[-1] if values else None


def _sum(values: Sequence[Any], _now: str) -> str:
    return decimal_text(sum((Decimal(str(value)) for value in values), Decimal(0)))


def _owner(values: Sequence[Any], now: str) -> list[str]:
    """Return practitioners, the most wanted first: of the next appointment, those after it, the latest, those before."""
    dated = sorted({(str(item.get("at") or ""), str(item["ref"])) for item in values if item.get("ref")})
    coming = [ref for at, ref in dated if at > now]
    past = [ref for at, ref in dated if at <= now]
    return list(dict.fromkeys([*coming, *reversed(past)]))


# Visits are ``{"at": moment, "day": local date, "state": …}``. `booked`: to come until it begins, and then it took place.
# `arrived`: took place, whatever the clock says. `did_not_arrive`: missed. `not_arrived`: missed once it has begun, for of a
# visit to come it only says that nobody is there yet.


def _took_place(values: Sequence[Any], now: str) -> list[str]:
    """Return the days of the visits that took place, in order."""
    return sorted(
        str(visit["day"])
        for visit in values
        if visit["state"] == "arrived" or (visit["state"] == "booked" and visit["at"] <= now)
    )


def _first_visit(values: Sequence[Any], now: str) -> str | None:
    return next(iter(_took_place(values, now)), None)


def _last_visit(values: Sequence[Any], now: str) -> str | None:
    return next(reversed(_took_place(values, now)), None)


def _visits(values: Sequence[Any], now: str) -> str:
    return str(len(_took_place(values, now)))


def _no_shows(values: Sequence[Any], now: str) -> str:
    missed = (
        visit["state"] == "did_not_arrive" or (visit["state"] == "not_arrived" and visit["at"] <= now)
        for visit in values
    )
    return str(sum(missed))


def _next(values: Sequence[Any], now: str) -> str | None:
    """Return the day of the next thing to come: a visit that is booked, or a recall."""
    coming = sorted(
        (str(item["at"]), str(item["day"]))
        for item in values
        if item.get("state", "booked") in {"booked", "not_arrived"} and item["at"] > now
    )
    return coming[0][1] if coming else None


def _stage(values: Sequence[Any], now: str) -> str | None:
    """Return the type of the next visit, else of the latest that took place, else of the latest that was missed."""
    typed = sorted(
        (str(visit["at"]), visit["state"], str(visit["type"])) for visit in values if visit.get("type")
    )
    coming = [kind for at, state, kind in typed if at > now and state in {"booked", "not_arrived"}]
    came = [kind for at, state, kind in typed if state == "arrived" or (state == "booked" and at <= now)]
    return next(iter([*coming, *reversed(came), *(kind for _, _, kind in reversed(typed))]), None)


FOLDS: dict[str, Fold] = {
    "union": Fold(_union),
    "lines": Fold(_lines),
    "only": Fold(_only),
    "sum": Fold(_sum),
    "owner": Fold(_owner, clocked=True),
    "first_visit": Fold(_first_visit, clocked=True),
    "last_visit": Fold(_last_visit, clocked=True),
    "visits": Fold(_visits, clocked=True),
    "no_shows": Fold(_no_shows, clocked=True),
    "next": Fold(_next, clocked=True),
    "stage": Fold(_stage, clocked=True),
}
