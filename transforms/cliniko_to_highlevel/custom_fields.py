"""The clinic's own patient fields: where each goes, by names and patterns, and what a patient's say."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from cliniko_to_highlevel import clinic_fields
from cliniko_to_highlevel.answer_checks import fits
from cliniko_to_highlevel.answer_forms import forms
from cliniko_to_highlevel.clinic_fields import answer_of, full_label, masked_answer, names_of, options_of
from cliniko_to_highlevel.errors import MappingError
from cliniko_to_highlevel.formats import folded, name_text, told_date
from cliniko_to_highlevel.labels import names_insurer_first
from cliniko_to_highlevel.mapping_checks import (
    CONTACT_FIELD,
    DATE_TARGETS,
    IGNORE,
    KEEP,
    PROFILE_FIELD,
)
from cliniko_to_highlevel.recognition import Decision, Definition, recognise
from cliniko_to_highlevel.row import Row

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from cliniko_to_highlevel.clinic_fields import ClinicField
    from cliniko_to_highlevel.mapping import ClinicMapping
    from cliniko_to_highlevel.streams import Property

#: Where a date may begin with the month; in Canada people write it both ways.
_MONTH_FIRST = {"US": True, "CA": None}
#: Where a field of its own can stand.
OWN_PLACES = (CONTACT_FIELD, PROFILE_FIELD)


class FieldChoice(NamedTuple):
    """Where one custom field of the account goes, and how that was decided."""

    section: str
    label: str
    token: str
    decision: Decision
    #: As Cliniko calls it: text, paragraph, date, checkboxes, radiobuttons.
    kind: str
    #: As its section and label are understood, with their abbreviations written out.
    definition: Definition

    @property
    def target(self) -> str:
        """Return where the field goes."""
        return self.decision.target

    @property
    def decided_by(self) -> str:
        """Return what decided it."""
        return self.decision.decided_by

    @property
    def confidence(self) -> str:
        """Return how sure that is."""
        return self.decision.confidence

    @property
    def full_label(self) -> str:
        """Return the label as the mapping names it, with its section."""
        return full_label(self.section, self.label)


class Answers(NamedTuple):
    """What a patient's custom fields say: by target, as fields of contact and profile, and the rest as labelled lines."""

    targets: dict[str, list[str]]
    contact: dict[str, str | list[str] | None]
    profile: dict[str, str | list[str] | None]
    kept: list[str]


class _Defined(NamedTuple):
    """A field as the account's settings have it: what a patient's record says of it may be out of date, or missing."""

    section: str
    facts: dict[str, str | None]
    #: Name of each option, by its token.
    options: dict[str, str | None]

    def of(self, field: Row) -> Row:
        """Return a patient's field with its answer, called as the settings call it."""
        options = [
            {**option.values, "name": self.options.get(option.text("token") or "") or option.text("name")}
            for option in field.parts("options")
        ]
        return Row(field.resource, {**field.values, **self.facts, "options": options})


