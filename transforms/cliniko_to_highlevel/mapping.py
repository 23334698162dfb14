"""The part of the mapping a clinic decides: ``mapping.yml``, read and checked in one go."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import phonenumbers
import yaml

from cliniko_to_highlevel.errors import MappingError
from cliniko_to_highlevel.formats import slug, zone

if TYPE_CHECKING:
    from collections.abc import Mapping

_PACKAGE = Path(__file__).parent
#: In an installed package the file lies beside the modules; in a checkout one folder up, for people to find.
SHIPPED = next(
    (path for path in (_PACKAGE / "mapping.yml", _PACKAGE.parent / "mapping.yml") if path.is_file()),
    _PACKAGE / "mapping.yml",
)

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
KEEP, IGNORE = "keep", "ignore"
#: HighLevel's searches take values of 75 characters.
_LONGEST_IDENTITY = 75 - len("insurers/")


@dataclass(frozen=True, slots=True)
class FieldRule:
    """Custom fields whose label fits the pattern, in sections whose name fits theirs, fill this field of the profile."""

    target: str
    labels: re.Pattern[str]
    sections: re.Pattern[str] | None = None

    def fits(self, section: str, label: str) -> bool:
        """Return whether a custom field is one of these."""
        return bool(self.labels.search(label) and (not self.sections or self.sections.search(section)))


@dataclass(frozen=True, slots=True)
class ClinicMapping:
    """The clinic's decisions."""

    default_country: str | None
    time_zone: str | None
    moves: Mapping[str, bool]
    consent: Mapping[str, bool]
    tags: Mapping[str, str]
    named_fields: Mapping[str, str]
    field_rules: tuple[FieldRule, ...]
    insurer_words: re.Pattern[str]
    not_insurers: frozenset[str]
    insurer_names: Mapping[str, str]

    def tag(self, *kinds: str) -> list[str]:
        """Return the tags of these kinds, without those the clinic switched off."""
        return [self.tags[kind] for kind in kinds if self.tags.get(kind)]

    def insurer_identity(self, name: str) -> str:
        """Return what tells an insurer from others; the spellings that the clinic listed are one.

        A very long one is cut and told from others by a hash: HighLevel could not be searched for it otherwise.
        """
        listed = self.insurer_names.get(slug(name))
        identity = slug(listed or name)
        if len(identity) <= _LONGEST_IDENTITY:
            return identity
        mark = hashlib.sha256(identity.encode()).hexdigest()[:12]
        return f"{identity[: _LONGEST_IDENTITY - len(mark) - 1]}-{mark}"


def load(path: str | None = None) -> ClinicMapping:
    """Return the clinic's mapping: the shipped file, with the parts that the named file replaces.

    Raises:
        MappingError: the file cannot be read or says something impossible; the text lists every problem.
    """
    shipped = _read(SHIPPED)
    own = _read(Path(path)) if path else {}
    problems = _Problems()
    sections = {name: _merged(name, value, own.get(name), problems) for name, value in shipped.items()}
    for name in sorted(set(own) - set(shipped), key=str):
        problems.add(str(name), f"is no part of a mapping; the parts are {', '.join(shipped)}")
    mapping = _checked(sections, problems)
    if problems.found:
        where = path or "mapping.yml"
        msg = f"{where}: {'; '.join(problems.found)}"
        raise MappingError(msg)
    return mapping


def own_parts(path: str | None) -> dict[str, Any]:
    """Return what the clinic's own file says, without the parts it leaves to the shipped one.

    Raises:
        MappingError: the file cannot be read.
    """
    return _read(Path(path)) if path else {}


def text(path: str | None) -> str:
    """Return all that decides what the mapping says: the shipped file and the clinic's own, as they stand.

    Raises:
        MappingError: a file cannot be read.
    """
    return "\n".join(_text(file) for file in (SHIPPED, Path(path) if path else None) if file)


class _Problems:
    """Collects every problem, so that a person mends the file once."""

    def __init__(self) -> None:
        self.found: list[str] = []

    def add(self, field: str, what: str) -> None:
        self.found.append(f"{field} {what}")


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        msg = f"{path}: the mapping cannot be read ({error.strerror}); give the path of an existing file"
        raise MappingError(msg) from None


