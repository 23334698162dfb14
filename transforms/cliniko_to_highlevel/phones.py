"""Phone numbers: from what a receptionist typed to E.164, the form HighLevel needs. No digit is ever guessed."""

from __future__ import annotations

import html
import re
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import phonenumbers
from phonenumbers import Leniency, PhoneNumberMatcher

from cliniko_to_highlevel.formats import plain_characters, told_date

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cliniko_to_highlevel.row import Row

#: Which of several numbers becomes the contact's phone: one that takes text messages first, of an unknown kind last, a fax never.
_PREFERENCE = {"mobile": 0, "home": 1, "work": 2}
_FAX = "fax"
#: What phonenumbers calls a number's country when it has to stand in the number itself.
_NO_COUNTRY = "ZZ"
#: Fewer prove nothing about two forms of a number.
_FEWEST_DIGITS = 5
#: What parts two numbers typed into one field.
_BETWEEN = re.compile(r"[;,|&/\n]|\b(?:or|and)\b", re.IGNORECASE)
#: What may stand between the digits of one number, and does not part it from the next one.
_INSIDE = " \t()-.\xa0"
_ONE_NUMBER = re.compile(r"\+?[\d\s().-]+")
#: A sign that parts two numbers, or stands inside of one: ``030/23125-012``, ``0491/570/006``.
_STROKED = re.compile(r"\+?[\d\s().-]+(?:[/\\:~*][\d\s().-]+)*")
#: Where a second number may begin.
_GAP = re.compile(r"[\s-]+(?=[+(\d])|(?<=\d)(?=[+(])")
_STROKE = re.compile(r"[/\\:~*]")
#: A label or a remark glued to a number: ``mob0491…``, ``…006wife``. Letters between digits are no such thing.
_LABEL = re.compile(r"(?<![^\W_])([a-z]{2,}|[chmptw])(?=[+(]?\d)", re.IGNORECASE)
_REMARK = re.compile(r"(?<=\d)(?!x|ext)([a-z]{3,}|[chmw])(?![^\W_])", re.IGNORECASE)
#: A letter in the middle of digits, which are then no number, whoever leaves it out; an extension is no such letter.
_BROKEN = re.compile(r"(?<=\d)(?!x|ext)[^\W\d_]+(?=\d)", re.IGNORECASE)
#: Digits that are no number to call: an hour or a rank (``9am``, ``5:30 pm``, ``17:00``, ``2nd``), hours (``9-5``), a day
#: (``12/03/24``), a place in a list (``1.``), one digit that belongs to a word (``Unit 4 03 9876 5432``), an e-mail address.
_NO_NUMBER = re.compile(
    r"(?<![\d:.])\d{1,2}(?:(?:[:.]\d\d)?\s*[ap]\.?m\b|:\d\d(?![\d:])|(?:st|nd|rd|th)\b)\.?"
    r"|(?<![^\s(\[])\d{1,2}[-/]\d{1,2}(?![^\s)\],;.])"
    r"|(?<![\d/.-])\d{1,2}([/.-])\d{1,2}\1(?:19|20)?\d\d(?![\d/.-])"
    r"|(?<!\S)(?:#\d|\d[.)])(?=\s)"
    r"|(?<=[^\W\d_]\s)\d(?=\s+(?:\(?0|\+))"
    r"|[^\s,;<>]+@[^\s,;<>]+\.[a-z]+",
    re.IGNORECASE,
)
#: A number of a fax, and of nothing else: ``Fax 03 9876 5432``, not ``Ph/Fax 03 9876 5432``.
_FAXED = re.compile(
    r"(?<![/&])(?<![/&] )\bf(?:ax|acsimile)?\b[^\d+(&,;|/\n]{0,9}\+?[\d\s().-]{6,20}\d"
    r"|\+?[\d\s().-]{6,20}\d\s*[(\[]?\s*f(?:ax)?\b(?![\s:.#-]*[\d+(])",
    re.IGNORECASE,
)
#: A longer text holds no number that could be told from the other digits in it.
_LONGEST_TEXT = 1000
#: Signs that some type between the digits of one number, and a whole number in groups that commas part.
_BETWEEN_DIGITS = re.compile(r"(?<=\d)[_\u00b7\u2022\u2027](?=\d)")
_COMMAS = re.compile(r"\+?\d{1,4}(?:, ?\d{3,4}){1,3}")
#: A number that went through a spreadsheet: ``4.9157011E8``, ``61491570110.0``, ``491,570,110``.
_FLOAT = re.compile(r"([1-9])(?:[.,](\d+))?e\+?(\d{1,3})", re.IGNORECASE)
_WHOLE_FLOAT = re.compile(r"(\+?\d{7,15})[.,]0{1,2}")
_GROUPED = re.compile(r"\d{1,3}(?:,\d{3}){2,4}(?:\.0{1,2})?")
_INTERNATIONAL_PREFIX = "00"


