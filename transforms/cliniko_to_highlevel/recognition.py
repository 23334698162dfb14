"""What one of the clinic's own fields is about, judged by its section, its label, its type and its options together.

What patients answered is evidence too, once it was seen: ``answer_evidence``.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from cliniko_to_highlevel.answer_forms import COVER, INSURER, MANAGED, WORDS, YES_NO, forms
from cliniko_to_highlevel.formats import without_dots
from cliniko_to_highlevel.labels import (
    OF_INSURANCE,
    doubts,
    is_of_others,
    names_insurance,
    parts,
    plain,
    says_more,
    without_asides,
)
from cliniko_to_highlevel.mapping_checks import DATE_TARGETS, FIELD_TARGETS, PROFILE_FIELD

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from cliniko_to_highlevel.mapping import ClinicMapping
    from cliniko_to_highlevel.mapping_checks import FieldRule

#: How sure a decision is that the clinic itself made.
CERTAIN = "certain"
#: So many options have to be known insurers before they alone say what a field is about.
_FEWEST_INSURERS = 2
_NDIS = frozenset({"ndis_number", "ndis_plan_start", "ndis_plan_end", "ndis_plan_manager"})
#: What sections are called that hold such fields.
_SECTIONS = {
    OF_INSURANCE: re.compile(
        r"insur|assur|\b(health|private)\s*(fund|cover|care)|private\s+(health|medical)|\b(fund(s|ing|ers?)?|payers?|payors?|pmi"
        r"|hicaps|benefits|cover(age)?|medical\s+aid|extended\s+health|billing|claims?|compensation|comp|work\s*cover|worksafe|wcb|wsib"
        r"|mva|acc|ctp|tac|third[\s-]party|medico[\s-]?legal|accidents?|injury|injuries)\b",
        re.IGNORECASE,
    ),
    _NDIS: re.compile(r"\bndis\b|\bdisability\b|\bfunding\b", re.IGNORECASE),
    frozenset({"employer"}): re.compile(
        r"\b(work\w*|employ\w*|occupation\w*|job|comp|compensation|wcb|wsib|acc|about|personal|patient|demographics|details"
        r"|info\w*|admin\w*)\b",
        re.IGNORECASE,
    ),
    frozenset({"school"}): re.compile(
        r"\b(school\w*|education\w*|child\w*|kids|famil\w*|students?|p(a)?ediatric\w*|learning)\b",
        re.IGNORECASE,
    ),
}
_NDIS_IN_FULL = re.compile(r"\bnational\s+disability\s+insurance\s+(scheme|agency)\b", re.IGNORECASE)
#: Words of labels of fields that have a fixed place. A label without any is of something else.
_WORDS_OF_PLACES = re.compile(
    r"insur|assur|employ|\b(fund\w*|hf|cover\w*|carrier|payers?|payors?|provider|scheme|company|business|work\w*"
    r"|schools?|kinder\w*|pre-?school|university|uni|college|day[\s-]?care|child[\s-]?care|nursery|montessori|play\s?group|sixth\s+form|members?|membership|policy|policies"
    r"|claims?|ndis|plan\w*|participant|start\w*|end\w*|expir\w*|numbers?|num|no|nr|id|ref\w*|code|cert\w*|acc\w*|manage\w*"
    r"|agency|organi[sz]ation|firm|stud(y|ies)|educat\w*|institution|academy|tafe|campus|oshc|underwriter|name)\b|#",
    re.IGNORECASE,
)
#: Sections about who pays: a member's number there is an insurer's.
_OF_PAYMENT = re.compile(r"\b(pay(s|ing|ments?)?|fees?|accounts?)\b", re.IGNORECASE)
#: Labels that may well ask for a name, a number or a day that has a fixed place, although no pattern of one fits.
_MAY_ASK = {
    "name": re.compile(
        r"^(?!.*\b(contact|person|officer|staff|holidays?|district|scheme|level|card|travel|line|case|claims?|year|grade|nurse"
        r"|teams?|club|co-?ordinator|job|occupation|spouse|partner|husband|wife|parents?|mother|father)\b)"
        r"(?!.*\bschools?\b.*\b(work|employ))(?!.*\b(work|employ).*\bschools?\b).*"
        r"\b(insurers?|insurance\s+(company|provider|carrier|name)|carrier|funds?|employers?|work|workplace|firm|company|business"
        r"|schools?|payers?|manager|agency)\b",
        re.IGNORECASE,
    ),
    "number": re.compile(
        r"(?=.*(\b(no|num|number|id|ref|reference)\b|#)).*\b(member\w*|funds?|insur\w*|policy(\s?holder)?|claims?|plan|certificate|aid|scheme)\b"
        r"|\b(membership|claim|policy)\s*$",
        re.IGNORECASE,
    ),
    "day": re.compile(
        r"(?=.*\bndis\b).*\b(plan|start\w*|begin\w*|end\w*|expir\w*|review\w*|finish\w*|from|to|until)\b",
        re.IGNORECASE,
    ),
}
#: Sections in which nobody is insured for treatment: a club's, a loyalty programme's, those of other kinds of insurance.
_OF_CLUBS = re.compile(
    r"\b(sports?|athletes?|teams?|clubs?|gym|loyalty|rewards?|membership|associations?|library"
    r"|travel|life|income|pet|indemnity)\b",
    re.IGNORECASE,
)
#: The evidence that a field is about somebody or something else than the patient, or about the past.
OF_OTHERS = "label (of others, or of the past)"
#: What speaks against a field of which the label asks for two things.
ALSO = "label (also of"
#: *Are you insured?* asks for yes or no, *which fund?* does not.
_ASKS_YES_NO = re.compile(
    r"^(?!.*\b(which|what|who|whose|where|when|how|why|name|number|no)\b).*\?\s*$"
    r"|^\s*(are|is|was|were|do|does|did|have|has|had|may|can|could|will|would|should)\s+",
    re.IGNORECASE,
)


class Decision(NamedTuple):
    """Where a field goes, and why: the mapping's own word, or kinds of evidence for it and against it."""

    target: str
    evidence: tuple[str, ...] = ()
    against: tuple[str, ...] = ()
    named: bool = False

    @property
    def decided_by(self) -> str:
        """Return in words what decided, and what speaks against it."""
        if self.named:
            return "named in the mapping"
        told = f"recognised by its {_listed(self.evidence)}" if self.evidence else "not recognised"
        return f"{told}; against it: {_listed(self.against)}" if self.against else told

    @property
    def confidence(self) -> str:
        """Return certain, high, medium or none: high needs two kinds of evidence that agree and none that speaks against."""
        if self.named:
            return CERTAIN
        if not self.evidence:
            return "none"
        return "high" if len(self.evidence) > 1 and not self.against else "medium"


