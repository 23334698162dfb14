"""What a clinic's mapping may say: each part checked, with words for who has to mend it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import phonenumbers

from cliniko_to_highlevel.emails import emails
from cliniko_to_highlevel.formats import date_text, folded, slug, zone

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cliniko_to_highlevel.mapping_file import Problems

#: Fields of the profile that a custom field of the clinic can fill.
FIELD_TARGETS = (
    "insurer",
    "member_number",
    "policy_number",
    "claim_number",
    "ndis_number",
    "ndis_plan_start",
    "ndis_plan_end",
    "ndis_plan_manager",
    "employer",
    "school",
)
#: Those of them that are a date.
DATE_TARGETS = frozenset({"ndis_plan_start", "ndis_plan_end"})
#: Other places of a custom field: a field of its own, a labelled line beside others, or nowhere.
CONTACT_FIELD, PROFILE_FIELD, KEEP, IGNORE = "contact_field", "profile_field", "keep", "ignore"
PLACES = (*FIELD_TARGETS, CONTACT_FIELD, PROFILE_FIELD, KEEP, IGNORE)
#: Where a field can go by its label alone.
RECOGNISED = (*FIELD_TARGETS, PROFILE_FIELD)

#: Whoever may share an address, as a record of Cliniko is named.
_SOURCE = re.compile(r"(patients|contacts|practitioners)/\d+")


@dataclass(frozen=True, slots=True)
class FieldRule:
    """Custom fields whose label fits the pattern, in sections whose name fits theirs, go to this place."""

    target: str
    labels: re.Pattern[str]
    sections: re.Pattern[str] | None = None

    def fits(self, section: str, label: str) -> bool:
        """Return whether a custom field is one of these."""
        return bool(self.labels.search(label) and (not self.sections or self.sections.search(section)))


@dataclass(frozen=True, slots=True)
class Abbreviations:
    """Words of labels that are written short, and what they stand for."""

    words: Mapping[str, str]
    pattern: re.Pattern[str]

    def spelled_out(self, text: str) -> str:
        """Return a text with each of them written out."""
        return self.pattern.sub(lambda told: self.words.get(_short(told.group()), told.group()), text)


def _short(text: str) -> str:
    """Return an abbreviation as people compare it: with one blank or none, without the dots behind."""
    return " ".join(text.replace(".", " ").casefold().split())


def country(value: Any, problems: Problems) -> str | None:
    """Return the country of numbers without one; None when it is left empty."""
    if _is_empty(value):
        return None
    if value is False:
        problems.add("default_country", 'is read as a boolean; write it in quotes: "NO"')
    elif not isinstance(value, str) or value.upper() not in phonenumbers.SUPPORTED_REGIONS:
        problems.add(
            "default_country", "is no country; write two letters such as AU, NZ or GB, or leave it empty"
        )
    else:
        return value.upper()
    return None


def time_zone(value: Any, problems: Problems) -> str | None:
    """Return the zone of dates in texts; None when it is left empty."""
    if _is_empty(value):
        return None
    if isinstance(value, str) and zone(value):
        return value
    problems.add("time_zone", "is no time zone; write one such as Australia/Melbourne, or leave it empty")
    return None


def _is_empty(value: Any) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())


#: Days before which nothing is moved, under ``move``.
DAYS = ("oldest_visit", "oldest_note", "oldest_invoice")


def days(section: Mapping[str, Any], problems: Problems) -> dict[str, str | None]:
    """Return the days before which nothing is moved; None where there is no such day."""
    found: dict[str, str | None] = {}
    for name in DAYS:
        value = section.get(name)
        try:
            found[name] = None if _is_empty(value) else date_text(str(value))
        except ValueError:
            problems.add(f"move.{name}", "is no day; write one such as 2019-07-01, or leave it empty")
    return found


def owners(section: Any, problems: Problems) -> dict[str, str]:
    """Return the e-mail of the HighLevel user for practitioners, by their id or e-mail in Cliniko."""
    if not isinstance(section, dict):
        problems.add("owners", 'must hold lines such as "12": orla@clinic.example, or be {}')
        return {}
    found = {}
    for practitioner, user in section.items():
        addresses = emails(user) if isinstance(user, str) else []
        if len(addresses) != 1:
            problems.add(f"owners.{practitioner}", "must be the e-mail of one HighLevel user")
        else:
            found[folded(str(practitioner)).removeprefix("practitioners/")] = addresses[0]
    return found


def keeps(section: Any, problems: Problems) -> dict[str, list[str]]:
    """Return which addresses somebody keeps whatever the rule says, by source id."""
    if not isinstance(section, dict):
        problems.add("keeps", "must hold lines such as patients/1234: [email, phone], or be {}")
        return {}
    found = {}
    for source, kept in section.items():
        names = kept if isinstance(kept, list) else [kept]
        if not names or not set(map(str, names)) <= {"email", "phone"}:
            problems.add(f"keeps.{source}", "must be email, phone or both: [email, phone]")
        elif not _SOURCE.fullmatch(str(source)):
            problems.add(f"keeps.{source}", "is no record of Cliniko such as patients/1234")
        else:
            found[str(source)] = sorted(names)
    return found


def switches(name: str, section: Mapping[str, Any], problems: Problems) -> dict[str, bool]:
    """Return what is switched on and off."""
    for key, value in section.items():
        if not isinstance(value, bool):
            problems.add(f"{name}.{key}", "must be true or false")
    return {key: value is True for key, value in section.items()}


def tags(section: Mapping[str, Any], problems: Problems) -> dict[str, str]:
    """Return the tags; one that is left empty is none."""
    tags = {}
    for kind, value in section.items():
        if isinstance(value, str):
            tags[kind] = value.strip().lower()
        elif value is not None:
            problems.add(f"tags.{kind}", "must be a word, or empty for no tag")
    return tags


def named_fields(section: Any, problems: Problems) -> dict[str, str]:
    """Return where the custom fields go that the clinic named."""
    if section is None:
        return {}
    if not isinstance(section, dict):
        problems.add("custom_fields.named", 'must hold lines such as "Health fund": insurer')
        return {}
    known: dict[str, str] = {}
    for label, target in section.items():
        if target not in PLACES:
            problems.add(f"custom_fields.named.{label}", f"goes nowhere; choose one of {', '.join(PLACES)}")
        if folded(label) in known:
            same = known[folded(label)]
            problems.add(f"custom_fields.named.{label}", f'is the same field as "{same}"; delete one of them')
        known[folded(label)] = label
    return {label: str(target) for label, target in section.items()}


def field_rules(section: Any, problems: Problems) -> tuple[FieldRule, ...]:
    """Return the rules by which labels are recognised, in their order."""
    rules = []
    for number, rule in enumerate(section if isinstance(section, list) else [section], start=1):
        where = f"custom_fields.recognise, entry {number},"
        if not isinstance(rule, dict) or set(rule) - {"sections"} != {"target", "labels"}:
            problems.add(where, "must hold a target and labels, and may hold sections")
        elif rule["target"] not in RECOGNISED:
            problems.add(where, f"has an unknown target; choose one of {', '.join(RECOGNISED)}")
        else:
            labels = _pattern("labels", rule["labels"], where, problems)
            sections = _pattern("sections", rule["sections"], where, problems) if "sections" in rule else None
            if labels:
                rules.append(FieldRule(rule["target"], labels, sections))
    return tuple(rules)


def _pattern(name: str, text: Any, where: str, problems: Problems) -> re.Pattern[str] | None:
    """Return a pattern; a list or an empty text would be one that fits every label."""
    if not isinstance(text, str) or not text.strip():
        problems.add(
            where, f"must have one pattern in quotes as {name}, such as '\\bhealth fund\\b|\\binsurer\\b'"
        )
        return None
    try:
        pattern = re.compile(text, re.IGNORECASE)
    except re.error as error:
        problems.add(where, f"has {name} that are no valid pattern ({error.msg})")
        return None
    if pattern.search(""):
        problems.add(where, f"has {name} that fit every field; look for an | or * too many")
        return None
    return pattern


def abbreviations(section: Any, problems: Problems) -> Abbreviations:
    """Return the abbreviations of each word; the longest that fits counts."""
    where = "custom_fields.abbreviations"
    words: dict[str, str] = {}
    if section is not None and not isinstance(section, dict):
        problems.add(where, "must hold lines such as member: [memb, mem]")
        section = {}
    for word, shorts in (section or {}).items():
        for short in map(_short, texts(f"{where}.{word}", shorts or [], problems)):
            if not slug(short):
                problems.add(f"{where}.{word}", f"holds {short!r}, which has no letter; delete it")
            elif words.setdefault(short, word) != word:
                problems.add(
                    f"{where}.{word}",
                    f'holds "{short}", which is also {words[short]}; leave it with one word',
                )
    written = "|".join(
        r"[.\s]+".join(map(re.escape, short.split())) for short in sorted(words, key=len, reverse=True)
    )
    pattern = re.compile(rf"(?<![\w'-])(?:{written or '(?!)'})(?![\w'-])\.?", re.IGNORECASE)
    return Abbreviations(words, pattern)


def texts(name: str, value: Any, problems: Problems) -> list[str]:
    """Return a list of words."""
    if isinstance(value, list) and all(
        isinstance(item, (str, int)) and not isinstance(item, bool) for item in value
    ):
        return [str(item) for item in value]
    problems.add(name, "must be a list of words; put yes and no in quotes")
    return []


def words(name: str, value: Any, problems: Problems) -> re.Pattern[str]:
    """Return what finds one of the words in a name's identity: whole words, a ``*`` stands for more of the word."""
    patterns = []
    for word in texts(name, value, problems):
        pieces = [slug(piece) for piece in word.split("*")]
        if any(pieces):
            patterns.append("[^-]*".join(map(re.escape, pieces)))
        else:
            problems.add(
                name, f"holds {word!r}, which has no letter and would be in every name; delete the line"
            )
    return re.compile(rf"(?<![^-])(?:{'|'.join(patterns) or '(?!)'})(?![^-])")


def spellings(section: Any, problems: Problems) -> dict[str, str]:
    """Return the one name of each listed insurer, by the identity of each of its spellings."""
    if not isinstance(section, dict):
        problems.add("insurers.spellings", "must hold lines such as Medibank Private: [Medibank]")
        return {}
    names: dict[str, str] = {}
    for name, others in section.items():
        for spelling in (name, *texts(f"insurers.spellings.{name}", others or [], problems)):
            where = f"insurers.spellings.{name}"
            if not slug(spelling):
                problems.add(where, f"holds {spelling!r}, which has no letter; delete it")
            elif names.setdefault(slug(spelling), name) != name:
                problems.add(
                    where,
                    f'holds "{spelling}", which is also {names[slug(spelling)]}; leave it with one insurer',
                )
    return names
