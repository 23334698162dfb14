"""The clinic's own patient fields as HighLevel fields of their own type, on the contact or on the profile."""

from __future__ import annotations

import hashlib
import re
import string
from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from cliniko_to_highlevel.formats import date_text, folded
from cliniko_to_highlevel.markup import readable
from cliniko_to_highlevel.streams import custom

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from cliniko_to_highlevel.row import Row
    from cliniko_to_highlevel.streams import Property

OTHER = "Other"
#: The folder of the profile's fields that are about nothing in particular.
OTHER_FIELDS = "Other"
#: Cliniko's types of custom fields, and HighLevel's.
_TYPES = {
    "text": "TEXT",
    "paragraph": "LARGE_TEXT",
    "date": "DATE",
    "checkboxes": "MULTIPLE_OPTIONS",
    "radiobuttons": "SINGLE_OPTIONS",
}
#: HighLevel can never change the type of a field: the type is part of its name, so that a field whose type is changed in
#: Cliniko becomes another one, and what the first one holds stays.
_SUFFIXES = {
    "TEXT": "text",
    "LARGE_TEXT": "long text",
    "DATE": "date",
    "MULTIPLE_OPTIONS": "choices",
    "SINGLE_OPTIONS": "choice",
}
_CHOICES = frozenset({"MULTIPLE_OPTIONS", "SINGLE_OPTIONS"})
_UNFIT = re.compile(r"[^a-z0-9]+")
#: Of what was typed, these signs are shown, and so many of all.
_SHOWN = frozenset(string.punctuation + " ")
_LONGEST_FORM = 24


class Answer(NamedTuple):
    """What a field says: what was typed, its chosen options, what was typed under *other*, and chosen options without a name."""

    typed: list[str]
    chosen: list[str]
    other: list[str]
    unnamed: list[str]

    @property
    def values(self) -> list[str]:
        """Return all that has a name, one answer after the other."""
        return [*self.typed, *self.chosen, *self.other]


class ClinicField(NamedTuple):
    """A field of the clinic's own: the property that holds it, and the type it has in HighLevel."""

    name: str
    label: str
    kind: str
    options: tuple[str, ...]
    full_label: str

    def property(self) -> Property:
        """Return the property as the stream declares it."""
        options = self.options if self.kind in _CHOICES else None
        told = f"The clinic's own field {self.full_label}."
        return custom(self.label, told, kind=self.kind, options=options, folder=OTHER_FIELDS)

    def read(self, field: Row) -> tuple[str | list[str] | None, list[str]]:
        """Return the field's value, and what of the answer its type cannot hold."""
        typed, chosen, other, unnamed = answer_of(field)
        if self.kind == "MULTIPLE_OPTIONS":
            return [*chosen, *([OTHER] if other else [])] or None, [*typed, *other, *unnamed]
        if self.kind == "SINGLE_OPTIONS":
            picked = chosen or [OTHER for _ in other]
            return next(iter(picked), None), [*typed, *picked[1:], *other, *unnamed]
        if self.kind == "DATE":
            dates = [(_date(text), text) for text in typed]
            best = next((date for date, _ in dates if date), None)
            return best, [*(text for date, text in dates if not date), *chosen, *other, *unnamed]
        return "\n".join([*typed, *chosen, *other]) or None, unnamed


def answer_of(field: Row) -> Answer:
    """Return what a patient's field says."""
    selected = [option for option in field.parts("options") if option.flag("selected")]
    names = [option.text("name") for option in selected]
    other = field.part("other")
    typed = readable(field.text("value"))
    return Answer(
        [typed] if typed else [],
        [name for name in names if name],
        [other.text("value") or OTHER] if other.flag("selected") else [],
        [
            f"(option {option.text('token') or ''} that Cliniko gives no name)"
            for option, name in zip(selected, names, strict=True)
            if not name
        ],
    )


def masked_answer(field: Row) -> str:
    """Return what an answer looks like: its options, which the clinic made, and the form of what was typed."""
    typed, chosen, other, unnamed = answer_of(field)
    return ", ".join([*chosen, *unnamed, *(_form(text) for text in (*typed, *other))])


