"""Phone numbers: from what a receptionist typed to E.164, the form HighLevel needs. No digit is ever guessed."""

from __future__ import annotations

import html
import re
import unicodedata
from functools import cache, lru_cache
from typing import TYPE_CHECKING, NamedTuple

import phonenumbers
from phonenumbers import Leniency, PhoneNumberMatcher

from cliniko_to_highlevel.formats import (
    NOT_THEIRS,
    plain_characters,
    told_date,
    without_other,
    without_percents,
)
from cliniko_to_highlevel.phone_countries import told_countries

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cliniko_to_highlevel.phone_countries import Told
    from cliniko_to_highlevel.row import Row

_MOBILE = "mobile"
#: Which of several numbers becomes the contact's phone: one that takes text messages first, of an unknown kind last, a fax never.
_PREFERENCE = {_MOBILE: 0, "home": 1, "work": 2}
_FAX = "fax"
#: What phonenumbers calls a number's country when it has to stand in the number itself.
_NO_COUNTRY = "ZZ"
#: Fewer prove nothing about two forms of a number.
_FEWEST_DIGITS = 5
#: What parts two numbers typed into one field.
_BETWEEN = re.compile(r"[;,|&/\n]|(?<![^\W\d_])(?:or|and)(?![^\W\d_])", re.IGNORECASE)
#: What may stand between the digits of one number, and does not part it from the next one.
_INSIDE = " \t()-.\xa0"
_ONE_NUMBER = re.compile(r"\+?[\d\s().-]+")
#: Nothing but digits: none of them says what it is, if no number.
_BARE = re.compile(r"\+?[\d ]+")
#: The digits of one number in a text of words.
_WHOLE_RUN = re.compile(r"(?<![\w+@])[+(]*\d[\d \t().-]*(?![\w@])")
#: A sign that parts two numbers, or stands inside of one: ``030/23125-012``, ``0491/570/006``.
_STROKED = re.compile(r"\+?[\d\s().-]+(?:[/\\:~*][\d\s().-]+)*")
#: The like within a text of words.
_STROKED_RUN = re.compile(r"(?<![\w+@.-])\+?\(?\d[\d ().-]*(?:[/\\:~*][ (.-]*\d[\d ().-]*)+(?![\w@])")
#: Where a second number may begin.
_GAP = re.compile(r"[\s.-]+(?=[+(\d])|(?<=\d)(?=[+(])")
_STROKE = re.compile(r"[/\\:~*]")
#: One or two digits behind a complete number are the end of another one, or an extension: ``021 123 456-7``, ``021 123 456/7``.
_ADDED = re.compile(r"(?<!\d)(\d+)\s*[-.(]\s*(\d{1,2})\)?\s*$")
_MOST_ADDED = 2
#: One or two digits that do not go on a row of pairs: ``06 12 34 56 78``.
_FEW = r"(?<![\w:.])(?:(?<!(?<!\d)\d\d )\d\d|\d)(?!\d)"
#: One or two digits before a number that begins with a zero are no part of it, unless they are a country's code.
_FEW_BEFORE = re.compile(r"[(\s]*([1-9]\d?)[\s().-]+0")
#: The like behind a blank, where a word follows.
_FEW_AT_END = re.compile(r"(?<!\d)(\d+)\s+(\d{1,2})$")
_WORD_NEXT = re.compile(r"\s+[^\W\d_]|[%'\"]")
_FEW_BEFORE_WORD = re.compile(rf"\d\s+{_FEW}(?:{_WORD_NEXT.pattern})")
_SIGNS = re.compile(r"[^\d+]+")
_DIGITS = re.compile(r"\d+")
#: Where a dash parts the extension from the number of a house, and both are dialled: Austria, Germany, Luxembourg.
_DIALLED_ON = ("+43", "+49", "+352")
#: Where an area's code is as long as it likes, a number without a zero in front is one in the caller's own area, which only the
#: caller knows; one of more digits than such a number has lost its zero.
_LOCAL = frozenset({"AT", "DE"})
_MOST_LOCAL = 9
#: Where a number has ten digits in such groups, a plus sign in front of them may have been typed for nothing: ``+604-555-0143``
#: is a number in Vancouver, and one in Malaysia.
_OF_TEN_DIGITS = frozenset({"CA", "US"})
_PLUS_BEFORE_TEN = re.compile(r"\+ ?\(?[2-9]\d\d\)?[ .-]*\d{3}[ .-]+\d{4}")
#: A label or a remark glued to a number: ``mob0491…``, ``…006wife``. Letters between digits are no such thing.
_LABEL = re.compile(r"(?<![^\W_])([a-z]{2,}|[chmptw])(?=[+(]?\d)", re.IGNORECASE)
_REMARK = re.compile(r"(?<=\d)(?!x|ext)([a-z]{3,}|[chmw])(?![^\W_])", re.IGNORECASE)
#: A letter in the middle of digits, which are then no number, whoever leaves it out; an extension is no such letter.
_BROKEN = re.compile(r"(?<=\d)(?!x|ext|(?:or|and)\d)[^\W\d_]+(?=\d)", re.IGNORECASE)
#: Digits that are no number to call: an hour or a rank (``9am``, ``5:30 pm``, ``17:00``, ``2nd``), hours (``9-5``), a day
#: (``12/03/24``), a place in a list (``1.``), one digit that belongs to a word (``Unit 4 03 9876 5432``), how many there are of
#: something (``2 kids``), an e-mail address, the number of something else (``Medicare 2123 45670 1``).
_NO_NUMBER = re.compile(
    rf"{_FEW} ?(?:to|till?|until|bis|of) ?\d{{1,2}}(?:\s?[ap]\.?m)?\b"
    rf"|{_FEW}(?=\s?(?:kids?|child(?:ren)?|sons?|daughters?|boys?|girls?|y(?:ea)?rs?|yo|m(?:on)?ths?"
    r"|we?e?ks?|days?|h(?:ou)?rs?|min(?:ute)?s?|rings?|times|o.?clock|Uhr|Kinder)\b)"
    r"|(?<!\w)(?:[01]\d|2[0-3])[0-5]\d(?:\s?(?:-|to)\s?(?:[01]\d|2[0-3])[0-5]\d)?(?=\s?h(?:ou)?rs?\b)"
    r"|(?:(?<=\d{3}\s)|(?<=[(\[]))(?:0[5-9]|1\d)(?:00|15|30|45)\s?(?:-|to)\s?(?:[01]\d|2[0-3])(?:00|15|30|45)(?!\d)"
    r"|(?<![\d:.])\d{1,2}(?:(?:[:.]\d\d)?\s*[ap]\.?m\b|:\d\d(?![\d:])|(?:st|nd|rd|th)\b)\.?"
    r"|(?<![^\s(\[])(?:[1-9]|[12]\d|3[01]|0[1-9](?=[-/]\d\d?(?! ?\d)))[-/](?:0?[1-9]|[12]\d|3[01])"
    r"(?:\s?[ap]\.?m\b)?(?![\w\\:~*+(]|- ?\d|/(?!0\d\d\d))"
    r"|(?<![\d/.-])(?:\d{1,2}([/.-])\d{1,2}\1(?:19|20)?\d\d|(?:19|20)\d\d([/.-])\d{1,2}\2\d{1,2})(?![\d/.-])"
    r"|(?<![^\s/\\~*,;&|+])(?:#\d|\d[.):])(?=\s)"
    r"|(?:(?<=[^\W\d_])|(?<=[^\W\d_]\s))\d(?=[\s:.)-]+(?:\(?0|\+))"
    r"|(?<!\S)(?:[(\[]\d[)\]]|[1-9]\d?[)\]]|\d ?x)(?=\s*(?:\(?0|\+))"
    r"|(?<![\w.:])\d{1,3}(?=\s?%)"
    r"|[^\s,;<>]+@[^\s,;<>]+\.[a-z]+|https?://\S+|(?<!\S)@\S+"
    r"|\b(?:ndis|medicare|nhs|nhi|dva|abn|bsb|ssn|sin|crn|policy|member|claim|file|ref|id|licen[cs]e|mrn|urn?|umrn|irn)\b"
    r"(?: ?(?:no|nr|number)\b)?[ .:#-]*[1-9][\d -]*\d",
    re.IGNORECASE,
)
#: A number of a fax, and of nothing else: ``Fax 03 9876 5432``, not ``Ph/Fax 03 9876 5432``.
_SOME_NUMBER = r"(?<!\d)\+?[\d\s().-]{6,20}\d"
_FAXED = re.compile(
    rf"(?<![/&+])(?<![/&+] )(?<!\b[au]nd )\b(?:f\b|fx\b|(?:tele)?fax(?![^\W\d_])|facsimile\b)[^\d+(&,;|/\n]{{0,9}}{_SOME_NUMBER}"
    rf"|{_SOME_NUMBER}\s*[(\[,:-]?\s*f(?:ax|x)?\b(?![\s:.#)\]-]*[\d+(])",
    re.IGNORECASE,
)
#: In brackets the kind of a number stands behind it (``03 9876 5432 (fax)``), unless the text begins with such a kind.
_FAXED_BEFORE = re.compile(rf"{_SOME_NUMBER}\s*[(\[]\s*f(?:ax)?\s*[)\]]", re.IGNORECASE)
_KIND_FIRST = re.compile(
    r"\W*(?:[a-z]{1,2}|tel|(?:tele)?phone|mob(?:ile)?|home|work|cell|fax|bus(?:iness)?|office)\b",
    re.IGNORECASE,
)
#: One number is read in several ways, and each reading asks the same again.
_PARSED_KEPT = 1024
#: A longer text holds no number that could be told from the other digits in it.
_LONGEST_TEXT = 1000
#: A stroke between the code of an area and the number in it, ``089/123456``, which parts no two numbers.
_AREA_STROKE = re.compile(
    r"(?<![\d/])(?<!\d[ .)-])(\(?0\d{1,5}\)?|(?:\+|00)\d\d[ (0).-]{0,5}[1-9]\d{1,4}) ?/ ?(?=\d)(?!\d\d?/\d{2,4}(?!\d))"
)
_BLANKS = re.compile(r"[ \t\xa0]+")
#: Signs that some type between the digits of one number, and a whole number in groups that commas part.
_BETWEEN_DIGITS = re.compile(r"(?<=\d)[_\u00b7\u2022\u2027\u2044\u2219\u22c5\u25cf\u301c\u30fb](?=\d)")
_COMMAS = re.compile(r"\+?\d{1,4}(?:, ?\d{3,4}){1,3}")
#: A number that went through a spreadsheet: ``4.9157011E8``, ``61491570110.0``, ``491,570,110``.
_FLOAT = re.compile(r"([1-9])(?:[.,](\d+))?e\+?(\d{1,3})", re.IGNORECASE)
_WHOLE_FLOAT = re.compile(r"(\+?\d{7,15})[.,]0{1,2}")
_GROUPED = re.compile(r"\d{1,3}(?:,\d{3}){2,4}(?:\.0{1,2})?")
_INTERNATIONAL_PREFIX = "00"
#: A plus sign that parts two numbers: the one behind it does not begin with the code of a country.
_PLUS_BETWEEN = re.compile(r"(?:(?<=\s)#?\d[.):]\s?|(?<=\d)(?:[ap]m)?[^\w+]{0,3})\+(?=\s|\()", re.IGNORECASE)
#: Fewer before it are no number: ``1. + 61 491 570 006``, ``Ph 1: +(61) 2 9876 5432``.
_FEWEST_BEFORE = 6
#: A place in a list or the digit of a label, at the end of what stands before a plus sign.
_MARK = re.compile(r"(?:^|[\s,;|&/#])[^\W\d_]{0,9}\d$")


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
def e164(
    number: str,
    normalized: str | None,
    decided: str | None,
    countries: tuple[str, ...],
    kind: str | None = None,
) -> str | None:
    """Return the first number of a text in E.164, or None when there is none that is valid.

    A number is one in the country that leads it, or stands beside it in brackets. Else it is one in the country that the clinic
    decided on; else the one that Cliniko made of it with what it knows of the patient (its normalised form is E.164 without the
    plus sign); else one in the first of the countries where it is valid, grouped as there if that is told. A country that is
    otherwise told beside a number decides where it is valid by none of these. Cliniko's form alone counts only where no number
    was typed at all.
    """
    known_digits = _digits(normalized or "")
    text = _written_out(
        plain_characters(_without_notes(html.unescape(without_percents(number)))), known_digits
    )
    if text is None or len(text) > _LONGEST_TEXT:
        return None
    text = _PLUS_BETWEEN.sub(_parted, without_other(_BLANKS.sub(" ", text)))
    text, faxes = _without_faxes(_AREA_STROKE.sub(r"\1-", text))
    if NOT_THEIRS.search(text):
        return None
    known = _valid(f"+{known_digits}", _NO_COUNTRY) if known_digits else None
    text = _with_countries(text, known, tuple(filter(None, (decided, *countries))))
    typed = [digits for part in _BETWEEN.split(text) if (digits := _digits(part))]
    if known and not any(len(digits) >= _FEWEST_DIGITS for digits in typed):
        return None if faxes else known
    if known and (
        _BROKEN.search(text) or not any(_is_of(known, digits, text, countries) for digits in typed)
    ):
        known = None
    if decided and (found := next(_found(text, decided), None)):
        return found
    return _likeliest(text, known, countries, kind)


