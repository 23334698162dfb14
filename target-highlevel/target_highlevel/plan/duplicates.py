"""Patients that may be one person, found before a load: by name, birth date and address, phonetic and mistyped ones too.

Nobody is ever merged on it. The clinic looks at each pair in Cliniko and merges there, if it is one person.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter, defaultdict
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations, product
from typing import TYPE_CHECKING

import jellyfish

from target_highlevel.plan.nicknames import one_of_the_other

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

#: A block of so many patients says nothing of any two of them: a clinic's own phone number, the first of January.
_MOST_IN_BLOCK = 60
#: Of more patients of one name some are born on days that look mistyped for each other.
_MOST_BEARERS = 3
#: Names of at least so many letters may differ by one typing error, longer ones by two.
_ONE_ERROR_FROM, _TWO_ERRORS_FROM = 4, 9
#: Birth dates that people type when they know none.
_NO_BIRTH_DATE = re.compile(r"(?:1[0-8]\d\d|190[01]|0\d\d\d)-.*|1970-01-01|2000-01-01")
_NOT_LETTERS = re.compile(r"[^\w]|_")
_NOT_DIGITS = re.compile(r"\D")
#: Numbers are compared by their last digits: one may be typed with the country's code.
_TELLING_DIGITS = 9
_SAME, _SIMILAR, _MISSING = "same birth date", "similar birth date", "birth date missing"


@dataclass(frozen=True, slots=True)
class Person:
    """What is compared of a patient; empty where Cliniko has nothing. Names are also kept by their parts."""

    source_id: str
    first_name: str
    last_name: str
    birth_date: str
    email: str
    phone: str
    street: str
    first_parts: tuple[str, ...] = ()
    last_parts: tuple[str, ...] = ()

    @classmethod
    def of(cls, source_id: str, **values: str | None) -> Person:
        """Bring the values into a form that can be compared: no case, accents, blanks or punctuation."""
        folded = {name: _folded(value or "") for name, value in values.items()}
        birth = values.get("birth_date") or ""
        folded["birth_date"] = "" if _NO_BIRTH_DATE.match(birth) else birth
        folded["phone"] = _NOT_DIGITS.sub("", values.get("phone") or "")[-_TELLING_DIGITS:]
        first, last = (_parts(values.get(name) or "") for name in ("first_name", "last_name"))
        return cls(source_id, **folded, first_parts=first, last_parts=last)


@dataclass(frozen=True, slots=True)
class Pair:
    """Two patients that may be one person, and why."""

    first: str
    second: str
    reasons: tuple[str, ...]


def possible_duplicates(people: Iterable[Person]) -> list[Pair]:
    """Return the pairs of patients that may be one person, in the order of their ids.

    Two patients are a pair when

    - their names agree and their birth dates do, or are mistyped and the name is no common one of the clinic's, or
    - their names are alike and their birth dates agree, or
    - their names are alike, their birth dates mistyped or missing, and an e-mail, phone or street agrees, or
    - their first names, birth dates and an address agree: a surname may have changed.

    Names are alike when each is the other's short form, a part of it, written as it sounds, or mistyped.
    """
    everybody = list(people)
    bearers = Counter((person.first_name, person.last_name) for person in everybody)
    found: dict[tuple[str, str], Pair] = {}
    for first, second in _candidates(everybody):
        key = first.source_id, second.source_id
        rare = bearers[first.first_name, first.last_name] <= _MOST_BEARERS
        if key not in found and (reasons := _reasons(first, second, rare=rare)):
            found[key] = Pair(*key, reasons)
    return [found[key] for key in sorted(found)]


def _candidates(people: Iterable[Person]) -> Iterator[tuple[Person, Person]]:
    """Yield the pairs worth a look: those that share something telling."""
    blocks: defaultdict[tuple[str, ...], list[Person]] = defaultdict(list)
    for person in sorted(people, key=lambda item: item.source_id):
        for key in set(_blocks(person)):
            blocks[key].append(person)
    for block in blocks.values():
        if len(block) <= _MOST_IN_BLOCK:
            yield from combinations(block, 2)


def _blocks(person: Person) -> Iterator[tuple[str, ...]]:
    """Yield what a patient may share with another one; names only together with a part of the birth date."""
    for name in ("email", "phone", "street"):
        if value := getattr(person, name):
            yield name, value
    birth = person.birth_date
    if birth:
        yield "birth date", birth
        yield "birth digits", "".join(sorted(birth))  # two digits, or day and month, swapped
    if person.first_name and person.last_name:
        sounds = sorted(_sound(name) for name in (person.first_name, person.last_name))
        for part in (birth[:4], birth[5:]):  # one error is in the year, or in day and month
            yield "name", part, *sorted((person.first_name, person.last_name))
            yield "sound", part, *sounds


def _reasons(first: Person, second: Person, *, rare: bool) -> tuple[str, ...]:
    birth = _births(first.birth_date, second.birth_date)
    if not birth:
        return ()
    shared = tuple(
        f"same {word}"
        for attribute, word in (("email", "e-mail"), ("phone", "phone"), ("street", "street"))
        if getattr(first, attribute) and getattr(first, attribute) == getattr(second, attribute)
    )
    name = _names(first, second)
    if not name and birth == _SAME and shared and _alike_first(first, second):
        name = "same first name"
    namesake = name == "same name" and birth == _SIMILAR and rare
    told = bool(name) and (birth == _SAME or bool(shared) or namesake)
    return (name, birth, *shared) if told else ()


def _names(first: Person, second: Person) -> str:
    """Return how the names of two people agree; empty when they do not."""
    mine, other = (first.first_name, first.last_name), (second.first_name, second.last_name)
    if not all(mine) or not all(other):
        return ""
    if mine == other:
        return "same name"
    if mine == other[::-1]:
        return "names swapped"
    if _alike_first(first, second) and _alike(first.last_parts, second.last_parts):
        return "similar name"
    if _alike(first.first_parts, second.last_parts) and _alike(first.last_parts, second.first_parts):
        return "names swapped"
    return ""


def _alike_first(first: Person, second: Person) -> bool:
    """Return whether two first names may be one person's, short forms and initials included."""
    mine, other = first.first_parts, second.first_parts
    if not mine or not other:
        return False
    if len(mine[0]) == 1 or len(other[0]) == 1:
        return mine[0][0] == other[0][0]
    return one_of_the_other(mine[0], other[0]) or _alike(mine, other)