class _Number(NamedTuple):
    """One number as Cliniko has it."""

    kind: str
    text: str
    normalized: str | None


class Phones(NamedTuple):
    """The numbers of one person: the one for HighLevel, the one to show, and all of them as typed."""

    e164: str | None
    shown: str | None
    listed: str | None

    @property
    def unusable(self) -> bool:
        """Return whether a telephone number was typed, and none can be dialled."""
        return self.shown is not None and self.e164 is None


@lru_cache(maxsize=131072)
def e164(number: str, normalized: str | None, decided: str | None, countries: tuple[str, ...]) -> str | None:
    """Return the first number of a text in E.164, or None when there is none that is valid.

    A number typed without a country is one in the country that the clinic decided on; else the one that Cliniko made of it with
    what it knows of the patient (its normalised form is E.164 without the plus sign); else one in the first of the countries
    where it is valid. Cliniko's form alone counts only where no number was typed at all.
    """
    known_digits = "".join(filter(str.isdecimal, normalized or ""))
    text = _written_out(plain_characters(html.unescape(number)), known_digits)
    if text is None or len(text) > _LONGEST_TEXT:
        return None
    text, faxes = _FAXED.subn(" ", text)
    known = _valid(f"+{known_digits}", _NO_COUNTRY) if known_digits else None
    typed = [digits for part in _BETWEEN.split(text) if (digits := "".join(filter(str.isdecimal, part)))]
    if known and not any(len(digits) >= _FEWEST_DIGITS for digits in typed):
        return None if faxes else known
    if known and (
        _BROKEN.search(text) or not any(_is_of(known, digits, text, countries) for digits in typed)
    ):
        known = None
    found = next(_found(text, decided or _NO_COUNTRY), None) or known
    return found or next((valid for country in countries for valid in _found(text, country)), None)


def _written_out(text: str, known_digits: str) -> str | None:
    """Return the digits of a number that a spreadsheet has turned into an amount or a float; None when some are lost.

    A spreadsheet leaves zeros at the end out, and may have rounded: one missing digit is taken for such a zero where Cliniko's
    own form says so too.
    """
    text = _BETWEEN_DIGITS.sub(" ", text)
    if _COMMAS.fullmatch(text.strip()):
        return text.replace(",", " ")
    compact = "".join(text.split()).strip("'\"=")
    if whole := _WHOLE_FLOAT.fullmatch(compact):
        return whole[1]
    if _GROUPED.fullmatch(compact):
        return compact.partition(".")[0].replace(",", "")
    match = _FLOAT.fullmatch(compact)
    if not match:
        return text
    digits, missing = match[1] + (match[2] or ""), int(match[3]) - len(match[2] or "")
    if missing < 0 and not digits[missing:].strip("0"):
        digits, missing = digits[:missing], 0
    if missing == 0 or (missing == 1 and known_digits.endswith(f"{digits}0")):
        return digits + "0" * missing
    return None