def _likeliest(text: str, known: str | None, countries: tuple[str, ...], kind: str | None) -> str | None:
    """Return the first number of a text whose country nobody has decided on."""
    whole = next(_found(text, _NO_COUNTRY), None)  # with its country, wherever it stands in the text
    if known:
        leads = whole and whole == next(_found(text, _country(known) or _NO_COUNTRY), None)
        return whole if leads else _as_typed(known, text)
    if len(countries) > 1 and _ends_before_word(text, countries):
        return None
    possible = [first for country in countries if (first := next(_found(text, country), None))]
    if len(set(possible)) <= 1:
        return next(iter(possible), None if countries else whole)
    return min(possible, key=lambda number: _told_against(number, text, kind))


def _ends_before_word(text: str, countries: tuple[str, ...]) -> bool:
    """Return whether digits that a word may claim stand behind a number of one country; in another they may be a part of it."""
    few = _FEW_BEFORE_WORD.search(_without_others(text))
    if few is None:
        return False
    before = few.string[: few.start() + 1]
    return any(next(_found(before, country), None) for country in countries)


def _told_against(number: str, text: str, kind: str | None) -> tuple[bool, bool]:
    """Return what speaks against a number that is valid in its country: how its digits were grouped, then its kind.

    ``0412 345 678`` is a mobile of Australia, grouped as there; in Germany, where the patient lives now, it is valid too.
    """
    national = phonenumbers.format_number(phonenumbers.parse(number), phonenumbers.PhoneNumberFormat.NATIONAL)
    usual, typed = _DIGITS.findall(national), _DIGITS.findall(text)
    starts = range(len(typed) - len(usual) + 1)
    grouped = len(usual) > 1 and any(typed[start : start + len(usual)] == usual for start in starts)
    return not grouped, kind == _MOBILE and not _may_be_mobile(number)


