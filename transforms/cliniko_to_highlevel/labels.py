"""What the words of a label say: whose something is, and what leaves open whether it is what it looks like."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from cliniko_to_highlevel.formats import slug, without_dots

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

#: What is asked of an insurance.
OF_INSURANCE = frozenset({"insurer", "member_number", "policy_number", "claim_number"})
#: Whose something is, if not the patient's own, or not any more; *if other, please state* asks for the patient's own choice …
_OF_OTHERS = (
    r"\b(previous(ly)?|former(ly)?|prior|old|past|ex|partners?|spouses?|husbands?|wife|wives|parents?|mothers?|fathers?"
    r"|mums?|moms?|dads?|guardians?|siblings?|brothers?|sisters?|drivers?"
    r"|others?(?=\W+(s\W+)?(part(y|ies)|persons?|people|side|vehicles?|insured)\b)"
    r"|others?(?!.*\b(state|specify|name|list|give|write|enter|tell|describe|details?|which|what)\b))\b"
)
#: … whose school is the patient's all the same …
_CHILDREN = r"\b(child(ren)?|kids?|sons?|daughters?)\b"
#: … and what else is insured than a patient: of a car that was in an accident the insurer may pay for the treatment.
_THINGS = re.compile(
    r"\b(pets?|home|contents|house|household|car|vehicle|boat|building|landlord)\b", re.IGNORECASE
)
_OF_ACCIDENTS = re.compile(r"\b(mva|accidents?|injury|injuries|collision|ctp|motor|auto)\b", re.IGNORECASE)
#: A section names people, too; *Other* is one of many things, and a family's may be the patient's own.
_SECTION_OF_OTHERS = re.compile(
    r"\b(previous|former|partner|spouse|husband|wife|siblings?|other\s+(driver|party|parent|person))\b",
    re.IGNORECASE,
)
#: Insurances of vehicles, and those of whoever was at fault: they pay for a treatment, or do not.
_VEHICLES = re.compile(
    r"\b(auto(s|mobiles?)?|cars?|motor(ists?|cycles?|bikes?)?|vehicles?|mv[aci]|ctp|green\s?slip|rt[ac]|road\s+traffic"
    r"|at[\s-]+fault|third[\s-]+part(y|ies)(?!\s+admin))\b",
    re.IGNORECASE,
)
#: Where the insurer may be a vehicle's, unless the label says whose it is.
_OF_COLLISIONS = re.compile(
    rf"{_VEHICLES.pattern}|\b(accidents?|collisions?|crash|no-?fault|pip|med-?pay|personal\s+injury)\b",
    re.IGNORECASE,
)
_AT_WORK = re.compile(
    r"\bwork\w*\W*(comp\w*|cover|safe|injur\w*)\b|\b(worksafe|wsib|wcb|acc|compensable|occupational|industrial)\b",
    re.IGNORECASE,
)
_OF_HEALTH = re.compile(r"\b(health|medical|private|hf|pmi)\b", re.IGNORECASE)
#: Beside a first one; a second of two people is somebody else.
_SECOND = re.compile(
    r"\b(second(ary)?|tertiary|third(?![\s-]+part)|supplement(s|al|ary)?|additional|another|back-?up|top[\s-]?up|gap"
    r"|other(?!\W*s?\s+(drivers?|part(y|ies)|parents?|persons?|people|side|vehicles?|cars?)\b))\b"
    r"|\b(insur\w*|polic\w+|carriers?|pay[eo]rs?|funds?|plans?|cover\w*|members?\w*|id|no|num|number|name|company)\W*[2-9]\b"
    r"(?!\W*(digit|char|letter|number|figure))",
    re.IGNORECASE,
)
_SECOND_SECTION = re.compile(r"\b(second(ary)?|tertiary|supplement(s|al|ary)?)\b", re.IGNORECASE)
#: Papers that say how somebody is after an injury have numbers as well.
_CERTIFICATE = re.compile(r"\bcert(ificate)?\b", re.IGNORECASE)
_OF_CERTIFICATES = re.compile(
    rf"{_AT_WORK.pattern}|{_OF_COLLISIONS.pattern}|\b(injur\w*|certificates?|capacity)\b", re.IGNORECASE
)
_OF_INSURANCE_ITSELF = re.compile(
    r"insur|assur|\b(funds?|hf|pmi|carrier|payers?|payors?|cover\w*|agents?|subscriber|polic(y|ies)\w*|benefits?|scheme|tpa|administrators?)\b"
    r"|\b(health|medical)\b",
    re.IGNORECASE,
)
#: Clubs of motorists insure as well; a member's number is the club's.
_MOTOR_CLUBS = re.compile(r"\b(nrma|rac[qvtwa]?|raa|aaa?|caa|bcaa|roadside|breakdown)\b", re.IGNORECASE)
#: What an insurance is for, if not for health; each is asked for by itself.
_COVERS = {
    "work": _AT_WORK,
    "accident": re.compile(rf"{_OF_COLLISIONS.pattern}|\b(icbc|mpi|sgi|tac|piab|injur\w*)\b", re.IGNORECASE),
}
#: Where two questions are joined.
_JOINED = re.compile(r"[/&+,;]|\s(?:and|or)\s", re.IGNORECASE)
#: What people put before and behind a label: ``1.``, ``*``, a colon.
_IN_A_LIST = re.compile(r"^\W*\d{1,2}\s*[.)]\s+")
_BEFORE, _BEHIND = " *\u2022-\u2013\u2014", " :*.-\u2013\u2014"
_BRACKETS = re.compile(r" ?[(\[]([^()\[\]]*)[)\]]")
_EXAMPLES = re.compile(r"\W*(e\W?g|i\W?e|for\s+example|such\s+as|like)\b", re.IGNORECASE)

#: Words that say how to answer, or nothing; a ``*`` stands for more of a word.
_INSTRUCTIONS = (
    "your yours my the their an a of for if any is are am do does on in as to and or with by present you we i they s it"
    " please pls enter write state specify give name names named list tell us which what who whose yes current currently"
    " applicable appropriate relevant known required optional available incl include* with without all full whole exact*"
    " shown printed appear* found see front back card letter letters digit digits prefix suffix space spaces e g eg ie etc"
    " such like example"
)
_NUMBER = "no nos num number numbers nr id ids identification identifier ref reference"
_INSURANCE = (
    "insur* assur* health healthcare medical private personal primary main first extended benefit benefits cover* fund funds"
    " hf pmi aid scheme society provider company carrier payer payers payor payors group plan hicaps"
)
_WORK = "work* comp compensation injury injured accident wsib wcb acc industrial occupational"
#: The words that labels of a place have. With any other one a label may ask for something else: *Accredited employer*, *Employer
#: at the time of the accident*, *School & district*, and ambulances and clubs have members too.
_WORDS: Mapping[str, str] = {
    "insurer": f"{_INSURANCE} {_WORK} agent agents agency organi* claim claiming use using have has held hold help third party"
    " administrator tpa dental child student",
    "member_number": f"{_INSURANCE} {_NUMBER} member membership subscriber policyholder holder certificate cert contract"
    " regist* secondary",
    "policy_number": f"{_INSURANCE} {_NUMBER} policy policies contract certificate cert member",
    "claim_number": f"{_INSURANCE} {_WORK} {_NUMBER} claim claims acc45 45 acc32 32 form icbc mpi sgi tac ctp mva mvi piab irb"
    " iwcc gaa auto car motor vehicle compensable c w",
    "ndis_number": f"{_NUMBER} ndis ndia participant participants client patient plan",
    "ndis_plan_start": "ndis plan start* begin* commence* from date dates period valid day funding",
    "ndis_plan_end": "ndis plan end* expir* finish* review* reassess* renew* until due date dates period valid day funding",
    "ndis_plan_manager": f"ndis plan through manage* company agency provider organi* fund funds business firm {_NUMBER}",
    "employer": "employ* work workplace working works place where company firm business organi* main usual primary"
    " patient client eap occupational health acc",
    "school": "school schools college university uni nursery kinder* kindy preschool pre day daycare care childcare creche crèche"
    " centre center high primary secondary middle elementary grammar early learning elc provider attend* enrolled go goes"
    " child student under over where stud* place education* setting facility establishment institution tafe"
    " campus montessori play playgroup sixth form",
}


def _patterns(words: str) -> re.Pattern[str]:
    """Return what a word is one of these by."""
    return re.compile("|".join(re.escape(word).replace(r"\*", r"\w*") for word in words.split()))


#: What people say before the name of an insurer, and no name begins with.
_WHOSE = frozenset(
    {"husband", "husbands", "wife", "wifes", "mum", "mums", "mother", "dad", "dads", "father", "partner", "spouse", "parents"}
    | {"s", "my", "his", "her", "our", "their", "i", "m", "am", "is", "it", "with", "through", "under", "via", "on", "by"}
    | {"have", "has", "use", "uses", "using", "covered", "now", "new", "currently"}
)  # fmt: skip
#: No insurer that anybody lists has a longer name.
_MOST_WORDS = 10

_ASIDES = _patterns(_INSTRUCTIONS)
_PLAIN = {place: _patterns(f"{_INSTRUCTIONS} {words}") for place, words in _WORDS.items()}


def is_of_others(section: str, label: str, target: str) -> bool:
    """Return whether a field that looks like one for this place is not the patient's own, or not any more."""
    return _is_of_people(section, label, target) or _is_of_a_thing(section, label, target)


