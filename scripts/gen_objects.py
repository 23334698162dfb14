"""Write into docs/going-live.md what the mapping needs in HighLevel, for somebody who makes it by hand.

`make docs` writes it; a test compares the page with what this returns.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from cliniko_to_highlevel.routes import STREAMS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from cliniko_to_highlevel.streams import Property, Stream

PAGE = Path(__file__).resolve().parent.parent / "docs" / "going-live.md"
BEGIN, END = "<!-- objects: written by scripts/gen_objects.py -->", "<!-- /objects -->"
# The names of HighLevel's field types as its pages show them.
KINDS = {
    "DATE": "Date picker",
    "FILE_UPLOAD": "File upload (several files)",
    "LARGE_TEXT": "Multi line",
    "MONETORY": "Monetary",
    "MULTIPLE_OPTIONS": "Dropdown (multiple)",
    "NUMERICAL": "Number",
    "SINGLE_OPTIONS": "Dropdown (single)",
    "TEXT": "Single line",
}


def section() -> str:
    """Return the tables: objects, the fields of each and of contacts, associations."""
    objects = [stream for stream in STREAMS.values() if stream.kind == "custom_object"]
    contacts = [stream for stream in STREAMS.values() if stream.kind == "contact"]
    return "\n".join([*_objects(objects), *_fields([*objects, *contacts]), *_associations(STREAMS.values())])


def updated(page: str) -> str:
    """Return a page with its generated part written anew."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        message = f"docs/going-live.md has no place for the objects: put '{BEGIN}' and '{END}' into it"
        raise SystemExit(message)
    return f"{before}{begin}\n\n{section()}\n{end}{after}"


def _objects(objects: Iterable[Stream]) -> Iterator[str]:
    yield from _table(
        ("Object: singular, plural", "Internal name", "Primary field: label, key", "Searchable"),
        (
            (
                " / ".join(stream.labels),
                f"`{_bare(stream.key)}`",
                f"{_described(stream.properties[stream.primary])['label']}, `{stream.primary}`",
                ", ".join(f"`{name}`" for name in stream.searchable),
            )
            for stream in objects
        ),
    )


def _fields(streams: Iterable[Stream]) -> Iterator[str]:
    for stream in streams:
        own = {
            name: item
            for name, item in stream.properties.items()
            if _described(item).get("field") == "custom"
        }
        title = stream.labels[0] or "Contact"
        yield from (f"<details><summary>{title}: {len(own)} fields</summary>", "")
        yield from _table(
            ("Label", "Key", "Type", "Options"), (_field(name, item) for name, item in own.items())
        )
        yield from ("</details>", "")


def _field(name: str, item: Property) -> tuple[str, ...]:
    described = _described(item)
    options = described.get("options")
    shown = "" if options is None else ", ".join(options) or "made as the records need them"
    return described["label"], f"`{name}`", KINDS[described["dataType"]], shown


def _associations(streams: Iterable[Stream]) -> Iterator[str]:
    yield from _table(
        ("Association", "First: object, label", "Second: object, label", "Further labels"),
        (
            (
                f"`{item.key}`",
                f"{_bare(item.first)}, {item.first_label}",
                f"{_bare(item.second)}, {item.second_label}",
                f"up to {item.overflow}" if item.overflow > 1 else "",
            )
            for stream in streams
            for item in stream.associations
        ),
    )


def _described(item: Property) -> dict[str, Any]:
    return item.highlevel or {}


def _bare(key: str) -> str:
    return key.removeprefix("custom_objects.")


def _table(heads: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    for cells in (heads, tuple("---" for _ in heads), *rows):
        yield f"| {' | '.join(cells)} |"
    yield ""


def main() -> None:
    """Write the page."""
    PAGE.write_text(updated(PAGE.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
