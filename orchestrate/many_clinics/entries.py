"""The file of clinics as YAML, and what YAML itself would let pass without a word."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from collections.abc import Iterator

_SAFE: Any = getattr(
    yaml, "CSafeLoader", yaml.SafeLoader
)  # the fast one: a file of a thousand clinics is long


class _Loader(_SAFE):  # type: ignore[misc]
    """Reads a date as the text that it is in an environment."""


_Loader.add_constructor("tag:yaml.org,2002:timestamp", _Loader.construct_yaml_str)


def loaded(text: str) -> tuple[Any, dict[int, str]]:
    """Return what a text holds, and what is wrong with single items of its list `clinics`, by their number from 1.

    Raises:
        YAMLError: it is no YAML, or a name stands twice outside that list.
    """
    loader = _Loader(text)
    try:
        root = loader.get_single_node()
        items = {id(item): number for number, item in enumerate(_clinics(root), 1)}
        twice: dict[int, str] = {}
        for item, said in _twice(root, 0, items, set()):
            if not item:
                raise yaml.YAMLError(said)
            twice.setdefault(item, said)
        return (None if root is None else loader.construct_document(root)), twice
    finally:
        loader.dispose()


def why(error: Exception) -> str:
    """Say why a file cannot be read, and in which line, without repeating any of it."""
    mark = getattr(error, "problem_mark", None)
    where = f"line {mark.line + 1}: " if mark else ""
    is_ours = type(error) is yaml.YAMLError
    return str(error) if is_ours else f"{where}cannot be read ({type(error).__name__})"


def _clinics(root: Any) -> list[Any]:
    pairs = root.value if isinstance(root, yaml.MappingNode) else []
    return [
        item
        for name, value in pairs
        if name.value == "clinics" and isinstance(value, yaml.SequenceNode)
        for item in value.value
    ]


def _twice(node: Any, item: int, items: dict[int, int], seen: set[int]) -> Iterator[tuple[int, str]]:
    """Yield each name that stands twice in one mapping, with the number of the clinic it is in; 0 outside of all.

    YAML takes the last and drops the first: with it a clinic, before whose next the hyphen was forgotten.
    """
    if id(node) in seen:
        return
    seen.add(id(node))
    item = items.get(id(node), item)
    inside = getattr(node, "value", None)
    if isinstance(node, yaml.MappingNode):
        names: set[str] = set()
        for name, _ in node.value:
            if isinstance(name, yaml.ScalarNode) and name.value in names:
                line = name.start_mark.line + 1
                hint = "; is the hyphen before the next clinic missing?" if name.value == "name" else ""
                yield item, f"line {line}: `{name.value}` stands here a second time{hint}"
            names.add(name.value if isinstance(name, yaml.ScalarNode) else "")
        inside = [value for _, value in node.value]
    for part in inside if isinstance(inside, list) else ():
        yield from _twice(part, item, items, seen)