def _is_of_people(section: str, label: str, target: str) -> bool:
    words = _OF_OTHERS if target == "school" else f"{_OF_OTHERS}|{_CHILDREN}"
    return bool(re.search(words, label, re.IGNORECASE) or _SECTION_OF_OTHERS.search(section))


def _is_of_a_thing(section: str, label: str, target: str) -> bool:
    in_accident = _OF_ACCIDENTS.search(f"{section} {label}")
    return target in OF_INSURANCE and not in_accident and bool(_THINGS.search(label))


def says_more(label: str, target: str, insurers: Mapping[str, str]) -> bool:
    """Return whether a label has a word that labels of this place do not have; names of known insurers are none."""
    return any(not _PLAIN[target].fullmatch(word) for word in _other_words(label, insurers))


def plain(label: str) -> str:
    """Return a label without its number in a list, and without the signs around it."""
    return _bare(_bare(_even(label))) or label


def _bare(label: str) -> str:
    return _IN_A_LIST.sub("", label).lstrip(_BEFORE).rstrip(_BEHIND)


def _even(label: str) -> str:
    """Return a label with one blank where there are several: a search for what follows them would begin at each."""
    return " ".join(label.split())


def without_asides(label: str, insurers: Mapping[str, str]) -> str:
    """Return a label without what stands in brackets, where that only says how to answer or names insurers or examples."""

    def kept(told: re.Match[str]) -> str:
        inside = told.group(1)
        words = _other_words(inside, insurers)
        aside = _EXAMPLES.match(inside) or all(_ASIDES.fullmatch(word) for word in words)
        return "" if aside else told.group()

    return _BRACKETS.sub(kept, _even(label)).strip() or label


