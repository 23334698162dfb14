"""The clinic's own patient fields: where each goes, by names and patterns, and what a patient's say."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from cliniko_to_highlevel.errors import MappingError
from cliniko_to_highlevel.fitting import fits
from cliniko_to_highlevel.formats import folded
from cliniko_to_highlevel.mapping import IGNORE, KEEP
from cliniko_to_highlevel.markup import readable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cliniko_to_highlevel.mapping import ClinicMapping
    from cliniko_to_highlevel.row import Row


#: How sure a decision is that the clinic itself made.
CERTAIN = "certain"


class FieldChoice(NamedTuple):
    """Where one custom field of the account goes, and how that was decided."""

    section: str
    label: str
    token: str
    target: str
    decided_by: str
    confidence: str

    @property
    def full_label(self) -> str:
        """Return the label as the mapping names it, with its section."""
        return _full_label(self.section, self.label)


class Decision(NamedTuple):
    """Where a field goes, what decided it, and how sure that is: certain, high, medium or none."""

    target: str
    decided_by: str
    confidence: str

    def takes(self, answer: str) -> bool:
        """Return whether an answer goes to the target: where the clinic named the field, any does."""
        if self.target == KEEP:
            return False
        return self.confidence == CERTAIN or fits(self.target, answer)


class Answers(NamedTuple):
    """What a patient's custom fields say: by target, and the rest as labelled lines."""

    targets: dict[str, list[str]]
    kept: list[str]


class FieldPlan:
    """Decides for each custom field of the account where it goes."""

    def __init__(self, mapping: ClinicMapping) -> None:
        """Start without a definition; ``define`` brings the account's."""
        self.insurer_options: dict[str, None] = {}
        self.choices: tuple[FieldChoice, ...] = ()
        self._rules = mapping.field_rules
        self._named = {folded(name): target for name, target in mapping.named_fields.items()}
        self._spelled = {folded(name): name for name in mapping.named_fields}
        self._decided: dict[tuple[str, str, str], Decision] = {}

    def define(self, definition: Row) -> None:
        """Take the account's definition of its custom fields.

        Raises:
            MappingError: the mapping names a field that the account does not have.
        """
        choices = []
        for section, field in _fields(definition):
            label, token = field.text("name") or "", field.text("token") or ""
            decision = self.decide(section, label, token)
            choices.append(FieldChoice(section, label, token, *decision))
            if decision.target == "insurer":
                names = (option.text("name") for option in field.parts("options"))
                self.insurer_options.update(
                    dict.fromkeys(name for name in names if name and decision.takes(name))
                )
        self.choices = tuple(choices)
        self._require_named()

    def decide(self, section: str, label: str, token: str) -> Decision:
        """Return where a field goes, what decided it and how sure that is."""
        key = (section, label, token)
        if key not in self._decided:
            self._decided[key] = self._by_name(section, label, token) or self._by_rule(section, label)
        return self._decided[key]

    def read(self, patient: Row) -> Answers:
        """Return what a patient's custom fields say.

        Where only a pattern decided, an answer that cannot be what the field is for is kept with its label.
        """
        answers = Answers({}, [])
        for section, field in _fields(patient.part("custom_fields")):
            label = field.text("name") or ""
            decision = self.decide(section, label, field.text("token") or "")
            if decision.target == IGNORE:
                continue
            kept = []
            for value in _values(field):
                if decision.takes(value):
                    answers.targets.setdefault(decision.target, []).append(value)
                else:
                    kept.append(value)
            if kept:
                answers.kept.append(f"{_full_label(section, label)}: {', '.join(kept)}")
        return answers

    def filled(self, patient: Row) -> Iterator[tuple[str, str, str]]:
        """Yield (section, label, token) of every field in which a patient has something."""
        for section, field in _fields(patient.part("custom_fields")):
            if _values(field):
                yield section, field.text("name") or "", field.text("token") or ""

    def proposed_names(self) -> Iterator[tuple[str, FieldChoice]]:
        """Yield each field of the account with a name that fits no other one."""
        shared = Counter(folded(choice.full_label) for choice in self.choices)
        for choice in self.choices:
            alone = shared[folded(choice.full_label)] == 1 or not choice.token
            yield choice.full_label if alone else choice.token, choice

    def _by_name(self, section: str, label: str, token: str) -> Decision | None:
        for name in (token, f"{section} / {label}", label):
            target = self._named.get(folded(name)) if name else None
            if target:
                return Decision(target, "named in the mapping", CERTAIN)
        return None

    def _by_rule(self, section: str, label: str) -> Decision:
        """Decide by the first pattern that fits; where patterns of other targets fit too, it is less sure."""
        targets = [rule.target for rule in self._rules if rule.fits(section, label)]
        if not targets:
            return Decision(KEEP, "not recognised", "none")
        confidence = "high" if len(set(targets)) == 1 else "medium"
        return Decision(targets[0], "recognised by its label", confidence)

    def _require_named(self) -> None:
        known = {
            folded(name)
            for item in self.choices
            for name in (item.token, f"{item.section} / {item.label}", item.label)
        }
        missing = [self._spelled[name] for name in self._named if name not in known]
        if missing:
            listed = ", ".join(f"{_full_label(item.section, item.label)}" for item in self.choices) or "none"
            msg = (
                f"custom_fields.named names {', '.join(sorted(missing))}, which the Cliniko account does not "
                f"have; correct the label or delete the line. The account's custom fields: {listed}"
            )
            raise MappingError(msg)


def _fields(tree: Row) -> Iterator[tuple[str, Row]]:
    for section in tree.parts("sections"):
        name = section.text("name") or ""
        for field in section.parts("fields"):
            yield name, field


def _values(field: Row) -> list[str]:
    """Return a field's value, or its chosen options with what was typed under *other*."""
    chosen = [option.text("name") for option in field.parts("options") if option.flag("selected")]
    other = field.part("other")
    if other.flag("selected"):
        chosen.append(other.text("value") or "Other")
    return [text for text in (readable(field.text("value")), *chosen) if text]


def _full_label(section: str, label: str) -> str:
    return f"{section} / {label}" if section else label
