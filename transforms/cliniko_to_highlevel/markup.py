"""Cliniko's rich text as safe plain text that keeps paragraphs, lists, quotes and line breaks."""

from __future__ import annotations

import re
from html import unescape
from html.parser import HTMLParser
from typing import TYPE_CHECKING

from typing_extensions import override

from cliniko_to_highlevel.formats import clean_text

if TYPE_CHECKING:
    from collections.abc import Sequence

_BLOCKS = frozenset(
    {"p", "div", "h1", "h2", "h3", "h4", "h5", "h6", "section", "article", "table", "tr", "pre", "hr"}
)
_SPACED = frozenset({"p", "h1", "h2", "h3", "h4", "h5", "h6", "table", "blockquote"})
_LISTS = frozenset({"ul", "ol"})
#: Elements whose content is no text for a reader.
_HIDDEN = frozenset({"script", "style", "head", "noscript", "iframe"})
_SPACES = re.compile(r"[ \t\n\r\f\v\xa0]+")
#: What Cliniko's editor writes (p div br ul ol li blockquote h1 h2 b i u a, by its API's description), and what
#: pasted texts and e-mails bring. A name that people also type as a placeholder, such as ``<title>``, is not here.
_ELEMENTS = sorted(
    {"br", "li", "td", "th", "tbody", "thead", "tfoot", "html", "body", "meta", "img", "center"}
    | {"a", "b", "i", "u", "em", "strong", "strike", "span", "font", "small", "sub", "sup", "o:p"}
    | _BLOCKS
    | _SPACED
    | _LISTS
    | _HIDDEN
)
#: A complete tag with proper attributes: ``<i.v. only>``, ``<u/s 12/3>`` and ``<a target of 100 or SpO2 >`` are none.
_TAG = re.compile(
    rf"</?(?:{'|'.join(_ELEMENTS)})"
    r"""(?:\s+[a-z][a-z0-9:_-]*\s*=\s*(?:"[^"]*"|'[^']*'|[^\s"'=<>`]+))*\s*/?>""",
    re.IGNORECASE,
)
_COMMENT = re.compile("<!--.*?-->", re.DOTALL)
_DOCTYPE = re.compile(r"\A\s*<!doctype\b[^<>]*>", re.IGNORECASE)
_SAFE_LINK = re.compile(r"(?:https?://|mailto:|tel:)\S+", re.IGNORECASE)


class _Writer(HTMLParser):
    """Writes the text of a document line by line while it is parsed."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.lines: list[str] = [""]
        self._lists: list[int | None] = []
        self._quotes = 0
        self._hidden: str | None = None
        self._hidden_text: list[str] = []
        self._link: str | None = None
        self._fresh = True
        self._bullet_only = False
        self._cells = 0

    @override
    def handle_starttag(self, tag: str, attrs: Sequence[tuple[str, str | None]]) -> None:
        if self._hidden:
            return
        if tag in _HIDDEN:
            self._hidden, self._hidden_text = tag, []
        elif tag == "br":
            self._break()
        elif tag == "li":
            self._item()
        elif tag in {"td", "th"}:
            self._cell()
        elif tag == "a":
            self._link = dict(attrs).get("href")
        else:
            self._open_block(tag)

    @override
    def handle_endtag(self, tag: str) -> None:
        if self._hidden:
            self._hidden = None if tag == self._hidden else self._hidden
        elif tag in _LISTS and self._lists:
            self._lists.pop()
            self._new_line(spaced=not self._lists)
        elif tag == "blockquote":
            self._new_line(spaced=True)
            self._quotes = max(0, self._quotes - 1)
        elif tag == "a":
            self._close_link()
        elif tag in _BLOCKS:
            self._block(tag)

    @override
    def handle_data(self, data: str) -> None:
        if self._hidden:
            self._hidden_text.append(data)
            return
        text = _SPACES.sub(" ", data)
        if self._fresh or self.lines[-1].endswith(" "):
            text = text.lstrip(" ")
        if not text:
            return
        self._begin()
        self.lines[-1] += text
        self._bullet_only = False

    @override
    def set_cdata_mode(self, elem: str, **_options: bool) -> None:
        """Stay in the ordinary mode: the other one drops what stands behind a script that never ends."""

    @override
    def close(self) -> None:
        """Finish; an element that never ends hides nothing, because what follows it may be a whole note."""
        super().close()
        if self._hidden:
            self._hidden = None
            self.handle_data(" ".join(self._hidden_text))

    def _open_block(self, tag: str) -> None:
        if tag in _LISTS:
            self._new_line(spaced=not self._lists)
            self._lists.append(0 if tag == "ol" else None)
        elif tag == "blockquote":
            self._new_line(spaced=True)
            self._quotes += 1
        elif tag in _BLOCKS:
            self._block(tag)

    def _block(self, tag: str) -> None:
        """Begin or end a block; what a list item begins with stands beside its bullet."""
        if tag == "tr":
            self._cells = 0
        if not self._bullet_only:
            self._new_line(spaced=tag in _SPACED and not self._lists)

    def _break(self) -> None:
        self.lines[-1] = self.lines[-1].rstrip()
        self.lines.append("")
        self._fresh = True
        self._bullet_only = False

    def _begin(self) -> None:
        """Write what stands before the text of a line that is still empty."""
        if self._fresh:
            self.lines[-1] += "> " * self._quotes + "  " * len(self._lists)
            self._fresh = False

    def _new_line(self, *, spaced: bool) -> None:
        if not self._fresh:
            self._break()
        if spaced and any(self.lines[-2:]):
            self.lines.append("")

    def _item(self) -> None:
        self._new_line(spaced=False)
        bullet = "- "
        if self._lists and self._lists[-1] is not None:
            self._lists[-1] += 1
            bullet = f"{self._lists[-1]}. "
        self.lines[-1] = "> " * self._quotes + "  " * max(0, len(self._lists) - 1) + bullet
        self._fresh = False
        self._bullet_only = True

    def _cell(self) -> None:
        """Part a cell from the one before it, also from an empty one: the columns stay what they are."""
        if self._cells or not self._fresh:
            self._begin()
            self.lines[-1] = f"{self.lines[-1].rstrip()} | ".lstrip()
        self._cells += 1

    def _close_link(self) -> None:
        """Write the address of a link behind its text, unless the text is the address itself."""
        link, self._link = self._link, None
        if link and _SAFE_LINK.fullmatch(link) and link not in self.lines[-1]:
            self.handle_data(f" ({link})")


def readable(text: str | None) -> str | None:
    """Return a text that may be rich text as plain text: one without tags stays as it was typed."""
    return plain_text(text) if text and _TAG.search(text) else text


def plain_text(markup: str) -> str | None:
    """Return rich text as plain text; None when nothing is left to read."""
    markup = _without_comments(markup)
    if not _TAG.search(markup):
        return clean_text(unescape(markup).replace("\xa0", " "))
    writer = _Writer()
    writer.feed(_only_tags(markup))
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
