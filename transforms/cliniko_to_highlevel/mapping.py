"""The part of the mapping a clinic decides: ``mapping.yml``, read and checked in one go."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cliniko_to_highlevel import mapping_checks as checks
from cliniko_to_highlevel import mapping_file
from cliniko_to_highlevel.errors import MappingError
from cliniko_to_highlevel.formats import slug, without_dots
from cliniko_to_highlevel.mapping_checks import FIELD_TARGETS, IGNORE, KEEP
from cliniko_to_highlevel.mapping_file import SHIPPED, Problems

if TYPE_CHECKING:
    import re
    from collections.abc import Mapping

    from cliniko_to_highlevel.mapping_checks import Abbreviations, FieldRule

__all__ = ["FIELD_TARGETS", "IGNORE", "KEEP", "SHIPPED", "ClinicMapping", "load", "own_parts"]

#: HighLevel's searches take values of 75 characters.
_LONGEST_IDENTITY = 75 - len("insurers/")


@dataclass(frozen=True, slots=True)
class ClinicMapping:
    """The clinic's decisions."""

    default_country: str | None
    time_zone: str | None
    moves: Mapping[str, bool]
    oldest: Mapping[str, str | None]
    owners: Mapping[str, str]
    keeps: Mapping[str, list[str]]
    consent: Mapping[str, bool]
    tags: Mapping[str, str]
    named_fields: Mapping[str, str]
    field_rules: tuple[FieldRule, ...]
    abbreviations: Abbreviations
    insurer_words: re.Pattern[str]
    not_insurers: frozenset[str]
    words_of_no_insurer: frozenset[str]
    insurer_names: Mapping[str, str]

    def tag(self, *kinds: str) -> list[str]:
        """Return the tags of these kinds, without those the clinic switched off."""
        return [self.tags[kind] for kind in kinds if self.tags.get(kind)]

    @property
    def leaves_invoices(self) -> bool:
        """Return whether an invoice may be left behind, and its items with it."""
        moves = self.moves["archived_patients"] and self.moves["deleted_records"]
        return not moves or self.oldest["oldest_invoice"] is not None

    def names_nobody(self, name: str) -> bool:
        """Return whether what stands for an insurer names none: it is in the clinic's list, or says only how somebody pays."""
        identity = slug(without_dots(name))
        if identity in self.not_insurers or slug(name) in self.not_insurers:
            return True
        words = identity.split("-")
        of_nobody = self.words_of_no_insurer.issuperset(words) and len(words[-1]) > 1  # *Fund A* has a name
        return of_nobody and identity not in self.insurer_names

    def spelled_out(self, text: str) -> str:
        """Return a label, or the name of a section, with its abbreviations written out: *Memb #* is *member #*."""
        return self.abbreviations.spelled_out(text)

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
    shipped = mapping_file.shipped()
    own = mapping_file.read(Path(path)) if path else {}
    problems = Problems()
    sections = {
        name: mapping_file.merged(name, value, own.get(name), problems) for name, value in shipped.items()
    }
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
    return mapping_file.read(Path(path)) if path else {}


def _checked(sections: Mapping[str, Any], problems: Problems) -> ClinicMapping:
    fields, insurers, move = sections["custom_fields"], sections["insurers"], sections["move"]
    return ClinicMapping(
        default_country=checks.country(sections["default_country"], problems),
        time_zone=checks.time_zone(sections["time_zone"], problems),
        moves=checks.switches(
            "move", {name: value for name, value in move.items() if name not in checks.DAYS}, problems
        ),
        oldest=checks.days(move, problems),
        owners=checks.owners(sections["owners"], problems),
        keeps=checks.keeps(sections["keeps"], problems),
        consent=checks.switches("consent", sections["consent"], problems),
        tags=checks.tags(sections["tags"], problems),
        named_fields=checks.named_fields(fields["named"], problems),
        field_rules=checks.field_rules(fields["recognise"], problems),
        abbreviations=checks.abbreviations(fields["abbreviations"], problems),
        insurer_words=checks.words("insurers.words", insurers["words"], problems),
        not_insurers=frozenset(
            slug(word)
            for word in checks.texts("insurers.not_an_insurer", insurers["not_an_insurer"], problems)
        ),
        words_of_no_insurer=frozenset(
            part
            for word in checks.texts(
                "insurers.words_of_no_insurer", insurers["words_of_no_insurer"], problems
            )
            for part in slug(word).split("-")
        ),
        insurer_names=checks.spellings(insurers["spellings"], problems),
    )
