"""What stands before the items of a list, as rich text asks for it: bullets, numbers, letters, check boxes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_WHOLE = re.compile(r"\s*([+-]?\d{1,9})\b")
_ROMAN = (
    (1000, "m"), (900, "cm"), (500, "d"), (400, "cd"), (100, "c"), (90, "xc"),
    (50, "l"), (40, "xl"), (10, "x"), (9, "ix"), (5, "v"), (4, "iv"), (1, "i"),
)  # fmt: skip
_LARGEST_ROMAN = 3999
#: The styles of numbers that a page may ask for instead of a type.
_STYLES = {
    "lower-alpha": "a", "upper-alpha": "A", "lower-latin": "a", "upper-latin": "A", "lower-roman": "i", "upper-roman": "I",
}  # fmt: skip
#: Styles of bullets, and what a style shows that is no word of it.
_BULLETS = frozenset({"disc", "circle", "square"})
_MARKS = _BULLETS | {"decimal", *_STYLES}
_PICTURE = re.compile(r"url\([^()]*\)")
_LETTERS = 26


@dataclass(slots=True)
class ListMarks:
    """The marks of one list, given out item by item."""

    number: int | None = None
    step: int = 1
    style: str = "1"
    boxes: str | None = None

    @classmethod
    def of(cls, tag: str, attributes: Mapping[str, str | None], items: int) -> ListMarks:
        """Return the marks of a list that begins; a reversed one without a start counts down from its number of items."""
        mark = _mark(attributes.get("style") or "")
        if mark in _BULLETS if tag == "ol" else mark not in _MARKS - _BULLETS:
            return cls(boxes=attributes.get("data-checked"))
        reverse = "reversed" in attributes
        start = _whole(attributes.get("start"))
        if start is None:
            start = items if reverse else 1
        return cls(start, -1 if reverse else 1, attributes.get("type") or _STYLES.get(mark or "", "1"))

    def next(self, attributes: Mapping[str, str | None]) -> str:
        """Return what stands before the next item."""
        told = (attributes.get(name) for name in ("data-checked", "data-list", "aria-checked"))
        checked = next(filter(None, told), self.boxes)
        if checked in {"true", "checked"}:
            return "[x] "
        if checked in {"false", "unchecked"}:
            return "[ ] "
        if self.number is None or checked == "bullet":
            return "- "
        value = _whole(attributes.get("value"))
        number = self.number if value is None else value
        self.number = number + self.step
        return f"{_numbered(number, attributes.get('type') or self.style)}. "


def _mark(style: str) -> str | None:
    """Return the mark that a style asks for; the last one counts."""
    asked = None
    for declared in _PICTURE.sub(" ", style.casefold()).split(";"):
        name, _, value = declared.partition(":")
        if name.strip() in {"list-style", "list-style-type"}:
            asked = next((word for word in value.split() if word in _MARKS), asked)
    return asked


def _whole(text: str | None) -> int | None:
    found = _WHOLE.match(text or "")
    return int(found.group(1)) if found else None


def _numbered(number: int, style: str) -> str:
    if number > 0 and style in {"a", "A"}:
        text = _lettered(number)
    elif 0 < number <= _LARGEST_ROMAN and style in {"i", "I"}:
        text = _roman(number)
    else:
        text = str(number)
    return text.upper() if style.isupper() else text


def _lettered(number: int) -> str:
    text = ""
    while number:
        number, letter = divmod(number - 1, _LETTERS)
        text = chr(ord("a") + letter) + text
    return text


def _roman(number: int) -> str:
    text = ""
    for value, letters in _ROMAN:
        times, number = divmod(number, value)
        text += letters * times
    return text