def _read(path: Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(_text(path))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        mark = getattr(error, "problem_mark", None)
        line = f" near line {mark.line + 1}" if mark else ""
        msg = f"{path}: the mapping is not valid YAML{line}; compare it with the shipped mapping.yml"
        raise MappingError(msg) from None
    if content is None:
        return {}
    if not isinstance(content, dict):
        msg = f"{path}: the mapping must be a list of named parts, such as default_country"
        raise MappingError(msg)
    return content


def _merged(name: str, shipped: Any, own: Any, problems: _Problems) -> Any:
    """Return one part: the clinic's own lines over the shipped ones."""
    if own is None:
        return shipped
    if not isinstance(shipped, dict):
        return own
    if not isinstance(own, dict):
        problems.add(name, f"must hold named lines ({', '.join(shipped)})")
        return shipped
    for unknown in sorted(set(own) - set(shipped), key=str):
        problems.add(f"{name}.{unknown}", f"is unknown; {name} holds {', '.join(shipped)}")
    return {key: own.get(key, value) for key, value in shipped.items()}


def _checked(sections: Mapping[str, Any], problems: _Problems) -> ClinicMapping:
    fields, insurers = sections["custom_fields"], sections["insurers"]
    return ClinicMapping(
        default_country=_country(sections["default_country"], problems),
        time_zone=_zone(sections["time_zone"], problems),
        moves=_switches("move", sections["move"], problems),
        consent=_switches("consent", sections["consent"], problems),
        tags=_tags(sections["tags"], problems),
        named_fields=_named_fields(fields["named"], problems),
        field_rules=_field_rules(fields["recognise"], problems),
        insurer_words=_words("insurers.words", insurers["words"], problems),
        not_insurers=frozenset(
            slug(word) for word in _texts("insurers.not_an_insurer", insurers["not_an_insurer"], problems)
        ),
        insurer_names=_spellings(insurers["spellings"], problems),
    )


def _country(value: Any, problems: _Problems) -> str | None:
    if value is None:
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


def _zone(value: Any, problems: _Problems) -> str | None:
    if value is None:
        return None
    if isinstance(value, str) and zone(value):
        return value
    problems.add("time_zone", "is no time zone; write one such as Australia/Melbourne, or leave it empty")
    return None


def _switches(name: str, section: Mapping[str, Any], problems: _Problems) -> dict[str, bool]:
    for key, value in section.items():
        if not isinstance(value, bool):
            problems.add(f"{name}.{key}", "must be true or false")
    return {key: value is True for key, value in section.items()}


def _tags(section: Mapping[str, Any], problems: _Problems) -> dict[str, str]:
    tags = {}
    for kind, value in section.items():
        if isinstance(value, str):
            tags[kind] = value.strip().lower()
        elif value is not None:
            problems.add(f"tags.{kind}", "must be a word, or empty for no tag")
    return tags


def _named_fields(section: Any, problems: _Problems) -> dict[str, str]:
    if section is None:
        return {}
    if not isinstance(section, dict):
        problems.add("custom_fields.named", 'must hold lines such as "Health fund": insurer')
        return {}
    allowed = (*FIELD_TARGETS, KEEP, IGNORE)
    for label, target in section.items():
        if target not in allowed:
            problems.add(f"custom_fields.named.{label}", f"goes nowhere; choose one of {', '.join(allowed)}")
    return {str(label): str(target) for label, target in section.items()}


def _field_rules(section: Any, problems: _Problems) -> tuple[FieldRule, ...]:
    rules = []
    for number, rule in enumerate(section if isinstance(section, list) else [section], start=1):
        where = f"custom_fields.recognise, entry {number},"
        if not isinstance(rule, dict) or set(rule) - {"sections"} != {"target", "labels"}:
            problems.add(where, "must hold a target and labels, and may hold sections")
        elif rule["target"] not in FIELD_TARGETS:
            problems.add(where, f"has an unknown target; choose one of {', '.join(FIELD_TARGETS)}")
        else:
            labels = _pattern("labels", rule["labels"], where, problems)
            sections = _pattern("sections", rule["sections"], where, problems) if "sections" in rule else None
            if labels:
                rules.append(FieldRule(rule["target"], labels, sections))
    return tuple(rules)


def _pattern(name: str, text: Any, where: str, problems: _Problems) -> re.Pattern[str] | None:
    """Return a pattern; a list or an empty text would be one that fits every label."""
    if not isinstance(text, str) or not text.strip():
        problems.add(
            where, f"must have one pattern in quotes as {name}, such as '\\bhealth fund\\b|\\binsurer\\b'"
        )
        return None
    try:
        return re.compile(text, re.IGNORECASE)
    except re.error as error:
        problems.add(where, f"has {name} that are no valid pattern ({error.msg})")
        return None


def _texts(name: str, value: Any, problems: _Problems) -> list[str]:
    if isinstance(value, list) and all(
        isinstance(item, (str, int)) and not isinstance(item, bool) for item in value
    ):
        return [str(item) for item in value]
    problems.add(name, "must be a list of words; put yes and no in quotes")
    return []


def _words(name: str, value: Any, problems: _Problems) -> re.Pattern[str]:
    """Return what finds one of the words in a name's identity: whole words, a ``*`` stands for more of the word."""
    patterns = []
    for word in _texts(name, value, problems):
        pieces = [slug(piece) for piece in word.split("*")]
        if any(pieces):
            patterns.append("[^-]*".join(map(re.escape, pieces)))
        else:
            problems.add(
                name, f"holds {word!r}, which has no letter and would be in every name; delete the line"
            )
    return re.compile(rf"(?<![^-])(?:{'|'.join(patterns) or '(?!)'})(?![^-])")


def _spellings(section: Any, problems: _Problems) -> dict[str, str]:
    if not isinstance(section, dict):
        problems.add("insurers.spellings", "must hold lines such as Medibank Private: [Medibank]")
        return {}
    names = {}
    for name, others in section.items():
        for spelling in (str(name), *_texts(f"insurers.spellings.{name}", others or [], problems)):
            names[slug(spelling)] = str(name)
    return names
