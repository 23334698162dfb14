"""What a plan proposes for a clinic's own fields: how often *high* is right, and how many fields have it."""

from __future__ import annotations

import pytest
from labelled_fields import AFTER_THE_RULES, HELD_OUT, SEEN, labelled, proposed, score

from cliniko_to_highlevel import labels, mapping
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
from cliniko_to_highlevel.same_place import Judged, settled

SHIPPED = mapping.load()
SURE = Decision("employer", ("label", "section"))


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


def test_high_is_right_where_nobody_has_looked() -> None:
    """The promise itself, on fields that were written after the rules and led to none."""
    told = score(proposed(AFTER_THE_RULES))
    assert told.fields == 260
    assert told.precision >= 0.99
    assert told.recall >= 0.85


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
    return beside(recognise(field, SHIPPED), field.spelled_out(SHIPPED), seen)


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


INSURERS = ["Aviva", "Zurich", "Bupa", "Example Mutual"]
FIRMS = ["Coles", "City of Perth", "Qantas"]
NUMBERS = ["8812345", "9912345", "7712345"]


@pytest.mark.parametrize(
    ("section", "label", "answers"),
    [
        ("Insurance", "Motor insurer", INSURERS),
        ("Insurance", "Vehicle insurance company", INSURERS),
        ("Billing", "Car ins. policy no", NUMBERS),
        ("Billing", "Green slip insurer", INSURERS),
        ("CTP", "Insurer", INSURERS),
        ("RTA", "Policy number", NUMBERS),
        ("PIP / MedPay", "Insurance company", INSURERS),
        ("Legal", "Insurer of the party at fault", INSURERS),
        ("Insurance", "Second insurer", INSURERS),
        ("Insurance", "2nd ins", INSURERS),
        ("Insurance", "Supplementary insurance", INSURERS),
        ("Insurance", "Tertiary policy number", NUMBERS),
        ("Insurance", "Other health insurance", INSURERS),
        ("Insurance", "Insurance #2", INSURERS),
        ("Secondary insurance", "Member ID", NUMBERS),
        ("Work", "Employer when injured", FIRMS),
        ("Work", "Pre-injury employer", FIRMS),
        ("Work", "Last employer", FIRMS),
        ("ACC", "Accredited employer?", FIRMS),
        ("Work", "Second employer", FIRMS),
        ("About you", "Employer / college", FIRMS),
        ("About you", "Employer & job title", FIRMS),
        ("About you", "Employer (years there)", FIRMS),
        ("Child", "School and teacher", FIRMS),
        ("Child", "School, class", FIRMS),
        ("Extended health", "Plan no / certificate no", NUMBERS),
        ("Insurance", "Bupa policy/membership no.", NUMBERS),
        ("WorkCover", "Certificate number", NUMBERS),
        ("Workers compensation", "Company", FIRMS),
        ("Insurance", "Teachers union membership no", NUMBERS),
        ("Pilates", "Membership number", NUMBERS),
        ("Insurance", "Member ID (gym)", NUMBERS),
        ("Insurance", "RACV member number", NUMBERS),
        ("Benefits", "Manulife plan number", NUMBERS),
        ("Insurance", "Policyholder ID", NUMBERS),
        ("Insurance", "Subscriber's employer", FIRMS),
    ],
)
def test_what_may_be_something_else_is_never_high(section: str, label: str, answers: list[str]) -> None:
    """A vehicle's insurer may pay or not, a second one stands beside the first, and two questions have no one place."""
    decision = judged(section, label, answers)
    assert decision.confidence != "high", decision.decided_by


@pytest.mark.parametrize(
    ("label", "why"),
    [
        ("Secondary insurer", "label (a second one)"),
        ("Employer at the time of injury", "label (has words that do not belong)"),
    ],
)
def test_a_reason_against_a_label_says_what_is_odd(label: str, why: str) -> None:
    """It stands in the plan, for people."""
    assert why in judged("Client", label, []).against


@pytest.mark.parametrize(
    ("label", "more"),
    [
        ("word " * 30_000, True),
        (f"fund{' ' * 600_000}name", False),
        (f"fund{'.' * 600_000}name", False),
        ("(" * 600_000, False),
    ],
)
def test_a_label_of_any_length_is_read_once(label: str, more: bool) -> None:  # noqa: FBT001
    """Searched again from every word or blank, such a label would take longer than any test may."""
    names = SHIPPED.insurer_names
    assert labels.says_more(labels.without_asides(labels.plain(label), names), "insurer", names) is more
    assert labels.parts(label) == []