def parts(label: str) -> Sequence[str]:
    """Return the questions that a label joins (*Employer / school*, *Employer (since)*); none of one that is a single one."""
    found = [part.strip() for part in _JOINED.split(label) if slug(part)]
    bare = _BRACKETS.sub("", _even(label)).strip()
    return [*(found if len(found) > 1 else ()), *([bare] if slug(bare) != slug(label) else ())]


def doubts(section: str, label: str, target: str, insurers: Mapping[str, str]) -> Iterator[str]:
    """Yield what leaves open whether a field that looks like one for this place is one."""
    of_insurance = target in OF_INSURANCE
    if of_insurance and target != "claim_number" and _may_be_of_a_vehicle(section, label, target):
        yield "label (of a vehicle or an accident: that insurer may pay or not)"
    if target != "school" and (_SECOND.search(label) or (of_insurance and _SECOND_SECTION.search(section))):
        yield "label (a second one)"
    if target == "member_number" and _MOTOR_CLUBS.search(label):
        yield "label (may be of other members)"
    if target == "member_number" and _CERTIFICATE.search(label) and _OF_CERTIFICATES.search(section):
        yield "label (may be of a medical certificate)"
    if target == "insurer" and _AT_WORK.search(section) and not names_insurance(label, insurers):
        yield "label (may be of the employer)"


def names_insurance(label: str, insurers: Mapping[str, str]) -> bool:
    """Return whether a label says by itself that it is about insurance, or names a known insurer."""
    return bool(_OF_INSURANCE_ITSELF.search(label)) or len(_other_words(label, {})) > len(
        _other_words(label, insurers)
    )


def _may_be_of_a_vehicle(section: str, label: str, target: str) -> bool:
    if _is_of_people(section, label, target):
        return False
    of_another_cover = _AT_WORK.search(label) or _OF_HEALTH.search(label)
    return bool(_VEHICLES.search(label) or (_OF_COLLISIONS.search(section) and not of_another_cover))


def cover(section: str, label: str) -> frozenset[str]:
    """Return for what an insurance is, by its label or else its section: injuries at work, other accidents, or health."""
    told = (
        frozenset(kind for kind, pattern in _COVERS.items() if pattern.search(text))
        for text in (label, section)
    )
    return next(filter(None, told), frozenset({"health"}))


def beginnings(answer: str) -> Iterator[str]:
    """Yield what an answer may begin with as an insurer's name, the longest first, behind whose it is: ``my husband's Bupa``."""
    for text in (answer, without_dots(answer)):
        words = slug(text).split("-")
        while len(words) > 1 and words[0] in _WHOSE:
            words = words[1:]
        words = words[:_MOST_WORDS]
        yield from (" ".join(words[:number]) for number in range(len(words), 0, -1))


def names_insurer_first(answer: str, insurers: Mapping[str, str]) -> bool:
    """Return whether an answer begins with a known insurer."""
    return any(slug(name) in insurers for name in beginnings(answer))


def _other_words(text: str, insurers: Mapping[str, str]) -> list[str]:
    """Return the words of a text, without numbers and without the names of known insurers."""
    words = slug(text).split("-")
    longest = max((name.count("-") + 1 for name in insurers), default=0)
    found, at = [], 0
    while at < len(words):
        lengths = range(min(longest, len(words) - at), 0, -1)
        named = next((length for length in lengths if "-".join(words[at : at + length]) in insurers), 0)
        if not named and words[at] and not words[at].isdecimal():
            found.append(words[at])
        at += named or 1
    return found
