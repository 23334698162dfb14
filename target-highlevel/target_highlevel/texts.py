"""Texts as HighLevel may give them back: with an editor's markup, in other letters, with other white space."""

from __future__ import annotations

import html
import re
import unicodedata
from datetime import UTC, datetime

from target_highlevel.values import date_time

#: Tags that an editor puts around a text, with proper attributes only: a clinician's ``<5 mmHg`` or ``<i.v. only>`` is none, and
#: where HighLevel should lose such words, a verification has to see it.
_ATTRIBUTES = r"(?:\s+[a-z-]+\s*=\s*(?:\"[^\"]*\"|'[^']*'))*\s*/?>"
_BLOCK = re.compile(
    rf"</?(?:blockquote|body|br|div|h[1-6]|head|hr|html|li|ol|p|pre|ul){_ATTRIBUTES}|<!doctype html>",
    re.IGNORECASE,
)
_INLINE = re.compile(rf"</?(?:a|b|em|font|i|span|strong|u){_ATTRIBUTES}", re.IGNORECASE)
#: One number, in groups or not. A nought in brackets is dialled in its own country only: which digits count, nobody says.
_NUMBER = re.compile(r"(?!.*\(0\))\s*\+?[0-9\s().-]+")
#: What joins two signs to one.
_JOINS = "\u200d"
_MARKUP = re.compile(r"<[A-Za-z/]|&#?\w+;")


def counted(number: int, what: str, *verbs: str) -> str:
    """Return a number with what it counts, in the singular or the plural: "1 record", "1,200 records".

    Args:
        number: how many.
        what: one of them; without a word only the number is said.
        verbs: of one and of several, if one follows: ``counted(1, "record", "waits", "wait")``.
    """
    words = (f"{number:,}", f"{what}{'' if number == 1 else 's'}" if what else "", *verbs[number != 1 :][:1])
    return " ".join(filter(None, words))


def has_markup(text: str) -> bool:
    """Return whether a text carries tags or character references."""
    return _MARKUP.search(text) is not None


def lines_of(text: str) -> list[str]:
    """Return the lines of a text that have words, without an editor's tags; a paragraph or a break begins a line."""
    plain = html.unescape(_INLINE.sub("", _BLOCK.sub("\n", unicodedata.normalize("NFC", text))))
    return [line for line in (" ".join(line.split()) for line in plain.splitlines()) if line]


def utf16_length(text: str) -> int:
    """Return a text's length as JavaScript counts it: never less than its number of characters."""
    return len(text.encode("utf-16-le")) // 2


def pieces_of(text: str, room: int) -> list[str]:
    """Return a text in pieces of at most so many UTF-16 units, cut at the ends of paragraphs, lines or words if it has any."""
    pieces: list[str] = []
    while utf16_length(text) > room:
        end = _end_of_piece(text, room)
        pieces.append(text[:end].rstrip())
        text = text[end:].lstrip("\n")
    return [*pieces, text] if text.strip() or not pieces else pieces


def _end_of_piece(text: str, room: int) -> int:
    """Return how many characters the first piece has; an accent is not parted from its letter."""
    end = len(text.encode("utf-16-le")[: 2 * room].decode("utf-16-le", "ignore"))
    for separator in ("\n\n", "\n", " "):
        at = text.rfind(separator, end // 2, end)
        if at > 0:
            return at + len(separator)
    whole = end
    while whole > end // 2 and whole < len(text) and _JOINS in (text[whole - 1], text[whole]):
        whole -= 1
    while whole > end // 2 and whole < len(text) and unicodedata.category(text[whole])[0] == "M":
        whole -= 1
    return whole


def trimmed(text: str) -> str:
    """Return a text with single blanks in its lines and none around them; line ends and composed letters are alike."""
    return "\n".join(
        " ".join(line.split()) for line in unicodedata.normalize("NFC", text).strip().splitlines()
    )


def digits(text: str) -> str:
    """Return the digits of a text that is a phone number and nothing else; none of any other, such as one with an extension."""
    return re.sub(r"\D", "", text) if _NUMBER.fullmatch(text) else ""


def letters(text: str) -> str:
    """Return the letters and digits of a name, which a server keeps when it replaces the other signs."""
    return re.sub(r"[\W_]", "", text)


def moment(text: str) -> datetime | None:
    """Return the moment a date-time names, in UTC unless it says otherwise; none for anything else."""
    found = date_time(text)
    return found if found is None or found.tzinfo else found.replace(tzinfo=UTC)
