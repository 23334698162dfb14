"""The text of a mapping file: the shipped one and the clinic's own parts of it, as YAML that says one thing only."""

from __future__ import annotations

from collections import Counter
from copy import deepcopy
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml
from typing_extensions import override

from cliniko_to_highlevel.errors import MappingError

_PACKAGE = Path(__file__).parent
#: In an installed package the file lies beside the modules; in a checkout one folder up, for people to find.
SHIPPED = next(
    (path for path in (_PACKAGE / "mapping.yml", _PACKAGE.parent / "mapping.yml") if path.is_file()),
    _PACKAGE / "mapping.yml",
)


class Problems:
    """Collects every problem, so that a person mends the file once."""

    def __init__(self) -> None:
        self.found: list[str] = []

    def add(self, field: str, what: str) -> None:
        """Note what is wrong with a part of the file, and what to do about it."""
        self.found.append(f"{field} {what}")


class _Loader(yaml.SafeLoader):
    """Reads YAML, but for names that it would take for something else or of which it would lose one."""

    @override
    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        names = [key for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        told = Counter(str(name.value) for name in names)
        for name in names:
            if told[str(name.value)] > 1:
                raise _UnclearNameError(name, "stands there twice, and one would be lost; delete one of them")
            if name.tag not in {"tag:yaml.org,2002:str", "tag:yaml.org,2002:merge"}:
                raise _UnclearNameError(name, f'is not read as a name; write it in quotes: "{name.value}"')
        return super().construct_mapping(node, deep)


class _UnclearNameError(Exception):
    """A name in the file that cannot be taken as it stands."""

    def __init__(self, name: yaml.ScalarNode, what: str) -> None:
        super().__init__(f"line {name.start_mark.line + 1}: {name.value} {what}")


def text(path: str | None) -> str:
    """Return all that decides what the mapping says: the shipped file and the clinic's own, as they stand.

    Raises:
        MappingError: a file cannot be read.
    """
    return "\n".join(_text(file) for file in (SHIPPED, Path(path) if path else None) if file)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        msg = f"{path}: the mapping cannot be read ({why}); give the path of an existing file"
        raise MappingError(msg) from None


def shipped() -> dict[str, Any]:
    """Return the parts of the shipped mapping; the same text is parsed once, because that is slow."""
    return deepcopy(_parsed(SHIPPED, _text(SHIPPED)))


@lru_cache(maxsize=2)
def _parsed(path: Path, _: str) -> dict[str, Any]:
    return read(path)


def read(path: Path) -> dict[str, Any]:
    """Return the parts of a mapping file.

    Raises:
        MappingError: it cannot be read, or its YAML is wrong or unclear.
    """
    try:
        content = yaml.load(_text(path), _Loader)  # noqa: S506 - a SafeLoader
    except _UnclearNameError as error:
        msg = f"{path}, {error}"
        raise MappingError(msg) from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f" near line {mark.line + 1}" if mark else ""
        msg = f"{path}: the mapping is not valid YAML{line}; compare it with the shipped mapping.yml"
        raise MappingError(msg) from None
    if content is None:
        return {}
    if not isinstance(content, dict):
        msg = f"{path}: the mapping must be a list of named parts, such as default_country"
        raise MappingError(msg)
    return content


def merged(name: str, shipped: Any, own: Any, problems: Problems) -> Any:
    """Return one part: the clinic's own lines over the shipped ones."""
    if own is None:
        return shipped
    if not isinstance(shipped, dict):
        return own
    if not isinstance(own, dict):
        problems.add(name, f"must hold named lines ({', '.join(shipped)})")
        return shipped
    if not shipped:  # named freely, like owners
        return own
    for unknown in sorted(set(own) - set(shipped), key=str):
        problems.add(f"{name}.{unknown}", f"is unknown; {name} holds {', '.join(shipped)}")
    return {key: own.get(key, value) for key, value in shipped.items()}