def _form(text: str) -> str:
    """Return a text with every letter and digit replaced: ``Aa 99-9``."""
    line = " ".join(text.split())
    form = "".join(
        "9"
        if sign.isdigit()
        else ("A" if sign.isupper() else "a")
        if sign.isalpha()
        else sign
        if sign in _SHOWN
        else "·"
        for sign in line[:_LONGEST_FORM]
    )
    return f"{form}…" if len(line) > _LONGEST_FORM else form


def options_of(field: Row) -> list[str]:
    """Return the names of a field's options, each once."""
    return list(dict.fromkeys(name for option in field.parts("options") if (name := option.text("name"))))


def on_contact(fields: Sequence[tuple[str, Row]], taken: Collection[str]) -> list[ClinicField]:
    """Return fields of the contact, given with their sections: HighLevel makes the key of the label, so each needs its own.

    Those that share a label have their section in it, else their mark, all of them: were it by their order, they would change
    places when the clinic changes that.
    """
    labels = [_labels(section, field) for section, field in fields]
    given: dict[int, str] = {}
    used = set(taken)
    for wanted in zip(*labels, strict=True):
        keys = {number: _api_key(label) for number, label in enumerate(wanted) if number not in given}
        shared = Counter(keys.values())
        alone = {number: wanted[number] for number, key in keys.items() if key and shared[key] == 1}
        given |= {number: label for number, label in alone.items() if keys[number] not in used}
        used |= set(keys.values())
    return [
        _on_contact(given.get(number, labels[number][-1]), section, field)
        for number, (section, field) in enumerate(fields)
    ]


def _on_contact(label: str, section: str, field: Row) -> ClinicField:
    kind = _kind(field)
    whole = full_label(section, field.text("name") or "")
    return ClinicField(_api_key(label), label, kind, _options(field, kind), whole)


def _labels(section: str, field: Row) -> tuple[str, str, str]:
    """Return how a field of the contact may be called, the best first; what has no letter of HighLevel's keys is no label."""
    label, kind = field.text("name") or "", _kind(field)
    suffix = "" if kind == "TEXT" else f" ({_SUFFIXES[kind]})"
    marked = f"Cliniko {label}{suffix} {_mark(field, section)}"
    if not _UNFIT.sub("", label.lower()):
        return marked, marked, marked
    return f"Cliniko {label}{suffix}", f"Cliniko {section} {label}{suffix}", marked


def _api_key(label: str) -> str:
    return _UNFIT.sub("_", label.lower()).strip("_")


def on_profile(field: Row, section: str, taken: Collection[str]) -> ClinicField:
    """Return a field of the profile: its name is made of Cliniko's token, because people rename fields."""
    label, kind = field.text("name") or "", _kind(field)
    whole = full_label(section, label)
    shown = whole if not label or folded(label) in taken else label
    name = f"field_{_mark(field, section)}_{_SUFFIXES[kind].replace(' ', '_')}"
    return ClinicField(name, shown or name, kind, _options(field, kind), whole)


def full_label(section: str, label: str) -> str:
    """Return a label as the mapping names it, with its section."""
    return f"{section} / {label}" if section else label


def names_of(section: str, label: str, token: str) -> list[str]:
    """Return by what a mapping may name a field, the surest first, spelled as names are compared."""
    return [folded(name) for name in (token, f"{section} / {label}", label) if name]


def _kind(field: Row) -> str:
    """Return the type in HighLevel; of a type that is newer than this mapping one that holds whatever is in it."""
    options = options_of(field)
    kind = _TYPES.get((field.text("type") or "").casefold(), "MULTIPLE_OPTIONS" if options else "LARGE_TEXT")
    return "LARGE_TEXT" if kind in _CHOICES and not options else kind


def _options(field: Row, kind: str) -> tuple[str, ...]:
    if kind not in _CHOICES:
        return ()
    also = [OTHER] if field.part("other").flag("enabled") else []
    return tuple(dict.fromkeys([*options_of(field), *also]))


def _mark(field: Row, section: str) -> str:
    identity = field.text("token") or full_label(section, field.text("name") or "")
    return hashlib.sha256(identity.encode()).hexdigest()[:8]


def _date(text: str) -> str | None:
    try:
        return date_text(text)
    except ValueError:
        return None
