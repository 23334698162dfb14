"""Writes the reference part of the page that ``python -m cliniko_to_highlevel.document`` is given."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from cliniko_to_highlevel.not_moved import EVERYWHERE, NOT_MOVED, NOT_OF_USERS
from cliniko_to_highlevel.routes import IGNORED, STREAMS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from cliniko_to_highlevel.streams import Property, Stream

MARK = "<!-- From here on written by `python -m cliniko_to_highlevel.document docs/mapping.md`. -->"


def reference() -> str:
    """Return the tables of fields, of what does not move, and of resources that are left out."""
    return "\n".join((MARK, "", *_fields(), *_not_moved(), *_ignored()))


def updated(page: str) -> str:
    """Return a page with its reference part written anew."""
    return page.partition(MARK)[0] + reference()


def _fields() -> Iterator[str]:
    yield from ("## Every field", "")
    for stream in STREAMS.values():
        yield from (f"### `{stream.name}` → {_destination(stream)}", "", stream.description, "")
        yield from _table(
            ("Property", "Becomes", "Holds"),
            ((f"`{name}`", _becomes(item), item.description) for name, item in stream.properties.items()),
        )


def _destination(stream: Stream) -> str:
    return f"`{stream.key}`" if stream.key else stream.kind


def _becomes(item: Property) -> str:
    described = item.highlevel or {}
    kind = described.get("field")
    if kind == "custom":
        return f"{described['dataType']} “{described['label']}”"
    if kind == "standard":
        return f"standard field `{described['name']}`"
    return {
        "dnd": "do not disturb",
        "tags": "tags",
        "owner": "owner",
        "fact": "fields that are folded from it",
    }.get(str(kind), "part of the record itself")


def _not_moved() -> Iterator[str]:
    yield from ("## Cliniko fields that do not arrive", "")
    rows = [("every resource", field, reason) for field, reason in EVERYWHERE.items()]
    for listed in (NOT_OF_USERS, NOT_MOVED):
        rows += [(name, field, why) for name, fields in listed.items() for field, why in fields.items()]
    yield from _table(
        ("Resource", "Field", "Reason"), ((where, f"`{field}`", why) for where, field, why in rows)
    )


def _ignored() -> Iterator[str]:
    yield from ("## Cliniko resources that become nothing", "")
    yield from _table(("Resource", "Reason"), ((f"`{name}`", reason) for name, reason in IGNORED.items()))


def _table(heads: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    yield _line(heads)
    yield _line(tuple("---" for _ in heads))
    yield from map(_line, rows)
    yield ""


def _line(cells: tuple[str, ...]) -> str:
    return f"| {' | '.join(cells)} |"


def main() -> None:
    """Write the reference part of the page that is named."""
    path = Path(sys.argv[1])
    path.write_text(updated(path.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
