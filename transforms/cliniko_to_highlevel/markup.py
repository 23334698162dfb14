"""Cliniko's rich text as safe plain text that keeps paragraphs, lists, quotes and line breaks."""

from __future__ import annotations

import re
from html import unescape

from cliniko_to_highlevel.formats import clean_text
from cliniko_to_highlevel.markup_writer import BLOCKS, HIDDEN, INLINE, LISTS, SPACED, MarkupWriter

#: What Cliniko's editor writes (p div br ul ol li blockquote h1 h2 b i u a, by its API's description), and what
#: pasted texts and e-mails bring. A name that people also type as a placeholder, such as ``<title>``, is not here.
_ELEMENTS = sorted(
    {"br", "li", "td", "th", "tbody", "thead", "tfoot", "html", "body", "meta", "img", "center"}
    | {"b", "i", "u", "em", "strong", "small", "big", "ins", "mark", "o:p", "input", "label", "form"}
    | {"kbd", "tt", "samp", "abbr", "dfn", "nobr", "wbr", "cite"}
    | BLOCKS
    | SPACED
    | LISTS
    | HIDDEN
    | INLINE
)
#: A complete tag with proper attributes: ``<i.v. only>``, ``<u/s 12/3>`` and ``<a target of 100 or SpO2 >`` are none.
_TAG = re.compile(
    rf"</?(?:{'|'.join(_ELEMENTS)})"
    r"""(?:\s+(?:[a-z][a-z0-9:_-]*\s*=\s*(?:"[^"]*"|'[^']*'|[^\s"'=<>`]+)|checked|disabled|readonly|reversed|hidden|nowrap|noshade|compact))*\s*/?>""",
    re.IGNORECASE,
)
_COMMENT = re.compile("<!--.*?-->", re.DOTALL)
_DOCTYPE = re.compile(r"\A\s*<!doctype\b[^<>]*>", re.IGNORECASE)
_PICTURE = re.compile(r"<img\b", re.IGNORECASE)
#: What a browser takes for the beginning of a tag.
_TAG_BEGINS = re.compile(r"<(?=[A-Za-z/!?])")


def harmless(text: str) -> str:
    """Return a text in which nothing begins a tag, should HighLevel show it as HTML: ``< img src=x onerror=…>``."""
    return _TAG_BEGINS.sub("< ", text)


def pictures(markup: str | None) -> int:
    """Return how many pictures a rich text shows; Cliniko's API does not give them."""
    return sum(1 for tag in _TAG.finditer(markup or "") if _PICTURE.match(tag.group()))


def readable(text: str | None) -> str | None:
    """Return a text that may be rich text as plain text: one without tags stays as it was typed."""
    return plain_text(text) if text and _TAG.search(text) else text


def plain_text(markup: str) -> str | None:
    """Return rich text as plain text; None when nothing is left to read."""
    markup = _without_comments(markup)
    if not _TAG.search(markup):
        return clean_text(unescape(markup).replace("\xa0", " "))
    markup = _only_tags(markup)
    writer = MarkupWriter(markup)
    writer.feed(markup)
    writer.close()
    text = "\n".join(line.rstrip() for line in writer.lines)
    return clean_text(re.sub(r"\n{3,}", "\n\n", text))


def _without_comments(markup: str) -> str:
    """Return rich text without its head line and complete comments; a comment that never ends was typed."""
    before, end, after = _DOCTYPE.sub("", markup).rpartition("-->")
    return _COMMENT.sub("", before + end) + after


def _only_tags(markup: str) -> str:
    """Return rich text in which each ``<`` begins a tag: the others were typed, and are text.

    Python's parser takes ``<full on left. RED FLAG`` for a tag that never ends, and since 3.13.4 (3.12.11, 3.11.14)
    drops it to the end of the text.
    """
    pieces, end = [], 0
    for tag in _TAG.finditer(markup):
        pieces += [markup[end : tag.start()].replace("<", "&lt;"), tag.group()]
        end = tag.end()
    return "".join((*pieces, markup[end:].replace("<", "&lt;")))
