"""What a plan proposes for a clinic's own fields: how often *high* is right, and how many fields have it."""

from __future__ import annotations

import pytest
from labelled_fields import HELD_OUT, SEEN, labelled, proposed, score

from cliniko_to_highlevel import mapping
from cliniko_to_highlevel.answer_evidence import Answers, beside
from cliniko_to_highlevel.answer_forms import (
    DATE,
    DVA,
    INSURER,
    MEDICARE,
    NDIS,
    NHS,
    NUMBER,
    PHONE,
    WORDS,
    YES_NO,
    forms,
)
from cliniko_to_highlevel.recognition import Decision, Definition, recognise

SHIPPED = mapping.load()


def test_the_labelled_fields_are_many_and_stand_once() -> None:
    """Hundreds of ten clinics and six countries at least, a third of them held out."""
    seen, held = [item for name in SEEN for item in labelled(name)], labelled(HELD_OUT)
    assert min(len({item.clinic for item in fields}) for fields in (seen, held)) >= 10
    assert (
        {item.country for item in seen}
        == {item.country for item in held}
        == {"AU", "NZ", "GB", "IE", "CA", "US"}
    )
    assert 3 * len(held) >= len(seen) + len(held) >= 300
    fields = {(item.clinic, item.section, item.label) for item in (*seen, *held)}
    assert len(fields) == len(seen) + len(held)


@pytest.mark.parametrize("name", [*SEEN, HELD_OUT])
def test_high_is_right_and_frequent(name: str) -> None:
    """The promise is a precision of 99 % and a recall of 85 %."""
    found = proposed(name)
    wrong = [
        (item.field.section, item.field.label, item.place) for item in found if item.sure and not item.right
    ]
    assert wrong == []
    assert score(found).recall >= 0.87
    assert score(found).recall_of_places >= 0.87


@pytest.mark.parametrize("name", SEEN)
def test_every_line_says_why_without_a_value(name: str) -> None:
    """Counts and names of forms stand in a reason, never an answer."""
    for item in proposed(name):
        typed = set(item.field.answers) - set(item.field.options)
        assert not [answer for answer in typed if len(answer) > 4 and answer in item.why], item
        assert item.why.startswith(("not recognised", "recognised by its"))


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ("430 123 456", {NUMBER, NDIS}),
        ("\uff14\uff13\uff10 123\u200b456", {NUMBER, NDIS}),
        ("2428\u201177813\u20112", {NUMBER, MEDICARE}),
        ("530123456", {NUMBER}),
        ("2428 77813 2", {NUMBER, MEDICARE}),
        ("2428 77823 2", {NUMBER}),
        ("943 476 5919", {NUMBER, NHS, PHONE}),
        ("943 476 5918", {NUMBER, PHONE}),
        ("QX901234", {NUMBER, DVA}),
        ("(02) 5550 1234", {NUMBER, PHONE}),
        ("30/06/2026", {DATE}),
        ("06/30/2026", {DATE}),
        ("Bupa", {INSURER}),
        ("Yes", {YES_NO}),
        ("n/a", set()),
        ("Example Ltd", {WORDS}),
    ],
)
def test_forms_of_answers(answer: str, told: set[str]) -> None:
    """Numbers of the state by their check digit or form, dates of both orders, known insurers; *n/a* says nothing."""
    assert forms(answer, SHIPPED) == told


def judged(section: str, label: str, answers: list[str], *options: str) -> Decision:
    """Return the decision on a field with these answers."""
    field = Definition(section, label, "radiobuttons" if options else "text", options)
    seen = Answers()
    for answer in answers:
        seen.see(forms(answer, SHIPPED))
    return beside(recognise(field, SHIPPED), field, seen)


NDIS_NUMBERS = ["430123456", "431234567", "432345678"]
MEDICARE_NUMBERS = ["2428778132", "4123456721", "3501 23451 1"]


