"""Countries that people type beside a phone number: ``NZ 021 234 5678``. One elsewhere in a text is said of something else."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

#: How countries are called that nothing else is called by …
_COUNTRIES = {
    "AU": r"AUS?|Aust?\.?|(?i:australia)",
    "CA": r"(?i:canada)",
    "GB": r"UK|GB|U\.K\.|(?i:united kingdom)",
    "HK": r"HK|(?i:hong kong)",
    "IE": r"IRL",
    "NZ": r"NZ|N\.Z\.|(?i:new zealand)",
    "SG": r"(?i:singapore)",
    "US": r"USA?|U\.S\.(?:A\.)?|(?i:united states)",
    "ZA": r"RSA|(?i:south africa)",
}
_KIND = r"(?i:(?:m|mob(?:ile)?|ph(?:one)?|tel(?:ephone)?|t|cell|h|home|w|work|no|nr|num(?:ber)?|landline)(?![^\W_])\.?)"
#: … and by what people are called too, or what may be said of them: a kind of number stands behind an adjective.
_NAMES_TOO = {
    "AU": rf"(?i:australian)(?=\s{_KIND})",
    "CA": rf"(?i:canadian)(?=\s{_KIND})",
    "GB": rf"(?i:(?:great )?britain|england|scotland)|(?i:british)(?=\s{_KIND})",
    "IE": rf"IRE|(?i:ireland|eire)|(?i:irish)(?=\s{_KIND})",
    "US": rf"(?i:america)|(?i:american)(?=\s{_KIND})",
}
#: The digits of numbers, with signs that part two of them or stand inside of one.
_RUN = re.compile(r"(?<![\d+@.-])(?:\+ ?)?\(?\d[\d ().-]*(?:[/\\~*][ (.-]*\d[\d ().-]*)*")
_PARTS = re.compile(r"[;,|&/\n]|(?<![^\W_])(?i:or|and)(?![^\W_])")
_FEWEST_DIGITS = 6


class Told(NamedTuple):
    """A country beside the digits of a number.

    Attributes:
        start: where the digits begin, and ``end`` where they end.
        country: its two letters.
        sure: whether it can be said of nothing else: it leads the number, or stands beside it in brackets of its own.
        leads: whether it stands before the number.
    """

    start: int
    end: int
    country: str
    sure: bool
    leads: bool


class _Patterns(NamedTuple):
    """How one country stands beside a number."""

    country: str
    leading: re.Pattern[str]
    bracketed: re.Pattern[str] | None
    before: re.Pattern[str]
    behind: re.Pattern[str]


def _patterns(country: str) -> Iterator[_Patterns]:
    kinds = rf"(?:{_KIND}\W*)*"
    own = rf"(?<![^\W_])(?:{_COUNTRIES[country]})(?![^\W\d_])"
    leading = re.compile(rf"(?:\W*{kinds}{own}|.*[(\[]\s*{own}\s*[)\]])\W*{kinds}", re.DOTALL)
    yield _Patterns(
        country,
        leading,
        re.compile(rf"\s*[(\[]\s*{kinds}{own}\W*{kinds}[)\]]|\s*[(\[]\s*{own}\s*[)\]]"),
        re.compile(rf"(?:.*\W)?{own}\W*{kinds}", re.DOTALL),
        re.compile(rf"\W*{own}\W*{kinds}"),
    )
    if country in _NAMES_TOO:
        other = rf"(?<![^\W_])(?:{_NAMES_TOO[country]})(?![^\W\d_])"
        before = re.compile(rf"(?:.*(?<![^\W_])(?i:in|from)\W+|\W*{kinds}){other}\W*{kinds}", re.DOTALL)
        yield _Patterns(country, before, None, before, re.compile(rf"\W*{other}\W*{kinds}"))


_ALL = tuple(patterns for country in _COUNTRIES for patterns in _patterns(country))


def told_countries(text: str) -> Iterator[Told]:
    """Yield the numbers of a text, without a code of their own, beside which one country stands."""
    runs = [run for run in _RUN.finditer(text) if sum(map(str.isdecimal, run[0])) >= _FEWEST_DIGITS]
    ends = [0, *(_end(run) for run in runs)]
    for number, run in enumerate(runs):
        if run[0].startswith(("+", "00")):
            continue
        begins_next = runs[number + 1].start() if number + 1 < len(runs) else None
        before = _PARTS.split(text[ends[number] : run.start()])[-1]
        behind, *others = _PARTS.split(text[ends[number + 1] : begins_next])
        told = {
            (patterns.country, *how)
            for patterns in _ALL
            if (how := _how(patterns, before, behind, last=begins_next is None or bool(others)))
        }
        if len({country for country, *_ in told}) == 1:
            country, sure, leads = max(told, key=lambda how: how[1])
            yield Told(run.start(), ends[number + 1], country, sure, leads)


def _end(run: re.Match[str]) -> int:
    return run.start() + len(run[0].rstrip(" (.-"))


def _how(patterns: _Patterns, before: str, behind: str, *, last: bool) -> tuple[bool, bool] | None:
    """Return whether a country stands beside a number for sure, and whether it leads it; None when it does not.

    Args:
        patterns: those of the country
        before: what stands between the number and the one before it, from a sign on that parts them
        behind: what stands behind it, up to such a sign
        last: whether no other number follows it without such a sign
    """
    if patterns.bracketed and patterns.leading.fullmatch(before):
        return True, True
    if patterns.bracketed and patterns.bracketed.match(behind):
        return True, False
    if patterns.before.fullmatch(before):
        return False, True
    return (False, False) if last and patterns.behind.fullmatch(behind) else None