def _alike(mine: tuple[str, ...], other: tuple[str, ...]) -> bool:
    """Return whether two names may be one: as a whole, or one a part of the other (a second name, half of a double name)."""
    one, two = "".join(mine), "".join(other)
    if _alike_words(one, two):
        return True
    if len(mine) == len(other):
        return False
    return any(
        _alike_words(*pair) for pair in product(mine, other) if min(map(len, pair)) >= _ONE_ERROR_FROM - 1
    )


def _alike_words(one: str, two: str) -> bool:
    """Return whether two words may be one: mistyped, shortened or written as they sound."""
    if one == two or (_sound(one) and _sound(one) == _sound(two)):
        return True
    shorter = min(len(one), len(two))
    if shorter < _ONE_ERROR_FROM - 1:
        return False
    if one.startswith(two) or two.startswith(one):
        return True
    if shorter < _ONE_ERROR_FROM:
        return False
    errors = 2 if shorter >= _TWO_ERRORS_FROM else 1
    return jellyfish.damerau_levenshtein_distance(one, two) <= errors


def _births(one: str, two: str) -> str:
    """Return how two birth dates agree; empty when they differ."""
    if not one or not two:
        return _MISSING
    if one == two:
        return _SAME
    mistyped = jellyfish.damerau_levenshtein_distance(one, two) == 1
    swapped = one[:4] == two[:4] and one[5:7] == two[8:10] and one[8:10] == two[5:7]
    return _SIMILAR if mistyped or swapped else ""


@lru_cache(maxsize=65536)
def _sound(name: str) -> str:
    return jellyfish.metaphone(name) if name.isascii() else name


def _parts(text: str) -> tuple[str, ...]:
    """Return the words of a name; a word that is no letter is none."""
    return tuple(word for piece in re.split(r"[\s\-,./()]+", text) if (word := _folded(piece)))


def _folded(text: str) -> str:
    plain = "".join(item for item in unicodedata.normalize("NFKD", text) if not unicodedata.combining(item))
    return _NOT_LETTERS.sub("", plain.casefold())
