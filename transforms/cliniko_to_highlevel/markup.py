"""Cliniko's rich text as safe plain text that keeps paragraphs, lists, quotes and line breaks."""

from __future__ import annotations

import re
from html import unescape
from html.entities import html5
from typing import TYPE_CHECKING

from cliniko_to_highlevel.formats import ENTITY, clean_text
from cliniko_to_highlevel.markup_writer import (
    BLOCKS,
    CELLS,
    HIDDEN,
    INLINE,
    LISTS,
    SELDOM,
    SPACED,
    VOID,
    MarkupWriter,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

#: What Cliniko's editor writes (p div br ul ol li blockquote h1 h2 b i u a, by its API's description), and what
#: pasted texts and e-mails bring. A name that people also type as a placeholder, such as ``<title>``, is among ``SELDOM``.
_ELEMENTS = sorted(
    {"br", "li", "tbody", "thead", "tfoot", "html", "body", "meta", "img"}
    | {"b", "i", "u", "em", "strong", "small", "big", "ins", "mark", "input", "label", "form"}
    | {"kbd", "tt", "samp", "abbr", "dfn", "nobr", "wbr", "cite"}
    | BLOCKS
    | SPACED
    | LISTS
    | HIDDEN
    | INLINE
    | CELLS
)
_LINES = BLOCKS | SPACED | LISTS | CELLS | {"br", "li"}
#: A complete tag with proper attributes: ``<i.v. only>``, ``<u/s 12/3>`` and ``<a target of 100 or SpO2 >`` are none.
_ATTRIBUTES = (
    r"""((?:\s+(?:[a-z][a-z0-9:_-]*\s*=(?:\s*(?:"[^"]*"|'[^']*'|[^\s"'=<>`]+(?=[\s>])))?"""
    r"|alt|checked|selected|disabled|readonly|reversed|hidden|nowrap|noshade|compact|controls|multiple|open|allowfullscreen))*+)"
)
#: A name with a prefix is one of a word processor: ``<o:p>``, ``<st1:place>``.
_NAMES = rf"{'|'.join(_ELEMENTS)}|(?:o|w|v|m|x|st1):[a-z]\w*"
_TAG = re.compile(rf"</?({_NAMES}|{'|'.join(sorted(SELDOM))}){_ATTRIBUTES}\s*/?>", re.IGNORECASE)
_END = re.compile(r"</([a-z]+)\s*>", re.IGNORECASE)
_COMMENT = re.compile("<!--.*?-->", re.DOTALL)
#: What a word processor writes around a text for its own kind, and the head line of a document.
_OF_PROGRAMS = re.compile(r"<!\[(?:if\b[^\[\]<>]*|endif)\]>|<\?xml\b[^<>]*>", re.IGNORECASE)
#: What begins none of HTML's signs: ``exercise&region``, ``?page=1&copy=2``.
_LOOSE = re.compile(r"&(?!#\d{1,7};|#x[0-9a-f]{1,6};)(\w*;?=?)", re.IGNORECASE)
#: Signs that need no end before a number: ``&lt5``.
_WITHOUT_END = re.compile(r"(?:lt|gt|amp|nbsp)(?=\d)", re.IGNORECASE)
_DOCTYPE = re.compile(r"\A\s*(?:<\?xml\b[^<>]*>\s*)?<!doctype\b[^<>]*>", re.IGNORECASE)
#: One number above another one: ``1<sup>1</sup>/<sub>2</sub>`` is one and a half, not eleven halves.
_FRACTION = re.compile(
    r"(?:(\d)\s*)?<sup\b[^<>]*>\s*(\d+)\s*</sup>\s*(?:[/\u2044]|&frasl;|&#8260;|&#x2044;)\s*<sub\b[^<>]*>\s*(\d+)\s*</sub>",
    re.IGNORECASE,
)
_PICTURE = re.compile(r"<img\b", re.IGNORECASE)
_EMPTY_LINES = re.compile(r"\n{3,}")
#: What a browser takes for the beginning of a tag.
_TAG_BEGINS = re.compile(r"<(?=[A-Za-z/!?])")


def harmless(text: str) -> str:
    """Return a text in which nothing begins a tag, should HighLevel show it as HTML: ``< img src=x onerror=…>``."""
    return _TAG_BEGINS.sub("< ", text)


def pictures(markup: str) -> int:
    """Return how many pictures a rich text shows; Cliniko's API does not give them."""
    if not _PICTURE.search(markup):
        return 0
    return sum(1 for tag in _tags(markup) if _PICTURE.match(tag.group()))


def readable(text: str | None) -> str | None:
    """Return a text that may be rich text as plain text: one without tags stays as it was typed."""
    return harmless(plain_text(text) or "") or None if text and _has_tags(text) else text


def answered(text: str) -> str | None:
    """Return a short answer as plain text: signs are read that Cliniko asks to be encoded (``SpO2 &lt; 90``)."""
    if _has_tags(text):
        return readable(text)
    return clean_text(ENTITY.sub(lambda sign: unescape(sign[0]), text).replace("\xa0", " "))


def plain_text(markup: str) -> str | None:
    """Return rich text as plain text; None when nothing is left to read."""
    if "<" in markup:
        markup = _without_comments(markup)
    if "&" in markup:
        markup = _LOOSE.sub(_escaped, markup)
    tags = list(_tags(markup)) if "<" in markup else []
    if not tags:
        return clean_text(unescape(markup).replace("\xa0", " "))
    if "<sup" in markup.casefold():
        markup = _FRACTION.sub(_fraction, markup)
        tags = list(_tags(markup))
    writer = _written(markup, tags)
    writer.close()
    text = "\n".join(line.rstrip() for line in writer.lines)
    return clean_text(_EMPTY_LINES.sub("\n\n", text))


def _escaped(found: re.Match[str]) -> str:
    return found[0] if found[1] in html5 or _WITHOUT_END.match(found[1]) else f"&amp;{found[1]}"


def _fraction(found: re.Match[str]) -> str:
    whole, above, below = found.groups()
    return f"{f'{whole} ' if whole else ''}{above}/{below}"


def _tags(markup: str) -> Iterator[re.Match[str]]:
    """Yield the tags of a text; one of a name that people also type has an end, or attributes where it never has one."""
    ended: set[str] | None = None
    for tag in _TAG.finditer(markup):
        name = tag[1].casefold()
        if name in SELDOM and not (name in VOID and "=" in tag[2]):
            if ended is None:
                ended = {name.casefold() for name in _END.findall(markup)}
            if name not in ended:
                continue
        yield tag


def _has_tags(markup: str) -> bool:
    return "<" in markup and any(True for _ in _tags(markup))


def _without_comments(markup: str) -> str:
    """Return rich text without its head line and complete comments; a comment that never ends was typed."""
    before, end, after = _DOCTYPE.sub("", markup).rpartition("-->")
    return _OF_PROGRAMS.sub("", _COMMENT.sub("", before + end) + after)


def _written(markup: str, tags: Sequence[re.Match[str]]) -> MarkupWriter:
    """Return the writer of a rich text in which only these are tags: any other ``<`` was typed, and is text.

    Where no tag begins a line, those of the text are lines.

    Python's parser takes ``<full on left. RED FLAG`` for a tag that never ends, and since 3.13.4 (3.12.11, 3.11.14)
    drops it to the end of the text.
    """
    of_lines = any(tag[1].casefold() in _LINES for tag in tags)
    writer, end = MarkupWriter(tag[0] for tag in tags), 0
    for tag in tags:
        if text := markup[end : tag.start()]:
            writer.text(unescape(text), of_lines=of_lines)
        writer.tag(tag[0], tag[1].lower(), has_attributes=bool(tag[2]))
        end = tag.end()
    writer.text(unescape(markup[end:]), of_lines=of_lines)
    return writer
