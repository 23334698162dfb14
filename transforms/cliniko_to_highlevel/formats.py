"""One spelling for each kind of value: text, decimals, dates, date-times, names as identities."""

from __future__ import annotations

import html
import re
import unicodedata
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Any
from urllib.parse import unquote
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

#: Control characters and lone surrogates: no service stores them, and some cut the text off at them.
_UNSTORABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
_ZONE_NAME = re.compile(r"\s*(?:Z|UTC|GMT)$")
_LINE_ENDS = re.compile("\r\n?|[\x0b\x0c\x85\u2028\u2029]")
#: A part of a second, which nothing here keeps, and clock times that stand for the next day or second: since 24:00 is read
#: by some versions of Python only, and a leap second by none.
_FRACTION = re.compile(r"(?:(?<=:\d\d:\d\d)|(?<=[T ]\d{6}))[.,]\d*")
_LATER = re.compile(r"(?<=[T ])24:?00(?::?00)?|(?<=[T ]\d\d:\d\d:)60(?=Z|[+-]|$)")
_ZONE_AS_WELL = re.compile(r"\[[^\]]*\]$")
_TIME_BEHIND = re.compile(r"[Tt ]\d\d:?\d\d")
_ISO_DAY = re.compile(r"(\d{4})([-/.])(\d\d?)\2(\d\d?)(?:T.*)?$")
_DAY_NUMBERS = re.compile(r"(\d{1,2})[/.-](\d{1,2})[/.-](\d{4})")
_DAY_NAMED = re.compile(r"(?P<day>\d{1,2})(?:st|nd|rd|th)?[ -](?P<month>[A-Za-z]{3,9})\.?[ -](?P<year>\d{4})")
_MONTH_NAMED = re.compile(r"(?P<month>[A-Za-z]{3,9})\.? (?P<day>\d{1,2})(?:st|nd|rd|th)? (?P<year>\d{4})")
_EARLIEST_YEAR = 1000
_WEEKDAY = re.compile(
    r"(?:mon|tues?|wed(?:nes)?|thu(?:rs?)?|fri|sat(?:ur)?|sun)(?:day)?\.? (?=\w)", re.IGNORECASE
)
_MONTHS = (
    "january", "february", "march", "april", "may", "june",
    "july", "august", "september", "october", "november", "december",
)  # fmt: skip
_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT(?:[01]\d|2[0-3]):\d\d:[0-5]\dZ", re.ASCII)
#: A sign written as HTML writes it, as imports from other systems leave it in names.
ENTITY = re.compile(r"&(?:#\d{1,7}|#x[0-9a-f]{1,6}|[a-z][a-z0-9]{1,31});", re.IGNORECASE)
#: Signs without a width, which come in with copied text; inside of words of some scripts they matter, at the ends never.
_INVISIBLE = (
    "\u00ad\u034f\u061c\u180e\u200b\u200c\u200d\u200e\u200f\u2060\ufeff\u115f\u1160\u2800\u3164\uffa0"
)
#: Those of them that are letters or marks by their kind, and what only says how the sign before it is drawn.
_UNSEEN = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)
_BLANKS = f" \t\n\r\xa0{_INVISIBLE}"
#: What says that a number or address beside it is not that person's, or no longer: whoever has it now must not be written to.
NOT_THEIRS = re.compile(
    r"\b(?:wrong|incorrect|invalid|inactive|disconnected|bounce[sd]?|undeliver(?:ed|able)|returned mail|out of (?:order|service)"
    r"|no longer|(?:do not|don.?t) use|(?:does not|doesn.?t|did not|didn.?t) (?:work(?! \w)|exist)"
    r"|not (?:valid|active|working(?! \w)|connected|in (?:use|service)|his|hers|theirs|mine)\b"
    r"|(?:old|previous|prev\.?|former) (?:number|no|ph(?:one)?|mob(?:ile)?|e-?mail)\b|(?:old|previous(?:ly)?|prev|former(?:ly)?):"
    r"|(?:not|was|formerly|previously)[ :]+(?:@|\+?\(?\d[\d ().-]{6}))|[(\[](?:old|previous|prev\.?|former)[)\]]"
    # said of an appointment it says nothing of the number
    r"|\b(?:number|ph(?:one)?|mob(?:ile)?|line|sim|e-?mail)\.? (?:(?:is|was|has been|now) )?cancell?ed\b"
    r"|[\d@][\s(\[:-]{0,4}cancell?ed(?=[\s)\].!]{0,4}(?:$|[,;/|&\n]))|\bcancell?ed: ?(?:@|\+?\(?\d[\d ().-]{6})",
    re.IGNORECASE,
)
#: A number or address behind another one that is said not to be the right one: ``jane@example.com, not june@example.com``.
_OTHER = re.compile(
    r"(?<=[\w)\]>.])[\s,;(\[-]{1,4}\b(?:not|was|formerly|previously)[ :]{1,3}(?=<?[^\s@]{1,64}@|\+?\(?\d[\d ().-]{6})",
    re.IGNORECASE,
)
_NEWER = re.compile(r"\b(?:now|new|use)\b", re.IGNORECASE)
_FEWEST_DIGITS = 6
#: A sign written as addresses of web pages have it: ``jane%40example.com%20``.
_PERCENT = re.compile(r"%(?:2[0-9A-F]|3[A-F]|40|5[BD]|0[9AD])", re.IGNORECASE)
_DASHES = dict.fromkeys(map(ord, "\u2010\u2011\u2012\u2013\u2014\u2043\u2212"), "-")
_WORD_KINDS = frozenset("LMN")
#: Letters with a dot behind each: ``D.V.A.``, ``B.U.P.A``.
_DOTTED = re.compile(r"(?<!\w)(?:[^\W\d_]\.){2,}(?:[^\W\d_](?!\w))?|(?<!\w)[^\W\d_]\.[^\W\d_](?![\w.])")
#: Prices, days and appointment times come again and again: so many different ones are kept at hand with what they become.
_MOST_KEPT = 4096
#: Far beyond any amount of money, and small enough to be written out without an exponent.
_LARGEST_EXPONENT = 30


