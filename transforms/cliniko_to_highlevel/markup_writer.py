"""Writes rich text as plain text, so that what its formatting says is still said."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import TYPE_CHECKING

from typing_extensions import override

from cliniko_to_highlevel.list_marks import ListMarks

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

BLOCKS = frozenset(
    {"p", "div", "h1", "h2", "h3", "h4", "h5", "h6", "section", "article", "table", "tr", "pre", "hr"}
    | {"dl", "dt", "dd", "caption", "figure", "figcaption", "center"}
)
#: Of these the begin and the end do the same: what follows is on a line of its own.
_ONLY_BLOCKS = BLOCKS - {"table", "tr", "pre", "hr"}
SPACED = frozenset({"p", "h1", "h2", "h3", "h4", "h5", "h6", "table", "blockquote", "dl", "figure"})
LISTS = frozenset({"ul", "ol"})
CELLS = frozenset({"td", "th"})
#: Elements whose content is no text for a reader.
HIDDEN = frozenset({"script", "style", "head", "noscript", "iframe", "svg", "xml"})
#: What a drawing does not show either.
_UNSHOWN = frozenset({"script", "style"})
_ANY_TAG = re.compile(r"<[^<>]*>")
STRUCK = frozenset({"s", "strike", "del"})
#: Elements that mark a part of a line.
INLINE = frozenset({"sup", "sub", "span", "font", "a", "q"} | STRUCK)
#: What a page shows that is no text.
_SHOWN = {
    **dict.fromkeys(("video", "audio"), ""),
    **dict.fromkeys(("svg", "canvas"), "drawing"),
    **dict.fromkeys(("iframe", "object", "embed"), "embedded"),
}
_BLOCKS_TOO = frozenset(
    {
        "address",
        "aside",
        "details",
        "summary",
        "fieldset",
        "legend",
        "header",
        "footer",
        "main",
        "nav",
        "menu",
        "dir",
        "dialog",
    }
    | {"select", "optgroup", "textarea"}
)
#: What the begin of an element and its end end as well, should it have been left open.
_CLOSED_BY_NEXT = {
    **dict.fromkeys(BLOCKS | LISTS | _BLOCKS_TOO | {"blockquote"}, ("p",)),
    "li": ("li", "p"),
    "tr": ("tr", "td", "th", "p"),
    **dict.fromkeys(CELLS, ("td", "th", "p")),
    **dict.fromkeys(("dt", "dd"), ("dt", "dd", "p")),
}
_CLOSED_BY_END = {
    **dict.fromkeys(BLOCKS | _BLOCKS_TOO | CELLS | {"blockquote", "li"}, ("p",)),
    **dict.fromkeys(LISTS, ("li", "p")),
    "table": ("tr", "td", "th", "p"),
    "tr": ("td", "th", "p"),
    "dl": ("dt", "dd", "p"),
}
#: Elements that notes seldom have, and whose names people type in the same brackets: ``<code>``, ``<time>``, ``<address>``.
SELDOM = frozenset(
    {
        "acronym",
        "base",
        "bdi",
        "bdo",
        "button",
        "code",
        "col",
        "colgroup",
        "data",
        "link",
        "map",
        "math",
        "option",
        "picture",
    }
    | {
        "rp",
        "rt",
        "ruby",
        "source",
        "template",
        "time",
        "title",
        "var",
        "svg",
        "xml",
        "video",
        "audio",
        "canvas",
        "object",
        "embed",
    }
    | _BLOCKS_TOO
)
#: Elements without an end.
VOID = frozenset({"br", "img", "hr", "input", "col", "link", "base", "meta", "embed", "source"})
#: Elements whose style says nothing of a text.
_UNMARKED = VOID | HIDDEN
_SPACES = re.compile(r"[ \t\n\r\f\v\xa0]+")
#: Blanks that are not shown as they are.
_OTHER_SPACES = re.compile(r"[\t\n\r\f\v\xa0]|  ")
_LINK = re.compile(r"(?:https?://|ftp://|mailto:|tel:|sms:|www\.)\S+", re.IGNORECASE)
_ADDRESSEE = re.compile(r"^(?:mailto|tel|sms):([^?]*).*", re.IGNORECASE)
_CROSSED = re.compile(r"line-through|\bstrike", re.IGNORECASE)
_RAISED = re.compile(r"(?:vertical-align|font-variant-position)\s*:\s*(sup|sub)", re.IGNORECASE)
#: The same by a distance, as word processors write it of a part of a line: ``position:relative;top:-3.0pt``. A shorter one
#: only sets a text straight, and so does one of what is no short term.
_DISTANCE = re.compile(r"\s*([+-]?[\d.]{1,20})(px|pt|em|ex|%)", re.IGNORECASE)
_SHORTEST = {"px": 2.0, "pt": 1.5, "em": 0.1, "ex": 0.2, "%": 10.0}
_UP, _DOWN = "up", "down"
_LONGEST_TERM = 8
_PARTS = frozenset({"span", "font"})
_LIST_TAG = re.compile(r"<(/?)(ul|ol|li)\b", re.IGNORECASE)
_SPAN = re.compile(r"\s*(\d{1,4})")
#: A cell may claim any number of columns; no more empty ones than this are written.
_WIDEST = 12
#: Deeper quotes and lists are written as deep as this: each line would else carry a sign for every level.
_DEEPEST = 5
#: A line that grows beyond this is put aside, but for its end: else each sign added would copy all of it.
_LONG_LINE = 8192
_ORDINALS = frozenset({"st", "nd", "rd", "th", "tm", *"®™°º*†‡\u2032\u2033'\""})
#: What needs no brackets to be read as one exponent or index.
_TERMS = frozenset({"sup", "sub"})
_BY_DISTANCE = {_UP: "^", _DOWN: "_"}
_ONE_TERM = re.compile(r"[+\-\u2212]?[\w.,]+")


@dataclass(slots=True)
class _Mark:
    """An open element that marks a part of a line; what begins it is written when its text comes.

    It stands within so many lists and tables.
    """

    tag: str
    kind: str = ""
    depth: tuple[int, int] = (0, 0)
    end: str = ""
    begun: bool = False
    #: Of what is raised or lowered by a distance: the line it begins in, how much of that was put aside, and where it begins.
    place: tuple[int, int, int] = (0, 0, 0)


@dataclass(slots=True)
class _Table:
    """A table that is being written.

    Attributes:
        cells: how many columns of the row there are so far.
        row_begins: how many lines there were when the row began.
        taken: by column, in how many rows from this one on a cell reaches into it.
    """

    cells: int = 0
    row_begins: int = 0
    taken: dict[int, int] = field(default_factory=dict)

    def next_row(self) -> None:
        """Leave behind what reached into the last row only."""
        self.taken = {column: rows - 1 for column, rows in self.taken.items() if rows > 1}

    def take(self, attributes: Mapping[str, str | None]) -> None:
        """Note over which columns and rows the cell reaches that begins."""
        columns, rows = (_span(attributes.get(name)) for name in ("colspan", "rowspan"))
        self.taken |= dict.fromkeys(range(self.cells, self.cells + columns), rows)
        self.cells += 1


class MarkupWriter(HTMLParser):
    """Writes the text of a document line by line while it is parsed."""

    def __init__(self, tags: Iterable[str]) -> None:
        """Prepare for a text with these tags: a list that counts down has to know how many items it has."""
        super().__init__(convert_charrefs=True)
        self.lines: list[str] = [""]
        self._items = _items_of_lists(tags)
        self._lists: list[ListMarks] = []
        self._quotes = 0
        self._hidden: str | None = None
        self._hidden_text: list[str] = []
        self._drawn_text: list[str] = []
        self._unshown: str | None = None
        self._drawn = ""
        self._link: str | None = None
        self._marks: list[_Mark] = []
        self._pending: list[_Mark] = []
        self._open_kinds: set[str] = set()
        self._open_tags: Counter[str] = Counter()
        self._open_at: Counter[tuple[str, tuple[int, int]]] = Counter()
        self._fresh = True
        self._bullet_only = False
        self._after_term = False
        self._table = _Table()
        self._tables: list[_Table] = []
        self._preformatted = 0
        self._aside: dict[int, list[str]] = {}

    def text(self, text: str, *, of_lines: bool) -> None:
        """Take the text between two tags; where no tag begins a line, its own lines are lines."""
        if of_lines:
            if text:
                self.handle_data(text)
            return
        first, *others = text.split("\n")
        if first:
            self.handle_data(first)
        for line in others:
            self.handle_starttag("br", ())
            if line:
                self.handle_data(line)

    def tag(self, tag: str, name: str, *, has_attributes: bool) -> None:
        """Take a tag; one with attributes is for Python's parser."""
        is_shown = not (self._hidden or self._marks)
        if is_shown and name in _ONLY_BLOCKS and not (has_attributes or tag.endswith("/>")):
            self._block(name)  # as most are, and their ends
            return
        if has_attributes:
            self.feed(tag)
            return
        if not tag.startswith("</"):
            self.handle_starttag(name, ())
        if tag.startswith("</") or tag.endswith("/>"):
            self.handle_endtag(name)

    @override
    def handle_starttag(self, tag: str, attrs: Sequence[tuple[str, str | None]]) -> None:
        if self._hidden:
            self._unshown = self._unshown or (tag if tag in _UNSHOWN else None)
            return
        attributes = dict(attrs)
        if self._marks:
            self._close_left_open(_CLOSED_BY_NEXT.get(tag, ()))
        if tag in _SHOWN and tag != "svg":
            self.handle_data(_picture(_SHOWN[tag] or tag, attributes))
        if tag in HIDDEN:
            self._hidden, self._hidden_text, self._drawn_text = tag, [], []
            self._drawn = _picture(_SHOWN["svg"], attributes) if tag == "svg" else ""
        elif tag in {"img", "input"}:
            self.handle_data(_picture("picture", attributes) if tag == "img" else _field(attributes))
        elif tag in {"ul", "ol", "li"}:
            self._open_list(tag, attributes)
        elif tag == "option":
            self._new_line(spaced=False)
            self.handle_data("[x] " if "selected" in attributes else "[ ] ")
        elif tag in CELLS:
            self._cell(attributes)
        else:
            self._open_block(tag)
        if tag in INLINE or (attributes and tag not in _UNMARKED and _kind(tag, attributes)):
            self._open_inline(tag, attributes)

    def _open_list(self, tag: str, attributes: dict[str, str | None]) -> None:
        if tag == "li":
            self._item((self._lists[-1] if self._lists else ListMarks()).next(attributes))
            return
        self._new_line(spaced=not self._lists)
        self._lists.append(ListMarks.of(tag, attributes, next(self._items, 0)))

    def _open_block(self, tag: str) -> None:
        if tag == "br":
            self._break()
        elif tag == "blockquote":
            self._new_line(spaced=True)
            self._quotes += 1
        elif tag in BLOCKS or tag in _BLOCKS_TOO:
            self._preformatted += tag == "pre"
            self._block(tag)
            if tag == "table":
                self._tables.append(self._table)
                self._table = _Table()
            elif tag == "tr":
                self._table.next_row()

    @override
    def handle_endtag(self, tag: str) -> None:
        if self._hidden:
            self._unshown = None if tag == self._unshown else self._unshown
            if tag == self._hidden:
                self._hidden = self._unshown = None
                self._draw()
            return
        if self._marks:
            self._close_left_open(_CLOSED_BY_END.get(tag, ()))
            if self._open_tags[tag]:
                self._close_inline(tag)
        if tag in LISTS and self._lists:
            self._lists.pop()
            self._new_line(spaced=not self._lists)
        elif tag == "blockquote":
            self._new_line(spaced=True)
            self._quotes = max(0, self._quotes - 1)
        elif (tag in BLOCKS or tag in _BLOCKS_TOO) and tag != "hr":
            self._preformatted = max(0, self._preformatted - (tag == "pre"))
            self._block(tag)
            if tag == "table":
                self._table = self._tables.pop() if self._tables else _Table()

    @override
    def handle_data(self, data: str) -> None:
        if self._hidden:
            self._hidden_text.append(data)
            if not self._unshown:
                self._drawn_text.append(data)
            return
        if not (self._preformatted and data):
            self._write(data)
            return
        first, *others = data.splitlines()
        self._write(first)
        for line in others:
            self._break()
            self._write(line)
        if others and data.endswith("\n"):
            self._break()

    def _draw(self) -> None:
        """Write a drawing, and what is written in it."""
        if self._drawn:
            words = " ".join(_ANY_TAG.sub(" ", " ".join(self._drawn_text)).split())
            told = self._drawn.removesuffix("]")
            self.handle_data(f"{told}{' ' if ': ' in told else ': '}{words}]" if words else self._drawn)

    def _write(self, data: str) -> None:
        """Write text at the end of the line, its blanks as a page shows them."""
        text = _SPACES.sub(" ", data) if not self._preformatted and _OTHER_SPACES.search(data) else data
        if not self._preformatted and (self._fresh or self.lines[-1].endswith(" ")):
            text = text.lstrip(" ")
        if not text:
            return
        if self._after_term and not self._pending and text[0].isdecimal() and self.lines[-1][-1:].isdecimal():
            text = f" {text}"  # the digits that follow 10^9 are no part of the nine
        self._after_term = False
        if self._pending and text.strip() and any(mark.kind in _TERMS for mark in self._pending):
            text = text.lstrip(" ")
        if self._fresh:
            self._begin()
        if self._pending:
            self._begin_marks(text)
        self.lines[-1] += text
        self._bullet_only = self._bullet_only and not text.strip()
        if len(self.lines[-1]) > _LONG_LINE:
            line = self.lines[-1]
            self._aside.setdefault(len(self.lines) - 1, []).append(line[: -_LONG_LINE // 2])
            self.lines[-1] = line[-_LONG_LINE // 2 :]

    @override
    def set_cdata_mode(self, elem: str, **_options: bool) -> None:
        """Stay in the ordinary mode: the other one drops what stands behind a script that never ends."""

    @override
    def close(self) -> None:
        """Finish; an element that never ends hides nothing, because what follows it may be a whole note."""
        super().close()
        if self._hidden:
            self._hidden = None
            self.handle_data(self._drawn)
            self.handle_data(" ".join(self._hidden_text))
        for mark in reversed(self._marks):
            self._end(mark)
        for number, pieces in self._aside.items():
            self.lines[number] = "".join((*pieces, self.lines[number]))

    def _open_inline(self, tag: str, attributes: dict[str, str | None]) -> None:
        """Remember an element; inside of another one that says the same it says nothing more."""
        if tag == "a":
            self._link = attributes.get("href")
        kind = _kind(tag, attributes)
        mark = _Mark(tag, "" if kind in self._open_kinds else kind, self._depth())
        self._marks.append(mark)
        self._open_tags[tag] += 1
        self._open_at[tag, mark.depth] += 1
        if mark.kind:
            self._open_kinds.add(mark.kind)
            self._pending.append(mark)

    def _depth(self) -> tuple[int, int]:
        return len(self._lists), len(self._tables)

    def _close_left_open(self, tags: Sequence[str]) -> None:
        """End what nobody has ended, and what ends by itself: the next item of a list is not struck out with the last one."""
        depth = self._depth()
        for tag in tags:
            while self._open_at[tag, depth]:
                self._close_inline(tag)

    def _begin_marks(self, text: str) -> None:
        if not text.strip():
            return
        for mark in self._pending:
            number = len(self.lines) - 1
            mark.place = (number, len(self._aside.get(number, ())), len(self.lines[-1]))
            begin, mark.end = _signs(mark.kind, text.strip())
            mark.begun = True
            self.lines[-1] += begin
        self._pending.clear()

    def _close_inline(self, tag: str) -> None:
        """End the innermost element of that name, and those that were left open inside of it."""
        if tag == "a":
            self._close_link()
        while self._open_tags[tag]:
            mark = self._marks.pop()
            self._end(mark)
            if mark.tag == tag:
                return

    def _end(self, mark: _Mark) -> None:
        self._open_tags[mark.tag] -= 1
        self._open_at[mark.tag, mark.depth] -= 1
        self._open_kinds.discard(mark.kind)
        if self._pending and self._pending[-1] is mark:
            self._pending.pop()
        self._after_term = mark.kind in _TERMS and mark.begun and not mark.end
        if mark.kind in _BY_DISTANCE and mark.begun:
            self._end_term(mark)
        if mark.end:
            number = len(self.lines) - 1
            while number and not self.lines[number].strip():  # a paragraph inside of it has ended the line
                number -= 1
            line = self.lines[number]
            text = line.rstrip()
            self.lines[number] = f"{text}{mark.end}{line[len(text) :]}"

    def _end_term(self, mark: _Mark) -> None:
        """Write the sign of what is raised or lowered by a distance, now that all of it is known."""
        number, aside, begins = mark.place
        if (number, aside) != (len(self.lines) - 1, len(self._aside.get(number, ()))):
            return
        term = self.lines[-1][begins:].strip()
        if len(term) <= _LONGEST_TERM and _ONE_TERM.fullmatch(term) and term.casefold() not in _ORDINALS:
            blank = " " if self.lines[-1].endswith(" ") else ""
            self.lines[-1] = f"{self.lines[-1][:begins]}{_BY_DISTANCE[mark.kind]}{term}{blank}"
            self._after_term = not blank

    def _block(self, tag: str) -> None:
        """Begin or end a block; what a list item begins with stands beside its bullet."""
        if tag == "tr":
            self._bullet_only = self._bullet_only and not self._table.cells
            self._table.cells = 0
        if not self._bullet_only:
            in_row = self._table.cells > 1  # rows stay together
            self._new_line(spaced=tag in SPACED and not self._lists and not in_row)
        if tag == "hr":
            self.handle_data("---")
            self._break()

    def _break(self) -> None:
        self.lines[-1] = self.lines[-1].rstrip()
        self.lines.append("")
        self._fresh = True
        self._bullet_only = False

    def _begin(self) -> None:
        """Write what stands before the text of a line that is still empty."""
        if self._fresh:
            self.lines[-1] += self._quoted() + "  " * min(len(self._lists), _DEEPEST)
            self._fresh = False

    def _quoted(self) -> str:
        return "> " * min(self._quotes, _DEEPEST)

    def _new_line(self, *, spaced: bool) -> None:
        if not self._fresh:
            self._break()
        if spaced and any(self.lines[-2:]):
            self.lines.append("")

    def _item(self, mark: str) -> None:
        self._new_line(spaced=False)
        self.lines[-1] = self._quoted() + "  " * min(max(0, len(self._lists) - 1), _DEEPEST) + mark
        self._fresh = False
        self._bullet_only = True

    def _cell(self, attributes: Mapping[str, str | None]) -> None:
        """Begin a cell, behind the columns that another one reaches into: the columns stay what they are."""
        while self._table.cells in self._table.taken and self._table.cells < _WIDEST:
            self._column()
            self._table.cells += 1
        self._column()
        self._table.take(attributes)

    def _column(self) -> None:
        """Part a column from the one before it, also from an empty one."""
        table = self._table
        if not table.cells:
            table.row_begins = len(self.lines)
        while (
            self._fresh and len(self.lines) > table.row_begins
        ):  # a paragraph of the cell before has ended the line
            self.lines.pop()
            self._fresh = not self.lines[-1]
        if table.cells or not (self._fresh or self._bullet_only):
            self._begin()
            self.lines[-1] = f"{self.lines[-1].rstrip()} | ".lstrip()
        self._bullet_only = True

    def _close_link(self) -> None:
        """Write the address of a link behind its text, unless the text is the address itself."""
        link, self._link = (self._link or "").strip().replace(" ", "%20"), None
        if _LINK.fullmatch(link) and _ADDRESSEE.sub(r"\1", link) not in self.lines[-1]:
            self.handle_data(f" ({link})")


def _span(value: str | None) -> int:
    """Return over how many columns or rows a cell reaches."""
    found = _SPAN.match(value or "")
    return max(1, min(int(found[1]), _WIDEST)) if found else 1


def _picture(what: str, attributes: dict[str, str | None]) -> str:
    """Return what stands for a thing that is no text: what it is said to be, else where a thing that is no picture is."""
    source = attributes.get("src") or attributes.get("data") or ""
    where = source if what != "picture" and _LINK.fullmatch(source) else ""
    said = next(filter(None, map(attributes.get, ("alt", "title", "aria-label"))), where)
    told = " ".join(said.split())
    return f"[{what}: {told}]" if told else f"[{what}]"


def _field(attributes: dict[str, str | None]) -> str:
    """Return a check box, or what was typed into a field."""
    kind = (attributes.get("type") or "text").casefold()
    if kind in {"checkbox", "radio"}:
        return "[x] " if "checked" in attributes else "[ ] "
    return "" if kind in {"hidden", "password", "submit", "button"} else attributes.get("value") or ""


def _kind(tag: str, attributes: dict[str, str | None]) -> str:
    """Return what an element says of its text: by its name, or by the style that word processors and editors write."""
    if tag in STRUCK or any(_CROSSED.search(attributes.get(name) or "") for name in ("style", "class")):
        return "struck"
    if tag in {"sup", "sub", "q"}:
        return tag
    style = attributes.get("style") or ""
    if raised := _RAISED.search(style):
        return raised[1].casefold()
    if tag not in _PARTS or not style:
        return ""
    return _by_distance(style)


def _by_distance(style: str) -> str:
    """Return whether a style raises or lowers a part of a line."""
    declared = {
        name.strip().casefold(): value
        for name, _, value in (part.partition(":") for part in style.split(";"))
    }
    up = _distance(declared.get("vertical-align", ""))
    if not up and declared.get("position", "").strip().casefold() == "relative":
        up = -_distance(declared.get("top", ""))
    return _UP if up > 0 else _DOWN if up < 0 else ""


def _distance(value: str) -> float:
    """Return a distance that is long enough to mean something, else 0."""
    found = _DISTANCE.match(value)
    try:
        length = float(found[1]) if found else 0.0
    except ValueError:
        return 0.0
    return length if found and abs(length) >= _SHORTEST[found[2].casefold()] else 0.0


def _signs(kind: str, text: str) -> tuple[str, str]:
    """Return what begins and ends a part of a line: ``10^9``, ``CO_2``, ``[struck out: penicillin]``."""
    if kind == "struck":
        return "[struck out: ", "]"
    if kind == "q":
        return '"', '"'
    if kind in _BY_DISTANCE or text.casefold() in _ORDINALS:
        return "", ""
    sign = "^" if kind == "sup" else "_"
    return (sign, "") if _ONE_TERM.fullmatch(text) else (f"{sign}(", ")")


def _items_of_lists(tags: Iterable[str]) -> Iterator[int]:
    """Yield how many items of its own each list of a text has, in the order in which the lists begin."""
    text = "".join(tags)
    if "reversed" not in text.casefold():
        return
    counts: list[int] = []
    lists: list[int] = []
    for tag in _LIST_TAG.finditer(text):
        ends, name = bool(tag.group(1)), tag.group(2).casefold()
        if name == "li":
            if lists and not ends:
                counts[lists[-1]] += 1
        elif not ends:
            lists.append(len(counts))
            counts.append(0)
        elif lists:
            lists.pop()
    yield from counts