def _listed(things: Sequence[str]) -> str:
    *others, last = things
    return f"{', '.join(others)} and {last}" if others else last


class Definition(NamedTuple):
    """A field as the account defines it."""

    section: str
    label: str
    kind: str = "text"
    options: tuple[str, ...] = ()

    def spelled_out(self, mapping: ClinicMapping) -> Definition:
        """Return the field with the abbreviations of its section and label written out, and no signs around the label."""
        section, label = (mapping.spelled_out(_shortly(text)) for text in (self.section, self.label))
        return self._replace(section=section, label=plain(label))


class _Options:
    """What the options of a field are, and what that says about a place."""

    def __init__(self, options: Sequence[str], mapping: ClinicMapping) -> None:
        told = [forms(option, mapping) for option in options]
        self.forms = Counter(form for item in told for form in item)
        self.number = sum(map(bool, told))
        self.insurers = self.forms[INSURER]
        self.others = self.number - self.insurers - self.forms[WORDS]

    def counted(self, *names: str) -> str:
        """Return the evidence in words, with how many of the options are so."""
        count = sum(self.forms[name] for name in names)
        return f"options ({count} of {self.number} {' or '.join(names)})"

    def contradict(self, target: str) -> bool:
        """Return whether they cannot be what a place holds: nobody chooses a number, and kinds of cover are no insurers."""
        if not self.number or target not in FIELD_TARGETS:
            return False
        if target in {"insurer", "employer", "school", "ndis_plan_manager"}:
            return self.others > self.number - self.others
        return True


def recognise(field: Definition, mapping: ClinicMapping) -> Decision:
    """Decide by the first pattern that fits and that neither type nor options contradict.

    Label, section, options and type are kinds of evidence: *high* needs two that agree, and no other that speaks against.
    """
    field = field.spelled_out(mapping)
    told = _Options(field.options, mapping)
    label = without_asides(field.label, mapping.insurer_names)
    fitting = [rule for rule in mapping.field_rules if rule.fits(field.section, label)]
    places = {rule.target for rule in fitting} - {PROFILE_FIELD}
    looks_like = places or ({"insurer"} if told.insurers else set())
    of_others = [place for place in looks_like if is_of_others(field.section, field.label, place)]
    if of_others:
        return Decision(PROFILE_FIELD, (OF_OTHERS,), _doubts(field, of_others, mapping))
    possible = [rule for rule in fitting if not _contradicted(field, rule.target, told, mapping)]
    if not possible or possible[0].target == PROFILE_FIELD:
        if told.insurers >= _FEWEST_INSURERS and told.insurers > told.others:
            return _insurers(field, told, possible, mapping)
        return _own(field, told, fitting, possible, mapping)
    rule = possible[0]
    evidence = ["label"]
    if rule.sections or in_section_of(rule.target, field.section):
        evidence.append("section")
    if rule.target == "insurer" and told.number:
        evidence.append(told.counted(INSURER) if told.insurers else told.counted(WORDS))
    if rule.target in DATE_TARGETS and field.kind == "date":
        evidence.append("type")
    others = {other.target for other in possible} | set(_joined(field, mapping))
    others -= {rule.target, PROFILE_FIELD}
    against = [f"{ALSO} {other})" for other in sorted(others)]
    if rule.target in OF_INSURANCE and _OF_CLUBS.search(field.section):
        against.append("section")
    against.extend(_doubts(field, [rule.target], mapping))
    if not against and rule.target == "member_number" and _of_other_members(field.section, label, mapping):
        against.append("label (may be of other members)")
    if not against and says_more(label, rule.target, mapping.insurer_names):
        against.append("label (has words that do not belong)")
    return Decision(rule.target, tuple(evidence), tuple(against))


