"""E-mail addresses: from what was typed or pasted to those that can be written to. A part of an address is never one."""

from __future__ import annotations

import html
import re
import unicodedata
from typing import TYPE_CHECKING

from cliniko_to_highlevel.formats import ENTITY, NOT_THEIRS, plain_characters, without_other, without_percents

if TYPE_CHECKING:
    from collections.abc import Iterator

#: What validators of web services take: no dot at an end or beside another one, 64 characters, plain letters in the domain.
_EMAIL = re.compile(
    r"(?=[^@]{1,64}@)[\w!#$%&'*+/=?^`{|}~-]+(?:\.[\w!#$%&'*+/=?^`{|}~-]+)*"
    r"@(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+(?:[A-Za-z]{2,63}|xn--[A-Za-z0-9-]{2,59})"
)
#: What stands around an address and is no part of it: ``<june@example.net>``, ``mailto:june@example.net?subject=…``.
_PIECE = re.compile(r"[^\s,;<>()\[\]{}\"\u201c\u201d\u201e\u00ab\u00bb\\|:]+")
#: What may stand before such a sign and is no part of an address: a label, a phone number. Of anything else nobody can tell:
#: of ``jane,smith@…``, a comma typed for a dot, ``smith@…`` would be somebody else.
_BEFORE_SIGN = re.compile(
    r"e-?mails?|mail(?:to)?|https?|smtp|work|home|private|personal|business|office|school|other|main|primary|secondary"
    r"|mum|mom|dad|mother|father|parents?|wife|husband|partner|carer|guardian|son|daughter|patient|[1-9]|\+?[\d.-]{6,}",
    re.IGNORECASE,
)
_PAIRS = frozenset(
    {"<>", "()", "[]", "{}", '""', "\u201c\u201d", "\u201e\u201c", "\u00ab\u00bb", "\u00bb\u00ab"}
)
#: The next address of several with nothing but such signs between them; before an at sign these are a part of its name.
_NEXT_EMAIL = re.compile(r"[/&+]*([^@]*@[^@/&+]+)(?=[/&+]|$)")
#: A link that was pasted with its tags, and other formatting: neither is ``<jane@example.com>``.
_LINK = re.compile(r"<a\s[^<>]*>", re.IGNORECASE)
_LINKED = re.compile(r"\bhref\s*=[\s\"']*(mailto:[^\s\"'<>]+)", re.IGNORECASE)
_MARKUP = re.compile(r"</?(?:a|b|i|u|p|br|div|span|font|strong|em|small)(?:\s[^<>]*)?/?>", re.IGNORECASE)
_LABELLED = re.compile(r"^(?:e-?mail|mail(?:to)?|smtp)=", re.IGNORECASE)
_LINK_QUESTION = re.compile(r"(?<=@)([^@?]*)\?.*")
#: What no address holds.
_NO_SIGN = "\ufffd"
_BEFORE_EMAIL = "'`*=/?"
#: Signs of no alphabet at an end (``✉ jane@…``), and a phone number that shares the field (``0491570156/jane@…``).
_SIGNS = re.compile(r"^[^\w\x00-\x7f]+|[^\w\x00-\x7f]+$|^[+\d().-]+/|/[+\d().-]+$")
_BEHIND_EMAIL = ".!'`*#~/-_=&"
#: Apostrophes and dots of other keyboards, and an at sign that was written out to hide it from machines.
_TYPED_OTHERWISE = {
    ord("\u02bc"): "'",
    ord("\u2019"): "'",
    ord("\u2018"): "'",
    ord("\u3001"): ",",
    ord("\u3002"): ".",
    ord("\uff61"): ".",
}
_AT = re.compile(r"(?<=\w)\s?(?:[(\[{]at[)\]}]|%40)\s?(?=\w)", re.IGNORECASE)
_DOT = re.compile(r"(?<=\w)\s?[(\[{](?:dot|\.)[)\]}]\s?(?=\w)", re.IGNORECASE)
#: A comma typed for a dot, or a blank too many: ``jane@example.com,au``, ``jane@example.co uk``. What stands before it may be
#: somebody else's address.
_NO_DOT = re.compile(
    r"(?<=\w)[,;:<>|\\](?=(?:[A-Za-z0-9-]+\.)*(?:[a-z]{2}|[A-Z]{2}|com|net|org|edu|gov)(?:[\s,;>]|$))"
    r"|(?<=\.co|com|net|org|gov|edu)\.?\s+\.?(?=(?:au|nz|uk|za)\b)"
)
_JOINS = "._+&"
#: A word before an address, which may be one with a blank in it: ``jane smith@…``, ``j.p- smith@…``; ``1980`` is none.
_MAY_BEGIN = re.compile(r"(?=[\d._'+-]*[^\W\d_])[\w.'+-]*[\w'+-]")
#: Words that say something of the address behind them.
_SAYS = re.compile(
    r"(?:e-?)?mail(?:s|ed|ing)?|is|was|to|at|via|on|by|from|for|or|und|and|also|use|used|using|try|send|sent|contact|call|text|please|pls"
    r"|her|his|their|my|our|your|the|an?|new|now|current|correct|best|preferred|prefers|alt|alternat(?:e|ive)|addr(?:ess)?|add|id"
    r"|mrs?|ms|miss|mx|dr|prof|rev|mister|mom'?s|manager|coordinator|reception|accounts?|billing|invoices?|admin|not",
    re.IGNORECASE,
)
_PIECE_BEFORE = re.compile(r"[<(\[{\":\u201c\u201e\u00ab=]")
_OPENS = "<([{\"'\u201c\u201e\u00ab\u00bb"
_OF_ONE = re.compile(r".+'s", re.IGNORECASE)
_SPACED_AT = re.compile(r"[^\s@]+\s*@\s*[^\s@]+")
#: A page of the web that has an address in it.
_PAGE = re.compile(r"https?://[^\s@/?]+[/?]\S*", re.IGNORECASE)
_LONGEST_EMAIL = 254


