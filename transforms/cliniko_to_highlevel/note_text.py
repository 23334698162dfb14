"""The text of notes: a treatment note's sections and answers in order, and the splitting of long texts."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING, Any

from cliniko_to_highlevel.errors import RecordError
from cliniko_to_highlevel.formats import joined, utf16_length
from cliniko_to_highlevel.markup import answered, pictures, plain_text
from cliniko_to_highlevel.row import text_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cliniko_to_highlevel.row import Row

#: The kinds of questions that Cliniko's API describes, and what of a question is not its answer.
_KINDS = frozenset(
    {"text", "paragraph", "date", "checkboxes", "radiobuttons", "bodycharts"}
    | {"full_name", "address", "phone", "pronouns", "select", "signature"}
)
_QUESTION = frozenset({"name", "type", "answer", "answers", "other", "required"})
_UNSHOWN = "(answer of a kind that cannot be shown)"

#: What HighLevel takes in one note (its limit for notes of appointments and for imported notes).
LONGEST_BODY = 5000
_JOINER = "\u200d"
_SKIN_COLOURS = frozenset(map(chr, range(0x1F3FB, 0x1F400)))


def sections_text(content: Row) -> str:
    """Return a note's sections as text, in the order of the template the note was written with."""
    return "\n\n".join(text for section in content.parts("sections") if (text := _section(section)))


def pictures_in(content: Row) -> int:
    """Return how many pictures stand in a note's texts; Cliniko's API gives none of them."""
    return sum(pictures(text) for text in _texts(content) if isinstance(text, str))


def _texts(content: Row) -> Iterator[Any]:
    """Yield what may be rich text, as it came."""
    for section in content.parts("sections"):
        yield section.values.get("description")
        for question in section.parts("questions"):
            yield question.values.get("answer")


def _section(section: Row) -> str:
    name = section.text("name")
    heading = [f"## {name}"] if name else []
    description = plain_text(section.text("description") or "")
    if description:
        heading.append(description)
    answers = [text for question in section.parts("questions") if (text := _question(question))]
    return "\n".join((*heading, *answers))


def _question(question: Row) -> str | None:
    """Return a question with its answer; one that was not answered is left out, as in Cliniko's print."""
    name = question.text("name") or "Question"
    answer = _answer(question)
    if not answer:
        return None
    return f"{name}:\n{answer}" if "\n" in answer else f"{name}: {answer}"


def _answer(question: Row) -> str | None:
    kind = (question.text("type") or "").casefold()
    if kind == "bodycharts":
        return _body_charts(question)
    answer = _in_pieces(question.values.get("answer"))
    if answer:
        answer = plain_text(answer) if kind == "paragraph" else answered(answer)
    if kind == "signature" and question.reference("signature_id"):
        answer = f"signed (signatures/{question.reference('signature_id')})"
    told = joined(", ", *_chosen(question), answer)
    return told or (_UNSHOWN if kind not in _KINDS and _is_answered(question) else None)


def _in_pieces(value: Any) -> str | None:
    """Return an answer in one line, also one in several pieces: a name, an address, numbers, pronouns."""
    if isinstance(value, dict):
        return joined(" ", *map(_in_pieces, value.values()))
    if isinstance(value, list):
        return joined(", ", *map(_in_pieces, value))
    try:
        return text_of(value, "answer")
    except RecordError:  # a number of a size that no field takes; in a text it is one all the same
        return str(value)


def _is_answered(question: Row) -> bool:
    """Return whether a question of a kind unknown to us holds more than the question: Cliniko adds nothing to a blank one."""
    return any(value for name, value in question.values.items() if name not in _QUESTION)


def _chosen(question: Row) -> Iterator[str]:
    for answer in question.parts("answers"):
        if answer.flag("selected"):
            yield answered(_in_pieces(answer.values.get("value")) or "") or _UNSHOWN
    other = question.part("other")
    if other.flag("selected"):
        yield answered(_in_pieces(other.values.get("value")) or "") or "Other"


def _body_charts(question: Row) -> str | None:
    """Return the numbers of body charts: Cliniko's API does not give the pictures."""
    charts = question.values.get("body_chart_ids")
    numbers = (
        ", ".join(str(chart) for chart in charts if isinstance(chart, (str, int)))
        if isinstance(charts, list)
        else ""
    )
    return f"body chart {numbers} (picture in Cliniko only)" if numbers else None


def split(text: str, room: int) -> list[str]:
    """Return the text in pieces that fit into the room, cut at line ends where possible, else at spaces."""
    pieces: list[str] = []
    while utf16_length(text) > room:
        end = _cut(text, room)
        pieces.append(text[:end].rstrip())
        text = text[end:].lstrip("\n")
    return [*pieces, text] if text or not pieces else pieces


def _cut(text: str, room: int) -> int:
    """Return where to cut: after the last paragraph, line or word that fits and fills half of the room."""
    end = _fitting(text, room)
    for separator in ("\n\n", "\n", " "):
        at = text.rfind(separator, end // 2, end)
        if at > 0:
            return at + len(separator)
    return end


def _fitting(text: str, room: int) -> int:
    """Return how many characters fit; those outside the basic plane count twice, and what is one sign stays whole."""
    end = min(len(text), room)
    while utf16_length(text[:end]) > room:
        end -= (utf16_length(text[:end]) - room + 1) // 2
    whole = end
    while whole > 0 and whole < len(text) and _belongs(text[whole - 1], text[whole]):
        whole -= 1
    return whole or end


def _belongs(before: str, char: str) -> bool:
    """Return whether a character is part of the sign before it: an accent, a skin colour, the rest of a joined emoji."""
    return _JOINER in {before, char} or unicodedata.category(char)[0] == "M" or char in _SKIN_COLOURS