def clean_text(value: str) -> str | None:
    """Return a text without control characters, with plain line ends; None when nothing is left."""
    if not value.isprintable():
        value = _UNSTORABLE.sub("", _LINE_ENDS.sub("\n", value)).strip().strip(_BLANKS)
    return value.strip() or None


def plain_characters(value: str) -> str:
    """Return a text without signs that cannot be seen, in ordinary width and with ordinary dashes: what a person reads."""
    wide = _UNSEEN.sub("", unicodedata.normalize("NFKC", value)).translate(_DASHES)
    return "".join(char for char in wide if char in "\n\t" or unicodedata.category(char) not in {"Cf", "Cc"})


def without_percents(value: str) -> str:
    """Return a text that was taken out of a link as it is read."""
    return _PERCENT.sub(lambda found: unquote(found[0]), value)


def without_other(value: str) -> str:
    """Return a text with a number or address in front, without one behind it that is said not to be the right one.

    What is said to be right, or to be so by now, leaves open which of them is.
    """
    other = _OTHER.search(value)
    if other is None or _NEWER.search(value, other.end()):
        return value
    before = value[: other.start()]
    return before if "@" in before or sum(map(str.isdecimal, before)) >= _FEWEST_DIGITS else value


def name_text(value: str) -> str | None:
    """Return a name as it is read: ``O&#39;Brien`` is O'Brien. What would begin a tag of HTML stays as it is."""
    return clean_text(ENTITY.sub(_read_entity, value))


def _read_entity(found: re.Match[str]) -> str:
    sign = html.unescape(found.group())
    return found.group() if sign in {"<", ">"} else sign


