"""A mapping file ready to be confirmed: what the mapping in use decides, each custom field by its name."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any, NamedTuple

import yaml

from cliniko_to_highlevel import mapping as clinic
from cliniko_to_highlevel.mapping_checks import PLACES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from cliniko_to_highlevel.recognition import Decision

_HEAD = """\
# Proposed by the plan: where each custom field of this Cliniko account goes. Nothing was written.
#
# Read the lines under `named`, correct what is wrong, keep the file, and set TARGET_HIGHLEVEL_MAPPING to
# its path. It maps as the plan did, but for two things: where patients' answers name another place than the labels do, the
# line proposes that place and says so; and a field that is named here takes every answer, also one that does not look
# right for its place (a date as an insurer), which the plan kept with its label instead.
# Confidence is high when two kinds of evidence agree and none speaks against: read those lines that are medium or none.
# What is not in it is taken from the shipped mapping.
"""
_PLACES = ", ".join(PLACES)


class Line(NamedTuple):
    """One custom field: where it goes, and what a person needs to know to confirm it."""

    name: str
    judged: Decision
    until_confirmed: str
    filled: str


def text(mapping_path: str | None, lines: Iterable[Line]) -> str:
    """Return the file: the clinic's own parts as they are, and every custom field with its place.

    Raises:
        MappingError: the clinic's own file cannot be read.
    """
    own = clinic.own_parts(mapping_path)
    fields = {
        name: value for name, value in (own.pop("custom_fields", None) or {}).items() if name != "named"
    }
    head = _HEAD + textwrap.fill(
        f"A field can go to: {_PLACES}.", 108, initial_indent="# ", subsequent_indent="# "
    )
    body = "".join(_named(list(lines)))
    more = textwrap.indent(_yaml(fields), "  ") if fields else ""
    return f"{head}\n\n{_yaml(own) if own else ''}custom_fields:\n{body}{more}"


def _named(lines: list[Line]) -> Iterator[str]:
    if not lines:
        yield "  named: {}\n"
        return
    yield "  named:\n"
    for line in lines:
        judged = line.judged
        why = f"{judged.decided_by}; confidence: {judged.confidence}; filled for {line.filled} patients"
        if judged.target != line.until_confirmed:
            why += f"; a load without this line takes it as {line.until_confirmed}"
        yield f"    # {why}\n    {_quoted(line.name)}: {judged.target}\n"


def _quoted(name: str) -> str:
    """Return a name that YAML reads as the same text, whatever is in it."""
    quoted: str = yaml.safe_dump(name, default_style='"', allow_unicode=True, width=10_000)
    return quoted.strip()


def _yaml(content: dict[str, Any]) -> str:
    written: str = yaml.safe_dump(content, allow_unicode=True, sort_keys=False)
    return written
