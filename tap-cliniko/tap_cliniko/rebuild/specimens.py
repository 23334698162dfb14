"""One text of each kind of message that shows the clinic's words and nobody's data: pure.

A word is shown only when messages to several patients have it. What a person or a booking put into the text becomes the
merge field that HighLevel has for it, where there is one.
"""

from __future__ import annotations

import html
import re
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

LEAST_PATIENTS = 3
"""A word, and a specimen, needs messages to so many patients."""

_LEAST_SHARE = 0.05
_HIDDEN = "[…]"
_BLOCK = re.compile(r"<(?:br|/p|/div|/li|/h\d)\b[^>]*>", re.IGNORECASE)
_TAG = re.compile(r"<[^>]*>")
_PATTERNS = (
    (re.compile(r"(?:https?://|www\.)\S+", re.IGNORECASE), "[link]"),
    (re.compile(r"[^\s@]+@[^\s@]+\.[^\s@]+"), "[e-mail]"),
    (re.compile(r"\b\d{1,2}(?:[:.]\d\d)?\s?[ap]\.?m\b\.?|\b\d{1,2}:\d\d\b", re.IGNORECASE), "[time]"),
    (
        re.compile(
            r"\b(?:(?:mon|tues|wednes|thurs|fri|satur|sun)day|january|february|march|april|june|july|august"
            r"|september|october|november|december)\b",
            re.IGNORECASE,
        ),
        "[date]",
    ),
    (re.compile(r"(?<![\w\[])\S*\d\S*"), "[number]"),
)
_TOKEN = re.compile(r"\{\{[^}]*\}\}|\[[^\]\s]*\]|\s+|[^\s\[{]+|[\[{]")
_STANDS_FOR = re.compile(r"\{\{.*\}\}|\[.*\]")
_WORD = re.compile(r"\w")


@dataclass(frozen=True, slots=True)
class Message:
    """A message that was sent: to whom, its words, and values in it with what to write instead."""

    patient: str
    subject: str
    content: str
    known: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Specimen:
    """A text with everything personal taken out, and to how many patients such messages went."""

    subject: str
    text: str
    patients: int


def specimen(messages: Sequence[Message]) -> Specimen | None:
    """Return the text that most messages have in common; none where too few patients got one."""
    patients = len({each.patient for each in messages})
    if patients < LEAST_PATIENTS:
        return None
    subjects = _masked([(each.patient, _replaced(each.subject, each.known)) for each in messages])
    texts = _masked([(each.patient, _replaced(_plain(each.content), each.known)) for each in messages])
    (subject, text), _ = min(
        Counter(zip(subjects, texts, strict=True)).items(),
        key=lambda item: (-item[1], item[0][1].count(_HIDDEN), item[0]),
    )
    return Specimen(subject, text, patients)


def _plain(content: str) -> str:
    text = html.unescape(_TAG.sub("", _BLOCK.sub("\n", content)))
    lines = (" ".join(line.split()) for line in text.splitlines())
    return "\n".join(line for line in lines if line)


def _replaced(text: str, known: Mapping[str, str]) -> str:
    stands_for = {value.casefold(): field for value, field in known.items() if value.strip()}
    if stands_for:
        # all at once: a merge field has words in it that may be somebody's name
        longest_first = "|".join(
            re.escape(value) for value in sorted(known, key=len, reverse=True) if value.strip()
        )
        text = re.sub(
            rf"(?<!\w)(?:{longest_first})(?!\w)",
            lambda found: stands_for.get(found[0].casefold(), _HIDDEN),
            text,
            flags=re.IGNORECASE,
        )
    for pattern, replacement in _PATTERNS:
        text = pattern.sub(replacement, text)
    return text


def _masked(texts: Sequence[tuple[str, str]]) -> list[str]:
    """Hide the words that too few patients got."""
    holders = defaultdict[str, set[str]](set)
    for patient, text in texts:
        for token in _TOKEN.findall(text):
            holders[token.casefold()].add(patient)
    least = max(LEAST_PATIENTS, len({patient for patient, _ in texts}) * _LEAST_SHARE)
    return [
        _hide(text, {token for token, patients in holders.items() if len(patients) >= least})
        for _, text in texts
    ]


def _hide(text: str, shown: set[str]) -> str:
    parts: list[str] = []
    for token in _TOKEN.findall(text):
        keep = not _WORD.search(token) or _STANDS_FOR.fullmatch(token) or token.casefold() in shown
        parts.append(token if keep else _HIDDEN)
    # a run of hidden words is one gap, so that their number tells nothing either
    return re.sub(rf"{re.escape(_HIDDEN)}(?:\s+{re.escape(_HIDDEN)})+", _HIDDEN, "".join(parts))