def emails(value: str | None) -> list[str]:
    """Return the valid e-mail addresses of a text: an invalid one would make HighLevel refuse the contact."""
    read = without_percents(ENTITY.sub(lambda found: html.unescape(found[0]), value or ""))
    read = _MARKUP.sub(" ", _LINK.sub(_linked, read))
    if not read.isascii():
        read = "".join(_NO_SIGN if _is_lone_accent(char) else char for char in read)
    plain = plain_characters(read).translate(_TYPED_OTHERWISE)
    text = _NO_DOT.sub("..", _DOT.sub(".", _AT.sub("@", _PAGE.sub(" ", plain))))
    if _SPACED_AT.fullmatch(text.strip()):
        text = "".join(text.split())
    text = without_other(text)
    if NOT_THEIRS.search(" ".join("@" if "@" in word else word for word in text.split())):
        return []
    found = (email for word in _words(text) for piece in _pieces(word) for email in _each_email(piece))
    valid = (email for email in found if len(email) <= _LONGEST_EMAIL and _EMAIL.fullmatch(email))
    return list(dict.fromkeys(valid))


def _linked(link: re.Match[str]) -> str:
    """Return the address that a link leads to instead of its tag."""
    found = _LINKED.search(link[0])
    return f" {found[1]} " if found else link[0]


def _is_lone_accent(char: str) -> bool:
    """Return whether a sign is an accent without a letter, as in ``o\u00b4brien``: made plain it begins with a blank."""
    return unicodedata.normalize("NFKC", char).startswith(" ") and not char.isspace()


