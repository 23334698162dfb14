"""Who of several people keeps the e-mail or phone they share: one rule, for load, plan, verification and rollback."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date

#: Years of age from which somebody answers for themselves.
OF_AGE = 18
#: Why somebody keeps an address before somebody else, in the order in which it is asked.
REASONS = ("chosen", "in_use", "guardian", "adult", "active", "reachable", "elder", "older_record")
_UNKNOWN = "~"  # sorts behind every date


@dataclass(frozen=True)
class Sharer:
    """What decides of one of those who share an address."""

    ref: str
    #: Date of birth, ``2017-03-04``; of someone without one nobody knows that they are a child.
    born: str | None = None
    archived: bool = False
    #: Whether the channel is closed that the address is for.
    unreachable: bool = False
    #: Whether the record stands for nobody any more: merged into another one, or deleted.
    gone: bool = False
    #: Whether a person has decided that this one keeps it.
    chosen: bool = False
    #: Refs of their parents or guardians.
    guardians: frozenset[str] = frozenset()


def keeper(sharers: Sequence[Sharer], today: date) -> tuple[str, dict[str, str]]:
    """Return the ref of who keeps an address, and for each of the others why it is not theirs.

    Whom a person has chosen comes first; then a parent or guardian before their child, an adult before a minor, who is active
    before who is archived, who may be written to before who may not. Between equals the elder decides, and then the record
    that was made first, so that the answer does not depend on the order in which the records came.
    """
    answering = {sharer.ref for sharer in sharers if not sharer.gone}
    of_age = f"{today.year - OF_AGE:04}-{today:%m-%d}"
    places = {sharer.ref: _place(sharer, answering, of_age) for sharer in sharers}
    first = min(places, key=places.__getitem__)
    others = {ref: _reason(places[first], place) for ref, place in places.items() if ref != first}
    return first, others


def _place(sharer: Sharer, answering: set[str], of_age: str) -> tuple[bool | str | tuple[str, int, str], ...]:
    """Return where somebody stands, one entry for each reason: the lowest keeps the address."""
    return (
        not sharer.chosen,
        sharer.gone,
        bool(sharer.guardians & answering - {sharer.ref}),
        (sharer.born or "") > of_age,
        sharer.archived,
        sharer.unreachable,
        sharer.born or _UNKNOWN,
        _age_of_record(sharer.ref),
    )


def _age_of_record(ref: str) -> tuple[str, int, str]:
    """Return what sorts records of one kind as they were made: Cliniko counts its ids up."""
    resource, _, number = ref.rpartition("/")
    return resource, int(number) if number.isdecimal() else 0, number


def _reason(first: Sequence[object], other: Sequence[object]) -> str:
    return next(reason for reason, one, two in zip(REASONS, first, other, strict=True) if one != two)


@dataclass(frozen=True)
class Decision:
    """One shared address: who keeps it and why each of the others does not. Ids and reasons only."""

    field: str
    keeper: str
    others: Mapping[str, str]
