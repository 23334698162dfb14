"""Changes one value in a YAML text as a person would: every other line, and every comment, stays as it is.

Writing a file anew from what was read would fold its long lines and move its comments.
"""

from __future__ import annotations

import json
import re
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from ruamel.yaml.nodes import CollectionNode, MappingNode, Node, ScalarNode, SequenceNode

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_PLAIN = re.compile(r"[a-z][a-z0-9_]*(/\d+)?")
#: Words that some reader of YAML takes for something else than text.
_NOT_TEXT = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null"})
_STEP = 2


class _Cut(NamedTuple):
    """A part of the text to replace."""

    begin: int
    end: int
    new: str


def parsed(text: str) -> dict[str, Any]:
    """Return what a YAML text says.

    Raises:
        YAMLError: it is none.
    """
    content = YAML(typ="safe", pure=True).load(text)
    return content if isinstance(content, dict) else {}


def with_value(text: str, path: Sequence[str], value: Any) -> str:
    """Return the text with this value under these names.

    Args:
        text: of a mapping, possibly empty.
        path: the names that lead to the value; those that are not there yet are added.
        value: text, number, yes or no, or a list or a mapping of such; an empty text leaves the name without a value, and
            with None the name goes.

    Raises:
        ValueError: the text is written in a way that this cannot change.
    """
    return with_values(text, {tuple(path): value})


def with_values(text: str, values: Mapping[tuple[str, ...], Any]) -> str:
    """Return the text with each of these values under its names, as `with_value` would put them one after another.

    All at once, because reading the text is what takes long. Where two of them meet in one place, such as a part that
    neither finds there, one half is put behind the other.

    Raises:
        ValueError: the text is written in a way that this cannot change.
    """
    changed = _all_at_once(text, values)
    if changed is not None:
        return changed
    if len(values) == 1:
        (path,) = values
        msg = f"{'.'.join(path)} is written in a way that only a person can change"
        raise ValueError(msg)
    items = list(values.items())
    half = len(items) // 2
    return with_values(with_values(text, dict(items[:half])), dict(items[half:]))


def _all_at_once(text: str, values: Mapping[tuple[str, ...], Any]) -> str | None:
    """Return the changed text; none where it would not say what it should."""
    wanted = parsed(text)
    document = YAML(typ="safe", pure=True).compose(text)
    ended = text if not text or text.endswith("\n") else f"{text}\n"
    cuts: list[_Cut] = []
    for path, value in values.items():
        wanted = _changed(wanted, path, value)
        cuts += _cuts(ended, document, path, value)
    # what comes behind the same place stays in the order of the values
    for cut in sorted(dict.fromkeys(reversed(cuts)), key=lambda cut: cut.begin, reverse=True):
        ended = ended[: cut.begin] + cut.new + ended[cut.end :]
    with suppress(YAMLError):
        return ended if parsed(ended) == wanted else None
    return None


def with_item(text: str, path: Sequence[str], item: str) -> str:
    """Return the text with one more item at the end of the list that these names lead to.

    Raises:
        ValueError: there is no such list, or it is written in a way that this cannot change.
    """
    known = _at(parsed(text), path)
    node: Node | None = YAML(typ="safe", pure=True).compose(text)
    for name in path:
        pairs = node.value if isinstance(node, MappingNode) else ()
        node = next((inner for key, inner in pairs if key.value == name), None)
    if isinstance(node, SequenceNode) and node.value:
        end = _end(text, node.value[-1])
        new = f", {_word(item)}"
        if not node.flow_style:
            end, new = _line_end(text, end), f"{' ' * node.start_mark.column}- {_word(item)}\n"
        changed = text[:end] + new + text[end:]
        with suppress(YAMLError):
            if parsed(changed) == _changed(parsed(text), path, [*known, item]):
                return changed
    return with_value(text, path, [*(known or ()), item])


def _at(content: Any, path: Sequence[str]) -> Any:
    for name in path:
        content = content.get(name) if isinstance(content, dict) else None
    return content


def _changed(content: Mapping[str, Any], path: Sequence[str], value: Any) -> dict[str, Any]:
    name, *rest = path
    inner = content.get(name)
    if value is None and (name not in content or (rest and not isinstance(inner, dict))):
        return dict(content)
    if rest:
        return {**content, name: _changed(inner if isinstance(inner, dict) else {}, rest, value)}
    others = {key: known for key, known in content.items() if key != name}
    return others if value is None else {**content, name: None if value == "" else value}