@pytest.mark.parametrize(
    ("section", "label", "answers", "place"),
    [
        ("HICAPS", "Memb no.", NUMBERS, "member_number"),
        ("Private health", "Mem #", NUMBERS, "member_number"),
        ("Ins.", "Mbr ID", NUMBERS, "member_number"),
        ("Insurance", "Sub. ID#", NUMBERS, "member_number"),
        ("Insurance", "Member number (all digits on the card)", NUMBERS, "member_number"),
        ("EHB", "Cert. no", NUMBERS, "member_number"),
        ("Insurance", "Pol #", NUMBERS, "policy_number"),
        ("Insurance", "Policy no. (if known)", NUMBERS, "policy_number"),
        ("W/C", "Clm no.", NUMBERS, "claim_number"),
        ("ACC", "ACC no", NUMBERS, "claim_number"),
        ("Intake", "Pvt health ins", INSURERS, "insurer"),
        ("Intake", "PHI provider", INSURERS, "insurer"),
        ("Insurance", "Prim. ins. co.", INSURERS, "insurer"),
        ("Insurance", "Insurer (e.g. Bupa, AXA)", INSURERS, "insurer"),
        ("Injury", "WC carrier", INSURERS, "insurer"),
        ("Work", "Emp. name", FIRMS, "employer"),
        ("Child", "Sch", FIRMS, "school"),
        ("Client", "1. Place of study:", FIRMS, "school"),
        ("Child", "Day-care / Montessori", FIRMS, "school"),
        ("NDIS", "Who manages your plan?", FIRMS, "ndis_plan_manager"),
        ("Benefits", "Green Shield #", NUMBERS, "member_number"),
        ("Client", "* Employer -", FIRMS, "employer"),
        ("Cover", "Who is your cover with?", INSURERS, "insurer"),
        ("NDIS", "Plan mgr", FIRMS, "ndis_plan_manager"),
        ("NDIS", "Partic. no", NDIS_NUMBERS, "ndis_number"),
    ],
)
def test_abbreviations_and_asides_hide_nothing(
    section: str, label: str, answers: list[str], place: str
) -> None:
    """Labels are written as short as they have to be, and say in brackets how to answer."""
    decision = judged(section, label, answers)
    assert (decision.target, decision.confidence) == (place, "high"), decision.decided_by


@pytest.mark.parametrize(
    ("label", "written"),
    [
        ("Memb. #", "member #"),
        ("INS/pol no", "insurance/policy no"),
        ("W/C ins.  prov", "workers compensation insurance provider"),
        ("Co-pay, check-ins, Emp's", "Co-pay, check-ins, Emp's"),
        ("\u0131ns", "\u0131ns"),
    ],
)
def test_abbreviations_are_whole_words(label: str, written: str) -> None:
    """Dots, blanks and capitals make no difference; a letter that only looks like one is another one."""
    assert SHIPPED.spelled_out(label) == written


@pytest.mark.parametrize("label", ["If other insurer, please state", "Other insurer (please specify)"])
def test_what_a_patient_types_under_other_is_the_patients_own(label: str) -> None:
    """The free text beside a list is about nobody else; the insurer of the other party is."""
    assert judged("Insurance", label, INSURERS).target == "insurer"
    assert judged("Insurance", "Other party's insurer, please state", INSURERS).target == "profile_field"


def test_a_form_that_no_place_has_confirms_a_label_that_is_of_none() -> None:
    """Small numbers under a label without any word of a fixed place: two kinds of evidence."""
    assert judged("Intake", "GAD-7", ["14", "9", "18"]).confidence == "high"
    assert judged("Insurance", "GAD-7", ["14", "9", "18"]).confidence == "medium"
    assert judged("Child", "Childcare / sitter ph.", ["0491 570 156"] * 3).confidence == "high"


def rivals(*fields: tuple[str, str, str], named: str = "") -> list[str]:
    """Return how sure a plan is of fields given by section, label and place, all of them filled alike."""
    evidence = ("label", "section")
    judged = [
        Judged(
            f"{section} / {label}",
            Definition(section, label).spelled_out(SHIPPED),
            Decision(place, () if label == named else evidence, named=label == named),
            7,
        )
        for section, label, place in fields
    ]
    return [decision.confidence for decision in settled(judged)]


def test_of_two_fields_for_one_place_the_plainer_one_is_sure() -> None:
    """The place would hold both without saying which is which; the field with fewer words is the one."""
    long, short = ("Insurance", "Name of your insurer", "insurer"), ("Insurance", "Insurer", "insurer")
    assert rivals(long, short) == ["medium", "high"]
    assert rivals(short, long) == ["high", "medium"]
    assert rivals(long, short, named="Name of your insurer") == ["certain", "medium"]
    assert rivals(short, long, named="Name of your insurer") == ["medium", "certain"]


def test_insurances_for_different_things_are_no_rivals() -> None:
    """A patient with a health fund may have been hurt at work, and after that on the road; two numbers of one claim are two."""
    funds = [("Private health", "Fund", "insurer"), ("W/C", "Insurer", "insurer")]
    assert rivals(*funds) == ["high", "high"]
    claims = [("WorkCover", "Claim number", "claim_number"), ("TAC", "Claim number", "claim_number")]
    assert rivals(*claims) == ["high", "high"]
    assert rivals(claims[0], ("WorkCover", "Insurer's claim number", "claim_number")) == ["high", "medium"]
    assert rivals(("Work", "Employer", "employer"), ("Child", "School", "school")) == ["high", "high"]
    own = [("Feet", "Shoe size", "profile_field"), ("Feet", "Size", "profile_field")]
    assert rivals(*own) == ["high", "high"]


def test_a_plainer_field_is_named_in_one_line() -> None:
    """Reasons stand in comments of the proposed mapping: a label of several lines must not end one."""
    fields = [Definition("", "Employer"), Definition("", "Name of employer")]
    judged = [Judged("a\n\x85b", fields[0], SURE, 1), Judged("c", fields[1], SURE, 1)]
    assert settled(judged)[1].decided_by.endswith(
        'against it: the plainer field "a  b", which goes there too'
    )


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