def _is_of(known: str, digits: str, text: str, countries: tuple[str, ...]) -> bool:
    """Return whether Cliniko's form is of the number as it was typed: it ends with the same digits, but for zeros in front.

    Where it is exactly what was typed Cliniko has added no country, and the first digits need not be one.
    """
    national = digits.lstrip("0")
    if len(national) < _FEWEST_DIGITS or not known.endswith(national):
        return False
    if f"+{digits}" != known or text.lstrip().startswith("+"):
        return True
    return phonenumbers.region_code_for_number(phonenumbers.parse(known)) in countries


def _found(text: str, country: str) -> Iterator[str]:
    """Yield the valid numbers of a text, in E.164: each stands alone, not as a part of a longer row of digits."""
    stroked = _STROKED.fullmatch(text.strip())
    whole = _valid(_STROKE.sub(" ", text), country) if stroked and not told_date(text) else None
    if whole:
        yield whole
        return
    for part in _BETWEEN.split(_NO_NUMBER.sub(" ", text)):
        spaced = _REMARK.sub(r" \1", _LABEL.sub(r"\1 ", part))
        alone = spaced.strip(" .-")
        if _ONE_NUMBER.fullmatch(alone):
            yield from _of_digits(alone, country)
        else:
            yield from _in_words(spaced, country)


def _of_digits(text: str, country: str) -> Iterator[str]:
    """Yield the number that a text of digits is, else the numbers that it is one after the other."""
    whole = _valid(text, country)
    if whole is None and text.startswith(_INTERNATIONAL_PREFIX):
        whole = _valid(f"+{text.removeprefix(_INTERNATIONAL_PREFIX)}", _NO_COUNTRY)
    if whole:
        yield whole
        return
    for gap in _GAP.finditer(text):
        first = _valid(text[: gap.start()], country)
        others = [*_of_digits(text[gap.end() :], country)] if first else []
        if first and others:
            yield from (first, *others)
            return


def _in_words(text: str, country: str) -> Iterator[str]:
    for match in PhoneNumberMatcher(text, country, leniency=Leniency.POSSIBLE, max_tries=100):
        before, after = text[: match.start].rstrip(_INSIDE)[-1:], text[match.end :].lstrip(_INSIDE)[:1]
        touched = text[max(0, match.start - 1) : match.start] + text[match.end : match.end + 1]
        if before.isdecimal() or after.isdecimal() or any(char.isalnum() for char in touched):
            continue
        if phonenumbers.is_valid_number(match.number):
            yield _written(match.number)


def _valid(text: str, country: str) -> str | None:
    try:
        number = phonenumbers.parse(text, country)
    except phonenumbers.NumberParseException:
        return None
    return _written(number) if phonenumbers.is_valid_number(number) else None


def _written(number: phonenumbers.PhoneNumber) -> str:
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def phones(row: Row, field: str, decided: str | None, countries: Sequence[str | None]) -> Phones:
    """Return a person's numbers; those without a country are of the decided one, else of the others, in their order."""
    known = tuple(dict.fromkeys(country for country in countries if country))
    numbers = [number for part in row.parts(field) if (number := _typed(part))]
    usable = sorted((number for number in numbers if _FAX not in number.kind.casefold()), key=_preference)
    valid = (e164(number.text, number.normalized, decided, known) for number in usable)
    best = next((text for text in valid if text), None)
    return Phones(
        e164=best,
        shown=best or next((number.text for number in usable), None),
        listed="\n".join(f"{number.kind}: {number.text}" for number in numbers) or None,
    )


def _typed(part: Row) -> _Number | None:
    normalized = part.text("normalized_number")
    text = part.text("number") or (f"+{normalized.lstrip('+')}" if normalized else None)
    return _Number(part.text("phone_type") or "Other", text, normalized) if text else None


def _preference(number: _Number) -> int:
    return _PREFERENCE.get(number.kind.casefold(), len(_PREFERENCE))