def _cuts(text: str, document: Node | None, path: Sequence[str], value: Any) -> list[_Cut]:
    if not isinstance(document, MappingNode):
        return [_Cut(len(text), len(text), _block(path, value, 0))] if value is not None else []
    at, above, in_flow = document, None, False
    for depth, name in enumerate(path):
        rest = path[depth + 1 :]
        pair = next(((key, inner) for key, inner in at.value if key.value == name), None)
        if pair is None:
            return [] if value is None else _added(text, at, None if in_flow else above, path[depth:], value)
        if not rest:
            return _removed(text, at, above, pair) if value is None else _replaced(text, pair, _inline(value))
        key, inner = pair
        if not isinstance(inner, MappingNode):
            if value is None:
                return []
            return (
                _replaced(text, pair, _nested(rest, value))
                if at.flow_style
                else _opened(text, pair, rest, value)
            )
        at, above, in_flow = inner, key, bool(at.flow_style)
    return []


def _added(text: str, at: MappingNode, above: Node | None, path: Sequence[str], value: Any) -> list[_Cut]:
    """Put a name behind the last one of a mapping."""
    if not at.flow_style:
        last = _line_end(text, _end(text, at))
        return [_Cut(last, last, _block(path, value, at.value[0][0].start_mark.column))]
    if not at.value and above is not None:
        return _opened(text, (above, at), path, value)
    close = _end(text, at) - 1
    begin = _value_end(text, *at.value[-1]) if at.value else close
    words = f"{_word(path[0])}: {_nested(path[1:], value)}"
    return [_Cut(begin, begin, f", {words}" if at.value else words)]


def _opened(text: str, pair: tuple[Node, Node], path: Sequence[str], value: Any) -> list[_Cut]:
    """Put a name below one that has nothing so far; what stands behind that one on its line stays."""
    key, inner = pair
    colon = _colon(text, key)
    line = _line_end(text, _value_end(text, key, inner))
    return [
        _Cut(colon, _value_end(text, key, inner), ""),
        _Cut(line, line, _block(path, value, key.start_mark.column + _STEP)),
    ]


def _replaced(text: str, pair: tuple[Node, Node], new: str) -> list[_Cut]:
    key, inner = pair
    colon = _colon(text, key)
    return [_Cut(colon, _value_end(text, key, inner), f" {new}" if new else "")]


def _removed(text: str, at: MappingNode, above: Node | None, pair: tuple[Node, Node]) -> list[_Cut]:
    key, inner = pair
    number = at.value.index(pair)
    if at.flow_style:
        if number + 1 < len(at.value):
            return [_Cut(key.start_mark.index, at.value[number + 1][0].start_mark.index, "")]
        begin = _value_end(text, *at.value[number - 1]) if number else key.start_mark.index
        return [_Cut(begin, _value_end(text, key, inner), "")]
    begin = text.rfind("\n", 0, key.start_mark.index) + 1
    gone = _Cut(begin, _line_end(text, _value_end(text, key, inner)), "")
    if len(at.value) > 1 or above is None:
        return [gone]
    colon = _colon(text, above)
    return [_Cut(colon, colon, " {}"), gone]


def _end(text: str, node: Node) -> int:
    """Return where the text of a node ends; a block's own mark would stand behind the comments that follow it."""
    if isinstance(node, CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        return _end(text, last) if isinstance(node, SequenceNode) else _value_end(text, *last)
    end: int = node.end_mark.index
    return end


def _value_end(text: str, key: Node, inner: Node) -> int:
    """Return where the value of a name ends; the mark of one that is not there would stand behind what follows."""
    colon = _colon(text, key)
    return (
        colon
        if isinstance(inner, ScalarNode) and not inner.value and inner.style is None
        else _end(text, inner)
    )


def _colon(text: str, key: Node) -> int:
    return text.index(":", key.end_mark.index) + 1


def _line_end(text: str, index: int) -> int:
    """Return where the next line begins."""
    found = text.find("\n", index)
    return len(text) if found < 0 else found + 1


def _block(path: Sequence[str], value: Any, column: int) -> str:
    """Return lines that say this, indented."""
    lines = [f"{' ' * (column + _STEP * depth)}{_word(name)}:" for depth, name in enumerate(path)]
    if isinstance(value, dict) and value:
        below = (_block([str(name)], inner, column + _STEP * len(path)) for name, inner in value.items())
        return "\n".join(lines) + "\n" + "".join(below)
    return "\n".join(lines) + (f" {_inline(value)}" if value != "" else "") + "\n"


def _nested(path: Sequence[str], value: Any) -> str:
    return "".join(f"{{{_word(name)}: " for name in path) + _inline(value) + "}" * len(path)


def _inline(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_word(str(name))}: {_inline(inner)}" for name, inner in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(_inline, value)) + "]"
    if isinstance(value, str):
        return _word(value) if value else ""
    return json.dumps(value)


def _word(text: str) -> str:
    if _PLAIN.fullmatch(text) and text not in _NOT_TEXT:
        return text
    return json.dumps(text, ensure_ascii=False)  # a JSON text is a YAML text