def _parted(plus: re.Match[str]) -> str:
    """Return what stands for a plus sign behind digits: it parts numbers, and begins one behind digits that are none."""
    before = plus.string[: plus.start()]
    is_mark = plus[0].lstrip("#")[0].isdecimal() or (_MARK.search(before) and not plus[0][0].isalpha())
    return ", +" if is_mark or len(_digits(before)) < _FEWEST_BEFORE else ", "


def _with_countries(text: str, known: str | None, homes: tuple[str, ...]) -> str:
    """Return a text in which a number beside which a country stands has that country's code.

    Args:
        text: what was typed
        known: the number that Cliniko has made of it
        homes: the countries of the clinic and the patient: where one of them, or ``known``, makes a valid number too, what may be
            the name of a person or a remark counts for less
    """
    pieces, end = [], 0
    for told in told_countries(text):
        for start, stop in _ways_to_read(text, told):
            digits = text[start:stop]
            found = next(_found(digits, told.country), None)
            if found and _is_whole(found, digits):
                if told.sure or not _is_at_home(digits, known, homes):
                    pieces += [text[end:start], found]
                    end = stop
                break
    return "".join((*pieces, text[end:]))


def _ways_to_read(text: str, told: Told) -> Iterator[tuple[int, int]]:
    """Yield where the digits beside a country begin and end, as one number and as the nearest of several."""
    yield told.start, told.end
    strokes = [stroke.start() for stroke in _STROKE.finditer(text, told.start, told.end)]
    if strokes:
        yield (told.start, strokes[0]) if told.leads else (strokes[-1] + 1, told.end)