def _shortly(text: str) -> str:
    """Return a section or label with what it is about as the patterns call it: ``N.D.I.S.`` and its full name are NDIS."""
    return _NDIS_IN_FULL.sub("NDIS", without_dots(text))


def _of_other_members(section: str, label: str, mapping: ClinicMapping) -> bool:
    """Return whether a number may be that of a club's member or an ambulance's: an insurer has members among others."""
    names = mapping.insurer_names
    insured = (
        in_section_of("insurer", section) or _OF_PAYMENT.search(section) or names_insurance(label, names)
    )
    return not insured or says_more(label, "member_number", names)


def _doubts(field: Definition, places: Iterable[str], mapping: ClinicMapping) -> tuple[str, ...]:
    """Return what leaves open whether a field that looks like one for these places is one, each once."""
    section, label = field.section, field.label
    found = (doubts(section, label, place, mapping.insurer_names) for place in places)
    return tuple(dict.fromkeys(doubt for told in found for doubt in told))


def in_section_of(target: str, section: str) -> bool:
    """Return whether a section is called as those are that hold such a field."""
    return any(target in targets and pattern.search(section) for targets, pattern in _SECTIONS.items())


def _contradicted(field: Definition, target: str, told: _Options, mapping: ClinicMapping) -> bool:
    """Return whether a field cannot hold what the place is for, whatever it is called."""
    wrong_type = field.kind == "date" and target in FIELD_TARGETS and target not in DATE_TARGETS
    label = without_asides(field.label, mapping.insurer_names)
    of_others = (
        target == "member_number"
        and not in_section_of(target, field.section)
        and says_more(label, target, mapping.insurer_names)
    )
    return wrong_type or of_others or told.contradict(target)


def _insurers(
    field: Definition, told: _Options, possible: Sequence[FieldRule], mapping: ClinicMapping
) -> Decision:
    """Return the decision on a field that offers known insurers, under a label that does not say so."""
    evidence = [told.counted(INSURER)]
    if in_section_of("insurer", field.section):
        evidence.insert(0, "section")
    against = ("label",) if possible else ()
    return Decision("insurer", tuple(evidence), (*against, *_doubts(field, ["insurer"], mapping)))


def _own(
    field: Definition,
    told: _Options,
    fitting: Sequence[FieldRule],
    possible: Sequence[FieldRule],
    mapping: ClinicMapping,
) -> Decision:
    """Return the decision on a field that has no fixed place: a field of its own."""
    excluded = sorted({rule.target for rule in fitting} - {PROFILE_FIELD})
    evidence = ["label"] if possible and not excluded else []
    own_rules = [rule for rule in mapping.field_rules if rule.target == PROFILE_FIELD]
    if not _holds_places(field.section) and any(rule.fits("", field.section) for rule in own_rules):
        evidence.append("section")
    if told.number and (evidence or told.others > told.forms[WORDS] or not _holds_places(field.section)):
        names = [name for name in (YES_NO, COVER, MANAGED, WORDS) if told.forms[name]]
        evidence.append(told.counted(*names) if names else "options")
    of_a_day = field.kind == "date" and not may_ask_for("day", field)
    of_a_text = (
        field.kind == "paragraph" and not may_ask_for("name", field) and not _holds_places(field.section)
    )
    if of_a_day or of_a_text:
        evidence.append(f"type ({field.kind})")
    of_kinds = not told.insurers and told.forms[WORDS] * 2 < told.number
    against = []
    if excluded and not of_kinds and not _ASKS_YES_NO.search(field.label):
        against.append(f"label (of {', '.join(excluded)})")
    joined = [] if told.number else _joined(field, mapping)
    if joined:
        against.append(f"{ALSO} {', '.join(joined)})")
    return Decision(PROFILE_FIELD, tuple(evidence), tuple(against))


def _joined(field: Definition, mapping: ClinicMapping) -> list[str]:
    """Return the places of which a label asks for the thing beside something else: *Employer / school*."""
    rules = [rule for rule in mapping.field_rules if rule.target != PROFILE_FIELD]
    return sorted(
        {rule.target for part in parts(field.label) for rule in rules if rule.fits(field.section, part)}
    )


def may_ask_for(what: str, field: Definition) -> bool:
    """Return whether a label may ask for a *name*, *number* or *day* of a fixed place: such an answer confirms nothing then."""
    text = f"{field.section} {field.label}" if what == "day" else field.label
    return bool(_MAY_ASK[what].search(text))


def names_a_place(field: Definition) -> bool:
    """Return whether section or label has a word of those fields that have a fixed place, recognised or not."""
    return _holds_places(field.section) or bool(_WORDS_OF_PLACES.search(field.label))


def _holds_places(section: str) -> bool:
    """Return whether a section is called as those are that hold insurers or NDIS plans: what else stands there is less sure."""
    return in_section_of("insurer", section) or in_section_of("ndis_number", section)