@lru_cache(maxsize=_MOST_KEPT, typed=True)
def decimal_text(value: Any) -> str:
    """Return a number as text, exact, without exponent and without trailing zeros: ``81.818``, ``90``.

    Raises:
        ValueError: the value is no finite number of a sensible size.
    """
    try:
        number = Decimal(str(value).strip())
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite() or (number and abs(number.adjusted()) > _LARGEST_EXPONENT):
        msg = "not a number"
        raise ValueError(msg)
    text = format(number, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


@lru_cache(maxsize=_MOST_KEPT)
def date_text(value: str) -> str:
    """Return a date as ``YYYY-MM-DD``; of a date-time, its date.

    Raises:
        ValueError: the value is no date.
    """
    day, behind = value.strip()[:10], value.strip()[10:]
    if behind and not _TIME_BEHIND.match(behind):
        msg = "more than a date"
        raise ValueError(msg)
    return date.fromisoformat(day).isoformat()


def told_date(value: str, *, month_first: bool | None = False) -> str | None:
    """Return the date that a person has typed as ``YYYY-MM-DD``; None when it is none, or could be two.

    Args:
        value: such as ``2031-06-30``, ``30/6/2031``, ``30 June 2031`` or ``June 30, 2031``.
        month_first: how ``3/4/2031`` is read in the person's country; None where people write it both ways.
    """
    text = _WEEKDAY.sub("", " ".join(plain_characters(value).replace(",", " ").split()).rstrip("."), count=1)
    if found := _DAY_NUMBERS.fullmatch(text):
        first, second, year = map(int, found.groups())
        if month_first is None and first != second:
            if max(first, second) <= len(_MONTHS):
                return None
            month_first = second > first
        day, month = (second, first) if month_first else (first, second)
    elif found := _DAY_NAMED.fullmatch(text) or _MONTH_NAMED.fullmatch(text):
        told = found.groupdict()
        day, year = int(told["day"]), int(told["year"])
        named = told["month"].casefold()
        month = next((number for number, name in enumerate(_MONTHS, 1) if name.startswith(named)), 0)
    elif found := _ISO_DAY.match(text):
        year, month, day = int(found[1]), int(found[3]), int(found[4])
    else:
        return None
    try:
        return date(year, month, day).isoformat() if year >= _EARLIEST_YEAR else None
    except ValueError:
        return None


@lru_cache(maxsize=_MOST_KEPT)
def instant_text(value: str) -> str:
    """Return a date-time in UTC as ``YYYY-MM-DDTHH:MM:SSZ``.

    Raises:
        ValueError: the value is no date-time.
    """
    if _INSTANT.fullmatch(value):
        datetime.fromisoformat(value[:-1])
        return value
    return _written(_moment(value.strip()))


def _moment(value: str) -> datetime:
    value = _ZONE_NAME.sub("+00:00", _ZONE_AS_WELL.sub("", value).translate(_DASHES).upper())
    value, later = _FRACTION.sub("", value), timedelta()
    if found := _LATER.search(value):
        later = timedelta(seconds=1) if found[0] == "60" else timedelta(days=1)
        value = _LATER.sub("59" if found[0] == "60" else "00:00", value, count=1)
    moment = datetime.fromisoformat(value)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    try:
        return moment.astimezone(UTC) + later
    except OverflowError as error:
        raise ValueError(str(error)) from None


def _written(moment: datetime) -> str:
    return moment.replace(microsecond=0, tzinfo=None).isoformat() + "Z"


@lru_cache(maxsize=256)
def zone(name: str | None) -> ZoneInfo | None:
    """Return the time zone of that IANA name, or None when there is no such zone."""
    if not name:
        return None
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


@lru_cache(maxsize=_MOST_KEPT)
def local_time(instant: str, zone_name: str | None) -> str:
    """Return an instant as a clinic reads it: ``2024-03-11 14:15`` in its zone, else in UTC."""
    moment = datetime.fromisoformat(instant)
    local = zone(zone_name)
    try:
        return moment.astimezone(local or UTC).isoformat(sep=" ")[:16]
    except OverflowError:
        return moment.isoformat(sep=" ")[:16]


def end_of_day(day: str, zone_name: str | None) -> str:
    """Return the instant at which a day of a clinic's is over: its midnight, in UTC."""
    return at_hour(day, 24, zone_name)


def at_hour(day: str, hour: int, zone_name: str | None) -> str:
    """Return the instant, in UTC, at which a clinic's clocks show an hour of a day."""
    midnight = datetime.fromisoformat(day).replace(tzinfo=zone(zone_name) or UTC)
    try:
        return _written((midnight + timedelta(hours=hour)).astimezone(UTC))
    except OverflowError:
        return f"{day}T23:59:59Z"


@lru_cache(maxsize=65536)
def slug(name: str) -> str:
    """Return a name as an identity: case, punctuation and width do not matter, letters of every script stay.

    Marks are kept with letters, because in many scripts (Devanagari, Thai) they are the vowels.
    """
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())
    seen = _UNSEEN.sub("", folded)
    spaced = "".join(char if unicodedata.category(char)[0] in _WORD_KINDS else " " for char in seen)
    return "-".join(spaced.split())


def without_dots(name: str) -> str:
    """Return a name with its abbreviations in one word: ``D.V.A.`` is DVA."""
    return _DOTTED.sub(lambda found: found[0].replace(".", ""), name)


def folded(name: str) -> str:
    """Return a label as people compare it: neither case nor blanks make a difference."""
    return " ".join(name.casefold().split())


def joined(separator: str, *pieces: str | None) -> str | None:
    """Return the pieces that are there, joined; None when there is none."""
    return separator.join(piece for piece in pieces if piece) or None


def utf16_length(text: str) -> int:
    """Return the length HighLevel counts: characters outside the basic plane (most emoji) count twice."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2
