"""What patients' answers say for a decision or against it: counts of their forms, never an answer."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from cliniko_to_highlevel import answer_forms as form
from cliniko_to_highlevel.labels import is_of_others
from cliniko_to_highlevel.mapping_checks import FIELD_TARGETS, PROFILE_FIELD
from cliniko_to_highlevel.recognition import (
    ALSO,
    OF_OTHERS,
    Decision,
    in_section_of,
    may_ask_for,
    names_a_place,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cliniko_to_highlevel.recognition import Definition

#: The forms that answers have in a field for this place. No answer has two of one line.
_AGREE = {
    "insurer": (form.INSURER, form.WORDS),
    "member_number": (form.NUMBER,),
    "policy_number": (form.NUMBER,),
    "claim_number": (form.NUMBER,),
    "ndis_number": (form.NDIS,),
    "ndis_plan_start": (form.DATE,),
    "ndis_plan_end": (form.DATE,),
    "ndis_plan_manager": (form.WORDS,),
    "employer": (
        form.WORDS,
        form.INSURER,
        form.COVER,
    ),  # an insurer is somebody's employer too; *self* is a kind of cover
    "school": (form.WORDS,),
}
#: Forms that no fixed place has: a field whose answers have one is one of the clinic's own.
_OWN = (
    form.MEDICARE, form.NHS, form.DVA, form.YES_NO, form.MANAGED, form.COVER, form.EMAIL, form.PHONE, form.AMOUNT, form.SHORT,
    form.DATE, form.PROSE, form.PERSON,
)  # fmt: skip
#: Those of them that show for which of two things a label asks: *Day care / sitter phone*.
_NO_NAMES = (form.YES_NO, form.EMAIL, form.PHONE, form.AMOUNT, form.SHORT)
#: Forms that are told by more than their look: a field whose answers have one holds that, under whatever label.
_CHECKED = (form.MEDICARE, form.NHS, form.DVA)
#: What a label may ask for, and the form of an answer to it.
_ASKED = (("name", form.WORDS), ("number", form.NUMBER), ("day", form.DATE))
_NUMBERS = frozenset({"member_number", "policy_number", "claim_number"})
#: Of so many answers one may be odd.
_ONE_ODD_OF = 10
#: So many answers are needed before their form alone says what a field is.
_FEWEST = 3


class Answers:
    """How many answers to a field have which form."""

    def __init__(self) -> None:
        """Start without an answer."""
        self.total = 0
        self._counts: Counter[str] = Counter()

    def see(self, forms: Iterable[str]) -> None:
        """Count one answer by its forms; one without any says nothing."""
        told = frozenset(forms)
        self.total += bool(told)
        self._counts.update(told)

    def are(self, *names: str) -> int:
        """Return how many have one of these forms, of which no answer has two."""
        return sum(self._counts[name] for name in names)

    def mostly(self, *names: str) -> bool:
        """Return whether nearly all have one of these forms."""
        return self.total > 0 and (self.total - self.are(*names)) * _ONE_ODD_OF <= self.total

    def told(self, *names: str) -> str:
        """Return the evidence in words."""
        return f"answers ({self.are(*names)} of {self.total} {' or '.join(names)})"

    @property
    def most(self) -> str:
        """Return the form that most have."""
        return self._counts.most_common(1)[0][0]


def beside(decision: Decision, field: Definition, answers: Answers) -> Decision:
    """Return the decision with what was answered: it may confirm it, make it doubtful, or name another place."""
    if decision.named or not answers.total:
        return decision
    if OF_OTHERS in decision.evidence:
        return _of_others(decision, answers)
    place, why = _pointed(answers)
    if place in FIELD_TARGETS and is_of_others(field.section, field.label, place):
        place = ""
    if (
        place
        and place != decision.target
        and not (place == PROFILE_FIELD and decision.target not in _NUMBERS)
    ):
        return _another(decision, field.section, place, why)
    if decision.target in FIELD_TARGETS:
        return _of_place(decision, answers)
    return _of_own(decision, field, answers)


def _pointed(answers: Answers) -> tuple[str, str]:
    """Return the place that the answers name whatever the label says, and why; empty when they name none."""
    if answers.total < _FEWEST:
        return "", ""
    if answers.mostly(form.NDIS):
        return "ndis_number", answers.told(form.NDIS)
    if answers.are(form.INSURER) * 2 > answers.total:
        return "insurer", answers.told(form.INSURER)
    checked = next((name for name in _CHECKED if answers.mostly(name)), None)
    return (PROFILE_FIELD, answers.told(checked)) if checked else ("", "")


def _another(decision: Decision, section: str, place: str, why: str) -> Decision:
    evidence = ("section", why) if in_section_of(place, section) and place in FIELD_TARGETS else (why,)
    against = tuple(item for item in decision.evidence if item != "section") or decision.against
    return Decision(place, evidence, against)


def _of_place(decision: Decision, answers: Answers) -> Decision:
    agree = _AGREE[decision.target]
    fitting = answers.are(*agree)
    odd = answers.total - fitting
    if answers.mostly(*agree):
        names = [name for name in agree if answers.are(name)]
        return decision._replace(evidence=(*decision.evidence, answers.told(*names)))
    mistyped = decision.target == "ndis_number" and answers.mostly(form.NUMBER)
    if odd > fitting and answers.total >= _FEWEST and not mistyped:
        most = answers.told(answers.most)
        return Decision(
            PROFILE_FIELD, (most,), tuple(item for item in decision.evidence if item != "section")
        )
    if odd * 3 > fitting:
        against = f"answers ({odd} of {answers.total} are no {' or '.join(agree)})"
        return decision._replace(against=(*decision.against, against))
    return decision


def _of_others(decision: Decision, answers: Answers) -> Decision:
    """Return the decision on a field of somebody else's, or of the past: what it looks like says nothing of whose it is."""
    forms = next((forms for forms in _AGREE.values() if answers.mostly(*forms)), ())
    told = [answers.told(*(name for name in forms if answers.are(name)))] if forms else []
    return decision._replace(evidence=(*decision.evidence, *told))


def _of_own(decision: Decision, field: Definition, answers: Answers) -> Decision:
    evidence = decision.evidence
    if not set(evidence) - {"section"} and not names_a_place(field) and answers.total >= _FEWEST:
        evidence = ("label (no word of a fixed place)", *evidence)
    for name in _OWN:
        if answers.mostly(name) and not (name == form.DATE and may_ask_for("day", field)):
            against = tuple(
                item for item in decision.against if not (name in _NO_NAMES and item.startswith(ALSO))
            )
            return decision._replace(evidence=(*evidence, answers.told(name)), against=against)
    if evidence and any(answers.are(name) and may_ask_for(what, field) for what, name in _ASKED):
        return decision._replace(against=(*decision.against, "label (may be of a fixed place)"))
    if set(evidence) - {"section"} and not answers.are(form.INSURER, form.NDIS):
        return decision._replace(evidence=(*evidence, answers.told(form.INSURER, form.NDIS)))
    return decision