def _is_whole(found: str, digits: str) -> bool:
    """Return whether a number is all of these digits, but for zeros in front and what was added to it."""
    national = _digits(digits).lstrip("0")
    return any(found.endswith(national[: len(national) - added]) for added in range(_MOST_ADDED + 1))


def _is_at_home(digits: str, known: str | None, homes: tuple[str, ...]) -> bool:
    if known and known.endswith(_digits(digits).lstrip("0")):
        return True
    return any(next(_found(digits, home), None) for home in homes)


def _without_notes(text: str) -> str:
    """Return a text without raised and circled digits, which are no part of a number: ``021 123 456\u00b9``."""
    return (
        text
        if text.isascii()
        else "".join(" " if unicodedata.category(char) == "No" else char for char in text)
    )


def _as_typed(known: str, text: str) -> str | None:
    """Return the number that Cliniko has made of a text, or the one in it to which Cliniko has taken other digits; else None."""
    plain = _without_others(text)
    stands = not _FEW_BEFORE_WORD.search(text) and any(
        _is_written(known, run) and not _ADDED.search(run) for run in _WHOLE_RUN.findall(plain)
    )
    if stands and _digits(plain) == _digits(text) and _ONE_NUMBER.fullmatch(text) and not _ADDED.search(text):
        return known
    found = list(_found(text, _country(known) or _NO_COUNTRY))
    if found:
        return known if known in found else found[0]
    return known if stands else None