@pytest.mark.parametrize(
    ("section", "label", "answers", "place", "confidence"),
    [
        ("Funding", "Number", NDIS_NUMBERS, "ndis_number", "high"),
        ("Other", "Which", NDIS_NUMBERS, "ndis_number", "medium"),
        ("Health fund", "Number", MEDICARE_NUMBERS, "profile_field", "medium"),
        ("Health fund", "Fund", ["Yes", "No", "Yes"], "profile_field", "medium"),
        ("Health fund", "Fund", ["Bupa", "HCF", "2025-01-31", "Yes"], "insurer", "medium"),
        ("Intake", "Who are you with?", ["Bupa", "HCF", "Medibank"], "insurer", "medium"),
        ("Health fund", "Who are you with?", ["Bupa", "HCF", "Medibank"], "insurer", "high"),
        ("NDIS", "Number", ["yes", "no", "no"], "profile_field", "medium"),
        ("Health fund", "Provider", ["Dr A Example", "Mr B Sample", "Dr. Test"], "profile_field", "medium"),
        ("Insurance", "Member number", ["8812345", "9912345", "7712345"], "member_number", "high"),
        ("NDIS", "Number", ["43012345", "4301234567", "012345"], "ndis_number", "medium"),
        ("Health fund", "Fund", ["Yes"], "insurer", "medium"),
        ("Other", "Which", NDIS_NUMBERS[:1], "profile_field", "none"),
        ("Gym", "Member number", ["8812345", "9912345", "7712345"], "member_number", "medium"),
    ],
)
def test_answers_confirm_contradict_or_name_another_place(
    section: str, label: str, answers: list[str], place: str, confidence: str
) -> None:
    """High needs two kinds of evidence that agree; one that speaks against it makes any decision doubtful."""
    decision = judged(section, label, answers)
    assert (decision.target, decision.confidence) == (place, confidence), decision.decided_by


@pytest.mark.parametrize(
    ("section", "label", "answers"),
    [
        ("Insurance", "Insurer of partner", ["Bupa", "HCF", "nib"]),
        ("Insurance", "Spouse's health fund", ["Bupa", "HCF", "nib"]),
        ("Insurance", "Previous insurer", ["Bupa", "HCF", "nib"]),
        ("Insurance", "Former health fund", ["Bupa", "HCF", "nib"]),
        ("Insurance", "Old policy number", ["8812345", "9912345", "7712345"]),
        ("Insurance", "Father's member number", ["8812345", "9912345", "7712345"]),
        ("Accident", "Other driver's insurer", ["Bupa", "HCF", "nib"]),
        ("NDIS", "NDIS number of sibling", NDIS_NUMBERS),
        ("Intake", "Brother's number", NDIS_NUMBERS),
        ("Work", "Previous employer", ["Coles", "Qantas", "Aldi"]),
        ("Insurance", "Pet insurer", ["Bupa", "HCF", "nib"]),
        ("Insurance", "Home insurance", ["Bupa", "HCF", "nib"]),
        ("Insurance", "Car insurance", ["Bupa", "HCF", "nib"]),
        ("Partner's details", "Health fund", ["Bupa", "HCF", "nib"]),
        ("Intake", "Who is your wife with?", ["Bupa", "HCF", "nib"]),
    ],
)
def test_what_is_somebody_elses_or_past_is_not_the_patients_own(
    section: str, label: str, answers: list[str]
) -> None:
    """Whatever the answers look like, and whether or not there are options: only the clinic can say that it is."""
    fields = [Definition(section, label), Definition(section, label, "radiobuttons", ("Bupa", "HCF", "nib"))]
    assert [recognise(field, SHIPPED).target for field in fields] == ["profile_field"] * 2
    assert "high" not in {recognise(field, SHIPPED).confidence for field in fields}
    assert judged(section, label, answers).target == "profile_field"


@pytest.mark.parametrize(
    ("section", "label", "place"),
    [
        ("Child", "Child's school", "school"),
        ("Motor vehicle accident", "Car insurer", "insurer"),
        ("Other", "Health fund", "insurer"),
        ("Parents and funding", "NDIS number", "ndis_number"),
    ],
)
def test_words_of_others_that_say_nothing_of_whose_it_is(section: str, label: str, place: str) -> None:
    """A child is the patient of whom a school is asked, and a car's insurer pays for who was hurt in it."""
    assert recognise(Definition(section, label), SHIPPED).target == place


@pytest.mark.parametrize(
    ("label", "options", "confidence"),
    [("NDIS", ("Yes", "No"), "high"), ("Insurance", ("TAC", "DVA", "Private", "Bupa"), "medium")],
)
def test_a_bare_label_says_nothing_against_a_question_of_kinds(
    label: str, options: tuple[str, ...], confidence: str
) -> None:
    """*NDIS* with yes and no asks whether, not which; where an option is an insurer, the label makes it doubtful."""
    decision = judged("Intake", label, [options[0], options[1], options[0]], *options)
    assert (decision.target, decision.confidence) == ("profile_field", confidence), decision.decided_by


def test_a_day_is_nobody_s_insurer() -> None:
    """The type of a field counts: what is called insurer and is a date, is a field of its own."""
    assert recognise(Definition("Insurance", "Insurer", "date"), SHIPPED).target == "profile_field"


def test_a_reason_counts_what_was_seen() -> None:
    """Why a field is what it is said to be, and what speaks against it, with numbers."""
    told = judged("Health fund", "Fund", ["Bupa", "HCF", "2025-01-31", "Yes"]).decided_by
    assert (
        told
        == "recognised by its label and section; against it: answers (2 of 4 are no known insurers or names or words)"
    )
