"""Fields of one account that fill the same place: a person has to say whether both shall."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from cliniko_to_highlevel.formats import slug
from cliniko_to_highlevel.labels import OF_INSURANCE, cover
from cliniko_to_highlevel.mapping_checks import FIELD_TARGETS
from cliniko_to_highlevel.recognition import CERTAIN

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cliniko_to_highlevel.recognition import Decision, Definition


class Judged(NamedTuple):
    """A field with the decision on it, its name in the mapping, and how many patients have something in it."""

    #: Section and label, as the clinic has them.
    name: str
    field: Definition
    decision: Decision
    filled: int

    @property
    def sure(self) -> bool:
        """Return whether the decision needs no look: the clinic named it, or evidence agrees."""
        return self.decision.confidence in {CERTAIN, "high"}

    @property
    def plainness(self) -> tuple[bool, int, int, int]:
        """Return how plainly this field is the one for its place: named, by much evidence, in few words, often filled."""
        words = len(slug(self.field.label).split("-"))
        return self.decision.named, len(self.decision.evidence), -words, self.filled


def settled(judged: Sequence[Judged]) -> list[Decision]:
    """Return the decisions: of several sure fields for one thing only the plainest stays sure.

    No answer is lost either way: a place holds what each field says, and a second date is kept with its label. But two employers
    of one patient may differ, and then nothing says which is which.
    An insurance of health, one of work and one for an accident are not the same thing: who has been hurt has several.
    """
    plainest: list[Judged] = []
    decisions = [item.decision for item in judged]
    for number in sorted(range(len(judged)), key=lambda number: judged[number].plainness, reverse=True):
        item = judged[number]
        if item.sure:
            plainer = next((other for other in plainest if _same(item, other)), None)
            decisions[number] = _beside(item, plainer)
            plainest.append(item)
    return decisions


def _same(one: Judged, other: Judged) -> bool:
    target = one.decision.target
    if target not in FIELD_TARGETS or target != other.decision.target:
        return False
    return target not in OF_INSURANCE or not cover(*one.field[:2]).isdisjoint(cover(*other.field[:2]))


def _beside(item: Judged, plainer: Judged | None) -> Decision:
    """Return the decision with the plainer field against it; one that the clinic made stands."""
    if item.decision.named or not plainer:
        return item.decision
    name = "".join(sign if sign.isprintable() else " " for sign in plainer.name)
    against = f'the plainer field "{name}", which goes there too'
    return item.decision._replace(against=(*item.decision.against, against))