def _is_written(known: str, run: str) -> bool:
    """Return whether digits that stand by themselves are this number, its area's code left out unless they begin with it."""
    digits, code = _digits(run), phonenumbers.parse(known).country_code or 0
    national = digits.lstrip("0")
    if digits.startswith("0") and not digits.startswith(_INTERNATIONAL_PREFIX):
        return known in {f"+{code}{digits}", f"+{code}{national}"}
    return len(national) >= _FEWEST_DIGITS and known.endswith(national) and not _has_few_before(run, code)


def _may_be_mobile(number: str) -> bool:
    return phonenumbers.number_type(phonenumbers.parse(number)) in {
        phonenumbers.PhoneNumberType.MOBILE,
        phonenumbers.PhoneNumberType.FIXED_LINE_OR_MOBILE,
    }


def _written_out(text: str, known_digits: str) -> str | None:
    """Return the digits of a number that a spreadsheet has turned into an amount or a float; None when some are lost.

    A spreadsheet leaves zeros at the end out, and may have rounded: one missing digit is taken for such a zero where Cliniko's
    own form says so too.
    """
    text = _BETWEEN_DIGITS.sub("~", text)
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
    return _country(known) in countries


@lru_cache(maxsize=_PARSED_KEPT)
def _country(number: str) -> str | None:
    """Return the country of a number in E.164."""
    return phonenumbers.region_code_for_number(phonenumbers.parse(number))


def _without_faxes(text: str) -> tuple[str, int]:
    """Return a text without the numbers of faxes, and how many these were."""
    before = 0
    if not _KIND_FIRST.match(text):
        text, before = _FAXED_BEFORE.subn(" ", text)
    text, others = _FAXED.subn(" ", text)
    return text, before + others


def _found(text: str, country: str) -> Iterator[str]:
    """Yield the valid numbers of a text, in E.164: each stands alone, not as a part of a longer row of digits."""
    plain = _without_others(text)
    if _is_stroked(text, plain):
        whole = _number(_STROKE.sub(" ", text), country)
        if whole:
            yield from _unless_added(whole, text.strip(), plain, country)
            return
        plain = _STROKE.sub(",", plain)
    elif _STROKE.search(plain):
        plain = _STROKED_RUN.sub(lambda run: _run_read(run[0], country), plain)
    for part in _BETWEEN.split(plain):
        spaced = _REMARK.sub(r" \1", _LABEL.sub(r"\1 ", part))
        alone = spaced.strip(" .-")
        if _ONE_NUMBER.fullmatch(alone):
            yield from _of_digits(alone, country)
        else:
            yield from _in_words(spaced, country)


def _without_others(text: str) -> str:
    """Return a text without the digits that are no number to call."""
    return text if _BARE.fullmatch(text) else _NO_NUMBER.sub(_left_out, text)


def _left_out(found: re.Match[str]) -> str:
    """Return what stands for digits that are no number: they part what stands before and behind them."""
    before, behind = found.string[: found.start()], found.string[found.end() :]
    between = before.rstrip(_INSIDE)[-1:].isdecimal() and behind.lstrip(_INSIDE)[:1].isdecimal()
    return " , " if between else " "


def _is_stroked(text: str, plain: str) -> bool:
    """Return whether a text, of which the latter is left, is nothing but digits in which signs may part numbers."""
    return bool(_digits(plain) and _STROKED.fullmatch(text.strip())) and not told_date(text)


def _run_read(run: str, country: str) -> str:
    """Return what stands for such digits within a text: the numbers that they are."""
    if not _is_stroked(run, _without_others(run)):
        return run
    return f" {', '.join(_found(run, country))} "