class FieldPlan:
    """Decides for each custom field of the account where it goes."""

    def __init__(
        self, mapping: ClinicMapping, taken: Mapping[str, Collection[str]], country: str | None = None
    ) -> None:
        """Start without a definition; ``define`` brings the account's.

        Args:
            mapping: the clinic's decisions.
            taken: names of the contact's own fields, and labels of the profile's, which a field of the clinic must not have.
            country: the account's, which decides how ``3/4/2031`` is read.
        """
        self.insurer_options: dict[str, None] = {}
        self.choices: tuple[FieldChoice, ...] = ()
        self._mapping = mapping
        self._month_first = _MONTH_FIRST.get(mapping.default_country or country or "", False)
        self._taken = {place: set(names) for place, names in taken.items()}
        self._named = {folded(name): target for name, target in mapping.named_fields.items()}
        self._spelled = {folded(name): name for name in mapping.named_fields}
        self._decided: dict[tuple[str, str, str], Decision] = {}
        #: The account's sections and fields by token, and those by name, of which a patient's field has no token.
        self._sections: dict[str | None, str | None] = {}
        self._defined: dict[str | None, _Defined] = {}
        self._by_label: dict[tuple[str, str], _Defined] = {}
        self._own: dict[str, dict[tuple[str, str, str], ClinicField]] = {place: {} for place in OWN_PLACES}

    def define(self, definition: Row) -> None:
        """Take the account's definition of its custom fields.

        Raises:
            MappingError: the mapping names a field that the account does not have.
        """
        choices = []
        on_contact = []
        self._know(definition)
        for section, field in _fields(definition):
            key = _key(section, field)
            decision = self.decide(section, field)
            kind = field.text("type") or ""
            understood = Definition(section, key[1], kind).spelled_out(self._mapping)
            choices.append(FieldChoice(*key, decision, kind, understood))
            if decision.target == "insurer":
                names = (name for name in options_of(field) if self._takes(decision, name))
                self.insurer_options.update(dict.fromkeys(names))
            elif decision.target == CONTACT_FIELD:
                on_contact.append((section, field))
            elif decision.target == PROFILE_FIELD:
                own = clinic_fields.on_profile(field, section, self._taken[PROFILE_FIELD])
                self._taken[PROFILE_FIELD].add(folded(own.label))
                self._own[PROFILE_FIELD][key] = own
        found = clinic_fields.on_contact(on_contact, self._taken[CONTACT_FIELD])
        keys = (_key(section, field) for section, field in on_contact)
        self._own[CONTACT_FIELD] = dict(zip(keys, found, strict=True))
        self.choices = tuple(choices)
        self._require_named()

    def _know(self, definition: Row) -> None:
        for section in definition.parts("sections"):
            self._sections[section.text("token")] = section.text("name")
        for section_name, field in _fields(definition):
            facts = {name: field.text(name) for name in ("name", "type", "token")}
            options = {option.text("token") or "": option.text("name") for option in field.parts("options")}
            known = _Defined(section_name, facts, options)
            self._defined.setdefault(facts["token"], known)
            self._by_label.setdefault((folded(section_name), folded(facts["name"] or "")), known)

    def _answered(self, patient: Row) -> Iterator[tuple[str, Row]]:
        """Yield section and field of each of a patient's fields, as the settings have the field with its token."""
        for section in patient.part("custom_fields").parts("sections"):
            token, name = section.text("token"), section.text("name")
            name = (self._sections.get(token) if token else None) or name or ""
            for field in section.parts("fields"):
                known = self._known(name, field)
                yield (known.section, known.of(field)) if known else (name, field)

    def _known(self, section: str, field: Row) -> _Defined | None:
        token = field.text("token")
        if token:
            return self._defined.get(token)
        return self._by_label.get((folded(section), folded(field.text("name") or "")))

    def properties(self, place: str) -> dict[str, Property]:
        """Return the clinic's own fields of contact or profile as properties, by name."""
        return {own.name: own.property() for own in self._own[place].values()}

    def decide(self, section: str, field: Row) -> Decision:
        """Return where a field goes, what decided it and how sure that is."""
        key = _key(section, field)
        if key not in self._decided:
            kind, options = (field.text("type") or "").casefold(), tuple(options_of(field))
            told = Definition(section, key[1], kind, options)
            self._decided[key] = self._by_name(*key) or recognise(told, self._mapping)
        return self._decided[key]

    def read(self, patient: Row) -> Answers:
        """Return what a patient's custom fields say.

        Where only a pattern decided, an answer that cannot be what the field is for is kept with its label, as is what the type
        of a field cannot hold, and every answer to a field that the account's definition does not have.
        """
        answers = Answers({}, {}, {}, [])
        for section, field in self._answered(patient):
            decision = self.decide(section, field)
            if decision.target == IGNORE:
                continue
            kept = self._read_field(decision, section, field, answers)
            if kept:
                label = full_label(section, field.text("name") or field.text("token") or "")
                answers.kept.append(f"{label}: {', '.join(kept)}")
        return answers

    def _read_field(self, decision: Decision, section: str, field: Row, answers: Answers) -> list[str]:
        """Put what a field says in its place; return what has none."""
        own = self._own.get(decision.target, {}).get(_key(section, field))
        if own:
            place = answers.contact if decision.target == CONTACT_FIELD else answers.profile
            place[own.name], kept = own.read(field)
            return kept
        answer = answer_of(field)
        kept = list(answer.unnamed)
        for value in answer.values:
            if decision.target in DATE_TARGETS:
                day = told_date(value, month_first=self._month_first)
                held = answers.targets.setdefault(decision.target, [])
                if day and held in ([], [day]):
                    held[:] = [day]
                else:  # no date, or another one than an earlier field said: a field of HighLevel has room for one
                    kept.append(value)
            elif self._takes(decision, value):
                answers.targets.setdefault(decision.target, []).append(name_text(value) or value)
            else:
                kept.append(value)
        return kept

    def _takes(self, decision: Decision, answer: str) -> bool:
        """Return whether an answer goes to the target: where the clinic named the field, any does."""
        if decision.target in {KEEP, *OWN_PLACES}:
            return False
        if decision.target == "insurer" and names_insurer_first(answer, self._mapping.insurer_names):
            return True  # with a member's number, say, of which it has fewer letters than digits
        return decision.named or fits(decision.target, answer)

    def filled(self, patient: Row) -> Iterator[tuple[tuple[str, str, str], list[frozenset[str]]]]:
        """Yield (section, label, token) of every field in which a patient has something, and the forms of each answer."""
        for section, field in self._answered(patient):
            answer = answer_of(field)
            if answer.values or answer.unnamed:
                yield _key(section, field), [forms(value, self._mapping) for value in answer.values]

    def masked_answers(self, patient: Row) -> Iterator[tuple[tuple[str, str, str], str]]:
        """Yield (section, label, token) of every field in which a patient has something, and what that looks like."""
        for section, field in self._answered(patient):
            answer = masked_answer(field)
            if answer:
                yield _key(section, field), answer

    def proposed_names(self) -> Iterator[tuple[str, FieldChoice]]:
        """Yield each field of the account with a name that fits no other one."""
        shared = Counter(folded(choice.full_label) for choice in self.choices)
        for choice in self.choices:
            alone = shared[folded(choice.full_label)] == 1 or not choice.token
            yield choice.full_label if alone else choice.token, choice

    def _by_name(self, section: str, label: str, token: str) -> Decision | None:
        targets = (self._named.get(name) for name in names_of(section, label, token))
        target = next(filter(None, targets), None)
        return Decision(target, named=True) if target else None

    def _require_named(self) -> None:
        known = {name for item in self.choices for name in names_of(item.section, item.label, item.token)}
        missing = [self._spelled[name] for name in self._named if name not in known]
        if missing:
            listed = ", ".join(item.full_label for item in self.choices) or "none"
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


def _key(section: str, field: Row) -> tuple[str, str, str]:
    return section, field.text("name") or "", field.text("token") or ""