def _may_be_end(words: list[str], address: str) -> bool:
    """Return whether an address may be the rest of one with a blank in it: ``mailto:jane smith@…``, ``Dr jane smith@…``.

    A label, whose it is, and the name in the address are words of their own, and so are a first and a last name.

    Args:
        words: the two words before the address, as far as there are two
        address: the word with the at sign
    """
    named, last = ["", "", *words][-2:]
    name = _PIECE_BEFORE.split(last)[-1].lstrip("'")
    bare = name.rstrip(".-")
    if (
        address[0] in _OPENS
        or not _MAY_BEGIN.fullmatch(name)
        or _SAYS.fullmatch(bare)
        or _OF_ONE.fullmatch(name)
    ):
        return False
    if _BEFORE_SIGN.fullmatch(bare) or bare.casefold() in address.casefold():
        return False
    first = named.rstrip(".,")
    is_word = _MAY_BEGIN.fullmatch(first) and not _SAYS.fullmatch(first) and not _BEFORE_SIGN.fullmatch(first)
    is_name = name == last and name[0].isupper() and is_word and named[0].isupper()
    return not (is_name and address[0].islower())


def _words(text: str) -> Iterator[str]:
    """Yield the words with an at sign, unless they look like the end of one with a blank in it: ``jane. smith@…``."""
    before, words = "", text.split()
    for number, word in enumerate(words):
        joined_on = word[0] in _JOINS or (before[-1:] in set(_JOINS) and not before[0].isupper())
        joined_on = joined_on and not before[:1].isdecimal()  # a place in a list
        is_apart = "@" in before or not before or not joined_on
        if "@" in word and is_apart and not _may_be_end(words[max(0, number - 2) : number], word):
            yield word
        before = word if word.strip(_JOINS) else f"{before}{word}"


def _pieces(word: str) -> Iterator[str]:
    """Yield what holds an at sign in a text without blanks, unless it is only the rest behind a sign inside of an address."""
    before = None
    for piece in _PIECE.finditer(word):
        if "@" in piece[0] and (before is None or _is_apart(before, piece)):
            yield piece[0]
        before = piece


def _is_apart(before: re.Match[str], piece: re.Match[str]) -> bool:
    """Return whether what stands before a piece is no part of it: another address, a label, a name where one is in brackets."""
    word = piece.string
    if "@" in before[0] or _BEFORE_SIGN.fullmatch(before[0]):
        return True
    return (
        word[piece.start() - 1] + word[piece.end() : piece.end() + 1] in _PAIRS
        or word[max(0, before.start() - 1) : before.start()] + word[before.end()] in _PAIRS
    )


def _each_email(piece: str) -> Iterator[str]:
    """Yield the addresses in a text without blanks, without a mark at their end or a link's question behind them."""
    piece = _LINK_QUESTION.sub(r"\1", _SIGNS.sub("", piece))
    for text in _one_after_the_other(piece) if piece.count("@") > 1 else [piece]:
        name, at, domain = _SIGNS.sub("", text).partition("@")
        yield f"{_LABELLED.sub('', name.lstrip(_BEFORE_EMAIL))}{at}{_ascii_domain(domain.rstrip(_BEHIND_EMAIL))}"


def _one_after_the_other(piece: str) -> Iterator[str]:
    end = 0
    while found := _NEXT_EMAIL.match(piece, end):
        yield found[1]
        end = found.end()


def _ascii_domain(domain: str) -> str:
    """Return a domain with letters of other alphabets as name servers and web services know it: ``xn--mller-kva.example``.

    Two letters are read differently by the two versions of the standard, and could lead to somebody else; so does a Cyrillic
    letter that looks like a Latin one.
    """
    letters = domain.replace(".", "").replace("-", "")
    if domain.isascii() or not letters.isalnum() or set(letters) & {"\u00df", "\u03c2"}:
        return domain
    if {"LATIN", "CYRILLIC"} <= {unicodedata.name(char, "").partition(" ")[0] for char in letters}:
        return domain
    try:
        return domain.encode("idna").decode()
    except UnicodeError:
        return domain