def _unless_added(whole: str, text: str, plain: str, country: str) -> Iterator[str]:
    """Yield the number that all digits of a text are, unless the first of them are one already.

    Where numbers differ in length, ``021 123 456/7`` and ``021 123 456 9-5`` are valid as a whole too, and somebody else's.
    What could be either is none.
    """
    first = _number(plain.strip(), country) if _is_at_an_end(plain, text) else None
    if first and first != whole:
        yield first
        return
    for stroke in _STROKE.finditer(text):
        first = _number(_STROKE.sub(" ", text[: stroke.start()]), country)
        if first and first != whole:
            added = _STROKE.split(text[stroke.end() :])
            if all(len(_digits(each)) <= _MOST_ADDED for each in added):
                yield first
            return
    yield whole


def _is_at_an_end(plain: str, text: str) -> bool:
    """Return whether what is no number has been left out before or behind the other digits, not between them."""
    return "," not in plain and _digits(plain) != _digits(text)


def _digits(text: str) -> str:
    return "".join(filter(str.isdecimal, text))


def _of_digits(text: str, country: str) -> Iterator[str]:
    """Yield the number that a text of digits is, else the numbers that it is one after the other."""
    whole = _number(text, country)
    if whole is None and text.startswith(_INTERNATIONAL_PREFIX):
        whole = _number(f"+{text.removeprefix(_INTERNATIONAL_PREFIX)}", _NO_COUNTRY)
    if whole:
        yield whole
        return
    for gap in _GAP.finditer(text):
        first = _number(text[: gap.start()], country)
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
        if _ONE_NUMBER.fullmatch(match.raw_string):
            number = _number(match.raw_string, country)
        else:
            odd = _has_few_before(match.raw_string, phonenumbers.country_code_for_region(country))
            number = None if odd or not phonenumbers.is_valid_number(match.number) else _written(match.number)
        if number and not _may_be_shorter(number, match.raw_string, text[match.end :], country):
            yield number


def _may_be_shorter(number: str, typed: str, behind: str, country: str) -> bool:
    """Return whether the last digits of a number may belong to the word behind them: ``021 123 456 7 cousins``."""
    few = _FEW_AT_END.search(typed)
    if few is None or len(few[1]) == len(few[2]) or not _WORD_NEXT.match(behind):
        return False
    return _valid(typed[: few.end(1)], country) not in {None, number}


def _number(text: str, country: str) -> str | None:
    """Return the number that a row of digits is, without what was added to it."""
    if _has_few_before(text, phonenumbers.country_code_for_region(country)):
        return None
    whole = _valid(text, country)
    added = _ADDED.search(text)
    is_dialled = (whole or "").startswith(_DIALLED_ON) and not text.rstrip().endswith(")")
    if added is None or len(added[1]) <= len(added[2]) or is_dialled:
        return whole
    first = _valid(text[: added.end(1)], country)
    signs = _SIGNS.findall(text.strip("() "))
    if (
        first and len(signs) > _MOST_ADDED and len(set(signs)) == 1
    ):  # 021-123-456-7: four groups, or an addition?
        return None
    return first or whole


def _has_few_before(text: str, code: int) -> bool:
    """Return whether digits stand before a number's first zero, in a country whose numbers begin with one."""
    few = _FEW_BEFORE.match(text)
    return few is not None and few[1] != str(code) and _begin_with_zero(code)


@cache
def _begin_with_zero(code: int) -> bool:
    """Return whether the numbers of a country are dialled behind a zero: not so in Norway, where ``22 05 67 89`` is one."""
    region = phonenumbers.region_code_for_country_code(code)
    return phonenumbers.ndd_prefix_for_region(region, strip_non_digits=True) == "0"


def _valid(text: str, country: str) -> str | None:
    """Return a valid number in E.164; one that begins with the country's own code needs no plus sign."""
    if country in _OF_TEN_DIGITS and _PLUS_BEFORE_TEN.fullmatch(text):
        found = {_parsed(text, country), _parsed(text.lstrip("+ "), country)} - {None}
        return found.pop() if len(found) == 1 else None
    code = phonenumbers.country_code_for_region(country)
    international = _parsed(f"+{text}", country) if code and text.startswith(str(code)) else None
    if (
        country in _LOCAL
        and not text.lstrip(" (").startswith(("0", "+"))
        and len(_digits(text)) <= _MOST_LOCAL
    ):
        return international
    return international or _parsed(text, country)


@lru_cache(maxsize=_PARSED_KEPT)
def _parsed(text: str, country: str) -> str | None:
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
    valid = (
        e164(number.text, number.normalized, decided, known, number.kind.casefold()) for number in usable
    )
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
